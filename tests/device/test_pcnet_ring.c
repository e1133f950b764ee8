/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pcnet: frames out of and into the rings in all software styles, filters, errors, loopback, what a
 * hostile guest or a hostile wire does with them. */
#include "tests/device/pcnet_rig.h"

#include "hw/pc/nic.h"

static uint8_t frame[NET_MAX_FRAME];

static const uint8_t broadcast[6] = {255, 255, 255, 255, 255, 255};
static const uint8_t group[6] = {0x01, 0x00, 0x5E, 0x00, 0x00, 0x01};
static const uint8_t other[6] = {2, 0, 0, 0, 0, 0x77};

/* --- transmit --- */

static void frames_go_out_in_every_style(void **state)
{
    (void)state;
    for (unsigned style = 0; style < 4; style++) {
        driver_start(t, style);
        for (unsigned i = 0; i < 11; i++) { /* around the ring */
            const size_t len = 60 + i * 140;
            driver_send(t, i % 4, len, STP | ENP);
            assert_int_equal(t->wire.count, i + 1);
            assert_int_equal(t->wire.sent[i].len, len);
            assert_memory_equal(t->wire.sent[i].bytes, ram(t, TX_DATA), len);
            assert_int_equal(flags_of(t, TX_RING, i % 4), STP | ENP);
            assert_int_equal(details_of(t, TX_RING, i % 4), 0);
            assert_int_equal(csr(t, 0) & (TINT | TDMD | INTR), TINT | INTR);
            assert_true(irq_level(t));
            set_csr(t, 0, TINT | IENA);
            assert_false(irq_level(t));
        }
        if (style)
            assert_int_equal(get32(t, TX_RING + 12), 0x5A5A5A5A); /* the driver's own */
    }
}

static void a_frame_in_pieces(void **state)
{
    (void)state;
    for (unsigned style = 0; style < 4; style++) {
        driver_start(t, style);
        make_frame(ram(t, TX_DATA), other, 0x0800, 1000);
        put_descriptor(t, TX_RING, 0, TX_DATA, OWN | STP, 14);
        put_descriptor(t, TX_RING, 1, TX_DATA + 14, OWN, 1);
        put_descriptor(t, TX_RING, 2, TX_DATA + 15, OWN | ENP, 985);
        put_descriptor(t, TX_RING, 3, TX_DATA, OWN | STP | ENP, 77);
        set_csr(t, 0, TDMD);
        run(t);
        assert_int_equal(t->wire.count, 2);
        assert_int_equal(t->wire.sent[0].len, 1000);
        assert_memory_equal(t->wire.sent[0].bytes, ram(t, TX_DATA), 1000);
        assert_int_equal(t->wire.sent[1].len, 77);
        assert_int_equal(flags_of(t, TX_RING, 0), STP);
        assert_int_equal(flags_of(t, TX_RING, 1), 0);
        assert_int_equal(flags_of(t, TX_RING, 2), ENP);
    }
}

static void the_rest_of_a_frame_is_missing(void **state)
{
    (void)state;
    driver_start(t, 2);
    driver_send(t, 0, 100, STP);
    assert_int_equal(t->wire.count, 0);
    assert_int_equal(flags_of(t, TX_RING, 0), ERROR | STP);
    assert_int_equal(details_of(t, TX_RING, 0), 0xC0000000); /* BUFF, UFLO */
    assert_int_equal(csr(t, 0) & (TXON | RXON | TINT), RXON | TINT);
    driver_send(t, 1, 100, STP | ENP);
    assert_int_equal(t->wire.count, 0);
    /* Unless it was told to go on; what follows until the next start is let go. */
    driver_start(t, 2);
    set_csr(t, 3, 0x0040);
    driver_send(t, 0, 100, STP);
    assert_int_equal(csr(t, 0) & TXON, TXON);
    driver_send(t, 1, 100, ENP);
    assert_int_equal(t->wire.count, 0);
    assert_int_equal(flags_of(t, TX_RING, 1), ENP);
    driver_send(t, 2, 100, STP | ENP);
    assert_int_equal(t->wire.count, 1);
    /* 16-bit descriptors have these bits at the top of their last word. */
    driver_start(t, 0);
    driver_send(t, 0, 100, STP);
    assert_int_equal(details_of(t, TX_RING, 0), 0xC000);
}

static void padding_and_check_sequence(void **state)
{
    (void)state;
    driver_start(t, 2);
    driver_send(t, 0, 20, STP | ENP);
    assert_int_equal(t->wire.sent[0].len, 20);
    set_csr(t, 4, 0x0915); /* APAD_XMT */
    driver_send(t, 1, 20, STP | ENP);
    assert_int_equal(t->wire.sent[1].len, 60);
    assert_int_equal(t->wire.sent[1].bytes[59], 0);
    assert_int_equal(csr(t, 4) & 8, 8); /* TXSTRT */
    driver_send(t, 2, 13, STP | ENP);
    assert_int_equal(t->wire.sent[2].len, 60);
    /* The guest makes the check sequence itself: it is not part of the frame here. */
    driver_init(t, 2, DXMTFCS, 0, 1544, STRT);
    make_frame(ram(t, TX_DATA), other, 0x0800, 100);
    put32(t, TX_DATA + 100, nic_fcs(ram(t, TX_DATA), 100));
    put_descriptor(t, TX_RING, 0, TX_DATA, OWN | STP | ENP, 104);
    set_csr(t, 0, TDMD);
    run(t);
    assert_int_equal(t->wire.sent[0].len, 100);
    driver_send(t, 1, 104, STP | ENP); /* and this one is wrong: nobody takes it */
    assert_int_equal(t->wire.count, 1);
    assert_int_equal(flags_of(t, TX_RING, 1), STP | ENP);
    driver_send(t, 2, 104, STP | ENP | FCS); /* ADD_FCS */
    assert_int_equal(t->wire.count, 2);
    assert_int_equal(t->wire.sent[1].len, 104);
    set_csr(t, 4, 0x0915); /* what is padded has the chip's, whatever is said */
    driver_send(t, 3, 20, STP | ENP);
    assert_int_equal(t->wire.count, 3);
    assert_int_equal(t->wire.sent[2].len, 60);
    driver_start(t, 1); /* the same bit says NO_FCS */
    driver_send(t, 0, 104, STP | ENP | FCS);
    assert_int_equal(t->wire.count, 0);
    driver_send(t, 1, 3, STP | ENP);
    assert_int_equal(t->wire.count, 0);
    assert_int_equal(flags_of(t, TX_RING, 1), STP | ENP);
}

static void which_frames_interrupt(void **state)
{
    (void)state;
    driver_start(t, 2);
    set_csr(t, 5, 0x4000); /* LTINTEN */
    driver_send(t, 0, 60, STP | ENP);
    assert_int_equal(csr(t, 0) & TINT, 0);
    driver_send(t, 1, 60, STP | ENP | LTINT);
    assert_int_equal(csr(t, 0) & TINT, TINT);
    assert_int_equal(flags_of(t, TX_RING, 1), STP | ENP);
    set_csr(t, 0, TINT);
    set_csr(t, 5, 0x8000); /* TOKINTD */
    driver_send(t, 2, 60, STP | ENP);
    assert_int_equal(csr(t, 0) & TINT, 0);
    net_set_link(t->net, false);
    driver_send(t, 3, 60, STP | ENP); /* an error is one all the same */
    assert_int_equal(csr(t, 0) & (TINT | CERR), TINT | CERR);
    assert_int_equal(flags_of(t, TX_RING, 3), ERROR | STP | ENP);
    assert_int_equal(details_of(t, TX_RING, 3), 0x08000000); /* LCAR */
}

static void a_full_wire_stops_the_ring(void **state)
{
    (void)state;
    driver_start(t, 2);
    t->wire.full = true;
    for (unsigned i = 0; i < 4; i++)
        put_descriptor(t, TX_RING, i, TX_DATA, OWN | STP | ENP, 60 + i);
    make_frame(ram(t, TX_DATA), other, 0x0800, 100);
    set_csr(t, 0, TDMD);
    run(t);
    assert_int_equal(t->wire.count, 0);
    assert_int_equal(flags_of(t, TX_RING, 0), STP | ENP); /* on its way */
    assert_int_equal(flags_of(t, TX_RING, 1), OWN | STP | ENP);
    t->wire.full = false;
    net_writable(t->net);
    run(t);
    assert_int_equal(t->wire.count, 4);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(t->wire.sent[i].len, 60 + i);
    assert_int_equal(stats(t).tx_dropped, 0);
}

static void a_turn_is_bounded(void **state)
{
    (void)state;
    t->tx_bits = 9;
    driver_start(t, 2);
    make_frame(ram(t, TX_DATA), other, 0x0800, 100);
    for (unsigned i = 0; i < 512; i++)
        put_descriptor(t, TX_RING, i, TX_DATA, OWN | STP | ENP, 60);
    set_csr(t, 0, TDMD);
    net_run(t->net, 1);
    assert_int_equal(t->wire.count, NET_BUDGET);
    run(t);
    assert_int_equal(t->wire.count, 512);
    for (unsigned i = 0; i < 512; i++) /* nothing that begins a frame */
        put_descriptor(t, TX_RING, i, TX_DATA, OWN, 60);
    set_csr(t, 0, TDMD);
    net_run(t->net, 1);
    assert_int_equal(flags_of(t, TX_RING, 300), OWN);
    run(t);
    assert_int_equal(flags_of(t, TX_RING, 300), 0);
    assert_int_equal(t->wire.count, 512);
}

/* Stopped with frames in its ring: they are not sent any more. */
static void stop_and_suspend(void **state)
{
    (void)state;
    driver_start(t, 2);
    put_descriptor(t, TX_RING, 0, TX_DATA, OWN | STP | ENP, 60);
    set_csr(t, 0, TDMD);
    set_csr(t, 0, STOP);
    run(t);
    assert_int_equal(t->wire.count, 0);
    assert_false(t->wire.reading);
    driver_start(t, 2);
    assert_true(t->wire.reading);
    set_csr(t, 5, 1);
    run(t);
    assert_false(t->wire.reading);
    driver_send(t, 0, 60, STP | ENP);
    assert_int_equal(t->wire.count, 0);
    set_csr(t, 5, 0);
    run(t);
    assert_int_equal(t->wire.count, 1);
    assert_true(t->wire.reading);
}

/* --- the transmit poll --- */

static unsigned wakeups(uint64_t ns)
{
    unsigned n = 0;
    const uint64_t end = t->rig->now + ns;
    while (clock_deadline(&t->rig->clock) <= end) {
        n++;
        rig_step(t->rig, clock_deadline(&t->rig->clock) - t->rig->now);
        run(t);
    }
    rig_step(t->rig, end - t->rig->now);
    return n;
}

static void a_driver_that_does_not_ring(void **state)
{
    (void)state;
    driver_start(t, 2);
    make_frame(ram(t, TX_DATA), other, 0x0800, 100);
    wakeups(100 * NS_PER_MS);
    put_descriptor(t, TX_RING, 0, TX_DATA, OWN | STP | ENP, 60);
    wakeups(200 * NS_PER_MS);
    assert_int_equal(t->wire.count, 1);
    /* From then on it is known for what it is. */
    assert_in_range(wakeups(60 * NS_PER_S), 500, 1100);
    put_descriptor(t, TX_RING, 1, TX_DATA, OWN | STP | ENP, 60);
    wakeups(70 * NS_PER_MS);
    assert_int_equal(t->wire.count, 2);
    set_csr(t, 0, TDMD); /* and now it rings */
    run(t);
    assert_int_equal(wakeups(60 * NS_PER_S), 0);
}

static void nobody_wakes_up_for_nothing(void **state)
{
    (void)state;
    driver_start(t, 2); /* has not sent anything yet: a second or so */
    assert_in_range(wakeups(5 * NS_PER_S), 1, 12);
    assert_int_equal(wakeups(3600 * NS_PER_S), 0);
    /* It comes back with an access, or a frame. */
    put_descriptor(t, TX_RING, 0, TX_DATA, OWN | STP | ENP, 60);
    arrives(t, broadcast, 60);
    assert_in_range(wakeups(NS_PER_S), 1, 60);
    assert_int_equal(t->wire.count, 1);
    driver_start(t, 2);
    driver_send(t, 0, 60, STP | ENP);
    assert_int_equal(wakeups(3600 * NS_PER_S), 0);
    driver_init(t, 2, 0, 0, 1544, 0);
    set_csr(t, 4, 0x1115); /* DPOLL */
    set_csr(t, 0, STRT);
    put_descriptor(t, TX_RING, 0, TX_DATA, OWN | STP | ENP, 60);
    assert_int_equal(wakeups(3600 * NS_PER_S), 0);
    assert_int_equal(t->wire.count, 0);
}

/* --- receive --- */

static void frames_come_in_in_every_style(void **state)
{
    (void)state;
    for (unsigned style = 0; style < 4; style++) {
        driver_start(t, style);
        for (unsigned i = 0; i < 11; i++) {
            const size_t len = 60 + i * 140;
            const uint32_t at = RX_DATA + i % 4 * 0x1000;
            put_rx(t, i % 4, 1544);
            assert_true(arrives(t, own_mac, len));
            make_frame(frame, own_mac, 0x0800, len);
            assert_int_equal(flags_of(t, RX_RING, i % 4), STP | ENP | (style ? PAM : 0));
            assert_int_equal(details_of(t, RX_RING, i % 4), len + 4);
            assert_memory_equal(ram(t, at), frame, len);
            assert_int_equal(get32(t, at + (uint32_t)len), nic_fcs(frame, len));
            assert_int_equal(csr(t, 0) & (RINT | INTR), RINT | INTR);
            assert_true(irq_level(t));
            set_csr(t, 0, RINT | IENA);
            assert_false(irq_level(t));
        }
        assert_int_equal(stats(t).rx_frames, 11 * (style + 1));
    }
}

static void short_frames_are_padded(void **state)
{
    (void)state;
    driver_start(t, 2);
    arrives(t, own_mac, 20);
    make_frame(frame, own_mac, 0x0800, 20);
    memset(frame + 20, 0, 40);
    assert_int_equal(details_of(t, RX_RING, 0), 64);
    assert_memory_equal(ram(t, RX_DATA), frame, 60);
    assert_int_equal(get32(t, RX_DATA + 60), nic_fcs(frame, 60));
    /* ASTRP_RCV: what the length field counts, and no check sequence. */
    set_csr(t, 4, 0x0515);
    make_frame(frame, own_mac, 10, 60);
    deliver(t, frame, 60);
    assert_int_equal(details_of(t, RX_RING, 1), 24);
    assert_int_equal(ram(t, RX_DATA + 0x1000)[24], 0xEE);
    make_frame(frame, own_mac, 46, 60);
    deliver(t, frame, 60);
    assert_int_equal(details_of(t, RX_RING, 2), 64);
}

static bool taken(const uint8_t *to)
{
    const uint64_t before = stats(t).rx_frames;
    for (unsigned i = 0; i < 4; i++)
        put_rx(t, i, 1544);
    arrives(t, to, 60);
    return stats(t).rx_frames > before;
}

static uint32_t why(void)
{
    uint32_t all = 0;
    for (unsigned i = 0; i < 4; i++)
        if (!(flags_of(t, RX_RING, i) & OWN))
            all |= flags_of(t, RX_RING, i) & (PAM | LAFM | BAM);
    return all;
}

static void address_filters(void **state)
{
    const uint64_t hash_of_group = UINT64_C(1) << nic_hash_lance(group);
    const uint64_t hash_of_broadcast = UINT64_C(1) << nic_hash_lance(broadcast);
    (void)state;
    driver_start(t, 2);
    assert_true(taken(own_mac));
    assert_int_equal(why(), PAM);
    assert_true(taken(broadcast));
    assert_int_equal(why(), BAM);
    assert_false(taken(group));
    assert_false(taken(other));
    driver_init(t, 2, 0, hash_of_group | hash_of_broadcast, 1544, STRT);
    assert_true(taken(group));
    assert_int_equal(why(), LAFM);
    assert_true(taken(broadcast));
    assert_int_equal(why(), BAM);
    driver_init(t, 2, DRCVBC | DRCVPA, hash_of_group, 1544, STRT);
    assert_false(taken(own_mac));
    assert_false(taken(broadcast));
    assert_true(taken(group));
    driver_init(t, 2, DRCVBC, hash_of_broadcast, 1544, STRT);
    assert_true(taken(broadcast));
    assert_int_equal(why(), LAFM);
    driver_init(t, 2, PROM | DRCVBC, 0, 1544, STRT);
    assert_true(taken(other));
    assert_int_equal(why(), 0);
    assert_true(taken(broadcast));
    assert_true(taken(own_mac));
    assert_int_equal(why(), PAM);
}

static void a_frame_into_small_buffers(void **state)
{
    (void)state;
    for (unsigned style = 0; style < 4; style++) {
        driver_init(t, style, 0, 0, 100, STRT);
        arrives(t, own_mac, 250);
        make_frame(frame, own_mac, 0x0800, 250);
        assert_int_equal(flags_of(t, RX_RING, 0), STP);
        assert_int_equal(flags_of(t, RX_RING, 1), 0);
        assert_int_equal(flags_of(t, RX_RING, 2), ENP | (style ? PAM : 0));
        assert_int_equal(details_of(t, RX_RING, 2), 254);
        assert_memory_equal(ram(t, RX_DATA), frame, 100);
        assert_memory_equal(ram(t, RX_DATA + 0x1000), frame + 100, 100);
        assert_memory_equal(ram(t, RX_DATA + 0x2000), frame + 200, 50);
        assert_int_equal(get32(t, RX_DATA + 0x2000 + 50), nic_fcs(frame, 250));
        assert_int_equal(ram(t, RX_DATA)[100], 0xEE);
    }
    /* The check sequence alone in the last one, and split between two. */
    driver_init(t, 2, 0, 0, 100, STRT);
    arrives(t, own_mac, 100);
    make_frame(frame, own_mac, 0x0800, 100);
    assert_int_equal(flags_of(t, RX_RING, 1), ENP | PAM);
    assert_int_equal(get32(t, RX_DATA + 0x1000), nic_fcs(frame, 100));
    arrives(t, own_mac, 98);
    make_frame(frame, own_mac, 0x0800, 98);
    assert_int_equal(get16(t, RX_DATA + 0x2000 + 98), nic_fcs(frame, 98) & 0xFFFF);
    assert_int_equal(get16(t, RX_DATA + 0x3000), nic_fcs(frame, 98) >> 16);
    /* More than the whole ring takes. */
    driver_init(t, 2, 0, 0, 100, STRT);
    arrives(t, own_mac, 450);
    assert_int_equal(flags_of(t, RX_RING, 0), STP);
    assert_int_equal(flags_of(t, RX_RING, 3), ERROR | BUFF);
    assert_int_equal(csr(t, 0) & RINT, RINT);
}

static void a_frame_waits_for_a_buffer(void **state)
{
    (void)state;
    driver_start(t, 2);
    for (unsigned i = 0; i < 4; i++)
        assert_true(arrives(t, own_mac, 60 + i));
    assert_false(arrives(t, own_mac, 64));
    assert_true(stats(t).rx_waiting);
    run(t);
    assert_false(t->wire.reading);
    /* A buffer is given back, and a register touched. */
    put_rx(t, 0, 1544);
    run(t);
    assert_int_equal(flags_of(t, RX_RING, 0), OWN);
    set_csr(t, 0, RINT | IENA);
    run(t);
    assert_int_equal(flags_of(t, RX_RING, 0), STP | ENP | PAM);
    assert_int_equal(details_of(t, RX_RING, 0), 68);
    assert_true(irq_level(t));
    assert_true(t->wire.reading);
    /* A look at CSR0 will do. */
    assert_false(arrives(t, own_mac, 66));
    put_rx(t, 1, 1544);
    assert_int_equal(csr(t, 0) & RXON, RXON);
    run(t);
    assert_int_equal(details_of(t, RX_RING, 1), 70);
    assert_int_equal(wakeups(NS_PER_S) < 15, 1);
    /* Or not touched, by a driver that only looks at memory: soon all the same. */
    assert_false(arrives(t, own_mac, 65));
    rig_step(t->rig, 500000);
    put_rx(t, 2, 1544);
    rig_step(t->rig, 2 * NS_PER_MS);
    run(t);
    assert_int_equal(details_of(t, RX_RING, 2), 69);
    assert_int_equal(csr(t, 0) & MISS, 0);
    assert_int_equal(stats(t).rx_dropped, 0);
}

static void a_frame_is_missed(void **state)
{
    (void)state;
    driver_start(t, 2);
    driver_send(t, 0, 60, STP | ENP);
    for (unsigned i = 0; i < 4; i++)
        arrives(t, own_mac, 60 + i);
    assert_false(arrives(t, own_mac, 64));
    set_csr(t, 0, RINT | TINT | IENA);
    assert_in_range(wakeups(NS_PER_S), 3, 8);
    assert_int_equal(csr(t, 0) & (MISS | ERR | INTR), MISS | ERR | INTR);
    assert_true(irq_level(t));
    assert_int_equal(csr(t, 112), 1);
    /* The next ones at once, and nobody wakes up for them. */
    assert_true(t->wire.reading);
    assert_true(arrives(t, own_mac, 65));
    assert_int_equal(csr(t, 112), 2);
    assert_int_equal(wakeups(NS_PER_S), 0);
    put_rx(t, 0, 1544);
    assert_true(arrives(t, own_mac, 66));
    assert_int_equal(details_of(t, RX_RING, 0), 70);
    assert_false(arrives(t, own_mac, 67)); /* patient again */
    /* The counter's overflow. */
    set_csr(t, 5, 1);
    set_csr(t, 112, 0xFFFF);
    set_csr(t, 5, 0);
    run(t);
    assert_false(arrives(t, own_mac, 67));
    wakeups(NS_PER_S);
    assert_int_equal(csr(t, 112), 0);
    assert_int_equal(csr(t, 4) & 0x0200, 0x0200);
    set_csr(t, 5, 1);
    set_csr(t, 112, 5);
    set_csr(t, 0, STOP);
    assert_int_equal(csr(t, 0), STOP);
    assert_int_equal(csr(t, 112), 0);
    assert_int_equal(wakeups(NS_PER_S), 0);
}

static void buffers_that_end_too_early(void **state)
{
    (void)state;
    driver_init(t, 2, 0, 0, 100, STRT);
    put_descriptor(t, RX_RING, 2, RX_DATA, 0, 100); /* the driver's */
    assert_false(arrives(t, own_mac, 250));
    assert_int_equal(flags_of(t, RX_RING, 0), OWN);
    wakeups(NS_PER_S);
    assert_int_equal(flags_of(t, RX_RING, 0), STP);
    assert_int_equal(flags_of(t, RX_RING, 1), ERROR | BUFF);
    assert_int_equal(flags_of(t, RX_RING, 2), 0);
    assert_int_equal(csr(t, 0) & (RINT | MISS), RINT);
}

/* --- loopback --- */

static void send_to_itself(unsigned at, size_t len, uint32_t flags)
{
    make_frame(ram(t, TX_DATA), own_mac, 0x0800, len);
    put_descriptor(t, TX_RING, at, TX_DATA, OWN | flags, (unsigned)len);
    set_csr(t, 0, TDMD);
    run(t);
}

static void loopback(void **state)
{
    (void)state;
    for (unsigned style = 0; style < 4; style++) {
        driver_init(t, style, LOOP | INTL, 0, 1544, STRT | IENA);
        assert_false(t->wire.reading);
        assert_false(arrives(t, own_mac, 60));
        send_to_itself(0, 100, STP | ENP);
        assert_int_equal(flags_of(t, RX_RING, 0), STP | ENP | (style ? PAM : 0));
        assert_int_equal(details_of(t, RX_RING, 0), 104);
        assert_memory_equal(ram(t, RX_DATA), ram(t, TX_DATA), 100);
        assert_int_equal(get32(t, RX_DATA + 100), nic_fcs(ram(t, TX_DATA), 100));
        assert_int_equal(csr(t, 0) & (TINT | RINT), TINT | RINT);
        assert_int_equal(t->wire.count, 0);
    }
    /* By the guest's own check sequence, right and wrong. */
    driver_init(t, 2, LOOP | INTL | DXMTFCS, 0, 1544, STRT);
    make_frame(ram(t, TX_DATA), own_mac, 0x0800, 100);
    put32(t, TX_DATA + 100, nic_fcs(ram(t, TX_DATA), 100));
    put_descriptor(t, TX_RING, 0, TX_DATA, OWN | STP | ENP, 104);
    set_csr(t, 0, TDMD);
    run(t);
    assert_int_equal(flags_of(t, RX_RING, 0), STP | ENP | PAM);
    assert_int_equal(details_of(t, RX_RING, 0), 104);
    send_to_itself(1, 104, STP | ENP);
    assert_int_equal(flags_of(t, RX_RING, 1), ERROR | CRC | STP | ENP | PAM);
    /* Not to itself: it is not taken. Nobody waits for buffers either. */
    driver_init(t, 2, LOOP | INTL, 0, 1544, STRT);
    driver_send(t, 0, 60, STP | ENP);
    assert_int_equal(flags_of(t, RX_RING, 0), OWN);
    for (unsigned i = 0; i < 5; i++)
        send_to_itself((1 + i) % 4, 60, STP | ENP);
    assert_int_equal(csr(t, 0) & MISS, MISS);
    assert_int_equal(csr(t, 112), 1);
    /* External: on the wire as well. */
    driver_init(t, 2, LOOP, 0, 1544, STRT);
    send_to_itself(0, 100, STP | ENP);
    assert_int_equal(flags_of(t, RX_RING, 0), STP | ENP | PAM);
    assert_int_equal(t->wire.count, 1);
}

/* --- hostile guests and wires (the names are those of contract/vulnerabilities.md, C.3) --- */

/* CVE-2015-3209: chained descriptors without an end exceed the frame's buffer. */
static void cve_2015_3209(void **state)
{
    (void)state;
    for (unsigned style = 0; style < 4; style++) {
        driver_start(t, style);
        put_descriptor(t, TX_RING, 0, TX_DATA, OWN | STP, 4096);
        for (unsigned i = 1; i < 4; i++)
            put_descriptor(t, TX_RING, i, TX_DATA, OWN, 4096);
        set_csr(t, 0, TDMD);
        run(t);
        assert_int_equal(t->wire.count, 0);
        assert_int_equal(csr(t, 0) & (BABL | TXON), BABL | TXON);
        for (unsigned i = 0; i < 4; i++)
            assert_int_equal(flags_of(t, TX_RING, i) & OWN, 0);
        driver_send(t, 0, 60, STP | ENP); /* from the start again */
        assert_int_equal(t->wire.count, 1);
        assert_int_equal(t->wire.sent[0].len, 60);
    }
}

/* CVE-2015-7504: loopback appends the check sequence past the buffer. */
static void cve_2015_7504(void **state)
{
    (void)state;
    for (size_t len = 4085; len <= 4096; len++) {
        for (unsigned mode = LOOP; mode <= (LOOP | INTL | DXMTFCS); mode++) {
            if (mode & ~(unsigned)(LOOP | INTL | DXMTFCS) || !(mode & LOOP))
                continue;
            driver_init(t, 2, mode, 0, 4096, STRT);
            send_to_itself(0, len, STP | ENP);
            assert_int_equal(flags_of(t, TX_RING, 0) & OWN, 0);
            const unsigned total = (unsigned)len + (mode & DXMTFCS ? 0 : 4);
            if (total <= 4095)
                assert_int_equal(details_of(t, RX_RING, 0), total);
            else
                assert_int_equal(flags_of(t, RX_RING, 0), OWN);
        }
    }
}

/* CVE-2015-7512, CVE-2018-17962: frames from the wire longer than any buffer. */
static void cve_2015_7512(void **state)
{
    static const size_t lens[] = {4091, 4092, 4093, 4096, 4097, 9000, 65535, NET_MAX_FRAME};
    (void)state;
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        driver_init(t, 2, 0, 0, 4096, STRT);
        arrives(t, own_mac, lens[i]);
        if (lens[i] + 4 <= 4095)
            assert_int_equal(details_of(t, RX_RING, 0), lens[i] + 4);
        else
            assert_int_equal(flags_of(t, RX_RING, 0), OWN);
        assert_int_equal(flags_of(t, RX_RING, 1), OWN);
    }
}

static void rings_and_buffers_that_are_no_memory(void **state)
{
    (void)state;
    /* A transmit buffer, a receive buffer: in our own registers. */
    driver_start(t, 2);
    set_csr(t, 5, 0x0400);
    put_descriptor(t, TX_RING, 0, MMIO, OWN | STP | ENP, 60);
    set_csr(t, 0, TDMD);
    run(t);
    assert_int_equal(csr(t, 0) & (STOP | TXON | RXON), STOP);
    assert_int_equal(csr(t, 5) & 0x0800, 0x0800);
    assert_true(irq_level(t));
    assert_false(t->wire.reading);
    assert_int_equal(t->wire.count, 0);
    set_csr(t, 5, 0x0800);
    driver_start(t, 2);
    put_descriptor(t, RX_RING, 0, MMIO, OWN, 1544);
    arrives(t, own_mac, 60);
    assert_int_equal(csr(t, 0) & (STOP | TXON | RXON), STOP);
    run(t);
    assert_false(t->wire.reading);
    /* The rings. */
    for (unsigned ring = 0; ring < 2; ring++) {
        driver_init(t, 2, 0, 0, 1544, 0);
        set_csr(t, 0, STOP);
        set_csr(t, ring ? 24 : 30, MMIO & 0xFFFF);
        set_csr(t, ring ? 25 : 31, MMIO >> 16);
        set_csr(t, 0, STRT);
        run(t);
        set_csr(t, 0, TDMD);
        run(t);
        arrives(t, own_mac, 60);
        assert_int_equal(csr(t, 0) & (STOP | TXON | RXON), STOP);
    }
    /* One that begins in memory and does not end there. */
    driver_init(t, 2, 0, 0, 1544, 0);
    set_csr(t, 0, STOP);
    set_csr(t, 30, (RIG_RAM - 32) & 0xFFFF);
    set_csr(t, 31, (RIG_RAM - 32) >> 16);
    set_csr(t, 78, 0xFF00);
    set_csr(t, 0, STRT);
    for (unsigned i = 0; i < 2; i++)
        put_descriptor(t, RIG_RAM - 32, i, TX_DATA, OWN | STP | ENP, 60);
    set_csr(t, 0, TDMD);
    run(t);
    assert_int_equal(t->wire.count, 2);
    assert_int_equal(csr(t, 0) & STOP, STOP);
}

/* One entry that leads to itself; 65535 of them; frames byte by byte. */
static void odd_rings(void **state)
{
    (void)state;
    driver_init(t, 2, 0, 0, 50, 0);
    set_csr(t, 0, STOP);
    set_csr(t, 76, 0xFFFF);
    set_csr(t, 78, 0xFFFF);
    set_csr(t, 0, STRT);
    driver_send(t, 0, 500, STP);
    assert_int_equal(t->wire.count, 0);
    assert_int_equal(flags_of(t, TX_RING, 0) & OWN, 0);
    arrives(t, own_mac, 100);
    wakeups(NS_PER_S);
    assert_int_equal(flags_of(t, RX_RING, 0), ERROR | BUFF | STP);
    driver_init(t, 0, 0, 0, 50, 0);
    set_csr(t, 0, STOP);
    set_csr(t, 30, 0);
    set_csr(t, 31, 0x10);
    set_csr(t, 78, 0x0001);
    set_csr(t, 0, STRT);
    make_frame(ram(t, TX_DATA), other, 0x0800, 1514);
    for (unsigned i = 0; i < 1514; i++)
        put_descriptor(t, 0x100000, i, TX_DATA + i, OWN | (i ? 0 : STP) | (i == 1513 ? ENP : 0), 1);
    set_csr(t, 0, TDMD);
    run(t);
    assert_int_equal(t->wire.count, 1);
    assert_int_equal(t->wire.sent[0].len, 1514);
    assert_memory_equal(t->wire.sent[0].bytes, ram(t, TX_DATA), 1514);
    for (unsigned i = 0; i < 65535; i++)
        put_descriptor(t, 0x100000, i, TX_DATA, OWN | (i == 1514 ? STP : 0), 1);
    set_csr(t, 0, TDMD);
    run(t);
    assert_int_equal(t->wire.count, 1);
    assert_int_equal(csr(t, 0) & BABL, BABL);
    /* A ring in the data of its own frames, and the block in the ring: nothing but rubbish. */
    driver_start(t, 2);
    put_descriptor(t, RX_RING, 0, RX_RING, OWN, 1544);
    arrives(t, own_mac, 1000);
    for (unsigned i = 0; i < 8; i++)
        arrives(t, own_mac, 1000);
    wakeups(NS_PER_S);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(frames_go_out_in_every_style),
        TEST(a_frame_in_pieces),
        TEST(the_rest_of_a_frame_is_missing),
        TEST(padding_and_check_sequence),
        TEST(which_frames_interrupt),
        TEST(a_full_wire_stops_the_ring),
        TEST(a_turn_is_bounded),
        TEST(stop_and_suspend),
        TEST(a_driver_that_does_not_ring),
        TEST(nobody_wakes_up_for_nothing),
        TEST(frames_come_in_in_every_style),
        TEST(short_frames_are_padded),
        TEST(address_filters),
        TEST(a_frame_into_small_buffers),
        TEST(a_frame_waits_for_a_buffer),
        TEST(a_frame_is_missed),
        TEST(buffers_that_end_too_early),
        TEST(loopback),
        TEST(cve_2015_3209),
        TEST(cve_2015_7504),
        TEST(cve_2015_7512),
        TEST(rings_and_buffers_that_are_no_memory),
        TEST(odd_rings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
