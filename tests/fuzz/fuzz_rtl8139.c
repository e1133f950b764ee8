/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hostile guest and a hostile network at the RTL8139: the input is a program of register
 * accesses, rings and buffers in memory, whole steps of a driver in both modes, frames from
 * outside, a back-end that is full, time, stops and moves. Every fourth length makes the card an
 * RTL8139C.
 */
#include "hw/pc/rtl8139.h"
#include "tests/fuzz/cable.h"

#define RAM_BYTES (128u << 10)
#define IO        0xC000
#define MMIO      0xF0000000u
#define DEVFN     PCI_DEVFN(3, 0)
#define TX_RING   0x1000u
#define HI_RING   0x1800u
#define RX_RING   0x2000u
#define DATA      0x4000u

struct fuzz {
    struct fuzz_device d; /* first: the rig's helpers take it */
    struct fuzz_wire wire;
};

static void place(struct fuzz *z)
{
    bus_pci_write(z->d.bus, DEVFN, 0x10, 4, IO);
    bus_pci_write(z->d.bus, DEVFN, 0x14, 4, MMIO);
    bus_pci_write(z->d.bus, DEVFN, 0x04, 2, 7);
}

static void out(struct fuzz *z, unsigned reg, unsigned width, uint32_t v)
{
    bus_port_write(z->d.bus, IO + reg, width, v);
}

/* What a driver does to begin: C mode, or C+ with all its rings full of buffers. */
static void start(struct fuzz *z, uint8_t how)
{
    out(z, 0x37, 1, 0x10);
    out(z, 0x08, 4, 0xFFFFFFFF);
    out(z, 0x0C, 4, 0xFFFFFFFF);
    if (how & 0x10) {
        out(z, 0xE0, 2, 0x03 | (how & 0x60));
        out(z, 0x20, 4, TX_RING);
        out(z, 0x28, 4, HI_RING);
        out(z, 0xE4, 4, RX_RING);
        for (unsigned i = 0; i < 64; i++) {
            fuzz_put32(&z->d, RX_RING + 16 * i, 0x80000000u | (i == 63 ? 0x40000000u : 0) | 0x600);
            fuzz_put32(&z->d, RX_RING + 16 * i + 8, DATA + 0x100 * i);
            fuzz_put32(&z->d, RX_RING + 16 * i + 12, 0);
        }
    }
    out(z, 0x37, 1, 0x0C);
    out(z, 0x44, 4, 0x0F | (how & 0x80));
    out(z, 0x30, 4, DATA);
    out(z, 0x3C, 2, 0xFFFF);
    if (how & 1)
        out(z, 0x40, 4, 0x60000);
}

/* A frame, that may be a datagram: bytes of the input over a pattern that has headers. */
static size_t make_frame(struct fuzz *z, uint8_t *frame, size_t most)
{
    static const uint8_t headers[] = {
        0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 2,    0,    0,    0,    0,    1,    0x08,
        0x00, 0x45, 0x00, 0x00, 0x64, 0x00, 0x01, 0x00, 0x00, 0x40, 0x06, 0x00, 0,
        1,    2,    3,    4,    5,    6,    7,    8,    0,    1,    0,    2,    0,
        0,    0,    1,    0,    0,    0,    1,    0x50, 0x18, 1,    0,    0,    0,
    };
    size_t len = 14 + fuzz_next(&z->d, 2) % (most - 13), got;
    memset(frame, (int)fuzz_next(&z->d, 1), len);
    memcpy(frame, headers, len < sizeof(headers) ? len : sizeof(headers));
    for (unsigned n = fuzz_next(&z->d, 1) & 7; n; n--) {
        const size_t at = fuzz_next(&z->d, 1) % len;
        const uint8_t *p = fuzz_take_bytes(&z->d.in, 1 + (at & 1), &got);
        for (size_t i = 0; i < got && at + i < len; i++)
            frame[at + i] = p[i];
    }
    return len;
}

/* Sent in C+ mode: as a chain of up to 4 descriptors. */
static void send_chain(struct fuzz *z, uint8_t how)
{
    static uint8_t frame[0x4000];
    const size_t len = make_frame(z, frame, sizeof(frame));
    memcpy(z->d.hv->ram + DATA, frame, len);
    const unsigned at = fuzz_next(&z->d, 1) % 64, count = 1 + (how & 3);
    const uint32_t flags = fuzz_next(&z->d, 2) << 16, ring = how & 4 ? HI_RING : TX_RING;
    for (unsigned i = 0; i < count; i++) {
        const uint32_t d = ring + 16 * ((at + i) % 64);
        const uint32_t n = (uint32_t)(i + 1 < count ? len / count : len - len / count * i);
        fuzz_put32(&z->d, d + 4, fuzz_next(&z->d, 1) << 16);
        fuzz_put32(&z->d, d + 8, DATA + (uint32_t)(len / count) * i);
        fuzz_put32(&z->d, d + 12, 0);
        fuzz_put32(&z->d, d,
                   0x80000000u | (flags & 0x0FFF0000u) | (i == 0 ? 0x20000000u : 0) |
                       (i + 1 == count ? 0x10000000u : 0) | (how & 8 ? 0x40000000u : 0) | n);
    }
    out(z, 0xD9, 1, how & 4 ? 0x80 : 0x40);
}

static void from_outside(struct fuzz *z, uint8_t how)
{
    static uint8_t frame[NET_MAX_FRAME];
    size_t len = make_frame(z, frame, how & 0x10 ? sizeof(frame) : 1700);
    struct net_offload offload = {
        .csum = how & 0x20, .csum_start = 34, .csum_at = 50, .ip = 14, .tcp = 34};
    offload.mss = how & 0x40 ? (uint16_t)fuzz_next(&z->d, 2) : 0;
    for (unsigned n = how & 0x80 ? 8 : 1; n && net_deliver(z->wire.net, frame, len, &offload); n--)
        ;
    net_delivered(z->wire.net);
}

static void eeprom(struct fuzz *z)
{
    const uint32_t bits = fuzz_next(&z->d, 4);
    const unsigned count = fuzz_next(&z->d, 1) % 33;
    out(z, 0x50, 1, 0x88);
    for (unsigned i = 0; i < count; i++) {
        out(z, 0x50, 1, 0x88 | (bits >> i & 1) << 1);
        out(z, 0x50, 1, 0x8C | (bits >> i & 1) << 1);
    }
    if (count & 1)
        out(z, 0x50, 1, 0x40);
}

static void one(struct fuzz *z)
{
    static const uint8_t interesting[] = {0x10, 0x14, 0x20, 0x24, 0x30, 0x34, 0x38, 0x3C,
                                          0x40, 0x44, 0x48, 0x50, 0x54, 0x58, 0xD8, 0xE0};
    const uint8_t op = (uint8_t)fuzz_next(&z->d, 1);
    switch (op & 15) {
    case 0:
        out(z, fuzz_next(&z->d, 1), 1u << (op >> 4) % 3, fuzz_next(&z->d, 4));
        break;
    case 1:
        out(z, interesting[op >> 4], 4, fuzz_next(&z->d, 4));
        break;
    case 2:
        bus_mem_read(z->d.bus, MMIO + fuzz_next(&z->d, 1), 1u << (op >> 4) % 4);
        break;
    case 3:
        start(z, op);
        break;
    case 4: { /* C mode: a frame */
        static uint8_t frame[1700];
        const size_t len = make_frame(z, frame, sizeof(frame));
        memcpy(z->d.hv->ram + DATA + 0x8000, frame, len);
        out(z, 0x20 + 4 * (op >> 4 & 3), 4, op & 0x40 ? fuzz_next(&z->d, 4) : DATA + 0x8000);
        out(z, 0x10 + 4 * (op >> 4 & 3), 4, op & 0x80 ? fuzz_next(&z->d, 2) : (uint32_t)len);
        break;
    }
    case 5:
    case 6:
        send_chain(z, op >> 4);
        break;
    case 7:
    case 8:
        from_outside(z, op);
        break;
    case 9: /* as drivers go on: what was received is read, descriptors are given back */
        out(z, 0x38, 2,
            op & 0x10 ? fuzz_next(&z->d, 2) : bus_port_read(z->d.bus, IO + 0x3A, 2) - 16);
        for (unsigned i = 0; op & 0x20 && i < 64; i++)
            fuzz_put32(&z->d, RX_RING + 16 * i, 0x80000000u | (i == 63 ? 0x40000000u : 0) | 0x600);
        out(z, 0x3E, 2, 0xFFFF);
        break;
    case 10:
        fuzz_put32(&z->d, fuzz_next(&z->d, 2), fuzz_next(&z->d, 4));
        break;
    case 11:
        net_run(z->wire.net, 1 + (op >> 4));
        break;
    case 12:
        fuzz_step(&z->d, (uint64_t)fuzz_next(&z->d, 1) * NS_PER_MS << (op >> 6), 100);
        break;
    case 13:
        if (op & 0x10)
            eeprom(z);
        else
            fuzz_cable(&z->wire, op >> 5);
        break;
    case 14:
        fuzz_card_life(&z->d, &z->wire, op >> 4);
        break;
    default:
        if (op & 0x20)
            device_reset(z->d.devices.first);
        else
            bus_pci_write(z->d.bus, DEVFN, fuzz_next(&z->d, 1), 4, fuzz_next(&z->d, 4));
    }
    place(z);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    static struct err err;
    static struct fuzz z;
    const struct nic_config config = {
        .devfn = DEVFN, .instance = "0", .mac = {0, 0x16, 0x3E, 1, 2, 3}};
    memset(&z, 0, sizeof(z));
    fuzz_open(&z.d, input, size, RAM_BYTES);
    fuzz_wire_open(&z.wire, NET_MAX_FRAME, false);
    fuzz_assert((size % 4 == 3 ? rtl8139c_realize : rtl8139_realize)(
        z.d.pci, z.d.dma, &z.d.clock, &z.d.devices, &config, z.wire.net, &err));
    devices_reset(&z.d.devices);
    place(&z);
    for (unsigned steps = 0; z.d.in.left && steps < 1024; steps++)
        one(&z);
    fuzz_card_reset(&z.d, &z.wire);
    place(&z);
    fuzz_assert(bus_port_read(z.d.bus, IO + 0x3C, 4) == 0);
    struct net_stats before, after; /* a frame goes through */
    start(&z, 0);
    net_run(z.wire.net, 1000);
    net_stats(z.wire.net, &before);
    out(&z, 0x20, 4, DATA);
    out(&z, 0x10, 4, 60);
    net_run(z.wire.net, 1000);
    net_stats(z.wire.net, &after);
    fuzz_assert(after.tx_frames == before.tx_frames + 1);
    fuzz_assert(bus_port_read(z.d.bus, IO + 0x10, 4) == (0x0000A000 | 60));
    fuzz_card_close(&z.d, &z.wire);
    return 0;
}
