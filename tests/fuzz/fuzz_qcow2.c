/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_qcow2: a qcow2 image that somebody hostile made, and what a guest does to it. What is
 * accepted must bear every request; a sound one must be accepted again, with the same contents,
 * when it is opened anew.
 *
 * u8 flags (1: version 2; 2: extended L2 entries; 4: 4 KiB clusters; 8: each write waits for the
 * medium; 16: read-only; 32: zstd; 64: marked dirty); u8 number of patches; patches: u8 cluster,
 * u16 offset in it, u8 length - 1 (of 16), bytes; requests: u8 operation (and 8: the next request
 * follows at once; 16: the file's next request fails), u16 sector, u8 sectors.
 */
#include <errno.h>

#include "block/qcow2.h"
#include "block/qcow2_int.h"
#include "tests/block/qcow2_build.h"
#include "tests/fuzz/fuzz.h"

#define FILE_BYTES (4u * 1024 * 1024)
#define PATCHES    24u
#define REQUESTS   64u
#define MAX_LENGTH 96u          /* sectors in a request */
#define SPAN       (96u * 1024) /* of the disk that requests go to */

/* ---- the file, in memory ---- */

static struct {
    uint8_t data[FILE_BYTES];
    uint64_t length;
    bool fail_next;
} file;

static int file_rw(uint64_t at, uint8_t *buf, size_t len, bool write)
{
    if (write && (at > FILE_BYTES || len > FILE_BYTES - at))
        return ENOSPC;
    if (write) {
        memcpy(file.data + at, buf, len);
        if (at + len > file.length)
            file.length = at + len;
        return 0;
    }
    size_t there = at >= file.length ? 0 : file.length - at < len ? file.length - at : len;
    if (there)
        memcpy(buf, file.data + at, there);
    memset(buf + there, 0, len - there);
    return 0;
}

static void file_submit(struct block *block, struct block_request *r)
{
    uint64_t at = r->offset;
    int error = file.fail_next ? EIO : 0;
    (void)block;
    file.fail_next = false;
    if (!error && (r->op == BLOCK_DISCARD || r->op == BLOCK_WRITE_ZEROES) && at < file.length)
        memset(file.data + at, 0, r->bytes < file.length - at ? r->bytes : file.length - at);
    for (int i = 0; !error && i < r->iovcnt && r->op <= BLOCK_WRITE; i++) {
        error = file_rw(at, r->iov[i].iov_base, r->iov[i].iov_len, r->op == BLOCK_WRITE);
        at += r->iov[i].iov_len;
    }
    block_finish_later(r, error);
}

static void file_wait(struct block *block)
{
    (void)block;
    abort(); /* nothing is ever under way here */
}

static bool file_lock(struct block *block, struct err *err)
{
    (void)block, (void)err;
    return true;
}

static void file_nothing(struct block *block)
{
    (void)block;
}

static uint64_t file_length(struct block *block, bool *fixed)
{
    (void)block;
    *fixed = false;
    return file.length;
}

static const struct block_driver file_driver = {.submit = file_submit,
                                                .wait = file_wait,
                                                .lock = file_lock,
                                                .unlock = file_nothing,
                                                .close = file_nothing,
                                                .length = file_length};

static struct loop *loop;

static struct block *open_image(unsigned flags)
{
    struct err err = {""};
    struct block_config config = {.id = "d",
                                  .file = "/nowhere/f",
                                  .fd = -1,
                                  .format = BLOCK_FORMAT_QCOW2,
                                  .cache =
                                      flags & 8 ? BLOCK_CACHE_WRITETHROUGH : BLOCK_CACHE_WRITEBACK,
                                  .read_only = flags & 16};
    struct block *below = block_new(loop, &config, &file_driver, NULL, UINT64_C(1) << 62, &err);
    fuzz_assert(below);
    below->below = true;
    struct block *block = qcow2_open_over(loop, &config, below, &err);
    if (block && !block_activate(block, &err)) {
        block_close(block);
        block = NULL;
    }
    fuzz_assert(block || (err.text[0] && !strchr(err.text, '\n')));
    return block;
}

/* ---- the image ---- */

/* The number of patches. */
static unsigned make_image(struct fuzz_input *in, unsigned flags)
{
    size_t c = (size_t)1 << build_bits(flags);

    memset(file.data, 0, file.length);
    file.length = build_qcow2(file.data, flags);
    unsigned patches = fuzz_take(in, 1) % (PATCHES + 1);
    for (unsigned n = patches; n; n--) {
        size_t at = fuzz_take(in, 1) % 13 * c;
        at += fuzz_take(in, 2) % c;
        size_t len = (fuzz_take(in, 1) & 15) + 1;
        const uint8_t *patch = fuzz_take_bytes(in, len, &len);
        memcpy(file.data + at, patch, len);
    }
    return patches;
}

/* ---- the guest ---- */

struct guest_request {
    struct block_request r;
    struct iovec iov[2];
    uint8_t data[MAX_LENGTH * 512];
    bool busy;
};

static void done(struct block_request *r, int error)
{
    struct guest_request *g = (struct guest_request *)r;
    (void)error;
    fuzz_assert(g->busy);
    g->busy = false;
}

static void submit(struct block *block, struct guest_request *g, enum block_op op, uint64_t sector,
                   size_t sectors)
{
    g->r = (struct block_request){
        .op = op, .offset = sector * 512, .bytes = sectors * 512, .done = done};
    g->iov[0] = (struct iovec){g->data, sectors * 512 / 3};
    g->iov[1] = (struct iovec){g->data + sectors * 512 / 3, sectors * 512 - sectors * 512 / 3};
    if (op == BLOCK_READ || op == BLOCK_WRITE) {
        g->r.iov = g->iov;
        g->r.iovcnt = 2;
    }
    g->busy = true;
    block_submit(block, &g->r);
}

static uint64_t contents(struct block *block)
{
    static struct guest_request g;
    uint64_t sum = 0, sectors = block_bytes(block) / 512;
    if (sectors > SPAN / 512)
        sectors = SPAN / 512;
    for (uint64_t s = 0; s < sectors; s += MAX_LENGTH) {
        size_t n = sectors - s < MAX_LENGTH ? sectors - s : MAX_LENGTH;
        memset(g.data, 0, sizeof(g.data));
        submit(block, &g, BLOCK_READ, s, n);
        block_drain(block);
        for (size_t i = 0; i < n * 512; i += 64) /* requests write whole sectors of one byte */
            sum = sum * 31 + g.data[i];
    }
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct guest_request requests[8];
    struct fuzz_input in = {.p = data, .left = size};
    struct err err;

    if (!loop)
        loop = loop_new(&err);
    unsigned flags = (unsigned)fuzz_take(&in, 1);
    file.fail_next = false;
    unsigned patches = make_image(&in, flags);
    struct block *block = open_image(flags);
    fuzz_assert(block || patches);
    if (!block)
        return 0;
    bool failures = false;
    uint64_t span = block_bytes(block) / 512;
    if (span > SPAN / 512)
        span = SPAN / 512;
    for (unsigned n = 0; n < REQUESTS && in.left; n++) {
        struct guest_request *g = &requests[n % 8];
        unsigned op = (unsigned)fuzz_take(&in, 1);
        uint64_t sector = fuzz_take(&in, 2) % (span + 4); /* inside, mostly */
        size_t count = fuzz_take(&in, 1) % MAX_LENGTH + 1;
        if (g->busy)
            block_drain(block);
        memset(g->data, (int)(n + 1), sizeof(g->data));
        file.fail_next = op & 16;
        failures |= file.fail_next;
        submit(block, g, (op & 7) % 5, sector, count);
        if (!(op & 8))
            block_drain(block);
    }
    block_drain(block);
    file.fail_next = false;
    uint64_t before = contents(block);
    bool corrupt = ((struct qcow2 *)block->image)->corrupt;
    fuzz_assert(!corrupt || patches);
    bool closed = block_inactivate(block, &err);
    block_close(block);
    if (!closed || patches || failures)
        return 0;
    block = open_image(flags);
    fuzz_assert(block);
    fuzz_assert(contents(block) == before);
    block_close(block);
    return 0;
}
