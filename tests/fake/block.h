/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fake disk: block.h in memory, with completions that the test releases one by one. Sparse, so
 * that a disk of many TiB costs what was written to it. */
#ifndef TESTS_FAKE_BLOCK_H
#define TESTS_FAKE_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "block/block.h"

#define FAKE_BLOCK_RECORDS  8192
#define FAKE_BLOCK_FAILURES 8

/* One completed request, in order of completion. */
struct fake_record {
    enum block_op op;
    uint64_t offset;
    size_t bytes;
    int iovcnt;
    int error;
};

/* Requests of this kind that touch the range fail. */
struct fake_failure {
    enum block_op op;
    uint64_t first, last;
    int error;
    unsigned times; /* how often yet; UINT_MAX: always */
};

struct fake_extent;

struct block {
    const char *id;
    uint64_t bytes;
    bool read_only;
    bool write_cache;
    bool holds; /* requests wait for their turn (limits, cont): block_cancel works on them */
    struct fake_extent **table; /* hash of 64 KiB extents that were written */
    struct block_request *first, *last;
    unsigned pending;
    struct fake_record *records; /* FAKE_BLOCK_RECORDS; NULL before the first */
    unsigned record_count;       /* counts on when the array is full */
    struct fake_failure failures[FAKE_BLOCK_FAILURES];
    unsigned failure_count;
    unsigned drains;
    unsigned looks; /* at a medium */
    uint32_t tray;  /* what a drive of the host's was told, plus 1: 4 bits each, the last lowest */
    struct block_stats stats;
    struct block_watch *watches;
};

/* A disk full of zeroes, writable, with a write cache. */
struct block *fake_block_new(const char *id, uint64_t bytes);

/* Fails the test if requests are under way. */
void fake_block_free(struct block *block);

/* Completes the oldest request: only now data move. False: none was under way. */
bool fake_block_step(struct block *block);

/* Completes requests, and those that their completions submit, until none is left. */
unsigned fake_block_run(struct block *block);

/* A new size, as block_resize gives it: tells the watchers. */
void fake_block_resize(struct block *block, uint64_t bytes);

/* The contents, behind the device's back. */
void fake_block_get(const struct block *block, uint64_t offset, void *buf, size_t len);
void fake_block_put(struct block *block, uint64_t offset, const void *buf, size_t len);

/* The contents (and the failures to come) of a disk of the same size that was never written; and
 * whether the contents are the same. */
void fake_block_copy(struct block *to, const struct block *from);
bool fake_block_same(const struct block *a, const struct block *b);

/* Requests `op` that touch offset..offset+bytes-1 complete with `error`, `times` times. */
void fake_block_fail(struct block *block, enum block_op op, uint64_t offset, uint64_t bytes,
                     int error, unsigned times);
void fake_block_heal(struct block *block);

/* How many completed requests there were of a kind. */
unsigned fake_block_count(const struct block *block, enum block_op op);

#endif
