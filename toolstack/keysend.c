/* SPDX-License-Identifier: GPL-2.0-or-later */
/* keysend: see keysend.h. */
#include "toolstack/keysend.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hw/core/loop.h"
#include "ui/input.h"

/* Between two combinations, so that a guest that looks now and then sees both. */
#define PAUSE_MS 10

struct combination {
    uint16_t codes[KEYSEND_MAX_KEYS];
    size_t count;
    unsigned hold_ms;
};

struct keysend {
    struct input *input;
    struct timer timer;
    bool down; /* the first of those that wait */
    struct combination waiting[KEYSEND_MAX_WAITING];
    size_t first, count;
};

static void release(struct keysend *k)
{
    const struct combination *c = &k->waiting[k->first];
    for (size_t i = c->count; i > 0; i--)
        input_guest_key(k->input, c->codes[i - 1], false);
    k->down = false;
    k->first = (k->first + 1) % KEYSEND_MAX_WAITING;
    k->count--;
}

static void press(struct keysend *k)
{
    const struct combination *c = &k->waiting[k->first];
    for (size_t i = 0; i < c->count; i++)
        input_guest_key(k->input, c->codes[i], true);
    k->down = true;
    timer_arm_in(&k->timer, c->hold_ms * NS_PER_MS);
}

static void step(void *opaque)
{
    struct keysend *k = opaque;
    if (!k->down) {
        press(k);
        return;
    }
    release(k);
    if (k->count)
        timer_arm_in(&k->timer, PAUSE_MS * NS_PER_MS);
}

struct keysend *keysend_new(struct loop *loop, struct input *input)
{
    struct keysend *k = calloc(1, sizeof(*k));
    if (!k)
        return NULL;
    k->input = input;
    timer_init(&k->timer, loop_clock(loop), step, k);
    return k;
}

void keysend_free(struct keysend *k)
{
    if (!k)
        return;
    if (k->down)
        release(k);
    timer_destroy(&k->timer);
    free(k);
}

bool keysend_press(struct keysend *k, const unsigned *codes, size_t count, unsigned hold_ms,
                   struct err *err)
{
    if (k->count == KEYSEND_MAX_WAITING)
        return err_set(err, "%d combinations of keys wait already", KEYSEND_MAX_WAITING);
    struct combination *c = &k->waiting[(k->first + k->count++) % KEYSEND_MAX_WAITING];
    *c = (struct combination){.count = count, .hold_ms = hold_ms};
    for (size_t i = 0; i < count; i++)
        c->codes[i] = (uint16_t)codes[i];
    if (!k->down && !timer_armed(&k->timer))
        press(k);
    return true;
}
