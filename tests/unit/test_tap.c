/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Taps, and sockets that stand in for them. Scripts and bridges: test_tap_script.c. */
#include "tests/unit/net_bytes.h"
#include "tests/unit/tap_rig.h"

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

int main(void)
{
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
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
