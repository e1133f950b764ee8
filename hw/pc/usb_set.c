/* SPDX-License-Identifier: GPL-2.0-or-later */
/* usb_set: see usb_set.h. */
#include "hw/pc/usb_set.h"

#include <stdlib.h>
#include <string.h>

#include "hw/pc/usb_hid.h"
#include "hw/pc/usb_hub.h"

struct bus {
    char name[64];
    struct usb_port *port[USB_MAX_ROOT_PORTS];
    unsigned count;
};

struct usb_set {
    struct clock *clock;
    struct input *input;
    struct device_list *devices;
    struct bus bus[USB_MAX_BUSES];
    unsigned count;
};

/* Sees every port of a bus, a hub's own after the port it is plugged into. True stops. */
typedef bool (*visit)(void *opaque, struct usb_port *port);

static bool walk_port(struct usb_port *port, visit see, void *opaque)
{
    struct usb_device *d = port->device;
    if (see(opaque, port))
        return true;
    for (unsigned i = 0; d && i < d->ops->ports; i++)
        if (walk_port(d->ops->port(d, i), see, opaque))
            return true;
    return false;
}

static bool walk_bus(const struct bus *bus, visit see, void *opaque)
{
    for (unsigned i = 0; i < bus->count; i++)
        if (walk_port(bus->port[i], see, opaque))
            return true;
    return false;
}

static bool walk_all(const struct usb_set *set, visit see, void *opaque)
{
    for (unsigned i = 0; i < set->count; i++)
        if (walk_bus(&set->bus[i], see, opaque))
            return true;
    return false;
}

struct usb_set *usb_set_new(struct clock *clock, struct input *input, struct device_list *devices)
{
    struct usb_set *set = calloc(1, sizeof(*set));
    if (!set)
        return NULL;
    set->clock = clock;
    set->input = input;
    set->devices = devices;
    return set;
}

void usb_set_free(struct usb_set *set)
{
    free(set);
}

unsigned usb_set_buses(const struct usb_set *set)
{
    return set->count;
}

static struct bus *find_bus(struct usb_set *set, const char *name)
{
    for (unsigned i = 0; i < set->count; i++)
        if (!strcmp(set->bus[i].name, name))
            return &set->bus[i];
    return NULL;
}

bool usb_set_add_bus(struct usb_set *set, const char *name, struct usb_port *const *ports,
                     unsigned count, struct err *err)
{
    struct bus *bus = &set->bus[set->count];
    if (set->count == USB_MAX_BUSES || count > USB_MAX_ROOT_PORTS)
        return err_set(err, "there are at most %d USB controllers", USB_MAX_BUSES);
    if (strlen(name) >= sizeof(bus->name))
        return err_set(err, "%.32s…: the name of a USB controller is too long", name);
    if (find_bus(set, name))
        return err_set(err, "there is a USB bus %s already", name);
    memcpy(bus->name, name, strlen(name) + 1);
    memcpy(bus->port, ports, count * sizeof(struct usb_port *));
    bus->count = count;
    set->count++;
    return true;
}

/* ---- Where ---- */

/* "1.2": port 2 of the hub at port 1. NULL if there is no such port. */
static struct usb_port *port_by_path(const struct bus *bus, const char *path)
{
    struct usb_port *port = NULL;
    for (const char *p = path;; p++) {
        unsigned n = 0;
        for (; *p >= '0' && *p <= '9' && n <= USB_MAX_ROOT_PORTS; p++)
            n = n * 10 + (unsigned)(*p - '0');
        if (n == 0 || (*p && *p != '.'))
            return NULL;
        if (!port)
            port = n <= bus->count ? bus->port[n - 1] : NULL;
        else
            port = port->device ? usb_hub_port(port->device, n - 1) : NULL;
        if (!port || !*p)
            return port;
    }
}

struct vacancy {
    struct usb_port *first;
    unsigned free, devices;
};

static bool count_port(void *opaque, struct usb_port *port)
{
    struct vacancy *v = opaque;
    v->devices += port->device != NULL;
    v->free += port->device == NULL;
    if (!port->device && !v->first)
        v->first = port;
    return false;
}

static struct vacancy vacancy(const struct bus *bus)
{
    struct vacancy v = {0};
    walk_bus(bus, count_port, &v);
    return v;
}

static unsigned count_devices(const struct usb_set *set)
{
    struct vacancy v = {0};
    walk_all(set, count_port, &v);
    return v.devices;
}

/* A free port of this bus; a hub plugs itself into the last one, unless it is for a hub. */
static struct usb_port *free_port(struct usb_set *set, const struct bus *bus, bool hub,
                                  struct err *err)
{
    struct vacancy v = vacancy(bus);
    if (v.free == 1 && !hub) {
        struct usb_device *d = usb_hub_realize(v.first, NULL, set->devices, err);
        if (!d)
            return NULL;
        device_reset(&d->device);
        return usb_hub_port(d, 0);
    }
    if (!v.first)
        err_set(err, "USB bus %s has no free port", bus->name);
    return v.first;
}

static struct usb_port *choose_port(struct usb_set *set, const struct config_usb_device *what,
                                    struct err *err)
{
    const bool hub = what->kind == CONFIG_USB_HUB;
    struct bus *bus = NULL;
    if (!set->count) {
        err_set(err, "there is no USB controller: say -usb (xl: usb=1)");
        return NULL;
    }
    if (what->bus) {
        bus = find_bus(set, what->bus);
        if (!bus) {
            err_set(err, "there is no USB bus %s (the first one is %s)", what->bus,
                    set->bus[0].name);
            return NULL;
        }
    }
    for (unsigned i = 0; !bus && i < set->count; i++)
        if (what->port || vacancy(&set->bus[i]).first || i + 1 == set->count)
            bus = &set->bus[i];
    if (!what->port)
        return free_port(set, bus, hub, err);
    struct usb_port *port = port_by_path(bus, what->port);
    if (!port)
        err_set(err, "USB bus %s has no port %s", bus->name, what->port);
    return port;
}

/* ---- What ---- */

struct named {
    const char *id;
    struct usb_device *found;
};

static bool has_id(void *opaque, struct usb_port *port)
{
    struct named *n = opaque;
    if (!port->device || !port->device->id || strcmp(port->device->id, n->id))
        return false;
    n->found = port->device;
    return true;
}

static struct usb_device *find_device(const struct usb_set *set, const char *id)
{
    struct named n = {.id = id};
    walk_all(set, has_id, &n);
    return n.found;
}

bool usb_set_plug(struct usb_set *set, const struct config_usb_device *what, struct err *err)
{
    static const enum usb_hid_kind kinds[] = {
        [CONFIG_USB_TABLET] = USB_TABLET,
        [CONFIG_USB_MOUSE] = USB_MOUSE,
        [CONFIG_USB_KEYBOARD] = USB_KEYBOARD,
    };
    if (what->id && find_device(set, what->id))
        return err_set(err, "there is a USB device with id %s already", what->id);
    if (count_devices(set) + 2 > USB_MAX_DEVICES)
        return err_set(err, "there are too many USB devices");
    struct usb_port *port = choose_port(set, what, err);
    struct usb_device *d = NULL;
    if (port)
        d = what->kind == CONFIG_USB_HUB
                ? usb_hub_realize(port, what->id, set->devices, err)
                : usb_hid_realize(port, kinds[what->kind], what->id, set->clock, set->input,
                                  set->devices, err);
    if (!d)
        return false;
    device_reset(&d->device);
    return true;
}

static void destroy(struct usb_set *set, struct usb_device *d)
{
    for (unsigned i = 0; i < d->ops->ports; i++) {
        struct usb_device *below = d->ops->port(d, i)->device;
        if (below)
            destroy(set, below);
    }
    device_remove(set->devices, &d->device);
    d->device.class->destroy(&d->device);
}

bool usb_set_unplug(struct usb_set *set, const char *id, struct err *err)
{
    struct usb_device *d = find_device(set, id);
    if (!d)
        return err_set(err, "there is no USB device with id %s", id);
    destroy(set, d);
    return true;
}

struct search {
    unsigned left;
    struct usb_device *found;
};

static bool nth(void *opaque, struct usb_port *port)
{
    struct search *s = opaque;
    if (!port->device || s->left--)
        return false;
    s->found = port->device;
    return true;
}

bool usb_set_info(const struct usb_set *set, unsigned index, struct usb_info *info)
{
    struct search s = {.left = index};
    if (!walk_all(set, nth, &s))
        return false;
    *info = (struct usb_info){
        .id = s.found->id,
        .product = s.found->ops->product,
        .path = s.found->path,
        .bus = s.found->port->bus,
        .address = s.found->address,
        .low_speed = s.found->ops->speed == USB_LOW_SPEED,
        .configured = s.found->configuration != 0,
    };
    return true;
}
