/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_ide_life: errors, settings, interrupts, resets, every opcode, unplug, migration and state of
 * IDE disks. */
#include "tests/device/ide_fixture.h"

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
