/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of the socket back-end: streams and datagrams, back-pressure, hostile peers, and a real
 * QEMU as the peer where there is one. */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "tests/unit/net_rig.h"

static struct wire a, b;

static int setup(void **state)
{
    (void)state;
    alarm(120);
    rig_loop = loop_new(&rig_err);
    return rig_loop ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    wire_close(&a);
    wire_close(&b);
    loop_free(rig_loop);
    return 0;
}

/* A port that nobody has now. */
static unsigned free_port(int type)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(sa);
    int fd = socket(AF_INET, type, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
    close(fd);
    return ntohs(sa.sin_port);
}

static struct netdev_config socket_config(enum netdev_socket kind, char *address)
{
    return (struct netdev_config){
        .kind = NETDEV_SOCKET, .id = (char *)"n", .fd = -1, .socket = kind, .address = address};
}

static void open_on(struct wire *w, enum netdev_socket kind, unsigned port)
{
    char address[64];
    snprintf(address, sizeof(address), "127.0.0.1:%u", port);
    struct netdev_config config = socket_config(kind, address);
    wire_open(w, kind == NETDEV_SOCKET_LISTEN ? "a" : "b", &config);
}

static void open_fd(struct wire *w, int fd)
{
    struct netdev_config config = socket_config(NETDEV_SOCKET_FD, NULL);
    config.fd = fd;
    wire_open(w, "fd", &config);
}

/* A wire whose other end is *fd. */
static void open_pair(struct wire *w, int type, int *fd)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair), 0);
    open_fd(w, pair[0]);
    fcntl(pair[1], F_SETFL, O_NONBLOCK);
    *fd = pair[1];
}

/* TCP's listener and its peer. */
static unsigned join(void)
{
    unsigned port = free_port(SOCK_STREAM);
    open_on(&a, NETDEV_SOCKET_LISTEN, port);
    open_on(&b, NETDEV_SOCKET_CONNECT, port);
    rig_settle();
    return port;
}

static void assert_kept(const struct wire *w, uint64_t number, size_t len)
{
    uint8_t expected[2048];
    assert_int_equal(w->kept[number % RIG_KEPT].len, len);
    rig_frame(expected, len, number);
    assert_memory_equal(w->kept[number % RIG_KEPT].bytes, expected, len);
}

static bool described(const struct wire *w, const char *part)
{
    char text[256];
    net_describe(w->net, text, sizeof(text));
    return strstr(text, part) != NULL;
}

/* ---- Streams ---- */

static void frames_cross_a_stream(void **state)
{
    (void)state;
    join();
    wire_send(&a, 100, 60);
    wire_send(&b, 100, 1514);
    rig_until(a.count == 100 && b.count == 100);
    for (uint64_t i = 0; i < 100; i++) {
        assert_kept(&b, i, 60);
        assert_kept(&a, i, 1514);
    }
    assert_true(b.bursts < 100); /* an interrupt for several */
    assert_true(described(&a, "socket,listen=127.0.0.1:") && described(&a, ",peer=127.0.0.1:"));
    assert_true(described(&b, "socket,connect=127.0.0.1:"));
    assert_int_equal(wire_stats(&a).rx_bytes, 151400);
}

static void the_longest_frame_crosses(void **state)
{
    (void)state;
    join();
    wire_send(&a, 50, NET_MAX_FRAME);
    rig_until(b.count == 50);
    for (uint64_t i = 0; i < 50; i++)
        assert_int_equal(b.kept[i].len, NET_MAX_FRAME);
}

/* As qemu(1) has it on the wire, cut anywhere. */
static void framing_is_four_bytes_of_length(void **state)
{
    static const uint8_t sent[] = {0,   0,   0,   14,  'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i',
                                   'j', 'k', 'l', 8,   0,   0,   0,   0,   15,  'A', 'B', 'C', 'D',
                                   'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 8,   0,   'x'};
    uint8_t got[256];
    int fd;
    (void)state;
    open_pair(&a, SOCK_STREAM, &fd);
    for (size_t i = 0; i < sizeof(sent); i++) {
        assert_int_equal(send(fd, sent + i, 1, 0), 1);
        rig_settle();
    }
    assert_int_equal(a.count, 2);
    assert_int_equal(a.kept[0].len, 14);
    assert_memory_equal(a.kept[0].bytes, sent + 4, 14);
    assert_int_equal(a.kept[1].len, 15);
    assert_memory_equal(a.kept[1].bytes, sent + 22, 15);
    wire_send(&a, 1, 60);
    rig_settle();
    assert_int_equal(recv(fd, got, sizeof(got), 0), 64);
    assert_memory_equal(got, "\0\0\0\x3C\xFF\xFF\xFF\xFF\xFF\xFF", 10);
    close(fd);
}

static void a_hostile_length_ends_the_connection(void **state)
{
    static const uint32_t lengths[] = {NET_MAX_FRAME + 1, 0x80000000, 0xFFFFFFFF};
    (void)state;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        uint32_t prefix = htobe32(lengths[i]);
        char byte;
        int fd;
        open_pair(&a, SOCK_STREAM, &fd);
        assert_int_equal(send(fd, &prefix, 4, 0), 4);
        rig_settle();
        wire_send(&a, 3, 60);
        rig_settle();
        assert_int_equal(a.count, 0);
        assert_int_equal(wire_stats(&a).tx_errors, 3);
        assert_int_equal(recv(fd, &byte, 1, 0), -1); /* open, but not listened to */
        wire_close(&a);
        assert_int_equal(recv(fd, &byte, 1, 0), 0);
        close(fd);
    }
}

static void a_frame_too_short_is_counted(void **state)
{
    uint8_t stream[4 + 13 + 4 + 4 + 60] = {0, 0, 0, 13};
    int fd;
    (void)state;
    open_pair(&a, SOCK_STREAM, &fd);
    stream[24] = 60; /* behind one of 13 bytes and one of none */
    assert_int_equal(send(fd, stream, sizeof(stream), 0), sizeof(stream));
    rig_settle();
    assert_int_equal(a.count, 1);
    assert_int_equal(wire_stats(&a).rx_errors, 2);
    close(fd);
}

static void a_listener_takes_the_next_peer(void **state)
{
    (void)state;
    unsigned port = join();
    for (unsigned i = 0; i < 5; i++) {
        wire_send(&b, 1, 60);
        rig_until(a.count == i + 1);
        wire_close(&b);
        rig_until(described(&a, ",peer=none"));
        wire_send(&a, 1, 60); /* to nobody */
        rig_settle();
        assert_int_equal(wire_stats(&a).tx_errors, i + 1);
        open_on(&b, NETDEV_SOCKET_CONNECT, port);
        rig_until(described(&a, ",peer=127.0.0.1:"));
    }
    wire_send(&a, 7, 60);
    rig_until(b.count == 7);
}

/* It waits in the queue, until the first has gone. */
static void a_second_peer_waits(void **state)
{
    struct wire c;
    char address[64];
    (void)state;
    unsigned port = join();
    snprintf(address, sizeof(address), "127.0.0.1:%u", port);
    struct netdev_config config = socket_config(NETDEV_SOCKET_CONNECT, address);
    wire_open(&c, "c", &config);
    wire_send(&c, 3, 60);
    wire_send(&b, 1, 60);
    rig_until(a.count == 1);
    rig_settle();
    assert_int_equal(a.count, 1);
    wire_close(&b);
    rig_until(a.count == 4);
    wire_close(&c);
}

static void a_lost_connection_counts_what_is_sent(void **state)
{
    (void)state;
    join();
    wire_close(&a);
    rig_until(described(&b, ",peer=none"));
    wire_send(&b, 10, 60);
    rig_until(wire_stats(&b).tx_errors == 10);
    assert_false(wire_stats(&b).tx_waiting);
}

/* What the peer doesn't take waits at the NIC: nothing is lost, nothing grows. */
static void a_full_stream_stops_the_guest(void **state)
{
    static uint8_t sink[1 << 20];
    int fd;
    (void)state;
    open_pair(&a, SOCK_STREAM, &fd);
    wire_send(&a, 5000, 1514);
    rig_until(wire_stats(&a).tx_waiting);
    rig_settle();
    uint64_t stuck = a.sent;
    assert_true(stuck < 1000);
    rig_settle();
    assert_int_equal(a.sent, stuck);
    uint64_t bytes = 0;
    while (bytes < 5000u * 1518) {
        ssize_t n = recv(fd, sink, sizeof(sink), 0);
        if (n > 0)
            bytes += (uint64_t)n;
        else
            assert_int_equal(errno, EAGAIN);
        loop_turn(rig_loop, 0);
    }
    assert_int_equal(a.sent, 5000);
    assert_int_equal(wire_stats(&a).tx_frames, 5000);
    assert_int_equal(wire_stats(&a).tx_errors + wire_stats(&a).tx_dropped, 0);
    close(fd);
}

/* A guest with no buffers stops the peer, and loses nothing. */
static void a_slow_guest_stops_the_peer(void **state)
{
    (void)state;
    join();
    b.full = true;
    wire_send(&a, 50000, 1514);
    rig_until(wire_stats(&a).tx_waiting && wire_stats(&b).rx_waiting);
    rig_settle();
    assert_int_equal(b.count, 0);
    b.full = false;
    net_ready(b.net);
    rig_until(b.count == 50000);
    assert_kept(&b, 49999, 1514);
    assert_int_equal(wire_stats(&b).rx_dropped + wire_stats(&b).rx_stale, 0);
}

static void what_came_before_the_receiver_is_stale(void **state)
{
    (void)state;
    join();
    net_receiving(b.net, false);
    wire_send(&a, 100, 60);
    rig_until(wire_stats(&a).tx_frames == 100);
    rig_settle();
    assert_int_equal(b.count, 0);
    net_receiving(b.net, true);
    rig_until(wire_stats(&b).rx_stale == 100);
    wire_send(&a, 1, 60);
    rig_until(b.count == 1);
}

/* With the receiver off, its peer gone, and another one there. */
static void a_peer_that_left_unheard(void **state)
{
    (void)state;
    unsigned port = join();
    net_receiving(a.net, false);
    wire_send(&b, 10, 60);
    rig_until(wire_stats(&b).tx_frames == 10);
    rig_settle();
    wire_close(&b);
    rig_settle();
    open_on(&b, NETDEV_SOCKET_CONNECT, port);
    wire_send(&b, 2, 60);
    rig_settle();
    net_receiving(a.net, true);
    rig_until(a.count + wire_stats(&a).rx_stale == 12);
    wire_send(&b, 3, 60);
    rig_until(a.count >= 3);
}

static void a_peer_that_leaves_in_a_frame(void **state)
{
    int fd;
    (void)state;
    open_pair(&a, SOCK_STREAM, &fd);
    assert_int_equal(send(fd, "\0\0\0\x40xyz", 7, 0), 7);
    rig_settle();
    close(fd);
    rig_until(described(&a, ",peer=none"));
    assert_int_equal(a.count, 0);
}

/* ---- Datagrams ---- */

static void open_udp(struct wire *w, unsigned local, unsigned remote)
{
    char address[32], local_addr[32];
    snprintf(address, sizeof(address), "127.0.0.1:%u", remote);
    snprintf(local_addr, sizeof(local_addr), "127.0.0.1:%u", local);
    struct netdev_config config = socket_config(NETDEV_SOCKET_UDP, address);
    config.local_addr = local_addr;
    wire_open(w, "u", &config);
}

static void frames_cross_udp(void **state)
{
    (void)state;
    unsigned x = free_port(SOCK_DGRAM), y = free_port(SOCK_DGRAM);
    open_udp(&a, x, y);
    open_udp(&b, y, x);
    wire_send(&a, 20, 60);
    wire_send(&b, 20, 1514);
    rig_until(a.count == 20 && b.count == 20);
    assert_kept(&a, 19, 1514);
    assert_kept(&b, 19, 60);
    assert_true(described(&a, "socket,udp=127.0.0.1:"));
    /* More than a datagram can be. */
    wire_send(&a, 1, NET_MAX_FRAME);
    rig_until(wire_stats(&a).tx_errors == 1);
}

/* Nobody there yet, or any more, is no reason to stop. */
static void udp_without_a_peer(void **state)
{
    (void)state;
    unsigned x = free_port(SOCK_DGRAM), y = free_port(SOCK_DGRAM);
    open_udp(&a, x, y);
    for (unsigned i = 0; i < 10; i++) {
        wire_send(&a, 1, 60);
        rig_settle();
    }
    open_udp(&b, y, x);
    wire_send(&a, 5, 60);
    rig_until(b.count == 5);
    wire_send(&b, 5, 60);
    rig_until(a.count == 5);
}

static void a_datagram_too_short_or_long_is_counted(void **state)
{
    static uint8_t big[NET_MAX_FRAME + 100];
    int fd;
    (void)state;
    open_pair(&a, SOCK_DGRAM, &fd);
    assert_int_equal(send(fd, big, 0, 0), 0);
    assert_int_equal(send(fd, big, 13, 0), 13);
    assert_int_equal(send(fd, big, sizeof(big), 0), sizeof(big));
    assert_int_equal(send(fd, big, 60, 0), 60);
    rig_until(a.count == 1);
    assert_int_equal(wire_stats(&a).rx_errors, 3);
    close(fd);
}

static void a_full_datagram_socket_stops_the_guest(void **state)
{
    static uint8_t frame[2048];
    unsigned count = 0;
    int fd;
    (void)state;
    open_pair(&a, SOCK_SEQPACKET, &fd);
    wire_send(&a, 2000, 1514);
    rig_until(wire_stats(&a).tx_waiting);
    assert_true(a.sent < 1000);
    while (count < 2000) {
        ssize_t n = recv(fd, frame, sizeof(frame), 0);
        assert_true(n == 1514 || (n < 0 && errno == EAGAIN));
        count += n > 0;
        loop_turn(rig_loop, 0);
    }
    assert_int_equal(wire_stats(&a).tx_frames, 2000);
    assert_int_equal(wire_stats(&a).tx_errors, 0);
    close(fd);
}

static void a_slow_guest_leaves_datagrams_where_they_are(void **state)
{
    static uint8_t frame[60];
    unsigned count = 0;
    int fd;
    (void)state;
    open_pair(&a, SOCK_SEQPACKET, &fd);
    a.full = true;
    while (send(fd, frame, sizeof(frame), 0) > 0) {
        count++;
        rig_settle();
    }
    assert_true(errno == EAGAIN && count > 50);
    assert_int_equal(a.count, 0);
    a.full = false;
    net_ready(a.net);
    rig_until(a.count == count);
    close(fd);
}

static void stale_datagrams_are_counted(void **state)
{
    static uint8_t frame[60];
    int fd;
    (void)state;
    open_pair(&a, SOCK_SEQPACKET, &fd);
    rig_settle();
    net_receiving(a.net, false);
    rig_settle();
    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(send(fd, frame, sizeof(frame), 0), 60);
    rig_settle();
    net_receiving(a.net, true);
    rig_until(wire_stats(&a).rx_stale == 50);
    assert_int_equal(a.count, 0);
    assert_int_equal(send(fd, frame, sizeof(frame), 0), 60);
    rig_until(a.count == 1);
    close(fd);
}

static void a_message_socket_ends(void **state)
{
    int fd;
    (void)state;
    open_pair(&a, SOCK_SEQPACKET, &fd);
    rig_settle();
    close(fd);
    rig_settle();
    wire_send(&a, 4, 60);
    rig_until(wire_stats(&a).tx_errors == 4);
}

static void open_group(struct wire *w, unsigned port)
{
    char address[32];
    snprintf(address, sizeof(address), "239.192.77.1:%u", port);
    struct netdev_config config = socket_config(NETDEV_SOCKET_MCAST, address);
    config.local_addr = (char *)"127.0.0.1";
    wire_open(w, "m", &config);
}

/* Three of them, each hears the two others and not itself. */
static void a_group_hears_each_other(void **state)
{
    struct wire c;
    (void)state;
    unsigned port = free_port(SOCK_DGRAM);
    open_group(&a, port);
    open_group(&b, port);
    open_group(&c, port);
    rig_settle();
    wire_send(&a, 10, 60);
    wire_send(&b, 20, 1514);
    rig_until(c.count == 30 && a.count == 20 && b.count == 10);
    wire_send(&c, 1, 60);
    rig_until(a.count == 21 && b.count == 11);
    rig_settle();
    assert_int_equal(c.count, 30);
    assert_int_equal(a.count, 21);
    assert_int_equal(b.count, 11);
    wire_close(&c);
}

/* ---- Refusals ---- */

static void refused(const char *part, enum netdev_socket kind, const char *address,
                    const char *local)
{
    struct netdev_config config = socket_config(kind, (char *)(uintptr_t)address);
    config.local_addr = (char *)(uintptr_t)local;
    wire_refused(part, &config);
}

static void bad_configurations_are_refused(void **state)
{
    char used[32];
    int pair[2], listening = socket(AF_INET, SOCK_STREAM, 0);
    (void)state;
    unsigned port = free_port(SOCK_STREAM);
    snprintf(used, sizeof(used), "127.0.0.1:%u", port);
    refused("Connection refused", NETDEV_SOCKET_CONNECT, used, NULL);
    refused("is not HOST:PORT", NETDEV_SOCKET_CONNECT, "localhost", NULL);
    refused("is not HOST:PORT", NETDEV_SOCKET_LISTEN, "", NULL);
    refused("is not HOST:PORT", NETDEV_SOCKET_LISTEN, "127.0.0.1:", NULL);
    refused("stands in brackets", NETDEV_SOCKET_LISTEN, "::1:5", NULL);
    refused("is not [HOST]:PORT", NETDEV_SOCKET_LISTEN, "[::1:5", NULL);
    refused("127.0.0.1:nosuchport", NETDEV_SOCKET_LISTEN, "127.0.0.1:nosuchport", NULL);
    refused("Cannot assign requested address", NETDEV_SOCKET_LISTEN, "203.0.113.1:1", NULL);
    refused("needs localaddr=", NETDEV_SOCKET_UDP, "127.0.0.1:5", NULL);
    refused("is not HOST:PORT", NETDEV_SOCKET_UDP, "127.0.0.1:5", "127.0.0.1");
    refused("no multicast address", NETDEV_SOCKET_MCAST, "127.0.0.1:5", NULL);
    refused("wants an interface's", NETDEV_SOCKET_MCAST, "239.0.0.1:5", "eth0");
    refused("cannot join", NETDEV_SOCKET_MCAST, "239.0.0.1:5", "203.0.113.1");
    struct netdev_config config = socket_config(NETDEV_SOCKET_FD, NULL);
    wire_refused("fd=-1", &config);
    assert_int_equal(pipe(pair), 0);
    config.fd = pair[0];
    wire_refused("Socket operation on non-socket", &config);
    close(pair[0]);
    close(pair[1]);
    config.fd = listening;
    wire_refused("is not connected", &config);
    listen(listening, 1);
    wire_refused("listens", &config);
    close(listening);
    open_on(&a, NETDEV_SOCKET_LISTEN, port);
    refused("Address already in use", NETDEV_SOCKET_LISTEN, used, NULL);
}

static void ipv6_in_brackets(void **state)
{
    char address[32];
    struct sockaddr_in6 sa = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    (void)state;
    bool there = fd >= 0 && !bind(fd, (struct sockaddr *)&sa, sizeof(sa));
    if (fd >= 0)
        close(fd);
    if (!there) {
        print_message("no IPv6 here\n");
        skip();
    }
    snprintf(address, sizeof(address), "[::1]:%u", free_port(SOCK_STREAM));
    struct netdev_config config = socket_config(NETDEV_SOCKET_LISTEN, address);
    wire_open(&a, "a", &config);
    config.socket = NETDEV_SOCKET_CONNECT;
    wire_open(&b, "b", &config);
    wire_send(&b, 1, 60);
    rig_until(a.count == 1);
}

/* ---- QEMU ---- */

static pid_t qemu;

static bool have_qemu(void)
{
    return !system("command -v qemu-system-i386 >/dev/null 2>&1");
}

/* One with two network back-ends, joined by a hub, and no machine. */
static void start_qemu(const char *first, const char *second)
{
    qemu = fork();
    if (qemu)
        return;
    alarm(60);
    execlp("qemu-system-i386", "qemu-system-i386", "-machine", "none", "-nodefaults", "-display",
           "none", "-netdev", first, "-netdev", second, "-netdev", "hubport,id=h0,hubid=0,netdev=x",
           "-netdev", "hubport,id=h1,hubid=0,netdev=y", NULL);
    _exit(127);
}

static void end_qemu(void)
{
    kill(qemu, SIGKILL);
    waitpid(qemu, NULL, 0);
}

/* It connects to one of ours; another of ours gets its datagrams. */
static void qemu_is_a_peer(void **state)
{
    char first[128], second[128];
    (void)state;
    if (!have_qemu()) {
        print_message("no qemu-system-i386\n");
        skip();
    }
    unsigned port = free_port(SOCK_STREAM), x = free_port(SOCK_DGRAM), y = free_port(SOCK_DGRAM);
    open_on(&a, NETDEV_SOCKET_LISTEN, port);
    open_udp(&b, x, y);
    snprintf(first, sizeof(first), "socket,id=x,connect=127.0.0.1:%u", port);
    snprintf(second, sizeof(second), "socket,id=y,udp=127.0.0.1:%u,localaddr=127.0.0.1:%u", x, y);
    start_qemu(first, second);
    rig_until(described(&a, ",peer=127.0.0.1:"));
    wire_send(&a, 1, 60);
    wire_send(&a, 1, 60);
    rig_until(b.count == 2);
    wire_send(&a, 50, 1514);
    rig_until(b.count == 52);
    wire_send(&b, 50, 1514);
    rig_until(a.count == 50);
    assert_kept(&b, 51, 1514);
    assert_kept(&a, 49, 1514);
    end_qemu();
    rig_until(described(&a, ",peer=none"));
}

/* The other way round: ours connects, and joins its group. */
static void qemu_listens_and_joins_a_group(void **state)
{
    char first[128], second[128], address[64];
    (void)state;
    if (!have_qemu()) {
        print_message("no qemu-system-i386\n");
        skip();
    }
    unsigned port = free_port(SOCK_STREAM), group = free_port(SOCK_DGRAM);
    snprintf(first, sizeof(first), "socket,id=x,listen=127.0.0.1:%u", port);
    snprintf(second, sizeof(second), "socket,id=y,mcast=239.192.77.1:%u,localaddr=127.0.0.1",
             group);
    start_qemu(first, second);
    snprintf(address, sizeof(address), "127.0.0.1:%u", port);
    struct netdev_config config = socket_config(NETDEV_SOCKET_CONNECT, address);
    double end = rig_now() + 30;
    while (!wire_try(&a, "a", &config)) {
        wire_close(&a);
        assert_true(rig_now() < end);
        usleep(20000);
    }
    open_group(&b, group);
    rig_settle();
    wire_send(&a, 30, 60);
    rig_until(b.count == 30);
    wire_send(&b, 30, 1514);
    rig_until(a.count >= 30);
    assert_kept(&b, 29, 60);
    end_qemu();
    rig_until(described(&a, ",peer=none"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(frames_cross_a_stream),
        TEST(the_longest_frame_crosses),
        TEST(framing_is_four_bytes_of_length),
        TEST(a_hostile_length_ends_the_connection),
        TEST(a_frame_too_short_is_counted),
        TEST(a_listener_takes_the_next_peer),
        TEST(a_second_peer_waits),
        TEST(a_lost_connection_counts_what_is_sent),
        TEST(a_full_stream_stops_the_guest),
        TEST(a_slow_guest_stops_the_peer),
        TEST(what_came_before_the_receiver_is_stale),
        TEST(a_peer_that_left_unheard),
        TEST(a_peer_that_leaves_in_a_frame),
        TEST(frames_cross_udp),
        TEST(udp_without_a_peer),
        TEST(a_datagram_too_short_or_long_is_counted),
        TEST(a_full_datagram_socket_stops_the_guest),
        TEST(a_slow_guest_leaves_datagrams_where_they_are),
        TEST(stale_datagrams_are_counted),
        TEST(a_message_socket_ends),
        TEST(a_group_hears_each_other),
        TEST(bad_configurations_are_refused),
        TEST(ipv6_in_brackets),
        TEST(qemu_is_a_peer),
        TEST(qemu_listens_and_joins_a_group),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("net_socket", tests, NULL, NULL);
}
