/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qmp_net: network cards and what is behind them, over QMP. Shapes: QEMU's qapi/net.json and
 * qapi/qom.json. */
#include <stdlib.h>
#include <string.h>

#include "toolstack/libxl.h"
#include "toolstack/qmp_internal.h"

#define CAPTURE_LENGTH 65536 /* of a frame, unless maxlen says else */

int qmp_find_net(struct qmp *qmp, const char *name, struct qmp_net_info *info)
{
    const struct qmp_target *t = qmp->target;
    int backend = -1;
    for (size_t i = 0; t->net && t->net(t->opaque, i, info); i++) {
        if (info->nic && !strcmp(info->nic, name))
            return (int)i;
        if (info->netdev && !strcmp(info->netdev, name))
            backend = (int)i;
    }
    if (backend >= 0)
        t->net(t->opaque, (size_t)backend, info);
    return backend;
}

void qmp_cmd_set_link(struct qmp_call *call)
{
    const struct qmp_target *t = call->qmp->target;
    const char *name = qmp_arg_string(call, "name");
    struct qmp_net_info info = {0};
    int index = qmp_find_net(call->qmp, name, &info);
    if (index < 0) {
        qmp_fail(call, QMP_NO_DEVICE, "Device '%.64s' not found", name);
        return;
    }
    if (!info.netdev) {
        qmp_fail(call, QMP_GENERIC, "nothing is behind '%.64s' that could be plugged in", name);
        return;
    }
    if (t->set_link)
        t->set_link(t->opaque, (size_t)index, qmp_arg_bool(call, "up", false));
    qmp_done(call, t->set_link, true);
}

/* Only paravirtual cards tell what they filter, to a back-end that would do it for them. */
void qmp_cmd_rx_filter(struct qmp_call *call)
{
    const char *name = qmp_arg_string(call, "name");
    struct qmp_net_info info = {0};
    if (!name)
        call->result = json_array();
    else if (qmp_find_net(call->qmp, name, &info) < 0)
        qmp_fail(call, QMP_GENERIC, "invalid net client name: %.64s", name);
    else
        qmp_fail(call, QMP_GENERIC, "net client(%.64s) doesn't support rx-filter querying", name);
}

/* ---- announce-self ---- */

static bool number(struct qmp_call *call, const char *name, json_int_t max, unsigned *out)
{
    json_int_t n = 0;
    qmp_arg_int(call, name, &n);
    *out = (unsigned)n;
    if (n >= 1 && n <= max)
        return true;
    qmp_fail(call, QMP_GENERIC, "announce-self: '%s' is from 1 to %lld", name, (long long)max);
    return false;
}

/* The cards that `interfaces` names; without it all. */
static bool interfaces(struct qmp_call *call, uint32_t *nics)
{
    const json_t *names = json_object_get(call->args, "interfaces"), *name;
    size_t i;
    *nics = names ? 0 : UINT32_MAX;
    json_array_foreach(names, i, name)
    {
        struct qmp_net_info info = {0};
        const char *text = json_string_value(name);
        int index = text ? qmp_find_net(call->qmp, text, &info) : -1;
        if (index < 0 || index >= CONFIG_MAX_NICS || !info.nic) {
            qmp_fail(call, QMP_GENERIC, "announce-self: there is no network card '%.64s'",
                     text ? text : "");
            return false;
        }
        *nics |= UINT32_C(1) << index;
    }
    return true;
}

void qmp_cmd_announce(struct qmp_call *call)
{
    const struct qmp_target *t = call->qmp->target;
    struct qmp_announce how;
    if (!number(call, "initial", 100000, &how.initial_ms) ||
        !number(call, "max", 100000, &how.max_ms) || !number(call, "rounds", 1000, &how.rounds) ||
        !number(call, "step", 10000, &how.step_ms) || !interfaces(call, &how.nics))
        return;
    if (t->announce)
        t->announce(t->opaque, &how);
    qmp_done(call, t->announce, true);
}

/* ---- what is only on the command line ---- */

void qmp_cmd_netdev_add(struct qmp_call *call)
{
    qmp_fail(call, QMP_GENERIC,
             "a back-end is not added to a running guest: it is opened before the process gives up "
             "the host's files and devices; say it in vif= (-netdev)");
}

void qmp_cmd_netdev_del(struct qmp_call *call)
{
    const char *id = qmp_arg_string(call, "id");
    struct qmp_net_info info = {0};
    if (qmp_find_net(call->qmp, id, &info) < 0)
        qmp_fail(call, QMP_NO_DEVICE, "Device '%.64s' not found", id);
    else
        qmp_fail(call, QMP_GENERIC,
                 "a back-end stays with its card; set_link '%.64s' pulls the cable out", id);
}

/* ---- captures ---- */

void qmp_cmd_object_add(struct qmp_call *call)
{
    const struct qmp_target *t = call->qmp->target;
    const char *type = qmp_arg_string(call, "qom-type"), *queue = qmp_arg_string(call, "queue");
    struct qmp_capture what = {.id = qmp_arg_string(call, "id"),
                               .netdev = qmp_arg_string(call, "netdev"),
                               .file = qmp_arg_string(call, "file")};
    json_int_t maxlen = CAPTURE_LENGTH;
    struct qmp_net_info info = {0};
    if (!t->capture) {
        qmp_done(call, false, false);
        return;
    }
    qmp_arg_int(call, "maxlen", &maxlen);
    if (strcmp(type, "filter-dump") != 0)
        qmp_fail(call, QMP_GENERIC, "invalid object type: %.64s (there is filter-dump)", type);
    else if (!libxl_id_valid(what.id))
        qmp_fail(call, QMP_GENERIC, "Parameter 'id' expects an identifier");
    else if (!what.netdev || !what.file || !*what.file)
        qmp_fail(call, QMP_GENERIC, "filter-dump needs 'netdev' and 'file'");
    else if (maxlen < 1 || maxlen > INT32_MAX)
        qmp_fail(call, QMP_GENERIC, "'maxlen' is from 1 to %d", INT32_MAX);
    else if (queue && strcmp(queue, "all") != 0)
        qmp_fail(call, QMP_GENERIC, "'queue' is all: both ways are captured");
    else if (qmp_find_net(call->qmp, what.netdev, &info) < 0 || !info.netdev ||
             strcmp(info.netdev, what.netdev) != 0)
        qmp_fail(call, QMP_GENERIC, "there is no -netdev '%.64s'", what.netdev);
    else if (t->capturing && t->capturing(t->opaque, what.id)) /* before the file is emptied */
        qmp_fail(call, QMP_GENERIC, "attempt to add duplicate property '%s'", what.id);
    if (call->error_class)
        return;
    what.maxlen = (uint32_t)maxlen;
    what.fd = qmp_open_file(call->qmp, what.file, &call->err);
    qmp_done(call, true, what.fd >= 0 && t->capture(t->opaque, &what, &call->err));
}

void qmp_cmd_object_del(struct qmp_call *call)
{
    const struct qmp_target *t = call->qmp->target;
    const char *id = qmp_arg_string(call, "id");
    if (!t->end_capture || !t->end_capture(t->opaque, id))
        qmp_fail(call, QMP_GENERIC, "object '%.64s' not found", id);
    else
        qmp_done(call, true, true);
}
