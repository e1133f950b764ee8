/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qcow2_cache: pages of tables in memory, of a bounded number whatever the image's size. */
#include "block/qcow2_int.h"

#include <errno.h>
#include <stdlib.h>

#define PAGE_BITS 12u
#define PAGES_MIN (2 * QCOW2_HELD_MAX)

static uint64_t page_bytes(const struct qcow2 *q)
{
    return UINT64_C(1) << q->cache.page_bits;
}

bool qcow2_cache_init(struct qcow2 *q, size_t bytes)
{
    struct qcow2_cache *c = &q->cache;
    void *arena;

    c->page_bits = q->cluster_bits < PAGE_BITS ? q->cluster_bits : PAGE_BITS;
    c->capacity = (unsigned)(bytes >> c->page_bits);
    if (c->capacity < PAGES_MIN)
        c->capacity = PAGES_MIN;
    /* Some more buffers than pages: one that is being written is not changed, its page gets
     * another.
     */
    c->slot_count = c->capacity + c->capacity / 4;
    unsigned hash = 1;
    while (hash < c->capacity)
        hash *= 2;
    c->hash_mask = hash - 1;
    c->pages = calloc(c->capacity, sizeof(*c->pages));
    c->hash = calloc(hash, sizeof(struct qcow2_page *));
    c->slots = calloc(c->slot_count, sizeof(uint8_t *));
    /* Memory is used as pages are: what is not touched costs nothing. */
    if (!c->pages || !c->hash || !c->slots ||
        posix_memalign(&arena, 4096, (size_t)c->slot_count << c->page_bits))
        return false;
    c->arena = arena;
    for (unsigned i = c->slot_count; i--;)
        c->slots[c->free_slots++] = c->arena + ((size_t)i << c->page_bits);
    for (unsigned i = 0; i < QCOW2_LOADS; i++)
        c->loads[i].q = q;
    return true;
}

void qcow2_cache_free(struct qcow2 *q)
{
    free(q->cache.pages);
    free(q->cache.hash);
    free(q->cache.slots);
    free(q->cache.arena);
}

uint8_t *qcow2_slot_take(struct qcow2 *q)
{
    return q->cache.free_slots ? q->cache.slots[--q->cache.free_slots] : NULL;
}

void qcow2_slot_give(struct qcow2 *q, uint8_t *slot)
{
    q->cache.slots[q->cache.free_slots++] = slot;
}

static struct qcow2_page **bucket(const struct qcow2 *q, uint64_t offset)
{
    uint64_t n = (offset >> q->cache.page_bits) * UINT64_C(0x9e3779b97f4a7c15);
    return &q->cache.hash[(n >> 32) & q->cache.hash_mask];
}

static struct qcow2_page *find(const struct qcow2 *q, uint64_t offset)
{
    struct qcow2_page *page = *bucket(q, offset);
    while (page && page->offset != offset)
        page = page->chain;
    return page;
}

static void forget(struct qcow2 *q, struct qcow2_page *page)
{
    struct qcow2_page **at = bucket(q, page->offset);

    while (*at != page)
        at = &(*at)->chain;
    *at = page->chain;
    qcow2_slot_give(q, page->data);
    page->data = NULL;
    page->state = QCOW2_PAGE_FREE;
}

void qcow2_cache_drop(struct qcow2 *q, bool all, enum qcow2_kind kind)
{
    for (unsigned i = 0; i < q->cache.capacity; i++) {
        struct qcow2_page *page = &q->cache.pages[i];
        if (page->state == QCOW2_PAGE_READY && !page->save && (all || page->kind == kind)) {
            q->cache.dirty -= page->dirty;
            page->dirty = false;
            forget(q, page);
        }
    }
}

void qcow2_cache_forget(struct qcow2 *q, uint64_t cluster)
{
    uint64_t start = cluster << q->cluster_bits;

    for (uint64_t at = start; at < start + q->cluster_bytes; at += page_bytes(q)) {
        struct qcow2_page *page = find(q, at);
        if (page && page->state == QCOW2_PAGE_READY && !page->save) {
            q->cache.dirty -= page->dirty;
            forget(q, page);
        }
    }
}

/* A page to be filled, in the place of one that was not used lately. NULL: all are dirty or under
 * way. */
static struct qcow2_page *new_page(struct qcow2 *q, enum qcow2_kind kind, uint64_t offset)
{
    struct qcow2_cache *c = &q->cache;
    struct qcow2_page *page = NULL;

    for (unsigned i = 0; i < 2 * c->capacity && !page; i++) {
        struct qcow2_page *p = &c->pages[c->hand];
        c->hand = c->hand + 1 == c->capacity ? 0 : c->hand + 1;
        if (p->state == QCOW2_PAGE_FREE)
            page = p;
        else if (p->state == QCOW2_PAGE_READY && !p->dirty && !p->save) {
            if (!p->used)
                page = p;
            p->used = false;
        }
    }
    if (!page)
        return NULL;
    if (page->state == QCOW2_PAGE_READY)
        forget(q, page);
    uint8_t *slot = qcow2_slot_take(q);
    if (!slot)
        return NULL;
    struct qcow2_page **at = bucket(q, offset);
    *page = (struct qcow2_page){
        .offset = offset, .data = slot, .chain = *at, .kind = (uint8_t)kind, .used = true};
    *at = page;
    return page;
}

static void loaded(struct block_request *r, int error)
{
    struct qcow2_load *load = (struct qcow2_load *)r;
    struct qcow2 *q = load->q;
    struct qcow2_page *failed[QCOW2_LOAD_PAGES];
    unsigned count = 0;

    load->busy = false;
    q->cache.loading--;
    for (unsigned i = 0; i < load->count; i++) {
        struct qcow2_page *page = load->pages[i];
        page->state = error ? QCOW2_PAGE_FAILED : QCOW2_PAGE_READY;
        page->error = error;
        if (error)
            failed[count++] = page;
    }
    /* Those that wait for a page that could not be read learn of it now; then it is gone. */
    qcow2_kick(q);
    for (unsigned i = 0; i < count; i++)
        forget(q, failed[i]);
}

/* Starts to read the page, and of refcounts, which are searched in order, those that follow. */
static int load(struct qcow2 *q, enum qcow2_kind kind, uint64_t offset, struct qcow2_page **page)
{
    struct qcow2_load *l = NULL;
    unsigned most = kind == QCOW2_REFBLOCK ? QCOW2_LOAD_PAGES : 1;

    if (offset >= q->end && !q->fixed) { /* nothing was written there yet */
        *page = new_page(q, kind, offset);
        if (!*page)
            goto no_page;
        memset((*page)->data, 0, page_bytes(q));
        (*page)->state = QCOW2_PAGE_READY;
        return 0;
    }
    for (unsigned i = 0; i < QCOW2_LOADS && !l; i++)
        if (!q->cache.loads[i].busy)
            l = &q->cache.loads[i];
    if (!l)
        return QCOW2_WAIT;
    memset(&l->r, 0, sizeof(l->r));
    l->count = 0;
    uint64_t end = (offset | (q->cluster_bytes - 1)) + 1, at = offset;
    while (l->count < most && at < end && (at == offset || !find(q, at))) {
        struct qcow2_page *p = new_page(q, kind, at);
        if (!p)
            break;
        p->state = QCOW2_PAGE_LOADING;
        l->pages[l->count] = p;
        l->iov[l->count] = (struct iovec){.iov_base = p->data, .iov_len = page_bytes(q)};
        l->count++;
        at += page_bytes(q);
    }
    if (!l->count)
        goto no_page;
    l->busy = true;
    q->cache.loading++;
    l->r = (struct block_request){.op = BLOCK_READ,
                                  .offset = offset,
                                  .bytes = at - offset,
                                  .iov = l->iov,
                                  .iovcnt = (int)l->count,
                                  .own_memory = true,
                                  .done = loaded};
    block_submit(q->file, &l->r);
    return QCOW2_WAIT;

no_page:
    if (q->commit.failed)
        return -q->commit.failed;
    if (!q->cache.loading)
        qcow2_commit(q);
    return QCOW2_WAIT;
}

int qcow2_page(struct qcow2 *q, enum qcow2_kind kind, uint64_t offset, struct qcow2_page **page)
{
    offset &= ~(page_bytes(q) - 1);
    *page = find(q, offset);
    if (!*page)
        return load(q, kind, offset, page);
    switch ((enum qcow2_page_state)(*page)->state) {
    case QCOW2_PAGE_READY:
        (*page)->used = true;
        return 0;
    case QCOW2_PAGE_FAILED:
        return -(*page)->error;
    default:
        return QCOW2_WAIT;
    }
}

int qcow2_edit(struct qcow2 *q, struct qcow2_page *page)
{
    if (page->save) { /* the commit keeps the buffer it is writing */
        uint8_t *slot = qcow2_slot_take(q);
        if (!slot)
            return QCOW2_WAIT;
        memcpy(slot, page->data, page_bytes(q));
        page->data = slot;
        page->save->page = NULL;
        page->save = NULL;
    }
    if (!page->dirty) {
        page->dirty = true;
        q->cache.dirty++;
        if (q->cache.dirty > q->cache.capacity / 4 * 3)
            qcow2_commit(q);
        else if (!timer_armed(&q->commit.timer))
            timer_arm_in(&q->commit.timer, QCOW2_COMMIT_NS);
    }
    return 0;
}
