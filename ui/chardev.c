/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * chardev: the stream between a device and a descriptor. Nothing here waits, and nothing wakes the
 * loop while neither side has anything to say.
 *
 * Output: the first bytes after a pause go out at once; what follows within a millisecond is
 * collected, since a guest prints one character per exit and each one-byte write would wake the
 * reader. A peer that takes nothing makes writers wait (short writes) for STALL_NS; after that
 * bytes are lost until it reads again, so that a forgotten reader cannot stop a guest.
 *
 * Input: descriptors are watched edge-triggered, because a pty without a peer reports a hang-up for
 * as long as it lasts. `readable` remembers the edge until a read says EAGAIN.
 *
 * A pty's peer announces itself by typing, or is noticed when there is output: the opening of the
 * slave side wakes nobody, and asking regularly would cost wakeups.
 */
#include "ui/chardev_int.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hw/core/log.h"
#include "ui/chardev_connect.h"

#define GATHER_NS   (1 * NS_PER_MS)
#define GATHER_MAX  1024 /* bytes that go out without waiting for more */
#define STALL_NS    (2 * NS_PER_S)
#define PROBE_NS    (10 * NS_PER_MS) /* a pty without a peer is asked about one this often */
#define RETRY_NS    (1 * NS_PER_S)
#define READ_CHUNK  4096
#define READ_CHUNKS 16 /* of one event: a flood leaves the others their turn */

#define IN_EVENTS (EPOLLIN | EPOLLRDHUP | EPOLLET)

static void in_event(void *opaque, uint32_t events);
static void out_event(void *opaque, uint32_t events);
static void listener_event(void *opaque, uint32_t events);

static bool is_socket(const struct chardev *c)
{
    return c->kind == CHARDEV_UNIX || c->kind == CHARDEV_TCP;
}

static void tell_room(struct chardev *c)
{
    if (!c->wants_room)
        return;
    c->wants_room = false;
    if (c->user && c->user->writable)
        c->user->writable(c->user_opaque);
}

static void set_connected(struct chardev *c, bool connected)
{
    if (c->connected == connected)
        return;
    c->connected = connected;
    if (c->user && c->user->event)
        c->user->event(c->user_opaque, connected);
}

/* Waits (or no longer waits) for room in out_fd. */
static void watch_out(struct chardev *c, bool wait)
{
    c->blocked = wait;
    if (!wait) {
        timer_disarm(&c->stall_timer);
        c->stalled = false;
    }
    if (c->out_fd == c->in_fd)
        loop_watch_events(c->loop, &c->in, IN_EVENTS | (wait ? EPOLLOUT : 0));
    else if (!wait)
        loop_unwatch(c->loop, &c->out);
    else if (!c->out.watched &&
             !loop_watch(c->loop, &c->out, c->out_fd, EPOLLOUT, out_event, c, NULL))
        c->stalled = true; /* cannot be watched, yet is full: there is nothing to wait for */
}

static void forget_output(struct chardev *c)
{
    c->out_len = 0;
    timer_disarm(&c->flush_timer);
    watch_out(c, false);
}

/* The other end is gone. */
static void peer_left(struct chardev *c)
{
    c->readable = false;
    if (is_socket(c)) {
        c->out_len = 0;
        timer_disarm(&c->flush_timer);
        timer_disarm(&c->stall_timer);
        c->blocked = c->stalled = false;
        loop_unwatch(c->loop, &c->in);
        if (c->in_fd >= 0)
            close(c->in_fd);
        c->in_fd = c->out_fd = -1;
        set_connected(c, false);
        if (c->listen_fd >= 0)
            loop_watch_events(c->loop, &c->listener, EPOLLIN);
        if (c->reconnect_ns)
            timer_arm_in(&c->retry_timer, c->reconnect_ns);
        tell_room(c);
    } else if (c->kind == CHARDEV_PTY) {
        forget_output(c);
        set_connected(c, false);
        tell_room(c);
    } else { /* stdin's end says nothing about stdout */
        loop_unwatch(c->loop, &c->in);
    }
}

void chardev_greet(struct chardev *c)
{
    const uint8_t *hello;
    size_t len;
    if (!c->is_telnet)
        return;
    telnet_start(&c->telnet, &hello, &len);
    memcpy(c->out_buf, hello, len);
    c->out_len = len;
}

static void complain(struct chardev *c, const char *why)
{
    if (!c->complained)
        log_warn("%s: output is being lost: %s", c->label, why);
    c->complained = true;
}

/* Is there anybody at a pty's slave side? */
static bool pty_has_peer(struct chardev *c)
{
    struct pollfd p = {.fd = c->out_fd, .events = POLLOUT};
    return poll(&p, 1, 0) >= 0 && !(p.revents & POLLHUP);
}

/* As write(2); what a regular file's limit forbids counts as written. */
static ssize_t write_out(struct chardev *c, const uint8_t *buf, size_t len)
{
    ssize_t n;
    if (is_socket(c))
        return send(c->out_fd, buf, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (c->datagram) {
        /* What there was nobody for is lost, as on an unplugged line. */
        n = send(c->out_fd, buf, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        return n < 0 && errno == ECONNREFUSED ? (ssize_t)len : n;
    }
    if (!c->limit)
        return write(c->out_fd, buf, len);
    if (c->written >= c->limit) {
        complain(c, c->limited_by);
        return (ssize_t)len;
    }
    n = write(c->out_fd, buf, len < c->limit - c->written ? len : c->limit - c->written);
    if (n > 0)
        c->written += (uint64_t)n;
    return n;
}

static void flush(struct chardev *c)
{
    size_t done = 0;
    timer_disarm(&c->flush_timer);
    if (c->kind == CHARDEV_PTY && !c->connected && c->out_len) {
        c->last_write = clock_now(loop_clock(c->loop));
        if (!pty_has_peer(c)) {
            c->out_len = 0;
            return;
        }
        set_connected(c, true);
    }
    while (done < c->out_len) {
        ssize_t n = write_out(c, c->out_buf + done, c->out_len - done);
        if (n >= 0) {
            done += (size_t)n;
            if (n == 0)
                break;
        } else if (errno == EAGAIN) {
            break;
        } else if (errno != EINTR) {
            if (is_socket(c) || c->kind == CHARDEV_PTY) {
                peer_left(c);
                return;
            }
            complain(c, strerror(errno));
            done = c->out_len;
        }
    }
    memmove(c->out_buf, c->out_buf + done, c->out_len - done);
    c->out_len -= done;
    c->last_write = clock_now(loop_clock(c->loop));
    if (c->out_len == 0) {
        if (c->blocked)
            watch_out(c, false);
        tell_room(c);
    } else if (!c->blocked || done) {
        if (done)
            c->stalled = false;
        watch_out(c, true);
        timer_arm_in(&c->stall_timer, STALL_NS);
    }
}

static void flush_timer_fired(void *opaque)
{
    flush(opaque);
}

static void stall_timer_fired(void *opaque)
{
    struct chardev *c = opaque;
    c->stalled = true;
    tell_room(c);
}

/* Puts what fits into out_buf; returns how much of buf that was. */
static size_t append(struct chardev *c, const uint8_t *buf, size_t len)
{
    size_t room = sizeof(c->out_buf) - c->out_len, n = len < room ? len : room, taken = n;
    if (c->is_telnet)
        taken = telnet_encode(buf, len, c->out_buf + c->out_len, room, &n);
    else
        memcpy(c->out_buf + c->out_len, buf, n);
    c->out_len += n;
    return taken;
}

/* What is in out_buf goes out at once after a pause, else when there is enough of it or a while has
 * passed. */
static void send_soon(struct chardev *c)
{
    if (c->blocked || !c->out_len)
        return;
    if (c->out_len >= GATHER_MAX || clock_now(loop_clock(c->loop)) - c->last_write >= GATHER_NS)
        flush(c);
    else if (!timer_armed(&c->flush_timer))
        timer_arm(&c->flush_timer, c->last_write + GATHER_NS);
}

static size_t write_stream(struct chardev *c, const uint8_t *buf, size_t len)
{
    uint64_t pause;
    size_t taken = 0;
    if (c->end)
        return c->end->write(c->end_opaque, buf, len);
    if (c->out_fd < 0 || c->stalled)
        return len;
    pause = clock_now(loop_clock(c->loop)) - c->last_write;
    if (c->kind == CHARDEV_PTY && !c->connected && pause < PROBE_NS)
        return len;
    while (taken < len) {
        size_t part = append(c, buf + taken, len - taken);
        taken += part;
        if (part)
            continue;
        if (!c->blocked)
            flush(c);
        if (c->out_fd < 0 || c->stalled)
            return len;
        if (c->out_len == sizeof(c->out_buf)) {
            c->wants_room = true;
            return taken;
        }
    }
    send_soon(c);
    return taken;
}

size_t chardev_write(struct chardev *c, const uint8_t *buf, size_t len)
{
    size_t taken = write_stream(c, buf, len);
    if (c->log)
        chardev_log_write(c->log, buf, taken);
    return taken;
}

bool chardev_set_log(struct chardev *c, const char *path, bool append, struct err *err)
{
    c->log = chardev_log_open(c->loop, c->label, path, append, chardev_file_limit(), err);
    return c->log != NULL;
}

/* As read(2). A datagram is read whole, and given away in pieces; an empty one, and word that the
 * last one sent was for nobody, are no end: EINTR. */
static ssize_t read_in(struct chardev *c, uint8_t *buf, size_t len)
{
    struct chardev_datagram *d = c->datagram;
    if (!d)
        return read(c->in_fd, buf, len);
    if (d->at == d->len) {
        ssize_t n = read(c->in_fd, d->bytes, sizeof(d->bytes));
        if (n == 0 || (n < 0 && errno == ECONNREFUSED)) {
            errno = EINTR;
            return -1;
        }
        if (n < 0)
            return n;
        d->at = 0;
        d->len = (size_t)n;
    }
    len = len < d->len - d->at ? len : d->len - d->at;
    memcpy(buf, d->bytes + d->at, len);
    d->at += len;
    return (ssize_t)len;
}

/* What came from a Telnet peer, to the device as far as it is meant for it. */
static void receive_telnet(struct chardev *c, uint8_t *buf, size_t len)
{
    while (len && c->user && c->in_fd >= 0) {
        struct telnet_input in = telnet_decode(&c->telnet, buf, len);
        if (in.data)
            c->user->receive(c->user_opaque, buf, in.data);
        if (in.event == TELNET_BREAK)
            chardev_line_break(c);
        /* A peer that asks faster than it reads gets no answer. */
        if (in.event == TELNET_REPLY && sizeof(c->out_buf) - c->out_len >= sizeof(in.reply)) {
            memcpy(c->out_buf + c->out_len, in.reply, sizeof(in.reply));
            c->out_len += sizeof(in.reply);
            send_soon(c);
        }
        buf += in.used;
        len -= in.used;
    }
}

static void pump(struct chardev *c)
{
    uint8_t buf[READ_CHUNK];
    unsigned chunks = READ_CHUNKS;
    if (c->pumping) /* the user took some from within receive() */
        return;
    c->pumping = true;
    while (c->readable && c->user) {
        size_t room = c->user->room(c->user_opaque);
        ssize_t n;
        if (!room)
            break;
        if (!chunks--) {
            loop_defer(c->loop, &c->pump_later);
            break;
        }
        n = read_in(c, buf, room < sizeof(buf) ? room : sizeof(buf));
        if (n > 0) {
            set_connected(c, true);
            if (c->is_telnet)
                receive_telnet(c, buf, (size_t)n);
            else
                c->user->receive(c->user_opaque, buf, (size_t)n);
        } else if (n < 0 && errno == EAGAIN) {
            c->readable = false;
        } else if (n == 0 || errno != EINTR) {
            peer_left(c);
        }
    }
    c->pumping = false;
}

static void accept_input(struct chardev *c)
{
    if (c->end && c->user)
        c->end->accept_input(c->end_opaque);
    else if (c->readable)
        pump(c);
}

static void pump_later(void *opaque)
{
    accept_input(opaque);
}

static void in_event(void *opaque, uint32_t events)
{
    struct chardev *c = opaque;
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        c->readable = true;
        pump(c);
    }
    /* A pty has no end of file to read; bytes that are left come later, if they are wanted. */
    if (c->kind == CHARDEV_PTY && (events & EPOLLHUP) && c->connected) {
        bool readable = c->readable;
        peer_left(c);
        c->readable = readable;
    } else if ((events & EPOLLOUT) && c->out_fd >= 0 && c->blocked) {
        flush(c);
    }
}

static void out_event(void *opaque, uint32_t events)
{
    (void)events;
    flush(opaque);
}

static bool watch_in(struct chardev *c, struct err *err)
{
    c->readable = true;
    return loop_watch(c->loop, &c->in, c->in_fd, IN_EVENTS, in_event, c, err);
}

/* Somebody is at in_fd. */
static void peer_came(struct chardev *c)
{
    if (!watch_in(c, NULL)) {
        peer_left(c);
        return;
    }
    set_connected(c, true);
    flush(c);
    pump(c);
}

static void listener_event(void *opaque, uint32_t events)
{
    struct chardev *c = opaque;
    (void)events;
    if (!chardev_accept(c)) {
        if (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR)
            return;
        complain(c, strerror(errno));
        loop_watch_events(c->loop, &c->listener, 0);
        timer_arm_in(&c->retry_timer, RETRY_NS);
        return;
    }
    loop_watch_events(c->loop, &c->listener, 0); /* one peer at a time; the next one waits */
    peer_came(c);
}

static void on_connection(void *opaque, int fd, int error)
{
    struct chardev *c = opaque;
    if (fd < 0) {
        if (!c->complained)
            log_warn("%s: %s: %s; tried again every %u s", c->label, c->filename, strerror(error),
                     (unsigned)(c->reconnect_ns / NS_PER_S));
        c->complained = true;
        timer_arm_in(&c->retry_timer, c->reconnect_ns);
        return;
    }
    chardev_adopt(c, fd);
    chardev_greet(c);
    peer_came(c);
}

static void retry_timer_fired(void *opaque)
{
    struct chardev *c = opaque;
    if (c->in_fd < 0 && c->listen_fd >= 0)
        loop_watch_events(c->loop, &c->listener, EPOLLIN);
    else if (c->in_fd < 0 && c->connector)
        chardev_connector_ask(c->connector, c->target, on_connection, c);
}

static struct chardev *new_chardev(struct loop *loop, const char *label, struct err *err)
{
    struct chardev *c = calloc(1, sizeof(*c));
    if (c)
        c->label = strdup(label);
    if (!c || !c->label) {
        free(c);
        err_set(err, "%s: out of memory", label);
        return NULL;
    }
    c->loop = loop;
    c->in_fd = c->out_fd = c->listen_fd = -1;
    timer_init(&c->flush_timer, loop_clock(loop), flush_timer_fired, c);
    timer_init(&c->stall_timer, loop_clock(loop), stall_timer_fired, c);
    timer_init(&c->retry_timer, loop_clock(loop), retry_timer_fired, c);
    deferred_init(&c->pump_later, pump_later, c);
    return c;
}

struct chardev *chardev_open(struct loop *loop, const char *label,
                             const struct chardev_config *config, struct err *err)
{
    struct chardev *c = new_chardev(loop, label, err);
    bool ok;
    if (!c)
        return NULL;
    c->kind = config->kind;
    ok = chardev_open_backend(c, config, err);
    if (ok && c->in_fd >= 0 && !watch_in(c, err)) {
        ok = c->kind == CHARDEV_STDIO; /* a file or /dev/null as stdin: there is no input */
        c->readable = false;
    }
    if (ok && c->listen_fd >= 0) {
        ok = loop_watch(loop, &c->listener, c->listen_fd, EPOLLIN, listener_event, c, err);
        if (ok && c->in_fd >= 0)
            loop_watch_events(loop, &c->listener, 0);
    }
    if (!ok) {
        chardev_close(c);
        return NULL;
    }
    if (c->out_len)
        flush(c);
    return c;
}

struct chardev *chardev_new(struct loop *loop, const char *label, const char *filename,
                            const struct chardev_end *end, void *opaque, struct err *err)
{
    struct chardev *c = new_chardev(loop, label, err);
    if (!c)
        return NULL;
    c->filename = strdup(filename);
    if (!c->filename) {
        chardev_close(c);
        err_set(err, "%s: out of memory", label);
        return NULL;
    }
    c->end = end;
    c->end_opaque = opaque;
    c->connected = true;
    return c;
}

void chardev_close(struct chardev *c)
{
    if (!c)
        return;
    c->user = NULL;
    if (c->connector)
        chardev_connector_forget(c->connector, c->target);
    if (c->end)
        c->end->close(c->end_opaque);
    if (c->out_fd >= 0 && c->out_len)
        flush(c);
    loop_undefer(c->loop, &c->pump_later);
    loop_unwatch(c->loop, &c->in);
    loop_unwatch(c->loop, &c->out);
    loop_unwatch(c->loop, &c->listener);
    timer_destroy(&c->flush_timer);
    timer_destroy(&c->stall_timer);
    timer_destroy(&c->retry_timer);
    chardev_close_backend(c);
    chardev_log_close(c->log);
    free(c->label);
    free(c->filename);
    free(c);
}

void chardev_set_user(struct chardev *c, const struct chardev_user *user, void *opaque)
{
    c->user = user;
    c->user_opaque = opaque;
    c->wants_room = false;
    if (user && (c->readable || c->end))
        loop_defer(c->loop, &c->pump_later);
}

void chardev_accept_input(struct chardev *c)
{
    if (!c->pumping)
        accept_input(c);
}

size_t chardev_room(struct chardev *c)
{
    return c->user ? c->user->room(c->user_opaque) : 0;
}

void chardev_deliver(struct chardev *c, const uint8_t *buf, size_t len)
{
    bool nested = c->pumping;
    c->pumping = true;
    c->user->receive(c->user_opaque, buf, len);
    c->pumping = nested;
}

void chardev_writable(struct chardev *c)
{
    if (c->user && c->user->writable)
        c->user->writable(c->user_opaque);
}

void chardev_line_break(struct chardev *c)
{
    if (c->user && c->user->line_break)
        c->user->line_break(c->user_opaque);
}

void chardev_focus(struct chardev *c, bool focus)
{
    if (c->user && c->user->focus)
        c->user->focus(c->user_opaque, focus);
}

const char *chardev_label(const struct chardev *c)
{
    return c->label;
}

const char *chardev_filename(const struct chardev *c)
{
    return c->filename;
}

bool chardev_connected(const struct chardev *c)
{
    return c->connected;
}
