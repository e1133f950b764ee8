/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RTL8139: registers after each kind of reset and what they keep, EEPROM, time. */
#include "tests/device/rtl8139_rig.h"

/* ---- Registers ---- */

static void configuration_space(void **state)
{
    (void)state;
    assert_int_equal(rig_pci_read(t->rig, SLOT, 0, 0x00, 4), 0x813910EC);
    assert_int_equal(rig_pci_read(t->rig, SLOT, 0, 0x08, 4), 0x02000020);
    assert_int_equal(rig_pci_read(t->rig, SLOT, 0, 0x10, 4), IO | 1);
    assert_int_equal(rig_pci_read(t->rig, SLOT, 0, 0x14, 4), MMIO);
    assert_int_equal(rig_pci_read(t->rig, SLOT, 0, 0x2C, 4), 0x00015853);
    assert_int_equal(rig_pci_read(t->rig, SLOT, 0, 0x34, 1), 0xDC);
    assert_int_equal(rig_pci_read(t->rig, SLOT, 0, 0x06, 2) & 0x10, 0);
    assert_int_equal(rig_pci_read(t->rig, SLOT, 0, 0x3D, 1), 1);
    rig_pci_write(t->rig, SLOT, 0, 0x10, 4, 0xFFFFFFFF);
    rig_pci_write(t->rig, SLOT, 0, 0x14, 4, 0xFFFFFFFF);
    assert_int_equal(rig_pci_read(t->rig, SLOT, 0, 0x10, 4), 0xFFFFFF01);
    assert_int_equal(rig_pci_read(t->rig, SLOT, 0, 0x14, 4), 0xFFFFFF00);
}

/* Beside what is nought. */
static const struct {
    uint16_t reg;
    uint8_t width;
    uint32_t value;
} defaults[] = {
    {IDR, 4, 0x123E1600},  {IDR + 4, 2, 0x5634},   {TSD, 4, TSD_OWN},      {TSD + 4, 4, TSD_OWN},
    {TSD + 8, 4, TSD_OWN}, {TSD + 12, 4, TSD_OWN}, {TCR, 4, 0x74800000},   {CONFIG1, 1, 0x0C},
    {MSR, 1, 0xD0},        {CONFIG3, 1, 0x01},     {MSR + 3, 1, 0x01},     {RERID, 1, 0x20},
    {TSADS, 2, 0x000F},    {BMCR, 2, 0x3100},      {BMSR, 2, 0x782D},      {ANAR, 2, 0x05E1},
    {ANLPAR, 2, 0x05E1},   {ANER, 2, 0x0001},      {IO + 0x74, 2, 0x0340}, {CAPR, 2, 0xFFF0},
    {CR, 1, BUFE},
};

static void registers_after_reset(void **state)
{
    uint8_t bytes[256] = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
        for (unsigned n = 0; n < defaults[i].width; n++)
            bytes[defaults[i].reg - IO + n] = (uint8_t)(defaults[i].value >> 8 * n);
    for (unsigned i = 0; i < 256; i++) {
        if (i >= 0x48 && i < 0x4C) /* the counter */
            continue;
        assert_int_equal(rig_inb(t->rig, (uint16_t)(IO + i)), bytes[i]);
        assert_int_equal(rig_mem_read(t->rig, MMIO + i, 1), bytes[i]);
    }
}

static void registers_keep_what_they_have_bits_for(void **state)
{
    static const struct {
        uint16_t reg;
        uint32_t ones, zeroes;
    } kept[] = {
        {IDR, 0xFFFFFFFF, 0},
        {MAR, 0xFFFFFFFF, 0},
        {MAR + 4, 0xFFFFFFFF, 0},
        {TSAD, 0xFFFFFFFF, 0},
        {TSAD + 12, 0xFFFFFFFF, 0},
        {RBSTART, 0xFFFFFFFF, 0},
        {RCR, 0x0F03FFBF, 0},
        {IMR, 0x0000E1FF, 0},
        {TIMER_INT, 0xFFFFFFFF, 0},
        {MULINT, 0x00200FFF, 0x00200000},
        {IO + 0x70, 0x0000FFFF, 0},
        {IO + 0x78, 0xFFFFFFFF, 0},
        {IO + 0x7C, 0xFFFFFFFF, 0},
        {IO + 0x80, 0xFF, 0},
        {IO + 0x84, 0xFFFFFFFF, 0},
        {IO + 0x8C, 0xFFFFFFFF, 0},
        {IO + 0xD0, 0xFFFFFFFF, 0},
        {CONFIG5, 0x7F, 0},
        {CPCR, 0x7B, 0},
        {RDSAR, 0xFFFFFFFF, 0},
        {RDSAR + 4, 0xFFFFFFFF, 0},
        {ETTHR, 0xFF, 0},
        {TCR, 0x778F07F0, 0x74800000},
        {IO + 0xD4, 0, 0},
        {IO + 0xF0, 0, 0},
        {ANLPAR, 0x000105E1, 0x000105E1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        rig_outl(t->rig, kept[i].reg, 0xFFFFFFFF);
        assert_int_equal(rig_inl(t->rig, kept[i].reg), kept[i].ones);
        rig_outl(t->rig, kept[i].reg, 0);
        assert_int_equal(rig_inl(t->rig, kept[i].reg), kept[i].zeroes);
    }
    /* In bytes and words, at odd places too. */
    rig_outb(t->rig, MAR + 3, 0x12);
    rig_outw(t->rig, MAR + 5, 0x3456);
    assert_int_equal(rig_inl(t->rig, MAR), 0x12000000);
    assert_int_equal(rig_inl(t->rig, MAR + 3), 0x34560012);
    rig_outl(t->rig, MAR + 2, 0xA1B2C3D4);
    assert_int_equal(rig_inl(t->rig, MAR), 0xC3D40000);
    assert_int_equal(rig_inw(t->rig, MAR + 4), 0xA1B2);
    rig_mem_write(t->rig, MMIO + 8, 4, 0x01020304);
    assert_int_equal(rig_mem_read(t->rig, MMIO + 8, 2), 0x0304);
}

static void configuration_registers_are_locked(void **state)
{
    static const struct {
        uint16_t reg;
        uint8_t locked, ones, zeroes;
    } config[] = {{CONFIG0, 0, 0x07, 0},
                  {CONFIG1, 0x0C, 0xFF, 0x0C},
                  {CONFIG3, 0x01, 0x71, 0},
                  {CONFIG4, 0, 0xF5, 0}};
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        rig_outb(t->rig, config[i].reg, 0xFF);
        assert_int_equal(rig_inb(t->rig, config[i].reg), config[i].locked);
        rig_outb(t->rig, EECR, 0xC0);
        rig_outb(t->rig, config[i].reg, 0xFF);
        assert_int_equal(rig_inb(t->rig, config[i].reg), config[i].ones);
        rig_outb(t->rig, config[i].reg, 0x00);
        assert_int_equal(rig_inb(t->rig, config[i].reg), config[i].zeroes);
        rig_outb(t->rig, EECR, 0x00);
    }
}

static void software_reset(void **state)
{
    (void)state;
    rig_outl(t->rig, IDR, 0x11223344);
    rig_outl(t->rig, MAR, 0x55667788);
    rig_outl(t->rig, RBSTART, 0x1000);
    rig_outw(t->rig, IMR, 0xFFFF);
    rig_outb(t->rig, TPPOLL, 1);
    assert_int_equal(isr(t), SWINT);
    assert_true(irq_level(t));
    rig_outb(t->rig, CR, RST | RE | TE);
    assert_int_equal(rig_inb(t->rig, CR) & ~BUFE, 0);
    assert_int_equal(rig_inl(t->rig, IDR), 0x11223344); /* 5.4: addresses stay */
    assert_int_equal(rig_inl(t->rig, MAR), 0x55667788);
    assert_int_equal(rig_inl(t->rig, RBSTART), 0);
    assert_int_equal(isr(t), 0);
    assert_int_equal(rig_inw(t->rig, IMR), 0);
    assert_false(irq_level(t));
    device_reset(t->device); /* PCI's: the address comes out of the EEPROM */
    rig_pci_write(t->rig, SLOT, 0, 0x10, 4, IO);
    rig_pci_write(t->rig, SLOT, 0, 0x04, 2, 7);
    assert_int_equal(rig_inl(t->rig, IDR), 0x123E1600);
}

/* ---- EEPROM, bit by bit as drivers do it ---- */

static void eeprom_bits(uint32_t value, unsigned count)
{
    for (unsigned i = count; i--;) {
        const uint8_t di = (value >> i & 1) ? 2 : 0;
        rig_outb(t->rig, EECR, 0x88 | di);
        rig_outb(t->rig, EECR, 0x8C | di);
        rig_outb(t->rig, EECR, 0x88 | di);
    }
}

static uint16_t eeprom_word(void)
{
    uint16_t v = 0;
    for (unsigned i = 0; i < 16; i++) {
        rig_outb(t->rig, EECR, 0x8C);
        v = (uint16_t)(v << 1 | (rig_inb(t->rig, EECR) & 1));
        rig_outb(t->rig, EECR, 0x88);
    }
    return v;
}

static void eeprom_select(void)
{
    rig_outb(t->rig, EECR, 0x80);
    rig_outb(t->rig, EECR, 0x88);
}

static uint16_t eeprom_read(unsigned address)
{
    eeprom_select();
    eeprom_bits(6u << 6 | address, 9);
    assert_int_equal(rig_inb(t->rig, EECR) & 1, 0); /* the bit before the data */
    const uint16_t v = eeprom_word();
    rig_outb(t->rig, EECR, 0);
    return v;
}

static void eeprom_command(uint32_t bits, unsigned count)
{
    eeprom_select();
    eeprom_bits(bits, count);
    rig_outb(t->rig, EECR, 0x80);
    assert_int_equal(rig_inb(t->rig, EECR), 0x81); /* ready */
}

static void eeprom(void **state)
{
    (void)state;
    assert_int_equal(eeprom_read(0), 0x8129);
    assert_int_equal(eeprom_read(1), 0x10EC);
    assert_int_equal(eeprom_read(2), 0x8139);
    assert_int_equal(eeprom_read(3), 0x5853);
    assert_int_equal(eeprom_read(4), 0x0001);
    assert_int_equal(eeprom_read(7), 0x1600);
    assert_int_equal(eeprom_read(8), 0x123E);
    assert_int_equal(eeprom_read(9), 0x5634);
    /* Leading zeroes, as drivers that look for a larger one send; words follow one another. */
    eeprom_select();
    eeprom_bits(6u << 6 | 63, 13);
    assert_int_equal(eeprom_word(), 0);
    assert_int_equal(eeprom_word(), 0x8129);
    assert_int_equal(eeprom_word(), 0x10EC);
    /* Protected, then not, then again. */
    eeprom_command((5u << 6 | 7) << 16 | 0xABCD, 25);
    assert_int_equal(eeprom_read(7), 0x1600);
    eeprom_command(4u << 6 | 3 << 4, 9);
    eeprom_command((5u << 6 | 7) << 16 | 0xABCD, 25);
    eeprom_command(7u << 6 | 8, 9);
    eeprom_command(4u << 6 | 0 << 4, 9);
    eeprom_command((5u << 6 | 9) << 16 | 0xABCD, 25);
    assert_int_equal(eeprom_read(7), 0xABCD);
    assert_int_equal(eeprom_read(8), 0xFFFF);
    assert_int_equal(eeprom_read(9), 0x5634);
    assert_int_equal(rig_inl(t->rig, IDR), 0x123E1600);
    rig_outb(t->rig, EECR, 0x40); /* auto-load */
    assert_int_equal(rig_inb(t->rig, EECR), 0);
    assert_int_equal(rig_inl(t->rig, IDR), 0xFFFFABCD);
    eeprom_command(4u << 6 | 3 << 4, 9);
    eeprom_command((4u << 6 | 1 << 4) << 16 | 0x1234, 25);
    assert_int_equal(eeprom_read(0), 0x1234);
    assert_int_equal(eeprom_read(63), 0x1234);
    eeprom_command(4u << 6 | 2 << 4, 9);
    assert_int_equal(eeprom_read(31), 0xFFFF);
    /* The lines reach it in its own mode only. */
    rig_outb(t->rig, EECR, 0xC8);
    assert_int_equal(rig_inb(t->rig, EECR), 0xC8);
}

/* ---- Time ---- */

static void timer_interrupt(void **state)
{
    (void)state;
    rig_outl(t->rig, TCTR, 0x12345678);
    assert_int_equal(rig_inl(t->rig, TCTR), 0);
    rig_step(t->rig, NS_PER_MS);
    assert_int_equal(rig_inl(t->rig, TCTR), 33000);
    rig_outl(t->rig, TIMER_INT, 66000);
    assert_int_equal(clock_deadline(&t->rig->clock), CLOCK_NEVER); /* nobody would be told */
    rig_step(t->rig, 2 * NS_PER_MS);
    assert_int_equal(isr(t), TIMEOUT); /* but it has happened */
    assert_false(irq_level(t));
    rig_outw(t->rig, ISR, TIMEOUT);
    rig_outw(t->rig, IMR, TIMEOUT);
    rig_outl(t->rig, TCTR, 0);
    rig_step(t->rig, 2 * NS_PER_MS - 1);
    assert_false(irq_level(t));
    rig_step(t->rig, 1);
    assert_true(irq_level(t));
    assert_int_equal(clock_deadline(&t->rig->clock), CLOCK_NEVER); /* until it is acknowledged */
    rig_outw(t->rig, ISR, TIMEOUT);
    assert_false(irq_level(t));
    assert_int_equal(isr(t), 0);
    /* Again a whole round later. */
    rig_step(t->rig, (UINT64_C(1) << 32) * 1000 / 33 + 1);
    assert_true(irq_level(t));
    rig_outw(t->rig, ISR, TIMEOUT);
    rig_outl(t->rig, TIMER_INT, 0);
    assert_int_equal(clock_deadline(&t->rig->clock), CLOCK_NEVER);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(configuration_space),
        TEST(registers_after_reset),
        TEST(registers_keep_what_they_have_bits_for),
        TEST(configuration_registers_are_locked),
        TEST(software_reset),
        TEST(eeprom),
        TEST(timer_interrupt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
