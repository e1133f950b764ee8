/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vga_ports: see vga_ports.h. IBM PS/2 Hardware Interface Technical Reference (1990), Video
 * Subsystem: the monochrome CRT controller, the registers common to both, the colour one.
 */
#include "hw/pc/vga_ports.h"

static const struct {
    uint16_t first, count;
} ranges[VGA_PORT_RANGES] = {
    {0x3B4, 2}, {0x3BA, 1}, {0x3C0, 16}, {0x3D4, 2}, {0x3DA, 1},
};

static uint64_t port_read(void *opaque, uint64_t offset, unsigned width)
{
    const struct vga_port_range *r = opaque;
    (void)width;
    return r->ports->read(r->ports->opaque, (uint16_t)(r->first + offset));
}

static void port_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    const struct vga_port_range *r = opaque;
    (void)width;
    r->ports->write(r->ports->opaque, (uint16_t)(r->first + offset), (uint8_t)value);
}

/* A palette is loaded by `rep outsb` to 3C9h. */
static uint32_t port_write_run(void *opaque, uint64_t offset, unsigned width, const void *buf,
                               uint32_t count)
{
    const uint8_t *bytes = buf;
    for (uint32_t i = 0; i < count; i++)
        port_write(opaque, offset, width, bytes[i]);
    return count;
}

static const struct io_ops ops = {
    .widths = 1, .read = port_read, .write = port_write, .write_run = port_write_run};

bool vga_ports_map(struct vga_ports *ports, struct bus *bus,
                   uint8_t (*read)(void *opaque, uint16_t port),
                   void (*write)(void *opaque, uint16_t port, uint8_t value), void *opaque,
                   struct err *err)
{
    ports->bus = bus;
    ports->read = read;
    ports->write = write;
    ports->opaque = opaque;
    for (unsigned i = 0; i < VGA_PORT_RANGES; i++) {
        struct vga_port_range *r = &ports->range[i];
        r->ports = ports;
        r->first = ranges[i].first;
        io_region_init(&r->region, "VGA", &ops, r);
        if (!bus_map(bus, &r->region, IO_PORT, r->first, ranges[i].count, err))
            return false;
    }
    return true;
}

void vga_ports_unmap(struct vga_ports *ports)
{
    for (unsigned i = 0; ports->bus && i < VGA_PORT_RANGES; i++)
        bus_unmap(ports->bus, &ports->range[i].region);
}
