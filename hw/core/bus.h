/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bus: which device answers at which port or guest-physical address. A registration is recorded
 * here and told to the hypervisor in the same call, so that the two tables cannot drift; overlap is
 * an error.
 */
#ifndef HW_CORE_BUS_H
#define HW_CORE_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/core/err.h"

struct bus;
struct hypervisor;

/*
 * What a device does at its addresses. `offset` counts from the start of the region; `width` is 1,
 * 2, 4 or 8 bytes; values are little-endian as the guest's CPU has them in a register (upper bits
 * of a read are ignored). An access wider than the widest in `widths`, or one that crosses the
 * region's end, is split into narrower ones in ascending order (so a word access to two byte
 * registers reaches both). One narrower than the narrowest: a read gives the bytes of the
 * containing unit, a write is dropped.
 *
 * The optional run handlers take a whole `rep` string access at once and return how many units they
 * did (the bus does the rest one by one; 0 is allowed). `buf` holds `count` units of `width` bytes,
 * packed.
 *  - ports: all units go to the same offset (rep ins/outs);
 *  - memory: consecutive addresses upward from offset (rep movs/stos with DF clear).
 */
struct io_ops {
    uint8_t widths; /* sum of the widths taken: 1, 2, 4, 8 */
    uint64_t (*read)(void *opaque, uint64_t offset, unsigned width);
    void (*write)(void *opaque, uint64_t offset, unsigned width, uint64_t value);
    uint32_t (*read_run)(void *opaque, uint64_t offset, unsigned width, void *buf, uint32_t count);
    uint32_t (*write_run)(void *opaque, uint64_t offset, unsigned width, const void *buf,
                          uint32_t count);
};

enum io_space { IO_PORT, IO_MEMORY };

/* One registration. Embedded by the device, which keeps it alive while mapped. */
struct io_region {
    const char *name;
    const struct io_ops *ops;
    void *opaque;
    enum io_space space;
    uint64_t first;
    uint64_t size;
    bool mapped;
    uint8_t port_index; /* the bus's */
};

/* hv may be NULL (tests of the bus alone): nothing is then told to a hypervisor. */
struct bus *bus_new(struct hypervisor *hv);
void bus_free(struct bus *bus);

void io_region_init(struct io_region *region, const char *name, const struct io_ops *ops,
                    void *opaque);

/*
 * Makes the region answer at first..first+size-1 and claims the range in the hypervisor. Fails on
 * overlap with another region, on an empty or wrapping range, past port 0xFFFF, and when the
 * hypervisor refuses; the region is then unmapped.
 */
bool bus_map(struct bus *bus, struct io_region *region, enum io_space space, uint64_t first,
             uint64_t size, struct err *err);

/* Takes the region off the bus and gives the range back; nothing happens if it is not mapped. */
void bus_unmap(struct bus *bus, struct io_region *region);

/* The index-th region that is mapped, counted from 0, ports before memory; NULL behind the last.
 * For people: a list, not a way to devices. */
const struct io_region *bus_region(const struct bus *bus, size_t index);

/* The handler of all PCI configuration accesses: offset = devfn << 8 | register, widths 1, 2 and 4.
 */
void bus_set_pci_config(struct bus *bus, const struct io_ops *ops, void *opaque);

/* Claims (or gives back) the configuration space of 00:devfn in the hypervisor. */
bool bus_claim_pci(struct bus *bus, uint8_t devfn, bool claim, struct err *err);

/* The accesses of the guest. Any argument is safe; width 1, 2, 4 or 8 (ports and configuration
 * space: up to 4), others read all ones and write nothing. Unclaimed bytes read as all ones and
 * swallow writes. */
uint32_t bus_port_read(struct bus *bus, uint32_t port, unsigned width);
void bus_port_write(struct bus *bus, uint32_t port, unsigned width, uint32_t value);
uint64_t bus_mem_read(struct bus *bus, uint64_t addr, unsigned width);
void bus_mem_write(struct bus *bus, uint64_t addr, unsigned width, uint64_t value);
uint32_t bus_pci_read(struct bus *bus, uint8_t devfn, unsigned reg, unsigned width);
void bus_pci_write(struct bus *bus, uint8_t devfn, unsigned reg, unsigned width, uint32_t value);

/* String accesses of `count` units between the device and buf; same port each time, or ascending
 * memory. */
void bus_port_read_run(struct bus *bus, uint32_t port, unsigned width, void *buf, uint32_t count);
void bus_port_write_run(struct bus *bus, uint32_t port, unsigned width, const void *buf,
                        uint32_t count);
void bus_mem_read_run(struct bus *bus, uint64_t addr, unsigned width, void *buf, uint32_t count);
void bus_mem_write_run(struct bus *bus, uint64_t addr, unsigned width, const void *buf,
                       uint32_t count);

#endif
