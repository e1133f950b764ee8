/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pcnet: AMD's PCI Ethernet controllers of the PCnet family, as xl's model=pcnet. AMD "Am79C970A
 * PCnet-PCI II" data sheet 19436 (what it says it is), and what "Am79C973 PCnet-FAST III" data
 * sheet 21510 adds: MII management with a PHY, the software timer, CSR7. Section names in the
 * sources are those of the latter.
 *
 * It works when the guest rings (TDMD) and when a frame comes. docs/devices/pcnet.md says when it
 * looks at descriptors by itself.
 */
#ifndef HW_PC_PCNET_H
#define HW_PC_PCNET_H

#include "hw/pc/nic.h"

struct pcnet;

/* Makes the card that `config` describes. net may be NULL: no cable. NULL and *err on failure. */
struct pcnet *pcnet_realize(struct pci_bus *pci, struct dma *dma, struct clock *clock,
                            struct device_list *devices, const struct nic_config *config,
                            struct net *net, struct err *err);

#endif
