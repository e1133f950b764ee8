/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hostile guest and a hostile wire at the PCnet card: the input is a program of register
 * accesses, initialisation blocks, descriptors, frames, steps of time, cables pulled, stops, moves.
 */
#include "hw/pc/pcnet.h"
#include "tests/fuzz/cable.h"

#define RAM_BYTES (128u << 10)
#define IO        0xC000
#define DEVFN     PCI_DEVFN(4, 0)
/* Where whole structures are put; what the input stores goes anywhere. */
#define BLOCK   0x1000u
#define RX_RING 0x2000u
#define TX_RING 0x3000u
#define DATA    0x4000u

struct fuzz {
    struct fuzz_device d; /* first */
    struct fuzz_wire wire;
    uint8_t style;
};

static void enable(struct fuzz *z)
{
    bus_pci_write(z->d.bus, DEVFN, 0x10, 4, IO);
    bus_pci_write(z->d.bus, DEVFN, 0x14, 4, 0xE0000000);
    bus_pci_write(z->d.bus, DEVFN, 0x04, 2, 7);
}

static void out(struct fuzz *z, unsigned reg, uint32_t v)
{
    bus_port_write(z->d.bus, IO + 0x12, 2, reg & 0xFF);
    bus_port_write(z->d.bus, reg & 0x100 ? IO + 0x16 : IO + 0x10, 2, v & 0xFFFF);
}

static uint32_t in(struct fuzz *z, unsigned reg)
{
    bus_port_write(z->d.bus, IO + 0x12, 2, reg & 0xFF);
    return bus_port_read(z->d.bus, reg & 0x100 ? IO + 0x16 : IO + 0x10, 2);
}

/* As a driver does it: style, block, start. */
static void start(struct fuzz *z)
{
    const uint8_t style = (uint8_t)fuzz_next(&z->d, 1), lengths = (uint8_t)fuzz_next(&z->d, 1);
    const uint32_t mode = fuzz_next(&z->d, 2);
    z->style = style & 3;
    out(z, 0, 4);
    out(z, 0x100 | 20, z->style);
    if (z->style) {
        fuzz_put32(&z->d, BLOCK, mode | (lengths & 0xF0u) << 16 | (uint32_t)lengths << 28);
        fuzz_put32(&z->d, BLOCK + 4, 0x12005452);
        fuzz_put32(&z->d, BLOCK + 8, 0x00005634);
        fuzz_put32(&z->d, BLOCK + 20, RX_RING);
        fuzz_put32(&z->d, BLOCK + 24, TX_RING);
    } else {
        fuzz_put32(&z->d, BLOCK, mode | 0x54520000u);
        fuzz_put32(&z->d, BLOCK + 4, 0x56341200);
        fuzz_put32(&z->d, BLOCK + 16, RX_RING | (lengths & 0xF0u) << 24);
        fuzz_put32(&z->d, BLOCK + 20, TX_RING | (uint32_t)lengths << 28);
    }
    out(z, 1, BLOCK);
    out(z, 2, 0);
    out(z, 3, 0);
    out(z, 4, style & 0x80 ? 0x0D15 : 0x0115);
    out(z, 0, style & 0x40 ? 1 : 0x43);
}

static void descriptor(struct fuzz *z, bool tx)
{
    const uint8_t at = (uint8_t)fuzz_next(&z->d, 1), flags = (uint8_t)fuzz_next(&z->d, 1);
    const uint32_t len = fuzz_next(&z->d, 2);
    const uint32_t address = flags & 0x08 ? fuzz_next(&z->d, 4) : DATA + (at & 15) * 0x1000u;
    const uint32_t ring = tx ? TX_RING : RX_RING, count = 0xF000u | ((0u - len) & 0xFFF);
    if (z->style == 0) {
        fuzz_put32(&z->d, ring + at * 8u, (address & 0xFFFFFF) | (uint32_t)flags << 24);
        fuzz_put32(&z->d, ring + at * 8u + 4, count);
        return;
    }
    fuzz_put32(&z->d, ring + at * 16u, z->style == 3 ? 0 : address);
    fuzz_put32(&z->d, ring + at * 16u + 4, (uint32_t)flags << 24 | count);
    fuzz_put32(&z->d, ring + at * 16u + 8, z->style == 3 ? address : 0);
}

static void arrive(struct fuzz *z, uint8_t how)
{
    static uint8_t frame[NET_MAX_FRAME];
    static const uint8_t own[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};
    size_t len = fuzz_next(&z->d, 2);
    if (how & 8)
        len = NET_MAX_FRAME;
    memset(frame, how & 1 ? 0xFF : 0x01, sizeof(frame));
    if (how & 2)
        memcpy(frame, own, sizeof(own));
    frame[12] = 0;
    frame[13] = how & 4 ? 20 : 60;
    for (unsigned n = 0; n < (how & 4 ? 8u : 1u); n++)
        net_deliver(z->wire.net, frame, len, NULL);
    net_delivered(z->wire.net);
}

static void one(struct fuzz *z)
{
    struct fuzz_device *d = &z->d;
    const uint8_t op = (uint8_t)fuzz_next(d, 1);
    const unsigned arg = op >> 4;
    switch (op & 15) {
    case 0:
        out(z, fuzz_next(d, 1), fuzz_next(d, 2));
        break;
    case 1:
        out(z, 0x100 | fuzz_next(d, 1), fuzz_next(d, 2));
        break;
    case 2:
        in(z, fuzz_next(d, 1) | (arg & 1) << 8);
        break;
    case 3:
        bus_port_write(d->bus, IO + fuzz_next(d, 1) % 32, 1u << arg % 3, fuzz_next(d, 4));
        break;
    case 4:
        bus_port_read(d->bus, IO + fuzz_next(d, 1) % 32, 1u << arg % 3);
        break;
    case 5:
        start(z);
        break;
    case 6:
    case 7:
        descriptor(z, op & 1);
        break;
    case 8:
        out(z, 0, 0x48);
        net_run(z->wire.net, arg + 1);
        break;
    case 9:
        arrive(z, (uint8_t)arg);
        break;
    case 10:
        fuzz_step(d, (uint64_t)fuzz_next(d, 1) * (arg & 1 ? 100 * NS_PER_MS : NS_PER_MS), 500);
        net_run(z->wire.net, 4);
        break;
    case 11:
        fuzz_cable(&z->wire, arg);
        break;
    case 12: {
        const uint32_t at = fuzz_next(d, 4);
        fuzz_put32(d, at, fuzz_next(d, 4));
        break;
    }
    case 13:
        fuzz_card_life(d, &z->wire, arg);
        enable(z);
        break;
    case 14:
        bus_pci_write(d->bus, DEVFN, (fuzz_next(d, 1) & 0x3C), 4, fuzz_next(d, 4));
        if (arg & 1)
            enable(z);
        break;
    default:
        if (arg & 1)
            devices_reset(&d->devices);
        else
            bus_port_read(d->bus, IO + 0x14, 2);
        enable(z);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    static struct err err;
    static const struct nic_config config = {
        .devfn = DEVFN, .instance = "0", .mac = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56}};
    struct fuzz z = {.style = 0};
    fuzz_open(&z.d, input, size, RAM_BYTES);
    fuzz_wire_open(&z.wire, 4096, false);
    fuzz_assert(
        pcnet_realize(z.d.pci, z.d.dma, &z.d.clock, &z.d.devices, &config, z.wire.net, &err));
    devices_reset(&z.d.devices);
    enable(&z);
    for (unsigned steps = 0; z.d.in.left && steps < 512; steps++)
        one(&z);
    fuzz_card_reset(&z.d, &z.wire);
    enable(&z);
    fuzz_assert(in(&z, 0) == 4 && in(&z, 88) == 0x1003);
    fuzz_card_close(&z.d, &z.wire);
    return 0;
}
