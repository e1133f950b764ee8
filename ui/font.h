/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * font: the letters of the text consoles: GNU Unifont's characters of the Basic Multilingual Plane
 * that are one cell wide, as Debian's package unifont has them, made into a table at build time
 * (ui/font/mkfont.c).
 */
#ifndef UI_FONT_H
#define UI_FONT_H

#include <stddef.h>
#include <stdint.h>

#define FONT_WIDTH  8
#define FONT_HEIGHT 16

/* FONT_HEIGHT rows from the top, bit 7 the leftmost; NULL if there is no picture of it. */
const uint8_t *font_glyph(uint32_t codepoint);

/* The generated tables: code points from `first` on, `count` of them, whose pictures start at
 * font_bits[index]. In ascending order. */
struct font_range {
    uint16_t first, count, index;
};
extern const struct font_range font_ranges[];
extern const size_t font_range_count;
extern const uint8_t font_bits[][FONT_HEIGHT];

#endif
