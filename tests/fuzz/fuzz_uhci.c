/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hostile guest at the USB controller: the input is a program of register accesses, schedules in
 * memory, requests, steps of time, events from viewers, devices that come and go, stops and moves.
 * A tablet, a hub with a mouse and a keyboard behind it.
 */
#include <linux/input-event-codes.h>

#include "hw/pc/uhci.h"
#include "hw/pc/usb_set.h"
#include "tests/fuzz/device.h"
#include "ui/input.h"

#define RAM_BYTES (64u << 10)
#define IO        0xC000
#define DEVFN     PCI_DEVFN(1, 2)
/* Where whole transfers are put; what the input stores goes anywhere. */
#define LIST   0x1000u
#define HEAD   0x2000u
#define TDS    0x2100u
#define PACKET 0x2800u
#define DATA   0x3000u

struct fuzz {
    struct fuzz_device d;
    struct uhci *uhci;
    struct usb_set *set;
    struct input *input;
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
    fuzz_step(&z->d, ns, 1000);
}

static void make_list(struct fuzz *z, uint32_t entry)
{
    for (unsigned i = 0; i < 1024; i++)
        put32(z, LIST + i * 4, entry);
}

static void enable_port(struct fuzz *z, unsigned port)
{
    const uint16_t reg = (uint16_t)(IO + 0x10 + 2 * port);
    bus_port_write(z->d.bus, reg, 2, 0x0200);
    bus_port_write(z->d.bus, reg, 2, 0x0000);
    bus_port_write(z->d.bus, reg, 2, 0x0004);
}

/* A control transfer, or one at endpoint 1, as a driver lays it out, and time for it. */
static void transfer(struct fuzz *z)
{
    const uint8_t address = (uint8_t)(take(z, 1) % 6), shape = (uint8_t)take(z, 1);
    const uint32_t head = 0x00800000u | (shape & 3u) << 27;
    uint32_t td = TDS;
    if (shape & 0x80) {
        put32(z, td, 1);
        put32(z, td + 4, head | 1u << 24);
        put32(z, td + 8, 0x69 | address << 8 | 1u << 15 | 7u << 21);
        put32(z, td + 12, DATA);
    } else {
        uint8_t packet[8];
        for (unsigned i = 0; i < 8; i++)
            packet[i] = (uint8_t)take(z, 1);
        memcpy(z->d.hv->ram + PACKET, packet, 8);
        const uint32_t pid = packet[0] & 0x80 ? 0x69 : 0xE1;
        put32(z, td, (td + 16) | 4);
        put32(z, td + 4, head);
        put32(z, td + 8, 0x2D | address << 8 | 7u << 21);
        put32(z, td + 12, PACKET);
        for (unsigned n = shape >> 2 & 7; n; n--) {
            td += 16;
            put32(z, td, (td + 16) | 4);
            put32(z, td + 4, head | (shape & 0x20u) << 24);
            put32(z, td + 8, pid | address << 8 | 7u << 21);
            put32(z, td + 12, DATA + n * 8);
        }
        td += 16;
        put32(z, td, 1);
        put32(z, td + 4, head | 1u << 24);
        put32(z, td + 8, (pid == 0x69 ? 0xE1u : 0x69u) | address << 8 | 0x7FFu << 21);
    }
    make_list(z, HEAD | 2);
    put32(z, HEAD, 1);
    put32(z, HEAD + 4, TDS);
    bus_port_write(z->d.bus, IO + 8, 4, LIST);
    bus_port_write(z->d.bus, IO, 2, 0xC1);
    step(z, (shape & 0x40 ? 200 : 20) * NS_PER_MS);
}

static void plug(struct fuzz *z, bool in)
{
    static struct err err;
    static const char *const ports[] = {NULL, "1", "2", "2.1", "2.2", "2.1.1", "2.8", "3"};
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

/* The controller, or one of the devices. */
static struct device *usb_device(struct fuzz *z)
{
    struct device *d = z->d.devices.first;
    for (unsigned n = take(z, 1) & 7; n && d->next; n--)
        d = d->next;
    return d;
}

static void one(struct fuzz *z)
{
    const uint8_t op = (uint8_t)take(z, 1);
    const uint16_t reg = (uint16_t)(IO + (op >> 4) * 2);
    switch (op & 15) {
    case 0:
        bus_port_write(z->d.bus, reg, 2, take(z, 2));
        break;
    case 1:
        bus_port_write(z->d.bus, reg, op & 0x10 ? 4 : 1, take(z, 4));
        break;
    case 2:
        bus_port_read(z->d.bus, reg, 1u << (op >> 4) % 3);
        break;
    case 3:
    case 4:
    case 5:
        transfer(z);
        break;
    case 6:
        enable_port(z, op >> 4 & 1);
        break;
    case 7: { /* a link anywhere, or a whole descriptor */
        const uint32_t at = take(z, 2) & ~15u;
        for (unsigned i = 0; i < (op & 0x10 ? 4 : 1); i++)
            put32(z, at + 4 * i, take(z, i == 0 ? 2 : 4));
        break;
    }
    case 8:
        make_list(z, take(z, 2));
        break;
    case 9:
    case 10:
        step(z, (uint64_t)take(z, 1) * (op & 0x10 ? 8 : 1) * NS_PER_MS);
        break;
    case 11:
        if (op & 0x10)
            input_key(z->input, take(z, 1), op & 0x20);
        else
            input_pointer_at(z->input, (int)take(z, 1), (int)take(z, 1), 200, 200, (op >> 5) - 4,
                             take(z, 1));
        break;
    case 12:
        input_pointer_by(z->input, (int)take(z, 4), (int)take(z, 4), 200, 200, 0, take(z, 1));
        break;
    case 13:
        plug(z, op & 0x10);
        break;
    case 14:
        if (op & 0x10)
            fuzz_stop_and_move(&z->d, op & 0x20);
        else
            bus_pci_write(z->d.bus, DEVFN, 0xC0, 2, take(z, 2));
        break;
    default:
        if (op & 0x10)
            fuzz_hostile_state(&z->d, usb_device(z));
        else
            device_reset(z->d.devices.first);
    }
    bus_pci_write(z->d.bus, DEVFN, 0x20, 4, IO);
    bus_pci_write(z->d.bus, DEVFN, 0x04, 2, 5);
}

static void build(struct fuzz *z)
{
    static struct err err;
    static const struct config_usb_device devices[] = {
        {.kind = CONFIG_USB_TABLET}, {.kind = CONFIG_USB_MOUSE}, {.kind = CONFIG_USB_KEYBOARD}};
    struct usb_port *ports[UHCI_PORTS];
    for (unsigned i = 0; i < UHCI_PORTS; i++)
        ports[i] = uhci_port(z->uhci, i);
    fuzz_assert(usb_set_add_bus(z->set, "usb-bus.0", ports, UHCI_PORTS, &err));
    for (unsigned i = 0; i < 3; i++)
        fuzz_assert(usb_set_plug(z->set, &devices[i], &err));
    devices_reset(&z->d.devices);
    bus_pci_write(z->d.bus, DEVFN, 0x20, 4, IO);
    bus_pci_write(z->d.bus, DEVFN, 0x04, 2, 5);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    static struct err err;
    struct fuzz z = {0};
    fuzz_open(&z.d, input, size, RAM_BYTES);
    z.input = input_new();
    z.set = usb_set_new(&z.d.clock, z.input, &z.d.devices);
    z.uhci = uhci_realize(z.d.pci, z.d.dma, &z.d.clock, &z.d.devices, DEVFN, 0, &err);
    fuzz_assert(z.uhci && z.set);
    build(&z);
    for (unsigned steps = 0; z.d.in.left && steps < 1024; steps++)
        one(&z);
    /* Whatever it did: after a reset everything is as new, and nobody has events. */
    devices_reset(&z.d.devices);
    bus_pci_write(z.d.bus, DEVFN, 0x20, 4, IO);
    bus_pci_write(z.d.bus, DEVFN, 0x04, 2, 5);
    fuzz_assert(bus_port_read(z.d.bus, IO + 2, 2) == 0x0020);
    fuzz_assert(!input_current_pointer(z.input));
    usb_set_free(z.set);
    fuzz_close(&z.d);
    fuzz_assert(!input_pointer_nth(z.input, 0));
    input_free(z.input);
    return 0;
}
