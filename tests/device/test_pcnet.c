/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pcnet: configuration space, ports, registers, interrupts, EEPROM, PHY, timer, life. Frames are in
 * test_pcnet_ring.c. */
#include "tests/device/pcnet_rig.h"

#include "hw/pc/pcnet_int.h"

/* --- configuration space and ports --- */

static void configuration_space(void **state)
{
    (void)state;
    assert_int_equal(rig_pci_read(t->rig, SLOT, 0, 0x00, 4), 0x20001022);
    assert_int_equal(rig_pci_read(t->rig, SLOT, 0, 0x06, 2), 0x0280);
    assert_int_equal(rig_pci_read(t->rig, SLOT, 0, 0x08, 4), 0x02000010);
    assert_int_equal(rig_pci_read(t->rig, SLOT, 0, 0x2C, 4), 0x00015853);
    assert_int_equal(rig_pci_read(t->rig, SLOT, 0, 0x3C, 4), 0xFF060100);
    rig_pci_write(t->rig, SLOT, 0, 0x10, 4, 0xFFFFFFFF);
    rig_pci_write(t->rig, SLOT, 0, 0x14, 4, 0xFFFFFFFF);
    assert_int_equal(rig_pci_read(t->rig, SLOT, 0, 0x10, 4), 0xFFFFFFE1);
    assert_int_equal(rig_pci_read(t->rig, SLOT, 0, 0x14, 4), 0xFFFFFFE0);
}

static void address_prom(void **state)
{
    static const uint8_t prom[16] = {0x52, 0x54, 0, 0x12, 0x34, 0x56, 0,    0,
                                     0,    0x11, 0, 0,    1,    2,    0x57, 0x57};
    (void)state;
    for (unsigned i = 0; i < 16; i++) {
        assert_int_equal(rig_inb(t->rig, (uint16_t)(IO + i)), prom[i]);
        assert_int_equal(rig_mem_read(t->rig, MMIO + i, 1), prom[i]);
    }
    assert_int_equal(rig_inw(t->rig, IO + 14), 0x5757);
    assert_int_equal(rig_inw(t->rig, IO + 12), 0x0201);
    /* Written only when BCR2 allows it; the EEPROM brings it back. */
    rig_outb(t->rig, IO, 0xAA);
    assert_int_equal(rig_inb(t->rig, IO), 0x52);
    set_bcr(t, 2, 0x0102);
    rig_outw(t->rig, IO, 0xBBAA);
    assert_int_equal(rig_inw(t->rig, IO), 0xBBAA);
    set_bcr(t, 19, 0x4000);
    assert_int_equal(rig_inw(t->rig, IO), 0x5452);
}

static void registers_after_reset(void **state)
{
    (void)state;
    static const struct {
        unsigned n, v;
    } csrs[] = {{0, 4},       {3, 0},       {4, 0x0115},   {5, 0},        {7, 0},
                {12, 0x5452}, {13, 0x1200}, {14, 0x5634},  {15, 0},       {58, 0x0200},
                {72, 1},      {74, 1},      {76, 1},       {78, 1},       {80, 0x1410},
                {88, 0x1003}, {89, 0x0262}, {100, 0x0200}, {103, 0x0105}, {112, 0},
                {127, 0}},
      bcrs[] = {{0, 5},       {1, 5},       {2, 2},       {4, 0x80C0},  {5, 0x0084},  {6, 0x0088},
                {7, 0x0090},  {9, 0},       {18, 0x9001}, {20, 0x0200}, {22, 0xFF06}, {23, 0x5853},
                {24, 0x0001}, {31, 0xFFFF}, {33, 0x03C0}, {35, 0x1022}};
    for (size_t i = 0; i < sizeof(csrs) / sizeof(csrs[0]); i++)
        if (csr(t, csrs[i].n) != csrs[i].v)
            fail_msg("CSR%u is %04x", csrs[i].n, csr(t, csrs[i].n));
    for (size_t i = 0; i < sizeof(bcrs) / sizeof(bcrs[0]); i++)
        if (bcr(t, bcrs[i].n) != bcrs[i].v)
            fail_msg("BCR%u is %04x", bcrs[i].n, bcr(t, bcrs[i].n));
    assert_int_equal(csr(t, 200), 0);
    assert_int_equal(bcr(t, 200), 0);
    assert_false(irq_level(t));
}

/* As Linux' pcnet32 finds out which width the chip is set to. */
static void word_and_dword_access(void **state)
{
    (void)state;
    rig_outw(t->rig, RAP, 88);
    assert_int_equal(rig_inw(t->rig, RAP), 88);
    assert_int_equal(rig_inb(t->rig, RAP), 0xFF);
    assert_int_equal(rig_inl(t->rig, RDP), 0xFFFFFFFF);
    assert_int_equal(rig_inw(t->rig, IO + 0x18), 0xFFFF);
    rig_outb(t->rig, RAP, 12);
    assert_int_equal(rig_inw(t->rig, RAP), 88);
    assert_int_equal(rig_mem_read(t->rig, MMIO + 0x10, 2), 0x1003);
    /* A dword to RDP makes all registers dwords, until the next hardware reset. */
    set_csr(t, 3, 0);
    rig_outl(t->rig, RDP, 0);
    assert_int_equal(rig_inw(t->rig, RDP), 0xFFFF);
    assert_int_equal(rig_inw(t->rig, RESET), 0xFFFF);
    rig_outl(t->rig, IO + 0x14, 88);
    assert_int_equal(rig_inl(t->rig, IO + 0x14), 88);
    assert_int_equal(rig_inl(t->rig, RDP), 0x1003);
    rig_outl(t->rig, IO + 0x14, 18);
    assert_int_equal(rig_inl(t->rig, IO + 0x1C), 0x9081);
    rig_outl(t->rig, IO + 0x1C, 0x9001);
    assert_int_equal(rig_inl(t->rig, IO + 0x1C), 0x9081);
    rig_inl(t->rig, IO + 0x18);
    assert_int_equal(rig_inl(t->rig, IO + 0x14), 0);
    assert_int_equal(rig_inl(t->rig, RDP), 4);
    devices_reset(&t->rig->devices);
    rig_pci_write(t->rig, SLOT, 0, 0x10, 4, IO);
    rig_pci_write(t->rig, SLOT, 0, 0x04, 2, 7);
    assert_int_equal(rig_inw(t->rig, RDP), 4);
}

static void what_registers_keep(void **state)
{
    (void)state;
    set_csr(t, 3, 0xFFFF);
    assert_int_equal(csr(t, 3), 0x5F7F);
    set_csr(t, 4, 0xFFFF);
    assert_int_equal(csr(t, 4), 0xFD55); /* UINT, by its command */
    set_csr(t, 4, 0x0040);
    assert_int_equal(csr(t, 4), 0);
    set_csr(t, 5, 0xFFFE);
    assert_int_equal(csr(t, 5), 0xC56E);
    set_csr(t, 5, 0x0001); /* suspended, until it is stopped */
    assert_int_equal(csr(t, 5), 1);
    set_csr(t, 0, STOP);
    assert_int_equal(csr(t, 5), 0);
    for (unsigned n = 8; n <= 15; n++) {
        set_csr(t, n, 0xA500 + n);
        assert_int_equal(csr(t, n), 0xA500 + n);
    }
    set_csr(t, 16, 0x1234); /* CSR1's other name */
    assert_int_equal(csr(t, 1), 0x1234);
    set_csr(t, 88, 0);
    assert_int_equal(csr(t, 88), 0x1003);
    set_bcr(t, 0, 0);
    assert_int_equal(bcr(t, 0), 5);
    set_bcr(t, 22, 0x1218); /* seen in configuration space */
    assert_int_equal(rig_pci_read(t->rig, SLOT, 0, 0x3E, 2), 0x1218);
    /* A software reset leaves the bus configuration alone, and the addresses. */
    set_bcr(t, 9, 1);
    set_bcr(t, 20, 2);
    rig_inw(t->rig, RESET);
    assert_int_equal(bcr(t, 9), 1);
    assert_int_equal(bcr(t, 20), 0x0302);
    assert_int_equal(csr(t, 8), 0xA508);
    assert_int_equal(csr(t, 15), 0);
    assert_int_equal(csr(t, 4), 0x0115);
    assert_int_equal(csr(t, 5), 0);
}

static void software_styles(void **state)
{
    static const uint16_t values[] = {0x0200, 0x0101, 0x0302, 0x0303, 0x0200, 0x0200};
    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        set_bcr(t, 20, i);
        assert_int_equal(bcr(t, 20), values[i]);
        assert_int_equal(csr(t, 58), values[i]);
    }
    set_csr(t, 58, 3);
    assert_int_equal(bcr(t, 20), 0x0303);
}

static void what_may_not_change_under_way(void **state)
{
    (void)state;
    driver_start(t, 2);
    set_csr(t, 15, 0x8000);
    assert_int_equal(csr(t, 15), 0);
    set_csr(t, 76, 5);
    assert_int_equal(csr(t, 76), 0xFFFC);
    set_bcr(t, 20, 0);
    assert_int_equal(bcr(t, 20), 0x0302);
    /* Suspended, as a driver changes its filters. */
    set_csr(t, 5, 1);
    assert_int_equal(csr(t, 5) & 1, 1);
    set_csr(t, 15, 0x8000);
    set_csr(t, 8, 0x1111);
    set_csr(t, 5, 0);
    assert_int_equal(csr(t, 15), 0x8000);
    assert_int_equal(csr(t, 8), 0x1111);
    assert_int_equal(csr(t, 0) & (TXON | RXON | STRT | IENA), TXON | RXON | STRT | IENA);
    set_csr(t, 0, STOP);
    assert_int_equal(csr(t, 0), STOP);
    set_csr(t, 72, 0xFFFD); /* the second of four */
    assert_int_equal(csr(t, 72), 0xFFFD);
    assert_int_equal(csr(t, 28), (RX_RING & 0xFFFF) + 16);
    assert_int_equal(csr(t, 29), RX_RING >> 16);
    assert_int_equal(csr(t, 26), (RX_RING & 0xFFFF) + 32);
    set_csr(t, 74, 0); /* the last */
    assert_int_equal(csr(t, 34), (TX_RING & 0xFFFF) + 48);
    assert_int_equal(csr(t, 32), TX_RING & 0xFFFF);
}

/* --- initialisation and interrupts --- */

static void initialisation_in_both_layouts(void **state)
{
    (void)state;
    for (unsigned style = 0; style < 4; style++) {
        t->rx_bits = 4;
        t->tx_bits = 3;
        driver_init(t, style, 0x8003, 0x8877665544332211, 1544, 0);
        assert_int_equal(csr(t, 15), 0x8003);
        assert_int_equal(csr(t, 8), 0x2211);
        assert_int_equal(csr(t, 11), 0x8877);
        assert_int_equal(csr(t, 12), 0x5452);
        assert_int_equal(csr(t, 14), 0x5634);
        assert_int_equal(csr(t, 76), 0x10000 - 16);
        assert_int_equal(csr(t, 78), 0x10000 - 8);
        assert_int_equal(csr(t, 25), RX_RING >> 16);
        assert_int_equal(csr(t, 31), TX_RING >> 16);
        assert_int_equal(csr(t, 24), RX_RING & 0xFFFF);
        assert_int_equal(csr(t, 0), INIT);
        set_csr(t, 0, STRT); /* both are off by the mode */
        assert_int_equal(csr(t, 0), INIT | STRT);
    }
    t->rx_bits = 15; /* more than there can be */
    t->tx_bits = 9;
    put_block(t, 0, 0);
    set_csr(t, 0, STOP);
    set_csr(t, 0, INIT);
    assert_int_equal(csr(t, 76), 0x10000 - 512);
    assert_int_equal(csr(t, 78), 0x10000 - 512);
}

static void initialisation_is_an_interrupt(void **state)
{
    (void)state;
    t->style = 2;
    t->rx_bits = t->tx_bits = 1;
    set_bcr(t, 20, 2);
    put_block(t, 0, 0);
    set_csr(t, 1, 0);
    set_csr(t, 2, 1);
    set_csr(t, 0, INIT | STRT | IENA);
    assert_int_equal(csr(t, 0), INTR | IDON | IENA | TXON | RXON | STRT | INIT);
    assert_true(irq_level(t));
    set_csr(t, 3, 0x0100); /* masked: it is not even seen as one */
    assert_false(irq_level(t));
    assert_int_equal(csr(t, 0) & (INTR | IDON), IDON);
    set_csr(t, 3, 0);
    assert_true(irq_level(t));
    set_csr(t, 0, 0); /* IENA */
    assert_false(irq_level(t));
    assert_int_equal(csr(t, 0) & (INTR | IDON), INTR | IDON);
    set_csr(t, 0, IDON | IENA);
    assert_false(irq_level(t));
    assert_int_equal(csr(t, 0), IENA | TXON | RXON | STRT | INIT);
    set_csr(t, 0, STOP | IENA | TDMD | STRT | INIT);
    assert_int_equal(csr(t, 0), STOP);
}

static void user_interrupt(void **state)
{
    (void)state;
    driver_start(t, 2);
    set_csr(t, 4, 0x0915 | 0x0080);
    assert_int_equal(csr(t, 4), 0x0915 | 0x0040);
    assert_true(irq_level(t));
    set_csr(t, 4, 0x0915 | 0x0040);
    assert_false(irq_level(t));
    set_csr(t, 4, 0x0915 | 0x0080);
    set_csr(t, 0, STOP); /* takes it back */
    assert_int_equal(csr(t, 4), 0x0915);
    assert_false(irq_level(t));
}

/* Nobody at the address: a master abort, and the chip has stopped. */
static void addresses_without_memory(void **state)
{
    (void)state;
    set_bcr(t, 20, 2);
    set_csr(t, 1, MMIO & 0xFFFF); /* its own registers are no memory either */
    set_csr(t, 2, MMIO >> 16);
    set_csr(t, 0, INIT | STRT); /* nobody wants to know */
    assert_int_equal(csr(t, 0), STOP);
    assert_int_equal(csr(t, 5), 0x0800);
    assert_false(irq_level(t));
    set_csr(t, 5, 0x0C00);
    set_csr(t, 0, INIT | STRT);
    assert_int_equal(csr(t, 0), STOP | INTR);
    assert_int_equal(csr(t, 5), 0x0C00);
    assert_true(irq_level(t)); /* without IENA */
    assert_int_equal(rig_pci_read(t->rig, SLOT, 0, 0x06, 2) & 0x2000, 0x2000);
    rig_pci_write(t->rig, SLOT, 0, 0x06, 2, 0x2000);
    assert_int_equal(rig_pci_read(t->rig, SLOT, 0, 0x06, 2) & 0x2000, 0);
    set_csr(t, 0, STOP);
    set_csr(t, 5, 0x0C00);
    assert_false(irq_level(t));
    assert_int_equal(csr(t, 5), 0x0400);
}

/* Of 16-bit structures the upper eight bits are those of the initialisation block (CSR2). */
static void addresses_of_24_bits(void **state)
{
    (void)state;
    driver_init(t, 0, 0, 0, 1544, 0);
    set_csr(t, 0, STOP);
    set_csr(t, 2, 0x0101);
    set_csr(t, 0, STRT);
    driver_send(t, 0, 100, STP | ENP); /* the ring is where it was, the buffer is nowhere */
    assert_int_equal(csr(t, 0), STOP);
    assert_int_equal(csr(t, 5), 0x0800);
    assert_int_equal(t->wire.count, 0);
}

static void without_the_bus(void **state)
{
    (void)state;
    rig_pci_write(t->rig, SLOT, 0, 0x04, 2, 3);
    set_bcr(t, 20, 2);
    set_csr(t, 1, 0);
    set_csr(t, 2, 1);
    set_csr(t, 0, INIT);
    assert_int_equal(csr(t, 0), ERR | MERR | STOP | INTR);
    set_csr(t, 0, MERR);
    assert_int_equal(csr(t, 0), STOP);
    /* Taken from it while it runs: nothing moves until it has it again. */
    rig_pci_write(t->rig, SLOT, 0, 0x04, 2, 7);
    driver_start(t, 2);
    rig_pci_write(t->rig, SLOT, 0, 0x04, 2, 3);
    driver_send(t, 0, 100, STP | ENP);
    assert_int_equal(t->wire.count, 0);
    assert_false(t->wire.reading);
    rig_pci_write(t->rig, SLOT, 0, 0x04, 2, 7);
    run(t);
    assert_int_equal(t->wire.count, 1);
    assert_true(t->wire.reading);
}

/* --- EEPROM, PHY, LEDs, timer --- */

static void ee_bit(unsigned in)
{
    set_bcr(t, 19, 0x14 | in);
    set_bcr(t, 19, 0x16 | in);
}

static unsigned ee_next(void)
{
    unsigned v = 0;
    for (unsigned i = 0; i < 16; i++) {
        ee_bit(0);
        v = v << 1 | (bcr(t, 19) & 1);
    }
    return v;
}

static unsigned ee_read(unsigned address)
{
    set_bcr(t, 19, 0x10);
    ee_bit(0); /* what comes before the start bit counts for nothing */
    ee_bit(1);
    ee_bit(1);
    ee_bit(0);
    for (unsigned bit = 6; bit--;)
        ee_bit(address >> bit & 1);
    assert_int_equal(bcr(t, 19) & 1, 0);
    return ee_next();
}

static void eeprom(void **state)
{
    (void)state;
    assert_int_equal(bcr(t, 19), 0xA002); /* there, and right */
    assert_int_equal(ee_read(0), 0x5452);
    assert_int_equal(ee_next(), 0x1200); /* goes on */
    assert_int_equal(ee_read(7), 0x5757);
    assert_int_equal(ee_read(63), 0xFFFF);
    assert_int_equal(ee_next(), 0x5452);
    set_bcr(t, 19, 0x10); /* an erasure is not done */
    for (unsigned i = 0; i < 9; i++)
        ee_bit(i < 3);
    assert_int_equal(bcr(t, 19) & 1, 1);
    assert_int_equal(ee_read(0), 0x5452);
    set_bcr(t, 19, 0);
    assert_int_equal(bcr(t, 19), 0xA000);
    /* Without EEN its pins are LEDs': it hears nothing. */
    set_bcr(t, 19, 0x10);
    for (unsigned i = 0; i < 9; i++) {
        set_bcr(t, 19, 0x04 | (i < 2));
        set_bcr(t, 19, 0x06 | (i < 2));
    }
    set_bcr(t, 19, 0x14);
    assert_int_equal(bcr(t, 19) & 1, 1);
}

static unsigned phy(unsigned n)
{
    set_bcr(t, 33, 30 << 5 | n);
    return bcr(t, 34);
}

static void phy_and_link(void **state)
{
    (void)state;
    assert_int_equal(phy(0), 0x3100);
    assert_int_equal(phy(1), 0x782D);
    assert_int_equal(phy(2), 0x0000);
    assert_int_equal(phy(3), 0x6B60);
    assert_int_equal(phy(4), 0x01E1);
    assert_int_equal(phy(5), 0x45E1);
    assert_int_equal(phy(6), 0x0001);
    assert_int_equal(phy(17), 0);
    set_bcr(t, 33, 3 << 5 | 1); /* nobody there */
    assert_int_equal(bcr(t, 34), 0xFFFF);
    assert_int_equal(bcr(t, 32) & 0x4000, 0x4000);
    assert_int_equal(bcr(t, 4), 0x80C0);
    set_bcr(t, 32, 0x0C00); /* Auto-Poll, with its interrupt */
    set_csr(t, 7, 0x0040);
    set_csr(t, 0, IENA);
    net_set_link(t->net, false);
    assert_int_equal(csr(t, 7), 0x00C0);
    assert_true(irq_level(t));
    set_csr(t, 7, 0x00C0);
    assert_false(irq_level(t));
    assert_int_equal(bcr(t, 4), 0x00C0);
    assert_int_equal(phy(1), 0x7809);
    assert_int_equal(phy(5), 0);
    net_set_link(t->net, true);
    net_set_link(t->net, false);
    net_set_link(t->net, true);
    assert_int_equal(phy(1), 0x7809); /* it was lost since */
    assert_int_equal(phy(1), 0x782D);
    assert_int_equal(bcr(t, 4), 0x80C0);
    phy(0);
    set_bcr(t, 34, 0x0100); /* no negotiation */
    assert_int_equal(phy(0), 0x0100);
    assert_int_equal(phy(1), 0x780D);
    phy(4);
    set_csr(t, 7, 0x00B0); /* the end of a write, with its interrupt */
    assert_int_equal(csr(t, 7), 0x0010);
    set_bcr(t, 33, 30 << 5 | 4);
    set_bcr(t, 34, 0x0021);
    assert_int_equal(csr(t, 7), 0x0030);
    assert_true(irq_level(t));
    set_csr(t, 7, 0x0020);
    assert_false(irq_level(t));
    assert_int_equal(phy(4), 0x0021);
    phy(0);
    set_bcr(t, 34, 0x8000);
    assert_int_equal(phy(0), 0x3100);
    assert_int_equal(phy(4), 0x01E1);
}

static void software_timer(void **state)
{
    (void)state;
    rig_step(t->rig, NS_PER_S);
    assert_int_equal(csr(t, 7), 0); /* not before it was written */
    set_bcr(t, 31, 100);            /* 1.024 ms */
    rig_step(t->rig, 1000000);
    assert_int_equal(csr(t, 7), 0);
    assert_int_equal(clock_deadline(&t->rig->clock), CLOCK_NEVER);
    rig_step(t->rig, 100000);
    assert_int_equal(csr(t, 7), 0x0800);
    set_csr(t, 7, 0x0C00); /* again, and an interrupt */
    set_csr(t, 0, IENA);
    assert_int_equal(csr(t, 7), 0x0400);
    assert_false(irq_level(t));
    rig_step(t->rig, 1024000);
    assert_true(irq_level(t));
    /* It stays: nobody wakes up for the next ones. */
    assert_int_equal(clock_deadline(&t->rig->clock), CLOCK_NEVER);
    set_csr(t, 7, 0x0800);
    assert_false(irq_level(t));
    /* Its periods go on, whenever somebody looks. */
    rig_step(t->rig, 1024000 + 1000000);
    assert_int_equal(csr(t, 7) & 0x0800, 0x0800);
    set_csr(t, 7, 0x0800);
    rig_step(t->rig, 970000);
    assert_int_equal(csr(t, 7) & 0x0800, 0);
    rig_step(t->rig, 10000);
    assert_int_equal(csr(t, 7) & 0x0800, 0x0800);
    set_csr(t, 7, 0x0800);
    set_bcr(t, 31, 0);
    rig_step(t->rig, NS_PER_S);
    assert_int_equal(csr(t, 7), 0);
}

/* --- life --- */

static void standard(void **state)
{
    (void)state;
    rig_standard_tests(t->rig, (struct device *)t->pcnet);
}

static void it_goes_on_after_a_move(void **state)
{
    struct err err;
    uint8_t *saved;
    size_t len;
    (void)state;
    driver_start(t, 2);
    driver_send(t, 0, 64, STP | ENP);
    assert_true(arrives(t, own_mac, 100));
    assert_true(irq_level(t));
    devices_quiesce(&t->rig->devices);
    net_quiesce(t->net);
    assert_true(devices_save(&t->rig->devices, &saved, &len, &err));
    devices_reset(&t->rig->devices);
    assert_false(irq_level(t));
    assert_true(devices_load(&t->rig->devices, saved, len, &err));
    free(saved);
    assert_true(irq_level(t));
    put_descriptor(t, TX_RING, 1, TX_DATA, OWN | STP | ENP, 64); /* came with no doorbell yet */
    devices_resume(&t->rig->devices);
    net_resume(t->net);
    run(t);
    assert_int_equal(t->wire.count, 2);
    assert_true(arrives(t, own_mac, 100));
    assert_int_equal(flags_of(t, RX_RING, 1), STP | ENP | PAM);
}

/* None but holes: before `timer_start` (2 bytes), before `poll_timer` (5). */
static void all_of_it_is_saved(void **state)
{
    (void)state;
    driver_start(t, 2);
    uint8_t *first = (uint8_t *)t->pcnet->csr, *end = (uint8_t *)&t->pcnet->poll_timer;
    assert_int_equal(rig_not_loaded((struct device *)t->pcnet, first, (size_t)(end - first)), 7);
}

/* What no register shows at once: nothing of it is left from the guest that was here before. */
static void all_of_it_moves(void **state)
{
    struct err err;
    uint8_t *saved;
    size_t len;
    (void)state;
    driver_start(t, 2);
    driver_send(t, 0, 64, STP | ENP); /* it rings: nothing is polled */
    set_csr(t, 7, 0x0400);
    set_bcr(t, 31, 1000); /* 10.24 ms */
    phy(4);
    set_bcr(t, 34, 0x0021);
    set_csr(t, 7, 0x0420);
    set_bcr(t, 2, 0x0102);
    rig_outb(t->rig, IO, 0x99);
    ee_read(1);
    for (unsigned i = 0; i < 12; i++)
        ee_bit(0);
    rig_step(t->rig, 5 * NS_PER_MS);
    net_set_link(t->net, false);
    net_set_link(t->net, true);
    rig_outw(t->rig, RAP, 89);
    devices_quiesce(&t->rig->devices);
    assert_true(devices_save(&t->rig->devices, &saved, &len, &err));
    devices_resume(&t->rig->devices);
    /* Somebody else's. */
    phy(4);
    set_bcr(t, 34, 0x0041);
    phy(1);
    set_csr(t, 0, STOP);
    set_csr(t, 0, STRT);
    set_bcr(t, 31, 3);
    set_bcr(t, 2, 0x0102);
    rig_outb(t->rig, IO, 0x77);
    ee_read(7);
    assert_true(devices_load(&t->rig->devices, saved, len, &err));
    free(saved);
    assert_int_equal(rig_inw(t->rig, RAP), 89);
    assert_int_equal(rig_inb(t->rig, IO), 0x99);
    assert_int_equal(clock_deadline(&t->rig->clock), clock_now(&t->rig->clock) + 5240000);
    for (unsigned i = 0; i < 4; i++)
        ee_bit(0);
    assert_int_equal(ee_next(), 0x0000);
    assert_int_equal(phy(1), 0x7809); /* the link was lost */
    assert_int_equal(phy(4), 0x0021);
    rig_step(t->rig, 5230000);
    assert_int_equal(csr(t, 7), 0x0400);
    rig_step(t->rig, 10000);
    assert_int_equal(csr(t, 7), 0x0C00);
    assert_true(irq_level(t));
}

static void impossible_states_are_refused(void **state)
{
    struct err err;
    (void)state;
    struct device *d = (struct device *)t->pcnet;
    const size_t len = state_size(d->class->state, d->class->version);
    const size_t csr0 = len - state_size(d->class->state + 1, d->class->version);
    uint8_t *record = malloc(len);
    assert_non_null(record);
    state_save(d->class->state, d, d->class->version, record);
    assert_true(device_load(d, d->class->version, record, len, &err));
    assert_int_equal(record[csr0], 4);
    record[csr0] = 0x84; /* what is worked out */
    assert_false(device_load(d, d->class->version, record, len, &err));
    record[csr0] = 0x14; /* stopped, and transmits */
    assert_false(device_load(d, d->class->version, record, len, &err));
    record[csr0] = 0x04;
    assert_true(device_load(d, d->class->version, record, len, &err));
    free(record);
}

static void a_card_without_a_cable(void **state)
{
    struct err err;
    const struct nic_config config = {.devfn = PCI_DEVFN(SLOT + 1, 0), .instance = "1"};
    (void)state;
    assert_non_null(pcnet_realize(t->rig->pci, t->rig->dma, &t->rig->clock, &t->rig->devices,
                                  &config, NULL, &err));
    devices_reset(&t->rig->devices);
    rig_pci_write(t->rig, SLOT + 1, 0, 0x10, 4, IO);
    rig_pci_write(t->rig, SLOT + 1, 0, 0x04, 2, 7);
    assert_int_equal(bcr(t, 4), 0x00C0);
    driver_start(t, 2);
    driver_send(t, 0, 64, STP | ENP); /* no carrier */
    assert_int_equal(flags_of(t, TX_RING, 0), ERROR | STP | ENP);
    assert_int_equal(details_of(t, TX_RING, 0), 0x08000000);
    assert_int_equal(csr(t, 0) & (CERR | TINT), CERR | TINT);
    set_csr(t, 0, CERR);
    driver_init(t, 2, LOOP | INTL | PROM, 0, 1544, STRT);
    driver_send(t, 0, 64, STP | ENP);
    assert_int_equal(flags_of(t, RX_RING, 0), STP | ENP);
    assert_int_equal(details_of(t, RX_RING, 0), 68);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(configuration_space),
        TEST(address_prom),
        TEST(registers_after_reset),
        TEST(word_and_dword_access),
        TEST(what_registers_keep),
        TEST(software_styles),
        TEST(what_may_not_change_under_way),
        TEST(initialisation_in_both_layouts),
        TEST(initialisation_is_an_interrupt),
        TEST(user_interrupt),
        TEST(addresses_without_memory),
        TEST(addresses_of_24_bits),
        TEST(without_the_bus),
        TEST(eeprom),
        TEST(phy_and_link),
        TEST(software_timer),
        TEST(standard),
        TEST(it_goes_on_after_a_move),
        TEST(all_of_it_is_saved),
        TEST(all_of_it_moves),
        TEST(impossible_states_are_refused),
        TEST(a_card_without_a_cable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
