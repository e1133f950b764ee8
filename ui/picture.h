/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * picture: a copy of the guest's screen for those who look at it on another thread. What has
 * changed is noted as a region first, and copied when the copy is to be had. Part of each module
 * that shows the screen (vnc, sdl).
 */
#ifndef UI_PICTURE_H
#define UI_PICTURE_H

#include <pixman.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ui/display.h"

struct picture {
    uint32_t *pixels; /* width * height of 0x00RRGGBB; NULL before the first */
    size_t bytes;
    int width, height;
    bool resized; /* this is another buffer than last time; the owner takes it back */
};

/* Makes the picture as large as the surface, black if it was not. False: out of memory, and the
 * picture is what it was. */
bool picture_fit(struct picture *picture, const struct surface *surface);
void picture_free(struct picture *picture);

/* Copies from a surface of the same size a rectangle that lies in both. */
void picture_copy(struct picture *picture, const struct surface *surface,
                  const struct display_rect *rect);

/* Adds the display's damage to a region. */
void picture_note(pixman_region32_t *region, const struct display_damage *damage);

/* Takes off the region what lies outside the picture, which may have shrunk since; the rectangles
 * of what is left, valid until the region changes. */
const pixman_box32_t *picture_boxes(const struct picture *picture, pixman_region32_t *region,
                                    int *count);

#endif
