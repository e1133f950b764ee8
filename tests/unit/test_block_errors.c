/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_block_errors: rerror= and werror= as qemu(1) defines them, what is kept while the guest is
 * paused, zero detection, resizing: all that block.c does with a driver's answers. */
#include "tests/unit/block_driver.h"

#include <sys/resource.h>

struct told {
    unsigned count;
    struct block_failure last;
};

static void failed(void *opaque, const struct block_failure *failure)
{
    struct told *told = opaque;
    told->count++;
    told->last = *failure;
}

static struct block *open_policy(struct block_rig *rig, struct fake *f, struct told *told,
                                 enum block_on_error rerror, enum block_on_error werror)
{
    struct block_config config = rig_config("fake.img", BLOCK_CACHE_NONE, false);
    *told = (struct told){0};
    config.rerror = rerror;
    config.werror = werror;
    config.failed = failed;
    config.opaque = told;
    return open_fake_as(rig, f, &config);
}

static uint8_t memory[4096];
static struct iovec iov = {memory, 512};

static struct rig_request request(enum block_op op, uint64_t offset)
{
    struct rig_request q = {
        .r = {.op = op, .offset = offset, .bytes = op == BLOCK_FLUSH ? 0 : 512}};
    if (op == BLOCK_READ || op == BLOCK_WRITE) {
        q.r.iov = &iov;
        q.r.iovcnt = 1;
    }
    return q;
}

/* Each policy with each error: what the guest and the toolstack hear. */
static void test_policies(void **state)
{
    struct block_rig *rig = *state;
    static const struct {
        enum block_on_error on;
        int error, reported; /* -1: kept */
        enum block_action action;
        enum block_io_status status;
    } rows[] = {
        {BLOCK_ON_ERROR_REPORT, EIO, EIO, BLOCK_ACTION_REPORT, BLOCK_IO_OK},
        {BLOCK_ON_ERROR_REPORT, ENOSPC, ENOSPC, BLOCK_ACTION_REPORT, BLOCK_IO_OK},
        {BLOCK_ON_ERROR_IGNORE, EIO, 0, BLOCK_ACTION_IGNORE, BLOCK_IO_OK},
        {BLOCK_ON_ERROR_ENOSPC, EIO, EIO, BLOCK_ACTION_REPORT, BLOCK_IO_OK},
        {BLOCK_ON_ERROR_ENOSPC, EFBIG, EFBIG, BLOCK_ACTION_REPORT, BLOCK_IO_OK},
        {BLOCK_ON_ERROR_ENOSPC, ENOSPC, -1, BLOCK_ACTION_STOP, BLOCK_IO_NOSPACE},
        {BLOCK_ON_ERROR_ENOSPC, EDQUOT, -1, BLOCK_ACTION_STOP, BLOCK_IO_NOSPACE},
        {BLOCK_ON_ERROR_STOP, EIO, -1, BLOCK_ACTION_STOP, BLOCK_IO_FAILED},
        {BLOCK_ON_ERROR_STOP, ENOSPC, -1, BLOCK_ACTION_STOP, BLOCK_IO_NOSPACE},
        {BLOCK_ON_ERROR_STOP, ENXIO, -1, BLOCK_ACTION_STOP, BLOCK_IO_FAILED},
    };
    static const enum block_op ops[] = {BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH, BLOCK_DISCARD,
                                        BLOCK_WRITE_ZEROES};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (size_t o = 0; o < sizeof(ops) / sizeof(ops[0]); o++) {
            struct fake f;
            struct told told;
            bool read = ops[o] == BLOCK_READ;
            struct block *b = open_policy(rig, &f, &told, read ? rows[i].on : BLOCK_ON_ERROR_REPORT,
                                          read ? BLOCK_ON_ERROR_REPORT : rows[i].on);
            struct rig_request q = request(ops[o], 0);
            rig_submit(b, &q);
            fake_end(&f, rows[i].error);
            assert_int_equal(told.count, 1);
            assert_int_equal(told.last.op, ops[o]);
            assert_int_equal(told.last.error, rows[i].error);
            assert_int_equal(told.last.action, rows[i].action);
            assert_int_equal(block_io_status(b), rows[i].status);
            assert_int_equal(block_has_failed(b), rows[i].reported < 0);
            assert_int_equal(q.done, rows[i].reported >= 0);
            if (q.done)
                assert_int_equal(q.error, rows[i].reported);
            else { /* and comes again, until it works */
                block_retry(b);
                assert_false(block_has_failed(b));
                assert_int_equal(block_io_status(b), BLOCK_IO_OK);
                assert_int_equal(f.count, 1);
                fake_end(&f, rows[i].error);
                assert_false(q.done);
                block_retry(b);
                fake_end(&f, 0);
                assert_true(q.done);
                assert_int_equal(q.error, 0);
            }
            f.later = true;
            block_close(b);
        }
}

/* What the frame itself refuses is the guest's own doing: no policy stops it for that. */
static void test_guests_mistakes_do_not_stop(void **state)
{
    struct block_rig *rig = *state;
    struct fake f;
    struct told told;
    struct block *b = open_policy(rig, &f, &told, BLOCK_ON_ERROR_STOP, BLOCK_ON_ERROR_STOP);
    assert_int_equal(rig_op(rig, b, BLOCK_DISCARD, 1 << 20, 512), EINVAL);
    f.later = true;
    assert_true(block_inactivate(b, &rig->err));
    assert_int_equal(rig_write(rig, b, 0, memory, 512), EIO);
    assert_int_equal(told.count, 0);
    block_close(b);
}

/* A guest may have any number of errors; QMP hears of those that don't stop it once a second. */
static void test_flood_of_errors(void **state)
{
    struct block_rig *rig = *state;
    struct fake f;
    struct told told;
    struct block *b = open_policy(rig, &f, &told, BLOCK_ON_ERROR_REPORT, BLOCK_ON_ERROR_STOP);
    uint64_t start = clock_now(loop_clock(rig->loop));
    f.later = true;
    f.error = EIO;
    for (int i = 0; i < 1000; i++)
        assert_int_equal(rig_read(rig, b, 0, memory, 512), EIO);
    uint64_t seconds = (clock_now(loop_clock(rig->loop)) - start) / NS_PER_S;
    assert_true(told.count >= 1 && told.count <= 1 + seconds);
    /* One that stops is never swallowed. */
    struct rig_request q = request(BLOCK_WRITE, 0);
    unsigned before = told.count;
    rig_submit(b, &q);
    assert_int_equal(told.count, before + 1);
    f.error = 0;
    block_retry(b);
    assert_int_equal(rig_wait(rig, &q), 0);
    block_close(b);
}

/* Several, in their order; drain leaves them only while told to; cancel takes one back. */
static void test_kept_requests(void **state)
{
    struct block_rig *rig = *state;
    struct fake f;
    struct told told;
    struct block *b = open_policy(rig, &f, &told, BLOCK_ON_ERROR_STOP, BLOCK_ON_ERROR_STOP);
    struct rig_request q[4];
    for (int i = 0; i < 4; i++) {
        q[i] = request(BLOCK_WRITE, (uint64_t)i * 512);
        rig_submit(b, &q[i]);
    }
    for (int i = 0; i < 4; i++)
        fake_end(&f, EIO);
    block_keep_failed(b, true);
    block_drain(b);
    block_keep_failed(b, false);
    assert_true(block_has_failed(b));
    for (int i = 0; i < 4; i++)
        assert_false(q[i].done);

    block_cancel(b, &q[1].r);
    assert_int_equal(rig_wait(rig, &q[1]), ECANCELED);
    block_cancel(b, &q[3].r);
    assert_int_equal(rig_wait(rig, &q[3]), ECANCELED);

    block_retry(b);
    assert_int_equal(f.count, 2);
    assert_ptr_equal(f.held[0], &q[0].r);
    assert_ptr_equal(f.held[1], &q[2].r);
    block_cancel(b, &q[0].r); /* at work already: goes its way */
    fake_end(&f, 0);
    assert_int_equal(q[0].error, 0);

    /* Whoever needs the disk empty gets the error out. */
    fake_end(&f, ENOSPC);
    assert_false(q[2].done);
    block_drain(b);
    assert_true(q[2].done);
    assert_int_equal(q[2].error, ENOSPC);
    assert_int_equal(b->in_flight, 0);
    f.later = true;
    block_close(b);
}

/* Stopped for another reason while a failed request is kept: the images are handed over and come
 * back, the request is still there. */
static void test_kept_over_inactivate(void **state)
{
    struct block_rig *rig = *state;
    struct fake f;
    struct told told;
    struct block *b = open_policy(rig, &f, &told, BLOCK_ON_ERROR_STOP, BLOCK_ON_ERROR_STOP);
    struct rig_request q = request(BLOCK_WRITE, 512);
    rig_submit(b, &q);
    fake_end(&f, EIO);
    f.later = true;
    assert_true(block_inactivate(b, &rig->err));
    assert_int_equal(f.locks, 0);
    assert_false(q.done);
    assert_true(block_activate(b, &rig->err));
    block_retry(b);
    assert_int_equal(rig_wait(rig, &q), 0);
    assert_int_equal(f.submitted[BLOCK_WRITE], 2);

    /* The flush of block_inactivate itself is never kept. */
    assert_int_equal(rig_write(rig, b, 0, memory, 512), 0);
    f.error = EIO;
    assert_false(block_inactivate(b, &rig->err));
    assert_non_null(strstr(rig->err.text, "flush failed"));
    assert_false(block_has_failed(b));
    f.error = 0;

    /* Closing ends what is kept. */
    f.later = false;
    rig_submit(b, &q);
    fake_end(&f, EIO);
    f.later = true;
    block_close(b);
    assert_true(q.done);
    assert_int_equal(q.error, EIO);
}

/* A failed fsync of the page cache can't be made good by another: the second time it is reported,
 * or the guest could never go on. */
static void test_lost_pages_are_reported(void **state)
{
    struct block_rig *rig = *state;
    struct fake f;
    struct told told;
    struct block_config config = rig_config("fake.img", BLOCK_CACHE_WRITEBACK, false);
    told = (struct told){0};
    config.werror = BLOCK_ON_ERROR_STOP;
    config.failed = failed;
    config.opaque = &told;
    struct block *b = open_fake_as(rig, &f, &config);
    struct rig_request q = request(BLOCK_FLUSH, 0);
    rig_submit(b, &q);
    fake_end(&f, EIO);
    assert_true(block_has_failed(b));
    block_retry(b);
    assert_int_equal(rig_wait(rig, &q), EIO);
    assert_int_equal(told.count, 1);
    block_close(b);
}

/* detect-zeroes: only all zeroes count, the request looks the same to who made it, also when it
 * fails and comes again. */
static void test_detect_zeroes(void **state)
{
    struct block_rig *rig = *state;
    for (enum block_detect_zeroes d = BLOCK_DETECT_ZEROES_OFF; d <= BLOCK_DETECT_ZEROES_UNMAP;
         d++) {
        struct block_config config = rig_config("fake.img", BLOCK_CACHE_NONE, false);
        struct fake f;
        struct told told = {0};
        config.detect_zeroes = d;
        config.werror = BLOCK_ON_ERROR_STOP;
        config.failed = failed;
        config.opaque = &told;
        struct block *b = open_fake_as(rig, &f, &config);
        struct rig_request q = request(BLOCK_WRITE, 0);
        memset(memory, 0, sizeof(memory));
        rig_submit(b, &q);
        enum block_op expected = d ? BLOCK_WRITE_ZEROES : BLOCK_WRITE;
        assert_int_equal(f.held[0]->op, expected);
        assert_int_equal(f.held[0]->may_unmap, d == BLOCK_DETECT_ZEROES_UNMAP);
        fake_end(&f, EIO);
        assert_int_equal(told.last.op, BLOCK_WRITE);
        assert_int_equal(q.r.op, BLOCK_WRITE);
        block_retry(b);
        assert_int_equal(f.held[0]->op, expected);
        fake_end(&f, 0);
        assert_int_equal(q.r.op, BLOCK_WRITE);
        assert_int_equal(q.error, 0);
        for (size_t at = 0; at < 512; at += 511) { /* the first and the last byte */
            memory[at] = 1;
            rig_submit(b, &q);
            assert_int_equal(f.held[0]->op, BLOCK_WRITE);
            fake_end(&f, 0);
            memory[at] = 0;
        }
        assert_int_equal(block_stats(b)->wr_operations, 3);
        f.later = true;
        block_close(b);
    }
}

static void test_ignored_discard(void **state)
{
    struct block_rig *rig = *state;
    struct block_config config = rig_config("fake.img", BLOCK_CACHE_NONE, false);
    struct fake f;
    config.ignore_discard = true;
    struct block *b = open_fake_as(rig, &f, &config);
    f.later = true;
    assert_int_equal(rig_op(rig, b, BLOCK_DISCARD, 0, 4096), 0);
    assert_int_equal(f.submitted[BLOCK_DISCARD], 0);
    assert_int_equal(rig_op(rig, b, BLOCK_DISCARD, 1 << 20, 4096), EINVAL);
    block_close(b);
}

/* ---- sizes ---- */

struct watcher {
    struct block_watch watch;
    struct block *block;
    unsigned calls;
    uint64_t bytes;
    bool leaves;
};

static void resized(void *opaque)
{
    struct watcher *w = opaque;
    w->calls++;
    w->bytes = block_bytes(w->block);
    if (w->leaves)
        block_unwatch(w->block, &w->watch);
}

static void test_watchers(void **state)
{
    struct block_rig *rig = *state;
    struct fake f;
    struct block *b = open_fake(rig, &f, BLOCK_CACHE_NONE);
    struct watcher w[3];
    for (int i = 0; i < 3; i++) {
        w[i] = (struct watcher){.watch = {resized, &w[i], NULL}, .block = b, .leaves = i == 1};
        block_watch(b, &w[i].watch);
    }
    struct rig_request q = request(BLOCK_WRITE, 0);
    rig_submit(b, &q);
    assert_true(block_resize(b, 2 << 20, &rig->err)); /* waits for what is under way */
    assert_true(q.done);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(w[i].calls, 1);
        assert_int_equal(w[i].bytes, 2 << 20);
    }
    assert_true(block_resize(b, 2 << 20, &rig->err)); /* nothing new to tell */
    assert_true(block_resize(b, 3 << 20, &rig->err));
    assert_int_equal(w[0].calls, 2);
    assert_int_equal(w[1].calls, 1);
    assert_int_equal(w[2].calls, 2);
    block_unwatch(b, &w[1].watch); /* already gone */
    block_unwatch(b, &w[0].watch);
    block_unwatch(b, &w[2].watch);

    assert_false(block_resize(b, 0, &rig->err));
    assert_false(block_resize(b, 1000, &rig->err));
    assert_non_null(strstr(rig->err.text, "multiple of 512"));
    f.refuse = true;
    assert_false(block_resize(b, 4 << 20, &rig->err));
    assert_int_equal(block_bytes(b), 3 << 20);
    f.refuse = false;
    f.later = true;
    assert_true(block_inactivate(b, &rig->err));
    assert_false(block_resize(b, 4 << 20, &rig->err));
    assert_non_null(strstr(rig->err.text, "stopped"));
    block_close(b);
}

/* A real file: longer, and readable there; never shorter; up to what somebody else made it. */
static void test_resize_file(void **state)
{
    struct block_rig *rig = *state;
    uint8_t buf[512], zeroes[512] = {0};
    const char *path = rig_image(rig, "img", 65536, true);
    struct block *b = rig_open(rig, path, BLOCK_CACHE_WRITEBACK, false);
    assert_non_null(b);
    assert_true(block_resize(b, 1 << 20, &rig->err));
    assert_int_equal(block_bytes(b), 1 << 20);
    assert_int_equal(rig_read(rig, b, (1 << 20) - 512, buf, 512), 0);
    assert_memory_equal(buf, zeroes, 512);
    assert_int_equal(rig_read(rig, b, 1024, buf, 512), 0);
    assert_int_equal(buf[0], rig_byte(1024));
    assert_false(block_resize(b, 65536, &rig->err));
    assert_non_null(strstr(rig->err.text, "qemu-img resize --shrink"));
    assert_int_equal(block_bytes(b), 1 << 20);

    assert_int_equal(truncate(path, 4 << 20), 0);
    assert_true(block_resize(b, 2 << 20, &rig->err));
    assert_int_equal(block_bytes(b), 2 << 20);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 4 << 20);

    struct rlimit old, limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    limit = old;
    limit.rlim_cur = 5 << 20;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_false(block_resize(b, 8 << 20, &rig->err));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(block_bytes(b), 2 << 20);
    block_close(b);

    b = rig_open(rig, path, BLOCK_CACHE_WRITEBACK, true);
    assert_false(block_resize(b, 8 << 20, &rig->err));
    assert_non_null(strstr(rig->err.text, "read-only"));
    block_close(b);
}

/* The image is cut short, or its file goes, while the guest runs: errors, and nothing worse. */
static void test_vanishing_file(void **state)
{
    struct block_rig *rig = *state;
    uint8_t buf[8192];
    static const enum block_cache caches[] = {BLOCK_CACHE_WRITEBACK, BLOCK_CACHE_WRITETHROUGH};
    for (size_t i = 0; i < 2; i++) {
        const char *path = rig_image(rig, "img", 65536, true);
        struct block *b = rig_open(rig, path, caches[i], false);
        assert_int_equal(truncate(path, 8192 + 300), 0);
        assert_int_equal(rig_read(rig, b, 4096, buf, 4096), 0);
        assert_int_equal(rig_read(rig, b, 8192, buf, 512), EIO);
        assert_int_equal(rig_read(rig, b, 4096, buf, 8192), EIO);
        assert_int_equal(rig_read(rig, b, 65536 - 512, buf, 512), EIO);
        assert_int_equal(rig_op(rig, b, BLOCK_DISCARD, 32768, 4096), 0);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(rig_write(rig, b, 32768, memory, 512), 0);
        assert_int_equal(rig_op(rig, b, BLOCK_FLUSH, 0, 0), 0);
        block_close(b);
    }
}

/* WRITE_ZEROES by detection: a sparse file gets holes; a full one keeps its space, unless
 * detect-zeroes=unmap. */
static void test_zeroes_and_holes(void **state)
{
    struct block_rig *rig = *state;
    size_t len = 1 << 20;
    uint8_t *buf = malloc(len);
    for (int unmap = 0; unmap < 2; unmap++) {
        const char *path = rig_image(rig, "full", len, true);
        struct block_config config = rig_config(path, BLOCK_CACHE_WRITEBACK, false);
        config.detect_zeroes = unmap ? BLOCK_DETECT_ZEROES_UNMAP : BLOCK_DETECT_ZEROES_ON;
        uint64_t full = rig_allocated(path);
        struct block *b = block_open(rig->loop, &config, &rig->err);
        assert_non_null(b);
        assert_true(block_activate(b, &rig->err));
        memset(buf, 0, len);
        assert_int_equal(rig_write(rig, b, 0, buf, len), 0);
        assert_int_equal(rig_op(rig, b, BLOCK_FLUSH, 0, 0), 0);
        if (unmap)
            assert_true(rig_allocated(path) < full / 2);
        else
            assert_true(rig_allocated(path) >= full);
        memset(buf, 1, len);
        assert_int_equal(rig_read(rig, b, 0, buf, len), 0);
        for (size_t i = 0; i < len; i++)
            assert_int_equal(buf[i], 0);
        block_close(b);
    }
    free(buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policies),
        cmocka_unit_test(test_guests_mistakes_do_not_stop),
        cmocka_unit_test(test_flood_of_errors),
        cmocka_unit_test(test_kept_requests),
        cmocka_unit_test(test_kept_over_inactivate),
        cmocka_unit_test(test_lost_pages_are_reported),
        cmocka_unit_test(test_detect_zeroes),
        cmocka_unit_test(test_ignored_discard),
        cmocka_unit_test(test_watchers),
        cmocka_unit_test(test_resize_file),
        cmocka_unit_test(test_vanishing_file),
        cmocka_unit_test(test_zeroes_and_holes),
    };
    return cmocka_run_group_tests(tests, block_rig_setup, block_rig_teardown);
}
