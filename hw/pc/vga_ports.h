/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vga_ports: the VGA's ports 3B4h-3DAh on the bus, for every chip that is one. */
#ifndef HW_PC_VGA_PORTS_H
#define HW_PC_VGA_PORTS_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/core/bus.h"

#define VGA_PORT_RANGES 5

struct vga_ports {
    struct bus *bus;
    uint8_t (*read)(void *opaque, uint16_t port);
    void (*write)(void *opaque, uint16_t port, uint8_t value);
    void *opaque;
    struct vga_port_range {
        struct io_region region;
        struct vga_ports *ports;
        uint16_t first;
    } range[VGA_PORT_RANGES];
};

/* Claims the ports; each byte read or written is one call. False and *err when one is taken: what
 * was claimed stays so until vga_ports_unmap. */
bool vga_ports_map(struct vga_ports *ports, struct bus *bus,
                   uint8_t (*read)(void *opaque, uint16_t port),
                   void (*write)(void *opaque, uint16_t port, uint8_t value), void *opaque,
                   struct err *err);
/* Gives them back; nothing happens if they were never claimed. */
void vga_ports_unmap(struct vga_ports *ports);

#endif
