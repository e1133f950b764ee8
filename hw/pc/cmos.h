/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmos: the battery-backed RAM behind ports 70h and 71h. Motorola MC146818A data sheet for the
 * address latch; the map of the RAM is the PC/AT's (IBM PC AT Technical Reference) with the bytes
 * that virtual machine firmware reads (SeaBIOS, src/hw/rtc.h).
 *
 * Under Xen the clock (indexes 0 to 13) is the hypervisor's: it keeps a latch of its own and hands
 * on an access only when the index is 14 or more, so the two latches agree whenever ours counts.
 */
#ifndef HW_PC_CMOS_H
#define HW_PC_CMOS_H

#include "hw/core/bus.h"
#include "hw/core/device.h"
#include "hw/core/err.h"

#define CMOS_SIZE  128
#define CMOS_DISKS 4

/* The type nibbles of byte 10h. */
enum cmos_floppy {
    CMOS_FLOPPY_NONE = 0,
    CMOS_FLOPPY_360K = 1,
    CMOS_FLOPPY_1200K = 2,
    CMOS_FLOPPY_720K = 3,
    CMOS_FLOPPY_1440K = 4,
    CMOS_FLOPPY_2880K = 5,
};

/* An IDE hard disk (not a CD-ROM) as its IDENTIFY data has it; cylinders 0: none. */
struct cmos_disk {
    uint16_t cylinders;
    uint8_t heads, sectors;
    uint8_t translation; /* of INT 13h's addresses: 0 none, 1 LBA, 2 large, 3 rechs */
};

struct cmos_config {
    uint64_t ram_below_4g; /* bytes of RAM from 0 up to the hole */
    uint64_t ram_above_4g; /* bytes of RAM from 4 GiB on */
    unsigned vcpus;
    const char
        *boot_order; /* letters a (floppy) c (disk) d (CD) n (network); the first three count */
    bool skip_floppy_signature; /* boot a floppy without the AA55 signature */
    enum cmos_floppy floppy[2];
    struct cmos_disk disk[CMOS_DISKS]; /* by IDE unit: channel * 2 + slave */
};

struct cmos {
    struct device device;
    uint8_t index; /* the latch, 7 bits */
    uint8_t ram[CMOS_SIZE];
    struct bus *bus;
    struct io_region ports;
};

/* Creates it at ports 70h and 71h with the contents that follow from config. NULL and *err when the
 * ports are taken. */
struct cmos *cmos_realize(struct bus *bus, struct device_list *devices,
                          const struct cmos_config *config, struct err *err);

#endif
