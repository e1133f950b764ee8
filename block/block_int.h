/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * block_int: what stands behind block.h: the frame that checks and counts every request, and the
 * drivers (one for each image format) that carry it out. Only block/ and its tests include this.
 */
#ifndef BLOCK_BLOCK_INT_H
#define BLOCK_BLOCK_INT_H

#include <sys/stat.h>

#include "block/block.h"
#include "hw/core/loop.h"

struct block_driver {
    bool over_container; /* a format: a failed fsync is its container's to remember */

    /*
     * Carries out a request that the frame has checked: range inside the image, lengths equal,
     * bytes > 0, changes only on a writable and active image. Ends it with block_finish from a
     * callback of the loop, or with block_finish_later from anywhere.
     */
    void (*submit)(struct block *block, struct block_request *request);

    /* Waits for something to complete and completes it, without the loop. Called only while a
     * request is with the driver. */
    void (*wait)(struct block *block);

    /* Locks the image, or says who has it. */
    bool (*lock)(struct block *block, struct err *err);
    void (*unlock)(struct block *block);

    /* Gives the image a new size and sets block->bytes (block_resize). Nothing is under way. NULL:
     * this format cannot. */
    bool (*resize)(struct block *block, uint64_t bytes, struct err *err);

    /* block_tray; NULL: no drive of the host's is ever behind it. */
    void (*tray)(struct block *block, enum block_tray what);

    /* Whether the image that this one lies on is that file. NULL: it lies on none. */
    bool (*lies_on)(const struct block *block, const struct stat *file);

    /* Which file the image is in, as it is open. NULL: it is never looked for. */
    bool (*stat)(const struct block *block, struct stat *file);

    void (*close)(struct block *block); /* frees block->image; nothing is under way */

    /* Only what formats may be put on (raw_open_container): the bytes it has now; *fixed: it cannot
     * grow (a device), and what has not been written may be anything. */
    uint64_t (*length)(struct block *block, bool *fixed);
};

struct block_list {
    struct block_request *first, *last;
};

struct block {
    const struct block_driver *driver;
    void *image; /* the driver's */
    struct loop *loop;
    char *id, *file;
    enum block_cache cache;
    bool read_only;
    bool active; /* locked: may be changed */
    bool below;  /* a container: its errors are for the format's block to judge */
    uint64_t bytes;
    struct block_stats stats;
    struct block_watch *watches;

    unsigned in_flight;      /* with the driver, waiting under a limit, or in the list below */
    struct block_list ended; /* done() still to be called */
    struct deferred ready;

    bool ignore_discard;
    enum block_detect_zeroes detect_zeroes;
    struct throttle *throttle; /* NULL: no limits */

    enum block_on_error rerror, werror;
    void (*failed)(void *opaque, const struct block_failure *failure);
    void *opaque;
    struct block_list held; /* failed, kept until the guest goes on */
    bool keep_failed;
    enum block_io_status io_status;
    uint64_t next_notice; /* monotonic ns: errors that don't pause are not told of before */

    uint64_t written, flushed; /* generations: FLUSH has work to do while they differ */
    int flush_error;           /* page cache: a failed fsync loses what it could not write, and the
                                  next would not know: so it keeps failing */
    unsigned logged;           /* operations (bit) whose failure has been logged */
};

void block_tell_watchers(struct block *block);

void block_list_add(struct block_list *list, struct block_request *request);
struct block_request *block_list_take(struct block_list *list); /* the first one */
bool block_list_remove(struct block_list *list, struct block_request *request);

/* errors.c: decides about request->error. True: the request ends, with request->error. False: it is
 * kept in block->held. */
bool block_judge(struct block_request *request);
void block_end_held(struct block *block);                /* ends them, with their errors */
void block_queue_ended(struct block_request *request);   /* done() with the next deferred calls */
void block_start_checked(struct block_request *request); /* block_submit without its accounting */

/* A block around a driver that is already open; takes nothing over if it fails. */
struct block *block_new(struct loop *loop, const struct block_config *config,
                        const struct block_driver *driver, void *image, uint64_t bytes,
                        struct err *err);

/* The file that the image is in, as it is open, whatever its name leads to now; false: unknown. */
bool block_stat(const struct block *block, struct stat *file);

/* Ends a request, now: calls done(). Not inside block_submit. */
void block_finish(struct block_request *request, int error);

/* Ends it at the loop's next deferred calls. */
void block_finish_later(struct block_request *request, int error);

/* The driver of plain files and block devices. */
struct block *raw_open(struct loop *loop, const struct block_config *config, struct err *err);

/* The same for a format to stand on: any length will do, reads beyond the end give zeroes, writes
 * there make the file longer. */
struct block *raw_open_container(struct loop *loop, const struct block_config *config,
                                 struct err *err);

/* One step of what a driver's wait() has to do: waits until something completes below, and
 * completes it. */
void block_step(struct block *below);

#endif
