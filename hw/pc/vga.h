/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vga: the standard VGA with the Bochs VBE extensions, PCI 1234:1111: ports 3B4h-3DAh and
 * 1CEh-1D0h, memory window A0000h-BFFFFh, linear frame buffer (BAR 0), registers (BAR 2), VGA BIOS
 * (ROM BAR).
 */
#ifndef HW_PC_VGA_H
#define HW_PC_VGA_H

#include <stdint.h>

#include "hw/core/err.h"

struct bus;
struct clock;
struct device_list;
struct display;
struct hypervisor;
struct pci_bus;
struct vga;

#define VGA_MIN_MEMORY (1u << 20)
#define VGA_MAX_MEMORY (256u << 20)

struct vga_config {
    uint8_t devfn;
    uint32_t memory;     /* bytes: a power of two, VGA_MIN_MEMORY..VGA_MAX_MEMORY */
    unsigned xres, yres; /* of the monitor that BAR 2 describes (edid.h); 0: it does not */
    const uint8_t *rom;  /* the VGA BIOS, which outlives the device; NULL: none */
    uint32_t rom_len;
};

/*
 * Creates video memory (hv_vram_create), claims ports and window and becomes the display's source.
 * display may be NULL (a machine nobody can look at). Destroyed with the list it is added to. NULL
 * and *err when the memory size is out of range or an address is taken.
 */
struct vga *vga_realize(struct pci_bus *pci, struct bus *bus, struct hypervisor *hv,
                        struct clock *clock, struct display *display, struct device_list *devices,
                        const struct vga_config *config, struct err *err);

#endif
