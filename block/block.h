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
struct block_request;
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

/* The formats this build reads; never probed from the contents. */
enum block_format {
    BLOCK_FORMAT_RAW,
    BLOCK_FORMAT_QCOW2,
    BLOCK_FORMAT_VPC, /* VHD */
};

enum block_op {
    BLOCK_READ,
    BLOCK_WRITE,
    BLOCK_FLUSH,        /* all writes completed before reach the medium */
    BLOCK_DISCARD,      /* contents may be forgotten; sparse files get holes */
    BLOCK_WRITE_ZEROES, /* reads as zeroes afterwards; sparse files stay sparse */
};

/* rerror= and werror= as qemu(1) defines them: what becomes of a request that the image fails. */
enum block_on_error {
    BLOCK_ON_ERROR_REPORT, /* the guest is told */
    BLOCK_ON_ERROR_IGNORE, /* the guest is told that it worked */
    BLOCK_ON_ERROR_STOP,   /* the guest is paused; `cont` tries again */
    BLOCK_ON_ERROR_ENOSPC, /* paused if the host's disk is full, else told */
};

enum block_action { BLOCK_ACTION_REPORT, BLOCK_ACTION_IGNORE, BLOCK_ACTION_STOP };

/* An error that the image gave, for QMP's BLOCK_IO_ERROR. */
struct block_failure {
    enum block_op op;
    int error; /* an errno value */
    enum block_action action;
};

/* Is it that the host's disk (or somebody's share of it) is full? */
bool block_error_is_space(int error);

enum block_io_status { BLOCK_IO_OK, BLOCK_IO_FAILED, BLOCK_IO_NOSPACE };

/* detect-zeroes=: writes of nothing but zeroes become WRITE_ZEROES; with UNMAP they may make
 * holes in a file that had all its space. */
enum block_detect_zeroes {
    BLOCK_DETECT_ZEROES_OFF,
    BLOCK_DETECT_ZEROES_ON,
    BLOCK_DETECT_ZEROES_UNMAP
};

/*
 * throttling.*: limits by leaky buckets, 0: none. avg is the lasting rate (bytes or operations a
 * second); max the rate that a burst may have for `length` seconds; without max a burst is a tenth
 * of a second's worth.
 */
enum block_limit {
    BLOCK_LIMIT_BPS,
    BLOCK_LIMIT_BPS_READ,
    BLOCK_LIMIT_BPS_WRITE,
    BLOCK_LIMIT_IOPS,
    BLOCK_LIMIT_IOPS_READ,
    BLOCK_LIMIT_IOPS_WRITE,
    BLOCK_LIMIT_COUNT
};

struct block_limits {
    struct {
        uint64_t avg, max;
        uint32_t length; /* seconds; 0 means 1 */
    } of[BLOCK_LIMIT_COUNT];
    uint64_t iops_size; /* a request counts as one operation for each of these bytes; 0: as one */
};

#define BLOCK_LIMIT_MAX UINT64_C(1000000000000000) /* of any rate */

/* What a CD drive of the host's is told. */
enum block_tray {
    BLOCK_TRAY_LOCK,
    BLOCK_TRAY_UNLOCK,
    BLOCK_TRAY_OPEN,
    BLOCK_TRAY_CLOSE,
    BLOCK_TRAY_LOOK, /* is the medium another one? Once a second at most */
    BLOCK_TRAY_COUNT
};

struct block_config {
    const char *id;   /* for messages, query-block: "ide0-hd0" */
    const char *file; /* path; used in messages also when fd is given */
    int fd;           /* an open descriptor to use instead of opening `file`, or -1; taken over */
    enum block_format format;
    enum block_cache cache;
    bool read_only;      /* the file is opened so, and every write fails with EROFS */
    bool cd_drive;       /* for a CD drive: if the file is one too, it may be empty (0 bytes) */
    bool ignore_discard; /* DISCARD succeeds and does nothing */
    enum block_detect_zeroes detect_zeroes;
    enum block_on_error rerror, werror; /* of READ; of all others */
    /* Called for each error (those that pause the guest: always; others at most once a second),
     * from inside the completion: it may only take notes. May be NULL. */
    void (*failed)(void *opaque, const struct block_failure *failure);
    void *opaque;
    struct block_limits limits;
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
    bool internal;        /* the block layer's: its errors are not judged */
    bool may_unmap;       /* WRITE_ZEROES: with holes, if the image has such */
    bool detected_zeroes; /* `op` was WRITE until the frame looked at the data */
    uint64_t started;     /* monotonic ns */
    uint64_t generation;  /* FLUSH: the writes it covers */
};

/* Somebody who wants to know of a new size. Embedded by its owner. */
struct block_watch {
    void (*resized)(void *opaque);
    void *opaque;
    struct block_watch *next;
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

/* Waits until no request is under way (their done() calls have run, here): throttled ones start at
 * once, failed ones that wait for `cont` end with their error (unless block_keep_failed). Runs
 * nothing else of the loop. Not from within done(). */
void block_drain(struct block *block);

/* Drains, flushes, unlocks, closes, frees. NULL is fine. Not from within done(). */
void block_close(struct block *block);

/* Starts a request. Loop thread only; allowed from within done(). */
void block_submit(struct block *block, struct block_request *request);

/* The device does not want this request any more (a reset). If it waits for its turn under a limit
 * or for `cont`, it ends with ECANCELED, from the loop; if the image is at work on it, it goes its
 * way. */
void block_cancel(struct block *block, struct block_request *request);

/*
 * Failed requests (werror=stop and the like) stay with the block layer while the guest is paused.
 * block_keep_failed: from now on block_drain leaves them where they are; for the time in which the
 * devices are quiesced. block_retry: submits them again (the guest goes on).
 */
void block_keep_failed(struct block *block, bool keep);
void block_retry(struct block *block);
bool block_has_failed(const struct block *block);
enum block_io_status block_io_status(const struct block *block); /* since the last block_retry */

/* Gives the image a new size (bytes: a multiple of 512) and tells all watchers. A block device is
 * what it is: its size is read again, and `bytes` may not be more. No file gets shorter. Waits for
 * the requests under way. False with one line in *err. */
bool block_resize(struct block *block, uint64_t bytes, struct err *err);

/* Tells watch->resized(watch->opaque) of every change of block_bytes, from the loop, no request
 * under way. */
void block_watch(struct block *block, struct block_watch *watch);
void block_unwatch(struct block *block, struct block_watch *watch);

/* If a CD drive of the host's is behind the block, tells it, on a worker, and looks at its medium:
 * another one, or none (0 bytes), is told to the watchers, also with requests under way. Else, or
 * with NULL, nothing. Never waits. */
void block_tray(struct block *block, enum block_tray what);

/* Is this file a device that has no medium now, so that it cannot be opened? (A CD drive can.) */
bool block_no_medium(const char *file);

/* New limits, from now on; NULL in *err and true if they make sense together. */
bool block_limits_check(const struct block_limits *limits, struct err *err);
bool block_set_limits(struct block *block, const struct block_limits *limits, struct err *err);
const struct block_limits *block_limits(const struct block *block);

/* Whether the image is an overlay of the file that is open as fd, so that `commit` may write into
 * that. False with one line in *err. */
bool block_lies_on(const struct block *block, int fd, struct err *err);

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
