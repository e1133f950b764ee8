/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ioreq: the guest's accesses as Xen hands them over in shared pages, served on a struct bus. Knows
 * the layout of the pages (xen/include/public/hvm/ioreq.h) and no library: a test fills the pages
 * itself.
 */
#ifndef HW_XEN_IOREQ_H
#define HW_XEN_IOREQ_H

#include <stdbool.h>
#include <stdint.h>
#include <xen/hvm/ioreq.h>

#include "hw/xen/hypervisor.h"

struct bus;

#define IOREQ_MAX_VCPUS 128 /* requests of 32 bytes in the one page that Xen gives */

/* No instruction asks for more at once (Xen splits a rep at 4,096 units): what bounds one event. */
#define IOREQ_MAX_COUNT 65536u

/* The pages of one ioreq server and what its requests act on. All but the pages is the owner's. */
struct ioreq_rings {
    struct shared_iopage *sync;       /* one request per vCPU */
    struct buffered_iopage *buffered; /* posted writes; NULL: none */
    unsigned vcpus;                   /* 1..IOREQ_MAX_VCPUS */
    struct bus *bus;
    struct hypervisor *hv;                              /* for the guest's buffers (data_is_ptr) */
    void (*notify)(void *opaque, unsigned vcpu);        /* the answer is in the page */
    void (*time_offset)(void *opaque, int64_t seconds); /* TIMEOFFSET; may be NULL */
    void (*invalidate)(void *opaque);                   /* INVALIDATE; may be NULL */
    void *opaque;
    struct hv_ioreq_stats stats;
    unsigned until_timed; /* requests before the next one that is */
};

/*
 * Serves the request of one vCPU if there is one: first the posted writes that are older than it,
 * then the request; answers and notifies. False: nothing was to be done (a late event is harmless).
 */
bool ioreq_serve(struct ioreq_rings *rings, unsigned vcpu);

/*
 * Serves the posted writes that are in the ring at the time of the call: at most one page of them
 * (511 slots), however fast the guest goes on posting. Returns how many slots it consumed.
 */
unsigned ioreq_drain(struct ioreq_rings *rings);

/* One look, no lock, no system call: is there something for ioreq_serve or ioreq_drain? */
bool ioreq_ready(const struct ioreq_rings *rings, unsigned vcpu);
bool ioreq_posted(const struct ioreq_rings *rings);

/*
 * Whether to spin a little before going back to the loop to sleep. Off at first. Tried once after a
 * number of requests that each had to wake us; a request that comes while spinning earns credit, a
 * spin in vain costs SPIN_PRICE of it, and without credit it is off, until twice as many requests
 * have come. So it stays on where at least three of four spins succeed, and costs a window in 1,024
 * requests where none does. docs/xen.md has the reasoning. Times in ns.
 */
#define SPIN_WINDOW_NS  20000u /* the longest spin */
#define SPIN_PRICE      3u     /* of a spin in vain, in successful ones */
#define SPIN_CREDIT_MAX 32u    /* what a long series may save up */
#define SPIN_GOOD       16u    /* so much credit forgets earlier failures */
#define SPIN_MIN_RUN    8u     /* requests before it is tried, at first */
#define SPIN_MAX_RUN    1024u  /* … and at most */

struct spin {
    unsigned credit;  /* more than 0: on */
    unsigned arrived; /* requests that had to wake us, while off */
    unsigned need;    /* so many until it is tried */
};

void spin_init(struct spin *spin);
/* A request came by event. */
void spin_arrived(struct spin *spin);
/* A request came while spinning; none came in the whole window. */
void spin_hit(struct spin *spin);
void spin_missed(struct spin *spin);

static inline bool spin_on(const struct spin *spin)
{
    return spin->credit > 0;
}

#endif
