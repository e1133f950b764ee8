/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vram: video memory, the one piece of guest memory that a device model brings along: populated
 * above RAM, mapped here for good (most of it when it is first needed), moved within the guest's
 * memory map as its BAR moves.
 */
#include "hw/xen/xen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <xen/memory.h>
#include <xencall.h>

#include "hw/core/log.h"

#define FOUR_GIB UINT64_C(0x100000000)
/* Where hvmloader ends PCI memory (RESERVED_MEMBASE in tools/firmware/hvmloader/config.h): its own
 * tables, Xen's special pages, IOAPIC, HPET, local APICs and the BIOS lie from here to 4 GiB. */
#define RESERVED_FIRST UINT64_C(0xFC000000)
/* Pages per hypercall: populate and relocate are preemptible, but keep the buffers small. */
#define BATCH 1024u

static uint64_t low_ram_end(const struct hv_config *c)
{
    return c->ram_bytes < c->below_4g_end ? c->ram_bytes : c->below_4g_end;
}

static uint64_t high_ram_end(const struct hv_config *c)
{
    return c->ram_bytes > c->below_4g_end ? FOUR_GIB + (c->ram_bytes - c->below_4g_end) : FOUR_GIB;
}

static bool overlap(uint64_t first, uint64_t last, uint64_t other_first, uint64_t other_end)
{
    return first < other_end && last >= other_first;
}

/* On a real i440FX, RAM wins where a BAR lies over it; here the BAR would take the RAM away. */
static bool place_is_free(const struct hypervisor *hv, uint64_t addr)
{
    const struct vram *v = &hv->vram;
    uint64_t last = addr + (v->bytes - 1);
    /* Onto itself, shifted: pages would be lost on the way. */
    if (addr != v->where && overlap(addr, last, v->where, v->where + v->bytes))
        return false;
    return !(addr & (XEN_PAGE - 1)) && last >= addr && last < UINT64_C(1) << 52 &&
           !overlap(addr, last, 0, low_ram_end(&hv->config)) &&
           !overlap(addr, last, RESERVED_FIRST, high_ram_end(&hv->config));
}

/* Gives the domain pages at `where`. XENMEM_populate_physmap, one extent per page. */
static bool populate_by(xencall_handle *call, struct hypervisor *hv, struct err *err)
{
    uint64_t pages = hv->vram.bytes / XEN_PAGE, first = hv->vram.where / XEN_PAGE;
    struct xen_memory_reservation *r = xencall_alloc_buffer(call, sizeof(*r));
    xen_pfn_t *gfns = xencall_alloc_buffer(call, BATCH * sizeof(*gfns));
    bool ok = r && gfns;

    if (!ok)
        err_set(err, "out of memory");
    for (uint64_t done = 0; ok && done < pages;) {
        unsigned n = pages - done < BATCH ? (unsigned)(pages - done) : BATCH;
        for (unsigned i = 0; i < n; i++)
            gfns[i] = first + done + i;
        memset(r, 0, sizeof(*r));
        set_xen_guest_handle(r->extent_start, gfns);
        r->nr_extents = n;
        r->domid = (domid_t)hv->config.domid;
        long got = xencall2L(call, __HYPERVISOR_memory_op, XENMEM_populate_physmap, (uintptr_t)r);
        unsigned long long there = done + (got > 0 ? (uint64_t)got : 0);
        if (got != (long)n)
            ok = err_set(err, "domain %u: Xen gives only %llu of %llu pages of video memory%s%s",
                         hv->config.domid, there, (unsigned long long)pages, got < 0 ? ": " : "",
                         got < 0 ? strerror(errno) : " (no memory left, or the domain's limit)");
        done += n;
    }
    if (gfns)
        xencall_free_buffer(call, gfns);
    if (r)
        xencall_free_buffer(call, r);
    return ok;
}

/* All that raw hypercalls are needed for: they are dom0's power, so the handle lives no longer. */
static bool populate(struct hypervisor *hv, struct err *err)
{
    xencall_handle *call = xencall_open(NULL, 0);
    if (!call)
        return err_set(err, "cannot open the Xen hypercall interface: %s", strerror(errno));
    bool ok = populate_by(call, hv, err);
    xencall_close(call);
    return ok;
}

/* Maps what is not mapped yet of the first `bytes` that lie at `where`. */
static bool map_to(struct hypervisor *hv, uint64_t where, uint64_t bytes)
{
    struct vram *v = &hv->vram;
    if (bytes > v->bytes)
        bytes = v->bytes;
    if (bytes <= v->mapped)
        return true;
    size_t pages = (size_t)((bytes - v->mapped) / XEN_PAGE);
    xen_pfn_t *gfns = calloc(pages, sizeof(*gfns));
    if (!gfns)
        return false;
    for (size_t i = 0; i < pages; i++)
        gfns[i] = (where + v->mapped) / XEN_PAGE + i;
    void *host = xenforeignmemory_map2(hv->memory, hv->config.domid, (uint8_t *)v->host + v->mapped,
                                       PROT_READ | PROT_WRITE, MAP_FIXED, pages, gfns, NULL);
    int why = errno;
    free(gfns);
    errno = why;
    if (host)
        v->mapped = bytes;
    return host != NULL;
}

/* An address to map at. On a restore it can be used before that: nothing but zeroes. */
static void *reserve(const struct hypervisor *hv, uint64_t bytes, struct err *err)
{
    void *host = mmap(NULL, (size_t)bytes, hv->config.incoming ? PROT_READ | PROT_WRITE : PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (host != MAP_FAILED)
        return host;
    err_set(err, "cannot reserve %llu bytes: %s", (unsigned long long)bytes, strerror(errno));
    return NULL;
}

void *hv_vram_create(struct hypervisor *hv, uint64_t bytes, struct err *err)
{
    struct vram *v = &hv->vram;
    if (v->host || !bytes || bytes % XEN_PAGE || bytes > UINT64_C(1) << 30) {
        err_set(err, "%llu bytes of video memory cannot be had", (unsigned long long)bytes);
        return NULL;
    }
    *v = (struct vram){.bytes = bytes, .where = HV_VRAM_PARKED};
    v->parked = high_ram_end(&hv->config);
    v->host = reserve(hv, bytes, err);
    if (!v->host || hv->config.incoming) /* its place is part of the state that is loaded later */
        return v->host;
    v->where = v->parked;
    v->placed = populate(hv, err);
    if (v->placed && map_to(hv, v->where, HV_VRAM_FIRST))
        return v->host;
    if (v->placed)
        err_set(err, "domain %u: cannot map video memory: %s", hv->config.domid, strerror(errno));
    vram_close(hv);
    return NULL;
}

bool hv_vram_whole(struct hypervisor *hv)
{
    struct vram *v = &hv->vram;
    if (!v->placed || map_to(hv, v->where, v->bytes))
        return true;
    guest_error("vram", "cannot map all of the video memory: %s", strerror(errno));
    return false;
}

uint64_t hv_vram_where(const struct hypervisor *hv)
{
    return hv->vram.where;
}

/* On a restore the first place told is where the domain has it. */
static bool adopt(struct hypervisor *hv, uint64_t where)
{
    struct vram *v = &hv->vram;
    if (!map_to(hv, where, v->bytes)) {
        log_error("cannot map the video memory that came with the domain at %#llx: %s",
                  (unsigned long long)where, strerror(errno));
        return false;
    }
    v->where = where;
    v->placed = true;
    return true;
}

static bool relocate(struct hypervisor *hv, uint64_t from, uint64_t to)
{
    uint64_t pages = hv->vram.bytes / XEN_PAGE;
    from /= XEN_PAGE;
    to /= XEN_PAGE;
    for (uint64_t done = 0; done < pages; done += BATCH) {
        uint32_t n = pages - done < BATCH ? (uint32_t)(pages - done) : BATCH;
        if (!xendevicemodel_relocate_memory(hv->dm, (domid_t)hv->config.domid, n, from + done,
                                            to + done))
            continue;
        int why = errno;
        while (done) { /* back, so that it is in one place */
            done -= BATCH;
            xendevicemodel_relocate_memory(hv->dm, (domid_t)hv->config.domid, BATCH, to + done,
                                           from + done);
        }
        errno = why;
        return false;
    }
    return true;
}

/* In a PCI hole the guest's MTRRs say uncached; this is memory nevertheless. */
static void pin(struct hypervisor *hv, uint64_t addr, bool on)
{
    if (addr >= FOUR_GIB)
        return;
    if (xendevicemodel_pin_memory_cacheattr(hv->dm, (domid_t)hv->config.domid, addr / XEN_PAGE,
                                            (addr + hv->vram.bytes - 1) / XEN_PAGE,
                                            on ? XEN_DMOP_MEM_CACHEATTR_WB
                                               : XEN_DMOP_DELETE_MEM_CACHEATTR) &&
        on)
        guest_error("vram", "cannot make video memory at %#llx cached: %s",
                    (unsigned long long)addr, strerror(errno));
}

static bool move(struct hypervisor *hv, uint64_t addr)
{
    struct vram *v = &hv->vram;
    if (addr == v->where)
        return true;
    bool ok = relocate(hv, v->where, addr);
    if (!ok)
        guest_error("vram", "video memory cannot be moved from %#llx to %#llx: %s",
                    (unsigned long long)v->where, (unsigned long long)addr, strerror(errno));
    /* What devices had mapped at either place is something else now. Our own mapping stays: it is
     * of the pages, not of their address. */
    mapcache_invalidate(hv->cache);
    if (!ok)
        return false;
    pin(hv, v->where, false);
    v->where = addr;
    pin(hv, addr, true);
    return true;
}

bool hv_vram_move(struct hypervisor *hv, uint64_t addr)
{
    struct vram *v = &hv->vram;
    if (!v->host)
        return false;
    if (!v->placed && addr != HV_VRAM_PARKED) {
        v->shown = adopt(hv, addr) && addr != v->parked;
        return v->placed;
    }
    if (addr == HV_VRAM_PARKED) {
        /* It stays where it is until somebody else wants the place: an operating system that sizes
         * the BAR takes it away and puts it back, and each move costs milliseconds. */
        v->shown = false;
        return true;
    }
    if (!place_is_free(hv, addr)) {
        guest_error("vram", "BAR at %#llx lies over RAM or the reserved range below 4 GiB",
                    (unsigned long long)addr);
        v->shown = false;
        return false;
    }
    v->shown = move(hv, addr);
    return v->shown;
}

void vram_make_room(struct hypervisor *hv, uint64_t first, uint64_t last)
{
    struct vram *v = &hv->vram;
    if (v->placed && !v->shown && v->where != v->parked &&
        overlap(first, last, v->where, v->where + v->bytes))
        move(hv, v->parked);
}

bool hv_vram_dirty(struct hypervisor *hv, uint32_t pages, unsigned long *bitmap)
{
    struct vram *v = &hv->vram;
    if (!v->placed || !pages || pages > v->bytes / XEN_PAGE)
        return false;
    v->tracking = true;
    /* Fails while log-dirty mode tracks all memory (live migration). */
    return !xendevicemodel_track_dirty_vram(hv->dm, (domid_t)hv->config.domid, v->where / XEN_PAGE,
                                            pages, bitmap);
}

void hv_vram_untrack(struct hypervisor *hv)
{
    if (hv->vram.tracking)
        xendevicemodel_track_dirty_vram(hv->dm, (domid_t)hv->config.domid, 0, 0, NULL);
    hv->vram.tracking = false;
}

void vram_close(struct hypervisor *hv)
{
    struct vram *v = &hv->vram;
    if (!v->host)
        return;
    hv_vram_untrack(hv);
    if (v->mapped)
        xenforeignmemory_unmap(hv->memory, v->host, (size_t)(v->mapped / XEN_PAGE));
    if (v->mapped < v->bytes)
        munmap((uint8_t *)v->host + v->mapped, (size_t)(v->bytes - v->mapped));
    v->host = NULL;
}
