/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sdl: the guest's screen and keyboard in a window on the host's desktop (X11, through SDL 2). The
 * window has a thread of its own, which sees no device: a copy of the screen, and a queue of what
 * the person did. Who does what, and what is not offered: docs/sdl.md.
 */
#ifndef UI_SDL_H
#define UI_SDL_H

#include <stdbool.h>

#include "hw/core/err.h"

struct sdl;
struct loop;
struct display;
struct input;
struct config_sdl;

/* What the window works with; all of it must outlive it. */
struct sdl_config {
    struct loop *loop;
    struct display *display;
    struct input *input;
    const struct config_sdl *options;
    const char *name; /* the guest's, for the title; NULL: none */

    /* On the loop's thread: the person closed the window, and said that the guest is to end. */
    void (*closed)(void *opaque);
    /* On the window's thread, NULL: nothing. First when the window is open, then when sdl_confine
     * was called: give up what showing a window does not need. If the latter fails the window goes.
     */
    bool (*opened)(void *opaque, struct err *err);
    bool (*confine)(void *opaque, struct err *err);
    void *opaque;
};

/* Opens the window; to be called before the process is confined. NULL and one line in *err if there
 * is no X server to show it, or it refuses. */
struct sdl *sdl_open(const struct sdl_config *config, struct err *err);

/* All is open now: the window's thread confines itself, soon. */
void sdl_confine(struct sdl *sdl);

/* Closes the window and waits for its thread (two seconds at most, then its connection is cut).
 * NULL: nothing. */
void sdl_close(struct sdl *sdl);

#endif
