/* SPDX-License-Identifier: GPL-2.0-or-later */
/* block_rig: images in a scratch directory and requests that one can wait for, for test_block*.c.
 */
#ifndef TESTS_UNIT_BLOCK_RIG_H
#define TESTS_UNIT_BLOCK_RIG_H

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

#include "block/block.h"
#include "hw/core/loop.h"

struct block_rig {
    struct loop *loop;
    char dir[256];
    char path[512]; /* of the last image made */
    struct err err;
};

static inline int block_rig_setup(void **state)
{
    static struct block_rig rig;
    struct err err;
    memset(&rig, 0, sizeof(rig));
    /* The build directory first: /tmp may be a tmpfs, which is unlike what images live on. */
    const char *tmp = getenv("TMPDIR");
    snprintf(rig.dir, sizeof(rig.dir), "%s/block-test.XXXXXX",
             tmp                          ? tmp
             : access("build", W_OK) == 0 ? "build"
                                          : "/tmp");
    if (!mkdtemp(rig.dir))
        return -1;
    rig.loop = loop_new(&err);
    *state = &rig;
    return rig.loop ? 0 : -1;
}

static inline int block_rig_teardown(void **state)
{
    struct block_rig *rig = *state;
    char command[512];
    loop_free(rig->loop);
    snprintf(command, sizeof(command), "rm -rf '%s'", rig->dir);
    return system(command);
}

/* The byte that belongs at an offset of an image made by rig_image. */
static inline uint8_t rig_byte(uint64_t offset)
{
    return (uint8_t)((offset >> 9) * 31 + offset * 7 + 1);
}

static inline void rig_fill(uint8_t *buf, uint64_t offset, size_t len)
{
    for (size_t i = 0; i < len; i++)
        buf[i] = rig_byte(offset + i);
}

/* A file of `bytes`: with a known pattern, or (filled == false) one hole. */
static inline const char *rig_image(struct block_rig *rig, const char *name, size_t bytes,
                                    bool filled)
{
    snprintf(rig->path, sizeof(rig->path), "%s/%s", rig->dir, name);
    int fd = open(rig->path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
    if (filled) {
        uint8_t *buf = malloc(bytes);
        rig_fill(buf, 0, bytes);
        assert_int_equal(pwrite(fd, buf, bytes, 0), (ssize_t)bytes);
        assert_int_equal(fsync(fd), 0);
        free(buf);
    }
    close(fd);
    return rig->path;
}

static inline struct block_config rig_config(const char *path, enum block_cache cache, bool ro)
{
    return (struct block_config){.id = "ide0-hd0",
                                 .file = path,
                                 .fd = -1,
                                 .format = BLOCK_FORMAT_RAW,
                                 .cache = cache,
                                 .read_only = ro};
}

/* Opened and activated; NULL if it could not be opened (rig->err says why). */
static inline struct block *rig_open(struct block_rig *rig, const char *path,
                                     enum block_cache cache, bool ro)
{
    struct block_config config = rig_config(path, cache, ro);
    struct block *block = block_open(rig->loop, &config, &rig->err);
    if (block && !block_activate(block, &rig->err))
        fail_msg("%s", rig->err.text);
    return block;
}

/* The same, or the test is skipped if this file system has no O_DIRECT. */
#define rig_open_or_skip(rig, path, cache, ro)                 \
    __extension__({                                            \
        struct block *block_ = rig_open(rig, path, cache, ro); \
        if (!block_ && strstr((rig)->err.text, "O_DIRECT")) {  \
            print_message("skip: %s\n", (rig)->err.text);      \
            skip();                                            \
        }                                                      \
        if (!block_)                                           \
            fail_msg("%s", (rig)->err.text);                   \
        block_;                                                \
    })

struct rig_request {
    struct block_request r;
    bool done;
    int error;
};

static inline void rig_done(struct block_request *r, int error)
{
    struct rig_request *q = (struct rig_request *)r;
    assert_false(q->done);
    q->done = true;
    q->error = error;
}

/* Submits and checks that done() is not called inside. */
static inline void rig_submit(struct block *block, struct rig_request *q)
{
    q->done = false;
    q->r.done = rig_done;
    block_submit(block, &q->r);
    assert_false(q->done);
}

static inline int rig_wait(struct block_rig *rig, struct rig_request *q)
{
    while (!q->done)
        loop_turn(rig->loop, 10 * NS_PER_S);
    return q->error;
}

static inline int rig_rw(struct block_rig *rig, struct block *block, enum block_op op,
                         uint64_t offset, void *buf, size_t bytes)
{
    struct iovec iov = {.iov_base = buf, .iov_len = bytes};
    struct rig_request q = {
        .r = {.op = op, .offset = offset, .bytes = bytes, .iov = &iov, .iovcnt = 1}};
    rig_submit(block, &q);
    return rig_wait(rig, &q);
}

static inline int rig_read(struct block_rig *rig, struct block *block, uint64_t offset, void *buf,
                           size_t bytes)
{
    return rig_rw(rig, block, BLOCK_READ, offset, buf, bytes);
}

static inline int rig_write(struct block_rig *rig, struct block *block, uint64_t offset,
                            const void *buf, size_t bytes)
{
    return rig_rw(rig, block, BLOCK_WRITE, offset, (void *)(uintptr_t)buf, bytes);
}

static inline int rig_op(struct block_rig *rig, struct block *block, enum block_op op,
                         uint64_t offset, size_t bytes)
{
    struct rig_request q = {.r = {.op = op, .offset = offset, .bytes = bytes}};
    rig_submit(block, &q);
    return rig_wait(rig, &q);
}

/* What another program reads from the file. */
static inline void rig_file_read(const char *path, uint64_t offset, void *buf, size_t bytes)
{
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, buf, bytes, (off_t)offset), (ssize_t)bytes);
    close(fd);
}

/* Bytes that the file takes on the medium. */
static inline uint64_t rig_allocated(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return (uint64_t)st.st_blocks * 512;
}

#endif
