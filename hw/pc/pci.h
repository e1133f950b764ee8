/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pci: the one PCI bus of the machine: configuration spaces, BARs that come and go with the command
 * register, INTx. PCI Local Bus Specification 3.0, chapter 6.
 */
#ifndef HW_PC_PCI_H
#define HW_PC_PCI_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/core/bus.h"
#include "hw/core/device.h"
#include "hw/core/irq.h"

struct pci_bus;
struct pci_device;
struct hypervisor;

#define PCI_DEVFN(slot, fn) ((uint8_t)((slot) << 3 | (fn)))
#define PCI_CONFIG_SIZE     256
#define PCI_BAR_COUNT       7 /* 0..5 and the expansion ROM */
#define PCI_BAR_ROM         6
#define PCI_UNMAPPED        UINT64_MAX

enum pci_bar_kind {
    PCI_BAR_NONE,
    PCI_BAR_PORT,   /* I/O space, handled by io_ops */
    PCI_BAR_MEMORY, /* memory space, handled by io_ops */
    PCI_BAR_RAM,    /* memory space, prefetchable, guest RAM that moves: `moved` is told */
};

struct pci_bar {
    enum pci_bar_kind kind;
    uint64_t size;
    uint64_t where; /* where it is mapped now, or PCI_UNMAPPED */
    bool wide;      /* 64 bits: the next BAR's register is its upper half */
    struct io_region region;
    void (*moved)(struct pci_device *d, uint64_t where);
};

/* Constant part of a function's configuration space. */
struct pci_id {
    uint16_t vendor, device, subsystem_vendor, subsystem;
    uint32_t class_code; /* 24 bits: class, subclass, programming interface */
    uint8_t revision;
    uint8_t header_type;   /* 0x80: multifunction */
    uint8_t interrupt_pin; /* 0 none, 1..4 = INTA..INTD */
};

/* Embedded by a PCI chip as its FIRST member. */
struct pci_device {
    struct device device;
    struct pci_bus *bus;
    uint8_t devfn;
    uint8_t config[PCI_CONFIG_SIZE];
    uint8_t writable[PCI_CONFIG_SIZE];     /* bits the guest may write */
    uint8_t clearable[PCI_CONFIG_SIZE];    /* bits written as 1 that become 0 */
    uint8_t reset_config[PCI_CONFIG_SIZE]; /* values after reset: taken by pci_device_realized */
    struct pci_bar bars[PCI_BAR_COUNT];
    uint8_t volatile_bits[PCI_CONFIG_SIZE]; /* bits only the chip changes; saved, not constant */
    const uint8_t *rom;
    uint32_t rom_len;
    bool hidden; /* pci_device_hide */
    uint8_t msi; /* where its MSI capability is; 0: it has none */
    struct irq intx;
    /* After a write to configuration bytes reg..reg+width-1 has been stored. May be NULL. */
    void (*config_written)(struct pci_device *d, unsigned reg, unsigned width);
};

/* A struct state_field to put first into the table of a PCI chip: its configuration space. */
extern const struct state_field pci_state[];
#define STATE_PCI(type) STATE_STRUCT(type, pci, pci_state, .keep_on_reset = true)

struct pci_bus *pci_bus_new(struct bus *bus, struct hypervisor *hv);
void pci_bus_free(struct pci_bus *pci);

/* Puts a function at devfn and claims its configuration space; the chip then adds BARs and sets
 * further bytes in config[] and writable[]. Fails when the place is taken. */
bool pci_device_init(struct pci_device *d, struct pci_bus *pci, uint8_t devfn,
                     const struct pci_id *id, struct err *err);

/* Adds BAR n (0..5) of `size` bytes (a power of two; ports: 4..256 or 64 KiB max, memory: >= 16).
 * PORT and MEMORY are mapped and unmapped on the bus by the core as BAR and command register
 * change. */
void pci_add_bar(struct pci_device *d, unsigned n, enum pci_bar_kind kind, uint64_t size,
                 bool prefetchable, const char *name, const struct io_ops *ops, void *opaque);
/* Makes memory BAR n (0..4), just added, one of 64 bits; BAR n+1 must not be added then. */
void pci_bar_64(struct pci_device *d, unsigned n);
/* A BAR of guest RAM: moved(d, where) is called when it appears, moves or (PCI_UNMAPPED) goes. */
void pci_add_ram_bar(struct pci_device *d, unsigned n, uint64_t size,
                     void (*moved)(struct pci_device *d, uint64_t where));
/* An expansion ROM served from `image` (len rounded up to a power of two, read as zeroes beyond).
 */
void pci_add_rom(struct pci_device *d, const char *name, const uint8_t *image, uint32_t len);

/* Ends realize: remembers the configuration space as its reset values. */
void pci_device_realized(struct pci_device *d);

/* To be called from the chip's reset: configuration space to its reset values, BARs unmapped, INTx
 * low. */
void pci_device_reset(struct pci_device *d);

/* To be called from the chip's post_load: maps what the loaded configuration says, sends INTx's
 * level. */
void pci_device_loaded(struct pci_device *d);

/* To be called from the chip's destroy: unmaps and takes it off the bus. */
void pci_device_destroy(struct pci_device *d);

/* Takes it off the bus while it lives on: no configuration space, no BARs, no interrupts, whatever
 * the chip does or is loaded. For good. */
void pci_device_hide(struct pci_device *d);

/* Drives INTx as the interrupt pin says. */
void pci_set_intx(struct pci_device *d, bool level);

/* Adds the capability of message signalled interrupts at config[at] (24 bytes are taken): one
 * vector, 64-bit addresses. `next`: the capability behind it in the list, which starts here. */
void pci_add_msi(struct pci_device *d, uint8_t at, uint8_t next);

/* The guest has switched MSI on: the function then does not drive INTx. */
bool pci_msi_enabled(const struct pci_device *d);

/* Sends the message, if MSI is on and the function may master the bus. */
void pci_msi_send(struct pci_device *d);

/* Whether the guest has configured anything: what is added later it does not find. */
bool pci_bus_in_use(const struct pci_bus *pci);

/* For query-pci: the device at devfn, or NULL. */
struct pci_device *pci_device_at(struct pci_bus *pci, uint8_t devfn);

static inline void pci_set16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static inline void pci_set32(uint8_t *p, uint32_t v)
{
    pci_set16(p, (uint16_t)v);
    pci_set16(p + 2, (uint16_t)(v >> 16));
}

static inline uint16_t pci_get16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t pci_get32(const uint8_t *p)
{
    return pci_get16(p) | (uint32_t)pci_get16(p + 2) << 16;
}

#endif
