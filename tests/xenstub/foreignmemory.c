/* SPDX-License-Identifier: GPL-2.0-or-later */
/* foreignmemory: stand-in for libxenforeignmemory. A mapping is an mmap of the pages, present at
 * once, and the ioctl that would tell Linux which pages they are. */
#define __XEN_TOOLS__ 1
#include "core.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xen/memory.h>
#include <xen/sys/privcmd.h>
#include <xenforeignmemory.h>

struct xenforeignmemory_handle {
    Xentoolcore__Active_Handle active;
    struct stub_shm *shm;
    int fd;
    int domid;
};

struct xenforeignmemory_resource_handle {
    void *addr;
    size_t bytes;
};

static int restricted(Xentoolcore__Active_Handle *active, unsigned short domid)
{
    CONTAINER_OF(active, xenforeignmemory_handle, active)->domid = domid;
    return 0;
}

xenforeignmemory_handle *xenforeignmemory_open(struct xentoollog_logger *logger,
                                               unsigned open_flags)
{
    (void)logger, (void)open_flags;
    struct stub_shm *shm = xenstub_attach();
    xenforeignmemory_handle *h = shm ? calloc(1, sizeof(*h)) : NULL;
    if (!h)
        return NULL;
    h->shm = shm;
    h->fd = xenstub_open_pages();
    h->domid = -1;
    h->active.restrict_callback = restricted;
    xentoolcore__register_active_handle(&h->active);
    return h;
}

int xenforeignmemory_close(xenforeignmemory_handle *h)
{
    if (!h)
        return 0;
    xentoolcore__deregister_active_handle(&h->active);
    close(h->fd);
    free(h);
    return 0;
}

int xenforeignmemory_restrict(xenforeignmemory_handle *h, domid_t domid)
{
    h->domid = domid;
    return 0;
}

static void *map_pages(const xenforeignmemory_handle *h, void *at, size_t pages, int prot,
                       int flags, uint32_t mfn)
{
    return mmap(at, pages * STUB_PAGE, prot, MAP_SHARED | MAP_POPULATE | flags, h->fd,
                (off_t)(STUB_PAGES + (uint64_t)mfn * STUB_PAGE));
}

/* Whether these pages lie side by side in the file, all present: the usual case. */
static bool contiguous(const struct stub_shm *s, size_t pages, const xen_pfn_t *gfns)
{
    uint32_t first = stub_p2m(s, gfns[0]);
    for (size_t i = 0; i < pages; i++) {
        uint32_t page = stub_p2m(s, gfns[i]);
        if (!page || page != first + i)
            return false;
    }
    return true;
}

/* Maps run by run into a reservation; false: an mmap failed, or a page is missing and may not. */
static bool map_runs(const xenforeignmemory_handle *h, char *base, int prot, size_t pages,
                     const xen_pfn_t *gfns, int *err)
{
    for (size_t i = 0; i < pages;) {
        uint32_t first = stub_p2m(h->shm, gfns[i]);
        if (!first) {
            if (!err) {
                errno = ENOENT;
                return false;
            }
            err[i++] = -ENOENT;
            continue;
        }
        size_t n = 0;
        for (; i + n < pages && stub_p2m(h->shm, gfns[i + n]) == first + n; n++)
            if (err)
                err[i + n] = 0;
        if (map_pages(h, base + i * STUB_PAGE, n, prot, MAP_FIXED, first - 1) == MAP_FAILED)
            return false;
        i += n;
    }
    return true;
}

void *xenforeignmemory_map2(xenforeignmemory_handle *h, uint32_t dom, void *addr, int prot,
                            int flags, size_t pages, const xen_pfn_t arr[], int err[])
{
    if (dom != h->shm->domid || (h->domid >= 0 && (int)dom != h->domid)) {
        errno = ESRCH;
        return NULL;
    }
    if (!pages) {
        errno = EINVAL;
        return NULL;
    }
    __atomic_fetch_add(&h->shm->counts.maps, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&h->shm->counts.mapped_pages, pages, __ATOMIC_RELAXED);
    flags &= MAP_FIXED;
    char *base;
    if (contiguous(h->shm, pages, arr)) {
        base = map_pages(h, addr, pages, prot, flags, stub_p2m(h->shm, arr[0]) - 1);
        if (base == MAP_FAILED)
            return NULL;
        for (size_t i = 0; err && i < pages; i++)
            err[i] = 0;
    } else {
        base = mmap(addr, pages * STUB_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
        if (base == MAP_FAILED)
            return NULL;
        if (!map_runs(h, base, prot, pages, arr, err)) {
            int why = errno;
            munmap(base, pages * STUB_PAGE);
            errno = why;
            return NULL;
        }
    }
    if (xenstub_ioctl(h->fd, IOCTL_PRIVCMD_MMAPBATCH_V2))
        return base;
    munmap(base, pages * STUB_PAGE);
    errno = EPERM;
    return NULL;
}

void *xenforeignmemory_map(xenforeignmemory_handle *h, uint32_t dom, int prot, size_t pages,
                           const xen_pfn_t arr[], int err[])
{
    return xenforeignmemory_map2(h, dom, NULL, prot, 0, pages, arr, err);
}

int xenforeignmemory_unmap(xenforeignmemory_handle *h, void *addr, size_t pages)
{
    __atomic_fetch_add(&h->shm->counts.unmaps, 1, __ATOMIC_RELAXED);
    return munmap(addr, pages * STUB_PAGE);
}

xenforeignmemory_resource_handle *xenforeignmemory_map_resource(xenforeignmemory_handle *h,
                                                                domid_t domid, unsigned type,
                                                                unsigned id, unsigned long frame,
                                                                unsigned long nr_frames,
                                                                void **paddr, int prot, int flags)
{
    if (h->shm->no_resources) {
        errno = EOPNOTSUPP;
        return NULL;
    }
    if (domid != h->shm->domid || type != XENMEM_resource_ioreq_server || id >= STUB_SERVERS ||
        !h->shm->server[id].used || frame > 1 || nr_frames < 1 || frame + nr_frames > 2) {
        errno = EINVAL;
        return NULL;
    }
    xenforeignmemory_resource_handle *r = calloc(1, sizeof(*r));
    if (!r)
        return NULL;
    r->bytes = nr_frames * STUB_PAGE;
    r->addr = map_pages(h, *paddr, nr_frames, prot, flags & MAP_FIXED,
                        h->shm->server[id].buffered_mfn + (uint32_t)frame);
    if (r->addr == MAP_FAILED || !xenstub_ioctl(h->fd, IOCTL_PRIVCMD_MMAP_RESOURCE)) {
        free(r);
        return NULL;
    }
    *paddr = r->addr;
    return r;
}

int xenforeignmemory_unmap_resource(xenforeignmemory_handle *h, xenforeignmemory_resource_handle *r)
{
    (void)h;
    if (!r)
        return 0;
    int rc = munmap(r->addr, r->bytes);
    free(r);
    return rc;
}

int xenforeignmemory_resource_size(xenforeignmemory_handle *h, domid_t domid, unsigned type,
                                   unsigned id, size_t *size)
{
    (void)h, (void)domid, (void)id;
    if (type != XENMEM_resource_ioreq_server) {
        errno = EOPNOTSUPP;
        return -1;
    }
    *size = 2 * STUB_PAGE;
    return 0;
}
