/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of hw/xen/blkback.c and blkif.c: a front-end with pages and grants of its own, in both
 * layouts, and a hostile one. */
#include "tests/unit/block_rig.h"

#include <sys/mman.h>

#include "hw/xen/blkback.h"

#define PAGES    600u /* of the guest; page n is granted as reference REF + n */
#define REF      1000u
#define DISK     (1u << 20)
#define RING_REF (REF + 500) /* the rings' pages */

/* The guest. */
static struct guest {
    uint8_t *pages;
    bool read_only[PAGES], revoked[PAGES];
    unsigned copies, maps, unmaps, notified[8];
    int copy_errno;  /* the kernel's answer to a grant copy, 0: it can */
    int poison_page; /* gets overwritten just after it has been copied once; -1: none */
} guest;

static uint8_t *page_of(uint32_t ref)
{
    if (ref < REF || ref - REF >= PAGES || guest.revoked[ref - REF]) {
        errno = EINVAL;
        return NULL;
    }
    return guest.pages + (size_t)(ref - REF) * BLKIF_PAGE;
}

/* Pages that are granted are in a row here too if their references are. */
static void *door_map(void *opaque, const uint32_t *refs, unsigned count, bool writable)
{
    (void)opaque;
    for (unsigned i = 0; i < count; i++)
        if (!page_of(refs[i]) || (writable && guest.read_only[refs[i] - REF]))
            return NULL;
    for (unsigned i = 1; i < count; i++)
        assert_int_equal(refs[i], refs[0] + i); /* else this fake cannot map them in a row */
    guest.maps += count;
    return page_of(refs[0]);
}

static void door_unmap(void *opaque, void *where, unsigned count)
{
    (void)opaque;
    assert_non_null(where);
    guest.unmaps += count;
}

static bool door_copy(void *opaque, const struct blkback_piece *pieces, unsigned count,
                      bool to_guest)
{
    (void)opaque;
    guest.copies++;
    if (guest.copy_errno) {
        errno = guest.copy_errno;
        return false;
    }
    for (unsigned i = 0; i < count; i++) {
        uint8_t *page = page_of(pieces[i].ref);
        if (!page || (to_guest && guest.read_only[pieces[i].ref - REF]))
            return false;
        assert_true(pieces[i].offset + pieces[i].bytes <= BLKIF_PAGE);
        if (to_guest)
            memcpy(page + pieces[i].offset, pieces[i].local, pieces[i].bytes);
        else
            memcpy(pieces[i].local, page + pieces[i].offset, pieces[i].bytes);
        if ((int)(pieces[i].ref - REF) == guest.poison_page)
            memset(page, 0xFF, BLKIF_PAGE);
    }
    return true;
}

static void door_notify(void *opaque, uint32_t port)
{
    (void)opaque;
    guest.notified[port]++;
}

static const struct blkback_doors doors = {
    .map = door_map, .unmap = door_unmap, .copy = door_copy, .notify = door_notify};

#define FRONT_IDS 1024 /* more than any ring holds */

/* The front-end of one queue. */
struct front {
    uint8_t *shared;
    enum blkif_abi abi;
    unsigned entries;
    uint32_t produced, consumed;
    uint64_t next_id;
    uint8_t op[FRONT_IDS]; /* of request id, modulo the size */
};

static uint32_t *front_word(struct front *f, unsigned i)
{
    return (uint32_t *)(void *)f->shared + i; /* req_prod, req_event, rsp_prod, rsp_event */
}

static uint8_t *front_slot(struct front *f, uint32_t index)
{
    return f->shared + 64 + (size_t)(index % f->entries) * (f->abi == BLKIF_ABI_X86_32 ? 108 : 112);
}

static void front_init(struct front *f, unsigned queue, unsigned pages, enum blkif_abi abi)
{
    *f = (struct front){.shared = page_of(RING_REF + queue * 16), .abi = abi, .next_id = 7};
    unsigned fit = (pages * BLKIF_PAGE - 64) / (abi == BLKIF_ABI_X86_32 ? 108 : 112);
    for (f->entries = 1; f->entries * 2 <= fit;)
        f->entries *= 2;
    memset(f->shared, 0, (size_t)pages * BLKIF_PAGE);
    *front_word(f, 1) = *front_word(f, 3) = 1;
}

/* Puts a request in; not yet shown. */
static uint64_t front_put(struct front *f, uint8_t op, uint8_t segments, uint64_t sector,
                          const struct blkif_segment *s)
{
    uint8_t *e = front_slot(f, f->produced++);
    bool narrow = f->abi == BLKIF_ABI_X86_32;
    uint64_t id = f->next_id++;
    f->op[id % FRONT_IDS] = op;
    memset(e, 0xEE, narrow ? 108 : 112);
    e[0] = op;
    e[1] = segments;
    memcpy(e + (narrow ? 4 : 8), &id, 8);
    memcpy(e + (narrow ? 12 : 16), &sector, 8);
    for (unsigned i = 0; s && i < segments && i < 11; i++) {
        uint8_t *p = e + (narrow ? 20 : 24) + i * 8;
        memcpy(p, &s[i].ref, 4);
        p[4] = s[i].first;
        p[5] = s[i].last;
    }
    return id;
}

static uint64_t front_put_indirect(struct front *f, uint8_t op, uint16_t segments, uint64_t sector,
                                   uint32_t first_ref)
{
    uint64_t id = front_put(f, BLKIF_INDIRECT, op, sector, NULL);
    f->op[id % FRONT_IDS] = op; /* which the response must name: Linux insists on it */
    uint8_t *e = front_slot(f, f->produced - 1);
    memcpy(e + 2, &segments, 2);
    for (uint32_t i = 0; i < 8; i++) {
        uint32_t ref = first_ref + i;
        memcpy(e + (f->abi == BLKIF_ABI_X86_32 ? 24 : 28) + i * 4, &ref, 4);
    }
    return id;
}

static uint64_t front_discard(struct front *f, uint64_t sector, uint64_t sectors)
{
    uint64_t id = front_put(f, BLKIF_DISCARD, 0, sector, NULL);
    memcpy(front_slot(f, f->produced - 1) + (f->abi == BLKIF_ABI_X86_32 ? 20 : 24), &sectors, 8);
    return id;
}

static void front_show(struct front *f)
{
    *front_word(f, 0) = f->produced;
}

struct disk {
    struct block_rig *rig;
    struct block *block;
    struct blkback *b;
    struct front front[4];
    struct blkback_config config;
};

static void connect_disk(struct disk *d, struct block_rig *rig, unsigned queues, unsigned pages,
                         enum blkif_abi abi)
{
    d->rig = rig;
    d->block = rig_open(rig, rig_image(rig, "disk", DISK, true), BLOCK_CACHE_WRITEBACK, false);
    d->config.name = "xvda";
    d->config.abi = abi;
    d->config.queues = queues;
    for (unsigned i = 0; i < queues; i++) {
        d->config.queue[i].pages = pages;
        d->config.queue[i].port = i;
        for (unsigned p = 0; p < pages; p++)
            d->config.queue[i].refs[p] = RING_REF + i * 16 + p;
        front_init(&d->front[i], i, pages, abi);
    }
    d->b = blkback_connect(rig->loop, d->block, &d->config, &doors, &rig->err);
    if (!d->b)
        fail_msg("%s", rig->err.text);
}

static void close_disk(struct disk *d)
{
    blkback_disconnect(d->b);
    assert_int_equal(guest.maps, guest.unmaps);
    block_close(d->block);
}

/* Shows, notifies, and waits for `count` responses; the last one's status. */
static int front_wait(struct disk *d, unsigned queue, unsigned count, uint64_t id)
{
    struct front *f = &d->front[queue];
    int status = 99;
    front_show(f);
    blkback_event(d->b, queue);
    while (count) {
        while (*front_word(f, 2) == f->consumed)
            loop_turn(d->rig->loop, NS_PER_S);
        const uint8_t *e = front_slot(f, f->consumed++);
        uint64_t said;
        int16_t s;
        memcpy(&said, e, 8);
        memcpy(&s, e + 10, 2);
        assert_int_equal(e[8], f->op[said % FRONT_IDS]);
        if (!id || said == id)
            status = s;
        count--;
    }
    *front_word(f, 3) = f->consumed + 1;
    return status;
}

static int setup(void **state)
{
    uint8_t *pages = guest.pages;
    if (!pages)
        pages = mmap(NULL, (size_t)PAGES * BLKIF_PAGE, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    guest = (struct guest){.pages = pages, .poison_page = -1};
    return block_rig_setup(state);
}

/* Reads sectors straight from the image. */
static void image_read(struct disk *d, uint64_t sector, void *to, size_t bytes)
{
    int fd = open(d->rig->path, O_RDONLY);
    assert_int_equal(pread(fd, to, bytes, (off_t)(sector * 512)), (ssize_t)bytes);
    close(fd);
}

static void read_and_write(struct block_rig *rig, enum blkif_abi abi, unsigned ring_pages)
{
    struct disk d = {.config = {.discard = true}};
    uint8_t expected[8192];
    connect_disk(&d, rig, 1, ring_pages, abi);
    struct blkif_segment s[3] = {{REF + 3, 1, 7}, {REF + 9, 0, 0}, {REF + 4, 2, 5}};

    uint64_t id = front_put(&d.front[0], BLKIF_READ, 3, 100, s);
    assert_int_equal(front_wait(&d, 0, 1, id), 0);
    rig_fill(expected, 100 * 512, 12 * 512);
    assert_memory_equal(page_of(REF + 3) + 512, expected, 7 * 512);
    assert_memory_equal(page_of(REF + 9), expected + 7 * 512, 512);
    assert_memory_equal(page_of(REF + 4) + 1024, expected + 8 * 512, 4 * 512);

    memset(page_of(REF + 9), 0x5A, 4096);
    struct blkif_segment w = {REF + 9, 4, 7};
    assert_int_equal(front_wait(&d, 0, 1, front_put(&d.front[0], BLKIF_WRITE, 1, 2044, &w)), 0);
    image_read(&d, 2044, expected, 2048);
    for (unsigned i = 0; i < 2048; i++)
        assert_int_equal(expected[i], 0x5A);
    assert_int_equal(front_wait(&d, 0, 1, front_put(&d.front[0], BLKIF_FLUSH, 0, 0, NULL)), 0);
    close_disk(&d);
}

static void test_read_write(void **state)
{
    read_and_write(*state, BLKIF_ABI_X86_64, 1);
    assert_true(guest.copies >= 2);
}

static void test_read_write_32(void **state)
{
    read_and_write(*state, BLKIF_ABI_X86_32, 1);
}

static void test_read_write_16_pages(void **state)
{
    read_and_write(*state, BLKIF_ABI_X86_64, 16);
}

static void test_without_copy(void **state)
{
    guest.copy_errno = ENOTTY;
    struct disk d = {0};
    uint8_t expected[4096];
    connect_disk(&d, *state, 1, 1, BLKIF_ABI_X86_64);
    struct blkif_segment s[2] = {{REF + 3, 0, 7}, {REF + 4, 0, 3}};
    /* The read was under way when it turned out; the next is mapped from the start. */
    for (unsigned i = 0; i < 3; i++) {
        memset(page_of(REF + 3), 0, 8192);
        assert_int_equal(front_wait(&d, 0, 1, front_put(&d.front[0], BLKIF_READ, 2, 8, s)), 0);
        rig_fill(expected, 8 * 512, 4096);
        assert_memory_equal(page_of(REF + 3), expected, 4096);
        rig_fill(expected, 16 * 512, 2048);
        assert_memory_equal(page_of(REF + 4), expected, 2048);
    }
    assert_int_equal(front_wait(&d, 0, 1, front_put(&d.front[0], BLKIF_WRITE, 2, 0, s)), 0);
    assert_int_equal(guest.copies, 1);
    close_disk(&d);
}

static void test_persistent(void **state)
{
    struct disk d = {.config = {.persistent = true}};
    uint8_t expected[4096];
    connect_disk(&d, *state, 1, 1, BLKIF_ABI_X86_64);
    unsigned rings = guest.maps;
    for (uint32_t i = 0; i < 100; i++) {
        struct blkif_segment s[2] = {{REF + i % 5, 0, 7}, {REF + 20 + i % 3, 0, 7}};
        assert_int_equal(front_wait(&d, 0, 1, front_put(&d.front[0], BLKIF_READ, 2, i * 16, s)), 0);
        rig_fill(expected, i * 16 * 512, 4096);
        assert_memory_equal(page_of(REF + i % 5), expected, 4096);
    }
    assert_int_equal(guest.copies, 0);
    assert_int_equal(guest.maps - rings, 8);
    /* A page that cannot be kept (granted for reading only) is copied. */
    guest.read_only[50] = true;
    struct blkif_segment s = {REF + 50, 0, 7};
    assert_int_equal(front_wait(&d, 0, 1, front_put(&d.front[0], BLKIF_WRITE, 1, 0, &s)), 0);
    assert_int_equal(guest.copies, 1);
    close_disk(&d);
}

static void test_indirect(void **state)
{
    static const enum blkif_abi abis[] = {BLKIF_ABI_X86_64, BLKIF_ABI_X86_32};
    for (unsigned a = 0; a < 4; a++) {
        struct disk d = {.config = {.persistent = a >= 2}};
        uint8_t expected[4096];
        connect_disk(&d, *state, 1, 1, abis[a % 2]);
        uint8_t *list = page_of(REF + 300);
        for (uint32_t i = 0; i < 200; i++) {
            uint32_t ref = REF + i;
            memcpy(list + i * 8, &ref, 4);
            list[i * 8 + 4] = 0;
            list[i * 8 + 5] = 7;
        }
        memset(guest.pages, 0, 200 * 4096);
        /* What the page says later does not count. */
        guest.poison_page = a < 2 ? 300 : -1;
        uint64_t id = front_put_indirect(&d.front[0], BLKIF_READ, 200, 16, REF + 300);
        assert_int_equal(front_wait(&d, 0, 1, id), 0);
        for (unsigned i = 0; i < 200; i++) {
            rig_fill(expected, (16 + i * 8) * 512, 4096);
            assert_memory_equal(page_of(REF + i), expected, 4096);
        }
        guest.poison_page = -1;
        close_disk(&d);
    }
}

static void test_refused(void **state)
{
    struct disk d = {.config = {.discard = true}};
    connect_disk(&d, *state, 1, 1, BLKIF_ABI_X86_64);
    struct front *f = &d.front[0];
    uint8_t before[512], after[512];
    image_read(&d, 0, before, 512);
    struct blkif_segment many[11], good = {REF, 0, 0}, turned = {REF, 3, 2}, outside = {REF, 0, 8},
                                   nobody = {REF - 1, 0, 0}, high = {UINT32_MAX, 0, 7};
    for (unsigned i = 0; i < 11; i++)
        many[i] = good;
    const struct {
        uint8_t op, segments;
        uint64_t sector;
        const struct blkif_segment *s;
        int status;
    } cases[] = {
        {BLKIF_WRITE_BARRIER, 1, 0, &good, -2},
        {4, 1, 0, &good, -1},
        {7, 1, 0, &good, -1},
        {255, 1, 0, &good, -1},
        {BLKIF_READ, 0, 0, &good, -1},
        {BLKIF_WRITE, 12, 0, many, -1},
        {BLKIF_READ, 255, 0, many, -1},
        {BLKIF_FLUSH, 12, 0, many, -1},
        {BLKIF_WRITE, 1, 0, &turned, -1},
        {BLKIF_WRITE, 1, 0, &outside, -1},
        {BLKIF_WRITE, 1, 0, &nobody, -1},
        {BLKIF_WRITE, 1, 0, &high, -1},
        {BLKIF_WRITE, 1, 2048, &good, -1},
        {BLKIF_WRITE, 1, UINT64_MAX, &good, -1},
        {BLKIF_WRITE, 1, UINT64_MAX / 512 + 1, &good, -1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t id = front_put(f, cases[i].op, cases[i].segments, cases[i].sector, cases[i].s);
        assert_int_equal(front_wait(&d, 0, 1, id), cases[i].status);
    }
    static const struct {
        uint8_t op;
        uint16_t segments;
    } indirect[] = {{BLKIF_READ, 0},  {BLKIF_READ, 257},   {BLKIF_READ, 65535},
                    {BLKIF_FLUSH, 1}, {BLKIF_INDIRECT, 1}, {BLKIF_DISCARD, 1}};
    for (size_t i = 0; i < sizeof(indirect) / sizeof(indirect[0]); i++) {
        uint64_t id = front_put_indirect(f, indirect[i].op, indirect[i].segments, 0, REF + 300);
        assert_int_equal(front_wait(&d, 0, 1, id), -1);
    }
    /* Pages of an indirect request that are nobody's. */
    assert_int_equal(front_wait(&d, 0, 1, front_put_indirect(f, BLKIF_READ, 1, 0, 5)), -1);
    static const uint64_t discards[][2] = {
        {0, 0}, {0, 2049}, {2048, 1}, {1, UINT64_MAX}, {UINT64_MAX, 2}};
    for (size_t i = 0; i < sizeof(discards) / sizeof(discards[0]); i++)
        assert_int_equal(front_wait(&d, 0, 1, front_discard(f, discards[i][0], discards[i][1])),
                         -1);
    image_read(&d, 0, after, 512);
    assert_memory_equal(before, after, 512);
    /* And it still serves. */
    assert_int_equal(front_wait(&d, 0, 1, front_put(f, BLKIF_READ, 1, 0, &good)), 0);
    assert_memory_equal(page_of(REF), before, 512);
    close_disk(&d);
}

static void test_discard(void **state)
{
    struct disk d = {.config = {.discard = true}};
    connect_disk(&d, *state, 1, 1, BLKIF_ABI_X86_32);
    assert_int_equal(front_wait(&d, 0, 1, front_discard(&d.front[0], 8, 16)), 0);
    assert_int_equal(block_stats(d.block)->unmap_operations, 1);
    close_disk(&d);

    struct disk plain = {0};
    connect_disk(&plain, *state, 1, 1, BLKIF_ABI_X86_64);
    assert_int_equal(front_wait(&plain, 0, 1, front_discard(&plain.front[0], 8, 16)), -2);
    close_disk(&plain);
}

static void test_read_only(void **state)
{
    struct disk d = {.config = {.read_only = true, .discard = true}};
    connect_disk(&d, *state, 1, 1, BLKIF_ABI_X86_64);
    struct front *f = &d.front[0];
    struct blkif_segment s = {REF, 0, 7};
    assert_int_equal(front_wait(&d, 0, 1, front_put(f, BLKIF_WRITE, 1, 0, &s)), -1);
    assert_int_equal(front_wait(&d, 0, 1, front_put(f, BLKIF_FLUSH, 1, 0, &s)), -1);
    assert_int_equal(front_wait(&d, 0, 1, front_discard(f, 0, 8)), -1);
    assert_int_equal(front_wait(&d, 0, 1, front_put(f, BLKIF_READ, 1, 0, &s)), 0);
    assert_int_equal(block_stats(d.block)->wr_operations, 0);
    close_disk(&d);
}

static void test_flush_with_data(void **state)
{
    struct disk d = {0};
    connect_disk(&d, *state, 1, 1, BLKIF_ABI_X86_64);
    struct blkif_segment s = {REF + 2, 0, 1};
    uint8_t got[1024];
    memset(page_of(REF + 2), 0x77, 1024);
    assert_int_equal(front_wait(&d, 0, 1, front_put(&d.front[0], BLKIF_FLUSH, 1, 40, &s)), 0);
    image_read(&d, 40, got, 1024);
    assert_memory_equal(got, page_of(REF + 2), 1024);
    assert_int_equal(block_stats(d.block)->flush_operations, 1);
    close_disk(&d);
}

/* Indexes that no front-end can have: nothing is served any more, nothing is read out of bounds. */
static void test_broken_index(void **state)
{
    static const uint32_t bad[] = {33, 1000, UINT32_MAX, 0x80000000u};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct disk d = {0};
        connect_disk(&d, *state, 1, 1, BLKIF_ABI_X86_64);
        *front_word(&d.front[0], 0) = bad[i];
        blkback_event(d.b, 0);
        loop_turn(d.rig->loop, 0);
        assert_true(blkback_broken(d.b));
        assert_int_equal(*front_word(&d.front[0], 2), 0);
        close_disk(&d);
    }
    /* Taken back. */
    struct disk d = {0};
    connect_disk(&d, *state, 1, 1, BLKIF_ABI_X86_64);
    struct blkif_segment s = {REF, 0, 0};
    assert_int_equal(front_wait(&d, 0, 1, front_put(&d.front[0], BLKIF_READ, 1, 0, &s)), 0);
    *front_word(&d.front[0], 0) = 0;
    blkback_event(d.b, 0);
    assert_true(blkback_broken(d.b));
    close_disk(&d);
}

/* A full ring that the front-end never empties: not more than a ring's worth is taken in one go. */
static void test_bounded(void **state)
{
    struct disk d = {0};
    connect_disk(&d, *state, 1, 1, BLKIF_ABI_X86_64);
    struct front *f = &d.front[0];
    for (unsigned i = 0; i < 32; i++)
        front_put(f, 200, 0, 0, NULL);
    f->produced = 32;
    front_show(f);
    blkback_event(d.b, 0);
    assert_false(blkback_broken(d.b));
    assert_int_equal(*front_word(f, 2), 0); /* shown at the end of the turn */
    *front_word(f, 0) = 33;
    blkback_event(d.b, 0);
    assert_true(blkback_broken(d.b));
    close_disk(&d);
}

static void test_revoked_under_way(void **state)
{
    struct disk d = {0};
    connect_disk(&d, *state, 1, 1, BLKIF_ABI_X86_64);
    struct blkif_segment s = {REF + 7, 0, 7};
    uint64_t id = front_put(&d.front[0], BLKIF_READ, 1, 0, &s);
    front_show(&d.front[0]);
    blkback_event(d.b, 0);
    guest.revoked[7] = true;
    assert_int_equal(front_wait(&d, 0, 1, id), -1);
    close_disk(&d);
}

/* Far more than there are jobs, on four queues, through many rounds of the ring. */
static void test_many(void **state)
{
    struct disk d = {0};
    connect_disk(&d, *state, 4, 16, BLKIF_ABI_X86_64);
    assert_int_equal(d.front[0].entries, 512);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned q = 0; q < 4; q++) {
            for (uint32_t i = 0; i < 400; i++) {
                struct blkif_segment s = {REF + i % 100, 0, 7};
                front_put(&d.front[q], BLKIF_READ, 1, i, &s);
            }
            front_show(&d.front[q]);
            blkback_event(d.b, q);
        }
        for (unsigned q = 0; q < 4; q++)
            assert_int_equal(front_wait(&d, q, 400, 0), 0);
    }
    assert_int_equal(block_stats(d.block)->rd_operations, 4800);
    close_disk(&d);
}

static void test_large_ones(void **state)
{
    struct disk d = {0};
    connect_disk(&d, *state, 1, 16, BLKIF_ABI_X86_64);
    uint8_t *list = page_of(REF + 300);
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t ref = REF + i;
        memcpy(list + i * 8, &ref, 4);
        list[i * 8 + 4] = 0;
        list[i * 8 + 5] = 7;
    }
    /* 40 MiB at once, of which the buffers hold 8. */
    for (unsigned i = 0; i < 40; i++)
        front_put_indirect(&d.front[0], BLKIF_READ, 256, 0, REF + 300);
    assert_int_equal(front_wait(&d, 0, 40, 0), 0);
    close_disk(&d);
}

static void test_notifications(void **state)
{
    struct disk d = {0};
    connect_disk(&d, *state, 1, 1, BLKIF_ABI_X86_64);
    struct front *f = &d.front[0];
    for (unsigned i = 0; i < 20; i++)
        front_put(f, BLKIF_FLUSH, 0, 0, NULL);
    front_wait(&d, 0, 20, 0);
    assert_in_range(guest.notified[0], 1, 20);
    /* None before the 5th response. */
    unsigned before = guest.notified[0];
    *front_word(f, 3) = f->consumed + 5;
    for (unsigned i = 0; i < 4; i++) {
        uint64_t id = front_put(f, BLKIF_FLUSH, 0, 0, NULL);
        uint32_t event = *front_word(f, 3);
        front_wait(&d, 0, 1, id);
        *front_word(f, 3) = event;
        assert_int_equal(guest.notified[0], before);
    }
    front_wait(&d, 0, 1, front_put(f, BLKIF_FLUSH, 0, 0, NULL));
    assert_int_equal(guest.notified[0], before + 1);
    close_disk(&d);
}

static void test_disconnect_under_way(void **state)
{
    struct disk d = {0};
    connect_disk(&d, *state, 1, 1, BLKIF_ABI_X86_64);
    struct front *f = &d.front[0];
    for (uint32_t i = 0; i < 32; i++) {
        struct blkif_segment s = {REF + i, 0, 7};
        front_put(f, BLKIF_WRITE, 1, i * 8, &s);
    }
    front_show(f);
    blkback_event(d.b, 0);
    close_disk(&d);
    assert_int_equal(*front_word(f, 2), 32);
}

static void test_ring_not_granted(void **state)
{
    struct block_rig *rig = *state;
    struct disk d = {0};
    connect_disk(&d, rig, 1, 1, BLKIF_ABI_X86_64);
    blkback_disconnect(d.b);
    d.config.queues = 2;
    d.config.queue[1] = (struct blkback_queue_config){.refs = {1}, .pages = 1, .port = 1};
    d.b = blkback_connect(rig->loop, d.block, &d.config, &doors, &rig->err);
    assert_null(d.b);
    assert_non_null(strstr(rig->err.text, "queue 1"));
    close_disk(&d);
}

/* A connection that is taken up again goes on where the responses were. */
static void test_reconnect(void **state)
{
    struct disk d = {0};
    connect_disk(&d, *state, 1, 1, BLKIF_ABI_X86_64);
    struct blkif_segment s = {REF, 0, 7};
    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(front_wait(&d, 0, 1, front_put(&d.front[0], BLKIF_READ, 1, i, &s)), 0);
    blkback_disconnect(d.b);
    d.b = blkback_connect(d.rig->loop, d.block, &d.config, &doors, &d.rig->err);
    assert_int_equal(front_wait(&d, 0, 1, front_put(&d.front[0], BLKIF_READ, 1, 9, &s)), 0);
    close_disk(&d);
}

int main(void)
{
#define RIG(test) cmocka_unit_test_setup_teardown(test, setup, block_rig_teardown)
    const struct CMUnitTest tests[] = {
        RIG(test_read_write),
        RIG(test_read_write_32),
        RIG(test_read_write_16_pages),
        RIG(test_without_copy),
        RIG(test_persistent),
        RIG(test_indirect),
        RIG(test_refused),
        RIG(test_discard),
        RIG(test_read_only),
        RIG(test_flush_with_data),
        RIG(test_broken_index),
        RIG(test_bounded),
        RIG(test_revoked_under_way),
        RIG(test_many),
        RIG(test_large_ones),
        RIG(test_notifications),
        RIG(test_disconnect_under_way),
        RIG(test_ring_not_granted),
        RIG(test_reconnect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
