/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vga: see vga.h. The VGA core as PCI function 1234:1111 with its port, window and register
 * mappings. Register BAR: QEMU docs/specs/standard-vga.txt.
 */
#include "hw/pc/vga.h"

#include <stdlib.h>

#include "hw/core/bus.h"
#include "hw/core/device.h"
#include "hw/pc/edid.h"
#include "hw/pc/pci.h"
#include "hw/pc/vga_core.h"
#include "hw/pc/vga_ports.h"
#include "hw/pc/vga_screen.h"
#include "hw/xen/hypervisor.h"

#define BAR_VRAM   0
#define BAR_MMIO   2
#define MMIO_SIZE  4096
#define MMIO_PORTS 0x400 /* 3C0h-3DFh */
#define MMIO_VBE   0x500 /* VBE registers as 16-bit words */
#define MMIO_EXT   0x600 /* size of this block, byte order of the frame buffer */
#define EXT_SIZE   8
#define LITTLE     0x1E1E1E1E
#define PORT_VBE   0x1CE /* index; data at 1CFh and 1D0h */
#define PAGE       4096

struct vga {
    struct pci_device pci;
    struct vga_core core;
    uint64_t vram_where; /* in guest memory, as of the last quiesce: for the saved state */
    struct bus *bus;
    struct hypervisor *hv;
    struct vga_ports ports;
    struct io_region vbe_ports;
    struct io_region window;
    struct vga_screen screen;
    bool has_edid;
    uint8_t edid[EDID_SIZE];
};

static const struct state_field fields[] = {
    STATE_PCI(struct vga),
    STATE_STRUCT(struct vga, core, vga_core_state),
    STATE_UINT(struct vga, vram_where, .keep_on_reset = true),
    STATE_FIELDS_END,
};

/* Ports and memory ------------------------------------------------------------------------ */

static void touched(struct vga_core *core)
{
    if (core->watched)
        vga_screen_touched(
            &((struct vga *)(void *)((char *)core - offsetof(struct vga, core)))->screen);
}

static uint8_t port_read(void *opaque, uint16_t port)
{
    return vga_port_read(opaque, port);
}

static void port_write(void *opaque, uint16_t port, uint8_t value)
{
    vga_port_write(opaque, port, value);
    touched(opaque);
}

/* 16-bit registers at odd and even ports: the index is 1CEh, the data 1CFh (as the ID says) or
 * 1D0h. */
static uint64_t vbe_port_read(void *opaque, uint64_t offset, unsigned width)
{
    const struct vga_core *core = opaque;
    if (width != 2)
        return UINT64_MAX;
    return offset == 0 ? core->vbe_index : vbe_read(core, core->vbe_index);
}

static void vbe_port_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct vga_core *core = opaque;
    if (width != 2)
        return;
    if (offset == 0)
        core->vbe_index = (uint16_t)value;
    else
        vbe_write(core, core->vbe_index, (uint16_t)value);
    touched(core);
}

static const struct io_ops vbe_port_ops = {
    .widths = 1 | 2, .read = vbe_port_read, .write = vbe_port_write};

static uint64_t window_read(void *opaque, uint64_t offset, unsigned width)
{
    uint64_t v = 0;
    vga_window_read(opaque, (uint32_t)offset, (uint8_t *)&v, width);
    return v;
}

static void window_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    vga_window_write(opaque, (uint32_t)offset, (const uint8_t *)&value, width);
    touched(opaque);
}

static uint32_t window_read_run(void *opaque, uint64_t offset, unsigned width, void *buf,
                                uint32_t count)
{
    vga_window_read(opaque, (uint32_t)offset, buf, (size_t)width * count);
    return count;
}

static uint32_t window_write_run(void *opaque, uint64_t offset, unsigned width, const void *buf,
                                 uint32_t count)
{
    vga_window_write(opaque, (uint32_t)offset, buf, (size_t)width * count);
    touched(opaque);
    return count;
}

static const struct io_ops window_ops = {
    .widths = 1 | 2 | 4 | 8,
    .read = window_read,
    .write = window_write,
    .read_run = window_read_run,
    .write_run = window_write_run,
};

/* The register BAR. Without an EDID its first 1 KiB is empty, as on the stock machine. */
static uint64_t mmio_read(void *opaque, uint64_t offset, unsigned width)
{
    struct vga *vga = opaque;
    struct vga_core *core = &vga->core;
    if (vga->has_edid && offset + width <= MMIO_PORTS) {
        uint64_t bytes = 0;
        for (unsigned i = 0; i < width; i++)
            if (offset + i < EDID_SIZE)
                bytes |= (uint64_t)vga->edid[offset + i] << (8 * i);
        return bytes;
    }
    if (offset >= MMIO_PORTS && offset + width <= MMIO_PORTS + 0x20) {
        uint64_t v = 0;
        for (unsigned i = 0; i < width; i++) {
            uint16_t port = (uint16_t)(0x3C0 + offset - MMIO_PORTS + i);
            v |= (uint64_t)vga_port_read(core, port) << (8 * i);
        }
        return v;
    }
    if (offset >= MMIO_VBE && offset < MMIO_VBE + 2 * (VBE_COUNT + 1) && offset % 2 + width <= 2)
        return (uint64_t)vbe_read(core, (uint16_t)((offset - MMIO_VBE) / 2)) >> (offset % 2 * 8);
    if (offset >= MMIO_EXT && offset + width <= MMIO_EXT + EXT_SIZE)
        return ((uint64_t)LITTLE << 32 | EXT_SIZE) >> (8 * (offset - MMIO_EXT));
    return UINT64_MAX;
}

/* The byte order is not to be changed: no big-endian guest runs here. */
static void mmio_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct vga_core *core = &((struct vga *)opaque)->core;
    if (offset >= MMIO_PORTS && offset + width <= MMIO_PORTS + 0x20) {
        for (unsigned i = 0; i < width; i++)
            vga_port_write(core, (uint16_t)(0x3C0 + offset - MMIO_PORTS + i),
                           (uint8_t)(value >> (8 * i)));
    } else if (offset >= MMIO_VBE && offset < MMIO_VBE + 2 * (VBE_COUNT + 1) && width == 2 &&
               offset % 2 == 0) {
        vbe_write(core, (uint16_t)((offset - MMIO_VBE) / 2), (uint16_t)value);
    }
    touched(core);
}

static const struct io_ops mmio_ops = {.widths = 1 | 2 | 4, .read = mmio_read, .write = mmio_write};

static void vram_moved(struct pci_device *d, uint64_t where)
{
    struct vga *v = (struct vga *)d;
    hv_vram_move(v->hv, where == PCI_UNMAPPED ? HV_VRAM_PARKED : where);
}

static void frame(void *opaque, const struct vga_frame *blank, struct vga_frame *frame,
                  struct vga_overlay *overlay)
{
    (void)overlay;
    vga_core_frame(opaque, blank, frame);
}

/* Life ------------------------------------------------------------------------------------ */

static void reset(struct device *d)
{
    struct vga *v = (struct vga *)d;
    v->core.vbe[VBE_ID] = VBE_ID_LAST;
    v->core.fonts_changed = true;
    pci_device_reset(&v->pci);
}

static void quiesce(struct device *d)
{
    struct vga *v = (struct vga *)d;
    v->vram_where = hv_vram_where(v->hv);
}

static bool post_load(struct device *d, struct err *err)
{
    struct vga *v = (struct vga *)d;
    if (v->vram_where != HV_VRAM_PARKED && v->vram_where % PAGE)
        return err_set(err, "video memory at %#llx", (unsigned long long)v->vram_where);
    v->core.vbe[VBE_BANK] &= (uint16_t)((v->core.vram_bytes >> 16) - 1);
    vbe_fix_mode(&v->core);
    vga_screen_forget(&v->screen);
    /* Where video memory really was: not at its BAR if that is off, or was refused. */
    if (v->vram_where != HV_VRAM_PARKED)
        hv_vram_move(v->hv, v->vram_where);
    if (vbe_enabled(&v->core))
        vga_reach_all(&v->core);
    pci_device_loaded(&v->pci);
    if (v->pci.bars[BAR_VRAM].where == PCI_UNMAPPED)
        hv_vram_move(v->hv, HV_VRAM_PARKED);
    return true;
}

static void destroy(struct device *d)
{
    struct vga *v = (struct vga *)d;
    vga_screen_destroy(&v->screen);
    vga_ports_unmap(&v->ports);
    bus_unmap(v->bus, &v->vbe_ports);
    bus_unmap(v->bus, &v->window);
    pci_device_destroy(&v->pci);
    vga_core_destroy(&v->core);
    free(v);
}

static const struct device_class class = {
    .name = "vga",
    .version = 1,
    .state = fields,
    .reset = reset,
    .quiesce = quiesce,
    .post_load = post_load,
    .destroy = destroy,
};

static bool map_all(struct vga *v, struct err *err)
{
    io_region_init(&v->vbe_ports, "VBE", &vbe_port_ops, &v->core);
    io_region_init(&v->window, "VGA window", &window_ops, &v->core);
    return vga_ports_map(&v->ports, v->bus, port_read, port_write, &v->core, err) &&
           bus_map(v->bus, &v->vbe_ports, IO_PORT, PORT_VBE, 4, err) &&
           bus_map(v->bus, &v->window, IO_MEMORY, VGA_WINDOW, VGA_WINDOW_SIZE, err);
}

struct vga *vga_realize(struct pci_bus *pci, struct bus *bus, struct hypervisor *hv,
                        struct clock *clock, struct display *display, struct device_list *devices,
                        const struct vga_config *config, struct err *err)
{
    static const struct pci_id id = {
        .vendor = 0x1234,
        .device = 0x1111,
        .subsystem_vendor = 0x5853,
        .subsystem = 0x0001,
        .class_code = 0x030000,
        .revision = 2,
    };
    uint32_t bytes = config->memory;
    if (bytes < VGA_MIN_MEMORY || bytes > VGA_MAX_MEMORY || (bytes & (bytes - 1))) {
        err_set(err, "%u bytes of video memory: must be a power of two from 1 to 256 MiB", bytes);
        return NULL;
    }
    struct vga *v = calloc(1, sizeof(*v));
    if (!v) {
        err_set(err, "out of memory");
        return NULL;
    }
    v->bus = bus;
    v->hv = hv;
    v->vram_where = HV_VRAM_PARKED;
    v->has_edid = config->xres || config->yres;
    if (v->has_edid && !edid_make(v->edid, config->xres, config->yres, bytes / 4)) {
        err_set(err, "a monitor of %ux%u: must be from %dx%d to %dx%d, the width a multiple of 8",
                config->xres, config->yres, EDID_MIN_X, EDID_MIN_Y, EDID_MAX_X, EDID_MAX_Y);
        free(v);
        return NULL;
    }
    bool ok = vga_screen_init(&v->screen, &v->core, hv, clock, bytes, frame, &v->core, err) &&
              pci_device_init(&v->pci, pci, config->devfn, &id, err) && map_all(v, err);
    if (!ok) {
        destroy(&v->pci.device);
        return NULL;
    }
    pci_add_ram_bar(&v->pci, BAR_VRAM, bytes, vram_moved);
    pci_add_bar(&v->pci, BAR_MMIO, PCI_BAR_MEMORY, MMIO_SIZE, false, "VGA registers", &mmio_ops, v);
    if (config->rom && config->rom_len)
        pci_add_rom(&v->pci, "VGA BIOS", config->rom, config->rom_len);
    pci_device_realized(&v->pci);
    device_add(devices, &v->pci.device, &class, "0");
    device_reset(&v->pci.device);
    vga_screen_connect(&v->screen, display);
    return v;
}
