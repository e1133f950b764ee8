/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sdl_internal: what the two halves of the SDL window share. sdl.c runs on the loop's thread,
 * sdl_window.c and sdl_draw.c on the window's, which alone calls SDL. They meet in the shadow of
 * the screen and in the queue of events, each under a lock of its own that the loop never waits for
 * longer than a few instructions: for the shadow's it does not wait at all.
 */
#ifndef UI_SDL_INTERNAL_H
#define UI_SDL_INTERNAL_H

#include <pixman.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>

#include "hw/core/loop.h"
#include "ui/display.h"
#include "ui/input.h"
#include "ui/picture.h"
#include "ui/sdl.h"

#define WINDOW_QUEUE 256 /* events the person may be ahead */

/* The screen as the window shows it. */
struct shadow {
    pthread_mutex_t lock; /* of all that follows */
    struct picture picture;
    pixman_region32_t fresh; /* changed since the window looked */
};

enum window_event_kind {
    WINDOW_KEY,       /* code: KEY_*, down, locks */
    WINDOW_CHARACTER, /* code: Unicode, for text consoles */
    WINDOW_AT,        /* x, y in a screen of width x height, wheel, buttons */
    WINDOW_BY,        /* movement by x, y; the rest as above */
    WINDOW_VISIBLE,   /* down: the window can be seen, else it need not be drawn */
    WINDOW_CLOSED,    /* the person wants the guest to end */
    WINDOW_GONE,      /* the X server is; the thread ends */
};

struct window_event {
    enum window_event_kind kind;
    bool down;
    unsigned buttons; /* INPUT_BUTTON_* */
    unsigned locks;   /* the person's lock keys, as input_locks() */
    uint32_t code;
    int x, y, width, height, wheel;
};

/* What the window must know of the guest (sdl.guest). */
#define WINDOW_GUEST_ABSOLUTE 1u /* its pointer takes positions */
#define WINDOW_GUEST_CONSOLE  2u /* a text console is shown instead */

struct sdl {
    struct sdl_config config;
    char title[128];
    pthread_t thread;
    int wake; /* eventfd: the loop has something for the window */

    /* From the loop to the window */
    struct shadow shadow;
    atomic_uint guest; /* WINDOW_GUEST_* */
    atomic_bool closing, confine;

    /* From the window to the loop */
    int wake_loop; /* eventfd */
    pthread_mutex_t queue_lock;
    struct window_event queue[WINDOW_QUEUE];
    unsigned queued;
    bool lost;          /* there was no room: what is down is not known */
    atomic_bool missed; /* the shadow was busy when the loop had something for it */
    const char *why;    /* set before GONE */

    /* While opening */
    sem_t opened;
    bool ok;
    struct err err;
    int connection; /* the X server's descriptor, to cut it; -1: none */

    /* Loop's thread only */
    struct display_viewer viewer;
    struct input_watch watch;
    const struct surface *surface;
    pixman_region32_t damage; /* not in the shadow yet */
    bool whole;               /* … and neither is the size */
    struct loop_source source;
    bool gone, started;
};

/* sdl.c, for the window's thread */
void sdl_push(struct sdl *sdl, const struct window_event *event);
void sdl_poke(int eventfd);

/* sdl_window.c */
void *sdl_window(void *sdl);

#endif
