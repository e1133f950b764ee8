/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The loop: descriptors, deferred and posted calls, both clocks, signals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "hw/core/loop.h"

static struct loop *loop;

static int setup(void **state)
{
    (void)state;
    struct err err;
    loop = loop_new(&err);
    return loop ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    loop_free(loop);
    return 0;
}

static void count(void *opaque)
{
    ++*(unsigned *)opaque;
}

struct pipe_user {
    int fd[2];
    struct loop_source source;
    struct pipe_user *other;
    unsigned calls;
};

static void readable(void *opaque, uint32_t events)
{
    struct pipe_user *u = opaque;
    char c;
    assert_true(events & EPOLLIN);
    assert_int_equal(read(u->fd[0], &c, 1), 1);
    u->calls++;
    if (u->other)
        loop_unwatch(loop, &u->other->source);
}

/* Both become ready at once; whoever runs first takes the other off, whose event was fetched
 * already. */
static void unwatch_takes_back_a_fetched_event(void **state)
{
    (void)state;
    struct pipe_user a = {.calls = 0}, b = {.calls = 0};
    assert_int_equal(pipe(a.fd), 0);
    assert_int_equal(pipe(b.fd), 0);
    a.other = &b;
    b.other = &a;
    assert_true(loop_watch(loop, &a.source, a.fd[0], EPOLLIN, readable, &a, NULL));
    assert_true(loop_watch(loop, &b.source, b.fd[0], EPOLLIN, readable, &b, NULL));
    assert_int_equal(write(a.fd[1], "x", 1), 1);
    assert_int_equal(write(b.fd[1], "x", 1), 1);
    loop_turn(loop, 0);
    loop_turn(loop, 0);
    assert_int_equal(a.calls + b.calls, 1);
    loop_unwatch(loop, &a.source);
    loop_unwatch(loop, &b.source);
    for (int i = 0; i < 2; i++) {
        close(a.fd[i]);
        close(b.fd[i]);
    }
}

static void parked_sources_are_silent(void **state)
{
    (void)state;
    struct pipe_user a = {.calls = 0};
    assert_int_equal(pipe(a.fd), 0);
    assert_true(loop_watch(loop, &a.source, a.fd[0], EPOLLIN, readable, &a, NULL));
    assert_int_equal(write(a.fd[1], "xy", 2), 2);
    loop_watch_events(loop, &a.source, 0);
    close(a.fd[1]); /* a hang-up would otherwise be reported for ever */
    loop_turn(loop, 0);
    assert_int_equal(a.calls, 0);
    loop_watch_events(loop, &a.source, EPOLLIN);
    loop_turn(loop, 0);
    loop_turn(loop, 0);
    assert_int_equal(a.calls, 2);
    loop_unwatch(loop, &a.source);
    close(a.fd[0]);
    struct err err;
    assert_false(loop_watch(loop, &a.source, -1, EPOLLIN, readable, &a, &err));
}

static struct deferred self;
static unsigned self_runs;

static void defer_again(void *opaque)
{
    (void)opaque;
    self_runs++;
    loop_defer(loop, &self);
}

static void deferred_calls(void **state)
{
    (void)state;
    unsigned n = 0;
    struct deferred a, b;
    deferred_init(&a, count, &n);
    deferred_init(&b, count, &n);
    loop_defer(loop, &a);
    loop_defer(loop, &a);
    loop_defer(loop, &b);
    loop_undefer(loop, &b);
    loop_turn(loop, CLOCK_NEVER); /* must not sleep */
    assert_int_equal(n, 1);
    loop_turn(loop, 0);
    assert_int_equal(n, 1);
    deferred_init(&self, defer_again, NULL);
    loop_defer(loop, &self);
    loop_turn(loop, 0);
    assert_int_equal(self_runs, 1); /* once a round, so that descriptors get their turn */
    loop_turn(loop, 0);
    assert_int_equal(self_runs, 2);
    loop_undefer(loop, &self);
}

static void *poster(void *opaque)
{
    for (int i = 0; i < 20000; i++)
        loop_post(loop, opaque);
    return NULL;
}

static unsigned posted_runs;
static struct deferred last_post;

static void posted(void *opaque)
{
    (void)opaque;
    posted_runs++;
}

static void quit_now(void *opaque)
{
    (void)opaque;
    loop_quit(loop, 7);
}

static void *post_quit(void *opaque)
{
    loop_post(loop, opaque);
    return NULL;
}

static void posts_wake_a_sleeping_loop(void **state)
{
    (void)state;
    pthread_t thread;
    struct deferred d;
    deferred_init(&d, posted, NULL);
    posted_runs = 0;
    assert_int_equal(pthread_create(&thread, NULL, poster, &d), 0);
    while (!posted_runs)
        loop_turn(loop, CLOCK_NEVER);
    pthread_join(thread, NULL);
    loop_turn(loop, 0);
    loop_turn(loop, 0);
    assert_false(d.queued);

    deferred_init(&last_post, quit_now, NULL);
    assert_int_equal(pthread_create(&thread, NULL, post_quit, &last_post), 0);
    assert_int_equal(loop_run(loop), 7);
    pthread_join(thread, NULL);
}

static void guest_time_stands_still(void **state)
{
    (void)state;
    struct clock *guest = loop_guest_clock(loop);
    unsigned host_fired = 0, guest_fired = 0;
    struct timer h, g;
    assert_int_equal(clock_now(guest), 0);
    timer_init(&h, loop_clock(loop), count, &host_fired);
    timer_init(&g, guest, count, &guest_fired);
    timer_arm(&g, 0);
    timer_arm_in(&h, NS_PER_MS);
    while (!host_fired)
        loop_turn(loop, CLOCK_NEVER);
    assert_int_equal(guest_fired, 0); /* due, but the guest does not run */
    assert_int_equal(clock_now(guest), 0);
    loop_guest_start(loop);
    loop_turn(loop, CLOCK_NEVER);
    assert_int_equal(guest_fired, 1);
    loop_guest_stop(loop);
    uint64_t stopped = clock_now(guest);
    assert_true(stopped > 0);
    assert_true(clock_now(guest) == stopped);
    loop_guest_start(loop);
    assert_true(clock_now(guest) >= stopped);
    timer_destroy(&h);
    timer_destroy(&g);
}

static void signals(void **state)
{
    (void)state;
    unsigned n = 0;
    struct err err;
    assert_true(loop_on_signal(loop, SIGUSR1, count, &n, &err));
    assert_true(loop_on_signal(loop, SIGUSR2, count, &n, &err));
    raise(SIGUSR1);
    raise(SIGUSR2);
    loop_turn(loop, 0);
    assert_int_equal(n, 2);
}

struct order {
    struct deferred last;
    unsigned at_round, rounds;
};

static void ran_last(void *opaque)
{
    struct order *o = opaque;
    o->at_round = o->rounds + 1;
}

static void at_round(void *opaque)
{
    ((struct order *)opaque)->rounds++;
}

/* After everything else that there was to do; the loop does not wake up for it. */
static void each_round_has_an_end(void **state)
{
    (void)state;
    struct order o = {.rounds = 0};
    deferred_init(&o.last, ran_last, &o);
    loop_on_round(loop, at_round, &o);
    loop_turn(loop, 0);
    assert_int_equal(o.rounds, 1);
    loop_defer(loop, &o.last);
    loop_turn(loop, 0);
    assert_int_equal(o.rounds, 2);
    assert_int_equal(o.at_round, 2);
    assert_int_equal(clock_deadline(loop_clock(loop)), CLOCK_NEVER);
    loop_on_round(loop, NULL, NULL);
    loop_turn(loop, 0);
    assert_int_equal(o.rounds, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(unwatch_takes_back_a_fetched_event, setup, teardown),
        cmocka_unit_test_setup_teardown(parked_sources_are_silent, setup, teardown),
        cmocka_unit_test_setup_teardown(deferred_calls, setup, teardown),
        cmocka_unit_test_setup_teardown(posts_wake_a_sleeping_loop, setup, teardown),
        cmocka_unit_test_setup_teardown(guest_time_stands_still, setup, teardown),
        cmocka_unit_test_setup_teardown(each_round_has_an_end, setup, teardown),
        cmocka_unit_test_setup_teardown(signals, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
