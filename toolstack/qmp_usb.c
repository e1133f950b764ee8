/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qmp_usb: device_add and device_del, which are USB's here: tablets, mice, keyboards, hubs, and,
 * before the guest starts, controllers (libxl's usbctrl of type devicemodel). Shapes: QEMU's
 * qapi/qdev.json.
 */
#include <string.h>

#include "toolstack/libxl.h"
#include "toolstack/qmp_internal.h"

/* p2 or p3; false: no such number of ports. */
static bool ports_of(const struct qmp_call *call, const char *name, unsigned *ports)
{
    json_int_t n;
    if (!qmp_arg_int(call, name, &n))
        return true;
    *ports = (unsigned)n;
    return n >= 1 && n <= CONFIG_MAX_XHCI_PORTS;
}

static void add_controller(struct qmp_call *call, enum config_usb_host host, const char *id)
{
    const struct qmp_target *t = call->qmp->target;
    struct config_usb_controller what = {.host = host, .id = (char *)(uintptr_t)id};
    if (!id || !libxl_id_valid(id)) {
        qmp_fail(call, QMP_GENERIC, "a controller needs an 'id', by which devices name its bus");
        return;
    }
    if (!ports_of(call, "p2", &what.usb2) || !ports_of(call, "p3", &what.usb3)) {
        qmp_fail(call, QMP_GENERIC, "'p2' and 'p3' are from 1 to %d", CONFIG_MAX_XHCI_PORTS);
        return;
    }
    qmp_done(call, t->usb_add_controller,
             t->usb_add_controller && t->usb_add_controller(t->opaque, &what, &call->err));
}

void qmp_cmd_device_add(struct qmp_call *call)
{
    const struct qmp_target *t = call->qmp->target;
    const char *driver = qmp_arg_string(call, "driver"), *id = qmp_arg_string(call, "id"),
               *bus = qmp_arg_string(call, "bus"), *port = qmp_arg_string(call, "port");
    struct config_usb_device what = {0};
    enum config_usb_host host;
    struct err err;
    enum config_nic_model nic;
    if (config_nic_model(driver, &nic)) {
        qmp_fail(call, QMP_GENERIC,
                 "%s: network cards are not plugged into a running guest: say type=ioemu in vif= "
                 "and start it again, or give it a PV one (xl network-attach)",
                 driver);
        return;
    }
    if (config_usb_host(driver, &host)) {
        add_controller(call, host, id);
        return;
    }
    if (!config_usb_kind(driver, &what.kind, &err)) {
        qmp_fail(call, QMP_GENERIC, "%s", err.text);
        return;
    }
    if (id && !libxl_id_valid(id)) {
        qmp_fail(call, QMP_GENERIC, "Parameter 'id' expects an identifier");
        return;
    }
    if (port && !config_usb_port_valid(port)) {
        qmp_fail(call, QMP_GENERIC, "Parameter 'port' expects a port as 1 or 2.1");
        return;
    }
    what.id = (char *)(uintptr_t)id; /* only read, and copied */
    what.bus = (char *)(uintptr_t)bus;
    what.port = (char *)(uintptr_t)port;
    qmp_done(call, t->usb_plug, t->usb_plug && t->usb_plug(t->opaque, &what, &call->err));
}

void qmp_cmd_device_del(struct qmp_call *call)
{
    const struct qmp_target *t = call->qmp->target;
    const char *id = qmp_arg_string(call, "id");
    struct qmp_net_info net = {0};
    if (qmp_find_net(call->qmp, id, &net) >= 0 && net.nic && !strcmp(net.nic, id)) {
        qmp_fail(call, QMP_GENERIC,
                 "Device '%.64s' is a network card, which stays; set_link pulls its cable out", id);
        return;
    }
    if (!t->usb_unplug || !t->usb_unplug(t->opaque, id, &call->err)) {
        qmp_fail(call, QMP_NO_DEVICE, "Device '%.64s' not found", id);
        return;
    }
    qmp_done(call, true, true);
    qmp_event_deleted(call->qmp, id);
}
