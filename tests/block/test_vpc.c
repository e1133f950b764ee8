/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_vpc: VHD images as qemu-img and XenServer make them, written by us at random and read by
 * QEMU's tools, and the reverse; sizes as the creators mean them; hostile headers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "block/block_int.h"
#include "block/vpc.h"
#include "block/vpc_format.h"
#include "hw/core/loop.h"
#include "tests/block/model.h"
#include "tests/block/tools.h"
#include "tests/block/vpc_check.h"

#define MIB (1024u * 1024)

static struct loop *loop;
static struct err err;

static int setup(void **state)
{
    (void)state;
    loop = loop_new(&err);
    return loop ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    loop_free(loop);
    tools_leave();
    return 0;
}

static const char *path_of(const char *name)
{
    static char path[4][512]; /* the last few stay */
    static unsigned next;
    char *p = path[next++ % 4];
    snprintf(p, sizeof(path[0]), "%s/%s", tools_dir(), name);
    return p;
}

static struct block *try_open(const char *path, enum block_cache cache, bool read_only)
{
    struct block_config config = {.id = "ide0-hd0",
                                  .file = path,
                                  .fd = -1,
                                  .format = BLOCK_FORMAT_VPC,
                                  .cache = cache,
                                  .read_only = read_only};
    return block_open(loop, &config, &err);
}

static struct block *open_image(const char *path, enum block_cache cache, bool read_only)
{
    struct block *block = try_open(path, cache, read_only);
    if (!block || !block_activate(block, &err))
        fail_msg("%s", err.text);
    return block;
}

static void must_be_whole(const char *path, bool leaks)
{
    struct vpc_report r;
    if (!vpc_check(path, &r))
        fail_msg("%s: %s", path, r.what);
    assert_false(r.footer_lost);
    /* Up to 4 KiB before a block are for the alignment of its data. */
    if (!leaks && r.leaked > (uint64_t)r.blocks * 4096)
        fail_msg("%s: %llu bytes leaked", path, (unsigned long long)r.leaked);
}

static void compare_with_qemu(struct model *m, const char *image)
{
    char out[512];
    snprintf(out, sizeof(out), "%s", path_of("out.raw"));
    tools_must("qemu-img convert -f vpc -O raw '%s' '%s'", image, out);
    model_compare_file(m, out);
}

/* ---- images made here ---- */

static void put16(uint8_t *p, unsigned value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

static void put64(uint8_t *p, uint64_t value)
{
    vhd_put32(p, (uint32_t)(value >> 32));
    vhd_put32(p + 4, (uint32_t)value);
}

struct image {
    uint8_t footer[512], header[1024];
    uint64_t length; /* of the file, before the footer */
    uint32_t table[64];
    unsigned entries;
    bool no_back, no_front;
    unsigned short_footer; /* bytes that the footer at the end lacks */
};

static void seal(struct image *i)
{
    vhd_put32(i->footer + VHD_CHECKSUM, vhd_checksum(i->footer, 512, VHD_CHECKSUM));
    vhd_put32(i->header + VHD_H_CHECKSUM, vhd_checksum(i->header, 1024, VHD_H_CHECKSUM));
}

static struct image make(unsigned type, uint64_t bytes, uint32_t block, const char creator[4])
{
    struct image i = {.length = 512 + 1024 + 512};
    memcpy(i.footer, "conectix", 8);
    vhd_put32(i.footer + VHD_FEATURES, 2);
    vhd_put32(i.footer + VHD_VERSION, 0x10000);
    put64(i.footer + VHD_DATA_OFFSET, type == VHD_TYPE_FIXED ? UINT64_MAX : 512);
    memcpy(i.footer + VHD_CREATOR, creator, 4);
    put64(i.footer + VHD_ORIGINAL_SIZE, bytes);
    put64(i.footer + VHD_CURRENT_SIZE, bytes);
    vhd_put32(i.footer + VHD_TYPE, type);
    memcpy(i.header, "cxsparse", 8);
    put64(i.header + 8, UINT64_MAX);
    put64(i.header + VHD_H_TABLE, 512 + 1024);
    vhd_put32(i.header + VHD_H_VERSION, 0x10000);
    i.entries = (unsigned)((bytes + block - 1) / block);
    vhd_put32(i.header + VHD_H_ENTRIES, i.entries);
    vhd_put32(i.header + VHD_H_BLOCK, block);
    memset(i.table, 0xFF, sizeof(i.table));
    if (type == VHD_TYPE_FIXED)
        i.length = bytes;
    seal(&i);
    return i;
}

/* The file; what blocks have is the caller's to write. */
static const char *write_image(const struct image *i, const char *name)
{
    const char *path = path_of(name);
    uint8_t table[512];
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)i->length), 0);
    memset(table, 0xFF, sizeof(table));
    for (unsigned e = 0; e < 64; e++)
        vhd_put32(table + (size_t)e * 4, i->table[e]);
    if (vhd_get32(i->footer + VHD_TYPE) != VHD_TYPE_FIXED) {
        if (!i->no_front)
            assert_int_equal(pwrite(fd, i->footer, 512, 0), 512);
        assert_int_equal(pwrite(fd, i->header, 1024, 512), 1024);
        assert_int_equal(pwrite(fd, table, 512, 1536), 512);
    }
    if (!i->no_back)
        assert_int_equal(pwrite(fd, i->footer, 512 - i->short_footer, (off_t)i->length),
                         512 - i->short_footer);
    close(fd);
    return path;
}

struct wait {
    bool done;
    int error;
};

static void waited(struct block_request *r, int error)
{
    *(struct wait *)r->opaque = (struct wait){true, error};
}

static int rw(struct block *b, enum block_op op, uint64_t offset, void *buf, size_t bytes)
{
    struct wait wait = {false, 0};
    struct iovec iov = {buf, bytes};
    struct block_request r = {.op = op,
                              .offset = offset,
                              .bytes = bytes,
                              .iov = buf ? &iov : NULL,
                              .iovcnt = buf != NULL,
                              .done = waited,
                              .opaque = &wait};
    block_submit(b, &r);
    while (!wait.done)
        loop_turn(loop, 10 * NS_PER_S);
    return wait.error;
}

/* ---- with QEMU's tools ---- */

struct variant {
    const char *options;
    uint64_t bytes;
    enum block_cache cache;
};

/* We write, QEMU reads. */
static void test_written_by_us(void **state)
{
    (void)state;
    static const struct variant v[] = {
        {"subformat=dynamic,force_size=on", 64 * MIB, BLOCK_CACHE_WRITEBACK},
        {"subformat=dynamic,force_size=on", 63 * MIB + 512, BLOCK_CACHE_WRITEBACK},
        {"subformat=dynamic,force_size=on", 20 * MIB, BLOCK_CACHE_WRITETHROUGH},
        {"subformat=dynamic,force_size=on", 33 * MIB, BLOCK_CACHE_UNSAFE},
        {"subformat=fixed,force_size=on", 16 * MIB, BLOCK_CACHE_WRITEBACK},
        {"subformat=fixed,force_size=on", 9 * MIB + 512, BLOCK_CACHE_WRITETHROUGH},
    };
    if (!tools_there())
        skip();
    for (unsigned i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
        struct model m;
        char image[512];
        snprintf(image, sizeof(image), "%s", path_of("image.vhd"));
        tools_run("rm -f '%s'", image);
        tools_must("qemu-img create -f vpc -o %s '%s' %llu", v[i].options, image,
                   (unsigned long long)v[i].bytes);
        model_init(&m, v[i].bytes, i);
        for (unsigned round = 0; round < 3; round++) {
            m.window = round == 0 ? v[i].bytes / 4 : 0;
            struct block *b = open_image(image, v[i].cache, false);
            model_run(&m, loop, b, 400);
            block_close(b);
            must_be_whole(image, false);
            compare_with_qemu(&m, image);
        }
        struct block *b = open_image(image, v[i].cache, true);
        model_compare(&m, loop, b);
        block_close(b);
        model_free(&m);
    }
}

/* QEMU writes, we read, and write on. */
static void test_written_by_qemu(void **state)
{
    (void)state;
    if (!tools_there())
        skip();
    for (unsigned fixed = 0; fixed < 2; fixed++) {
        struct model m;
        char image[512], commands[4096] = "";
        uint64_t bytes = 40 * MIB;
        snprintf(image, sizeof(image), "%s", path_of("qemu.vhd"));
        tools_run("rm -f '%s'", image);
        tools_must("qemu-img create -f vpc -o subformat=%s,force_size=on '%s' %llu",
                   fixed ? "fixed" : "dynamic", image, (unsigned long long)bytes);
        model_init(&m, bytes, 99 + fixed);
        for (unsigned round = 0; round < 4; round++) {
            commands[0] = 0;
            for (unsigned i = 0; i < 40; i++) {
                uint64_t sector = model_any(&m, bytes / 512 - 600), count = 1 + model_any(&m, 600);
                unsigned fill = 1 + (unsigned)model_any(&m, 255);
                snprintf(commands + strlen(commands), sizeof(commands) - strlen(commands),
                         " -c 'write -P %u %llu %llu'", fill, (unsigned long long)sector * 512,
                         (unsigned long long)count * 512);
                memset(m.data + sector * 512, (int)fill, count * 512);
                memset(m.discarded + sector, 0, count);
            }
            tools_must("qemu-io -f vpc %s '%s'", commands, image);
            struct block *b = open_image(image, BLOCK_CACHE_WRITEBACK, false);
            model_compare(&m, loop, b);
            model_run(&m, loop, b, 100);
            block_close(b);
            must_be_whole(image, false);
            compare_with_qemu(&m, image);
        }
        model_free(&m);
    }
}

/* ---- other programs' images ---- */

/* Blocks used in part, with rubbish where the bitmap has nothing: it reads as zeroes, before and
 * after its neighbours are written. */
static void test_bitmaps(void **state)
{
    (void)state;
    uint32_t block = 64 * 1024;
    struct image i = make(VHD_TYPE_DYNAMIC, 16 * (uint64_t)block, block, "tap");
    i.length = 2048 + 4 * (512 + (uint64_t)block);
    for (unsigned e = 0; e < 4; e++)
        i.table[e * 3] = (2048 + e * (512 + block)) / 512;
    const char *path = write_image(&i, "tap.vhd");
    int fd = open(path, O_RDWR | O_CLOEXEC);
    struct model m;
    model_init(&m, 16 * (uint64_t)block, 7);
    for (unsigned e = 0; e < 4; e++) {
        uint8_t bits[512] = {0}, sector[512];
        for (unsigned s = 0; s < block / 512; s++) {
            /* Rubbish everywhere but in block 0, whose rest is zero as a sparse file has it. */
            bool used = model_any(&m, 3) == 0;
            memset(sector, used ? (int)(s + e + 1) | 1 : e ? 0xEE : 0, 512);
            if (used)
                bits[s / 8] |= (uint8_t)(0x80 >> s % 8);
            if (used)
                memcpy(m.data + e * 3 * (uint64_t)block + s * 512, sector, 512);
            assert_int_equal(pwrite(fd, sector, 512, 2048 + e * (512 + block) + 512 + s * 512),
                             512);
        }
        assert_int_equal(pwrite(fd, bits, 512, 2048 + e * (512 + block)), 512);
    }
    struct block *b = open_image(path, BLOCK_CACHE_WRITEBACK, true);
    model_compare(&m, loop, b);
    block_close(b);
    for (unsigned round = 0; round < 3; round++) {
        b = open_image(path, BLOCK_CACHE_WRITEBACK, false);
        m.longest = 300;
        model_run(&m, loop, b, round ? 400 : 10);
        model_compare(&m, loop, b);
        block_close(b);
        must_be_whole(path, false);
    }
    b = open_image(path, BLOCK_CACHE_WRITEBACK, true);
    model_compare(&m, loop, b);
    block_close(b);
    if (tools_there())
        compare_with_qemu(&m, path);
    model_free(&m);
    close(fd);
}

/* What lies between table and footer is not ours (XenServer's "batmap"), and entries of the table
 * behind the disk's end neither. */
static void test_strangers(void **state)
{
    (void)state;
    uint32_t block = 64 * 1024;
    uint8_t buf[512], mark[2048];
    struct image i = make(VHD_TYPE_DYNAMIC, 4 * (uint64_t)block, block, "tap");
    vhd_put32(i.header + VHD_H_ENTRIES, 40);
    seal(&i);
    i.table[30] = 0x12345678;
    i.length = 4096;
    const char *path = write_image(&i, "stranger.vhd");
    int fd = open(path, O_RDWR | O_CLOEXEC);
    memset(mark, 0xAB, sizeof(mark));
    assert_int_equal(pwrite(fd, mark, 2048, 2048), 2048);
    struct block *b = open_image(path, BLOCK_CACHE_WRITEBACK, false);
    memset(buf, 1, sizeof(buf));
    for (unsigned n = 0; n < 4; n++)
        assert_int_equal(rw(b, BLOCK_WRITE, n * (uint64_t)block, buf, 512), 0);
    block_close(b);
    uint8_t back[2048];
    assert_int_equal(pread(fd, back, 2048, 2048), 2048);
    assert_memory_equal(back, mark, 2048);
    assert_int_equal(pread(fd, back, 4, 1536 + 30 * 4), 4);
    assert_int_equal(vhd_get32(back), 0x12345678);
    close(fd);
}

/* The footer at the end got lost: the copy serves, and the next writer puts it back. One of 511
 * bytes is a footer too. */
static void test_lost_footer(void **state)
{
    (void)state;
    struct vpc_report r;
    uint8_t buf[512] = {7}, back[512];
    for (unsigned kind = 0; kind < 3; kind++) {
        struct image i = make(VHD_TYPE_DYNAMIC, 8 * MIB, 2 * MIB, "win ");
        i.no_back = kind == 0;
        i.short_footer = kind == 1;
        i.no_front = kind == 2;
        const char *path = write_image(&i, "footer.vhd");
        struct block *b = open_image(path, BLOCK_CACHE_WRITEBACK, true);
        assert_int_equal(block_bytes(b), 8 * MIB);
        block_close(b);
        b = open_image(path, BLOCK_CACHE_WRITEBACK, false);
        assert_int_equal(rw(b, BLOCK_WRITE, 3 * MIB, buf, 512), 0);
        block_close(b);
        if (kind < 2) {
            assert_true(vpc_check(path, &r));
            assert_false(r.footer_lost);
        }
        b = open_image(path, BLOCK_CACHE_WRITEBACK, true);
        assert_int_equal(rw(b, BLOCK_READ, 3 * MIB, back, 512), 0);
        assert_memory_equal(buf, back, 512);
        block_close(b);
    }
}

/* Which of the two sizes counts. */
static void test_sizes(void **state)
{
    (void)state;
    static const struct {
        char creator[5];
        bool current;
    } rows[] = {{"vpc ", false}, {"qemu", false}, {"qem2", true},  {"win ", true},
                {"d2v ", true},  {"CTXS", true},  {"tap\0", true}, {"wa\0\0", true}};
    uint64_t chs = UINT64_C(100) * 4 * 17 * 512, current = 4 * MIB;
    for (unsigned n = 0; n < sizeof(rows) / sizeof(rows[0]); n++)
        for (unsigned type = VHD_TYPE_FIXED; type <= VHD_TYPE_DYNAMIC; type++)
            for (unsigned geometry = 0; geometry < 2; geometry++) {
                struct image i = make(type, current, 2 * MIB, rows[n].creator);
                put16(i.footer + VHD_CYLINDERS, geometry ? 65535 : 100);
                i.footer[VHD_HEADS] = geometry ? 16 : 4;
                i.footer[VHD_SECTORS] = geometry ? 255 : 17;
                seal(&i);
                const char *path = write_image(&i, "size.vhd");
                struct block *b = open_image(path, BLOCK_CACHE_WRITEBACK, true);
                bool by_current = rows[n].current || geometry;
                assert_int_equal(block_bytes(b), by_current ? current : chs);
                block_close(b);
                if (tools_there() &&
                    strcmp(rows[n].creator, "wa")) { /* that one QEMU learnt later */
                    tools_must("qemu-img info -f vpc '%s'", path);
                    char wanted[64];
                    snprintf(wanted, sizeof(wanted), "(%llu bytes)",
                             (unsigned long long)(by_current ? current : chs));
                    if (!strstr(tools_output(), wanted))
                        fail_msg("%s: not %s: %s", rows[n].creator, wanted, tools_output());
                }
            }
}

/* ---- hostile ---- */

static void refused(const struct image *i, const char *words)
{
    const char *path = write_image(i, "bad.vhd");
    struct block *b = try_open(path, BLOCK_CACHE_WRITEBACK, false);
    if (b)
        fail_msg("accepted, but: %s", words);
    if (!strstr(err.text, words))
        fail_msg("'%s' does not say '%s'", err.text, words);
    assert_null(strchr(err.text, '\n'));
}

static void test_hostile(void **state)
{
    (void)state;
    const struct image good = make(VHD_TYPE_DYNAMIC, 8 * MIB, 2 * MIB, "qem2");
    struct image i;
    struct block *b = try_open(write_image(&good, "good.vhd"), BLOCK_CACHE_WRITEBACK, false);
    assert_non_null(b);
    block_close(b);
#define BAD(change, words)  \
    do {                    \
        i = good;           \
        change;             \
        seal(&i);           \
        refused(&i, words); \
    } while (0)
    BAD(memcpy(i.footer, "connectx", 8), "no footer 'conectix'");
    i = good;
    i.footer[100] ^= 1;
    refused(&i, "checksum of its footer");
    i = good;
    i.header[100] ^= 1;
    refused(&i, "checksum of its dynamic header");
    BAD(vhd_put32(i.footer + VHD_TYPE, VHD_TYPE_DIFFERENCING), "qemu-img convert");
    BAD(vhd_put32(i.footer + VHD_TYPE, 7), "type");
    BAD(vhd_put32(i.footer + VHD_VERSION, 0x20000), "version 2.0");
    BAD(put64(i.footer + VHD_CURRENT_SIZE, 0), "its size");
    BAD(put64(i.footer + VHD_CURRENT_SIZE, 1000), "its size");
    BAD(put64(i.footer + VHD_CURRENT_SIZE, UINT64_MAX - 511), "its size");
    BAD(put64(i.footer + VHD_CURRENT_SIZE, (UINT64_C(2040) << 30) + 512), "its size");
    BAD(put64(i.footer + VHD_CURRENT_SIZE, 8 * MIB + 512), "table is too small");
    BAD(put64(i.footer + VHD_DATA_OFFSET, 100), "header lies outside");
    BAD(put64(i.footer + VHD_DATA_OFFSET, 0), "header lies outside");
    BAD(put64(i.footer + VHD_DATA_OFFSET, UINT64_MAX - 511), "header lies outside");
    BAD(put64(i.footer + VHD_DATA_OFFSET, 1 << 30), "header lies outside");
    BAD(put64(i.footer + VHD_DATA_OFFSET, 1536), "cxsparse");
    BAD(memcpy(i.header, "cxsparsE", 8), "cxsparse");
    BAD(vhd_put32(i.header + VHD_H_VERSION, 0x20000), "version");
    BAD(vhd_put32(i.header + VHD_H_BLOCK, 0), "blocks of 0");
    BAD(vhd_put32(i.header + VHD_H_BLOCK, 512), "blocks of 512");
    BAD(vhd_put32(i.header + VHD_H_BLOCK, 3 * MIB), "blocks of");
    BAD(vhd_put32(i.header + VHD_H_BLOCK, 0x80000000u), "blocks of");
    BAD(vhd_put32(i.header + VHD_H_ENTRIES, 3), "table is too small");
    BAD(vhd_put32(i.header + VHD_H_ENTRIES, UINT32_MAX), "table lies");
    BAD(put64(i.header + VHD_H_TABLE, 0), "table lies");
    BAD(put64(i.header + VHD_H_TABLE, 512), "table lies");
    BAD(put64(i.header + VHD_H_TABLE, 1024), "table lies");
    BAD(put64(i.header + VHD_H_TABLE, 1537), "table lies");
    BAD(put64(i.header + VHD_H_TABLE, UINT64_MAX - 511), "table lies");
    BAD(put64(i.header + VHD_H_TABLE, 1 << 20), "table lies");
    BAD(i.table[0] = 0, "block lies outside");
    BAD(i.table[0] = 3, "block lies outside");
    BAD(i.table[3] = 4, "block lies outside"); /* the file is not so long */
    BAD(i.table[3] = 0xFFFFFFFE, "block lies outside");
    BAD((i.length = 16 * MIB, i.table[0] = 16, i.table[3] = 16), "over each other");
    BAD((i.length = 16 * MIB, i.table[3] = 16, i.table[0] = 16 + 4096), "over each other");

    i = make(VHD_TYPE_FIXED, 1 * MIB, 2 * MIB, "win ");
    i.length = 1 * MIB - 512;
    refused(&i, "shorter than its disk");

    static const char *const nothing[] = {"", "conectix"};
    for (unsigned n = 0; n < 2; n++) {
        const char *path = path_of("nothing.vhd");
        FILE *f = fopen(path, "we");
        fputs(nothing[n], f);
        fclose(f);
        assert_null(try_open(path, BLOCK_CACHE_WRITEBACK, false));
    }
}

/* A guest on a fixed disk writes a dynamic disk's footer to its first sector: its disk stays what
 * it is. */
static void test_guest_writes_a_footer(void **state)
{
    (void)state;
    struct image i = make(VHD_TYPE_FIXED, 1 * MIB, 2 * MIB, "win ");
    struct image fake = make(VHD_TYPE_DYNAMIC, 8 * MIB, 2 * MIB, "win ");
    const char *path = write_image(&i, "guest.vhd");
    struct block *b = open_image(path, BLOCK_CACHE_WRITEBACK, false);
    assert_int_equal(rw(b, BLOCK_WRITE, 0, fake.footer, 512), 0);
    assert_int_equal(rw(b, BLOCK_WRITE, 512, fake.header, 1024), 0);
    assert_int_equal(rw(b, BLOCK_WRITE, 1 * MIB, fake.footer, 512), EINVAL);
    block_close(b);
    b = open_image(path, BLOCK_CACHE_WRITEBACK, false);
    assert_int_equal(block_bytes(b), 1 * MIB);
    block_close(b);
}

/* While the image is let go (stop) another program writes it: what we then read is its. */
static void test_changed_while_stopped(void **state)
{
    (void)state;
    uint8_t buf[512];
    struct image i = make(VHD_TYPE_DYNAMIC, 8 * MIB, 2 * MIB, "qem2");
    const char *path = write_image(&i, "stop.vhd");
    struct block *a = open_image(path, BLOCK_CACHE_WRITEBACK, false);
    memset(buf, 1, 512);
    assert_int_equal(rw(a, BLOCK_WRITE, 0, buf, 512), 0);
    assert_true(block_inactivate(a, &err));
    assert_int_equal(rw(a, BLOCK_WRITE, 512, buf, 512), EIO);

    struct block *b = open_image(path, BLOCK_CACHE_WRITEBACK, false);
    memset(buf, 2, 512);
    assert_int_equal(rw(b, BLOCK_WRITE, 4 * MIB, buf, 512), 0);
    assert_false(block_activate(a, &err));
    block_close(b);
    assert_true(block_activate(a, &err));
    memset(buf, 0, 512);
    assert_int_equal(rw(a, BLOCK_READ, 4 * MIB, buf, 512), 0);
    assert_int_equal(buf[0], 2);
    memset(buf, 3, 512);
    assert_int_equal(rw(a, BLOCK_WRITE, 2 * MIB, buf, 512), 0);
    assert_int_equal(rw(a, BLOCK_READ, 4 * MIB, buf, 512), 0);
    assert_int_equal(buf[0], 2);
    assert_true(block_inactivate(a, &err));

    /* Made another disk: refused, and nothing but errors from then on. */
    i = make(VHD_TYPE_DYNAMIC, 16 * MIB, 2 * MIB, "qem2");
    write_image(&i, "stop.vhd");
    assert_false(block_activate(a, &err));
    assert_non_null(strstr(err.text, "behind our back"));
    assert_int_equal(rw(a, BLOCK_READ, 0, buf, 512), EIO);
    block_close(a);
}

/* The table is written without a FLUSH too, after a while; and discards give space back. */
static void test_table_follows(void **state)
{
    (void)state;
    struct image i = make(VHD_TYPE_DYNAMIC, 8 * MIB, 2 * MIB, "qem2");
    const char *path = write_image(&i, "follow.vhd");
    struct block *b = open_image(path, BLOCK_CACHE_WRITEBACK, false);
    uint8_t *buf = malloc(2 * MIB);
    struct vpc_report r;
    memset(buf, 5, 2 * MIB);
    assert_int_equal(rw(b, BLOCK_WRITE, 2 * MIB, buf, 2 * MIB), 0);
    for (unsigned n = 0; n < 100; n++) {
        loop_turn(loop, 100 * NS_PER_MS);
        assert_true(vpc_check(path, &r));
        if (r.blocks == 1)
            break;
    }
    assert_int_equal(r.blocks, 1);
    assert_int_equal(rw(b, BLOCK_FLUSH, 0, NULL, 0), 0);
    struct stat full, st;
    assert_int_equal(stat(path, &full), 0);
    assert_int_equal(rw(b, BLOCK_DISCARD, 2 * MIB, NULL, 2 * MIB), 0);
    assert_int_equal(rw(b, BLOCK_FLUSH, 0, NULL, 0), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_blocks < full.st_blocks / 4);
    block_close(b);
    free(buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written_by_us),
        cmocka_unit_test(test_written_by_qemu),
        cmocka_unit_test(test_bitmaps),
        cmocka_unit_test(test_strangers),
        cmocka_unit_test(test_lost_footer),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_guest_writes_a_footer),
        cmocka_unit_test(test_changed_while_stopped),
        cmocka_unit_test(test_table_follows),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
