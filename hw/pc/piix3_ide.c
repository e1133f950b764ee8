/* SPDX-License-Identifier: GPL-2.0-or-later */
/* piix3_ide: the PIIX3's IDE function (see piix3_ide.h). */
#include "hw/pc/piix3_ide.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/pc/atapi.h"
#include "hw/pc/ide.h"

#define DEVFN PCI_DEVFN(1, 1)

/* Registers (290550-002, 2.3) */
#define COMMAND    0x04
#define BUS_MASTER 0x04
#define STATUS     0x06
#define IDETIM0    0x40
#define IDETIM1    0x42
#define SIDETIM    0x44

struct piix3_ide {
    struct pci_device pci;
    void *memory; /* to be freed: the struct lies aligned in it */
    struct bus *bus;
    struct ide_channel channel[2];
};

static const struct state_field ide_state[] = {
    STATE_PCI(struct piix3_ide),
    STATE_STRUCTS(struct piix3_ide, channel, ide_channel_state),
    STATE_FIELDS_END,
};

static struct ide_channel *channel_of(struct piix3_ide *ide, unsigned unit)
{
    return &ide->channel[unit / 2 % 2];
}

static struct ide_drive *drive_of(struct piix3_ide *ide, unsigned unit)
{
    return &channel_of(ide, unit)->drive[unit % 2];
}

/* --- Bus master registers: 8 bytes per channel --- */

static uint64_t bus_master_read(void *opaque, uint64_t offset, unsigned width)
{
    struct piix3_ide *ide = opaque;
    (void)width;
    return bmdma_read(&ide->channel[offset / BMDMA_REGISTERS & 1].bm, offset % BMDMA_REGISTERS);
}

static void bus_master_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct piix3_ide *ide = opaque;
    struct ide_channel *ch = &ide->channel[offset / BMDMA_REGISTERS & 1];
    (void)width;
    ide_bus_master_event(ch, bmdma_write(&ch->bm, offset % BMDMA_REGISTERS, (uint8_t)value));
}

static const struct io_ops bus_master_ops = {
    .widths = 1,
    .read = bus_master_read,
    .write = bus_master_write,
};

/* --- Life --- */

static void take_bus_master_bit(struct piix3_ide *ide)
{
    for (unsigned i = 0; i < 2; i++) {
        ide->channel[i].bm.master = ide->pci.config[COMMAND] & BUS_MASTER;
    }
}

static void config_written(struct pci_device *pci, unsigned reg, unsigned width)
{
    struct piix3_ide *ide = (struct piix3_ide *)pci;

    if (reg <= COMMAND && reg + width > COMMAND) {
        take_bus_master_bit(ide);
        for (unsigned i = 0; i < 2; i++) {
            ide_bus_master_event(&ide->channel[i], BMDMA_ENABLED);
        }
    }
}

static void ide_reset(struct device *device)
{
    struct piix3_ide *ide = (struct piix3_ide *)device;

    pci_device_reset(&ide->pci);
    take_bus_master_bit(ide);
    for (unsigned i = 0; i < 2; i++) {
        ide_channel_reset(&ide->channel[i]);
    }
}

static void ide_quiesce(struct device *device)
{
    struct piix3_ide *ide = (struct piix3_ide *)device;
    for (unsigned i = 0; i < 2; i++) {
        ide_channel_quiesce(&ide->channel[i]);
    }
}

static void ide_resume(struct device *device)
{
    struct piix3_ide *ide = (struct piix3_ide *)device;
    for (unsigned i = 0; i < 2; i++) {
        ide_channel_resume(&ide->channel[i]);
    }
}

static bool ide_loaded(struct device *device, struct err *err)
{
    struct piix3_ide *ide = (struct piix3_ide *)device;

    pci_device_loaded(&ide->pci);
    take_bus_master_bit(ide);
    return ide_channel_loaded(&ide->channel[0], err) && ide_channel_loaded(&ide->channel[1], err);
}

static void ide_destroy(struct device *device)
{
    struct piix3_ide *ide = (struct piix3_ide *)device;

    for (unsigned i = 0; i < 2; i++) {
        struct ide_channel *ch = &ide->channel[i];
        ide_abandon(ch);
        ide_channel_quiesce(ch); /* the request under way points in here */
        bus_unmap(ide->bus, &ch->command_region);
        bus_unmap(ide->bus, &ch->control_region);
    }
    pci_device_destroy(&ide->pci);
    free(ide->memory);
}

static const struct device_class ide_class = {
    .name = "piix3-ide",
    .version = 1,
    .state = ide_state,
    .reset = ide_reset,
    .quiesce = ide_quiesce,
    .resume = ide_resume,
    .post_load = ide_loaded,
    .destroy = ide_destroy,
};

/* --- Realize --- */

/* Aligned for the channels' buffers, and zero without touching them: they cost memory when used. */
static struct piix3_ide *allocate(void)
{
    void *memory = calloc(1, sizeof(struct piix3_ide) + IDE_BUFFER_ALIGN);

    if (!memory) {
        return NULL;
    }
    uintptr_t at = ((uintptr_t)memory + IDE_BUFFER_ALIGN - 1) & ~(uintptr_t)(IDE_BUFFER_ALIGN - 1);
    struct piix3_ide *ide = (struct piix3_ide *)at;
    ide->memory = memory;
    return ide;
}

static bool set_string(char *to, size_t size, const char *from, unsigned unit, const char *what,
                       struct err *err)
{
    size_t len = strlen(from);

    if (len > size) {
        return err_set(err, "IDE drive %u: %s \"%s\" is longer than %zu characters", unit, what,
                       from, size);
    }
    for (size_t i = 0; i < len; i++) {
        if (from[i] < 0x20 || from[i] > 0x7E) {
            return err_set(err, "IDE drive %u: %s has characters that are not printable ASCII",
                           unit, what);
        }
    }
    for (size_t i = 0; i < size; i++)
        to[i] = i < len ? from[i] : ' ';
    return true;
}

/* Default translation: what the configuration says, or the usual 16 heads and 63 sectors. */
static bool set_geometry(struct ide_drive *d, const struct ide_drive_config *c, struct err *err)
{
    uint64_t cylinders = ide_sectors(d) / (16 * 63);

    d->cylinders = (uint16_t)(cylinders > 16383 ? 16383 : cylinders < 1 ? 1 : cylinders);
    d->heads = 16;
    d->sectors = 63;
    if (!c->cyls && !c->heads && !c->secs) {
        return true;
    }
    if (!c->cyls || c->cyls > 65535 || !c->heads || c->heads > 16 || !c->secs || c->secs > 255) {
        return err_set(err,
                       "IDE drive %u: geometry %u/%u/%u is out of range (cyls 1-65535, heads "
                       "1-16, secs 1-255)",
                       d->unit, c->cyls, c->heads, c->secs);
    }
    d->cylinders = (uint16_t)c->cyls;
    d->heads = (uint8_t)c->heads;
    d->sectors = (uint8_t)c->secs;
    return true;
}

static bool set_drive(struct ide_drive *d, unsigned unit, const struct ide_drive_config *c,
                      struct err *err)
{
    char serial[21];

    d->unit = unit;
    if (!c->present) {
        return true;
    }
    if (!c->cdrom && !c->block) {
        return err_set(err, "IDE drive %u: a disk needs an image", unit);
    }
    d->kind = c->cdrom ? IDE_CDROM : IDE_DISK;
    d->block = c->block;
    d->wwn = c->wwn;
    d->discard = c->discard && !c->cdrom;
    d->flush_matters = !c->cdrom && block_write_cache(c->block);
    snprintf(serial, sizeof(serial), "QM%05u", unit + 1);
    return set_string(d->serial, sizeof(d->serial), c->serial ? c->serial : serial, unit, "serial",
                      err) &&
           set_string(d->model, sizeof(d->model),
                      c->model   ? c->model
                      : c->cdrom ? "QEMU DVD-ROM"
                                 : "QEMU HARDDISK",
                      unit, "model", err) &&
           set_string(d->firmware, sizeof(d->firmware), c->firmware ? c->firmware : "2.5+", unit,
                      "firmware version", err) &&
           (c->cdrom || set_geometry(d, c, err));
}

static void set_config_space(struct pci_device *pci)
{
    pci_set16(pci->config + STATUS, 0x0280); /* medium DEVSEL, fast back-to-back */
    /* Timing registers: kept for the driver, without effect; bits 11:10 are reserved. */
    pci_set16(pci->writable + IDETIM0, 0xF3FF);
    pci_set16(pci->writable + IDETIM1, 0xF3FF);
    pci->writable[SIDETIM] = 0xFF;
}

struct irq *piix3_ide_irq(struct piix3_ide *ide, unsigned channel)
{
    return &ide->channel[channel % 2].irq;
}

struct piix3_ide *piix3_ide_realize(struct pci_bus *pci, struct bus *bus, struct dma *dma,
                                    struct clock *clock, struct device_list *devices,
                                    const struct piix3_ide_config *config, struct err *err)
{
    static const struct pci_id id = {
        .vendor = 0x8086,
        .device = 0x7010,
        .subsystem_vendor = 0x5853,
        .subsystem = 0x0001,
        .class_code = 0x010180, /* IDE, bus master, legacy mode only */
    };
    static const struct {
        const char *command, *control;
        uint16_t command_port, control_port;
    } places[2] = {
        {"ide0", "ide0-control", 0x1F0, 0x3F6},
        {"ide1", "ide1-control", 0x170, 0x376},
    };
    struct piix3_ide *ide = allocate();

    if (!ide) {
        err_set(err, "IDE: out of memory");
        return NULL;
    }
    for (unsigned i = 0; i < IDE_UNITS; i++) {
        if (!set_drive(drive_of(ide, i), i, &config->drive[i], err)) {
            free(ide->memory);
            return NULL;
        }
    }
    if (!pci_device_init(&ide->pci, pci, DEVFN, &id, err)) {
        free(ide->memory);
        return NULL;
    }
    ide->bus = bus;
    set_config_space(&ide->pci);
    pci_add_bar(&ide->pci, 4, PCI_BAR_PORT, 2 * BMDMA_REGISTERS, false, "ide-bus-master",
                &bus_master_ops, ide);
    ide->pci.config_written = config_written;
    for (unsigned i = 0; i < 2; i++) {
        struct ide_channel *ch = &ide->channel[i];
        ch->dma = ch->bm.dma = dma;
        ch->clock = clock;
        ch->tray_moved = config->tray_moved;
        ch->opaque = config->opaque;
        io_region_init(&ch->command_region, places[i].command, &ide_command_ops, ch);
        io_region_init(&ch->control_region, places[i].control, &ide_control_ops, ch);
        if (!bus_map(bus, &ch->command_region, IO_PORT, places[i].command_port, 8, err) ||
            !bus_map(bus, &ch->control_region, IO_PORT, places[i].control_port, 1, err)) {
            ide_destroy(&ide->pci.device);
            return NULL;
        }
    }
    pci_device_realized(&ide->pci);
    device_add(devices, &ide->pci.device, &ide_class, "0");
    return ide;
}

/* --- Media and plugs --- */

struct block *ide_drive_block(struct piix3_ide *ide, unsigned unit)
{
    return unit < IDE_UNITS ? drive_of(ide, unit)->block : NULL;
}

bool ide_drive_is_cdrom(const struct piix3_ide *ide, unsigned unit)
{
    return unit < IDE_UNITS && ide->channel[unit / 2].drive[unit % 2].kind == IDE_CDROM;
}

struct block *ide_drive_set_medium(struct piix3_ide *ide, unsigned unit, struct block *block)
{
    if (!ide_drive_is_cdrom(ide, unit)) {
        return NULL;
    }
    return ide_change_medium(channel_of(ide, unit), unit % 2, block);
}

bool ide_tray_eject(struct piix3_ide *ide, unsigned unit, bool force)
{
    return ide_drive_is_cdrom(ide, unit) && atapi_eject_button(drive_of(ide, unit), force);
}

bool ide_tray_locked(const struct piix3_ide *ide, unsigned unit)
{
    return ide_drive_is_cdrom(ide, unit) && ide->channel[unit / 2].drive[unit % 2].atapi.locked;
}

void ide_drive_geometry(const struct piix3_ide *ide, unsigned unit, uint16_t *cylinders,
                        uint8_t *heads, uint8_t *sectors)
{
    const struct ide_drive *d = unit < IDE_UNITS ? &ide->channel[unit / 2].drive[unit % 2] : NULL;
    bool disk = d && d->kind == IDE_DISK;
    *cylinders = disk ? d->cylinders : 0;
    *heads = disk ? d->heads : 0;
    *sectors = disk ? d->sectors : 0;
}

bool ide_tray_open(const struct piix3_ide *ide, unsigned unit)
{
    return ide_drive_is_cdrom(ide, unit) && ide->channel[unit / 2].drive[unit % 2].atapi.tray_open;
}

void ide_unplug_disks(struct piix3_ide *ide)
{
    for (unsigned i = 0; i < IDE_UNITS; i++) {
        if (drive_of(ide, i)->kind == IDE_DISK) {
            ide_unplug(channel_of(ide, i), i % 2);
        }
    }
}
