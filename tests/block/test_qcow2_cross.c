/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_qcow2_cross: images that qemu-img makes, with every option, written by us at random, then
 * checked and read by QEMU's tools; and images that qemu-io writes, read by us.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/block/image.h"
#include "tests/block/tools.h"

#define MIB   (1024u * 1024)
#define STEPS 250u

/* A base image of `bytes` with data that the model gets too. */
static void make_backing(struct model *m, const char *format, uint64_t bytes)
{
    const char *path = image_path("base");

    tools_run("rm -f '%s'", path);
    tools_must("qemu-img create -f %s '%s' %llu", format, path, (unsigned long long)bytes);
    image_qemu_writes(m, format, path, bytes, 24);
}

struct variant {
    const char *options;
    uint64_t bytes;
    const char *backing; /* its format */
    uint64_t backing_bytes;
    enum block_cache cache;
};

static void run_variant(const struct variant *v, unsigned seed)
{
    struct model m;
    char image[512], backing[640] = "";

    snprintf(image, sizeof(image), "%s", image_path("image.qcow2"));
    tools_run("rm -f '%s'", image);
    model_init(&m, v->bytes, seed);
    if (v->backing) {
        make_backing(&m, v->backing, v->backing_bytes);
        snprintf(backing, sizeof(backing), "-F %s -b base", v->backing);
    }
    tools_must("qemu-img create -f qcow2 -o %s %s '%s' %llu", v->options, backing, image,
               (unsigned long long)v->bytes);
    /* Twice: the second time it is an image of ours that we open. */
    for (unsigned round = 0; round < 2; round++) {
        m.window = round ? 0 : v->bytes / 4;
        struct block *block = image_open(image, v->cache, false);
        model_run(&m, image_loop(), block, STEPS);
        block_close(block);
        image_must_be_sound(v->options, image);
    }
    image_compare_with_qemu(&m, image);
    struct block *block = image_open(image, v->cache, true);
    model_compare(&m, image_loop(), block);
    block_close(block);
    model_free(&m);
}

static void run_variants(const struct variant *v, size_t count)
{
    if (!tools_there())
        skip();
    for (size_t i = 0; i < count; i++)
        run_variant(&v[i], (unsigned)i);
}

#define RUN(table) run_variants(table, sizeof(table) / sizeof((table)[0]))

static void test_cluster_sizes(void **state)
{
    (void)state;
    static const struct variant v[] = {
        {.options = "cluster_size=512", .bytes = 3 * MIB},
        {.options = "cluster_size=1k", .bytes = 4 * MIB},
        {.options = "cluster_size=2k", .bytes = 8 * MIB},
        {.options = "cluster_size=4k", .bytes = 8 * MIB},
        {.options = "cluster_size=8k", .bytes = 8 * MIB},
        {.options = "cluster_size=16k", .bytes = 8 * MIB},
        {.options = "cluster_size=32k", .bytes = 8 * MIB},
        {.options = "cluster_size=64k", .bytes = 16 * MIB + 512},
        {.options = "cluster_size=128k", .bytes = 16 * MIB},
        {.options = "cluster_size=256k", .bytes = 16 * MIB},
        {.options = "cluster_size=512k", .bytes = 32 * MIB},
        {.options = "cluster_size=1M", .bytes = 32 * MIB},
        {.options = "cluster_size=2M", .bytes = 32 * MIB + 1024},
    };
    RUN(v);
}

static void test_version_2(void **state)
{
    (void)state;
    static const struct variant v[] = {
        {.options = "compat=0.10,cluster_size=512", .bytes = 2 * MIB},
        {.options = "compat=0.10", .bytes = 8 * MIB},
        {.options = "compat=0.10,preallocation=metadata", .bytes = 8 * MIB},
        {.options = "compat=0.10,cluster_size=2M", .bytes = 16 * MIB},
        {.options = "compat=0.10,cluster_size=4k",
         .bytes = 8 * MIB,
         .backing = "raw",
         .backing_bytes = 5 * MIB},
    };
    RUN(v);
}

static void test_preallocation(void **state)
{
    (void)state;
    static const struct variant v[] = {
        {.options = "preallocation=off", .bytes = 8 * MIB},
        {.options = "preallocation=metadata", .bytes = 8 * MIB},
        {.options = "preallocation=falloc", .bytes = 8 * MIB},
        {.options = "preallocation=full", .bytes = 8 * MIB},
        {.options = "preallocation=metadata,cluster_size=512", .bytes = 1 * MIB},
        {.options = "preallocation=metadata,cluster_size=2M", .bytes = 16 * MIB},
        {.options = "preallocation=metadata,extended_l2=on", .bytes = 8 * MIB},
        {.options = "preallocation=falloc,extended_l2=on,cluster_size=128k", .bytes = 8 * MIB},
        {.options = "preallocation=metadata,lazy_refcounts=on", .bytes = 8 * MIB},
    };
    RUN(v);
}

static void test_refcount_widths(void **state)
{
    (void)state;
    static const struct variant v[] = {
        {.options = "refcount_bits=1", .bytes = 8 * MIB},
        {.options = "refcount_bits=2,cluster_size=512", .bytes = 2 * MIB},
        {.options = "refcount_bits=4", .bytes = 8 * MIB},
        {.options = "refcount_bits=8,cluster_size=4k", .bytes = 8 * MIB},
        {.options = "refcount_bits=16,lazy_refcounts=on", .bytes = 8 * MIB},
        {.options = "refcount_bits=32", .bytes = 8 * MIB},
        {.options = "refcount_bits=64", .bytes = 8 * MIB},
        {.options = "refcount_bits=64,cluster_size=512", .bytes = 4 * MIB},
        {.options = "refcount_bits=1,cluster_size=512", .bytes = 4 * MIB},
    };
    RUN(v);
}

static void test_subclusters(void **state)
{
    (void)state;
    static const struct variant v[] = {
        {.options = "extended_l2=on,cluster_size=16k", .bytes = 4 * MIB},
        {.options = "extended_l2=on", .bytes = 8 * MIB},
        {.options = "extended_l2=on,cluster_size=2M", .bytes = 24 * MIB},
        {.options = "extended_l2=on,lazy_refcounts=on,refcount_bits=8", .bytes = 8 * MIB},
        {.options = "extended_l2=on", .bytes = 8 * MIB, .backing = "raw", .backing_bytes = 8 * MIB},
        {.options = "extended_l2=on,cluster_size=16k",
         .bytes = 4 * MIB,
         .backing = "qcow2",
         .backing_bytes = 3 * MIB + 512},
    };
    RUN(v);
}

static void test_backing(void **state)
{
    (void)state;
    static const struct variant v[] = {
        {.options = "cluster_size=64k",
         .bytes = 8 * MIB,
         .backing = "raw",
         .backing_bytes = 8 * MIB},
        {.options = "cluster_size=64k",
         .bytes = 8 * MIB,
         .backing = "raw",
         .backing_bytes = 5 * MIB + 1536},
        {.options = "cluster_size=64k",
         .bytes = 8 * MIB,
         .backing = "qcow2",
         .backing_bytes = 12 * MIB},
        {.options = "cluster_size=512",
         .bytes = 2 * MIB,
         .backing = "qcow2",
         .backing_bytes = 1 * MIB},
        {.options = "cluster_size=2M",
         .bytes = 16 * MIB,
         .backing = "qcow2",
         .backing_bytes = 7 * MIB + 512},
    };
    RUN(v);
}

static void test_cache_modes(void **state)
{
    (void)state;
    static const struct variant v[] = {
        {.options = "cluster_size=64k", .bytes = 8 * MIB, .cache = BLOCK_CACHE_NONE},
        {.options = "cluster_size=512", .bytes = 1 * MIB, .cache = BLOCK_CACHE_NONE},
        {.options = "extended_l2=on", .bytes = 8 * MIB, .cache = BLOCK_CACHE_NONE},
        {.options = "cluster_size=64k", .bytes = 8 * MIB, .cache = BLOCK_CACHE_WRITETHROUGH},
        {.options = "cluster_size=4k", .bytes = 8 * MIB, .cache = BLOCK_CACHE_DIRECTSYNC},
        {.options = "cluster_size=64k", .bytes = 8 * MIB, .cache = BLOCK_CACHE_UNSAFE},
    };
    RUN(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cluster_sizes), cmocka_unit_test(test_version_2),
        cmocka_unit_test(test_preallocation), cmocka_unit_test(test_refcount_widths),
        cmocka_unit_test(test_subclusters),   cmocka_unit_test(test_backing),
        cmocka_unit_test(test_cache_modes),
    };
    return cmocka_run_group_tests(tests, image_setup, image_teardown);
}
