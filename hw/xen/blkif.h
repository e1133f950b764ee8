/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * blkif: the shared ring of a PV disk, seen from the back-end: requests are copied out once and
 * checked, responses are put in. Xen's public/io/blkif.h and public/io/ring.h. The ring's memory is
 * the guest's and may change at any moment; the counters that count are ours.
 */
#ifndef HW_XEN_BLKIF_H
#define HW_XEN_BLKIF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BLKIF_PAGE          4096u
#define BLKIF_SECTOR        512u
#define BLKIF_MAX_ORDER     4u /* of a ring in pages: 16 pages */
#define BLKIF_MAX_SEGMENTS  256u
#define BLKIF_INDIRECT_REFS 8u
/* Segments that the descriptors in one indirect page are. */
#define BLKIF_INDIRECT_PER_PAGE (BLKIF_PAGE / 8)

/* How the front-end lays out a request: its "protocol" in xenstore. */
enum blkif_abi { BLKIF_ABI_X86_64, BLKIF_ABI_X86_32 };

enum blkif_op {
    BLKIF_READ = 0,
    BLKIF_WRITE = 1,
    BLKIF_WRITE_BARRIER = 2,
    BLKIF_FLUSH = 3,
    BLKIF_DISCARD = 5,
    BLKIF_INDIRECT = 6,
};

/* Status of a response. */
#define BLKIF_OKAY        0
#define BLKIF_ERROR       (-1)
#define BLKIF_UNSUPPORTED (-2)

/* Sectors first..last (0..7, inclusive) of the page that `ref` grants. */
struct blkif_segment {
    uint32_t ref;
    uint8_t first, last;
};

struct blkif_copy {
    uint64_t id;
    uint64_t sector;  /* first one on the disk, in units of 512 bytes */
    uint64_t sectors; /* DISCARD: how many */
    uint8_t op;       /* what to do; of an INDIRECT one, that inside (also in the response) */
    bool indirect;    /* the segments are in the pages of `refs` */
    uint16_t segments;
    union {
        struct blkif_segment segment[11];
        uint32_t refs[BLKIF_INDIRECT_REFS];
    };
};

struct blkif_ring {
    uint8_t *shared;
    uint32_t entries; /* a power of two */
    uint32_t entry_bytes;
    enum blkif_abi abi;
    uint32_t taken;    /* requests */
    uint32_t answered; /* responses put in, and … */
    uint32_t pushed;   /* … shown */
};

/* A ring of `bytes` (pages) at `shared`, taken up where the other side's responses are: 0 on a
 * fresh one. */
void blkif_ring_init(struct blkif_ring *ring, void *shared, size_t bytes, enum blkif_abi abi);

/* Takes the next request. BLKIF_TAKE_BROKEN: the producer's index is impossible; the front-end is
 * not to be served any further. */
enum blkif_take { BLKIF_TAKE_NONE, BLKIF_TAKE_ONE, BLKIF_TAKE_BROKEN };
enum blkif_take blkif_ring_take(struct blkif_ring *ring, struct blkif_copy *request);

/* After all were taken: asks to be notified of the next; true if one has come meanwhile. */
bool blkif_ring_more(struct blkif_ring *ring);

/* Puts a response in, to a request that was taken; not yet shown. */
void blkif_ring_answer(struct blkif_ring *ring, uint64_t id, uint8_t op, int16_t status);

/* Shows the responses; true if the front-end wants to be notified. */
bool blkif_ring_push(struct blkif_ring *ring);

/* Whether we know the operation and it may have so many segments; before any is looked at. */
bool blkif_known(const struct blkif_copy *request);

/* Checks a known request against the disk of `sectors`. Its segments are `segments` (its own, or
 * read from the indirect pages and copied): *bytes is their sum. False: answer it with an error. */
bool blkif_check(const struct blkif_copy *request, const struct blkif_segment *segments,
                 uint64_t sectors, size_t *bytes);

/* Decodes `count` descriptors of an indirect page, already copied. */
void blkif_decode_segments(const uint8_t *page, unsigned count, struct blkif_segment *segments);

#endif
