/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * piix3_ide: PCI function 00:01.1, the two IDE channels of the PIIX3 (8086:7010) with their drives.
 * 82371SB 290550-002. Legacy ports 1F0-1F7/3F6 and 170-177/376, ISA interrupts 14 and 15, bus
 * master registers in BAR 4.
 */
#ifndef HW_PC_PIIX3_IDE_H
#define HW_PC_PIIX3_IDE_H

#include <stdbool.h>
#include <stdint.h>

#include "block/block.h"
#include "hw/core/clock.h"
#include "hw/core/device.h"
#include "hw/core/dma.h"
#include "hw/core/irq.h"
#include "hw/pc/ide_drive.h"
#include "hw/pc/pci.h"

#define IDE_UNITS 4 /* channel * 2 + device */

struct piix3_ide;

struct piix3_ide_config {
    struct ide_drive_config drive[IDE_UNITS];
    /* The guest opened or closed the tray of a CD drive. May be NULL. */
    void (*tray_moved)(void *opaque, unsigned unit, bool open);
    void *opaque;
};

/* Creates the function at 00:01.1 and enters it in the list. NULL and *err on failure (a place
 * taken, a string too long, a geometry out of range, a disk without an image). Strings are copied.
 */
struct piix3_ide *piix3_ide_realize(struct pci_bus *pci, struct bus *bus, struct dma *dma,
                                    struct clock *clock, struct device_list *devices,
                                    const struct piix3_ide_config *config, struct err *err);

/* The interrupt output of channel 0 (ISA 14) or 1 (ISA 15), to be connected by the machine. */
struct irq *piix3_ide_irq(struct piix3_ide *ide, unsigned channel);

/* The image in unit 0..3, or NULL: no drive, an empty one, an unplugged disk. */
struct block *ide_drive_block(struct piix3_ide *ide, unsigned unit);

/* True if unit 0..3 has a CD drive. */
bool ide_drive_is_cdrom(const struct piix3_ide *ide, unsigned unit);

/* The geometry of the disk in unit 0..3; zeroes where there is none. */
void ide_drive_geometry(const struct piix3_ide *ide, unsigned unit, struct ide_geometry *g);

/*
 * Puts a medium into the CD drive (NULL: takes it out and leaves the tray open) and returns the one
 * that was in it, which nothing uses any more. The guest sees the event and, with a new medium, a
 * unit attention. Whether the tray is locked is not asked: ide_tray_eject does. NULL and no effect
 * if unit has no CD drive.
 */
struct block *ide_drive_set_medium(struct piix3_ide *ide, unsigned unit, struct block *block);

/* The host wants the tray open: true if it may be, which is always so with `force`. False: the
 * guest has locked it, and gets an eject request event. */
bool ide_tray_eject(struct piix3_ide *ide, unsigned unit, bool force);
bool ide_tray_locked(const struct piix3_ide *ide, unsigned unit);
bool ide_tray_open(const struct piix3_ide *ide, unsigned unit);

/*
 * Takes the disks, not the CD drives, off the channels: Xen's unplug protocol. A request under way
 * is waited for, nothing follows it; afterwards nothing here uses the images. For good: neither a
 * reset nor a restore brings the disks back.
 */
void ide_unplug_disks(struct piix3_ide *ide);

#endif
