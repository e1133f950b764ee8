/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmos: the CMOS RAM and what firmware finds in it; see cmos.h. */
#include "hw/pc/cmos.h"

#include <stdlib.h>
#include <string.h>

enum {
    CMOS_FLOPPY_TYPES = 0x10,
    CMOS_DISK_TYPES = 0x12,
    CMOS_EQUIPMENT = 0x14,
    CMOS_BASE_KIB = 0x15,
    CMOS_EXTENDED_KIB = 0x17,
    CMOS_DISK_EXTENDED_TYPE = 0x19,
    CMOS_DISK_PARAMETERS = 0x1B,
    CMOS_CHECKED_FIRST = 0x10,
    CMOS_CHECKED_LAST = 0x2D,
    CMOS_CHECKSUM = 0x2E, /* high byte first */
    CMOS_EXTENDED_KIB_FOUND = 0x30,
    CMOS_CENTURY = 0x32,
    CMOS_ABOVE_16M = 0x34, /* units of 64 KiB */
    CMOS_BOOT_THIRD = 0x38,
    CMOS_TRANSLATION = 0x39,
    CMOS_BOOT_FIRST = 0x3D,
    CMOS_ABOVE_4G = 0x5B, /* three bytes, units of 64 KiB */
    CMOS_CPUS = 0x5F,
};

enum { EQUIPMENT_FLOPPY = 0x01, EQUIPMENT_FPU = 0x02, EQUIPMENT_MOUSE = 0x04 };

#define DISK_PARAMETERS_SIZE 9
#define DISK_TYPE_USER       47 /* "the parameters are here", in byte 19h or 1Ah */

/* The contents are the battery's: a reset leaves them alone. */
static const struct state_field cmos_state[] = {
    STATE_LIMIT(struct cmos, index, CMOS_SIZE - 1, .keep_on_reset = true),
    STATE_ARRAY(struct cmos, ram, .keep_on_reset = true),
    STATE_FIELDS_END,
};

static void set16(uint8_t *p, uint64_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static uint64_t at_most(uint64_t v, uint64_t limit)
{
    return v < limit ? v : limit;
}

static void fill_memory(uint8_t *ram, const struct cmos_config *config)
{
    const uint64_t mib = 1 << 20, kib = 1 << 10;
    uint64_t below = config->ram_below_4g, v;
    set16(ram + CMOS_BASE_KIB, at_most(below / kib, 640));
    v = below > mib ? at_most((below - mib) / kib, 0xFFFF) : 0;
    set16(ram + CMOS_EXTENDED_KIB, v);
    set16(ram + CMOS_EXTENDED_KIB_FOUND, v);
    v = below > 16 * mib ? at_most((below - 16 * mib) / (64 * kib), 0xFFFF) : 0;
    set16(ram + CMOS_ABOVE_16M, v);
    v = at_most(config->ram_above_4g / (64 * kib), 0xFFFFFF);
    set16(ram + CMOS_ABOVE_4G, v);
    ram[CMOS_ABOVE_4G + 2] = (uint8_t)(v >> 16);
}

static uint8_t boot_device(char letter)
{
    switch (letter) {
    case 'a':
        return 1;
    case 'c':
        return 2;
    case 'd':
        return 3;
    case 'n':
        return 4;
    default:
        return 0;
    }
}

static void fill_boot_order(uint8_t *ram, const struct cmos_config *config)
{
    uint8_t device[3] = {0};
    const char *order = config->boot_order ? config->boot_order : "";
    for (unsigned n = 0; *order && n < 3; order++)
        if (boot_device(*order))
            device[n++] = boot_device(*order);
    ram[CMOS_BOOT_FIRST] = (uint8_t)(device[1] << 4 | device[0]);
    ram[CMOS_BOOT_THIRD] = (uint8_t)(device[2] << 4 | (config->skip_floppy_signature ? 1 : 0));
}

static void fill_floppies(uint8_t *ram, const struct cmos_config *config)
{
    unsigned drives = (config->floppy[0] != 0) + (config->floppy[1] != 0);
    ram[CMOS_FLOPPY_TYPES] = (uint8_t)(config->floppy[0] << 4 | config->floppy[1]);
    ram[CMOS_EQUIPMENT] = EQUIPMENT_FPU | EQUIPMENT_MOUSE;
    if (drives)
        ram[CMOS_EQUIPMENT] |= (uint8_t)(EQUIPMENT_FLOPPY | (drives - 1) << 6);
}

/* The fixed disk parameter table of a user-defined type. */
static void fill_disk(uint8_t *p, const struct cmos_disk *disk)
{
    set16(p, disk->cylinders);
    p[2] = disk->heads;
    set16(p + 3, 0xFFFF);                                    /* no write precompensation */
    p[5] = (uint8_t)(0xC0 | (disk->heads > 8 ? 1 << 3 : 0)); /* retries off, more than 8 heads */
    set16(p + 6, disk->cylinders);                           /* landing zone */
    p[8] = disk->sectors;
}

static void fill_disks(uint8_t *ram, const struct cmos_config *config)
{
    for (unsigned i = 0; i < 2; i++) {
        if (!config->disk[i].cylinders)
            continue;
        ram[CMOS_DISK_TYPES] |= i == 0 ? 0xF0 : 0x0F; /* "see the extended type" */
        ram[CMOS_DISK_EXTENDED_TYPE + i] = DISK_TYPE_USER;
        fill_disk(ram + CMOS_DISK_PARAMETERS + i * DISK_PARAMETERS_SIZE, &config->disk[i]);
    }
    for (unsigned i = 0; i < CMOS_DISKS; i++)
        if (config->disk[i].cylinders)
            ram[CMOS_TRANSLATION] |= (uint8_t)((config->disk[i].translation & 3) << (2 * i));
}

static void fill_checksum(uint8_t *ram)
{
    unsigned sum = 0;
    for (unsigned i = CMOS_CHECKED_FIRST; i <= CMOS_CHECKED_LAST; i++)
        sum += ram[i];
    ram[CMOS_CHECKSUM] = (uint8_t)(sum >> 8);
    ram[CMOS_CHECKSUM + 1] = (uint8_t)sum;
}

static uint64_t cmos_read(void *opaque, uint64_t offset, unsigned width)
{
    const struct cmos *c = opaque;
    (void)width;
    return offset == 0 ? 0xFF : c->ram[c->index]; /* the latch is write-only */
}

static void cmos_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct cmos *c = opaque;
    (void)width;
    if (offset == 0)
        c->index = value & (CMOS_SIZE - 1); /* bit 7 masks NMI, which nothing here raises */
    else
        c->ram[c->index] = (uint8_t)value;
}

static const struct io_ops cmos_ops = {.widths = 1, .read = cmos_read, .write = cmos_write};

static void cmos_destroy(struct device *d)
{
    struct cmos *c = (struct cmos *)d;
    bus_unmap(c->bus, &c->ports);
    free(c);
}

static const struct device_class cmos_class = {
    .name = "cmos",
    .version = 1,
    .state = cmos_state,
    .destroy = cmos_destroy,
};

struct cmos *cmos_realize(struct bus *bus, struct device_list *devices,
                          const struct cmos_config *config, struct err *err)
{
    struct cmos *c = calloc(1, sizeof(*c));
    if (!c) {
        err_set(err, "cmos: out of memory");
        return NULL;
    }
    c->bus = bus;
    io_region_init(&c->ports, "cmos", &cmos_ops, c);
    if (!bus_map(bus, &c->ports, IO_PORT, 0x70, 2, err)) {
        free(c);
        return NULL;
    }
    fill_memory(c->ram, config);
    fill_boot_order(c->ram, config);
    fill_floppies(c->ram, config);
    fill_disks(c->ram, config);
    c->ram[CMOS_CPUS] = (uint8_t)(config->vcpus ? at_most(config->vcpus - 1, 0xFF) : 0);
    c->ram[CMOS_CENTURY] = 0x20;
    fill_checksum(c->ram);
    device_add(devices, &c->device, &cmos_class, "0");
    return c;
}
