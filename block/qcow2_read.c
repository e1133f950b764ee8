/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qcow2_read: bytes of the guest's disk from the file, from what backs it, or zeroes. */
#include "block/qcow2_int.h"

#include <errno.h>

static void read_done(struct qcow2_io *io, int error)
{
    qcow2_pending_done(io->owner, error);
}

/* Starts a transfer into the request's memory at its place. */
static int start(struct qcow2_req *req, struct block *from, uint64_t offset, uint64_t bytes)
{
    struct qcow2_io *io = qcow2_io_new(req->q, read_done, req);
    struct iov_cursor at = req->at;

    if (!io)
        return -ENOMEM;
    if (!qcow2_io_push_cursor(io, &at, (size_t)bytes)) {
        qcow2_io_free(io);
        return -ENOMEM;
    }
    req->at = at;
    req->pos += bytes;
    req->pending++;
    qcow2_io_start(io, from, BLOCK_READ, offset, (size_t)bytes, req->own_memory);
    return 0;
}

static void zero(struct qcow2_req *req, uint64_t bytes)
{
    iov_zero(&req->at, (size_t)bytes);
    req->pos += bytes;
}

static int read_backing(struct qcow2_req *req, uint64_t bytes)
{
    struct qcow2 *q = req->q;

    if (qcow2_no_backing(q, req->pos)) {
        zero(req, bytes);
        return 0;
    }
    uint64_t left = block_bytes(q->backing) - req->pos;
    return start(req, q->backing, req->pos, bytes < left ? bytes : left);
}

static int read_compressed(struct qcow2_req *req, const struct qcow2_extent *extent)
{
    struct qcow2 *q = req->q;
    const uint8_t *data;

    int r = qcow2_inflate(q, extent->entry, &data);
    if (r)
        return r;
    iov_write(&req->at, data + (req->pos & (q->cluster_bytes - 1)), (size_t)extent->bytes);
    req->pos += extent->bytes;
    return 0;
}

int qcow2_read_step(struct qcow2_req *req)
{
    struct qcow2_extent extent;

    int r = qcow2_map(req->q, req->pos, req->to - req->pos, &extent);
    if (r)
        return r;
    switch (extent.type) {
    case QCOW2_IS_DATA:
        return start(req, req->q->file, extent.host, extent.bytes);
    case QCOW2_IS_COMPRESSED:
        return read_compressed(req, &extent);
    case QCOW2_IS_UNALLOCATED:
        return read_backing(req, extent.bytes);
    default:
        zero(req, extent.bytes);
        return 0;
    }
}
