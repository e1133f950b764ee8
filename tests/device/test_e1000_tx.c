/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frames from the guest through the e1000: descriptors, what is left to the card to be done,
 * segmentation, loopback, and descriptors that no driver writes. Sections are those of the SDM. */
#include "tests/device/e1000_rig.h"

#include "net/offload.h"

enum { BAM = 0x8000, LPE = 0x20, SECRC = 0x04000000 };
enum { IXSM = 1, TXSM = 2 };
#define LBM_MAC 0x40

static uint8_t *data(void)
{
    return ram(TX_DATA);
}

static uint8_t tx_status(uint32_t i)
{
    return *ram(TX_RING + 16 * i + 12);
}

/* An IPv4 or IPv6 segment in guest memory, without checksums; the length of its headers. */
static size_t make_segment(bool ipv6, bool udp, size_t payload)
{
    const size_t ip = 14, transport = ip + (ipv6 ? 40 : 20);
    const size_t headers = transport + (udp ? 8 : 20), len = headers + payload;
    uint8_t *p = data();
    memset(p, 0, headers);
    make_frame(p, 14, NULL);
    p[0] = 2;
    p[12] = ipv6 ? 0x86 : 0x08;
    p[13] = ipv6 ? 0xDD : 0x00;
    if (ipv6) {
        p[ip] = 0x60;
        p[ip + 4] = (uint8_t)((len - transport) >> 8);
        p[ip + 5] = (uint8_t)(len - transport);
        p[ip + 6] = udp ? 17 : 6;
        p[ip + 7] = 64;
    } else {
        p[ip] = 0x45;
        p[ip + 2] = (uint8_t)((len - ip) >> 8);
        p[ip + 3] = (uint8_t)(len - ip);
        p[ip + 8] = 64;
        p[ip + 9] = udp ? 17 : 6;
    }
    for (size_t i = ip + (ipv6 ? 8 : 12); i < transport; i++)
        p[i] = (uint8_t)(i * 5);
    if (udp) {
        p[transport + 4] = (uint8_t)((len - transport) >> 8);
        p[transport + 5] = (uint8_t)(len - transport);
    } else {
        p[transport + 7] = 100; /* sequence number */
        p[transport + 12] = 0x50;
        p[transport + 13] = 0x18;
    }
    for (size_t i = headers; i < len; i++)
        p[i] = (uint8_t)(i * 11 + i / 256);
    return headers;
}

static void assert_valid(const struct kept *k, size_t payload)
{
    struct offload_packet p;
    assert_true(offload_parse(k->frame, k->len, &p));
    assert_true(p.protocol != 0);
    assert_true(offload_ip_valid(k->frame, &p));
    assert_true(offload_transport_valid(k->frame, &p));
    assert_int_equal(p.end - p.payload, payload);
}

/* ---- Descriptors ---- */

static void a_frame_goes_out(void **state)
{
    (void)state;
    start(0);
    out(IMS, TXDW | TXQE);
    make_frame(data(), 100, NULL);
    put_legacy(TX_DATA, 100, EOP | IFCS | RS);
    out(TDT, 1);
    assert_int_equal(t.count, 0); /* not in the guest's access */
    run();
    assert_int_equal(t.count, 1);
    assert_int_equal(t.sent[0].len, 100);
    assert_memory_equal(t.sent[0].frame, data(), 100);
    assert_int_equal(tx_status(0), 1);
    assert_int_equal(in(TDH), 1);
    assert_true(line());
    assert_int_equal(in(ICR), TXDW | TXQE);
    /* Without RS nothing is written back. */
    put_legacy(TX_DATA, 60, EOP | IFCS);
    go();
    assert_int_equal(tx_status(1), 0);
    assert_int_equal(in(ICR), TXQE);
    /* RPS asks for the same: nothing is left in a FIFO then. */
    put_legacy(TX_DATA, 60, EOP | IFCS | 0x10);
    go();
    assert_int_equal(tx_status(2), 1);
    /* Short ones are padded only if asked for. */
    put_legacy(TX_DATA, 30, EOP | IFCS);
    go();
    assert_int_equal(t.sent[3].len, 60);
    assert_memory_equal(t.sent[3].frame, data(), 30);
    for (unsigned i = 30; i < 60; i++)
        assert_int_equal(t.sent[3].frame[i], 0);
    out(TCTL, 2);
    put_legacy(TX_DATA, 30, EOP | IFCS);
    go();
    assert_int_equal(t.sent[4].len, 30);
    /* The guest's own check sequence doesn't go out. */
    put_legacy(TX_DATA, 64, EOP);
    go();
    assert_int_equal(t.sent[5].len, 60);
    /* No more is sent when the transmitter is off, or may not master the bus. */
    out(TCTL, 0);
    put_legacy(TX_DATA, 60, EOP | IFCS);
    go();
    assert_int_equal(t.count, 6);
    rig_pci_write(t.rig, SLOT, 0, 4, 2, 3);
    out(TCTL, 2);
    run();
    assert_int_equal(t.count, 6);
    rig_pci_write(t.rig, SLOT, 0, 4, 2, 7);
    run();
    assert_int_equal(t.count, 7);
}

static void frames_of_pieces_round_the_ring(void **state)
{
    (void)state;
    start(0);
    make_frame(data(), 3000, NULL);
    for (unsigned i = 0; i < 20; i++) {
        data()[20] = (uint8_t)i;
        put_legacy(TX_DATA, 14, RS);
        go(); /* the rest follows later */
        assert_int_equal(t.count, i);
        put_data(TX_DATA + 14, 0, 0, 0);
        t.tx_at = (t.tx_at + TX_SIZE - 1) % TX_SIZE; /* and is of one kind */
        put_legacy(TX_DATA + 14, 500, 0);
        put_legacy(0, 0, 0);
        put_legacy(TX_DATA + 514, 1000, EOP | IFCS | RS);
        go();
        assert_int_equal(t.count, i + 1);
        assert_int_equal(t.sent[i].len, 1514);
        assert_memory_equal(t.sent[i].frame, data(), 1514);
        assert_int_equal(in(TDH), t.tx_at);
        assert_int_equal(tx_status((t.tx_at + TX_SIZE - 4) % TX_SIZE), 1);
        assert_int_equal(tx_status((t.tx_at + TX_SIZE - 3) % TX_SIZE), 0);
        assert_int_equal(tx_status((t.tx_at + TX_SIZE - 1) % TX_SIZE), 1);
    }
}

static void delays(void **state)
{
    (void)state;
    start(0);
    out(IMS, TXDW);
    out(TIDV, 100);
    out(TADV, 250);
    make_frame(data(), 60, NULL);
    put_legacy(TX_DATA, 60, EOP | IFCS | RS | IDE);
    go();
    assert_int_equal(tx_status(0), 1);
    assert_false(line());
    rig_step(t.rig, 110 * NS_PER_US);
    assert_true(line());
    in(ICR);
    for (unsigned i = 0; i < 3; i++) { /* the limit */
        put_legacy(TX_DATA, 60, EOP | IFCS | RS | IDE);
        go();
        rig_step(t.rig, 85 * NS_PER_US);
        assert_false(line());
    }
    rig_step(t.rig, 5 * NS_PER_US);
    assert_true(line());
    in(ICR);
    put_legacy(TX_DATA, 60, EOP | IFCS | RS | IDE);
    go();
    put_legacy(TX_DATA, 60, EOP | IFCS | RS); /* one that does not wait */
    go();
    assert_true(line());
    in(ICR);
    assert_int_equal(clock_deadline(&t.rig->clock), CLOCK_NEVER);
    put_legacy(TX_DATA, 60, EOP | IFCS | RS | IDE);
    go();
    out(TIDV, 0x80000000 | 100);
    assert_true(line());
    /* TXD_LOW: eight are left. */
    out(IMC, ~0u);
    out(TXDCTL, 1u << 25);
    in(ICR);
    for (unsigned i = 0; i < 7; i++)
        put_legacy(TX_DATA, 60, EOP | IFCS);
    go();
    assert_int_equal(in(ICR), TXQE);
    for (unsigned i = 0; i < 9; i++)
        put_legacy(TX_DATA, 60, EOP | IFCS);
    go();
    assert_int_equal(in(ICR), 0x8000 | TXQE);
}

static void a_full_back_end_is_waited_for(void **state)
{
    (void)state;
    start(0);
    make_frame(data(), 60, NULL);
    t.full_after = 3;
    for (unsigned i = 0; i < 8; i++)
        put_legacy(TX_DATA, 60, EOP | IFCS | RS);
    go();
    assert_int_equal(t.count, 3);
    assert_int_equal(in(TDH), 4); /* one waits at the wire */
    t.full_after = 0;
    net_writable(t.net);
    run();
    assert_int_equal(t.count, 8);
    assert_int_equal(in(TDH), 8);
    /* A reset takes back what was asked for. */
    put_legacy(TX_DATA, 60, EOP | IFCS | RS);
    out(TDT, t.tx_at);
    out(CTRL, 0x04000000);
    run();
    assert_int_equal(t.count, 8);
    out(0x10000, 0);
}

/* More than a turn's worth. */
static void long_rings(void **state)
{
    (void)state;
    start(0);
    make_frame(data(), 60, NULL);
    const uint32_t ring = 0x300000, size = 1024;
    for (uint32_t i = 0; i < size; i++) {
        put64(ring + 16 * i, TX_DATA);
        put64(ring + 16 * i + 8, 60 | (uint64_t)(EOP | IFCS | RS) << 24);
    }
    out(TDBAL, ring);
    out(TDLEN, size * 16);
    out(TDH, 1000);
    out(TDT, 999);
    run();
    assert_int_equal(t.count, 1023);
    assert_int_equal(in(TDH), 999);
    for (uint32_t i = 0; i < size; i++)
        assert_int_equal(*ram(ring + 16 * i + 12), i != 999);
}

/* ---- Checksums, VLANs (3.3.3, 3.5) ---- */

static void sums_are_inserted(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 8; kind++) {
        const bool ipv6 = kind & 1, udp = kind & 2, tag = kind & 4;
        start(0);
        forget();
        if (tag)
            out(CTRL, 0x40140240);
        const size_t headers = make_segment(ipv6, udp, 333), len = headers + 333;
        const unsigned transport = ipv6 ? 54 : 34;
        struct offload_packet p;
        struct net_offload o;
        assert_true(offload_parse(data(), len, &p));
        offload_ask_transport(data(), &p, &o); /* the pseudo header's sum */
        put_context(14, 24, 33, transport, transport + (udp ? 6 : 16), 0, udp ? 0 : 3, 0, 0);
        put_data(TX_DATA, 100, 0, ipv6 ? TXSM : TXSM | IXSM);
        put_tx(TX_DATA + 100,
               (len - 100) | 1u << 20 | (uint32_t)(EOP | IFCS | RS | DEXT | VLE) << 24,
               0xA005u << 16);
        go();
        assert_int_equal(t.count, 1);
        assert_int_equal(t.sent[0].len, len + (tag ? 4 : 0));
        assert_valid(&t.sent[0], 333);
        if (tag)
            assert_memory_equal(t.sent[0].frame + 12, "\x81\x00\xA0\x05", 4);
        assert_memory_equal(t.sent[0].frame, data(), 12);
        assert_int_equal(in(TDH), 3);
    }
    /* An end within the frame; sums that cannot be are left alone. */
    start(0);
    forget();
    memset(data(), 0, 100);
    data()[20] = 0x12;
    data()[50] = 0x34;
    put_context(20, 16, 29, 30, 34, 59, 0, 0, 0);
    put_data(TX_DATA, 100, EOP | IFCS, IXSM | TXSM);
    put_context(255, 16, 10, 200, 98, 59, 0, 0, 0);
    put_data(TX_DATA, 100, EOP | IFCS, IXSM | TXSM);
    put_context(20, 99, 10, 40, 99, 0, 0, 0, 0);
    put_data(TX_DATA, 100, EOP | IFCS, IXSM | TXSM);
    go();
    assert_int_equal(t.count, 3);
    assert_memory_equal(t.sent[0].frame + 16, "\xED\xFF", 2);
    assert_memory_equal(t.sent[0].frame + 34, "\xCB\xFF", 2);
    assert_memory_equal(t.sent[1].frame, data(), 100);
    assert_memory_equal(t.sent[2].frame, data(), 100);
    /* A legacy descriptor's. */
    start(0);
    forget();
    put_tx(TX_DATA, 100 | 16u << 16 | (uint32_t)(EOP | IFCS | IC) << 24, 20u << 8);
    go();
    put_tx(TX_DATA, 100 | 60u << 16 | (uint32_t)(EOP | IFCS | IC) << 24, 50u << 8);
    go();
    assert_memory_equal(t.sent[0].frame + 16, "\xB9\xFF", 2);
    assert_memory_equal(t.sent[1].frame + 60, "\xCB\xFF", 2);
}

/* ---- Segmentation (3.5) ---- */

static void send_segment(bool ipv6, size_t headers, size_t len, unsigned mss)
{
    put_context(14, 24, 33, ipv6 ? 54 : 34, ipv6 ? 70 : 50, 0, TSE | (ipv6 ? 1 : 3),
                (unsigned)headers, mss);
    put_data(TX_DATA, (uint32_t)headers, TSE, IXSM | TXSM);
    for (size_t at = headers; at < len; at += 16000) {
        const uint32_t n = (uint32_t)(len - at < 16000 ? len - at : 16000);
        put_data(TX_DATA + (uint32_t)at, n, TSE | (at + n == len ? EOP | IFCS | RS : 0), 0);
    }
    go();
}

static void segments_are_split(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 2; kind++) {
        start(0);
        forget();
        const size_t payload = 60000, headers = make_segment(kind, false, payload);
        data()[kind ? 18 : 16] = data()[kind ? 19 : 17] = 0; /* drivers leave the length out */
        send_segment(kind, headers, headers + payload, 1448);
        assert_int_equal(t.count, 42);
        size_t done = 0;
        for (unsigned i = 0; i < t.count; i++) {
            const size_t part = t.sent[i].len - headers;
            assert_int_equal(part, i < 41 ? 1448 : payload - 41 * 1448);
            assert_valid(&t.sent[i], part);
            assert_memory_equal(t.sent[i].frame + headers, data() + headers + done, part);
            const uint8_t *seq = t.sent[i].frame + (kind ? 54 : 34) + 4;
            assert_int_equal(seq[2] << 8 | seq[3], (done + 100) & 0xFFFF);
            done += part;
        }
        assert_int_equal(tx_status(t.tx_at - 1), 1);
        assert_int_equal(in(0x40D4), 42); /* TPT */
        assert_int_equal(in(0x4090), payload + 42 * (headers + 4));
        in(0x4094);
        assert_int_equal(in(0x40EC), 41); /* 1024 to 1522 bytes */
        assert_int_equal(in(0x40E8) + in(0x40E4), 1);
        assert_int_equal(in(0x40F8), 1); /* TSCTC */
        assert_int_equal(in(0x40FC), 0);
    }
}

static void the_back_end_splits(void **state)
{
    (void)state;
    start(0);
    out(CTRL, 0x40140240);
    const size_t headers = make_segment(false, false, 10000);
    put_context(14, 24, 33, 34, 50, 0, TSE | 3, (unsigned)headers, 1448);
    put_data(TX_DATA, 54, TSE | VLE, IXSM | TXSM);
    put_tx(TX_DATA + 54, 10000 | 1u << 20 | (uint32_t)(EOP | IFCS | TSE | DEXT | VLE) << 24,
           7u << 16);
    go();
    assert_int_equal(t.count, 1);
    assert_int_equal(t.sent[0].len, 10058);
    assert_int_equal(t.sent[0].offload.mss, 1448);
    assert_int_equal(t.sent[0].offload.ip, 18);
    assert_int_equal(t.sent[0].offload.tcp, 38);
    assert_memory_equal(t.sent[0].frame + 12, "\x81\x00\x00\x07", 4);
    assert_int_equal(in(0x4090), 10000 + 7 * (58 + 4));
}

/* What the context says is not what the headers are: CVE-2015-6815 and its like. */
static void contexts_that_lie(void **state)
{
    static const struct {
        unsigned ipcss, tucss, hdrlen, mss, command;
    } lies[] = {
        {14, 34, 54, 0, 3},     {14, 34, 0, 0, 3},         {14, 34, 0, 1448, 3},
        {14, 34, 255, 1448, 3}, {14, 34, 53, 1448, 3},     {14, 14, 54, 1448, 3},
        {34, 14, 54, 1448, 3},  {0, 34, 54, 1448, 3},      {14, 35, 54, 1448, 3},
        {14, 255, 54, 1448, 3}, {255, 255, 255, 65535, 3}, {14, 34, 54, 1448, 2},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        start(0);
        make_segment(false, false, 4000);
        put_context(lies[i].ipcss, 24, 33, lies[i].tucss, 50, 0, TSE | lies[i].command,
                    lies[i].hdrlen, lies[i].mss);
        put_data(TX_DATA, 4054, TSE | EOP | IFCS | RS, IXSM | TXSM);
        put_legacy(TX_DATA, 60, EOP | IFCS | RS);
        go();
        assert_int_equal(t.count, i + 1); /* the one behind it */
        assert_int_equal(in(TDH), 3);
        assert_int_equal(tx_status(1), 1);
        assert_int_equal(in(0x40FC), 1);
    }
}

/* Legacy descriptors, then segmentation in the same frame: CVE-2021-20257. */
static void kinds_are_not_mixed(void **state)
{
    (void)state;
    start(0);
    make_segment(false, false, 4000);
    put_context(14, 24, 33, 34, 50, 0, TSE | 3, 54, 46);
    put_legacy(TX_DATA, 4000, RS);
    put_context(14, 24, 33, 34, 50, 0, TSE | 3, 54, 46);
    put_data(TX_DATA, 4000, TSE, IXSM | TXSM);
    put_data(TX_DATA, 4000, TSE | EOP | RS, IXSM | TXSM);
    put_data(TX_DATA, 60, 0, 0);
    put_data(TX_DATA, 60, TSE | EOP, 0);
    put_data(TX_DATA, 60, 0, 0);
    put_legacy(TX_DATA, 60, EOP | IFCS);
    go();
    assert_int_equal(t.count, 0);
    assert_int_equal(in(TDH), 9);
    put_legacy(TX_DATA, 60, EOP | IFCS);
    go();
    assert_int_equal(t.count, 1);
}

static void frames_that_are_too_much(void **state)
{
    (void)state;
    start(0);
    make_frame(data(), 100, NULL);
    put_legacy(TX_DATA, 13, EOP | IFCS); /* no header */
    put_legacy(TX_DATA, 0, EOP | IFCS);
    put_legacy(TX_DATA, 3, EOP);
    put_legacy(TX_DATA, 65535, EOP | IFCS);
    put_legacy(TX_DATA, 16000, 0);
    put_legacy(TX_DATA, 16000, EOP | IFCS);
    put_data(TX_DATA, 0xFFFFF, EOP | IFCS, 0);
    put_data(TX_DATA, 0xFFFFF, EOP | IFCS | TSE, 0);
    put_legacy(0xF0000000, 60, EOP | IFCS); /* nowhere */
    put_legacy((uint32_t)MMIO, 60, EOP | IFCS);
    put_legacy(RIG_RAM - 10, 60, EOP | IFCS);
    go();
    assert_int_equal(t.count, 0);
    assert_int_equal(in(TDH), 11);
    put_legacy(TX_DATA, 16384, EOP | IFCS);
    go();
    assert_int_equal(t.count, 1);
    /* Segments of 64 KiB and more. */
    const size_t headers = make_segment(false, false, 65495);
    start(0);
    forget();
    send_segment(false, headers, headers + 65496, 1448);
    assert_int_equal(t.count, 0);
    start(0);
    send_segment(false, headers, headers + 65495, 60000);
    assert_int_equal(t.count, 2);
    assert_int_equal(t.sent[0].len, 60054);
}

/* A frame without end, and one of more descriptors than are looked at. */
static void endless_frames(void **state)
{
    (void)state;
    start(0);
    make_frame(data(), 100, NULL);
    for (unsigned i = 0; i < TX_SIZE - 1; i++)
        put_legacy(TX_DATA, 4, 0);
    go();
    go();
    assert_int_equal(in(TDH), 0);
    assert_int_equal(t.count, 0);
    const uint32_t ring = 0x300000, size = 4096;
    memset(ram(ring), 0, size * 16);
    for (uint32_t i = 0; i < size; i++)
        put64(ring + 16 * i + 8, (uint64_t)RS << 24);
    start(0);
    out(TDBAL, ring);
    out(TDLEN, size * 16);
    out(TDT, 4000);
    run();
    assert_int_equal(in(TDH), 4000);
    assert_int_equal(*ram(ring + 16 * 3999 + 12), 1);
    /* It is skipped to its end, across a stop; the next one is sent. */
    rig_standard_tests(t.rig, t.rig->devices.first);
    rig_pci_write(t.rig, SLOT, 0, 0x04, 2, 7);
    put64(ring + 16 * 4001, TX_DATA);
    put64(ring + 16 * 4001 + 8, 60 | (uint64_t)(EOP | IFCS) << 24);
    put64(ring + 16 * 4002, TX_DATA);
    put64(ring + 16 * 4002 + 8, 60 | (uint64_t)(EOP | IFCS) << 24);
    out(TDT, 4003);
    run();
    assert_int_equal(in(TDH), 4003);
    assert_int_equal(t.count, 1);
    /* 128 are still one frame. */
    start(0);
    forget();
    for (uint32_t i = 0; i < 128; i++) {
        put64(ring + 16 * i, TX_DATA + i);
        put64(ring + 16 * i + 8, 1 | (uint64_t)(i == 127 ? EOP | IFCS : 0) << 24);
    }
    out(TDBAL, ring);
    out(TDLEN, size * 16);
    out(TDT, 128);
    run();
    assert_int_equal(t.count, 1);
    assert_int_equal(t.sent[0].len, 128);
    assert_memory_equal(t.sent[0].frame, data(), 100);
    /* Nothing but contexts. */
    start(0);
    for (uint32_t i = 0; i < size; i++)
        put64(ring + 16 * i + 8, (uint64_t)(DEXT | RS | TSE) << 24);
    out(TDBAL, ring);
    out(TDLEN, size * 16);
    out(TDT, 4095);
    run();
    assert_int_equal(in(TDH), 4095);
}

static void rings_that_are_none(void **state)
{
    (void)state;
    static const struct {
        uint32_t base, high, len, head, tail;
    } rings[] = {
        {TX_RING, 0, 0, 0, 1},        {TX_RING, 0, 128, 8, 1},
        {TX_RING, 0, 128, 1, 8},      {TX_RING, 0, 128, 0xFFFF, 0},
        {TX_RING, 1, 128, 0, 7},      {0xFFFFFFF0, ~0u, 128, 0, 7},
        {RIG_RAM - 64, 0, 128, 0, 7}, {(uint32_t)MMIO + 0x3800, 0, 128, 0, 7},
    };
    for (size_t i = 0; i < sizeof(rings) / sizeof(rings[0]); i++) {
        start(0);
        out(TDBAL, rings[i].base);
        out(TDBAH, rings[i].high);
        out(TDLEN, rings[i].len);
        out(TDH, rings[i].head);
        out(TDT, rings[i].tail);
        run();
        assert_int_equal(in(TDH), rings[i].head);
        assert_int_equal(t.count, 0);
        out(TDBAH, 0);
    }
}

/* ---- Loopback ---- */

static void frames_come_back(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 3; kind++) {
        out(CTRL, 0x04000000);
        phy_out(0, kind == 2 ? 0x4140 : 0x1140);
        start(BAM | SECRC | (kind == 0 ? LBM_MAC : kind == 1 ? 0xC0 : 0));
        assert_false(t.reading);
        out(IMS, RXT0);
        make_frame(data(), 1024, NULL);
        for (unsigned i = 0; i < 64; i++) {
            const unsigned before = raised();
            put_legacy(TX_DATA, 1024, EOP | IFCS | RS);
            go();
            assert_int_equal(raised(), before + 1);
            in(ICR);
            const uint32_t at = i % RX_SIZE;
            assert_int_equal(in(RDH), (at + 1) % RX_SIZE);
            assert_int_equal(RX_LENGTH(rx_back(at)), 1024);
            assert_memory_equal(ram(RX_DATA + at * BUFFER), data(), 1024);
            memset(ram(RX_DATA + at * BUFFER), 0, 1024);
            out(RDT, at);
        }
        assert_int_equal(t.count, 0);
    }
    /* A segment, in parts, with right sums. */
    phy_out(0, 0x1140);
    start(BAM | 8 | SECRC | LBM_MAC);
    out(RXCSUM, 0x300);
    const size_t headers = make_segment(false, false, 5000);
    send_segment(false, headers, headers + 5000, 1000);
    assert_int_equal(in(RDH), 5);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(RX_STATUS(rx_back(i)) | RX_ERRORS(rx_back(i)) << 8, 0x63);
    /* One of bytes: so many parts come back, and no more. */
    out(RDT, (in(RDH) + RX_SIZE - 1) % RX_SIZE);
    in(0x40D0);
    in(0x4010);
    send_segment(false, headers, headers + 5000, 1);
    assert_int_equal(in(0x40D0) + in(0x4010), 512); /* taken, and lost */
    start(BAM | 8 | SECRC | LBM_MAC);
    in(0x4010);
    for (unsigned i = 0; i < 5; i++)
        put_legacy(TX_DATA, 60, EOP | IFCS);
    go();
    /* With sums that are left to be done. */
    put_tx(TX_DATA, 100 | 16u << 16 | (uint32_t)(EOP | IFCS | IC) << 24, 20u << 8);
    go();
    assert_int_equal(in(RDH), 6);
    /* No room: lost, and counted. */
    for (unsigned i = 0; i < 4; i++)
        put_legacy(TX_DATA, 60, EOP | IFCS);
    go();
    assert_int_equal(in(RDH), 7);
    assert_int_equal(in(0x4010), 3);
}

/* Descriptors that point at our own registers (CVE-2021-3416): a frame comes back once. */
static void loopback_into_the_registers(void **state)
{
    (void)state;
    start(BAM | LBM_MAC);
    make_frame(data(), 200, NULL);
    for (uint32_t i = 0; i < RX_SIZE; i++)
        put64(RX_RING + 16 * i, MMIO + TDT - 14);
    for (unsigned i = 0; i < 3; i++)
        put_legacy(TX_DATA, 200, EOP | IFCS | RS);
    go();
    assert_int_equal(in(RDH), 3);
    assert_int_equal(in(TDH), 3);
    assert_int_equal(in(TDT), 3);
    /* Rings that are each other. */
    out(RDBAL, TX_RING);
    out(RDH, 4);
    out(RDT, 3);
    out(RDLEN, TX_SIZE * 16);
    for (unsigned i = 0; i < 12; i++)
        put_legacy(TX_RING, 200, EOP | IFCS | RS);
    go();
    assert_int_equal(in(TDH), 15);
    assert_int_equal(t.count, 0);
}

static void frames_are_counted(void **state)
{
    static const unsigned sizes[] = {60, 61, 124, 252, 508, 1020};
    (void)state;
    start(0);
    for (unsigned i = 0; i < 6; i++) {
        make_frame(data(), sizes[i], NULL);
        if (i < 2)
            data()[0] = (uint8_t)i; /* to one, to some, to all */
        put_legacy(TX_DATA, sizes[i], EOP | IFCS);
        go();
    }
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(in(0x40D8 + 4 * i), 1);
    assert_int_equal(in(0x4080), 6);
    assert_int_equal(in(0x40D4), 6);
    assert_int_equal(in(0x40F0), 1);
    assert_int_equal(in(0x40F4), 4);
    assert_int_equal(in(0x4090), 60 + 61 + 124 + 252 + 508 + 1020 + 24);
    assert_int_equal(in(0x40C8), 60 + 61 + 124 + 252 + 508 + 1020 + 24);
    assert_int_equal(in(0x40CC), 0);
    assert_int_equal(in(0x40C8), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_frame_goes_out, setup, teardown),
        cmocka_unit_test_setup_teardown(frames_of_pieces_round_the_ring, setup, teardown),
        cmocka_unit_test_setup_teardown(delays, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_back_end_is_waited_for, setup, teardown),
        cmocka_unit_test_setup_teardown(long_rings, setup, teardown),
        cmocka_unit_test_setup_teardown(sums_are_inserted, setup, teardown),
        cmocka_unit_test_setup_teardown(segments_are_split, setup, teardown),
        cmocka_unit_test_setup_teardown(the_back_end_splits, setup_offloads, teardown),
        cmocka_unit_test_setup_teardown(contexts_that_lie, setup, teardown),
        cmocka_unit_test_setup_teardown(kinds_are_not_mixed, setup, teardown),
        cmocka_unit_test_setup_teardown(frames_that_are_too_much, setup, teardown),
        cmocka_unit_test_setup_teardown(endless_frames, setup, teardown),
        cmocka_unit_test_setup_teardown(rings_that_are_none, setup, teardown),
        cmocka_unit_test_setup_teardown(frames_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(loopback_into_the_registers, setup, teardown),
        cmocka_unit_test_setup_teardown(frames_are_counted, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
