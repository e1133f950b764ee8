/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hostile guest at the xHCI: the input is a program of register accesses, rings and contexts in
 * memory, whole steps of a driver, time, events from viewers, devices that come and go, stops.
 */
#include "hw/pc/usb_set.h"
#include "hw/pc/xhci.h"
#include "tests/fuzz/device.h"
#include "ui/input.h"

#define RAM_BYTES (256u << 10)
#define MMIO      0xF0000000u
#define DEVFN     PCI_DEVFN(5, 0)
#define PORTS     3

#define DCBAA    0x1000u
#define ERST     0x1800u
#define EVENTS   0x2000u
#define COMMANDS 0x3000u
#define INPUT    0x4000u
#define CONTEXTS 0x8000u  /* of slot n: n * 0x400 further */
#define RINGS    0x10000u /* of slot n, endpoint e: n * 0x1000 + e * 0x100 */
#define BUFFER   0x30000u

struct fuzz {
    struct fuzz_device d;
    struct xhci *xhci;
    struct usb_set *set;
    struct input *input;
    uint32_t command, ring[17][4]; /* where the next TRB goes */
};

static uint32_t take(struct fuzz *z, unsigned bytes)
{
    return fuzz_next(&z->d, bytes);
}

static void put32(struct fuzz *z, uint32_t at, uint32_t v)
{
    fuzz_put32(&z->d, at, v);
}

static void step(struct fuzz *z, uint64_t ns)
{
    fuzz_step(&z->d, ns, 200);
}

static void out(struct fuzz *z, uint32_t reg, uint32_t v)
{
    bus_mem_write(z->d.bus, MMIO + reg, 4, v);
}

static void put_trb(struct fuzz *z, uint32_t at, uint32_t low, uint32_t high, uint32_t status,
                    uint32_t control)
{
    put32(z, at, low);
    put32(z, at + 4, high);
    put32(z, at + 8, status);
    put32(z, at + 12, control);
}

/* Rings of a driver that starts. The event ring is followed by nobody: it is made large. */
static void start(struct fuzz *z)
{
    out(z, 0x40, 2);
    memset(z->d.hv->ram + EVENTS, 0, 0x1000);
    memset(z->d.hv->ram + COMMANDS, 0, 0x1000);
    put32(z, ERST, EVENTS);
    put32(z, ERST + 4, 0);
    put32(z, ERST + 8, 256);
    z->command = COMMANDS;
    out(z, 0x78, 16);
    out(z, 0x70, DCBAA);
    out(z, 0x74, 0);
    out(z, 0x58, COMMANDS | 1);
    out(z, 0x5C, 0);
    out(z, 0x1028, 1);
    out(z, 0x1030, ERST);
    out(z, 0x1034, 0);
    out(z, 0x1038, 8);
    out(z, 0x1020, 2);
    out(z, 0x40, 5);
}

static void command(struct fuzz *z, uint32_t low, uint32_t control)
{
    put_trb(z, z->command, low, 0, 0, control | 1);
    z->command += 16;
    out(z, 0x2000, 0);
}

static void put_input(struct fuzz *z, unsigned slot, unsigned port, unsigned dci)
{
    z->ring[slot][dci] = RINGS + slot * 0x1000 + dci * 0x100;
    memset(z->d.hv->ram + z->ring[slot][dci], 0, 0x100);
    memset(z->d.hv->ram + INPUT, 0, 0x100);
    put32(z, INPUT + 4, dci == 1 ? 3 : 1 | 1u << dci);
    put32(z, INPUT + 32, 1u << 27);
    put32(z, INPUT + 36, port << 16);
    put32(z, INPUT + 32 + dci * 32 + 4, 8u << 16);
    put32(z, INPUT + 32 + dci * 32 + 8, z->ring[slot][dci] | 1);
}

static void transfer(struct fuzz *z, unsigned slot, unsigned dci, uint32_t low, uint32_t high,
                     uint32_t status, uint32_t control)
{
    put_trb(z, z->ring[slot][dci], low, high, status, control | 1);
    z->ring[slot][dci] += 16;
}

/* All steps to a device that works. */
static void enumerate(struct fuzz *z, unsigned port, unsigned slot)
{
    out(z, 0x440 + 0x10 * (port - 1), 0x210);
    command(z, 0, 9u << 10);
    put32(z, DCBAA + slot * 8, CONTEXTS + slot * 0x400);
    put32(z, DCBAA + slot * 8 + 4, 0);
    put_input(z, slot, port, 1);
    command(z, INPUT, 11u << 10 | slot << 24);
    transfer(z, slot, 1, 9u << 8 | 1u << 16, 0, 8, 2u << 10 | 0x40);
    transfer(z, slot, 1, 0, 0, 0, 4u << 10 | 0x10020);
    out(z, 0x2000 + 4 * slot, 1);
    put_input(z, slot, port, 3);
    command(z, INPUT, 12u << 10 | slot << 24);
}

static void plug(struct fuzz *z, bool in)
{
    static struct err err;
    static const char *const ports[] = {NULL, "1", "2", "3", "1.1", "1.2", "1.1.1", "4"};
    char id[2] = {0};
    const uint8_t v = (uint8_t)take(z, 1);
    id[0] = (char)('a' + (v >> 5));
    const struct config_usb_device what = {
        .kind = (enum config_usb_kind)(v & 3),
        .id = id,
        .port = (char *)(uintptr_t)ports[v >> 2 & 7],
    };
    if (in)
        usb_set_plug(z->set, &what, &err);
    else
        usb_set_unplug(z->set, id, &err);
}

static void one(struct fuzz *z)
{
    const uint8_t op = (uint8_t)take(z, 1), slot = (uint8_t)(1 + (op >> 4) % 4);
    uint32_t v[4];
    switch (op & 15) {
    case 0:
        out(z, take(z, 2) % 0x2100 & ~3u, take(z, 4));
        break;
    case 1:
        bus_mem_read(z->d.bus, MMIO + take(z, 2) % 0x4000, 1u << (op >> 4) % 3);
        break;
    case 2: /* a command of any kind */
        command(z, op & 0x80 ? INPUT : take(z, 3),
                (take(z, 2) & 0xFFE0) | take(z, 1) << 16 | (uint32_t)slot << 24);
        break;
    case 3:
    case 4: { /* a TRB of any kind */
        const unsigned dci = op & 0x40 ? 1 : 3;
        for (unsigned i = 0; i < 4; i++)
            v[i] = take(z, i == 1 ? 0 : 3);
        transfer(z, slot, dci, v[0] % RAM_BYTES, v[1], v[2] & 0x1FF, v[3] & ~1u);
        if (op & 0x80)
            out(z, 0x2000 + 4 * slot, dci);
        break;
    }
    case 5: /* a control transfer */
        v[0] = take(z, 4);
        v[1] = take(z, 4);
        transfer(z, slot, 1, v[0], v[1], 8, 2u << 10 | 0x40);
        if (v[1] >> 16)
            transfer(z, slot, 1, BUFFER, 0, v[1] >> 16 & 0x1FF,
                     3u << 10 | (v[0] & 0x80 ? 0x10004 : 0));
        transfer(z, slot, 1, 0, 0, 0, 4u << 10 | 0x20 | (v[0] & 0x80 ? 0 : 0x10000));
        out(z, 0x2000 + 4 * slot, 1);
        break;
    case 6:
        transfer(z, slot, 3, BUFFER, 0, 8, 1u << 10 | 0x24);
        out(z, 0x2000 + 4 * slot, 3);
        step(z, 3 * NS_PER_MS);
        break;
    case 7:
        put32(z, take(z, 3), take(z, 4));
        break;
    case 8:
        step(z, (uint64_t)take(z, 1) * NS_PER_MS);
        break;
    case 9:
        input_key(z->input, take(z, 1), op & 0x20);
        break;
    case 10:
        input_pointer_at(z->input, (int)take(z, 1), (int)take(z, 1), 200, 200, (op >> 5) - 4,
                         take(z, 1));
        break;
    case 11:
        plug(z, op & 0x10);
        break;
    case 12:
        enumerate(z, 1 + (op >> 4) % PORTS, 1 + (op >> 6));
        break;
    case 13:
        start(z);
        break;
    case 14:
        fuzz_stop_and_move(&z->d, op & 0x20);
        break;
    default:
        if (op & 0x10)
            fuzz_hostile_state(&z->d, z->d.devices.first);
        else
            out(z, 0x440 + 0x10 * (op >> 5), 0x210);
    }
    bus_pci_write(z->d.bus, DEVFN, 0x10, 4, MMIO);
    bus_pci_write(z->d.bus, DEVFN, 0x04, 2, 6);
}

static void build(struct fuzz *z)
{
    static struct err err;
    static const struct config_usb_device devices[] = {{.kind = CONFIG_USB_TABLET},
                                                       {.kind = CONFIG_USB_KEYBOARD}};
    struct usb_port *ports[PORTS];
    for (unsigned i = 0; i < PORTS; i++)
        ports[i] = xhci_port(z->xhci, i);
    fuzz_assert(usb_set_add_bus(z->set, "usb.0", ports, PORTS, &err));
    for (unsigned i = 0; i < 2; i++)
        fuzz_assert(usb_set_plug(z->set, &devices[i], &err));
    devices_reset(&z->d.devices);
    bus_pci_write(z->d.bus, DEVFN, 0x10, 4, MMIO);
    bus_pci_write(z->d.bus, DEVFN, 0x04, 2, 6);
    for (unsigned i = 0; i < 17; i++)
        for (unsigned e = 0; e < 4; e++)
            z->ring[i][e] = RINGS + i * 0x1000 + e * 0x100;
    start(z);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    static struct err err;
    struct fuzz z = {0};
    fuzz_open(&z.d, input, size, RAM_BYTES);
    z.input = input_new();
    z.set = usb_set_new(&z.d.clock, z.input, &z.d.devices);
    const struct xhci_config config = {.devfn = DEVFN, .usb2 = PORTS, .usb3 = 1};
    z.xhci = xhci_realize(z.d.pci, z.d.dma, &z.d.clock, &z.d.devices, &config, &err);
    fuzz_assert(z.xhci && z.set);
    build(&z);
    for (unsigned steps = 0; z.d.in.left && steps < 512; steps++)
        one(&z);
    /* Whatever it did: after a reset everything is as new, and nobody has events. */
    devices_reset(&z.d.devices);
    bus_pci_write(z.d.bus, DEVFN, 0x10, 4, MMIO);
    bus_pci_write(z.d.bus, DEVFN, 0x04, 2, 6);
    fuzz_assert((bus_mem_read(z.d.bus, MMIO + 0x44, 4) & 0xD) == 1);
    fuzz_assert(!input_current_pointer(z.input));
    usb_set_free(z.set);
    fuzz_close(&z.d);
    fuzz_assert(!input_pointer_nth(z.input, 0));
    input_free(z.input);
    return 0;
}
