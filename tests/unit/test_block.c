/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_block: raw images through block.h: every cache mode, alignments, sizes, holes, errors,
 * statistics. */
#include "tests/unit/block_rig.h"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "block/raw.h"

static const enum block_cache all_modes[] = {BLOCK_CACHE_WRITEBACK, BLOCK_CACHE_WRITETHROUGH,
                                             BLOCK_CACHE_NONE, BLOCK_CACHE_DIRECTSYNC,
                                             BLOCK_CACHE_UNSAFE};
#define MODES (sizeof(all_modes) / sizeof(all_modes[0]))

static void test_full_file_system(void **state)
{
    struct block_rig *rig = *state;
    char path[512];
    uint8_t buf[65536];

    snprintf(path, sizeof(path), "%s/tiny", rig->dir);
    mkdir(path, 0700);
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("none", path, "tmpfs", 0, "size=64k") < 0) {
        print_message("skip: needs the right to mount a small file system\n");
        skip();
    }
    struct block *block =
        rig_open(rig, rig_image(rig, "tiny/img", 1 << 20, false), BLOCK_CACHE_WRITEBACK, false);
    int error = 0;
    memset(buf, 7, sizeof(buf));
    for (unsigned i = 0; i < 4 && !error; i++)
        error = rig_write(rig, block, i * sizeof(buf), buf, sizeof(buf));
    assert_int_equal(error, ENOSPC);
    assert_int_equal(block_stats(block)->failed_wr_operations, 1);
    /* Room again: it goes on. */
    assert_int_equal(rig_op(rig, block, BLOCK_DISCARD, 0, 1 << 20), 0);
    assert_int_equal(rig_write(rig, block, 512 * 1024, buf, 4096), 0);
    block_close(block);
    umount(path);
}

/* RLIMIT_FSIZE (libxl's dm_restrict sets one) is an I/O error, not the end of the process. */
static void test_file_size_limit(void **state)
{
    struct block_rig *rig = *state;
    struct rlimit before, low = {.rlim_cur = 65536, .rlim_max = RLIM_INFINITY};
    uint8_t buf[4096] = {1};

    for (unsigned m = 0; m < MODES; m++) {
        rig_image(rig, "limited", 1 << 20, false);
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
        low.rlim_max = before.rlim_max;
        struct block *block = rig_open(rig, rig->path, all_modes[m], false);
        if (!block)
            continue; /* no O_DIRECT: said elsewhere */
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
        int ok = rig_write(rig, block, 4096, buf, 4096);
        int error = rig_write(rig, block, 131072, buf, 4096);
        int zero = rig_op(rig, block, BLOCK_WRITE_ZEROES, 131072, 4096);
        setrlimit(RLIMIT_FSIZE, &before);
        assert_int_equal(ok, 0);
        assert_int_equal(error, EFBIG);
        assert_true(zero == 0 || zero == EFBIG);
        assert_int_equal(rig_write(rig, block, 131072, buf, 4096), 0);
        block_close(block);
    }
}

/* Sizes and places; offsets from sector to sector; every cache mode. */
static void sizes(struct block_rig *rig, enum block_cache cache, uint32_t align)
{
    const size_t total = 4 << 20;
    static const size_t lengths[] = {512,
                                     1024,
                                     1536,
                                     4096,
                                     4608,
                                     8192,
                                     65536,
                                     66048,
                                     131072,
                                     262144,
                                     262144 + 512,
                                     1 << 20,
                                     (1 << 20) + 512,
                                     3 << 20};
    uint8_t *buf = malloc(total), *model = malloc(total);
    struct block *block = rig_open_or_skip(rig, rig_image(rig, "sizes", total, true), cache, false);
    if (align)
        ((struct raw *)block->image)->file.align = align;
    rig_fill(model, 0, total);

    for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        for (unsigned j = 0; j < 3; j++) {
            size_t len = lengths[i];
            uint64_t offset = j == 0 ? 0 : j == 1 ? 512 * (i + 1) : total - len;
            memset(buf, 0xee, len);
            assert_int_equal(rig_read(rig, block, offset, buf, len), 0);
            assert_memory_equal(buf, model + offset, len);
            for (size_t k = 0; k < len; k++)
                buf[k] = (uint8_t)(k * 13 + i * 7 + j);
            memcpy(model + offset, buf, len);
            assert_int_equal(rig_write(rig, block, offset, buf, len), 0);
            memset(buf, 0, len);
            assert_int_equal(rig_read(rig, block, offset, buf, len), 0);
            assert_memory_equal(buf, model + offset, len);
        }
    }
    assert_int_equal(rig_op(rig, block, BLOCK_FLUSH, 0, 0), 0);
    block_close(block);
    rig_file_read(rig->path, 0, buf, total);
    assert_memory_equal(buf, model, total);
    free(buf);
    free(model);
}

static void test_sizes_writeback(void **state)
{
    sizes(*state, BLOCK_CACHE_WRITEBACK, 0);
}
static void test_sizes_writethrough(void **state)
{
    sizes(*state, BLOCK_CACHE_WRITETHROUGH, 0);
}
static void test_sizes_none(void **state)
{
    sizes(*state, BLOCK_CACHE_NONE, 0);
}
static void test_sizes_none_4k(void **state)
{
    sizes(*state, BLOCK_CACHE_NONE, 4096);
}
static void test_sizes_directsync(void **state)
{
    sizes(*state, BLOCK_CACHE_DIRECTSYNC, 0);
}
static void test_sizes_directsync_4k(void **state)
{
    sizes(*state, BLOCK_CACHE_DIRECTSYNC, 4096);
}
static void test_sizes_unsafe(void **state)
{
    sizes(*state, BLOCK_CACHE_UNSAFE, 0);
}

/* Cuts [base, base + bytes) into elements of the given sizes, repeated; empty ones included. */
static int cut(struct iovec *iov, int max, uint8_t *base, size_t bytes, const size_t *pieces,
               unsigned n)
{
    int cnt = 0;
    for (unsigned i = 0; bytes; i = (i + 1) % n) {
        size_t len = pieces[i] < bytes ? pieces[i] : bytes;
        assert_true(cnt < max);
        iov[cnt++] = (struct iovec){.iov_base = base, .iov_len = len};
        base += len;
        bytes -= len;
    }
    return cnt;
}

/* Scatter lists of odd, tiny, empty and aligned elements; memory at odd addresses; flagged as our
 * own or not. */
static void scatter(struct block_rig *rig, enum block_cache cache)
{
    static const size_t cuts[][3] = {{1, 2, 3},        {511, 1, 512}, {513, 4095, 1},
                                     {4096, 512, 512}, {512, 0, 512}, {65536, 65536, 7}};
    const size_t bytes = 192 * 512;
    struct block *block = rig_open_or_skip(rig, rig_image(rig, "iov", 1 << 20, true), cache, false);
    int max = (int)bytes + 1;
    struct iovec *iov = calloc((size_t)max, sizeof(*iov));
    uint8_t *memory = aligned_alloc(4096, bytes + 4096), *want = malloc(bytes);

    for (unsigned c = 0; c < sizeof(cuts) / sizeof(cuts[0]); c++) {
        for (unsigned shift = 0; shift < 2; shift++) {
            for (unsigned own = 0; own < 2; own++) {
                uint8_t *base = memory + shift;
                struct rig_request q = {.r = {.op = BLOCK_READ,
                                              .offset = 512 * (c + 1),
                                              .bytes = bytes,
                                              .iov = iov,
                                              .own_memory = own}};
                q.r.iovcnt = cut(iov, max, base, bytes, cuts[c], 3);
                memset(memory, 0x55, bytes + 4096);
                rig_submit(block, &q);
                assert_int_equal(rig_wait(rig, &q), 0);
                rig_file_read(rig->path, q.r.offset, want, bytes);
                assert_memory_equal(base, want, bytes);
                assert_int_equal(base[bytes], 0x55);

                q.r.op = BLOCK_WRITE;
                q.r.offset = 400 * 1024 + 512 * own;
                rig_submit(block, &q);
                assert_int_equal(rig_wait(rig, &q), 0);
                rig_file_read(rig->path, q.r.offset, want, bytes);
                assert_memory_equal(base, want, bytes);
            }
        }
    }
    block_close(block);
    free(iov);
    free(memory);
    free(want);
}

static void test_scatter_writeback(void **state)
{
    scatter(*state, BLOCK_CACHE_WRITEBACK);
}
static void test_scatter_writethrough(void **state)
{
    scatter(*state, BLOCK_CACHE_WRITETHROUGH);
}
static void test_scatter_none(void **state)
{
    scatter(*state, BLOCK_CACHE_NONE);
}

/* Many at once, more than the kernel context takes and than the bounce buffers allow. */
static void many(struct block_rig *rig, enum block_cache cache, uint32_t align)
{
    enum { COUNT = 300, BYTES = 64 * 1024 };
    struct block *block =
        rig_open_or_skip(rig, rig_image(rig, "many", (size_t)COUNT * BYTES, false), cache, false);
    struct rig_request *q = calloc(COUNT, sizeof(*q));
    struct iovec *iov = calloc(COUNT, sizeof(*iov));
    uint8_t *memory = malloc((size_t)COUNT * BYTES), *back = malloc((size_t)COUNT * BYTES);

    if (align)
        ((struct raw *)block->image)->file.align = align;
    for (size_t i = 0; i < (size_t)COUNT * BYTES; i++)
        memory[i] = (uint8_t)(i * 17 + (i >> 16));
    for (int round = 0; round < 2; round++) {
        for (unsigned i = 0; i < COUNT; i++) {
            /* the last sector of each is left out, so that with `align` they need patching */
            iov[i] = (struct iovec){.iov_base = memory + (size_t)i * BYTES, .iov_len = BYTES - 512};
            q[i].r = (struct block_request){.op = round ? BLOCK_READ : BLOCK_WRITE,
                                            .offset = (uint64_t)i * BYTES,
                                            .bytes = BYTES - 512,
                                            .iov = &iov[i],
                                            .iovcnt = 1};
            rig_submit(block, &q[i]);
        }
        if (round) { /* by the loop, */
            for (unsigned i = 0; i < COUNT; i++)
                assert_int_equal(rig_wait(rig, &q[i]), 0);
        } else { /* and without it */
            block_drain(block);
            for (unsigned i = 0; i < COUNT; i++)
                assert_true(q[i].done && q[i].error == 0);
            memcpy(back, memory, (size_t)COUNT * BYTES);
            memset(memory, 0, (size_t)COUNT * BYTES);
        }
    }
    for (size_t i = 0; i < COUNT; i++)
        assert_memory_equal(memory + i * BYTES, back + i * BYTES, BYTES - 512);
    assert_int_equal(block_stats(block)->wr_operations, COUNT);
    assert_int_equal(block_stats(block)->rd_bytes, (uint64_t)COUNT * (BYTES - 512));
    block_close(block);
    free(q);
    free(iov);
    free(memory);
    free(back);
}

static void test_many_writeback(void **state)
{
    many(*state, BLOCK_CACHE_WRITEBACK, 0);
}
static void test_many_none(void **state)
{
    many(*state, BLOCK_CACHE_NONE, 0);
}
static void test_many_none_4k(void **state)
{
    many(*state, BLOCK_CACHE_NONE, 4096);
}

static void test_range_checks(void **state)
{
    struct block_rig *rig = *state;
    const uint64_t size = 1 << 20;
    static const struct {
        uint64_t offset;
        size_t bytes;
    } bad[] = {
        {1 << 20, 512},
        {(1 << 20) - 512, 1024},
        {UINT64_C(1) << 63, 512},
        {UINT64_MAX - 511, 512},
        {UINT64_MAX - 511, 1024}, /* the sum wraps to 512 */
        {0, (1 << 20) + 512},
        {512, SIZE_MAX - 511},
        {1, 512},
        {511, 512},
        {0, 511},
        {0, 1},
    };
    uint8_t buf[2048];
    rig_image(rig, "range", size, true);
    for (unsigned m = 0; m < MODES; m++) {
        struct block *block = rig_open(rig, rig->path, all_modes[m], false);
        if (!block)
            continue;
        for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
            for (int op = BLOCK_READ; op <= BLOCK_WRITE_ZEROES; op++) {
                if (op == BLOCK_FLUSH)
                    continue;
                /* The length of the list always agrees: it is the range that is refused. */
                struct iovec iov = {.iov_base = buf, .iov_len = bad[i].bytes};
                struct rig_request q = {.r = {.op = (enum block_op)op,
                                              .offset = bad[i].offset,
                                              .bytes = bad[i].bytes,
                                              .iov = &iov,
                                              .iovcnt = 1}};
                rig_submit(block, &q);
                assert_int_equal(rig_wait(rig, &q), EINVAL);
            }
        }
        /* Lists that do not agree with the length. */
        struct iovec iov[2] = {{.iov_base = buf, .iov_len = 512},
                               {.iov_base = buf, .iov_len = SIZE_MAX - 100}};
        struct rig_request q = {.r = {.op = BLOCK_READ, .bytes = 1024, .iov = iov, .iovcnt = 1}};
        for (int cnt = -1; cnt <= 2; cnt++) {
            q.r.iovcnt = cnt;
            rig_submit(block, &q);
            assert_int_equal(rig_wait(rig, &q), EINVAL);
        }
        /* The very end, and nothing at all, are fine. */
        assert_int_equal(rig_read(rig, block, size - 512, buf, 512), 0);
        assert_int_equal(rig_read(rig, block, size, buf, 0), 0);
        assert_int_equal(rig_write(rig, block, size, buf, 0), 0);
        block_close(block);
    }
    struct stat st;
    assert_int_equal(stat(rig->path, &st), 0);
    assert_int_equal(st.st_size, size);
}

/* XSA-142/266: read-only really is. */
static void test_read_only(void **state)
{
    struct block_rig *rig = *state;
    uint8_t buf[4096], want[4096];
    struct stat before, after;

    rig_image(rig, "ro2", 65536, true);
    assert_int_equal(stat(rig->path, &before), 0);
    for (unsigned m = 0; m < MODES; m++) {
        struct block *block = rig_open(rig, rig->path, all_modes[m], true);
        if (!block)
            continue;
        assert_true(block_read_only(block));
        assert_int_equal(fcntl(((struct raw *)block->image)->file.fd, F_GETFL) & O_ACCMODE,
                         O_RDONLY);
        memset(buf, 0, sizeof(buf));
        assert_int_equal(rig_write(rig, block, 0, buf, 4096), EROFS);
        assert_int_equal(rig_op(rig, block, BLOCK_DISCARD, 0, 4096), EROFS);
        assert_int_equal(rig_op(rig, block, BLOCK_WRITE_ZEROES, 0, 4096), EROFS);
        assert_int_equal(rig_op(rig, block, BLOCK_FLUSH, 0, 0), 0);
        assert_int_equal(rig_read(rig, block, 0, buf, 4096), 0);
        rig_fill(want, 0, 4096);
        assert_memory_equal(buf, want, 4096);
        assert_int_equal(block_stats(block)->wr_operations, 0);
        block_close(block);
    }
    /* A descriptor that could write does not change that. */
    struct block_config config = rig_config(rig->path, BLOCK_CACHE_WRITEBACK, true);
    config.fd = open(rig->path, O_RDWR);
    struct block *block = block_open(rig->loop, &config, &rig->err);
    assert_true(block_activate(block, &rig->err));
    assert_int_equal(rig_write(rig, block, 0, buf, 4096), EROFS);
    block_close(block);
    assert_int_equal(stat(rig->path, &after), 0);
    assert_memory_equal(&before.st_mtim, &after.st_mtim, sizeof(before.st_mtim));
}

static void test_inactive_is_not_changed(void **state)
{
    struct block_rig *rig = *state;
    uint8_t buf[512];
    struct block_config config =
        rig_config(rig_image(rig, "inactive", 65536, true), BLOCK_CACHE_WRITEBACK, false);
    struct block *block = block_open(rig->loop, &config, &rig->err);

    for (int round = 0; round < 2; round++) {
        assert_int_equal(rig_read(rig, block, 0, buf, 512), 0);
        assert_int_equal(rig_write(rig, block, 0, buf, 512), EIO);
        assert_int_equal(rig_op(rig, block, BLOCK_WRITE_ZEROES, 0, 512), EIO);
        assert_int_equal(rig_op(rig, block, BLOCK_DISCARD, 0, 512), EIO);
        assert_true(block_inactivate(block, &rig->err)); /* idempotent */
        assert_true(block_activate(block, &rig->err));
        assert_true(block_activate(block, &rig->err));
        assert_int_equal(rig_write(rig, block, 0, buf, 512), 0);
        assert_true(block_inactivate(block, &rig->err));
    }
    block_close(block);
}

static void test_sparse_stays_sparse(void **state)
{
    struct block_rig *rig = *state;
    const size_t size = 64 << 20;
    uint8_t buf[65536], zero[65536] = {0};

    for (unsigned m = 0; m < MODES; m++) {
        rig_image(rig, "sparse", size, false);
        struct block *block = rig_open(rig, rig->path, all_modes[m], false);
        if (!block)
            continue;
        assert_int_equal(block_bytes(block), size);
        uint64_t empty = rig_allocated(rig->path);
        memset(buf, 0xaa, sizeof(buf));
        assert_int_equal(rig_read(rig, block, 1 << 20, buf, sizeof(buf)), 0);
        assert_memory_equal(buf, zero, sizeof(buf));
        assert_int_equal(rig_op(rig, block, BLOCK_WRITE_ZEROES, 0, 32 << 20), 0);
        assert_int_equal(rig_op(rig, block, BLOCK_DISCARD, 0, 32 << 20), 0);
        assert_true(rig_allocated(rig->path) <= empty + 65536);

        memset(buf, 0xaa, sizeof(buf));
        assert_int_equal(rig_write(rig, block, 8 << 20, buf, sizeof(buf)), 0);
        assert_int_equal(rig_op(rig, block, BLOCK_FLUSH, 0, 0), 0);
        uint64_t one = rig_allocated(rig->path);
        assert_true(all_modes[m] == BLOCK_CACHE_UNSAFE || one >= empty + 65536);
        assert_true(one < 1 << 20);

        assert_int_equal(rig_op(rig, block, BLOCK_WRITE_ZEROES, 8 << 20, 65536), 0);
        assert_int_equal(rig_read(rig, block, 8 << 20, buf, sizeof(buf)), 0);
        assert_memory_equal(buf, zero, sizeof(buf));
        assert_true(rig_allocated(rig->path) <= empty + 4096);
        assert_int_equal(block_stats(block)->unmap_operations, 1);
        block_close(block);
    }
}

/* A file that had all its space keeps it when it is zeroed, and gives it back when discarded. */
static void test_full_file_keeps_its_space(void **state)
{
    struct block_rig *rig = *state;
    uint8_t buf[65536], want[65536] = {0};
    struct block *block =
        rig_open(rig, rig_image(rig, "full", 4 << 20, true), BLOCK_CACHE_WRITEBACK, false);
    uint64_t before = rig_allocated(rig->path);
    assert_true(before >= 4 << 20);
    assert_int_equal(rig_op(rig, block, BLOCK_WRITE_ZEROES, 1 << 20, 1 << 20), 0);
    assert_int_equal(rig_read(rig, block, 1 << 20, buf, sizeof(buf)), 0);
    assert_memory_equal(buf, want, sizeof(buf));
    rig_fill(want, 2 << 20, sizeof(want));
    assert_int_equal(rig_read(rig, block, 2 << 20, buf, sizeof(buf)), 0);
    assert_memory_equal(buf, want, sizeof(buf));
    uint64_t zeroed = rig_allocated(rig->path);
    assert_int_equal(rig_op(rig, block, BLOCK_DISCARD, 1 << 20, 1 << 20), 0);
    uint64_t discarded = rig_allocated(rig->path);
    block_close(block);
    if (zeroed < before || discarded == zeroed) {
        print_message("skip: no ZERO_RANGE or holes on this file system\n");
        skip();
    }
    assert_true(discarded <= before - (1 << 20));
}

/* Zeroes are written where nothing better can be had, aligned or not. */
static void test_zeroes_written(void **state)
{
    struct block_rig *rig = *state;
    static const struct {
        uint64_t offset;
        size_t bytes;
    } pieces[] = {
        {0, 512}, {512, 4096}, {4096, 200 * 1024}, {65536 - 512, 1024}, {1 << 20, 3 << 20}};
    uint8_t *model = malloc(4 << 20), *buf = malloc(4 << 20);

    for (unsigned m = 0; m < MODES; m++) {
        for (unsigned p = 0; p < sizeof(pieces) / sizeof(pieces[0]); p++) {
            rig_image(rig, "zeroes", 4 << 20, true);
            rig_fill(model, 0, 4 << 20);
            struct block *block = rig_open(rig, rig->path, all_modes[m], false);
            if (!block)
                continue;
            struct raw *raw = block->image;
            raw->has &= ~(unsigned)RAW_HAS_ZERO;
            if (raw->direct)
                raw->file.align = 4096;
            assert_int_equal(
                rig_op(rig, block, BLOCK_WRITE_ZEROES, pieces[p].offset, pieces[p].bytes), 0);
            memset(model + pieces[p].offset, 0, pieces[p].bytes);
            block_close(block);
            rig_file_read(rig->path, 0, buf, 4 << 20);
            assert_memory_equal(buf, model, 4 << 20);
        }
    }
    free(model);
    free(buf);
}

/* The image got shorter: EIO beyond its end, no stale or invented data. */
static void test_truncated_image(void **state)
{
    struct block_rig *rig = *state;
    uint8_t *buf = calloc(1, 1 << 20);

    for (unsigned m = 0; m < MODES; m++) {
        rig_image(rig, "cut", 1 << 20, true);
        struct block *block = rig_open(rig, rig->path, all_modes[m], false);
        if (!block)
            continue;
        assert_int_equal(truncate(rig->path, 300 * 1024 + 512), 0);
        assert_int_equal(rig_read(rig, block, 300 * 1024, buf, 512), 0);
        assert_int_equal(rig_read(rig, block, 512 * 1024, buf, 4096), EIO);
        assert_int_equal(rig_read(rig, block, 300 * 1024, buf, 4096), EIO);
        assert_int_equal(rig_read(rig, block, 0, buf, 1 << 20), EIO);
        assert_int_equal(block_stats(block)->failed_rd_operations, 3);
        block_close(block);
    }
    free(buf);
}

/* What is in the file is what is read, also after somebody rewrote it: nothing is cached here. */
static void test_rewritten_behind_our_back(void **state)
{
    struct block_rig *rig = *state;
    uint8_t buf[4096], want[4096];
    struct block *block =
        rig_open(rig, rig_image(rig, "cd.iso", 65536, false), BLOCK_CACHE_WRITEBACK, true);
    assert_int_equal(rig_read(rig, block, 4096, buf, 4096), 0);
    rig_image(rig, "cd.iso", 65536, true);
    assert_int_equal(rig_read(rig, block, 4096, buf, 4096), 0);
    rig_fill(want, 4096, 4096);
    assert_memory_equal(buf, want, 4096);
    block_close(block);
}

static void test_write_cache_and_stats(void **state)
{
    struct block_rig *rig = *state;
    static const bool caches[] = {true, false, true, false, true};
    uint8_t buf[4096];

    rig_image(rig, "stats", 65536, true);
    for (unsigned m = 0; m < MODES; m++) {
        struct block *block = rig_open(rig, rig->path, all_modes[m], false);
        if (!block)
            continue;
        assert_int_equal(block_write_cache(block), caches[m]);
        const struct block_stats *s = block_stats(block);
        assert_int_equal(s->rd_operations + s->wr_operations + s->flush_operations, 0);
        assert_int_equal(rig_read(rig, block, 0, buf, 4096), 0);
        assert_int_equal(rig_read(rig, block, 4096, buf, 512), 0);
        assert_int_equal(rig_write(rig, block, 0, buf, 1024), 0);
        assert_int_equal(rig_op(rig, block, BLOCK_FLUSH, 0, 0), 0);
        assert_int_equal(rig_read(rig, block, 65536, buf, 512), EINVAL);
        assert_int_equal(s->rd_operations, 2);
        assert_int_equal(s->rd_bytes, 4608);
        assert_int_equal(s->failed_rd_operations, 1);
        assert_int_equal(s->wr_operations, 1);
        assert_int_equal(s->wr_bytes, 1024);
        assert_int_equal(s->flush_operations, 1);
        assert_true(s->rd_total_time_ns > 0 && s->wr_total_time_ns > 0);
        block_close(block);
    }
}

/* Where a write goes: to a worker until so many were quick; then whole pages stay on this thread.
 */
static void test_who_writes(void **state)
{
    struct block_rig *rig = *state;
    static const struct {
        uint64_t offset;
        size_t bytes;
        bool quick, local, sync, worker;
    } cases[] = {{8192, 4096, true, true, false, false},
                 {0, RAW_WRITE_INLINE_MAX, true, true, false, false},
                 {8192, 4096, false, true, false, true},
                 {8192, 4096, true, false, false, true},
                 {8192, 4096, true, true, true, true},
                 {512, 4096, true, true, false, true},
                 {4096, 512, true, true, false, true},
                 {0, RAW_WRITE_INLINE_MAX + 4096, true, true, false, true}};
    static uint8_t buf[RAW_WRITE_INLINE_MAX + 4096], want[sizeof(buf)];

    struct block *block = rig_open_or_skip(rig, rig_image(rig, "writers", 1 << 20, true),
                                           BLOCK_CACHE_WRITEBACK, false);
    struct raw *raw = block->image;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        raw->has = (raw->has & ~(unsigned)(RAW_HAS_NOWAIT_WRITE | RAW_HAS_LOCAL)) |
                   (cases[i].local ? RAW_HAS_LOCAL : 0); /* a file system without RWF_NOWAIT */
        raw->quick_need = RAW_QUICK_MIN;
        raw->quick = cases[i].quick ? RAW_QUICK_MIN : RAW_QUICK_MIN - 1;
        raw->sync = cases[i].sync;
        memset(want, (int)i + 1, cases[i].bytes);
        struct iovec iov = {.iov_base = want, .iov_len = cases[i].bytes};
        struct rig_request q = {.r = {.op = BLOCK_WRITE,
                                      .offset = cases[i].offset,
                                      .bytes = cases[i].bytes,
                                      .iov = &iov,
                                      .iovcnt = 1}};
        rig_submit(block, &q);
        assert_int_equal(raw->port.outstanding, cases[i].worker);
        assert_int_equal(rig_wait(rig, &q), 0);
        rig_file_read(rig->path, cases[i].offset, buf, cases[i].bytes);
        assert_memory_equal(buf, want, cases[i].bytes);
    }
    block_close(block);
}

/* close() with everything still under way: all done() calls run first. */
static void test_close_in_flight(void **state)
{
    struct block_rig *rig = *state;
    uint8_t buf[8][4096] = {{1}};
    struct iovec iov[8];
    struct rig_request q[8], flush;

    for (unsigned m = 0; m < MODES; m++) {
        rig_image(rig, "close", 65536, false);
        struct block *block = rig_open(rig, rig->path, all_modes[m], false);
        if (!block)
            continue;
        for (unsigned i = 0; i < 8; i++) {
            iov[i] = (struct iovec){.iov_base = buf[i], .iov_len = 4096};
            q[i] = (struct rig_request){.r = {.op = BLOCK_WRITE,
                                              .offset = i * 4096,
                                              .bytes = 4096,
                                              .iov = &iov[i],
                                              .iovcnt = 1}};
            rig_submit(block, &q[i]);
        }
        flush = (struct rig_request){.r = {.op = BLOCK_FLUSH}};
        rig_submit(block, &flush);
        block_close(block);
        for (unsigned i = 0; i < 8; i++)
            assert_true(q[i].done && q[i].error == 0);
        assert_true(flush.done && flush.error == 0);
        loop_turn(rig->loop, 0); /* nothing of it is left in the loop */
    }
    block_close(NULL);
}

/* done() submits the next request: as a disk does that works through a long command. */
struct chain {
    struct block_request r;
    struct block *block;
    unsigned left;
    bool inside;
};

static void next_in_chain(struct block_request *r, int error)
{
    struct chain *c = (struct chain *)r;
    assert_int_equal(error, 0);
    assert_false(c->inside);
    if (--c->left == 0)
        return;
    r->offset = (r->offset + 4096) % 65536;
    r->op = r->op == BLOCK_READ ? BLOCK_WRITE : BLOCK_READ;
    c->inside = true;
    block_submit(c->block, r);
    c->inside = false;
}

static void test_chains(void **state)
{
    struct block_rig *rig = *state;
    uint8_t buf[4096];
    struct iovec iov = {.iov_base = buf, .iov_len = sizeof(buf)};

    rig_image(rig, "chain", 65536, true);
    for (unsigned m = 0; m < MODES; m++) {
        struct block *block = rig_open(rig, rig->path, all_modes[m], false);
        if (!block)
            continue;
        struct chain c = {
            .r = {.op = BLOCK_READ, .bytes = 4096, .iov = &iov, .iovcnt = 1, .done = next_in_chain},
            .block = block,
            .left = 40};
        c.inside = true;
        block_submit(block, &c.r);
        c.inside = false;
        while (c.left > 20)
            loop_turn(rig->loop, 10 * NS_PER_S);
        block_drain(block);
        assert_int_equal(c.left, 0);
        block_close(block);
    }
}

/* Pages of the file that the page cache has still to write; -1 if that can't be seen. */
static int dirty_pages(const char *path, size_t bytes)
{
    int fd = open(path, O_RDONLY), flags = open("/proc/kpageflags", O_RDONLY);
    int map = open("/proc/self/pagemap", O_RDONLY), n = 0;
    const volatile uint8_t *memory = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);

    assert_true(memory != MAP_FAILED);
    for (size_t i = 0; i < bytes && n >= 0; i += 4096) {
        uint64_t entry = 0, flag = 0;
        (void)memory[i];
        off_t page = (off_t)((uintptr_t)memory + i) / 4096;
        if (pread(map, &entry, 8, page * 8) != 8 || !(entry << 9) ||
            pread(flags, &flag, 8, (off_t)((entry & ((UINT64_C(1) << 55) - 1)) * 8)) != 8)
            n = -1;
        else
            n += flag >> 4 & 1; /* KPF_DIRTY: Documentation/admin-guide/mm/pagemap.rst */
    }
    munmap((void *)(uintptr_t)memory, bytes);
    close(fd);
    close(flags);
    close(map);
    return n;
}

/* What each mode promises about the medium, seen in the kernel's page flags. */
static void test_what_reaches_the_medium(void **state)
{
    struct block_rig *rig = *state;
    static const struct {
        bool after_write, after_flush; /* may data be in memory only? */
    } want[MODES] = {{true, false}, {false, false}, {false, false}, {false, false}, {true, true}};
    uint8_t buf[65536];

    memset(buf, 0x77, sizeof(buf));
    if (dirty_pages(rig_image(rig, "medium", sizeof(buf), true), sizeof(buf))) {
        print_message("skip: needs a disk's file system and the right to read /proc/kpageflags\n");
        skip();
    }
    for (unsigned m = 0; m < MODES; m++) {
        rig_image(rig, "medium", sizeof(buf), true);
        assert_int_equal(dirty_pages(rig->path, sizeof(buf)), 0);
        struct block *block = rig_open(rig, rig->path, all_modes[m], false);
        if (!block)
            continue;
        assert_int_equal(rig_write(rig, block, 0, buf, sizeof(buf)), 0);
        assert_int_equal(dirty_pages(rig->path, sizeof(buf)) > 0, want[m].after_write);
        assert_int_equal(rig_op(rig, block, BLOCK_FLUSH, 0, 0), 0);
        assert_int_equal(dirty_pages(rig->path, sizeof(buf)) > 0, want[m].after_flush);
        assert_int_equal(rig_write(rig, block, 4096, buf, 4096), 0);
        assert_true(block_inactivate(block, &rig->err));
        assert_int_equal(dirty_pages(rig->path, sizeof(buf)) > 0, want[m].after_flush);
        block_close(block);
    }
}

/* Slow jobs elsewhere (another disk's, say) do not hold up this disk for long. */
static void wait_at_gate(struct worker_job *work)
{
    struct raw_job *job = (struct raw_job *)work; /* any room for a number will do */
    char c;
    job->result = read((int)job->length, &c, 1);
}

static void test_slow_neighbours(void **state)
{
    struct block_rig *rig = *state;
    struct raw_job slow[WORKERS_MAX - 1] = {0};
    struct worker_port port;
    uint8_t buf[4096] = {3};
    int gate[2];

    assert_int_equal(pipe(gate), 0);
    worker_port_init(&port, -1); /* nobody listens */
    for (unsigned i = 0; i < WORKERS_MAX - 1; i++) {
        slow[i].work.run = wait_at_gate;
        slow[i].length = (size_t)gate[0];
        workers_submit(&port, &slow[i].work);
    }
    struct block *block =
        rig_open(rig, rig_image(rig, "busy", 65536, false), BLOCK_CACHE_WRITETHROUGH, false);
    assert_int_equal(rig_write(rig, block, 4096, buf, 4096), 0);
    block_close(block);
    assert_int_equal(write(gate[1], "xxx", 3), 3);
    while (port.outstanding)
        workers_take(&port, true);
    worker_port_destroy(&port);
    close(gate[0]);
    close(gate[1]);
}

/* A real block device, with sectors of 512 and 4096 bytes. */
static void device(struct block_rig *rig, unsigned sector)
{
    char command[1200], node[64] = "";
    const size_t size = 8 << 20;
    uint8_t buf[16384], want[16384];

    rig_image(rig, "lo.img", size, true);
    snprintf(command, sizeof(command), "losetup -f --show -b %u '%s' 2>/dev/null", sector,
             rig->path);
    FILE *p = popen(command, "r");
    if (!p || !fgets(node, sizeof(node), p) || pclose(p) != 0) {
        print_message("skip: needs the right to set up a loop device\n");
        skip();
    }
    node[strcspn(node, "\n")] = 0;
    for (unsigned m = 0; m < MODES; m++) {
        struct block *block = rig_open(rig, node, all_modes[m], false);
        if (!block)
            fail_msg("%s", rig->err.text);
        assert_int_equal(block_bytes(block), size);
        if (cache_is_direct(all_modes[m]))
            assert_int_equal(((struct raw *)block->image)->file.align, sector);
        for (unsigned i = 0; i < sizeof(buf); i++)
            buf[i] = (uint8_t)(i * 3 + m);
        assert_int_equal(rig_write(rig, block, 65536 + 512, buf, sizeof(buf)), 0);
        assert_int_equal(rig_read(rig, block, 65536 + 512, want, sizeof(want)), 0);
        assert_memory_equal(buf, want, sizeof(buf));
        assert_int_equal(rig_op(rig, block, BLOCK_WRITE_ZEROES, 65536 + 1024, 1024), 0);
        memset(buf + 512, 0, 1024);
        assert_int_equal(rig_read(rig, block, 65536 + 512, want, sizeof(want)), 0);
        assert_memory_equal(buf, want, sizeof(buf));
        assert_int_equal(rig_op(rig, block, BLOCK_WRITE_ZEROES, 1 << 20, 1 << 20), 0);
        assert_int_equal(rig_op(rig, block, BLOCK_DISCARD, (2 << 20) + 512, 1 << 20), 0);
        assert_int_equal(rig_op(rig, block, BLOCK_FLUSH, 0, 0), 0);
        assert_int_equal(rig_read(rig, block, size - 512, want, 512), 0);
        rig_fill(buf, size - 512, 512);
        assert_memory_equal(buf, want, 512);
        assert_int_equal(rig_read(rig, block, size, want, 512), EINVAL);
        block_close(block);
    }
    snprintf(command, sizeof(command), "losetup -d %s", node);
    assert_int_equal(system(command), 0);
}

static void test_device_512(void **state)
{
    device(*state, 512);
}
static void test_device_4096(void **state)
{
    device(*state, 4096);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file_size_limit),
        cmocka_unit_test(test_sizes_writeback),
        cmocka_unit_test(test_sizes_writethrough),
        cmocka_unit_test(test_sizes_none),
        cmocka_unit_test(test_sizes_none_4k),
        cmocka_unit_test(test_sizes_directsync),
        cmocka_unit_test(test_sizes_directsync_4k),
        cmocka_unit_test(test_sizes_unsafe),
        cmocka_unit_test(test_scatter_writeback),
        cmocka_unit_test(test_scatter_writethrough),
        cmocka_unit_test(test_scatter_none),
        cmocka_unit_test(test_many_writeback),
        cmocka_unit_test(test_many_none),
        cmocka_unit_test(test_many_none_4k),
        cmocka_unit_test(test_range_checks),
        cmocka_unit_test(test_read_only),
        cmocka_unit_test(test_inactive_is_not_changed),
        cmocka_unit_test(test_sparse_stays_sparse),
        cmocka_unit_test(test_full_file_keeps_its_space),
        cmocka_unit_test(test_zeroes_written),
        cmocka_unit_test(test_truncated_image),
        cmocka_unit_test(test_rewritten_behind_our_back),
        cmocka_unit_test(test_write_cache_and_stats),
        cmocka_unit_test(test_who_writes),
        cmocka_unit_test(test_close_in_flight),
        cmocka_unit_test(test_chains),
        cmocka_unit_test(test_what_reaches_the_medium),
        cmocka_unit_test(test_slow_neighbours),
        cmocka_unit_test(test_device_512),
        cmocka_unit_test(test_device_4096),
        /* last: this leaves a mount name space of our own */
        cmocka_unit_test(test_full_file_system),
    };
    return cmocka_run_group_tests(tests, block_rig_setup, block_rig_teardown);
}
