/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_vga_vbe: VBE modes, hostile guests, state, and no work without a viewer. */
#include "tests/device/vga_rig.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
