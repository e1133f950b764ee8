/* SPDX-License-Identifier: GPL-2.0-or-later */
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
#define hv_restrict       xen_restrict
/* The companion process is another test's. */
#define companion_sleep_s3 xen_companion_sleep_s3
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
static bool fails(void)
{
    if (!xen.fail || --xen.fail)
        return false;
    errno = EIO;
    return true;
}

static void *opened(void)
{
    if (fails())
        return NULL;
    xen.open_handles++;
    return &handle;
}

static int closed(void)
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

static struct page *at_gfn(uint64_t gfn)
{
    return gfn < MAX_GFN && xen.page_at[gfn] ? &xen.pages[xen.page_at[gfn] - 1] : NULL;
}

static void put_page(struct page *p, uint64_t gfn)
{
    assert_true(gfn < MAX_GFN);
    if (p->there)
        xen.page_at[p->gfn] = 0;
    *p = (struct page){gfn, true};
    xen.page_at[gfn] = (uint16_t)(p - xen.pages + 1);
}

static void add_page(uint64_t gfn)
{
    assert_true(xen.page_count < MAX_PAGES);
    put_page(&xen.pages[xen.page_count++], gfn);
}

static void take_page(uint64_t gfn)
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

static int range(const char *what, bool claim, uint64_t first, uint64_t last)
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

/* The eventfd is readable while an unmasked port is pending. */
static void update_fd(void)
{
    uint64_t n = 1;
    (void)!read(xen.evtchn_fd, &n, sizeof(n));
    n = 1;
    for (unsigned p = 0; p < 512; p++)
        if (xen.pending[p] && !xen.masked[p]) {
            assert_int_equal(write(xen.evtchn_fd, &n, sizeof(n)), sizeof(n));
            return;
        }
}
xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *h)
{
    (void)h;
    for (unsigned p = 0; p < 512; p++)
        if (xen.pending[p] && !xen.masked[p]) {
            xen.pending[p] = false;
            xen.masked[p] = true;
            update_fd();
            return (int)p;
        }
    fail_msg("would block");
    return -1;
}
int xenevtchn_unmask(xenevtchn_handle *h, evtchn_port_t port)
{
    (void)h;
    assert_true(xen.masked[port]);
    xen.masked[port] = false;
    xen.unmasks++;
    update_fd();
    return 0;
}
static unsigned port_of(uint32_t remote)
{
    for (unsigned p = 0; p < 512; p++)
        if (xen.remote[p] == remote)
            return p;
    fail_msg("port %u is not bound", remote);
    return 0;
}
static void send_event(uint32_t remote)
{
    xen.pending[port_of(remote)] = true;
    update_fd();
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

static uint64_t device_read(void *opaque, uint64_t offset, unsigned width)
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

static void time_changed(void *opaque, int64_t seconds)
{
    ((struct fixture *)opaque)->offset = seconds;
}

static struct hv_config config = {
    .domid = DOMID, .vcpus = VCPUS, .ram_bytes = 512 * MIB, .below_4g_end = 0xF0000000};

static int setup(void **state)
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

static void start(struct fixture *f)
{
    f->hv = xen_open(&config, f->loop, &err);
    assert_non_null(f->hv);
    xen_attach(f->hv, f->bus, time_changed, f);
}

static int setup_open(void **state)
{
    setup(state);
    start(*state);
    return 0;
}

static int teardown(void **state)
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

static struct ioreq *slot(unsigned vcpu)
{
    return &((struct shared_iopage *)(void *)(xen.shared + XEN_PAGE))->vcpu_ioreq[vcpu];
}

static void make_request(unsigned vcpu, uint32_t dir, uint64_t data)
{
    struct ioreq *p = slot(vcpu);
    p->addr = 0x103;
    p->size = 1;
    p->count = 1;
    p->dir = dir & 1;
    p->data = data;
    p->data_is_ptr = 0;
    p->type = IOREQ_TYPE_PIO;
    p->state = STATE_IOREQ_READY;
}

static void request(unsigned vcpu, uint32_t dir, uint64_t data)
{
    make_request(vcpu, dir, data);
    send_event(REMOTE(vcpu));
}

static void post_write(uint32_t data)
{
    struct buffered_iopage *p = (void *)xen.shared;
    p->buf_ioreq[p->write_pointer % IOREQ_BUFFER_SLOT_NUM] = (struct buf_ioreq){
        .type = IOREQ_TYPE_PIO, .dir = IOREQ_WRITE, .addr = 0x100, .data = data & 0xFF};
    p->write_pointer++;
}

static bool nothing_left(void)
{
    for (unsigned p = 0; p < 512; p++)
        if (xen.masked[p] || xen.pending[p])
            return false;
    return true;
}

/* Until the buffered ring was found empty, after its delay. */
static void settle(struct fixture *f)
{
    while (f->hv->posted_later || f->hv->work.queued)
        loop_turn(f->loop, CLOCK_NEVER);
}

/* --- tests --- */

static void test_open_and_close(void **state)
{
    struct fixture *f = *state;
    assert_true(xen.server);
    assert_false(xen.enabled);
    assert_int_equal(f->hv->rings.vcpus, VCPUS);
    for (unsigned v = 0; v < VCPUS; v++)
        port_of(REMOTE(v));
    port_of(BUFFERED);
    assert_ptr_equal(f->hv->rings.buffered, xen.shared);
    assert_ptr_equal(f->hv->rings.sync, xen.shared + XEN_PAGE);
}

static void test_older_kernel(void **state)
{
    struct fixture *f = *state;
    xen.resources = false;
    xen.vcpus = 0; /* and an older Xen */
    start(f);
    assert_int_equal(f->hv->rings.vcpus, VCPUS);
    assert_int_equal(xen.maps, 2);
    assert_true(xen_run(f->hv, true, &err));
    request(0, IOREQ_READ, 0);
    loop_turn(f->loop, 0);
    assert_int_equal(slot(0)->data, 0x43);
}

/* Every step of opening fails once: one line, and nothing is left behind (teardown looks). */
static void test_open_failures(void **state)
{
    struct fixture *f = *state;
    unsigned n = 1;
    for (unsigned old = 0; old < 2; old++) {
        xen.resources = !old;
        for (n = 1;; n++) {
            xen.fail = (int)n;
            err.text[0] = 0;
            struct hypervisor *hv = xen_open(&config, f->loop, &err);
            if (hv) {
                xen_close(hv);
                break;
            }
            assert_true(strlen(err.text) > 10);
            assert_int_equal(xen.open_handles, 0);
            assert_int_equal(xen.maps, 0);
            assert_false(xen.server);
        }
        xen.fail = 0;
        assert_true(n > 10);
    }
    struct hv_config bad = config;
    bad.domid = 0x7FF0;
    assert_null(xen_open(&bad, f->loop, &err));
    xen.vcpus = 129;
    assert_null(xen_open(&config, f->loop, &err));
    assert_non_null(strstr(err.text, "129"));
}

static void test_requests(void **state)
{
    struct fixture *f = *state;
    assert_true(xen_run(f->hv, true, &err));
    assert_true(xen.enabled);
    request(1, IOREQ_READ, 0);
    loop_turn(f->loop, 0);
    assert_int_equal(slot(1)->state, STATE_IORESP_READY);
    assert_int_equal(slot(1)->data, 0x43);
    assert_int_equal(xen.notified[port_of(REMOTE(1))], 1);
    /* All vCPUs at once, and posted writes. */
    for (unsigned v = 0; v < VCPUS; v++)
        request(v, IOREQ_WRITE, v);
    post_write(0x77);
    send_event(BUFFERED);
    for (unsigned i = 0; i < 2 * VCPUS + 2; i++)
        loop_turn(f->loop, 0);
    assert_int_equal(f->writes, VCPUS + 1);
    settle(f);
    assert_true(nothing_left());
    assert_int_equal(f->writes, VCPUS + 1);
    /* TIMEOFFSET goes to whom it was attached. */
    make_request(0, IOREQ_WRITE, (uint64_t)-60);
    slot(0)->type = IOREQ_TYPE_TIMEOFFSET;
    send_event(REMOTE(0));
    loop_turn(f->loop, 0);
    assert_int_equal(f->offset, -60);
}

/* A request that the spin finds before its event: the late event is harmless. */
static void test_found_before_event(void **state)
{
    struct fixture *f = *state;
    assert_true(xen_run(f->hv, true, &err));
    make_request(2, IOREQ_READ, 0);
    loop_turn(f->loop, 1);
    assert_int_equal(slot(2)->state, STATE_IORESP_READY);
    assert_int_equal(f->reads, 1);
    send_event(REMOTE(2));
    for (unsigned i = 0; i < 3; i++)
        loop_turn(f->loop, 1);
    assert_int_equal(f->reads, 1);
    assert_int_equal(xen.notified[port_of(REMOTE(2))], 1);
    assert_true(nothing_left());
}

static void again(void *opaque)
{
    struct fixture *f = opaque;
    if (f->busy)
        loop_defer(f->loop, &f->other);
}

/* While a guest keeps us at work its port stays masked, and the loop's other work gets its turns;
 * a loop that never comes to rest serves all vCPUs nevertheless. */
static void test_masked_while_busy(void **state)
{
    struct fixture *f = *state;
    f->busy = true;
    deferred_init(&f->other, again, f);
    loop_defer(f->loop, &f->other);
    assert_true(xen_run(f->hv, true, &err));
    request(0, IOREQ_READ, 0);
    loop_turn(f->loop, 0);
    unsigned unmasks = xen.unmasks;
    for (unsigned i = 0; i < 50; i++) {
        request(0, IOREQ_READ, 0);
        request(1, IOREQ_READ, 0);
        loop_turn(f->loop, CLOCK_NEVER); /* does not sleep: `again` is always due */
        loop_turn(f->loop, CLOCK_NEVER);
        assert_int_equal(slot(0)->state, STATE_IORESP_READY);
        assert_int_equal(slot(1)->state, STATE_IORESP_READY);
    }
    assert_int_equal(f->reads, 101);
    assert_true(xen.unmasks - unmasks <= 100);
    f->busy = false;
    for (unsigned i = 0; i < 4 + SPIN_WINDOW_NS / SPIN_SLICE_NS; i++) /* a last spin in vain */
        loop_turn(f->loop, 0);
    assert_true(nothing_left());
}

/* vCPUs that ask again at once do not starve the others. */
static void test_fair_to_all_vcpus(void **state)
{
    struct fixture *f = *state;
    f->hv->rings.vcpus = 16;
    f->hv->running = true;
    unsigned served[16] = {0};
    for (unsigned i = 0; i < 64; i++) {
        for (unsigned v = 0; v < 16; v++)
            if (slot(v)->state != STATE_IOREQ_READY) {
                served[v] += i > 0;
                make_request(v, IOREQ_READ, 0);
            }
        assert_int_equal(serve_all(f->hv, POLL_REQUESTS), POLL_REQUESTS);
    }
    for (unsigned v = 0; v < 16; v++)
        assert_in_range(served[v], 64 * POLL_REQUESTS / 16 - 2, 64 * POLL_REQUESTS / 16 + 1);
    f->hv->running = false;
    f->hv->rings.vcpus = VCPUS;
}

/* However fast it posts: once a ring full per look, and no look without a pause. */
static void test_flood_leaves_room_for_others(void **state)
{
    struct fixture *f = *state;
    assert_true(xen_run(f->hv, true, &err));
    loop_turn(f->loop, 0);
    for (unsigned i = 0; i < IOREQ_BUFFER_SLOT_NUM; i++)
        post_write(i);
    send_event(BUFFERED);
    f->flood = true; /* each write makes the guest post another */
    for (unsigned i = 1; i <= 3; i++) {
        loop_turn(f->loop, CLOCK_NEVER); /* the event, then the delay */
        assert_int_equal(f->writes, i * IOREQ_BUFFER_SLOT_NUM);
        assert_true(f->hv->posted_later);
        assert_false(f->hv->work.queued);
    }
    /* A request has them served first (here the delay never ends by itself meanwhile). */
    const struct itimerspec never = {0};
    timerfd_settime(f->hv->posted_timer, 0, &never, NULL);
    request(0, IOREQ_WRITE, 0x99);
    loop_turn(f->loop, 0);
    assert_int_equal(f->writes, 4 * IOREQ_BUFFER_SLOT_NUM + 1);
    assert_int_equal(f->last_write, 0x99);
    f->flood = false;
    look_later(f->hv);
    settle(f);
    assert_true(nothing_left());
}

/* Writes that come one by one cost no event each: the port stays masked for a while. */
static void test_posted_writes_are_gathered(void **state)
{
    struct fixture *f = *state;
    assert_true(xen_run(f->hv, true, &err));
    loop_turn(f->loop, 0);
    unsigned unmasks = xen.unmasks;
    for (unsigned i = 1; i <= 100; i++) {
        post_write(i);
        send_event(BUFFERED);
        if (i == 1)
            loop_turn(f->loop, 0);
    }
    assert_int_equal(f->writes, 1);
    loop_turn(f->loop, CLOCK_NEVER);
    assert_int_equal(f->writes, 100);
    assert_int_equal(f->last_write, 100);
    assert_int_equal(xen.unmasks, unmasks); /* there was something: again later */
    settle(f);
    assert_int_equal(f->writes, 100);
    settle(f); /* the event that was pending, and the look after it */
    loop_turn(f->loop, 0);
    settle(f);
    assert_true(nothing_left());
    /* Then nothing runs any more. */
    struct itimerspec left;
    assert_int_equal(timerfd_gettime(f->hv->posted_timer, &left), 0);
    assert_int_equal(left.it_value.tv_nsec, 0);
    /* Stopped while waiting: the rest is served at once, the port is not forgotten. */
    post_write(7);
    send_event(BUFFERED);
    loop_turn(f->loop, 0);
    assert_true(f->hv->posted_later);
    post_write(8);
    assert_true(xen_run(f->hv, false, &err));
    assert_int_equal(f->last_write, 8);
    settle(f);
    assert_true(nothing_left());
}

static void test_stop_drains(void **state)
{
    struct fixture *f = *state;
    assert_true(xen_run(f->hv, true, &err));
    assert_true(xen_run(f->hv, true, &err)); /* idempotent */
    post_write(5);
    post_write(6);
    make_request(1, IOREQ_WRITE, 9);
    assert_true(xen_run(f->hv, false, &err));
    assert_false(xen.enabled);
    assert_int_equal(f->writes, 3);
    assert_int_equal(f->last_write, 9);
    assert_int_equal(slot(1)->state, STATE_IORESP_READY);
    assert_true(xen_run(f->hv, false, &err));
    /* Stopped: devices are left alone, and nothing spins or stays masked. */
    request(0, IOREQ_WRITE, 1);
    loop_turn(f->loop, 0);
    loop_turn(f->loop, 1);
    assert_int_equal(f->writes, 3);
    assert_true(nothing_left());
    /* Running again it is served, though its event is gone. */
    assert_true(xen_run(f->hv, true, &err));
    loop_turn(f->loop, 1);
    assert_int_equal(f->writes, 4);
    xen.fail = 1;
    assert_false(xen_run(f->hv, false, &err));
    assert_true(xen_run(f->hv, false, &err));
}

static void test_ranges(void **state)
{
    struct fixture *f = *state;
    assert_true(xen_claim_ports(f->hv, 0x1F0, 0x1F7, true, &err));
    assert_string_equal(xen.last_range, "+port 1f0-1f7");
    assert_true(xen_claim_ports(f->hv, 0x1F0, 0x1F7, false, &err));
    assert_string_equal(xen.last_range, "-port 1f0-1f7");
    assert_true(xen_claim_memory(f->hv, 0xA0000, 0xBFFFF, true, &err));
    assert_string_equal(xen.last_range, "+mem a0000-bffff");
    assert_true(xen_claim_pci(f->hv, 0x0B, true, &err)); /* 00:01.3 */
    assert_string_equal(xen.last_range, "+pci 0-13");
    assert_true(xen_claim_pci(f->hv, 0x0B, false, &err));
    xen.refuse_ranges = true;
    assert_false(xen_claim_ports(f->hv, 1, 2, true, &err));
    assert_non_null(strstr(err.text, "ports 0x1-0x2"));
    assert_false(xen_claim_memory(f->hv, 1, 2, true, &err));
    assert_false(xen_claim_pci(f->hv, 8, true, &err));
    assert_non_null(strstr(err.text, "01.0"));
}

static void test_interrupts_and_power(void **state)
{
    struct fixture *f = *state;
    xen_isa_irq(f->hv, 14, true);
    assert_int_equal(xen.isa, 14 << 4 | 1);
    xen_pci_intx(f->hv, 5, 2, true);
    assert_int_equal(xen.intx, 5 << 8 | 2 << 4 | 1);
    xen_pci_link_route(f->hv, 3, 11);
    assert_int_equal(xen.link, 3 << 8 | 11);
    xen_msi(f->hv, 0xFEE00000, 0x41);
    assert_int_equal(xen.msi, 0xFEE00041);
    xen.fail = 1;
    xen_msi(f->hv, 0, 0);
    xen.fail = 1;
    xen_isa_irq(f->hv, 1, true); /* said once, and goes on */
    assert_true(f->hv->irq_failed);
    xen_shutdown(f->hv, HV_SHUTDOWN_POWEROFF);
    assert_int_equal(xen.shutdown_reason, 0);
    xen_shutdown(f->hv, HV_SHUTDOWN_REBOOT);
    assert_int_equal(xen.shutdown_reason, 1);
    xen_shutdown(f->hv, HV_SHUTDOWN_CRASH);
    assert_int_equal(xen.shutdown_reason, 3);
    assert_false(xen_sleep_s3(f->hv, &err)); /* without a companion */
    f->hv->config.companion = (void *)&xen;
    assert_true(xen_sleep_s3(f->hv, &err));
    assert_int_equal(xen.sleeps, 1);
    xen.fail = 1;
    assert_false(xen_sleep_s3(f->hv, &err));
}

static void test_memory(void **state)
{
    struct fixture *f = *state;
    size_t len = 100;
    uint8_t *p = xen_mem_map(f->hv, 0x5010, &len);
    assert_non_null(p);
    assert_int_equal(len, 100);
    p[0] = 0x5A;
    xen_mem_unmap(f->hv, p, len);
    xen_mem_dirty(f->hv, 0x5010, 100);
    assert_int_equal(xen.dirtied, 0);
    xen_log_dirty(f->hv, true);
    xen_mem_dirty(f->hv, 0x5FFF, 2);
    assert_int_equal(xen.dirtied, 5 << 8 | 2);
    xen.dirtied = 0;
    xen_mem_dirty(f->hv, 0x5FFF, 0);
    assert_int_equal(xen.dirtied, 0);
    len = 1;
    assert_null(xen_mem_map(f->hv, 0x80000000, &len));
    /* The guest gives a page away; Xen tells. */
    take_page(5);
    assert_true(xen_run(f->hv, true, &err));
    *slot(0) = (struct ioreq){
        .type = IOREQ_TYPE_INVALIDATE, .size = 4, .data = ~0ull, .state = STATE_IOREQ_READY};
    send_event(REMOTE(0));
    loop_turn(f->loop, 0);
    assert_int_equal(slot(0)->state, STATE_IORESP_READY);
    len = 1;
    assert_null(xen_mem_map(f->hv, 0x5010, &len));
}

static void test_restrict(void **state)
{
    struct fixture *f = *state;
    xen.fail = 1;
    assert_false(xen_restrict(f->hv, &err));
    assert_true(xen_restrict(f->hv, &err));
    assert_true(xen.restricted);
    assert_true(xen_run(f->hv, true, &err));
}

/* --- video memory --- */

static uint8_t *vram(struct fixture *f)
{
    uint8_t *p = xen_vram_create(f->hv, VRAM_BYTES, &err);
    assert_non_null(p);
    assert_true(xen_vram_whole(f->hv));
    for (unsigned i = 0; i < VRAM_PAGES; i++)
        *(uint32_t *)(void *)(p + i * XEN_PAGE) = 0xC0DE0000 + i;
    return p;
}

/* The guest sees the memory at addr, page by page in order. */
static void assert_guest_sees(struct fixture *f, uint64_t addr)
{
    for (unsigned i = 0; i < VRAM_PAGES; i += 255) {
        size_t len = 4;
        uint32_t *p = xen_mem_map(f->hv, addr + i * XEN_PAGE, &len);
        assert_non_null(p);
        assert_int_equal(*p, 0xC0DE0000 + i);
        xen_mem_unmap(f->hv, p, len);
    }
}

static void test_vram_moves(void **state)
{
    struct fixture *f = *state;
    const uint64_t parked = 0x100000000, bar = 0xF0000000, other = 0xF4000000;
    uint8_t *p = vram(f);
    assert_int_equal(xen_vram_where(f->hv), parked);
    assert_guest_sees(f, parked);
    assert_true(xen_vram_move(f->hv, bar));
    assert_int_equal(xen_vram_where(f->hv), bar);
    assert_guest_sees(f, bar);
    size_t len = 4;
    assert_null(xen_mem_map(f->hv, parked, &len));
    assert_int_equal(xen.pinned, bar / XEN_PAGE);
    /* The host's pointer is still the same memory. */
    *(uint32_t *)(void *)(p + 255 * XEN_PAGE) = 0xC0DE0000 + 255;
    assert_guest_sees(f, bar);

    /* Taken away and put back costs nothing. */
    unsigned relocations = xen.relocations;
    assert_true(xen_vram_move(f->hv, HV_VRAM_PARKED));
    assert_true(xen_vram_move(f->hv, bar));
    assert_int_equal(xen.relocations, relocations);

    assert_true(xen_vram_move(f->hv, other));
    assert_guest_sees(f, other);
    assert_int_equal(xen.pinned, other / XEN_PAGE);
    assert_int_equal(xen.pins, 2);
    /* While shown, others that claim the range do not push it away … */
    assert_true(xen_claim_memory(f->hv, other, other + 0xFFF, true, &err));
    assert_int_equal(xen_vram_where(f->hv), other);
    /* … while unmapped they do, if they overlap. */
    assert_true(xen_vram_move(f->hv, HV_VRAM_PARKED));
    assert_true(xen_claim_memory(f->hv, bar, bar + 0xFFF, true, &err));
    assert_true(xen_claim_memory(f->hv, other - 0x1000, other - 1, true, &err));
    assert_true(xen_claim_memory(f->hv, other + VRAM_BYTES, other + VRAM_BYTES, true, &err));
    assert_int_equal(xen_vram_where(f->hv), other);
    assert_true(xen_claim_memory(f->hv, other - 0x1000, other, true, &err));
    assert_int_equal(xen_vram_where(f->hv), parked);
    assert_int_equal(xen.pinned, 0);
    assert_guest_sees(f, parked);
    assert_true(xen_vram_move(f->hv, parked)); /* where saved state may say it was */
}

static void test_vram_refused_places(void **state)
{
    struct fixture *f = *state;
    vram(f);
    assert_true(xen_vram_move(f->hv, 0xE0000000));
    static const uint64_t bad[] = {0,
                                   MIB,
                                   512 * MIB - 1,
                                   512 * MIB - XEN_PAGE,
                                   0xE0000800,
                                   0xE0100000, /* onto itself, shifted */
                                   0xDF100000,
                                   0xFB100000,
                                   0xFC000000,
                                   0xFF000000,
                                   0xFFFFF000,
                                   UINT64_MAX - 0xFFF,
                                   UINT64_C(1) << 52};
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(xen_vram_move(f->hv, bad[i]));
        assert_int_equal(xen_vram_where(f->hv), 0xE0000000);
    }
    assert_true(xen_vram_move(f->hv, 512 * MIB));
    assert_true(xen_vram_move(f->hv, 0xFB000000));
    assert_true(xen_vram_move(f->hv, 0x200000000));
    assert_guest_sees(f, 0x200000000);
}

/* The third of four batches is refused: back to where it was. */
static void test_vram_move_rolls_back(void **state)
{
    struct fixture *f = *state;
    vram(f);
    assert_true(xen_vram_move(f->hv, 0xF0000000));
    xen.fail_relocation_at = xen.relocations + 3;
    assert_false(xen_vram_move(f->hv, 0xF8000000));
    assert_int_equal(xen_vram_where(f->hv), 0xF0000000);
    assert_guest_sees(f, 0xF0000000);
    assert_true(xen_vram_move(f->hv, 0xF8000000));
    assert_guest_sees(f, 0xF8000000);
}

static void test_vram_above_high_ram(void **state)
{
    struct fixture *f = *state;
    f->hv->config.ram_bytes = 6144 * MIB;
    f->hv->config.below_4g_end = 0xF0000000;
    uint8_t *p = vram(f);
    assert_non_null(p);
    assert_int_equal(xen_vram_where(f->hv), 0x100000000 + (6144 * MIB - 0xF0000000));
    assert_false(xen_vram_move(f->hv, 0x100000000)); /* high RAM */
    assert_false(xen_vram_move(f->hv, 0xE0000000));  /* low RAM */
    assert_true(xen_vram_move(f->hv, 0xF0000000));
}

/* Its start is mapped at once, the rest when asked for, wherever it then is. */
static void test_vram_whole(void **state)
{
    struct fixture *f = *state;
    const size_t first = HV_VRAM_FIRST / XEN_PAGE, before = xen.maps;
    uint8_t *p = xen_vram_create(f->hv, VRAM_BYTES, &err);
    assert_non_null(p);
    assert_int_equal(xen.maps, before + first);
    for (size_t i = 0; i < first; i++)
        *(uint32_t *)(void *)(p + i * XEN_PAGE) = 0xC0DE0000 + (uint32_t)i;
    assert_true(xen_vram_move(f->hv, 0xF0000000));
    xen.fail = 1;
    assert_false(xen_vram_whole(f->hv));
    assert_int_equal(xen.maps, before + first);
    assert_true(xen_vram_whole(f->hv));
    assert_true(xen_vram_whole(f->hv));
    assert_int_equal(xen.maps, before + VRAM_PAGES);
    for (size_t i = first; i < VRAM_PAGES; i++)
        *(uint32_t *)(void *)(p + i * XEN_PAGE) = 0xC0DE0000 + (uint32_t)i;
    assert_guest_sees(f, 0xF0000000);
    assert_true(xen_vram_move(f->hv, 0xE0000000));
    assert_guest_sees(f, 0xE0000000);
}

static void test_vram_create_fails(void **state)
{
    struct fixture *f = *state;
    assert_null(xen_vram_create(f->hv, 0, &err));
    assert_null(xen_vram_create(f->hv, 4097, &err));
    assert_null(xen_vram_create(f->hv, UINT64_C(1) << 40, &err));
    assert_false(xen_vram_move(f->hv, 0xF0000000));
    xen.fail = 1;
    assert_null(xen_vram_create(f->hv, VRAM_BYTES, &err));
    xen.out_of_memory_after = 3000;
    assert_null(xen_vram_create(f->hv, VRAM_BYTES, &err));
    assert_non_null(strstr(err.text, "3000 of 4096"));
    unsigned long bits[1];
    assert_false(xen_vram_dirty(f->hv, 1, bits));
}

static void test_vram_dirty(void **state)
{
    struct fixture *f = *state;
    unsigned long bits[VRAM_PAGES / (8 * sizeof(long))] = {0};
    vram(f);
    xen_vram_untrack(f->hv); /* was never tracked */
    assert_true(xen_vram_move(f->hv, 0xF0000000));
    assert_true(xen_vram_dirty(f->hv, 100, bits));
    assert_int_equal(xen.tracked_gfn, 0xF0000);
    assert_int_equal(xen.tracked_pages, 100);
    assert_int_equal(bits[0] & 0xFF, 0xA5);
    assert_true(xen_vram_dirty(f->hv, VRAM_PAGES, bits));
    assert_false(xen_vram_dirty(f->hv, VRAM_PAGES + 1, bits));
    assert_false(xen_vram_dirty(f->hv, 0, bits));
    xen.log_dirty_mode = true;
    assert_false(xen_vram_dirty(f->hv, 100, bits));
    xen_vram_untrack(f->hv);
    assert_int_equal(xen.tracked_pages, 0);
}

/* On a restore the memory is in the domain: nothing is populated, the same pointer shows it. */
static void test_vram_incoming(void **state)
{
    struct fixture *f = *state;
    f->hv->config.incoming = true;
    uint8_t *p = xen_vram_create(f->hv, VRAM_BYTES, &err);
    assert_non_null(p);
    assert_int_equal(xen.populated, 0);
    p[VRAM_BYTES - 1] = 1;                             /* may be touched already */
    assert_true(xen_vram_move(f->hv, HV_VRAM_PARKED)); /* a reset before the state is loaded */
    assert_int_equal(xen_vram_where(f->hv), HV_VRAM_PARKED);
    unsigned long bits[1];
    assert_false(xen_vram_dirty(f->hv, 1, bits));
    assert_false(xen_vram_move(f->hv, 0xF0000000)); /* it is not there */
    for (unsigned i = 0; i < VRAM_PAGES; i++)
        add_page(0xF0000 + i);
    size_t len = 8;
    uint8_t *g = xen_mem_map(f->hv, 0xF0000000 + 7 * XEN_PAGE, &len);
    assert_non_null(g);
    g[3] = 0x99;
    assert_true(xen_vram_move(f->hv, 0xF0000000));
    assert_int_equal(p[7 * XEN_PAGE + 3], 0x99);
    xen_mem_unmap(f->hv, g, len);
    assert_int_equal(xen_vram_where(f->hv), 0xF0000000);
    assert_int_equal(xen.relocations, 0);
    for (unsigned i = 0; i < VRAM_PAGES; i++)
        *(uint32_t *)(void *)(p + i * XEN_PAGE) = 0xC0DE0000 + i;
    xen.pinned = 0xF0000; /* as the process before left it */
    assert_true(xen_vram_move(f->hv, 0xE0000000));
    assert_guest_sees(f, 0xE0000000);
}

static void test_vram_incoming_closed_early(void **state)
{
    struct fixture *f = *state;
    f->hv->config.incoming = true;
    assert_non_null(xen_vram_create(f->hv, VRAM_BYTES, &err));
}

#define T(test, before) cmocka_unit_test_setup_teardown(test, before, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_open_and_close, setup_open),
        T(test_older_kernel, setup),
        T(test_open_failures, setup),
        T(test_requests, setup_open),
        T(test_found_before_event, setup_open),
        T(test_masked_while_busy, setup_open),
        T(test_fair_to_all_vcpus, setup_open),
        T(test_flood_leaves_room_for_others, setup_open),
        T(test_posted_writes_are_gathered, setup_open),
        T(test_stop_drains, setup_open),
        T(test_ranges, setup_open),
        T(test_interrupts_and_power, setup_open),
        T(test_memory, setup_open),
        T(test_restrict, setup_open),
        T(test_vram_moves, setup_open),
        T(test_vram_refused_places, setup_open),
        T(test_vram_move_rolls_back, setup_open),
        T(test_vram_above_high_ram, setup_open),
        T(test_vram_whole, setup_open),
        T(test_vram_create_fails, setup_open),
        T(test_vram_dirty, setup_open),
        T(test_vram_incoming, setup_open),
        T(test_vram_incoming_closed_early, setup_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
