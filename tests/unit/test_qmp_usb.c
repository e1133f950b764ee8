/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QMP: device_add and device_del of USB, as libxl sends them too. */
#include "tests/unit/qmp_rig.h"

#define ADD(arguments) "{\"execute\":\"device_add\",\"arguments\":{" arguments "}}"
#define DEL(id)        "{\"execute\":\"device_del\",\"arguments\":{\"id\":\"" id "\"}}"
#define DONE           "{\"return\":{}}"

static void test_devices(void **state)
{
    (void)state;
    int fd = client(0);
    expect(fd, ADD("\"driver\":\"usb-tablet\""), DONE);
    assert_string_equal(machine.usb, "0 - - -");
    expect(fd, ADD("\"driver\":\"usb-kbd\",\"id\":\"k\",\"bus\":\"usb-bus.0\",\"port\":\"2.1\""),
           DONE);
    assert_string_equal(machine.usb, "2 k usb-bus.0 2.1");
    expect_error(fd, ADD("\"driver\":\"usb-kbd\",\"port\":\"2.\""), "GenericError", "port");
    expect_error(fd, ADD("\"driver\":\"usb-kbd\",\"id\":\"1\""), "GenericError", "id");
    expect_error(fd, ADD("\"driver\":\"e1000\""), "GenericError", "e1000|vif=|network-attach");
    expect_error(fd, ADD("\"driver\":\"virtio-net-pci\""), "GenericError", "no such device");
    expect_error(fd, ADD("\"id\":\"x\""), "GenericError", "driver");
    machine.fail = true;
    expect_error(fd, ADD("\"driver\":\"usb-hub\""), "GenericError", "refuses");
    goodbye(fd);
}

/* libxl's usbctrl (type=devicemodel) and usbdev (type=hostdev). */
static void test_libxl(void **state)
{
    (void)state;
    int fd = client(0);
    expect(fd, ADD("\"driver\":\"piix3-usb-uhci\",\"id\":\"xenusb-0\""), DONE);
    assert_string_equal(machine.usb, "controller xenusb-0");
    expect_error(fd, ADD("\"driver\":\"piix3-usb-uhci\""), "GenericError", "id");
    expect(fd, ADD("\"driver\":\"nec-usb-xhci\",\"id\":\"xenusb-0\",\"p2\":8,\"p3\":8"), DONE);
    assert_string_equal(machine.usb, "xHCI xenusb-0 8+8");
    expect_error(fd, ADD("\"driver\":\"nec-usb-xhci\",\"id\":\"x\",\"p2\":16"), "GenericError",
                 "p2");
    expect_error(fd, ADD("\"driver\":\"nec-usb-xhci\",\"id\":\"x\",\"p3\":-1"), "GenericError",
                 "p3");
    expect_error(fd,
                 ADD("\"driver\":\"usb-host\",\"id\":\"xenusb-1-2\",\"bus\":\"xenusb-0.0\","
                     "\"port\":\"1\",\"hostbus\":\"1\",\"hostaddr\":\"2\""),
                 "GenericError", "usb-host|not passed through");
    goodbye(fd);
}

static void test_pulled_out(void **state)
{
    (void)state;
    int fd = client(0), other = client(1);
    say(fd, DEL("tablet"));
    bool answered = false, told = false;
    for (int i = 0; i < 2; i++) {
        json_t *json = answer(fd);
        answered |= json_object_get(json, "return") != NULL;
        told |= json_object_get(json, "event") != NULL;
        json_decref(json);
    }
    assert_true(answered && told);
    json_t *event = answer(other);
    assert_string_equal(json_string_value(json_object_get(event, "event")), "DEVICE_DELETED");
    json_t *data = json_object_get(event, "data");
    assert_string_equal(json_string_value(json_object_get(data, "device")), "tablet");
    json_decref(event);
    expect_error(fd, DEL("other"), "DeviceNotFound", "other");
    goodbye(fd);
    goodbye(other);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {T(test_devices), T(test_libxl), T(test_pulled_out)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
