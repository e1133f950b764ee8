/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qcow2_refcount: which clusters of the file are free: finding some, and giving them back. */
#include "block/qcow2_int.h"

#include <errno.h>

#include "hw/core/log.h"

#define NO_BLOCK    2     /* no refcounts there yet: all are 0 */
#define NOT_COVERED 3     /* nor room for them in the table */
#define FREES       8192u /* given back before others have a turn */

static uint64_t mask(unsigned bits)
{
    return bits < 64 ? (UINT64_C(1) << bits) - 1 : UINT64_MAX;
}

uint64_t qcow2_refcount_get(const struct qcow2 *q, const uint8_t *data, uint64_t index)
{
    switch (q->refcount_order) {
    case 0:
    case 1:
    case 2: {
        unsigned bits = 1u << q->refcount_order, each = 8 / bits;
        return (uint64_t)data[index / each] >> index % each * bits & mask(bits);
    }
    case 3:
        return data[index];
    case 4:
        return qcow2_be16(data + index * 2);
    case 5:
        return qcow2_be32(data + index * 4);
    default:
        return qcow2_be64(data + index * 8);
    }
}

void qcow2_refcount_put(const struct qcow2 *q, uint8_t *data, uint64_t index, uint64_t count)
{
    switch (q->refcount_order) {
    case 0:
    case 1:
    case 2: {
        unsigned bits = 1u << q->refcount_order, each = 8 / bits;
        unsigned shift = (unsigned)(index % each) * bits;
        unsigned byte = data[index / each] & ~((unsigned)mask(bits) << shift);
        data[index / each] = (uint8_t)(byte | (unsigned)count << shift);
        break;
    }
    case 3:
        data[index] = (uint8_t)count;
        break;
    case 4:
        data[index * 2] = (uint8_t)(count >> 8);
        data[index * 2 + 1] = (uint8_t)count;
        break;
    case 5:
        qcow2_put32(data + index * 4, (uint32_t)count);
        break;
    default:
        qcow2_put64(data + index * 8, count);
    }
}

/* The page with a cluster's count, the count's place in it, and how many there are in a page. */
static int locate(struct qcow2 *q, uint64_t cluster, struct qcow2_page **page, uint64_t *index,
                  uint64_t *per_page)
{
    uint64_t entry = cluster >> q->ref_bits;

    if (entry >= q->reftable_bytes / 8)
        return NOT_COVERED;
    uint64_t at = q->reftable_offset + entry * 8;
    int r = qcow2_page(q, QCOW2_REFTABLE, at, page);
    if (r)
        return r;
    uint64_t block = qcow2_be64(qcow2_at(q, *page, at)) & ~UINT64_C(0x1ff);
    if (!block)
        return NO_BLOCK;
    if (block & (q->cluster_bytes - 1) || block > INT64_MAX)
        return qcow2_corrupt(q, "its table of refcounts points to %#llx",
                             (unsigned long long)block);
    uint64_t in_block = cluster & mask(q->ref_bits);
    uint64_t byte = in_block << q->refcount_order >> 3;
    r = qcow2_page(q, QCOW2_REFBLOCK, block + byte, page);
    if (r)
        return r;
    *per_page = (UINT64_C(8) << q->cache.page_bits) >> q->refcount_order;
    *index = in_block & (*per_page - 1);
    return 0;
}

/* Is its space in the file just being given back? */
static bool punching(const struct qcow2 *q, uint64_t first, uint64_t count)
{
    for (unsigned i = 0; i <= QCOW2_PUNCHES; i++) {
        const struct qcow2_punch *p = i < QCOW2_PUNCHES ? &q->punches[i] : &q->gathering;
        if (p->busy && p->first < first + count && first < p->first + p->count)
            return true;
    }
    return false;
}

/* Takes free clusters from the page on, from index on. 0, NO_BLOCK (none here, q->hint is behind
 * the page), QCOW2_WAIT or an error. */
static int take(struct qcow2 *q, struct qcow2_page *page, uint64_t index, uint64_t per_page,
                uint64_t want, uint64_t *first, uint64_t *count)
{
    uint64_t base = q->hint - index, from = index;

    while (from < per_page &&
           (qcow2_refcount_get(q, page->data, from) || punching(q, base + from, 1)))
        from++;
    /* What is being punched is passed over, and not found again before the next search from the
     * start: it has lowered q->hint when it was freed, and will again. */
    if (from == per_page) {
        q->hint = base + from;
        return NO_BLOCK;
    }
    uint64_t n = 1;
    while (n < want && from + n < per_page && !qcow2_refcount_get(q, page->data, from + n) &&
           !punching(q, base + from + n, 1))
        n++;
    if (qcow2_set_has(&q->meta, base + from, n))
        return qcow2_corrupt(q, "a table's cluster counts as free near %#llx",
                             (unsigned long long)(base + from) << q->cluster_bits);
    int r = qcow2_edit(q, page);
    if (r)
        return r;
    for (uint64_t i = 0; i < n; i++)
        qcow2_refcount_put(q, page->data, from + i, 1);
    *first = base + from;
    *count = n;
    q->hint = base + from + n;
    return 0;
}

int qcow2_alloc(struct qcow2 *q, uint64_t want, uint64_t *first, uint64_t *count, bool *fresh)
{
    struct qcow2_page *page;
    uint64_t index, per_page;
    int r;

    do {
        if (q->hint > QCOW2_OFFSET_MASK >> q->cluster_bits)
            return -EFBIG;
        r = locate(q, q->hint, &page, &index, &per_page);
        if (r == NO_BLOCK)
            return qcow2_make_refblock(q, q->hint);
        if (r == NOT_COVERED)
            return qcow2_make_reftable(q);
        if (!r)
            r = take(q, page, index, per_page, want, first, count);
    } while (r == NO_BLOCK);
    if (r)
        return r;
    uint64_t start = *first << q->cluster_bits, end = (*first + *count) << q->cluster_bits;
    *fresh = start >= q->end && !q->fixed;
    if (end > q->end)
        q->end = end;
    return 0;
}

/* ---- Giving back ------------------------------------------------------------------------------
 */

static void punched(struct block_request *r, int error)
{
    struct qcow2_punch *punch = (struct qcow2_punch *)r;
    struct qcow2 *q = punch->q;

    (void)error; /* advice */
    punch->busy = false;
    if (punch->first < q->hint)
        q->hint = punch->first;
    qcow2_run_tasks(q);
}

/* Gives the gathered clusters' space in the file back, if that is worth a call. */
static void punch(struct qcow2 *q)
{
    struct qcow2_punch *g = &q->gathering, *p = NULL;

    if (!g->busy)
        return;
    g->busy = false;
    for (unsigned i = 0; i < QCOW2_PUNCHES && !p; i++)
        if (!q->punches[i].busy)
            p = &q->punches[i];
    if (!p)
        return;
    *p = *g;
    p->busy = true;
    p->r = (struct block_request){.op = BLOCK_DISCARD,
                                  .offset = g->first << q->cluster_bits,
                                  .bytes = (size_t)(g->count << q->cluster_bits),
                                  .done = punched};
    block_submit(q->file, &p->r);
}

/* A cluster that the guest discarded has no reference left. */
static void gather(struct qcow2 *q, uint64_t cluster)
{
    struct qcow2_punch *g = &q->gathering;

    if (g->busy && g->first + g->count != cluster)
        punch(q);
    if (!g->busy) {
        g->busy = true;
        g->q = q;
        g->first = cluster;
        g->count = 0;
    }
    g->count++;
}

static int drop_reference(struct qcow2 *q, uint64_t cluster, const struct qcow2_run *run)
{
    struct qcow2_page *page = NULL;
    uint64_t index = 0, per_page = 0;

    int r = locate(q, cluster, &page, &index, &per_page);
    if (r == NO_BLOCK || r == NOT_COVERED)
        return qcow2_corrupt(q, "cluster %#llx was in use and not counted",
                             (unsigned long long)cluster << q->cluster_bits);
    if (r)
        return r;
    uint64_t count = qcow2_refcount_get(q, page->data, index);
    if (!count)
        return qcow2_corrupt(q, "cluster %#llx was in use and counted as free",
                             (unsigned long long)cluster << q->cluster_bits);
    r = qcow2_edit(q, page);
    if (r)
        return r;
    qcow2_refcount_put(q, page->data, index, count - 1);
    if (count == 1) {
        if (run->table) {
            qcow2_set_remove(&q->meta, cluster);
            qcow2_cache_forget(q, cluster);
        }
        if (cluster < q->hint)
            q->hint = cluster;
        if (run->discard)
            gather(q, cluster);
    }
    return 0;
}

static void run_frees(struct qcow2_task *task)
{
    struct qcow2 *q = (struct qcow2 *)((char *)task - offsetof(struct qcow2, freer));
    unsigned n = 0;

    while (q->loose.count) {
        struct qcow2_run *run = &q->loose.v[q->loose.count - 1];
        if (++n > FREES) {
            qcow2_yield(q, task);
            return;
        }
        int r = drop_reference(q, run->first, run);
        if (r == QCOW2_WAIT) {
            qcow2_park(q, task);
            return;
        }
        /* An error (said already if it is the image's fault): this one leaks. */
        run->first++;
        if (!--run->count)
            q->loose.count--;
    }
    punch(q);
}

void qcow2_free_init(struct qcow2 *q)
{
    q->freer.run = run_frees;
}

void qcow2_free_now(struct qcow2 *q, uint64_t host, uint64_t clusters)
{
    qcow2_runs_add(&q->loose, host >> q->cluster_bits, clusters, false, false);
    qcow2_enqueue(q, &q->freer);
}
