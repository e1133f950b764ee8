/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ioreq: see ioreq.h. Interface: Xen 4.17 public headers hvm/ioreq.h and hvm/dm_op.h. Xen owns the
 * pages, yet every field is fetched once, into a copy, and only the copy is acted on (XSA-155,
 * XSA-197).
 */
#include "hw/xen/ioreq.h"

#include <stddef.h>
#include <string.h>
#include <time.h>

#include "hw/core/bus.h"
#include "hw/core/log.h"
#include "hw/xen/hypervisor.h"

#define PAGE_BYTES 4096u

_Static_assert(sizeof(struct ioreq) == 32, "struct ioreq is 32 bytes");
_Static_assert(sizeof(struct buf_ioreq) == 8, "struct buf_ioreq is 8 bytes");
_Static_assert(offsetof(struct ioreq, data) == 8, "data is the second quadword");
_Static_assert(offsetof(struct ioreq, type) == 31, "type is the last byte, behind state");

#define STATE_BYTE 30 /* of struct ioreq: state in bits 0..3, beside data_is_ptr, dir and df */
#define STATE_MASK 0x0F

/* One request, out of the guest's and Xen's reach. */
union request {
    uint64_t word[4];
    struct ioreq req;
};

/* --- guest buffers (data_is_ptr) --- */

/* The part of guest memory that is mapped at present; host NULL: known not to be RAM. */
struct window {
    struct hypervisor *hv;
    uint64_t addr;
    size_t len;
    uint8_t *host;
};

static void window_close(struct window *w)
{
    if (w->host)
        hv_mem_unmap(w->hv, w->host, w->len);
    w->host = NULL;
    w->len = 0;
}

/* Makes the window contain addr, if it doesn't: from addr on for going up, its page for going down.
 */
static void window_move(struct window *w, uint64_t addr, size_t want, bool down)
{
    if (addr - w->addr < w->len)
        return;
    window_close(w);
    w->addr = down ? addr & ~(uint64_t)(PAGE_BYTES - 1) : addr;
    w->len = down ? PAGE_BYTES : want;
    w->host = hv_mem_map(w->hv, w->addr, &w->len);
    if (!w->host) /* one failed look per page, not per unit */
        w->len = PAGE_BYTES - (w->addr & (PAGE_BYTES - 1));
}

static size_t window_room(const struct window *w, uint64_t addr)
{
    return w->len - (size_t)(addr - w->addr);
}

/* Copies one unit, which may lie across windows; what is not RAM reads as ones and swallows writes.
 */
static void copy_unit(struct window *w, uint64_t addr, uint8_t *buf, size_t len, bool to_guest,
                      bool down)
{
    while (len) {
        window_move(w, addr, len, down);
        size_t n = window_room(w, addr);
        if (n > len)
            n = len;
        uint8_t *host = w->host ? w->host + (addr - w->addr) : NULL;
        if (host && to_guest) {
            memcpy(host, buf, n);
            hv_mem_dirty(w->hv, addr, n);
        } else if (host) {
            memcpy(buf, host, n);
        } else if (!to_guest) {
            memset(buf, 0xFF, n);
        }
        addr += n;
        buf += n;
        len -= n;
    }
}

/* --- the device's side --- */

enum space { SPACE_PORT, SPACE_MEMORY, SPACE_CONFIG };

struct target {
    struct bus *bus;
    enum space space;
    unsigned size; /* of a unit: checked */
    uint64_t addr; /* port, address or register of the first unit */
    bool nowhere;  /* no such port or function: ones, and writes vanish */
    uint8_t devfn;
};

static uint64_t ones(unsigned size)
{
    return size >= 8 ? UINT64_MAX : (UINT64_C(1) << (8 * size)) - 1;
}

static uint64_t unit_read(const struct target *t, uint64_t addr)
{
    uint64_t value = UINT64_MAX;
    if (t->nowhere)
        return ones(t->size);
    switch (t->space) {
    case SPACE_PORT:
        value = bus_port_read(t->bus, (uint32_t)addr, t->size);
        break;
    case SPACE_MEMORY:
        value = bus_mem_read(t->bus, addr, t->size);
        break;
    case SPACE_CONFIG:
        value = bus_pci_read(t->bus, t->devfn, (unsigned)addr, t->size);
        break;
    }
    return value & ones(t->size);
}

static void unit_write(const struct target *t, uint64_t addr, uint64_t value)
{
    if (t->nowhere)
        return;
    value &= ones(t->size);
    switch (t->space) {
    case SPACE_PORT:
        bus_port_write(t->bus, (uint32_t)addr, t->size, (uint32_t)value);
        break;
    case SPACE_MEMORY:
        bus_mem_write(t->bus, addr, t->size, value);
        break;
    case SPACE_CONFIG:
        bus_pci_write(t->bus, t->devfn, (unsigned)addr, t->size, (uint32_t)value);
        break;
    }
}

/* `count` packed units upward from addr (ports and registers stay where they are). */
static void run_read(const struct target *t, uint64_t addr, uint8_t *buf, uint32_t count)
{
    if (t->nowhere) {
        memset(buf, 0xFF, (size_t)count * t->size);
    } else if (t->space == SPACE_PORT) {
        bus_port_read_run(t->bus, (uint32_t)addr, t->size, buf, count);
    } else if (t->space == SPACE_MEMORY) {
        bus_mem_read_run(t->bus, addr, t->size, buf, count);
    } else {
        for (; count; count--, buf += t->size) {
            uint64_t value = unit_read(t, addr);
            memcpy(buf, &value, t->size);
        }
    }
}

static void run_write(const struct target *t, uint64_t addr, const uint8_t *buf, uint32_t count)
{
    if (t->nowhere)
        return;
    if (t->space == SPACE_PORT) {
        bus_port_write_run(t->bus, (uint32_t)addr, t->size, buf, count);
    } else if (t->space == SPACE_MEMORY) {
        bus_mem_write_run(t->bus, addr, t->size, buf, count);
    } else {
        for (; count; count--, buf += t->size) {
            uint64_t value = 0;
            memcpy(&value, buf, t->size);
            unit_write(t, addr, value);
        }
    }
}

/* --- the kinds of access --- */

/* rep ins/outs/movs with DF clear: whole runs between the device and the guest's buffer. */
static void transfer_up(struct ioreq_rings *rings, const struct target *t, const struct ioreq *req,
                        uint32_t count)
{
    struct window w = {.hv = rings->hv};
    uint8_t bounce[PAGE_BYTES];
    uint64_t buffer = req->data, addr = t->addr;

    while (count) {
        window_move(&w, buffer, (size_t)count * t->size, false);
        size_t room = window_room(&w, buffer) / t->size;
        bool whole = room > 0; /* else one unit that lies across windows */
        uint32_t n = room > count ? count : whole ? (uint32_t)room : 1;
        if (req->dir == IOREQ_READ && whole && w.host) {
            run_read(t, addr, w.host + (buffer - w.addr), n);
            hv_mem_dirty(rings->hv, buffer, (size_t)n * t->size);
        } else {
            /* What a device reads is copied first: the guest can change its buffer meanwhile. */
            if (n > sizeof(bounce) / t->size)
                n = (uint32_t)(sizeof(bounce) / t->size);
            if (req->dir == IOREQ_READ) {
                run_read(t, addr, bounce, n);
                copy_unit(&w, buffer, bounce, (size_t)n * t->size, true, false);
            } else {
                copy_unit(&w, buffer, bounce, (size_t)n * t->size, false, false);
                run_write(t, addr, bounce, n);
            }
        }
        buffer += (uint64_t)n * t->size;
        if (t->space == SPACE_MEMORY)
            addr += (uint64_t)n * t->size;
        count -= n;
    }
    window_close(&w);
}

/* The same with DF set: `data` (and a memory address) is that of the first and highest unit; those
 * that follow lie below. */
static void transfer_down(struct ioreq_rings *rings, const struct target *t,
                          const struct ioreq *req, uint32_t count)
{
    struct window w = {.hv = rings->hv};
    uint64_t buffer = req->data, addr = t->addr;

    for (; count; count--) {
        uint64_t value = 0;
        if (req->dir == IOREQ_READ) {
            value = unit_read(t, addr);
            copy_unit(&w, buffer, (uint8_t *)&value, t->size, true, true);
        } else {
            copy_unit(&w, buffer, (uint8_t *)&value, t->size, false, true);
            unit_write(t, addr, value);
        }
        buffer -= t->size;
        if (t->space == SPACE_MEMORY)
            addr -= t->size;
    }
    window_close(&w);
}

/* rep stos to memory: the same value upward. */
static void fill_up(const struct target *t, uint64_t value, uint32_t count)
{
    uint8_t pattern[1024];
    uint64_t addr = t->addr;
    uint32_t most = (uint32_t)(sizeof(pattern) / t->size);

    for (uint32_t i = 0; i < most && i < count; i++)
        memcpy(pattern + (size_t)i * t->size, &value, t->size);
    while (count) {
        uint32_t n = count < most ? count : most;
        run_write(t, addr, pattern, n);
        addr += (uint64_t)n * t->size;
        count -= n;
    }
}

/* A single access (nearly all are), or one value for several units; the last value read wins. */
static void access_value(const struct target *t, struct ioreq *req, uint32_t count)
{
    uint64_t step = t->space != SPACE_MEMORY ? 0 : req->df ? -(uint64_t)t->size : t->size;
    uint64_t addr = t->addr;

    if (req->dir == IOREQ_WRITE && count > 1 && t->space == SPACE_MEMORY && !req->df) {
        fill_up(t, req->data, count);
        return;
    }
    for (; count; count--, addr += step) {
        if (req->dir == IOREQ_READ)
            req->data = unit_read(t, addr);
        else
            unit_write(t, addr, req->data);
    }
}

static void access_space(struct ioreq_rings *rings, struct ioreq *req, enum space space)
{
    unsigned max = space == SPACE_MEMORY ? 8 : 4;
    if (req->size > max || !req->size || (req->size & (req->size - 1))) { /* XSA-197 */
        guest_error("ioreq", "access of %u bytes at %#llx (type %u)", (unsigned)req->size,
                    (unsigned long long)req->addr, (unsigned)req->type);
        req->data = UINT64_MAX;
        return;
    }
    struct target t = {.bus = rings->bus, .space = space, .size = req->size, .addr = req->addr};
    if (space == SPACE_PORT && t.addr > 0xFFFF) { /* XSA-199 */
        guest_error("ioreq", "access to port %#llx", (unsigned long long)t.addr);
        t.nowhere = true;
    } else if (space == SPACE_CONFIG) {
        /* Segment 63..48, bus 47..40, device and function 39..32, register 31..0: bus 0 is all we
         * have. */
        t.devfn = (uint8_t)(req->addr >> 32);
        t.addr = (uint32_t)req->addr;
        t.nowhere = req->addr >> 40 || t.addr + t.size > 256;
    }
    uint32_t count = req->count;
    if (count > IOREQ_MAX_COUNT) {
        guest_error("ioreq", "%u repetitions at %#llx cut to %u", (unsigned)count,
                    (unsigned long long)req->addr, IOREQ_MAX_COUNT);
        count = IOREQ_MAX_COUNT;
    }
    if (!req->data_is_ptr)
        access_value(&t, req, count);
    else if (req->df)
        transfer_down(rings, &t, req, count);
    else
        transfer_up(rings, &t, req, count);
}

static void dispatch(struct ioreq_rings *rings, struct ioreq *req)
{
    uint64_t *count = rings->stats.count;
    bool write = req->dir == IOREQ_WRITE;
    switch (req->type) {
    case IOREQ_TYPE_PIO:
        count[write ? HV_IOREQ_PORT_WRITE : HV_IOREQ_PORT_READ]++;
        access_space(rings, req, SPACE_PORT);
        break;
    case IOREQ_TYPE_COPY:
        count[write ? HV_IOREQ_MEMORY_WRITE : HV_IOREQ_MEMORY_READ]++;
        access_space(rings, req, SPACE_MEMORY);
        break;
    case IOREQ_TYPE_PCI_CONFIG:
        count[HV_IOREQ_PCI_CONFIG]++;
        access_space(rings, req, SPACE_CONFIG);
        break;
    case IOREQ_TYPE_TIMEOFFSET:
        count[HV_IOREQ_OTHER]++;
        if (rings->time_offset)
            rings->time_offset(rings->opaque, (int64_t)req->data);
        break;
    case IOREQ_TYPE_INVALIDATE:
        count[HV_IOREQ_OTHER]++;
        if (rings->invalidate)
            rings->invalidate(rings->opaque);
        break;
    default:
        count[HV_IOREQ_OTHER]++;
        guest_error("ioreq", "request of unknown type %u at %#llx", (unsigned)req->type,
                    (unsigned long long)req->addr);
        if (req->dir == IOREQ_READ)
            req->data = UINT64_MAX;
        break;
    }
}

/* --- posted writes --- */

struct pointers {
    uint32_t read, write;
};

/*
 * Both pointers in one load: when read_pointer has passed the ring's size, Xen takes whole rounds
 * off both at once (compare-and-swap on the pair; HVM_IOREQSRV_BUFIOREQ_ATOMIC), so a pair read in
 * two halves could belong to two different rounds.
 */
static struct pointers load_pointers(const struct buffered_iopage *page)
{
    uint64_t both = __atomic_load_n((const uint64_t *)(const void *)page, __ATOMIC_ACQUIRE);
    return (struct pointers){.read = (uint32_t)both, .write = (uint32_t)(both >> 32)};
}

static struct buf_ioreq load_slot(const struct buffered_iopage *page, uint32_t index)
{
    uint64_t word = __atomic_load_n(
        (const uint64_t *)(const void *)&page->buf_ioreq[index % IOREQ_BUFFER_SLOT_NUM],
        __ATOMIC_RELAXED);
    struct buf_ioreq slot;
    memcpy(&slot, &word, sizeof(slot));
    return slot;
}

/* Frees slots. Only ever adds: a store would undo Xen's correction of both pointers. */
static void consume(struct buffered_iopage *page, uint32_t slots)
{
    __atomic_fetch_add(&page->read_pointer, slots, __ATOMIC_RELEASE);
}

unsigned ioreq_drain(struct ioreq_rings *rings)
{
    struct buffered_iopage *page = rings->buffered;
    if (!page)
        return 0;
    struct pointers p = load_pointers(page);
    uint32_t count = p.write - p.read;
    if (count > IOREQ_BUFFER_SLOT_NUM) {
        guest_error("ioreq", "buffered ring holds %u slots: emptied", (unsigned)count);
        consume(page, count);
        return 0;
    }
    /* Xen takes multiples of the ring's size off the pointers: slot numbers stay the same. */
    for (uint32_t i = 0; i < count;) {
        struct buf_ioreq slot = load_slot(page, p.read + i);
        struct ioreq req = {
            .type = slot.type,
            .dir = IOREQ_WRITE,
            .addr = slot.addr,
            .data = slot.data,
            .size = 1u << slot.size,
            .count = 1,
            .state = STATE_IOREQ_READY,
        };
        uint32_t used = 1;
        if (slot.size == 3 && i + 1 < count) { /* a quadword takes two slots */
            req.data |= (uint64_t)load_slot(page, p.read + i + 1).data << 32;
            used = 2;
        }
        if (slot.dir != IOREQ_WRITE || (slot.size == 3 && used == 1))
            guest_error("ioreq", "malformed posted request, type %u at %#x", (unsigned)slot.type,
                        (unsigned)slot.addr);
        else
            dispatch(rings, &req);
        rings->stats.posted++;
        consume(page, used);
        i += used;
    }
    return count;
}

bool ioreq_posted(const struct ioreq_rings *rings)
{
    if (!rings->buffered)
        return false;
    struct pointers p = load_pointers(rings->buffered);
    return p.read != p.write;
}

/* --- synchronous requests --- */

static uint8_t *state_byte(const struct ioreq_rings *rings, unsigned vcpu)
{
    return (uint8_t *)&rings->sync->vcpu_ioreq[vcpu] + STATE_BYTE;
}

bool ioreq_ready(const struct ioreq_rings *rings, unsigned vcpu)
{
    return (__atomic_load_n(state_byte(rings, vcpu), __ATOMIC_ACQUIRE) & STATE_MASK) ==
           STATE_IOREQ_READY;
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void note_latency(struct ioreq_rings *rings, uint64_t ns)
{
    unsigned bucket = 0;
    while (bucket < HV_IOREQ_BUCKETS - 1 && ns >= HV_IOREQ_BUCKET_NS(bucket))
        bucket++;
    rings->stats.latency[bucket]++;
}

bool ioreq_serve(struct ioreq_rings *rings, unsigned vcpu)
{
    if (vcpu >= rings->vcpus || !ioreq_ready(rings, vcpu))
        return false;
    uint64_t since = 0;
    if (!rings->until_timed--) { /* reading the clock for each would cost a tenth of the rest */
        rings->until_timed = HV_IOREQ_SAMPLE - 1;
        since = now_ns();
    }
    uint64_t *shared = (uint64_t *)(void *)&rings->sync->vcpu_ioreq[vcpu];
    uint8_t *state = state_byte(rings, vcpu);
    union request r;
    for (unsigned i = 0; i < 4; i++)
        r.word[i] = __atomic_load_n(&shared[i], __ATOMIC_RELAXED);
    uint8_t flags = (uint8_t)(r.word[3] >> (8 * (STATE_BYTE - 24)) & ~STATE_MASK);
    __atomic_store_n(state, flags | STATE_IOREQ_INPROCESS, __ATOMIC_RELEASE);

    /* Whatever was posted before this request was made must be seen by the device first. */
    ioreq_drain(rings);
    dispatch(rings, &r.req);

    if (r.req.dir == IOREQ_READ && !r.req.data_is_ptr)
        __atomic_store_n(&shared[1], r.req.data, __ATOMIC_RELAXED);
    __atomic_store_n(state, flags | STATE_IORESP_READY, __ATOMIC_RELEASE);
    rings->notify(rings->opaque, vcpu);
    if (since)
        note_latency(rings, now_ns() - since);
    return true;
}

/* --- when to spin --- */

void spin_init(struct spin *spin)
{
    *spin = (struct spin){.need = SPIN_MIN_RUN};
}

void spin_arrived(struct spin *spin)
{
#ifndef NO_SPIN /* only for `make bench`, which judges it */
    if (spin_on(spin) || ++spin->arrived < spin->need)
        return;
    spin->arrived = 0;
    spin->credit = SPIN_PRICE;
#else
    (void)spin;
#endif
}

void spin_hit(struct spin *spin)
{
    if (spin->credit < SPIN_CREDIT_MAX && ++spin->credit == SPIN_GOOD)
        spin->need = SPIN_MIN_RUN;
}

void spin_missed(struct spin *spin)
{
    if (spin->credit > SPIN_PRICE) {
        spin->credit -= SPIN_PRICE;
        return;
    }
    spin->credit = 0;
    if (spin->need < SPIN_MAX_RUN)
        spin->need *= 2;
}
