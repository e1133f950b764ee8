/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bmdma: the registers of one channel of a bus-master IDE controller. Programming Interface for Bus
 * Master IDE Controller, revision 1.0 (Intel 1994); register bits also in 82371SB (PIIX3)
 * 290550-002, 2.4. The descriptors they point to are prd.h's.
 */
#ifndef HW_PC_BMDMA_H
#define HW_PC_BMDMA_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/core/state.h"

#define BMDMA_REGISTERS 8 /* bytes of I/O space per channel */

#define BMDMA_CMD_START 0x01
#define BMDMA_CMD_READ  0x08 /* set: to memory */

#define BMDMA_STATUS_ACTIVE 0x01
#define BMDMA_STATUS_ERROR  0x02
#define BMDMA_STATUS_INT    0x04
#define BMDMA_STATUS_DRIVES 0x60 /* drive 0 and 1 DMA capable: kept for software */

struct bmdma {
    bool master; /* the function may master the bus (PCI command register bit 2); derived */

    uint8_t command;
    uint8_t status;
    uint32_t table; /* descriptor table pointer, 4-byte aligned */
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

/* The drive has ended its transfer: with the descriptors exhausted the engine stops. */
void bmdma_finished(struct bmdma *bm, bool exhausted);

/* The engine stops before the drive has all it wants: `error` if memory was the reason. */
void bmdma_halt(struct bmdma *bm, bool error);

#endif
