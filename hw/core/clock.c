/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clock: see clock.h. A binary heap of armed timers, at entries 1..armed. */
#include "hw/core/clock.h"

#include <stdlib.h>

void clock_init(struct clock *clock, uint64_t (*now)(const struct clock *clock))
{
    *clock = (struct clock){.now = now};
}

void clock_destroy(struct clock *clock)
{
    free(clock->heap);
    *clock = (struct clock){.now = clock->now};
}

uint64_t clock_now(const struct clock *clock)
{
    return clock->now(clock);
}

uint64_t clock_deadline(const struct clock *clock)
{
    return clock->armed ? clock->heap[1]->deadline : CLOCK_NEVER;
}

static void place(struct clock *clock, size_t i, struct timer *timer)
{
    clock->heap[i] = timer;
    timer->heap_index = i;
}

static void sift_up(struct clock *clock, size_t i)
{
    struct timer *timer = clock->heap[i];
    while (i > 1 && clock->heap[i / 2]->deadline > timer->deadline) {
        place(clock, i, clock->heap[i / 2]);
        i /= 2;
    }
    place(clock, i, timer);
}

static void sift_down(struct clock *clock, size_t i)
{
    struct timer *timer = clock->heap[i];
    for (;;) {
        size_t child = 2 * i;
        if (child > clock->armed)
            break;
        if (child < clock->armed && clock->heap[child + 1]->deadline < clock->heap[child]->deadline)
            child++;
        if (clock->heap[child]->deadline >= timer->deadline)
            break;
        place(clock, i, clock->heap[child]);
        i = child;
    }
    place(clock, i, timer);
}

void timer_init(struct timer *timer, struct clock *clock, void (*fn)(void *opaque), void *opaque)
{
    *timer = (struct timer){.clock = clock, .fn = fn, .opaque = opaque};
    clock->timers++;
    if (clock->timers >= clock->capacity) {
        size_t capacity = clock->capacity ? clock->capacity * 2 : 32;
        struct timer **heap = realloc(clock->heap, capacity * sizeof(struct timer *));
        if (!heap)
            abort(); /* at start-up, on behalf of no guest */
        clock->heap = heap;
        clock->capacity = capacity;
    }
}

void timer_arm(struct timer *timer, uint64_t deadline)
{
    struct clock *clock = timer->clock;
    if (timer->heap_index) {
        if (deadline == timer->deadline)
            return;
        bool sooner = deadline < timer->deadline;
        timer->deadline = deadline;
        if (sooner)
            sift_up(clock, timer->heap_index);
        else
            sift_down(clock, timer->heap_index);
        return;
    }
    timer->deadline = deadline;
    clock->armed++;
    place(clock, clock->armed, timer);
    sift_up(clock, clock->armed);
}

void timer_arm_in(struct timer *timer, uint64_t delay)
{
    uint64_t now = clock_now(timer->clock);
    timer_arm(timer, delay > CLOCK_NEVER - now ? CLOCK_NEVER : now + delay);
}

void timer_disarm(struct timer *timer)
{
    size_t i = timer->heap_index;
    if (!i)
        return;
    struct clock *clock = timer->clock;
    struct timer *last = clock->heap[clock->armed--];
    timer->heap_index = 0;
    if (last == timer)
        return;
    place(clock, i, last);
    sift_up(clock, i);
    sift_down(clock, last->heap_index);
}

bool timer_armed(const struct timer *timer)
{
    return timer->heap_index != 0;
}

void timer_destroy(struct timer *timer)
{
    if (!timer->clock)
        return;
    timer_disarm(timer);
    timer->clock->timers--;
    timer->clock = NULL;
}

void clock_run(struct clock *clock, uint64_t until)
{
    /* A timer that re-arms itself in the past must not hold the loop: each runs at most once a
     * call. */
    size_t budget = clock->armed;
    while (budget-- && clock->armed && clock->heap[1]->deadline <= until) {
        struct timer *timer = clock->heap[1];
        timer_disarm(timer);
        timer->fn(timer->opaque);
    }
}
