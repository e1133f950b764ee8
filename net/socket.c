/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * socket: a wire to another process' NIC, here or on another host: a private LAN. A TCP stream that
 * one side listens for and the other connects (net/stream.h), or datagrams with a frame each, to
 * one place or to a multicast group (net/frames.h); as -netdev socket of qemu(1) has them. Nothing
 * is encrypted, and whoever can reach the socket is on the LAN.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hw/core/inet.h"
#include "hw/core/log.h"
#include "hw/core/loop.h"
#include "net/backends.h"
#include "net/frames.h"
#include "net/stream.h"

struct sock {
    struct loop *loop;
    struct net *net;
    char label[64]; /* "-netdev n0" */
    char text[128]; /* "socket,listen=:1234" */
    /* One of the two, or neither: nobody is there. */
    struct frames *frames;
    struct stream *stream;
    bool reading;
    /* listen= */
    int listen_fd; /* else -1 */
    struct loop_source listener;
    struct deferred next_peer;
    char peer[NI_MAXHOST + 8];
};

/* ---- The back-end ---- */

static enum net_sent sock_send(void *opaque, const uint8_t *frame, size_t len,
                               const struct net_offload *offload)
{
    struct sock *s = opaque;
    (void)offload;
    if (s->frames)
        return frames_send(s->frames, frame, len);
    return s->stream ? stream_send(s->stream, frame, len) : NET_FAILED;
}

static void sock_read(void *opaque, bool on, bool fresh)
{
    struct sock *s = opaque;
    s->reading = on;
    if (s->frames)
        frames_read(s->frames, on, fresh);
    else if (s->stream)
        stream_read(s->stream, on, fresh);
}

static void sock_describe(const void *opaque, char *out, size_t size)
{
    const struct sock *s = opaque;
    snprintf(out, size, "%s%s%s", s->text, s->peer[0] ? ",peer=" : "", s->peer);
}

static void sock_close(void *opaque)
{
    struct sock *s = opaque;
    loop_undefer(s->loop, &s->next_peer);
    loop_unwatch(s->loop, &s->listener);
    if (s->listen_fd >= 0)
        close(s->listen_fd);
    frames_free(s->frames);
    stream_free(s->stream);
    free(s);
}

static const struct net_backend backend = {
    .type = "socket",
    .send = sock_send,
    .read = sock_read,
    .describe = sock_describe,
    .close = sock_close,
};

/* ---- Streams ---- */

/* A peer that is waited for can come and go as it likes: its lines are rationed. */
static void stream_ended(void *opaque, const char *why)
{
    struct sock *s = opaque;
    if (s->listen_fd >= 0) {
        guest_error(s->label, "peer %s: %s", s->peer, why);
        loop_defer(s->loop, &s->next_peer);
    } else {
        log_warn("%s: the connection has ended: %s; nothing goes over it any more", s->label, why);
    }
    strcpy(s->peer, "none");
}

static void name_peer(struct sock *s, const struct sockaddr_storage *sa, socklen_t len)
{
    char host[NI_MAXHOST], port[NI_MAXSERV];
    if (sa->ss_family == AF_UNIX ||
        getnameinfo((const struct sockaddr *)sa, len, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV))
        snprintf(s->peer, sizeof(s->peer), "unix");
    else
        snprintf(s->peer, sizeof(s->peer), "%s:%.6s", host, port);
}

static bool adopt_stream(struct sock *s, int fd, struct err *err)
{
    struct sockaddr_storage sa = {0};
    socklen_t len = sizeof(sa);
    int one = 1;
    if (getpeername(fd, (struct sockaddr *)&sa, &len)) {
        close(fd);
        return err_set(err, "not connected: %s", strerror(errno));
    }
    name_peer(s, &sa, len);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)); /* may be none of TCP's */
    const struct stream_events events = {.ended = stream_ended, .opaque = s};
    s->stream = stream_new(s->loop, s->net, fd, &events, err);
    return s->stream != NULL;
}

/* One peer at a time; others wait in the socket's queue. */
static void accept_peer(void *opaque, uint32_t events)
{
    struct sock *s = opaque;
    struct err err;
    (void)events;
    int fd = accept4(s->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    if (!adopt_stream(s, fd, &err)) {
        guest_error(s->label, "a peer could not be taken: %s", err.text);
        return;
    }
    guest_error(s->label, "peer %s has connected", s->peer);
    loop_watch_events(s->loop, &s->listener, 0);
    stream_read(s->stream, s->reading, false);
}

static void next_peer(void *opaque)
{
    struct sock *s = opaque;
    stream_free(s->stream);
    s->stream = NULL;
    loop_watch_events(s->loop, &s->listener, EPOLLIN);
}

static bool open_stream(struct sock *s, const char *host, const char *port, bool server,
                        struct err *err)
{
    int fd = inet_stream(s->label, host, port, server, err);
    if (fd < 0)
        return false;
    if (!server)
        return adopt_stream(s, fd, err);
    s->listen_fd = fd;
    strcpy(s->peer, "none");
    return loop_watch(s->loop, &s->listener, fd, EPOLLIN, accept_peer, s, err);
}

/* ---- Datagrams ---- */

static void frames_ended(void *opaque)
{
    struct sock *s = opaque;
    log_warn("%s: the other end has gone; nothing goes over it any more", s->label);
}

static bool open_udp(struct sock *s, const char *local, const char *host, const char *port,
                     struct err *err)
{
    char *copy, *local_host, *local_port;
    if (!local)
        return err_set(err, "%s: udp= needs localaddr=HOST:PORT", s->label);
    copy = strdup(local);
    if (!copy)
        return err_set(err, "out of memory");
    int fd = -1;
    if (inet_split(s->label, copy, &local_host, &local_port, err))
        fd = inet_datagrams(s->label, local_host, local_port, host, port, err);
    free(copy);
    if (fd < 0)
        return false;
    const struct frames_config config = {.fd = fd, .send_fd = -1, .opaque = s};
    s->frames = frames_new(s->loop, s->net, &config, err);
    return s->frames != NULL;
}

static bool find_group(const struct sock *s, const char *host, const char *port,
                       struct sockaddr_in *group, struct err *err)
{
    const struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_DGRAM};
    struct addrinfo *list;
    int rc = getaddrinfo(host, port, &hints, &list);
    if (rc)
        return err_set(err, "%s: %s:%s: %s", s->label, host, port, gai_strerror(rc));
    memcpy(group, list->ai_addr, sizeof(*group));
    freeaddrinfo(list);
    return IN_MULTICAST(ntohl(group->sin_addr.s_addr)) ||
           err_set(err, "%s: mcast=%s is no multicast address (224.0.0.0 to 239.255.255.255)",
                   s->label, host);
}

/* Reads what is sent to the group, like others on this host. */
static int join_group(const struct sockaddr_in *group, struct in_addr interface)
{
    const struct ip_mreq request = {.imr_multiaddr = group->sin_addr, .imr_interface = interface};
    int one = 1, none = 0, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
        bind(fd, (const struct sockaddr *)group, sizeof(*group)) ||
        setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof(request)))
        return fd < 0 ? -1 : (close(fd), -1);
    setsockopt(fd, IPPROTO_IP, IP_MULTICAST_ALL, &none, sizeof(none));
    return fd;
}

/* Sends to the group, from a port of its own: what comes back from there is what we sent. */
static int talk_to_group(const struct sockaddr_in *group, struct in_addr interface,
                         struct sockaddr_storage *own, socklen_t *own_len)
{
    const struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr = interface};
    int one = 1, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    *own_len = sizeof(*own);
    memset(own, 0, sizeof(*own));
    if (fd < 0 || setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &interface, sizeof(interface)) ||
        setsockopt(fd, IPPROTO_IP, IP_MULTICAST_LOOP, &one, sizeof(one)) ||
        bind(fd, (const struct sockaddr *)&from, sizeof(from)) ||
        connect(fd, (const struct sockaddr *)group, sizeof(*group)) ||
        getsockname(fd, (struct sockaddr *)own, own_len))
        return fd < 0 ? -1 : (close(fd), -1);
    return fd;
}

static bool open_mcast(struct sock *s, const char *local, const char *host, const char *port,
                       struct err *err)
{
    struct in_addr interface = {INADDR_ANY};
    struct sockaddr_in group;
    if (local && inet_pton(AF_INET, local, &interface) != 1)
        return err_set(err, "%s: localaddr=%s: mcast= wants an interface's IPv4 address", s->label,
                       local);
    if (!find_group(s, host, port, &group, err))
        return false;
    struct frames_config config = {.opaque = s};
    config.fd = join_group(&group, interface);
    if (config.fd < 0)
        return err_set(err, "%s: cannot join %s:%s: %s", s->label, host, port, strerror(errno));
    config.send_fd = talk_to_group(&group, interface, &config.own, &config.own_len);
    if (config.send_fd < 0) {
        err_set(err, "%s: cannot send to %s:%s: %s", s->label, host, port, strerror(errno));
        close(config.fd);
        return false;
    }
    s->frames = frames_new(s->loop, s->net, &config, err);
    return s->frames != NULL;
}

/* ---- Descriptors ---- */

static bool adopt(struct sock *s, int fd, struct err *err)
{
    struct sockaddr_storage sa = {0};
    int type = 0, listens = 0;
    socklen_t len = sizeof(type), sa_len = sizeof(sa);
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len))
        return err_set(err, "%s: fd=%d: %s", s->label, fd, strerror(errno));
    len = sizeof(listens);
    if (!getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) && listens)
        return err_set(err, "%s: fd=%d listens; a connected socket is wanted", s->label, fd);
    if (getpeername(fd, (struct sockaddr *)&sa, &sa_len))
        return err_set(err, "%s: fd=%d is not connected", s->label, fd);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    if (type == SOCK_STREAM)
        return adopt_stream(s, fd, err);
    if (type != SOCK_DGRAM && type != SOCK_SEQPACKET)
        return err_set(err, "%s: fd=%d is no stream and has no datagrams", s->label, fd);
    const struct frames_config config = {.fd = fd,
                                         .send_fd = -1,
                                         .ends = type == SOCK_SEQPACKET,
                                         .ended = frames_ended,
                                         .opaque = s};
    s->frames = frames_new(s->loop, s->net, &config, err);
    return s->frames != NULL;
}

/* ---- All ---- */

static const char *const words[] = {[NETDEV_SOCKET_LISTEN] = "listen",
                                    [NETDEV_SOCKET_CONNECT] = "connect",
                                    [NETDEV_SOCKET_MCAST] = "mcast",
                                    [NETDEV_SOCKET_UDP] = "udp"};

static bool open_address(struct sock *s, const struct netdev_config *config, struct err *err)
{
    const char *address = config->address ? config->address : "";
    char *host, *port, *copy = strdup(address);
    if (!copy)
        return err_set(err, "out of memory");
    snprintf(s->text, sizeof(s->text), "socket,%s=%s", words[config->socket], address);
    bool ok = inet_split(s->label, copy, &host, &port, err);
    if (ok && config->socket == NETDEV_SOCKET_MCAST)
        ok = open_mcast(s, config->local_addr, host, port, err);
    else if (ok && config->socket == NETDEV_SOCKET_UDP)
        ok = open_udp(s, config->local_addr, host, port, err);
    else if (ok)
        ok = open_stream(s, host, port, config->socket == NETDEV_SOCKET_LISTEN, err);
    free(copy);
    return ok;
}

bool netdev_open_socket(const struct netdev_config *config, struct loop *loop, struct net *net,
                        struct err *err)
{
    struct sock *s = calloc(1, sizeof(*s));
    if (!s)
        return err_set(err, "out of memory");
    s->loop = loop;
    s->net = net;
    s->listen_fd = -1;
    snprintf(s->label, sizeof(s->label), "-netdev %s", net_name(net));
    deferred_init(&s->next_peer, next_peer, s);
    bool ok;
    if (config->socket == NETDEV_SOCKET_FD) {
        snprintf(s->text, sizeof(s->text), "socket,fd=%d", config->fd);
        ok = adopt(s, config->fd, err);
    } else {
        ok = open_address(s, config, err);
    }
    if (ok)
        net_attach_backend(net, &backend, s);
    else
        sock_close(s);
    return ok;
}
