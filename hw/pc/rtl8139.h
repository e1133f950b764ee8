/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rtl8139: Realtek's Fast Ethernet controllers RTL8139C+ (PCI 10EC:8139, revision 20h) and, without
 * the C+ mode, RTL8139C (revision 10h). Data sheets: RTL8139C(L) (2002), RTL8139D(L) (2001),
 * RTL8139C(L)+ (2002). docs/devices/rtl8139.md has the scope and the deviations.
 */
#ifndef HW_PC_RTL8139_H
#define HW_PC_RTL8139_H

#include "hw/core/clock.h"
#include "hw/core/err.h"
#include "hw/pc/nic.h"

struct rtl8139;

/* The RTL8139C+ at config->devfn. `net` may be NULL: no cable, ever. NULL and *err: out of memory,
 * the place is taken. */
struct rtl8139 *rtl8139_realize(struct pci_bus *pci, struct dma *dma, struct clock *clock,
                                struct device_list *devices, const struct nic_config *config,
                                struct net *net, struct err *err);

/* The RTL8139C in the same way. It is another class of device, so that neither takes the other's
 * state. */
struct rtl8139 *rtl8139c_realize(struct pci_bus *pci, struct dma *dma, struct clock *clock,
                                 struct device_list *devices, const struct nic_config *config,
                                 struct net *net, struct err *err);

#endif
