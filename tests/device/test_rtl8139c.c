/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RTL8139C (cplus=off): what tells it from an RTL8139C+, and C mode from probe to traffic as Linux'
 * 8139too drives it. test_rtl8139.c has C mode itself. */
#include "tests/device/rtl8139_rig.h"

/* What drivers look at: 8139too leaves revisions from 20h on to 8139cp, rl and re go by HWVERID. */
static void identity(void **state)
{
    (void)state;
    assert_int_equal(rig_pci_read(t->rig, SLOT, 0, 0x00, 4), 0x813910EC);
    assert_int_equal(rig_pci_read(t->rig, SLOT, 0, 0x08, 4), 0x02000010);
    assert_int_equal(rig_inb(t->rig, RERID), 0x10);
    assert_int_equal(rig_inl(t->rig, TCR), 0x74000000);
    rig_outl(t->rig, TCR, 0xFFFFFFFF);
    assert_int_equal(rig_inl(t->rig, TCR), 0x770F07F0);
    rig_outl(t->rig, TCR, 0);
    assert_int_equal(rig_inl(t->rig, TCR), 0x74000000);
}

static void no_cplus_registers(void **state)
{
    (void)state;
    for (unsigned reg = 0xE0; reg < 0x100; reg++) {
        rig_outb(t->rig, (uint16_t)(IO + reg), 0xFF);
        assert_int_equal(rig_inb(t->rig, (uint16_t)(IO + reg)), 0);
        rig_mem_write(t->rig, MMIO + (reg & ~3u), 4, 0xFFFFFFFF);
        assert_int_equal(rig_mem_read(t->rig, MMIO + (reg & ~3u), 4), 0);
    }
    rig_outw(t->rig, IMR, 0xFFFF);
    assert_int_equal(rig_inw(t->rig, IMR), 0xE07F); /* neither TDU nor SWInt */
    rig_outb(t->rig, TPPOLL, 0xFF);
    settle(t);
    assert_int_equal(isr(t), 0);
    assert_int_equal(rig_inb(t->rig, TPPOLL), 0);
    rig_outw(t->rig, CONFIG5, 0xFFFF); /* CONFIG5 beside it is there */
    assert_int_equal(rig_inw(t->rig, CONFIG5), 0x007F);
    assert_int_equal(isr(t), 0);
}

/* What a driver would do for C+ mode has no effect on C mode: no ring is read, TSD0 stays TSD0. */
static void no_cplus_mode(void **state)
{
    (void)state;
    start(t, APM);
    rig_outw(t->rig, CPCR, 0x0003);
    put32(t, TX_RING, 0xF0000000u | 60);
    put32(t, TX_RING + 8, TX_DATA);
    put32(t, RX_RING, 0xC0000000u | 0x600);
    put32(t, RX_RING + 8, RX_DATA + 0x4000);
    rig_outl(t->rig, TNPDS, TX_RING);
    rig_outl(t->rig, RDSAR, RX_RING);
    rig_outb(t->rig, TPPOLL, 0x40);
    settle(t);
    assert_int_equal(t->sent, 0);
    assert_int_equal(get32(t, TX_RING), 0xF0000000u | 60);
    rig_outl(t->rig, DTCCR, 0x8000 | 0x08); /* the counters' dump; here a frame of 8 bytes */
    settle(t);
    assert_int_equal(tsd(t, 0) & TSD_OWN, TSD_OWN);
    deliver(t, own_mac, 100, 1);
    assert_int_equal(get32(t, RX_RING), 0xC0000000u | 0x600);
    take_packet(t, own_mac, 100, 1, 0x4001);
}

/* Open: reset, waited for; the address, unlocked; both sides on before they are configured;
 * the ring, the filter, interrupts. */
static void open_8139too(void)
{
    rig_outb(t->rig, CR, RST);
    for (unsigned i = 0; rig_inb(t->rig, CR) & RST; i++)
        assert_true(i < 1000);
    rig_outb(t->rig, EECR, 0xC0);
    rig_outl(t->rig, IDR, pci_get32(own_mac));
    rig_outl(t->rig, IDR + 4, pci_get16(own_mac + 4));
    rig_outl(t->rig, RBSTART, RX_DATA);
    rig_outb(t->rig, CR, RE | TE);
    rig_outl(t->rig, RCR, WRAP | 0x1000 | 0x700 | 0xE000);
    rig_outl(t->rig, TCR, 0x0600 | 0x03000000);
    rig_outb(t->rig, EECR, 0x00);
    rig_outl(t->rig, MPC, 0);
    rig_outl(t->rig, RCR, WRAP | 0x1000 | 0x700 | 0xE000 | AB | APM);
    rig_outl(t->rig, MAR, 0xFFFFFFFF);
    rig_outl(t->rig, MAR + 4, 0xFFFFFFFF);
    rig_outw(t->rig, MULINT, rig_inw(t->rig, MULINT) & 0xF000);
    if (!(rig_inb(t->rig, CR) & RE) || !(rig_inb(t->rig, CR) & TE))
        rig_outb(t->rig, CR, RE | TE);
    rig_outw(t->rig, IMR, 0xC07F);
    t->read = 0;
}

/* Its interrupt handler: acknowledge, take what has come, look what has been sent, up to `current`.
 */
static void interrupt_8139too(const size_t *lens, unsigned packets, unsigned first, unsigned *dirty,
                              unsigned current)
{
    const uint16_t status = isr(t);
    assert_true(irq_level(t));
    assert_int_equal(status, ROK | TOK);
    rig_outw(t->rig, ISR, status);
    for (unsigned i = 0; i < packets; i++)
        take_packet(t, own_mac, lens[i], first + i, 0x4001);
    assert_int_equal(rig_inb(t->rig, CR) & BUFE, BUFE);
    for (; *dirty != current; ++*dirty)
        assert_int_equal(tsd(t, *dirty % 4) & (TSD_OWN | TSD_TOK | TSD_TABT), TSD_OWN | TSD_TOK);
}

static void traffic_of_8139too(void **state)
{
    static const size_t lens[] = {60, 1514, 61, 590, 1000, 42};
    unsigned dirty = 0;
    (void)state;
    open_8139too();
    for (unsigned round = 0; round < 100; round++) {
        const unsigned n = 1 + round % 4;
        for (unsigned i = 0; i < n; i++) {
            assert_int_equal(tsd(t, (dirty + i) % 4) & TSD_OWN, TSD_OWN);
            write_tsd(t, (dirty + i) % 4, lens[(round + i) % 6], round + i);
        }
        t->sent = 0;
        settle(t);
        for (unsigned i = 0; i < 6; i++)
            assert_true(deliver(t, own_mac, lens[i], round + i));
        interrupt_8139too(lens, 6, round, &dirty, dirty + n);
        assert_false(irq_level(t));
        assert_int_equal(t->sent, n);
        for (unsigned i = 0; i < n; i++) {
            uint8_t want[KEPT_BYTES];
            make_frame(want, other_mac, lens[(round + i) % 6], round + i);
            assert_int_equal(t->len[i], lens[(round + i) % 6]);
            assert_memory_equal(t->frame[i], want, t->len[i]);
        }
    }
}

static void a_move(void **state)
{
    (void)state;
    open_8139too();
    deliver(t, own_mac, 100, 1);
    t = rtl8139_rig_move(t, true);
    assert_int_equal(rig_inb(t->rig, RERID), 0x10);
    assert_int_equal(isr(t), ROK);
    take_packet(t, own_mac, 100, 1, 0x4001);
    write_tsd(t, 0, 60, 1);
    settle(t);
    assert_int_equal(t->sent, 1);
}

static struct device_list *all(void)
{
    return &t->rig->devices;
}

/* A stream of one chip is not the other's, either way, and leaves it as it was. */
static void state_is_its_own(void **state)
{
    (void)state;
    for (unsigned cplus = 0; cplus < 2; cplus++) {
        struct rtl8139_rig *other = rtl8139_rig_new_chip(cplus, true);
        struct err err;
        uint8_t *stream;
        size_t len;
        start(other, APM);
        rig_outl(other->rig, TIMER_INT, 0x12345678);
        devices_quiesce(&other->rig->devices);
        assert_true(devices_save(&other->rig->devices, &stream, &len, &err));
        devices_quiesce(all());
        assert_int_equal(devices_load(all(), stream, len, &err), !cplus);
        if (cplus)
            assert_non_null(strstr(err.text, "rtl8139"));
        devices_resume(all());
        assert_int_equal(rig_inl(t->rig, TIMER_INT), 0x12345678); /* of the first round */
        rtl8139_rig_free(other);
        free(stream);
    }
    /* Nor is one that says to be its own, but has been in C+ mode. */
    struct rtl8139_rig *other = rtl8139_rig_new(true);
    static uint8_t record[64 << 10];
    struct err err;
    const struct device_class *class = other->device->class;
    const size_t len = state_size(class->state, class->version);
    assert_true(len <= sizeof(record));
    state_save(class->state, other->device, class->version, record);
    assert_true(device_load(t->device, class->version, record, len, &err));
    rig_outw(other->rig, CPCR, 1);
    state_save(class->state, other->device, class->version, record);
    assert_false(device_load(t->device, class->version, record, len, &err));
    assert_non_null(strstr(err.text, "C+ mode"));
    device_reset(t->device);
    rtl8139_rig_free(other);
}

static void standard(void **state)
{
    (void)state;
    open_8139too();
    deliver(t, own_mac, 1000, 1);
    write_tsd(t, 0, 1000, 1);
    rig_standard_tests(t->rig, t->device);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup_rtl8139c, teardown)
    const struct CMUnitTest tests[] = {
        TEST(identity), TEST(no_cplus_registers), TEST(no_cplus_mode), TEST(traffic_of_8139too),
        TEST(a_move),   TEST(state_is_its_own),   TEST(standard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
