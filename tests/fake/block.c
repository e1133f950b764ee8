/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fake disk: see block.h. */
#include "tests/fake/block.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define EXTENT  (64u << 10)
#define BUCKETS 1024u

struct fake_extent {
    uint64_t number;
    struct fake_extent *next;
    uint8_t data[EXTENT];
};

struct block *fake_block_new(const char *id, uint64_t bytes)
{
    struct block *b = calloc(1, sizeof(*b));
    assert_non_null(b);
    b->table = calloc(BUCKETS, sizeof(*b->table));
    assert_non_null(b->table);
    b->id = id;
    b->bytes = bytes;
    b->write_cache = true;
    return b;
}

void fake_block_free(struct block *b)
{
    if (!b)
        return;
    assert_int_equal(b->pending, 0);
    for (unsigned i = 0; i < BUCKETS; i++) {
        for (struct fake_extent *e = b->table[i], *next; e; e = next) {
            next = e->next;
            free(e);
        }
    }
    free(b->table);
    free(b->records);
    free(b);
}

static struct fake_extent *find(const struct block *b, uint64_t number, bool create)
{
    struct fake_extent **bucket = &b->table[number % BUCKETS];
    for (struct fake_extent *e = *bucket; e; e = e->next)
        if (e->number == number)
            return e;
    if (!create)
        return NULL;
    struct fake_extent *e = calloc(1, sizeof(*e));
    assert_non_null(e);
    e->number = number;
    e->next = *bucket;
    *bucket = e;
    return e;
}

void fake_block_get(const struct block *b, uint64_t offset, void *buf, size_t len)
{
    uint8_t *to = buf;
    while (len) {
        size_t at = offset % EXTENT, n = EXTENT - at < len ? EXTENT - at : len;
        const struct fake_extent *e = find(b, offset / EXTENT, false);
        if (e)
            memcpy(to, e->data + at, n);
        else
            memset(to, 0, n);
        to += n;
        offset += n;
        len -= n;
    }
}

static void put(struct block *b, uint64_t offset, const uint8_t *from, size_t len)
{
    while (len) {
        size_t at = offset % EXTENT, n = EXTENT - at < len ? EXTENT - at : len;
        struct fake_extent *e = find(b, offset / EXTENT, from != NULL);
        if (from)
            memcpy(e->data + at, from, n);
        else if (e)
            memset(e->data + at, 0, n);
        from = from ? from + n : NULL;
        offset += n;
        len -= n;
    }
}

void fake_block_put(struct block *b, uint64_t offset, const void *buf, size_t len)
{
    put(b, offset, buf, len);
}

void fake_block_copy(struct block *to, const struct block *from)
{
    for (unsigned i = 0; i < BUCKETS; i++)
        for (const struct fake_extent *e = from->table[i]; e; e = e->next)
            put(to, e->number * EXTENT, e->data, EXTENT);
    memcpy(to->failures, from->failures, sizeof(to->failures));
    to->failure_count = from->failure_count;
}

static bool within(const struct block *a, const struct block *b)
{
    for (unsigned i = 0; i < BUCKETS; i++)
        for (const struct fake_extent *e = a->table[i]; e; e = e->next) {
            const struct fake_extent *other = find(b, e->number, false);
            static const uint8_t zero[EXTENT];
            if (memcmp(e->data, other ? other->data : zero, EXTENT))
                return false;
        }
    return true;
}

bool fake_block_same(const struct block *a, const struct block *b)
{
    return within(a, b) && within(b, a);
}

void fake_block_fail(struct block *b, enum block_op op, uint64_t offset, uint64_t bytes, int error,
                     unsigned times)
{
    assert_true(b->failure_count < FAKE_BLOCK_FAILURES);
    b->failures[b->failure_count++] =
        (struct fake_failure){op, offset, offset + bytes - 1, error, times};
}

void fake_block_heal(struct block *b)
{
    b->failure_count = 0;
}

static int failure(struct block *b, const struct block_request *r)
{
    if (r->op == BLOCK_FLUSH) {
        if (r->offset || r->bytes)
            return EINVAL;
    } else if (r->offset > b->bytes || r->bytes > b->bytes - r->offset) {
        return EINVAL;
    }
    if (b->read_only && r->op != BLOCK_READ && r->op != BLOCK_FLUSH)
        return EROFS;
    for (unsigned i = 0; i < b->failure_count; i++) {
        struct fake_failure *f = &b->failures[i];
        if (f->op == r->op && f->times && r->offset <= f->last &&
            (r->op == BLOCK_FLUSH || r->offset + r->bytes > f->first)) {
            f->times -= f->times != UINT_MAX;
            return f->error;
        }
    }
    return 0;
}

static void transfer(struct block *b, const struct block_request *r)
{
    uint64_t offset = r->offset;
    if (r->op == BLOCK_DISCARD || r->op == BLOCK_WRITE_ZEROES) {
        put(b, r->offset, NULL, r->bytes);
        return;
    }
    for (int i = 0; i < r->iovcnt; i++) {
        if (r->op == BLOCK_READ)
            fake_block_get(b, offset, r->iov[i].iov_base, r->iov[i].iov_len);
        else
            put(b, offset, r->iov[i].iov_base, r->iov[i].iov_len);
        offset += r->iov[i].iov_len;
    }
}

bool fake_block_step(struct block *b)
{
    struct block_request *r = b->first;
    if (!r)
        return false;
    b->first = r->next;
    if (!b->first)
        b->last = NULL;
    b->pending--;
    int error = r->error ? r->error : failure(b, r);
    if (!error)
        transfer(b, r);
    if (!b->records) /* only now: most of a fuzzer's machines never use their disks */
        b->records = calloc(FAKE_BLOCK_RECORDS, sizeof(*b->records));
    assert_non_null(b->records);
    if (b->record_count < FAKE_BLOCK_RECORDS)
        b->records[b->record_count] =
            (struct fake_record){r->op, r->offset, r->bytes, r->iovcnt, error};
    b->record_count++;
    if (r->op == BLOCK_READ && !error)
        b->stats.rd_operations++, b->stats.rd_bytes += r->bytes;
    if (r->op == BLOCK_WRITE && !error)
        b->stats.wr_operations++, b->stats.wr_bytes += r->bytes;
    r->block = NULL;
    r->done(r, error);
    return true;
}

unsigned fake_block_run(struct block *b)
{
    unsigned n = 0;
    while (fake_block_step(b))
        n++;
    return n;
}

unsigned fake_block_count(const struct block *b, enum block_op op)
{
    unsigned n = 0;
    for (unsigned i = 0; i < b->record_count && i < FAKE_BLOCK_RECORDS; i++)
        n += b->records[i].op == op;
    return n;
}

/* --- block.h --- */

void block_submit(struct block *b, struct block_request *r)
{
    size_t total = 0;
    for (const struct block_request *i = b->first; i; i = i->next)
        assert_ptr_not_equal(i, r);
    assert_true(r->offset % 512 == 0 && r->bytes % 512 == 0 && r->done);
    if (r->op == BLOCK_READ || r->op == BLOCK_WRITE) {
        for (int i = 0; i < r->iovcnt; i++)
            total += r->iov[i].iov_len;
        assert_int_equal(total, r->bytes);
        assert_true(r->bytes > 0);
    }
    r->block = b;
    r->next = NULL;
    r->error = 0;
    if (b->last)
        b->last->next = r;
    else
        b->first = r;
    b->last = r;
    b->pending++;
}

void block_drain(struct block *b)
{
    b->drains++;
    fake_block_run(b);
}

bool block_activate(struct block *b, struct err *err)
{
    (void)b;
    (void)err;
    return true;
}

bool block_inactivate(struct block *b, struct err *err)
{
    (void)err;
    block_drain(b);
    return true;
}

struct block *block_open(struct loop *loop, const struct block_config *config, struct err *err)
{
    (void)loop;
    err_set(err, "%s: the fake disk opens no files", config->file);
    return NULL;
}

void block_close(struct block *b)
{
    if (b)
        block_drain(b);
    fake_block_free(b);
}

uint64_t block_bytes(const struct block *b)
{
    return b->bytes;
}

bool block_read_only(const struct block *b)
{
    return b->read_only;
}

const char *block_id(const struct block *b)
{
    return b->id;
}

const char *block_file(const struct block *b)
{
    return b->id;
}

const struct block_stats *block_stats(const struct block *b)
{
    return &b->stats;
}

bool block_write_cache(const struct block *b)
{
    return b->write_cache;
}

void block_cancel(struct block *b, struct block_request *r)
{
    if (b->holds)
        r->error = ECANCELED;
}

void block_watch(struct block *b, struct block_watch *watch)
{
    watch->next = b->watches;
    b->watches = watch;
}

void block_unwatch(struct block *b, struct block_watch *watch)
{
    for (struct block_watch **p = &b->watches; *p; p = &(*p)->next)
        if (*p == watch) {
            *p = watch->next;
            return;
        }
}

void fake_block_resize(struct block *b, uint64_t bytes)
{
    b->bytes = bytes;
    for (struct block_watch *w = b->watches, *next; w; w = next) {
        next = w->next;
        w->resized(w->opaque);
    }
}

void block_tray(struct block *b, enum block_tray what)
{
    if (b && what != BLOCK_TRAY_LOOK)
        b->tray = b->tray << 4 | (what + 1u);
    else if (b)
        b->looks++;
}
