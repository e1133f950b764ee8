/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of hw/xen/vkbd.c: what a driver finds in its ring; drivers that are slow, or lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <linux/input-event-codes.h>
#include <string.h>
#include <xen/xen.h>
/* It needs the types of xen.h. */
#include <xen/io/kbdif.h>

#include "hw/xen/vkbd.h"

static union {
    struct xenkbd_page page;
    uint8_t bytes[4096];
} shared __attribute__((aligned(4096)));

static struct vkbd *v;

static int setup(void **state)
{
    struct err err;
    (void)state;
    memset(&shared, 0, sizeof(shared));
    v = vkbd_open(&shared, VKBD_ABS_MAX, VKBD_ABS_MAX, &err);
    return v ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    vkbd_close(v);
    /* Outside the ring and the indexes nothing is written. */
    for (unsigned i = sizeof(struct xenkbd_page); i < XENKBD_IN_RING_OFFS; i++)
        assert_int_equal(shared.bytes[i], 0);
    for (unsigned i = XENKBD_IN_RING_OFFS + XENKBD_IN_RING_LEN * XENKBD_IN_EVENT_SIZE; i < 4096;
         i++)
        assert_int_equal(shared.bytes[i], 0);
    return 0;
}

/* The driver's side. */
static union xenkbd_in_event take(void)
{
    assert_int_not_equal(shared.page.in_prod, shared.page.in_cons);
    union xenkbd_in_event e = XENKBD_IN_RING_REF(&shared, shared.page.in_cons);
    shared.page.in_cons++;
    return e;
}

static void expect_key(uint32_t code, bool down)
{
    union xenkbd_in_event e = take();
    assert_int_equal(e.type, XENKBD_TYPE_KEY);
    assert_int_equal(e.key.keycode, code);
    assert_int_equal(e.key.pressed, down);
    for (unsigned i = sizeof(e.key); i < sizeof(e); i++)
        assert_int_equal(e.pad[i], 0);
}

static void expect_position(int32_t x, int32_t y, int32_t z)
{
    union xenkbd_in_event e = take();
    assert_int_equal(e.type, XENKBD_TYPE_POS);
    assert_int_equal(e.pos.abs_x, x);
    assert_int_equal(e.pos.abs_y, y);
    assert_int_equal(e.pos.rel_z, z);
}

static void expect_nothing(void)
{
    assert_int_equal(shared.page.in_prod, shared.page.in_cons);
}

static void keys(void **state)
{
    (void)state;
    assert_true(vkbd_key(v, KEY_A, true));
    assert_true(vkbd_key(v, KEY_A, true)); /* held */
    assert_true(vkbd_key(v, KEY_MAX, true));
    assert_true(vkbd_key(v, KEY_A, false));
    assert_false(vkbd_key(v, KEY_A, false));
    assert_false(vkbd_key(v, 0, true));
    assert_false(vkbd_key(v, KEY_MAX + 1, true));
    assert_false(vkbd_key(v, UINT32_MAX, true));
    expect_key(KEY_A, true);
    expect_key(KEY_A, true);
    expect_key(KEY_MAX, true);
    expect_key(KEY_A, false);
    expect_nothing();
    assert_true(vkbd_release(v));
    expect_key(KEY_MAX, false);
    assert_false(vkbd_release(v));
    expect_nothing();
}

static void pointer(void **state)
{
    (void)state;
    assert_true(vkbd_point(v, 100, 0x7FFF, 0, 0));
    expect_position(100, 0x7FFF, 0);
    assert_false(vkbd_point(v, 100, 0x7FFF, 0, 0)); /* nothing new */
    assert_true(vkbd_point(v, 100, 0x7FFF, 2, 1));  /* the wheel turned away from the user */
    expect_position(100, 0x7FFF, -2);
    expect_key(BTN_LEFT, true);
    assert_true(vkbd_point(v, 100, 0x7FFF, 0, 0x1E));
    expect_key(BTN_LEFT, false);
    expect_key(BTN_RIGHT, true);
    expect_key(BTN_MIDDLE, true);
    expect_key(BTN_SIDE, true);
    expect_key(BTN_EXTRA, true);
    expect_nothing();
    assert_true(vkbd_point(v, INT32_MIN, INT32_MAX, INT32_MIN, UINT32_MAX));
    expect_position(0, 0x7FFF, 1000);
    expect_key(BTN_LEFT, true);
    expect_nothing();
}

/* A driver with a screen of its own: its last pixel is reached. */
static void range(void **state)
{
    struct err err;
    (void)state;
    vkbd_close(v);
    v = vkbd_open(&shared, 799, UINT32_C(0x7FFFFFFF), &err);
    vkbd_point(v, 0x7FFF, 0x7FFF, 0, 0);
    expect_position(799, 0x7FFFFFFF, 0);
    vkbd_point(v, 0x4000, 0, 0, 0);
    expect_position(399, 0, 0);
}

/* A driver that sleeps: no key stays down, the newest position comes, and nothing is overwritten.
 */
static void slow_driver(void **state)
{
    unsigned full = XENKBD_IN_RING_LEN;
    (void)state;
    vkbd_key(v, KEY_LEFTSHIFT, true);
    for (unsigned i = 1; i < full; i++)
        assert_true(vkbd_point(v, (int)i, 0, 0, 0));
    assert_false(vkbd_point(v, 5, 6, 1, 1));
    assert_false(vkbd_point(v, 7, 8, 1, 1));
    assert_false(vkbd_key(v, KEY_LEFTSHIFT, false));
    assert_false(vkbd_key(v, KEY_X, true));
    assert_false(vkbd_key(v, KEY_X, true));
    assert_false(vkbd_key(v, KEY_Y, true));
    assert_false(vkbd_key(v, KEY_Y, false)); /* nobody will know */
    assert_int_equal(shared.page.in_prod, full);
    expect_key(KEY_LEFTSHIFT, true);
    assert_true(vkbd_look(v));
    for (unsigned i = 1; i < full; i++)
        expect_position((int)i, 0, 0);
    expect_position(7, 8, -2);
    expect_nothing();
    assert_true(vkbd_look(v));
    expect_key(KEY_LEFTSHIFT, false);
    expect_key(KEY_X, true);
    expect_key(BTN_LEFT, true);
    expect_nothing();
    assert_false(vkbd_look(v));
}

/* Over the ring's end and the index's. */
static void indexes_wrap(void **state)
{
    struct err err;
    (void)state;
    vkbd_close(v);
    shared.page.in_prod = shared.page.in_cons = UINT32_MAX - 60;
    v = vkbd_open(&shared, 1000, 1000, &err);
    assert_non_null(v);
    for (unsigned i = 0; i < 200; i++) {
        assert_true(vkbd_key(v, KEY_B, !(i & 1)));
        expect_key(KEY_B, !(i & 1));
    }
    assert_false(vkbd_broken(v));
}

static void lies(void **state)
{
    struct err err;
    (void)state;
    shared.page.out_prod = 77; /* what is never sent is never read */
    assert_false(vkbd_look(v));
    assert_int_equal(shared.page.out_cons, 77);
    shared.page.in_prod = 40; /* ours: not believed */
    vkbd_key(v, KEY_A, true);
    assert_int_equal(shared.page.in_prod, 1);
    shared.page.in_cons = 2;
    assert_false(vkbd_key(v, KEY_A, false));
    assert_true(vkbd_broken(v));
    shared.page.in_cons = 0;
    assert_false(vkbd_point(v, 1, 1, 1, 1));
    assert_int_equal(shared.page.in_prod, 1);
    shared.page = (struct xenkbd_page){.in_prod = 100, .in_cons = 100 - XENKBD_IN_RING_LEN - 1};
    assert_null(vkbd_open(&shared, 1, 1, &err));
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(keys), TEST(pointer), TEST(range), TEST(slow_driver), TEST(indexes_wrap), TEST(lies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
