/* SPDX-License-Identifier: GPL-2.0-or-later */
/* NE2000: frames into the ring, filters, a ring that is full or none. */
#include "tests/device/ne2000_rig.h"

static void receiving(void **state)
{
    (void)state;
    start(0x04);
    assert_true(far.reading);
    deliver(100, NULL, 1);
    assert_true(rig->hv->isa[LINE]);
    assert_int_equal(in(ISR), PRX);
    assert_int_equal(in(RSR), 0x01);
    deliver(1514, broadcast, 2);
    deliver(20, NULL, 3); /* padded to 60 */
    deliver(504, NULL, 4);
    deliver(505, NULL, 5); /* a page more */
    assert_int_equal(rig->hv->isa_raised[LINE], 1);
    uint8_t page = take(FIRST_RX, 100, NULL, 1, 0x01);
    assert_int_equal(page, FIRST_RX + 1);
    page = take(page, 1514, broadcast, 2, 0x21);
    assert_int_equal(page, FIRST_RX + 7);
    page = take(page, 20, NULL, 3, 0x01);
    page = take(page, 504, NULL, 4, 0x01);
    assert_int_equal(page, FIRST_RX + 10);
    page = take(page, 505, NULL, 5, 0x01);
    assert_int_equal(page, FIRST_RX + 13);
    assert_int_equal(curr(), page);
    out(ISR, 0xFF);
    assert_false(rig->hv->isa[LINE]);
    deliver(1519, NULL, 6); /* that is no Ethernet frame */
    deliver(NET_MAX_FRAME, NULL, 6);
    assert_int_equal(curr(), page);
    deliver(1518, NULL, 7); /* with a tag */
    take(page, 1518, NULL, 7, 0x01);
}

static void the_ring_goes_round(void **state)
{
    (void)state;
    start(0x04);
    uint8_t page = FIRST_RX;
    for (unsigned i = 0; i < 300; i++) {
        const size_t len = 60 + i * 37 % 1455;
        deliver(len, NULL, (uint8_t)i);
        page = take(page, len, NULL, (uint8_t)i, 0x01);
        assert_true(page >= FIRST_RX && page < LAST);
    }
    assert_int_equal(in(ISR)&OVW, 0);
}

static bool taken(const uint8_t *to)
{
    const uint8_t before = curr();
    deliver(60, to, 9);
    out(BNRY, before == FIRST_RX ? LAST - 1 : before - 1);
    return curr() != before;
}

static void filters(void **state)
{
    static const uint8_t other[6] = {0x00, 0x16, 0x3E, 0x12, 0x34, 0x57};
    static const uint8_t group[6] = {0x01, 0x00, 0x5E, 0x00, 0x00, 0x01}; /* hash 31 */
    static const uint8_t group2[6] = {0x33, 0x33, 0x00, 0x00, 0x00, 0x01};
    (void)state;
    start(0x00);
    assert_true(taken(mac));
    assert_false(taken(other));
    assert_false(taken(broadcast));
    assert_false(taken(group));
    out(RCR, 0x04);
    assert_true(taken(broadcast));
    assert_false(taken(group));
    out(RCR, 0x08);
    assert_false(taken(group));
    out(CR, 0x40 | ABORT);
    out(MAR0 + 3, 0x80);
    out(CR, ABORT);
    assert_true(taken(group));
    assert_false(taken(group2));
    assert_false(taken(broadcast));
    for (unsigned i = 0; i < 8; i++) {
        out(CR, 0x40 | ABORT);
        out(MAR0 + i, 0xFF);
        out(CR, ABORT);
    }
    assert_true(taken(group2));
    assert_true(taken(broadcast)); /* it hashes like any other */
    assert_false(taken(other));
    out(RCR, 0x10); /* stations only */
    assert_true(taken(other));
    assert_true(taken(mac));
    assert_false(taken(group));
}

/* A slow driver: nothing is lost, the wire waits. */
static void a_full_ring_holds_the_wire(void **state)
{
    struct net_stats stats;
    (void)state;
    start(0x04);
    unsigned sent = 0;
    do {
        deliver(1514, NULL, (uint8_t)sent++);
        net_stats(net, &stats);
    } while (!stats.rx_waiting && sent < 100);
    assert_int_equal(sent, 9); /* 51 pages, one stays free: 8 frames of 6, and one waits */
    assert_false(far.reading);
    assert_int_equal(in(ISR), PRX);
    uint8_t page = FIRST_RX;
    for (unsigned i = 0; i < sent; i++)
        page = take(page, 1514, NULL, (uint8_t)i, 0x01);
    net_stats(net, &stats);
    assert_false(stats.rx_waiting);
    assert_true(far.reading);
    assert_int_equal(stats.rx_dropped, 0);
    assert_int_equal(in(CNTR2), 0);
    /* Stopped: what waits is gone. */
    while (net_stats(net, &stats), !stats.rx_waiting)
        deliver(1514, NULL, 1);
    out(CR, ABORT | STP);
    net_run(net, 4);
    net_stats(net, &stats);
    assert_false(stats.rx_waiting);
    assert_false(far.reading);
    assert_true(in(ISR)&RST);
}

/* Linux' driver leaves its loop after nine frames, and acknowledges what it was called for only
 * then: with the ring full again nothing would ever call it. */
static void a_frame_that_waits_calls_the_driver(void **state)
{
    struct net_stats stats;
    unsigned sent = 0, got = 0;
    uint8_t page = FIRST_RX;
    (void)state;
    start(0x04);
    out(IMR, PRX);
    do {
        deliver(1514, NULL, (uint8_t)sent++);
        net_stats(net, &stats);
    } while (!stats.rx_waiting && sent < 100);
    for (; got < 3; got++) { /* each makes room for another */
        page = take(page, 1514, NULL, (uint8_t)got, 0x01);
        deliver(1514, NULL, (uint8_t)sent++);
    }
    net_stats(net, &stats);
    assert_true(stats.rx_waiting);
    out(ISR, PRX | RDC);
    assert_int_equal(in(ISR), PRX);
    assert_true(rig->hv->isa[LINE]);
    for (; got < sent; got++)
        page = take(page, 1514, NULL, (uint8_t)got, 0x01);
    net_stats(net, &stats);
    assert_false(stats.rx_waiting);
    assert_int_equal(stats.rx_dropped, 0);
    out(ISR, PRX | RDC); /* nobody waits any more */
    assert_int_equal(in(ISR), 0);
    assert_false(rig->hv->isa[LINE]);
    /* The ring is full, and that has been acknowledged, before another comes. */
    for (unsigned i = 0; i < 8; i++)
        deliver(1514, NULL, (uint8_t)sent++);
    out(ISR, PRX | RDC);
    assert_int_equal(in(ISR), 0);
    deliver(1514, NULL, (uint8_t)sent++);
    net_stats(net, &stats);
    assert_true(stats.rx_waiting);
    assert_int_equal(in(ISR), PRX);
}

/* Linux takes nine and leaves; who acknowledges first and then takes all is called once. */
static void frames_that_are_left_call_the_driver(void **state)
{
    uint8_t page = FIRST_RX;
    (void)state;
    start(0x04);
    out(IMR, PRX);
    for (unsigned i = 0; i < 12; i++)
        deliver(100, NULL, (uint8_t)i);
    for (unsigned i = 0; i < 9; i++)
        page = take(page, 100, NULL, (uint8_t)i, 0x01);
    out(ISR, PRX | RDC);
    assert_int_equal(in(ISR), PRX);
    assert_true(rig->hv->isa[LINE]);
    for (unsigned i = 9; i < 12; i++)
        page = take(page, 100, NULL, (uint8_t)i, 0x01);
    out(ISR, PRX | RDC);
    assert_int_equal(in(ISR), 0);

    for (unsigned i = 0; i < 6; i++) {
        deliver(100, NULL, (uint8_t)i);
        deliver(100, NULL, (uint8_t)i);
        out(ISR, PRX | RDC);
        assert_int_equal(in(ISR), 0);
        assert_false(rig->hv->isa[LINE]);
        page = take(page, 100, NULL, (uint8_t)i, 0x01);
        page = take(page, 100, NULL, (uint8_t)i, 0x01);
    }
    deliver(100, NULL, 1); /* stopped with one in the ring */
    out(BNRY, LAST - 1);
    out(CR, ABORT | STP);
    out(ISR, 0xFF);
    assert_int_equal(in(ISR)&PRX, 0);
}

/* To the last page but one: CURR on BNRY would be an empty ring. */
static void one_page_stays_free(void **state)
{
    struct net_stats stats;
    unsigned sent = 0;
    (void)state;
    start(0x04);
    do {
        deliver(60, NULL, (uint8_t)sent++);
        net_stats(net, &stats);
    } while (!stats.rx_waiting && sent < 300);
    assert_int_equal(sent, LAST - FIRST_RX - 2 + 1);
    assert_int_equal(curr(), LAST - 2);
    uint8_t page = FIRST_RX;
    for (unsigned i = 0; i < sent; i++)
        page = take(page, 60, NULL, (uint8_t)i, 0x01);
}

/* A boundary that is never met stops nothing; a beginning that is nowhere is an overflow. */
static void pointers_beside_the_ring(void **state)
{
    static const uint8_t beside[] = {0x00, FIRST_RX - 2, LAST, 0xC0, 0xFF};
    struct net_stats stats;
    (void)state;
    for (unsigned i = 0; i < sizeof(beside); i++) {
        start(0x04);
        out(BNRY, beside[i]);
        for (unsigned n = 0; n < 100; n++)
            deliver(1514, NULL, (uint8_t)n);
        net_stats(net, &stats);
        assert_false(stats.rx_waiting);
        assert_int_equal(in(ISR), PRX);
        assert_int_equal(curr(), FIRST_RX + 600 % (LAST - FIRST_RX));
        start(0x04);
        out(CR, 0x40 | ABORT);
        out(CURR, beside[i]);
        out(CR, ABORT);
        deliver(60, NULL, 1);
        assert_int_equal(in(ISR), OVW | RST);
        assert_int_equal(curr(), beside[i]);
    }
}

/* Linux writes the page before the next frame as the boundary, also when that is before the ring:
 * nothing that it has not read is written over. */
static void a_boundary_just_before_the_ring(void **state)
{
    struct net_stats stats;
    unsigned taken = 0;
    (void)state;
    start(0x04);
    out(BNRY, FIRST_RX - 1);
    do {
        deliver(1514, NULL, (uint8_t)taken++);
        net_stats(net, &stats);
    } while (!stats.rx_waiting && taken < 100);
    assert_int_equal(taken, (LAST - FIRST_RX - 1) / 6 + 1);
    uint8_t page = FIRST_RX;
    for (unsigned i = 0; i < taken; i++)
        page = take(page, 1514, NULL, (uint8_t)i, 0x01);
}

/* A ring in which a frame never fits. */
static void overflow(void **state)
{
    (void)state;
    start(0x04);
    out(PSTOP, FIRST_RX + 6);
    out(BNRY, FIRST_RX);
    deliver(1514, NULL, 1);
    assert_true(far.reading);
    assert_int_equal(in(ISR), OVW | RST);
    assert_int_equal(in(RSR), 0x10);
    assert_true(rig->hv->isa[LINE]);
    out(ISR, OVW);
    out(BNRY, FIRST_RX);
    assert_int_equal(in(ISR), 0);
    assert_int_equal(curr(), FIRST_RX);
    assert_int_equal(in(CNTR2), 1);
    assert_int_equal(in(CNTR2), 0);
    deliver(1200, NULL, 1); /* all but one page: it fits */
    assert_int_equal(in(ISR), PRX);
    assert_int_equal(curr(), FIRST_RX + 5);
}

static void monitor_mode_and_tally(void **state)
{
    (void)state;
    start(0x24);
    for (unsigned i = 0; i < 127; i++)
        deliver(60, i & 1 ? NULL : broadcast, 1);
    deliver(60, (const uint8_t *)"\0\x11\x22\x33\x44\x55", 1); /* for another */
    assert_int_equal(in(ISR), 0);
    assert_int_equal(in(RSR)&0x50, 0x50);
    deliver(60, NULL, 1);
    assert_int_equal(in(ISR), CNT);
    for (unsigned i = 0; i < 100; i++)
        deliver(60, NULL, 1);
    assert_int_equal(in(CNTR2), 192);
    assert_int_equal(in(CNTR2), 0);
    assert_int_equal(curr(), FIRST_RX);
    out(RCR, 0x04);
    deliver(60, NULL, 1);
    assert_int_equal(in(RSR), 0x01);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(receiving),
        TEST(the_ring_goes_round),
        TEST(filters),
        TEST(a_full_ring_holds_the_wire),
        TEST(a_frame_that_waits_calls_the_driver),
        TEST(frames_that_are_left_call_the_driver),
        TEST(one_page_stays_free),
        TEST(pointers_beside_the_ring),
        TEST(a_boundary_just_before_the_ring),
        TEST(overflow),
        TEST(monitor_mode_and_tally),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
