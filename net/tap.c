/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tap: frames to and from an interface of the host, one system call each. What the kernel leaves to
 * be done on a frame, and what it may do for the guest, is in the header of OASIS VIRTIO 1.2, 5.1.6
 * before it: a long TCP segment then is one call.
 */
#include <errno.h>
#include <linux/virtio_net.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

#include "hw/core/log.h"
#include "hw/core/loop.h"
#include "net/backends.h"
#include "net/net.h"
#include "net/offload.h"
#include "net/tap_open.h"

/* Frames thrown away unread at once when the receiver goes on: more than a tap's queue has. */
#define STALE_MAX 4096

#define TCP_FLAGS 13
#define TCP_CWR   0x80

_Static_assert(sizeof(struct virtio_net_hdr) == TAP_VNET_HEADER, "as the kernel was told");

struct tap {
    struct net *net;
    struct loop *loop;
    struct tap_end end;
    char described[256];
    struct loop_source source;
    bool reading; /* as the wire wants it */
    bool full;    /* the wire waits for room */
    bool gone;    /* the interface was deleted, the peer has left */
    /* A header, if there is one, then the frame. */
    uint8_t buffer[TAP_VNET_HEADER + NET_MAX_FRAME];
};

/* Not reading is not told to the kernel before something has come: most often that is wanted again
 * before. */
static void update_events(struct tap *t)
{
    uint32_t events = t->source.events & EPOLLIN;
    if (t->gone)
        events = 0;
    else if (t->reading)
        events = EPOLLIN;
    if (t->full && !t->gone)
        events |= EPOLLOUT;
    loop_watch_events(t->loop, &t->source, events);
}

static void lost(struct tap *t, const char *why)
{
    if (t->gone)
        return;
    t->gone = true;
    log_warn("-netdev %s: %s: no more frames go or come", net_name(t->net), why);
    update_events(t);
    if (t->full) {
        t->full = false;
        net_writable(t->net); /* what waits is lost now */
    }
}

/* ---- From the guest ---- */

static void fill_header(struct virtio_net_hdr *h, const uint8_t *frame,
                        const struct net_offload *offload)
{
    const uint8_t *tcp = frame + offload->tcp;
    if (offload->csum) {
        h->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
        h->csum_start = offload->csum_start;
        h->csum_offset = (uint16_t)(offload->csum_at - offload->csum_start);
    }
    if (!offload->mss)
        return;
    h->gso_type =
        frame[offload->ip] >> 4 == 6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
    if (tcp[TCP_FLAGS] & TCP_CWR)
        h->gso_type |= VIRTIO_NET_HDR_GSO_ECN;
    h->gso_size = offload->mss;
    h->hdr_len = (uint16_t)(offload->tcp + (tcp[12] >> 4) * 4);
}

static enum net_sent tap_send(void *opaque, const uint8_t *frame, size_t len,
                              const struct net_offload *offload)
{
    struct tap *t = opaque;
    struct virtio_net_hdr header = {0};
    ssize_t n;
    if (t->gone)
        return NET_FAILED;
    if (offload)
        fill_header(&header, frame, offload);
    do {
        if (t->end.vnet_hdr) {
            struct iovec iov[] = {
                {&header, sizeof(header)},
                {(void *)(uintptr_t)frame, len},
            };
            n = writev(t->end.fd, iov, 2);
        } else {
            n = write(t->end.fd, frame, len);
        }
    } while (n < 0 && errno == EINTR);
    if (n >= 0)
        return NET_SENT;
    if (errno == EAGAIN) {
        t->full = true;
        update_events(t);
        return NET_FULL;
    }
    if (errno == EBADFD)
        lost(t, "the interface is gone");
    else if (errno == EPIPE || errno == ECONNRESET)
        lost(t, "the peer has closed");
    return NET_FAILED; /* EIO: it is down; EINVAL: not to the kernel's liking */
}

/* ---- To the guest ---- */

/* What the kernel left to be done; false: nothing, or what can't be. */
static bool read_header(const struct virtio_net_hdr *h, const uint8_t *frame, size_t len,
                        struct net_offload *offload)
{
    struct offload_packet p;
    if (!(h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
        return false;
    *offload = (struct net_offload){
        .csum = true,
        .csum_start = h->csum_start,
        .csum_at = (uint16_t)(h->csum_start + h->csum_offset),
    };
    if (h->gso_type == VIRTIO_NET_HDR_GSO_NONE)
        return true;
    if (offload_parse(frame, len, &p) && p.protocol == OFFLOAD_TCP &&
        h->csum_start == p.transport) {
        offload->mss = h->gso_size;
        offload->ip = p.ip;
        offload->tcp = p.transport;
    }
    return true;
}

static ssize_t read_frame(struct tap *t, size_t room)
{
    ssize_t n;
    do
        n = read(t->end.fd, t->buffer, room);
    while (n < 0 && errno == EINTR);
    return n;
}

/* One frame. False: no more for now. */
static bool take_frame(struct tap *t)
{
    size_t header = t->end.vnet_hdr ? TAP_VNET_HEADER : 0;
    ssize_t n = read_frame(t, header + NET_MAX_FRAME);
    if (n < 0) {
        if (errno != EAGAIN && errno != EIO)
            lost(t, errno == EBADFD ? "the interface is gone" : strerror(errno));
        return false;
    }
    if (n == 0 && t->end.connected) {
        lost(t, "the peer has closed");
        return false;
    }
    struct virtio_net_hdr h;
    struct net_offload offload;
    uint8_t *frame = t->buffer + header;
    size_t len = (size_t)n < header ? 0 : (size_t)n - header;
    memcpy(&h, t->buffer, sizeof(h));
    bool work = header && h.flags && read_header(&h, frame, len, &offload);
    return net_deliver(t->net, frame, len, work ? &offload : NULL);
}

static void discard(struct tap *t)
{
    uint64_t count = 0;
    while (count < STALE_MAX && read_frame(t, 64) > 0)
        count++;
    net_stale(t->net, count);
}

static void tap_read(void *opaque, bool on, bool fresh)
{
    struct tap *t = opaque;
    if (on && fresh && !t->gone)
        discard(t);
    t->reading = on;
    if (on)
        update_events(t);
}

static void ready(void *opaque, uint32_t events)
{
    struct tap *t = opaque;
    if (t->full && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))) {
        t->full = false;
        net_writable(t->net);
    }
    if (t->reading && (events & EPOLLIN)) {
        for (unsigned n = 0; n < NET_BUDGET && take_frame(t); n++)
            ;
        net_delivered(t->net);
    } else if (events & (EPOLLERR | EPOLLHUP)) {
        lost(t, *t->end.name ? "the interface is gone" : "the peer has closed");
    } else if (!t->reading && (events & EPOLLIN)) {
        loop_watch_events(t->loop, &t->source, t->full ? EPOLLOUT : 0);
    }
    update_events(t);
}

/* ---- Life ---- */

static void tap_describe(const void *opaque, char *out, size_t size)
{
    const struct tap *t = opaque;
    snprintf(out, size, "%s", t->described);
}

static void describe(struct tap *t, const struct netdev_config *c)
{
    if (!*t->end.name)
        snprintf(t->described, sizeof(t->described), "tap,fd=%d", c->fd);
    else if (c->fd >= 0)
        snprintf(t->described, sizeof(t->described), "tap,ifname=%s,fd=%d", t->end.name, c->fd);
    else
        snprintf(t->described, sizeof(t->described), "tap,ifname=%s,script=%s,downscript=%s",
                 t->end.name, c->script ? c->script : "no", c->downscript ? c->downscript : "no");
}

static void tap_free(void *opaque)
{
    struct tap *t = opaque;
    loop_unwatch(t->loop, &t->source);
    tap_close(&t->end);
    free(t);
}

static const struct net_backend ops = {
    .type = "tap",
    .send = tap_send,
    .read = tap_read,
    .describe = tap_describe,
    .close = tap_free,
};
static const struct net_backend offloading = {
    .type = "tap",
    .offloads = true,
    .send = tap_send,
    .read = tap_read,
    .describe = tap_describe,
    .close = tap_free,
};

bool netdev_open_tap(const struct netdev_config *config, struct loop *loop, struct net *net,
                     struct err *err)
{
    struct tap *t = calloc(1, sizeof(*t));
    if (!t)
        return err_set(err, "out of memory");
    t->net = net;
    t->loop = loop;
    if (!tap_open(&t->end, config, err)) {
        free(t);
        return false;
    }
    if (!loop_watch(loop, &t->source, t->end.fd, EPOLLIN, ready, t, err)) {
        tap_close(&t->end);
        free(t);
        return false;
    }
    loop_watch_events(loop, &t->source, 0);
    describe(t, config);
    net_attach_backend(net, t->end.vnet_hdr && config->vnet_hdr ? &offloading : &ops, t);
    return true;
}
