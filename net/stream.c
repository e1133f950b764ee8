/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream: see stream.h. */
#include "net/stream.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hw/core/loop.h"

#define LONGEST (STREAM_PREFIX + NET_MAX_FRAME)
#define ROOM    ((size_t)2 * LONGEST)
/* Reads when all that has come is thrown away: a peer can send faster than we look. */
#define MAX_STALE 64

/* Bytes from `start` to `end`. */
struct buffer {
    size_t start, end;
    uint8_t bytes[ROOM];
};

struct stream {
    struct loop *loop;
    struct net *net;
    int fd;
    struct loop_source source;
    struct deferred rest;  /* frames that are here and not delivered */
    struct deferred flush; /* frames sent in this round */
    bool reading, ended;
    bool blocked; /* the socket takes no more for now */
    bool owed;    /* NET_FULL was said */
    struct stream_events events;
    struct buffer in, out;
};

static void watch(struct stream *s)
{
    loop_watch_events(s->loop, &s->source,
                      (s->reading ? EPOLLIN : 0u) | (s->blocked ? EPOLLOUT : 0u));
}

static void end(struct stream *s, const char *why)
{
    if (s->ended)
        return;
    s->ended = true;
    s->reading = false;
    loop_undefer(s->loop, &s->rest);
    loop_undefer(s->loop, &s->flush);
    loop_unwatch(s->loop, &s->source);
    net_writable(s->net); /* a frame that waits is lost */
    s->events.ended(s->events.opaque, why);
}

/* Makes room for a frame of any length behind what is in it. */
static void compact(struct buffer *b)
{
    if (b->start == b->end) {
        b->start = b->end = 0;
    } else if (b->start && ROOM - b->end < LONGEST) {
        memmove(b->bytes, b->bytes + b->start, b->end - b->start);
        b->end -= b->start;
        b->start = 0;
    }
}

/* ---- From the peer ---- */

/* The next frame or note that is here whole, or NULL. */
static uint8_t *next_message(struct stream *s, size_t *len)
{
    struct buffer *b = &s->in;
    char why[64];
    uint32_t prefix;
    if (b->end - b->start < STREAM_PREFIX)
        return NULL;
    memcpy(&prefix, b->bytes + b->start, STREAM_PREFIX);
    *len = be32toh(prefix);
    if (*len > NET_MAX_FRAME) {
        snprintf(why, sizeof(why), "it sent a frame of %zu bytes", *len);
        end(s, why);
        return NULL;
    }
    if (b->end - b->start < STREAM_PREFIX + *len)
        return NULL;
    uint8_t *frame = b->bytes + b->start + STREAM_PREFIX;
    b->start += STREAM_PREFIX + *len;
    return frame;
}

/* The next frame that is here whole, or NULL; notes on the way to it are dealt with. */
static uint8_t *next(struct stream *s, size_t *len)
{
    uint8_t *bytes;
    while ((bytes = next_message(s, len)) && *len < NET_HEADER_LEN && s->events.note)
        s->events.note(s->events.opaque, bytes, *len);
    return bytes;
}

static bool has_next(const struct stream *s)
{
    uint32_t prefix;
    size_t have = s->in.end - s->in.start;
    if (have < STREAM_PREFIX)
        return false;
    memcpy(&prefix, s->in.bytes + s->in.start, STREAM_PREFIX);
    return have - STREAM_PREFIX >= be32toh(prefix) || be32toh(prefix) > NET_MAX_FRAME;
}

/* Whether more bytes came; *more: maybe there are others. */
static bool receive(struct stream *s, bool *more)
{
    struct buffer *b = &s->in;
    if (s->ended)
        return false;
    compact(b);
    ssize_t n = recv(s->fd, b->bytes + b->end, ROOM - b->end, MSG_DONTWAIT);
    *more = n == (ssize_t)(ROOM - b->end);
    if (n > 0)
        b->end += (size_t)n;
    else if (n == 0)
        end(s, "it has left");
    else if (errno != EAGAIN && errno != EINTR)
        end(s, strerror(errno));
    return n > 0;
}

static void deliver(struct stream *s)
{
    bool more = true;
    unsigned given = 0;
    size_t len;
    while (s->reading && given < NET_BUDGET) {
        uint8_t *frame = next(s, &len);
        if (!frame && (!more || !receive(s, &more)))
            break;
        if (!frame)
            continue;
        given++;
        if (!net_deliver(s->net, frame, len, NULL))
            break;
    }
    if (given)
        net_delivered(s->net);
    if (s->reading && has_next(s))
        loop_defer(s->loop, &s->rest);
}

static void deliver_rest(void *opaque)
{
    deliver(opaque);
}

static void throw_away(struct stream *s)
{
    uint64_t stale = 0;
    size_t len;
    bool more = true;
    for (unsigned i = 0; i < MAX_STALE; i++) {
        while (!s->ended && next(s, &len))
            stale++;
        if (!more || !receive(s, &more))
            break;
    }
    net_stale(s->net, stale);
}

void stream_read(struct stream *s, bool on, bool fresh)
{
    if (s->ended)
        return;
    if (on && fresh)
        throw_away(s);
    if (s->ended)
        return;
    s->reading = on;
    watch(s);
    if (on && has_next(s))
        loop_defer(s->loop, &s->rest);
    else
        loop_undefer(s->loop, &s->rest);
}

/* ---- To the peer ---- */

static void flush(struct stream *s)
{
    struct buffer *b = &s->out;
    if (s->ended || b->start == b->end)
        return;
    ssize_t n = send(s->fd, b->bytes + b->start, b->end - b->start, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        end(s, strerror(errno));
        return;
    }
    if (n > 0)
        b->start += (size_t)n;
    s->blocked = b->start < b->end;
    compact(b);
    watch(s);
    if (s->owed && ROOM - b->end >= LONGEST) {
        s->owed = false;
        net_writable(s->net);
    }
}

static void flush_later(void *opaque)
{
    flush(opaque);
}

enum net_sent stream_send(struct stream *s, const uint8_t *frame, size_t len)
{
    struct buffer *b = &s->out;
    uint32_t prefix = htobe32((uint32_t)len);
    if (ROOM - b->end < STREAM_PREFIX + len && !s->blocked)
        flush(s);
    if (s->ended)
        return NET_FAILED;
    if (ROOM - b->end < STREAM_PREFIX + len) {
        s->owed = true;
        return NET_FULL;
    }
    memcpy(b->bytes + b->end, &prefix, STREAM_PREFIX);
    memcpy(b->bytes + b->end + STREAM_PREFIX, frame, len);
    b->end += STREAM_PREFIX + len;
    if (!s->blocked)
        loop_defer(s->loop, &s->flush);
    return NET_SENT;
}

static void happened(void *opaque, uint32_t events)
{
    struct stream *s = opaque;
    if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
        flush(s);
    if (s->reading)
        deliver(s);
}

/* ---- Beginning and end ---- */

struct stream *stream_new(struct loop *loop, struct net *net, int fd,
                          const struct stream_events *events, struct err *err)
{
    struct stream *s = malloc(sizeof(*s)); /* the buffers are not touched before they are used */
    if (!s) {
        close(fd);
        err_set(err, "out of memory");
        return NULL;
    }
    memset(s, 0, offsetof(struct stream, in));
    s->in.start = s->in.end = s->out.start = s->out.end = 0;
    s->loop = loop;
    s->net = net;
    s->fd = fd;
    s->events = *events;
    deferred_init(&s->rest, deliver_rest, s);
    deferred_init(&s->flush, flush_later, s);
    if (!loop_watch(loop, &s->source, fd, EPOLLIN, happened, s, err)) {
        close(fd);
        free(s);
        return NULL;
    }
    watch(s);
    return s;
}

void stream_free(struct stream *s)
{
    if (!s)
        return;
    if (!s->ended && s->out.start < s->out.end) {
        ssize_t n = send(s->fd, s->out.bytes + s->out.start, s->out.end - s->out.start,
                         MSG_DONTWAIT | MSG_NOSIGNAL);
        (void)n;
    }
    loop_undefer(s->loop, &s->rest);
    loop_undefer(s->loop, &s->flush);
    loop_unwatch(s->loop, &s->source);
    close(s->fd);
    free(s);
}
