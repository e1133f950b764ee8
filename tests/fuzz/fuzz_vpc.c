/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_vpc: a VHD image that somebody hostile made, and what a guest does to it. What is accepted
 * must bear every request, and be accepted again, with the same contents, when it is opened anew.
 *
 * u8 flags (1: checksums are not made right; 2: fixed; 4: each write waits for the medium); u8
 * number of patches; patches: u16 offset in the first 4 KiB, u8 length - 1 (of 16), bytes; u16
 * length of the file in sectors (0: as it should be); requests: u8 operation (and 8: the next
 * request follows at once; 16: the file's next request fails), u16 sector, u8 sectors.
 */
#include <errno.h>

#include "block/block_int.h"
#include "block/vpc.h"
#include "block/vpc_format.h"
#include "tests/fuzz/fuzz.h"

#define PAGE       4096u
#define PAGES      512u /* that the file may have */
#define BLOCK      8192u
#define BLOCKS     40u
#define PATCHES    16u
#define REQUESTS   64u
#define MAX_LENGTH 64u /* sectors in a request */

/* ---- the file: sparse, in memory ---- */

struct page {
    uint64_t number;
    uint8_t data[PAGE];
};

static struct file {
    struct page pages[PAGES];
    uint16_t near[4096]; /* of the first pages: which of `pages` + 1 */
    unsigned count;
    uint64_t length;
    bool fail_next;
} file;

static struct page *page_at(uint64_t number, bool make)
{
    if (number < 4096 && file.near[number])
        return &file.pages[file.near[number] - 1];
    for (unsigned i = 0; number >= 4096 && i < file.count; i++)
        if (file.pages[i].number == number)
            return &file.pages[i];
    if (!make || file.count == PAGES)
        return NULL;
    struct page *p = &file.pages[file.count++];
    memset(p, 0, sizeof(*p));
    p->number = number;
    if (number < 4096)
        file.near[number] = (uint16_t)file.count;
    return p;
}

static int file_rw(uint64_t at, uint8_t *buf, size_t len, bool write)
{
    while (len) {
        size_t within = at % PAGE, n = PAGE - within < len ? PAGE - within : len;
        struct page *p = page_at(at / PAGE, write);
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

static int zero(uint64_t at, size_t len)
{
    static uint8_t zeroes[PAGE];
    for (size_t n; len; at += n, len -= n) {
        n = PAGE - at % PAGE < len ? PAGE - at % PAGE : len;
        if (page_at(at / PAGE, false) && file_rw(at, zeroes, n, true))
            return ENOSPC;
    }
    return 0;
}

static void file_submit(struct block *block, struct block_request *r)
{
    uint64_t at = r->offset;
    int error = file.fail_next ? EIO : 0;
    (void)block;
    file.fail_next = false;
    if (!error && (r->op == BLOCK_DISCARD || r->op == BLOCK_WRITE_ZEROES))
        error = zero(at, r->bytes);
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

static struct block *open_image(bool sync)
{
    struct err err = {""};
    struct block_config config = {.id = "d",
                                  .file = "f",
                                  .fd = -1,
                                  .format = BLOCK_FORMAT_VPC,
                                  .cache = sync ? BLOCK_CACHE_WRITETHROUGH : BLOCK_CACHE_WRITEBACK};
    struct block *below = block_new(loop, &config, &file_driver, NULL, UINT64_C(1) << 62, &err);
    fuzz_assert(below);
    below->below = true;
    struct block *block = vpc_open_over(loop, &config, below, &err);
    if (block && !block_activate(block, &err)) {
        block_close(block);
        block = NULL;
    }
    fuzz_assert(block || (err.text[0] && !strchr(err.text, '\n')));
    return block;
}

/* ---- the image ---- */

static void put64(uint8_t *p, uint64_t v)
{
    vhd_put32(p, (uint32_t)(v >> 32));
    vhd_put32(p + 4, (uint32_t)v);
}

static void make_image(struct fuzz_input *in, unsigned flags)
{
    uint8_t head[PAGE];
    bool fixed = flags & 2;
    uint8_t *header = head + 512;

    memset(head, 0, sizeof(head));
    memcpy(head, "conectix", 8);
    vhd_put32(head + VHD_VERSION, 0x10000);
    put64(head + VHD_DATA_OFFSET, 512);
    memcpy(head + VHD_CREATOR, "qem2", 4);
    put64(head + VHD_CURRENT_SIZE, (uint64_t)BLOCKS * BLOCK - 1024);
    vhd_put32(head + VHD_TYPE, fixed ? VHD_TYPE_FIXED : VHD_TYPE_DYNAMIC);
    memcpy(header, "cxsparse", 8);
    put64(header + VHD_H_TABLE, 1536);
    vhd_put32(header + VHD_H_VERSION, 0x10000);
    vhd_put32(header + VHD_H_ENTRIES, BLOCKS);
    vhd_put32(header + VHD_H_BLOCK, BLOCK);
    memset(head + 1536, 0xFF, 512);
    file.count = 0;
    memset(file.near, 0, sizeof(file.near));
    file.length = fixed ? (uint64_t)BLOCKS * BLOCK : 2560 + 2 * (512 + BLOCK);

    for (unsigned n = fuzz_take(in, 1) % (PATCHES + 1); n; n--) {
        size_t at = fuzz_take(in, 2) % PAGE, len = (fuzz_take(in, 1) & 15) + 1;
        const uint8_t *bytes = fuzz_take_bytes(in, len, &len);
        memcpy(head + at, bytes, len < PAGE - at ? len : PAGE - at);
    }
    if (!(flags & 1)) {
        vhd_put32(head + VHD_CHECKSUM, vhd_checksum(head, 512, VHD_CHECKSUM));
        vhd_put32(header + VHD_H_CHECKSUM, vhd_checksum(header, 1024, VHD_H_CHECKSUM));
    }
    uint64_t sectors = fuzz_take(in, 2);
    if (sectors)
        file.length = sectors * 512;
    uint64_t end = file.length;
    file_rw(0, head, PAGE, true);
    file.length = end;
    file_rw(end - 512, head, 512, true);
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

/* A sum over what the guest can have touched, of a disk of a usual size. */
static uint64_t contents(struct block *block)
{
    static struct guest_request g;
    uint64_t sum = 0, sectors = block_bytes(block) / 512;
    if (sectors > 1024)
        sectors = 1024;
    for (uint64_t s = 0; s < sectors; s += MAX_LENGTH) {
        size_t n = sectors - s < MAX_LENGTH ? sectors - s : MAX_LENGTH;
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
    make_image(&in, flags);
    struct block *block = open_image(flags & 4);
    if (!block)
        return 0;
    bool failures = false;
    for (unsigned n = 0; n < REQUESTS && in.left; n++) {
        struct guest_request *g = &requests[n % 8];
        unsigned op = (unsigned)fuzz_take(&in, 1);
        /* Inside, mostly. */
        uint64_t sector = fuzz_take(&in, 2) % (block_bytes(block) / 512 + 4);
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
    bool closed = block_inactivate(block, &err);
    block_close(block);
    if (!closed)
        return 0;
    /* Some page may have found no room: then a block may be missing, but the image is whole. */
    block = open_image(false);
    fuzz_assert(block);
    fuzz_assert(contents(block) == before || file.count == PAGES || failures);
    block_close(block);
    return 0;
}
