/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shm: the "hypervisor" of the stand-in: one memfd, shared by the device model (through the
 * stand-in libraries) and by the test that plays the vCPUs. First the struct below, then the
 * machine's pages: page n ("mfn" n) is at STUB_PAGES + n * 4096. The guest's memory map is p2m: a
 * page that is relocated stays where it is in the file, so mappings of it stay valid, as on Xen.
 */
#ifndef TESTS_XENSTUB_SHM_H
#define TESTS_XENSTUB_SHM_H

#include <stdbool.h>
#include <stdint.h>

#define STUB_MAGIC 0x58656e53u

#define STUB_PAGE  4096u
#define STUB_GFNS  (1u << 22) /* 16 GiB of guest-physical addresses */
#define STUB_PAGES (UINT64_C(32) << 20)

#define STUB_VCPUS   128
#define STUB_PORTS   512 /* event channels of each side */
#define STUB_HANDLES 16  /* open event channel devices of the device model */
#define STUB_SERVERS 4
#define STUB_RANGES  256 /* Xen's MAX_NR_IO_RANGES */
#define STUB_MSIS    64
#define STUB_GRANTS  8192 /* 16 pages of the guest's grant table, version 1 */
#define STUB_PARAMS  64

/*
 * The memfd is found by name (STUB_ENV: its path in /proc), because a device model may have helpers
 * that close what they inherit. The eventfds cannot be opened, so they are inherited: opening an
 * event channel device duplicates one. In a device model they have the numbers below, and what has
 * a number from STUB_FD on is not its own. In the test, which may have several domains, each has
 * its own STUB_FDS in the same order, beginning with the memfd.
 */
#define STUB_ENV     "XENSTUB"
#define STUB_DOMAINS 4 /* at once in one test */
enum {
    STUB_FD = 700,
    STUB_FD_KICK,                                /* eventfd: what a test waits for has changed */
    STUB_FD_PORTS,                               /* eventfd of each handle: ports to be read */
    STUB_FD_VCPU = STUB_FD_PORTS + STUB_HANDLES, /* eventfd of each vCPU: the answer is there */
    STUB_FD_END = STUB_FD_VCPU + STUB_VCPUS,
    STUB_FDS = STUB_FD_END - STUB_FD,
};

/* One event channel of the device model: pending and masked as Linux' evtchn device does it. */
#define STUB_PENDING 1u
#define STUB_MASKED  2u

struct stub_port {
    uint32_t state;
    uint32_t remote; /* 0: unbound; see stub_remote */
    uint32_t handle;
};

/* The guest's (Xen's) end of a channel. */
enum stub_remote_kind {
    STUB_REMOTE_NONE,
    STUB_REMOTE_VCPU,
    STUB_REMOTE_BUFFERED,
    STUB_REMOTE_GUEST, /* a driver's own */
};

struct stub_remote {
    uint8_t kind;
    uint8_t vcpu;
    uint32_t local;   /* the port bound to it, or 0 */
    uint32_t pending; /* notified, and the guest's driver has not looked yet */
};

/* An entry of the guest's grant table, version 1 (xen/grant_table.h), and what Xen knows of it. */
struct stub_grant {
    uint16_t flags; /* GTF_*; reading and writing are set by Xen */
    uint16_t domid;
    uint32_t frame;
};

#define STUB_GRANT_GUEST 7u /* of the flags, those that the guest sets: type and read-only */

struct stub_grant_use {
    uint32_t readers, writers; /* mappings */
};

struct stub_handle {
    uint32_t used;
    uint32_t head, tail; /* of the ports to be read; a port is in it at most once */
    uint32_t ring[STUB_PORTS];
};

struct stub_ranges {
    uint32_t count;
    struct {
        uint64_t first, last;
    } range[STUB_RANGES];
};

enum stub_space { STUB_PORT_SPACE, STUB_MEMORY_SPACE, STUB_PCI_SPACE, STUB_SPACES };

struct stub_server {
    bool used, enabled, buffered;
    uint32_t sync_mfn, buffered_mfn;
    uint32_t vcpu_remote[STUB_VCPUS], buffered_remote;
    struct stub_ranges ranges[STUB_SPACES];
};

struct stub_msi {
    uint64_t addr;
    uint32_t data;
};

/* What the device model did, counted: for tests and for the table of costs. */
struct stub_counts {
    uint64_t hypercalls, notifies, maps, mapped_pages, unmaps, isa, intx, msi, routes, modified,
        relocated, pinned, tracked, grant_maps, grant_copies;
};

struct stub_shm {
    uint32_t magic;
    uint32_t domid, vcpus;
    uint32_t mfns, mfn_next; /* pages there are; given so far */
    uint32_t lock;           /* of ranges, ports and handles: rarely taken, never for long */
    uint64_t hvm_param[STUB_PARAMS];

    struct stub_server server[STUB_SERVERS];
    struct stub_port port[STUB_PORTS];
    struct stub_remote remote[STUB_PORTS];
    struct stub_handle handle[STUB_HANDLES];

    uint32_t isa[16];        /* level */
    uint32_t intx[32][4];    /* level by slot and pin */
    uint32_t link[4];        /* irq */
    uint32_t msi_count;      /* the last one is msi[(msi_count - 1) % STUB_MSIS] */
    uint32_t isa_raised[16]; /* rising edges */
    struct stub_msi msi[STUB_MSIS];
    uint32_t shutdown; /* 1 + SHUTDOWN_* */
    uint32_t power_presses;
    uint64_t cr0, cr3, cr4, efer; /* vCPU 0's */
    uint32_t waiting;             /* somebody sleeps on the kick descriptor */

    struct stub_grant grant[STUB_GRANTS]; /* 0 to 7 are the toolstack's */
    struct stub_grant_use grant_use[STUB_GRANTS];
    uint32_t no_resources; /* ioreq pages are gfns, as for a kernel that cannot map resources */

    uint32_t log_dirty;
    uint64_t vram_first; /* tracked now */
    uint32_t vram_pages;
    struct stub_counts counts;

    uint32_t p2m[STUB_GFNS];        /* 1 + mfn, or 0 */
    uint64_t dirty[STUB_GFNS / 64]; /* log-dirty */
    uint64_t
        vram_dirty[STUB_GFNS / 64]; /* written by the guest since track_dirty_vram last asked */
};

_Static_assert(sizeof(struct stub_shm) <= STUB_PAGES, "the pages begin behind it");

static inline void stub_lock(struct stub_shm *s)
{
    while (__atomic_exchange_n(&s->lock, 1, __ATOMIC_ACQUIRE))
        __builtin_ia32_pause();
}

static inline void stub_unlock(struct stub_shm *s)
{
    __atomic_store_n(&s->lock, 0, __ATOMIC_RELEASE);
}

/* 1 + mfn, or 0 if there is no page. */
static inline uint32_t stub_p2m(const struct stub_shm *s, uint64_t gfn)
{
    return gfn < STUB_GFNS ? __atomic_load_n(&s->p2m[gfn], __ATOMIC_RELAXED) : 0;
}

static inline void stub_set_bit(uint64_t *map, uint64_t n)
{
    __atomic_fetch_or(&map[n / 64], UINT64_C(1) << (n % 64), __ATOMIC_RELAXED);
}

/* What a device of dom0 has written, it or through a mapping of a grant. */
static inline void stub_dirtied(struct stub_shm *s, uint64_t gfn)
{
    if (gfn < STUB_GFNS && s->log_dirty && stub_p2m(s, gfn))
        stub_set_bit(s->dirty, gfn);
}

/* The end of a process unmaps what it had mapped. */
static inline void stub_release_grants(struct stub_shm *s)
{
    stub_lock(s);
    for (uint32_t i = 0; i < STUB_GRANTS; i++) {
        if (!s->grant_use[i].readers)
            continue;
        if (s->grant_use[i].writers)
            stub_dirtied(s, s->grant[i].frame);
        s->grant_use[i] = (struct stub_grant_use){0};
        __atomic_fetch_and(&s->grant[i].flags, STUB_GRANT_GUEST, __ATOMIC_ACQ_REL);
    }
    stub_unlock(s);
}

/* Takes pages that nobody has: their first mfn, or UINT32_MAX. */
static inline uint32_t stub_take_pages(struct stub_shm *s, uint32_t count)
{
    stub_lock(s);
    uint32_t first = s->mfn_next;
    if (count > s->mfns - first)
        first = UINT32_MAX;
    else
        s->mfn_next += count;
    stub_unlock(s);
    return first;
}

static inline bool stub_in_ranges(const struct stub_ranges *r, uint64_t first, uint64_t last)
{
    for (uint32_t i = 0; i < r->count; i++)
        if (first >= r->range[i].first && last <= r->range[i].last)
            return true;
    return false;
}

/*
 * Delivers an event if it is pending and not masked: masks it, enters it in its handle's ring.
 * Returns the handle whose descriptor has to be written, or -1.
 */
static inline int stub_deliver(struct stub_shm *s, uint32_t port)
{
    struct stub_port *p = &s->port[port];
    uint32_t old = STUB_PENDING;
    if (!__atomic_compare_exchange_n(&p->state, &old, STUB_MASKED, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_RELAXED))
        return -1;
    struct stub_handle *h = &s->handle[p->handle];
    uint32_t at = __atomic_fetch_add(&h->head, 1, __ATOMIC_RELAXED) % STUB_PORTS;
    __atomic_store_n(&h->ring[at], port, __ATOMIC_RELEASE);
    return (int)p->handle;
}

/* Xen's evtchn_send: the handle whose descriptor has to be written, or -1. */
static inline int stub_send(struct stub_shm *s, uint32_t port)
{
    __atomic_fetch_or(&s->port[port].state, STUB_PENDING, __ATOMIC_ACQ_REL);
    return stub_deliver(s, port);
}

#endif
