/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_block_random: thousands of random requests, several under way at once, against a disk in
 * memory; every cache mode, and O_DIRECT with large sectors. */
#include "tests/unit/block_rig.h"

#include "block/raw.h"

#define SECTORS 4096u
#define SECTOR  512u
#define DEPTH   8u
#define STEPS   1500u
#define LONGEST 640u /* sectors: more than is copied on the loop's thread */

struct slot {
    struct rig_request q;
    struct iovec iov[16];
    uint8_t *memory;
    bool busy;
};

static uint8_t model[SECTORS * SECTOR];
static uint8_t known[SECTORS];
static struct slot slots[DEPTH];
static uint64_t seed;

static unsigned any(unsigned n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % n;
}

static bool overlaps(uint64_t offset, size_t bytes)
{
    for (unsigned i = 0; i < DEPTH; i++) {
        const struct block_request *r = &slots[i].q.r;
        if (slots[i].busy && r->op != BLOCK_FLUSH && offset < r->offset + r->bytes &&
            r->offset < offset + bytes)
            return true;
    }
    return false;
}

/* What a finished request must have done. */
static void check(struct slot *s)
{
    struct block_request *r = &s->q.r;
    uint64_t first = r->offset / SECTOR, count = r->bytes / SECTOR;
    uint8_t *m = model + r->offset;

    s->busy = false;
    assert_int_equal(s->q.error, 0);
    for (uint64_t i = 0; i < count; i++) {
        switch (r->op) {
        case BLOCK_READ:
            if (known[first + i])
                assert_memory_equal(s->memory + i * SECTOR, m + i * SECTOR, SECTOR);
            break;
        case BLOCK_WRITE:
            memcpy(m + i * SECTOR, s->memory + i * SECTOR, SECTOR);
            known[first + i] = true;
            break;
        case BLOCK_WRITE_ZEROES:
            memset(m + i * SECTOR, 0, SECTOR);
            known[first + i] = true;
            break;
        case BLOCK_DISCARD:
            known[first + i] = false;
            break;
        case BLOCK_FLUSH:
            break;
        }
    }
}

static void start(struct block *block, struct slot *s)
{
    static const enum block_op ops[] = {BLOCK_READ,  BLOCK_READ,         BLOCK_READ,   BLOCK_WRITE,
                                        BLOCK_WRITE, BLOCK_WRITE_ZEROES, BLOCK_DISCARD};
    struct block_request *r = &s->q.r;
    uint64_t sector, count;

    memset(&s->q, 0, sizeof(s->q));
    s->busy = true;
    if (any(12) == 0) {
        r->op = BLOCK_FLUSH;
        rig_submit(block, &s->q);
        return;
    }
    s->busy = false;
    do {
        count = 1 + any(any(4) ? 16 : LONGEST);
        sector = any(SECTORS - (unsigned)count + 1);
    } while (overlaps(sector * SECTOR, count * SECTOR));
    r->op = ops[any(7)];
    r->offset = sector * SECTOR;
    r->bytes = count * SECTOR;
    r->own_memory = any(2);
    uint8_t *at = s->memory;
    size_t left = r->bytes;
    r->iov = s->iov;
    while (left) {
        size_t len = r->iovcnt == 15 ? left : any(3) ? SECTOR * (1 + any(20)) : 1 + any(3000);
        if (len > left)
            len = left;
        s->iov[r->iovcnt++] = (struct iovec){.iov_base = at, .iov_len = len};
        at += len;
        left -= len;
    }
    for (size_t i = 0; i < r->bytes; i++)
        s->memory[i] = r->op == BLOCK_WRITE ? (uint8_t)any(256) : 0x5a;
    s->busy = true;
    rig_submit(block, &s->q);
}

static void run(struct block_rig *rig, enum block_cache cache, uint32_t align, unsigned without)
{
    struct block *block =
        rig_open_or_skip(rig, rig_image(rig, "random", sizeof(model), true), cache, false);
    struct raw *raw = block->image;

    if (align)
        raw->file.align = align;
    raw->has &= ~without;
    seed = UINT64_C(0x9e3779b97f4a7c15) + (uint64_t)cache * 7 + align + without;
    rig_fill(model, 0, sizeof(model));
    memset(known, true, sizeof(known));
    for (unsigned i = 0; i < DEPTH; i++)
        slots[i] = (struct slot){.memory = aligned_alloc(4096, (LONGEST + 8) * SECTOR)};

    for (unsigned step = 0; step < STEPS; step++) {
        struct slot *s = &slots[any(DEPTH)];
        if (s->busy) {
            rig_wait(rig, &s->q);
            check(s);
        }
        start(block, s);
        if (any(200) == 0)
            block_drain(block);
    }
    block_drain(block);
    for (unsigned i = 0; i < DEPTH; i++) {
        assert_true(!slots[i].busy || slots[i].q.done);
        if (slots[i].busy)
            check(&slots[i]);
    }
    block_close(block);

    uint8_t *file = malloc(sizeof(model));
    rig_file_read(rig->path, 0, file, sizeof(model));
    for (unsigned i = 0; i < SECTORS; i++)
        if (known[i])
            assert_memory_equal(file + i * SECTOR, model + i * SECTOR, SECTOR);
    free(file);
    for (unsigned i = 0; i < DEPTH; i++)
        free(slots[i].memory);
}

static void test_writeback(void **state)
{
    run(*state, BLOCK_CACHE_WRITEBACK, 0, 0);
}

/* As on a file system that has none of the short ways. */
static void test_writeback_plain(void **state)
{
    run(*state, BLOCK_CACHE_WRITEBACK, 0,
        RAW_HAS_NOWAIT_READ | RAW_HAS_NOWAIT_WRITE | RAW_HAS_KAIO_FSYNC | RAW_HAS_PUNCH |
            RAW_HAS_ZERO);
}

static void test_writethrough(void **state)
{
    run(*state, BLOCK_CACHE_WRITETHROUGH, 0, 0);
}

static void test_none(void **state)
{
    run(*state, BLOCK_CACHE_NONE, 0, 0);
}

static void test_none_plain(void **state)
{
    run(*state, BLOCK_CACHE_NONE, 0,
        RAW_HAS_NOWAIT_DIRECT | RAW_HAS_KAIO_FSYNC | RAW_HAS_PUNCH | RAW_HAS_ZERO);
}

static void test_none_4k(void **state)
{
    run(*state, BLOCK_CACHE_NONE, 4096, 0);
}

static void test_none_4k_plain(void **state)
{
    run(*state, BLOCK_CACHE_NONE, 4096, RAW_HAS_NOWAIT_DIRECT | RAW_HAS_PUNCH | RAW_HAS_ZERO);
}

static void test_directsync(void **state)
{
    run(*state, BLOCK_CACHE_DIRECTSYNC, 0, 0);
}

static void test_unsafe(void **state)
{
    run(*state, BLOCK_CACHE_UNSAFE, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writeback),     cmocka_unit_test(test_writeback_plain),
        cmocka_unit_test(test_writethrough),  cmocka_unit_test(test_none),
        cmocka_unit_test(test_none_plain),    cmocka_unit_test(test_none_4k),
        cmocka_unit_test(test_none_4k_plain), cmocka_unit_test(test_directsync),
        cmocka_unit_test(test_unsafe),
    };
    return cmocka_run_group_tests(tests, block_rig_setup, block_rig_teardown);
}
