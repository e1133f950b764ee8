/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ne2000_rig: the ISA card, with a driver's habits and the other end of the wire in the test's
 * hand.
 */
#ifndef TESTS_DEVICE_NE2000_RIG_H
#define TESTS_DEVICE_NE2000_RIG_H

#include <stdlib.h>
#include <string.h>

#include "hw/pc/ne2000.h"
#include "tests/device/rig.h"

enum { IO = 0x300, DATA = IO + 0x10, RESET = IO + 0x1F, LINE = 9, SLOT = 4 };

/* Page 0; the names are the data sheet's. */
enum {
    CR = IO,
    PSTART = IO + 1,
    PSTOP = IO + 2,
    BNRY = IO + 3,
    TSR = IO + 4,
    TPSR = IO + 4,
    TBCR0 = IO + 5,
    FIFO = IO + 6,
    TBCR1 = IO + 6,
    ISR = IO + 7,
    RSAR0 = IO + 8,
    RSAR1 = IO + 9,
    RBCR0 = IO + 10,
    RBCR1 = IO + 11,
    RSR = IO + 12,
    RCR = IO + 12,
    TCR = IO + 13,
    CNTR1 = IO + 14,
    DCR = IO + 14,
    CNTR2 = IO + 15,
    IMR = IO + 15,
    PAR0 = IO + 1,
    CURR = IO + 7,
    MAR0 = IO + 8,
};
enum { STP = 0x01, STA = 0x02, TXP = 0x04, READ = 0x08, WRITE = 0x10, SEND = 0x18, ABORT = 0x20 };
enum { PRX = 0x01, PTX = 0x02, RXE = 0x04, OVW = 0x10, CNT = 0x20, RDC = 0x40, RST = 0x80 };
enum { FIRST_RX = 0x4C, LAST = 0x80, TX = 0x40 };

static const uint8_t mac[6] = {0x00, 0x16, 0x3E, 0x12, 0x34, 0x56};
static const uint8_t broadcast[6] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};

static struct rig *rig;
static struct net *net;
static struct ne2000_isa *isa;

/* --- the other end --- */

static struct {
    uint8_t frame[4096];
    size_t len;
    unsigned count;
    bool full, reading;
} far;

static inline enum net_sent far_send(void *opaque, const uint8_t *frame, size_t len,
                                     const struct net_offload *offload)
{
    (void)opaque;
    assert_null(offload);
    if (far.full)
        return NET_FULL;
    assert_true(len <= sizeof(far.frame));
    memcpy(far.frame, frame, len);
    far.len = len;
    far.count++;
    return NET_SENT;
}

static inline void far_read(void *opaque, bool on, bool fresh)
{
    (void)opaque, (void)fresh;
    far.reading = on;
}

static const struct net_backend far_end = {.type = "test", .send = far_send, .read = far_read};

/* A frame that can be told from others; to the card unless `to` says otherwise. */
static inline void make_frame(uint8_t *frame, size_t len, const uint8_t *to, uint8_t seed)
{
    for (size_t i = 0; i < len; i++)
        frame[i] = (uint8_t)(seed + i * 7);
    memcpy(frame, to ? to : mac, 6);
}

static inline void deliver(size_t len, const uint8_t *to, uint8_t seed)
{
    static uint8_t frame[NET_MAX_FRAME];
    make_frame(frame, len, to, seed);
    net_deliver(net, frame, len, NULL);
    net_delivered(net);
    net_run(net, 16);
}

/* --- the driver --- */

static inline void out(unsigned port, unsigned v)
{
    rig_outb(rig, (uint16_t)port, (uint8_t)v);
}

static inline uint8_t in(unsigned port)
{
    return rig_inb(rig, (uint16_t)port);
}

static inline void remote(unsigned command, unsigned at, unsigned len)
{
    out(CR, ABORT | STA);
    out(ISR, RDC);
    out(RBCR0, len & 0xFF);
    out(RBCR1, len >> 8);
    out(RSAR0, at & 0xFF);
    out(RSAR1, at >> 8);
    out(CR, command | STA);
}

static inline void card_read(unsigned at, void *buf, unsigned len)
{
    remote(READ, at, len);
    bus_port_read_run(rig->bus, DATA, 2, buf, len / 2);
    if (len & 1)
        ((uint8_t *)buf)[len - 1] = in(DATA);
    assert_true(in(ISR)&RDC);
}

static inline void card_write(unsigned at, const void *buf, unsigned len)
{
    remote(WRITE, at, (len + 1) & ~1u);
    bus_port_write_run(rig->bus, DATA, 2, buf, (len + 1) / 2);
    assert_true(in(ISR)&RDC);
}

static inline uint8_t card_byte(unsigned at)
{
    uint8_t v[2];
    card_read(at & ~1u, v, 2);
    return v[at & 1];
}

static inline void start(unsigned rcr)
{
    out(CR, ABORT | STP);
    out(DCR, 0x49);
    out(RBCR0, 0);
    out(RBCR1, 0);
    out(RCR, 0x20);
    out(TCR, 0x02);
    out(TPSR, TX);
    out(PSTART, FIRST_RX);
    out(BNRY, LAST - 1);
    out(PSTOP, LAST);
    out(ISR, 0xFF);
    out(IMR, 0x3F);
    out(CR, 0x40 | ABORT | STP);
    for (unsigned i = 0; i < 6; i++)
        out(PAR0 + i, mac[i]);
    for (unsigned i = 0; i < 8; i++)
        out(MAR0 + i, 0);
    out(CURR, FIRST_RX);
    out(CR, ABORT | STA);
    out(TCR, 0);
    out(RCR, rcr);
    net_run(net, 4);
}

static inline uint8_t curr(void)
{
    out(CR, 0x40 | ABORT);
    const uint8_t v = in(CURR);
    out(CR, ABORT);
    return v;
}

/* Takes the packet at `page` out of the ring and checks it; returns where the next one is. */
static inline uint8_t take(uint8_t page, size_t len, const uint8_t *to, uint8_t seed,
                           uint8_t status)
{
    static uint8_t want[2048], got[2048];
    const size_t whole = len < 60 ? 60 : len;
    uint8_t header[4];
    card_read(page * 256u, header, 4);
    assert_int_equal(header[0], status);
    assert_int_equal(header[2] | header[3] << 8, whole + 4);
    memset(want, 0, sizeof(want));
    make_frame(want, len, to, seed);
    const uint32_t fcs = nic_fcs(want, whole);
    for (unsigned i = 0; i < 4; i++)
        want[whole + i] = (uint8_t)(fcs >> 8 * i);
    card_read(page * 256u + 4, got, (unsigned)whole + 4); /* round the end as the ring goes */
    assert_memory_equal(got, want, whole + 4);
    const uint8_t next = header[1];
    out(BNRY, next == FIRST_RX ? LAST - 1 : next - 1);
    net_run(net, 4);
    return next;
}

static inline void send_frame(size_t len, uint8_t seed)
{
    uint8_t frame[2048];
    make_frame(frame, len, broadcast, seed);
    card_write(TX * 256, frame, (unsigned)len);
    out(TBCR0, len & 0xFF);
    out(TBCR1, (unsigned)len >> 8);
    out(TPSR, TX);
    out(CR, ABORT | TXP | STA);
}

static inline void assert_sent(size_t len, uint8_t seed)
{
    uint8_t frame[2048];
    make_frame(frame, len, broadcast, seed);
    assert_int_equal(far.len, len);
    assert_memory_equal(far.frame, frame, len);
}

/* --- the machine --- */

static inline int setup(void **state)
{
    struct err err;
    struct ne2000_isa_config config = {.iobase = IO, .instance = "0"};
    (void)state;
    memset(&far, 0, sizeof(far));
    memcpy(config.mac, mac, 6);
    rig = rig_new();
    net = net_new(NULL, "net0");
    assert_non_null(net);
    net_attach_backend(net, &far_end, NULL);
    isa = ne2000_isa_realize(rig->bus, &rig->devices, &config, net, &err);
    assert_non_null(isa);
    rig_isa_irq(rig, &isa->irq, LINE);
    devices_reset(&rig->devices);
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    rig_free(rig);
    net_free(net);
    return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
