/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vga_rig: a VGA card on the rig, its registers as a driver names them. */
#ifndef TESTS_DEVICE_VGA_RIG_H
#define TESTS_DEVICE_VGA_RIG_H

#include "tests/device/rig.h"
#include <stdlib.h>
#include <string.h>
#include "hw/pc/vga.h"
#include "hw/pc/vga_core.h"
#include "tests/device/vga_modes.h"
#include "ui/display.h"

#define SLOT   3
#define MEMORY (8u << 20)
#define LFB    0xE0000000u
#define MMIO   0xE8000000u
#define WINDOW 0xA0000u

struct box {
    struct rig *rig;
    struct display *display;
    struct vga *vga;
};

static const uint8_t rom[1536] = {0x55, 0xAA, 3};

static inline int setup(void **state)
{
    struct err err;
    const struct vga_config config = {
        .devfn = PCI_DEVFN(SLOT, 0), .memory = MEMORY, .rom = rom, .rom_len = sizeof(rom)};
    struct box *b = calloc(1, sizeof(*b));
    assert_non_null(b);
    b->rig = rig_new();
    b->display = display_new(&b->rig->clock);
    b->vga = vga_realize(b->rig->pci, b->rig->bus, b->rig->hv, &b->rig->clock, b->display,
                         &b->rig->devices, &config, &err);
    assert_non_null(b->vga);
    *state = b;
    return 0;
}

static inline int teardown(void **state)
{
    struct box *b = *state;
    devices_destroy(&b->rig->devices);
    display_free(b->display);
    rig_free(b->rig);
    free(b);
    return 0;
}

static inline void outb(void *to, uint16_t port, uint8_t v)
{
    rig_outb(((struct box *)to)->rig, port, v);
}

static inline uint8_t inb(void *to, uint16_t port)
{
    return rig_inb(((struct box *)to)->rig, port);
}

static inline void index_out(struct box *b, uint16_t port, uint8_t index, uint8_t v)
{
    rig_outw(b->rig, port, (uint16_t)(index | v << 8)); /* as drivers do: one word */
}

static inline void attr_out(struct box *b, uint8_t index, uint8_t v)
{
    inb(b, 0x3DA);
    outb(b, 0x3C0, index);
    outb(b, 0x3C0, v);
}

static inline uint8_t attr_in(struct box *b, uint8_t index)
{
    inb(b, 0x3DA);
    outb(b, 0x3C0, index);
    return inb(b, 0x3C1);
}

static inline void vbe_out(struct box *b, uint16_t index, uint16_t v)
{
    rig_outw(b->rig, 0x1CE, index);
    rig_outw(b->rig, 0x1CF, v);
}

static inline uint16_t vbe_in(struct box *b, uint16_t index)
{
    rig_outw(b->rig, 0x1CE, index);
    return rig_inw(b->rig, 0x1CF);
}

static inline void vbe_mode(struct box *b, uint16_t width, uint16_t height, uint16_t bpp,
                            uint16_t enable)
{
    vbe_out(b, VBE_ENABLE, 0);
    vbe_out(b, VBE_XRES, width);
    vbe_out(b, VBE_YRES, height);
    vbe_out(b, VBE_BPP, bpp);
    vbe_out(b, VBE_ENABLE, enable);
}

static inline void poke(struct box *b, uint32_t addr, uint8_t v)
{
    bus_mem_write(b->rig->bus, addr, 1, v);
}

static inline uint8_t peek(struct box *b, uint32_t addr)
{
    return (uint8_t)bus_mem_read(b->rig->bus, addr, 1);
}

static inline uint8_t *vram(struct box *b)
{
    return b->rig->hv->vram;
}

/* Memory ---------------------------------------------------------------------------------- */

static inline uint32_t cell(struct box *b, uint32_t n)
{
    uint32_t v;
    memcpy(&v, vram(b) + n * 4, 4);
    return v;
}

static inline void set_cell(struct box *b, uint32_t n, uint32_t v)
{
    memcpy(vram(b) + n * 4, &v, 4);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
