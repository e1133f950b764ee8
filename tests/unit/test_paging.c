/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of toolstack/paging.c: each way of paging, with pages of each size, and tables that lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "toolstack/paging.h"

#define PG  (UINT64_C(1) << 31)
#define PSE (UINT64_C(1) << 4)
#define PAE (UINT64_C(1) << 5)
#define L57 (UINT64_C(1) << 12)
#define LMA (UINT64_C(1) << 10)

static uint8_t memory[0x10000];
static unsigned reads;

static bool get(void *opaque, uint64_t addr, void *buf, size_t len)
{
    (void)opaque;
    reads++;
    if (addr > sizeof(memory) - len)
        return false;
    memcpy(buf, memory + addr, len);
    return true;
}

static void put8(uint64_t table, unsigned index, uint64_t entry)
{
    memcpy(memory + table + index * 8, &entry, 8);
}

static void put4(uint64_t table, unsigned index, uint32_t entry)
{
    memcpy(memory + table + index * 4, &entry, 4);
}

static int setup(void **state)
{
    (void)state;
    memset(memory, 0, sizeof(memory));
    return 0;
}

static void maps(const struct hv_paging *regs, uint64_t addr, uint64_t to)
{
    uint64_t at = 0;

    reads = 0;
    assert_true(paging_walk(regs, get, NULL, addr, &at));
    assert_int_equal(at, to);
    assert_in_range(reads, 0, 5);
}

static void maps_not(const struct hv_paging *regs, uint64_t addr)
{
    uint64_t at;

    reads = 0;
    assert_false(paging_walk(regs, get, NULL, addr, &at));
    assert_in_range(reads, 0, 5);
}

static void test_none(void **state)
{
    const struct hv_paging regs = {.cr0 = 1, .cr3 = 0x1000, .cr4 = PAE, .efer = LMA};

    (void)state;
    maps(&regs, 0x12345678, 0x12345678);
    maps(&regs, UINT32_MAX, UINT32_MAX);
    maps_not(&regs, UINT64_C(1) << 32);
    assert_int_equal(reads, 0);
}

static void test_legacy(void **state)
{
    struct hv_paging regs = {.cr0 = PG, .cr3 = 0x1018, .cr4 = 0};

    (void)state;
    put4(0x1000, 0x300, 0x2000 | 0x67);
    put4(0x2000, 0x3FF, 0xABCDE000 | 1);
    put4(0x1000, 0x301, 0x2000 | 0x66);               /* not present */
    put4(0x1000, 0x302, 0x00800000 | 5 << 13 | 0x81); /* 4 MiB, above 4 GiB */
    put4(0x1000, 0x303, 0xFFFFF000 | 1);              /* a table that is not there */
    maps(&regs, 0xC03FF123, 0xABCDE123);
    maps_not(&regs, 0xC03FE123);
    maps_not(&regs, 0xC0400000);
    maps_not(&regs, 0xC0C00000);
    maps_not(&regs, UINT64_C(0x1C03FF123));
    regs.cr4 = PSE;
    maps(&regs, 0xC0812345, UINT64_C(0x500812345));
    regs.cr4 = 0; /* then bit 7 means nothing */
    maps_not(&regs, 0xC0812345);
}

static void test_pae(void **state)
{
    const struct hv_paging regs = {.cr0 = PG, .cr3 = 0x1020, .cr4 = PAE | PSE};

    (void)state;
    put8(0x1020, 3, 0x2000 | 1);
    put8(0x2000, 0, 0x3000 | 1);
    put8(0x3000, 5, UINT64_C(0x8000000123456067));          /* with NX, above 4 GiB */
    put8(0x2000, 1, UINT64_C(0x0000000200600000) | 0x1081); /* 2 MiB, with PAT */
    put8(0x1020, 2, 0x2000 | 0x81);                         /* bit 7 maps nothing here */
    maps(&regs, 0xC0005FFF, 0x123456FFF);
    maps(&regs, 0xC0212345, UINT64_C(0x200612345));
    maps(&regs, 0x80005001, 0x123456001);
    maps_not(&regs, 0xC0006000);
    maps_not(&regs, 0x40005000);
}

static void test_long(void **state)
{
    struct hv_paging regs = {.cr0 = PG, .cr3 = 0x1FFF, .cr4 = PAE, .efer = LMA};

    (void)state;
    put8(0x1000, 0x1FF, 0x2000 | 1);
    put8(0x2000, 0x1FE, 0x3000 | 1);
    put8(0x3000, 8, 0x4000 | 1);
    put8(0x4000, 1, 0x00FF0000 | 0x163);
    put8(0x3000, 9, 0x00E00000 | 0x1E3);               /* 2 MiB */
    put8(0x2000, 0x1FF, UINT64_C(0x40000000) | 0x1E3); /* 1 GiB */
    put8(0x1000, 0, 0x5000 | 0x81);                    /* bit 7 maps nothing here */
    maps(&regs, UINT64_C(0xFFFFFFFF81001234), 0x00FF0234);
    maps(&regs, UINT64_C(0xFFFFFFFF813FFFFF), 0x00FFFFFF);
    maps(&regs, UINT64_C(0xFFFFFFFFC1234567), UINT64_C(0x41234567));
    maps_not(&regs, UINT64_C(0xFFFFFFFF81000000));
    maps_not(&regs, 0);
    maps_not(&regs, UINT64_C(0x0000FFFF81001234)); /* not canonical */
    maps_not(&regs, UINT64_C(0x7FFFFFFF81001234));
    assert_int_equal(reads, 0);
    /* Five levels: the same tables below one more. */
    regs.cr4 |= L57;
    regs.cr3 = 0x6000;
    put8(0x6000, 0x1FF, 0x1000 | 1);
    put8(0x6000, 1, 0x1000 | 1);
    maps(&regs, UINT64_C(0xFFFFFFFF81001234), 0x00FF0234);
    assert_int_equal(reads, 5);
    maps(&regs, UINT64_C(0x0001FFFF81001234), 0x00FF0234);
    maps_not(&regs, UINT64_C(0x01FFFFFF81001234)); /* not canonical here either */
    /* Tables that name themselves end all the same. */
    regs.cr4 = PAE;
    regs.cr3 = 0x7000;
    put8(0x7000, 0, 0x7000 | 1);
    maps(&regs, 5, 0x7005);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_none, setup),
        cmocka_unit_test_setup(test_legacy, setup),
        cmocka_unit_test_setup(test_pae, setup),
        cmocka_unit_test_setup(test_long, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
