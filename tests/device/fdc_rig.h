/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fdc_rig: a floppy controller with two drives, and a driver's steps on it. */
#ifndef TESTS_DEVICE_FDC_RIG_H
#define TESTS_DEVICE_FDC_RIG_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hw/pc/fdc.h"
#include "tests/device/rig.h"
#include "tests/fake/block.h"

#define KIB         1024u
#define DISK_BYTES  (1440 * KIB)
#define DMA_ADDRESS 0x21000u

static struct rig *rig;
static struct dma8237 *dma;
static struct fdc *f;
static struct block *disk;   /* in drive A, each sector different */
static struct block *disk_b; /* in drive B, or NULL */
static uint8_t results[16];
static unsigned result_count;

/* What is in a sector of a fresh diskette. */
static inline void sector_bytes(uint64_t lba, uint8_t out[512])
{
    for (unsigned i = 0; i < 512; i++)
        out[i] = (uint8_t)(lba * 7 + (lba >> 8) + i * 3 + 1);
}

static inline struct block *new_disk(const char *id, uint64_t bytes)
{
    struct block *b = fake_block_new(id, bytes);
    uint8_t sector[512];
    for (uint64_t lba = 0; lba < bytes / 512; lba++) {
        sector_bytes(lba, sector);
        fake_block_put(b, lba * 512, sector, 512);
    }
    return b;
}

static inline bool realize(enum fdc_drive_type type_a, struct block *a, bool second,
                           struct block *b, struct err *err)
{
    const struct fdc_drive_config config[FDC_UNITS] = {
        {.present = true, .type = type_a, .block = a}, {.present = second, .block = b}};
    f = fdc_realize(rig->bus, dma, &rig->clock, &rig->devices, config, err);
    if (!f)
        return false;
    rig_isa_irq(rig, &f->irq, 6);
    devices_reset(&rig->devices);
    return true;
}

static inline void new_machine(struct block *a, bool second, struct block *b)
{
    struct err err;
    rig = rig_new();
    dma = dma8237_realize(rig->bus, rig->dma, &rig->devices, &err);
    assert_non_null(dma);
    assert_true(realize(FDC_DRIVE_AUTO, a, second, b, &err));
}

static inline int fdc_setup(void **state)
{
    (void)state;
    disk = new_disk("floppy0", DISK_BYTES);
    disk_b = NULL;
    new_machine(disk, true, NULL);
    return 0;
}

static inline int fdc_teardown(void **state)
{
    (void)state;
    rig_free(rig);
    fake_block_free(disk);
    if (disk_b)
        fake_block_free(disk_b);
    return 0;
}

static inline bool interrupt(void)
{
    return rig->hv->isa[6];
}

static inline uint8_t msr(void)
{
    return rig_inb(rig, 0x3F4);
}

static inline void put(uint8_t byte)
{
    assert_int_equal(msr() & 0xC0, 0x80);
    rig_outb(rig, 0x3F5, byte);
}

static inline void command(const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        put((uint8_t)bytes[i]);
}
#define COMMAND(bytes) command(bytes, sizeof(bytes) - 1)

/* All bytes of the result phase, into results[]. */
static inline void take_results(void)
{
    for (result_count = 0; (msr() & 0xD0) == 0xD0 && result_count < sizeof(results);)
        results[result_count++] = rig_inb(rig, 0x3F5);
    assert_int_equal(msr() & 0xF0, 0x80);
    assert_true(result_count > 0);
}

static inline void expect(const char *bytes, size_t len)
{
    assert_int_equal(result_count, len);
    for (size_t i = 0; i < len; i++)
        assert_int_equal(results[i], (uint8_t)bytes[i]);
}
#define RESULTS(bytes) (take_results(), expect(bytes, sizeof(bytes) - 1))

/* As the BIOS and Linux program channel 2: 44h the device writes memory, 48h it reads. */
static inline void program_dma(uint8_t mode, uint32_t address, uint32_t bytes)
{
    const uint16_t count = (uint16_t)(bytes - 1);
    rig_outb(rig, 0x0A, 0x06);
    rig_outb(rig, 0x0C, 0);
    rig_outb(rig, 0x0B, mode | 2);
    rig_outb(rig, 0x04, (uint8_t)address);
    rig_outb(rig, 0x04, (uint8_t)(address >> 8));
    rig_outb(rig, 0x81, (uint8_t)(address >> 16));
    rig_outb(rig, 0x05, (uint8_t)count);
    rig_outb(rig, 0x05, (uint8_t)(count >> 8));
    rig_outb(rig, 0x0A, 0x02);
}

static inline void sense(uint8_t st0, uint8_t cylinder)
{
    assert_true(interrupt());
    COMMAND("\x08");
    take_results();
    assert_int_equal(result_count, 2);
    assert_int_equal(results[0], st0);
    assert_int_equal(results[1], cylinder);
    assert_false(interrupt());
}

static inline void seek_to(uint8_t unit, uint8_t cylinder)
{
    const char bytes[] = {0x0F, (char)unit, (char)cylinder};
    command(bytes, 3);
    sense(0x20 | (unit & 3), cylinder);
}

/* A transfer command of nine bytes. */
static inline void transfer(uint8_t code, uint8_t unit, uint8_t c, uint8_t h, uint8_t r,
                            uint8_t eot)
{
    const uint8_t bytes[] = {code, (uint8_t)(h << 2 | unit), c, h, r, 2, eot, 0x1B, 0xFF};
    command((const char *)bytes, sizeof(bytes));
}

/* Lets the disks work, and the interrupt come. */
static inline void disks(void)
{
    fake_block_run(disk);
    if (disk_b)
        fake_block_run(disk_b);
}

static inline void finish_transfer(void)
{
    disks();
    assert_true(interrupt());
    take_results();
    assert_int_equal(result_count, 7);
    assert_false(interrupt());
}

static inline void expect_sectors(const uint8_t *memory, uint64_t lba, unsigned n)
{
    uint8_t want[512];
    for (unsigned i = 0; i < n; i++) {
        sector_bytes(lba + i, want);
        assert_memory_equal(memory + i * 512, want, 512);
    }
}

static inline void expect_on_disk(struct block *b, uint64_t lba, const void *want, size_t len)
{
    uint8_t *now = malloc(len);
    assert_non_null(now);
    fake_block_get(b, lba * 512, now, len);
    assert_memory_equal(now, want, len);
    free(now);
}

#endif
