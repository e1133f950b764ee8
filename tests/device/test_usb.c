/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The USB tablet, mouse and keyboard, as a driver behind UHCI sees them. */
#include "tests/device/usb_rig.h"

#include <linux/input-event-codes.h>

static struct usb_rig *t;

static int setup(void **state)
{
    (void)state;
    t = usb_rig_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    usb_rig_free(t);
    return 0;
}

static void ready(enum config_usb_kind kind)
{
    assert_true(plug(t, kind, "it", NULL));
    start(t);
    enumerate(t, 0, 5);
}

static void expect(const uint8_t *want, size_t len)
{
    assert_int_equal(report(t, 5, 8), len);
    assert_memory_equal(ram(t, INTR_DATA), want, len);
}
#define EXPECT(...)                            \
    do {                                       \
        const uint8_t want_[] = {__VA_ARGS__}; \
        expect(want_, sizeof(want_));          \
    } while (0)

static void nothing(void)
{
    assert_int_equal(report(t, 5, 8), -1);
}

/* --- standard requests --- */

static void descriptors_fit_together(void **state)
{
    static const struct {
        enum config_usb_kind kind;
        unsigned subclass, protocol;
        const char *product;
    } kinds[] = {
        {CONFIG_USB_TABLET, 0, 0, "QEMU USB Tablet"},
        {CONFIG_USB_MOUSE, 1, 2, "QEMU USB Mouse"},
        {CONFIG_USB_KEYBOARD, 1, 1, "QEMU USB Keyboard"},
    };
    (void)state;
    for (unsigned k = 0; k < 3; k++) {
        struct err err;
        ready(kinds[k].kind);
        const uint8_t *d = ram(t, DATA);
        assert_int_equal(control(t, 5, 0x80, 6, 0x0100, 0, 64), 18);
        assert_int_equal(d[0], 18);
        assert_int_equal(d[7], 8); /* packets of the default pipe */
        assert_int_equal(d[8] | d[9] << 8, 0x0627);
        assert_int_equal(d[17], 1); /* one configuration */
        assert_int_equal(control(t, 5, 0x80, 6, 0x0200, 0, 9), 9);
        assert_int_equal(d[2] | d[3] << 8, 34);
        assert_int_equal(control(t, 5, 0x80, 6, 0x0200, 0, 255), 34);
        assert_int_equal(d[9 + 5], 3);
        assert_int_equal(d[9 + 6], kinds[k].subclass);
        assert_int_equal(d[9 + 7], kinds[k].protocol);
        assert_int_equal(d[18 + 1], 0x21);
        const int report_len = d[18 + 7] | d[18 + 8] << 8;
        assert_int_equal(d[27 + 2], 0x81);
        assert_int_equal(control(t, 5, 0x81, 6, 0x2200, 0, 255), report_len);
        assert_int_equal(d[0], 0x05);
        assert_int_equal(d[report_len - 1], 0xC0);
        int open = 0;
        for (int i = 0; i < report_len; i += 1 + (d[i] & 3)) /* 6.2.2.2: short items */
            open += (d[i] & 0xFC) == 0xA0 ? 1 : (d[i] & 0xFC) == 0xC0 ? -1 : 0;
        assert_int_equal(open, 0);
        assert_int_equal(control(t, 5, 0x81, 6, 0x2100, 0, 9), 9);
        assert_int_equal(control(t, 5, 0x80, 6, 0x0300, 0, 255), 4);
        assert_int_equal(d[2] | d[3] << 8, 0x0409);
        const size_t n = strlen(kinds[k].product);
        assert_int_equal(control(t, 5, 0x80, 6, 0x0302, 0x0409, 255), 2 + 2 * n);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(d[2 + 2 * i], kinds[k].product[i]);
        assert_int_equal(control(t, 5, 0x80, 6, 0x0303, 0x0409, 255), -1);
        assert_int_equal(control(t, 5, 0x80, 6, 0x0600, 0, 10), -1); /* no other speed */
        assert_int_equal(control(t, 5, 0x80, 6, 0x0201, 0, 9), -1);
        assert_true(usb_set_unplug(t->set, "it", &err));
    }
}

static void standard_requests(void **state)
{
    (void)state;
    ready(CONFIG_USB_TABLET);
    const uint8_t *d = ram(t, DATA);
    assert_int_equal(control(t, 5, 0x80, 8, 0, 0, 1), 1);
    assert_int_equal(d[0], 1);
    assert_int_equal(control(t, 5, 0x80, 0, 0, 0, 2), 2);
    assert_int_equal(d[0], 0);
    assert_int_equal(control(t, 5, 0x00, 3, 1, 0, 0), 0); /* remote wakeup on */
    assert_int_equal(control(t, 5, 0x80, 0, 0, 0, 2), 2);
    assert_int_equal(d[0], 2);
    assert_int_equal(control(t, 5, 0x00, 1, 1, 0, 0), 0);
    assert_int_equal(control(t, 5, 0x00, 3, 2, 0, 0), -1);   /* test mode: high speed's */
    assert_int_equal(control(t, 5, 0x02, 3, 0, 0x81, 0), 0); /* halt */
    assert_int_equal(control(t, 5, 0x82, 0, 0, 0x81, 2), 2);
    assert_int_equal(d[0], 1);
    ask(t, 5, 8);
    ms(t, 40);
    assert_int_equal(get32(t, INTR_TD + 4) & (STALLED | ACTIVE), STALLED);
    assert_int_equal(control(t, 5, 0x02, 1, 0, 0x81, 0), 0);
    nothing();
    assert_int_equal(control(t, 5, 0x82, 0, 0, 0x82, 2), -1);
    assert_int_equal(control(t, 5, 0x81, 10, 0, 0, 1), 1);
    assert_int_equal(control(t, 5, 0x01, 11, 0, 0, 0), 0);
    assert_int_equal(control(t, 5, 0x01, 11, 1, 0, 0), -1);
    assert_int_equal(control(t, 5, 0x00, 9, 2, 0, 0), -1);
    assert_int_equal(control(t, 5, 0x00, 7, 0x0100, 0, 8), -1); /* SET_DESCRIPTOR */
    assert_int_equal(control(t, 5, 0x82, 12, 0, 0x81, 2), -1);  /* SYNCH_FRAME */
    assert_int_equal(control(t, 5, 0xC0, 1, 0, 0, 8), -1);      /* a vendor's */
    assert_int_equal(control(t, 5, 0x00, 5, 128, 0, 0), -1);
    /* Another address: the old one is silent. */
    assert_int_equal(control(t, 5, 0x00, 5, 9, 0, 0), 0);
    assert_int_equal(control(t, 9, 0x80, 8, 0, 0, 1), 1);
    assert_int_equal(control(t, 5, 0x80, 8, 0, 0, 1), -1);
}

/* --- tablet --- */

static void corners_are_hit(void **state)
{
    (void)state;
    ready(CONFIG_USB_TABLET);
    assert_true(input_pointer_is_absolute(t->input));
    input_pointer_at(t->input, 1023, 767, 1024, 768, 0, 0);
    EXPECT(0, 0xFF, 0x7F, 0xFF, 0x7F, 0);
    input_pointer_at(t->input, 0, 0, 1024, 768, 0, 0);
    EXPECT(0, 0, 0, 0, 0, 0);
    input_pointer_at(t->input, 1023, 0, 1024, 768, 0, 0);
    EXPECT(0, 0xFF, 0x7F, 0, 0, 0);
    input_pointer_at(t->input, 0, 767, 1024, 768, 0, 0);
    EXPECT(0, 0, 0, 0xFF, 0x7F, 0);
    input_pointer_at(t->input, 9999, 9999, 800, 600, 0, 0);
    EXPECT(0, 0xFF, 0x7F, 0xFF, 0x7F, 0);
    nothing();
}

static void tablet_buttons_and_wheel(void **state)
{
    (void)state;
    ready(CONFIG_USB_TABLET);
    input_pointer_at(t->input, 0, 0, 10, 10, 0, INPUT_BUTTON_LEFT);
    EXPECT(0x01, 0, 0, 0, 0, 0);
    input_pointer_at(t->input, 0, 0, 10, 10, 0, INPUT_BUTTON_RIGHT);
    EXPECT(0x02, 0, 0, 0, 0, 0);
    input_pointer_at(t->input, 0, 0, 10, 10, 0, INPUT_BUTTON_MIDDLE | INPUT_BUTTON_EXTRA);
    EXPECT(0x14, 0, 0, 0, 0, 0);
    input_pointer_at(t->input, 0, 0, 10, 10, 1, 0);
    input_pointer_at(t->input, 0, 0, 10, 10, 1, 0);
    EXPECT(0, 0, 0, 0, 0, 2);
    input_pointer_at(t->input, 0, 0, 10, 10, -200, 0);
    EXPECT(0, 0, 0, 0, 0, 0x81);
    EXPECT(0, 0, 0, 0, 0, 0xB7); /* -73 */
    nothing();
    /* A click between two reports is not lost. */
    input_pointer_at(t->input, 0, 0, 10, 10, 0, INPUT_BUTTON_LEFT);
    input_pointer_at(t->input, 0, 0, 10, 10, 0, 0);
    EXPECT(0x01, 0, 0, 0, 0, 0);
    EXPECT(0x00, 0, 0, 0, 0, 0);
    nothing();
    /* Moves with the same buttons become one; no flood of clicks is kept. */
    for (int i = 0; i < 1000; i++)
        input_pointer_at(t->input, i % 10, 0, 10, 10, 0, (unsigned)i & 1);
    unsigned reports = 0;
    while (report(t, 5, 8) >= 0)
        assert_true(++reports < 40);
    assert_int_equal(ram(t, INTR_DATA)[0], 1);
    assert_int_equal(ram(t, INTR_DATA)[1] | ram(t, INTR_DATA)[2] << 8, 0x7FFF);
}

static void the_last_configured_gets_events(void **state)
{
    struct err err;
    (void)state;
    ready(CONFIG_USB_TABLET);
    assert_true(plug(t, CONFIG_USB_MOUSE, "mouse", "2"));
    const struct input_pointer *tablet = input_pointer_nth(t->input, 0),
                               *mouse = input_pointer_nth(t->input, 1);
    assert_ptr_equal(input_current_pointer(t->input), tablet);
    enumerate(t, 1, 6);
    assert_ptr_equal(input_current_pointer(t->input), mouse);
    assert_int_equal(control(t, 6, 0x00, 9, 0, 0, 0), 0); /* configuration 0 */
    assert_ptr_equal(input_current_pointer(t->input), tablet);
    assert_int_equal(control(t, 6, 0x00, 9, 1, 0, 0), 0);
    reset_port(t, 1);
    assert_ptr_equal(input_current_pointer(t->input), tablet);
    assert_true(usb_set_unplug(t->set, "it", &err));
    assert_null(input_current_pointer(t->input));
    assert_ptr_equal(input_pointer_nth(t->input, 0), mouse);
    assert_false(usb_set_unplug(t->set, "it", &err));
}

/* --- mouse --- */

static void mouse_moves(void **state)
{
    (void)state;
    ready(CONFIG_USB_MOUSE);
    assert_false(input_pointer_is_absolute(t->input));
    input_pointer_by(t->input, 5, -3, 100, 100, 0, INPUT_BUTTON_LEFT);
    EXPECT(0x01, 5, 0xFD, 0);
    input_pointer_by(t->input, 300, -128, 100, 100, 0, 0);
    EXPECT(0, 127, 0x81, 0);
    EXPECT(0, 127, 0xFF, 0);
    EXPECT(0, 46, 0, 0);
    nothing();
    input_pointer_by(t->input, 0, 0, 100, 100, -1, 0);
    EXPECT(0, 0, 0, 0xFF);
    assert_int_equal(control(t, 5, 0x21, 11, 0, 0, 0), 0); /* boot protocol */
    assert_int_equal(control(t, 5, 0xA1, 3, 0, 0, 1), 1);
    assert_int_equal(ram(t, DATA)[0], 0);
    input_pointer_by(t->input, 1, 2, 100, 100, 0, 0);
    EXPECT(0, 1, 2);
    for (int i = 0; i < 10000; i++)
        input_pointer_by(t->input, 1 << 30, 0, 100, 100, 0, 0);
    assert_int_equal(report(t, 5, 8), 3);
    /* A reset on the bus brings the report protocol back. */
    enumerate(t, 0, 5);
    assert_int_equal(control(t, 5, 0xA1, 3, 0, 0, 1), 1);
    assert_int_equal(ram(t, DATA)[0], 1);
    assert_int_equal(control(t, 5, 0x21, 11, 2, 0, 0), -1);
    assert_int_equal(control(t, 5, 0xA1, 1, 0x0100, 0, 8), 4); /* GET_REPORT, input */
    assert_int_equal(control(t, 5, 0xA1, 1, 0x0300, 0, 8), -1);
    assert_int_equal(control(t, 5, 0x21, 9, 0x0200, 0, 1), -1); /* it has no LEDs */
}

/* --- keyboard --- */

static void key(unsigned code, bool down)
{
    input_key(t->input, code, down);
}

static void keys_are_reported(void **state)
{
    (void)state;
    ready(CONFIG_USB_KEYBOARD);
    assert_int_equal(control(t, 5, 0x21, 10, 0, 0, 0), 0); /* reports on change only */
    key(KEY_A, true);
    EXPECT(0, 0, 0x04, 0, 0, 0, 0, 0);
    key(KEY_A, true); /* a viewer's repetition */
    nothing();
    key(KEY_LEFTSHIFT, true);
    key(KEY_RIGHTMETA, true);
    EXPECT(0x02, 0, 0x04, 0, 0, 0, 0, 0);
    EXPECT(0x82, 0, 0x04, 0, 0, 0, 0, 0);
    key(KEY_A, false);
    key(KEY_LEFTSHIFT, false);
    key(KEY_RIGHTMETA, false);
    EXPECT(0x82, 0, 0, 0, 0, 0, 0, 0);
    EXPECT(0x80, 0, 0, 0, 0, 0, 0, 0);
    EXPECT(0, 0, 0, 0, 0, 0, 0, 0);
    key(KEY_Z, true); /* a press and its release, both told */
    key(KEY_Z, false);
    EXPECT(0, 0, 0x1D, 0, 0, 0, 0, 0);
    EXPECT(0, 0, 0, 0, 0, 0, 0, 0);
    key(KEY_PREVIOUSSONG, true); /* not on this page */
    nothing();
    /* Seven keys: roll-over; six again: they are all there. */
    static const unsigned seven[] = {KEY_1, KEY_2, KEY_3, KEY_4, KEY_5, KEY_6, KEY_7};
    for (unsigned i = 0; i < 7; i++)
        key(seven[i], true);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(report(t, 5, 8), 8);
    EXPECT(0, 0, 1, 1, 1, 1, 1, 1);
    key(KEY_1, false);
    EXPECT(0, 0, 0x1F, 0x20, 0x21, 0x22, 0x23, 0x24);
    assert_int_equal(control(t, 5, 0xA1, 1, 0x0100, 0, 8), 8);
    assert_int_equal(ram(t, DATA)[2], 0x1F);
}

/* CVE-2017-8379's class: a viewer's million of keys; what the guest has in the end is what is held.
 */
static void a_flood_of_keys_ends_well(void **state)
{
    (void)state;
    ready(CONFIG_USB_KEYBOARD);
    assert_int_equal(control(t, 5, 0x21, 10, 0, 0, 0), 0);
    for (unsigned i = 0; i < 1000000; i++)
        key(KEY_A + i % 9, i / 9 & 1);
    for (unsigned i = 0; i < 9; i++)
        key(KEY_A + i, false);
    key(KEY_ENTER, true);
    unsigned reports = 0;
    while (report(t, 5, 8) >= 0)
        assert_true(++reports < 100);
    static const uint8_t enter[] = {0, 0, 0x28, 0, 0, 0, 0, 0};
    assert_memory_equal(ram(t, INTR_DATA), enter, 8);
}

static void leds_are_set(void **state)
{
    (void)state;
    ready(CONFIG_USB_KEYBOARD);
    ram(t, DATA)[0] = 0x07;
    assert_int_equal(control(t, 5, 0x21, 9, 0x0200, 0, 1), 1);
    assert_int_equal(input_leds(t->input), 7);
    ram(t, DATA)[0] = 0x02; /* Caps Lock */
    assert_int_equal(control(t, 5, 0x21, 9, 0x0200, 0, 1), 1);
    assert_int_equal(input_leds(t->input), 4);
    ram(t, DATA)[0] = 0;
    assert_int_equal(control(t, 5, 0xA1, 1, 0x0200, 0, 1), 1);
    assert_int_equal(ram(t, DATA)[0], 2);
    assert_int_equal(control(t, 5, 0x21, 9, 0x0200, 0, 2), -1);
    assert_int_equal(control(t, 5, 0x21, 9, 0x0200, 1, 1), -1);
    reset_port(t, 0);
    assert_int_equal(input_leds(t->input), 0);
}

/* 7.2.4: the same again after the idle time; 500 ms unless the host says otherwise. */
static void idle_reports(void **state)
{
    (void)state;
    ready(CONFIG_USB_KEYBOARD);
    assert_int_equal(control(t, 5, 0xA1, 2, 0, 0, 1), 1);
    assert_int_equal(ram(t, DATA)[0], 125);
    ask(t, 5, 8);
    ms(t, 300);
    assert_int_equal(answer(t), -1);
    ms(t, 400);
    assert_int_equal(answer(t), 8);
    assert_int_equal(control(t, 5, 0x21, 10, 25 << 8, 0, 0), 0); /* 100 ms */
    assert_int_equal(report(t, 5, 8), 8);
    for (unsigned i = 0; i < 3; i++) {
        ask(t, 5, 8);
        ms(t, 60);
        assert_int_equal(answer(t), -1);
        ms(t, 50);
        assert_int_equal(answer(t), 8);
    }
    assert_int_equal(control(t, 5, 0x21, 10, 0, 0, 0), 0);
    ask(t, 5, 8);
    ms(t, 5000);
    assert_int_equal(answer(t), -1);
    assert_int_equal(control(t, 5, 0x21, 10, 1, 0, 0), -1); /* there is no report 1 */
}

/* --- life --- */

/* In the middle of a control transfer, with events waiting: another machine goes on. */
static void state_moves(void **state)
{
    uint8_t *stream;
    size_t len;
    struct err err;
    (void)state;
    ready(CONFIG_USB_TABLET);
    input_pointer_at(t->input, 9, 9, 10, 10, 0, INPUT_BUTTON_LEFT);
    input_pointer_at(t->input, 0, 0, 10, 10, 0, 0);
    /* GET_DESCRIPTOR: the setup and one packet of the data stage */
    static const uint8_t setup_packet[8] = {0x80, 6, 0, 1, 0, 0, 18, 0};
    memcpy(ram(t, SETUP_DATA), setup_packet, 8);
    put_td(t, TDS, (TDS + 16) | DEPTH, ACTIVE, PID_SETUP, 5, 0, 8, SETUP_DATA);
    put_td(t, TDS + 16, END, ACTIVE, PID_IN, 5, 0, 8, DATA);
    put32(t, CONTROL_QH + 4, TDS);
    ms(t, 3);
    assert_int_equal(get32(t, CONTROL_QH + 4), END);
    const uint16_t frame = rig_inw(t->rig, FRNUM);
    devices_quiesce(&t->rig->devices);
    assert_true(devices_save(&t->rig->devices, &stream, &len, &err));
    devices_reset(&t->rig->devices);
    assert_null(input_current_pointer(t->input));
    t->rig->now += 12345 * NS_PER_MS;
    assert_true(devices_load(&t->rig->devices, stream, len, &err));
    free(stream);
    devices_resume(&t->rig->devices);
    assert_non_null(input_current_pointer(t->input));
    assert_int_equal(rig_inw(t->rig, FRNUM), frame);
    put_td(t, TDS, (TDS + 16) | DEPTH, ACTIVE, PID_IN, 5, 0, 8, DATA + 8);
    put_td(t, TDS + 16, (TDS + 32) | DEPTH, ACTIVE, PID_IN, 5, 0, 8, DATA + 16);
    put_td(t, TDS + 32, END, ACTIVE, PID_OUT, 5, 0, 0, 0);
    put32(t, CONTROL_QH + 4, TDS);
    ms(t, 3);
    assert_int_equal(get32(t, CONTROL_QH + 4), END);
    assert_int_equal(ram(t, DATA)[0], 18);
    assert_int_equal(ram(t, DATA)[17], 1);
    EXPECT(0x01, 0xFF, 0x7F, 0xFF, 0x7F, 0);
    EXPECT(0x00, 0, 0, 0, 0, 0);
    nothing();
}

static void standard_tests(void **state)
{
    (void)state;
    ready(CONFIG_USB_KEYBOARD);
    key(KEY_A, true);
    rig_standard_tests(t->rig, t->rig->devices.last);
    assert_true(plug(t, CONFIG_USB_TABLET, NULL, "2"));
    rig_standard_tests(t->rig, t->rig->devices.last);
}

static void impossible_states_are_refused(void **state)
{
    struct err err;
    (void)state;
    ready(CONFIG_USB_TABLET);
    struct device *d = t->rig->devices.last;
    const size_t len = state_size(d->class->state, d->class->version);
    uint8_t *record = malloc(len);
    assert_non_null(record);
    state_save(d->class->state, d, d->class->version, record);
    record[13] = 1; /* `at` beyond `count` */
    assert_false(device_load(d, d->class->version, record, len, &err));
    assert_non_null(strstr(err.text, "control pipe"));
    free(record);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(descriptors_fit_together),
        TEST(standard_requests),
        TEST(corners_are_hit),
        TEST(tablet_buttons_and_wheel),
        TEST(the_last_configured_gets_events),
        TEST(mouse_moves),
        TEST(keys_are_reported),
        TEST(a_flood_of_keys_ends_well),
        TEST(leds_are_set),
        TEST(idle_reports),
        TEST(state_moves),
        TEST(standard_tests),
        TEST(impossible_states_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
