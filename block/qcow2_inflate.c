/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qcow2_inflate: the data of compressed clusters, unpacked by a worker; a few are kept, for reads
 * that go through a cluster in small pieces. */
#include "block/qcow2_int.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#define KEEP_BYTES   (512u * 1024)
#define DEFLATE_BITS 12 /* the window of raw deflate streams in qcow2 */

/* ---- On the worker ----------------------------------------------------------------------------
 */

/* Whoever unpacks allocates nothing: both libraries got their memory on the loop's thread. */
static int unpack_zlib(z_stream *z, uint8_t *in, size_t in_bytes, uint8_t *out, size_t out_bytes)
{
    inflateReset(z);
    z->next_in = in;
    z->avail_in = (uInt)in_bytes;
    z->next_out = out;
    z->avail_out = (uInt)out_bytes;
    int r = inflate(z, Z_FINISH);
    /* More than a cluster is cut off; the input's last sector has other data behind it. */
    return (r == Z_STREAM_END || r == Z_BUF_ERROR) && !z->avail_out ? 0 : EIO;
}

/* In one go, straight into the output: a frame cannot ask for a window. */
static int unpack_zstd(ZSTD_DCtx *context, const uint8_t *in, size_t in_bytes, uint8_t *out,
                       size_t out_bytes)
{
    while (out_bytes) {
        size_t frame = ZSTD_findFrameCompressedSize(in, in_bytes);
        if (ZSTD_isError(frame))
            return EIO;
        size_t n = ZSTD_decompressDCtx(context, out, out_bytes, in, frame);
        if (ZSTD_isError(n) || !frame)
            return EIO;
        in += frame;
        in_bytes -= frame;
        out += n;
        out_bytes -= n;
    }
    return 0;
}

static void work(struct worker_job *job)
{
    struct qcow2_inflate *i = (struct qcow2_inflate *)job;
    struct qcow2 *q = i->q;

    uint8_t *in = i->input + i->skip;

    i->result = q->zstd ? unpack_zstd(q->zstd, in, i->input_bytes, i->slot->data, q->cluster_bytes)
                        : unpack_zlib(q->zlib, in, i->input_bytes, i->slot->data, q->cluster_bytes);
}

/* ---- On the loop's thread ---------------------------------------------------------------------
 */

static void end(struct qcow2 *q, int error)
{
    struct qcow2_inflate *i = &q->inflate;
    struct qcow2_inflated *slot = i->slot;

    free(i->input);
    i->input = NULL;
    i->busy = false;
    slot->state = error ? QCOW2_PAGE_FAILED : QCOW2_PAGE_READY;
    slot->error = error;
    slot->used = true;
    qcow2_kick(q);
    if (slot->state == QCOW2_PAGE_FAILED)
        slot->state = QCOW2_PAGE_FREE;
}

static void was_read(struct qcow2_io *io, int error)
{
    struct qcow2 *q = io->q;

    if (error) {
        end(q, error);
        return;
    }
    q->inflate.work.run = work;
    workers_submit(&q->port, &q->inflate.work);
}

static void take(struct qcow2 *q, bool wait)
{
    for (struct worker_job *job = workers_take(&q->port, wait); job;) {
        struct worker_job *next = job->next;
        end(q, q->inflate.result);
        job = next;
    }
}

static void completed(void *opaque, uint32_t events)
{
    (void)events;
    take(opaque, false);
}

void qcow2_inflate_wait(struct qcow2 *q)
{
    take(q, true);
}

static struct qcow2_inflated *find(struct qcow2 *q, uint64_t entry)
{
    for (unsigned i = 0; i < q->inflated_count; i++)
        if (q->inflated[i].state != QCOW2_PAGE_FREE && q->inflated[i].entry == entry)
            return &q->inflated[i];
    return NULL;
}

/* A place for another one: not the one used last. */
static struct qcow2_inflated *new_slot(struct qcow2 *q)
{
    struct qcow2_inflated *slot;

    do {
        slot = &q->inflated[q->inflated_hand++ % q->inflated_count];
        bool used = slot->used && q->inflated_count > 1;
        slot->used = false;
        if (slot->state == QCOW2_PAGE_FREE || !used)
            break;
    } while (true);
    if (!slot->data) {
        void *data;
        if (posix_memalign(&data, 4096, q->cluster_bytes))
            return NULL;
        slot->data = data;
    }
    return slot;
}

/* The library's memory, at the first compressed cluster. */
static bool get_library(struct qcow2 *q)
{
    if (q->zlib || q->zstd)
        return true;
    if (q->compression) {
        q->zstd = ZSTD_createDCtx();
        return q->zstd;
    }
    z_stream *z = calloc(1, sizeof(*z));
    if (z && inflateInit2(z, -DEFLATE_BITS) == Z_OK)
        q->zlib = z;
    else
        free(z);
    return q->zlib;
}

static int start(struct qcow2 *q, uint64_t entry)
{
    uint64_t offset;
    size_t bytes;
    void *input;

    qcow2_compressed(q, entry, &offset, &bytes);
    if (offset > INT64_MAX - bytes || offset < q->cluster_bytes)
        return qcow2_corrupt(q, "a compressed cluster is at %#llx", (unsigned long long)offset);
    struct qcow2_inflated *slot = get_library(q) ? new_slot(q) : NULL;
    struct qcow2_io *io = slot ? qcow2_io_new(q, was_read, NULL) : NULL;
    uint64_t from = offset & ~(uint64_t)(QCOW2_SECTOR - 1);
    size_t whole = (size_t)(offset - from) + bytes; /* ends with a sector's end */
    if (!io || posix_memalign(&input, 4096, whole)) {
        if (io)
            qcow2_io_free(io);
        return -ENOMEM;
    }
    slot->state = QCOW2_PAGE_LOADING;
    slot->entry = entry;
    q->inflate.busy = true;
    q->inflate.slot = slot;
    q->inflate.input = input;
    q->inflate.q = q;
    q->inflate.skip = (size_t)(offset - from);
    q->inflate.input_bytes = bytes;
    qcow2_io_push(io, input, whole);
    qcow2_io_start(io, q->file, BLOCK_READ, from, whole, true);
    return QCOW2_WAIT;
}

int qcow2_inflate(struct qcow2 *q, uint64_t entry, const uint8_t **data)
{
    struct qcow2_inflated *slot = find(q, entry);

    if (!slot)
        return q->inflate.busy ? QCOW2_WAIT : start(q, entry);
    if (slot->state == QCOW2_PAGE_LOADING)
        return QCOW2_WAIT;
    if (slot->state == QCOW2_PAGE_FAILED)
        return -slot->error;
    slot->used = true;
    *data = slot->data;
    return 0;
}

void qcow2_inflate_forget(struct qcow2 *q)
{
    for (unsigned i = 0; i < q->inflated_count; i++)
        if (q->inflated[i].state == QCOW2_PAGE_READY)
            q->inflated[i].state = QCOW2_PAGE_FREE;
}

bool qcow2_inflate_init(struct qcow2 *q, struct err *err)
{
    uint64_t count = KEEP_BYTES >> q->cluster_bits;

    q->inflated_count = count > QCOW2_INFLATED ? QCOW2_INFLATED : count ? (unsigned)count : 1;
    q->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (q->event_fd < 0)
        return err_set(err, "disk %s: eventfd: %s", q->id, strerror(errno));
    q->port.event_fd = q->event_fd;
    return loop_watch(q->loop, &q->source, q->event_fd, EPOLLIN | EPOLLET, completed, q, err);
}

void qcow2_inflate_free(struct qcow2 *q)
{
    loop_unwatch(q->loop, &q->source);
    worker_port_destroy(&q->port);
    if (q->event_fd >= 0)
        close(q->event_fd);
    for (unsigned i = 0; i < QCOW2_INFLATED; i++)
        free(q->inflated[i].data);
    ZSTD_freeDCtx(q->zstd);
    if (q->zlib)
        inflateEnd(q->zlib);
    free(q->zlib);
}
