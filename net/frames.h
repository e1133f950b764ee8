/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * frames: Ethernet frames over sockets that keep them apart, a datagram or message each: what
 * udp=, mcast= and fd= with messages have alike. Frames are read and
 * delivered in batches. A wake-up costs nothing that nobody wants: while the NIC takes no frames
 * the socket isn't watched.
 */
#ifndef NET_FRAMES_H
#define NET_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "hw/core/err.h"
#include "net/net.h"

struct frames;

struct frames_config {
    int fd;      /* frames are read from here, and written here … */
    int send_fd; /* … if this is -1 */
    bool ends;   /* a message socket, which says when its other end has gone */
    /* own_len not 0: what comes from there are our own frames, and is dropped. */
    struct sockaddr_storage own;
    socklen_t own_len;
    /* The other end has gone: nothing comes any more, and nothing can be sent. */
    void (*ended)(void *opaque);
    void *opaque;
};

/* The descriptors are its from now on, whatever becomes of it. NULL and *err. */
struct frames *frames_new(struct loop *loop, struct net *net, const struct frames_config *config,
                          struct err *err);
void frames_free(struct frames *frames); /* NULL is fine */

/* As struct net_backend has them. */
enum net_sent frames_send(struct frames *frames, const uint8_t *frame, size_t len);
void frames_read(struct frames *frames, bool on, bool fresh);

#endif
