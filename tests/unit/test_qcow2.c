/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_qcow2: hostile headers and tables, errors of what is below, taking an image into use and
 * leaving it; without anybody's tools. (tests/block has what is compared with QEMU's.) */
#include "tests/unit/block_rig.h"

#include <sys/resource.h>

#include "block/qcow2_int.h"
#include "tests/block/qcow2_build.h"

#define KIB 1024u

static uint8_t image[BUILD_CLUSTERS * 16384];

/* The built image as a file, with 8 bytes at an offset changed. */
static const char *put(struct block_rig *rig, unsigned flags)
{
    size_t bytes = build_qcow2(image, flags);
    const char *path = rig_image(rig, "qcow2", bytes, false);
    int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, image, bytes, 0), (ssize_t)bytes);
    close(fd);
    return path;
}

static void poke(const char *path, uint64_t offset, uint64_t value, unsigned width)
{
    uint8_t n[8];
    int fd = open(path, O_WRONLY);
    qcow2_put64(n, value);
    assert_int_equal(pwrite(fd, n + 8 - width, width, (off_t)offset), width);
    close(fd);
}

static uint64_t peek64(const char *path, uint64_t offset)
{
    uint8_t n[8];
    rig_file_read(path, offset, n, 8);
    return qcow2_be64(n);
}

static struct block *open_qcow2(struct block_rig *rig, const char *path, bool ro)
{
    struct block_config config = rig_config(path, BLOCK_CACHE_WRITEBACK, ro);
    config.format = BLOCK_FORMAT_QCOW2;
    return block_open(rig->loop, &config, &rig->err);
}

/* Opened and activated, or NULL and why in rig->err. */
static struct block *use(struct block_rig *rig, const char *path, bool ro)
{
    struct block *block = open_qcow2(rig, path, ro);
    if (block && !block_activate(block, &rig->err)) {
        block_close(block);
        return NULL;
    }
    return block;
}

static struct block *must_use(struct block_rig *rig, const char *path, bool ro)
{
    struct block *block = use(rig, path, ro);
    if (!block)
        fail_msg("%s", rig->err.text);
    return block;
}

static void says(const struct block_rig *rig, const char *words)
{
    char copy[256];
    snprintf(copy, sizeof(copy), "%s", words);
    for (char *w = strtok(copy, "|"); w; w = strtok(NULL, "|"))
        if (!strstr(rig->err.text, w))
            fail_msg("'%s' is not in: %s", w, rig->err.text);
    assert_null(strchr(rig->err.text, '\n'));
}

static void all_are(const uint8_t *buf, size_t bytes, unsigned value)
{
    for (size_t i = 0; i < bytes; i++)
        if (buf[i] != value)
            fail_msg("byte %zu is %#x, not %#x", i, buf[i], value);
}

/* ---- A sound image ----------------------------------------------------------------------------
 */

static void test_reads(void **state)
{
    struct block_rig *rig = *state;
    static const unsigned variants[] = {0, BUILD_VERSION_2, BUILD_4K, BUILD_ZSTD,
                                        BUILD_VERSION_2 | BUILD_4K};
    uint8_t buf[4096];

    for (size_t i = 0; i < 5; i++) {
        unsigned flags = variants[i];
        size_t c = (size_t)1 << build_bits(flags);
        uint64_t reach = c * (c / 8);
        struct block *b = must_use(rig, put(rig, flags), i & 1);
        assert_int_equal(block_bytes(b), 3 * reach - 512);
        assert_int_equal(rig_read(rig, b, 0, buf, c), 0);
        all_are(buf, c, 8);
        for (unsigned z = 1; z < 4; z++) {
            if (z == 3 && flags & BUILD_VERSION_2)
                break; /* it cannot be marked as zero there */
            assert_int_equal(rig_read(rig, b, z * c, buf, c), 0);
            all_are(buf, c, 0);
        }
        assert_int_equal(rig_read(rig, b, 4 * c, buf, c), 0);
        for (size_t n = 0; n < c; n++)
            assert_int_equal(buf[n], flags & BUILD_ZSTD ? 0x5a : (uint8_t)(n / 16));
        assert_int_equal(rig_read(rig, b, 5 * c, buf, c), EIO);
        assert_int_equal(rig_read(rig, b, reach + c, buf, c), 0);
        all_are(buf, c, 9);
        assert_int_equal(rig_read(rig, b, 3 * reach - 1024, buf, 512), 0);
        all_are(buf, 512, 0);
        block_close(b);
    }
}

static void test_subclusters(void **state)
{
    struct block_rig *rig = *state;
    uint8_t *buf = malloc(16384);
    struct block *b = must_use(rig, put(rig, BUILD_EXTENDED), true);

    memset(buf, 0x77, 16384);
    assert_int_equal(rig_read(rig, b, 0, buf, 16384), 0);
    all_are(buf, 8 * 512, 0);
    all_are(buf + 8 * 512, 8 * 512, 8);
    all_are(buf + 16 * 512, 16 * 512, 0);
    block_close(b);
    free(buf);
}

/* What a snapshot has too is copied, not changed. */
static void test_shared_is_copied(void **state)
{
    struct block_rig *rig = *state;
    const char *path = put(rig, BUILD_4K);
    uint8_t buf[4096];
    struct block *b = must_use(rig, path, false);
    uint64_t reach = 4096 * 512;

    memset(buf, 1, 512);
    assert_int_equal(rig_write(rig, b, reach + 4096 + 1024, buf, 512), 0);
    assert_int_equal(rig_read(rig, b, reach + 4096, buf, 4096), 0);
    all_are(buf, 1024, 9);
    all_are(buf + 1024, 512, 1);
    all_are(buf + 1536, 4096 - 1536, 9);
    block_close(b);
    rig_file_read(path, 9 * 4096, buf, 4096);
    all_are(buf, 4096, 9);
    assert_int_equal(peek64(path, 5 * 4096 + 8), 9 * 4096); /* the snapshot's entry */
    assert_int_not_equal(peek64(path, 3 * 4096 + 8) & QCOW2_OFFSET_MASK, 5 * 4096);
    /* The clusters that were shared have one owner now. */
    rig_file_read(path, 2 * 4096, buf, 32);
    assert_int_equal(qcow2_be16(buf + 2 * 5), 1);
    assert_int_equal(qcow2_be16(buf + 2 * 9), 1);
}

/* ---- Hostile headers --------------------------------------------------------------------------
 */

struct poke {
    uint64_t offset, value;
    unsigned width;
    const char *words;
};

static void test_headers(void **state)
{
    struct block_rig *rig = *state;
    static const struct poke pokes[] = {
        {0, 0, 4, "not a qcow2 image|format=raw"},
        {4, 1, 4, "version 1|qemu-img convert"},
        {4, 4, 4, "version 4"},
        {4, UINT32_MAX, 4, "version"},
        {8, 16, 8, "backing file|cannot be"}, /* the name of the backing file: where, how long */
        {8, 400, 8, NULL},
        {8, UINT64_MAX, 8, "backing file|cannot be"},
        {8, 513, 8, "backing file|cannot be"},
        {20, 8, 4, "2^8|2^9"},
        {20, 22, 4, "2^22"},
        {20, 64, 4, "2^64"},
        {20, UINT32_MAX, 4, "clusters"},
        {24, 0, 8, "size is 0"},
        {24, 511, 8, "size is 0"},
        {24, UINT64_C(1) << 40, 8, "too large"},
        {24, UINT64_MAX, 8, "too large"},
        {24, 4 * 32768, 8, "L1 table"},
        {32, 1, 4, "encrypted (AES)"},
        {32, 2, 4, "encrypted (LUKS)"},
        {36, 0x7fffffff, 4, "L1 table"},
        {36, 2, 4, "L1 table"},
        {40, 0, 8, "L1 table"},
        {40, 513, 8, "L1 table"},
        {40, UINT64_MAX - 511, 8, "L1 table"},
        {48, 0, 8, "refcounts"},
        {48, 1000, 8, "refcounts"},
        {48, UINT64_C(1) << 63, 8, "refcounts"},
        {56, 0, 4, "refcounts"},
        {56, UINT32_MAX, 4, "refcounts"},
        {60, 0x7fffffff, 4, "snapshot"},
        {64, 3073, 8, "snapshot"},
        {64, UINT64_C(1) << 63, 8, "snapshot"},
        {72, 1 << 2, 8, "external file"},
        {72, 1 << 3, 8, "compression type"},
        {72, 1 << 4, 8, "extended L2"},
        {72, 1 << 5, 8, "feature bit 5"},
        {72, UINT64_C(1) << 63, 8, "feature bit 63"},
        {96, 7, 4, "refcounts have 2^7"},
        {96, 63, 4, "refcounts have 2^63"},
        {100, 96, 4, "header"},
        {100, 108, 4, "header"},
        {100, 520, 4, "header"},
        {100, 0xfffffff8, 4, "header"},
        {104, 1, 1, "compression type"},
        {112, UINT64_C(0xe2792aca00000190), 8, "extension"},
        {112, UINT64_C(0x12345678ffffffff), 8, "extension"},
        {112, UINT64_C(0x123456780000018f), 8, "extension"},
        {112, UINT64_C(0x1234567800000100), 8, NULL},
    };

    for (size_t i = 0; i < sizeof(pokes) / sizeof(pokes[0]); i++) {
        const char *path = put(rig, 0);
        poke(path, pokes[i].offset, pokes[i].value, pokes[i].width);
        struct block *b = open_qcow2(rig, path, false);
        if (!!b != !pokes[i].words)
            fail_msg("%llu at %llu: %s", (unsigned long long)pokes[i].value,
                     (unsigned long long)pokes[i].offset, b ? "opened" : rig->err.text);
        if (b)
            block_close(b);
        else
            says(rig, pokes[i].words);
    }
    /* A name that is too long, or reaches beyond the cluster. */
    static const uint32_t lengths[] = {1024, 65536, UINT32_MAX, 113};
    for (size_t i = 0; i < 4; i++) {
        const char *path = put(rig, 0);
        poke(path, 8, 400, 8);
        poke(path, 16, lengths[i], 4);
        assert_null(open_qcow2(rig, path, true));
        says(rig, "backing file|cannot be");
    }
    const char *path = rig_image(rig, "short", 512, false);
    assert_null(open_qcow2(rig, path, true));
    says(rig, "not a qcow2");
}

/* Feature names come from the image: they are printed, in one harmless line. */
static void test_feature_names(void **state)
{
    struct block_rig *rig = *state;
    const char *path = put(rig, 0);
    uint8_t entry[48] = {0, 40, 'e', 'v', '\n', 'i', 'l', 0x1b};
    int fd = open(path, O_WRONLY);

    poke(path, 72, UINT64_C(1) << 40, 8);
    poke(path, 112, UINT64_C(0x6803f85700000030), 8);
    assert_int_equal(pwrite(fd, entry, 48, 120), 48);
    close(fd);
    assert_null(open_qcow2(rig, path, true));
    says(rig, "feature bit 40 (ev?il?)");
}

static void test_backing_names(void **state)
{
    struct block_rig *rig = *state;
    static const struct {
        const char *name, *words;
    } names[] = {
        {"nbd://host/disk", "nbd://host/disk|local files"},
        {"json:{\"driver\":\"null-co\"}", "json|local files"},
        {"fat:rw:/etc", "fat:|local files"},
        {"/dev/fdset/1", "does not say which format"},
        {"missing", "does not say which format|-F raw"},
    };

    for (size_t i = 0; i < 5; i++) {
        const char *path = put(rig, 0);
        poke(path, 8, 400, 8);
        poke(path, 16, strlen(names[i].name), 4);
        int fd = open(path, O_WRONLY);
        assert_true(pwrite(fd, names[i].name, strlen(names[i].name), 400) > 0);
        close(fd);
        assert_null(open_qcow2(rig, path, false));
        says(rig, names[i].words);
    }
}

/* ---- Hostile tables ---------------------------------------------------------------------------
 */

/* With these an image may be read, but not written. */
static void test_tables(void **state)
{
    struct block_rig *rig = *state;
    enum { C = 512 };
    static const struct poke pokes[] = {
        {3 * C, 0 | QCOW2_COPIED | 4 * C | 256, 8, NULL}, /* reserved bits are ignored */
        {3 * C, 3 * C | QCOW2_COPIED, 8, "two tables are in one place"},
        {3 * C, 2 * C | QCOW2_COPIED, 8, "two tables are in one place"},
        {3 * C, 1 * C | QCOW2_COPIED, 8, "two tables are in one place"},
        {3 * C, 5 * C | QCOW2_COPIED, 8, "two tables are in one place"},
        {3 * C, 6 * C | QCOW2_COPIED, 8, "two tables are in one place"},
        {3 * C, 7 * C | QCOW2_COPIED, 8, "two tables are in one place"},
        {3 * C, UINT64_C(1) << 50, 8, "L1 table points"},
        {C, 3 * C, 8, "two tables are in one place"},
        {C, 2 * C + 512, 8, "two tables are in one place"},
        {C, UINT64_C(1) << 60, 8, "refcounts points"},
        {C + 8, 2 * C, 8, "two tables are in one place"},
        {48, 3 * C, 8, "two tables are in one place"},
        {64, 3 * C, 8, "snapshot 0"},
        {6 * C, 7 * C + 1, 8, "snapshot 0"},
        {6 * C, UINT64_C(1) << 62, 8, "snapshot 0"},
        {6 * C + 8, UINT32_MAX, 4, "snapshot 0"},
        {6 * C + 36, UINT32_MAX, 4, "snapshot 0"},
        {60, 65536, 4, "snapshot"},
    };

    for (size_t i = 0; i < sizeof(pokes) / sizeof(pokes[0]); i++) {
        const char *path = put(rig, 0);
        uint8_t buf[512];
        poke(path, pokes[i].offset, pokes[i].value, pokes[i].width);
        struct block *b = use(rig, path, false);
        if (!!b != !pokes[i].words)
            fail_msg("%zu: %s", i, b ? "opened" : rig->err.text);
        if (!b)
            says(rig, pokes[i].words);
        block_close(b);
        b = must_use(rig, path, true);
        for (unsigned s = 0; s < 12; s++) {
            int error = rig_read(rig, b, s * 512, buf, 512);
            assert_true(error == 0 || error == EIO);
        }
        block_close(b);
    }
}

/* An L2 entry leads the guest's data over a table: nothing is written, the image is marked. */
static void test_overlap(void **state)
{
    struct block_rig *rig = *state;
    static const uint64_t targets[] = {0, 1, 2, 3, 4, 5, 6, 7};

    for (size_t i = 0; i < 8; i++) {
        const char *path = put(rig, 0);
        uint8_t buf[512], before[BUILD_CLUSTERS * 512], after[sizeof(before)];
        /* Cluster 0 of the file cannot be named: the entry would mean nothing. */
        poke(path, 4 * 512, targets[i] * 512 | QCOW2_COPIED, 8);
        struct block *b = must_use(rig, path, false);
        rig_file_read(path, 0, before, sizeof(before));
        memset(buf, 0xee, 512);
        int error = rig_write(rig, b, 0, buf, 512);
        if (targets[i]) {
            assert_int_equal(error, EIO);
            assert_int_equal(rig_write(rig, b, 20 * 512, buf, 512), EIO); /* no more changes */
            assert_int_equal(rig_read(rig, b, 2 * 512, buf, 512), 0);
        }
        assert_int_equal(rig_op(rig, b, BLOCK_FLUSH, 0, 0), 0);
        block_close(b);
        if (!targets[i]) {
            assert_int_equal(error, 0);
            continue;
        }
        rig_file_read(path, 0, after, sizeof(after));
        assert_int_equal(qcow2_be64(after + 72), QCOW2_INCOMPAT_CORRUPT);
        qcow2_put64(after + 72, 0);
        qcow2_put64(after + 88, 1); /* its bitmaps were given up before */
        assert_memory_equal(before, after, sizeof(before));
        assert_null(open_qcow2(rig, path, false));
        says(rig, "marked as corrupt|qemu-img check");
        b = must_use(rig, path, true);
        block_close(b);
    }
}

/* Refcounts that call tables free. */
static void test_tables_called_free(void **state)
{
    struct block_rig *rig = *state;

    for (unsigned cluster = 0; cluster < 8; cluster++) {
        const char *path = put(rig, 0);
        uint8_t buf[512] = {1};
        poke(path, 2 * 512 + 2 * cluster, 0, 2);
        struct block *b = must_use(rig, path, false);
        assert_int_equal(rig_write(rig, b, 30 * 512, buf, 512), EIO);
        block_close(b);
        assert_int_equal(peek64(path, 72), QCOW2_INCOMPAT_CORRUPT);
    }
}

static void test_bad_entries(void **state)
{
    struct block_rig *rig = *state;
    static const struct {
        unsigned flags;
        uint64_t entry, bitmap;
    } entries[] = {
        {BUILD_4K, 8 * 4096 + 512, 0},                      /* not aligned */
        {BUILD_VERSION_2, 8 * 512 | QCOW2_ZERO, 0},         /* no such mark in version 2 */
        {BUILD_EXTENDED, 8 * 16384, 1 | UINT64_C(1) << 32}, /* data and zero */
        {BUILD_EXTENDED, 0, 1},                             /* data, nowhere */
        {0, QCOW2_COMPRESSED | 100, 0},                     /* in the header */
    };

    for (size_t i = 0; i < 5; i++) {
        const char *path = put(rig, entries[i].flags);
        uint64_t c = UINT64_C(1) << build_bits(entries[i].flags);
        uint8_t buf[512];
        poke(path, 4 * c, entries[i].entry, 8);
        if (entries[i].flags & BUILD_EXTENDED)
            poke(path, 4 * c + 8, entries[i].bitmap, 8);
        struct block *b = must_use(rig, path, false);
        assert_int_equal(rig_read(rig, b, 0, buf, 512), EIO);
        assert_int_equal(rig_write(rig, b, 0, buf, 512), EIO);
        assert_int_equal(rig_read(rig, b, 2 * c, buf, 512), 0);
        block_close(b);
        if (!(entries[i].flags & BUILD_VERSION_2))
            assert_int_equal(peek64(path, 72) & QCOW2_INCOMPAT_CORRUPT, QCOW2_INCOMPAT_CORRUPT);
    }
}

/* Left dirty: refcounts of all widths are counted anew, also where there is no block for them. */
static void test_repair(void **state)
{
    struct block_rig *rig = *state;
    uint8_t buf[512];
    const char *path = put(rig, BUILD_DIRTY);

    poke(path, 2 * 512 + 2 * 8, 7, 2); /* wrong both ways */
    poke(path, 2 * 512 + 2 * 9, 0, 2);
    struct block *b = must_use(rig, path, true); /* to read: untouched */
    assert_int_equal(rig_read(rig, b, 0, buf, 512), 0);
    block_close(b);
    assert_int_equal(peek64(path, 72), QCOW2_INCOMPAT_DIRTY);
    b = must_use(rig, path, false);
    block_close(b);
    assert_int_equal(peek64(path, 72), 0);
    rig_file_read(path, 2 * 512, buf, 512);
    assert_int_equal(qcow2_be16(buf + 2 * 8), 1);
    assert_int_equal(qcow2_be16(buf + 2 * 9), 2);
    assert_int_equal(qcow2_be16(buf + 2 * 11), 1);

    path = put(rig, BUILD_DIRTY); /* the block of refcounts is lost altogether */
    poke(path, 512, 0, 8);
    b = must_use(rig, path, false);
    block_close(b);
    uint64_t block = peek64(path, 512);
    assert_int_equal(block, 13 * 512);
    rig_file_read(path, block, buf, 512);
    assert_int_equal(qcow2_be16(buf), 1);
    assert_int_equal(qcow2_be16(buf + 2 * 2), 0);
    assert_int_equal(qcow2_be16(buf + 2 * 5), 2);
    assert_int_equal(qcow2_be16(buf + 2 * 13), 1);
}

/* ---- Errors from below ------------------------------------------------------------------------
 */

static void test_no_space(void **state)
{
    struct block_rig *rig = *state;
    struct rlimit old, small;
    const char *path = put(rig, BUILD_4K);
    uint8_t *buf = malloc(64 * KIB), back[512];

    struct block *b = must_use(rig, path, false);
    memset(buf, 0x42, 64 * KIB);
    getrlimit(RLIMIT_FSIZE, &old);
    small = old;
    small.rlim_cur = 15 * 4096;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int first = rig_write(rig, b, 100 * 4096, buf, 64 * KIB);
    int second = rig_write(rig, b, 300 * 4096, buf, 512);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(first, EFBIG);
    (void)second; /* may have found room */
    assert_int_equal(rig_read(rig, b, 100 * 4096 + 32 * KIB, back, 512), 0);
    all_are(back, 512, 0);
    assert_int_equal(rig_write(rig, b, 100 * 4096, buf, 64 * KIB), 0);
    assert_int_equal(rig_op(rig, b, BLOCK_FLUSH, 0, 0), 0);
    block_close(b);
    b = must_use(rig, path, true);
    assert_int_equal(rig_read(rig, b, 100 * 4096 + 32 * KIB, back, 512), 0);
    all_are(back, 512, 0x42);
    block_close(b);
    free(buf);
}

/* Tables that find no room: FLUSH says so, and the next one, with room, writes all of them. */
static void test_no_space_for_tables(void **state)
{
    struct block_rig *rig = *state;
    struct rlimit old, small;
    const char *path = put(rig, BUILD_4K);
    uint8_t buf[4096];

    struct block *b = must_use(rig, path, false);
    memset(buf, 0x43, sizeof(buf));
    assert_int_equal(rig_write(rig, b, 100 * 4096, buf, 4096), 0);
    getrlimit(RLIMIT_FSIZE, &old);
    small = old;
    small.rlim_cur = 4096; /* the tables are behind it */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int flush = rig_op(rig, b, BLOCK_FLUSH, 0, 0);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(flush, EFBIG);
    assert_int_equal(rig_op(rig, b, BLOCK_FLUSH, 0, 0), 0);
    /* As another process finds it now. */
    struct block *other = open_qcow2(rig, path, true);
    assert_non_null(other);
    memset(buf, 0, sizeof(buf));
    assert_int_equal(rig_read(rig, other, 100 * 4096, buf, 4096), 0);
    all_are(buf, 4096, 0x43);
    block_close(other);
    block_close(b);
}

/* ---- Into use, and out of it ------------------------------------------------------------------
 */

static void test_activation(void **state)
{
    struct block_rig *rig = *state;
    const char *path = put(rig, BUILD_4K);
    uint8_t buf[512];

    struct block *b = open_qcow2(rig, path, false);
    assert_non_null(b);
    assert_int_equal(rig_read(rig, b, 0, buf, 512), 0);
    all_are(buf, 512, 8);
    assert_int_equal(rig_write(rig, b, 0, buf, 512), EIO);
    /* Meanwhile somebody else has it. */
    struct block *other = must_use(rig, path, false);
    assert_false(block_activate(b, &rig->err));
    says(rig, "in use");
    memset(buf, 0x61, 512);
    assert_int_equal(rig_write(rig, other, 50 * 4096, buf, 512), 0);
    assert_true(block_inactivate(other, &rig->err));
    assert_true(block_inactivate(other, &rig->err));
    assert_int_equal(rig_write(rig, other, 50 * 4096, buf, 512), EIO);
    /* And now we: what the other one wrote is there. */
    assert_true(block_activate(b, &rig->err));
    assert_true(block_activate(b, &rig->err));
    assert_int_equal(rig_read(rig, b, 50 * 4096, buf, 512), 0);
    all_are(buf, 512, 0x61);
    memset(buf, 0x62, 512);
    assert_int_equal(rig_write(rig, b, 51 * 4096, buf, 512), 0);
    assert_true(block_inactivate(b, &rig->err));
    assert_true(block_activate(other, &rig->err));
    assert_int_equal(rig_read(rig, other, 51 * 4096, buf, 512), 0);
    all_are(buf, 512, 0x62);
    block_close(other);
    block_close(b);
}

/* Nothing of the loop stays armed once everything is flushed: an idle disk costs no wakeup. */
static void test_idle(void **state)
{
    struct block_rig *rig = *state;
    struct block *b = must_use(rig, put(rig, BUILD_4K), false);
    struct qcow2 *q = b->image;
    uint8_t buf[512] = {7};

    assert_int_equal(rig_write(rig, b, 60 * 4096, buf, 512), 0);
    assert_true(timer_armed(&q->commit.timer)); /* tables reach the file without FLUSH too */
    assert_int_equal(rig_op(rig, b, BLOCK_FLUSH, 0, 0), 0);
    block_drain(b);
    assert_false(timer_armed(&q->commit.timer));
    assert_int_equal(q->cache.dirty, 0);
    block_close(b);
}

/* ---- Parts ------------------------------------------------------------------------------------
 */

static void test_set(void **state)
{
    (void)state;
    struct qcow2_set set = {0};
    static uint8_t member[300000];
    uint64_t seed = 5;

    for (unsigned i = 0; i < 60000; i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint64_t n = (seed >> 33) % (i & 1 ? 300000 : 20000); /* one group gets dense */
        if (i % 5 == 4) {
            qcow2_set_remove(&set, n);
            member[n] = 0;
        } else {
            assert_int_equal(qcow2_set_add(&set, n), member[n] ? -EEXIST : 0);
            member[n] = 1;
        }
    }
    for (uint64_t n = 0; n < 300000; n++)
        assert_int_equal(qcow2_set_has(&set, n, 1), member[n]);
    for (uint64_t n = 65000; n < 67000; n += 7) {
        bool any = false;
        for (uint64_t i = n; i < n + 5; i++)
            any |= member[i];
        assert_int_equal(qcow2_set_has(&set, n, 5), any);
    }
    assert_int_equal(qcow2_set_add(&set, UINT64_C(1) << 54), 0);
    assert_true(qcow2_set_has(&set, UINT64_C(1) << 54, 1));
    assert_false(qcow2_set_has(&set, (UINT64_C(1) << 54) + 1, 70000));
    qcow2_set_clear(&set);
    assert_false(qcow2_set_has(&set, 0, 300000));
    /* However hostile the tables: bounded. */
    int r = 0;
    for (uint64_t i = 0; !r && i < UINT64_C(10000000); i++)
        r = qcow2_set_add(&set, i << 16);
    assert_int_equal(r, -ENOMEM);
    assert_true(set.bytes < 3u * QCOW2_SET_BYTES);
    qcow2_set_clear(&set);
}

static void test_refcount_widths(void **state)
{
    (void)state;
    for (unsigned order = 0; order <= 6; order++) {
        struct qcow2 q = {.refcount_order = order};
        uint8_t data[512] = {0};
        uint64_t most = order == 6 ? UINT64_MAX : (UINT64_C(1) << (1u << order)) - 1;
        unsigned count = 4096 >> order;
        for (unsigned i = 0; i < count; i++)
            qcow2_refcount_put(&q, data, i, i % 3 ? i & most : most);
        for (unsigned i = 0; i < count; i++)
            assert_true(qcow2_refcount_get(&q, data, i) == (i % 3 ? i & most : most));
    }
    /* Within a byte the first one is in the lowest bits. */
    struct qcow2 q = {.refcount_order = 1};
    uint8_t byte = 0;
    qcow2_refcount_put(&q, &byte, 1, 3);
    assert_int_equal(byte, 0x0c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads),
        cmocka_unit_test(test_subclusters),
        cmocka_unit_test(test_shared_is_copied),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_feature_names),
        cmocka_unit_test(test_backing_names),
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_overlap),
        cmocka_unit_test(test_tables_called_free),
        cmocka_unit_test(test_bad_entries),
        cmocka_unit_test(test_repair),
        cmocka_unit_test(test_no_space),
        cmocka_unit_test(test_no_space_for_tables),
        cmocka_unit_test(test_activation),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_refcount_widths),
    };
    return cmocka_run_group_tests(tests, block_rig_setup, block_rig_teardown);
}
