/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * model: a disk in memory beside the one under test: random requests, several under way at once,
 * and every sector that comes back is compared. For any image format.
 */
#ifndef TESTS_BLOCK_MODEL_H
#define TESTS_BLOCK_MODEL_H

#include "block/block.h"

#define MODEL_SECTOR 512u
#define MODEL_DEPTH  8u

struct loop;

struct model_slot {
    struct block_request r;
    struct model *model;
    struct iovec iov[16];
    uint8_t *memory;
    bool busy, done;
    int error;
};

struct model {
    struct loop *loop;
    struct block *block;
    uint64_t bytes;
    uint8_t *data;
    uint8_t *discarded; /* a sector each: may have become zeroes */
    uint64_t seed;
    size_t longest;       /* sectors in a request */
    unsigned flush_every; /* one FLUSH among so many requests */
    unsigned depth;       /* requests at once, up to MODEL_DEPTH */
    bool no_zeroes;       /* the format or this use knows no DISCARD and WRITE_ZEROES */
    uint64_t window;      /* if not 0: all requests stay below it, for density */
    struct model_slot slots[MODEL_DEPTH];
};

/* A model of a disk that is all zeroes. */
void model_init(struct model *m, uint64_t bytes, uint64_t seed);
void model_free(struct model *m);

/* A number below n. */
uint64_t model_any(struct model *m, uint64_t n);

/* `steps` random requests on block; all have ended when it returns. Fails the test at a difference
 * or an error. */
void model_run(struct model *m, struct loop *loop, struct block *block, unsigned steps);

/* Reads the whole of block and compares. */
void model_compare(struct model *m, struct loop *loop, struct block *block);

/* Compares with a raw file (which may be shorter: zeroes). */
void model_compare_file(struct model *m, const char *path);

/* What a sector may be: the model's, or zeroes if it was discarded. */
bool model_sector_ok(const struct model *m, uint64_t sector, const uint8_t *data);

#endif
