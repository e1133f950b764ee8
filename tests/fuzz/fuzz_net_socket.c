/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_net_socket: a hostile peer of -netdev socket, on a byte stream or with messages, in pieces;
 * a NIC whose buffers run out and whose receiver goes off and on; frames to a peer that reads them
 * or doesn't, and leaves. Whatever comes, each frame is counted once.
 *
 * u8 kind (bit 0: messages), then operations, a byte each: 0 to 0x7F: so many bytes follow that the
 * peer sends; the others are below. What is left over is sent.
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hw/core/loop.h"
#include "net/net.h"
#include "net/netdev.h"
#include "tests/fuzz/fuzz.h"

enum {
    OP_FULL = 0x80,
    OP_FREE,
    OP_OFF,
    OP_ON,
    OP_SEND,
    OP_LONG,
    OP_READ,
    OP_LEAVE,
    OP_STOP,
    OP_GO
};

struct run {
    struct loop *loop;
    struct net *net;
    int peer;
    bool messages, full, left;
    unsigned queued;
    size_t queued_len;
    uint64_t frames; /* that the peer has sent whole, until it sent none any more */
    bool dead;       /* … because of a length */
    uint32_t need;   /* of the one that comes now */
    unsigned have;   /* bytes of it, with its prefix */
    uint8_t frame[NET_MAX_FRAME];
};

static enum net_taken receive(void *opaque, const uint8_t *frame, size_t len)
{
    struct run *r = opaque;
    fuzz_assert(len >= NET_HEADER_LEN && len <= NET_MAX_FRAME);
    volatile uint8_t last = frame[len - 1];
    (void)last;
    return r->full ? NET_HELD : NET_TAKEN;
}

static bool transmit(void *opaque)
{
    struct run *r = opaque;
    while (r->queued) {
        r->queued--;
        if (!net_send(r->net, r->frame, r->queued_len, NULL))
            return false;
    }
    return false;
}

static const struct net_nic nic = {.receive = receive, .transmit = transmit};

static void settle(struct run *r)
{
    for (unsigned i = 0; i < 6; i++)
        loop_turn(r->loop, 0);
}

/* What of these bytes is whole frames. */
static void account(struct run *r, const uint8_t *bytes, size_t len)
{
    if (r->messages) {
        r->frames++;
        return;
    }
    for (size_t i = 0; i < len && !r->dead; i++) {
        if (r->have < 4)
            r->need = r->need << 8 | bytes[i];
        r->have++;
        if (r->have < 4 || (r->have == 4 && r->need > NET_MAX_FRAME)) {
            r->dead = r->have == 4;
            continue;
        }
        if (r->have - 4 == r->need) {
            r->frames++;
            r->have = r->need = 0;
        }
    }
}

static void peer_sends(struct run *r, const uint8_t *bytes, size_t len)
{
    if (r->left || !len)
        return;
    ssize_t n = send(r->peer, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0)
        account(r, bytes, (size_t)n);
}

static void peer_reads(struct run *r)
{
    static uint8_t sink[1 << 17];
    while (!r->left && recv(r->peer, sink, sizeof(sink), MSG_DONTWAIT) > 0)
        ;
}

static void peer_leaves(struct run *r)
{
    if (!r->left)
        close(r->peer);
    r->left = true;
}

static void guest_sends(struct run *r, unsigned count, size_t len)
{
    r->queued = count;
    r->queued_len = len;
    net_kick(r->net);
}

static void step(struct run *r, unsigned op, struct fuzz_input *in)
{
    size_t got;
    if (op < 0x80) {
        const uint8_t *bytes = fuzz_take_bytes(in, op, &got);
        peer_sends(r, bytes, got);
    } else if (op == OP_FULL || op == OP_FREE) {
        r->full = op == OP_FULL;
        net_ready(r->net);
    } else if (op == OP_OFF || op == OP_ON) {
        net_receiving(r->net, op == OP_ON);
    } else if (op == OP_SEND) {
        guest_sends(r, (unsigned)fuzz_take(in, 1), 14 + fuzz_take(in, 1));
    } else if (op == OP_LONG) {
        guest_sends(r, 8, NET_MAX_FRAME);
    } else if (op == OP_READ) {
        peer_reads(r);
    } else if (op == OP_LEAVE) {
        peer_leaves(r);
    } else if (op == OP_STOP) {
        net_quiesce(r->net);
    } else if (op == OP_GO) {
        net_resume(r->net);
    }
    settle(r);
}

/* The NIC takes everything, until nothing comes any more; then all that was sent whole is
 * somewhere.
 */
static void check(struct run *r, bool sent)
{
    struct net_stats s = {0};
    uint64_t counted = 0, before;
    net_resume(r->net);
    net_receiving(r->net, true);
    r->full = false;
    net_ready(r->net);
    do {
        before = counted;
        peer_reads(r);
        settle(r);
        net_stats(r->net, &s);
        counted = s.rx_frames + s.rx_errors + s.rx_dropped + s.rx_stale;
    } while (counted != before);
    fuzz_assert(counted <= r->frames);
    /* Who has left and is sent to may lose what it had said before. */
    fuzz_assert(counted == r->frames || (r->left && sent));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct err err;
    static struct run r;
    int pair[2];
    bool sent = false;
    memset(&r, 0, offsetof(struct run, frame));
    r.messages = fuzz_take(&in, 1) & 1;
    r.loop = loop_new(&err);
    r.net = net_new(r.loop, "n0");
    fuzz_assert(
        r.loop && r.net &&
        !socketpair(AF_UNIX, (r.messages ? SOCK_SEQPACKET : SOCK_STREAM) | SOCK_CLOEXEC, 0, pair));
    r.peer = pair[1];
    const struct netdev_config config = {
        .kind = NETDEV_SOCKET, .socket = NETDEV_SOCKET_FD, .fd = pair[0]};
    fuzz_assert(netdev_open(&config, r.loop, r.net, &err));
    net_attach_nic(r.net, &nic, &r);
    net_receiving(r.net, true);
    settle(&r);
    while (in.left) {
        unsigned op = (unsigned)fuzz_take(&in, 1);
        sent = sent || op == OP_SEND || op == OP_LONG;
        step(&r, op, &in);
    }
    check(&r, sent);
    net_attach_nic(r.net, NULL, NULL);
    net_free(r.net);
    loop_free(r.loop);
    peer_leaves(&r);
    return 0;
}
