/* SPDX-License-Identifier: GPL-2.0-or-later */
/* i440fx: the host bridge, Intel 82441FX (290549), PCI 00:00.0. */
#ifndef HW_PC_I440FX_H
#define HW_PC_I440FX_H

#include "hw/pc/pci.h"

/* Puts the bridge on the bus. NULL and *err on failure. */
struct pci_device *i440fx_realize(struct pci_bus *pci, struct device_list *devices,
                                  struct err *err);

#endif
