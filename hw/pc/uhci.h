/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * uhci: the PIIX3's USB host controller, PCI function 2. Intel "Universal Host Controller Interface
 * Design Guide" revision 1.1; Intel 82371SB (PIIX3) datasheet 290550-002, 2.4 (its PCI registers).
 *
 * Frames are worked off late and in one go: while nothing moves, up to 128 of them (128 ms) pass
 * before the schedule is looked at again, unless a device has data or the guest touches a register.
 * docs/devices/usb.md says what a guest can see of it.
 */
#ifndef HW_PC_UHCI_H
#define HW_PC_UHCI_H

#include "hw/core/clock.h"
#include "hw/core/dma.h"
#include "hw/pc/pci.h"
#include "hw/pc/usb.h"

#define UHCI_PORTS 2

struct uhci;

/* Makes the controller at devfn (1.2 in the PIIX3). bus: its number among the USB controllers, from
 * 0. NULL and *err on failure. */
struct uhci *uhci_realize(struct pci_bus *pci, struct dma *dma, struct clock *clock,
                          struct device_list *devices, uint8_t devfn, unsigned bus,
                          struct err *err);

/* Root port i (0 or 1). */
struct usb_port *uhci_port(struct uhci *uhci, unsigned i);

/* How often the schedule was looked at: the wake-ups it has cost. */
uint64_t uhci_looks(const struct uhci *uhci);

#endif
