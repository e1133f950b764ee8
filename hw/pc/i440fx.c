/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * i440fx: see i440fx.h. Under Xen the memory controller is the hypervisor: DRAM rows, PAM and SMRAM
 * registers keep what firmware writes and steer nothing.
 */
#include "hw/pc/i440fx.h"

#include <stdlib.h>

#define REG_PAM0     0x59
#define REG_SMRAM    0x72
#define CONFADD      0xCF8
#define CONFADD_BITS 0x80FFFFFC /* the rest is reserved and reads as zero */

struct i440fx {
    struct pci_device pci;
    struct bus *bus;
    struct io_region address_region;
    const struct io_ops *behind[4];
    void *behind_opaque[4];
    uint32_t address;
};

static const struct state_field fields[] = {
    STATE_PCI(struct i440fx),
    STATE_UINT(struct i440fx, address),
    STATE_FIELDS_END,
};

/*
 * Xen keeps the latch that counts and turns accesses to 0xCFC into configuration cycles itself, but
 * passes the address register's own accesses on: operating systems find configuration mechanism 1
 * by reading back what they wrote.
 */
static uint64_t address_read(void *opaque, uint64_t offset, unsigned width)
{
    const struct i440fx *d = opaque;
    if (width == 4)
        return d->address;
    return d->behind[offset] ? d->behind[offset]->read(d->behind_opaque[offset], 0, 1) : 0xFF;
}

static void address_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct i440fx *d = opaque;
    if (width == 4)
        d->address = (uint32_t)value & CONFADD_BITS;
    else if (d->behind[offset])
        d->behind[offset]->write(d->behind_opaque[offset], 0, 1, value);
}

static const struct io_ops address_ops = {
    .widths = 1 | 4,
    .read = address_read,
    .write = address_write,
};

static void reset(struct device *d)
{
    pci_device_reset((struct pci_device *)d);
}

static bool post_load(struct device *d, struct err *err)
{
    (void)err;
    pci_device_loaded((struct pci_device *)d);
    return true;
}

static void destroy(struct device *device)
{
    struct i440fx *d = (struct i440fx *)device;
    bus_unmap(d->bus, &d->address_region);
    pci_device_destroy(&d->pci);
    free(d);
}

static const struct device_class class = {
    .name = "i440fx",
    .version = 1,
    .state = fields,
    .reset = reset,
    .post_load = post_load,
    .destroy = destroy,
};

struct i440fx *i440fx_realize(struct pci_bus *pci, struct bus *bus, struct device_list *devices,
                              struct err *err)
{
    static const struct pci_id id = {
        .vendor = 0x8086,
        .device = 0x1237,
        .subsystem_vendor = 0x5853,
        .subsystem = 0x0001,
        .class_code = 0x060000,
        .revision = 0x02,
    };
    struct i440fx *d = calloc(1, sizeof(*d));
    if (!d) {
        err_set(err, "out of memory");
        return NULL;
    }
    d->bus = bus;
    if (!pci_device_init(&d->pci, pci, PCI_DEVFN(0, 0), &id, err)) {
        free(d);
        return NULL;
    }
    io_region_init(&d->address_region, "PCI configuration address", &address_ops, d);
    if (!bus_map(bus, &d->address_region, IO_PORT, CONFADD, 4, err)) {
        pci_device_destroy(&d->pci);
        free(d);
        return NULL;
    }
    for (unsigned reg = REG_PAM0; reg < REG_PAM0 + 7; reg++) /* PAM[0:6] */
        d->pci.writable[reg] = 0x77;
    d->pci.writable[REG_PAM0] = 0x70;
    d->pci.config[REG_SMRAM] = 0x02; /* C_BASE_SEG, hardwired to A0000 */
    d->pci.writable[REG_SMRAM] = 0x78;
    pci_device_realized(&d->pci);
    device_add(devices, &d->pci.device, &class, "0");
    return d;
}

void i440fx_pass_on(struct i440fx *d, unsigned offset, const struct io_ops *ops, void *opaque)
{
    d->behind[offset & 3] = ops;
    d->behind_opaque[offset & 3] = opaque;
}
