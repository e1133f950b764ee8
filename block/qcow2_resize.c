/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2_resize: a larger disk (block_resize). An L1 table that is too small is copied to clusters
 * that have been free; once the copy and its refcounts are on the medium, one write of the header's
 * sector names it and the new size together. These wait for their transfers.
 */
#include "block/qcow2_int.h"

#include <errno.h>
#include <stdlib.h>

#define PIECE        (64u * 1024) /* of a table in memory */
#define RESTARTS_MAX 16u          /* searches for clusters in a row */

/* Clusters in a row, taken by a task, since what is missing for that has to be waited for. */
struct search {
    struct qcow2_task task;
    struct qcow2 *q;
    uint64_t want, first, count;
    unsigned restarts;
    int result;
    bool done;
};

static int search_on(struct search *s)
{
    struct qcow2 *q = s->q;
    int r = qcow2_may_change(q);

    while (!r && s->count < s->want) {
        uint64_t first, n;
        bool fresh;
        r = qcow2_alloc(q, s->want - s->count, &first, &n, &fresh);
        if (r)
            break;
        if (s->count && first != s->first + s->count) {
            qcow2_free_now(q, s->first << q->cluster_bits, s->count);
            s->count = 0;
            if (++s->restarts > RESTARTS_MAX)
                r = -EFBIG;
        }
        if (!s->count)
            s->first = first;
        s->count += n;
    }
    return r;
}

static void run_search(struct qcow2_task *task)
{
    struct search *s = (struct search *)task;
    int r = search_on(s);

    if (r == QCOW2_WAIT) {
        qcow2_park(s->q, task);
        return;
    }
    if (r && s->count)
        qcow2_free_now(s->q, s->first << s->q->cluster_bits, s->count);
    s->result = r;
    s->done = true;
}

/* `want` clusters in a row (0: none; the image may be changed), with their references on the
 * medium. 0 or a negative errno value; EFBIG: there are none. */
static int take_clusters(struct qcow2 *q, uint64_t want, uint64_t *first)
{
    struct search s = {.task = {.run = run_search}, .q = q, .want = want};
    uint64_t hint = q->hint;

    q->hint = q->end >> q->cluster_bits; /* where most are free in a row */
    qcow2_enqueue(q, &s.task);
    qcow2_run_tasks(q);
    while (!s.done)
        q->block->driver->wait(q->block);
    q->hint = hint;
    *first = s.first;
    if (s.result)
        return s.result;
    for (uint64_t i = 0; i < want; i++)
        if (qcow2_set_add(&q->meta, s.first + i) == -ENOMEM)
            return -ENOMEM; /* they leak */
    return qcow2_settle(q);
}

/* The new table: the old one, and zeroes. */
static int copy_l1(struct qcow2 *q, uint64_t to, uint64_t bytes)
{
    uint64_t old = q->l1_entries * 8;
    void *memory;
    int r = 0;

    if (posix_memalign(&memory, 4096, PIECE))
        return -ENOMEM;
    for (uint64_t done = 0; !r && done < bytes; done += PIECE) {
        size_t len = bytes - done < PIECE ? (size_t)(bytes - done) : PIECE;
        size_t from_old = done >= old ? 0 : old - done < len ? (size_t)(old - done) : len;
        if (from_old) /* whole sectors: O_DIRECT */
            r = qcow2_transfer(q, BLOCK_READ, q->l1_offset + done, memory,
                               (from_old + QCOW2_SECTOR - 1) & ~(size_t)(QCOW2_SECTOR - 1));
        memset((uint8_t *)memory + from_old, 0, len - from_old);
        if (!r)
            r = qcow2_transfer(q, BLOCK_WRITE, to + done, memory, len);
    }
    free(memory);
    return r ? r : qcow2_transfer(q, BLOCK_FLUSH, 0, NULL, 0);
}

/* Size, and the L1 table's place and size, in one sector. Whatever becomes of a write that fails,
 * both tables are whole now, and must both stay so: no more changes. */
static int name_them(struct qcow2 *q, uint64_t bytes, uint64_t l1_offset, uint64_t l1_entries)
{
    qcow2_put64(q->sector + 24, bytes);
    qcow2_put32(q->sector + 36, (uint32_t)l1_entries);
    qcow2_put64(q->sector + 40, l1_offset);
    int r = qcow2_transfer(q, BLOCK_WRITE, 0, q->sector, QCOW2_SECTOR);
    if (!r)
        r = qcow2_transfer(q, BLOCK_FLUSH, 0, NULL, 0);
    if (r)
        q->broken = -r;
    return r;
}

static int grow(struct qcow2 *q, uint64_t bytes, uint64_t needed)
{
    bool table = needed > q->l1_entries;
    uint64_t clusters =
        table ? (needed * 8 + q->cluster_bytes - 1) >> q->cluster_bits : 0; /* of the new one */
    uint64_t entries = table ? (clusters << q->cluster_bits) / 8 : q->l1_entries;
    uint64_t old_offset = q->l1_offset, first = 0;
    uint64_t old_clusters = (q->l1_entries * 8 + q->cluster_bytes - 1) >> q->cluster_bits;

    if (entries > QCOW2_L1_MAX)
        entries = QCOW2_L1_MAX;
    int r = qcow2_settle(q);
    if (!r)
        r = take_clusters(q, clusters, &first);
    if (!r && table)
        r = copy_l1(q, first << q->cluster_bits, clusters << q->cluster_bits);
    if (!r)
        r = name_them(q, bytes, table ? first << q->cluster_bits : old_offset, entries);
    if (r || !table)
        return r;
    qcow2_cache_drop(q, false, QCOW2_L1);
    q->l1_offset = first << q->cluster_bits;
    q->l1_entries = entries;
    qcow2_runs_add(&q->loose, old_offset >> q->cluster_bits, old_clusters, false, true);
    qcow2_enqueue(q, &q->freer);
    qcow2_run_tasks(q);
    return 0;
}

bool qcow2_resize(struct block *block, uint64_t bytes, struct err *err)
{
    struct qcow2 *q = block->image;
    uint64_t reach = q->cluster_bytes << q->l2_bits; /* of one L1 entry */
    uint64_t needed = bytes / reach + !!(bytes % reach);

    if (bytes == q->bytes)
        return true;
    if (bytes < q->bytes)
        return err_set(
            err,
            "disk %s: %s: would get smaller (it has %llu bytes), and lose what is there; "
            "that is for qemu-img resize --shrink, when nobody uses it",
            q->id, q->name, (unsigned long long)q->bytes);
    if (needed > QCOW2_L1_MAX)
        return err_set(err, "disk %s: %s: %llu bytes are too many for its cluster size", q->id,
                       q->name, (unsigned long long)bytes);
    if (q->backing && block_bytes(q->backing) > q->bytes)
        return err_set(err,
                       "disk %s: %s: its backing file is longer, what it has there would show; "
                       "that is for qemu-img resize, when nobody uses it",
                       q->id, q->name);
    if (q->version < 3 && q->snapshots)
        return err_set(err,
                       "disk %s: %s: has snapshots, of which version 2 does not say the size; "
                       "qemu-img amend -o compat=1.1 makes it version 3, when nobody uses it",
                       q->id, q->name);
    int r = grow(q, bytes, needed);
    if (r)
        return err_set(err, "disk %s: %s: cannot be made larger: %s", q->id, q->name,
                       r == -EFBIG ? "there is no room in a row for its L1 table" : strerror(-r));
    q->bytes = block->bytes = bytes;
    return true;
}
