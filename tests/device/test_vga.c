/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The VGA as a driver finds it: PCI function, registers, memory window, VBE; and as a hostile guest
 * treats it. */
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

static int setup(void **state)
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

static int teardown(void **state)
{
    struct box *b = *state;
    devices_destroy(&b->rig->devices);
    display_free(b->display);
    rig_free(b->rig);
    free(b);
    return 0;
}

static void outb(void *to, uint16_t port, uint8_t v)
{
    rig_outb(((struct box *)to)->rig, port, v);
}

static uint8_t inb(void *to, uint16_t port)
{
    return rig_inb(((struct box *)to)->rig, port);
}

static void index_out(struct box *b, uint16_t port, uint8_t index, uint8_t v)
{
    rig_outw(b->rig, port, (uint16_t)(index | v << 8)); /* as drivers do: one word */
}

static uint8_t index_in(struct box *b, uint16_t port, uint8_t index)
{
    outb(b, port, index);
    return inb(b, (uint16_t)(port + 1));
}

static void attr_out(struct box *b, uint8_t index, uint8_t v)
{
    inb(b, 0x3DA);
    outb(b, 0x3C0, index);
    outb(b, 0x3C0, v);
}

static uint8_t attr_in(struct box *b, uint8_t index)
{
    inb(b, 0x3DA);
    outb(b, 0x3C0, index);
    return inb(b, 0x3C1);
}

static void vbe_out(struct box *b, uint16_t index, uint16_t v)
{
    rig_outw(b->rig, 0x1CE, index);
    rig_outw(b->rig, 0x1CF, v);
}

static uint16_t vbe_in(struct box *b, uint16_t index)
{
    rig_outw(b->rig, 0x1CE, index);
    return rig_inw(b->rig, 0x1CF);
}

static void vbe_mode(struct box *b, uint16_t width, uint16_t height, uint16_t bpp, uint16_t enable)
{
    vbe_out(b, VBE_ENABLE, 0);
    vbe_out(b, VBE_XRES, width);
    vbe_out(b, VBE_YRES, height);
    vbe_out(b, VBE_BPP, bpp);
    vbe_out(b, VBE_ENABLE, enable);
}

static void poke(struct box *b, uint32_t addr, uint8_t v)
{
    bus_mem_write(b->rig->bus, addr, 1, v);
}

static uint8_t peek(struct box *b, uint32_t addr)
{
    return (uint8_t)bus_mem_read(b->rig->bus, addr, 1);
}

static uint8_t *vram(struct box *b)
{
    return b->rig->hv->vram;
}

/* PCI ------------------------------------------------------------------------------------- */

static void test_pci_function(void **state)
{
    struct box *b = *state;
    struct rig *r = b->rig;
    assert_int_equal(rig_pci_read(r, SLOT, 0, 0x00, 4), 0x11111234);
    assert_int_equal(rig_pci_read(r, SLOT, 0, 0x08, 4), 0x03000002);
    assert_int_equal(rig_pci_read(r, SLOT, 0, 0x2C, 4), 0x00015853);
    assert_int_equal(rig_pci_read(r, SLOT, 0, 0x3C, 2), 0x0000);
    static const struct {
        unsigned reg;
        uint32_t size;
    } bars[] = {{0x10, 0xFF800008}, {0x14, 0}, {0x18, 0xFFFFF000}, {0x1C, 0}, {0x30, 0xFFFFF801}};
    for (size_t i = 0; i < sizeof(bars) / sizeof(bars[0]); i++) {
        rig_pci_write(r, SLOT, 0, bars[i].reg, 4, UINT32_MAX);
        assert_int_equal(rig_pci_read(r, SLOT, 0, bars[i].reg, 4), bars[i].size);
    }
}

static void test_claims(void **state)
{
    struct box *b = *state;
    struct hypervisor *hv = b->rig->hv;
    assert_true(fake_claimed(hv, 'c', PCI_DEVFN(SLOT, 0), PCI_DEVFN(SLOT, 0)));
    assert_true(fake_claimed(hv, 'm', 0xA0000, 0xBFFFF));
    assert_true(fake_claimed(hv, 'p', 0x3B4, 0x3B5));
    assert_true(fake_claimed(hv, 'p', 0x3BA, 0x3BA));
    assert_true(fake_claimed(hv, 'p', 0x3C0, 0x3CF));
    assert_true(fake_claimed(hv, 'p', 0x3D4, 0x3D5));
    assert_true(fake_claimed(hv, 'p', 0x3DA, 0x3DA));
    assert_true(fake_claimed(hv, 'p', 0x1CE, 0x1D1));
}

static void test_frame_buffer_bar_moves_vram(void **state)
{
    struct box *b = *state;
    struct rig *r = b->rig;
    assert_int_equal(r->hv->vram_bytes, MEMORY);
    rig_pci_write(r, SLOT, 0, 0x10, 4, LFB);
    assert_int_equal(r->hv->vram_where, HV_VRAM_PARKED);
    rig_pci_write(r, SLOT, 0, 0x04, 2, 2);
    assert_int_equal(r->hv->vram_where, LFB);
    rig_pci_write(r, SLOT, 0, 0x10, 4, LFB + MEMORY);
    assert_int_equal(r->hv->vram_where, LFB + MEMORY);
    rig_pci_write(r, SLOT, 0, 0x04, 2, 0);
    assert_int_equal(r->hv->vram_where, HV_VRAM_PARKED);
    rig_pci_write(r, SLOT, 0, 0x04, 2, 2);
    device_reset(r->devices.first);
    assert_int_equal(r->hv->vram_where, HV_VRAM_PARKED);
}

static void test_register_bar(void **state)
{
    struct box *b = *state;
    struct rig *r = b->rig;
    rig_pci_write(r, SLOT, 0, 0x18, 4, MMIO);
    rig_pci_write(r, SLOT, 0, 0x04, 2, 2);
    assert_int_equal(rig_mem_read(r, MMIO, 4), 0xFFFFFFFF); /* no EDID */
    assert_int_equal(rig_mem_read(r, MMIO + 0x600, 4), 8);
    assert_int_equal(rig_mem_read(r, MMIO + 0x604, 4), 0x1E1E1E1E);
    rig_mem_write(r, MMIO + 0x604, 4, 0xBEBEBEBE);
    assert_int_equal(rig_mem_read(r, MMIO + 0x604, 4), 0x1E1E1E1E);
    assert_int_equal(rig_mem_read(r, MMIO + 0x608, 4), 0xFFFFFFFF);

    assert_int_equal(rig_mem_read(r, MMIO + 0x500, 2), 0xB0C5);
    assert_int_equal(rig_mem_read(r, MMIO + 0x501, 1), 0xB0);
    rig_mem_write(r, MMIO + 0x502, 2, 1234);
    assert_int_equal(vbe_in(b, VBE_XRES), 1234);
    rig_mem_write(r, MMIO + 0x502, 1, 9); /* half a register: dropped */
    assert_int_equal(vbe_in(b, VBE_XRES), 1234);
    rig_mem_write(r, MMIO + 0x504, 4, 24 << 16 | 768); /* two registers at once */
    assert_int_equal(rig_mem_read(r, MMIO + 0x514, 2), MEMORY >> 16);
    assert_int_equal(rig_mem_read(r, MMIO + 0x516, 2), 0xFFFF);

    rig_mem_write(r, MMIO + 0x402, 1, 0x67); /* 3C2h */
    assert_int_equal(inb(b, 0x3CC), 0x67);
    rig_mem_write(r, MMIO + 0x404, 2, 0x0A02); /* 3C4h, 3C5h */
    assert_int_equal(index_in(b, 0x3C4, 2), 0x0A);
    assert_int_equal(rig_mem_read(r, MMIO + 0x40C, 1), 0x67);
    assert_int_equal(rig_mem_read(r, MMIO + 0x41F, 1), 0xFF);
}

static void test_rom_bar(void **state)
{
    struct box *b = *state;
    rig_pci_write(b->rig, SLOT, 0, 0x30, 4, 0xF0000001);
    rig_pci_write(b->rig, SLOT, 0, 0x04, 2, 2);
    assert_int_equal(rig_mem_read(b->rig, 0xF0000000, 4), 0x0003AA55);
    assert_int_equal(rig_mem_read(b->rig, 0xF0000600, 4), 0);
}

static void test_realize_refuses(void **state)
{
    struct err err;
    static const uint32_t sizes[] = {0, 512u << 10, 12u << 20, 512u << 20};
    (void)state;
    struct rig *r = rig_new();
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        const struct vga_config config = {.devfn = PCI_DEVFN(SLOT, 0), .memory = sizes[i]};
        assert_null(
            vga_realize(r->pci, r->bus, r->hv, &r->clock, NULL, &r->devices, &config, &err));
        assert_non_null(strstr(err.text, "MiB"));
    }
    /* A port that somebody else has: everything is given back. */
    static const struct io_ops ops = {.widths = 1};
    struct io_region other;
    io_region_init(&other, "other", &ops, NULL);
    assert_true(bus_map(r->bus, &other, IO_PORT, 0x3D5, 1, &err));
    const struct vga_config config = {.devfn = PCI_DEVFN(SLOT, 0), .memory = MEMORY};
    assert_null(vga_realize(r->pci, r->bus, r->hv, &r->clock, NULL, &r->devices, &config, &err));
    assert_int_equal(r->hv->claim_count, 1);
    bus_unmap(r->bus, &other);
    rig_free(r);
}

/* Registers ------------------------------------------------------------------------------- */

static void test_reset_values(void **state)
{
    struct box *b = *state;
    assert_int_equal(inb(b, 0x3CC), 0);
    assert_int_equal(inb(b, 0x3C6), 0xFF);
    assert_int_equal(inb(b, 0x3D4), 0xFF); /* monochrome addresses after reset */
    assert_int_equal(inb(b, 0x3B4), 0);
    assert_int_equal(vbe_in(b, VBE_ID), 0xB0C5);
    assert_int_equal(vbe_in(b, VBE_ENABLE), 0);
    assert_int_equal(vbe_in(b, VBE_MEMORY_64K), MEMORY >> 16);
    vga_set_mode(b, outb, inb, &mode_03);
    vbe_out(b, VBE_XRES, 640);
    device_reset(b->rig->devices.first);
    assert_int_equal(inb(b, 0x3CC), 0);
    assert_int_equal(vbe_in(b, VBE_XRES), 0);
    assert_int_equal(vbe_in(b, VBE_ID), 0xB0C5);
    assert_int_equal(index_in(b, 0x3C4, 2), 0);
}

static void test_write_masks(void **state)
{
    static const uint8_t seq[] = {0x03, 0x3D, 0x0F, 0x3F, 0x0E, 0, 0, 0xFF};
    static const uint8_t gfx[] = {0x0F, 0x0F, 0x0F, 0x1F, 0x03, 0x7B, 0x0F, 0x0F, 0xFF, 0, 0, 0};
    struct box *b = *state;
    outb(b, 0x3C2, 0xFF);
    assert_int_equal(inb(b, 0x3CC), 0xEF);
    for (uint8_t i = 0; i < sizeof(seq); i++) {
        index_out(b, 0x3C4, i, 0xFF);
        assert_int_equal(index_in(b, 0x3C4, i), seq[i]);
        index_out(b, 0x3C4, i, 0);
        assert_int_equal(index_in(b, 0x3C4, i), 0);
    }
    outb(b, 0x3C4, 0xFF);
    assert_int_equal(inb(b, 0x3C4), 7);
    for (uint8_t i = 0; i < sizeof(gfx); i++) {
        index_out(b, 0x3CE, i, 0xFF);
        assert_int_equal(index_in(b, 0x3CE, i), gfx[i]);
        index_out(b, 0x3CE, i, 0);
        assert_int_equal(index_in(b, 0x3CE, i), 0);
    }
    for (uint8_t i = 0; i < 0x20; i++) {
        uint8_t mask = i < 0x10 || i == 0x12 ? 0x3F
                       : i == 0x10           ? 0xEF
                       : i == 0x11           ? 0xFF
                       : i < 0x15            ? 0x0F
                                             : 0;
        attr_out(b, i, 0xFF);
        assert_int_equal(attr_in(b, i), mask);
    }
    for (unsigned i = 0; i < 0x100; i++) {
        index_out(b, 0x3D4, 0x11, 0);
        index_out(b, 0x3D4, (uint8_t)i, 0xA5);
        assert_int_equal(index_in(b, 0x3D4, (uint8_t)i), i < 25 ? 0xA5 : 0);
    }
}

static void test_crtc_protection(void **state)
{
    struct box *b = *state;
    outb(b, 0x3C2, 0x01);
    for (uint8_t i = 0; i < 8; i++)
        index_out(b, 0x3D4, i, 0x40);
    index_out(b, 0x3D4, 0x11, 0x80);
    for (uint8_t i = 0; i < 8; i++)
        index_out(b, 0x3D4, i, 0xFF);
    for (uint8_t i = 0; i < 7; i++)
        assert_int_equal(index_in(b, 0x3D4, i), 0x40);
    assert_int_equal(index_in(b, 0x3D4, 7), 0x50); /* line compare bit 8 is not protected */
    index_out(b, 0x3D4, 7, 0x00);
    assert_int_equal(index_in(b, 0x3D4, 7), 0x40);
    index_out(b, 0x3D4, 8, 0x11);
    assert_int_equal(index_in(b, 0x3D4, 8), 0x11);
}

static void test_monochrome_addresses(void **state)
{
    struct box *b = *state;
    outb(b, 0x3C2, 0x00);
    index_out(b, 0x3B4, 0x0E, 0x12);
    assert_int_equal(index_in(b, 0x3B4, 0x0E), 0x12);
    assert_int_equal(index_in(b, 0x3D4, 0x0E), 0xFF);
    assert_int_not_equal(inb(b, 0x3BA), 0xFF);
    assert_int_equal(inb(b, 0x3DA), 0xFF);
    outb(b, 0x3C2, 0x01);
    assert_int_equal(index_in(b, 0x3D4, 0x0E), 0x12);
    assert_int_equal(inb(b, 0x3BA), 0xFF);
}

static void test_attribute_flip_flop(void **state)
{
    struct box *b = *state;
    outb(b, 0x3C2, 0x01);
    inb(b, 0x3DA);
    outb(b, 0x3C0, 0x01);
    outb(b, 0x3C0, 0x2A);
    outb(b, 0x3C0, 0x02);
    inb(b, 0x3DA); /* the next write is an index again */
    outb(b, 0x3C0, 0x21);
    assert_int_equal(inb(b, 0x3C0), 0x21);
    assert_int_equal(inb(b, 0x3C1), 0x2A);
    assert_int_equal(attr_in(b, 2), 0);
}

static void test_dac(void **state)
{
    struct box *b = *state;
    outb(b, 0x3C8, 255);
    for (uint8_t i = 0; i < 6; i++)
        outb(b, 0x3C9, (uint8_t)(0xC0 | (i + 1)));
    assert_int_equal(inb(b, 0x3C7), 0);
    assert_int_equal(inb(b, 0x3C8), 1);
    outb(b, 0x3C7, 255);
    assert_int_equal(inb(b, 0x3C7), 3);
    for (uint8_t i = 0; i < 6; i++)
        assert_int_equal(inb(b, 0x3C9), i + 1); /* wrapped from 255 to 0 */
    vbe_out(b, VBE_ENABLE, VBE_8BIT_DAC);
    outb(b, 0x3C7, 0);
    assert_int_equal(inb(b, 0x3C9), 0xC4);
    /* Two parts of a colour change nothing. */
    outb(b, 0x3C8, 0);
    outb(b, 0x3C9, 1);
    outb(b, 0x3C9, 2);
    outb(b, 0x3C7, 0);
    assert_int_equal(inb(b, 0x3C9), 0xC4);
    static const uint8_t run[768] = {[767] = 0x77};
    outb(b, 0x3C8, 0);
    bus_port_write_run(b->rig->bus, 0x3C9, 1, run, sizeof(run));
    outb(b, 0x3C7, 255);
    inb(b, 0x3C9);
    inb(b, 0x3C9);
    assert_int_equal(inb(b, 0x3C9), 0x77);
}

static void test_retrace(void **state)
{
    struct box *b = *state;
    unsigned seen = 0, blank = 0;
    vga_set_mode(b, outb, inb, &mode_03);
    /* A guest that polls every 20 us for a second counts the frames: 70.09 Hz. */
    bool was = inb(b, 0x3DA) & 8;
    for (unsigned i = 0; i < 50000; i++) {
        rig_step(b->rig, 20 * NS_PER_US);
        uint8_t v = inb(b, 0x3DA);
        seen += !was && (v & 8);
        was = v & 8;
        blank += v & 1;
    }
    assert_in_range(seen, 69, 71);
    assert_in_range(blank, 20000, 30000);
    /* One that looks every 10 ms, too rarely for the pulse, still sees most of them. */
    seen = 0;
    for (unsigned i = 0; i < 100; i++) {
        rig_step(b->rig, 10 * NS_PER_MS);
        seen += (inb(b, 0x3DA) & 8) != 0;
        assert_true(i == 0 || seen > 0);
    }
    assert_in_range(seen, 60, 80);
    /* With a clock that stands still (a paused guest) it does not hang. */
    rig_step(b->rig, 7 * NS_PER_MS);
    inb(b, 0x3DA);
    assert_int_not_equal(inb(b, 0x3DA) & 1, inb(b, 0x3DA) & 1);
}

/* Memory ---------------------------------------------------------------------------------- */

static uint32_t cell(struct box *b, uint32_t n)
{
    uint32_t v;
    memcpy(&v, vram(b) + n * 4, 4);
    return v;
}

static void set_cell(struct box *b, uint32_t n, uint32_t v)
{
    memcpy(vram(b) + n * 4, &v, 4);
}

static void test_write_modes(void **state)
{
    struct box *b = *state;
    vga_set_mode(b, outb, inb, &mode_12);
    poke(b, WINDOW + 5, 0x81);
    assert_int_equal(cell(b, 5), 0x81818181);
    index_out(b, 0x3C4, 2, 0x05); /* map mask */
    poke(b, WINDOW + 5, 0x00);
    assert_int_equal(cell(b, 5), 0x81008100);
    index_out(b, 0x3C4, 2, 0x0F);

    index_out(b, 0x3CE, 3, 0x03); /* rotate right by 3 */
    poke(b, WINDOW + 6, 0x81);
    assert_int_equal(cell(b, 6), 0x30303030);
    index_out(b, 0x3CE, 3, 0x00);

    index_out(b, 0x3CE, 0, 0x06); /* set/reset 0110 in planes 0 and 1 */
    index_out(b, 0x3CE, 1, 0x03);
    poke(b, WINDOW + 7, 0x5A);
    assert_int_equal(cell(b, 7), 0x5A5AFF00);
    index_out(b, 0x3CE, 1, 0x00);

    /* Bit mask and the functions, with what the latch holds. */
    static const uint8_t results[] = {0xF0, 0xC0, 0xFC, 0x3C};
    for (uint8_t f = 0; f < 4; f++) {
        set_cell(b, 8, 0xCCCCCCCC);
        peek(b, WINDOW + 8);
        index_out(b, 0x3CE, 3, (uint8_t)(f << 3));
        poke(b, WINDOW + 8, 0xF0);
        assert_int_equal(cell(b, 8), results[f] * 0x01010101u);
    }
    index_out(b, 0x3CE, 3, 0x00);
    set_cell(b, 9, 0x11223344);
    peek(b, WINDOW + 9);
    index_out(b, 0x3CE, 8, 0x0F);
    poke(b, WINDOW + 10, 0xFF);
    assert_int_equal(cell(b, 10), 0x1F2F3F4F);

    index_out(b, 0x3CE, 5, 0x01); /* mode 1: the latch, whatever the bit mask */
    poke(b, WINDOW + 11, 0xAB);
    assert_int_equal(cell(b, 11), 0x11223344);

    index_out(b, 0x3CE, 5, 0x02); /* mode 2: a colour, through the bit mask */
    poke(b, WINDOW + 12, 0x39);
    assert_int_equal(cell(b, 12), 0x1F20304F);

    index_out(b, 0x3CE, 5, 0x03); /* mode 3: the data is a mask for set/reset 0110 */
    index_out(b, 0x3CE, 3, 0x04); /* rotated by 4: F3h -> 3Fh, and the bit mask 0Fh */
    poke(b, WINDOW + 13, 0xF3);
    assert_int_equal(cell(b, 13), 0x102F3F40);
}

static void test_read_modes(void **state)
{
    struct box *b = *state;
    vga_set_mode(b, outb, inb, &mode_12);
    set_cell(b, 100, 0x44332211);
    for (uint8_t plane = 0; plane < 4; plane++) {
        index_out(b, 0x3CE, 4, plane);
        assert_int_equal(peek(b, WINDOW + 100), 0x11 * (plane + 1));
    }
    /* Read mode 1: bits where planes that matter equal the compared colour. */
    set_cell(b, 101, 0x0F0F33AA); /* planes: 0 AAh, 1 33h, 2 0Fh, 3 0Fh */
    index_out(b, 0x3CE, 5, 0x08);
    index_out(b, 0x3CE, 2, 0x0D);
    index_out(b, 0x3CE, 7, 0x0F);
    assert_int_equal(peek(b, WINDOW + 101), 0xAA & ~0x33 & 0x0F & 0x0F & 0xFF);
    index_out(b, 0x3CE, 7, 0x03);
    assert_int_equal(peek(b, WINDOW + 101), 0xAA & ~0x33 & 0xFF);
    index_out(b, 0x3CE, 7, 0x00);
    assert_int_equal(peek(b, WINDOW + 101), 0xFF);
}

static void test_chaining(void **state)
{
    struct box *b = *state;
    vga_set_mode(b, outb, inb, &mode_13);
    for (uint32_t i = 0; i < 8; i++)
        poke(b, WINDOW + 40 + i, (uint8_t)(i + 1));
    assert_int_equal(cell(b, 10), 0x04030201);
    assert_int_equal(cell(b, 11), 0x08070605);
    assert_int_equal(bus_mem_read(b->rig->bus, WINDOW + 42, 4), 0x06050403);
    index_out(b, 0x3C4, 2, 0x09); /* map mask holds in chain-4 too */
    bus_mem_write(b->rig->bus, WINDOW + 40, 8, UINT64_MAX);
    assert_int_equal(cell(b, 10), 0xFF0302FF);
    assert_int_equal(cell(b, 11), 0xFF0706FF);

    vga_set_mode(b, outb, inb, &mode_03);
    set_cell(b, 3, 0xDDCCBBAA);
    bus_mem_write(b->rig->bus, 0xB8006, 2, 0x1741);
    assert_int_equal(cell(b, 3), 0xDDCC1741);
    assert_int_equal(bus_mem_read(b->rig->bus, 0xB8006, 2), 0x1741);
    index_out(b, 0x3CE, 4, 0x02); /* the other pair of planes */
    assert_int_equal(bus_mem_read(b->rig->bus, 0xB8006, 2), 0xDDCC);
}

static void test_window_places(void **state)
{
    static const struct {
        uint8_t misc;
        uint32_t first, last;
    } maps[] = {{0x00, 0xA0000, 0xBFFFF},
                {0x04, 0xA0000, 0xAFFFF},
                {0x08, 0xB0000, 0xB7FFF},
                {0x0C, 0xB8000, 0xBFFFF}};
    struct box *b = *state;
    vga_set_mode(b, outb, inb, &mode_13);
    for (size_t i = 0; i < 4; i++) {
        memset(vram(b), 0x5A, 0x20100);
        index_out(b, 0x3CE, 6, maps[i].misc);
        for (uint32_t a = 0xA0000; a < 0xC0000; a += 0x4000) {
            bool in = a >= maps[i].first && a <= maps[i].last;
            assert_int_equal(peek(b, a), in ? 0x5A : 0xFF);
        }
        assert_int_equal(peek(b, maps[i].last), 0x5A);
        /* A run over both edges: what is outside is left alone. */
        uint8_t run[64];
        memset(run, 0x77, sizeof(run));
        bus_mem_write_run(b->rig->bus, maps[i].last - 15, 4, run, 16);
        assert_int_equal(vram(b)[maps[i].last - maps[i].first], 0x77);
        assert_int_equal(vram(b)[maps[i].last - maps[i].first + 1], 0x5A);
        if (maps[i].first > 0xA0000) {
            bus_mem_write_run(b->rig->bus, maps[i].first - 32, 8, run, 8);
            assert_int_equal(vram(b)[31], 0x77);
            assert_int_equal(vram(b)[32], 0x5A);
            bus_mem_read_run(b->rig->bus, maps[i].first - 32, 1, run, 64);
            assert_int_equal(run[31], 0xFF);
            assert_int_equal(run[32], 0x77);
        }
    }
    outb(b, 0x3C2, 0x61); /* CPU access off */
    assert_int_equal(peek(b, 0xB8000), 0xFF);
    poke(b, 0xB8000, 0x11);
    outb(b, 0x3C2, 0x63);
    assert_int_equal(peek(b, 0xB8000), 0x77);
}

/* A run does what the single accesses do, in every addressing mode. */
static void test_runs_equal_single_accesses(void **state)
{
    static const struct vga_mode *modes[] = {&mode_03, &mode_04, &mode_06,
                                             &mode_12, &mode_13, &mode_x};
    struct box *b = *state;
    uint8_t buf[2048], single[2048], run[2048];
    uint8_t *copy = malloc(0x80000);
    assert_non_null(copy);
    for (size_t i = 0; i < sizeof(buf); i++)
        buf[i] = (uint8_t)(i * 31 >> 2);
    for (size_t m = 0; m < sizeof(modes) / sizeof(modes[0]) * 2; m++) {
        vga_set_mode(b, outb, inb, modes[m / 2]);
        if (m & 1) { /* and not just passing bytes through */
            index_out(b, 0x3CE, 3, 0x12);
            index_out(b, 0x3CE, 8, 0x3C);
            index_out(b, 0x3C4, 2, 0x0B);
        }
        uint32_t at = m / 2 < 3 ? 0xB9003 : 0xA1003;
        memset(vram(b), 0x69, 0x80000);
        peek(b, at);
        bus_mem_write_run(b->rig->bus, at, 2, buf, 1024);
        memcpy(copy, vram(b), 0x80000);
        memset(vram(b), 0x69, 0x80000);
        peek(b, at);
        for (uint32_t i = 0; i < 2048; i++)
            poke(b, at + i, buf[i]);
        assert_memory_equal(copy, vram(b), 0x80000);
        bus_mem_read_run(b->rig->bus, at, 4, run, 512);
        for (uint32_t i = 0; i < 2048; i++)
            single[i] = peek(b, at + i);
        assert_memory_equal(run, single, 2048);
    }
    free(copy);
}

static void test_log_dirty_reports_our_writes(void **state)
{
    struct box *b = *state;
    struct hypervisor *hv = b->rig->hv;
    vga_set_mode(b, outb, inb, &mode_03);
    /* The fake keeps dirty marks for its RAM: let video memory be there. */
    hv->vram_where = 0x100000;
    hv_log_dirty(hv, true);
    bus_mem_write(b->rig->bus, 0xB8000 + 0x1000, 2, 0x0741);
    assert_int_equal(hv->dirty[0x100], 0);
    assert_int_equal(hv->dirty[0x102], 1);
    assert_int_equal(hv->dirty[0x103], 0);
    vbe_mode(b, 640, 480, 32, VBE_ENABLED);
    for (unsigned i = 0; i < 640 * 480 * 4 / 4096; i++)
        assert_int_equal(hv->dirty[0x100 + i], 1);
    assert_int_equal(hv->dirty[0x100 + 640 * 480 * 4 / 4096], 0);
    hv->vram_where = HV_VRAM_PARKED;
}

/* VBE ------------------------------------------------------------------------------------- */

/* All of video memory is asked for by the first VBE mode; where it cannot be had, nothing lies
 * behind the VGA's own part. */
static void test_memory_is_reached_when_needed(void **state)
{
    struct box *b = *state;
    struct hypervisor *hv = b->rig->hv;
    const uint16_t bank = 0x100000 >> 16;
    uint64_t v = 0;

    hv->vram_refused = true;
    rig_outb(b->rig, 0x3C2, 0x63); /* memory on */
    bus_mem_write(b->rig->bus, 0xB8000, 2, 0x0741);
    assert_false(hv->vram_whole);
    vbe_mode(b, 1024, 768, 32, VBE_ENABLED);
    vbe_out(b, VBE_BANK, bank);
    bus_mem_write(b->rig->bus, 0xA0000, 4, 0x12345678);
    v = bus_mem_read(b->rig->bus, 0xA0000, 4);
    assert_int_equal(v, 0xFFFFFFFF);
    assert_int_equal(hv->vram[0x100000], 0);
    display_refresh_now(b->display);

    hv->vram_refused = false;
    vbe_mode(b, 1024, 768, 32, VBE_ENABLED);
    assert_true(hv->vram_whole);
    vbe_out(b, VBE_BANK, bank);
    bus_mem_write(b->rig->bus, 0xA0000, 4, 0x12345678);
    v = bus_mem_read(b->rig->bus, 0xA0000, 4);
    assert_int_equal(v, 0x12345678);
    assert_int_equal(hv->vram[0x100000], 0x78);
}

static void test_vbe_ports(void **state)
{
    struct box *b = *state;
    rig_outw(b->rig, 0x1CE, VBE_ID);
    assert_int_equal(rig_inw(b->rig, 0x1CE), VBE_ID);
    assert_int_equal(rig_inw(b->rig, 0x1D0), 0xB0C5);
    assert_int_equal(inb(b, 0x1CF), 0xFF);
    for (uint32_t id = 0xB0BE; id <= 0xB0C8; id++) {
        vbe_out(b, VBE_ID, 0xB0C5);
        vbe_out(b, VBE_ID, (uint16_t)id);
        assert_int_equal(vbe_in(b, VBE_ID), id >= 0xB0C0 && id <= 0xB0C5 ? id : 0xB0C5);
    }
    assert_int_equal(vbe_in(b, 11), 0);
    assert_int_equal(vbe_in(b, 0xFFFF), 0);
    vbe_out(b, 0xFFFF, 0x1234);
    vbe_out(b, VBE_MEMORY_64K, 0);
    assert_int_equal(vbe_in(b, VBE_MEMORY_64K), MEMORY >> 16);
}

/* Values read from the stock model after the same writes (with 8 MiB). */
static void test_vbe_modes(void **state)
{
    static const struct {
        uint16_t width, height, bpp, enable;
        uint16_t xres, yres, bits, virt_width, virt_height;
    } modes[] = {
        {1024, 768, 32, 0x41, 1024, 768, 32, 1024, 2048},
        {1366, 768, 24, 0x41, 1360, 768, 24, 1360, 2056},
        {65535, 65535, 32, 0x41, 16000, 131, 32, 16000, 131},
        {0, 0, 0, 1, 8, 1, 8, 8, 0xFFFF},
        {640, 480, 4, 1, 640, 480, 4, 640, 26214},
        {16000, 12000, 8, 1, 16000, 524, 8, 16000, 524},
        {800, 600, 16, 0x21, 800, 600, 16, 800, 5242},
        {800, 600, 15, 1, 800, 600, 15, 800, 5242},
        {800, 600, 17, 1, 800, 600, 8, 800, 10485},
    };
    struct box *b = *state;
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        vbe_mode(b, modes[i].width, modes[i].height, modes[i].bpp, modes[i].enable);
        assert_int_equal(vbe_in(b, VBE_XRES), modes[i].xres);
        assert_int_equal(vbe_in(b, VBE_YRES), modes[i].yres);
        assert_int_equal(vbe_in(b, VBE_BPP), modes[i].bits);
        assert_int_equal(vbe_in(b, VBE_ENABLE), modes[i].enable);
        assert_int_equal(vbe_in(b, VBE_VIRT_WIDTH), modes[i].virt_width);
        assert_int_equal(vbe_in(b, VBE_VIRT_HEIGHT), modes[i].virt_height);
    }
    /* Without a mode nothing is corrected. */
    vbe_out(b, VBE_ENABLE, 0);
    vbe_out(b, VBE_XRES, 1234);
    assert_int_equal(vbe_in(b, VBE_XRES), 1234);
    vbe_out(b, VBE_ENABLE, VBE_GETCAPS);
    assert_int_equal(vbe_in(b, VBE_XRES), 16000);
    assert_int_equal(vbe_in(b, VBE_YRES), 12000);
    assert_int_equal(vbe_in(b, VBE_BPP), 32);
}

static void test_vbe_offsets(void **state)
{
    struct box *b = *state;
    vbe_mode(b, 800, 600, 32, VBE_ENABLED);
    vbe_out(b, VBE_VIRT_WIDTH, 1024);
    assert_int_equal(vbe_in(b, VBE_VIRT_HEIGHT), 2048);
    vbe_out(b, VBE_Y_OFFSET, 1448);
    assert_int_equal(vbe_in(b, VBE_Y_OFFSET), 1448);
    vbe_out(b, VBE_Y_OFFSET, 1449); /* would end past video memory */
    assert_int_equal(vbe_in(b, VBE_Y_OFFSET), 0);
    vbe_out(b, VBE_Y_OFFSET, 1448);
    vbe_out(b, VBE_X_OFFSET, 1);
    assert_int_equal(vbe_in(b, VBE_Y_OFFSET), 0);
    assert_int_equal(vbe_in(b, VBE_X_OFFSET), 1);
    vbe_out(b, VBE_VIRT_WIDTH, 17);
    assert_int_equal(vbe_in(b, VBE_VIRT_WIDTH), 800);
}

static void test_vbe_enable_clears(void **state)
{
    struct box *b = *state;
    memset(vram(b), 0xEE, MEMORY);
    vbe_mode(b, 64, 16, 8, VBE_ENABLED | VBE_NO_CLEAR);
    assert_int_equal(vram(b)[0], 0xEE);
    vbe_out(b, VBE_ENABLE, VBE_ENABLED); /* enabled already */
    assert_int_equal(vram(b)[0], 0xEE);
    vbe_mode(b, 64, 16, 8, VBE_ENABLED);
    assert_int_equal(vram(b)[0], 0);
    assert_int_equal(vram(b)[64 * 16 - 1], 0);
    assert_int_equal(vram(b)[64 * 16], 0xEE);
}

static void test_vbe_banks(void **state)
{
    struct box *b = *state;
    vga_set_mode(b, outb, inb, &mode_12); /* the window of a VBE mode does not depend on these */
    vbe_mode(b, 640, 480, 8, VBE_ENABLED);
    vbe_out(b, VBE_BANK, 3);
    poke(b, WINDOW + 0x1234, 0x99);
    assert_int_equal(vram(b)[0x31234], 0x99);
    assert_int_equal(peek(b, WINDOW + 0x1234), 0x99);
    assert_int_equal(peek(b, 0xB0000), 0xFF);
    vbe_out(b, VBE_BANK, 0xFFFF);
    assert_int_equal(vbe_in(b, VBE_BANK), (MEMORY >> 16) - 1);
    poke(b, WINDOW + 0xFFFF, 0x42);
    assert_int_equal(vram(b)[MEMORY - 1], 0x42);
    /* Four planes: an address is a cell. */
    vbe_mode(b, 1024, 768, 4, VBE_ENABLED);
    vbe_out(b, VBE_BANK, 1);
    index_out(b, 0x3C4, 2, 0x02);
    poke(b, WINDOW + 4, 0x81);
    assert_int_equal(cell(b, 0x10004), 0x8100);
}

/* The display ----------------------------------------------------------------------------- */

static void count_resize(void *opaque, const struct surface *surface)
{
    (void)surface;
    ++*(unsigned *)opaque;
}

static void count_damage(void *opaque, const struct surface *surface,
                         const struct display_damage *damage)
{
    (void)surface;
    (void)damage;
    ++*(unsigned *)opaque;
}

static void test_no_viewer_no_work(void **state)
{
    struct box *b = *state;
    struct hypervisor *hv = b->rig->hv;
    vbe_mode(b, 640, 480, 32, VBE_ENABLED);
    attr_out(b, 0x20, 0);
    assert_int_equal(clock_deadline(&b->rig->clock), CLOCK_NEVER);
    rig_step(b->rig, NS_PER_S);
    assert_false(hv->vram_tracked);

    unsigned calls = 0;
    struct display_viewer viewer = {
        .resized = count_resize, .damaged = count_damage, .opaque = &calls};
    display_add_viewer(b->display, &viewer);
    assert_int_equal(calls, 1);
    rig_step(b->rig, NS_PER_S);
    assert_int_equal(clock_deadline(&b->rig->clock), CLOCK_NEVER);
    assert_false(hv->vram_tracked);

    hv->vram_known = true;
    display_viewer_wants(b->display, &viewer, true);
    assert_int_equal(calls, 2);
    assert_true(hv->vram_tracked);
    assert_int_not_equal(clock_deadline(&b->rig->clock), CLOCK_NEVER);
    rig_step(b->rig, NS_PER_S);
    assert_int_equal(calls, 2); /* nothing changed */
    hv->vram_bitmap[0] = 1;
    rig_step(b->rig, NS_PER_S);
    assert_int_equal(calls, 3);

    /* Text needs no tracking of video memory. */
    vbe_out(b, VBE_ENABLE, 0);
    vga_set_mode(b, outb, inb, &mode_03);
    rig_step(b->rig, NS_PER_S / 8);
    assert_false(hv->vram_tracked);

    display_viewer_wants(b->display, &viewer, false);
    assert_int_equal(clock_deadline(&b->rig->clock), CLOCK_NEVER);
    display_remove_viewer(b->display, &viewer);
}

/* Hostile guests -------------------------------------------------------------------------- */

static void refresh(struct box *b)
{
    display_refresh_now(b->display);
}

static void unblank(struct box *b)
{
    outb(b, 0x3C2, 0x63);
    inb(b, 0x3DA);
    outb(b, 0x3C0, 0x20);
}

static void still_works(struct box *b)
{
    vbe_mode(b, 320, 200, 32, VBE_ENABLED);
    unblank(b);
    index_out(b, 0x3C4, 1, 0x01);
    memset(vram(b), 0x5C, 4);
    refresh(b);
    assert_int_equal(display_surface(b->display)->width, 320);
    assert_int_equal(display_surface(b->display)->pixels[0] & 0xFFFFFF, 0x5C5C5C);
}

/* CVE-2014-3615 */
static void test_vbe_geometry_unchecked(void **state)
{
    struct box *b = *state;
    unblank(b);
    for (unsigned bpp = 0; bpp <= 40; bpp++) {
        vbe_out(b, VBE_ENABLE, 0);
        vbe_out(b, VBE_XRES, 0xFFFF);
        vbe_out(b, VBE_YRES, 0xFFFF);
        vbe_out(b, VBE_VIRT_WIDTH, 0xFFFF);
        vbe_out(b, VBE_BPP, (uint16_t)bpp);
        vbe_out(b, VBE_ENABLE, 0x41);
        refresh(b);
        vbe_out(b, VBE_X_OFFSET, 0xFFFF);
        vbe_out(b, VBE_Y_OFFSET, 0xFFFF);
        refresh(b);
        const struct surface *s = display_surface(b->display);
        assert_true((uint64_t)s->width * (uint64_t)s->height <= VGA_MAX_PIXELS);
    }
    still_works(b);
}

/* CVE-2016-3710: a bank chosen in one addressing mode, used in another. */
static void test_bank_then_other_mode(void **state)
{
    struct box *b = *state;
    uint8_t run[0x10000] = {0};
    outb(b, 0x3C2, 0x63);
    vbe_mode(b, 640, 480, 8, VBE_ENABLED);
    vbe_out(b, VBE_BANK, 0xFF);
    for (unsigned i = 0; i < 256; i++) {
        vbe_out(b, VBE_BPP, i & 1 ? 4 : 8);
        index_out(b, 0x3C4, 4, (uint8_t)(i >> 1 & 0x0E));
        index_out(b, 0x3C4, 2, (uint8_t)(i >> 2 & 0x0F));
        index_out(b, 0x3CE, 5, (uint8_t)(i * 3));
        index_out(b, 0x3CE, 6, (uint8_t)(i >> 4));
        for (uint32_t a = 0xA0000; a < 0xC0000; a += 0x3FFF) {
            poke(b, a, 0x55);
            peek(b, a);
        }
        bus_mem_write_run(b->rig->bus, 0xA0000, 8, run, 0x2000);
        bus_mem_read_run(b->rig->bus, 0xA0000, 8, run, 0x2000);
        bus_mem_write(b->rig->bus, 0xBFFF9, 8, 0);
        bus_mem_read(b->rig->bus, 0xBFFFC, 8);
        if (i == 128) {
            vbe_out(b, VBE_ENABLE, 0);
            vbe_out(b, VBE_BANK, 0xFFFF);
        }
    }
    still_works(b);
}

/* CVE-2016-3712: the VGA's registers under a VBE mode, and left over from one. */
static void test_registers_under_vbe(void **state)
{
    struct box *b = *state;
    uint32_t seed = 1;
    unblank(b);
    for (unsigned i = 0; i < 2000; i++) {
        static const uint16_t ports[] = {0x3C4, 0x3CE, 0x3D4};
        seed = seed * 1664525 + 1013904223;
        if (i % 16 == 0)
            vbe_mode(b, 1600, 1200, (uint16_t)(8 << (i / 16 % 3)), (uint16_t)(i / 16 & 1));
        index_out(b, ports[seed >> 16 & 1 ? 2 : seed >> 17 & 1], (uint8_t)(seed >> 24),
                  (uint8_t)(seed >> 8));
        if (i % 8 == 0)
            refresh(b);
    }
    still_works(b);
}

/* CVE-2017-13672: lines that run past the end of video memory; CVE-2017-13673: split screens;
 * CVE-2018-7858: lines longer than their distance. */
static void test_addresses_at_the_end(void **state)
{
    static const struct vga_mode *modes[] = {&mode_01, &mode_03, &mode_04, &mode_06,
                                             &mode_0d, &mode_12, &mode_13, &mode_x};
    struct box *b = *state;
    for (size_t m = 0; m < 8; m++) {
        for (unsigned i = 0; i < 8; i++) {
            vga_set_mode(b, outb, inb, modes[m]);
            index_out(b, 0x3D4, 0x0C, 0xFF);
            index_out(b, 0x3D4, 0x0D, 0xFF);
            index_out(b, 0x3D4, 0x13, i & 1 ? 0xFF : 0x01);
            index_out(b, 0x3D4, 0x08, i & 2 ? 0x7F : 0x00);
            attr_out(b, 0x33, i & 4 ? 0x07 : 0x00);
            refresh(b);
            for (unsigned split = 0; split < 256; split += 51) {
                index_out(b, 0x3D4, 0x18, (uint8_t)split);
                index_out(b, 0x3D4, 0x07, 0x0F);
                index_out(b, 0x3D4, 0x09, (uint8_t)(split & 0x9F));
                refresh(b);
            }
            index_out(b, 0x3D4, 0x01, 0xFF); /* as wide and high as can be */
            index_out(b, 0x3D4, 0x12, 0xFF);
            index_out(b, 0x3D4, 0x07, 0x42);
            refresh(b);
            index_out(b, 0x3C4, 1, (uint8_t)(0x08 | (i & 1)));
            index_out(b, 0x3C4, 3, 0x3F);
            refresh(b);
            index_out(b, 0x3D4, 0x17, 0x00);
            index_out(b, 0x3D4, 0x14, (uint8_t)(i << 5));
            refresh(b);
        }
    }
    static const uint16_t depths[] = {4, 8, 15, 16, 24, 32};
    for (size_t d = 0; d < 6; d++) {
        vbe_mode(b, 1024, 100, depths[d], VBE_ENABLED);
        uint16_t lines = vbe_in(b, VBE_VIRT_HEIGHT);
        vbe_out(b, VBE_YRES, 0xFFFF);
        refresh(b);
        vbe_out(b, VBE_YRES, 100);
        vbe_out(b, VBE_Y_OFFSET, (uint16_t)(lines - 100));
        refresh(b);
        for (uint16_t x = 0; x < 32; x++) {
            vbe_out(b, VBE_Y_OFFSET, (uint16_t)(lines - 101));
            vbe_out(b, VBE_X_OFFSET, x);
            refresh(b);
        }
        vbe_out(b, VBE_VIRT_WIDTH, 8);
        vbe_out(b, VBE_X_OFFSET, 16000);
        refresh(b);
    }
    still_works(b);
}

/* "depth 0/15": the 256-colour path of the VGA after a VBE mode of 15 bits. */
static void test_depth_left_over(void **state)
{
    struct box *b = *state;
    vbe_mode(b, 640, 480, 15, VBE_ENABLED);
    unblank(b);
    refresh(b);
    vbe_out(b, VBE_ENABLE, 0);
    vga_set_mode(b, outb, inb, &mode_13);
    refresh(b);
    vbe_out(b, VBE_BPP, 0);
    refresh(b);
    still_works(b);
}

/*
 * Random registers and memory under a watching viewer. Nothing may be read or written outside, and
 * what was drawn bit by bit must be what a full redraw shows.
 */
static void test_random_guest(void **state)
{
    struct box *b = *state;
    struct hypervisor *hv = b->rig->hv;
    unsigned calls = 0;
    struct display_viewer viewer = {
        .resized = count_resize, .damaged = count_damage, .opaque = &calls};
    static const struct vga_mode *modes[] = {&mode_01, &mode_03, &mode_04, &mode_06,
                                             &mode_0d, &mode_12, &mode_13, &mode_x};
    uint32_t seed = 12345;
    hv->vram_known = true;
    for (uint32_t i = 0; i < MEMORY; i += 4) {
        seed = seed * 1664525 + 1013904223;
        memcpy(vram(b) + i, &seed, 4);
    }
    display_add_viewer(b->display, &viewer);
    display_viewer_wants(b->display, &viewer, true);
    for (unsigned i = 0; i < 1500; i++) {
        seed = seed * 1664525 + 1013904223;
        uint8_t v = (uint8_t)(seed >> 8), index = (uint8_t)(seed >> 16);
        uint32_t at = seed >> 3 & 0x1FFFF, lfb = seed >> 2 & (MEMORY - 1);
        switch (seed >> 26 & 31) {
        case 0:
            vga_set_mode(b, outb, inb, modes[v & 7]);
            break;
        case 1:
            vbe_mode(b, (uint16_t)(v * 4), (uint16_t)(index * 3),
                     (uint16_t[]){4, 8, 15, 16, 24, 32, 8, 16}[v & 7], 0xC1);
            break;
        case 2:
            vbe_out(b, VBE_ENABLE, 0);
            break;
        case 3:
            vbe_out(b, (uint16_t)(6 + (v & 3)), index);
            break;
        case 4:
            index_out(b, 0x3D4, index & 31, v);
            break;
        case 5:
            index_out(b, 0x3C4, index & 7, v & 0xDF);
            break;
        case 6:
            index_out(b, 0x3CE, index & 15, v);
            break;
        case 7:
            attr_out(b, 0x20 | (index & 31), v);
            break;
        case 8:
            outb(b, 0x3C9, v);
            break;
        case 9:
            vbe_out(b, VBE_BANK, v);
            break;
        case 10:
            vram(b)[lfb] ^= v;
            hv->vram_bitmap[lfb >> 18] |= 1ul << (lfb >> 12 & 63);
            break;
        case 11:
            peek(b, WINDOW + at);
            break;
        case 12:
            rig_step(b->rig, 100 * NS_PER_MS);
            break;
        default:
            bus_mem_write(b->rig->bus, WINDOW + at, 1u << (v & 3),
                          (uint64_t)seed << 32 | (seed ^ 0x5A5A5A5A));
            break;
        }
        if (i % 8)
            continue;
        display_refresh_now(b->display);
        const struct surface *s = display_surface(b->display);
        const uint32_t *pixels = s->pixels;
        size_t bytes = (size_t)s->width * (size_t)s->height * sizeof(*pixels);
        uint8_t *step_by_step = malloc(bytes);
        assert_non_null(step_by_step);
        memcpy(step_by_step, pixels, bytes);
        display_viewer_wants(b->display, &viewer, false);
        display_refresh_now(b->display);
        assert_ptr_equal(s->pixels, pixels);
        assert_memory_equal(pixels, step_by_step, bytes);
        free(step_by_step);
        display_viewer_wants(b->display, &viewer, true);
    }
    display_viewer_wants(b->display, &viewer, false);
    display_remove_viewer(b->display, &viewer);
    still_works(b);
}

/* State ----------------------------------------------------------------------------------- */

static void test_standard(void **state)
{
    struct box *b = *state;
    vga_set_mode(b, outb, inb, &mode_12);
    vbe_mode(b, 800, 600, 16, 0x41);
    rig_standard_tests(b->rig, b->rig->devices.first);
    refresh(b);
}

static void test_state_keeps_the_registers(void **state)
{
    struct box *b = *state;
    struct err err;
    uint8_t *saved;
    size_t len;
    rig_pci_write(b->rig, SLOT, 0, 0x10, 4, LFB);
    rig_pci_write(b->rig, SLOT, 0, 0x04, 2, 3);
    vga_set_mode(b, outb, inb, &mode_12);
    outb(b, 0x3C8, 7);
    outb(b, 0x3C9, 1); /* in the middle of a colour */
    inb(b, 0x3DA);
    outb(b, 0x3C0, 0x2A); /* and of an attribute */
    set_cell(b, 9, 0x99887766);
    peek(b, WINDOW + 9);
    vbe_out(b, VBE_XRES, 1234);
    devices_quiesce(&b->rig->devices);
    assert_true(devices_save(&b->rig->devices, &saved, &len, &err));
    devices_reset(&b->rig->devices);
    memset(vram(b), 0, 4096);
    assert_true(devices_load(&b->rig->devices, saved, len, &err));
    free(saved);
    assert_int_equal(b->rig->hv->vram_where, LFB);
    outb(b, 0x3C0, 0x15); /* the data of attribute 0Ah */
    assert_int_equal(attr_in(b, 0x0A), 0x15);
    outb(b, 0x3C9, 2);
    outb(b, 0x3C9, 3);
    outb(b, 0x3C7, 7);
    assert_int_equal(inb(b, 0x3C9), 1);
    assert_int_equal(vbe_in(b, VBE_XRES), 1234);
    index_out(b, 0x3CE, 5, 0x01);
    poke(b, WINDOW + 20, 0);
    assert_int_equal(cell(b, 20), 0x99887766);
}

/* A restored guest whose frame buffer BAR is off: video memory is where it was saved. */
static void test_state_with_bar_off(void **state)
{
    struct box *b = *state;
    struct err err;
    uint8_t *saved;
    size_t len;
    b->rig->hv->vram_where = 0x80000000;
    devices_quiesce(&b->rig->devices);
    assert_true(devices_save(&b->rig->devices, &saved, &len, &err));
    b->rig->hv->vram_where = 0;
    unsigned moves = b->rig->hv->vram_moves;
    assert_true(devices_load(&b->rig->devices, saved, len, &err));
    assert_int_equal(b->rig->hv->vram_moves, moves + 2); /* adopted, then off again */
    assert_int_equal(b->rig->hv->vram_where, HV_VRAM_PARKED);
    free(saved);
}

static void test_hostile_state(void **state)
{
    struct box *b = *state;
    struct device *d = b->rig->devices.first;
    const struct device_class *c = d->class;
    struct err err;
    size_t len = state_size(c->state, c->version);
    uint8_t *buf = malloc(len);
    assert_non_null(buf);
    state_save(c->state, d, c->version, buf);
    memset(buf + 300, 0xFF, len - 300);
    assert_false(device_load(d, c->version, buf, len, &err));
    /* VBE registers are last but one field: all ones there are taken and corrected. */
    state_save(c->state, d, c->version, buf);
    memset(buf + len - 8 - 2 * VBE_COUNT, 0xFF, 2 * VBE_COUNT);
    assert_true(device_load(d, c->version, buf, len, &err));
    assert_int_equal(vbe_in(b, VBE_BANK), (MEMORY >> 16) - 1);
    assert_int_equal(vbe_in(b, VBE_VIRT_WIDTH), 16000);
    unblank(b);
    refresh(b);
    poke(b, WINDOW, 1);
    /* A place that is no page. */
    state_save(c->state, d, c->version, buf);
    buf[len - 8] = 1;
    assert_false(device_load(d, c->version, buf, len, &err));
    free(buf);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_pci_function),
        TEST(test_claims),
        TEST(test_frame_buffer_bar_moves_vram),
        TEST(test_register_bar),
        TEST(test_rom_bar),
        cmocka_unit_test(test_realize_refuses),
        TEST(test_reset_values),
        TEST(test_write_masks),
        TEST(test_crtc_protection),
        TEST(test_monochrome_addresses),
        TEST(test_attribute_flip_flop),
        TEST(test_dac),
        TEST(test_retrace),
        TEST(test_write_modes),
        TEST(test_read_modes),
        TEST(test_chaining),
        TEST(test_window_places),
        TEST(test_runs_equal_single_accesses),
        TEST(test_log_dirty_reports_our_writes),
        TEST(test_memory_is_reached_when_needed),
        TEST(test_vbe_ports),
        TEST(test_vbe_modes),
        TEST(test_vbe_offsets),
        TEST(test_vbe_enable_clears),
        TEST(test_vbe_banks),
        TEST(test_no_viewer_no_work),
        TEST(test_vbe_geometry_unchecked),
        TEST(test_bank_then_other_mode),
        TEST(test_registers_under_vbe),
        TEST(test_addresses_at_the_end),
        TEST(test_depth_left_over),
        TEST(test_random_guest),
        TEST(test_standard),
        TEST(test_state_keeps_the_registers),
        TEST(test_state_with_bar_off),
        TEST(test_hostile_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
