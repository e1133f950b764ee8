/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2_make: new tables. An L2 table or a block of refcounts first gets its clean contents in the
 * file, then the entry above it (in memory; qcow2_commit.c orders the rest). A table of refcount
 * blocks that has become too small is copied to the end of the file, with its own barriers, before
 * the header names it.
 */
#include "block/qcow2_int.h"

#include <errno.h>
#include <stdlib.h>

#define BUFFER (256u * 1024)

/* What is made, in which order. */
enum { COPY, BARRIER, LINK, HEADER, DONE };

static void failed(struct qcow2 *q, int error)
{
    struct qcow2_make *m = &q->make;

    if (m->what != QCOW2_MAKING_REFTABLE && m->what != QCOW2_MAKING_REFBLOCK)
        qcow2_free_now(q, m->host, 1);
    free(m->buffer);
    m->buffer = NULL;
    m->failed = m->what;
    m->failed_key = m->key;
    m->failed_error = error;
    m->what = QCOW2_MAKING_NOTHING;
    qcow2_kick(q);
}

static void finished(struct qcow2 *q)
{
    free(q->make.buffer);
    q->make.buffer = NULL;
    q->make.what = QCOW2_MAKING_NOTHING;
    qcow2_kick(q);
}

static void io_done(struct qcow2_io *io, int error)
{
    struct qcow2 *q = io->q;

    q->make.error = error;
    qcow2_enqueue(q, &q->make.task);
}

static struct qcow2_io *new_io(struct qcow2 *q)
{
    struct qcow2_io *io = qcow2_io_new(q, io_done, NULL);
    if (!io)
        failed(q, ENOMEM);
    return io;
}

static void start(struct qcow2 *q, struct qcow2_io *io, enum block_op op, uint64_t offset,
                  size_t bytes)
{
    qcow2_io_start(io, q->file, op, offset, bytes, true);
}

static void transfer(struct qcow2 *q, enum block_op op, uint64_t offset, size_t bytes)
{
    struct qcow2_io *io = new_io(q);

    if (!io)
        return;
    qcow2_io_push(io, q->make.buffer, bytes); /* the first element: cannot fail */
    start(q, io, op, offset, bytes);
}

static void flush(struct qcow2 *q)
{
    struct qcow2_io *io = new_io(q);
    if (io)
        start(q, io, BLOCK_FLUSH, 0, 0);
}

/* Zeroes of `bytes`, as the table's contents. */
static void write_zeroes(struct qcow2 *q, uint64_t offset, uint64_t bytes)
{
    struct qcow2_io *io = new_io(q);

    if (!io)
        return;
    if (!qcow2_io_push_zeroes(io, bytes)) {
        qcow2_io_free(io);
        failed(q, ENOMEM);
        return;
    }
    start(q, io, BLOCK_WRITE, offset, bytes);
}

/* In a table that others use too, no entry can say that its cluster has one reference only. */
static void clear_copied(struct qcow2 *q, uint8_t *table, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += (size_t)1 << q->entry_bits)
        table[at] &= 0x7f;
}

/* Copies the old table in pieces. True: not done, a transfer is under way (or it failed). */
static bool copy(struct qcow2 *q)
{
    struct qcow2_make *m = &q->make;

    if (m->done == m->bytes)
        return false;
    size_t len = m->bytes - m->done < BUFFER ? (size_t)(m->bytes - m->done) : BUFFER;
    if (m->step++ % 2 == 0) {
        transfer(q, BLOCK_READ, m->from + m->done, len);
        return true;
    }
    if (m->what == QCOW2_MAKING_L2)
        clear_copied(q, m->buffer, len);
    uint64_t at = m->host + m->done;
    m->done += len;
    transfer(q, BLOCK_WRITE, at, len);
    return true;
}

/* ---- L2 tables --------------------------------------------------------------------------------
 */

static void run_l2(struct qcow2 *q)
{
    struct qcow2_make *m = &q->make;
    struct qcow2_page *page;
    uint64_t at = q->l1_offset + m->key * 8;

    if (copy(q))
        return;
    int r = qcow2_page(q, QCOW2_L1, at, &page);
    if (!r)
        r = qcow2_edit(q, page);
    if (!r)
        r = qcow2_set_add(&q->meta, m->host >> q->cluster_bits);
    if (r == QCOW2_WAIT) {
        qcow2_park(q, &m->task);
        return;
    }
    if (r) {
        failed(q, -r);
        return;
    }
    qcow2_put64(qcow2_at(q, page, at), m->host | QCOW2_COPIED);
    if (m->from)
        qcow2_runs_add(&q->unlinked, m->from >> q->cluster_bits, 1, false, true);
    finished(q);
}

/* Is something being made already? If it is what is wanted and has failed: its error. */
static int make_busy(struct qcow2 *q, enum qcow2_making what, uint64_t key)
{
    if (q->make.failed == what && q->make.failed_key == key)
        return -q->make.failed_error;
    return q->make.what != QCOW2_MAKING_NOTHING ? QCOW2_WAIT : 0;
}

static bool get_buffer(struct qcow2 *q, uint64_t bytes)
{
    void *buffer;

    if (posix_memalign(&buffer, 4096, bytes < BUFFER ? bytes : BUFFER))
        return false;
    q->make.buffer = buffer;
    return true;
}

static void begin(struct qcow2 *q, enum qcow2_making what, uint64_t key, uint64_t host)
{
    struct qcow2_make *m = &q->make;

    m->what = what;
    m->key = key;
    m->host = host;
    m->from = m->bytes = m->done = 0;
    m->step = COPY;
    m->error = 0;
    m->loaded = false;
}

int qcow2_make_l2(struct qcow2 *q, uint64_t l1_index)
{
    struct qcow2_page *page;
    uint64_t at = q->l1_offset + l1_index * 8, first, count;
    bool fresh;

    int r = make_busy(q, QCOW2_MAKING_L2, l1_index);
    if (!r)
        r = qcow2_page(q, QCOW2_L1, at, &page);
    if (r)
        return r;
    uint64_t from = qcow2_be64(qcow2_at(q, page, at)) & QCOW2_OFFSET_MASK;
    r = qcow2_alloc(q, 1, &first, &count, &fresh);
    if (r)
        return r;
    if (from && !get_buffer(q, q->cluster_bytes)) {
        qcow2_free_now(q, first << q->cluster_bits, 1);
        return -ENOMEM;
    }
    begin(q, QCOW2_MAKING_L2, l1_index, first << q->cluster_bits);
    q->make.from = from;
    q->make.bytes = from ? q->cluster_bytes : 0;
    /* The file must reach into the cluster before something refers to it; the rest is a hole. */
    if (from)
        qcow2_enqueue(q, &q->make.task);
    else if (fresh)
        write_zeroes(q, q->make.host + q->cluster_bytes - QCOW2_SECTOR, QCOW2_SECTOR);
    else
        write_zeroes(q, q->make.host, q->cluster_bytes);
    return q->make.what == QCOW2_MAKING_NOTHING ? -ENOMEM : QCOW2_WAIT;
}

/* ---- Blocks of refcounts ----------------------------------------------------------------------
 */

/* The block counts itself: it is in the first free cluster of those that it is for. */
static void run_refblock(struct qcow2 *q)
{
    struct qcow2_make *m = &q->make;
    struct qcow2_page *table, *block;
    uint64_t cluster = m->host >> q->cluster_bits;
    uint64_t at = q->reftable_offset + m->key * 8;
    uint64_t index = cluster & ((UINT64_C(1) << q->ref_bits) - 1);
    uint64_t byte = m->host + (index << q->refcount_order >> 3);
    uint64_t per_page = (UINT64_C(8) << q->cache.page_bits) >> q->refcount_order;

    int r = qcow2_page(q, QCOW2_REFBLOCK, byte, &block);
    if (!r) {
        block->used = true;
        r = qcow2_page(q, QCOW2_REFTABLE, at, &table);
    }
    if (!r) /* it may have gone for the other one */
        r = qcow2_page(q, QCOW2_REFBLOCK, byte, &block);
    if (!r)
        r = qcow2_edit(q, block);
    if (!r)
        r = qcow2_edit(q, table);
    if (!r)
        r = qcow2_set_add(&q->meta, cluster);
    if (r == QCOW2_WAIT) {
        qcow2_park(q, &m->task);
        return;
    }
    if (r) {
        failed(q, -r);
        return;
    }
    qcow2_refcount_put(q, block->data, index & (per_page - 1), 1);
    qcow2_put64(qcow2_at(q, table, at), m->host);
    if (m->host + q->cluster_bytes > q->end)
        q->end = m->host + q->cluster_bytes;
    finished(q);
}

int qcow2_make_refblock(struct qcow2 *q, uint64_t cluster)
{
    uint64_t host = cluster << q->cluster_bits;

    int r = make_busy(q, QCOW2_MAKING_REFBLOCK, cluster >> q->ref_bits);
    if (r)
        return r;
    if (qcow2_set_has(&q->meta, cluster, 1))
        return qcow2_corrupt(q, "a table's cluster counts as free at %#llx",
                             (unsigned long long)host);
    begin(q, QCOW2_MAKING_REFBLOCK, cluster >> q->ref_bits, host);
    if (host >= q->end && !q->fixed)
        write_zeroes(q, host + q->cluster_bytes - QCOW2_SECTOR, QCOW2_SECTOR);
    else
        write_zeroes(q, host, q->cluster_bytes);
    return q->make.what == QCOW2_MAKING_NOTHING ? -ENOMEM : QCOW2_WAIT;
}

/* ---- The table of refcount blocks -------------------------------------------------------------
 */

/* The blocks that count themselves and the new table, as the buffer's contents. */
static void fill_blocks(struct qcow2 *q, uint64_t block)
{
    struct qcow2_make *m = &q->make;
    uint64_t each = UINT64_C(1) << q->ref_bits;
    uint64_t used = m->added + (m->bytes >> q->cluster_bits);

    memset(m->buffer, 0, q->cluster_bytes);
    for (uint64_t i = 0; i < each && block * each + i < used; i++)
        qcow2_refcount_put(q, m->buffer, i, 1);
}

/* The part of the new table that starts at m->done: the old one's entries, the new blocks, zeroes.
 */
static void fill_table(struct qcow2 *q, uint64_t first, uint64_t count)
{
    struct qcow2_make *m = &q->make;

    for (uint64_t i = first; i < first + count; i++) {
        uint8_t *at = m->buffer + (i - first) * 8;
        if (i >= m->entries && i < m->entries + m->added)
            qcow2_put64(at, m->host + ((i - m->entries) << q->cluster_bits));
        else if (i >= m->entries)
            qcow2_put64(at, 0);
    }
}

/* Steps of COPY: first the new blocks, a cluster each, then the table, a piece each. m->done counts
 * the bytes of both. */
static void copy_reftable(struct qcow2 *q)
{
    struct qcow2_make *m = &q->make;
    uint64_t blocks = m->added << q->cluster_bits;

    if (m->done < blocks) {
        fill_blocks(q, m->done >> q->cluster_bits);
        uint64_t at = m->host + m->done;
        m->done += q->cluster_bytes;
        transfer(q, BLOCK_WRITE, at, q->cluster_bytes);
        return;
    }
    uint64_t at = m->done - blocks;
    size_t len = m->bytes - at < BUFFER ? (size_t)(m->bytes - at) : BUFFER;
    if (at < m->entries * 8 && !m->loaded) { /* what is of the old one */
        m->loaded = true;
        uint64_t old = m->entries * 8 - at;
        transfer(q, BLOCK_READ, m->from + at, old < len ? (size_t)old : len);
        return;
    }
    m->loaded = false;
    fill_table(q, at / 8, len / 8);
    m->done += len;
    transfer(q, BLOCK_WRITE, m->host + blocks + at, len);
}

static void link_reftable(struct qcow2 *q)
{
    struct qcow2_make *m = &q->make;
    uint64_t cluster = m->host >> q->cluster_bits;
    uint64_t clusters = m->added + (m->bytes >> q->cluster_bits);

    for (uint64_t i = 0; i < clusters; i++)
        if (qcow2_set_add(&q->meta, cluster + i) == -ENOMEM) {
            failed(q, ENOMEM);
            return;
        }
    qcow2_put64(q->sector + 48, m->host + (m->added << q->cluster_bits));
    qcow2_put32(q->sector + 56, (uint32_t)(m->bytes >> q->cluster_bits));
    m->step = HEADER;
    qcow2_write_header(q);
    qcow2_park(q, &m->task);
}

static void use_reftable(struct qcow2 *q)
{
    struct qcow2_make *m = &q->make;

    if (q->header_error) { /* which of the two is on the medium? Both are whole, as of now. */
        q->broken = q->header_error;
        failed(q, q->header_error);
        return;
    }
    if (q->header_io) {
        qcow2_park(q, &m->task);
        return;
    }
    qcow2_cache_drop(q, false, QCOW2_REFTABLE);
    qcow2_runs_add(&q->loose, q->reftable_offset >> q->cluster_bits,
                   q->reftable_bytes >> q->cluster_bits, false, true);
    qcow2_enqueue(q, &q->freer);
    q->reftable_offset = m->host + (m->added << q->cluster_bits);
    q->reftable_bytes = m->bytes;
    finished(q);
}

static void run_reftable(struct qcow2 *q)
{
    struct qcow2_make *m = &q->make;

    switch (m->step) {
    case COPY:
        if (m->done < (m->added << q->cluster_bits) + m->bytes) {
            copy_reftable(q);
            return;
        }
        m->step = BARRIER;
        flush(q);
        return;
    case BARRIER:
        link_reftable(q);
        return;
    default:
        use_reftable(q);
    }
}

/* Changed pages of the table that is to be copied: they must be in the file first. */
static bool reftable_is_dirty(const struct qcow2 *q)
{
    for (unsigned i = 0; i < q->cache.capacity; i++) {
        const struct qcow2_page *page = &q->cache.pages[i];
        if (page->state == QCOW2_PAGE_READY && page->kind == QCOW2_REFTABLE &&
            (page->dirty || page->save))
            return true;
    }
    return false;
}

int qcow2_make_reftable(struct qcow2 *q)
{
    struct qcow2_make *m = &q->make;
    uint64_t entries = q->reftable_bytes / 8, each = UINT64_C(1) << q->ref_bits;

    int r = make_busy(q, QCOW2_MAKING_REFTABLE, 0);
    if (r)
        return r;
    if (reftable_is_dirty(q)) {
        if (q->commit.failed)
            return -q->commit.failed;
        qcow2_commit(q);
        return QCOW2_WAIT;
    }
    /* Half as much again; it and the blocks that count it go where the old one's reach ends. */
    uint64_t bytes = q->reftable_bytes + q->reftable_bytes / 2 + q->cluster_bytes;
    bytes = (bytes + q->cluster_bytes - 1) & ~(q->cluster_bytes - 1);
    uint64_t clusters = bytes >> q->cluster_bits, added = 1;
    while (added * each < added + clusters)
        added++;
    uint64_t host = (entries << q->ref_bits) << q->cluster_bits;
    uint64_t end = host + ((added + clusters) << q->cluster_bits);
    if (bytes > QCOW2_REFTABLE_MAX || end > QCOW2_OFFSET_MASK)
        return -EFBIG;
    if (qcow2_set_has(&q->meta, host >> q->cluster_bits, added + clusters))
        return qcow2_corrupt(q, "a table is beyond what its refcounts cover");
    uint64_t buffer = q->cluster_bytes > BUFFER ? q->cluster_bytes : BUFFER;
    void *memory;
    if (posix_memalign(&memory, 4096, buffer))
        return -ENOMEM;
    begin(q, QCOW2_MAKING_REFTABLE, 0, host);
    m->buffer = memory;
    m->from = q->reftable_offset;
    m->bytes = bytes;
    m->entries = entries;
    m->added = added;
    if (end > q->end)
        q->end = end;
    qcow2_enqueue(q, &m->task);
    return QCOW2_WAIT;
}

static void run(struct qcow2_task *task)
{
    struct qcow2 *q = (struct qcow2 *)((char *)task - offsetof(struct qcow2, make.task));

    if (q->make.error) {
        failed(q, q->make.error);
        return;
    }
    switch (q->make.what) {
    case QCOW2_MAKING_NOTHING:
        break;
    case QCOW2_MAKING_L2:
        run_l2(q);
        break;
    case QCOW2_MAKING_REFBLOCK:
        run_refblock(q);
        break;
    case QCOW2_MAKING_REFTABLE:
        run_reftable(q);
        break;
    }
}

void qcow2_make_init(struct qcow2 *q)
{
    q->make.task.run = run;
}
