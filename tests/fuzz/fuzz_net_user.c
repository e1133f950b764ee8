/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_net_user: a hostile guest of the user-mode network, and hosts that it talks to or that call
 * it. The process' work (user_slirp.c with libslirp) runs here, on one thread: each of its poll(2)s
 * is the time for the next operation; the host's network is this file, by the system calls that
 * libslirp makes. What comes back to the guest is whole frames, and with restrict=on nothing that
 * it sends opens a socket.
 *
 * u8 kind (bit 0: restrict=on, 1: ipv6=on, 2: ipv4=off, 3: tftp=), then operations, a byte each.
 * Checksums and lengths of what is not OP_RAW are right, and TCP's numbers are those of the
 * connection, so that packets get further than a parser's first look.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "hw/core/err.h"
#include "net/net.h"
#include "net/netdev.h"
#include "net/stream.h"
#include "net/user_slirp.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/net_bytes.h"

enum {
    OP_RAW,     /* u8 bytes of the byte stream itself */
    OP_FRAME,   /* u8 type, u8 length: an Ethernet frame */
    OP_ARP,     /* u8: request or reply, as the guest's address or another */
    OP_IP,      /* u8 destination, u8 protocol, u8 length */
    OP_UDP,     /* u8 destination, u8 port, u8 length */
    OP_TCP,     /* u8 destination, u8 connection, u8 flags, u8 length */
    OP_ICMP6,   /* u8 destination, u8 type, u8 length */
    OP_DHCP,    /* u8 message, u8 length of options that follow */
    OP_TFTP,    /* u8 operation, u8 length */
    OP_DAMAGE,  /* u8 where, u8 with what: the last frame again */
    OP_TIME,    /* u16 ms */
    OP_STUCK,   /* the main process reads nothing from now on, or again */
    OP_CALL,    /* a host connects to a forward */
    OP_SAY,     /* u8 which, u8 length: a host says something */
    OP_HANG_UP, /* u8 which */
    OP_LISTEN,  /* u8 which: a host reads what it was sent */
    OPS
};

enum { HOSTS = 16, CONNECTIONS = 4, ROOM = 2048, LARGEST = 1518, FORWARD = 2222, CALLED = 22 };

static const uint8_t guest_mac[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};
static const uint8_t network_mac[6] = {0x52, 0x55, 0x0A, 0x00, 0x02, 0x02};

static struct {
    struct fuzz_input in;
    bool active, stuck;
    bool shut;           /* restrict=on, and the forwards are open */
    unsigned turns_left; /* when the input is over */
    int guest;           /* the main process' end */
    int hosts[HOSTS];
    unsigned host_count;
    uint64_t now; /* ms */
    uint8_t frame[ROOM];
    size_t frame_len;
    struct {
        uint32_t seq, ack;
    } tcp[CONNECTIONS];
    uint8_t got[1 << 20];
    size_t got_len;
} r;

/* libslirp 4.7 keeps one packet that waited when it was ended, in memory from GLib; we take none
 * from there but strings of its own. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_options(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:g_malloc";
}
const char *__lsan_default_options(void)
{
    return "print_suppressions=0";
}

/* ---- The host's network ---- */

int __real_poll(struct pollfd *fds, nfds_t n, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout);
int __real_clock_gettime(clockid_t id, struct timespec *t);
int __wrap_clock_gettime(clockid_t id, struct timespec *t);

/* A socket whose other end is a host that does as the input says; -1: there are too many. */
static int host_socket(int type)
{
    int pair[2];
    if (r.host_count == HOSTS || socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair)) {
        errno = EMFILE;
        return -1;
    }
    r.hosts[r.host_count++] = pair[1];
    return pair[0];
}

static void local_address(struct sockaddr *address, socklen_t *len)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(FORWARD)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (address && *len >= sizeof(a)) {
        memcpy(address, &a, sizeof(a));
        *len = sizeof(a);
    }
}

int socket(int domain, int type, int protocol)
{
    fuzz_assert(!r.shut || domain == AF_UNIX);
    if (r.active && domain != AF_UNIX)
        return host_socket(type & (SOCK_STREAM | SOCK_DGRAM) ? type : SOCK_DGRAM);
    return (int)syscall(SYS_socket, domain, type, protocol);
}

int bind(int fd, const struct sockaddr *address, socklen_t len)
{
    return r.active ? 0 : (int)syscall(SYS_bind, fd, address, len);
}

int listen(int fd, int backlog)
{
    return r.active ? 0 : (int)syscall(SYS_listen, fd, backlog);
}

int connect(int fd, const struct sockaddr *address, socklen_t len)
{
    return r.active ? 0 : (int)syscall(SYS_connect, fd, address, len);
}

int getsockname(int fd, struct sockaddr *restrict address, socklen_t *restrict len)
{
    if (!r.active)
        return (int)syscall(SYS_getsockname, fd, address, len);
    local_address(address, len);
    return 0;
}

int accept(int fd, struct sockaddr *restrict address, socklen_t *restrict len)
{
    char byte;
    if (!r.active)
        return (int)syscall(SYS_accept, fd, address, len);
    (void)!recv(fd, &byte, 1, MSG_DONTWAIT);
    local_address(address, len);
    return host_socket(SOCK_STREAM);
}

ssize_t sendto(int fd, const void *buf, size_t len, int flags, const struct sockaddr *address,
               socklen_t address_len)
{
    if (r.active)
        return send(fd, buf, len, flags | MSG_DONTWAIT | MSG_NOSIGNAL);
    return syscall(SYS_sendto, fd, buf, len, flags, address, address_len);
}

ssize_t recvfrom(int fd, void *restrict buf, size_t len, int flags,
                 struct sockaddr *restrict address, socklen_t *restrict address_len)
{
    if (!r.active)
        return syscall(SYS_recvfrom, fd, buf, len, flags, address, address_len);
    local_address(address, address_len);
    return recv(fd, buf, len, flags | MSG_DONTWAIT);
}

/* Asked for errors alone: there are none. */
ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    if (!r.active)
        return syscall(SYS_recvmsg, fd, message, flags);
    errno = EAGAIN;
    return -1;
}

int __wrap_clock_gettime(clockid_t id, struct timespec *t)
{
    if (!r.active)
        return __real_clock_gettime(id, t);
    *t = (struct timespec){.tv_sec = (time_t)(r.now / 1000),
                           .tv_nsec = (long)(r.now % 1000) * 1000000};
    return 0;
}

/* ---- What comes back ---- */

/* A TCP segment for the guest: what its next one on that connection says. */
static void follow(const uint8_t *frame, size_t len)
{
    const uint8_t *tcp = frame + 14 + 20;
    if (len < 14 + 20 + 20 || frame[12] != 8 || frame[13] || frame[14] != 0x45 ||
        frame[14 + 9] != IPPROTO_TCP)
        return;
    const size_t total = (size_t)frame[16] << 8 | frame[17],
                 header = 20 + (size_t)(tcp[12] >> 4) * 4;
    const unsigned which = tcp[3] % CONNECTIONS;
    if (total < header)
        return;
    r.tcp[which].ack =
        get32(tcp + 4) + (uint32_t)(total - header) + (tcp[13] & 2 ? 1 : 0) + (tcp[13] & 1);
    if (tcp[13] & 0x10)
        r.tcp[which].seq = get32(tcp + 8);
}

static void read_back(void)
{
    ssize_t n;
    while (!r.stuck &&
           (n = recv(r.guest, r.got + r.got_len, sizeof(r.got) - r.got_len, MSG_DONTWAIT)) > 0) {
        size_t at = 0;
        r.got_len += (size_t)n;
        while (r.got_len - at >= STREAM_PREFIX) {
            const size_t len = get32(r.got + at);
            fuzz_assert(len == USER_NOTE_LEN || (len >= NET_HEADER_LEN && len <= 1536));
            if (r.got_len - at - STREAM_PREFIX < len)
                break;
            follow(r.got + at + STREAM_PREFIX, len);
            at += STREAM_PREFIX + len;
        }
        memmove(r.got, r.got + at, r.got_len - at);
        r.got_len -= at;
    }
}

/* ---- What the guest sends ---- */

static void send_frame(void)
{
    uint8_t prefixed[STREAM_PREFIX + LARGEST];
    if (r.frame_len > LARGEST) /* as net/user.c has it */
        r.frame_len = LARGEST;
    put32(prefixed, (uint32_t)r.frame_len);
    memcpy(prefixed + STREAM_PREFIX, r.frame, r.frame_len);
    (void)!send(r.guest, prefixed, STREAM_PREFIX + r.frame_len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void ethernet(unsigned type)
{
    memcpy(r.frame, network_mac, 6);
    memcpy(r.frame + 6, guest_mac, 6);
    put16(r.frame + 12, type);
}

/* So many bytes of the input, or from C0h on 23 of a pattern for each. */
static size_t payload(uint8_t *to, size_t len)
{
    size_t got;
    if (len >= 0xC0) {
        len = (len - 0xC0) * 23;
        memset(to, 'p', len);
        return len;
    }
    const uint8_t *from = fuzz_take_bytes(&r.in, len, &got);
    memcpy(to, from, got);
    return got;
}

static uint32_t destination(unsigned which)
{
    static const uint32_t to[] = {0x0A000202, 0x0A000203, 0x0A00020F, 0x0A0002FF, 0xFFFFFFFF,
                                  0xC0A80101, 0x7F000001, 0x0A000204, 0xE0000001, 0};
    return to[which % (sizeof(to) / sizeof(to[0]))];
}

/* `len` bytes of protocol are at their place; their checksum is to be at `sum_at`, or nowhere (0).
 */
static void send_ip(unsigned which, unsigned protocol, size_t len, size_t sum_at)
{
    uint8_t *ip = r.frame + 14, *data = ip + 20;
    ethernet(0x0800);
    memset(ip, 0, 20);
    ip[0] = 0x45;
    put16(ip + 2, (unsigned)(20 + len));
    ip[8] = which & 0x80 ? 1 : 64;
    ip[9] = (uint8_t)protocol;
    put32(ip + 12, which & 0x40 ? 0 : 0x0A00020F);
    put32(ip + 16, destination(which & 0x3F));
    put16(ip + 10, fold(sum(ip, 20, 0)));
    if (sum_at) {
        put16(data + sum_at, 0);
        const uint32_t pseudo =
            protocol == IPPROTO_ICMP ? 0 : sum(ip + 12, 8, protocol + (uint32_t)len);
        put16(data + sum_at, fold(sum(data, len, pseudo)));
    }
    r.frame_len = 14 + 20 + len;
    send_frame();
}

static void send_ip6(unsigned which, unsigned next, size_t len, size_t sum_at)
{
    static const char *const to[] = {"fec0::2",        "fec0::3",     "ff02::1",  "ff02::2",
                                     "ff02::1:ff00:2", "2001:db8::1", "ff02::1:2"};
    uint8_t *ip = r.frame + 14, *data = ip + 40;
    ethernet(0x86DD);
    memset(ip, 0, 40);
    ip[0] = 0x60;
    put16(ip + 4, (unsigned)len);
    ip[6] = (uint8_t)next;
    ip[7] = 255;
    inet_pton(AF_INET6, which & 0x80 ? "::" : "fec0::15", ip + 8);
    inet_pton(AF_INET6, to[(which & 0x7F) % 7], ip + 24);
    put16(data + sum_at, 0);
    put16(data + sum_at, fold(sum(ip + 8, 32, next + (uint32_t)len) % 0xFFFF + sum(data, len, 0)));
    r.frame_len = 14 + 40 + len;
    send_frame();
}

static void udp(unsigned which, unsigned from, unsigned to, size_t len, uint8_t *at)
{
    put16(at, from);
    put16(at + 2, to);
    put16(at + 4, (unsigned)(8 + len));
    if (which & 0x20)
        send_ip6(which & 0xDF, IPPROTO_UDP, 8 + len, 6);
    else
        send_ip(which, IPPROTO_UDP, 8 + len, 6);
}

/* Where the transport's header is. */
static uint8_t *transport(unsigned which)
{
    return r.frame + 14 + (which & 0x20 ? 40 : 20);
}

static void op_udp(void)
{
    static const uint16_t ports[] = {67, 69, 53, 7, 547, 5353, 1900, 65535};
    const unsigned which = (unsigned)fuzz_take(&r.in, 1), port = (unsigned)fuzz_take(&r.in, 1);
    uint8_t *at = transport(which);
    udp(which, 1024 + (port >> 3), ports[port & 7], payload(at + 8, fuzz_take(&r.in, 1)), at);
}

static void op_tcp(void)
{
    const unsigned which = (unsigned)fuzz_take(&r.in, 1), c = (unsigned)fuzz_take(&r.in, 1);
    const unsigned flags = (unsigned)fuzz_take(&r.in, 1);
    uint8_t *at = transport(which);
    size_t header = 20, len = fuzz_take(&r.in, 1);
    memset(at, 0, 60);
    put16(at, c & 0x80 ? CALLED : 0x400 * (1 + c % CONNECTIONS) + c % CONNECTIONS);
    put16(at + 2, c & 0x80 ? FORWARD : 80 + (c >> 4));
    put32(at + 4, r.tcp[c % CONNECTIONS].seq + (c & 0x40 ? (uint32_t)(int8_t)len * 64 : 0));
    put32(at + 8, r.tcp[c % CONNECTIONS].ack);
    at[13] = (uint8_t)(flags & 0x3F);
    put16(at + 14, flags & 0x80 ? (unsigned)len : 0xFFFF);
    if (flags & 0x40) { /* options of the input's */
        header = 20 + (len & 10) * 4;
        payload(at + 20, header - 20);
    }
    at[12] = (uint8_t)(header / 4 << 4);
    const size_t data = payload(at + header, len);
    if (which & 0x20)
        send_ip6(which & 0xDF, IPPROTO_TCP, header + data, 16);
    else
        send_ip(which, IPPROTO_TCP, header + data, 16);
    r.tcp[c % CONNECTIONS].seq += (uint32_t)data + (flags & 2 ? 1 : 0) + (flags & 1);
}

static void op_dhcp(void)
{
    uint8_t *at = transport(0), *p = at + 8;
    const unsigned message = (unsigned)fuzz_take(&r.in, 1);
    memset(p, 0, 300);
    p[0] = p[1] = 1;
    p[2] = 6;
    memcpy(p + 28, guest_mac, 6);
    memcpy(p + 236, "\x63\x82\x53\x63\x35\x01", 6);
    p[242] = (uint8_t)message;
    udp(4 | 0x40, 68, 67, 243 + payload(p + 243, fuzz_take(&r.in, 1)), at);
}

static void op_tftp(void)
{
    uint8_t *at = transport(0), *p = at + 8;
    const unsigned operation = (unsigned)fuzz_take(&r.in, 1);
    put16(p, operation & 7);
    udp(0, 2000 + (operation >> 4), 69, 2 + payload(p + 2, fuzz_take(&r.in, 1)), at);
}

static void op_arp(unsigned how)
{
    uint8_t *p = r.frame + 14;
    ethernet(0x0806);
    memset(p, 0, 46);
    memcpy(p, "\0\1\x08\0\6\4\0", 7);
    p[7] = how & 1 ? 2 : 1;
    memcpy(p + 8, guest_mac, 6);
    put32(p + 14, how & 2 ? 0x0A00020F : destination(how >> 4));
    put32(p + 24, destination(how >> 3));
    r.frame_len = 60;
    send_frame();
}

static void op_frame(void)
{
    static const uint16_t types[] = {0x0800, 0x0806, 0x86DD, 0x88F8, 0x8100, 0x0000};
    ethernet(types[fuzz_take(&r.in, 1) % 6]);
    r.frame_len = 14 + payload(r.frame + 14, fuzz_take(&r.in, 1));
    send_frame();
}

static int host(void)
{
    const unsigned which = (unsigned)fuzz_take(&r.in, 1);
    return r.host_count ? r.hosts[which % r.host_count] : -1;
}

static void op_host(unsigned op)
{
    uint8_t bytes[ROOM];
    const int fd = op == OP_CALL ? r.hosts[0] : host();
    if (op == OP_CALL)
        (void)!send(fd, "c", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    else if (op == OP_SAY)
        (void)!send(fd, bytes, payload(bytes, fuzz_take(&r.in, 1)), MSG_DONTWAIT | MSG_NOSIGNAL);
    else if (op == OP_HANG_UP)
        shutdown(fd, SHUT_RDWR);
    else
        (void)!recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
}

static void operation(void)
{
    uint8_t raw[ROOM];
    size_t len;
    const unsigned op = (unsigned)fuzz_take(&r.in, 1) % OPS;
    switch (op) {
    case OP_RAW:
        len = payload(raw, fuzz_take(&r.in, 1) % 0xC0);
        (void)!send(r.guest, raw, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        break;
    case OP_FRAME:
        op_frame();
        break;
    case OP_ARP:
        op_arp((unsigned)fuzz_take(&r.in, 1));
        break;
    case OP_IP: {
        const unsigned which = (unsigned)fuzz_take(&r.in, 1),
                       protocol = (unsigned)fuzz_take(&r.in, 1);
        len = payload(transport(0), fuzz_take(&r.in, 1));
        send_ip(which, protocol, len, protocol == IPPROTO_ICMP && len >= 4 ? 2 : 0);
        break;
    }
    case OP_UDP:
        op_udp();
        break;
    case OP_TCP:
        op_tcp();
        break;
    case OP_ICMP6: {
        const unsigned which = (unsigned)fuzz_take(&r.in, 1), type = (unsigned)fuzz_take(&r.in, 1);
        uint8_t *p = transport(0x20);
        memset(p, 0, 4);
        p[0] = (uint8_t)type;
        send_ip6(which, IPPROTO_ICMPV6, 4 + payload(p + 4, fuzz_take(&r.in, 1)), 2);
        break;
    }
    case OP_DHCP:
        op_dhcp();
        break;
    case OP_TFTP:
        op_tftp();
        break;
    case OP_DAMAGE:
        len = (size_t)fuzz_take(&r.in, 1);
        if (r.frame_len)
            r.frame[len % r.frame_len] ^= (uint8_t)fuzz_take(&r.in, 1);
        send_frame();
        break;
    case OP_TIME:
        r.now += fuzz_take(&r.in, 2);
        break;
    case OP_STUCK:
        r.stuck = !r.stuck;
        break;
    default:
        if (r.host_count)
            op_host(op);
    }
}

/* The process is about to wait: the world goes on. */
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout)
{
    if (!r.active)
        return __real_poll(fds, n, timeout);
    read_back();
    if (r.in.left) {
        operation();
    } else if (r.turns_left) { /* what waits for an ARP reply is given up */
        r.turns_left--;
        r.now += 2000;
    } else {
        shutdown(r.guest, SHUT_WR);
    }
    r.now++;
    return __real_poll(fds, n, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err;
    int pair[2];
    struct netdev_config config = {
        .kind = NETDEV_USER,
        .forwards = {{.host_port = FORWARD, .guest_port = CALLED},
                     {.udp = true, .host_port = FORWARD, .guest_port = 53}},
        .forward_count = 2,
    };
    memset(&r, 0, offsetof(__typeof__(r), got));
    r.got_len = 0;
    r.in = (struct fuzz_input){data, size};
    const unsigned kind = (unsigned)fuzz_take(&r.in, 1);
    config.restricted = kind & 1;
    config.ipv6 = kind & 2;
    config.no_ipv4 = (kind & 6) == 6;
    if (config.no_ipv4)
        config.forward_count = 0;
    char folder[] = "/etc", file[] = "passwd";
    if (kind & 8) {
        config.tftp = folder;
        config.bootfile = file;
    }
    fuzz_assert(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
    r.guest = pair[0];
    r.now = 1000000;
    r.turns_left = 3;
    r.active = true;
    struct user_slirp *slirp = user_slirp_open(&config, &err);
    fuzz_assert(slirp);
    r.shut = config.restricted;
    user_slirp_serve(slirp, pair[1]);
    r.stuck = false;
    read_back();
    r.active = r.shut = false;
    close(pair[0]);
    close(pair[1]);
    for (unsigned i = 0; i < r.host_count; i++)
        close(r.hosts[i]);
    return 0;
}
