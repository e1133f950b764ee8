/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_qcow2_features: what qemu-img can put into an image beside plain clusters: compressed ones,
 * snapshots, bitmaps, chains of images, refcounts left undone; and what our changes do to them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "block/qcow2_int.h"
#include "hw/core/loop.h"
#include "tests/block/image.h"
#include "tests/block/tools.h"

#define MIB (1024u * 1024)

static void need_tools(void)
{
    if (!tools_there())
        skip();
}

/* ---- One request, waited for ------------------------------------------------------------------
 */

struct one {
    struct block_request r;
    bool done;
    int error;
};

static void one_done(struct block_request *r, int error)
{
    struct one *one = (struct one *)r;
    one->done = true;
    one->error = error;
}

static int request(struct block *block, enum block_op op, uint64_t offset, void *buf, size_t bytes)
{
    struct iovec iov = {.iov_base = buf, .iov_len = bytes};
    struct one one = {.r = {.op = op,
                            .offset = offset,
                            .bytes = bytes,
                            .iov = buf ? &iov : NULL,
                            .iovcnt = buf ? 1 : 0,
                            .done = one_done}};
    block_submit(block, &one.r);
    while (!one.done)
        loop_turn(image_loop(), 10 * NS_PER_S);
    return one.error;
}

static uint64_t allocated(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return (uint64_t)st.st_blocks * 512;
}

/* Patches bytes of the file. */
static void poke(const char *path, uint64_t offset, const void *data, size_t bytes)
{
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, data, bytes, (off_t)offset), (ssize_t)bytes);
    close(fd);
}

static uint64_t peek64(const char *path, uint64_t offset)
{
    uint8_t n[8];
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, n, 8, (off_t)offset), 8);
    close(fd);
    return qcow2_be64(n);
}

/* ---- Compressed clusters ----------------------------------------------------------------------
 */

static void compressed(const char *options, uint64_t bytes)
{
    struct model m;
    char source[512], image[512];

    snprintf(source, sizeof(source), "%s", image_path("source"));
    snprintf(image, sizeof(image), "%s", image_path("compressed"));
    model_init(&m, bytes, bytes);
    tools_run("rm -f '%s' '%s'", source, image);
    tools_must("qemu-img create -f raw '%s' %llu", source, (unsigned long long)bytes);
    image_qemu_writes(&m, "raw", source, bytes, 120);
    tools_must("qemu-img convert -c -f raw -O qcow2 -o %s '%s' '%s'", options, source, image);
    struct block *block = image_open(image, BLOCK_CACHE_WRITEBACK, true);
    model_compare(&m, image_loop(), block);
    block_close(block);
    for (unsigned round = 0; round < 2; round++) {
        block = image_open(image, round ? BLOCK_CACHE_NONE : BLOCK_CACHE_WRITEBACK, false);
        model_run(&m, image_loop(), block, 200);
        block_close(block);
        image_must_be_sound(options, image);
        image_compare_with_qemu(&m, image);
    }
    model_free(&m);
}

static void test_compressed_zlib(void **state)
{
    (void)state;
    need_tools();
    compressed("cluster_size=64k", 8 * MIB);
    compressed("cluster_size=512", 1 * MIB);
    compressed("cluster_size=2M", 24 * MIB);
    compressed("compat=0.10,cluster_size=4k", 2 * MIB);
    compressed("extended_l2=on", 8 * MIB);
}

static void test_compressed_zstd(void **state)
{
    (void)state;
    need_tools();
    compressed("compression_type=zstd,cluster_size=64k", 8 * MIB);
    compressed("compression_type=zstd,cluster_size=4k", 2 * MIB);
    compressed("compression_type=zstd,cluster_size=2M,refcount_bits=8", 24 * MIB);
    compressed("compression_type=zstd,extended_l2=on,cluster_size=32k", 4 * MIB);
}

/* Rubbish instead of compressed data is an error of the read, and of nothing else. */
static void test_compressed_rubbish(void **state)
{
    (void)state;
    static const char *const types[] = {"zlib", "zstd"};
    uint8_t *buf = malloc(MIB), rubbish[4096];

    need_tools();
    for (size_t i = 0; i < sizeof(rubbish); i++)
        rubbish[i] = (uint8_t)(i * 37 + 11);
    for (unsigned t = 0; t < 2; t++) {
        const char *image = image_path("rubbish"), *source = image_path("pattern");
        tools_run("rm -f '%s'", image);
        tools_must("head -c 1M /dev/urandom >'%s' && yes 0123456789abcde | head -c 512k | dd "
                   "of='%s' conv=notrunc",
                   source, source);
        tools_must("qemu-img convert -c -f raw -O qcow2 -o compression_type=%s '%s' '%s'", types[t],
                   source, image);
        /* The first cluster's descriptor: header, refcounts, L1, then L2 in cluster 4. */
        uint64_t l1 = peek64(image, 40), l2 = peek64(image, l1) & QCOW2_OFFSET_MASK;
        uint64_t entry = peek64(image, l2);
        assert_true(entry & QCOW2_COMPRESSED);
        poke(image, entry & ((UINT64_C(1) << 54) - 1), rubbish, 16);
        struct block *block = image_open(image, BLOCK_CACHE_WRITEBACK, false);
        assert_int_equal(request(block, BLOCK_READ, 0, buf, 4096), EIO);
        assert_int_equal(request(block, BLOCK_READ, 0, buf, 65536), EIO);
        assert_int_equal(request(block, BLOCK_READ, 65536, buf, 65536), 0);
        assert_memory_equal(buf, "0123456789abcde\n", 16);
        /* It can be written anew; but not in part. */
        assert_int_equal(request(block, BLOCK_WRITE, 512, buf, 512), EIO);
        assert_int_equal(request(block, BLOCK_WRITE, 0, buf, 65536), 0);
        assert_int_equal(request(block, BLOCK_READ, 0, buf, 65536), 0);
        block_close(block);
        image_must_be_sound(types[t], image);
    }
    free(buf);
}

/* ---- Snapshots --------------------------------------------------------------------------------
 */

static void snapshots(const char *options, uint64_t bytes)
{
    struct model m, first, second;
    char image[512];

    snprintf(image, sizeof(image), "%s", image_path("snapshots"));
    tools_run("rm -f '%s'", image);
    model_init(&m, bytes, bytes + 1);
    model_init(&first, bytes, 1);
    model_init(&second, bytes, 1);
    tools_must("qemu-img create -f qcow2 -o %s '%s' %llu", options, image,
               (unsigned long long)bytes);
    struct model *kept[] = {&first, &second};
    for (unsigned round = 0; round < 3; round++) {
        struct block *block = image_open(image, BLOCK_CACHE_WRITEBACK, false);
        model_run(&m, image_loop(), block, 150);
        block_close(block);
        image_must_be_sound(options, image);
        if (round == 2)
            break;
        tools_must("qemu-img snapshot -c s%u '%s'", round, image);
        memcpy(kept[round]->data, m.data, bytes);
        memcpy(kept[round]->discarded, m.discarded, bytes / MODEL_SECTOR);
    }
    image_compare_with_qemu(&m, image);
    for (unsigned i = 0; i < 2; i++) {
        tools_must("qemu-img convert -f qcow2 -l snapshot.name=s%u -O raw '%s' '%s'", i, image,
                   image_path("out.raw"));
        model_compare_file(kept[i], image_path("out.raw"));
    }
    /* Going back, and on from there. */
    tools_must("qemu-img snapshot -a s0 '%s'", image);
    struct block *block = image_open(image, BLOCK_CACHE_WRITEBACK, false);
    model_compare(&first, image_loop(), block);
    model_run(&first, image_loop(), block, 150);
    block_close(block);
    image_must_be_sound(options, image);
    tools_must("qemu-img snapshot -d s0 '%s' && qemu-img snapshot -d s1 '%s'", image, image);
    image_must_be_sound(options, image);
    block = image_open(image, BLOCK_CACHE_WRITEBACK, false);
    model_run(&first, image_loop(), block, 150);
    block_close(block);
    image_must_be_sound(options, image);
    image_compare_with_qemu(&first, image);
    model_free(&m);
    model_free(&first);
    model_free(&second);
}

static void test_snapshots(void **state)
{
    (void)state;
    need_tools();
    snapshots("cluster_size=64k", 8 * MIB);
    snapshots("cluster_size=512", 1 * MIB);
    snapshots("cluster_size=4k,refcount_bits=4", 4 * MIB);
    snapshots("compat=0.10,cluster_size=16k", 4 * MIB);
    snapshots("extended_l2=on", 8 * MIB);
    snapshots("preallocation=metadata,cluster_size=2M", 32 * MIB);
}

/* ---- The other way round: QEMU writes, we read ------------------------------------------------
 */

static void test_written_by_qemu(void **state)
{
    (void)state;
    static const char *const options[] = {"cluster_size=64k",
                                          "cluster_size=512",
                                          "cluster_size=2M",
                                          "compat=0.10",
                                          "extended_l2=on",
                                          "extended_l2=on,cluster_size=16k",
                                          "lazy_refcounts=on,cluster_size=4k",
                                          "preallocation=metadata",
                                          "preallocation=full,cluster_size=8k",
                                          "refcount_bits=1,cluster_size=1k",
                                          "refcount_bits=64"};
    need_tools();
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        struct model m;
        const char *image = image_path("qemu.qcow2");
        tools_run("rm -f '%s'", image);
        model_init(&m, 6 * MIB, i);
        tools_must("qemu-img create -f qcow2 -o %s '%s' 6M", options[i], image);
        /* Turn by turn: each takes on what the other has left. */
        for (unsigned round = 0; round < 3; round++) {
            image_qemu_writes(&m, "qcow2", image, m.bytes, 100);
            struct block *block = image_open(image, BLOCK_CACHE_WRITEBACK, false);
            model_compare(&m, image_loop(), block);
            model_run(&m, image_loop(), block, 60);
            block_close(block);
            image_must_be_sound(options[i], image);
        }
        image_compare_with_qemu(&m, image);
        model_free(&m);
    }
}

/* ---- Chains -----------------------------------------------------------------------------------
 */

static void test_chain(void **state)
{
    (void)state;
    struct model m;
    static const uint64_t sizes[] = {3 * MIB, 5 * MIB + 512, 2 * MIB, 8 * MIB};
    const char *top = image_path("chain3");

    need_tools();
    model_init(&m, 8 * MIB, 9);
    tools_run("rm -f '%s'", image_path("chain*"));
    for (unsigned i = 0; i < 4; i++) {
        const char *image = image_path("");
        if (!i)
            tools_must("qemu-img create -f raw '%schain0' %llu", image,
                       (unsigned long long)sizes[i]);
        else
            tools_must("qemu-img create -f qcow2 -o cluster_size=%uk -F %s -b chain%u '%schain%u' "
                       "%llu",
                       4u << i, i == 1 ? "raw" : "qcow2", i - 1, image, i,
                       (unsigned long long)sizes[i]);
        char path[600];
        snprintf(path, sizeof(path), "%schain%u", image, i);
        image_qemu_writes(&m, i ? "qcow2" : "raw", path, sizes[i], 40);
        /* A shorter one hides what is behind it beyond its end. */
        if (sizes[i] < m.bytes)
            memset(m.data + sizes[i], 0, m.bytes - sizes[i]);
    }
    top = image_path("chain3");
    struct block *block = image_open(top, BLOCK_CACHE_WRITEBACK, false);
    model_compare(&m, image_loop(), block);
    model_run(&m, image_loop(), block, 300);
    block_close(block);
    image_must_be_sound("chain", top);
    image_compare_with_qemu(&m, top);
    model_free(&m);
}

static void refused(const char *path, bool read_only, const char *words)
{
    struct err err = {.text = ""};
    char copy[256];
    struct block *block = image_try(path, read_only, &err);

    if (block)
        fail_msg("%s was opened (%s)", path, words);
    snprintf(copy, sizeof(copy), "%s", words);
    for (char *w = strtok(copy, "|"); w; w = strtok(NULL, "|"))
        if (!strstr(err.text, w))
            fail_msg("'%s' is not in: %s", w, err.text);
}

static void test_chain_refusals(void **state)
{
    (void)state;
    const char *a = image_path("a"), *b = image_path("b"), *dir = tools_dir();

    need_tools();
    /* A circle. */
    tools_must(
        "cd '%s' && rm -f a b && qemu-img create -f qcow2 a 1M && qemu-img create -f qcow2 -F "
        "qcow2 -b a b && qemu-img rebase -u -F qcow2 -b b a",
        dir);
    refused(a, false, "behind itself");
    refused(b, true, "behind itself");
    /* No format named: never guessed. */
    tools_must(
        "cd '%s' && rm -f a b && qemu-img create -f qcow2 a 1M && qemu-img create -f qcow2 -F "
        "qcow2 -b a b",
        dir);
    assert_int_equal(peek64(b, 112) >> 32, 0xe2792aca);
    poke(b, 112, "none", 4);
    refused(b, false, "does not say which format|qemu-img rebase -u -F");
    tools_must("cd '%s' && qemu-img rebase -u -F vmdk -b a b", dir);
    refused(b, false, "vmdk|raw and qcow2");
    tools_must("cd '%s' && qemu-img rebase -u -F raw -b nbd://host/x b", dir);
    refused(b, false, "nbd|local files");
    tools_must("cd '%s' && qemu-img rebase -u -F raw -b 'json:{}' b", dir);
    refused(b, false, "json|local files");
    tools_must("cd '%s' && qemu-img rebase -u -F raw -b missing b", dir);
    refused(b, false, "missing|no such file");
    /* Too long. */
    tools_must("cd '%s' && rm -f c* && qemu-img create -f qcow2 c0 1M && for i in $(seq 1 20); do "
               "qemu-img create -q -f qcow2 -F qcow2 -b c$((i-1)) c$i; done",
               dir);
    refused(image_path("c20"), false, "more than 16 images");
    struct err err;
    struct block *block = image_try(image_path("c15"), false, &err);
    assert_non_null(block);
    block_close(block);
}

/* ---- Feature bits -----------------------------------------------------------------------------
 */

static void test_refusals(void **state)
{
    (void)state;
    const char *a = image_path("a"), *dir = tools_dir();

    need_tools();
    tools_must("cd '%s' && rm -f a && qemu-img create -f qcow a 1M", dir);
    refused(a, true, "version 1|qemu-img convert");
    tools_must("cd '%s' && qemu-img create -f raw a 1M", dir);
    refused(a, true, "not a qcow2 image|format=raw");
    tools_must("cd '%s' && rm -f a && qemu-img create -f qcow2 -o data_file=d a 1M", dir);
    refused(a, true, "external file");
    tools_must("cd '%s' && rm -f a && qemu-img create -f qcow2 a 1M", dir);
    poke(a, 32, "\0\0\0\1", 4);
    refused(a, true, "encrypted (AES)|qemu-img convert");
    poke(a, 32, "\0\0\0\2", 4);
    refused(a, true, "encrypted (LUKS)");
    tools_must("cd '%s' && rm -f a && qemu-img create -f qcow2 a 1M", dir);
    poke(a, 72, "\0\0\0\0\0\0\1\0", 8);
    refused(a, true, "feature bit 8");
}

/* The bits that vouch for bitmaps go when we write, and not before. */
static void test_autoclear(void **state)
{
    (void)state;
    const char *image = image_path("bitmaps");
    uint8_t sector[512] = {1};

    need_tools();
    tools_run("rm -f '%s'", image);
    tools_must("qemu-img create -f qcow2 '%s' 4M && qemu-img bitmap --add '%s' b", image, image);
    assert_int_equal(peek64(image, 88), 1);
    struct block *block = image_open(image, BLOCK_CACHE_WRITEBACK, false);
    assert_int_equal(request(block, BLOCK_READ, 0, sector, 512), 0);
    assert_int_equal(request(block, BLOCK_FLUSH, 0, NULL, 0), 0);
    assert_int_equal(peek64(image, 88), 1);
    assert_int_equal(request(block, BLOCK_WRITE, 0, sector, 512), 0);
    assert_int_equal(peek64(image, 88), 0);
    block_close(block);
    assert_int_equal(tools_check("qcow2", image) & ~3, 0); /* the bitmap's clusters leak */
}

static void test_corrupt_bit(void **state)
{
    (void)state;
    const char *image = image_path("corrupt");
    uint8_t sector[512];

    need_tools();
    tools_run("rm -f '%s'", image);
    tools_must("qemu-img create -f qcow2 '%s' 4M && qemu-io -f qcow2 -c 'write -P 7 0 4M' '%s'",
               image, image);
    poke(image, 72, "\0\0\0\0\0\0\0\2", 8);
    refused(image, false, "marked as corrupt|qemu-img check");
    struct block *block = image_open(image, BLOCK_CACHE_WRITEBACK, true);
    assert_int_equal(request(block, BLOCK_READ, 4096, sector, 512), 0);
    assert_int_equal(sector[0], 7);
    block_close(block);
}

/* An image whose refcounts were not written (its writer died). */
static void test_left_dirty(void **state)
{
    (void)state;
    static const char *const options[] = {"cluster_size=64k", "cluster_size=512",
                                          "cluster_size=4k,refcount_bits=1",
                                          "extended_l2=on,refcount_bits=64"};
    need_tools();
    for (unsigned i = 0; i < 4; i++) {
        const char *image = image_path("dirty");
        struct model m;
        tools_run("rm -f '%s'", image);
        tools_must("qemu-img create -f qcow2 -o lazy_refcounts=on,%s '%s' 4M", options[i], image);
        tools_run("ulimit -c 0; qemu-io -f qcow2 -c 'write -P 1 0 700k' -c 'write -P 2 2M 300k' -c "
                  "flush -c abort '%s'",
                  image);
        assert_int_equal(peek64(image, 72) & 1, 1);
        model_init(&m, 4 * MIB, i);
        memset(m.data, 1, 700 * 1024);
        memset(m.data + 2 * MIB, 2, 300 * 1024);
        struct block *block =
            image_open(image, BLOCK_CACHE_WRITEBACK, true); /* to read: as it is */
        model_compare(&m, image_loop(), block);
        block_close(block);
        assert_int_equal(peek64(image, 72) & 1, 1);
        block = image_open(image, BLOCK_CACHE_WRITEBACK, false);
        assert_int_equal(peek64(image, 72) & 1, 0);
        model_run(&m, image_loop(), block, 100);
        block_close(block);
        image_must_be_sound(options[i], image);
        image_compare_with_qemu(&m, image);
        model_free(&m);
    }
}

/* ---- Space and memory -------------------------------------------------------------------------
 */

static void test_discard_frees(void **state)
{
    (void)state;
    const char *image = image_path("discard");
    uint8_t *buf = malloc(4 * MIB);

    need_tools();
    memset(buf, 0xa5, 4 * MIB);
    tools_run("rm -f '%s'", image);
    tools_must("qemu-img create -f qcow2 '%s' 64M", image);
    struct block *block = image_open(image, BLOCK_CACHE_WRITEBACK, false);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(request(block, BLOCK_WRITE, i * 4 * MIB, buf, 4 * MIB), 0);
    assert_int_equal(request(block, BLOCK_FLUSH, 0, NULL, 0), 0);
    uint64_t full = allocated(image);
    assert_true(full >= 32 * MIB);
    assert_int_equal(request(block, BLOCK_DISCARD, 0, NULL, 32 * MIB), 0);
    assert_int_equal(request(block, BLOCK_READ, 5 * MIB, buf, 512), 0);
    assert_int_equal(buf[0], 0);
    block_close(block);
    image_must_be_sound("discard", image);
    assert_true(allocated(image) < 2 * MIB);
    /* The freed clusters are used again. */
    struct stat before, after;
    stat(image, &before);
    block = image_open(image, BLOCK_CACHE_WRITEBACK, false);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(request(block, BLOCK_WRITE, i * 4 * MIB, buf, 4 * MIB), 0);
    block_close(block);
    stat(image, &after);
    assert_true(after.st_size <= before.st_size + 1 * MIB);
    image_must_be_sound("written again", image);
    free(buf);
}

static long rss_kib(void)
{
    long size, resident;
    FILE *f = fopen("/proc/self/statm", "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%ld %ld", &size, &resident), 2);
    fclose(f);
    return resident * 4;
}

/* Grown in use, again and again, with writes at work before and after; QEMU agrees. */
static void grows(const char *options, uint64_t from, uint64_t step, unsigned times)
{
    const char *path = image_path("grows.qcow2");
    struct model m;
    struct err err;

    tools_must("qemu-img create -q -f qcow2 %s '%s' %llu", options, path, (unsigned long long)from);
    model_init(&m, from + times * step, from);
    struct block *block = image_open(path, BLOCK_CACHE_WRITEBACK, false);
    for (unsigned i = 0; i <= times; i++) {
        m.bytes = from + i * step;
        if (i && !block_resize(block, m.bytes, &err))
            fail_msg("%s: %s", options, err.text);
        assert_int_equal(block_bytes(block), m.bytes);
        model_run(&m, image_loop(), block, 60);
    }
    model_compare(&m, image_loop(), block);
    assert_false(block_resize(block, m.bytes - 512, &err));
    assert_non_null(strstr(err.text, "--shrink"));
    model_compare(&m, image_loop(), block);
    block_close(block);
    image_must_be_sound(options, path);
    image_compare_with_qemu(&m, path);
    model_free(&m);
}

static void test_grows(void **state)
{
    (void)state;
    need_tools();
    grows("", 1 << 20, 7 * 65536 + 512, 6);
    grows("-o cluster_size=512", 40000 * 512, 3 * 32768, 12); /* its L1 table moves */
    grows("-o cluster_size=512,refcount_bits=1", 1 << 20, 256 * 1024, 20);
    grows("-o cluster_size=4k,compat=0.10", 1 << 20, 5 << 20, 5);
    grows("-o cluster_size=16k,extended_l2=on", 8 << 20, 3 << 20, 5);
    grows("-o cluster_size=1k,lazy_refcounts=on", 1 << 20, 900 * 1024, 10);
}

static void test_grow_refusals(void **state)
{
    const char *path = image_path("grow.qcow2");
    struct err err;
    (void)state;
    need_tools();

    /* Much larger at once, over a backing file that is no longer than the image. */
    tools_must("qemu-img create -q -f raw '%s/small' 1M", tools_dir());
    tools_must("qemu-img create -q -f qcow2 -F raw -b small '%s' 2M", path);
    struct block *block = image_open(path, BLOCK_CACHE_WRITEBACK, false);
    assert_true(block_resize(block, UINT64_C(8) << 40, &err));
    char buf[512] = {1}, got[512];
    assert_int_equal(request(block, BLOCK_WRITE, (UINT64_C(8) << 40) - 512, buf, 512), 0);
    assert_int_equal(request(block, BLOCK_READ, (UINT64_C(8) << 40) - 512, got, 512), 0);
    assert_memory_equal(buf, got, 512);
    assert_false(block_resize(block, UINT64_C(1) << 60, &err));
    assert_non_null(strstr(err.text, "too many"));
    block_close(block);
    image_must_be_sound("grown to 8 TiB", path);

    tools_must("qemu-img create -q -f qcow2 -F raw -b small '%s' 512k", path);
    block = image_open(path, BLOCK_CACHE_WRITEBACK, false);
    assert_false(block_resize(block, 1 << 20, &err));
    assert_non_null(strstr(err.text, "backing file is longer"));
    block_close(block);

    tools_must("qemu-img create -q -f qcow2 -o compat=0.10 '%s' 1M", path);
    tools_must("qemu-img snapshot -c one '%s'", path);
    block = image_open(path, BLOCK_CACHE_WRITEBACK, false);
    assert_false(block_resize(block, 2 << 20, &err));
    assert_non_null(strstr(err.text, "snapshots"));
    block_close(block);

    /* Version 3 snapshots have their own size. */
    tools_must("qemu-img create -q -f qcow2 -o cluster_size=512 '%s' 64k", path);
    tools_must("qemu-io -f qcow2 -c 'write -P 7 0 64k' '%s'", path);
    tools_must("qemu-img snapshot -c one '%s'", path);
    block = image_open(path, BLOCK_CACHE_WRITEBACK, false);
    assert_true(block_resize(block, 9 << 20, &err));
    assert_int_equal(request(block, BLOCK_WRITE, 0, buf, 512), 0);
    block_close(block);
    image_must_be_sound("grown with a snapshot", path);
    tools_must("qemu-img snapshot -a one '%s'", path);
    image_must_be_sound("and back", path);
    tools_must("qemu-io -f qcow2 -c 'read -P 7 0 64k' '%s'", path);
}

/* A 2 TiB disk, used all over, takes no more than 8 MiB. */
static void test_memory_bound(void **state)
{
    (void)state;
    const char *image = image_path("large");
    uint8_t *buf = malloc(4096);
    uint64_t seed = 7;

    need_tools();
    tools_run("rm -f '%s'", image);
    tools_must("qemu-img create -f qcow2 '%s' 2T", image);
    long before = rss_kib();
    struct block *block = image_open(image, BLOCK_CACHE_WRITEBACK, false);
    struct qcow2 *q = block->image;
    for (unsigned i = 0; i < 6000; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        uint64_t at = (seed >> 22) % (UINT64_C(2) << 40 >> 12) << 12;
        memset(buf, (int)(i & 0xff), 4096);
        assert_int_equal(request(block, BLOCK_WRITE, at, buf, 4096), 0);
        assert_int_equal(request(block, BLOCK_READ, at, buf, 4096), 0);
        assert_int_equal(buf[4095], i & 0xff);
    }
    assert_true(q->cache.capacity << q->cache.page_bits <= QCOW2_CACHE_BYTES);
#ifndef __SANITIZE_ADDRESS__
    long used = rss_kib() - before;
    if (used > 8 * 1024)
        fail_msg("%ld KiB", used);
#else
    (void)before;
#endif
    block_close(block);
    image_must_be_sound("large", image);
    free(buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compressed_zlib),    cmocka_unit_test(test_compressed_zstd),
        cmocka_unit_test(test_compressed_rubbish), cmocka_unit_test(test_snapshots),
        cmocka_unit_test(test_written_by_qemu),    cmocka_unit_test(test_chain),
        cmocka_unit_test(test_chain_refusals),     cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_autoclear),          cmocka_unit_test(test_corrupt_bit),
        cmocka_unit_test(test_left_dirty),         cmocka_unit_test(test_discard_frees),
        cmocka_unit_test(test_memory_bound),       cmocka_unit_test(test_grows),
        cmocka_unit_test(test_grow_refusals),
    };
    return cmocka_run_group_tests(tests, image_setup, image_teardown);
}
