/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of the user-mode network: the real process with the real libslirp and the real confinement;
 * the test is the guest, and servers and clients on the host's loopback.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "hw/xen/confine.h"
#include "net/user_module.h"
#include "tests/unit/net_guest.h"

#define HOST "10.0.2.2"

static struct net *net;
static struct guest g;
static char folder[] = "/tmp/test_net_user.XXXXXX";

/* The module is part of this program. Called in its process, which is not to go on with cmocka's
 * handlers when it crashes. */
const struct user_module *user_module_load(struct err *err)
{
    static const int ends[] = {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS};
    (void)err;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
        signal(ends[i], SIG_DFL);
    return &hvm_dm_user;
}

static bool confine_it(const struct netdev_config *netdev, struct err *err)
{
    const struct confine_network_config config = {
        .seccomp = true, .restricted = netdev->restricted, .folder = netdev->tftp};
    return confine_network(&config, err);
}

static struct netdev_config user_config(void)
{
    return (struct netdev_config){
        .kind = NETDEV_USER, .id = (char *)"n0", .fd = -1, .confine = confine_it};
}

static void open_user(const struct netdev_config *config, const char *ip)
{
    net = net_new(rig_loop, "n0");
    assert_non_null(net);
    if (!netdev_open(config, rig_loop, net, &rig_err))
        fail_msg("%s", rig_err.text);
    guest_attach(&g, net, ip);
}

static void open_plain(void)
{
    struct netdev_config config = user_config();
    open_user(&config, "10.0.2.15");
}

static struct net_stats stats(void)
{
    struct net_stats s;
    net_stats(net, &s);
    return s;
}

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
    if (net)
        net_attach_nic(net, NULL, NULL);
    net_free(net);
    net = NULL;
    loop_free(rig_loop);
    return 0;
}

static uint32_t address(const char *text)
{
    return ntohl(inet_addr(text));
}

/* ---- The host's side ---- */

/* A socket on the loopback, bound to a free port. */
static int local_socket(int type, uint16_t *port)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(sa);
    int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    if (type == SOCK_STREAM)
        assert_int_equal(listen(fd, 5), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
    *port = ntohs(sa.sin_port);
    return fd;
}

static uint16_t free_port(int type)
{
    uint16_t port;
    close(local_socket(type, &port));
    return port;
}

static int host_connect(uint16_t port)
{
    struct sockaddr_in sa = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static int accept_one(int listener)
{
    int fd = -1;
    rig_until((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0);
    return fd;
}

/* Sends the pattern's bytes from *at on, as many as fit. */
static void send_pattern(int fd, uint64_t *at, uint64_t end)
{
    uint8_t bytes[16384];
    while (*at < end) {
        size_t len = end - *at < sizeof(bytes) ? end - *at : sizeof(bytes);
        for (size_t i = 0; i < len; i++)
            bytes[i] = pattern(*at + i);
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n < 0) {
            assert_int_equal(errno, EAGAIN);
            return;
        }
        *at += (uint64_t)n;
    }
}

static void receive_pattern(int fd, uint64_t *at)
{
    uint8_t bytes[16384];
    ssize_t n;
    while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0)
        for (ssize_t i = 0; i < n; i++, ++*at)
            assert_int_equal(bytes[i], pattern(*at));
}

/* ---- Its process ---- */

static bool read_proc(pid_t pid, const char *name, char *text, size_t size)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    int fd = open(path, O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    return n > 0;
}

/* The process called hvm-dm-user whose parent is `parent`, or 0. */
static pid_t process_of(pid_t parent)
{
    DIR *d = opendir("/proc");
    struct dirent *e;
    pid_t found = 0;
    while (!found && (e = readdir(d))) {
        char text[512], expected[64];
        pid_t pid = (pid_t)atoi(e->d_name);
        if (!isdigit(e->d_name[0]) || !read_proc(pid, "stat", text, sizeof(text)))
            continue;
        const char *end = strrchr(text, ')');
        snprintf(expected, sizeof(expected), "(hvm-dm-user) ");
        if (strstr(text, expected) && end && atoi(end + 4) == (int)parent && end[2] != 'Z')
            found = pid;
    }
    closedir(d);
    return found;
}

static bool gone(pid_t pid)
{
    char text[512];
    if (!read_proc(pid, "stat", text, sizeof(text)))
        return true;
    const char *end = strrchr(text, ')');
    return end && (end[2] == 'Z' || end[2] == 'X');
}

static bool status_says(pid_t pid, const char *line)
{
    char text[4096];
    return read_proc(pid, "status", text, sizeof(text)) && strstr(text, line);
}

/* ---- The guest and the network's own services ---- */

static void dhcp_gives_an_address(void **state)
{
    const uint8_t mask[] = {255, 255, 255, 0}, router[] = {10, 0, 2, 2}, dns[] = {10, 0, 2, 3};
    (void)state;
    open_plain();
    dhcp_ask(&g, 1, 0);
    rig_until(g.udps == 1);
    assert_int_equal(g.udp.port, 68);
    assert_int_equal(get32(g.udp.bytes + 16), address("10.0.2.15"));
    assert_true(dhcp_says(&g, 53, "\x02", 1) && dhcp_says(&g, 1, mask, 4));
    assert_true(dhcp_says(&g, 3, router, 4) && dhcp_says(&g, 6, dns, 4));
    dhcp_ask(&g, 3, address("10.0.2.15"));
    rig_until(g.udps == 2);
    assert_true(dhcp_says(&g, 53, "\x05", 1));
}

static void dhcp_gives_what_was_asked_for(void **state)
{
    const uint8_t router[] = {192, 168, 77, 1}, dns[] = {192, 168, 77, 9};
    struct netdev_config config = user_config();
    (void)state;
    config.network.s_addr = inet_addr("192.168.77.0");
    config.netmask.s_addr = inet_addr("255.255.255.0");
    config.host.s_addr = inet_addr("192.168.77.1");
    config.dns.s_addr = inet_addr("192.168.77.9");
    config.dhcp_start.s_addr = inet_addr("192.168.77.50");
    config.hostname = (char *)"wombat";
    config.domain = (char *)"example.org";
    config.bootfile = (char *)"pxelinux.0";
    open_user(&config, "192.168.77.50");
    dhcp_ask(&g, 1, 0);
    rig_until(g.udps == 1);
    assert_int_equal(get32(g.udp.bytes + 16), address("192.168.77.50"));
    assert_true(dhcp_says(&g, 3, router, 4) && dhcp_says(&g, 6, dns, 4));
    assert_true(dhcp_says(&g, 12, "wombat", 6) && dhcp_says(&g, 15, "example.org", 11));
    assert_string_equal((char *)g.udp.bytes + 108, "pxelinux.0");
    guest_ping(&g, address("192.168.77.1"));
    rig_until(g.pings == 1);
}

static void the_host_answers_arp_and_echo(void **state)
{
    const uint8_t none[NET_MAC_LEN] = {0};
    (void)state;
    open_plain();
    guest_arp(&g, 1, address(HOST), NULL);
    rig_until(g.arp_answers == 1);
    assert_memory_not_equal(g.arp_answer, none, NET_MAC_LEN);
    for (unsigned i = 0; i < 100; i++)
        guest_ping(&g, address(HOST));
    rig_until(g.pings == 100);
    struct net_stats s = stats();
    assert_int_equal(s.tx_errors + s.tx_dropped + s.rx_dropped + s.rx_errors, 0);
    assert_true(s.rx_frames >= 101);
}

/* A resolver of ours, in a mount namespace in which resolv.conf names it. Where that can't be had
 * there is nothing to test. */
static void dns_goes_to_the_hosts_resolver(void **state)
{
    static const uint8_t query[] = "\x12\x34\x01\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\1";
    struct sockaddr_in sa = {.sin_family = AF_INET,
                             .sin_port = htons(53),
                             .sin_addr = {inet_addr("127.0.77.53")}},
                       from;
    socklen_t len = sizeof(from);
    char path[64];
    uint8_t got[512];
    ssize_t n = -1;
    (void)state;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    snprintf(path, sizeof(path), "%s/resolv.conf", folder);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    assert_int_equal(write(file, "nameserver 127.0.77.53\n", 23), 23);
    close(file);
    if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) || unshare(CLONE_NEWNS) ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount(path, "/etc/resolv.conf", NULL, MS_BIND, NULL)) {
        print_message("no mounts, or no port 53: %s\n", strerror(errno));
        close(fd);
        skip();
    }
    open_plain();
    guest_udp(&g, address("10.0.2.3"), 53, 5353, query, sizeof(query));
    rig_until((n = recvfrom(fd, got, sizeof(got), 0, (struct sockaddr *)&from, &len)) >= 0);
    umount2("/etc/resolv.conf", MNT_DETACH);
    assert_int_equal(n, sizeof(query));
    assert_memory_equal(got, query, sizeof(query));
    assert_int_equal(sendto(fd, "answer", 6, 0, (struct sockaddr *)&from, len), 6);
    rig_until(g.udps == 1);
    assert_int_equal(g.udp.from, address("10.0.2.3"));
    assert_int_equal(g.udp.port, 5353);
    assert_memory_equal(g.udp.bytes, "answer", 6);
    close(fd);
}

/* ---- TFTP ---- */

static void write_file(const char *name, size_t len)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (size_t i = 0; i < len; i++)
        fputc(pattern(i), f);
    fclose(f);
}

static void tftp_ask(const char *name)
{
    uint8_t p[128] = {0, 1};
    size_t len = strlen(name);
    memcpy(p + 2, name, len);
    memcpy(p + 3 + len, "octet", 5);
    guest_udp(&g, address(HOST), 69, 2069, p, len + 9);
}

/* How many bytes came; -1: it is refused. */
static long tftp_get(const char *name)
{
    long at = 0;
    tftp_ask(name);
    for (unsigned block = 1;; block++) {
        unsigned before = g.udps;
        rig_until(g.udps > before);
        if (get16(g.udp.bytes) == 5)
            return -1;
        assert_int_equal(get16(g.udp.bytes), 3);
        assert_int_equal(get16(g.udp.bytes + 2), block);
        for (size_t i = 4; i < g.udp.len; i++, at++)
            assert_int_equal(g.udp.bytes[i], pattern((uint64_t)at));
        bool last = g.udp.len < 516;
        uint8_t ack[4] = {0, 4};
        put16(ack + 2, block);
        guest_udp(&g, address(HOST), g.udp.from_port, 2069, ack, sizeof(ack));
        if (last)
            return at;
    }
}

static void tftp_serves_the_folder_and_no_more(void **state)
{
    struct netdev_config config = user_config();
    char link[128], target[128], sub[128];
    (void)state;
    write_file("kernel", 5000);
    write_file("even", 1024);
    write_file("secret.outside", 10);
    snprintf(sub, sizeof(sub), "%s/sub", folder);
    mkdir(sub, 0755);
    write_file("sub/file", 700);
    snprintf(link, sizeof(link), "%s/sub/link", folder);
    snprintf(target, sizeof(target), "%s/secret.outside", folder);
    assert_int_equal(symlink(target, link), 0);
    config.tftp = folder;
    open_user(&config, "10.0.2.15");
    assert_int_equal(tftp_get("kernel"), 5000);
    assert_int_equal(tftp_get("/even"), 1024);
    assert_int_equal(tftp_get("sub/file"), 700);
    assert_int_equal(tftp_get("none"), -1);
    assert_int_equal(tftp_get("../etc/passwd"), -1);
    teardown(NULL);
    setup(NULL);
    /* A link that leads out of the folder leads nowhere. */
    config.tftp = sub;
    open_user(&config, "10.0.2.15");
    assert_int_equal(tftp_get("file"), 700);
    assert_int_equal(tftp_get("link"), -1);
}

static void without_a_folder_there_is_no_tftp(void **state)
{
    (void)state;
    open_plain();
    tftp_ask("/etc/passwd");
    guest_ping(&g, address(HOST));
    rig_until(g.pings == 1);
    assert_true(!g.udps || get16(g.udp.bytes) == 5);
}

/* ---- Connections ---- */

static void tcp_from_the_guest(void **state)
{
    uint16_t port;
    uint64_t got = 0, sent = 0;
    (void)state;
    int listener = local_socket(SOCK_STREAM, &port);
    size_t size = 400000;
    uint8_t *out = malloc(size);
    for (size_t i = 0; i < size; i++)
        out[i] = pattern(i);
    open_plain();
    tcp_connect(&g, address(HOST), port);
    int fd = accept_one(listener);
    rig_until(g.tcp.established);
    g.tcp.out = out;
    g.tcp.out_len = size;
    tcp_push(&g);
    rig_until((receive_pattern(fd, &got), got == size));
    rig_until((send_pattern(fd, &sent, 2000000), g.tcp.in_len == 2000000));
    assert_int_equal(g.tcp.wrong, 0);
    shutdown(fd, SHUT_WR);
    rig_until(g.tcp.fin);
    tcp_close(&g);
    char byte;
    rig_until(recv(fd, &byte, 1, 0) == 0);
    close(fd);
    close(listener);
    free(out);
}

static void tcp_to_nobody_is_refused(void **state)
{
    (void)state;
    open_plain();
    tcp_connect(&g, address(HOST), free_port(SOCK_STREAM));
    rig_until(g.tcp.reset);
}

static void udp_from_the_guest(void **state)
{
    uint16_t port;
    struct sockaddr_in from;
    socklen_t len = sizeof(from);
    char got[64];
    (void)state;
    int fd = local_socket(SOCK_DGRAM, &port);
    open_plain();
    guest_udp(&g, address(HOST), port, 7777, "hello", 5);
    rig_until(recvfrom(fd, got, sizeof(got), 0, (struct sockaddr *)&from, &len) == 5);
    assert_memory_equal(got, "hello", 5);
    assert_int_equal(sendto(fd, "world", 5, 0, (struct sockaddr *)&from, len), 5);
    rig_until(g.udps == 1);
    assert_int_equal(g.udp.port, 7777);
    assert_int_equal(g.udp.from, address(HOST));
    assert_memory_equal(g.udp.bytes, "world", 5);
    close(fd);
}

static struct netdev_config forwarding(uint16_t tcp, uint16_t udp)
{
    struct netdev_config config = user_config();
    config.forwards[0] = (struct netdev_forward){
        .host = {htonl(INADDR_LOOPBACK)}, .host_port = tcp, .guest_port = 22};
    config.forwards[1] = (struct netdev_forward){.udp = true,
                                                 .host = {htonl(INADDR_LOOPBACK)},
                                                 .guest = {inet_addr("10.0.2.15")},
                                                 .host_port = udp,
                                                 .guest_port = 161};
    config.forward_count = 2;
    return config;
}

static void exchange_over_tcp(uint16_t port)
{
    uint64_t got = 0, sent = 0;
    uint8_t out[3000];
    g.tcp = (struct guest_tcp){.port = 22};
    int fd = host_connect(port);
    rig_until(g.tcp.established);
    rig_until((send_pattern(fd, &sent, 100000), g.tcp.in_len == 100000));
    assert_int_equal(g.tcp.wrong, 0);
    for (size_t i = 0; i < sizeof(out); i++)
        out[i] = pattern(i);
    g.tcp.out = out;
    g.tcp.out_len = sizeof(out);
    tcp_push(&g);
    rig_until((receive_pattern(fd, &got), got == sizeof(out)));
    g.tcp.out_len = 0;
    close(fd);
}

/* A datagram to the guest; the socket that an answer comes to. */
static int send_to_guest(uint16_t port)
{
    struct sockaddr_in sa = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    uint16_t any;
    int fd = local_socket(SOCK_DGRAM, &any);
    unsigned before = g.udps;
    assert_int_equal(sendto(fd, "get", 3, 0, (struct sockaddr *)&sa, sizeof(sa)), 3);
    rig_until(g.udps > before && g.udp.port == 161);
    assert_memory_equal(g.udp.bytes, "get", 3);
    return fd;
}

static void forwards_lead_to_the_guest(void **state)
{
    uint16_t tcp = free_port(SOCK_STREAM), udp = free_port(SOCK_DGRAM);
    struct netdev_config config = forwarding(tcp, udp);
    (void)state;
    char byte[8];
    open_user(&config, "10.0.2.15");
    exchange_over_tcp(tcp);
    int fd = send_to_guest(udp);
    guest_udp(&g, g.udp.from, g.udp.from_port, 161, "reply", 5);
    rig_until(recv(fd, byte, sizeof(byte), 0) == 5);
    assert_memory_equal(byte, "reply", 5);
    close(fd);
}

/* No way out, neither in libslirp nor through the filter; but what was let in still works. (Of UDP
 * it is the way in alone: libslirp takes no restricted guest's datagram but for its own services.)
 */
static void a_restricted_guest_gets_nowhere(void **state)
{
    uint16_t tcp = free_port(SOCK_STREAM), udp = free_port(SOCK_DGRAM), port, udp_port;
    struct netdev_config config = forwarding(tcp, udp);
    char byte;
    (void)state;
    int listener = local_socket(SOCK_STREAM, &port), receiver = local_socket(SOCK_DGRAM, &udp_port);
    config.restricted = true;
    open_user(&config, "10.0.2.15");
    tcp_connect(&g, address(HOST), port);
    guest_udp(&g, address(HOST), udp_port, 7777, "x", 1);
    dhcp_ask(&g, 1, 0);
    rig_until(g.udps == 1);
    guest_ping(&g, address(HOST));
    dhcp_ask(&g, 1, 0);
    rig_until(g.udps == 2);
    assert_false(g.tcp.established);
    assert_int_equal(accept(listener, NULL, NULL), -1);
    assert_int_equal(recv(receiver, &byte, 1, 0), -1);
    exchange_over_tcp(tcp);
    close(send_to_guest(udp));
    close(listener);
    close(receiver);
}

/* A guest that takes nothing stops who sends to it, on the host. */
static void a_slow_guest_stops_its_peer(void **state)
{
    uint16_t port;
    uint64_t sent = 0, size = 32 << 20;
    (void)state;
    int listener = local_socket(SOCK_STREAM, &port);
    open_plain();
    tcp_connect(&g, address(HOST), port);
    int fd = accept_one(listener);
    rig_until(g.tcp.established);
    g.full = true;
    uint64_t before = 0;
    rig_until((send_pattern(fd, &sent, size), stats().rx_waiting));
    for (unsigned same = 0; same < 100; same = before == sent ? same + 1 : 0) {
        before = sent;
        send_pattern(fd, &sent, size);
        loop_turn(rig_loop, 1000000);
    }
    assert_true(sent < size);
    g.full = false;
    net_ready(net);
    rig_until((send_pattern(fd, &sent, size), g.tcp.in_len == size));
    assert_int_equal(g.tcp.wrong, 0);
    close(fd);
    close(listener);
}

/* Bytes that wait in a UNIX socket. */
static int socket_room(void)
{
    int bytes = 0, fd = socket(AF_UNIX, SOCK_STREAM, 0);
    socklen_t len = sizeof(bytes);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, &len), 0);
    close(fd);
    return bytes;
}

/* More answers than there is room for anywhere: each arrives, or is counted. */
static void what_is_lost_on_the_way_is_counted(void **state)
{
    enum { ECHOES = 2000, SIZE = 1400 };
    uint8_t echo[SIZE] = {8};
    (void)state;
    open_plain();
    put16(echo + 2, fold(sum(echo, SIZE, 0)));
    guest_ping(&g, address(HOST));
    rig_until(g.pings == 1);
    uint64_t before = g.frames, sent = stats().tx_frames;
    g.full = true;
    for (unsigned i = 0; i < ECHOES; i++) {
        guest_ip(&g, address(HOST), 1, echo, SIZE);
        rig_until(g.count < GUEST_QUEUE / 2);
    }
    rig_until(stats().tx_frames - sent == ECHOES);
    g.full = false;
    net_ready(net);
    rig_until(g.frames - before + stats().rx_stale == ECHOES);
    if (socket_room() < ECHOES * SIZE / 4) /* else this host has room for all */
        assert_in_range(stats().rx_stale, 1, ECHOES - 256);
    guest_ping(&g, address(HOST));
    rig_until(g.pings == 2);
}

/* ---- The process ---- */

static void its_process_has_no_rights(void **state)
{
    char path[64], target[256];
    unsigned count = 0, names = 0;
    struct dirent *e;
    struct stat st;
    (void)state;
    open_plain();
    pid_t pid = process_of(getpid());
    assert_true(pid > 0);
    assert_true(status_says(pid, "CapPrm:\t0000000000000000"));
    assert_true(status_says(pid, "CapEff:\t0000000000000000"));
    assert_true(status_says(pid, "NoNewPrivs:\t1"));
    assert_true(status_says(pid, "Seccomp:\t2"));
    if (geteuid()) {
        print_message("not root: its descriptors and its root are out of sight\n");
        return;
    }
    assert_true(status_says(pid, "Uid:\t65534\t65534\t65534\t65534"));
    snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    DIR *d = opendir(path);
    assert_non_null(d);
    while ((e = readdir(d))) {
        if (e->d_name[0] == '.')
            continue;
        int fd = atoi(e->d_name);
        snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
        ssize_t n = readlink(path, target, sizeof(target) - 1);
        target[n > 0 ? n : 0] = '\0';
        if (fd < 2)
            assert_string_equal(target, "/dev/null");
        else if (fd == 3)
            assert_int_equal(strncmp(target, "socket:", 7), 0);
        count++;
    }
    closedir(d);
    assert_int_equal(count, 4);
    snprintf(path, sizeof(path), "/proc/%d/root/", (int)pid);
    d = opendir(path);
    assert_non_null(d);
    while ((e = readdir(d)))
        if (e->d_name[0] != '.') {
            assert_string_equal(e->d_name, "etc");
            names++;
        }
    closedir(d);
    assert_int_equal(names, 1);
    snprintf(path, sizeof(path), "/proc/%d/root/etc/passwd", (int)pid);
    assert_int_equal(stat(path, &st), -1);
}

static long switches(pid_t pid)
{
    char text[4096];
    const char *at = read_proc(pid, "status", text, sizeof(text))
                         ? strstr(text, "\nvoluntary_ctxt_switches:")
                         : NULL;
    return at ? atol(at + 25) : -1;
}

/* With nothing to do it sleeps, for at least a second. */
static void an_idle_network_sleeps(void **state)
{
    (void)state;
    struct netdev_config config = forwarding(free_port(SOCK_STREAM), free_port(SOCK_DGRAM));
    open_user(&config, "10.0.2.15");
    guest_ping(&g, address(HOST));
    rig_until(g.pings == 1);
    pid_t pid = process_of(getpid());
    for (unsigned tries = 0; tries < 10; tries++) {
        long before = switches(pid);
        assert_true(before >= 0);
        poll(NULL, 0, 1000);
        if (switches(pid) == before)
            return;
    }
    fail_msg("it wakes up all the time");
}

static void its_end_is_survived(void **state)
{
    char text[256];
    (void)state;
    open_plain();
    pid_t pid = process_of(getpid());
    kill(pid, SIGKILL);
    rig_until(gone(pid));
    rig_settle();
    for (unsigned i = 0; i < 5; i++)
        guest_ping(&g, address(HOST));
    rig_until(stats().tx_errors == 5);
    assert_false(stats().tx_waiting);
    net_describe(net, text, sizeof(text));
    assert_non_null(strstr(text, "has ended"));
    assert_int_equal(process_of(getpid()), 0);
}

static void it_ends_with_us(void **state)
{
    (void)state;
    open_plain();
    pid_t pid = process_of(getpid());
    assert_true(pid > 0);
    teardown(NULL);
    rig_loop = loop_new(&rig_err);
    rig_until(gone(pid)); /* its socket is closed a little before */
}

static void it_ends_when_we_are_killed(void **state)
{
    int told[2];
    pid_t pid = 0;
    (void)state;
    assert_int_equal(pipe(told), 0);
    pid_t parent = fork();
    if (!parent) {
        open_plain();
        pid = process_of(getpid());
        if (write(told[1], &pid, sizeof(pid)) == sizeof(pid))
            pause();
        _exit(1);
    }
    assert_int_equal(read(told[0], &pid, sizeof(pid)), sizeof(pid));
    assert_true(pid > 0 && !gone(pid));
    kill(parent, SIGKILL);
    waitpid(parent, NULL, 0);
    rig_until(gone(pid));
    close(told[0]);
    close(told[1]);
}

/* What no guest with good manners sends. */
static void rubbish_does_no_harm(void **state)
{
    uint8_t p[1500];
    uint32_t seed = 12345;
    (void)state;
    open_plain();
    for (unsigned i = 0; i < 20000; i++) {
        size_t len = 20 + (seed >> 16) % (sizeof(p) - 20);
        for (size_t k = 0; k < 60; k++)
            p[k] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
        p[0] = i % 3 ? 0x45 : p[0];
        p[9] = (uint8_t[]){1, 6, 17, 2}[i % 4];
        put32(p + 12, address("10.0.2.15"));
        put32(p + 16, i % 5 ? address(HOST) : get32(p + 16) | 0xF0000000);
        if (i % 2)
            put16(p + 2, (unsigned)len);
        put16(p + 10, 0);
        put16(p + 10, fold(sum(p, 20, 0)));
        guest_queue(&g, p, len, i % 11 ? IP_TYPE : i % 2 ? ARP_TYPE : 0x86DD);
        if (i % 64 == 0)
            rig_settle();
    }
    rig_until(!g.count);
    guest_ping(&g, address(HOST));
    rig_until(g.pings == 1);
}

static void frames_beyond_the_mtu_are_counted(void **state)
{
    static uint8_t frame[9014];
    (void)state;
    open_plain();
    rig_frame(frame, sizeof(frame), 0);
    net_send(net, frame, 1519, NULL);
    net_send(net, frame, sizeof(frame), NULL);
    assert_int_equal(stats().tx_errors, 2);
    guest_ping(&g, address(HOST));
    rig_until(g.pings == 1);
}

/* ---- Refusals ---- */

static void refused(const char *part, struct netdev_config *config)
{
    wire_refused(part, config);
    rig_until(process_of(getpid()) == 0);
}

static void bad_configurations_are_refused(void **state)
{
    char name[300];
    uint16_t port;
    struct netdev_config c = user_config();
    (void)state;
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    c.host.s_addr = inet_addr("10.0.3.2");
    refused("host=10.0.3.2 is no host's address in net=", &c);
    c = user_config();
    c.dns.s_addr = inet_addr("10.0.2.255");
    refused("dns=10.0.2.255", &c);
    c = user_config();
    c.dhcp_start.s_addr = inet_addr("10.0.2.3");
    refused("three addresses", &c);
    c = user_config();
    c.netmask.s_addr = inet_addr("255.0.255.0");
    refused("a network's mask", &c);
    c = user_config();
    c.no_ipv4 = true;
    refused("leave nothing", &c);
    c = user_config();
    c.hostname = name;
    refused("hostname= has 1 to 32", &c);
    c = user_config();
    c.domain = name;
    refused("domainname= has 1 to 255", &c);
    c = user_config();
    c.bootfile = name;
    refused("bootfile= has 1 to 127", &c);
    c = user_config();
    c.tftp = (char *)"/nonexistent";
    refused("tftp=/nonexistent: No such file", &c);
    c.tftp = (char *)"/dev/null";
    refused("is no folder", &c);
    c.tftp = (char *)"/";
    refused("all of the host's files", &c);
    c = user_config();
    int fd = local_socket(SOCK_STREAM, &port);
    c.forwards[0] = (struct netdev_forward){
        .host = {htonl(INADDR_LOOPBACK)}, .host_port = port, .guest_port = 22};
    c.forward_count = 1;
    snprintf(name, sizeof(name), "hostfwd=tcp:127.0.0.1:%u-0.0.0.0:22: Address already in use",
             port);
    refused(name, &c);
    close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(dhcp_gives_an_address),
        TEST(dhcp_gives_what_was_asked_for),
        TEST(the_host_answers_arp_and_echo),
        TEST(dns_goes_to_the_hosts_resolver),
        TEST(tftp_serves_the_folder_and_no_more),
        TEST(without_a_folder_there_is_no_tftp),
        TEST(tcp_from_the_guest),
        TEST(tcp_to_nobody_is_refused),
        TEST(udp_from_the_guest),
        TEST(forwards_lead_to_the_guest),
        TEST(a_restricted_guest_gets_nowhere),
        TEST(a_slow_guest_stops_its_peer),
        TEST(what_is_lost_on_the_way_is_counted),
        TEST(its_process_has_no_rights),
        TEST(an_idle_network_sleeps),
        TEST(its_end_is_survived),
        TEST(it_ends_with_us),
        TEST(it_ends_when_we_are_killed),
        TEST(rubbish_does_no_harm),
        TEST(frames_beyond_the_mtu_are_counted),
        TEST(bad_configurations_are_refused),
    };
    signal(SIGPIPE, SIG_IGN);
    if (!mkdtemp(folder) || chmod(folder, 0755))
        return 1;
    int rc = cmocka_run_group_tests_name("net_user", tests, NULL, NULL);
    char command[128];
    snprintf(command, sizeof(command), "rm -r %s", folder);
    return system(command) ? 1 : rc;
}
