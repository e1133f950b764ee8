/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * block: a disk image as devices see it: requests in, completions out, always later and always from
 * the loop. Which file, format and cache mode is behind it is the image driver's business (raw;
 * more formats later).
 */
#ifndef BLOCK_BLOCK_H
#define BLOCK_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "hw/core/err.h"

struct block;
struct loop;

/* As qemu(1) defines cache=: does a write wait for the medium (writethrough, directsync), is the
 * page cache used (all but none, directsync), is FLUSH ignored (unsafe). */
enum block_cache {
    BLOCK_CACHE_WRITEBACK,
    BLOCK_CACHE_WRITETHROUGH,
    BLOCK_CACHE_NONE,
    BLOCK_CACHE_DIRECTSYNC,
    BLOCK_CACHE_UNSAFE,
};

enum block_format {
    BLOCK_FORMAT_RAW
}; /* the formats this build reads; never probed from the contents */

struct block_config {
    const char *id;   /* for messages, query-block: "ide0-hd0" */
    const char *file; /* path; used in messages also when fd is given */
    int fd;           /* an open descriptor to use instead of opening `file`, or -1; taken over */
    enum block_format format;
    enum block_cache cache;
    bool read_only; /* the file is opened so, and every write fails with EROFS */
};

enum block_op {
    BLOCK_READ,
    BLOCK_WRITE,
    BLOCK_FLUSH,        /* all writes completed before reach the medium */
    BLOCK_DISCARD,      /* contents may be forgotten; sparse files get holes */
    BLOCK_WRITE_ZEROES, /* reads as zeroes afterwards; sparse files stay sparse */
};

/*
 * One request; zero-initialise it. It, its iovecs and their memory belong to the block layer until
 * done() has been called. Offsets and lengths are in bytes, multiples of 512. The buffers may be
 * foreign (guest) memory, unaligned. done() runs from the loop, never inside block_submit, with 0
 * or an errno value (EIO, ENOSPC, EROFS, EINVAL for a range beyond the end or a malformed request:
 * nothing was then transferred); any other errno that the file system gave may come too.
 *
 * Requests under way at the same time have no order: whoever needs one waits for done(). What
 * overlapping ones leave behind is any mixture of them. A FLUSH covers the writes whose done() was
 * called before it was submitted.
 */
struct block_request {
    enum block_op op;
    uint64_t offset;
    size_t bytes;
    const struct iovec *iov; /* READ and WRITE: total length == bytes */
    int iovcnt;
    bool own_memory; /* the buffers are this process's own, not a foreign mapping: O_DIRECT may use
                        them in place if they are aligned */
    void (*done)(struct block_request *request, int error);
    void *opaque;

    /* The block layer's own, from here on. */
    struct block *block;
    struct block_request *next;
    int error;
    uint64_t started;    /* monotonic ns */
    uint64_t generation; /* FLUSH: the writes it covers */
};

struct block_stats {
    uint64_t rd_bytes, wr_bytes;
    uint64_t rd_operations, wr_operations, flush_operations, unmap_operations;
    uint64_t rd_total_time_ns, wr_total_time_ns, flush_total_time_ns;
    uint64_t failed_rd_operations, failed_wr_operations, failed_flush_operations;
};

/* Opens the image (not locked yet: block_activate). NULL and one line in *err that names the file
 * and the reason: missing, a directory, no permission, read-only though to be written, empty or not
 * a multiple of 512 (raw: the tail is not visible), not a regular file or block device. */
struct block *block_open(struct loop *loop, const struct block_config *config, struct err *err);

/* Takes the image locks (byte ranges QEMU uses, so that each respects the other's); before the
 * guest runs. False if another process has the image in use: one line in *err. Idempotent. Before
 * it and after block_inactivate, reads are served and everything that would change the image fails
 * with EIO: it may be somebody else's by now. */
bool block_activate(struct block *block, struct err *err);

/* Waits for the requests under way, flushes, drops the locks: at `stop`. Idempotent. False if the
 * flush failed: the image is then still active (and locked). */
bool block_inactivate(struct block *block, struct err *err);

/* Waits until no request is under way (their done() calls have run, here). Runs nothing else of the
 * loop. Not from within done(). */
void block_drain(struct block *block);

/* Drains, flushes, unlocks, closes, frees. NULL is fine. Not from within done(). */
void block_close(struct block *block);

/* Starts a request. Loop thread only; allowed from within done(). */
void block_submit(struct block *block, struct block_request *request);

uint64_t block_bytes(const struct block *block); /* size, a multiple of 512 */
bool block_read_only(const struct block *block);
const char *block_id(const struct block *block);
const char *block_file(const struct block *block);

/* What was asked of the image since it was opened. A failed operation counts as failed only; times
 * include failed ones. WRITE_ZEROES counts as a write, DISCARD as unmap. */
const struct block_stats *block_stats(const struct block *block);

/* True if FLUSH means something to the guest: a write may be lost until then (cache=writeback,
 * none, unsafe). */
bool block_write_cache(const struct block *block);

#endif
