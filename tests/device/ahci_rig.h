/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ahci_rig: the AHCI controller on the rig with fake disks, and a driver's steps on it. For the
 * AHCI tests only. */
#ifndef TESTS_DEVICE_AHCI_RIG_H
#define TESTS_DEVICE_AHCI_RIG_H

#include <stdlib.h>
#include <string.h>

#include "tests/device/disk_pattern.h"
#include "tests/device/rig.h"

#include "hw/pc/ahci.h"
#include "tests/fake/block.h"

#define SLOT      4 /* PCI device number */
#define ABAR      0xF0000000u
#define PAIR      0xC000
#define DISK_SIZE (40u << 20)
#define CD_SIZE   (8u << 20)
#define DATA      0x100000u /* where data go in guest memory */

/* Global registers */
enum { CAP = 0x00, GHC = 0x04, IS = 0x08, PI = 0x0C, VS = 0x10 };
/* Port registers */
enum {
    CLB = 0x00,
    CLBU = 0x04,
    FB = 0x08,
    FBU = 0x0C,
    PIS = 0x10,
    PIE = 0x14,
    CMD = 0x18,
    TFD = 0x20,
    SIG = 0x24,
    SSTS = 0x28,
    SCTL = 0x2C,
    SERR = 0x30,
    SACT = 0x34,
    CI = 0x38,
};
enum { ST = 0x0001, FRE = 0x0010, FR = 0x4000, CR = 0x8000 };
enum {
    DHRS = 0x00000001,
    PSS = 0x00000002,
    SDBS = 0x00000008,
    DPS = 0x00000020,
    PCS = 0x00000040,
    OFS = 0x01000000,
    IFS = 0x08000000,
    HBFS = 0x20000000,
    TFES = 0x40000000,
};
/* Command header flags */
enum { HDR_ATAPI = 0x20, HDR_WRITE = 0x40, HDR_RESET = 0x100, HDR_CLEAR_BUSY = 0x400 };

struct ahci_rig {
    struct rig *rig;
    struct ahci *ahci;
    struct block *block[AHCI_PORTS];
    unsigned trays;
};

static inline void tray_moved(void *opaque, unsigned port, bool open)
{
    struct ahci_rig *t = opaque;
    t->trays += 1 + port * 16 + (open ? 0x100 : 0);
}

/* Takes the config's blocks over; BARs placed, all decodes and bus mastering on. */
static inline struct ahci_rig *ahci_rig_with(const struct ahci_config *given)
{
    struct ahci_rig *t = calloc(1, sizeof(*t));
    struct ahci_config config = *given;
    struct err err;
    assert_non_null(t);
    t->rig = rig_new();
    config.devfn = PCI_DEVFN(SLOT, 0);
    config.tray_moved = tray_moved;
    config.opaque = t;
    for (unsigned i = 0; i < AHCI_PORTS; i++)
        t->block[i] = config.drive[i].block;
    t->ahci =
        ahci_realize(t->rig->pci, t->rig->dma, &t->rig->clock, &t->rig->devices, &config, &err);
    if (!t->ahci)
        fail_msg("%s", err.text);
    devices_reset(&t->rig->devices);
    rig_pci_write(t->rig, SLOT, 0, 0x24, 4, ABAR);
    rig_pci_write(t->rig, SLOT, 0, 0x20, 4, PAIR);
    rig_pci_write(t->rig, SLOT, 0, 0x04, 2, 0x0007);
    return t;
}

/* Disks at ports 0 and 1, a CD drive with a disc at port 2, an empty one at port 4. */
static inline struct ahci_config ahci_config_new(void)
{
    struct ahci_config config = {0};
    for (unsigned i = 0; i < 2; i++) {
        config.drive[i].present = config.drive[i].discard = true;
        config.drive[i].block = fake_block_new(i ? "second" : "disk", DISK_SIZE);
    }
    config.drive[2].present = config.drive[2].cdrom = true;
    config.drive[2].block = fake_block_new("cd", CD_SIZE);
    config.drive[2].block->read_only = true;
    config.drive[4].present = config.drive[4].cdrom = true;
    return config;
}

static inline struct ahci_rig *ahci_rig_new(void)
{
    struct ahci_config config = ahci_config_new();
    return ahci_rig_with(&config);
}

static inline void ahci_rig_free(struct ahci_rig *t)
{
    rig_free(t->rig);
    for (unsigned i = 0; i < AHCI_PORTS; i++)
        fake_block_free(t->block[i]);
    free(t);
}

static inline struct device *ahci_device(struct ahci_rig *t)
{
    return t->rig->devices.first;
}

static inline void run(struct ahci_rig *t)
{
    for (unsigned i = 0; i < AHCI_PORTS; i++)
        if (t->block[i])
            fake_block_run(t->block[i]);
}

static inline uint8_t *ram(struct ahci_rig *t, uint32_t addr)
{
    return t->rig->hv->ram + addr;
}

static inline uint32_t get(struct ahci_rig *t, unsigned reg)
{
    return (uint32_t)rig_mem_read(t->rig, ABAR + reg, 4);
}

static inline void set(struct ahci_rig *t, unsigned reg, uint32_t v)
{
    rig_mem_write(t->rig, ABAR + reg, 4, v);
}

static inline uint32_t pget(struct ahci_rig *t, unsigned port, unsigned reg)
{
    return get(t, 0x100 + 0x80 * port + reg);
}

static inline void pset(struct ahci_rig *t, unsigned port, unsigned reg, uint32_t v)
{
    set(t, 0x100 + 0x80 * port + reg, v);
}

static inline bool irq(struct ahci_rig *t)
{
    return t->rig->hv->intx[SLOT][0];
}

/* --- Memory: command list, received FISes, command tables --- */

static inline uint32_t list_at(unsigned port)
{
    return 0x10000 + 0x1000 * port;
}

static inline uint32_t fis_at(unsigned port)
{
    return 0x18000 + 0x1000 * port;
}

static inline uint32_t table_at(unsigned port, unsigned slot)
{
    return 0x20000 + 0x1000 * (32 * port + slot);
}

static inline void put_prd(struct ahci_rig *t, unsigned port, unsigned slot, unsigned n,
                           uint64_t addr, uint32_t bytes)
{
    uint32_t at = table_at(port, slot) + 0x80 + 16 * n;
    rig_mem_write(t->rig, at, 8, addr);
    rig_mem_write(t->rig, at + 8, 4, 0);
    rig_mem_write(t->rig, at + 12, 4, bytes - 1);
}

static inline void put_header(struct ahci_rig *t, unsigned port, unsigned slot, uint16_t flags,
                              uint16_t prds)
{
    uint32_t at = list_at(port) + 32 * slot;
    rig_mem_write(t->rig, at, 2, flags | 5);
    rig_mem_write(t->rig, at + 2, 2, prds);
    rig_mem_write(t->rig, at + 4, 4, 0);
    rig_mem_write(t->rig, at + 8, 8, table_at(port, slot));
}

static inline uint32_t prd_count(struct ahci_rig *t, unsigned port, unsigned slot)
{
    return (uint32_t)rig_mem_read(t->rig, list_at(port) + 32 * slot + 4, 4);
}

struct task {
    uint8_t opcode, device;
    uint16_t feature, count;
    uint64_t lba;
};

/* A register FIS with the command bit. */
static inline void put_fis(struct ahci_rig *t, unsigned port, unsigned slot,
                           const struct task *task)
{
    uint8_t *f = ram(t, table_at(port, slot));
    memset(f, 0, 0x50);
    f[0] = 0x27;
    f[1] = 0x80;
    f[2] = task->opcode;
    f[3] = (uint8_t)task->feature;
    f[11] = (uint8_t)(task->feature >> 8);
    f[12] = (uint8_t)task->count;
    f[13] = (uint8_t)(task->count >> 8);
    f[7] = task->device ? task->device : 0xE0;
    for (unsigned i = 0; i < 3; i++) {
        f[4 + i] = (uint8_t)(task->lba >> 8 * i);
        f[8 + i] = (uint8_t)(task->lba >> (24 + 8 * i));
    }
}

/* One command with its data in one region (bytes 0: none), issued. */
static inline void issue(struct ahci_rig *t, unsigned port, unsigned slot, const struct task *task,
                         uint32_t data, uint32_t bytes, uint16_t flags)
{
    put_fis(t, port, slot, task);
    if (bytes)
        put_prd(t, port, slot, 0, data, bytes);
    put_header(t, port, slot, flags, bytes ? 1 : 0);
    pset(t, port, CI, 1u << slot);
}

static inline void queue(struct ahci_rig *t, unsigned port, unsigned tag, bool write, uint64_t lba,
                         unsigned sectors, uint32_t data)
{
    const struct task task = {.opcode = write ? 0x61 : 0x60,
                              .device = 0x40,
                              .feature = (uint16_t)sectors,
                              .count = (uint16_t)(tag << 3),
                              .lba = lba};
    put_fis(t, port, tag, &task);
    put_prd(t, port, tag, 0, data, (sectors ? sectors : 65536) * 512);
    put_header(t, port, tag, write ? HDR_WRITE : 0, 1);
    pset(t, port, SACT, 1u << tag);
    pset(t, port, CI, 1u << tag);
}

/* As Linux starts a port: FIS receive, COMRESET, engine. */
static inline void port_up(struct ahci_rig *t, unsigned port)
{
    pset(t, port, CLB, list_at(port));
    pset(t, port, FB, fis_at(port));
    pset(t, port, CMD, FRE);
    pset(t, port, SCTL, 0x301);
    assert_int_equal(pget(t, port, SSTS), 0);
    pset(t, port, SCTL, 0x300);
    assert_int_equal(pget(t, port, SSTS), 0x123);
    assert_int_equal(pget(t, port, TFD) & 0x88, 0);
    pset(t, port, SERR, 0xFFFFFFFF);
    pset(t, port, PIS, 0xFFFFFFFF);
    set(t, IS, 0xFFFFFFFF);
    pset(t, port, CMD, pget(t, port, CMD) | ST);
    pset(t, port, PIE, 0x7DC0007F);
    set(t, GHC, 0x80000002);
}

/* Error recovery without a reset: engine off and on, everything cleared. */
static inline void restart(struct ahci_rig *t, unsigned port)
{
    pset(t, port, CMD, pget(t, port, CMD) & ~(uint32_t)ST);
    assert_int_equal(pget(t, port, CMD) & CR, 0);
    assert_int_equal(pget(t, port, CI) | pget(t, port, SACT), 0);
    pset(t, port, SERR, 0xFFFFFFFF);
    pset(t, port, PIS, 0xFFFFFFFF);
    set(t, IS, 0xFFFFFFFF);
    assert_false(irq(t));
    pset(t, port, CMD, pget(t, port, CMD) | ST);
}

/* What an interrupt handler does: acknowledges, and tells what it was. */
static inline uint32_t acknowledge(struct ahci_rig *t, unsigned port)
{
    uint32_t is = pget(t, port, PIS);
    pset(t, port, PIS, is);
    set(t, IS, 1u << port);
    return is;
}

static inline void identify(struct ahci_rig *t, unsigned port, uint8_t opcode, uint16_t words[256])
{
    const struct task task = {.opcode = opcode};
    issue(t, port, 0, &task, DATA, 512, 0);
    assert_int_equal(pget(t, port, CI), 0);
    assert_int_equal(pget(t, port, TFD), 0x50);
    assert_int_equal(acknowledge(t, port), PSS);
    assert_int_equal(prd_count(t, port, 0), 512);
    memcpy(words, ram(t, DATA), 512);
}

/* --- State --- */

static inline uint8_t *ahci_save(struct ahci_rig *t, size_t *len)
{
    const struct device_class *c = ahci_device(t)->class;
    *len = state_size(c->state, c->version);
    uint8_t *buf = malloc(*len);
    assert_non_null(buf);
    state_save(c->state, ahci_device(t), c->version, buf);
    return buf;
}

/* Saves t's device and loads it into a fresh rig of the same shape whose disks are t's. t keeps
 * working without disks of its own, until it is freed. */
static inline struct ahci_rig *ahci_migrate(struct ahci_rig *t, const struct ahci_config *config)
{
    struct err err;
    size_t len;
    devices_quiesce(&t->rig->devices);
    uint8_t *state = ahci_save(t, &len);
    struct ahci_rig *to = ahci_rig_with(config);
    memcpy(to->rig->hv->ram, t->rig->hv->ram, RIG_RAM);
    devices_quiesce(&to->rig->devices);
    if (!device_load(ahci_device(to), ahci_device(to)->class->version, state, len, &err))
        fail_msg("%s", err.text);
    devices_resume(&to->rig->devices);
    free(state);
    memset(t->block, 0, sizeof(t->block));
    ahci_rig_free(t);
    return to;
}

/* For the tests' groups: a disk at port 0 and a CD at port 2, both with contents. */
static inline int ahci_setup(void **state)
{
    struct ahci_rig *t = ahci_rig_new();
    fill_pattern(t->block[0], 0, 4 << 20);
    fill_pattern(t->block[2], 0, CD_SIZE);
    *state = t;
    return 0;
}

static inline int ahci_teardown(void **state)
{
    ahci_rig_free(*state);
    return 0;
}

/* The disk still answers. */
static inline void assert_alive(struct ahci_rig *t)
{
    uint16_t id[256];
    identify(t, 0, 0xEC, id);
    assert_int_equal(id[27], 'Q' << 8 | 'E');
}

#endif
