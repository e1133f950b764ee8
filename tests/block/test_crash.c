/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_crash: the power fails at a write or a flush of a random workload; what the recorder says is
 * left of the image must be sound (qemu-img check), must open here, and must hold every sector that
 * was flushed, and of the others nothing that was not written to them.
 *
 * usage: test_crash [BUILDDIR]: some cuts of each image. With CRASH=all in the environment: every
 * cut, in several ways each (make check-crash). CRASH_ONLY=NAME: one image (* is a wildcard).
 * CRASH=K/N: of all cuts those whose number leaves K when divided by N.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "block/block.h"
#include "hw/core/loop.h"
#include "tests/block/model.h"
#include "tests/block/recorder.h"
#include "tests/block/tools.h"
#include "tests/block/vpc_check.h"

#define DEPTH      4u
#define OPS        300u
#define CUTS       24u /* of each image, in make check */
#define SECTOR     512u
#define LONGEST    300u /* sectors */
#define BASE_STAMP UINT64_C(0x6261736562617365)

static struct loop *loop;
static struct err err;

/* What may be in a sector: the stamp of an operation that was under way or done. */
struct version {
    uint64_t stamp;      /* 0: zeroes */
    uint64_t begin, end; /* moments; end 0: not done */
    bool weak;           /* DISCARD: or what was there before */
    struct version *before;
};

struct op {
    struct block_request r;
    struct op *next;
    uint8_t *memory;
    struct iovec iov;
    uint64_t begin, end;
    bool busy, done;
};

struct format {
    const char *name;
    const char *create; /* a command with the image's path as %s */
    enum block_format format;
    enum block_cache cache;
    uint64_t bytes;
    uint64_t grows;  /* so many of these come by block_resize, in two steps */
    unsigned backed; /* sectors of the backing file, which has BASE_STAMP everywhere */
    /* 0 if the image is sound. */
    int (*check)(const char *path);
};

static int check_qcow2(const char *path)
{
    int r = tools_check("qcow2", path);
    return r == 3 ? 0 : r; /* leaks cost space, nothing else */
}

static int check_vpc(const char *path);

static int check_nothing(const char *path)
{
    (void)path;
    return 0;
}

static struct model dice;
static struct version **sectors; /* the newest of each */
static uint64_t *flushes;        /* pairs of begin, end */
static size_t flush_count;
static struct {
    uint64_t moment, bytes;
} grown[2]; /* when it certainly had that size */

static void op_done(struct block_request *r, int error)
{
    struct op *op = (struct op *)r;

    assert_int_equal(error, 0);
    op->end = recorder_now();
    op->done = true;
}

static void stamp(uint8_t *data, uint64_t id, uint64_t sector)
{
    for (size_t i = 0; i < SECTOR; i += 16) {
        memcpy(data + i, &id, 8);
        memcpy(data + i + 8, &sector, 8);
    }
}

static void finish(struct op *op)
{
    while (!op->done)
        loop_turn(loop, 10 * NS_PER_S);
    op->busy = false;
    if (op->r.op == BLOCK_FLUSH) {
        flushes = realloc(flushes, (flush_count + 1) * 2 * sizeof(*flushes));
        flushes[flush_count * 2] = op->begin;
        flushes[flush_count * 2 + 1] = op->end;
        flush_count++;
    } else if (op->r.op != BLOCK_READ) {
        for (uint64_t s = op->r.offset / SECTOR; s < (op->r.offset + op->r.bytes) / SECTOR; s++)
            sectors[s]->end = op->end;
    }
}

static bool overlaps(const struct op *ops, uint64_t offset, uint64_t bytes)
{
    for (unsigned i = 0; i < DEPTH; i++)
        if (ops[i].busy && ops[i].r.op != BLOCK_FLUSH && ops[i].r.offset < offset + bytes &&
            offset < ops[i].r.offset + ops[i].r.bytes)
            return true;
    return false;
}

static void start(struct block *block, struct op *ops, struct op *op, uint64_t id)
{
    static const enum block_op kinds[] = {BLOCK_WRITE, BLOCK_WRITE,   BLOCK_WRITE,
                                          BLOCK_WRITE, BLOCK_DISCARD, BLOCK_WRITE_ZEROES};
    uint64_t total = block_bytes(block) / SECTOR;

    memset(&op->r, 0, sizeof(op->r));
    op->r.op = model_any(&dice, 10) ? kinds[model_any(&dice, 6)] : BLOCK_FLUSH;
    if (op->r.op != BLOCK_FLUSH) {
        uint64_t first, n;
        do {
            n = 1 + model_any(&dice, model_any(&dice, 3) ? 24 : LONGEST);
            first = model_any(&dice, total - n);
            if (!model_any(&dice, 3))
                first &= ~UINT64_C(127), n = (n + 127) & ~UINT64_C(127);
            if (first + n > total)
                n = total - first;
        } while (overlaps(ops, first * SECTOR, n * SECTOR));
        op->r.offset = first * SECTOR;
        op->r.bytes = n * SECTOR;
        op->begin = recorder_now();
        for (uint64_t s = first; s < first + n; s++) {
            struct version *v = calloc(1, sizeof(*v));
            v->stamp = op->r.op == BLOCK_WRITE ? id : 0;
            v->weak = op->r.op == BLOCK_DISCARD;
            v->begin = op->begin;
            v->before = sectors[s];
            sectors[s] = v;
            stamp(op->memory + (s - first) * SECTOR, id, s);
        }
        op->iov = (struct iovec){.iov_base = op->memory, .iov_len = op->r.bytes};
        op->r.iov = &op->iov;
        op->r.iovcnt = 1;
    }
    op->begin = recorder_now();
    op->busy = true;
    op->done = false;
    op->r.done = op_done;
    block_submit(block, &op->r);
}

static struct block *open_image(const struct format *f, const char *path)
{
    struct block_config config = {
        .id = "ide0-hd0", .file = path, .fd = -1, .format = f->format, .cache = f->cache};
    struct block *block = block_open(loop, &config, &err);
    if (!block) {
        print_message("%s\n", err.text);
        return NULL;
    }
    if (block_activate(block, &err))
        return block;
    print_message("%s\n", err.text);
    block_close(block);
    return NULL;
}

/* qemu-img checks no VHD images: our verifier, and QEMU must read what we read. */
static int check_vpc(const char *path)
{
    static const struct format f = {.format = BLOCK_FORMAT_VPC};
    struct vpc_report r;
    struct model m;
    char out[512];

    struct block *block = vpc_check(path, &r) ? open_image(&f, path) : NULL;
    if (!block) {
        print_message("%s\n", r.what);
        return 1;
    }
    snprintf(out, sizeof(out), "%s/out.raw", tools_dir());
    model_init(&m, block_bytes(block), 1);
    struct op op = {.iov = {.iov_base = m.data, .iov_len = m.bytes}};
    op.r = (struct block_request){
        .op = BLOCK_READ, .bytes = m.bytes, .iov = &op.iov, .iovcnt = 1, .done = op_done};
    block_submit(block, &op.r);
    while (!op.done)
        loop_turn(loop, 10 * NS_PER_S);
    block_close(block);
    tools_must("qemu-img convert -f vpc -O raw '%s' '%s'", path, out);
    model_compare_file(&m, out);
    model_free(&m);
    return 0;
}

/* May the sector have this stamp after a cut at this moment? */
static bool allowed(const struct format *f, uint64_t sector, uint64_t found, uint64_t moment)
{
    bool sync = f->cache == BLOCK_CACHE_WRITETHROUGH || f->cache == BLOCK_CACHE_DIRECTSYNC;

    for (const struct version *v = sectors[sector]; v; v = v->before) {
        if (v->begin > moment)
            continue;
        if (v->stamp == found)
            return true;
        bool durable = sync && v->end && v->end <= moment;
        for (size_t i = 0; i < flush_count && !durable; i++)
            durable = v->end && v->end < flushes[i * 2] && flushes[i * 2 + 1] <= moment;
        if (durable && !v->weak)
            return false; /* nothing older may come back */
    }
    return found == (sector < f->backed ? BASE_STAMP : 0);
}

/* The whole disk of the cut image. */
static void check_contents(const struct format *f, const char *path, uint64_t moment)
{
    uint8_t *disk = calloc(1, f->bytes), expected[SECTOR];
    struct block *block = open_image(f, path);
    uint64_t least = f->bytes - f->grows;

    if (!block)
        fail_msg("%s: the image does not open", f->name);
    for (unsigned i = 0; f->grows && i < 2; i++)
        if (grown[i].moment <= moment)
            least = grown[i].bytes;
    uint64_t bytes = block_bytes(block);
    if (bytes < least || bytes > f->bytes)
        fail_msg("%s: cut at %llu: has %llu bytes", f->name, (unsigned long long)moment,
                 (unsigned long long)bytes);
    struct op op = {.iov = {.iov_base = disk, .iov_len = bytes}};
    op.r = (struct block_request){
        .op = BLOCK_READ, .bytes = bytes, .iov = &op.iov, .iovcnt = 1, .done = op_done};
    block_submit(block, &op.r);
    while (!op.done)
        loop_turn(loop, 10 * NS_PER_S);
    block_close(block);
    for (uint64_t s = 0; s < bytes / SECTOR; s++) {
        uint64_t found;
        memcpy(&found, disk + s * SECTOR, 8);
        memset(expected, 0, SECTOR);
        if (found)
            stamp(expected, found, found == BASE_STAMP ? BASE_STAMP : s);
        if (memcmp(expected, disk + s * SECTOR, SECTOR) || !allowed(f, s, found, moment))
            fail_msg("%s: cut at %llu: sector %llu has %#llx", f->name, (unsigned long long)moment,
                     (unsigned long long)s, (unsigned long long)found);
    }
    free(disk);
}

static void grow(const struct format *f, struct block *block, unsigned step)
{
    uint64_t bytes = f->bytes - (step ? 0 : f->grows / 2);

    if (step > 1)
        return;
    if (!block_resize(block, bytes, &err))
        fail_msg("%s", err.text);
    grown[step].bytes = bytes;
    grown[step].moment = recorder_now();
}

static void record(const struct format *f, const char *image)
{
    struct op ops[DEPTH];
    struct block *block = open_image(f, image);
    uint64_t id = 1;

    if (!block)
        fail_msg("%s", err.text);
    memset(ops, 0, sizeof(ops));
    for (unsigned i = 0; i < DEPTH; i++)
        ops[i].memory = aligned_alloc(4096, (LONGEST + 132) * SECTOR);
    for (unsigned i = 0; i < OPS; i++) {
        struct op *op = &ops[model_any(&dice, DEPTH)];
        if (op->busy)
            finish(op);
        start(block, ops, op, id++);
        if (f->grows && i % (OPS / 3) == OPS / 4)
            grow(f, block, i / (OPS / 3));
    }
    for (unsigned i = 0; i < DEPTH; i++) {
        if (ops[i].busy)
            finish(&ops[i]);
        free(ops[i].memory);
    }
    block_close(block);
    recorder_stop();
}

static void free_versions(uint64_t count)
{
    for (uint64_t s = 0; s < count; s++)
        while (sectors[s]) {
            struct version *v = sectors[s];
            sectors[s] = v->before;
            free(v);
        }
    free(sectors);
    free(flushes);
    flushes = NULL;
    flush_count = 0;
}

static int by_moment(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static void cut_everywhere(const struct format *f, const char *cut)
{
    const char *what = getenv("CRASH");
    unsigned part = 0, parts = 1;
    bool all = what && (!strcmp(what, "all") || sscanf(what, "%u/%u", &part, &parts) == 2);
    size_t n = recorder_count(), step = all ? parts ? parts : 1 : n < CUTS ? 1 : n / CUTS;
    uint64_t *moments = malloc(n * sizeof(*moments));
    unsigned cuts = 0;

    for (size_t i = 0; i < n; i++)
        moments[i] = recorder_moment(i);
    qsort(moments, n, sizeof(*moments), by_moment);
    for (size_t i = part; i < n; i += step) {
        for (unsigned c = 0; c < RECORDER_CHOICES; c++) {
            if (!all && c != (cuts + i) % RECORDER_CHOICES)
                continue;
            recorder_cut(moments[i], (enum recorder_choice)c, i * 31 + c, cut);
            int r = f->check(cut);
            if (r) {
                print_message("%s", tools_output());
                fail_msg("%s: cut at %llu (way %u): check says %d", f->name,
                         (unsigned long long)moments[i], c, r);
            }
            check_contents(f, cut, moments[i]);
        }
        cuts++;
    }
    print_message("%s: %zu events, %u cuts\n", f->name, n, cuts);
    free(moments);
}

static void make_base(const struct format *f)
{
    char path[512];
    uint8_t sector[SECTOR];

    snprintf(path, sizeof(path), "%s/base", tools_dir());
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    stamp(sector, BASE_STAMP, BASE_STAMP);
    for (unsigned s = 0; s < f->backed; s++)
        assert_int_equal(fwrite(sector, SECTOR, 1, file), 1);
    fclose(file);
}

static void run(const struct format *f)
{
    char image[512], cut[512];

    if (!tools_there())
        skip();
    snprintf(image, sizeof(image), "%s/image", tools_dir());
    snprintf(cut, sizeof(cut), "%s/cut", tools_dir());
    flush_count = 0; /* of a test that failed */
    make_base(f);
    tools_run("rm -f '%s'", image);
    tools_must(f->create, image); /* NOLINT: the formats are below */
    dice.seed = f->bytes + (uint64_t)f->cache;
    sectors = calloc(f->bytes / SECTOR, sizeof(struct version *));
    recorder_start(image);
    record(f, image);
    cut_everywhere(f, cut);
    /* At the end it is all there, and nothing leaks. */
    assert_int_equal(f->check == check_qcow2 ? tools_check("qcow2", image) : 0, 0);
    check_contents(f, image, UINT64_MAX);
    recorder_free();
    free_versions(f->bytes / SECTOR);
}

#define MIB (1024u * 1024)

#define FORMAT(function, ...)                                            \
    static void function(void **state)                                   \
    {                                                                    \
        (void)state;                                                     \
        static const struct format f = {.name = #function, __VA_ARGS__}; \
        run(&f);                                                         \
    }

FORMAT(raw, .create = "truncate -s 4M '%s'", .format = BLOCK_FORMAT_RAW, .bytes = 4 * MIB,
       .check = check_nothing)
FORMAT(raw_none, .create = "truncate -s 4M '%s'", .format = BLOCK_FORMAT_RAW, .bytes = 4 * MIB,
       .cache = BLOCK_CACHE_NONE, .check = check_nothing)
FORMAT(raw_writethrough, .create = "truncate -s 4M '%s'", .format = BLOCK_FORMAT_RAW,
       .bytes = 4 * MIB, .cache = BLOCK_CACHE_WRITETHROUGH, .check = check_nothing)

#define QCOW2(function, size, options, ...)                                               \
    FORMAT(function, .create = "qemu-img create -q -f qcow2 " options " '%s' " #size "M", \
           .format = BLOCK_FORMAT_QCOW2, .bytes = (size)*MIB, .check = check_qcow2, __VA_ARGS__)

QCOW2(qcow2, 8, "", )
QCOW2(qcow2_small_clusters, 2, "-o cluster_size=512", )
QCOW2(qcow2_4k_none, 4, "-o cluster_size=4k", .cache = BLOCK_CACHE_NONE)
QCOW2(qcow2_writethrough, 4, "-o cluster_size=16k", .cache = BLOCK_CACHE_WRITETHROUGH)
QCOW2(qcow2_version_2, 4, "-o compat=0.10,cluster_size=8k", )
QCOW2(qcow2_lazy, 4, "-o lazy_refcounts=on,cluster_size=4k", )
QCOW2(qcow2_preallocated, 4, "-o preallocation=metadata,cluster_size=4k", )
QCOW2(qcow2_large_clusters, 16, "-o cluster_size=2M", )
QCOW2(qcow2_backed, 4, "-o cluster_size=16k -F raw -b base", .backed = 6001)
QCOW2(qcow2_subclusters, 8, "-o extended_l2=on", )
QCOW2(qcow2_subclusters_backed, 4, "-o extended_l2=on,cluster_size=32k -F raw -b base",
      .backed = 5003)
FORMAT(qcow2_grows, .create = "qemu-img create -q -f qcow2 -o cluster_size=512 '%s' 1M",
       .format = BLOCK_FORMAT_QCOW2, .bytes = 5 * MIB, .grows = 4 * MIB, .check = check_qcow2)
FORMAT(qcow2_grows_backed, .create = "qemu-img create -q -f qcow2 -F raw -b base '%s' 4M",
       .format = BLOCK_FORMAT_QCOW2, .bytes = 6 * MIB, .grows = 2 * MIB, .backed = 7001,
       .check = check_qcow2)
QCOW2(qcow2_refcounts_64, 1, "-o refcount_bits=64,cluster_size=512", )

#define VPC(function, size, options, ...)                                                      \
    FORMAT(function,                                                                           \
           .create = "qemu-img create -q -f vpc -o force_size=on," options " '%s' " #size "M", \
           .format = BLOCK_FORMAT_VPC, .bytes = (size)*MIB, .check = check_vpc, __VA_ARGS__)

VPC(vpc, 16, "subformat=dynamic", )
VPC(vpc_none, 12, "subformat=dynamic", .cache = BLOCK_CACHE_NONE)
VPC(vpc_writethrough, 12, "subformat=dynamic", .cache = BLOCK_CACHE_WRITETHROUGH)
VPC(vpc_fixed, 4, "subformat=fixed", )

static int setup(void **state)
{
    (void)state;
    loop = loop_new(&err);
    model_init(&dice, MIB, 1);
    return loop ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    model_free(&dice);
    loop_free(loop);
    tools_leave();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(raw),
        cmocka_unit_test(raw_none),
        cmocka_unit_test(raw_writethrough),
        cmocka_unit_test(qcow2),
        cmocka_unit_test(qcow2_small_clusters),
        cmocka_unit_test(qcow2_4k_none),
        cmocka_unit_test(qcow2_writethrough),
        cmocka_unit_test(qcow2_version_2),
        cmocka_unit_test(qcow2_lazy),
        cmocka_unit_test(qcow2_preallocated),
        cmocka_unit_test(qcow2_large_clusters),
        cmocka_unit_test(qcow2_backed),
        cmocka_unit_test(qcow2_subclusters),
        cmocka_unit_test(qcow2_subclusters_backed),
        cmocka_unit_test(qcow2_refcounts_64),
        cmocka_unit_test(qcow2_grows),
        cmocka_unit_test(qcow2_grows_backed),
        cmocka_unit_test(vpc),
        cmocka_unit_test(vpc_none),
        cmocka_unit_test(vpc_writethrough),
        cmocka_unit_test(vpc_fixed),
    };
    if (getenv("CRASH_ONLY"))
        cmocka_set_test_filter(getenv("CRASH_ONLY"));
    return cmocka_run_group_tests(tests, setup, teardown);
}
