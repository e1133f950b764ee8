/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xhci: a USB 3 host controller (PCI). eXtensible Host Controller Interface for Universal Serial
 * Bus, revision 1.2 (May 2019); the version it claims is 1.0. Its USB 2 ports take the machine's
 * low and full speed devices, its USB 3 ports are there and empty.
 *
 * Nothing is polled: an endpoint whose device has nothing to say waits until it has.
 */
#ifndef HW_PC_XHCI_H
#define HW_PC_XHCI_H

#include "hw/core/clock.h"
#include "hw/core/dma.h"
#include "hw/pc/pci.h"
#include "hw/pc/usb.h"

#define XHCI_DEFAULT_PORTS 4 /* of each protocol, and at most: */
#define XHCI_MAX_PORTS     15

struct xhci;

struct xhci_config {
    uint8_t devfn;
    bool nec;            /* NEC's PCI id (nec-usb-xhci), which old drivers look for; else Red Hat's
                            (qemu-xhci) */
    unsigned usb2, usb3; /* ports, 1 to XHCI_MAX_PORTS of each; the USB 2 ports come first */
    unsigned bus;        /* its number among the USB controllers, from 0 */
};

/* Makes the controller. NULL and *err on failure. */
struct xhci *xhci_realize(struct pci_bus *pci, struct dma *dma, struct clock *clock,
                          struct device_list *devices, const struct xhci_config *config,
                          struct err *err);

/* USB 2 port i (from 0): those that take devices. */
struct usb_port *xhci_port(struct xhci *xhci, unsigned i);

#endif
