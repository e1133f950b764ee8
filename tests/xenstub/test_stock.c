/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_stock: Debian's stock device model on the same stand-in, from the same argument line: what
 * we measure against. Skipped where it is not installed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <xen/sched.h>

#include "dm.h"
#include "pc.h"

#define RAM_MB UINT64_C(48)
#define BUFFER UINT64_C(0x100000)
#define TABLE  UINT64_C(0x90000)

static void expect_disk(struct xenstub *x, uint32_t lba, unsigned sectors)
{
    uint8_t *got = malloc(sectors * 512u);
    assert_true(guest_read(x, BUFFER, got, sectors * 512u));
    for (size_t i = 0; i < sectors * 512u; i++)
        assert_int_equal(got[i], dm_pattern(lba * 512u + i));
    free(got);
}

static void serves_the_same_accesses(void **state)
{
    static const uint16_t expected[][2] = {{0x8086, 0x1237}, {0x8086, 0x7000}, {0x8086, 0x7010},
                                           {0x8086, 0x7113}, {0x5853, 0x0001}, {0x1234, 0x1111}};
    struct xenstub_config config = {.domid = 7, .ram_bytes = RAM_MB << 20};
    struct xenstub *x = xenstub_new(&config);
    struct dm dm;
    (void)state;
    assert_non_null(x);
    if (!dm_init(&dm, DM_STOCK, x, RAM_MB)) {
        xenstub_free(x);
        print_message("skip: the stock device model is not here (the lab fetches it)\n");
        skip();
    }
    assert_true(dm_make_image(&dm, 1 << 20));
    assert_true(dm_start(&dm, x, 20000));
    pc_setup(x, PC_DEVFN(DM_VGA_SLOT, 0));
    struct pc_function f[32];
    assert_int_equal(pc_scan(x, f, 32), 6);
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(f[i].vendor, expected[i][0]);
        assert_int_equal(f[i].device, expected[i][1]);
    }
    assert_true(pc_ide_read_pio(x, 0, 10, 3, BUFFER));
    expect_disk(x, 10, 3);
    assert_true(pc_ide_dma(x, 0, 64, 256, BUFFER, TABLE, false));
    expect_disk(x, 64, 256);
    uint32_t pixel = 0x00C0FFEE, got = 0;
    assert_true(guest_write(x, PC_VRAM, &pixel, sizeof(pixel)));
    assert_true(guest_read(x, PC_VRAM, &got, sizeof(got)));
    assert_int_equal(got, pixel);
    pc_power_off(x);
    assert_true(xenstub_wait_shutdown(x, SHUTDOWN_poweroff, 5000));
    int status = xenstub_end(x, SIGHUP, 5000);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    xenstub_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(serves_the_same_accesses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
