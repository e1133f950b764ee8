/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frames to the guest through the e1000: filters, descriptors, checksums, VLANs, delays, and rings
 * that are no rings. Sections are those of the SDM. */
#include "tests/device/e1000_rig.h"

#include "hw/pc/e1000_int.h"
#include "net/offload.h"

enum { BAM = 0x8000, UPE = 8, MPE = 0x10, LPE = 0x20, SBP = 4, SECRC = 0x04000000 };
enum { DD = 1, END = 2, IXSM = 4, VP = 8, TCPCS = 0x20, IPCS = 0x40, PIF = 0x80 };

static uint8_t frame[20000];

static uint32_t stat_of(uint32_t at)
{
    return in(at);
}

/* ---- Descriptors ---- */

static void a_frame_arrives(void **state)
{
    (void)state;
    make_frame(frame, 100, NULL);
    assert_false(deliver(frame, 100)); /* not receiving yet */
    start(BAM);
    out(IMS, RXT0);
    assert_true(t.reading);
    assert_true(deliver(frame, 100));
    assert_true(line());
    assert_int_equal(in(ICR), RXT0);
    assert_false(line());
    assert_int_equal(in(RDH), 1);
    const uint64_t back = rx_back(0);
    assert_int_equal(RX_LENGTH(back), 104); /* with the check sequence's place */
    assert_int_equal(RX_STATUS(back), DD | END | IXSM);
    assert_int_equal(RX_ERRORS(back), 0);
    assert_memory_equal(ram(RX_DATA), frame, 100);
    assert_int_equal(rx_back(1), 0);
    out(RCTL, BAM | SECRC | 2);
    deliver(frame, 100);
    assert_int_equal(RX_LENGTH(rx_back(1)), 100);
    /* Short ones are padded, whatever was in the buffer. */
    memset(ram(RX_DATA + 2 * BUFFER), 0xEE, 80);
    deliver(frame, 20);
    assert_int_equal(RX_LENGTH(rx_back(2)), 60);
    assert_memory_equal(ram(RX_DATA + 2 * BUFFER), frame, 20);
    for (unsigned i = 20; i < 60; i++)
        assert_int_equal(*ram(RX_DATA + 2 * BUFFER + i), 0);
    assert_int_equal(*ram(RX_DATA + 2 * BUFFER + 60), 0xEE);
    /* Receiver off, bus master off. */
    out(RCTL, BAM);
    run();
    assert_false(t.reading);
    out(RCTL, BAM | 2);
    run();
    assert_true(t.reading);
    rig_pci_write(t.rig, SLOT, 0, 4, 2, 3);
    run();
    assert_false(t.reading);
}

/* Many in a burst: one interrupt, all written back, round the ring. */
static void a_burst_is_one_interrupt(void **state)
{
    (void)state;
    start(BAM);
    out(IMS, RXT0);
    uint32_t next = 0;
    for (unsigned round = 0; round < 10; round++) {
        const unsigned before = raised();
        for (unsigned i = 0; i < 5; i++) {
            make_frame(frame, 60 + i, NULL);
            frame[14] = (uint8_t)(round * 5 + i);
            uint8_t copy[100];
            memcpy(copy, frame, 100);
            assert_true(net_deliver(t.net, copy, 60 + i, NULL));
            assert_int_equal(raised(), before);
        }
        net_delivered(t.net);
        assert_int_equal(raised(), before + 1);
        in(ICR);
        for (unsigned i = 0; i < 5; i++, next = (next + 1) % RX_SIZE) {
            assert_int_equal(RX_LENGTH(rx_back(next)), 64 + i);
            assert_int_equal(*ram(RX_DATA + next * BUFFER + 14), round * 5 + i);
            put64(RX_RING + 16 * next + 8, 0);
        }
        assert_int_equal(in(RDH), next);
        out(RDT, (next + RX_SIZE - 1) % RX_SIZE);
    }
    /* A look in between sees what is there. */
    deliver(frame, 60);
    net_deliver(t.net, frame, 60, NULL);
    assert_int_equal(in(RDH), (next + 2) % RX_SIZE);
    assert_int_equal(RX_STATUS(rx_back((next + 1) % RX_SIZE)), DD | END | IXSM);
    net_delivered(t.net);
}

static void a_full_ring_holds_frames(void **state)
{
    (void)state;
    start(BAM);
    out(IMS, RXT0 | RXO);
    in(ICR);
    make_frame(frame, 60, NULL);
    for (unsigned i = 0; i < RX_SIZE - 1; i++)
        assert_true(deliver(frame, 60));
    in(ICR);
    assert_int_equal(in(RDH), RX_SIZE - 1);
    frame[20] = 0x77;
    assert_false(deliver(frame, 60));
    assert_true(line());
    assert_int_equal(in(ICR), RXO);
    assert_int_equal(stat_of(0x40A0), 1); /* RNBC */
    assert_int_equal(stat_of(0x40A0), 0);
    run();
    assert_false(t.reading);
    assert_int_equal(rx_back(RX_SIZE - 1), 0);
    out(RDT, 3);
    run();
    assert_true(t.reading);
    assert_int_equal(in(ICR), RXT0);
    assert_int_equal(*ram(RX_DATA + (RX_SIZE - 1) * BUFFER + 20), 0x77);
    assert_int_equal(in(RDH), 0);
}

static void long_frames_take_several_descriptors(void **state)
{
    (void)state;
    start(BAM | LPE | SECRC);
    make_frame(frame, 9000, NULL);
    deliver(frame, 9000);
    assert_int_equal(in(RDH), 5);
    for (unsigned i = 0; i < 5; i++) {
        const uint64_t back = rx_back(i);
        assert_int_equal(RX_LENGTH(back), i < 4 ? 2048 : 9000 - 8192);
        assert_int_equal(RX_STATUS(back), i < 4 ? DD : DD | END | IXSM);
        assert_memory_equal(ram(RX_DATA + i * BUFFER), frame + i * BUFFER, RX_LENGTH(back));
    }
    /* Two are left: it waits, and comes when there is room. */
    assert_false(deliver(frame, 9000));
    assert_int_equal(in(RDH), 5);
    out(RDT, 4);
    run();
    assert_int_equal(in(RDH), 2);
    /* One that never fits is lost. */
    out(RDT, 1);
    run();
    assert_true(deliver(frame, 16000));
    assert_int_equal(stat_of(0x4010), 1); /* MPC */
    assert_int_equal(in(RDH), 2);
    /* Buffers of other sizes (BSIZE, BSEX). */
    static const struct {
        uint32_t bits;
        unsigned size;
    } sizes[] = {{3u << 16, 256},
                 {2u << 16, 512},
                 {1u << 16, 1024},
                 {3u << 16 | 1u << 25, 4096},
                 {2u << 16 | 1u << 25, 8192},
                 {1u << 16 | 1u << 25, 16384}};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        start(BAM | LPE | SECRC | sizes[i].bits);
        deliver(frame, 1500);
        assert_int_equal(in(RDH), (1500 + sizes[i].size - 1) / sizes[i].size);
    }
    /* The check sequence alone in the last one. */
    start(BAM | 3u << 16);
    deliver(frame, 510);
    assert_int_equal(in(RDH), 3);
    assert_int_equal(RX_LENGTH(rx_back(1)), 256);
    assert_int_equal(RX_LENGTH(rx_back(2)), 2);
    assert_int_equal(RX_STATUS(rx_back(2)), DD | END | IXSM);
}

/* Without LPE or SBP nothing of more than 1522 bytes (CVE-2012-6075). */
static void too_long_frames_are_dropped(void **state)
{
    (void)state;
    make_frame(frame, sizeof(frame), NULL);
    start(BAM);
    memset(ram(RX_DATA), 0xEE, RX_SIZE * BUFFER);
    for (unsigned len = 1519; len < 20000; len += len < 1600 ? 1 : 997)
        assert_true(deliver(frame, len));
    assert_int_equal(in(RDH), 0);
    for (unsigned i = 0; i < RX_SIZE * BUFFER; i++)
        assert_int_equal(*ram(RX_DATA + i), 0xEE);
    assert_true(stat_of(0x40AC) > 80); /* ROC */
    deliver(frame, 1518);
    assert_int_equal(in(RDH), 1);
    assert_int_equal(RX_LENGTH(rx_back(0)), 1522);
    start(BAM | SBP);
    deliver(frame, 1519);
    assert_int_equal(in(RDH), 1);
    start(BAM | LPE);
    deliver(frame, 16381); /* more than 16384 in all */
    assert_int_equal(in(RDH), 0);
    out(RCTL, BAM | LPE | SBP | 1u << 16 | 1u << 25 | 2); /* nothing takes one */
    for (unsigned len = 16381; len <= sizeof(frame); len += 1111)
        deliver(frame, len);
    assert_int_equal(in(RDH), 0);
    put64(RX_RING + 16, RX_DATA); /* eight descriptors suffice just now */
    out(RCTL, BAM | LPE | SECRC | 1u << 16 | 1u << 25 | 2);
    deliver(frame, 16380);
    assert_int_equal(in(RDH), 1);
}

static void descriptors_without_buffer_are_passed_over(void **state)
{
    (void)state;
    start(BAM | SECRC);
    put64(RX_RING, 0);
    put64(RX_RING + 32, 0);
    make_frame(frame, 3000, NULL);
    out(RCTL, BAM | SECRC | LPE | 2);
    deliver(frame, 3000);
    assert_int_equal(in(RDH), 4);
    assert_int_equal(rx_back(0), UINT64_C(1) << 32);
    assert_int_equal(RX_LENGTH(rx_back(1)), 2048);
    assert_int_equal(rx_back(2), UINT64_C(1) << 32);
    assert_int_equal(RX_LENGTH(rx_back(3)), 3000 - 2048);
    /* None with a buffer: it is held, then dropped, and nothing hangs. */
    memset(ram(RX_RING), 0, RX_SIZE * 16);
    out(RDT, 3);
    deliver(frame, 60);
    assert_int_equal(in(RDH), 4);
    assert_int_equal(stat_of(0x4010), 1);
}

static void the_guest_is_told_in_time(void **state)
{
    (void)state;
    start(BAM); /* half of 8 descriptors */
    make_frame(frame, 60, NULL);
    for (unsigned i = 0; i < 6; i++) {
        deliver(frame, 60);
        assert_int_equal(in(ICR), i == 2 ? RXT0 | RXDMT0 : RXT0);
    }
    start(BAM | 0x100); /* a quarter */
    for (unsigned i = 0; i < 6; i++) {
        deliver(frame, 60);
        assert_int_equal(in(ICR), i == 4 ? RXT0 | RXDMT0 : RXT0);
    }
    start(BAM);
    out(RSRPD, 100);
    deliver(frame, 60);
    assert_int_equal(in(ICR), RXT0 | 0x10000); /* small packet */
    deliver(frame, 97);
    assert_int_equal(in(ICR), RXT0);
}

static void delays(void **state)
{
    (void)state;
    start(BAM);
    out(IMS, RXT0);
    out(RDTR, 100);
    out(RADV, 250);
    make_frame(frame, 60, NULL);
    deliver(frame, 60);
    assert_false(line());
    rig_step(t.rig, 90 * NS_PER_US);
    deliver(frame, 60); /* starts the delay anew */
    rig_step(t.rig, 90 * NS_PER_US);
    assert_false(line());
    rig_step(t.rig, 15 * NS_PER_US);
    assert_true(line());
    in(ICR);
    assert_int_equal(clock_deadline(&t.rig->clock), CLOCK_NEVER);
    out(RDT, 6);
    for (unsigned i = 0; i < 2; i++) { /* the limit holds */
        deliver(frame, 60);
        rig_step(t.rig, 95 * NS_PER_US);
    }
    deliver(frame, 60);
    assert_false(line());
    rig_step(t.rig, 70 * NS_PER_US);
    assert_true(line());
    in(ICR);
    deliver(frame, 60);
    assert_false(line());
    out(RDTR, 0x80000000 | 100); /* flush */
    assert_true(line());
    assert_int_equal(in(RDTR), 100);
    in(ICR);
    rig_step(t.rig, NS_PER_MS);
    assert_false(line());
}

/* ---- Filters ---- */

static bool arrives(const uint8_t *to)
{
    const uint32_t before = in(RDH);
    make_frame(frame, 60, to);
    deliver(frame, 60);
    out(RDT, (in(RDH) + RX_SIZE - 1) % RX_SIZE);
    return in(RDH) != before;
}

static void addresses_are_filtered(void **state)
{
    static const uint8_t other[] = {0x02, 0, 0, 0, 0, 1}, group[] = {1, 0, 0x5E, 1, 2, 3},
                         group2[] = {1, 0, 0x5E, 1, 2, 0x13};
    (void)state;
    start(0);
    assert_false(arrives(NULL));
    assert_true(arrives(own_mac));
    assert_false(arrives(other));
    assert_false(arrives(group));
    start(BAM);
    assert_true(arrives(NULL));
    assert_false(arrives(group));
    start(UPE);
    assert_true(arrives(other));
    assert_false(arrives(group));
    assert_false(arrives(NULL));
    start(MPE);
    assert_true(arrives(group));
    assert_false(arrives(other));
    assert_true(arrives(NULL));
    start(0);
    out(RAL + 15 * 8, 0x00000002);
    out(RAH + 15 * 8, 0x00000100);
    assert_false(arrives(other)); /* not valid yet */
    out(RAH + 15 * 8, 0x80000100);
    assert_true(arrives(other));
    out(RAH + 15 * 8, 0x80010100); /* a source address */
    assert_false(arrives(other));
    /* The hash: 12 bits of the last two bytes, from four places. */
    static const unsigned shift[] = {4, 3, 2, 0};
    for (unsigned mo = 0; mo < 4; mo++) {
        start(mo << 12);
        const unsigned hash = (0x0302u >> shift[mo]) & 0xFFF;
        assert_false(arrives(group));
        out(MTA + hash / 32 * 4, 1u << hash % 32);
        assert_true(arrives(group));
        assert_int_equal(RX_STATUS(rx_back((in(RDH) + RX_SIZE - 1) % RX_SIZE)),
                         DD | END | IXSM | PIF);
        assert_int_equal(arrives(group2), mo == 3); /* bit 12 of them is beyond the last */
        out(MTA + hash / 32 * 4, 0);
    }
}

static void vlans(void **state)
{
    (void)state;
    start(BAM | SECRC);
    make_frame(frame, 100, NULL);
    frame[12] = 0x81;
    frame[13] = 0x00;
    frame[14] = 0xA0;
    frame[15] = 0x05; /* priority 5, VLAN 5 */
    deliver(frame, 100);
    assert_int_equal(RX_LENGTH(rx_back(0)), 100);
    assert_int_equal(RX_STATUS(rx_back(0)), DD | END | IXSM);
    out(CTRL, 0x40140240); /* VME: the tag is taken out */
    deliver(frame, 100);
    assert_int_equal(RX_LENGTH(rx_back(1)), 96);
    assert_int_equal(RX_STATUS(rx_back(1)), DD | END | IXSM | VP);
    assert_int_equal(RX_SPECIAL(rx_back(1)), 0xA005);
    assert_memory_equal(ram(RX_DATA + BUFFER), frame, 12);
    assert_memory_equal(ram(RX_DATA + BUFFER + 12), frame + 16, 84);
    /* The filter. */
    out(RCTL, BAM | SECRC | 0x40000 | 2);
    deliver(frame, 100);
    assert_int_equal(in(RDH), 2);
    out(VFTA, 1u << 5);
    deliver(frame, 100);
    assert_int_equal(in(RDH), 3);
    frame[14] = 0xBF; /* canonical form set, VLAN 0xF05 */
    out(VFTA + 0xF05 / 32 * 4, 1u << 5);
    deliver(frame, 100);
    assert_int_equal(in(RDH), 4);
    out(RCTL, BAM | SECRC | 0xC0000 | 2); /* CFIEN: it must be as CFI */
    deliver(frame, 100);
    assert_int_equal(in(RDH), 4);
    out(RCTL, BAM | SECRC | 0x1C0000 | 2);
    deliver(frame, 100);
    assert_int_equal(in(RDH), 5);
    /* Another type is no VLAN; buffers may end in the addresses. */
    out(VET, 0x88A8);
    deliver(frame, 100);
    assert_int_equal(RX_LENGTH(rx_back(5)), 100);
}

static void flow_control_frames(void **state)
{
    (void)state;
    start(BAM | UPE | MPE);
    out(FCAL, 0x00C28001);
    out(FCAH, 0x0100);
    static const uint8_t group[] = {0x01, 0x80, 0xC2, 0, 0, 1};
    make_frame(frame, 60, group);
    frame[12] = 0x88;
    frame[13] = 0x08;
    frame[14] = 0;
    frame[15] = 1;
    frame[16] = frame[17] = 0;
    deliver(frame, 60);
    frame[16] = 1;
    deliver(frame, 60);
    frame[15] = 2;
    deliver(frame, 60);
    assert_int_equal(in(RDH), 0);
    assert_int_equal(in(0x4048), 1); /* XON, XOFF, others */
    assert_int_equal(in(0x4050), 1);
    assert_int_equal(in(0x4058), 1);
    out(RCTL, in(RCTL) | 0x00800000); /* PMCF */
    deliver(frame, 60);
    assert_int_equal(in(RDH), 1);
    out(RCTL, in(RCTL) | 0x00400000); /* DPF */
    deliver(frame, 60);
    assert_int_equal(in(RDH), 1);
}

/* ---- Checksums ---- */

static size_t make_tcp(bool ipv6, bool udp, size_t payload)
{
    memset(frame, 0, 200);
    make_frame(frame, 14, own_mac);
    const size_t ip = 14, transport = ip + (ipv6 ? 40 : 20), header = udp ? 8 : 20;
    const size_t len = transport + header + payload;
    frame[12] = ipv6 ? 0x86 : 0x08;
    frame[13] = ipv6 ? 0xDD : 0x00;
    if (ipv6) {
        frame[ip] = 0x60;
        frame[ip + 4] = (uint8_t)((header + payload) >> 8);
        frame[ip + 5] = (uint8_t)(header + payload);
        frame[ip + 6] = udp ? 17 : 6;
    } else {
        frame[ip] = 0x45;
        frame[ip + 2] = (uint8_t)((len - ip) >> 8);
        frame[ip + 3] = (uint8_t)(len - ip);
        frame[ip + 8] = 64;
        frame[ip + 9] = udp ? 17 : 6;
    }
    for (size_t i = ip + (ipv6 ? 8 : 12); i < transport; i++)
        frame[i] = (uint8_t)(i * 13);
    for (size_t i = transport; i < len; i++)
        frame[i] = (uint8_t)(i * 31);
    if (udp) {
        frame[transport + 4] = (uint8_t)((8 + payload) >> 8);
        frame[transport + 5] = (uint8_t)(8 + payload);
    } else {
        frame[transport + 12] = 0x50;
    }
    struct offload_packet packet;
    struct net_offload offload = {0};
    assert_true(offload_parse(frame, len, &packet));
    offload_fill_ip(frame, &packet);
    offload_ask_transport(frame, &packet, &offload);
    assert_true(offload_checksum(frame, len, &offload));
    return len;
}

static unsigned sums_of(size_t len)
{
    const uint32_t at = in(RDH);
    deliver(frame, len);
    out(RDT, at);
    const uint64_t back = rx_back(at);
    return RX_STATUS(back) | RX_ERRORS(back) << 8;
}

static void checksums_are_checked(void **state)
{
    (void)state;
    start(BAM | SECRC);
    out(RXCSUM, 0x700);
    for (unsigned kind = 0; kind < 4; kind++) {
        const bool ipv6 = kind & 1, udp = kind & 2;
        const unsigned good = DD | END | TCPCS | (ipv6 ? 0 : IPCS);
        size_t len = make_tcp(ipv6, udp, 101);
        assert_int_equal(sums_of(len), good);
        assert_int_equal(sums_of(len + 6), good); /* padding is of no account */
        frame[len - 1] ^= 1;
        assert_int_equal(sums_of(len), good | 0x2000);
        frame[len - 1] ^= 1;
        if (!ipv6) {
            frame[22] ^= 1; /* TTL */
            assert_int_equal(sums_of(len), good | 0x4000);
            frame[22] ^= 1;
            frame[20] = 0x20; /* a fragment: TCP is not looked at */
            len = 200;
            assert_int_equal(sums_of(len) & 0x20FF, DD | END | IPCS);
        }
    }
    size_t len = make_tcp(false, true, 30);
    frame[40] = frame[41] = 0; /* UDP without a sum */
    assert_int_equal(sums_of(len), DD | END | IPCS);
    make_frame(frame, 60, NULL); /* no IP */
    assert_int_equal(sums_of(60), DD | END | IXSM);
    len = make_tcp(true, false, 100);
    out(RXCSUM, 0x300);
    assert_int_equal(sums_of(len), DD | END | IXSM);
    len = make_tcp(false, false, 100);
    out(RXCSUM, 0x100);
    assert_int_equal(sums_of(len), DD | END | IPCS);
    out(RXCSUM, 0x200);
    assert_int_equal(sums_of(len), DD | END | TCPCS);
    /* The sum from a place on. */
    out(RXCSUM, 14);
    const uint32_t at = in(RDH);
    deliver(frame, len);
    const uint16_t sum = offload_sum(frame + 14, len - 14, 0);
    assert_int_equal(RX_SUM(rx_back(at)), (sum >> 8 | sum << 8) & 0xFFFF);
}

/* ---- Statistics ---- */

static void frames_are_counted(void **state)
{
    static const uint8_t group[] = {1, 0, 0x5E, 1, 2, 3}, other[] = {2, 0, 0, 0, 0, 1};
    static const unsigned sizes[] = {60, 61, 124, 252, 508, 1020};
    (void)state;
    start(BAM | MPE);
    for (unsigned i = 0; i < 6; i++) {
        make_frame(frame, sizes[i], i == 1 ? group : i == 2 ? own_mac : NULL);
        deliver(frame, sizes[i]);
    }
    make_frame(frame, 100, other);
    deliver(frame, 100);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(in(0x405C + 4 * i), 1);
    assert_int_equal(in(0x405C), 0); /* cleared */
    assert_int_equal(in(0x4074), 6);
    assert_int_equal(in(0x4078), 4);
    assert_int_equal(in(0x407C), 1);
    assert_int_equal(in(0x40D0), 7);
    const uint32_t bytes = 60 + 61 + 124 + 252 + 508 + 1020 + 24;
    assert_int_equal(in(0x4088), bytes);
    assert_int_equal(in(0x4088), bytes); /* until the upper half is read */
    assert_int_equal(in(0x408C), 0);
    assert_int_equal(in(0x4088), 0);
    assert_int_equal(in(0x40C0), bytes + 104);
    out(0x40C0, 5);
    assert_int_equal(in(0x40C0), bytes + 104);
    /* They stick. */
    t.e1000->stat[STAT_GPRC] = UINT32_MAX;
    t.e1000->stat[STAT_GORC] = t.e1000->stat[STAT_GORC + 1] = UINT32_MAX;
    t.e1000->stat[STAT_TOR + 1] = 1;
    t.e1000->stat[STAT_TOR] = UINT32_MAX;
    out(RDT, (in(RDH) + RX_SIZE - 1) % RX_SIZE);
    make_frame(frame, 100, NULL);
    deliver(frame, 100);
    assert_int_equal(in(0x4074), UINT32_MAX);
    assert_int_equal(in(0x4088), UINT32_MAX);
    assert_int_equal(in(0x408C), UINT32_MAX);
    assert_int_equal(in(0x40C0), 103);
    assert_int_equal(in(0x40C4), 2);
    /* A reset clears what nobody has read. */
    assert_int_not_equal(t.e1000->stat[STAT_TPR], 0);
    out(CTRL, 0x04000000);
    for (uint32_t at = 0x4000; at < 0x4100; at += 4)
        assert_int_equal(in(at), 0);
}

/* ---- No rings ---- */

static void rings_that_are_none(void **state)
{
    (void)state;
    make_frame(frame, 60, NULL);
    static const struct {
        uint32_t base, high, len, head, tail, after;
    } rings[] = {
        {RX_RING, 0, 0, 0, 1, 0},
        {RX_RING, 0, 128, 8, 1, 8},
        {RX_RING, 0, 128, 0xFFFF, 0, 0xFFFF},
        {RX_RING, 1, 128, 0, 7, 0},
        {0xFFFFFFF0, ~0u, 128, 0, 7, 0},
        {(uint32_t)MMIO + 0x2800, 0, 128, 0, 7, 0},
        {RIG_RAM - 64, 0, 128, 0, 7, 0},
        {RIG_RAM - 64, 0, 0xFFF80, 0, 0xFFFF, 0},
        {RX_RING, 0, 0xFFF80, 65527, 2, 1}, /* the last one has no buffer */
    };
    for (size_t i = 0; i < sizeof(rings) / sizeof(rings[0]); i++) {
        start(BAM);
        out(RDBAL, rings[i].base);
        out(RDBAH, rings[i].high);
        out(RDLEN, rings[i].len);
        out(RDH, rings[i].head);
        out(RDT, rings[i].tail);
        deliver(frame, 60);
        assert_int_equal(in(RDH), rings[i].after);
        out(RDT, rings[i].tail);
        run();
        out(RCTL, 0); /* what was held is gone */
        run();
        out(RDBAH, 0);
    }
    /* A tail beyond the ring is never reached: all is the card's, for ever. */
    start(BAM);
    out(RDT, RX_SIZE);
    for (unsigned i = 0; i < 3 * RX_SIZE; i++)
        assert_true(deliver(frame, 60));
    assert_int_equal(in(RDH), 0);
    /* Buffers in our own registers or nowhere: the data vanish, the rest goes on. */
    start(BAM);
    put64(RX_RING, MMIO + TDT);
    put64(RX_RING + 16, UINT64_C(0xFFFFFFFFFFFFFFF0));
    deliver(frame, 60);
    deliver(frame, 60);
    assert_int_equal(in(RDH), 2);
    assert_int_equal(in(TDT), 0);
    /* The ring itself as a buffer. */
    put64(RX_RING + 32, RX_RING);
    deliver(frame, 200);
    assert_int_equal(in(RDH), 3);
}

static void a_stop_in_a_burst(void **state)
{
    (void)state;
    start(BAM);
    make_frame(frame, 60, NULL);
    net_deliver(t.net, frame, 60, NULL);
    devices_quiesce(&t.rig->devices); /* written back, nothing mapped */
    assert_int_equal(t.rig->hv->maps, 0);
    assert_int_equal(RX_STATUS(rx_back(0)), DD | END | IXSM);
    devices_resume(&t.rig->devices);
    net_deliver(t.net, frame, 60, NULL);
    devices_reset(&t.rig->devices);
    assert_int_equal(t.rig->hv->maps, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_frame_arrives, setup, teardown),
        cmocka_unit_test_setup_teardown(a_burst_is_one_interrupt, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_ring_holds_frames, setup, teardown),
        cmocka_unit_test_setup_teardown(long_frames_take_several_descriptors, setup, teardown),
        cmocka_unit_test_setup_teardown(too_long_frames_are_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(descriptors_without_buffer_are_passed_over, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_guest_is_told_in_time, setup, teardown),
        cmocka_unit_test_setup_teardown(delays, setup, teardown),
        cmocka_unit_test_setup_teardown(addresses_are_filtered, setup, teardown),
        cmocka_unit_test_setup_teardown(vlans, setup, teardown),
        cmocka_unit_test_setup_teardown(flow_control_frames, setup, teardown),
        cmocka_unit_test_setup_teardown(checksums_are_checked, setup, teardown),
        cmocka_unit_test_setup_teardown(frames_are_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(rings_that_are_none, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stop_in_a_burst, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
