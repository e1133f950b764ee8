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
#include "block/qcow2.h"
#include "block/throttle.h"
#include "block/vpc.h"
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
    if (block->below) /* counted above it */
        return;
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

void block_list_add(struct block_list *list, struct block_request *request)
{
    request->next = NULL;
    if (list->last)
        list->last->next = request;
    else
        list->first = request;
    list->last = request;
}

struct block_request *block_list_take(struct block_list *list)
{
    struct block_request *request = list->first;

    list->first = request->next;
    if (!list->first)
        list->last = NULL;
    return request;
}

bool block_list_remove(struct block_list *list, struct block_request *request)
{
    struct block_request *before = NULL;

    for (struct block_request **p = &list->first; *p; before = *p, p = &before->next) {
        if (*p != request)
            continue;
        *p = request->next;
        if (list->last == request)
            list->last = before;
        return true;
    }
    return false;
}

/* What a request that the driver has worked on says about the image. False: it is not over yet. */
static bool note_outcome(struct block_request *request, int error)
{
    struct block *block = request->block;

    request->error = error;
    if (request->detected_zeroes) {
        request->detected_zeroes = request->may_unmap = false;
        request->op = BLOCK_WRITE;
    }
    if (changes_image(request->op)) {
        /* Also a failed one may have changed something. A synchronous one is on the medium. */
        if (error || !cache_is_sync(block->cache) || request->op == BLOCK_DISCARD)
            block->written++;
    } else if (request->op == BLOCK_FLUSH) {
        if (!error && request->generation > block->flushed)
            block->flushed = request->generation;
        /* A format above leaves this to its container: its own tables can be written again. */
        if (error && !cache_is_direct(block->cache) && !block->driver->over_container)
            block->flush_error = error;
    }
    return !error || block_judge(request);
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
    if (note_outcome(request, error))
        call_done(request);
}

void block_queue_ended(struct block_request *request)
{
    struct block *block = request->block;

    block_list_add(&block->ended, request);
    loop_defer(block->loop, &block->ready);
}

void block_finish_later(struct block_request *request, int error)
{
    if (note_outcome(request, error))
        block_queue_ended(request);
}

static void run_ready(void *opaque)
{
    struct block *block = opaque;
    struct block_request *last = block->ended.last;

    /* What done() adds waits for the next round. */
    while (block->ended.first) {
        struct block_request *request = block_list_take(&block->ended);
        bool end = request == last;
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
    if (request->op == BLOCK_DISCARD && block->ignore_discard)
        return true;
    if (request->op != BLOCK_FLUSH)
        return request->bytes == 0;
    request->generation = block->written;
    return block->read_only || block->cache == BLOCK_CACHE_UNSAFE ||
           block->flushed == block->written;
}

/* To the driver. */
static void start(struct block_request *request)
{
    struct block *block = request->block;

    if (block->detect_zeroes && request->op == BLOCK_WRITE &&
        iov_is_zero(request->iov, request->iovcnt)) {
        request->detected_zeroes = true;
        request->op = BLOCK_WRITE_ZEROES;
        request->may_unmap = block->detect_zeroes == BLOCK_DETECT_ZEROES_UNMAP;
    }
    block->driver->submit(block, request);
}

void block_start_checked(struct block_request *request)
{
    struct block *block = request->block;

    request->error = check(block, request);
    if (!request->error && request->op == BLOCK_FLUSH)
        request->error = block->flush_error;
    if (request->error || is_void(block, request))
        block_queue_ended(request);
    else if (!block->throttle || throttle_admit(block->throttle, request))
        start(request);
}

void block_submit(struct block *block, struct block_request *request)
{
    request->block = block;
    request->started = block->below ? 0 : now();
    block->in_flight++;
    block_start_checked(request);
}

void block_cancel(struct block *block, struct block_request *request)
{
    if (block_list_remove(&block->held, request))
        block->in_flight++;
    else if (!block->throttle || !throttle_remove(block->throttle, request))
        return;
    request->error = ECANCELED;
    block_queue_ended(request);
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
    block->ignore_discard = config->ignore_discard;
    block->detect_zeroes = config->detect_zeroes;
    block->rerror = config->rerror;
    block->werror = config->werror;
    block->failed = config->failed;
    block->opaque = config->opaque;
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

static struct block *open_format(struct loop *loop, const struct block_config *config,
                                 struct err *err)
{
    switch (config->format) {
    case BLOCK_FORMAT_RAW:
        return raw_open(loop, config, err);
    case BLOCK_FORMAT_QCOW2:
        return qcow2_open(loop, config, err);
    case BLOCK_FORMAT_VPC:
        return vpc_open(loop, config, err);
    }
    if (config->fd >= 0)
        close(config->fd);
    err_set(err, "disk %s: %s: this format is not supported", config->id, config->file);
    return NULL;
}

struct block *block_open(struct loop *loop, const struct block_config *config, struct err *err)
{
    struct err why;

    ignore_file_size_signal();
    struct block *block = open_format(loop, config, err);
    if (!block || block_set_limits(block, &config->limits, &why))
        return block;
    err_set(err, "disk %s: throttling: %s", config->id, why.text);
    block_close(block);
    return NULL;
}

void block_step(struct block *below)
{
    if (below->ended.first)
        run_ready(below);
    else if (below->in_flight)
        below->driver->wait(below);
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

static void drain(struct block *block, bool keep_failed)
{
    do {
        if (!keep_failed)
            block_end_held(block);
        if (block->throttle)
            throttle_flush(block->throttle);
        if (block->ended.first)
            run_ready(block);
        else if (block->in_flight)
            block->driver->wait(block);
    } while (block->in_flight || (!keep_failed && block->held.first));
}

void block_drain(struct block *block)
{
    if (block->in_flight || block->held.first)
        drain(block, block->keep_failed);
}

static void flushed(struct block_request *request, int error)
{
    *(int *)request->opaque = error;
}

bool block_inactivate(struct block *block, struct err *err)
{
    int error = 0;
    struct block_request flush = {
        .op = BLOCK_FLUSH, .done = flushed, .opaque = &error, .internal = true};

    drain(block, true);
    if (!block->active)
        return true;
    block_submit(block, &flush);
    drain(block, true);
    if (error)
        return err_set(err, "disk %s: %s: flush failed: %s", block->id, block->file,
                       strerror(error));
    block->driver->unlock(block);
    block->active = false;
    return true;
}

bool block_stat(const struct block *block, struct stat *file)
{
    return block->driver->stat && block->driver->stat(block, file);
}

bool block_lies_on(const struct block *block, int fd, struct err *err)
{
    struct stat st;

    if (!block->driver->lies_on)
        return err_set(err, "disk %s: %s lies on no other image", block->id, block->file);
    if (fstat(fd, &st) < 0 || !block->driver->lies_on(block, &st))
        return err_set(err, "disk %s: that is not the image on which %s lies", block->id,
                       block->file);
    return true;
}

void block_close(struct block *block)
{
    struct err err;

    if (!block)
        return;
    block->watches = NULL;
    drain(block, false);
    if (!block_inactivate(block, &err)) {
        if (!block->below)
            log_error("%s", err.text);
        block->driver->unlock(block);
    }
    loop_undefer(block->loop, &block->ready);
    block->driver->close(block);
    throttle_free(block->throttle);
    free(block->id);
    free(block->file);
    free(block);
}

bool block_resize(struct block *block, uint64_t bytes, struct err *err)
{
    uint64_t old = block->bytes;

    if (block->read_only)
        return err_set(err, "disk %s: is read-only", block->id);
    if (!block->active)
        return err_set(err, "disk %s: the guest is stopped: its images may be in use elsewhere",
                       block->id);
    if (!bytes || bytes % SECTOR || bytes > INT64_MAX)
        return err_set(err, "disk %s: a size is a multiple of 512 bytes, not %llu", block->id,
                       (unsigned long long)bytes);
    if (!block->driver->resize)
        return err_set(err, "disk %s: images of this format cannot be resized while in use",
                       block->id);
    drain(block, true);
    if (!block->driver->resize(block, bytes, err))
        return false;
    if (block->bytes == old)
        return true;
    log_info("disk %s: %s: now has %llu bytes", block->id, block->file,
             (unsigned long long)block->bytes);
    block_tell_watchers(block);
    return true;
}

void block_tell_watchers(struct block *block)
{
    for (struct block_watch *w = block->watches, *next; w; w = next) {
        next = w->next;
        w->resized(w->opaque);
    }
}

void block_tray(struct block *block, enum block_tray what)
{
    if (block && block->driver->tray)
        block->driver->tray(block, what);
}

void block_watch(struct block *block, struct block_watch *watch)
{
    watch->next = block->watches;
    block->watches = watch;
}

void block_unwatch(struct block *block, struct block_watch *watch)
{
    for (struct block_watch **p = &block->watches; *p; p = &(*p)->next)
        if (*p == watch) {
            *p = watch->next;
            return;
        }
}

bool block_set_limits(struct block *block, const struct block_limits *limits, struct err *err)
{
    bool any = false;

    if (!block_limits_check(limits, err))
        return false;
    for (unsigned i = 0; i < BLOCK_LIMIT_COUNT; i++)
        any = any || limits->of[i].avg;
    if (any && block->throttle) {
        throttle_set(block->throttle, limits);
    } else if (any) {
        block->throttle = throttle_new(loop_clock(block->loop), limits, start);
        if (!block->throttle)
            return err_set(err, "out of memory");
    } else if (block->throttle) {
        throttle_flush(block->throttle);
        throttle_free(block->throttle);
        block->throttle = NULL;
    }
    return true;
}

const struct block_limits *block_limits(const struct block *block)
{
    static const struct block_limits none;
    return block->throttle ? throttle_limits(block->throttle) : &none;
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
