/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xen_rig: a Xen of a few lines, whose library functions are these, and the guest on it. */
#ifndef TESTS_UNIT_XEN_RIG_H
#define TESTS_UNIT_XEN_RIG_H

/*
 * Tests of hw/xen as a whole on a Xen of a few lines: the libraries' functions are defined here,
 * and hypervisor.h's get other names, because the test programs are linked with its fake.
 */
#define hv_open           xen_open
#define hv_attach         xen_attach
#define hv_run            xen_run
#define hv_close          xen_close
#define hv_claim_ports    xen_claim_ports
#define hv_claim_memory   xen_claim_memory
#define hv_claim_pci      xen_claim_pci
#define hv_isa_irq        xen_isa_irq
#define hv_pci_intx       xen_pci_intx
#define hv_pci_link_route xen_pci_link_route
#define hv_msi            xen_msi
#define hv_mem_map        xen_mem_map
#define hv_mem_unmap      xen_mem_unmap
#define hv_mem_dirty      xen_mem_dirty
#define hv_log_dirty      xen_log_dirty
#define hv_vram_create    xen_vram_create
#define hv_vram_whole     xen_vram_whole
#define hv_vram_where     xen_vram_where
#define hv_vram_move      xen_vram_move
#define hv_vram_dirty     xen_vram_dirty
#define hv_vram_untrack   xen_vram_untrack
#define hv_shutdown       xen_shutdown
#define hv_sleep_s3       xen_sleep_s3
#define hv_wake_s3        xen_wake_s3
#define hv_press_power    xen_press_power
#define hv_get_paging     xen_get_paging
#define hv_ioreq_stats    xen_ioreq_stats
#define hv_restrict       xen_restrict
/* The companion process is another test's. */
#define companion_sleep_s3    xen_companion_sleep_s3
#define companion_wake_s3     xen_companion_wake_s3
#define companion_press_power xen_companion_press_power
#define companion_get_paging  xen_companion_get_paging
#include "hw/xen/ioreq.c"
#include "hw/xen/vram.c"
#include "hw/xen/xen.c"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <cmocka.h>

#define DOMID      7
#define VCPUS      3
#define MIB        UINT64_C(0x100000)
#define VRAM_BYTES (16 * MIB)
#define VRAM_PAGES (VRAM_BYTES / XEN_PAGE)
#define MAX_PAGES  16384u
#define MAX_GFN    0x210000u
#define BUFFERED   0x50 /* remote ports */
#define REMOTE(v)  (0x100u + (v))

/* --- a Xen of a few lines --- */

/* Guest memory: pages of a file, and which guest page number has which of them. */
struct page {
    uint64_t gfn;
    bool there;
};

static struct {
    int memory_fd;
    struct page pages[MAX_PAGES];
    uint16_t page_at[MAX_GFN]; /* 1 + index in pages */
    unsigned page_count;
    uint8_t *shared; /* buffered ring, requests */
    bool server, enabled, resources, no_info;
    unsigned vcpus;       /* 0: cannot tell */
    uint32_t remote[512]; /* by local port; 0: unbound */
    unsigned next_port;
    bool pending[512], masked[512];
    unsigned notified[512], unmasks;
    int evtchn_fd;
    unsigned open_handles, maps;
    int fail; /* the call with this number from now on fails */
    unsigned relocations, fail_relocation_at;
    unsigned populated, out_of_memory_after;
    uint64_t pinned;
    unsigned pins;
    uint64_t tracked_gfn;
    unsigned tracked_pages;
    unsigned dirtied, shutdown_reason, shutdowns;
    bool log_dirty_mode;
    bool restricted, refuse_ranges;
    char last_range[64];
    unsigned isa, intx, link, msi;
    unsigned sleeps;
} xen;

static int handle;

/* Numbered failures: the n-th library call that may fail does. */
static inline bool fails(void)
{
    if (!xen.fail || --xen.fail)
        return false;
    errno = EIO;
    return true;
}

static inline void *opened(void)
{
    if (fails())
        return NULL;
    xen.open_handles++;
    return &handle;
}

static inline int closed(void)
{
    assert_true(xen.open_handles > 0);
    xen.open_handles--;
    return 0;
}

xencall_handle *xencall_open(struct xentoollog_logger *l, unsigned f)
{
    (void)l, (void)f;
    return opened();
}
int xencall_close(xencall_handle *h)
{
    (void)h;
    return closed();
}
void *xencall_alloc_buffer(xencall_handle *h, size_t n)
{
    (void)h;
    return malloc(n);
}
void xencall_free_buffer(xencall_handle *h, void *p)
{
    (void)h;
    free(p);
}

static inline struct page *at_gfn(uint64_t gfn)
{
    return gfn < MAX_GFN && xen.page_at[gfn] ? &xen.pages[xen.page_at[gfn] - 1] : NULL;
}

static inline void put_page(struct page *p, uint64_t gfn)
{
    assert_true(gfn < MAX_GFN);
    if (p->there)
        xen.page_at[p->gfn] = 0;
    *p = (struct page){gfn, true};
    xen.page_at[gfn] = (uint16_t)(p - xen.pages + 1);
}

static inline void add_page(uint64_t gfn)
{
    assert_true(xen.page_count < MAX_PAGES);
    put_page(&xen.pages[xen.page_count++], gfn);
}

static inline void take_page(uint64_t gfn)
{
    struct page *p = at_gfn(gfn);
    if (p)
        p->there = false;
    xen.page_at[gfn] = 0;
}

long xencall2L(xencall_handle *h, unsigned op, uint64_t a, uint64_t b)
{
    (void)h;
    assert_int_equal(op, __HYPERVISOR_memory_op);
    assert_int_equal(a, XENMEM_populate_physmap);
    const struct xen_memory_reservation *r = (void *)(uintptr_t)b;
    assert_int_equal(r->domid, DOMID);
    assert_int_equal(r->extent_order, 0);
    if (fails())
        return -1;
    long done = 0;
    for (; done < (long)r->nr_extents; done++) {
        if (xen.out_of_memory_after && xen.populated == xen.out_of_memory_after)
            break;
        add_page(r->extent_start.p[done]);
        xen.populated++;
    }
    return done;
}

bool companion_sleep_s3(struct companion *c, struct err *e)
{
    assert_ptr_equal(c, &xen);
    if (fails())
        return err_set(e, "no");
    xen.sleeps++;
    return true;
}

bool companion_wake_s3(struct companion *c, struct err *e)
{
    assert_ptr_equal(c, &xen);
    if (fails())
        return err_set(e, "no");
    xen.sleeps--;
    return true;
}

bool companion_press_power(struct companion *c, struct err *e)
{
    assert_ptr_equal(c, &xen);
    return !fails() || err_set(e, "no");
}

bool companion_get_paging(struct companion *c, struct hv_paging *paging, struct err *e)
{
    assert_ptr_equal(c, &xen);
    *paging = (struct hv_paging){.cr3 = 0x1000};
    return !fails() || err_set(e, "no");
}

xendevicemodel_handle *xendevicemodel_open(struct xentoollog_logger *l, unsigned f)
{
    (void)l, (void)f;
    return opened();
}
int xendevicemodel_close(xendevicemodel_handle *h)
{
    (void)h;
    return closed();
}
int xendevicemodel_nr_vcpus(xendevicemodel_handle *h, domid_t d, unsigned *n)
{
    (void)h;
    assert_int_equal(d, DOMID);
    *n = xen.vcpus;
    return xen.vcpus ? 0 : -1;
}
int xendevicemodel_create_ioreq_server(xendevicemodel_handle *h, domid_t d, int how, ioservid_t *id)
{
    (void)h, (void)d;
    assert_int_equal(how, HVM_IOREQSRV_BUFIOREQ_ATOMIC);
    assert_false(xen.server);
    if (fails())
        return -1;
    xen.server = true;
    *id = 3;
    return 0;
}
int xendevicemodel_get_ioreq_server_info(xendevicemodel_handle *h, domid_t d, ioservid_t id,
                                         xen_pfn_t *sync, xen_pfn_t *buffered, evtchn_port_t *port)
{
    (void)h, (void)d;
    assert_int_equal(id, 3);
    if (fails())
        return -1;
    if (sync)
        *sync = 0xFEFF1;
    if (buffered)
        *buffered = 0xFEFF0;
    *port = BUFFERED;
    return 0;
}
int xendevicemodel_destroy_ioreq_server(xendevicemodel_handle *h, domid_t d, ioservid_t id)
{
    (void)h, (void)d;
    assert_int_equal(id, 3);
    assert_true(xen.server);
    xen.server = xen.enabled = false;
    return 0;
}
int xendevicemodel_set_ioreq_server_state(xendevicemodel_handle *h, domid_t d, ioservid_t id,
                                          int on)
{
    (void)h, (void)d, (void)id;
    if (fails())
        return -1;
    assert_int_not_equal(xen.enabled, on);
    xen.enabled = on;
    struct shared_iopage *p = (void *)(xen.shared + XEN_PAGE);
    if (on)
        for (unsigned v = 0; v < IOREQ_MAX_VCPUS; v++)
            p->vcpu_ioreq[v].vp_eport = REMOTE(v);
    return 0;
}

static inline int range(const char *what, bool claim, uint64_t first, uint64_t last)
{
    if (xen.refuse_ranges) {
        errno = ENOSPC;
        return -1;
    }
    snprintf(xen.last_range, sizeof(xen.last_range), "%c%s %llx-%llx", claim ? '+' : '-', what,
             (unsigned long long)first, (unsigned long long)last);
    return 0;
}
int xendevicemodel_map_io_range_to_ioreq_server(xendevicemodel_handle *h, domid_t d, ioservid_t id,
                                                int mem, uint64_t first, uint64_t last)
{
    (void)h, (void)d, (void)id;
    return range(mem ? "mem" : "port", true, first, last);
}
int xendevicemodel_unmap_io_range_from_ioreq_server(xendevicemodel_handle *h, domid_t d,
                                                    ioservid_t id, int mem, uint64_t first,
                                                    uint64_t last)
{
    (void)h, (void)d, (void)id;
    return range(mem ? "mem" : "port", false, first, last);
}
int xendevicemodel_map_pcidev_to_ioreq_server(xendevicemodel_handle *h, domid_t d, ioservid_t id,
                                              uint16_t seg, uint8_t bus, uint8_t dev, uint8_t fn)
{
    (void)h, (void)d, (void)id;
    return range("pci", true, (uint64_t)seg << 8 | bus, (uint64_t)dev << 4 | fn);
}
int xendevicemodel_unmap_pcidev_from_ioreq_server(xendevicemodel_handle *h, domid_t d,
                                                  ioservid_t id, uint16_t seg, uint8_t bus,
                                                  uint8_t dev, uint8_t fn)
{
    (void)h, (void)d, (void)id;
    return range("pci", false, (uint64_t)seg << 8 | bus, (uint64_t)dev << 4 | fn);
}
int xendevicemodel_set_pci_intx_level(xendevicemodel_handle *h, domid_t d, uint16_t seg,
                                      uint8_t bus, uint8_t dev, uint8_t intx, unsigned level)
{
    (void)h, (void)d;
    xen.intx = (unsigned)seg << 24 | (unsigned)bus << 16 | (unsigned)dev << 8 | intx << 4 | level;
    return fails() ? -1 : 0;
}
int xendevicemodel_set_isa_irq_level(xendevicemodel_handle *h, domid_t d, uint8_t irq,
                                     unsigned level)
{
    (void)h, (void)d;
    xen.isa = irq << 4 | level;
    return fails() ? -1 : 0;
}
int xendevicemodel_set_pci_link_route(xendevicemodel_handle *h, domid_t d, uint8_t link,
                                      uint8_t irq)
{
    (void)h, (void)d;
    xen.link = (unsigned)link << 8 | irq;
    return 0;
}
int xendevicemodel_inject_msi(xendevicemodel_handle *h, domid_t d, uint64_t addr, uint32_t data)
{
    (void)h, (void)d;
    xen.msi = (unsigned)addr + data;
    return fails() ? -1 : 0;
}
int xendevicemodel_track_dirty_vram(xendevicemodel_handle *h, domid_t d, uint64_t first,
                                    uint32_t nr, unsigned long *bitmap)
{
    (void)h, (void)d;
    xen.tracked_gfn = first;
    xen.tracked_pages = nr;
    if (nr)
        memset(bitmap, 0xA5, (nr + 7) / 8);
    if (!xen.log_dirty_mode)
        return 0;
    errno = ENODATA;
    return -1;
}
int xendevicemodel_modified_memory(xendevicemodel_handle *h, domid_t d, uint64_t first, uint32_t nr)
{
    (void)h, (void)d;
    xen.dirtied = (unsigned)(first << 8) + nr;
    return 0;
}
int xendevicemodel_shutdown(xendevicemodel_handle *h, domid_t d, unsigned reason)
{
    (void)h, (void)d;
    xen.shutdown_reason = reason;
    xen.shutdowns++;
    return 0;
}
int xendevicemodel_relocate_memory(xendevicemodel_handle *h, domid_t d, uint32_t n, uint64_t from,
                                   uint64_t to)
{
    (void)h, (void)d;
    if (++xen.relocations == xen.fail_relocation_at) {
        errno = EINVAL;
        return -1;
    }
    for (uint32_t i = 0; i < n; i++) {
        struct page *p = at_gfn(from + i);
        assert_non_null(p);
        take_page(to + i);
        put_page(p, to + i);
    }
    return 0;
}
int xendevicemodel_pin_memory_cacheattr(xendevicemodel_handle *h, domid_t d, uint64_t first,
                                        uint64_t last, uint32_t type)
{
    (void)h, (void)d;
    assert_int_equal(last - first + 1, VRAM_PAGES);
    if (type == XEN_DMOP_DELETE_MEM_CACHEATTR) {
        assert_int_equal(first, xen.pinned);
        xen.pinned = 0;
    } else {
        assert_int_equal(type, XEN_DMOP_MEM_CACHEATTR_WB);
        assert_int_equal(xen.pinned, 0);
        xen.pinned = first;
        xen.pins++;
    }
    return 0;
}

xenforeignmemory_handle *xenforeignmemory_open(struct xentoollog_logger *l, unsigned f)
{
    (void)l, (void)f;
    return opened();
}
int xenforeignmemory_close(xenforeignmemory_handle *h)
{
    (void)h;
    return closed();
}

void *xenforeignmemory_map2(xenforeignmemory_handle *h, uint32_t d, void *addr, int prot, int flags,
                            size_t n, const xen_pfn_t *gfns, int *errors)
{
    (void)h;
    assert_int_equal(d, DOMID);
    if (fails())
        return NULL;
    if (n == 1 && (gfns[0] == 0xFEFF0 || gfns[0] == 0xFEFF1)) {
        xen.maps += n;
        return xen.shared + (gfns[0] & 1) * XEN_PAGE;
    }
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        bool there = at_gfn(gfns[i]) != NULL;
        any |= there;
        if (!there && !errors) {
            errno = EINVAL;
            return NULL;
        }
        if (errors)
            errors[i] = there ? 0 : -EINVAL;
    }
    uint8_t *p = mmap(addr, n * XEN_PAGE, prot, MAP_SHARED | MAP_ANONYMOUS | flags, -1, 0);
    assert_ptr_not_equal(p, MAP_FAILED);
    for (size_t i = 0; any && i < n; i++) {
        struct page *page = at_gfn(gfns[i]);
        if (page)
            assert_ptr_equal(mmap(p + i * XEN_PAGE, XEN_PAGE, prot, MAP_SHARED | MAP_FIXED,
                                  xen.memory_fd, (page - xen.pages) * (off_t)XEN_PAGE),
                             p + i * XEN_PAGE);
    }
    xen.maps += n;
    return p;
}
void *xenforeignmemory_map(xenforeignmemory_handle *h, uint32_t d, int prot, size_t n,
                           const xen_pfn_t *gfns, int *errors)
{
    return xenforeignmemory_map2(h, d, NULL, prot, 0, n, gfns, errors);
}
int xenforeignmemory_unmap(xenforeignmemory_handle *h, void *p, size_t n)
{
    (void)h;
    assert_true(xen.maps >= n);
    xen.maps -= n;
    return (uint8_t *)p >= xen.shared && (uint8_t *)p < xen.shared + 2 * XEN_PAGE
               ? 0
               : munmap(p, n * XEN_PAGE);
}
xenforeignmemory_resource_handle *xenforeignmemory_map_resource(xenforeignmemory_handle *h,
                                                                domid_t d, unsigned type,
                                                                unsigned id, unsigned long frame,
                                                                unsigned long n, void **addr,
                                                                int prot, int flags)
{
    (void)h, (void)d, (void)prot, (void)flags;
    assert_int_equal(type, XENMEM_resource_ioreq_server);
    assert_int_equal(id, 3);
    assert_int_equal(frame, 0);
    assert_int_equal(n, 2);
    if (!xen.resources) {
        errno = EOPNOTSUPP;
        return NULL;
    }
    *addr = xen.shared;
    xen.maps++;
    return (void *)&handle;
}
int xenforeignmemory_unmap_resource(xenforeignmemory_handle *h, xenforeignmemory_resource_handle *r)
{
    (void)h, (void)r;
    xen.maps--;
    return 0;
}

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *l, unsigned f)
{
    (void)l, (void)f;
    return opened();
}
int xenevtchn_close(xenevtchn_handle *h)
{
    (void)h;
    memset(xen.remote, 0, sizeof(xen.remote));
    xen.next_port = 0;
    return closed();
}
int xenevtchn_fd(xenevtchn_handle *h)
{
    (void)h;
    return xen.evtchn_fd;
}
int xenevtchn_notify(xenevtchn_handle *h, evtchn_port_t port)
{
    (void)h;
    xen.notified[port]++;
    return 0;
}
xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *h, uint32_t d,
                                                     evtchn_port_t remote)
{
    (void)h;
    assert_int_equal(d, DOMID);
    if (fails())
        return -1;
    xen.next_port += 67; /* not one after the other */
    xen.remote[xen.next_port] = remote;
    return (int)xen.next_port;
}

int xentoolcore_restrict_all(domid_t d)
{
    assert_int_equal(d, DOMID);
    if (fails())
        return -1;
    xen.restricted = true;
    return 0;
}

/* --- the guest --- */

struct fixture {
    struct loop *loop;
    struct hypervisor *hv;
    struct bus *bus;
    struct io_region region;
    unsigned reads, writes;
    int64_t offset;
    uint64_t last_write;
    bool busy, flood;
    struct deferred other;
};

static void post_write(uint32_t data);

static struct err err;

static inline uint64_t device_read(void *opaque, uint64_t offset, unsigned width)
{
    struct fixture *f = opaque;
    (void)width;
    f->reads++;
    return 0x40 + offset;
}
static void device_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct fixture *f = opaque;
    (void)offset, (void)width;
    f->writes++;
    f->last_write = value;
    if (f->flood)
        post_write(0);
}
static const struct io_ops device_ops = {.widths = 7, .read = device_read, .write = device_write};

static inline void time_changed(void *opaque, int64_t seconds)
{
    ((struct fixture *)opaque)->offset = seconds;
}

static struct hv_config config = {
    .domid = DOMID, .vcpus = VCPUS, .ram_bytes = 512 * MIB, .below_4g_end = 0xF0000000};

static inline int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    memset(&xen, 0, sizeof(xen));
    xen.resources = true;
    xen.vcpus = VCPUS;
    xen.evtchn_fd = eventfd(0, EFD_NONBLOCK);
    xen.memory_fd = memfd_create("guest", 0);
    assert_true(xen.evtchn_fd >= 0 && xen.memory_fd >= 0);
    assert_int_equal(ftruncate(xen.memory_fd, MAX_PAGES * (off_t)XEN_PAGE), 0);
    xen.shared = aligned_alloc(XEN_PAGE, 2 * XEN_PAGE);
    assert_non_null(xen.shared);
    memset(xen.shared, 0, 2 * XEN_PAGE);
    for (unsigned i = 0; i < 256; i++) /* 1 MiB of the guest's RAM is really there */
        add_page(i);
    config.incoming = false;
    f->loop = loop_new(&err);
    assert_non_null(f->loop);
    f->bus = bus_new(NULL);
    io_region_init(&f->region, "device", &device_ops, f);
    assert_true(bus_map(f->bus, &f->region, IO_PORT, 0x100, 8, &err));
    *state = f;
    return 0;
}

static inline void start(struct fixture *f)
{
    f->hv = xen_open(&config, f->loop, &err);
    assert_non_null(f->hv);
    xen_attach(f->hv, f->bus, time_changed, f);
}

static inline int setup_open(void **state)
{
    setup(state);
    start(*state);
    return 0;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;
    xen_close(f->hv);
    assert_int_equal(xen.open_handles, 0);
    assert_int_equal(xen.maps, 0);
    assert_false(xen.server);
    bus_free(f->bus);
    loop_free(f->loop);
    close(xen.evtchn_fd);
    close(xen.memory_fd);
    free(xen.shared);
    free(f);
    return 0;
}

static inline void post_write(uint32_t data)
{
    struct buffered_iopage *p = (void *)xen.shared;
    p->buf_ioreq[p->write_pointer % IOREQ_BUFFER_SLOT_NUM] = (struct buf_ioreq){
        .type = IOREQ_TYPE_PIO, .dir = IOREQ_WRITE, .addr = 0x100, .data = data & 0xFF};
    p->write_pointer++;
}

#define T(test, before) cmocka_unit_test_setup_teardown(test, before, teardown)

#endif
