/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Timers: order, re-arming, disarming, and that a timer cannot hold the loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "hw/core/clock.h"

static uint64_t now;
static unsigned fired[64], fired_count;

static uint64_t test_now(const struct clock *clock)
{
    (void)clock;
    return now;
}

static void fire(void *opaque)
{
    fired[fired_count++ % 64] = (unsigned)(uintptr_t)opaque;
}

static void in_order_of_deadline(void **state)
{
    (void)state;
    struct clock clock;
    struct timer t[50];
    now = 0;
    fired_count = 0;
    clock_init(&clock, test_now);
    assert_true(clock_deadline(&clock) == CLOCK_NEVER);
    for (unsigned i = 0; i < 50; i++)
        timer_init(&t[i], &clock, fire, (void *)(uintptr_t)((i * 37) % 50));
    for (unsigned i = 0; i < 50; i++)
        timer_arm(&t[i], 100 + (i * 37) % 50);
    assert_int_equal(clock_deadline(&clock), 100);
    clock_run(&clock, 99);
    assert_int_equal(fired_count, 0);
    clock_run(&clock, 124);
    assert_int_equal(fired_count, 25);
    clock_run(&clock, 1000);
    assert_int_equal(fired_count, 50);
    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(fired[i], i);
    for (unsigned i = 0; i < 50; i++)
        timer_destroy(&t[i]);
    clock_destroy(&clock);
}

/* Random arming, moving and disarming against a plain array. */
static void agrees_with_a_plain_list(void **state)
{
    (void)state;
    enum { N = 40 };
    struct clock clock;
    struct timer t[N];
    uint64_t model[N];
    now = 0;
    clock_init(&clock, test_now);
    srand(1);
    for (unsigned i = 0; i < N; i++) {
        timer_init(&t[i], &clock, fire, NULL);
        model[i] = CLOCK_NEVER;
    }
    for (unsigned step = 0; step < 20000; step++) {
        unsigned i = (unsigned)rand() % N;
        if (rand() % 3 == 0) {
            timer_disarm(&t[i]);
            model[i] = CLOCK_NEVER;
        } else {
            model[i] = (uint64_t)rand() % 1000;
            timer_arm(&t[i], model[i]);
        }
        uint64_t least = CLOCK_NEVER;
        for (unsigned k = 0; k < N; k++) {
            if (model[k] < least)
                least = model[k];
            assert_int_equal(timer_armed(&t[k]), model[k] != CLOCK_NEVER);
        }
        assert_true(clock_deadline(&clock) == least);
    }
    for (unsigned i = 0; i < N; i++)
        timer_destroy(&t[i]);
    clock_destroy(&clock);
}

static struct timer *again;

static void rearm(void *opaque)
{
    (void)opaque;
    fired_count++;
    timer_arm(again, 0);
}

static void rearming_in_the_past_runs_once_a_call(void **state)
{
    (void)state;
    struct clock clock;
    struct timer t;
    now = 10;
    fired_count = 0;
    clock_init(&clock, test_now);
    timer_init(&t, &clock, rearm, NULL);
    again = &t;
    timer_arm_in(&t, 5);
    assert_int_equal(clock_deadline(&clock), 15);
    clock_run(&clock, 20);
    assert_int_equal(fired_count, 1);
    assert_true(timer_armed(&t));
    clock_run(&clock, 20);
    assert_int_equal(fired_count, 2);
    timer_arm_in(&t, UINT64_MAX);
    assert_true(clock_deadline(&clock) == CLOCK_NEVER);
    timer_destroy(&t);
    timer_destroy(&t); /* harmless */
    clock_destroy(&clock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_order_of_deadline),
        cmocka_unit_test(agrees_with_a_plain_list),
        cmocka_unit_test(rearming_in_the_past_runs_once_a_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
