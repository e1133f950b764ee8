/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * disk: an image file in memory (sparse, small, may fail) in the place of the raw driver, with a
 * format opened over it or used as a disk itself; and the requests of a guest. For one target at a
 * time: it has state of its own.
 */
#ifndef TESTS_FUZZ_DISK_H
#define TESTS_FUZZ_DISK_H

#include <errno.h>

#include "block/block_int.h"
#include "tests/fuzz/fuzz.h"

#define DISK_PAGE   4096u
#define DISK_PAGES  1024u /* that the file may have */
#define DISK_NEAR   4096u /* pages from the start on that are found at once */
#define DISK_LENGTH 96u   /* most sectors in a request */

/* ---- the file ---- */

struct disk_page {
    uint64_t number;
    uint8_t data[DISK_PAGE];
};

static struct disk_file {
    struct disk_page pages[DISK_PAGES];
    uint16_t near[DISK_NEAR]; /* of the first pages: which of `pages` + 1 */
    unsigned count;
    uint64_t length;
    bool fail_next;
} file;

static inline struct disk_page *disk_page(uint64_t number, bool make)
{
    if (number < DISK_NEAR && file.near[number])
        return &file.pages[file.near[number] - 1];
    for (unsigned i = 0; number >= DISK_NEAR && i < file.count; i++)
        if (file.pages[i].number == number)
            return &file.pages[i];
    if (!make || file.count == DISK_PAGES)
        return NULL;
    struct disk_page *p = &file.pages[file.count++];
    memset(p, 0, sizeof(*p));
    p->number = number;
    if (number < DISK_NEAR)
        file.near[number] = (uint16_t)file.count;
    return p;
}

static inline int disk_rw(uint64_t at, uint8_t *buf, size_t len, bool write)
{
    while (len) {
        size_t within = at % DISK_PAGE, n = DISK_PAGE - within < len ? DISK_PAGE - within : len;
        struct disk_page *p = disk_page(at / DISK_PAGE, write);
        if (write && !p)
            return ENOSPC;
        if (write)
            memcpy(p->data + within, buf, n);
        else if (p)
            memcpy(buf, p->data + within, n);
        else
            memset(buf, 0, n);
        at += n;
        buf += n;
        len -= n;
    }
    if (write && at > file.length)
        file.length = at;
    return 0;
}

static inline int disk_zero(uint64_t at, size_t len)
{
    static uint8_t zeroes[DISK_PAGE];
    for (size_t n; len; at += n, len -= n) {
        n = DISK_PAGE - at % DISK_PAGE < len ? DISK_PAGE - at % DISK_PAGE : len;
        if (disk_page(at / DISK_PAGE, false) && disk_rw(at, zeroes, n, true))
            return ENOSPC;
    }
    return 0;
}

/* An empty one. */
static inline void disk_new_file(void)
{
    file.count = 0;
    file.length = 0;
    file.fail_next = false;
    memset(file.near, 0, sizeof(file.near));
}

static inline void disk_submit(struct block *block, struct block_request *r)
{
    uint64_t at = r->offset;
    int error = file.fail_next ? EIO : 0;
    (void)block;
    file.fail_next = false;
    if (!error && (r->op == BLOCK_DISCARD || r->op == BLOCK_WRITE_ZEROES))
        error = disk_zero(at, r->bytes);
    for (int i = 0; !error && i < r->iovcnt && r->op <= BLOCK_WRITE; i++) {
        error = disk_rw(at, r->iov[i].iov_base, r->iov[i].iov_len, r->op == BLOCK_WRITE);
        at += r->iov[i].iov_len;
    }
    block_finish_later(r, error);
}

static inline void disk_wait(struct block *block)
{
    (void)block;
    abort(); /* nothing is ever under way here */
}

static inline bool disk_lock(struct block *block, struct err *err)
{
    (void)block, (void)err;
    return true;
}

static inline void disk_nothing(struct block *block)
{
    (void)block;
}

static inline uint64_t disk_length(struct block *block, bool *fixed)
{
    (void)block;
    *fixed = false;
    return file.length;
}

static const struct block_driver disk_driver = {.submit = disk_submit,
                                                .wait = disk_wait,
                                                .lock = disk_lock,
                                                .unlock = disk_nothing,
                                                .close = disk_nothing,
                                                .length = disk_length};

static struct loop *loop;

/* qcow2_open_over, vpc_open_over. */
typedef struct block *disk_format(struct loop *on, const struct block_config *config,
                                  struct block *below, struct err *err);

/* The file opened with this format, and activated; or NULL, for a reason in one line. */
static inline struct block *disk_open(disk_format *over, enum block_cache cache, bool read_only)
{
    struct err err = {""};
    struct block_config config = {
        .id = "d", .file = "/nowhere/f", .fd = -1, .cache = cache, .read_only = read_only};
    if (!loop)
        loop = loop_new(&err);
    struct block *below = block_new(loop, &config, &disk_driver, NULL, UINT64_C(1) << 62, &err);
    fuzz_assert(below);
    below->below = true;
    struct block *block = over(loop, &config, below, &err);
    if (block && !block_activate(block, &err)) {
        block_close(block);
        block = NULL;
    }
    fuzz_assert(block || (err.text[0] && !strchr(err.text, '\n')));
    return block;
}

/* The file as a disk of so many bytes. */
static inline struct block *disk_plain(uint64_t bytes, bool read_only)
{
    struct err err;
    struct block_config config = {
        .id = "d", .file = "/nowhere/f", .fd = -1, .read_only = read_only};
    if (!loop)
        loop = loop_new(&err);
    struct block *block = block_new(loop, &config, &disk_driver, NULL, bytes, &err);
    fuzz_assert(block && block_activate(block, &err));
    return block;
}

/* ---- the guest ---- */

struct disk_request {
    struct block_request r;
    struct iovec iov[2];
    uint8_t data[DISK_LENGTH * 512];
    bool busy;
};

static inline void disk_done(struct block_request *r, int error)
{
    struct disk_request *g = (struct disk_request *)r;
    (void)error;
    fuzz_assert(g->busy);
    g->busy = false;
}

static inline void disk_ask(struct block *block, struct disk_request *g, enum block_op op,
                            uint64_t sector, size_t sectors)
{
    g->r = (struct block_request){
        .op = op, .offset = sector * 512, .bytes = sectors * 512, .done = disk_done};
    g->iov[0] = (struct iovec){g->data, sectors * 512 / 3};
    g->iov[1] = (struct iovec){g->data + sectors * 512 / 3, sectors * 512 - sectors * 512 / 3};
    if (op == BLOCK_READ || op == BLOCK_WRITE) {
        g->r.iov = g->iov;
        g->r.iovcnt = 2;
    }
    g->busy = true;
    block_submit(block, &g->r);
}

/* Requests as the input says, at most `most` of them, to the disk's first `span` bytes and a little
 * beyond: u8 operation (and 8: the next one follows at once; 16: the file's next request fails),
 * u16 sector, u8 sectors. Were there failures? */
static inline bool disk_requests(struct block *block, struct fuzz_input *in, unsigned most,
                                 uint64_t span)
{
    static struct disk_request requests[8];
    bool failures = false;
    uint64_t sectors = (block_bytes(block) < span ? block_bytes(block) : span) / 512;

    for (unsigned n = 0; n < most && in->left; n++) {
        struct disk_request *g = &requests[n % 8];
        unsigned op = (unsigned)fuzz_take(in, 1);
        uint64_t sector = fuzz_take(in, 2) % (sectors + 4); /* inside, mostly */
        size_t count = fuzz_take(in, 1) % DISK_LENGTH + 1;
        if (g->busy)
            block_drain(block);
        memset(g->data, (int)(n + 1), sizeof(g->data));
        file.fail_next = op & 16;
        failures |= file.fail_next;
        disk_ask(block, g, (op & 7) % 5, sector, count);
        if (!(op & 8))
            block_drain(block);
    }
    block_drain(block);
    file.fail_next = false;
    return failures;
}

/* A sum over the first `span` bytes. */
static inline uint64_t disk_contents(struct block *block, uint64_t span)
{
    static struct disk_request g;
    uint64_t sum = 0, sectors = (block_bytes(block) < span ? block_bytes(block) : span) / 512;

    for (uint64_t s = 0; s < sectors; s += DISK_LENGTH) {
        size_t n = sectors - s < DISK_LENGTH ? sectors - s : DISK_LENGTH;
        memset(g.data, 0, sizeof(g.data));
        disk_ask(block, &g, BLOCK_READ, s, n);
        block_drain(block);
        for (size_t i = 0; i < n * 512; i += 64) /* requests write whole sectors of one byte */
            sum = sum * 31 + g.data[i];
    }
    return sum;
}

#endif
