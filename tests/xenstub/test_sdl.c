/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_sdl: the production binary with a window on an X server that is there (Xvfb), confined as
 * ever: pictures compared, keys and pointer read back where the guest would, and the server gone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xen/sched.h>

#include "desktop.h"
#include "dm.h"
#include "pc.h"

#define VGA      PC_DEVFN(DM_VGA_SLOT, 0)
#define RAM_MB   UINT64_C(48)
#define START_MS 20000
#define WAITS    500 /* of 20 ms */
#define WAIT_US  20000

struct machine {
    struct desktop desktop;
    struct xenstub *x;
    struct dm dm;
};

static void add(struct machine *m, const char *const *more)
{
    size_t n = 0;
    while (m->dm.argv[n])
        n++;
    while (*more)
        m->dm.argv[n++] = *more++;
}

static int start(void **state, bool manager, const char *resources, const char *const *more)
{
    struct xenstub_config config = {.domid = 7, .ram_bytes = RAM_MB << 20};
    struct machine *m = calloc(1, sizeof(*m));
    *state = m;
    if (desktop_missing())
        return 0;
    if (!desktop_open(&m->desktop, manager, resources))
        return -1;
    m->x = xenstub_new(&config);
    if (!m->x || !dm_init(&m->dm, DM_OURS, m->x, RAM_MB) || !dm_make_image(&m->dm, 1 << 20))
        return -1;
    add(m, more);
    if (!dm_start(&m->dm, m->x, START_MS))
        return -1;
    pc_setup(m->x, VGA);
    return 0;
}

static int setup(void **state)
{
    static const char *const more[] = {"-display", "sdl,gl=on", NULL};
    return start(state, false, NULL, more);
}

static int teardown(void **state)
{
    struct machine *m = *state;
    int status = 0;
    if (m->x) {
        status = xenstub_end(m->x, SIGHUP, 10000);
        if (!WIFEXITED(status) || WEXITSTATUS(status)) {
            fprintf(stderr, "ended with status %#x\n", (unsigned)status);
            dm_show_log(m->x);
        }
        xenstub_free(m->x);
    }
    desktop_close(&m->desktop);
    free(m);
    return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -1;
}

static struct machine *ready(void **state)
{
    struct machine *m = *state;
    if (!m->x) {
        print_message("skip: test_sdl: %s is not installed\n", desktop_missing());
        skip();
    }
    if (!desktop_find(&m->desktop, "hvm-dm")) {
        dm_show_log(m->x);
        fail_msg("there is no window");
    }
    return m;
}

/* ---- The guest's side ---- */

static uint32_t pattern(int x, int y)
{
    return (uint32_t)((x * 5 & 0xFF) << 16 | (y * 3 & 0xFF) << 8 | ((x ^ y) & 0xFF));
}

static void draw(struct machine *m, int width, int height)
{
    const uint16_t mode[][2] = {
        {4, 0}, {1, (uint16_t)width}, {2, (uint16_t)height}, {3, 32}, {4, 0x41}};
    uint32_t *line = calloc((size_t)width, sizeof(*line));
    for (unsigned i = 0; i < sizeof(mode) / sizeof(mode[0]); i++) {
        vcpu_out(m->x, 0, 0x1CE, 2, mode[i][0]);
        vcpu_out(m->x, 0, 0x1CF, 2, mode[i][1]);
    }
    vcpu_in(m->x, 0, 0x3DA, 1);
    vcpu_out(m->x, 0, 0x3C0, 1, 0x20); /* video on */
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++)
            line[x] = pattern(x, y);
        assert_true(guest_write(m->x, PC_VRAM + (uint64_t)y * (uint64_t)width * 4, line,
                                (size_t)width * 4));
    }
    free(line);
}

/* Whether all of the guest's screen is in the window at left, top, each pixel `zoom` large. */
static bool is_shown(struct machine *m, int width, int height, int left, int top, int zoom)
{
    uint8_t *p = desktop_picture(&m->desktop);
    bool same =
        p && m->desktop.width >= left + width * zoom && m->desktop.height >= top + height * zoom;
    for (int y = 0; same && y < height * zoom; y++)
        for (int x = 0; same && x < width * zoom; x++) {
            const uint8_t *at = p + 3 * ((y + top) * m->desktop.width + x + left);
            same = (uint32_t)(at[0] << 16 | at[1] << 8 | at[2]) == pattern(x / zoom, y / zoom);
        }
    free(p);
    return same;
}

static void expect_shown(struct machine *m, int width, int height, int left, int top, int zoom)
{
    for (unsigned i = 0; i < 100; i++, usleep(WAIT_US))
        if (is_shown(m, width, height, left, top, zoom))
            return;
    fail_msg("the window (%dx%d) does not show the screen", m->desktop.width, m->desktop.height);
}

/* The next byte of keyboard or (aux) mouse; -1: none came. */
static int next_byte(struct machine *m, bool aux)
{
    for (unsigned i = 0; i < WAITS; i++, usleep(WAIT_US)) {
        uint32_t status = vcpu_in(m->x, 0, 0x64, 1);
        if (!(status & 1))
            continue;
        int byte = (int)vcpu_in(m->x, 0, 0x60, 1);
        if (!(status & 0x20) == !aux)
            return byte;
    }
    return -1;
}

static void enable_keyboard(struct machine *m)
{
    vcpu_out(m->x, 0, 0x64, 1, 0x60); /* i8042: translated, no interrupts */
    vcpu_out(m->x, 0, 0x60, 1, 0x40);
}

static void enable_mouse(struct machine *m)
{
    /* Set sample rate 200, 100, 80: a wheel; then report. */
    static const uint8_t commands[] = {0xF3, 200, 0xF3, 100, 0xF3, 80, 0xF2, 0xF4};
    for (unsigned i = 0; i < sizeof(commands); i++) {
        vcpu_out(m->x, 0, 0x64, 1, 0xD4);
        vcpu_out(m->x, 0, 0x60, 1, commands[i]);
        assert_int_equal(next_byte(m, true), 0xFA);
        if (commands[i] == 0xF2)
            assert_int_equal(next_byte(m, true), 3);
    }
}

struct moved {
    int x, y, wheel;
    unsigned buttons;
};

static void next_packet(struct machine *m, struct moved *sum)
{
    int b[4];
    for (unsigned i = 0; i < 4; i++) {
        b[i] = next_byte(m, true);
        assert_true(b[i] >= 0);
    }
    sum->x += b[1] - (b[0] & 0x10 ? 256 : 0);
    sum->y -= b[2] - (b[0] & 0x20 ? 256 : 0);
    sum->wheel -= (int8_t)b[3];
    sum->buttons = b[0] & 7;
}

static void focus(struct machine *m)
{
    desktop_do(&m->desktop, "windowfocus --sync %s", m->desktop.window);
}

/* ---- Tests ---- */

static void the_screen_is_in_the_window(void **state)
{
    struct machine *m = ready(state);
    char *title = desktop_title(&m->desktop);
    assert_string_equal(title, "hvm-dm (stub)");
    free(title);
    draw(m, 800, 600);
    assert_true(desktop_wait_size(&m->desktop, 800, 600));
    expect_shown(m, 800, 600, 0, 0, 1);
    draw(m, 640, 400);
    assert_true(desktop_wait_size(&m->desktop, 640, 400));
    expect_shown(m, 640, 400, 0, 0, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_screen_is_in_the_window, setup, teardown),
    };
    (void)focus, (void)enable_keyboard, (void)enable_mouse, (void)next_packet;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
