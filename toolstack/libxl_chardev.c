/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libxl_chardev: back-ends of streams: -chardev, and the words of -serial. */
#include "toolstack/libxl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "ui/console.h"
#include "ui/font.h"
#include "ui/term.h"

#define RECONNECT_MAX (24 * 60 * 60) /* seconds */
#define LOGSIZE_MAX   (UINT64_C(1) << 50)

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

/* logfile= and logappend=, of every back-end. */
static bool log_keys(struct optstr *o, struct chardev_config *c, struct err *err)
{
    if (!optstr_string(o, "logfile", &c->log, err) ||
        !optstr_bool(o, "logappend", &c->log_append, err))
        return false;
    return c->log || !c->log_append ||
           err_set(err, "%s: logappend=on is about logfile=, which is missing", o->option);
}

/* What -chardev socket and -serial unix: and tcp: have in common; takes all keys but the address.
 */
static bool socket_keys(struct optstr *o, struct chardev_config *c, struct err *err)
{
    bool nodelay = false, delay = true;
    bool wait = true;
    uint64_t reconnect = 0;
    if (!optstr_bool(o, "server", &c->server, err) || !optstr_bool(o, "wait", &wait, err) ||
        !optstr_bool(o, "nodelay", &nodelay, err) || !optstr_bool(o, "delay", &delay, err) ||
        !optstr_bool(o, "telnet", &c->telnet, err) || !optstr_only(o, "tn3270", "off", err) ||
        !optstr_only(o, "websocket", "off", err) || !optstr_only(o, "abstract", "off", err) ||
        !optstr_number(o, "reconnect", 0, RECONNECT_MAX, &reconnect, err) ||
        !optstr_refuse(o, "to", "name the port itself", err) ||
        !optstr_refuse(o, "tls-creds", "use a UNIX socket, or a tunnel", err) ||
        !log_keys(o, c, err) || !optstr_finish(o, err))
        return false;
    if (reconnect && c->server)
        return err_set(err, "%s: reconnect= is for who connects; a server waits anyway", o->option);
    c->reconnect = (unsigned)reconnect;
    c->wait = c->server && wait;
    c->nodelay = nodelay || !delay;
    return true;
}

/* HOST:PORT, [IPv6]:PORT of `total` characters. An empty host is every address for a server. */
static bool split_address(const char *option, const char *address, size_t total, char **host,
                          char **port, struct err *err)
{
    char copy[512];
    if (total >= sizeof(copy))
        return err_set(err, "%s: the host or port is too long", option);
    memcpy(copy, address, total);
    copy[total] = '\0';
    address = copy;
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
    free(*host);
    free(*port);
    *host = xstrdup(address);
    (*host)[len] = '\0';
    *port = xstrdup(colon + 1);
    return true;
}

static bool tcp_address(const char *option, const char *address, struct chardev_config *c,
                        struct err *err)
{
    c->kind = CHARDEV_TCP;
    return split_address(option, address, strlen(address), &c->host, &c->port, err);
}

/* udp:[HOST]:PORT[@[HOST]:PORT]: where to, and where from. */
static bool udp_word(const char *option, const char *rest, struct chardev_config *c,
                     struct err *err)
{
    const char *at = strchr(rest, '@');
    c->kind = CHARDEV_UDP;
    return split_address(option, rest, at ? (size_t)(at - rest) : strlen(rest), &c->host, &c->port,
                         err) &&
           (!at ||
            split_address(option, at + 1, strlen(at + 1), &c->local_host, &c->local_port, err));
}

static bool udp_keys(struct optstr *o, struct chardev_config *c, struct err *err)
{
    const char *port = optstr_need(o, "port", err);
    c->kind = CHARDEV_UDP;
    if (!port)
        return false;
    c->port = xstrdup(port);
    return optstr_string(o, "host", &c->host, err) &&
           optstr_string(o, "localaddr", &c->local_host, err) &&
           optstr_string(o, "localport", &c->local_port, err) && optstr_finish(o, err);
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

/* A console's size in characters, or in pixels. */
static bool vc_keys(struct optstr *o, struct chardev_config *c, struct err *err)
{
    uint64_t width = 0, height = 0, cols = 0, rows = 0;
    if (!optstr_number(o, "width", FONT_WIDTH, 16384, &width, err) ||
        !optstr_number(o, "height", FONT_HEIGHT, 16384, &height, err) ||
        !optstr_number(o, "cols", TERM_MIN_COLS, TERM_MAX_COLS, &cols, err) ||
        !optstr_number(o, "rows", TERM_MIN_ROWS, TERM_MAX_ROWS, &rows, err))
        return false;
    c->cols = (unsigned)(cols ? cols : width / FONT_WIDTH);
    c->rows = (unsigned)(rows ? rows : height / FONT_HEIGHT);
    return true;
}

static bool file_keys(struct optstr *o, struct chardev_config *c, struct err *err)
{
    const char *path = optstr_need(o, "path", err), *size;
    if (!path || !optstr_bool(o, "append", &c->append, err))
        return false;
    c->path = xstrdup(path);
    size = optstr_take(o, "logsize");
    return !size || parse_size(size, 1, 1, LOGSIZE_MAX, &c->limit) ||
           err_set(err, "%s: logsize=%s is not a size in bytes (as 1M)", o->option, size);
}

static bool chardev_keys(struct optstr *o, struct chardev_config *c, struct err *err)
{
    const char *path;
    bool signals = true;
    switch (c->kind) {
    case CHARDEV_FILE:
        return file_keys(o, c, err);
    case CHARDEV_PIPE:
        path = optstr_need(o, "path", err);
        c->path = path ? xstrdup(path) : NULL;
        return path != NULL;
    case CHARDEV_VC:
        return vc_keys(o, c, err);
    case CHARDEV_STDIO:
        if (!optstr_bool(o, "signal", &signals, err))
            return false;
        c->raw = !signals;
        return true;
    default:
        return true;
    }
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
    if (!optstr_bool(o, "mux", &slot->mux, err) || !log_keys(o, c, err))
        return false;
    if (!strcmp(backend, "socket"))
        return chardev_socket(p, o, c, err);
    if (!strcmp(backend, "udp"))
        return udp_keys(o, c, err);
    if (!strcmp(backend, "pty"))
        c->kind = CHARDEV_PTY;
    else if (!strcmp(backend, "null"))
        c->kind = CHARDEV_NULL;
    else if (!strcmp(backend, "stdio"))
        c->kind = CHARDEV_STDIO;
    else if (!strcmp(backend, "file"))
        c->kind = CHARDEV_FILE;
    else if (!strcmp(backend, "pipe"))
        c->kind = CHARDEV_PIPE;
    else if (!strcmp(backend, "vc"))
        c->kind = CHARDEV_VC;
    else
        return err_set(
            err,
            "%s %s: not part of this version; use socket, udp, pty, file, pipe, vc, null or "
            "stdio",
            o->option, backend);
    return chardev_keys(o, c, err) && optstr_finish(o, err);
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
        chardev_config_free(&slot->chardev);
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

/* vc, vc:800x600 (pixels), vc:80Cx24C (characters) */
static bool vc_word(const char *option, const char *size, struct chardev_config *c, struct err *err)
{
    unsigned cols, rows;
    int end = 0;
    c->kind = CHARDEV_VC;
    if (sscanf(size, "%4uCx%4uC%n", &cols, &rows, &end) < 2 || !end || size[end]) {
        end = 0;
        if (sscanf(size, "%5ux%5u%n", &cols, &rows, &end) < 2 || !end || size[end])
            return err_set(err,
                           "%s vc:%s: the size of a console is as 80Cx24C, or 640x384 in pixels",
                           option, size);
        cols /= FONT_WIDTH;
        rows /= FONT_HEIGHT;
    }
    if (cols < TERM_MIN_COLS || cols > TERM_MAX_COLS || rows < TERM_MIN_ROWS ||
        rows > TERM_MAX_ROWS)
        return err_set(err, "%s vc:%s: a console has from %d to %d columns and from %d to %d lines",
                       option, size, TERM_MIN_COLS, TERM_MAX_COLS, TERM_MIN_ROWS, TERM_MAX_ROWS);
    c->cols = cols;
    c->rows = rows;
    return true;
}

/* file:PATH, pipe:PATH */
static bool path_word(const char *option, const char *arg, const char *path, enum chardev_kind kind,
                      struct chardev_config *c, struct err *err)
{
    if (!*path)
        return err_set(err, "%s %s: the file's name is missing", option, arg);
    c->kind = kind;
    c->path = xstrdup(path);
    return true;
}

/* They are older than -chardev, and the paths of file: are not split at commas. */
bool libxl_chardev_word(const char *option, const char *arg, struct chardev_config *c,
                        struct err *err)
{
    const char *rest;
    if (!strcmp(arg, "pty"))
        c->kind = CHARDEV_PTY;
    else if (!strcmp(arg, "null") || !strcmp(arg, "/dev/null"))
        c->kind = CHARDEV_NULL;
    else if (!strcmp(arg, "stdio"))
        c->kind = CHARDEV_STDIO;
    else if (!strcmp(arg, "vc"))
        c->kind = CHARDEV_VC;
    else if (after(arg, "vc:", &rest))
        return vc_word(option, rest, c, err);
    else if (after(arg, "file:", &rest))
        return path_word(option, arg, rest, CHARDEV_FILE, c, err);
    else if (after(arg, "pipe:", &rest))
        return path_word(option, arg, rest, CHARDEV_PIPE, c, err);
    else if (after(arg, "unix:", &rest))
        return socket_word(option, rest, false, c, err);
    else if (after(arg, "tcp:", &rest))
        return socket_word(option, rest, true, c, err);
    else if (after(arg, "telnet:", &rest)) {
        c->telnet = true;
        return socket_word(option, rest, true, c, err);
    } else if (after(arg, "udp:", &rest))
        return udp_word(option, rest, c, err);
    else
        return err_set(
            err,
            "%s %s: not part of this version; use pty, null, none, stdio, file:PATH, "
            "pipe:PATH, vc, unix:PATH, tcp:HOST:PORT, telnet:HOST:PORT, udp:HOST:PORT or "
            "chardev:ID",
            option, arg);
    return true;
}
