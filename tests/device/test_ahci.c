/* SPDX-License-Identifier: GPL-2.0-or-later */
/* AHCI: PCI function, registers, resets, commands that are not queued, packets, errors, state. */
#include "tests/device/ahci_rig.h"

/* --- The PCI function --- */

static void test_pci(void **state)
{
    struct ahci_rig *t = *state;
    struct rig *r = t->rig;
    assert_int_equal(rig_pci_read(r, SLOT, 0, 0x00, 4), 0x29228086);
    assert_int_equal(rig_pci_read(r, SLOT, 0, 0x08, 4), 0x01060102);
    assert_int_equal(rig_pci_read(r, SLOT, 0, 0x2C, 4), 0x00015853);
    assert_int_equal(rig_pci_read(r, SLOT, 0, 0x06, 2), 0x0010);
    assert_int_equal(rig_pci_read(r, SLOT, 0, 0x3D, 1), 1);
    /* The capabilities: MSI with a 64-bit address, SATA with the index-data pair at 10h of BAR 4.
     */
    assert_int_equal(rig_pci_read(r, SLOT, 0, 0x34, 1), 0x80);
    assert_int_equal(rig_pci_read(r, SLOT, 0, 0x80, 4), 0x0080A805);
    assert_int_equal(rig_pci_read(r, SLOT, 0, 0x90, 1), 0x40);
    assert_int_equal(rig_pci_read(r, SLOT, 0, 0xA8, 4), 0x00100012);
    assert_int_equal(rig_pci_read(r, SLOT, 0, 0xAC, 4), 0x00000048);
    rig_pci_write(r, SLOT, 0, 0x24, 4, 0xFFFFFFFF);
    assert_int_equal(rig_pci_read(r, SLOT, 0, 0x24, 4), 0xFFFFF000);
    rig_pci_write(r, SLOT, 0, 0x20, 4, 0xFFFFFFFF);
    assert_int_equal(rig_pci_read(r, SLOT, 0, 0x20, 4), 0xFFFFFFE1);
    for (unsigned reg = 0x10; reg < 0x20; reg += 4) {
        rig_pci_write(r, SLOT, 0, reg, 4, 0xFFFFFFFF);
        assert_int_equal(rig_pci_read(r, SLOT, 0, reg, 4), 0);
    }
    rig_pci_write(r, SLOT, 0, 0x24, 4, 0xE0000000);
    rig_pci_write(r, SLOT, 0, 0x20, 4, 0xD000);
    assert_true(fake_claimed(r->hv, 'm', 0xE0000000, 0xE0000FFF));
    assert_true(fake_claimed(r->hv, 'p', 0xD000, 0xD01F));
}

static void test_realize_errors(void **state)
{
    struct rig *r = rig_new();
    struct err err;
    struct ahci_config config = {.devfn = PCI_DEVFN(SLOT, 0)};
    struct block *disk = fake_block_new("disk", DISK_SIZE);
    (void)state;
    config.drive[3].present = true;
    assert_null(ahci_realize(r->pci, r->dma, &r->clock, &r->devices, &config, &err));
    assert_non_null(strstr(err.text, "AHCI port 3"));
    config.drive[3].block = disk;
    config.drive[3].serial = "123456789012345678901";
    assert_null(ahci_realize(r->pci, r->dma, &r->clock, &r->devices, &config, &err));
    assert_non_null(strstr(err.text, "serial"));
    config.drive[3].serial = "mine";
    assert_non_null(ahci_realize(r->pci, r->dma, &r->clock, &r->devices, &config, &err));
    assert_null(ahci_realize(r->pci, r->dma, &r->clock, &r->devices, &config, &err));
    assert_non_null(strstr(err.text, "taken"));
    rig_free(r);
    fake_block_free(disk);
}

static void test_registers(void **state)
{
    struct ahci_rig *t = *state;
    assert_int_equal(get(t, CAP), 0xC0241F05);
    assert_int_equal(get(t, GHC), 0x80000000);
    assert_int_equal(get(t, PI), 0x3F);
    assert_int_equal(get(t, VS), 0x00010301);
    for (unsigned reg = 0x14; reg < 0x100; reg += 4) {
        set(t, reg, 0xFFFFFFFF);
        assert_int_equal(get(t, reg), 0);
    }
    set(t, CAP, 0);
    set(t, PI, 0);
    assert_int_equal(get(t, CAP), 0xC0241F05);
    set(t, GHC, 0x2);
    assert_int_equal(get(t, GHC), 0x80000002);
    for (unsigned p = 0; p < AHCI_PORTS; p++) {
        bool there = p < 3 || p == 4;
        pset(t, p, CLB, 0xFFFFFFFF);
        pset(t, p, CLBU, 0x12345678);
        pset(t, p, FB, 0xFFFFFFFF);
        pset(t, p, FBU, 0x9ABCDEF0);
        pset(t, p, PIE, 0xFFFFFFFF);
        assert_int_equal(pget(t, p, CLB), 0xFFFFFC00);
        assert_int_equal(pget(t, p, CLBU), 0x12345678);
        assert_int_equal(pget(t, p, FB), 0xFFFFFF00);
        assert_int_equal(pget(t, p, FBU), 0x9ABCDEF0);
        assert_int_equal(pget(t, p, PIE), 0xFDC000FF);
        assert_int_equal(pget(t, p, CMD), 6);
        assert_int_equal(pget(t, p, SSTS), there ? 0x123 : 0);
        assert_int_equal(pget(t, p, SERR), there ? 0x04000000 : 0);
        assert_int_equal(pget(t, p, PIS), there ? PCS : 0);
        /* Not known before FIS receive is enabled. */
        assert_int_equal(pget(t, p, TFD), there ? 0x80 : 0x7F);
        assert_int_equal(pget(t, p, SIG), 0xFFFFFFFF);
        for (unsigned reg = 0x1C; reg < 0x80; reg += reg == 0x1C ? 0x20 : 4) {
            if (reg == 0x1C || reg >= 0x3C) {
                pset(t, p, reg, 0xFFFFFFFF);
                assert_int_equal(pget(t, p, reg), 0);
            }
        }
        pset(t, p, CI, 1); /* not while the engine is off */
        pset(t, p, SACT, 1);
        assert_int_equal(pget(t, p, CI) | pget(t, p, SACT), 0);
    }
    /* Beyond the ports there is nothing; narrow writes are not taken, narrow and wide reads are. */
    pset(t, 6, CLB, 0xFFFFFFFF);
    assert_int_equal(pget(t, 6, CLB), 0);
    assert_int_equal(rig_mem_read(t->rig, ABAR + 1, 1), 0x1F);
    assert_int_equal(rig_mem_read(t->rig, ABAR, 8), 0x80000002C0241F05);
    rig_mem_write(t->rig, ABAR + 0x114, 1, 0);
    assert_int_equal(pget(t, 0, PIE), 0xFDC000FF);
    /* The same registers by index and data. */
    rig_outl(t->rig, PAIR + 0x10, 0x114);
    assert_int_equal(rig_inl(t->rig, PAIR + 0x10), 0x114);
    assert_int_equal(rig_inl(t->rig, PAIR + 0x14), 0xFDC000FF);
    rig_outl(t->rig, PAIR + 0x14, 0x7F);
    assert_int_equal(pget(t, 0, PIE), 0x7F);
    rig_outl(t->rig, PAIR + 0x10, 0xFFFFFFFF);
    assert_int_equal(rig_inl(t->rig, PAIR + 0x10), 0xFFC);
    assert_int_equal(rig_inl(t->rig, PAIR + 0x14), 0);
    assert_int_equal(rig_inl(t->rig, PAIR), 0);
}

/* --- Resets and link --- */

static void test_signatures(void **state)
{
    struct ahci_rig *t = *state;
    for (unsigned p = 0; p < 5; p++) {
        if (p == 3)
            continue;
        memset(ram(t, fis_at(p)), 0xEE, 256);
        port_up(t, p);
        assert_int_equal(pget(t, p, SIG), p < 2 ? 0x00000101 : 0xEB140101);
        assert_int_equal(pget(t, p, TFD), p < 2 ? 0x150 : 0x100);
        assert_int_equal(pget(t, p, CMD) & (ST | CR | FRE | FR), ST | CR | FRE | FR);
        const uint8_t *f = ram(t, fis_at(p) + 0x40);
        assert_int_equal(f[0], 0x34);
        assert_int_equal(f[1], 0); /* without an interrupt */
        assert_int_equal(f[12], 1);
        assert_int_equal(f[5], p < 2 ? 0 : 0x14);
        assert_int_equal(f[20], 0xEE);
        assert_int_equal(pget(t, p, PIS), 0);
    }
    /* An empty port: no link, and no command is ever taken. */
    pset(t, 3, CLB, list_at(3));
    pset(t, 3, FB, fis_at(3));
    pset(t, 3, CMD, FRE);
    pset(t, 3, SCTL, 1);
    pset(t, 3, SCTL, 0);
    assert_int_equal(pget(t, 3, SSTS), 0);
    assert_int_equal(pget(t, 3, SERR), 0);
    assert_int_equal(pget(t, 3, TFD), 0x7F);
    pset(t, 3, CMD, FRE | ST);
    issue(t, 3, 0, &(struct task){.opcode = 0xEC}, DATA, 512, 0);
    assert_int_equal(pget(t, 3, CI), 1);
    /* Offline, and back; limited to 1.5 Gb/s. */
    pset(t, 0, SCTL, 4);
    assert_int_equal(pget(t, 0, SSTS), 4);
    assert_int_equal(pget(t, 0, TFD), 0x7F);
    pset(t, 0, SCTL, 0);
    assert_int_equal(pget(t, 0, SSTS), 0x123);
    assert_int_equal(pget(t, 0, SIG), 0x00000101);
    pset(t, 0, SCTL, 0x311);
    pset(t, 0, SCTL, 0x310);
    assert_int_equal(pget(t, 0, SSTS), 0x113);
}

/* Device control FISes, as Linux' softreset sends them. */
static void soft_reset(struct ahci_rig *t, unsigned port)
{
    for (unsigned i = 0; i < 2; i++) {
        put_fis(t, port, 0, &(struct task){0});
        ram(t, table_at(port, 0))[1] = 0;
        ram(t, table_at(port, 0))[15] = i ? 0 : 4;
        put_header(t, port, 0, i ? 0 : HDR_RESET | HDR_CLEAR_BUSY, 0);
        pset(t, port, CI, 1);
        assert_int_equal(pget(t, port, CI), 0);
        if (!i)
            assert_int_equal(pget(t, port, TFD) & 0x80, 0x80);
    }
}

static void test_soft_reset(void **state)
{
    struct ahci_rig *t = *state;
    for (unsigned port = 0; port < 4; port += 2) {
        port_up(t, port);
        soft_reset(t, port);
        assert_int_equal(pget(t, port, SIG), port ? 0xEB140101 : 0x00000101);
        assert_int_equal(pget(t, port, TFD), port ? 0x100 : 0x150);
        assert_int_equal(pget(t, port, PIS), 0);
    }
    /* With a read under way: over when that is. */
    issue(t, 0, 0, &(struct task){.opcode = 0x25, .count = 8, .lba = 100}, DATA, 4096, 0);
    assert_int_equal(t->block[0]->pending, 1);
    pset(t, 0, CMD, FRE); /* as drivers do before */
    assert_int_equal(pget(t, 0, CMD) & CR, CR);
    assert_int_equal(pget(t, 0, TFD) & 0x80, 0x80);
    pset(t, 0, CMD, FRE | ST);
    put_fis(t, 0, 0, &(struct task){0});
    ram(t, table_at(0, 0))[1] = 0;
    ram(t, table_at(0, 0))[15] = 4;
    put_header(t, 0, 0, HDR_RESET | HDR_CLEAR_BUSY, 0);
    pset(t, 0, CI, 1);
    assert_int_equal(pget(t, 0, CI), 1);
    run(t);
    assert_int_equal(pget(t, 0, CI), 0);
    soft_reset(t, 0);
    assert_int_equal(pget(t, 0, TFD), 0x150);
    assert_alive(t);
}

static void test_hba_reset(void **state)
{
    struct ahci_rig *t = *state;
    port_up(t, 0);
    port_up(t, 1);
    issue(t, 0, 0, &(struct task){.opcode = 0x35, .count = 8, .lba = 100}, DATA, 4096, HDR_WRITE);
    queue(t, 1, 5, false, 7, 8, DATA + 0x1000);
    set(t, GHC, 0x80000003);
    /* Not over before what is under way has ended; deaf until then. */
    assert_int_equal(get(t, GHC), 0x80000001);
    pset(t, 2, CLB, 0x4000);
    assert_int_equal(pget(t, 2, CLB), 0);
    fake_block_run(t->block[0]);
    assert_int_equal(get(t, GHC), 0x80000001);
    fake_block_run(t->block[1]);
    assert_int_equal(get(t, GHC), 0x80000000);
    assert_int_equal(get(t, IS), 0);
    for (unsigned p = 0; p < 2; p++) {
        assert_int_equal(pget(t, p, CMD), 6);
        assert_int_equal(pget(t, p, PIE) | pget(t, p, CI) | pget(t, p, SACT), 0);
        assert_int_equal(pget(t, p, CLB), list_at(p)); /* 10.4.3: these stay */
        assert_int_equal(pget(t, p, SSTS), 0x123);
        assert_int_equal(pget(t, p, SERR), 0x04000000);
        assert_int_equal(pget(t, p, SIG), 0xFFFFFFFF);
    }
    port_up(t, 0);
    assert_alive(t);
}

/* --- Commands --- */

static void test_identify(void **state)
{
    struct ahci_rig *t = *state;
    uint16_t id[256];
    uint8_t sum = 0;
    port_up(t, 0);
    port_up(t, 1);
    port_up(t, 2);
    identify(t, 0, 0xEC, id);
    for (unsigned i = 0; i < 512; i++)
        sum = (uint8_t)(sum + ((uint8_t *)id)[i]);
    assert_int_equal(sum, 0);
    assert_memory_equal(&id[10], "MQ0000 5", 8); /* QM00005: two units a port, after the PIIX3's */
    assert_int_equal(id[75], 31);
    assert_int_equal(id[76], 0x0106);
    assert_int_equal(id[80], 0x01F0);
    assert_int_equal(id[84], 0x4063);
    assert_int_equal(id[93], 0);
    assert_int_equal(id[100] | id[101] << 16, DISK_SIZE / 512);
    assert_int_equal(id[169], 1);
    identify(t, 1, 0xEC, id);
    assert_memory_equal(&id[10], "MQ0000 7", 8);
    identify(t, 2, 0xA1, id);
    assert_int_equal(id[0], 0x85C0);
    assert_int_equal(id[75], 0);
    assert_int_equal(id[76], 0x0006);
    assert_memory_equal(&id[10], "MQ0000 9", 8);
    /* The PIO setup FIS that came with it. */
    const uint8_t *f = ram(t, fis_at(2) + 0x20);
    assert_int_equal(f[0], 0x5F);
    assert_int_equal(f[1], 0x60);
    assert_int_equal(f[2], 0x58);
    assert_int_equal(f[15], 0x50);
    assert_int_equal(f[16] | f[17] << 8, 512);
    /* To the wrong kind of device: aborted, with its signature. */
    issue(t, 2, 1, &(struct task){.opcode = 0xEC}, DATA, 512, 0);
    assert_int_equal(pget(t, 2, TFD), 0x451);
    assert_int_equal(pget(t, 2, PIS), DHRS | TFES);
    assert_int_equal(pget(t, 2, CI), 2);
    assert_int_equal(pget(t, 2, CMD) >> 8 & 31, 1);
    f = ram(t, fis_at(2) + 0x40);
    assert_int_equal(f[1], 0x40);
    assert_int_equal(f[5] | f[6] << 8, 0xEB14);
}

/* READ and WRITE, DMA and PIO, 28 and 48 bits, in one region and in many. */
static void test_sectors(void **state)
{
    static const struct {
        uint8_t opcode;
        bool write, pio;
        unsigned count, regions;
    } cases[] = {
        {0xC8, false, false, 1, 1},    {0xC8, false, false, 256, 7}, {0x25, false, false, 3000, 3},
        {0x25, false, false, 64, 200}, {0xCA, true, false, 9, 1},    {0x35, true, false, 3000, 5},
        {0x3D, true, false, 3, 2},     {0x20, false, true, 1, 1},    {0x24, false, true, 600, 3},
        {0xC4, false, true, 40, 2},    {0x30, true, true, 5, 1},     {0x34, true, true, 600, 9},
        {0x39, true, true, 33, 1},     {0x29, false, true, 700, 50},
    };
    struct ahci_rig *t = *state;
    uint8_t *got = malloc(3000 * 512);
    assert_non_null(got);
    port_up(t, 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint32_t bytes = cases[i].count * 512, at = 0;
        unsigned slot = (unsigned)i % 32, n = cases[i].regions;
        uint64_t lba = 4000;
        for (uint32_t k = 0; k < bytes; k++)
            *ram(t, DATA + k) = (uint8_t)(pattern(k) + i * 16);
        for (unsigned k = 0; k < n; k++) {
            uint32_t size = k == n - 1 ? bytes - at : bytes / n & ~1u;
            put_prd(t, 0, slot, k, DATA + at, size);
            at += size;
        }
        put_fis(t, 0, slot,
                &(struct task){
                    .opcode = cases[i].opcode, .count = (uint16_t)cases[i].count, .lba = lba});
        put_header(t, 0, slot, cases[i].write ? HDR_WRITE : 0, (uint16_t)n);
        pset(t, 0, CI, 1u << slot);
        assert_int_equal(pget(t, 0, CI), 1u << slot);
        assert_int_equal(pget(t, 0, TFD) & 0x80, 0x80);
        run(t);
        assert_true(irq(t));
        assert_int_equal(pget(t, 0, CI), 0);
        assert_int_equal(pget(t, 0, TFD), 0x50);
        assert_int_equal(acknowledge(t, 0), !cases[i].pio                                     ? DHRS
                                            : !cases[i].write                                 ? PSS
                                            : cases[i].count <= 16 && cases[i].opcode == 0x39 ? DHRS
                                            : cases[i].count > 1 ? DHRS | PSS
                                                                 : DHRS);
        assert_false(irq(t));
        assert_int_equal(prd_count(t, 0, slot), bytes);
        fake_block_get(t->block[0], lba * 512, got, bytes);
        assert_memory_equal(got, ram(t, DATA), bytes);
        if (!cases[i].write)
            continue;
        const uint8_t *f = ram(t, fis_at(0) + 0x40);
        uint32_t last = (uint32_t)lba + cases[i].count - 1;
        assert_int_equal(f[4] | f[5] << 8 | f[6] << 16, last);
        fill_pattern(t->block[0], 0, 4 << 20);
    }
    free(got);
    assert_int_equal(t->rig->hv->maps, 0);
}

/* Slots are served in turn, one at a time, and one interrupt may tell of several. */
static void test_slots(void **state)
{
    struct ahci_rig *t = *state;
    port_up(t, 0);
    for (unsigned slot = 0; slot < 32; slot++) {
        put_fis(t, 0, slot, &(struct task){.opcode = 0xC8, .count = 1, .lba = 100 + slot});
        put_prd(t, 0, slot, 0, DATA + 512 * slot, 512);
        put_header(t, 0, slot, 0, 1);
    }
    pset(t, 0, CI, 0xFFFFFFFF);
    for (unsigned slot = 0; slot < 32; slot++) {
        assert_int_equal(t->block[0]->pending, 1);
        assert_int_equal(t->block[0]->first->offset, (100 + slot) * 512);
        assert_int_equal(pget(t, 0, CMD) >> 8 & 31, slot);
        assert_int_equal(pget(t, 0, CI), 0xFFFFFFFF << slot);
        fake_block_step(t->block[0]);
    }
    assert_int_equal(pget(t, 0, CI), 0);
    assert_pattern(ram(t, DATA), 100 * 512, 32 * 512);
    assert_int_equal(acknowledge(t, 0), DHRS);
    assert_false(irq(t));
    /* In turn: behind the last one first. */
    pset(t, 0, CI, 0x00000400);
    run(t);
    pset(t, 0, CI, 0x00000401);
    assert_int_equal(pget(t, 0, CMD) >> 8 & 31, 0);
    run(t);
}

static void test_interrupts(void **state)
{
    struct ahci_rig *t = *state;
    unsigned before;
    port_up(t, 0);
    port_up(t, 1);
    /* Enabled in the port, in GHC; latched in IS until it is cleared there, port first. */
    set(t, GHC, 0);
    issue(t, 0, 0, &(struct task){.opcode = 0xE5}, 0, 0, 0);
    assert_int_equal(get(t, IS), 1);
    assert_false(irq(t));
    set(t, GHC, 2);
    assert_true(irq(t));
    set(t, IS, 1);
    assert_true(irq(t)); /* still pending in the port */
    pset(t, 0, PIS, DHRS);
    assert_true(irq(t));
    assert_int_equal(get(t, IS), 1);
    set(t, IS, 1);
    assert_false(irq(t));
    pset(t, 0, PIE, 0);
    issue(t, 0, 0, &(struct task){.opcode = 0xE5}, 0, 0, 0);
    assert_int_equal(pget(t, 0, PIS), DHRS);
    assert_int_equal(get(t, IS), 0);
    pset(t, 0, PIE, DHRS);
    assert_true(irq(t));
    acknowledge(t, 0);
    /* A descriptor that asks for one. */
    put_fis(t, 0, 0, &(struct task){.opcode = 0xC8, .count = 1});
    put_prd(t, 0, 0, 0, DATA, 0x80000000 | 512);
    put_header(t, 0, 0, 0, 1);
    pset(t, 0, CI, 1);
    run(t);
    assert_int_equal(acknowledge(t, 0), DHRS | DPS);
    /* MSI: a message for each rise, the line stays low. */
    rig_pci_write(t->rig, SLOT, 0, 0x84, 4, 0xFEE01004);
    rig_pci_write(t->rig, SLOT, 0, 0x88, 4, 0);
    rig_pci_write(t->rig, SLOT, 0, 0x8C, 2, 0x4123);
    rig_pci_write(t->rig, SLOT, 0, 0x82, 2, 1);
    before = t->rig->hv->msi_count;
    issue(t, 0, 0, &(struct task){.opcode = 0xE5}, 0, 0, 0);
    assert_int_equal(t->rig->hv->msi_count - before, 1);
    assert_int_equal(t->rig->hv->msi_addr, 0xFEE01004);
    assert_int_equal(t->rig->hv->msi_data, 0x4123);
    assert_false(irq(t));
    issue(t, 0, 0, &(struct task){.opcode = 0xE5}, 0, 0, 0);
    assert_int_equal(t->rig->hv->msi_count - before, 1); /* still pending: nothing new */
    pset(t, 0, PIS, DHRS);
    issue(t, 0, 0, &(struct task){.opcode = 0xE5}, 0, 0, 0);
    assert_int_equal(t->rig->hv->msi_count - before, 1);
    set(t, IS, 1); /* between the two clears another one came: told anew */
    assert_int_equal(t->rig->hv->msi_count - before, 2);
    acknowledge(t, 0);
    issue(t, 1, 0, &(struct task){.opcode = 0xE5}, 0, 0, 0);
    issue(t, 0, 0, &(struct task){.opcode = 0xE5}, 0, 0, 0);
    assert_int_equal(t->rig->hv->msi_count - before, 4); /* another port is another message */
    /* Switched off with one pending: the line takes over. */
    rig_pci_write(t->rig, SLOT, 0, 0x82, 2, 0);
    assert_true(irq(t));
    acknowledge(t, 0);
    acknowledge(t, 1);
    assert_false(irq(t));
}

static void test_other_commands(void **state)
{
    struct ahci_rig *t = *state;
    port_up(t, 0);
    static const struct {
        uint8_t opcode;
        uint16_t feature, count;
    } good[] = {{0xE7, 0, 0}, {0xEA, 0, 0}, {0xEF, 3, 0x45}, {0xEF, 0x82, 0}, {0xEF, 2, 0},
                {0xE5, 0, 0}, {0xE0, 0, 0}, {0xE1, 0, 0},    {0x90, 0, 0},    {0x27, 0, 0},
                {0x10, 0, 0}, {0x42, 0, 8}, {0xC6, 0, 8}};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        issue(t, 0, 7,
              &(struct task){
                  .opcode = good[i].opcode, .feature = good[i].feature, .count = good[i].count},
              0, 0, 0);
        run(t);
        assert_int_equal(pget(t, 0, CI), 0);
        assert_int_equal(pget(t, 0, TFD) & 0xFF, 0x50);
        assert_int_equal(acknowledge(t, 0), DHRS);
    }
    /* TRIM, in a table of two regions. */
    put_fis(t, 0, 0, &(struct task){.opcode = 0x06, .feature = 1, .count = 1});
    put_prd(t, 0, 0, 0, DATA, 100);
    put_prd(t, 0, 0, 1, DATA + 0x1000, 412);
    put_header(t, 0, 0, HDR_WRITE, 2);
    memset(ram(t, DATA), 0, 0x2000);
    rig_mem_write(t->rig, DATA, 8, 64 | 8ull << 48);
    pset(t, 0, CI, 1);
    run(t);
    assert_int_equal(acknowledge(t, 0), DHRS);
    assert_int_equal(fake_block_count(t->block[0], BLOCK_DISCARD), 1);
    /* SMART's data; a sleeping disk takes nothing before a reset. */
    issue(t, 0, 0, &(struct task){.opcode = 0xB0, .feature = 0xD0, .count = 1, .lba = 0xC24F00},
          DATA, 512, 0);
    assert_int_equal(acknowledge(t, 0), PSS);
    issue(t, 0, 0, &(struct task){.opcode = 0xE6}, 0, 0, 0);
    run(t);
    assert_int_equal(acknowledge(t, 0), DHRS);
    issue(t, 0, 0, &(struct task){.opcode = 0xEC}, DATA, 512, 0);
    assert_int_equal(pget(t, 0, CI), 1);
    assert_int_equal(pget(t, 0, TFD) & 0x80, 0x80);
    assert_int_equal(pget(t, 0, PIS), 0);
    pset(t, 0, CMD, FRE);
    assert_int_equal(pget(t, 0, CMD) & CR, 0);
    port_up(t, 0);
    assert_alive(t);
}

/* Every opcode on every kind of device ends, and leaves the port working. */
static void test_all_opcodes(void **state)
{
    struct ahci_rig *t = *state;
    for (unsigned port = 0; port < 5; port += 2) {
        port_up(t, port);
        for (unsigned op = 0; op < 256; op++) {
            for (unsigned variant = 0; variant < 4; variant++) {
                issue(t, port, op % 32,
                      &(struct task){.opcode = (uint8_t)op,
                                     .feature = (uint16_t)variant,
                                     .count = variant == 3 ? 0 : (uint16_t)(op % 32 << 3),
                                     .lba = variant},
                      DATA, variant & 1 ? 512 : 0x20000, variant == 2 ? HDR_ATAPI : 0);
                for (unsigned i = 0; i < 3; i++)
                    run(t);
                if (pget(t, port, PIS) & (TFES | HBFS | IFS) || op == 0xE6 || op == 0x99) {
                    pset(t, port, CMD, FRE);
                    port_up(t, port);
                } else {
                    assert_int_equal(pget(t, port, CI) | pget(t, port, SACT), 0);
                    acknowledge(t, port);
                }
                assert_int_equal(pget(t, port, TFD) & 0x88, 0);
                uint16_t id[256];
                identify(t, port, port ? 0xA1 : 0xEC, id);
            }
        }
    }
    assert_int_equal(t->rig->hv->maps, 0);
}

/* --- Packets --- */

static void packet(struct ahci_rig *t, unsigned port, const uint8_t cdb[12], bool dma,
                   uint32_t bytes)
{
    put_fis(t, port, 0,
            &(struct task){.opcode = 0xA0, .feature = dma, .lba = dma ? 0 : 0x080000ull});
    memcpy(ram(t, table_at(port, 0) + 0x40), cdb, 12);
    if (bytes)
        put_prd(t, port, 0, 0, DATA, bytes);
    put_header(t, port, 0, HDR_ATAPI, bytes ? 1 : 0);
    pset(t, port, CI, 1);
    run(t);
}

#define CDB(...)        \
    (const uint8_t[12]) \
    {                   \
        __VA_ARGS__     \
    }

static void test_packets(void **state)
{
    struct ahci_rig *t = *state;
    port_up(t, 2);
    port_up(t, 4);
    for (unsigned dma = 0; dma < 2; dma++) {
        packet(t, 2, CDB(0x12, 0, 0, 0, 36), dma, 36);
        assert_int_equal(pget(t, 2, CI), 0);
        assert_int_equal(acknowledge(t, 2), dma ? DHRS : DHRS | PSS);
        assert_int_equal(prd_count(t, 2, 0), 36);
        assert_memory_equal(ram(t, DATA + 8), "QEMU", 4);
        /* READ(10): 40 blocks from 50, and the reason at the end. */
        memset(ram(t, DATA), 0, 40 * 2048);
        packet(t, 2, CDB(0x28, 0, 0, 0, 0, 50, 0, 0, 40), dma, 40 * 2048);
        assert_int_equal(acknowledge(t, 2), dma ? DHRS : DHRS | PSS);
        assert_pattern(ram(t, DATA), 50 * 2048, 40 * 2048);
        assert_int_equal(prd_count(t, 2, 0), 40 * 2048);
        assert_int_equal(ram(t, fis_at(2) + 0x40)[12], 3);
        /* Raw sectors. */
        packet(t, 2, CDB(0xBE, 0, 0, 0, 0, 50, 0, 0, 3, 0xF8), dma, 3 * 2352);
        assert_int_equal(acknowledge(t, 2), dma ? DHRS : DHRS | PSS);
        assert_pattern(ram(t, DATA + 16), 50 * 2048, 2048);
        assert_int_equal(prd_count(t, 2, 0), 3 * 2352);
        /* CHECK CONDITION, then the sense data. */
        packet(t, 4, CDB(0x00), dma, 0);
        assert_int_equal(pget(t, 4, TFD), 0x2051);
        assert_int_equal(acknowledge(t, 4), DHRS | TFES);
        restart(t, 4);
        packet(t, 4, CDB(0x03, 0, 0, 0, 18), dma, 18);
        assert_int_equal(*ram(t, DATA + 2), 2);
        acknowledge(t, 4);
    }
    /* Without the ATAPI bit the packet comes from the table's regions. */
    put_fis(t, 2, 0, &(struct task){.opcode = 0xA0, .lba = 0x080000});
    put_prd(t, 2, 0, 0, DATA, 12);
    put_header(t, 2, 0, HDR_WRITE, 1);
    memset(ram(t, DATA), 0, 12);
    pset(t, 2, CI, 1);
    assert_int_equal(acknowledge(t, 2), DHRS);
    /* MODE SELECT takes its list; DEVICE RESET; more data than regions: the rest is lost. */
    memset(ram(t, DATA), 0, 16);
    memcpy(ram(t, DATA + 8), "\x01\x06\x00\x09", 4);
    put_fis(t, 2, 0, &(struct task){.opcode = 0xA0, .lba = 0x080000});
    memcpy(ram(t, table_at(2, 0) + 0x40), CDB(0x55, 0x10, 0, 0, 0, 0, 0, 0, 16), 12);
    put_prd(t, 2, 0, 0, DATA, 16);
    put_header(t, 2, 0, HDR_ATAPI | HDR_WRITE, 1);
    pset(t, 2, CI, 1);
    assert_int_equal(pget(t, 2, TFD), 0x50);
    acknowledge(t, 2);
    issue(t, 2, 0, &(struct task){.opcode = 0x08}, 0, 0, 0);
    assert_int_equal(pget(t, 2, CI), 0);
    assert_int_equal(pget(t, 2, TFD), 0x100);
    assert_int_equal(ram(t, fis_at(2) + 0x40)[5], 0x14);
    packet(t, 2, CDB(0x12, 0, 0, 0, 36), false, 8);
    assert_int_equal(acknowledge(t, 2), DHRS | PSS | OFS);
    assert_int_equal(prd_count(t, 2, 0), 8);
}

static void test_media(void **state)
{
    struct ahci_rig *t = *state;
    port_up(t, 2);
    struct block *cd = t->block[2];
    assert_ptr_equal(ahci_drive_block(t->ahci, 2), cd);
    assert_null(ahci_drive_set_medium(t->ahci, 0, NULL));
    assert_null(ahci_drive_set_medium(t->ahci, 9, NULL));
    assert_null(ahci_drive_block(t->ahci, 9));
    assert_false(ahci_tray_eject(t->ahci, 0, true));
    packet(t, 2, CDB(0x1E, 0, 0, 0, 1), true, 0);
    assert_true(ahci_tray_locked(t->ahci, 2));
    assert_false(ahci_tray_eject(t->ahci, 2, false));
    assert_true(ahci_tray_eject(t->ahci, 2, true));
    /* Taken away under a read. */
    acknowledge(t, 2);
    put_fis(t, 2, 0, &(struct task){.opcode = 0xA0, .feature = 1});
    memcpy(ram(t, table_at(2, 0) + 0x40), CDB(0x28, 0, 0, 0, 0, 0, 0, 8, 0), 12);
    put_prd(t, 2, 0, 0, DATA, 2048 * 2048 / 2);
    put_header(t, 2, 0, HDR_ATAPI, 1);
    pset(t, 2, CI, 1);
    assert_int_equal(cd->pending, 1);
    assert_ptr_equal(ahci_drive_set_medium(t->ahci, 2, NULL), cd);
    assert_int_equal(cd->pending, 0);
    assert_true(ahci_tray_open(t->ahci, 2));
    assert_int_equal(acknowledge(t, 2), DHRS | TFES);
    restart(t, 2);
    ahci_drive_set_medium(t->ahci, 2, cd);
    packet(t, 2, CDB(0x00), true, 0);
    assert_int_equal(pget(t, 2, TFD) >> 12, 6); /* UNIT ATTENTION */
    restart(t, 2);
    /* The guest moves the tray. A COMRESET takes the lock away. */
    port_up(t, 2);
    assert_false(ahci_tray_locked(t->ahci, 2));
    packet(t, 2, CDB(0x1B, 0, 0, 0, 2), true, 0);
    assert_int_equal(t->trays, 0x121);
    assert_true(ahci_tray_open(t->ahci, 2));
}

/* --- Firmware --- */

/* SeaBIOS' order: enable, FIS receive, spin-up, link, SERR, BSY, engine; IDENTIFY PACKET tried
 * first; polls PxIS. */
static void test_firmware(void **state)
{
    struct ahci_rig *t = *state;
    set(t, GHC, get(t, GHC) | 1);
    assert_int_equal(get(t, GHC) & 1, 0);
    set(t, GHC, get(t, GHC) | 0x80000000);
    for (unsigned p = 0; p < AHCI_PORTS; p++) {
        if (!(get(t, PI) & 1u << p))
            continue;
        uint32_t cmd = pget(t, p, CMD);
        assert_int_equal(cmd & (ST | CR | FRE | FR), 0);
        pset(t, p, PIE, 0);
        pset(t, p, PIS, pget(t, p, PIS));
        pset(t, p, FB, fis_at(p));
        pset(t, p, CLB, list_at(p));
        pset(t, p, CMD, cmd |= FRE);
        pset(t, p, CMD, cmd |= 0x10000006);
        assert_int_equal(pget(t, p, CMD) >> 28, 0); /* ICC: done */
        if ((pget(t, p, SSTS) & 7) != 3) {
            assert_true(p == 3 || p == 5);
            continue;
        }
        pset(t, p, SERR, pget(t, p, SERR));
        assert_int_equal(pget(t, p, TFD) & 0x88, 0);
        pset(t, p, CMD, cmd | ST);
        bool cd = false;
        for (unsigned attempt = 0; attempt < 2; attempt++) {
            put_fis(t, p, 0, &(struct task){.opcode = attempt ? 0xEC : 0xA1});
            put_prd(t, p, 0, 0, DATA, 512);
            put_header(t, p, 0, 0, 1);
            pset(t, p, CI, 1);
            uint32_t is = pget(t, p, PIS);
            assert_true(is & (DHRS | PSS));
            pset(t, p, PIS, is);
            const uint8_t *f = ram(t, fis_at(p) + (is & PSS ? 0x20 : 0x40));
            if (!(f[2] & 0xA1) && (f[2] & 0x40)) {
                cd = !attempt;
                break;
            }
            assert_int_equal(attempt, 0);
            pset(t, p, SERR, 0xFFFFFFFF);
            pset(t, p, CMD, pget(t, p, CMD) & ~(uint32_t)ST);
            assert_int_equal(pget(t, p, CMD) & CR, 0);
            pset(t, p, CMD, pget(t, p, CMD) | ST);
        }
        assert_int_equal(cd, p == 2 || p == 4);
        if (p == 0) { /* the first sector */
            issue(t, p, 0, &(struct task){.opcode = 0x25, .count = 1}, DATA, 512, 0);
            run(t);
            assert_int_equal(pget(t, p, PIS), DHRS);
            assert_pattern(ram(t, DATA), 0, 512);
        }
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, ahci_setup, ahci_teardown)
    const struct CMUnitTest tests[] = {
        T(test_pci),
        cmocka_unit_test(test_realize_errors),
        T(test_registers),
        T(test_signatures),
        T(test_soft_reset),
        T(test_hba_reset),
        T(test_identify),
        T(test_sectors),
        T(test_slots),
        T(test_interrupts),
        T(test_other_commands),
        T(test_all_opcodes),
        T(test_packets),
        T(test_media),
        T(test_firmware),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
