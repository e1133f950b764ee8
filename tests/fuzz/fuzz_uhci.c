/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hostile guest at the USB controller: the input is a program of register accesses, schedules in
 * memory, requests, steps of time, events from viewers, devices that come and go, stops and moves.
 * A tablet, a hub with a mouse and a keyboard behind it.
 */
#include <linux/input-event-codes.h>

#include "hw/core/bus.h"
#include "hw/core/clock.h"
#include "hw/core/device.h"
#include "hw/core/dma.h"
#include "hw/pc/pci.h"
#include "hw/pc/uhci.h"
#include "hw/pc/usb_set.h"
#include "tests/fake/hypervisor.h"
#include "tests/fuzz/fuzz.h"
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
    struct fuzz_input in;
    uint64_t now;
    struct clock clock;
    struct hypervisor *hv;
    struct bus *bus;
    struct device_list devices;
    struct uhci *uhci;
    struct usb_set *set;
    struct input *input;
};

static uint64_t clock_time(const struct clock *clock)
{
    return ((const struct fuzz *)(const void *)((const char *)clock - offsetof(struct fuzz, clock)))
        ->now;
}

static uint32_t take(struct fuzz *z, unsigned bytes)
{
    return (uint32_t)fuzz_take(&z->in, bytes);
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

static void put32(struct fuzz *z, uint32_t at, uint32_t v)
{
    memcpy(z->hv->ram + at % (RAM_BYTES - 4), &v, 4);
}

static void make_list(struct fuzz *z, uint32_t entry)
{
    for (unsigned i = 0; i < 1024; i++)
        put32(z, LIST + i * 4, entry);
}

static void enable_port(struct fuzz *z, unsigned port)
{
    const uint16_t reg = (uint16_t)(IO + 0x10 + 2 * port);
    bus_port_write(z->bus, reg, 2, 0x0200);
    bus_port_write(z->bus, reg, 2, 0x0000);
    bus_port_write(z->bus, reg, 2, 0x0004);
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
        memcpy(z->hv->ram + PACKET, packet, 8);
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
    bus_port_write(z->bus, IO + 8, 4, LIST);
    bus_port_write(z->bus, IO, 2, 0xC1);
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
    struct device *d = z->devices.first;
    for (unsigned n = take(z, 1) & 7; n && d->next; n--)
        d = d->next;
    const size_t len = state_size(d->class->state, d->class->version);
    uint8_t *record = malloc(len);
    fuzz_assert(record);
    devices_quiesce(&z->devices);
    state_save(d->class->state, d, d->class->version, record);
    for (unsigned n = take(z, 1) & 7; n; n--) {
        const size_t at = take(z, 2);
        record[at % len] = (uint8_t)take(z, 1);
    }
    if (!device_load(d, d->class->version, record, len, &err))
        devices_reset(&z->devices); /* the caller would not go on with it */
    free(record);
    devices_resume(&z->devices);
}

static void one(struct fuzz *z)
{
    const uint8_t op = (uint8_t)take(z, 1);
    const uint16_t reg = (uint16_t)(IO + (op >> 4) * 2);
    switch (op & 15) {
    case 0:
        bus_port_write(z->bus, reg, 2, take(z, 2));
        break;
    case 1:
        bus_port_write(z->bus, reg, op & 0x10 ? 4 : 1, take(z, 4));
        break;
    case 2:
        bus_port_read(z->bus, reg, 1u << (op >> 4) % 3);
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
            stop_and_move(z, op & 0x20);
        else
            bus_pci_write(z->bus, DEVFN, 0xC0, 2, take(z, 2));
        break;
    default:
        if (op & 0x10)
            hostile_state(z);
        else
            device_reset(z->devices.first);
    }
    bus_pci_write(z->bus, DEVFN, 0x20, 4, IO);
    bus_pci_write(z->bus, DEVFN, 0x04, 2, 5);
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
    devices_reset(&z->devices);
    bus_pci_write(z->bus, DEVFN, 0x20, 4, IO);
    bus_pci_write(z->bus, DEVFN, 0x04, 2, 5);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    static struct err err;
    struct fuzz z = {.in = {input, size}};
    z.hv = fake_hypervisor_new(RAM_BYTES);
    struct dma *dma = dma_new(z.hv);
    z.bus = bus_new(z.hv);
    struct pci_bus *pci = pci_bus_new(z.bus, z.hv);
    clock_init(&z.clock, clock_time);
    z.input = input_new();
    z.set = usb_set_new(&z.clock, z.input, &z.devices);
    z.uhci = uhci_realize(pci, dma, &z.clock, &z.devices, DEVFN, 0, &err);
    fuzz_assert(z.uhci && z.set);
    build(&z);
    for (unsigned steps = 0; z.in.left && steps < 1024; steps++)
        one(&z);
    /* Whatever it did: after a reset everything is as new, and nobody has events. */
    devices_reset(&z.devices);
    bus_pci_write(z.bus, DEVFN, 0x20, 4, IO);
    bus_pci_write(z.bus, DEVFN, 0x04, 2, 5);
    fuzz_assert(bus_port_read(z.bus, IO + 2, 2) == 0x0020);
    fuzz_assert(!input_current_pointer(z.input));
    fuzz_assert(z.hv->maps == 0);
    usb_set_free(z.set);
    devices_destroy(&z.devices);
    fuzz_assert(!input_pointer_nth(z.input, 0));
    input_free(z.input);
    pci_bus_free(pci);
    dma_free(dma);
    bus_free(z.bus);
    clock_destroy(&z.clock);
    fake_hypervisor_free(z.hv);
    return 0;
}
