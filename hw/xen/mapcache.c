/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mapcache: see mapcache.h. Found by guest address (map) and by host address (unmap), both O(1). */
#include "hw/xen/mapcache.h"

#include <stdlib.h>

#define HEADS        1024u /* of each hash table; a power of two */
#define PAGE         ((uint64_t)MAPCACHE_PAGE_BYTES)
#define BUCKET_BYTES (MAPCACHE_BUCKET_PAGES * PAGE)
#define MAX_ADDR     (UINT64_C(1) << 52) /* AMD64 architecture: physical addresses have 52 bits */
#define NO_GFN       UINT64_MAX

_Static_assert(MAPCACHE_BUCKET_PAGES == 64, "one bit per page in `valid`");

/*
 * One mapping. Either cached (gfn known, in the hash by gfn, in the least-recently-used list while
 * unused) or extra (gfn NO_GFN: forgotten or temporary; goes with its last user).
 */
struct entry {
    uint64_t gfn;  /* first page */
    uint8_t *host; /* NULL: none of its pages could be mapped */
    unsigned pages;
    unsigned refs;
    uint64_t valid; /* pages that are there */
    struct entry *gfn_next;
    struct entry *host_next;
    struct entry *newer, *older; /* LRU; `newer` also links the free list */
};

struct mapcache {
    const struct mapcache_ops *ops;
    void *opaque;
    unsigned limit;
    struct entry *last; /* the last one that hit: cached, or NULL */
    struct entry *newest, *oldest;
    struct entry *spare;
    struct mapcache_counts counts;
    struct entry *by_gfn[HEADS];
    struct entry *by_host[HEADS];
};

static struct entry **gfn_head(struct mapcache *mc, uint64_t gfn)
{
    return &mc->by_gfn[gfn / MAPCACHE_BUCKET_PAGES % HEADS];
}

static struct entry **host_head(struct mapcache *mc, uintptr_t host)
{
    return &mc->by_host[host / BUCKET_BYTES % HEADS];
}

struct mapcache *mapcache_new(const struct mapcache_ops *ops, void *opaque, unsigned buckets)
{
    struct mapcache *mc = calloc(1, sizeof(*mc));
    if (!mc)
        return NULL;
    mc->ops = ops;
    mc->opaque = opaque;
    mc->limit = buckets ? buckets : 1;
    return mc;
}

/* --- the lists --- */

static void lru_add(struct mapcache *mc, struct entry *e)
{
    e->newer = NULL;
    e->older = mc->newest;
    if (mc->newest)
        mc->newest->newer = e;
    else
        mc->oldest = e;
    mc->newest = e;
}

static void lru_remove(struct mapcache *mc, struct entry *e)
{
    if (e->newer)
        e->newer->older = e->older;
    else
        mc->newest = e->older;
    if (e->older)
        e->older->newer = e->newer;
    else
        mc->oldest = e->newer;
    e->newer = e->older = NULL;
}

static void gfn_remove(struct mapcache *mc, struct entry *e)
{
    struct entry **p = gfn_head(mc, e->gfn);
    while (*p != e)
        p = &(*p)->gfn_next;
    *p = e->gfn_next;
    e->gfn = NO_GFN;
    if (mc->last == e)
        mc->last = NULL;
    mc->counts.cached--;
}

/* Maps into an entry that holds nothing; it may end without a single page. */
static void entry_map(struct mapcache *mc, struct entry *e, uint64_t gfn, unsigned pages)
{
    int errors[MAPCACHE_BUCKET_PAGES];
    e->pages = pages;
    e->valid = 0;
    mc->counts.misses++;
    e->host = mc->ops->map(mc->opaque, gfn, pages, errors);
    if (!e->host)
        return;
    for (unsigned i = 0; i < pages; i++)
        if (!errors[i])
            e->valid |= UINT64_C(1) << i;
    struct entry **head = host_head(mc, (uintptr_t)e->host);
    e->host_next = *head;
    *head = e;
}

static void entry_unmap(struct mapcache *mc, struct entry *e)
{
    if (!e->host)
        return;
    struct entry **p = host_head(mc, (uintptr_t)e->host);
    while (*p != e)
        p = &(*p)->host_next;
    *p = e->host_next;
    mc->ops->unmap(mc->opaque, e->host, e->pages);
    e->host = NULL;
}

static struct entry *entry_new(struct mapcache *mc)
{
    struct entry *e = mc->spare;
    if (e) {
        mc->spare = e->newer;
        *e = (struct entry){.gfn = NO_GFN};
    } else {
        e = calloc(1, sizeof(*e));
        if (e)
            e->gfn = NO_GFN;
    }
    return e;
}

static void entry_drop(struct mapcache *mc, struct entry *e)
{
    entry_unmap(mc, e);
    e->newer = mc->spare;
    mc->spare = e;
}

/* Takes a cached entry out of the cache; it lives on while it has users. */
static void forget(struct mapcache *mc, struct entry *e)
{
    gfn_remove(mc, e);
    if (e->refs) {
        mc->counts.extra++;
        return;
    }
    lru_remove(mc, e);
    entry_drop(mc, e);
}

void mapcache_free(struct mapcache *mc)
{
    if (!mc)
        return;
    mapcache_invalidate(mc);
    for (unsigned i = 0; i < HEADS; i++)
        while (mc->by_host[i])
            entry_drop(mc, mc->by_host[i]);
    while (mc->spare) {
        struct entry *e = mc->spare;
        mc->spare = e->newer;
        free(e);
    }
    free(mc);
}

/* --- map --- */

static struct entry *find_gfn(struct mapcache *mc, uint64_t gfn)
{
    if (mc->last && mc->last->gfn == gfn)
        return mc->last;
    for (struct entry *e = *gfn_head(mc, gfn); e; e = e->gfn_next)
        if (e->gfn == gfn)
            return e;
    return NULL;
}

/* A new bucket, or NULL when all of them are in use. */
static struct entry *bucket_new(struct mapcache *mc, uint64_t gfn)
{
    if (mc->counts.cached >= mc->limit) {
        if (!mc->oldest)
            return NULL;
        forget(mc, mc->oldest);
    }
    struct entry *e = entry_new(mc);
    if (!e)
        return NULL;
    entry_map(mc, e, gfn, MAPCACHE_BUCKET_PAGES);
    e->gfn = gfn;
    struct entry **head = gfn_head(mc, gfn);
    e->gfn_next = *head;
    *head = e;
    mc->counts.cached++;
    lru_add(mc, e);
    return e;
}

/* Whether a page that its bucket lacks is there now: one small mapping, so that a device which is
 * told to use addresses that are not RAM costs little. */
static bool page_came_back(struct mapcache *mc, uint64_t gfn)
{
    int error = -1;
    void *host = mc->ops->map(mc->opaque, gfn, 1, &error);
    if (host)
        mc->ops->unmap(mc->opaque, host, 1);
    return host && !error;
}

static void *use(struct mapcache *mc, struct entry *e, unsigned page, size_t offset, size_t *len)
{
    /* The run of pages that are there, from this one on. */
    uint64_t missing = ~(e->valid >> page);
    unsigned run = missing ? (unsigned)__builtin_ctzll(missing) : MAPCACHE_BUCKET_PAGES;
    size_t room = run * PAGE - offset;
    if (*len > room)
        *len = room;
    if (!e->refs++) {
        mc->counts.in_use++;
        if (e->gfn != NO_GFN)
            lru_remove(mc, e);
    }
    return e->host + page * PAGE + offset;
}

/* Every bucket is in use: a mapping for this request alone. */
static void *use_temporary(struct mapcache *mc, uint64_t gfn, size_t offset, size_t *len)
{
    uint64_t want =
        (offset + (uint64_t)(*len < BUCKET_BYTES ? *len : BUCKET_BYTES) + PAGE - 1) / PAGE;
    uint64_t room = MAPCACHE_BUCKET_PAGES - gfn % MAPCACHE_BUCKET_PAGES;
    struct entry *e = entry_new(mc);
    if (!e)
        return NULL;
    entry_map(mc, e, gfn, (unsigned)(want < room ? want : room));
    if (!(e->valid & 1)) {
        entry_drop(mc, e);
        return NULL;
    }
    mc->counts.extra++;
    return use(mc, e, 0, offset, len);
}

void *mapcache_map(struct mapcache *mc, uint64_t addr, size_t *len)
{
    if (addr >= MAX_ADDR || !*len)
        return NULL;
    uint64_t gfn = addr / PAGE, first = gfn - gfn % MAPCACHE_BUCKET_PAGES;
    unsigned page = (unsigned)(gfn - first);
    size_t offset = (size_t)(addr % PAGE);

    struct entry *e = find_gfn(mc, first);
    if (e && !(e->valid >> page & 1)) {
        if (!page_came_back(mc, gfn))
            return NULL;
        forget(mc, e);
        e = NULL;
    }
    if (!e)
        e = bucket_new(mc, first);
    if (!e)
        return use_temporary(mc, gfn, offset, len);
    mc->last = e;
    if (!(e->valid >> page & 1))
        return NULL;
    return use(mc, e, page, offset, len);
}

/* --- unmap --- */

static struct entry *find_host(struct mapcache *mc, uintptr_t host)
{
    if (mc->last && mc->last->host && host - (uintptr_t)mc->last->host < mc->last->pages * PAGE)
        return mc->last;
    /* A mapping of at most one bucket that begins somewhere: in this stretch or the one before. */
    for (unsigned before = 0; before < 2; before++)
        for (struct entry *e = *host_head(mc, host - before * BUCKET_BYTES); e; e = e->host_next)
            if (host - (uintptr_t)e->host < e->pages * PAGE)
                return e;
    return NULL;
}

void mapcache_unmap(struct mapcache *mc, void *host)
{
    struct entry *e = find_host(mc, (uintptr_t)host);
    if (!e || !e->refs)
        return;
    if (--e->refs)
        return;
    mc->counts.in_use--;
    if (e->gfn != NO_GFN) {
        lru_add(mc, e);
        return;
    }
    mc->counts.extra--;
    entry_drop(mc, e);
}

void mapcache_invalidate(struct mapcache *mc)
{
    for (unsigned i = 0; i < HEADS; i++)
        while (mc->by_gfn[i])
            forget(mc, mc->by_gfn[i]);
}

struct mapcache_counts mapcache_counts(const struct mapcache *mc)
{
    return mc->counts;
}
