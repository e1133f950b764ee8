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
    for (unsigned i = 0; i < 2; i++) {
        if (!ide_channel_loaded(&ide->channel[i], err)) {
            return false;
        }
        ide_push_irq(&ide->channel[i]);
    }
    return true;
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
        char name[16];
        snprintf(name, sizeof(name), "IDE drive %u", i);
        if (!ide_drive_init(drive_of(ide, i), i, name, &config->drive[i], err)) {
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
        ch->front = &ide_parallel_front;
        ch->dma = ch->prd.dma = dma;
        ch->prd.format = PRD_BUS_MASTER;
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

void ide_drive_geometry(const struct piix3_ide *ide, unsigned unit, struct ide_geometry *g)
{
    const struct ide_drive *d = unit < IDE_UNITS ? &ide->channel[unit / 2].drive[unit % 2] : NULL;

    memset(g, 0, sizeof(*g));
    if (d && d->kind == IDE_DISK) {
        g->cylinders = d->cylinders;
        g->heads = d->heads;
        g->sectors = d->sectors;
        g->translation = (enum ide_translation)d->translation;
    }
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
