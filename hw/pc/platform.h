/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * platform: the Xen platform PCI device 5853:0001 and its fixed ports 0x10-0x13. Contract:
 * docs/misc/hvm-emulated-unplug of the Xen source.
 */
#ifndef HW_PC_PLATFORM_H
#define HW_PC_PLATFORM_H

#include "hw/pc/pci.h"

/* Bits of the unplug request (port 0x10, 16 bits). */
#define PLATFORM_UNPLUG_DISKS     0x0001
#define PLATFORM_UNPLUG_NICS      0x0002
#define PLATFORM_UNPLUG_AUX_DISKS 0x0004
#define PLATFORM_UNPLUG_NVME      0x0008

struct platform_config {
    uint8_t devfn;
    /* The guest, which has PV drivers, wants these emulated devices gone. NULL: there are no PV
     * back-ends that could take over, and the magic number that invites the request is withheld. */
    void (*unplug)(void *opaque, unsigned mask);
    void *opaque;
};

/* NULL and *err on failure. */
struct pci_device *platform_realize(struct pci_bus *pci, struct bus *bus,
                                    struct device_list *devices,
                                    const struct platform_config *config, struct err *err);

#endif
