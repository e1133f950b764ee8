/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_block_throttle: the limits of a disk, on a clock that the test steps; and in a disk. */
#include "tests/unit/block_driver.h"

#include "block/throttle.h"

static uint64_t time_now;

static uint64_t test_now(const struct clock *clock)
{
    (void)clock;
    return time_now;
}

struct limited {
    struct clock clock;
    struct throttle *t;
    struct block_limits limits;
};

static struct block_request *started[4096];
static unsigned started_count;

static void start(struct block_request *r)
{
    started[started_count++ % 4096] = r;
}

static void begin(struct limited *l)
{
    time_now = 1;
    started_count = 0;
    clock_init(&l->clock, test_now);
    l->t = throttle_new(&l->clock, &l->limits, start);
    assert_non_null(l->t);
}

static void end(struct limited *l)
{
    throttle_free(l->t);
    clock_destroy(&l->clock);
}

/* Keeps `depth` requests of `bytes` waiting for `seconds`; how many started. */
static unsigned saturate(struct limited *l, enum block_op op, size_t bytes, unsigned depth,
                         double seconds)
{
    struct block_request *q = calloc(depth, sizeof(*q));
    uint64_t until = time_now + (uint64_t)(seconds * 1e9);
    unsigned count = 0;
    for (unsigned i = 0; i < depth; i++)
        q[i] = (struct block_request){.op = op, .bytes = bytes};
    for (unsigned i = 0; i < depth; i++)
        while (throttle_admit(l->t, &q[i]))
            count++;
    while (clock_deadline(&l->clock) <= until) {
        started_count = 0;
        time_now = clock_deadline(&l->clock);
        clock_run(&l->clock, time_now);
        for (unsigned i = 0, n = started_count; i < n; i++) {
            struct block_request *r = started[i];
            do
                count++; /* it has started and is done at once: again */
            while (throttle_admit(l->t, r));
        }
    }
    time_now = until;
    for (unsigned i = 0; i < depth; i++)
        assert_true(throttle_remove(l->t, &q[i]));
    assert_int_equal(clock_deadline(&l->clock), CLOCK_NEVER); /* nobody waits: no wake-up */
    free(q);
    return count;
}

static void near(double value, double expected, double tolerance)
{
    if (value < expected * (1 - tolerance) || value > expected * (1 + tolerance))
        fail_msg("%f is not %f", value, expected);
}

/* The lasting rate, whatever the size and the number of requests. */
static void test_lasting_rate(void **state)
{
    (void)state;
    static const size_t sizes[] = {512, 4096, 65536, 1 << 20};
    static const unsigned depths[] = {1, 32};
    for (size_t s = 0; s < 4; s++)
        for (size_t d = 0; d < 2; d++) {
            struct limited l = {.limits.of[BLOCK_LIMIT_BPS].avg = 10 << 20};
            begin(&l);
            unsigned n = saturate(&l, BLOCK_READ, sizes[s], depths[d], 20);
            /* A tenth of a second's burst, and one request over. */
            near((double)n * (double)sizes[s], (20.1 * (10 << 20)) + (double)sizes[s], 0.01);
            end(&l);

            l = (struct limited){.limits.of[BLOCK_LIMIT_IOPS].avg = 1000};
            begin(&l);
            near(saturate(&l, BLOCK_WRITE, sizes[s], depths[d], 20), 20.1 * 1000, 0.01);
            end(&l);
        }
}

/* Large requests count as several: iops-size. */
static void test_iops_size(void **state)
{
    (void)state;
    struct limited l = {.limits = {.of[BLOCK_LIMIT_IOPS] = {.avg = 1000}, .iops_size = 4096}};
    begin(&l);
    near(saturate(&l, BLOCK_WRITE, 65536, 4, 20), 20.1 * 1000 / 16, 0.02);
    time_now += 10 * NS_PER_S;
    near(saturate(&l, BLOCK_WRITE, 512, 4, 20), 20.1 * 1000, 0.02);
    end(&l);
}

/* Bursts: max for one second; or for `length` seconds; then the lasting rate. */
static void test_bursts(void **state)
{
    (void)state;
    struct limited l = {.limits.of[BLOCK_LIMIT_IOPS] = {.avg = 100, .max = 1000}};
    begin(&l);
    near(saturate(&l, BLOCK_READ, 512, 8, 10), 1000 + 10 * 100, 0.02);
    time_now += 3600 * NS_PER_S; /* idle: it may burst again */
    near(saturate(&l, BLOCK_READ, 512, 8, 10), 1000 + 10 * 100, 0.02);
    end(&l);

    l = (struct limited){.limits.of[BLOCK_LIMIT_IOPS] = {.avg = 100, .max = 1000, .length = 5}};
    begin(&l);
    near(saturate(&l, BLOCK_READ, 512, 8, 1), 1100, 0.02);
    /* All in all max * length may be ahead of avg. */
    near(saturate(&l, BLOCK_READ, 512, 8, 99), 5000 + 100 * 100 - 1100, 0.02);
    end(&l);
}

/* Reads and writes have limits of their own, and don't wait for each other. */
static void test_directions(void **state)
{
    (void)state;
    struct limited l = {.limits.of[BLOCK_LIMIT_IOPS_WRITE] = {.avg = 10}};
    struct block_request w[3], r = {.op = BLOCK_READ, .bytes = 512};
    begin(&l);
    for (int i = 0; i < 3; i++)
        w[i] = (struct block_request){.op = BLOCK_WRITE, .bytes = 512};
    assert_true(throttle_admit(l.t, &w[0]));
    assert_true(throttle_admit(l.t, &w[1])); /* the bucket was not yet over its brim */
    assert_false(throttle_admit(l.t, &w[2]));
    for (int i = 0; i < 1000; i++)
        assert_true(throttle_admit(l.t, &r));
    /* A FLUSH moves nothing and waits for nobody. */
    struct block_request f = {.op = BLOCK_FLUSH};
    assert_true(throttle_admit(l.t, &f));
    time_now += 99 * NS_PER_MS;
    clock_run(&l.clock, time_now);
    assert_int_equal(started_count, 0);
    time_now += 2 * NS_PER_MS;
    clock_run(&l.clock, time_now);
    assert_int_equal(started_count, 1);
    assert_ptr_equal(started[0], &w[2]);
    assert_int_equal(clock_deadline(&l.clock), CLOCK_NEVER);
    end(&l);
}

/* Order is kept; what is taken back is gone; new limits act on what waits. */
static void test_queue(void **state)
{
    (void)state;
    struct limited l = {.limits.of[BLOCK_LIMIT_BPS].avg = 5120};
    struct block_request q[8];
    begin(&l);
    for (int i = 0; i < 8; i++) {
        q[i] =
            (struct block_request){.op = i % 2 ? BLOCK_WRITE : BLOCK_WRITE_ZEROES, .bytes = 4096};
        assert_int_equal(throttle_admit(l.t, &q[i]), i == 0);
    }
    assert_true(throttle_remove(l.t, &q[7]));
    assert_true(throttle_remove(l.t, &q[1]));
    assert_true(throttle_remove(l.t, &q[3]));
    assert_false(throttle_remove(l.t, &q[3]));
    assert_false(throttle_remove(l.t, &q[0]));
    l.limits.of[BLOCK_LIMIT_BPS].avg = 51200000;
    throttle_set(l.t, &l.limits);
    assert_int_equal(started_count, 4);
    assert_ptr_equal(started[0], &q[2]);
    assert_ptr_equal(started[1], &q[4]);
    assert_ptr_equal(started[2], &q[5]);
    assert_ptr_equal(started[3], &q[6]);
    l.limits.of[BLOCK_LIMIT_BPS].avg = 1;
    throttle_set(l.t, &l.limits);
    assert_false(throttle_admit(l.t, &q[0]));
    throttle_flush(l.t);
    assert_int_equal(started_count, 5);
    assert_int_equal(clock_deadline(&l.clock), CLOCK_NEVER);
    end(&l);
}

static void test_contradictions(void **state)
{
    (void)state;
    struct err err;
    static const struct {
        struct block_limits limits;
        const char *words;
    } rows[] = {
        {{.of[BLOCK_LIMIT_BPS].avg = 1, .of[BLOCK_LIMIT_BPS_READ].avg = 1}, "exclude"},
        {{.of[BLOCK_LIMIT_IOPS].avg = 1, .of[BLOCK_LIMIT_IOPS_WRITE].max = 1}, "exclude"},
        {{.of[BLOCK_LIMIT_BPS].max = 5}, "lasting limit"},
        {{.of[BLOCK_LIMIT_BPS] = {.avg = 5, .max = 4}}, "less than"},
        {{.of[BLOCK_LIMIT_BPS] = {.avg = 5, .length = 4}}, "(max)"},
        {{.of[BLOCK_LIMIT_BPS] = {.avg = 5, .max = BLOCK_LIMIT_MAX, .length = 2}}, "too long"},
        {{.of[BLOCK_LIMIT_BPS].avg = BLOCK_LIMIT_MAX + 1}, "more than"},
        {{.of[BLOCK_LIMIT_BPS].avg = 1, .iops_size = 4096}, "iops-size"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_false(block_limits_check(&rows[i].limits, &err));
        assert_non_null(strstr(err.text, rows[i].words));
    }
    struct block_limits good = {.of = {[BLOCK_LIMIT_BPS_READ] = {5, 10, 60},
                                       [BLOCK_LIMIT_BPS_WRITE] = {5, 5, 0},
                                       [BLOCK_LIMIT_IOPS] = {BLOCK_LIMIT_MAX, 0, 0}},
                                .iops_size = 512};
    assert_true(block_limits_check(&good, &err));
}

/* In a disk: drain and cancel reach what waits, limits come and go while it works. */
static void test_disk(void **state)
{
    struct block_rig *rig = *state;
    struct block_config config = rig_config("fake.img", BLOCK_CACHE_NONE, false);
    uint8_t buf[4096] = {0};
    struct iovec iov = {buf, sizeof(buf)};
    struct fake f;
    struct rig_request q[6];
    config.limits.of[BLOCK_LIMIT_IOPS].avg = 1; /* nothing of this passes by itself in this test */
    struct block *b = open_fake_as(rig, &f, &config);
    assert_int_equal(block_limits(b)->of[BLOCK_LIMIT_IOPS].avg, 1);
    for (int i = 0; i < 6; i++) {
        q[i] = (struct rig_request){
            .r = {.op = BLOCK_WRITE, .bytes = sizeof(buf), .iov = &iov, .iovcnt = 1}};
        rig_submit(b, &q[i]);
    }
    assert_int_equal(f.count, 1);
    block_cancel(b, &q[3].r);
    assert_int_equal(rig_wait(rig, &q[3]), ECANCELED);
    assert_int_equal(f.count, 1);
    block_drain(b);
    assert_int_equal(f.submitted[BLOCK_WRITE], 5);
    for (int i = 0; i < 6; i++)
        assert_true(q[i].done);

    rig_submit(b, &q[0]);
    assert_int_equal(f.count, 0);
    struct block_limits none = {0}, bad = {.iops_size = 1};
    assert_false(block_set_limits(b, &bad, &rig->err));
    assert_true(block_set_limits(b, &none, &rig->err));
    assert_null(b->throttle);
    assert_int_equal(f.count, 1);
    assert_int_equal(block_limits(b)->of[BLOCK_LIMIT_IOPS].avg, 0);
    fake_end(&f, 0);
    f.later = true;
    assert_true(block_set_limits(b, &config.limits, &rig->err));
    rig_submit(b, &q[0]);
    rig_submit(b, &q[1]);
    assert_true(block_inactivate(b, &rig->err)); /* takes no second */
    assert_true(q[1].done);
    block_close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lasting_rate), cmocka_unit_test(test_iops_size),
        cmocka_unit_test(test_bursts),       cmocka_unit_test(test_directions),
        cmocka_unit_test(test_queue),        cmocka_unit_test(test_contradictions),
        cmocka_unit_test(test_disk),
    };
    return cmocka_run_group_tests(tests, block_rig_setup, block_rig_teardown);
}
