/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cirrus: the Cirrus Logic CL-GD5446 on PCI, 1013:00B8, with 4 MiB of video memory: a VGA with
 * linear modes up to 32 bits a pixel, a hardware cursor and a BitBLT engine.
 */
#ifndef HW_PC_CIRRUS_H
#define HW_PC_CIRRUS_H

#include <stdint.h>

#include "hw/core/err.h"

struct bus;
struct cirrus;
struct clock;
struct device_list;
struct display;
struct hypervisor;
struct pci_bus;

#define CIRRUS_MEMORY (4u << 20) /* what the chip can address */

struct cirrus_config {
    uint8_t devfn;
    const uint8_t *rom; /* the VGA BIOS, which outlives the device; NULL: none */
    uint32_t rom_len;
};

/*
 * Creates video memory (hv_vram_create), claims ports and window and becomes the display's source.
 * display may be NULL (a machine nobody can look at). Destroyed with the list it is added to. NULL
 * and *err when memory cannot be had or an address is taken.
 */
struct cirrus *cirrus_realize(struct pci_bus *pci, struct bus *bus, struct hypervisor *hv,
                              struct clock *clock, struct display *display,
                              struct device_list *devices, const struct cirrus_config *config,
                              struct err *err);

#endif
