/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bus-master IDE: registers, descriptors, the status table, errors, aborts and resets. */
#include <errno.h>
#include <limits.h>

#include "tests/device/ide_rig.h"

#define DATA 0x100000u /* where data go in guest memory */

static int setup(void **state)
{
    struct ide_rig *t = ide_rig_new();
    fill_pattern(t->block[0], 0, 4 << 20);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    ide_rig_free(*state);
    return 0;
}

static uint8_t *ram(struct ide_rig *t, uint32_t addr)
{
    return t->rig->hv->ram + addr;
}

static void test_registers(void **state)
{
    struct ide_rig *t = *state;
    for (unsigned channel = 0; channel < 2; channel++) {
        uint16_t port = (uint16_t)(BM_PORT + 8 * channel);
        t->base = channel ? ATA1 : ATA0;
        assert_int_equal(rig_inl(t->rig, port), 0);
        rig_outl(t->rig, (uint16_t)(port + 4), 0xFFFFFFFF);
        assert_int_equal(rig_inl(t->rig, (uint16_t)(port + 4)), 0xFFFFFFFC);
        rig_outw(t->rig, (uint16_t)(port + 6), 0x1234);
        rig_outb(t->rig, (uint16_t)(port + 5), 0x56);
        assert_int_equal(rig_inl(t->rig, (uint16_t)(port + 4)), 0x123456FC);
        rig_outb(t->rig, (uint16_t)(port + 2), 0xFF); /* drive bits can be set, simplex cannot */
        assert_int_equal(bm_status(t), 0x60);
        rig_outb(t->rig, (uint16_t)(port + 2), 0);
        rig_outb(t->rig, port, 0xFF);
        assert_int_equal(rig_inb(t->rig, port), 0x09);
        assert_int_equal(bm_status(t), BM_ACTIVE);
        rig_outb(t->rig, port, 0x01); /* direction stays while active */
        assert_int_equal(rig_inb(t->rig, port), 0x09);
        bm_stop(t);
        assert_int_equal(bm_status(t), 0);
        rig_outb(t->rig, port, 0x08);
        assert_int_equal(rig_inb(t->rig, port), 0x08);
        rig_outb(t->rig, (uint16_t)(port + 1), 0xFF);
        rig_outb(t->rig, (uint16_t)(port + 3), 0xFF);
        assert_int_equal(rig_inl(t->rig, port), 0x08);
    }
    assert_int_equal(t->block[0]->pending, 0);
}

/* Every opcode, both orders of command and start, interrupt and status at the end. */
static void test_transfers(void **state)
{
    static const struct {
        uint8_t opcode;
        bool ext, write;
        unsigned count;
    } cases[] = {
        {0xC8, false, false, 1},   {0xC9, false, false, 9},  {0xC8, false, false, 256},
        {0x25, true, false, 1000}, {0xCA, false, true, 1},   {0xCB, false, true, 9},
        {0xCA, false, true, 256},  {0x35, true, true, 1000}, {0x3D, true, true, 3},
    };
    struct ide_rig *t = *state;
    uint8_t *got = malloc(1000 * 512);
    assert_non_null(got);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (unsigned start_first = 0; start_first < 2; start_first++) {
            uint32_t bytes = cases[i].count * 512, n = 0;
            uint64_t lba = 300;
            for (uint32_t at = 0; at < bytes; at += 0x10000, n++) {
                uint32_t size = bytes - at < 0x10000 ? bytes - at : 0x10000;
                put_prd(t, n, DATA + at, (size & 0xFFFF) | (at + size == bytes ? PRD_EOT : 0));
            }
            for (uint32_t k = 0; k < bytes; k++)
                *ram(t, DATA + k) = (uint8_t)(pattern(k) + i * 16 + start_first);
            unsigned before = irqs(t), flushes = fake_block_count(t->block[0], BLOCK_FLUSH);
            if (start_first)
                bm_start(t, !cases[i].write);
            if (cases[i].ext)
                lba48(t, 0, cases[i].opcode, lba, cases[i].count);
            else
                lba28(t, 0, cases[i].opcode, (uint32_t)lba, cases[i].count);
            assert_int_equal(alt(t) & (S_BSY | S_DRQ), S_BSY);
            if (!start_first) {
                assert_int_equal(t->block[0]->pending, 0); /* waits for the start */
                bm_start(t, !cases[i].write);
            }
            assert_int_equal(bm_status(t), BM_ACTIVE);
            assert_false(irq(t));
            run(t);
            assert_int_equal(irqs(t) - before, 1);
            assert_int_equal(bm_status(t), BM_INT);
            assert_int_equal(in(t, R_STATUS), S_OK);
            assert_int_equal(bm_status(t), BM_INT);
            bm_stop(t);
            assert_int_equal(in(t, R_COUNT), 0);
            if (cases[i].ext)
                assert_int_equal(get_lba48(t), lba + cases[i].count - 1);
            else
                assert_int_equal(get_lba28(t), lba + cases[i].count - 1);
            fake_block_get(t->block[0], lba * 512, got, bytes);
            assert_memory_equal(ram(t, DATA), got, bytes);
            assert_int_equal(fake_block_count(t->block[0], BLOCK_FLUSH) - flushes,
                             cases[i].opcode == 0x3D);
        }
    }
    free(got);
}

/* Rev 1.0, 3.2: descriptors shorter than, equal to and longer than the transfer; CVE-2019-20175's
 * sizes that are no multiple of a sector. */
static void test_sizes(void **state)
{
    struct ide_rig *t = *state;
    static const unsigned extra[] = {513, 514, 1022, 1023, 1024, 1025, 1026, 0x8000, 0xFFFF, 0};
    for (unsigned i = 1; i < 513 + sizeof(extra) / sizeof(extra[0]); i++) {
        uint32_t count = i < 513 ? i : extra[i - 513];
        uint32_t size = count & ~1u ? count & ~1u : 0x10000;
        for (unsigned write = 0; write < 2; write++) {
            uint32_t want = 512;
            uint8_t sector[512];
            put_prd(t, 0, DATA, count | PRD_EOT);
            memset(ram(t, DATA), 0xC7, 1024);
            fill_pattern(t->block[0], 0x1000, 0x1000);
            lba28(t, 0, write ? 0xCA : 0xC8, 8, want / 512);
            bm_start(t, !write);
            run(t);
            uint8_t bm = bm_status(t);
            assert_int_equal(irq(t), size >= want);
            assert_int_equal(bm, size < want ? 0 : size == want ? BM_INT : BM_INT | BM_ACTIVE);
            assert_int_equal(in(t, R_STATUS), S_OK);
            bm_stop(t);
            assert_int_equal(bm_status(t) & BM_ACTIVE, 0);
            fake_block_get(t->block[0], 8 * 512, sector, 512);
            if (write) {
                assert_int_equal(sector[0], size >= want ? 0xC7 : pattern(8 * 512));
            } else {
                uint32_t moved = size < want ? size : want;
                assert_pattern(ram(t, DATA), 8 * 512, moved);
                assert_int_equal(*ram(t, DATA + moved), 0xC7);
            }
        }
    }
    /* Three sectors wanted, two and a half described. */
    put_prd(t, 0, DATA, 1024);
    put_prd(t, 1, DATA + 1024, 256 | PRD_EOT);
    lba28(t, 0, 0xC8, 100, 3);
    bm_start(t, true);
    run(t);
    assert_int_equal(bm_status(t), 0);
    assert_pattern(ram(t, DATA), 100 * 512, 1280);
    bm_stop(t);
}

static void test_scatter(void **state)
{
    struct ide_rig *t = *state;
    uint32_t seed = 12345;
    /* Regions of 2 bytes: more than a list holds for one sector. */
    for (unsigned write = 0; write < 2; write++) {
        unsigned n = 3 * 256;
        for (unsigned i = 0; i < n; i++)
            put_prd(t, i, DATA + 6 * i, 2 | (i == n - 1 ? PRD_EOT : 0));
        memset(ram(t, DATA), 0xA5, 6 * n);
        lba28(t, 0, write ? 0xCA : 0xC8, 77, 3);
        bm_start(t, !write);
        run(t);
        assert_int_equal(bm_status(t), BM_INT);
        in(t, R_STATUS);
        bm_stop(t);
        uint8_t got[1536];
        if (write) {
            fake_block_get(t->block[0], 77 * 512, got, sizeof(got));
            for (unsigned i = 0; i < sizeof(got); i++)
                assert_int_equal(got[i], 0xA5);
        } else {
            for (unsigned i = 0; i < n; i++) {
                assert_pattern(ram(t, DATA + 6 * i), 77 * 512 + 2 * i, 2);
                assert_int_equal(*ram(t, DATA + 6 * i + 2), 0xA5);
            }
        }
    }
    /* Random sizes, unaligned addresses (bit 0 of address and count does not exist). */
    for (unsigned round = 0; round < 20; round++) {
        uint32_t total = 256 * 512, at = 0, n = 0, where[8192], size[8192];
        uint32_t to = DATA;
        while (at < total) {
            seed = seed * 1103515245 + 12345;
            uint32_t s = (seed >> 16) % (round & 1 ? 60 : 3000) + 2;
            s &= ~1u;
            if (s > total - at)
                s = total - at;
            where[n] = to + (seed >> 8 & 0x3E);
            size[n] = s;
            to = where[n] + s;
            put_prd(t, n, where[n] | (seed >> 20 & 1),
                    s | (seed >> 21 & 1) | (at + s == total ? PRD_EOT : 0));
            at += s;
            n++;
        }
        assert_true(n < 8192 && PRDS + 8 * n < DATA);
        lba28(t, 0, 0xC8, 1000 + round, 256);
        bm_start(t, true);
        run(t);
        assert_int_equal(bm_status(t), BM_INT);
        in(t, R_STATUS);
        bm_stop(t);
        uint64_t from = (1000 + round) * 512;
        for (unsigned i = 0; i < n; i++) {
            assert_pattern(ram(t, where[i]), from, size[i]);
            from += size[i];
        }
    }
    assert_int_equal(t->rig->hv->maps, 0);
}

/* Where the table may lie: across a page, up to the last byte of RAM. */
static void test_table_place(void **state)
{
    struct ide_rig *t = *state;
    static const uint32_t places[] = {0x1FFC, 0x2FF8, RIG_RAM - 24};
    for (unsigned i = 0; i < 3; i++) {
        for (unsigned k = 0; k < 3; k++) {
            rig_mem_write(t->rig, places[i] + 8 * k, 4, DATA + 0x1000 * k);
            rig_mem_write(t->rig, places[i] + 8 * k + 4, 4, 512 | (k == 2 ? PRD_EOT : 0));
        }
        rig_outl(t->rig, BM_PORT + 4, places[i]);
        lba28(t, 0, 0xC8, 5, 3);
        rig_outb(t->rig, BM_PORT, 9);
        run(t);
        assert_int_equal(bm_status(t), BM_INT);
        in(t, R_STATUS);
        rig_outb(t->rig, BM_PORT + 2, 4);
        bm_stop(t);
        assert_pattern(ram(t, DATA + 0x2000), 7 * 512, 512);
    }
    /* No end of the table within RAM. */
    rig_mem_write(t->rig, RIG_RAM - 4, 4, 512);
    rig_outl(t->rig, BM_PORT + 4, RIG_RAM - 8);
    lba28(t, 0, 0xC8, 5, 3);
    rig_outb(t->rig, BM_PORT, 9);
    run(t);
    assert_int_equal(bm_status(t), BM_ERROR);
    assert_false(irq(t));
    assert_int_equal(in(t, R_STATUS), S_OK);
}

static void test_bad_memory(void **state)
{
    struct ide_rig *t = *state;
    uint8_t sector[512];
    static const uint32_t bad[] = {0xF0000000, RIG_RAM, 0xFFFFF000, RIG_RAM - 256};
    for (unsigned i = 0; i < 4; i++) {
        for (unsigned write = 0; write < 2; write++) {
            put_prd(t, 0, DATA, 512);
            put_prd(t, 1, bad[i], 1024 | PRD_EOT);
            lba28(t, 0, write ? 0xCA : 0xC8, 8, 3);
            bm_start(t, !write);
            run(t);
            assert_int_equal(bm_status(t), BM_ERROR);
            assert_false(irq(t));
            assert_int_equal(in(t, R_STATUS), S_OK);
            bm_stop(t);
            fake_block_get(t->block[0], 9 * 512, sector, 512);
            assert_pattern(sector, 9 * 512, 512); /* nothing made up is written */
        }
    }
    rig_outl(t->rig, BM_PORT + 4, 0xFFFFFFFC);
    lba28(t, 0, 0xCA, 8, 3);
    rig_outb(t->rig, BM_PORT + 2, 6);
    rig_outb(t->rig, BM_PORT, 1);
    run(t);
    assert_int_equal(bm_status(t), BM_ERROR);
    assert_int_equal(fake_block_count(t->block[0], BLOCK_WRITE), 0);
    assert_int_equal(t->rig->hv->maps, 0);
    bm_stop(t);
    /* Data on top of the table: each descriptor counts as it was when it was read. */
    put_prd(t, 0, PRDS, 0x2000);
    put_prd(t, 1, DATA, 0x2000 | PRD_EOT);
    lba28(t, 0, 0xC8, 8, 32);
    bm_start(t, true);
    run(t);
    assert_int_equal(bm_status(t), BM_INT);
    assert_pattern(ram(t, DATA), 24 * 512, 0x2000);
}

static void test_no_bus_master(void **state)
{
    struct ide_rig *t = *state;
    memset(ram(t, DATA), 0xC7, 512);
    put_prd(t, 0, DATA, 0 | PRD_EOT);
    rig_pci_write(t->rig, 1, 1, 0x04, 2, 0x0001);
    lba28(t, 0, 0xC8, 8, 1);
    bm_start(t, true);
    run(t);
    assert_int_equal(bm_status(t), BM_INT | BM_ACTIVE);
    assert_int_equal(in(t, R_STATUS), S_OK);
    assert_int_equal(*ram(t, DATA), 0xC7);
    bm_stop(t);
    /* Nothing to write without it; it goes on when the bit comes. */
    lba28(t, 0, 0xCA, 8, 1);
    bm_start(t, false);
    run(t);
    assert_int_equal(bm_status(t), BM_ACTIVE);
    assert_int_equal(fake_block_count(t->block[0], BLOCK_WRITE), 0);
    rig_pci_write(t->rig, 1, 1, 0x04, 2, 0x0005);
    run(t);
    assert_int_equal(fake_block_count(t->block[0], BLOCK_WRITE), 1);
    assert_int_equal(bm_status(t), BM_INT | BM_ACTIVE);
}

/* 65,536 sectors: in pieces, none above 1 MiB. */
static void test_long(void **state)
{
    struct ide_rig *t = *state;
    for (unsigned i = 0; i < 512; i++)
        put_prd(t, i, DATA + (i % 16) * 0x10000, i == 511 ? PRD_EOT : 0);
    lba48(t, 0, 0x25, 100, 0);
    bm_start(t, true);
    run(t);
    assert_int_equal(bm_status(t), BM_INT);
    assert_int_equal(in(t, R_STATUS), S_OK);
    assert_int_equal(get_lba48(t), 100 + 65535);
    uint64_t next = 100 * 512;
    for (unsigned i = 0; i < t->block[0]->record_count; i++) {
        assert_int_equal(t->block[0]->records[i].offset, next);
        assert_true(t->block[0]->records[i].bytes <= 1 << 20);
        next += t->block[0]->records[i].bytes;
    }
    assert_int_equal(next, 65636 * 512);
}

static void test_errors(void **state)
{
    struct ide_rig *t = *state;
    put_prd(t, 0, DATA, 0);
    put_prd(t, 1, DATA + 0x10000, 0 | PRD_EOT);
    fake_block_fail(t->block[0], BLOCK_READ, 333 * 512, 512, EIO, UINT_MAX);
    memset(ram(t, DATA), 0, 0x20000);
    lba28(t, 0, 0xC8, 200, 0);
    bm_start(t, true);
    run(t);
    assert_true(irq(t));
    assert_int_equal(bm_status(t), BM_INT | BM_ACTIVE);
    assert_int_equal(in(t, R_STATUS), S_OK | S_ERR);
    assert_int_equal(in(t, R_ERROR), 0x40);
    assert_int_equal(get_lba28(t), 333);
    assert_pattern(ram(t, DATA), 200 * 512, 133 * 512);
    bm_stop(t);
    assert_int_equal(bm_status(t), BM_INT);
    /* Once only, and it reads well the second time. */
    fake_block_heal(t->block[0]);
    fake_block_fail(t->block[0], BLOCK_READ, 333 * 512, 512, EIO, 1);
    lba28(t, 0, 0xC8, 200, 0);
    bm_start(t, true);
    run(t);
    assert_int_equal(bm_status(t), BM_INT);
    assert_int_equal(in(t, R_STATUS), S_OK);
    bm_stop(t);
    fake_block_fail(t->block[0], BLOCK_WRITE, 333 * 512, 512, EIO, UINT_MAX);
    lba48(t, 0, 0x35, 200, 256);
    bm_start(t, false);
    run(t);
    assert_int_equal(in(t, R_STATUS), S_OK | S_ERR);
    assert_int_equal(in(t, R_ERROR), 0x04);
    assert_int_equal(get_lba48(t), 333);
    /* Write cache off: done when the flush is. */
    fake_block_heal(t->block[0]);
    bm_stop(t);
    out(t, R_ERROR, 0x82);
    out(t, R_STATUS, 0xEF);
    run(t);
    in(t, R_STATUS);
    lba28(t, 0, 0xCA, 200, 0);
    bm_start(t, false);
    while (t->block[0]->first && t->block[0]->first->op == BLOCK_WRITE)
        fake_block_step(t->block[0]);
    assert_int_equal(bm_status(t), BM_ACTIVE);
    assert_int_equal(alt(t) & S_BSY, S_BSY);
    run(t);
    assert_int_equal(bm_status(t), BM_INT);
    assert_int_equal(t->rig->hv->maps, 0);
}

/* CVE-2023-5088: a reset while a write is under way: what is under way ends where it belongs,
 * nothing else is written, at LBA 0 least of all. The same for every other way of losing it. */
static void test_taken_back(void **state)
{
    for (unsigned how = 0; how < 5; how++) {
        struct ide_rig *t = ide_rig_new();
        uint8_t sector[512];
        fill_pattern(t->block[0], 0, 4 << 20);
        for (unsigned i = 0; i < 64; i++)
            put_prd(t, i, DATA, i == 63 ? PRD_EOT : 0);
        memset(ram(t, DATA), 0xEE, 0x10000);
        lba48(t, 0, 0x35, 4096, 8192);
        bm_start(t, false);
        assert_int_equal(t->block[0]->pending, 1);
        size_t bytes = t->block[0]->first->bytes;
        assert_true(bytes < 8192 * 512);
        switch (how) {
        case 0:
            soft_reset(t);
            break;
        case 1:
            bm_stop(t);
            break;
        case 2:
            device_reset(ide_device(t));
            rig_pci_write(t->rig, 1, 1, 0x20, 4, BM_PORT);
            rig_pci_write(t->rig, 1, 1, 0x04, 2, 0x0005);
            break;
        case 3:
            bm_stop(t);
            bm_start(t, false); /* begins anew, with nobody to ask for data */
            break;
        default:
            control(t, 4);
            bm_stop(t);
            control(t, 0);
            break;
        }
        if (how == 1) { /* stops when the piece under way has ended */
            assert_int_equal(alt(t) & S_BSY, S_BSY);
            assert_int_equal(bm_status(t), BM_ACTIVE);
            run(t);
        }
        bool reset = how == 0 || how == 4;
        assert_int_equal(alt(t), reset ? S_BSY : S_OK);
        assert_int_equal(bm_status(t), how == 3 || how == 0 ? BM_ACTIVE : 0);
        assert_false(irq(t));
        assert_int_equal(t->block[0]->pending, reset || how == 3);
        /* A software reset is over when it is gone; a hardware reset waits for it; after a new
         * start the next command waits. */
        if (reset) {
            run(t);
            bm_stop(t);
        }
        assert_int_equal(alt(t), S_OK);
        lba28(t, 0, 0xC8, 77, 1);
        if (how == 3)
            assert_int_equal(alt(t), S_BSY);
        bm_stop(t);
        put_prd(t, 0, DATA + 0x20000, 512 | PRD_EOT);
        bm_start(t, true);
        assert_int_equal(t->block[0]->pending, 1);
        run(t);
        assert_int_equal(bm_status(t), BM_INT);
        assert_int_equal(in(t, R_STATUS), S_OK);
        assert_pattern(ram(t, DATA + 0x20000), 77 * 512, 512);
        bm_stop(t);
        assert_int_equal(fake_block_count(t->block[0], BLOCK_WRITE), 1);
        fake_block_get(t->block[0], 0, sector, 512);
        assert_pattern(sector, 0, 512);
        fake_block_get(t->block[0], 4096 * 512 + bytes, sector, 512);
        assert_pattern(sector, 4096 * 512 + bytes, 512);
        assert_int_equal(t->rig->hv->maps, 0);
        ide_rig_free(t);
    }
    (void)state;
}

/* A write that waits for its turn (a limit, or for `cont`) is not made once it has been taken back.
 */
static void test_taken_back_in_line(void **state)
{
    struct ide_rig *t = *state;
    uint8_t sector[512];
    t->block[0]->holds = true;
    memset(ram(t, DATA), 0xEE, 0x10000);
    put_prd(t, 0, DATA, PRD_EOT);
    lba28(t, 0, 0xCA, 77, 128);
    bm_start(t, false);
    soft_reset(t);
    assert_int_equal(alt(t), S_BSY);
    run(t);
    assert_int_equal(alt(t), S_OK);
    fake_block_get(t->block[0], 77 * 512, sector, 512);
    assert_pattern(sector, 77 * 512, 512);
    assert_int_equal(t->rig->hv->maps, 0);
}

/* The start bit cleared at once: a transfer of one piece ends well, whatever the descriptors. */
static void test_stop(void **state)
{
    struct ide_rig *t = *state;
    static const struct {
        uint32_t prd;
        unsigned sectors;
        uint8_t status;
    } cases[] = {{512, 1, BM_INT}, {4096, 1, BM_INT}, {16, 1, 0}, {512, 2, 0}, {0, 128, BM_INT}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (unsigned fail = 0; fail < 2; fail++) {
            put_prd(t, 0, DATA, cases[i].prd | PRD_EOT);
            if (fail)
                fake_block_fail(t->block[0], BLOCK_READ, 0, DISK_SIZE, EIO, UINT_MAX);
            lba28(t, 0, 0xC8, 60, cases[i].sectors);
            bm_start(t, true);
            bm_stop(t);
            assert_int_equal(bm_status(t), BM_ACTIVE);
            assert_int_equal(rig_inb(t->rig, BM_PORT) & 1, 0);
            run(t);
            assert_int_equal(bm_status(t), fail ? 0 : cases[i].status);
            assert_int_equal(irq(t), !fail && cases[i].status);
            assert_int_equal(in(t, R_STATUS), S_OK);
            fake_block_heal(t->block[0]);
        }
        assert_int_equal(t->rig->hv->maps, 0);
    }
    /* Stopped before the drive had anything to move, and before it was started: nothing happens. */
    bm_start(t, true);
    bm_stop(t);
    assert_int_equal(bm_status(t), 0);
    lba28(t, 0, 0xC8, 60, 1);
    bm_stop(t);
    assert_int_equal(alt(t) & S_BSY, S_BSY);
    put_prd(t, 0, DATA, 512 | PRD_EOT);
    bm_start(t, true);
    run(t);
    assert_int_equal(bm_status(t), BM_INT);
}

static void test_destroy_in_flight(void **state)
{
    struct ide_rig *t = ide_rig_new();
    (void)state;
    put_prd(t, 0, DATA, PRD_EOT);
    lba28(t, 0, 0xC8, 0, 128);
    bm_start(t, true);
    assert_int_equal(t->block[0]->pending, 1);
    ide_rig_free(t); /* checks pending requests and mappings */
}

static void test_log_dirty(void **state)
{
    struct ide_rig *t = *state;
    hv_log_dirty(t->rig->hv, true);
    put_prd(t, 0, DATA + 0x800, 0x1000 | PRD_EOT);
    lba28(t, 0, 0xC8, 0, 8);
    bm_start(t, true);
    run(t);
    for (uint32_t page = 0; page < RIG_RAM >> 12; page++) {
        bool in_data = page == DATA >> 12 || page == (DATA >> 12) + 1;
        assert_int_equal(t->rig->hv->dirty[page] != 0, in_data);
    }
    bm_stop(t);
    memset(t->rig->hv->dirty, 0, RIG_RAM >> 12);
    lba28(t, 0, 0xCA, 0, 8);
    bm_start(t, false);
    run(t);
    assert_int_equal(t->rig->hv->dirty[DATA >> 12], 0);
    /* By the buffer as well. */
    for (unsigned i = 0; i < 256; i++)
        put_prd(t, i, DATA + 0x5000 + 2 * i, 2 | (i == 255 ? PRD_EOT : 0));
    bm_stop(t);
    lba28(t, 0, 0xC8, 0, 1);
    bm_start(t, true);
    run(t);
    assert_int_not_equal(t->rig->hv->dirty[(DATA + 0x5000) >> 12], 0);
}

static void test_migrate(void **state)
{
    struct ide_rig *t = ide_rig_new();
    struct piix3_ide_config config = {0};
    (void)state;
    config.drive[0].present = true;
    config.drive[0].block = t->block[0];
    config.drive[2].present = config.drive[2].cdrom = true;
    config.drive[2].block = t->block[2];
    fill_pattern(t->block[0], 0, 4 << 20);
    for (unsigned i = 0; i < 32; i++)
        put_prd(t, i, DATA + (i % 16) * 0x10000, i == 31 ? PRD_EOT : 0);
    lba48(t, 0, 0x25, 0, 4096);
    bm_start(t, true);
    t = ide_migrate(t, &config); /* after the first piece */
    assert_int_equal(t->block[0]->pending, 1);
    t = ide_migrate(t, &config);
    run(t);
    assert_true(irq(t));
    assert_int_equal(bm_status(t), BM_INT);
    assert_int_equal(in(t, R_STATUS), S_OK);
    assert_pattern(ram(t, DATA), 1 << 20, 1 << 20);
    bm_stop(t);
    /* Waiting for the start; the interrupt pending. */
    lba28(t, 0, 0xC8, 9, 1);
    t = ide_migrate(t, &config);
    put_prd(t, 0, DATA, 512 | PRD_EOT);
    bm_start(t, true);
    run(t);
    t = ide_migrate(t, &config);
    assert_true(irq(t)); /* pushed on load */
    assert_int_equal(bm_status(t), BM_INT);
    assert_int_equal(in(t, R_STATUS), S_OK);
    assert_pattern(ram(t, DATA), 9 * 512, 512);
    rig_standard_tests(t->rig, ide_device(t));
    ide_rig_free(t);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_registers),
        T(test_transfers),
        T(test_sizes),
        T(test_scatter),
        T(test_table_place),
        T(test_bad_memory),
        T(test_no_bus_master),
        T(test_long),
        T(test_errors),
        cmocka_unit_test(test_taken_back),
        T(test_taken_back_in_line),
        T(test_stop),
        cmocka_unit_test(test_destroy_in_flight),
        T(test_log_dirty),
        cmocka_unit_test(test_migrate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
