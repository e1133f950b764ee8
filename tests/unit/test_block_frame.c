/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_block_frame: what block.c does around any driver, with one that the test scripts: errors,
 * flush generations, completion order, draining. And the scatter-list helper. */
#include "tests/unit/block_driver.h"

#include "block/iov.h"

/* Runs `call` with stderr in a file; how many lines came, the last in `line`. */
static unsigned stderr_lines(struct block_rig *rig, void (*call)(void *), void *opaque, char *line,
                             size_t len)
{
    char path[512], buf[1024];
    unsigned lines = 0;
    snprintf(path, sizeof(path), "%s/stderr", rig->dir);
    int saved = dup(2), fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    fflush(stderr);
    dup2(fd, 2);
    call(opaque);
    fflush(stderr);
    dup2(saved, 2);
    close(saved);
    close(fd);
    FILE *f = fopen(path, "r");
    while (fgets(buf, sizeof(buf), f)) {
        lines++;
        snprintf(line, len, "%.*s", (int)len - 1, buf);
    }
    fclose(f);
    return lines;
}

struct failing {
    struct block_rig *rig;
    struct block *block;
};

static void fail_often(void *opaque)
{
    struct failing *f = opaque;
    uint8_t buf[512];
    for (int i = 0; i < 20; i++)
        assert_int_equal(rig_read(f->rig, f->block, 1024, buf, 512), EIO);
}

/* A guest that reads a bad sector for ever gets its errors, the log one line (XSA-180). */
static void test_errors_are_logged_once(void **state)
{
    struct block_rig *rig = *state;
    struct fake f;
    char line[1024];
    struct failing failing = {rig, open_fake(rig, &f, BLOCK_CACHE_WRITEBACK)};

    f.later = true;
    f.error = EIO;
    assert_int_equal(stderr_lines(rig, fail_often, &failing, line, sizeof(line)), 1);
    assert_non_null(strstr(line, "fake.img"));
    assert_non_null(strstr(line, "1024"));
    assert_int_equal(stderr_lines(rig, fail_often, &failing, line, sizeof(line)), 0);
    assert_int_equal(block_stats(failing.block)->failed_rd_operations, 40);
    assert_int_equal(block_stats(failing.block)->rd_operations, 0);
    assert_int_equal(block_stats(failing.block)->rd_bytes, 0);
    f.error = 0;
    block_close(failing.block);
}

/* Every error of every operation comes through as it is, and is counted. */
static void test_error_codes(void **state)
{
    struct block_rig *rig = *state;
    static const int codes[] = {EIO, ENOSPC, EFAULT, ENXIO, EDQUOT};
    struct fake f;
    struct block *block = open_fake(rig, &f, BLOCK_CACHE_NONE);
    uint8_t buf[512];

    f.later = true;
    for (unsigned i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        f.error = codes[i];
        assert_int_equal(rig_read(rig, block, 0, buf, 512), codes[i]);
        assert_int_equal(rig_write(rig, block, 0, buf, 512), codes[i]);
        assert_int_equal(rig_op(rig, block, BLOCK_WRITE_ZEROES, 0, 512), codes[i]);
        assert_int_equal(rig_op(rig, block, BLOCK_DISCARD, 0, 512), codes[i]);
        assert_int_equal(rig_op(rig, block, BLOCK_FLUSH, 0, 0), codes[i]);
    }
    const struct block_stats *s = block_stats(block);
    assert_int_equal(s->failed_rd_operations, 5);
    assert_int_equal(s->failed_wr_operations, 10);
    assert_int_equal(s->failed_flush_operations, 5);
    assert_int_equal(s->wr_operations + s->flush_operations + s->unmap_operations, 0);
    f.error = 0;
    block_close(block);
    assert_true(f.closed);
    assert_int_equal(f.locks, 0);
}

/* FLUSH goes to the medium if and only if something was written since the last good one. */
static void test_flush_generations(void **state)
{
    struct block_rig *rig = *state;
    struct fake f;
    struct block *block = open_fake(rig, &f, BLOCK_CACHE_NONE);
    uint8_t buf[512];

    f.later = true;
    assert_int_equal(rig_op(rig, block, BLOCK_FLUSH, 0, 0), 0); /* what was there before us */
    assert_int_equal(f.submitted[BLOCK_FLUSH], 1);
    assert_int_equal(rig_op(rig, block, BLOCK_FLUSH, 0, 0), 0);
    assert_int_equal(rig_read(rig, block, 0, buf, 512), 0);
    assert_int_equal(rig_op(rig, block, BLOCK_FLUSH, 0, 0), 0);
    assert_int_equal(f.submitted[BLOCK_FLUSH], 1);
    assert_int_equal(block_stats(block)->flush_operations, 3);

    static const enum block_op changes[] = {BLOCK_WRITE, BLOCK_WRITE_ZEROES, BLOCK_DISCARD};
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(rig_rw(rig, block, changes[i], 0, buf, 512), 0);
        assert_int_equal(rig_op(rig, block, BLOCK_FLUSH, 0, 0), 0);
        assert_int_equal(f.submitted[BLOCK_FLUSH], 2 + i);
    }
    /* A write that failed may have written; a flush that failed has not flushed. */
    f.error = EIO;
    assert_int_equal(rig_write(rig, block, 0, buf, 512), EIO);
    assert_int_equal(rig_op(rig, block, BLOCK_FLUSH, 0, 0), EIO);
    assert_int_equal(f.submitted[BLOCK_FLUSH], 5);
    f.error = 0;
    assert_int_equal(rig_op(rig, block, BLOCK_FLUSH, 0, 0), 0);
    assert_int_equal(f.submitted[BLOCK_FLUSH], 6);

    /* A write completed while a flush is under way is not covered by that flush. */
    f.later = false;
    struct iovec iov = {.iov_base = buf, .iov_len = 512};
    struct rig_request w1 = {.r = {.op = BLOCK_WRITE, .bytes = 512, .iov = &iov, .iovcnt = 1}};
    struct rig_request w2 = w1, flush = {.r = {.op = BLOCK_FLUSH}}, again = flush;
    rig_submit(block, &w1);
    fake_end(&f, 0);
    rig_submit(block, &w2);
    rig_submit(block, &flush);
    assert_int_equal(f.submitted[BLOCK_FLUSH], 7);
    fake_end(&f, 0); /* w2 */
    fake_end(&f, 0); /* flush */
    assert_true(w2.done && flush.done);
    rig_submit(block, &again);
    assert_int_equal(f.submitted[BLOCK_FLUSH], 8);
    fake_end(&f, 0);

    /* A second flush while the first is under way does not end before it did. */
    rig_submit(block, &w1);
    fake_end(&f, 0);
    rig_submit(block, &flush);
    rig_submit(block, &again);
    loop_turn(rig->loop, 0);
    assert_false(again.done);
    fake_end(&f, 0);
    fake_end(&f, 0);
    assert_true(again.done);
    block_close(block);
}

/* The page cache forgets what it could not write: FLUSH must not succeed afterwards. */
static void test_failed_flush_is_not_forgotten(void **state)
{
    struct block_rig *rig = *state;
    struct fake f;
    struct block *block = open_fake(rig, &f, BLOCK_CACHE_WRITEBACK);
    uint8_t buf[512];

    f.later = true;
    f.error = EIO;
    assert_int_equal(rig_op(rig, block, BLOCK_FLUSH, 0, 0), EIO);
    f.error = 0;
    assert_int_equal(rig_op(rig, block, BLOCK_FLUSH, 0, 0), EIO);
    assert_int_equal(rig_write(rig, block, 0, buf, 512), 0);
    assert_int_equal(rig_op(rig, block, BLOCK_FLUSH, 0, 0), EIO);
    assert_int_equal(f.submitted[BLOCK_FLUSH], 1);
    /* `stop` says so, and keeps the image ours; closing lets it go all the same. */
    assert_false(block_inactivate(block, &rig->err));
    assert_non_null(strstr(rig->err.text, "fake.img"));
    assert_int_equal(f.locks, 1);
    block_close(block);
    assert_int_equal(f.locks, 0);
    assert_true(f.closed);
}

static void test_unsafe_ignores_flush(void **state)
{
    struct block_rig *rig = *state;
    struct fake f;
    struct block *block = open_fake(rig, &f, BLOCK_CACHE_UNSAFE);
    uint8_t buf[512];

    f.later = true;
    assert_int_equal(rig_write(rig, block, 0, buf, 512), 0);
    assert_int_equal(rig_op(rig, block, BLOCK_FLUSH, 0, 0), 0);
    assert_true(block_inactivate(block, &rig->err));
    assert_int_equal(f.submitted[BLOCK_FLUSH], 0);
    block_close(block);
}

static void test_synchronous_writes_need_no_flush(void **state)
{
    struct block_rig *rig = *state;
    struct fake f;
    struct block *block = open_fake(rig, &f, BLOCK_CACHE_WRITETHROUGH);
    uint8_t buf[512];

    f.later = true;
    assert_int_equal(rig_op(rig, block, BLOCK_FLUSH, 0, 0), 0);
    assert_int_equal(rig_write(rig, block, 0, buf, 512), 0);
    assert_int_equal(rig_op(rig, block, BLOCK_FLUSH, 0, 0), 0);
    assert_int_equal(f.submitted[BLOCK_FLUSH], 1);
    block_close(block);
}

static void test_activate(void **state)
{
    struct block_rig *rig = *state;
    struct fake f;
    struct block *block = open_fake(rig, &f, BLOCK_CACHE_WRITEBACK);
    assert_int_equal(f.locks, 1);
    assert_true(block_activate(block, &rig->err));
    assert_int_equal(f.locks, 1);
    assert_true(block_inactivate(block, &rig->err));
    assert_int_equal(f.submitted[BLOCK_FLUSH], 1);
    assert_int_equal(f.locks, 0);
    assert_true(block_inactivate(block, &rig->err));
    assert_int_equal(f.locks, 0);
    f.refuse = true;
    assert_false(block_activate(block, &rig->err));
    f.refuse = false;
    /* Somebody else may have written meanwhile: the flush is real again. */
    assert_true(block_activate(block, &rig->err));
    assert_true(block_inactivate(block, &rig->err));
    assert_int_equal(f.submitted[BLOCK_FLUSH], 2);
    block_close(block);
}

/* Refused requests, empty ones and real ones: none is ended in submit, none is lost, a drain ends
 * them all; those ended in a row keep their order. */
static unsigned order;
static unsigned seen[8];

static void note_order(struct block_request *r, int error)
{
    (void)error;
    seen[order++] = (unsigned)(uintptr_t)r->opaque;
}

static void test_order_and_drain(void **state)
{
    struct block_rig *rig = *state;
    struct fake f;
    struct block *block = open_fake(rig, &f, BLOCK_CACHE_WRITEBACK);
    uint8_t buf[512];
    struct iovec iov = {.iov_base = buf, .iov_len = 512};
    struct block_request r[4];

    order = 0;
    for (unsigned i = 0; i < 4; i++) {
        r[i] = (struct block_request){.op = BLOCK_READ,
                                      .offset = i == 1 ? 1 << 20 : 0, /* out of range */
                                      .bytes = i == 2 ? 0 : 512,
                                      .iov = &iov,
                                      .iovcnt = i == 2 ? 0 : 1,
                                      .done = note_order,
                                      .opaque = (void *)(uintptr_t)i};
        block_submit(block, &r[i]);
        assert_int_equal(order, 0);
    }
    loop_turn(rig->loop, 0);
    assert_int_equal(order, 2);
    assert_int_equal(seen[0], 1);
    assert_int_equal(seen[1], 2);
    block_drain(block);
    assert_int_equal(order, 4);
    assert_int_equal(seen[2], 0);
    assert_int_equal(seen[3], 3);
    block_drain(block);
    block_close(block);
}

/* A done() that always submits a refused request again must not keep the loop from its other
 * work. */
static struct block *stubborn_block;
static unsigned stubborn_count;

static void stubborn(struct block_request *r, int error)
{
    assert_int_equal(error, EINVAL);
    if (++stubborn_count < 10)
        block_submit(stubborn_block, r);
}

static void test_resubmission_waits_for_the_next_turn(void **state)
{
    struct block_rig *rig = *state;
    struct fake f;
    struct block_request r = {.op = BLOCK_READ, .offset = 1, .bytes = 512, .done = stubborn};

    stubborn_block = open_fake(rig, &f, BLOCK_CACHE_WRITEBACK);
    stubborn_count = 0;
    block_submit(stubborn_block, &r);
    loop_turn(rig->loop, 0);
    assert_int_equal(stubborn_count, 1);
    loop_turn(rig->loop, 0);
    assert_int_equal(stubborn_count, 2);
    block_drain(stubborn_block);
    assert_int_equal(stubborn_count, 10);
    block_close(stubborn_block);
}

static void test_unknown_format(void **state)
{
    struct block_rig *rig = *state;
    struct block_config config = rig_config("x", BLOCK_CACHE_WRITEBACK, false);
    config.format = (enum block_format)77;
    assert_null(block_open(rig->loop, &config, &rig->err));
    assert_non_null(strstr(rig->err.text, "format"));
}

static void test_iov(void **state)
{
    (void)state;
    char a[] = "abc", b[] = "defg", out[16] = "";
    struct iovec iov[] = {{a, 3}, {a, 0}, {b, 4}}, slice[IOV_SLICE], big[300];
    size_t n;

    assert_true(iov_total(iov, 3, &n));
    assert_int_equal(n, 7);
    assert_true(iov_total(NULL, 0, &n));
    assert_int_equal(n, 0);
    assert_false(iov_total(iov, -1, &n));
    struct iovec wrap[] = {{a, SIZE_MAX}, {b, 1}};
    assert_false(iov_total(wrap, 2, &n));

    struct iov_cursor c = {.iov = iov, .left = 3};
    assert_int_equal(iov_slice(&c, 100, slice, &n), 2); /* the empty one is left out */
    assert_int_equal(n, 7);
    iov_advance(&c, 2);
    assert_int_equal(iov_slice(&c, 3, slice, &n), 2);
    assert_int_equal(n, 3);
    assert_ptr_equal(slice[0].iov_base, a + 2);
    assert_int_equal(slice[0].iov_len, 1);
    assert_int_equal(slice[1].iov_len, 2);
    iov_read(&c, out, 4);
    assert_memory_equal(out, "cdef", 4);
    iov_advance(&c, 100); /* stops at the end */
    assert_int_equal(iov_slice(&c, 1, slice, &n), 0);
    assert_int_equal(n, 0);
    c = (struct iov_cursor){.iov = iov, .left = 3};
    iov_write(&c, "1234567", 7);
    assert_string_equal(a, "123");
    assert_string_equal(b, "4567");

    for (int i = 0; i < 300; i++)
        big[i] = (struct iovec){out, 1};
    c = (struct iov_cursor){.iov = big, .left = 300};
    assert_int_equal(iov_slice(&c, 300, slice, &n), IOV_SLICE);
    assert_int_equal(n, IOV_SLICE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors_are_logged_once),
        cmocka_unit_test(test_error_codes),
        cmocka_unit_test(test_flush_generations),
        cmocka_unit_test(test_failed_flush_is_not_forgotten),
        cmocka_unit_test(test_unsafe_ignores_flush),
        cmocka_unit_test(test_synchronous_writes_need_no_flush),
        cmocka_unit_test(test_activate),
        cmocka_unit_test(test_order_and_drain),
        cmocka_unit_test(test_resubmission_waits_for_the_next_turn),
        cmocka_unit_test(test_unknown_format),
        cmocka_unit_test(test_iov),
    };
    return cmocka_run_group_tests(tests, block_rig_setup, block_rig_teardown);
}
