/* SPDX-License-Identifier: GPL-2.0-or-later */
/* err: why a step that may fail did fail, in one line a person can act on. */
#ifndef HW_CORE_ERR_H
#define HW_CORE_ERR_H

#include <stdbool.h>

/* Long enough for a sentence around a PATH_MAX file name. */
struct err {
    char text[4096 + 512];
};

/*
 * Formats the reason into e->text (cut if too long, newlines and control characters made harmless).
 * Does nothing if e is NULL. Returns false, so that a failing function can `return err_set(...)`.
 */
bool err_set(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
