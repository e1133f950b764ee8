/* SPDX-License-Identifier: GPL-2.0-or-later */
/* usb: ports, the default pipe and the standard requests (see usb.h). USB 2.0: 8.5.3 (control
 * transfers), 9.4 (standard requests). */
#include "hw/pc/usb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SET_ADDRESS = 5,
    GET_CONFIGURATION = 8,
    SET_CONFIGURATION = 9,
    GET_INTERFACE = 10,
    SET_INTERFACE = 11,
};
enum { RECIPIENT_DEVICE = 0, RECIPIENT_INTERFACE = 1, RECIPIENT_ENDPOINT = 2 };
enum { ENDPOINT_HALT = 0, DEVICE_REMOTE_WAKEUP = 1 };
enum { STRING_LANGUAGES, STRING_MANUFACTURER, STRING_PRODUCT };
#define LANGUAGE_ENGLISH_US 0x0409
#define ENDPOINT_IN_1       0x81
#define SETUP_BYTES         8

const struct state_field usb_device_state[] = {
    STATE_LIMIT(struct usb_device, address, 127),
    STATE_LIMIT(struct usb_device, configuration, 1),
    STATE_BOOL(struct usb_device, wakeup_enabled),
    STATE_BOOL(struct usb_device, halted),
    STATE_LIMIT(struct usb_device, stage, USB_STAGE_LAST),
    STATE_UINT(struct usb_device, type),
    STATE_UINT(struct usb_device, request),
    STATE_UINT(struct usb_device, value),
    STATE_UINT(struct usb_device, index),
    STATE_UINT(struct usb_device, length),
    STATE_LIMIT(struct usb_device, at, USB_CONTROL_MAX),
    STATE_LIMIT(struct usb_device, count, USB_CONTROL_MAX),
    STATE_ARRAY(struct usb_device, data),
    STATE_FIELDS_END,
};

/* ---- Ports ---- */

void usb_port_init(struct usb_port *port, const struct usb_port_ops *ops, void *opaque,
                   unsigned index, unsigned bus, struct usb_device *hub)
{
    *port = (struct usb_port){.ops = ops, .opaque = opaque, .index = index, .bus = bus, .hub = hub};
}

static unsigned tier(const struct usb_port *port)
{
    unsigned n = 1;
    for (; port && port->hub; port = port->hub->port)
        n++;
    return n;
}

bool usb_device_init(struct usb_device *d, struct usb_port *port, const char *id, struct err *err)
{
    const struct usb_device *hub = port->hub;
    const unsigned n = port->index + 1;
    if (port->device)
        return err_set(err, "USB port %s%s%u is taken", hub ? hub->path : "", hub ? "." : "", n);
    if (tier(port) > USB_MAX_TIERS || (d->ops->ports && tier(port) == USB_MAX_TIERS))
        return err_set(err, "%s: there are too many hubs between it and the controller",
                       d->ops->product);
    if (id) {
        size_t len = strlen(id) + 1;
        d->id = malloc(len);
        if (!d->id)
            return err_set(err, "%s: out of memory", d->ops->product);
        memcpy(d->id, id, len);
    }
    /* One digit a tier: no hub here has more than nine ports. */
    snprintf(d->path, sizeof(d->path), "%.*s%s%u", USB_PATH_MAX - 4, hub ? hub->path : "",
             hub ? "." : "", n % 10);
    snprintf(d->instance, sizeof(d->instance), "%u:%s", port->bus % 100, d->path);
    port->device = d;
    d->port = port;
    port->ops->attached(port->opaque, port->index);
    return true;
}

/* Pulls it out; nothing happens if it is not plugged in. What is plugged into a hub goes first. */
static void usb_detach(struct usb_device *d)
{
    struct usb_port *port = d->port;
    for (unsigned i = 0; i < d->ops->ports; i++) {
        struct usb_port *below = d->ops->port(d, i);
        if (below->device)
            usb_detach(below->device);
    }
    if (!port)
        return;
    port->device = NULL;
    d->port = NULL;
    port->ops->detached(port->opaque, port->index);
}

struct usb_device *usb_find(struct usb_port *port, uint8_t address)
{
    struct usb_device *d = port->device;
    if (!d || d->address == address)
        return d;
    for (unsigned i = 0; i < d->ops->ports; i++) {
        struct usb_device *below =
            d->ops->port_enabled(d, i) ? usb_find(d->ops->port(d, i), address) : NULL;
        if (below)
            return below;
    }
    return NULL;
}

bool usb_suspended(const struct usb_device *d)
{
    return d->port && d->port->ops->suspended(d->port->opaque, d->port->index);
}

void usb_wake(struct usb_device *d)
{
    if (d->port)
        d->port->ops->wake(d->port->opaque, d->port->index);
}

void usb_ready(struct usb_device *d)
{
    if (!d->port)
        return;
    if (!usb_suspended(d))
        d->port->ops->ready(d->port->opaque, d->port->index);
    else if (d->wakeup_enabled)
        usb_wake(d);
}

/* ---- Standard requests ---- */

static int string_descriptor(const struct usb_device *d, unsigned index, uint8_t *data)
{
    const char *s;
    switch (index) {
    case STRING_LANGUAGES:
        data[0] = 4;
        data[1] = USB_DESCRIPTOR_STRING;
        data[2] = LANGUAGE_ENGLISH_US & 0xFF;
        data[3] = LANGUAGE_ENGLISH_US >> 8;
        return data[0];
    case STRING_MANUFACTURER:
        s = "QEMU"; /* guests keep settings by these names: see docs/devices/usb.md */
        break;
    case STRING_PRODUCT:
        s = d->ops->product;
        break;
    default:
        return USB_STALL;
    }
    unsigned n = 0;
    for (; s[n] && n < 100; n++) { /* UTF-16, the names being ASCII */
        data[2 + 2 * n] = (uint8_t)s[n];
        data[3 + 2 * n] = 0;
    }
    data[0] = (uint8_t)(2 + 2 * n);
    data[1] = USB_DESCRIPTOR_STRING;
    return data[0];
}

static int get_descriptor(const struct usb_device *d, const struct usb_setup *s, uint8_t *data)
{
    const uint8_t *c = d->ops->configuration_descriptor;
    unsigned len;
    switch (s->value >> 8) {
    case USB_DESCRIPTOR_DEVICE:
        memcpy(data, d->ops->device_descriptor, 18);
        return 18;
    case USB_DESCRIPTOR_CONFIGURATION:
        if (s->value & 0xFF)
            return USB_STALL;
        len = c[2] | (unsigned)c[3] << 8;
        memcpy(data, c, len);
        return (int)len;
    case USB_DESCRIPTOR_STRING:
        return string_descriptor(d, s->value & 0xFF, data);
    default:
        return USB_STALL; /* a qualifier among them: there is no other speed */
    }
}

static int get_status(const struct usb_device *d, const struct usb_setup *s, uint8_t *data)
{
    data[0] = data[1] = 0;
    switch (s->type & 0x1F) {
    case RECIPIENT_DEVICE:
        data[0] = (uint8_t)((d->ops->self_powered ? 1 : 0) | (d->wakeup_enabled ? 2 : 0));
        return 2;
    case RECIPIENT_INTERFACE:
        return d->configuration && s->index == 0 ? 2 : USB_STALL;
    case RECIPIENT_ENDPOINT:
        if ((s->index & 0xFF7F) == 0)
            return 2;
        if (s->index != ENDPOINT_IN_1 || !d->configuration)
            return USB_STALL;
        data[0] = d->halted;
        return 2;
    default:
        return USB_STALL;
    }
}

static int set_feature(struct usb_device *d, const struct usb_setup *s, bool on)
{
    switch (s->type & 0x1F) {
    case RECIPIENT_DEVICE:
        if (s->value != DEVICE_REMOTE_WAKEUP || !d->ops->can_wake)
            return USB_STALL;
        d->wakeup_enabled = on;
        return 0;
    case RECIPIENT_ENDPOINT:
        if (s->value != ENDPOINT_HALT)
            return USB_STALL;
        if ((s->index & 0xFF7F) == 0) /* the default pipe: nothing to halt */
            return on ? USB_STALL : 0;
        if (s->index != ENDPOINT_IN_1 || !d->configuration)
            return USB_STALL;
        d->halted = on;
        return 0;
    default:
        return USB_STALL;
    }
}

static void set_configuration(struct usb_device *d, uint8_t configuration)
{
    d->configuration = configuration;
    d->halted = false;
    if (d->ops->configured)
        d->ops->configured(d);
}

#define REQUEST(type, request) ((unsigned)(type) << 8 | (request))

static int standard_request(struct usb_device *d, const struct usb_setup *s, uint8_t *data)
{
    switch (REQUEST(s->type, s->request)) {
    case REQUEST(USB_TYPE_IN | RECIPIENT_DEVICE, USB_GET_DESCRIPTOR):
        return get_descriptor(d, s, data);
    case REQUEST(USB_TYPE_IN | RECIPIENT_DEVICE, USB_GET_STATUS):
    case REQUEST(USB_TYPE_IN | RECIPIENT_INTERFACE, USB_GET_STATUS):
    case REQUEST(USB_TYPE_IN | RECIPIENT_ENDPOINT, USB_GET_STATUS):
        return get_status(d, s, data);
    case REQUEST(RECIPIENT_DEVICE, USB_CLEAR_FEATURE):
    case REQUEST(RECIPIENT_ENDPOINT, USB_CLEAR_FEATURE):
        return set_feature(d, s, false);
    case REQUEST(RECIPIENT_DEVICE, USB_SET_FEATURE):
    case REQUEST(RECIPIENT_ENDPOINT, USB_SET_FEATURE):
        return set_feature(d, s, true);
    case REQUEST(RECIPIENT_DEVICE, SET_ADDRESS):
        return s->value <= 127 ? 0 : USB_STALL; /* taken when the status stage is over */
    case REQUEST(USB_TYPE_IN | RECIPIENT_DEVICE, GET_CONFIGURATION):
        data[0] = d->configuration;
        return 1;
    case REQUEST(RECIPIENT_DEVICE, SET_CONFIGURATION):
        if (s->value > 1)
            return USB_STALL;
        set_configuration(d, (uint8_t)s->value);
        return 0;
    case REQUEST(USB_TYPE_IN | RECIPIENT_INTERFACE, GET_INTERFACE):
        data[0] = 0;
        return d->configuration && s->index == 0 ? 1 : USB_STALL;
    case REQUEST(RECIPIENT_INTERFACE, SET_INTERFACE):
        if (!d->configuration || s->index != 0 || s->value != 0)
            return USB_STALL;
        d->halted = false;
        return 0;
    default:
        return d->ops->control(d, s, data);
    }
}

/* ---- The default pipe ---- */

static void run_request(struct usb_device *d, enum usb_stage then)
{
    const struct usb_setup s = {d->type, d->request, d->value, d->index, d->length};
    int n = standard_request(d, &s, d->data);
    d->at = 0;
    d->count = n > 0 ? (uint16_t)(n < s.length ? n : s.length) : 0;
    d->stage = n < 0 ? USB_STAGE_STALLED : (uint8_t)then;
}

static void setup_stage(struct usb_device *d, const uint8_t *p)
{
    d->type = p[0];
    d->request = p[1];
    d->value = (uint16_t)(p[2] | p[3] << 8);
    d->index = (uint16_t)(p[4] | p[5] << 8);
    d->length = (uint16_t)(p[6] | p[7] << 8);
    d->at = d->count = 0;
    if (d->length == 0) {
        run_request(d, USB_STAGE_STATUS);
    } else if (d->type & USB_TYPE_IN) {
        run_request(d, USB_STAGE_IN);
    } else if (d->length <= USB_CONTROL_MAX) {
        d->count = d->length;
        d->stage = USB_STAGE_OUT;
    } else {
        d->length = 0; /* CVE-2020-14364: what is not served is not kept */
        d->stage = USB_STAGE_STALLED;
    }
}

static int status_stage(struct usb_device *d)
{
    d->stage = USB_STAGE_IDLE;
    if (d->type == RECIPIENT_DEVICE && d->request == SET_ADDRESS)
        d->address = (uint8_t)(d->value & 127);
    return 0;
}

static int default_in(struct usb_device *d, uint8_t *buf, size_t len)
{
    size_t n;
    switch (d->stage) {
    case USB_STAGE_IN:
        n = (size_t)(d->count - d->at);
        if (n > USB_MAX_PACKET)
            n = USB_MAX_PACKET;
        if (n > len)
            return USB_BABBLE;
        memcpy(buf, d->data + d->at, n);
        d->at = (uint16_t)(d->at + n);
        return (int)n;
    case USB_STAGE_OUT:
        if (d->at == d->count)
            run_request(d, USB_STAGE_STATUS);
        return d->stage == USB_STAGE_STATUS ? status_stage(d) : USB_STALL;
    case USB_STAGE_STATUS:
        return status_stage(d);
    default:
        return USB_STALL;
    }
}

static int default_out(struct usb_device *d, const uint8_t *buf, size_t len)
{
    if (d->stage == USB_STAGE_IN) { /* the status stage; the host may have had enough */
        d->stage = USB_STAGE_IDLE;
        return (int)len;
    }
    if (d->stage != USB_STAGE_OUT || len > USB_MAX_PACKET || len > (size_t)(d->count - d->at)) {
        d->stage = USB_STAGE_STALLED;
        return USB_STALL;
    }
    memcpy(d->data + d->at, buf, len);
    d->at = (uint16_t)(d->at + len);
    return (int)len;
}

int usb_transaction(struct usb_device *d, enum usb_pid pid, uint8_t endpoint, uint8_t *buf,
                    size_t len)
{
    uint8_t packet[USB_MAX_PACKET];
    if (endpoint == 0) {
        if (pid == USB_IN)
            return default_in(d, buf, len);
        if (pid == USB_OUT)
            return default_out(d, buf, len);
        if (len != SETUP_BYTES)
            return USB_GONE; /* 8.5.3: a damaged one is not answered */
        setup_stage(d, buf);
        return SETUP_BYTES;
    }
    if (endpoint != 1 || pid != USB_IN || !d->configuration)
        return USB_GONE;
    if (d->halted)
        return USB_STALL;
    int n = d->ops->in(d, packet);
    if (n < 0)
        return n;
    if ((size_t)n > len)
        return USB_BABBLE;
    memcpy(buf, packet, (size_t)n);
    return n;
}

/* ---- Life ---- */

void usb_bus_reset(struct usb_port *port)
{
    struct usb_device *d = port->device;
    if (!d)
        return;
    state_reset(usb_device_state, d);
    if (d->ops->configured)
        d->ops->configured(d);
    if (d->ops->reset)
        d->ops->reset(d);
}

void usb_device_reset(struct usb_device *d)
{
    if (d->ops->configured)
        d->ops->configured(d);
}

bool usb_device_loaded(struct usb_device *d, struct err *err)
{
    if (d->at > d->count || (d->wakeup_enabled && !d->ops->can_wake) ||
        (d->stage == USB_STAGE_OUT && d->count != d->length))
        return err_set(err, "saved state of %s %s: its control pipe is impossible", d->ops->product,
                       d->path);
    return true;
}

void usb_device_destroy(struct usb_device *d)
{
    usb_detach(d);
    free(d->id);
}
