/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_blkif: a hostile front-end at the PV disks' back-end: rings in both layouts (the native one
 * is x86_64's), of one or more pages and queues, with and without kept grants, on a kernel with and
 * without grant copies. Everything that is taken is answered once, nothing stays mapped, the disk
 * is asked for nothing that it does not have, and read-only disks are not written.
 *
 * u8 set-up (1: x86_32; 2: kept grants; 4: read-only; 8: discard; 16: no grant copies; 32: two
 * queues; 64: four pages); then steps: u8 what, and what that takes.
 */
#include "hw/xen/blkback.h"
#include "tests/fuzz/disk.h"

#define PAGES     48u /* of the guest; page n is granted as reference REF + n */
#define REF       100u
#define RING      32u /* pages of the rings: from here on, four for each queue */
#define RING_STEP 4u
#define DISK      (256u * 1024)
#define STEPS     200u

static struct guest {
    uint8_t *pages;
    uint64_t revoked;
    bool copies;     /* the kernel can copy */
    unsigned poison; /* a page that changes once it has been copied; PAGES: none */
    unsigned mapped; /* pages */
} guest;

static uint8_t *page_of(uint32_t ref)
{
    if (ref < REF || ref - REF >= PAGES || guest.revoked >> (ref - REF) & 1) {
        errno = EINVAL;
        return NULL;
    }
    return guest.pages + (size_t)(ref - REF) * BLKIF_PAGE;
}

static void *door_map(void *opaque, const uint32_t *refs, unsigned count, bool writable)
{
    (void)opaque, (void)writable;
    fuzz_assert(count && count <= BLKIF_MAX_SEGMENTS);
    for (unsigned i = 0; i < count; i++)
        if (!page_of(refs[i]) || refs[i] != refs[0] + i) /* in a row only, here */
            return NULL;
    guest.mapped += count;
    return page_of(refs[0]);
}

static void door_unmap(void *opaque, void *where, unsigned count)
{
    (void)opaque;
    fuzz_assert(where && count <= guest.mapped);
    guest.mapped -= count;
}

static bool door_copy(void *opaque, const struct blkback_piece *pieces, unsigned count,
                      bool to_guest)
{
    (void)opaque;
    fuzz_assert(count && count <= BLKIF_MAX_SEGMENTS);
    if (!guest.copies) {
        errno = ENOTTY;
        return false;
    }
    for (unsigned i = 0; i < count; i++) {
        fuzz_assert(pieces[i].offset + pieces[i].bytes <= BLKIF_PAGE);
        uint8_t *page = page_of(pieces[i].ref);
        if (!page)
            return false;
        if (to_guest)
            memcpy(page + pieces[i].offset, pieces[i].local, pieces[i].bytes);
        else
            memcpy(pieces[i].local, page + pieces[i].offset, pieces[i].bytes);
        if (pieces[i].ref - REF == guest.poison)
            memset(page, 0xFF, BLKIF_PAGE);
    }
    return true;
}

static void door_notify(void *opaque, uint32_t port)
{
    (void)opaque;
    fuzz_assert(port < BLKBACK_MAX_QUEUES);
}

static const struct blkback_doors doors = {
    .map = door_map, .unmap = door_unmap, .copy = door_copy, .notify = door_notify};

struct front {
    struct fuzz_input in;
    struct blkback_config config;
    struct block *block;
    struct blkback *back;
    uint32_t produced[2];
};

static uint8_t *shared(unsigned queue)
{
    return guest.pages + (size_t)(RING + queue * RING_STEP) * BLKIF_PAGE;
}

static uint32_t word(unsigned queue, unsigned i)
{
    uint32_t v;
    memcpy(&v, shared(queue) + i * 4, 4);
    return v;
}

static uint32_t entries(const struct front *f, unsigned *bytes)
{
    *bytes = f->config.abi == BLKIF_ABI_X86_32 ? 108 : 112;
    uint32_t n = 1;
    while (n * 2 <= (f->config.queue[0].pages * BLKIF_PAGE - 64) / *bytes)
        n *= 2;
    return n;
}

static uint8_t *next_slot(struct front *f, unsigned queue)
{
    unsigned bytes;
    uint32_t n = entries(f, &bytes);
    uint8_t *e = shared(queue) + 64 + (size_t)(f->produced[queue]++ % n) * bytes;
    memset(e, 0, bytes);
    return e;
}

static void put_segment(struct front *f, uint8_t *at, unsigned refs)
{
    uint32_t ref = REF + (uint32_t)fuzz_take(&f->in, 1) % refs;
    unsigned both = (unsigned)fuzz_take(&f->in, 1);
    memcpy(at, &ref, 4);
    at[4] = both & 15; /* mostly sound: 0 to 7, the first not after the last */
    at[5] = (uint8_t)(both >> 4);
}

static void put_request(struct front *f, unsigned queue)
{
    bool narrow = f->config.abi == BLKIF_ABI_X86_32;
    uint8_t *e = next_slot(f, queue);
    uint8_t op = (uint8_t)fuzz_take(&f->in, 1) % 8, segments = (uint8_t)fuzz_take(&f->in, 1) % 13;
    uint64_t sector = fuzz_take(&f->in, 2) % (DISK / 512 + 8);
    e[0] = op;
    if (op == BLKIF_INDIRECT) {
        /* blkif.h: operation, its own, u16 segments, id, sector, handle, references */
        uint16_t many = (uint16_t)(fuzz_take(&f->in, 2) % (BLKIF_MAX_SEGMENTS + 2));
        uint32_t page = REF + (uint32_t)fuzz_take(&f->in, 1) % RING;
        e[1] = segments & 1;
        memcpy(e + 2, &many, 2);
        e[narrow ? 4 : 8] = (uint8_t)f->produced[queue];
        memcpy(e + (narrow ? 12 : 16), &sector, 8);
        for (unsigned i = 0; i < 8; i++, page++)
            memcpy(e + (narrow ? 24 : 28) + i * 4, &page, 4);
        uint8_t *list = page_of(page - 8);
        for (unsigned i = 0; list && i < many && i < 16; i++)
            put_segment(f, list + i * 8, RING);
        for (unsigned i = 16; list && i < many && i < BLKIF_MAX_SEGMENTS; i++)
            memcpy(list + i * 8, list + i % 16 * 8, 8);
        return;
    }
    e[1] = segments;
    e[narrow ? 4 : 8] = (uint8_t)f->produced[queue];
    memcpy(e + (narrow ? 12 : 16), &sector, 8);
    if (op == BLKIF_DISCARD) {
        uint64_t count = fuzz_take(&f->in, 2);
        memcpy(e + (narrow ? 20 : 24), &count, 8);
        return;
    }
    for (unsigned i = 0; i < segments && i < 11; i++)
        put_segment(f, e + (narrow ? 20 : 24) + i * 8, PAGES);
}

static void put_rubbish(struct front *f, unsigned queue)
{
    size_t at = fuzz_take(&f->in, 2) % (RING_STEP * BLKIF_PAGE - 16), len;
    const uint8_t *bytes = fuzz_take_bytes(&f->in, 1 + fuzz_take(&f->in, 1) % 16, &len);
    memcpy(shared(queue) + at, bytes, len);
}

static void show(const struct front *f, unsigned queue)
{
    memcpy(shared(queue), &f->produced[queue], 4);
}

static void leave(struct front *f)
{
    blkback_disconnect(f->back);
    f->back = NULL;
    fuzz_assert(!guest.mapped);
}

static void join(struct front *f)
{
    struct err err = {""};
    f->produced[0] = f->produced[1] = 0;
    memset(shared(0), 0, 2 * (size_t)RING_STEP * BLKIF_PAGE);
    f->back = blkback_connect(loop, f->block, &f->config, &doors, &err);
    fuzz_assert(f->back || (err.text[0] && !guest.mapped));
}

static void turn(void)
{
    for (unsigned i = 0; i < 4; i++)
        loop_turn(loop, 0);
}

static void step(struct front *f)
{
    unsigned what = (unsigned)fuzz_take(&f->in, 1), queue = what >> 4 & 1;

    switch (what & 15) {
    case 0:
    case 1:
    case 2:
    case 3:
        put_request(f, queue);
        show(f, queue);
        break;
    case 4:
    case 5:
    case 6:
        if (f->back)
            blkback_event(f->back, queue);
        break;
    case 7:
    case 8:
        turn();
        break;
    case 9:
        file.fail_next = true;
        break;
    case 10:
        put_rubbish(f, queue);
        break;
    case 11:
        guest.revoked ^= UINT64_C(1) << fuzz_take(&f->in, 1) % RING;
        break;
    case 12:
        guest.poison = (unsigned)fuzz_take(&f->in, 1) % (PAGES + 1);
        break;
    case 13:
        f->produced[queue] += (uint32_t)fuzz_take(&f->in, what & 32 ? 4 : 1);
        show(f, queue);
        break;
    case 14:
        leave(f);
        join(f);
        break;
    default:
        put_request(f, queue); /* not shown */
    }
}

/* A sound front-end comes after the hostile one and is served as if nothing had been. */
static void sound_one(struct front *f)
{
    leave(f);
    guest.revoked = 0;
    guest.poison = PAGES;
    guest.copies = true;
    file.fail_next = false;
    join(f);
    fuzz_assert(f->back);
    bool narrow = f->config.abi == BLKIF_ABI_X86_32;
    uint8_t *e = next_slot(f, 0);
    uint32_t ref = REF + 3;
    e[0] = BLKIF_READ;
    e[1] = 1;
    e[narrow ? 4 : 8] = 77;
    memcpy(e + (narrow ? 20 : 24), &ref, 4);
    e[(narrow ? 20 : 24) + 5] = 7;
    show(f, 0);
    blkback_event(f->back, 0);
    turn();
    fuzz_assert(word(0, 2) == 1);
    uint8_t *answer = shared(0) + 64;
    fuzz_assert(answer[0] == 77 && answer[8] == BLKIF_READ && !answer[10] && !answer[11]);
    leave(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct front f = {.in = {.p = data, .left = size}};

    unsigned how = (unsigned)fuzz_take(&f.in, 1);
    guest = (struct guest){.copies = !(how & 16), .poison = PAGES};
    guest.pages = calloc(PAGES, BLKIF_PAGE);
    fuzz_assert(guest.pages);
    disk_new_file();
    f.block = disk_plain(DISK, how & 4);
    f.config = (struct blkback_config){.name = "xvda",
                                       .abi = how & 1 ? BLKIF_ABI_X86_32 : BLKIF_ABI_X86_64,
                                       .persistent = how & 2,
                                       .read_only = how & 4,
                                       .discard = how & 8,
                                       .queues = how & 32 ? 2 : 1};
    for (unsigned q = 0; q < 2; q++) {
        f.config.queue[q] =
            (struct blkback_queue_config){.pages = how & 64 ? RING_STEP : 1, .port = q};
        for (unsigned i = 0; i < RING_STEP; i++)
            f.config.queue[q].refs[i] = REF + RING + q * RING_STEP + i;
    }
    join(&f);
    fuzz_assert(f.back);
    for (unsigned n = 0; n < STEPS && f.in.left; n++)
        step(&f);
    if (how & 4)
        fuzz_assert(!file.count);
    sound_one(&f);
    block_close(f.block);
    free(guest.pages);
    return 0;
}
