/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_production: the production binary, unchanged, on the stand-in: started as libxl starts it,
 * driven by a guest's accesses, ended as libxl ends it. HVM_DM names another binary.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xen/sched.h>

#include "dm.h"
#include "pc.h"

#define IMAGE_BYTES (8u << 20)
#define BUFFER      UINT64_C(0x100000)
#define TABLE       UINT64_C(0x90000)
#define VGA         PC_DEVFN(DM_VGA_SLOT, 0)
#define RAM_MB      UINT64_C(48)
#define START_MS    10000

struct machine {
    struct xenstub *x;
    struct dm dm;
};

/* `more`: further arguments, up to a NULL. */
static int start(void **state, const char *const *more)
{
    struct machine *m = calloc(1, sizeof(*m));
    struct xenstub_config config = {.domid = 7, .vcpus = 2, .ram_bytes = RAM_MB << 20};
    m->x = xenstub_new(&config);
    *state = m;
    bool ok = m->x && dm_init(&m->dm, DM_OURS, m->x, RAM_MB);
    size_t n = 0;
    while (ok && m->dm.argv[n])
        n++;
    while (ok && *more)
        m->dm.argv[n++] = *more++;
    if (ok && dm_make_image(&m->dm, IMAGE_BYTES) && dm_start(&m->dm, m->x, START_MS)) {
        pc_setup(m->x, VGA);
        return 0;
    }
    xenstub_free(m->x);
    return -1;
}

static int setup(void **state)
{
    static const char *const none[] = {NULL};
    return start(state, none);
}

static int setup_restricted(void **state)
{
    static const char *const more[] = {"-xen-domid-restrict", NULL};
    return start(state, more);
}

static int setup_unconfined(void **state)
{
    static const char *const more[] = {"-sandbox", "off", NULL};
    return start(state, more);
}

static int teardown(void **state)
{
    struct machine *m = *state;
    int status = xenstub_end(m->x, SIGHUP, 5000);
    bool ok = WIFEXITED(status) && !WEXITSTATUS(status);
    if (!ok) {
        fprintf(stderr, "ended with status %#x\n", (unsigned)status);
        dm_show_log(m->x);
    }
    xenstub_free(m->x);
    free(m);
    return ok ? 0 : -1;
}

/* --- the tests --- */

static void functions_are_those_of_the_pc(void **state)
{
    static const struct pc_function expected[] = {
        {PC_DEVFN(0, 0), 0x8086, 0x1237, 0x060000}, {PC_DEVFN(1, 0), 0x8086, 0x7000, 0x060100},
        {PC_DEVFN(1, 1), 0x8086, 0x7010, 0x010180}, {PC_DEVFN(1, 3), 0x8086, 0x7113, 0x068000},
        {PC_DEVFN(2, 0), 0x5853, 0x0001, 0xFF8000}, {VGA, 0x1234, 0x1111, 0x030000}};
    struct machine *m = *state;
    struct pc_function f[32];
    assert_int_equal(pc_scan(m->x, f, 32), 6);
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(f[i].devfn, expected[i].devfn);
        assert_int_equal(f[i].vendor, expected[i].vendor);
        assert_int_equal(f[i].device, expected[i].device);
        assert_int_equal(f[i].class_code, expected[i].class_code);
    }
}

static void ports_answer_and_the_unclaimed_never_arrive(void **state)
{
    struct machine *m = *state;
    vcpu_out(m->x, 0, 0x3FF, 1, 0x5A); /* scratch register of COM1 */
    assert_int_equal(vcpu_in(m->x, 0, 0x3FF, 1), 0x5A);
    assert_int_equal(vcpu_in(m->x, 1, 0x3FF, 1), 0x5A);
    uint64_t before = xenstub_unclaimed(m->x), notifies = xenstub_shm(m->x)->counts.notifies;
    assert_int_equal(vcpu_in(m->x, 0, 0x5678, 4), 0xFFFFFFFF);
    assert_int_equal(vcpu_in(m->x, 0, 0x40, 1), 0xFF); /* the PIT is Xen's */
    assert_int_equal(xenstub_unclaimed(m->x), before + 2);
    assert_int_equal(xenstub_shm(m->x)->counts.notifies, notifies);
}

static void config_space_answers_at_every_width(void **state)
{
    struct machine *m = *state;
    assert_int_equal(vcpu_pci_read(m->x, 0, VGA, 0, 4), 0x11111234);
    assert_int_equal(vcpu_pci_read(m->x, 0, VGA, 2, 2), 0x1111);
    assert_int_equal(vcpu_pci_read(m->x, 0, VGA, 1, 1), 0x12);
    assert_int_equal(vcpu_pci_read(m->x, 0, PC_DEVFN(9, 0), 0, 4), 0xFFFFFFFF);
    vcpu_pci_write(m->x, 0, VGA, 0x3C, 1, 11);
    assert_int_equal(vcpu_pci_read(m->x, 0, VGA, 0x3C, 1), 11);
}

static void link_routes_are_told(void **state)
{
    struct machine *m = *state;
    vcpu_pci_write(m->x, 0, PC_DEVFN(1, 0), 0x62, 1, 11);
    assert_int_equal(xenstub_shm(m->x)->link[2], 11);
    vcpu_pci_write(m->x, 0, PC_DEVFN(1, 0), 0x62, 1, 0x80);
    assert_int_equal(xenstub_shm(m->x)->link[2], 0);
}

static void a_drive_identifies_itself(void **state)
{
    struct machine *m = *state;
    uint16_t id[256];
    assert_true(pc_ide_identify(m->x, 0, BUFFER));
    assert_true(guest_read(m->x, BUFFER, id, sizeof(id)));
    assert_int_equal(id[60] | (uint32_t)id[61] << 16, IMAGE_BYTES / 512);
    assert_true(id[49] & 1 << 9); /* LBA */
    assert_int_equal(xenstub_shm(m->x)->isa[14], 0);
}

static void expect_disk(struct machine *m, uint64_t addr, uint32_t lba, unsigned sectors)
{
    uint8_t *got = malloc(sectors * 512u);
    assert_true(guest_read(m->x, addr, got, sectors * 512u));
    for (size_t i = 0; i < sectors * 512u; i++)
        assert_int_equal(got[i], dm_pattern(lba * 512u + i));
    free(got);
}

static void sectors_are_read_by_rep_insw(void **state)
{
    struct machine *m = *state;
    guest_fill(m->x, BUFFER, 0xEE, 8192);
    assert_true(pc_ide_read_pio(m->x, 0, 17, 5, BUFFER + 0xF00)); /* across pages */
    expect_disk(m, BUFFER + 0xF00, 17, 5);
    uint8_t after;
    guest_read(m->x, BUFFER + 0xF00 + 5 * 512, &after, 1);
    assert_int_equal(after, 0xEE);
}

static void rep_insw_goes_down_with_df(void **state)
{
    struct machine *m = *state;
    uint16_t got[256];
    vcpu_out(m->x, 0, 0x1F6, 1, 0xE0);
    vcpu_out(m->x, 0, 0x1F2, 1, 1);
    vcpu_out(m->x, 0, 0x1F3, 1, 3);
    vcpu_out(m->x, 0, 0x1F4, 1, 0);
    vcpu_out(m->x, 0, 0x1F5, 1, 0);
    vcpu_out(m->x, 0, 0x1F7, 1, 0x20);
    assert_true(xenstub_wait_isa(m->x, 14, true, 5000));
    assert_int_equal(vcpu_in(m->x, 0, 0x1F7, 1) & 0x89, 0x08);
    vcpu_ins(m->x, 0, 0x1F0, 2, 256, BUFFER + 510, true);
    guest_read(m->x, BUFFER, got, sizeof(got));
    for (size_t i = 0; i < 256; i++)
        assert_int_equal(got[255 - i], dm_pattern(3 * 512 + 2 * i) | dm_pattern(3 * 512 + 2 * i + 1)
                                                                         << 8);
}

static void sectors_are_written_by_rep_outsw(void **state)
{
    struct machine *m = *state;
    uint8_t data[1024], got[1024];
    for (unsigned i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i ^ 0xA5);
    guest_write(m->x, BUFFER, data, sizeof(data));
    assert_true(pc_ide_write_pio(m->x, 0, 100, 2, BUFFER));
    int fd = open(m->dm.image, O_RDONLY);
    assert_int_equal(pread(fd, got, sizeof(got), 100 * 512), sizeof(got));
    close(fd);
    assert_memory_equal(got, data, sizeof(data));
}

static void dma_reads_and_writes(void **state)
{
    struct machine *m = *state;
    guest_fill(m->x, BUFFER, 0, 256 * 512);
    assert_true(pc_ide_dma(m->x, 0, 64, 8, BUFFER, TABLE, false));
    expect_disk(m, BUFFER, 64, 8);
    assert_true(pc_ide_dma(m->x, 0, 1000, 256, BUFFER + 0x8200, TABLE, false)); /* 128 KiB */
    expect_disk(m, BUFFER + 0x8200, 1000, 256);
    assert_true(pc_ide_dma(m->x, 0, 5000, 256, BUFFER + 0x8200, TABLE, true));
    assert_true(pc_ide_dma(m->x, 0, 5000, 256, BUFFER + 0x100000, TABLE, false));
    expect_disk(m, BUFFER + 0x100000, 1000, 256);
}

static void dma_marks_pages_dirty(void **state)
{
    struct machine *m = *state;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    assert_true(strlen(m->dm.qmp) < sizeof(at.sun_path));
    strcpy(at.sun_path, m->dm.qmp);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    static const char *const say[] = {
        "{\"execute\":\"qmp_capabilities\"}",
        "{\"execute\":\"xen-set-global-dirty-log\",\"arguments\":{\"enable\":true}}"};
    char reply[4096];
    assert_true(read(fd, reply, sizeof(reply)) > 0); /* greeting */
    for (unsigned i = 0; i < 2; i++) {
        assert_true(write(fd, say[i], strlen(say[i])) > 0);
        ssize_t n = read(fd, reply, sizeof(reply) - 1);
        assert_true(n > 0);
        reply[n] = 0;
    }
    close(fd);
    assert_non_null(strstr(reply, "return"));
    assert_null(strstr(reply, "error"));
    guest_log_dirty(m->x, true);
    assert_true(pc_ide_dma(m->x, 0, 64, 16, BUFFER + 0x1000, TABLE, false));
    assert_false(guest_clean(m->x, BUFFER / 4096));
    assert_true(guest_clean(m->x, BUFFER / 4096 + 1));
    assert_true(guest_clean(m->x, BUFFER / 4096 + 2));
    assert_false(guest_clean(m->x, BUFFER / 4096 + 3));
    guest_log_dirty(m->x, false);
}

static void ballooned_pages_come_back(void **state)
{
    struct machine *m = *state;
    guest_balloon(m->x, BUFFER / 4096 + 16, 2, true);
    vcpu_invalidate(m->x, 0);
    assert_false(pc_ide_dma(m->x, 0, 64, 8, BUFFER + 0x10000, TABLE, false));
    guest_balloon(m->x, BUFFER / 4096 + 16, 2, false);
    vcpu_invalidate(m->x, 0);
    assert_true(pc_ide_dma(m->x, 0, 64, 8, BUFFER + 0x10000, TABLE, false));
    expect_disk(m, BUFFER + 0x10000, 64, 8);
}

static void video_memory_moves_with_its_bar(void **state)
{
    struct machine *m = *state;
    uint32_t pixel = 0x00C0FFEE, got = 0;
    assert_true(guest_write(m->x, PC_VRAM + 0x1000, &pixel, sizeof(pixel)));
    vcpu_pci_write(m->x, 0, VGA, 0x10, 4, 0xE0000000);
    assert_false(guest_read(m->x, PC_VRAM + 0x1000, &got, sizeof(got)));
    assert_true(guest_read(m->x, UINT64_C(0xE0001000), &got, sizeof(got)));
    assert_int_equal(got, pixel);
    vcpu_pci_write(m->x, 0, VGA, 0x10, 4, (uint32_t)PC_VRAM);
    assert_true(guest_read(m->x, PC_VRAM + 0x1000, &got, sizeof(got)));
    assert_int_equal(got, pixel);
}

/* Chain 4, all planes, no masks: the window is linear. A firmware would set a mode. */
static void open_vga_window(struct machine *m)
{
    static const uint16_t sequencer[] = {0x0300, 0x0F02, 0x0E04},
                          graphics[] = {0x0005, 0x0506, 0xFF08};
    vcpu_out(m->x, 0, 0x3C2, 1, 0x63); /* memory on */
    for (unsigned i = 0; i < 3; i++) {
        vcpu_out(m->x, 0, 0x3C4, 2, sequencer[i]);
        vcpu_out(m->x, 0, 0x3CE, 2, graphics[i]);
    }
}

static void posted_writes_come_before_the_next_access(void **state)
{
    struct machine *m = *state;
    open_vga_window(m);
    for (unsigned i = 0; i < 2000; i++) /* several rings full */
        while (!vcpu_post(m->x, 0xA0000 + 4 * (i % 4096), 4, 0x01000000u * i + i))
            vcpu_in(m->x, 0, 0x3FF, 1);
    for (unsigned i = 0; i < 2000; i += 7)
        assert_int_equal(vcpu_read(m->x, 0, 0xA0000 + 4 * i, 4), 0x01000000u * i + i);
    assert_true(vcpu_post(m->x, 0xA8000, 8, UINT64_C(0x1122334455667788)));
    assert_true(vcpu_read(m->x, 0, 0xA8000, 8) == UINT64_C(0x1122334455667788));
}

static void string_copies_reach_the_vga_window(void **state)
{
    struct machine *m = *state;
    uint8_t data[4096], got[4096];
    open_vga_window(m);
    for (unsigned i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 13 + 1);
    guest_write(m->x, BUFFER, data, sizeof(data));
    vcpu_movs(m->x, 0, 0xA0000, 4, 1024, BUFFER, false, false);
    vcpu_movs(m->x, 0, 0xA0000, 4, 1024, BUFFER + 0x2000, true, false);
    guest_read(m->x, BUFFER + 0x2000, got, sizeof(got));
    assert_memory_equal(got, data, sizeof(data));
    vcpu_stos(m->x, 0, 0xA1000, 2, 100, 0xBEEF, false);
    assert_int_equal(vcpu_read(m->x, 0, 0xA1000 + 198, 2), 0xBEEF);
    /* Downward: the first unit is the highest. */
    vcpu_movs(m->x, 0, 0xA2000 + 252, 4, 64, BUFFER + 252, false, true);
    vcpu_movs(m->x, 0, 0xA2000, 4, 64, BUFFER + 0x3000, true, false);
    guest_read(m->x, BUFFER + 0x3000, got, 256);
    assert_memory_equal(got, data, 256);
}

static void the_serial_line_is_a_pty(void **state)
{
    struct machine *m = *state;
    char *tty = xenstub_xs_read(m->x, "/local/domain/7/serial/0/tty"), got[8] = {0};
    assert_non_null(tty);
    int fd = open(tty, O_RDWR | O_NOCTTY);
    assert_true(fd >= 0);
    free(tty);
    assert_int_equal(write(fd, "w\n", 2), 2); /* a peer announces itself by typing */
    while (!(vcpu_in(m->x, 0, 0x3FD, 1) & 1))
        usleep(1000);
    while (vcpu_in(m->x, 0, 0x3FD, 1) & 1)
        vcpu_in(m->x, 0, 0x3F8, 1);
    vcpu_out(m->x, 0, 0x3FB, 1, 3);
    for (const char *c = "ok\n"; *c; c++)
        vcpu_out(m->x, 0, 0x3F8, 1, (uint8_t)*c);
    for (size_t have = 0; have < 2;) {
        ssize_t n = read(fd, got + have, sizeof(got) - have);
        assert_true(n > 0);
        have += (size_t)n;
    }
    assert_memory_equal(got, "ok", 2);
    vcpu_out(m->x, 0, 0x3F9, 1, 1); /* received data interrupts */
    vcpu_out(m->x, 0, 0x3FC, 1, 0x0B);
    assert_int_equal(write(fd, "x\n", 2), 2);
    assert_true(xenstub_wait_isa(m->x, 4, true, 5000));
    assert_int_equal(vcpu_in(m->x, 0, 0x3F8, 1), 'x');
    close(fd);
}

static void the_time_offset_is_kept(void **state)
{
    struct machine *m = *state;
    vcpu_time_offset(m->x, 0, 3600);
    assert_true(xenstub_xs_wait(m->x, "/vm/12345678-1234-1234-1234-123456789abc/rtc/timeoffset",
                                "3600", 2000));
    vcpu_time_offset(m->x, 1, -7200);
    assert_true(xenstub_xs_wait(m->x, "/vm/12345678-1234-1234-1234-123456789abc/rtc/timeoffset",
                                "-3600", 2000));
}

static void pm1_control_powers_off(void **state)
{
    struct machine *m = *state;
    pc_power_off(m->x);
    assert_true(xenstub_wait_shutdown(m->x, SHUTDOWN_poweroff, 2000));
    assert_false(xenstub_gone(m->x));
}

/* With what is left of its rights, whichever they are. */
static void all_kinds_of_access_work(void **state)
{
    functions_are_those_of_the_pc(state);
    sectors_are_read_by_rep_insw(state);
    dma_reads_and_writes(state);
    video_memory_moves_with_its_bar(state);
    pm1_control_powers_off(state);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(functions_are_those_of_the_pc),
        TEST(ports_answer_and_the_unclaimed_never_arrive),
        TEST(config_space_answers_at_every_width),
        TEST(link_routes_are_told),
        TEST(a_drive_identifies_itself),
        TEST(sectors_are_read_by_rep_insw),
        TEST(rep_insw_goes_down_with_df),
        TEST(sectors_are_written_by_rep_outsw),
        TEST(dma_reads_and_writes),
        TEST(dma_marks_pages_dirty),
        TEST(ballooned_pages_come_back),
        TEST(video_memory_moves_with_its_bar),
        TEST(posted_writes_come_before_the_next_access),
        TEST(string_copies_reach_the_vga_window),
        TEST(the_serial_line_is_a_pty),
        TEST(the_time_offset_is_kept),
        TEST(pm1_control_powers_off),
        cmocka_unit_test_setup_teardown(all_kinds_of_access_work, setup_restricted, teardown),
        cmocka_unit_test_setup_teardown(all_kinds_of_access_work, setup_unconfined, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
