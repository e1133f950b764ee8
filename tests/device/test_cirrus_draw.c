/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the CL-GD5446 shows, by checksum of the picture, against what the stock device model shows
 * (cirrus_stock.inc; test_vga_draw.c says how it is made): modes, windows, cursor, and every kind
 * of BLT with every raster operation.
 */
#define STOCK_PICTURES "tests/device/cirrus_stock.inc"
#include "tests/device/cirrus_driver.h"

#define WIDTH  320u
#define HEIGHT 240u
#define MEMORY (4u << 20)

static const unsigned depths[] = {8, 15, 16, 24, 32};
#define DEPTHS (sizeof(depths) / sizeof(depths[0]))

static uint32_t pixel_bytes(unsigned bits)
{
    return (bits + 7) / 8;
}

static void fill(uint32_t offset, uint32_t bytes, uint32_t seed)
{
    static uint8_t buf[MEMORY];
    noise(buf, bytes, seed);
    write_lfb(offset, buf, bytes);
}

static void expect(const char *what, unsigned bits)
{
    char name[160];
    snprintf(name, sizeof(name), "%s, %u bits", what, bits);
    expect_picture(name);
}

/* The VGA's own modes, with what this chip adds to them. */
static void test_vga_modes(void **state)
{
    uint8_t buf[65536];
    (void)state;
    open_card(CARD_CIRRUS, "vga modes");
    set_mode(&mode_12);
    for (uint8_t plane = 0; plane < 4; plane++) {
        noise(buf, sizeof(buf), 3u + plane);
        index_out(0x3C4, 2, (uint8_t)(1 << plane));
        write_window(0xA0000, buf, sizeof(buf));
    }
    index_out(0x3C4, 2, 0x0F);
    expect_picture("Cirrus, mode 12h");
    index_out(0x3D4, 0x0C, 0x12);
    expect_picture("Cirrus, mode 12h, moved");
    set_mode(&mode_13);
    noise(buf, sizeof(buf), 9);
    write_window(0xA0000, buf, sizeof(buf));
    expect_picture("Cirrus, mode 13h");
    set_mode(&mode_x);
    expect_picture("Cirrus, mode X");
    close_screen();
}

static void test_modes(void **state)
{
    (void)state;
    for (unsigned i = 0; i < DEPTHS; i++) {
        unsigned bits = depths[i];
        uint32_t bytes = pixel_bytes(bits), pitch = WIDTH * bytes;
        open_card(CARD_CIRRUS, "mode");
        cirrus_mode(WIDTH, HEIGHT, bits);
        fill(0, MEMORY, bits);
        expect("mode", bits);
        start_at(pitch * 17 + 32);
        set_pitch(pitch);
        expect("mode, moved", bits);
        start_at(0x300000);
        expect("mode, behind the third MiB", bits);
        start_at(0);
        set_pitch(pitch + 64);
        expect("mode, longer lines", bits);
        index_out(0x3D4, 0x18, 99);
        index_out(0x3D4, 0x07, 0x00);
        index_out(0x3D4, 0x09, 0x00);
        expect("mode, split", bits);
        close_screen();
    }
}

static void test_large_modes(void **state)
{
    static const struct {
        uint32_t width, height;
        unsigned bits;
        const char *name;
    } modes[] = {
        {640, 480, 32, "mode 640x480x32"},
        {800, 600, 16, "mode 800x600x16"},
        {1024, 768, 24, "mode 1024x768x24"},
        {1280, 1024, 8, "mode 1280x1024x8"},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        open_card(CARD_CIRRUS, modes[i].name);
        cirrus_mode(modes[i].width, modes[i].height, modes[i].bits);
        fill(0, MEMORY, i);
        expect_picture(modes[i].name);
        close_screen();
    }
}

/* The VGA BIOS sets SR1 to 21h with an extended mode, and leaves it. */
static void test_screen_off_is_for_the_vga(void **state)
{
    const struct surface *s;
    (void)state;
    open_card(CARD_CIRRUS, "screen off");
    cirrus_mode(WIDTH, HEIGHT, 8);
    fill(0, MEMORY, 8);
    index_out(0x3C4, 0x01, 0x21);
    expect("mode", 8);
    index_out(0x3C4, 0x07, 0x00);
    display_refresh_now(scr.display);
    s = display_surface(scr.display);
    for (int i = 0; i < s->width * s->height; i++)
        assert_int_equal(s->pixels[i] & 0xFFFFFF, 0);
    close_screen();
}

static void test_cursor(void **state)
{
    (void)state;
    for (unsigned i = 0; i < DEPTHS; i++) {
        unsigned bits = depths[i];
        open_card(CARD_CIRRUS, "cursor");
        cirrus_mode(WIDTH, HEIGHT, bits);
        fill(0, MEMORY, bits + 1);
        cursor_colours(0xFF8040, 0x2040C0);
        cursor_at(21, 37, false);
        expect("small cursor", bits);
        cursor_at(101, 50, true);
        expect("large cursor", bits);
        cursor_at(WIDTH - 20, HEIGHT - 13, true);
        expect("cursor over the corner", bits);
        index_out(0x3C4, 0x12, 0);
        expect("no cursor", bits);
        close_screen();
    }
}

/* The window's banks, and write modes 4 and 5. */
static void test_window(void **state)
{
    uint8_t buf[65536];
    (void)state;
    open_card(CARD_CIRRUS, "banks");
    cirrus_mode(640, 480, 8);
    set_pitch(640);
    for (uint8_t bank = 0; bank < 5; bank++) {
        gfx_out(9, (uint8_t)(bank * 16));
        noise(buf, sizeof(buf), 60u + bank);
        write_window(0xA0000, buf, sizeof(buf));
    }
    expect_picture("Cirrus, one bank of 64 KiB");
    gfx_out(0x0B, 0x21);
    gfx_out(9, 3);
    gfx_out(10, 12);
    noise(buf, sizeof(buf), 70);
    write_window(0xA0000, buf, sizeof(buf));
    expect_picture("Cirrus, two banks of 32 KiB, 16 KiB steps");
    gfx_out(9, 0);
    gfx_out(0x0B, 0x06); /* addresses times 8, write modes 4 and 5 */
    gfx_out(0, 0x5A);
    gfx_out(1, 0xC3);
    gfx_out(5, 0x44);
    noise(buf, sizeof(buf), 71);
    write_window(0xA0400, buf, 8000);
    expect_picture("Cirrus, write mode 4");
    gfx_out(5, 0x45);
    write_window(0xA4000, buf, 6000);
    expect_picture("Cirrus, write mode 5");
    cirrus_mode(640, 400, 16);
    gfx_out(0x0B, 0x16); /* times 16 */
    gfx_out(0, 0x5A);
    gfx_out(1, 0xC3);
    gfx_out(0x10, 0x12);
    gfx_out(0x11, 0x34);
    gfx_out(5, 0x44);
    write_window(0xA0400, buf, 8000);
    expect_picture("Cirrus, write mode 4 of 16 bits");
    gfx_out(5, 0x45);
    write_device(LFB + 0x4000, buf, 6000);
    expect_picture("Cirrus, write mode 5 of 16 bits, linear");
    close_screen();
}

/* In the order of GR32's table; the last two are what the stock model confuses. */
static const uint8_t rops[] = {0x00, 0x05, 0x06, 0x09, 0x0B, 0x0D, 0x0E, 0x50,
                               0x59, 0x6D, 0x95, 0xAD, 0xD0, 0xD6, 0x90, 0xDA};
#define ROPS     (sizeof(rops) / sizeof(rops[0]))
#define CONFUSED 2
#define BOX      31u
#define DATA     0x200000u /* sources and patterns, not shown */

static struct blt box(unsigned bits, unsigned n)
{
    uint32_t bytes = pixel_bytes(bits);
    return (struct blt){
        .width = BOX - n,
        .height = BOX,
        .dst_pitch = WIDTH * bytes,
        .src_pitch = 40 * bytes,
        .dst = (n / 8 * 40 + 3) * WIDTH * bytes + (n % 8 * 40 + 3) * bytes,
        .src = DATA,
        .rop = rops[n],
        .foreground = 0x8CA5F01E,
        .background = 0x35C27B46,
        .bits = bits,
    };
}

/* The source's bytes by one of the ways that they can take. */
static void give(unsigned way, uint32_t bytes, uint32_t seed)
{
    static uint8_t buf[65536];
    assert_true(bytes <= sizeof(buf));
    noise(buf, bytes, seed);
    if (way % 3 == 0)
        write_window(0xA0000, buf, bytes);
    else
        write_device(way % 3 == 1 ? BLT_APERTURE : LFB + 0x1000, buf, bytes);
}

struct kind {
    const char *name;
    uint8_t mode, extension;
    bool preset; /* the pattern does not begin with its first row */
};

static uint32_t source_bytes(const struct blt *b)
{
    uint32_t bytes = pixel_bytes(b->bits);
    if (!(b->mode & FROM_CPU))
        return 0;
    if (b->mode & PATTERN)
        return b->mode & EXPAND ? 8 : 64 * bytes;
    if (!(b->mode & EXPAND))
        return (b->width * bytes + 3) / 4 * 4 * b->height;
    return (b->extension & DWORDS ? (b->width + 31) / 32 * 4 : (b->width + 7) / 8) * b->height;
}

static const struct kind kinds[] = {
    {"copy", 0, 0, false},
    {"copy, transparent", TRANSPARENT, 0, false},
    {"copy, backward", BACKWARD, 0, false},
    {"copy, backward, transparent", BACKWARD | TRANSPARENT, 0, false},
    {"expansion", EXPAND, 0, false},
    {"expansion, transparent", EXPAND | TRANSPARENT, 0, false},
    {"expansion, transparent, inverted", EXPAND | TRANSPARENT, INVERT, false},
    {"pattern", PATTERN, 0, false},
    {"pattern, expanded", PATTERN | EXPAND, 0, false},
    {"pattern, expanded, transparent", PATTERN | EXPAND | TRANSPARENT, 0, false},
    {"pattern, expanded, transparent, inverted", PATTERN | EXPAND | TRANSPARENT, INVERT, false},
    {"pattern from its middle", PATTERN, 0, true},
    {"pattern from its middle, expanded", PATTERN | EXPAND, 0, true},
    {"solid", PATTERN | EXPAND, SOLID, false},
    {"from the CPU", FROM_CPU, 0, false},
    {"from the CPU, transparent", FROM_CPU | TRANSPARENT, 0, false},
    {"from the CPU, expansion", FROM_CPU | EXPAND, 0, false},
    {"from the CPU, expansion, double words", FROM_CPU | EXPAND, DWORDS, false},
    {"from the CPU, expansion, transparent", FROM_CPU | EXPAND | TRANSPARENT, 0, false},
    {"from the CPU, pattern", FROM_CPU | PATTERN, 0, false},
    {"from the CPU, pattern, expanded", FROM_CPU | PATTERN | EXPAND, 0, false},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* Left out: colours are compared in 8 and 16 bits only; of a pattern of 24 bits from the CPU the
 * stock model wants too few bytes. */
static bool exists(const struct kind *k, unsigned bits)
{
    bool keyed = (k->mode & (TRANSPARENT | EXPAND | PATTERN)) == TRANSPARENT;
    bool pattern = (k->mode & (FROM_CPU | PATTERN | EXPAND)) == (FROM_CPU | PATTERN);
    return !(keyed && bits > 16) && !(pattern && bits == 24);
}

static void draw_box(const struct kind *k, unsigned bits, unsigned n)
{
    struct blt b = box(bits, n);
    uint32_t bytes = pixel_bytes(bits);
    b.mode = k->mode;
    b.extension = k->extension;
    b.key = 0x3C5A;
    if (k->preset || (k->mode & (PATTERN | FROM_CPU)) == (PATTERN | FROM_CPU))
        b.src += n & 7;
    if ((k->mode & (EXPAND | PATTERN)) && !(k->extension & SOLID) && bits != 24)
        b.skip = n % 5;
    if (k->mode & BACKWARD) {
        b.dst += (b.height - 1) * b.dst_pitch + b.width * bytes - 1;
        b.src += (b.height - 1) * b.src_pitch + b.width * bytes - 1;
    }
    if (n % 2)
        blt_go(&b);
    else
        blt_go_mmio(MMIO + 0x100, &b);
    if (k->mode & FROM_CPU)
        give(n, source_bytes(&b), 100 + n);
}

static void test_blts(void **state)
{
    char name[120];
    (void)state;
    for (unsigned i = 0; i < DEPTHS; i++)
        for (unsigned k = 0; k < KINDS; k++) {
            if (depths[i] == 15 || !exists(&kinds[k], depths[i]))
                continue;
            uint32_t bytes = pixel_bytes(depths[i]);
            open_card(CARD_CIRRUS, kinds[k].name);
            cirrus_mode(WIDTH, HEIGHT, depths[i]);
            fill(0, WIDTH * HEIGHT * bytes, k);
            fill(DATA, 64 * 1024, k + 50);
            for (unsigned n = 0; n < ROPS - CONFUSED; n++)
                draw_box(&kinds[k], depths[i], n);
            snprintf(name, sizeof(name), "BLT %s", kinds[k].name);
            expect(name, depths[i]);
            for (unsigned n = ROPS - CONFUSED; n < ROPS; n++)
                draw_box(&kinds[k], depths[i], n);
            snprintf(name, sizeof(name), "BLT %s, with 90h and DAh", kinds[k].name);
            expect(name, depths[i]);
            close_screen();
        }
}

/* Source and destination overlap: a scroll in each direction, and a smear. */
static void test_overlap(void **state)
{
    static const struct {
        uint32_t from_x, from_y, to_x, to_y;
        uint8_t mode;
    } moves[] = {
        {40, 40, 30, 30, 0},     {40, 40, 50, 40, BACKWARD}, {40, 40, 45, 60, BACKWARD},
        {60, 40, 40, 40, 0},     {40, 40, 43, 40, 0},        {40, 41, 39, 40, BACKWARD},
        {100, 100, 101, 100, 0},
    };
    (void)state;
    for (unsigned i = 0; i < DEPTHS; i++) {
        uint32_t bytes = pixel_bytes(depths[i]), pitch = WIDTH * bytes;
        open_card(CARD_CIRRUS, "overlap");
        cirrus_mode(WIDTH, HEIGHT, depths[i]);
        fill(0, pitch * HEIGHT, 77);
        for (unsigned m = 0; m < sizeof(moves) / sizeof(moves[0]); m++) {
            struct blt b = {.width = 120,
                            .height = 70,
                            .dst_pitch = pitch,
                            .src_pitch = pitch,
                            .src = moves[m].from_y * pitch + moves[m].from_x * bytes,
                            .dst = moves[m].to_y * pitch + moves[m].to_x * bytes,
                            .mode = moves[m].mode,
                            .rop = COPY,
                            .bits = depths[i]};
            if (b.mode & BACKWARD) {
                b.src += 69 * pitch + 120 * bytes - 1;
                b.dst += 69 * pitch + 120 * bytes - 1;
            }
            blt_go(&b);
        }
        expect("BLT overlapping", depths[i]);
        close_screen();
    }
}

/* Registers at B8000h and at the end of video memory; a BLT that starts with its address. */
static void test_blt_registers(void **state)
{
    (void)state;
    open_card(CARD_CIRRUS, "BLT registers");
    cirrus_mode(WIDTH, HEIGHT, 8);
    fill(0, WIDTH * HEIGHT, 5);
    fill(DATA, 64 * 1024, 6);
    struct blt b = box(8, 5);
    index_out(0x3C4, 0x17, 0x04);
    blt_go_mmio(0xB8000, &b);
    expect_picture("BLT by B8000h");
    b = box(8, 9);
    index_out(0x3C4, 0x17, 0x44);
    blt_go_mmio(LFB + MEMORY - 256, &b);
    expect_picture("BLT by the end of memory");
    index_out(0x3C4, 0x17, 0x00);
    gfx_out(0x31, 0x80);
    gfx_long(0x28, 150 * WIDTH + 30, 3);
    expect_picture("BLT by its address");
    close_screen();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(differences_have_reasons),
        cmocka_unit_test(test_vga_modes),
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_large_modes),
        cmocka_unit_test(test_screen_off_is_for_the_vga),
        cmocka_unit_test(test_cursor),
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_blts),
        cmocka_unit_test(test_overlap),
        cmocka_unit_test(test_blt_registers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
