/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ne2000_int: what registers (ne2000.c), frames (ne2000_frames.c) and memory (ne2000_memory.c)
 * share; nobody else includes this. Section numbers are those of the DP8390D's data sheet. */
#ifndef HW_PC_NE2000_INT_H
#define HW_PC_NE2000_INT_H

#include "hw/pc/ne2000.h"

/* Command register (10.3) */
enum {
    CR_STP = 0x01,
    CR_STA = 0x02,
    CR_TXP = 0x04,
    CR_RD = 0x38,
    CR_RD_READ = 0x08,
    CR_RD_WRITE = 0x10,
    CR_RD_SEND = 0x18,
    CR_RD_ABORT = 0x20,
    CR_PAGE = 0xC0,
};
#define CR_RESET (CR_RD_ABORT | CR_STP)

/* Interrupt status and mask */
enum {
    ISR_PRX = 0x01,
    ISR_PTX = 0x02,
    ISR_RXE = 0x04,
    ISR_OVW = 0x10,
    ISR_CNT = 0x20,
    ISR_RDC = 0x40,
    ISR_RST = 0x80,
};
#define IMR_BITS 0x7F

/* Data configuration */
enum {
    DCR_WTS = 0x01,
    DCR_BOS = 0x02,
    DCR_LAS = 0x04,
    DCR_AR = 0x10,
};
#define DCR_BITS 0x7F

/* Transmit configuration and status */
enum {
    TCR_CRC = 0x01,
    TCR_LB = 0x06,
    TCR_LB_NIC = 0x02,
    TCR_LB_ENDEC = 0x04,
    TCR_ATD = 0x08,
};
#define TCR_BITS 0x1F
enum { TSR_PTX = 0x01, TSR_CRS = 0x10, TSR_CDH = 0x40 };

/* Receive configuration and status */
enum {
    RCR_AB = 0x04,
    RCR_AM = 0x08,
    RCR_PRO = 0x10,
    RCR_MON = 0x20,
};
#define RCR_BITS 0x3F
enum { RSR_PRX = 0x01, RSR_CRC = 0x02, RSR_MPA = 0x10, RSR_PHY = 0x20, RSR_DIS = 0x40 };

#define PAGE        256u
#define RING_HEADER 4u /* status, next page, count: before each frame in the ring (7.0) */

/* ---- ne2000.c ---- */

/* Drives the interrupt output as the registers say. */
void ne2000_update_irq(struct ne2000 *n);

/* ---- ne2000_memory.c ---- */

/* The card's memory as the remote DMA sees it: PROM, nothing, buffer memory, nothing. What is
 * nowhere reads as ones and swallows writes. */
void ne2000_memory_read(const struct ne2000 *n, uint16_t at, uint8_t *buf, size_t len);
void ne2000_memory_write(struct ne2000 *n, uint16_t at, const uint8_t *buf, size_t len);

/* The same as the local DMA sees it, in the order of bytes that DCR says; CLDA follows. */
void ne2000_local_read(struct ne2000 *n, uint16_t at, uint8_t *buf, size_t len);
void ne2000_local_write(struct ne2000 *n, uint16_t at, const uint8_t *buf, size_t len);

/* Bytes that one transfer of the remote DMA moves. */
unsigned ne2000_remote_unit(const struct ne2000 *n);

/* The command register's remote DMA command was written. */
void ne2000_remote_command(struct ne2000 *n);

/*
 * Moves whole units between the data port and memory, while the command and the byte count allow;
 * returns the bytes moved. A byte count that is odd in word mode ends with a whole word. One of
 * the two buffers is NULL.
 */
size_t ne2000_remote_move(struct ne2000 *n, uint8_t *in, const uint8_t *out, size_t len);

/* One access to the data port, of 1, 2 or 4 bytes; a narrow one in word mode moves a word all the
 * same. */
uint64_t ne2000_data_read(struct ne2000 *n, unsigned width);
void ne2000_data_write(struct ne2000 *n, unsigned width, uint64_t v);

/* ---- ne2000_frames.c ---- */

extern const struct net_nic ne2000_nic;

/* The receiver was switched on or off, or might have been. */
void ne2000_update_receiver(struct ne2000 *n);

/* While a frame waits for room, or some are left in the ring after others were taken out, PRX stays
 * when it is acknowledged. */
void ne2000_wants_reading(struct ne2000 *n);

/* The ring changed: there may be room in it. */
void ne2000_ring_changed(struct ne2000 *n);

/* Begins with what TXP asks for, if nothing is against it. */
void ne2000_start_transmitter(struct ne2000 *n);

#endif
