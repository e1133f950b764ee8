/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xen: what the files behind hypervisor.h share: the handles of one domain. Only hw/xen includes
 * it.
 */
#ifndef HW_XEN_XEN_H
#define HW_XEN_XEN_H

#include <stdbool.h>
#include <stdint.h>

/* Shows the device model's part of the public headers. */
#ifndef __XEN_TOOLS__
#define __XEN_TOOLS__ 1
#endif
#include <xendevicemodel.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>

#include "hw/core/loop.h"
#include "hw/xen/hypervisor.h"
#include "hw/xen/ioreq.h"
#include "hw/xen/mapcache.h"

#define XEN_PAGE UINT64_C(4096)

/* The guest's video memory (vram.c). */
struct vram {
    void *host; /* room for all of it; not to be touched behind `mapped` */
    uint64_t bytes, mapped;
    uint64_t where;  /* guest-physical address it has in the domain's memory map */
    uint64_t parked; /* the place above RAM that is its own */
    bool placed;     /* `where` is true; not yet on a restore until the first hv_vram_move */
    bool shown;      /* a BAR wants it at `where`; else it only has not been moved away */
    bool tracking;
};

struct hypervisor {
    struct hv_config config;
    struct loop *loop;
    xendevicemodel_handle *dm;
    xenforeignmemory_handle *memory;
    xenevtchn_handle *evtchn;

    bool server_created, enabled, running;
    ioservid_t server;
    xenforeignmemory_resource_handle *resource; /* the two pages, or … */
    void *old_sync, *old_buffered;              /* … as two foreign mappings */

    struct ioreq_rings rings;
    evtchn_port_t vcpu_port[IOREQ_MAX_VCPUS]; /* local ports */
    evtchn_port_t buffered_port;
    uint8_t *port_owner; /* by local port: 1 + vCPU, OWNER_BUFFERED, or 0 */
    uint32_t port_owners;
    struct loop_source source;
    struct deferred work;                      /* look_around */
    evtchn_port_t masked[IOREQ_MAX_VCPUS + 1]; /* taken, not yet unmasked */
    unsigned masked_count;
    unsigned last_vcpu; /* where serve_all looked last */
    struct spin spin;
    uint64_t spin_end; /* of the spin under way, or 0 */
    int posted_timer;  /* timerfd: when to look at the buffered ring again, … */
    struct loop_source posted_source;
    bool posted_later; /* … whose port stays masked until then */
    void (*time_offset)(void *opaque, int64_t seconds);
    void *time_offset_opaque;

    struct mapcache *cache;
    bool log_dirty;
    struct vram vram;
    bool irq_failed; /* said so once */
};

/* vram.c: before somebody else gets [first,last]: takes unshown video memory out of the way. */
void vram_make_room(struct hypervisor *hv, uint64_t first, uint64_t last);
void vram_close(struct hypervisor *hv);

#endif
