/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cirrus_driver: what drivers of the CL-GD5446 do to it, through out(port, value) and in(port) of
 * vga_scene.h: set a mode as Linux' cirrusdrmfb and X.org's cirrus do, the cursor as the latter,
 * BLTs as Windows' drivers.
 */
#ifndef TESTS_DEVICE_CIRRUS_DRIVER_H
#define TESTS_DEVICE_CIRRUS_DRIVER_H

#include "tests/device/vga_scene.h"

enum { /* GR30 */
       BACKWARD = 0x01,
       TO_CPU = 0x02,
       FROM_CPU = 0x04,
       TRANSPARENT = 0x08,
       PATTERN = 0x40,
       EXPAND = 0x80,
};
enum { /* GR33 */ DWORDS = 1, INVERT = 2, SOLID = 4 };
#define COPY 0x0D

#define BLT_APERTURE (LFB + (16u << 20))

struct blt {
    uint32_t width, height; /* pixels, lines */
    uint32_t dst_pitch, src_pitch, dst, src;
    uint8_t mode, rop, extension, skip;
    uint32_t foreground, background;
    uint16_t key;
    unsigned bits; /* a pixel */
};

static inline void gfx_out(uint8_t index, uint8_t v)
{
    index_out(0x3CE, index, v);
}

static inline void hidden_dac(uint8_t v)
{
    inb(NULL, 0x3C8);
    for (int i = 0; i < 4; i++)
        inb(NULL, 0x3C6);
    outb(NULL, 0x3C6, v);
}

static inline uint8_t mode_bits(unsigned bits)
{
    return bits == 8 ? 0x11 : bits == 24 ? 0x15 : bits == 32 ? 0x19 : 0x17;
}

static inline void start_at(uint32_t byte)
{
    uint32_t a = byte / 4;
    index_out(0x3D4, 0x0C, (uint8_t)(a >> 8));
    index_out(0x3D4, 0x0D, (uint8_t)a);
    index_out(0x3D4, 0x1B, (uint8_t)(0x22 | (a >> 16 & 1) | (a >> 15 & 0x0C)));
    index_out(0x3D4, 0x1D, (uint8_t)(a >> 12 & 0x80));
}

/* Bytes a line: a multiple of 8, up to 4088. */
static inline void set_pitch(uint32_t pitch)
{
    index_out(0x3D4, 0x13, (uint8_t)(pitch / 8));
    index_out(0x3D4, 0x1B, (uint8_t)(0x22 | (pitch >> 7 & 0x10)));
}

static inline void cirrus_mode(uint32_t width, uint32_t height, unsigned bits)
{
    uint32_t end = height - 1, total = height + 40, bytes = width * ((bits + 7) / 8);
    outb(NULL, 0x3C2, 0xEF);
    index_out(0x3C4, 0, 0x03);
    index_out(0x3C4, 1, 0x01);
    index_out(0x3C4, 2, 0x0F);
    index_out(0x3C4, 4, 0x0E);
    index_out(0x3C4, 6, 0x12);
    index_out(0x3C4, 7, mode_bits(bits));
    index_out(0x3D4, 0x11, 0x20);
    index_out(0x3D4, 0x00, (uint8_t)(width / 8 + 15));
    index_out(0x3D4, 0x01, (uint8_t)(width / 8 - 1));
    index_out(0x3D4, 0x04, (uint8_t)(width / 8 + 1));
    index_out(0x3D4, 0x05, (uint8_t)(width / 8 + 5));
    index_out(0x3D4, 0x06, (uint8_t)total);
    index_out(0x3D4, 0x07,
              (uint8_t)(0x10 | (total >> 8 & 1) | (end >> 7 & 2) | (total >> 4 & 0x20) |
                        (end >> 3 & 0x40)));
    index_out(0x3D4, 0x08, 0);
    index_out(0x3D4, 0x09, 0x40);
    index_out(0x3D4, 0x12, (uint8_t)end);
    index_out(0x3D4, 0x17, 0x03);
    index_out(0x3D4, 0x18, 0xFF);
    index_out(0x3D4, 0x14, 0x00);
    index_out(0x3D4, 0x1A, 0x00);
    set_pitch(bytes);
    for (uint8_t i = 0; i < 9; i++)
        gfx_out(i, i == 5 ? 0x40 : i == 6 ? 0x01 : i >= 7 ? 0xFF : 0);
    hidden_dac(bits == 8 ? 0 : bits == 15 ? 0xC0 : bits == 16 ? 0xC1 : 0xC5);
    inb(NULL, 0x3DA);
    outb(NULL, 0x3C0, 0x33);
    outb(NULL, 0x3C0, 0x00);
    start_at(0);
    set_pitch(bytes);
    set_dac();
}

static inline void gfx_long(uint8_t index, uint32_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        gfx_out((uint8_t)(index + i), (uint8_t)(v >> (8 * i)));
}

static inline uint8_t blt_mode(const struct blt *b)
{
    return (uint8_t)(b->mode | ((b->bits + 7) / 8 - 1) << 4);
}

/* Through ports. */
static inline void blt_go(const struct blt *b)
{
    uint32_t bytes = (b->bits + 7) / 8;
    static const uint8_t high[3] = {0x10, 0x12, 0x14};
    gfx_out(0x00, (uint8_t)b->background);
    gfx_out(0x01, (uint8_t)b->foreground);
    for (unsigned i = 0; i < 3; i++) {
        gfx_out(high[i], (uint8_t)(b->background >> (8 * i + 8)));
        gfx_out((uint8_t)(high[i] + 1), (uint8_t)(b->foreground >> (8 * i + 8)));
    }
    gfx_long(0x20, b->width * bytes - 1, 2);
    gfx_long(0x22, b->height - 1, 2);
    gfx_long(0x24, b->dst_pitch, 2);
    gfx_long(0x26, b->src_pitch, 2);
    gfx_long(0x28, b->dst, 3);
    gfx_long(0x2C, b->src, 3);
    gfx_out(0x2F, b->skip);
    gfx_out(0x30, blt_mode(b));
    gfx_out(0x32, b->rop);
    gfx_out(0x33, b->extension);
    gfx_long(0x34, b->key, 2);
    gfx_out(0x31, 0x02);
}

/* Through registers in memory at `at`. */
static inline void blt_go_mmio(uint32_t at, const struct blt *b)
{
    uint32_t bytes = (b->bits + 7) / 8;
    uint8_t r[0x1E] = {0};
    memcpy(r, &b->background, 4);
    memcpy(r + 4, &b->foreground, 4);
    const uint16_t words[4] = {(uint16_t)(b->width * bytes - 1), (uint16_t)(b->height - 1),
                               (uint16_t)b->dst_pitch, (uint16_t)b->src_pitch};
    memcpy(r + 8, words, 8);
    memcpy(r + 0x10, &b->dst, 3);
    memcpy(r + 0x14, &b->src, 3);
    r[0x17] = b->skip;
    r[0x18] = blt_mode(b);
    r[0x1A] = b->rop;
    r[0x1B] = b->extension;
    memcpy(r + 0x1C, &b->key, 2);
    write_device(at, r, sizeof(r));
    const uint8_t start = 2;
    write_device(at + 0x40, &start, 1);
}

/* The pattern, as planes: 64x64 interleaved by lines, 32x32 one after the other. */
static inline void cursor_at(uint32_t x, uint32_t y, bool large)
{
    index_out(0x3C4, 0x13, 0x3F);
    index_out(0x3C4, (uint8_t)(0x10 | x << 5), (uint8_t)(x >> 3));
    index_out(0x3C4, (uint8_t)(0x11 | y << 5), (uint8_t)(y >> 3));
    index_out(0x3C4, 0x12, large ? 0x05 : 0x01);
}

static inline void cursor_colours(uint32_t colour0, uint32_t colour15)
{
    index_out(0x3C4, 0x12, 0x02);
    for (int i = 0; i < 2; i++) {
        uint32_t v = i ? colour15 : colour0;
        outb(NULL, 0x3C8, i ? 15 : 0);
        for (int shift = 18; shift >= 2; shift -= 8)
            outb(NULL, 0x3C9, (uint8_t)(v >> shift & 0x3F));
    }
    index_out(0x3C4, 0x12, 0x00);
}

#endif
