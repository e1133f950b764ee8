/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hostile guest at the floppy controller: the input is a program of register accesses, commands,
 * DMA set-ups, data by FIFO, steps of time, disk completions and errors, media that change, stops
 * and moves. Two drives, a diskette of the input's choice in A.
 */
#include <errno.h>

#include "hw/core/bus.h"
#include "hw/core/clock.h"
#include "hw/core/device.h"
#include "hw/core/dma.h"
#include "hw/pc/dma8237.h"
#include "hw/pc/fdc.h"
#include "tests/fake/block.h"
#include "tests/fake/hypervisor.h"
#include "tests/fuzz/fuzz.h"

#define RAM_BYTES (1u << 20)

struct fuzz {
    struct fuzz_input in;
    uint64_t now;
    struct clock clock;
    struct bus *bus;
    struct device_list devices;
    struct fdc *fdc;
    struct block *disk[FDC_UNITS];
};

static const unsigned kib[] = {160, 180, 320, 360, 720, 1200, 1440, 1743, 2880, 3840};

static uint64_t clock_time(const struct clock *clock)
{
    return ((const struct fuzz *)(const void *)((const char *)clock - offsetof(struct fuzz, clock)))
        ->now;
}

static uint8_t take(struct fuzz *z)
{
    return (uint8_t)fuzz_take(&z->in, 1);
}

static void step(struct fuzz *z, uint64_t ns)
{
    const uint64_t until = z->now + ns;
    for (unsigned budget = 1000; clock_deadline(&z->clock) <= until && budget; budget--) {
        if (clock_deadline(&z->clock) > z->now)
            z->now = clock_deadline(&z->clock);
        clock_run(&z->clock, z->now);
    }
    z->now = until;
}

static void program_dma(struct fuzz *z)
{
    static const uint8_t ports[] = {0x0A, 0x0C, 0x0B, 0x04, 0x04, 0x81, 0x05, 0x05, 0x0A};
    uint8_t values[] = {0x06, 0, 0, 0, 0, 0, 0, 0, 0x02};
    values[2] = (uint8_t)((take(z) & 0xFC) | 2);
    for (unsigned i = 3; i < 8; i++)
        values[i] = take(z);
    for (unsigned i = 0; i < sizeof(ports); i++)
        bus_port_write(z->bus, ports[i], 1, values[i]);
}

/* Small numbers find sectors. */
static void command(struct fuzz *z)
{
    bus_port_write(z->bus, 0x3F5, 1, take(z));
    bus_port_write(z->bus, 0x3F5, 1, take(z) & 7);
    bus_port_write(z->bus, 0x3F5, 1, take(z) & 0x53);
    bus_port_write(z->bus, 0x3F5, 1, take(z) & 1);
    bus_port_write(z->bus, 0x3F5, 1, take(z) & 0x3F);
    bus_port_write(z->bus, 0x3F5, 1, 2);
    bus_port_write(z->bus, 0x3F5, 1, take(z) & 0x3F);
    bus_port_write(z->bus, 0x3F5, 1, 0x1B);
    bus_port_write(z->bus, 0x3F5, 1, take(z));
}

static void data(struct fuzz *z)
{
    static uint8_t buf[2048];
    const uint8_t op = take(z);
    const uint32_t count = 1 + op * 8u;
    memset(buf, take(z), sizeof(buf));
    if (op & 1)
        bus_port_write_run(z->bus, 0x3F5, 1, buf, count);
    else
        bus_port_read_run(z->bus, 0x3F5, 1, buf, count);
}

static void change(struct fuzz *z)
{
    static struct err err;
    const unsigned unit = take(z) & 1;
    struct block *old = z->disk[unit];
    struct block *disk = NULL;
    const unsigned n = take(z) % (sizeof(kib) / sizeof(kib[0]) + 1);
    if (n && fdc_medium_fits(z->fdc, unit, kib[n - 1] * 1024u, &err))
        disk = fake_block_new("new", kib[n - 1] * 1024u);
    fuzz_assert(fdc_set_medium(z->fdc, unit, disk) == old);
    z->disk[unit] = disk;
    if (old)
        fake_block_free(old); /* aborts if anything is still under way */
}

static void stop_and_move(struct fuzz *z, bool other)
{
    static struct err err;
    uint8_t *stream, *again;
    size_t len, again_len;
    devices_quiesce(&z->devices);
    if (devices_save(&z->devices, &stream, &len, &err)) {
        if (other)
            devices_reset(&z->devices);
        fuzz_assert(
            devices_load(&z->devices, stream, len, &err)); /* what was saved is taken back */
        if (devices_save(&z->devices, &again, &again_len, &err)) {
            fuzz_assert(len == again_len && !memcmp(stream, again, len));
            free(again);
        }
        free(stream);
    }
    devices_resume(&z->devices);
}

/* A state from elsewhere: refused, or taken and survived. */
static void hostile_state(struct fuzz *z)
{
    static struct err err;
    const struct device *d = &z->fdc->device;
    const size_t len = state_size(d->class->state, d->class->version);
    uint8_t *record = malloc(len);
    fuzz_assert(record);
    devices_quiesce(&z->devices);
    state_save(d->class->state, d, d->class->version, record);
    for (unsigned n = take(z) & 7; n; n--) {
        size_t at = take(z);
        at = at & 1 ? at : len - 1 - at; /* the registers are at both ends, the buffer between */
        record[at % len] = take(z);
    }
    device_load(&z->fdc->device, d->class->version, record, len, &err);
    free(record);
    devices_resume(&z->devices);
}

static void one(struct fuzz *z)
{
    const uint8_t op = take(z);
    switch (op & 15) {
    case 0:
    case 1:
        bus_port_write(z->bus, 0x3F0 + (op >> 5), 1, take(z));
        break;
    case 2:
        bus_port_read(z->bus, 0x3F0 + (op >> 5), 1);
        break;
    case 3:
    case 4:
    case 5:
        command(z);
        break;
    case 6:
        program_dma(z);
        break;
    case 7:
        bus_port_write(z->bus, (uint16_t)(op >> 4), 1, take(z));
        break;
    case 8:
    case 9:
        data(z);
        break;
    case 10:
        step(z, take(z) * 2 * NS_PER_MS);
        break;
    case 11:
    case 12:
        for (unsigned unit = 0; unit < FDC_UNITS; unit++) {
            if (!z->disk[unit])
                continue;
            if (op & 0x10)
                fake_block_step(z->disk[unit]);
            else
                fake_block_run(z->disk[unit]);
        }
        break;
    case 13:
        if (op & 0x10)
            change(z);
        else
            stop_and_move(z, op & 0x20);
        break;
    case 14:
        if (z->disk[0]) {
            fake_block_heal(z->disk[0]);
            z->disk[0]->read_only = op & 0x20;
            if (op & 0x10)
                fake_block_fail(z->disk[0], op & 0x40 ? BLOCK_READ : BLOCK_WRITE, take(z) * 512u,
                                4096, EIO, 1 + (op >> 6));
        }
        break;
    default:
        if (op & 0x10)
            hostile_state(z);
        else
            bus_port_write(z->bus, 0x3F2, 1, op & 0x20 ? 0x0C : 0x00);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    static struct err err;
    struct fuzz z = {.in = {input, size}};
    struct hypervisor *hv = fake_hypervisor_new(RAM_BYTES);
    struct dma *dma = dma_new(hv);
    z.bus = bus_new(hv);
    clock_init(&z.clock, clock_time);
    const unsigned n = take(&z) % (sizeof(kib) / sizeof(kib[0]));
    z.disk[0] = fake_block_new("a", kib[n] * 1024u);
    const struct fdc_drive_config config[FDC_UNITS] = {{.present = true, .block = z.disk[0]},
                                                       {.present = true}};
    struct dma8237 *channels = dma8237_realize(z.bus, dma, &z.devices, &err);
    z.fdc = channels ? fdc_realize(z.bus, channels, &z.clock, &z.devices, config, &err) : NULL;
    fuzz_assert(z.fdc);
    devices_reset(&z.devices);
    for (unsigned steps = 0; z.in.left && steps < 4096; steps++)
        one(&z);
    /* Whatever it did: after a reset everything answers as new. */
    for (unsigned unit = 0; unit < FDC_UNITS; unit++)
        if (z.disk[unit])
            fake_block_run(z.disk[unit]);
    devices_reset(&z.devices);
    bus_port_write(z.bus, 0x3F5, 1, 0x10);
    fuzz_assert(bus_port_read(z.bus, 0x3F4, 1) == 0xD0 && bus_port_read(z.bus, 0x3F5, 1) == 0x90);
    devices_destroy(&z.devices);
    for (unsigned unit = 0; unit < FDC_UNITS; unit++)
        if (z.disk[unit])
            fake_block_free(z.disk[unit]);
    dma_free(dma);
    bus_free(z.bus);
    clock_destroy(&z.clock);
    fake_hypervisor_free(hv);
    return 0;
}
