/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ide_drive: what a disk or CD drive is to be, on a PIIX3 channel or an AHCI port alike. */
#ifndef HW_PC_IDE_DRIVE_H
#define HW_PC_IDE_DRIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "block/block.h"
#include "hw/core/err.h"

struct ide_drive;

/* How a BIOS maps the cylinders, heads and sectors of INT 13h to the disk's: the CMOS RAM tells it
 * (SeaBIOS, src/block.c). */
enum ide_translation {
    IDE_TRANSLATION_AUTO, /* NONE to 1024 cylinders, LBA above */
    IDE_TRANSLATION_NONE,
    IDE_TRANSLATION_LBA,
    IDE_TRANSLATION_LARGE,
    IDE_TRANSLATION_RECHS,
};

struct ide_geometry {
    uint16_t cylinders;
    uint8_t heads, sectors;
    enum ide_translation translation;
};

struct ide_drive_config {
    bool present;
    bool cdrom;
    struct block *block;        /* disk: needed; CD drive: NULL when empty. Stays the caller's */
    const char *serial;         /* NULL: "QM00001" … by unit; at most 20 printable characters */
    const char *model;          /* NULL: "QEMU HARDDISK", "QEMU DVD-ROM"; at most 40 */
    const char *firmware;       /* NULL: "2.5+"; at most 8 */
    uint64_t wwn;               /* 0: none */
    uint32_t cyls, heads, secs; /* default translation; all 0: computed */
    enum ide_translation translation;
    uint32_t logical_block;       /* bytes: 512 or 4096; 0: 512 */
    uint32_t physical_block;      /* a power of two from logical_block to 2 MiB; 0: logical_block */
    bool no_trim;                 /* TRIM is not offered */
    bool discard;                 /* TRIM reaches the image; else it is accepted and ignored */
    uint32_t discard_granularity; /* bytes, a power of two: what of a range is not a whole one is
                                     kept; 0: anything can be discarded */
};

/* Makes the drive, all zeroes before, what config says. `unit` counts for its default serial number
 * and names it in tray events; `name` is for messages: "IDE drive 0". False and *err: a string too
 * long, a geometry or sector size out of range, a disk without an image. Strings are copied. */
bool ide_drive_init(struct ide_drive *d, unsigned unit, const char *name,
                    const struct ide_drive_config *config, struct err *err);

#endif
