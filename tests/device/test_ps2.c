/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_ps2: the keyboard and the mouse on their own, byte by byte. */
#include <string.h>

#include <linux/input-event-codes.h>

#include "hw/pc/ps2.h"
#include "hw/pc/ps2_keys.h"
#include "tests/device/rig.h"
#include "ui/input.h"

static unsigned readies;

static void count_ready(void *opaque)
{
    (void)opaque;
    readies++;
}

static struct input *input;
static struct ps2_keyboard k;
static struct ps2_mouse m;

static int fresh(void **state)
{
    (void)state;
    memset(&k, 0, sizeof(k));
    memset(&m, 0, sizeof(m));
    input = input_new();
    ps2_keyboard_init(&k, input, count_ready, NULL);
    ps2_mouse_init(&m, count_ready, NULL);
    state_reset(ps2_keyboard_state, &k);
    state_reset(ps2_mouse_state, &m);
    ps2_keyboard_after_reset(&k);
    readies = 0;
    return 0;
}

static int done(void **state)
{
    (void)state;
    input_free(input);
    return 0;
}

/* Everything the keyboard has equals these bytes. */
static void expect_keyboard(const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        assert_true(ps2_keyboard_pending(&k));
        assert_int_equal(ps2_keyboard_take(&k), (uint8_t)bytes[i]);
    }
    assert_false(ps2_keyboard_pending(&k));
}

static void expect_mouse(const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        assert_true(ps2_mouse_pending(&m));
        assert_int_equal(ps2_mouse_take(&m), (uint8_t)bytes[i]);
    }
    assert_false(ps2_mouse_pending(&m));
}

#define KEYBOARD(bytes) expect_keyboard(bytes, sizeof(bytes) - 1)
#define MOUSE(bytes)    expect_mouse(bytes, sizeof(bytes) - 1)

static void command(uint8_t byte)
{
    ps2_keyboard_write(&k, byte);
}

static void press(unsigned key)
{
    ps2_keyboard_key(&k, key, true);
}

static void release(unsigned key)
{
    ps2_keyboard_key(&k, key, false);
}

static void tap(unsigned key)
{
    press(key);
    release(key);
}

static void set2_codes(void **state)
{
    (void)state;
    tap(KEY_A);
    assert_int_equal(readies, 1); /* once: the controller takes all there is */
    KEYBOARD("\x1C\xF0\x1C");
    tap(KEY_F7);
    KEYBOARD("\x83\xF0\x83");
    tap(KEY_RIGHTCTRL);
    KEYBOARD("\xE0\x14\xE0\xF0\x14");
    tap(KEY_KPENTER);
    KEYBOARD("\xE0\x5A\xE0\xF0\x5A");
    tap(KEY_UP);
    KEYBOARD("\xE0\x75\xE0\xF0\x75");
    tap(KEY_F13);
    KEYBOARD("\x08\xF0\x08");
    tap(KEY_F24);
    KEYBOARD("\x5F\xF0\x5F");
    tap(KEY_RO);
    KEYBOARD("\x51\xF0\x51");
    tap(KEY_YEN);
    KEYBOARD("\x6A\xF0\x6A");
    tap(KEY_KPCOMMA);
    KEYBOARD("\x6D\xF0\x6D");
    tap(KEY_HANGEUL); /* make only */
    tap(KEY_HANJA);
    KEYBOARD("\xF2\xF1");
}

static void set1_codes(void **state)
{
    (void)state;
    command(0xF0);
    command(0x01);
    KEYBOARD("\xFA"); /* the second ACK replaces the first, which nobody took */
    tap(KEY_A);
    KEYBOARD("\x1E\x9E");
    tap(KEY_F7);
    KEYBOARD("\x41\xC1");
    tap(KEY_RIGHTALT);
    KEYBOARD("\xE0\x38\xE0\xB8");
    tap(KEY_PAUSE);
    KEYBOARD("\xE1\x1D\x45\xE1\x9D\xC5");
    tap(KEY_SYSRQ);
    KEYBOARD("\xE0\x2A\xE0\x37\xE0\xB7\xE0\xAA");
    tap(KEY_102ND);
    KEYBOARD("\x56\xD6");
    tap(KEY_F13);
    KEYBOARD("\x64\xE4");
    tap(KEY_KATAKANAHIRAGANA);
    KEYBOARD("\x70\xF0");
}

/* Linux names most positions by their set 1 code: the two tables and the translation agree. */
static void tables_agree(void **state)
{
    (void)state;
    for (unsigned key = KEY_ESC; key <= KEY_F12; key++) {
        if (key == 84 || key == KEY_ZENKAKUHANKAKU)
            continue;
        assert_int_equal(ps2_set2_code(key) >> 8, 0);
        assert_int_equal(ps2_translate((uint8_t)ps2_set2_code(key)), key);
    }
    for (unsigned a = 0; a < 128; a++)
        for (unsigned b = 0; b < a; b++)
            assert_int_not_equal(ps2_translate((uint8_t)a), ps2_translate((uint8_t)b));
    for (unsigned a = 1; a < PS2_KEYS; a++)
        for (unsigned b = 1; b < a; b++) {
            if (ps2_set2_code(a) && !(a == KEY_F24 && b == KEY_ZENKAKUHANKAKU))
                assert_int_not_equal(ps2_set2_code(a), ps2_set2_code(b));
            if (ps2_set3_code(a))
                assert_int_not_equal(ps2_set3_code(a), ps2_set3_code(b));
        }
    assert_int_equal(ps2_set2_code(PS2_KEYS), 0);
    assert_int_equal(ps2_set2_code(~0u), 0);
    assert_int_equal(ps2_set3_code(~0u), 0);
}

static void print_and_pause(void **state)
{
    (void)state;
    tap(KEY_PAUSE);
    KEYBOARD("\xE1\x14\x77\xE1\xF0\x14\xF0\x77");
    press(KEY_PAUSE);
    press(KEY_PAUSE); /* does not repeat */
    release(KEY_PAUSE);
    KEYBOARD("\xE1\x14\x77\xE1\xF0\x14\xF0\x77");
    press(KEY_LEFTCTRL);
    tap(KEY_PAUSE);
    release(KEY_LEFTCTRL);
    KEYBOARD("\x14\xE0\x7E\xE0\xF0\x7E\xF0\x14");

    press(KEY_SYSRQ);
    press(KEY_SYSRQ); /* the repeat has no shift */
    release(KEY_SYSRQ);
    KEYBOARD("\xE0\x12\xE0\x7C\xE0\x7C\xE0\xF0\x7C\xE0\xF0\x12");
    press(KEY_RIGHTSHIFT);
    tap(KEY_SYSRQ);
    release(KEY_RIGHTSHIFT);
    KEYBOARD("\x59\xE0\x7C\xE0\xF0\x7C\xF0\x59");
    press(KEY_LEFTALT);
    press(KEY_SYSRQ);
    release(KEY_LEFTALT);
    release(KEY_SYSRQ); /* the same key that went down, whatever is held now */
    KEYBOARD("\x11\x84\xF0\x11\xF0\x84");
}

static void set3_codes(void **state)
{
    (void)state;
    command(0xF0);
    command(0x03);
    KEYBOARD("\xFA");
    tap(KEY_A); /* typematic keys have no break code at first */
    tap(KEY_LEFTSHIFT);
    KEYBOARD("\x1C\x12\xF0\x12");
    press(KEY_LEFTSHIFT);
    press(KEY_LEFTSHIFT); /* make/break keys do not repeat */
    release(KEY_LEFTSHIFT);
    KEYBOARD("\x12\xF0\x12");
    command(0xFA); /* all of them: make, break and repeat */
    KEYBOARD("\xFA");
    press(KEY_UP);
    press(KEY_UP);
    release(KEY_UP);
    KEYBOARD("\x63\x63\xF0\x63");
    command(0xF9); /* make only */
    KEYBOARD("\xFA");
    press(KEY_UP);
    press(KEY_UP);
    release(KEY_UP);
    KEYBOARD("\x63");
    command(0xF8); /* make and break */
    KEYBOARD("\xFA");
    press(KEY_UP);
    press(KEY_UP);
    release(KEY_UP);
    KEYBOARD("\x63\xF0\x63");
    command(0xF7); /* repeating */
    KEYBOARD("\xFA");
    press(KEY_UP);
    press(KEY_UP);
    release(KEY_UP);
    KEYBOARD("\x63\x63");
    command(0xFC); /* a list of keys: make and break */
    KEYBOARD("\xFA");
    command(0x63);
    KEYBOARD("\xFA");
    command(0x1C);
    KEYBOARD("\xFA");
    command(0xEE); /* a command ends it */
    KEYBOARD("\xEE");
    tap(KEY_UP);
    tap(KEY_A);
    tap(KEY_B);
    KEYBOARD("\x63\xF0\x63\x1C\xF0\x1C\x32");
    command(0xFD);
    command(0x63);
    command(0xFB);
    command(0x1C);
    command(0xFC);
    command(0xE0); /* no such code: acknowledged, nothing happens */
    KEYBOARD("\xFA");
    command(0xF2);
    KEYBOARD("\xFA\xAB\x83");
    tap(KEY_UP);
    KEYBOARD("\x63");
    tap(KEY_F13); /* not on a set 3 keyboard */
    assert_false(ps2_keyboard_pending(&k));
    command(0xF6);
    KEYBOARD("\xFA");
    tap(KEY_A);
    KEYBOARD("\x1C\xF0\x1C");
}

static void keyboard_commands(void **state)
{
    (void)state;
    command(0xED);
    KEYBOARD("\xFA");
    command(0x07);
    KEYBOARD("\xFA");
    assert_int_equal(input_leds(input), 7);
    command(0xED);
    command(0xED); /* a command in place of the option byte is carried out */
    KEYBOARD("\xFA");
    command(0x02);
    KEYBOARD("\xFA");
    assert_int_equal(input_leds(input), 2);
    command(0xEE);
    KEYBOARD("\xEE");
    command(0xF2);
    KEYBOARD("\xFA\xAB\x83");
    command(0xFE); /* the byte sent last, again */
    KEYBOARD("\x83");
    command(0xF3);
    command(0x20);
    KEYBOARD("\xFA");
    assert_int_equal(k.typematic, 0x20);
    command(0xF0);
    command(0x00);
    KEYBOARD("\xFA\x02");
    command(0xF0);
    command(0x04); /* no such set */
    KEYBOARD("\xFE");
    command(0x12); /* no such command */
    KEYBOARD("\xFE");

    press(KEY_A);
    command(0xF5);
    KEYBOARD("\xFA"); /* stops, and what was queued is gone */
    assert_int_equal(k.typematic, 0x2B);
    press(KEY_B);
    release(KEY_B);
    assert_false(ps2_keyboard_pending(&k));
    command(0xF4);
    KEYBOARD("\xFA");
    tap(KEY_C);
    release(KEY_A);
    KEYBOARD("\x21\xF0\x21\xF0\x1C");

    command(0xF0);
    command(0x01);
    command(0xED);
    command(0x04);
    press(KEY_A);
    command(0xFF);
    KEYBOARD("\xFA\xAA");
    assert_int_equal(input_leds(input), 0);
    release(KEY_A); /* the guest knows of no key that is down */
    assert_false(ps2_keyboard_pending(&k));
    tap(KEY_B);
    KEYBOARD("\x32\xF0\x32");

    /* Every byte is answered, or is the first of two. */
    for (unsigned b = 0; b < 256; b++) {
        command((uint8_t)b);
        assert_true(ps2_link_answers(&k.link));
        while (ps2_keyboard_pending(&k))
            ps2_keyboard_take(&k);
    }
}

static void answers_come_before_keys(void **state)
{
    (void)state;
    press(KEY_A);
    command(0xEE);
    assert_true(ps2_link_answers(&k.link));
    KEYBOARD("\xEE\x1C");
    assert_int_equal(ps2_keyboard_take(&k), 0x1C); /* nothing waits: the last one again */
}

/* CVE-2017-8379: a viewer that types into a guest that does not read. */
static void queue_is_bounded(void **state)
{
    (void)state;
    unsigned bytes = 0, breaks = 0;
    for (unsigned i = 0; i < 1000000; i++) {
        static const unsigned keys[] = {KEY_A, KEY_RIGHTCTRL, KEY_PAUSE, KEY_SYSRQ, KEY_HANGEUL};
        ps2_keyboard_key(&k, keys[i % 5], i / 5 % 2 == 0);
        assert_true(k.count <= PS2_QUEUE_SIZE);
    }
    /* What comes out is made of whole codes. */
    while (ps2_keyboard_pending(&k)) {
        uint8_t b = ps2_keyboard_take(&k);
        bytes++;
        if (b == 0xE1) {
            static const uint8_t rest[] = {0x14, 0x77, 0xE1, 0xF0, 0x14, 0xF0, 0x77};
            for (unsigned i = 0; i < sizeof(rest); i++)
                assert_int_equal(ps2_keyboard_take(&k), rest[i]);
        } else if (b == 0xE0 || b == 0xF0) {
            if (b == 0xE0 && k.queue[k.first] == 0xF0)
                b = ps2_keyboard_take(&k);
            breaks += b == 0xF0;
            b = ps2_keyboard_take(&k);
            assert_true(b == 0x1C || b == 0x14 || b == 0x7C || b == 0x12 || b == 0x7E);
        } else {
            assert_true(b == 0x1C || b == 0xF2);
        }
    }
    assert_true(bytes > 100 && breaks > 0);
    press(KEY_B);
    KEYBOARD("\x32");
}

static void releases_are_not_lost(void **state)
{
    (void)state;
    unsigned n = 0;
    bool released = false;
    press(KEY_LEFTSHIFT);
    while (k.count < PS2_QUEUE_SIZE) /* fill the queue to the last byte */
        press(KEY_A + n % 2), release(KEY_A + n % 2), n++;
    release(KEY_LEFTSHIFT);
    press(KEY_LEFTSHIFT); /* no room for the release: the press must not come before it */
    release(KEY_LEFTSHIFT);
    assert_int_equal(k.count, PS2_QUEUE_SIZE);
    assert_int_equal(ps2_keyboard_take(&k), 0x12);
    while (ps2_keyboard_pending(&k)) {
        uint8_t b = ps2_keyboard_take(&k);
        if (b == 0xF0 && ps2_keyboard_take(&k) == 0x12)
            released = true;
        assert_int_not_equal(b, 0x12);
    }
    assert_true(released);
    assert_int_equal(k.owed[0] | k.owed[1] | k.owed[2] | k.owed[3], 0);

    /* A key whose press found no room needs no release. */
    press(KEY_LEFTCTRL);
    while (k.count < PS2_QUEUE_SIZE)
        press(KEY_A), release(KEY_A), press(KEY_HANGEUL), release(KEY_HANGEUL);
    tap(KEY_Z);
    while (ps2_keyboard_pending(&k))
        assert_int_not_equal(ps2_keyboard_take(&k), 0x1A);
}

static void repeats_do_not_fill_the_queue(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 1000; i++)
        press(KEY_A);
    assert_true(k.count >= 8 && k.count <= PS2_REPEAT_ROOM);
    release(KEY_A);
    press(KEY_B);
    while (k.count > 3)
        assert_int_equal(ps2_keyboard_take(&k), 0x1C);
    KEYBOARD("\xF0\x1C\x32");
}

static void unknown_keys(void **state)
{
    (void)state;
    for (unsigned code = 0; code < 70000; code += code < 1000 ? 1 : 997) {
        press(code);
        release(code);
        while (ps2_keyboard_pending(&k))
            assert_int_not_equal(ps2_keyboard_take(&k), 0); /* never scan code 0 */
    }
    press(~0u);
    press(KEY_RESERVED);
    assert_false(ps2_keyboard_pending(&k));
}

static void mouse_command(uint8_t byte)
{
    ps2_mouse_write(&m, byte);
}

static void rates(uint8_t a, uint8_t b, uint8_t c)
{
    const uint8_t rate[] = {a, b, c};
    for (unsigned i = 0; i < 3; i++) {
        mouse_command(0xF3);
        MOUSE("\xFA");
        mouse_command(rate[i]);
        MOUSE("\xFA");
    }
}

static void mouse_commands(void **state)
{
    (void)state;
    mouse_command(0xFF);
    MOUSE("\xFA\xAA\x00");
    mouse_command(0xF2);
    MOUSE("\xFA\x00");
    mouse_command(0xE9);
    MOUSE("\xFA\x00\x02\x64");
    mouse_command(0xE8);
    mouse_command(0x03);
    mouse_command(0xF3);
    mouse_command(40);
    mouse_command(0xE7);
    mouse_command(0xF4);
    MOUSE("\xFA");
    ps2_mouse_move(&m, 0, 0, 0, INPUT_BUTTON_LEFT | INPUT_BUTTON_RIGHT);
    mouse_command(0xE9);
    MOUSE("\xFA\x35\x03\x28");
    mouse_command(0xFE);
    MOUSE("\x28");
    mouse_command(0xE6);
    mouse_command(0xF0);
    mouse_command(0xE9);
    MOUSE("\xFA\x65\x03\x28");
    mouse_command(0xF6);
    mouse_command(0xE9);
    MOUSE("\xFA\x05\x02\x64");
    mouse_command(0xE1); /* no such command */
    MOUSE("\xFE");
    mouse_command(0xEE); /* wrap: all but EC and FF come back */
    MOUSE("\xFA");
    mouse_command(0xF4);
    MOUSE("\xF4");
    mouse_command(0x12);
    MOUSE("\x12");
    mouse_command(0xEC);
    MOUSE("\xFA");
    mouse_command(0xEE);
    mouse_command(0xFF);
    MOUSE("\xFA\xAA\x00");
    mouse_command(0xF3);
    mouse_command(0xF2); /* a command in place of the parameter */
    MOUSE("\xFA\x00");
    for (unsigned b = 0; b < 256; b++) {
        mouse_command((uint8_t)b);
        assert_true(ps2_link_answers(&m.link));
    }
}

static void mouse_knocks(void **state)
{
    (void)state;
    rates(200, 100, 80);
    mouse_command(0xF2);
    MOUSE("\xFA\x03");
    rates(200, 200, 80);
    mouse_command(0xF2);
    MOUSE("\xFA\x04");
    mouse_command(0xF6);
    mouse_command(0xF2);
    MOUSE("\xFA\x04");
    mouse_command(0xFF);
    MOUSE("\xFA\xAA\x00");
    rates(100, 200, 80);
    mouse_command(0xF2);
    MOUSE("\xFA\x00");
}

static void movement(void **state)
{
    (void)state;
    ps2_mouse_move(&m, 5, 5, 0, 0); /* reporting is off */
    assert_false(ps2_mouse_pending(&m));
    assert_int_equal(readies, 0);
    mouse_command(0xF4);
    MOUSE("\xFA");
    ps2_mouse_move(&m, 5, 3, 0, 0); /* down the screen is negative */
    assert_int_equal(readies, 1);
    MOUSE("\x28\x05\xFD");
    ps2_mouse_move(&m, -5, -3, 1, INPUT_BUTTON_MIDDLE); /* no wheel yet */
    MOUSE("\x1C\xFB\x03");
    ps2_mouse_move(&m, 0, 0, 0, INPUT_BUTTON_MIDDLE); /* nothing new */
    assert_false(ps2_mouse_pending(&m));
    ps2_mouse_move(&m, 0, 0, 0, 0);
    MOUSE("\x08\x00\x00");

    ps2_mouse_move(&m, 300, -600, 0, 0); /* more than a packet carries */
    MOUSE("\x08\xFF\xFF\x08\x2D\xFF\x08\x00\x5A");
    ps2_mouse_move(&m, -256, 0, 0, 0);
    MOUSE("\x18\x01\x00\x18\xFF\x00");

    /* Movement that waits is added up, but not across a click. */
    ps2_mouse_move(&m, 1, 0, 0, 0);
    ps2_mouse_move(&m, 2, 0, 0, 0);
    ps2_mouse_move(&m, 3, 0, 0, INPUT_BUTTON_LEFT);
    ps2_mouse_move(&m, 4, 0, 0, INPUT_BUTTON_LEFT);
    ps2_mouse_move(&m, 5, 0, 0, 0);
    MOUSE("\x08\x03\x00\x09\x07\x00\x08\x05\x00");

    mouse_command(0xE7); /* 2:1 */
    MOUSE("\xFA");
    ps2_mouse_move(&m, 3, -2, 0, 0);
    ps2_mouse_move(&m, 0, 0, 0, INPUT_BUTTON_LEFT);
    ps2_mouse_move(&m, -100, -4, 0, INPUT_BUTTON_LEFT);
    MOUSE("\x08\x03\x01\x19\x38\x06");

    /* A command ends a packet half sent. */
    ps2_mouse_move(&m, 10, 10, 0, 0);
    ps2_mouse_take(&m);
    mouse_command(0xE6);
    MOUSE("\xFA");
}

static void wheel_and_side_buttons(void **state)
{
    (void)state;
    rates(200, 100, 80);
    mouse_command(0xF4);
    MOUSE("\xFA");
    ps2_mouse_move(&m, 0, 0, 1, INPUT_BUTTON_SIDE); /* up: away from the user is negative */
    MOUSE("\x08\x00\x00\xFF");
    ps2_mouse_move(&m, 0, 0, -10, 0);
    MOUSE("\x08\x00\x00\x07\x08\x00\x00\x03");
    rates(200, 200, 80);
    ps2_mouse_move(&m, 1, 0, 1, INPUT_BUTTON_SIDE);
    ps2_mouse_move(&m, 0, 0, 0, INPUT_BUTTON_EXTRA);
    MOUSE("\x08\x01\x00\x1F\x08\x00\x00\x20");
}

static void remote_mode(void **state)
{
    (void)state;
    mouse_command(0xF0);
    MOUSE("\xFA");
    ps2_mouse_move(&m, 2, 0, 0, 0);
    ps2_mouse_move(&m, 3, -1, 0, INPUT_BUTTON_RIGHT);
    assert_false(ps2_mouse_pending(&m)); /* it waits to be asked */
    mouse_command(0xEB);
    MOUSE("\xFA\x0A\x05\x01");
    mouse_command(0xEB);
    MOUSE("\xFA\x0A\x00\x00");
    ps2_mouse_move(&m, 300, 300, 0, 0);
    mouse_command(0xEB);
    MOUSE("\xFA\xE8\xFF\x01"); /* overflow on both axes */
    mouse_command(0xEB);
    MOUSE("\xFA\x08\x00\x00");
    mouse_command(0xEA);
    mouse_command(0xF4);
    MOUSE("\xFA");
    ps2_mouse_move(&m, 1, 0, 0, 0);
    MOUSE("\x08\x01\x00");
}

static void mouse_flood(void **state)
{
    (void)state;
    unsigned packets = 0;
    uint8_t last = 0;
    mouse_command(0xF4);
    MOUSE("\xFA");
    for (unsigned i = 0; i < 100001; i++)
        ps2_mouse_move(&m, i % 2 ? INT32_MAX : 1000, INT32_MIN, INT32_MIN, i % 2 ? 0 : ~0u);
    while (ps2_mouse_pending(&m)) {
        last = ps2_mouse_take(&m);
        ps2_mouse_take(&m);
        ps2_mouse_take(&m);
        packets++;
    }
    assert_true(packets <= PS2_SAMPLES * 130);
    assert_int_equal(last & 7, 7); /* the buttons as they are at the end */
}

static void hostile_state(void **state)
{
    (void)state;
    struct err err;
    m.samples[3].dy = INT32_MIN;
    assert_false(ps2_mouse_loaded(&m, &err));
    m.samples[3].dy = -0x7FFF;
    assert_true(ps2_mouse_loaded(&m, &err));
    m.packet_first = 2;
    m.packet_count = 3;
    assert_false(ps2_mouse_loaded(&m, &err));
    k.owed[0] = 1;
    assert_false(ps2_keyboard_loaded(&k, &err));
    k.owed[0] = 0;
    assert_true(ps2_keyboard_loaded(&k, &err));
    k.link.pending = 0x55;
    command(0x01);
    KEYBOARD("\xFE");
    m.packet_count = 0;
    m.link.pending = 0x55;
    mouse_command(0x01);
    MOUSE("\xFA");
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, fresh, done)
    const struct CMUnitTest tests[] = {
        T(set2_codes),
        T(set1_codes),
        T(tables_agree),
        T(print_and_pause),
        T(set3_codes),
        T(keyboard_commands),
        T(answers_come_before_keys),
        T(queue_is_bounded),
        T(releases_are_not_lost),
        T(repeats_do_not_fill_the_queue),
        T(unknown_keys),
        T(mouse_commands),
        T(mouse_knocks),
        T(movement),
        T(wheel_and_side_buttons),
        T(remote_mode),
        T(mouse_flood),
        T(hostile_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
