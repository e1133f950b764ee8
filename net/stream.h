/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stream: Ethernet frames over a byte stream, each after its length in four bytes, the highest
 * first: what -netdev socket of qemu(1) speaks over TCP, so that either side may be a QEMU, and the
 * user-mode network's process: many frames are one system call. The peer is hostile: a length that
 * is no frame's ends the connection.
 */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/core/err.h"
#include "net/net.h"

struct stream;

#define STREAM_PREFIX 4

struct stream_events {
    /* Once, when the peer has gone or has been given up, for `why`; it may not free the stream,
     * which then takes and gives no more frames. */
    void (*ended)(void *opaque, const char *why);
    /* What is shorter than NET_HEADER_LEN. NULL: it is a frame that is too short. */
    void (*note)(void *opaque, const uint8_t *bytes, size_t len);
    void *opaque;
};

/* The descriptor is its from now on, whatever becomes of it. NULL and *err. */
struct stream *stream_new(struct loop *loop, struct net *net, int fd,
                          const struct stream_events *events, struct err *err);
/* What waits gets one try. NULL is fine. */
void stream_free(struct stream *stream);

/* As struct net_backend has them. Frames go at the end of the loop's round, together. */
enum net_sent stream_send(struct stream *stream, const uint8_t *frame, size_t len);
void stream_read(struct stream *stream, bool on, bool fresh);

#endif
