/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hostile guest and a hostile peer at the NE2000: the input is a program of register accesses,
 * string accesses, rings, frames from the wire, a back-end that is full at times, stops, moves and
 * states from elsewhere. Bit 0 of the first byte: on PCI or on ISA.
 */
#include "hw/pc/ne2000.h"
#include "tests/fuzz/cable.h"

#define RAM_BYTES (64u << 10)
#define IO        0x300
#define DATA      (IO + 0x10)
#define DEVFN     PCI_DEVFN(4, 0)

struct fuzz {
    struct fuzz_device d;
    struct fuzz_wire wire;
    bool pci;
};

static void set_line(void *opaque, unsigned line, bool level)
{
    hv_isa_irq(opaque, (uint8_t)line, level);
}

static uint32_t take(struct fuzz *z, unsigned bytes)
{
    return fuzz_next(&z->d, bytes);
}

static void out(struct fuzz *z, unsigned reg, uint32_t v)
{
    bus_port_write(z->d.bus, IO + reg, 1, v & 0xFF);
}

static void place(struct fuzz *z)
{
    if (!z->pci)
        return;
    bus_pci_write(z->d.bus, DEVFN, 0x10, 4, IO);
    bus_pci_write(z->d.bus, DEVFN, 0x04, 2, 3);
}

/* A driver's beginning with a ring that the input names. */
static void start(struct fuzz *z)
{
    out(z, 0, 0x21);
    out(z, 14, take(z, 1));
    out(z, 1, take(z, 1));
    out(z, 2, take(z, 1));
    out(z, 3, take(z, 1));
    out(z, 12, take(z, 1));
    out(z, 15, take(z, 1));
    out(z, 0, 0x61);
    out(z, 7, take(z, 1));
    out(z, 0, 0x22);
    out(z, 13, take(z, 1) & take(z, 1));
}

static void remote(struct fuzz *z, uint8_t op)
{
    static uint8_t buf[4 * 0x5000];
    const unsigned width = 1u << (op >> 6) % 3;
    /* All of the card's memory and a quarter more, but not for ever. */
    const uint32_t at = take(z, 2), len = take(z, 2), count = take(z, 2) % 0x5000;
    out(z, 8, at);
    out(z, 9, at >> 8);
    out(z, 10, len);
    out(z, 11, len >> 8);
    out(z, 0, op & 0x10 ? 0x12 : 0x0A);
    if (op & 0x10)
        bus_port_write_run(z->d.bus, DATA, width, buf, count);
    else
        bus_port_read_run(z->d.bus, DATA, width, buf, count);
}

static void frame(struct fuzz *z, uint8_t op)
{
    static uint8_t buf[NET_MAX_FRAME];
    static const uint8_t to[4][6] = {{0},
                                     {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF},
                                     {0x01, 0x00, 0x5E, 0x00, 0x00, 0x01},
                                     {0x00, 0x16, 0x3E, 0x00, 0x00, 0x01}};
    const uint32_t v = take(z, 2);
    const size_t len = op & 0x10 ? v % NET_MAX_FRAME : v % 1600;
    memset(buf, (int)v, sizeof(buf) < len ? sizeof(buf) : len);
    memcpy(buf, to[op >> 5 & 3], 6);
    if (op & 0x80)
        buf[5] ^= (uint8_t)take(z, 1);
    net_deliver(z->wire.net, buf, len, NULL);
    net_delivered(z->wire.net);
    net_run(z->wire.net, 4);
}

static void one(struct fuzz *z)
{
    const uint8_t op = (uint8_t)take(z, 1);
    switch (op & 15) {
    case 0:
    case 1:
    case 2:
        out(z, op >> 4, take(z, 1));
        break;
    case 3:
        bus_port_read(z->d.bus, IO + (take(z, 1) & 31), 1u << (op >> 4) % 3);
        break;
    case 4:
        bus_port_write(z->d.bus, IO + (take(z, 1) & 31), 1u << (op >> 4) % 3, take(z, 4));
        break;
    case 5:
        start(z);
        break;
    case 6:
    case 7:
        remote(z, op);
        break;
    case 8:
    case 9:
    case 10:
        frame(z, op);
        break;
    case 11: /* a frame of the guest's */
        out(z, 4, take(z, 1));
        out(z, 5, take(z, 1));
        out(z, 6, op >> 5);
        out(z, 0, 0x26);
        if (op & 0x10)
            net_run(z->wire.net, 4);
        break;
    case 12:
        fuzz_cable(&z->wire, op >> 4);
        break;
    case 13:
        out(z, 0, 0x1A | (op & 0xC0)); /* send packet */
        break;
    case 14:
        fuzz_card_life(&z->d, &z->wire, op >> 4);
        place(z);
        break;
    default:
        device_reset(z->d.devices.first);
        place(z);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    static struct err err;
    static const uint8_t mac[NET_MAC_LEN] = {0x00, 0x16, 0x3E, 0x00, 0x00, 0x01};
    struct fuzz z = {0};
    fuzz_open(&z.d, input, size, RAM_BYTES);
    fuzz_wire_open(&z.wire, 1518, false);
    z.pci = take(&z, 1) & 1;
    if (z.pci) {
        struct nic_config config = {.devfn = DEVFN, .instance = "0"};
        memcpy(config.mac, mac, sizeof(mac));
        fuzz_assert(ne2000_pci_realize(z.d.pci, z.d.dma, &z.d.clock, &z.d.devices, &config,
                                       z.wire.net, &err));
    } else {
        struct ne2000_isa_config config = {.iobase = IO, .instance = "0"};
        memcpy(config.mac, mac, sizeof(mac));
        struct ne2000_isa *isa =
            ne2000_isa_realize(z.d.bus, &z.d.devices, &config, z.wire.net, &err);
        fuzz_assert(isa);
        irq_init(&isa->irq, set_line, z.d.hv, 9);
    }
    devices_reset(&z.d.devices);
    place(&z);
    for (unsigned steps = 0; z.d.in.left && steps < 1024; steps++)
        one(&z);
    fuzz_card_reset(&z.d, &z.wire);
    place(&z);
    fuzz_assert(bus_port_read(z.d.bus, IO, 1) == 0x21);
    fuzz_assert(bus_port_read(z.d.bus, IO + 7, 1) == 0x80);
    fuzz_assert(!z.d.hv->isa[9] && !z.d.hv->intx[4][0]);
    fuzz_card_close(&z.d, &z.wire);
    return 0;
}
