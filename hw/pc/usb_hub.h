/* SPDX-License-Identifier: GPL-2.0-or-later */
/* usb_hub: a self-powered full-speed hub with eight ports. USB 2.0, chapter 11. */
#ifndef HW_PC_USB_HUB_H
#define HW_PC_USB_HUB_H

#include "hw/pc/usb.h"

#define USB_HUB_PORTS 8

/* Makes the hub and plugs it into the port. id: the administrator's name, or NULL. NULL and *err on
 * failure. What is plugged into it is destroyed before it. */
struct usb_device *usb_hub_realize(struct usb_port *port, const char *id,
                                   struct device_list *devices, struct err *err);

/* Its port i (0..7); NULL if d is no hub or has no such port. */
struct usb_port *usb_hub_port(struct usb_device *d, unsigned i);

#endif
