/* SPDX-License-Identifier: GPL-2.0-or-later */
/* block_driver: a driver for block.c that the test scripts: requests end when and as it says. */
#ifndef TESTS_UNIT_BLOCK_DRIVER_H
#define TESTS_UNIT_BLOCK_DRIVER_H

#include "tests/unit/block_rig.h"

#include "block/block_int.h"

/* A driver that keeps what it is given until the test ends it. */
struct fake {
    struct block_request *held[64];
    unsigned count;
    unsigned submitted[BLOCK_WRITE_ZEROES + 1];
    bool later;  /* end requests at once, in submit */
    int error;   /* with this */
    bool refuse; /* lock fails */
    int locks;
    bool closed;
};

static inline void fake_submit(struct block *block, struct block_request *r)
{
    struct fake *f = block->image;
    f->submitted[r->op]++;
    if (f->later)
        block_finish_later(r, f->error);
    else
        f->held[f->count++] = r;
}

/* Ends the oldest. */
static inline void fake_end(struct fake *f, int error)
{
    struct block_request *r = f->held[0];
    assert_true(f->count > 0);
    memmove(f->held, f->held + 1, --f->count * sizeof(f->held[0]));
    block_finish(r, error);
}

static inline void fake_wait(struct block *block)
{
    struct fake *f = block->image;
    fake_end(f, f->error);
}

static inline bool fake_lock(struct block *block, struct err *err)
{
    struct fake *f = block->image;
    if (f->refuse)
        return err_set(err, "in use");
    f->locks++;
    return true;
}

static inline void fake_unlock(struct block *block)
{
    ((struct fake *)block->image)->locks--;
}

static inline bool fake_resize(struct block *block, uint64_t bytes, struct err *err)
{
    struct fake *f = block->image;
    if (f->refuse)
        return err_set(err, "cannot");
    block->bytes = bytes;
    return true;
}

static inline void fake_close(struct block *block)
{
    ((struct fake *)block->image)->closed = true;
}

static const struct block_driver fake_driver = {.submit = fake_submit,
                                                .wait = fake_wait,
                                                .lock = fake_lock,
                                                .unlock = fake_unlock,
                                                .resize = fake_resize,
                                                .close = fake_close};

/* On a driver that does nothing until told; its image has 1 MiB. */
static inline struct block *open_fake_as(struct block_rig *rig, struct fake *f,
                                         const struct block_config *config)
{
    memset(f, 0, sizeof(*f));
    struct block *block = block_new(rig->loop, config, &fake_driver, f, 1 << 20, &rig->err);
    assert_non_null(block);
    assert_true(block_activate(block, &rig->err));
    assert_true(block_set_limits(block, &config->limits, &rig->err));
    return block;
}

static inline struct block *open_fake(struct block_rig *rig, struct fake *f, enum block_cache cache)
{
    struct block_config config = rig_config("fake.img", cache, false);
    return open_fake_as(rig, f, &config);
}

#endif
