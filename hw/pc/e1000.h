/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * e1000: Intel's gigabit Ethernet controllers 82540EM and 82545EM (copper) with their 88E1011 PHY
 * and 93C46 EEPROM. PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's Manual,
 * 317453-006 ("SDM"); 88E1011S data sheet for the PHY; 93C46 data sheet; IEEE 802.3 clause 22.
 */
#ifndef HW_PC_E1000_H
#define HW_PC_E1000_H

#include "hw/core/clock.h"
#include "hw/pc/nic.h"

struct e1000;

/* Makes an 82540EM (`e1000`) or an 82545EM (`e1000-82545em`), with a cable into `net` (NULL: none).
 * NULL and *err on failure. */
struct e1000 *e1000_realize(struct pci_bus *pci, struct dma *dma, struct clock *clock,
                            struct device_list *devices, const struct nic_config *config,
                            struct net *net, struct err *err);
struct e1000 *e1000_82545em_realize(struct pci_bus *pci, struct dma *dma, struct clock *clock,
                                    struct device_list *devices, const struct nic_config *config,
                                    struct net *net, struct err *err);

#endif
