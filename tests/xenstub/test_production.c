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
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
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
    bool layout; /* a keyboard layout that is not built in */
};

/* `more`: further arguments, up to a NULL. old: Xen or Linux before ioreq pages were resources. */
static int start_with(void **state, const char *const *more, bool old)
{
    struct machine *m = calloc(1, sizeof(*m));
    struct xenstub_config config = {.domid = 7, .vcpus = 2, .ram_bytes = RAM_MB << 20};
    m->x = xenstub_new(&config);
    *state = m;
    if (m->x)
        xenstub_shm(m->x)->no_resources = old;
    bool ok = m->x && dm_init(&m->dm, DM_OURS, m->x, RAM_MB);
    if (ok)
        dm_add(&m->dm, more);
    if (ok && dm_make_image(&m->dm, IMAGE_BYTES) && dm_start(&m->dm, m->x, START_MS)) {
        pc_setup(m->x, VGA);
        return 0;
    }
    xenstub_free(m->x);
    return -1;
}

static int start(void **state, const char *const *more)
{
    return start_with(state, more, false);
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

static int setup_old(void **state)
{
    static const char *const none[] = {NULL};
    return start_with(state, none, true);
}

static int setup_unconfined(void **state)
{
    static const char *const more[] = {"-sandbox", "off", NULL};
    return start(state, more);
}

/* The screen on a UNIX socket, and a keyboard layout (NULL: none is said). */
static int prepare_screen(void **state, const char *layout)
{
    struct machine *m = calloc(1, sizeof(*m));
    struct xenstub_config config = {.domid = 7, .ram_bytes = RAM_MB << 20};
    static char vnc[128];
    m->x = xenstub_new(&config);
    m->layout = layout;
    *state = m;
    if (!m->x || !dm_init(&m->dm, DM_OURS, m->x, RAM_MB) || !dm_make_image(&m->dm, IMAGE_BYTES))
        return -1;
    snprintf(vnc, sizeof(vnc), "unix:%s/vnc", xenstub_dir(m->x));
    dm_set(&m->dm, "-vnc", vnc);
    if (layout)
        dm_add(&m->dm, (const char *const[]){"-k", layout, NULL});
    return 0;
}

static int start_screen(void **state, const char *layout)
{
    struct machine *m;
    if (prepare_screen(state, layout))
        return -1;
    m = *state;
    if (!dm_start(&m->dm, m->x, START_MS))
        return -1;
    pc_setup(m->x, VGA);
    return 0;
}

static int setup_screen(void **state)
{
    return start_screen(state, NULL);
}

/* Where a browser finds the screen. */
static unsigned web_port(void)
{
    return 20000 + (unsigned)getpid() % 10000;
}

/* configure --disable-web leaves the module out. */
static bool has_web(const struct machine *m)
{
    char path[sizeof(m->dm.binary) + 8];
    snprintf(path, sizeof(path), "%s", m->dm.binary);
    strcpy(strrchr(path, '/') + 1, "web.so");
    return !access(path, R_OK);
}

static int setup_web(void **state)
{
    static char vnc[192];
    struct machine *m;
    if (prepare_screen(state, NULL))
        return -1;
    m = *state;
    snprintf(vnc, sizeof(vnc), has_web(m) ? "unix:%s/vnc,websocket=127.0.0.1:%u" : "unix:%s/vnc",
             xenstub_dir(m->x), web_port());
    dm_set(&m->dm, "-vnc", vnc);
    return dm_start(&m->dm, m->x, START_MS) ? 0 : -1;
}

/* With a vncviewer that says how it was called. */
static int setup_viewer(void **state)
{
    char path[160], search[400];
    struct machine *m;
    if (prepare_screen(state, NULL))
        return -1;
    m = *state;
    dm_add(&m->dm, (const char *const[]){"-vncviewer", NULL});
    snprintf(path, sizeof(path), "%s/vncviewer", xenstub_dir(m->x));
    FILE *f = fopen(path, "w");
    if (!f)
        return -1;
    fprintf(f,
            "#!/bin/sh\nls /proc/$$/fd | wc -l >%s.new\necho \"$@\" >>%s.new\nmv %s.new %s.said\n",
            path, path, path, path);
    fclose(f);
    snprintf(search, sizeof(search), "%s:%.200s", xenstub_dir(m->x), getenv("PATH"));
    setenv("PATH", search, 1);
    return chmod(path, 0700) || !dm_start(&m->dm, m->x, START_MS) ? -1 : 0;
}

static int setup_layout(void **state)
{
    return start_screen(state, "latam");
}

static int setup_no_layout(void **state)
{
    return prepare_screen(state, "klingon");
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

/* Where unit i of a string instruction from `addr` (of the first unit) lies. */
static uint64_t unit_at(uint64_t addr, unsigned i, unsigned size, bool df)
{
    return df ? addr - (uint64_t)i * size : addr + (uint64_t)i * size;
}

/* One sector by the data port: command, string instruction, in units of `size`, up or down. */
static void sector_by_strings(struct machine *m, bool write, unsigned size, bool df, uint32_t lba)
{
    const unsigned count = 512 / size;
    const uint64_t first = df ? BUFFER + 0xFF8 + 512 - size : BUFFER + 0xFF8; /* crosses a page */
    vcpu_out(m->x, 0, 0x1F6, 1, 0xE0);
    vcpu_out(m->x, 0, 0x1F2, 1, 1);
    for (unsigned i = 0; i < 3; i++)
        vcpu_out(m->x, 0, 0x1F3 + i, 1, lba >> 8 * i & 0xFF);
    vcpu_out(m->x, 0, 0x1F7, 1, write ? 0x30 : 0x20);
    if (!write)
        assert_true(xenstub_wait_isa(m->x, 14, true, 5000));
    while ((vcpu_in(m->x, 0, 0x1F7, 1) & 0x88) != 0x08)
        assert_false(xenstub_gone(m->x));
    if (!write) {
        vcpu_ins(m->x, 0, 0x1F0, size, count, first, df);
    } else {
        vcpu_outs(m->x, 0, 0x1F0, size, count, first, df);
        assert_true(xenstub_wait_isa(m->x, 14, true, 5000));
        assert_int_equal(vcpu_in(m->x, 0, 0x1F7, 1) & 0x89, 0);
    }
}

static void disk_strings_go_both_ways_up_and_down(void **state)
{
    struct machine *m = *state;
    uint8_t mark[2];
    for (unsigned size = 2; size <= 4; size *= 2)
        for (unsigned df = 0; df < 2; df++) {
            const uint64_t first = df ? BUFFER + 0xFF8 + 512 - size : BUFFER + 0xFF8;
            const uint32_t lba = 200 + size + df;
            guest_fill(m->x, BUFFER + 0xF00, 0xEE, 1024);
            sector_by_strings(m, false, size, df, lba);
            for (unsigned i = 0; i < 512 / size; i++) {
                uint8_t unit[4];
                assert_true(guest_read(m->x, unit_at(first, i, size, df), unit, size));
                for (unsigned b = 0; b < size; b++)
                    assert_int_equal(unit[b], dm_pattern(lba * 512 + i * size + b));
            }
            guest_read(m->x, BUFFER + 0xFF7, &mark[0], 1);
            guest_read(m->x, BUFFER + 0xFF8 + 512, &mark[1], 1);
            assert_int_equal(mark[0] & mark[1], 0xEE);
            /* What came in downwards goes out downwards as it was. */
            sector_by_strings(m, true, size, df, 300);
            assert_true(pc_ide_read_pio(m->x, 0, 300, 1, BUFFER));
            expect_disk(m, BUFFER, lba, 1);
        }
}

/* COM1 in loopback: what is sent is received, through a FIFO of 16. */
static void byte_strings_go_both_ways_up_and_down(void **state)
{
    struct machine *m = *state;
    vcpu_out(m->x, 0, 0x3FC, 1, 0x10);
    vcpu_out(m->x, 0, 0x3FA, 1, 0x07);
    for (unsigned dfs = 0; dfs < 4; dfs++) {
        const uint64_t from = dfs & 1 ? BUFFER + 15 : BUFFER;
        const uint64_t to = dfs & 2 ? BUFFER + 0x1000 + 7 : BUFFER + 0x1000 - 8;
        for (unsigned i = 0; i < 16; i++) {
            uint8_t byte = (uint8_t)(0x40 + 16 * dfs + i);
            guest_write(m->x, unit_at(from, i, 1, dfs & 1), &byte, 1);
        }
        vcpu_outs(m->x, 0, 0x3F8, 1, 16, from, dfs & 1);
        vcpu_ins(m->x, 0, 0x3F8, 1, 16, to, dfs & 2);
        for (unsigned i = 0; i < 16; i++) {
            uint8_t byte;
            guest_read(m->x, unit_at(to, i, 1, dfs & 2), &byte, 1);
            assert_int_equal(byte, 0x40 + 16 * dfs + i);
        }
        assert_int_equal(vcpu_in(m->x, 0, 0x3FD, 1) & 1, 0);
    }
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

static void reset_is_answered_before_it_is_told(void **state)
{
    static const char say[] = "{\"execute\":\"system_reset\"}";
    struct machine *m = *state;
    char text[4096] = "";
    size_t have = 0;
    int fd = dm_qmp(&m->dm);
    assert_true(write(fd, say, sizeof(say) - 1) > 0);
    while (!strstr(text, "RESET")) {
        ssize_t n = read(fd, text + have, sizeof(text) - 1 - have);
        assert_true(n > 0);
        have += (size_t)n;
        text[have] = 0;
    }
    assert_non_null(strstr(text, "\"return\""));
    assert_true(strstr(text, "\"return\"") < strstr(text, "RESET"));
    close(fd);
    assert_true(xenstub_wait_shutdown(m->x, SHUTDOWN_reboot, 2000));
}

static void dma_marks_pages_dirty(void **state)
{
    struct machine *m = *state;
    static const char say[] =
        "{\"execute\":\"xen-set-global-dirty-log\",\"arguments\":{\"enable\":true}}";
    char reply[4096];
    int fd = dm_qmp(&m->dm);
    assert_true(write(fd, say, sizeof(say) - 1) > 0);
    ssize_t n = read(fd, reply, sizeof(reply) - 1);
    assert_true(n > 0);
    reply[n] = 0;
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
}

/* movs and stos in every width, to and from the window, up and down, across a page of RAM. */
static void copies_go_both_ways_up_and_down(void **state)
{
    struct machine *m = *state;
    uint8_t data[256], got[256];
    open_vga_window(m);
    for (unsigned size = 1; size <= 8; size *= 2)
        for (unsigned df = 0; df < 2; df++) {
            const unsigned last = df ? sizeof(data) - size : 0, count = sizeof(data) / size;
            const uint64_t ram = BUFFER + 0xF80, window = 0xA2000;
            for (unsigned i = 0; i < sizeof(data); i++)
                data[i] = (uint8_t)(i * 7 + size * 31 + df);
            guest_write(m->x, ram, data, sizeof(data));
            vcpu_stos(m->x, 0, window + last, size, count, 0, df);
            assert_int_equal(vcpu_read(m->x, 0, window + 252, 4), 0);
            vcpu_movs(m->x, 0, window + last, size, count, ram + last, false, df);
            for (unsigned i = 0; i < sizeof(data); i += 4)
                assert_int_equal(vcpu_read(m->x, 0, window + i, 4),
                                 data[i] | data[i + 1] << 8 | data[i + 2] << 16 |
                                     (uint32_t)data[i + 3] << 24);
            guest_fill(m->x, ram, 0, sizeof(data));
            vcpu_movs(m->x, 0, window + last, size, count, ram + last, true, df);
            guest_read(m->x, ram, got, sizeof(got));
            assert_memory_equal(got, data, sizeof(got));
            vcpu_stos(m->x, 0, window + last, size, count / 2, 0x8877665544332211, df);
            guest_fill(m->x, ram, 0, sizeof(data));
            vcpu_movs(m->x, 0, window, size, count, ram, true, false);
            guest_read(m->x, ram, got, sizeof(got));
            const unsigned filled = df ? sizeof(got) / 2 : 0;
            for (unsigned i = 0; i < sizeof(got) / 2; i++) {
                assert_int_equal(got[filled + i], 0x11 * (i % size + 1));
                assert_int_equal(got[128 - filled + i], data[128 - filled + i]);
            }
        }
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

static void get(int fd, void *to, size_t len)
{
    for (size_t have = 0; have < len;) {
        ssize_t n = read(fd, (uint8_t *)to + have, len - have);
        assert_true(n > 0);
        have += (size_t)n;
    }
}

/* A viewer's connection, up to ServerInit (RFC 6143 7.1 to 7.3). */
static int view(struct machine *m, unsigned *width, unsigned *height)
{
    static const uint8_t none_shared[] = {1, 1};
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    uint8_t b[64];
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(at.sun_path, sizeof(at.sun_path), "%s/vnc", xenstub_dir(m->x));
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    get(fd, b, 12);
    assert_int_equal(write(fd, b, 12), 12);
    get(fd, b, 2);
    assert_int_equal(write(fd, none_shared, 2), 2); /* "None"; and in ClientInit: shared */
    get(fd, b, 4 + 24);
    *width = (unsigned)(b[4] << 8 | b[5]);
    *height = (unsigned)(b[6] << 8 | b[7]);
    size_t name = b[4 + 23];
    get(fd, b, name < sizeof(b) ? name : sizeof(b));
    return fd;
}

/* The pixels of a full update, raw, 32 bits each. */
static uint32_t *picture(int fd, unsigned width, unsigned height)
{
    const uint8_t ask[10] = {3,
                             0,
                             0,
                             0,
                             0,
                             0,
                             (uint8_t)(width >> 8),
                             (uint8_t)width,
                             (uint8_t)(height >> 8),
                             (uint8_t)height};
    uint8_t head[4], rect[12];
    uint32_t *pixels = calloc((size_t)width * height, 4);
    assert_int_equal(write(fd, ask, sizeof(ask)), sizeof(ask));
    get(fd, head, sizeof(head));
    for (unsigned n = (unsigned)(head[2] << 8 | head[3]); n--;) {
        get(fd, rect, sizeof(rect));
        unsigned x = (unsigned)(rect[0] << 8 | rect[1]), y = (unsigned)(rect[2] << 8 | rect[3]),
                 w = (unsigned)(rect[4] << 8 | rect[5]), h = (unsigned)(rect[6] << 8 | rect[7]);
        assert_int_equal(rect[11], 0); /* raw */
        assert_true(x + w <= width && y + h <= height);
        for (unsigned line = y; line < y + h; line++)
            get(fd, pixels + line * width + x, w * 4);
    }
    return pixels;
}

static void press(struct machine *m, int fd, uint32_t keysym)
{
    const uint8_t key[8] = {
        4, 1, 0, 0, 0, 0, (uint8_t)(keysym >> 8), (uint8_t)keysym}; /* down; key */
    assert_int_equal(write(fd, key, sizeof(key)), sizeof(key));
    while (!(vcpu_in(m->x, 0, 0x64, 1) & 1))
        usleep(1000);
}

/* The module is there, and works with what rights are left. */
static void the_screen_is_shown(void **state)
{
    struct machine *m = *state;
    unsigned width, height;
    static const uint16_t mode[][2] = {{1, 800}, {2, 600}, {3, 32}, {4, 0x41}};
    for (unsigned i = 0; i < 4; i++) {
        vcpu_out(m->x, 0, 0x1CE, 2, mode[i][0]);
        vcpu_out(m->x, 0, 0x1CF, 2, mode[i][1]);
    }
    vcpu_in(m->x, 0, 0x3DA, 1);
    vcpu_out(m->x, 0, 0x3C0, 1, 0x20); /* video on */
    uint32_t pixel = 0x00C0FFEE;
    assert_true(guest_write(m->x, PC_VRAM + (599 * 800 + 799) * 4, &pixel, sizeof(pixel)));
    int first = view(m, &width, &height), fd;
    free(picture(first, width, height));
    /* While somebody looks the screen follows the mode; who comes then is told its size. */
    while ((fd = view(m, &width, &height)) >= 0 && width != 800)
        close(fd);
    assert_int_equal(height, 600);
    uint32_t *p = picture(fd, width, height);
    assert_int_equal(p[599 * 800 + 799] & 0xFFFFFF, 0xC0FFEE);
    assert_int_equal(p[0] & 0xFFFFFF, 0);
    free(p);
    close(first);
    close(fd);
}

/* Sends a request; the answer up to the empty line. */
static int web_request(const char *request, char *answer, size_t size)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)web_port()),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    size_t have = 0;
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(write(fd, request, strlen(request)), strlen(request));
    memset(answer, 0, size);
    while (have < size - 1 && !strstr(answer, "\r\n\r\n"))
        get(fd, answer + have++, 1);
    return fd;
}

/* The web server's module works too with what rights are left: its thread, pages, WebSockets. */
static void browsers_are_served(void **state)
{
    struct machine *m = *state;
    char answer[2048];
    uint8_t hello[14];
    if (!has_web(m)) {
        print_message("skip: built without web.so\n");
        skip();
    }
    close(web_request("GET /vnc.html HTTP/1.1\r\nHost: x\r\n\r\n", answer, sizeof(answer)));
    assert_true(!strncmp(answer, "HTTP/1.1 200", 12) || !strncmp(answer, "HTTP/1.1 404", 12));
    int fd = web_request("GET /websockify HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                         "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                         answer, sizeof(answer));
    assert_memory_equal(answer, "HTTP/1.1 101", 12);
    get(fd, hello, sizeof(hello));
    assert_memory_equal(hello, "\x82\x0CRFB 003.008\n", sizeof(hello));
    close(fd);
    assert_false(xenstub_gone(m->x));
}

/* -vncviewer: on the socket, and with no descriptors of the device model's. */
static void a_viewer_is_started(void **state)
{
    struct machine *m = *state;
    char path[160], wanted[160], fds[32] = "", line[160] = "";
    bool whole = false;
    snprintf(path, sizeof(path), "%s/vncviewer.said", xenstub_dir(m->x));
    snprintf(wanted, sizeof(wanted), "%s/vnc\n", xenstub_dir(m->x));
    for (unsigned i = 0; i < START_MS && !whole; i++) {
        usleep(1000);
        FILE *f = fopen(path, "r");
        whole =
            f && fgets(fds, sizeof(fds), f) && fgets(line, sizeof(line), f) && strchr(line, '\n');
        if (f)
            fclose(f);
    }
    assert_true(whole);
    assert_string_equal(line, wanted);
    assert_in_range(atoi(fds), 3, 5); /* the standard three, and the shell's own */
}

static void keys_arrive(void **state)
{
    struct machine *m = *state;
    unsigned width, height;
    int fd = view(m, &width, &height);
    vcpu_out(m->x, 0, 0x64, 1, 0x60); /* i8042: translated, no interrupts */
    vcpu_out(m->x, 0, 0x60, 1, 0x40);
    press(m, fd, m->layout ? 0xF1 : 'o');
    /* Set 1: O is at 18h; a Latin American keyboard has n with tilde where the US one has ; (27h).
     */
    assert_int_equal(vcpu_in(m->x, 0, 0x60, 1), m->layout ? 0x27 : 0x18);
    close(fd);
}

static void a_layout_that_is_not_there_is_refused(void **state)
{
    struct machine *m = *state;
    char path[128], text[1024] = "";
    assert_true(xenstub_start(m->x, m->dm.argv));
    while (!xenstub_gone(m->x))
        usleep(1000);
    char *said = xenstub_xs_read(m->x, "/local/domain/0/device-model/7/state");
    assert_true(!said || strcmp(said, "running"));
    free(said);
    snprintf(path, sizeof(path), "%s/log", xenstub_dir(m->x));
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_true(fread(text, 1, sizeof(text) - 1, f) > 0);
    fclose(f);
    assert_non_null(strstr(text, "klingon"));
}

static int teardown_refused(void **state)
{
    struct machine *m = *state;
    int status = xenstub_end(m->x, 0, 5000);
    xenstub_free(m->x);
    free(m);
    return WIFEXITED(status) && WEXITSTATUS(status) == 1 ? 0 : -1;
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

/* Each of its threads, whenever it began, is without capabilities and behind the filter. */
static void every_thread_is_confined(void **state)
{
    struct machine *m = *state;
    char path[64], status[8192];
    unsigned threads = 0;
    glob_t found;

    snprintf(path, sizeof(path), "/proc/%d/task/*/status", (int)xenstub_pid(m->x));
    assert_int_equal(glob(path, 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        FILE *f = fopen(found.gl_pathv[i], "r");
        if (!f)
            continue; /* has ended */
        status[fread(status, 1, sizeof(status) - 1, f)] = 0;
        fclose(f);
        if (!strstr(status, "CapEff:\t0000000000000000\n") || !strstr(status, "Seccomp:\t2\n"))
            fail_msg("%s: %s", found.gl_pathv[i], status);
        threads++;
    }
    globfree(&found);
    assert_true(threads > 0);
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
        TEST(disk_strings_go_both_ways_up_and_down),
        TEST(byte_strings_go_both_ways_up_and_down),
        TEST(sectors_are_written_by_rep_outsw),
        TEST(dma_reads_and_writes),
        TEST(dma_marks_pages_dirty),
        TEST(reset_is_answered_before_it_is_told),
        TEST(ballooned_pages_come_back),
        TEST(video_memory_moves_with_its_bar),
        TEST(posted_writes_come_before_the_next_access),
        TEST(string_copies_reach_the_vga_window),
        TEST(copies_go_both_ways_up_and_down),
        TEST(the_serial_line_is_a_pty),
        TEST(the_time_offset_is_kept),
        TEST(pm1_control_powers_off),
        TEST(every_thread_is_confined),
        cmocka_unit_test_setup_teardown(the_screen_is_shown, setup_screen, teardown),
        cmocka_unit_test_setup_teardown(browsers_are_served, setup_web, teardown),
        cmocka_unit_test_setup_teardown(a_viewer_is_started, setup_viewer, teardown),
        cmocka_unit_test_setup_teardown(keys_arrive, setup_screen, teardown),
        cmocka_unit_test_setup_teardown(keys_arrive, setup_layout, teardown),
        cmocka_unit_test_setup_teardown(a_layout_that_is_not_there_is_refused, setup_no_layout,
                                        teardown_refused),
        cmocka_unit_test_setup_teardown(all_kinds_of_access_work, setup_restricted, teardown),
        cmocka_unit_test_setup_teardown(all_kinds_of_access_work, setup_unconfined, teardown),
        cmocka_unit_test_setup_teardown(all_kinds_of_access_work, setup_old, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
