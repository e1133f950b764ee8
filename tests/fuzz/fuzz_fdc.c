/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hostile guest at the floppy controller: the input is a program of register accesses, commands,
 * DMA set-ups, data by FIFO, steps of time, disk completions and errors, media that change, stops
 * and moves. Two drives, a diskette of the input's choice in A.
 */
#include <errno.h>

#include "hw/pc/dma8237.h"
#include "hw/pc/fdc.h"
#include "tests/fake/block.h"
#include "tests/fuzz/device.h"

#define RAM_BYTES (1u << 20)

struct fuzz {
    struct fuzz_device d;
    struct fdc *fdc;
    struct block *disk[FDC_UNITS];
};

static const unsigned kib[] = {160, 180, 320, 360, 720, 1200, 1440, 1743, 2880, 3840};

static uint8_t take(struct fuzz *z)
{
    return (uint8_t)fuzz_next(&z->d, 1);
}

static void program_dma(struct fuzz *z)
{
    static const uint8_t ports[] = {0x0A, 0x0C, 0x0B, 0x04, 0x04, 0x81, 0x05, 0x05, 0x0A};
    uint8_t values[] = {0x06, 0, 0, 0, 0, 0, 0, 0, 0x02};
    values[2] = (uint8_t)((take(z) & 0xFC) | 2);
    for (unsigned i = 3; i < 8; i++)
        values[i] = take(z);
    for (unsigned i = 0; i < sizeof(ports); i++)
        bus_port_write(z->d.bus, ports[i], 1, values[i]);
}

/* Small numbers find sectors. */
static void command(struct fuzz *z)
{
    bus_port_write(z->d.bus, 0x3F5, 1, take(z));
    bus_port_write(z->d.bus, 0x3F5, 1, take(z) & 7);
    bus_port_write(z->d.bus, 0x3F5, 1, take(z) & 0x53);
    bus_port_write(z->d.bus, 0x3F5, 1, take(z) & 1);
    bus_port_write(z->d.bus, 0x3F5, 1, take(z) & 0x3F);
    bus_port_write(z->d.bus, 0x3F5, 1, 2);
    bus_port_write(z->d.bus, 0x3F5, 1, take(z) & 0x3F);
    bus_port_write(z->d.bus, 0x3F5, 1, 0x1B);
    bus_port_write(z->d.bus, 0x3F5, 1, take(z));
}

static void data(struct fuzz *z)
{
    static uint8_t buf[2048];
    const uint8_t op = take(z);
    const uint32_t count = 1 + op * 8u;
    memset(buf, take(z), sizeof(buf));
    if (op & 1)
        bus_port_write_run(z->d.bus, 0x3F5, 1, buf, count);
    else
        bus_port_read_run(z->d.bus, 0x3F5, 1, buf, count);
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

static void one(struct fuzz *z)
{
    const uint8_t op = take(z);
    switch (op & 15) {
    case 0:
    case 1:
        bus_port_write(z->d.bus, 0x3F0 + (op >> 5), 1, take(z));
        break;
    case 2:
        bus_port_read(z->d.bus, 0x3F0 + (op >> 5), 1);
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
        bus_port_write(z->d.bus, (uint16_t)(op >> 4), 1, take(z));
        break;
    case 8:
    case 9:
        data(z);
        break;
    case 10:
        fuzz_step(&z->d, take(z) * 2 * NS_PER_MS, 1000);
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
            fuzz_stop_and_move(&z->d, op & 0x20);
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
            fuzz_hostile_state(&z->d, &z->fdc->device);
        else
            bus_port_write(z->d.bus, 0x3F2, 1, op & 0x20 ? 0x0C : 0x00);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    static struct err err;
    struct fuzz z = {0};
    fuzz_open(&z.d, input, size, RAM_BYTES);
    const unsigned n = take(&z) % (sizeof(kib) / sizeof(kib[0]));
    z.disk[0] = fake_block_new("a", kib[n] * 1024u);
    const struct fdc_drive_config config[FDC_UNITS] = {{.present = true, .block = z.disk[0]},
                                                       {.present = true}};
    struct dma8237 *channels = dma8237_realize(z.d.bus, z.d.dma, &z.d.devices, &err);
    z.fdc =
        channels ? fdc_realize(z.d.bus, channels, &z.d.clock, &z.d.devices, config, &err) : NULL;
    fuzz_assert(z.fdc);
    devices_reset(&z.d.devices);
    for (unsigned steps = 0; z.d.in.left && steps < 4096; steps++)
        one(&z);
    /* Whatever it did: after a reset everything answers as new. */
    for (unsigned unit = 0; unit < FDC_UNITS; unit++)
        if (z.disk[unit])
            fake_block_run(z.disk[unit]);
    devices_reset(&z.d.devices);
    bus_port_write(z.d.bus, 0x3F5, 1, 0x10);
    fuzz_assert(bus_port_read(z.d.bus, 0x3F4, 1) == 0xD0 &&
                bus_port_read(z.d.bus, 0x3F5, 1) == 0x90);
    fuzz_close(&z.d);
    for (unsigned unit = 0; unit < FDC_UNITS; unit++)
        if (z.disk[unit])
            fake_block_free(z.disk[unit]);
    return 0;
}
