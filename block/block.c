/* SPDX-License-Identifier: GPL-2.0-or-later */
/* block: see block.h. Checks, counts and ends requests; the work is a driver's (block_int.h). */
#include "block/block_int.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "block/image_file.h"
#include "block/iov.h"
#include "hw/core/log.h"

#define SECTOR 512u

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static bool changes_image(enum block_op op)
{
    return op == BLOCK_WRITE || op == BLOCK_DISCARD || op == BLOCK_WRITE_ZEROES;
}

static void count(struct block *block, const struct block_request *request)
{
    struct block_stats *s = &block->stats;
    uint64_t took = now() - request->started;
    bool failed = request->error != 0;

    switch (request->op) {
    case BLOCK_READ:
        s->rd_total_time_ns += took;
        s->failed_rd_operations += failed;
        s->rd_operations += !failed;
        s->rd_bytes += failed ? 0 : request->bytes;
        break;
    case BLOCK_WRITE:
    case BLOCK_WRITE_ZEROES:
        s->wr_total_time_ns += took;
        s->failed_wr_operations += failed;
        s->wr_operations += !failed;
        s->wr_bytes += failed ? 0 : request->bytes;
        break;
    case BLOCK_FLUSH:
        s->flush_total_time_ns += took;
        s->failed_flush_operations += failed;
        s->flush_operations += !failed;
        break;
    case BLOCK_DISCARD:
        s->unmap_operations += !failed;
        break;
    }
}

/* One line for each kind of operation, however often the guest tries again. */
static void log_failure(struct block *block, const struct block_request *request)
{
    static const char *const names[] = {"read", "write", "flush", "discard", "write of zeroes"};

    if (block->logged & (1u << request->op))
        return;
    block->logged |= 1u << request->op;
    if (request->op == BLOCK_FLUSH)
        log_error("disk %s: %s: flush failed: %s; the guest is told", block->id, block->file,
                  strerror(request->error));
    else
        log_error("disk %s: %s: %s of %zu bytes at %llu failed: %s; the guest is told", block->id,
                  block->file, names[request->op], request->bytes,
                  (unsigned long long)request->offset, strerror(request->error));
}

/* What a request that the driver has worked on says about the image. */
static void note_outcome(struct block *block, const struct block_request *request)
{
    if (request->error)
        log_failure(block, request);
    if (changes_image(request->op)) {
        /* Also a failed one may have changed something. A synchronous one is on the medium. */
        if (request->error || !cache_is_sync(block->cache) || request->op == BLOCK_DISCARD)
            block->written++;
    } else if (request->op == BLOCK_FLUSH) {
        if (!request->error && request->generation > block->flushed)
            block->flushed = request->generation;
        if (request->error && !cache_is_direct(block->cache))
            block->flush_error = request->error;
    }
}

static void call_done(struct block_request *request)
{
    struct block *block = request->block;

    count(block, request);
    block->in_flight--;
    request->done(request, request->error);
}

void block_finish(struct block_request *request, int error)
{
    request->error = error;
    note_outcome(request->block, request);
    call_done(request);
}

static void queue_ready(struct block_request *request)
{
    struct block *block = request->block;

    request->next = NULL;
    if (block->last)
        block->last->next = request;
    else
        block->first = request;
    block->last = request;
    loop_defer(block->loop, &block->ready);
}

void block_finish_later(struct block_request *request, int error)
{
    request->error = error;
    note_outcome(request->block, request);
    queue_ready(request);
}

static void run_ready(void *opaque)
{
    struct block *block = opaque;
    struct block_request *last = block->last;

    /* What done() adds waits for the next round. */
    while (block->first) {
        struct block_request *request = block->first;
        bool end = request == last;
        block->first = request->next;
        if (!block->first)
            block->last = NULL;
        call_done(request);
        if (end)
            break;
    }
}

/* Checks what can be checked without the image; an errno value. */
static int check(const struct block *block, const struct block_request *request)
{
    size_t total;

    if (request->op == BLOCK_FLUSH)
        return 0;
    if (changes_image(request->op) && block->read_only)
        return EROFS;
    if (request->offset % SECTOR || request->bytes % SECTOR || request->offset > block->bytes ||
        request->bytes > block->bytes - request->offset)
        return EINVAL;
    if ((request->op == BLOCK_READ || request->op == BLOCK_WRITE) &&
        (!iov_total(request->iov, request->iovcnt, &total) || total != request->bytes))
        return EINVAL;
    if (changes_image(request->op) && !block->active)
        return EIO;
    return 0;
}

/* Is there nothing to do for a request that passed the check? */
static bool is_void(struct block *block, struct block_request *request)
{
    if (request->op != BLOCK_FLUSH)
        return request->bytes == 0;
    request->generation = block->written;
    return block->read_only || block->cache == BLOCK_CACHE_UNSAFE ||
           block->flushed == block->written;
}

void block_submit(struct block *block, struct block_request *request)
{
    request->block = block;
    request->started = now();
    block->in_flight++;

    request->error = check(block, request);
    if (!request->error && request->op == BLOCK_FLUSH)
        request->error = block->flush_error;
    if (request->error || is_void(block, request))
        queue_ready(request);
    else
        block->driver->submit(block, request);
}

struct block *block_new(struct loop *loop, const struct block_config *config,
                        const struct block_driver *driver, void *image, uint64_t bytes,
                        struct err *err)
{
    struct block *block = calloc(1, sizeof(*block));

    if (block) {
        block->id = strdup(config->id);
        block->file = strdup(config->file);
    }
    if (!block || !block->id || !block->file) {
        err_set(err, "disk %s: out of memory", config->id);
        if (block) {
            free(block->id);
            free(block->file);
        }
        free(block);
        return NULL;
    }
    block->loop = loop;
    block->driver = driver;
    block->image = image;
    block->bytes = bytes;
    block->cache = config->cache;
    block->read_only = config->read_only;
    /* Whoever had the image before may have left writes behind: the first FLUSH is real. */
    block->written = 1;
    deferred_init(&block->ready, run_ready, block);
    return block;
}

/* A file at its size limit must be an I/O error of the guest, not the end of the process. */
static void ignore_file_size_signal(void)
{
    struct sigaction action;

    if (sigaction(SIGXFSZ, NULL, &action) == 0 && action.sa_handler == SIG_DFL)
        signal(SIGXFSZ, SIG_IGN);
}

struct block *block_open(struct loop *loop, const struct block_config *config, struct err *err)
{
    ignore_file_size_signal();
    switch (config->format) {
    case BLOCK_FORMAT_RAW:
        return raw_open(loop, config, err);
    }
    if (config->fd >= 0)
        close(config->fd);
    err_set(err, "disk %s: %s: this format is not supported", config->id, config->file);
    return NULL;
}

bool block_activate(struct block *block, struct err *err)
{
    if (block->active)
        return true;
    if (!block->driver->lock(block, err))
        return false;
    block->active = true;
    block->written++; /* by whoever had it meanwhile */
    block->logged = 0;
    return true;
}

void block_drain(struct block *block)
{
    while (block->in_flight) {
        if (block->first)
            run_ready(block);
        else
            block->driver->wait(block);
    }
}

static void flushed(struct block_request *request, int error)
{
    *(int *)request->opaque = error;
}

bool block_inactivate(struct block *block, struct err *err)
{
    int error = 0;
    struct block_request flush = {.op = BLOCK_FLUSH, .done = flushed, .opaque = &error};

    block_drain(block);
    if (!block->active)
        return true;
    block_submit(block, &flush);
    block_drain(block);
    if (error)
        return err_set(err, "disk %s: %s: flush failed: %s", block->id, block->file,
                       strerror(error));
    block->driver->unlock(block);
    block->active = false;
    return true;
}

void block_close(struct block *block)
{
    struct err err;

    if (!block)
        return;
    if (!block_inactivate(block, &err)) {
        log_error("%s", err.text);
        block->driver->unlock(block);
    }
    loop_undefer(block->loop, &block->ready);
    block->driver->close(block);
    free(block->id);
    free(block->file);
    free(block);
}

uint64_t block_bytes(const struct block *block)
{
    return block->bytes;
}

bool block_read_only(const struct block *block)
{
    return block->read_only;
}

const char *block_id(const struct block *block)
{
    return block->id;
}

const char *block_file(const struct block *block)
{
    return block->file;
}

const struct block_stats *block_stats(const struct block *block)
{
    return &block->stats;
}

bool block_write_cache(const struct block *block)
{
    return !cache_is_sync(block->cache);
}
