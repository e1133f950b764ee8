/* SPDX-License-Identifier: GPL-2.0-or-later */
/* chardev_socket: UNIX, TCP and UDP sockets behind a chardev, listening or connecting. */
#include "ui/chardev_int.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "hw/core/inet.h"
#include "hw/core/log.h"

void chardev_adopt(struct chardev *c, int fd)
{
    int one = 1;
    c->in_fd = c->out_fd = fd;
    if (c->kind == CHARDEV_TCP && c->nodelay)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

bool chardev_accept(struct chardev *c)
{
    int fd = accept4(c->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return false;
    chardev_adopt(c, fd);
    chardev_greet(c);
    return true;
}

/* A server with wait=on: the guest does not start before there is a peer. */
static bool wait_for_peer(struct chardev *c, struct err *err)
{
    struct pollfd p = {.fd = c->listen_fd, .events = POLLIN};
    log_info("%s: waiting for a connection to %s", c->label, c->filename);
    for (;;) {
        if (chardev_accept(c)) {
            c->connected = true;
            return true;
        }
        if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
            return err_set(err, "%s: %s: %s", c->label, c->filename, strerror(errno));
        if (poll(&p, 1, -1) < 0 && errno != EINTR)
            return err_set(err, "%s: poll: %s", c->label, strerror(errno));
    }
}

/* A socket file that nobody listens on any more is in the way of the next server. */
static void remove_stale(const struct sockaddr_un *sa)
{
    struct stat st;
    int fd;
    if (lstat(sa->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
        return;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    if (connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) < 0 && errno == ECONNREFUSED)
        unlink(sa->sun_path);
    close(fd);
}

static const char *unix_word(const struct chardev *c)
{
    return c->is_telnet ? "telnet-unix" : "unix";
}

static bool open_unix(struct chardev *c, const struct chardev_config *config, struct err *err)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int fd;
    if (config->server && config->fd >= 0) {
        c->listen_fd = config->fd;
        fcntl(c->listen_fd, F_SETFD, FD_CLOEXEC);
        fcntl(c->listen_fd, F_SETFL, fcntl(c->listen_fd, F_GETFL) | O_NONBLOCK);
        return chardev_set_filename(c, err, "%s:fd=%d,server=on", unix_word(c), config->fd);
    }
    if (!config->path || strlen(config->path) >= sizeof(sa.sun_path))
        return err_set(err, "%s: a socket's path has 1 to %zu bytes", c->label,
                       sizeof(sa.sun_path) - 1);
    memcpy(sa.sun_path, config->path, strlen(config->path) + 1);
    if (!chardev_set_filename(c, err, "%s:%s%s", unix_word(c), config->path,
                              config->server ? ",server=on" : ""))
        return false;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | (config->server ? SOCK_NONBLOCK : 0), 0);
    if (fd < 0)
        return err_set(err, "%s: %s: %s", c->label, config->path, strerror(errno));
    if (config->server) {
        c->listen_fd = fd;
        remove_stale(&sa);
        if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, 1) < 0)
            return err_set(err, "%s: %s: %s", c->label, config->path, strerror(errno));
        return true;
    }
    chardev_adopt(c, fd);
    if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
        return err_set(err, "%s: %s: %s", c->label, config->path, strerror(errno));
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    c->connected = true;
    return true;
}

static bool open_tcp(struct chardev *c, const struct chardev_config *config, struct err *err)
{
    const char *host = config->host ? config->host : "";
    const char *port = config->port ? config->port : "";
    int fd = inet_stream(c->label, host, port, config->server, err);
    if (fd < 0)
        return false;
    if (config->server)
        c->listen_fd = fd;
    else
        chardev_adopt(c, fd);
    c->connected = !config->server;
    return chardev_set_filename(c, err, "%s:%s:%s%s", c->is_telnet ? "telnet" : "tcp", host, port,
                                config->server ? ",server=on" : "");
}

bool chardev_open_udp(struct chardev *c, const struct chardev_config *config, struct err *err)
{
    const char *host = config->host ? config->host : "",
               *local_host = config->local_host ? config->local_host : "",
               *local_port = config->local_port ? config->local_port : "0";
    c->datagram = calloc(1, sizeof(*c->datagram));
    if (!c->datagram)
        return err_set(err, "%s: out of memory", c->label);
    c->in_fd = c->out_fd =
        inet_datagrams(c->label, local_host, local_port, host, config->port, err);
    c->connected = c->in_fd >= 0;
    return c->connected && chardev_set_filename(c, err, "udp:%s:%s@%s:%s", host, config->port,
                                                local_host, local_port);
}

/* The first try is the loop's too: whether somebody is there yet does not matter. */
static bool will_connect(struct chardev *c, const struct chardev_config *config, struct err *err)
{
    if (!config->connector)
        return err_set(err, "%s: reconnect= is not possible here", c->label);
    c->connector = config->connector;
    c->target = config->target;
    c->reconnect_ns = config->reconnect * NS_PER_S;
    timer_arm_in(&c->retry_timer, 0);
    if (config->kind == CHARDEV_UNIX)
        return chardev_set_filename(c, err, "%s:%s", unix_word(c), config->path);
    return chardev_set_filename(c, err, "%s:%s:%s", c->is_telnet ? "telnet" : "tcp",
                                config->host ? config->host : "", config->port);
}

bool chardev_open_socket(struct chardev *c, const struct chardev_config *config, struct err *err)
{
    c->nodelay = config->nodelay;
    c->is_telnet = config->telnet;
    if (config->reconnect)
        return will_connect(c, config, err);
    bool ok = config->kind == CHARDEV_UNIX ? open_unix(c, config, err) : open_tcp(c, config, err);
    if (ok && config->server)
        return !config->wait || wait_for_peer(c, err);
    if (ok)
        chardev_greet(c);
    return ok;
}
