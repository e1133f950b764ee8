/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * net_guest: a guest in a page: enough of ARP (RFC 826), IPv4 (RFC 791), ICMP (RFC 792), UDP (RFC
 * 768), TCP (RFC 793) without loss, DHCP (RFC 2131) and TFTP (RFC 1350) to try a network from its
 * end. It is the NIC of a wire.
 */
#ifndef TESTS_UNIT_NET_GUEST_H
#define TESTS_UNIT_NET_GUEST_H

#include <arpa/inet.h>

#include "tests/unit/net_bytes.h"
#include "tests/unit/net_rig.h"

#define GUEST_QUEUE 1024
#define TCP_MSS     1400
#define TCP_FLIGHT  (8 * TCP_MSS)

#define ARP_TYPE 0x0806
#define IP_TYPE  0x0800

enum { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_PSH = 8, TCP_ACK = 16 };

struct guest_tcp {
    bool open, established, reset, fin, sent_fin;
    uint32_t peer, iss, snd_una, snd_nxt, rcv_nxt;
    uint16_t port, peer_port;
    const uint8_t *out; /* to be sent: `out_len` bytes */
    size_t out_len;
    size_t in_len;
    uint64_t wrong; /* bytes that are not what pattern() says */
};

struct guest {
    struct net *net;
    bool full; /* no buffer is free */
    uint32_t ip;
    uint64_t frames;
    struct {
        uint8_t bytes[1600];
        size_t len;
    } queue[GUEST_QUEUE];
    unsigned first, count;
    uint64_t lost; /* found no place in the queue */
    /* The last of each. */
    uint8_t arp_answer[NET_MAC_LEN];
    unsigned arp_answers, pings, udps;
    struct {
        uint32_t from;
        uint16_t from_port, port;
        size_t len;
        uint8_t bytes[1500];
    } udp;
    struct guest_tcp tcp;
    unsigned stray_resets;
};

static const uint8_t guest_mac[NET_MAC_LEN] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};

static inline uint8_t pattern(uint64_t at)
{
    return (uint8_t)(at * 31 + (at >> 8) * 7);
}

static inline void guest_queue(struct guest *g, const uint8_t *payload, size_t len, unsigned type)
{
    if (g->count == GUEST_QUEUE) {
        g->lost++;
        return;
    }
    unsigned slot = (g->first + g->count++) % GUEST_QUEUE;
    uint8_t *f = g->queue[slot].bytes;
    assert_true(len + NET_HEADER_LEN <= sizeof(g->queue[0].bytes));
    memset(f, 0, NET_MIN_FRAME);
    memset(f, 0xFF, NET_MAC_LEN);
    memcpy(f + 6, guest_mac, NET_MAC_LEN);
    put16(f + 12, type);
    memcpy(f + NET_HEADER_LEN, payload, len);
    len += NET_HEADER_LEN;
    g->queue[slot].len = len < NET_MIN_FRAME ? NET_MIN_FRAME : len;
    net_kick(g->net);
}

static inline void guest_ip(struct guest *g, uint32_t to, unsigned protocol, const uint8_t *payload,
                            size_t len)
{
    uint8_t p[1580] = {0x45};
    assert_true(len + 20 <= sizeof(p));
    put16(p + 2, (unsigned)len + 20);
    p[8] = 64;
    p[9] = (uint8_t)protocol;
    put32(p + 12, g->ip);
    put32(p + 16, to);
    put16(p + 10, fold(sum(p, 20, 0)));
    memcpy(p + 20, payload, len);
    if (protocol == 6) { /* with the pseudo header */
        put16(p + 36, 0);
        put16(p + 36, fold(sum(p + 12, len + 8, 6 + (uint32_t)len)));
    }
    guest_queue(g, p, len + 20, IP_TYPE);
}

static inline void guest_udp(struct guest *g, uint32_t to, unsigned port, unsigned from,
                             const void *bytes, size_t len)
{
    uint8_t p[1500] = {0};
    put16(p, from);
    put16(p + 2, port);
    put16(p + 4, (unsigned)len + 8); /* no checksum */
    memcpy(p + 8, bytes, len);
    guest_ip(g, to, 17, p, len + 8);
}

static inline void guest_arp(struct guest *g, unsigned operation, uint32_t target,
                             const uint8_t *mac)
{
    uint8_t p[28] = {0, 1, 8, 0, 6, 4};
    put16(p + 6, operation);
    memcpy(p + 8, guest_mac, NET_MAC_LEN);
    put32(p + 14, g->ip);
    if (mac)
        memcpy(p + 18, mac, NET_MAC_LEN);
    put32(p + 24, target);
    guest_queue(g, p, sizeof(p), ARP_TYPE);
}

static inline void guest_ping(struct guest *g, uint32_t to)
{
    uint8_t p[8 + 56] = {8};
    for (unsigned i = 8; i < sizeof(p); i++)
        p[i] = pattern(i);
    put16(p + 2, fold(sum(p, sizeof(p), 0)));
    guest_ip(g, to, 1, p, sizeof(p));
}

/* ---- TCP ---- */

static inline void tcp_segment(struct guest *g, unsigned flags, const uint8_t *bytes, size_t len)
{
    struct guest_tcp *t = &g->tcp;
    uint8_t p[20 + TCP_MSS] = {0};
    put16(p, t->port);
    put16(p + 2, t->peer_port);
    put32(p + 4, t->snd_nxt);
    put32(p + 8, flags & TCP_ACK ? t->rcv_nxt : 0);
    p[12] = 5 << 4;
    p[13] = (uint8_t)flags;
    put16(p + 14, 65535);
    if (len)
        memcpy(p + 20, bytes, len);
    guest_ip(g, t->peer, 6, p, 20 + len);
    t->snd_nxt += (uint32_t)len + !!(flags & TCP_SYN) + !!(flags & TCP_FIN);
}

static inline void tcp_begin(struct guest *g, uint32_t peer, uint16_t peer_port, uint16_t port)
{
    g->tcp = (struct guest_tcp){
        .open = true, .peer = peer, .peer_port = peer_port, .port = port, .iss = 1000};
    g->tcp.snd_una = g->tcp.snd_nxt = g->tcp.iss;
}

static inline void tcp_connect(struct guest *g, uint32_t peer, uint16_t peer_port)
{
    static uint16_t port = 40000;
    tcp_begin(g, peer, peer_port, port++);
    tcp_segment(g, TCP_SYN, NULL, 0);
}

/* What the window and a few segments in flight allow. */
static inline void tcp_push(struct guest *g)
{
    struct guest_tcp *t = &g->tcp;
    while (t->established) {
        size_t done = t->snd_nxt - t->iss - 1, left = t->out_len > done ? t->out_len - done : 0;
        size_t len = left < TCP_MSS ? left : TCP_MSS;
        if (!len || t->snd_nxt - t->snd_una + len > TCP_FLIGHT)
            return;
        tcp_segment(g, TCP_ACK | TCP_PSH, t->out + done, len);
    }
}

static inline void tcp_close(struct guest *g)
{
    tcp_segment(g, TCP_FIN | TCP_ACK, NULL, 0);
    g->tcp.sent_fin = true;
}

static inline void tcp_data(struct guest_tcp *t, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        t->wrong += bytes[i] != pattern(t->in_len + i);
    t->in_len += len;
    t->rcv_nxt += (uint32_t)len;
}

static inline void tcp_arrived(struct guest *g, uint32_t from, const uint8_t *p, size_t len)
{
    struct guest_tcp *t = &g->tcp;
    size_t header = (size_t)(p[12] >> 4) * 4;
    unsigned flags = p[13];
    uint32_t seq = get32(p + 4), ack = get32(p + 8);
    assert_true(len >= 20 && header >= 20 && header <= len);
    if (t->port != get16(p + 2) || (t->open && t->peer_port && get16(p) != t->peer_port)) {
        g->stray_resets += !!(flags & TCP_RST);
        return;
    }
    if (!t->open && flags & TCP_SYN) { /* listens */
        tcp_begin(g, from, (uint16_t)get16(p), (uint16_t)get16(p + 2));
        t->rcv_nxt = seq + 1;
        tcp_segment(g, TCP_SYN | TCP_ACK, NULL, 0);
        return;
    }
    if (flags & TCP_RST) {
        t->reset = true;
        return;
    }
    if (flags & TCP_ACK && (int32_t)(ack - t->snd_una) > 0)
        t->snd_una = ack;
    if (flags & TCP_SYN) {
        t->rcv_nxt = seq + 1;
        t->established = true;
        tcp_segment(g, TCP_ACK, NULL, 0);
        return;
    }
    t->established = t->established || t->snd_una != t->iss;
    bool news = len > header || flags & TCP_FIN;
    if (news && seq == t->rcv_nxt) {
        tcp_data(t, p + header, len - header);
        if (flags & TCP_FIN) {
            t->fin = true;
            t->rcv_nxt++;
        }
    }
    if (news)
        tcp_segment(g, TCP_ACK, NULL, 0);
    tcp_push(g);
}

/* ---- The NIC ---- */

static inline void ip_arrived(struct guest *g, const uint8_t *p, size_t len)
{
    size_t header = (size_t)(p[0] & 15) * 4, total = get16(p + 2);
    assert_true(len >= 20 && header >= 20 && total >= header && total <= len);
    assert_int_equal(fold(sum(p, header, 0)), 0);
    const uint8_t *q = p + header;
    len = total - header;
    uint32_t from = get32(p + 12);
    if (p[9] == 1 && len == 64 && q[0] == 0) {
        assert_int_equal(fold(sum(q, len, 0)), 0);
        g->pings++;
    } else if (p[9] == 17 && len >= 8 && len - 8 <= sizeof(g->udp.bytes)) {
        g->udp.from = from;
        g->udp.from_port = (uint16_t)get16(q);
        g->udp.port = (uint16_t)get16(q + 2);
        g->udp.len = len - 8;
        memcpy(g->udp.bytes, q + 8, len - 8);
        g->udps++;
    } else if (p[9] == 6) {
        tcp_arrived(g, from, q, len);
    }
}

static inline enum net_taken guest_receive(void *opaque, const uint8_t *frame, size_t len)
{
    struct guest *g = opaque;
    if (g->full)
        return NET_HELD;
    g->frames++;
    unsigned type = get16(frame + 12);
    const uint8_t *p = frame + NET_HEADER_LEN;
    if (type == IP_TYPE) {
        ip_arrived(g, p, len - NET_HEADER_LEN);
    } else if (type == ARP_TYPE && get16(p + 6) == 2) {
        memcpy(g->arp_answer, p + 8, NET_MAC_LEN);
        g->arp_answers++;
    } else if (type == ARP_TYPE && get32(p + 24) == g->ip) {
        guest_arp(g, 2, get32(p + 14), p + 8);
    }
    return NET_TAKEN;
}

static inline bool guest_transmit(void *opaque)
{
    struct guest *g = opaque;
    for (unsigned i = 0; g->count; i++) {
        unsigned slot = g->first;
        if (i == NET_BUDGET)
            return true;
        g->first = (g->first + 1) % GUEST_QUEUE;
        g->count--;
        if (!net_send(g->net, g->queue[slot].bytes, g->queue[slot].len, NULL))
            return false;
    }
    return false;
}

static const struct net_nic guest_nic = {.receive = guest_receive, .transmit = guest_transmit};

/* Moves in at the wire's end. */
static inline void guest_attach(struct guest *g, struct net *net, const char *ip)
{
    memset(g, 0, sizeof(*g));
    g->net = net;
    g->ip = ntohl(inet_addr(ip));
    net_attach_nic(net, &guest_nic, g);
    net_receiving(net, true);
    rig_settle();
}

/* ---- DHCP ---- */

static inline void dhcp_ask(struct guest *g, unsigned kind, uint32_t requested)
{
    uint8_t p[300] = {1, 1, 6};
    uint32_t ip = g->ip;
    put32(p + 4, 0x12345678);
    memcpy(p + 28, guest_mac, NET_MAC_LEN);
    put32(p + 236, 0x63825363);
    uint8_t *o = p + 240;
    *o++ = 53;
    *o++ = 1;
    *o++ = (uint8_t)kind;
    if (requested) {
        *o++ = 50;
        *o++ = 4;
        put32(o, requested);
        o += 4;
    }
    *o = 255;
    g->ip = 0;
    guest_udp(g, 0xFFFFFFFF, 67, 68, p, sizeof(p));
    g->ip = ip;
}

/* An option of the last answer; NULL: it has none. */
static inline const uint8_t *dhcp_option(const struct guest *g, unsigned code, size_t *len)
{
    const uint8_t *o = g->udp.bytes + 240, *end = g->udp.bytes + g->udp.len;
    while (o + 2 <= end && *o != 255) {
        if (*o == 0) {
            o++;
            continue;
        }
        *len = o[1];
        if (o + 2 + *len > end)
            return NULL;
        if (*o == code)
            return o + 2;
        o += 2 + *len;
    }
    return NULL;
}

static inline bool dhcp_says(const struct guest *g, unsigned code, const void *bytes, size_t size)
{
    size_t len;
    const uint8_t *o = dhcp_option(g, code, &len);
    return o && len == size && !memcmp(o, bytes, size);
}

#endif
