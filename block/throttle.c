/* SPDX-License-Identifier: GPL-2.0-or-later */
/* throttle: see throttle.h. */
#include "block/throttle.h"

#include <stdlib.h>

#include "block/block_int.h"

/* A bucket without max= holds this part of a second's worth; so does the one that limits a long
 * burst's own rate. */
#define BURST 10.0

struct throttle {
    struct clock *clock;
    void (*start)(struct block_request *request);
    struct block_limits limits;
    struct {
        double level; /* bytes or operations; empties at avg */
        double burst; /* the same for max=, where a burst may last longer than a second */
    } of[BLOCK_LIMIT_COUNT];
    uint64_t emptied;            /* the time up to which the buckets have been emptied */
    struct block_list queues[2]; /* reads, and all others */
    struct timer timer;          /* armed only while something waits */
};

/* Does this limit count requests of this kind? */
static bool counts(enum block_limit limit, bool write)
{
    switch (limit) {
    case BLOCK_LIMIT_BPS_READ:
    case BLOCK_LIMIT_IOPS_READ:
        return !write;
    case BLOCK_LIMIT_BPS_WRITE:
    case BLOCK_LIMIT_IOPS_WRITE:
        return write;
    default:
        return true;
    }
}

static bool is_write(const struct block_request *r)
{
    return r->op != BLOCK_READ;
}

static double empty_by(double level, double amount)
{
    return level > amount ? level - amount : 0;
}

static void empty_buckets(struct throttle *t)
{
    uint64_t now = clock_now(t->clock);
    double seconds = (double)(now - t->emptied) / (double)NS_PER_S;

    t->emptied = now;
    for (unsigned i = 0; i < BLOCK_LIMIT_COUNT; i++) {
        t->of[i].level = empty_by(t->of[i].level, (double)t->limits.of[i].avg * seconds);
        t->of[i].burst = empty_by(t->of[i].burst, (double)t->limits.of[i].max * seconds);
    }
}

/* Seconds until the next request of this kind may start. */
static double wait_seconds(const struct throttle *t, bool write)
{
    double longest = 0;

    for (unsigned i = 0; i < BLOCK_LIMIT_COUNT; i++) {
        double avg = (double)t->limits.of[i].avg, max = (double)t->limits.of[i].max;
        uint32_t length = t->limits.of[i].length;
        if (avg == 0 || !counts((enum block_limit)i, write))
            continue;
        double room = max > 0 ? max * (length > 1 ? length : 1) : avg / BURST;
        double wait = (t->of[i].level - room) / avg;
        if (wait > longest)
            longest = wait;
        wait = length > 1 && max > 0 ? (t->of[i].burst - max / BURST) / max : 0;
        if (wait > longest)
            longest = wait;
    }
    return longest;
}

static void pour(struct throttle *t, const struct block_request *r)
{
    /* What is discarded moves no data. */
    double bytes = r->op == BLOCK_DISCARD ? 0 : (double)r->bytes, operations = 1;

    if (t->limits.iops_size && bytes > (double)t->limits.iops_size)
        operations = bytes / (double)t->limits.iops_size;
    for (unsigned i = 0; i < BLOCK_LIMIT_COUNT; i++) {
        if (!t->limits.of[i].avg || !counts((enum block_limit)i, is_write(r)))
            continue;
        double amount = i < BLOCK_LIMIT_IOPS ? bytes : operations;
        t->of[i].level += amount;
        if (t->limits.of[i].length > 1)
            t->of[i].burst += amount;
    }
}

static void arm(struct throttle *t)
{
    double shortest = -1;

    for (int write = 0; write < 2; write++) {
        if (!t->queues[write].first)
            continue;
        double wait = wait_seconds(t, write);
        if (shortest < 0 || wait < shortest)
            shortest = wait;
    }
    if (shortest < 0)
        timer_disarm(&t->timer);
    else if (shortest > 3600)
        timer_arm_in(&t->timer, 3600 * NS_PER_S);
    else
        timer_arm_in(&t->timer, (uint64_t)(shortest * (double)NS_PER_S) + 1);
}

static void run(void *opaque)
{
    struct throttle *t = opaque;

    empty_buckets(t);
    for (int write = 0; write < 2; write++)
        while (t->queues[write].first && wait_seconds(t, write) <= 0) {
            struct block_request *r = block_list_take(&t->queues[write]);
            pour(t, r);
            t->start(r);
        }
    arm(t);
}

bool throttle_admit(struct throttle *t, struct block_request *r)
{
    bool write = is_write(r);
    struct block_list *q = &t->queues[write];

    if (r->op == BLOCK_FLUSH)
        return true;
    empty_buckets(t);
    if (!q->first && wait_seconds(t, write) <= 0) {
        pour(t, r);
        return true;
    }
    block_list_add(q, r);
    if (!timer_armed(&t->timer) || q->first == r)
        arm(t);
    return false;
}

void throttle_flush(struct throttle *t)
{
    for (int write = 0; write < 2; write++)
        while (t->queues[write].first) {
            struct block_request *r = block_list_take(&t->queues[write]);
            pour(t, r);
            t->start(r);
        }
    timer_disarm(&t->timer);
}

bool throttle_remove(struct throttle *t, struct block_request *request)
{
    if (!block_list_remove(&t->queues[is_write(request)], request))
        return false;
    arm(t);
    return true;
}

struct throttle *throttle_new(struct clock *clock, const struct block_limits *limits,
                              void (*start)(struct block_request *request))
{
    struct throttle *t = calloc(1, sizeof(*t));

    if (!t)
        return NULL;
    t->clock = clock;
    t->limits = *limits;
    t->start = start;
    t->emptied = clock_now(clock);
    timer_init(&t->timer, clock, run, t);
    return t;
}

void throttle_free(struct throttle *t)
{
    if (t)
        timer_destroy(&t->timer);
    free(t);
}

void throttle_set(struct throttle *t, const struct block_limits *limits)
{
    empty_buckets(t);
    t->limits = *limits;
    for (unsigned i = 0; i < BLOCK_LIMIT_COUNT; i++) {
        if (!limits->of[i].avg)
            t->of[i].level = 0;
        if (limits->of[i].length <= 1)
            t->of[i].burst = 0;
    }
    run(t);
}

const struct block_limits *throttle_limits(const struct throttle *t)
{
    return &t->limits;
}

bool block_limits_check(const struct block_limits *l, struct err *err)
{
    static const struct {
        const char *what;
        enum block_limit total, read, write;
    } kinds[] = {
        {"bytes", BLOCK_LIMIT_BPS, BLOCK_LIMIT_BPS_READ, BLOCK_LIMIT_BPS_WRITE},
        {"operations", BLOCK_LIMIT_IOPS, BLOCK_LIMIT_IOPS_READ, BLOCK_LIMIT_IOPS_WRITE},
    };
    for (unsigned i = 0; i < 2; i++) {
        enum block_limit t = kinds[i].total, r = kinds[i].read, w = kinds[i].write;
        if ((l->of[t].avg || l->of[t].max) &&
            (l->of[r].avg || l->of[w].avg || l->of[r].max || l->of[w].max))
            return err_set(err, "a limit for all %s and one for reads or writes exclude each other",
                           kinds[i].what);
    }
    for (unsigned i = 0; i < BLOCK_LIMIT_COUNT; i++) {
        uint64_t avg = l->of[i].avg, max = l->of[i].max;
        uint32_t length = l->of[i].length;
        if (avg > BLOCK_LIMIT_MAX || max > BLOCK_LIMIT_MAX)
            return err_set(err, "a limit is more than %llu", (unsigned long long)BLOCK_LIMIT_MAX);
        if (max && !avg)
            return err_set(err, "a burst (max) needs the lasting limit beside it");
        if (max && max < avg)
            return err_set(err, "a burst (max) of %llu is less than the lasting limit of %llu",
                           (unsigned long long)max, (unsigned long long)avg);
        if (length > 1 && !max)
            return err_set(err, "a burst's length needs the burst's rate (max) beside it");
        if (length > 1 && max > BLOCK_LIMIT_MAX / length)
            return err_set(err, "a burst of %u seconds at %llu is too long", length,
                           (unsigned long long)max);
    }
    if (l->iops_size && !l->of[BLOCK_LIMIT_IOPS].avg && !l->of[BLOCK_LIMIT_IOPS_READ].avg &&
        !l->of[BLOCK_LIMIT_IOPS_WRITE].avg)
        return err_set(err, "iops-size needs a limit of operations beside it");
    return true;
}
