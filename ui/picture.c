/* SPDX-License-Identifier: GPL-2.0-or-later */
/* picture: see picture.h. */
#include "ui/picture.h"

#include <string.h>
#include <sys/mman.h>

/* mmap, since malloc might never give it back. */
bool picture_fit(struct picture *picture, const struct surface *surface)
{
    size_t bytes = (size_t)surface->width * (size_t)surface->height * 4;
    void *pixels;

    if (picture->pixels && picture->width == surface->width && picture->height == surface->height)
        return true;
    pixels = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pixels == MAP_FAILED)
        return false;
    picture_free(picture);
    *picture = (struct picture){.pixels = pixels,
                                .bytes = bytes,
                                .width = surface->width,
                                .height = surface->height,
                                .resized = true};
    return true;
}

void picture_free(struct picture *picture)
{
    if (picture->pixels)
        munmap(picture->pixels, picture->bytes);
    picture->pixels = NULL;
}

void picture_copy(struct picture *picture, const struct surface *surface,
                  const struct display_rect *rect)
{
    size_t step = (size_t)picture->width, at = (size_t)rect->y1 * step + (size_t)rect->x1;
    size_t bytes = (size_t)(rect->x2 - rect->x1) * 4;

    for (int y = rect->y1; y < rect->y2; y++, at += step)
        memcpy(picture->pixels + at, surface->pixels + at, bytes);
}

void picture_note(pixman_region32_t *region, const struct display_damage *damage)
{
    for (unsigned i = 0; i < damage->count; i++) {
        const struct display_rect *r = &damage->rects[i];

        pixman_region32_union_rect(region, region, r->x1, r->y1, (unsigned)(r->x2 - r->x1),
                                   (unsigned)(r->y2 - r->y1));
    }
}

const pixman_box32_t *picture_boxes(const struct picture *picture, pixman_region32_t *region,
                                    int *count)
{
    pixman_region32_intersect_rect(region, region, 0, 0, (unsigned)picture->width,
                                   (unsigned)picture->height);
    return pixman_region32_rectangles(region, count);
}
