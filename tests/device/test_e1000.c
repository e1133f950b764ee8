/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The e1000's registers, EEPROM, PHY, interrupts, and its life. Sections are those of the SDM. */
#include "tests/device/e1000_rig.h"

#include "hw/pc/e1000_int.h"

/* ---- Configuration and registers ---- */

static void configuration_space(void **state)
{
    (void)state;
    assert_int_equal(rig_pci_read(t.rig, SLOT, 0, 0, 4), 0x100E8086);
    assert_int_equal(rig_pci_read(t.rig, SLOT, 0, 8, 4), 0x02000003);
    assert_int_equal(rig_pci_read(t.rig, SLOT, 0, 0x2C, 4), 0x00015853);
    assert_int_equal(rig_pci_read(t.rig, SLOT, 0, 0x3C, 4), 0x00000100);
    rig_pci_write(t.rig, SLOT, 0, 0x10, 4, 0xFFFFFFFF);
    rig_pci_write(t.rig, SLOT, 0, 0x14, 4, 0xFFFFFFFF);
    assert_int_equal(rig_pci_read(t.rig, SLOT, 0, 0x10, 4), 0xFFFE0000);
    assert_int_equal(rig_pci_read(t.rig, SLOT, 0, 0x14, 4), 0xFFFFFFC1);
    teardown(NULL);
    setup_model(true, &keeper);
    assert_int_equal(rig_pci_read(t.rig, SLOT, 0, 0, 4), 0x100F8086);
    out(EERD, 0x0D << 8 | 1);
    assert_int_equal(in(EERD) >> 16, 0x100F);
}

static void registers_after_reset(void **state)
{
    (void)state;
    for (int round = 0; round < 2; round++) {
        assert_int_equal(in(CTRL), 0x00140240);
        assert_int_equal(in(0x0004), 0x00140240);
        assert_int_equal(in(STATUS), 0x283);
        assert_int_equal(in(PBA), 0x00100030);
        assert_int_equal(in(VET), 0x8100);
        assert_int_equal(in(RAL), 0x12005452);
        assert_int_equal(in(RAH), 0x80005634);
        assert_int_equal(in(RCTL), 0);
        assert_int_equal(in(ICR), 0);
        for (uint32_t at = 0x5408; at < 0x5480; at += 4)
            assert_int_equal(in(at), 0);
        /* Everything is written, then the card is reset. */
        for (uint32_t at = 0; at < 0x20000; at += 4)
            if (at > 4 && at != 0x10 && at != 0x20)
                out(at, 0xFFFFFFFF);
        out(CTRL, 0x04000000);
        run();
    }
    assert_false(line());
    assert_int_equal(in(0x1FFFC), 0xFFFFFFFF); /* the packet buffer stays */
    /* Narrow reads give the register's bytes, narrow writes nothing. */
    assert_int_equal(rig_mem_read(t.rig, MMIO + VET + 1, 1), 0x81);
    rig_mem_write(t.rig, MMIO + VET, 2, 0x1234);
    assert_int_equal(in(VET), 0x8100);
    /* Eight bytes are two registers. */
    rig_mem_write(t.rig, MMIO + RDBAL, 8, UINT64_C(0x1234567800001000));
    assert_int_equal(in(RDBAH), 0x12345678);
    assert_int_equal(in(RDBAL), 0x1000);
}

/* What a driver's self test writes and wants to read again. */
static void registers_hold_what_they_have(void **state)
{
    static const struct {
        uint32_t at, mask, write;
    } tests[] = {
        {FCAL, 0xFFFFFFFF, 0xFFFFFFFF},
        {FCAH, 0xFFFF, 0xFFFFFFFF},
        {0x0030, 0xFFFF, 0xFFFFFFFF},
        {VET, 0xFFFF, 0xFFFFFFFF},
        {RDTR, 0xFFFF, 0xFFFFFFFF},
        {RDBAH, 0xFFFFFFFF, 0xFFFFFFFF},
        {RDLEN, 0x000FFF80, 0x000FFFFF},
        {RDH, 0xFFFF, 0xFFFF},
        {RDT, 0xFFFF, 0xFFFF},
        {0x2168, 0xFFF8, 0xFFF8},
        {0x0170, 0xFFFF, 0xFFFF},
        {0x0410, 0x3FFFFFFF, 0x3FFFFFFF},
        {TDBAH, 0xFFFFFFFF, 0xFFFFFFFF},
        {TDLEN, 0x000FFF80, 0x000FFFFF},
        {RDBAL, 0xFFFFFFF0, 0xFFFFFFFF},
        {0x0178, 0xC000FFFF, 0x0000FFFF},
        {TDBAL, 0xFFFFFFF0, 0xFFFFFFFF},
        {TIDV, 0xFFFF, 0xFFFF},
        {RAH, 0x8003FFFF, 0xFFFFFFFF},
        {RAH + 15 * 8, 0x8003FFFF, 0xFFFFFFFF},
        {MTA, 0xFFFFFFFF, 0xFFFFFFFF},
        {MTA + 127 * 4, 0xFFFFFFFF, 0xFFFFFFFF},
        {VFTA + 127 * 4, ~0u, ~0u},
        {0x10000, 0xFFFFFFFF, 0xFFFFFFFF},
        {0x5A7C, 0xFFFFFFFF, 0xFFFFFFFF},
        {0x5F08, 0x7FF, 0xFFFFFFFF},
        {0x93F8, 0xF, 0xFFFFFFFF},
        {0x9BF8, 0xFFFFFFFF, 0xFFFFFFFF},
        {0x2410, 0x1FFF, 0x1FFF},
        {0x3428, 0x1FFF, 0x1FFF},
        {0x5858, 0xFFFFFFFF, 0xFFFFFFFF},
        {0x588C, 0xFFFFFFFF, 0xFFFFFFFF},
    };
    static const uint32_t patterns[] = {0x5A5A5A5A, 0xA5A5A5A5, 0, 0xFFFFFFFF};
    (void)state;
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
        for (unsigned p = 0; p < 4; p++) {
            out(tests[i].at, tests[i].write & patterns[p]);
            assert_int_equal(in(tests[i].at), tests[i].write & patterns[p] & tests[i].mask);
        }
    const uint32_t status = in(STATUS);
    out(STATUS, 0xFFFFF833);
    assert_int_equal(in(STATUS), status);
    out(RCTL, 0);
    assert_int_equal(in(RCTL), 0);
    out(RCTL, 0x06DFB3FE);
    assert_int_equal(in(RCTL), 0x06DFB3FE);
    out(TCTL, 0);
    assert_int_equal(in(TCTL), 0);
    run();
    /* The 82542's places. */
    out(0x0118, 0x800);
    assert_int_equal(in(RDLEN), 0x800);
    out(0x0200, 0x12345678);
    assert_int_equal(in(MTA), 0x12345678);
    assert_int_equal(in(0x0040), in(RAL));
    out(0x0044, 0x80001234);
    assert_int_equal(in(RAH), 0x80001234);
    /* Wake-up: what has happened is cleared by writing it. */
    out(0x5800, 0xF);
    assert_int_equal(in(0x5800), 0xB);
    out(0x5810, 0xFFFFFFFF);
    assert_int_equal(in(0x5810), 0);
    out(PBA, 40);
    assert_int_equal(in(PBA), 24u << 16 | 40);
}

static void registers_by_port(void **state)
{
    (void)state;
    rig_outl(t.rig, PORT, RAL);
    assert_int_equal(rig_inl(t.rig, PORT), RAL);
    assert_int_equal(rig_inl(t.rig, PORT + 4), 0x12005452);
    rig_outl(t.rig, PORT, TDBAH);
    rig_outl(t.rig, PORT + 4, 0x55);
    assert_int_equal(in(TDBAH), 0x55);
    rig_outl(t.rig, PORT, CTRL);
    rig_outl(t.rig, PORT + 4, 0x04000000);
    assert_int_equal(in(TDBAH), 0);
    rig_outl(t.rig, PORT, 0x20000);
    rig_outl(t.rig, PORT + 4, 1);
    assert_int_equal(rig_inl(t.rig, PORT + 4), 0);
    assert_int_equal(rig_inl(t.rig, PORT + 8), 0);
}

/* ---- EEPROM (5.6) ---- */

enum { SK = 1, CS = 2, DI = 4, DO = 8, REQ = 0x40, GNT = 0x80 };

static void clock_out(uint32_t bits, unsigned count)
{
    while (count--) {
        const uint32_t di = bits >> count & 1 ? DI : 0;
        out(EECD, REQ | CS | di);
        out(EECD, REQ | CS | di | SK);
        out(EECD, REQ | CS | di);
    }
}

static uint16_t clock_in(void)
{
    uint16_t v = 0;
    for (unsigned i = 0; i < 16; i++) {
        out(EECD, REQ | CS | SK);
        v = (uint16_t)(v << 1 | !!(in(EECD)&DO));
        out(EECD, REQ | CS);
    }
    return v;
}

static void deselect(void)
{
    out(EECD, REQ);
    out(EECD, REQ | SK);
    out(EECD, REQ);
}

static uint16_t microwire_read(unsigned word)
{
    clock_out(6, 3);
    clock_out(word, 6);
    assert_int_equal(in(EECD)&DO, 0);
    const uint16_t v = clock_in();
    deselect();
    return v;
}

static uint16_t eerd_read(unsigned word)
{
    out(EERD, word << 8 | 1);
    assert_int_equal(in(EERD)&0x1F, 0x10);
    return (uint16_t)(in(EERD) >> 16);
}

static void the_eeprom_is_read(void **state)
{
    uint16_t sum = 0;
    (void)state;
    assert_int_equal(in(EECD)&0x3C0, 0x100);
    out(EECD, REQ);
    assert_int_equal(in(EECD) & (REQ | GNT), REQ | GNT);
    for (unsigned i = 0; i < 64; i++) {
        const uint16_t v = eerd_read(i);
        assert_int_equal(microwire_read(i), v);
        sum = (uint16_t)(sum + v);
    }
    assert_int_equal(sum, 0xBABA);
    assert_int_equal(eerd_read(0), 0x5452);
    assert_int_equal(eerd_read(2), 0x5634);
    assert_int_equal(eerd_read(0x0B), 0x0001);
    assert_int_equal(eerd_read(0x0C), 0x5853);
    assert_int_equal(eerd_read(64), eerd_read(0));
    /* Leading zeroes are not a start; words follow each other. */
    clock_out(0, 5);
    clock_out(6, 3);
    clock_out(63, 6);
    assert_int_equal(clock_in(), eerd_read(63));
    out(EECD, REQ | CS);
    assert_int_equal(clock_in(), eerd_read(0));
    deselect();
}

static void the_eeprom_is_written(void **state)
{
    (void)state;
    clock_out(5, 3); /* not enabled yet */
    clock_out(0x2A, 6);
    clock_out(0x1234, 16);
    deselect();
    assert_int_equal(eerd_read(0x2A), 0xFFFF);
    clock_out(0x13 << 4, 9); /* enable */
    deselect();
    clock_out(5, 3);
    clock_out(0x2A, 6);
    clock_out(0x1234, 16);
    deselect();
    out(EECD, REQ | CS);
    assert_int_equal(in(EECD)&DO, DO); /* ready */
    deselect();
    assert_int_equal(eerd_read(0x2A), 0x1234);
    clock_out(7, 3); /* erase */
    clock_out(0x2A, 6);
    deselect();
    assert_int_equal(eerd_read(0x2A), 0xFFFF);
    clock_out(5, 3); /* cut short */
    clock_out(0, 6);
    clock_out(0x1, 15);
    deselect();
    assert_int_equal(eerd_read(0), 0x5452);
    clock_out(5, 3); /* another address, and it is loaded */
    clock_out(0, 6);
    clock_out(0x5652, 16);
    deselect();
    clock_out(0x10 << 4, 9); /* disable */
    deselect();
    clock_out(5, 3);
    clock_out(1, 6);
    clock_out(0, 16);
    deselect();
    assert_int_equal(eerd_read(1), 0x1200);
    assert_int_equal(in(RAL), 0x12005452);
    out(CTRL_EXT, 0x2000);
    assert_int_equal(in(RAL), 0x12005652);
    device_reset(t.rig->devices.first); /* it is not volatile */
    rig_pci_write(t.rig, SLOT, 0, 0x10, 4, (uint32_t)MMIO);
    rig_pci_write(t.rig, SLOT, 0, 0x04, 2, 7);
    assert_int_equal(in(RAL), 0x12005652);
    /* All at once. */
    clock_out(0x13 << 4, 9);
    deselect();
    clock_out(0x11 << 4, 9);
    clock_out(0x5AA5, 16);
    deselect();
    assert_int_equal(eerd_read(7), 0x5AA5);
    clock_out(0x12 << 4, 9);
    deselect();
    assert_int_equal(eerd_read(63), 0xFFFF);
}

/* ---- PHY ---- */

static void the_phy_is_there(void **state)
{
    (void)state;
    assert_int_equal(phy_in(2), 0x0141);
    assert_int_equal(phy_in(3) & 0xFFF0, 0x0C20);
    assert_int_equal(phy_in(0), 0x1140);
    assert_int_equal(phy_in(1), 0x796D);
    assert_int_equal(phy_in(4), 0x0DE1);
    assert_int_equal(phy_in(5), 0xC1E1);
    assert_int_equal(phy_in(9), 0x0E00);
    assert_int_equal(phy_in(10), 0x3C00);
    assert_int_equal(phy_in(15), 0x3000);
    assert_int_equal(phy_in(17), 0xAC00);
    phy_out(2, 0);
    assert_int_equal(phy_in(2), 0x0141);
    phy_out(30, 0x1234);
    assert_int_equal(phy_in(30), 0x1234);
    /* Nobody else answers; nothing but reads and writes is understood. */
    out(MDIC, 2u << 26 | 2u << 21);
    assert_int_equal(in(MDIC) >> 28, 5);
    out(MDIC, 3u << 26 | 1u << 21);
    assert_int_equal(in(MDIC) >> 28, 5);
    assert_int_equal(in(ICR), 0);
    out(MDIC, 0x20000000 | 2u << 26 | 1u << 21 | 2u << 16);
    assert_int_equal(in(MDIC), 0x38220141);
    assert_int_equal(in(ICR), MDAC);
}

static void the_link_is_negotiated(void **state)
{
    (void)state;
    out(IMS, LSC);
    phy_out(0, 0x9140); /* reset */
    assert_int_equal(phy_in(0), 0x1140);
    assert_int_equal(in(STATUS)&2, 0);
    assert_true(line());
    assert_int_equal(in(ICR), LSC);
    assert_int_equal(phy_in(1), 0x7949);
    assert_int_equal(phy_in(5), 0);
    assert_int_equal(phy_in(17), 0);
    rig_step(t.rig, NS_PER_S);
    assert_int_equal(in(STATUS), 0x283);
    assert_true(line());
    assert_int_equal(in(ICR), LSC);
    assert_int_equal(phy_in(1), 0x7969); /* it was down meanwhile */
    assert_int_equal(phy_in(1), 0x796D);
    assert_int_equal(phy_in(19), 0x0C00);
    assert_int_equal(phy_in(19), 0);
    assert_int_equal(clock_deadline(&t.rig->clock), CLOCK_NEVER);
    /* With less to offer it is slower. */
    phy_out(9, 0);
    phy_out(4, 0x0C81);
    phy_out(0, 0x1200);
    rig_step(t.rig, NS_PER_S);
    assert_int_equal(in(STATUS), 0x142);
    assert_int_equal(phy_in(17), 0x4C00);
    phy_out(4, 1); /* nothing in common */
    phy_out(0, 0x1200);
    rig_step(t.rig, NS_PER_S);
    assert_int_equal(in(STATUS)&2, 0);
    phy_out(0, 0x0100); /* forced: 10, full duplex */
    assert_int_equal(in(STATUS), 0x003);
    out(CTRL, 0x00140240 | 0x1800); /* the MAC says otherwise */
    assert_int_equal(in(STATUS), 0x082);
    out(CTRL, 0x00140200); /* SLU */
    assert_int_equal(in(STATUS)&2, 0);
    out(CTRL, 0x00140240);
    phy_out(0, 0x0900); /* power down */
    assert_int_equal(in(STATUS)&2, 0);
    phy_out(0, 0x0500); /* isolated */
    assert_int_equal(in(STATUS)&2, 0);
    phy_out(0, 0x1340); /* given up in the middle */
    assert_int_equal(in(STATUS)&2, 0);
    phy_out(0, 0x0140);
    assert_int_equal(in(STATUS)&2, 2);
    out(CTRL, 0x80140240); /* reset of the PHY */
    assert_int_equal(phy_in(0), 0x1140);
    rig_step(t.rig, NS_PER_S);
    assert_int_equal(in(STATUS), 0x283);
    /* A reset of the MAC leaves it alone. */
    phy_out(24, 0x1111);
    out(CTRL, 0x04000000);
    assert_int_equal(in(STATUS), 0x283);
    assert_int_equal(phy_in(24), 0x1111);
    assert_int_equal(in(ICR), 0);
}

static void the_cable_is_pulled_out(void **state)
{
    (void)state;
    out(IMS, LSC);
    start(0x8000);
    assert_true(t.reading);
    net_set_link(t.net, false);
    run();
    assert_int_equal(in(STATUS)&2, 0);
    assert_int_equal(in(ICR), LSC);
    assert_int_equal(phy_in(1), 0x7949);
    assert_false(t.reading);
    out(IMS, LSC);
    net_set_link(t.net, true);
    rig_step(t.rig, NS_PER_S);
    run();
    assert_true(line());
    assert_int_equal(in(ICR), LSC);
    assert_int_equal(in(STATUS)&2, 2);
    assert_true(t.reading);
    phy_in(1);
    assert_int_equal(phy_in(1), 0x796D);
    /* A short loss is not missed, also by who looks only afterwards. */
    phy_in(19);
    net_set_link(t.net, false);
    assert_int_equal(phy_in(19), 0x0400);
    net_set_link(t.net, true);
    rig_step(t.rig, NS_PER_S);
    assert_int_equal(phy_in(1), 0x7969);
    assert_int_equal(phy_in(1), 0x796D);
}

/* ---- Interrupts ---- */

static void causes_are_masked(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 18; i++) {
        const uint32_t cause = 1u << i, known = cause & 0x1FFFF;
        out(IMC, 0xFFFFFFFF);
        out(ICS, cause);
        assert_false(line());
        assert_int_equal(in(ICR), known);
        out(IMS, cause);
        assert_int_equal(in(IMS), known);
        assert_false(line());
        out(ICS, ~cause);
        assert_false(line());
        in(ICR);
        out(ICS, cause);
        assert_int_equal(line(), known != 0);
        assert_int_equal(in(ICR), known);
        assert_false(line());
        assert_int_equal(in(ICR), 0);
    }
    out(IMC, 0xFFFFFFFF);
    out(ICS, 5);
    out(IMS, 4);
    assert_true(line());
    out(ICR, 4); /* writing a 1 clears it too */
    assert_false(line());
    assert_int_equal(in(ICR), 1);
    out(ICS, 4);
    assert_true(line());
    out(IMC, 4);
    assert_false(line());
    assert_int_equal(clock_deadline(&t.rig->clock), CLOCK_NEVER);
}

static void interrupts_are_throttled(void **state)
{
    (void)state;
    rig_step(t.rig, NS_PER_S);
    out(ITR, 1000); /* 256 us */
    out(IMS, 4);
    out(ICS, 4);
    assert_true(line()); /* the first at once */
    in(ICR);
    rig_step(t.rig, 100 * NS_PER_US);
    out(ICS, 4);
    assert_false(line());
    rig_step(t.rig, 150 * NS_PER_US);
    assert_false(line());
    rig_step(t.rig, 10 * NS_PER_US);
    assert_true(line());
    in(ICR);
    assert_int_equal(clock_deadline(&t.rig->clock), CLOCK_NEVER);
    out(ICS, 4);
    in(ICR); /* taken by a poll before its time */
    rig_step(t.rig, NS_PER_MS);
    assert_false(line());
    assert_int_equal(raised(), 2);
    out(ICS, 4);
    in(ICR);
    out(ICS, 4);
    assert_false(line());
    out(ITR, 0);
    assert_true(line());
}

/* ---- Life ---- */

/* None but holes: before `packet` (4 bytes), before the EEPROM's words (1), at the end (6). */
static void all_of_it_is_saved(void **state)
{
    (void)state;
    start(0x8000);
    uint8_t *first = (uint8_t *)t.e1000->reg, *end = (uint8_t *)(t.e1000 + 1);
    assert_int_equal(rig_not_loaded(t.rig->devices.first, first, (size_t)(end - first)), 11);
}

static void standard(void **state)
{
    (void)state;
    start(0x8000);
    rig_standard_tests(t.rig, t.rig->devices.first);
}

static void what_is_postponed_survives(void **state)
{
    struct err err;
    uint8_t *stream;
    size_t len;
    (void)state;
    start(0x8000);
    out(IMS, RXT0 | TXDW);
    out(RDTR, 0xFFFF);
    out(TIDV, 0xFFFF);
    uint8_t frame[60];
    make_frame(frame, 60, NULL);
    deliver(frame, 60);
    memcpy(ram(TX_DATA), frame, 60);
    put_legacy(TX_DATA, 60, EOP | IFCS | RS | IDE);
    go();
    phy_out(0, 0x1340);
    assert_false(line());
    devices_quiesce(&t.rig->devices);
    assert_true(devices_save(&t.rig->devices, &stream, &len, &err));
    devices_reset(&t.rig->devices);
    assert_true(devices_load(&t.rig->devices, stream, len, &err));
    devices_resume(&t.rig->devices);
    rig_step(t.rig, NS_PER_MS);
    assert_true(line());
    assert_int_equal(in(ICR) & (RXT0 | TXDW), RXT0 | TXDW);
    assert_int_equal(in(STATUS)&2, 0);
    rig_step(t.rig, NS_PER_S);
    assert_int_equal(in(STATUS)&2, 2);
    free(stream);
}

/* What was rung for and had not left goes out where the guest is now; there the cable may be out.
 */
static void a_doorbell_survives(void **state)
{
    struct err err;
    uint8_t *stream;
    size_t len;
    (void)state;
    for (unsigned cable = 0; cable < 2; cable++) {
        start(0x8000);
        out(IMS, LSC);
        make_frame(ram(TX_DATA), 60, NULL);
        put_legacy(TX_DATA, 60, EOP | IFCS | RS);
        out(TDT, t.tx_at);
        devices_quiesce(&t.rig->devices);
        assert_true(devices_save(&t.rig->devices, &stream, &len, &err));
        devices_reset(&t.rig->devices);
        net_set_link(t.net, cable);
        run();
        assert_int_equal(t.count, 0);
        in(ICR);
        assert_true(devices_load(&t.rig->devices, stream, len, &err));
        devices_resume(&t.rig->devices);
        run();
        assert_int_equal(t.count, cable);
        assert_int_equal(in(TDH), 1);
        assert_int_equal(in(STATUS)&2, cable ? 2 : 0);
        assert_int_equal(line(), !cable);
        free(stream);
        net_set_link(t.net, true);
        devices_reset(&t.rig->devices);
        rig_pci_write(t.rig, SLOT, 0, 0x10, 4, (uint32_t)MMIO);
        rig_pci_write(t.rig, SLOT, 0, 0x14, 4, PORT);
        rig_pci_write(t.rig, SLOT, 0, 0x04, 2, 7);
    }
}

/* A register with bits that it has not, a table as well. */
static void hostile_state(void **state)
{
    (void)state;
    struct err err;
    struct device *d = t.rig->devices.first;
    const struct state_field *f = d->class->state;
    const size_t len = state_size(f, d->class->version);
    size_t at = 0;
    uint8_t *record = malloc(len);
    assert_non_null(record);
    state_save(f, d, d->class->version, record);
    for (; strcmp(f->name, "reg") != 0; f++)
        at += f->kind == STATE_KIND_STRUCT ? state_size(f->sub, d->class->version) : f->width;
    for (size_t i = 0; i < 8; i++) {
        record[at + 4 * i + 3] ^= 0xFF;
        if (device_load(d, d->class->version, record, len, &err)) /* EERD, FCAL: they have all */
            assert_true(i == 2 || i == 6);
        record[at + 4 * i + 3] ^= 0xFF;
    }
    assert_true(device_load(d, d->class->version, record, len, &err));
    free(record);
}

static void no_cable_no_network(void **state)
{
    struct err err;
    (void)state;
    const struct nic_config config = {.devfn = PCI_DEVFN(9, 0), .instance = "1"};
    struct e1000 *other =
        e1000_realize(t.rig->pci, t.rig->dma, &t.rig->clock, &t.rig->devices, &config, NULL, &err);
    assert_non_null(other);
    devices_reset(&t.rig->devices);
    rig_pci_write(t.rig, 9, 0, 0x10, 4, (uint32_t)MMIO);
    rig_pci_write(t.rig, 9, 0, 0x04, 2, 7);
    start(0x8000);
    assert_int_equal(in(STATUS)&2, 0);
    /* What is sent is lost; by loopback it comes back. */
    make_frame(ram(TX_DATA), 60, NULL);
    put_legacy(TX_DATA, 60, EOP | IFCS | RS);
    go();
    assert_int_equal(in(TDH), 0);
    rig_step(t.rig, 1);
    assert_int_equal(in(TDH), 1);
    assert_int_equal(in(RDH), 0);
    out(RCTL, 0x8042);
    put_legacy(TX_DATA, 60, EOP | IFCS | RS);
    go();
    rig_step(t.rig, 1);
    assert_int_equal(in(RDH), 1);
    put_legacy(TX_DATA, 60, EOP | IFCS | RS);
    go();
    out(TCTL, 0); /* none any more */
    rig_step(t.rig, 1);
    assert_int_equal(in(TDH), 2);
    phy_out(0, 0x1340);
    assert_int_equal(clock_deadline(&t.rig->clock), CLOCK_NEVER);
    /* Its place is taken. */
    assert_null(
        e1000_realize(t.rig->pci, t.rig->dma, &t.rig->clock, &t.rig->devices, &config, NULL, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(configuration_space, setup, teardown),
        cmocka_unit_test_setup_teardown(registers_after_reset, setup, teardown),
        cmocka_unit_test_setup_teardown(registers_hold_what_they_have, setup, teardown),
        cmocka_unit_test_setup_teardown(registers_by_port, setup, teardown),
        cmocka_unit_test_setup_teardown(the_eeprom_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(the_eeprom_is_written, setup, teardown),
        cmocka_unit_test_setup_teardown(the_phy_is_there, setup, teardown),
        cmocka_unit_test_setup_teardown(the_link_is_negotiated, setup, teardown),
        cmocka_unit_test_setup_teardown(the_cable_is_pulled_out, setup, teardown),
        cmocka_unit_test_setup_teardown(causes_are_masked, setup, teardown),
        cmocka_unit_test_setup_teardown(interrupts_are_throttled, setup, teardown),
        cmocka_unit_test_setup_teardown(standard, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_postponed_survives, setup, teardown),
        cmocka_unit_test_setup_teardown(all_of_it_is_saved, setup, teardown),
        cmocka_unit_test_setup_teardown(a_doorbell_survives, setup, teardown),
        cmocka_unit_test_setup_teardown(hostile_state, setup, teardown),
        cmocka_unit_test_setup_teardown(no_cable_no_network, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
