/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rtl8139: Realtek's Fast Ethernet controllers RTL8139D and RTL8139C+ (PCI 10EC:8139, revision
 * 20h). Data sheets: RTL8139D(L) (2001), RTL8139C(L)+ (2002). docs/devices/rtl8139.md has the
 * scope and the deviations.
 */
#ifndef HW_PC_RTL8139_H
#define HW_PC_RTL8139_H

#include "hw/core/clock.h"
#include "hw/core/err.h"
#include "hw/pc/nic.h"

struct rtl8139;

/* The card at config->devfn. `net` may be NULL: no cable, ever. NULL and *err: out of memory, the
 * place is taken. */
struct rtl8139 *rtl8139_realize(struct pci_bus *pci, struct dma *dma, struct clock *clock,
                                struct device_list *devices, const struct nic_config *config,
                                struct net *net, struct err *err);

#endif
