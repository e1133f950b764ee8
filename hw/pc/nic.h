/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nic: what the network cards have in common towards the machine that wires them: their places and
 * how they are made. The chips: ne2000.h, pcnet.h, rtl8139.h, e1000.h. */
#ifndef HW_PC_NIC_H
#define HW_PC_NIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/core/device.h"
#include "hw/core/dma.h"
#include "hw/pc/pci.h"
#include "net/net.h"

struct clock;

/* Where a PCI card is and what is individual about it. */
struct nic_config {
    uint8_t devfn;
    const char *instance; /* of struct device: "0", "1" …; outlives it */
    uint8_t mac[NET_MAC_LEN];
    const uint8_t *rom; /* its option ROM, which outlives it; NULL: none */
    uint32_t rom_len;
};

/* The frame check sequence (IEEE 802.3, 3.2.9) over `len` bytes; on the wire its low byte comes
 * first. By libdeflate, linked as an archive: 0.11 us for 1514 bytes, where zlib and a table take
 * 0.7, which was a quarter of what a received frame costs. */
uint32_t nic_fcs(const uint8_t *frame, size_t len);

/* The six bits by which a multicast filter of 64 bits is looked up, out of the register that works
 * out the check sequence, when the destination has gone through it. DP8390, RTL8139: */
unsigned nic_hash(const uint8_t mac[NET_MAC_LEN]);
/* LANCE and its successors, whose register is the other way round: */
unsigned nic_hash_lance(const uint8_t mac[NET_MAC_LEN]);

#endif
