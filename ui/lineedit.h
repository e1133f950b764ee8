/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lineedit: a line editor with history and completion on a stream of bytes that need be no
 * terminal, by libtecla. Several at once; no system call, no signal, no file: docs/monitor.md says
 * how the library is kept to that.
 */
#ifndef UI_LINEEDIT_H
#define UI_LINEEDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/core/err.h"

struct lineedit;
struct lineedit_words;

#define LINEEDIT_MAX_LINE    1024 /* bytes of a line; what is typed beyond is not taken */
#define LINEEDIT_HISTORY     4096 /* bytes of earlier lines */
#define LINEEDIT_MAX_WORDS   64   /* offered for one completion */
#define LINEEDIT_TEXT_FACTOR 16   /* output() gets at most so much a byte of input, see feed */

struct lineedit_user {
    /* Bytes for the person's terminal (ANSI sequences of a VT100). */
    void (*output)(void *opaque, const char *buf, size_t len);
    /* A line was entered, without its end. May call lineedit_print, nothing else of this. */
    void (*line)(void *opaque, const char *line);
    /* Offers (lineedit_offer) what the last word of `line` may become; it begins at *start. */
    void (*complete)(void *opaque, const char *line, struct lineedit_words *words);
};

/* Whether this build has it; false and one line in *err. */
bool lineedit_available(struct err *err);

/* NULL when there is no memory for it, or !lineedit_available(). `user` and `prompt` are kept by
 * reference. */
struct lineedit *lineedit_new(const char *prompt, const struct lineedit_user *user, void *opaque);
void lineedit_free(struct lineedit *le); /* NULL is fine; not from inside a callback */

/* Shows the prompt, with the line as far as it is. */
void lineedit_show(struct lineedit *le);

/* Takes bytes as they were typed. Each costs bounded work: at most a line is drawn anew. */
void lineedit_feed(struct lineedit *le, const uint8_t *buf, size_t len);

/* Forgets the line, the history and half a key's sequence: another person comes. */
void lineedit_clear(struct lineedit *le);

/* Within complete(): `word` may stand where the line's last word begins, at byte `start`;
 * what it adds behind the cursor is `word` without what is there already. `final`: a space follows.
 */
void lineedit_offer(struct lineedit_words *words, size_t start, const char *word, bool final);

#endif
