/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ide_rig: the PIIX3 IDE function on the rig with fake disks, and a driver's steps on it. For the
 * IDE tests only. */
#ifndef TESTS_DEVICE_IDE_RIG_H
#define TESTS_DEVICE_IDE_RIG_H

#include <stdlib.h>
#include <string.h>

#include "tests/device/disk_pattern.h"
#include "tests/device/rig.h"

#include "hw/pc/piix3_ide.h"
#include "tests/fake/block.h"

#define BM_PORT   0xC000
#define ATA0      0x1F0
#define ATA1      0x170
#define CONTROL0  0x3F6
#define CONTROL1  0x376
#define DISK_SIZE (40u << 20)
#define CD_SIZE   (8u << 20)

/* Registers: offsets from the command block */
enum { R_DATA, R_ERROR, R_COUNT, R_LOW, R_MID, R_HIGH, R_DEVICE, R_STATUS };

#define S_ERR  0x01
#define S_DRQ  0x08
#define S_DSC  0x10
#define S_DRDY 0x40
#define S_BSY  0x80
#define S_OK   (S_DRDY | S_DSC)

struct ide_rig {
    struct rig *rig;
    struct piix3_ide *ide;
    struct block *block[4];
    uint16_t base; /* command block of the channel in use */
};

/* Takes the config's blocks over; BAR 4 at BM_PORT, all decodes and bus mastering on. */
static inline struct ide_rig *ide_rig_with(const struct piix3_ide_config *config)
{
    struct ide_rig *t = calloc(1, sizeof(*t));
    struct err err;
    assert_non_null(t);
    t->rig = rig_new();
    t->base = ATA0;
    for (unsigned i = 0; i < 4; i++)
        t->block[i] = config->drive[i].block;
    t->ide = piix3_ide_realize(t->rig->pci, t->rig->bus, t->rig->dma, &t->rig->clock,
                               &t->rig->devices, config, &err);
    if (!t->ide)
        fail_msg("%s", err.text);
    rig_isa_irq(t->rig, piix3_ide_irq(t->ide, 0), 14);
    rig_isa_irq(t->rig, piix3_ide_irq(t->ide, 1), 15);
    devices_reset(&t->rig->devices);
    rig_pci_write(t->rig, 1, 1, 0x20, 4, BM_PORT);
    rig_pci_write(t->rig, 1, 1, 0x04, 2, 0x0005);
    return t;
}

/* Disk as unit 0, CD drive with a disc as unit 2 (alone on the second channel). */
static inline struct ide_rig *ide_rig_new(void)
{
    struct piix3_ide_config config = {0};
    config.drive[0].present = true;
    config.drive[0].block = fake_block_new("disk", DISK_SIZE);
    config.drive[2].present = config.drive[2].cdrom = true;
    config.drive[2].block = fake_block_new("cd", CD_SIZE);
    config.drive[2].block->read_only = true;
    return ide_rig_with(&config);
}

static inline void ide_rig_free(struct ide_rig *t)
{
    rig_free(t->rig);
    for (unsigned i = 0; i < 4; i++)
        fake_block_free(t->block[i]);
    free(t);
}

static inline struct device *ide_device(struct ide_rig *t)
{
    return t->rig->devices.first;
}

static inline void run(struct ide_rig *t)
{
    for (unsigned i = 0; i < 4; i++)
        if (t->block[i])
            fake_block_run(t->block[i]);
}

static inline uint8_t in(struct ide_rig *t, unsigned reg)
{
    return rig_inb(t->rig, (uint16_t)(t->base + reg));
}

static inline void out(struct ide_rig *t, unsigned reg, uint8_t v)
{
    rig_outb(t->rig, (uint16_t)(t->base + reg), v);
}

static inline uint16_t control_port(struct ide_rig *t)
{
    return t->base == ATA0 ? CONTROL0 : CONTROL1;
}

static inline uint8_t alt(struct ide_rig *t)
{
    return rig_inb(t->rig, control_port(t));
}

static inline void control(struct ide_rig *t, uint8_t v)
{
    rig_outb(t->rig, control_port(t), v);
}

static inline bool irq(struct ide_rig *t)
{
    return t->rig->hv->isa[t->base == ATA0 ? 14 : 15];
}

static inline unsigned irqs(struct ide_rig *t)
{
    return t->rig->hv->isa_raised[t->base == ATA0 ? 14 : 15];
}

static inline void soft_reset(struct ide_rig *t)
{
    control(t, 4);
    control(t, 0);
}

/* Writes the task file of an LBA28 command for device 0 or 1 and the command. */
static inline void lba28(struct ide_rig *t, unsigned dev, uint8_t opcode, uint32_t lba,
                         unsigned count)
{
    out(t, R_DEVICE, (uint8_t)(0xE0 | dev << 4 | (lba >> 24 & 0xF)));
    out(t, R_COUNT, (uint8_t)count);
    out(t, R_LOW, (uint8_t)lba);
    out(t, R_MID, (uint8_t)(lba >> 8));
    out(t, R_HIGH, (uint8_t)(lba >> 16));
    out(t, R_STATUS, opcode);
}

static inline void lba48(struct ide_rig *t, unsigned dev, uint8_t opcode, uint64_t lba,
                         unsigned count)
{
    out(t, R_DEVICE, (uint8_t)(0xE0 | dev << 4));
    out(t, R_COUNT, (uint8_t)(count >> 8));
    out(t, R_COUNT, (uint8_t)count);
    out(t, R_LOW, (uint8_t)(lba >> 24));
    out(t, R_LOW, (uint8_t)lba);
    out(t, R_MID, (uint8_t)(lba >> 32));
    out(t, R_MID, (uint8_t)(lba >> 8));
    out(t, R_HIGH, (uint8_t)(lba >> 40));
    out(t, R_HIGH, (uint8_t)(lba >> 16));
    out(t, R_STATUS, opcode);
}

/* The address in the task file after a command. */
static inline uint32_t get_lba28(struct ide_rig *t)
{
    return (uint32_t)(in(t, R_LOW) | in(t, R_MID) << 8 | in(t, R_HIGH) << 16 |
                      (in(t, R_DEVICE) & 0xF) << 24);
}

static inline uint64_t get_lba48(struct ide_rig *t)
{
    uint64_t v = (uint64_t)(in(t, R_LOW) | in(t, R_MID) << 8 | in(t, R_HIGH) << 16);
    control(t, 0x80);
    v |= (uint64_t)(in(t, R_LOW) | in(t, R_MID) << 8 | (uint32_t)in(t, R_HIGH) << 16) << 24;
    control(t, 0);
    return v;
}

static inline void read_data(struct ide_rig *t, void *buf, size_t bytes)
{
    bus_port_read_run(t->rig->bus, t->base, 2, buf, (uint32_t)(bytes / 2));
}

static inline void write_data(struct ide_rig *t, const void *buf, size_t bytes)
{
    bus_port_write_run(t->rig->bus, t->base, 2, buf, (uint32_t)(bytes / 2));
}

static inline void identify(struct ide_rig *t, unsigned dev, uint8_t opcode, uint16_t words[256])
{
    out(t, R_DEVICE, (uint8_t)(0xA0 | dev << 4));
    out(t, R_STATUS, opcode);
    assert_int_equal(in(t, R_STATUS), S_OK | S_DRQ);
    read_data(t, words, 512);
    assert_int_equal(in(t, R_STATUS), S_OK);
}

/* --- Bus master --- */

#define PRD_EOT 0x80000000u
#define PRDS    0x1000 /* where the tests keep their table */

static inline uint16_t bm_port(struct ide_rig *t)
{
    return t->base == ATA0 ? BM_PORT : BM_PORT + 8;
}

static inline void put_prd(struct ide_rig *t, unsigned n, uint32_t addr, uint32_t count)
{
    rig_mem_write(t->rig, PRDS + 8 * n, 4, addr);
    rig_mem_write(t->rig, PRDS + 8 * n + 4, 4, count);
}

static inline void bm_start(struct ide_rig *t, bool to_memory)
{
    rig_outl(t->rig, (uint16_t)(bm_port(t) + 4), PRDS);
    rig_outb(t->rig, bm_port(t), to_memory ? 8 : 0);
    rig_outb(t->rig, (uint16_t)(bm_port(t) + 2), 0x06);
    rig_outb(t->rig, bm_port(t), to_memory ? 9 : 1);
}

static inline void bm_stop(struct ide_rig *t)
{
    rig_outb(t->rig, bm_port(t), 0);
}

static inline uint8_t bm_status(struct ide_rig *t)
{
    return rig_inb(t->rig, (uint16_t)(bm_port(t) + 2));
}

#define BM_ACTIVE 1
#define BM_ERROR  2
#define BM_INT    4

/* --- State --- */

static inline uint8_t *ide_save(struct ide_rig *t, size_t *len)
{
    const struct device_class *c = ide_device(t)->class;
    *len = state_size(c->state, c->version);
    uint8_t *buf = malloc(*len);
    assert_non_null(buf);
    state_save(c->state, ide_device(t), c->version, buf);
    return buf;
}

/* Saves t's device and loads it into a fresh rig of the same shape whose disks are t's. t keeps
 * working without disks of its own. */
static inline struct ide_rig *ide_migrate(struct ide_rig *t, const struct piix3_ide_config *config)
{
    struct err err;
    size_t len;
    devices_quiesce(&t->rig->devices);
    uint8_t *state = ide_save(t, &len);
    struct ide_rig *to = ide_rig_with(config);
    to->base = t->base;
    memcpy(to->rig->hv->ram, t->rig->hv->ram, RIG_RAM);
    devices_quiesce(&to->rig->devices);
    if (!device_load(ide_device(to), ide_device(to)->class->version, state, len, &err))
        fail_msg("%s", err.text);
    devices_resume(&to->rig->devices);
    free(state);
    memset(t->block, 0, sizeof(t->block));
    ide_rig_free(t);
    return to;
}

#endif
