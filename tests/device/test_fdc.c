/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_fdc: the floppy controller without drives, and the known attacks on its FIFO. */
#include <stdlib.h>
#include <string.h>

#include "hw/pc/fdc.h"
#include "tests/device/rig.h"

static struct rig *rig;
static struct dma8237 *dma;
static struct fdc *f;
static const struct fdc_drive_config no_drives[FDC_UNITS];

static int setup(void **state)
{
    struct err err;
    (void)state;
    rig = rig_new();
    dma = dma8237_realize(rig->bus, rig->dma, &rig->devices, &err);
    assert_non_null(dma);
    f = fdc_realize(rig->bus, dma, &rig->clock, &rig->devices, no_drives, &err);
    assert_non_null(f);
    rig_isa_irq(rig, &f->irq, 6);
    devices_reset(&rig->devices);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rig_free(rig);
    return 0;
}

static uint8_t msr(void)
{
    return rig_inb(rig, 0x3F4);
}

static void put(uint8_t byte)
{
    assert_int_equal(msr() & 0xC0, 0x80);
    rig_outb(rig, 0x3F5, byte);
}

static void command(const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        put((uint8_t)bytes[i]);
}

static void result(const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(msr() & 0xD0, 0xD0);
        assert_int_equal(rig_inb(rig, 0x3F5), (uint8_t)bytes[i]);
    }
    assert_int_equal(msr() & 0xD0, 0x80);
}

#define COMMAND(bytes) command(bytes, sizeof(bytes) - 1)
#define RESULT(bytes)  result(bytes, sizeof(bytes) - 1)

/* Out of reset with interrupts, the four senses done. */
static void start(void)
{
    rig_outb(rig, 0x3F2, 0x00);
    rig_outb(rig, 0x3F2, 0x0C);
    for (uint8_t drive = 0; drive < 4; drive++) {
        const char want[2] = {(char)(0xC0 | drive), 0};
        COMMAND("\x08");
        result(want, 2);
    }
}

/* What must always work afterwards. */
static void alive(void)
{
    start();
    COMMAND("\x10");
    RESULT("\x90");
}

static void claims(void **state)
{
    (void)state;
    assert_true(fake_claimed(rig->hv, 'p', 0x3F0, 0x3F5));
    assert_true(fake_claimed(rig->hv, 'p', 0x3F7, 0x3F7)); /* 3F6 is the IDE channel's */
    assert_int_equal(rig->hv->claim_count, 3 + 2);
}

static void reset_by_dor(void **state)
{
    (void)state;
    assert_int_equal(rig_inb(rig, 0x3F2), 0x0C); /* as a BIOS leaves it */
    assert_int_equal(msr(), 0x80);
    assert_false(rig->hv->isa[6]);
    rig_outb(rig, 0x3F2, 0x00);
    assert_int_equal(msr(), 0x00); /* held in reset */
    rig_outb(rig, 0x3F5, 0x10);
    rig_outb(rig, 0x3F2, 0x0C);
    assert_true(rig->hv->isa[6]);
    assert_int_equal(msr(), 0x80);
    COMMAND("\x08");
    assert_false(rig->hv->isa[6]);
    RESULT("\xC0\x00");
    COMMAND("\x08");
    RESULT("\xC1\x00");
    COMMAND("\x08");
    RESULT("\xC2\x00");
    COMMAND("\x08");
    RESULT("\xC3\x00");
    COMMAND("\x08");
    RESULT("\x80"); /* nothing left to sense */
    assert_int_equal(rig->hv->isa_raised[6], 1);
    rig_outb(rig, 0x3F4, 0x80); /* the same by DSR, which clears itself */
    assert_true(rig->hv->isa[6]);
    rig_outb(rig, 0x3F2, 0x04); /* DMA off; the interrupt stays (docs/devices/fdc.md) */
    assert_true(rig->hv->isa[6]);
    rig_outb(rig, 0x3F2, 0x0C);
    assert_true(rig->hv->isa[6]);
    rig_outb(rig, 0x3F2, 0x08);
    assert_false(rig->hv->isa[6]);
    assert_int_equal(rig_inb(rig, 0x3F2), 0x08);
}

static void registers(void **state)
{
    (void)state;
    start();
    assert_int_equal(rig_inb(rig, 0x3F0), 0xFF);
    assert_int_equal(rig_inb(rig, 0x3F1), 0xFF);
    rig_outb(rig, 0x3F3, 0xFF);
    assert_int_equal(rig_inb(rig, 0x3F3), 0xFF);
    rig_outb(rig, 0x3F3, 0x01);
    assert_int_equal(rig_inb(rig, 0x3F3), 0xFD);
    assert_int_equal(rig_inb(rig, 0x3F7), 0x7F); /* no disk change */
    rig_outb(rig, 0x3F7, 0x03);
    assert_int_equal(f->data_rate & 3, 3);
    assert_int_equal(rig_inb(rig, 0x3F5), 0); /* no result to read */
    assert_int_equal(msr(), 0x80);
}

static void simple_commands(void **state)
{
    (void)state;
    start();
    COMMAND("\x10");
    RESULT("\x90");
    COMMAND("\x03\xDF\x02");
    assert_int_equal(msr(), 0x80);
    COMMAND("\x04\x05");
    RESULT("\x2D");
    COMMAND("\x13\x00\x57\x04");
    COMMAND("\x12\x84");
    COMMAND("\x12\x03");
    COMMAND("\x94");
    RESULT("\x10");
    COMMAND("\x0E");
    RESULT("\x00\x00\x00\x00\xDF\x02\x00\x87\x57\x04");
    rig_outb(rig, 0x3F4, 0x80);
    COMMAND("\x0E"); /* locked: the FIFO's settings outlive the reset; POLL is off: no senses */
    RESULT("\x00\x00\x00\x00\xDF\x02\x00\x84\x57\x04");
    assert_false(rig->hv->isa[6]);
    COMMAND("\x14");
    RESULT("\x00");
    rig_outb(rig, 0x3F4, 0x80);
    COMMAND("\x0E");
    RESULT("\x00\x00\x00\x00\xDF\x02\x00\x04\x20\x00");
}

static void seeks(void **state)
{
    (void)state;
    start();
    COMMAND("\x07\x00"); /* recalibrate: no track 0 signal */
    assert_true(rig->hv->isa[6]);
    assert_int_equal(msr(), 0x81);
    COMMAND("\x08");
    assert_false(rig->hv->isa[6]);
    RESULT("\x70\x00");
    COMMAND("\x0F\x01\x28");
    COMMAND("\x0F\x03\x11");
    assert_int_equal(msr(), 0x8A);
    COMMAND("\x08");
    assert_true(rig->hv->isa[6]); /* one more */
    RESULT("\x21\x28");
    COMMAND("\x08");
    RESULT("\x23\x11");
    assert_false(rig->hv->isa[6]);
    COMMAND("\x8F\x01\x08"); /* relative, out */
    COMMAND("\x08");
    RESULT("\x21\x20");
    COMMAND("\xCF\x01\x01");
    COMMAND("\x08");
    RESULT("\x21\x21");
}

/* All that need a disk: abnormal termination, no address mark, nothing moved. */
static void transfers(void **state)
{
    (void)state;
    static const uint8_t nine[] = {0xE6, 0xC6, 0x46, 0x66, 0x06, 0xCC, 0xC5, 0x45,
                                   0xC9, 0x42, 0x02, 0xF6, 0x51, 0x59, 0x5D};
    start();
    for (unsigned i = 0; i < sizeof(nine); i++) {
        put(nine[i]);
        COMMAND("\x01\x02\x00\x03\x02\x12\x1B");
        assert_false(rig->hv->isa[6]);
        COMMAND("\xFF");
        assert_true(rig->hv->isa[6]);
        assert_int_equal(msr(), 0xD0);
        assert_int_equal(rig_inb(rig, 0x3F5), 0x41);
        assert_true(rig->hv->isa[6]);
        RESULT("\x01\x00\x02\x00\x03\x02");
        assert_false(rig->hv->isa[6]); /* the last byte of the result ends it */
    }
    COMMAND("\x4A\x05");
    RESULT("\x45\x01\x00\x00\x01\x01\x02");
    COMMAND("\x4D\x00\x02\x12\x54\xF6");
    RESULT("\x40\x01\x00\x00\x00\x01\x02");
    assert_int_equal(rig->hv->maps, 0);
    assert_int_equal(clock_deadline(&rig->clock), CLOCK_NEVER); /* all ended at once */
}

static void invalid_commands(void **state)
{
    (void)state;
    start();
    for (unsigned b = 0; b < 256; b++) {
        rig_outb(rig, 0x3F5, (uint8_t)b);
        for (unsigned i = 0; i < 17 && msr() != 0xD0; i++) {
            rig_outb(rig, 0x3F5, 0);
            if ((msr() & 0xF0) == 0x80)
                break; /* a command without a result */
        }
        for (unsigned i = 0; i < 16 && (msr() & 0x40); i++)
            rig_inb(rig, 0x3F5);
        assert_int_equal(msr() & 0xD0, 0x80); /* every command comes to its end */
    }
    COMMAND("\x1F");
    RESULT("\x80");
    COMMAND("\xAD"); /* FORMAT AND WRITE is the 64 pin chip's */
    RESULT("\x80");
    alive();
}

static void flood(uint8_t byte, unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        rig_outb(rig, 0x3F5, byte);
        assert_true(f->fifo_used <= FDC_FIFO && f->fifo_at <= FDC_FIFO);
    }
}

/* CVE-2015-3456 (a): DRIVE SPECIFICATION COMMAND and no end of parameters. */
static void venom_drive_specification(void **state)
{
    (void)state;
    start();
    rig_outb(rig, 0x3F5, 0x8E);
    flood(0x00, 5);
    flood(0x00, 5000);
    alive();
}

/* CVE-2015-3456 (b): READ ID, then data before it is done. */
static void venom_read_id(void **state)
{
    (void)state;
    start();
    rig_outb(rig, 0x3F5, 0x0A);
    rig_outb(rig, 0x3F5, 0x00);
    flood(0xFF, 5000);
    msr();
    rig_inb(rig, 0x3F5);
    alive();
}

static void venom_read_track(void **state)
{
    (void)state;
    start();
    flood(0x42, 100000);
    alive();
}

static void venom_every_command(void **state)
{
    (void)state;
    for (unsigned b = 0; b < 256; b++) {
        alive();
        flood((uint8_t)b, 700);
        rig_outb(rig, 0x3F5, (uint8_t)b);
        flood(0x00, 700);
        for (unsigned i = 0; i < 700; i++)
            rig_inb(rig, 0x3F5);
    }
    alive();
}

static void string_flood(void **state)
{
    uint8_t buf[4096];
    (void)state;
    start();
    memset(buf, 0x8E, sizeof(buf));
    bus_port_write_run(rig->bus, 0x3F5, 1, buf, sizeof(buf));
    bus_port_read_run(rig->bus, 0x3F5, 1, buf, sizeof(buf));
    memset(buf, 0x46, sizeof(buf));
    bus_port_write_run(rig->bus, 0x3F4, 2, buf, sizeof(buf) / 2);
    alive();
}

static void cve_2021_20196(void **state)
{
    (void)state;
    rig_outw(rig, 0x3F4, 0x0500);
    rig_outb(rig, 0x3F5, 0x00);
    rig_outb(rig, 0x3F5, 0x00);
    rig_outw(rig, 0x3F4, 0x0000);
    rig_outb(rig, 0x3F5, 0x00);
    rig_outw(rig, 0x3F1, 0x0400);
    rig_outw(rig, 0x3F4, 0x0000);
    rig_outw(rig, 0x3F4, 0x0000);
    rig_outb(rig, 0x3F5, 0x00);
    rig_outb(rig, 0x3F5, 0x01);
    rig_outw(rig, 0x3F1, 0x0500);
    rig_outb(rig, 0x3F5, 0x00);
    alive();
}

static void random_registers(void **state)
{
    (void)state;
    srandom(3);
    for (unsigned i = 0; i < 100000; i++) {
        uint16_t port = (uint16_t)(0x3F0 + (i % 2 ? random() % 8 : random() % 256));
        switch (random() % 4) {
        case 0:
            rig_inb(rig, port);
            break;
        case 1:
            rig_outw(rig, port, (uint16_t)random());
            break;
        default:
            rig_outb(rig, port, (uint8_t)random());
        }
        assert_true(f->fifo_used < FDC_FIFO && f->fifo_at < FDC_FIFO);
    }
    alive();
}

static void standard(void **state)
{
    (void)state;
    rig_standard_tests(rig, &f->device);
    start();
    COMMAND("\x0F\x01\x28");
    COMMAND("\x46\x01\x02");
    rig_standard_tests(rig, &f->device);
    assert_true(rig->hv->isa[6]);
    COMMAND("\x00\x03\x02\x12\x1B\xFF");
    rig_standard_tests(rig, &f->device);
    RESULT("\x41\x01\x00\x02\x00\x03\x02");
}

/* Those that the 82078 has beside the 82077AA's. */
static void later_commands(void **state)
{
    (void)state;
    start();
    COMMAND("\x18");
    RESULT("\x41");
    COMMAND("\x17\x05");
    RESULT("\x05");
    COMMAND("\x33\x01");
    COMMAND("\x8E\x05\x2A\x80"); /* drives 0 and 1 */
    RESULT("\x05\x0A\x00\x00");
    COMMAND("\x8E\x46\xC0"); /* no result wanted: as Linux does */
    COMMAND("\x8E\x80");
    RESULT("\x05\x0A\x06\x00");
    COMMAND("\x03\xDF\x02");
    COMMAND("\x13\x00\x57\x04");
    COMMAND("\x12\x84");
    COMMAND("\x94");
    RESULT("\x10");
    COMMAND("\x0F\x01\x28");
    COMMAND("\x08");
    RESULT("\x21\x28");
    rig_outb(rig, 0x3F7, 0x02);
    COMMAND("\x2E");
    RESULT("\x02\x01\x00\x28\x00\x00\xDF\x02\x00\x84\x57\x04\x05\x00\x00\x00");
    COMMAND("\x4E\x03\x00\x01\x02\x03\x04\xAF\x03\x09\x08\x4F\x02\x01\x00\x00\x00");
    COMMAND("\x0E");
    RESULT("\x01\x02\x03\x04\xAF\x03\x09\x08\x4F\x02");
    assert_int_equal(f->data_rate & 3, 3);
    alive();
}

static void hostile_states(void **state)
{
    struct err err;
    const struct device_class *class = f->device.class;
    size_t len = state_size(class->state, class->version);
    uint8_t *good = malloc(len);
    static struct fdc copy;
    (void)state;
    assert_non_null(good);
    start();
    /* The fields that index, out of their ranges and against each other. */
#define REFUSED(member, value)                                                  \
    do {                                                                        \
        copy = *f;                                                              \
        copy.member = (value);                                                  \
        state_save(class->state, &copy, class->version, good);                  \
        assert_false(device_load(&f->device, class->version, good, len, &err)); \
        state_reset(class->state, f);                                           \
        f->dor = 0x0C;                                                          \
    } while (0)
    REFUSED(phase, FDC_RESULT); /* with no result */
    REFUSED(phase, FDC_FROM_HOST + 1);
    REFUSED(phase, FDC_TO_HOST); /* of no transfer command */
    REFUSED(fifo_used, FDC_FIFO);
    REFUSED(fifo_used, 255);
    REFUSED(fifo_at, FDC_FIFO);
    REFUSED(reset_senses, 5);
    REFUSED(seek_done, 0x10);
    REFUSED(fifo_used, 3); /* command 00 does not exist */
    f->fifo[0] = 0x46;
    REFUSED(fifo_used, 9); /* complete, and yet waiting */
    f->fifo[0] = 0x46;
    REFUSED(phase, FDC_TO_HOST); /* without data */
    f->fifo[0] = 0x46;
    f->phase = FDC_DISK_READ;
    REFUSED(buffer_len, 511);
    f->fifo[0] = 0x46;
    f->phase = FDC_TO_HOST;
    f->buffer_len = 512;
    REFUSED(buffer_at, 512);
    f->fifo[0] = 0x51;
    f->phase = FDC_FROM_HOST;
    f->buffer_len = 1024;
    f->op = FDC_SCAN;
    REFUSED(buffer_at, 511);
    f->fifo[0] = 0x4A;
    REFUSED(phase, FDC_WAIT_ID); /* for ever */
    REFUSED(buffer_len, FDC_BUFFER + 1);
    REFUSED(buffer_at, FDC_BUFFER + 1);
    REFUSED(format_at, 1025);
    REFUSED(step, 0);
    REFUSED(step, 3);
    REFUSED(unit, 4);
    REFUSED(disk.head, 2);
    REFUSED(host.head, 2);
    REFUSED(op, FDC_FORMAT + 1);
#undef REFUSED
    free(good);
    alive();
}

static void taken_port(void **state)
{
    struct err err;
    (void)state;
    assert_null(fdc_realize(rig->bus, dma, &rig->clock, &rig->devices, no_drives, &err));
    assert_true(strlen(err.text) > 0);
    assert_int_equal(rig->hv->claim_count, 3 + 2);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(claims),
        T(reset_by_dor),
        T(registers),
        T(simple_commands),
        T(seeks),
        T(transfers),
        T(invalid_commands),
        T(later_commands),
        T(venom_drive_specification),
        T(venom_read_id),
        T(venom_read_track),
        T(venom_every_command),
        T(string_flood),
        T(cve_2021_20196),
        T(random_registers),
        T(standard),
        T(hostile_states),
        T(taken_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
