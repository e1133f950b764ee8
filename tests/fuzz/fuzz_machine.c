/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hostile guest: the input is a program of port, memory and configuration accesses, string I/O,
 * writes to guest memory (descriptors, packets), steps of time, disk completions and errors,
 * viewers looking and state going round. The whole PC is behind it.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hw/core/bus.h"
#include "hw/core/device.h"
#include "tests/device/machine_rig.h"
#include "tests/fake/block.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input_bytes {
    const uint8_t *p;
    size_t left;
};

static uint64_t take(struct input_bytes *in, unsigned bytes)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < bytes && in->left; i++, in->p++, in->left--)
        v |= (uint64_t)*in->p << (8 * i);
    return v;
}

/* Ports that somebody answers at, so that most accesses hit something. */
static const uint16_t ports[] = {
    0x10,   0x12,   0x60,   0x64,   0x70,   0x71,   0x92,  0x1F0, 0x1F1,  0x1F2,  0x1F3,  0x1F4,
    0x1F5,  0x1F6,  0x1F7,  0x3F6,  0x170,  0x171,  0x172, 0x173, 0x174,  0x175,  0x176,  0x177,
    0x376,  0x1CE,  0x1CF,  0x3C0,  0x3C2,  0x3C4,  0x3C5, 0x3C6, 0x3C7,  0x3C8,  0x3C9,  0x3CE,
    0x3CF,  0x3D4,  0x3D5,  0x3DA,  0x3B4,  0x3B5,  0x3F0, 0x3F1, 0x3F2,  0x3F3,  0x3F4,  0x3F5,
    0x3F7,  0x3F8,  0x3F9,  0x3FA,  0x3FB,  0x3FC,  0x3FD, 0x3FE, 0x3FF,  0x00,   0x02,   0x08,
    0x0A,   0x0B,   0x0C,   0x0D,   0x81,   0xC0,   0xC4,  0xD4,  0xC000, 0xC002, 0xC004, 0xC008,
    0xC00A, 0xC00C, 0xB004, 0xAFE0, 0xAFE2, 0xAF00, 0xCF9,
};

static uint16_t choose_port(struct input_bytes *in)
{
    uint8_t v = (uint8_t)take(in, 1);
    if (v == 0xFF)
        return (uint16_t)take(in, 2);
    return ports[v % (sizeof(ports) / sizeof(ports[0]))];
}

static uint64_t choose_address(struct input_bytes *in)
{
    uint8_t v = (uint8_t)take(in, 1);
    uint64_t offset = take(in, 3);
    switch (v & 3) {
    case 0:
        return 0xA0000 + (offset & 0x1FFFF);
    case 1:
        return 0xF1000000 + (offset & 0xFFF); /* VGA registers, once its BAR 2 is there */
    case 2:
        return 0xF2000000 + (offset & 0xFFFFFF);
    default:
        return offset << (v >> 4);
    }
}

static void roundtrip(struct machine_rig *rig)
{
    struct device_list *devices = machine_devices(rig->machine);
    static struct err err;
    uint8_t *stream;
    size_t len;
    devices_quiesce(devices);
    if (devices_save(devices, &stream, &len, &err)) {
        if (!devices_load(devices, stream, len, &err))
            abort(); /* what a device saves it must take back */
        free(stream);
    }
    devices_resume(devices);
}

static void run(struct machine_rig *rig, struct input_bytes *in)
{
    struct bus *bus = machine_bus(rig->machine);
    uint8_t buf[1024];
    for (unsigned steps = 0; in->left && steps < 4096; steps++) {
        uint8_t op = (uint8_t)take(in, 1);
        unsigned width = 1u << (op >> 6 & 3);
        switch (op & 15) {
        case 0:
        case 1:
        case 2: {
            uint16_t port = choose_port(in);
            bus_port_write(bus, port, width & 7, (uint32_t)take(in, width & 7));
            break;
        }
        case 3:
        case 4:
            bus_port_read(bus, choose_port(in), width & 7);
            break;
        case 5: {
            uint64_t addr = choose_address(in);
            bus_mem_write(bus, addr, width, take(in, width));
            break;
        }
        case 6:
            bus_mem_read(bus, choose_address(in), width);
            break;
        case 7: {
            uint8_t devfn = (uint8_t)take(in, 1);
            unsigned reg = (unsigned)take(in, 1);
            bus_pci_write(bus, devfn & 1 ? PCI_DEVFN(3, 0) : devfn, reg, width & 7,
                          (uint32_t)take(in, 4));
            break;
        }
        case 8: {
            uint32_t count = (uint32_t)take(in, 1);
            memset(buf, (int)take(in, 1), sizeof(buf));
            bus_port_write_run(bus, choose_port(in), width & 7, buf, count);
            break;
        }
        case 9:
            bus_port_read_run(bus, choose_port(in), width & 7 ? width & 7 : 1, buf,
                              (uint32_t)take(in, 1));
            break;
        case 10: {
            uint64_t addr = choose_address(in);
            uint32_t count = (uint32_t)take(in, 1) & 127;
            memset(buf, (int)take(in, 1), sizeof(buf));
            bus_mem_write_run(bus, addr, width, buf, count);
            bus_mem_read_run(bus, addr, width, buf, count);
            break;
        }
        case 11: { /* guest memory: descriptor tables and packets */
            uint32_t at = (uint32_t)take(in, 2) % 0xFF00;
            uint8_t len = (uint8_t)take(in, 1) & 31;
            for (unsigned i = 0; i < len; i++)
                rig->hv->ram[at + i] = (uint8_t)take(in, 1);
            break;
        }
        case 12:
            machine_rig_step(rig, take(in, 2) * NS_PER_US);
            break;
        case 13:
            if (op & 0x40)
                fake_block_step(rig->disk);
            else
                machine_rig_disks(rig);
            break;
        case 14:
            display_refresh_now(rig->display);
            break;
        default:
            if (op & 0x40) {
                fake_block_heal(rig->disk);
                fake_block_fail(rig->disk, BLOCK_READ, 0, 1u << 20, EIO, 1);
            } else if (op & 0x80)
                input_key(rig->input, (unsigned)take(in, 1), op & 0x20);
            else if (op & 0x20)
                input_pointer_at(rig->input, (int)take(in, 2), (int)take(in, 2), 640, 480, 1, op);
            else
                roundtrip(rig);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct machine_rig *rig = machine_rig_new();
    struct bus *bus = machine_bus(rig->machine);
    struct input_bytes in = {.p = data, .left = size};
    /* As firmware leaves it: BARs placed, bus master on. */
    bus_pci_write(bus, PCI_DEVFN(1, 1), 0x20, 4, 0xC000);
    bus_pci_write(bus, PCI_DEVFN(1, 1), 0x04, 2, 5);
    bus_pci_write(bus, PCI_DEVFN(1, 1), 0x40, 4, 0x80008000);
    bus_pci_write(bus, PCI_DEVFN(1, 3), 0x40, 4, 0xB001);
    bus_pci_write(bus, PCI_DEVFN(1, 3), 0x80, 1, 1);
    bus_pci_write(bus, PCI_DEVFN(3, 0), 0x10, 4, 0xF0000000);
    bus_pci_write(bus, PCI_DEVFN(3, 0), 0x18, 4, 0xF1000000);
    bus_pci_write(bus, PCI_DEVFN(3, 0), 0x04, 2, 3);
    run(rig, &in);
    machine_rig_disks(rig);
    /* Whatever it did: after a reset everything answers as new. */
    machine_reset(rig->machine);
    machine_rig_disks(rig);
    if (bus_port_read(bus, 0x1F7, 1) & 0x80 || (bus_port_read(bus, 0x3FD, 1) & 0x60) != 0x60)
        abort();
    machine_rig_free(rig);
    return 0;
}
