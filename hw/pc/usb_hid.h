/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * usb_hid: the USB tablet (absolute pointer), mouse and keyboard. Device Class Definition for Human
 * Interface Devices 1.11; HID Usage Tables 1.12, sections 4 (desktop), 8 (LEDs), 9 (buttons), 10
 * (keyboard).
 */
#ifndef HW_PC_USB_HID_H
#define HW_PC_USB_HID_H

#include "hw/core/clock.h"
#include "hw/pc/usb.h"

struct input;

enum usb_hid_kind { USB_TABLET, USB_MOUSE, USB_KEYBOARD };

/* Makes the device and plugs it into the port; events come from `input` once the guest has
 * configured it. id: the administrator's name, or NULL. NULL and *err on failure. */
struct usb_device *usb_hid_realize(struct usb_port *port, enum usb_hid_kind kind, const char *id,
                                   struct clock *clock, struct input *input,
                                   struct device_list *devices, struct err *err);

#endif
