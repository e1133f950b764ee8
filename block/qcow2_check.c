/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2_check: what is done once, when an image becomes writable: where its tables are (so that
 * nothing overwrites them), and, if it was left dirty (lazy refcounts), its refcounts counted anew.
 * These wait for their transfers.
 */
#include "block/qcow2_int.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "hw/core/log.h"

#define PIECE        (64u * 1024)        /* of a table in memory */
#define WINDOW       (1024u * 1024)      /* clusters whose references are counted in one go */
#define SNAPSHOT_MAX (64u * 1024 * 1024) /* bytes of the snapshot table */
#define SHARED_MAX   (16u * 1024 * 1024) /* L1 entries of snapshots that are looked at */
#define VISITS_MAX   (UINT64_C(1) << 34) /* table entries, while counting: a minute or so */
#define EXTRA_MAX    1024u               /* bytes of a snapshot's extra data */

static bool damaged(const struct qcow2 *q, struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static bool damaged(const struct qcow2 *q, struct err *err, const char *fmt, ...)
{
    char why[512];
    va_list args;

    va_start(args, fmt);
    vsnprintf(why, sizeof(why), fmt, args);
    va_end(args);
    return err_set(err,
                   "disk %s: %s: the image is damaged: %s; qemu-img check -r all may repair it (or "
                   "attach it read-only)",
                   q->id, q->name, why);
}

static bool failed(const struct qcow2 *q, struct err *err, int error)
{
    return err_set(err, "disk %s: %s: %s", q->id, q->name, strerror(-error));
}

/* ---- Reading tables in pieces -----------------------------------------------------------------
 */

struct reader {
    struct qcow2 *q;
    uint8_t *buffer;
    uint64_t start, bytes; /* what is in the buffer */
    int error;
};

static bool reader_init(struct reader *r, struct qcow2 *q)
{
    void *buffer;

    *r = (struct reader){.q = q};
    if (posix_memalign(&buffer, 4096, PIECE))
        return false;
    r->buffer = buffer;
    return true;
}

/* The file's bytes at offset, a few. NULL:
 * r->error. */
static const uint8_t *at(struct reader *r, uint64_t offset, uint64_t bytes)
{
    if (offset < r->start || offset + bytes > r->start + r->bytes) {
        r->start = offset & ~(uint64_t)(QCOW2_SECTOR - 1);
        r->bytes = 0;
        r->error = qcow2_transfer(r->q, BLOCK_READ, r->start, r->buffer, PIECE);
        if (r->error)
            return NULL;
        r->bytes = PIECE;
    }
    return r->buffer + (offset - r->start);
}

/* ---- Walking over everything that has references ----------------------------------------------
 */

struct walk {
    struct qcow2 *q;
    struct reader l1, l2;
    /* Clusters first .. first + count - 1 have one more reference. */
    bool (*found)(struct walk *walk, uint64_t first, uint64_t count);
    bool with_data; /* what L2 tables refer to, too */
    struct err *err;
    void *opaque;
    uint16_t *counts; /* of clusters base .. base + WINDOW - 1 */
    uint64_t base, highest, limit;
    uint64_t visits, shared; /* table entries looked at; of snapshots' L1 tables */
};

static bool found_bytes(struct walk *walk, uint64_t offset, uint64_t bytes)
{
    struct qcow2 *q = walk->q;

    if (!bytes)
        return true;
    uint64_t first = offset >> q->cluster_bits;
    return walk->found(walk, first, ((offset + bytes - 1) >> q->cluster_bits) - first + 1);
}

static bool walk_l2(struct walk *walk, uint64_t table)
{
    struct qcow2 *q = walk->q;

    walk->visits += UINT64_C(1) << q->l2_bits;
    if (walk->visits > VISITS_MAX)
        return damaged(q, walk->err, "its tables have too many entries to count here");
    for (uint64_t i = 0; i < UINT64_C(1) << q->l2_bits; i++) {
        const uint8_t *p = at(&walk->l2, table + (i << q->entry_bits), 8);
        if (!p)
            return failed(q, walk->err, walk->l2.error);
        uint64_t entry = qcow2_be64(p), host = entry & QCOW2_OFFSET_MASK, offset;
        size_t bytes;
        bool ok = true;
        if (entry & QCOW2_COMPRESSED) {
            qcow2_compressed(q, entry, &offset, &bytes);
            ok = found_bytes(walk, offset, bytes);
        } else if (host & (q->cluster_bytes - 1)) {
            return damaged(q, walk->err, "an L2 table points to %#llx", (unsigned long long)host);
        } else if (host) {
            ok = found_bytes(walk, host, 1);
        }
        if (!ok)
            return false;
    }
    return true;
}

static bool walk_l1(struct walk *walk, uint64_t offset, uint64_t entries)
{
    struct qcow2 *q = walk->q;

    walk->visits += entries;
    for (uint64_t i = 0; i < entries; i++) {
        const uint8_t *p = at(&walk->l1, offset + i * 8, 8);
        if (!p)
            return failed(q, walk->err, walk->l1.error);
        uint64_t table = qcow2_be64(p) & QCOW2_OFFSET_MASK;
        if (!table)
            continue;
        if (table & (q->cluster_bytes - 1) || table >= q->end)
            return damaged(q, walk->err, "an L1 table points to %#llx", (unsigned long long)table);
        if (!found_bytes(walk, table, 1) || (walk->with_data && !walk_l2(walk, table)))
            return false;
    }
    return true;
}

static bool walk_refblocks(struct walk *walk)
{
    struct qcow2 *q = walk->q;

    for (uint64_t i = 0; i < q->reftable_bytes / 8; i++) {
        const uint8_t *p = at(&walk->l1, q->reftable_offset + i * 8, 8);
        if (!p)
            return failed(q, walk->err, walk->l1.error);
        uint64_t block = qcow2_be64(p) & ~UINT64_C(0x1ff);
        if (!block)
            continue;
        if (block & (q->cluster_bytes - 1) || block >= q->end)
            return damaged(q, walk->err, "its table of refcounts points to %#llx",
                           (unsigned long long)block);
        if (!found_bytes(walk, block, 1))
            return false;
    }
    return true;
}

/* The snapshot table, and (tables) what each entry's L1 table refers to. */
static bool walk_snapshots(struct walk *walk, bool tables)
{
    struct qcow2 *q = walk->q;
    struct reader reader;
    uint64_t offset = q->snapshots_offset;
    bool ok = true;

    if (!q->snapshots)
        return true;
    if (!reader_init(&reader, q))
        return failed(q, walk->err, -ENOMEM);
    for (unsigned i = 0; ok && i < q->snapshots; i++) {
        const uint8_t *p = at(&reader, offset, 40);
        if (!p) {
            ok = failed(q, walk->err, reader.error);
            break;
        }
        uint64_t l1 = qcow2_be64(p), entries = qcow2_be32(p + 8), extra = qcow2_be32(p + 36);
        uint64_t bytes = 40 + extra + qcow2_be16(p + 12) + qcow2_be16(p + 14);
        if (extra > EXTRA_MAX || entries > QCOW2_L1_MAX || l1 & (q->cluster_bytes - 1) ||
            l1 > INT64_MAX - entries * 8 || l1 + entries * 8 > q->end ||
            offset + bytes - q->snapshots_offset > SNAPSHOT_MAX) {
            ok = damaged(q, walk->err, "snapshot %u (L1 table of %llu entries at %#llx) cannot be",
                         i, (unsigned long long)entries, (unsigned long long)l1);
            break;
        }
        walk->shared += tables ? entries : 0;
        if (tables && !walk->with_data && walk->shared > SHARED_MAX)
            break; /* these few only matter to who goes back to such a snapshot */
        ok = tables ? walk_l1(walk, l1, entries) : found_bytes(walk, l1, entries * 8);
        offset += (bytes + 7) & ~UINT64_C(7);
    }
    free(reader.buffer);
    return ok && (tables || found_bytes(walk, q->snapshots_offset, offset - q->snapshots_offset));
}

static bool walk_bitmaps(struct walk *walk)
{
    struct qcow2 *q = walk->q;
    uint64_t offset = q->bitmaps_offset, end = offset + q->bitmaps_bytes;

    if (!q->bitmaps || !(q->autoclear & QCOW2_AUTOCLEAR_BITMAPS))
        return true;
    if (offset > q->end || end < offset || end > q->end)
        return damaged(q, walk->err, "its directory of bitmaps is at %#llx",
                       (unsigned long long)offset);
    if (!found_bytes(walk, offset, q->bitmaps_bytes))
        return false;
    while (offset + 24 <= end) {
        const uint8_t *p = at(&walk->l1, offset, 24);
        if (!p)
            return failed(q, walk->err, walk->l1.error);
        uint64_t table = qcow2_be64(p), entries = qcow2_be32(p + 8);
        offset += (24 + (uint64_t)qcow2_be16(p + 18) + qcow2_be32(p + 20) + 7) & ~UINT64_C(7);
        if (table > q->end || table + entries * 8 > q->end)
            return damaged(q, walk->err, "a bitmap's table is at %#llx", (unsigned long long)table);
        if (!found_bytes(walk, table, entries * 8))
            return false;
        for (uint64_t i = 0; i < entries; i++) {
            p = at(&walk->l2, table + i * 8, 8);
            if (!p)
                return failed(q, walk->err, walk->l2.error);
            uint64_t data = qcow2_be64(p) & QCOW2_OFFSET_MASK;
            if (data && !found_bytes(walk, data, 1))
                return false;
        }
    }
    return true;
}

static bool walk_init(struct walk *walk, struct qcow2 *q, struct err *err)
{
    *walk = (struct walk){.q = q, .err = err};
    if (reader_init(&walk->l1, q) && reader_init(&walk->l2, q))
        return true;
    free(walk->l1.buffer);
    walk->l1.buffer = NULL;
    return failed(q, err, -ENOMEM);
}

static void walk_free(struct walk *walk)
{
    free(walk->l1.buffer);
    free(walk->l2.buffer);
    free(walk->counts);
}

/* ---- Where the tables are ---------------------------------------------------------------------
 */

static bool add_table(struct walk *walk, uint64_t first, uint64_t count)
{
    for (uint64_t i = first; i < first + count; i++) {
        int r = qcow2_set_add(&walk->q->meta, i);
        if (r == -EEXIST)
            return damaged(walk->q, walk->err, "two tables are in one place, %#llx",
                           (unsigned long long)i << walk->q->cluster_bits);
        if (r)
            return failed(walk->q, walk->err, r);
    }
    return true;
}

/* L2 tables of snapshots are shared, by each other and with the disk. */
static bool add_shared(struct walk *walk, uint64_t first, uint64_t count)
{
    for (uint64_t i = first; i < first + count; i++)
        if (qcow2_set_add(&walk->q->meta, i) == -ENOMEM)
            return failed(walk->q, walk->err, -ENOMEM);
    return true;
}

bool qcow2_find_tables(struct qcow2 *q, struct err *err)
{
    struct walk walk;

    qcow2_set_clear(&q->meta);
    if (!walk_init(&walk, q, err))
        return false;
    walk.found = add_table;
    bool ok = found_bytes(&walk, 0, 1) && found_bytes(&walk, q->l1_offset, q->l1_entries * 8) &&
              found_bytes(&walk, q->reftable_offset, q->reftable_bytes) &&
              walk_snapshots(&walk, false) && walk_refblocks(&walk) &&
              walk_l1(&walk, q->l1_offset, q->l1_entries);
    if (ok) {
        walk.found = add_shared;
        ok = walk_snapshots(&walk, true);
    }
    walk_free(&walk);
    return ok;
}

/* ---- Counting references anew -----------------------------------------------------------------
 */

static bool count_references(struct walk *walk, uint64_t first, uint64_t count)
{
    if (count > walk->limit || first > walk->limit - count)
        return damaged(walk->q, walk->err, "something is beyond the file's end, at %#llx",
                       (unsigned long long)first << walk->q->cluster_bits);
    if (first + count - 1 > walk->highest)
        walk->highest = first + count - 1;
    for (uint64_t i = first; i < first + count; i++)
        if (i >= walk->base && i - walk->base < WINDOW && walk->counts[i - walk->base] < UINT16_MAX)
            walk->counts[i - walk->base]++;
    return true;
}

static bool count_window(struct walk *walk)
{
    struct qcow2 *q = walk->q;

    memset(walk->counts, 0, WINDOW * sizeof(*walk->counts));
    return found_bytes(walk, 0, 1) && found_bytes(walk, q->l1_offset, q->l1_entries * 8) &&
           found_bytes(walk, q->reftable_offset, q->reftable_bytes) &&
           walk_snapshots(walk, false) && walk_refblocks(walk) && walk_bitmaps(walk) &&
           walk_l1(walk, q->l1_offset, q->l1_entries) && walk_snapshots(walk, true);
}

/* Compares one block of refcounts with what was counted, and writes it if it differs. */
static bool mend_block(struct walk *walk, uint8_t *block, uint64_t offset, uint64_t first,
                       uint64_t count, bool *changed)
{
    struct qcow2 *q = walk->q;
    uint64_t most =
        q->refcount_order < 4 ? (UINT64_C(1) << (1u << q->refcount_order)) - 1 : UINT16_MAX;
    bool differs = false;

    int error = qcow2_transfer(q, BLOCK_READ, offset, block, q->cluster_bytes);
    if (error)
        return failed(q, walk->err, error);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t counted = walk->counts[first + i - walk->base];
        uint64_t index = (first + i) & ((UINT64_C(1) << q->ref_bits) - 1);
        if (counted == qcow2_refcount_get(q, block, index))
            continue;
        if (counted > most)
            return damaged(q, walk->err, "cluster %#llx has more references than can be counted",
                           (unsigned long long)(first + i) << q->cluster_bits);
        qcow2_refcount_put(q, block, index, counted);
        differs = true;
    }
    *changed |= differs;
    error = differs ? qcow2_transfer(q, BLOCK_WRITE, offset, block, q->cluster_bytes) : 0;
    return !error || failed(q, walk->err, error);
}

/* Clusters in use that no block counts: a new block, in the next cluster that nobody uses. */
static bool add_block(struct walk *walk, uint64_t entry, uint64_t *block)
{
    struct qcow2 *q = walk->q;
    uint8_t *sector = walk->l2.buffer;
    uint64_t place = q->reftable_offset + entry * 8;

    walk->l2.bytes = walk->l1.bytes = 0; /* nothing of it is in a buffer any more */
    *block = (walk->highest + 1) << q->cluster_bits;
    if (*block < q->end)
        *block = q->end;
    walk->highest = *block >> q->cluster_bits;
    q->end = *block + q->cluster_bytes;
    for (uint64_t done = 0; done < q->cluster_bytes;) {
        uint64_t len = q->cluster_bytes - done;
        if (len > QCOW2_ZEROES)
            len = QCOW2_ZEROES;
        int error =
            qcow2_transfer(q, BLOCK_WRITE, *block + done, (void *)(uintptr_t)qcow2_zeroes, len);
        if (error)
            return failed(q, walk->err, error);
        done += len;
    }
    uint64_t from = place & ~(uint64_t)(QCOW2_SECTOR - 1);
    int error = qcow2_transfer(q, BLOCK_READ, from, sector, QCOW2_SECTOR);
    if (!error) {
        qcow2_put64(sector + (place - from), *block);
        error = qcow2_transfer(q, BLOCK_WRITE, from, sector, QCOW2_SECTOR);
    }
    return !error || failed(q, walk->err, error);
}

static bool any(const struct walk *walk, uint64_t first, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        if (walk->counts[first + i - walk->base])
            return true;
    return false;
}

/* The blocks for the clusters that were counted. *again: one was added, which must be counted too.
 */
static bool mend_window(struct walk *walk, uint8_t *block, bool *changed, bool *again)
{
    struct qcow2 *q = walk->q;
    uint64_t each = UINT64_C(1) << q->ref_bits, end = walk->base + WINDOW;

    for (uint64_t first = walk->base; first < end && first <= walk->highest;) {
        uint64_t entry = first >> q->ref_bits, offset;
        uint64_t next = (entry + 1) * each < end ? (entry + 1) * each : end;
        uint64_t count = next - first;
        if (entry >= q->reftable_bytes / 8)
            return !any(walk, first, count) ||
                   damaged(q, walk->err, "it uses more clusters than its refcounts cover");
        const uint8_t *p = at(&walk->l1, q->reftable_offset + entry * 8, 8);
        if (!p)
            return failed(q, walk->err, walk->l1.error);
        offset = qcow2_be64(p) & ~UINT64_C(0x1ff);
        if (!offset && any(walk, first, count)) {
            if (!add_block(walk, entry, &offset))
                return false;
            *again = true;
        }
        if (offset && !mend_block(walk, block, offset, first, count, changed))
            return false;
        first = next;
    }
    return true;
}

bool qcow2_repair(struct qcow2 *q, struct err *err)
{
    struct walk walk;
    bool ok = true, again, changed = false;
    uint8_t *block = malloc(q->cluster_bytes);

    if (!block || !walk_init(&walk, q, err)) {
        free(block);
        return failed(q, err, -ENOMEM);
    }
    walk.found = count_references;
    walk.with_data = true;
    walk.counts = malloc(WINDOW * sizeof(*walk.counts));
    walk.highest = (q->end >> q->cluster_bits) - 1;
    /* The last cluster may just have been allocated, or be said to hold more compressed data. */
    uint64_t covered = q->reftable_bytes / 8 << q->ref_bits;
    walk.limit = (q->end >> q->cluster_bits) + WINDOW;
    if (walk.limit > covered)
        walk.limit = covered;
    if (!walk.counts) {
        walk_free(&walk);
        free(block);
        return failed(q, err, -ENOMEM);
    }
    do {
        again = false;
        for (walk.base = 0; ok && walk.base <= walk.highest && walk.base < walk.limit;
             walk.base += WINDOW)
            ok = count_window(&walk) && mend_window(&walk, block, &changed, &again);
    } while (ok && again);
    walk_free(&walk);
    free(block);
    if (!ok)
        return false;
    int error = qcow2_transfer(q, BLOCK_FLUSH, 0, NULL, 0);
    if (!error) {
        q->incompatible &= ~QCOW2_INCOMPAT_DIRTY;
        qcow2_put64(q->sector + 72, q->incompatible);
        error = qcow2_transfer(q, BLOCK_WRITE, 0, q->sector, QCOW2_SECTOR);
    }
    if (!error)
        error = qcow2_transfer(q, BLOCK_FLUSH, 0, NULL, 0);
    if (error)
        return failed(q, err, error);
    log_info("disk %s: %s: was not closed properly; its refcounts have been counted anew%s", q->id,
             q->name, changed ? " and corrected" : ": all were right");
    return true;
}
