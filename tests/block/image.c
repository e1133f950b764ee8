/* SPDX-License-Identifier: GPL-2.0-or-later */
/* image: see image.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "hw/core/loop.h"
#include "tests/block/image.h"
#include "tests/block/tools.h"

static struct loop *loop;

struct loop *image_loop(void)
{
    return loop;
}

int image_setup(void **state)
{
    struct err err;
    (void)state;
    loop = loop_new(&err);
    return loop ? 0 : -1;
}

int image_teardown(void **state)
{
    (void)state;
    loop_free(loop);
    tools_leave();
    return 0;
}

const char *image_path(const char *name)
{
    static char paths[4][512];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof(paths[0]), "%s/%s", tools_dir(), name);
    return path;
}

static struct block *open_only(const char *path, enum block_cache cache, bool read_only,
                               struct err *err)
{
    struct block_config config = {.id = "ide0-hd0",
                                  .file = path,
                                  .fd = -1,
                                  .format = BLOCK_FORMAT_QCOW2,
                                  .cache = cache,
                                  .read_only = read_only};
    struct block *block = block_open(loop, &config, err);

    if (block && !block_activate(block, err)) {
        block_close(block);
        block = NULL;
    }
    return block;
}

struct block *image_try(const char *path, bool read_only, struct err *err)
{
    return open_only(path, BLOCK_CACHE_WRITEBACK, read_only, err);
}

struct block *image_open(const char *path, enum block_cache cache, bool read_only)
{
    struct err err;
    struct block *block = open_only(path, cache, read_only, &err);

    if (!block)
        fail_msg("%s", err.text);
    return block;
}

void image_compare_with_qemu(struct model *m, const char *path)
{
    const char *raw = image_path("out.raw");
    tools_must("qemu-img convert -f qcow2 -O raw '%s' '%s'", path, raw);
    model_compare_file(m, raw);
}

void image_must_be_sound(const char *what, const char *path)
{
    int r = tools_check("qcow2", path);
    if (r)
        fail_msg("%s: qemu-img check says %d:\n%s", what, r, tools_output());
}

void image_qemu_writes(struct model *m, const char *format, const char *path, uint64_t bytes,
                       unsigned count)
{
    char commands[6000];
    size_t at = 0;

    for (unsigned i = 0; i < count; i++) {
        uint64_t sector = model_any(m, bytes / MODEL_SECTOR);
        uint64_t n = 1 + model_any(m, 200);
        if (n > bytes / MODEL_SECTOR - sector)
            n = bytes / MODEL_SECTOR - sector;
        unsigned fill = 1 + (unsigned)model_any(m, 255);
        bool zeroes = !model_any(m, 6);
        char what[32];
        snprintf(what, sizeof(what), zeroes ? "write -z" : "write -P %u", fill);
        at += (size_t)snprintf(commands + at, sizeof(commands) - at, "%s %llu %llu\n", what,
                               (unsigned long long)sector * 512, (unsigned long long)n * 512);
        for (uint64_t s = sector; s < sector + n && s < m->bytes / MODEL_SECTOR; s++) {
            memset(m->data + s * MODEL_SECTOR, zeroes ? 0 : (int)fill, MODEL_SECTOR);
            m->discarded[s] = 0;
        }
        if (at > sizeof(commands) - 100 || i + 1 == count) {
            tools_must("printf '%s' | qemu-io -f %s '%s'", commands, format, path);
            at = 0;
        }
    }
}
