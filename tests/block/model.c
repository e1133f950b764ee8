/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model: see model.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <unistd.h>

#include "hw/core/loop.h"
#include "tests/block/model.h"

#define PIECE (1024u * 1024)

static const uint8_t zeroes[MODEL_SECTOR];

uint64_t model_any(struct model *m, uint64_t n)
{
    m->seed = m->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (m->seed >> 20) % n;
}

void model_init(struct model *m, uint64_t bytes, uint64_t seed)
{
    memset(m, 0, sizeof(*m));
    m->bytes = bytes;
    m->data = calloc(1, bytes);
    m->discarded = calloc(1, bytes / MODEL_SECTOR);
    m->seed = seed * 77 + 12345;
    m->longest = 640;
    m->depth = MODEL_DEPTH;
    m->flush_every = 60;
    assert_non_null(m->data);
    assert_non_null(m->discarded);
}

void model_free(struct model *m)
{
    free(m->data);
    free(m->discarded);
    for (unsigned i = 0; i < MODEL_DEPTH; i++)
        free(m->slots[i].memory);
}

bool model_sector_ok(const struct model *m, uint64_t sector, const uint8_t *data)
{
    return !memcmp(data, m->data + sector * MODEL_SECTOR, MODEL_SECTOR) ||
           (m->discarded[sector] && !memcmp(data, zeroes, MODEL_SECTOR));
}

static void check_sectors(const struct model *m, uint64_t offset, const uint8_t *data, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += MODEL_SECTOR)
        if (!model_sector_ok(m, (offset + at) / MODEL_SECTOR, data + at))
            fail_msg("offset %#llx: wrong data (%02x %02x %02x %02x, not %02x %02x %02x %02x)",
                     (unsigned long long)(offset + at), data[at], data[at + 1], data[at + 2],
                     data[at + 3], m->data[offset + at], m->data[offset + at + 1],
                     m->data[offset + at + 2], m->data[offset + at + 3]);
}

static void request_done(struct block_request *r, int error)
{
    struct model_slot *s = (struct model_slot *)r;
    assert_false(s->done);
    s->done = true;
    s->error = error;
}

/* What a finished request must have done. */
static void finish(struct model *m, struct model_slot *s)
{
    struct block_request *r = &s->r;

    while (!s->done)
        loop_turn(m->loop, 10 * NS_PER_S);
    s->busy = false;
    if (s->error)
        fail_msg("operation %d at %#llx, %zu bytes: %s", r->op, (unsigned long long)r->offset,
                 r->bytes, strerror(s->error));
    switch (r->op) {
    case BLOCK_READ:
        check_sectors(m, r->offset, s->memory, r->bytes);
        break;
    case BLOCK_WRITE:
        memcpy(m->data + r->offset, s->memory, r->bytes);
        memset(m->discarded + r->offset / MODEL_SECTOR, 0, r->bytes / MODEL_SECTOR);
        break;
    case BLOCK_WRITE_ZEROES:
        memset(m->data + r->offset, 0, r->bytes);
        memset(m->discarded + r->offset / MODEL_SECTOR, 0, r->bytes / MODEL_SECTOR);
        break;
    case BLOCK_DISCARD:
        memset(m->discarded + r->offset / MODEL_SECTOR, 1, r->bytes / MODEL_SECTOR);
        break;
    case BLOCK_FLUSH:
        break;
    }
}

static bool overlaps(const struct model *m, uint64_t offset, size_t bytes)
{
    for (unsigned i = 0; i < MODEL_DEPTH; i++) {
        const struct block_request *r = &m->slots[i].r;
        if (m->slots[i].busy && r->op != BLOCK_FLUSH && offset < r->offset + r->bytes &&
            r->offset < offset + bytes)
            return true;
    }
    return false;
}

static void scatter(struct model *m, struct model_slot *s)
{
    struct block_request *r = &s->r;
    uint8_t *at = s->memory;
    size_t left = r->bytes;

    r->iov = s->iov;
    r->iovcnt = 0;
    while (left) {
        size_t len = r->iovcnt == 15   ? left
                     : model_any(m, 3) ? MODEL_SECTOR * (1 + model_any(m, 20))
                                       : 1 + model_any(m, 3000);
        if (len > left)
            len = left;
        s->iov[r->iovcnt++] = (struct iovec){.iov_base = at, .iov_len = len};
        at += len;
        left -= len;
    }
    uint8_t fill = (uint8_t)model_any(m, 256);
    for (size_t i = 0; i < r->bytes; i++)
        s->memory[i] = r->op == BLOCK_WRITE ? (uint8_t)(fill + i / 7) : 0x5a;
}

static void start(struct model *m, struct model_slot *s)
{
    static const enum block_op ops[] = {BLOCK_READ,         BLOCK_READ,    BLOCK_READ,
                                        BLOCK_WRITE,        BLOCK_WRITE,   BLOCK_WRITE,
                                        BLOCK_WRITE_ZEROES, BLOCK_DISCARD, BLOCK_FLUSH};
    struct block_request *r = &s->r;
    uint64_t sectors = (m->window && m->window < m->bytes ? m->window : m->bytes) / MODEL_SECTOR;

    memset(r, 0, sizeof(*r));
    r->op = model_any(m, m->flush_every) ? ops[model_any(m, sizeof(ops) / sizeof(ops[0]))]
                                         : BLOCK_FLUSH;
    if (m->no_zeroes && (r->op == BLOCK_WRITE_ZEROES || r->op == BLOCK_DISCARD))
        r->op = BLOCK_WRITE;
    if (r->op != BLOCK_FLUSH) {
        uint64_t sector, count;
        do {
            count = 1 + model_any(m, model_any(m, 4) ? 16 : m->longest);
            if (count > sectors)
                count = sectors;
            sector = model_any(m, sectors - count + 1);
            if (model_any(m, 3) == 0) /* whole clusters too */
                sector &= ~UINT64_C(127), count = (count + 127) & ~UINT64_C(127);
            if (sector + count > sectors)
                count = sectors - sector;
        } while (overlaps(m, sector * MODEL_SECTOR, count * MODEL_SECTOR));
        r->offset = sector * MODEL_SECTOR;
        r->bytes = count * MODEL_SECTOR;
        r->own_memory = model_any(m, 2);
        scatter(m, s);
    }
    s->busy = true;
    s->done = false;
    r->done = request_done;
    block_submit(m->block, r);
    assert_false(s->done);
}

void model_run(struct model *m, struct loop *loop, struct block *block, unsigned steps)
{
    m->loop = loop;
    m->block = block;
    assert_int_equal(block_bytes(block), m->bytes);
    for (unsigned i = 0; i < MODEL_DEPTH; i++)
        if (!m->slots[i].memory)
            m->slots[i].memory = aligned_alloc(4096, (m->longest + 136) / 8 * 8 * MODEL_SECTOR);
    for (unsigned i = 0; i < steps; i++) {
        struct model_slot *s = &m->slots[model_any(m, m->depth)];
        if (s->busy)
            finish(m, s);
        start(m, s);
        if (model_any(m, 100) == 0)
            block_drain(block);
    }
    block_drain(block);
    for (unsigned i = 0; i < MODEL_DEPTH; i++) {
        assert_true(!m->slots[i].busy || m->slots[i].done);
        if (m->slots[i].busy)
            finish(m, &m->slots[i]);
    }
}

void model_compare(struct model *m, struct loop *loop, struct block *block)
{
    uint8_t *buf = malloc(PIECE);

    m->loop = loop;
    for (uint64_t at = 0; at < m->bytes; at += PIECE) {
        struct model_slot s = {.done = false};
        struct iovec iov = {.iov_base = buf,
                            .iov_len = m->bytes - at < PIECE ? m->bytes - at : PIECE};
        s.r = (struct block_request){.op = BLOCK_READ,
                                     .offset = at,
                                     .bytes = iov.iov_len,
                                     .iov = &iov,
                                     .iovcnt = 1,
                                     .done = request_done};
        block_submit(block, &s.r);
        while (!s.done)
            loop_turn(loop, 10 * NS_PER_S);
        assert_int_equal(s.error, 0);
        check_sectors(m, at, buf, iov.iov_len);
    }
    free(buf);
}

void model_compare_file(struct model *m, const char *path)
{
    uint8_t *buf = malloc(PIECE);
    int fd = open(path, O_RDONLY);

    assert_true(fd >= 0);
    for (uint64_t at = 0; at < m->bytes; at += PIECE) {
        size_t len = m->bytes - at < PIECE ? m->bytes - at : PIECE;
        memset(buf, 0, PIECE);
        assert_true(pread(fd, buf, len, (off_t)at) >= 0);
        check_sectors(m, at, buf, len);
    }
    close(fd);
    free(buf);
}
