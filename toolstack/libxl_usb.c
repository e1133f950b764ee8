/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libxl_usb: -usb, -usbdevice and the -device names of USB controllers and devices. qemu(1). */
#include "toolstack/libxl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NO_PASSTHROUGH                                                                              \
    "USB devices of the host are not passed through by this version; leave usbdevice=\"host:…\" " \
    "and usbdev= out"

static const struct {
    const char *driver, *word; /* -device's and -usbdevice's */
    enum config_usb_kind kind;
} kinds[] = {
    {"usb-tablet", "tablet", CONFIG_USB_TABLET},
    {"usb-mouse", "mouse", CONFIG_USB_MOUSE},
    {"usb-kbd", "keyboard", CONFIG_USB_KEYBOARD},
    {"usb-hub", NULL, CONFIG_USB_HUB},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static bool starts(const char *s, const char *with)
{
    return !strncmp(s, with, strlen(with));
}

bool config_usb_kind(const char *driver, enum config_usb_kind *kind, struct err *err)
{
    for (size_t i = 0; i < KINDS; i++)
        if (!strcmp(driver, kinds[i].driver)) {
            *kind = kinds[i].kind;
            return true;
        }
    if (!strcmp(driver, "usb-host") || !strcmp(driver, "usb-redir"))
        return err_set(err, "%s: " NO_PASSTHROUGH, driver);
    return err_set(err,
                   "%.64s: there is no such device here (there are usb-tablet, usb-mouse, usb-kbd "
                   "and usb-hub)",
                   driver);
}

bool config_usb_host(const char *driver, enum config_usb_host *host)
{
    static const char *const names[] = {
        [CONFIG_UHCI] = "piix3-usb-uhci",
        [CONFIG_XHCI] = "qemu-xhci",
        [CONFIG_XHCI_NEC] = "nec-usb-xhci",
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (!strcmp(driver, names[i])) {
            *host = (enum config_usb_host)i;
            return true;
        }
    return false;
}

bool config_usb_port_valid(const char *port)
{
    size_t len = strlen(port);
    if (!len || len > 15 || strspn(port, "0123456789.") != len)
        return false;
    return port[0] != '.' && port[len - 1] != '.' && !strstr(port, "..");
}

static struct config_usb_device *device_new(struct libxl *p, const char *option, struct err *err)
{
    struct config *c = p->config;
    if (c->usb_device_count < CONFIG_MAX_USB_DEVICES)
        return &c->usb_devices[c->usb_device_count++];
    err_set(err, "%s: there are at most %d USB devices", option, CONFIG_MAX_USB_DEVICES);
    return NULL;
}

bool libxl_usb(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    (void)option, (void)arg, (void)err;
    p->config->usb = true;
    return true;
}

bool libxl_usbdevice(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    for (size_t i = 0; i < KINDS; i++) {
        if (!kinds[i].word || strcmp(arg, kinds[i].word))
            continue;
        struct config_usb_device *d = device_new(p, option, err);
        if (!d)
            return false;
        d->kind = kinds[i].kind;
        p->config->usb = true;
        return true;
    }
    if (starts(arg, "host"))
        return err_set(err, "%s %.64s: " NO_PASSTHROUGH, option, arg);
    return err_set(err,
                   "%s %.64s: not part of this version; there are tablet, mouse and keyboard (xl: "
                   "usbdevice=)",
                   option, arg);
}

static bool controller_keys(struct libxl *p, struct optstr *o, enum config_usb_host host,
                            struct err *err)
{
    struct config *c = p->config;
    if (c->usb_controller_count == CONFIG_MAX_USB_CONTROLLERS)
        return err_set(err, "%s: there are at most %d USB controllers", o->option,
                       CONFIG_MAX_USB_CONTROLLERS);
    struct config_usb_controller *u = &c->usb_controllers[c->usb_controller_count++];
    u->host = host;
    u->order = p->cards++;
    /* As many ports as the stock xHCI has by itself. */
    if (host != CONFIG_UHCI) {
        uint64_t usb2 = 0, usb3 = 0;
        if (!optstr_number(o, "p2", 1, CONFIG_MAX_XHCI_PORTS, &usb2, err) ||
            !optstr_number(o, "p3", 1, CONFIG_MAX_XHCI_PORTS, &usb3, err))
            return false;
        u->usb2 = (unsigned)usb2;
        u->usb3 = (unsigned)usb3;
    }
    return libxl_take_id(o, &u->id, err) && optstr_only(o, "bus", "pci.0 pci", err) &&
           libxl_pci_place(o, &u->placed, &u->devfn, err) &&
           optstr_refuse(o, "masterbus", "companion controllers are not part of this version",
                         err) &&
           optstr_finish(o, err);
}

static bool device_keys(struct libxl *p, struct optstr *o, enum config_usb_kind kind,
                        struct err *err)
{
    struct config_usb_device *d = device_new(p, o->option, err);
    if (!d)
        return false;
    d->kind = kind;
    if (!libxl_take_id(o, &d->id, err) || !optstr_string(o, "bus", &d->bus, err) ||
        !optstr_string(o, "port", &d->port, err) || !optstr_only(o, "usb_version", "1", err) ||
        !optstr_only(o, "ports", "8", err))
        return false;
    if (d->port && !config_usb_port_valid(d->port))
        return err_set(err, "%s: port=%s is not a port (2) or one behind hubs (2.1)", o->option,
                       d->port);
    return optstr_finish(o, err);
}

bool libxl_usb_driver(const char *driver)
{
    enum config_usb_kind kind;
    enum config_usb_host host;
    return config_usb_host(driver, &host) || !strcmp(driver, "usb-host") ||
           config_usb_kind(driver, &kind, NULL);
}

bool libxl_usb_keys(struct libxl *p, struct optstr *o, const char *driver, struct err *err)
{
    enum config_usb_kind kind;
    enum config_usb_host host;
    if (config_usb_host(driver, &host))
        return controller_keys(p, o, host, err);
    struct err why;
    if (!config_usb_kind(driver, &kind, &why))
        return err_set(err, "%s %s", o->option, why.text);
    return device_keys(p, o, kind, err);
}

/* Is there a bus of this name? "usb-bus.0" is the PIIX3's, or else that of the first controller
 * without a name. */
static bool have_bus(const struct config *c, const char *bus)
{
    char name[128];
    unsigned unnamed = 0;
    if (c->usb && !strcmp(bus, "usb-bus.0"))
        return true;
    unnamed += c->usb;
    for (size_t i = 0; i < c->usb_controller_count; i++) {
        const char *id = c->usb_controllers[i].id;
        if (id)
            snprintf(name, sizeof(name), "%s.0", id);
        else
            snprintf(name, sizeof(name), "usb-bus.%u", unnamed++);
        if (!strcmp(bus, name))
            return true;
    }
    return false;
}

bool libxl_usb_finish(struct libxl *p, struct err *err)
{
    const struct config *c = p->config;
    for (size_t i = 0; i < c->usb_device_count; i++) {
        const struct config_usb_device *d = &c->usb_devices[i];
        if (!c->usb && !c->usb_controller_count)
            return err_set(err, "-device %s: there is no USB controller: say -usb (xl: usb=1)",
                           kinds[d->kind].driver);
        if (d->bus && !have_bus(c, d->bus))
            return err_set(err, "-device %s: bus=%s: there is no such USB bus",
                           kinds[d->kind].driver, d->bus);
        for (size_t j = 0; d->id && j < i; j++)
            if (c->usb_devices[j].id && !strcmp(d->id, c->usb_devices[j].id))
                return err_set(err, "-device: id=%s is there twice", d->id);
    }
    return true;
}
