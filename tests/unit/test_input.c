/* SPDX-License-Identifier: GPL-2.0-or-later */
/* input: no release without its press, positions scaled or made relative. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include <limits.h>
#include <linux/input-event-codes.h>

#include "ui/input.h"

struct record {
    struct {
        unsigned code;
        bool down;
    } keys[64];
    unsigned key_count;
    struct {
        int x, y, wheel;
        unsigned buttons;
    } moves[64];
    unsigned move_count;
};

static void record_key(void *opaque, unsigned code, bool down)
{
    struct record *r = opaque;

    assert_in_range(r->key_count, 0, 63);
    r->keys[r->key_count].code = code;
    r->keys[r->key_count++].down = down;
}

static void record_move(void *opaque, int x, int y, int wheel, unsigned buttons)
{
    struct record *r = opaque;

    assert_in_range(r->move_count, 0, 63);
    r->moves[r->move_count].x = x;
    r->moves[r->move_count].y = y;
    r->moves[r->move_count].wheel = wheel;
    r->moves[r->move_count++].buttons = buttons;
}

static void assert_key(const struct record *r, unsigned i, unsigned code, bool down)
{
    assert_true(i < r->key_count);
    assert_int_equal(r->keys[i].code, code);
    assert_int_equal(r->keys[i].down, down);
}

static void assert_move(const struct record *r, unsigned i, int x, int y, int wheel,
                        unsigned buttons)
{
    assert_true(i < r->move_count);
    assert_int_equal(r->moves[i].x, x);
    assert_int_equal(r->moves[i].y, y);
    assert_int_equal(r->moves[i].wheel, wheel);
    assert_int_equal(r->moves[i].buttons, buttons);
}

static void test_keys_are_matched(void **state)
{
    struct record r = {0};
    struct input *input = input_new();
    struct input_keyboard kbd = {record_key, &r};

    (void)state;
    input_set_keyboard(input, &kbd);
    input_key(input, KEY_A, false); /* never pressed */
    assert_int_equal(r.key_count, 0);
    input_key(input, KEY_A, true);
    input_key(input, KEY_A, true); /* the viewer repeats */
    assert_true(input_key_is_down(input, KEY_A));
    input_key(input, KEY_A, false);
    input_key(input, KEY_A, false);
    assert_false(input_key_is_down(input, KEY_A));
    assert_int_equal(r.key_count, 3);
    assert_key(&r, 0, KEY_A, true);
    assert_key(&r, 1, KEY_A, true);
    assert_key(&r, 2, KEY_A, false);
    input_free(input);
}

static void test_codes_out_of_range(void **state)
{
    struct record r = {0};
    struct input *input = input_new();
    struct input_keyboard kbd = {record_key, &r};
    const unsigned bad[] = {0, KEY_MAX + 1, 0x10000, 0xFFFFFFFF};

    (void)state;
    input_set_keyboard(input, &kbd);
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        input_key(input, bad[i], true);
        assert_false(input_key_is_down(input, bad[i]));
        input_key(input, bad[i], false);
    }
    assert_int_equal(r.key_count, 0);
    input_key(input, KEY_MAX, true);
    assert_key(&r, 0, KEY_MAX, true);
    input_free(input);
}

static void test_release_all(void **state)
{
    struct record r = {0};
    struct input *input = input_new();
    struct input_keyboard kbd = {record_key, &r};
    struct input_pointer ptr = {true, record_move, &r};

    (void)state;
    input_set_keyboard(input, &kbd);
    input_set_pointer(input, &ptr);
    input_key(input, KEY_LEFTCTRL, true);
    input_key(input, KEY_F24, true);
    input_pointer_at(input, 99, 0, 100, 100, 0, INPUT_BUTTON_LEFT);
    input_release_all(input);
    assert_int_equal(r.key_count, 4);
    assert_key(&r, 2, KEY_LEFTCTRL, false);
    assert_key(&r, 3, KEY_F24, false);
    assert_int_equal(r.move_count, 2);
    assert_move(&r, 1, 0x7FFF, 0, 0, 0); /* the button goes up where the pointer is */
    input_release_all(input);
    assert_int_equal(r.key_count, 4);
    assert_int_equal(r.move_count, 2);
    input_free(input);
}

static void test_device_change_releases(void **state)
{
    struct record first = {0}, second = {0};
    struct input *input = input_new();
    struct input_keyboard a = {record_key, &first}, b = {record_key, &second};

    (void)state;
    input_set_keyboard(input, &a);
    input_key(input, KEY_X, true);
    input_set_keyboard(input, &b);
    assert_key(&first, 1, KEY_X, false);
    input_key(input, KEY_X, false);
    assert_int_equal(second.key_count, 0);
    input_set_keyboard(input, NULL);
    input_key(input, KEY_X, true); /* nobody listens: harmless */
    input_free(input);
}

static void test_absolute_pointer(void **state)
{
    struct record r = {0};
    struct input *input = input_new();
    struct input_pointer ptr = {true, record_move, &r};

    (void)state;
    input_pointer_at(input, 1, 1, 10, 10, 0, 0); /* no pointer yet */
    input_set_pointer(input, &ptr);
    input_pointer_at(input, 0, 0, 640, 480, 0, 0);
    assert_move(&r, 0, 0, 0, 0, 0);
    input_pointer_at(input, 639, 479, 640, 480, 1, INPUT_BUTTON_RIGHT);
    assert_move(&r, 1, 0x7FFF, 0x7FFF, 1, INPUT_BUTTON_RIGHT);
    input_pointer_at(input, 65535, -5, 640, 480, -1, 0); /* outside: the edge */
    assert_move(&r, 2, 0x7FFF, 0, -1, 0);
    input_pointer_at(input, 7, 7, 1, 1, 0, 0); /* a screen of one pixel */
    assert_move(&r, 3, 0, 0, 0, 0);
    input_pointer_at(input, 7, 7, 0, 480, 0, 0);
    input_pointer_at(input, 7, 7, 640, -1, 0, 0);
    assert_int_equal(r.move_count, 4);
    input_free(input);
}

static void test_relative_pointer(void **state)
{
    struct record r = {0};
    struct input *input = input_new();
    struct input_pointer ptr = {false, record_move, &r};

    (void)state;
    input_set_pointer(input, &ptr);
    input_pointer_at(input, 100, 100, 640, 480, 0, 0); /* anchors */
    assert_move(&r, 0, 0, 0, 0, 0);
    input_pointer_at(input, 110, 95, 640, 480, 0, INPUT_BUTTON_LEFT);
    assert_move(&r, 1, 10, -5, 0, INPUT_BUTTON_LEFT);
    input_pointer_at(input, 110, 95, 640, 480, 1, INPUT_BUTTON_LEFT);
    assert_move(&r, 2, 0, 0, 1, INPUT_BUTTON_LEFT);
    input_pointer_at(input, 300, 300, 800, 600, 0, 0); /* the mode changed: no jump */
    assert_move(&r, 3, 0, 0, 0, 0);
    input_pointer_at(input, 299, 301, 800, 600, 0, INPUT_BUTTON_MIDDLE);
    assert_move(&r, 4, -1, 1, 0, INPUT_BUTTON_MIDDLE);
    input_release_all(input);
    assert_move(&r, 5, 0, 0, 0, 0);
    input_free(input);
}

static void test_leds(void **state)
{
    struct input *input = input_new();

    (void)state;
    assert_int_equal(input_leds(input), 0);
    input_set_leds(input, 0xFD);
    assert_int_equal(input_leds(input), 5);
    input_free(input);
}

/* Movements reach a mouse as they are, a tablet as positions that stay on the screen. */
static void test_movements_are_passed_on(void **state)
{
    struct record r = {0};
    struct input *input = input_new();
    struct input_pointer mouse = {false, record_move, &r}, tablet = {true, record_move, &r};

    (void)state;
    assert_false(input_pointer_is_absolute(input));
    input_pointer_by(input, 1, 1, 640, 480, 0, 0); /* nobody takes it */
    input_set_pointer(input, &mouse);
    assert_false(input_pointer_is_absolute(input));
    input_pointer_by(input, -7, 2000, 640, 480, 1, INPUT_BUTTON_LEFT);
    assert_move(&r, 0, -7, 2000, 1, INPUT_BUTTON_LEFT);
    input_set_pointer(input, &tablet);
    assert_move(&r, 1, 0, 0, 0, 0); /* the mouse lets go */
    assert_true(input_pointer_is_absolute(input));
    input_pointer_by(input, INT_MIN, 0, 641, 481, 0, 0);
    assert_move(&r, 2, 0, 0x7FFF / 2, 0, 0);
    input_pointer_by(input, INT_MAX, INT_MAX, 641, 481, -1, INPUT_BUTTON_RIGHT);
    assert_move(&r, 3, 0x7FFF, 0x7FFF, -1, INPUT_BUTTON_RIGHT);
    input_pointer_by(input, -320, -240, 641, 481, 0, 0);
    assert_move(&r, 4, 0x7FFF / 2, 0x7FFF / 2, 0, 0);
    input_pointer_by(input, 1, 1, 0, 0, 0, 0); /* no such screen */
    assert_int_equal(r.move_count, 5);
    input_free(input);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_are_matched),
        cmocka_unit_test(test_movements_are_passed_on),
        cmocka_unit_test(test_codes_out_of_range),
        cmocka_unit_test(test_release_all),
        cmocka_unit_test(test_device_change_releases),
        cmocka_unit_test(test_absolute_pointer),
        cmocka_unit_test(test_relative_pointer),
        cmocka_unit_test(test_leds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
