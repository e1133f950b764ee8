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

struct bus;
struct clock;
struct hypervisor;

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
 * Whether to spin a little before going back to the loop to sleep. Off at first; on after a series
 * of requests that came quickly one after the other; off again when spinning has not paid twice
 * running, and then the next series must be twice as long. docs/xen.md has the reasoning. Times in
 * ns.
 */
#define SPIN_WINDOW_NS 20000u /* the longest spin */
#define SPIN_QUICK_NS  60000u /* requests closer than this, on average, were worth a spin */
#define SPIN_SAMPLE    8u     /* how often the clock is read, in requests */
#define SPIN_MIN_RUN   8u     /* quick requests in a row that turn it on, at first */
#define SPIN_MAX_RUN   1024u  /* … and at most; both multiples of SPIN_SAMPLE */
#define SPIN_MISSES    2u     /* fruitless spins in a row that turn it off */
#define SPIN_GOOD_RUN  64u    /* successful spins in a row that forget earlier failures */

struct spin {
    bool on;
    unsigned unsampled; /* requests since the clock was read */
    unsigned run;       /* quick requests in a row while off; successful spins in a row while on */
    unsigned need;      /* run that turns it on */
    unsigned misses;    /* fruitless spins in a row */
    uint64_t last;      /* when the clock was read */
};

void spin_init(struct spin *spin);
/* A request came by event. The clock is read now and then only: in a dom0 whose clock source is
 * Xen's that is a system call. */
void spin_arrived(struct spin *spin, const struct clock *clock);
/* A request came while spinning; none came in the whole window. */
void spin_hit(struct spin *spin);
void spin_missed(struct spin *spin);

#endif
