/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * blkback: see blkback.h. Data of a request go one of three ways:
 *  - pages that the front-end keeps granted are mapped once and stay so: no hypercall a request;
 *  - else they are copied by Xen, into or from a buffer: one call a request;
 *  - where the kernel cannot copy, they are mapped for the request.
 */
#include "hw/xen/blkback.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "block/block.h"
#include "hw/core/log.h"
#include "hw/core/loop.h"

#define SPARE_BUFFER (64u << 10) /* a job keeps a buffer of this size, … */
#define SPARE_BYTES  (1u << 20)  /* … while all have no more than this */
#define TABLE_SIZE   2048u       /* of BLKBACK_MAX_PERSISTENT; a power of two */

enum way { WAY_NONE, WAY_PERSISTENT, WAY_COPY, WAY_MAP };

struct queue {
    struct blkback *owner;
    struct blkif_ring ring;
    unsigned pages;
    uint32_t port;
    bool stalled;  /* requests wait for room */
    bool answered; /* responses are to be shown */
};

struct job {
    struct block_request request;
    struct job *next; /* in the list of the free ones */
    struct queue *queue;
    struct blkif_copy r;
    enum way way;
    bool flushed; /* a FLUSH with data: its flush is done */
    size_t bytes;
    void *buffer; /* WAY_COPY: the data */
    size_t buffer_bytes;
    void *mapped;                   /* WAY_MAP */
    struct blkif_segment *segments; /* r.segment, or `own` */
    struct blkif_segment own[BLKIF_MAX_SEGMENTS];
    struct iovec iov[BLKIF_MAX_SEGMENTS];
};

struct persistent {
    uint32_t ref;
    void *page; /* NULL: free slot */
};

struct blkback {
    struct loop *loop;
    struct block *block;
    struct blkback_doors doors;
    struct blkback_config config;
    struct queue queue[BLKBACK_MAX_QUEUES];
    struct deferred push;
    struct job *free;
    unsigned jobs, running;
    size_t buffers; /* bytes, those kept included */
    bool no_copy;   /* the kernel has no grant copy */
    bool broken, closing;
    struct persistent table[TABLE_SIZE];
    unsigned kept; /* entries of the table */
    struct blkback_piece pieces[BLKIF_MAX_SEGMENTS];
    uint8_t indirect[BLKIF_PAGE];
};

/* --- pages that stay mapped --- */

static struct persistent *entry_of(struct blkback *b, uint32_t ref)
{
    uint32_t i = (ref * 2654435761u) >> 21 & (TABLE_SIZE - 1);

    while (b->table[i].page && b->table[i].ref != ref) /* never full: half at most is used */
        i = (i + 1) & (TABLE_SIZE - 1);
    return &b->table[i];
}

static uint8_t *persistent_page(struct blkback *b, uint32_t ref)
{
    struct persistent *e = entry_of(b, ref);

    if (e->page || b->kept == BLKBACK_MAX_PERSISTENT)
        return e->page;
    e->page = b->doors.map(b->doors.opaque, &ref, 1, true);
    if (e->page) {
        e->ref = ref;
        b->kept++;
    }
    return e->page;
}

/* --- jobs --- */

static struct job *take_job(struct blkback *b)
{
    struct job *job = b->free;

    if (job) {
        b->free = job->next;
    } else if (b->jobs < BLKBACK_MAX_JOBS) {
        job = calloc(1, sizeof(*job));
        if (job)
            b->jobs++;
    }
    if (job)
        b->running++;
    return job;
}

static void drop_buffer(struct blkback *b, struct job *job)
{
    b->buffers -= job->buffer_bytes;
    free(job->buffer);
    job->buffer = NULL;
    job->buffer_bytes = 0;
}

static void give_job(struct blkback *b, struct job *job)
{
    if (job->mapped)
        b->doors.unmap(b->doors.opaque, job->mapped, job->r.segments);
    job->mapped = NULL;
    if (job->buffer_bytes > SPARE_BUFFER || b->buffers > SPARE_BYTES)
        drop_buffer(b, job);
    job->next = b->free;
    b->free = job;
    b->running--;
}

static bool get_buffer(struct blkback *b, struct job *job)
{
    size_t want = job->bytes < SPARE_BUFFER ? SPARE_BUFFER : job->bytes;

    if (job->buffer_bytes >= want)
        return true;
    drop_buffer(b, job);
    if (posix_memalign(&job->buffer, BLKIF_PAGE, want)) {
        job->buffer = NULL;
        return false;
    }
    job->buffer_bytes = want;
    b->buffers += want;
    return true;
}

static void take_requests(struct queue *q);

static void push_all(void *opaque)
{
    struct blkback *b = opaque;

    for (unsigned i = 0; i < b->config.queues; i++) {
        struct queue *q = &b->queue[i];
        if (q->answered) {
            q->answered = false;
            if (blkif_ring_push(&q->ring))
                b->doors.notify(b->doors.opaque, q->port);
        }
        if (q->stalled && !b->closing)
            take_requests(q);
    }
}

/* Answers; shown together with others at the end of the loop's turn. */
static void answer(struct queue *q, const struct blkif_copy *r, int16_t status)
{
    /* The operation of an indirect request is the one inside: blkif.h has the response's "copied
     * from request", and Linux's front-end takes a response that says INDIRECT for a broken
     * back-end's. */
    blkif_ring_answer(&q->ring, r->id, r->op, status);
    q->answered = true;
    loop_defer(q->owner->loop, &q->owner->push);
}

static void finish(struct job *job, bool ok)
{
    struct queue *q = job->queue;

    answer(q, &job->r, ok ? BLKIF_OKAY : BLKIF_ERROR);
    give_job(q->owner, job);
}

/* --- data --- */

static bool copy_data(struct blkback *b, struct job *job, bool to_guest)
{
    uint8_t *at = job->buffer;

    for (unsigned i = 0; i < job->r.segments; i++) {
        const struct blkif_segment *s = &job->segments[i];
        unsigned bytes = (s->last - s->first + 1u) * BLKIF_SECTOR;
        b->pieces[i] = (struct blkback_piece){.ref = s->ref,
                                              .offset = (uint16_t)(s->first * BLKIF_SECTOR),
                                              .bytes = (uint16_t)bytes,
                                              .local = at};
        at += bytes;
    }
    return b->doors.copy(b->doors.opaque, b->pieces, job->r.segments, to_guest);
}

static void add_iov(struct job *job, unsigned i, uint8_t *page)
{
    const struct blkif_segment *s = &job->segments[i];

    job->iov[i] = (struct iovec){.iov_base = page + s->first * BLKIF_SECTOR,
                                 .iov_len = (s->last - s->first + 1u) * BLKIF_SECTOR};
}

static bool by_persistent(struct blkback *b, struct job *job)
{
    for (unsigned i = 0; i < job->r.segments; i++) {
        uint8_t *page = persistent_page(b, job->segments[i].ref);
        if (!page)
            return false;
        add_iov(job, i, page);
    }
    return true;
}

static bool by_map(struct blkback *b, struct job *job)
{
    uint32_t refs[BLKIF_MAX_SEGMENTS];

    for (unsigned i = 0; i < job->r.segments; i++)
        refs[i] = job->segments[i].ref;
    /* Reads of the disk write to the pages. */
    job->mapped = b->doors.map(b->doors.opaque, refs, job->r.segments, job->r.op == BLKIF_READ);
    if (!job->mapped)
        return false;
    for (unsigned i = 0; i < job->r.segments; i++)
        add_iov(job, i, (uint8_t *)job->mapped + (size_t)i * BLKIF_PAGE);
    return true;
}

static bool by_copy(struct blkback *b, struct job *job)
{
    if (b->no_copy || !get_buffer(b, job))
        return false;
    job->iov[0] = (struct iovec){.iov_base = job->buffer, .iov_len = job->bytes};
    if (job->r.op == BLKIF_READ)
        return true;
    if (copy_data(b, job, false))
        return true;
    b->no_copy = errno == ENOTTY || errno == EOPNOTSUPP;
    return false;
}

/* Finds the way for the data and gets those of a write. */
static bool get_data(struct blkback *b, struct job *job)
{
    if (!job->bytes) {
        job->way = WAY_NONE;
        return true;
    }
    if (b->config.persistent && by_persistent(b, job))
        job->way = WAY_PERSISTENT;
    else if (by_copy(b, job))
        job->way = WAY_COPY;
    else if (b->no_copy && by_map(b, job))
        job->way = WAY_MAP;
    else
        return false;
    return true;
}

/* --- requests --- */

static void request_done(struct block_request *request, int error);

static void submit(struct job *job)
{
    static const enum block_op ops[] = {
        [BLKIF_READ] = BLOCK_READ, [BLKIF_WRITE] = BLOCK_WRITE, [BLKIF_DISCARD] = BLOCK_DISCARD};
    struct blkback *b = job->queue->owner;
    bool flush = job->r.op == BLKIF_FLUSH && !job->flushed;
    enum block_op op = flush                      ? BLOCK_FLUSH
                       : job->r.op == BLKIF_FLUSH ? BLOCK_WRITE
                                                  : ops[job->r.op];
    bool data = op == BLOCK_READ || op == BLOCK_WRITE;

    job->request = (struct block_request){
        .op = op,
        .offset = op == BLOCK_FLUSH ? 0 : job->r.sector * BLKIF_SECTOR,
        .bytes = data                  ? job->bytes
                 : op == BLOCK_DISCARD ? job->r.sectors * BLKIF_SECTOR
                                       : 0,
        .iov = data ? job->iov : NULL,
        .iovcnt = data ? (job->way == WAY_COPY ? 1 : job->r.segments) : 0,
        .own_memory = job->way == WAY_COPY,
        .done = request_done,
        .opaque = job,
    };
    block_submit(b->block, &job->request);
}

static void request_done(struct block_request *request, int error)
{
    struct job *job = request->opaque;
    struct blkback *b = job->queue->owner;

    if (!error && job->r.op == BLKIF_FLUSH && !job->flushed && job->bytes) {
        job->flushed = true;
        submit(job);
        return;
    }
    /* A read's data: should the guest have taken the grant back, it is told that it failed. */
    if (!error && job->r.op == BLKIF_READ && job->way == WAY_COPY && !copy_data(b, job, true)) {
        b->no_copy = errno == ENOTTY || errno == EOPNOTSUPP;
        error = EIO;
        if (b->no_copy && by_map(b, job)) {
            const uint8_t *from = job->buffer;
            for (unsigned i = 0; i < job->r.segments; i++) {
                memcpy(job->iov[i].iov_base, from, job->iov[i].iov_len);
                from += job->iov[i].iov_len;
            }
            error = 0;
        }
    }
    /* A hint: an image that cannot discard has not failed. */
    finish(job, !error || job->r.op == BLKIF_DISCARD);
}

/* The descriptors of an indirect request: each page copied once. */
static bool get_segments(struct blkback *b, struct job *job)
{
    job->segments = job->r.segment;
    if (!job->r.indirect)
        return true;
    job->segments = job->own;
    for (unsigned done = 0, page = 0; done < job->r.segments; page++) {
        unsigned count = job->r.segments - done;
        if (count > BLKIF_INDIRECT_PER_PAGE)
            count = BLKIF_INDIRECT_PER_PAGE;
        unsigned bytes = count * 8;
        uint32_t ref = job->r.refs[page];
        const uint8_t *kept = b->config.persistent ? persistent_page(b, ref) : NULL;
        if (kept) {
            memcpy(b->indirect, kept, bytes);
        } else {
            struct blkback_piece piece = {
                .ref = ref, .bytes = (uint16_t)bytes, .local = b->indirect};
            if (b->no_copy || !b->doors.copy(b->doors.opaque, &piece, 1, false)) {
                if (!b->no_copy && errno != ENOTTY && errno != EOPNOTSUPP)
                    return false;
                b->no_copy = true;
                void *where = b->doors.map(b->doors.opaque, &ref, 1, false);
                if (!where)
                    return false;
                memcpy(b->indirect, where, bytes);
                b->doors.unmap(b->doors.opaque, where, 1);
            }
        }
        blkif_decode_segments(b->indirect, count, job->own + done);
        done += count;
    }
    return true;
}

/* False: it must be answered with this status. */
static bool begin(struct blkback *b, struct job *job, int16_t *status)
{
    struct blkif_copy *r = &job->r;
    uint64_t sectors = block_bytes(b->block) / BLKIF_SECTOR;

    *status = r->op == BLKIF_WRITE_BARRIER || (r->op == BLKIF_DISCARD && !b->config.discard)
                  ? BLKIF_UNSUPPORTED
                  : BLKIF_ERROR;
    if (!blkif_known(r) || *status == BLKIF_UNSUPPORTED)
        return false;
    bool changes =
        r->op == BLKIF_WRITE || r->op == BLKIF_DISCARD || (r->op == BLKIF_FLUSH && r->segments);
    if (changes && b->config.read_only)
        return false;
    if (!get_segments(b, job) || !blkif_check(r, job->segments, sectors, &job->bytes))
        return false;
    job->flushed = false;
    return get_data(b, job);
}

static bool room(const struct blkback *b)
{
    return b->buffers < BLKBACK_MAX_BUFFERS && (b->free || b->jobs < BLKBACK_MAX_JOBS);
}

static void no_longer(struct blkback *b)
{
    if (!b->broken)
        guest_error("blkback", "%s: impossible ring index: no longer served", b->config.name);
    b->broken = true;
}

static void take_requests(struct queue *q)
{
    struct blkback *b = q->owner;
    struct job *job;
    int16_t status;

    q->stalled = false;
    do {
        for (;;) {
            if (b->broken)
                return;
            job = room(b) ? take_job(b) : NULL;
            if (!job) {
                /* Looked at again when one has ended; if none runs there is no memory. */
                q->stalled = true;
                if (!b->running)
                    guest_error("blkback", "%s: out of memory", b->config.name);
                return;
            }
            enum blkif_take took = blkif_ring_take(&q->ring, &job->r);
            if (took != BLKIF_TAKE_ONE) {
                job->r.segments = 0;
                give_job(b, job);
                if (took == BLKIF_TAKE_BROKEN)
                    no_longer(b);
                break;
            }
            job->queue = q;
            if (begin(b, job, &status)) {
                submit(job);
            } else {
                answer(q, &job->r, status);
                give_job(b, job);
            }
        }
    } while (!b->broken && blkif_ring_more(&q->ring));
}

void blkback_event(struct blkback *b, unsigned queue)
{
    if (queue < b->config.queues && !b->broken && !b->closing)
        take_requests(&b->queue[queue]);
}

bool blkback_broken(const struct blkback *b)
{
    return b->broken;
}

/* --- coming and going --- */

static bool connect_queue(struct blkback *b, unsigned i, struct err *err)
{
    const struct blkback_queue_config *c = &b->config.queue[i];
    struct queue *q = &b->queue[i];
    void *shared = b->doors.map(b->doors.opaque, c->refs, c->pages, true);

    if (!shared)
        return err_set(err, "%s: cannot map the ring of queue %u: %s", b->config.name, i,
                       strerror(errno));
    q->owner = b;
    q->pages = c->pages;
    q->port = c->port;
    blkif_ring_init(&q->ring, shared, (size_t)c->pages * BLKIF_PAGE, b->config.abi);
    return true;
}

struct blkback *blkback_connect(struct loop *loop, struct block *block,
                                const struct blkback_config *config,
                                const struct blkback_doors *doors, struct err *err)
{
    struct blkback *b = calloc(1, sizeof(*b));

    if (!b) {
        err_set(err, "out of memory");
        return NULL;
    }
    b->loop = loop;
    b->block = block;
    b->doors = *doors;
    b->config = *config;
    deferred_init(&b->push, push_all, b);
    for (unsigned i = 0; i < config->queues; i++) {
        if (!connect_queue(b, i, err)) {
            b->config.queues = i;
            blkback_disconnect(b);
            return NULL;
        }
    }
    return b;
}

void blkback_disconnect(struct blkback *b)
{
    if (!b)
        return;
    b->closing = true;
    if (b->running)
        block_drain(b->block);
    push_all(b);
    loop_undefer(b->loop, &b->push);
    for (unsigned i = 0; i < b->config.queues; i++)
        b->doors.unmap(b->doors.opaque, b->queue[i].ring.shared, b->queue[i].pages);
    for (unsigned i = 0; i < TABLE_SIZE; i++)
        if (b->table[i].page)
            b->doors.unmap(b->doors.opaque, b->table[i].page, 1);
    for (struct job *job = b->free, *next; job; job = next) {
        next = job->next;
        free(job->buffer);
        free(job);
    }
    free(b);
}
