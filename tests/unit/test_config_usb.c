/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config: the words for USB, libxl's own among them. */
#include "tests/unit/config_rig.h"

static void test_libxl_lines(void **state)
{
    (void)state;
    /* xl: usb=1 usbdevice=["tablet","mouse"] */
    accepted(BASE "-usb -usbdevice tablet -usbdevice mouse -net none");
    assert_true(config.usb);
    assert_int_equal(config.usb_device_count, 2);
    assert_int_equal(config.usb_devices[0].kind, CONFIG_USB_TABLET);
    assert_int_equal(config.usb_devices[1].kind, CONFIG_USB_MOUSE);
    assert_null(config.usb_devices[0].id);
    assert_null(config.usb_devices[0].port);
    accepted(BASE "-usbdevice keyboard"); /* brings the controller */
    assert_true(config.usb);
    assert_int_equal(config.usb_devices[0].kind, CONFIG_USB_KEYBOARD);
    accepted(BASE "-usb");
    assert_true(config.usb);
    accepted(BASE);
    assert_false(config.usb);
    accepted("-xen-domid 7 -machine xenfv,usb=on -m 56");
    assert_true(config.usb);
    accepted("-xen-domid 7 -machine xenfv,usb=off -m 56");
    assert_false(config.usb);
    /* xl: usbversion=1 */
    accepted(BASE "-device piix3-usb-uhci,id=usb");
    assert_false(config.usb);
    assert_int_equal(config.usb_controller_count, 1);
    assert_string_equal(config.usb_controllers[0].id, "usb");
}

static void test_devices(void **state)
{
    (void)state;
    accepted(BASE "-usb -device usb-hub,id=hub,bus=usb-bus.0,port=2 -device "
                  "usb-kbd,id=kbd,port=2.3 -device usb-mouse -device usb-tablet,bus=usb-bus.0");
    assert_int_equal(config.usb_device_count, 4);
    assert_int_equal(config.usb_devices[0].kind, CONFIG_USB_HUB);
    assert_string_equal(config.usb_devices[0].bus, "usb-bus.0");
    assert_string_equal(config.usb_devices[1].port, "2.3");
    assert_string_equal(config.usb_devices[1].id, "kbd");
    accepted(BASE "-device piix3-usb-uhci,id=one -device piix3-usb-uhci -device "
                  "usb-tablet,bus=one.0 -device usb-mouse,bus=usb-bus.0");
    accepted(BASE "-usb -device piix3-usb-uhci -device usb-tablet,bus=usb-bus.1");
}

static void test_refused(void **state)
{
    (void)state;
    refused(BASE "-device usb-tablet", "usb-tablet|-usb|usb=1");
    refused(BASE "-usb -usbdevice host:1.2", "-usbdevice host:1.2|host|passed through");
    refused(BASE "-usb -usbdevice disk:/a", "-usbdevice disk:/a|tablet");
    refused(BASE "-usb -usbdevice ''", "-usbdevice|tablet");
    refused(BASE "-usb -device usb-host,hostbus=1,hostaddr=2", "usb-host|passed through");
    refused(BASE "-usb -device usb-storage,drive=x", "usb-storage|no such USB device");
    refused(BASE "-usb -device usb-tablet,port=a", "port=a");
    refused(BASE "-usb -device usb-tablet,port=1.", "port=1.");
    refused(BASE "-usb -device usb-tablet,port=1..2", "port=1..2");
    refused(BASE "-usb -device usb-tablet,port=", "port=");
    refused(BASE "-usb -device usb-tablet,bus=other.0", "bus=other.0");
    refused(BASE "-usb -device usb-tablet,id=1x", "id=1x");
    refused(BASE "-usb -device usb-tablet,id=a -device usb-mouse,id=a", "id=a|twice");
    refused(BASE "-usb -device usb-tablet,foo=1", "foo");
    refused(BASE "-device piix3-usb-uhci,addr=3", "addr=3");
    refused(BASE "-device piix3-usb-uhci,addr=20", "addr=20");
    refused(BASE "-device piix3-usb-uhci,addr=5.1", "addr=5.1");
    refused(BASE "-device piix3-usb-uhci,addr=5.0.0", "addr=");
    refused(BASE "-device piix3-usb-uhci,addr=x", "addr=x");
    refused(BASE "-device piix3-usb-uhci,addr=", "addr=");
    accepted(BASE "-device piix3-usb-uhci,id=uhci,addr=1d.0");
    assert_true(config.usb_controllers[0].placed);
    assert_int_equal(config.usb_controllers[0].devfn, 0xE8);
    accepted(BASE "-device nec-usb-xhci,id=usb"); /* usbversion=3 */
    assert_int_equal(config.usb_controllers[0].host, CONFIG_XHCI_NEC);
    assert_int_equal(config.usb_controllers[0].usb2, 0);
    accepted(BASE "-device qemu-xhci,id=x,p2=15,p3=1 -device usb-tablet,bus=x.0,port=15");
    assert_int_equal(config.usb_controllers[0].host, CONFIG_XHCI);
    assert_int_equal(config.usb_controllers[0].usb2, 15);
    assert_int_equal(config.usb_controllers[0].usb3, 1);
    refused(BASE "-device qemu-xhci,p2=16", "p2=");
    refused(BASE "-device qemu-xhci,p3=0", "p3=|'0'");
    refused(BASE "-device piix3-usb-uhci,p2=4", "p2=");
    refused(BASE "-device ich9-usb-ehci1,id=usb", "ich9-usb-ehci1|usbversion=");
    char line[1024] = BASE "-usb";
    for (unsigned i = 0; i <= CONFIG_MAX_USB_DEVICES; i++)
        strcat(line, " -usbdevice mouse");
    refused(line, "-usbdevice|at most 16");
    strcpy(line, BASE);
    for (unsigned i = 0; i <= CONFIG_MAX_USB_CONTROLLERS; i++)
        strcat(line, " -device piix3-usb-uhci");
    refused(line, "-device|at most 4 USB controllers");
}

int main(void)
{
    config.incoming_fd = -1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_libxl_lines),
        cmocka_unit_test(test_devices),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
