/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * optstr: the option strings of qemu's command line, "raw,file=/a,,b,readonly=on": who takes a key
 * marks it, and what nobody took is an error at the end. qemu(1), "-drive", "-chardev".
 */
#ifndef TOOLSTACK_OPTSTR_H
#define TOOLSTACK_OPTSTR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/core/err.h"

#define OPTSTR_MAX_KEYS 64
/* Longest accepted argument: a file name of PATH_MAX with every comma doubled, and its keys. */
#define OPTSTR_MAX_LENGTH (16 * 1024)

struct optstr_key {
    char *name;
    char *value; /* "on" for a bare word */
    bool bare;
    bool taken;
};

struct optstr {
    const char *option; /* "-drive": the start of every message */
    const char *many;   /* the key that may come several times, or NULL */
    char *text;         /* what the keys point into */
    struct optstr_key keys[OPTSTR_MAX_KEYS];
    size_t count;
};

/*
 * Splits arg at its single commas. implied names the key of a first element without '=' ("order"
 * for -boot), or NULL. A key that comes twice is an error. `option` must outlive *o. On failure
 * nothing needs freeing.
 */
bool optstr_parse(struct optstr *o, const char *option, const char *arg, const char *implied,
                  struct err *err);

/* The same where the first element is the value of `first` whatever is in it: an address or a path,
 * which may have a '='. */
bool optstr_parse_positional(struct optstr *o, const char *option, const char *arg,
                             const char *first, struct err *err);

/* As optstr_parse, but the key `many` may come several times: each optstr_take of it gives another
 * one, in their order, then NULL. */
bool optstr_parse_many(struct optstr *o, const char *option, const char *arg, const char *implied,
                       const char *many, struct err *err);

void optstr_free(struct optstr *o);

/* The value of `name`, now taken; NULL if it is not there. A bare word is no value: it is an error
 * later, unless optstr_bool takes it. */
const char *optstr_take(struct optstr *o, const char *name);

/* As optstr_take, but an absent or empty value is an error. NULL on error. */
const char *optstr_need(struct optstr *o, const char *name, struct err *err);

/* A copy of the value for the configuration; *out stays as it is when the key is absent. An empty
 * value is an error. */
bool optstr_string(struct optstr *o, const char *name, char **out, struct err *err);

/* on, off, yes, no, true, false, y, n; or the bare words NAME and noNAME. */
bool optstr_bool(struct optstr *o, const char *name, bool *out, struct err *err);

/* A number (decimal or 0x…) from min to max. */
bool optstr_number(struct optstr *o, const char *name, uint64_t min, uint64_t max, uint64_t *out,
                   struct err *err);

/* Takes a key that has no effect here; any value that is not one of the space-separated `allowed`
 * is an error that says what is served instead. */
bool optstr_only(struct optstr *o, const char *name, const char *allowed, struct err *err);

/* Takes a key that is not served: an error with `instead` if it is there. */
bool optstr_refuse(struct optstr *o, const char *name, const char *instead, struct err *err);

/* False, with a line about the first key that nobody took, if there is one. */
bool optstr_finish(struct optstr *o, struct err *err);

/* A whole string as a number from min to max; no sign, no white space. False without a message. */
bool parse_number(const char *s, uint64_t min, uint64_t max, uint64_t *out);

/* A size in bytes: a number with an optional suffix B K M G T, of `unit` bytes without one. */
bool parse_size(const char *s, uint64_t unit, uint64_t min, uint64_t max, uint64_t *out);

/* A copy of s; aborts when memory is exhausted (start-up only). */
char *xstrdup(const char *s);

#endif
