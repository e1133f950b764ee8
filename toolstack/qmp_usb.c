/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qmp_usb: device_add and device_del, which are USB's here: tablets, mice, keyboards, hubs, and,
 * before the guest starts, controllers (libxl's usbctrl of type devicemodel). Shapes: QEMU's
 * qapi/qdev.json.
 */
#include <string.h>

#include "toolstack/libxl.h"
#include "toolstack/qmp_internal.h"

static void add_controller(struct qmp_call *call, const char *id)
{
    const struct qmp_target *t = call->qmp->target;
    if (!id || !libxl_id_valid(id)) {
        qmp_fail(call, QMP_GENERIC, "a controller needs an 'id', by which devices name its bus");
        return;
    }
    qmp_done(call, t->usb_add_controller,
             t->usb_add_controller && t->usb_add_controller(t->opaque, id, &call->err));
}

void qmp_cmd_device_add(struct qmp_call *call)
{
    const struct qmp_target *t = call->qmp->target;
    const char *driver = qmp_arg_string(call, "driver"), *id = qmp_arg_string(call, "id"),
               *bus = qmp_arg_string(call, "bus"), *port = qmp_arg_string(call, "port");
    struct config_usb_device what = {0};
    struct err err;
    if (!strcmp(driver, "piix3-usb-uhci")) {
        add_controller(call, id);
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
    if (!t->usb_unplug || !t->usb_unplug(t->opaque, id, &call->err)) {
        qmp_fail(call, QMP_NO_DEVICE, "Device '%.64s' not found", id);
        return;
    }
    qmp_done(call, true, true);
    qmp_send_event(call->qmp, "DEVICE_DELETED",
                   json_pack("{s:o,s:o}", "device", qmp_text(id), "path",
                             json_sprintf("/machine/peripheral/%s", id)));
}
