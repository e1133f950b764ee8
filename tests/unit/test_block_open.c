/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_block_open: opening raw images: what is refused, in which words, and what is not. */
#include "tests/unit/block_rig.h"

#include <limits.h>
#include <sched.h>
#include <sys/mount.h>

/* One line: no newline, the file's name, the words. */
static void refused(struct block_rig *rig, const struct block_config *config, const char *words)
{
    struct block *block = block_open(rig->loop, config, &rig->err);
    assert_null(block);
    assert_null(strchr(rig->err.text, '\n'));
    assert_non_null(strstr(rig->err.text, config->file));
    assert_non_null(strstr(rig->err.text, config->id));
    if (!strstr(rig->err.text, words))
        fail_msg("'%s' does not say '%s'", rig->err.text, words);
}

static void test_open_refusals(void **state)
{
    struct block_rig *rig = *state;
    struct block_config config;
    char path[600];

    config = rig_config("/nonexistent/disk.img", BLOCK_CACHE_WRITEBACK, false);
    refused(rig, &config, "no such file");
    config = rig_config(rig->dir, BLOCK_CACHE_WRITEBACK, false);
    refused(rig, &config, "is a directory");
    config = rig_config("/dev/null", BLOCK_CACHE_WRITEBACK, false);
    refused(rig, &config, "character device");

    config = rig_config(rig_image(rig, "empty", 0, false), BLOCK_CACHE_WRITEBACK, false);
    refused(rig, &config, "is empty");
    config = rig_config(rig_image(rig, "short", 511, false), BLOCK_CACHE_WRITEBACK, false);
    refused(rig, &config, "smaller than one sector");

    config = rig_config(rig_image(rig, "ro", 4096, true), BLOCK_CACHE_WRITEBACK, false);
    assert_int_equal(chmod(rig->path, 0444), 0);
    refused(rig, &config, "read-only");
    config.read_only = true;
    struct block *block = block_open(rig->loop, &config, &rig->err);
    assert_non_null(block);
    block_close(block);
    assert_int_equal(chmod(rig->path, 0), 0);
    refused(rig, &config, "no permission");

    snprintf(path, sizeof(path), "%s/a/b", rig->path);
    config = rig_config(path, BLOCK_CACHE_WRITEBACK, false);
    refused(rig, &config, "not a directory");

    /* A FIFO without a writer must not hang us. */
    snprintf(path, sizeof(path), "%s/fifo", rig->dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    config = rig_config(path, BLOCK_CACHE_WRITEBACK, true);
    refused(rig, &config, "neither a file nor a block device");

    snprintf(path, sizeof(path), "%s/loop", rig->dir);
    assert_int_equal(symlink("loop", path), 0);
    config = rig_config(path, BLOCK_CACHE_WRITEBACK, false);
    refused(rig, &config, strerror(ELOOP));
}

/* A name of the greatest length, with everything in it that a name may have. */
static void test_long_names(void **state)
{
    struct block_rig *rig = *state;
    char path[PATH_MAX + 64];
    int n = snprintf(path, sizeof(path), "/nonexistent/ a,b=c%%s ");
    memset(path + n, 'x', sizeof(path) - (size_t)n);
    path[PATH_MAX - 1] = 0;
    struct block_config config = rig_config(path, BLOCK_CACHE_WRITEBACK, false);
    assert_null(block_open(rig->loop, &config, &rig->err));
    assert_non_null(strstr(rig->err.text, "/nonexistent/ a,b=c%s "));

    struct block *block =
        rig_open(rig, rig_image(rig, "a b,c=d%s", 4096, true), BLOCK_CACHE_WRITEBACK, false);
    assert_non_null(block);
    assert_string_equal(block_file(block), rig->path);
    assert_string_equal(block_id(block), "ide0-hd0");
    block_close(block);
}

static void test_descriptors(void **state)
{
    struct block_rig *rig = *state;
    struct block_config config =
        rig_config(rig_image(rig, "fd", 65536, true), BLOCK_CACHE_WRITEBACK, false);
    uint8_t buf[512], want[512];

    config.fd = open(rig->path, O_RDONLY);
    refused(rig, &config, "open for reading only");
    assert_int_equal(fcntl(config.fd, F_GETFD), -1); /* was taken over */
    config.fd = open(rig->path, O_WRONLY);
    refused(rig, &config, "not open for reading");
    config.fd = open(rig->path, O_RDWR | O_APPEND);
    refused(rig, &config, "appending");
    config.fd = open(rig->dir, O_RDONLY);
    config.read_only = true;
    refused(rig, &config, "is a directory");
    config.fd = 1000; /* not open */
    refused(rig, &config, "not open");

    /* O_DIRECT and O_NONBLOCK on the descriptor are ours to decide; `file` is only a name. */
    config.fd = open(rig->path, O_RDWR | O_NONBLOCK);
    config.read_only = false;
    config.file = "/dev/fdset/3";
    struct block *block = block_open(rig->loop, &config, &rig->err);
    assert_non_null(block);
    assert_int_equal(fcntl(config.fd, F_GETFD), FD_CLOEXEC);
    assert_false(fcntl(config.fd, F_GETFL) & O_NONBLOCK);
    assert_int_equal(rig_read(rig, block, 512, buf, 512), 0);
    rig_fill(want, 512, 512);
    assert_memory_equal(buf, want, 512);
    block_close(block);
    assert_int_equal(fcntl(config.fd, F_GETFD), -1);
}

static void test_size_is_rounded_down(void **state)
{
    struct block_rig *rig = *state;
    uint8_t buf[1024];
    struct block *block =
        rig_open(rig, rig_image(rig, "odd", 2048 + 300, true), BLOCK_CACHE_WRITEBACK, false);
    assert_int_equal(block_bytes(block), 2048);
    assert_int_equal(rig_read(rig, block, 1536, buf, 512), 0);
    assert_int_equal(rig_read(rig, block, 1536, buf, 1024), EINVAL);
    block_close(block);
}

static void test_no_o_direct(void **state)
{
    struct block_rig *rig = *state;
    char path[512];

    snprintf(path, sizeof(path), "%s/ramfs", rig->dir);
    mkdir(path, 0700);
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("none", path, "ramfs", 0, NULL) < 0) {
        print_message("skip: needs the right to mount a file system without O_DIRECT\n");
        skip();
    }
    struct block_config config =
        rig_config(rig_image(rig, "ramfs/img", 65536, true), BLOCK_CACHE_NONE, false);
    refused(rig, &config, "cache=none");
    assert_non_null(strstr(rig->err.text, "writeback"));
    config.cache = BLOCK_CACHE_DIRECTSYNC;
    refused(rig, &config, "cache=directsync");
    assert_non_null(strstr(rig->err.text, "writethrough"));
    /* and nothing else is missed there */
    struct block *block = rig_open(rig, rig->path, BLOCK_CACHE_WRITETHROUGH, false);
    uint8_t buf[4096] = {42}, back[4096];
    assert_int_equal(rig_write(rig, block, 4096, buf, 4096), 0);
    assert_int_equal(rig_op(rig, block, BLOCK_FLUSH, 0, 0), 0);
    assert_int_equal(rig_op(rig, block, BLOCK_DISCARD, 0, 4096), 0); /* advice: no holes here */
    assert_int_equal(rig_op(rig, block, BLOCK_WRITE_ZEROES, 8192, 8192), 0);
    assert_int_equal(rig_read(rig, block, 4096, back, 4096), 0);
    assert_memory_equal(buf, back, 4096);
    assert_int_equal(rig_read(rig, block, 12288, back, 4096), 0);
    memset(buf, 0, sizeof(buf));
    assert_memory_equal(buf, back, 4096);
    block_close(block);
    umount(path);
}

static void test_read_only_file_system(void **state)
{
    struct block_rig *rig = *state;
    char path[512];

    snprintf(path, sizeof(path), "%s/rofs", rig->dir);
    mkdir(path, 0700);
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("none", path, "tmpfs", 0, "size=1m") < 0) {
        print_message("skip: needs the right to mount a read-only file system\n");
        skip();
    }
    rig_image(rig, "rofs/img", 65536, true);
    assert_int_equal(mount(NULL, path, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
    struct block_config config = rig_config(rig->path, BLOCK_CACHE_WRITEBACK, false);
    refused(rig, &config, "is read-only; attach it read-only");
    struct block *block = rig_open(rig, rig->path, BLOCK_CACHE_WRITEBACK, true);
    assert_non_null(block);
    block_close(block);
    umount(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open_refusals), cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_descriptors),   cmocka_unit_test(test_size_is_rounded_down),
        cmocka_unit_test(test_no_o_direct),   cmocka_unit_test(test_read_only_file_system),
    };
    return cmocka_run_group_tests(tests, block_rig_setup, block_rig_teardown);
}
