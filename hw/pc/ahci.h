/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ahci: a Serial ATA controller with six ports, each with a disk, a CD drive or nothing. Serial ATA
 * AHCI revision 1.3.1 (Intel); as PCI function the 82801IB (ICH9) 8086:2922, 316972-004 chapter 15.
 */
#ifndef HW_PC_AHCI_H
#define HW_PC_AHCI_H

#include <stdbool.h>
#include <stdint.h>

#include "block/block.h"
#include "hw/core/clock.h"
#include "hw/core/device.h"
#include "hw/core/dma.h"
#include "hw/pc/ide_drive.h"
#include "hw/pc/pci.h"

#define AHCI_PORTS 6

struct ahci;

struct ahci_config {
    uint8_t devfn;
    struct ide_drive_config drive[AHCI_PORTS]; /* by port */
    /* The guest opened or closed the tray of a CD drive. May be NULL. */
    void (*tray_moved)(void *opaque, unsigned port, bool open);
    void *opaque;
};

/* Creates the controller and enters it in the list. NULL and *err on failure (a place taken, a
 * drive that cannot be as it is configured). Strings are copied. */
struct ahci *ahci_realize(struct pci_bus *pci, struct dma *dma, struct clock *clock,
                          struct device_list *devices, const struct ahci_config *config,
                          struct err *err);

/* The same for its drives as piix3_ide.h has them. */
struct block *ahci_drive_block(struct ahci *ahci, unsigned port);
struct block *ahci_drive_set_medium(struct ahci *ahci, unsigned port, struct block *block);
bool ahci_tray_eject(struct ahci *ahci, unsigned port, bool force);
bool ahci_tray_locked(const struct ahci *ahci, unsigned port);
bool ahci_tray_open(const struct ahci *ahci, unsigned port);
void ahci_unplug_disks(struct ahci *ahci);

#endif
