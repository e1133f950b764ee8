/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_cmos: CMOS RAM as firmware reads it. */
#include <string.h>

#include "hw/pc/cmos.h"
#include "tests/device/rig.h"

#define GIB (UINT64_C(1) << 30)

static struct rig *rig;
static struct cmos *c;

static void make(const struct cmos_config *config)
{
    struct err err;
    rig = rig_new();
    c = cmos_realize(rig->bus, &rig->devices, config, &err);
    assert_non_null(c);
    devices_reset(&rig->devices);
}

static int teardown(void **state)
{
    (void)state;
    rig_free(rig);
    return 0;
}

static uint8_t get(uint8_t index)
{
    rig_outb(rig, 0x70, index);
    return rig_inb(rig, 0x71);
}

static unsigned get16(uint8_t index)
{
    return get(index) | get((uint8_t)(index + 1)) << 8;
}

static void put(uint8_t index, uint8_t value)
{
    rig_outb(rig, 0x70, index);
    rig_outb(rig, 0x71, value);
}

static const struct cmos_config typical = {
    .ram_below_4g = 0xF0000000 - 0x800000,
    .ram_above_4g = 5 * GIB,
    .vcpus = 4,
    .boot_order = "dc",
    .disk = {{.cylinders = 16383, .heads = 16, .sectors = 63, .translation = 1},
             {.translation = 3},
             {0},
             {.cylinders = 1024, .heads = 8, .sectors = 17}},
};

static void memory(void **state)
{
    (void)state;
    make(&typical);
    assert_int_equal(get16(0x15), 640);
    assert_int_equal(get16(0x17), 0xFFFF);
    assert_int_equal(get16(0x30), 0xFFFF);
    assert_int_equal(get16(0x34), (0xF0000000u - 0x1800000u) >> 16);
    assert_int_equal(get(0x5B) | get(0x5C) << 8 | get(0x5D) << 16, 5 * GIB >> 16);
    assert_int_equal(get(0x5F), 3);
    assert_int_equal(get(0x32), 0x20);
}

static void little_memory(void **state)
{
    const struct cmos_config config = {.ram_below_4g = 8 << 20, .vcpus = 1};
    (void)state;
    make(&config);
    assert_int_equal(get16(0x17), 7 * 1024);
    assert_int_equal(get16(0x30), 7 * 1024);
    assert_int_equal(get16(0x34), 0);
    assert_int_equal(get16(0x5B), 0);
    assert_int_equal(get(0x5F), 0);
    assert_int_equal(get(0x3D), 0);
    assert_int_equal(get(0x12), 0);
    assert_int_equal(get(0x39), 0);
    assert_int_equal(get(0x10), 0);
    assert_int_equal(get(0x14), 0x06);
}

static void extremes(void **state)
{
    const struct cmos_config config = {.ram_below_4g = 300 << 10,
                                       .ram_above_4g = UINT64_MAX,
                                       .vcpus = 1000,
                                       .boot_order = "xacdn?"};
    (void)state;
    make(&config);
    assert_int_equal(get16(0x15), 300);
    assert_int_equal(get16(0x17), 0);
    assert_int_equal(get16(0x5B), 0xFFFF);
    assert_int_equal(get(0x5D), 0xFF);
    assert_int_equal(get(0x5F), 0xFF);
    assert_int_equal(get(0x3D), 0x21); /* letters that are no device are passed over */
    assert_int_equal(get(0x38), 0x30);
}

static void boot_order(void **state)
{
    const struct cmos_config config = {.boot_order = "nda", .skip_floppy_signature = true};
    (void)state;
    make(&config);
    assert_int_equal(get(0x3D), 0x34);
    assert_int_equal(get(0x38), 0x11);
}

static void disks(void **state)
{
    (void)state;
    make(&typical);
    assert_int_equal(get(0x3D), 0x23);
    assert_int_equal(get(0x38), 0x00);
    assert_int_equal(get(0x12), 0xF0);
    assert_int_equal(get(0x19), 47);
    assert_int_equal(get(0x1A), 0);
    assert_int_equal(get16(0x1B), 16383);
    assert_int_equal(get(0x1D), 16);
    assert_int_equal(get16(0x1E), 0xFFFF);
    assert_int_equal(get(0x20), 0xC8);
    assert_int_equal(get16(0x21), 16383);
    assert_int_equal(get(0x23), 63);
    assert_int_equal(get(0x24), 0);
    assert_int_equal(get(0x39), 0x01); /* and none where there is no disk */
}

static void second_disk(void **state)
{
    const struct cmos_config config = {.disk = {{0},
                                                {.cylinders = 500, .heads = 4, .sectors = 32},
                                                {.cylinders = 2000, .translation = 2},
                                                {.cylinders = 5000, .translation = 3}}};
    (void)state;
    make(&config);
    assert_int_equal(get(0x12), 0x0F);
    assert_int_equal(get(0x1A), 47);
    assert_int_equal(get16(0x24), 500);
    assert_int_equal(get(0x26), 4);
    assert_int_equal(get(0x29), 0xC0);
    assert_int_equal(get(0x2C), 32);
    assert_int_equal(get(0x39), 0xE0);
}

static void floppies(void **state)
{
    const struct cmos_config config = {.floppy = {CMOS_FLOPPY_1440K, CMOS_FLOPPY_2880K}};
    (void)state;
    make(&config);
    assert_int_equal(get(0x10), 0x45);
    assert_int_equal(get(0x14), 0x47);
}

static void checksum(void **state)
{
    unsigned sum = 0;
    (void)state;
    make(&typical);
    for (unsigned i = 0x10; i <= 0x2D; i++)
        sum += get((uint8_t)i);
    assert_int_not_equal(sum, 0);
    assert_int_equal(get(0x2E) << 8 | get(0x2F), sum);
}

static void ram(void **state)
{
    (void)state;
    make(&typical);
    for (unsigned i = 0; i < 128; i++)
        put((uint8_t)i, (uint8_t)(i ^ 0x5A));
    for (unsigned i = 0; i < 128; i++)
        assert_int_equal(get((uint8_t)i), (uint8_t)(i ^ 0x5A));
    put(0x80 | 0x40, 0x77); /* the NMI bit is no address */
    assert_int_equal(get(0x40), 0x77);
    assert_int_equal(rig_inb(rig, 0x70), 0xFF);
    /* As Xen hands it on: the index, then any number of accesses to it. */
    rig_outb(rig, 0x70, 0x0F);
    rig_outb(rig, 0x71, 0x05);
    assert_int_equal(rig_inb(rig, 0x71), 0x05);
    rig_outw(rig, 0x70, 0x3340);
    assert_int_equal(get(0x40), 0x33);
    devices_reset(&rig->devices); /* the battery keeps it: the reset code is for after a reset */
    assert_int_equal(get(0x0F), 0x05);
    for (unsigned v = 0; v < 256; v++) {
        rig_outb(rig, 0x70, (uint8_t)v);
        rig_outb(rig, 0x71, (uint8_t)v);
        assert_int_equal(rig_inb(rig, 0x71), v);
    }
}

static void standard(void **state)
{
    (void)state;
    make(&typical);
    put(0x55, 0x12);
    rig_standard_tests(rig, &c->device);
    assert_int_equal(get(0x55), 0x12);
}

static void hostile_index(void **state)
{
    struct err err;
    uint8_t bytes[1 + CMOS_SIZE] = {0x80};
    (void)state;
    make(&typical);
    assert_false(device_load(&c->device, 1, bytes, sizeof(bytes), &err));
    bytes[0] = 0x7F;
    bytes[1 + 0x7F] = 0x42;
    assert_true(device_load(&c->device, 1, bytes, sizeof(bytes), &err));
    assert_int_equal(rig_inb(rig, 0x71), 0x42);
}

static void taken_port(void **state)
{
    struct err err;
    (void)state;
    make(&typical);
    assert_null(cmos_realize(rig->bus, &rig->devices, &typical, &err));
    assert_true(strlen(err.text) > 0);
}

int main(void)
{
#define T(test) cmocka_unit_test_teardown(test, teardown)
    const struct CMUnitTest tests[] = {
        T(memory),   T(little_memory), T(extremes), T(boot_order), T(disks),         T(second_disk),
        T(floppies), T(checksum),      T(ram),      T(standard),   T(hostile_index), T(taken_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
