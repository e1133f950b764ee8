/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The CD drive: PACKET protocol by PIO and DMA, MMC commands, sense data, tray and media changes.
 */
#include <errno.h>
#include <limits.h>

#include "tests/device/ide_rig.h"

#define DATA   0x100000u
#define BLOCKS (CD_SIZE / 2048)

static unsigned tray_calls;
static bool tray_is_open;

static void tray_moved(void *opaque, unsigned unit, bool open)
{
    assert_ptr_equal(opaque, &tray_calls);
    assert_int_equal(unit, 2);
    tray_calls++;
    tray_is_open = open;
}

static struct ide_rig *new_drive(struct block *cd)
{
    struct piix3_ide_config config = {0};
    config.drive[2].present = config.drive[2].cdrom = true;
    config.drive[2].block = cd;
    config.tray_moved = tray_moved;
    config.opaque = &tray_calls;
    struct ide_rig *t = ide_rig_with(&config);
    t->base = ATA1;
    if (cd) {
        cd->read_only = true;
        fill_pattern(cd, 0, 1 << 20);
    }
    return t;
}

static uint8_t *ram(struct ide_rig *t, uint32_t addr)
{
    return t->rig->hv->ram + addr;
}

static void send_packet(struct ide_rig *t, const uint8_t *cdb, unsigned limit, bool dma)
{
    out(t, R_DEVICE, 0xA0);
    out(t, R_ERROR, dma);
    out(t, R_MID, (uint8_t)limit);
    out(t, R_HIGH, (uint8_t)(limit >> 8));
    out(t, R_STATUS, 0xA0);
    assert_int_equal(alt(t), S_OK | S_DRQ);
    assert_int_equal(in(t, R_COUNT), 1); /* command packet wanted */
    assert_false(irq(t));
    write_data(t, cdb, 12);
}

/* Runs a packet command with PIO data in, as a driver does; returns the bytes it got, -1 on CHECK
 * CONDITION. */
static int packet(struct ide_rig *t, const uint8_t *cdb, uint8_t *buf, unsigned limit)
{
    int got = 0;
    send_packet(t, cdb, limit, false);
    for (;;) {
        run(t);
        assert_true(irq(t));
        uint8_t status = in(t, R_STATUS), reason = in(t, R_COUNT);
        assert_false(irq(t));
        if (status & S_ERR) {
            assert_int_equal(status, S_OK | S_ERR);
            assert_int_equal(reason, 3);
            return -1;
        }
        if (!(status & S_DRQ)) {
            assert_int_equal(status, S_OK);
            assert_int_equal(reason, 3);
            return got;
        }
        assert_int_equal(reason, 2);
        unsigned n = in(t, R_MID) | in(t, R_HIGH) << 8;
        assert_true(n > 0 && n <= limit);
        read_data(t, buf + got, (n + 1) & ~1u);
        got += (int)n;
    }
}

static void sense(struct ide_rig *t, uint8_t key, uint8_t asc, uint8_t ascq)
{
    uint8_t b[18] = {0};
    assert_int_equal(packet(t, (const uint8_t[12]){0x03, 0, 0, 0, 18}, b, 18), 18);
    assert_int_equal(b[0], 0x70);
    assert_int_equal(b[7], 10);
    assert_int_equal(b[2], key);
    assert_int_equal(b[12], asc);
    assert_int_equal(b[13], ascq);
}

static void check(struct ide_rig *t, const uint8_t *cdb, uint8_t key, uint8_t asc, uint8_t ascq)
{
    static uint8_t buf[65536];
    assert_int_equal(packet(t, cdb, buf, 2048), -1);
    assert_int_equal(in(t, R_ERROR) >> 4, key);
    sense(t, key, asc, ascq);
}

#define CDB(...) ((const uint8_t[12]){__VA_ARGS__})
#define TUR      CDB(0)

static int setup(void **state)
{
    struct ide_rig *t = new_drive(fake_block_new("cd", CD_SIZE));
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    ide_rig_free(*state);
    return 0;
}

static void test_identify(void **state)
{
    struct ide_rig *t = *state;
    uint16_t id[256];
    uint8_t b[64] = {0}, sum = 0;
    identify(t, 0, 0xA1, id);
    for (unsigned i = 0; i < 512; i++)
        sum = (uint8_t)(sum + ((uint8_t *)id)[i]);
    assert_int_equal(sum, 0);
    assert_int_equal(id[0], 0x85C0);
    assert_memory_equal(&id[10], "MQ0000 3", 8);
    assert_memory_equal(&id[27], "EQUMD DVR-MO", 12);
    assert_int_equal(id[82] & 0x0210, 0x0210);
    assert_int_equal(packet(t, CDB(0x12, 0, 0, 0, 36), b, 0xFFFF), 36);
    assert_int_equal(b[0], 5);
    assert_int_equal(b[1], 0x80);
    assert_int_equal(b[3], 0x21);
    assert_memory_equal(b + 8, "QEMU    QEMU DVD-ROM    2.5+", 28);
    /* Allocation length cuts, to an odd length too; zero is no error. */
    assert_int_equal(packet(t, CDB(0x12, 0, 0, 0, 5), b, 0xFFFE), 5);
    assert_int_equal(packet(t, CDB(0x12, 0, 0, 0, 0), b, 0xFFFE), 0);
    assert_int_equal(packet(t, CDB(0x12, 1, 0x00, 0, 255), b, 64), 7);
    assert_int_equal(b[6], 0x83);
    assert_int_equal(packet(t, CDB(0x12, 1, 0x80, 0, 255), b, 64), 24);
    assert_memory_equal(b + 4, "QM00003 ", 8);
    assert_int_equal(packet(t, CDB(0x12, 1, 0x83, 0, 255), b, 64), 28);
    check(t, CDB(0x12, 1, 0x99, 0, 255), 5, 0x24, 0);
    check(t, CDB(0x12, 0, 0x80, 0, 255), 5, 0x24, 0);
}

/* Byte count limits: even, odd, 0xFFFF, smaller than a sector, none at all. */
static void test_byte_count(void **state)
{
    struct ide_rig *t = *state;
    static uint8_t buf[100 * 2048];
    static const struct {
        unsigned limit, first;
    } cases[] = {{2048, 2048}, {0xFFFF, 0xFFFE}, {0xFFFE, 0xFFFE}, {4097, 4096}, {512, 512},
                 {513, 512},   {3000, 3000},     {2, 2},           {3, 2}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned count = cases[i].limit < 512 ? 1 : 100;
        const uint8_t *cdb = CDB(0x28, 0, 0, 0, 0, 50, 0, 0, (uint8_t)count);
        unsigned requests = t->block[2]->record_count;
        send_packet(t, cdb, cases[i].limit, false);
        run(t);
        assert_int_equal(in(t, R_MID) | in(t, R_HIGH) << 8, cases[i].first);
        soft_reset(t);
        memset(buf, 0, sizeof(buf));
        assert_int_equal(packet(t, cdb, buf, cases[i].limit), count * 2048);
        assert_pattern(buf, 50 * 2048, count * 2048);
        /* One request per 64 blocks, the first time and the second; the last 36 are read ahead. */
        assert_int_equal(t->block[2]->record_count - requests, count == 1 ? 2 : 4);
    }
    for (unsigned limit = 0; limit < 2; limit++) {
        send_packet(t, CDB(0x28, 0, 0, 0, 0, 0, 0, 0, 1), limit, false);
        run(t);
        assert_int_equal(in(t, R_STATUS), S_OK | S_ERR);
        assert_int_equal(in(t, R_ERROR), 0x54);
    }
    assert_int_equal(packet(t, TUR, buf, 0), 0); /* without data it does not matter */
    /* Overlap is not had. */
    out(t, R_ERROR, 2);
    out(t, R_STATUS, 0xA0);
    assert_int_equal(in(t, R_STATUS), S_OK | S_ERR);
    assert_int_equal(in(t, R_ERROR), 4);
}

static int packet_dma(struct ide_rig *t, const uint8_t *cdb)
{
    bm_stop(t);
    send_packet(t, cdb, 0, true);
    bm_start(t, true);
    run(t);
    assert_true(irq(t));
    uint8_t status = in(t, R_STATUS);
    assert_int_equal(in(t, R_COUNT), 3);
    return status & S_ERR ? -1 : 0;
}

static void test_dma(void **state)
{
    struct ide_rig *t = *state;
    put_prd(t, 0, DATA, 0x8000);
    put_prd(t, 1, DATA + 0x10000, 0x8000 | PRD_EOT);
    assert_int_equal(packet_dma(t, CDB(0x28, 0, 0, 0, 0, 7, 0, 0, 32)), 0);
    assert_int_equal(bm_status(t), BM_INT);
    assert_pattern(ram(t, DATA), 7 * 2048, 0x8000);
    assert_pattern(ram(t, DATA + 0x10000), 7 * 2048 + 0x8000, 0x8000);
    assert_int_equal(packet_dma(t, CDB(0xA8, 0, 0, 0, 0, 9, 0, 0, 0, 1)), 0);
    assert_int_equal(bm_status(t), BM_INT | BM_ACTIVE); /* more described than moved */
    assert_pattern(ram(t, DATA), 9 * 2048, 2048);
    /* Replies, raw sectors, no data, an error. */
    assert_int_equal(packet_dma(t, CDB(0x12, 0, 0, 0, 5)), 0);
    assert_memory_equal(ram(t, DATA), "\x05\x80\x00\x21\x1F\x00", 6);
    assert_int_equal(packet_dma(t, CDB(0xBE, 0, 0, 0, 0, 7, 0, 0, 20, 0xF8)), 0);
    assert_pattern(ram(t, DATA + 16), 7 * 2048, 2048);
    assert_int_equal(*ram(t, DATA + 2352 + 14), 0x08); /* frame of block 8, BCD */
    assert_int_equal(packet_dma(t, TUR), 0);
    assert_int_equal(packet_dma(t, CDB(0x28, 0, 0xFF)), -1);
    sense(t, 5, 0x21, 0);
    /* Described too little. */
    bm_stop(t);
    put_prd(t, 0, DATA, 1024 | PRD_EOT);
    send_packet(t, CDB(0x28, 0, 0, 0, 0, 7, 0, 0, 1), 0, true);
    bm_start(t, true);
    run(t);
    assert_int_equal(bm_status(t), 0);
    assert_int_equal(in(t, R_STATUS), S_OK);
    bm_stop(t);
    send_packet(t, CDB(0xBE, 0, 0, 0, 0, 7, 0, 0, 1, 0xF8), 0, true);
    bm_start(t, true);
    run(t);
    assert_int_equal(bm_status(t), 0);
    bm_stop(t);
    assert_int_equal(packet_dma(t, TUR), 0);
}

static void test_read_cd(void **state)
{
    struct ide_rig *t = *state;
    static uint8_t buf[300 * 2352];
    static const struct {
        uint8_t flags;
        unsigned before, size;
    } cases[] = {{0x10, 0, 2048},  {0xF8, 16, 2352}, {0x30, 4, 2052},
                 {0xB0, 16, 2064}, {0x18, 0, 2336},  {0x78, 4, 2340}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(buf, 0xA5, sizeof(buf));
        const uint8_t *cdb = CDB(0xBE, 0, 0, 0, 0, 20, 0, 0, 130, cases[i].flags);
        assert_int_equal(packet(t, cdb, buf, 0xFFFE), 130 * cases[i].size);
        for (unsigned k = 0; k < 130; k++) {
            const uint8_t *p = buf + k * cases[i].size;
            assert_pattern(p + cases[i].before, (20 + k) * 2048, 2048);
            if (cases[i].flags & 0x80)
                assert_memory_equal(p, "\x00\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x00", 12);
            if (cases[i].flags & 0x20) {
                unsigned frame = (170 + k) % 75, second = (170 + k) / 75;
                assert_int_equal(p[cases[i].before - 4], 0);
                assert_int_equal(p[cases[i].before - 3], second / 10 << 4 | second % 10);
                assert_int_equal(p[cases[i].before - 2], frame / 10 << 4 | frame % 10);
                assert_int_equal(p[cases[i].before - 1], 1);
            }
        }
    }
    assert_int_equal(packet(t, CDB(0xBE, 0, 0, 0, 0, 20, 0, 0, 10, 0x20), buf, 2048), 40);
    assert_int_equal(packet(t, CDB(0xBE, 0, 0, 0, 0, 20, 0, 0, 10, 0), buf, 2048), 0);
    assert_int_equal(packet(t, CDB(0xBE, 0x08, 0, 0, 0, 20, 0, 0, 1, 0x10), buf, 2048), 2048);
    check(t, CDB(0xBE, 0x04, 0, 0, 0, 20, 0, 0, 1, 0x10), 5, 0x64, 0); /* audio */
    check(t, CDB(0xBE, 0, 0, 0, 0, 20, 0, 0, 1, 0x12), 5, 0x24, 0);    /* C2 */
    check(t, CDB(0xBE, 0, 0, 0, 0, 20, 0, 0, 1, 0x10, 1), 5, 0x24, 0); /* sub-channel */
    check(t, CDB(0xBE, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xF8), 5, 0x21, 0);
    /* By time: 00:02:20 to 00:02:22. */
    assert_int_equal(packet(t, CDB(0xB9, 0, 0, 0, 2, 20, 0, 2, 22, 0x10), buf, 2048), 4096);
    assert_pattern(buf, 20 * 2048, 4096);
    check(t, CDB(0xB9, 0, 0, 0, 2, 20, 0, 2, 19, 0x10), 5, 0x24, 0);
    check(t, CDB(0xB9, 0, 0, 0, 1, 74, 0, 2, 19, 0x10), 5, 0x24, 0);
    check(t, CDB(0xB9, 0, 0, 0, 60, 0, 0, 61, 0, 0x10), 5, 0x24, 0);
    check(t, CDB(0xB9, 0, 0, 99, 59, 74, 255, 59, 74, 0x10), 5, 0x21, 0);
}

static void test_range_and_errors(void **state)
{
    struct ide_rig *t = *state;
    static uint8_t buf[8 * 2048];
    const uint8_t hi = (uint8_t)((BLOCKS - 1) >> 8), lo = (uint8_t)(BLOCKS - 1);
    assert_int_equal(packet(t, CDB(0x28, 0, 0, 0, hi, lo, 0, 0, 1), buf, 2048), 2048);
    check(t, CDB(0x28, 0, 0, 0, hi, lo, 0, 0, 2), 5, 0x21, 0);
    check(t, CDB(0x28, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0xFF, 0xFF), 5, 0x21, 0);
    check(t, CDB(0xA8, 0, 0, 0, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF), 5, 0x21, 0);
    check(t, CDB(0x2B, 0, 0x10), 5, 0x21, 0);
    assert_int_equal(packet(t, CDB(0x28, 0, 0, 0, 0, 1, 0, 0, 0), buf, 2048), 0);
    /* A bad place on the disc: what is before it arrives. */
    fake_block_fail(t->block[2], BLOCK_READ, 23 * 2048, 512, EIO, UINT_MAX);
    send_packet(t, CDB(0x28, 0, 0, 0, 0, 20, 0, 0, 8), 2048, false);
    for (unsigned i = 0; i < 3; i++) {
        run(t);
        assert_int_equal(in(t, R_STATUS), S_OK | S_DRQ);
        read_data(t, buf, 2048);
        assert_pattern(buf, (20 + i) * 2048, 2048);
    }
    run(t);
    assert_true(irq(t));
    assert_int_equal(in(t, R_STATUS), S_OK | S_ERR);
    assert_int_equal(in(t, R_ERROR), 0x30);
    sense(t, 3, 0x11, 0);
    sense(t, 0, 0, 0); /* reported once */
    put_prd(t, 0, DATA, 0x8000 | PRD_EOT);
    assert_int_equal(packet_dma(t, CDB(0x28, 0, 0, 0, 0, 20, 0, 0, 8)), -1);
    assert_pattern(ram(t, DATA), 20 * 2048, 3 * 2048);
    sense(t, 3, 0x11, 0);
    fake_block_heal(t->block[2]);
    assert_int_equal(packet(t, CDB(0x28, 0, 0, 0, 0, 20, 0, 0, 8), buf, 2048), 8 * 2048);
}

static void test_disc(void **state)
{
    struct ide_rig *t = *state;
    uint8_t b[2100] = {0};
    assert_int_equal(packet(t, CDB(0x25), b, 8), 8);
    assert_int_equal(b[2] << 8 | b[3], BLOCKS - 1);
    assert_int_equal(b[6] << 8 | b[7], 2048);
    /* TOC: tracks, by LBA and time, from the lead-out on, as SFF-8020i asks, sessions, full. */
    assert_int_equal(packet(t, CDB(0x43, 0, 0, 0, 0, 0, 0, 0, 100), b, 100), 20);
    assert_memory_equal(b, "\0\x12\1\1\0\x14\1\0\0\0\0\0\0\x14\xAA\0\0\0\x10\0", 20);
    assert_int_equal(packet(t, CDB(0x43, 2, 0, 0, 0, 0, 1, 0, 100), b, 100), 20);
    assert_memory_equal(b + 8, "\0\0\2\0", 4);
    assert_memory_equal(b + 16, ((uint8_t[]){0, 0, (BLOCKS + 150) / 75, (BLOCKS + 150) % 75}), 4);
    assert_int_equal(packet(t, CDB(0x43, 0, 0, 0, 0, 0, 0xAA, 0, 100), b, 100), 12);
    assert_int_equal(b[6], 0xAA);
    assert_int_equal(packet(t, CDB(0x43, 0, 1, 0, 0, 0, 0, 0, 100), b, 100), 12);
    assert_int_equal(packet(t, CDB(0x43, 0, 0, 0, 0, 0, 0, 0, 100, 0x40), b, 100), 12);
    assert_int_equal(packet(t, CDB(0x43, 0, 2, 0, 0, 0, 0, 0, 100), b, 100), 48);
    assert_int_equal(b[7], 0xA0);
    assert_int_equal(b[40], 1);
    assert_int_equal(packet(t, CDB(0x43, 0, 0, 0, 0, 0, 0, 0, 4), b, 100), 4);
    check(t, CDB(0x43, 0, 0, 0, 0, 0, 2, 0, 100), 5, 0x24, 0);
    check(t, CDB(0x43, 0, 4, 0, 0, 0, 0, 0, 100), 5, 0x24, 0);
    /* Disc, track, sub-channel. */
    assert_int_equal(packet(t, CDB(0x51, 0, 0, 0, 0, 0, 0, 0, 34), b, 34), 34);
    assert_memory_equal(b, "\0\x20\x0E\1\1\1\1\x20", 8);
    check(t, CDB(0x51, 1, 0, 0, 0, 0, 0, 0, 34), 5, 0x24, 0);
    assert_int_equal(packet(t, CDB(0x52, 1, 0, 0, 0, 1, 0, 0, 36), b, 36), 36);
    assert_int_equal(b[26] << 8 | b[27], BLOCKS);
    assert_int_equal(packet(t, CDB(0x52, 0, 0, 0, 0, 9, 0, 0, 36), b, 36), 36);
    check(t, CDB(0x52, 1, 0, 0, 0, 2, 0, 0, 36), 5, 0x24, 0);
    assert_int_equal(packet(t, CDB(0x42, 2, 0x40, 1, 0, 0, 0, 0, 100), b, 100), 16);
    assert_int_equal(packet(t, CDB(0x42, 2, 0x40, 2, 0, 0, 0, 0, 100), b, 100), 24);
    assert_int_equal(packet(t, CDB(0x42, 2, 0, 1, 0, 0, 0, 0, 100), b, 100), 4);
    check(t, CDB(0x42, 2, 0x40, 9, 0, 0, 0, 0, 100), 5, 0x24, 0);
    check(t, CDB(0xAD, 0, 0, 0, 0, 0, 0, 0, 8, 4), 5, 0x30, 2); /* a CD */
    /* Features. */
    assert_int_equal(packet(t, CDB(0x46, 0, 0, 0, 0, 0, 0, 1, 0), b, 512), 72);
    assert_int_equal(b[3], 68);
    assert_int_equal(b[7], 0x08);
    assert_int_equal(packet(t, CDB(0x46, 2, 0, 0x1E, 0, 0, 0, 1, 0), b, 512), 16);
    assert_int_equal(b[9], 0x1E);
    assert_int_equal(b[10] & 1, 1);
    assert_int_equal(packet(t, CDB(0x46, 2, 0, 0x77, 0, 0, 0, 1, 0), b, 512), 8);
    assert_int_equal(packet(t, CDB(0x46, 1, 0, 0x1F, 0, 0, 0, 1, 0), b, 512), 16);
    check(t, CDB(0x46, 3, 0, 0, 0, 0, 0, 1, 0), 5, 0x24, 0);
    assert_int_equal(packet(t, CDB(0xBD, 0, 0, 0, 0, 0, 0, 0, 0, 8), b, 8), 8);
    assert_int_equal(packet(t, CDB(0xBB, 0, 0xFF, 0xFF), b, 8), 0);
    assert_int_equal(packet(t, CDB(0x2B), b, 8), 0);

    /* More than 80 minutes is a DVD. */
    struct block *dvd = fake_block_new("dvd", 4700000256ull);
    struct block *cd = ide_drive_set_medium(t->ide, 2, dvd);
    assert_ptr_equal(cd, t->block[2]);
    fake_block_free(cd);
    t->block[2] = dvd;
    check(t, TUR, 6, 0x28, 0);
    assert_int_equal(packet(t, CDB(0x46, 0, 0, 0, 0, 0, 0, 1, 0), b, 512), 72);
    assert_int_equal(b[7], 0x10);
    uint32_t last = 0x030000 + 4700000256ull / 2048 - 1;
    assert_int_equal(packet(t, CDB(0xAD, 0, 0, 0, 0, 0, 0, 0, 8, 4), b, 0xFFFE), 2052);
    assert_int_equal((uint32_t)(b[13] << 16 | b[14] << 8 | b[15]), last);
    assert_int_equal(packet(t, CDB(0xAD, 0, 0, 0, 0, 0, 0, 1, 8, 4), b, 0xFFFE), 8);
    assert_int_equal(packet(t, CDB(0xAD, 0, 0, 0, 0, 0, 0, 0xFF, 8, 4), b, 0xFFFE), 16);
    assert_int_equal(packet(t, CDB(0xAD, 0, 0, 0, 0, 0, 0, 4, 0, 20), b, 0xFFFE), 20);
    check(t, CDB(0xAD, 0, 0, 0, 0, 0, 0, 7, 8, 4), 5, 0x24, 0);
    check(t, CDB(0xAD, 0, 0, 0, 0, 0, 1, 0, 8, 4), 5, 0x24, 0);
}

static void test_modes(void **state)
{
    struct ide_rig *t = *state;
    uint8_t b[128] = {0};
    assert_int_equal(packet(t, CDB(0x5A, 0, 0x2A, 0, 0, 0, 0, 0, 64), b, 64), 30);
    assert_int_equal(b[1], 28);
    assert_int_equal(b[2], 0x01);
    assert_int_equal(b[8], 0x2A);
    assert_int_equal(b[14] & 2, 0);
    assert_int_equal(packet(t, CDB(0x1E, 0, 0, 0, 1), b, 64), 0);
    assert_int_equal(packet(t, CDB(0x5A, 0, 0x2A, 0, 0, 0, 0, 0, 64), b, 64), 30);
    assert_int_equal(b[14] & 2, 2); /* locked */
    assert_int_equal(packet(t, CDB(0x5A, 0, 0x3F, 0, 0, 0, 0, 0, 128), b, 128), 74);
    assert_int_equal(b[8], 0x01);
    assert_int_equal(b[16], 0x0D);
    assert_int_equal(b[24], 0x0E);
    assert_int_equal(b[40], 0x1A);
    assert_int_equal(b[52], 0x2A);
    assert_int_equal(packet(t, CDB(0x5A, 0, 0x41, 0, 0, 0, 0, 0, 64), b, 64), 16);
    assert_int_equal(b[10], 0xFF); /* what can be changed */
    check(t, CDB(0x5A, 0, 0xC1, 0, 0, 0, 0, 0, 64), 5, 0x39, 0);
    check(t, CDB(0x5A, 0, 0x05, 0, 0, 0, 0, 0, 64), 5, 0x24, 0);
    /* MODE SELECT, by PIO in two blocks and by DMA. */
    uint8_t list[16] = {0, 14, 0, 0, 0, 0, 0, 0, 0x01, 6, 0x20, 9};
    send_packet(t, CDB(0x55, 0x10, 0, 0, 0, 0, 0, 0, 16), 10, false);
    assert_true(irq(t));
    assert_int_equal(in(t, R_STATUS), S_OK | S_DRQ);
    assert_int_equal(in(t, R_COUNT), 0);
    assert_int_equal(in(t, R_MID), 10);
    write_data(t, list, 10);
    assert_true(irq(t));
    in(t, R_STATUS);
    assert_int_equal(in(t, R_MID), 6);
    write_data(t, list + 10, 6);
    assert_int_equal(in(t, R_STATUS), S_OK);
    assert_int_equal(in(t, R_COUNT), 3);
    assert_int_equal(packet(t, CDB(0x5A, 0, 0x01, 0, 0, 0, 0, 0, 64), b, 64), 16);
    assert_memory_equal(b + 8, "\x01\x06\x20\x09", 4);
    list[11] = 3;
    memcpy(ram(t, DATA), list, 16);
    put_prd(t, 0, DATA, 16 | PRD_EOT);
    send_packet(t, CDB(0x55, 0x10, 0, 0, 0, 0, 0, 0, 16), 0, true);
    bm_start(t, false);
    assert_int_equal(in(t, R_STATUS), S_OK);
    assert_int_equal(packet(t, CDB(0x5A, 0, 0x01, 0, 0, 0, 0, 0, 64), b, 64), 16);
    assert_int_equal(b[11], 3);
    /* Lists that are none. */
    static const struct {
        uint8_t length, asc, bytes[20];
    } bad[] = {
        {16, 0x26, {0, 0, 0, 0, 0, 0, 0, 0, 0x05, 6}},
        {12, 0x1A, {0, 0, 0, 0, 0, 0, 0, 0, 0x01, 6}},
        {9, 0x1A, {0, 0, 0, 0, 0, 0, 0, 0, 0x01}},
        {4, 0x1A, {0}},
        {16, 0x1A, {0, 0, 0, 0, 0, 0, 0xFF, 0xFF}},
        {10, 0x26, {0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0}},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        send_packet(t, CDB(0x55, 0x10, 0, 0, 0, 0, 0, 0, bad[i].length), 64, false);
        write_data(t, bad[i].bytes, (bad[i].length + 1) & ~1u);
        assert_int_equal(in(t, R_STATUS), S_OK | S_ERR);
        sense(t, 5, bad[i].asc, 0);
    }
    assert_int_equal(packet(t, CDB(0x55, 0x10), b, 64), 0);
    check(t, CDB(0x55, 0x11, 0, 0, 0, 0, 0, 0, 16), 5, 0x24, 0);
    check(t, CDB(0x55, 0x10, 0, 0, 0, 0, 0, 0xFF, 0xFF), 5, 0x1A, 0);
}

/* The short forms of the mode commands. */
static void test_modes_short(void **state)
{
    struct ide_rig *t = *state;
    uint8_t b[128] = {0};
    assert_int_equal(packet(t, CDB(0x1A, 0, 0x2A, 0, 64), b, 64), 26);
    assert_int_equal(b[0], 25);
    assert_int_equal(b[1], 0x01);
    assert_int_equal(b[4], 0x2A);
    assert_int_equal(packet(t, CDB(0x1A, 0, 0x3F, 0, 255), b, 128), 70);
    check(t, CDB(0x1A, 0, 0x07, 0, 64), 5, 0x24, 0);
    check(t, CDB(0x1A, 0, 0xC1, 0, 64), 5, 0x39, 0);
    static const uint8_t list[12] = {0, 0, 0, 0, 0x01, 6, 0x10, 7};
    send_packet(t, CDB(0x15, 0x10, 0, 0, 12), 64, false);
    write_data(t, list, 12);
    assert_int_equal(in(t, R_STATUS), S_OK);
    assert_int_equal(packet(t, CDB(0x1A, 0, 0x01, 0, 64), b, 64), 12);
    assert_memory_equal(b + 4, "\x01\x06\x10\x07", 4);
    /* What was read may be sent back: nothing of it changes. */
    assert_int_equal(packet(t, CDB(0x5A, 0, 0x0E, 0, 0, 0, 0, 0, 64), b, 64), 24);
    send_packet(t, CDB(0x55, 0x10, 0, 0, 0, 0, 0, 0, 24), 64, false);
    write_data(t, b, 24);
    assert_int_equal(in(t, R_STATUS), S_OK);
    /* A header that is too short, and a block descriptor that reaches too far. */
    static const uint8_t far[4] = {0, 0, 0, 0xFF};
    send_packet(t, CDB(0x15, 0x10, 0, 0, 4), 64, false);
    write_data(t, far, 4);
    sense(t, 5, 0x1A, 0);
    send_packet(t, CDB(0x15, 0x10, 0, 0, 2), 64, false);
    write_data(t, far, 2);
    sense(t, 5, 0x1A, 0);
}

/* Multiplication in GF(2^8) with 11Dh, the long way. */
static uint8_t gf_mul(uint8_t a, uint8_t b)
{
    unsigned r = 0;
    for (unsigned i = 0; i < 8; i++)
        if (b & 1 << i)
            r ^= (unsigned)a << i;
    for (unsigned i = 15; i >= 8; i--)
        if (r & 1u << i)
            r ^= 0x11Du << (i - 8);
    return (uint8_t)r;
}

/* ECMA-130 annex A: the two syndromes of a vector of `n` bytes are zero. */
static void assert_code_word(const uint8_t *v, unsigned n)
{
    uint8_t sum = 0, weighed = 0, weight = 1;
    for (unsigned i = n; i-- > 0; weight = gf_mul(weight, 2)) {
        sum ^= v[i];
        weighed ^= gf_mul(v[i], weight);
    }
    assert_int_equal(sum, 0);
    assert_int_equal(weighed, 0);
}

/* EDC and ECC of raw sectors, by the definitions. */
static void test_sector_codes(void **state)
{
    struct ide_rig *t = *state;
    static uint8_t buf[3 * 2352], ecc[3 * 288];
    assert_int_equal(packet(t, CDB(0xBE, 0, 0, 0, 0, 40, 0, 0, 3, 0xF8), buf, 0xFFFE), 3 * 2352);
    for (unsigned k = 0; k < 3; k++) {
        const uint8_t *s = buf + k * 2352;
        /* 14.3: bits lowest first, divisible by (x^16 + x^15 + x^2 + 1)(x^16 + x^2 + x + 1). */
        uint64_t rest = 0;
        for (unsigned i = 0; i < 2068 * 8; i++) {
            rest = rest << 1 | (s[i / 8] >> i % 8 & 1);
            if (rest & UINT64_C(1) << 32)
                rest ^= UINT64_C(0x18001801B);
        }
        assert_int_equal(rest, 0);
        assert_memory_equal(s + 2068, "\0\0\0\0\0\0\0\0", 8);
        for (unsigned byte = 0; byte < 2; byte++) {
            uint8_t v[45];
            for (unsigned n = 0; n < 43; n++) {
                for (unsigned m = 0; m < 26; m++)
                    v[m] = s[12 + 2 * (43 * m + n) + byte];
                assert_code_word(v, 26);
            }
            for (unsigned n = 0; n < 26; n++) {
                for (unsigned m = 0; m < 43; m++)
                    v[m] = s[12 + 2 * ((44 * m + 43 * n) % 1118) + byte];
                v[43] = s[12 + 2 * (43 * 26 + n) + byte];
                v[44] = s[12 + 2 * (44 * 26 + n) + byte];
                assert_code_word(v, 45);
            }
        }
    }
    /* The same codes when they alone are asked for. */
    assert_int_equal(packet(t, CDB(0xBE, 0, 0, 0, 0, 40, 0, 0, 3, 0x08), ecc, 0xFFFE), 3 * 288);
    for (unsigned k = 0; k < 3; k++)
        assert_memory_equal(ecc + k * 288, buf + k * 2352 + 2064, 288);
}

/* What installers and burning programs ask besides. */
static void test_other_commands(void **state)
{
    struct ide_rig *t = *state;
    uint8_t b[64] = {0};
    assert_int_equal(packet(t, CDB(0x23, 0, 0, 0, 0, 0, 0, 0, 64), b, 64), 12);
    assert_memory_equal(b, "\0\0\0\x08\0\0\x10\0\x02\0\x08\0", 12);
    assert_int_equal(packet(t, CDB(0x2F, 0, 0, 0, 0, 0, 0, 0, 9), b, 64), 0);
    check(t, CDB(0x2F, 0, 0, 0, 0x10, 0, 0, 0, 1), 5, 0x21, 0);
    check(t, CDB(0x2F, 2, 0, 0, 0, 0, 0, 0, 1), 5, 0x24, 0);
    assert_int_equal(packet(t, CDB(0x44, 0, 0, 0, 0, 20, 0, 0, 8), b, 64), 8);
    assert_memory_equal(b, "\x01\0\0\0\0\0\0\x14", 8);
    assert_int_equal(packet(t, CDB(0x44, 2, 0, 0, 0, 20, 0, 0, 8), b, 64), 8);
    assert_memory_equal(b, "\x01\0\0\0\0\0\x02\x14", 8);
    check(t, CDB(0x44, 0, 0, 0, 0x10, 0, 0, 0, 8), 5, 0x21, 0);
    static const uint8_t audio[] = {0x45, 0x47, 0x4B, 0xA5};
    for (size_t i = 0; i < sizeof(audio); i++)
        check(t, CDB(audio[i]), 5, 0x64, 0);
    assert_int_equal(packet(t, CDB(0x4E), b, 64), 0);
    assert_int_equal(packet(t, CDB(0x5C, 0, 0, 0, 0, 0, 0, 0, 64), b, 64), 12);
    assert_memory_equal(b, "\0\x0A\0\0\0\x08\0\0\0\x08\0\0", 12);
    check(t, CDB(0x5C, 1, 0, 0, 0, 0, 0, 0, 64), 5, 0x24, 0);
    assert_int_equal(packet(t, CDB(0xAC, 0x10, 0, 0, 0, 0, 0, 0, 0, 1), b, 64), 24);
    assert_memory_equal(b + 12, "\0\0\x22\x60\0\0\x0F\xFF\0\0\x22\x60", 12);
    assert_int_equal(packet(t, CDB(0xAC, 0x10), b, 64), 8);
    check(t, CDB(0xAC, 0x14, 0, 0, 0, 0, 0, 0, 0, 1), 5, 0x24, 0);
    /* Another slot; then the tray, as START STOP UNIT moves it. */
    check(t, CDB(0xA6, 0, 0, 0, 2, 0, 0, 0, 1), 5, 0x24, 0);
    unsigned before = tray_calls;
    assert_int_equal(packet(t, CDB(0xA6, 0, 0, 0, 2), b, 64), 0);
    assert_int_equal(tray_calls, before + 1);
    assert_true(tray_is_open);
    assert_int_equal(packet(t, CDB(0x23, 0, 0, 0, 0, 0, 0, 0, 64), b, 64), 12);
    assert_memory_equal(b + 4, "\0\0\0\0\x03", 5);
    assert_int_equal(packet(t, CDB(0xA6, 0, 0, 0, 3), b, 64), 0);
    assert_false(tray_is_open);
}

static uint8_t media_event(struct ide_rig *t, uint8_t *status)
{
    uint8_t b[8] = {0};
    assert_int_equal(packet(t, CDB(0x4A, 1, 0, 0, 0x10, 0, 0, 0, 8), b, 8), 8);
    assert_int_equal(b[1], 6);
    assert_int_equal(b[2], 4);
    assert_int_equal(b[3], 0x10);
    *status = b[5];
    return b[4];
}

static void test_media(void **state)
{
    struct ide_rig *t = *state;
    uint8_t b[128] = {0}, status;
    assert_int_equal(packet(t, TUR, b, 0), 0);
    assert_int_equal(media_event(t, &status), 0);
    assert_int_equal(status, 2);
    /* The host takes the disc out. */
    struct block *cd = ide_drive_set_medium(t->ide, 2, NULL);
    assert_ptr_equal(cd, t->block[2]);
    assert_null(ide_drive_block(t->ide, 2));
    assert_true(ide_tray_open(t->ide, 2));
    assert_int_equal(media_event(t, &status), 3);
    assert_int_equal(status, 1);
    assert_int_equal(media_event(t, &status), 0);
    static const uint8_t need[] = {0x00, 0x25, 0x28, 0x2B, 0x42, 0x43,
                                   0x51, 0x52, 0xA8, 0xAD, 0xB9, 0xBE};
    for (size_t i = 0; i < sizeof(need); i++)
        check(t, CDB(need[i], 0, 0, 0, 0, 0, 0, 0, 1), 2, 0x3A, 2);
    assert_int_equal(packet(t, CDB(0xBD, 0, 0, 0, 0, 0, 0, 0, 0, 8), b, 8), 8);
    assert_int_equal(b[1], 0x10);
    assert_int_equal(packet(t, CDB(0x46, 0, 0, 0, 0, 0, 0, 1, 0), b, 512), 72);
    assert_int_equal(b[7], 0); /* no current profile */
    /* The guest closes the empty tray. */
    assert_int_equal(packet(t, CDB(0x1B, 0, 0, 0, 3), b, 0), 0);
    check(t, TUR, 2, 0x3A, 1);
    check(t, CDB(0x1B, 0, 0, 0, 1), 2, 0x3A, 1);
    /* A new one goes in. */
    assert_null(ide_drive_set_medium(t->ide, 2, cd));
    assert_false(ide_tray_open(t->ide, 2));
    assert_int_equal(packet(t, CDB(0x12, 0, 0, 0, 36), b, 64),
                     36); /* does not take the attention */
    assert_int_equal(media_event(t, &status), 2);
    assert_int_equal(status, 2);
    assert_int_equal(packet(t, TUR, b, 0), -1);
    assert_int_equal(in(t, R_ERROR), 0x60);
    sense(t, 6, 0x28, 0);
    assert_int_equal(packet(t, TUR, b, 0), 0);
    /* REQUEST SENSE by itself takes it as well. */
    assert_ptr_equal(ide_drive_set_medium(t->ide, 2, cd), cd);
    sense(t, 6, 0x28, 0);
    assert_int_equal(packet(t, TUR, b, 0), 0);
    /* Only polled events, only of the media class. */
    check(t, CDB(0x4A, 0, 0, 0, 0x10, 0, 0, 0, 8), 5, 0x24, 0);
    assert_int_equal(packet(t, CDB(0x4A, 1, 0, 0, 0x40, 0, 0, 0, 8), b, 8), 4);
    assert_int_equal(b[2], 0x80);
    /* Not a CD drive, no such unit. */
    assert_null(ide_drive_set_medium(t->ide, 0, cd));
    assert_null(ide_drive_set_medium(t->ide, 4, cd));
    assert_null(ide_drive_block(t->ide, 4));
    assert_false(ide_tray_eject(t->ide, 0, true));
    assert_true(ide_drive_is_cdrom(t->ide, 2));
    assert_false(ide_drive_is_cdrom(t->ide, 1));
}

static void test_tray(void **state)
{
    struct ide_rig *t = *state;
    uint8_t b[64], status;
    tray_calls = 0;
    /* Locked: neither the guest nor the host can, unless it insists. */
    assert_int_equal(packet(t, CDB(0x1E, 0, 0, 0, 1), b, 0), 0);
    assert_true(ide_tray_locked(t->ide, 2));
    check(t, CDB(0x1B, 0, 0, 0, 2), 5, 0x53, 2);
    assert_false(ide_tray_eject(t->ide, 2, false));
    assert_int_equal(media_event(t, &status), 1); /* eject request */
    assert_int_equal(status, 2);
    assert_true(ide_tray_eject(t->ide, 2, true));
    assert_int_equal(tray_calls, 0);
    /* Unlocked, the guest ejects and loads. */
    assert_int_equal(packet(t, CDB(0x1E, 0, 0, 0, 0), b, 0), 0);
    assert_true(ide_tray_eject(t->ide, 2, false));
    assert_int_equal(packet(t, CDB(0x1B, 0, 0, 0, 2), b, 0), 0);
    assert_int_equal(tray_calls, 1);
    assert_true(tray_is_open && ide_tray_open(t->ide, 2));
    assert_non_null(ide_drive_block(t->ide, 2)); /* it lies in the tray */
    check(t, TUR, 2, 0x3A, 2);
    assert_int_equal(packet(t, CDB(0x1B, 0, 0, 0, 2), b, 0), 0); /* again: nothing moves */
    assert_int_equal(tray_calls, 1);
    assert_int_equal(packet(t, CDB(0x1B, 0, 0, 0, 3), b, 0), 0);
    assert_int_equal(tray_calls, 2);
    assert_false(tray_is_open);
    check(t, TUR, 6, 0x28, 0);
    assert_int_equal(packet(t, TUR, b, 0), 0);
    assert_int_equal(packet(t, CDB(0x1B, 0, 0, 0, 1), b, 0), 0);
    assert_int_equal(packet(t, CDB(0x1B, 0, 0, 0, 0), b, 0), 0);
    assert_int_equal(tray_calls, 2);
}

/* A disc is taken or changed while it is being read. */
/* A drive of the host's is behind it: the tray's orders go there, its medium comes and goes. */
static void test_host_drive(void **state)
{
    struct ide_rig *t = *state;
    struct block *cd = t->block[2];
    uint8_t buf[64];
    static const uint8_t ready[12] = {0x00}, lock[12] = {0x1E, 0, 0, 0, 1}, unlock[12] = {0x1E},
                         eject[12] = {0x1B, 0, 0, 0, 2}, load[12] = {0x1B, 0, 0, 0, 3},
                         capacity[12] = {0x25};

    assert_int_equal(packet(t, ready, buf, 64), 0);
    assert_true(cd->looks > 0);
    packet(t, lock, buf, 64);
    check(t, eject, 5, 0x53, 2);
    assert_int_equal(cd->tray, BLOCK_TRAY_LOCK + 1);
    packet(t, unlock, buf, 64);
    packet(t, eject, buf, 64);
    assert_int_equal(cd->tray & 0xFF, (BLOCK_TRAY_UNLOCK + 1) << 4 | (BLOCK_TRAY_OPEN + 1));
    uint64_t bytes = cd->bytes;
    fake_block_resize(cd, 0); /* somebody took it out of the open tray */
    check(t, ready, 2, 0x3A, 2);
    packet(t, load, buf, 64);
    assert_int_equal(cd->tray & 0xF, BLOCK_TRAY_CLOSE + 1);
    check(t, ready, 2, 0x3A, 1);
    fake_block_resize(cd, bytes / 2); /* seen a second later */
    check(t, ready, 6, 0x28, 0);
    assert_int_equal(packet(t, capacity, buf, 64), 8);
    assert_int_equal((uint32_t)buf[1] << 16 | buf[2] << 8 | buf[3], bytes / 2 / 2048 - 1);
    fake_block_resize(cd, 0);
    check(t, ready, 2, 0x3A, 1);
    fake_block_resize(cd, bytes);
    check(t, ready, 6, 0x28, 0);
    assert_int_equal(packet(t, ready, buf, 64), 0);
}

static void test_change_while_reading(void **state)
{
    for (unsigned how = 0; how < 6; how++) {
        struct ide_rig *t = new_drive(fake_block_new("cd", CD_SIZE));
        static uint8_t buf[200 * 2048];
        struct block *other = how & 1 ? fake_block_new("other", CD_SIZE) : NULL;
        bool dma = how >= 4;
        unsigned read = how >= 2 && !dma ? 10 : 0;
        for (unsigned i = 0; i < 64; i++)
            put_prd(t, i, DATA, i == 63 ? PRD_EOT : 0);
        send_packet(t, CDB(0x28, 0, 0, 0, 0, 0, 0, dma ? 4 : 0, 200), 2048, dma);
        if (dma)
            bm_start(t, true);
        if (read) {
            run(t);
            read_data(t, buf, read * 2048);
        } else {
            assert_int_equal(t->block[2]->pending, 1);
        }
        struct block *old = ide_drive_set_medium(t->ide, 2, other);
        assert_ptr_equal(old, t->block[2]);
        assert_int_equal(old->pending, 0);
        assert_int_equal(t->rig->hv->maps, 0);
        fake_block_free(old); /* whoever touches it now is caught */
        t->block[2] = other;
        if (!dma) {
            /* What was in the buffer may be had; then it ends. */
            for (unsigned i = read; i < 64; i++) {
                assert_int_equal(in(t, R_STATUS), S_OK | S_DRQ);
                read_data(t, buf, 2048);
            }
        }
        assert_true(irq(t));
        assert_int_equal(in(t, R_STATUS), S_OK | S_ERR);
        bm_stop(t);
        sense(t, other ? 6 : 2, other ? 0x28 : 0x3A, other ? 0 : 2);
        if (other)
            assert_int_equal(packet(t, TUR, buf, 0), 0);
        else
            check(t, TUR, 2, 0x3A, 2);
        ide_rig_free(t);
    }
    (void)state;
}

/* CVE-2015-5154 (XSA-138): START STOP UNIT with a power condition ends the command; nothing is
 * left of the packet to be streamed past. */
static void test_power_condition(void **state)
{
    struct ide_rig *t = *state;
    uint8_t b[64] = {0};
    for (unsigned power = 1; power < 16; power++) {
        send_packet(t, CDB(0x1B, 0, 0, 0, (uint8_t)(power << 4 | 2)), 0xFFFE, false);
        assert_int_equal(alt(t), S_OK);
        for (unsigned i = 0; i < 100000; i++) {
            assert_int_equal(rig_inw(t->rig, t->base), 0xFFFF);
            rig_outw(t->rig, t->base, 0);
        }
        assert_int_equal(in(t, R_STATUS), S_OK);
        assert_int_equal(packet(t, TUR, b, 0), 0); /* LoEj was not acted on */
    }
}

/* Every opcode has an answer, ends, and leaves DRQ clear. */
static void test_all_cdbs(void **state)
{
    (void)state;
    for (unsigned medium = 0; medium < 2; medium++) {
        struct ide_rig *t = new_drive(medium ? fake_block_new("cd", 1 << 20) : NULL);
        static uint8_t buf[2048];
        put_prd(t, 0, DATA, PRD_EOT);
        for (unsigned fill = 0; fill < 4; fill++) {
            for (unsigned op = 0; op < 256; op++) {
                for (unsigned dma = 0; dma < 2; dma++) {
                    uint8_t cdb[12];
                    memset(cdb, (int[]){0, 1, 0x10, 0xFF}[fill], sizeof(cdb));
                    cdb[0] = (uint8_t)op;
                    send_packet(t, cdb, fill & 1 ? 2048 : 0xFFFE, dma);
                    if (dma)
                        bm_start(t, op != 0x55);
                    for (unsigned i = 0; i < 64; i++) {
                        run(t);
                        read_data(t, buf, sizeof(buf));
                        write_data(t, buf, sizeof(buf));
                    }
                    run(t);
                    assert_int_equal(in(t, R_STATUS) & (S_BSY | S_DRQ), 0);
                    bm_stop(t);
                }
            }
        }
        uint16_t id[256];
        identify(t, 0, 0xA1, id);
        assert_int_equal(packet(t, CDB(0x12, 0, 0, 0, 36), buf, 64), 36);
        ide_rig_free(t);
    }
}

static void test_resets(void **state)
{
    struct ide_rig *t = *state;
    uint8_t b[2048] = {0};
    /* DEVICE RESET is taken while busy and while DRQ is set, and gives the signature. */
    for (unsigned when = 0; when < 4; when++) {
        if (when == 1)
            send_packet(t, CDB(0x28, 0, 0, 0, 0, 0, 0, 0, 9), 2048, false);
        if (when == 2) {
            send_packet(t, CDB(0x28, 0, 0, 0, 0, 0, 0, 0, 9), 2048, false);
            run(t);
        }
        if (when == 3) {
            out(t, R_ERROR, 0);
            out(t, R_STATUS, 0xA0);
            write_data(t, b, 6);
        }
        out(t, R_STATUS, 0x08);
        if (when == 1) { /* not over before the read under way is */
            assert_int_equal(in(t, R_STATUS), S_BSY);
            out(t, R_STATUS, 0xA1);
            out(t, R_STATUS, 0x08);
            assert_int_equal(in(t, R_STATUS), S_BSY);
            run(t);
        }
        assert_int_equal(in(t, R_STATUS), 0);
        assert_false(irq(t));
        assert_int_equal(in(t, R_ERROR), 1);
        assert_int_equal(in(t, R_COUNT), 1);
        assert_int_equal(in(t, R_LOW), 1);
        assert_int_equal(in(t, R_MID), 0x14);
        assert_int_equal(in(t, R_HIGH), 0xEB);
        read_data(t, b, 2048);
        out(t, R_DEVICE, 0xA0);
        out(t, R_ERROR, 0);
        out(t, R_MID, 0);
        out(t, R_HIGH, 0);
        out(t, R_STATUS, 0xA0);
        assert_int_equal(alt(t), S_OK | S_DRQ);
        memset(b, 0, 12);
        write_data(t, b, 12);
        assert_int_equal(in(t, R_STATUS), S_OK);
    }
    /* A reset of the machine unlocks. */
    assert_int_equal(packet(t, CDB(0x1E, 0, 0, 0, 1), b, 0), 0);
    device_reset(ide_device(t));
    assert_false(ide_tray_locked(t->ide, 2));
    rig_pci_write(t->rig, 1, 1, 0x20, 4, BM_PORT);
    rig_pci_write(t->rig, 1, 1, 0x04, 2, 0x0005);
    assert_int_equal(packet(t, TUR, b, 0), 0);
    /* Power: the packet device's, too. */
    out(t, R_STATUS, 0xE0);
    assert_int_equal(in(t, R_STATUS), S_OK);
    out(t, R_STATUS, 0xE5);
    assert_int_equal(in(t, R_COUNT), 0);
    out(t, R_STATUS, 0xE6);
    in(t, R_STATUS);
    out(t, R_STATUS, 0xA1);
    assert_int_equal(in(t, R_STATUS), S_OK); /* asleep */
    out(t, R_STATUS, 0x08);
    assert_int_equal(packet(t, TUR, b, 0), 0);
}

static void test_migrate(void **state)
{
    struct ide_rig *t = new_drive(fake_block_new("cd", CD_SIZE));
    struct piix3_ide_config config = {0};
    static uint8_t buf[200 * 2352];
    (void)state;
    config.drive[2].present = config.drive[2].cdrom = true;
    config.drive[2].block = t->block[2];
    assert_ptr_equal(ide_drive_set_medium(t->ide, 2, t->block[2]), t->block[2]);
    t = ide_migrate(t, &config); /* the attention comes along */
    check(t, TUR, 6, 0x28, 0);
    for (unsigned raw = 0; raw < 2; raw++) {
        unsigned size = raw ? 2352 : 2048, at = 0;
        send_packet(t,
                    raw ? CDB(0xBE, 0, 0, 0, 0, 30, 0, 0, 200, 0xF8)
                        : CDB(0x28, 0, 0, 0, 0, 30, 0, 0, 200),
                    0xFFFE, false);
        t = ide_migrate(t, &config);
        while (at < 200 * size) {
            run(t);
            assert_int_equal(in(t, R_STATUS), S_OK | S_DRQ);
            unsigned n = in(t, R_MID) | in(t, R_HIGH) << 8;
            unsigned some = n < 100 ? 2 : 100;
            read_data(t, buf + at, some);
            t = ide_migrate(t, &config);
            read_data(t, buf + at + some, n - some);
            t = ide_migrate(t, &config);
            at += n;
        }
        assert_int_equal(at, 200 * size);
        assert_int_equal(in(t, R_STATUS), S_OK);
        for (unsigned i = 0; i < 200; i++)
            assert_pattern(buf + i * size + (raw ? 16 : 0), (30 + i) * 2048, 2048);
    }
    /* In the middle of the command packet. */
    out(t, R_ERROR, 0);
    out(t, R_STATUS, 0xA0);
    memset(buf, 0, 12);
    write_data(t, buf, 6);
    t = ide_migrate(t, &config);
    write_data(t, buf, 6);
    assert_int_equal(in(t, R_STATUS), S_OK);
    send_packet(t, CDB(0x28, 0, 0, 0, 0, 30, 0, 0, 200), 2048, false);
    run(t);
    rig_standard_tests(t->rig, ide_device(t));
    ide_rig_free(t);
}

/* An image smaller than one block is no disc. */
static void test_tiny_image(void **state)
{
    struct ide_rig *t = new_drive(NULL);
    struct block *tiny = fake_block_new("tiny", 1536);
    (void)state;
    assert_null(ide_drive_set_medium(t->ide, 2, tiny));
    t->block[2] = tiny;
    check(t, TUR, 6, 0x28, 0);
    check(t, CDB(0x25), 2, 0x3A, 1);
    ide_rig_free(t);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_identify),
        T(test_byte_count),
        T(test_dma),
        T(test_read_cd),
        T(test_range_and_errors),
        T(test_disc),
        T(test_modes),
        T(test_modes_short),
        T(test_sector_codes),
        T(test_other_commands),
        T(test_media),
        T(test_tray),
        T(test_host_drive),
        cmocka_unit_test(test_change_while_reading),
        T(test_power_condition),
        cmocka_unit_test(test_all_cdbs),
        T(test_resets),
        cmocka_unit_test(test_migrate),
        cmocka_unit_test(test_tiny_image),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
