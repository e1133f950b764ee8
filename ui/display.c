/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * display: see display.h. One surface, one source, any number of viewers, and a refresh timer that
 * is armed only while a viewer wants updates.
 */
#include "ui/display.h"

#include <stdlib.h>
#include <string.h>

#include "hw/core/clock.h"
#include "ui/words.h"

#define BLANK_WIDTH  640
#define BLANK_HEIGHT 480
/* About 30 pictures a second while each differs from the last. */
#define INTERVAL_BUSY (33 * NS_PER_MS)
/* Half of a text cursor's phase (16 frames of 70 a second): nothing else changes, and it still
 * blinks evenly. */
#define INTERVAL_IDLE (8 * NS_PER_S / 70)
/* How long the busy pace is kept after a change, a key or a new viewer, whether anything more
 * changes or not. */
#define BUSY_TIME (1 * NS_PER_S / 2)
/* Then a change may be seen late by this part of the time that the picture has been still … */
#define STILL_PART 20
/* … and never later than this: what a picture costs that nobody changes, with somebody looking. */
#define INTERVAL_MAX (8 * NS_PER_S)
/* … nor later than this if something else wakes us, for then a look costs no waking up. */
#define INTERVAL_AWAKE (NS_PER_S / 3)
/* The chip said that something is being changed: a little later it is more of it. */
#define TOUCH_DELAY (5 * NS_PER_MS)

struct display {
    struct clock *clock;
    struct timer timer;
    uint64_t moved_at;                          /* the last change, or sign of a person */
    uint64_t refreshed_at;                      /* by the timer */
    bool blinks;                                /* see display_set_blinking */
    bool touched;                               /* the next refresh has been hastened */
    const struct display_source *source, *chip; /* what is drawn; the chip's, drawn or not */
    void *opaque, *chip_opaque;
    bool shown; /* source is another one than the chip: see display_show */
    struct surface surface;
    struct display_damage damage;
    struct display_viewer *viewers;
    bool resized; /* the viewers don't know the surface yet */
    bool full;    /* the next refresh draws everything */
    bool wanted;  /* some viewer wants updates */
    bool refreshing;
};

static bool refresh(struct display *d, bool full);

static uint64_t interval(const struct display *d, uint64_t now)
{
    uint64_t still = now - d->moved_at, ns = still / STILL_PART;
    if (still < BUSY_TIME)
        return INTERVAL_BUSY;
    if (d->blinks || ns < INTERVAL_IDLE)
        return INTERVAL_IDLE;
    return ns < INTERVAL_MAX ? ns : INTERVAL_MAX;
}

static void on_timer(void *opaque)
{
    struct display *d = opaque;
    d->touched = false;
    bool changed = refresh(d, false);
    uint64_t now = clock_now(d->clock);
    d->refreshed_at = now;
    /* A blinking cursor is not what one waits for the rest of. */
    if (changed && !d->blinks)
        d->moved_at = now;
    if (d->wanted && !d->shown)
        timer_arm(&d->timer, now + interval(d, now));
}

void display_awake(struct display *display)
{
    struct display *d = display;
    if (d->wanted && !d->shown && clock_now(d->clock) - d->refreshed_at >= INTERVAL_AWAKE)
        on_timer(d);
}

/* Black, and no more than address space until it is drawn. False: out of memory. */
static bool new_surface(struct surface *s, int width, int height)
{
    uint32_t *pixels = calloc((size_t)width * (size_t)height, sizeof(*pixels));
    if (!pixels)
        return false;
    free(s->pixels);
    *s = (struct surface){.width = width, .height = height, .pixels = pixels};
    return true;
}

/* What is seen without a graphics chip. */
static void draw_message(const struct surface *s)
{
    static const char text[] = "No graphics in this guest";
    const int scale = 4;
    const uint32_t grey = 0xAAAAAA;
    words_draw(s, (s->width - words_width(text, scale)) / 2, (s->height - WORDS_HEIGHT * scale) / 2,
               scale, grey, text);
}

/* The screen while no chip is connected. Drawn when it is looked at, not before. */
static void refresh_blank(struct display *d)
{
    display_resize(d, BLANK_WIDTH, BLANK_HEIGHT);
    struct surface *s = &d->surface;
    memset(s->pixels, 0, (size_t)s->width * (size_t)s->height * sizeof(*s->pixels));
    if (s->width == BLANK_WIDTH && s->height == BLANK_HEIGHT) /* else out of memory */
        draw_message(s);
    display_damage(d, 0, 0, s->width, s->height);
}

struct display *display_new(struct clock *clock)
{
    struct display *d = calloc(1, sizeof(*d));
    if (!d)
        return NULL;
    if (!new_surface(&d->surface, BLANK_WIDTH, BLANK_HEIGHT)) {
        free(d);
        return NULL;
    }
    d->clock = clock;
    d->full = true;
    timer_init(&d->timer, clock, on_timer, d);
    return d;
}

void display_free(struct display *display)
{
    if (!display)
        return;
    timer_destroy(&display->timer);
    free(display->surface.pixels);
    free(display);
}

const struct surface *display_surface(const struct display *display)
{
    return &display->surface;
}

static int limit(int v, int max)
{
    return v < 1 ? 1 : v > max ? max : v;
}

void display_resize(struct display *display, int width, int height)
{
    width = limit(width, DISPLAY_MAX_WIDTH);
    height = limit(height, DISPLAY_MAX_HEIGHT);
    if (display->surface.width == width && display->surface.height == height)
        return;
    /* Out of memory: the source sees that the size is not what it asked for. */
    if (new_surface(&display->surface, width, height)) {
        display->damage.count = 0;
        display->resized = true;
    }
}

static bool contains(const struct display_rect *a, const struct display_rect *b)
{
    return a->x1 <= b->x1 && a->y1 <= b->y1 && a->x2 >= b->x2 && a->y2 >= b->y2;
}

/* Whether the two side by side, or one on the other, are a rectangle. */
static bool join(const struct display_rect *a, const struct display_rect *b)
{
    bool columns = a->x1 == b->x1 && a->x2 == b->x2, rows = a->y1 == b->y1 && a->y2 == b->y2;
    return (columns && a->y1 <= b->y2 && b->y1 <= a->y2) ||
           (rows && a->x1 <= b->x2 && b->x1 <= a->x2);
}

static void extend(struct display_rect *a, const struct display_rect *b)
{
    a->x1 = a->x1 < b->x1 ? a->x1 : b->x1;
    a->y1 = a->y1 < b->y1 ? a->y1 : b->y1;
    a->x2 = a->x2 > b->x2 ? a->x2 : b->x2;
    a->y2 = a->y2 > b->y2 ? a->y2 : b->y2;
}

/* Chips draw from the top down, so what can be joined is mostly the last. */
static void add_rect(struct display_damage *d, struct display_rect r)
{
    for (unsigned i = 0; i < d->count; i++)
        if (contains(&d->rects[i], &r))
            return;
    while (d->count && join(&d->rects[d->count - 1], &r))
        extend(&r, &d->rects[--d->count]);
    if (d->count == DISPLAY_MAX_RECTS) /* too many to tell apart */
        while (d->count)
            extend(&r, &d->rects[--d->count]);
    d->rects[d->count++] = r;
}

void display_damage(struct display *display, int x, int y, int width, int height)
{
    int64_t right = (int64_t)x + width, bottom = (int64_t)y + height;
    int w = display->surface.width, h = display->surface.height;
    if (x < 0)
        x = 0;
    if (y < 0)
        y = 0;
    if (right > w)
        right = w;
    if (bottom > h)
        bottom = h;
    if (right <= x || bottom <= y)
        return;
    add_rect(&display->damage, (struct display_rect){x, y, (int)right, (int)bottom});
}

static bool tell_viewers(struct display *d)
{
    bool resized = d->resized, damaged = d->damage.count;
    if (!resized && !damaged)
        return false;
    d->resized = false;
    for (struct display_viewer *v = d->viewers, *next; v; v = next) {
        next = v->next;
        if (resized)
            v->resized(v->opaque, &d->surface);
        else
            v->damaged(v->opaque, &d->surface, &d->damage);
    }
    d->damage.count = 0;
    return true;
}

/* A refresh comes soon, though not sooner after the last one than the busy pace. */
static void hasten(struct display *d)
{
    if (d->touched || !d->wanted)
        return;
    d->touched = true;
    uint64_t now = clock_now(d->clock), at = d->refreshed_at + INTERVAL_BUSY;
    d->moved_at = now;
    if (at < now + TOUCH_DELAY)
        at = now + TOUCH_DELAY;
    if (!timer_armed(&d->timer) || d->timer.deadline > at)
        timer_arm(&d->timer, at);
}

/* True if something changed. */
static bool refresh(struct display *d, bool full)
{
    if (d->refreshing) /* asked for by a viewer that is being told */
        return false;
    d->refreshing = true;
    full = full || d->full;
    d->full = false;
    if (d->source)
        d->source->refresh(d->opaque, d, full);
    else if (full)
        refresh_blank(d);
    bool changed = tell_viewers(d);
    d->refreshing = false;
    return changed;
}

void display_refresh_now(struct display *display)
{
    /* With nobody watching the source keeps no account of what changed. */
    refresh(display, !display->wanted);
    if (!display->wanted)
        display->full = true;
}

static void change_source(struct display *d, const struct display_source *source, void *opaque)
{
    if (d->source && d->wanted && d->source->watched)
        d->source->watched(d->opaque, false);
    d->source = source;
    d->opaque = opaque;
    d->full = true;
    if (source && d->wanted && source->watched)
        source->watched(opaque, true);
}

void display_set_source(struct display *display, const struct display_source *source, void *opaque)
{
    display->chip = source;
    display->chip_opaque = opaque;
    if (!display->shown)
        change_source(display, source, opaque);
}

void display_show(struct display *display, const struct display_source *source, void *opaque)
{
    display->shown = source != NULL;
    if (source)
        change_source(display, source, opaque);
    else
        change_source(display, display->chip, display->chip_opaque);
    display->blinks = false;
    hasten(display);
}

void display_shown_changed(struct display *display)
{
    if (display->shown)
        hasten(display);
}

bool display_guest_picture(struct display *display, struct surface *out)
{
    struct display chip = {.source = display->chip, .opaque = display->chip_opaque};
    if (!new_surface(&chip.surface, BLANK_WIDTH, BLANK_HEIGHT))
        return false;
    if (chip.source)
        chip.source->refresh(chip.opaque, &chip, true);
    else
        refresh_blank(&chip);
    *out = chip.surface;
    /* What the viewers have seen of it, the chip no longer knows. */
    display->full = display->full || !display->shown;
    return true;
}

/* Starts or stops the timer and the source's tracking as the viewers' wishes say. */
static void wishes_changed(struct display *d)
{
    bool wanted = false;
    for (const struct display_viewer *v = d->viewers; v; v = v->next)
        wanted = wanted || v->wants_updates;
    if (wanted == d->wanted)
        return;
    d->wanted = wanted;
    if (d->source && d->source->watched)
        d->source->watched(d->opaque, wanted);
    if (!wanted) {
        timer_disarm(&d->timer);
        return;
    }
    d->full = true;
    d->moved_at = clock_now(d->clock);
    timer_arm(&d->timer, d->moved_at + INTERVAL_BUSY);
}

void display_add_viewer(struct display *display, struct display_viewer *viewer)
{
    viewer->next = display->viewers;
    display->viewers = viewer;
    viewer->resized(viewer->opaque, &display->surface);
    if (viewer->wants_updates)
        display_viewer_wants(display, viewer, true);
}

void display_remove_viewer(struct display *display, struct display_viewer *viewer)
{
    struct display_viewer **at = &display->viewers;
    while (*at && *at != viewer)
        at = &(*at)->next;
    if (*at)
        *at = viewer->next;
    wishes_changed(display);
}

void display_viewer_wants(struct display *display, struct display_viewer *viewer, bool wants)
{
    viewer->wants_updates = wants;
    wishes_changed(display);
    if (wants)
        refresh(display, false);
}

void display_quicken(struct display *display)
{
    if (!display->wanted || display->shown)
        return;
    uint64_t now = clock_now(display->clock);
    display->moved_at = now;
    if (display->timer.deadline > now + INTERVAL_BUSY)
        timer_arm(&display->timer, now + INTERVAL_BUSY);
}

void display_touched(struct display *display)
{
    if (!display->shown)
        hasten(display);
}

void display_set_blinking(struct display *display, bool blinks)
{
    display->blinks = blinks;
}
