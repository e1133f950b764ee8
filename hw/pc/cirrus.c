/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cirrus: see cirrus.h. The CL-GD5446 as PCI function 1013:00B8: its mappings and its life.
 *
 * Cirrus Logic, CL-GD5446 Technical Reference Manual (1996), "PCI Configuration Registers". BAR 0
 * is 32 MiB: video memory at 0, with bytes swapped at 4 and 8 MiB, BLT data at 16 MiB; BAR 1 has
 * the VGA's ports from 3C0h on and at 100h the BLT's registers.
 */
#include "hw/pc/cirrus.h"

#include <stdlib.h>

#include "hw/core/device.h"
#include "hw/pc/cirrus_int.h"
#include "hw/xen/hypervisor.h"

#define BAR_APERTURES 0
#define BAR_MMIO      1
#define APERTURES     (32u << 20)
#define MMIO_SIZE     4096
#define PAGE          4096

static const struct state_field fields[] = {
    STATE_PCI(struct cirrus),
    STATE_STRUCT(struct cirrus, core, vga_core_state),
    STATE_STRUCT(struct cirrus, blt, cirrus_blt_state),
    STATE_UINT(struct cirrus, seq_index),
    STATE_ARRAY(struct cirrus, seq),
    STATE_LIMIT(struct cirrus, gfx_index, CIRRUS_GFX_COUNT - 1),
    STATE_ARRAY(struct cirrus, gfx),
    STATE_ARRAY(struct cirrus, crtc),
    STATE_UINT(struct cirrus, hidden_dac),
    STATE_LIMIT(struct cirrus, hidden_reads, 4),
    STATE_ARRAY(struct cirrus, colours),
    STATE_LIMIT(struct cirrus, cursor_x, 2047),
    STATE_LIMIT(struct cirrus, cursor_y, 2047),
    STATE_UINT(struct cirrus, vram_where, .keep_on_reset = true),
    STATE_FIELDS_END,
};

static void reset(struct device *d)
{
    struct cirrus *c = (struct cirrus *)d;
    c->core.fonts_changed = true;
    cirrus_power_on(c);
    cirrus_memory_reset(c);
    pci_device_reset(&c->pci);
}

static void quiesce(struct device *d)
{
    struct cirrus *c = (struct cirrus *)d;
    c->vram_where = hv_vram_where(c->hv);
}

static bool post_load(struct device *d, struct err *err)
{
    struct cirrus *c = (struct cirrus *)d;
    if (c->vram_where != HV_VRAM_PARKED && c->vram_where % PAGE)
        return err_set(err, "video memory at %#llx", (unsigned long long)c->vram_where);
    vga_screen_forget(&c->screen);
    /* Where video memory really was: not at its BAR if that is off, or was refused, or while it is
     * not to be plain memory. */
    if (c->vram_where != HV_VRAM_PARKED)
        hv_vram_move(c->hv, c->vram_where);
    vga_reach_all(&c->core);
    cirrus_memory_reset(c);
    cirrus_registers_changed(c);
    pci_device_loaded(&c->pci);
    if (c->pci.bars[BAR_APERTURES].where == PCI_UNMAPPED)
        hv_vram_move(c->hv, HV_VRAM_PARKED);
    return true;
}

static void destroy(struct device *d)
{
    struct cirrus *c = (struct cirrus *)d;
    vga_screen_destroy(&c->screen);
    vga_ports_unmap(&c->ports);
    pci_device_destroy(&c->pci);
    cirrus_memory_destroy(c);
    vga_core_destroy(&c->core);
    free(c);
}

static const struct device_class class = {
    .name = "cirrus",
    .version = 1,
    .state = fields,
    .reset = reset,
    .quiesce = quiesce,
    .post_load = post_load,
    .destroy = destroy,
};

struct cirrus *cirrus_realize(struct pci_bus *pci, struct bus *bus, struct hypervisor *hv,
                              struct clock *clock, struct display *display,
                              struct device_list *devices, const struct cirrus_config *config,
                              struct err *err)
{
    static const struct pci_id id = {
        .vendor = 0x1013,
        .device = 0x00B8,
        .subsystem_vendor = 0x5853,
        .subsystem = 0x0001,
        .class_code = 0x030000,
    };
    struct cirrus *c = calloc(1, sizeof(*c));
    if (!c) {
        err_set(err, "out of memory");
        return NULL;
    }
    c->bus = bus;
    c->hv = hv;
    c->vram_where = HV_VRAM_PARKED;
    c->core.clock = clock;
    cirrus_memory_init(c);
    bool ok =
        vga_screen_init(&c->screen, &c->core, hv, clock, CIRRUS_MEMORY, cirrus_frame, c, err) &&
        pci_device_init(&c->pci, pci, config->devfn, &id, err) &&
        vga_ports_map(&c->ports, bus, cirrus_port_read, cirrus_port_write, c, err) &&
        bus_map(bus, &c->window, IO_MEMORY, VGA_WINDOW, VGA_WINDOW_SIZE, err);
    if (!ok) {
        destroy(&c->pci.device);
        return NULL;
    }
    pci_add_ram_bar(&c->pci, BAR_APERTURES, APERTURES, cirrus_aperture_moved);
    pci_add_bar(&c->pci, BAR_MMIO, PCI_BAR_MEMORY, MMIO_SIZE, false, "Cirrus registers",
                &cirrus_mmio_ops, c);
    if (config->rom && config->rom_len)
        pci_add_rom(&c->pci, "VGA BIOS", config->rom, config->rom_len);
    pci_device_realized(&c->pci);
    device_add(devices, &c->pci.device, &class, "0");
    device_reset(&c->pci.device);
    vga_screen_connect(&c->screen, display);
    return c;
}
