/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RTL8139 in C+ mode, as 8139cp and re speak it: rings, checksums, large send, VLAN tags, tally
 * counters, hostile rings. */
#include "net/offload.h"
#include "tests/device/rtl8139_rig.h"

#define OWN        0x80000000u
#define EOR        0x40000000u
#define FS         0x20000000u
#define LS         0x10000000u
#define LGSEN      0x08000000u
#define IPCS       0x00040000u
#define UDPCS      0x00020000u
#define TCPCS      0x00010000u
#define TX_ERROR   0x00800000u
#define RX_MAR     0x04000000u
#define RX_PAM     0x02000000u
#define RX_BAR     0x01000000u
#define RX_TCP     0x00010000u
#define RX_UDP     0x00020000u
#define RX_IP      0x00030000u
#define RX_IPF     0x00008000u
#define RX_UDPF    0x00004000u
#define RX_TCPF    0x00002000u
#define TAGC       0x00020000u
#define TAVA       0x00010000u
#define CPTX       0x01
#define CPRX       0x02
#define RXCHKSUM   0x20
#define RXVLAN     0x40
#define NPQ        0x40
#define HPQ        0x80
#define RX_BUFFERS 16

static const uint8_t tag[] = {0x81, 0x00, 0x12, 0x34};
static unsigned tx_at, rx_at;

static void put_rx(unsigned i, uint32_t flags, uint32_t size)
{
    put32(t, RX_RING + 16 * i + 4, 0xFFFFFFFF);
    put32(t, RX_RING + 16 * i + 8, RX_DATA + 0x800 * i);
    put32(t, RX_RING + 16 * i + 12, 0);
    put32(t, RX_RING + 16 * i, flags | (i == RX_BUFFERS - 1 ? EOR : 0) | size);
}

/* As 8139cp starts it: first C+ mode, then the rings. */
static void start_cplus(uint16_t cpcr, uint32_t rcr)
{
    memset(ram(t, TX_RING), 0, 0x800);
    memset(ram(t, HI_RING), 0, 0x800);
    for (unsigned i = 0; i < RX_BUFFERS; i++)
        put_rx(i, OWN, 1536);
    rig_outb(t->rig, CR, RST);
    rig_outw(t->rig, CPCR, CPTX | CPRX | cpcr);
    rig_outl(t->rig, TNPDS, TX_RING);
    rig_outl(t->rig, TNPDS + 4, 0);
    rig_outl(t->rig, THPDS, HI_RING);
    rig_outl(t->rig, THPDS + 4, 0);
    rig_outl(t->rig, RDSAR, RX_RING);
    rig_outl(t->rig, RDSAR + 4, 0);
    rig_outb(t->rig, CR, RE | TE);
    rig_outl(t->rig, RCR, rcr);
    rig_outw(t->rig, IMR, 0xFFFF);
    tx_at = rx_at = 0;
    settle(t);
    rig_outw(t->rig, ISR, 0xFFFF);
}

static void put_tx(uint32_t at, uint32_t command, uint32_t vlan, uint32_t buffer)
{
    put32(t, at + 4, vlan);
    put32(t, at + 8, buffer);
    put32(t, at + 12, 0);
    put32(t, at, command);
}

/* A frame in TX_DATA, in one descriptor; it is sent. Returns what became of the descriptor. */
static uint32_t send(uint32_t flags, size_t len, uint32_t vlan)
{
    const uint32_t at = TX_RING + 16 * tx_at;
    const bool last = tx_at == 63;
    put_tx(at, OWN | FS | LS | flags | (last ? EOR : 0) | (uint32_t)len, vlan, TX_DATA);
    tx_at = last ? 0 : tx_at + 1;
    rig_outb(t->rig, TPPOLL, NPQ);
    settle(t);
    return get32(t, at);
}

/* ---- TCP and UDP ---- */

#define IP_AT  14
#define TCP_AT 34

static void put_be16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

/* A datagram with right checksums; its length. */
static size_t make_datagram(uint8_t *frame, uint8_t protocol, size_t payload)
{
    const size_t header = protocol == OFFLOAD_TCP ? 20 : 8, ip = 20 + header + payload;
    struct offload_packet p;
    struct net_offload ask = {0};
    memset(frame, 0, IP_AT + ip);
    memcpy(frame, own_mac, 6);
    memcpy(frame + 6, other_mac, 6);
    put_be16(frame + 12, 0x0800);
    frame[IP_AT] = 0x45;
    put_be16(frame + IP_AT + 2, (unsigned)ip);
    frame[IP_AT + 8] = 64;
    frame[IP_AT + 9] = protocol;
    memcpy(frame + IP_AT + 12, (uint8_t[]){10, 0, 0, 1, 10, 0, 0, 2}, 8);
    frame[TCP_AT + 7] = 1;
    if (protocol == OFFLOAD_TCP) {
        frame[TCP_AT + 12] = 0x50;
        frame[TCP_AT + 13] = 0x18;
    } else {
        put_be16(frame + TCP_AT + 4, (unsigned)(8 + payload));
    }
    for (size_t i = 0; i < payload; i++)
        frame[TCP_AT + header + i] = (uint8_t)(i * 5 + 1);
    assert_true(offload_parse(frame, IP_AT + ip, &p));
    offload_fill_ip(frame, &p);
    offload_ask_transport(frame, &p, &ask);
    assert_true(offload_checksum(frame, IP_AT + ip, &ask));
    return IP_AT + ip;
}

/* The next filled buffer is checked and given back. Returns its status. */
static uint32_t take_buffer(const uint8_t *frame, size_t len, uint32_t vlan)
{
    const uint32_t at = RX_RING + 16 * rx_at, status = get32(t, at);
    const uint32_t buffer = RX_DATA + 0x800 * rx_at;
    assert_int_equal(status & (OWN | FS | LS), FS | LS);
    assert_int_equal(!!(status & EOR), rx_at == RX_BUFFERS - 1);
    assert_int_equal(status & 0x1FFF, len + 4);
    assert_int_equal(get32(t, at + 4), vlan);
    assert_memory_equal(ram(t, buffer), frame, len);
    assert_int_equal(get32(t, buffer + (uint32_t)len), nic_fcs(frame, len));
    put_rx(rx_at, OWN, 1536);
    rx_at = (rx_at + 1) % RX_BUFFERS;
    return status & 0x0FFFE000;
}

/* ---- Sending ---- */

static void frames_are_sent(void **state)
{
    (void)state;
    start_cplus(0, APM);
    assert_int_equal(rig_inl(t->rig, TNPDS), TX_RING);
    for (unsigned i = 0; i < 200; i++) { /* three times round */
        const size_t len = 60 + i * 11 % 1455;
        t->sent = 0;
        make_frame(ram(t, TX_DATA), other_mac, len, i);
        const bool last = tx_at == 63;
        assert_int_equal(send(0, len, 0), FS | LS | (last ? EOR : 0) | len);
        assert_int_equal(t->sent, 1);
        assert_int_equal(t->len[0], len);
        assert_memory_equal(t->frame[0], ram(t, TX_DATA), len);
        assert_int_equal(isr(t), TOK | TDU);
        assert_true(irq_level(t));
        rig_outw(t->rig, ISR, TOK | TDU);
        assert_false(irq_level(t));
        assert_int_equal(rig_inb(t->rig, TPPOLL), 0);
    }
    rig_outb(t->rig, TPPOLL, 1);
    assert_int_equal(isr(t), SWINT);
}

static void frames_in_pieces(void **state)
{
    uint8_t want[400];
    (void)state;
    start_cplus(0, APM);
    make_frame(want, other_mac, 400, 1);
    memcpy(ram(t, TX_DATA), want, 100);
    memcpy(ram(t, TX_DATA + 0x1001), want + 100, 299);
    memcpy(ram(t, TX_DATA + 0x2003), want + 399, 1);
    put_tx(TX_RING, OWN | FS | 100, 0, TX_DATA);
    put_tx(TX_RING + 16, OWN | 299, 0, TX_DATA + 0x1001);
    put_tx(TX_RING + 32, EOR | LS | 1, 0, TX_DATA + 0x2003); /* not yet */
    rig_outb(t->rig, TPPOLL, NPQ);
    settle(t);
    assert_int_equal(t->sent, 0);
    put32(t, TX_RING + 32, OWN | EOR | LS | 1);
    rig_outb(t->rig, TPPOLL, NPQ);
    settle(t);
    assert_int_equal(t->sent, 1);
    assert_int_equal(t->len[0], 400);
    assert_memory_equal(t->frame[0], want, 400);
    assert_int_equal(get32(t, TX_RING), FS | 100);
    assert_int_equal(get32(t, TX_RING + 16), 299);
    assert_int_equal(get32(t, TX_RING + 32), EOR | LS | 1);
    put_tx(TX_RING, OWN | FS | LS | 60, 0, TX_DATA); /* the ring has three */
    rig_outb(t->rig, TPPOLL, NPQ);
    settle(t);
    assert_int_equal(t->sent, 2);
}

static void high_priority_first(void **state)
{
    (void)state;
    start_cplus(0, APM);
    for (unsigned i = 0; i < 3; i++) {
        put_tx(TX_RING + 16 * i, OWN | FS | LS | 60, 0, TX_DATA);
        put_tx(HI_RING + 16 * i, OWN | FS | LS | 70, 0, TX_DATA);
    }
    rig_outb(t->rig, TPPOLL, NPQ);
    rig_outb(t->rig, TPPOLL, HPQ);
    settle(t);
    assert_int_equal(t->sent, 6);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(t->len[i], i < 3 ? 70 : 60);
}

static void the_back_end_is_full(void **state)
{
    (void)state;
    start_cplus(0, APM);
    t->full = true;
    for (unsigned i = 0; i < 10; i++)
        put_tx(TX_RING + 16 * i, OWN | FS | LS | (60 + i), 0, TX_DATA);
    rig_outb(t->rig, TPPOLL, NPQ);
    settle(t);
    assert_int_equal(get32(t, TX_RING), FS | LS | 60);
    assert_int_equal(get32(t, TX_RING + 16), OWN | FS | LS | 61);
    t->full = false;
    net_writable(t->net);
    settle(t);
    assert_int_equal(t->sent, 10);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(t->len[i], 60 + i);
}

static void checksums_are_put_in(void **state)
{
    static const uint8_t protocols[] = {OFFLOAD_TCP, OFFLOAD_UDP};
    uint8_t want[600];
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        start_cplus(0, APM);
        t->sent = 0;
        const size_t len = make_datagram(want, protocols[i], 333);
        const unsigned sum = TCP_AT + (i ? 6 : 16);
        uint8_t *frame = ram(t, TX_DATA);
        memcpy(frame, want, len);
        memset(frame + IP_AT + 10, 0, 2);
        memset(frame + sum, 0, 2);
        send(IPCS | (i ? UDPCS : TCPCS), len, 0);
        assert_int_equal(t->len[0], len);
        assert_memory_equal(t->frame[0], want, len);
        /* Asked for the other protocol's: nothing but the header's. */
        send(IPCS | (i ? TCPCS : UDPCS), len, 0);
        assert_memory_equal(t->frame[1], want, sum);
        assert_int_equal(t->frame[1][sum] | t->frame[1][sum + 1], 0);
        /* With a tag. */
        assert_int_equal(send(IPCS | UDPCS | TCPCS, len, TAGC | 0x3412), FS | LS | len);
        assert_int_equal(t->len[2], len + 4);
        assert_memory_equal(t->frame[2], want, 12);
        assert_memory_equal(t->frame[2] + 12, tag, sizeof(tag));
        assert_memory_equal(t->frame[2] + 16, want + 12, len - 12);
    }
}

static void large_send(void **state)
{
    uint8_t frame[8000];
    (void)state;
    start_cplus(0, APM);
    const size_t len = make_datagram(frame, OFFLOAD_TCP, 5000);
    memcpy(ram(t, TX_DATA), frame, len);
    assert_int_equal(send(LGSEN | 1460u << 16, len, 0), FS | LS | len);
    assert_int_equal(t->sent, 4);
    size_t done = 0;
    for (unsigned i = 0; i < 4; i++) {
        struct offload_packet p;
        const size_t part = t->len[i] - 54;
        assert_int_equal(part, i < 3 ? 1460 : 620);
        assert_true(offload_parse(t->frame[i], t->len[i], &p));
        assert_true(offload_ip_valid(t->frame[i], &p));
        assert_true(offload_transport_valid(t->frame[i], &p));
        assert_int_equal(pci_get16(t->frame[i] + TCP_AT + 6),
                         (uint16_t)((done + 1) << 8 | (done + 1) >> 8));
        assert_memory_equal(t->frame[i] + 54, frame + 54 + done, part);
        done += part;
    }
    assert_int_equal(isr(t), TOK | TDU);
}

/* CVE-2015-5165: headers that promise more than the frame has. It goes as it is, in every mode, and
 * comes back by the loop as it is. */
static void offloads_that_do_not_fit(void **state)
{
    static const struct {
        size_t len;
        unsigned at;
        uint8_t value;
    } bad[] = {
        {14, 0, 0},
        {20, 0, 0},
        {33, 0, 0},
        {34, 0, 0}, /* short */
        {60, IP_AT, 0x40},
        {60, IP_AT, 0x41},
        {40, IP_AT, 0x4F}, /* IHL */
        {60, IP_AT, 0x05},
        {60, IP_AT, 0x65}, /* version */
        {60, IP_AT + 2, 0xFF},
        {60, IP_AT + 3, 0x13}, /* total length */
        {53, 0, 0},
        {46, 0, 0}, /* TCP header short */
        {74, TCP_AT + 12, 0},
        {74, TCP_AT + 12, 0x40},
        {74, TCP_AT + 12, 0xF0}, /* data offset */
    };
    static const uint32_t asked[] = {LGSEN | 1u << 16, LGSEN | 1460u << 16, LGSEN,
                                     LGSEN | 0x7FFu << 16, TCPCS | UDPCS};
    uint8_t frame[200];
    (void)state;
    for (unsigned loop = 0; loop < 2; loop++) {
        for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
            for (unsigned a = 0; a < 5; a++) {
                start_cplus(0, AAP);
                if (loop)
                    rig_outl(t->rig, TCR, LOOPBACK);
                t->sent = 0;
                make_datagram(frame, OFFLOAD_TCP, 20);
                put_be16(frame + IP_AT + 2, (unsigned)bad[i].len - 14);
                if (bad[i].at)
                    frame[bad[i].at] = bad[i].value;
                uint8_t *at = ram(t, TX_DATA);
                memcpy(at, frame, bad[i].len);
                memset(at + bad[i].len, 0xEE, 200); /* must not be seen anywhere */
                send(asked[a], bad[i].len, 0);
                assert_int_equal(isr(t) & (TOK | TER | SERR), TOK);
                if (!loop) {
                    assert_int_equal(t->sent, 1);
                    assert_int_equal(t->len[0], bad[i].len);
                    assert_memory_equal(t->frame[0], frame, bad[i].len);
                    continue;
                }
                uint8_t padded[200] = {0};
                memcpy(padded, frame, bad[i].len);
                take_buffer(padded, bad[i].len < 60 ? 60 : bad[i].len, 0);
                assert_int_equal(get32(t, RX_RING + 16) & OWN, OWN); /* once */
            }
        }
    }
}

static void loopback_with_offloads(void **state)
{
    uint8_t frame[4000], part[1600];
    (void)state;
    start_cplus(RXCHKSUM, APM);
    rig_outl(t->rig, TCR, LOOPBACK);
    size_t len = make_datagram(frame, OFFLOAD_TCP, 1000);
    memcpy(ram(t, TX_DATA), frame, len);
    memset(ram(t, TX_DATA) + TCP_AT + 16, 0, 2);
    send(IPCS | TCPCS, len, 0);
    assert_int_equal(take_buffer(frame, len, 0), RX_PAM | RX_TCP);
    len = make_datagram(frame, OFFLOAD_TCP, 3000);
    memcpy(ram(t, TX_DATA), frame, len);
    send(LGSEN | 1000u << 16, len, 0);
    for (unsigned i = 0; i < 3; i++) {
        memcpy(part, ram(t, RX_DATA + 0x800 * rx_at), 1054);
        assert_int_equal(take_buffer(part, 1054, 0), RX_PAM | RX_TCP); /* checked: right */
        assert_memory_equal(part + 54, frame + 54 + 1000 * i, 1000);
    }
    assert_int_equal(t->sent, 0);
    /* One byte a part: as many as there are buffers, and an end. */
    send(LGSEN | 1u << 16, len, 0);
    assert_int_equal(rig_inl(t->rig, MPC), 1);
    assert_true(isr(t) & RXOVW);
}

/* Without a wire there are no turns: the rest goes on with the next access. */
static void no_cable_ever(void **state)
{
    (void)state;
    rtl8139_rig_free(t);
    t = rtl8139_rig_new(false);
    start_cplus(0, APM);
    for (unsigned i = 0; i < 64; i++)
        put_tx(TX_RING + 16 * i, OWN | FS | LS | 60, 0, TX_DATA);
    for (unsigned i = 0; i < 64; i++)
        put_tx(HI_RING + 16 * i, OWN | FS | LS | 60, 0, TX_DATA);
    rig_outb(t->rig, TPPOLL, HPQ | NPQ);
    for (unsigned i = 0; i < 3; i++)
        isr(t);
    assert_int_equal(get32(t, TX_RING + 16 * 63) & OWN, 0);
    assert_int_equal(get32(t, HI_RING + 16 * 63) & OWN, 0);
}

/* ---- Receiving ---- */

static void frames_are_received(void **state)
{
    uint8_t frame[1514];
    (void)state;
    start_cplus(0, APM | AB | AM);
    rig_outl(t->rig, MAR, 0xFFFFFFFF);
    rig_outl(t->rig, MAR + 4, 0xFFFFFFFF);
    for (unsigned i = 0; i < 50; i++) {
        const size_t len = 60 + i * 97 % 1455;
        const uint8_t *to = i % 3 == 0 ? own_mac : i % 3 == 1 ? broadcast_mac : group_mac;
        make_frame(frame, to, len, i);
        assert_true(deliver_frame(t, frame, len));
        assert_int_equal(isr(t), ROK);
        rig_outw(t->rig, ISR, ROK);
        assert_int_equal(take_buffer(frame, len, 0), i % 3 == 0   ? RX_PAM
                                                     : i % 3 == 1 ? RX_BAR
                                                                  : RX_MAR);
    }
    make_frame(frame, other_mac, 60, 0);
    deliver_frame(t, frame, 60);
    assert_int_equal(isr(t), 0);
}

static void a_frame_in_several_buffers(void **state)
{
    uint8_t frame[1000], got[1004];
    (void)state;
    start_cplus(0, APM);
    for (unsigned i = 0; i < 4; i++)
        put_rx(i, OWN, 300);
    put32(t, RX_RING + 16 * 3, OWN | EOR | 300);
    make_frame(frame, own_mac, 1000, 3);
    assert_true(deliver_frame(t, frame, 1000));
    for (unsigned i = 0; i < 4; i++)
        memcpy(got + 300 * i, ram(t, RX_DATA + 0x800 * i), i < 3 ? 300 : 104);
    assert_memory_equal(got, frame, 1000);
    assert_int_equal(pci_get32(got + 1000), nic_fcs(frame, 1000));
    assert_int_equal(get32(t, RX_RING), FS | 300);
    assert_int_equal(get32(t, RX_RING + 16), 300);
    assert_int_equal(get32(t, RX_RING + 32), 300);
    assert_int_equal(get32(t, RX_RING + 48), EOR | LS | RX_PAM | 1004);
    /* Around, when they are the card's again; what was read ahead of them is old. */
    assert_false(deliver_frame(t, frame, 280));
    for (unsigned i = 0; i < 4; i++)
        put32(t, RX_RING + 16 * i, OWN | (i == 3 ? EOR : 0) | 300);
    rig_outw(t->rig, ISR, 0xFFFF);
    settle(t);
    assert_int_equal(get32(t, RX_RING), FS | LS | RX_PAM | 284);
}

static void checksums_are_looked_at(void **state)
{
    uint8_t frame[400];
    (void)state;
    start_cplus(RXCHKSUM, APM);
    size_t len = make_datagram(frame, OFFLOAD_TCP, 100);
    deliver_frame(t, frame, len);
    assert_int_equal(take_buffer(frame, len, 0), RX_PAM | RX_TCP);
    frame[100] ^= 1;
    deliver_frame(t, frame, len);
    assert_int_equal(take_buffer(frame, len, 0), RX_PAM | RX_TCP | RX_TCPF);
    frame[IP_AT + 8]--;
    deliver_frame(t, frame, len);
    assert_int_equal(take_buffer(frame, len, 0), RX_PAM | RX_TCP | RX_TCPF | RX_IPF);
    len = make_datagram(frame, OFFLOAD_UDP, 100);
    deliver_frame(t, frame, len);
    assert_int_equal(take_buffer(frame, len, 0), RX_PAM | RX_UDP);
    frame[100] ^= 1;
    deliver_frame(t, frame, len);
    assert_int_equal(take_buffer(frame, len, 0), RX_PAM | RX_UDP | RX_UDPF);
    len = make_datagram(frame, OFFLOAD_UDP, 100);
    frame[IP_AT + 6] = 0x20; /* a fragment: of UDP nothing can be said */
    put_be16(frame + IP_AT + 10, 0);
    put_be16(frame + IP_AT + 10, (uint16_t)~offload_sum(frame + IP_AT, 20, 0));
    deliver_frame(t, frame, len);
    assert_int_equal(take_buffer(frame, len, 0), RX_PAM | RX_IP);
    make_frame(frame, own_mac, 60, 0);
    deliver_frame(t, frame, 60);
    assert_int_equal(take_buffer(frame, 60, 0), RX_PAM);
}

static void tags_are_taken_out(void **state)
{
    uint8_t frame[400], tagged[400];
    (void)state;
    for (unsigned on = 0; on < 2; on++) {
        start_cplus((uint16_t)(RXCHKSUM | (on ? RXVLAN : 0)), APM);
        const size_t len = make_datagram(frame, OFFLOAD_TCP, 100);
        memcpy(tagged, frame, 12);
        memcpy(tagged + 12, tag, sizeof(tag));
        memcpy(tagged + 16, frame + 12, len - 12);
        deliver_frame(t, tagged, len + 4);
        if (on)
            assert_int_equal(take_buffer(frame, len, TAVA | 0x3412), RX_PAM | RX_TCP);
        else
            assert_int_equal(take_buffer(tagged, len + 4, 0), RX_PAM | RX_TCP);
        deliver_frame(t, frame, len);
        take_buffer(frame, len, 0);
        /* A tag and nothing behind it. */
        deliver_frame(t, tagged, 18);
        assert_int_equal(get32(t, RX_RING + 32) & (OWN | FS | LS), FS | LS);
    }
}

/* Without buffers a frame waits; the ring has no doorbell, so it is looked at when the driver is
 * heard of, and now and then by itself. */
static void no_buffers(void **state)
{
    uint8_t frame[100];
    struct net_stats stats;
    (void)state;
    start_cplus(0, APM);
    make_frame(frame, own_mac, 100, 1);
    for (unsigned i = 0; i < RX_BUFFERS; i++)
        assert_true(deliver_frame(t, frame, 100));
    assert_false(deliver_frame(t, frame, 100));
    assert_false(t->reading);
    assert_int_equal(isr(t), ROK);
    rig_outw(t->rig, ISR, 0xFFFF); /* acknowledged, nothing given: it is told */
    settle(t);
    assert_int_equal(isr(t), RXOVW);
    take_buffer(frame, 100, 0);
    assert_int_equal(isr(t), RXOVW); /* looks at it */
    settle(t);
    assert_int_equal(isr(t), RXOVW | ROK);
    assert_true(t->reading);
    /* By itself. */
    assert_false(deliver_frame(t, frame, 100));
    take_buffer(frame, 100, 0);
    rig_step(t->rig, 2 * NS_PER_MS);
    settle(t);
    assert_true(t->reading);
    assert_int_equal(get32(t, RX_RING + 16) & OWN, 0);
    /* A driver that sleeps for long costs little. */
    assert_false(deliver_frame(t, frame, 100));
    unsigned looks = 0;
    for (unsigned i = 0; i < 10000; i++) {
        net_stats(t->net, &stats);
        const uint64_t held = stats.rx_held;
        rig_step(t->rig, NS_PER_MS);
        settle(t);
        net_stats(t->net, &stats);
        looks += stats.rx_held != held;
    }
    assert_in_range(looks, 70, 90);
    rig_outb(t->rig, CR, TE);
    settle(t);
    assert_int_equal(clock_deadline(&t->rig->clock), CLOCK_NEVER);
    net_stats(t->net, &stats);
    assert_int_equal(stats.rx_dropped, 0);
}

/* ---- Counters ---- */

static void tally_counters(void **state)
{
    (void)state;
    start_cplus(0, APM | AB);
    make_frame(ram(t, TX_DATA), other_mac, 60, 0);
    for (unsigned i = 0; i < 3; i++)
        send(0, 60, 0);
    for (unsigned i = 0; i < 5; i++)
        deliver(t, i < 2 ? own_mac : broadcast_mac, 60, 0);
    memset(ram(t, 0x5000), 0xEE, 128);
    rig_outl(t->rig, DTCCR + 4, 0);
    rig_outl(t->rig, DTCCR, 0x5000);
    assert_int_equal(get32(t, 0x5000), 0xEEEEEEEE);
    rig_outl(t->rig, DTCCR, 0x5008);
    assert_int_equal(rig_inl(t->rig, DTCCR), 0x5000); /* done */
    assert_int_equal(get32(t, 0x5000), 3);
    assert_int_equal(get32(t, 0x5008), 5);
    assert_int_equal(get32(t, 0x5010), 0);
    assert_int_equal(get32(t, 0x5028), 2);
    assert_int_equal(get32(t, 0x5030), 3);
    assert_int_equal(get32(t, 0x503C), 0);
    assert_int_equal(get32(t, 0x5040), 0xEEEEEEEE);
    rig_outl(t->rig, DTCCR + 4, 0xFFFFFFFF);
    rig_outl(t->rig, DTCCR, 0x5008);
    assert_true(isr(t) & SERR);
}

/* ---- Hostile rings ---- */

static void rings_that_are_not_memory(void **state)
{
    static const uint32_t places[][2] = {
        {0xFFFFFF00, 0}, {MMIO, 0}, {0, 0x80000000}, {0xFFFFFF00, 0xFFFFFFFF}};
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        start_cplus(0, APM);
        rig_outl(t->rig, TNPDS, places[i][0]);
        rig_outl(t->rig, TNPDS + 4, places[i][1]);
        rig_outb(t->rig, TPPOLL, NPQ);
        settle(t);
        assert_int_equal(isr(t), SERR);
        rig_outw(t->rig, ISR, 0xFFFF);
        rig_outl(t->rig, RDSAR, places[i][0]);
        rig_outl(t->rig, RDSAR + 4, places[i][1]);
        deliver(t, own_mac, 100, 0);
        settle(t);
        assert_int_equal(isr(t), SERR);
        assert_int_equal(rig_inl(t->rig, IDR), 0x123E1600);
        start_cplus(0, APM); /* buffers that are not */
        put_tx(TX_RING, OWN | FS | LS | 60, 0, places[i][0]);
        put32(t, TX_RING + 12, places[i][1]);
        rig_outb(t->rig, TPPOLL, NPQ);
        settle(t);
        assert_int_equal(isr(t), SERR | TER | TDU);
        assert_int_equal(get32(t, TX_RING), FS | LS | TX_ERROR | 60);
        rig_outw(t->rig, ISR, 0xFFFF);
        put32(t, RX_RING + 8, places[i][0]);
        put32(t, RX_RING + 12, places[i][1]);
        deliver(t, own_mac, 100, 0);
        assert_true(isr(t) & SERR);
        send(0, 60, 0); /* the second descriptor */
    }
}

static void rings_without_an_end(void **state)
{
    (void)state;
    /* No LS anywhere; no FS; more bytes than a frame has. */
    for (unsigned kind = 0; kind < 3; kind++) {
        start_cplus(0, APM);
        t->sent = 0;
        for (unsigned i = 0; i < 64; i++) {
            const uint32_t flags = kind == 0 ? FS : kind == 1 ? LS : i == 63 ? LS : i == 0 ? FS : 0;
            put_tx(TX_RING + 16 * i, OWN | flags | 0xFFFF, 0, TX_DATA);
        }
        rig_outb(t->rig, TPPOLL, NPQ);
        settle(t);
        assert_int_equal(t->sent, 0);
        for (unsigned i = 0; i < 64; i++)
            assert_int_equal(get32(t, TX_RING + 16 * i) & (OWN | TX_ERROR), TX_ERROR);
        assert_int_equal(isr(t), TER | TDU);
        make_frame(ram(t, TX_DATA), other_mac, 60, 0);
        send(0, 60, 0);
        assert_int_equal(t->sent, 1);
    }
    /* Buffers of no bytes. */
    start_cplus(0, APM);
    for (unsigned i = 0; i < RX_BUFFERS; i++)
        put_rx(i, OWN, 0);
    assert_true(deliver(t, own_mac, 100, 0));
    assert_true(isr(t) & RXOVW);
    assert_int_equal(rig_inl(t->rig, MPC), 1);
}

/* CVE-2021-3416: what loops back is stored over the ring it is sent from: every frame makes the
 * next one. Each turn has its end. */
static void a_ring_that_feeds_itself(void **state)
{
    (void)state;
    start_cplus(0, AAP);
    rig_outl(t->rig, TCR, LOOPBACK);
    /* The frame is a ring of one: a descriptor that is ours, at its own end. */
    put_tx(TX_RING, OWN | EOR | FS | LS | 60, 0, TX_RING);
    for (unsigned i = 0; i < RX_BUFFERS; i++)
        put32(t, RX_RING + 16 * i + 8, TX_RING);
    uint8_t *packet = ram(t, TX_DATA);
    memset(packet, 0, 60);
    pci_set32(packet, OWN | EOR | FS | LS | 60);
    pci_set32(packet + 8, TX_DATA);
    put32(t, TX_RING + 8, TX_DATA);
    rig_outb(t->rig, TPPOLL, NPQ);
    net_run(t->net, 3);
    assert_true(isr(t) & ROK);
    assert_int_equal(rig_inl(t->rig, MPC) > 0, 1); /* the buffers came to their end */
    rig_outb(t->rig, CR, RST);
    net_run(t->net, 1);
    start_cplus(0, APM);
    make_frame(ram(t, TX_DATA), other_mac, 60, 0);
    t->sent = 0;
    send(0, 60, 0);
    assert_int_equal(t->sent, 1);
}

/* ---- Life ---- */

static void a_stop(void **state)
{
    uint8_t frame[100];
    (void)state;
    start_cplus(0, APM);
    make_frame(frame, own_mac, 100, 1);
    for (unsigned i = 0; i < 5; i++)
        assert_true(deliver_frame(t, frame, 100));
    make_frame(ram(t, TX_DATA), other_mac, 60, 0);
    for (unsigned i = 0; i < 3; i++)
        send(0, 60, 0);
    net_quiesce(t->net);
    put_tx(TX_RING + 48, OWN | FS | LS | 60, 0, TX_DATA);
    rig_outb(t->rig, TPPOLL, NPQ);
    t = rtl8139_rig_move(t, true);
    assert_int_equal(t->sent, 1);
    assert_int_equal(get32(t, TX_RING + 48), FS | LS | 60);
    for (unsigned i = 0; i < 5; i++)
        take_buffer(frame, 100, 0);
    assert_true(deliver_frame(t, frame, 100));
    take_buffer(frame, 100, 0);
    rig_standard_tests(t->rig, t->device);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(frames_are_sent),
        TEST(frames_in_pieces),
        TEST(high_priority_first),
        TEST(the_back_end_is_full),
        TEST(checksums_are_put_in),
        TEST(large_send),
        TEST(offloads_that_do_not_fit),
        TEST(loopback_with_offloads),
        TEST(no_cable_ever),
        TEST(frames_are_received),
        TEST(a_frame_in_several_buffers),
        TEST(checksums_are_looked_at),
        TEST(tags_are_taken_out),
        TEST(no_buffers),
        TEST(tally_counters),
        TEST(rings_that_are_not_memory),
        TEST(rings_without_an_end),
        TEST(a_ring_that_feeds_itself),
        TEST(a_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
