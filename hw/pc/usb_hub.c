/* SPDX-License-Identifier: GPL-2.0-or-later */
/* usb_hub: see usb_hub.h. Section numbers are those of USB 2.0. */
#include "hw/pc/usb_hub.h"

#include <stdlib.h>
#include <string.h>

/* wPortStatus and wPortChange (tables 11-21, 11-22); features select a bit of either (table 11-17).
 */
enum {
    CONNECTION = 0x0001,
    ENABLE = 0x0002,
    SUSPEND = 0x0004,
    POWER = 0x0100,
    LOW_SPEED = 0x0200,
};
enum { CHANGE_CONNECTION = 0x01, CHANGE_SUSPEND = 0x04, CHANGE_RESET = 0x10, CHANGE_ALL = 0x1F };
enum {
    PORT_ENABLE = 1,
    PORT_SUSPEND = 2,
    PORT_RESET = 4,
    PORT_POWER = 8,
    C_PORT_CONNECTION = 16,
    C_PORT_RESET = 20,
};
#define DESCRIPTOR_HUB 0x29

struct hub_port {
    uint16_t status, change;
};

struct usb_hub {
    struct usb_device usb;
    struct usb_port port[USB_HUB_PORTS];
    struct hub_port state[USB_HUB_PORTS]; /* saved */
};

static const struct state_field port_state[] = {
    STATE_LIMIT(struct hub_port, status, 0x307),
    STATE_LIMIT(struct hub_port, change, CHANGE_ALL),
    STATE_FIELDS_END,
};

static const struct state_field hub_state[] = {
    STATE_USB(struct usb_hub),
    STATE_STRUCTS(struct usb_hub, state, port_state),
    STATE_FIELDS_END,
};

static const uint8_t device_descriptor[] = {
    18,   USB_DESCRIPTOR_DEVICE,
    0x10, 0x01,
    9,    0,
    0,    USB_MAX_PACKET,
    0x09, 0x04,
    0xAA, 0x55,
    0x01, 0x01,
    1,    2,
    0,    1,
};

/* Self powered, wakes; the status change endpoint, asked every 255 ms (11.23.1: it is as told). */
/* clang-format off */
static const uint8_t configuration_descriptor[] = {
    9, USB_DESCRIPTOR_CONFIGURATION, 25, 0, 1, 1, 0, 0xE0, 0,
    9, 4, 0, 0, 1, 9, 0, 0, 0,
    7, 5, 0x81, 3, 2, 0, 0xFF,
};

/* 11.23.2.1: power switched port by port, no over-current protection; power good after 2 ms; all
 * ports removable. */
static const uint8_t hub_descriptor[] = {
    11, DESCRIPTOR_HUB, USB_HUB_PORTS, 0x11, 0x00, 1, 0, 0x00, 0x00, 0xFF, 0xFF,
};
/* clang-format on */

static void changed(struct usb_hub *h, unsigned i, uint16_t what)
{
    h->state[i].change |= what;
    if (h->usb.configuration)
        usb_ready(&h->usb);
}

static void connect(struct usb_hub *h, unsigned i)
{
    const struct usb_device *d = h->port[i].device;
    struct hub_port *s = &h->state[i];
    if (!(s->status & POWER) || !d)
        return;
    s->status |= CONNECTION;
    if (d->ops->speed == USB_LOW_SPEED)
        s->status |= LOW_SPEED;
    changed(h, i, CHANGE_CONNECTION);
}

/* ---- What its ports hear ---- */

static void port_attached(void *opaque, unsigned i)
{
    connect(opaque, i);
}

static void port_detached(void *opaque, unsigned i)
{
    struct usb_hub *h = opaque;
    if (!(h->state[i].status & CONNECTION))
        return;
    h->state[i].status &= POWER;
    changed(h, i, CHANGE_CONNECTION);
}

static void port_ready(void *opaque, unsigned i)
{
    struct usb_hub *h = opaque;
    if ((h->state[i].status & ENABLE) && h->usb.port)
        h->usb.port->ops->ready(h->usb.port->opaque, h->usb.port->index);
}

/* Resume signalling from below (11.9): this port goes on; if the hub sleeps itself, so does it. */
static void port_wake(void *opaque, unsigned i)
{
    struct usb_hub *h = opaque;
    struct hub_port *s = &h->state[i];
    if (s->status & SUSPEND) {
        s->status &= (uint16_t)~SUSPEND;
        changed(h, i, CHANGE_SUSPEND);
    }
    if (usb_suspended(&h->usb))
        usb_wake(&h->usb);
}

static bool port_suspended(void *opaque, unsigned i)
{
    const struct usb_hub *h = opaque;
    return (h->state[i].status & SUSPEND) || usb_suspended(&h->usb);
}

static const struct usb_port_ops port_ops = {
    .attached = port_attached,
    .detached = port_detached,
    .ready = port_ready,
    .wake = port_wake,
    .suspended = port_suspended,
};

/* ---- Requests (11.24.2) ---- */

static int set_port_feature(struct usb_hub *h, unsigned i, unsigned feature)
{
    struct hub_port *s = &h->state[i];
    switch (feature) {
    case PORT_POWER:
        if (!(s->status & POWER)) {
            s->status |= POWER;
            connect(h, i);
        }
        return 0;
    case PORT_RESET:
        if (!(s->status & CONNECTION))
            return 0;
        usb_bus_reset(&h->port[i]);
        s->status &= (uint16_t)~SUSPEND;
        s->status |= ENABLE;
        changed(h, i, CHANGE_RESET);
        return 0;
    case PORT_SUSPEND:
        if (s->status & ENABLE)
            s->status |= SUSPEND;
        return 0;
    default:
        return USB_STALL;
    }
}

static int clear_port_feature(struct usb_hub *h, unsigned i, unsigned feature)
{
    struct hub_port *s = &h->state[i];
    switch (feature) {
    case PORT_ENABLE:
        s->status &= (uint16_t) ~(ENABLE | SUSPEND);
        return 0;
    case PORT_SUSPEND:
        if (s->status & SUSPEND) {
            s->status &= (uint16_t)~SUSPEND;
            changed(h, i, CHANGE_SUSPEND);
        }
        return 0;
    case PORT_POWER:
        *s = (struct hub_port){0};
        return 0;
    default:
        if (feature < C_PORT_CONNECTION || feature > C_PORT_RESET)
            return USB_STALL;
        s->change &= (uint16_t) ~(1u << (feature - C_PORT_CONNECTION));
        return 0;
    }
}

#define REQUEST(type, request) ((unsigned)(type) << 8 | (request))

static int hub_control(struct usb_device *d, const struct usb_setup *s, uint8_t *data)
{
    struct usb_hub *h = (struct usb_hub *)d;
    const unsigned i = s->index - 1u;
    const bool other = (s->type & 0x1F) == USB_TYPE_OTHER;
    if (other && i >= USB_HUB_PORTS)
        return USB_STALL;
    switch (REQUEST(s->type, s->request)) {
    case REQUEST(USB_TYPE_IN | USB_TYPE_CLASS, USB_GET_DESCRIPTOR):
        if (s->value >> 8 != DESCRIPTOR_HUB && s->value >> 8 != 0) /* 0: some hosts' */
            return USB_STALL;
        memcpy(data, hub_descriptor, sizeof(hub_descriptor));
        return sizeof(hub_descriptor);
    case REQUEST(USB_TYPE_IN | USB_TYPE_CLASS, USB_GET_STATUS): /* local power is good */
        memset(data, 0, 4);
        return 4;
    case REQUEST(USB_TYPE_CLASS, USB_CLEAR_FEATURE): /* C_HUB_LOCAL_POWER, C_HUB_OVER_CURRENT */
    case REQUEST(USB_TYPE_CLASS, USB_SET_FEATURE):
        return s->value <= 1 ? 0 : USB_STALL;
    case REQUEST(USB_TYPE_IN | USB_TYPE_CLASS | USB_TYPE_OTHER, USB_GET_STATUS):
        data[0] = (uint8_t)h->state[i].status;
        data[1] = (uint8_t)(h->state[i].status >> 8);
        data[2] = (uint8_t)h->state[i].change;
        data[3] = 0;
        return 4;
    case REQUEST(USB_TYPE_CLASS | USB_TYPE_OTHER, USB_SET_FEATURE):
        return set_port_feature(h, i, s->value);
    case REQUEST(USB_TYPE_CLASS | USB_TYPE_OTHER, USB_CLEAR_FEATURE):
        return clear_port_feature(h, i, s->value);
    default:
        return USB_STALL;
    }
}

/* 11.12.4: bit 0 the hub (never), then one for each port. */
static int hub_in(struct usb_device *d, uint8_t *buf)
{
    const struct usb_hub *h = (const struct usb_hub *)d;
    unsigned bits = 0;
    for (unsigned i = 0; i < USB_HUB_PORTS; i++)
        if (h->state[i].change)
            bits |= 2u << i;
    buf[0] = (uint8_t)bits;
    buf[1] = (uint8_t)(bits >> 8);
    return bits ? 2 : USB_NAK;
}

/* ---- Life ---- */

static void hub_configured(struct usb_device *d)
{
    struct usb_hub *h = (struct usb_hub *)d;
    if (!d->configuration) /* 11.13: ports are then not powered */
        memset(h->state, 0, sizeof(h->state));
}

static void hub_reset(struct device *device)
{
    usb_device_reset((struct usb_device *)device);
}

static bool hub_loaded(struct device *device, struct err *err)
{
    struct usb_hub *h = (struct usb_hub *)device;
    for (unsigned i = 0; i < USB_HUB_PORTS; i++) {
        const struct hub_port *s = &h->state[i];
        if ((s->status && !(s->status & POWER)) ||
            ((s->status & CONNECTION) != 0) != ((s->status & POWER) && h->port[i].device) ||
            ((s->status & (ENABLE | SUSPEND | LOW_SPEED)) && !(s->status & CONNECTION)) ||
            ((s->status & SUSPEND) && !(s->status & ENABLE)))
            return err_set(err, "saved state of hub %s: port %u is impossible", h->usb.path, i + 1);
    }
    return usb_device_loaded(&h->usb, err);
}

static void hub_destroy(struct device *device)
{
    usb_device_destroy((struct usb_device *)device);
    free(device);
}

static const struct device_class hub_class = {
    .name = "usb-hub",
    .version = 1,
    .state = hub_state,
    .reset = hub_reset,
    .post_load = hub_loaded,
    .destroy = hub_destroy,
};

struct usb_port *usb_hub_port(struct usb_device *d, unsigned i)
{
    return i < d->ops->ports ? &((struct usb_hub *)d)->port[i] : NULL;
}

static bool hub_port_enabled(const struct usb_device *d, unsigned i)
{
    const struct usb_hub *h = (const struct usb_hub *)d;
    return (h->state[i].status & (ENABLE | SUSPEND)) == ENABLE;
}

static const struct usb_ops hub_ops = {
    .product = "QEMU USB Hub",
    .speed = USB_FULL_SPEED,
    .device_descriptor = device_descriptor,
    .configuration_descriptor = configuration_descriptor,
    .self_powered = true,
    .can_wake = true,
    .control = hub_control,
    .in = hub_in,
    .configured = hub_configured,
    .ports = USB_HUB_PORTS,
    .port = usb_hub_port,
    .port_enabled = hub_port_enabled,
};

struct usb_device *usb_hub_realize(struct usb_port *port, const char *id,
                                   struct device_list *devices, struct err *err)
{
    struct usb_hub *h = calloc(1, sizeof(*h));
    if (!h) {
        err_set(err, "usb-hub: out of memory");
        return NULL;
    }
    h->usb.ops = &hub_ops;
    for (unsigned i = 0; i < USB_HUB_PORTS; i++)
        usb_port_init(&h->port[i], &port_ops, h, i, port->bus, &h->usb);
    if (!usb_device_init(&h->usb, port, id, err)) {
        free(h);
        return NULL;
    }
    device_add(devices, &h->usb.device, &hub_class, h->usb.instance);
    return &h->usb;
}
