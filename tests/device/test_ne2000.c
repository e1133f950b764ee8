/* SPDX-License-Identifier: GPL-2.0-or-later */
/* NE2000: the card as its drivers see it, on ISA and on PCI. Receiving is in test_ne2000_rx.c. */
#include "tests/device/ne2000_rig.h"

/* As Linux's ne.c looks for it. */
static void probe(void **state)
{
    uint8_t prom[32];
    (void)state;
    assert_true(fake_claimed(rig->hv, 'p', IO, IO + 31));
    assert_int_equal(in(CR), ABORT | STP);
    out(CR, 0x40 | ABORT | STP);
    out(IO + 13, 0xFF);
    out(CR, ABORT);
    in(TCR);
    assert_int_equal(in(TCR), 0); /* a counter, which is cleared by reading */
    out(RESET, in(RESET));
    assert_int_equal(in(ISR), RST);
    out(ISR, 0xFF);
    assert_int_equal(in(ISR), RST); /* only a start ends it */

    out(CR, ABORT | STP);
    out(DCR, 0x48);
    out(RBCR0, 32);
    out(RBCR1, 0);
    out(RSAR0, 0);
    out(RSAR1, 0);
    out(CR, READ | STA);
    assert_int_equal(in(ISR)&RST, 0);
    for (unsigned i = 0; i < 32; i++)
        prom[i] = in(DATA);
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(prom[2 * i], mac[i]);
        assert_int_equal(prom[2 * i + 1], mac[i]);
    }
    assert_memory_equal(prom + 28, "WWWW", 4);
    assert_true(in(ISR)&RDC);

    out(ISR, 0xFF); /* which line: a transfer of no bytes */
    out(IMR, 0x50);
    out(RBCR0, 0);
    out(RBCR1, 0);
    assert_false(rig->hv->isa[LINE]);
    out(CR, READ | STA);
    assert_true(rig->hv->isa[LINE]);
    out(IMR, 0);
    assert_false(rig->hv->isa[LINE]);
}

static void registers(void **state)
{
    (void)state;
    start(0x04);
    for (unsigned i = 0; i < 6; i++) {
        out(CR, 0x40 | ABORT);
        assert_int_equal(in(PAR0 + i), mac[i]);
        out(MAR0 + i, 0x10 + i);
        assert_int_equal(in(MAR0 + i), 0x10 + i);
    }
    out(CR, 0x80 | ABORT);
    assert_int_equal(in(IO + 1), FIRST_RX);
    assert_int_equal(in(IO + 2), LAST);
    assert_int_equal(in(IO + 4), TX);
    assert_int_equal(in(IO + 5), FIRST_RX);
    assert_int_equal(in(IO + 12), 0xC4);
    assert_int_equal(in(IO + 13), 0xE0);
    assert_int_equal(in(IO + 14), 0xC9);
    assert_int_equal(in(IO + 15), 0xBF);
    for (unsigned i = 1; i <= 7; i++)
        if (i != 4)
            out(IO + i, 0x70 + i);
    assert_int_equal(in(IO + 3), 0x73);
    assert_int_equal(in(IO + 5), 0x75);
    assert_int_equal(in(IO + 6), 0x76);
    assert_int_equal(in(IO + 7), 0x77);
    out(CR, ABORT); /* neither start nor stop: it goes on */
    assert_int_equal(in(IO + 1), 0x71);
    assert_int_equal(in(IO + 2), 0x72);
    assert_int_equal(in(BNRY), LAST - 1);
    assert_int_equal(in(IO + 10), 0xFF);
    assert_int_equal(in(FIFO), 0xFF);
    out(CR, 0xC0 | ABORT);
    assert_int_equal(in(IO + 3), 0xFF);
    out(CR, ABORT);
    deliver(60, NULL, 1);
    assert_int_equal(in(ISR)&PRX, PRX);
    assert_int_equal(rig_inw(rig, BNRY) & 0xFF, LAST - 1);
    rig_outw(rig, RSAR0, 0x5678);
    assert_int_equal(rig_inw(rig, RSAR0), 0x5678);
}

static void remote_dma_of_each_width(void **state)
{
    uint8_t pattern[64], got[64];
    (void)state;
    start(0x04);
    for (unsigned i = 0; i < 64; i++)
        pattern[i] = (uint8_t)(i * 5 + 3);
    card_write(0x4000, pattern, 64);
    assert_int_equal(rig_inw(rig, RSAR0), 0x4040);
    memset(got, 0, sizeof(got));
    card_read(0x4000, got, 64);
    assert_memory_equal(got, pattern, 64);

    remote(READ, 0x4000, 8); /* words and double words */
    assert_int_equal(rig_inw(rig, DATA), pattern[0] | pattern[1] << 8);
    assert_int_equal(rig_inl(rig, DATA),
                     pattern[2] | pattern[3] << 8 | pattern[4] << 16 | (uint32_t)pattern[5] << 24);
    assert_int_equal(in(ISR)&RDC, 0);
    assert_int_equal(in(DATA), pattern[6]); /* a byte access, which takes a word */
    assert_true(in(ISR)&RDC);
    assert_int_equal(rig_inw(rig, RSAR0), 0x4008);
    assert_int_equal(rig_inw(rig, DATA), 0xFFFF); /* nothing is left */

    remote(WRITE, 0x5000, 6);
    rig_outl(rig, DATA, 0x44332211);
    out(DATA, 0x55);
    assert_true(in(ISR)&RDC);
    rig_outw(rig, DATA, 0xDEAD); /* and nothing is taken */
    card_read(0x5000, got, 8);
    assert_memory_equal(got, "\x11\x22\x33\x44\x55\0\0\0", 8);

    out(DCR, 0x48); /* bytes */
    remote(READ, 0x4001, 7);
    assert_int_equal(in(DATA), pattern[1]);
    assert_int_equal(rig_inw(rig, DATA), pattern[2] | pattern[3] << 8);
    bus_port_read_run(rig->bus, DATA, 1, got, 8);
    assert_memory_equal(got, pattern + 4, 4);
    assert_int_equal(got[4], 0xFF);
    remote(WRITE, 0x5001, 3);
    bus_port_write_run(rig->bus, DATA, 1, pattern, 3);
    assert_true(in(ISR)&RDC);
    remote(READ, 0x5000, 5);
    bus_port_read_run(rig->bus, DATA, 1, got, 5);
    assert_int_equal(got[0], 0x11);
    assert_memory_equal(got + 1, pattern, 3);
    assert_int_equal(got[4], 0x55);

    out(DCR, 0x49); /* an odd count, and a byte run in word mode */
    remote(READ, 0x4000, 3);
    bus_port_read_run(rig->bus, DATA, 1, got, 3);
    assert_int_equal(got[0], pattern[0]);
    assert_int_equal(got[1], pattern[2]);
    assert_int_equal(got[2], 0xFF);
    assert_true(in(ISR)&RDC);

    remote(READ, LAST * 256 - 2, 4); /* from the ring's end to its beginning */
    rig_inw(rig, DATA);
    assert_int_equal(rig_inw(rig, RSAR0), FIRST_RX * 256);
    remote(READ, 0x4000, 4);
    out(CR, ABORT | STA); /* given up */
    assert_int_equal(rig_inw(rig, DATA), 0xFFFF);
    assert_int_equal(in(ISR)&RDC, 0);
}

/* The PROM repeats, the rest is nowhere; only buffer memory is written. */
/* Words lie at even addresses; one that is accessed by a byte is a word all the same. */
static void odd_words(void **state)
{
    static const uint8_t four[] = {0x11, 0x22, 0x33, 0x44};
    (void)state;
    start(0x00);
    card_write(TX * 256, four, 4);
    remote(READ, TX * 256 + 1, 4);
    assert_int_equal(rig_inw(rig, DATA), 0x2211);
    assert_int_equal(rig_inw(rig, DATA), 0x4433);
    remote(WRITE, TX * 256 + 3, 2);
    rig_outb(rig, DATA, 0x77);
    assert_int_equal(card_byte(TX * 256 + 2), 0x77);
    assert_int_equal(card_byte(TX * 256 + 3), 0);
    assert_int_equal(card_byte(TX * 256 + 1), 0x22);
}

static void memory_map(void **state)
{
    (void)state;
    start(0x04);
    out(PSTOP, 0);
    out(PSTART, 0);
    for (unsigned at = 0; at < 0x10000; at += 0x7FE) {
        const uint8_t bytes[2] = {(uint8_t)(at >> 8), (uint8_t)at};
        uint8_t got[2], want[2] = {0xFF, 0xFF};
        card_write(at, bytes, 2);
        card_read(at, got, 2);
        if (at >= 0x4000 && at < 0xC000)
            memcpy(want, bytes, 2);
        else if (at < 0x4000)
            memcpy(want, isa->chip.prom + at % 32, 2);
        assert_memory_equal(got, want, 2);
    }
    remote(READ, 0xFFFE, 4); /* round the end of 16 bits: the address */
    assert_int_equal(rig_inl(rig, DATA), 0xFFFFu | (uint32_t)mac[0] << 16 | (uint32_t)mac[0] << 24);
}

static void transmitting(void **state)
{
    (void)state;
    start(0x04);
    send_frame(60, 1);
    assert_true(in(CR)&TXP);
    assert_int_equal(far.count, 0); /* not within the access */
    net_run(net, 4);
    assert_sent(60, 1);
    assert_int_equal(in(CR)&TXP, 0);
    assert_int_equal(in(TSR), 0x01);
    assert_int_equal(in(ISR), PTX | RDC);
    assert_true(rig->hv->isa[LINE]);
    out(ISR, 0xFF);
    send_frame(1514, 2);
    out(CR, ABORT | TXP | STA); /* again: the same one */
    out(CR, ABORT | STA);       /* writing 0 takes nothing back */
    net_run(net, 4);
    assert_sent(1514, 2);
    assert_int_equal(far.count, 2);
    send_frame(300, 3);
    out(CR, ABORT | STP); /* it stops when that is out */
    assert_int_equal(in(ISR)&RST, 0);
    net_run(net, 4);
    assert_int_equal(far.count, 3);
    assert_int_equal(in(ISR) & (RST | PTX), RST | PTX);
    out(CR, ABORT | TXP | STP); /* stopped: it waits for a start */
    net_run(net, 4);
    assert_int_equal(far.count, 3);
    out(CR, ABORT | STA);
    net_run(net, 4);
    assert_int_equal(far.count, 4);
    send_frame(200, 4);
    in(RESET); /* and that one is lost */
    net_run(net, 4);
    assert_int_equal(far.count, 4);
    assert_int_equal(in(CR), ABORT | STP);
    assert_int_equal(in(ISR), RST);
}

static void a_full_back_end_stops_the_transmitter(void **state)
{
    (void)state;
    start(0x04);
    far.full = true;
    send_frame(60, 1);
    net_run(net, 8);
    assert_true(in(CR)&TXP);
    assert_int_equal(in(ISR)&PTX, 0);
    far.full = false;
    net_writable(net);
    net_run(net, 8);
    assert_int_equal(far.count, 1);
    assert_int_equal(in(CR)&TXP, 0);
    assert_int_equal(in(ISR)&PTX, PTX);
}

static void odd_transmissions(void **state)
{
    uint8_t frame[256];
    struct net_stats stats;
    (void)state;
    start(0x04);
    for (unsigned len = 0; len < 14; len++) { /* too short, too long */
        send_frame(14, 1);
        out(TBCR0, len);
        net_run(net, 4);
        assert_int_equal(in(CR)&TXP, 0);
    }
    send_frame(14, 1);
    out(TBCR0, 1519 & 0xFF);
    out(TBCR1, 1519 >> 8);
    net_run(net, 4);
    out(CR, ABORT | TXP | STA);
    out(TBCR1, 0xFF);
    net_run(net, 4);
    assert_int_equal(far.count, 0);
    assert_int_equal(in(TSR), 0x01);

    make_frame(frame, 100, broadcast, 7); /* the driver's own FCS: right … */
    const uint32_t fcs = nic_fcs(frame, 100);
    for (unsigned i = 0; i < 4; i++)
        frame[100 + i] = (uint8_t)(fcs >> 8 * i);
    card_write(TX * 256, frame, 104);
    out(TCR, 0x01);
    out(TBCR0, 104);
    out(TBCR1, 0);
    out(CR, ABORT | TXP | STA);
    net_run(net, 4);
    assert_sent(100, 7);
    card_write(TX * 256 + 100, "\0\0\0\0", 4); /* … and wrong */
    out(CR, ABORT | TXP | STA);
    net_run(net, 4);
    assert_int_equal(far.count, 1);
    out(TCR, 0);

    out(TPSR, 0x00); /* from the PROM, and from nowhere */
    out(TBCR0, 64);
    out(CR, ABORT | TXP | STA);
    net_run(net, 4);
    assert_int_equal(far.count, 2);
    assert_memory_equal(far.frame, isa->chip.prom, 32);
    out(TPSR, 0xBF);
    out(TBCR1, 2);
    out(CR, ABORT | TXP | STA);
    net_run(net, 4);
    assert_int_equal(far.count, 3);
    assert_int_equal(far.frame[0x100], 0xFF);

    net_set_link(net, false); /* no cable */
    send_frame(60, 1);
    net_run(net, 4);
    assert_int_equal(far.count, 3);
    assert_int_equal(in(TSR), 0x11);
    net_stats(net, &stats);
    assert_int_equal(stats.tx_dropped, 1);
}

/* TCR.ATD: hash 62 turns the transmitter off, 63 on. */
static void another_station_holds_the_transmitter(void **state)
{
    uint8_t group[6] = {0x01, 0x00, 0x5E, 0, 0, 0}, on[6] = {0}, off[6] = {0};
    (void)state;
    for (unsigned i = 0; i < 0x10000 && (!on[0] || !off[0]); i++) {
        group[4] = (uint8_t)(i >> 8);
        group[5] = (uint8_t)i;
        if (nic_hash(group) == 62)
            memcpy(off, group, 6);
        else if (nic_hash(group) == 63)
            memcpy(on, group, 6);
    }
    start(0x04);
    out(TCR, 0x08);
    deliver(60, off, 1);
    send_frame(60, 1);
    net_run(net, 4);
    assert_int_equal(far.count, 0);
    assert_true(in(CR)&TXP);
    deliver(60, on, 1);
    net_run(net, 4);
    assert_int_equal(far.count, 1);
    deliver(60, off, 1);
    send_frame(60, 2);
    out(TCR, 0);
    net_run(net, 4);
    assert_int_equal(far.count, 2);
}

static void no_cable_at_all(void **state)
{
    struct err err;
    struct ne2000_isa_config config = {.iobase = 0x320, .instance = "1"};
    (void)state;
    struct ne2000_isa *other = ne2000_isa_realize(rig->bus, &rig->devices, &config, NULL, &err);
    assert_non_null(other);
    rig_isa_irq(rig, &other->irq, 10);
    device_reset(&other->device);
    rig_outb(rig, 0x32F, 0x02);
    rig_outb(rig, 0x325, 60);
    rig_outb(rig, 0x324, TX);
    rig_outb(rig, 0x320, ABORT | TXP | STA);
    assert_true(rig->hv->isa[10]);
    assert_int_equal(rig_inb(rig, 0x327), PTX);
    assert_int_equal(rig_inb(rig, 0x324), 0x11);
    rig_standard_tests(rig, &other->device);
    assert_null(ne2000_isa_realize(rig->bus, &rig->devices, &config, NULL, &err));
}

/* The FIFO after a frame of 64 bytes: the count, then the last five. */
static void loopback(void **state)
{
    static const uint8_t tsr[] = {0, 0x51, 0x41, 0x01};
    uint8_t frame[64], words[128];
    (void)state;
    start(0x00);
    out(DCR, 0x40);
    for (unsigned mode = 1; mode <= 3; mode++) {
        make_frame(frame, 60, mac, 1);
        out(TCR, mode << 1);
        net_run(net, 4);
        assert_false(far.reading);
        remote(WRITE, TX * 256, 60);
        bus_port_write_run(rig->bus, DATA, 1, frame, 60);
        out(TBCR0, 60);
        out(TBCR1, 0);
        out(ISR, 0xFF);
        out(CR, ABORT | TXP | STA);
        net_run(net, 4);
        assert_int_equal(in(ISR), PTX | RXE); /* its own CRC unit was busy */
        assert_int_equal(in(TSR), tsr[mode]);
        assert_int_equal(in(RSR), 0x02);
        assert_int_equal(in(CNTR1), 1);
        const uint32_t fcs = nic_fcs(frame, 60);
        const uint8_t want[8] = {64,
                                 0,
                                 0,
                                 frame[59],
                                 (uint8_t)fcs,
                                 (uint8_t)(fcs >> 8),
                                 (uint8_t)(fcs >> 16),
                                 (uint8_t)(fcs >> 24)};
        for (unsigned i = 0; i < 16; i++)
            assert_int_equal(in(FIFO), want[i % 8]);
    }
    assert_int_equal(far.count, 0);
    assert_int_equal(curr(), FIRST_RX);

    frame[5] ^= 1; /* for another station: not looked at */
    remote(WRITE, TX * 256, 60);
    bus_port_write_run(rig->bus, DATA, 1, frame, 60);
    out(ISR, 0xFF);
    out(CR, ABORT | TXP | STA);
    net_run(net, 4);
    assert_int_equal(in(ISR), PTX);
    assert_int_equal(in(RSR), 0x01);

    frame[5] ^= 1; /* with an FCS of the driver's, in words: odd bytes count */
    const uint32_t fcs = nic_fcs(frame, 60);
    for (unsigned i = 0; i < 4; i++)
        frame[60 + i] = (uint8_t)(fcs >> 8 * i);
    for (unsigned i = 0; i < 64; i++) {
        words[2 * i] = 0x99;
        words[2 * i + 1] = frame[i];
    }
    out(DCR, 0x49);
    out(TCR, 0x03);
    card_write(TX * 256, words, 128);
    out(TBCR0, 128);
    out(ISR, 0xFF);
    out(CR, ABORT | TXP | STA);
    net_run(net, 4);
    assert_int_equal(in(ISR), PTX);
    assert_int_equal(in(RSR), 0x01);
    assert_int_equal(in(FIFO), 64);
    assert_int_equal(in(FIFO), 0);
    assert_int_equal(in(FIFO), 0);
    for (unsigned i = 59; i < 64; i++)
        assert_int_equal(in(FIFO), frame[i]);
    out(DCR, 0x4B); /* the even ones */
    out(CR, ABORT | TXP | STA);
    net_run(net, 4);
    assert_int_equal(in(RSR), 0x01); /* 0x99…: for nobody */
    for (unsigned i = 0; i < 3; i++)
        in(FIFO);
    assert_int_equal(in(FIFO), 0x99);
    out(TBCR0, 0);
    out(TBCR1, 0);
    out(CR, ABORT | TXP | STA); /* nothing at all */
    net_run(net, 4);
    out(TBCR1, 0xFF);
    out(CR, ABORT | TXP | STA); /* and more than there is */
    net_run(net, 4);
    assert_int_equal(in(CR)&TXP, 0);
}

/* DCR.BOS: the first byte of a word is its upper one, in both directions. */
static void byte_order(void **state)
{
    uint8_t frame[60], got[60];
    (void)state;
    start(0x04);
    out(DCR, 0x4B);
    deliver(60, NULL, 1);
    make_frame(frame, 60, mac, 1);
    card_read(FIRST_RX * 256, got, 4);
    assert_memory_equal(got, "\x4D\x01\x00\x40", 4);
    card_read(FIRST_RX * 256 + 4, got, 60);
    for (unsigned i = 0; i < 60; i++)
        assert_int_equal(got[i ^ 1], frame[i]);
    card_write(TX * 256, got, 60);
    out(TBCR0, 60);
    out(TBCR1, 0);
    out(CR, ABORT | TXP | STA);
    net_run(net, 4);
    assert_memory_equal(far.frame, frame, 60);
}

/* DCR.AR with the command "send packet": the ring is emptied without a pointer written. */
static void send_packet(void **state)
{
    uint8_t frame[1514], got[1514 + 4];
    (void)state;
    start(0x04);
    out(BNRY, FIRST_RX);
    deliver(1514, NULL, 1);
    deliver(60, NULL, 2);
    out(RSAR0, 0x34);
    out(RSAR1, 0x12);
    out(CR, SEND | STA); /* not without AR */
    assert_int_equal(rig_inw(rig, DATA), 0xFFFF);
    assert_int_equal(in(RSAR0) | in(RSAR1) << 8, 0x1234);
    out(DCR, 0x59);
    out(ISR, 0xFF);
    for (unsigned i = 1; i <= 2; i++) {
        const unsigned len = i == 1 ? 1514 : 60;
        out(CR, SEND | STA);
        bus_port_read_run(rig->bus, DATA, 2, got, (len + 4) / 2);
        make_frame(frame, len, mac, (uint8_t)i);
        assert_memory_equal(got + 4, frame, len);
        assert_true(in(ISR)&RDC);
        out(ISR, RDC);
        assert_int_equal(in(BNRY), FIRST_RX + (i == 1 ? 6 : 7));
    }
}

/* --- known vulnerabilities of others (contract: C.4) --- */

static struct ne2000 *whole_memory(void)
{
    struct ne2000 *copy = malloc(sizeof(*copy));
    assert_non_null(copy);
    *copy = isa->chip;
    return copy;
}

/* Nothing but buffer memory and registers has changed. */
static void assert_only_inside(const struct ne2000 *was)
{
    assert_memory_equal(was->prom, isa->chip.prom, sizeof(was->prom));
    assert_ptr_equal(was->net, isa->chip.net);
    assert_ptr_equal(was->set_line, isa->chip.set_line);
}

/* CVE-2015-5279: a ring beyond the memory. */
static void cve_2015_5279_ring_beyond_the_memory(void **state)
{
    static const uint8_t rings[][4] = {/* PSTART, PSTOP, BNRY, CURR */
                                       {0xC0, 0xFF, 0xFF, 0xFF}, {0xC0, 0xFF, 0xFE, 0xFE},
                                       {0xBE, 0xFF, 0xFF, 0xBF}, {0x40, 0xFF, 0xFF, 0xBD},
                                       {0x00, 0xFF, 0xFE, 0x00}, {0x00, 0xFF, 0xFE, 0x3E},
                                       {0x46, 0x80, 0xFF, 0xFF}, {0x46, 0x80, 0x50, 0x10},
                                       {0xFE, 0xFF, 0xFE, 0xFE}, {0x00, 0x00, 0x00, 0x00}};
    (void)state;
    start(0x04);
    struct ne2000 *before = whole_memory();
    for (size_t i = 0; i < sizeof(rings) / sizeof(rings[0]); i++) {
        out(CR, ABORT | STP);
        out(PSTART, rings[i][0]);
        out(PSTOP, rings[i][1]);
        out(BNRY, rings[i][2]);
        out(CR, 0x40 | ABORT | STP);
        out(CURR, rings[i][3]);
        out(CR, ABORT | STA);
        net_run(net, 4);
        for (unsigned n = 0; n < 70; n++)
            deliver(1514, NULL, (uint8_t)n);
        out(CR, ABORT | STP); /* what waits is gone */
        net_run(net, 4);
        assert_only_inside(before);
    }
    free(before);
    start(0x04);
    deliver(60, NULL, 1);
    take(FIRST_RX, 60, NULL, 1, 0x01);
}

/* CVE-2016-2841: a ring that ends before it begins, or is empty. */
static void cve_2016_2841_ring_of_no_pages(void **state)
{
    (void)state;
    for (unsigned stop = 0x40; stop <= 0x80; stop += 0x40) {
        start(0x04);
        out(PSTART, 0x80);
        out(PSTOP, stop);
        for (unsigned n = 0; n < 3; n++)
            deliver(1514, NULL, 1);
        assert_int_equal(in(ISR), OVW | RST);
        assert_int_equal(in(CNTR2), 3);
        assert_true(far.reading);
    }
}

/* CVE-2015-8743: double words at the last bytes. */
static void cve_2015_8743_remote_dma_at_the_end(void **state)
{
    (void)state;
    start(0x04);
    struct ne2000 *before = whole_memory();
    for (unsigned at = 0xBFFC; at <= 0xC004; at++) {
        for (unsigned dcr = 0x48; dcr <= 0x49; dcr++) {
            out(DCR, dcr);
            remote(WRITE, at, 8);
            rig_outl(rig, DATA, 0x11223344);
            rig_outl(rig, DATA, 0x55667788);
            assert_true(in(ISR)&RDC);
            remote(READ, at, 8);
            const uint32_t v = rig_inl(rig, DATA);
            rig_inl(rig, DATA);
            if (at >= 0xC000)
                assert_int_equal(v, UINT32_MAX);
            assert_only_inside(before);
        }
    }
    free(before);
}

/* CVE-2018-10839: lengths that no int and no Ethernet has. (A wire takes none above 64 KiB.) */
static void cve_2018_10839_length_of_a_frame(void **state)
{
    (void)state;
    start(0x14);
    for (size_t len = 1519; len <= NET_MAX_FRAME; len = len * 2 - 1000)
        deliver(len, NULL, 1);
    deliver(NET_MAX_FRAME, NULL, 1);
    assert_int_equal(curr(), FIRST_RX);
    assert_int_equal(in(ISR), 0);
}

/* --- life --- */

static struct {
    uint8_t *bytes;
    size_t len;
} saved;

static void save(void)
{
    struct err err;
    assert_true(devices_save(&rig->devices, &saved.bytes, &saved.len, &err));
}

static void load(void)
{
    struct err err;
    assert_true(devices_load(&rig->devices, saved.bytes, saved.len, &err));
    free(saved.bytes);
}

static void moved_in_the_middle(void **state)
{
    (void)state;
    start(0x04);
    deliver(100, NULL, 1);
    send_frame(60, 2); /* not sent yet, half of the remote DMA done */
    remote(READ, 0x4000, 60);
    rig_inw(rig, DATA);
    save();
    net_run(net, 4);
    assert_int_equal(far.count, 1);
    device_reset(&isa->device);
    assert_int_equal(in(CR), ABORT | STP);
    assert_false(rig->hv->isa[LINE]);
    load();
    net_run(net, 4);
    assert_true(far.reading);
    assert_int_equal(far.count, 2);
    assert_sent(60, 2);
    assert_int_equal(rig_inw(rig, RSAR0), 0x4002);
    assert_true(rig->hv->isa[LINE]);
    take(FIRST_RX, 100, NULL, 1, 0x01);

    far.full = true; /* sent, and not through */
    send_frame(60, 3);
    net_run(net, 4);
    net_quiesce(net);
    net_quiesce(net);
    save();
    device_reset(&isa->device);
    load();
    far.full = false;
    net_resume(net);
    net_resume(net);
    net_run(net, 4);
    assert_int_equal(in(CR)&TXP, 0);
    assert_true(in(ISR)&PTX);
    assert_int_equal(card_byte(0x4000), 0xFF);
}

static void all_of_it_is_saved(void **state)
{
    (void)state;
    start(0x04);
    uint8_t *first = (uint8_t *)&isa->chip.regs, *end = isa->chip.ram + sizeof(isa->chip.ram);
    assert_int_equal(rig_not_loaded(&isa->device, first, (size_t)(end - first)), 1); /* padding */
}

static void hostile_state(void **state)
{
    struct err err;
    (void)state;
    const struct device_class *c = isa->device.class;
    const size_t len = state_size(c->state, c->version);
    uint8_t *record = malloc(len);
    assert_non_null(record);
    start(0x04);
    isa->chip.regs.transmitter = NE2000_ASKED; /* without TXP */
    state_save(c->state, &isa->device, c->version, record);
    assert_false(device_load(&isa->device, c->version, record, len, &err));
    assert_non_null(strstr(err.text, "transmits"));
    device_reset(&isa->device);
    isa->chip.regs.running = true; /* and stopped */
    state_save(c->state, &isa->device, c->version, record);
    assert_false(device_load(&isa->device, c->version, record, len, &err));
    assert_non_null(strstr(err.text, "stopped"));
    free(record);
    device_reset(&isa->device);
    rig_standard_tests(rig, &isa->device);
}

/* --- PCI --- */

static uint8_t option_rom[4096];

static void rtl8029(void **state)
{
    struct err err;
    struct nic_config config = {.devfn = PCI_DEVFN(SLOT, 0),
                                .instance = "0",
                                .rom = option_rom,
                                .rom_len = sizeof(option_rom)};
    enum { BAR = 0xC000 };
    (void)state;
    memcpy(config.mac, mac, 6);
    option_rom[0] = 0x55;
    option_rom[1] = 0xAA;
    struct net *other = net_new(NULL, "net1");
    struct ne2000_pci *d =
        ne2000_pci_realize(rig->pci, rig->dma, &rig->clock, &rig->devices, &config, other, &err);
    assert_non_null(d);
    struct device *device = (struct device *)d;
    device_reset(device);
    assert_int_equal(rig_pci_read(rig, SLOT, 0, 0, 4), 0x802910EC);
    assert_int_equal(rig_pci_read(rig, SLOT, 0, 8, 4), 0x02000000);
    assert_int_equal(rig_pci_read(rig, SLOT, 0, 0x3D, 1), 1);
    rig_pci_write(rig, SLOT, 0, 0x10, 4, UINT32_MAX);
    assert_int_equal(rig_pci_read(rig, SLOT, 0, 0x10, 4), 0xFFFFFF01);
    rig_pci_write(rig, SLOT, 0, 0x10, 4, BAR);
    rig_pci_write(rig, SLOT, 0, 0x30, 4, 0xF0000001);
    rig_pci_write(rig, SLOT, 0, 0x04, 2, 3);
    assert_int_equal(rig_mem_read(rig, 0xF0000000, 2), 0xAA55);
    assert_int_equal(rig_inb(rig, BAR), ABORT | STP);
    assert_int_equal(rig_inb(rig, BAR + 10), 0x50);
    assert_int_equal(rig_inb(rig, BAR + 11), 0x43);
    assert_int_equal(rig_inb(rig, BAR + 0x20), 0xFF);
    assert_int_equal(rig_inl(rig, BAR + 0xFC), UINT32_MAX);
    rig_outl(rig, BAR + 0x20, 0);
    assert_int_equal(rig_inb(rig, BAR), ABORT | STP);

    /* ne2k-pci's full duplex; the medium */
    rig_outb(rig, BAR, 0xC0 | ABORT | STP);
    assert_int_equal(rig_inb(rig, BAR + 14), 0x29);
    assert_int_equal(rig_inb(rig, BAR + 15), 0x80);
    assert_int_equal(rig_inb(rig, BAR + 3), 0x00);
    assert_int_equal(rig_inb(rig, BAR + 5), 0x40);
    assert_int_equal(rig_inb(rig, BAR + 6), 0x00);
    rig_outb(rig, BAR + 6, 0x40); /* locked */
    rig_outb(rig, BAR + 5, 0xFF);
    assert_int_equal(rig_inb(rig, BAR + 6), 0x00);
    assert_int_equal(rig_inb(rig, BAR + 5), 0x40);
    rig_outb(rig, BAR + 1, 0xC0);
    assert_int_equal(rig_inb(rig, BAR + 1), 0xC0);
    rig_outb(rig, BAR + 6, 0x40);
    rig_outb(rig, BAR + 5, 0xFF);
    rig_outb(rig, BAR + 1, 0x00);
    assert_int_equal(rig_inb(rig, BAR + 6), 0x40);
    assert_int_equal(rig_inb(rig, BAR + 5), 0xE0);
    rig_outb(rig, BAR + 9, 'H');
    assert_int_equal(rig_inb(rig, BAR + 9), 'H');
    assert_int_equal(rig_inb(rig, BAR + 7), 0xFF);
    rig_outb(rig, BAR + 1, 0x40); /* from the EEPROM again */
    assert_int_equal(rig_inb(rig, BAR + 1), 0);
    assert_int_equal(rig_inb(rig, BAR + 6), 0x00);

    /* Interrupt and save */
    rig_outb(rig, BAR, ABORT | STA);
    rig_outb(rig, BAR + 15, 0x02);
    rig_outb(rig, BAR + 5, 60);
    rig_outb(rig, BAR + 4, TX);
    rig_outb(rig, BAR, ABORT | STA | TXP);
    net_run(other, 4);
    assert_true(rig->hv->intx[SLOT][0]);
    save();
    device_reset(device);
    assert_false(rig->hv->intx[SLOT][0]);
    load();
    assert_true(rig->hv->intx[SLOT][0]);
    rig_outb(rig, BAR + 7, 0xFF);
    assert_false(rig->hv->intx[SLOT][0]);
    rig_standard_tests(rig, device);
    assert_null(
        ne2000_pci_realize(rig->pci, rig->dma, &rig->clock, &rig->devices, &config, NULL, &err));
    device_remove(&rig->devices, device);
    device->class->destroy(device);
    net_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(probe),
        TEST(registers),
        TEST(remote_dma_of_each_width),
        TEST(odd_words),
        TEST(memory_map),
        TEST(transmitting),
        TEST(a_full_back_end_stops_the_transmitter),
        TEST(odd_transmissions),
        TEST(another_station_holds_the_transmitter),
        TEST(no_cable_at_all),
        TEST(loopback),
        TEST(byte_order),
        TEST(send_packet),
        TEST(cve_2015_5279_ring_beyond_the_memory),
        TEST(cve_2016_2841_ring_of_no_pages),
        TEST(cve_2015_8743_remote_dma_at_the_end),
        TEST(cve_2018_10839_length_of_a_frame),
        TEST(moved_in_the_middle),
        TEST(all_of_it_is_saved),
        TEST(hostile_state),
        TEST(rtl8029),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
