/* SPDX-License-Identifier: GPL-2.0-or-later */
/* platform: see platform.h. */
#include "hw/pc/platform.h"

#include <stdlib.h>

#include "hw/core/log.h"

#define PORT_BASE        0x10
#define MAGIC            0x49D2
#define PROTOCOL_VERSION 1
#define LOG_LINE         128
#define BAR_PORTS        0x100
#define BAR_MEMORY       (16u << 20)

struct platform {
    struct pci_device pci;
    struct bus *bus;
    struct platform_config config;
    struct io_region ports;
    uint8_t flags;     /* bit 0: option ROM area read-only; kept for the guest, of no effect under
                          SeaBIOS */
    uint8_t unplugged; /* of the PLATFORM_UNPLUG bits, those without a place of their own in the
                          state: the network cards' */
    uint16_t product;
    uint32_t build;
    uint8_t line_len;
    char line[LOG_LINE]; /* log text up to the next line end; not worth saving */
};

static const struct state_field fields[] = {
    STATE_PCI(struct platform),
    STATE_LIMIT(struct platform, flags, 1),
    STATE_UINT(struct platform, product),
    STATE_UINT(struct platform, build),
    STATE_LIMIT(struct platform, unplugged, PLATFORM_UNPLUG_NICS, .keep_on_reset = true,
                .since = 2),
    STATE_FIELDS_END,
};

static void log_byte(struct platform *p, uint8_t c)
{
    if (c != '\n' && p->line_len < LOG_LINE - 1) {
        p->line[p->line_len++] = (char)c;
        return;
    }
    p->line[p->line_len] = 0;
    if (p->line_len)
        guest_error("platform log", "%s", p->line);
    p->line_len = 0;
}

static void unplug(struct platform *p, unsigned mask)
{
    p->unplugged |= mask & PLATFORM_UNPLUG_NICS;
    p->config.unplug(p->config.opaque, mask);
}

static uint64_t port_read(void *opaque, uint64_t offset, unsigned width)
{
    const struct platform *p = opaque;
    if (offset == 0 && width == 2)
        return p->config.unplug ? MAGIC : UINT64_MAX;
    if (offset == 0 && width == 1)
        return p->flags;
    if (offset == 2 && width == 1)
        return p->config.unplug ? PROTOCOL_VERSION : UINT64_MAX;
    return UINT64_MAX;
}

static void port_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct platform *p = opaque;
    if (offset == 0 && width == 1)
        p->flags = value & 1;
    else if (offset == 0 && width == 2 && p->config.unplug)
        unplug(p, (unsigned)value & 0xFFFF);
    else if (offset == 0 && width == 4)
        p->build = (uint32_t)value;
    else if (offset == 2 && width == 1)
        log_byte(p, (uint8_t)value);
    else if (offset == 2 && width == 2)
        p->product = (uint16_t)value;
}

/* BAR 0: the flags byte, and the unplug requests of drivers older than the protocol. */
static uint64_t bar_read(void *opaque, uint64_t offset, unsigned width)
{
    const struct platform *p = opaque;
    (void)width;
    return offset == 0 ? p->flags : UINT64_MAX;
}

static void bar_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct platform *p = opaque;
    (void)width;
    if (offset == 0)
        p->flags = value & 1;
    else if (offset == 4 && value == 1 && p->config.unplug)
        unplug(p, PLATFORM_UNPLUG_DISKS | PLATFORM_UNPLUG_NICS);
    else if (offset == 8 && p->config.unplug)
        unplug(p, value == 1 ? PLATFORM_UNPLUG_DISKS : value == 2 ? PLATFORM_UNPLUG_NICS : 0);
}

/*
 * BAR 1: address space in which the guest has Xen place its grant table and the like. What it has
 * not placed anything over is nobody's: all ones, writes vanish.
 */
static const struct io_ops memory_ops = {.widths = 1 | 2 | 4 | 8};
static const struct io_ops port_ops = {.widths = 1 | 2 | 4, .read = port_read, .write = port_write};
static const struct io_ops bar_ops = {.widths = 1, .read = bar_read, .write = bar_write};

static void reset(struct device *d)
{
    struct platform *p = (struct platform *)d;
    p->line_len = 0;
    pci_device_reset(&p->pci);
}

static bool post_load(struct device *d, struct err *err)
{
    struct platform *p = (struct platform *)d;
    (void)err;
    pci_device_loaded(&p->pci);
    p->unplugged &= PLATFORM_UNPLUG_NICS;
    if (p->unplugged && p->config.unplug) /* before the cards' own records are loaded */
        p->config.unplug(p->config.opaque, p->unplugged);
    return true;
}

static void destroy(struct device *d)
{
    struct platform *p = (struct platform *)d;
    bus_unmap(p->bus, &p->ports);
    pci_device_destroy(&p->pci);
    free(p);
}

static const struct device_class class = {
    .name = "platform",
    .version = 2,
    .state = fields,
    .reset = reset,
    .post_load = post_load,
    .destroy = destroy,
};

struct pci_device *platform_realize(struct pci_bus *pci, struct bus *bus,
                                    struct device_list *devices,
                                    const struct platform_config *config, struct err *err)
{
    static const struct pci_id id = {
        .vendor = 0x5853,
        .device = 0x0001,
        .subsystem_vendor = 0x5853,
        .subsystem = 0x0001,
        .class_code = 0xFF8000,
        .revision = 0x01,
        .interrupt_pin = 1,
    };
    struct platform *p = calloc(1, sizeof(*p));
    if (!p) {
        err_set(err, "out of memory");
        return NULL;
    }
    p->bus = bus;
    p->config = *config;
    if (!pci_device_init(&p->pci, pci, config->devfn, &id, err)) {
        free(p);
        return NULL;
    }
    io_region_init(&p->ports, "platform ports", &port_ops, p);
    if (!bus_map(bus, &p->ports, IO_PORT, PORT_BASE, 4, err)) {
        pci_device_destroy(&p->pci);
        free(p);
        return NULL;
    }
    pci_add_bar(&p->pci, 0, PCI_BAR_PORT, BAR_PORTS, false, "platform BAR 0", &bar_ops, p);
    pci_add_bar(&p->pci, 1, PCI_BAR_MEMORY, BAR_MEMORY, true, "platform BAR 1", &memory_ops, p);
    /* Guests use its ports and memory without enabling them first. */
    pci_set16(p->pci.config + 0x04, 0x0003);
    pci_device_realized(&p->pci);
    device_add(devices, &p->pci.device, &class, "0");
    return &p->pci;
}
