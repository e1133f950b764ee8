/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The USB hub, and what is behind it, as a driver behind UHCI sees them. */
#include "tests/device/usb_rig.h"

#define HUB 2

static struct usb_rig *t;

static int setup(void **state)
{
    (void)state;
    t = usb_rig_new();
    assert_true(plug(t, CONFIG_USB_HUB, "hub", "1"));
    start(t);
    enumerate(t, 0, HUB);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    usb_rig_free(t);
    return 0;
}

static uint32_t port_status(unsigned n)
{
    const uint8_t *d = ram(t, DATA);
    assert_int_equal(control(t, HUB, 0xA3, 0, 0, n, 4), 4);
    return d[0] | d[1] << 8 | d[2] << 16 | (uint32_t)d[3] << 24;
}

static int set_feature(unsigned n, unsigned feature)
{
    return control(t, HUB, 0x23, 3, feature, n, 0);
}

static int clear_feature(unsigned n, unsigned feature)
{
    return control(t, HUB, 0x23, 1, feature, n, 0);
}

static unsigned changes(void)
{
    const int n = report(t, HUB, 2);
    if (n < 0)
        return 0;
    assert_int_equal(n, 2);
    return ram(t, INTR_DATA)[0] | (unsigned)ram(t, INTR_DATA)[1] << 8;
}

/* Power, connection, reset, as drivers go about it; then an address and a configuration. */
static void bring_up(unsigned n, unsigned address)
{
    assert_int_equal(set_feature(n, 8), 0);
    assert_int_equal(port_status(n), 0x00010101);
    assert_int_equal(clear_feature(n, 16), 0);
    assert_int_equal(set_feature(n, 4), 0);
    assert_int_equal(port_status(n), 0x00100103);
    assert_int_equal(clear_feature(n, 20), 0);
    assert_int_equal(control(t, 0, 0x00, 5, address, 0, 0), 0);
    assert_int_equal(control(t, address, 0x00, 9, 1, 0, 0), 0);
}

static void descriptors(void **state)
{
    const uint8_t *d = ram(t, DATA);
    (void)state;
    assert_int_equal(control(t, HUB, 0x80, 6, 0x0100, 0, 18), 18);
    assert_int_equal(d[4], 9);
    assert_int_equal(control(t, HUB, 0x80, 6, 0x0200, 0, 255), 25);
    assert_int_equal(d[7], 0xE0); /* has power of its own, wakes */
    assert_int_equal(d[20], 0x81);
    assert_int_equal(control(t, HUB, 0xA0, 6, 0x2900, 0, 71), 11);
    assert_int_equal(d[0], 11);
    assert_int_equal(d[2], 8);
    assert_int_equal(control(t, HUB, 0xA0, 0, 0, 0, 4), 4);
    assert_int_equal(control(t, HUB, 0x80, 0, 0, 0, 2), 2);
    assert_int_equal(d[0], 1);
    assert_int_equal(control(t, HUB, 0x20, 1, 0, 0, 0), 0);
    assert_int_equal(control(t, HUB, 0x20, 1, 2, 0, 0), -1);
    assert_int_equal(control(t, HUB, 0xA0, 6, 0x2A00, 0, 71), -1);
    assert_int_equal(control(t, HUB, 0xA3, 0, 0, 0, 4), -1); /* ports are 1 to 8 */
    assert_int_equal(control(t, HUB, 0xA3, 0, 0, 9, 4), -1);
    assert_int_equal(control(t, HUB, 0x23, 3, 8, 0x0100, 0), -1);
    assert_int_equal(control(t, HUB, 0x23, 3, 77, 1, 0), -1);
    assert_int_equal(control(t, HUB, 0x23, 1, 77, 1, 0), -1);
}

static void ports_come_to_life(void **state)
{
    struct err err;
    (void)state;
    assert_int_equal(port_status(3), 0);
    assert_true(plug(t, CONFIG_USB_TABLET, "tablet", "1.3"));
    assert_int_equal(port_status(3), 0); /* no power */
    assert_int_equal(changes(), 0);
    for (unsigned n = 1; n <= 8; n++)
        assert_int_equal(set_feature(n, 8), 0);
    assert_int_equal(changes(), 1u << 3);
    bring_up(3, 7);
    assert_non_null(input_current_pointer(t->input));
    assert_int_equal(changes(), 0);
    input_pointer_at(t->input, 1, 0, 2, 2, 0, 0);
    assert_int_equal(report(t, 7, 8), 6);
    /* Another one while it runs. */
    assert_true(plug(t, CONFIG_USB_MOUSE, "mouse", "1.8"));
    assert_int_equal(changes(), 1u << 8);
    assert_int_equal(port_status(8), 0x00010101);
    bring_up(8, 9);
    input_pointer_by(t->input, 1, 1, 2, 2, 0, 0);
    assert_int_equal(report(t, 9, 8), 4);
    /* Disabled: nobody is there. */
    assert_int_equal(clear_feature(3, 1), 0);
    assert_int_equal(port_status(3), 0x00000101);
    assert_int_equal(control(t, 7, 0x80, 0, 0, 0, 2), -1);
    /* Pulled out. */
    assert_true(usb_set_unplug(t->set, "mouse", &err));
    assert_int_equal(port_status(8), 0x00010100);
    assert_int_equal(changes(), 1u << 8);
    assert_int_equal(clear_feature(8, 16), 0);
    assert_int_equal(set_feature(8, 4), 0); /* reset of an empty port */
    assert_int_equal(port_status(8), 0x00000100);
    assert_int_equal(clear_feature(3, 8), 0);
    assert_int_equal(port_status(3), 0);
}

static void sleep_and_wake(void **state)
{
    (void)state;
    assert_true(plug(t, CONFIG_USB_TABLET, "tablet", "1.1"));
    bring_up(1, 7);
    assert_int_equal(control(t, 7, 0x00, 3, 1, 0, 0), 0); /* may wake */
    assert_int_equal(set_feature(1, 2), 0);
    assert_int_equal(port_status(1), 0x00000107);
    assert_int_equal(control(t, 7, 0x80, 0, 0, 0, 2), -1);
    input_pointer_at(t->input, 1, 1, 2, 2, 0, 0);
    assert_int_equal(changes(), 2);
    assert_int_equal(port_status(1), 0x00040103);
    assert_int_equal(clear_feature(1, 18), 0);
    assert_int_equal(report(t, 7, 8), 6);
    /* By the host */
    assert_int_equal(set_feature(1, 2), 0);
    assert_int_equal(clear_feature(1, 2), 0);
    assert_int_equal(port_status(1), 0x00040103);
    assert_int_equal(clear_feature(1, 18), 0);
    /* The whole bus sleeps: it goes up through the hub. */
    rig_outw(t->rig, USBCMD, 0x00C0);
    rig_outw(t->rig, USBCMD, 0x00C8);
    input_pointer_at(t->input, 0, 1, 2, 2, 0, 0);
    assert_int_equal(rig_inw(t->rig, USBCMD), 0x00D8);
    assert_int_equal(rig_inw(t->rig, USBSTS) & 4, 4);
}

static void a_reset_takes_all_behind_it(void **state)
{
    (void)state;
    assert_true(plug(t, CONFIG_USB_TABLET, "tablet", "1.1"));
    bring_up(1, 7);
    enumerate(t, 0, HUB);
    assert_int_equal(port_status(1), 0);
    assert_int_equal(control(t, 7, 0x80, 0, 0, 0, 2), -1);
    bring_up(1, 8);
}

static void state_moves(void **state)
{
    uint8_t *stream, *again;
    size_t len, again_len;
    struct err err;
    (void)state;
    assert_true(plug(t, CONFIG_USB_TABLET, "tablet", "1.1"));
    assert_true(plug(t, CONFIG_USB_HUB, "inner", "1.2"));
    assert_true(plug(t, CONFIG_USB_KEYBOARD, "kbd", "1.2.5"));
    bring_up(1, 7);
    assert_int_equal(set_feature(2, 8), 0);
    devices_quiesce(&t->rig->devices);
    assert_true(devices_save(&t->rig->devices, &stream, &len, &err));
    devices_reset(&t->rig->devices);
    assert_true(devices_load(&t->rig->devices, stream, len, &err));
    assert_true(devices_save(&t->rig->devices, &again, &again_len, &err));
    assert_int_equal(len, again_len);
    assert_memory_equal(stream, again, len);
    free(again);
    devices_resume(&t->rig->devices);
    input_pointer_at(t->input, 1, 1, 2, 2, 0, 0);
    assert_int_equal(report(t, 7, 8), 6);
    assert_int_equal(changes(), 4);
    /* Where something else is plugged in, the state is another machine's. */
    assert_true(usb_set_unplug(t->set, "kbd", &err));
    assert_false(devices_load(&t->rig->devices, stream, len, &err));
    free(stream);
    for (struct device *d = t->rig->devices.first; d; d = d->next)
        if (!strcmp(d->class->name, "usb-hub"))
            rig_standard_tests(t->rig, d);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(descriptors),    TEST(ports_come_to_life),
        TEST(sleep_and_wake), TEST(a_reset_takes_all_behind_it),
        TEST(state_moves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
