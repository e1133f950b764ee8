/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the lab's guest and dom0 do with their network cards, in one static program. Every byte that
 * is sent is a function of its place and a seed, so that what is lost, doubled, torn or somebody
 * else's is told from what is right.
 *
 *   labnet serve                          answers tcp and udp (dom0), until it is killed
 *   labnet ping IP FIRST LAST             an echo of every size of payload; "PING sent lost wrong"
 *   labnet tcp IP put|get BYTES           one connection; "TCP <bytes> <milliseconds>"
 *   labnet udp IP put|get COUNT SIZE      datagrams as fast as they go; "UDP sent received wrong"
 *   labnet shoot DEV MAC TYPE COUNT       frames of an Ethernet type to that address
 *   labnet count DEV TYPE MS [promisc|multi MAC]   those that arrive in that time: "COUNT n"
 *   labnet ring DEV RX TX                 ring sizes (ETHTOOL_SRINGPARAM), then "RING rx tx"
 *   labnet offload DEV NAME on|off        tso, sg, tx, rx
 *   labnet link DEV                       "LINK 0|1" as the driver says
 *   labnet updown DEV TIMES               interface down and up again
 *   labnet stats DEV                      "STAT name value", also the driver's own
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TCP_PORT 5001
#define UDP_PORT 5002
#define CHUNK    (64u << 10)
#define SHOT_US  20000
#define QUIET_MS 10000 /* so long without a datagram is the end; a busy lab pauses for seconds */

static _Noreturn void die(const char *what)
{
    printf("labnet: %s: %s\n", what, errno ? strerror(errno) : "bad");
    exit(1);
}

static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* `at` is a multiple of 8. */
static void pattern(uint8_t *buf, uint64_t at, size_t len)
{
    for (size_t i = 0; i < len; i += 8) {
        uint64_t v = mix((at + i) / 8);
        memcpy(buf + i, &v, len - i < 8 ? len - i : 8);
    }
}

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static struct sockaddr_in address(const char *ip, unsigned port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (ip && inet_pton(AF_INET, ip, &a.sin_addr) != 1)
        die(ip);
    return a;
}

static bool readable(int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, ms) > 0;
}

/* --- TCP: the client says what it wants in 16 bytes; at the end the receiver tells how much was
 * right --- */

struct order {
    uint64_t put, bytes;
};

static bool all(int fd, void *buf, size_t len, bool out)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = out ? send(fd, (uint8_t *)buf + done, len - done, MSG_NOSIGNAL)
                        : recv(fd, (uint8_t *)buf + done, len - done, 0);
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

static bool give(int fd, uint64_t bytes)
{
    static uint8_t buf[CHUNK];
    for (uint64_t at = 0; at < bytes; at += CHUNK) {
        size_t len = bytes - at < CHUNK ? bytes - at : CHUNK;
        pattern(buf, at, len);
        if (!all(fd, buf, len, true))
            return false;
    }
    return true;
}

/* How many bytes came, all right; false at the first that is wrong. */
static bool take(int fd, uint64_t bytes, uint64_t *good)
{
    static uint8_t buf[CHUNK], want[CHUNK];
    for (*good = 0; *good < bytes; *good += CHUNK) {
        size_t len = bytes - *good < CHUNK ? bytes - *good : CHUNK;
        if (!all(fd, buf, len, false))
            return false;
        pattern(want, *good, len);
        if (memcmp(buf, want, len))
            return false;
    }
    *good = bytes;
    return true;
}

static void serve_tcp(int fd)
{
    struct order o;
    uint64_t good;
    if (!all(fd, &o, sizeof(o), false))
        return;
    if (!o.put) {
        give(fd, o.bytes);
        return;
    }
    take(fd, o.bytes, &good);
    all(fd, &good, sizeof(good), true);
}

static int do_tcp(const char *ip, bool put, uint64_t bytes)
{
    struct sockaddr_in a = address(ip, TCP_PORT);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct order o = {put, bytes};
    uint64_t good = 0, began = now_ms();
    if (connect(fd, (struct sockaddr *)&a, sizeof(a)))
        die("connect");
    if (!all(fd, &o, sizeof(o), true))
        die("order");
    if (put && (!give(fd, bytes) || !all(fd, &good, sizeof(good), false)))
        die("put");
    if (!put && !take(fd, bytes, &good))
        die("get");
    if (good != bytes) {
        printf("labnet: of %llu bytes %llu arrived right\n", (unsigned long long)bytes,
               (unsigned long long)good);
        return 1;
    }
    printf("TCP %llu %llu\n", (unsigned long long)bytes, (unsigned long long)(now_ms() - began));
    return 0;
}

/* --- UDP --- */

enum { ORDER_PUT = 1, ORDER_GET, ORDER_COUNTED, ORDER_DATA };
struct datagram {
    uint32_t kind, number, count, size;
    uint32_t received, wrong; /* ORDER_COUNTED */
};

static void fill(uint8_t *buf, uint32_t number, size_t size)
{
    struct datagram d = {.kind = ORDER_DATA, .number = number, .size = (uint32_t)size};
    memcpy(buf, &d, sizeof(d));
    pattern(buf + sizeof(d), (uint64_t)number << 12, size - sizeof(d));
}

static bool right(const uint8_t *buf, size_t len)
{
    static uint8_t want[65536];
    struct datagram d;
    if (len < sizeof(d))
        return false;
    memcpy(&d, buf, sizeof(d));
    if (d.size != len)
        return false;
    fill(want, d.number, len);
    return !memcmp(buf, want, len);
}

static void shower(int fd, const struct sockaddr_in *to, uint32_t count, uint32_t size)
{
    static uint8_t buf[65536];
    for (uint32_t n = 0; n < count; n++) {
        fill(buf, n, size);
        while (sendto(fd, buf, size, 0, (const struct sockaddr *)to, sizeof(*to)) < 0)
            if (errno == ENOBUFS || errno == EAGAIN)
                usleep(1000);
            else
                die("sendto");
    }
}

static void big_buffer(int fd)
{
    int size = 8 << 20;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
}

/* Until all have come, or none for a while. */
static void gather(int fd, struct datagram *counted)
{
    static uint8_t buf[65536], seen[65536];
    uint32_t strangers = 0, missing = 0;
    memset(seen, 0, sizeof(seen));
    while (counted->received < counted->count && readable(fd, QUIET_MS)) {
        ssize_t n = recv(fd, buf, sizeof(buf), 0);
        struct datagram d = {0};
        if (n >= (ssize_t)sizeof(d))
            memcpy(&d, buf, sizeof(d));
        if (d.kind != ORDER_DATA) {
            strangers++;
            continue;
        }
        if (right(buf, (size_t)n) && d.number < sizeof(seen) && !seen[d.number]) {
            counted->received++;
            seen[d.number] = 1;
        } else {
            counted->wrong++;
        }
    }
    /* For whoever looks for a lost one: dom0's /var/log/labnet.log */
    fprintf(stderr, "%u right, %u wrong, %u of another kind; missing:", counted->received,
            counted->wrong, strangers);
    for (uint32_t i = 0, last = counted->count; i < last && i < sizeof(seen); i++)
        if (!seen[i] && missing++ < 32)
            fprintf(stderr, " %u", i);
    fprintf(stderr, " (%u)\n", missing);
}

static int do_udp(const char *ip, bool put, uint32_t count, uint32_t size)
{
    struct sockaddr_in a = address(ip, UDP_PORT);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct datagram order = {.kind = put ? ORDER_PUT : ORDER_GET, .count = count, .size = size},
                    d = {0};
    big_buffer(fd);
    if (size < sizeof(d) || size > 65000)
        die("size");
    if (sendto(fd, &order, sizeof(order), 0, (struct sockaddr *)&a, sizeof(a)) < 0)
        die("sendto");
    if (put) {
        if (!readable(fd, 5000) || recv(fd, &d, sizeof(d), 0) < 0) /* it is ready */
            die("order");
        shower(fd, &a, count, size);
        if (!readable(fd, 60000) || recv(fd, &d, sizeof(d), 0) != sizeof(d) ||
            d.kind != ORDER_COUNTED)
            die("answer");
    } else {
        d.count = count;
        gather(fd, &d);
    }
    printf("UDP %u %u %u\n", count, d.received, d.wrong);
    return d.wrong != 0;
}

static void serve_udp(int fd)
{
    struct datagram d;
    struct sockaddr_in from;
    socklen_t len = sizeof(from);
    ssize_t n = recvfrom(fd, &d, sizeof(d), 0, (struct sockaddr *)&from, &len);
    if (n != sizeof(d))
        return;
    if (d.kind == ORDER_GET && d.size >= sizeof(d) && d.size <= 65000)
        shower(fd, &from, d.count, d.size);
    if (d.kind == ORDER_PUT) {
        struct datagram counted = {.kind = ORDER_COUNTED, .count = d.count};
        sendto(fd, &counted, sizeof(counted), 0, (struct sockaddr *)&from, len);
        gather(fd, &counted);
        sendto(fd, &counted, sizeof(counted), 0, (struct sockaddr *)&from, len);
    }
}

static int do_serve(void)
{
    int tcp = socket(AF_INET, SOCK_STREAM, 0), udp = socket(AF_INET, SOCK_DGRAM, 0), on = 1;
    struct sockaddr_in t = address(NULL, TCP_PORT), u = address(NULL, UDP_PORT);
    setsockopt(tcp, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    big_buffer(udp);
    if (bind(tcp, (struct sockaddr *)&t, sizeof(t)) || listen(tcp, 8) ||
        bind(udp, (struct sockaddr *)&u, sizeof(u)))
        die("bind");
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        struct pollfd p[2] = {{.fd = tcp, .events = POLLIN}, {.fd = udp, .events = POLLIN}};
        if (poll(p, 2, -1) < 0)
            continue;
        if (p[1].revents)
            serve_udp(udp);
        if (!p[0].revents)
            continue;
        int fd = accept(tcp, NULL, NULL);
        if (fd >= 0 && !fork()) {
            serve_tcp(fd);
            exit(0);
        }
        close(fd);
    }
}

/* --- ping --- */

static uint16_t sum(const uint8_t *p, size_t len)
{
    uint32_t s = 0;
    for (size_t i = 0; i + 1 < len; i += 2)
        s += (uint32_t)(p[i] | p[i + 1] << 8);
    if (len & 1)
        s += p[len - 1];
    while (s >> 16)
        s = (s & 0xffff) + (s >> 16);
    return (uint16_t)~s;
}

static int do_ping(const char *ip, unsigned first, unsigned last)
{
    static uint8_t out[65536], in[65536];
    struct sockaddr_in a = address(ip, 0);
    int fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
    uint16_t id = (uint16_t)getpid();
    unsigned sent = 0, lost = 0, wrong = 0;
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)))
        die("socket");
    for (unsigned size = first; size <= last; size++) {
        struct icmphdr h = {.type = ICMP_ECHO, .un.echo = {id, (uint16_t)size}};
        size_t len = sizeof(h) + size;
        pattern(out + sizeof(h), (uint64_t)size << 16, size);
        memcpy(out, &h, sizeof(h));
        h.checksum = sum(out, len);
        memcpy(out, &h, sizeof(h));
        sent++;
        if (send(fd, out, len, 0) < 0)
            die("send");
        for (;;) {
            if (!readable(fd, 2000)) {
                lost++;
                printf("LOST %u\n", size);
                break;
            }
            ssize_t n = recv(fd, in, sizeof(in), 0);
            struct icmphdr r;
            if (n < 28)
                continue;
            memcpy(&r, in + 20, sizeof(r));
            if (r.type != ICMP_ECHOREPLY || r.un.echo.id != id ||
                r.un.echo.sequence != (uint16_t)size)
                continue;
            if ((size_t)n != 20 + len || memcmp(in + 28, out + 8, size))
                wrong++;
            break;
        }
        if (lost > 20)
            break;
    }
    printf("PING %u %u %u\n", sent, lost, wrong);
    return lost || wrong;
}

/* --- frames --- */

static int raw(const char *dev, unsigned type, int *index)
{
    int fd = socket(AF_PACKET, SOCK_RAW, htons((uint16_t)type));
    *index = (int)if_nametoindex(dev);
    struct sockaddr_ll a = {
        .sll_family = AF_PACKET, .sll_protocol = htons((uint16_t)type), .sll_ifindex = *index};
    if (fd < 0 || !*index || bind(fd, (struct sockaddr *)&a, sizeof(a)))
        die(dev);
    return fd;
}

static void mac_of(const char *text, uint8_t mac[6])
{
    if (sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4],
               &mac[5]) != 6)
        die(text);
}

static int do_shoot(const char *dev, const char *to, unsigned type, unsigned count)
{
    int index, fd = raw(dev, type, &index);
    uint8_t frame[64] = {0};
    mac_of(to, frame);
    frame[6] = 2;
    frame[12] = (uint8_t)(type >> 8);
    frame[13] = (uint8_t)type;
    /* Not all at once: ne2k-pci takes nine for an interrupt and forgets what else has come by then
     * (it acknowledges last), until there is another. */
    for (unsigned i = 0; i < count; i++, usleep(SHOT_US))
        if (send(fd, frame, sizeof(frame), 0) < 0)
            die("send");
    return 0;
}

static int do_count(const char *dev, unsigned type, unsigned ms, const char *how, const char *mac)
{
    int index, fd = raw(dev, type, &index);
    struct packet_mreq m = {.mr_ifindex = index, .mr_type = PACKET_MR_PROMISC, .mr_alen = 6};
    if (how && !strcmp(how, "multi")) {
        m.mr_type = PACKET_MR_MULTICAST;
        mac_of(mac, m.mr_address);
    }
    if (how && setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, sizeof(m)))
        die(how);
    printf("COUNTING\n");
    fflush(stdout);
    uint64_t end = now_ms() + ms;
    unsigned n = 0;
    for (uint64_t t; (t = now_ms()) < end;)
        if (readable(fd, (int)(end - t))) {
            uint8_t frame[2048];
            struct sockaddr_ll from;
            socklen_t len = sizeof(from);
            if (recvfrom(fd, frame, sizeof(frame), 0, (struct sockaddr *)&from, &len) > 0 &&
                from.sll_pkttype != PACKET_OUTGOING)
                n++;
        }
    printf("COUNT %u\n", n);
    return 0;
}

/* --- the interface --- */

static int control(const char *dev, struct ifreq *r)
{
    memset(r, 0, sizeof(*r));
    snprintf(r->ifr_name, sizeof(r->ifr_name), "%s", dev);
    return socket(AF_INET, SOCK_DGRAM, 0);
}

static int do_ring(const char *dev, unsigned rx, unsigned tx)
{
    struct ifreq r;
    struct ethtool_ringparam p = {.cmd = ETHTOOL_GRINGPARAM};
    int fd = control(dev, &r);
    r.ifr_data = (void *)&p;
    if (ioctl(fd, SIOCETHTOOL, &r))
        die("ETHTOOL_GRINGPARAM");
    p.cmd = ETHTOOL_SRINGPARAM;
    p.rx_pending = rx;
    p.tx_pending = tx;
    if (ioctl(fd, SIOCETHTOOL, &r))
        die("ETHTOOL_SRINGPARAM");
    p.cmd = ETHTOOL_GRINGPARAM;
    ioctl(fd, SIOCETHTOOL, &r);
    printf("RING %u %u\n", p.rx_pending, p.tx_pending);
    return 0;
}

static int do_offload(const char *dev, const char *name, bool on)
{
    static const struct {
        const char *name;
        uint32_t set;
    } names[] = {{"tso", ETHTOOL_STSO},
                 {"sg", ETHTOOL_SSG},
                 {"tx", ETHTOOL_STXCSUM},
                 {"rx", ETHTOOL_SRXCSUM}};
    struct ifreq r;
    struct ethtool_value v = {.data = on};
    int fd = control(dev, &r);
    for (unsigned i = 0; i < 4; i++)
        if (!strcmp(name, names[i].name))
            v.cmd = names[i].set;
    r.ifr_data = (void *)&v;
    if (ioctl(fd, SIOCETHTOOL, &r))
        die(name);
    return 0;
}

static int do_link(const char *dev)
{
    struct ifreq r;
    struct ethtool_value v = {.cmd = ETHTOOL_GLINK};
    int fd = control(dev, &r);
    r.ifr_data = (void *)&v;
    if (ioctl(fd, SIOCETHTOOL, &r))
        die("ETHTOOL_GLINK");
    printf("LINK %u\n", v.data);
    return 0;
}

static int do_updown(const char *dev, unsigned times)
{
    struct ifreq r;
    int fd = control(dev, &r);
    if (ioctl(fd, SIOCGIFFLAGS, &r))
        die(dev);
    for (unsigned i = 0; i < times * 2; i++) {
        r.ifr_flags = (short)(i & 1 ? r.ifr_flags | IFF_UP : r.ifr_flags & ~IFF_UP);
        if (ioctl(fd, SIOCSIFFLAGS, &r))
            die(i & 1 ? "up" : "down");
    }
    return 0;
}

static int do_stats(const char *dev)
{
    char line[512];
    static const char *const names[] = {"rx_bytes", "rx_packets", "rx_errors",     "rx_dropped",
                                        "rx_fifo",  "rx_frame",   "rx_compressed", "multicast",
                                        "tx_bytes", "tx_packets", "tx_errors",     "tx_dropped"};
    FILE *f = fopen("/proc/net/dev", "r");
    while (f && fgets(line, sizeof(line), f)) {
        char *colon = strchr(line, ':'), *name = line + strspn(line, " ");
        if (!colon || strlen(dev) != (size_t)(colon - name) ||
            strncmp(name, dev, (size_t)(colon - name)))
            continue;
        char *p = colon + 1;
        for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
            printf("STAT %s %llu\n", names[i], strtoull(p, &p, 10));
    }
    struct ifreq r;
    struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
    int fd = control(dev, &r);
    r.ifr_data = (void *)&info;
    if (ioctl(fd, SIOCETHTOOL, &r) || !info.n_stats)
        return 0;
    struct ethtool_gstrings *s = calloc(1, sizeof(*s) + info.n_stats * ETH_GSTRING_LEN);
    struct ethtool_stats *v = calloc(1, sizeof(*v) + info.n_stats * 8u);
    *s = (struct ethtool_gstrings){
        .cmd = ETHTOOL_GSTRINGS, .string_set = ETH_SS_STATS, .len = info.n_stats};
    *v = (struct ethtool_stats){.cmd = ETHTOOL_GSTATS, .n_stats = info.n_stats};
    r.ifr_data = (void *)s;
    if (ioctl(fd, SIOCETHTOOL, &r))
        return 0;
    r.ifr_data = (void *)v;
    if (ioctl(fd, SIOCETHTOOL, &r))
        return 0;
    for (unsigned i = 0; i < info.n_stats; i++)
        if (v->data[i])
            printf("STAT driver.%.32s %llu\n", (char *)s->data + i * ETH_GSTRING_LEN,
                   (unsigned long long)v->data[i]);
    return 0;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
#define IS(name, args) (!strcmp(what, name) && argc >= 2 + (args))
#define NUMBER(n)      ((unsigned)strtoul(argv[n], NULL, 0))
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (IS("serve", 0))
        return do_serve();
    if (IS("ping", 3))
        return do_ping(argv[2], NUMBER(3), NUMBER(4));
    if (IS("tcp", 3))
        return do_tcp(argv[2], !strcmp(argv[3], "put"), strtoull(argv[4], NULL, 0));
    if (IS("udp", 4))
        return do_udp(argv[2], !strcmp(argv[3], "put"), NUMBER(4), NUMBER(5));
    if (IS("shoot", 4))
        return do_shoot(argv[2], argv[3], NUMBER(4), NUMBER(5));
    if (IS("count", 3))
        return do_count(argv[2], NUMBER(3), NUMBER(4), argc > 5 ? argv[5] : NULL,
                        argc > 6 ? argv[6] : NULL);
    if (IS("ring", 3))
        return do_ring(argv[2], NUMBER(3), NUMBER(4));
    if (IS("offload", 3))
        return do_offload(argv[2], argv[3], !strcmp(argv[4], "on"));
    if (IS("link", 1))
        return do_link(argv[2]);
    if (IS("updown", 2))
        return do_updown(argv[2], NUMBER(3));
    if (IS("stats", 1))
        return do_stats(argv[2]);
    errno = 0;
    die("usage: see labnet.c");
}
