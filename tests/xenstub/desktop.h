/* SPDX-License-Identifier: GPL-2.0-or-later */
/* desktop: an X server without a screen (Xvfb), and what a person does to a window on it: by
 * xdotool and, for what that has no words for, by Xlib. */
#ifndef TESTS_XENSTUB_DESKTOP_H
#define TESTS_XENSTUB_DESKTOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct desktop {
    pid_t server, manager;
    char window[32]; /* of the window found last, for xdotool */
    int width, height;
};

/* Whether there is such a program; and what is missing on this machine, or NULL. */
bool desktop_has(const char *program);
const char *desktop_missing(void);

/* Starts a server (and, if asked for, a window manager), and sets DISPLAY. resources: as xrdb has
 * them, or NULL. False: it did not start. */
bool desktop_open(struct desktop *d, bool manager, const char *resources);
void desktop_kill(struct desktop *d); /* the server, at once */
void desktop_close(struct desktop *d);

/* Runs a line of xdotool's words (printf's). */
__attribute__((format(printf, 2, 3))) void desktop_do(struct desktop *d, const char *format, ...);

/* Waits until there is a window with this in its title; false: none came. */
bool desktop_find(struct desktop *d, const char *title);
/* The title; to be freed. */
char *desktop_title(struct desktop *d);
/* Reads the window's size anew. */
void desktop_measure(struct desktop *d);
/* Waits for that size. */
bool desktop_wait_size(struct desktop *d, int width, int height);
/* The window as it is seen, 3 bytes (R, G, B) a pixel, its size in width and height; to be freed.
 * NULL: it cannot be. */
uint8_t *desktop_picture(struct desktop *d);
/* Puts a keysym on a key (X's key code), as a layout would. */
void desktop_map_key(struct desktop *d, unsigned keycode, unsigned long keysym);
/* No window has the focus any more. */
void desktop_focus_nothing(struct desktop *d);
/* A click on the window's close button. */
void desktop_close_window(struct desktop *d);

#endif
