/* SPDX-License-Identifier: GPL-2.0-or-later */
/* AHCI: native command queuing. */
#include <errno.h>
#include <limits.h>

#include "tests/device/ahci_rig.h"

static int setup(void **state)
{
    struct ahci_rig *t = ahci_rig_new();
    fill_pattern(t->block[0], 0, 4 << 20);
    port_up(t, 0);
    *state = t;
    return 0;
}

/* The set device bits FIS. */
static const uint8_t *bits(struct ahci_rig *t)
{
    return ram(t, fis_at(0) + 0x58);
}

/* READ LOG EXT of page 10h, into DATA. */
static const uint8_t *read_queue_log(struct ahci_rig *t)
{
    uint8_t sum = 0;
    issue(t, 0, 0, &(struct task){.opcode = 0x2F, .count = 1, .lba = 0x10}, DATA, 512, 0);
    assert_int_equal(pget(t, 0, CI), 0);
    assert_int_equal(pget(t, 0, TFD), 0x50);
    assert_int_equal(acknowledge(t, 0), PSS);
    for (unsigned i = 0; i < 512; i++)
        sum = (uint8_t)(sum + *ram(t, DATA + i));
    assert_int_equal(sum, 0);
    return ram(t, DATA);
}

/* 32 at a time: all of them are with the image at once; one interrupt may tell of many. */
static void test_parallel(void **state)
{
    struct ahci_rig *t = *state;
    for (unsigned round = 0; round < 2; round++) {
        unsigned records = t->block[0]->record_count;
        memset(ram(t, DATA), 0x5A, 32 * 4096);
        for (unsigned tag = 0; tag < 32; tag++) {
            queue(t, 0, tag, round, 1000 + 8 * tag, 8, DATA + 4096 * tag);
            assert_int_equal(pget(t, 0, CI), 0); /* the device has it */
            assert_int_equal(pget(t, 0, TFD), 0x50);
        }
        assert_int_equal(pget(t, 0, SACT), 0xFFFFFFFF);
        assert_int_equal(t->block[0]->pending, 32);
        assert_false(irq(t));
        unsigned raised = t->rig->hv->intx_raised[SLOT][0];
        for (unsigned tag = 0; tag < 32; tag++) {
            fake_block_step(t->block[0]);
            assert_int_equal(pget(t, 0, SACT), tag == 31 ? 0 : 0xFFFFFFFE << tag);
            assert_memory_equal(bits(t), "\xA1\x40\x50\x00", 4);
            assert_int_equal(rig_mem_read(t->rig, fis_at(0) + 0x5C, 4), 1u << tag);
            assert_true(irq(t));
        }
        assert_int_equal(t->rig->hv->intx_raised[SLOT][0] - raised, 1);
        assert_int_equal(acknowledge(t, 0), SDBS);
        assert_false(irq(t));
        assert_int_equal(t->block[0]->record_count - records, 32);
        uint8_t got[4096];
        if (round == 0)
            assert_pattern(ram(t, DATA), 1000 * 512, 32 * 4096);
        fake_block_get(t->block[0], 1031 * 512, got, 4096);
        if (round == 1)
            assert_int_equal(got[17], 0x5A);
    }
    assert_int_equal(t->rig->hv->maps, 0);
}

/* Written in one go: SACT and CI of many slots, as drivers may do. */
static void test_batch(void **state)
{
    struct ahci_rig *t = *state;
    for (unsigned tag = 0; tag < 8; tag++) {
        put_fis(t, 0, tag,
                &(struct task){
                    .opcode = 0x60, .feature = 1, .count = (uint16_t)(tag << 3), .lba = 50 + tag});
        put_prd(t, 0, tag, 0, DATA + 512 * tag, 512);
        put_header(t, 0, tag, 0, 1);
    }
    pset(t, 0, SACT, 0xFF);
    pset(t, 0, CI, 0xFF);
    assert_int_equal(t->block[0]->pending, 8);
    run(t);
    assert_int_equal(pget(t, 0, SACT), 0);
    assert_pattern(ram(t, DATA), 50 * 512, 8 * 512);
}

/* Long transfers go in pieces; 0 is 65,536; regions of all sizes; not a byte to spare. */
static void test_sizes(void **state)
{
    struct ahci_rig *t = *state;
    put_fis(t, 0, 9, &(struct task){.opcode = 0x60, .count = 9 << 3, .lba = 3});
    for (unsigned i = 0; i < 16; i++)
        put_prd(t, 0, 9, i, DATA, 2 << 20);
    put_header(t, 0, 9, 0, 16);
    pset(t, 0, SACT, 1 << 9);
    pset(t, 0, CI, 1 << 9);
    run(t);
    assert_int_equal(acknowledge(t, 0), SDBS);
    uint64_t next = 3 * 512;
    for (unsigned i = 0; i < t->block[0]->record_count; i++) {
        assert_int_equal(t->block[0]->records[i].offset, next);
        assert_true(t->block[0]->records[i].bytes <= 1 << 20);
        next += t->block[0]->records[i].bytes;
    }
    assert_int_equal(next, 65539 * 512);
    /* Regions of 2 bytes, and of 510. */
    for (unsigned write = 0; write < 2; write++) {
        for (unsigned size = 2; size < 512; size += 508) {
            unsigned n = 0;
            for (unsigned at = 0; at < 20 * 512; at += size, n++)
                put_prd(t, 0, 1, n, DATA + 2 * size * n,
                        20 * 512 - at < size ? 20 * 512 - at : size);
            memset(ram(t, DATA), 0x3C, 64 * 1024);
            put_fis(t, 0, 1,
                    &(struct task){
                        .opcode = write ? 0x61 : 0x60, .feature = 20, .count = 1 << 3, .lba = 200});
            put_header(t, 0, 1, write ? HDR_WRITE : 0, (uint16_t)n);
            pset(t, 0, SACT, 2);
            pset(t, 0, CI, 2);
            run(t);
            assert_int_equal(acknowledge(t, 0), SDBS);
            for (unsigned i = 0; i < n && !write; i++) {
                unsigned left = 20 * 512 - i * size;
                assert_pattern(ram(t, DATA + 2 * size * i), 200 * 512 + i * size,
                               left < size ? left : size);
                assert_int_equal(*ram(t, DATA + 2 * size * i + size), 0x3C);
            }
            uint8_t got[512];
            fake_block_get(t->block[0], 219 * 512, got, 512);
            if (write)
                assert_int_equal(got[511], 0x3C);
            fill_pattern(t->block[0], 0, 1 << 20);
        }
    }
    assert_int_equal(t->rig->hv->maps, 0);
}

/* Force unit access, and no write cache: it ends when the flush has. */
static void test_flush(void **state)
{
    struct ahci_rig *t = *state;
    for (unsigned how = 0; how < 3; how++) {
        if (how == 1) {
            issue(t, 0, 0, &(struct task){.opcode = 0xEF, .feature = 0x82}, 0, 0, 0);
            run(t);
            acknowledge(t, 0);
        }
        unsigned flushes = fake_block_count(t->block[0], BLOCK_FLUSH);
        put_fis(t, 0, 4,
                &(struct task){.opcode = 0x61,
                               .device = how == 1 ? 0x40 : 0xC0,
                               .feature = 8,
                               .count = 4 << 3,
                               .lba = 90});
        put_prd(t, 0, 4, 0, DATA, 4096);
        put_header(t, 0, 4, HDR_WRITE, 1);
        if (how == 2)
            fake_block_fail(t->block[0], BLOCK_FLUSH, 0, 1, EIO, 1);
        pset(t, 0, SACT, 1 << 4);
        pset(t, 0, CI, 1 << 4);
        fake_block_step(t->block[0]);
        assert_int_equal(pget(t, 0, SACT), 1 << 4);
        assert_false(irq(t));
        run(t);
        if (how == 2) {
            assert_int_equal(acknowledge(t, 0), SDBS | TFES);
            assert_int_equal(pget(t, 0, TFD), 0x0451);
        } else {
            assert_int_equal(acknowledge(t, 0), SDBS);
            assert_int_equal(fake_block_count(t->block[0], BLOCK_FLUSH) - flushes, 1);
        }
    }
}

/* A bad sector: its tag and address in the log, all others aborted, nothing taken before the log
 * has been read. */
static void test_errors(void **state)
{
    struct ahci_rig *t = *state;
    for (unsigned write = 0; write < 2; write++) {
        fake_block_heal(t->block[0]);
        fake_block_fail(t->block[0], write ? BLOCK_WRITE : BLOCK_READ, 1100 * 512, 512, EIO,
                        UINT_MAX);
        for (unsigned tag = 3; tag < 9; tag++)
            queue(t, 0, tag, write, 1000 + 32 * (tag - 3), 32, DATA + 0x10000 * tag);
        run(t);
        /* Tag 6 has 1096 to 1127. The others under way ended at the image, and nowhere else. */
        assert_int_equal(pget(t, 0, TFD), write ? 0x0451 : 0x4051);
        assert_int_equal(pget(t, 0, PIS), SDBS | TFES);
        uint32_t left = pget(t, 0, SACT);
        assert_true(left & 1 << 6);
        assert_int_equal(bits(t)[2], 0x51);
        assert_int_equal(bits(t)[3], write ? 0x04 : 0x40);
        assert_int_equal(rig_mem_read(t->rig, fis_at(0) + 0x5C, 4), 0);
        /* Nothing is taken now, after a new start the log alone. */
        pset(t, 0, CI, 1);
        assert_int_equal(pget(t, 0, CI), 1);
        restart(t, 0);
        queue(t, 0, 1, false, 0, 1, DATA);
        assert_int_equal(pget(t, 0, PIS), DHRS | TFES);
        assert_int_equal(pget(t, 0, TFD), 0x0451);
        restart(t, 0);
        issue(t, 0, 0, &(struct task){.opcode = 0xEC}, DATA, 512, 0);
        assert_int_equal(pget(t, 0, TFD), 0x0451);
        restart(t, 0);
        const uint8_t *log = read_queue_log(t);
        assert_int_equal(log[0], 6);
        assert_int_equal(log[2], 0x51);
        assert_int_equal(log[3], write ? 0x04 : 0x40);
        assert_int_equal(log[4] | log[5] << 8 | log[6] << 16, 1100);
        assert_int_equal(log[12], 28);
        /* And all is well again. */
        queue(t, 0, 1, false, 10, 1, DATA);
        run(t);
        assert_int_equal(acknowledge(t, 0), SDBS);
        assert_pattern(ram(t, DATA), 10 * 512, 512);
    }
    /* The log of logs; the summary error log has the two as well. */
    issue(t, 0, 0, &(struct task){.opcode = 0x2F, .count = 1}, DATA, 512, 0);
    assert_int_equal(acknowledge(t, 0), PSS);
    assert_int_equal(*ram(t, DATA), 1);
    assert_int_equal(*ram(t, DATA + 0x20), 1);
    issue(t, 0, 0, &(struct task){.opcode = 0xB0, .feature = 0xD5, .count = 1, .lba = 0xC24F01},
          DATA, 512, 0);
    assert_int_equal(acknowledge(t, 0), PSS);
    assert_int_equal(*ram(t, DATA + 452), 2);
    /* Pages and sizes that are not there. */
    static const struct task bad[] = {{.opcode = 0x2F, .count = 2, .lba = 0x10},
                                      {.opcode = 0x2F, .count = 0, .lba = 0x10},
                                      {.opcode = 0x2F, .count = 1, .lba = 0x110},
                                      {.opcode = 0x2F, .count = 1, .lba = 0x01}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        issue(t, 0, 0, &bad[i], DATA, 512, 0);
        assert_int_equal(pget(t, 0, TFD), 0x0451);
        restart(t, 0);
    }
}

/* An error while others are on their way to or from the image: the engine is off when they are
 * home. */
static void test_error_winds_down(void **state)
{
    struct ahci_rig *t = *state;
    fake_block_fail(t->block[0], BLOCK_READ, 100 * 512, 512, EIO, UINT_MAX);
    queue(t, 0, 0, false, 100, 1, DATA);
    for (unsigned tag = 1; tag < 4; tag++)
        queue(t, 0, tag, tag & 1, 1000 * tag, 4096, DATA);
    fake_block_step(t->block[0]);
    assert_int_equal(pget(t, 0, PIS), SDBS | TFES);
    assert_int_equal(pget(t, 0, SACT), 0xF);
    assert_int_equal(t->block[0]->pending, 3);
    pset(t, 0, CMD, FRE);
    assert_int_equal(pget(t, 0, SACT), 0);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(pget(t, 0, CMD) & CR, CR);
        assert_true(fake_block_step(t->block[0]));
    }
    assert_int_equal(pget(t, 0, CMD) & CR, 0);
    assert_int_equal(t->block[0]->pending, 0); /* no second piece of any */
    assert_int_equal(t->rig->hv->maps, 0);
    restart(t, 0);
    assert_int_equal(read_queue_log(t)[0], 0);
}

/* Writes that wait for their turn (a limit, or for `cont`) are not made once they have been taken
 * back. */
static void test_taken_back_in_line(void **state)
{
    struct ahci_rig *t = *state;
    uint8_t sector[512];
    t->block[0]->holds = true;
    memset(ram(t, DATA), 0xEE, 4096);
    for (unsigned tag = 0; tag < 4; tag++)
        queue(t, 0, tag, true, 100 * tag, 8, DATA);
    pset(t, 0, CMD, FRE);
    assert_int_equal(pget(t, 0, CMD) & CR, CR);
    run(t);
    assert_int_equal(pget(t, 0, CMD) & CR, 0);
    for (unsigned tag = 0; tag < 4; tag++) {
        fake_block_get(t->block[0], 100 * tag * 512, sector, 512);
        assert_pattern(sector, 100 * tag * 512, 512);
    }
    assert_int_equal(t->rig->hv->maps, 0);
}

/* Commands that a device cannot take. */
static void test_refused(void **state)
{
    struct ahci_rig *t = *state;
    static const struct {
        uint16_t count; /* with the tag */
        uint64_t lba;
        uint16_t sectors;
        bool read_only;
        uint8_t error;
    } cases[] = {
        {5 << 3, DISK_SIZE / 512, 1, false, 0x10},
        {5 << 3, DISK_SIZE / 512 - 1, 2, false, 0x10},
        {5 << 3, DISK_SIZE / 512 - 65535, 0, false, 0x10},
        {5 << 3, 0xFFFFFFFFFFFF, 0, false, 0x10},
        {6 << 3, 0, 1, false, 0x04},
        {5 << 3, 0, 1, true, 0x04},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        t->block[0]->read_only = cases[i].read_only;
        put_fis(t, 0, 5,
                &(struct task){.opcode = 0x61,
                               .feature = cases[i].sectors,
                               .count = cases[i].count,
                               .lba = cases[i].lba});
        put_prd(t, 0, 5, 0, DATA, 4096);
        put_header(t, 0, 5, HDR_WRITE, 1);
        pset(t, 0, SACT, 1 << 5);
        pset(t, 0, CI, 1 << 5);
        assert_int_equal(pget(t, 0, TFD), cases[i].error << 8 | 0x51);
        assert_int_equal(pget(t, 0, PIS), SDBS | TFES);
        restart(t, 0);
        assert_int_equal(read_queue_log(t)[0], 5);
    }
    t->block[0]->read_only = false;
    assert_int_equal(t->block[0]->record_count, 0);
    /* A command that is not queued among queued ones: all of them fail. */
    queue(t, 0, 2, false, 0, 8, DATA);
    issue(t, 0, 9, &(struct task){.opcode = 0x25, .count = 1}, DATA, 512, 0);
    assert_int_equal(pget(t, 0, PIS), DHRS | TFES);
    run(t);
    assert_int_equal(pget(t, 0, TFD), 0x0451);
    assert_int_equal(pget(t, 0, SACT), 1 << 2);
    restart(t, 0);
    assert_int_equal(read_queue_log(t)[0], 0x80);
    /* One that is queued behind one that is not waits for it. */
    issue(t, 0, 9, &(struct task){.opcode = 0x25, .count = 1}, DATA, 512, 0);
    queue(t, 0, 2, false, 7, 1, DATA + 512);
    assert_int_equal(pget(t, 0, CI), 1 << 9 | 1 << 2);
    run(t);
    assert_int_equal(acknowledge(t, 0), DHRS | SDBS);
    assert_pattern(ram(t, DATA + 512), 7 * 512, 512);
    /* Queued commands are of disks. */
    port_up(t, 2);
    put_fis(t, 2, 0, &(struct task){.opcode = 0x60, .feature = 1});
    put_header(t, 2, 0, 0, 0);
    pset(t, 2, SACT, 1);
    pset(t, 2, CI, 1);
    assert_int_equal(pget(t, 2, TFD) & 0xFF01, 0x0401);
}

static void test_bad_memory(void **state)
{
    struct ahci_rig *t = *state;
    for (unsigned write = 0; write < 2; write++) {
        static const uint64_t places[] = {0xF0000000, RIG_RAM - 256, 1ull << 45};
        for (unsigned i = 0; i < 3; i++) {
            for (unsigned size = 64; size < 1024; size *= 2) {
                put_fis(
                    t, 0, 8,
                    &(struct task){
                        .opcode = write ? 0x61 : 0x60, .feature = 2, .count = 8 << 3, .lba = 40});
                put_prd(t, 0, 8, 0, DATA, size);
                put_prd(t, 0, 8, 1, places[i], 1024);
                put_header(t, 0, 8, write ? HDR_WRITE : 0, 2);
                pset(t, 0, SACT, 1 << 8);
                pset(t, 0, CI, 1 << 8);
                run(t);
                assert_int_equal(pget(t, 0, PIS), HBFS);
                restart(t, 0);
            }
        }
        /* Too short. */
        put_header(t, 0, 8, write ? HDR_WRITE : 0, 1);
        pset(t, 0, SACT, 1 << 8);
        pset(t, 0, CI, 1 << 8);
        run(t);
        assert_int_equal(pget(t, 0, PIS), SDBS | TFES | OFS);
        restart(t, 0);
        read_queue_log(t);
    }
    uint8_t sector[512];
    fake_block_get(t->block[0], 41 * 512, sector, 512);
    assert_pattern(sector, 41 * 512, 512);
    assert_int_equal(t->rig->hv->maps, 0);
}

static void test_no_bus_master(void **state)
{
    struct ahci_rig *t = *state;
    queue(t, 0, 0, false, 0, 4096, DATA);
    assert_int_equal(t->block[0]->pending, 1);
    rig_pci_write(t->rig, SLOT, 0, 4, 2, 3);
    run(t); /* what was under way ends; nothing follows */
    queue(t, 0, 1, false, 0, 8, DATA);
    assert_int_equal(t->block[0]->pending, 0);
    assert_int_equal(pget(t, 0, SACT), 3);
    rig_pci_write(t->rig, SLOT, 0, 4, 2, 7);
    assert_int_equal(t->block[0]->pending, 2);
    run(t);
    assert_int_equal(pget(t, 0, SACT), 0);
}

/* Sectors of 4096 bytes. */
static void test_large_sectors(void **state)
{
    struct ahci_config config = {0};
    (void)state;
    config.drive[0] = (struct ide_drive_config){
        .present = true, .block = fake_block_new("4k", DISK_SIZE), .logical_block = 4096};
    fill_pattern(config.drive[0].block, 0, 1 << 20);
    struct ahci_rig *t = ahci_rig_with(&config);
    port_up(t, 0);
    put_fis(t, 0, 0, &(struct task){.opcode = 0x60, .feature = 3, .lba = 5});
    put_prd(t, 0, 0, 0, DATA, 3 * 4096);
    put_header(t, 0, 0, 0, 1);
    pset(t, 0, SACT, 1);
    pset(t, 0, CI, 1);
    run(t);
    assert_int_equal(acknowledge(t, 0), SDBS);
    assert_pattern(ram(t, DATA), 5 * 4096, 3 * 4096);
    fake_block_fail(t->block[0], BLOCK_READ, 9 * 4096 + 512, 512, EIO, UINT_MAX);
    pset(t, 0, SACT, 1);
    put_fis(t, 0, 0, &(struct task){.opcode = 0x60, .feature = 3, .lba = 8});
    pset(t, 0, CI, 1);
    run(t);
    assert_int_equal(acknowledge(t, 0), SDBS | TFES);
    restart(t, 0);
    assert_int_equal(read_queue_log(t)[4], 9);
    ahci_rig_free(t);
}

/* Saved with 32 under way, at all stages. */
static void test_migrate(void **state)
{
    struct ahci_config config = ahci_config_new();
    struct ahci_rig *t = ahci_rig_with(&config);
    (void)state;
    fill_pattern(t->block[0], 0, 8 << 20);
    port_up(t, 0);
    for (unsigned tag = 0; tag < 32; tag++)
        queue(t, 0, tag, false, 4096 * (tag & 1), tag < 4 ? 4096 : 8,
              tag < 4 ? DATA : DATA + 0x200000 + tag * 4096);
    t = ahci_migrate(t, &config);
    assert_int_equal(pget(t, 0, SACT),
                     0xF); /* the short ones ended on the way, the long have not */
    assert_true(irq(t));
    assert_int_equal(acknowledge(t, 0), SDBS);
    t = ahci_migrate(t, &config);
    run(t);
    assert_int_equal(pget(t, 0, SACT), 0);
    assert_pattern(ram(t, DATA + 0x200000 + 30 * 4096), 0, 4096);
    assert_pattern(ram(t, DATA), 4096 * 512, 4096 * 512); /* the last that wrote there was odd */
    acknowledge(t, 0);
    for (unsigned tag = 0; tag < 32; tag++)
        queue(t, 0, tag, true, 100 + tag, 1, DATA);
    rig_standard_tests(t->rig, ahci_device(t));
    run(t);
    ahci_rig_free(t);
}

static void test_log_dirty(void **state)
{
    struct ahci_rig *t = *state;
    struct hypervisor *hv = t->rig->hv;
    hv_log_dirty(hv, true);
    queue(t, 0, 0, false, 100, 16, DATA);
    run(t);
    assert_true(hv->dirty[DATA >> 12]);
    assert_true(hv->dirty[(DATA >> 12) + 1]);
    assert_true(hv->dirty[fis_at(0) >> 12]);
    assert_false(hv->dirty[(DATA >> 12) + 2]);
    memset(hv->dirty, 0, RIG_RAM >> 12);
    queue(t, 0, 0, true, 100, 16, DATA);
    run(t);
    assert_false(hv->dirty[DATA >> 12]);
    issue(t, 0, 0, &(struct task){.opcode = 0x25, .count = 1}, DATA, 512, 0);
    run(t);
    assert_true(hv->dirty[list_at(0) >> 12]);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, ahci_teardown)
    const struct CMUnitTest tests[] = {
        T(test_parallel),
        T(test_batch),
        T(test_sizes),
        T(test_flush),
        T(test_errors),
        T(test_error_winds_down),
        T(test_taken_back_in_line),
        T(test_refused),
        T(test_bad_memory),
        T(test_no_bus_master),
        cmocka_unit_test(test_large_sectors),
        cmocka_unit_test(test_migrate),
        T(test_log_dirty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
