/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * prd: the walk over a table of physical region descriptors in guest memory, which tells a disk
 * controller where the data of a command lie. Two formats: bus-master IDE (Programming Interface
 * for Bus Master IDE Controller, revision 1.0, 1.2) and AHCI (Serial ATA AHCI 1.3.1, 4.2.3.3).
 */
#ifndef HW_PC_PRD_H
#define HW_PC_PRD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/core/dma.h"
#include "hw/core/state.h"

#define PRD_UNIT 512u /* bytes: disks move no less */

enum prd_format {
    PRD_BUS_MASTER, /* 8 bytes: 32-bit address, 16-bit count; the last one has a mark */
    PRD_AHCI,       /* 16 bytes: 64-bit address, 22-bit count; so many as the command header says */
};

/* A place in the table: what is left of the present region, and the next descriptor. */
struct prd_cursor {
    uint64_t next; /* guest-physical address of the next descriptor */
    uint64_t addr; /* of the first byte not yet used of the present region */
    uint32_t left; /* bytes of it; 0: fetch the next descriptor */
    uint32_t more; /* PRD_AHCI: descriptors not yet fetched */
    uint32_t done; /* bytes used so far */
    bool last;     /* there is no further descriptor */
    bool notify;   /* PRD_AHCI: a descriptor with the interrupt bit has been used */
};

struct prd_table {
    struct dma *dma;
    enum prd_format format;
    struct prd_cursor at; /* where the command's next byte goes */
};

extern const struct state_field prd_cursor_state[];

/* The start of a table at `address`; `entries` counts only for PRD_AHCI. */
struct prd_cursor prd_start(enum prd_format format, uint64_t address, uint32_t entries);

/* No bytes are left in the descriptors. */
static inline bool prd_exhausted(const struct prd_cursor *c)
{
    return c->last && !c->left;
}

/*
 * Appends up to `want` bytes of guest memory at the cursor to sg and advances the cursor by as many
 * (returned). Fewer: the list is full, the descriptors are exhausted, or *bad was set: the table or
 * a region is not RAM.
 */
size_t prd_gather(const struct prd_table *t, struct prd_cursor *c, struct dma_sg *sg, size_t want,
                  bool *bad);

/* Copies up to len bytes between buf and guest memory at the cursor and advances it; as above. */
size_t prd_copy(const struct prd_table *t, struct prd_cursor *c, void *buf, size_t len,
                bool to_guest, bool *bad);

/*
 * Starts sg (pinned until dma_sg_finish) with as many whole units of PRD_UNIT bytes as fit from
 * t->at on, at most `want` bytes, a multiple of it; *after is then behind them. Returns their
 * bytes. 0: nothing is pinned; not even one unit fits the list or is left in the table, or *bad was
 * set.
 */
size_t prd_pin(const struct prd_table *t, struct dma_sg *sg, bool to_guest, size_t want,
               struct prd_cursor *after, bool *bad);

#endif
