/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_vkbd: a hostile driver at the PV keyboard's and pointer's page, and what people type and
 * point at meanwhile. Nothing is written but events in the ring, its index and the other ring's;
 * once the page has lied, no more events are; and a driver that has not lied knows, when it has
 * taken all, which keys are down.
 *
 * Steps: u8 what, and what that takes.
 */
#include <linux/input-event-codes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xen/xen.h>
/* It needs the types of xen.h. */
#include <xen/io/kbdif.h>

#include "hw/xen/vkbd.h"
#include "tests/fuzz/fuzz.h"

#define STEPS 400u
#define GUARD 0xA5

static union {
    struct xenkbd_page page;
    uint8_t bytes[4096];
} shared[3] __attribute__((aligned(4096))); /* the one in the middle is the guest's */

static struct front {
    struct fuzz_input in;
    struct vkbd *v;
    struct xenkbd_page *page;
    uint32_t width, height;
    bool honest;
    bool down[KEY_MAX + 1], known[KEY_MAX + 1]; /* as typed; as the driver has heard */
    uint8_t before[4096];
} f;

static void join(void)
{
    struct err err = {""};
    f.width = (uint32_t)fuzz_take(&f.in, 4);
    f.height = (uint32_t)fuzz_take(&f.in, 4);
    vkbd_close(f.v);
    f.v = vkbd_open(f.page, f.width, f.height, &err);
    fuzz_assert(f.v || err.text[0]);
}

/* A new driver: with a page of its own, if it is honest. */
static void join_honestly(void)
{
    memset(f.page, 0, 4096);
    memset(f.down, 0, sizeof(f.down));
    memset(f.known, 0, sizeof(f.known));
    f.honest = true;
    join();
    fuzz_assert(f.v);
}

static void hear(const union xenkbd_in_event *e)
{
    if (e->type == XENKBD_TYPE_KEY) {
        fuzz_assert(e->key.keycode && e->key.keycode <= KEY_MAX && e->key.pressed <= 1);
        f.known[e->key.keycode] = e->key.pressed;
        return;
    }
    fuzz_assert(e->type == XENKBD_TYPE_POS);
    if (f.width <= INT32_MAX && f.height <= INT32_MAX)
        fuzz_assert(e->pos.abs_x >= 0 && (uint32_t)e->pos.abs_x <= f.width && e->pos.abs_y >= 0 &&
                    (uint32_t)e->pos.abs_y <= f.height);
}

static bool take(unsigned most)
{
    bool any = false;
    for (; most && f.page->in_cons != f.page->in_prod; most--, f.page->in_cons++, any = true)
        hear(&XENKBD_IN_RING_REF(f.page, f.page->in_cons));
    return any;
}

/* What a call has left in the page. */
static void judge(bool was_broken, bool told)
{
    const uint8_t *now = (const uint8_t *)f.page;
    uint32_t prod = f.page->in_prod;
    static const struct {
        size_t at, len;
    } may[] = {{offsetof(struct xenkbd_page, in_prod), sizeof(uint32_t)},
               {offsetof(struct xenkbd_page, out_cons), sizeof(uint32_t)},
               {XENKBD_IN_RING_OFFS, XENKBD_IN_RING_LEN * XENKBD_IN_EVENT_SIZE}};
    if (was_broken)
        fuzz_assert(!told && !memcmp(f.before + may[0].at, now + may[0].at, may[0].len));
    for (unsigned i = 0; i < sizeof(may) / sizeof(may[0]); i++)
        memcpy(f.before + may[i].at, now + may[i].at, may[i].len);
    fuzz_assert(!memcmp(f.before, now, sizeof(f.before)));
    if (f.honest)
        fuzz_assert(!vkbd_broken(f.v) && prod - f.page->in_cons <= XENKBD_IN_RING_LEN);
}

static bool type(unsigned what)
{
    static const uint16_t buttons[] = {BTN_LEFT, BTN_MIDDLE, BTN_RIGHT, BTN_SIDE, BTN_EXTRA};
    if (what == 0) {
        uint32_t code = (uint32_t)fuzz_take(&f.in, 2);
        bool down = fuzz_take(&f.in, 1) & 1;
        if (code <= KEY_MAX && code)
            f.down[code] = down;
        return vkbd_key(f.v, code, down);
    }
    if (what == 1) {
        memset(f.down, 0, sizeof(f.down));
        return vkbd_release(f.v);
    }
    if (what == 2) {
        int32_t x = (int32_t)fuzz_take(&f.in, 4), y = (int32_t)fuzz_take(&f.in, 4);
        int32_t wheel = (int32_t)fuzz_take(&f.in, 4);
        uint32_t held = (uint32_t)fuzz_take(&f.in, 1);
        for (unsigned i = 0; i < sizeof(buttons) / sizeof(buttons[0]); i++)
            f.down[buttons[i]] = held >> i & 1;
        return vkbd_point(f.v, x, y, wheel, held);
    }
    return vkbd_look(f.v);
}

static void lie(void)
{
    size_t len, at = fuzz_take(&f.in, 2) % 4096;
    const uint8_t *bytes = fuzz_take_bytes(&f.in, 1 + fuzz_take(&f.in, 1) % 16, &len);
    len = len < 4096 - at ? len : 4096 - at;
    memcpy((uint8_t *)f.page + at, bytes, len);
    f.honest = false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    memset(shared, GUARD, sizeof(shared));
    f = (struct front){.in = {data, size}, .page = &shared[1].page};
    join_honestly();
    for (unsigned n = 0; f.in.left && n < STEPS; n++) {
        unsigned what = fuzz_take(&f.in, 1) & 7;
        if (what == 4) {
            if (f.honest)
                take((unsigned)fuzz_take(&f.in, 1));
        } else if (what == 5) {
            lie();
        } else if (what == 6) {
            join_honestly();
        } else if (what == 7) {
            f.honest = false;
            join();
        } else if (f.v) {
            bool was_broken = vkbd_broken(f.v);
            memcpy(f.before, f.page, sizeof(f.before));
            bool told = type(what);
            judge(was_broken, told);
        }
    }
    while (f.honest && (take(UINT32_MAX) || vkbd_look(f.v)))
        ;
    if (f.honest)
        fuzz_assert(!memcmp(f.down, f.known, sizeof(f.down)));
    vkbd_close(f.v);
    for (size_t i = 0; i < sizeof(shared[0]); i++)
        fuzz_assert(shared[0].bytes[i] == GUARD && shared[2].bytes[i] == GUARD);
    return 0;
}
