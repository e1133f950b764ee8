/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * term_filter: stands between what a guest prints and the terminal emulation (ui/term.c), which
 * then sees whole characters and whole control sequences of known kinds with small numbers, and
 * nothing else.
 */
#ifndef UI_TERM_FILTER_H
#define UI_TERM_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TERM_SEQUENCE_MAX 96 /* bytes of one control sequence; longer ones are dropped */
#define TERM_DIGITS_MAX   4  /* of a parameter; what follows is dropped */
#define TERM_PARAMS_MAX   14

struct term_filter {
    uint8_t phase;
    uint8_t len; /* of the sequence that is being collected, with its ESC */
    uint8_t digits, params;
    bool drop;                 /* the sequence is none of ours */
    uint8_t utf8_left;         /* bytes still to come of a character */
    uint32_t utf8, utf8_least; /* what there is of it, and the least that may be said in so many */
    char sequence[TERM_SEQUENCE_MAX];
};

/* All in one call is one run of printable ASCII, one control character, or one sequence from its
 * ESC on (`bytes`); or one other character (`character`). */
struct term_filter_events {
    void (*bytes)(void *opaque, const char *bytes, size_t len);
    void (*character)(void *opaque, uint32_t codepoint);
};

/* Zeroed is a fresh one. */
void term_filter_feed(struct term_filter *f, const uint8_t *buf, size_t len,
                      const struct term_filter_events *events, void *opaque);

/* UTF-8 of a code point up to 10FFFFh; returns its length, 1 to 4. */
size_t term_utf8(uint32_t codepoint, char out[4]);

#endif
