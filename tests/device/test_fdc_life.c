/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_fdc_life: what happens to a floppy transfer: media that change, errors, resets, a stop and a
 * move in the middle; the sequences of real drivers, and anything at all. */
#include "tests/device/fdc_rig.h"

static uint8_t *memory(void)
{
    return rig->hv->ram + DMA_ADDRESS;
}

/* ---- Media ---- */

static void change_line(void **state)
{
    (void)state;
    assert_int_equal(rig_inb(rig, 0x3F7), 0xFF); /* since power-on */
    seek_to(0, 0);
    assert_int_equal(rig_inb(rig, 0x3F7), 0xFF); /* no step */
    seek_to(0, 1);
    assert_int_equal(rig_inb(rig, 0x3F7), 0x7F);
    COMMAND("\x07\x00");
    sense(0x20, 0);
    assert_int_equal(rig_inb(rig, 0x3F7), 0x7F);
    rig_outb(rig, 0x3F2, 0x0D); /* B is empty */
    seek_to(1, 3);
    assert_int_equal(rig_inb(rig, 0x3F7), 0xFF);
    rig_outb(rig, 0x3F2, 0x0E); /* and C not there */
    assert_int_equal(rig_inb(rig, 0x3F7), 0x7F);
    rig_outb(rig, 0x3F2, 0x0C);
    assert_ptr_equal(fdc_set_medium(f, 0, NULL), disk);
    assert_int_equal(rig_inb(rig, 0x3F7), 0xFF);
    seek_to(0, 1);
    assert_int_equal(rig_inb(rig, 0x3F7), 0xFF);
    COMMAND("\x04\x00");
    RESULTS("\x28");
    assert_null(fdc_set_medium(f, 0, disk));
    assert_int_equal(rig_inb(rig, 0x3F7), 0xFF);
    program_dma(0x44, DMA_ADDRESS, 512);
    transfer(0xE6, 0, 1, 0, 1, 18); /* no step: not seen */
    finish_transfer();
    assert_int_equal(results[0], 0);
    assert_int_equal(rig_inb(rig, 0x3F7), 0xFF);
    COMMAND("\x07\x00");
    sense(0x20, 0);
    assert_int_equal(rig_inb(rig, 0x3F7), 0x7F);
    devices_reset(&rig->devices); /* a reset of the machine changes no diskette */
    assert_int_equal(rig_inb(rig, 0x3F7), 0x7F);
}

static void another_size(void **state)
{
    (void)state;
    disk_b = new_disk("other", 720 * KIB);
    assert_ptr_equal(fdc_set_medium(f, 0, disk_b), disk);
    program_dma(0x44, DMA_ADDRESS, 512);
    transfer(0xE6, 0, 5, 1, 9, 9);
    finish_transfer();
    assert_int_equal(results[1], 1); /* 500 kbit/s */
    rig_outb(rig, 0x3F7, 2);
    transfer(0xE6, 0, 5, 1, 9, 9);
    finish_transfer();
    assert_int_equal(results[0], 0x04);
    expect_sectors(memory(), 5 * 18 + 17, 1);
}

/* The diskette is pulled out in each moment of a transfer. */
static void pulled_out(void **state)
{
    (void)state;
    program_dma(0x44, DMA_ADDRESS, 512);
    transfer(0xE6, 0, 0, 0, 1, 18); /* while it is read */
    assert_int_equal(disk->pending, 1);
    assert_ptr_equal(fdc_set_medium(f, 0, NULL), disk);
    assert_int_equal(disk->pending, 0);
    assert_true(interrupt());
    RESULTS("\x40\x01\x00\x00\x00\x01\x02");
    assert_null(fdc_set_medium(f, 0, disk));
    COMMAND("\x03\xDF\x03");
    transfer(0x45, 0, 0, 0, 1, 18); /* while the host writes */
    rig_outb(rig, 0x3F5, 0);
    fdc_set_medium(f, 0, NULL);
    RESULTS("\x40\x01\x00\x00\x00\x01\x02");
    fdc_set_medium(f, 0, disk);
    COMMAND("\x4A\x00");
    fdc_set_medium(f, 0, NULL);
    rig_step(rig, NS_PER_S);
    take_results();
    assert_int_equal(results[1], 1);
    fdc_set_medium(f, 0, disk);
    /* of the other drive: nothing happens */
    COMMAND("\x03\xDF\x02");
    program_dma(0x44, DMA_ADDRESS, 512);
    transfer(0xE6, 0, 0, 0, 1, 18);
    disk_b = new_disk("b", DISK_BYTES);
    assert_null(fdc_set_medium(f, 1, disk_b));
    assert_ptr_equal(fdc_set_medium(f, 1, NULL), disk_b);
    finish_transfer();
    expect("\x00\x00\x00\x00\x00\x02\x02", 7);
}

/* ---- Errors and hosts that do not keep up ---- */

static void read_error(void **state)
{
    (void)state;
    memset(memory(), 0xEE, 36 * 512);
    fake_block_fail(disk, BLOCK_READ, 10 * 512, 512, EIO, UINT32_MAX);
    program_dma(0x44, DMA_ADDRESS, 36 * 512);
    transfer(0xE6, 0, 0, 0, 1, 18);
    finish_transfer();
    expect("\x40\x20\x20\x00\x00\x0B\x02", 7);
    expect_sectors(memory(), 0, 10); /* those before it arrived */
    assert_int_equal(memory()[10 * 512], 0xEE);
    program_dma(0x44, DMA_ADDRESS, 10 * 512); /* it does not matter if it is not wanted */
    transfer(0xE6, 0, 0, 0, 1, 18);
    finish_transfer();
    expect("\x00\x00\x00\x00\x00\x0B\x02", 7);
    fake_block_heal(disk);
    fake_block_fail(disk, BLOCK_READ, 0, DISK_BYTES, EIO, 1); /* once only: the retry succeeds */
    program_dma(0x44, DMA_ADDRESS, 36 * 512);
    transfer(0xE6, 0, 0, 0, 1, 18);
    finish_transfer();
    assert_int_equal(results[0], 0x04);
    expect_sectors(memory(), 0, 36);
}

static void write_error(void **state)
{
    uint8_t was[512];
    (void)state;
    memset(memory(), 0x77, 18 * 512);
    fake_block_fail(disk, BLOCK_WRITE, 4 * 512, 512, ENOSPC, UINT32_MAX);
    program_dma(0x48, DMA_ADDRESS, 18 * 512);
    transfer(0x45, 0, 0, 0, 1, 18);
    finish_transfer();
    expect("\x40\x20\x20\x00\x00\x05\x02", 7);
    expect_on_disk(disk, 0, memory(), 4 * 512);
    sector_bytes(4, was);
    expect_on_disk(disk, 4, was, 512);
    fake_block_heal(disk);
    fake_block_fail(disk, BLOCK_FLUSH, 0, 0, EIO, 1);
    program_dma(0x48, DMA_ADDRESS, 512);
    transfer(0x45, 0, 0, 0, 1, 18);
    finish_transfer();
    assert_int_equal(results[0], 0x40);
    assert_int_equal(results[1], 0x20);
}

/* A driver that opens the channel only after the command; one that never does. */
static void late_dma(void **state)
{
    (void)state;
    rig_outb(rig, 0x0A, 0x06);
    transfer(0xE6, 0, 0, 0, 1, 18);
    disks();
    assert_int_equal(msr(), 0x10);
    rig_step(rig, 50 * NS_PER_MS);
    program_dma(0x44, DMA_ADDRESS, 20 * 512);
    assert_true(interrupt()); /* at once */
    RESULTS("\x04\x00\x00\x00\x01\x03\x02");
    expect_sectors(memory(), 0, 20);
    assert_int_equal(clock_deadline(&rig->clock), CLOCK_NEVER);
    rig_outb(rig, 0x0A, 0x06);
    transfer(0xE6, 0, 0, 0, 1, 18);
    disks();
    rig_step(rig, 199 * NS_PER_MS);
    assert_false(interrupt());
    rig_step(rig, 2 * NS_PER_MS);
    assert_true(interrupt());
    RESULTS("\x40\x10\x00\x00\x00\x01\x02"); /* overrun */
    program_dma(0x44, DMA_ADDRESS, 512);
    transfer(0xC5, 0, 0, 0, 1, 18); /* the wrong way */
    rig_step(rig, 201 * NS_PER_MS);
    RESULTS("\x40\x10\x00\x00\x00\x01\x02");
    assert_int_equal(disk->records[disk->record_count - 1].op, BLOCK_READ); /* nothing written */
}

static void dma_modes(void **state)
{
    uint8_t want[512];
    (void)state;
    static const uint8_t modes[] = {0x04, 0x44, 0x84}; /* demand, single, block */
    for (unsigned i = 0; i < 3; i++) {
        memset(memory(), 0, 1024);
        program_dma(modes[i], DMA_ADDRESS, 1024);
        transfer(0xE6, 0, 0, 0, 1, 18);
        finish_transfer();
        assert_int_equal(results[0], 0);
        expect_sectors(memory(), 0, 2);
    }
    program_dma(0x54, DMA_ADDRESS, 512); /* auto-initialise: the next needs no programming */
    for (uint8_t r = 1; r < 4; r++) {
        transfer(0xE6, 0, 0, 0, r, 18);
        finish_transfer();
        assert_int_equal(results[0], 0);
        expect_sectors(memory(), r - 1u, 1);
    }
    program_dma(0x64, DMA_ADDRESS + 511, 512); /* decrement */
    transfer(0xE6, 0, 0, 0, 9, 18);
    finish_transfer();
    sector_bytes(8, want);
    for (unsigned i = 0; i < 512; i++)
        assert_int_equal(memory()[511 - i], want[i]);
    memset(memory(), 0xEE, 512);
    program_dma(0x40, DMA_ADDRESS, 512); /* verify: the count runs, nothing moves */
    transfer(0xE6, 0, 0, 0, 9, 18);
    finish_transfer();
    assert_int_equal(results[0], 0);
    assert_int_equal(memory()[0], 0xEE);
    program_dma(0x44, 0xFE0000, 512); /* no RAM there */
    transfer(0xE6, 0, 0, 0, 9, 18);
    finish_transfer();
    assert_int_equal(results[0], 0);
}

/* ---- Resets in the middle ---- */

static void reset_during_a_request(void **state)
{
    (void)state;
    for (unsigned way = 0; way < 3; way++) {
        memset(memory(), 0xEE, 1024);
        program_dma(0x44, DMA_ADDRESS, 512);
        transfer(0xE6, 0, 0, 0, 1, 18);
        assert_int_equal(disk->pending, 1);
        if (way == 0) {
            rig_outb(rig, 0x3F2, 0x08);
            rig_outb(rig, 0x3F2, 0x0C);
        } else if (way == 1) {
            rig_outb(rig, 0x3F4, 0x80);
        } else {
            devices_reset(&rig->devices);
        }
        if (way < 2)
            for (uint8_t i = 0; i < 4; i++) {
                COMMAND("\x08");
                take_results();
            }
        /* The next command waits until the disk is done with the old one. */
        program_dma(0x44, DMA_ADDRESS, 512);
        transfer(0xE6, 0, 0, 0, 2, 18);
        assert_int_equal(disk->pending, 1);
        assert_int_equal(msr(), 0x10);
        fake_block_step(disk);
        assert_false(interrupt());
        assert_int_equal(memory()[0], 0xEE);
        finish_transfer();
        expect("\x00\x00\x00\x00\x00\x03\x02", 7);
        expect_sectors(memory(), 1, 1);
    }
    /* nothing is waiting: the old one's end is not noticed */
    transfer(0xE6, 0, 0, 0, 1, 18);
    rig_outb(rig, 0x3F2, 0x08);
    disks();
    assert_false(interrupt());
    rig_outb(rig, 0x3F2, 0x0C);
    assert_int_equal(msr(), 0x80);
}

/* ---- Saving, loading, stopping ---- */

struct saved {
    uint8_t *stream;
    size_t len;
};

static struct saved save_all(void)
{
    struct saved s;
    struct err err;
    assert_true(devices_save(&rig->devices, &s.stream, &s.len, &err));
    return s;
}

/* Goes on in another machine with the same memory and disk. */
static void move(void)
{
    struct err err;
    static uint8_t ram[RIG_RAM];
    devices_quiesce(&rig->devices);
    devices_quiesce(&rig->devices);
    assert_int_equal(disk->pending, 0);
    struct saved s = save_all();
    uint64_t now = rig->now;
    memcpy(ram, rig->hv->ram, RIG_RAM);
    rig_free(rig);
    new_machine(disk, true, NULL);
    memcpy(rig->hv->ram, ram, RIG_RAM);
    rig->now = now;
    assert_true(devices_load(&rig->devices, s.stream, s.len, &err));
    struct saved again = save_all();
    assert_int_equal(s.len, again.len);
    assert_memory_equal(s.stream, again.stream, s.len);
    free(s.stream);
    free(again.stream);
    devices_resume(&rig->devices);
    devices_resume(&rig->devices);
}

static void moved_in_the_middle(void **state)
{
    uint8_t buf[1024];
    (void)state;
    /* while the disk reads */
    program_dma(0x44, DMA_ADDRESS, 20 * 512);
    transfer(0xE6, 0, 0, 0, 1, 18);
    fake_block_step(disk); /* of the first side */
    move();
    finish_transfer();
    expect("\x04\x00\x00\x00\x01\x03\x02", 7);
    expect_sectors(memory(), 0, 20);
    /* while DMA waits */
    rig_outb(rig, 0x0A, 0x06);
    transfer(0xE6, 0, 0, 0, 3, 18);
    disks();
    move();
    program_dma(0x44, DMA_ADDRESS, 512);
    finish_transfer();
    expect_sectors(memory(), 2, 1);
    rig_outb(rig, 0x0A, 0x06);
    transfer(0xE6, 0, 0, 0, 3, 18);
    disks();
    move();
    rig_step(rig, 201 * NS_PER_MS);
    RESULTS("\x40\x10\x00\x00\x00\x03\x02");
    /* READ ID */
    COMMAND("\x4A\x00");
    move();
    rig_step(rig, 12 * NS_PER_MS);
    assert_true(interrupt());
    take_results();
    assert_int_equal(results[0], 0);
    /* while it is written, and flushed */
    for (unsigned steps = 0; steps < 3; steps++) {
        memset(memory(), (int)(0x40 + steps), 20 * 512);
        program_dma(0x48, DMA_ADDRESS, 20 * 512);
        transfer(0xC5, 0, 0, 0, 1, 18);
        for (unsigned i = 0; i < steps; i++)
            fake_block_step(disk);
        move();
        finish_transfer();
        expect("\x04\x00\x00\x00\x01\x03\x02", 7);
        expect_on_disk(disk, 0, memory(), 20 * 512);
    }
    /* formatting */
    for (unsigned i = 0; i < 18; i++) {
        const uint8_t id[4] = {0, 0, (uint8_t)(i + 1), 2};
        memcpy(memory() + 4 * i, id, 4);
    }
    program_dma(0x48, DMA_ADDRESS, 18 * 4);
    COMMAND("\x4D\x00\x02\x12\x54\xF6");
    for (unsigned i = 0; i < 5; i++)
        fake_block_step(disk);
    move();
    finish_transfer();
    memset(memory(), 0xF6, 18 * 512);
    expect_on_disk(disk, 0, memory(), 18 * 512);
    /* bytes through the FIFO */
    rig_outb(rig, 0x3F2, 0x04);
    transfer(0x66, 0, 1, 0, 1, 2);
    disks();
    bus_port_read_run(rig->bus, 0x3F5, 1, buf, 700);
    move();
    assert_true(interrupt());
    bus_port_read_run(rig->bus, 0x3F5, 1, buf + 700, 324);
    expect_sectors(buf, 36, 2);
    RESULTS("\x20\x00\x00\x02\x00\x01\x02");
    transfer(0x45, 0, 1, 0, 1, 1);
    bus_port_write_run(rig->bus, 0x3F5, 1, buf + 512, 100);
    move();
    bus_port_write_run(rig->bus, 0x3F5, 1, buf + 612, 412);
    finish_transfer();
    expect_on_disk(disk, 36, buf + 512, 512);
    /* a scan */
    transfer(0x51, 0, 1, 0, 2, 2);
    disks();
    bus_port_write_run(rig->bus, 0x3F5, 1, buf + 512, 5);
    move();
    bus_port_write_run(rig->bus, 0x3F5, 1, buf + 517, 507);
    RESULTS("\x00\x00\x08\x01\x00\x02\x02");
    /* a command that waits for the request of one before it */
    rig_outb(rig, 0x3F2, 0x0C);
    transfer(0x66, 0, 1, 0, 1, 18);
    rig_outb(rig, 0x3F4, 0x80);
    for (uint8_t i = 0; i < 4; i++) {
        COMMAND("\x08");
        take_results();
    }
    program_dma(0x44, DMA_ADDRESS, 512);
    transfer(0x66, 0, 1, 0, 2, 18);
    move();
    finish_transfer();
    expect_sectors(memory(), 37, 1);
}

/* A load on top of a running machine, with a request under way. */
static void loaded_over_a_request(void **state)
{
    struct err err;
    (void)state;
    struct saved s = save_all();
    program_dma(0x44, DMA_ADDRESS, 512);
    transfer(0xE6, 0, 0, 0, 1, 18);
    assert_int_equal(disk->pending, 1);
    assert_true(devices_load(&rig->devices, s.stream, s.len, &err));
    assert_int_equal(msr(), 0x80);
    disks();
    assert_false(interrupt());
    free(s.stream);
}

static void stopped_commands_wait(void **state)
{
    (void)state;
    program_dma(0x44, DMA_ADDRESS, 512);
    devices_quiesce(&rig->devices);
    transfer(0xE6, 0, 0, 0, 1, 18);
    assert_int_equal(disk->pending, 0);
    devices_resume(&rig->devices);
    assert_int_equal(disk->pending, 1);
    finish_transfer();
    assert_int_equal(results[0], 0);
}

static void standard(void **state)
{
    (void)state;
    transfer(0xE6, 0, 0, 0, 1, 18);
    rig_standard_tests(rig, &f->device);
    disks();
    devices_resume(&rig->devices);
    disks();
    rig_step(rig, NS_PER_S);
    take_results();
    COMMAND("\x4A\x00");
    rig_standard_tests(rig, &f->device);
    rig_step(rig, NS_PER_S);
    take_results();
    COMMAND("\x03\xDF\x03");
    transfer(0x45, 0, 0, 0, 1, 18);
    rig_outb(rig, 0x3F5, 1);
    rig_standard_tests(rig, &f->device);
    disks();
}

/* ---- As drivers do it ---- */

/* The steps by which Linux finds out what controller it has, then a recalibration and reads. */
static void linux_driver(void **state)
{
    (void)state;
    rig_outb(rig, 0x3F2, 0x00);
    rig_outb(rig, 0x3F2, 0x0C);
    for (uint8_t i = 0; i < 4; i++) {
        COMMAND("\x08");
        take_results();
        assert_int_equal(results[0], 0xC0 | i);
    }
    COMMAND("\x0E");
    take_results();
    assert_int_equal(result_count, 10); /* 82072 or better */
    COMMAND("\x13\x00\x1A\x00");        /* CONFIGURE: FIFO on, threshold 10, no polling */
    put(0x12);                          /* PERPENDICULAR takes a parameter: 82077 */
    assert_int_equal(msr() & 0xD0, 0x90);
    put(0x00);
    COMMAND("\x14"); /* UNLOCK */
    RESULTS("\x00");
    COMMAND("\x18"); /* PART ID: an 82078 */
    take_results();
    assert_int_equal(results[0] >> 5, 2);
    rig_outb(rig, 0x3F2, 0x1C); /* motor */
    rig_outb(rig, 0x3F7, 0x00);
    assert_int_equal(rig_inb(rig, 0x3F7) & 0x80, 0x80);
    COMMAND("\x03\xAF\x02");
    COMMAND("\x07\x00");
    sense(0x20, 0);
    seek_to(0, 1); /* to clear the change line */
    assert_int_equal(rig_inb(rig, 0x3F7) & 0x80, 0);
    seek_to(0, 0);
    program_dma(0x46 & 0xFC, DMA_ADDRESS, 36 * 512);
    COMMAND("\xE6\x00\x00\x00\x01\x02\x12\x1B\xFF");
    finish_transfer();
    assert_int_equal(results[0] & 0xC0, 0);
    expect_sectors(memory(), 0, 36);
    /* its probing: another format first, and the controller tells that it is not that */
    rig_outb(rig, 0x3F7, 0x02);
    COMMAND("\xE6\x00\x00\x00\x01\x02\x09\x2A\xFF");
    finish_transfer();
    expect("\x40\x01\x00\x00\x00\x01\x02", 7);
}

/* SeaBIOS: reset and one sense, recalibrate, media sense by READ ID, a read without a seek. */
static void bios_driver(void **state)
{
    static const uint8_t rates[] = {3, 2, 1, 0};
    (void)state;
    rig_outb(rig, 0x3F2, 0x00);
    rig_outb(rig, 0x3F2, 0x1C);
    sense(0xC0, 0);
    COMMAND("\x07\x00");
    sense(0x20, 0); /* the line has fallen: the next interrupt is an edge */
    unsigned n = 0;
    for (;; n++) {
        assert_true(n < 4);
        rig_outb(rig, 0x3F7, rates[n]);
        COMMAND("\x4A\x00");
        assert_false(interrupt());
        rig_step(rig, 500 * NS_PER_MS);
        assert_true(interrupt());
        take_results();
        if (!(results[0] & 0xC0))
            break;
    }
    assert_int_equal(rates[n], 0);
    program_dma(0x44, 0x7C00, 512);
    COMMAND("\xE6\x04\x28\x01\x07\x02\x07\x1B\xFF"); /* EOT is the last sector wanted */
    finish_transfer();
    assert_int_equal(results[0] & 0xC0, 0);
    expect_sectors(rig->hv->ram + 0x7C00, 40 * 36 + 18 + 6, 1);
}

/* ---- Anything at all ---- */

static void random_hosts(void **state)
{
    static const uint8_t codes[] = {0xE6, 0x46, 0xC5, 0x45, 0x42, 0x4D, 0x4A, 0x51,
                                    0x5D, 0xF6, 0xCC, 0x07, 0x0F, 0xCF, 0x08, 0x03};
    (void)state;
    srandom(5);
    disk_b = new_disk("b", 720 * KIB);
    for (unsigned i = 0; i < 60000; i++) {
        const uint8_t byte = (uint8_t)random();
        switch (random() % 16) {
        case 0:
            rig_outb(rig, (uint16_t)(0x3F0 + random() % 8), byte);
            break;
        case 1:
            program_dma(random() % 2 ? 0x44 : 0x48, (uint32_t)random() & 0x3FFFFF,
                        1 + (uint32_t)random() % 20000);
            break;
        case 2:
            rig_step(rig, (uint64_t)(random() % 300) * NS_PER_MS);
            break;
        case 3:
            fake_block_step(disk);
            fake_block_step(disk_b);
            break;
        case 4:
            rig_outb(rig, 0x3F5, codes[byte % sizeof(codes)]);
            for (unsigned n = 0; n < 8; n++)
                rig_outb(rig, 0x3F5, (uint8_t)(random() % 20));
            break;
        case 5:
            for (unsigned n = 0; n < 700; n++)
                rig_inb(rig, 0x3F5);
            break;
        case 6:
            for (unsigned n = 0; n < 700; n++)
                rig_outb(rig, 0x3F5, byte);
            break;
        case 7:
            if (random() % 8)
                break;
            fdc_set_medium(f, 1, byte & 1 ? disk_b : NULL);
            fdc_set_medium(f, 0, byte & 2 ? disk : NULL);
            break;
        case 8:
            if (random() % 8)
                break;
            devices_quiesce(&rig->devices);
            struct saved s = save_all();
            struct err err;
            assert_true(devices_load(&rig->devices, s.stream, s.len, &err));
            devices_resume(&rig->devices);
            free(s.stream);
            break;
        case 9:
            fake_block_heal(disk);
            if (byte & 1)
                fake_block_fail(disk, byte & 2 ? BLOCK_READ : BLOCK_WRITE, byte * 512u, 4096, EIO,
                                byte);
            break;
        case 10:
            rig_outb(rig, 0x3F2, 0x00);
            rig_outb(rig, 0x3F2, byte & 1 ? 0x0C : 0x1D);
            break;
        default:
            rig_outb(rig, 0x3F5, byte);
            rig_inb(rig, 0x3F4);
            rig_inb(rig, 0x3F5);
        }
        assert_true(f->buffer_at <= f->buffer_len && f->buffer_len <= FDC_BUFFER);
        assert_true(f->fifo_used < FDC_FIFO && f->fifo_at < FDC_FIFO);
    }
    fake_block_heal(disk);
    disks();
    fdc_set_medium(f, 1, NULL);
    fdc_set_medium(f, 0, NULL);
    fdc_set_medium(f, 0, disk);
    rig_outb(rig, 0x3F2, 0x00);
    rig_outb(rig, 0x3F2, 0x0C);
    COMMAND("\x10");
    take_results();
    expect("\x90", 1);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, fdc_setup, fdc_teardown)
    const struct CMUnitTest tests[] = {
        T(change_line),
        T(another_size),
        T(pulled_out),
        T(read_error),
        T(write_error),
        T(late_dma),
        T(dma_modes),
        T(reset_during_a_request),
        T(moved_in_the_middle),
        T(loaded_over_a_request),
        T(stopped_commands_wait),
        T(standard),
        T(linux_driver),
        T(bios_driver),
        T(random_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
