/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vpc: see vpc.h. A request is carried out piece by piece, a piece in one block of the image: found
 * through the table, which is in memory as a whole. What changes the structure waits for its turn
 * (vpc_meta.c).
 */
#include "block/vpc_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "block/raw.h"

static void piece_done(struct block_request *child, int error);

static struct vpc_op *take_op(struct vpc *v)
{
    struct vpc_op *op = v->free;

    if (op)
        v->free = op->next;
    else
        op = calloc(1, sizeof(*op));
    if (op && !op->iov) {
        op->iov = op->few;
        op->iov_size = (int)(sizeof(op->few) / sizeof(op->few[0]));
    }
    return op;
}

static void end_op(struct vpc_op *op, int error)
{
    struct vpc *v = op->vpc;
    struct block_request *request = op->request;

    op->next = v->free;
    v->free = op;
    v->running--;
    if (v->submitting)
        block_finish_later(request, error);
    else
        block_finish(request, error);
}

/* The piece's part of the scatter list; moves the cursor behind it. False: no memory. */
static bool cut(struct vpc_op *op, size_t bytes)
{
    struct iovec slice[IOV_SLICE];
    size_t covered;
    int count = 0;

    if (op->at.left > op->iov_size) {
        struct iovec *more = malloc((size_t)op->at.left * sizeof(*more));
        if (!more)
            return false;
        if (op->iov != op->few)
            free(op->iov);
        op->iov = more;
        op->iov_size = op->at.left;
    }
    while (bytes) {
        int n = iov_slice(&op->at, bytes, slice, &covered);
        memcpy(op->iov + count, slice, (size_t)n * sizeof(slice[0]));
        count += n;
        iov_advance(&op->at, covered);
        bytes -= covered;
    }
    op->child.iov = op->iov;
    op->child.iovcnt = count;
    return true;
}

/* Sends the piece to the file. */
static void send(struct vpc_op *op, uint64_t file_offset, size_t bytes)
{
    const struct block_request *r = op->request;
    bool data = r->op == BLOCK_READ || r->op == BLOCK_WRITE;

    op->child = (struct block_request){.op = r->op,
                                       .offset = file_offset,
                                       .bytes = bytes,
                                       .own_memory = r->own_memory,
                                       .may_unmap = r->may_unmap,
                                       .done = piece_done,
                                       .opaque = op};
    op->piece = bytes;
    if (data && !cut(op, bytes))
        end_op(op, ENOMEM);
    else
        block_submit(op->vpc->file, &op->child);
}

static void fetch_bitmap(struct vpc_op *op)
{
    struct vpc *v = op->vpc;
    uint8_t *bits = aligned_alloc(VPC_SECTOR, v->bitmap_bytes);

    if (!bits) {
        end_op(op, ENOMEM);
        return;
    }
    op->reading_bitmap = true;
    op->few[0] = (struct iovec){bits, v->bitmap_bytes};
    op->child = (struct block_request){.op = BLOCK_READ,
                                       .offset = (uint64_t)v->table[op->block] * VPC_SECTOR,
                                       .bytes = v->bitmap_bytes,
                                       .iov = op->few,
                                       .iovcnt = 1,
                                       .own_memory = true,
                                       .done = piece_done,
                                       .opaque = op};
    block_submit(v->file, &op->child);
}

static bool is_full(const struct vpc *v, uint32_t block)
{
    return v->full[block / 8] & (1u << block % 8);
}

/* The next piece. False: this one needed nothing of the file. */
static bool start_piece(struct vpc_op *op)
{
    struct vpc *v = op->vpc;
    const struct block_request *r = op->request;
    uint64_t at = r->offset + op->done;
    size_t left = r->bytes - op->done;
    uint32_t within = (uint32_t)(at % v->block_bytes);

    op->block = (uint32_t)(at / v->block_bytes);
    op->by_bitmap = false;
    if (left > v->block_bytes - within)
        left = v->block_bytes - within;
    bool unused = v->table[op->block] == VPC_UNUSED;
    if (r->op == BLOCK_WRITE && (unused || !is_full(v, op->block))) {
        vpc_change(op);
        return true;
    }
    if (unused) {
        if (r->op == BLOCK_READ)
            iov_zero(&op->at, left);
        op->done += left;
        return false;
    }
    if (r->op == BLOCK_READ && !is_full(v, op->block)) {
        if (!vpc_bitmap_known(v, op->block)) {
            fetch_bitmap(op);
            return true;
        }
        op->by_bitmap = true;
    }
    send(op, vpc_data(v, op->block) + within, left);
    return true;
}

void vpc_continue(struct vpc_op *op, int error)
{
    while (!error && op->done < op->request->bytes)
        if (start_piece(op))
            return;
    end_op(op, error);
}

/* Zeroes what the piece has read of sectors that the bitmap does not have. */
static int apply_bitmap(struct vpc_op *op)
{
    struct vpc *v = op->vpc;
    const uint8_t *bits = vpc_bitmap_known(v, op->block);
    struct iov_cursor at = {.iov = op->child.iov, .left = op->child.iovcnt};
    uint64_t sector = (op->request->offset + op->done) % v->block_bytes / VPC_SECTOR;

    if (is_full(v, op->block)) /* has become so meanwhile: the rest is zeroes in the file too */
        return 0;
    if (!bits)
        return EAGAIN;
    for (size_t i = 0; i < op->piece / VPC_SECTOR; i++)
        if (vpc_bit(bits, sector + i))
            iov_advance(&at, VPC_SECTOR);
        else
            iov_zero(&at, VPC_SECTOR);
    return 0;
}

/* A bitmap has come: is it one of all ones (then it is not needed again)? */
static void take_bitmap(struct vpc_op *op, uint8_t *bits)
{
    struct vpc *v = op->vpc;
    uint8_t *slot;
    bool full = true;

    for (uint32_t i = 0; i < v->block_bytes / VPC_SECTOR / 8 && full; i++)
        full = bits[i] == 0xFF;
    if (full)
        v->full[op->block / 8] |= (uint8_t)(1u << op->block % 8);
    else if ((slot = vpc_bitmap_slot(v, op->block)))
        memcpy(slot, bits, v->bitmap_bytes);
    free(bits);
}

static void piece_done(struct block_request *child, int error)
{
    struct vpc_op *op = child->opaque;

    if (op->reading_bitmap) {
        op->reading_bitmap = false;
        if (error)
            free(op->few[0].iov_base);
        else
            take_bitmap(op, op->few[0].iov_base);
        vpc_continue(op, error);
        return;
    }
    if (!error && op->by_bitmap && apply_bitmap(op)) {
        /* Its place in memory was needed for others: once more. */
        op->at = (struct iov_cursor){.iov = op->request->iov, .left = op->request->iovcnt};
        iov_advance(&op->at, op->done);
        vpc_continue(op, 0);
        return;
    }
    op->done += op->piece;
    vpc_continue(op, error);
}

static void vpc_submit(struct block *block, struct block_request *request)
{
    struct vpc *v = block->image;
    struct vpc_op *op = v->broken ? NULL : take_op(v);

    if (!op) {
        block_finish_later(request, v->broken ? EIO : ENOMEM);
        return;
    }
    v->running++;
    op->vpc = v;
    op->request = request;
    op->at = (struct iov_cursor){.iov = request->iov, .left = request->iovcnt};
    op->done = 0;
    op->reading_bitmap = op->by_bitmap = false;
    v->submitting = true;
    bool flush = request->op == BLOCK_FLUSH;
    if (flush && (v->dirty_pages || v->first))
        vpc_change(op);
    else if (flush || v->fixed) /* a fixed disk is its file, less the footer */
        send(op, request->offset, request->bytes);
    else
        vpc_continue(op, 0);
    v->submitting = false;
}

static void vpc_wait(struct block *block)
{
    block_step(((struct vpc *)block->image)->file);
}

static struct block_config config_of(const struct block *block)
{
    return (struct block_config){.id = block->id,
                                 .file = block->file,
                                 .fd = -1,
                                 .cache = block->cache,
                                 .read_only = block->read_only};
}

/* Whoever had the image since it was read may have changed it; and whoever was interrupted in
 * making it longer has left it without the footer at its end. */
static bool vpc_lock(struct block *block, struct err *err)
{
    struct vpc *v = block->image;
    struct block_config config = config_of(block);

    if (!block_activate(v->file, err))
        return false;
    while (v->running) /* reads */
        block_step(v->file);
    bool ok = vpc_load(v, &config, err);
    if (ok && v->footer_lost && !block->read_only) {
        memcpy(v->buffer, v->footer, VPC_FOOTER);
        int error = vpc_now(v, BLOCK_WRITE, v->file_end, v->buffer, VPC_FOOTER);
        if (error)
            ok = err_set(err, "disk %s: %s: writing its lost footer: %s", block->id, block->file,
                         strerror(error));
        v->file_end += VPC_FOOTER;
    }
    struct err ignored;
    if (!ok)
        block_inactivate(v->file, &ignored);
    return ok;
}

static void vpc_unlock(struct block *block)
{
    struct vpc *v = block->image;
    struct err ignored;

    vpc_settle(v); /* what fails has been said: the frame has flushed */
    block_inactivate(v->file, &ignored);
}

static void free_vpc(struct vpc *v)
{
    if (!v)
        return;
    while (v->free) {
        struct vpc_op *op = v->free;
        v->free = op->next;
        if (op->iov != op->few)
            free(op->iov);
        free(op);
    }
    vpc_unload(v);
    free(v->buffer);
    block_close(v->file);
    free(v);
}

static void vpc_close(struct block *block)
{
    struct vpc *v = block->image;

    timer_destroy(&v->timer);
    free_vpc(v);
}

static const struct block_driver vpc_driver = {
    .submit = vpc_submit,
    .wait = vpc_wait,
    .lock = vpc_lock,
    .unlock = vpc_unlock,
    .close = vpc_close,
};

struct block *vpc_open_over(struct loop *loop, const struct block_config *config,
                            struct block *file, struct err *err)
{
    struct vpc *v = calloc(1, sizeof(*v));

    if (!v || posix_memalign((void **)&v->buffer, VPC_BAT_PAGE, VPC_CHUNK)) {
        free(v);
        block_close(file);
        err_set(err, "disk %s: out of memory", config->id);
        return NULL;
    }
    v->file = file;
    if (vpc_load(v, config, err))
        v->block = block_new(loop, config, &vpc_driver, v, v->bytes, err);
    if (!v->block) {
        free_vpc(v);
        return NULL;
    }
    vpc_meta_init(v);
    return v->block;
}

struct block *vpc_open(struct loop *loop, const struct block_config *config, struct err *err)
{
    struct block *file = raw_open_container(loop, config, err);

    if (!file)
        return NULL;
    uint32_t align = ((struct raw *)file->image)->file.align;
    if (align > VPC_SECTOR && !config->read_only) {
        block_close(file);
        err_set(
            err,
            "disk %s: %s: a VHD image ends with a sector of 512 bytes, but with this cache mode "
            "the file is written %u bytes at a time here; use cache=writeback or writethrough",
            config->id, config->file, align);
        return NULL;
    }
    return vpc_open_over(loop, config, file, err);
}
