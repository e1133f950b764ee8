/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ne2000: the network card of that name without its bus: National Semiconductor's DP8390D NIC (data
 * sheet TL/F/8582, July 1995; loopback: application note AN-937, July 1994) with the station
 * address PROM and the buffer memory that it reaches by remote DMA, as the NE2000 has them
 * (application note AN-729). Realtek's RTL8029AS (LS009.0, January 1997) is the same on PCI with
 * registers of its own in page 3.
 *
 * The bus fronts are ne2000_isa.c and ne2000_pci.c.
 */
#ifndef HW_PC_NE2000_H
#define HW_PC_NE2000_H

#include "hw/core/bus.h"
#include "hw/core/device.h"
#include "hw/core/irq.h"
#include "hw/core/state.h"
#include "hw/pc/nic.h"

struct clock;

#define NE2000_PORTS     32
#define NE2000_RAM_FIRST 0x4000u /* where the buffer memory begins for both DMA channels … */
#define NE2000_RAM_END   0xC000u /* … and ends: 32 KiB, as the stock device has; cards have 16 */
#define NE2000_PROM      32

enum ne2000_transmitter {
    NE2000_IDLE,
    NE2000_ASKED, /* the frame goes at the next turn */
    NE2000_SENT,  /* it went, and filled the back-end: done when there is room for another */
};

/* What the card's reset line resets. */
struct ne2000_regs {
    uint8_t cr;
    bool running; /* started, and not stopped since */
    uint8_t isr, imr, dcr, tcr, rcr, tsr, rsr;
    uint8_t pstart, pstop, bnry, curr;
    bool taken; /* BNRY has moved since PRX was set */
    uint8_t tpsr;
    uint16_t tbcr;
    uint16_t rsar, rbcr; /* of the remote DMA: where it is and what is left */
    uint8_t next_remote; /* page after the packet that is sent to the host */
    uint8_t next_local;
    uint16_t clda; /* where the local DMA was last */
    uint16_t address_counter;
    uint8_t par[NET_MAC_LEN];
    uint8_t mar[8];
    uint8_t tally[3];
    uint8_t fifo[8];
    uint8_t fifo_at;
    bool silenced;       /* by a multicast frame (TCR.ATD) */
    uint8_t transmitter; /* enum ne2000_transmitter */
    /* RTL8029AS, page 3 */
    uint8_t eecr, config2, config3, hltclk;
};

struct ne2000 {
    struct ne2000_regs regs;
    uint8_t ram[NE2000_RAM_END - NE2000_RAM_FIRST];
    uint8_t prom[NE2000_PROM];
    bool rtl8029;
    bool rx_held; /* a frame waits on the wire for room in the ring; found again after a move */
    struct net *net;
    void (*set_line)(struct ne2000 *n, bool level);
};

/* For STATE_STRUCT of the fronts. */
extern const struct state_field ne2000_state[];

/* The 32 ports, with a struct ne2000 as what is behind them. */
extern const struct io_ops ne2000_ops;

/* Puts the card on its wire (may be NULL: no cable). `set_line` drives its interrupt output. */
void ne2000_init(struct ne2000 *n, const uint8_t mac[NET_MAC_LEN], bool rtl8029, struct net *net,
                 void (*set_line)(struct ne2000 *n, bool level));

/* To be called from the fronts' reset (after the table's), post_load and destroy. */
void ne2000_reset(struct ne2000 *n);
bool ne2000_loaded(struct ne2000 *n, struct err *err);
void ne2000_destroy(struct ne2000 *n);

/* The ISA card at ports iobase..iobase+31 (0x200 to 0x3E0, a multiple of 32), an NE2000. Its line
 * is connected by the caller. */
struct ne2000_isa {
    struct device device;
    struct irq irq;
    struct bus *bus;
    struct io_region ports;
    struct ne2000 chip;
};

struct ne2000_isa_config {
    uint16_t iobase;
    const char *instance; /* outlives the device */
    uint8_t mac[NET_MAC_LEN];
};

struct ne2000_isa *ne2000_isa_realize(struct bus *bus, struct device_list *devices,
                                      const struct ne2000_isa_config *config, struct net *net,
                                      struct err *err);

/* The PCI card, an RTL8029AS (10EC:8029). It masters no bus: `dma` and `clock` are not used. */
struct ne2000_pci;
struct ne2000_pci *ne2000_pci_realize(struct pci_bus *pci, struct dma *dma, struct clock *clock,
                                      struct device_list *devices, const struct nic_config *config,
                                      struct net *net, struct err *err);

#endif
