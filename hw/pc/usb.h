/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * usb: what lies between a host controller and USB devices: ports, transactions, the default pipe
 * and the standard requests. Universal Serial Bus Specification 2.0, chapters 8 (transactions), 9
 * (device framework). Control and interrupt pipes; the wire is perfect, so data toggles are the
 * controller's own business.
 *
 * A controller owns ports and asks a device for one transaction after the other (usb_transaction);
 * a device never calls back within one. When an endpoint that answered NAK has something to say, or
 * a suspended device wants to be resumed, it is told through its port: nobody polls.
 */
#ifndef HW_PC_USB_H
#define HW_PC_USB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/core/device.h"

struct usb_device;
struct usb_port;

enum usb_speed { USB_LOW_SPEED, USB_FULL_SPEED };

/* Packet identifiers of the tokens (table 8-1). */
enum usb_pid { USB_OUT = 0xE1, USB_IN = 0x69, USB_SETUP = 0x2D };

/* How a transaction ends without data having moved; 0 and more are bytes. */
enum {
    USB_NAK = -1,   /* not now; usb_port_ops.ready says when */
    USB_STALL = -2, /* halted, or a request that is not served */
    USB_GONE = -3,  /* nobody answers */
    USB_BABBLE = -4 /* the device sends more than was asked for */
};

#define USB_MAX_PACKET  8   /* of every endpoint of every device here */
#define USB_CONTROL_MAX 256 /* longest data stage; a longer one is stalled */
#define USB_MAX_TIERS   6   /* below the root: five hubs and a device (4.1.1) */
#define USB_PATH_MAX    24  /* "2.8.8.8.8.8" */

struct usb_setup {
    uint8_t type, request;
    uint16_t value, index, length;
};

#define USB_TYPE_IN        0x80
#define USB_TYPE_CLASS     0x20
#define USB_TYPE_INTERFACE 0x01
#define USB_TYPE_OTHER     0x03

/* Requests (table 9-4), descriptors (9-5) and features (9-6) that more than one file needs. */
enum { USB_GET_STATUS = 0, USB_CLEAR_FEATURE = 1, USB_SET_FEATURE = 3, USB_GET_DESCRIPTOR = 6 };
enum { USB_DESCRIPTOR_DEVICE = 1, USB_DESCRIPTOR_CONFIGURATION = 2, USB_DESCRIPTOR_STRING = 3 };

/* What a kind of device is; const. */
struct usb_ops {
    const char *product;
    enum usb_speed speed;
    const uint8_t *device_descriptor;        /* 18 bytes */
    const uint8_t *configuration_descriptor; /* whole; one configuration, number 1 */
    bool self_powered, can_wake;

    /* A request that is none of the standard ones of the framework. data: for an IN request to be
     * filled, at most USB_CONTROL_MAX; for an OUT request setup->length bytes. Returns how many are
     * filled (0 for OUT), or USB_STALL. */
    int (*control)(struct usb_device *d, const struct usb_setup *setup, uint8_t *data);
    /* An IN transaction at interrupt endpoint 1: at most USB_MAX_PACKET bytes into buf, or USB_NAK.
     */
    int (*in)(struct usb_device *d, uint8_t *buf);
    void (*reset)(struct usb_device *d);      /* reset on the bus. May be NULL */
    void (*configured)(struct usb_device *d); /* d->configuration changed. May be NULL */

    /* A hub's: its ports, and whether what comes down the wire reaches port i. */
    unsigned ports;
    struct usb_port *(*port)(struct usb_device *d, unsigned i);
    bool (*port_enabled)(const struct usb_device *d, unsigned i);
};

enum usb_stage {
    USB_STAGE_IDLE,
    USB_STAGE_IN,     /* data to the host */
    USB_STAGE_OUT,    /* data from the host */
    USB_STAGE_STATUS, /* the host's IN ends a request without data */
    USB_STAGE_STALLED,
    USB_STAGE_LAST = USB_STAGE_STALLED
};

/* Embedded by a USB device as its FIRST member. */
struct usb_device {
    struct device device;
    const struct usb_ops *ops;
    struct usb_port *port;           /* where it is plugged in, or NULL */
    char *id;                        /* the administrator's name for it, or NULL */
    char path[USB_PATH_MAX];         /* "1.2" */
    char instance[USB_PATH_MAX + 4]; /* "0:1.2", with the bus's number: for saved state */

    /* Saved */
    uint8_t address, configuration;
    bool wakeup_enabled; /* feature DEVICE_REMOTE_WAKEUP */
    bool halted;         /* endpoint 1 */
    uint8_t stage;       /* enum usb_stage of the default pipe */
    uint8_t type, request;
    uint16_t value, index, length; /* of the request under way */
    uint16_t at, count;            /* of data moved, to be moved */
    uint8_t data[USB_CONTROL_MAX];
};

extern const struct state_field usb_device_state[];
/* To put first into the table of a USB device. */
#define STATE_USB(type) STATE_STRUCT(type, usb, usb_device_state)

/* What a port's owner is told. All may come from within usb_transaction of the device itself, so
 * none may start one. */
struct usb_port_ops {
    void (*attached)(void *opaque, unsigned index);
    void (*detached)(void *opaque, unsigned index); /* port->device is NULL already */
    void (*ready)(void *opaque, unsigned index);    /* a device there or below has data now */
    void (*wake)(void *opaque, unsigned index);     /* resume signalling from there */
    bool (*suspended)(void *opaque, unsigned index);
};

struct usb_port {
    const struct usb_port_ops *ops;
    void *opaque;
    unsigned index; /* from 0 */
    unsigned bus;   /* number of the controller, from 0 */
    struct usb_device *device;
    struct usb_device *hub; /* whose port it is, or NULL: a controller's */
};

/* For controllers and (bus: that of the port above) hubs. */
void usb_port_init(struct usb_port *port, const struct usb_port_ops *ops, void *opaque,
                   unsigned index, unsigned bus, struct usb_device *hub);

/* The device that answers at `address` at this port or below it, or NULL. The caller judges the
 * port itself (enabled, not suspended). */
struct usb_device *usb_find(struct usb_port *port, uint8_t address);

/* One transaction: SETUP and OUT take len bytes from buf, IN puts at most len bytes there. Returns
 * bytes moved or one of the codes above. Any argument is safe. */
int usb_transaction(struct usb_device *d, enum usb_pid pid, uint8_t endpoint, uint8_t *buf,
                    size_t len);

/* The host resets what is plugged in there (nothing may be). */
void usb_bus_reset(struct usb_port *port);

/* Whether no traffic reaches the device, because its port or one above is suspended. */
bool usb_suspended(const struct usb_device *d);

/* For devices: endpoint 1 has data now. Resumes the bus if it is suspended and the host allowed it.
 */
void usb_ready(struct usb_device *d);
/* For hubs: passes resume signalling on towards the host. */
void usb_wake(struct usb_device *d);

/* For devices, in their realize, once d->ops is set: plugs d in and names it (id may be NULL).
 * device_add, with d->instance, is then the caller's. Fails when the port is taken or too far from
 * the root. */
bool usb_device_init(struct usb_device *d, struct usb_port *port, const char *id, struct err *err);
/* From their reset and post_load, first thing. */
void usb_device_reset(struct usb_device *d);
bool usb_device_loaded(struct usb_device *d, struct err *err);
/* From their destroy: pulls it out, frees what the base holds. */
void usb_device_destroy(struct usb_device *d);

#endif
