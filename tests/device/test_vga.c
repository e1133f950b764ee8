/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_vga: the VGA as drivers use it: PCI function, registers, memory through the window. */
#include "tests/device/vga_rig.h"

#include "hw/pc/edid.h"

static uint8_t index_in(struct box *b, uint16_t port, uint8_t index)
{
    outb(b, port, index);
    return inb(b, (uint16_t)(port + 1));
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

/* BAR 2 begins with the monitor's description. */
static void test_edid(void **state)
{
    static const struct {
        uint16_t x, y, total_x, total_y, clock; /* 10 kHz: `cvt -r x y 60` */
    } sizes[] = {
        {1024, 768, 1184, 790, 5600},    {1280, 800, 1440, 823, 7100},
        {1280, 1024, 1440, 1054, 9100},  {1920, 1080, 2080, 1111, 13850},
        {1600, 1200, 1760, 1235, 13025}, {3840, 2160, 4000, 2222, 53325},
    };
    uint8_t e[EDID_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        assert_true(edid_make(e, sizes[i].x, sizes[i].y, UINT64_MAX));
        uint8_t sum = 0;
        for (unsigned n = 0; n < EDID_SIZE; n++)
            sum = (uint8_t)(sum + e[n]);
        assert_int_equal(sum, 0);
        assert_int_equal(e[54] | e[55] << 8, sizes[i].clock);
        assert_int_equal(e[56] | (e[58] & 0xF0) << 4, sizes[i].x);
        assert_int_equal(e[57] | (e[58] & 0x0F) << 8, sizes[i].total_x - sizes[i].x);
        assert_int_equal(e[59] | (e[61] & 0xF0) << 4, sizes[i].y);
        assert_int_equal(e[60] | (e[61] & 0x0F) << 8, sizes[i].total_y - sizes[i].y);
        assert_int_equal(e[72 + 3], 0xFC);
    }
    assert_false(edid_make(e, 4088, 4080, UINT64_MAX)); /* too many pixels a second */
    assert_false(edid_make(e, 1366, 768, UINT64_MAX));
    assert_false(edid_make(e, 632, 480, UINT64_MAX));

    struct box *b = *state;
    struct rig *r = b->rig;
    rig_pci_write(r, SLOT, 0, 0x18, 4, MMIO);
    rig_pci_write(r, SLOT, 0, 0x04, 2, 3);
    assert_int_equal(rig_mem_read(r, MMIO, 4), 0xFFFFFFFF); /* not without being asked for */
    assert_int_equal(rig_mem_read(r, MMIO + 0x500, 2), 0xB0C5);
    struct err err;
    const struct vga_config config = {
        .devfn = PCI_DEVFN(SLOT, 0), .memory = MEMORY, .xres = 1280, .yres = 800};
    struct rig *other = rig_new();
    assert_non_null(vga_realize(other->pci, other->bus, other->hv, &other->clock, NULL,
                                &other->devices, &config, &err));
    rig_pci_write(other, SLOT, 0, 0x18, 4, MMIO);
    rig_pci_write(other, SLOT, 0, 0x04, 2, 3);
    assert_int_equal(rig_mem_read(other, MMIO, 4), 0xFFFFFF00);
    assert_int_equal(rig_mem_read(other, MMIO + 4, 4), 0x00FFFFFF);
    assert_int_equal(rig_mem_read(other, MMIO + 127, 1),
                     edid_make(e, 1280, 800, MEMORY / 4) * e[127]);
    assert_int_equal(rig_mem_read(other, MMIO + 128, 4), 0);
    assert_int_equal(rig_mem_read(other, MMIO + 0x500, 2), 0xB0C5);
    devices_destroy(&other->devices);
    rig_free(other);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_pci_function),
        TEST(test_claims),
        TEST(test_frame_buffer_bar_moves_vram),
        TEST(test_register_bar),
        TEST(test_edid),
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
