/* SPDX-License-Identifier: GPL-2.0-or-later */
/* chardev_connect: see chardev_connect.h. */
#include "ui/chardev_connect.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/un.h>
#include <unistd.h>

#include "hw/core/log.h"
#include "hw/core/loop.h"

#define CONNECT_MS 3000 /* for each address: the others wait meanwhile */

struct reply {
    uint32_t target;
    int32_t error; /* 0: with a descriptor */
};

/* ---- Addresses ---- */

static bool resolve_unix(const char *label, const struct chardev_config *config,
                         struct chardev_target *target, struct err *err)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    size_t len = config->path ? strlen(config->path) : 0;
    if (!len || len >= sizeof(sa.sun_path))
        return err_set(err, "%s: a socket's path has 1 to %zu bytes", label,
                       sizeof(sa.sun_path) - 1);
    memcpy(sa.sun_path, config->path, len);
    memcpy(&target->list[0].address, &sa, sizeof(sa));
    target->list[0].len = sizeof(sa);
    target->count = 1;
    return true;
}

bool chardev_resolve(const char *label, const struct chardev_config *config,
                     struct chardev_target *target, struct err *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    const char *host = config->host && *config->host ? config->host : NULL;
    struct addrinfo *found;
    *target = (struct chardev_target){0};
    if (config->kind == CHARDEV_UNIX)
        return resolve_unix(label, config, target, err);
    int rc = getaddrinfo(host, config->port, &hints, &found);
    if (rc)
        return err_set(err, "%s: %s:%s: %s", label, host ? host : "", config->port,
                       gai_strerror(rc));
    for (const struct addrinfo *a = found; a && target->count < CHARDEV_ADDRESSES_MAX;
         a = a->ai_next) {
        if (a->ai_addrlen > sizeof(target->list[0].address))
            continue;
        memcpy(&target->list[target->count].address, a->ai_addr, a->ai_addrlen);
        target->list[target->count++].len = a->ai_addrlen;
    }
    freeaddrinfo(found);
    return target->count > 0 || err_set(err, "%s: no address", label);
}

/* ---- The other process ---- */

/* A connected descriptor, or -1 with errno. */
static int connect_to(const struct sockaddr_storage *address, socklen_t len)
{
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), error = 0;
    socklen_t size = sizeof(error);
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    if (fd < 0)
        return -1;
    if (connect(fd, (const struct sockaddr *)address, len) == 0)
        return fd;
    error = errno;
    if (error == EINPROGRESS && poll(&p, 1, CONNECT_MS) == 0)
        error = ETIMEDOUT;
    else if (error == EINPROGRESS && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        error = errno;
    if (!error)
        return fd;
    close(fd);
    errno = error;
    return -1;
}

static int connect_any(const struct chardev_target *target)
{
    int fd = -1;
    errno = EADDRNOTAVAIL;
    for (unsigned i = 0; i < target->count && fd < 0; i++)
        fd = connect_to(&target->list[i].address, target->list[i].len);
    return fd;
}

static void answer(int socket, uint32_t target, int fd, int error)
{
    struct reply reply = {target, fd >= 0 ? 0 : error};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec iov = {&reply, sizeof(reply)};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    memset(&control, 0, sizeof(control));
    if (fd >= 0) {
        msg.msg_control = &control;
        msg.msg_controllen = sizeof(control);
        control.header = (struct cmsghdr){
            .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
    }
    sendmsg(socket, &msg, MSG_NOSIGNAL);
}

void chardev_connect_serve(int socket, const struct chardev_target *targets, size_t count)
{
    for (;;) {
        uint32_t target;
        ssize_t n = recv(socket, &target, sizeof(target), 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        if (n != sizeof(target) || target >= count)
            continue;
        int fd = connect_any(&targets[target]);
        answer(socket, target, fd, errno);
        if (fd >= 0)
            close(fd);
    }
}

/* ---- This process ---- */

struct chardev_connector {
    struct loop *loop;
    int socket;
    struct loop_source source;
    struct {
        void (*done)(void *opaque, int fd, int error);
        void *opaque;
    } waiting[CHARDEV_TARGETS_MAX];
};

static void finish(struct chardev_connector *c, unsigned target, int fd, int error)
{
    void (*done)(void *opaque, int fd, int error) =
        target < CHARDEV_TARGETS_MAX ? c->waiting[target].done : NULL;
    if (done) {
        c->waiting[target].done = NULL;
        done(c->waiting[target].opaque, fd, error);
    } else if (fd >= 0) {
        close(fd);
    }
}

/* One answer; false: there is none. */
static bool receive(struct chardev_connector *c)
{
    struct reply reply;
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec iov = {&reply, sizeof(reply)};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof(control)};
    ssize_t n = recvmsg(c->socket, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    const struct cmsghdr *h = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;
    int fd = -1;
    if (n == 0) { /* the process is gone: nothing is connected any more */
        log_warn("the process that makes connections has ended");
        loop_unwatch(c->loop, &c->source);
    }
    if (n <= 0)
        return false;
    if (h && h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS &&
        h->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(&fd, CMSG_DATA(h), sizeof(fd));
    if (n == sizeof(reply))
        finish(c, reply.target, fd, reply.error);
    else if (fd >= 0)
        close(fd);
    return true;
}

static void on_event(void *opaque, uint32_t events)
{
    (void)events;
    while (receive(opaque))
        ;
}

struct chardev_connector *chardev_connector_new(struct loop *loop, int socket, struct err *err)
{
    struct chardev_connector *c = calloc(1, sizeof(*c));
    if (!c) {
        close(socket);
        err_set(err, "out of memory");
        return NULL;
    }
    c->loop = loop;
    c->socket = socket;
    if (!loop_watch(loop, &c->source, socket, EPOLLIN, on_event, c, err)) {
        chardev_connector_free(c);
        return NULL;
    }
    return c;
}

void chardev_connector_free(struct chardev_connector *c)
{
    if (!c)
        return;
    loop_unwatch(c->loop, &c->source);
    close(c->socket);
    free(c);
}

void chardev_connector_ask(struct chardev_connector *c, unsigned target,
                           void (*done)(void *opaque, int fd, int error), void *opaque)
{
    uint32_t request = target;
    c->waiting[target].done = done;
    c->waiting[target].opaque = opaque;
    if (send(c->socket, &request, sizeof(request), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        finish(c, target, -1, errno);
}

void chardev_connector_forget(struct chardev_connector *c, unsigned target)
{
    c->waiting[target].done = NULL;
}
