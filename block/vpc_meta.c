/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vpc_meta: what changes a dynamic disk's structure, one at a time, so that at any moment a crash
 * leaves an image that is whole: a block is complete in the file (zeroes, bitmap, the footer behind
 * it), and that has reached the medium, before the table there names it. So the table's entries
 * stay in memory until the next FLUSH (or a second has passed).
 */
#include "block/vpc_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "block/image_file.h"
#include "block/vpc_format.h"

static void step_done(struct block_request *request, int error);

/* ---- bitmaps in memory ---- */

const uint8_t *vpc_bitmap_known(const struct vpc *v, uint32_t block)
{
    const struct vpc_bitmap *b = &v->bitmaps[block % VPC_BITMAPS];
    return b->block == block ? b->bits : NULL;
}

uint8_t *vpc_bitmap_slot(struct vpc *v, uint32_t block)
{
    struct vpc_bitmap *b = &v->bitmaps[block % VPC_BITMAPS];
    if (!b->bits)
        b->bits = malloc(v->bitmap_bytes);
    b->block = b->bits ? block : VPC_UNUSED;
    return b->bits;
}

/* ---- steps ---- */

static void meta_submit(struct vpc *v, enum vpc_step step, enum block_op op, uint64_t offset,
                        void *buf, size_t bytes)
{
    v->step = step;
    v->meta_iov = (struct iovec){buf, bytes};
    v->meta = (struct block_request){.op = op,
                                     .offset = offset,
                                     .bytes = bytes,
                                     .iov = buf ? &v->meta_iov : NULL,
                                     .iovcnt = buf != NULL,
                                     .own_memory = true,
                                     .done = step_done,
                                     .opaque = v};
    block_submit(v->file, &v->meta);
}

/* The one at it is through; it goes on, and so does the next. */
static void finish(struct vpc *v, int error)
{
    struct vpc_op *op = v->first;

    v->step = VPC_IDLE;
    v->first = op->next;
    if (!v->first)
        v->last = NULL;
    if (!op->request) {
        v->background_runs = false;
        v->sync_error = error;
        return;
    }
    if (op->request->op == BLOCK_FLUSH)
        op->done = op->request->bytes; /* nothing is left of it */
    vpc_continue(op, error);
}

static bool get_bits(struct vpc *v)
{
    if (!v->bits)
        v->bits = aligned_alloc(VPC_SECTOR, v->bitmap_bytes);
    return v->bits != NULL;
}

static void all_ones(struct vpc *v)
{
    memset(v->bits, 0xFF, v->bitmap_bytes);
}

/* ---- a new block ---- */

static void new_block(struct vpc *v)
{
    /* Where the footer is now, or further on: in front of that may be things we know nothing of
     * (XenServer's "batmap"), and remains of an interrupted writer. */
    uint64_t at = v->file_end - VPC_FOOTER;
    if (at < v->end)
        at = v->end;
    at = (at + v->bitmap_bytes + VPC_ALIGN - 1) / VPC_ALIGN * VPC_ALIGN - v->bitmap_bytes;
    if (at / VPC_SECTOR >= VPC_UNUSED) {
        finish(v, EFBIG);
        return;
    }
    v->fresh = at;
    memcpy(v->buffer, v->footer, VPC_FOOTER);
    meta_submit(v, VPC_NEW_FOOTER, BLOCK_WRITE, at + v->bitmap_bytes + v->block_bytes, v->buffer,
                VPC_FOOTER);
}

/* A page of the table, and where it belongs; whole sectors, and no more than there is. */
static void write_page(struct vpc *v, enum vpc_step step, uint32_t page)
{
    uint32_t first = page * (VPC_BAT_PAGE / 4);
    size_t bytes = ((size_t)(v->entries - first) * 4 + VPC_SECTOR - 1) / VPC_SECTOR * VPC_SECTOR;

    if (bytes > VPC_BAT_PAGE)
        bytes = VPC_BAT_PAGE;
    memcpy(v->buffer, v->table + first, bytes);
    for (uint32_t i = 0; i < bytes / 4 && first + i < v->entries; i++)
        vhd_put32(v->buffer + (size_t)i * 4, v->table[first + i]);
    v->page = page;
    meta_submit(v, step, BLOCK_WRITE, v->table_offset + (uint64_t)page * VPC_BAT_PAGE, v->buffer,
                bytes);
}

static void mark_page(struct vpc *v, uint32_t block)
{
    uint32_t page = block / (VPC_BAT_PAGE / 4);
    uint8_t bit = (uint8_t)(1u << page % 8);

    v->dirty_pages += !(v->dirty[page / 8] & bit);
    v->dirty[page / 8] |= bit;
}

static void clean_page(struct vpc *v, uint32_t page)
{
    v->dirty[page / 8] &= (uint8_t) ~(1u << page % 8);
    v->dirty_pages--;
}

/* The block is there, all of it: it may be used, and the table be written some time. */
static void name_block(struct vpc *v, uint32_t block)
{
    v->table[block] = (uint32_t)(v->fresh / VPC_SECTOR);
    v->full[block / 8] |= (uint8_t)(1u << block % 8);
    v->end = v->fresh + v->bitmap_bytes + v->block_bytes;
    v->file_end = v->end + VPC_FOOTER;
    mark_page(v, block);
    if (cache_is_sync(v->block->cache)) {
        write_page(v, VPC_NEW_TABLE, block / (VPC_BAT_PAGE / 4));
        return;
    }
    if (!timer_armed(&v->timer))
        timer_arm_in(&v->timer, VPC_SYNC_NS);
    finish(v, 0);
}

/* ---- a block that is used in part ---- */

static void fill_write(struct vpc *v)
{
    all_ones(v);
    meta_submit(v, VPC_FILL_WRITE, BLOCK_WRITE, (uint64_t)v->table[v->first->block] * VPC_SECTOR,
                v->bits, v->bitmap_bytes);
}

static size_t chunk_at(const struct vpc *v, size_t at)
{
    size_t left = v->block_bytes - at;
    return left < VPC_CHUNK ? left : VPC_CHUNK;
}

static void fill_next(struct vpc *v)
{
    if (v->fill < v->block_bytes)
        meta_submit(v, VPC_FILL_READ, BLOCK_READ, vpc_data(v, v->first->block) + v->fill, v->buffer,
                    chunk_at(v, v->fill));
    else if (v->filled)
        meta_submit(v, VPC_FILL_FLUSH, BLOCK_FLUSH, 0, NULL, 0);
    else
        fill_write(v);
}

/* Zeroes what the bitmap does not have of the chunk that was read. Normally it is zero. */
static void fill_chunk(struct vpc *v)
{
    size_t bytes = chunk_at(v, v->fill);
    bool changed = false;

    for (size_t i = 0; i < bytes; i += VPC_SECTOR) {
        struct iovec sector = {v->buffer + i, VPC_SECTOR};
        if (vpc_bit(v->bits, (v->fill + i) / VPC_SECTOR) || iov_is_zero(&sector, 1))
            continue;
        memset(v->buffer + i, 0, VPC_SECTOR);
        changed = true;
    }
    if (changed) {
        v->filled = true;
        meta_submit(v, VPC_FILL_ZERO, BLOCK_WRITE, vpc_data(v, v->first->block) + v->fill,
                    v->buffer, bytes);
        return;
    }
    v->fill += bytes;
    fill_next(v);
}

/* ---- FLUSH ---- */

static void sync_table(struct vpc *v)
{
    if (!v->dirty_pages) {
        timer_disarm(&v->timer);
        /* Nobody waits for our own. */
        if (!v->first->request)
            finish(v, 0);
        else
            meta_submit(v, VPC_SYNC_FLUSH, BLOCK_FLUSH, 0, NULL, 0);
        return;
    }
    uint32_t byte = v->page / 8;
    while (!v->dirty[byte])
        byte++;
    uint32_t page = byte * 8 + (uint32_t)__builtin_ctz(v->dirty[byte]);
    write_page(v, VPC_SYNC_TABLE, page);
}

/* ---- */

static void begin(struct vpc *v)
{
    struct vpc_op *op = v->first;

    if (!op->request || op->request->op == BLOCK_FLUSH) {
        v->page = 0;
        if (v->dirty_pages)
            meta_submit(v, VPC_SYNC_DATA, BLOCK_FLUSH, 0, NULL, 0);
        else
            sync_table(v);
        return;
    }
    /* Somebody before us may have done it. */
    bool unused = v->table[op->block] == VPC_UNUSED;
    if (!unused && (v->full[op->block / 8] & (1u << op->block % 8)))
        finish(v, 0);
    else if (!get_bits(v))
        finish(v, ENOMEM);
    else if (unused)
        new_block(v);
    else
        meta_submit(v, VPC_FILL_BITMAP, BLOCK_READ, (uint64_t)v->table[op->block] * VPC_SECTOR,
                    v->bits, v->bitmap_bytes);
}

static void next_turn(struct vpc *v)
{
    /* begin() may end at once, and its request go on and come back: not by recursion. */
    while (v->first && v->step == VPC_IDLE)
        begin(v);
}

static void step_done(struct block_request *request, int error)
{
    struct vpc *v = request->opaque;
    uint32_t block = v->first->block;

    if (error) {
        /* Who waits for the medium with each write must not find it there the next time. */
        if (v->step == VPC_NEW_TABLE) {
            v->table[block] = VPC_UNUSED;
            v->full[block / 8] &= (uint8_t) ~(1u << block % 8);
        }
        finish(v, error);
        next_turn(v);
        return;
    }
    switch (v->step) {
    case VPC_IDLE:
        break;
    case VPC_NEW_FOOTER:
        all_ones(v);
        meta_submit(v, VPC_NEW_BITMAP, BLOCK_WRITE, v->fresh, v->bits, v->bitmap_bytes);
        break;
    case VPC_NEW_BITMAP:
        name_block(v, block);
        break;
    case VPC_NEW_TABLE:
        clean_page(v, v->page);
        finish(v, 0);
        break;
    case VPC_FILL_BITMAP:
        v->fill = 0;
        v->filled = false;
        fill_next(v);
        break;
    case VPC_FILL_READ:
        fill_chunk(v);
        break;
    case VPC_FILL_ZERO:
        v->fill += chunk_at(v, v->fill);
        fill_next(v);
        break;
    case VPC_FILL_FLUSH:
        fill_write(v);
        break;
    case VPC_FILL_WRITE:
        v->full[block / 8] |= (uint8_t)(1u << block % 8);
        finish(v, 0);
        break;
    case VPC_SYNC_DATA:
        sync_table(v);
        break;
    case VPC_SYNC_TABLE:
        clean_page(v, v->page);
        sync_table(v);
        break;
    case VPC_SYNC_FLUSH:
        finish(v, 0);
        break;
    }
    next_turn(v);
}

void vpc_change(struct vpc_op *op)
{
    struct vpc *v = op->vpc;

    op->next = NULL;
    if (v->last)
        v->last->next = op;
    else
        v->first = op;
    v->last = op;
    if (v->first == op)
        next_turn(v);
}

static void write_table(void *opaque)
{
    struct vpc *v = opaque;

    if (!v->dirty_pages || v->background_runs || !v->file->active)
        return;
    v->background_runs = true;
    vpc_change(&v->background);
}

int vpc_settle(struct vpc *v)
{
    v->sync_error = 0;
    for (int i = 0; i < 2; i++) {
        while (v->first)
            block_step(v->file);
        if (i == 0)
            write_table(v);
    }
    timer_disarm(&v->timer);
    return v->sync_error;
}

void vpc_meta_init(struct vpc *v)
{
    v->background.vpc = v;
    timer_init(&v->timer, loop_clock(v->block->loop), write_table, v);
}
