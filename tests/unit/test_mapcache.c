/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of the map cache: a guest whose pages come and go, mapped by copying the page's number. */
#include "hw/xen/mapcache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#define PAGE        ((uint64_t)MAPCACHE_PAGE_BYTES)
#define BUCKET      (MAPCACHE_BUCKET_PAGES * PAGE)
#define GUEST_PAGES 4096u
#define MAX_MAPS    8192u

struct mapping {
    void *host;
    unsigned pages;
};

struct fixture {
    struct mapcache *mc;
    bool there[GUEST_PAGES];
    bool refuse; /* nothing can be mapped */
    unsigned map_calls, mapped_pages;
    struct mapping live[MAX_MAPS];
    unsigned live_count, live_max;
};

/* Each page begins with its own number, so that a test sees what it got. */
static void *map(void *opaque, uint64_t gfn, unsigned pages, int *errors)
{
    struct fixture *f = opaque;
    assert_in_range(pages, 1, MAPCACHE_BUCKET_PAGES);
    f->map_calls++;
    f->mapped_pages += pages;
    if (f->refuse)
        return NULL;
    uint8_t *host =
        mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(host, MAP_FAILED);
    for (unsigned i = 0; i < pages; i++) {
        bool ok = gfn + i < GUEST_PAGES && f->there[gfn + i];
        errors[i] = ok ? 0 : -22;
        if (ok)
            *(uint64_t *)(void *)(host + i * PAGE) = gfn + i;
        else
            assert_int_equal(mprotect(host + i * PAGE, PAGE, PROT_NONE), 0);
    }
    assert_true(f->live_count < MAX_MAPS);
    f->live[f->live_count++] = (struct mapping){host, pages};
    if (f->live_count > f->live_max)
        f->live_max = f->live_count;
    return host;
}

static void unmap(void *opaque, void *host, unsigned pages)
{
    struct fixture *f = opaque;
    for (unsigned i = 0; i < f->live_count; i++) {
        if (f->live[i].host != host)
            continue;
        assert_int_equal(f->live[i].pages, pages);
        f->live[i] = f->live[--f->live_count];
        munmap(host, pages * PAGE);
        return;
    }
    fail_msg("unmapped twice, or never mapped");
}

static const struct mapcache_ops ops = {.map = map, .unmap = unmap};

static int setup_with(void **state, unsigned buckets)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    memset(f->there, 1, sizeof(f->there));
    f->mc = mapcache_new(&ops, f, buckets);
    assert_non_null(f->mc);
    *state = f;
    return 0;
}

static int setup(void **state)
{
    return setup_with(state, 4);
}

static int setup_big(void **state)
{
    return setup_with(state, MAPCACHE_BUCKETS);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    mapcache_free(f->mc);
    assert_int_equal(f->live_count, 0);
    free(f);
    return 0;
}

static uint8_t *get(struct fixture *f, uint64_t addr, size_t want, size_t expect)
{
    size_t len = want;
    uint8_t *p = mapcache_map(f->mc, addr, &len);
    assert_non_null(p);
    assert_int_equal(len, expect);
    assert_int_equal((uintptr_t)p % PAGE, addr % PAGE);
    assert_int_equal(*(uint64_t *)(void *)(p - addr % PAGE), addr / PAGE);
    p[0] = p[0]; /* writable to the last byte */
    p[len - 1] = p[len - 1];
    return p;
}

static void assert_absent(struct fixture *f, uint64_t addr)
{
    size_t len = 1;
    assert_null(mapcache_map(f->mc, addr, &len));
}

static void assert_counts(struct fixture *f, unsigned cached, unsigned in_use, unsigned extra)
{
    struct mapcache_counts c = mapcache_counts(f->mc);
    assert_int_equal(c.cached, cached);
    assert_int_equal(c.in_use, in_use);
    assert_int_equal(c.extra, extra);
}

static void test_hit_costs_nothing(void **state)
{
    struct fixture *f = *state;
    uint8_t *a = get(f, 0x5123, 100, 100);
    mapcache_unmap(f->mc, a);
    assert_counts(f, 1, 0, 0);
    for (unsigned i = 0; i < 1000; i++) {
        uint8_t *p = get(f, (i % MAPCACHE_BUCKET_PAGES) * PAGE + 8, 8, 8);
        mapcache_unmap(f->mc, p + 7);
    }
    assert_int_equal(f->map_calls, 1);
    assert_int_equal(mapcache_counts(f->mc).misses, 1);
    assert_counts(f, 1, 0, 0);
}

static void test_lengths(void **state)
{
    struct fixture *f = *state;
    size_t none = 0;
    assert_null(mapcache_map(f->mc, 0, &none));
    uint8_t *p = get(f, 0, 1 << 30, BUCKET); /* to the end of the bucket */
    mapcache_unmap(f->mc, p);
    p = get(f, BUCKET + 5, SIZE_MAX, BUCKET - 5);
    mapcache_unmap(f->mc, p);
    p = get(f, BUCKET - 1, 2, 1);
    mapcache_unmap(f->mc, p);
    p = get(f, BUCKET - 1, 1, 1);
    mapcache_unmap(f->mc, p);
}

static void test_holes(void **state)
{
    struct fixture *f = *state;
    f->there[3] = f->there[10] = f->there[63] = false;
    uint8_t *p = get(f, 0x10, 1 << 20, 3 * PAGE - 0x10);
    mapcache_unmap(f->mc, p);
    assert_absent(f, 3 * PAGE);
    p = get(f, 4 * PAGE, 1 << 20, 6 * PAGE);
    mapcache_unmap(f->mc, p);
    assert_absent(f, 10 * PAGE + 7);
    p = get(f, 62 * PAGE + 9, 1 << 20, PAGE - 9);
    mapcache_unmap(f->mc, p);
    assert_absent(f, 63 * PAGE + 4095);
    assert_absent(f, GUEST_PAGES * PAGE);
    assert_absent(f, UINT64_C(1) << 52);
    assert_absent(f, UINT64_MAX);
    assert_counts(f, 2, 0, 0);
    /* Garbage addresses cost one page's attempt each, not a bucket's. */
    unsigned calls = f->map_calls, pages = f->mapped_pages;
    for (unsigned i = 0; i < 10; i++)
        assert_absent(f, GUEST_PAGES * PAGE + i);
    assert_int_equal(f->map_calls, calls + 10);
    assert_int_equal(f->mapped_pages, pages + 10);
}

/* Ballooning: a page that comes back is found, also while its neighbours are in use. */
static void test_page_comes_back(void **state)
{
    struct fixture *f = *state;
    f->there[7] = false;
    assert_absent(f, 7 * PAGE);
    f->there[7] = true;
    mapcache_unmap(f->mc, get(f, 7 * PAGE, 1, 1));
    mapcache_unmap(f->mc, get(f, 0, BUCKET, BUCKET));
    assert_counts(f, 1, 0, 0);

    f->there[64 + 7] = false;
    uint8_t *pinned = get(f, 64 * PAGE, BUCKET, 7 * PAGE);
    assert_absent(f, 71 * PAGE);
    f->there[64 + 7] = true;
    uint8_t *back = get(f, 71 * PAGE, 16, 16);
    assert_counts(f, 2, 2, 1);
    pinned[100] = 42; /* still valid */
    mapcache_unmap(f->mc, pinned + 6 * PAGE);
    assert_counts(f, 2, 1, 0);
    mapcache_unmap(f->mc, back);
    assert_counts(f, 2, 0, 0);
    assert_int_equal(f->live_count, 2);
}

static void test_nothing_can_be_mapped(void **state)
{
    struct fixture *f = *state;
    f->refuse = true;
    for (unsigned i = 0; i < 10; i++)
        assert_absent(f, i * BUCKET);
    assert_int_equal(f->live_count, 0);
    f->refuse = false;
    for (unsigned i = 0; i < 10; i++)
        mapcache_unmap(f->mc, get(f, i * BUCKET, 4, 4));
    assert_counts(f, 4, 0, 0);
}

static void test_bounded_and_least_recently_used(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 60; i++)
        mapcache_unmap(f->mc, get(f, i * BUCKET, 8, 8));
    assert_int_equal(f->live_max, 4);
    assert_counts(f, 4, 0, 0);
    /* 56..59 are there; touch 56, and 57 is the next to go. */
    unsigned calls = f->map_calls;
    mapcache_unmap(f->mc, get(f, 56 * BUCKET, 8, 8));
    mapcache_unmap(f->mc, get(f, 0, 8, 8));
    assert_int_equal(f->map_calls, calls + 1);
    mapcache_unmap(f->mc, get(f, 56 * BUCKET, 8, 8));
    mapcache_unmap(f->mc, get(f, 58 * BUCKET, 8, 8));
    mapcache_unmap(f->mc, get(f, 59 * BUCKET, 8, 8));
    assert_int_equal(f->map_calls, calls + 1);
    mapcache_unmap(f->mc, get(f, 57 * BUCKET, 8, 8));
    assert_int_equal(f->map_calls, calls + 2);
}

/* All buckets in use: temporary mappings, as small as the request. */
static void test_full_cache(void **state)
{
    struct fixture *f = *state;
    uint8_t *held[4], *more[8];
    for (unsigned i = 0; i < 4; i++)
        held[i] = get(f, i * BUCKET, 8, 8);
    unsigned pages = f->mapped_pages;
    for (unsigned i = 0; i < 8; i++)
        more[i] = get(f, (10 + i) * BUCKET + PAGE - 4, 8, 8);
    assert_int_equal(f->mapped_pages, pages + 16);
    assert_counts(f, 4, 12, 8);
    uint8_t *tail = get(f, 20 * BUCKET + 60 * PAGE + 1, 1 << 20, 4 * PAGE - 1);
    mapcache_unmap(f->mc, tail);
    f->there[30 * MAPCACHE_BUCKET_PAGES] = false;
    assert_absent(f, 30 * BUCKET);
    f->there[31 * MAPCACHE_BUCKET_PAGES + 1] = false;
    mapcache_unmap(f->mc, get(f, 31 * BUCKET, 3 * PAGE, PAGE));
    for (unsigned i = 0; i < 8; i++)
        mapcache_unmap(f->mc, more[i] + 7);
    assert_counts(f, 4, 4, 0);
    assert_int_equal(f->live_count, 4);
    mapcache_unmap(f->mc, held[2]);
    mapcache_unmap(f->mc, get(f, 10 * BUCKET, 8, 8)); /* a bucket is free again */
    assert_counts(f, 4, 3, 0);
    mapcache_unmap(f->mc, held[0]);
    mapcache_unmap(f->mc, held[1]);
    mapcache_unmap(f->mc, held[3]);
    assert_counts(f, 4, 0, 0);
}

/* The vulnerability table's mapcache row: overlapping users and INVALIDATE. */
static void test_invalidate_in_use(void **state)
{
    struct fixture *f = *state;
    uint8_t *a = get(f, 0x1000, 64, 64), *b = get(f, 0x1020, 64, 64);
    mapcache_unmap(f->mc, get(f, 5 * BUCKET, 8, 8));
    assert_ptr_equal(a + 0x20, b);
    mapcache_invalidate(f->mc);
    assert_counts(f, 0, 1, 1);
    assert_int_equal(f->live_count, 1);  /* the unused one is gone at once */
    uint8_t *c = get(f, 0x1000, 64, 64); /* a new mapping, beside the old */
    assert_ptr_not_equal(a, c);
    mapcache_invalidate(f->mc);
    mapcache_invalidate(f->mc);
    assert_counts(f, 0, 2, 2);
    memset(a, 1, 64);
    memset(c, 2, 64);
    mapcache_unmap(f->mc, a);
    assert_counts(f, 0, 2, 2); /* b holds the same one */
    mapcache_unmap(f->mc, b);
    assert_counts(f, 0, 1, 1);
    mapcache_unmap(f->mc, c);
    assert_counts(f, 0, 0, 0);
    assert_int_equal(f->live_count, 0);
}

static void test_invalidate_forgets_absence(void **state)
{
    struct fixture *f = *state;
    mapcache_unmap(f->mc, get(f, 0, 8, 8));
    f->there[0] = false;
    mapcache_unmap(f->mc, get(f, 0, 8, 8)); /* cached: the guest gave it away, Xen will tell */
    mapcache_invalidate(f->mc);
    assert_absent(f, 0);
}

static void test_foreign_pointers_are_ignored(void **state)
{
    struct fixture *f = *state;
    int local;
    mapcache_unmap(f->mc, &local);
    mapcache_unmap(f->mc, NULL);
    uint8_t *p = get(f, 0, 8, 8);
    mapcache_unmap(f->mc, p);
    mapcache_unmap(f->mc, p); /* once too often */
    assert_counts(f, 1, 0, 0);
}

static void test_free_with_users(void **state)
{
    struct fixture *f = *state;
    get(f, 0, 8, 8);
    mapcache_invalidate(f->mc);
    get(f, 0, 8, 8);
    get(f, BUCKET, 8, 8);
    /* teardown checks that nothing stays mapped */
}

static uint32_t seed = 12345;
static unsigned random_below(unsigned n)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % n;
}

/* Many users come and go in random order, pages too; every pointer keeps showing its page. */
static void test_random(void **state)
{
    struct fixture *f = *state;
    struct use {
        uint8_t *p;
        uint64_t addr;
        size_t len;
    } uses[32] = {0};
    for (unsigned step = 0; step < 60000; step++) {
        struct use *u = &uses[random_below(32)];
        unsigned what = random_below(100);
        if (what == 0) {
            mapcache_invalidate(f->mc);
        } else if (what < 5) {
            f->there[random_below(GUEST_PAGES)] ^= true;
        } else if (u->p) {
            uint64_t first = u->addr / PAGE;
            uint64_t last = (u->addr + u->len - 1) / PAGE;
            for (uint64_t g = first; g <= last; g++)
                assert_int_equal(*(uint64_t *)(void *)(u->p - u->addr % PAGE + (g - first) * PAGE),
                                 g);
            mapcache_unmap(f->mc, u->p + random_below((unsigned)u->len));
            u->p = NULL;
        } else {
            u->addr = random_below(GUEST_PAGES + 10) * PAGE + random_below(4096);
            u->len = 1 + random_below(200000);
            size_t wanted = u->len;
            u->p = mapcache_map(f->mc, u->addr, &u->len);
            if (u->p)
                assert_in_range(u->len, 1, wanted);
        }
        struct mapcache_counts c = mapcache_counts(f->mc);
        assert_true(c.cached <= 4 && c.in_use <= 32 && c.extra <= c.in_use);
        assert_true(f->live_count <= 4 + c.extra);
    }
    for (unsigned i = 0; i < 32; i++)
        if (uses[i].p)
            mapcache_unmap(f->mc, uses[i].p);
    assert_int_equal(mapcache_counts(f->mc).in_use, 0);
    assert_int_equal(mapcache_counts(f->mc).extra, 0);
}

/* At full size: sequential DMA over a guest that fits is one mapping per bucket. */
static void test_sequential(void **state)
{
    struct fixture *f = *state;
    for (unsigned pass = 0; pass < 3; pass++)
        for (uint64_t a = 0; a < GUEST_PAGES * PAGE; a += 0x8000)
            mapcache_unmap(f->mc, get(f, a, 0x8000, 0x8000));
    assert_int_equal(f->map_calls, GUEST_PAGES / MAPCACHE_BUCKET_PAGES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_hit_costs_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lengths, setup, teardown),
        cmocka_unit_test_setup_teardown(test_holes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_page_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_can_be_mapped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bounded_and_least_recently_used, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_cache, setup, teardown),
        cmocka_unit_test_setup_teardown(test_invalidate_in_use, setup, teardown),
        cmocka_unit_test_setup_teardown(test_invalidate_forgets_absence, setup, teardown),
        cmocka_unit_test_setup_teardown(test_foreign_pointers_are_ignored, setup, teardown),
        cmocka_unit_test_setup_teardown(test_free_with_users, setup, teardown),
        cmocka_unit_test_setup_teardown(test_random, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sequential, setup_big, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
