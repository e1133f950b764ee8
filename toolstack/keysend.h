/* SPDX-License-Identifier: GPL-2.0-or-later */
/* keysend: keys that a monitor presses: all together, held for a while, one combination after the
 * other. */
#ifndef TOOLSTACK_KEYSEND_H
#define TOOLSTACK_KEYSEND_H

#include <stdbool.h>
#include <stddef.h>

#include "hw/core/err.h"

struct input;
struct keysend;
struct loop;

#define KEYSEND_MAX_KEYS    16 /* of a combination */
#define KEYSEND_MAX_WAITING 64 /* combinations */
#define KEYSEND_MAX_HOLD_MS 60000
#define KEYSEND_HOLD_MS     100 /* if nothing is said */

/* NULL: out of memory. */
struct keysend *keysend_new(struct loop *loop, struct input *input);
void keysend_free(struct keysend *k); /* releases what is down; NULL is fine */

/* Presses `count` keys (KEY_ codes, 1..KEYSEND_MAX_KEYS of them) in their order, and releases them
 * hold_ms later in the reverse one, behind the combinations that wait already. False and *err: too
 * many wait. */
bool keysend_press(struct keysend *k, const unsigned *codes, size_t count, unsigned hold_ms,
                   struct err *err);

#endif
