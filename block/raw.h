/* SPDX-License-Identifier: GPL-2.0-or-later */
/* raw: the state of the driver for plain files and block devices. For raw*.c and tests. */
#ifndef BLOCK_RAW_H
#define BLOCK_RAW_H

#include "block/block_int.h"
#include "block/image_file.h"
#include "block/iov.h"
#include "block/kaio.h"
#include "block/workers.h"

#define RAW_CHUNK        (1024u * 1024)     /* most that one O_DIRECT transfer moves */
#define RAW_BOUNCE_LIMIT (8u * 1024 * 1024) /* all bounce buffers of a disk */
#define RAW_SPARE_MIN    (64u * 1024)
#define RAW_SPARES       32u
#define RAW_SPARE_BYTES  (2u * 1024 * 1024)
#define RAW_INLINE_MAX \
    (256u * 1024) /* most that is copied from the page cache on the loop's thread */
/* Writes into the page cache that may be done on the loop's thread: whole pages, not many. Few
 * kernels and file systems promise not to block on them (RWF_NOWAIT), yet they hardly ever do:
 * until one takes long, they are. */
#define RAW_WRITE_INLINE_MAX (128u * 1024)
#define RAW_WRITE_PAGE       4096u
#define RAW_SLOW_NS          (1 * NS_PER_MS)
#define RAW_QUICK_MIN        16u /* quick ones in a row before that, at first; doubled by each … */
#define RAW_QUICK_MAX        4096u /* … that was slow; so many in a row forget it */
/* One that took long may have slept, or others had the processor. To know, the thread's sleeps must
 * be asked for before and after, which costs as much as a small write: after a slow one this is
 * done for so many. */
#define RAW_WATCHED  1024u
#define RAW_KAIO_MAX 128u
#define RAW_BATCH    32u
#define RAW_CONTAINER_BYTES \
    (UINT64_C(1) << 62) /* no limit of ours: the file system says EFBIG, a device ENOSPC */
#define RAW_RELIEF_NS (10 * NS_PER_MS)

/* What a kernel or a file system may not offer: found out by trying once. */
enum {
    RAW_HAS_NOWAIT_READ = 1 << 0,
    RAW_HAS_NOWAIT_WRITE = 1 << 1,
    RAW_HAS_NOWAIT_DIRECT = 1 << 2,
    RAW_HAS_KAIO_FSYNC = 1 << 3,
    RAW_HAS_PUNCH = 1 << 4, /* holes, or the device's discard */
    RAW_HAS_ZERO = 1 << 5,  /* zeroing without writing */
    RAW_HAS_LOCAL = 1 << 6, /* no other machine, and no other process, stands behind its pages */
};

enum raw_task {
    RAW_TASK_BUFFERED, /* READ, WRITE through the page cache */
    RAW_TASK_CHUNK,    /* one O_DIRECT transfer */
    RAW_TASK_PATCH,    /* a WRITE or WRITE_ZEROES that is not a multiple of the device's sectors */
    RAW_TASK_FLUSH,
    RAW_TASK_DISCARD,
    RAW_TASK_ZERO,
};

/* A request on its way. */
struct raw_job {
    struct worker_job work;
    struct iocb iocb;
    struct iovec one; /* the iocb's, if it has only one */
    struct raw *raw;
    struct block_request *request;
    struct raw_job *next; /* in the list of those that wait, or of the free ones */
    struct iov_cursor at;
    size_t done; /* bytes that are through */
    bool exclusive;

    /* The O_DIRECT transfer under way: bytes [offset, offset + length) of the image; in place, or
     * through the buffer. */
    uint64_t offset;
    size_t length, head, wanted; /* wanted: bytes of it for the request, after `head` others */
    void *bounce;
    size_t bounce_bytes;

    /* A worker's input and result. */
    enum raw_task task;
    unsigned has;
    long result; /* bytes or 0, or a negative errno value */
    bool watch;  /* a buffered write: look whether it sleeps, … */
    bool slow;   /* … and what came of it; without that, whether it took long */
};

/* A CD drive of the host's (raw_tray.c). */
struct raw_tray {
    struct worker_job job;
    int fd;
    bool busy, locked;
    unsigned wanted, doing; /* bits: enum block_tray */
    uint64_t looked;        /* when the last look began */
    uint64_t bytes;         /* what it saw */
    bool changed;
};

struct raw {
    struct block *block;
    struct raw_tray *tray; /* NULL: no such drive */
    struct image_file file;
    bool direct, sync;
    bool container; /* below a format: of any length, grows, and reads as zeroes beyond its end */
    unsigned has;
    bool lock_warned;

    unsigned quick, quick_need; /* writes into the page cache in a row that were quick */
    unsigned watch;             /* writes that are still watched */

    int event_fd; /* completions of both kinds */
    struct loop_source source;
    struct kaio kaio;
    struct iocb *batch[RAW_BATCH]; /* to be started together at the end of the loop's turn */
    unsigned batched;
    struct deferred submit;
    struct worker_port port;
    struct timer relief; /* runs while a job waits for a busy worker */
    uint64_t ticket;

    struct raw_job *free;
    struct raw_job *waiting, *waiting_last; /* for room, or for an exclusive one to end */
    unsigned running;
    bool exclusive;      /* the one that runs tolerates no other */
    size_t bounce_bytes; /* in use */
    struct raw_spare {
        void *memory;
        size_t bytes;
    } spare[RAW_SPARES]; /* large bounce buffers kept: fresh pages cost more than the copy */
    unsigned spares;
    size_t spare_bytes; /* of all */
};

/* raw_tray.c */
bool raw_tray_init(struct raw *raw);
void raw_tray_free(struct raw *raw);
void raw_tray(struct block *block, enum block_tray what);
bool raw_tray_done(struct raw *raw, struct worker_job *job); /* was it the tray's? */

/* raw_worker.c: the worker's side; and the transfer through the page cache, which anybody may do:
 * moves the job's cursor; 0 or a negative errno value. */
long raw_buffered(struct raw_job *job);
void raw_timed(struct raw_job *job); /* the same; sets result and slow */
void raw_work(struct worker_job *work);

#endif
