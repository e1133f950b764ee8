/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sdl_window: what the files of the window's thread share. */
#ifndef UI_SDL_WINDOW_H
#define UI_SDL_WINDOW_H

#include <SDL.h>

#include "toolstack/config.h"
#include "ui/sdl_internal.h"

struct window {
    struct sdl *sdl;
    const struct config_sdl *options;
    SDL_Window *window;
    SDL_Surface *picture;          /* over the shadow's pixels: only while the shadow is locked */
    int width, height;             /* of the guest's screen; 0: not known yet */
    int zoom;                      /* window pixels for one of the guest's, at first */
    int asked_width, asked_height; /* the window's size as we want it */
    bool scaled;                   /* the person chose another one */
    bool full_screen, grabbed;
    bool redraw;    /* all of it, whatever has changed */
    bool asking;    /* whether the guest is to end */
    unsigned guest; /* WINDOW_GUEST_*, as acted upon */
    unsigned buttons;
    /* Keys: what the guest has down, what was pressed for us alone, and whether the grab's keys are
     * down and nothing else was. */
    bool down[SDL_NUM_SCANCODES], ours[SDL_NUM_SCANCODES];
    bool alone;
};

/* ---- sdl_draw.c ---- */

/* Shows what has changed. True if it did anything; false in *ok if there is nothing to draw on any
 * more. */
bool window_draw(struct window *w, bool *ok);
/* Gives the window the size of the guest's screen, as far as the desktop has room. */
void window_fit(struct window *w);
/* Where the guest's screen is in the window. */
SDL_Rect window_viewport(const struct window *w, int width, int height);

/* ---- sdl_input.c ---- */

void window_event(struct window *w, const SDL_Event *event);
/* Lets go of all that is down. */
void window_release(struct window *w);
/* Keys and pointer are the guest's alone, or not. */
void window_grab(struct window *w, bool grab);
/* The guest's pointer, or what is shown, may have become another. */
void window_follow_guest(struct window *w);
void window_title(struct window *w);
void window_set_full_screen(struct window *w, bool full);

/* ---- sdl_ask.c: the question whether the guest is to end, drawn into the window ---- */

enum window_answer { WINDOW_ANSWER_NONE, WINDOW_ANSWER_YES, WINDOW_ANSWER_NO };

void window_ask_draw(SDL_Surface *target);
enum window_answer window_ask_event(const struct window *w, const SDL_Event *event);

#endif
