/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qmp_vnc: what QMP asks and says about the VNC server. Shapes: QEMU's QAPI schema (qapi/ui.json),
 * VncInfo, VncInfo2, VncServerInfo, VncClientInfo.
 */
#include <string.h>
#include <time.h>

#include "toolstack/optstr.h"
#include "toolstack/qmp_internal.h"

static bool get_info(const struct qmp *qmp, struct qmp_vnc_info *info)
{
    const struct qmp_target *t = qmp->target;

    *info = (struct qmp_vnc_info){0};
    return t->vnc && t->vnc(t->opaque, info);
}

static const char *auth(const struct qmp_vnc_info *info)
{
    return info->password ? "vnc" : "none";
}

/* VncBasicInfo. A UNIX socket's path is the service. */
static json_t *address(const struct vnc_address *a)
{
    bool is_unix = !strcmp(a->family, "unix");

    return json_pack("{s:o,s:o,s:s,s:b}", "host", qmp_text(is_unix ? "" : a->host), "service",
                     qmp_text(is_unix ? a->host : a->service), "family", a->family, "websocket",
                     a->websocket);
}

/* VncServerInfo. */
static json_t *server(const struct qmp_vnc_info *info, const struct vnc_address *a)
{
    json_t *object = address(a);

    json_object_set_new(object, "auth", json_string(auth(info)));
    return object;
}

static struct vnc_address main_address(const struct qmp_vnc_info *info)
{
    struct vnc_address a = {.family = info->unix_path ? "unix" : info->ipv6 ? "ipv6" : "ipv4"};
    const char *host = info->unix_path ? info->unix_path : info->host;

    memccpy(a.host, host, 0, sizeof(a.host) - 1);
    if (!info->unix_path)
        memccpy(a.service, info->service, 0, sizeof(a.service) - 1);
    return a;
}

static json_t *clients(const struct qmp_vnc_info *info)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < info->clients; i++)
        json_array_append_new(list, address(&info->viewers[i]));
    return list;
}

void qmp_cmd_vnc(struct qmp_call *call)
{
    struct qmp_vnc_info info;
    struct vnc_address a;

    if (!get_info(call->qmp, &info)) {
        call->result = json_pack("{s:b}", "enabled", 0);
        return;
    }
    a = main_address(&info);
    call->result = json_pack("{s:b}", "enabled", 1);
    json_object_update_new(call->result, server(&info, &a));
    json_object_del(call->result, "websocket");
    json_object_set_new(call->result, "clients", clients(&info));
}

void qmp_cmd_vnc_servers(struct qmp_call *call)
{
    struct qmp_vnc_info info;
    struct vnc_address a;
    json_t *servers;

    call->result = json_array();
    if (!get_info(call->qmp, &info))
        return;
    a = main_address(&info);
    servers = json_array();
    json_array_append_new(servers, server(&info, &a));
    if (info.web)
        json_array_append_new(servers, server(&info, info.web));
    json_array_append_new(call->result,
                          json_pack("{s:s,s:o,s:o,s:s}", "id", "default", "server", servers,
                                    "clients", clients(&info), "auth", auth(&info)));
}

/* An empty password is no password, and with no password nobody gets in. */
static void set_password(struct qmp_call *call, const char *password, bool view_only)
{
    const struct qmp_target *t = call->qmp->target;

    if (password && !*password)
        password = NULL;
    qmp_done(call, t->set_vnc_password,
             t->set_vnc_password &&
                 t->set_vnc_password(t->opaque, password, view_only, &call->err));
}

void qmp_cmd_vnc_password(struct qmp_call *call)
{
    set_password(call, qmp_arg_string(call, "password"), false);
}

/* The arguments that say which server is meant: there is one. */
static bool is_ours(struct qmp_call *call)
{
    const char *protocol = qmp_arg_string(call, "protocol");
    const char *display = qmp_arg_string(call, "display");

    if (strcmp(protocol, "vnc"))
        qmp_fail(call, QMP_GENERIC, "protocol '%s' is not part of this version; there is vnc",
                 protocol);
    else if (display && strcmp(display, "default"))
        qmp_fail(call, QMP_GENERIC, "there is no VNC display '%s'; it is default", display);
    else
        return true;
    return false;
}

void qmp_cmd_set_password(struct qmp_call *call)
{
    const char *connected = qmp_arg_string(call, "connected");

    if (!is_ours(call))
        return;
    if (connected && strcmp(connected, "keep"))
        qmp_fail(call, QMP_GENERIC, "connected '%s' is not part of this version; there is keep",
                 connected);
    else
        set_password(call, qmp_arg_string(call, "password"),
                     qmp_arg_bool(call, "view-only", false));
}

/* "now", "never", "+SECONDS" or seconds since 1970. False: none of these. */
static bool parse_time(const char *text, time_t *when)
{
    uint64_t seconds, now = (uint64_t)time(NULL);

    if (!strcmp(text, "now")) {
        *when = 0;
        return true;
    }
    if (!strcmp(text, "never")) {
        *when = VNC_NEVER;
        return true;
    }
    if (!parse_number(text + (text[0] == '+'), 0, UINT64_MAX, &seconds))
        return false;
    if (text[0] == '+' && seconds < VNC_NEVER - now)
        seconds += now;
    *when = seconds < VNC_NEVER ? (time_t)seconds : VNC_NEVER;
    return true;
}

void qmp_cmd_expire_password(struct qmp_call *call)
{
    const struct qmp_target *t = call->qmp->target;
    const char *text = qmp_arg_string(call, "time");
    time_t when;

    if (!is_ours(call))
        return;
    if (!parse_time(text, &when))
        qmp_fail(call, QMP_GENERIC, "time '%s' is not now, never, +SECONDS or SECONDS", text);
    else
        qmp_done(call, t->expire_vnc_password,
                 t->expire_vnc_password && t->expire_vnc_password(t->opaque, when, &call->err));
}

/* The old way to say two things. */
void qmp_cmd_change(struct qmp_call *call)
{
    const char *device = qmp_arg_string(call, "device"), *target = qmp_arg_string(call, "target");

    if (strcmp(device, "vnc"))
        qmp_change_medium(call, target, qmp_arg_string(call, "arg"), NULL);
    else if (!strcmp(target, "password") || !strcmp(target, "passwd"))
        set_password(call, qmp_arg_string(call, "arg"), false);
    else
        qmp_fail(call, QMP_GENERIC,
                 "the VNC server's address is -vnc's: no socket can be opened any more");
}

void qmp_event_vnc(struct qmp *qmp, enum vnc_change change, const struct qmp_vnc_info *info,
                   const struct vnc_address *viewer)
{
    static const char *const names[] = {[VNC_CONNECTED] = "VNC_CONNECTED",
                                        [VNC_INITIALIZED] = "VNC_INITIALIZED",
                                        [VNC_DISCONNECTED] = "VNC_DISCONNECTED"};
    struct vnc_address a = viewer->websocket && info->web ? *info->web : main_address(info);

    qmp_send_event(qmp, names[change],
                   json_pack("{s:o,s:o}", "server", server(info, &a), "client", address(viewer)));
}
