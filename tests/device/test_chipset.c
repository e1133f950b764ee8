/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PCI core, i440FX, PIIX3, PIIX4 power management and the Xen platform device, as firmware and
 * drivers use them. */
#include "tests/device/rig.h"

#include <string.h>

#include "hw/pc/i440fx.h"
#include "hw/pc/piix3.h"
#include "hw/pc/piix4_pm.h"
#include "hw/pc/platform.h"

static struct rig *rig;
static unsigned resets, power_offs, suspends, unplugged;

static int setup(void **state)
{
    (void)state;
    rig = rig_new();
    resets = power_offs = suspends = 0;
    unplugged = ~0u;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rig_free(rig);
    return 0;
}

static void count(void *opaque)
{
    ++*(unsigned *)opaque;
}

static void record_unplug(void *opaque, unsigned mask)
{
    (void)opaque;
    unplugged = mask;
}

/* A card with one BAR of each kind and a ROM. */
struct card {
    struct pci_device pci;
    uint32_t reg;
    uint64_t ram_at;
    unsigned moves;
    uint8_t rom[3000];
    unsigned written_reg;
};

static uint64_t card_read(void *opaque, uint64_t offset, unsigned width)
{
    struct card *c = opaque;
    (void)width;
    return c->reg + offset;
}

static void card_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct card *c = opaque;
    (void)width;
    (void)offset;
    c->reg = (uint32_t)value;
}

static const struct io_ops card_ops = {.widths = 1 | 2 | 4, .read = card_read, .write = card_write};

static void card_moved(struct pci_device *d, uint64_t where)
{
    struct card *c = (struct card *)d;
    c->ram_at = where;
    c->moves++;
}

static void card_config_written(struct pci_device *d, unsigned reg, unsigned width)
{
    (void)width;
    ((struct card *)d)->written_reg = reg;
}

static const struct pci_id card_id = {.vendor = 0x1234,
                                      .device = 0x5678,
                                      .subsystem_vendor = 0x5853,
                                      .subsystem = 1,
                                      .class_code = 0x020000,
                                      .revision = 7,
                                      .interrupt_pin = 2};

static void card_init(struct card *c, uint8_t devfn)
{
    struct err err;
    memset(c, 0, sizeof(*c));
    c->ram_at = PCI_UNMAPPED;
    assert_true(pci_device_init(&c->pci, rig->pci, devfn, &card_id, &err));
    pci_add_bar(&c->pci, 0, PCI_BAR_PORT, 32, false, "card ports", &card_ops, c);
    pci_add_bar(&c->pci, 1, PCI_BAR_MEMORY, 0x1000, false, "card memory", &card_ops, c);
    pci_add_ram_bar(&c->pci, 2, 16 << 20, card_moved);
    for (unsigned i = 0; i < sizeof(c->rom); i++)
        c->rom[i] = (uint8_t)(i * 3);
    pci_add_rom(&c->pci, "card ROM", c->rom, sizeof(c->rom));
    c->pci.config_written = card_config_written;
    pci_device_realized(&c->pci);
}

static void absent_functions(void **state)
{
    (void)state;
    for (unsigned slot = 0; slot < 32; slot++)
        for (unsigned fn = 0; fn < 8; fn++) {
            assert_int_equal(rig_pci_read(rig, slot, fn, 0, 4), 0xFFFFFFFF);
            rig_pci_write(rig, slot, fn, 4, 4, 0xFFFFFFFF);
        }
}

static void header_and_write_masks(void **state)
{
    (void)state;
    struct card c, other;
    struct err err;
    card_init(&c, PCI_DEVFN(5, 0));
    assert_true(fake_claimed(rig->hv, 'c', PCI_DEVFN(5, 0), PCI_DEVFN(5, 0)));
    assert_false(pci_device_init(&other.pci, rig->pci, PCI_DEVFN(5, 0), &card_id, &err));
    assert_int_equal(rig_pci_read(rig, 5, 0, 0, 4), 0x56781234);
    assert_int_equal(rig_pci_read(rig, 5, 0, 8, 4), 0x02000007);
    assert_int_equal(rig_pci_read(rig, 5, 0, 0x2C, 4), 0x00015853);
    assert_int_equal(rig_pci_read(rig, 5, 0, 0x3D, 1), 2);
    for (unsigned reg = 0; reg < 256; reg += 4)
        rig_pci_write(rig, 5, 0, reg, 4, 0xFFFFFFFF);
    assert_int_equal(rig_pci_read(rig, 5, 0, 0, 4), 0x56781234);
    assert_int_equal(rig_pci_read(rig, 5, 0, 4, 2), 0x0547);
    assert_int_equal(rig_pci_read(rig, 5, 0, 8, 4), 0x02000007);
    assert_int_equal(rig_pci_read(rig, 5, 0, 0x3C, 4), 0x000002FF);
    assert_int_equal(rig_pci_read(rig, 5, 0, 0x40, 4), 0);
    /* Accesses that would leave the space. */
    assert_int_equal(bus_pci_read(rig->bus, PCI_DEVFN(5, 0), 254, 4), 0xFFFFFFFF);
    assert_int_equal(bus_pci_read(rig->bus, PCI_DEVFN(5, 0), 4096, 1), 0xFFFFFFFF);
    bus_pci_write(rig->bus, PCI_DEVFN(5, 0), 255, 2, 0);
    pci_device_reset(&c.pci);
    assert_int_equal(rig_pci_read(rig, 5, 0, 4, 2), 0);
    pci_device_destroy(&c.pci);
    assert_int_equal(rig_pci_read(rig, 5, 0, 0, 4), 0xFFFFFFFF);
}

/* A BAR of 64 bits: sized, above 4 GiB, below, and with an address that no CPU has. */
static void wide_bar(void **state)
{
    (void)state;
    struct card c;
    card_init(&c, PCI_DEVFN(5, 0));
    pci_add_bar(&c.pci, 3, PCI_BAR_MEMORY, 0x2000, false, "wide", &card_ops, &c);
    pci_bar_64(&c.pci, 3);
    pci_device_realized(&c.pci);
    rig_pci_write(rig, 5, 0, 4, 2, 2);
    rig_pci_write(rig, 5, 0, 0x1C, 4, 0xFFFFFFFF);
    assert_int_equal(rig_pci_read(rig, 5, 0, 0x1C, 4), 0xFFFFE004);
    rig_pci_write(rig, 5, 0, 0x20, 4, 0xFFFFFFFF);
    assert_int_equal(rig_pci_read(rig, 5, 0, 0x20, 4), 0xFFFFFFFF);
    for (unsigned i = 0; i < rig->hv->claim_count; i++)
        assert_int_equal(rig->hv->claims[i].kind, 'c');
    rig_pci_write(rig, 5, 0, 0x1C, 4, 0xF3000000);
    assert_false(fake_claimed(rig->hv, 'm', 0xF3000000, 0xF3001FFF));
    rig_pci_write(rig, 5, 0, 0x20, 4, 0x12);
    assert_true(fake_claimed(rig->hv, 'm', 0x12F3000000, 0x12F3001FFF));
    rig_pci_write(rig, 5, 0, 0x20, 4, 0);
    assert_true(fake_claimed(rig->hv, 'm', 0xF3000000, 0xF3001FFF));
    rig_pci_write(rig, 5, 0, 0x20, 4, 0x10000);
    assert_false(fake_claimed(rig->hv, 'm', 0xF3000000, 0xF3001FFF));
    rig_pci_write(rig, 5, 0, 0x20, 4, 1);
    rig_pci_write(rig, 5, 0, 0x1C, 4, 0);
    assert_true(fake_claimed(rig->hv, 'm', 0x100000000, 0x100001FFF));
    pci_device_reset(&c.pci);
    assert_int_equal(rig_pci_read(rig, 5, 0, 0x20, 4), 0);
    assert_false(fake_claimed(rig->hv, 'm', 0x100000000, 0x100001FFF));
    pci_device_destroy(&c.pci);
}

static void bars_size_move_and_go(void **state)
{
    (void)state;
    struct card c;
    card_init(&c, PCI_DEVFN(5, 0));
    /* Sizing: all ones, read back, with decoding on: nothing may get mapped at the top. */
    rig_pci_write(rig, 5, 0, 4, 2, 3);
    for (unsigned reg = 0x10; reg <= 0x30; reg += 4)
        rig_pci_write(rig, 5, 0, reg, 4, 0xFFFFFFFF);
    assert_int_equal(rig_pci_read(rig, 5, 0, 0x10, 4), 0xFFFFFFE1);
    assert_int_equal(rig_pci_read(rig, 5, 0, 0x14, 4), 0xFFFFF000);
    assert_int_equal(rig_pci_read(rig, 5, 0, 0x18, 4), 0xFF000008);
    assert_int_equal(rig_pci_read(rig, 5, 0, 0x1C, 4), 0);
    assert_int_equal(rig_pci_read(rig, 5, 0, 0x30, 4), 0xFFFFF001); /* 3000 bytes: 4 KiB */
    assert_true(c.ram_at == PCI_UNMAPPED);
    for (unsigned i = 0; i < rig->hv->claim_count; i++)
        assert_int_equal(rig->hv->claims[i].kind, 'c');

    rig_pci_write(rig, 5, 0, 4, 2, 0);
    rig_pci_write(rig, 5, 0, 0x10, 4, 0xC000);
    rig_pci_write(rig, 5, 0, 0x14, 4, 0xF3000000);
    rig_pci_write(rig, 5, 0, 0x18, 4, 0xF1000000);
    rig_pci_write(rig, 5, 0, 0x30, 4, 0xF2000000);
    assert_int_equal(rig_inl(rig, 0xC000), 0xFFFFFFFF);
    rig_pci_write(rig, 5, 0, 4, 2, 1);
    assert_true(fake_claimed(rig->hv, 'p', 0xC000, 0xC01F));
    c.reg = 0x1000;
    assert_int_equal(rig_inl(rig, 0xC004), 0x1004);
    assert_false(fake_claimed(rig->hv, 'm', 0xF3000000, 0xF3000FFF));
    rig_pci_write(rig, 5, 0, 4, 2, 3);
    assert_int_equal(rig_mem_read(rig, 0xF3000010, 4), 0x1010);
    assert_true(c.ram_at == 0xF1000000);
    assert_int_equal(c.moves, 1);
    /* The ROM answers once its own enable bit is set, and is zero behind its end. */
    assert_int_equal(rig_mem_read(rig, 0xF2000000, 4), 0xFFFFFFFF);
    rig_pci_write(rig, 5, 0, 0x30, 4, 0xF2000001);
    uint8_t rom[64];
    bus_mem_read_run(rig->bus, 0xF2000000, 4, rom, 16);
    assert_memory_equal(rom, c.rom, 64);
    assert_int_equal(rig_mem_read(rig, 0xF2000000 + 2998, 4), (c.rom[2999] << 8) | c.rom[2998]);
    bus_mem_read_run(rig->bus, 0xF2000000 + 2998, 1, rom, 4);
    assert_int_equal(rom[1], c.rom[2999]);
    assert_int_equal(rom[2], 0);
    rig_mem_write(rig, 0xF2000000, 4, 0x11223344);
    assert_int_equal(rig_mem_read(rig, 0xF2000000, 1), c.rom[0]);
    /* Moving while enabled; byte-wise, as some firmware does. */
    rig_pci_write(rig, 5, 0, 0x11, 1, 0xD0);
    assert_true(fake_claimed(rig->hv, 'p', 0xD000, 0xD01F));
    assert_false(fake_claimed(rig->hv, 'p', 0xC000, 0xC01F));
    rig_pci_write(rig, 5, 0, 0x18, 4, 0xE0000000);
    assert_true(c.ram_at == 0xE0000000);
    /* Where somebody else is already: the first keeps it, and the loser comes back when moved away.
     */
    struct card d;
    card_init(&d, PCI_DEVFN(6, 0));
    rig_pci_write(rig, 6, 0, 0x10, 4, 0xD010);
    rig_pci_write(rig, 6, 0, 4, 2, 1);
    d.reg = 0x2000;
    assert_int_equal(rig_inl(rig, 0xD000), 0x1000);
    rig_pci_write(rig, 6, 0, 0x10, 4, 0xE000);
    assert_int_equal(rig_inl(rig, 0xE000), 0x2000);
    rig_pci_write(rig, 6, 0, 0x10, 4, 0xFFFFFF00); /* ports past 64 KiB */
    assert_int_equal(rig_inl(rig, 0xFF00), 0xFFFFFFFF);
    rig_pci_write(rig, 5, 0, 4, 2, 0);
    assert_true(c.ram_at == PCI_UNMAPPED);
    pci_device_destroy(&c.pci);
    pci_device_destroy(&d.pci);
}

static void intx_follows_status_and_mask(void **state)
{
    (void)state;
    struct card c;
    card_init(&c, PCI_DEVFN(5, 0));
    pci_set_intx(&c.pci, true);
    assert_true(rig->hv->intx[5][1]); /* INTB */
    assert_int_equal(rig_pci_read(rig, 5, 0, 6, 2) & 8, 8);
    rig_pci_write(rig, 5, 0, 4, 2, 0x400);
    assert_false(rig->hv->intx[5][1]);
    assert_int_equal(rig_pci_read(rig, 5, 0, 6, 2) & 8, 8);
    rig_pci_write(rig, 5, 0, 4, 2, 0);
    assert_true(rig->hv->intx[5][1]);
    assert_int_equal(rig->hv->intx_raised[5][1], 2);
    pci_device_reset(&c.pci);
    assert_false(rig->hv->intx[5][1]);
    pci_device_destroy(&c.pci);
}

static void i440fx(void **state)
{
    (void)state;
    struct err err;
    assert_non_null(i440fx_realize(rig->pci, rig->bus, &rig->devices, &err));
    devices_reset(&rig->devices);
    assert_int_equal(rig_pci_read(rig, 0, 0, 0, 4), 0x12378086);
    assert_int_equal(rig_pci_read(rig, 0, 0, 8, 4), 0x06000002);
    rig_pci_write(rig, 0, 0, 0x58, 4, 0xFFFFFFFF);
    rig_pci_write(rig, 0, 0, 0x5C, 4, 0xFFFFFFFF);
    assert_int_equal(rig_pci_read(rig, 0, 0, 0x58, 4), 0x77777000);
    assert_int_equal(rig_pci_read(rig, 0, 0, 0x5C, 4), 0x77777777);

    /* How operating systems look for configuration mechanism 1. */
    rig_outb(rig, 0xCFB, 0x01);
    rig_outl(rig, 0xCF8, 0x80000000);
    assert_int_equal(rig_inl(rig, 0xCF8), 0x80000000);
    rig_outl(rig, 0xCF8, 0xFFFFFFFF);
    assert_int_equal(rig_inl(rig, 0xCF8), 0x80FFFFFC);
    rig_outl(rig, 0xCF8, 0);
    assert_int_equal(rig_inb(rig, 0xCF8), 0xFF); /* bytes are not the register's */
    rig_standard_tests(rig, rig->devices.first);
}

static void piix3_routes_and_resets(void **state)
{
    (void)state;
    struct err err;
    struct i440fx *bridge = i440fx_realize(rig->pci, rig->bus, &rig->devices, &err);
    assert_non_null(bridge);
    struct piix3 *p = piix3_realize(rig->pci, rig->hv, &rig->devices, count, &resets, &err);
    assert_non_null(p);
    i440fx_pass_on(bridge, 1, &piix3_reset_control_ops, p);
    devices_reset(&rig->devices);
    assert_int_equal(rig_pci_read(rig, 1, 0, 0, 4), 0x70008086);
    assert_int_equal(rig_pci_read(rig, 1, 0, 0x0E, 1), 0x80);
    assert_int_equal(rig_pci_read(rig, 1, 0, 0x60, 4), 0x80808080);
    rig_pci_write(rig, 1, 0, 0x60, 4, 0x050B0A0B);
    assert_int_equal(rig->hv->link_route[0], 11);
    assert_int_equal(rig->hv->link_route[1], 10);
    assert_int_equal(rig->hv->link_route[3], 5);
    rig_pci_write(rig, 1, 0, 0x61, 1, 0x8A); /* not routed */
    assert_int_equal(rig->hv->link_route[1], 0);
    rig_pci_write(rig, 1, 0, 0x62, 1, 0xFF);
    assert_int_equal(rig_pci_read(rig, 1, 0, 0x62, 1), 0x8F);

    rig_outb(rig, 0xCF9, 0x02);
    assert_int_equal(rig_inb(rig, 0xCF9), 0x02);
    assert_int_equal(resets, 0);
    rig_outb(rig, 0xCF9, 0x06);
    assert_int_equal(resets, 1);
    assert_int_equal(rig_inb(rig, 0xCF9), 0x02);
    rig_outb(rig, 0xCF9, 0xFB);
    assert_int_equal(resets, 1);
    rig_outl(rig, 0xCF8, 0x80000600); /* the address register is above it */
    assert_int_equal(resets, 1);
    rig_standard_tests(rig, rig->devices.last);
}

static struct piix4_pm *pm_new(void)
{
    struct err err;
    struct piix4_pm_config config = {.vcpus = 10, .serial = {true, false}};
    config.power_off = count;
    config.suspend = count;
    config.opaque = &power_offs;
    struct piix4_pm *pm = piix4_pm_realize(rig->pci, rig->bus, &rig->devices, &config, &err);
    assert_non_null(pm);
    rig_isa_irq(rig, piix4_pm_sci(pm), 9);
    devices_reset(&rig->devices);
    return pm;
}

static void pm_as_hvmloader_programs_it(void **state)
{
    (void)state;
    pm_new();
    assert_int_equal(rig_pci_read(rig, 1, 3, 0, 4), 0x71138086);
    assert_int_equal(rig_pci_read(rig, 1, 3, 8, 4), 0x06800003);
    assert_int_equal(rig_inw(rig, 0xB004), 0xFFFF);
    rig_pci_write(rig, 1, 3, 0x40, 4, 0xB001);
    assert_int_equal(rig_inw(rig, 0xB004), 0xFFFF); /* not enabled yet */
    rig_pci_write(rig, 1, 3, 0x80, 1, 0x01);
    assert_int_equal(rig_pci_read(rig, 1, 3, 0x40, 4), 0xB001);
    assert_int_equal(rig_inw(rig, 0xB004), 0x0001); /* SCI_EN */
    assert_true(
        fake_claimed(rig->hv, 'p', 0xB004, 0xB005)); /* no more than that: the rest is Xen's */
    rig_pci_write(rig, 1, 3, 0x40, 4, 0x1F40);
    assert_int_equal(rig_inw(rig, 0xB004), 0xFFFF);
    assert_int_equal(rig_inw(rig, 0x1F44), 0x0001);
    assert_int_equal(rig_inb(rig, 0xAF00), 0xFF);
    assert_int_equal(rig_inb(rig, 0xAF01), 0x03);
    assert_int_equal(rig_inb(rig, 0xAF1F), 0x00);
    rig_outb(rig, 0xAF00, 0);
    assert_int_equal(rig_inb(rig, 0xAF00), 0xFF);
}

static void pm_sleeps(void **state)
{
    (void)state;
    pm_new();
    rig_pci_write(rig, 1, 3, 0x40, 4, 0xB001);
    rig_pci_write(rig, 1, 3, 0x80, 1, 0x01);
    rig_outw(rig, 0xB004, 0x0001);
    assert_int_equal(power_offs, 0);
    rig_outw(rig, 0xB004, 0x3C01); /* type 7: none of ours */
    assert_int_equal(power_offs, 0);
    rig_outw(rig, 0xB004, 0x2001); /* S5 */
    assert_int_equal(power_offs, 1);
    assert_int_equal(rig_inw(rig, 0xB004), 0x0001); /* SLP_EN is write-only */
    rig_outb(rig, 0xB005, 0x20);                    /* the high byte alone */
    assert_int_equal(power_offs, 2);
    rig_outb(rig, 0xB004, 0x01);
    assert_int_equal(power_offs, 2);
    rig_outw(rig, 0xB004, 0x2400); /* S3 */
    assert_int_equal(power_offs, 3);
    rig_outw(rig, 0xB004, 0x3800); /* S4 */
    assert_int_equal(power_offs, 4);
}

static void pm_events(void **state)
{
    (void)state;
    struct piix4_pm *pm = pm_new();
    (void)pm;
    rig_outb(rig, 0xAFE2, 0x0C);
    rig_outb(rig, 0xAFE3, 0xFF);
    assert_int_equal(rig_inb(rig, 0xAFE2), 0x0C);
    assert_int_equal(rig_inw(rig, 0xAFE0), 0);
    rig_outw(rig, 0xAFE0, 0xFFFF); /* status bits cannot be set by writing */
    assert_int_equal(rig_inw(rig, 0xAFE0), 0);
    assert_false(rig->hv->isa[9]);
    rig_standard_tests(rig, rig->devices.first);
}

static void platform_withholds_the_magic(void **state)
{
    (void)state;
    struct err err;
    struct platform_config config = {.devfn = PCI_DEVFN(2, 0)};
    struct pci_device *d = platform_realize(rig->pci, rig->bus, &rig->devices, &config, &err);
    assert_non_null(d);
    devices_reset(&rig->devices);
    assert_int_equal(rig_pci_read(rig, 2, 0, 0, 4), 0x00015853);
    assert_int_equal(rig_inw(rig, 0x10), 0xFFFF);
    rig_outw(rig, 0x10, 0x0003); /* no effect */
    rig_outb(rig, 0x10, 0xFF);
    assert_int_equal(rig_inb(rig, 0x10), 1);
    for (unsigned i = 0; i < 10000;
         i++) /* a log line without an end, and more of them than anybody wants */
        rig_outb(rig, 0x12, i % 300 ? 'x' : '\n');
    rig_pci_write(rig, 2, 0, 0x10, 4, 0xC100);
    rig_pci_write(rig, 2, 0, 0x14, 4, 0xF3000000);
    rig_pci_write(rig, 2, 0, 4, 2, 3);
    assert_int_equal(rig_inb(rig, 0xC100), 1);
    rig_outb(rig, 0xC104, 1);
    assert_int_equal(rig_mem_read(rig, 0xF3ABCDE0, 4), 0xFFFFFFFF);
    rig_mem_write(rig, 0xF3ABCDE0, 4, 0);
    assert_true(fake_claimed(rig->hv, 'm', 0xF3000000, 0xF3FFFFFF));
    rig_standard_tests(rig, &d->device);
}

static void platform_unplugs(void **state)
{
    (void)state;
    struct err err;
    struct platform_config config = {.devfn = PCI_DEVFN(2, 0), .unplug = record_unplug};
    assert_non_null(platform_realize(rig->pci, rig->bus, &rig->devices, &config, &err));
    devices_reset(&rig->devices);
    assert_int_equal(rig_inw(rig, 0x10), 0x49D2);
    assert_int_equal(rig_inb(rig, 0x12), 1);
    rig_outw(rig, 0x12, 3);                       /* product */
    rig_outl(rig, 0x10, 0xFFFF);                  /* build */
    assert_int_equal(rig_inw(rig, 0x10), 0x49D2); /* not blacklisted */
    rig_outw(rig, 0x10, 0x0007);
    assert_int_equal(unplugged, 7);
    rig_pci_write(rig, 2, 0, 0x10, 4, 0xC100);
    rig_outb(rig, 0xC108, 2);
    assert_int_equal(unplugged, PLATFORM_UNPLUG_NICS);
    rig_outb(rig, 0xC104, 1);
    assert_int_equal(unplugged, PLATFORM_UNPLUG_DISKS | PLATFORM_UNPLUG_NICS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(absent_functions, setup, teardown),
        cmocka_unit_test_setup_teardown(header_and_write_masks, setup, teardown),
        cmocka_unit_test_setup_teardown(wide_bar, setup, teardown),
        cmocka_unit_test_setup_teardown(bars_size_move_and_go, setup, teardown),
        cmocka_unit_test_setup_teardown(intx_follows_status_and_mask, setup, teardown),
        cmocka_unit_test_setup_teardown(i440fx, setup, teardown),
        cmocka_unit_test_setup_teardown(piix3_routes_and_resets, setup, teardown),
        cmocka_unit_test_setup_teardown(pm_as_hvmloader_programs_it, setup, teardown),
        cmocka_unit_test_setup_teardown(pm_sleeps, setup, teardown),
        cmocka_unit_test_setup_teardown(pm_events, setup, teardown),
        cmocka_unit_test_setup_teardown(platform_withholds_the_magic, setup, teardown),
        cmocka_unit_test_setup_teardown(platform_unplugs, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
