/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * user_guest: a guest with an e1000 behind a user-mode network and sockets of the host's loopback,
 * in one thread: TCP each way (to the host's alias 10.0.2.2, and from it through a forwarded port),
 * datagrams there and back. As little of TCP as it takes where nothing is lost. A figure is the
 * best of the rounds, of CPU the median.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"
#include "user.h"

#define WAIT_US  3e6
#define ROUND_US 100e3
#define HEADERS  54u /* Ethernet, IPv4, TCP without options */
#define MSS      1460u
#define DATAGRAM 64u
#define BATCH    32u
#define GUEST    0x0A00020Fu /* 10.0.2.15 */
#define HOST     0x0A000202u /* 10.0.2.2 */
#define PORT     80u

enum { SYN = 2, PSH = 8, ACK = 16 };

struct tcp {
    uint16_t port, peer_port;
    uint32_t una, next, window; /* sent */
    uint32_t expected;          /* received */
    bool established, owes_ack;
};

struct run {
    struct xenstub *x;
    struct nic nic;
    pid_t dm;
    unsigned unsent;     /* in the ring, and the card was not told */
    unsigned tx_pending; /* in the ring, not seen to be done */
    struct tcp tcp;
    bool has_host; /* ARP was answered */
    uint8_t host_mac[6];
    unsigned datagrams; /* that came back */
    uint64_t received;  /* bytes of TCP, either side */
    const struct user_host *host;
    int stream;
};

static void put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
    put16(p, v >> 16);
    put16(p + 2, v);
}

static uint32_t get16(const uint8_t *p)
{
    return (uint32_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
    return get16(p) << 16 | get16(p + 2);
}

/* RFC 1071 */
static uint32_t checksum(const uint8_t *p, unsigned len, uint32_t sum)
{
    for (unsigned i = 0; i < len; i += 2)
        sum += get16(p + i);
    while (sum >> 16)
        sum = (sum & 0xFFFF) + (sum >> 16);
    return ~sum & 0xFFFF;
}

/* --- the guest --- */

static bool has_room(struct run *r)
{
    while (r->tx_pending) {
        unsigned oldest = (r->nic.tx_next + E1000_RING - r->tx_pending) % E1000_RING;
        if (!e1000_tx_done(r->x, oldest))
            break;
        r->tx_pending--;
    }
    return r->tx_pending < E1000_RING - 1;
}

static void queue(struct run *r, const uint8_t *frame, unsigned len)
{
    e1000_queue(&r->nic, frame, len < 60 ? 60 : len);
    r->tx_pending++;
    r->unsent++;
}

static void ring(struct run *r)
{
    if (r->unsent)
        e1000_ring_bell(&r->nic);
    r->unsent = 0;
}

static void arp(struct run *r, unsigned operation, const uint8_t *to, uint32_t target)
{
    uint8_t f[60] = {0};
    memset(f, 0xFF, 6);
    memcpy(f + 6, r->nic.mac, 6);
    memcpy(f + 12, "\x08\x06\x00\x01\x08\x00\x06\x04", 8);
    put16(f + 20, operation);
    memcpy(f + 22, r->nic.mac, 6);
    put32(f + 28, GUEST);
    if (to)
        memcpy(f + 32, to, 6);
    put32(f + 38, target);
    queue(r, f, sizeof(f));
}

/* The frame's first 34 bytes, for `len` bytes behind the IP header. */
static void ip_header(const struct run *r, uint8_t *f, unsigned protocol, unsigned len)
{
    memcpy(f, r->host_mac, 6);
    memcpy(f + 6, r->nic.mac, 6);
    put16(f + 12, 0x0800);
    memset(f + 14, 0, 20);
    f[14] = 0x45;
    put16(f + 16, 20 + len);
    f[22] = 64;
    f[23] = (uint8_t)protocol;
    put32(f + 26, GUEST);
    put32(f + 30, HOST);
    put16(f + 24, checksum(f + 14, 20, 0));
}

static void send_datagram(struct run *r)
{
    uint8_t f[42 + DATAGRAM] = {0};
    ip_header(r, f, 17, 8 + DATAGRAM);
    put16(f + 34, 1024);
    put16(f + 36, r->host->udp_port);
    put16(f + 38, 8 + DATAGRAM); /* no checksum */
    queue(r, f, sizeof(f));
}

/* A segment with so many bytes, all of them 0. */
static void segment(struct run *r, unsigned flags, unsigned len)
{
    static uint8_t f[HEADERS + MSS];
    struct tcp *t = &r->tcp;
    ip_header(r, f, 6, 20 + len);
    put16(f + 34, t->port);
    put16(f + 36, t->peer_port);
    put32(f + 38, t->next);
    put32(f + 42, flags & ACK ? t->expected : 0);
    put16(f + 46, 5u << 12 | flags);
    put16(f + 48, 65535);
    put32(f + 50, 0);
    put16(f + 50, checksum(f + 26, 28, 6 + 20 + len)); /* with the pseudo header */
    queue(r, f, HEADERS + len);
    t->next += len + !!(flags & SYN);
    t->owes_ack = false;
}

static void tcp_arrived(struct run *r, const uint8_t *p, unsigned len)
{
    struct tcp *t = &r->tcp;
    const unsigned header = p[12] >> 4 << 2, flags = p[13];
    if (header > len)
        return;
    if (!t->port && flags & SYN) { /* it listens */
        *t = (struct tcp){.port = (uint16_t)get16(p + 2),
                          .peer_port = (uint16_t)get16(p),
                          .una = 1,
                          .next = 1,
                          .expected = get32(p + 4) + 1};
        segment(r, SYN | ACK, 0);
        return;
    }
    if (t->port != get16(p + 2))
        return;
    if (flags & SYN)
        t->expected = get32(p + 4) + 1;
    if (flags & ACK && (int32_t)(get32(p + 8) - t->una) >= 0) {
        t->una = get32(p + 8);
        t->window = get16(p + 14);
        t->established = true;
    }
    if (len > header && get32(p + 4) == t->expected) {
        t->expected += len - header;
        r->received += len - header;
    }
    t->owes_ack |= len > header || flags & SYN;
}

static void arrived(struct run *r, const uint8_t *f, unsigned len)
{
    if (len >= 42 && get16(f + 12) == 0x0806) {
        if (get16(f + 20) == 1 && get32(f + 38) == GUEST)
            arp(r, 2, f + 22, get32(f + 28));
        else if (get16(f + 20) == 2)
            memcpy(r->host_mac, f + 22, 6), r->has_host = true;
    } else if (len >= 54 && get16(f + 12) == 0x0800 && f[14] == 0x45) {
        const unsigned payload = get16(f + 16) - 20;
        if (f[23] == 17)
            r->datagrams++;
        else if (f[23] == 6 && payload >= 20 && 34 + payload <= len)
            tcp_arrived(r, f + 34, payload);
    }
}

/* What has come, as a driver takes it in its interrupt. */
static void take_frames(struct run *r)
{
    uint8_t f[NIC_MAX_FRAME];
    unsigned n = 0;
    for (; n < BATCH && e1000_rx_done(r->x, r->nic.rx_next); n++)
        arrived(r, f, e1000_take(&r->nic, f));
    if (!n)
        return;
    e1000_reg(&r->nic, E1000_ICR);
    e1000_give_back(&r->nic, n);
    if (r->tcp.owes_ack)
        segment(r, ACK, 0);
}

static void push(struct run *r)
{
    struct tcp *t = &r->tcp;
    while (t->next - t->una + MSS <= t->window && has_room(r))
        segment(r, ACK | PSH, MSS);
}

/* --- the host --- */

static void host_reads(struct run *r)
{
    static uint8_t bytes[1 << 18];
    ssize_t n = recv(r->stream, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (n > 0)
        r->received += (uint64_t)n;
}

static void host_writes(struct run *r)
{
    static const uint8_t bytes[1 << 16];
    (void)!send(r->stream, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void host_echoes(struct run *r)
{
    uint8_t bytes[2048];
    struct sockaddr_in from;
    socklen_t size = sizeof(from);
    ssize_t n;
    while ((n = recvfrom(r->host->udp, bytes, sizeof(bytes), MSG_DONTWAIT, (struct sockaddr *)&from,
                         &size)) > 0)
        (void)!sendto(r->host->udp, bytes, (size_t)n, MSG_DONTWAIT, (struct sockaddr *)&from, size);
}

/* A socket on the loopback, and its port. */
static int open_socket(int type, uint16_t *port)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(sa);
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) ||
        getsockname(fd, (struct sockaddr *)&sa, &len))
        return -1;
    *port = ntohs(sa.sin_port);
    return fd;
}

bool user_host_open(struct user_host *h)
{
    h->listener = open_socket(SOCK_STREAM, &h->port);
    h->udp = open_socket(SOCK_DGRAM, &h->udp_port);
    int taken = open_socket(SOCK_STREAM, &h->forwarded); /* a free port */
    close(taken);
    if (taken < 0 || h->udp < 0 || h->listener < 0 || listen(h->listener, 1))
        return false;
    fcntl(h->listener, F_SETFL, O_NONBLOCK);
    snprintf(h->netdev, sizeof(h->netdev), "user,id=net0,hostfwd=tcp:127.0.0.1:%u-10.0.2.15:%u",
             h->forwarded, PORT);
    return true;
}

/* --- what is measured --- */

/* Each does one step; `goal` in r->received or r->datagrams is looked at between. */
static void step_to_host(struct run *r)
{
    take_frames(r);
    push(r);
    ring(r);
    host_reads(r);
}

static void step_to_guest(struct run *r)
{
    host_writes(r);
    take_frames(r);
    ring(r);
}

static void step_echo(struct run *r)
{
    take_frames(r);
    ring(r);
    host_echoes(r);
}

static bool connect_out(struct run *r)
{
    const double end = now_us() + WAIT_US;
    r->tcp = (struct tcp){.port = 2000, .peer_port = r->host->port, .una = 1, .next = 1};
    segment(r, SYN, 0);
    while ((r->stream < 0 || !r->tcp.established) && now_us() < end) {
        take_frames(r);
        ring(r);
        if (r->stream < 0)
            r->stream = accept4(r->host->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    }
    return r->stream >= 0 && r->tcp.established;
}

static bool connect_in(struct run *r)
{
    const struct sockaddr_in sa = {.sin_family = AF_INET,
                                   .sin_port = htons(r->host->forwarded),
                                   .sin_addr = {htonl(INADDR_LOOPBACK)}};
    const double end = now_us() + WAIT_US;
    r->tcp = (struct tcp){0};
    r->stream = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(r->stream, (const struct sockaddr *)&sa, sizeof(sa)))
        return false;
    while (!r->tcp.established && now_us() < end) {
        take_frames(r);
        ring(r);
    }
    return r->tcp.established;
}

static bool find_host(struct run *r)
{
    const double end = now_us() + WAIT_US;
    for (unsigned i = 0; !r->has_host && now_us() < end; i++) {
        if (i % 100000 == 0)
            arp(r, 1, NULL, HOST);
        take_frames(r);
        ring(r);
    }
    return r->has_host;
}

/* MB/s, and CPU us a MB. */
static bool stream(struct run *r, void (*step)(struct run *r), double *rate, double *cpu)
{
    double cpus[MAX_PAIRS];
    *rate = 0;
    for (unsigned round = 0; round < rounds + 1; round++) {
        const double before = usage_of(r->dm, false).cpu_us, start = now_us();
        double last = start;
        uint64_t had = r->received;
        const uint64_t began = had;
        while (now_us() - start < ROUND_US) {
            step(r);
            if (r->received != had)
                last = now_us();
            else if (now_us() - last > WAIT_US)
                return false;
            had = r->received;
        }
        const double bytes = (double)(had - began), each = bytes / (now_us() - start);
        if (bytes == 0 && !round)
            return false;
        if (!round) /* the first one warms */
            continue;
        *rate = each > *rate ? each : *rate;
        cpus[round - 1] = (usage_of(r->dm, false).cpu_us - before) / (bytes / 1e6);
    }
    *cpu = median(cpus, rounds);
    return true;
}

/* us and CPU us for one datagram, so many under way at once. */
static bool echo(struct run *r, unsigned at_once, double *us, double *cpu)
{
    double cpus[MAX_PAIRS];
    *us = INFINITY;
    for (unsigned round = 0; round < rounds + 1; round++) {
        const double before = usage_of(r->dm, false).cpu_us, start = now_us();
        unsigned done = 0;
        while (now_us() - start < ROUND_US) {
            const double end = now_us() + WAIT_US;
            r->datagrams = 0;
            for (unsigned i = 0; i < at_once && has_room(r); i++)
                send_datagram(r);
            while (r->datagrams < at_once) {
                step_echo(r);
                if (now_us() > end)
                    return false;
            }
            done += at_once;
        }
        const double each = (now_us() - start) / done;
        if (!round)
            continue;
        *us = each < *us ? each : *us;
        cpus[round - 1] = (usage_of(r->dm, false).cpu_us - before) / done;
    }
    *cpu = median(cpus, rounds);
    return true;
}

/* Its children's CPU is that of its threads. */
static void place_all(pid_t dm, int vcpu_cpu, int dm_cpu)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)dm, (int)dm);
    FILE *f = fopen(path, "r");
    for (int pid; f && fscanf(f, "%d", &pid) == 1;)
        place_on(pid, vcpu_cpu, dm_cpu);
    if (f)
        fclose(f);
    place_on(dm, vcpu_cpu, dm_cpu);
}

void user_measure(struct xenstub *x, pid_t dm, const struct user_host *host, double f[USER_FIGURES])
{
    static struct run run;
    struct run *r = &run;
    double us, cpu;
    for (unsigned i = 0; i < USER_FIGURES; i++)
        f[i] = NAN;
    *r = (struct run){.x = x, .nic = {.x = x, .devfn = USER_NIC}, .dm = dm, .host = host};
    place_all(dm, 0, sysconf(_SC_NPROCESSORS_ONLN) > 1);
    if (!nic_e1000.start(&r->nic) || !find_host(r))
        return;
    if (echo(r, BATCH, &us, &f[ECHO_CPU]))
        f[ECHOES] = 1e3 / us;
    if (echo(r, 1, &us, &cpu))
        f[ROUND_TRIP] = us;
    r->stream = -1;
    if (connect_out(r) && !stream(r, step_to_host, &f[TO_HOST], &f[TO_HOST_CPU]))
        f[TO_HOST] = NAN;
    close(r->stream);
    if (connect_in(r) && !stream(r, step_to_guest, &f[TO_GUEST], &f[TO_GUEST_CPU]))
        f[TO_GUEST] = NAN;
}
