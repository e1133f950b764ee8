/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_commit: `commit`, an overlay written into the image that it lies on, judged by qemu-img
 * compare; what it refuses; and that cutting it short changes nothing that the guest sees.
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
#include <unistd.h>

#include "block/copy_down.h"
#include "hw/core/loop.h"
#include "tests/block/image.h"
#include "tests/block/tools.h"

#define MIB UINT64_C(1048576)

static char overlay[512], base[512];

/* Data in the base, others over it, zeroes over data, clusters that only one of the two has. */
static void make(const char *format, uint64_t base_mib, uint64_t mib)
{
    snprintf(overlay, sizeof(overlay), "%s", image_path("overlay"));
    snprintf(base, sizeof(base), "%s", image_path("base"));
    tools_run("rm -f '%s' '%s'", overlay, base);
    tools_must("qemu-img create -f %s '%s' %lluM", format, base, (unsigned long long)base_mib);
    tools_must("qemu-io -f %s -c 'write -P 1 0 1536k' -c 'write -P 2 2M 1M' '%s'", format, base);
    tools_must("qemu-img create -f qcow2 -F %s -b base '%s' %lluM", format, overlay,
               (unsigned long long)mib);
    tools_must("qemu-io -f qcow2 -c 'write -P 3 512 4096' -c 'write -P 4 1000k 700k' "
               "-c 'write -z 2200k 300k' -c 'write -P 5 %lluk 512' '%s'",
               (unsigned long long)(mib * 1024 - 1), overlay);
}

static struct block *open_base(enum block_format format, struct err *err)
{
    const struct block_config config = {
        .id = "base", .file = base, .fd = -1, .format = format, .cache = BLOCK_CACHE_WRITEBACK};
    struct block *block = block_open(image_loop(), &config, err);

    if (block && !block_activate(block, err)) {
        block_close(block);
        block = NULL;
    }
    return block;
}

/* The guest stands still: the overlay is open and nobody's. */
static struct block *open_stopped(void)
{
    struct block *top = image_open(overlay, BLOCK_CACHE_WRITEBACK, false);
    struct err err;

    assert_true(block_inactivate(top, &err));
    return top;
}

static const char *end;
static bool ended;

static void on_done(void *opaque, const char *why)
{
    ended = true;
    end = why;
    loop_quit(opaque, 0);
}

static void commit(struct block *top, enum block_format format)
{
    struct err err = {.text = ""};
    struct block *below = open_base(format, &err);
    struct copy_down *copy;

    if (!below)
        fail_msg("%s", err.text);
    ended = false;
    copy = copy_down_start(image_loop(), top, below, on_done, image_loop(), &err);
    if (!copy)
        fail_msg("%s", err.text);
    loop_run(image_loop());
    assert_true(ended);
    assert_null(end);
    assert_int_equal(copy_down_progress(copy), block_bytes(top));
    copy_down_free(copy);
}

static void assert_same(const char *format)
{
    tools_must("qemu-img compare -f qcow2 -F %s '%s' '%s'", format, overlay, base);
}

static void run(const char *name, enum block_format format)
{
    struct err err;

    if (!tools_there())
        skip();
    make(name, 8, 8);
    struct block *top = open_stopped();
    assert_int_not_equal(
        tools_run("qemu-img compare -f qcow2 -F %s '%s' '%s'", name, overlay, base), 0);
    commit(top, format);
    commit(top, format); /* once more: there is nothing left to do */
    /* The guest goes on, and writes. */
    assert_true(block_activate(top, &err));
    block_close(top);
    assert_same(name);
    if (format == BLOCK_FORMAT_QCOW2)
        image_must_be_sound("base", base);
    image_must_be_sound("overlay", overlay);
    tools_must("qemu-io -f qcow2 -c 'read -P 3 512 4096' -c 'read -P 4 1000k 700k' "
               "-c 'read -P 1 900k 100k' -c 'read -P 0 2200k 300k' -c 'read -P 2 2100k 100k' '%s'",
               overlay);
}

static void test_raw(void **state)
{
    (void)state;
    run("raw", BLOCK_FORMAT_RAW);
}

static void test_qcow2(void **state)
{
    (void)state;
    run("qcow2", BLOCK_FORMAT_QCOW2);
}

/* A longer base keeps what is behind; a shorter one is refused. */
static void test_other_sizes(void **state)
{
    struct err err;

    (void)state;
    if (!tools_there())
        skip();
    make("raw", 16, 8);
    tools_must("qemu-io -f raw -c 'write -P 7 9M 1M' '%s'", base);
    struct block *top = open_stopped();
    commit(top, BLOCK_FORMAT_RAW);
    block_close(top);
    tools_must("qemu-io -f raw -c 'read -P 7 9M 1M' -c 'read -P 4 1000k 700k' '%s'", base);
    make("qcow2", 4, 9);
    top = open_stopped();
    struct block *below = open_base(BLOCK_FORMAT_QCOW2, &err);
    assert_non_null(below);
    assert_null(copy_down_start(image_loop(), top, below, on_done, image_loop(), &err));
    assert_non_null(strstr(err.text, "shorter"));
    block_close(below);
    block_close(top);
}

/* Only the very file below is taken, and only while nobody else uses it. */
static void test_refused(void **state)
{
    struct err err;
    int fd;

    (void)state;
    if (!tools_there())
        skip();
    make("raw", 8, 8);
    struct block *top = open_stopped();
    fd = open(base, O_RDWR);
    assert_true(block_lies_on(top, fd, &err));
    close(fd);
    fd = open(overlay, O_RDWR);
    assert_false(block_lies_on(top, fd, &err));
    assert_non_null(strstr(err.text, "not the image on which"));
    close(fd);
    assert_false(block_lies_on(top, -1, &err));
    /* A running guest has it locked, be it ours or another. */
    assert_true(block_activate(top, &err));
    assert_null(open_base(BLOCK_FORMAT_RAW, &err));
    assert_true(block_inactivate(top, &err));
    struct block *plain = open_base(BLOCK_FORMAT_RAW, &err);
    assert_non_null(plain);
    fd = open(base, O_RDWR);
    assert_false(block_lies_on(plain, fd, &err));
    assert_non_null(strstr(err.text, "lies on no other image"));
    close(fd);
    block_close(plain);
    block_close(top);
}

/* The name of the file below leads elsewhere meanwhile: it is the open file that counts. */
static void test_renamed(void **state)
{
    static const char *const formats[] = {"raw", "qcow2"};
    struct err err;

    (void)state;
    if (!tools_there())
        skip();
    for (unsigned i = 0; i < 2; i++) {
        make(formats[i], 8, 8);
        struct block *top = open_stopped();
        tools_must("mv '%s' '%s.old' && truncate -s 8M '%s'", base, base, base);
        int other = open(base, O_RDWR);
        assert_int_equal(rename(image_path("base.old"), base), 0);
        int real = open(base, O_RDWR);
        assert_true(block_lies_on(top, real, &err));
        assert_false(block_lies_on(top, other, &err));
        close(real);
        close(other);
        block_close(top);
    }
}

/* `cont` in the middle of it: the overlay shows what it did. */
static void test_cut_short(void **state)
{
    struct err err;

    (void)state;
    if (!tools_there())
        skip();
    make("qcow2", 8, 8);
    tools_must("cp '%s' '%s.before'", base, base);
    tools_must("qemu-img convert -f qcow2 -O raw '%s' '%s.seen'", overlay, overlay);
    struct block *top = open_stopped();
    struct block *below = open_base(BLOCK_FORMAT_QCOW2, &err);
    assert_non_null(below);
    struct copy_down *copy = copy_down_start(image_loop(), top, below, on_done, image_loop(), &err);
    assert_non_null(copy);
    /* Others wait for the image meanwhile; that ends. */
    block_drain(top);
    copy_down_free(copy);
    assert_true(block_activate(top, &err));
    block_close(top);
    image_must_be_sound("overlay", overlay);
    image_must_be_sound("base", base);
    tools_must("qemu-img compare -f qcow2 -F raw '%s' '%s.seen'", overlay, overlay);
}

/* What the image below cannot take ends it, with the reason. */
static void test_error(void **state)
{
    struct err err;

    (void)state;
    if (!tools_there())
        skip();
    make("raw", 8, 8);
    struct block *top = open_stopped();
    struct block *below = open_base(BLOCK_FORMAT_RAW, &err);
    assert_non_null(below);
    assert_true(block_inactivate(below, &err)); /* every write fails with EIO */
    ended = false;
    struct copy_down *copy = copy_down_start(image_loop(), top, below, on_done, image_loop(), &err);
    assert_non_null(copy);
    loop_run(image_loop());
    assert_true(ended);
    assert_string_equal(end, strerror(EIO));
    copy_down_free(copy);
    block_close(top);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_raw, image_setup, image_teardown),
        cmocka_unit_test_setup_teardown(test_qcow2, image_setup, image_teardown),
        cmocka_unit_test_setup_teardown(test_other_sizes, image_setup, image_teardown),
        cmocka_unit_test_setup_teardown(test_refused, image_setup, image_teardown),
        cmocka_unit_test_setup_teardown(test_renamed, image_setup, image_teardown),
        cmocka_unit_test_setup_teardown(test_cut_short, image_setup, image_teardown),
        cmocka_unit_test_setup_teardown(test_error, image_setup, image_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
