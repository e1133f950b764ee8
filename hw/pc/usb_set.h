/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * usb_set: all USB of the machine by its names: which controllers there are, what is plugged in
 * where; plugging in and pulling out.
 */
#ifndef HW_PC_USB_SET_H
#define HW_PC_USB_SET_H

#include "hw/core/clock.h"
#include "hw/pc/usb.h"
#include "toolstack/config.h"

#define USB_MAX_BUSES      8
#define USB_MAX_ROOT_PORTS 15
#define USB_MAX_DEVICES    64 /* of all buses; a hub that plugs itself in counts too */

struct input;
struct usb_set;

/* What the monitor tells of one device. */
struct usb_info {
    const char *id;      /* the administrator's name, or NULL */
    const char *product; /* "QEMU USB Tablet" */
    const char *path;    /* "1", "2.1" */
    unsigned bus;        /* from 0 */
    unsigned address;    /* that the guest gave it; 0: none yet */
    bool low_speed;      /* 1.5 Mb/s; else 12 */
    bool configured;     /* the guest uses it */
};

struct usb_set *usb_set_new(struct clock *clock, struct input *input, struct device_list *devices);
/* The devices are the list's. */
void usb_set_free(struct usb_set *set);

/* The number that the next bus gets: a controller's ports and device are named by it. */
unsigned usb_set_buses(const struct usb_set *set);

/* Enters a controller under its bus's name ("usb-bus.0", "usb.0"); ports[count] stay the
 * controller's, which goes later than the set. False when there are too many or the name is taken.
 */
bool usb_set_add_bus(struct usb_set *set, const char *name, struct usb_port *const *ports,
                     unsigned count, struct err *err);

/*
 * Plugs in what `what` says: its bus and port, or the first free port of the first bus that has
 * one. As in the stock model a hub takes a bus's last free port when something else would. A device
 * that exists already when the machine is built is reset with it; a later one is reset here.
 */
bool usb_set_plug(struct usb_set *set, const struct config_usb_device *what, struct err *err);

/* Pulls out and destroys the device with this id, and what is plugged into it. */
bool usb_set_unplug(struct usb_set *set, const char *id, struct err *err);

/* The index-th device, counted from 0; false behind the last. The strings live until it goes. */
bool usb_set_info(const struct usb_set *set, unsigned index, struct usb_info *info);

#endif
