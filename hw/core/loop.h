/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loop: the one epoll thread that owns every device and all guest state. File descriptors, deferred
 * calls, two clocks, signals, and the way other threads hand work over. Chips never include this.
 */
#ifndef HW_CORE_LOOP_H
#define HW_CORE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/core/clock.h"
#include "hw/core/err.h"

struct loop;

/* A watched descriptor. Embedded by its owner, who keeps it alive until loop_unwatch. */
struct loop_source {
    int fd;
    uint32_t events;
    bool watched;
    void (*fn)(void *opaque, uint32_t events);
    void *opaque;
};

/* A call that happens later, on the loop's thread. Embedded by its owner. Zero-initialise, then
 * deferred_init. */
struct deferred {
    void (*fn)(void *opaque);
    void *opaque;
    struct deferred *next;
    bool queued;
};

/* NULL and *err on failure (epoll, eventfd). */
struct loop *loop_new(struct err *err);
void loop_free(struct loop *loop);

/* Watches fd for `events` (EPOLLIN, EPOLLOUT, EPOLLET …); fn gets what happened. */
bool loop_watch(struct loop *loop, struct loop_source *source, int fd, uint32_t events,
                void (*fn)(void *opaque, uint32_t events), void *opaque, struct err *err);

/* Changes the events waited for; 0 parks the source (errors and hang-ups are then not reported
 * either). */
void loop_watch_events(struct loop *loop, struct loop_source *source, uint32_t events);

/* Stops watching; safe from any callback, also for a source with events already fetched, and when
 * not watched. Does not close the descriptor. */
void loop_unwatch(struct loop *loop, struct loop_source *source);

void deferred_init(struct deferred *d, void (*fn)(void *opaque), void *opaque);

/* Queues the call for after the current round of callbacks, before the loop sleeps; once however
 * often asked. Loop thread only; no lock, no system call. */
void loop_defer(struct loop *loop, struct deferred *d);

/* Takes a queued call back (loop thread only; not for posted ones). */
void loop_undefer(struct loop *loop, struct deferred *d);

/* Whether a call waits for its turn, deferred or posted: one look, no lock. */
bool loop_pending(const struct loop *loop);

/* As loop_defer, from any thread: one short lock, and one eventfd write if the loop may be asleep.
 * The caller must not post d again before it has run, or must guard that itself; a second post
 * while queued is a no-op. */
void loop_post(struct loop *loop, struct deferred *d);

/* The host's monotonic time, always running: for front-ends. */
struct clock *loop_clock(struct loop *loop);

/* Time as the guest's devices know it: stands still between loop_guest_stop and loop_guest_start.
 */
struct clock *loop_guest_clock(struct loop *loop);
void loop_guest_start(struct loop *loop);
void loop_guest_stop(struct loop *loop);

/* Calls fn on the loop's thread when signal `signo` arrives (signalfd; the signal gets blocked in
 * this thread and in threads created afterwards). */
bool loop_on_signal(struct loop *loop, int signo, void (*fn)(void *opaque), void *opaque,
                    struct err *err);

/* Calls fn at the end of every round, once the rest is done: for what is not worth waking up for,
 * but is done if we are awake. One such function; NULL: none. */
void loop_on_round(struct loop *loop, void (*fn)(void *opaque), void *opaque);

/* Runs until loop_quit; returns the code given there. */
int loop_run(struct loop *loop);

/* One round: waits at most timeout_ns (0: not at all; CLOCK_NEVER: until something happens), then
 * runs what is due. For loop_run, for draining, and for tests. */
void loop_turn(struct loop *loop, uint64_t timeout_ns);

void loop_quit(struct loop *loop, int code);

#endif
