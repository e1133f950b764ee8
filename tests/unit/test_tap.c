/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Taps: real ones in a network namespace of the test's own, where the kernel lets us have one, and
 * sockets that stand in for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "hw/core/loop.h"
#include "net/netdev.h"
#include "net/offload.h"

#define TYPE 0x88B5 /* for local experiments */

static struct loop *loop;
static struct net *net;
static struct netdev_config config;
static struct err err;
static char folder[] = "/tmp/test_tap.XXXXXX";
static const char *no_taps; /* why there are none */

static struct {
    size_t buffers;
    unsigned frames, batches;
    size_t len;
    uint8_t last[NET_MAX_FRAME];
    unsigned bad_sums;
    size_t payload;
} nic;

static enum net_taken receive(void *opaque, const uint8_t *frame, size_t len)
{
    struct offload_packet p;
    (void)opaque;
    if (!nic.buffers)
        return NET_HELD;
    if (offload_parse(frame, len, &p)) {
        if (p.protocol != OFFLOAD_TCP)
            return NET_DROPPED; /* the host's own chatter on its new interface */
        nic.bad_sums += !offload_ip_valid(frame, &p) || !offload_transport_valid(frame, &p);
        nic.payload += p.end - p.payload;
    } else if (frame[12] << 8 != (TYPE & 0xFF00)) {
        return NET_DROPPED;
    }
    nic.buffers--;
    nic.frames++;
    nic.len = len;
    memcpy(nic.last, frame, len);
    return NET_TAKEN;
}

static void received(void *opaque)
{
    (void)opaque;
    nic.batches++;
}

static bool transmit(void *opaque)
{
    (void)opaque;
    return false;
}

static const struct net_nic nic_ops = {receive, received, transmit, NULL};

static int setup(void **state)
{
    (void)state;
    memset(&nic, 0, sizeof(nic));
    nic.buffers = 100000;
    config = (struct netdev_config){
        .kind = NETDEV_TAP, .id = (char *)(uintptr_t) "net0", .fd = -1, .vnet_hdr = true};
    loop = loop_new(&err);
    net = loop ? net_new(loop, "net0") : NULL;
    if (!net)
        return -1;
    net_attach_nic(net, &nic_ops, &nic);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    net_free(net);
    loop_free(loop);
    return 0;
}

static bool open_it(void)
{
    return netdev_open(&config, loop, net, &err);
}

static void expect_refused(const char *words)
{
    assert_false(open_it());
    if (!strstr(err.text, words) || !strstr(err.text, "-netdev net0"))
        fail_msg("not \"%s\": %s", words, err.text);
}

static struct net_stats stats(void)
{
    struct net_stats s;
    net_stats(net, &s);
    return s;
}

static void turns(unsigned n)
{
    while (n--)
        loop_turn(loop, 0);
}

static void receiver(bool on)
{
    net_receiving(net, on);
    turns(2);
}

/* Waits for it, as the host's network may take its time. */
static void until_frames(unsigned count)
{
    for (unsigned i = 0; i < 200 && nic.frames < count; i++)
        loop_turn(loop, 50 * NS_PER_MS);
    assert_int_equal(nic.frames, count);
}

/* Whether the loop has nothing to do: it then sleeps as long as it is let. */
static bool is_asleep(void)
{
    struct timespec a, b;
    turns(10);
    clock_gettime(CLOCK_MONOTONIC, &a);
    loop_turn(loop, 20 * NS_PER_MS);
    clock_gettime(CLOCK_MONOTONIC, &b);
    return (b.tv_sec - a.tv_sec) * 1000000000 + b.tv_nsec - a.tv_nsec >= 20000000;
}

static size_t fill_frame(uint8_t *f, size_t len, uint8_t mark)
{
    memset(f, 0xFF, 6);
    memset(f + 6, 0x02, 6);
    f[12] = TYPE >> 8;
    f[13] = TYPE & 0xFF;
    memset(f + 14, mark, len - 14);
    return len;
}

/* ---- Sockets that stand in ---- */

static int peer;

static void open_pair(int type)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair), 0);
    config.fd = pair[0];
    peer = pair[1];
    assert_true(open_it());
}

static void frames_both_ways(int type)
{
    uint8_t f[1514], back[2000];
    open_pair(type);
    assert_true(is_asleep());
    receiver(true);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(send(peer, f, fill_frame(f, 60 + i, (uint8_t)i), 0), 60 + i);
    turns(3);
    assert_int_equal(nic.frames, 3);
    assert_int_equal(nic.batches, 1);
    assert_int_equal(nic.len, 62);
    assert_int_equal(nic.last[14], 2);

    assert_true(net_send(net, f, fill_frame(f, 1514, 9), NULL));
    assert_int_equal(recv(peer, back, sizeof(back), 0), 1514);
    assert_memory_equal(f, back, 1514);
    assert_int_equal(stats().tx_frames, 1);
    assert_true(is_asleep());
    char text[64];
    net_describe(net, text, sizeof(text));
    assert_ptr_equal(strstr(text, "tap,fd="), text);
}

static void a_seqpacket_socket_stands_in(void **state)
{
    (void)state;
    frames_both_ways(SOCK_SEQPACKET);
    close(peer);
}

static void a_datagram_socket_stands_in(void **state)
{
    (void)state;
    frames_both_ways(SOCK_DGRAM);
    assert_int_equal(send(peer, "", 0, 0), 0); /* no frame, and not the end */
    uint8_t f[100];
    assert_int_equal(send(peer, f, fill_frame(f, 100, 5), 0), 100);
    turns(3);
    assert_int_equal(stats().rx_errors, 1);
    assert_int_equal(nic.frames, 4);
    close(peer);
}

static void what_came_before_the_receiver_is_thrown_away(void **state)
{
    (void)state;
    uint8_t f[60];
    open_pair(SOCK_SEQPACKET);
    for (unsigned i = 0; i < 5; i++)
        send(peer, f, fill_frame(f, 60, 1), 0);
    assert_true(is_asleep());
    receiver(true);
    assert_int_equal(stats().rx_stale, 5);
    assert_int_equal(nic.frames, 0);
    send(peer, f, fill_frame(f, 60, 2), 0);
    turns(2);
    assert_int_equal(nic.frames, 1);
    assert_int_equal(nic.last[14], 2);
    /* Off: one look at most, then it sleeps on a full socket. */
    receiver(false);
    send(peer, f, fill_frame(f, 60, 3), 0);
    assert_true(is_asleep());
    receiver(true);
    assert_int_equal(stats().rx_stale, 6);
    assert_true(is_asleep());
    close(peer);
}

static void a_slow_guest_leaves_frames_where_they_are(void **state)
{
    (void)state;
    uint8_t f[60];
    open_pair(SOCK_SEQPACKET);
    receiver(true);
    nic.buffers = 2;
    for (unsigned i = 0; i < 10; i++)
        send(peer, f, fill_frame(f, 60, (uint8_t)i), 0);
    assert_true(is_asleep());
    assert_int_equal(nic.frames, 2);
    assert_int_equal(stats().rx_held, 1);
    assert_true(stats().rx_waiting);
    nic.buffers = 1000;
    net_ready(net);
    turns(4);
    assert_int_equal(nic.frames, 10);
    assert_int_equal(nic.last[14], 9);
    assert_int_equal(stats().rx_dropped + stats().rx_stale, 0);
    close(peer);
}

/* More than a turn's worth is spread over turns. */
static void a_turn_has_a_budget(void **state)
{
    (void)state;
    uint8_t f[60];
    open_pair(SOCK_SEQPACKET);
    receiver(true);
    for (unsigned i = 0; i < NET_BUDGET + 8; i++)
        assert_int_equal(send(peer, f, fill_frame(f, 60, (uint8_t)i), MSG_DONTWAIT), 60);
    turns(1);
    assert_int_equal(nic.frames, NET_BUDGET);
    turns(1);
    assert_int_equal(nic.frames, NET_BUDGET + 8);
    close(peer);
}

static void a_full_peer_is_waited_for(void **state)
{
    (void)state;
    uint8_t f[1514], back[2000];
    unsigned count = 0;
    open_pair(SOCK_SEQPACKET);
    while (net_send(net, f, fill_frame(f, sizeof(f), (uint8_t)count), NULL))
        assert_true(++count < 10000 && (turns(1), true));
    /* Either the budget of a turn is used up or the socket is full. */
    while (!stats().tx_waiting) {
        turns(1);
        count += net_send(net, f, fill_frame(f, sizeof(f), (uint8_t)(count + 1)), NULL);
        count += !stats().tx_waiting;
        assert_true(count < 10000);
    }
    assert_true(is_asleep());
    uint64_t sent = stats().tx_frames;
    for (uint64_t i = 0; i <= sent; i++) { /* and the one that waited */
        struct pollfd p = {.fd = peer, .events = POLLIN};
        turns(1);
        assert_int_equal(poll(&p, 1, 5000), 1);
        assert_int_equal(recv(peer, back, sizeof(back), 0), sizeof(f));
    }
    assert_false(stats().tx_waiting);
    assert_int_equal(stats().tx_frames, sent + 1);
    assert_int_equal(stats().tx_dropped + stats().tx_errors, 0);
    assert_true(is_asleep());
    close(peer);
}

static void a_peer_that_leaves_costs_nothing(void **state)
{
    (void)state;
    uint8_t f[60];
    open_pair(SOCK_SEQPACKET);
    receiver(true);
    close(peer);
    assert_true(is_asleep());
    assert_true(net_send(net, f, fill_frame(f, 60, 1), NULL));
    assert_int_equal(stats().tx_errors, 1);
    receiver(false);
    receiver(true);
    assert_true(is_asleep());
}

static void a_peer_that_leaves_while_full(void **state)
{
    (void)state;
    uint8_t f[1514];
    open_pair(SOCK_SEQPACKET);
    while (!stats().tx_waiting) {
        net_send(net, f, fill_frame(f, sizeof(f), 1), NULL);
        turns(1);
    }
    close(peer);
    assert_true(is_asleep());
    assert_false(stats().tx_waiting);
    assert_int_equal(stats().tx_errors, 1);
}

static void other_descriptors_are_refused(void **state)
{
    (void)state;
    int pair[2];
    assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
    config.fd = pair[0];
    expect_refused("neither a tap nor a socket");
    close(pair[1]);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    config.fd = pair[0];
    expect_refused("neither a tap nor a socket");
    close(pair[1]);
    config.fd = 999;
    expect_refused("fd=999");
}

/* ---- Real ones ---- */

#define NEED_TAPS()                              \
    do {                                         \
        if (no_taps) {                           \
            printf("skip: taps: %s\n", no_taps); \
            skip();                              \
        }                                        \
    } while (0)

static void set_flags(const char *name, short flags)
{
    struct ifreq r = {.ifr_flags = flags};
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
    assert_int_equal(ioctl(s, SIOCSIFFLAGS, &r), 0);
    close(s);
}

/* A packet socket at the host's side; with virtio headers. */
static int host_side(const char *name)
{
    const struct sockaddr_ll at = {
        .sll_family = AF_PACKET,
        .sll_protocol = htons(ETH_P_ALL),
        .sll_ifindex = (int)if_nametoindex(name),
    };
    int one = 1, fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)), 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
    return fd;
}

struct packet {
    struct virtio_net_hdr header;
    uint8_t frame[NET_MAX_FRAME];
} __attribute__((packed));

/* The next frame from the guest of our own type, or TCP. */
static size_t host_receive(int fd, struct packet *p)
{
    for (;;) {
        struct sockaddr_ll from;
        socklen_t len = sizeof(from);
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&wait, 1, 5000), 1);
        ssize_t n = recvfrom(fd, p, sizeof(*p), 0, (struct sockaddr *)&from, &len);
        assert_true(n > (ssize_t)sizeof(p->header) + 14);
        if (from.sll_pkttype != PACKET_OUTGOING &&
            (p->frame[12] == TYPE >> 8 || p->frame[12 + 2 + 9] == OFFLOAD_TCP))
            return (size_t)n - sizeof(p->header);
    }
}

static void put16(uint8_t *p, size_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

#define IP  14
#define TCP 34
#define HDR 54

/* A TCP segment, whose checksum is left to others. */
static size_t segment(uint8_t *f, size_t payload)
{
    memset(f, 0, HDR);
    memset(f, 0xFF, 6);
    f[6] = 2;
    put16(f + 12, 0x0800);
    f[IP] = 0x45;
    put16(f + IP + 2, 40 + payload);
    f[IP + 8] = 64;
    f[IP + 9] = OFFLOAD_TCP;
    memcpy(f + IP + 12, "\x0A\0\0\1\x0A\0\0\2", 8);
    f[TCP + 12] = 0x50;
    f[TCP + 13] = 0x10;
    for (size_t i = 0; i < payload; i++)
        f[HDR + i] = (uint8_t)(i / 3);
    struct offload_packet p;
    assert_true(offload_parse(f, HDR + payload, &p));
    offload_fill_ip(f, &p);
    struct net_offload o;
    offload_ask_transport(f, &p, &o);
    return HDR + payload;
}

static size_t segment6(uint8_t *f, size_t payload)
{
    memset(f, 0, IP + 60);
    memset(f, 0xFF, 6);
    f[6] = 2;
    put16(f + 12, 0x86DD);
    f[IP] = 0x60;
    put16(f + IP + 4, 20 + payload);
    f[IP + 6] = OFFLOAD_TCP;
    f[IP + 7] = 64;
    f[IP + 8] = 0xFD;
    f[IP + 9] = OFFLOAD_TCP; /* where host_receive looks for the protocol */
    f[IP + 24] = 0xFD;
    f[IP + 39] = 1;
    f[IP + 40 + 12] = 0x50;
    f[IP + 40 + 13] = 0x10;
    memset(f + IP + 60, 0x55, payload);
    return IP + 60 + payload;
}

static int open_tap(const char *name)
{
    config.ifname = (char *)(uintptr_t)name;
    if (!open_it())
        fail_msg("%s", err.text);
    assert_int_not_equal(if_nametoindex(name), 0);
    set_flags(name, IFF_UP);
    return host_side(name);
}

static void frames_of_a_real_tap(void **state)
{
    (void)state;
    struct packet p = {.header = {0}};
    uint8_t f[1514];
    NEED_TAPS();
    int host = open_tap("tapa");
    receiver(true);
    for (unsigned i = 0; i < 3; i++) {
        fill_frame(p.frame, 1000 + i, (uint8_t)i);
        assert_int_equal(send(host, &p, sizeof(p.header) + 1000 + i, 0),
                         sizeof(p.header) + 1000 + i);
    }
    until_frames(3);
    assert_int_equal(nic.len, 1002);
    assert_int_equal(nic.last[14], 2);
    assert_true(net_send(net, f, fill_frame(f, sizeof(f), 7), NULL));
    assert_int_equal(host_receive(host, &p), sizeof(f));
    assert_memory_equal(p.frame, f, sizeof(f));
    char text[100];
    net_describe(net, text, sizeof(text));
    assert_string_equal(text, "tap,ifname=tapa,script=no,downscript=no");
    close(host);
}

static void a_segment_goes_out_whole(void **state)
{
    (void)state;
    static struct packet p;
    static uint8_t f[NET_MAX_FRAME];
    const struct net_offload o = {.mss = 1448, .ip = IP, .tcp = TCP};
    NEED_TAPS();
    int host = open_tap("tapb");
    size_t len = segment(f, 40000);
    assert_true(net_send(net, f, len, &o));
    assert_int_equal(host_receive(host, &p), len);
    assert_int_equal(p.header.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
    assert_int_equal(p.header.gso_size, 1448);
    assert_true(p.header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM);
    assert_int_equal(p.header.csum_start, TCP);
    assert_int_equal(stats().tx_frames, 28);
    /* One that has answered congestion (RFC 3168): only its first part says so. */
    len = segment(f, 5000);
    f[TCP + 13] |= 0x80;
    assert_true(net_send(net, f, len, &o));
    assert_int_equal(host_receive(host, &p), len);
    assert_int_equal(p.header.gso_type, VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN);
    /* Over IPv6. */
    const struct net_offload o6 = {.mss = 1428, .ip = IP, .tcp = IP + 40};
    len = segment6(f, 5000);
    assert_true(net_send(net, f, len, &o6));
    assert_int_equal(host_receive(host, &p), len);
    assert_int_equal(p.header.gso_type, VIRTIO_NET_HDR_GSO_TCPV6);
    assert_int_equal(p.header.gso_size, 1428);
    /* And one whose checksum only is left. */
    const struct net_offload sum = {.csum = true, .csum_start = TCP, .csum_at = TCP + 16};
    len = segment(f, 1000);
    assert_true(net_send(net, f, len, &sum));
    assert_int_equal(host_receive(host, &p), len);
    assert_int_equal(p.header.gso_type, VIRTIO_NET_HDR_GSO_NONE);
    assert_true(p.header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM);
    close(host);
}

static void a_segment_comes_in_whole_and_is_split(void **state)
{
    (void)state;
    static struct packet p;
    NEED_TAPS();
    int host = open_tap("tapc");
    receiver(true);
    size_t len = segment(p.frame, 30000);
    p.header = (struct virtio_net_hdr){
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
        .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
        .gso_size = 1460,
        .hdr_len = HDR,
        .csum_start = TCP,
        .csum_offset = 16,
    };
    nic.buffers = 7; /* and the guest is slow in the middle of it */
    assert_int_equal(send(host, &p, sizeof(p.header) + len, 0), sizeof(p.header) + len);
    until_frames(7);
    nic.buffers = 1000;
    net_ready(net);
    until_frames(21);
    assert_int_equal(nic.payload, 30000);
    assert_int_equal(nic.bad_sums, 0);
    assert_int_equal(stats().rx_frames, 21);
    close(host);
}

/* Nothing is left to us when the guest's cards don't want it: the kernel does it. */
static void without_headers_the_kernel_does_it_all(void **state)
{
    (void)state;
    static struct packet p;
    static uint8_t f[NET_MAX_FRAME];
    const struct net_offload o = {.mss = 1448, .ip = IP, .tcp = TCP};
    NEED_TAPS();
    config.vnet_hdr = false;
    int host = open_tap("tapd");
    receiver(true);
    size_t len = segment(f, 4000);
    assert_true(net_send(net, f, len, &o));
    assert_int_equal(host_receive(host, &p), HDR + 1448);
    assert_int_equal(p.header.gso_type, VIRTIO_NET_HDR_GSO_NONE);
    struct offload_packet packet;
    assert_true(offload_parse(p.frame, HDR + 1448, &packet));
    assert_true(offload_transport_valid(p.frame, &packet));
    close(host);
}

static void an_interface_that_is_down_or_deleted(void **state)
{
    (void)state;
    uint8_t f[60];
    NEED_TAPS();
    int host = open_tap("tape");
    receiver(true);
    close(host);
    set_flags("tape", 0);
    turns(20);
    assert_true(net_send(net, f, fill_frame(f, 60, 1), NULL));
    assert_int_equal(stats().tx_errors, 1);
    assert_true(is_asleep());
    set_flags("tape", IFF_UP);
    assert_true(net_send(net, f, fill_frame(f, 60, 1), NULL));
    assert_int_equal(stats().tx_errors, 1);
    if (system("ip link delete tape 2>/dev/null")) {
        print_message("skip: no ip(8) that deletes a tap\n");
        return;
    }
    assert_true(is_asleep());
    assert_true(net_send(net, f, fill_frame(f, 60, 1), NULL));
    assert_int_equal(stats().tx_errors, 2);
    receiver(false);
    receiver(true);
    assert_true(is_asleep());
}

static int make_tap(const char *name, short flags, bool persistent)
{
    struct ifreq r = {.ifr_flags = flags};
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
    assert_int_equal(ioctl(fd, TUNSETIFF, &r), 0);
    assert_int_equal(ioctl(fd, TUNSETPERSIST, persistent), 0);
    return fd;
}

static void taps_that_were_there_before(void **state)
{
    (void)state;
    NEED_TAPS();
    close(make_tap("tapf", IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, true));
    config.ifname = (char *)(uintptr_t) "tapf";
    assert_true(open_it());
    teardown(NULL); /* it stays */
    assert_int_not_equal(if_nametoindex("tapf"), 0);
    setup(NULL);
    /* Open, with and without headers. */
    for (unsigned vnet = 0; vnet < 2; vnet++) {
        char name[] = {'t', 'a', 'p', 'g', (char)('0' + vnet), 0};
        config.fd = make_tap(name, (short)(IFF_TAP | IFF_NO_PI | (vnet ? IFF_VNET_HDR : 0)), false);
        assert_true(open_it());
        set_flags(name, IFF_UP);
        int host = host_side(name);
        static struct packet p;
        static uint8_t f[NET_MAX_FRAME];
        const struct net_offload o = {.mss = 1448, .ip = IP, .tcp = TCP};
        size_t len = segment(f, 3000);
        assert_true(net_send(net, f, len, &o));
        assert_int_equal(host_receive(host, &p), vnet ? len : HDR + 1448);
        close(host);
        teardown(NULL);
        setup(NULL);
    }
    config.fd = make_tap("tunh", IFF_TUN | IFF_NO_PI, false);
    expect_refused("not a tap");
}

/* What the kernel was told of the one tap that this process has open; -1: nothing. */
static int send_buffer(void)
{
    int bytes = -1;
    for (int fd = 3; fd < 100; fd++) {
        struct ifreq r = {0};
        if (!ioctl(fd, TUNGETIFF, &r) && ioctl(fd, TUNGETSNDBUF, &bytes))
            return -1;
    }
    return bytes;
}

static void as_much_under_way_as_is_said(void **state)
{
    (void)state;
    NEED_TAPS();
    config.ifname = (char *)(uintptr_t) "tapr";
    config.sndbuf = 123456;
    assert_true(open_it());
    assert_int_equal(send_buffer(), 123456);
}

static void names_that_cannot_be(void **state)
{
    (void)state;
    NEED_TAPS();
    config.ifname = (char *)(uintptr_t) "a_name_that_is_long";
    expect_refused("15 characters");
    config.ifname = (char *)(uintptr_t) "lo";
    expect_refused("ifname=lo");
    int fd = make_tap("tapj", IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, false);
    config.ifname = (char *)(uintptr_t) "tapj";
    expect_refused("in use by another process");
    close(fd);
    config.ifname = NULL; /* the kernel finds one */
    assert_true(open_it());
    char text[64];
    net_describe(net, text, sizeof(text));
    assert_non_null(strstr(text, "ifname=tap0"));
}

/* ---- Scripts and bridges ---- */

static char *write_script(const char *name, const char *text)
{
    static char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f, "#!/bin/sh\n%s\n", text);
    fclose(f);
    assert_int_equal(chmod(path, 0755), 0);
    return strdup(path);
}

static void expect_file(const char *name, const char *text)
{
    char path[128], got[256] = "";
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t n = fread(got, 1, sizeof(got) - 1, f);
    got[n] = 0;
    fclose(f);
    unlink(path);
    assert_string_equal(got, text);
}

static void scripts_are_run_with_interface_and_bridge(void **state)
{
    (void)state;
    char text[200];
    NEED_TAPS();
    snprintf(text, sizeof(text), "echo up $# $1 $2 >%s/up; test -e /sys/class/net/$1 || true",
             folder);
    config.script = write_script("ifup", text);
    snprintf(text, sizeof(text), "echo down $# $1 $2 >%s/down", folder);
    config.downscript = write_script("ifdown", text);
    config.bridge = (char *)(uintptr_t) "br7"; /* it is the script's business whether it exists */
    open_tap("tapk");
    expect_file("up", "up 2 tapk br7\n");
    teardown(NULL);
    expect_file("down", "down 2 tapk br7\n");
    free(config.downscript);

    char *script = config.script;
    setup(NULL);
    config.script = script;
    open_tap("tapk");
    expect_file("up", "up 1 tapk\n");
    free(script);
}

static void scripts_that_fail(void **state)
{
    (void)state;
    NEED_TAPS();
    config.script = write_script("fails", "exit 3");
    expect_refused("exit status 3");
    assert_int_equal(if_nametoindex("tap0"), 0); /* nothing is left */
    free(config.script);
    config.script = write_script("dies", "kill -9 $$");
    expect_refused("signal 9");
    chmod(config.script, 0644);
    expect_refused("cannot be run");
    free(config.script);
    config.script = (char *)(uintptr_t) "/nowhere/ifup";
    expect_refused("/nowhere/ifup cannot be run: No such file");
}

/* Whoever has the FIFO open for writing has ended, and there was somebody. */
static void expect_gone(int fifo)
{
    struct pollfd p = {.fd = fifo, .events = POLLIN};
    char c[8];
    assert_int_equal(poll(&p, 1, 10000), 1);
    assert_int_equal(read(fifo, c, sizeof(c)), 2); /* its word and the line's end */
    do
        assert_int_equal(poll(&p, 1, 10000), 1);
    while (!(p.revents & POLLHUP));
    assert_int_equal(read(fifo, c, sizeof(c)), 0);
}

/* They are ended, with what they started. */
static void scripts_that_hang(void **state)
{
    (void)state;
    char path[64], text[200];
    NEED_TAPS();
    snprintf(path, sizeof(path), "%s/fifo", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    int fifo = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(fifo >= 0);
    snprintf(text, sizeof(text), "exec 9>%s; echo x >&9; sleep 1000; exit 0", path);
    config.script_ms = 300;
    config.script = write_script("hangs", text);
    expect_refused("has not ended within 0.3 s");
    assert_int_equal(if_nametoindex("tap0"), 0);
    expect_gone(fifo);

    config.downscript = config.script;
    config.script = NULL;
    assert_true(open_it());
    teardown(NULL);
    expect_gone(fifo);
    free(config.downscript);
    close(fifo);
    setup(NULL);
}

/* What was downscript's to do is in the log, and is nobody else's failure. The way to the main
 * process is not the script's. */
static void a_downscript_that_fails(void **state)
{
    (void)state;
    char text[200], line[256] = "";
    NEED_TAPS();
    snprintf(text, sizeof(text),
             "test -e /proc/self/fd/3 && echo 3 >%s/fds || echo none >%s/fds; exit 5", folder,
             folder);
    config.downscript = write_script("ifdown", text);
    int pipes[2], usual = dup(STDERR_FILENO);
    assert_int_equal(pipe(pipes), 0);
    dup2(pipes[1], STDERR_FILENO);
    open_tap("tapm");
    teardown(NULL);
    dup2(usual, STDERR_FILENO);
    close(usual);
    close(pipes[1]);
    assert_true(read(pipes[0], line, sizeof(line) - 1) > 0);
    close(pipes[0]);
    if (!strstr(line, "-netdev net0: downscript=") || !strstr(line, "tapm failed (exit status 5)"))
        fail_msg("%s", line);
    expect_file("fds", "none\n");
    free(config.downscript);
    setup(NULL);
}

static void the_bridge_is_joined(void **state)
{
    (void)state;
    NEED_TAPS();
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    config.bridge = (char *)(uintptr_t) "nobr";
    expect_refused("no such bridge");
    if (ioctl(s, SIOCBRADDBR, "testbr")) {
        close(s);
        printf("skip: taps on a bridge: the kernel has no bridges\n");
        skip();
    }
    config.bridge = (char *)(uintptr_t) "lo";
    expect_refused("no bridge of the kernel's");
    config.bridge = (char *)(uintptr_t) "testbr";
    config.ifname = (char *)(uintptr_t) "tapl";
    assert_true(open_it());
    int port[16] = {0};
    struct ifreq r = {.ifr_name = "testbr"};
    unsigned long args[] = {7 /* BRCTL_GET_PORT_LIST */, (unsigned long)(uintptr_t)port, 16, 0};
    r.ifr_data = (char *)args;
    assert_true(ioctl(s, SIOCDEVPRIVATE, &r) >= 0);
    assert_int_equal(port[1], if_nametoindex("tapl"));
    struct ifreq up = {.ifr_name = "tapl"};
    assert_int_equal(ioctl(s, SIOCGIFFLAGS, &up), 0);
    assert_true(up.ifr_flags & IFF_UP);
    teardown(NULL);
    setup(NULL);
    /* One that is there already, and one that is elsewhere. */
    close(make_tap("tapq", IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, true));
    struct ifreq add = {.ifr_name = "testbr", .ifr_ifindex = (int)if_nametoindex("tapq")};
    assert_int_equal(ioctl(s, SIOCBRADDIF, &add), 0);
    config.bridge = (char *)(uintptr_t) "testbr";
    config.ifname = (char *)(uintptr_t) "tapq";
    assert_true(open_it());
    teardown(NULL);
    setup(NULL);
    assert_int_equal(ioctl(s, SIOCBRADDBR, "testbr2"), 0);
    config.bridge = (char *)(uintptr_t) "testbr2";
    config.ifname = (char *)(uintptr_t) "tapq";
    expect_refused("on another bridge");
    /* script=no: whoever said it knows where the tap belongs. */
    config.bridge = (char *)(uintptr_t) "nobr";
    config.no_script = true;
    assert_true(open_it());
    close(s);
}

/* A namespace for our interfaces alone. */
static int group_setup(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    if (!mkdtemp(folder))
        return -1;
    if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET))
        no_taps = "this user may have no network namespace";
    else if (access("/dev/net/tun", R_OK | W_OK))
        no_taps = "/dev/net/tun is not there, or not for this user";
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    char command[64];
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_seqpacket_socket_stands_in),
        T(a_datagram_socket_stands_in),
        T(what_came_before_the_receiver_is_thrown_away),
        T(a_slow_guest_leaves_frames_where_they_are),
        T(a_turn_has_a_budget),
        T(a_full_peer_is_waited_for),
        T(a_peer_that_leaves_costs_nothing),
        T(a_peer_that_leaves_while_full),
        T(other_descriptors_are_refused),
        T(frames_of_a_real_tap),
        T(a_segment_goes_out_whole),
        T(a_segment_comes_in_whole_and_is_split),
        T(without_headers_the_kernel_does_it_all),
        T(an_interface_that_is_down_or_deleted),
        T(taps_that_were_there_before),
        T(as_much_under_way_as_is_said),
        T(names_that_cannot_be),
        T(scripts_are_run_with_interface_and_bridge),
        T(scripts_that_fail),
        T(scripts_that_hang),
        T(a_downscript_that_fails),
        T(the_bridge_is_joined),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
