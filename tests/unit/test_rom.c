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
    static const char *const names[] = {"good.bin", "bad.bin", "big.bin", "empty.bin"};
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
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_load),
        cmocka_unit_test(test_debian_vga_bios),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
