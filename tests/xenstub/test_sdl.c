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
    bool ended; /* by the test */
};

static int start(void **state, bool manager, const char *resources, const char *const *more)
{
    struct xenstub_config config = {.domid = 7, .ram_bytes = RAM_MB << 20};
    struct machine *m = calloc(1, sizeof(*m));
    *state = m;
    if (desktop_missing())
        return 0;
    manager = manager && desktop_has("openbox");
    if (!desktop_open(&m->desktop, manager, resources))
        return -1;
    m->x = xenstub_new(&config);
    if (!m->x || !dm_init(&m->dm, DM_OURS, m->x, RAM_MB) || !dm_make_image(&m->dm, 1 << 20))
        return -1;
    dm_add(&m->dm, more);
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

static int setup_restricted(void **state)
{
    static char dir[] = "/tmp/hvm-dm-sdl.XXXXXX";
    const char *const more[] = {"-sdl",   "-xen-domid-restrict", "-chroot", dir,
                                "-runas", "65534:65534",         NULL};
    if (!mkdtemp(dir))
        return -1;
    int rc = start(state, false, NULL, more);
    rmdir(dir); /* it is the process's root still */
    return rc;
}

static int setup_unconfined(void **state)
{
    static const char *const more[] = {"-sdl", "-sandbox", "off", NULL};
    return start(state, false, NULL, more);
}

static int setup_dense(void **state)
{
    static const char *const more[] = {"-sdl", NULL};
    return start(state, false, "Xft.dpi:\t192\n", more);
}

static int setup_managed(void **state)
{
    static const char *const more[] = {"-sdl", NULL};
    return start(state, true, NULL, more);
}

static int setup_full(void **state)
{
    static const char *const more[] = {"-sdl", "-full-screen", NULL};
    return start(state, true, NULL, more);
}

static int setup_no_close(void **state)
{
    static const char *const more[] = {"-display", "sdl,window-close=off", NULL};
    return start(state, false, NULL, more);
}

static struct machine *without_desktop(void **state, const char *const *more)
{
    struct xenstub_config config = {.domid = 7, .ram_bytes = RAM_MB << 20};
    struct machine *m = calloc(1, sizeof(*m));
    *state = m;
    m->x = xenstub_new(&config);
    if (!m->x || !dm_init(&m->dm, DM_OURS, m->x, RAM_MB) || !dm_make_image(&m->dm, 1 << 20))
        return NULL;
    dm_add(&m->dm, more);
    return m;
}

static int setup_no_window(void **state)
{
    static const char *const none[] = {NULL};
    struct machine *m = without_desktop(state, none);
    return m && dm_start(&m->dm, m->x, START_MS) ? 0 : -1;
}

static int setup_no_server(void **state)
{
    static const char *const more[] = {"-display", "sdl", NULL};
    setenv("DISPLAY", ":4711", 1);
    return without_desktop(state, more) ? 0 : -1;
}

static int teardown_refused(void **state)
{
    struct machine *m = *state;
    int status = xenstub_end(m->x, 0, 5000);
    unsetenv("DISPLAY");
    xenstub_free(m->x);
    free(m);
    return WIFEXITED(status) && WEXITSTATUS(status) == 1 ? 0 : -1;
}

static int teardown(void **state)
{
    struct machine *m = *state;
    int status = 0;
    if (m->x && !m->ended) {
        status = xenstub_end(m->x, SIGHUP, 10000);
        if (!WIFEXITED(status) || WEXITSTATUS(status)) {
            fprintf(stderr, "ended with status %#x\n", (unsigned)status);
            dm_show_log(m->x);
        }
    }
    if (m->x)
        xenstub_free(m->x);
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

/* With a window manager. */
static struct machine *managed(void **state)
{
    struct machine *m = *state;
    if (m->x && !m->desktop.manager) {
        print_message("skip: test_sdl: openbox is not installed\n");
        skip();
    }
    return ready(state);
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

/* Until the title has that, or (NULL) is the plain one. */
static bool wait_title(struct machine *m, const char *part)
{
    bool found = false;
    for (unsigned i = 0; i < WAITS && !found; i++, usleep(WAIT_US)) {
        char *title = desktop_title(&m->desktop);
        found = title && (part ? strstr(title, part) != NULL : !strcmp(title, "hvm-dm (stub)"));
        free(title);
    }
    return found;
}

/* The panel's frame, and the guest's screen around it. */
static void expect_question(struct machine *m, bool there)
{
    const unsigned edge = 0xC0C0C0;
    for (unsigned i = 0; i < WAITS; i++, usleep(WAIT_US)) {
        uint8_t *p = desktop_picture(&m->desktop);
        size_t at = p ? (size_t)(((m->desktop.height - 112) / 2) * m->desktop.width +
                                 m->desktop.width / 2) *
                            3
                      : 0;
        bool is = p && (unsigned)(p[at] << 16 | p[at + 1] << 8 | p[at + 2]) == edge;
        bool around = p && (uint32_t)(p[0] << 16 | p[1] << 8 | p[2]) == pattern(0, 0);
        free(p);
        if (is == there && around)
            return;
    }
    fail_msg("the question is %sthere", there ? "not " : "");
}

static unsigned threads(struct machine *m)
{
    char path[64], line[128];
    unsigned n = 0;
    snprintf(path, sizeof(path), "/proc/%d/status", (int)xenstub_pid(m->x));
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof(line), f))
        sscanf(line, "Threads: %u", &n);
    if (f)
        fclose(f);
    return n;
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

/* Each key by its position, whatever the layout of the X server's keyboard. */
static void keys_arrive_by_position(void **state)
{
    static const struct {
        uint8_t key; /* KEY_*: X's code is 8 more */
        uint8_t set1[2];
    } keys[] = {
        {1, {0x01}},         {2, {0x02}},         {11, {0x0B}},        {12, {0x0C}},
        {14, {0x0E}},        {15, {0x0F}},        {16, {0x10}},        {28, {0x1C}},
        {29, {0x1D}},        {30, {0x1E}},        {41, {0x29}},        {42, {0x2A}},
        {43, {0x2B}},        {44, {0x2C}},        {54, {0x36}},        {55, {0x37}},
        {56, {0x38}},        {57, {0x39}},        {58, {0x3A}},        {59, {0x3B}},
        {68, {0x44}},        {69, {0x45}},        {70, {0x46}},        {71, {0x47}},
        {83, {0x53}},        {86, {0x56}},        {87, {0x57}},        {88, {0x58}},
        {96, {0xE0, 0x1C}},  {97, {0xE0, 0x1D}},  {98, {0xE0, 0x35}},  {100, {0xE0, 0x38}},
        {102, {0xE0, 0x47}}, {103, {0xE0, 0x48}}, {105, {0xE0, 0x4B}}, {106, {0xE0, 0x4D}},
        {107, {0xE0, 0x4F}}, {109, {0xE0, 0x51}}, {110, {0xE0, 0x52}}, {111, {0xE0, 0x53}},
        {125, {0xE0, 0x5B}}, {126, {0xE0, 0x5C}}, {127, {0xE0, 0x5D}},
    };
    struct machine *m = ready(state);
    enable_keyboard(m);
    focus(m);
    for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (keys[i].key == 1) /* 9 would be the digit to xdotool */
            desktop_do(&m->desktop, "key Escape");
        else
            desktop_do(&m->desktop, "key %d", keys[i].key + 8);
        for (unsigned up = 0; up < 2; up++) {
            int want = keys[i].set1[0], got = next_byte(m, false);
            if (want == 0xE0) {
                assert_int_equal(got, 0xE0);
                want = keys[i].set1[1];
                got = next_byte(m, false);
            }
            assert_int_equal(got, want | (up ? 0x80 : 0));
        }
    }
}

/* A key that is held when the window is left is not held in the guest. */
static void leaving_the_window_releases_keys(void **state)
{
    struct machine *m = ready(state);
    enable_keyboard(m);
    focus(m);
    desktop_do(&m->desktop, "keydown a");
    assert_int_equal(next_byte(m, false), 0x1E);
    /* The focus goes to nobody's window: the server's own root. */
    desktop_focus_nothing(&m->desktop);
    int byte;
    while ((byte = next_byte(m, false)) == 0x1E) /* it repeats */
        ;
    assert_int_equal(byte, 0x9E);
    desktop_do(&m->desktop, "keyup a");
}

static void a_mouse_is_grabbed_and_released(void **state)
{
    struct machine *m = ready(state);
    struct moved sum = {0};
    draw(m, 800, 600);
    assert_true(desktop_wait_size(&m->desktop, 800, 600));
    enable_keyboard(m);
    enable_mouse(m);
    focus(m);
    /* Until a click the pointer is the desktop's; the click is not the guest's. */
    desktop_do(&m->desktop, "mousemove --window %s 100 100", m->desktop.window);
    desktop_do(&m->desktop, "mousemove --window %s 300 200 click 1", m->desktop.window);
    assert_true(wait_title(m, "releases the pointer"));
    desktop_do(&m->desktop, "mousemove_relative -- 7 5");
    while (sum.x != 7 || sum.y != 5)
        next_packet(m, &sum);
    desktop_do(&m->desktop, "mousemove_relative -- -20 -30");
    while (sum.x != -13 || sum.y != -25)
        next_packet(m, &sum);
    assert_int_equal(sum.buttons, 0);
    desktop_do(&m->desktop, "mousedown 3");
    while (sum.buttons != 2)
        next_packet(m, &sum);
    desktop_do(&m->desktop, "mouseup 3");
    while (sum.buttons)
        next_packet(m, &sum);
    desktop_do(&m->desktop, "click 4 click 4");
    while (sum.wheel != 2)
        next_packet(m, &sum);
    desktop_do(&m->desktop, "click 5");
    while (sum.wheel != 1)
        next_packet(m, &sum);
    /* Ctrl+Alt alone gives it back, and so does Ctrl+Alt+G, which also takes it. */
    desktop_do(&m->desktop, "keydown ctrl keydown alt keyup alt keyup ctrl");
    assert_true(wait_title(m, NULL));
    desktop_do(&m->desktop, "keydown ctrl keydown alt key g keyup alt keyup ctrl");
    assert_true(wait_title(m, "releases the pointer"));
    desktop_do(&m->desktop, "keydown ctrl keydown alt key g keyup alt keyup ctrl");
    assert_true(wait_title(m, NULL));
    /* The guest has seen the modifiers, and no G. */
    for (unsigned i = 0; i < 3 * 4; i++) {
        int byte = next_byte(m, false);
        assert_int_not_equal(byte & 0x7F, 0x22);
    }
}

static void the_window_is_scaled(void **state)
{
    struct machine *m = ready(state);
    draw(m, 320, 240);
    assert_true(desktop_wait_size(&m->desktop, 320, 240));
    focus(m);
    /* Three times as wide, with bars beside: every pixel a square. */
    desktop_do(&m->desktop, "windowsize %s 960 480", m->desktop.window);
    assert_true(desktop_wait_size(&m->desktop, 960, 480));
    expect_shown(m, 320, 240, 160, 0, 2);
    uint8_t *p = desktop_picture(&m->desktop);
    assert_non_null(p);
    assert_int_equal(p[0] | p[1] | p[2], 0);
    free(p);
    /* A size that was chosen stays when the guest's changes. */
    draw(m, 480, 240);
    expect_shown(m, 480, 240, 0, 0, 2);
    desktop_do(&m->desktop, "keydown ctrl keydown alt key u keyup alt keyup ctrl");
    assert_true(desktop_wait_size(&m->desktop, 480, 240));
    expect_shown(m, 480, 240, 0, 0, 1);
    desktop_do(&m->desktop, "keydown ctrl keydown alt key equal keyup alt keyup ctrl");
    assert_true(desktop_wait_size(&m->desktop, 600, 300));
    desktop_do(&m->desktop, "keydown ctrl keydown alt key minus keyup alt keyup ctrl");
    assert_true(desktop_wait_size(&m->desktop, 480, 240));
}

/* Twice the dots an inch: twice as large. */
static void a_dense_desktop_has_a_larger_window(void **state)
{
    struct machine *m = ready(state);
    draw(m, 400, 300);
    assert_true(desktop_wait_size(&m->desktop, 800, 600));
    expect_shown(m, 400, 300, 0, 0, 2);
}

static void the_screen_is_full(void **state)
{
    struct machine *m = managed(state);
    draw(m, 640, 512);
    assert_true(desktop_wait_size(&m->desktop, 640, 512));
    focus(m);
    desktop_do(&m->desktop, "keydown ctrl keydown alt key f keyup alt keyup ctrl");
    assert_true(desktop_wait_size(&m->desktop, 1280, 1024));
    expect_shown(m, 640, 512, 0, 0, 2);
    assert_true(wait_title(m, "releases the pointer"));
    desktop_do(&m->desktop, "keydown ctrl keydown alt key f keyup alt keyup ctrl");
    assert_true(desktop_wait_size(&m->desktop, 640, 512));
    expect_shown(m, 640, 512, 0, 0, 1);
    assert_true(wait_title(m, NULL));
}

static void it_starts_with_a_full_screen(void **state)
{
    struct machine *m = managed(state);
    assert_true(desktop_wait_size(&m->desktop, 1280, 1024));
    draw(m, 640, 512);
    expect_shown(m, 640, 512, 0, 0, 2);
}

static void closing_asks_first(void **state)
{
    struct machine *m = ready(state);
    draw(m, 640, 480);
    assert_true(desktop_wait_size(&m->desktop, 640, 480));
    expect_shown(m, 640, 480, 0, 0, 1);
    focus(m);
    desktop_close_window(&m->desktop);
    expect_question(m, true);
    desktop_do(&m->desktop, "key n");
    expect_shown(m, 640, 480, 0, 0, 1);
    desktop_close_window(&m->desktop);
    expect_question(m, true);
    desktop_do(&m->desktop, "mousemove --window %s 416 262 click 1", m->desktop.window); /* No */
    expect_shown(m, 640, 480, 0, 0, 1);
    assert_int_equal(vcpu_in(m->x, 0, 0x64, 1) & 1, 0); /* none of it was the guest's */
    assert_int_equal(xenstub_shm(m->x)->shutdown, 0);
    desktop_close_window(&m->desktop);
    expect_question(m, true);
    desktop_do(&m->desktop, "key y");
    assert_true(xenstub_wait_shutdown(m->x, SHUTDOWN_poweroff, 5000));
    assert_false(xenstub_gone(m->x)); /* -no-shutdown: the toolstack ends us */
}

static void the_close_button_can_be_off(void **state)
{
    struct machine *m = ready(state);
    draw(m, 640, 480);
    expect_shown(m, 640, 480, 0, 0, 1);
    focus(m);
    desktop_close_window(&m->desktop);
    enable_keyboard(m);
    desktop_do(&m->desktop, "key a");
    assert_int_equal(next_byte(m, false), 0x1E); /* after the close */
    expect_shown(m, 640, 480, 0, 0, 1);
}

static void the_guest_outlives_the_x_server(void **state)
{
    struct machine *m = ready(state);
    draw(m, 800, 600);
    expect_shown(m, 800, 600, 0, 0, 1);
    desktop_kill(&m->desktop);
    for (unsigned i = 0; i < WAITS && threads(m) != 1; i++)
        usleep(WAIT_US);
    assert_int_equal(threads(m), 1);
    assert_false(xenstub_gone(m->x));
    draw(m, 640, 480);
    vcpu_out(m->x, 0, 0x3FF, 1, 0x5A);
    assert_int_equal(vcpu_in(m->x, 0, 0x3FF, 1), 0x5A);
}

/* An X server that stands still holds up the window, and neither the guest nor the end. */
static void a_stopped_x_server_holds_nobody_up(void **state)
{
    struct machine *m = ready(state);
    draw(m, 800, 600);
    expect_shown(m, 800, 600, 0, 0, 1);
    kill(m->desktop.server, SIGSTOP);
    for (unsigned i = 0; i < 20; i++) {
        draw(m, 800, 600 - (int)i);
        vcpu_out(m->x, 0, 0x3FF, 1, (uint8_t)i);
        assert_int_equal(vcpu_in(m->x, 0, 0x3FF, 1), i);
    }
    int status = xenstub_end(m->x, SIGHUP, 10000);
    m->ended = true;
    kill(m->desktop.server, SIGCONT);
    assert_true(WIFEXITED(status) && !WEXITSTATUS(status));
}

static void nothing_is_mapped_without_a_window(void **state)
{
    struct machine *m = *state;
    static const char *const foreign[] = {"SDL", "libX", "libxcb", "wayland", "sdl.so", "pulse"};
    char path[64], line[512];
    snprintf(path, sizeof(path), "/proc/%d/maps", (int)xenstub_pid(m->x));
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    unsigned lines = 0;
    for (; fgets(line, sizeof(line), f); lines++)
        for (unsigned i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
            if (strstr(line, foreign[i]))
                fail_msg("mapped: %s", line);
    fclose(f);
    assert_true(lines > 10);
}

static void without_an_x_server_it_does_not_start(void **state)
{
    struct machine *m = *state;
    char path[128], text[1024] = "";
    assert_true(xenstub_start(m->x, m->dm.argv));
    while (!xenstub_gone(m->x))
        usleep(1000);
    snprintf(path, sizeof(path), "%s/log", xenstub_dir(m->x));
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_true(fread(text, 1, sizeof(text) - 1, f) > 0);
    fclose(f);
    assert_non_null(strstr(text, "error: -display sdl: no X server shows it (DISPLAY=:4711)"));
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

#define TEST(f, s) cmocka_unit_test_setup_teardown(f, s, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_screen_is_in_the_window, setup),
        TEST(the_screen_is_in_the_window, setup_restricted),
        TEST(the_screen_is_in_the_window, setup_unconfined),
        TEST(keys_arrive_by_position, setup),
        TEST(leaving_the_window_releases_keys, setup),
        TEST(a_mouse_is_grabbed_and_released, setup),
        TEST(the_window_is_scaled, setup),
        TEST(a_dense_desktop_has_a_larger_window, setup_dense),
        TEST(the_screen_is_full, setup_managed),
        TEST(it_starts_with_a_full_screen, setup_full),
        TEST(closing_asks_first, setup),
        TEST(the_close_button_can_be_off, setup_no_close),
        TEST(the_guest_outlives_the_x_server, setup),
        TEST(a_stopped_x_server_holds_nobody_up, setup),
        TEST(nothing_is_mapped_without_a_window, setup_no_window),
        cmocka_unit_test_setup_teardown(without_an_x_server_it_does_not_start, setup_no_server,
                                        teardown_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
