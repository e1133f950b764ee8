/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ahci: the controller as PCI function and its global registers (see ahci.h; the ports are in
 * ahci_port.c). AHCI 1.3.1: 2 (PCI), 3.1 (global registers), 10.6 (interrupts), 10.14 (index-data
 * pair). */
#include "hw/pc/ahci.h"

#include <stdio.h>
#include <stdlib.h>

#include "hw/pc/ahci_int.h"
#include "hw/pc/atapi.h"

/* Configuration space */
#define COMMAND     0x04
#define STATUS      0x06
#define CAP_MSI     0x80
#define MAP         0x90 /* 316972-004 15.1.32: bits 7:6 say AHCI */
#define CAP_SATA    0xA8
#define MMIO_SIZE   0x1000
#define PAIR_SIZE   0x20 /* BAR 4 */
#define PAIR_INDEX  0x10
#define PAIR_DATA   0x14
#define INDEX_BITS  (MMIO_SIZE - 4)
#define STOCK_UNITS 4 /* of the PIIX3; serial numbers count on, two a port */

/* Global registers */
enum { CAP = 0x00, GHC = 0x04, IS = 0x08, PI = 0x0C, VS = 0x10 };

/* CAP: 64-bit addresses, queuing, 3 Gb/s at most, AHCI only, 32 slots, the ports */
#define CAP_VALUE (0x80000000u | 0x40000000u | 2u << 20 | 1u << 18 | 31u << 8 | (AHCI_PORTS - 1))
#define VERSION   0x00010301u
#define GHC_HR    0x00000001u
#define GHC_IE    0x00000002u
#define GHC_AE    0x80000000u

static const struct state_field ahci_state[] = {
    STATE_PCI(struct ahci),
    STATE_LIMIT(struct ahci, ghc, GHC_IE),
    STATE_LIMIT(struct ahci, is, (1u << AHCI_PORTS) - 1),
    STATE_LIMIT(struct ahci, index, INDEX_BITS),
    STATE_BOOL(struct ahci, resetting),
    STATE_BOOL(struct ahci, level),
    STATE_STRUCTS(struct ahci, port, ahci_port_state),
    STATE_FIELDS_END,
};

/* --- Interrupts, resets --- */

/* IS follows the ports and keeps a bit until it is cleared. With MSI a message goes out for each
 * bit that rises; without, the line is high while one is set. */
static void update_interrupt(struct ahci *a)
{
    uint32_t pending = 0, rising;
    bool level;

    for (unsigned i = 0; i < AHCI_PORTS; i++) {
        pending |= ahci_port_interrupts(&a->port[i]) ? 1u << i : 0;
    }
    rising = pending & ~a->is;
    a->is |= pending;
    level = (a->ghc & GHC_IE) && a->is;
    if (level && (rising || !a->level)) {
        pci_msi_send(&a->pci);
    }
    a->level = level;
    pci_set_intx(&a->pci, level && !pci_msi_enabled(&a->pci));
}

static void reset_ports(struct ahci *a)
{
    a->ghc = a->is = 0;
    a->resetting = false;
    for (unsigned i = 0; i < AHCI_PORTS; i++) {
        ahci_port_reset(&a->port[i]);
        ahci_port_run(&a->port[i]);
    }
}

void ahci_update(struct ahci *a)
{
    if (a->resetting) {
        bool winding = false;
        for (unsigned i = 0; i < AHCI_PORTS; i++) {
            winding |= ahci_port_winding(&a->port[i]);
        }
        if (!winding) {
            reset_ports(a);
        }
    }
    update_interrupt(a);
}

/* --- Registers --- */

static uint32_t register_read(const struct ahci *a, uint32_t offset)
{
    if (offset >= AHCI_PORT_FIRST) {
        unsigned n = (offset - AHCI_PORT_FIRST) / AHCI_PORT_SIZE;
        return n < AHCI_PORTS ? ahci_port_read(&a->port[n], offset % AHCI_PORT_SIZE) : 0;
    }
    switch (offset) {
    case CAP:
        return CAP_VALUE;
    case GHC:
        return GHC_AE | a->ghc | (a->resetting ? GHC_HR : 0);
    case IS:
        return a->is;
    case PI:
        return (1u << AHCI_PORTS) - 1;
    case VS:
        return VERSION;
    default:
        return 0; /* no coalescing, enclosure management, handoff */
    }
}

static void global_write(struct ahci *a, uint32_t offset, uint32_t value)
{
    if (offset == IS) {
        a->is &= ~value;
    } else if (offset == GHC) {
        a->ghc = value & GHC_HR ? 0 : value & GHC_IE;
        if (value & GHC_HR) {
            /* 10.4.3: over when nothing of before reaches a medium or guest memory any more. */
            a->resetting = true;
            for (unsigned i = 0; i < AHCI_PORTS; i++) {
                ahci_port_abandon(&a->port[i]);
            }
        }
    }
}

static void register_write(struct ahci *a, uint32_t offset, uint32_t value)
{
    unsigned n = (offset - AHCI_PORT_FIRST) / AHCI_PORT_SIZE;

    if (a->resetting) {
        return;
    }
    if (offset < AHCI_PORT_FIRST) {
        global_write(a, offset, value);
    } else if (n < AHCI_PORTS) {
        ahci_port_write(&a->port[n], offset % AHCI_PORT_SIZE, value);
    }
    ahci_update(a);
}

static uint64_t mmio_read(void *opaque, uint64_t offset, unsigned width)
{
    (void)width;
    return register_read(opaque, (uint32_t)offset & INDEX_BITS);
}

static void mmio_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    (void)width;
    register_write(opaque, (uint32_t)offset & INDEX_BITS, (uint32_t)value);
}

static const struct io_ops mmio_ops = {.widths = 4, .read = mmio_read, .write = mmio_write};

static uint64_t pair_read(void *opaque, uint64_t offset, unsigned width)
{
    const struct ahci *a = opaque;
    (void)width;
    return offset == PAIR_INDEX ? a->index : offset == PAIR_DATA ? register_read(a, a->index) : 0;
}

static void pair_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct ahci *a = opaque;
    (void)width;
    if (offset == PAIR_INDEX) {
        a->index = (uint32_t)value & INDEX_BITS;
    } else if (offset == PAIR_DATA) {
        register_write(a, a->index, (uint32_t)value);
    }
}

static const struct io_ops pair_ops = {.widths = 4, .read = pair_read, .write = pair_write};

/* --- Life --- */

static void config_written(struct pci_device *pci, unsigned reg, unsigned width)
{
    struct ahci *a = (struct ahci *)pci;
    (void)reg;
    (void)width;

    /* Bus mastering may have come, which data wait for; MSI may have been switched. */
    for (unsigned i = 0; i < AHCI_PORTS; i++) {
        ide_kick(&a->port[i].ch);
        ahci_queue_kick(&a->port[i]);
        ahci_port_run(&a->port[i]);
    }
    ahci_update(a);
}

/* Waits for what is under way on the images. */
static void drain(struct ahci_port *p)
{
    ide_let_go(&p->ch, NULL);
    ahci_queue_drain(p);
}

static void ahci_reset(struct device *device)
{
    struct ahci *a = (struct ahci *)device;

    for (unsigned i = 0; i < AHCI_PORTS; i++) {
        ahci_port_abandon(&a->port[i]);
        drain(&a->port[i]);
        a->port[i].ch.drive[0].smart.enabled = true;
    }
    pci_device_reset(&a->pci);
    reset_ports(a);
    update_interrupt(a);
}

static void ahci_quiesce(struct device *device)
{
    struct ahci *a = (struct ahci *)device;

    for (unsigned i = 0; i < AHCI_PORTS; i++) {
        ide_channel_quiesce(&a->port[i].ch);
        ahci_queue_drain(&a->port[i]);
    }
}

static void ahci_resume(struct device *device)
{
    struct ahci *a = (struct ahci *)device;

    for (unsigned i = 0; i < AHCI_PORTS; i++) {
        ide_channel_resume(&a->port[i].ch);
        ahci_queue_kick(&a->port[i]);
    }
    ahci_update(a);
}

static bool ahci_loaded(struct device *device, struct err *err)
{
    struct ahci *a = (struct ahci *)device;

    pci_device_loaded(&a->pci);
    for (unsigned i = 0; i < AHCI_PORTS; i++) {
        if (!ahci_port_loaded(&a->port[i], err)) {
            return false;
        }
    }
    pci_set_intx(&a->pci, a->level && !pci_msi_enabled(&a->pci));
    irq_push(&a->pci.intx);
    return true;
}

static void ahci_destroy(struct device *device)
{
    struct ahci *a = (struct ahci *)device;

    for (unsigned i = 0; i < AHCI_PORTS; i++) {
        ahci_port_abandon(&a->port[i]);
        ide_channel_quiesce(&a->port[i].ch); /* what is under way points in here */
        ahci_queue_drain(&a->port[i]);
    }
    pci_device_destroy(&a->pci);
    free(a->memory);
}

static const struct device_class ahci_class = {
    .name = "ahci",
    .version = 1,
    .state = ahci_state,
    .reset = ahci_reset,
    .quiesce = ahci_quiesce,
    .resume = ahci_resume,
    .post_load = ahci_loaded,
    .destroy = ahci_destroy,
};

/* --- Realize --- */

/* Aligned for the channels' buffers, and zero without touching them: they cost memory when used. */
static struct ahci *allocate(void)
{
    void *memory = calloc(1, sizeof(struct ahci) + IDE_BUFFER_ALIGN);

    if (!memory) {
        return NULL;
    }
    uintptr_t at = ((uintptr_t)memory + IDE_BUFFER_ALIGN - 1) & ~(uintptr_t)(IDE_BUFFER_ALIGN - 1);
    struct ahci *a = (struct ahci *)at;
    a->memory = memory;
    return a;
}

static void port_tray_moved(void *opaque, unsigned unit, bool open)
{
    const struct ahci_port *p = opaque;
    (void)unit;
    if (p->hba->tray_moved) {
        p->hba->tray_moved(p->hba->opaque, p->number, open);
    }
}

static bool port_init(struct ahci *a, unsigned n, struct dma *dma, struct clock *clock,
                      const struct ide_drive_config *config, struct err *err)
{
    struct ahci_port *p = &a->port[n];
    char name[16];

    p->hba = a;
    p->number = n;
    p->ch.front = &ahci_front;
    p->ch.dma = p->ch.prd.dma = dma;
    p->ch.prd.format = PRD_AHCI;
    p->ch.clock = clock;
    p->ch.tray_moved = port_tray_moved;
    p->ch.opaque = p;
    for (unsigned i = 0; i < AHCI_SLOTS; i++) {
        struct ahci_tag *t = &p->tag[i];
        t->port = p;
        t->prd.dma = dma;
        t->prd.format = PRD_AHCI;
    }
    snprintf(name, sizeof(name), "AHCI port %u", n);
    return ide_drive_init(&p->ch.drive[0], STOCK_UNITS + 2 * n, name, config, err);
}

static void set_config_space(struct ahci *a)
{
    struct pci_device *pci = &a->pci;

    pci_add_bar(pci, 4, PCI_BAR_PORT, PAIR_SIZE, false, "ahci-index", &pair_ops, a);
    pci_add_bar(pci, 5, PCI_BAR_MEMORY, MMIO_SIZE, false, "ahci", &mmio_ops, a);
    pci_add_msi(pci, CAP_MSI, CAP_SATA);
    pci->config[MAP] = 0x40;
    /* SATA capability (2.6): revision 1.0; the pair is at 10h of BAR 4. */
    pci->config[CAP_SATA] = 0x12;
    pci->config[CAP_SATA + 2] = 0x10;
    pci->config[CAP_SATA + 4] = (PAIR_INDEX / 4) << 4 | 0x8;
    pci->config_written = config_written;
}

struct ahci *ahci_realize(struct pci_bus *pci, struct dma *dma, struct clock *clock,
                          struct device_list *devices, const struct ahci_config *config,
                          struct err *err)
{
    static const struct pci_id id = {
        .vendor = 0x8086,
        .device = 0x2922,
        .subsystem_vendor = 0x5853,
        .subsystem = 0x0001,
        .class_code = 0x010601, /* SATA, AHCI */
        .revision = 0x02,
        .interrupt_pin = 1,
    };
    struct ahci *a = allocate();

    if (!a) {
        err_set(err, "AHCI: out of memory");
        return NULL;
    }
    a->tray_moved = config->tray_moved;
    a->opaque = config->opaque;
    for (unsigned i = 0; i < AHCI_PORTS; i++) {
        if (!port_init(a, i, dma, clock, &config->drive[i], err)) {
            free(a->memory);
            return NULL;
        }
    }
    if (!pci_device_init(&a->pci, pci, config->devfn, &id, err)) {
        free(a->memory);
        return NULL;
    }
    set_config_space(a);
    pci_device_realized(&a->pci);
    device_add(devices, &a->pci.device, &ahci_class, "0");
    return a;
}

/* --- Media and plugs --- */

static struct ide_drive *cdrom(const struct ahci *ahci, unsigned port)
{
    struct ide_drive *d =
        port < AHCI_PORTS ? (struct ide_drive *)&ahci->port[port].ch.drive[0] : NULL;
    return d && d->kind == IDE_CDROM ? d : NULL;
}

struct block *ahci_drive_block(struct ahci *ahci, unsigned port)
{
    return port < AHCI_PORTS ? ahci->port[port].ch.drive[0].block : NULL;
}

struct block *ahci_drive_set_medium(struct ahci *ahci, unsigned port, struct block *block)
{
    return cdrom(ahci, port) ? ide_change_medium(&ahci->port[port].ch, 0, block) : NULL;
}

bool ahci_tray_eject(struct ahci *ahci, unsigned port, bool force)
{
    struct ide_drive *d = cdrom(ahci, port);
    return d && atapi_eject_button(d, force);
}

bool ahci_tray_locked(const struct ahci *ahci, unsigned port)
{
    const struct ide_drive *d = cdrom(ahci, port);
    return d && d->atapi.locked;
}

bool ahci_tray_open(const struct ahci *ahci, unsigned port)
{
    const struct ide_drive *d = cdrom(ahci, port);
    return d && d->atapi.tray_open;
}

void ahci_unplug_disks(struct ahci *ahci)
{
    for (unsigned i = 0; i < AHCI_PORTS; i++) {
        struct ahci_port *p = &ahci->port[i];
        if (p->ch.drive[0].kind == IDE_DISK) {
            ahci_port_abandon(p);
            drain(p);
            p->serr |= AHCI_SERR_N;
            ide_unplug(&p->ch, 0);
        }
    }
}
