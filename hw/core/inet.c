/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inet: see inet.h. */
#include "hw/core/inet.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECT_MS 10000

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

static bool serve(int fd, const struct addrinfo *ai)
{
    int one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    return bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, 1) == 0;
}

static struct addrinfo *find(const char *label, const char *host, const char *port,
                             const struct addrinfo *hints, struct err *err)
{
    struct addrinfo *list = NULL;
    int rc = getaddrinfo(*host ? host : NULL, port, hints, &list);
    if (rc)
        err_set(err, "%s: %s:%s: %s", label, host, port, gai_strerror(rc));
    return rc ? NULL : list;
}

int inet_stream(const char *label, const char *host, const char *port, bool server, struct err *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = server ? AI_PASSIVE : 0};
    struct addrinfo *list = find(label, host, port, &hints, err);
    int fd = -1, why = EADDRNOTAVAIL;
    for (const struct addrinfo *ai = list; ai && fd < 0; ai = ai->ai_next) {
        fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        bool ok = fd >= 0 && (server ? serve(fd, ai) : connect_in_time(fd, ai));
        why = errno;
        if (ok || fd < 0)
            continue;
        close(fd);
        fd = -1;
    }
    if (list)
        freeaddrinfo(list);
    if (list && fd < 0)
        err_set(err, "%s: %s:%s: %s", label, host, port, strerror(why));
    return fd;
}

/* Of the first address of the one place that has one of the same kind in the other. */
static int bind_and_connect(const struct addrinfo *to, const struct addrinfo *list)
{
    for (const struct addrinfo *from = list; from; from = from->ai_next) {
        if (to && from->ai_family != to->ai_family)
            continue;
        int fd = socket(from->ai_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
            return -1;
        if (!bind(fd, from->ai_addr, from->ai_addrlen) &&
            (!to || !connect(fd, to->ai_addr, to->ai_addrlen)))
            return fd;
        int why = errno;
        close(fd);
        errno = why;
        return -1;
    }
    errno = EAFNOSUPPORT;
    return -1;
}

int inet_datagrams(const char *label, const char *local_host, const char *local_port,
                   const char *host, const char *port, struct err *err)
{
    const struct addrinfo here = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_PASSIVE};
    const struct addrinfo there = {.ai_socktype = SOCK_DGRAM};
    struct addrinfo *from = find(label, local_host, local_port, &here, err), *to = NULL;
    if (from && host)
        to = find(label, host, port, &there, err);
    int fd = -1;
    if (from && (to || !host)) {
        fd = bind_and_connect(to, from);
        if (fd < 0)
            err_set(err, "%s: %s:%s%s%s%s%s: %s", label, local_host, local_port, host ? " to " : "",
                    host ? host : "", host ? ":" : "", host ? port : "", strerror(errno));
    }
    if (from)
        freeaddrinfo(from);
    if (to)
        freeaddrinfo(to);
    return fd;
}

bool inet_split(const char *label, char *address, char **host, char **port, struct err *err)
{
    char *colon = strrchr(address, ':');
    if (!colon || !colon[1])
        return err_set(err, "%s: '%s' is not HOST:PORT", label, address);
    *host = address;
    *port = colon + 1;
    bool brackets = address[0] == '[';
    if (brackets && (colon == address || colon[-1] != ']'))
        return err_set(err, "%s: '%s' is not [HOST]:PORT", label, address);
    *colon = '\0';
    if (brackets) {
        colon[-1] = '\0';
        *host = address + 1;
    } else if (strchr(address, ':')) {
        *colon = ':';
        return err_set(err, "%s: '%s': an IPv6 address stands in brackets", label, address);
    }
    return true;
}
