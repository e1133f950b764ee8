/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bmdma: one channel of a bus-master IDE controller: its registers and the walk over the physical
 * region descriptors (PRDs) in guest memory. Programming Interface for Bus Master IDE Controller,
 * revision 1.0 (Intel 1994); register bits also in 82371SB (PIIX3) 290550-002, 2.4.
 */
#ifndef HW_PC_BMDMA_H
#define HW_PC_BMDMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/core/dma.h"
#include "hw/core/state.h"

#define BMDMA_REGISTERS 8 /* bytes of I/O space per channel */

#define BMDMA_CMD_START 0x01
#define BMDMA_CMD_READ  0x08 /* set: to memory */

#define BMDMA_STATUS_ACTIVE 0x01
#define BMDMA_STATUS_ERROR  0x02
#define BMDMA_STATUS_INT    0x04
#define BMDMA_STATUS_DRIVES 0x60 /* drive 0 and 1 DMA capable: kept for software */

/* A place in the descriptor table: what is left of the present region, and the next descriptor. */
struct bmdma_cursor {
    uint32_t next; /* guest-physical address of the next descriptor */
    uint32_t addr; /* of the first byte not yet used of the present region */
    uint32_t left; /* bytes of it; 0: fetch the next descriptor */
    bool last;     /* the present region is the table's last */
};

struct bmdma {
    struct dma *dma;
    bool master; /* the function may master the bus (PCI command register bit 2); derived */

    uint8_t command;
    uint8_t status;
    uint32_t table; /* descriptor table pointer, 4-byte aligned */
    struct bmdma_cursor cursor;
};

extern const struct state_field bmdma_state[];

/* What a register write means for the transfer of the channel; ENABLED: the PCI command register
 * lets the function master the bus now. */
enum bmdma_event { BMDMA_NONE, BMDMA_STARTED, BMDMA_STOPPED, BMDMA_ENABLED };

/* Byte access to register 0..7 of the channel. */
uint8_t bmdma_read(const struct bmdma *bm, unsigned reg);
enum bmdma_event bmdma_write(struct bmdma *bm, unsigned reg, uint8_t value);

static inline bool bmdma_active(const struct bmdma *bm)
{
    return bm->status & BMDMA_STATUS_ACTIVE;
}

/* No bytes are left in the descriptors. */
static inline bool bmdma_exhausted(const struct bmdma_cursor *c)
{
    return c->last && !c->left;
}

/*
 * Appends up to `want` bytes of guest memory at the cursor to sg and advances the cursor by as many
 * (returned). Fewer: the list is full, the descriptors are exhausted, or *bad was set: the table or
 * a region is not RAM.
 */
size_t bmdma_gather(const struct bmdma *bm, struct bmdma_cursor *c, struct dma_sg *sg, size_t want,
                    bool *bad);

/* Copies up to len bytes between buf and guest memory at the cursor and advances it; as above. */
size_t bmdma_copy(const struct bmdma *bm, struct bmdma_cursor *c, void *buf, size_t len,
                  bool to_guest, bool *bad);

/* The drive has ended its transfer: with the descriptors exhausted the engine stops. */
void bmdma_finished(struct bmdma *bm);

/* The engine stops before the drive has all it wants: `error` if memory was the reason. */
void bmdma_halt(struct bmdma *bm, bool error);

#endif
