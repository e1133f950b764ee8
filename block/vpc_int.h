/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vpc_int: what the files of the VHD driver share. */
#ifndef BLOCK_VPC_INT_H
#define BLOCK_VPC_INT_H

#include "block/block_int.h"
#include "block/iov.h"
#include "block/vpc.h"

#define VPC_SECTOR    512u
#define VPC_FOOTER    512u  /* "Hard Disk Footer Format" */
#define VPC_HEADER    1024u /* "Dynamic Disk Header Format" */
#define VPC_UNUSED    0xFFFFFFFFu
#define VPC_ENTRIES   (4u << 20) /* of a block allocation table: 16 MiB of memory */
#define VPC_BLOCK_MIN 4096u
#define VPC_BLOCK_MAX (32u << 20)
#define VPC_BITMAPS   16u    /* kept of blocks that are used in part */
#define VPC_BAT_PAGE  4096u  /* of the table is written at once */
#define VPC_CHUNK     65536u /* read at once where a block is looked through */
#define VPC_ALIGN     4096u  /* new blocks' data begin at multiples */
#define VPC_SYNC_NS   NS_PER_S

/* A request on its way, piece by piece: a piece lies in one block. */
struct vpc_op {
    struct block_request *request; /* NULL: our own writing of the table */
    struct block_request child;    /* the piece, in the file */
    struct vpc *vpc;
    struct vpc_op *next; /* in the list of those that wait for their turn, or of the free ones */
    struct iov_cursor at;
    size_t done;
    size_t piece;        /* bytes of the piece under way */
    uint32_t block;      /* it lies in */
    bool reading_bitmap; /* `child` fetches that block's bitmap */
    bool by_bitmap;      /* what the bitmap does not have reads as zeroes */
    struct iovec *iov;   /* of the piece */
    int iov_size;
    struct iovec few[8];
};

/* What changes the image's structure is done by one request at a time, in these steps. */
enum vpc_step {
    VPC_IDLE,
    /* A new block: everything of it before the table names it. */
    VPC_NEW_FOOTER, /* behind the block */
    VPC_NEW_BITMAP, /* all ones; over the old footer */
    VPC_NEW_TABLE,  /* only where each write waits for the medium */
    /* A block of which another program used only a part: the rest is made zeroes, and used. */
    VPC_FILL_BITMAP,
    VPC_FILL_READ,
    VPC_FILL_ZERO,
    VPC_FILL_FLUSH,
    VPC_FILL_WRITE,
    /* FLUSH: what the table will name, then the table, then the medium. */
    VPC_SYNC_DATA,
    VPC_SYNC_TABLE,
    VPC_SYNC_FLUSH,
};

struct vpc_bitmap {
    uint32_t block; /* VPC_UNUSED: none */
    uint8_t *bits;
};

struct vpc {
    struct block *block;
    struct block *file; /* a container */
    bool fixed;
    uint8_t footer[VPC_FOOTER]; /* as it was read: it never changes */
    uint64_t bytes;             /* of the disk */

    /* Dynamic disks. */
    uint64_t table_offset;
    uint32_t entries, block_bytes, bitmap_bytes;
    uint32_t *table; /* sectors; host byte order (but what is behind the last entry) */
    uint8_t *full;   /* a bit for each block: its bitmap is all ones */
    uint8_t *dirty;  /* a bit for each page of the table: not in the file yet */
    unsigned dirty_pages;
    uint64_t end;      /* of the last block, or of the table */
    uint64_t file_end; /* with the footer: what is behind is fresh, and zeroes */
    bool footer_lost;  /* there is none at the end: somebody was interrupted */
    struct vpc_bitmap bitmaps[VPC_BITMAPS];

    struct vpc_op *free;
    unsigned running; /* requests */
    bool broken;      /* what is in the file could not be read again: nothing works */
    bool submitting;  /* inside submit: nothing may end yet */

    struct vpc_op *first, *last; /* waiting to change the structure; the first is at it */
    enum vpc_step step;
    struct block_request meta; /* its request */
    struct iovec meta_iov;
    uint8_t *buffer; /* VPC_CHUNK, aligned */
    uint8_t *bits;   /* the bitmap that is being filled or made */
    uint64_t fresh;  /* the new block's place */
    size_t fill;     /* how far the block has been looked through */
    bool filled;     /* and something had to be made zeroes */
    uint32_t page;   /* of the table, being written */
    int sync_error;

    struct vpc_op background;
    bool background_runs;
    struct timer timer; /* armed when the table has changed */
};

static inline bool vpc_bit(const uint8_t *bits, uint64_t i)
{
    return bits[i / 8] & (0x80u >> i % 8); /* the most significant bit is the first sector */
}

static inline uint64_t vpc_data(const struct vpc *v, uint32_t block)
{
    return (uint64_t)v->table[block] * VPC_SECTOR + v->bitmap_bytes;
}

/* vpc_header.c: reads footer, header and table, and checks them. */
bool vpc_load(struct vpc *v, const struct block_config *config, struct err *err);
void vpc_unload(struct vpc *v);

/* vpc.c: goes on with a request; ends it if `error` or if nothing is left. */
void vpc_continue(struct vpc_op *op, int error);

/* vpc_meta.c: op waits for its turn to change the structure, then vpc_continue is called. */
void vpc_change(struct vpc_op *op);
void vpc_meta_init(struct vpc *v);
/* Waits for what we do by ourselves, and writes the table if it has changed: 0 or an errno value.
 */
int vpc_settle(struct vpc *v);

/* vpc_header.c: READ or WRITE in the file, waiting; multiples of 512. 0 or an errno value. */
int vpc_now(struct vpc *v, enum block_op op, uint64_t offset, void *buf, size_t len);

/* The bitmap of a block from memory, or NULL. */
const uint8_t *vpc_bitmap_known(const struct vpc *v, uint32_t block);
/* Remembers it; NULL without memory. The entry's bits are to be filled in by the caller. */
uint8_t *vpc_bitmap_slot(struct vpc *v, uint32_t block);

#endif
