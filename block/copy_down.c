/* SPDX-License-Identifier: GPL-2.0-or-later */
/* copy_down: see copy_down.h. One MiB at a time: both are read, and what differs is written. */
#include "block/copy_down.h"

#include <stdlib.h>
#include <string.h>

#include "block/block_int.h"

#define CHUNK (1u << 20)
#define PIECE 4096u /* the ends of a chunk that are the same below are not written, in these */

enum copy_state { COPY_READING, COPY_WRITING, COPY_FLUSHING };

struct copy_down {
    struct block *top, *base;
    struct loop *loop;
    void (*done)(void *opaque, const char *why);
    void *opaque;
    uint64_t at, bytes;
    enum copy_state state;
    uint8_t *ours, *theirs; /* of the overlay, of the image below */
    struct iovec iov[2];
    struct block_request r[2];
    unsigned under_way;
    int error;
    struct deferred next; /* never from within done(): who drains a block waits for these to end */
};

static void request_done(struct block_request *request, int error)
{
    struct copy_down *c = request->opaque;
    if (error && !c->error)
        c->error = error;
    if (--c->under_way == 0)
        loop_defer(c->loop, &c->next);
}

/* Requests are internal: an error is not the guest's, and pauses or is reported to nobody else. */
static void submit(struct copy_down *c, unsigned n, struct block *block, enum block_op op,
                   uint64_t offset, void *buf, size_t bytes)
{
    c->iov[n] = (struct iovec){buf, bytes};
    c->r[n] = (struct block_request){.op = op,
                                     .offset = offset,
                                     .bytes = bytes,
                                     .iov = bytes ? &c->iov[n] : NULL,
                                     .iovcnt = bytes ? 1 : 0,
                                     .own_memory = true,
                                     .done = request_done,
                                     .opaque = c,
                                     .internal = true};
    block_submit(block, &c->r[n]);
}

static size_t chunk(const struct copy_down *c)
{
    return c->bytes - c->at < CHUNK ? (size_t)(c->bytes - c->at) : CHUNK;
}

static void read_both(struct copy_down *c)
{
    if (c->at == c->bytes) {
        c->state = COPY_FLUSHING;
        c->under_way = 1;
        submit(c, 0, c->base, BLOCK_FLUSH, 0, NULL, 0);
        return;
    }
    c->state = COPY_READING;
    c->under_way = 2;
    submit(c, 0, c->top, BLOCK_READ, c->at, c->ours, chunk(c));
    submit(c, 1, c->base, BLOCK_READ, c->at, c->theirs, chunk(c));
}

static bool differ(const struct copy_down *c, size_t at, size_t end)
{
    return memcmp(c->ours + at, c->theirs + at, (end - at < PIECE ? end - at : PIECE)) != 0;
}

/* False: there is nothing to be written. */
static bool write_difference(struct copy_down *c)
{
    size_t first = 0, end = chunk(c), last;
    while (first < end && !differ(c, first, end))
        first += PIECE;
    if (first >= end)
        return false;
    last = (end - 1) / PIECE * PIECE;
    while (last > first && !differ(c, last, end))
        last -= PIECE;
    if (end - last > PIECE)
        end = last + PIECE;
    c->state = COPY_WRITING;
    c->under_way = 1;
    submit(c, 0, c->base, BLOCK_WRITE, c->at + first, c->ours + first, end - first);
    return true;
}

static void step(void *opaque)
{
    struct copy_down *c = opaque;
    if (c->error || c->state == COPY_FLUSHING) {
        c->done(c->opaque, c->error ? strerror(c->error) : NULL);
        return;
    }
    if (c->state == COPY_READING && write_difference(c))
        return;
    c->at += chunk(c);
    read_both(c);
}

struct copy_down *copy_down_start(struct loop *loop, struct block *top, struct block *base,
                                  void (*done)(void *opaque, const char *why), void *opaque,
                                  struct err *err)
{
    struct copy_down *c;
    /* Not made longer here: whoever has it open, we too, would take it for another image. */
    if (block_bytes(base) < block_bytes(top)) {
        err_set(err,
                "disk %s: %s: is shorter than what lies on it; when the guest is shut down: "
                "qemu-img resize, or qemu-img commit",
                block_id(top), block_file(base));
        return NULL;
    }
    c = calloc(1, sizeof(*c));
    if (!c || posix_memalign((void **)&c->ours, PIECE, CHUNK) != 0 ||
        posix_memalign((void **)&c->theirs, PIECE, CHUNK) != 0) {
        if (c)
            free(c->ours);
        free(c);
        err_set(err, "disk %s: out of memory", block_id(top));
        return NULL;
    }
    c->top = top;
    c->base = base;
    c->loop = loop;
    c->done = done;
    c->opaque = opaque;
    c->bytes = block_bytes(top);
    deferred_init(&c->next, step, c);
    read_both(c);
    return c;
}

uint64_t copy_down_progress(const struct copy_down *copy)
{
    return copy->at;
}

void copy_down_free(struct copy_down *copy)
{
    if (!copy)
        return;
    if (copy->under_way) {
        block_drain(copy->top);
        block_drain(copy->base);
    }
    loop_undefer(copy->loop, &copy->next);
    block_close(copy->base);
    free(copy->ours);
    free(copy->theirs);
    free(copy);
}
