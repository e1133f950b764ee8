/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The display: when it refreshes, and what it tells its viewers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
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
    struct display_damage damage;
    struct display_rect box; /* around all of that */
    struct display *leaves;
};

static void on_resized(void *opaque, const struct surface *surface)
{
    struct viewer *v = opaque;
    v->resized++;
    v->width = surface->width;
    v->height = surface->height;
}

static void on_damaged(void *opaque, const struct surface *surface,
                       const struct display_damage *damage)
{
    struct viewer *v = opaque;
    (void)surface;
    v->damaged++;
    v->damage = *damage;
    assert_in_range(damage->count, 1, DISPLAY_MAX_RECTS);
    v->box = damage->rects[0];
    for (unsigned i = 0; i < damage->count; i++) {
        const struct display_rect *r = &damage->rects[i];
        assert_true(r->x1 >= 0 && r->y1 >= 0 && r->x1 < r->x2 && r->y1 < r->y2);
        assert_true(r->x2 <= surface->width && r->y2 <= surface->height);
        v->box.x1 = r->x1 < v->box.x1 ? r->x1 : v->box.x1;
        v->box.y1 = r->y1 < v->box.y1 ? r->y1 : v->box.y1;
        v->box.x2 = r->x2 > v->box.x2 ? r->x2 : v->box.x2;
        v->box.y2 = r->y2 > v->box.y2 ? r->y2 : v->box.y2;
    }
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
    const struct surface *s = display_surface(d);
    unsigned n = 0;
    for (int i = 0; i < s->width * s->height; i++)
        n += (s->pixels[i] & 0xFFFFFF) != 0;
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
    assert_in_range(refreshes(9 * NS_PER_S), 36, 46);
    assert_in_range(refreshes(20 * NS_PER_S), 20, 25);
    step(140 * NS_PER_S);
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

/* Whatever else keeps the loop awake, the picture is looked at three times a second, and no oftener
 * for that; nobody is woken for it, and what it finds is followed. */
static void test_awake_anyway(void **state)
{
    struct display *d = *state;
    struct viewer v = new_viewer();
    v.v.opaque = &v;
    display_set_source(d, &source, NULL);
    display_add_viewer(d, &v.v);
    display_awake(d); /* nobody looks */
    assert_int_equal(chip.refreshes, 0);
    display_viewer_wants(d, &v.v, true);
    step(200 * NS_PER_S);
    chip.refreshes = 0;
    for (unsigned i = 0; i < 10000; i++) {
        now += NS_PER_MS;
        clock_run(&test_clock, now);
        display_awake(d);
    }
    assert_in_range(chip.refreshes, 29, 31);
    assert_true(clock_deadline(&test_clock) - now > 7 * NS_PER_S);
    chip.change = true;
    step(NS_PER_S / 3);
    chip.refreshes = v.damaged = 0;
    display_awake(d);
    assert_int_equal(v.damaged, 1);
    assert_in_range(refreshes(NS_PER_S), 29, 31);
    /* What is not the chip's says itself when it changes. */
    display_show(d, &source, NULL);
    step(10 * NS_PER_S);
    chip.refreshes = 0;
    display_awake(d);
    assert_int_equal(chip.refreshes, 0);
    display_show(d, NULL, NULL);
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

static void several_rects(void *opaque, struct display *display, bool full)
{
    const unsigned *n = opaque;
    (void)full;
    display_resize(display, 320, 200);
    for (int i = 0; i < (int)*n; i++) /* they touch nowhere */
        display_damage(display, i * 3, (i % 7) * 9, 2, 2);
}

static void line_by_line(void *opaque, struct display *display, bool full)
{
    (void)opaque;
    (void)full;
    display_resize(display, 320, 200);
    for (int y = 10; y < 50; y++)
        display_damage(display, 0, y, 320, 1);
    display_damage(display, 5, 20, 7, 7);   /* in it */
    display_damage(display, 0, 45, 320, 9); /* goes on */
    display_damage(display, 100, 100, 10, 10);
    display_damage(display, 110, 100, 10, 10);
    display_damage(display, -5, 150, 0, 10); /* nothing */
}

static void test_rects_are_few(void **state)
{
    static const struct display_source lines = {.refresh = line_by_line};
    static const struct display_source many = {.refresh = several_rects};
    struct display *d = *state;
    struct viewer v = new_viewer();
    unsigned n = DISPLAY_MAX_RECTS;
    v.v.opaque = &v;
    display_set_source(d, &lines, NULL);
    display_add_viewer(d, &v.v);
    display_viewer_wants(d, &v.v, true); /* the size */
    display_refresh_now(d);
    const struct display_rect *r = v.damage.rects;
    assert_int_equal(v.damage.count, 2);
    assert_true(r[0].x1 == 0 && r[0].y1 == 10 && r[0].x2 == 320 && r[0].y2 == 54);
    assert_true(r[1].x1 == 100 && r[1].y1 == 100 && r[1].x2 == 120 && r[1].y2 == 110);

    display_set_source(d, &many, &n);
    display_refresh_now(d);
    assert_int_equal(v.damage.count, DISPLAY_MAX_RECTS);
    n++; /* one more than can be told apart */
    display_refresh_now(d);
    assert_int_equal(v.damage.count, 1);
    assert_true(r[0].x1 == 0 && r[0].y1 == 0 && r[0].x2 == (int)n * 3 - 1 && r[0].y2 == 6 * 9 + 2);
    display_remove_viewer(d, &v.v);
}

static void test_sizes_are_limited(void **state)
{
    struct display *d = *state;
    display_resize(d, 0, -7);
    const struct surface *s = display_surface(d);
    assert_int_equal(s->width, 1);
    assert_int_equal(s->height, 1);
    display_resize(d, 1 << 30, 2);
    assert_int_equal(s->width, DISPLAY_MAX_WIDTH);
    assert_int_equal(lit(d), 0);
    const uint32_t *pixels = s->pixels;
    display_resize(d, DISPLAY_MAX_WIDTH, 2);
    assert_ptr_equal(s->pixels, pixels); /* the same size: the same pixels */
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

static struct {
    unsigned refreshes, full;
} text;

static void text_refresh(void *opaque, struct display *display, bool full)
{
    (void)opaque;
    text.refreshes++;
    text.full += full;
    display_resize(display, 64, 32);
    display_damage(display, 0, 0, 8, 16);
}

static const struct display_source text_source = {.refresh = text_refresh};

/* Another picture in place of the chip's: looked at when it says so, and at no other time. */
static void test_something_else_is_shown(void **state)
{
    struct display *d = *state;
    struct viewer v = new_viewer();
    v.v.opaque = &v;
    memset(&text, 0, sizeof(text));
    display_set_source(d, &source, NULL);
    display_add_viewer(d, &v.v);
    display_viewer_wants(d, &v.v, true);
    assert_true(chip.watched);
    assert_int_equal(v.width, 320);
    display_set_blinking(d, true);

    display_show(d, &text_source, NULL);
    assert_false(chip.watched);
    step(NS_PER_S);
    assert_int_equal(text.refreshes, 1);
    assert_int_equal(text.full, 1);
    assert_int_equal(v.width, 64);
    assert_int_equal(clock_deadline(&test_clock), CLOCK_NEVER);
    unsigned refreshes = chip.refreshes;
    display_touched(d); /* the chip's */
    display_quicken(d);
    assert_int_equal(clock_deadline(&test_clock), CLOCK_NEVER);
    for (unsigned i = 0; i < 100; i++) { /* often, and yet no oftener than a screen is looked at */
        display_shown_changed(d);
        step(NS_PER_MS);
    }
    assert_in_range(text.refreshes, 3, 6);
    assert_int_equal(text.full, 1);
    step(NS_PER_S);
    assert_int_equal(clock_deadline(&test_clock), CLOCK_NEVER);
    assert_int_equal(chip.refreshes, refreshes);

    /* Nobody looks; then somebody does. */
    display_shown_changed(d);
    display_viewer_wants(d, &v.v, false);
    assert_int_equal(clock_deadline(&test_clock), CLOCK_NEVER);
    display_shown_changed(d);
    assert_int_equal(clock_deadline(&test_clock), CLOCK_NEVER);
    display_viewer_wants(d, &v.v, true);
    assert_int_equal(text.full, 2);
    step(NS_PER_S);
    unsigned before = text.refreshes;
    display_shown_changed(d);
    step(NS_PER_S);
    assert_int_equal(text.refreshes, before + 1);

    /* The chip's picture is to be had all the same, and the viewers see nothing of it. */
    struct surface s;
    unsigned resized = v.resized;
    assert_true(display_guest_picture(d, &s));
    assert_int_equal(s.width, 320);
    assert_int_equal(s.height, 200);
    free(s.pixels);
    assert_int_equal(display_surface(d)->width, 64);

    display_show(d, NULL, NULL);
    assert_true(chip.watched);
    unsigned full = chip.full;
    step(NS_PER_S);
    assert_int_equal(chip.full, full + 1);
    assert_int_equal(v.width, 320);
    assert_int_equal(v.resized, resized + 1);
    assert_true(clock_deadline(&test_clock) != CLOCK_NEVER);
    assert_true(display_guest_picture(d, &s));
    free(s.pixels);
    step(10 * NS_PER_S);
    assert_int_equal(chip.full, full + 3); /* the picture itself, and what the viewers get next */
    display_remove_viewer(d, &v.v);
    display_set_source(d, NULL, NULL);
    assert_true(display_guest_picture(d, &s));
    assert_int_equal(s.width, 640);
    free(s.pixels);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_without_a_chip),
        TEST(test_only_while_somebody_wants),
        TEST(test_pace),
        TEST(test_awake_anyway),
        TEST(test_touched),
        TEST(test_blinking),
        TEST(test_damage_and_resize),
        TEST(test_rects_are_few),
        TEST(test_sizes_are_limited),
        TEST(test_unwatched_refresh_is_full),
        TEST(test_viewer_leaves_while_told),
        TEST(test_something_else_is_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
