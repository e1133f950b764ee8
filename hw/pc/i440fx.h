/* SPDX-License-Identifier: GPL-2.0-or-later */
/* i440fx: the host bridge, Intel 82441FX (290549), PCI 00:00.0. */
#ifndef HW_PC_I440FX_H
#define HW_PC_I440FX_H

#include "hw/core/bus.h"
#include "hw/pc/pci.h"

struct i440fx;

/* Puts the bridge on the bus, and its configuration address register at ports 0xCF8-0xCFB. NULL and
 * *err on failure. */
struct i440fx *i440fx_realize(struct pci_bus *pci, struct bus *bus, struct device_list *devices,
                              struct err *err);

/* Who gets byte accesses to 0xCF8 + offset, which the bridge passes on to the ISA side; ops take
 * widths of 1. */
void i440fx_pass_on(struct i440fx *bridge, unsigned offset, const struct io_ops *ops, void *opaque);

#endif
