/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qcow2_zero: DISCARD frees whole clusters; WRITE_ZEROES marks clusters (or subclusters) as zeroes,
 * and writes such where a mark cannot say it. */
#include "block/qcow2_int.h"

#include <errno.h>

#define ALL_ZERO (UINT64_C(0xffffffff) << QCOW2_SUBCLUSTERS)

static uint64_t min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Too many clusters wait for their entry to be on the medium: they must get there first. */
static int make_room(struct qcow2 *q)
{
    if (q->unlinked.count + q->unlinking.count + q->loose.count < QCOW2_RUNS_MAX)
        return 0;
    if (q->commit.failed)
        return -q->commit.failed;
    if (q->commit.state == QCOW2_COMMIT_IDLE && q->unlinked.count)
        qcow2_commit(q);
    if (q->commit.state != QCOW2_COMMIT_IDLE)
        return QCOW2_WAIT;
    return 0; /* only those that are being given back are left */
}

/* ---- DISCARD ----------------------------------------------------------------------------------
 */

/* What an entry becomes. False: it stays as it is. */
static bool discarded(const struct qcow2 *q, uint64_t cluster, uint64_t entry, uint64_t bitmap,
                      uint64_t *new_entry, uint64_t *new_bitmap)
{
    bool nothing = !(entry & (QCOW2_COMPRESSED | QCOW2_OFFSET_MASK));
    bool backed = !qcow2_no_backing(q, cluster << q->cluster_bits);

    *new_entry = *new_bitmap = 0;
    if (nothing)
        return false; /* zeroes, or what backs it: nothing to free */
    (void)bitmap;
    if (!backed)
        return true;
    /* What backs the image must not come to light again. */
    if (q->version < 3)
        return false;
    if (q->extended)
        *new_bitmap = ALL_ZERO;
    else
        *new_entry = QCOW2_ZERO;
    return true;
}

/* Does any of the entries from l2 on change? How many there are before the first. */
static uint64_t skip_discarded(const struct qcow2 *q, uint64_t cluster, const struct qcow2_l2 *l2,
                               uint64_t count)
{
    uint64_t n = 0, entry, bitmap;

    while (l2->page && n < count) {
        const uint8_t *at = l2->at + (n << q->entry_bits);
        if (discarded(q, cluster + n, qcow2_be64(at), qcow2_bitmap(q, at), &entry, &bitmap))
            return n;
        n++;
    }
    return count;
}

int qcow2_discard_step(struct qcow2_req *req)
{
    struct qcow2 *q = req->q;
    uint64_t first = (req->pos + q->cluster_bytes - 1) >> q->cluster_bits;
    uint64_t end = req->to == q->bytes ? (req->to + q->cluster_bytes - 1) >> q->cluster_bits
                                       : req->to >> q->cluster_bits;
    struct qcow2_l2 l2;

    if (first >= end) {
        req->pos = req->to;
        return 0;
    }
    int r = qcow2_may_change(q);
    if (!r)
        r = make_room(q);
    if (!r)
        r = qcow2_l2(q, first, &l2);
    if (r)
        return r;
    uint64_t count = min(end - first, l2.left);
    uint64_t skip = skip_discarded(q, first, &l2, count);
    if (skip < count) {
        r = qcow2_l2_to_change(q, first, &l2);
        if (r)
            return r;
        req->dirtied = true;
    }
    for (uint64_t i = skip; i < count; i++) {
        uint8_t *at = l2.at + (i << q->entry_bits);
        uint64_t entry = qcow2_be64(at), new_entry, new_bitmap;
        if (!discarded(q, first + i, entry, qcow2_bitmap(q, at), &new_entry, &new_bitmap))
            continue;
        qcow2_unlink(q, entry, true);
        qcow2_put64(at, new_entry);
        if (q->extended)
            qcow2_put64(at + 8, new_bitmap);
    }
    req->pos = min(req->to, (first + count) << q->cluster_bits);
    return 0;
}

/* ---- WRITE_ZEROES -----------------------------------------------------------------------------
 */

static void child_done(struct qcow2_req *child, int error)
{
    struct qcow2_req *req = child->owner;

    req->dirtied |= child->dirtied;
    qcow2_req_free(child);
    qcow2_pending_done(req, error);
}

/* Writes zeroes as data, up to `to`. */
static int write_zeroes(struct qcow2_req *req, uint64_t to)
{
    struct qcow2_req *child = qcow2_req_new(req->q);

    if (!child)
        return -ENOMEM;
    child->op = BLOCK_WRITE;
    child->from = req->pos;
    child->to = to;
    child->zeroes = true;
    child->owner = req;
    child->done = child_done;
    req->pos = to;
    req->pending++;
    qcow2_req_start(child);
    return 0;
}

/* Marks whole clusters; `count` of them, at most, from the request's place on. */
static int mark_clusters(struct qcow2_req *req, uint64_t count)
{
    struct qcow2 *q = req->q;
    uint64_t cluster = req->pos >> q->cluster_bits;
    struct qcow2_l2 l2;

    int r = make_room(q);
    if (!r)
        r = qcow2_l2_to_change(q, cluster, &l2);
    if (r)
        return r;
    count = min(count, l2.left);
    for (uint64_t i = 0; i < count; i++) {
        uint8_t *at = l2.at + (i << q->entry_bits);
        uint64_t entry = qcow2_be64(at);
        /* A cluster that is ours stays, unless space is wanted: it will be written again, in place.
         */
        bool keep = (entry & QCOW2_COPIED) && (entry & QCOW2_OFFSET_MASK) &&
                    !(entry & QCOW2_COMPRESSED) && q->version >= 3 && !req->may_unmap;
        if (!keep) {
            qcow2_unlink(q, entry, req->may_unmap);
            entry = 0;
        }
        if (q->extended) {
            qcow2_put64(at, entry);
            qcow2_put64(at + 8, ALL_ZERO);
        } else {
            qcow2_put64(at, q->version >= 3 ? entry | QCOW2_ZERO : 0);
        }
    }
    req->dirtied = true;
    req->pos = min(req->to, (cluster + count) << q->cluster_bits);
    return 0;
}

/* Marks whole subclusters of one cluster. */
static int mark_subclusters(struct qcow2_req *req, uint64_t to)
{
    struct qcow2 *q = req->q;
    uint64_t cluster = req->pos >> q->cluster_bits, base = cluster << q->cluster_bits;
    unsigned first = (unsigned)((req->pos - base) >> q->unit_bits);
    unsigned count = (unsigned)((to - req->pos) >> q->unit_bits);
    uint64_t bits = ((UINT64_C(1) << count) - 1) << first;
    struct qcow2_l2 l2;

    int r = qcow2_l2_to_change(q, cluster, &l2);
    if (r)
        return r;
    uint64_t entry = qcow2_be64(l2.at), bitmap = qcow2_be64(l2.at + 8);
    if (entry & QCOW2_COMPRESSED)
        return write_zeroes(req, to);
    bitmap = (bitmap & ~bits) | bits << QCOW2_SUBCLUSTERS;
    qcow2_put64(l2.at + 8, bitmap);
    req->dirtied = true;
    req->pos = to;
    return 0;
}

int qcow2_zeroes_step(struct qcow2_req *req)
{
    struct qcow2 *q = req->q;
    struct qcow2_extent extent;
    uint64_t unit = UINT64_C(1) << q->unit_bits;

    int r = qcow2_may_change(q);
    if (!r)
        r = qcow2_map(q, req->pos, req->to - req->pos, &extent);
    if (r)
        return r;
    bool bare = qcow2_no_backing(q, req->pos);
    if (extent.type == QCOW2_IS_ZERO || (extent.type == QCOW2_IS_UNALLOCATED && bare)) {
        req->pos += extent.bytes;
        return 0;
    }
    /* The last cluster may be cut short by the disk's end: the rest of it is nobody's. */
    uint64_t to =
        req->to == q->bytes ? (req->to + q->cluster_bytes - 1) & ~(q->cluster_bytes - 1) : req->to;
    uint64_t cluster_end = (req->pos | (q->cluster_bytes - 1)) + 1;
    if (!(req->pos & (q->cluster_bytes - 1)) && to >= cluster_end) {
        if (q->version >= 3)
            return mark_clusters(req, (to - req->pos) >> q->cluster_bits);
        /* Version 2 has no mark: only what is not allocated and not backed reads as zeroes. */
        if (bare)
            return mark_clusters(req, 1);
        return write_zeroes(req, min(req->to, cluster_end));
    }
    uint64_t whole = min(to, cluster_end) & ~(unit - 1);
    if (q->extended && !(req->pos & (unit - 1)) && whole > req->pos && whole <= req->to)
        return mark_subclusters(req, whole);
    return write_zeroes(req, min(req->to, (req->pos | (unit - 1)) + 1));
}
