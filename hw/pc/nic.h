/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nic: what the network cards have in common towards the machine that wires them: their places and
 * how they are made. The chips: ne2000.h, pcnet.h, rtl8139.h, e1000.h. */
#ifndef HW_PC_NIC_H
#define HW_PC_NIC_H

#include <stdbool.h>
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

#endif
