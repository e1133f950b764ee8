/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2_write: bytes of the guest's disk into the file. Where its clusters are allocated and nobody
 * else's, they are written in place. Else in runs: free clusters are taken, the parts of them that
 * the request does not cover are filled with what the guest saw there, all of it is written at
 * once, and then the L2 entries (in memory) lead to it.
 */
#include "block/qcow2_int.h"

#include <errno.h>
#include <stdlib.h>

#define ZEROES_MAX (QCOW2_ZEROES * 16) /* of zeroes in one transfer */

enum run_state { FILL, WRITE, LINK };

struct run {
    struct qcow2_task task;
    struct qcow2_req *req;
    enum run_state state;
    bool fresh;  /* beyond what was ever written: zeroes */
    bool reused; /* the clusters were the entries' own */
    uint64_t cluster, clusters, host;
    uint64_t from, to;   /* of the request */
    uint64_t start, end; /* the same, with what is filled in */
    struct iov_cursor at;
    uint8_t *head, *tail; /* NULL: zeroes */
    unsigned reads;
    int error;
};

static uint64_t min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

bool qcow2_in_place(struct qcow2 *q, uint64_t pos, uint64_t to)
{
    while (pos < to) {
        struct qcow2_extent extent;
        if (qcow2_map(q, pos, to - pos, &extent) || extent.type != QCOW2_IS_DATA || !extent.ours)
            return false;
        pos += extent.bytes;
    }
    return true;
}

/* Hostile tables must not make the guest write over tables. */
static int check_overlap(struct qcow2 *q, uint64_t host, uint64_t bytes)
{
    uint64_t first = host >> q->cluster_bits, last = (host + bytes - 1) >> q->cluster_bits;

    if (!first || qcow2_set_has(&q->meta, first, last - first + 1))
        return qcow2_corrupt(q, "the guest's data would overwrite a table near %#llx",
                             (unsigned long long)host);
    return 0;
}

static bool push_source(struct qcow2_io *io, const struct qcow2_req *req, struct iov_cursor *at,
                        uint64_t bytes)
{
    return req->zeroes ? qcow2_io_push_zeroes(io, (size_t)bytes)
                       : qcow2_io_push_cursor(io, at, (size_t)bytes);
}

/* ---- In place ---------------------------------------------------------------------------------
 */

static void in_place_done(struct qcow2_io *io, int error)
{
    qcow2_pending_done(io->owner, error);
}

static int write_in_place(struct qcow2_req *req, const struct qcow2_extent *extent)
{
    struct qcow2 *q = req->q;
    uint64_t bytes = req->zeroes ? min(extent->bytes, ZEROES_MAX) : extent->bytes;

    int r = check_overlap(q, extent->host, bytes);
    if (r)
        return r;
    struct qcow2_io *io = qcow2_io_new(q, in_place_done, req);
    struct iov_cursor at = req->at;
    if (!io)
        return -ENOMEM;
    if (!push_source(io, req, &at, bytes)) {
        qcow2_io_free(io);
        return -ENOMEM;
    }
    req->at = at;
    req->pos += bytes;
    req->pending++;
    qcow2_io_start(io, q->file, BLOCK_WRITE, extent->host, (size_t)bytes,
                   req->own_memory || req->zeroes);
    return 0;
}

/* ---- Runs -------------------------------------------------------------------------------------
 */

static void free_run(struct run *run)
{
    struct qcow2 *q = run->req->q;

    if (run->head)
        q->fill_bytes -= run->from - run->start;
    if (run->tail)
        q->fill_bytes -= run->end - run->to;
    free(run->head);
    free(run->tail);
    free(run);
}

static void end_run(struct run *run)
{
    struct qcow2_req *req = run->req;
    struct qcow2 *q = req->q;
    int error = run->error;

    if (error && !run->reused)
        qcow2_free_now(q, run->host, run->clusters);
    free_run(run);
    qcow2_pending_done(req, error);
    qcow2_kick(q); /* somebody may wait for buffers */
}

static void read_done(struct qcow2_req *read, int error)
{
    struct run *run = read->owner;

    if (error && !run->error)
        run->error = error;
    qcow2_req_free(read);
    if (!--run->reads) {
        run->state = WRITE;
        qcow2_enqueue(run->req->q, &run->task);
    }
}

/* What the guest sees at from .. to, into the buffer. */
static bool start_read(struct run *run, uint64_t from, uint64_t to, uint8_t *buffer)
{
    struct qcow2_req *read = qcow2_req_new(run->req->q);

    if (!read)
        return false;
    read->op = BLOCK_READ;
    read->from = from;
    read->to = to;
    read->own_iov = (struct iovec){.iov_base = buffer, .iov_len = to - from};
    read->at = (struct iov_cursor){.iov = &read->own_iov, .left = 1};
    read->own_memory = true;
    read->owner = run;
    read->done = read_done;
    run->reads++;
    qcow2_req_start(read);
    return true;
}

static void written(struct qcow2_io *io, int error)
{
    struct run *run = io->owner;

    run->error = error;
    run->state = LINK;
    qcow2_enqueue(io->q, &run->task);
}

static void write_run(struct run *run)
{
    struct qcow2_req *req = run->req;
    struct qcow2_io *io = qcow2_io_new(req->q, written, run);
    size_t head = (size_t)(run->from - run->start), tail = (size_t)(run->end - run->to);

    bool ok =
        io && (run->head ? qcow2_io_push(io, run->head, head) : qcow2_io_push_zeroes(io, head));
    ok = ok && push_source(io, req, &run->at, run->to - run->from);
    ok = ok && (run->tail ? qcow2_io_push(io, run->tail, tail) : qcow2_io_push_zeroes(io, tail));
    if (!ok) {
        if (io)
            qcow2_io_free(io);
        run->error = ENOMEM;
        end_run(run);
        return;
    }
    uint64_t offset = run->host + (run->start - (run->cluster << req->q->cluster_bits));
    qcow2_io_start(io, req->q->file, BLOCK_WRITE, offset, (size_t)(run->end - run->start),
                   req->own_memory || req->zeroes);
}

/* The subclusters of the run's cluster number i that were written: a bit each. */
static uint64_t written_subclusters(const struct run *run, uint64_t i)
{
    const struct qcow2 *q = run->req->q;
    uint64_t base = (run->cluster + i) << q->cluster_bits;
    uint64_t from = run->start > base ? run->start - base : 0;
    uint64_t to = min(run->end - base, q->cluster_bytes);
    uint64_t first = from >> q->unit_bits, last = (to - 1) >> q->unit_bits;

    return ((UINT64_C(1) << (last - first + 1)) - 1) << first;
}

static int link_run(struct run *run)
{
    struct qcow2 *q = run->req->q;
    struct qcow2_l2 l2;

    int r = qcow2_l2_to_change(q, run->cluster, &l2);
    if (r)
        return r;
    for (uint64_t i = 0; i < run->clusters; i++) {
        uint8_t *at = l2.at + (i << q->entry_bits);
        uint64_t old = qcow2_be64(at), bitmap = qcow2_bitmap(q, at);
        if (!run->reused)
            qcow2_unlink(q, old, false);
        qcow2_put64(at, (run->host + (i << q->cluster_bits)) | QCOW2_COPIED);
        if (q->extended) {
            uint64_t subs = written_subclusters(run, i);
            if (old & QCOW2_COMPRESSED)
                bitmap = 0;
            qcow2_put64(at + 8, (bitmap | subs) & ~(subs << QCOW2_SUBCLUSTERS));
        }
    }
    run->req->dirtied = true;
    return 0;
}

static void run_run(struct qcow2_task *task)
{
    struct run *run = (struct run *)task;

    if (run->state == WRITE && !run->error) {
        write_run(run);
        return;
    }
    if (run->state == LINK && !run->error) {
        int r = link_run(run);
        if (r == QCOW2_WAIT) {
            qcow2_park(run->req->q, task);
            return;
        }
        run->error = -r;
    }
    end_run(run);
}

/* ---- Planning one -----------------------------------------------------------------------------
 */

static bool is_own(uint64_t entry)
{
    return (entry & QCOW2_COPIED) && !(entry & QCOW2_COMPRESSED) && (entry & QCOW2_OFFSET_MASK);
}

/* How many entries, `most` at most, can be served by one run that starts with the first. */
static uint64_t run_length(struct qcow2 *q, const struct qcow2_l2 *l2, uint64_t most)
{
    uint64_t first = qcow2_be64(l2->at), n = 1;

    if (is_own(first) && q->extended)
        return 1;
    while (n < most) {
        uint64_t entry = qcow2_be64(l2->at + (n << q->entry_bits));
        if (is_own(entry) != is_own(first))
            break;
        if (is_own(first) &&
            (!(entry & QCOW2_ZERO) ||
             (entry & QCOW2_OFFSET_MASK) != (first & QCOW2_OFFSET_MASK) + (n << q->cluster_bits)))
            break;
        n++;
    }
    return n;
}

/* One end of a run: from which unit on must it be filled, and with zeroes? */
struct edge {
    uint64_t unit;
    bool zeroes;
};

static int find_edge(struct qcow2 *q, const uint8_t *at, uint64_t pos, struct edge *edge)
{
    uint64_t entry = qcow2_be64(at), bitmap = qcow2_bitmap(q, at);
    unsigned sub = q->extended ? (unsigned)((pos & (q->cluster_bytes - 1)) >> q->unit_bits) : 0;

    int type = qcow2_type(q, entry, bitmap, sub);
    if (type < 0)
        return type;
    edge->zeroes =
        type == QCOW2_IS_ZERO || (type == QCOW2_IS_UNALLOCATED &&
                                  qcow2_no_backing(q, pos & ~((UINT64_C(1) << q->unit_bits) - 1)));
    edge->unit = UINT64_C(1) << q->unit_bits;
    if (!q->extended)
        return 0;
    if (is_own(entry)) {
        if (type == QCOW2_IS_DATA)
            edge->unit = QCOW2_SECTOR; /* it is there */
    } else if (type == QCOW2_IS_COMPRESSED || (entry & QCOW2_OFFSET_MASK)) {
        edge->unit = q->cluster_bytes; /* the subclusters that have data must come along */
        edge->zeroes = false;
    }
    return 0;
}

static int plan_edges(struct qcow2 *q, struct run *run, const struct qcow2_l2 *l2)
{
    struct edge head, tail;
    const uint8_t *last = l2->at + ((run->clusters - 1) << q->entry_bits);

    int r = find_edge(q, l2->at, run->from, &head);
    if (!r)
        r = find_edge(q, last, run->to - 1, &tail);
    if (r)
        return r;
    run->start = run->from & ~(head.unit - 1);
    run->end = (run->to + tail.unit - 1) & ~(tail.unit - 1);
    if (head.zeroes && run->fresh)
        run->start = run->from;
    if (tail.zeroes && run->fresh)
        run->end = run->to;
    size_t before = head.zeroes ? 0 : (size_t)(run->from - run->start);
    size_t after = tail.zeroes ? 0 : (size_t)(run->end - run->to);
    void *memory;
    if (before && !posix_memalign(&memory, 4096, before))
        run->head = memory;
    if (after && !posix_memalign(&memory, 4096, after))
        run->tail = memory;
    if ((before && !run->head) || (after && !run->tail)) {
        free(run->head);
        free(run->tail);
        return -ENOMEM;
    }
    q->fill_bytes += before + after;
    return 0;
}

static void start_run(struct run *run)
{
    struct qcow2_req *req = run->req;

    req->pending++;
    req->pos = run->to;
    if (!req->zeroes)
        iov_advance(&req->at, (size_t)(run->to - run->from));
    run->reads = 1; /* until all are started */
    if ((run->head && !start_read(run, run->start, run->from, run->head)) ||
        (run->tail && !start_read(run, run->to, run->end, run->tail)))
        run->error = ENOMEM;
    if (!--run->reads) {
        run->state = WRITE;
        qcow2_enqueue(req->q, &run->task);
    }
}

/* The part of the request at its place that is not allocated, or not ours. */
static int write_run_at(struct qcow2_req *req)
{
    struct qcow2 *q = req->q;
    uint64_t cluster = req->pos >> q->cluster_bits;
    struct qcow2_l2 l2;
    bool fresh = false;

    if (q->fill_bytes && q->fill_bytes + 2 * q->cluster_bytes > QCOW2_FILL_MAX)
        return QCOW2_WAIT;
    int r = qcow2_l2(q, cluster, &l2);
    if (!r && (!l2.page || !l2.ours))
        r = qcow2_make_l2(q, cluster >> q->l2_bits);
    if (r)
        return r;
    /* To a cluster's end, so that no two runs meet in one. */
    uint64_t to = (req->pos + QCOW2_RUN_BYTES) & ~(q->cluster_bytes - 1);
    if (to <= req->pos)
        to = (cluster + 1) << q->cluster_bits;
    to = min(to, req->to);
    uint64_t count = min(((to - 1) >> q->cluster_bits) - cluster + 1, l2.left);
    count = run_length(q, &l2, count);
    uint64_t entry = qcow2_be64(l2.at), host = entry & QCOW2_OFFSET_MASK;
    bool reused = is_own(entry);
    if (reused) {
        r = check_overlap(q, host, count << q->cluster_bits);
        if (r)
            return r;
    } else {
        uint64_t first;
        r = qcow2_alloc(q, count, &first, &count, &fresh);
        if (r)
            return r;
        host = first << q->cluster_bits;
        r = qcow2_l2(q, cluster, &l2); /* the page may have had to go; then there is a next time */
    }
    struct run *run = r ? NULL : calloc(1, sizeof(*run));
    if (!r && !run)
        r = -ENOMEM;
    if (run) {
        run->task.run = run_run;
        run->req = req;
        run->fresh = fresh;
        run->reused = reused;
        run->cluster = cluster;
        run->clusters = count;
        run->host = host;
        run->from = req->pos;
        run->to = min(to, (cluster + count) << q->cluster_bits);
        run->at = req->at;
        r = plan_edges(q, run, &l2);
    }
    if (r) {
        free(run);
        if (!reused)
            qcow2_free_now(q, host, count);
        return r;
    }
    start_run(run);
    return 0;
}

int qcow2_write_step(struct qcow2_req *req)
{
    struct qcow2_extent extent;

    int r = qcow2_may_change(req->q);
    if (!r)
        r = qcow2_map(req->q, req->pos, req->to - req->pos, &extent);
    if (r)
        return r;
    if (extent.type == QCOW2_IS_DATA && extent.ours)
        return write_in_place(req, &extent);
    return write_run_at(req);
}
