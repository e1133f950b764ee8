/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_atapi: a hostile guest at a CD drive: packet commands with whatever in their bytes, by PIO
 * and DMA, reset and half read, while discs of all sizes come and go, the tray is pushed, and a
 * drive of the host's gives the errors that such give (no medium, a scratch, gone).
 *
 * Steps: u8 what, and what that takes.
 */
#include <errno.h>

#include "tests/device/ide_rig.h"
#include "tests/fuzz/fuzz.h"

#define STEPS 400u

struct fuzz {
    struct fuzz_input in;
    struct ide_rig *t;
};

static uint8_t take(struct fuzz *z)
{
    return (uint8_t)fuzz_take(&z->in, 1);
}

/* An operation that the drive knows, mostly. */
static uint8_t operation(struct fuzz *z)
{
    static const uint8_t known[] = {0x00, 0x03, 0x12, 0x15, 0x1A, 0x1B, 0x1E, 0x23, 0x25,
                                    0x28, 0x2B, 0x2F, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47,
                                    0x4A, 0x4B, 0x4E, 0x51, 0x52, 0x55, 0x5A, 0x5C, 0xA5,
                                    0xA6, 0xA8, 0xAC, 0xAD, 0xB9, 0xBB, 0xBD, 0xBE};
    uint8_t n = take(z);
    return n < 7 * sizeof(known) ? known[n % sizeof(known)] : n;
}

static void packet(struct fuzz *z, bool by_dma)
{
    uint8_t cdb[12] = {operation(z)};
    unsigned limit = (unsigned)fuzz_take(&z->in, 2);
    /* Zeroes are what most bytes of a sound command are. */
    unsigned given = (unsigned)fuzz_take(&z->in, 2);
    for (unsigned i = 1; i < 12; i++)
        if (given >> i & 1)
            cdb[i] = take(z);
    out(z->t, R_DEVICE, 0xA0);
    out(z->t, R_ERROR, by_dma ? 1 : (uint8_t)(given >> 12 & 2));
    out(z->t, R_MID, (uint8_t)limit);
    out(z->t, R_HIGH, (uint8_t)(limit >> 8));
    out(z->t, R_STATUS, 0xA0);
    write_data(z->t, cdb, 12);
    if (!by_dma)
        return;
    unsigned bytes = (unsigned)fuzz_take(&z->in, 2);
    put_prd(z->t, 0, 0x10000 + (given & 0xF0), bytes & 0xFFFE);
    put_prd(z->t, 1, given & 1 ? 0xFFFFF000u : 0x40000, 0x8000);
    put_prd(z->t, 2, 0x60000, PRD_EOT);
    bm_start(z->t, given & 2 ? false : true);
}

static void data(struct fuzz *z, unsigned what)
{
    static uint8_t buf[65536];
    size_t bytes = what & 0x10 ? 2 + (size_t)take(z) * 2 : sizeof(buf);
    if (what & 0x20) {
        memset(buf, take(z), sizeof(buf));
        size_t n;
        const uint8_t *list = fuzz_take_bytes(&z->in, 1 + take(z) % 32, &n);
        memcpy(buf, list, n);
        write_data(z->t, buf, bytes);
    } else {
        read_data(z->t, buf, bytes);
    }
}

static void change(struct fuzz *z)
{
    static const uint64_t sizes[] = {512,       2048,       CD_SIZE,      700u << 20,
                                     720000000, 4700000256, 200ull << 30, 1ull << 50};
    unsigned n = take(z) % 9;
    struct block *disc = n ? fake_block_new("disc", sizes[n - 1]) : NULL;
    if (disc)
        disc->read_only = true;
    struct block *old = ide_drive_set_medium(z->t->ide, 2, disc);
    fuzz_assert(old == z->t->block[2]);
    fuzz_assert(!old || !fake_block_count(old, BLOCK_WRITE));
    z->t->block[2] = disc;
    fake_block_free(old); /* ends the run if anything is still under way */
}

static void scratch(struct fuzz *z)
{
    static const int errors[] = {EIO, ENOMEDIUM, ENXIO, ENODEV, EINVAL, ENOMEM};
    unsigned what = take(z);
    struct block *b = z->t->block[2];
    if (!b)
        return;
    fake_block_heal(b);
    if (what & 0x80)
        fake_block_fail(b, BLOCK_READ, (uint64_t)take(z) * 2048, 1 + (uint64_t)take(z) * 4096,
                        errors[what % 6], 1 + (what >> 3 & 7));
}

static void stop_and_go(struct fuzz *z)
{
    struct err err;
    size_t len;
    devices_quiesce(&z->t->rig->devices);
    uint8_t *state = ide_save(z->t, &len);
    const struct device_class *class = ide_device(z->t)->class;
    fuzz_assert(device_load(ide_device(z->t), class->version, state, len, &err));
    uint8_t *again = ide_save(z->t, &len);
    fuzz_assert(!memcmp(state, again, len));
    free(state);
    free(again);
    devices_resume(&z->t->rig->devices);
}

/* A state from elsewhere: refused, or taken and survived. */
static void hostile_state(struct fuzz *z)
{
    struct err err;
    size_t len;
    devices_quiesce(&z->t->rig->devices);
    uint8_t *state = ide_save(z->t, &len);
    for (unsigned n = take(z) & 7; n; n--) {
        size_t at = fuzz_take(&z->in, 2) % len;
        state[at] = take(z);
    }
    device_load(ide_device(z->t), ide_device(z->t)->class->version, state, len, &err);
    free(state);
    devices_resume(&z->t->rig->devices);
}

static void step(struct fuzz *z)
{
    unsigned what = take(z);

    switch (what & 15) {
    case 0:
    case 1:
    case 2:
    case 3:
        packet(z, what & 0x10);
        break;
    case 4:
    case 5:
        data(z, what);
        break;
    case 6:
    case 7:
        if (z->t->block[2] && what & 0x10)
            fake_block_step(z->t->block[2]);
        else
            run(z->t);
        break;
    case 8:
        change(z);
        break;
    case 9:
        scratch(z);
        break;
    case 10:
        if (what & 0x10)
            ide_tray_eject(z->t->ide, 2, what & 0x20);
        else
            bm_stop(z->t);
        break;
    case 11:
        if (what & 0x10)
            out(z->t, R_STATUS, what & 0x20 ? 0x08 : 0xA1); /* DEVICE RESET, IDENTIFY PACKET */
        else
            soft_reset(z->t);
        break;
    case 12:
        out(z->t, what >> 4 & 7, take(z));
        break;
    case 13:
        in(z->t, what >> 4 & 7);
        break;
    case 14:
        stop_and_go(z);
        break;
    default:
        if (what & 0x10)
            hostile_state(z);
        else
            rig_step(z->t->rig, take(z) * NS_PER_MS);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    struct fuzz z = {.in = {.p = input, .left = size}};

    z.t = ide_rig_new();
    z.t->base = ATA1;
    for (unsigned n = 0; n < STEPS && z.in.left; n++)
        step(&z);
    /* After a reset the drive is there as new, whatever it was asked. */
    run(z.t);
    devices_reset(&z.t->rig->devices);
    run(z.t);
    fuzz_assert(!z.t->block[2] || !fake_block_count(z.t->block[2], BLOCK_WRITE));
    uint16_t words[256];
    control(z.t, 0);
    out(z.t, R_DEVICE, 0xA0);
    out(z.t, R_STATUS, 0xA1);
    fuzz_assert(in(z.t, R_STATUS) & S_DRQ);
    read_data(z.t, words, 512);
    fuzz_assert(words[0] == 0x85C0 && !(in(z.t, R_STATUS) & S_DRQ));
    ide_rig_free(z.t);
    return 0;
}
