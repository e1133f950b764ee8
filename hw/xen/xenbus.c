/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xenbus: see xenbus.h. */
#include "hw/xen/xenbus.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>
#include <xen/io/xs_wire.h>

#define TOKEN_MAX  64
#define EVENTS_MAX 64 /* that wait while an answer is waited for; beyond, one for all */

struct event {
    char path[XENBUS_PATH_MAX];
    char token[TOKEN_MAX];
};

struct xenbus {
    int fd;
    bool gone;
    uint32_t request;
    struct event *events; /* that came between request and answer */
    unsigned first, count, room;
    size_t got; /* bytes of the message under way */
    struct xsd_sockmsg head;
    char body[XENSTORE_PAYLOAD_MAX + 1];
};

static int connect_socket(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd;

    if (strlen(path) >= sizeof(a.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(a.sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a))) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static int connect_daemon(void)
{
    static const char *const sockets[] = {"/run/xenstored/socket", "/var/run/xenstored/socket"};
    static const char *const devices[] = {"/dev/xen/xenbus", "/proc/xen/xenbus"};
    const char *said = getenv("XENSTORED_PATH");
    int fd = -1;

    if (said)
        return connect_socket(said);
    for (size_t i = 0; fd < 0 && i < sizeof(sockets) / sizeof(sockets[0]); i++)
        fd = connect_socket(sockets[i]);
    for (size_t i = 0; fd < 0 && i < sizeof(devices) / sizeof(devices[0]); i++)
        fd = open(devices[i], O_RDWR | O_CLOEXEC);
    return fd;
}

struct xenbus *xenbus_open(struct err *err)
{
    struct xenbus *x = calloc(1, sizeof(*x));

    if (!x) {
        err_set(err, "out of memory");
        return NULL;
    }
    x->fd = connect_daemon();
    if (x->fd >= 0)
        return x;
    err_set(err, "cannot reach xenstored: %s", strerror(errno));
    free(x);
    return NULL;
}

void xenbus_close(struct xenbus *x)
{
    if (!x)
        return;
    close(x->fd);
    free(x->events);
    free(x);
}

int xenbus_fd(const struct xenbus *x)
{
    return x->fd;
}

/* --- messages --- */

static bool gone(struct xenbus *x)
{
    x->gone = true;
    errno = EPIPE;
    return false;
}

/* Waits for the descriptor, which the kernel's device cannot be told not to block on. */
static bool ready(struct xenbus *x, short events, int timeout)
{
    struct pollfd p = {.fd = x->fd, .events = events};
    int n;

    do {
        n = poll(&p, 1, timeout);
    } while (n < 0 && errno == EINTR);
    return n > 0;
}

/* Reads on; true when a whole message is there. False: not yet (only without `wait`), or gone. */
static bool receive(struct xenbus *x, bool wait)
{
    for (;;) {
        size_t have = x->got, need = sizeof(x->head);
        char *to = (char *)&x->head + have;

        if (have >= sizeof(x->head)) {
            if (x->head.len > XENSTORE_PAYLOAD_MAX)
                return gone(x);
            need += x->head.len;
            to = x->body + (have - sizeof(x->head));
        }
        if (have == need) {
            x->body[x->head.len] = 0;
            x->got = 0;
            return true;
        }
        if (!ready(x, POLLIN, wait ? -1 : 0))
            return false;
        ssize_t n = read(x->fd, to, need - have);
        if (n > 0)
            x->got += (size_t)n;
        else if (n == 0 || errno != EINTR)
            return gone(x);
    }
}

static void keep_event(struct xenbus *x)
{
    const char *path = x->body, *token = memchr(path, 0, x->head.len);
    struct event *e;

    token = token ? token + 1 : "";
    if (strlen(path) >= XENBUS_PATH_MAX || strlen(token) >= TOKEN_MAX)
        return;
    for (unsigned i = 0; i < x->count; i++) {
        e = &x->events[(x->first + i) % x->room];
        if (!strcmp(e->path, path) && !strcmp(e->token, token))
            return; /* is still to be looked at */
    }
    if (x->count == x->room) {
        unsigned room = x->room ? x->room * 2 : 4;
        struct event *more = x->room < EVENTS_MAX ? calloc(room, sizeof(*more)) : NULL;
        if (!more)
            return; /* those who watch look at all there is when any event comes */
        for (unsigned i = 0; i < x->count; i++)
            more[i] = x->events[(x->first + i) % x->room];
        free(x->events);
        x->events = more;
        x->room = room;
        x->first = 0;
    }
    e = &x->events[(x->first + x->count++) % x->room];
    memcpy(e->path, path, strlen(path) + 1);
    memcpy(e->token, token, strlen(token) + 1);
}

static bool send_all(struct xenbus *x, struct iovec *iov, int count)
{
    while (count) {
        ssize_t n = writev(x->fd, iov, count);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return gone(x);
        while (count && (size_t)n >= iov->iov_len) {
            n -= (ssize_t)iov->iov_len;
            iov++;
            count--;
        }
        if (count) {
            iov->iov_base = (char *)iov->iov_base + n;
            iov->iov_len -= (size_t)n;
        }
    }
    return true;
}

static int error_of(const char *name)
{
    for (size_t i = 0; i < sizeof(xsd_errors) / sizeof(xsd_errors[0]); i++)
        if (!strcmp(xsd_errors[i].errstring, name))
            return xsd_errors[i].errnum;
    return EINVAL;
}

/* Asks and waits: the answer is in x->body. The second part comes with its final zero if there is
 * `ended`. */
static bool ask(struct xenbus *x, uint32_t type, const char *path, const char *second, bool ended)
{
    size_t a = strlen(path) + 1, b = second ? strlen(second) + (ended ? 1 : 0) : 0;
    struct xsd_sockmsg m = {.type = type, .req_id = ++x->request, .len = (uint32_t)(a + b)};
    char text[sizeof(m) + XENSTORE_PAYLOAD_MAX];
    struct iovec iov = {.iov_base = text, .iov_len = sizeof(m) + a + b};

    if (x->gone)
        return gone(x);
    if (a + b > XENSTORE_PAYLOAD_MAX) {
        errno = E2BIG;
        return false;
    }
    /* In one piece: the kernel's device takes messages, not bytes. */
    memcpy(text, &m, sizeof(m));
    memcpy(text + sizeof(m), path, a);
    if (second) /* NOLINTNEXTLINE(bugprone-not-null-terminated-result): it has a length */
        memcpy(text + sizeof(m) + a, second, b);
    if (!send_all(x, &iov, 1))
        return false;
    while (receive(x, true)) {
        if (x->head.type == XS_WATCH_EVENT) {
            keep_event(x);
        } else if (x->head.req_id == m.req_id) {
            if (x->head.type == type)
                return true;
            errno = x->head.type == XS_ERROR ? error_of(x->body) : EPROTO;
            return false;
        }
    }
    return false;
}

static char *answer(struct xenbus *x, size_t *bytes)
{
    size_t n = x->head.len;
    char *copy = malloc(n + 1);

    if (copy) {
        memcpy(copy, x->body, n + 1);
        if (bytes)
            *bytes = n;
    }
    return copy;
}

char *xenbus_read(struct xenbus *x, const char *path)
{
    return ask(x, XS_READ, path, NULL, false) ? answer(x, NULL) : NULL;
}

char *xenbus_list(struct xenbus *x, const char *path, size_t *bytes)
{
    return ask(x, XS_DIRECTORY, path, NULL, false) ? answer(x, bytes) : NULL;
}

bool xenbus_write(struct xenbus *x, const char *path, const char *value)
{
    return ask(x, XS_WRITE, path, value, false);
}

bool xenbus_watch(struct xenbus *x, const char *path, const char *token)
{
    return ask(x, XS_WATCH, path, token, true);
}

bool xenbus_unwatch(struct xenbus *x, const char *path, const char *token)
{
    return ask(x, XS_UNWATCH, path, token, true);
}

enum xenbus_next xenbus_next(struct xenbus *x, char *path, char *token)
{
    while (!x->count && receive(x, false))
        if (x->head.type == XS_WATCH_EVENT)
            keep_event(x);
    if (!x->count)
        return x->gone ? XENBUS_GONE : XENBUS_NOTHING;
    const struct event *e = &x->events[x->first];
    memcpy(path, e->path, sizeof(e->path));
    memcpy(token, e->token, sizeof(e->token));
    x->first = (x->first + 1) % x->room;
    x->count--;
    return XENBUS_EVENT;
}

bool xenbus_pending(const struct xenbus *x)
{
    return x->count;
}
