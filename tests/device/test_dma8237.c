/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_dma8237: the ISA DMA controllers' registers, and transfers on behalf of a device. */
#include <stdlib.h>
#include <string.h>

#include "hw/pc/dma8237.h"
#include "tests/device/rig.h"

static struct rig *rig;
static struct dma8237 *d;

static int setup(void **state)
{
    struct err err;
    (void)state;
    rig = rig_new();
    d = dma8237_realize(rig->bus, rig->dma, &rig->devices, &err);
    assert_non_null(d);
    devices_reset(&rig->devices);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rig_free(rig);
    return 0;
}

static void out16(uint16_t port, uint16_t v)
{
    rig_outb(rig, port, (uint8_t)v);
    rig_outb(rig, port, (uint8_t)(v >> 8));
}

static uint16_t in16(uint16_t port)
{
    uint8_t low = rig_inb(rig, port);
    return (uint16_t)(low | rig_inb(rig, port) << 8);
}

/* As the BIOS programs the floppy's channel. */
static void program2(uint8_t mode, uint32_t address, uint16_t count)
{
    rig_outb(rig, 0x0A, 0x06);
    rig_outb(rig, 0x0C, 0);
    rig_outb(rig, 0x0B, mode | 2);
    out16(0x04, (uint16_t)address);
    rig_outb(rig, 0x81, (uint8_t)(address >> 16));
    out16(0x05, count);
    rig_outb(rig, 0x0A, 0x02);
}

static void claims(void **state)
{
    (void)state;
    assert_true(fake_claimed(rig->hv, 'p', 0x00, 0x0F));
    assert_true(fake_claimed(rig->hv, 'p', 0x81, 0x8F));
    assert_true(fake_claimed(rig->hv, 'p', 0xC0, 0xDF));
}

static void address_and_count(void **state)
{
    (void)state;
    for (uint16_t i = 0; i < 8; i++) {
        rig_outb(rig, 0x0C, 0);
        out16(i, (uint16_t)(0x1234 + i));
        rig_outb(rig, 0xD8, 0);
        out16((uint16_t)(0xC0 + 2 * i), (uint16_t)(0x4321 + i));
    }
    for (uint16_t i = 0; i < 8; i++) {
        assert_int_equal(in16(i), 0x1234 + i);
        assert_int_equal(in16((uint16_t)(0xC0 + 2 * i)), 0x4321 + i);
    }
    rig_inb(rig, 0x00); /* the flip-flop is one for all registers of a controller */
    assert_int_equal(rig_inb(rig, 0x01), 0x12);
    assert_int_equal(rig_inb(rig, 0x00), 0x34);
    rig_outb(rig, 0x0C, 0xFF);
    assert_int_equal(rig_inb(rig, 0x00), 0x34);
    rig_outb(rig, 0x0D, 0);
    assert_int_equal(rig_inb(rig, 0x00), 0x34);
    assert_int_equal(rig_inb(rig, 0xC1), 0x21); /* odd ports are the even ones again */
}

static void masks_and_status(void **state)
{
    (void)state;
    assert_int_equal(rig_inb(rig, 0x0F), 0xFF); /* all masked */
    rig_outb(rig, 0x0E, 0);
    assert_int_equal(rig_inb(rig, 0x0F), 0xF0);
    rig_outb(rig, 0x0A, 0x05);
    assert_int_equal(rig_inb(rig, 0x0F), 0xF2);
    rig_outb(rig, 0x0A, 0x01);
    rig_outb(rig, 0x0F, 0x09);
    assert_int_equal(rig_inb(rig, 0x0F), 0xF9);
    assert_int_equal(rig_inb(rig, 0xDE), 0xFF); /* the other controller's are its own */
    rig_outb(rig, 0xD4, 0x02);
    assert_int_equal(rig_inb(rig, 0xDE), 0xFB);
    rig_outb(rig, 0x09, 0x06);
    assert_int_equal(rig_inb(rig, 0x08), 0x40);
    rig_outb(rig, 0x09, 0x02);
    assert_int_equal(rig_inb(rig, 0x08), 0x00);
    rig_outb(rig, 0x09, 0x07);
    rig_outb(rig, 0x0D, 0);
    assert_int_equal(rig_inb(rig, 0x08), 0x00);
    assert_int_equal(rig_inb(rig, 0x0F), 0xFF);
    assert_int_equal(rig_inb(rig, 0x0D), 0x00);
    assert_int_equal(rig_inb(rig, 0x0B), 0xFF);
}

static void page_registers(void **state)
{
    (void)state;
    for (uint16_t i = 1; i < 16; i++)
        rig_outb(rig, (uint16_t)(0x80 + i), (uint8_t)(0x30 + i));
    for (uint16_t i = 1; i < 16; i++)
        assert_int_equal(rig_inb(rig, (uint16_t)(0x80 + i)), 0x30 + i);
    assert_int_equal(rig_inb(rig, 0x80), 0xFF); /* POST codes are nobody's */
}

static void to_memory(void **state)
{
    uint8_t sector[512];
    struct dma8237_result r;
    (void)state;
    for (unsigned i = 0; i < sizeof(sector); i++)
        sector[i] = (uint8_t)(i * 7);
    program2(0x44, 0x12340, 1023);
    r = dma8237_transfer(d, 2, sector, sizeof(sector), true);
    assert_int_equal(r.moved, 512);
    assert_false(r.terminal_count);
    assert_memory_equal(rig->hv->ram + 0x12340, sector, 512);
    assert_int_equal(in16(0x04), 0x2540);
    assert_int_equal(in16(0x05), 511);
    assert_int_equal(rig_inb(rig, 0x08), 0);
    r = dma8237_transfer(d, 2, sector, sizeof(sector), true);
    assert_int_equal(r.moved, 512);
    assert_true(r.terminal_count);
    assert_int_equal(in16(0x05), 0xFFFF);
    assert_int_equal(rig_inb(rig, 0x0F), 0xFF); /* masked itself */
    assert_int_equal(rig_inb(rig, 0x08), 0x04);
    assert_int_equal(rig_inb(rig, 0x08), 0x00);
    r = dma8237_transfer(d, 2, sector, sizeof(sector), true);
    assert_int_equal(r.moved, 0);
}

static void from_memory(void **state)
{
    uint8_t buf[64] = {0};
    struct dma8237_result r;
    (void)state;
    for (unsigned i = 0; i < 16; i++)
        rig->hv->ram[0x20000 + i] = (uint8_t)(0xA0 + i);
    program2(0x58, 0x20000, 15); /* read, auto-initialise */
    r = dma8237_transfer(d, 2, buf, sizeof(buf), false);
    assert_int_equal(r.moved, 16);
    assert_true(r.terminal_count);
    assert_memory_equal(buf, rig->hv->ram + 0x20000, 16);
    assert_int_equal(buf[16], 0);
    assert_int_equal(in16(0x04), 0);
    assert_int_equal(in16(0x05), 15);
    r = dma8237_transfer(d, 2, buf, 4, false);
    assert_int_equal(r.moved, 4);
    r = dma8237_transfer(d, 2, buf, 4, true); /* the wrong way */
    assert_int_equal(r.moved, 0);
    program2(0x78, 0x20005, 2); /* decrement */
    r = dma8237_transfer(d, 2, buf, sizeof(buf), false);
    assert_int_equal(r.moved, 3);
    assert_int_equal(buf[0], 0xA5);
    assert_int_equal(buf[1], 0xA4);
    assert_int_equal(buf[2], 0xA3);
    memset(buf, 0x11, sizeof(buf));
    program2(0x40, 0x20000, 7); /* verify: the count runs, nothing moves */
    r = dma8237_transfer(d, 2, buf, sizeof(buf), false);
    assert_int_equal(r.moved, 8);
    assert_true(r.terminal_count);
    assert_int_equal(buf[0], 0x11);
}

static void wraps_in_its_page(void **state)
{
    uint8_t buf[32];
    struct dma8237_result r;
    (void)state;
    memset(buf, 0x77, sizeof(buf));
    program2(0x44, 0x1FFF8, 31);
    r = dma8237_transfer(d, 2, buf, sizeof(buf), true);
    assert_int_equal(r.moved, 32);
    assert_int_equal(rig->hv->ram[0x1FFFF], 0x77);
    assert_int_equal(rig->hv->ram[0x20000], 0);
    assert_int_equal(rig->hv->ram[0x10000], 0x77);
    assert_int_equal(rig->hv->ram[0x10017], 0x77);
    assert_int_equal(rig->hv->ram[0x10018], 0);
}

/* Downward in pieces, through address 0 and back from the page's top. */
static void decrement_wraps_in_its_page(void **state)
{
    uint8_t buf[1300], back[1300];
    (void)state;
    for (unsigned i = 0; i < sizeof(buf); i++)
        buf[i] = (uint8_t)(i * 3 + i / 256);
    program2(0x64, 0x10300, sizeof(buf) - 1);
    assert_int_equal(dma8237_transfer(d, 2, buf, sizeof(buf), true).moved, sizeof(buf));
    for (unsigned i = 0; i < sizeof(buf); i++)
        assert_int_equal(rig->hv->ram[0x10000 + (uint16_t)(0x300 - i)], buf[i]);
    assert_int_equal(rig->hv->ram[0xFFFF], 0);
    assert_int_equal(in16(0x04), (uint16_t)(0x300 - sizeof(buf)));
    program2(0x68, 0x10300, sizeof(buf) - 1);
    assert_int_equal(dma8237_transfer(d, 2, back, sizeof(back), false).moved, sizeof(back));
    assert_memory_equal(buf, back, sizeof(buf));
}

static unsigned calls;

static void ready(void *opaque)
{
    assert_ptr_equal(opaque, &calls);
    calls++;
}

/* A device learns when its channel may have been opened, and how much it would move. */
static void connected_device(void **state)
{
    (void)state;
    calls = 0;
    dma8237_connect(d, 2, ready, &calls);
    dma8237_connect(d, 8, ready, &calls); /* no such channel */
    assert_int_equal(dma8237_left(d, 2, true), 0);
    rig_outb(rig, 0x0B, 0x46);
    assert_int_equal(calls, 0); /* still masked */
    program2(0x44, 0x1000, 99);
    assert_true(calls > 0);
    assert_int_equal(dma8237_left(d, 2, true), 100);
    assert_int_equal(dma8237_left(d, 2, false), 0); /* the other way */
    calls = 0;
    rig_outb(rig, 0xD4, 0x02); /* the other controller's */
    assert_int_equal(calls, 0);
    rig_outb(rig, 0x08, 0x04);
    assert_int_equal(dma8237_left(d, 2, true), 0);
    rig_outb(rig, 0x08, 0x00);
    rig_outb(rig, 0x0A, 0x06);
    assert_int_equal(dma8237_left(d, 2, true), 0);
    rig_outb(rig, 0xD6, 0x41);
    rig_outb(rig, 0xD8, 0);
    out16(0xC6, 0xFFFF);
    rig_outb(rig, 0xD4, 0x01);
    assert_int_equal(dma8237_left(d, 5, true), 0x20000);
    assert_int_equal(dma8237_left(d, 4, true), 0);
    assert_int_equal(dma8237_left(d, 8, true), 0);
}

static void word_channels(void **state)
{
    uint8_t buf[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    struct dma8237_result r;
    (void)state;
    rig_outb(rig, 0xD8, 0);
    rig_outb(rig, 0xD6, 0x45); /* channel 5, write */
    out16(0xC4, 0x8000);       /* in words */
    rig_outb(rig, 0x8B, 0x03); /* bit 0 of the page is not used */
    out16(0xC6, 0x0100);
    rig_outb(rig, 0xD4, 0x01);
    r = dma8237_transfer(d, 5, buf, sizeof(buf), true);
    assert_int_equal(r.moved, 8);
    assert_memory_equal(rig->hv->ram + 0x30000, buf, 8);
    assert_int_equal(rig->hv->ram[0x30008], 0);
    assert_int_equal(in16(0xC4), 0x8004);
    assert_int_equal(in16(0xC6), 0x00FC);
}

static void refusals(void **state)
{
    uint8_t buf[16] = {0};
    (void)state;
    program2(0x44, 0x1000, 15);
    rig_outb(rig, 0x0F, 0x00);
    rig_outb(rig, 0x08, 0x04); /* controller off */
    assert_int_equal(dma8237_transfer(d, 2, buf, 16, true).moved, 0);
    rig_outb(rig, 0x08, 0x00);
    rig_outb(rig, 0x0B, 0xC6); /* cascade */
    assert_int_equal(dma8237_transfer(d, 2, buf, 16, true).moved, 0);
    assert_int_equal(dma8237_transfer(d, 4, buf, 16, true).moved, 0);
    for (unsigned channel = 8; channel < 300; channel++)
        assert_int_equal(dma8237_transfer(d, channel, buf, 16, true).moved, 0);
    rig_outb(rig, 0x0B, 0x46);
    assert_int_equal(dma8237_transfer(d, 2, buf, 0, true).moved, 0);
    assert_int_equal(dma8237_transfer(d, 2, buf, 16, true).moved, 16);
}

static void not_ram(void **state)
{
    uint8_t buf[16];
    struct dma8237_result r;
    (void)state;
    memset(buf, 0, sizeof(buf));
    program2(0x48, 0xFE0000, 15); /* beyond the rig's RAM */
    r = dma8237_transfer(d, 2, buf, sizeof(buf), false);
    assert_int_equal(r.moved, 16);
    for (unsigned i = 0; i < sizeof(buf); i++)
        assert_int_equal(buf[i], 0xFF);
    program2(0x44, 0xFE0000, 15);
    assert_int_equal(dma8237_transfer(d, 2, buf, sizeof(buf), true).moved, 16);
}

static void largest(void **state)
{
    size_t len = 0x20000 + 64;
    uint8_t *buf = calloc(1, len);
    (void)state;
    assert_non_null(buf);
    program2(0x44, 0x10000, 0xFFFF);
    assert_int_equal(dma8237_transfer(d, 2, buf, len, true).moved, 0x10000);
    rig_outb(rig, 0xD8, 0);
    rig_outb(rig, 0xD6, 0x67); /* channel 7, write, decrement */
    out16(0xCC, 0x0010);
    out16(0xCE, 0xFFFF);
    rig_outb(rig, 0xD4, 0x03);
    assert_int_equal(dma8237_transfer(d, 7, buf, len, true).moved, 0x20000);
    free(buf);
}

static void random_registers(void **state)
{
    uint8_t buf[512];
    (void)state;
    srandom(2);
    memset(buf, 0, sizeof(buf));
    for (unsigned i = 0; i < 20000; i++) {
        static const uint16_t base[] = {0x00, 0xC0, 0x81};
        uint16_t port = (uint16_t)(base[i % 3] + (uint16_t)random() % (i % 3 == 1 ? 32 : 15));
        rig_outb(rig, port, (uint8_t)random());
        rig_inb(rig, port);
        assert_true(dma8237_transfer(d, (unsigned)random() % 9, buf, sizeof(buf), i % 2).moved <=
                    sizeof(buf));
    }
    rig_outb(rig, 0x0D, 0);
    rig_outb(rig, 0x08, 0);
    program2(0x44, 0x1000, 15);
    assert_int_equal(dma8237_transfer(d, 2, buf, 16, true).moved, 16);
}

static void standard(void **state)
{
    (void)state;
    rig_standard_tests(rig, &d->device);
    program2(0x44, 0x12345, 77);
    rig_inb(rig, 0x00);
    rig_standard_tests(rig, &d->device);
    assert_int_equal(rig_inb(rig, 0x04), 0x23); /* the flip-flop came back too */
}

static void taken_port(void **state)
{
    struct err err;
    (void)state;
    assert_null(dma8237_realize(rig->bus, rig->dma, &rig->devices, &err));
    assert_true(strlen(err.text) > 0);
    assert_int_equal(rig->hv->claim_count, 3);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(claims),
        T(address_and_count),
        T(masks_and_status),
        T(page_registers),
        T(to_memory),
        T(from_memory),
        T(wraps_in_its_page),
        T(decrement_wraps_in_its_page),
        T(connected_device),
        T(word_channels),
        T(refusals),
        T(not_ram),
        T(largest),
        T(random_registers),
        T(standard),
        T(taken_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
