/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an IDE disk is beyond reading and writing: SMART, host protected area, sector sizes, TRIM,
 * geometry, size changes, read-ahead. */
#include <errno.h>
#include <limits.h>

#include "tests/device/ide_rig.h"

static int setup(void **state)
{
    struct piix3_ide_config config = {0};
    config.drive[0].present = config.drive[0].discard = true;
    config.drive[0].block = fake_block_new("disk", DISK_SIZE);
    fill_pattern(config.drive[0].block, 0, 2 << 20);
    *state = ide_rig_with(&config);
    return 0;
}

static int teardown(void **state)
{
    ide_rig_free(*state);
    return 0;
}

/* --- SMART --- */

static uint8_t smart(struct ide_rig *t, uint8_t feature, uint8_t count, uint8_t low)
{
    out(t, R_DEVICE, 0xA0);
    out(t, R_ERROR, feature);
    out(t, R_COUNT, count);
    out(t, R_LOW, low);
    out(t, R_MID, 0x4F);
    out(t, R_HIGH, 0xC2);
    out(t, R_STATUS, 0xB0);
    return in(t, R_STATUS);
}

static void smart_read(struct ide_rig *t, uint8_t feature, uint8_t log, uint8_t data[512])
{
    uint8_t sum = 0;
    assert_int_equal(smart(t, feature, 1, log), S_OK | S_DRQ);
    read_data(t, data, 512);
    assert_int_equal(in(t, R_STATUS), S_OK);
    for (unsigned i = 0; i < 512; i++)
        sum = (uint8_t)(sum + data[i]);
    if (feature != 0xD5 || log)
        assert_int_equal(sum, 0);
}

static void test_smart(void **state)
{
    struct ide_rig *t = *state;
    uint8_t data[512], limits[512];
    uint16_t id[256];
    rig_step(t->rig, 3 * 3600 * NS_PER_S);
    /* What smartctl -a asks, in its order. */
    identify(t, 0, 0xEC, id);
    assert_int_equal(id[82] & id[85] & 1, 1);
    assert_int_equal(id[84] & 3, 3);
    assert_int_equal(smart(t, 0xDA, 0, 0), S_OK);
    assert_int_equal(in(t, R_MID), 0x4F);
    assert_int_equal(in(t, R_HIGH), 0xC2);
    smart_read(t, 0xD0, 0, data);
    smart_read(t, 0xD1, 0, limits);
    unsigned attributes = 0;
    for (unsigned i = 0; i < 30; i++) {
        const uint8_t *a = data + 2 + 12 * i;
        assert_int_equal(a[0], limits[2 + 12 * i]);
        if (!a[0])
            continue;
        attributes++;
        assert_true(a[3] > limits[3 + 12 * i]); /* far from failing */
        if (a[0] == 9)
            assert_int_equal(a[5], 3); /* hours */
    }
    assert_int_equal(attributes, 7);
    assert_int_equal(data[362], 0);
    smart_read(t, 0xD5, 0, data);
    assert_int_equal(data[0], 1);
    assert_int_equal(data[2 * 1], 1);
    assert_int_equal(data[2 * 6], 1);
    smart_read(t, 0xD5, 1, data);
    assert_int_equal(data[0], 1);
    assert_int_equal(data[1] | data[452] | data[453], 0);
    smart_read(t, 0xD5, 6, data);
    assert_int_equal(data[508], 0);

    /* Off-line collection, self-tests: 23 of them, of which the log keeps 21. */
    assert_int_equal(smart(t, 0xD4, 0, 0), S_OK);
    smart_read(t, 0xD0, 0, data);
    assert_int_equal(data[362], 2);
    for (unsigned i = 0; i < 23; i++)
        assert_int_equal(smart(t, 0xD4, 0, i & 1 ? 2 : 0x81), S_OK);
    assert_int_equal(smart(t, 0xD4, 0, 0x7F), S_OK);
    assert_int_equal(smart(t, 0xD4, 0, 3), S_OK | S_ERR);
    smart_read(t, 0xD5, 6, data);
    assert_int_equal(data[508], 2);
    assert_int_equal(data[2], 2); /* the last two are where the first two were */
    assert_int_equal(data[2 + 24], 0x81);
    assert_int_equal(data[2 + 24 + 2], 3);
    assert_int_equal(data[2 + 24 * 3], 2);

    /* Autosave, saving; a disabled SMART answers nothing but ENABLE. */
    assert_int_equal(smart(t, 0xD2, 0xF1, 0), S_OK);
    assert_int_equal(smart(t, 0xD2, 0, 0), S_OK);
    assert_int_equal(smart(t, 0xD2, 7, 0), S_OK | S_ERR);
    assert_int_equal(smart(t, 0xD3, 0, 0), S_OK);
    assert_int_equal(smart(t, 0xD9, 0, 0), S_OK);
    identify(t, 0, 0xEC, id);
    assert_int_equal(id[85] & 1, 0);
    static const uint8_t all[] = {0xD0, 0xD1, 0xD2, 0xD3, 0xD4, 0xD5, 0xD9, 0xDA};
    for (size_t i = 0; i < sizeof(all); i++) {
        assert_int_equal(smart(t, all[i], 1, 0), S_OK | S_ERR);
        assert_int_equal(in(t, R_ERROR), 4);
    }
    assert_int_equal(smart(t, 0xD8, 0, 0), S_OK);
    assert_int_equal(smart(t, 0xDA, 0, 0), S_OK);
    /* Without the key, of an unknown log, of several sectors, unknown subcommands. */
    out(t, R_MID, 0);
    out(t, R_ERROR, 0xD0);
    out(t, R_STATUS, 0xB0);
    assert_int_equal(in(t, R_STATUS), S_OK | S_ERR);
    assert_int_equal(smart(t, 0xD5, 1, 0x80), S_OK | S_ERR);
    assert_int_equal(smart(t, 0xD5, 2, 1), S_OK | S_ERR);
    assert_int_equal(smart(t, 0xD6, 1, 0x80), S_OK | S_ERR);
    assert_int_equal(smart(t, 0, 0, 0), S_OK | S_ERR);
    /* General purpose logs are of Serial ATA disks. */
    lba48(t, 0, 0x2F, 0x10, 1);
    assert_int_equal(in(t, R_STATUS), S_OK | S_ERR);
    /* A reset of the machine leaves the log alone. */
    device_reset(ide_device(t));
    smart_read(t, 0xD5, 6, data);
    assert_int_equal(data[508], 2);
}

/* What hdparm asks for, and smartctl before it asks for more: each feature that IDENTIFY offers
 * answers, and what it does not offer is aborted. */
static void test_features_as_identified(void **state)
{
    struct ide_rig *t = *state;
    static const struct {
        const char *option;
        unsigned word, bit;
        uint8_t opcode, feature, count, low, mid, high;
    } uses[] = {
        {"smartctl -s on", 82, 0, 0xB0, 0xD8, 0, 0, 0x4F, 0xC2},
        {"hdparm --security-freeze", 82, 1, 0xF5, 0, 0, 0, 0, 0},
        {"hdparm -C", 82, 3, 0xE5, 0, 0, 0, 0, 0},
        {"hdparm -S 12", 82, 3, 0xE3, 0, 12, 0, 0, 0},
        {"hdparm -W1", 82, 5, 0xEF, 0x02, 0, 0, 0, 0},
        {"hdparm -A1", 82, 6, 0xEF, 0xAA, 0, 0, 0, 0},
        {"hdparm -N", 82, 10, 0xF8, 0, 0, 0, 0, 0},
        {"hdparm -B254", 83, 3, 0xEF, 0x05, 254, 0, 0, 0},
        {"hdparm -M254", 83, 9, 0xEF, 0x42, 254, 0, 0, 0},
        {"hdparm -N, 48 bits", 83, 10, 0x27, 0, 0, 0, 0, 0},
        {"hdparm --dco-identify", 83, 11, 0xB1, 0xC2, 0, 0, 0, 0},
        {"hdparm -F, 28 bits", 83, 12, 0xE7, 0, 0, 0, 0, 0},
        {"hdparm -F", 83, 13, 0xEA, 0, 0, 0, 0, 0},
        {"smartctl -l error", 84, 0, 0xB0, 0xD5, 1, 1, 0x4F, 0xC2},
        {"smartctl -l selftest", 84, 1, 0xB0, 0xD5, 1, 6, 0x4F, 0xC2},
        {"smartctl -l gplog,0", 84, 5, 0x2F, 0, 1, 0, 0, 0},
        {"smartctl -l scttemp", 206, 0, 0xB0, 0xD5, 1, 0xE0, 0x4F, 0xC2},
    };
    uint16_t id[256];

    for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++) {
        identify(t, 0, 0xEC, id);
        bool offered = id[uses[i].word] >> uses[i].bit & 1;
        out(t, R_DEVICE, 0xE0);
        out(t, R_ERROR, uses[i].feature);
        out(t, R_COUNT, 0);
        out(t, R_COUNT, uses[i].count);
        out(t, R_LOW, uses[i].low);
        out(t, R_MID, uses[i].mid);
        out(t, R_HIGH, uses[i].high);
        out(t, R_STATUS, uses[i].opcode);
        run(t);
        uint8_t status = in(t, R_STATUS);
        if (offered == !!(status & S_ERR))
            fail_msg("%s: offered %d, status %#x", uses[i].option, offered, status);
        if (status & S_ERR)
            assert_int_equal(in(t, R_ERROR), 4);
        if (status & S_DRQ) {
            uint8_t data[512];
            read_data(t, data, 512);
        }
        assert_int_equal(in(t, R_STATUS) & (S_BSY | S_DRQ), 0);
    }

    /* What is switched shows in the words that say what is on, and only there. */
    static const struct {
        uint8_t on, off;
        unsigned bit;
    } switches[] = {{0x02, 0x82, 5}, {0xAA, 0x55, 6}};
    for (unsigned i = 0; i < 4; i++) {
        out(t, R_ERROR, i & 1 ? switches[i / 2].on : switches[i / 2].off);
        out(t, R_STATUS, 0xEF);
        run(t);
        assert_int_equal(in(t, R_STATUS), S_OK);
        identify(t, 0, 0xEC, id);
        assert_int_equal(id[85] >> switches[i / 2].bit & 1, i & 1);
        assert_int_equal(id[82] >> switches[i / 2].bit & 1, 1);
    }
    /* Sizes agree: 28 bits, 48 bits, native. */
    uint64_t all =
        (uint64_t)id[103] << 48 | (uint64_t)id[102] << 32 | (uint32_t)id[101] << 16 | id[100];
    assert_int_equal(id[60] | (uint32_t)id[61] << 16, all);
    lba48(t, 0, 0x27, 0, 0);
    assert_int_equal(in(t, R_STATUS), S_OK);
    assert_int_equal(get_lba48(t), all - 1);
}

static void test_smart_errors(void **state)
{
    struct ide_rig *t = *state;
    uint8_t data[512];
    for (unsigned i = 0; i < 7; i++) {
        fake_block_heal(t->block[0]);
        fake_block_fail(t->block[0], BLOCK_READ, (1000 + i) * 512, 512, EIO, UINT_MAX);
        lba28(t, 0, 0x40, 900, 200);
        run(t);
        assert_int_equal(in(t, R_ERROR), 0x40);
    }
    smart_read(t, 0xD5, 1, data);
    assert_int_equal(data[1], 2); /* the seventh is in the second place */
    assert_int_equal(data[452], 7);
    for (unsigned i = 0; i < 5; i++) {
        const uint8_t *command = data + 2 + 90 * i + 48, *error = command + 12;
        assert_int_equal(command[7], 0x40);
        assert_int_equal(error[1], 0x40);
        assert_int_equal(error[3] | error[4] << 8, 1000 + (i < 2 ? i + 5 : i));
        assert_int_equal(error[7], S_OK | S_ERR);
    }
    smart_read(t, 0xD0, 0, data);
    for (unsigned i = 0; i < 30; i++)
        if (data[2 + 12 * i] == 0xBB)
            assert_int_equal(data[2 + 12 * i + 5], 7);
    rig_standard_tests(t->rig, ide_device(t));
}

/* --- Host protected area --- */

static void native_max(struct ide_rig *t, bool ext)
{
    out(t, R_DEVICE, 0xE0);
    out(t, R_STATUS, ext ? 0x27 : 0xF8);
    assert_int_equal(in(t, R_STATUS), S_OK);
}

static uint32_t identified_sectors(struct ide_rig *t)
{
    uint16_t id[256];
    identify(t, 0, 0xEC, id);
    assert_int_equal(id[60] | id[61] << 16, id[100] | id[101] << 16);
    return (uint32_t)(id[60] | id[61] << 16);
}

static void test_host_protected_area(void **state)
{
    struct ide_rig *t = *state;
    const uint32_t all = DISK_SIZE / 512;
    uint16_t id[256];
    identify(t, 0, 0xEC, id);
    assert_int_equal(id[82] & id[85] & 0x400, 0x400);
    for (unsigned ext = 0; ext < 2; ext++) {
        native_max(t, ext);
        assert_int_equal(get_lba48(t) & 0xFFFFFF, all - 1);
        if (ext)
            lba48(t, 0, 0x37, 9999, 0);
        else
            lba28(t, 0, 0xF9, 9999, 0);
        assert_int_equal(in(t, R_STATUS), S_OK);
        assert_int_equal(identified_sectors(t), 10000);
        lba28(t, 0, 0x40, 9999, 1);
        run(t);
        assert_int_equal(in(t, R_STATUS), S_OK);
        lba28(t, 0, 0x40, 9999, 2);
        assert_int_equal(in(t, R_ERROR), 0x10);
        assert_int_equal(get_lba28(t), 10000);
        lba48(t, 0, 0x25, 10000, 1);
        assert_int_equal(in(t, R_ERROR), 0x10);
        native_max(t, ext);
        assert_int_equal(get_lba48(t) & 0xFFFFFF, all - 1); /* still */
        /* A software reset keeps it, a hardware reset does not. */
        soft_reset(t);
        assert_int_equal(identified_sectors(t), 10000);
        device_reset(ide_device(t));
        assert_int_equal(identified_sectors(t), all);
    }
    /* Only straight after READ NATIVE MAX, and that of its kind; for this power cycle only. */
    lba28(t, 0, 0xF9, 9999, 0);
    assert_int_equal(in(t, R_ERROR), 4);
    native_max(t, true);
    lba28(t, 0, 0xF9, 9999, 0);
    assert_int_equal(in(t, R_ERROR), 4);
    native_max(t, false);
    out(t, R_STATUS, 0xE5);
    lba28(t, 0, 0xF9, 9999, 0);
    assert_int_equal(in(t, R_ERROR), 4);
    native_max(t, false);
    lba28(t, 0, 0xF9, 9999, 1);
    assert_int_equal(in(t, R_ERROR), 4);
    native_max(t, false);
    lba28(t, 0, 0xF9, all, 0);
    assert_int_equal(in(t, R_ERROR), 0x10);
    native_max(t, false);
    lba28(t, 0, 0xF9, all - 1, 0);
    assert_int_equal(in(t, R_STATUS), S_OK);
    /* The password commands that share the opcode. */
    for (uint8_t feature = 1; feature <= 4; feature++) {
        out(t, R_ERROR, feature);
        lba28(t, 0, 0xF9, 0, 0);
        assert_int_equal(in(t, R_ERROR), 4);
    }
    assert_int_equal(identified_sectors(t), all);
    /* It is saved. */
    native_max(t, true);
    lba48(t, 0, 0x37, 99, 0);
    struct piix3_ide_config config = {.drive[0] = {.present = true, .block = t->block[0]}};
    *state = t = ide_migrate(t, &config);
    assert_int_equal(identified_sectors(t), 100);
}

/* --- Size --- */

static void test_resize(void **state)
{
    struct ide_rig *t = *state;
    t->block[0]->bytes = 3 * (uint64_t)DISK_SIZE;
    assert_int_equal(identified_sectors(t), 3 * DISK_SIZE / 512);
    lba28(t, 0, 0x40, 3 * DISK_SIZE / 512 - 1, 1);
    run(t);
    assert_int_equal(in(t, R_STATUS), S_OK);
    native_max(t, false);
    assert_int_equal(get_lba28(t), 3 * DISK_SIZE / 512 - 1);
    t->block[0]->bytes = DISK_SIZE / 2;
    assert_int_equal(identified_sectors(t), DISK_SIZE / 2 / 512);
    lba28(t, 0, 0x40, DISK_SIZE / 2 / 512, 1);
    assert_int_equal(in(t, R_ERROR), 0x10);
}

static void test_geometry(void **state)
{
    static const struct {
        uint32_t cyls;
        enum ide_translation asked, told;
    } cases[] = {
        {0, IDE_TRANSLATION_AUTO, IDE_TRANSLATION_NONE},
        {1024, IDE_TRANSLATION_AUTO, IDE_TRANSLATION_NONE},
        {1025, IDE_TRANSLATION_AUTO, IDE_TRANSLATION_LBA},
        {1025, IDE_TRANSLATION_NONE, IDE_TRANSLATION_NONE},
        {0, IDE_TRANSLATION_LBA, IDE_TRANSLATION_LBA},
        {100, IDE_TRANSLATION_LARGE, IDE_TRANSLATION_LARGE},
        {100, IDE_TRANSLATION_RECHS, IDE_TRANSLATION_RECHS},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct piix3_ide_config config = {.drive[3] = {.present = true,
                                                       .block = fake_block_new("disk", DISK_SIZE),
                                                       .cyls = cases[i].cyls,
                                                       .heads = cases[i].cyls ? 4 : 0,
                                                       .secs = cases[i].cyls ? 17 : 0,
                                                       .translation = cases[i].asked}};
        struct ide_rig *t = ide_rig_with(&config);
        struct ide_geometry g;
        ide_drive_geometry(t->ide, 3, &g);
        assert_int_equal(g.translation, cases[i].told);
        assert_int_equal(g.cylinders, cases[i].cyls ? cases[i].cyls : DISK_SIZE / 512 / 1008);
        ide_rig_free(t);
    }
}

/* --- Sector sizes --- */

static struct ide_rig *rig_of_sectors(uint32_t logical, uint32_t physical)
{
    struct piix3_ide_config config = {.drive[0] = {.present = true,
                                                   .block = fake_block_new("disk", DISK_SIZE),
                                                   .logical_block = logical,
                                                   .physical_block = physical,
                                                   .discard = true}};
    fill_pattern(config.drive[0].block, 0, 2 << 20);
    return ide_rig_with(&config);
}

static void test_physical_sectors(void **state)
{
    static const struct {
        uint32_t logical, physical;
        uint16_t word106;
        uint32_t words117;
    } cases[] = {
        {0, 0, 0x4000, 0},       {512, 512, 0x4000, 0},       {512, 4096, 0x6003, 0},
        {0, 1 << 20, 0x600B, 0}, {4096, 4096, 0x5000, 2048},  {4096, 0, 0x5000, 2048},
        {512, 1024, 0x6001, 0},  {4096, 16384, 0x7002, 2048},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ide_rig *t = rig_of_sectors(cases[i].logical, cases[i].physical);
        uint16_t id[256];
        identify(t, 0, 0xEC, id);
        assert_int_equal(id[106], cases[i].word106);
        assert_int_equal(id[117] | id[118] << 16, cases[i].words117);
        assert_int_equal(id[209], 0x4000);
        assert_int_equal(id[60] | id[61] << 16,
                         DISK_SIZE / (cases[i].logical ? cases[i].logical : 512));
        ide_rig_free(t);
    }
}

/* Logical sectors of 4096 bytes: addresses, counts, DRQ blocks, DMA, errors, TRIM count in them. */
static void test_large_sectors(void **state)
{
    struct ide_rig *t = rig_of_sectors(4096, 0);
    const uint32_t all = DISK_SIZE / 4096;
    uint8_t *buf = malloc(40 * 4096), *got = malloc(40 * 4096);
    assert_non_null(buf);
    assert_non_null(got);
    (void)state;
    /* PIO: a DRQ block is a sector, 40 of them take two requests; then 16 sectors a block. */
    for (unsigned multiple = 0; multiple < 2; multiple++) {
        unsigned before = irqs(t);
        lba28(t, 0, multiple ? 0xC4 : 0x20, 5, 40);
        for (unsigned at = 0; at < 40; at += multiple ? 16 : 1) {
            run(t);
            assert_int_equal(in(t, R_STATUS), S_OK | S_DRQ);
            unsigned n = multiple ? 40 - at < 16 ? 40 - at : 16 : 1;
            read_data(t, buf + at * 4096, n * 4096);
        }
        assert_pattern(buf, 5 * 4096, 40 * 4096);
        assert_int_equal(in(t, R_STATUS), S_OK);
        assert_int_equal(get_lba28(t), 44);
        assert_int_equal(irqs(t) - before, multiple ? 3 : 40);
    }
    for (unsigned i = 0; i < 40 * 4096; i++)
        buf[i] = (uint8_t)(pattern(i) ^ 0x33);
    lba48(t, 0, 0x34, 100, 40);
    for (unsigned at = 0; at < 40; at++) {
        run(t);
        write_data(t, buf + at * 4096, 4096);
    }
    run(t);
    assert_int_equal(in(t, R_STATUS), S_OK);
    fake_block_get(t->block[0], 100 * 4096, got, 40 * 4096);
    assert_memory_equal(got, buf, 40 * 4096);
    /* DMA, into regions that are no multiples of a sector. */
    put_prd(t, 0, 0x100000, 1000);
    put_prd(t, 1, 0x110000, (8192 - 1000) | PRD_EOT);
    lba28(t, 0, 0xC8, 7, 2);
    bm_start(t, true);
    run(t);
    assert_int_equal(bm_status(t), BM_INT);
    assert_pattern(t->rig->hv->ram + 0x100000, 7 * 4096, 1000);
    assert_pattern(t->rig->hv->ram + 0x110000, 7 * 4096 + 1000, 8192 - 1000);
    in(t, R_STATUS);
    bm_stop(t);
    /* The end. */
    lba28(t, 0, 0x40, all - 1, 1);
    run(t);
    assert_int_equal(in(t, R_STATUS), S_OK);
    lba28(t, 0, 0x40, all - 1, 2);
    assert_int_equal(in(t, R_ERROR), 0x10);
    assert_int_equal(get_lba28(t), all);
    native_max(t, false);
    assert_int_equal(get_lba28(t), all - 1);
    /* A bad half-kilobyte in the middle of a sector: the sector's address, and what is left. */
    fake_block_fail(t->block[0], BLOCK_READ, 9 * 4096 + 1024, 512, EIO, UINT_MAX);
    lba28(t, 0, 0x20, 7, 10);
    for (unsigned i = 0; i < 2; i++) {
        run(t);
        assert_int_equal(in(t, R_STATUS), S_OK | S_DRQ);
        read_data(t, buf, 4096);
        assert_pattern(buf, (7 + i) * 4096, 4096);
    }
    run(t);
    assert_int_equal(in(t, R_STATUS), S_OK | S_ERR);
    assert_int_equal(get_lba28(t), 9);
    assert_int_equal(in(t, R_COUNT), 8);
    /* TRIM. */
    put_prd(t, 0, 0x8000, 512 | PRD_EOT);
    rig_mem_write(t->rig, 0x8000, 8, 20 | 2ull << 48);
    out(t, R_ERROR, 1);
    lba48(t, 0, 0x06, 0, 1);
    bm_start(t, false);
    run(t);
    assert_int_equal(in(t, R_STATUS), S_OK);
    const struct fake_record *r = &t->block[0]->records[t->block[0]->record_count - 1];
    assert_int_equal(r->op, BLOCK_DISCARD);
    assert_int_equal(r->offset, 20 * 4096);
    assert_int_equal(r->bytes, 2 * 4096);
    rig_standard_tests(t->rig, ide_device(t));
    free(buf);
    free(got);
    ide_rig_free(t);
}

/* --- TRIM --- */

static void trim(struct ide_rig *t, unsigned blocks)
{
    put_prd(t, 0, 0x8000, (blocks * 512) | PRD_EOT);
    out(t, R_ERROR, 1);
    lba48(t, 0, 0x06, 0, blocks);
    bm_start(t, false);
    run(t);
    assert_int_equal(in(t, R_STATUS), S_OK);
    bm_stop(t);
}

/* As Linux sends it: one stretch in entries of 65,535 sectors each: one request to the image. */
static void test_trim_ranges(void **state)
{
    struct piix3_ide_config config = {0};
    config.drive[0].present = config.drive[0].discard = true;
    config.drive[0].block = fake_block_new("big", 1ull << 40);
    struct ide_rig *t = ide_rig_with(&config);
    (void)state;
    for (unsigned i = 0; i < 512; i++)
        rig_mem_write(t->rig, 0x8000 + 8 * i, 8, (1000 + 65535ull * i) | 65535ull << 48);
    trim(t, 8);
    assert_int_equal(t->block[0]->record_count, 1);
    assert_int_equal(t->block[0]->records[0].op, BLOCK_DISCARD);
    assert_int_equal(t->block[0]->records[0].offset, 1000 * 512);
    assert_int_equal(t->block[0]->records[0].bytes, 512ull * 65535 * 512);
    /* A gap, a step back, an overlap: separate; entries of no sectors count for nothing. */
    static const uint64_t entries[] = {100 | 10ull << 48, 110 | 10ull << 48, 0,
                                       120 | 5ull << 48,  126 | 1ull << 48,  50 | 1ull << 48,
                                       50 | 2ull << 48};
    memset(t->rig->hv->ram + 0x8000, 0, 512);
    for (unsigned i = 0; i < 7; i++)
        rig_mem_write(t->rig, 0x8000 + 8 * i, 8, entries[i]);
    trim(t, 1);
    static const struct {
        uint64_t first, count;
    } want[] = {{100, 25}, {126, 1}, {50, 1}, {50, 2}};
    assert_int_equal(t->block[0]->record_count, 5);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(t->block[0]->records[1 + i].offset, want[i].first * 512);
        assert_int_equal(t->block[0]->records[1 + i].bytes, want[i].count * 512);
    }
    ide_rig_free(t);
    /* Pieces of 4096 bytes only: what is not a whole one stays. */
    config.drive[0].block = fake_block_new("big", 1ull << 40);
    config.drive[0].discard_granularity = 4096;
    t = ide_rig_with(&config);
    static const uint64_t pieces[] = {1 | 7ull << 48, 8 | 9ull << 48, 19 | 12ull << 48,
                                      39 | 2ull << 48, 63 | 18ull << 48};
    static const struct {
        uint64_t first, count;
    } left[] = {{8, 8}, {64, 16}}; /* of 1-16, 19-30, 39-40 and 63-80: 24-30 is no whole one */
    for (unsigned i = 0; i < 64; i++)
        rig_mem_write(t->rig, 0x8000 + 8 * i, 8, i < 5 ? pieces[i] : 0);
    trim(t, 1);
    assert_int_equal(t->block[0]->record_count, 2);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(t->block[0]->records[i].offset, left[i].first * 512);
        assert_int_equal(t->block[0]->records[i].bytes, left[i].count * 512);
    }
    ide_rig_free(t);
}

static void test_trim_refused(void **state)
{
    struct piix3_ide_config config = {0};
    uint16_t id[256];
    (void)state;
    config.drive[0] = (struct ide_drive_config){.present = true,
                                                .block = fake_block_new("disk", DISK_SIZE),
                                                .no_trim = true,
                                                .discard = true};
    config.drive[1] =
        (struct ide_drive_config){.present = true, .block = fake_block_new("ignores", DISK_SIZE)};
    struct ide_rig *t = ide_rig_with(&config);
    identify(t, 0, 0xEC, id);
    assert_int_equal(id[169] | id[105], 0);
    out(t, R_ERROR, 1);
    lba48(t, 0, 0x06, 0, 1);
    assert_int_equal(in(t, R_STATUS), S_OK | S_ERR);
    assert_int_equal(in(t, R_ERROR), 4);
    /* Offered, and ignored. */
    identify(t, 1, 0xEC, id);
    assert_int_equal(id[169], 1);
    put_prd(t, 0, 0x8000, 512 | PRD_EOT);
    rig_mem_write(t->rig, 0x8000, 8, 1 | 1ull << 48);
    out(t, R_ERROR, 1);
    lba48(t, 1, 0x06, 0, 1);
    bm_start(t, false);
    run(t);
    assert_int_equal(in(t, R_STATUS), S_OK);
    assert_int_equal(t->block[1]->record_count, 0);
    ide_rig_free(t);
}

/* --- Errors inside a DRQ block --- */

/* READ MULTIPLE: the host takes a block in one go, so all of it is there, or none. */
static void test_multiple_errors(void **state)
{
    struct ide_rig *t = *state;
    uint8_t buf[16 * 512];
    for (unsigned times = 0; times < 2; times++) {
        fake_block_heal(t->block[0]);
        fake_block_fail(t->block[0], BLOCK_READ, 539 * 512, 512, EIO, times ? UINT_MAX : 3);
        lba28(t, 0, 0xC4, 500, 100);
        unsigned good = times ? 2 : 7;
        for (unsigned i = 0; i < good; i++) {
            run(t);
            unsigned n = i < 6 ? 16 : 4;
            assert_int_equal(in(t, R_STATUS), S_OK | S_DRQ);
            read_data(t, buf, n * 512);
            assert_pattern(buf, (500 + 16 * i) * 512, n * 512);
        }
        run(t);
        assert_int_equal(in(t, R_STATUS), times ? S_OK | S_ERR : S_OK);
        if (times) {
            assert_int_equal(get_lba28(t), 539);
            assert_int_equal(in(t, R_COUNT), 61);
        }
    }
}

/* --- Read-ahead --- */

static void read_at(struct ide_rig *t, uint32_t lba, unsigned count)
{
    uint8_t buf[64 * 512];
    lba28(t, 0, 0x20, lba, count);
    run(t);
    assert_int_equal(in(t, R_STATUS), S_OK | S_DRQ);
    read_data(t, buf, count * 512);
    assert_pattern(buf, lba * 512, count * 512);
    assert_int_equal(in(t, R_STATUS), S_OK);
}

static unsigned reads(struct ide_rig *t)
{
    return t->block[0]->record_count + t->block[0]->pending;
}

static void test_ahead(void **state)
{
    struct ide_rig *t = *state;
    uint8_t buf[512];
    /* Sector after sector, as a boot loader does: requests become few, and large. */
    for (unsigned i = 0; i < 600; i++)
        read_at(t, 1000 + i, 1);
    assert_true(reads(t) < 12);
    uint64_t end = 0;
    for (unsigned i = 0; i < t->block[0]->record_count; i++) {
        const struct fake_record *r = &t->block[0]->records[i];
        assert_true(r->bytes <= 128 << 10);
        if (r->offset + r->bytes > end)
            end = r->offset + r->bytes;
    }
    assert_true(end <= (1600 + 256) * 512);
    /* What is already here comes without waiting: DRQ at once, interrupt too. */
    run(t);
    unsigned before = reads(t);
    lba28(t, 0, 0x20, 1600, 1);
    assert_int_equal(alt(t), S_OK | S_DRQ);
    assert_true(irq(t));
    read_data(t, buf, 512);
    assert_pattern(buf, 1600 * 512, 512);
    assert_int_equal(reads(t), before);
    /* While it is on its way: BSY, until it is here. */
    for (unsigned i = 0; i < 2; i++)
        read_at(t, 2000 + i, 1);
    lba28(t, 0, 0x20, 2002, 1);
    run(t);
    read_data(t, buf, 512);
    while (t->block[0]->pending == 0) {
        uint32_t next = get_lba28(t) + 1;
        lba28(t, 0, 0x20, next, 1);
        assert_int_equal(alt(t), S_OK | S_DRQ);
        read_data(t, buf, 512);
        assert_true(next < 2600);
    }
    uint32_t next = get_lba28(t) + 1;
    lba28(t, 0, 0x20, next, 1);
    assert_int_equal(alt(t) & (S_BSY | S_DRQ), S_BSY);
    assert_int_equal(t->block[0]->pending, 1);
    run(t);
    assert_int_equal(in(t, R_STATUS), S_OK | S_DRQ);
    read_data(t, buf, 512);
    assert_pattern(buf, next * 512, 512);
    /* A whole long command knows what comes next. */
    lba48(t, 0, 0x24, 100, 600);
    run(t);
    uint8_t *big = malloc(256 * 512);
    assert_non_null(big);
    assert_int_equal(t->block[0]->pending, 0);
    read_data(t, big, 256 * 512);
    assert_int_equal(alt(t), S_OK | S_DRQ);
    read_data(t, big, 256 * 512);
    assert_pattern(big, 356 * 512, 256 * 512);
    run(t);
    read_data(t, big, 88 * 512);
    assert_pattern(big, 612 * 512, 88 * 512);
    free(big);
}

/* Each of these makes the data that were read ahead worthless. */
static void test_ahead_dropped(void **state)
{
    for (unsigned how = 0; how < 8; how++) {
        setup(state);
        struct ide_rig *t = *state;
        uint8_t buf[512], fresh[512];
        read_at(t, 1000, 1);
        read_at(t, 1001, 1);
        if (how & 1)
            run(t); /* here; else on its way */
        memset(fresh, 0x11 + (int)how, 512);
        switch (how / 2) {
        case 0: /* the guest writes it */
            lba28(t, 0, 0x30, 1002, 1);
            write_data(t, fresh, 512);
            run(t);
            break;
        case 1: /* reset, and somebody else writes it */
            soft_reset(t);
            run(t);
            fake_block_put(t->block[0], 1002 * 512, fresh, 512);
            break;
        case 2: /* the guest wants none, then some */
            for (unsigned i = 0; i < 2; i++) {
                out(t, R_ERROR, i ? 0xAA : 0x55);
                out(t, R_STATUS, 0xEF);
                run(t);
            }
            fake_block_put(t->block[0], 1002 * 512, fresh, 512);
            break;
        default: /* it is old */
            run(t);
            rig_step(t->rig, NS_PER_S);
            fake_block_put(t->block[0], 1002 * 512, fresh, 512);
            break;
        }
        in(t, R_STATUS);
        lba28(t, 0, 0x20, 1002, 1);
        run(t);
        assert_int_equal(in(t, R_STATUS), S_OK | S_DRQ);
        read_data(t, buf, 512);
        assert_memory_equal(buf, fresh, 512);
        teardown(state);
    }
    setup(state);
}

static void test_ahead_limits(void **state)
{
    struct ide_rig *t = *state;
    const uint32_t end = DISK_SIZE / 512;
    uint8_t buf[512];
    fill_pattern(t->block[0], DISK_SIZE - 4096, 4096);
    /* Not past the end, not after single reads here and there, not when it is switched off. */
    for (uint32_t lba = end - 6; lba < end; lba++)
        read_at(t, lba, 1);
    for (unsigned i = 0; i < t->block[0]->record_count; i++)
        assert_int_equal(t->block[0]->records[i].error, 0);
    unsigned before = reads(t);
    for (unsigned i = 0; i < 20; i++)
        read_at(t, 100 + 7 * i, 1);
    assert_int_equal(reads(t) - before, 20);
    out(t, R_ERROR, 0x55);
    out(t, R_STATUS, 0xEF);
    before = reads(t);
    for (unsigned i = 0; i < 20; i++)
        read_at(t, 300 + i, 1);
    assert_int_equal(reads(t) - before, 20);
    out(t, R_ERROR, 0xAA);
    out(t, R_STATUS, 0xEF);
    /* A bad sector ahead is nobody's business until it is read. */
    fake_block_fail(t->block[0], BLOCK_READ, 510 * 512, 512, EIO, UINT_MAX);
    for (uint32_t lba = 500; lba < 510; lba++)
        read_at(t, lba, 1);
    lba28(t, 0, 0x20, 510, 1);
    run(t);
    assert_int_equal(in(t, R_STATUS), S_OK | S_ERR);
    assert_int_equal(in(t, R_ERROR), 0x40);
    assert_int_equal(get_lba28(t), 510);
    /* Saved and gone while one is on its way; unplugged likewise. */
    fake_block_heal(t->block[0]);
    read_at(t, 700, 1);
    read_at(t, 701, 1);
    lba28(t, 0, 0x20, 702, 1);
    run(t);
    read_data(t, buf, 512);
    struct piix3_ide_config config = {.drive[0] = {.present = true, .block = t->block[0]}};
    *state = t = ide_migrate(t, &config);
    assert_int_equal(t->block[0]->pending, 0);
    for (uint32_t lba = 703; lba < 706; lba++)
        read_at(t, lba, 1);
    ide_unplug_disks(t->ide);
    assert_int_equal(t->block[0]->pending, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_smart),
        T(test_features_as_identified),
        T(test_smart_errors),
        T(test_host_protected_area),
        T(test_resize),
        cmocka_unit_test(test_geometry),
        cmocka_unit_test(test_physical_sectors),
        cmocka_unit_test(test_large_sectors),
        cmocka_unit_test(test_trim_ranges),
        cmocka_unit_test(test_trim_refused),
        T(test_multiple_errors),
        T(test_ahead),
        cmocka_unit_test_teardown(test_ahead_dropped, teardown),
        T(test_ahead_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
