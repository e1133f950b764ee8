/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * blkback: a PV disk that is connected: takes the requests from its rings, carries them out on an
 * image, answers. public/io/blkif.h. What it needs of Xen (grants, notifications) comes through
 * struct blkback_doors; the states that lead here are blkback_xenbus's.
 */
#ifndef HW_XEN_BLKBACK_H
#define HW_XEN_BLKBACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/core/err.h"
#include "hw/xen/blkif.h"

#define BLKBACK_MAX_QUEUES 4u
/* Pages the guest may leave mapped here, all queues together (feature-persistent). */
#define BLKBACK_MAX_PERSISTENT 1056u
/* Requests under way per disk; more wait on their ring. */
#define BLKBACK_MAX_JOBS 128u
/* Memory that the data of these take at most (copies; not what is mapped). */
#define BLKBACK_MAX_BUFFERS (8u << 20)

struct block;
struct blkback;
struct loop;

/* One piece of a grant copy: within one granted page. */
struct blkback_piece {
    uint32_t ref;
    uint16_t offset, bytes;
    void *local;
};

struct blkback_doors {
    void *opaque;
    /* Maps the pages that the front-end granted, in a row. NULL: not granted so. */
    void *(*map)(void *opaque, const uint32_t *refs, unsigned count, bool writable);
    void (*unmap)(void *opaque, void *where, unsigned count);
    /* Copies between granted pages and our memory: all pieces, or false. errno ENOTTY (EOPNOTSUPP):
     * this kernel cannot; pages are then mapped. */
    bool (*copy)(void *opaque, const struct blkback_piece *pieces, unsigned count, bool to_guest);
    void (*notify)(void *opaque, uint32_t port);
};

struct blkback_queue_config {
    uint32_t refs[1u << BLKIF_MAX_ORDER];
    unsigned pages; /* a power of two */
    uint32_t port;  /* as notify takes it */
};

struct blkback_config {
    const char *name; /* for messages: "xvda" */
    enum blkif_abi abi;
    bool persistent; /* the front-end keeps the grants it used */
    bool read_only, discard;
    struct blkback_queue_config queue[BLKBACK_MAX_QUEUES];
    unsigned queues;
};

/* Maps the rings. The block stays its owner's; nobody else uses it meanwhile. NULL and *err if a
 * ring cannot be mapped. */
struct blkback *blkback_connect(struct loop *loop, struct block *block,
                                const struct blkback_config *config,
                                const struct blkback_doors *doors, struct err *err);

/* The front-end notified this queue. */
void blkback_event(struct blkback *b, unsigned queue);

/* The front-end has written impossible indexes and is no longer served. */
bool blkback_broken(const struct blkback *b);

/* Waits for what is under way, answers it, unmaps everything. NULL is fine. */
void blkback_disconnect(struct blkback *b);

#endif
