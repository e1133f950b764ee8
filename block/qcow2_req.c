/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qcow2_req: tasks that wait and are tried again, requests with their ranges of clusters,
 * transfers.
 */
#include "block/qcow2_int.h"

#include <errno.h>
#include <stdlib.h>

#include "block/image_file.h"

#define STEPS 256u /* of one request before others have a turn */

const uint8_t qcow2_zeroes[QCOW2_ZEROES] __attribute__((aligned(4096))) = {0};

/* ---- Tasks ------------------------------------------------------------------------------------
 */

static void append(struct qcow2_tasks *list, struct qcow2_task *task)
{
    task->next = NULL;
    task->queued = true;
    if (list->last)
        list->last->next = task;
    else
        list->first = task;
    list->last = task;
}

/* All of `from` behind those of `to`. */
static void move_tasks(struct qcow2_tasks *to, struct qcow2_tasks *from)
{
    if (!from->first)
        return;
    if (to->last)
        to->last->next = from->first;
    else
        to->first = from->first;
    to->last = from->last;
    from->first = from->last = NULL;
}

void qcow2_park(struct qcow2 *q, struct qcow2_task *task)
{
    append(&q->parked, task);
}

void qcow2_enqueue(struct qcow2 *q, struct qcow2_task *task)
{
    if (!task->queued)
        append(&q->ready, task);
}

void qcow2_yield(struct qcow2 *q, struct qcow2_task *task)
{
    append(&q->later, task);
    loop_defer(q->loop, &q->deferred);
}

void qcow2_run_later(void *opaque)
{
    struct qcow2 *q = opaque;
    move_tasks(&q->ready, &q->later);
    qcow2_run_tasks(q);
}

void qcow2_run_tasks(struct qcow2 *q)
{
    if (q->running)
        return;
    q->running = true;
    while (q->ready.first) {
        struct qcow2_task *task = q->ready.first;
        q->ready.first = task->next;
        if (!q->ready.first)
            q->ready.last = NULL;
        task->queued = false;
        task->run(task);
    }
    q->running = false;
    /* What was to be told to those that waited has been. */
    q->commit.failed = 0;
    q->make.failed = QCOW2_MAKING_NOTHING;
    q->header_error = 0;
}

void qcow2_kick(struct qcow2 *q)
{
    /* In front: they are older than what is ready. */
    move_tasks(&q->parked, &q->ready);
    move_tasks(&q->ready, &q->parked);
    qcow2_run_tasks(q);
}

/* ---- Ranges -----------------------------------------------------------------------------------
 */

static void link_req(struct qcow2_req *req)
{
    struct qcow2 *q = req->q;

    req->after = NULL;
    req->before = q->last_req;
    if (q->last_req)
        q->last_req->after = req;
    else
        q->first_req = req;
    q->last_req = req;
}

static void unlink_req(struct qcow2_req *req)
{
    struct qcow2 *q = req->q;

    if (req->before)
        req->before->after = req->after;
    else
        q->first_req = req->after;
    if (req->after)
        req->after->before = req->before;
    else
        q->last_req = req->before;
}

static bool may_hold(struct qcow2_req *req)
{
    struct qcow2 *q = req->q;

    if (q->held >= QCOW2_HELD_MAX)
        return false;
    req->exclusive = req->op == BLOCK_DISCARD || req->op == BLOCK_WRITE_ZEROES ||
                     (req->op == BLOCK_WRITE && !qcow2_in_place(q, req->from, req->to));
    for (const struct qcow2_req *r = req->before; r; r = r->before)
        if (r->first <= req->last && req->first <= r->last && (req->exclusive || r->exclusive))
            return false;
    return true;
}

static void hold(struct qcow2_req *req)
{
    req->held = true;
    req->q->held++;
    qcow2_enqueue(req->q, &req->task);
}

/* A range became free: whose turn is it? */
static void admit(struct qcow2 *q)
{
    if (!q->waiting)
        return;
    for (struct qcow2_req *r = q->first_req; r && q->held < QCOW2_HELD_MAX; r = r->after)
        if (!r->held && may_hold(r)) {
            q->waiting--;
            hold(r);
        }
}

/* ---- Requests ---------------------------------------------------------------------------------
 */

/* The parts of a write of zeroes may be in one cluster: one after the other. */
static unsigned pending_max(const struct qcow2_req *req)
{
    return req->op == BLOCK_WRITE_ZEROES ? 1 : QCOW2_PENDING_MAX;
}

static void run_req(struct qcow2_task *task)
{
    struct qcow2_req *req = (struct qcow2_req *)task;
    struct qcow2 *q = req->q;

    req->steps = 0;
    while (!req->error && req->pos < req->to && req->pending < pending_max(req)) {
        if (++req->steps > STEPS) {
            qcow2_yield(q, task);
            return;
        }
        int r = req->step(req);
        if (r == QCOW2_WAIT) {
            qcow2_park(q, task);
            return;
        }
        if (r < 0)
            req->error = -r;
    }
    if (!req->pending && (req->error || req->pos == req->to))
        req->done(req, req->error);
}

struct qcow2_req *qcow2_req_new(struct qcow2 *q)
{
    struct qcow2_req *req = q->free_reqs;

    if (req)
        q->free_reqs = req->after;
    else
        req = malloc(sizeof(*req));
    if (!req)
        return NULL;
    memset(req, 0, sizeof(*req));
    req->q = q;
    req->task.run = run_req;
    return req;
}

void qcow2_req_free(struct qcow2_req *req)
{
    req->after = req->q->free_reqs;
    req->q->free_reqs = req;
}

static int (*const steps[])(struct qcow2_req *req) = {
    [BLOCK_READ] = qcow2_read_step,
    [BLOCK_WRITE] = qcow2_write_step,
    [BLOCK_DISCARD] = qcow2_discard_step,
    [BLOCK_WRITE_ZEROES] = qcow2_zeroes_step,
};

/* Its owner frees it in done(). */
void qcow2_req_start(struct qcow2_req *req)
{
    req->pos = req->from;
    req->step = steps[req->op];
    qcow2_enqueue(req->q, &req->task);
}

void qcow2_pending_done(struct qcow2_req *req, int error)
{
    if (error && !req->error)
        req->error = error;
    req->pending--;
    if (!req->pending || req->pos < req->to)
        qcow2_enqueue(req->q, &req->task);
}

static void end_outer(struct qcow2_req *req, int error)
{
    struct qcow2 *q = req->q;
    struct block_request *outer = req->outer;

    unlink_req(req);
    q->held--;
    qcow2_req_free(req);
    /* From the loop, most often from the container's own completion: a turn of the loop is saved.
     */
    if (q->submitting)
        block_finish_later(outer, error);
    else
        block_finish(outer, error);
    admit(q);
}

static void committed(struct qcow2_waiter *waiter, int error)
{
    struct qcow2_req *req =
        (struct qcow2_req *)((char *)waiter - offsetof(struct qcow2_req, waiter));
    end_outer(req, error);
}

/* Where each write waits for the medium, so must the tables that lead to it. */
static void outer_done(struct qcow2_req *req, int error)
{
    struct qcow2 *q = req->q;

    if (!error && q->sync && req->op != BLOCK_READ &&
        (req->dirtied || q->cache.dirty || q->commit.state != QCOW2_COMMIT_IDLE)) {
        req->waiter.done = committed;
        qcow2_wait_commit(q, &req->waiter);
        return;
    }
    end_outer(req, error);
}

static void flushed(struct qcow2_waiter *waiter, int error)
{
    struct qcow2_req *req =
        (struct qcow2_req *)((char *)waiter - offsetof(struct qcow2_req, waiter));
    struct block_request *outer = req->outer;
    qcow2_req_free(req);
    block_finish_later(outer, error);
}

void qcow2_submit(struct block *block, struct block_request *request)
{
    struct qcow2 *q = block->image;
    struct qcow2_req *req = qcow2_req_new(q);

    if (!req) {
        block_finish_later(request, ENOMEM);
        return;
    }
    req->outer = request;
    req->op = request->op;
    if (request->op == BLOCK_FLUSH) {
        req->waiter.done = flushed;
        qcow2_wait_commit(q, &req->waiter);
        return;
    }
    req->done = outer_done;
    req->step = steps[request->op];
    req->from = req->pos = request->offset;
    req->to = request->offset + request->bytes;
    req->at = (struct iov_cursor){.iov = request->iov, .left = request->iovcnt};
    req->own_memory = request->own_memory;
    req->may_unmap = request->may_unmap;
    req->first = req->from >> q->cluster_bits;
    req->last = (req->to - 1) >> q->cluster_bits;
    link_req(req);
    if (may_hold(req))
        hold(req);
    else
        q->waiting++;
    bool inside = q->submitting;
    q->submitting = true;
    qcow2_run_tasks(q);
    q->submitting = inside;
}

/* ---- Transfers --------------------------------------------------------------------------------
 */

struct qcow2_io *qcow2_io_new(struct qcow2 *q, void (*done)(struct qcow2_io *io, int error),
                              void *owner)
{
    struct qcow2_io *io = q->free_ios;

    if (io)
        q->free_ios = io->next;
    else
        io = malloc(sizeof(*io));
    if (!io)
        return NULL;
    memset(&io->r, 0, sizeof(io->r));
    io->q = q;
    io->done = done;
    io->owner = owner;
    io->iov = io->few;
    io->room = (int)(sizeof(io->few) / sizeof(io->few[0]));
    io->count = 0;
    io->bytes = 0;
    return io;
}

void qcow2_io_free(struct qcow2_io *io)
{
    if (io->iov != io->few)
        free(io->iov);
    io->next = io->q->free_ios;
    io->q->free_ios = io;
}

bool qcow2_io_push(struct qcow2_io *io, const void *base, size_t bytes)
{
    if (!bytes)
        return true;
    if (io->count == io->room) {
        int room = io->room * 4;
        struct iovec *iov = malloc((size_t)room * sizeof(*iov));
        if (!iov)
            return false;
        memcpy(iov, io->iov, (size_t)io->count * sizeof(*iov));
        if (io->iov != io->few)
            free(io->iov);
        io->iov = iov;
        io->room = room;
    }
    io->iov[io->count++] = (struct iovec){.iov_base = (void *)(uintptr_t)base, .iov_len = bytes};
    io->bytes += bytes;
    return true;
}

bool qcow2_io_push_zeroes(struct qcow2_io *io, size_t bytes)
{
    while (bytes) {
        size_t len = bytes < QCOW2_ZEROES ? bytes : QCOW2_ZEROES;
        if (!qcow2_io_push(io, qcow2_zeroes, len))
            return false;
        bytes -= len;
    }
    return true;
}

bool qcow2_io_push_cursor(struct qcow2_io *io, struct iov_cursor *at, size_t bytes)
{
    struct iovec slice[IOV_SLICE];

    while (bytes) {
        size_t covered;
        int n = iov_slice(at, bytes, slice, &covered);
        for (int i = 0; i < n; i++)
            if (!qcow2_io_push(io, slice[i].iov_base, slice[i].iov_len))
                return false;
        if (!covered)
            return false;
        iov_advance(at, covered);
        bytes -= covered;
    }
    return true;
}

static void io_done(struct block_request *r, int error)
{
    struct qcow2_io *io = (struct qcow2_io *)r;
    struct qcow2 *q = io->q;

    io->done(io, error);
    qcow2_io_free(io);
    qcow2_run_tasks(q);
}

void qcow2_io_start(struct qcow2_io *io, struct block *on, enum block_op op, uint64_t offset,
                    size_t bytes, bool own_memory)
{
    io->r.op = op;
    io->r.offset = offset;
    io->r.bytes = bytes;
    io->r.iov = io->iov;
    io->r.iovcnt = io->count;
    io->r.own_memory = own_memory;
    io->r.done = io_done;
    block_submit(on, &io->r);
}

void qcow2_free_pools(struct qcow2 *q)
{
    while (q->free_reqs) {
        struct qcow2_req *req = q->free_reqs;
        q->free_reqs = req->after;
        free(req);
    }
    while (q->free_ios) {
        struct qcow2_io *io = q->free_ios;
        q->free_ios = io->next;
        free(io);
    }
}
