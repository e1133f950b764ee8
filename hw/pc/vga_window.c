/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vga_window: video memory as the CPU sees it at A0000h-BFFFFh. IBM PS/2 Hardware Interface
 * Technical Reference (1990), Video Subsystem: graphics controller 00h-08h, sequencer 02h and 04h.
 *
 * Memory is kept as cells of four planes (vga_draw.h). Addresses that the VGA chains are packed
 * here as SVGAs pack them: odd/even uses every cell once (cell = address / 2), chain-4 is linear
 * (cell = address / 4); the CRT controller's word and double word modes are the counterpart.
 */
#include "hw/pc/vga_core.h"

#include <string.h>

#include "hw/xen/hypervisor.h"

#define MISC_RAM_ENABLE 0x02
#define MODE_CHAIN4     0x08 /* sequencer 04h */
#define MODE_SEQUENTIAL 0x04 /* odd/even off for writes */
#define READ_COMPARE    0x08 /* graphics 05h */
#define READ_ODD_EVEN   0x10
#define PAGE_SHIFT      12
#define LONG_BITS       (8 * sizeof(unsigned long))
#define PLANE_FONT      0x04

/* How an address becomes a cell and the planes it reaches. */
enum chaining { PLANAR, ODD_EVEN, CHAIN4, LINEAR };

struct window {
    uint32_t first, size; /* in the 128 KiB */
    uint32_t bank;        /* added to the address */
    uint32_t mask;        /* on the address, when chained into cells */
};

/* Graphics 06h bits 3:2; in a VBE mode always the banked 64 KiB. */
static struct window window(const struct vga_core *c)
{
    if (vbe_enabled(c))
        return (struct window){
            .size = 0x10000, .bank = (uint32_t)c->vbe[VBE_BANK] << 16, .mask = UINT32_MAX};
    switch (c->gfx[GFX_MISC] >> 2 & 3) {
    case 0:
        return (struct window){.size = 0x20000, .bank = c->bank, .mask = 0x1FFFF};
    case 1:
        return (struct window){.size = 0x10000, .bank = c->bank, .mask = 0xFFFF};
    case 2:
        return (struct window){.first = 0x10000, .size = 0x8000, .bank = c->bank, .mask = 0xFFFF};
    default:
        return (struct window){.first = 0x18000, .size = 0x8000, .bank = c->bank, .mask = 0xFFFF};
    }
}

static enum chaining chaining(const struct vga_core *c, bool odd_even)
{
    if (vbe_enabled(c))
        return c->vbe[VBE_BPP] == 4 ? PLANAR : LINEAR;
    if (c->seq[SEQ_MEMORY_MODE] & MODE_CHAIN4)
        return CHAIN4;
    return odd_even ? ODD_EVEN : PLANAR;
}

/* The part of offset..offset+*len-1 that the window shows; *skip bytes of it come before. */
static bool clip(const struct window *w, uint32_t offset, size_t *skip, size_t *len)
{
    *skip = offset < w->first ? w->first - offset : 0;
    uint32_t end = w->first + w->size;
    if (offset >= end || *skip >= *len)
        return false;
    *len -= *skip;
    uint32_t at = offset + (uint32_t)*skip;
    if (*len > end - at)
        *len = end - at;
    return true;
}

static uint32_t load(const struct vga_core *c, uint32_t cell)
{
    uint32_t v;
    memcpy(&v, c->vram + (size_t)cell * 4, sizeof(v));
    return v;
}

static void store(struct vga_core *c, uint32_t cell, uint32_t v)
{
    memcpy(c->vram + (size_t)cell * 4, &v, sizeof(v));
}

/* Cell and reached planes (4 bits) of an address; false: beyond video memory. */
static bool locate(const struct vga_core *c, enum chaining how, uint32_t mask, uint32_t at,
                   uint32_t *cell, uint32_t *planes)
{
    switch (how) {
    case CHAIN4:
        *cell = (at & mask) >> 2;
        *planes = 1u << (at & 3);
        break;
    case ODD_EVEN:
        *cell = (at & mask) >> 1;
        *planes = at & 1 ? 0xA : 0x5;
        break;
    default:
        /* A plane has 64 KiB without VBE, whatever the size of the window. */
        *cell = mask == UINT32_MAX ? at : at & c->cell_mask;
        *planes = 0xF;
        break;
    }
    return *cell < c->vram_reach / 4;
}

void vga_memory_written(struct vga_core *core, uint64_t first, uint64_t last)
{
    if (core->watched)
        for (uint64_t page = first >> PAGE_SHIFT; page <= last >> PAGE_SHIFT; page++)
            core->written[page / LONG_BITS] |= 1ul << (page % LONG_BITS);
    uint64_t where = hv_vram_where(core->hv);
    if (where != HV_VRAM_PARKED)
        hv_mem_dirty(core->hv, where + first, (size_t)(last - first + 1));
}

void vga_reach_all(struct vga_core *core)
{
    if (core->vram_reach < core->vram_bytes && hv_vram_whole(core->hv))
        core->vram_reach = core->vram_bytes;
}

static uint8_t rotate(uint8_t v, unsigned by)
{
    return (uint8_t)(v >> by | v << (8 - by));
}

static uint32_t alu(unsigned function, uint32_t value, uint32_t latch)
{
    switch (function) {
    case 1:
        return value & latch;
    case 2:
        return value | latch;
    case 3:
        return value ^ latch;
    default:
        return value;
    }
}

/* What the graphics controller gives to the planes for one byte from the CPU. */
static uint32_t pipeline(const struct vga_core *c, uint8_t byte)
{
    unsigned by = c->gfx[GFX_FUNCTION] & 7, function = c->gfx[GFX_FUNCTION] >> 3 & 3;
    uint32_t bits = c->gfx[GFX_BIT_MASK] * UINT32_C(0x01010101);
    uint32_t value, enable;

    switch (c->gfx[GFX_MODE] & 3) {
    case 0:
        enable = vga_planes(c->gfx[GFX_ENABLE_SET_RESET]);
        value = rotate(byte, by) * UINT32_C(0x01010101);
        value = (value & ~enable) | (vga_planes(c->gfx[GFX_SET_RESET]) & enable);
        break;
    case 1:
        return c->latch;
    case 2:
        value = vga_planes(byte & 0xF);
        break;
    default:
        bits &= rotate(byte, by) * UINT32_C(0x01010101);
        value = vga_planes(c->gfx[GFX_SET_RESET]);
        break;
    }
    return (alu(function, value, c->latch) & bits) | (c->latch & ~bits);
}

/* Nothing of the pipeline but a copy of the CPU's byte to each plane. */
static bool pass_through(const struct vga_core *c)
{
    return !(c->gfx[GFX_MODE] & 3) && !(c->gfx[GFX_FUNCTION] & 0x1F) &&
           !(c->gfx[GFX_ENABLE_SET_RESET] & c->seq[SEQ_MAP_MASK]) && c->gfx[GFX_BIT_MASK] == 0xFF;
}

static void write_linear(struct vga_core *c, uint32_t at, const uint8_t *buf, size_t len)
{
    if (at >= c->vram_reach)
        return;
    if (len > c->vram_reach - at)
        len = c->vram_reach - at;
    memcpy(c->vram + at, buf, len);
    vga_memory_written(c, at, at + len - 1);
}

void vga_window_write(struct vga_core *core, uint32_t offset, const uint8_t *buf, size_t len)
{
    struct window w = window(core);
    size_t skip;
    if (!(core->misc & MISC_RAM_ENABLE) || !clip(&w, offset, &skip, &len))
        return;
    buf += skip;
    uint32_t at = offset + (uint32_t)skip - w.first + w.bank;
    enum chaining how = chaining(core, !(core->seq[SEQ_MEMORY_MODE] & MODE_SEQUENTIAL));
    uint32_t map_mask = core->seq[SEQ_MAP_MASK] & 0xF;
    bool plain = pass_through(core);

    if (how == LINEAR || (how == CHAIN4 && plain && map_mask == 0xF)) {
        write_linear(core, at, buf, len);
        core->fonts_changed = true;
        return;
    }
    if (map_mask & PLANE_FONT)
        core->fonts_changed = true;
    uint32_t first = UINT32_MAX, last = 0;
    for (size_t i = 0; i < len; i++) {
        uint32_t cell, planes;
        if (!locate(core, how, w.mask, at + (uint32_t)i, &cell, &planes))
            continue;
        uint32_t reach = vga_planes(planes & map_mask);
        uint32_t value = plain ? buf[i] * UINT32_C(0x01010101) : pipeline(core, buf[i]);
        store(core, cell, (load(core, cell) & ~reach) | (value & reach));
        if (cell < first)
            first = cell;
        if (cell > last)
            last = cell;
    }
    if (first <= last)
        vga_memory_written(core, (uint64_t)first * 4, (uint64_t)last * 4 + 3);
}

static uint8_t read_byte(struct vga_core *c, enum chaining how, uint32_t mask, uint32_t at)
{
    uint32_t cell, planes, plane = c->gfx[GFX_READ_MAP] & 3;
    if (!locate(c, how, mask, at, &cell, &planes))
        return 0xFF;
    c->latch = load(c, cell);
    if (c->gfx[GFX_MODE] & READ_COMPARE) {
        /* A bit of the answer is set where all planes that matter have the compared colour. */
        uint32_t differ = (c->latch ^ vga_planes(c->gfx[GFX_COLOUR_COMPARE])) &
                          vga_planes(c->gfx[GFX_COLOUR_CARE]);
        return (uint8_t) ~(differ | differ >> 8 | differ >> 16 | differ >> 24);
    }
    if (how == CHAIN4)
        plane = at & 3;
    else if (how == ODD_EVEN)
        plane = (plane & 2) | (at & 1);
    return (uint8_t)(c->latch >> (8 * plane));
}

void vga_window_read(struct vga_core *core, uint32_t offset, uint8_t *buf, size_t len)
{
    struct window w = window(core);
    size_t skip, all = len;
    memset(buf, 0xFF, all);
    if (!(core->misc & MISC_RAM_ENABLE) || !clip(&w, offset, &skip, &len))
        return;
    buf += skip;
    uint32_t at = offset + (uint32_t)skip - w.first + w.bank;
    enum chaining how = chaining(core, core->gfx[GFX_MODE] & READ_ODD_EVEN);
    if (how == LINEAR) {
        if (at < core->vram_reach)
            memcpy(buf, core->vram + at, len < core->vram_reach - at ? len : core->vram_reach - at);
        return;
    }
    for (size_t i = 0; i < len; i++)
        buf[i] = read_byte(core, how, w.mask, at + (uint32_t)i);
}
