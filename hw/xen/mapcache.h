/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mapcache: a bounded, reference-counted cache of mappings of guest memory, so that most DMA costs
 * no system call. How a page is mapped is the owner's: a test maps plain memory.
 */
#ifndef HW_XEN_MAPCACHE_H
#define HW_XEN_MAPCACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAPCACHE_PAGE_BYTES 4096u
/* 256 KiB: a PRD entry (64 KiB, never across a 64 KiB boundary) lies in one bucket, a miss costs
 * tens of microseconds, and which pages are there is one machine word. */
#define MAPCACHE_BUCKET_PAGES 64u
/* 4,096 buckets = 1 GiB of guest memory: 2 MiB of page tables at most, and as many areas as a
 * sixteenth of what Linux allows a process (vm.max_map_count). */
#define MAPCACHE_BUCKETS 4096u

struct mapcache_ops {
    /* Maps `pages` (1..MAPCACHE_BUCKET_PAGES) guest pages from gfn on, side by side, readable and
     * writable. errors[i] is 0 for each page that is there. NULL: nothing could be mapped. */
    void *(*map)(void *opaque, uint64_t gfn, unsigned pages, int *errors);
    void (*unmap)(void *opaque, void *host, unsigned pages);
};

struct mapcache;

/* At most `buckets` (at least 1) are kept; NULL: out of memory. */
struct mapcache *mapcache_new(const struct mapcache_ops *ops, void *opaque, unsigned buckets);

/* Unmaps everything, also what is still in use. NULL is fine. */
void mapcache_free(struct mapcache *mc);

/* As hv_mem_map: addr in bytes, *len in: wanted (> 0), out: contiguous from there, within the
 * bucket. NULL if the page of addr is not there now; a page that came back (ballooning) is found.
 */
void *mapcache_map(struct mapcache *mc, uint64_t addr, size_t *len);

/* Gives back what mapcache_map returned (any pointer into it will do); others are ignored. */
void mapcache_unmap(struct mapcache *mc, void *host);

/* Forgets all mappings: pages may have been taken from the guest. Those in use stay valid for their
 * users and go with the last of them. */
void mapcache_invalidate(struct mapcache *mc);

struct mapcache_counts {
    unsigned cached; /* buckets kept */
    unsigned in_use; /* mappings with users, forgotten and temporary ones included */
    unsigned extra;  /* mappings beside the cache: forgotten or temporary, alive until released */
    uint64_t misses; /* buckets mapped */
};
struct mapcache_counts mapcache_counts(const struct mapcache *mc);

#endif
