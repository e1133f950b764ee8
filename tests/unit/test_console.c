/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_console: text consoles beside a guest's screen: shown, typed at, written to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <linux/input-event-codes.h>

#include "hw/core/clock.h"
#include "hw/core/loop.h"
#include "ui/console.h"
#include "ui/display.h"
#include "ui/font.h"
#include "ui/input.h"

struct user {
    char got[8192];
    size_t len, room;
    unsigned writables;
};

static struct loop *loop;
static struct display *display;
static struct input *input;
static struct consoles *consoles;
static struct chardev *monitor, *serial;
static struct user monitor_user, serial_user;

static size_t user_room(void *opaque)
{
    return ((struct user *)opaque)->room;
}

static void user_receive(void *opaque, const uint8_t *buf, size_t len)
{
    struct user *u = opaque;
    assert_true(len <= u->room && u->len + len < sizeof(u->got));
    memcpy(u->got + u->len, buf, len);
    u->len += len;
    u->got[u->len] = '\0';
    u->room -= len;
}

static void user_writable(void *opaque)
{
    ((struct user *)opaque)->writables++;
}

static const struct chardev_user user = {
    .room = user_room, .receive = user_receive, .writable = user_writable};

/* The guest: its screen, and what its keyboard gets. */
static unsigned guest_refreshes, guest_keys;
static bool guest_watched;

static void guest_refresh(void *opaque, struct display *d, bool full)
{
    (void)opaque, (void)full;
    guest_refreshes++;
    display_resize(d, 320, 200);
}

static void guest_watch(void *opaque, bool watched)
{
    (void)opaque;
    guest_watched = watched;
}

static void guest_key(void *opaque, unsigned code, bool down)
{
    (void)opaque, (void)code, (void)down;
    guest_keys++;
}

static const struct display_source guest = {.refresh = guest_refresh, .watched = guest_watch};
static const struct input_keyboard keyboard = {.key = guest_key};

static unsigned damages;

static void on_damaged(void *opaque, const struct surface *s, const struct display_damage *d)
{
    (void)opaque, (void)s, (void)d;
    damages++;
}

static void on_resized(void *opaque, const struct surface *s)
{
    (void)opaque, (void)s;
}

static struct display_viewer viewer;

static int setup(void **state)
{
    struct err err;
    (void)state;
    loop = loop_new(&err);
    display = display_new(loop_clock(loop));
    input = input_new();
    consoles = consoles_new(loop, display, input);
    monitor = console_open(consoles, "compat_monitor0", true, 0, 0, &err);
    serial = console_open(consoles, "serial0", false, 100, 10, &err);
    assert_true(consoles && monitor && serial);
    monitor_user = serial_user = (struct user){.room = SIZE_MAX};
    chardev_set_user(monitor, &user, &monitor_user);
    chardev_set_user(serial, &user, &serial_user);
    display_set_source(display, &guest, NULL);
    input_set_keyboard(input, &keyboard);
    viewer = (struct display_viewer){.resized = on_resized, .damaged = on_damaged};
    display_add_viewer(display, &viewer);
    guest_keys = damages = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    display_remove_viewer(display, &viewer);
    chardev_close(monitor);
    chardev_close(serial);
    consoles_free(consoles);
    input_free(input);
    display_free(display);
    loop_free(loop);
    return 0;
}

static void press(unsigned code)
{
    input_key(input, code, true);
    input_key(input, code, false);
}

static void chord(unsigned digit)
{
    input_key(input, KEY_LEFTCTRL, true);
    input_key(input, KEY_LEFTALT, true);
    press(digit);
    input_key(input, KEY_LEFTALT, false);
    input_key(input, KEY_LEFTCTRL, false);
}

static size_t say(struct chardev *c, const char *text)
{
    return chardev_write(c, (const uint8_t *)text, strlen(text));
}

static void got(struct user *u, const char *text)
{
    assert_int_equal(u->len, strlen(text));
    assert_memory_equal(u->got, text, u->len);
    u->len = 0;
}

static bool shows(int row, int col, char c)
{
    const struct surface *s = display_surface(display);
    const uint8_t *glyph = font_glyph((uint8_t)c);
    for (int y = 0; y < FONT_HEIGHT; y++)
        for (int x = 0; x < FONT_WIDTH; x++) {
            uint32_t p = s->pixels[(row * FONT_HEIGHT + y) * s->width + col * FONT_WIDTH + x];
            if ((p & 0xFFFFFF) != (glyph[y] >> (7 - x) & 1 ? 0xAAAAAA : 0))
                return false;
        }
    return true;
}

static void selection(void **state)
{
    (void)state;
    display_viewer_wants(display, &viewer, true);
    assert_int_equal(consoles_shown(consoles), CONSOLE_SCREEN);
    chord(KEY_2);
    assert_int_equal(consoles_shown(consoles), CONSOLE_MONITOR);
    assert_false(guest_watched);
    display_refresh_now(display);
    assert_int_equal(display_surface(display)->width, 80 * FONT_WIDTH);
    assert_int_equal(display_surface(display)->height, 24 * FONT_HEIGHT);
    chord(KEY_3);
    assert_int_equal(consoles_shown(consoles), CONSOLE_LINES);
    display_refresh_now(display);
    assert_int_equal(display_surface(display)->width, 100 * FONT_WIDTH);
    chord(KEY_4); /* there is none */
    assert_int_equal(consoles_shown(consoles), CONSOLE_LINES);
    assert_false(consoles_show(consoles, 0));
    assert_false(consoles_show(consoles, 10));
    chord(KEY_1);
    assert_int_equal(consoles_shown(consoles), CONSOLE_SCREEN);
    assert_true(guest_watched);
    display_refresh_now(display);
    assert_int_equal(display_surface(display)->width, 320);
}

static void typing(void **state)
{
    (void)state;
    press(KEY_A);
    assert_int_equal(guest_keys, 2);
    input_character(input, 'a');
    chord(KEY_3);
    guest_keys = 0;
    press(KEY_L);
    input_character(input, 'l');
    press(KEY_ENTER);
    input_key(input, KEY_RIGHTCTRL, true);
    press(KEY_C);
    input_character(input, 'c');
    input_key(input, KEY_RIGHTCTRL, false);
    /* AltGr, sent as Ctrl+Alt Gr, types a character. */
    input_key(input, KEY_LEFTCTRL, true);
    input_key(input, KEY_RIGHTALT, true);
    input_character(input, '@');
    input_release_all(input);
    assert_int_equal(guest_keys, 0);
    got(&serial_user, "l\r\003@");
    got(&monitor_user, "");
    chord(KEY_2);
    input_character(input, 'q');
    got(&monitor_user, "q");
    /* A device without room gets it later; too much of it is lost. */
    monitor_user.room = 1;
    input_character(input, 'x');
    input_character(input, 'y');
    got(&monitor_user, "x");
    monitor_user.room = 5;
    chardev_accept_input(monitor);
    got(&monitor_user, "y");
    monitor_user.room = 0;
    for (unsigned i = 0; i < 10000; i++)
        input_character(input, 'z');
    monitor_user.room = SIZE_MAX;
    chardev_accept_input(monitor);
    assert_in_range(monitor_user.len, 1000, 5000);
}

static void writing(void **state)
{
    (void)state;
    display_viewer_wants(display, &viewer, true);
    assert_string_equal(chardev_filename(serial), "vc");
    assert_int_equal(say(serial, "login: "), 7);
    loop_turn(loop, 0);
    chord(KEY_3);
    display_refresh_now(display);
    assert_true(shows(0, 0, 'l') && shows(0, 4, 'n'));
    /* A viewer goes and another comes: it sees the same. */
    display_remove_viewer(display, &viewer);
    say(serial, "root");
    loop_turn(loop, 0);
    damages = 0;
    viewer.wants_updates = false;
    display_add_viewer(display, &viewer);
    display_viewer_wants(display, &viewer, true);
    assert_true(shows(0, 0, 'l') && shows(0, 7, 'r'));
    assert_int_equal(damages, 1);
    /* What the device asks of the terminal is answered. */
    say(serial, "\033[6n");
    loop_turn(loop, 0);
    got(&serial_user, "\033[1;12R");
    /* A flood: a piece in each round, and the device waits for its turn. */
    static char flood[3 * 8192];
    memset(flood, 'f', sizeof(flood) - 1);
    size_t taken = say(serial, flood);
    assert_in_range(taken, 4096, sizeof(flood) / 2);
    assert_int_equal(say(serial, "x"), 0);
    assert_int_equal(serial_user.writables, 0);
    loop_turn(loop, 0);
    assert_int_equal(serial_user.writables, 1);
    assert_int_equal(say(serial, "x"), 1);
    while (loop_pending(loop))
        loop_turn(loop, 0);
    display_refresh_now(display);
    assert_true(shows(1, 1, 'f'));
}

/* With nothing to do the loop sleeps, also while a console is shown and somebody looks at it. */
static void idle(void **state)
{
    (void)state;
    display_viewer_wants(display, &viewer, true);
    say(serial, "x");
    chord(KEY_3);
    for (unsigned i = 0; i < 5; i++)
        loop_turn(loop, 50 * NS_PER_MS);
    assert_int_equal(clock_deadline(loop_clock(loop)), CLOCK_NEVER);
    assert_false(loop_pending(loop));
    say(serial, "y");
    loop_turn(loop, 0);
    assert_true(clock_deadline(loop_clock(loop)) != CLOCK_NEVER);
    chord(KEY_2);
    for (unsigned i = 0; i < 5; i++)
        loop_turn(loop, 50 * NS_PER_MS);
    say(serial, "not shown");
    loop_turn(loop, 0);
    assert_int_equal(clock_deadline(loop_clock(loop)), CLOCK_NEVER);
}

static void coming_and_going(void **state)
{
    (void)state;
    struct err err;
    struct chardev *more[CONSOLE_MAX];
    unsigned n = 0;
    assert_null(console_open(consoles, "second", true, 0, 0, &err));
    assert_non_null(strstr(err.text, "second"));
    while (n < CONSOLE_MAX && (more[n] = console_open(consoles, "line", false, 9999, 1, &err)))
        n++;
    assert_int_equal(n, CONSOLE_MAX - CONSOLE_LINES);
    chord(KEY_9);
    assert_int_equal(consoles_shown(consoles), 9);
    display_refresh_now(display);
    assert_int_equal(display_surface(display)->width,
                     256 * FONT_WIDTH); /* no more than there can be */
    while (n)
        chardev_close(more[--n]);
    assert_int_equal(consoles_shown(consoles), CONSOLE_SCREEN); /* what is shown went */
    assert_false(input_to_console(input));
    chardev_close(monitor);
    say(serial, "left over");
    chardev_close(serial);
    loop_turn(loop, 0);
    monitor = serial = NULL;
    /* With nothing but the guest's screen the keys are the guest's, all of them. */
    guest_keys = 0;
    chord(KEY_1);
    assert_int_equal(guest_keys, 6);
}

static void wheel_and_history(void **state)
{
    (void)state;
    for (char c = 'a'; c <= 'z'; c++) {
        const char line[] = {c, '\r', '\n', 0};
        say(serial, line);
    }
    while (loop_pending(loop))
        loop_turn(loop, 0);
    chord(KEY_3);
    display_refresh_now(display);
    assert_true(shows(0, 0, 'r'));
    input_pointer_at(input, 1, 1, 100, 100, 2, 0);
    display_refresh_now(display);
    assert_true(shows(0, 0, 'l'));
    input_pointer_at(input, 1, 1, 100, 100, INT32_MAX, 0);
    input_pointer_at(input, 1, 1, 100, 100, INT32_MIN, 0);
    display_refresh_now(display);
    assert_true(shows(0, 0, 'r'));
    input_key(input, KEY_LEFTSHIFT, true);
    press(KEY_PAGEUP);
    input_key(input, KEY_LEFTSHIFT, false);
    display_refresh_now(display);
    assert_true(shows(0, 0, 'm'));
    got(&serial_user, "");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(selection), TEST(typing),           TEST(writing),
        TEST(idle),      TEST(coming_and_going), TEST(wheel_and_history),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
