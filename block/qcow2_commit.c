/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2_commit: changed tables reach the file in an order that leaves a sound image wherever it is
 * cut:
 *   rank 0   refcounts (they count what is not referred to yet)
 *   barrier
 *   rank 1   the table of refcount blocks
 *   barrier
 *   rank 2   L1 and L2 entries: they refer to data, tables and counts that are on the medium
 *   flush
 * A cluster that an entry no longer refers to keeps its reference until that entry is on the
 * medium, so that neither a count gets too small nor its data is overwritten while the old entry
 * may come back. A barrier is a flush of the container; it covers the data of all writes that have
 * been entered.
 */
#include "block/qcow2_int.h"

#include <errno.h>
#include <stdlib.h>

#define WRITES  8u  /* under way at once */
#define PAGES   64u /* in one of them */
#define RANKS   3u
#define NO_RANK RANKS

static void advance(struct qcow2 *q);

static uint8_t rank_of(enum qcow2_kind kind)
{
    switch (kind) {
    case QCOW2_REFBLOCK:
        return 0;
    case QCOW2_REFTABLE:
        return 1;
    default:
        return 2;
    }
}

static int by_rank_and_offset(const void *a, const void *b)
{
    const struct qcow2_save *x = a, *y = b;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Takes what is dirty now. The pages stay usable: qcow2_edit gives one another buffer. */
static bool gather(struct qcow2 *q)
{
    struct qcow2_commit *c = &q->commit;

    if (c->room < q->cache.dirty) {
        struct qcow2_save *saves = realloc(c->saves, q->cache.capacity * sizeof(*saves));
        if (!saves)
            return false;
        c->saves = saves;
        c->room = q->cache.capacity;
    }
    c->count = c->next = 0;
    for (unsigned i = 0; q->cache.dirty && i < q->cache.capacity; i++) {
        struct qcow2_page *page = &q->cache.pages[i];
        if (page->state != QCOW2_PAGE_READY || !page->dirty)
            continue;
        page->dirty = false;
        q->cache.dirty--;
        c->saves[c->count++] = (struct qcow2_save){
            .page = page, .data = page->data, .offset = page->offset, .rank = rank_of(page->kind)};
    }
    if (c->count)
        qsort(c->saves, c->count, sizeof(*c->saves), by_rank_and_offset);
    for (unsigned i = 0; i < c->count; i++)
        c->saves[i].page->save = &c->saves[i];
    return true;
}

static void end_commit(struct qcow2 *q)
{
    struct qcow2_commit *c = &q->commit;
    struct qcow2_waiter *waiters = c->current;
    int error = c->error;

    for (unsigned i = 0; i < c->count; i++) {
        struct qcow2_save *save = &c->saves[i];
        if (!save->page) {
            qcow2_slot_give(q, save->data);
            continue;
        }
        save->page->save = NULL;
        if (error && !save->page->dirty) { /* also what was written: nothing says it arrived */
            save->page->dirty = true;
            q->cache.dirty++;
        }
    }
    c->count = 0;
    c->state = QCOW2_COMMIT_IDLE;
    c->current = NULL;
    c->failed = error;
    struct qcow2_runs *to = error ? &q->unlinked : &q->loose;
    for (size_t i = 0; i < q->unlinking.count; i++) {
        struct qcow2_run *r = &q->unlinking.v[i];
        qcow2_runs_add(to, r->first, r->count, r->discard, r->table);
    }
    q->unlinking.count = 0;
    if (q->loose.count)
        qcow2_enqueue(q, &q->freer);
    while (waiters) {
        struct qcow2_waiter *next = waiters->next;
        waiters->done(waiters, error);
        waiters = next;
    }
    if (error && q->cache.dirty && !timer_armed(&c->timer))
        timer_arm_in(&c->timer, QCOW2_COMMIT_NS);
    qcow2_kick(q);
    if (c->again && c->state == QCOW2_COMMIT_IDLE)
        qcow2_commit(q);
}

static void wrote(struct qcow2_io *io, int error)
{
    struct qcow2_commit *c = &io->q->commit;
    if (error && !c->error)
        c->error = error;
    c->in_flight--;
    advance(io->q);
}

static void flushed(struct qcow2_io *io, int error)
{
    struct qcow2_commit *c = &io->q->commit;

    if (error)
        c->error = error;
    if (c->state == QCOW2_COMMIT_FLUSH || c->error) {
        end_commit(io->q);
        return;
    }
    c->state = QCOW2_COMMIT_WRITE;
    advance(io->q);
}

static void start_flush(struct qcow2 *q, enum qcow2_commit_state state)
{
    struct qcow2_io *io = qcow2_io_new(q, flushed, NULL);

    if (!io) {
        q->commit.error = ENOMEM;
        end_commit(q);
        return;
    }
    q->commit.state = state;
    qcow2_io_start(io, q->file, BLOCK_FLUSH, 0, 0, true);
}

/* The pages from c->next on that are one piece of the file. */
static bool write_pages(struct qcow2 *q)
{
    struct qcow2_commit *c = &q->commit;
    struct qcow2_io *io = qcow2_io_new(q, wrote, NULL);
    uint64_t start = c->saves[c->next].offset;
    size_t bytes = (size_t)1 << q->cache.page_bits;
    unsigned n = 0;

    while (io && n < PAGES && c->next < c->count && c->saves[c->next].rank == c->rank &&
           c->saves[c->next].offset == start + n * bytes) {
        if (!qcow2_io_push(io, c->saves[c->next].data, bytes))
            break;
        c->next++;
        n++;
    }
    if (!n) {
        if (io)
            qcow2_io_free(io);
        return false;
    }
    c->in_flight++;
    qcow2_io_start(io, q->file, BLOCK_WRITE, start, n * bytes, true);
    return true;
}

static void advance(struct qcow2 *q)
{
    struct qcow2_commit *c = &q->commit;

    while (!c->error && c->in_flight < WRITES && c->next < c->count &&
           c->saves[c->next].rank == c->rank)
        if (!write_pages(q))
            c->error = ENOMEM;
    if (c->in_flight)
        return;
    if (c->error) {
        end_commit(q);
    } else if (c->next < c->count) {
        c->rank = c->saves[c->next].rank;
        start_flush(q, QCOW2_COMMIT_BARRIER);
    } else if (c->current || q->unlinking.count) {
        start_flush(q, QCOW2_COMMIT_FLUSH);
    } else {
        end_commit(q);
    }
}

void qcow2_commit(struct qcow2 *q)
{
    struct qcow2_commit *c = &q->commit;

    if (c->state != QCOW2_COMMIT_IDLE) {
        c->again = true;
        return;
    }
    c->again = false;
    if (timer_armed(&c->timer))
        timer_disarm(&c->timer);
    c->state = QCOW2_COMMIT_WRITE;
    c->error = 0;
    c->rank = 0;
    c->current = c->waiting;
    c->waiting = NULL;
    c->waiting_end = &c->waiting;
    struct qcow2_runs empty = q->unlinking;
    q->unlinking = q->unlinked;
    q->unlinked = empty;
    if (!gather(q))
        c->error = ENOMEM;
    advance(q);
}

void qcow2_wait_commit(struct qcow2 *q, struct qcow2_waiter *waiter)
{
    waiter->next = NULL;
    *q->commit.waiting_end = waiter;
    q->commit.waiting_end = &waiter->next;
    qcow2_commit(q);
}

static void timeout(void *opaque)
{
    struct qcow2 *q = opaque;
    if (q->cache.dirty || q->unlinked.count)
        qcow2_commit(q);
}

void qcow2_commit_init(struct qcow2 *q)
{
    q->commit.waiting_end = &q->commit.waiting;
    timer_init(&q->commit.timer, loop_clock(q->loop), timeout, q);
}

struct settled {
    struct qcow2_waiter waiter;
    bool done;
    int error;
};

static void settled(struct qcow2_waiter *waiter, int error)
{
    struct settled *s = (struct settled *)waiter;
    s->done = true;
    s->error = error;
}

int qcow2_settle(struct qcow2 *q)
{
    /* Twice at least: what the first one unlinks is counted, and written, by the next. */
    do {
        struct settled s = {.waiter = {.done = settled}};
        qcow2_wait_commit(q, &s.waiter);
        while (!s.done || q->commit.state != QCOW2_COMMIT_IDLE || q->file->in_flight)
            q->block->driver->wait(q->block);
        if (s.error)
            return -s.error;
        while (q->ready.first || q->later.first || q->parked.first || q->file->in_flight)
            q->block->driver->wait(q->block);
    } while (q->cache.dirty || q->unlinked.count || q->loose.count);
    return 0;
}

bool qcow2_runs_add(struct qcow2_runs *runs, uint64_t first, uint64_t count, bool discard,
                    bool table)
{
    struct qcow2_run *last = runs->count ? &runs->v[runs->count - 1] : NULL;

    if (last && last->first + last->count == first && last->discard == discard &&
        last->table == table) {
        last->count += count;
        return true;
    }
    if (!runs->v || runs->count == runs->room) {
        size_t room = runs->room ? runs->room * 2 : 64;
        struct qcow2_run *v = realloc(runs->v, room * sizeof(*v));
        if (!v)
            return false; /* they leak: the image stays sound */
        runs->v = v;
        runs->room = room;
    }
    runs->v[runs->count++] =
        (struct qcow2_run){.first = first, .count = count, .discard = discard, .table = table};
    return true;
}
