/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * user_slirp: see user_slirp.h. One thread and poll(2). A frame of the guest's goes straight into
 * libslirp; what libslirp has for the guest waits in a buffer until the end of the turn, and while
 * anything waits there the host's sockets are not read, so that their peers wait too.
 */
#include "net/user_slirp.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <glib.h>
#include <libslirp.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "hw/core/log.h"
#include "net/net.h"
#include "net/stream.h"

#define IN_ROOM    65536 /* many frames; the main process sends none beyond 1518 bytes */
#define MOST       1536  /* to the guest: libslirp's MTU is 1500 */
#define OUT_ROOM   ((size_t)256 * (STREAM_PREFIX + MOST))
#define NS_PER_MS  1000000
#define MAX_TIMERS 4

/* What DHCP and BOOTP messages have room for (RFC 2131, 2; RFC 2132, 2); libslirp cuts the first.
 */
#define MAX_HOSTNAME 32
#define MAX_BOOTFILE 127
#define MAX_DOMAIN   255

struct slirp_timer {
    SlirpTimerCb fn; /* NULL: free */
    void *opaque;
    int64_t at; /* ms; INT64_MAX: not armed */
};

struct user_slirp {
    Slirp *slirp;
    int socket;
    struct pollfd *fds; /* the first is `socket` */
    size_t fd_count, fd_room;
    struct slirp_timer timers[MAX_TIMERS];
    bool idle;     /* libslirp has nothing to wait for */
    uint64_t lost; /* frames to the guest, not told yet */
    /* Frames after their lengths, from `start` to `end`. */
    struct {
        size_t start, end;
        uint8_t bytes[OUT_ROOM];
    } out;
    struct {
        size_t end;
        uint8_t bytes[IN_ROOM];
    } in;
};

/* ---- What libslirp asks of us ---- */

static int64_t now_ns(void *opaque)
{
    struct timespec t;
    (void)opaque;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 * NS_PER_MS + t.tv_nsec;
}

static int64_t now_ms(void)
{
    return now_ns(NULL) / NS_PER_MS;
}

static bool put(struct user_slirp *u, const void *bytes, size_t len)
{
    const uint32_t prefix = htobe32((uint32_t)len);
    if (OUT_ROOM - u->out.end < STREAM_PREFIX + len)
        return false;
    memcpy(u->out.bytes + u->out.end, &prefix, STREAM_PREFIX);
    memcpy(u->out.bytes + u->out.end + STREAM_PREFIX, bytes, len);
    u->out.end += STREAM_PREFIX + len;
    return true;
}

static ssize_t to_guest(const void *buf, size_t len, void *opaque)
{
    struct user_slirp *u = opaque;
    if (len > MOST || !put(u, buf, len))
        u->lost++;
    return (ssize_t)len;
}

static void misbehaved(const char *msg, void *opaque)
{
    (void)opaque;
    guest_error("user network", "%s", msg);
}

/* What it says of a guest's frames by GLib's means must not fill the log either. */
static void said(const char *domain, GLogLevelFlags level, const char *msg, void *opaque)
{
    (void)domain;
    (void)level;
    (void)opaque;
    guest_error("user network", "%s", msg);
}

static void *new_timer(SlirpTimerCb fn, void *fn_opaque, void *opaque)
{
    struct user_slirp *u = opaque;
    for (unsigned i = 0; i < MAX_TIMERS; i++) {
        if (u->timers[i].fn)
            continue;
        u->timers[i] = (struct slirp_timer){fn, fn_opaque, INT64_MAX};
        return &u->timers[i];
    }
    return NULL;
}

static void free_timer(void *timer, void *opaque)
{
    (void)opaque;
    if (timer)
        ((struct slirp_timer *)timer)->fn = NULL;
}

static void arm_timer(void *timer, int64_t at_ms, void *opaque)
{
    (void)opaque;
    if (timer)
        ((struct slirp_timer *)timer)->at = at_ms;
}

static void nothing(int fd, void *opaque)
{
    (void)fd;
    (void)opaque;
}

static void no_notice(void *opaque)
{
    (void)opaque;
}

static const SlirpCb callbacks = {
    .send_packet = to_guest,
    .guest_error = misbehaved,
    .clock_get_ns = now_ns,
    .timer_new = new_timer,
    .timer_free = free_timer,
    .timer_mod = arm_timer,
    .register_poll_fd = nothing,
    .unregister_poll_fd = nothing,
    .notify = no_notice,
};

/* ---- Opening ---- */

/* An address that was not given: the usual one with this number in its network. */
static struct in_addr usual(struct in_addr given, struct in_addr network, struct in_addr mask,
                            uint32_t number)
{
    if (!given.s_addr)
        given.s_addr = network.s_addr | (htonl(number) & ~mask.s_addr);
    return given;
}

static bool inside(const char *option, struct in_addr address, const SlirpConfig *c,
                   struct err *err)
{
    char text[INET_ADDRSTRLEN];
    uint32_t host = address.s_addr & ~c->vnetmask.s_addr;
    if ((address.s_addr & c->vnetmask.s_addr) == c->vnetwork.s_addr && host &&
        host != ~c->vnetmask.s_addr)
        return true;
    return err_set(err, "%s=%s is no host's address in net=", option,
                   inet_ntop(AF_INET, &address, text, sizeof(text)));
}

static bool choose_addresses(const struct netdev_config *config, SlirpConfig *c, struct err *err)
{
    c->vnetwork = config->network;
    c->vnetmask = config->netmask;
    if (!c->vnetwork.s_addr)
        c->vnetwork.s_addr = htonl(0x0A000200); /* 10.0.2.0 */
    if (!c->vnetmask.s_addr)
        c->vnetmask.s_addr = htonl(0xFFFFFF00);
    uint32_t hosts = ~ntohl(c->vnetmask.s_addr);
    if (hosts & (hosts + 1) || hosts < 3)
        return err_set(err, "net=: a network's mask has 1 to 30 bits, from the left");
    c->vnetwork.s_addr &= c->vnetmask.s_addr;
    c->vhost = usual(config->host, c->vnetwork, c->vnetmask, 0x0202);
    c->vnameserver = usual(config->dns, c->vnetwork, c->vnetmask, 0x0203);
    c->vdhcp_start = usual(config->dhcp_start, c->vnetwork, c->vnetmask, 0x020F);
    if (!inside("host", c->vhost, c, err) || !inside("dns", c->vnameserver, c, err) ||
        !inside("dhcpstart", c->vdhcp_start, c, err))
        return false;
    if (c->vhost.s_addr == c->vnameserver.s_addr || c->vhost.s_addr == c->vdhcp_start.s_addr ||
        c->vnameserver.s_addr == c->vdhcp_start.s_addr)
        return err_set(err, "host=, dns= and dhcpstart= are three addresses");
    return true;
}

static bool short_enough(const char *option, const char *value, size_t most, struct err *err)
{
    return !value || (*value && strlen(value) <= most) ||
           err_set(err, "%s= has 1 to %zu characters", option, most);
}

static bool forward(struct user_slirp *u, const struct netdev_forward *f, struct err *err)
{
    char host[INET_ADDRSTRLEN], guest[INET_ADDRSTRLEN];
    if (!slirp_add_hostfwd(u->slirp, f->udp, f->host, f->host_port, f->guest, f->guest_port))
        return true;
    int why = errno;
    return err_set(err, "hostfwd=%s:%s:%u-%s:%u: %s", f->udp ? "udp" : "tcp",
                   inet_ntop(AF_INET, &f->host, host, sizeof(host)), f->host_port,
                   inet_ntop(AF_INET, &f->guest, guest, sizeof(guest)), f->guest_port,
                   strerror(why));
}

static bool open_slirp(struct user_slirp *u, const struct netdev_config *config, struct err *err)
{
    /* Addresses of IPv6: those that qemu(1) names for its own. */
    SlirpConfig c = {
        .version = 1,
        .restricted = config->restricted,
        .in_enabled = !config->no_ipv4,
        .in6_enabled = config->ipv6,
        .vprefix_len = 64,
        .vhostname = config->hostname,
        .tftp_path = config->tftp,
        .bootfile = config->bootfile,
        .vdomainname = config->domain,
    };
    inet_pton(AF_INET6, "fec0::", &c.vprefix_addr6);
    inet_pton(AF_INET6, "fec0::2", &c.vhost6);
    inet_pton(AF_INET6, "fec0::3", &c.vnameserver6);
    if (!c.in_enabled && !c.in6_enabled)
        return err_set(err, "ipv4=off and ipv6=off leave nothing");
    if (!c.in_enabled && config->forward_count)
        return err_set(err, "hostfwd= needs IPv4");
    if (!choose_addresses(config, &c, err) ||
        !short_enough("hostname", config->hostname, MAX_HOSTNAME, err) ||
        !short_enough("bootfile", config->bootfile, MAX_BOOTFILE, err) ||
        !short_enough("domainname", config->domain, MAX_DOMAIN, err))
        return false;
    g_log_set_default_handler(said, NULL);
    u->slirp = slirp_new(&c, &callbacks, u);
    if (!u->slirp)
        return err_set(err, "libslirp refuses this network");
    for (size_t i = 0; i < config->forward_count; i++)
        if (!forward(u, &config->forwards[i], err))
            return false;
    return true;
}

struct user_slirp *user_slirp_open(const struct netdev_config *config, struct err *err)
{
    struct user_slirp *u = calloc(1, sizeof(*u));
    if (!u) {
        err_set(err, "out of memory");
        return NULL;
    }
    if (open_slirp(u, config, err))
        return u;
    if (u->slirp)
        slirp_cleanup(u->slirp);
    free(u);
    return NULL;
}

/* ---- Serving ---- */

static const struct {
    int slirp, poll;
} events[] = {
    {SLIRP_POLL_IN, POLLIN},   {SLIRP_POLL_OUT, POLLOUT}, {SLIRP_POLL_PRI, POLLPRI},
    {SLIRP_POLL_ERR, POLLERR}, {SLIRP_POLL_HUP, POLLHUP},
};
#define EVENTS (sizeof(events) / sizeof(events[0]))

static int add_poll(int fd, int wanted, void *opaque)
{
    struct user_slirp *u = opaque;
    if (u->fd_count == u->fd_room) {
        size_t room = u->fd_room * 2;
        struct pollfd *fds = realloc(u->fds, room * sizeof(*fds));
        if (!fds)
            return -1;
        u->fds = fds;
        u->fd_room = room;
    }
    struct pollfd *p = &u->fds[u->fd_count];
    *p = (struct pollfd){.fd = fd};
    for (size_t i = 0; i < EVENTS; i++)
        if (wanted & events[i].slirp)
            p->events |= (short)events[i].poll;
    return (int)u->fd_count++;
}

static int get_events(int index, void *opaque)
{
    const struct user_slirp *u = opaque;
    int got = 0;
    if (index < 0 || (size_t)index >= u->fd_count)
        return 0;
    for (size_t i = 0; i < EVENTS; i++)
        if (u->fds[index].revents & events[i].poll)
            got |= events[i].slirp;
    return got;
}

/* Fragments of IPv4 packets are not for libslirp: putting them together is where hostile ones get
 * at its memory (4.7.0 still uses what it has freed). RFC 791, 3.1: an offset, or more to come. */
static bool is_fragment(const uint8_t *frame, size_t len)
{
    return len >= NET_HEADER_LEN + 20 && frame[12] == 0x08 && frame[13] == 0x00 &&
           ((frame[NET_HEADER_LEN + 6] & 0x3F) || frame[NET_HEADER_LEN + 7]);
}

static void frame_from_guest(struct user_slirp *u, const uint8_t *frame, size_t len)
{
    if (is_fragment(frame, len))
        guest_error("user network", "a fragment of an IP packet goes no further");
    else if (len >= NET_HEADER_LEN)
        slirp_input(u->slirp, frame, (int)len);
}

/* What the guest has sent, as much as is here. False: the main process has gone. */
static bool from_guest(struct user_slirp *u)
{
    size_t at = 0;
    ssize_t n = recv(u->socket, u->in.bytes + u->in.end, IN_ROOM - u->in.end, MSG_DONTWAIT);
    if (n <= 0)
        return n < 0 && (errno == EAGAIN || errno == EINTR);
    u->in.end += (size_t)n;
    while (u->in.end - at >= STREAM_PREFIX) {
        uint32_t len;
        memcpy(&len, u->in.bytes + at, STREAM_PREFIX);
        len = be32toh(len);
        if (len > IN_ROOM - STREAM_PREFIX)
            return false;
        if (u->in.end - at - STREAM_PREFIX < len)
            break;
        frame_from_guest(u, u->in.bytes + at + STREAM_PREFIX, len);
        at += STREAM_PREFIX + len;
    }
    memmove(u->in.bytes, u->in.bytes + at, u->in.end - at);
    u->in.end -= at;
    return true;
}

/* What waits goes, as far as there is room. False: the main process has gone. */
static bool flush_out(struct user_slirp *u)
{
    if (u->lost && put(u, &u->lost, USER_NOTE_LEN))
        u->lost = 0;
    if (u->out.start == u->out.end)
        return true;
    ssize_t n = send(u->socket, u->out.bytes + u->out.start, u->out.end - u->out.start,
                     MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    u->out.start += (size_t)n;
    if (u->out.start == u->out.end || u->out.start > OUT_ROOM / 2) {
        memmove(u->out.bytes, u->out.bytes + u->out.start, u->out.end - u->out.start);
        u->out.end -= u->out.start;
        u->out.start = 0;
    }
    return true;
}

static void run_timers(struct user_slirp *u)
{
    int64_t now = now_ms();
    for (unsigned i = 0; i < MAX_TIMERS; i++) {
        struct slirp_timer *t = &u->timers[i];
        if (!t->fn || t->at > now)
            continue;
        t->at = INT64_MAX;
        t->fn(t->opaque);
    }
}

/*
 * Nothing is open but what waits for connections. libslirp wants to be called every second whatever
 * there is, and every half if anything listens; this is how it can be seen that it has no use for
 * it: each line of its table but the first is a forward's. Should that look different one day, we
 * are woken again, no more.
 */
static bool is_idle(struct user_slirp *u)
{
    static const char forward[] = "[HOST_FORWARD]";
    char *table = slirp_connection_info(u->slirp);
    size_t lines = 0, forwards = 0;
    for (const char *c = table; c && (c = strchr(c, '\n')); c++)
        lines++;
    for (const char *c = table; c && (c = strstr(c, forward)); c++)
        forwards++;
    bool idle = table && lines == forwards + 1;
    g_free(table);
    return idle;
}

/* For poll(2): until the first timer, or what libslirp says; -1: nothing is due ever. */
static int patience(const struct user_slirp *u, uint32_t slirp_ms)
{
    int64_t now = 0, most = u->idle ? INT64_MAX : slirp_ms;
    for (unsigned i = 0; i < MAX_TIMERS; i++) {
        const struct slirp_timer *t = &u->timers[i];
        if (!t->fn || t->at == INT64_MAX)
            continue;
        now = now ? now : now_ms();
        int64_t left = t->at > now ? t->at - now : 0;
        most = left < most ? left : most;
    }
    return most == INT64_MAX ? -1 : most > INT_MAX ? INT_MAX : (int)most;
}

/* One turn. False: the main process has gone. */
static bool turn(struct user_slirp *u)
{
    uint32_t slirp_ms = UINT32_MAX;
    bool behind = u->out.start < u->out.end;
    u->fds[0] =
        (struct pollfd){.fd = u->socket, .events = (short)(POLLIN | (behind ? POLLOUT : 0))};
    u->fd_count = 1;
    slirp_pollfds_fill(u->slirp, &slirp_ms, add_poll, u);
    int n = poll(u->fds, behind ? 1 : u->fd_count, patience(u, slirp_ms));
    if (n < 0 && errno != EINTR)
        return false;
    u->idle = n == 0 && is_idle(u);
    /* First, so that it knows what time it is. Its timers are seen to in any case; its sockets only
     * if they were looked at. */
    slirp_pollfds_poll(u->slirp, n < 0 || behind, get_events, u);
    run_timers(u);
    if (n > 0 && u->fds[0].revents & (POLLIN | POLLHUP | POLLERR)) {
        if (!from_guest(u))
            return false;
        /* A frame that waited for the guest's address (ARP) goes now. */
        slirp_pollfds_poll(u->slirp, 1, get_events, u);
    }
    return flush_out(u);
}

int user_slirp_serve(struct user_slirp *u, int socket)
{
    u->socket = socket;
    u->fd_room = 64;
    u->fds = calloc(u->fd_room, sizeof(*u->fds));
    while (u->fds && turn(u))
        ;
    slirp_cleanup(u->slirp);
    free(u->fds);
    free(u);
    return 0;
}
