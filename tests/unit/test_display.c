/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The display: when it refreshes, and what it tells its viewers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "hw/core/clock.h"
#include "ui/display.h"

/* A stepped clock, a chip that does what the test says, and a viewer that counts. */
static uint64_t now;
static struct clock test_clock;

static uint64_t read_now(const struct clock *c)
{
    (void)c;
    return now;
}

static void step(uint64_t ns)
{
    uint64_t until = now + ns;
    while (clock_deadline(&test_clock) <= until) {
        now = clock_deadline(&test_clock);
        clock_run(&test_clock, now);
    }
    now = until;
}

static struct {
    unsigned refreshes, full, watched_calls;
    bool watched, change;
    int width, height;
} chip;

static void chip_refresh(void *opaque, struct display *display, bool full)
{
    (void)opaque;
    chip.refreshes++;
    chip.full += full;
    display_resize(display, chip.width, chip.height);
    if (chip.change)
        display_damage(display, 10, 20, 30, 40);
}

static void chip_watched(void *opaque, bool on)
{
    (void)opaque;
    chip.watched_calls++;
    chip.watched = on;
}

static const struct display_source source = {.refresh = chip_refresh, .watched = chip_watched};

struct viewer {
    struct display_viewer v;
    unsigned resized, damaged;
    int width, height;
    pixman_box32_t box;
    struct display *leaves;
};

static void on_resized(void *opaque, pixman_image_t *surface)
{
    struct viewer *v = opaque;
    v->resized++;
    v->width = pixman_image_get_width(surface);
    v->height = pixman_image_get_height(surface);
    assert_int_equal(pixman_image_get_format(surface), PIXMAN_x8r8g8b8);
}

static void on_damaged(void *opaque, pixman_image_t *surface, const pixman_region32_t *damage)
{
    struct viewer *v = opaque;
    (void)surface;
    v->damaged++;
    v->box = *pixman_region32_extents((pixman_region32_t *)(uintptr_t)damage);
    if (v->leaves)
        display_remove_viewer(v->leaves, &v->v);
}

static struct viewer new_viewer(void)
{
    return (struct viewer){.v = {.resized = on_resized, .damaged = on_damaged}};
}

static int setup(void **state)
{
    now = 0;
    memset(&chip, 0, sizeof(chip));
    chip.width = 320;
    chip.height = 200;
    clock_init(&test_clock, read_now);
    struct display *d = display_new(&test_clock);
    assert_non_null(d);
    *state = d;
    return 0;
}

static int teardown(void **state)
{
    display_free(*state);
    clock_destroy(&test_clock);
    return 0;
}

static unsigned lit(struct display *d)
{
    pixman_image_t *s = display_surface(d);
    const uint32_t *p = pixman_image_get_data(s);
    unsigned n = 0;
    for (int i = 0; i < pixman_image_get_stride(s) / 4 * pixman_image_get_height(s); i++)
        n += (p[i] & 0xFFFFFF) != 0;
    return n;
}

static void test_without_a_chip(void **state)
{
    struct display *d = *state;
    struct viewer v = new_viewer();
    v.v.opaque = &v;
    display_add_viewer(d, &v.v);
    assert_int_equal(v.resized, 1);
    assert_int_equal(v.width, 640);
    assert_int_equal(v.height, 480);
    assert_int_equal(lit(d), 0); /* nobody looks yet: nothing is drawn */
    display_viewer_wants(d, &v.v, true);
    assert_in_range(lit(d), 1000, 20000); /* a few words */
    assert_int_equal(v.damaged, 1);
    step(NS_PER_S);
    assert_int_equal(v.damaged, 1);
    /* A chip that comes draws; when it goes, the message is back. */
    unsigned message = lit(d);
    display_set_source(d, &source, NULL);
    step(NS_PER_S);
    assert_int_equal(v.width, 320);
    display_set_source(d, NULL, NULL);
    step(NS_PER_S);
    assert_int_equal(v.width, 640);
    assert_int_equal(lit(d), message);
    assert_false(chip.watched);
}

static void test_only_while_somebody_wants(void **state)
{
    struct display *d = *state;
    struct viewer a = new_viewer(), b = new_viewer();
    a.v.opaque = &a;
    b.v.opaque = &b;
    display_set_source(d, &source, NULL);
    display_add_viewer(d, &a.v);
    display_add_viewer(d, &b.v);
    step(10 * NS_PER_S);
    assert_int_equal(chip.refreshes, 0);
    assert_int_equal(chip.watched_calls, 0);
    assert_int_equal(clock_deadline(&test_clock), CLOCK_NEVER);

    display_viewer_wants(d, &a.v, true);
    assert_true(chip.watched);
    assert_int_equal(chip.refreshes, 1); /* at once, in full */
    assert_int_equal(chip.full, 1);
    assert_int_equal(a.resized, 2);
    display_viewer_wants(d, &b.v, true);
    assert_int_equal(chip.watched_calls, 1);
    assert_int_equal(chip.full, 1);
    display_viewer_wants(d, &a.v, false);
    step(NS_PER_S);
    assert_true(chip.refreshes > 5);
    assert_int_equal(chip.full, 1);
    display_remove_viewer(d, &b.v);
    assert_false(chip.watched);
    assert_int_equal(clock_deadline(&test_clock), CLOCK_NEVER);
    display_remove_viewer(d, &b.v); /* twice is harmless */
    display_remove_viewer(d, &a.v);
    assert_int_equal(chip.watched_calls, 2);
}

static unsigned refreshes(uint64_t ns)
{
    chip.refreshes = 0;
    step(ns);
    return chip.refreshes;
}

static void test_pace(void **state)
{
    struct display *d = *state;
    struct viewer v = new_viewer();
    v.v.opaque = &v;
    display_set_source(d, &source, NULL);
    v.v.wants_updates = true;
    chip.change = true;
    display_add_viewer(d, &v.v);
    step(NS_PER_S);
    assert_in_range(refreshes(10 * NS_PER_S), 290, 310);
    /* Nothing changes any more: soon it is looked at more rarely, and in the end once in 8 s. */
    chip.change = false;
    assert_in_range(refreshes(NS_PER_S / 2), 13, 17);
    assert_in_range(refreshes(NS_PER_S / 2), 2, 6);
    assert_in_range(refreshes(9 * NS_PER_S), 6, 12);
    step(60 * NS_PER_S);
    assert_in_range(refreshes(80 * NS_PER_S), 10, 11);
    /* A change that is found then brings back the busy pace. */
    chip.change = true;
    step(8 * NS_PER_S);
    assert_in_range(refreshes(NS_PER_S), 29, 31);
    /* A key: the next refresh is soon, and the pace is kept for a while. */
    chip.change = false;
    step(60 * NS_PER_S);
    chip.refreshes = 0;
    display_quicken(d);
    step(34 * NS_PER_MS);
    assert_int_equal(chip.refreshes, 1);
    assert_in_range(refreshes(450 * NS_PER_MS), 12, 15);
    step(60 * NS_PER_S);
    /* Keys that come faster than pictures don't hold them up. */
    chip.refreshes = 0;
    for (int i = 0; i < 100; i++) {
        display_quicken(d);
        step(10 * NS_PER_MS);
    }
    assert_in_range(chip.refreshes, 28, 32);
    display_viewer_wants(d, &v.v, false);
    display_quicken(d);
    assert_int_equal(clock_deadline(&test_clock), CLOCK_NEVER);
    display_remove_viewer(d, &v.v);
}

/* What the chip tells is seen within milliseconds, and floods do not make more pictures. */
static void test_touched(void **state)
{
    struct display *d = *state;
    struct viewer v = new_viewer();
    v.v.opaque = &v;
    display_set_source(d, &source, NULL);
    display_touched(d); /* nobody looks */
    assert_int_equal(clock_deadline(&test_clock), CLOCK_NEVER);
    v.v.wants_updates = true;
    display_add_viewer(d, &v.v);
    step(60 * NS_PER_S);
    chip.refreshes = 0;
    display_touched(d);
    display_touched(d);
    assert_int_equal(chip.refreshes, 0);
    step(6 * NS_PER_MS);
    assert_int_equal(chip.refreshes, 1);
    display_touched(d);
    step(20 * NS_PER_MS);
    assert_int_equal(chip.refreshes, 1);
    step(13 * NS_PER_MS);
    assert_int_equal(chip.refreshes, 2);
    chip.refreshes = 0;
    for (int i = 0; i < 1000; i++) {
        display_touched(d);
        step(NS_PER_MS);
    }
    assert_in_range(chip.refreshes, 28, 32);
    display_viewer_wants(d, &v.v, false);
    display_remove_viewer(d, &v.v);
}

/* A blinking cursor alone: nine a second, whether the picture is the same each time or not. */
static void test_blinking(void **state)
{
    struct display *d = *state;
    struct viewer v = new_viewer();
    v.v.opaque = &v;
    display_set_source(d, &source, NULL);
    display_set_blinking(d, true);
    v.v.wants_updates = true;
    display_add_viewer(d, &v.v);
    step(60 * NS_PER_S);
    assert_in_range(refreshes(10 * NS_PER_S), 86, 89);
    chip.change = true;
    assert_in_range(refreshes(10 * NS_PER_S), 86, 89);
    display_touched(d);
    assert_in_range(refreshes(NS_PER_S / 2), 14, 17);
    display_viewer_wants(d, &v.v, false);
    display_remove_viewer(d, &v.v);
}

static void test_damage_and_resize(void **state)
{
    struct display *d = *state;
    struct viewer v = new_viewer();
    v.v.opaque = &v;
    display_set_source(d, &source, NULL);
    v.v.wants_updates = true;
    display_add_viewer(d, &v.v);
    assert_int_equal(v.width, 320);
    v.resized = v.damaged = 0;
    chip.change = true;
    display_refresh_now(d);
    assert_int_equal(v.damaged, 1);
    assert_int_equal(v.box.x1, 10);
    assert_int_equal(v.box.y1, 20);
    assert_int_equal(v.box.x2, 40);
    assert_int_equal(v.box.y2, 60);
    chip.height = 50; /* a new surface: told once, damage goes without saying */
    display_refresh_now(d);
    assert_int_equal(v.damaged, 1);
    assert_int_equal(v.resized, 1);
    assert_int_equal(v.height, 50);
    display_refresh_now(d); /* clipped */
    assert_int_equal(v.box.y2, 50);
    chip.change = false;
    v.damaged = 0;
    display_damage(d, -100, -100, 50, 50);
    display_damage(d, 320, 0, 10, 10);
    display_damage(d, 0, 0, 0, 10);
    display_damage(d, 0, 0, -5, 10);
    display_refresh_now(d);
    assert_int_equal(v.damaged, 0);
    display_damage(d, INT32_MIN, INT32_MIN, INT32_MAX, INT32_MAX);
    display_damage(d, INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX);
    display_refresh_now(d);
    assert_int_equal(v.damaged, 0);
    display_damage(d, -10, -10, INT32_MAX, INT32_MAX);
    display_refresh_now(d);
    assert_int_equal(v.damaged, 1);
    assert_int_equal(v.box.x1, 0);
    assert_int_equal(v.box.x2, 320);
    display_remove_viewer(d, &v.v);
}

static void test_sizes_are_limited(void **state)
{
    struct display *d = *state;
    display_resize(d, 0, -7);
    assert_int_equal(pixman_image_get_width(display_surface(d)), 1);
    assert_int_equal(pixman_image_get_height(display_surface(d)), 1);
    display_resize(d, 1 << 30, 2);
    assert_int_equal(pixman_image_get_width(display_surface(d)), DISPLAY_MAX_WIDTH);
    assert_int_equal(lit(d), 0);
    pixman_image_t *s = display_surface(d);
    display_resize(d, DISPLAY_MAX_WIDTH, 2);
    assert_ptr_equal(display_surface(d), s); /* the same size: the same surface */
}

static void test_unwatched_refresh_is_full(void **state)
{
    struct display *d = *state;
    display_set_source(d, &source, NULL);
    display_refresh_now(d);
    display_refresh_now(d);
    assert_int_equal(chip.full, 2);
    assert_int_equal(clock_deadline(&test_clock), CLOCK_NEVER);
}

static void test_viewer_leaves_while_told(void **state)
{
    struct display *d = *state;
    struct viewer a = new_viewer(), b = new_viewer(), c = new_viewer();
    a.v.opaque = &a;
    b.v.opaque = &b;
    c.v.opaque = &c;
    display_set_source(d, &source, NULL);
    display_add_viewer(d, &a.v);
    display_add_viewer(d, &b.v);
    display_add_viewer(d, &c.v);
    b.leaves = d;
    display_viewer_wants(d, &b.v, true);
    chip.change = true;
    step(NS_PER_S);
    assert_int_equal(a.damaged, 1);
    assert_int_equal(b.damaged, 1);
    assert_int_equal(c.damaged, 1);
    assert_int_equal(clock_deadline(&test_clock), CLOCK_NEVER);
    display_remove_viewer(d, &a.v);
    display_remove_viewer(d, &c.v);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_without_a_chip),
        TEST(test_only_while_somebody_wants),
        TEST(test_pace),
        TEST(test_touched),
        TEST(test_blinking),
        TEST(test_damage_and_resize),
        TEST(test_sizes_are_limited),
        TEST(test_unwatched_refresh_is_full),
        TEST(test_viewer_leaves_while_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
