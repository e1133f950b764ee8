/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * device: what the targets of single devices share: doors without a machine (RAM at 0, bus, DMA,
 * PCI, a stepped clock), and what happens to any device: stops, moves, states from elsewhere.
 */
#ifndef TESTS_FUZZ_DEVICE_H
#define TESTS_FUZZ_DEVICE_H

#include "hw/core/bus.h"
#include "hw/core/clock.h"
#include "hw/core/device.h"
#include "hw/core/dma.h"
#include "hw/pc/pci.h"
#include "tests/fake/hypervisor.h"
#include "tests/fuzz/fuzz.h"

struct fuzz_device {
    struct fuzz_input in;
    uint64_t now;
    struct clock clock;
    struct hypervisor *hv;
    struct bus *bus;
    struct dma *dma;
    struct pci_bus *pci;
    struct device_list devices;
};

static inline uint64_t fuzz_clock(const struct clock *clock)
{
    return ((const struct fuzz_device *)(const void *)((const char *)clock -
                                                       offsetof(struct fuzz_device, clock)))
        ->now;
}

static inline void fuzz_open(struct fuzz_device *z, const uint8_t *input, size_t size, size_t ram)
{
    memset(z, 0, sizeof(*z));
    z->in = (struct fuzz_input){input, size};
    z->hv = fake_hypervisor_new(ram);
    z->dma = dma_new(z->hv);
    z->bus = bus_new(z->hv);
    z->pci = pci_bus_new(z->bus, z->hv);
    clock_init(&z->clock, fuzz_clock);
}

/* Destroys the devices too, and finds what they forgot. */
static inline void fuzz_close(struct fuzz_device *z)
{
    devices_destroy(&z->devices);
    fuzz_assert(z->hv->maps == 0 && z->hv->claim_count == 0);
    pci_bus_free(z->pci);
    dma_free(z->dma);
    bus_free(z->bus);
    clock_destroy(&z->clock);
    fake_hypervisor_free(z->hv);
}

/* The input's next 0 to 4 bytes. */
static inline uint32_t fuzz_next(struct fuzz_device *z, unsigned bytes)
{
    return (uint32_t)fuzz_take(&z->in, bytes);
}

/* Time goes on; `timers` of them run at most. */
static inline void fuzz_step(struct fuzz_device *z, uint64_t ns, unsigned timers)
{
    const uint64_t until = z->now + ns;
    for (; clock_deadline(&z->clock) <= until && timers; timers--) {
        if (clock_deadline(&z->clock) > z->now)
            z->now = clock_deadline(&z->clock);
        clock_run(&z->clock, z->now);
    }
    z->now = until;
}

/* Into guest memory, wherever `at` is. */
static inline void fuzz_put32(struct fuzz_device *z, uint32_t at, uint32_t v)
{
    memcpy(z->hv->ram + at % (z->hv->ram_bytes - 4), &v, 4);
}

/* A stop; what is saved is taken back and is the same; `other`: by devices after a reset. */
static inline void fuzz_stop_and_move(struct fuzz_device *z, bool other)
{
    static struct err err;
    uint8_t *stream, *again;
    size_t len, again_len;
    devices_quiesce(&z->devices);
    if (devices_save(&z->devices, &stream, &len, &err)) {
        if (other)
            devices_reset(&z->devices);
        fuzz_assert(devices_load(&z->devices, stream, len, &err));
        if (devices_save(&z->devices, &again, &again_len, &err)) {
            fuzz_assert(len == again_len && !memcmp(stream, again, len));
            free(again);
        }
        free(stream);
    }
    devices_resume(&z->devices);
}

/* A state from elsewhere for device d, up to 7 bytes of which (u16 where, from the end if bit 15 is
 * set; u8) are not its own: refused, or taken and survived. */
static inline void fuzz_hostile_state(struct fuzz_device *z, struct device *d)
{
    static struct err err;
    const size_t len = state_size(d->class->state, d->class->version);
    uint8_t *record = malloc(len);
    fuzz_assert(record);
    devices_quiesce(&z->devices);
    state_save(d->class->state, d, d->class->version, record);
    for (unsigned n = fuzz_next(z, 1) & 7; n; n--) {
        const size_t at = fuzz_next(z, 2);
        record[at & 0x8000 ? len - 1 - (at & 0x7FFF) % len : at % len] = (uint8_t)fuzz_next(z, 1);
    }
    if (!device_load(d, d->class->version, record, len, &err))
        devices_reset(&z->devices); /* the caller would not go on with it */
    free(record);
    devices_resume(&z->devices);
}

#endif
