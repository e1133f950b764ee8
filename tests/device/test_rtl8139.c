/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RTL8139: C mode as 8139too and others speak it, hostile guests. Registers: test_rtl8139_regs.c.
 */
#include "tests/device/rtl8139_rig.h"

/* ---- Sending ---- */

static void frames_are_sent(void **state)
{
    uint8_t want[1514];
    (void)state;
    start(t, APM);
    for (unsigned i = 0; i < 10; i++) {
        const size_t len = i == 3 ? 1514 : 60 + i;
        write_tsd(t, i % 4, len, i);
        assert_int_equal(tsd(t, i % 4), len); /* under way */
        assert_int_equal(isr(t), 0);
        settle(t);
        assert_int_equal(tsd(t, i % 4), TSD_TOK | TSD_OWN | len);
        assert_int_equal(t->sent, i + 1);
        make_frame(want, other_mac, len, i);
        assert_int_equal(t->len[i], len);
        assert_memory_equal(t->frame[i], want, len);
        assert_int_equal(isr(t), TOK);
        assert_true(irq_level(t));
        rig_outw(t->rig, ISR, TOK);
        assert_false(irq_level(t));
    }
    assert_int_equal(rig_inw(t->rig, TSADS), 0xF00F);
}

static void four_at_once(void **state)
{
    (void)state;
    start(t, APM);
    const unsigned before = t->rig->hv->intx_raised[SLOT][0];
    for (unsigned i = 0; i < 4; i++)
        write_tsd(t, i, 100 + i, i);
    assert_int_equal(rig_inw(t->rig, TSADS), 0);
    settle(t);
    assert_int_equal(t->sent, 4);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(t->len[i], 100 + i);
    assert_int_equal(t->rig->hv->intx_raised[SLOT][0] - before, 1);
}

/* Sent as it is; what can't be a frame isn't. */
static void short_long_and_empty(void **state)
{
    (void)state;
    start(t, APM);
    write_tsd(t, 0, 20, 0);
    write_tsd(t, 1, 0, 0);
    write_tsd(t, 2, 13, 0);
    write_tsd(t, 3, 8191, 0);
    settle(t);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(tsd(t, i) & ~0x1FFFu, TSD_TOK | TSD_OWN);
    assert_int_equal(t->sent, 2);
    assert_int_equal(t->len[0], 20);
    assert_int_equal(t->len[1], 8191);
}

static void a_descriptor_out_of_turn(void **state)
{
    (void)state;
    start(t, APM);
    write_tsd(t, 2, 60, 0);
    settle(t);
    assert_int_equal(t->sent, 1);
    write_tsd(t, 0, 60, 0); /* some drivers begin at 0 again when they stop and start */
    settle(t);
    assert_int_equal(t->sent, 2);
}

static void the_transmitter_is_off(void **state)
{
    (void)state;
    start(t, APM);
    rig_outb(t->rig, CR, RE);
    write_tsd(t, 0, 60, 0);
    settle(t);
    assert_int_equal(tsd(t, 0), 60);
    rig_outb(t->rig, CR, RE | TE);
    settle(t);
    assert_int_equal(t->sent, 1);
    /* Nor while it is no bus master. */
    rig_pci_write(t->rig, SLOT, 0, 0x04, 2, 3);
    write_tsd(t, 1, 60, 0);
    settle(t);
    assert_int_equal(t->sent, 1);
    rig_pci_write(t->rig, SLOT, 0, 0x04, 2, 7);
    settle(t);
    assert_int_equal(t->sent, 2);
    /* A reset takes back what waits. */
    write_tsd(t, 2, 60, 0);
    rig_outb(t->rig, CR, RST);
    rig_outb(t->rig, CR, TE);
    settle(t);
    assert_int_equal(t->sent, 2);
}

static void the_back_end_is_full(void **state)
{
    (void)state;
    start(t, APM);
    t->full = true;
    for (unsigned i = 0; i < 4; i++)
        write_tsd(t, i, 60 + i, i);
    settle(t);
    assert_int_equal(t->sent, 0);
    assert_int_equal(rig_inw(t->rig, TSADS), 0x1001); /* one was taken */
    t->full = false;
    net_writable(t->net);
    settle(t);
    assert_int_equal(t->sent, 4);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(t->len[i], 60 + i);
    assert_int_equal(rig_inw(t->rig, TSADS), 0xF00F);
}

static void sending_from_nowhere(void **state)
{
    (void)state;
    start(t, APM);
    rig_outl(t->rig, TSAD, 0xFFFFFFF0);
    rig_outl(t->rig, TSD, 60);
    rig_outl(t->rig, TSAD + 4, MMIO); /* its own registers */
    rig_outl(t->rig, TSD + 4, 60);
    settle(t);
    assert_int_equal(tsd(t, 0), TSD_TABT | TSD_OWN | 60);
    assert_int_equal(tsd(t, 1), TSD_TABT | TSD_OWN | 60);
    assert_int_equal(isr(t), TER | SERR);
    assert_int_equal(rig_inw(t->rig, TSADS), 0x003F);
    write_tsd(t, 2, 60, 0);
    settle(t);
    assert_int_equal(t->sent, 1);
}

/* ---- Receiving ---- */

static bool empty(void)
{
    return rig_inb(t->rig, CR) & BUFE;
}

static void frames_are_received(void **state)
{
    (void)state;
    start(t, APM | AB | WRAP);
    assert_true(empty());
    assert_true(t->reading);
    assert_true(deliver(t, own_mac, 60, 1));
    assert_int_equal(isr(t), ROK);
    assert_true(irq_level(t));
    assert_int_equal(rig_inw(t->rig, CBR), 68);
    rig_outw(t->rig, ISR, ROK);
    assert_false(irq_level(t));
    take_packet(t, own_mac, 60, 1, 0x4001);
    assert_true(empty());
    assert_true(deliver(t, broadcast_mac, 1514, 2));
    assert_true(deliver(t, own_mac, 20, 3)); /* padded */
    assert_int_equal(take_packet(t, broadcast_mac, 1514, 2, 0x2001), 1518);
    assert_int_equal(take_packet(t, own_mac, 20, 3, 0x4001), 64);
    assert_true(empty());
    /* The interrupt comes when the batch is over. */
    static uint8_t frame[60];
    make_frame(frame, own_mac, 60, 0);
    rig_outw(t->rig, ISR, 0xFFFF);
    assert_true(net_deliver(t->net, frame, 60, NULL));
    assert_false(irq_level(t));
    net_delivered(t->net);
    assert_true(irq_level(t));
}

static void every_size_of_ring(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        start(t, APM | (i & 1 ? WRAP : 0) | (i >> 1) << 11);
        for (unsigned n = 0; n < 200; n++) {
            const size_t len = 60 + n * 97 % 1455;
            assert_true(deliver(t, own_mac, len, n));
            take_packet(t, own_mac, len, n, 0x4001);
            assert_true(empty());
            assert_true(rig_inw(t->rig, CBR) < (8192u << (i >> 1)));
        }
    }
}

/* With WRAP, nothing beyond 1.5 KiB behind the buffer, whatever comes; without, nothing at all. */
static void not_a_byte_beyond(void **state)
{
    (void)state;
    for (unsigned wrap = 0; wrap < 2; wrap++) {
        for (size_t len = 1500; len < 9000; len += len < 1540 ? 1 : 1200) {
            start(t, APM | (wrap ? WRAP : 0));
            memset(ram(t, RX_DATA + 8192), 0xEE, 16384);
            for (unsigned n = 0; n < 8192 / 64 - 1; n++) { /* up to 8 bytes before the end */
                assert_true(deliver(t, own_mac, n ? 56 : 52, n));
                rig_outw(t->rig, CAPR, (uint16_t)(rig_inw(t->rig, CBR) - 16));
                settle(t);
            }
            deliver(t, own_mac, len, 0);
            const uint32_t limit = RX_DATA + 8192 + (wrap ? 1536 : 0);
            for (uint32_t at = limit; at < RX_DATA + 24576; at++)
                assert_int_equal(*ram(t, at), 0xEE);
        }
    }
}

static void filters(void **state)
{
    static const uint8_t *const macs[] = {own_mac, broadcast_mac, group_mac, other_mac};
    static const uint16_t statuses[] = {0x4001, 0x2001, 0x8001, 0x0001};
    static const struct {
        uint32_t rcr;
        bool hash, taken[4];
    } rules[] = {
        {APM, true, {true, false, false, false}},
        {AB, true, {false, true, false, false}},
        {AM, true, {false, false, true, false}},
        {AM, false, {false, false, false, false}},
        {APM | AB | AM, false, {true, true, false, false}},
        {AAP, false, {true, true, true, true}},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        start(t, rules[i].rcr);
        /* CRC of 01:00:5E:00:00:01: bit 32 + 31 - … as Linux has it: bit 31 of the first word or
         * the second; all others are set in the rule without it. */
        const unsigned bit = nic_hash(group_mac);
        uint32_t mar[2] = {0, 0};
        mar[bit / 32] = 1u << bit % 32;
        rig_outl(t->rig, MAR, rules[i].hash ? mar[0] : ~mar[0]);
        rig_outl(t->rig, MAR + 4, rules[i].hash ? mar[1] : ~mar[1]);
        for (unsigned m = 0; m < 4; m++) {
            deliver(t, macs[m], 60, m);
            assert_int_equal(!empty(), rules[i].taken[m]);
            if (!empty())
                take_packet(t, macs[m], 60, m, statuses[m]);
        }
    }
    start(t, 0); /* nothing would be taken: nothing is asked for */
    assert_false(t->reading);
    rig_outl(t->rig, RCR, AB);
    settle(t);
    assert_true(t->reading);
    rig_outb(t->rig, CR, TE);
    settle(t);
    assert_false(t->reading);
}

/* A full ring holds the next frame back, which comes when there is room. */
static void a_full_ring(void **state)
{
    struct net_stats stats;
    (void)state;
    start(t, APM);
    unsigned n = 0;
    while (deliver(t, own_mac, 1514, n))
        assert_true(++n < 6);
    assert_int_equal(n, 5); /* the sixth is held */
    net_stats(t->net, &stats);
    assert_true(stats.rx_waiting);
    assert_false(t->reading);
    assert_int_equal(isr(t), ROK);
    assert_int_equal(rig_inl(t->rig, MPC), 0);
    for (unsigned i = 0; i < 6; i++)
        take_packet(t, own_mac, 1514, i, 0x4001);
    assert_true(empty());
    assert_true(t->reading);
    net_stats(t->net, &stats);
    assert_int_equal(stats.rx_dropped, 0);
    /* A driver that has acknowledged everything is told again; one that isn't interested isn't. */
    for (unsigned masked = 0; masked < 2; masked++) {
        start(t, APM);
        rig_outw(t->rig, IMR, masked ? ROK : ROK | RXOVW);
        for (n = 0; n < 5; n++)
            assert_true(deliver(t, own_mac, 1514, n));
        rig_outw(t->rig, ISR, 0xFFFF);
        assert_false(irq_level(t));
        assert_false(deliver(t, own_mac, 1514, n));
        assert_int_equal(isr(t), masked ? 0 : RXOVW);
        assert_int_equal(irq_level(t), !masked);
    }
}

/* To the last byte: a full ring must not look empty. */
static void nearly_full(void **state)
{
    (void)state;
    start(t, APM);
    for (unsigned i = 0; i < 5; i++)
        assert_true(deliver(t, own_mac, 1514, i)); /* 1524 each: 7620; 572 are left */
    assert_false(deliver(t, own_mac, 564, 5));
    assert_int_equal(rig_inw(t->rig, CBR), 7620);
    start(t, APM);
    for (unsigned i = 0; i < 5; i++)
        assert_true(deliver(t, own_mac, 1514, i));
    assert_true(deliver(t, own_mac, 560, 5));
    assert_int_equal(rig_inw(t->rig, CBR), 8188);
    assert_false(empty());
}

static void the_receiver_starts_anew(void **state)
{
    (void)state;
    start(t, APM);
    deliver(t, own_mac, 60, 0);
    rig_outb(t->rig, CR, TE);
    rig_outb(t->rig, CR, TE | RE);
    assert_true(empty());
    assert_int_equal(rig_inw(t->rig, CBR), 0);
    assert_int_equal(rig_inw(t->rig, CAPR), 0xFFF0);
    /* Before the driver has said where: nothing is stored, least of all at 0. */
    rig_outl(t->rig, RBSTART, 0);
    settle(t);
    assert_false(t->reading);
}

static void receiving_to_nowhere(void **state)
{
    (void)state;
    start(t, APM);
    rig_outl(t->rig, RBSTART, 0xFFFFF000);
    assert_true(deliver(t, own_mac, 1514, 0));
    assert_int_equal(isr(t), SERR);
    rig_outl(t->rig, RBSTART, MMIO);
    assert_true(deliver(t, own_mac, 1514, 0));
    assert_int_equal(rig_inl(t->rig, IDR), 0x123E1600);
    rig_outl(t->rig, RBSTART, RX_DATA);
    assert_true(deliver(t, own_mac, 60, 7));
    take_packet(t, own_mac, 60, 7, 0x4001);
}

/* CVE-2018-17958: lengths near the limits of what is said in 13 and 16 bits. */
static void frames_of_any_length(void **state)
{
    static const size_t lens[] = {4087,  4088,  4092,  8179,  8183,  8187,  8188,  8192,
                                  16380, 32764, 32768, 65527, 65531, 65535, 65536, NET_MAX_FRAME};
    struct net_stats stats;
    (void)state;
    for (unsigned size = 0; size < 4; size++) {
        for (unsigned i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
            start(t, APM | size << 11);
            assert_true(deliver(t, own_mac, lens[i], 1)); /* none is held: it would be for ever */
            if (!empty())
                take_packet(t, own_mac, lens[i], 1, 0x4001);
            assert_true(deliver(t, own_mac, 60, 2));
            take_packet(t, own_mac, 60, 2, 0x4001);
        }
    }
    net_stats(t->net, &stats);
    assert_true(stats.rx_dropped > 0);
}

static void early_receive(void **state)
{
    (void)state;
    start(t, APM | 0x04000000);
    deliver(t, own_mac, 600, 0);
    assert_int_equal(rig_inb(t->rig, ERSR), 0x08);
    assert_int_equal(rig_inw(t->rig, ERBCR), 604);
    rig_outb(t->rig, ERSR, 0x08);
    assert_int_equal(rig_inb(t->rig, ERSR), 0);
    assert_int_equal(rig_inb(t->rig, CR), RE | TE);
    take_packet(t, own_mac, 600, 0, 0x4001);
}

/* CVE-2021-3416: once, into memory; its own registers are no memory. */
static void loopback(void **state)
{
    (void)state;
    start(t, APM | AAP);
    rig_outl(t->rig, TCR, LOOPBACK);
    settle(t);
    assert_false(t->reading);
    write_tsd(t, 0, 60, 5);
    settle(t);
    assert_int_equal(t->sent, 0);
    assert_int_equal(isr(t), TOK | ROK);
    assert_int_equal(rig_inw(t->rig, CBR), 68);
    take_packet(t, other_mac, 60, 5, 0x0001);
    rig_outl(t->rig, RCR, APM); /* filtered like any other */
    write_tsd(t, 1, 60, 5);
    settle(t);
    assert_true(empty());
    /* Into the buffer it is sent from. */
    rig_outl(t->rig, RCR, AAP);
    rig_outl(t->rig, RBSTART, TX_DATA + 2 * 0x2000);
    write_tsd(t, 2, 60, 5);
    settle(t);
    assert_int_equal(rig_inw(t->rig, CBR), 136);
    rig_outl(t->rig, RBSTART, MMIO + 0x10);
    write_tsd(t, 3, 60, 5);
    settle(t);
    assert_int_equal(isr(t) & SERR, SERR);
    assert_int_equal(tsd(t, 3), TSD_TOK | TSD_OWN | 60);
    /* No room: lost. */
    rig_outl(t->rig, RBSTART, RX_DATA);
    rig_outw(t->rig, ISR, 0xFFFF);
    for (unsigned i = 0; i < 8; i++) {
        write_tsd(t, i % 4, 1514, i);
        settle(t);
    }
    assert_true(isr(t) & RXOVW);
    assert_int_equal(rig_inl(t->rig, MPC), 3);
    rig_outl(t->rig, MPC, 0);
    assert_int_equal(rig_inl(t->rig, MPC), 0);
}

/* ---- The cable ---- */

static void the_cable_is_pulled(void **state)
{
    (void)state;
    start(t, APM);
    net_set_link(t->net, false);
    assert_int_equal(isr(t), LINK);
    assert_int_equal(rig_inb(t->rig, MSR), 0xD4);
    assert_int_equal(rig_inw(t->rig, BMSR), 0x7809);
    assert_int_equal(rig_inw(t->rig, ANLPAR), 0);
    write_tsd(t, 0, 60, 0);
    settle(t);
    assert_int_equal(t->sent, 0);
    assert_int_equal(tsd(t, 0), TSD_TOK | TSD_OWN | 60);
    net_set_link(t->net, true);
    assert_int_equal(rig_inw(t->rig, BMSR), 0x782D);
    net_set_link(t->net, false);
    net_set_link(t->net, true);
    assert_int_equal(rig_inw(t->rig, BMSR), 0x7829); /* it was lost, told once */
    assert_int_equal(rig_inw(t->rig, BMSR), 0x782D);
}

static void modes_of_the_medium(void **state)
{
    (void)state;
    rig_outw(t->rig, BMCR, 0x1200);
    assert_int_equal(rig_inw(t->rig, BMCR), 0x3100);
    rig_outw(t->rig, BMCR, 0x0000);
    assert_int_equal(rig_inw(t->rig, BMCR), 0x0000);
    assert_int_equal(rig_inb(t->rig, MSR), 0xD8);
    assert_int_equal(rig_inw(t->rig, BMSR), 0x780D);
    rig_outw(t->rig, BMCR, 0x2100);
    assert_int_equal(rig_inw(t->rig, BMCR), 0x2100);
    assert_int_equal(rig_inb(t->rig, MSR), 0xD0);
    rig_outw(t->rig, ANAR, 0x0061);
    assert_int_equal(rig_inw(t->rig, ANAR), 0x0061);
    rig_outw(t->rig, BMCR, 0x8000);
    assert_int_equal(rig_inw(t->rig, BMCR), 0x3100);
    assert_int_equal(rig_inw(t->rig, ANAR), 0x05E1);
}

static void no_cable_ever(void **state)
{
    (void)state;
    rtl8139_rig_free(t);
    t = rtl8139_rig_new(false);
    start(t, APM | AAP);
    assert_int_equal(rig_inb(t->rig, MSR), 0xD4);
    for (unsigned i = 0; i < 4; i++)
        write_tsd(t, i, 60, 0);
    assert_int_equal(rig_inw(t->rig, TSADS), 0xF00F);
    rig_outl(t->rig, TCR, LOOPBACK);
    write_tsd(t, 0, 60, 5);
    take_packet(t, other_mac, 60, 5, 0x0001);
    rig_standard_tests(t->rig, t->device);
}

/* ---- Life ---- */

static void a_stop_and_a_move(void **state)
{
    (void)state;
    for (unsigned to_another = 0; to_another < 2; to_another++) {
        start(t, APM);
        rig_outl(t->rig, TCTR, 0);
        rig_outl(t->rig, TIMER_INT, 66000);
        deliver(t, own_mac, 100, 1);
        write_tsd(t, 0, 60, 1); /* asked for, not yet done */
        net_quiesce(t->net);
        settle(t);
        assert_int_equal(tsd(t, 0), 60);
        rig_step(t->rig, NS_PER_MS);
        const unsigned sent = to_another ? 0 : t->sent;
        t = rtl8139_rig_move(t, to_another);
        assert_int_equal(t->sent, sent + 1);
        assert_int_equal(tsd(t, 0), TSD_TOK | TSD_OWN | 60);
        assert_int_equal(rig_inl(t->rig, TCTR), 33000);
        take_packet(t, own_mac, 100, 1, 0x4001);
        rig_outw(t->rig, ISR, 0xFFFF);
        assert_false(irq_level(t));
        rig_step(t->rig, NS_PER_MS);
        assert_true(irq_level(t)); /* the timer */
        deliver(t, own_mac, 100, 2);
        take_packet(t, own_mac, 100, 2, 0x4001);
        write_tsd(t, 1, 60, 1);
        settle(t);
        assert_int_equal(t->sent, sent + 2);
    }
}

/* The eighth frame waits at the wire; a stop doesn't lose it. */
static void a_stop_while_a_frame_waits(void **state)
{
    unsigned n = 0;
    (void)state;
    start(t, APM);
    while (deliver(t, own_mac, 1514, n))
        n++;
    t = rtl8139_rig_move(t, false);
    for (unsigned i = 0; i <= n; i++)
        take_packet(t, own_mac, 1514, i, 0x4001);
    assert_true(empty());
}

static void standard(void **state)
{
    (void)state;
    start(t, APM | AB);
    deliver(t, own_mac, 1000, 1);
    write_tsd(t, 0, 1000, 1);
    rig_standard_tests(t->rig, t->device);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(frames_are_sent),
        TEST(four_at_once),
        TEST(short_long_and_empty),
        TEST(a_descriptor_out_of_turn),
        TEST(the_transmitter_is_off),
        TEST(the_back_end_is_full),
        TEST(sending_from_nowhere),
        TEST(frames_are_received),
        TEST(every_size_of_ring),
        TEST(not_a_byte_beyond),
        TEST(filters),
        TEST(a_full_ring),
        TEST(nearly_full),
        TEST(the_receiver_starts_anew),
        TEST(receiving_to_nowhere),
        TEST(frames_of_any_length),
        TEST(early_receive),
        TEST(loopback),
        TEST(the_cable_is_pulled),
        TEST(modes_of_the_medium),
        TEST(no_cable_ever),
        TEST(a_stop_and_a_move),
        TEST(a_stop_while_a_frame_waits),
        TEST(standard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
