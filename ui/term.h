/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * term: a terminal (what xterm and the Linux console have in common) that is fed with bytes, drawn
 * on a display, and typed at. Emulated by libvterm; its memory is bounded whatever is printed.
 */
#ifndef UI_TERM_H
#define UI_TERM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct term;
struct display;

#define TERM_MIN_COLS 20
#define TERM_MAX_COLS 256
#define TERM_MIN_ROWS 4
#define TERM_MAX_ROWS 128
#define TERM_HISTORY  1000 /* lines that have scrolled off the top and are kept */

struct term_events {
    /* What a key sends, or the terminal's answer to a question. */
    void (*output)(void *opaque, const char *bytes, size_t len);
    /* What is seen has changed: term_draw draws it. */
    void (*changed)(void *opaque);
    void *opaque;
};

#define TERM_SHIFT 1
#define TERM_CTRL  2
#define TERM_ALT   4

/* cols, rows: within the limits above. NULL: out of memory. */
struct term *term_new(int cols, int rows, const struct term_events *events);
void term_free(struct term *term);

/* Prints bytes (UTF-8, control sequences). A few microseconds a byte at the very most. */
void term_write(struct term *term, const uint8_t *buf, size_t len);

/* A key that is no character (Linux's code) is pressed with TERM_* held: false if it means nothing
 * here. Shift or Ctrl with Page Up and Page Down, and Ctrl with the arrows, look back at what
 * scrolled off; any other key returns to the present. */
bool term_key(struct term *term, unsigned keycode, unsigned modifiers);
/* A character (ui/input.h: input_character) is typed with TERM_CTRL and TERM_ALT held. */
void term_character(struct term *term, uint32_t codepoint, unsigned modifiers);
/* Looks `lines` further back (negative: forth). */
void term_scroll(struct term *term, int lines);

/* Makes the display show the terminal; all of it if `full`, else what changed since the last
 * time. */
void term_draw(struct term *term, struct display *display, bool full);

/* The text of one line of the screen as UTF-8, without the blanks at its end (for tests and
 * copies); at most size - 1 bytes, and a NUL. Returns its length. */
size_t term_line(const struct term *term, int row, char *text, size_t size);

#endif
