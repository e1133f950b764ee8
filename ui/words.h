/* SPDX-License-Identifier: GPL-2.0-or-later */
/* words: a few words on a picture, where there is no console's font: letters of 5x7 dots. */
#ifndef UI_WORDS_H
#define UI_WORDS_H

#include "ui/display.h"

#define WORDS_ADVANCE 6 /* dots from one letter to the next … */
#define WORDS_HEIGHT  7 /* … and from the top to the line */

/* Writes `text` (small letters, GINPY, and ?.) from x, y on, each dot `scale` pixels; what lies
 * outside of the surface is left out, and an unknown letter is a gap. */
void words_draw(const struct surface *surface, int x, int y, int scale, uint32_t colour,
                const char *text);

/* How wide it becomes, in pixels. */
int words_width(const char *text, int scale);

#endif
