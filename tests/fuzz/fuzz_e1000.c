/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hostile guest and a hostile wire at the e1000: the input is a program of register accesses,
 * descriptors of all kinds, frames, steps of time, cables pulled, stops, moves.
 */
#include "hw/pc/e1000.h"
#include "tests/fuzz/cable.h"

#define RAM_BYTES (256u << 10)
#define MMIO      0xE0000000u
#define IO        0xC000
#define DEVFN     PCI_DEVFN(4, 0)
/* Where a driver's rings and data are; what the input stores goes anywhere. */
#define RX_RING 0x1000u
#define TX_RING 0x2000u
#define DATA    0x10000u

struct fuzz {
    struct fuzz_device d; /* first */
    struct fuzz_wire wire;
    uint32_t tail; /* of the transmit ring */
};

static void enable(struct fuzz *z)
{
    bus_pci_write(z->d.bus, DEVFN, 0x10, 4, MMIO);
    bus_pci_write(z->d.bus, DEVFN, 0x14, 4, IO);
    bus_pci_write(z->d.bus, DEVFN, 0x04, 2, 7);
}

static void out(struct fuzz *z, uint32_t reg, uint32_t v)
{
    bus_mem_write(z->d.bus, MMIO + reg % 0x20000, 4, v);
}

static uint32_t in(struct fuzz *z, uint32_t reg)
{
    return (uint32_t)bus_mem_read(z->d.bus, MMIO + reg % 0x20000, 4);
}

/* As a driver does it. */
static void start(struct fuzz *z)
{
    const uint32_t rctl = fuzz_next(&z->d, 4), how = fuzz_next(&z->d, 1);
    if (how & 1)
        out(z, 0, 0x04000000);
    out(z, 0, how & 2 ? 0x40140240 : 0x00140240);
    out(z, 0x5000, how << 8);
    out(z, 0x2800, RX_RING);
    out(z, 0x2804, 0);
    out(z, 0x2808, 0x80u << (how >> 4 & 3));
    out(z, 0x2810, 0);
    out(z, 0x2818, 7);
    out(z, 0x3800, TX_RING);
    out(z, 0x3804, 0);
    out(z, 0x3808, 0x1000);
    out(z, 0x3810, 0);
    out(z, 0x3818, 0);
    out(z, 0x00C4, how & 4 ? 200 : 0);
    out(z, 0x2820, how & 8 ? 20 : 0);
    out(z, 0x3820, 10);
    out(z, 0x00D0, 0xFFFFFFFF);
    out(z, 0x0400, 0xA);
    out(z, 0x0100, rctl | 2);
    for (uint32_t i = 0; i < 32; i++)
        fuzz_put32(&z->d, RX_RING + 16 * i, DATA + 0x20000 + i % 8 * 2048);
    z->tail = 0;
    net_run(z->wire.net, 2);
}

/* The next transmit descriptor: a context, data or legacy. */
static void transmit(struct fuzz *z, unsigned kind)
{
    struct fuzz_device *d = &z->d;
    const uint32_t at = TX_RING + 16 * z->tail, cmd = fuzz_next(d, 1);
    z->tail = (z->tail + 1) % 256;
    if (kind == 0) {
        const uint32_t odd = fuzz_next(d, 1);
        fuzz_put32(d, at, odd & 1 ? fuzz_next(d, 4) : 0x0021180E);
        fuzz_put32(d, at + 4, odd & 2 ? fuzz_next(d, 4) : 0x00003222);
        fuzz_put32(d, at + 8, (cmd | 0x20) << 24);
        fuzz_put32(d, at + 12, odd & 4 ? fuzz_next(d, 4) : fuzz_next(d, 2) << 16 | 54 << 8);
    } else {
        const uint32_t len = fuzz_next(d, 2) | (cmd & 0x10u) << 12;
        fuzz_put32(d, at, kind == 3 ? fuzz_next(d, 4) : DATA);
        fuzz_put32(d, at + 4, 0);
        fuzz_put32(d, at + 8,
                   kind == 1 ? len | (cmd & ~0x20u) << 24 : len | 1u << 20 | (cmd | 0x20) << 24);
        fuzz_put32(d, at + 12, fuzz_next(d, 2) << 8);
    }
    if (fuzz_next(d, 1) & 1) {
        out(z, 0x3818, z->tail);
        net_run(z->wire.net, 3);
    }
}

/* What segments are made of: right headers, or nearly. */
static void headers(struct fuzz *z)
{
    static const uint8_t v4[] = {2,    0, 0, 0, 0, 1,  2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 5,
                                 0xDC, 0, 0, 0, 0, 64, 6, 0, 0, 1, 2, 3, 4, 5, 6,    7, 8};
    const uint32_t at = fuzz_next(&z->d, 1), v = fuzz_next(&z->d, 1);
    memset(z->d.hv->ram + DATA, 0, 256);
    memcpy(z->d.hv->ram + DATA, v4, sizeof(v4));
    z->d.hv->ram[DATA + 46] = 0x50;
    z->d.hv->ram[DATA + at] = (uint8_t)v;
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
    const uint32_t type = fuzz_next(&z->d, 4);
    memcpy(frame + 12, &type, 4);
    for (unsigned n = 0; n < (how & 4 ? 8u : 1u); n++)
        net_deliver(z->wire.net, frame, len, NULL);
    if (!(type & 1))
        net_delivered(z->wire.net);
}

/* The EEPROM by its pins: the bits of a command. */
static void microwire(struct fuzz *z, unsigned count)
{
    for (uint32_t bits = fuzz_next(&z->d, 4); count--; bits >>= 1) {
        out(z, 0x10, 2 | (bits & 1) << 2);
        out(z, 0x10, 3 | (bits & 1) << 2);
    }
    if (fuzz_next(&z->d, 1) & 1)
        out(z, 0x10, 0);
}

static void one(struct fuzz *z)
{
    struct fuzz_device *d = &z->d;
    const uint8_t op = (uint8_t)fuzz_next(d, 1);
    const unsigned arg = op >> 4;
    uint32_t at;
    switch (op & 15) {
    case 0:
        at = fuzz_next(d, 2) * 4;
        out(z, at, fuzz_next(d, 4));
        break;
    case 1:
        in(z, fuzz_next(d, 2) * 4);
        break;
    case 2: /* the rings' registers, most of all */
        at = (arg & 1 ? 0x3800 : 0x2800) + (fuzz_next(d, 1) & 0x3C);
        out(z, at, fuzz_next(d, 4));
        break;
    case 3:
        bus_port_write(d->bus, IO + (arg & 7) * 4, 4, fuzz_next(d, 4));
        bus_port_read(d->bus, IO + 4, 4);
        break;
    case 4:
        out(z, 0x20, fuzz_next(d, 4) & 0x2FFFFFFF);
        break;
    case 5:
        start(z);
        break;
    case 6:
    case 7:
        transmit(z, arg & 3);
        break;
    case 8:
        net_run(z->wire.net, arg + 1);
        break;
    case 9:
        arrive(z, (uint8_t)arg);
        break;
    case 10:
        fuzz_step(d, (uint64_t)fuzz_next(d, 1) * (arg & 1 ? 10 * NS_PER_MS : 20 * NS_PER_US), 500);
        net_run(z->wire.net, 4);
        break;
    case 11:
        fuzz_cable(&z->wire, arg);
        break;
    case 12:
        if (arg & 1) {
            headers(z);
            break;
        }
        at = fuzz_next(d, 3);
        fuzz_put32(d, at, fuzz_next(d, 4));
        break;
    case 13:
        fuzz_card_life(d, &z->wire, arg);
        enable(z);
        break;
    case 14:
        if (arg & 2) {
            microwire(z, 1 + arg * 2);
            break;
        }
        bus_pci_write(d->bus, DEVFN, (fuzz_next(d, 1) & 0x3C), 4, fuzz_next(d, 4));
        if (arg & 1)
            enable(z);
        break;
    default:
        if (arg & 1)
            devices_reset(&d->devices);
        else
            out(z, 0x2818, fuzz_next(d, 1));
        enable(z);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    static struct err err;
    static const struct nic_config config = {
        .devfn = DEVFN, .instance = "0", .mac = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56}};
    struct fuzz z = {.tail = 0};
    fuzz_open(&z.d, input, size, RAM_BYTES);
    fuzz_wire_open(&z.wire, NET_MAX_FRAME, fuzz_next(&z.d, 1) & 1);
    fuzz_assert(
        e1000_realize(z.d.pci, z.d.dma, &z.d.clock, &z.d.devices, &config, z.wire.net, &err));
    devices_reset(&z.d.devices);
    enable(&z);
    for (unsigned steps = 0; z.d.in.left && steps < 512; steps++)
        one(&z);
    fuzz_card_reset(&z.d, &z.wire);
    enable(&z);
    fuzz_assert(in(&z, 0) == 0x00140240 && in(&z, 8) == 0x283 && in(&z, 0xC0) == 0);
    fuzz_card_close(&z.d, &z.wire);
    return 0;
}
