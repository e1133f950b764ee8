/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libxl_chardev: -chardev, -serial, -mon and -qmp of the argument line. */
#include "toolstack/libxl.h"

#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

static void chardev_free(struct chardev_config *c)
{
    free(c->path);
    free(c->host);
    free(c->port);
    *c = (struct chardev_config){.fd = -1};
}

bool libxl_socket_path(const char *option, const char *path, char **out, struct err *err)
{
    if (!*path)
        return err_set(err, "%s: the socket's path is missing", option);
    if (strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
        return err_set(err, "%s: the path of a UNIX socket has at most %zu characters: %s", option,
                       sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1, path);
    free(*out);
    *out = xstrdup(path);
    return true;
}

/* What -chardev socket and -serial unix: and tcp: have in common; takes all keys but the address.
 */
static bool socket_keys(struct optstr *o, struct chardev_config *c, struct err *err)
{
    bool nodelay = false, delay = true;
    bool wait = true;
    if (!optstr_bool(o, "server", &c->server, err) || !optstr_bool(o, "wait", &wait, err) ||
        !optstr_bool(o, "nodelay", &nodelay, err) || !optstr_bool(o, "delay", &delay, err) ||
        !optstr_only(o, "telnet", "off", err) || !optstr_only(o, "tn3270", "off", err) ||
        !optstr_only(o, "websocket", "off", err) || !optstr_only(o, "mux", "off", err) ||
        !optstr_only(o, "abstract", "off", err) || !optstr_only(o, "reconnect", "0", err) ||
        !optstr_refuse(o, "to", "name the port itself", err) ||
        !optstr_refuse(o, "tls-creds", "use a UNIX socket, or a tunnel", err) ||
        !optstr_refuse(o, "logfile", "use a file: back-end", err) || !optstr_finish(o, err))
        return false;
    c->wait = c->server && wait;
    c->nodelay = nodelay || !delay;
    return true;
}

/* HOST:PORT, [IPv6]:PORT. An empty host is every address for a server. */
static bool tcp_address(const char *option, const char *address, struct chardev_config *c,
                        struct err *err)
{
    const char *colon = strrchr(address, ':');
    if (!colon || !colon[1])
        return err_set(err, "%s: HOST:PORT is missing in '%s'", option, address);
    size_t len = (size_t)(colon - address);
    if (len >= 2 && address[0] == '[' && address[len - 1] == ']') {
        address++;
        len -= 2;
    }
    if (len > 255 || strlen(colon + 1) > 32)
        return err_set(err, "%s: the host or port is too long", option);
    free(c->host);
    free(c->port);
    c->host = xstrdup(address);
    c->host[len] = '\0';
    c->port = xstrdup(colon + 1);
    c->kind = CHARDEV_TCP;
    return true;
}

static bool chardev_socket(struct libxl *p, struct optstr *o, struct chardev_config *c,
                           struct err *err)
{
    const char *path = optstr_take(o, "path");
    const char *host = optstr_take(o, "host");
    const char *port = optstr_take(o, "port");
    const char *fd = optstr_take(o, "fd");
    if (!!path + !!(host || port) + !!fd != 1)
        return err_set(err, "%s: a socket has one of path=, host= with port=, and fd=", o->option);
    if (path) {
        c->kind = CHARDEV_UNIX;
        if (!libxl_socket_path(o->option, path, &c->path, err))
            return false;
    } else if (fd) {
        c->kind = CHARDEV_UNIX;
        if (!libxl_fd(p, "-chardev: fd=", fd, &c->fd, err))
            return false;
    } else {
        if (!port || !*port)
            return err_set(err, "%s: port= is missing", o->option);
        c->kind = CHARDEV_TCP;
        c->host = xstrdup(host ? host : "");
        c->port = xstrdup(port);
    }
    if (!socket_keys(o, c, err))
        return false;
    if (fd && !c->server)
        return err_set(err, "%s: fd=%s is served as a listening socket only; add server=on",
                       o->option, fd);
    return true;
}

static bool chardev_parse(struct libxl *p, struct optstr *o, struct libxl_chardev *slot,
                          struct err *err)
{
    struct chardev_config *c = &slot->chardev;
    const char *backend = optstr_need(o, "backend", err);
    if (!backend)
        return false;
    const char *id = optstr_need(o, "id", err);
    if (!id)
        return false;
    if (!libxl_id_valid(id))
        return err_set(err, "%s: id=%s is not a letter with letters, digits, '-', '.', '_' behind",
                       o->option, id);
    for (size_t i = 0; i < p->chardev_count; i++)
        if (!strcmp(p->chardevs[i].id, id))
            return err_set(err, "%s: id=%s is there twice", o->option, id);
    slot->id = xstrdup(id);
    if (!strcmp(backend, "socket"))
        return chardev_socket(p, o, c, err);
    if (!strcmp(backend, "pty"))
        c->kind = CHARDEV_PTY;
    else if (!strcmp(backend, "null"))
        c->kind = CHARDEV_NULL;
    else if (!strcmp(backend, "stdio"))
        c->kind = CHARDEV_STDIO;
    else if (!strcmp(backend, "file")) {
        c->kind = CHARDEV_FILE;
        const char *path = optstr_need(o, "path", err);
        if (!path)
            return false;
        c->path = xstrdup(path);
        if (!optstr_bool(o, "append", &c->append, err))
            return false;
    } else
        return err_set(err, "%s %s: not part of this version; use socket, pty, file, null or stdio",
                       o->option, backend);
    return optstr_only(o, "mux", "off", err) &&
           optstr_refuse(o, "logfile", "use the file back-end", err) && optstr_finish(o, err);
}

bool libxl_chardev(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    if (p->chardev_count == LIBXL_MAX_CHARDEVS)
        return err_set(err, "%s: more than %d of them", option, LIBXL_MAX_CHARDEVS);
    struct optstr o;
    if (!optstr_parse(&o, option, arg, "backend", err))
        return false;
    struct libxl_chardev *slot = &p->chardevs[p->chardev_count];
    *slot = (struct libxl_chardev){.chardev.fd = -1};
    bool ok = chardev_parse(p, &o, slot, err);
    if (ok) {
        p->chardev_count++;
    } else {
        chardev_free(&slot->chardev);
        free(slot->id);
    }
    optstr_free(&o);
    return ok;
}

/* Does s start with prefix? Then *rest is what follows. */
static bool after(const char *s, const char *prefix, const char **rest)
{
    size_t len = strlen(prefix);
    if (strncmp(s, prefix, len))
        return false;
    *rest = s + len;
    return true;
}

/* unix:PATH[,KEYS] and tcp:HOST:PORT[,KEYS] */
static bool socket_word(const char *option, const char *rest, bool tcp, struct chardev_config *c,
                        struct err *err)
{
    struct optstr o;
    if (!optstr_parse_positional(&o, option, rest, "address", err))
        return false;
    const char *address = optstr_need(&o, "address", err);
    bool ok = false;
    if (address) {
        c->kind = CHARDEV_UNIX;
        ok = (tcp ? tcp_address(option, address, c, err)
                  : libxl_socket_path(option, address, &c->path, err)) &&
             socket_keys(&o, c, err);
    }
    optstr_free(&o);
    return ok;
}

/* The words of -serial; they are older than -chardev, and the paths of file: are not split at
 * commas. */
static bool chardev_word(const char *option, const char *arg, struct chardev_config *c,
                         struct err *err)
{
    const char *rest;
    if (!strcmp(arg, "pty"))
        c->kind = CHARDEV_PTY;
    else if (!strcmp(arg, "null") || !strcmp(arg, "/dev/null"))
        c->kind = CHARDEV_NULL;
    else if (!strcmp(arg, "stdio"))
        c->kind = CHARDEV_STDIO;
    else if (after(arg, "file:", &rest)) {
        if (!*rest)
            return err_set(err, "%s file:: the file's name is missing", option);
        c->kind = CHARDEV_FILE;
        c->path = xstrdup(rest);
    } else if (after(arg, "unix:", &rest))
        return socket_word(option, rest, false, c, err);
    else if (after(arg, "tcp:", &rest))
        return socket_word(option, rest, true, c, err);
    else
        return err_set(err,
                       "%s %s: not part of this version; use pty, null, none, stdio, file:PATH, "
                       "unix:PATH, tcp:HOST:PORT or chardev:ID",
                       option, arg);
    return true;
}

/* What is behind a port: such a word, or a -chardev by name. */
static bool chardev_of(const char *option, const char *arg, struct chardev_config *c,
                       struct libxl_serial *named, struct err *err)
{
    const char *id;
    if (!after(arg, "chardev:", &id))
        return chardev_word(option, arg, c, err);
    named->chardev_id = xstrdup(id);
    return true;
}

bool libxl_serial(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    struct config *config = p->config;
    if (config->serial_count == CONFIG_MAX_SERIAL)
        return err_set(err, "%s: a PC has %d serial ports", option, CONFIG_MAX_SERIAL);
    if (strlen(arg) > OPTSTR_MAX_LENGTH)
        return err_set(err, "%s: its value is too long", option);
    size_t n = config->serial_count;
    struct chardev_config *c = &config->serial[n];
    *c = (struct chardev_config){.kind = CHARDEV_NULL, .fd = -1};
    config->serial_count++; /* from here on config_free releases it */
    if (!strcmp(arg, "none")) {
        config->serial_absent[n] = true;
        return true;
    }
    return chardev_of(option, arg, c, &p->serials[n], err);
}

bool libxl_parallel(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    struct config *config = p->config;
    if (!strcmp(arg, "none"))
        return true;
    if (config->have_parallel)
        return err_set(err, "%s: there is one parallel port", option);
    if (strlen(arg) > OPTSTR_MAX_LENGTH)
        return err_set(err, "%s: its value is too long", option);
    config->parallel = (struct chardev_config){.kind = CHARDEV_NULL, .fd = -1};
    config->have_parallel = true;
    return chardev_of(option, arg, &config->parallel, &p->parallel, err);
}

static struct config_monitor *monitor_new(struct libxl *p, const char *option, const char *id,
                                          struct err *err)
{
    struct config *config = p->config;
    if (config->monitor_count == CONFIG_MAX_MONITORS) {
        err_set(err, "%s: more than %d QMP sockets", option, CONFIG_MAX_MONITORS);
        return NULL;
    }
    struct config_monitor *m = &config->monitors[config->monitor_count++];
    *m = (struct config_monitor){.chardev_id = xstrdup(id), .fd = -1};
    return m;
}

bool libxl_mon(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    struct optstr o;
    if (!optstr_parse(&o, option, arg, "chardev", err))
        return false;
    const char *id = optstr_need(&o, "chardev", err);
    const char *mode = optstr_take(&o, "mode");
    bool ok = false;
    if (!id)
        ;
    else if (!mode || strcmp(mode, "control"))
        err_set(err,
                "%s: mode=%s is not part of this version; use mode=control (QMP; its "
                "human-monitor-command takes monitor lines)",
                option, mode ? mode : "readline");
    else
        ok = optstr_only(&o, "pretty", "off", err) && optstr_finish(&o, err) &&
             monitor_new(p, option, id, err);
    optstr_free(&o);
    return ok;
}

/* A QMP socket is a UNIX socket that we listen on and do not wait for. */
static bool monitor_set(struct config_monitor *m, const char *what, const struct chardev_config *c,
                        struct err *err)
{
    if (c->kind != CHARDEV_UNIX || !c->server || c->wait)
        return err_set(err, "%s: QMP is served on a UNIX socket with server=on,wait=off only",
                       what);
    m->path = c->path ? xstrdup(c->path) : NULL;
    m->fd = c->fd;
    return true;
}

bool libxl_qmp(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    static const char *const names[CONFIG_MAX_MONITORS] = {"compat_monitor0", "compat_monitor1",
                                                           "compat_monitor2", "compat_monitor3"};
    if (!strcmp(arg, "none"))
        return true;
    size_t n = p->config->monitor_count;
    struct config_monitor *m = monitor_new(p, option, n < CONFIG_MAX_MONITORS ? names[n] : "", err);
    if (!m)
        return false;
    struct chardev_config c = {.kind = CHARDEV_NULL, .fd = -1};
    bool ok = chardev_word(option, arg, &c, err) && monitor_set(m, option, &c, err);
    chardev_free(&c);
    return ok;
}

static struct libxl_chardev *chardev_claim(struct libxl *p, const char *option, const char *id,
                                           struct err *err)
{
    for (size_t i = 0; i < p->chardev_count; i++) {
        struct libxl_chardev *c = &p->chardevs[i];
        if (strcmp(c->id, id))
            continue;
        if (c->used) {
            err_set(err, "%s: -chardev %s is used already", option, id);
            return NULL;
        }
        c->used = true;
        return c;
    }
    err_set(err, "%s: there is no -chardev with id=%s", option, id);
    return NULL;
}

static bool chardev_take(struct libxl *p, const char *option, const struct libxl_serial *named,
                         struct chardev_config *out, struct err *err)
{
    if (!named->chardev_id)
        return true;
    struct libxl_chardev *c = chardev_claim(p, option, named->chardev_id, err);
    if (!c)
        return false;
    *out = c->chardev; /* with its strings */
    c->chardev = (struct chardev_config){.fd = -1};
    return true;
}

bool libxl_chardevs_finish(struct libxl *p, struct err *err)
{
    struct config *config = p->config;
    for (size_t i = 0; i < config->serial_count; i++)
        if (!chardev_take(p, "-serial", &p->serials[i], &config->serial[i], err))
            return false;
    if (!chardev_take(p, "-parallel", &p->parallel, &config->parallel, err))
        return false;
    for (size_t i = 0; i < config->monitor_count; i++) {
        struct config_monitor *m = &config->monitors[i];
        if (m->path || m->fd >= 0)
            continue;
        struct libxl_chardev *c = chardev_claim(p, "-mon", m->chardev_id, err);
        if (!c || !monitor_set(m, "-mon", &c->chardev, err))
            return false;
    }
    for (size_t i = 0; i < p->chardev_count; i++)
        if (!p->chardevs[i].used)
            return err_set(err,
                           "-chardev: nothing uses %s (channels of PV consoles are not part of "
                           "this version; leave channel= out)",
                           p->chardevs[i].id);
    return true;
}

void libxl_chardevs_free(struct libxl *p)
{
    for (size_t i = 0; i < p->chardev_count; i++) {
        chardev_free(&p->chardevs[i].chardev);
        free(p->chardevs[i].id);
    }
    for (size_t i = 0; i < CONFIG_MAX_SERIAL; i++)
        free(p->serials[i].chardev_id);
    free(p->parallel.chardev_id);
}
