/* SPDX-License-Identifier: GPL-2.0-or-later */
/* frames: see frames.h. */
#include "net/frames.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "hw/core/loop.h"

#define BATCH 32
/* One byte more than a frame has tells that a message is too long for one; whole cache lines, but
 * not whole pages, so that the frames' beginnings don't compete for the same lines. */
#define ROOM ((NET_MAX_FRAME + 1 + 63) / 64 * 64)
_Static_assert(ROOM % 4096, "frames begin at different offsets in their pages");
/* Looked at when all that has come is thrown away: a peer can send faster than we look. */
#define MAX_STALE 65536

struct frames {
    struct loop *loop;
    struct net *net;
    struct frames_config config;
    struct loop_source in, out; /* two descriptors, so that each has its own place in epoll */
    struct deferred rest;       /* what was read and not delivered */
    bool reading, ended;
    unsigned at, count; /* of `messages` */
    struct mmsghdr messages[BATCH];
    struct iovec vectors[BATCH];
    struct sockaddr_storage from[BATCH];
    uint8_t *space; /* ROOM for each; what is never used is never touched */
};

static void end(struct frames *f)
{
    if (f->ended)
        return;
    f->ended = true;
    f->at = f->count = 0;
    loop_undefer(f->loop, &f->rest);
    loop_unwatch(f->loop, &f->in);
    loop_unwatch(f->loop, &f->out);
    net_writable(f->net); /* a frame that waits is lost */
    if (f->config.ended)
        f->config.ended(f->config.opaque);
}

/* Reads a batch; how many there are. Fewer than BATCH: there are no more for now. */
static unsigned fill(struct frames *f)
{
    f->at = f->count = 0;
    if (f->ended)
        return 0;
    for (unsigned i = 0; i < BATCH; i++)
        f->messages[i].msg_hdr.msg_namelen = f->config.own_len ? sizeof(f->from[i]) : 0;
    int n = recvmmsg(f->config.fd, f->messages, BATCH, MSG_DONTWAIT, NULL);
    if (n > 0)
        return f->count = (unsigned)n;
    /* Of datagrams it is an earlier one's that reached nobody. */
    if (n < 0 && f->config.ends && errno != EAGAIN && errno != EINTR)
        end(f);
    return 0;
}

static bool is_own(const struct frames *f, unsigned i)
{
    return f->config.own_len && f->messages[i].msg_hdr.msg_namelen == f->config.own_len &&
           !memcmp(&f->from[i], &f->config.own, f->config.own_len);
}

/* The batch's next message, if it is a frame; else it is dealt with, and NULL. */
static uint8_t *next(struct frames *f, size_t *len)
{
    unsigned i = f->at++;
    uint8_t *bytes = f->vectors[i].iov_base;
    *len = f->messages[i].msg_len;
    if (f->config.ends && !*len) {
        end(f);
        return NULL;
    }
    return is_own(f, i) ? NULL : bytes;
}

static void readable(void *opaque, uint32_t events)
{
    struct frames *f = opaque;
    bool more = true;
    unsigned given = 0;
    size_t len;
    (void)events;
    while (f->reading && given < NET_BUDGET) {
        if (f->at == f->count) {
            if (!more || !fill(f))
                break;
            more = f->count == BATCH;
        }
        uint8_t *frame = next(f, &len);
        if (!frame)
            continue;
        given++;
        if (!net_deliver(f->net, frame, len, NULL))
            break;
    }
    if (given)
        net_delivered(f->net);
    if (f->reading && f->at < f->count)
        loop_defer(f->loop, &f->rest);
}

static void deliver_rest(void *opaque)
{
    readable(opaque, 0);
}

static void throw_away(struct frames *f)
{
    uint64_t stale = 0;
    size_t len;
    for (unsigned i = 0; i <= MAX_STALE / BATCH; i++) {
        while (f->at < f->count)
            stale += next(f, &len) != NULL;
        if (f->ended || !fill(f))
            break;
    }
    net_stale(f->net, stale);
}

void frames_read(struct frames *f, bool on, bool fresh)
{
    if (f->ended)
        return;
    if (on && fresh)
        throw_away(f);
    f->reading = on && !f->ended;
    loop_watch_events(f->loop, &f->in, f->reading ? EPOLLIN : 0);
    if (f->reading && f->at < f->count)
        loop_defer(f->loop, &f->rest);
    else
        loop_undefer(f->loop, &f->rest);
}

static void writable(void *opaque, uint32_t events)
{
    struct frames *f = opaque;
    (void)events;
    loop_watch_events(f->loop, &f->out, 0);
    net_writable(f->net);
}

enum net_sent frames_send(struct frames *f, const uint8_t *frame, size_t len)
{
    for (unsigned tries = 0; !f->ended && tries < 2; tries++) {
        if (send(f->config.send_fd, frame, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
            return NET_SENT;
        if (errno == EAGAIN) {
            loop_watch_events(f->loop, &f->out, EPOLLOUT);
            return NET_FULL;
        }
        if (errno == EPIPE || errno == ECONNRESET)
            end(f);
        else if (errno != ECONNREFUSED) /* that is what became of an earlier one */
            break;
    }
    return NET_FAILED;
}

static bool open_sources(struct frames *f, struct err *err)
{
    if (f->config.send_fd < 0)
        f->config.send_fd = fcntl(f->config.fd, F_DUPFD_CLOEXEC, 0);
    if (f->config.send_fd < 0)
        return err_set(err, "cannot duplicate a descriptor: %s", strerror(errno));
    /* Parked until somebody wants something. */
    if (!loop_watch(f->loop, &f->in, f->config.fd, EPOLLIN, readable, f, err))
        return false;
    loop_watch_events(f->loop, &f->in, 0);
    if (!loop_watch(f->loop, &f->out, f->config.send_fd, EPOLLOUT, writable, f, err))
        return false;
    loop_watch_events(f->loop, &f->out, 0);
    return true;
}

struct frames *frames_new(struct loop *loop, struct net *net, const struct frames_config *config,
                          struct err *err)
{
    struct frames *f = calloc(1, sizeof(*f));
    uint8_t *space = malloc((size_t)BATCH * ROOM);
    if (!f || !space) {
        close(config->fd);
        if (config->send_fd >= 0)
            close(config->send_fd);
        free(f);
        free(space);
        err_set(err, "out of memory");
        return NULL;
    }
    f->loop = loop;
    f->net = net;
    f->config = *config;
    f->space = space;
    deferred_init(&f->rest, deliver_rest, f);
    for (unsigned i = 0; i < BATCH; i++) {
        f->vectors[i] = (struct iovec){space + (size_t)i * ROOM, NET_MAX_FRAME + 1};
        f->messages[i].msg_hdr = (struct msghdr){
            .msg_name = config->own_len ? &f->from[i] : NULL,
            .msg_iov = &f->vectors[i],
            .msg_iovlen = 1,
        };
    }
    if (open_sources(f, err))
        return f;
    frames_free(f);
    return NULL;
}

void frames_free(struct frames *f)
{
    if (!f)
        return;
    loop_undefer(f->loop, &f->rest);
    loop_unwatch(f->loop, &f->in);
    loop_unwatch(f->loop, &f->out);
    close(f->config.fd);
    if (f->config.send_fd >= 0)
        close(f->config.send_fd);
    free(f->space);
    free(f);
}
