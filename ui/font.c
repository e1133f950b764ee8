/* SPDX-License-Identifier: GPL-2.0-or-later */
/* font: finds a character's picture. */
#include "ui/font.h"

const uint8_t *font_glyph(uint32_t codepoint)
{
    size_t low = 0, high = font_range_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct font_range *r = &font_ranges[middle];
        if (codepoint < r->first)
            high = middle;
        else if (codepoint - r->first >= r->count)
            low = middle + 1;
        else
            return font_bits[r->index + codepoint - r->first];
    }
    return NULL;
}
