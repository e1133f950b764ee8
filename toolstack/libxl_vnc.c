/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libxl_vnc: -vnc and -vncviewer of the argument line. */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "toolstack/libxl.h"

#define FIRST_PORT  5900
#define MAX_DISPLAY (65535 - FIRST_PORT)

static bool after(const char *s, const char *prefix, const char **rest)
{
    size_t len = strlen(prefix);

    *rest = s + len;
    return !strncmp(s, prefix, len);
}

/* HOST:NUMBER, where an IPv6 address may have brackets. *host is allocated. */
static bool host_and_number(const char *text, uint64_t min, uint64_t max, char **host,
                            uint64_t *number)
{
    const char *colon = strrchr(text, ':');
    size_t len;

    if (!colon || !parse_number(colon + 1, min, max, number))
        return false;
    len = (size_t)(colon - text);
    if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
        text++;
        len -= 2;
    }
    if (len > 255)
        return false;
    free(*host);
    *host = xstrdup(text);
    (*host)[len] = '\0';
    return true;
}

/* HOST:D, unix:PATH or fd:N */
static bool vnc_address(struct libxl *p, const char *option, const char *address,
                        struct config_vnc *v, struct err *err)
{
    const char *rest;
    uint64_t display;

    if (after(address, "unix:", &rest))
        return libxl_socket_path(option, rest, &v->unix_path, err);
    if (after(address, "fd:", &rest)) {
        v->have_fd = true;
        return libxl_fd(p, "-vnc fd:", rest, &v->fd, err);
    }
    if (!host_and_number(address, 0, MAX_DISPLAY, &v->host, &display))
        return err_set(err,
                       "%s: '%s' is not HOST:DISPLAY with a display from 0 to %d, unix:PATH, fd:N "
                       "or none",
                       option, address, MAX_DISPLAY);
    v->display = v->to = (unsigned)display;
    return true;
}

static bool vnc_share(const char *option, const char *share, struct config_vnc *v, struct err *err)
{
    if (!share || !strcmp(share, "allow-exclusive"))
        return true;
    v->share_force = !strcmp(share, "force-shared");
    v->share_ignore = !strcmp(share, "ignore");
    if (v->share_force || v->share_ignore)
        return true;
    return err_set(err, "%s: share= is allow-exclusive, force-shared or ignore, not '%s'", option,
                   share);
}

/* As QEMU's sockets have it: one switched on is only that one, one switched off the other one. */
static bool vnc_family(struct optstr *o, struct config_vnc *v, struct err *err)
{
    bool known4 = false, known6 = false;

    for (size_t i = 0; i < o->count; i++) {
        known4 = known4 || !strcmp(o->keys[i].name, "ipv4") || !strcmp(o->keys[i].name, "noipv4");
        known6 = known6 || !strcmp(o->keys[i].name, "ipv6") || !strcmp(o->keys[i].name, "noipv6");
    }
    bool ipv4 = !known6, ipv6 = !known4;
    if (!optstr_bool(o, "ipv4", &ipv4, err) || !optstr_bool(o, "ipv6", &ipv6, err))
        return false;
    if (known4 && !known6)
        ipv6 = !ipv4;
    if (known6 && !known4)
        ipv4 = !ipv6;
    if (!ipv4 && !ipv6)
        return err_set(err, "%s: neither ipv4 nor ipv6 is left to listen on", o->option);
    v->family = ipv4 && ipv6 ? AF_UNSPEC : ipv4 ? AF_INET : AF_INET6;
    return true;
}

/* websocket, websocket=on|off, websocket=[HOST:]PORT */
static bool vnc_websocket(struct optstr *o, struct config_vnc *v, struct err *err)
{
    const char *value = NULL;
    uint64_t port = 0;

    for (size_t i = 0; i < o->count; i++) {
        if (strcmp(o->keys[i].name, "websocket") != 0)
            continue;
        value = o->keys[i].value;
        o->keys[i].taken = true;
    }
    if (!value || !strcmp(value, "off"))
        return true;
    v->websocket = true;
    if (strcmp(value, "on") != 0 && !parse_number(value, 1, 65535, &port) &&
        !host_and_number(value, 1, 65535, &v->web_host, &port))
        return err_set(err, "%s: websocket=%s is not [HOST:]PORT, on or off", o->option, value);
    v->web_port = (unsigned)port;
    if (!port && !v->host)
        return err_set(err, "%s: websocket= needs [HOST:]PORT with unix: and fd:", o->option);
    return true;
}

static bool vnc_parse(struct libxl *p, struct optstr *o, struct config_vnc *v, struct err *err)
{
    static const char tunnel[] = "use a UNIX socket, a local address with a tunnel (ssh -L), or "
                                 "websocket-tls=DIR for browsers";
    const char *address = optstr_need(o, "address", err);
    uint64_t to = UINT64_MAX;
    bool ignored;

    if (!address)
        return false;
    if (!strcmp(address, "none"))
        return optstr_finish(o, err);
    v->enabled = true;
    if (!vnc_address(p, o->option, address, v, err) || !vnc_family(o, v, err) ||
        !vnc_websocket(o, v, err) || !optstr_string(o, "websocket-tls", &v->web_tls, err) ||
        !optstr_bool(o, "password", &v->password, err) ||
        !optstr_bool(o, "require-auth", &v->require_auth, err) ||
        !optstr_number(o, "to", 0, MAX_DISPLAY, &to, err) ||
        !vnc_share(o->option, optstr_take(o, "share"), v, err) ||
        !optstr_bool(o, "lock-key-sync", &v->lock_key_sync, err) ||
        /* Hints about encodings: the viewer's own settings decide. */
        !optstr_bool(o, "lossy", &ignored, err) || !optstr_bool(o, "non-adaptive", &ignored, err) ||
        !optstr_only(o, "reverse", "off", err) || !optstr_only(o, "power-control", "off", err) ||
        !optstr_only(o, "sasl", "off", err) || !optstr_refuse(o, "tls-creds", tunnel, err) ||
        !optstr_refuse(o, "tls", tunnel, err) || !optstr_refuse(o, "x509", tunnel, err) ||
        !optstr_refuse(o, "x509verify", tunnel, err) ||
        !optstr_refuse(o, "password-secret", "use password=on and QMP", err) ||
        !optstr_refuse(o, "audiodev", "leave it out", err))
        return false;
    optstr_take(o, "id");
    if (!optstr_finish(o, err))
        return false;
    if (v->web_tls && !v->websocket)
        return err_set(err, "%s: websocket-tls= goes with websocket=", o->option);
    if (to == UINT64_MAX)
        return true;
    if (!v->host)
        return err_set(err, "%s: to= goes with HOST:DISPLAY only", o->option);
    if (to < v->display)
        return err_set(err, "%s: to=%u is below display %u", o->option, (unsigned)to, v->display);
    v->to = (unsigned)to;
    return true;
}

bool libxl_vnc(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    struct config_vnc *v = &p->config->vnc;
    struct optstr o;
    bool ok;

    if (v->enabled)
        return err_set(err, "%s: there is one VNC server at most", option);
    if (!optstr_parse_positional(&o, option, arg, "address", err))
        return false;
    ok = vnc_parse(p, &o, v, err);
    optstr_free(&o);
    return ok;
}

bool libxl_vncviewer(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    (void)option;
    (void)arg;
    (void)err;
    p->config->vnc.viewer = true;
    return true;
}
