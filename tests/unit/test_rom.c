/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Option ROM files: where they are looked for, and which are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bios/rom.h"

#define VENDOR 0x1234
#define DEVICE 0x1111
#define BYTES  1024u
#define PCIR   0x40

static void fix_checksum(uint8_t *image)
{
    uint8_t sum = 0;
    image[6] = 0;
    for (size_t i = 0; i < BYTES; i++)
        sum = (uint8_t)(sum + image[i]);
    image[6] = (uint8_t)-sum;
}

static void make_image(uint8_t *image)
{
    memset(image, 0, BYTES);
    image[0] = 0x55;
    image[1] = 0xAA;
    image[2] = BYTES / 512;
    image[0x18] = PCIR;
    memcpy(image + PCIR, "PCIR", 4);
    image[PCIR + 4] = VENDOR & 0xFF;
    image[PCIR + 5] = VENDOR >> 8;
    image[PCIR + 6] = DEVICE & 0xFF;
    image[PCIR + 7] = DEVICE >> 8;
    image[PCIR + 10] = 0x18;
    image[PCIR + 0x10] = BYTES / 512;
    image[PCIR + 0x15] = 0x80;
    fix_checksum(image);
}

static void expect_refused(const uint8_t *image, size_t len, const char *why)
{
    struct err err;
    assert_false(rom_check(image, len, "x.bin", VENDOR, DEVICE, &err));
    if (!strstr(err.text, why) || !strstr(err.text, "x.bin"))
        fail_msg("'%s' should say x.bin and '%s'", err.text, why);
}

static void test_check(void **state)
{
    uint8_t image[BYTES], bad[BYTES];
    struct err err;
    (void)state;
    make_image(image);
    assert_true(rom_check(image, BYTES, "x.bin", VENDOR, DEVICE, &err));

    static const struct {
        unsigned at;
        uint8_t value;
        const char *why;
    } changes[] = {
        {0, 0x56, "55 AA"},
        {1, 0x55, "55 AA"},
        {2, 0, "has 0 bytes"},
        {2, 3, "has 1536 bytes"},
        {0x18, 0x44, "no PCI data structure"},
        {0x19, 0xFF, "no PCI data structure"},
        {PCIR, 'p', "no PCI data structure"},
        {PCIR + 4, 0x35, "1235:1111, not 1234:1111"},
        {PCIR + 7, 0x22, "1234:2211"},
        {PCIR + 0x14, 3, "not x86"},
        {PCIR + 0x10, 4, "cut short"},
        {500, 1, "checksum"},
    };
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        memcpy(bad, image, BYTES);
        bad[changes[i].at] = changes[i].value;
        expect_refused(bad, BYTES, changes[i].why);
    }
    /* The PCI data structure must lie in the file as a whole. */
    for (unsigned at = BYTES - 0x17; at < BYTES; at++) {
        memcpy(bad, image, BYTES);
        bad[0x18] = (uint8_t)at;
        bad[0x19] = (uint8_t)(at >> 8);
        expect_refused(bad, BYTES, "no PCI data structure");
    }
    for (size_t len = 0; len < BYTES; len++) {
        uint8_t *exact = malloc(len + 1); /* so that a sanitizer sees a byte read too many */
        assert_non_null(exact);
        memcpy(exact, image, len);
        assert_false(rom_check(exact, len, "x.bin", VENDOR, DEVICE, &err));
        free(exact);
    }
}

static char dir[] = "/tmp/test-rom-XXXXXX";

static void write_file(const char *name, const uint8_t *data, size_t len)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, len, f), len);
    fclose(f);
}

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    static const char *const names[] = {"good.bin",  "bad.bin",      "big.bin",
                                        "empty.bin", "efi-card.rom", "pxe-card.rom"};
    char path[256];
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        unlink(path);
    }
    return rmdir(dir);
}

static void test_load(void **state)
{
    uint8_t image[BYTES];
    char path[256];
    const char *const dirs[] = {"/nonexistent", "/dev/null", dir};
    struct rom rom;
    struct err err;
    (void)state;
    make_image(image);
    write_file("good.bin", image, BYTES);
    assert_true(rom_load(&rom, "good.bin", dirs, 3, VENDOR, DEVICE, &err));
    assert_int_equal(rom.len, BYTES);
    assert_memory_equal(rom.data, image, BYTES);
    rom_free(&rom);
    assert_null(rom.data);
    rom_free(&rom);

    snprintf(path, sizeof(path), "%s/good.bin", dir);
    assert_true(rom_load(&rom, path, NULL, 0, VENDOR, DEVICE, &err));
    rom_free(&rom);

    assert_false(rom_load(&rom, "good.bin", dirs, 2, VENDOR, DEVICE, &err));
    assert_non_null(strstr(err.text, "good.bin not found"));
    assert_non_null(strstr(err.text, "seabios"));
    assert_false(rom_load(&rom, "/nonexistent/x", dirs, 3, VENDOR, DEVICE, &err));
    assert_non_null(strstr(err.text, "/nonexistent/x not found"));

    image[100] ^= 1;
    write_file("bad.bin", image, BYTES);
    assert_false(rom_load(&rom, "bad.bin", dirs, 3, VENDOR, DEVICE, &err));
    assert_non_null(strstr(err.text, "/bad.bin is damaged"));
    assert_null(rom.data);

    assert_false(rom_load(&rom, "/", NULL, 0, VENDOR, DEVICE, &err));
    assert_non_null(strstr(err.text, "not a file"));
    assert_false(rom_load(&rom, "/dev/null", NULL, 0, VENDOR, DEVICE, &err));
    assert_non_null(strstr(err.text, "not a file"));
    write_file("empty.bin", image, 0);
    assert_false(rom_load(&rom, "empty.bin", dirs, 3, VENDOR, DEVICE, &err));
    assert_non_null(strstr(err.text, "0 bytes"));
    write_file("big.bin", image, BYTES);
    snprintf(path, sizeof(path), "%s/big.bin", dir);
    assert_int_equal(truncate(path, (off_t)1 << 40), 0);
    assert_false(rom_load(&rom, "big.bin", dirs, 3, VENDOR, DEVICE, &err));
    assert_non_null(strstr(err.text, "no size"));
}

static void put_pcir(uint8_t *image, uint16_t vendor, uint16_t device, uint8_t code, bool last)
{
    make_image(image);
    image[PCIR + 4] = (uint8_t)vendor;
    image[PCIR + 5] = (uint8_t)(vendor >> 8);
    image[PCIR + 6] = (uint8_t)device;
    image[PCIR + 7] = (uint8_t)(device >> 8);
    image[PCIR + 0x14] = code;
    image[PCIR + 0x15] = last ? 0x80 : 0;
    if (code == 0)
        fix_checksum(image);
}

static void assert_ids(const uint8_t *image)
{
    assert_memory_equal(image + PCIR + 4, "\x34\x12\x11\x11", 4);
}

/* iPXE's images get the ids of the card, the file keeps its own. */
static void test_ipxe(void **state)
{
    uint8_t file[2 * BYTES + 100] = {0};
    char path[256];
    const char *const dirs[] = {"/nonexistent", dir};
    struct rom rom;
    struct err err;
    (void)state;
    assert_false(rom_load_ipxe(&rom, "card", dirs, 2, VENDOR, DEVICE, &err));
    assert_non_null(strstr(err.text, "ipxe-qemu"));
    assert_null(rom.data);

    put_pcir(file, VENDOR, DEVICE, 0, true); /* only for a BIOS, and right as it is */
    write_file("pxe-card.rom", file, BYTES);
    assert_true(rom_load_ipxe(&rom, "card", dirs, 2, VENDOR, DEVICE, &err));
    assert_int_equal(rom.len, BYTES);
    rom_free(&rom);

    put_pcir(file, VENDOR, 0x2222, 0, false); /* for both kinds of firmware: it is preferred */
    put_pcir(file + BYTES, 0xFFF3, 0, 3, true);
    write_file("efi-card.rom", file, sizeof(file));
    assert_true(rom_load_ipxe(&rom, "card", dirs, 2, VENDOR, DEVICE, &err));
    assert_int_equal(rom.len, sizeof(file));
    assert_ids(rom.data);
    assert_ids(rom.data + BYTES);
    assert_true(rom_check(rom.data, rom.len, "x", VENDOR, DEVICE, &err));
    assert_memory_equal(rom.data + BYTES + PCIR + 8, file + BYTES + PCIR + 8, BYTES - PCIR - 8);
    rom_free(&rom);

    /* By its name: only what names no card. */
    snprintf(path, sizeof(path), "%s/efi-card.rom", dir);
    assert_false(rom_load(&rom, path, NULL, 0, VENDOR, DEVICE, &err));
    assert_non_null(strstr(err.text, "1234:2222, not 1234:1111"));
    put_pcir(file, 0, 0, 0, false);
    write_file("efi-card.rom", file, sizeof(file));
    assert_true(rom_load(&rom, path, NULL, 0, VENDOR, DEVICE, &err));
    assert_ids(rom.data);
    rom_free(&rom);
    FILE *f = fopen(path, "rb");
    uint8_t now[sizeof(file)];
    assert_non_null(f);
    assert_int_equal(fread(now, 1, sizeof(now), f), sizeof(now));
    fclose(f);
    assert_memory_equal(now, file, sizeof(file));

    /* A second image that is none, or whose structure is elsewhere: left alone. */
    static const struct {
        unsigned at;
        uint8_t value;
    } changes[] = {{BYTES, 0}, {BYTES + 0x19, 0xFF}, {BYTES + 0x18, 0x64}, {PCIR + 0x10, 0}};
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        put_pcir(file, 0, 0, 0, false);
        put_pcir(file + BYTES, 0xFFF3, 0, 3, false);
        file[changes[i].at] = changes[i].value;
        fix_checksum(file);
        write_file("efi-card.rom", file, sizeof(file));
        assert_true(rom_load_ipxe(&rom, "card", dirs, 2, VENDOR, DEVICE, &err));
        assert_ids(rom.data);
        assert_memory_equal(rom.data + BYTES, file + BYTES, BYTES);
        rom_free(&rom);
    }
    file[20] ^= 1;
    write_file("efi-card.rom", file, sizeof(file));
    assert_false(rom_load_ipxe(&rom, "card", dirs, 2, VENDOR, DEVICE, &err));
    assert_non_null(strstr(err.text, "damaged"));
    assert_null(rom.data);
}

/* The real ones, where they are installed. */
static void test_debian_ipxe(void **state)
{
    static const struct {
        const char *card;
        uint16_t vendor, device;
    } cards[] = {{"ne2k_pci", 0x10EC, 0x8029},
                 {"pcnet", 0x1022, 0x2000},
                 {"rtl8139", 0x10EC, 0x8139},
                 {"e1000", 0x8086, 0x100E},
                 {"e1000", 0x8086, 0x100F}};
    (void)state;
    if (access("/usr/lib/ipxe/qemu/efi-e1000.rom", R_OK)) {
        print_message("skip: no iPXE here (package ipxe-qemu)\n");
        skip();
    }
    for (size_t i = 0; i < sizeof(cards) / sizeof(cards[0]); i++) {
        struct rom rom;
        struct err err;
        if (!rom_load_ipxe(&rom, cards[i].card, NULL, 0, cards[i].vendor, cards[i].device, &err))
            fail_msg("%s", err.text);
        assert_true(rom.len >= 65536);
        rom_free(&rom);
    }
}

/* The real one, where it is installed. */
static void test_debian_vga_bios(void **state)
{
    struct rom rom;
    struct err err;
    (void)state;
    if (access("/usr/share/seabios/" ROM_VGA_STD, R_OK)) {
        print_message("skip: no VGA BIOS here (package seabios)\n");
        skip();
    }
    if (!rom_load(&rom, ROM_VGA_STD, NULL, 0, VENDOR, DEVICE, &err))
        fail_msg("%s", err.text);
    assert_true(rom.len >= 32768);
    rom_free(&rom);
    assert_false(rom_load(&rom, ROM_VGA_STD, NULL, 0, 0x1013, 0x00B8, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check),       cmocka_unit_test(test_load),
        cmocka_unit_test(test_ipxe),        cmocka_unit_test(test_debian_vga_bios),
        cmocka_unit_test(test_debian_ipxe),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
