/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_sdl_window: the SDL window on an X server that is there (Xvfb), between a display, an input
 * and a loop of the test's own: what the pointer and the keyboard of a person become. The whole
 * program with a window: tests/xenstub/test_sdl.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <linux/input-event-codes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hw/core/loop.h"
#include "tests/xenstub/desktop.h"
#include "toolstack/config.h"
#include "ui/display.h"
#include "ui/input.h"
#include "ui/sdl.h"
#include "ui/sdl_internal.h"

#define PATIENCE (10 * NS_PER_S)
#define LOOK     (5 * NS_PER_MS)
#define MAX      4096

struct move {
    int x, y, wheel;
    unsigned buttons;
};

struct rig {
    struct desktop desktop;
    struct loop *loop;
    struct display *display;
    struct input *input;
    struct config_sdl options;
    struct sdl *sdl;
    struct input_keyboard keyboard;
    struct input_pointer mouse, tablet;
    struct input_console console;

    int width, height;
    unsigned seed;
    bool drawn, watched;
    unsigned keys[MAX], key_count; /* code, and 0x1000 for a release */
    struct move moves[MAX];
    unsigned move_count;
    uint32_t characters[MAX];
    unsigned character_count;
    unsigned closed;

    struct timer look;
    uint64_t until;
    bool (*done)(struct rig *r);
    unsigned want; /* what `done` compares with */
};

static struct err err;

/* ---- The guest's side ---- */

static uint32_t pattern(const struct rig *r, int x, int y)
{
    return (uint32_t)(x * 2654435761u ^ y * 40503u ^ r->seed * 0x9E3779B1u) & 0xFFFFFF;
}

static void refresh(void *opaque, struct display *display, bool full)
{
    struct rig *r = opaque;
    if (r->drawn && !full)
        return;
    r->drawn = true;
    display_resize(display, r->width, r->height);
    const struct surface *s = display_surface(display);
    for (int y = 0; y < s->height; y++)
        for (int x = 0; x < s->width; x++)
            s->pixels[y * s->width + x] = pattern(r, x, y);
    display_damage(display, 0, 0, s->width, s->height);
}

static void watched(void *opaque, bool is)
{
    struct rig *r = opaque;
    r->watched = is;
}

static void draw(struct rig *r, int width, int height)
{
    r->width = width;
    r->height = height;
    r->seed++;
    r->drawn = false;
    display_touched(r->display);
}

static void on_key(void *opaque, unsigned code, bool down)
{
    struct rig *r = opaque;
    assert_true(r->key_count < MAX);
    r->keys[r->key_count++] = code | (down ? 0 : 0x1000);
}

static void on_move(void *opaque, int x, int y, int wheel, unsigned buttons)
{
    struct rig *r = opaque;
    assert_true(r->move_count < MAX);
    r->moves[r->move_count++] = (struct move){x, y, wheel, buttons};
}

static bool on_select(void *opaque, unsigned n)
{
    struct rig *r = opaque;
    if (n > 2)
        return false;
    input_show_console(r->input, n == 2);
    r->drawn = false;
    return true;
}

static void on_console_key(void *opaque, unsigned code)
{
    struct rig *r = opaque;
    r->keys[r->key_count++] = code | 0x2000;
}

static void on_character(void *opaque, uint32_t codepoint)
{
    struct rig *r = opaque;
    r->characters[r->character_count++] = codepoint;
}

static void on_closed(void *opaque)
{
    struct rig *r = opaque;
    r->closed++;
}

/* ---- Waiting ---- */

static void look(void *opaque)
{
    struct rig *r = opaque;
    uint64_t now = clock_now(loop_clock(r->loop));
    if (r->done(r) || now > r->until)
        loop_quit(r->loop, 0);
    else
        timer_arm_in(&r->look, LOOK);
}

/* Lets the loop run until it is so. */
static bool wait_for(struct rig *r, bool (*done)(struct rig *r), unsigned want, uint64_t patience)
{
    r->done = done;
    r->want = want;
    r->until = clock_now(loop_clock(r->loop)) + patience;
    timer_arm_in(&r->look, LOOK);
    loop_run(r->loop);
    return done(r);
}

static bool wait_until(struct rig *r, bool (*done)(struct rig *r), unsigned want)
{
    return wait_for(r, done, want, PATIENCE);
}

static bool has_keys(struct rig *r)
{
    return r->key_count >= r->want;
}

static bool has_characters(struct rig *r)
{
    return r->character_count >= r->want;
}

static bool has_size(struct rig *r)
{
    desktop_measure(&r->desktop);
    return r->desktop.width == (int)(r->want >> 16) && r->desktop.height == (int)(r->want & 0xFFFF);
}

static bool is_watched(struct rig *r)
{
    return r->watched == (r->want != 0);
}

static bool is_closed(struct rig *r)
{
    return r->closed > 0;
}

static bool has_buttons(struct rig *r)
{
    return r->move_count && r->moves[r->move_count - 1].buttons == r->want;
}

static bool is_titled(struct rig *r)
{
    char *title = desktop_title(&r->desktop);
    bool grabbed = title && strstr(title, "releases the pointer");
    free(title);
    return grabbed == (r->want != 0);
}

static bool is_shown(struct rig *r)
{
    uint8_t *p = desktop_picture(&r->desktop);
    bool same = p && r->desktop.width == r->width && r->desktop.height == r->height;
    for (int y = 0; same && y < r->height; y++)
        for (int x = 0; same && x < r->width; x++) {
            const uint8_t *at = p + 3 * (y * r->width + x);
            same = (uint32_t)(at[0] << 16 | at[1] << 8 | at[2]) == pattern(r, x, y);
        }
    free(p);
    return same;
}

static bool sum_of_wheel(struct rig *r)
{
    int sum = 0;
    for (unsigned i = 0; i < r->move_count; i++)
        sum += r->moves[i].wheel;
    return sum == (int)r->want;
}

static bool last_is_at(struct rig *r)
{
    const struct move *m = &r->moves[r->move_count ? r->move_count - 1 : 0];
    return r->move_count && m->x == (int)(r->want >> 16) && m->y == (int)(r->want & 0xFFFF);
}

static bool sum_of_moves(struct rig *r)
{
    int x = 0, y = 0;
    for (unsigned i = 0; i < r->move_count; i++) {
        x += r->moves[i].x;
        y += r->moves[i].y;
    }
    return x == (int)(int16_t)(r->want >> 16) && y == (int)(int16_t)(r->want & 0xFFFF);
}

static unsigned pair(int a, int b)
{
    return (unsigned)a << 16 | (unsigned)(b & 0xFFFF);
}

/* ---- Setting up ---- */

static bool open_window(struct rig *r)
{
    const struct sdl_config config = {.loop = r->loop,
                                      .display = r->display,
                                      .input = r->input,
                                      .options = &r->options,
                                      .name = "unit",
                                      .closed = on_closed,
                                      .opaque = r};
    r->sdl = sdl_open(&config, &err);
    return r->sdl != NULL;
}

static const struct display_source source = {.refresh = refresh, .watched = watched};

static int setup(void **state)
{
    struct rig *r = calloc(1, sizeof(*r));
    *state = r;
    if (desktop_missing())
        return 0;
    if (!desktop_open(&r->desktop, false, NULL))
        return -1;
    r->loop = loop_new(&err);
    r->display = display_new(loop_clock(r->loop));
    r->input = input_new();
    r->keyboard = (struct input_keyboard){.key = on_key, .opaque = r};
    r->mouse = (struct input_pointer){.move = on_move, .opaque = r};
    r->tablet = (struct input_pointer){.absolute = true, .move = on_move, .opaque = r};
    r->console = (struct input_console){
        .select = on_select, .key = on_console_key, .character = on_character, .opaque = r};
    input_set_keyboard(r->input, &r->keyboard);
    input_set_pointer(r->input, &r->mouse);
    r->width = 400;
    r->height = 300;
    display_set_source(r->display, &source, r);
    timer_init(&r->look, loop_clock(r->loop), look, r);
    return 0;
}

static int teardown(void **state)
{
    struct rig *r = *state;
    if (r->loop) {
        sdl_close(r->sdl);
        timer_destroy(&r->look);
        display_free(r->display);
        input_free(r->input);
        loop_free(r->loop);
    }
    desktop_close(&r->desktop);
    free(r);
    return 0;
}

static struct rig *ready(void **state)
{
    struct rig *r = *state;
    if (!r->loop) {
        print_message("skip: test_sdl_window: %s is not installed\n", desktop_missing());
        skip();
    }
    return r;
}

static struct rig *opened(void **state)
{
    struct rig *r = ready(state);
    assert_true(open_window(r));
    assert_true(desktop_find(&r->desktop, "hvm-dm"));
    assert_true(wait_until(r, is_shown, 0));
    desktop_do(&r->desktop, "windowfocus --sync %s", r->desktop.window);
    return r;
}

/* ---- Tests ---- */

static void pictures_follow_every_size(void **state)
{
    static const int sizes[][2] = {{1, 1},      {640, 480}, {720, 400},  {33, 47},
                                   {1024, 768}, {320, 200}, {1280, 1000}};
    struct rig *r = opened(state);
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        draw(r, sizes[i][0], sizes[i][1]);
        assert_true(wait_until(r, is_shown, 0));
    }
    /* Many in a row: the last one counts. */
    for (unsigned i = 0; i < 20; i++) {
        draw(r, 300 + (int)i, 200);
        display_refresh_now(r->display);
    }
    assert_true(wait_until(r, is_shown, 0));
}

/* Moves the pointer until it is seen there: what moves before the window has heard that the guest
 * takes positions now is a mouse's. */
static bool pointer_moves_to(struct rig *r, int x, int y)
{
    const char *w = r->desktop.window;
    for (unsigned tries = 0; tries < 20; tries++) {
        desktop_do(&r->desktop, "mousemove --window %s %d %d", w, 100 + (int)tries, 100);
        desktop_do(&r->desktop, "mousemove --window %s %d %d", w, x, y);
        if (wait_for(r, last_is_at, pair(x * 0x7FFF / 399, y * 0x7FFF / 299), PATIENCE / 20))
            return true;
    }
    return false;
}

static void a_tablet_is_where_the_pointer_is(void **state)
{
    static const int at[][2] = {{0, 0}, {399, 0}, {0, 299}, {399, 299}, {200, 150}};
    struct rig *r = opened(state);
    const char *w = r->desktop.window;
    input_set_pointer(r->input, &r->tablet);
    for (unsigned i = 0; i < sizeof(at) / sizeof(at[0]); i++)
        assert_true(pointer_moves_to(r, at[i][0], at[i][1]));
    /* No grab is needed, nor made. */
    for (unsigned button = 1; button <= 3; button++) {
        desktop_do(&r->desktop, "mousedown %u", button);
        assert_true(wait_until(r, has_buttons,
                               button == 1   ? INPUT_BUTTON_LEFT
                               : button == 2 ? INPUT_BUTTON_MIDDLE
                                             : INPUT_BUTTON_RIGHT));
        desktop_do(&r->desktop, "mouseup %u", button);
        assert_true(wait_until(r, has_buttons, 0));
    }
    assert_true(is_titled(r));
    desktop_do(&r->desktop, "click 4 click 4 click 4 click 5");
    assert_true(wait_until(r, sum_of_wheel, 2));
    assert_true(wait_until(r, last_is_at, pair(200 * 0x7FFF / 399, 150 * 0x7FFF / 299)));

    /* Twice the size, in the middle of a wider window: bars are the screen's edge. */
    desktop_do(&r->desktop, "windowsize --sync %s 1000 600", w);
    assert_true(wait_until(r, has_size, pair(1000, 600)));
    desktop_do(&r->desktop, "mousemove --window %s 50 300", w);
    assert_true(wait_until(r, last_is_at, pair(0, 150 * 0x7FFF / 299)));
    desktop_do(&r->desktop, "mousemove --window %s 899 599", w);
    assert_true(wait_until(r, last_is_at, pair(0x7FFF, 0x7FFF)));
    desktop_do(&r->desktop, "mousemove --window %s 999 1", w);
    assert_true(wait_until(r, last_is_at, pair(0x7FFF, 0)));
}

/* A guest may begin to use its tablet at any time. */
static void the_kind_of_pointer_may_change(void **state)
{
    struct rig *r = opened(state);
    const char *w = r->desktop.window;
    desktop_do(&r->desktop, "mousemove --window %s 100 100 click 1", w);
    r->want = 1;
    assert_true(wait_until(r, is_titled, 1));
    desktop_do(&r->desktop, "mousemove_relative -- -9 4");
    assert_true(wait_until(r, sum_of_moves, pair(-9, 4)));
    desktop_do(&r->desktop, "mousedown 1");
    assert_true(wait_until(r, has_buttons, INPUT_BUTTON_LEFT));
    input_set_pointer(r->input, &r->tablet);
    desktop_do(&r->desktop, "mouseup 1");
    assert_true(wait_until(r, has_buttons, 0));
    desktop_do(&r->desktop, "mousemove --window %s 399 299", w);
    assert_true(wait_until(r, last_is_at, pair(0x7FFF, 0x7FFF)));
    r->move_count = 0;
    input_set_pointer(r->input, &r->mouse);
    desktop_do(&r->desktop, "mousemove_relative -- 3 3");
    assert_true(wait_until(r, sum_of_moves, pair(3, 3)));
    desktop_do(&r->desktop, "keydown ctrl keydown alt keyup alt keyup ctrl");
    assert_true(wait_until(r, is_titled, 0));
}

static void other_keys_may_be_the_window_s(void **state)
{
    struct rig *r = ready(state);
    r->options.grab = CONFIG_GRAB_RIGHT_CTRL;
    opened(state);
    desktop_do(&r->desktop, "keydown ctrl keydown alt key g keyup alt keyup ctrl");
    assert_true(wait_until(r, has_keys, 6)); /* all of it is the guest's */
    assert_int_equal(r->keys[2], KEY_G);
    assert_int_equal(r->keys[3], KEY_G | 0x1000);
    r->key_count = 0;
    desktop_do(&r->desktop, "keydown 105 key g keyup 105");
    assert_true(wait_until(r, is_titled, 1));
    assert_true(wait_until(r, has_keys, 2));
    assert_int_equal(r->keys[0], KEY_RIGHTCTRL);
    assert_int_equal(r->keys[1], KEY_RIGHTCTRL | 0x1000);
}

static void a_text_console_gets_characters(void **state)
{
    static const uint32_t typed[] = {'a', 'A', '?', 'c', 0xE9};
    struct rig *r = ready(state);
    desktop_map_key(&r->desktop, 49, 0xE9); /* the key left of 1 has an e with an accent */
    opened(state);
    input_set_console(r->input, &r->console);
    desktop_do(&r->desktop, "keydown ctrl keydown alt key 2 keyup alt keyup ctrl");
    assert_true(wait_until(r, has_keys, 4)); /* the modifiers reach the guest, the digit does not */
    for (unsigned i = 0; i < r->key_count; i++)
        assert_int_not_equal(r->keys[i] & 0xFFF, KEY_2);
    /* The window is told with the console's picture. */
    draw(r, 410, 300);
    assert_true(wait_until(r, is_shown, 0));
    r->key_count = 0;
    desktop_do(&r->desktop, "key a key shift+a key shift+slash key ctrl+c");
    desktop_do(&r->desktop, "key 49");
    assert_true(wait_until(r, has_characters, 5));
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(r->characters[i], typed[i]);
    for (unsigned i = 0; i < r->key_count; i++)
        assert_true(r->keys[i] & 0x2000); /* none was the guest's */
    desktop_do(&r->desktop, "keydown ctrl keydown alt key 1 keyup alt keyup ctrl");
    draw(r, 400, 300);
    assert_true(wait_until(r, is_shown, 0));
    r->character_count = r->key_count = 0;
    desktop_do(&r->desktop, "key b");
    assert_true(wait_until(r, has_keys, 2));
    assert_int_equal(r->keys[r->key_count - 1], KEY_B | 0x1000);
    assert_int_equal(r->character_count, 0);
}

/* What cannot be seen is not drawn. */
static void a_hidden_window_costs_nothing(void **state)
{
    struct rig *r = opened(state);
    assert_true(r->watched);
    desktop_do(&r->desktop, "windowunmap --sync %s", r->desktop.window);
    assert_true(wait_until(r, is_watched, 0));
    draw(r, 420, 310);
    desktop_do(&r->desktop, "windowmap --sync %s", r->desktop.window);
    assert_true(wait_until(r, is_watched, 1));
    assert_true(wait_until(r, is_shown, 0));
}

static void only_a_yes_closes(void **state)
{
    struct rig *r = opened(state);
    desktop_close_window(&r->desktop);
    desktop_do(&r->desktop, "key Escape key x"); /* before or after the question comes … */
    desktop_close_window(&r->desktop);
    desktop_do(&r->desktop, "key n");
    desktop_close_window(&r->desktop);
    desktop_do(&r->desktop, "key n key Escape");
    assert_true(wait_until(r, is_shown, 0));
    assert_int_equal(r->closed, 0); /* … no key but that one says yes */
    for (unsigned i = 0; i < 100 && !r->closed; i++) {
        desktop_close_window(&r->desktop);
        desktop_do(&r->desktop, "key y");
        r->until = 0;
        timer_arm_in(&r->look, 50 * NS_PER_MS);
        r->done = is_closed;
        loop_run(r->loop);
    }
    assert_true(r->closed > 0);
}

/* A loop that does nothing for long: nothing stays down. */
static void a_full_queue_lets_go(void **state)
{
    struct rig *r = opened(state);
    unsigned down = 0;
    for (unsigned i = 0; i < 2 * WINDOW_QUEUE + 1; i++) {
        const struct window_event e = {
            .kind = WINDOW_KEY, .code = KEY_A + i % 8, .down = i / 8 % 2 == 0};
        sdl_push(r->sdl, &e);
    }
    assert_true(wait_until(r, has_keys, 1));
    for (unsigned i = 0; i < r->key_count; i++)
        down += r->keys[i] & 0x1000 ? -1u : 1u;
    assert_true(down <= 1);
    /* Movements do not fill it. */
    r->move_count = 0;
    for (unsigned i = 0; i < 10 * WINDOW_QUEUE; i++) {
        const struct window_event e = {
            .kind = WINDOW_BY, .x = 1, .y = -1, .width = 400, .height = 300};
        sdl_push(r->sdl, &e);
    }
    assert_true(wait_until(r, sum_of_moves, pair(10 * WINDOW_QUEUE, -10 * WINDOW_QUEUE)));
}

static bool refuse(void *opaque, struct err *e)
{
    (void)opaque;
    return err_set(e, "not that");
}

static void what_goes_wrong_is_said(void **state)
{
    struct rig *r = ready(state);
    struct sdl_config config = {.loop = r->loop,
                                .display = r->display,
                                .input = r->input,
                                .options = &r->options,
                                .closed = on_closed,
                                .opened = refuse,
                                .opaque = r};
    assert_null(sdl_open(&config, &err));
    assert_string_equal(err.text, "not that");
    setenv("DISPLAY", ":4711", 1);
    assert_false(open_window(r));
    assert_non_null(strstr(err.text, "DISPLAY=:4711"));
    assert_non_null(strstr(err.text, "-display sdl"));
    unsetenv("DISPLAY");
    assert_false(open_window(r));
    assert_non_null(strstr(err.text, "-display sdl"));
}

static void it_opens_and_closes_again(void **state)
{
    struct rig *r = opened(state);
    for (unsigned i = 0; i < 3; i++) {
        sdl_close(r->sdl);
        r->sdl = NULL;
        assert_false(r->watched);
        opened(state);
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(pictures_follow_every_size),
        TEST(a_tablet_is_where_the_pointer_is),
        TEST(the_kind_of_pointer_may_change),
        TEST(other_keys_may_be_the_window_s),
        TEST(a_text_console_gets_characters),
        TEST(a_hidden_window_costs_nothing),
        TEST(only_a_yes_closes),
        TEST(a_full_queue_lets_go),
        TEST(what_goes_wrong_is_said),
        TEST(it_opens_and_closes_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
