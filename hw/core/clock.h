/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * clock: time as devices know it, in nanoseconds, and timers on it. A device never asks the host
 * for the time: the loop gives it a clock that runs with the guest, a test gives it one that it
 * steps.
 */
#ifndef HW_CORE_CLOCK_H
#define HW_CORE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NS_PER_US   UINT64_C(1000)
#define NS_PER_MS   UINT64_C(1000000)
#define NS_PER_S    UINT64_C(1000000000)
#define CLOCK_NEVER UINT64_MAX

struct timer;

/* A source of time with the timers that wait on it. Embedded by its owner; no field is for others.
 */
struct clock {
    uint64_t (*now)(const struct clock *clock);
    struct timer **heap; /* binary heap by deadline, entries 1..armed */
    size_t armed;
    size_t capacity; /* grown by timer_init only, so that arming never allocates */
    size_t timers;
};

struct timer {
    struct clock *clock;
    uint64_t deadline;
    size_t heap_index; /* 0: not armed */
    void (*fn)(void *opaque);
    void *opaque;
};

/* Prepares a clock whose time is what `now` returns. */
void clock_init(struct clock *clock, uint64_t (*now)(const struct clock *clock));

/* Frees what the clock holds. Its timers must have been destroyed or must not be used any more. */
void clock_destroy(struct clock *clock);

/* Nanoseconds since the clock's own zero; never goes back. */
uint64_t clock_now(const struct clock *clock);

/* The earliest armed deadline, or CLOCK_NEVER. */
uint64_t clock_deadline(const struct clock *clock);

/* Runs every timer whose deadline is not after `until` (normally clock_now), earliest first. A
 * timer re-armed by its own function at or before `until` runs again at the next call, not in this
 * one. */
void clock_run(struct clock *clock, uint64_t until);

/* Binds a timer to its clock and function; may allocate, so it belongs in realize. Aborts on
 * exhaustion. */
void timer_init(struct timer *timer, struct clock *clock, void (*fn)(void *opaque), void *opaque);

/* (Re-)arms: fn(opaque) runs once when the clock reaches `deadline` (absolute, ns). Never
 * allocates. */
void timer_arm(struct timer *timer, uint64_t deadline);

/* Arms `delay` ns from now. */
void timer_arm_in(struct timer *timer, uint64_t delay);

void timer_disarm(struct timer *timer);
bool timer_armed(const struct timer *timer);

/* Disarms and gives the timer's place in the heap back. */
void timer_destroy(struct timer *timer);

#endif
