/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nic: drivers of two network cards, for vCPU 0: as little as it takes to send and receive. Intel's
 * "PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's Manual" (82540EM);
 * RTL8139D(L) data sheet, 5 and 6.
 */
#ifndef TESTS_XENSTUB_NIC_H
#define TESTS_XENSTUB_NIC_H

#include "pc.h"

#define NIC_MAX_FRAME 2048u
/* Where it puts what it needs in the guest's memory, from here to NIC_MEMORY_END. */
#define NIC_MEMORY     UINT64_C(0x100000)
#define NIC_MEMORY_END UINT64_C(0x400000)

struct nic {
    struct xenstub *x;
    uint8_t devfn;
    uint8_t mac[6];                     /* as the card says, once it is started */
    unsigned rx_next, rx_tail, tx_next; /* e1000: of the rings; RTL8139: bytes, -, descriptor */
};

/* --- What both have --- */

struct nic_model {
    const char *device; /* as -device calls it */
    /* Finds it at n->devfn of n->x, resets it and switches it on. False: it does not work. */
    bool (*start)(struct nic *n);
    /* Sends a frame and waits until it has gone. False: it does not go. */
    bool (*send)(struct nic *n, const uint8_t *frame, size_t len);
    /* The next frame that has come (up to NIC_MAX_FRAME bytes); its length, or 0: none is here. */
    size_t (*receive)(struct nic *n, uint8_t *frame);
};
extern const struct nic_model nic_rtl8139, nic_e1000;

/* --- The e1000, step by step --- */

enum {
    E1000_CTRL = 0x00,
    E1000_STATUS = 0x08,
    E1000_ICR = 0xC0,
    E1000_IMS = 0xD0,
    E1000_RCTL = 0x100,
    E1000_TCTL = 0x400,
    E1000_RDBAL = 0x2800,
    E1000_RDLEN = 0x2808,
    E1000_RDH = 0x2810,
    E1000_RDT = 0x2818,
    E1000_TDBAL = 0x3800,
    E1000_TDLEN = 0x3808,
    E1000_TDH = 0x3810,
    E1000_TDT = 0x3818,
};
#define E1000_RING 64u

uint32_t e1000_reg(struct nic *n, unsigned offset);
void e1000_set_reg(struct nic *n, unsigned offset, uint32_t value);

/* Switches it on, with interrupts; `buffers` of its receive ring are free: 0 to E1000_RING - 1. */
void e1000_drive(struct nic *n, unsigned buffers);

/* Whether a descriptor of either ring is done. */
bool e1000_rx_done(struct xenstub *x, uint64_t index);
bool e1000_tx_done(struct xenstub *x, uint64_t index);

/* The frame of the next descriptor, which is done: its length. Its buffer is not given back. */
unsigned e1000_take(struct nic *n, uint8_t *frame);
void e1000_give_back(struct nic *n, unsigned buffers);

/* Sends; does not wait. Or: puts it into the ring, and tells the card of all that are there. */
void e1000_transmit(struct nic *n, const uint8_t *frame, unsigned len);
void e1000_queue(struct nic *n, const uint8_t *frame, unsigned len);
void e1000_ring_bell(struct nic *n);

#endif
