/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gnttab: stand-in for libxengnttab, over the guest's grant table (front.h writes it). A mapping is
 * an mmap of the pages with the ioctls of Linux' gntdev, and pins its entries as Xen does: the
 * guest sees GTF_reading and GTF_writing until the last one is gone. Copies are checked segment by
 * segment, and each has a status of its own.
 */
#define __XEN_TOOLS__ 1
#include "core.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xen/grant_table.h>
#include <xen/sys/gntdev.h>
#include <xengnttab.h>

struct mapping {
    struct mapping *next;
    char *addr;
    uint32_t count;
    bool writable;
    uint32_t refs[];
};

struct xengntdev_handle {
    Xentoolcore__Active_Handle active;
    struct stub_shm *shm;
    int fd, pages_fd; /* gntdev's, which may be restricted away; the pages */
    bool dead;
    struct mapping *mappings;
    char *pages; /* all of them, for copies */
};

static int fail(int why)
{
    errno = why;
    return -1;
}

static int restricted(Xentoolcore__Active_Handle *active, unsigned short domid)
{
    (void)domid;
    xengnttab_handle *h = CONTAINER_OF(active, xengnttab_handle, active);
    h->dead = true; /* this interface cannot be limited to one domain */
    return xentoolcore__restrict_by_dup2_null(h->fd);
}

static bool call(xengnttab_handle *h, unsigned long request)
{
    if (!xenstub_ioctl(h->fd, request))
        return false;
    if (h->dead)
        errno = ENOTTY;
    return !h->dead;
}

static size_t pages_bytes(const xengnttab_handle *h)
{
    return (size_t)h->shm->mfns * STUB_PAGE;
}

xengnttab_handle *xengnttab_open(struct xentoollog_logger *logger, unsigned open_flags)
{
    (void)logger, (void)open_flags;
    struct stub_shm *shm = xenstub_attach();
    xengnttab_handle *h = shm ? calloc(1, sizeof(*h)) : NULL;
    if (!h)
        return NULL;
    h->shm = shm;
    h->fd = xenstub_open_device();
    h->pages_fd = xenstub_open_pages();
    h->active.restrict_callback = restricted;
    xentoolcore__register_active_handle(&h->active);
    return h;
}

int xengnttab_close(xengnttab_handle *h)
{
    if (!h)
        return 0;
    while (h->mappings)
        xengnttab_unmap(h, h->mappings->addr, h->mappings->count);
    if (h->pages)
        munmap(h->pages, pages_bytes(h));
    xentoolcore__deregister_active_handle(&h->active);
    close(h->fd);
    close(h->pages_fd);
    free(h);
    return 0;
}

int xengnttab_fd(xengnttab_handle *h)
{
    return h->fd;
}

int xengnttab_set_max_grants(xengnttab_handle *h, uint32_t nr_grants)
{
    (void)nr_grants;
    return call(h, IOCTL_GNTDEV_SET_MAX_GRANTS) ? 0 : -1;
}

/* --- entries: under the lock --- */

/* The page that a grant gives, as GNTST_* if it gives none. */
static int entry(const struct stub_shm *s, uint32_t domid, uint32_t ref, bool write, uint32_t *mfn)
{
    if (domid != s->domid)
        return GNTST_bad_domain;
    if (ref >= STUB_GRANTS)
        return GNTST_bad_gntref;
    const struct stub_grant *g = &s->grant[ref];
    uint16_t flags = __atomic_load_n(&g->flags, __ATOMIC_ACQUIRE);
    if ((flags & GTF_type_mask) != GTF_permit_access || g->domid != 0)
        return GNTST_bad_gntref;
    if (write && flags & GTF_readonly)
        return GNTST_permission_denied;
    uint32_t page = stub_p2m(s, g->frame);
    if (!page)
        return GNTST_bad_page;
    *mfn = page - 1;
    return GNTST_okay;
}

static void pin(struct stub_shm *s, uint32_t ref, bool write)
{
    s->grant_use[ref].readers++;
    s->grant_use[ref].writers += write;
    uint16_t flags = GTF_reading | (write ? GTF_writing : 0);
    __atomic_fetch_or(&s->grant[ref].flags, flags, __ATOMIC_ACQ_REL);
}

static void unpin(struct stub_shm *s, uint32_t ref, bool write)
{
    struct stub_grant_use *u = &s->grant_use[ref];
    if (write) {
        stub_dirtied(s, s->grant[ref].frame);
        if (!--u->writers)
            __atomic_fetch_and(&s->grant[ref].flags, (uint16_t)~GTF_writing, __ATOMIC_ACQ_REL);
    }
    if (!--u->readers)
        __atomic_fetch_and(&s->grant[ref].flags, (uint16_t)~GTF_reading, __ATOMIC_ACQ_REL);
}

/* --- mappings --- */

void *xengnttab_map_grant_refs(xengnttab_handle *h, uint32_t count, uint32_t *domids,
                               uint32_t *refs, int prot)
{
    bool write = prot & PROT_WRITE;
    if (!count || count > STUB_GRANTS) {
        errno = EINVAL;
        return NULL;
    }
    if (!call(h, IOCTL_GNTDEV_MAP_GRANT_REF))
        return NULL;
    struct mapping *m = calloc(1, sizeof(*m) + count * sizeof(m->refs[0]));
    size_t bytes = (size_t)count * STUB_PAGE;
    char *base = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!m || base == MAP_FAILED) {
        free(m);
        return NULL;
    }
    uint32_t done = 0, mfn;
    stub_lock(h->shm);
    while (done < count && entry(h->shm, domids[done], refs[done], write, &mfn) == GNTST_okay &&
           mmap(base + (size_t)done * STUB_PAGE, STUB_PAGE, prot,
                MAP_SHARED | MAP_FIXED | MAP_POPULATE, h->pages_fd,
                (off_t)(STUB_PAGES + (uint64_t)mfn * STUB_PAGE)) != MAP_FAILED)
        pin(h->shm, m->refs[done] = refs[done], write), done++;
    for (uint32_t i = 0; done < count && i < done; i++)
        unpin(h->shm, refs[i], write);
    stub_unlock(h->shm);
    if (done < count) { /* all or nothing */
        munmap(base, bytes);
        free(m);
        errno = EINVAL;
        return NULL;
    }
    m->addr = base;
    m->count = count;
    m->writable = write;
    m->next = h->mappings;
    h->mappings = m;
    __atomic_fetch_add(&h->shm->counts.grant_maps, count, __ATOMIC_RELAXED);
    return base;
}

void *xengnttab_map_domain_grant_refs(xengnttab_handle *h, uint32_t count, uint32_t domid,
                                      uint32_t *refs, int prot)
{
    if (count > STUB_GRANTS) {
        errno = EINVAL;
        return NULL;
    }
    uint32_t *domids = calloc(count ? count : 1, sizeof(*domids));
    for (uint32_t i = 0; domids && i < count; i++)
        domids[i] = domid;
    void *p = domids ? xengnttab_map_grant_refs(h, count, domids, refs, prot) : NULL;
    free(domids);
    return p;
}

void *xengnttab_map_grant_ref(xengnttab_handle *h, uint32_t domid, uint32_t ref, int prot)
{
    return xengnttab_map_grant_refs(h, 1, &domid, &ref, prot);
}

int xengnttab_unmap(xengnttab_handle *h, void *start_address, uint32_t count)
{
    struct mapping **p = &h->mappings;
    while (*p && (*p)->addr != start_address)
        p = &(*p)->next;
    struct mapping *m = *p;
    if (!m || m->count != count) /* gntdev knows mappings as they were made */
        return fail(EINVAL);
    xenstub_ioctl(h->fd, IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR);
    munmap(m->addr, (size_t)count * STUB_PAGE);
    xenstub_ioctl(h->fd, IOCTL_GNTDEV_UNMAP_GRANT_REF);
    stub_lock(h->shm);
    for (uint32_t i = 0; i < count; i++)
        unpin(h->shm, m->refs[i], m->writable);
    stub_unlock(h->shm);
    *p = m->next;
    free(m);
    return 0;
}

/* --- copies --- */

/* One end of a copy as memory; GNTST_*. Under the lock. */
static int end_of(const xengnttab_handle *h, const union xengnttab_copy_ptr *ptr, bool grant,
                  bool write, char **at)
{
    uint32_t mfn;
    if (!grant) {
        *at = ptr->virt;
        return GNTST_okay;
    }
    int status = entry(h->shm, ptr->foreign.domid, ptr->foreign.ref, write, &mfn);
    if (status != GNTST_okay)
        return status;
    if (write)
        stub_dirtied(h->shm, h->shm->grant[ptr->foreign.ref].frame);
    *at = h->pages + (size_t)mfn * STUB_PAGE + ptr->foreign.offset;
    return GNTST_okay;
}

static int copy(xengnttab_handle *h, const xengnttab_grant_copy_segment_t *seg)
{
    char *from = NULL, *to = NULL;
    stub_lock(h->shm);
    int status = end_of(h, &seg->source, seg->flags & GNTCOPY_source_gref, false, &from);
    if (status == GNTST_okay)
        status = end_of(h, &seg->dest, seg->flags & GNTCOPY_dest_gref, true, &to);
    stub_unlock(h->shm);
    if (status == GNTST_okay)
        memmove(to, from, seg->len);
    return status;
}

/* What gntdev refuses before it asks Xen. */
static bool acceptable(const xengnttab_grant_copy_segment_t *seg)
{
    bool source = seg->flags & GNTCOPY_source_gref, dest = seg->flags & GNTCOPY_dest_gref;
    return (source || dest) && (!source || seg->source.foreign.offset + seg->len <= STUB_PAGE) &&
           (!dest || seg->dest.foreign.offset + seg->len <= STUB_PAGE);
}

int xengnttab_grant_copy(xengnttab_handle *h, uint32_t count, xengnttab_grant_copy_segment_t *segs)
{
    if (!call(h, IOCTL_GNTDEV_GRANT_COPY))
        return -1;
    for (uint32_t i = 0; i < count; i++)
        if (!acceptable(&segs[i]))
            return fail(EINVAL);
    if (!h->pages) { /* once: Xen copies without a mapping of the caller's */
        void *all = mmap(NULL, pages_bytes(h), PROT_READ | PROT_WRITE, MAP_SHARED, h->pages_fd,
                         (off_t)STUB_PAGES);
        if (all == MAP_FAILED)
            return -1;
        h->pages = all;
    }
    for (uint32_t i = 0; i < count; i++)
        segs[i].status = (int16_t)copy(h, &segs[i]);
    __atomic_fetch_add(&h->shm->counts.grant_copies, count, __ATOMIC_RELAXED);
    return 0;
}
