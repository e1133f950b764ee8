/* SPDX-License-Identifier: GPL-2.0-or-later */
/* offload: see offload.h. RFC 791 and 8200 (IP), 9293 (TCP), 768 (UDP), 1071 and 1624 (checksums),
 * IEEE 802.1Q (VLAN tags). */
#include "net/offload.h"

#include <string.h>

#define TYPE_IPV4 0x0800
#define TYPE_IPV6 0x86DD
#define TYPE_VLAN 0x8100
#define TYPE_QINQ 0x88A8

#define IPV4_MIN_HEADER 20
#define IPV6_HEADER     40
#define IPV6_EXTENSIONS 8 /* that are looked through */
#define TCP_MIN_HEADER  20
#define TCP_CHECKSUM    16
#define UDP_HEADER      8
#define UDP_CHECKSUM    6

#define TCP_FIN 0x01
#define TCP_PSH 0x08
#define TCP_CWR 0x80

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void put16(uint8_t *p, uint16_t value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

static void put32(uint8_t *p, uint32_t value)
{
    put16(p, (uint16_t)(value >> 16));
    put16(p + 2, (uint16_t)value);
}

static uint16_t fold(uint64_t sum)
{
    sum = (sum & 0xFFFFFFFF) + (sum >> 32);
    sum = (sum & 0xFFFFFFFF) + (sum >> 32);
    sum = (sum & 0xFFFF) + (sum >> 16);
    sum = (sum & 0xFFFF) + (sum >> 16);
    return (uint16_t)sum;
}

/* Two 64-bit lanes, each the sum of 32-bit words: no carry is lost in 2^32 of them. */
typedef uint64_t lanes __attribute__((vector_size(16)));

uint16_t offload_sum(const uint8_t *data, size_t len, uint16_t sum)
{
    const lanes low = {0xFFFFFFFF, 0xFFFFFFFF};
    lanes a = {0, 0}, b = {0, 0};
    while (len >= 32) {
        lanes v[2];
        memcpy(v, data, sizeof(v));
        a += (v[0] & low) + (v[0] >> 32);
        b += (v[1] & low) + (v[1] >> 32);
        data += 32;
        len -= 32;
    }
    a += b;
    /* In the host's order; the sum of words with their bytes swapped is the sum with its bytes
     * swapped (RFC 1071, 2. B). */
    uint64_t total = fold(a[0]) + (uint64_t)fold(a[1]);
    while (len >= 4) {
        uint32_t v;
        memcpy(&v, data, sizeof(v));
        total += v;
        data += 4;
        len -= 4;
    }
    uint8_t rest[4] = {0};
    memcpy(rest, data, len);
    uint32_t v;
    memcpy(&v, rest, sizeof(v));
    uint16_t host = fold(total + v);
    return fold((uint64_t)get16((const uint8_t *)&host) + sum);
}

/* How a sum is stored: 0 would mean that there is none. */
static uint16_t stored(uint16_t sum)
{
    return sum == 0xFFFF ? 0xFFFF : (uint16_t)~sum;
}

/* ---- Headers ---- */

/* Past the VLAN tags; 0: no Ethernet II frame of one of IP's types. */
static size_t ip_offset(const uint8_t *frame, size_t len, uint16_t *type)
{
    size_t at = 12;
    for (unsigned tags = 0; at + 2 <= len; tags++, at += 4) {
        *type = get16(frame + at);
        if ((*type != TYPE_VLAN && *type != TYPE_QINQ) || tags == 2)
            break;
    }
    if (at + 2 > len || (*type != TYPE_IPV4 && *type != TYPE_IPV6))
        return 0;
    return at + 2;
}

static bool parse_ipv4(const uint8_t *frame, size_t len, struct offload_packet *p)
{
    const uint8_t *h = frame + p->ip;
    if (p->ip + (size_t)IPV4_MIN_HEADER > len || h[0] >> 4 != 4)
        return false;
    size_t header = (size_t)(h[0] & 15) * 4, total = get16(h + 2);
    if (header < IPV4_MIN_HEADER || total < header || p->ip + total > len)
        return false;
    p->version = 4;
    p->ip_len = (uint16_t)header;
    p->end = (uint32_t)(p->ip + total);
    p->transport = (uint16_t)(p->ip + header);
    if (!(get16(h + 6) & 0x3FFF)) /* neither an offset nor more to come */
        p->protocol = h[9];
    return true;
}

static bool parse_ipv6(const uint8_t *frame, size_t len, struct offload_packet *p)
{
    const uint8_t *h = frame + p->ip;
    if (p->ip + (size_t)IPV6_HEADER > len || h[0] >> 4 != 6)
        return false;
    size_t at = p->ip + (size_t)IPV6_HEADER, end = at + get16(h + 4);
    if (end > len)
        return false;
    p->version = 6;
    p->ip_len = IPV6_HEADER;
    p->end = (uint32_t)end;
    uint8_t next = h[6];
    for (unsigned i = 0; i < IPV6_EXTENSIONS && (next == 0 || next == 43 || next == 60); i++) {
        if (at + 8 > end)
            return true;
        next = frame[at];
        at += ((size_t)frame[at + 1] + 1) * 8;
    }
    if (at > end)
        return true;
    p->transport = (uint16_t)at;
    p->protocol = next;
    return true;
}

/* Is the transport header there, whole? */
static bool has_transport(const uint8_t *frame, struct offload_packet *p)
{
    size_t at = p->transport, header = UDP_HEADER;
    if (p->protocol == OFFLOAD_TCP) {
        if (at + TCP_MIN_HEADER > p->end)
            return false;
        header = (size_t)(frame[at + 12] >> 4) * 4;
        if (header < TCP_MIN_HEADER)
            return false;
    } else if (p->protocol != OFFLOAD_UDP) {
        return false;
    }
    if (at + header > p->end)
        return false;
    p->payload = (uint16_t)(at + header);
    return true;
}

bool offload_parse(const uint8_t *frame, size_t len, struct offload_packet *p)
{
    uint16_t type = 0;
    *p = (struct offload_packet){0};
    if (len > NET_MAX_FRAME)
        return false;
    p->ip = (uint16_t)ip_offset(frame, len, &type);
    if (!p->ip || !(type == TYPE_IPV4 ? parse_ipv4(frame, len, p) : parse_ipv6(frame, len, p))) {
        *p = (struct offload_packet){0};
        return false;
    }
    if (p->end > UINT16_MAX || !has_transport(frame, p))
        p->protocol = 0, p->transport = p->payload = 0;
    return true;
}

/* Sum of addresses, protocol and length (RFC 9293, 3.1; RFC 8200, 8.1). */
static uint16_t pseudo_sum(const uint8_t *ip, bool ipv6, uint8_t protocol, size_t length)
{
    uint16_t sum = ipv6 ? offload_sum(ip + 8, 32, protocol) : offload_sum(ip + 12, 8, protocol);
    return fold((uint64_t)sum + length);
}

bool offload_ip_valid(const uint8_t *frame, const struct offload_packet *p)
{
    return p->version != 4 || offload_sum(frame + p->ip, p->ip_len, 0) == 0xFFFF;
}

bool offload_transport_valid(const uint8_t *frame, const struct offload_packet *p)
{
    if (p->protocol == OFFLOAD_UDP && p->version == 4 &&
        !get16(frame + p->transport + UDP_CHECKSUM))
        return true;
    size_t length = p->end - p->transport;
    uint16_t pseudo = pseudo_sum(frame + p->ip, p->version == 6, p->protocol, length);
    return offload_sum(frame + p->transport, length, pseudo) == 0xFFFF;
}

static void fill_ipv4(uint8_t *ip, size_t header)
{
    put16(ip + 10, 0);
    put16(ip + 10, (uint16_t)~offload_sum(ip, header, 0));
}

void offload_fill_ip(uint8_t *frame, const struct offload_packet *p)
{
    if (p->version == 4)
        fill_ipv4(frame + p->ip, p->ip_len);
}

void offload_ask_transport(uint8_t *frame, const struct offload_packet *p,
                           struct net_offload *offload)
{
    size_t field = p->transport + (p->protocol == OFFLOAD_TCP ? TCP_CHECKSUM : UDP_CHECKSUM);
    put16(frame + field,
          pseudo_sum(frame + p->ip, p->version == 6, p->protocol, p->end - p->transport));
    offload->csum = true;
    offload->csum_start = p->transport;
    offload->csum_at = (uint16_t)field;
}

bool offload_checksum(uint8_t *frame, size_t len, const struct net_offload *offload)
{
    size_t start = offload->csum_start, at = offload->csum_at;
    if (start > len || at + 2 > len)
        return false;
    put16(frame + at, stored(offload_sum(frame + start, len - start, 0)));
    return true;
}

/* ---- Splitting ---- */

/* The length of all headers; 0: they are not what `offload` says. */
static size_t tcp_headers(const uint8_t *frame, size_t len, const struct net_offload *offload,
                          bool *ipv6)
{
    size_t ip = offload->ip, tcp = offload->tcp;
    if (!offload->mss || ip < NET_HEADER_LEN || ip + IPV4_MIN_HEADER > tcp ||
        tcp + TCP_MIN_HEADER > len || len > NET_MAX_FRAME)
        return 0;
    uint8_t version = frame[ip] >> 4;
    *ipv6 = version == 6;
    if (version == 4) {
        if (ip + (size_t)(frame[ip] & 15) * 4 != tcp || frame[ip + 9] != OFFLOAD_TCP)
            return 0;
    } else if (!*ipv6 || ip + IPV6_HEADER > tcp) {
        return 0;
    }
    size_t header = (size_t)(frame[tcp + 12] >> 4) * 4;
    if (header < TCP_MIN_HEADER || tcp + header > len || tcp + header > OFFLOAD_MAX_HEADERS)
        return 0;
    return tcp + header;
}

/* The length field of the IP header of a frame, or part of one, that is `len` long. */
static void put_ip_length(uint8_t *ip, bool ipv6, size_t len)
{
    if (ipv6)
        put16(ip + 4, (uint16_t)(len - IPV6_HEADER));
    else
        put16(ip + 2, (uint16_t)len);
}

bool offload_prepare(uint8_t *frame, size_t len, struct net_offload *offload, size_t *headers,
                     size_t *parts)
{
    bool ipv6;
    size_t header = tcp_headers(frame, len, offload, &ipv6), ip = offload->ip, tcp = offload->tcp;
    if (!header || len - ip > UINT16_MAX)
        return false;
    size_t payload = len - header;
    *headers = header;
    *parts = payload <= offload->mss ? 1 : (payload + offload->mss - 1) / offload->mss;
    put_ip_length(frame + ip, ipv6, len - ip);
    if (!ipv6)
        fill_ipv4(frame + ip, tcp - ip);
    put16(frame + tcp + TCP_CHECKSUM, pseudo_sum(frame + ip, ipv6, OFFLOAD_TCP, len - tcp));
    offload->csum = true;
    offload->csum_start = (uint16_t)tcp;
    offload->csum_at = (uint16_t)(tcp + TCP_CHECKSUM);
    return true;
}

bool offload_split_begin(struct offload_split *s, const uint8_t *frame, size_t len,
                         const struct net_offload *offload)
{
    s->header_len = tcp_headers(frame, len, offload, &s->ipv6);
    /* A part with more payload than IP can say is none. */
    if (!s->header_len || s->header_len - offload->ip + offload->mss > UINT16_MAX)
        return false;
    memcpy(s->header, frame, s->header_len);
    s->ip = offload->ip;
    s->tcp = offload->tcp;
    s->mss = offload->mss;
    s->next = s->header_len;
    s->end = len;
    s->seq = get32(s->header + s->tcp + 4);
    s->id = get16(s->header + s->ip + 4);
    s->pseudo = pseudo_sum(s->header + s->ip, s->ipv6, OFFLOAD_TCP, 0);
    s->first = true;
    put16(s->header + s->tcp + TCP_CHECKSUM, 0);
    return true;
}

bool offload_split_next(struct offload_split *s, uint8_t *frame, size_t *at, size_t *len)
{
    if (!s->first && s->next == s->end)
        return false;
    size_t payload = s->end - s->next < s->mss ? s->end - s->next : s->mss;
    bool last = s->next + payload == s->end;
    uint8_t *part = frame + s->next - s->header_len, *ip = part + s->ip, *tcp = part + s->tcp;
    *at = s->next - s->header_len;
    *len = s->header_len + payload;

    memcpy(part, s->header, s->header_len);
    put_ip_length(ip, s->ipv6, *len - s->ip);
    if (!s->ipv6) {
        put16(ip + 4, s->id++);
        fill_ipv4(ip, s->tcp - s->ip);
    }
    put32(tcp + 4, s->seq);
    if (!last)
        tcp[13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
    if (!s->first)
        tcp[13] &= (uint8_t)~TCP_CWR; /* RFC 3168: said once */
    size_t length = *len - s->tcp;
    uint16_t pseudo = fold((uint64_t)s->pseudo + length);
    put16(tcp + TCP_CHECKSUM, stored(offload_sum(tcp, length, pseudo)));

    s->seq += (uint32_t)payload;
    s->next += payload;
    s->first = false;
    return true;
}

void offload_split_moved(struct offload_split *s, size_t by)
{
    s->next -= by;
    s->end -= by;
}
