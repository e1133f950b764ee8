/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IDE channel and ATA commands by PIO: registers, resets, IDENTIFY, sectors, errors, state. */
#include <errno.h>
#include <limits.h>

#include "tests/device/ide_rig.h"

static int setup(void **state)
{
    *state = ide_rig_new();
    fill_pattern(((struct ide_rig *)*state)->block[0], 0, 2 << 20);
    return 0;
}

static int teardown(void **state)
{
    ide_rig_free(*state);
    return 0;
}

/* The device works: IDENTIFY gives its model. */
static void assert_alive(struct ide_rig *t)
{
    uint16_t id[256];
    identify(t, 0, 0xEC, id);
    assert_int_equal(id[27], 'Q' << 8 | 'E');
}

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

static void set_features(struct ide_rig *t, uint8_t feature, uint8_t count)
{
    out(t, R_DEVICE, 0xA0);
    out(t, R_ERROR, feature);
    out(t, R_COUNT, count);
    out(t, R_STATUS, 0xEF);
    run(t);
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

static void test_read_errors(void **state)
{
    struct ide_rig *t = *state;
    uint8_t buf[512];
    /* One bad sector in the middle: what is before it arrives, then its address. */
    fake_block_fail(t->block[0], BLOCK_READ, 537 * 512, 512, EIO, UINT_MAX);
    lba28(t, 0, 0x20, 500, 100);
    for (unsigned i = 500; i < 537; i++) {
        run(t);
        assert_int_equal(in(t, R_STATUS), S_OK | S_DRQ);
        read_data(t, buf, 512);
        assert_pattern(buf, i * 512, 512);
    }
    run(t);
    assert_true(irq(t));
    assert_int_equal(in(t, R_STATUS), S_OK | S_ERR);
    assert_int_equal(in(t, R_ERROR), 0x40);
    assert_int_equal(get_lba28(t), 537);
    assert_int_equal(in(t, R_COUNT), 63);
    lba28(t, 0, 0x40, 500, 0); /* READ VERIFY finds it too */
    run(t);
    assert_int_equal(in(t, R_ERROR), 0x40);
    assert_int_equal(get_lba28(t), 537);
    fake_block_heal(t->block[0]);
    lba28(t, 0, 0x40, 500, 0);
    assert_int_equal(alt(t) & S_BSY, S_BSY);
    run(t);
    assert_int_equal(in(t, R_STATUS), S_OK);
    /* The image has shrunk under us. */
    t->block[0]->bytes = 1 << 20;
    lba28(t, 0, 0x20, 100, 1);
    t->block[0]->bytes = 100 * 512;
    run(t);
    assert_int_equal(in(t, R_ERROR), 0x10);
    t->block[0]->bytes = DISK_SIZE;
    assert_alive(t);
}

static void test_write_errors(void **state)
{
    struct ide_rig *t = *state;
    uint8_t buf[4 * 512], got[512];
    memset(buf, 0xEE, sizeof(buf));
    fake_block_fail(t->block[0], BLOCK_WRITE, 602 * 512, 512, ENOSPC, UINT_MAX);
    lba28(t, 0, 0x30, 600, 4);
    write_data(t, buf, sizeof(buf));
    run(t);
    assert_true(irq(t));
    assert_int_equal(in(t, R_STATUS), S_OK | S_ERR);
    assert_int_equal(in(t, R_ERROR), 0x04);
    assert_int_equal(get_lba28(t), 602);
    fake_block_get(t->block[0], 601 * 512, got, 512);
    assert_int_equal(got[0], 0xEE);
    fake_block_get(t->block[0], 603 * 512, got, 512);
    assert_pattern(got, 603 * 512, 512);
    /* A read-only disk asks for no data at all. */
    t->block[0]->read_only = true;
    static const uint8_t opcodes[] = {0x30, 0x34, 0xC5, 0x39, 0xCA, 0x35, 0x3D, 0xCE, 0x3C};
    unsigned records = t->block[0]->record_count;
    for (size_t i = 0; i < sizeof(opcodes); i++) {
        lba28(t, 0, opcodes[i], 0, 1);
        assert_int_equal(in(t, R_STATUS), S_OK | S_ERR);
        assert_int_equal(in(t, R_ERROR), 0x04);
        write_data(t, buf, 512);
        run(t);
    }
    assert_int_equal(t->block[0]->record_count, records);
    assert_alive(t);
}

static void test_multiple(void **state)
{
    struct ide_rig *t = *state;
    uint16_t id[256];
    static const struct {
        uint8_t n;
        bool ok;
    } cases[] = {{1, true},   {2, true},   {3, false},   {4, true}, {16, true},
                 {17, false}, {32, false}, {128, false}, {0, true}};
    unsigned now = 16;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        lba28(t, 0, 0xC6, 0, cases[i].n);
        assert_int_equal(in(t, R_STATUS) & S_ERR, cases[i].ok ? 0 : S_ERR);
        if (cases[i].ok)
            now = cases[i].n;
        identify(t, 0, 0xEC, id);
        assert_int_equal(id[59], now ? 0x100 | now : 0);
    }
    for (unsigned i = 0; i < 2; i++) {
        lba28(t, 0, i ? 0xC5 : 0xC4, 0, 1);
        assert_int_equal(in(t, R_STATUS), S_OK | S_ERR);
        assert_int_equal(in(t, R_ERROR), 0x04);
    }
}

static void test_settings(void **state)
{
    struct ide_rig *t = *state;
    uint16_t id[256];
    static const uint8_t good[] = {0x00, 0x01, 0x08, 0x0C, 0x10, 0x12, 0x20, 0x22, 0x40, 0x45};
    static const uint8_t bad[] = {0x02, 0x07, 0x0D, 0x13, 0x18, 0x23, 0x28, 0x46, 0x47, 0x48, 0xFF};
    for (size_t i = 0; i < sizeof(good); i++) {
        set_features(t, 3, good[i]);
        assert_int_equal(in(t, R_STATUS), S_OK);
        identify(t, 0, 0xEC, id);
        unsigned bit = 0x100u << (good[i] & 7);
        if (good[i] >= 0x10)
            assert_int_equal(id[good[i] >= 0x40 ? 88 : good[i] >= 0x20 ? 63 : 62] >> 8, bit >> 8);
    }
    for (size_t i = 0; i < sizeof(bad); i++) {
        set_features(t, 3, bad[i]);
        assert_int_equal(in(t, R_STATUS), S_OK | S_ERR);
        assert_int_equal(in(t, R_ERROR), 4);
    }
    identify(t, 0, 0xEC, id);
    assert_int_equal(id[88], 0x203F);
    set_features(t, 0x55, 0);
    identify(t, 0, 0xEC, id);
    assert_int_equal(id[85] & 0x40, 0);
    soft_reset(t); /* keeps it, until told otherwise */
    identify(t, 0, 0xEC, id);
    assert_int_equal(id[85] & 0x40, 0);
    set_features(t, 0xCC, 0);
    soft_reset(t);
    identify(t, 0, 0xEC, id);
    assert_int_equal(id[85] & 0x40, 0x40);
    set_features(t, 0x55, 0);
    set_features(t, 0xAA, 0);
    set_features(t, 0x66, 0);
    assert_int_equal(in(t, R_STATUS), S_OK);
    set_features(t, 0x99, 0);
    assert_int_equal(in(t, R_ERROR), 4);
}

static void test_power(void **state)
{
    struct ide_rig *t = *state;
    static const struct {
        uint8_t opcode, mode;
    } cases[] = {{0xE0, 0}, {0xE1, 0xFF}, {0xE2, 0}, {0xE3, 0xFF},
                 {0x94, 0}, {0x95, 0xFF}, {0x96, 0}, {0x97, 0xFF}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        out(t, R_STATUS, cases[i].opcode);
        run(t);
        assert_true(irq(t));
        assert_int_equal(in(t, R_STATUS), S_OK);
        out(t, R_STATUS, i & 1 ? 0xE5 : 0x98);
        assert_int_equal(in(t, R_STATUS), S_OK);
        assert_int_equal(in(t, R_COUNT), cases[i].mode);
    }
    assert_int_equal(fake_block_count(t->block[0], BLOCK_FLUSH), 4); /* each spin-down */
    /* A read wakes it. */
    out(t, R_STATUS, 0xE0);
    run(t);
    uint8_t buf[512];
    lba28(t, 0, 0x20, 0, 1);
    run(t);
    read_data(t, buf, 512);
    out(t, R_STATUS, 0xE5);
    assert_int_equal(in(t, R_COUNT), 0xFF);
    /* From sleep only a reset does. */
    out(t, R_STATUS, 0xE6);
    run(t);
    assert_int_equal(in(t, R_STATUS), S_OK);
    out(t, R_STATUS, 0xEC);
    assert_int_equal(in(t, R_STATUS), S_OK);
    soft_reset(t);
    assert_alive(t);
}

static void test_interrupt(void **state)
{
    struct ide_rig *t = *state;
    uint8_t buf[512];
    control(t, 2); /* nIEN */
    lba28(t, 0, 0x20, 0, 1);
    run(t);
    assert_false(irq(t));
    assert_int_equal(bm_status(t) & BM_INT, 0);
    control(t, 0);
    assert_true(irq(t));
    assert_int_equal(bm_status(t) & BM_INT, BM_INT);
    alt(t);
    assert_true(irq(t));
    in(t, R_STATUS);
    assert_false(irq(t));
    read_data(t, buf, 512);
    /* A pending interrupt shows only while its device is selected. */
    out(t, R_STATUS, 0xE5);
    assert_true(irq(t));
    out(t, R_DEVICE, 0xB0);
    assert_false(irq(t));
    out(t, R_DEVICE, 0xA0);
    assert_true(irq(t));
    /* A command clears it, and so does a reset. */
    lba28(t, 0, 0x20, 0, 1);
    assert_false(irq(t));
    run(t);
    assert_true(irq(t));
    soft_reset(t);
    assert_false(irq(t));
    out(t, R_STATUS, 0xE5);
    assert_true(irq(t));
    device_reset(ide_device(t));
    assert_false(irq(t));
}

/* CVE-2023-5088 and its class: what a reset took back writes nothing more once the reset is over,
 * and nothing at LBA 0. */
static void test_reset_during_write(void **state)
{
    struct ide_rig *t = *state;
    uint8_t *buf = malloc(600 * 512), got[512];
    assert_non_null(buf);
    memset(buf, 0xEE, 600 * 512);
    for (unsigned how = 0; how < 3; how++) {
        fill_pattern(t->block[0], 2000 * 512, 600 * 512);
        lba48(t, 0, 0x34, 2000, 600);
        write_data(t, buf, 256 * 512);
        assert_int_equal(t->block[0]->pending, 1);
        if (how == 1) {
            device_reset(ide_device(t)); /* waits for it */
        } else {
            soft_reset(t);
            /* Not over before the write is. Deaf until then; a second reset changes nothing. */
            for (unsigned i = 0; i < 2; i++) {
                assert_int_equal(in(t, R_STATUS), S_BSY);
                assert_int_equal(alt(t), S_BSY);
                write_data(t, buf, 600 * 512);
                out(t, R_COUNT, 0x44);
                out(t, R_STATUS, 0xEC);
                out(t, R_STATUS, 0x20);
                assert_int_equal(t->block[0]->pending, 1);
                if (how == 2)
                    soft_reset(t);
            }
            run(t);
        }
        assert_int_equal(t->block[0]->pending, 0);
        assert_false(irq(t));
        assert_int_equal(in(t, R_COUNT), 1);
        assert_int_equal(in(t, R_STATUS), S_OK);
        fake_block_get(t->block[0], 0, got, 512);
        assert_pattern(got, 0, 512);
        fake_block_get(t->block[0], 2256 * 512, got, 512);
        assert_pattern(got, 2256 * 512, 512);
        assert_int_equal(fake_block_count(t->block[0], BLOCK_WRITE), 1 + how);
        assert_alive(t);
    }
    free(buf);
}

static void stream(struct ide_rig *t)
{
    static uint8_t buf[2048];
    for (unsigned i = 0; i < 64; i++) {
        read_data(t, buf, sizeof(buf));
        memset(buf, 0, sizeof(buf));
        write_data(t, buf, sizeof(buf));
        run(t);
    }
    for (unsigned i = 0; i < 64; i++) {
        rig_inl(t->rig, t->base);
        rig_outl(t->rig, t->base, 0);
        rig_inb(t->rig, t->base);
        rig_outb(t->rig, t->base, 0);
    }
    run(t);
}

/* Every opcode has an answer, ends, and leaves DRQ clear and the device working (CVE-2015-5154,
 * CVE-2015-6855 and their class). */
static void test_all_opcodes(void **state)
{
    struct piix3_ide_config config = {0};
    (void)state;
    config.drive[0].present = true;
    config.drive[0].block = fake_block_new("disk", 2 << 20);
    config.drive[1].present = config.drive[1].cdrom = true; /* empty */
    config.drive[2].present = config.drive[2].cdrom = true;
    config.drive[2].block = fake_block_new("cd", 1 << 20);
    struct ide_rig *t = ide_rig_with(&config);
    for (unsigned unit = 0; unit < 3; unit++) {
        unsigned dev = unit & 1;
        t->base = unit < 2 ? ATA0 : ATA1;
        for (unsigned features = 0; features < 4; features++) {
            for (unsigned op = 0; op < 256; op++) {
                out(t, R_ERROR, (uint8_t)features);
                lba28(t, dev, (uint8_t)op, 0, features == 3 ? 0 : features + 1);
                run(t);
                stream(t);
                for (unsigned i = 0; i < 40 && (alt(t) & S_DRQ); i++)
                    stream(t); /* up to all of the disk */
                bool dma = (alt(t) & S_BSY) != 0;
                if (dma) { /* waits for the bus master: legal only for the DMA commands */
                    assert_true(op == 0x25 || op == 0x35 || op == 0x3D || (op & 0xFC) == 0xC8 ||
                                (op == 0x06 && !unit && (features & 1)) ||
                                (op == 0xA0 && unit && (features & 1)));
                    soft_reset(t);
                }
                if (op == 0xE6 || op == 0x99)
                    soft_reset(t);
                out(t, R_DEVICE, (uint8_t)(0xA0 | dev << 4));
                assert_int_equal(in(t, R_STATUS) & (S_BSY | S_DRQ), 0);
                uint16_t id[256];
                if (op != 0xA0)
                    identify(t, dev, unit ? 0xA1 : 0xEC, id);
                if (unit && (op == 0xF8 || op == 0x27 || op == 0x91 || op == 0x10 || op == 0xEC ||
                             op == 0x20 || op == 0xC8 || op == 0x35 || op == 0xE7)) {
                    lba28(t, dev, (uint8_t)op, 0, 1);
                    assert_int_equal(in(t, R_STATUS), S_OK | S_ERR);
                    assert_int_equal(in(t, R_ERROR) & 4, 4);
                    if (op == 0xEC || op == 0x20) {
                        assert_int_equal(in(t, R_MID), 0x14);
                        assert_int_equal(in(t, R_HIGH), 0xEB);
                    }
                }
            }
        }
    }
    ide_rig_free(t);
}

static void test_trim(void **state)
{
    struct piix3_ide_config config = {0};
    uint8_t sector[512];
    (void)state;
    config.drive[0].present = config.drive[0].discard = true;
    config.drive[0].block = fake_block_new("disk", DISK_SIZE);
    fill_pattern(config.drive[0].block, 0, 1 << 20);
    struct ide_rig *t = ide_rig_with(&config);
    struct block *b = config.drive[0].block;
    put_prd(t, 0, 0x8000, 512 | PRD_EOT);
    rig_mem_write(t->rig, 0x8000, 8, 100 | 2ull << 48);
    rig_mem_write(t->rig, 0x8008, 8, 0);
    rig_mem_write(t->rig, 0x8010, 8, 200 | 1ull << 48);
    out(t, R_ERROR, 1);
    lba48(t, 0, 0x06, 0, 1);
    bm_start(t, false);
    assert_int_equal(b->pending, 1);
    run(t);
    assert_true(irq(t));
    assert_int_equal(in(t, R_STATUS), S_OK);
    assert_int_equal(bm_status(t), BM_INT);
    assert_int_equal(fake_block_count(b, BLOCK_DISCARD), 2);
    fake_block_get(b, 101 * 512, sector, 512);
    assert_int_equal(sector[5], 0);
    fake_block_get(b, 102 * 512, sector, 512);
    assert_pattern(sector, 102 * 512, 512);
    bm_stop(t);
    /* A range past the end: refused whole. */
    static const uint64_t bad[] = {(DISK_SIZE / 512 - 1) | 2ull << 48, DISK_SIZE / 512 | 1ull << 48,
                                   0xFFFFFFFFFFFF | 0xFFFFull << 48};
    for (unsigned i = 0; i < 3; i++) {
        rig_mem_write(t->rig, 0x8010, 8, bad[i]);
        out(t, R_ERROR, 1);
        lba48(t, 0, 0x06, 0, 1);
        bm_start(t, false);
        run(t);
        assert_int_equal(in(t, R_STATUS), S_OK | S_ERR);
        assert_int_equal(in(t, R_ERROR) & 0x04, 0x04);
        bm_stop(t);
    }
    assert_int_equal(fake_block_count(b, BLOCK_DISCARD), 2);
    /* Nothing but TRIM, of 1 to 8 blocks; an image that cannot discard has not failed. */
    out(t, R_ERROR, 0);
    lba48(t, 0, 0x06, 0, 1);
    assert_int_equal(in(t, R_ERROR), 4);
    out(t, R_ERROR, 1);
    lba48(t, 0, 0x06, 0, 0);
    assert_int_equal(in(t, R_ERROR), 4);
    out(t, R_ERROR, 1);
    lba48(t, 0, 0x06, 0, 9);
    assert_int_equal(in(t, R_ERROR), 4);
    fake_block_fail(b, BLOCK_DISCARD, 0, DISK_SIZE, EOPNOTSUPP, UINT_MAX);
    rig_mem_write(t->rig, 0x8010, 8, 0);
    out(t, R_ERROR, 1);
    lba48(t, 0, 0x06, 0, 1);
    bm_start(t, false);
    run(t);
    assert_int_equal(in(t, R_STATUS), S_OK);
    ide_rig_free(t);
}

/* PV unplug (XSA-139): disks go, CD drives stay, whatever is under way. */
static void test_unplug(void **state)
{
    for (unsigned what = 0; what < 4; what++) {
        struct ide_rig *t = ide_rig_new();
        uint8_t buf[1024] = {0};
        uint8_t *saved;
        size_t len;
        struct err err;
        put_prd(t, 0, 0x10000, 0);
        put_prd(t, 1, 0x20000, PRD_EOT);
        if (what == 0)
            lba28(t, 0, 0x20, 10, 2);
        if (what == 1) {
            lba28(t, 0, 0x30, 10, 4);
            write_data(t, buf, 1024);
        }
        if (what >= 2) {
            lba28(t, 0, what == 2 ? 0xC8 : 0xCA, 10, 0);
            bm_start(t, what == 2);
        }
        unsigned pending = t->block[0]->pending;
        ide_unplug_disks(t->ide);
        assert_int_equal(t->block[0]->pending, 0);
        assert_int_equal(t->rig->hv->maps, 0);
        assert_int_equal(t->block[0]->record_count, pending);
        assert_null(ide_drive_block(t->ide, 0));
        assert_ptr_equal(ide_drive_block(t->ide, 2), t->block[2]);
        fake_block_free(t->block[0]); /* whoever touches it now is caught */
        t->block[0] = NULL;
        for (unsigned i = 0; i < 3; i++) {
            assert_int_equal(in(t, R_STATUS), 0);
            assert_false(irq(t));
            read_data(t, buf, 1024);
            write_data(t, buf, 1024);
            lba28(t, 0, 0xC8, 0, 1);
            bm_start(t, true);
            bm_status(t);
            bm_stop(t);
            if (i == 0)
                soft_reset(t);
            if (i == 1)
                device_reset(ide_device(t));
        }
        t->base = ATA1;
        uint16_t id[256];
        identify(t, 0, 0xA1, id);
        ide_unplug_disks(t->ide);
        /* A restore does not bring them back. */
        saved = ide_save(t, &len);
        struct ide_rig *fresh = ide_rig_new();
        assert_true(device_load(ide_device(fresh), 1, saved, len, &err));
        assert_int_equal(in(fresh, R_STATUS), 0);
        assert_null(ide_drive_block(fresh->ide, 0));
        ide_rig_free(fresh);
        free(saved);
        ide_rig_free(t);
    }
    (void)state;
}

static struct piix3_ide_config same_disks(struct ide_rig *t)
{
    struct piix3_ide_config config = {0};
    config.drive[0].present = true;
    config.drive[0].block = t->block[0];
    config.drive[2].present = config.drive[2].cdrom = true;
    config.drive[2].block = t->block[2];
    return config;
}

/* Saved in the middle of a transfer, loaded elsewhere, and it goes on. */
static void test_migrate(void **state)
{
    struct ide_rig *t = ide_rig_new();
    struct piix3_ide_config config = same_disks(t);
    uint8_t *buf = malloc(600 * 512), *got = malloc(600 * 512);
    assert_non_null(buf);
    assert_non_null(got);
    (void)state;
    fill_pattern(t->block[0], 0, 2 << 20);
    /* A read: before the data, in the middle of a block, between two pieces. */
    lba48(t, 0, 0x24, 50, 600);
    t = ide_migrate(t, &config);
    run(t);
    assert_true(irq(t));
    read_data(t, got, 100 * 512 + 66);
    t = ide_migrate(t, &config);
    read_data(t, got + 100 * 512 + 66, 156 * 512 - 66);
    assert_int_equal(alt(t) & S_BSY, S_BSY);
    t = ide_migrate(t, &config);
    run(t);
    read_data(t, got + 256 * 512, 256 * 512);
    run(t);
    read_data(t, got + 512 * 512, 88 * 512);
    assert_pattern(got, 50 * 512, 600 * 512);
    assert_int_equal(in(t, R_STATUS), S_OK);
    /* A write. */
    for (unsigned i = 0; i < 600 * 512; i++)
        buf[i] = (uint8_t)(pattern(i) ^ 0x77);
    lba48(t, 0, 0x39, 50, 600);
    write_data(t, buf, 5000);
    t = ide_migrate(t, &config);
    write_data(t, buf + 5000, 256 * 512 - 5000);
    t = ide_migrate(t, &config);
    run(t);
    write_data(t, buf + 256 * 512, 256 * 512);
    run(t);
    write_data(t, buf + 512 * 512, 88 * 512);
    t = ide_migrate(t, &config);
    run(t);
    assert_int_equal(in(t, R_STATUS), S_OK);
    fake_block_get(t->block[0], 50 * 512, got, 600 * 512);
    assert_memory_equal(got, buf, 600 * 512);
    free(buf);
    free(got);
    ide_rig_free(t);
}

static void test_quiesce(void **state)
{
    struct ide_rig *t = *state;
    uint8_t buf[512];
    lba48(t, 0, 0x24, 0, 600);
    unsigned drains = t->block[0]->drains;
    for (unsigned i = 0; i < 2; i++)
        devices_quiesce(&t->rig->devices);
    assert_int_equal(t->block[0]->drains, drains + 1);
    assert_int_equal(t->block[0]->record_count, 1);
    for (unsigned i = 0; i < 256; i++)
        read_data(t, buf, 512);
    assert_int_equal(t->block[0]->pending, 0); /* parked between pieces */
    assert_int_equal(alt(t) & S_BSY, S_BSY);
    for (unsigned i = 0; i < 2; i++)
        devices_resume(&t->rig->devices);
    assert_int_equal(t->block[0]->pending, 1);
    run(t);
    assert_int_equal(in(t, R_STATUS), S_OK | S_DRQ);
}

static void test_state(void **state)
{
    struct ide_rig *t = *state;
    /* In the middle of a transfer. */
    lba28(t, 0, 0x20, 0, 4);
    run(t);
    rig_standard_tests(t->rig, ide_device(t));
    assert_int_equal(in(t, R_STATUS), S_OK | S_DRQ);
    /* A load sends the levels even if they are what they were. */
    struct err err;
    size_t len;
    uint8_t *saved = ide_save(t, &len);
    unsigned calls = t->rig->hv->isa_calls[14], other = t->rig->hv->isa_calls[15];
    assert_true(device_load(ide_device(t), 1, saved, len, &err));
    assert_int_equal(t->rig->hv->isa_calls[14], calls + 1);
    assert_int_equal(t->rig->hv->isa_calls[15], other + 1);
    free(saved);
}

/* Saved state of a command under way with every byte of its small fields set to hostile values: it
 * is refused, or runs to an end inside the buffer and the disk. */
static void test_hostile_state(void **state)
{
    static const uint8_t values[] = {1, 8};
    struct ide_rig *t = ide_rig_new();
    struct err err;
    size_t len;
    static uint8_t buf[4096];
    (void)state;
    for (unsigned start = 0; start < 2; start++) {
        soft_reset(t);
        lba28(t, 0, start ? 0x30 : 0x20, 100, 3);
        run(t);
        uint8_t *good = ide_save(t, &len), *bad = malloc(len);
        assert_non_null(bad);
        unsigned loaded = 0, refused = 0;
        /* All but the buffers, which are the last 128 KiB of each channel. */
        size_t channel = (len - 257) / 2 - (128u << 10);
        for (size_t i = 257; i < 257 + channel; i++) {
            for (unsigned k = 0; k <= sizeof(values); k++) {
                memcpy(bad, good, len);
                bad[i] = k == sizeof(values) ? (uint8_t)(bad[i] ^ 0xFF) : values[k];
                if (!device_load(ide_device(t), 1, bad, len, &err)) {
                    refused++;
                } else {
                    loaded++;
                    devices_resume(&t->rig->devices);
                    for (unsigned n = 0; n < 3; n++) {
                        run(t);
                        read_data(t, buf, sizeof(buf));
                        write_data(t, buf, sizeof(buf));
                        bm_start(t, n & 1);
                        bm_stop(t);
                    }
                }
                soft_reset(t);
                run(t);
                if (!ide_drive_block(t->ide, 0)) { /* the flag of an unplugged disk: for good */
                    ide_rig_free(t);
                    t = ide_rig_new();
                }
            }
        }
        assert_true(loaded > 0 && refused > 0);
        assert_true(device_load(ide_device(t), 1, good, len, &err));
        free(good);
        free(bad);
    }
    soft_reset(t);
    assert_alive(t);
    ide_rig_free(t);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_pci),
        cmocka_unit_test(test_realize_errors),
        T(test_presence),
        T(test_signatures),
        T(test_task_file),
        T(test_identify),
        T(test_pio_read),
        T(test_data_port),
        T(test_pio_write),
        T(test_write_cache),
        T(test_chs),
        T(test_range),
        T(test_read_errors),
        T(test_write_errors),
        T(test_multiple),
        T(test_settings),
        T(test_power),
        T(test_interrupt),
        T(test_reset_during_write),
        cmocka_unit_test(test_all_opcodes),
        cmocka_unit_test(test_trim),
        cmocka_unit_test(test_unplug),
        cmocka_unit_test(test_migrate),
        T(test_quiesce),
        T(test_state),
        cmocka_unit_test(test_hostile_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
