/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_ide: IDE channels and disks as drivers use them: task file, IDENTIFY, data by PIO,
 * addresses. */
#include "tests/device/ide_fixture.h"

static void test_pci(void **state)
{
    struct ide_rig *t = *state;
    struct rig *r = t->rig;
    assert_int_equal(rig_pci_read(r, 1, 1, 0x00, 4), 0x70108086);
    assert_int_equal(rig_pci_read(r, 1, 1, 0x08, 4), 0x01018000);
    assert_int_equal(rig_pci_read(r, 1, 1, 0x2C, 4), 0x00015853);
    assert_int_equal(rig_pci_read(r, 1, 1, 0x06, 2), 0x0280);
    assert_int_equal(rig_pci_read(r, 1, 1, 0x3D, 1), 0);
    assert_int_equal(rig_pci_read(r, 1, 1, 0x40, 4), 0);
    rig_pci_write(r, 1, 1, 0x40, 4, 0xFFFFFFFF);
    rig_pci_write(r, 1, 1, 0x44, 4, 0xFFFFFFFF);
    assert_int_equal(rig_pci_read(r, 1, 1, 0x40, 4), 0xF3FFF3FF);
    assert_int_equal(rig_pci_read(r, 1, 1, 0x44, 4), 0x000000FF);
    rig_pci_write(r, 1, 1, 0x20, 4, 0xFFFFFFFF);
    assert_int_equal(rig_pci_read(r, 1, 1, 0x20, 4), 0xFFFFFFF1);
    rig_pci_write(r, 1, 1, 0x20, 4, 0xE000);
    assert_true(fake_claimed(r->hv, 'p', 0xE000, 0xE00F));
    assert_true(fake_claimed(r->hv, 'p', 0x1F0, 0x1F7));
    assert_true(fake_claimed(r->hv, 'p', 0x170, 0x177));
    assert_true(fake_claimed(r->hv, 'p', 0x3F6, 0x3F6));
    assert_true(fake_claimed(r->hv, 'p', 0x376, 0x376));
    assert_true(fake_claimed(r->hv, 'c', PCI_DEVFN(1, 1), PCI_DEVFN(1, 1)));
}

static void test_realize_errors(void **state)
{
    struct block *disk = fake_block_new("disk", DISK_SIZE), *odd = fake_block_new("odd", 10240);
    const struct ide_drive_config bad[] = {
        {.present = true},
        {.present = true, .block = disk, .serial = "123456789012345678901"},
        {.present = true, .block = disk, .serial = "tab\there"},
        {.present = true, .block = disk, .model = "12345678901234567890123456789012345678901"},
        {.present = true, .block = disk, .firmware = "123456789"},
        {.present = true, .block = disk, .cyls = 65536, .heads = 16, .secs = 63},
        {.present = true, .block = disk, .cyls = 100, .heads = 17, .secs = 63},
        {.present = true, .block = disk, .cyls = 100, .heads = 16, .secs = 256},
        {.present = true, .block = disk, .cyls = 100},
        {.present = true, .block = disk, .logical_block = 1024},
        {.present = true, .block = disk, .logical_block = 8192},
        {.present = true, .block = disk, .physical_block = 768},
        {.present = true, .block = disk, .physical_block = 256},
        {.present = true, .block = disk, .physical_block = 4u << 20},
        {.present = true, .block = disk, .logical_block = 4096, .physical_block = 512},
        {.present = true, .block = odd, .logical_block = 4096},
        {.present = true, .block = disk, .translation = IDE_TRANSLATION_RECHS + 1},
    };
    struct rig *r = rig_new();
    struct err err;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct piix3_ide_config config = {.drive[1] = bad[i]};
        err.text[0] = 0;
        assert_null(
            piix3_ide_realize(r->pci, r->bus, r->dma, &r->clock, &r->devices, &config, &err));
        assert_non_null(strstr(err.text, "1"));
        assert_null(r->devices.first);
    }
    struct piix3_ide_config good = {.drive[0] = {.present = true, .block = disk}};
    struct io_region blocker;
    static const struct io_ops none = {.widths = 1};
    io_region_init(&blocker, "blocker", &none, NULL);
    assert_true(bus_map(r->bus, &blocker, IO_PORT, 0x376, 1, &err));
    assert_null(piix3_ide_realize(r->pci, r->bus, r->dma, &r->clock, &r->devices, &good, &err));
    assert_non_null(strstr(err.text, "376"));
    bus_unmap(r->bus, &blocker);
    assert_int_equal(r->hv->claim_count, 0);
    r->hv->refuse_claims = true;
    assert_null(piix3_ide_realize(r->pci, r->bus, r->dma, &r->clock, &r->devices, &good, &err));
    r->hv->refuse_claims = false;
    assert_non_null(piix3_ide_realize(r->pci, r->bus, r->dma, &r->clock, &r->devices, &good, &err));
    rig_free(r);
    fake_block_free(disk);
    fake_block_free(odd);
}

static void test_presence(void **state)
{
    struct ide_rig *t = *state;
    /* Device 0 answers for an absent device 1: status 0, its own registers. */
    out(t, R_COUNT, 0x55);
    out(t, R_LOW, 0xAA);
    out(t, R_DEVICE, 0xB0);
    assert_int_equal(in(t, R_STATUS), 0);
    assert_int_equal(alt(t), 0);
    assert_int_equal(in(t, R_COUNT), 0x55);
    assert_int_equal(in(t, R_LOW), 0xAA);
    assert_int_equal(in(t, R_DEVICE), 0xB0);
    for (unsigned op = 0; op < 256; op++) {
        if (op == 0x90)
            continue;
        out(t, R_STATUS, (uint8_t)op);
        assert_int_equal(in(t, R_STATUS), 0);
        assert_int_equal(rig_inw(t->rig, t->base), 0xFFFF);
    }
    assert_false(irq(t));
    out(t, R_DEVICE, 0xA0);
    assert_int_equal(in(t, R_STATUS), S_OK);

    struct piix3_ide_config none = {0};
    struct ide_rig *e = ide_rig_with(&none);
    for (unsigned channel = 0; channel < 2; channel++) {
        e->base = channel ? ATA1 : ATA0;
        for (unsigned dev = 0; dev < 2; dev++) {
            out(e, R_DEVICE, (uint8_t)(0xA0 | dev << 4));
            out(e, R_STATUS, 0xEC);
            out(e, R_STATUS, 0x90);
            for (unsigned reg = 1; reg < 8; reg++)
                assert_int_equal(in(e, reg), 0);
            assert_int_equal(alt(e), 0);
            assert_false(irq(e));
        }
    }
    ide_rig_free(e);

    /* Device 1 alone. */
    struct piix3_ide_config slave = {0};
    slave.drive[1].present = true;
    slave.drive[1].block = fake_block_new("slave", DISK_SIZE);
    e = ide_rig_with(&slave);
    assert_int_equal(in(e, R_STATUS), 0);
    out(e, R_DEVICE, 0xB0);
    assert_int_equal(in(e, R_STATUS), S_OK);
    uint16_t id[256];
    identify(e, 1, 0xEC, id);
    assert_int_equal(id[93], 0x6B00);
    ide_rig_free(e);
}

static void test_signatures(void **state)
{
    struct ide_rig *t = *state;
    for (unsigned how = 0; how < 3; how++) { /* power-on, software reset, diagnostic */
        for (unsigned channel = 0; channel < 2; channel++) {
            t->base = channel ? ATA1 : ATA0;
            out(t, R_COUNT, 0x77);
            out(t, R_DEVICE, 0xF5);
            if (how == 0)
                device_reset(ide_device(t));
            if (how == 1) {
                control(t, 4);
                assert_int_equal(alt(t), 0); /* device 1 is selected, and absent */
                control(t, 0);
            }
            if (how == 2)
                out(t, R_STATUS, 0x90);
            assert_int_equal(in(t, R_ERROR), 1);
            assert_int_equal(in(t, R_COUNT), 1);
            assert_int_equal(in(t, R_LOW), 1);
            assert_int_equal(in(t, R_MID), channel ? 0x14 : 0);
            assert_int_equal(in(t, R_HIGH), channel ? 0xEB : 0);
            assert_int_equal(in(t, R_DEVICE), 0xA0);
            assert_int_equal(alt(t), channel ? 0 : S_OK);
            assert_int_equal(irq(t), how == 2);
            in(t, R_STATUS);
            assert_false(irq(t));
        }
    }
    /* Busy while SRST is set, and deaf. */
    t->base = ATA0;
    control(t, 4);
    assert_int_equal(alt(t), S_BSY);
    out(t, R_COUNT, 0x33);
    out(t, R_STATUS, 0xEC);
    assert_int_equal(in(t, R_STATUS), S_BSY);
    control(t, 0);
    assert_int_equal(in(t, R_STATUS), S_OK);
    assert_int_equal(in(t, R_COUNT), 1);
    assert_false(irq(t));
}

static void test_task_file(void **state)
{
    struct ide_rig *t = *state;
    for (unsigned reg = R_COUNT; reg <= R_HIGH; reg++) {
        out(t, reg, 0x11);
        out(t, reg, 0x22);
        assert_int_equal(in(t, reg), 0x22);
        control(t, 0x80);
        assert_int_equal(in(t, reg), 0x11);
        out(t, reg, 0x33); /* any write to the command block clears HOB */
        assert_int_equal(in(t, reg), 0x33);
        control(t, 0x80);
        assert_int_equal(in(t, reg), 0x22);
        control(t, 0);
    }
    /* A word access reaches two registers; past the end of the block there is nobody. */
    rig_outw(t->rig, ATA0 + R_LOW, 0xBBAA);
    assert_int_equal(in(t, R_LOW), 0xAA);
    assert_int_equal(in(t, R_MID), 0xBB);
    assert_int_equal(rig_inw(t->rig, ATA0 + R_LOW), 0xBBAA);
    assert_int_equal(rig_inw(t->rig, ATA0 + R_STATUS), 0xFF00 | S_OK);
    /* Both devices latch what is written; while BSY or DRQ nothing is. */
    lba28(t, 0, 0x20, 5, 1);
    assert_int_equal(alt(t) & S_BSY, S_BSY);
    out(t, R_COUNT, 0x99);
    out(t, R_DEVICE, 0xB0);
    out(t, R_STATUS, 0xEC);
    run(t);
    assert_int_equal(in(t, R_STATUS), S_OK | S_DRQ);
    out(t, R_COUNT, 0x99);
    out(t, R_STATUS, 0xEC);
    uint8_t buf[512];
    read_data(t, buf, 512);
    assert_pattern(buf, 5 * 512, 512);
    assert_int_equal(in(t, R_DEVICE), 0xE0);
    assert_int_not_equal(in(t, R_COUNT), 0x99);
}

static void test_identify(void **state)
{
    struct ide_rig *t = *state;
    uint16_t id[256];
    uint8_t sum = 0;
    identify(t, 0, 0xEC, id);
    for (unsigned i = 0; i < 512; i++)
        sum = (uint8_t)(sum + ((uint8_t *)id)[i]);
    assert_int_equal(sum, 0);
    assert_int_equal(id[255] & 0xFF, 0xA5);
    assert_int_equal(id[0], 0x0040);
    assert_int_equal(id[1], DISK_SIZE / 512 / 1008);
    assert_int_equal(id[3], 16);
    assert_int_equal(id[6], 63);
    assert_memory_equal(&id[10], "MQ0000 1            ", 20); /* QM00001, bytes swapped */
    assert_memory_equal(&id[23], ".2+5    ", 8);
    assert_memory_equal(&id[27], "EQUMH RADDSI K", 14);
    assert_int_equal(id[47], 0x8010);
    assert_int_equal(id[49] & 0x0300, 0x0300);
    assert_int_equal(id[53], 7);
    assert_int_equal(id[54], id[1]);
    assert_int_equal(id[57] | id[58] << 16, id[1] * 1008);
    assert_int_equal(id[59], 0x0110);
    assert_int_equal(id[60] | id[61] << 16, DISK_SIZE / 512);
    assert_int_equal(id[63] & 7, 7);
    assert_int_equal(id[64], 3);
    assert_int_equal(id[75] | id[76] | id[222], 0); /* nothing of Serial ATA */
    assert_int_equal(id[82], 0x4469);
    assert_int_equal(id[83], 0x7400);
    assert_int_equal(id[84], 0x4043);
    assert_int_equal(id[85], 0x4469);
    assert_int_equal(id[86], 0x3400);
    assert_int_equal(id[88], 0x203F);
    assert_int_equal(id[93], 0x604B);
    assert_int_equal(id[100] | id[101] << 16, DISK_SIZE / 512);
    assert_int_equal(id[102] | id[103], 0);
    assert_int_equal(id[106], 0x4000);
    assert_int_equal(id[117] | id[118], 0);
    assert_int_equal(id[169], 1);

    /* What the configuration says; a disk beyond what 28 bits and CHS can say. */
    struct piix3_ide_config config = {0};
    config.drive[1] = (struct ide_drive_config){.present = true,
                                                .block = fake_block_new("big", 3ull << 40),
                                                .serial = "S1",
                                                .model = "M1",
                                                .firmware = "F1",
                                                .wwn = 0x5000112233445566,
                                                .discard = true};
    config.drive[0] = (struct ide_drive_config){.present = true,
                                                .block = fake_block_new("wt", DISK_SIZE),
                                                .cyls = 1000,
                                                .heads = 8,
                                                .secs = 32};
    config.drive[0].block->write_cache = false;
    struct ide_rig *e = ide_rig_with(&config);
    identify(e, 1, 0xEC, id);
    assert_memory_equal(&id[10], "1S  ", 4);
    assert_memory_equal(&id[27], "1M  ", 4);
    assert_memory_equal(&id[23], "1F  ", 4);
    assert_int_equal(id[1], 16383);
    assert_int_equal(id[60] | id[61] << 16, 0x0FFFFFFF);
    assert_int_equal(id[100] | (uint64_t)id[101] << 16 | (uint64_t)id[102] << 32, 3ull << 31);
    assert_int_equal(id[108], 0x5000);
    assert_int_equal(id[111], 0x5566);
    assert_int_equal(id[84], 0x4143);
    assert_int_equal(id[169], 1);
    assert_int_equal(id[105], 8);
    identify(e, 0, 0xEC, id);
    assert_int_equal(id[1], 1000);
    assert_int_equal(id[3], 8);
    assert_int_equal(id[6], 32);
    assert_int_equal(id[93], 0x603B);
    assert_int_equal(id[82] & 0x20, 0); /* an image without a write cache */
    assert_int_equal(id[85] & 0x20, 0);
    struct ide_geometry g;
    ide_drive_geometry(e->ide, 0, &g);
    assert_int_equal(g.cylinders, 1000);
    assert_int_equal(g.heads, 8);
    assert_int_equal(g.sectors, 32);
    assert_int_equal(g.translation, IDE_TRANSLATION_NONE);
    ide_drive_geometry(e->ide, 1, &g);
    assert_int_equal(g.translation, IDE_TRANSLATION_LBA);
    ide_drive_geometry(e->ide, 2, &g);
    assert_int_equal(g.cylinders + g.heads + g.sectors + g.translation, 0);
    /* READ NATIVE MAX, both kinds, and the last sector of it. */
    out(e, R_DEVICE, 0xF0);
    out(e, R_STATUS, 0xF8);
    assert_int_equal(in(e, R_STATUS), S_OK);
    assert_int_equal(get_lba28(e), 0x0FFFFFFE);
    out(e, R_STATUS, 0x27);
    assert_int_equal(get_lba48(e), (3ull << 31) - 1);
    uint8_t buf[512] = "the end of three tebibytes";
    fake_block_put(config.drive[1].block, (3ull << 40) - 512, buf, 512);
    lba48(e, 1, 0x24, (3ull << 31) - 1, 1);
    run(e);
    memset(buf, 0, sizeof(buf));
    read_data(e, buf, 512);
    assert_string_equal((char *)buf, "the end of three tebibytes");
    ide_rig_free(e);
}

static void test_pio_read(void **state)
{
    static const struct {
        uint8_t opcode;
        bool ext;
        unsigned count, per_block;
    } cases[] = {
        {0x20, false, 1, 1},  {0x21, false, 7, 1},   {0x20, false, 256, 1},  {0x24, true, 600, 1},
        {0xC4, false, 1, 16}, {0xC4, false, 33, 16}, {0x29, true, 1000, 16},
    };
    struct ide_rig *t = *state;
    uint8_t *buf = malloc(1000 * 512);
    assert_non_null(buf);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned count = cases[i].count,
                 blocks = (count + cases[i].per_block - 1) / cases[i].per_block;
        unsigned requests = t->block[0]->record_count, before = irqs(t);
        if (cases[i].ext)
            lba48(t, 0, cases[i].opcode, 100, count);
        else
            lba28(t, 0, cases[i].opcode, 100, count);
        assert_int_equal(alt(t) & (S_BSY | S_DRQ), S_BSY);
        assert_false(irq(t));
        for (unsigned left = count, at = 0; left;) {
            unsigned n = left < cases[i].per_block ? left : cases[i].per_block;
            run(t);
            assert_true(irq(t));
            assert_int_equal(in(t, R_STATUS), S_OK | S_DRQ);
            assert_false(irq(t));
            read_data(t, buf + at * 512, n * 512);
            left -= n;
            at += n;
        }
        assert_pattern(buf, 100 * 512, count * 512);
        assert_int_equal(irqs(t) - before, blocks); /* and none after the last block */
        assert_int_equal(in(t, R_STATUS), S_OK);
        assert_int_equal(t->block[0]->record_count - requests, (count + 255) / 256);
        if (cases[i].ext)
            assert_int_equal(get_lba48(t), 100 + count - 1);
        else
            assert_int_equal(get_lba28(t), 100 + count - 1);
        assert_int_equal(in(t, R_COUNT), 0);
        assert_int_equal(rig_inw(t->rig, t->base), 0xFFFF);
    }
    free(buf);
}

static void test_data_port(void **state)
{
    struct ide_rig *t = *state;
    uint8_t buf[8 * 512 + 64];
    /* A whole command in one string instruction of double words, and what comes after it. */
    lba28(t, 0, 0x20, 3, 8);
    run(t);
    bus_port_read_run(t->rig->bus, t->base, 4, buf, sizeof(buf) / 4);
    assert_pattern(buf, 3 * 512, 8 * 512);
    for (unsigned i = 8 * 512; i < sizeof(buf); i++)
        assert_int_equal(buf[i], 0xFF);
    assert_int_equal(in(t, R_STATUS), S_OK);
    /* Single accesses of each width; a byte takes a word off. */
    lba28(t, 0, 0x20, 9, 1);
    run(t);
    assert_int_equal(rig_inb(t->rig, t->base), pattern(9 * 512));
    assert_int_equal(rig_inw(t->rig, t->base), pattern(9 * 512 + 2) | pattern(9 * 512 + 3) << 8);
    uint32_t v = rig_inl(t->rig, t->base);
    assert_int_equal(v & 0xFF, pattern(9 * 512 + 4));
    assert_int_equal(v >> 24, pattern(9 * 512 + 7));
    read_data(t, buf, 512 - 8);
    assert_pattern(buf, 9 * 512 + 8, 512 - 8);
    assert_int_equal(in(t, R_STATUS), S_OK);
    /* The last word of a sector and the first of the next in one double word. */
    lba28(t, 0, 0x20, 9, 2);
    run(t);
    read_data(t, buf, 510);
    v = rig_inl(t->rig, t->base);
    assert_int_equal(v & 0xFF, pattern(10 * 512 - 2));
    assert_int_equal(v >> 24, pattern(10 * 512 + 1));
    /* Reads do not disturb a data-out command, nor writes a data-in one. */
    rig_outw(t->rig, t->base, 0xDEAD);
    read_data(t, buf, 510);
    assert_pattern(buf, 10 * 512 + 2, 510);
    lba28(t, 0, 0x30, 9, 1);
    assert_int_equal(rig_inw(t->rig, t->base), 0xFFFF);
    memset(buf, 0x5A, sizeof(buf));
    write_data(t, buf, sizeof(buf)); /* more than it wants: the rest is lost */
    run(t);
    assert_int_equal(in(t, R_STATUS), S_OK);
    fake_block_get(t->block[0], 9 * 512, buf, 1024);
    assert_int_equal(buf[511], 0x5A);
    assert_int_equal(buf[512], pattern(10 * 512));
}

static void test_pio_write(void **state)
{
    static const struct {
        uint8_t opcode;
        bool ext;
        unsigned count, per_block;
    } cases[] = {
        {0x30, false, 1, 1},    {0x31, false, 3, 1},   {0x3C, false, 2, 1},
        {0x30, false, 256, 1},  {0x34, true, 700, 1},  {0xC5, false, 5, 16},
        {0xC5, false, 256, 16}, {0x39, true, 531, 16}, {0xCE, true, 20, 16},
    };
    struct ide_rig *t = *state;
    uint8_t *data = malloc(700 * 512), *got = malloc(700 * 512);
    assert_non_null(data);
    assert_non_null(got);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned count = cases[i].count, per = cases[i].per_block, before = irqs(t);
        unsigned blocks = (count + per - 1) / per;
        unsigned flushes = fake_block_count(t->block[0], BLOCK_FLUSH);
        for (unsigned k = 0; k < count * 512; k++)
            data[k] = (uint8_t)(pattern(k) ^ (0x50 + i));
        if (cases[i].ext)
            lba48(t, 0, cases[i].opcode, 1000, count);
        else
            lba28(t, 0, cases[i].opcode, 1000, count);
        assert_false(irq(t)); /* the first block is asked for without one */
        for (unsigned left = count, at = 0; left;) {
            unsigned n = left < per ? left : per;
            run(t);
            assert_int_equal(in(t, R_STATUS), S_OK | S_DRQ);
            write_data(t, data + at * 512, n * 512);
            left -= n;
            at += n;
        }
        /* Not done before it is on the image. */
        assert_int_equal(alt(t) & (S_BSY | S_DRQ), S_BSY);
        assert_false(irq(t));
        run(t);
        assert_true(irq(t));
        assert_int_equal(in(t, R_STATUS), S_OK);
        assert_int_equal(irqs(t) - before, blocks);
        fake_block_get(t->block[0], 1000 * 512, got, count * 512);
        assert_memory_equal(got, data, count * 512);
        assert_int_equal(fake_block_count(t->block[0], BLOCK_FLUSH) - flushes,
                         cases[i].opcode == 0xCE);
    }
    free(data);
    free(got);
}

static void test_write_cache(void **state)
{
    struct ide_rig *t = *state;
    uint8_t buf[512] = {0};
    uint16_t id[256];
    set_features(t, 0x82, 0);
    assert_int_equal(in(t, R_STATUS), S_OK);
    assert_int_equal(fake_block_count(t->block[0], BLOCK_FLUSH), 1);
    identify(t, 0, 0xEC, id);
    assert_int_equal(id[85] & 0x20, 0);
    assert_int_equal(id[82] & 0x20, 0x20);
    lba28(t, 0, 0x30, 7, 1);
    write_data(t, buf, 512);
    fake_block_step(t->block[0]);
    assert_int_equal(alt(t) & S_BSY, S_BSY); /* written, not flushed yet */
    fake_block_step(t->block[0]);
    assert_int_equal(in(t, R_STATUS), S_OK);
    assert_int_equal(fake_block_count(t->block[0], BLOCK_FLUSH), 2);
    set_features(t, 0x02, 0);
    assert_int_equal(in(t, R_STATUS), S_OK);
    lba28(t, 0, 0x30, 7, 1);
    write_data(t, buf, 512);
    run(t);
    assert_int_equal(in(t, R_STATUS), S_OK);
    assert_int_equal(fake_block_count(t->block[0], BLOCK_FLUSH), 2);
    /* FLUSH CACHE and its failure. */
    for (unsigned i = 0; i < 2; i++) {
        out(t, R_STATUS, i ? 0xEA : 0xE7);
        assert_int_equal(alt(t) & S_BSY, S_BSY);
        run(t);
        assert_true(irq(t));
        assert_int_equal(in(t, R_STATUS), S_OK);
        assert_int_equal(fake_block_count(t->block[0], BLOCK_FLUSH), 3 + i);
    }
    fake_block_fail(t->block[0], BLOCK_FLUSH, 0, 1, EIO, 1);
    out(t, R_STATUS, 0xE7);
    run(t);
    assert_int_equal(in(t, R_STATUS), S_OK | S_ERR);
    assert_int_equal(in(t, R_ERROR), 0x04);

    /* An image that writes through has no cache to switch on, and needs no flush after a write. */
    struct piix3_ide_config config = {0};
    config.drive[0].present = true;
    config.drive[0].block = fake_block_new("wt", DISK_SIZE);
    config.drive[0].block->write_cache = false;
    struct ide_rig *e = ide_rig_with(&config);
    set_features(e, 0x02, 0);
    assert_int_equal(in(e, R_STATUS), S_OK | S_ERR);
    set_features(e, 0x82, 0);
    assert_int_equal(in(e, R_STATUS), S_OK);
    unsigned flushes = fake_block_count(config.drive[0].block, BLOCK_FLUSH);
    lba48(e, 0, 0xCE, 7, 1);
    write_data(e, buf, 512);
    run(e);
    assert_int_equal(in(e, R_STATUS), S_OK);
    assert_int_equal(fake_block_count(config.drive[0].block, BLOCK_FLUSH), flushes);
    ide_rig_free(e);
}

static void test_chs(void **state)
{
    struct ide_rig *t = *state;
    uint8_t buf[1024];
    /* Cylinder 1, head 2, sector 3 of 16/63: (1*16+2)*63+2. */
    out(t, R_DEVICE, 0xA2);
    out(t, R_COUNT, 2);
    out(t, R_LOW, 3);
    out(t, R_MID, 1);
    out(t, R_HIGH, 0);
    out(t, R_STATUS, 0x20);
    run(t);
    read_data(t, buf, 1024);
    assert_pattern(buf, 1136 * 512, 1024);
    assert_int_equal(in(t, R_LOW), 4); /* of the last sector */
    assert_int_equal(in(t, R_MID), 1);
    assert_int_equal(in(t, R_DEVICE) & 0xF, 2);
    /* No such place: sector 0 or 64, a cylinder past the end. */
    static const uint8_t bad[][3] = {{0, 0, 0}, {64, 0, 0}, {1, 0xFF, 0xFF}};
    for (unsigned i = 0; i < 3; i++) {
        for (unsigned k = 0; k < 3; k++) {
            static const uint8_t opcodes[] = {0x20, 0x70, 0x40};
            out(t, R_COUNT, 1);
            out(t, R_LOW, bad[i][0]);
            out(t, R_MID, bad[i][1]);
            out(t, R_HIGH, bad[i][2]);
            out(t, R_STATUS, opcodes[k]);
            run(t);
            assert_int_equal(in(t, R_STATUS), S_OK | S_ERR);
            assert_int_equal(in(t, R_ERROR), 0x10);
        }
    }
    /* Another translation: 8 heads, 32 sectors; 0 sectors is none. */
    out(t, R_DEVICE, 0xA7);
    out(t, R_COUNT, 32);
    out(t, R_STATUS, 0x91);
    assert_int_equal(in(t, R_STATUS), S_OK);
    uint16_t id[256];
    identify(t, 0, 0xEC, id);
    assert_int_equal(id[54], DISK_SIZE / 512 / 256);
    assert_int_equal(id[55], 8);
    assert_int_equal(id[56], 32);
    assert_int_equal(id[3], 16);
    out(t, R_DEVICE, 0xA1);
    out(t, R_COUNT, 1);
    out(t, R_LOW, 1);
    out(t, R_MID, 2);
    out(t, R_HIGH, 0);
    out(t, R_STATUS, 0x20);
    run(t);
    read_data(t, buf, 512);
    assert_pattern(buf, ((2 * 8 + 1) * 32) * 512, 512);
    out(t, R_DEVICE, 0xA8);
    out(t, R_STATUS, 0x20); /* head 8 of 8 */
    assert_int_equal(in(t, R_ERROR), 0x10);
    out(t, R_COUNT, 0);
    out(t, R_STATUS, 0x91);
    assert_int_equal(in(t, R_ERROR), 0x04);
    soft_reset(t); /* keeps the translation */
    identify(t, 0, 0xEC, id);
    assert_int_equal(id[55], 8);
    device_reset(ide_device(t));
    identify(t, 0, 0xEC, id);
    assert_int_equal(id[55], 16);
}

static void test_range(void **state)
{
    struct ide_rig *t = *state;
    const uint32_t end = DISK_SIZE / 512;
    static const uint8_t short_opcodes[] = {0x20, 0x30, 0xC4, 0xC5, 0xC8, 0xCA, 0x40};
    static const uint8_t long_opcodes[] = {0x24, 0x34, 0x29, 0x39, 0x25, 0x35, 0x42, 0x3D, 0xCE};
    for (size_t i = 0; i < sizeof(short_opcodes); i++) {
        lba28(t, 0, short_opcodes[i], end - 1, 2);
        assert_int_equal(in(t, R_STATUS), S_OK | S_ERR);
        assert_int_equal(in(t, R_ERROR), 0x10);
        assert_int_equal(get_lba28(t), end); /* the first that is not there */
        lba28(t, 0, short_opcodes[i], end, 1);
        assert_int_equal(in(t, R_ERROR), 0x10);
        lba28(t, 0, short_opcodes[i], 0x0FFFFFFF, 0);
        assert_int_equal(in(t, R_ERROR), 0x10);
    }
    for (size_t i = 0; i < sizeof(long_opcodes); i++) {
        lba48(t, 0, long_opcodes[i], end - 65535, 0);
        assert_int_equal(in(t, R_STATUS), S_OK | S_ERR);
        assert_int_equal(in(t, R_ERROR), 0x10);
        assert_int_equal(get_lba48(t), end);
        lba48(t, 0, long_opcodes[i], 0xFFFFFFFFFFFF, 1);
        assert_int_equal(in(t, R_ERROR), 0x10);
        lba48(t, 0, long_opcodes[i], 0xFFFFFFFFFFFF, 0);
        assert_int_equal(in(t, R_ERROR), 0x10);
    }
    lba28(t, 0, 0x70, end, 0);
    assert_int_equal(in(t, R_ERROR), 0x10);
    lba28(t, 0, 0x70, end - 1, 0);
    assert_int_equal(in(t, R_STATUS), S_OK);
    assert_int_equal(t->block[0]->record_count, 0);
    assert_int_equal(t->block[0]->pending, 0);
    assert_alive(t);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_pci),       cmocka_unit_test(test_realize_errors),
        T(test_presence),  T(test_signatures),
        T(test_task_file), T(test_identify),
        T(test_pio_read),  T(test_data_port),
        T(test_pio_write), T(test_write_cache),
        T(test_chs),       T(test_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
