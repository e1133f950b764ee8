/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checksums and segmentation, against plain sums by the book; headers of all kinds, and cut short.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "net/offload.h"
#include "tests/unit/net_bytes.h"

static uint32_t seed = 1;

static uint8_t chance(void)
{
    seed = seed * 1103515245 + 12345;
    return (uint8_t)(seed >> 16);
}

/* RFC 1071 word by word. */
static unsigned plain_sum(const uint8_t *p, size_t len, unsigned sum)
{
    uint64_t s = sum;
    for (size_t i = 0; i < len; i++)
        s += i & 1 ? p[i] : (unsigned)p[i] << 8;
    while (s >> 16)
        s = (s & 0xFFFF) + (s >> 16);
    return (unsigned)s;
}

static void sums_are_those_of_the_book(void **state)
{
    (void)state;
    static uint8_t data[NET_MAX_FRAME + 16];
    static const uint8_t example[] = {0x00, 0x01, 0xF2, 0x03, 0xF4, 0xF5, 0xF6, 0xF7};
    assert_int_equal(offload_sum(example, sizeof(example), 0), 0xDDF2); /* RFC 1071, 3. */
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = chance();
    for (size_t len = 0; len < 300; len++)
        for (size_t at = 0; at < 9; at++)
            assert_int_equal(offload_sum(data + at, len, 0x1234),
                             plain_sum(data + at, len, 0x1234));
    assert_int_equal(offload_sum(data, NET_MAX_FRAME, 0xFFFF),
                     plain_sum(data, NET_MAX_FRAME, 0xFFFF));
    memset(data, 0xFF, sizeof(data)); /* all carries there are */
    for (size_t len = NET_MAX_FRAME - 40; len <= NET_MAX_FRAME; len++)
        assert_int_equal(offload_sum(data, len, 0xFFFF), plain_sum(data, len, 0xFFFF));
    assert_int_equal(offload_sum(data, 0, 0), 0);
}

/* ---- Frames ---- */

struct shape {
    bool ipv6;
    unsigned tags;       /* VLAN */
    unsigned options;    /* of IPv4, in words */
    unsigned extensions; /* of IPv6, of 8 bytes */
    uint8_t protocol;
    unsigned tcp_options; /* in words */
};

struct layout {
    size_t ip, transport, payload;
};

static size_t build(uint8_t *f, const struct shape *s, size_t payload, struct layout *at)
{
    size_t n = 12;
    memset(f, 0x5A, NET_MAX_FRAME);
    for (unsigned i = 0; i < s->tags; i++, n += 4)
        put16(f + n, i || s->tags == 1 ? 0x8100 : 0x88A8);
    put16(f + n, s->ipv6 ? 0x86DD : 0x0800);
    at->ip = n += 2;
    if (s->ipv6) {
        static const uint8_t kinds[] = {0, 43, 60};
        memset(f + n, 0, 8);
        f[n] = 0x60;
        f[n + 6] = s->extensions ? kinds[0] : s->protocol;
        for (unsigned i = 8; i < 40; i++)
            f[n + i] = chance();
        n += 40;
        for (unsigned i = 0; i < s->extensions; i++, n += 8) {
            f[n] = i + 1 < s->extensions ? kinds[(i + 1) % 3] : s->protocol;
            f[n + 1] = 0;
        }
    } else {
        memset(f + n, 0, 20 + 4 * s->options);
        f[n] = (uint8_t)(0x45 + s->options);
        put16(f + n + 4, 0xFFFE); /* the identification goes round */
        put16(f + n + 6, 0x4000);
        f[n + 8] = 64;
        f[n + 9] = s->protocol;
        for (unsigned i = 12; i < 20; i++)
            f[n + i] = chance();
        n += 20 + 4 * s->options;
    }
    at->transport = n;
    if (s->protocol == OFFLOAD_TCP) {
        memset(f + n, 0, 20 + 4 * s->tcp_options);
        put16(f + n, 1234);
        put16(f + n + 4, 0xFFFF); /* the sequence number too */
        put16(f + n + 6, 0xFF00);
        f[n + 12] = (uint8_t)((5 + s->tcp_options) << 4);
        f[n + 13] = 0x80 | 0x10 | 0x08 | 0x01; /* CWR ACK PSH FIN */
        n += 20 + 4 * s->tcp_options;
    } else {
        memset(f + n, 0, 8);
        put16(f + n + 4, (unsigned)(8 + payload));
        n += 8;
    }
    at->payload = n;
    for (size_t i = 0; i < payload; i++)
        f[n + i] = (uint8_t)(i * 7 + i / 256);
    n += payload;
    if (s->ipv6)
        put16(f + at->ip + 4, (unsigned)(n - at->ip - 40));
    else
        put16(f + at->ip + 2, (unsigned)(n - at->ip));
    return n;
}

static const struct shape shapes[] = {
    {.protocol = OFFLOAD_TCP},
    {.protocol = OFFLOAD_TCP, .tags = 1, .tcp_options = 3},
    {.protocol = OFFLOAD_TCP, .tags = 2, .options = 10, .tcp_options = 10},
    {.protocol = OFFLOAD_TCP, .ipv6 = true},
    {.protocol = OFFLOAD_TCP, .ipv6 = true, .tags = 2, .extensions = 5, .tcp_options = 3},
    {.protocol = OFFLOAD_UDP},
    {.protocol = OFFLOAD_UDP, .ipv6 = true, .extensions = 1},
};
#define SHAPES (sizeof(shapes) / sizeof(shapes[0]))

static bool right_by_the_book(const uint8_t *f, const struct shape *s, const struct layout *at,
                              size_t len)
{
    size_t length = len - at->transport;
    unsigned sum = s->ipv6 ? plain_sum(f + at->ip + 8, 32, s->protocol)
                           : plain_sum(f + at->ip + 12, 8, s->protocol);
    uint8_t l[2];
    put16(l, (unsigned)length);
    sum = plain_sum(l, 2, sum);
    return plain_sum(f + at->transport, length, sum) == 0xFFFF;
}

static uint8_t *frame;

static int setup(void **state)
{
    (void)state;
    frame = malloc(NET_MAX_FRAME);
    return frame ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    free(frame);
    return 0;
}

static void headers_are_found_and_sums_put_in(void **state)
{
    (void)state;
    for (size_t i = 0; i < SHAPES; i++) {
        const struct shape *s = &shapes[i];
        struct layout at;
        struct offload_packet p;
        struct net_offload offload = {0};
        size_t len = build(frame, s, 333, &at);
        assert_true(offload_parse(frame, len + 10, &p)); /* with padding */
        assert_int_equal(p.version, s->ipv6 ? 6 : 4);
        assert_int_equal(p.protocol, s->protocol);
        assert_int_equal(p.ip, at.ip);
        assert_int_equal(p.transport, at.transport);
        assert_int_equal(p.payload, at.payload);
        assert_int_equal(p.end, len);
        offload_fill_ip(frame, &p);
        assert_true(offload_ip_valid(frame, &p));
        assert_true(s->ipv6 || plain_sum(frame + at.ip, at.transport - at.ip, 0) == 0xFFFF);
        offload_ask_transport(frame, &p, &offload);
        assert_true(offload_checksum(frame, len, &offload));
        assert_true(offload_transport_valid(frame, &p));
        assert_true(right_by_the_book(frame, s, &at, len));
        frame[at.payload + 7] ^= 0x10;
        assert_false(offload_transport_valid(frame, &p));
        if (!s->ipv6) {
            frame[at.ip + 8]--;
            assert_false(offload_ip_valid(frame, &p));
        }
    }
}

static void udp_without_a_checksum_is_right_over_ipv4_only(void **state)
{
    (void)state;
    for (unsigned v6 = 0; v6 < 2; v6++) {
        const struct shape s = {.protocol = OFFLOAD_UDP, .ipv6 = v6};
        struct layout at;
        struct offload_packet p;
        size_t len = build(frame, &s, 20, &at);
        assert_true(offload_parse(frame, len, &p));
        assert_int_equal(offload_transport_valid(frame, &p), !v6);
    }
}

/* A sum of all ones would be a checksum of 0, which says that there is none. */
static void a_checksum_of_zero_is_not_stored(void **state)
{
    (void)state;
    uint8_t f[60] = {0};
    const struct net_offload offload = {.csum = true, .csum_start = 14, .csum_at = 20};
    put16(f + 20, 0xFFFF);
    assert_true(offload_checksum(f, sizeof(f), &offload));
    assert_int_equal(get16(f + 20), 0xFFFF);
}

static void what_is_no_ip_has_no_headers(void **state)
{
    (void)state;
    struct layout at;
    struct offload_packet p;
    size_t len = build(frame, &shapes[0], 50, &at);
    put16(frame + 12, 0x0806);
    assert_false(offload_parse(frame, len, &p));
    assert_int_equal(p.version | p.protocol | p.ip | p.transport, 0);
    put16(frame + 12, 0x86DD); /* a type that the header isn't */
    assert_false(offload_parse(frame, len, &p));
    put16(frame + 12, 0x0800);
    frame[at.ip] = 0x44; /* a header of 16 bytes */
    assert_false(offload_parse(frame, len, &p));
    frame[at.ip] = 0x45;
    put16(frame + at.ip + 2, 19);
    assert_false(offload_parse(frame, len, &p));
    put16(frame + at.ip + 2, (unsigned)(len - at.ip + 1));
    assert_false(offload_parse(frame, len, &p));
    assert_false(offload_parse(frame, 0, &p));

    /* A part of a datagram has no transport header, or one of more than there is. */
    static const unsigned fragments[] = {0x2000, 0x0001, 0x3FFF};
    for (unsigned i = 0; i < 3; i++) {
        len = build(frame, &shapes[0], 50, &at);
        put16(frame + at.ip + 6, fragments[i]);
        assert_true(offload_parse(frame, len, &p));
        assert_int_equal(p.protocol, 0);
        assert_int_equal(p.transport, 0);
    }
    len = build(frame, &shapes[0], 50, &at);
    frame[at.transport + 12] = 0x40;
    assert_true(offload_parse(frame, len, &p));
    assert_int_equal(p.protocol, 0);
    frame[at.ip + 9] = 1; /* ICMP */
    assert_true(offload_parse(frame, len, &p));
    assert_int_equal(p.protocol, 0);
    const struct shape fragment6 = {.protocol = 44, .ipv6 = true};
    len = build(frame, &fragment6, 50, &at);
    assert_true(offload_parse(frame, len, &p));
    assert_int_equal(p.protocol, 0);
}

/* Each length in memory of exactly that size, for the sanitizer. */
static void frames_cut_anywhere_are_not_read_past(void **state)
{
    (void)state;
    for (size_t i = 0; i < SHAPES; i++) {
        struct layout at;
        struct offload_packet p;
        size_t len = build(frame, &shapes[i], 5, &at), headers, parts;
        for (size_t cut = 0; cut < len; cut++) {
            uint8_t *f = malloc(cut ? cut : 1);
            memcpy(f, frame, cut);
            assert_false(offload_parse(f, cut, &p));
            struct net_offload o = {.mss = 5, .ip = (uint16_t)at.ip, .tcp = (uint16_t)at.transport};
            struct offload_split split;
            bool fits = shapes[i].protocol == OFFLOAD_TCP && cut >= at.payload;
            assert_int_equal(offload_split_begin(&split, f, cut, &o), fits);
            assert_int_equal(offload_prepare(f, cut, &o, &headers, &parts), fits);
            free(f);
        }
    }
}

/* ---- Segments ---- */

/* The parts one after the other against what a host would have sent by itself. */
static void split_as_shape(const struct shape *s, size_t payload, size_t mss)
{
    struct layout at;
    size_t len = build(frame, s, payload, &at), part_at, part_len, done = 0, parts = 0;
    struct net_offload o = {
        .mss = (uint16_t)mss, .ip = (uint16_t)at.ip, .tcp = (uint16_t)at.transport};
    struct offload_split split;
    uint32_t seq = get32(frame + at.transport + 4);
    uint16_t id = (uint16_t)get16(frame + at.ip + 4);
    assert_true(offload_split_begin(&split, frame, len, &o));
    while (offload_split_next(&split, frame, &part_at, &part_len)) {
        const uint8_t *f = frame + part_at;
        size_t want = payload - done < mss ? payload - done : mss;
        bool last = done + want == payload;
        assert_int_equal(part_len, at.payload + want);
        for (size_t i = 0; i < want; i++)
            assert_int_equal(f[at.payload + i], (uint8_t)((done + i) * 7 + (done + i) / 256));
        struct offload_packet p;
        assert_true(offload_parse(f, part_len, &p));
        assert_int_equal(p.end, part_len);
        assert_true(offload_ip_valid(f, &p));
        assert_true(right_by_the_book(f, s, &at, part_len));
        assert_int_equal(get32(f + at.transport + 4), (uint32_t)(seq + done));
        if (!s->ipv6)
            assert_int_equal(get16(f + at.ip + 4), (uint16_t)(id + parts));
        assert_int_equal(f[at.transport + 13],
                         0x10 | (parts ? 0 : 0x80) | (last ? 0x09 : 0)); /* CWR first; PSH, FIN
                                                                            last */
        done += want;
        parts++;
    }
    assert_int_equal(done, payload);
    size_t headers, said;
    len = build(frame, s, payload, &at);
    if (len - at.ip > 65535)
        return;
    assert_true(offload_prepare(frame, len, &o, &headers, &said));
    assert_int_equal(said, parts);
    assert_int_equal(headers, at.payload);
}

static void segments_are_split(void **state)
{
    (void)state;
    static const struct {
        size_t payload, mss;
    } sizes[] = {{0, 100},    {1, 100},      {100, 100},    {101, 100},
                 {2000, 536}, {20000, 1460}, {64000, 1448}, {300, 1}};
    for (size_t i = 0; i < SHAPES; i++)
        if (shapes[i].protocol == OFFLOAD_TCP)
            for (size_t j = 0; j < sizeof(sizes) / sizeof(sizes[0]); j++)
                split_as_shape(&shapes[i], sizes[j].payload, sizes[j].mss);
}

/* Moved to another buffer before each part, as the wire does when somebody is full. */
static void a_split_can_be_moved(void **state)
{
    (void)state;
    uint8_t *other = malloc(NET_MAX_FRAME), *f = frame;
    struct layout at;
    struct offload_split split;
    size_t len = build(frame, &shapes[1], 5000, &at), part_at, part_len, done = 0;
    const struct net_offload o = {.mss = 700, .ip = (uint16_t)at.ip, .tcp = (uint16_t)at.transport};
    assert_true(offload_split_begin(&split, frame, len, &o));
    while (offload_split_next(&split, f, &part_at, &part_len)) {
        size_t left = split.end - part_at;
        memmove(other, f + part_at, left);
        offload_split_moved(&split, part_at);
        f = other;
        struct offload_packet p;
        assert_true(offload_parse(f, part_len, &p));
        assert_true(offload_transport_valid(f, &p));
        for (size_t i = 0; i < part_len - at.payload; i++)
            assert_int_equal(f[at.payload + i], (uint8_t)((done + i) * 7 + (done + i) / 256));
        done += part_len - at.payload;
    }
    assert_int_equal(done, 5000);
    free(other);
}

static void headers_that_lie_are_not_split(void **state)
{
    (void)state;
    struct layout at;
    struct offload_split split;
    size_t len = build(frame, &shapes[0], 2000, &at);
    struct net_offload good = {.mss = 500, .ip = (uint16_t)at.ip, .tcp = (uint16_t)at.transport};
    assert_true(offload_split_begin(&split, frame, len, &good));
    struct net_offload o = good;
    o.mss = 0;
    assert_false(offload_split_begin(&split, frame, len, &o));
    o.mss = 65535;
    assert_false(offload_split_begin(&split, frame, len, &o));
    o = good;
    o.ip = 10;
    assert_false(offload_split_begin(&split, frame, len, &o));
    o.ip = 38;
    assert_false(offload_split_begin(&split, frame, len, &o));
    o = good;
    o.tcp++;
    assert_false(offload_split_begin(&split, frame, len, &o));
    o.tcp = 65535;
    assert_false(offload_split_begin(&split, frame, len, &o));
    frame[at.ip + 9] = OFFLOAD_UDP;
    assert_false(offload_split_begin(&split, frame, len, &good));
    frame[at.ip + 9] = OFFLOAD_TCP;
    frame[at.transport + 12] = 0x40;
    assert_false(offload_split_begin(&split, frame, len, &good));
    frame[at.transport + 12] = 0xF0;
    assert_true(offload_split_begin(&split, frame, len, &good));
    assert_false(offload_split_begin(&split, frame, at.transport + 59, &good));

    /* IPv6 whose TCP header is said to be so far away that the headers don't fit. */
    len = build(frame, &shapes[3], 2000, &at);
    o = (struct net_offload){.mss = 500, .ip = (uint16_t)at.ip, .tcp = (uint16_t)at.transport};
    assert_true(offload_split_begin(&split, frame, len, &o));
    o.tcp = OFFLOAD_MAX_HEADERS;
    frame[o.tcp + 12] = 0x50;
    assert_false(offload_split_begin(&split, frame, len, &o));
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(sums_are_those_of_the_book),
        T(headers_are_found_and_sums_put_in),
        T(udp_without_a_checksum_is_right_over_ipv4_only),
        T(a_checksum_of_zero_is_not_stored),
        T(what_is_no_ip_has_no_headers),
        T(frames_cut_anywhere_are_not_read_past),
        T(segments_are_split),
        T(a_split_can_be_moved),
        T(headers_that_lie_are_not_split),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
