/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_cirrus: the CL-GD5446 as drivers use it: PCI function, registers, apertures, BLTs by and to
 * the CPU, what a hostile guest does, and no work without a viewer.
 */
#define STOCK_PICTURES "tests/device/cirrus_stock.inc"
#include "tests/device/cirrus_driver.h"

#include "hw/pc/cirrus_int.h"

#define MEMORY  (4u << 20)
#define CALM_MS 10

static int setup(void **state)
{
    (void)state;
    open_card(CARD_CIRRUS, "test");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    close_screen();
    return 0;
}

static uint8_t index_in(uint16_t port, uint8_t index)
{
    outb(NULL, port, index);
    return inb(NULL, (uint16_t)(port + 1));
}

static uint8_t *vram(void)
{
    return scr.rig->hv->vram;
}

static uint32_t get(uint32_t addr, unsigned width)
{
    return (uint32_t)bus_mem_read(scr.rig->bus, addr, width);
}

static void put(uint32_t addr, unsigned width, uint32_t v)
{
    bus_mem_write(scr.rig->bus, addr, width, v);
}

static struct device *card(void)
{
    return scr.rig->devices.first;
}

static bool is_direct(void)
{
    return scr.rig->hv->vram_where == LFB && !fake_claimed(scr.rig->hv, 'm', LFB, LFB + MEMORY - 1);
}

static bool is_trapped(void)
{
    return scr.rig->hv->vram_where != LFB && fake_claimed(scr.rig->hv, 'm', LFB, LFB + MEMORY - 1);
}

static void wait_calm(void)
{
    rig_step(scr.rig, CALM_MS * NS_PER_MS + 1);
}

/* PCI and registers ------------------------------------------------------------------------- */

static void test_pci_function(void **state)
{
    (void)state;
    struct rig *r = scr.rig;
    assert_int_equal(rig_pci_read(r, SLOT, 0, 0x00, 4), 0x00B81013);
    assert_int_equal(rig_pci_read(r, SLOT, 0, 0x08, 4), 0x03000000);
    assert_int_equal(rig_pci_read(r, SLOT, 0, 0x2C, 4), 0x00015853);
    assert_int_equal(rig_pci_read(r, SLOT, 0, 0x3C, 2), 0x0000);
    assert_int_equal(r->hv->vram_bytes, MEMORY);
    assert_true(is_direct());
    assert_true(fake_claimed(r->hv, 'm', LFB + (4u << 20), LFB + (12u << 20) - 1));
    assert_true(fake_claimed(r->hv, 'm', BLT_APERTURE, BLT_APERTURE + (4u << 20) - 1));
    assert_true(fake_claimed(r->hv, 'm', MMIO, MMIO + 4095));
    assert_true(fake_claimed(r->hv, 'm', 0xA0000, 0xBFFFF));
    rig_pci_write(r, SLOT, 0, 0x04, 2, 1);
    assert_int_equal(r->hv->vram_where, HV_VRAM_PARKED);
    assert_false(fake_claimed(r->hv, 'm', BLT_APERTURE, BLT_APERTURE + (4u << 20) - 1));
    static const struct {
        unsigned reg;
        uint32_t size;
    } bars[] = {{0x10, 0xFE000008}, {0x14, 0xFFFFF000}, {0x18, 0}, {0x30, 0}};
    for (size_t i = 0; i < sizeof(bars) / sizeof(bars[0]); i++) {
        rig_pci_write(r, SLOT, 0, bars[i].reg, 4, UINT32_MAX);
        assert_int_equal(rig_pci_read(r, SLOT, 0, bars[i].reg, 4), bars[i].size);
    }
}

/* How drivers know the chip and its memory. */
static void test_identity(void **state)
{
    (void)state;
    outb(NULL, 0x3C2, 0xE3);
    assert_int_equal(index_in(0x3D4, 0x27), 0xB8);
    assert_int_equal(index_in(0x3C4, 0x06), 0x0F);
    index_out(0x3C4, 6, 0x12);
    assert_int_equal(index_in(0x3C4, 0x06), 0x12);
    index_out(0x3C4, 6, 0x00);
    assert_int_equal(index_in(0x3C4, 0x06), 0x0F);
    assert_int_equal(index_in(0x3C4, 0x0F) & 0x98, 0x98);
    assert_int_equal(index_in(0x3C4, 0x15), 0x04);
    assert_int_equal(index_in(0x3C4, 0x17) & 0x38, 0x20);
    index_out(0x3C4, 0x17, 0x38);
    assert_int_equal(index_in(0x3C4, 0x17), 0x20);
    index_out(0x3D4, 0x27, 0);
    assert_int_equal(index_in(0x3D4, 0x27), 0xB8);
}

static void test_indexes(void **state)
{
    (void)state;
    outb(NULL, 0x3C4, 0xF1);
    assert_int_equal(inb(NULL, 0x3C4), 0xF1);
    outb(NULL, 0x3C4, 0x02);
    outb(NULL, 0x3C5, 0x0A);
    assert_int_equal(inb(NULL, 0x3C5), 0x0A);
    outb(NULL, 0x3C4, 0x0A); /* not 02h */
    outb(NULL, 0x3C5, 0x55);
    assert_int_equal(index_in(0x3C4, 2), 0x0A);
    assert_int_equal(index_in(0x3C4, 0x0A), 0x55);
    static const struct {
        uint8_t index, mask;
    } gfx[] = {{0x00, 0xFF}, {0x01, 0xFF}, {0x05, 0x7F}, {0x08, 0xFF}, {0x03, 0x1F}, {0x09, 0xFF},
               {0x0B, 0x00}, {0x10, 0xFF}, {0x21, 0x1F}, {0x23, 0x07}, {0x25, 0x1F}, {0x27, 0x1F},
               {0x2A, 0x3F}, {0x2E, 0x3F}, {0x30, 0xFF}, {0x34, 0xFF}, {0x39, 0xFF}};
    for (size_t i = 0; i < sizeof(gfx) / sizeof(gfx[0]); i++) {
        gfx_out(gfx[i].index, gfx[i].mask ? 0xFF : 0);
        assert_int_equal(index_in(0x3CE, gfx[i].index), gfx[i].mask);
        gfx_out(gfx[i].index, 0);
        assert_int_equal(index_in(0x3CE, gfx[i].index), 0);
    }
    outb(NULL, 0x3C2, 0xE3);
    index_out(0x3D4, 0x1B, 0x22);
    assert_int_equal(index_in(0x3D4, 0x1B), 0x22);
    inb(NULL, 0x3DA);
    outb(NULL, 0x3C0, 0x2E);
    assert_int_equal(index_in(0x3D4, 0x24), 0x80);
    assert_int_equal(index_in(0x3D4, 0x26), 0x2E);
    inb(NULL, 0x3DA);
    assert_int_equal(index_in(0x3D4, 0x24), 0);
}

static void test_hidden_dac(void **state)
{
    (void)state;
    outb(NULL, 0x3C6, 0x77);
    hidden_dac(0xC5);
    assert_int_equal(inb(NULL, 0x3C6), 0x77);
    for (int i = 0; i < 3; i++)
        inb(NULL, 0x3C6);
    assert_int_equal(inb(NULL, 0x3C6), 0xC5);
    assert_int_equal(inb(NULL, 0x3C6), 0x77);
    inb(NULL, 0x3C8); /* interrupts the count */
    for (int i = 0; i < 3; i++)
        inb(NULL, 0x3C6);
    outb(NULL, 0x3C6, 0xFF);
    assert_int_equal(inb(NULL, 0x3C6), 0xFF);
}

static void test_cursor_colours(void **state)
{
    (void)state;
    outb(NULL, 0x3C8, 0);
    for (int i = 0; i < 3; i++)
        outb(NULL, 0x3C9, 0x11);
    cursor_colours(0x0C2C4C, 0xFCBC7C);
    outb(NULL, 0x3C7, 0);
    assert_int_equal(inb(NULL, 0x3C9), 0x11); /* the palette is another one */
    index_out(0x3C4, 0x12, 0x02);
    outb(NULL, 0x3C7, 15);
    assert_int_equal(inb(NULL, 0x3C9), 0x3F);
    assert_int_equal(inb(NULL, 0x3C9), 0x2F);
    assert_int_equal(inb(NULL, 0x3C9), 0x1F);
}

/* SR8: what X.org's driver asks a monitor over. Nobody pulls the wires down but we. */
static void test_ddc_wires(void **state)
{
    (void)state;
    for (uint8_t v = 0; v < 4; v++) {
        index_out(0x3C4, 8, (uint8_t)(0x40 | v));
        assert_int_equal(index_in(0x3C4, 8) & 0x84, (v & 1 ? 0x04 : 0) | (v & 2 ? 0x80 : 0));
    }
}

/* As Linux' driver uses BAR 1. */
static void test_ports_in_memory(void **state)
{
    (void)state;
    put(MMIO + 0x02, 1, 0xE3);
    put(MMIO + 0x14, 1, 0x27);
    assert_int_equal(get(MMIO + 0x15, 1), 0xB8);
    put(MMIO + 0x04, 2, 0x1207);
    assert_int_equal(index_in(0x3C4, 7), 0x12);
    put(MMIO + 0x108, 4, 0x07FF1FFF);
    assert_int_equal(get(MMIO + 0x108, 4), 0x07FF1FFF);
    assert_int_equal(index_in(0x3CE, 0x21), 0x1F);
    assert_int_equal(get(MMIO + 0x113, 1), 0xFF);
    assert_int_equal(get(MMIO + 0x200, 4), 0xFFFFFFFF);
    assert_int_equal(get(MMIO + 0x50, 4), 0xFFFFFFFF);
}

/* Where video memory is --------------------------------------------------------------------- */

static void test_memory_is_trapped_only_when_it_must(void **state)
{
    static const struct {
        uint8_t index, value;
    } modes[] = {{0x0B, 0x02}, {0x0B, 0x14}};
    struct hypervisor *hv = scr.rig->hv;
    (void)state;
    cirrus_mode(640, 480, 8);
    assert_true(is_direct());
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        gfx_out(modes[i].index, modes[i].value);
        assert_true(is_trapped());
        gfx_out(modes[i].index, 0);
        assert_true(is_trapped()); /* not at once: it costs something */
        wait_calm();
        assert_true(is_direct());
    }
    gfx_out(5, 0x44);
    assert_true(is_direct());
    gfx_out(0x0B, 0x04);
    assert_true(is_trapped());
    gfx_out(5, 0x40);
    wait_calm();
    assert_true(is_direct());
    index_out(0x3C4, 0x17, 0x04);
    assert_true(is_direct());
    index_out(0x3C4, 0x17, 0x44);
    assert_true(is_trapped());
    rig_pci_write(scr.rig, SLOT, 0, 0x10, 4, LFB + 0x2000000); /* moves as it is */
    assert_true(fake_claimed(hv, 'm', LFB + 0x2000000, LFB + 0x23FFFFF));
    assert_false(fake_claimed(hv, 'm', LFB, LFB + MEMORY - 1));
    rig_pci_write(scr.rig, SLOT, 0, 0x10, 4, LFB);
    assert_true(is_trapped());
    device_reset(card());
    assert_false(fake_claimed(hv, 'm', LFB, LFB + MEMORY - 1));
    assert_int_equal(hv->vram_where, HV_VRAM_PARKED);
}

static void test_a_stream_of_blts_moves_memory_once(void **state)
{
    (void)state;
    cirrus_mode(640, 480, 8);
    unsigned moves = scr.rig->hv->vram_moves;
    struct blt b = {.width = 8,
                    .height = 4,
                    .dst_pitch = 640,
                    .dst = 1000,
                    .mode = FROM_CPU,
                    .rop = COPY,
                    .bits = 8};
    const uint8_t data[32] = {0};
    for (int i = 0; i < 20; i++) {
        blt_go(&b);
        assert_true(is_trapped());
        write_device(i & 1 ? LFB : BLT_APERTURE, data, sizeof(data));
        assert_int_equal(index_in(0x3CE, 0x31) & 0x0B, 0);
        rig_step(scr.rig, (CALM_MS - 1) * NS_PER_MS / 2);
    }
    assert_int_equal(scr.rig->hv->vram_moves, moves + 1);
    wait_calm();
    wait_calm();
    assert_true(is_direct());
    assert_int_equal(scr.rig->hv->vram_moves, moves + 2);
}

static void test_swapped_apertures(void **state)
{
    (void)state;
    cirrus_mode(640, 480, 8);
    const uint8_t bytes[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    memcpy(vram() + 64, bytes, 8);
    assert_int_equal(get(LFB + (4u << 20) + 64, 2), 0x0102);
    assert_int_equal(get(LFB + (4u << 20) + 64, 4), 0x03040102);
    assert_int_equal(get(LFB + (8u << 20) + 64, 4), 0x01020304);
    put(LFB + (8u << 20) + 68, 4, 0xAABBCCDD);
    assert_int_equal(vram()[68], 0xAA);
    assert_int_equal(vram()[71], 0xDD);
    put(LFB + (8u << 20) - 2, 2, 0x1234);
    assert_int_equal(vram()[MEMORY - 2], 0x12);
    assert_int_equal(vram()[MEMORY - 1], 0x34);
}

/* BLTs and the CPU -------------------------------------------------------------------------- */

static void test_status(void **state)
{
    (void)state;
    cirrus_mode(640, 480, 8);
    struct blt b = {.width = 9,
                    .height = 2,
                    .dst_pitch = 640,
                    .dst = 100,
                    .mode = FROM_CPU,
                    .rop = COPY,
                    .bits = 8};
    blt_go(&b);
    assert_int_equal(index_in(0x3CE, 0x31) & 3, 3);
    uint8_t data[24];
    memset(data, 0xA5, sizeof(data));
    write_window(0xA0000, data, 23);
    assert_int_equal(index_in(0x3CE, 0x31) & 1, 1);
    write_window(0xAFFFF, data, 1);
    assert_int_equal(index_in(0x3CE, 0x31) & 3, 0);
    assert_int_equal(vram()[100], 0xA5);
    assert_int_equal(vram()[108], 0xA5);
    assert_int_equal(vram()[109], 0x00);
    assert_int_equal(vram()[740], 0xA5);
    /* One that is given up. */
    blt_go(&b);
    gfx_out(0x31, 0x04);
    assert_int_equal(index_in(0x3CE, 0x31) & 1, 1);
    gfx_out(0x31, 0x00);
    assert_int_equal(index_in(0x3CE, 0x31) & 3, 0);
    memset(data, 0x5A, sizeof(data));
    write_window(0xA0000, data, 24);
    assert_int_equal(vram()[100], 0xA5);
    assert_int_equal(vram()[0], 0x5A);
}

/* The other way: lines come out padded to double words. */
static void test_screen_to_system(void **state)
{
    (void)state;
    cirrus_mode(640, 480, 8);
    for (uint32_t i = 0; i < 4000; i++)
        vram()[i] = (uint8_t)(i * 7);
    struct blt b = {.width = 6,
                    .height = 3,
                    .src_pitch = 640,
                    .src = 50,
                    .mode = TO_CPU,
                    .rop = COPY,
                    .bits = 8};
    for (unsigned way = 0; way < 3; way++) {
        static const uint32_t where[] = {0xA0000, BLT_APERTURE, LFB};
        uint8_t got[24];
        blt_go(&b);
        bus_mem_read_run(scr.rig->bus, where[way], 4, got, 6);
        for (unsigned i = 0; i < 24; i++)
            assert_int_equal(got[i], i % 8 < 6 ? (uint8_t)((50 + i / 8 * 640 + i % 8) * 7) : 0);
        assert_int_equal(index_in(0x3CE, 0x31) & 3, 0);
    }
    assert_int_equal(get(BLT_APERTURE, 4), 0xFFFFFFFF);
}

static void test_patterns_of_24_bits_from_the_cpu(void **state)
{
    uint8_t pattern[256];
    (void)state;
    cirrus_mode(640, 480, 24);
    for (unsigned i = 0; i < sizeof(pattern); i++)
        pattern[i] = (uint8_t)i;
    struct blt b = {.width = 10,
                    .height = 9,
                    .dst_pitch = 1920,
                    .mode = FROM_CPU | PATTERN,
                    .rop = COPY,
                    .bits = 24};
    blt_go(&b);
    write_device(BLT_APERTURE, pattern, sizeof(pattern));
    assert_int_equal(index_in(0x3CE, 0x31) & 3, 0);
    for (unsigned y = 0; y < 9; y++)
        for (unsigned i = 0; i < 30; i++)
            assert_int_equal(vram()[y * 1920 + i], (y & 7) * 32 + i % 24);
}

/* Hostile guests ---------------------------------------------------------------------------- */

static uint32_t seed;

static uint32_t rnd(void)
{
    seed = seed * 1664525 + 1013904223;
    return seed >> 8;
}

/* One BLT of each kind with addresses and pitches at the edges: nothing outside, and memory that it
 * does not name stays as it is: the fake's video memory has guard pages around it. */
static void test_blts_at_the_edges(void **state)
{
    static const uint32_t addresses[] = {0, 1, 8191, MEMORY - 8192, MEMORY - 1, 0x3FFFFF};
    static const uint32_t pitches[] = {0, 1, 0x1FFF, 0x1000};
    static uint8_t data[65536];
    (void)state;
    seed = 1;
    cirrus_mode(640, 480, 8);
    for (unsigned mode = 0; mode < 256; mode++)
        for (unsigned k = 0; k < 8; k++) {
            struct blt b = {.width = k & 1 ? 8192 : 1 + rnd() % 200,
                            .height = k & 2 ? 2048 : 1 + rnd() % 30,
                            .dst_pitch = pitches[rnd() % 4],
                            .src_pitch = pitches[rnd() % 4],
                            .dst = addresses[rnd() % 6],
                            .src = addresses[rnd() % 6],
                            .mode = (uint8_t)mode,
                            .rop = (uint8_t)rnd(),
                            .extension = (uint8_t)rnd(),
                            .skip = (uint8_t)rnd(),
                            .bits = 8};
            if (k == 3 && mode % 16)
                continue; /* the largest take their time */
            blt_go(&b);
            write_window(0xA0000, data, 1000 + rnd() % 60000);
            uint8_t got[4096];
            bus_mem_read_run(scr.rig->bus, BLT_APERTURE, 1, got, sizeof(got));
            gfx_out(0x31, 4);
            gfx_out(0x31, 0);
        }
    display_refresh_now(scr.display);
}

/* A BLT in ring-shaped memory is the same as in a straight one. */
static void test_blts_wrap(void **state)
{
    (void)state;
    cirrus_mode(640, 480, 8);
    for (uint32_t i = 0; i < 3000; i++)
        vram()[10000 + i] = (uint8_t)(i * 11 + 1);
    struct blt b = {.width = 100,
                    .height = 5,
                    .dst_pitch = 300,
                    .src_pitch = 200,
                    .dst = MEMORY - 950,
                    .src = 10000,
                    .rop = COPY,
                    .bits = 8};
    blt_go(&b);
    for (uint32_t y = 0; y < 5; y++)
        for (uint32_t x = 0; x < 100; x++)
            assert_int_equal(vram()[(b.dst + y * 300 + x) % MEMORY], vram()[10000 + y * 200 + x]);
    /* And back, from the end to the beginning. */
    memset(vram() + 20000, 0, 2000);
    struct blt back = {.width = 100,
                       .height = 5,
                       .dst_pitch = 200,
                       .src_pitch = 300,
                       .dst = 20000 + 4 * 200 + 99,
                       .src = (MEMORY - 950 + 4 * 300 + 99) % MEMORY,
                       .mode = BACKWARD,
                       .rop = COPY,
                       .bits = 8};
    blt_go(&back);
    for (uint32_t y = 0; y < 5; y++)
        assert_memory_equal(vram() + 20000 + y * 200, vram() + 10000 + y * 200, 100);
}

static void test_random_guest(void **state)
{
    static const uint16_t ports[] = {0x3C0, 0x3C2, 0x3C4, 0x3C5, 0x3C6, 0x3C7, 0x3C8,
                                     0x3C9, 0x3CE, 0x3CF, 0x3D4, 0x3D5, 0x3DA};
    (void)state;
    seed = 7;
    cirrus_mode(640, 480, 16);
    for (unsigned i = 0; i < 60000; i++) {
        uint32_t v = rnd();
        switch (rnd() % 8) {
        case 0:
            put(0xA0000 + v % 0x20000, 1u << rnd() % 4, v * 77);
            break;
        case 1:
            get(0xA0000 + v % 0x20000, 1u << rnd() % 4);
            break;
        case 2:
            put(LFB + v % (32u << 20), 1u << rnd() % 4, v * 77);
            break;
        case 3:
            put(MMIO + 0x100 + v % 0x44, 1u << rnd() % 3, v * 77);
            break;
        case 4:
            index_out(rnd() & 1 ? 0x3CE : 0x3C4, (uint8_t)(v % 0x40), (uint8_t)(v >> 8));
            break;
        case 5:
            index_out(0x3D4, (uint8_t)(v % 0x20), (uint8_t)(v >> 8));
            break;
        default:
            outb(NULL, ports[v % 13], (uint8_t)(v >> 8));
            inb(NULL, ports[rnd() % 13]);
            break;
        }
        if (i % 500 == 0) {
            rig_step(scr.rig, 3 * NS_PER_MS);
            display_refresh_now(scr.display);
        }
    }
}

/* Watched or not ---------------------------------------------------------------------------- */

struct watcher {
    struct display_viewer viewer;
    unsigned calls, lines;
};

static void on_resize(void *opaque, const struct surface *surface)
{
    struct watcher *w = opaque;
    w->calls++;
    w->lines = (unsigned)surface->height;
}

static void on_damage(void *opaque, const struct surface *surface,
                      const struct display_damage *damage)
{
    struct watcher *w = opaque;
    (void)surface;
    w->calls++;
    w->lines = 0;
    for (unsigned i = 0; i < damage->count; i++)
        w->lines += (unsigned)(damage->rects[i].y2 - damage->rects[i].y1);
}

static void expect_lines(struct watcher *w, unsigned lines)
{
    w->calls = w->lines = 0;
    display_refresh_now(scr.display);
    assert_int_equal(w->lines, lines);
    assert_int_equal(w->calls, lines ? 1 : 0);
}

static void test_damage(void **state)
{
    struct watcher w = {.viewer = {.resized = on_resize, .damaged = on_damage, .opaque = &w}};
    (void)state;
    cirrus_mode(1024, 768, 16); /* two lines in a page */
    scr.rig->hv->vram_known = true;
    assert_false(scr.rig->hv->vram_tracked); /* nobody looks */
    assert_int_equal(clock_deadline(&scr.rig->clock), CLOCK_NEVER);
    w.viewer.wants_updates = true;
    display_add_viewer(scr.display, &w.viewer);
    display_refresh_now(scr.display);
    assert_true(scr.rig->hv->vram_tracked);
    expect_lines(&w, 0);
    put(0xA0000, 4, 0x123456);
    expect_lines(&w, 2);
    struct blt b = {.width = 10,
                    .height = 20,
                    .dst_pitch = 2048,
                    .dst = 100 * 2048,
                    .mode = PATTERN | EXPAND,
                    .extension = SOLID,
                    .rop = COPY,
                    .bits = 16};
    blt_go(&b);
    expect_lines(&w, 20);
    cursor_at(10, 200, true);
    expect_lines(&w, 64);
    expect_lines(&w, 0);
    cursor_at(10, 210, true);
    expect_lines(&w, 74);
    vram()[MEMORY - 1000] ^= 1; /* its pattern, which the guest writes by itself */
    expect_lines(&w, 64);
    index_out(0x3C4, 0x12, 0);
    expect_lines(&w, 64);
    display_remove_viewer(scr.display, &w.viewer);
    assert_false(scr.rig->hv->vram_tracked);
}

/* State ------------------------------------------------------------------------------------- */

/* A move in the middle of a BLT from the CPU, memory taken away from BAR 0. */
static void test_state_within_a_blt(void **state)
{
    (void)state;
    uint8_t data[64];
    struct err err;
    struct device *d = card();
    cirrus_mode(640, 480, 8);
    noise(data, sizeof(data), 3);
    struct blt b = {.width = 16,
                    .height = 4,
                    .dst_pitch = 640,
                    .dst = 5000,
                    .mode = FROM_CPU,
                    .rop = COPY,
                    .bits = 8};
    blt_go(&b);
    write_window(0xA0000, data, 21);
    size_t len = state_size(d->class->state, d->class->version);
    uint8_t *saved = malloc(len);
    assert_non_null(saved);
    d->class->quiesce(d);
    state_save(d->class->state, d, d->class->version, saved);
    device_reset(d);
    assert_true(device_load(d, d->class->version, saved, len, &err));
    free(saved);
    assert_true(fake_claimed(scr.rig->hv, 'm', LFB, LFB + MEMORY - 1));
    write_device(LFB, data + 21, 43);
    for (unsigned y = 0; y < 4; y++)
        assert_memory_equal(vram() + 5000 + y * 640, data + y * 16, 16);
    wait_calm();
    assert_true(is_direct());
}

static void test_standard(void **state)
{
    (void)state;
    rig_standard_tests(scr.rig, card());
}

static void test_realize_refuses(void **state)
{
    struct err err = {.text = ""};
    const struct cirrus_config config = {.devfn = PCI_DEVFN(SLOT + 1, 0)};
    struct rig *r = scr.rig;
    (void)state;
    struct hypervisor *other = fake_hypervisor_new(4096);
    size_t before = r->hv->claim_count;
    assert_null(cirrus_realize(r->pci, r->bus, other, &r->clock, NULL, &r->devices, &config, &err));
    assert_true(*err.text); /* the ports are taken */
    assert_int_equal(r->hv->claim_count, before);
    fake_hypervisor_free(other);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_pci_function),
        TEST(test_identity),
        TEST(test_indexes),
        TEST(test_hidden_dac),
        TEST(test_cursor_colours),
        TEST(test_ddc_wires),
        TEST(test_ports_in_memory),
        TEST(test_memory_is_trapped_only_when_it_must),
        TEST(test_a_stream_of_blts_moves_memory_once),
        TEST(test_swapped_apertures),
        TEST(test_status),
        TEST(test_screen_to_system),
        TEST(test_patterns_of_24_bits_from_the_cpu),
        TEST(test_blts_at_the_edges),
        TEST(test_blts_wrap),
        TEST(test_random_guest),
        TEST(test_damage),
        TEST(test_state_within_a_blt),
        TEST(test_standard),
        TEST(test_realize_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
