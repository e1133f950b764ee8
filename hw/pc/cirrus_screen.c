/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cirrus_screen: what the CL-GD5446 shows. Cirrus Logic, CL-GD5446 Technical Reference Manual
 * (1996): SR7 and HDR (pixel formats), CR1A, CR1B, CR1D (extended display), SR10-SR13 ("Hardware
 * cursor").
 */
#include <string.h>

#include "hw/pc/cirrus_int.h"

#define HDR_GREY 0xC8
#define HDR_332  0xC9

#define CURSOR_AREA (16u << 10) /* at the end of video memory: patterns */
#define CURSOR_STEP 256u

static uint32_t start_address(const struct cirrus *c)
{
    const uint8_t *r = c->core.crtc;
    uint8_t display = c->crtc[CRTC_EXTENDED_DISPLAY], overlay = c->crtc[CRTC_OVERLAY];
    return (uint32_t)(r[0x0D] | r[0x0C] << 8 | (display & 0x01) << 16 | (display & 0x0C) << 15 |
                      (overlay & 0x80) << 12);
}

static uint32_t line_offset(const struct cirrus *c)
{
    return (uint32_t)(c->core.crtc[0x13] | (c->crtc[CRTC_EXTENDED_DISPLAY] & 0x10) << 4);
}

/* SR7 bits 3:1, and for 16 bits what the hidden DAC register says of them. */
static enum vga_kind pixel_kind(const struct cirrus *c)
{
    switch (c->seq[SEQ_EXTENDED_MODE] & 0x0E) {
    case 0x02: /* the clock is doubled */
    case 0x06:
        return (c->hidden_dac & 0x0F) == 1 ? VGA_LINEAR16 : VGA_LINEAR15;
    case 0x04:
        return VGA_LINEAR24;
    case 0x08:
        return VGA_LINEAR32;
    default:
        return VGA_LINEAR8;
    }
}

/* Bytes that are colours by themselves: levels of grey, or 3 bits of red and green and 2 of blue.
 */
static void direct_palette(uint8_t hidden_dac, struct vga_frame *f)
{
    for (uint32_t i = 0; i < 256; i++)
        f->palette[i] = hidden_dac == HDR_GREY
                            ? i * 0x010101
                            : (i >> 5) * 255 / 7 << 16 | (i >> 2 & 7) * 255 / 7 << 8 | (i & 3) * 85;
}

static void linear_frame(const struct cirrus *c, struct vga_frame *f)
{
    struct vga_frame vga = *f;
    memset(f, 0, sizeof(*f));
    f->kind = pixel_kind(c);
    f->width = vga.columns * 8;
    f->height = vga.height;
    if (c->crtc[CRTC_INTERLACE] & 1)
        f->height *= 2;
    f->start = (uint64_t)start_address(c) * 4;
    f->pitch = line_offset(c) * 8;
    f->wrap = c->core.vram_bytes;
    f->max_row = vga.max_row;
    f->line_repeat = vga.line_repeat;
    f->split = vga.split;
    if (f->kind != VGA_LINEAR8)
        return;
    if (c->hidden_dac == HDR_GREY || c->hidden_dac == HDR_332)
        direct_palette(c->hidden_dac, f);
    else
        vga_core_palette256(&c->core, f);
}

static uint32_t cursor_colour(const struct cirrus *c, unsigned n)
{
    const uint8_t *v = &c->colours[(size_t)n * 3];
    return vga_expand6(v[0]) << 16 | vga_expand6(v[1]) << 8 | vga_expand6(v[2]);
}

/*
 * Two planes of bits. Of a large cursor each line has eight bytes of the first, then eight of the
 * second; a small one has all of the first plane's lines before the second's. Second and first bit:
 * 00 nothing, 01 inverts, 10 colour 0, 11 colour 15, which is how the overlay counts too.
 */
static void cursor(const struct cirrus *c, struct vga_overlay *o)
{
    bool large = c->seq[SEQ_CURSOR] & SEQ12_LARGE;
    uint32_t step = c->seq[SEQ_CURSOR_PATTERN] & (large ? 0x3C : 0x3F);
    const uint8_t *pattern =
        c->core.vram + c->core.vram_bytes - CURSOR_AREA + (size_t)step * CURSOR_STEP;
    uint32_t size = large ? 64 : 32, pitch = large ? 16 : 4, plane = large ? 8 : 128;
    if (c->core.vram_reach < c->core.vram_bytes)
        return;
    o->size = size;
    o->x = c->cursor_x;
    o->y = c->cursor_y;
    o->colour[0] = cursor_colour(c, 0);
    o->colour[1] = cursor_colour(c, 15);
    for (uint32_t y = 0; y < size; y++)
        for (uint32_t x = 0; x < size; x++) {
            const uint8_t *at = pattern + y * pitch + x / 8;
            unsigned shift = 7 - x % 8;
            o->pixel[y * size + x] =
                (uint8_t)((at[0] >> shift & 1) | (at[plane] >> shift & 1) << 1);
        }
}

void cirrus_frame(void *opaque, const struct vga_frame *blank, struct vga_frame *frame,
                  struct vga_overlay *overlay)
{
    const struct cirrus *c = opaque;
    vga_core_frame(&c->core, blank, frame);
    if (frame->kind == VGA_BLANK)
        return;
    if (c->seq[SEQ_EXTENDED_MODE] & SEQ7_LINEAR) {
        linear_frame(c, frame);
    } else {
        const uint32_t low = c->core.crtc[0x0D] | (uint32_t)c->core.crtc[0x0C] << 8;
        frame->cell_start += start_address(c) - low;
        frame->cell_pitch = line_offset(c) * 2;
        if (frame->kind != VGA_TEXT)
            frame->cell_mask = c->core.cell_mask;
    }
    if ((c->seq[SEQ_CURSOR] & SEQ12_CURSOR) && frame->kind != VGA_TEXT)
        cursor(c, overlay);
}
