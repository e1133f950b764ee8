/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sdl_draw: the shadow of the guest's screen into the window, as large as that is. */
#include "ui/sdl_window.h"

#define MAX_RECTS 32

SDL_Rect window_viewport(const struct window *w, int width, int height)
{
    SDL_Rect v = {0, 0, width, height};

    if (w->width <= 0 || w->height <= 0)
        return v;
    /* The larger of the two ratios says how much smaller the other side must be. */
    if ((int64_t)width * w->height > (int64_t)height * w->width)
        v.w = (int)((int64_t)height * w->width / w->height);
    else
        v.h = (int)((int64_t)width * w->height / w->width);
    v.w = SDL_max(v.w, 1);
    v.h = SDL_max(v.h, 1);
    v.x = (width - v.w) / 2;
    v.y = (height - v.h) / 2;
    return v;
}

/* The place for a window's contents that a desktop has, the borders taken off. */
static bool desktop_room(const struct window *w, SDL_Rect *room)
{
    int top = 0, left = 0, bottom = 0, right = 0;

    if (SDL_GetDisplayUsableBounds(SDL_GetWindowDisplayIndex(w->window), room))
        return false;
    SDL_GetWindowBordersSize(w->window, &top, &left, &bottom, &right);
    room->x += left;
    room->y += top;
    room->w = SDL_max(room->w - left - right, 64);
    room->h = SDL_max(room->h - top - bottom, 64);
    return true;
}

/* A window that grew and now reaches out of the desktop comes back. */
static void move_inside(const struct window *w, const SDL_Rect *room, int width, int height)
{
    int x, y;

    SDL_GetWindowPosition(w->window, &x, &y);
    if (x + width > room->x + room->w || y + height > room->y + room->h)
        SDL_SetWindowPosition(w->window, SDL_max(room->x, SDL_min(x, room->x + room->w - width)),
                              SDL_max(room->y, SDL_min(y, room->y + room->h - height)));
}

void window_fit(struct window *w)
{
    int width = w->width * w->zoom, height = w->height * w->zoom;
    SDL_Rect room;
    bool known;

    if (w->full_screen)
        return;
    known = desktop_room(w, &room);
    if (known && (width > room.w || height > room.h)) {
        SDL_Rect v = window_viewport(w, room.w, room.h);

        width = v.w;
        height = v.h;
    }
    w->scaled = false;
    w->asked_width = width;
    w->asked_height = height;
    SDL_SetWindowSize(w->window, width, height);
    if (known)
        move_inside(w, &room, width, height);
}

/* The window has let go of the shadow: was the loop waiting? */
static void unlock(struct window *w)
{
    pthread_mutex_unlock(&w->sdl->shadow.lock);
    if (atomic_exchange(&w->sdl->missed, false))
        sdl_poke(w->sdl->wake_loop);
}

/* Another size. */
static void adopt(struct window *w)
{
    struct shadow *s = &w->sdl->shadow;

    SDL_FreeSurface(w->picture);
    w->picture =
        SDL_CreateRGBSurfaceWithFormatFrom(s->picture.pixels, s->picture.width, s->picture.height,
                                           32, s->picture.width * 4, SDL_PIXELFORMAT_RGB888);
    w->width = s->picture.width;
    w->height = s->picture.height;
    s->picture.resized = false;
}

static unsigned take_rects(struct window *w, SDL_Rect *rects)
{
    struct shadow *s = &w->sdl->shadow;
    int count;
    const pixman_box32_t *boxes = pixman_region32_rectangles(&s->fresh, &count);

    if (count > MAX_RECTS) {
        boxes = pixman_region32_extents(&s->fresh);
        count = 1;
    }
    for (int i = 0; i < count; i++)
        rects[i] = (SDL_Rect){boxes[i].x1, boxes[i].y1, boxes[i].x2 - boxes[i].x1,
                              boxes[i].y2 - boxes[i].y1};
    pixman_region32_clear(&s->fresh);
    return (unsigned)count;
}

/* Sharp if each of the guest's pixels becomes a square, else smooth. */
static void stretch(const struct window *w, SDL_Surface *target, const SDL_Rect *v)
{
    SDL_Rect to = *v;
    bool same = w->picture->format->format == target->format->format;

    if (same && (v->w % w->width || v->h % w->height))
        SDL_SoftStretchLinear(w->picture, NULL, target, &to);
    else
        SDL_BlitScaled(w->picture, NULL, target, &to);
}

/* Of what is fresh; all of it if that is wanted or the size is another. What is to be shown is in
 * `rects`: how many. The shadow is locked. */
static unsigned paint(struct window *w, SDL_Surface *target, SDL_Rect *rects)
{
    SDL_Rect v = window_viewport(w, target->w, target->h);
    bool one_to_one = v.w == w->width && v.h == w->height;
    unsigned count = take_rects(w, rects);

    if (!w->redraw && one_to_one) {
        for (unsigned i = 0; i < count; i++) {
            SDL_Rect to = {rects[i].x + v.x, rects[i].y + v.y, rects[i].w, rects[i].h};

            SDL_BlitSurface(w->picture, &rects[i], target, &to);
            rects[i] = to;
        }
        return count;
    }
    if (w->redraw)
        SDL_FillRect(target, NULL, 0);
    if (one_to_one) {
        SDL_Rect to = v;

        SDL_BlitSurface(w->picture, NULL, target, &to);
    } else {
        stretch(w, target, &v);
    }
    rects[0] = w->redraw ? (SDL_Rect){0, 0, target->w, target->h} : v;
    return 1;
}

bool window_draw(struct window *w, bool *ok)
{
    struct shadow *s = &w->sdl->shadow;
    SDL_Rect rects[MAX_RECTS] = {0};
    SDL_Surface *target;
    unsigned count;
    bool fresh, resized;

    pthread_mutex_lock(&s->lock);
    resized = s->picture.resized;
    fresh = pixman_region32_not_empty(&s->fresh);
    if (resized)
        adopt(w);
    unlock(w);
    if (resized) {
        w->redraw = true;
        if (!w->scaled)
            window_fit(w);
    }
    if (!w->picture || (!fresh && !w->redraw))
        return false;
    if (w->asking)
        w->redraw = true;

    target = SDL_GetWindowSurface(w->window);
    if (!target) {
        *ok = false;
        return false;
    }
    pthread_mutex_lock(&s->lock);
    if (s->picture.resized) { /* once more, with that size */
        unlock(w);
        return true;
    }
    count = paint(w, target, rects);
    unlock(w);
    if (w->asking)
        window_ask_draw(target);
    w->redraw = false;
    SDL_UpdateWindowSurfaceRects(w->window, rects, (int)count);
    return true;
}
