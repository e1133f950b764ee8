/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pci: see pci.h. PCI Local Bus Specification 3.0: 6.1 configuration space, 6.2.2 command
 * register, 6.2.5 base addresses, 6.2.5.2 expansion ROM, 6.8.1 MSI.
 */
#include "hw/pc/pci.h"

#include <stdlib.h>
#include <string.h>

#include "hw/core/log.h"
#include "hw/xen/hypervisor.h"

#define REG_COMMAND         0x04
#define REG_STATUS          0x06
#define REG_BAR0            0x10
#define REG_SUBSYSTEM       0x2C
#define REG_CAPABILITIES    0x34
#define REG_ROM             0x30
#define REG_LINE            0x3C
#define REG_PIN             0x3D
#define COMMAND_IO          0x0001
#define COMMAND_MEMORY      0x0002
#define COMMAND_MASTER      0x0004
#define COMMAND_INTX_OFF    0x0400
#define STATUS_INTERRUPT    0x08 /* in the low byte of the status register */
#define STATUS_CAPABILITIES 0x10
#define BAR_IO              0x1
#define BAR_64              0x4
#define BAR_PREFETCHABLE    0x8
#define ROM_ENABLE          0x1
#define ADDRESS_END         (UINT64_C(1) << 48) /* no CPU addresses more */

struct pci_bus {
    struct bus *bus;
    struct hypervisor *hv;
    struct pci_device *devices[256];
    bool in_use; /* the guest has written */
};

const struct state_field pci_state[] = {
    STATE_ARRAY(struct pci_device, config),
    STATE_BOOL(struct pci_device, intx.level),
    STATE_FIELDS_END,
};

static unsigned bar_register(unsigned n)
{
    return n == PCI_BAR_ROM ? REG_ROM : REG_BAR0 + 4 * n;
}

/* Where the configuration space says BAR n is to be, or PCI_UNMAPPED. */
static uint64_t bar_address(const struct pci_device *d, unsigned n)
{
    const struct pci_bar *bar = &d->bars[n];
    uint16_t command = d->hidden ? 0 : pci_get16(d->config + REG_COMMAND);
    uint32_t value = pci_get32(d->config + bar_register(n));
    if (bar->kind == PCI_BAR_PORT) {
        uint32_t at = value & ~0x3u & ~(uint32_t)(bar->size - 1);
        /* Address 0 is what an unprogrammed BAR says; ports past 64 KiB do not exist on a PC. */
        if (!(command & COMMAND_IO) || !at || at + bar->size > 0x10000)
            return PCI_UNMAPPED;
        return at;
    }
    if (!(command & COMMAND_MEMORY))
        return PCI_UNMAPPED;
    if (n == PCI_BAR_ROM && !(value & ROM_ENABLE))
        return PCI_UNMAPPED;
    uint64_t at = value & ~(uint32_t)(bar->size - 1) & ~0xFu;
    /* While it is being sized a BAR reads as all ones: it must not be mapped at the top of the
     * address space. */
    if (at + bar->size > 0xFFFFFFFFu)
        return PCI_UNMAPPED;
    if (bar->wide)
        at |= (uint64_t)pci_get32(d->config + bar_register(n + 1)) << 32;
    return at && at < ADDRESS_END ? at : PCI_UNMAPPED;
}

static void update_bar(struct pci_device *d, unsigned n)
{
    struct pci_bar *bar = &d->bars[n];
    if (bar->kind == PCI_BAR_NONE)
        return;
    uint64_t where = bar_address(d, n);
    if (where == bar->where)
        return;
    bar->where = where;
    if (bar->kind == PCI_BAR_RAM) {
        bar->moved(d, where);
        return;
    }
    bus_unmap(d->bus->bus, &bar->region);
    if (where == PCI_UNMAPPED)
        return;
    struct err err;
    enum io_space space = bar->kind == PCI_BAR_PORT ? IO_PORT : IO_MEMORY;
    if (!bus_map(d->bus->bus, &bar->region, space, where, bar->size, &err)) {
        /* The guest put it over something else: on a real bus both would answer; here the first
         * keeps the range, and the loser is tried again at the next change. */
        bar->where = PCI_UNMAPPED;
        guest_error("pci", "%s", err.text);
    }
}

static void update_bars(struct pci_device *d)
{
    for (unsigned n = 0; n < PCI_BAR_COUNT; n++)
        update_bar(d, n);
}

static void intx_output(void *opaque, unsigned line, bool level)
{
    struct pci_device *d = opaque;
    if (d->bus->hv && !d->hidden)
        hv_pci_intx(d->bus->hv, d->devfn >> 3, (uint8_t)line, level);
}

static uint64_t config_read(void *opaque, uint64_t offset, unsigned width)
{
    struct pci_bus *pci = opaque;
    const struct pci_device *d = pci->devices[offset >> 8 & 0xFF];
    unsigned reg = offset & 0xFF;
    if (!d || reg + width > PCI_CONFIG_SIZE)
        return UINT64_MAX;
    uint64_t v = 0;
    memcpy(&v, d->config + reg, width);
    return v;
}

static void config_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct pci_bus *pci = opaque;
    struct pci_device *d = pci->devices[offset >> 8 & 0xFF];
    unsigned reg = offset & 0xFF;
    if (!d || reg + width > PCI_CONFIG_SIZE)
        return;
    pci->in_use = true;
    for (unsigned i = 0; i < width; i++) {
        uint8_t v = (uint8_t)(value >> (8 * i)), *c = &d->config[reg + i];
        *c = (uint8_t)((*c & ~d->writable[reg + i]) | (v & d->writable[reg + i]));
        *c &= (uint8_t) ~(v & d->clearable[reg + i]);
    }
    bool command = reg <= REG_COMMAND + 1 && reg + width > REG_COMMAND;
    bool bars = reg < REG_BAR0 + 24 && reg + width > REG_BAR0;
    bool rom = reg < REG_ROM + 4 && reg + width > REG_ROM;
    if (command || bars || rom)
        update_bars(d);
    if (command)
        irq_set(&d->intx, (d->config[REG_STATUS] & STATUS_INTERRUPT) &&
                              !(pci_get16(d->config + REG_COMMAND) & COMMAND_INTX_OFF));
    if (d->config_written)
        d->config_written(d, reg, width);
}

static const struct io_ops config_ops = {
    .widths = 1 | 2 | 4,
    .read = config_read,
    .write = config_write,
};

struct pci_bus *pci_bus_new(struct bus *bus, struct hypervisor *hv)
{
    struct pci_bus *pci = calloc(1, sizeof(*pci));
    if (!pci)
        return NULL;
    pci->bus = bus;
    pci->hv = hv;
    bus_set_pci_config(bus, &config_ops, pci);
    return pci;
}

void pci_bus_free(struct pci_bus *pci)
{
    free(pci);
}

bool pci_device_init(struct pci_device *d, struct pci_bus *pci, uint8_t devfn,
                     const struct pci_id *id, struct err *err)
{
    if (pci->devices[devfn])
        return err_set(err, "PCI address %02x.%x is taken", devfn >> 3, devfn & 7);
    if (!bus_claim_pci(pci->bus, devfn, true, err))
        return false;
    d->bus = pci;
    d->devfn = devfn;
    memset(d->config, 0, sizeof(d->config));
    memset(d->writable, 0, sizeof(d->writable));
    memset(d->clearable, 0, sizeof(d->clearable));
    memset(d->volatile_bits, 0, sizeof(d->volatile_bits));
    d->volatile_bits[REG_STATUS] = STATUS_INTERRUPT;
    pci_set16(d->config, id->vendor);
    pci_set16(d->config + 2, id->device);
    d->config[8] = id->revision;
    d->config[9] = (uint8_t)id->class_code;
    d->config[10] = (uint8_t)(id->class_code >> 8);
    d->config[11] = (uint8_t)(id->class_code >> 16);
    d->config[14] = id->header_type;
    pci_set16(d->config + REG_SUBSYSTEM, id->subsystem_vendor);
    pci_set16(d->config + REG_SUBSYSTEM + 2, id->subsystem);
    d->config[REG_PIN] = id->interrupt_pin;
    /* I/O, memory, bus master; parity and SERR enables; INTx disable (6.2.2). Which decode bits
     * mean anything depends on the BARs, but they can be set on every function, as on the stock
     * machine. */
    pci_set16(d->writable + REG_COMMAND, 0x0007 | 0x0040 | 0x0100 | COMMAND_INTX_OFF);
    d->clearable[REG_STATUS + 1] = 0xF9;
    d->writable[0x0C] = 0xFF; /* cache line size */
    d->writable[REG_LINE] = 0xFF;
    irq_init(&d->intx, intx_output, d, id->interrupt_pin ? id->interrupt_pin - 1u : 0);
    for (unsigned n = 0; n < PCI_BAR_COUNT; n++)
        d->bars[n].where = PCI_UNMAPPED;
    pci->devices[devfn] = d;
    return true;
}

static void set_bar_register(struct pci_device *d, unsigned n, uint32_t low_bits, uint32_t mask)
{
    unsigned reg = bar_register(n);
    pci_set32(d->config + reg, low_bits);
    pci_set32(d->writable + reg, mask);
}

void pci_add_bar(struct pci_device *d, unsigned n, enum pci_bar_kind kind, uint64_t size,
                 bool prefetchable, const char *name, const struct io_ops *ops, void *opaque)
{
    struct pci_bar *bar = &d->bars[n];
    bar->kind = kind;
    bar->size = size;
    io_region_init(&bar->region, name, ops, opaque);
    if (kind == PCI_BAR_PORT)
        set_bar_register(d, n, BAR_IO, ~(uint32_t)(size - 1) & ~0x3u);
    else
        set_bar_register(d, n, prefetchable ? BAR_PREFETCHABLE : 0, ~(uint32_t)(size - 1) & ~0xFu);
}

void pci_bar_64(struct pci_device *d, unsigned n)
{
    d->bars[n].wide = true;
    d->config[bar_register(n)] |= BAR_64;
    pci_set32(d->writable + bar_register(n + 1), UINT32_MAX);
}

void pci_add_ram_bar(struct pci_device *d, unsigned n, uint64_t size,
                     void (*moved)(struct pci_device *d, uint64_t where))
{
    struct pci_bar *bar = &d->bars[n];
    bar->kind = PCI_BAR_RAM;
    bar->size = size;
    bar->moved = moved;
    set_bar_register(d, n, BAR_PREFETCHABLE, ~(uint32_t)(size - 1) & ~0xFu);
}

static uint64_t rom_read(void *opaque, uint64_t offset, unsigned width)
{
    const struct pci_device *d = opaque;
    uint64_t v = 0;
    for (unsigned i = 0; i < width; i++)
        if (offset + i < d->rom_len)
            v |= (uint64_t)d->rom[offset + i] << (8 * i);
    return v;
}

static uint32_t rom_read_run(void *opaque, uint64_t offset, unsigned width, void *buf,
                             uint32_t count)
{
    const struct pci_device *d = opaque;
    size_t len = (size_t)width * count, have = 0;
    if (offset < d->rom_len)
        have = d->rom_len - offset < len ? (size_t)(d->rom_len - offset) : len;
    memcpy(buf, d->rom + offset, have);
    memset((uint8_t *)buf + have, 0, len - have);
    return count;
}

static const struct io_ops rom_ops = {
    .widths = 1 | 2 | 4 | 8,
    .read = rom_read,
    .read_run = rom_read_run,
};

void pci_add_rom(struct pci_device *d, const char *name, const uint8_t *image, uint32_t len)
{
    uint64_t size = 2048; /* 6.2.5.2: the smallest ROM BAR has 21 address bits writable: 2 KiB */
    while (size < len)
        size *= 2;
    struct pci_bar *bar = &d->bars[PCI_BAR_ROM];
    bar->kind = PCI_BAR_MEMORY;
    bar->size = size;
    d->rom = image;
    d->rom_len = len;
    io_region_init(&bar->region, name, &rom_ops, d);
    set_bar_register(d, PCI_BAR_ROM, 0, (~(uint32_t)(size - 1) & ~0x7FFu) | ROM_ENABLE);
}

void pci_device_realized(struct pci_device *d)
{
    memcpy(d->reset_config, d->config, sizeof(d->config));
}

void pci_device_reset(struct pci_device *d)
{
    memcpy(d->config, d->reset_config, sizeof(d->config));
    update_bars(d);
    irq_set(&d->intx, false);
}

void pci_device_loaded(struct pci_device *d)
{
    /* Saved state is untrusted: what the guest could not have written keeps this configuration's
     * value. The interrupt status bit follows the chip's own state. */
    for (unsigned i = 0; i < PCI_CONFIG_SIZE; i++) {
        uint8_t kept = (uint8_t) ~(d->writable[i] | d->clearable[i] | d->volatile_bits[i]);
        d->config[i] = (uint8_t)((d->config[i] & ~kept) | (d->reset_config[i] & kept));
    }
    d->bus->in_use = true;
    update_bars(d);
    irq_push(&d->intx);
}

static void leave_bus(struct pci_device *d)
{
    bus_claim_pci(d->bus->bus, d->devfn, false, NULL);
    d->bus->devices[d->devfn] = NULL;
}

void pci_device_destroy(struct pci_device *d)
{
    if (!d->bus)
        return;
    irq_set(&d->intx, false);
    for (unsigned n = 0; n < PCI_BAR_COUNT; n++)
        if (d->bars[n].kind == PCI_BAR_PORT || d->bars[n].kind == PCI_BAR_MEMORY)
            bus_unmap(d->bus->bus, &d->bars[n].region);
    if (!d->hidden)
        leave_bus(d);
    d->bus = NULL;
}

void pci_device_hide(struct pci_device *d)
{
    if (d->hidden)
        return;
    irq_set(&d->intx, false);
    leave_bus(d);
    d->hidden = true;
    update_bars(d);
}

void pci_set_intx(struct pci_device *d, bool level)
{
    if (level)
        d->config[REG_STATUS] |= STATUS_INTERRUPT;
    else
        d->config[REG_STATUS] &= (uint8_t)~STATUS_INTERRUPT;
    irq_set(&d->intx, level && !(pci_get16(d->config + REG_COMMAND) & COMMAND_INTX_OFF));
}

/* Offsets in the MSI capability with a 64-bit address */
enum { MSI_ID = 0x05, MSI_CONTROL = 2, MSI_ADDRESS = 4, MSI_DATA = 12 };
#define MSI_ENABLE  0x01
#define MSI_64_BITS 0x80

void pci_add_msi(struct pci_device *d, uint8_t at, uint8_t next)
{
    uint8_t *c = d->config + at, *w = d->writable + at;
    d->msi = at;
    d->config[REG_CAPABILITIES] = at;
    d->config[REG_STATUS] |= STATUS_CAPABILITIES;
    c[0] = MSI_ID;
    c[1] = next;
    c[MSI_CONTROL] = MSI_64_BITS;
    w[MSI_CONTROL] = MSI_ENABLE;
    pci_set32(w + MSI_ADDRESS, 0xFFFFFFFC);
    pci_set32(w + MSI_ADDRESS + 4, 0xFFFFFFFF);
    pci_set16(w + MSI_DATA, 0xFFFF);
}

bool pci_msi_enabled(const struct pci_device *d)
{
    return d->msi && (d->config[d->msi + MSI_CONTROL] & MSI_ENABLE);
}

void pci_msi_send(struct pci_device *d)
{
    const uint8_t *c = d->config + d->msi;
    if (d->hidden || !pci_msi_enabled(d) ||
        !(pci_get16(d->config + REG_COMMAND) & COMMAND_MASTER) || !d->bus->hv)
        return;
    hv_msi(d->bus->hv, pci_get32(c + MSI_ADDRESS) | (uint64_t)pci_get32(c + MSI_ADDRESS + 4) << 32,
           pci_get16(c + MSI_DATA));
}

bool pci_bus_in_use(const struct pci_bus *pci)
{
    return pci->in_use;
}

struct pci_device *pci_device_at(struct pci_bus *pci, uint8_t devfn)
{
    return pci->devices[devfn];
}
