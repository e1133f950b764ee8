/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the VGA shows, by checksum of the picture, against what the stock device model shows
 * (vga_stock.inc). To make that anew: run with VGA_TRACE=FILE, which writes down what each scene
 * does to the chip, then `build/tests/xenstub/vga_peer FILE`, which does it to the stock model.
 */
#include "tests/device/rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define STOCK_PICTURES "tests/device/vga_stock.inc"
#include "tests/device/vga_scene.h"

/* A font of noise, 32 bytes a character. The glyphs B0h-BFh have no dot at the right edge: there
 * the stock model repeats it in the ninth column, and the VGA does not. */
static void load_font(uint32_t offset, uint32_t seed)
{
    uint8_t font[8192];
    noise(font, sizeof(font), seed);
    for (unsigned i = 0xB0 * 32; i < 0xC0 * 32; i++)
        font[i] &= 0xFE;
    index_out(0x3C4, 2, 0x04);
    index_out(0x3C4, 4, 0x07);
    index_out(0x3CE, 5, 0x00);
    index_out(0x3CE, 6, 0x04);
    write_window(0xA0000 + offset, font, sizeof(font));
    index_out(0x3C4, 2, 0x03);
    index_out(0x3C4, 4, 0x02);
    index_out(0x3CE, 5, 0x10);
    index_out(0x3CE, 6, 0x0E);
}

/* Every character, every attribute without bit 7 (with it the stock model shows a bright background
 * where the VGA blinks). */
static void fill_text(unsigned cells, unsigned shift)
{
    uint8_t text[32768] = {0};
    for (unsigned i = 0; i < cells; i++) {
        text[2 * i] = (uint8_t)(i + shift);
        text[2 * i + 1] = (uint8_t)(i * 5 / 3 + 7) & 0x7F;
    }
    write_window(0xB8000, text, (size_t)cells * 2);
}

static void test_text(void **state)
{
    (void)state;
    open_screen("text");
    set_mode(&mode_03);
    load_font(0, 1);
    fill_text(80 * 60, 0);
    expect_picture("text 80x25, cursor at the origin");
    index_out(0x3D4, 0x0E, 1);
    index_out(0x3D4, 0x0F, 0x23);
    index_out(0x3D4, 0x0A, 2);
    index_out(0x3D4, 0x0B, 0x0A);
    expect_picture("text, cursor elsewhere and taller");
    index_out(0x3D4, 0x0A, 0x2D);
    expect_picture("text, no cursor");
    index_out(0x3D4, 0x0A, 0x0E);
    index_out(0x3D4, 0x0B, 0x0D);
    expect_picture("text, cursor ends before it begins");
    index_out(0x3D4, 0x0C, 0x01);
    index_out(0x3D4, 0x0D, 0x90);
    expect_picture("text, scrolled by five lines");
    attr_out(0x10, 0x08);
    fill_text(80 * 60, 1); /* the stock model redraws what changes in memory */
    expect_picture("text, ninth dot always empty");
    close_screen();
}

static void test_text_shapes(void **state)
{
    (void)state;
    open_screen("text shapes");
    set_mode(&mode_03);
    load_font(0, 1);
    load_font(0x4000, 2);
    load_font(0x2000, 3);
    fill_text(80 * 60, 0);
    index_out(0x3D4, 0x0A, 0x20);
    index_out(0x3C4, 1, 0x01);
    attr_out(0x13, 0);
    expect_picture("text, 8 dots");
    index_out(0x3D4, 0x09, 0x47);
    expect_picture("text, 50 lines");
    index_out(0x3C4, 3, 0x04);
    expect_picture("text, map A is 1");
    index_out(0x3C4, 3, 0x21);
    expect_picture("text, map A is 4, map B is 1");
    index_out(0x3D4, 0x11, 0x0E);
    index_out(0x3D4, 0x12, 0xDF);
    index_out(0x3D4, 0x07, 0x3E);
    index_out(0x3D4, 0x09, 0x4F);
    expect_picture("text, 30 lines");
    set_mode(&mode_01);
    index_out(0x3C4, 1, 0x09);
    attr_out(0x13, 0);
    expect_picture("text, 40 columns of 8 dots");
    attr_out(0x10, 0x8C);
    attr_out(0x14, 0x05);
    expect_picture("text, colour select");
    close_screen();
}

static void planes_noise(uint32_t bytes, uint32_t seed)
{
    uint8_t buf[65536];
    for (uint8_t plane = 0; plane < 4; plane++) {
        noise(buf, bytes, seed + plane);
        index_out(0x3C4, 2, (uint8_t)(1 << plane));
        write_window(0xA0000, buf, bytes);
    }
    index_out(0x3C4, 2, 0x0F);
}

static void test_planar(void **state)
{
    (void)state;
    open_screen("planar");
    set_mode(&mode_12);
    planes_noise(65536, 7);
    expect_picture("mode 12h");
    attr_out(0x12, 0x05);
    expect_picture("mode 12h, two planes");
    attr_out(0x12, 0x0F);
    index_out(0x3D4, 0x0C, 0x12);
    index_out(0x3D4, 0x0D, 0x34);
    index_out(0x3D4, 0x13, 0x32);
    expect_picture("mode 12h, moved, longer lines");
    index_out(0x3D4, 0x18, 0x64);
    index_out(0x3D4, 0x07, 0x2E);
    index_out(0x3D4, 0x09, 0x00);
    expect_picture("mode 12h, split");
    set_mode(&mode_0d);
    expect_picture("mode 0Dh");
    set_mode(&mode_0e);
    expect_picture("mode 0Eh");
    set_mode(&mode_10);
    expect_picture("mode 10h");
    set_mode(&mode_11);
    expect_picture("mode 11h");
    set_mode(&mode_0f);
    expect_picture("mode 0Fh");
    close_screen();
}

/* The CRT controller at 3B4h, the text at B0000h. */
static void test_monochrome(void **state)
{
    uint8_t text[4000];
    (void)state;
    open_screen("monochrome");
    set_mode(&mode_03);
    load_font(0, 1);
    set_mode(&mode_07);
    noise(text, sizeof(text), 13);
    for (unsigned i = 1; i < sizeof(text); i += 2)
        text[i] &= 0x7F;
    write_window(0xB0000, text, sizeof(text));
    index_out(0x3B4, 0x14, 0x1F); /* no underline: the stock model has none */
    expect_picture("mode 07h");
    close_screen();
}

static void test_cga(void **state)
{
    uint8_t buf[16384];
    (void)state;
    open_screen("cga");
    set_mode(&mode_04);
    noise(buf, sizeof(buf), 11);
    write_window(0xB8000, buf, sizeof(buf));
    expect_picture("mode 04h");
    attr_out(0x01, 0x0B); /* cyan, red, white, intense: what mode 05h's palette is for */
    attr_out(0x02, 0x0C);
    attr_out(0x03, 0x0F);
    expect_picture("mode 05h");
    set_mode(&mode_06);
    noise(buf, sizeof(buf), 12);
    write_window(0xB8000, buf, sizeof(buf));
    expect_picture("mode 06h");
    close_screen();
}

static void test_packed(void **state)
{
    uint8_t buf[65536];
    (void)state;
    open_screen("packed");
    set_mode(&mode_13);
    noise(buf, sizeof(buf), 21);
    write_window(0xA0000, buf, sizeof(buf));
    expect_picture("mode 13h");
    set_mode(&mode_x);
    planes_noise(65536, 22);
    expect_picture("mode X");
    index_out(0x3D4, 0x0C, 0x4B);
    expect_picture("mode X, second page");
    close_screen();
}

static void vbe_mode(uint16_t width, uint16_t height, uint16_t bpp, uint16_t enable)
{
    vbe_out(4, 0);
    vbe_out(1, width);
    vbe_out(2, height);
    vbe_out(3, bpp);
    vbe_out(4, enable | 1);
}

static void test_vbe(void **state)
{
    static const struct {
        uint16_t width, height, bpp, enable;
        const char *name, *moved;
    } modes[] = {
        {320, 200, 8, 0x40, "VBE 8", "VBE 8, moved"},
        {320, 200, 8, 0x60, "VBE 8, 8-bit DAC", "VBE 8, 8-bit DAC, moved"},
        {400, 300, 15, 0x40, "VBE 15", "VBE 15, moved"},
        {400, 300, 16, 0x40, "VBE 16", "VBE 16, moved"},
        {400, 300, 24, 0x40, "VBE 24", "VBE 24, moved"},
        {400, 300, 32, 0x40, "VBE 32", "VBE 32, moved"},
        {1024, 768, 32, 0x40, "VBE 1024", "VBE 1024, moved"},
    };
    static uint8_t buf[4u << 20];
    (void)state;
    open_screen("vbe");
    set_mode(&mode_13); /* unblanks, sets the palette */
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        uint32_t bytes = modes[i].width * (modes[i].height + 80u) * ((modes[i].bpp + 7u) / 8);
        vbe_mode(modes[i].width, modes[i].height, modes[i].bpp, modes[i].enable);
        noise(buf, bytes, 31 + (uint32_t)i);
        write_lfb(0, buf, bytes);
        expect_picture(modes[i].name);
        vbe_out(6, (uint16_t)(modes[i].width + 64));
        vbe_out(8, 12);
        vbe_out(9, 5);
        expect_picture(modes[i].moved);
    }
    close_screen();
}

static void test_vbe_banked(void **state)
{
    uint8_t buf[65536];
    (void)state;
    open_screen("vbe banked");
    set_mode(&mode_12);
    vbe_mode(640, 480, 4, 0);
    planes_noise(65536, 41);
    expect_picture("VBE 4");
    vbe_mode(640, 400, 8, 0);
    for (uint16_t bank = 0; bank < 4; bank++) {
        vbe_out(5, bank);
        noise(buf, sizeof(buf), 51u + bank);
        write_window(0xA0000, buf, sizeof(buf));
    }
    expect_picture("VBE 8, written by banks");
    vbe_out(4, 0);
    close_screen();
}

/* Modes that programs make for themselves, and split and moved ones. */
static void test_more_modes(void **state)
{
    uint8_t buf[65536];
    (void)state;
    open_screen("more modes");
    set_mode(&mode_x);
    index_out(0x3D4, 0x11, 0x2C);
    index_out(0x3D4, 0x01, 0x59); /* 360 columns */
    index_out(0x3D4, 0x09, 0x40); /* of single lines: 480 */
    index_out(0x3D4, 0x13, 0x2D);
    outb(NULL, 0x3C2, 0xE7);
    planes_noise(65536, 61);
    expect_picture("mode X, 360x480");
    index_out(0x3D4, 0x09, 0x43);
    expect_picture("mode X, 360x120");
    set_mode(&mode_13);
    noise(buf, sizeof(buf), 62);
    write_window(0xA0000, buf, sizeof(buf));
    index_out(0x3D4, 0x18, 0x8F);
    index_out(0x3D4, 0x07, 0x0F);
    index_out(0x3D4, 0x09, 0x01);
    index_out(0x3D4, 0x0C, 0x1F);
    expect_picture("mode 13h, split, moved");
    set_mode(&mode_0d);
    index_out(0x3D4, 0x0C, 0x20);
    index_out(0x3D4, 0x13, 0x28);
    expect_picture("mode 0Dh, second page, longer lines");
    set_mode(&mode_12);
    index_out(0x3D4, 0x09, 0xC0); /* 640x240 */
    expect_picture("mode 12h, double scan");
    attr_out(0x10, 0x81); /* four bits of colour select */
    attr_out(0x14, 0x0A);
    expect_picture("mode 12h, colour select");
    set_mode(&mode_03);
    load_font(0, 3);
    index_out(0x3D4, 0x01, 0x83); /* 132 columns */
    index_out(0x3D4, 0x13, 0x42);
    index_out(0x3C4, 1, 0x01);
    attr_out(0x13, 0);
    fill_text(132 * 60, 4);
    index_out(0x3D4, 0x0A, 0x20);
    expect_picture("text 132x25");
    index_out(0x3D4, 0x09, 0x47);
    expect_picture("text 132x50");
    close_screen();
}

/* What the graphics controller makes of bytes, by the picture: write modes, functions, latches,
 * bit and map masks, set/reset, odd/even and chained addresses. */
static void test_drawn_through_registers(void **state)
{
    uint8_t buf[2000];
    (void)state;
    open_screen("write modes");
    set_mode(&mode_12);
    planes_noise(40000, 71);
    noise(buf, sizeof(buf), 72);
    for (uint8_t n = 0; n < 16; n++) {
        uint32_t at = 0xA0000 + n * 2400u;
        index_out(0x3CE, 5, n & 3);
        index_out(0x3CE, 3, (uint8_t)(n >> 2 << 3 | (n & 7)));
        index_out(0x3CE, 8, (uint8_t)(0xFF ^ n * 5));
        index_out(0x3CE, 0, (uint8_t)(n * 7 & 15));
        index_out(0x3CE, 1, (uint8_t)(n * 11 & 15));
        index_out(0x3C4, 2, (uint8_t)(15 - (n & 3)));
        read_window(at + 100); /* the latches */
        write_window(at, buf, sizeof(buf));
    }
    expect_picture("write modes and functions");
    set_mode(&mode_0d);
    index_out(0x3C4, 4, 0x02); /* odd/even */
    index_out(0x3CE, 5, 0x10);
    index_out(0x3CE, 6, 0x07);
    index_out(0x3C4, 2, 0x06);
    write_window(0xA0000, buf, sizeof(buf));
    expect_picture("odd/even in mode 0Dh");
    close_screen();
}

/* Up to the end of video memory. */
static void test_vbe_limits(void **state)
{
    static uint8_t buf[1u << 20];
    static const struct {
        uint16_t width, height, bpp, x, y;
        const char *name;
    } modes[] = {
        {1600, 1200, 16, 0, 3900, "VBE 1600x1200x16, the end of memory"},
        {1920, 1080, 32, 0, 1000, "VBE 1920x1080x32, moved"},
        {2560, 1600, 32, 0, 38, "VBE 2560x1600x32, the end of memory"},
        {640, 400, 8, 8, 25000, "VBE 640x400x8, the end of memory"},
        {800, 600, 24, 16, 6000, "VBE 800x600x24, moved"},
    };
    (void)state;
    open_screen("vbe limits");
    set_mode(&mode_13);
    for (uint32_t at = 0; at < 16u << 20; at += sizeof(buf)) {
        noise(buf, sizeof(buf), 81 + at / (uint32_t)sizeof(buf));
        write_lfb(at, buf, sizeof(buf));
    }
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        vbe_mode(modes[i].width, modes[i].height, modes[i].bpp, 0xC0); /* nothing is cleared */
        vbe_out(8, modes[i].x);
        vbe_out(9, modes[i].y);
        expect_picture(modes[i].name);
    }
    close_screen();
}

/* What the stock model leaves out: by the pixel ------------------------------------------- */

static uint32_t pixel(int x, int y)
{
    const struct surface *s = display_surface(scr.display);
    return s->pixels[y * s->width + x] & 0xFFFFFF;
}

/* Colour n of set_dac as it appears: 6 bits become 8, the lowest repeated. */
static uint32_t colour(uint32_t n)
{
    uint32_t parts[3] = {n & 0x3F, n * 7 & 0x3F, n * 29 >> 2 & 0x3F}, v = 0;
    for (int i = 0; i < 3; i++)
        v = v << 8 | parts[i] << 2 | (parts[i] & 1) * 3;
    return v;
}

static void solid_font(void)
{
    uint8_t font[8192];
    memset(font, 0xFF, sizeof(font));
    memset(font, 0, 32); /* character 0 is empty */
    load_font(0, 1);
    index_out(0x3C4, 2, 0x04);
    index_out(0x3C4, 4, 0x07);
    index_out(0x3CE, 5, 0x00);
    index_out(0x3CE, 6, 0x04);
    write_window(0xA0000, font, sizeof(font));
    index_out(0x3C4, 2, 0x03);
    index_out(0x3C4, 4, 0x02);
    index_out(0x3CE, 5, 0x10);
    index_out(0x3CE, 6, 0x0E);
}

static void text_screen(const struct vga_mode *m)
{
    set_mode(m);
    for (uint8_t i = 0; i < 16; i++)
        attr_out(i, i);
    solid_font();
    index_out(0x3D4, 0x0A, 0x20);
}

static void put(uint32_t n, uint8_t c, uint8_t attr)
{
    const uint8_t bytes[2] = {c, attr};
    write_window(0xB8000 + 2 * n, bytes, 2);
}

static void test_blink(void **state)
{
    (void)state;
    open_screen("blink");
    text_screen(&mode_03);
    put(0, 'A', 0x8F);
    put(1, 'A', 0x0F);
    put(2, 0, 0x9A);
    index_out(0x3D4, 0x0A, 14);
    index_out(0x3D4, 0x0B, 15);
    index_out(0x3D4, 0x0F, 2);
    for (int i = 0; i < 4; i++) {
        bool on = i % 2 == 0;
        display_refresh_now(scr.display);
        assert_int_equal(pixel(4, 4), colour(on ? 15 : 0));
        assert_int_equal(pixel(13, 4), colour(15));
        assert_int_equal(pixel(22, 4), colour(1)); /* background: three bits */
        assert_int_equal(pixel(18, 14), colour(on ? 10 : 1));
        assert_int_equal(pixel(26, 15), colour(on ? 10 : 1)); /* the cursor has nine dots */
        assert_int_equal(pixel(18, 13), colour(1));
        rig_step(scr.rig, 16 * NS_PER_S / 70 + 1);
    }
    attr_out(0x10, 0x04); /* intensity instead of blinking */
    for (int i = 0; i < 2; i++) {
        display_refresh_now(scr.display);
        assert_int_equal(pixel(4, 4), colour(15));
        assert_int_equal(pixel(22, 4), colour(9));
        rig_step(scr.rig, 16 * NS_PER_S / 70 + 1);
    }
    close_screen();
}

static void test_cursor_skew(void **state)
{
    (void)state;
    open_screen("skew");
    text_screen(&mode_03);
    for (uint8_t i = 0; i < 8; i++)
        put(i, 0, 0x07);
    index_out(0x3D4, 0x0A, 0);
    index_out(0x3D4, 0x0B, 0x5F);
    index_out(0x3D4, 0x0F, 3);
    display_refresh_now(scr.display);
    assert_int_equal(pixel(3 * 9 + 4, 0), colour(0));
    assert_int_equal(pixel(5 * 9 + 4, 0), colour(7));
    assert_int_equal(pixel(5 * 9 + 4, 15), colour(7));
    close_screen();
}

static void test_ninth_dot_and_underline(void **state)
{
    (void)state;
    open_screen("ninth");
    text_screen(&mode_03);
    put(0, 0xB1, 0x07);
    put(1, 0xC4, 0x07);
    put(2, 0xDF, 0x07);
    put(3, 0xE0, 0x07);
    put(4, 0x00, 0x01);
    index_out(0x3D4, 0x14, 12);
    display_refresh_now(scr.display);
    assert_int_equal(pixel(7, 0), colour(7));
    assert_int_equal(pixel(8, 0), colour(0));
    assert_int_equal(pixel(9 + 8, 0), colour(7));
    assert_int_equal(pixel(18 + 8, 0), colour(7));
    assert_int_equal(pixel(27 + 8, 0), colour(0));
    assert_int_equal(pixel(36 + 4, 12), colour(0)); /* blue, not underlined */
    attr_out(0x10, 0x0E);                           /* monochrome attributes */
    display_refresh_now(scr.display);
    assert_int_equal(pixel(36, 12), colour(1));
    assert_int_equal(pixel(36 + 8, 12), colour(1));
    assert_int_equal(pixel(36 + 4, 11), colour(0));
    close_screen();
}

static void test_forty_columns_of_nine_dots(void **state)
{
    (void)state;
    open_screen("forty");
    text_screen(&mode_01);
    put(0, 0xE0, 0x07);
    put(1, 0xC0, 0x02);
    display_refresh_now(scr.display);
    assert_int_equal(display_surface(scr.display)->width, 720);
    assert_int_equal(pixel(15, 0), colour(7));
    assert_int_equal(pixel(16, 0), colour(0));
    assert_int_equal(pixel(17, 0), colour(0));
    assert_int_equal(pixel(18, 0), colour(2));
    assert_int_equal(pixel(35, 0), colour(2));
    close_screen();
}

#define KEPT_WIDTH  720
#define KEPT_HEIGHT 480
static uint32_t kept[KEPT_HEIGHT][KEPT_WIDTH];
static int kept_width, kept_height;

static void keep_picture(void)
{
    display_refresh_now(scr.display);
    kept_width = display_surface(scr.display)->width;
    kept_height = display_surface(scr.display)->height;
    assert_true(kept_width <= KEPT_WIDTH && kept_height <= KEPT_HEIGHT);
    for (int y = 0; y < kept_height; y++)
        for (int x = 0; x < kept_width; x++)
            kept[y][x] = pixel(x, y);
}

/* From line `first` up to `end` the picture is the kept one, moved left and up. */
static void expect_moved(int left, int up, int first, int end)
{
    display_refresh_now(scr.display);
    for (int y = first; y < end; y++)
        for (int x = 0; x < kept_width - left; x++)
            if (pixel(x, y) != kept[y + up][x + left])
                fail_msg("%d,%d is %06x, not %06x", x, y, pixel(x, y), kept[y + up][x + left]);
}

static void test_panning(void **state)
{
    (void)state;
    open_screen("panning");
    set_mode(&mode_12);
    planes_noise(65536, 7);
    keep_picture();
    attr_out(0x13, 5);
    expect_moved(5, 0, 0, 480);
    assert_int_not_equal(pixel(639, 0), kept[0][639]);
    attr_out(0x13, 0);
    index_out(0x3D4, 0x08, 0x20); /* byte panning */
    expect_moved(8, 0, 0, 480);

    set_mode(&mode_13);
    keep_picture();
    attr_out(0x13, 4); /* two pixels, four dots */
    expect_moved(4, 0, 0, 400);

    set_mode(&mode_0d);
    keep_picture();
    attr_out(0x13, 3);
    expect_moved(6, 0, 0, 400);

    text_screen(&mode_03);
    load_font(0, 5);
    fill_text(80 * 60, 0);
    keep_picture();
    attr_out(0x13, 0);
    expect_moved(1, 0, 0, 400);
    attr_out(0x13, 7);
    expect_moved(8, 0, 0, 400);
    attr_out(0x13, 8);
    expect_moved(0, 0, 0, 400);
    index_out(0x3D4, 0x08, 0x05); /* preset row scan: up by five lines */
    expect_moved(0, 5, 0, 395);
    close_screen();
}

/* Above the split the picture pans; below it only if attribute 10h bit 5 is clear. */
static void test_panning_stops_at_the_split(void **state)
{
    (void)state;
    open_screen("split panning");
    set_mode(&mode_12);
    planes_noise(65536, 7);
    index_out(0x3D4, 0x18, 0x63);
    index_out(0x3D4, 0x07, 0x2E);
    index_out(0x3D4, 0x09, 0x00);
    index_out(0x3D4, 0x0C, 0x40);
    keep_picture();
    attr_out(0x13, 3);
    expect_moved(3, 0, 0, 480);
    attr_out(0x10, 0x21);
    expect_moved(3, 0, 0, 100);
    expect_moved(0, 0, 100, 480);
    close_screen();
}

/* The address counter has 16 bits. */
static void test_address_wraps(void **state)
{
    (void)state;
    open_screen("wrap");
    set_mode(&mode_12);
    planes_noise(65536, 7);
    keep_picture();
    index_out(0x3D4, 0x0C, 0xFF);
    index_out(0x3D4, 0x0D, 0xB0); /* one line before the end */
    expect_moved(0, -1, 1, 480);
    close_screen();
}

static void test_blank_and_mask(void **state)
{
    (void)state;
    open_screen("blank");
    set_mode(&mode_13);
    const uint8_t bytes[4] = {9, 9, 9, 9};
    write_window(0xA0000, bytes, 4);
    display_refresh_now(scr.display);
    assert_int_equal(pixel(0, 0), colour(9));
    outb(NULL, 0x3C6, 0x08);
    display_refresh_now(scr.display);
    assert_int_equal(pixel(0, 0), colour(8));
    index_out(0x3C4, 1, 0x21);
    display_refresh_now(scr.display);
    assert_int_equal(pixel(0, 0), 0);
    assert_int_equal(display_surface(scr.display)->height, 400);
    index_out(0x3C4, 1, 0x01);
    display_refresh_now(scr.display);
    assert_int_equal(pixel(0, 0), colour(8));
    inb(NULL, 0x3DA);
    outb(NULL, 0x3C0, 0x00); /* palette source off */
    display_refresh_now(scr.display);
    assert_int_equal(pixel(0, 0), 0);
    close_screen();
}

/* Drawing what changed, and nothing else ------------------------------------------------- */

struct watcher {
    struct display_viewer viewer;
    struct display_rect box; /* around the last damage */
    unsigned calls;
};

static void on_resize(void *opaque, const struct surface *surface)
{
    struct watcher *w = opaque;
    w->calls++;
    w->box = (struct display_rect){.x2 = surface->width, .y2 = surface->height};
}

static void on_damage(void *opaque, const struct surface *surface,
                      const struct display_damage *damage)
{
    struct watcher *w = opaque;
    (void)surface;
    w->calls++;
    w->box = damage->rects[0];
    for (unsigned i = 1; i < damage->count; i++) {
        const struct display_rect *r = &damage->rects[i];
        w->box.x1 = r->x1 < w->box.x1 ? r->x1 : w->box.x1;
        w->box.y1 = r->y1 < w->box.y1 ? r->y1 : w->box.y1;
        w->box.x2 = r->x2 > w->box.x2 ? r->x2 : w->box.x2;
        w->box.y2 = r->y2 > w->box.y2 ? r->y2 : w->box.y2;
    }
}

static void watch(struct watcher *w)
{
    *w = (struct watcher){
        .viewer = {.resized = on_resize, .damaged = on_damage, .opaque = w, .wants_updates = true}};
    scr.rig->hv->vram_known = true;
    display_add_viewer(scr.display, &w->viewer);
    display_refresh_now(scr.display);
    w->calls = 0;
}

static void expect_box(struct watcher *w, int x1, int y1, int x2, int y2)
{
    display_refresh_now(scr.display);
    assert_int_equal(w->calls, 1);
    assert_int_equal(w->box.x1, x1);
    assert_int_equal(w->box.y1, y1);
    assert_int_equal(w->box.x2, x2);
    assert_int_equal(w->box.y2, y2);
    w->calls = 0;
    display_refresh_now(scr.display);
    assert_int_equal(w->calls, 0);
}

static void test_damage(void **state)
{
    struct watcher w;
    (void)state;
    open_screen("damage");
    text_screen(&mode_03);
    watch(&w);
    put(3 * 80 + 7, 'x', 0x07);
    expect_box(&w, 63, 48, 72, 64);
    assert_int_equal(pixel(63, 48), colour(7));
    put(3 * 80 + 7, 'x', 0x07); /* written, not changed */
    put(3 * 80 + 9, 0, 0x07);
    put(3 * 80 + 12, 'y', 0x07);
    expect_box(&w, 81, 48, 117, 64);
    index_out(0x3D4, 0x0A, 0); /* the cursor appears at cell 0 */
    expect_box(&w, 0, 0, 9, 16);
    index_out(0x3D4, 0x0A, 5); /* in another shape: all is drawn */
    expect_box(&w, 0, 0, 720, 400);
    index_out(0x3D4, 0x0F, 82); /* and moves */
    expect_box(&w, 0, 0, 27, 32);
    load_font(0, 3);
    expect_box(&w, 0, 0, 720, 400);
    outb(NULL, 0x3C8, 7);
    for (int i = 0; i < 3; i++)
        outb(NULL, 0x3C9, 0x15);
    expect_box(&w, 0, 0, 720, 400);

    /* Whole lines in graphics; the window's writes and the frame buffer's. */
    set_mode(&mode_13);
    memset(scr.rig->hv->vram_bitmap, 0, 8);
    display_refresh_now(scr.display);
    w.calls = 0;
    const uint8_t byte = 5;
    write_window(0xA0000 + 0x3000, &byte, 1); /* page 3 of lines of 320 bytes: 38.4 to 51.2 */
    expect_box(&w, 0, 76, 640, 104);
    scr.rig->hv->vram_bitmap[0] = 1ul << 15; /* beyond what is shown: the line 192 begins there */
    expect_box(&w, 0, 382, 640, 400);

    vbe_mode(1024, 768, 32, 0x41);
    display_refresh_now(scr.display);
    w.calls = 0;
    scr.rig->hv->vram_bitmap[1] = 1ul << 6; /* page 70 = line 70 */
    expect_box(&w, 0, 70, 1024, 71);
    vbe_out(4, 0);

    /* Lines of two pages and more, in cells. */
    vbe_mode(15104, 100, 4, 0x41); /* 7552 bytes a line */
    display_refresh_now(scr.display);
    w.calls = 0;
    for (unsigned page = 0; page < 4; page++) {
        scr.rig->hv->vram_bitmap[0] = 1ul << page;
        expect_box(&w, 0, (int)(page * 4096 / 7552), 15104, (int)((page * 4096 + 4095) / 7552) + 1);
    }
    display_remove_viewer(scr.display, &w.viewer);
    close_screen();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(differences_have_reasons),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_text_shapes),
        cmocka_unit_test(test_planar),
        cmocka_unit_test(test_monochrome),
        cmocka_unit_test(test_cga),
        cmocka_unit_test(test_packed),
        cmocka_unit_test(test_more_modes),
        cmocka_unit_test(test_drawn_through_registers),
        cmocka_unit_test(test_vbe),
        cmocka_unit_test(test_vbe_limits),
        cmocka_unit_test(test_vbe_banked),
        cmocka_unit_test(test_blink),
        cmocka_unit_test(test_cursor_skew),
        cmocka_unit_test(test_ninth_dot_and_underline),
        cmocka_unit_test(test_forty_columns_of_nine_dots),
        cmocka_unit_test(test_panning),
        cmocka_unit_test(test_panning_stops_at_the_split),
        cmocka_unit_test(test_address_wraps),
        cmocka_unit_test(test_blank_and_mask),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
