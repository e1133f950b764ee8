/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devicemodel: stand-in for libxendevicemodel: ioreq servers and their ranges, interrupts, memory.
 */
#define __XEN_TOOLS__ 1
#include "core.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xen/hvm/dm_op.h>
#include <xen/hvm/ioreq.h>
#include <xen/memory.h>
#include <xen/sys/privcmd.h>
#include <xendevicemodel.h>

struct xendevicemodel_handle {
    Xentoolcore__Active_Handle active;
    struct stub_shm *shm;
    int fd, call_fd[2]; /* its own, by which pages can be mapped, and libxencall's two */
    int domid;          /* restricted to, or -1 */
};

static int fail(int why)
{
    errno = why;
    return -1;
}

/* Each operation begins here. */
static int op(xendevicemodel_handle *h, domid_t domid)
{
    if (!xenstub_ioctl(h->fd, IOCTL_PRIVCMD_DM_OP))
        return -1;
    if (h->domid >= 0 && domid != h->domid)
        return fail(EPERM);
    return domid == h->shm->domid ? 0 : fail(ESRCH);
}

static int op_kick(xendevicemodel_handle *h, domid_t domid)
{
    if (!xenstub_ioctl_kick(h->fd, IOCTL_PRIVCMD_DM_OP))
        return -1;
    if (h->domid >= 0 && domid != h->domid)
        return fail(EPERM);
    return domid == h->shm->domid ? 0 : fail(ESRCH);
}

static int restricted(Xentoolcore__Active_Handle *active, unsigned short domid)
{
    CONTAINER_OF(active, xendevicemodel_handle, active)->domid = domid;
    return 0;
}

xendevicemodel_handle *xendevicemodel_open(struct xentoollog_logger *logger, unsigned open_flags)
{
    (void)logger, (void)open_flags;
    struct stub_shm *shm = xenstub_attach();
    xendevicemodel_handle *h = shm ? calloc(1, sizeof(*h)) : NULL;
    if (!h)
        return NULL;
    h->shm = shm;
    h->call_fd[0] = xenstub_open_device();
    h->call_fd[1] = xenstub_open_device();
    h->fd = xenstub_open_pages();
    h->domid = -1;
    h->active.restrict_callback = restricted;
    xentoolcore__register_active_handle(&h->active);
    return h;
}

int xendevicemodel_close(xendevicemodel_handle *h)
{
    if (!h)
        return 0;
    xentoolcore__deregister_active_handle(&h->active);
    close(h->fd);
    close(h->call_fd[0]);
    close(h->call_fd[1]);
    free(h);
    return 0;
}

int xendevicemodel_restrict(xendevicemodel_handle *h, domid_t domid)
{
    h->domid = domid;
    return 0;
}

/* --- ioreq servers --- */

static struct stub_server *server_of(xendevicemodel_handle *h, ioservid_t id)
{
    struct stub_server *s = &h->shm->server[id % STUB_SERVERS];
    if (id < STUB_SERVERS && s->used)
        return s;
    errno = ENOENT;
    return NULL;
}

/* An unbound channel of Xen's side; 0: none left. Under the lock. */
static uint32_t new_remote(struct stub_shm *s, uint8_t kind, unsigned vcpu)
{
    for (uint32_t i = 1; i < STUB_PORTS; i++) {
        if (s->remote[i].kind)
            continue;
        s->remote[i] = (struct stub_remote){.kind = kind, .vcpu = (uint8_t)vcpu};
        return i;
    }
    return 0;
}

/* Where ioreq pages are put for a caller that cannot map a resource: above the builder's pages. */
#define SPECIAL_GFN UINT64_C(0xFEFF8)

int xendevicemodel_create_ioreq_server(xendevicemodel_handle *h, domid_t domid, int handle_bufioreq,
                                       ioservid_t *id)
{
    if (op(h, domid))
        return -1;
    if (handle_bufioreq != HVM_IOREQSRV_BUFIOREQ_OFF &&
        handle_bufioreq != HVM_IOREQSRV_BUFIOREQ_ATOMIC)
        return fail(EINVAL); /* the legacy way would need the guest's own correction of pointers */
    struct stub_shm *shm = h->shm;
    uint32_t pages = stub_take_pages(shm, 2);
    if (pages == UINT32_MAX)
        return fail(ENOMEM);
    stub_lock(shm);
    int rc = ENOSPC;
    for (ioservid_t i = 0; rc && i < STUB_SERVERS; i++) {
        struct stub_server *s = &shm->server[i];
        if (s->used)
            continue;
        *s = (struct stub_server){.used = true,
                                  .buffered = handle_bufioreq != HVM_IOREQSRV_BUFIOREQ_OFF,
                                  .buffered_mfn = pages,
                                  .sync_mfn = pages + 1};
        for (unsigned v = 0; v < shm->vcpus; v++)
            s->vcpu_remote[v] = new_remote(shm, STUB_REMOTE_VCPU, v);
        if (s->buffered)
            s->buffered_remote = new_remote(shm, STUB_REMOTE_BUFFERED, 0);
        *id = i;
        rc = 0;
    }
    stub_unlock(shm);
    return rc ? fail(rc) : 0;
}

int xendevicemodel_destroy_ioreq_server(xendevicemodel_handle *h, domid_t domid, ioservid_t id)
{
    struct stub_server *s;
    if (op(h, domid) || !(s = server_of(h, id)))
        return -1;
    stub_lock(h->shm);
    for (unsigned v = 0; v < h->shm->vcpus; v++)
        h->shm->remote[s->vcpu_remote[v]].kind = STUB_REMOTE_NONE;
    h->shm->remote[s->buffered_remote].kind = STUB_REMOTE_NONE;
    s->used = s->enabled = false;
    stub_unlock(h->shm);
    return 0;
}

int xendevicemodel_get_ioreq_server_info(xendevicemodel_handle *h, domid_t domid, ioservid_t id,
                                         xen_pfn_t *ioreq_gfn, xen_pfn_t *bufioreq_gfn,
                                         evtchn_port_t *bufioreq_port)
{
    struct stub_server *s;
    if (op(h, domid) || !(s = server_of(h, id)))
        return -1;
    uint64_t gfn = SPECIAL_GFN + 2u * id;
    if (ioreq_gfn || bufioreq_gfn) {
        __atomic_store_n(&h->shm->p2m[gfn], s->sync_mfn + 1, __ATOMIC_SEQ_CST);
        __atomic_store_n(&h->shm->p2m[gfn + 1], s->buffered_mfn + 1, __ATOMIC_SEQ_CST);
    }
    if (ioreq_gfn)
        *ioreq_gfn = gfn;
    if (bufioreq_gfn)
        *bufioreq_gfn = gfn + 1;
    if (bufioreq_port)
        *bufioreq_port = s->buffered_remote;
    return 0;
}

/* Xen's page of requests; the device model's mapping is another one of the same page. */
static struct ioreq *map_requests(const xendevicemodel_handle *h, const struct stub_server *s)
{
    void *page = mmap(NULL, STUB_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, h->fd,
                      (off_t)(STUB_PAGES + (uint64_t)s->sync_mfn * STUB_PAGE));
    return page == MAP_FAILED ? NULL : page;
}

int xendevicemodel_set_ioreq_server_state(xendevicemodel_handle *h, domid_t domid, ioservid_t id,
                                          int enabled)
{
    struct stub_server *s;
    if (op(h, domid) || !(s = server_of(h, id)))
        return -1;
    if (s->enabled == !!enabled)
        return 0;
    if (enabled) {
        struct ioreq *req = map_requests(h, s);
        if (!req)
            return -1;
        for (unsigned v = 0; v < h->shm->vcpus; v++)
            req[v].vp_eport = s->vcpu_remote[v];
        munmap(req, STUB_PAGE);
    }
    __atomic_store_n(&s->enabled, !!enabled, __ATOMIC_RELEASE);
    return 0;
}

/* --- ranges --- */

/* As Xen's rangesets: neighbours merge, and the number of ranges that results is limited. */
static int add_range(struct stub_ranges *r, uint64_t first, uint64_t last)
{
    for (uint32_t i = 0; i < r->count; i++)
        if (first <= r->range[i].last && last >= r->range[i].first)
            return EEXIST;
    for (uint32_t i = 0; i < r->count;) {
        if (r->range[i].last + 1 == first)
            first = r->range[i].first;
        else if (last + 1 == r->range[i].first)
            last = r->range[i].last;
        else {
            i++;
            continue;
        }
        r->range[i] = r->range[--r->count];
    }
    if (r->count == STUB_RANGES)
        return ENOMEM;
    r->range[r->count].first = first;
    r->range[r->count++].last = last;
    return 0;
}

static int remove_range(struct stub_ranges *r, uint64_t first, uint64_t last)
{
    for (uint32_t i = 0; i < r->count; i++) {
        uint64_t low = r->range[i].first, high = r->range[i].last;
        if (first < low || last > high)
            continue;
        r->range[i] = r->range[--r->count];
        if (low < first)
            add_range(r, low, first - 1);
        return last < high ? add_range(r, last + 1, high) : 0;
    }
    return ENOENT;
}

static int change_range(xendevicemodel_handle *h, domid_t domid, ioservid_t id, unsigned space,
                        uint64_t first, uint64_t last, bool add)
{
    struct stub_server *s;
    if (op(h, domid) || !(s = server_of(h, id)))
        return -1;
    if (first > last)
        return fail(EINVAL);
    stub_lock(h->shm);
    int rc = (add ? add_range : remove_range)(&s->ranges[space], first, last);
    stub_unlock(h->shm);
    return rc ? fail(rc) : 0;
}

int xendevicemodel_map_io_range_to_ioreq_server(xendevicemodel_handle *h, domid_t domid,
                                                ioservid_t id, int is_mmio, uint64_t start,
                                                uint64_t end)
{
    return change_range(h, domid, id, is_mmio ? STUB_MEMORY_SPACE : STUB_PORT_SPACE, start, end,
                        true);
}

int xendevicemodel_unmap_io_range_from_ioreq_server(xendevicemodel_handle *h, domid_t domid,
                                                    ioservid_t id, int is_mmio, uint64_t start,
                                                    uint64_t end)
{
    return change_range(h, domid, id, is_mmio ? STUB_MEMORY_SPACE : STUB_PORT_SPACE, start, end,
                        false);
}

static uint64_t sbdf(uint16_t segment, uint8_t bus, uint8_t device, uint8_t function)
{
    return (uint64_t)segment << 16 | (uint64_t)bus << 8 | (uint64_t)(device & 31) << 3 |
           (function & 7);
}

int xendevicemodel_map_pcidev_to_ioreq_server(xendevicemodel_handle *h, domid_t domid,
                                              ioservid_t id, uint16_t segment, uint8_t bus,
                                              uint8_t device, uint8_t function)
{
    uint64_t n = sbdf(segment, bus, device, function);
    return device > 31 || function > 7 ? fail(EINVAL)
                                       : change_range(h, domid, id, STUB_PCI_SPACE, n, n, true);
}

int xendevicemodel_unmap_pcidev_from_ioreq_server(xendevicemodel_handle *h, domid_t domid,
                                                  ioservid_t id, uint16_t segment, uint8_t bus,
                                                  uint8_t device, uint8_t function)
{
    uint64_t n = sbdf(segment, bus, device, function);
    return device > 31 || function > 7 ? fail(EINVAL)
                                       : change_range(h, domid, id, STUB_PCI_SPACE, n, n, false);
}

int xendevicemodel_map_mem_type_to_ioreq_server(xendevicemodel_handle *h, domid_t domid,
                                                ioservid_t id, uint16_t type, uint32_t flags)
{
    (void)id, (void)type, (void)flags;
    return op(h, domid) ? -1 : fail(EOPNOTSUPP);
}

/* --- interrupts: what is set before the wake-up is seen after it --- */

#define COUNT(h, what) __atomic_fetch_add(&(h)->shm->counts.what, 1, __ATOMIC_RELAXED)

int xendevicemodel_set_isa_irq_level(xendevicemodel_handle *h, domid_t domid, uint8_t irq,
                                     unsigned level)
{
    if (irq > 15 || level > 1)
        return fail(EINVAL);
    if (level && !h->shm->isa[irq])
        __atomic_fetch_add(&h->shm->isa_raised[irq], 1, __ATOMIC_SEQ_CST);
    __atomic_store_n(&h->shm->isa[irq], level, __ATOMIC_SEQ_CST);
    COUNT(h, isa);
    return op_kick(h, domid);
}

int xendevicemodel_set_irq_level(xendevicemodel_handle *h, domid_t domid, unsigned irq,
                                 unsigned level)
{
    (void)irq, (void)level;
    return op(h, domid) ? -1 : fail(EOPNOTSUPP); /* of ARM */
}

int xendevicemodel_set_pci_intx_level(xendevicemodel_handle *h, domid_t domid, uint16_t segment,
                                      uint8_t bus, uint8_t device, uint8_t intx, unsigned level)
{
    if (segment || bus || device > 31 || intx > 3 || level > 1)
        return fail(EINVAL);
    __atomic_store_n(&h->shm->intx[device][intx], level, __ATOMIC_SEQ_CST);
    COUNT(h, intx);
    return op_kick(h, domid);
}

int xendevicemodel_set_pci_link_route(xendevicemodel_handle *h, domid_t domid, uint8_t link,
                                      uint8_t irq)
{
    if (link > 3 || irq > 15)
        return fail(EINVAL);
    __atomic_store_n(&h->shm->link[link], irq, __ATOMIC_SEQ_CST);
    COUNT(h, routes);
    return op_kick(h, domid);
}

int xendevicemodel_inject_msi(xendevicemodel_handle *h, domid_t domid, uint64_t msi_addr,
                              uint32_t msi_data)
{
    uint32_t n = __atomic_load_n(&h->shm->msi_count, __ATOMIC_RELAXED);
    h->shm->msi[n % STUB_MSIS] = (struct stub_msi){.addr = msi_addr, .data = msi_data};
    __atomic_store_n(&h->shm->msi_count, n + 1, __ATOMIC_SEQ_CST);
    COUNT(h, msi);
    return op_kick(h, domid);
}

int xendevicemodel_inject_event(xendevicemodel_handle *h, domid_t domid, int vcpu, uint8_t vector,
                                uint8_t type, uint32_t error_code, uint8_t insn_len, uint64_t extra)
{
    (void)vcpu, (void)vector, (void)type, (void)error_code, (void)insn_len, (void)extra;
    return op(h, domid) ? -1 : fail(EOPNOTSUPP);
}

/* --- memory --- */

int xendevicemodel_track_dirty_vram(xendevicemodel_handle *h, domid_t domid, uint64_t first_pfn,
                                    uint32_t nr, unsigned long *dirty_bitmap)
{
    struct stub_shm *s = h->shm;
    if (op(h, domid))
        return -1;
    COUNT(h, tracked);
    if (s->log_dirty && nr)
        return fail(EINVAL);
    if (first_pfn >= STUB_GFNS || nr > STUB_GFNS - first_pfn)
        return fail(EINVAL);
    bool fresh = s->vram_first != first_pfn || s->vram_pages != nr;
    s->vram_first = first_pfn;
    s->vram_pages = nr;
    if (!nr || !dirty_bitmap)
        return 0;
    memset(dirty_bitmap, 0, (nr + 7) / 8);
    for (uint32_t i = 0; i < nr; i++) {
        uint64_t gfn = first_pfn + i, bit = UINT64_C(1) << (gfn % 64);
        bool was = __atomic_fetch_and(&s->vram_dirty[gfn / 64], ~bit, __ATOMIC_RELAXED) & bit;
        if (was || fresh)
            dirty_bitmap[i / 64] |= 1UL << (i % 64);
    }
    return 0;
}

int xendevicemodel_modified_memory(xendevicemodel_handle *h, domid_t domid, uint64_t first_pfn,
                                   uint32_t nr)
{
    if (op(h, domid))
        return -1;
    for (uint64_t gfn = first_pfn; gfn < first_pfn + nr && gfn < STUB_GFNS; gfn++)
        stub_dirtied(h->shm, gfn);
    COUNT(h, modified);
    return 0;
}

int xendevicemodel_modified_memory_bulk(xendevicemodel_handle *h, domid_t domid,
                                        struct xen_dm_op_modified_memory_extent extents[],
                                        uint32_t nr)
{
    (void)extents, (void)nr;
    return op(h, domid) ? -1 : fail(EOPNOTSUPP);
}

int xendevicemodel_set_mem_type(xendevicemodel_handle *h, domid_t domid, hvmmem_type_t mem_type,
                                uint64_t first_pfn, uint32_t nr)
{
    (void)mem_type, (void)first_pfn, (void)nr;
    return op(h, domid);
}

/* XENMEM_add_to_physmap of each page: it leaves its place, and what was at the new one is lost. */
int xendevicemodel_relocate_memory(xendevicemodel_handle *h, domid_t domid, uint32_t size,
                                   uint64_t src_gfn, uint64_t dst_gfn)
{
    if (op(h, domid))
        return -1;
    for (uint32_t i = 0; i < size; i++) {
        uint32_t page = stub_p2m(h->shm, src_gfn + i);
        if (!page || dst_gfn + i >= STUB_GFNS)
            return fail(EINVAL);
        __atomic_store_n(&h->shm->p2m[src_gfn + i], 0, __ATOMIC_RELAXED);
        __atomic_store_n(&h->shm->p2m[dst_gfn + i], page, __ATOMIC_RELAXED);
    }
    __atomic_fetch_add(&h->shm->counts.relocated, size, __ATOMIC_RELAXED);
    return 0;
}

int xendevicemodel_pin_memory_cacheattr(xendevicemodel_handle *h, domid_t domid, uint64_t start,
                                        uint64_t end, uint32_t type)
{
    (void)type;
    if (op(h, domid))
        return -1;
    COUNT(h, pinned);
    return end >= start ? 0 : fail(EINVAL);
}

/* --- the domain --- */

int xendevicemodel_shutdown(xendevicemodel_handle *h, domid_t domid, unsigned reason)
{
    __atomic_store_n(&h->shm->shutdown, reason + 1, __ATOMIC_SEQ_CST);
    return op_kick(h, domid);
}

int xendevicemodel_nr_vcpus(xendevicemodel_handle *h, domid_t domid, unsigned *vcpus)
{
    if (op(h, domid))
        return -1;
    *vcpus = h->shm->vcpus;
    return 0;
}
