/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2_int: an open qcow2 image, for qcow2*.c and their tests.
 *
 * Everything that decides runs on the loop's thread and never waits; what moves bytes is the
 * container below (`file`), asynchronously. A function that needs a table that is not in the cache
 * starts its load and answers QCOW2_WAIT; its caller is parked and tried again from the start when
 * something has come in. So each step must change nothing until it has all it needs.
 */
#ifndef BLOCK_QCOW2_INT_H
#define BLOCK_QCOW2_INT_H

#include <endian.h>
#include <string.h>

#include "block/block_int.h"
#include "block/iov.h"
#include "block/qcow2_set.h"
#include "block/workers.h"
#include "hw/core/clock.h"

#define QCOW2_WAIT 1 /* beside 0 and negative errno values */

#define QCOW2_SECTOR       512u
#define QCOW2_CLUSTER_BITS 21u                     /* at most: 2 MiB */
#define QCOW2_CACHE_BYTES  (4u * 1024 * 1024)      /* of tables; a backing image has less */
#define QCOW2_CHAIN_MAX    16u                     /* images one behind the other */
#define QCOW2_L1_MAX       (32u * 1024 * 1024 / 8) /* entries; the common limit */
#define QCOW2_REFTABLE_MAX (8u * 1024 * 1024)      /* bytes; the common limit */
#define QCOW2_PENDING_MAX  16u                     /* transfers of one request at once */
#define QCOW2_HELD_MAX     64u                     /* requests at work at once */
#define QCOW2_FILL_MAX     (4u * 1024 * 1024)      /* buffers for copy on write */
#define QCOW2_RUN_BYTES    (1024u * 1024)          /* most that one allocation serves */
#define QCOW2_RUNS_MAX     32768u                  /* freed ranges that wait for a commit */
#define QCOW2_COMMIT_NS    (5 * NS_PER_S)          /* how long tables may stay unwritten */
#define QCOW2_ZEROES       65536u

/* Header fields, specification "Header". */
#define QCOW2_INCOMPAT_DIRTY       UINT64_C(1)
#define QCOW2_INCOMPAT_CORRUPT     UINT64_C(2)
#define QCOW2_INCOMPAT_DATA_FILE   UINT64_C(4)
#define QCOW2_INCOMPAT_COMPRESSION UINT64_C(8)
#define QCOW2_INCOMPAT_EXTENDED    UINT64_C(16)
#define QCOW2_INCOMPAT_KNOWN       UINT64_C(31)
#define QCOW2_AUTOCLEAR_BITMAPS    UINT64_C(1)

/* Table entries. */
#define QCOW2_OFFSET_MASK UINT64_C(0x00fffffffffffe00)
#define QCOW2_COPIED      (UINT64_C(1) << 63)
#define QCOW2_COMPRESSED  (UINT64_C(1) << 62)
#define QCOW2_ZERO        UINT64_C(1)
#define QCOW2_SUBCLUSTERS 32u

struct qcow2;

/* Something that can be tried again. In at most one list at a time. */
struct qcow2_task {
    struct qcow2_task *next;
    void (*run)(struct qcow2_task *task);
    bool queued;
};

struct qcow2_tasks {
    struct qcow2_task *first, *last;
};

/* ---- Cache of tables: pages of 4 KiB (or a cluster, if smaller), in the file's own byte order. */

enum qcow2_kind { QCOW2_REFBLOCK, QCOW2_REFTABLE, QCOW2_L1, QCOW2_L2 };
enum qcow2_page_state { QCOW2_PAGE_FREE, QCOW2_PAGE_LOADING, QCOW2_PAGE_READY, QCOW2_PAGE_FAILED };

struct qcow2_page {
    uint64_t offset; /* in the file */
    uint8_t *data;
    struct qcow2_page *chain;
    struct qcow2_save *save; /* being written by the commit under way */
    uint8_t kind, state;
    bool dirty, used;
    int error;
};

#define QCOW2_LOADS      8u
#define QCOW2_LOAD_PAGES 16u

struct qcow2_load {
    struct block_request r;
    struct iovec iov[QCOW2_LOAD_PAGES];
    struct qcow2_page *pages[QCOW2_LOAD_PAGES];
    unsigned count;
    bool busy;
    struct qcow2 *q;
};

struct qcow2_cache {
    unsigned page_bits, capacity, dirty, loading, hand;
    struct qcow2_page *pages;
    struct qcow2_page **hash;
    unsigned hash_mask;
    uint8_t *arena;
    uint8_t **slots; /* free ones */
    unsigned free_slots, slot_count;
    struct qcow2_load loads[QCOW2_LOADS];
};

/* ---- Commit: how changed tables reach the file (qcow2_commit.c). */

struct qcow2_save {
    struct qcow2_page *page; /* NULL: the page has gone on with another buffer */
    uint8_t *data;
    uint64_t offset;
    uint8_t rank;
};

/* Told when everything changed before it was added is on the medium. */
struct qcow2_waiter {
    struct qcow2_waiter *next;
    void (*done)(struct qcow2_waiter *waiter, int error);
};

/* Ranges of host clusters that lose one reference. */
struct qcow2_run {
    uint64_t first, count;
    bool discard; /* the guest said so: the file's space may go too */
    bool table;   /* was metadata */
};

struct qcow2_runs {
    struct qcow2_run *v;
    size_t count, room;
};

enum qcow2_commit_state {
    QCOW2_COMMIT_IDLE,
    QCOW2_COMMIT_WRITE,
    QCOW2_COMMIT_BARRIER,
    QCOW2_COMMIT_FLUSH
};

struct qcow2_commit {
    enum qcow2_commit_state state;
    bool again;
    struct qcow2_save *saves;
    unsigned count, room, next, in_flight;
    uint8_t rank;
    int error;
    int failed; /* of the last one; while what waited for it is tried again */
    struct qcow2_waiter *current, *waiting, **waiting_end;
    struct timer timer;
};

/* ---- Requests. */

struct qcow2_req {
    struct qcow2_task task;
    struct qcow2 *q;
    struct block_request *outer; /* NULL: one of our own */
    void (*done)(struct qcow2_req *req, int error);
    void *owner;
    /* Works on some of pos .. to, and moves pos. 0, QCOW2_WAIT or a negative errno value. */
    int (*step)(struct qcow2_req *req);
    enum block_op op;
    uint64_t from, to, pos;
    struct iov_cursor at;    /* the memory at pos */
    bool own_memory, zeroes; /* zeroes: writes such, has no memory */
    bool may_unmap;          /* WRITE_ZEROES: its clusters may be given back */
    bool dirtied;            /* changed tables */
    unsigned pending, steps;
    int error;
    struct iovec own_iov;
    struct qcow2_waiter waiter;

    /* Range of guest clusters: many may share one, nobody shares with an exclusive one. In order of
     * arrival. */
    struct qcow2_req *before, *after;
    uint64_t first, last;
    bool held, exclusive;
};

/* A transfer on behalf of somebody. */
struct qcow2_io {
    struct block_request r;
    struct qcow2 *q;
    void (*done)(struct qcow2_io *io, int error);
    void *owner;
    struct qcow2_io *next;
    struct iovec *iov;
    int count, room;
    size_t bytes;
    struct iovec few[12];
};

/* ---- Compressed clusters. */

struct qcow2_inflated {
    enum qcow2_page_state state;
    uint64_t entry; /* the descriptor whose data this is */
    uint8_t *data;
    int error;
    bool used;
};

#define QCOW2_INFLATED 4u

struct qcow2_inflate {
    struct worker_job work;
    struct qcow2 *q;
    struct qcow2_inflated *slot;
    uint8_t *input;
    size_t input_bytes, skip; /* skip: before the data, to its sector's start */
    int result;
    bool busy;
};

/* ---- Operations that make or move tables: one at a time. */

enum qcow2_making {
    QCOW2_MAKING_NOTHING,
    QCOW2_MAKING_L2,
    QCOW2_MAKING_REFBLOCK,
    QCOW2_MAKING_REFTABLE
};

struct qcow2_make {
    struct qcow2_task task;
    enum qcow2_making what;
    unsigned step;
    uint64_t key;  /* entry of the table above */
    uint64_t host; /* file offset of what is made */
    uint64_t from; /* of what it replaces; 0: nothing */
    uint64_t bytes, done;
    uint64_t entries, added; /* REFTABLE: in use in the old one; blocks of refcounts made with it */
    uint8_t *buffer;
    bool loaded; /* the buffer has the old one's part */
    int error;
    enum qcow2_making failed; /* while what waited for it is tried again */
    uint64_t failed_key;
    int failed_error;
};

#define QCOW2_PUNCHES 4u

struct qcow2_punch {
    struct block_request r;
    struct qcow2 *q;
    uint64_t first, count;
    bool busy;
};

struct qcow2 {
    struct block *block; /* ourselves; NULL while opening */
    struct block *file, *backing;
    struct loop *loop;
    char *id, *name;
    bool read_only, sync, active, corrupt, fixed;
    int broken; /* no more changes: an errno value */
    unsigned depth;

    /* The header. */
    uint8_t *sector;  /* its first 512 bytes as they are, or are to be, in the file */
    uint8_t *writing; /* the same, on its way there */
    uint32_t version, cluster_bits, refcount_order, snapshots, header_bytes;
    uint64_t cluster_bytes, bytes, l1_offset, l1_entries, reftable_offset, reftable_bytes;
    uint64_t snapshots_offset, incompatible, autoclear;
    uint64_t bitmaps_offset, bitmaps_bytes;
    unsigned bitmaps;
    uint8_t compression;
    bool extended;
    char *backing_name, *backing_format;

    unsigned l2_bits, entry_bits, ref_bits; /* log2: entries of an L2 table, bytes of one, refcounts
                                               of a block */
    unsigned unit_bits;                     /* log2 bytes of a subcluster, or of a cluster */

    struct qcow2_cache cache;
    struct qcow2_commit commit;
    struct qcow2_make make;
    struct qcow2_set meta;
    uint64_t end;  /* the file ends here, or before: zeroes from here on, unless fixed */
    uint64_t hint; /* no cluster below is free */
    struct qcow2_runs unlinked;  /* out of the tables in memory */
    struct qcow2_runs unlinking; /* the same, with the commit under way */
    struct qcow2_runs loose;     /* out of the tables on the medium: may lose their reference */
    struct qcow2_task freer;
    struct qcow2_punch punches[QCOW2_PUNCHES];
    struct qcow2_punch gathering;

    struct qcow2_tasks ready, parked, later;
    struct deferred deferred;
    bool running;
    bool submitting; /* in qcow2_submit: no done() may be called */

    struct qcow2_req *first_req, *last_req; /* with a range */
    unsigned held, waiting;
    struct qcow2_req *free_reqs;
    struct qcow2_io *free_ios;
    size_t fill_bytes;

    struct qcow2_io *header_io;
    bool header_again;
    int header_error; /* while what waited for it is tried again */

    struct worker_port port;
    int event_fd;
    struct loop_source source;
    struct qcow2_inflate inflate;
    struct qcow2_inflated inflated[QCOW2_INFLATED];
    unsigned inflated_count, inflated_hand;
    void *zlib, *zstd; /* z_stream, ZSTD_DCtx */
};

static inline uint64_t qcow2_be64(const void *at)
{
    uint64_t n;
    memcpy(&n, at, sizeof(n));
    return be64toh(n);
}

static inline uint32_t qcow2_be32(const void *at)
{
    uint32_t n;
    memcpy(&n, at, sizeof(n));
    return be32toh(n);
}

static inline uint16_t qcow2_be16(const void *at)
{
    uint16_t n;
    memcpy(&n, at, sizeof(n));
    return be16toh(n);
}

static inline void qcow2_put64(void *at, uint64_t n)
{
    n = htobe64(n);
    memcpy(at, &n, sizeof(n));
}

static inline void qcow2_put32(void *at, uint32_t n)
{
    n = htobe32(n);
    memcpy(at, &n, sizeof(n));
}

extern const uint8_t qcow2_zeroes[QCOW2_ZEROES];

/* ---- qcow2_header.c */

/* Reads and checks the header, its extensions and the snapshot table. Waits for the transfers. */
bool qcow2_read_header(struct qcow2 *q, struct err *err);

/* Writes q->sector, then flushes; again if it is asked for meanwhile. Kicks when it is done. */
void qcow2_write_header(struct qcow2 *q);

/* 0 if the image may be changed: not corrupt, bits that say otherwise cleared. */
int qcow2_may_change(struct qcow2 *q);

/* Something in the image cannot be: says so, marks it, and allows no more changes. Returns -EIO. */
int qcow2_corrupt(struct qcow2 *q, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A transfer on the container that is waited for, here: only while opening, activating,
 * inactivating. 0 or a negative errno value. */
int qcow2_transfer(struct qcow2 *q, enum block_op op, uint64_t offset, void *buf, size_t bytes);

/* ---- qcow2_cache.c */

bool qcow2_cache_init(struct qcow2 *q, size_t bytes);
void qcow2_cache_free(struct qcow2 *q);
void qcow2_cache_drop(struct qcow2 *q, bool all, enum qcow2_kind kind); /* clean pages */

/* The page with this byte of the file. */
int qcow2_page(struct qcow2 *q, enum qcow2_kind kind, uint64_t offset, struct qcow2_page **page);

/* Call before changing page->data: 0 or QCOW2_WAIT. */
int qcow2_edit(struct qcow2 *q, struct qcow2_page *page);

static inline uint8_t *qcow2_at(const struct qcow2 *q, const struct qcow2_page *page,
                                uint64_t offset)
{
    return page->data + (offset & ((UINT64_C(1) << q->cache.page_bits) - 1));
}

/* A table's cluster is free: what is cached of it is of no use. */
void qcow2_cache_forget(struct qcow2 *q, uint64_t cluster);

uint8_t *qcow2_slot_take(struct qcow2 *q);
void qcow2_slot_give(struct qcow2 *q, uint8_t *slot);

/* ---- qcow2_commit.c */

void qcow2_commit_init(struct qcow2 *q);
void qcow2_commit(struct qcow2 *q); /* starts one, or another one after the one under way */
void qcow2_wait_commit(struct qcow2 *q, struct qcow2_waiter *waiter);

/* Waits until nothing is left to write; 0 or a negative errno value. */
int qcow2_settle(struct qcow2 *q);

bool qcow2_runs_add(struct qcow2_runs *runs, uint64_t first, uint64_t count, bool discard,
                    bool table);

/* ---- qcow2_refcount.c */

/* Up to `want` clusters in a row, with a reference each. *fresh: nothing was ever written there,
 * and they read as zeroes. */
int qcow2_alloc(struct qcow2 *q, uint64_t want, uint64_t *first, uint64_t *count, bool *fresh);

/* A cluster's count in `data`, a block of refcounts or a page of it. */
uint64_t qcow2_refcount_get(const struct qcow2 *q, const uint8_t *data, uint64_t index);
void qcow2_refcount_put(const struct qcow2 *q, uint8_t *data, uint64_t index, uint64_t count);

void qcow2_free_init(struct qcow2 *q);
void qcow2_free_now(struct qcow2 *q, uint64_t host, uint64_t clusters); /* no table names them */

/* ---- qcow2_make.c */

void qcow2_make_init(struct qcow2 *q);
int qcow2_make_l2(struct qcow2 *q, uint64_t l1_index);
int qcow2_make_refblock(struct qcow2 *q, uint64_t cluster);
int qcow2_make_reftable(struct qcow2 *q);

/* ---- qcow2_map.c */

enum qcow2_type { QCOW2_IS_UNALLOCATED, QCOW2_IS_ZERO, QCOW2_IS_DATA, QCOW2_IS_COMPRESSED };

struct qcow2_extent {
    enum qcow2_type type;
    bool ours;     /* DATA: nobody else refers to it */
    uint64_t host; /* DATA: file offset */
    uint64_t bytes;
    uint64_t entry; /* COMPRESSED */
};

/* Where the guest's bytes from pos on are, as far as they are of one kind and in a row. */
int qcow2_map(struct qcow2 *q, uint64_t pos, uint64_t max, struct qcow2_extent *extent);

/* The L2 entries from a guest cluster on. */
struct qcow2_l2 {
    struct qcow2_page *page; /* NULL: there is no table */
    uint8_t *at;
    uint64_t left; /* entries in this page, or without a table */
    bool ours;     /* the table belongs to the active state only */
};

int qcow2_l2(struct qcow2 *q, uint64_t cluster, struct qcow2_l2 *l2);
int qcow2_l2_to_change(struct qcow2 *q, uint64_t cluster, struct qcow2_l2 *l2); /* makes one */

/* What entry and bitmap say of subcluster `sub` (0 without extended entries); a negative errno
 * value if it cannot be. */
int qcow2_type(struct qcow2 *q, uint64_t entry, uint64_t bitmap, unsigned sub);

static inline uint64_t qcow2_bitmap(const struct qcow2 *q, const uint8_t *at)
{
    return q->extended ? qcow2_be64(at + 8) : 0;
}

/* Where compressed data is. */
void qcow2_compressed(const struct qcow2 *q, uint64_t entry, uint64_t *offset, size_t *bytes);

/* The clusters that an entry refers to will lose a reference. False: no memory, they leak. */
void qcow2_unlink(struct qcow2 *q, uint64_t entry, bool discard);

/* ---- qcow2_req.c */

void qcow2_park(struct qcow2 *q, struct qcow2_task *task);
void qcow2_enqueue(struct qcow2 *q, struct qcow2_task *task); /* to be run; nothing if queued */
void qcow2_yield(struct qcow2 *q, struct qcow2_task *task);   /* later, from the loop */
void qcow2_run_tasks(struct qcow2 *q);
void qcow2_kick(struct qcow2 *q); /* tries everything that is parked */
void qcow2_run_later(void *opaque);

struct qcow2_req *qcow2_req_new(struct qcow2 *q);
void qcow2_req_free(struct qcow2_req *req);
void qcow2_req_start(struct qcow2_req *req); /* one of our own, under its owner's range */
void qcow2_pending_done(struct qcow2_req *req, int error);
void qcow2_submit(struct block *block, struct block_request *request);
void qcow2_free_pools(struct qcow2 *q);

struct qcow2_io *qcow2_io_new(struct qcow2 *q, void (*done)(struct qcow2_io *io, int error),
                              void *owner);
bool qcow2_io_push(struct qcow2_io *io, const void *base, size_t bytes);
bool qcow2_io_push_zeroes(struct qcow2_io *io, size_t bytes);
bool qcow2_io_push_cursor(struct qcow2_io *io, struct iov_cursor *at, size_t bytes);
void qcow2_io_start(struct qcow2_io *io, struct block *on, enum block_op op, uint64_t offset,
                    size_t bytes, bool own_memory);
void qcow2_io_free(struct qcow2_io *io); /* not started */

/* ---- qcow2_read.c, qcow2_write.c, qcow2_zero.c: the steps of a request */

int qcow2_read_step(struct qcow2_req *req);
int qcow2_write_step(struct qcow2_req *req);
int qcow2_discard_step(struct qcow2_req *req);
int qcow2_zeroes_step(struct qcow2_req *req);

/* Is every byte of the request in clusters that may be written where they are? (Else it needs its
 * range for itself.) */
bool qcow2_in_place(struct qcow2 *q, uint64_t pos, uint64_t to);

/* Do these bytes, not allocated, read as zeroes? */
bool qcow2_no_backing(const struct qcow2 *q, uint64_t pos);

/* ---- qcow2_inflate.c */

/* The data of a compressed cluster, cluster_bytes of it; valid until the next call. */
int qcow2_inflate(struct qcow2 *q, uint64_t entry, const uint8_t **data);
bool qcow2_inflate_init(struct qcow2 *q, struct err *err);
void qcow2_inflate_forget(struct qcow2 *q);
void qcow2_inflate_free(struct qcow2 *q);
void qcow2_inflate_wait(struct qcow2 *q);

/* ---- qcow2_resize.c */

/* The driver's `resize`: larger only. */
bool qcow2_resize(struct block *block, uint64_t bytes, struct err *err);

/* ---- qcow2_check.c: while activating; they wait for their transfers */

bool qcow2_find_tables(struct qcow2 *q, struct err *err); /* fills q->meta */
bool qcow2_repair(struct qcow2 *q, struct err *err);      /* counts all references anew */

#endif
