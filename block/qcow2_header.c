/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qcow2_header: the header and its extensions, every field of which may be hostile. */
#include "block/qcow2_int.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "hw/core/log.h"

#define MAGIC        0x514649fbu
#define V2_BYTES     72u
#define V3_BYTES     104u
#define NAME_MAX_LEN 1023u

/* Types of header extensions. */
#define EXT_END            0x00000000u
#define EXT_BACKING_FORMAT 0xe2792acau
#define EXT_FEATURES       0x6803f857u
#define EXT_BITMAPS        0x23852875u

static bool refuse(const struct qcow2 *q, struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static bool refuse(const struct qcow2 *q, struct err *err, const char *fmt, ...)
{
    char why[2048];
    va_list args;

    va_start(args, fmt);
    vsnprintf(why, sizeof(why), fmt, args);
    va_end(args);
    return err_set(err, "disk %s: %s: %s", q->id, q->name, why);
}

static void transferred(struct block_request *r, int error)
{
    *(int *)r->opaque = error;
}

int qcow2_transfer(struct qcow2 *q, enum block_op op, uint64_t offset, void *buf, size_t bytes)
{
    int error = 0;
    struct iovec iov = {.iov_base = buf, .iov_len = bytes};
    struct block_request r = {.op = op,
                              .offset = offset,
                              .bytes = bytes,
                              .iov = &iov,
                              .iovcnt = buf ? 1 : 0,
                              .own_memory = true,
                              .done = transferred,
                              .opaque = &error};

    block_submit(q->file, &r);
    block_drain(q->file);
    return -error;
}

/* ---- Fields -----------------------------------------------------------------------------------
 */

static bool check_version(struct qcow2 *q, struct err *err)
{
    if (qcow2_be32(q->sector) != MAGIC)
        return refuse(
            q, err,
            "is not a qcow2 image; if it is a raw one, say format=raw (qemu-img info shows "
            "what an image is)");
    q->version = qcow2_be32(q->sector + 4);
    if (q->version == 1)
        return refuse(q, err,
                      "is a qcow image of version 1; convert it: qemu-img convert -f qcow -O qcow2 "
                      "OLD NEW");
    return q->version == 2 || q->version == 3 ||
           refuse(q, err, "is a qcow2 image of version %u; 2 and 3 are supported",
                  (unsigned)q->version);
}

static bool read_sizes(struct qcow2 *q, struct err *err)
{
    const uint8_t *h = q->sector;

    q->cluster_bits = qcow2_be32(h + 20);
    if (q->cluster_bits < 9 || q->cluster_bits > QCOW2_CLUSTER_BITS)
        return refuse(q, err, "its clusters have 2^%u bytes; 2^9 to 2^%u are supported",
                      (unsigned)q->cluster_bits, QCOW2_CLUSTER_BITS);
    q->cluster_bytes = UINT64_C(1) << q->cluster_bits;
    q->refcount_order = q->version >= 3 ? qcow2_be32(h + 96) : 4;
    if (q->refcount_order > 6)
        return refuse(q, err, "its refcounts have 2^%u bits; at most 2^6 can be",
                      (unsigned)q->refcount_order);
    uint32_t length = q->version >= 3 ? qcow2_be32(h + 100) : V2_BYTES;
    if (q->version >= 3 && (length < V3_BYTES || length % 8 || length > q->cluster_bytes))
        return refuse(q, err, "its header claims to have %u bytes, which cannot be",
                      (unsigned)length);
    q->header_bytes = length;
    if (qcow2_be32(h + 32))
        return refuse(q, err,
                      "is encrypted (%s), which is not supported; convert it: qemu-img convert -O "
                      "qcow2",
                      qcow2_be32(h + 32) == 1 ? "AES" : "LUKS");
    return true;
}

/* A bit's name from the image's own table, if it has one; printable. */
static const char *feature_name(const uint8_t *table, size_t bytes, unsigned type, unsigned bit,
                                char *name)
{
    for (size_t at = 0; at + 48 <= bytes; at += 48)
        if (table[at] == type && table[at + 1] == bit) {
            unsigned n = 0;
            while (n < 46 && table[at + 2 + n]) {
                name[n] = isprint(table[at + 2 + n]) ? (char)table[at + 2 + n] : '?';
                n++;
            }
            name[n] = 0;
            return name;
        }
    return "no name given";
}

static bool read_features(struct qcow2 *q, const uint8_t *names, size_t names_bytes,
                          struct err *err)
{
    const uint8_t *h = q->sector;
    char name[48];

    if (q->version < 3)
        return true;
    q->incompatible = qcow2_be64(h + 72);
    q->autoclear = qcow2_be64(h + 88);
    uint64_t unknown = q->incompatible & ~QCOW2_INCOMPAT_KNOWN;
    if (unknown) {
        unsigned bit = (unsigned)__builtin_ctzll(unknown);
        return refuse(q, err, "uses feature bit %u (%s), which is not supported", bit,
                      feature_name(names, names_bytes, 0, bit, name));
    }
    if (q->incompatible & QCOW2_INCOMPAT_DATA_FILE)
        return refuse(q, err,
                      "has its data in an external file, which is not supported; convert it: "
                      "qemu-img convert -O qcow2");
    if (q->header_bytes > 104)
        q->compression = h[104];
    if (q->compression > 1 ||
        !!(q->incompatible & QCOW2_INCOMPAT_COMPRESSION) != (q->compression != 0))
        return refuse(q, err, "its compression type %u is not supported (zlib and zstd are)",
                      q->compression);
    q->extended = q->incompatible & QCOW2_INCOMPAT_EXTENDED;
    if (q->extended && q->cluster_bits < 14)
        return refuse(q, err, "has extended L2 entries and clusters of less than 16 KiB");
    return true;
}

static bool fits(uint64_t offset, uint64_t bytes)
{
    return offset <= INT64_MAX && bytes <= INT64_MAX - offset;
}

static bool read_tables(struct qcow2 *q, struct err *err)
{
    const uint8_t *h = q->sector;
    uint64_t mask = q->cluster_bytes - 1;

    q->entry_bits = q->extended ? 4 : 3;
    q->l2_bits = q->cluster_bits - q->entry_bits;
    q->ref_bits = q->cluster_bits + 3 - q->refcount_order;
    q->unit_bits = q->extended ? q->cluster_bits - 5 : q->cluster_bits;

    q->bytes = qcow2_be64(h + 24);
    q->l1_entries = qcow2_be32(h + 36);
    q->l1_offset = qcow2_be64(h + 40);
    q->reftable_offset = qcow2_be64(h + 48);
    q->reftable_bytes = (uint64_t)qcow2_be32(h + 56) << q->cluster_bits;
    q->snapshots = qcow2_be32(h + 60);
    q->snapshots_offset = qcow2_be64(h + 64);

    uint64_t reach = q->cluster_bytes << q->l2_bits; /* of one L1 entry */
    uint64_t needed = q->bytes / reach + !!(q->bytes % reach);
    if (needed > QCOW2_L1_MAX || q->bytes > INT64_MAX)
        return refuse(q, err, "its size, %llu bytes, is too large for its cluster size",
                      (unsigned long long)q->bytes);
    q->bytes &= ~(uint64_t)(QCOW2_SECTOR - 1);
    if (!q->bytes)
        return refuse(q, err, "its size is 0; give it one: qemu-img resize");
    if (q->l1_entries > QCOW2_L1_MAX || q->l1_entries < needed || !q->l1_offset ||
        q->l1_offset & mask || !fits(q->l1_offset, q->l1_entries * 8))
        return refuse(q, err, "is damaged: its L1 table (%llu entries at %#llx) cannot be",
                      (unsigned long long)q->l1_entries, (unsigned long long)q->l1_offset);
    if (!q->reftable_offset || q->reftable_offset & mask || !q->reftable_bytes ||
        q->reftable_bytes > QCOW2_REFTABLE_MAX || !fits(q->reftable_offset, q->reftable_bytes))
        return refuse(q, err, "is damaged: its table of refcounts (%llu bytes at %#llx) cannot be",
                      (unsigned long long)q->reftable_bytes,
                      (unsigned long long)q->reftable_offset);
    if (q->snapshots && (q->snapshots > 65536 || !q->snapshots_offset ||
                         q->snapshots_offset & mask || !fits(q->snapshots_offset, 0)))
        return refuse(q, err, "is damaged: its snapshot table (%u entries at %#llx) cannot be",
                      (unsigned)q->snapshots, (unsigned long long)q->snapshots_offset);
    return true;
}

/* ---- Extensions and the backing file's name ---------------------------------------------------
 */

/* Text from the image, as a string. NULL: no memory. */
static char *copy_text(const uint8_t *text, size_t bytes)
{
    return strndup((const char *)text, bytes);
}

static void read_bitmaps(struct qcow2 *q, const uint8_t *data, uint32_t bytes)
{
    if (bytes < 24)
        return;
    q->bitmaps = qcow2_be32(data);
    q->bitmaps_bytes = qcow2_be64(data + 8);
    q->bitmaps_offset = qcow2_be64(data + 16);
}

/* `area` is the first cluster, up to where extensions may go. */
static bool read_extensions(struct qcow2 *q, const uint8_t *area, uint64_t end,
                            const uint8_t **names, size_t *names_bytes, struct err *err)
{
    uint64_t at = q->header_bytes;

    while (at + 8 <= end) {
        uint32_t type = qcow2_be32(area + at), bytes = qcow2_be32(area + at + 4);
        at += 8;
        if (type == EXT_END)
            return true;
        if (bytes > end - at)
            return refuse(q, err, "is damaged: a header extension is too long (%u bytes)",
                          (unsigned)bytes);
        if (type == EXT_BACKING_FORMAT) {
            free(q->backing_format);
            q->backing_format = copy_text(area + at, bytes);
        } else if (type == EXT_FEATURES) {
            *names = area + at;
            *names_bytes = bytes;
        } else if (type == EXT_BITMAPS) {
            read_bitmaps(q, area + at, bytes);
        }
        at += ((uint64_t)bytes + 7) & ~UINT64_C(7);
    }
    return true;
}

static bool read_backing_name(struct qcow2 *q, const uint8_t *area, uint64_t *end, struct err *err)
{
    uint64_t offset = qcow2_be64(area + 8);
    uint32_t bytes = qcow2_be32(area + 16);

    free(q->backing_name);
    q->backing_name = NULL;
    if (!offset)
        return true;
    if (bytes > NAME_MAX_LEN || offset < q->header_bytes || offset > q->cluster_bytes ||
        bytes > q->cluster_bytes - offset)
        return refuse(q, err,
                      "is damaged: the name of its backing file (%u bytes at %#llx) cannot be",
                      (unsigned)bytes, (unsigned long long)offset);
    *end = offset;
    if (!bytes)
        return true;
    q->backing_name = copy_text(area + offset, bytes);
    return q->backing_name || refuse(q, err, "out of memory");
}

static bool read_area(struct qcow2 *q, uint8_t *area, struct err *err)
{
    const uint8_t *names = NULL;
    size_t names_bytes = 0;
    uint64_t end = q->cluster_bytes;

    return read_backing_name(q, area, &end, err) &&
           read_extensions(q, area, end, &names, &names_bytes, err) &&
           read_features(q, names, names_bytes, err) && read_tables(q, err);
}

bool qcow2_read_header(struct qcow2 *q, struct err *err)
{
    uint8_t *area;
    bool fixed;
    int error = qcow2_transfer(q, BLOCK_READ, 0, q->sector, QCOW2_SECTOR);

    if (error)
        return refuse(q, err, "cannot be read: %s", strerror(-error));
    if (!check_version(q, err) || !read_sizes(q, err))
        return false;
    q->bitmaps = 0;
    free(q->backing_format);
    q->backing_format = NULL;
    area = malloc(q->cluster_bytes);
    if (!area)
        return refuse(q, err, "out of memory");
    error = qcow2_transfer(q, BLOCK_READ, 0, area, q->cluster_bytes);
    bool ok =
        error ? refuse(q, err, "cannot be read: %s", strerror(-error)) : read_area(q, area, err);
    free(area);
    uint64_t length = q->file->driver->length(q->file, &fixed);
    q->fixed = fixed;
    q->end = (length + q->cluster_bytes - 1) & ~(q->cluster_bytes - 1);
    return ok;
}

/* ---- Changing it ------------------------------------------------------------------------------
 */

static void header_flushed(struct qcow2_io *io, int error)
{
    struct qcow2 *q = io->q;

    q->header_io = NULL;
    q->header_error = error;
    if (!error && q->version >= 3)
        q->autoclear = qcow2_be64(q->writing + 88);
    if (q->header_again)
        qcow2_write_header(q);
    qcow2_kick(q);
}

static void header_written(struct qcow2_io *io, int error)
{
    struct qcow2 *q = io->q;
    struct qcow2_io *flush = error ? NULL : qcow2_io_new(q, header_flushed, NULL);

    if (!flush) {
        header_flushed(io, error ? error : ENOMEM);
        return;
    }
    q->header_io = flush;
    qcow2_io_start(flush, q->file, BLOCK_FLUSH, 0, 0, true);
}

void qcow2_write_header(struct qcow2 *q)
{
    if (q->header_io) {
        q->header_again = true;
        return;
    }
    q->header_again = false;
    struct qcow2_io *io = qcow2_io_new(q, header_written, NULL);
    if (!io) {
        q->header_error = ENOMEM;
        return;
    }
    memcpy(q->writing, q->sector, QCOW2_SECTOR);
    qcow2_io_push(io, q->writing, QCOW2_SECTOR);
    q->header_io = io;
    qcow2_io_start(io, q->file, BLOCK_WRITE, 0, QCOW2_SECTOR, true);
}

int qcow2_may_change(struct qcow2 *q)
{
    if (q->corrupt)
        return -EIO;
    if (q->broken)
        return -q->broken;
    if (!q->autoclear)
        return 0;
    /* What these bits vouch for is not kept up by us. */
    if (q->header_error)
        return -q->header_error;
    if (!q->header_io) {
        qcow2_put64(q->sector + 88, 0);
        qcow2_write_header(q);
    }
    return q->header_error ? -q->header_error : QCOW2_WAIT;
}

int qcow2_corrupt(struct qcow2 *q, const char *fmt, ...)
{
    char what[256];
    va_list args;

    if (q->corrupt)
        return -EIO;
    q->corrupt = true;
    va_start(args, fmt);
    vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    log_error("disk %s: %s: the image is corrupt: %s; %s (qemu-img check -r all may repair it)",
              q->id, q->name, what,
              q->read_only ? "reads there fail" : "reads there and all writes fail");
    if (!q->read_only && q->active && q->version >= 3) {
        q->incompatible |= QCOW2_INCOMPAT_CORRUPT;
        qcow2_put64(q->sector + 72, q->incompatible);
        qcow2_write_header(q);
    }
    return -EIO;
}
