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
    struct input_keyboard kbd = {.key = record_key, .opaque = &r};

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
    struct input_keyboard kbd = {.key = record_key, .opaque = &r};
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
    struct input_keyboard kbd = {.key = record_key, .opaque = &r};
    struct input_pointer ptr = {.absolute = true, .move = record_move, .opaque = &r};

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
    struct input_keyboard a = {.key = record_key, .opaque = &first},
                          b = {.key = record_key, .opaque = &second};

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
    struct input_pointer ptr = {.absolute = true, .move = record_move, .opaque = &r};

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
    struct input_pointer ptr = {.move = record_move, .opaque = &r};

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

/* The one set last gets the events; when the guest lets it go, the one before does again. */
static void test_the_last_set_up_gets_events(void **state)
{
    struct record r[3] = {0};
    struct input *input = input_new();
    struct input_pointer mouse = {.move = record_move, .opaque = &r[0], .name = "mouse"},
                         tablet = {.absolute = true, .move = record_move, .opaque = &r[1]},
                         other = {.move = record_move, .opaque = &r[2]};
    struct input_keyboard first = {.key = record_key, .opaque = &r[0]},
                          second = {.key = record_key, .opaque = &r[1]};

    (void)state;
    input_set_pointer(input, &mouse);
    input_add_pointer(input, &tablet); /* there, not set up */
    input_add_pointer(input, &other);
    assert_ptr_equal(input_current_pointer(input), &mouse);
    assert_ptr_equal(input_pointer_nth(input, 0), &mouse);
    assert_ptr_equal(input_pointer_nth(input, 1), &tablet);
    assert_ptr_equal(input_pointer_nth(input, 2), &other);
    assert_null(input_pointer_nth(input, 3));
    assert_null(input_pointer_nth(input, 10000));
    input_pointer_at(input, 5, 5, 11, 11, 0, INPUT_BUTTON_LEFT);
    input_set_pointer(input, &tablet);
    assert_int_equal(r[0].move_count, 2);
    assert_move(&r[0], 1, 0, 0, 0, 0); /* its button came up */
    input_pointer_at(input, 10, 0, 11, 11, 0, 0);
    assert_move(&r[1], 0, 0x7FFF, 0, 0, 0);
    input_set_pointer(input, &other);
    input_unset_pointer(input, &tablet); /* it had no events: nothing changes */
    assert_ptr_equal(input_current_pointer(input), &other);
    input_set_pointer(input, &tablet);
    input_remove_pointer(input, &tablet);
    input_remove_pointer(input, &tablet);
    assert_ptr_equal(input_current_pointer(input), &other);
    assert_ptr_equal(input_pointer_nth(input, 1), &other); /* the order is that of adding */
    input_unset_pointer(input, &other);
    assert_ptr_equal(input_current_pointer(input), &mouse);
    input_remove_pointer(input, &mouse);
    assert_null(input_current_pointer(input));
    input_pointer_at(input, 1, 1, 11, 11, 0, 0);
    assert_int_equal(r[0].move_count, 2);

    input_set_keyboard(input, &first);
    input_set_keyboard(input, &second);
    input_key(input, KEY_A, true);
    input_unset_keyboard(input, &second);
    assert_key(&r[1], 1, KEY_A, false);
    input_key(input, KEY_B, true);
    assert_key(&r[0], 0, KEY_B, true);
    input_remove_keyboard(input, &first);
    assert_key(&r[0], 1, KEY_B, false);
    input_key(input, KEY_B, true);
    assert_int_equal(r[0].key_count, 2);
    input_free(input);
}

static void test_more_devices_than_there_is_room_for(void **state)
{
    struct record r = {0};
    struct input *input = input_new();
    struct input_pointer many[INPUT_MAX_DEVICES + 1];

    (void)state;
    for (unsigned i = 0; i <= INPUT_MAX_DEVICES; i++) {
        many[i] = (struct input_pointer){.move = record_move, .opaque = &r};
        input_set_pointer(input, &many[i]);
    }
    assert_ptr_equal(input_current_pointer(input), &many[INPUT_MAX_DEVICES - 1]);
    for (unsigned i = 0; i <= INPUT_MAX_DEVICES; i++)
        input_remove_pointer(input, &many[i]);
    assert_null(input_current_pointer(input));
    input_free(input);
}

/* The guest's lock keys follow the person's where it matters, and only there. */
static void test_locks_follow(void **state)
{
    struct record r = {0};
    struct input *input = input_new();
    struct input_keyboard kbd = {.key = record_key, .opaque = &r};

    (void)state;
    input_set_keyboard(input, &kbd);
    input_follow_locks(input, KEY_1, 6);
    input_follow_locks(input, KEY_KPMINUS, 6);
    input_follow_locks(input, KEY_A, 2);
    assert_int_equal(r.key_count, 0);
    input_follow_locks(input, KEY_A, 4);
    assert_key(&r, 0, KEY_CAPSLOCK, true);
    assert_key(&r, 1, KEY_CAPSLOCK, false);
    input_follow_locks(input, KEY_M, 4); /* the guest has not answered, but it will */
    input_follow_locks(input, KEY_KP0, 6);
    assert_key(&r, 2, KEY_NUMLOCK, true);
    assert_int_equal(r.key_count, 4);
    assert_int_equal(input_locks(input), 6);
    input_set_leds(input, 2); /* somebody has switched it off elsewhere */
    input_follow_locks(input, KEY_Q, 6);
    assert_int_equal(r.key_count, 6);
    assert_key(&r, 5, KEY_CAPSLOCK, false);
    /* Held as such by the person: nobody presses it for them. */
    input_key(input, KEY_CAPSLOCK, true);
    input_follow_locks(input, KEY_Q, 4);
    assert_int_equal(r.key_count, 7);
    input_free(input);
}

static void test_leds(void **state)
{
    struct input *input = input_new();

    (void)state;
    assert_int_equal(input_leds(input), 0);
    input_set_leds(input, 0xFD);
    assert_int_equal(input_leds(input), 5);
    assert_int_equal(input_locks(input), 5);
    /* What is pressed counts until the guest's LEDs change. */
    input_key(input, KEY_CAPSLOCK, true);
    input_key(input, KEY_CAPSLOCK, true); /* held */
    input_key(input, KEY_CAPSLOCK, false);
    input_key(input, KEY_NUMLOCK, true);
    assert_int_equal(input_leds(input), 5);
    assert_int_equal(input_locks(input), 3);
    input_set_leds(input, 5); /* not a change: it has not answered yet */
    assert_int_equal(input_locks(input), 3);
    input_set_leds(input, 1);
    assert_int_equal(input_locks(input), 1);
    input_free(input);
}

/* Movements reach a mouse as they are, a tablet as positions that stay on the screen. */
static void test_movements_are_passed_on(void **state)
{
    struct record r = {0};
    struct input *input = input_new();
    struct input_pointer mouse = {.move = record_move, .opaque = &r},
                         tablet = {.absolute = true, .move = record_move, .opaque = &r};

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

/* Who has the text consoles: 2 and 4 are there. */
struct consoles {
    struct input *input;
    unsigned shown, keys[8], key_count;
    uint32_t characters[8];
    unsigned character_count;
    int wheel;
};

static bool console_select(void *opaque, unsigned n)
{
    struct consoles *c = opaque;

    if (n != 1 && n != 2 && n != 4)
        return false;
    c->shown = n;
    input_show_console(c->input, n != 1);
    return true;
}

static void console_key(void *opaque, unsigned keycode)
{
    struct consoles *c = opaque;

    assert_true(c->key_count < 8);
    c->keys[c->key_count++] = keycode;
}

static void console_character(void *opaque, uint32_t codepoint)
{
    struct consoles *c = opaque;

    assert_true(c->character_count < 8);
    c->characters[c->character_count++] = codepoint;
}

static void console_wheel(void *opaque, int notches)
{
    ((struct consoles *)opaque)->wheel += notches;
}

static void test_text_consoles(void **state)
{
    struct record r = {0};
    const struct input_keyboard keyboard = {.key = record_key, .opaque = &r};
    const struct input_pointer pointer = {.absolute = true, .move = record_move, .opaque = &r};
    struct input *input = input_new();
    struct consoles c = {.input = input};
    const struct input_console console = {
        .select = console_select,
        .key = console_key,
        .character = console_character,
        .wheel = console_wheel,
        .opaque = &c,
    };

    (void)state;
    input_set_keyboard(input, &keyboard);
    input_set_pointer(input, &pointer);
    input_set_console(input, &console);
    assert_false(input_to_console(input));
    input_character(input, 'x'); /* the guest's screen is shown: its keys are enough */
    input_pointer_at(input, 5, 5, 10, 10, 0, INPUT_BUTTON_LEFT);

    /* Which there is not: the guest's, like any other key. */
    input_key(input, KEY_LEFTCTRL, true);
    input_key(input, KEY_LEFTALT, true);
    input_key(input, KEY_3, true);
    input_key(input, KEY_3, false);
    assert_int_equal(r.key_count, 4);
    assert_key(&r, 2, KEY_3, true);
    /* The digit's press and release stay here; what the guest has down it is let go of. */
    input_key(input, KEY_2, true);
    input_character(input, '2');
    assert_true(input_to_console(input));
    assert_int_equal(c.shown, 2);
    assert_int_equal(r.key_count, 6);
    assert_key(&r, 4, KEY_LEFTCTRL, false);
    assert_key(&r, 5, KEY_LEFTALT, false);
    assert_int_equal(r.move_count, 2);
    assert_int_equal(r.moves[1].buttons, 0);
    input_key(input, KEY_2, false);
    input_key(input, KEY_LEFTALT, false);
    input_key(input, KEY_LEFTCTRL, false);
    assert_int_equal(r.key_count, 6);
    assert_int_equal(c.key_count + c.character_count, 0);

    input_key(input, KEY_A, true);
    input_character(input, 'a');
    input_key(input, KEY_A, true); /* a repetition */
    input_character(input, 0xE4);
    input_key(input, KEY_A, false);
    assert_int_equal(c.key_count, 2);
    assert_int_equal(c.keys[0], KEY_A);
    assert_int_equal(c.character_count, 2);
    assert_int_equal(c.characters[1], 0xE4);
    for (uint32_t bad = 0; bad < 0x20; bad++)
        input_character(input, bad);
    input_character(input, 0x7F);
    input_character(input, 0x85);
    input_character(input, 0xD800);
    input_character(input, 0x110000);
    assert_int_equal(c.character_count, 2);
    input_pointer_at(input, 1, 1, 10, 10, -1, INPUT_BUTTON_LEFT);
    input_pointer_by(input, 1, 1, 10, 10, -1, INPUT_BUTTON_LEFT);
    assert_int_equal(c.wheel, -2);
    assert_int_equal(r.key_count, 6);
    assert_int_equal(r.move_count, 2);

    /* AltGr is no Alt. */
    input_key(input, KEY_LEFTCTRL, true);
    input_key(input, KEY_RIGHTALT, true);
    input_key(input, KEY_4, true);
    assert_int_equal(c.shown, 2);
    input_release_all(input);
    /* Back: what is held is not the guest's. */
    input_key(input, KEY_RIGHTCTRL, true);
    input_key(input, KEY_LEFTALT, true);
    input_key(input, KEY_1, true);
    assert_false(input_to_console(input));
    input_key(input, KEY_1, false);
    input_key(input, KEY_LEFTALT, false);
    assert_true(input_key_is_down(input, KEY_RIGHTCTRL));
    input_key(input, KEY_RIGHTCTRL, false);
    assert_int_equal(r.key_count, 6);
    input_key(input, KEY_B, true);
    assert_int_equal(r.key_count, 7);
    assert_key(&r, 6, KEY_B, true);
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
        cmocka_unit_test(test_the_last_set_up_gets_events),
        cmocka_unit_test(test_more_devices_than_there_is_room_for),
        cmocka_unit_test(test_locks_follow),
        cmocka_unit_test(test_leds),
        cmocka_unit_test(test_text_consoles),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
