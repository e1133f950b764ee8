/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xen: hypervisor.h on Xen, by the libraries with a stable interface: handles, the ioreq server and
 * its event channels, ranges, interrupts. Interface: Xen 4.17 public headers hvm/dm_op.h, memory.h,
 * event_channel.h.
 */
#include "hw/xen/xen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xentoolcore.h>

#include "hw/core/log.h"
#include "hw/xen/companion.h"

#define OWNER_BUFFERED (IOREQ_MAX_VCPUS + 1)

/* After so many requests served in a row without the loop, it looks at its other sources once: a
 * disk whose completion the guest is polling for must not wait longer than a few accesses. For the
 * same reason a spin is made of slices. */
#define POLL_REQUESTS 8u
#define SPIN_SLICE_NS 2000u

/* Posted writes come in floods (a text screen) and nobody waits for them: so long after the last
 * look they are looked for again. Whoever waits makes a request, before which they are served. */
#define POSTED_DELAY_NS (10 * NS_PER_MS)

static domid_t domid_of(const struct hypervisor *hv)
{
    return (domid_t)hv->config.domid;
}

/* --- events: serving requests --- */

static void notify(void *opaque, unsigned vcpu)
{
    struct hypervisor *hv = opaque;
    xenevtchn_notify(hv->evtchn, hv->vcpu_port[vcpu]);
}

static void offset_changed(void *opaque, int64_t seconds)
{
    struct hypervisor *hv = opaque;
    if (hv->time_offset)
        hv->time_offset(hv->time_offset_opaque, seconds);
}

static void invalidate(void *opaque)
{
    struct hypervisor *hv = opaque;
    mapcache_invalidate(hv->cache);
}

/* Without an event: the port stays masked. A timer of our own and not the loop's clock, which has
 * to be read once a turn while anything waits on it. */
static void look_later(struct hypervisor *hv)
{
    static const struct itimerspec delay = {.it_value.tv_nsec = POSTED_DELAY_NS};
    hv->posted_later = !timerfd_settime(hv->posted_timer, 0, &delay, NULL);
}

static void look_at_posted(void *opaque, uint32_t events)
{
    struct hypervisor *hv = opaque;
    uint64_t times;
    (void)events;
    if (read(hv->posted_timer, &times, sizeof(times)) < 0)
        return;
    hv->posted_later = false;
    if (hv->running && ioreq_drain(&hv->rings))
        look_later(hv);
    if (!hv->posted_later)
        xenevtchn_unmask(hv->evtchn, hv->buffered_port);
}

/*
 * A port that was taken stays masked until look_around finds nothing more to do: while we are at
 * work anyway its further events would only cost dom0 an interrupt each. Nothing gets lost: what is
 * sent meanwhile is pending and comes with the unmasking.
 */
static void event(void *opaque, uint32_t events)
{
    struct hypervisor *hv = opaque;
    (void)events;
    xenevtchn_port_or_error_t port = xenevtchn_pending(hv->evtchn);
    if (port < 0 || (uint32_t)port >= hv->port_owners || !hv->port_owner[port])
        return;
    unsigned owner = hv->port_owner[port];
    if (owner == OWNER_BUFFERED && hv->running) {
        ioreq_drain(&hv->rings);
        look_later(hv);
        if (hv->posted_later)
            return;
    }
    if (hv->masked_count < IOREQ_MAX_VCPUS + 1)
        hv->masked[hv->masked_count++] = (evtchn_port_t)port;
    else /* cannot be: one entry per port, and a masked port is not reported again */
        xenevtchn_unmask(hv->evtchn, (evtchn_port_t)port);
    loop_defer(hv->loop, &hv->work);
    if (hv->running && owner != OWNER_BUFFERED && ioreq_serve(&hv->rings, owner - 1))
        spin_arrived(&hv->spin);
}

/* Serves what is there now; returns how many requests that was. */
static unsigned serve_all(struct hypervisor *hv, unsigned budget)
{
    unsigned served = 0;
    for (unsigned i = 0; i < hv->rings.vcpus && served < budget; i++) {
        /* On from where the last look ended, so that no vCPU is always the last. */
        if (++hv->last_vcpu >= hv->rings.vcpus)
            hv->last_vcpu = 0;
        served += ioreq_serve(&hv->rings, hv->last_vcpu);
    }
    if (!served && !hv->posted_later && ioreq_posted(&hv->rings)) {
        ioreq_drain(&hv->rings);
        served = 1;
    }
    return served;
}

static void cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

/* One slice of a spin: how many requests it served; none: look at hv->spin_end, which is 0 if the
 * spin is over. */
static unsigned spin_slice(struct hypervisor *hv)
{
    const struct clock *clock = loop_clock(hv->loop);
    uint64_t now = clock_now(clock), end = now + SPIN_SLICE_NS;
    if (!hv->spin_end)
        hv->spin_end = now + SPIN_WINDOW_NS;
    for (; now < end; now = clock_now(clock))
        for (unsigned i = 0; i < 16; i++) {
            if (serve_all(hv, 1)) {
                spin_hit(&hv->spin);
                return 1;
            }
            cpu_relax();
        }
    if (now >= hv->spin_end) {
        spin_missed(&hv->spin);
        hv->spin_end = 0;
    }
    return 0;
}

/*
 * Serves what is there and what comes right after an answer: a vCPU that shares our CPU often runs
 * as soon as it has its answer, and has made its next request before we go on; for one that does
 * not we spin, if that has paid lately. False: there is nothing more to do now.
 */
static bool serve_series(struct hypervisor *hv)
{
    for (unsigned served = 0, found; served < POLL_REQUESTS; served += found) {
        found = serve_all(hv, POLL_REQUESTS - served);
        if (!found && !spin_on(&hv->spin))
            return false;
        if (!found && loop_pending(hv->loop)) /* that may be what the guest waits for */
            return true;
        if (!found)
            found = spin_slice(hv);
        if (!found)
            return hv->spin_end;
        hv->spin_end = 0;
    }
    return true;
}

/*
 * Runs once a turn of the loop from an event on, until there is nothing more to do. A deferred call
 * and not the loop's poll, because that is asked only by a loop with nothing else to do: a masked
 * port must not wait for that.
 */
static void look_around(void *opaque)
{
    struct hypervisor *hv = opaque;
    if (hv->running && serve_series(hv)) {
        loop_defer(hv->loop, &hv->work);
        return;
    }
    hv->spin_end = 0;
    while (hv->masked_count)
        xenevtchn_unmask(hv->evtchn, hv->masked[--hv->masked_count]);
}

/* --- opening --- */

static bool open_handles(struct hypervisor *hv, struct err *err)
{
    hv->dm = xendevicemodel_open(NULL, 0);
    if (!hv->dm)
        return err_set(err, "cannot open Xen's device model interface (are we in dom0?): %s",
                       strerror(errno));
    hv->memory = xenforeignmemory_open(NULL, 0);
    if (!hv->memory)
        return err_set(err, "cannot open Xen's foreign memory interface: %s", strerror(errno));
    hv->evtchn = xenevtchn_open(NULL, 0);
    if (!hv->evtchn)
        return err_set(err, "cannot open Xen's event channels: %s", strerror(errno));
    return true;
}

static bool count_vcpus(struct hypervisor *hv, struct err *err)
{
    unsigned vcpus = 0; /* an older Xen cannot tell: then what the toolstack said */
    if (xendevicemodel_nr_vcpus(hv->dm, domid_of(hv), &vcpus) < 0 || !vcpus)
        vcpus = hv->config.vcpus;
    if (!vcpus || vcpus > IOREQ_MAX_VCPUS)
        return err_set(err, "domain %u has %u vCPUs; 1 to %u can be served", hv->config.domid,
                       vcpus, IOREQ_MAX_VCPUS);
    hv->rings.vcpus = vcpus;
    return true;
}

static void *map_old_page(struct hypervisor *hv, xen_pfn_t gfn)
{
    return xenforeignmemory_map(hv->memory, hv->config.domid, PROT_READ | PROT_WRITE, 1, &gfn,
                                NULL);
}

/* The two pages: as a resource of the server (Linux 4.18), or as guest pages that Xen gives it. */
static bool map_pages(struct hypervisor *hv, struct err *err)
{
    _Static_assert(XENMEM_resource_ioreq_server_frame_bufioreq == 0, "frame 0: buffered ring");
    _Static_assert(XENMEM_resource_ioreq_server_frame_ioreq(0) == 1, "frame 1: requests");
    void *pages = NULL;
    hv->resource = xenforeignmemory_map_resource(
        hv->memory, domid_of(hv), XENMEM_resource_ioreq_server, hv->server,
        XENMEM_resource_ioreq_server_frame_bufioreq, 2, &pages, PROT_READ | PROT_WRITE, 0);
    if (hv->resource) {
        hv->rings.buffered = pages;
        hv->rings.sync = (void *)((uint8_t *)pages + XEN_PAGE);
        if (!xendevicemodel_get_ioreq_server_info(hv->dm, domid_of(hv), hv->server, NULL, NULL,
                                                  &hv->buffered_port))
            return true;
        return err_set(err, "domain %u: cannot ask for the buffered ring's event channel: %s",
                       hv->config.domid, strerror(errno));
    }
    int why = errno;
    xen_pfn_t sync = 0, buffered = 0;
    if (xendevicemodel_get_ioreq_server_info(hv->dm, domid_of(hv), hv->server, &sync, &buffered,
                                             &hv->buffered_port))
        return err_set(err,
                       "domain %u: cannot map the request pages as a resource (%s) nor ask for "
                       "their addresses (%s)",
                       hv->config.domid, strerror(why), strerror(errno));
    hv->old_sync = map_old_page(hv, sync);
    hv->old_buffered = map_old_page(hv, buffered);
    if (!hv->old_sync || !hv->old_buffered)
        return err_set(err, "domain %u: cannot map the request pages: %s", hv->config.domid,
                       strerror(errno));
    hv->rings.sync = hv->old_sync;
    hv->rings.buffered = hv->old_buffered;
    return true;
}

static bool own_port(struct hypervisor *hv, evtchn_port_t port, uint8_t owner)
{
    if (port >= hv->port_owners) {
        uint32_t n = port + 64;
        uint8_t *grown = realloc(hv->port_owner, n);
        if (!grown)
            return false;
        memset(grown + hv->port_owners, 0, n - hv->port_owners);
        hv->port_owner = grown;
        hv->port_owners = n;
    }
    hv->port_owner[port] = owner;
    return true;
}

static bool bind_port(struct hypervisor *hv, evtchn_port_t remote, uint8_t owner,
                      evtchn_port_t *local, struct err *err)
{
    int port = xenevtchn_bind_interdomain(hv->evtchn, hv->config.domid, remote);
    if (port < 0)
        return err_set(err, "domain %u: cannot bind event channel %u: %s", hv->config.domid, remote,
                       strerror(errno));
    *local = (evtchn_port_t)port;
    return own_port(hv, *local, owner) || err_set(err, "out of memory");
}

static bool set_enabled(struct hypervisor *hv, bool enabled, struct err *err)
{
    if (hv->enabled == enabled)
        return true;
    if (xendevicemodel_set_ioreq_server_state(hv->dm, domid_of(hv), hv->server, enabled))
        return err_set(err, "domain %u: cannot %s the ioreq server: %s", hv->config.domid,
                       enabled ? "enable" : "disable", strerror(errno));
    hv->enabled = enabled;
    return true;
}

static bool bind_ports(struct hypervisor *hv, struct err *err)
{
    /* Xen writes the vCPUs' ports into the page when the server is enabled (the domain is paused).
     */
    if (!set_enabled(hv, true, err))
        return false;
    for (unsigned v = 0; v < hv->rings.vcpus; v++) {
        evtchn_port_t remote =
            __atomic_load_n(&hv->rings.sync->vcpu_ioreq[v].vp_eport, __ATOMIC_RELAXED);
        if (!bind_port(hv, remote, (uint8_t)(v + 1), &hv->vcpu_port[v], err))
            return false;
    }
    return bind_port(hv, hv->buffered_port, OWNER_BUFFERED, &hv->buffered_port, err) &&
           set_enabled(hv, false, err);
}

static void *map_guest(void *opaque, uint64_t gfn, unsigned pages, int *errors)
{
    struct hypervisor *hv = opaque;
    xen_pfn_t gfns[MAPCACHE_BUCKET_PAGES];
    for (unsigned i = 0; i < pages; i++)
        gfns[i] = gfn + i;
    return xenforeignmemory_map(hv->memory, hv->config.domid, PROT_READ | PROT_WRITE, pages, gfns,
                                errors);
}

static void unmap_guest(void *opaque, void *host, unsigned pages)
{
    struct hypervisor *hv = opaque;
    xenforeignmemory_unmap(hv->memory, host, pages);
}

static const struct mapcache_ops guest_pages = {.map = map_guest, .unmap = unmap_guest};

static bool create(struct hypervisor *hv, struct err *err)
{
    if (!open_handles(hv, err) || !count_vcpus(hv, err))
        return false;
    if (xendevicemodel_create_ioreq_server(hv->dm, domid_of(hv), HVM_IOREQSRV_BUFIOREQ_ATOMIC,
                                           &hv->server))
        return err_set(err, "domain %u: cannot create an ioreq server: %s", hv->config.domid,
                       strerror(errno));
    hv->server_created = true;
    if (!map_pages(hv, err) || !bind_ports(hv, err))
        return false;
    hv->cache = mapcache_new(&guest_pages, hv, MAPCACHE_BUCKETS);
    if (!hv->cache)
        return err_set(err, "out of memory");
    hv->posted_timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (hv->posted_timer < 0)
        return err_set(err, "timerfd_create: %s", strerror(errno));
    return loop_watch(hv->loop, &hv->posted_source, hv->posted_timer, EPOLLIN, look_at_posted, hv,
                      err) &&
           loop_watch(hv->loop, &hv->source, xenevtchn_fd(hv->evtchn), EPOLLIN, event, hv, err);
}

struct hypervisor *hv_open(const struct hv_config *config, struct loop *loop, struct err *err)
{
    struct hypervisor *hv = calloc(1, sizeof(*hv));
    if (!hv) {
        err_set(err, "out of memory");
        return NULL;
    }
    hv->config = *config;
    hv->loop = loop;
    hv->posted_timer = -1;
    spin_init(&hv->spin);
    deferred_init(&hv->work, look_around, hv);
    hv->rings.hv = hv;
    hv->rings.notify = notify;
    hv->rings.time_offset = offset_changed;
    hv->rings.invalidate = invalidate;
    hv->rings.opaque = hv;
    hv->vram.where = HV_VRAM_PARKED;
    if (config->domid >= DOMID_FIRST_RESERVED) {
        err_set(err, "domain id %u is out of range", config->domid);
    } else if (create(hv, err)) {
        return hv;
    }
    hv_close(hv);
    return NULL;
}

void hv_attach(struct hypervisor *hv, struct bus *bus, void (*time_offset)(void *opaque, int64_t s),
               void *opaque)
{
    hv->rings.bus = bus;
    hv->time_offset = time_offset;
    hv->time_offset_opaque = opaque;
}

/* Serves what is in the pages, once. */
static void serve_rest(struct hypervisor *hv)
{
    for (unsigned v = 0; v < hv->rings.vcpus; v++)
        ioreq_serve(&hv->rings, v);
    ioreq_drain(&hv->rings);
}

bool hv_run(struct hypervisor *hv, bool run, struct err *err)
{
    if (hv->running == run)
        return true;
    if (!run)
        serve_rest(hv); /* guest pages (the old way) are cleared when the server is disabled */
    if (!set_enabled(hv, run, err))
        return false;
    if (!run)
        serve_rest(hv); /* … and now it is all there will be: the domain is paused */
    hv->running = run;
    if (run) /* for what came while we did not look */
        loop_defer(hv->loop, &hv->work);
    return true;
}

void hv_close(struct hypervisor *hv)
{
    if (!hv)
        return;
    loop_undefer(hv->loop, &hv->work);
    loop_unwatch(hv->loop, &hv->source);
    loop_unwatch(hv->loop, &hv->posted_source);
    if (hv->posted_timer >= 0)
        close(hv->posted_timer);
    mapcache_free(hv->cache);
    vram_close(hv);
    if (hv->server_created) {
        set_enabled(hv, false, NULL);
        /* Gone already if the domain is; else nobody would ever answer for its ranges. */
        xendevicemodel_destroy_ioreq_server(hv->dm, domid_of(hv), hv->server);
    }
    if (hv->resource)
        xenforeignmemory_unmap_resource(hv->memory, hv->resource);
    if (hv->old_sync)
        xenforeignmemory_unmap(hv->memory, hv->old_sync, 1);
    if (hv->old_buffered)
        xenforeignmemory_unmap(hv->memory, hv->old_buffered, 1);
    if (hv->evtchn)
        xenevtchn_close(hv->evtchn); /* unbinds its ports */
    if (hv->memory)
        xenforeignmemory_close(hv->memory);
    if (hv->dm)
        xendevicemodel_close(hv->dm);
    free(hv->port_owner);
    free(hv);
}

bool hv_restrict(struct hypervisor *hv, struct err *err)
{
    if (!xentoolcore_restrict_all(domid_of(hv)))
        return true;
    return err_set(err, "cannot restrict the Xen handles to domain %u: %s", hv->config.domid,
                   strerror(errno));
}

/* --- ranges --- */

static bool claim_range(struct hypervisor *hv, bool memory, uint64_t first, uint64_t last,
                        bool claim, struct err *err)
{
    int rc = claim ? xendevicemodel_map_io_range_to_ioreq_server(hv->dm, domid_of(hv), hv->server,
                                                                 memory, first, last)
                   : xendevicemodel_unmap_io_range_from_ioreq_server(
                         hv->dm, domid_of(hv), hv->server, memory, first, last);
    if (!rc)
        return true;
    return err_set(err, "Xen refuses to %s %s %#llx-%#llx: %s", claim ? "hand over" : "take back",
                   memory ? "memory" : "ports", (unsigned long long)first, (unsigned long long)last,
                   strerror(errno));
}

bool hv_claim_ports(struct hypervisor *hv, uint16_t first, uint16_t last, bool claim,
                    struct err *err)
{
    return claim_range(hv, false, first, last, claim, err);
}

bool hv_claim_memory(struct hypervisor *hv, uint64_t first, uint64_t last, bool claim,
                     struct err *err)
{
    if (claim)
        vram_make_room(hv, first, last);
    return claim_range(hv, true, first, last, claim, err);
}

bool hv_claim_pci(struct hypervisor *hv, uint8_t devfn, bool claim, struct err *err)
{
    uint8_t device = devfn >> 3, function = devfn & 7;
    int rc = claim ? xendevicemodel_map_pcidev_to_ioreq_server(hv->dm, domid_of(hv), hv->server, 0,
                                                               0, device, function)
                   : xendevicemodel_unmap_pcidev_from_ioreq_server(hv->dm, domid_of(hv), hv->server,
                                                                   0, 0, device, function);
    if (!rc)
        return true;
    return err_set(err, "Xen refuses to %s PCI device %02x.%x: %s",
                   claim ? "hand over" : "take back", device, function, strerror(errno));
}

/* --- interrupts --- */

/* They fail only when the domain is going away; a guest must not be able to fill the log with that.
 */
static void irq_done(struct hypervisor *hv, const char *what, int rc)
{
    if (!rc || hv->irq_failed)
        return;
    hv->irq_failed = true;
    log_warn("cannot set %s: %s (said once)", what, strerror(errno));
}

void hv_isa_irq(struct hypervisor *hv, uint8_t irq, bool level)
{
    irq_done(hv, "an ISA interrupt",
             xendevicemodel_set_isa_irq_level(hv->dm, domid_of(hv), irq, level));
}

void hv_pci_intx(struct hypervisor *hv, uint8_t slot, uint8_t intx, bool level)
{
    irq_done(hv, "a PCI interrupt",
             xendevicemodel_set_pci_intx_level(hv->dm, domid_of(hv), 0, 0, slot, intx, level));
}

void hv_pci_link_route(struct hypervisor *hv, uint8_t link, uint8_t irq)
{
    irq_done(hv, "an interrupt route",
             xendevicemodel_set_pci_link_route(hv->dm, domid_of(hv), link, irq));
}

void hv_msi(struct hypervisor *hv, uint64_t addr, uint32_t data)
{
    /* Address and data are the guest's: Xen may well refuse them. */
    if (xendevicemodel_inject_msi(hv->dm, domid_of(hv), addr, data))
        guest_error("xen", "MSI %#x to %#llx refused: %s", data, (unsigned long long)addr,
                    strerror(errno));
}

/* --- memory --- */

void *hv_mem_map(struct hypervisor *hv, uint64_t addr, size_t *len)
{
    return mapcache_map(hv->cache, addr, len);
}

void hv_mem_unmap(struct hypervisor *hv, void *host, size_t len)
{
    (void)len;
    mapcache_unmap(hv->cache, host);
}

void hv_mem_dirty(struct hypervisor *hv, uint64_t addr, size_t len)
{
    if (!hv->log_dirty || !len)
        return;
    uint64_t first = addr / XEN_PAGE, last = (addr + len - 1) / XEN_PAGE;
    if (xendevicemodel_modified_memory(hv->dm, domid_of(hv), first, (uint32_t)(last - first + 1)))
        irq_done(hv, "pages dirty", -1);
}

void hv_log_dirty(struct hypervisor *hv, bool on)
{
    hv->log_dirty = on;
}

/* --- power --- */

void hv_shutdown(struct hypervisor *hv, enum hv_shutdown reason)
{
    static const unsigned code[] = {
        [HV_SHUTDOWN_POWEROFF] = SHUTDOWN_poweroff,
        [HV_SHUTDOWN_REBOOT] = SHUTDOWN_reboot,
        [HV_SHUTDOWN_CRASH] = SHUTDOWN_crash,
    };
    if (xendevicemodel_shutdown(hv->dm, domid_of(hv), code[reason]))
        log_error("cannot shut the domain down: %s", strerror(errno));
}

bool hv_sleep_s3(struct hypervisor *hv, struct err *err)
{
    if (!hv->config.companion)
        return err_set(err, "there is no companion process to do it");
    return companion_sleep_s3(hv->config.companion, err);
}

bool hv_wake_s3(struct hypervisor *hv, struct err *err)
{
    if (!hv->config.companion)
        return err_set(err, "there is no companion process");
    return companion_wake_s3(hv->config.companion, err);
}

bool hv_press_power(struct hypervisor *hv, struct err *err)
{
    if (!hv->config.companion)
        return err_set(err, "there is no companion process");
    return companion_press_power(hv->config.companion, err);
}

bool hv_get_paging(struct hypervisor *hv, struct hv_paging *paging, struct err *err)
{
    if (!hv->config.companion)
        return err_set(err, "there is no companion process");
    return companion_get_paging(hv->config.companion, paging, err);
}

void hv_ioreq_stats(const struct hypervisor *hv, struct hv_ioreq_stats *stats)
{
    *stats = hv->rings.stats;
}
