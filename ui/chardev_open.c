/* SPDX-License-Identifier: GPL-2.0-or-later */
/* chardev_open: the ways to get the descriptors of a chardev. All of this happens before the guest
 * runs and may use names; only accepting a connection comes later. */
#include "ui/chardev_int.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "hw/core/log.h"

#define CONNECT_MS 10000

static bool set_filename(struct chardev *c, struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static bool set_filename(struct chardev *c, struct err *err, const char *fmt, ...)
{
    va_list ap;
    int n;
    va_start(ap, fmt);
    n = vasprintf(&c->filename, fmt, ap);
    va_end(ap);
    if (n >= 0)
        return true;
    c->filename = NULL;
    return err_set(err, "%s: out of memory", c->label);
}

static bool open_pty(struct chardev *c, struct err *err)
{
    char name[64];
    struct termios t;
    int slave;
    c->in_fd = c->out_fd = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (c->in_fd < 0 || grantpt(c->in_fd) < 0 || unlockpt(c->in_fd) < 0 ||
        ptsname_r(c->in_fd, name, sizeof(name)) != 0)
        return err_set(err, "%s: no pty: %s", c->label, strerror(errno));
    /* Raw mode stays with the pty when nobody has its slave side open. */
    slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0)
        return err_set(err, "%s: %s: %s", c->label, name, strerror(errno));
    if (tcgetattr(slave, &t) == 0) {
        cfmakeraw(&t);
        tcsetattr(slave, TCSANOW, &t);
    }
    close(slave);
    return set_filename(c, err, "pty:%s", name);
}

/* Output to a regular file ends at XEN_QEMU_CONSOLE_LIMIT bytes (XSA-180), and a resource limit on
 * its size must not kill the process. */
static void bound_file(struct chardev *c)
{
    const char *text = getenv("XEN_QEMU_CONSOLE_LIMIT");
    struct stat st;
    signal(SIGXFSZ, SIG_IGN);
    if (!text || fstat(c->out_fd, &st) < 0 || !S_ISREG(st.st_mode))
        return;
    c->limit = strtoull(text, NULL, 10);
    c->written = (uint64_t)st.st_size;
}

static bool open_file(struct chardev *c, const struct chardev_config *config, struct err *err)
{
    int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY |
                (config->append ? O_APPEND : O_TRUNC);
    c->out_fd = open(config->path, flags, 0644);
    if (c->out_fd < 0)
        return err_set(err, "%s: %s: %s", c->label, config->path, strerror(errno));
    bound_file(c);
    c->connected = true;
    return set_filename(c, err, "file");
}

/*
 * Our own open file description of descriptor fd, so that O_NONBLOCK does not reach the others who
 * have it (a shell). Sockets cannot be opened anew: there the flag is set on the shared one.
 */
static int reopen(int fd, int flags)
{
    char name[32];
    int copy;
    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    copy = open(name, flags | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (copy >= 0)
        return copy;
    copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (copy >= 0)
        fcntl(copy, F_SETFL, fcntl(copy, F_GETFL) | O_NONBLOCK);
    return copy;
}

static bool open_stdio(struct chardev *c, struct err *err)
{
    struct termios t;
    signal(SIGPIPE, SIG_IGN);
    c->out_fd = reopen(STDOUT_FILENO, O_WRONLY | O_APPEND);
    if (c->out_fd < 0)
        return err_set(err, "%s: standard output: %s", c->label, strerror(errno));
    bound_file(c);
    c->in_fd = reopen(STDIN_FILENO, O_RDONLY); /* closed: no input */
    if (c->in_fd >= 0 && tcgetattr(c->in_fd, &t) == 0) {
        c->terminal = malloc(sizeof(*c->terminal));
        if (c->terminal)
            *c->terminal = t;
        t.c_lflag &= (tcflag_t) ~(ECHO | ICANON | IEXTEN); /* ISIG stays: ^C ends the process */
        t.c_iflag &= (tcflag_t) ~(ICRNL | IXON);
        t.c_cc[VMIN] = 1;
        t.c_cc[VTIME] = 0;
        tcsetattr(c->in_fd, TCSANOW, &t);
    }
    c->connected = true;
    return set_filename(c, err, "stdio");
}

static void adopt(struct chardev *c, int fd)
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
    adopt(c, fd);
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

static bool open_unix(struct chardev *c, const struct chardev_config *config, struct err *err)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int fd;
    if (config->server && config->fd >= 0) {
        c->listen_fd = config->fd;
        fcntl(c->listen_fd, F_SETFD, FD_CLOEXEC);
        fcntl(c->listen_fd, F_SETFL, fcntl(c->listen_fd, F_GETFL) | O_NONBLOCK);
        return set_filename(c, err, "unix:fd=%d,server=on", config->fd);
    }
    if (!config->path || strlen(config->path) >= sizeof(sa.sun_path))
        return err_set(err, "%s: a socket's path has 1 to %zu bytes", c->label,
                       sizeof(sa.sun_path) - 1);
    memcpy(sa.sun_path, config->path, strlen(config->path) + 1);
    if (!set_filename(c, err, "unix:%s%s", config->path, config->server ? ",server=on" : ""))
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
    adopt(c, fd);
    if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
        return err_set(err, "%s: %s: %s", c->label, config->path, strerror(errno));
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    c->connected = true;
    return true;
}

/* Connects a non-blocking socket within CONNECT_MS; false with errno set. */
static bool connect_in_time(int fd, const struct addrinfo *ai)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    int error = 0;
    socklen_t len = sizeof(error);
    if (connect(fd, ai->ai_addr, ai->ai_addrlen) == 0)
        return true;
    if (errno != EINPROGRESS)
        return false;
    if (poll(&p, 1, CONNECT_MS) == 0)
        error = ETIMEDOUT;
    else
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
    errno = error;
    return error == 0;
}

static int tcp_socket(const struct addrinfo *ai, bool server)
{
    int one = 1, saved;
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    if (server) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
        if (bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, 1) == 0)
            return fd;
    } else if (connect_in_time(fd, ai)) {
        return fd;
    }
    saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static bool open_tcp(struct chardev *c, const struct chardev_config *config, struct err *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = config->server ? AI_PASSIVE : 0};
    const char *host = config->host && *config->host ? config->host : NULL;
    const char *port = config->port ? config->port : "";
    struct addrinfo *list;
    int fd = -1, rc = getaddrinfo(host, port, &hints, &list);
    if (rc != 0)
        return err_set(err, "%s: %s:%s: %s", c->label, host ? host : "", port, gai_strerror(rc));
    for (const struct addrinfo *ai = list; ai && fd < 0; ai = ai->ai_next)
        fd = tcp_socket(ai, config->server);
    rc = errno;
    freeaddrinfo(list);
    if (fd < 0)
        return err_set(err, "%s: %s:%s: %s", c->label, host ? host : "", port, strerror(rc));
    if (config->server)
        c->listen_fd = fd;
    else
        adopt(c, fd);
    c->connected = !config->server;
    return set_filename(c, err, "tcp:%s:%s%s", host ? host : "", port,
                        config->server ? ",server=on" : "");
}

bool chardev_open_backend(struct chardev *c, const struct chardev_config *config, struct err *err)
{
    bool ok = false;
    c->nodelay = config->nodelay;
    switch (config->kind) {
    case CHARDEV_NULL:
        c->connected = true;
        return set_filename(c, err, "null");
    case CHARDEV_PTY:
        return open_pty(c, err);
    case CHARDEV_FILE:
        return open_file(c, config, err);
    case CHARDEV_STDIO:
        return open_stdio(c, err);
    case CHARDEV_UNIX:
        ok = open_unix(c, config, err);
        break;
    case CHARDEV_TCP:
        ok = open_tcp(c, config, err);
        break;
    }
    if (ok && config->server && config->wait)
        ok = wait_for_peer(c, err);
    return ok;
}

void chardev_close_backend(struct chardev *c)
{
    if (c->terminal)
        tcsetattr(c->in_fd, TCSANOW, c->terminal);
    free(c->terminal);
    if (c->in_fd >= 0)
        close(c->in_fd);
    if (c->out_fd >= 0 && c->out_fd != c->in_fd)
        close(c->out_fd);
    if (c->listen_fd >= 0)
        close(c->listen_fd);
}
