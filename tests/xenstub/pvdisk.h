/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pvdisk: a PV disk as the toolstack describes it and as a guest's driver uses it: keys and states
 * in xenstore, one or more rings, requests in flight. public/io/blkif.h, x86_64 layout.
 */
#ifndef TESTS_XENSTUB_PVDISK_H
#define TESTS_XENSTUB_PVDISK_H

#include "front.h"

#define PVDISK_QUEUES 4u

enum pvdisk_op { PVDISK_READ = 0, PVDISK_WRITE = 1, PVDISK_FLUSH = 3, PVDISK_DISCARD = 5 };

struct pvdisk_options {
    unsigned order;     /* pages of a ring, as power of two */
    unsigned queues;    /* 0: 1 */
    bool persistent;    /* grants are kept */
    uint64_t first_gfn; /* guest pages from here on are rings and buffers */
};

struct pvdisk_queue {
    uint8_t *ring[16]; /* its pages */
    uint32_t ring_ref[16];
    uint32_t channel;
    unsigned pages, entries;
    uint32_t produced, consumed;
};

struct pvdisk {
    struct xenstub *x;
    uint32_t devid;
    char back[96], front[96];
    struct pvdisk_options options;
    struct pvdisk_queue queue[PVDISK_QUEUES];
    uint64_t next_gfn;
    uint32_t *refs; /* of kept grants, by page from first_gfn on */
    unsigned ref_count;
};

/* What libxl writes for a disk: params as "aio:/path". */
void pvdisk_describe(struct pvdisk *d, struct xenstub *x, uint32_t devid, const char *name,
                     const char *params, bool cdrom, bool writable);

/* The driver: waits for InitWait, gives rings; and then waits for Connected. False: too late. */
bool pvdisk_ask(struct pvdisk *d, const struct pvdisk_options *options, unsigned timeout_ms);
bool pvdisk_connect(struct pvdisk *d, const struct pvdisk_options *options, unsigned timeout_ms);

/* Puts a request for `pages` whole pages (at most 11; FLUSH: 0) from guest page `gfn` on into a
 * queue, and gives its place; shown by pvdisk_kick. The pages are granted for it. */
void pvdisk_put(struct pvdisk *d, unsigned queue, enum pvdisk_op op, uint64_t id, uint64_t sector,
                unsigned pages, uint64_t gfn);
/* The same as an indirect request, of up to 256 pages. `list` is a page for the descriptors. */
void pvdisk_put_indirect(struct pvdisk *d, unsigned queue, enum pvdisk_op op, uint64_t id,
                         uint64_t sector, unsigned pages, uint64_t gfn, uint64_t list);
void pvdisk_kick(struct pvdisk *d, unsigned queue);

/* The next response: its id and status. False: too late. */
bool pvdisk_next(struct pvdisk *d, unsigned queue, uint64_t *id, int *status, unsigned timeout_ms);

/* One request from beginning to end: its status, or 99 when there is no answer. */
int pvdisk_do(struct pvdisk *d, enum pvdisk_op op, uint64_t sector, unsigned pages, uint64_t gfn);

/* The driver goes: waits until the other side has let go. False: too late. */
bool pvdisk_close(struct pvdisk *d, unsigned timeout_ms);

/* A key of the back-end's, to be freed; or of the state, as a number. */
char *pvdisk_back(struct pvdisk *d, const char *key);
bool pvdisk_wait_back(struct pvdisk *d, const char *state, unsigned timeout_ms);

#endif
