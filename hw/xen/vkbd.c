/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vkbd: see vkbd.h. Of the page, which the guest may change at any time, three words are read: each
 * once a time, and only compared with what is our own. */
#include "hw/xen/vkbd.h"

#include <linux/input-event-codes.h>
#include <stdlib.h>
#include <string.h>
#include <xen/xen.h>
/* It needs the types of xen.h. */
#include <xen/io/kbdif.h>

#define KEY_WORDS ((KEY_MAX + 64) / 64)
#define WHEEL_MAX 1000 /* notches that wait for a driver */

struct vkbd {
    struct xenkbd_page *page;
    uint32_t produced; /* ours: what the page says of it is not believed */
    uint32_t width, height;
    bool broken;
    uint64_t down[KEY_WORDS],
        told[KEY_WORDS]; /* keys and buttons: as they are, as they were said */
    int32_t x, y, wheel;
    bool moved; /* the position is not said yet */
};

struct vkbd *vkbd_open(void *page, uint32_t width, uint32_t height, struct err *err)
{
    struct vkbd *v = calloc(1, sizeof(*v));

    if (!v) {
        err_set(err, "out of memory");
        return NULL;
    }
    v->page = page;
    v->width = width;
    v->height = height;
    v->produced = __atomic_load_n(&v->page->in_prod, __ATOMIC_ACQUIRE);
    if (v->produced - __atomic_load_n(&v->page->in_cons, __ATOMIC_ACQUIRE) <= XENKBD_IN_RING_LEN)
        return v;
    err_set(err, "more events in the ring than it has room for");
    free(v);
    return NULL;
}

void vkbd_close(struct vkbd *v)
{
    free(v);
}

bool vkbd_broken(const struct vkbd *v)
{
    return v->broken;
}

static bool room(struct vkbd *v)
{
    uint32_t waiting = v->produced - __atomic_load_n(&v->page->in_cons, __ATOMIC_ACQUIRE);

    if (waiting > XENKBD_IN_RING_LEN)
        v->broken = true;
    return !v->broken && waiting < XENKBD_IN_RING_LEN;
}

static bool put(struct vkbd *v, const union xenkbd_in_event *event)
{
    if (!room(v))
        return false;
    memcpy(&XENKBD_IN_RING_REF(v->page, v->produced), event, sizeof(*event));
    v->produced++;
    __atomic_store_n(&v->page->in_prod, v->produced, __ATOMIC_RELEASE);
    return true;
}

static bool put_key(struct vkbd *v, uint32_t code, bool down)
{
    union xenkbd_in_event event = {.pad = {0}};

    event.key.type = XENKBD_TYPE_KEY;
    event.key.pressed = down;
    event.key.keycode = code;
    return put(v, &event);
}

static int32_t scaled(int32_t at, uint32_t most)
{
    return (int32_t)((uint64_t)at * most / VKBD_ABS_MAX);
}

static bool put_position(struct vkbd *v)
{
    union xenkbd_in_event event = {.pad = {0}};

    event.pos.type = XENKBD_TYPE_POS;
    event.pos.abs_x = scaled(v->x, v->width);
    event.pos.abs_y = scaled(v->y, v->height);
    event.pos.rel_z = -v->wheel; /* Linux turns it round */
    return put(v, &event);
}

/* The next key whose state is not what the driver was told: a release, if there is one. */
static bool next_change(const struct vkbd *v, uint32_t *code)
{
    for (unsigned pass = 0; pass < 2; pass++) {
        for (uint32_t w = 0; w < KEY_WORDS; w++) {
            uint64_t change = pass ? v->down[w] & ~v->told[w] : v->told[w] & ~v->down[w];
            if (change) {
                *code = w * 64 + (uint32_t)__builtin_ctzll(change);
                return true;
            }
        }
    }
    return false;
}

/* Tells what is not told yet, as far as there is room: at most a ring's worth. */
static bool tell(struct vkbd *v)
{
    uint32_t before = v->produced, code;

    if (v->moved && put_position(v)) {
        v->moved = false;
        v->wheel = 0;
    }
    while (!v->moved && next_change(v, &code)) {
        uint64_t bit = UINT64_C(1) << code % 64;
        if (!put_key(v, code, v->down[code / 64] & bit))
            break;
        v->told[code / 64] ^= bit;
    }
    return v->produced != before;
}

static void note(struct vkbd *v, uint32_t code, bool down)
{
    uint64_t bit = UINT64_C(1) << code % 64;

    v->down[code / 64] = down ? v->down[code / 64] | bit : v->down[code / 64] & ~bit;
}

bool vkbd_key(struct vkbd *v, uint32_t code, bool down)
{
    uint32_t other;

    if (code == KEY_RESERVED || code > KEY_MAX)
        return false;
    bool repeat = down && v->down[code / 64] & v->told[code / 64] & UINT64_C(1) << code % 64;
    note(v, code, down);
    if (repeat && !v->moved && !next_change(v, &other))
        return put_key(v, code, true);
    return tell(v);
}

bool vkbd_release(struct vkbd *v)
{
    memset(v->down, 0, sizeof(v->down));
    return tell(v);
}

static int32_t within(int32_t n, int32_t least, int32_t most)
{
    return n < least ? least : n > most ? most : n;
}

bool vkbd_point(struct vkbd *v, int32_t x, int32_t y, int32_t wheel, uint32_t buttons)
{
    static const uint16_t codes[] = {BTN_LEFT, BTN_MIDDLE, BTN_RIGHT, BTN_SIDE, BTN_EXTRA};

    x = within(x, 0, VKBD_ABS_MAX);
    y = within(y, 0, VKBD_ABS_MAX);
    wheel = within(wheel, -WHEEL_MAX, WHEEL_MAX);
    v->moved = v->moved || x != v->x || y != v->y || wheel;
    v->x = x;
    v->y = y;
    v->wheel = within(v->wheel + wheel, -WHEEL_MAX, WHEEL_MAX);
    for (unsigned i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        note(v, codes[i], buttons >> i & 1);
    return tell(v);
}

bool vkbd_look(struct vkbd *v)
{
    /* No event goes this way (kbdif.h): what a driver may have put there is passed over. */
    uint32_t out = __atomic_load_n(&v->page->out_prod, __ATOMIC_ACQUIRE);

    __atomic_store_n(&v->page->out_cons, out, __ATOMIC_RELEASE);
    room(v);
    return tell(v);
}
