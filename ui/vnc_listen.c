/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vnc_listen: addresses, the search for a free port, UNIX paths; see vnc_listen.h. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ui/vnc_listen.h"

#define FIRST_PORT     5900 /* display 0, RFC 6143 section 1 */
#define FIRST_WEB_PORT 5700 /* as QEMU has it */
#define BACKLOG        16

void vnc_address_of(const void *sockaddr, struct vnc_address *address)
{
    const struct sockaddr *sa = sockaddr;
    const struct sockaddr_un *un = sockaddr;
    socklen_t len =
        sa->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);

    memset(address, 0, sizeof(*address));
    if (sa->sa_family == AF_UNIX) {
        address->family = "unix";
        snprintf(address->host, sizeof(address->host), "%.*s", (int)sizeof(un->sun_path) - 1,
                 un->sun_path);
        return;
    }
    address->family = sa->sa_family == AF_INET6 ? "ipv6" : "ipv4";
    if (getnameinfo(sa, len, address->host, sizeof(address->host), address->service,
                    sizeof(address->service), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        strcpy(address->host, "?");
}

const char *vnc_address_text(const struct vnc_address *address, char *buf, size_t size)
{
    if (!address->service[0])
        snprintf(buf, size, "%s", address->host[0] ? address->host : "a UNIX socket");
    else
        snprintf(buf, size, strchr(address->host, ':') ? "[%s]:%s" : "%s:%s", address->host,
                 address->service);
    return buf;
}

static void close_listeners(struct vnc_listen *l)
{
    for (unsigned i = 0; i < l->count; i++)
        close(l->fds[i]);
    l->count = 0;
}

/* A listening socket at that address; -1 and errno. */
static int listen_at(const struct addrinfo *ai)
{
    int one = 1, saved;
    int fd = socket(ai->ai_family, ai->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, ai->ai_protocol);

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    /* IPv4 has its own socket wherever both are wanted. */
    if (ai->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
    /* With SO_REUSEADDR a taken port may show at listen() only. */
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0) {
        saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

/* All addresses of the host on one port. 0, or the errno that matters: EADDRINUSE if any of them is
 * taken. */
static int listen_on_port(struct vnc_listen *l, struct addrinfo *list, unsigned port)
{
    int error = EADDRNOTAVAIL;

    for (struct addrinfo *ai = list; ai && l->count < VNC_MAX_LISTENERS; ai = ai->ai_next) {
        int fd;

        if (ai->ai_family == AF_INET)
            ((struct sockaddr_in *)ai->ai_addr)->sin_port = htons((uint16_t)port);
        else if (ai->ai_family == AF_INET6)
            ((struct sockaddr_in6 *)ai->ai_addr)->sin6_port = htons((uint16_t)port);
        else
            continue;
        fd = listen_at(ai);
        if (fd >= 0) {
            l->fds[l->count++] = fd;
            continue;
        }
        error = errno;
        /* A host without IPv6 has no ::1, though the resolver may know the name for it. */
        if (error != EAFNOSUPPORT && error != EADDRNOTAVAIL) {
            close_listeners(l);
            return error;
        }
    }
    return l->count ? 0 : error;
}

/* What to listen on, and how it is called in messages. */
struct wish {
    const char *host;
    unsigned first, last; /* ports */
    int family;
    const char *what;
};

static bool listen_tcp(struct vnc_listen *l, const struct wish *w, struct err *err)
{
    struct addrinfo hints = {
        .ai_family = w->family, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *list = NULL;
    const char *shown = w->host[0] ? w->host : "*";
    struct sockaddr_storage bound = {0};
    socklen_t len = sizeof(bound);
    int rc, error = 0;

    /* Any service, since a NULL host needs one; the port is put in later. */
    rc = getaddrinfo(w->host[0] ? w->host : NULL, "5900", &hints, &list);
    if (rc)
        return err_set(err, "VNC: address %s: %s", shown,
                       rc == EAI_SYSTEM ? strerror(errno) : gai_strerror(rc));
    for (unsigned port = w->first; port <= w->last; port++) {
        error = listen_on_port(l, list, port);
        if (error != EADDRINUSE)
            break;
    }
    freeaddrinfo(list);
    if (error == EADDRINUSE && w->last > w->first)
        return err_set(err, "VNC: %s:%u to %u are taken (displays %u to %u)", shown, w->first,
                       w->last, w->first - FIRST_PORT, w->last - FIRST_PORT);
    if (error == EADDRINUSE)
        return err_set(err, "VNC: %s:%u is taken (%s)", shown, w->first, w->what);
    if (error)
        return err_set(err, "VNC: cannot listen on %s:%u: %s", shown, w->first, strerror(error));

    if (getsockname(l->fds[0], (struct sockaddr *)&bound, &len) < 0)
        return err_set(err, "VNC: getsockname: %s", strerror(errno));
    vnc_address_of(&bound, &l->address);
    l->port = (unsigned)atoi(l->address.service);
    return true;
}

/* HOST:DISPLAY */
static bool listen_display(struct vnc_listen *l, const struct config_vnc *config, struct err *err)
{
    unsigned first = config->display, last = config->to > first ? config->to : first;
    char what[40];
    const struct wish wish = {.host = config->host ? config->host : "127.0.0.1",
                              .first = FIRST_PORT + first,
                              .last = FIRST_PORT + last,
                              .family = config->family,
                              .what = what};

    if (last > 65535 - FIRST_PORT)
        return err_set(err, "VNC: display %u is out of range (0 to %u)", last, 65535 - FIRST_PORT);
    snprintf(what, sizeof(what), "display %u, no to= given", first);
    return listen_tcp(l, &wish, err);
}

/* A listening socket that we were started with. */
static bool listen_inherited(struct vnc_listen *l, int fd, struct err *err)
{
    struct sockaddr_storage bound = {0};
    socklen_t len = sizeof(bound), size = sizeof(int);
    int listening = 0, flags = fcntl(fd, F_GETFL);

    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) < 0 || !listening ||
        getsockname(fd, (struct sockaddr *)&bound, &len) < 0 ||
        (bound.ss_family != AF_INET && bound.ss_family != AF_INET6 && bound.ss_family != AF_UNIX))
        return err_set(err, "VNC: fd:%d is no listening TCP or UNIX socket", fd);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return err_set(err, "VNC: fd:%d: %s", fd, strerror(errno));
    l->fds[l->count++] = fd;
    vnc_address_of(&bound, &l->address);
    l->port = (unsigned)atoi(l->address.service);
    return true;
}

static bool listen_unix(struct vnc_listen *l, const char *path, struct err *err)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    struct stat st;
    int fd;

    if (strlen(path) >= sizeof(sa.sun_path))
        return err_set(err, "VNC: unix:%s: the path is longer than %zu bytes", path,
                       sizeof(sa.sun_path) - 1);
    memcpy(sa.sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_set(err, "VNC: socket: %s", strerror(errno));
    /* A socket nobody answers at is what an earlier run left behind. */
    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode)) {
        if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 || errno == EAGAIN) {
            close(fd);
            return err_set(err, "VNC: unix:%s is taken", path);
        }
        unlink(path);
    }
    if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, BACKLOG) < 0) {
        err_set(err, "VNC: cannot listen on unix:%s: %s", path, strerror(errno));
        close(fd);
        return false;
    }
    l->fds[l->count++] = fd;
    l->unix_path = strdup(path);
    vnc_address_of(&sa, &l->address);
    return true;
}

bool vnc_listen_open(struct vnc_listen *l, const struct config_vnc *config, struct err *err)
{
    memset(l, 0, sizeof(*l));
    if (config->have_fd     ? listen_inherited(l, config->fd, err)
        : config->unix_path ? listen_unix(l, config->unix_path, err)
                            : listen_display(l, config, err))
        return true;
    vnc_listen_close(l);
    return false;
}

bool vnc_listen_open_web(struct vnc_listen *l, const struct config_vnc *config,
                         const struct vnc_listen *vnc, struct err *err)
{
    const char *host = config->web_host ? config->web_host : config->host;
    unsigned port = config->web_port ? config->web_port : vnc->port - FIRST_PORT + FIRST_WEB_PORT;
    const struct wish wish = {.host = host ? host : "127.0.0.1",
                              .first = port,
                              .last = port,
                              .family = config->family,
                              .what = "websocket="};

    memset(l, 0, sizeof(*l));
    if (!listen_tcp(l, &wish, err)) {
        vnc_listen_close(l);
        return false;
    }
    l->address.websocket = true;
    return true;
}

void vnc_listen_close(struct vnc_listen *l)
{
    close_listeners(l);
    if (l->unix_path)
        unlink(l->unix_path); /* not there any more after a chroot: then it stays */
    free(l->unix_path);
    l->unix_path = NULL;
}

bool vnc_listen_is_local(const struct vnc_listen *l)
{
    const struct vnc_address *a = &l->address;
    return strcmp(a->family, "unix") == 0 || strncmp(a->host, "127.", 4) == 0 ||
           strcmp(a->host, "::1") == 0;
}
