/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rig: a machine's doors without a machine: RAM, bus, DMA, PCI, a stepped clock and recorded
 * interrupt lines. */
#ifndef TESTS_DEVICE_RIG_H
#define TESTS_DEVICE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "hw/core/bus.h"
#include "hw/core/clock.h"
#include "hw/core/device.h"
#include "hw/core/dma.h"
#include "hw/core/irq.h"
#include "hw/pc/pci.h"
#include "hw/xen/hypervisor.h"
#include "tests/fake/hypervisor.h"

#define RIG_RAM (4u << 20)

struct rig {
    struct hypervisor
        *hv; /* the fake: hv->ram, hv->isa[], hv->intx[][], … (tests/fake/hypervisor.h) */
    struct bus *bus;
    struct dma *dma;
    struct pci_bus *pci;
    struct clock clock; /* starts at 0, moves only by rig_step */
    struct device_list devices;
    uint64_t now;
};

/* RIG_RAM bytes of RAM at 0. Fails the test if it can't. */
struct rig *rig_new(void);

/* Destroys the devices in the list and everything else. */
void rig_free(struct rig *rig);

/* Moves the clock by ns; every timer runs at its own deadline. */
void rig_step(struct rig *rig, uint64_t ns);

/* Connects a chip's irq output to fake ISA line n (level in rig->hv->isa[n], edges counted in
 * isa_raised[n]). */
void rig_isa_irq(struct rig *rig, struct irq *irq, unsigned n);

uint8_t rig_inb(struct rig *rig, uint16_t port);
uint16_t rig_inw(struct rig *rig, uint16_t port);
uint32_t rig_inl(struct rig *rig, uint16_t port);
void rig_outb(struct rig *rig, uint16_t port, uint8_t v);
void rig_outw(struct rig *rig, uint16_t port, uint16_t v);
void rig_outl(struct rig *rig, uint16_t port, uint32_t v);

/* PCI configuration of slot.fn. */
uint32_t rig_pci_read(struct rig *rig, unsigned slot, unsigned fn, unsigned reg, unsigned width);
void rig_pci_write(struct rig *rig, unsigned slot, unsigned fn, unsigned reg, unsigned width,
                   uint32_t v);

/* Guest memory accesses as the CPU makes them (MMIO if a device is there, else fake RAM). */
uint64_t rig_mem_read(struct rig *rig, uint64_t addr, unsigned width);
void rig_mem_write(struct rig *rig, uint64_t addr, unsigned width, uint64_t v);

/*
 * The standard tests of every device: reset/save/load/save equality; a bit flipped in a saved field
 * makes either a refusal or a different state; truncated state refused; quiesce and resume twice
 * are harmless. Asserts by cmocka.
 */
void rig_standard_tests(struct rig *rig, struct device *d);

/* How many bytes of a part of the device, where all should be in its saved state, are not put there
 * by loading it: holes between members, and whatever was forgotten. */
size_t rig_not_loaded(struct device *d, void *part, size_t bytes);

#endif
