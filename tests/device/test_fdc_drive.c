/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_fdc_drive: diskettes of all sizes read and written through the floppy controller, by DMA and
 * through the FIFO, as drivers do it. */
#include "tests/device/fdc_rig.h"

static uint8_t *memory(void)
{
    return rig->hv->ram + DMA_ADDRESS;
}

static void read_one_sector(void **state)
{
    (void)state;
    program_dma(0x44, DMA_ADDRESS, 512);
    transfer(0xE6, 0, 0, 0, 5, 18);
    assert_int_equal(msr(), 0x10); /* busy, and nothing for the host to do */
    assert_false(interrupt());
    finish_transfer();
    expect("\x00\x00\x00\x00\x00\x06\x02", 7);
    expect_sectors(memory(), 4, 1);
    assert_int_equal(disk->records[0].bytes, 512); /* no more is read than DMA will take */
    assert_int_equal(clock_deadline(&rig->clock), CLOCK_NEVER);
}

/* A whole cylinder in one command, as Linux reads ahead. */
static void read_both_sides(void **state)
{
    (void)state;
    seek_to(0, 7);
    program_dma(0x44, DMA_ADDRESS, 36 * 512);
    transfer(0xE6, 0, 7, 0, 1, 18);
    finish_transfer();
    expect("\x04\x00\x00\x08\x00\x01\x02", 7);
    expect_sectors(memory(), 7 * 36, 36);
    /* from the middle of one side to the middle of the other */
    program_dma(0x44, DMA_ADDRESS, 18 * 512);
    transfer(0xE6, 0, 7, 0, 10, 18);
    finish_transfer();
    expect("\x04\x00\x00\x07\x01\x0A\x02", 7);
    expect_sectors(memory(), 7 * 36 + 9, 18);
}

/* BIOSes name the last sector of what they want, also when that is on the other side. */
static void bios_across_the_sides(void **state)
{
    (void)state;
    program_dma(0x44, DMA_ADDRESS, 12 * 512);
    transfer(0xE6, 0, 0, 0, 13, 24);
    finish_transfer();
    expect("\x04\x00\x00\x00\x01\x07\x02", 7);
    expect_sectors(memory(), 12, 12);
    program_dma(0x44, DMA_ADDRESS, 40 * 512); /* and a little of the next cylinder */
    transfer(0xE6, 0, 0, 0, 1, 40);
    finish_transfer();
    expect("\x20\x00\x00\x01\x00\x05\x02", 7);
    expect_sectors(memory(), 0, 40);
    memset(memory(), 0x3C, 12 * 512);
    program_dma(0x48, DMA_ADDRESS, 12 * 512);
    transfer(0xC5, 0, 1, 0, 13, 24);
    finish_transfer();
    expect("\x04\x00\x00\x01\x01\x07\x02", 7);
    expect_on_disk(disk, 36 + 12, memory(), 12 * 512);
    /* a driver that tries a format with more sectors is told: both sides are wanted */
    seek_to(0, 0);
    program_dma(0x44, DMA_ADDRESS, 42 * 512);
    transfer(0xE6, 0, 0, 0, 1, 21);
    finish_transfer();
    expect("\x40\x04\x00\x00\x00\x13\x02", 7);
    program_dma(0x44, DMA_ADDRESS, 12 * 512); /* one side alone never goes on */
    transfer(0x66, 0, 0, 0, 13, 24);
    finish_transfer();
    expect("\x40\x04\x00\x00\x00\x13\x02", 7);
}

/* 5.1.1: what C, H, R are after the last sector. */
static void result_ids(void **state)
{
    static const struct {
        uint8_t code, h, r, eot;
        unsigned sectors;
        const char *want; /* ST0, ST1, ST2, C, H, R, N */
    } cases[] = {
        {0x66, 0, 1, 18, 3, "\x00\x00\x00\x03\x00\x04\x02"},
        {0x66, 0, 17, 18, 2, "\x00\x00\x00\x04\x00\x01\x02"},
        {0x66, 1, 17, 18, 1, "\x04\x00\x00\x03\x01\x12\x02"},
        {0x66, 1, 18, 18, 1, "\x04\x00\x00\x04\x01\x01\x02"},
        {0xE6, 0, 18, 18, 1, "\x00\x00\x00\x03\x01\x01\x02"},
        {0xE6, 1, 18, 18, 1, "\x04\x00\x00\x04\x00\x01\x02"},
        {0xE6, 0, 4, 4, 2, "\x04\x00\x00\x03\x01\x02\x02"}, /* EOT says where a side ends */
        /* more is wanted than there is: end of track */
        {0x66, 0, 17, 18, 5, "\x40\x80\x00\x04\x00\x01\x02"},
        {0xE6, 1, 17, 18, 5, "\x44\x80\x00\x04\x00\x01\x02"},
        /* the side has no such sector: no data */
        {0x66, 0, 17, 40, 5, "\x40\x04\x00\x03\x00\x13\x02"},
        {0x66, 0, 0, 18, 1, "\x40\x04\x00\x03\x00\x00\x02"},
        {0x66, 0, 19, 18, 1, "\x40\x04\x00\x03\x00\x13\x02"},
        {0x66, 0, 255, 255, 2, "\x40\x04\x00\x03\x00\xFF\x02"},
        {0x66, 0, 18, 2, 2, "\x40\x04\x00\x03\x00\x13\x02"}, /* R behind EOT */
    };
    (void)state;
    seek_to(0, 3);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        program_dma(0x44, DMA_ADDRESS, cases[i].sectors * 512);
        transfer(cases[i].code, 0, 3, cases[i].h, cases[i].r, cases[i].eot);
        finish_transfer();
        expect(cases[i].want, 7);
    }
}

static void wrong_ids(void **state)
{
    (void)state;
    program_dma(0x44, DMA_ADDRESS, 512);
    COMMAND("\x66\x00\x00\x01\x01\x02\x12\x1B\xFF"); /* H is not the head */
    finish_transfer();
    expect("\x40\x04\x00\x00\x00\x01\x02", 7);
    COMMAND("\x66\x00\x00\x00\x01\x03\x12\x1B\xFF"); /* 1024 byte sectors */
    finish_transfer();
    expect("\x40\x04\x00\x00\x00\x01\x02", 7);
    transfer(0x66, 0, 80, 0, 1, 18); /* beyond the last cylinder */
    finish_transfer();
    expect("\x40\x01\x00\x50\x00\x01\x02", 7);
    transfer(0x66, 0, 255, 0, 1, 18);
    finish_transfer();
    expect("\x40\x01\x00\xFF\x00\x01\x02", 7);
    transfer(0x66, 1, 0, 0, 1, 18); /* the empty drive */
    finish_transfer();
    expect("\x41\x01\x00\x00\x00\x01\x02", 7);
    transfer(0x66, 2, 0, 0, 1, 18); /* no drive */
    finish_transfer();
    expect("\x42\x01\x00\x00\x00\x01\x02", 7);
    assert_int_equal(disk->record_count, 0);
}

/* TC within a sector: it is read to its end, the rest is lost; written, it is filled with zeroes.
 */
static void terminal_count_within_a_sector(void **state)
{
    uint8_t want[1024] = {0};
    (void)state;
    memset(memory(), 0xEE, 2048);
    program_dma(0x44, DMA_ADDRESS, 700);
    transfer(0xE6, 0, 0, 0, 1, 18);
    finish_transfer();
    expect("\x00\x00\x00\x00\x00\x03\x02", 7);
    expect_sectors(memory(), 0, 1);
    assert_int_equal(memory()[700], 0xEE);
    memset(memory(), 0xA5, 700);
    memset(want, 0xA5, 700);
    program_dma(0x48, DMA_ADDRESS, 700);
    transfer(0xC5, 0, 0, 0, 3, 18);
    finish_transfer();
    expect("\x00\x00\x00\x00\x00\x05\x02", 7);
    expect_on_disk(disk, 2, want, sizeof(want));
}

static void write_both_sides(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 36 * 512; i++)
        memory()[i] = (uint8_t)(i * 13 + (i >> 9));
    program_dma(0x48, DMA_ADDRESS, 36 * 512);
    transfer(0xC5, 0, 0, 0, 1, 18);
    finish_transfer();
    expect("\x04\x00\x00\x01\x00\x01\x02", 7);
    expect_on_disk(disk, 0, memory(), 36 * 512);
    /* the result comes after the flush: a diskette has no write cache */
    assert_int_equal(disk->record_count, 3);
    assert_int_equal(disk->records[2].op, BLOCK_FLUSH);
    disk->write_cache = false;
    program_dma(0x48, DMA_ADDRESS, 512);
    transfer(0xC9, 0, 0, 0, 2, 18); /* WRITE DELETED DATA: the mark gets lost */
    finish_transfer();
    expect("\x00\x00\x00\x00\x00\x03\x02", 7);
    assert_int_equal(disk->record_count, 4);
    expect_on_disk(disk, 1, memory(), 512);
    program_dma(0x48, DMA_ADDRESS, 4 * 512); /* more than the command names */
    transfer(0x45, 0, 0, 1, 17, 18);
    finish_transfer();
    expect("\x44\x80\x00\x01\x01\x01\x02", 7);
    expect_on_disk(disk, 34, memory(), 2 * 512);
}

static void write_protection(void **state)
{
    (void)state;
    disk->read_only = true;
    program_dma(0x48, DMA_ADDRESS, 512);
    transfer(0xC5, 0, 0, 0, 1, 18);
    finish_transfer();
    expect("\x40\x02\x00\x00\x00\x01\x02", 7);
    COMMAND("\x4D\x00\x02\x12\x54\xF6");
    finish_transfer();
    expect("\x40\x02\x00\x00\x00\x01\x02", 7);
    assert_int_equal(disk->record_count, 0);
    COMMAND("\x04\x00");
    RESULTS("\x78");
    disk->read_only = false;
    COMMAND("\x04\x04");
    RESULTS("\x3C");
    seek_to(0, 1);
    COMMAND("\x04\x00");
    RESULTS("\x28");
    COMMAND("\x04\x02"); /* no drive, no track 0 */
    RESULTS("\x2A");
}

/* Every size, in the drive that is chosen for it: first and last sector, at its data rates only. */
static void all_formats(void **state)
{
    static const struct {
        unsigned kib, cylinders, heads, sectors;
        uint8_t rates;
        enum fdc_drive_type type;
    } formats[] = {
        {160, 40, 1, 8, 0x6, FDC_DRIVE_1200K},   {180, 40, 1, 9, 0x6, FDC_DRIVE_1200K},
        {320, 40, 2, 8, 0x6, FDC_DRIVE_1200K},   {360, 40, 2, 9, 0x6, FDC_DRIVE_1200K},
        {1200, 80, 2, 15, 0x1, FDC_DRIVE_1200K}, {720, 80, 2, 9, 0x4, FDC_DRIVE_1440K},
        {1440, 80, 2, 18, 0x1, FDC_DRIVE_1440K}, {1680, 80, 2, 21, 0x1, FDC_DRIVE_1440K},
        {1722, 82, 2, 21, 0x1, FDC_DRIVE_1440K}, {1743, 83, 2, 21, 0x1, FDC_DRIVE_1440K},
        {2880, 80, 2, 36, 0x8, FDC_DRIVE_2880K}, {3840, 80, 2, 48, 0x8, FDC_DRIVE_2880K},
        {820, 82, 2, 10, 0x4, FDC_DRIVE_1440K},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        const uint8_t c = (uint8_t)(formats[i].cylinders - 1), h = (uint8_t)(formats[i].heads - 1);
        const uint8_t r = (uint8_t)formats[i].sectors;
        const unsigned sectors = formats[i].kib * 2;
        fdc_teardown(state);
        disk = new_disk("floppy0", formats[i].kib * KIB);
        new_machine(disk, false, NULL);
        assert_int_equal(fdc_drive_type(f, 0), formats[i].type);
        assert_int_equal(fdc_drive_type(f, 1), FDC_DRIVE_NONE);
        for (uint8_t rate = 0; rate < 4; rate++) {
            rig_outb(rig, 0x3F7, rate);
            program_dma(0x44, DMA_ADDRESS, 512);
            transfer(0x66, 0, 0, 0, 1, r);
            finish_transfer();
            assert_int_equal(results[0] & 0xC0, formats[i].rates >> rate & 1 ? 0 : 0x40);
            assert_int_equal(results[1], formats[i].rates >> rate & 1 ? 0 : 1);
            if (!(formats[i].rates >> rate & 1))
                continue;
            expect_sectors(memory(), 0, 1);
            seek_to(0, c);
            program_dma(0x44, DMA_ADDRESS, r * 512u);
            transfer(0x66, 0, c, h, 1, r);
            finish_transfer();
            assert_int_equal(results[0], h << 2);
            expect_sectors(memory(), sectors - r, r);
            transfer(0x66, 0, c, h, (uint8_t)(r + 1), (uint8_t)(r + 1));
            finish_transfer();
            assert_int_equal(results[1], 4);
            transfer(0x66, 0, (uint8_t)(c + 1), 0, 1, r);
            finish_transfer();
            assert_int_equal(results[1], 1);
        }
    }
}

/* An image cut short: what is missing reads as zeroes and cannot be written. */
static void short_image(void **state)
{
    static const uint8_t zeroes[512];
    (void)state;
    fdc_teardown(state);
    disk = new_disk("floppy0", 5 * 512);
    new_machine(disk, false, NULL);
    assert_int_equal(fdc_drive_type(f, 0), FDC_DRIVE_1440K);
    memset(memory(), 0xEE, 36 * 512);
    program_dma(0x44, DMA_ADDRESS, 36 * 512);
    transfer(0xE6, 0, 0, 0, 1, 18);
    finish_transfer();
    expect("\x04\x00\x00\x01\x00\x01\x02", 7);
    expect_sectors(memory(), 0, 5);
    for (unsigned i = 5; i < 36; i++)
        assert_memory_equal(memory() + i * 512, zeroes, 512);
    transfer(0x76, 0, 0, 0, 6, 18); /* VERIFY of what is not there at all */
    finish_transfer();
    assert_int_equal(results[0], 0);
    program_dma(0x48, DMA_ADDRESS, 2 * 512);
    transfer(0xC5, 0, 0, 0, 5, 18);
    finish_transfer();
    expect("\x40\x20\x20\x00\x00\x06\x02", 7);
}

static void refused_media(void **state)
{
    struct err err;
    (void)state;
    static const struct {
        enum fdc_drive_type type;
        unsigned bytes;
    } refused[] = {
        {FDC_DRIVE_AUTO, 3841 * KIB},        {FDC_DRIVE_1440K, 2880 * KIB},
        {FDC_DRIVE_1440K, 1200 * KIB},       {FDC_DRIVE_1200K, 720 * KIB},
        {FDC_DRIVE_2880K, 360 * KIB},        {FDC_DRIVE_1200K, 1201 * KIB},
        {FDC_DRIVE_AUTO, 1440 * KIB * 1000},
    };
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct block *b = fake_block_new("x", refused[i].bytes);
        rig_free(rig);
        rig = rig_new();
        dma = dma8237_realize(rig->bus, rig->dma, &rig->devices, &err);
        assert_false(realize(refused[i].type, b, false, NULL, &err));
        assert_non_null(strstr(err.text, "floppy drive A"));
        assert_int_equal(rig->hv->claim_count, 3);
        fake_block_free(b);
    }
    assert_true(realize(FDC_DRIVE_AUTO, NULL, true, disk, &err));
    assert_int_equal(fdc_drive_type(f, 0), FDC_DRIVE_2880K); /* empty: one that reads all */
    assert_int_equal(fdc_drive_type(f, 1), FDC_DRIVE_1440K);
    assert_true(fdc_medium_fits(f, 0, 720 * KIB, &err));
    assert_true(fdc_medium_fits(f, 0, 100, &err));
    assert_false(fdc_medium_fits(f, 0, 360 * KIB, &err));
    assert_false(fdc_medium_fits(f, 1, 2880 * KIB, &err));
    assert_non_null(strstr(err.text, "floppy drive B"));
    assert_false(fdc_medium_fits(f, 2, 1440 * KIB, &err));
    assert_null(fdc_set_medium(f, 2, disk));
}

/* ---- Through the FIFO ---- */

static void pio_read(void **state)
{
    uint8_t want[512];
    (void)state;
    COMMAND("\x03\xDF\x03"); /* ND */
    transfer(0xE6, 0, 0, 0, 1, 18);
    assert_int_equal(msr(), 0x30);
    assert_false(interrupt());
    disks();
    for (unsigned n = 0; n < 36; n++) {
        sector_bytes(n, want);
        for (unsigned i = 0; i < 512; i++) {
            assert_int_equal(msr(), 0xF0);
            assert_true(interrupt());
            assert_int_equal(rig_inb(rig, 0x3F5), want[i]);
        }
    }
    take_results();
    expect("\x04\x00\x00\x01\x00\x01\x02", 7); /* there is no TC: the end named is the end */
    assert_false(interrupt());
    COMMAND("\x03\xDF\x02");
    rig_outb(rig, 0x3F2, 0x04); /* the same by DMA's gate */
    transfer(0x66, 0, 0, 0, 3, 3);
    disks();
    uint8_t buf[512];
    bus_port_read_run(rig->bus, 0x3F5, 1, buf, 512);
    sector_bytes(2, want);
    assert_memory_equal(buf, want, 512);
    take_results();
    expect("\x00\x00\x00\x01\x00\x01\x02", 7);
}

/* An end of track behind the last sector: with MT it goes on on the next cylinder, else not. */
static void pio_beyond_the_track(void **state)
{
    uint8_t buf[512];
    (void)state;
    rig_outb(rig, 0x3F2, 0x04);
    transfer(0xE6, 0, 0, 0, 1, 19);
    disks();
    for (unsigned n = 0; n < 38; n++) {
        assert_int_equal(msr(), 0xF0);
        bus_port_read_run(rig->bus, 0x3F5, 1, buf, 512);
        expect_sectors(buf, n, 1);
    }
    take_results();
    expect("\x20\x00\x00\x01\x00\x03\x02", 7);
    seek_to(0, 79);
    transfer(0xE6, 0, 79, 1, 18, 19); /* from the very last sector */
    disks();
    bus_port_read_run(rig->bus, 0x3F5, 1, buf, 512);
    disks();
    take_results();
    assert_int_equal(results[0] & 0xC0, 0x40);
    assert_int_equal(results[1], 1);
    seek_to(0, 0);
    transfer(0x66, 0, 0, 0, 18, 20);
    disks();
    bus_port_read_run(rig->bus, 0x3F5, 1, buf, 512);
    take_results();
    expect("\x40\x04\x00\x00\x00\x13\x02", 7);
}

static void pio_write(void **state)
{
    uint8_t buf[3 * 512];
    (void)state;
    COMMAND("\x03\xDF\x03");
    for (unsigned i = 0; i < sizeof(buf); i++)
        buf[i] = (uint8_t)(i * 5 + i / 512);
    transfer(0x45, 0, 0, 0, 16, 18);
    for (unsigned n = 0; n < 3; n++) {
        assert_int_equal(msr(), 0xB0);
        assert_true(interrupt());
        for (unsigned i = 0; i < 512; i++)
            rig_outb(rig, 0x3F5, buf[n * 512 + i]);
        assert_int_equal(msr(), 0x30); /* while it is written */
        assert_false(interrupt());
        disks();
    }
    assert_true(interrupt());
    RESULTS("\x00\x00\x00\x01\x00\x01\x02");
    expect_on_disk(disk, 15, buf, sizeof(buf));
}

/* ---- The other commands ---- */

static void verify(void **state)
{
    (void)state;
    transfer(0xF6, 0, 0, 0, 1, 18);
    finish_transfer();
    expect("\x04\x00\x00\x01\x00\x01\x02", 7);
    COMMAND("\xF6\x80\x00\x00\x01\x02\x12\x1B\x03"); /* EC: three sectors */
    finish_transfer();
    expect("\x00\x00\x00\x00\x00\x04\x02", 7);
    fake_block_fail(disk, BLOCK_READ, 7 * 512, 512, EIO, UINT32_MAX);
    transfer(0xF6, 0, 0, 0, 1, 18);
    finish_transfer();
    expect("\x40\x20\x20\x00\x00\x08\x02", 7);
    fake_block_heal(disk);
    transfer(0x76, 0, 0, 0, 2, 0); /* EOT before R: CVE-2021-3507's command */
    finish_transfer();
    expect("\x40\x04\x00\x00\x00\x13\x02", 7);
    assert_int_equal(rig->hv->maps, 0);
}

static void read_track(void **state)
{
    (void)state;
    program_dma(0x44, DMA_ADDRESS, 18 * 512);
    transfer(0x42, 0, 0, 1, 1, 18);
    finish_transfer();
    expect("\x04\x00\x00\x01\x01\x01\x02", 7);
    expect_sectors(memory(), 18, 18);
    memset(memory(), 0, 18 * 512);
    program_dma(0x44, DMA_ADDRESS, 5 * 512); /* IDs do not match: read, and told */
    transfer(0x42, 0, 0, 0, 9, 18);
    finish_transfer();
    expect("\x40\x04\x00\x00\x00\x06\x02", 7);
    expect_sectors(memory(), 0, 5);
    program_dma(0x44, DMA_ADDRESS, 20 * 512);
    transfer(0x42, 0, 0, 0, 1, 18);
    finish_transfer();
    expect("\x40\x80\x00\x01\x00\x01\x02", 7);
    program_dma(0x44, DMA_ADDRESS, 20 * 512);
    transfer(0x42, 0, 0, 0, 1, 0);
    finish_transfer();
    assert_int_equal(results[0], 0x40);
}

static void deleted_data(void **state)
{
    (void)state;
    memset(memory(), 0xEE, 1024);
    program_dma(0x44, DMA_ADDRESS, 1024);
    transfer(0xCC, 0, 0, 0, 4, 18); /* no sector has that mark: the first is read, and the last */
    finish_transfer();
    expect("\x00\x00\x40\x00\x00\x04\x02", 7);
    expect_sectors(memory(), 3, 1);
    assert_int_equal(memory()[512], 0xEE);
    transfer(0xEC, 0, 0, 0, 4, 18); /* SK: all are skipped */
    finish_transfer();
    assert_int_equal(results[0], 0x40);
    assert_int_equal(results[1], 0x80);
    assert_int_equal(results[2], 0x40);
}

static void scan(void **state)
{
    static const struct {
        uint8_t code;
        int difference; /* of the host's byte 100 */
        uint8_t st2;
        bool met;
    } cases[] = {
        {0x51, 0, 0x08, true},  {0x51, 1, 0x04, false},  {0x59, 0, 0x08, true},
        {0x59, 1, 0x00, true},  {0x59, -1, 0x04, false}, {0x5D, 0, 0x08, true},
        {0x5D, -1, 0x00, true}, {0x5D, 1, 0x04, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        sector_bytes(2, memory());
        memory()[100] = (uint8_t)(memory()[100] + cases[i].difference);
        program_dma(0x48, DMA_ADDRESS, 512);
        transfer(cases[i].code, 0, 0, 0, 3, 18);
        finish_transfer();
        assert_int_equal(results[0], 0);
        assert_int_equal(results[2], cases[i].st2);
        assert_int_equal(results[5], cases[i].met ? 3 : 4);
    }
    /* FFh is equal to everything; the second sector tried is the one */
    for (unsigned i = 0; i < 4; i++)
        sector_bytes(7, memory() + i * 512);
    memory()[3 * 512 + 9] = 0xFF;
    program_dma(0x48, DMA_ADDRESS, 4 * 512);
    transfer(0x51, 0, 0, 0, 7, 18);
    finish_transfer();
    expect("\x00\x00\x08\x00\x00\x08\x02", 7);
    /* every other sector: 5, 7, 9 */
    program_dma(0x48, DMA_ADDRESS, 3 * 512);
    for (unsigned i = 0; i < 3; i++)
        sector_bytes(8, memory() + i * 512);
    COMMAND("\x51\x00\x00\x00\x05\x02\x12\x1B\x02");
    finish_transfer();
    expect("\x00\x00\x08\x00\x00\x09\x02", 7);
    /* to the end and not found; through the FIFO */
    COMMAND("\x03\xDF\x03");
    transfer(0x51, 0, 0, 0, 17, 18);
    for (unsigned n = 0; n < 2; n++) {
        disks();
        for (unsigned i = 0; i < 512; i++) {
            assert_int_equal(msr(), 0xB0);
            rig_outb(rig, 0x3F5, (uint8_t)n);
        }
    }
    RESULTS("\x00\x00\x04\x01\x00\x01\x02");
}

static void format_track(void **state)
{
    uint8_t want[18 * 512], odd[512];
    (void)state;
    memset(want, 0xF6, sizeof(want));
    seek_to(0, 2);
    for (unsigned i = 0; i < 18; i++) {
        const uint8_t id[4] = {2, 1, (uint8_t)(i * 7 % 18 + 1), 2}; /* interleaved */
        memcpy(memory() + 4 * i, id, 4);
    }
    program_dma(0x48, DMA_ADDRESS, 18 * 4);
    COMMAND("\x4D\x04\x02\x12\x54\xF6");
    finish_transfer();
    assert_int_equal(results[0], 0x04);
    assert_int_equal(results[1], 0);
    expect_on_disk(disk, 2 * 36 + 18, want, sizeof(want));
    sector_bytes(2 * 36 + 17, odd);
    expect_on_disk(disk, 2 * 36 + 17, odd, 512);
    /* IDs that the image has no place for are left alone; through the FIFO */
    COMMAND("\x03\xDF\x03");
    COMMAND("\x4D\x00\x02\x05\x54\x11");
    static const uint8_t ids[20] = {2, 0, 1, 2, 3, 0, 2, 2, 2, 1, 3, 2, 2, 0, 4, 3, 2, 0, 19, 2};
    for (unsigned i = 0; i < sizeof(ids); i++) {
        assert_int_equal(msr(), 0xB0);
        rig_outb(rig, 0x3F5, ids[i]);
    }
    finish_transfer();
    assert_int_equal(results[0], 0);
    memset(odd, 0x11, 512);
    expect_on_disk(disk, 2 * 36, odd, 512);
    for (unsigned i = 1; i < 18; i++) {
        sector_bytes(2 * 36 + i, odd);
        expect_on_disk(disk, 2 * 36 + i, odd, 512);
    }
    COMMAND("\x4D\x00\x02\x00\x54\x11"); /* no sectors */
    finish_transfer();
    assert_int_equal(results[0], 0);
    COMMAND("\x4D\x00\x03\x12\x54\x11"); /* 1024 byte sectors */
    finish_transfer();
    assert_int_equal(results[0], 0x40);
    rig_outb(rig, 0x3F7, 2); /* another density */
    COMMAND("\x4D\x00\x02\x12\x54\x11");
    finish_transfer();
    assert_int_equal(results[1], 1);
}

/* The IDs pass by as the diskette turns: 18 in 200 ms. */
static void read_id(void **state)
{
    uint8_t seen[32] = {0};
    (void)state;
    rig_outb(rig, 0x3F2, 0x1C);
    seek_to(0, 9);
    for (unsigned i = 0; i < 36; i++) {
        COMMAND("\x4A\x04");
        assert_int_equal(msr(), 0x10);
        assert_false(interrupt());
        rig_step(rig, NS_PER_S / 5 / 18);
        assert_true(interrupt());
        take_results();
        assert_int_equal(results[0], 0x04);
        assert_int_equal(results[3], 9);
        assert_int_equal(results[4], 1);
        assert_int_equal(results[6], 2);
        assert_in_range(results[5], 1, 18);
        seen[results[5]]++;
    }
    for (unsigned r = 1; r <= 18; r++)
        assert_int_equal(seen[r], 2);
    /* none at another rate, in an empty drive, beyond the last cylinder: two turns */
    for (unsigned i = 0; i < 3; i++) {
        rig_outb(rig, 0x3F7, i == 0 ? 1 : 0);
        seek_to(0, i == 2 ? 81 : 9);
        const char bytes[] = {0x4A, i == 1};
        command(bytes, 2);
        rig_step(rig, 399 * NS_PER_MS);
        assert_false(interrupt());
        rig_step(rig, 2 * NS_PER_MS);
        assert_true(interrupt());
        take_results();
        assert_int_equal(results[0], 0x40 | (i == 1));
        assert_int_equal(results[1], 1);
    }
    assert_int_equal(clock_deadline(&rig->clock), CLOCK_NEVER);
    /* a reset ends the wait */
    COMMAND("\x4A\x00");
    rig_outb(rig, 0x3F2, 0x00);
    assert_int_equal(clock_deadline(&rig->clock), CLOCK_NEVER);
    rig_outb(rig, 0x3F2, 0x0C);
    sense(0xC0, 0);
}

/* What the field's tests want of an empty drive, and what drivers want of it. */
static void read_id_of_an_empty_drive(void **state)
{
    (void)state;
    for (unsigned motor = 0; motor < 2; motor++)
        for (unsigned sought = 0; sought < 2; sought++) {
            rig_outb(rig, 0x3F2, 0x00);
            rig_outb(rig, 0x3F2, motor ? 0x2D : 0x0D);
            for (uint8_t i = 0; i < 4; i++) {
                COMMAND("\x08");
                take_results();
            }
            if (sought)
                seek_to(1, 8);
            COMMAND("\x4A\x05");
            rig_step(rig, NS_PER_S);
            take_results();
            assert_int_equal(results[0], sought && !motor ? 0x05 : 0x45);
            assert_int_equal(results[1], sought && !motor ? 0x00 : 0x01);
            assert_int_equal(results[3], sought ? 8 : 0);
        }
}

static void implied_seek(void **state)
{
    (void)state;
    program_dma(0x44, DMA_ADDRESS, 512);
    transfer(0xE6, 0, 33, 1, 2, 18);
    finish_transfer();
    expect("\x24\x00\x00\x21\x01\x03\x02", 7);
    expect_sectors(memory(), 33 * 36 + 19, 1);
    COMMAND("\x0E");
    take_results();
    assert_int_equal(results[0], 33);
    COMMAND("\x07\x00");
    sense(0x20, 0);
    COMMAND("\x8F\x00\x01"); /* outward from track 0 */
    sense(0x70, 0);
    COMMAND("\xCF\x00\x05");
    sense(0x20, 5);
    COMMAND("\x8F\x00\x02");
    sense(0x20, 3);
    COMMAND("\x07\x02"); /* no drive */
    sense(0x72, 0);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, fdc_setup, fdc_teardown)
    const struct CMUnitTest tests[] = {
        T(read_one_sector),      T(read_both_sides),  T(bios_across_the_sides),
        T(result_ids),           T(wrong_ids),        T(terminal_count_within_a_sector),
        T(write_both_sides),     T(write_protection), T(all_formats),
        T(short_image),          T(refused_media),    T(pio_read),
        T(pio_beyond_the_track), T(pio_write),        T(verify),
        T(read_track),           T(deleted_data),     T(scan),
        T(format_track),         T(read_id),          T(read_id_of_an_empty_drive),
        T(implied_seek),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
