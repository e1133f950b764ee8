/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vga_core: the VGA's registers and what they make of the screen. IBM PS/2 Hardware Interface
 * Technical Reference (1990), Video Subsystem (register numbers below are its indexes).
 */
#include "hw/pc/vga_core.h"

#include <stdlib.h>
#include <string.h>

#include "hw/core/clock.h"
#include "hw/xen/hypervisor.h"

#define MISC_COLOUR    0x01 /* CRT controller at 3Dxh, not 3Bxh */
#define STATUS_BLANK   0x01 /* input status 1: not displaying */
#define STATUS_RETRACE 0x08
#define ATTR_SOURCE    0x20 /* attribute index: the screen uses the palette */
#define SEQ_SCREEN_OFF 0x20
#define CRTC_PROTECT   0x80                 /* index 11h: 00h-07h read only */
#define CRTC_LC8       0x10                 /* index 07h: line compare bit 8, never protected */
#define BLINK_HALF     (16 * NS_PER_S / 70) /* 16 frames: FreeVGA, "Blinking" */
#define VBE_FRAME      (NS_PER_S / 60)
#define CELL_MASK      0xFFFFu /* the CRT controller counts 16 bits */

enum { /* CRT controller */
       CRTC_H_TOTAL = 0x00,
       CRTC_H_DISPLAY_END = 0x01,
       CRTC_V_TOTAL = 0x06,
       CRTC_OVERFLOW = 0x07,
       CRTC_PRESET_ROW = 0x08,
       CRTC_MAX_ROW = 0x09,
       CRTC_CURSOR_START = 0x0A,
       CRTC_CURSOR_END = 0x0B,
       CRTC_START_HIGH = 0x0C,
       CRTC_START_LOW = 0x0D,
       CRTC_CURSOR_HIGH = 0x0E,
       CRTC_CURSOR_LOW = 0x0F,
       CRTC_V_RETRACE_END = 0x11,
       CRTC_V_DISPLAY_END = 0x12,
       CRTC_OFFSET = 0x13,
       CRTC_UNDERLINE = 0x14,
       CRTC_MODE = 0x17,
       CRTC_LINE_COMPARE = 0x18,
};

enum { /* attribute controller, after the 16 palette registers */
       ATTR_MODE = 0x10,
       ATTR_OVERSCAN = 0x11,
       ATTR_PLANE_ENABLE = 0x12,
       ATTR_PANNING = 0x13,
       ATTR_COLOUR_SELECT = 0x14,
};

/* Bits that exist. */
static const uint8_t seq_mask[VGA_SEQ_COUNT] = {0x03, 0x3D, 0x0F, 0x3F, 0x0E, 0x00, 0x00, 0xFF};
static const uint8_t gfx_mask[VGA_GFX_COUNT] = {0x0F, 0x0F, 0x0F, 0x1F, 0x03,
                                                0x7B, 0x0F, 0x0F, 0xFF};

static uint8_t attr_mask(unsigned index)
{
    switch (index) {
    case ATTR_MODE:
        return 0xEF;
    case ATTR_OVERSCAN:
        return 0xFF;
    case ATTR_PANNING:
    case ATTR_COLOUR_SELECT:
        return 0x0F;
    default:
        return 0x3F;
    }
}

const struct state_field vga_core_state[] = {
    STATE_UINT(struct vga_core, misc),
    STATE_UINT(struct vga_core, feature),
    STATE_LIMIT(struct vga_core, seq_index, VGA_SEQ_COUNT - 1),
    STATE_ARRAY(struct vga_core, seq),
    STATE_LIMIT(struct vga_core, gfx_index, 15),
    STATE_ARRAY(struct vga_core, gfx),
    STATE_UINT(struct vga_core, crtc_index),
    STATE_ARRAY(struct vga_core, crtc),
    STATE_LIMIT(struct vga_core, attr_index, 63),
    STATE_BOOL(struct vga_core, attr_is_data),
    STATE_ARRAY(struct vga_core, attr),
    STATE_UINT(struct vga_core, dac_mask, .reset = 0xFF),
    STATE_LIMIT(struct vga_core, dac_state, 3),
    STATE_UINT(struct vga_core, dac_read),
    STATE_UINT(struct vga_core, dac_write),
    STATE_LIMIT(struct vga_core, dac_part, 2),
    STATE_ARRAY(struct vga_core, dac_part_values),
    STATE_ARRAY(struct vga_core, dac),
    STATE_UINT(struct vga_core, latch),
    STATE_BOOL(struct vga_core, display_enable),
    STATE_UINT(struct vga_core, retrace),
    STATE_UINT(struct vga_core, vbe_index),
    STATE_ARRAY(struct vga_core, vbe),
    STATE_FIELDS_END,
};

bool vga_core_init(struct vga_core *core, struct hypervisor *hv, struct clock *clock, uint8_t *vram,
                   uint32_t vram_bytes)
{
    core->hv = hv;
    core->clock = clock;
    core->vram = vram;
    core->vram_bytes = vram_bytes;
    core->cell_mask = CELL_MASK;
    core->vram_reach = vram_bytes < HV_VRAM_FIRST ? vram_bytes : (uint32_t)HV_VRAM_FIRST;
    core->written = calloc(vram_bytes / 4096 / 8 + sizeof(unsigned long), 1);
    return core->written;
}

void vga_core_destroy(struct vga_core *core)
{
    free(core->written);
    core->written = NULL;
}

static uint32_t dots_a_cell(const struct vga_core *c)
{
    return c->seq[SEQ_CLOCKING_MODE] & 0x01 ? 8 : 9;
}

static uint32_t dot_repeat(const struct vga_core *c)
{
    return c->seq[SEQ_CLOCKING_MODE] & 0x08 ? 2 : 1;
}

/* One frame as the CRT controller is programmed; a plausible one where it makes no sense. */
static uint64_t frame_time(const struct vga_core *c)
{
    if (vbe_enabled(c))
        return VBE_FRAME;
    uint8_t overflow = c->crtc[CRTC_OVERFLOW];
    uint64_t lines = (c->crtc[CRTC_V_TOTAL] | (overflow & 0x01) << 8 | (overflow & 0x20) << 4) + 2u;
    uint64_t dots = (c->crtc[CRTC_H_TOTAL] + 5u) * dots_a_cell(c) * dot_repeat(c);
    uint64_t khz = (c->misc >> 2 & 3) == 1 ? 28322 : 25175;
    uint64_t ns = lines * dots * 1000000 / khz;
    return ns < 8 * NS_PER_MS || ns > 40 * NS_PER_MS ? VBE_FRAME : ns;
}

/*
 * Vertical retrace follows the clock, so that what is paced by it runs as fast as it should; a
 * guest that looks too rarely to meet the pulse sees each one afterwards, once, and need not wait
 * for luck. Within a frame the display enable bit changes with every read, for those who wait for
 * the end of a scan line: an access costs more than the line.
 */
static uint8_t read_status(struct vga_core *c)
{
    uint64_t frame = frame_time(c), now = clock_now(c->clock);
    uint32_t number = (uint32_t)(now / frame);
    bool retrace = now % frame < frame / 32 || number != c->retrace;
    c->retrace = number;
    c->attr_is_data = false;
    if (retrace)
        return STATUS_RETRACE | STATUS_BLANK;
    c->display_enable = !c->display_enable;
    return c->display_enable ? 0 : STATUS_BLANK;
}

static uint8_t read_dac(struct vga_core *c)
{
    uint8_t v = c->dac[c->dac_read * 3 + c->dac_part];
    if (++c->dac_part == 3) {
        c->dac_part = 0;
        c->dac_read++;
    }
    return c->vbe[VBE_ENABLE] & VBE_8BIT_DAC ? v : v & 0x3F;
}

/* A colour appears when its third part is written. */
static void write_dac(struct vga_core *c, uint8_t value)
{
    if (c->dac_part < 2) {
        c->dac_part_values[c->dac_part++] = value;
        return;
    }
    memcpy(&c->dac[c->dac_write * 3], c->dac_part_values, 2);
    c->dac[c->dac_write * 3 + 2] = value;
    c->dac_part = 0;
    c->dac_write++;
}

static void write_attr(struct vga_core *c, uint8_t value)
{
    if (c->attr_is_data) {
        unsigned index = c->attr_index & 0x1F;
        if (index < VGA_ATTR_COUNT)
            c->attr[index] = value & attr_mask(index);
    } else {
        c->attr_index = value & 0x3F;
    }
    c->attr_is_data = !c->attr_is_data;
}

static void write_crtc(struct vga_core *c, uint8_t value)
{
    uint8_t index = c->crtc_index;
    if (index >= VGA_CRTC_COUNT)
        return;
    if (index <= CRTC_OVERFLOW && (c->crtc[CRTC_V_RETRACE_END] & CRTC_PROTECT)) {
        if (index == CRTC_OVERFLOW)
            c->crtc[index] = (uint8_t)((c->crtc[index] & ~CRTC_LC8) | (value & CRTC_LC8));
        return;
    }
    c->crtc[index] = value;
}

/* The CRT controller's ports answer at one of two places. */
static bool port_exists(const struct vga_core *c, uint16_t port)
{
    uint16_t group = port & 0x3F0;
    return group == 0x3C0 || group == (c->misc & MISC_COLOUR ? 0x3D0 : 0x3B0);
}

uint8_t vga_port_read(struct vga_core *core, uint16_t port)
{
    if (!port_exists(core, port))
        return 0xFF;
    switch (port) {
    case 0x3C0:
        return core->attr_index;
    case 0x3C1: {
        unsigned index = core->attr_index & 0x1F;
        return index < VGA_ATTR_COUNT ? core->attr[index] : 0;
    }
    case 0x3C4:
        return core->seq_index;
    case 0x3C5:
        return core->seq[core->seq_index];
    case 0x3C6:
        return core->dac_mask;
    case 0x3C7:
        return core->dac_state;
    case 0x3C8:
        return core->dac_write;
    case 0x3C9:
        return read_dac(core);
    case 0x3CA:
        return core->feature;
    case 0x3CC:
        return core->misc;
    case 0x3CE:
        return core->gfx_index;
    case 0x3CF:
        return core->gfx_index < VGA_GFX_COUNT ? core->gfx[core->gfx_index] : 0;
    case 0x3B4:
    case 0x3D4:
        return core->crtc_index;
    case 0x3B5:
    case 0x3D5:
        return core->crtc_index < VGA_CRTC_COUNT ? core->crtc[core->crtc_index] : 0;
    case 0x3BA:
    case 0x3DA:
        return read_status(core);
    default: /* 3C2h, input status 0: no interrupt, no switch */
        return port >= 0x3C0 && port < 0x3D0 ? 0 : 0xFF;
    }
}

void vga_port_write(struct vga_core *core, uint16_t port, uint8_t value)
{
    if (!port_exists(core, port))
        return;
    switch (port) {
    case 0x3C0:
        write_attr(core, value);
        break;
    case 0x3C2:
        core->misc = value & 0xEF;
        break;
    case 0x3C4:
        core->seq_index = value & (VGA_SEQ_COUNT - 1);
        break;
    case 0x3C5:
        core->seq[core->seq_index] = value & seq_mask[core->seq_index];
        break;
    case 0x3C6:
        core->dac_mask = value;
        break;
    case 0x3C7:
        core->dac_read = value;
        core->dac_part = 0;
        core->dac_state = 3;
        break;
    case 0x3C8:
        core->dac_write = value;
        core->dac_part = 0;
        core->dac_state = 0;
        break;
    case 0x3C9:
        write_dac(core, value);
        break;
    case 0x3CE:
        core->gfx_index = value & 0x0F;
        break;
    case 0x3CF:
        if (core->gfx_index < VGA_GFX_COUNT)
            core->gfx[core->gfx_index] = value & gfx_mask[core->gfx_index];
        break;
    case 0x3B4:
    case 0x3D4:
        core->crtc_index = value;
        break;
    case 0x3B5:
    case 0x3D5:
        write_crtc(core, value);
        break;
    case 0x3BA:
    case 0x3DA:
        core->feature = value & 0x10;
        break;
    default:
        break;
    }
}

/* The screen ------------------------------------------------------------------------------ */

static uint32_t dac_colour(const struct vga_core *c, uint8_t index)
{
    const uint8_t *v = &c->dac[(index & c->dac_mask) * 3];
    if (c->vbe[VBE_ENABLE] & VBE_8BIT_DAC)
        return (uint32_t)v[0] << 16 | (uint32_t)v[1] << 8 | v[2];
    return vga_expand6(v[0]) << 16 | vga_expand6(v[1]) << 8 | vga_expand6(v[2]);
}

/* Attribute 10h bit 7: bits 5:4 come from colour select instead of the palette register. */
static void palette16(const struct vga_core *c, struct vga_frame *f)
{
    uint32_t select = c->attr[ATTR_COLOUR_SELECT];
    for (unsigned i = 0; i < 16; i++) {
        uint32_t v = c->attr[i];
        if (c->attr[ATTR_MODE] & 0x80)
            v = (v & 0x0F) | (select & 0x0F) << 4;
        else
            v = (v & 0x3F) | (select & 0x0C) << 4;
        f->palette[i] = dac_colour(c, (uint8_t)v);
    }
}

void vga_core_palette256(const struct vga_core *core, struct vga_frame *frame)
{
    for (unsigned i = 0; i < 256; i++)
        frame->palette[i] = dac_colour(core, (uint8_t)i);
}

static void vbe_frame(const struct vga_core *c, struct vga_frame *f)
{
    const uint16_t *v = c->vbe;
    f->width = v[VBE_XRES];
    f->height = v[VBE_YRES];
    f->pitch = vbe_pitch(c);
    f->start = (uint64_t)v[VBE_Y_OFFSET] * f->pitch;
    f->wrap = c->vram_bytes;
    f->line_repeat = 1;
    f->split = UINT32_MAX;
    switch (v[VBE_BPP]) {
    case 4:
        f->kind = VGA_PLANAR;
        f->columns = f->width / 8;
        f->cell_start = (uint32_t)((f->start + v[VBE_X_OFFSET] / 2) / 4);
        f->cell_pitch = f->pitch / 4;
        f->cell_mask = c->vram_bytes / 4 - 1;
        f->dot_repeat = 1;
        f->plane_mask = c->attr[ATTR_PLANE_ENABLE] & 0x0F;
        f->start = 0;
        f->wrap = 0;
        f->pitch = 0;
        palette16(c, f);
        return;
    case 15:
        f->kind = VGA_LINEAR15;
        break;
    case 16:
        f->kind = VGA_LINEAR16;
        break;
    case 24:
        f->kind = VGA_LINEAR24;
        break;
    case 32:
        f->kind = VGA_LINEAR32;
        break;
    default:
        f->kind = VGA_LINEAR8;
        vga_core_palette256(c, f);
        break;
    }
    f->start += (uint64_t)v[VBE_X_OFFSET] * ((v[VBE_BPP] + 7u) / 8);
}

/* Sequencer 03h: which 8 KiB of plane 2 have the characters with attribute bit 3 clear (map B) and
 * set (map A). The maps 4-7 lie between the maps 0-3, which are those of the EGA. */
static uint32_t font_cell(const struct vga_core *c, bool map_a)
{
    uint8_t v = c->seq[SEQ_FONT_SELECT];
    unsigned map = map_a ? (v >> 2 & 3) | (v >> 3 & 4) : (v & 3) | (v >> 2 & 4);
    return (map & 3) * 0x4000u + (map >> 2) * 0x2000u;
}

static void text_frame(const struct vga_core *c, struct vga_frame *f)
{
    const uint8_t *r = c->crtc;
    uint8_t mode = c->attr[ATTR_MODE];
    f->kind = VGA_TEXT;
    f->cell_dots = dots_a_cell(c);
    f->font[0] = font_cell(c, false);
    f->font[1] = font_cell(c, true);
    f->line_graphics = mode >> 2 & 1;
    f->underline = mode & 0x02 ? r[CRTC_UNDERLINE] & 31 : 32; /* monochrome attributes only */
    f->blink = mode >> 3 & 1;
    f->cursor_first = r[CRTC_CURSOR_START] & 31;
    f->cursor_last = r[CRTC_CURSOR_END] & 31;
    f->cursor_cell = UINT32_MAX;
    if (!(r[CRTC_CURSOR_START] & 0x20)) {
        uint32_t skew = r[CRTC_CURSOR_END] >> 5 & 3;
        f->cursor_cell =
            ((uint32_t)(r[CRTC_CURSOR_HIGH] << 8 | r[CRTC_CURSOR_LOW]) + skew) & CELL_MASK;
    }
    f->phase_on = clock_now(c->clock) / BLINK_HALF % 2 == 0;
    palette16(c, f);
}

static void graphics_frame(const struct vga_core *c, struct vga_frame *f)
{
    uint8_t mode = c->crtc[CRTC_MODE];
    unsigned shift = c->gfx[GFX_MODE] >> 5 & 3;
    /* CGA and Hercules bank their lines: row scan bits replace address bits 13 and 14 as they
     * leave the CRT controller, which shifts its counter in word and double word mode. */
    unsigned wide = c->crtc[CRTC_UNDERLINE] & 0x40 ? 2 : mode & 0x40 ? 0 : 1;
    for (unsigned i = 0; i < 2; i++)
        f->row_bit[i] = mode >> i & 1 ? 0 : 1u << (13 + i - wide);
    if (shift >= 2) {
        f->kind = VGA_PACKED;
        vga_core_palette256(c, f);
    } else {
        f->kind = shift ? VGA_CGA : VGA_PLANAR;
        palette16(c, f);
    }
}

/* Attribute 13h. In nine-dot text 8 is none at all and 0 is one dot; a pixel of a 256-colour mode
 * has two dots. */
static uint32_t panning(const struct vga_core *c, const struct vga_frame *f)
{
    uint32_t v = c->attr[ATTR_PANNING];
    if (v >= 8)
        return 0;
    if (f->kind == VGA_PACKED)
        return v & 6;
    return f->kind == VGA_TEXT && f->cell_dots == 9 ? v + 1 : v;
}

static void legacy_frame(const struct vga_core *c, struct vga_frame *f)
{
    const uint8_t *r = c->crtc;
    uint8_t overflow = r[CRTC_OVERFLOW];
    f->columns = r[CRTC_H_DISPLAY_END] + 1u;
    f->height = (r[CRTC_V_DISPLAY_END] | (overflow & 0x02u) << 7 | (overflow & 0x40u) << 3) + 1;
    f->cell_start =
        (uint32_t)(r[CRTC_START_HIGH] << 8 | r[CRTC_START_LOW]) + (r[CRTC_PRESET_ROW] >> 5 & 3);
    f->cell_pitch = r[CRTC_OFFSET] * 2u;
    f->cell_mask = CELL_MASK;
    f->max_row = r[CRTC_MAX_ROW] & 31;
    f->first_row = r[CRTC_PRESET_ROW] & 31;
    f->line_repeat = r[CRTC_MAX_ROW] & 0x80 ? 2 : 1;
    f->dot_repeat = dot_repeat(c);
    f->split = r[CRTC_LINE_COMPARE] | (overflow & 0x10u) << 4 | (r[CRTC_MAX_ROW] & 0x40u) << 3;
    f->plane_mask = c->attr[ATTR_PLANE_ENABLE] & 0x0F;
    if (c->gfx[GFX_MISC] & 1)
        graphics_frame(c, f);
    else
        text_frame(c, f);
    f->width = f->columns * (f->kind == VGA_TEXT ? f->cell_dots : 8) * f->dot_repeat;
    f->pan = panning(c, f);
    f->split_pan = c->attr[ATTR_MODE] & 0x20 ? 0 : f->pan;
}

void vga_core_frame(const struct vga_core *core, const struct vga_frame *blank,
                    struct vga_frame *frame)
{
    memset(frame, 0, sizeof(*frame));
    bool off = (core->seq[SEQ_CLOCKING_MODE] & SEQ_SCREEN_OFF) && !core->always_on;
    if (!(core->attr_index & ATTR_SOURCE) || off) {
        frame->kind = VGA_BLANK;
        frame->width = blank->width;
        frame->height = blank->height;
    } else if (vbe_enabled(core)) {
        vbe_frame(core, frame);
    } else {
        legacy_frame(core, frame);
    }
}
