/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * display: the guest's screen between the graphics chip and its viewers. The chip draws into one
 * surface on the loop's thread, only while a viewer asks for it; viewers copy changed rectangles
 * from that surface on the same thread.
 */
#ifndef UI_DISPLAY_H
#define UI_DISPLAY_H

#include <stdbool.h>
#include <stdint.h>

struct display;
struct clock;

#define DISPLAY_MAX_WIDTH  16384
#define DISPLAY_MAX_HEIGHT 16384
#define DISPLAY_MAX_RECTS  32

/* Lines of `width` pixels without gaps, 0x00RRGGBB each; bits 31-24 mean nothing. */
struct surface {
    int width, height;
    uint32_t *pixels;
};

struct display_rect {
    int x1, y1, x2, y2; /* the last two are the first outside */
};

/* What changed: all of it lies in one of these, which may overlap. None is empty. */
struct display_damage {
    unsigned count;
    struct display_rect rects[DISPLAY_MAX_RECTS];
};

/* What a graphics chip provides. */
struct display_source {
    /* Brings the surface up to date: looks what changed since the last call (everything if `full`),
     * draws it, and reports it with display_resize and display_damage. */
    void (*refresh)(void *opaque, struct display *display, bool full);
    /* Viewers have come (true) or the last one is gone (false): start or stop dirty tracking. May
     * be NULL. */
    void (*watched)(void *opaque, bool watched);
};

/* What a front-end provides; all calls come on the loop's thread. A callback may remove its own
 * viewer and no other. */
struct display_viewer {
    /* New pixels at another place, all of them changed. The surface itself is always the same. */
    void (*resized)(void *opaque, const struct surface *surface);
    void (*damaged)(void *opaque, const struct surface *surface,
                    const struct display_damage *damage);
    void *opaque;
    bool wants_updates;
    struct display_viewer *next;
};

struct display *display_new(struct clock *clock);
void display_free(struct display *display);

/* Connects the chip; one at a time (NULL: none; the screen is then a 640x480 message). */
void display_set_source(struct display *display, const struct display_source *source, void *opaque);

/*
 * Shows `source` in place of the chip's screen (NULL: the chip's again, as at first). The chip is
 * then told that nobody watches. All that changes the picture is told by display_shown_changed:
 * while it stands still it is not looked at.
 */
void display_show(struct display *display, const struct display_source *source, void *opaque);
void display_shown_changed(struct display *display);

/* The chip's side, within refresh: where to draw. Valid as long as the display, its pixels until
 * the next display_resize. */
const struct surface *display_surface(const struct display *display);
/* Makes the surface w x h pixels (1..DISPLAY_MAX_*; others are clamped); contents are black if the
 * size changed. */
void display_resize(struct display *display, int width, int height);
/* Marks a rectangle as changed; clipped to the surface. */
void display_damage(struct display *display, int x, int y, int width, int height);

/* The picture has parts that blink by themselves: it is looked at nine times a second, if nothing
 * else asks for more. All else that changes it is told by display_touched. */
void display_set_blinking(struct display *display, bool blinks);
/* The guest did something that may show, at any time, as often as it happens: a refresh comes
 * soon. */
void display_touched(struct display *display);

/* The front-end's side. A viewer gets `resized` at once on being added. */
void display_add_viewer(struct display *display, struct display_viewer *viewer);
void display_remove_viewer(struct display *display, struct display_viewer *viewer);
/* While any viewer wants updates, the chip's refresh runs about 30 times a second, until nothing
 * has changed for half a second; then ever more rarely, the longer the picture is still (each
 * twentieth of that time), down to once in 8 seconds: what the guest writes into video memory by
 * itself nobody tells. Otherwise never. The first to turn it on has everything drawn at once. */
void display_viewer_wants(struct display *display, struct display_viewer *viewer, bool wants);

/* A person did something (a key, the pointer): the next refresh comes soon, so that the guest's
 * answer is seen at once. Cheap; nothing happens while nobody watches. */
void display_quicken(struct display *display);

/* The process is awake for another reason: if the picture has not been looked at for a third of a
 * second, it is now. To be called at the end of each of the loop's rounds; cheap. */
void display_awake(struct display *display);

/* Draws the screen now, as a viewer would see it (tests). */
void display_refresh_now(struct display *display);

/* The chip's picture, whatever is shown (screendump), drawn now into *out, whose pixels are the
 * caller's to free. False: out of memory. */
bool display_guest_picture(struct display *display, struct surface *out);

#endif
