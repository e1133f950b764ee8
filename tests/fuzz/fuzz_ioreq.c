/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_ioreq: the pages of an ioreq server as nobody but a hostile writer would fill them, served
 * by hw/xen/ioreq.c. The input says what is put into slots, ring and pointers, what is served when,
 * and which bytes change meanwhile: between two fetches as seen from the devices (each access that
 * reaches one makes the next change), and, if the input asks for it, all the time by a second
 * thread.
 *
 * The devices behind it check what they are asked; guest memory is single pages with holes between,
 * some of them neighbours, each with guards around.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>

#include "hw/core/bus.h"
#include "hw/xen/hypervisor.h"
#include "hw/xen/ioreq.h"
#include "tests/fuzz/fuzz.h"

#define PAGE       4096u
#define RAM_PAGES  8
#define PORT       0x1F0u
#define PORTS      16u
#define LAST_PORT  0xFFFEu /* a region up to the last port there is */
#define MMIO       UINT64_C(0xF0000000)
#define MMIO_BYTES 0x2000u
#define SLOW_BYTES 0x100u /* memory without string operations, right behind */
#define MAX_FLIPS  32
#define MAX_VCPUS  4
#define BUDGET     66000 /* units in all: one longest request, or many short ones */

struct flip {
    uint16_t at; /* in both pages, one after the other */
    uint8_t width, xor;
    uint32_t value;
};

static uint8_t *pages; /* two, with guards: requests, then the ring */
static uint8_t *ram;   /* RAM_PAGES, with a guard after every second */
static struct flip flips[MAX_FLIPS];
static unsigned flip_count, next_flip;
static bool in_turn; /* flips are made between accesses */
static unsigned mapped, notified, units;
static int64_t budget;
static uint8_t sum;

/* --- guest memory --- */

/* Guest-physical page -> ours. Pages 0 to 5 are RAM, two and two in one piece for us; 6 and 7 lie
 * far up, the last one at the very end of all addresses; between them there is nothing. */
static uint8_t *host_page(uint64_t pfn)
{
    unsigned n;
    if (pfn < 6)
        n = (unsigned)pfn;
    else if (pfn == (UINT64_MAX >> 12))
        n = 7;
    else if (pfn == 0x100000)
        n = 6;
    else
        return NULL;
    return ram + (size_t)n * PAGE + (size_t)(n / 2) * PAGE;
}

void *__wrap_hv_mem_map(struct hypervisor *hv, uint64_t addr, size_t *len);
void __wrap_hv_mem_unmap(struct hypervisor *hv, void *host, size_t len);
void __wrap_hv_mem_dirty(struct hypervisor *hv, uint64_t addr, size_t len);

void *__wrap_hv_mem_map(struct hypervisor *hv, uint64_t addr, size_t *len)
{
    (void)hv;
    uint64_t pfn = addr >> 12;
    uint8_t *host = host_page(pfn);
    fuzz_assert(*len > 0);
    if (!host)
        return NULL;
    size_t n = PAGE - (size_t)(addr & (PAGE - 1));
    if (pfn + 1 && host_page(pfn + 1) == host + PAGE)
        n += PAGE;
    if (*len > n)
        *len = n;
    mapped++;
    return host + (addr & (PAGE - 1));
}

void __wrap_hv_mem_unmap(struct hypervisor *hv, void *host, size_t len)
{
    (void)hv;
    (void)len;
    fuzz_assert(host && mapped > 0);
    mapped--;
}

void __wrap_hv_mem_dirty(struct hypervisor *hv, uint64_t addr, size_t len)
{
    (void)hv;
    if (!len)
        return;
    for (uint64_t pfn = addr >> 12;; pfn++) {
        fuzz_assert(host_page(pfn));
        if (pfn == (addr + len - 1) >> 12)
            break;
    }
}

/* --- what changes meanwhile --- */

static void make(const struct flip *f)
{
    uint8_t *p = pages + f->at % (2 * PAGE);
    switch (f->width & 3) {
    case 0:
        if (f->xor)
            __atomic_fetch_xor(p, (uint8_t)f->value, __ATOMIC_RELAXED);
        else
            __atomic_store_n(p, (uint8_t)f->value, __ATOMIC_RELAXED);
        break;
    case 1:
        __atomic_store_n((uint32_t *)(void *)((uintptr_t)p & ~(uintptr_t)3), f->value,
                         __ATOMIC_RELAXED);
        break;
    default: /* the whole quadword, as Xen does with the ring's pointers */
        __atomic_store_n((uint64_t *)(void *)((uintptr_t)p & ~(uintptr_t)7),
                         f->value * UINT64_C(0x100000001), __ATOMIC_RELAXED);
    }
}

static void accessed(uint32_t count)
{
    units += count;
    if (in_turn && flip_count)
        make(&flips[next_flip++ % flip_count]);
}

/* The second thread: changes all there is to change, again and again, until told to stop. */
static sem_t go, done;
static atomic_bool stop, started;

static void *flipper(void *opaque)
{
    (void)opaque;
    for (;;) {
        while (sem_wait(&go))
            ;
        do {
            for (unsigned i = 0; i < flip_count; i++)
                make(&flips[i]);
            atomic_store(&started, true);
        } while (!atomic_load(&stop));
        sem_post(&done);
    }
    return NULL;
}

static void flipper_start(void)
{
    static pthread_t thread;
    static bool there;
    if (!there) {
        sem_init(&go, 0, 0);
        sem_init(&done, 0, 0);
        if (pthread_create(&thread, NULL, flipper, NULL))
            abort();
        pthread_detach(thread);
        there = true;
    }
    atomic_store(&stop, false);
    atomic_store(&started, false);
    sem_post(&go);
    while (!atomic_load(&started))
        sched_yield();
}

static void flipper_stop(void)
{
    atomic_store(&stop, true);
    while (sem_wait(&done))
        ;
}

/* --- devices --- */

static void check(uint64_t offset, unsigned width, uint64_t size, unsigned most)
{
    fuzz_assert(width && width <= most && !(width & (width - 1)) && offset < size &&
                offset + width <= size);
}

static uint64_t size_of(void *opaque)
{
    return (uint64_t)(uintptr_t)opaque;
}

static unsigned widest(void *opaque)
{
    return size_of(opaque) == MMIO_BYTES || size_of(opaque) == SLOW_BYTES ? 8 : 4;
}

static uint64_t io_read(void *opaque, uint64_t offset, unsigned width)
{
    check(offset, width, size_of(opaque), widest(opaque));
    accessed(1);
    return UINT64_C(0x8182838485868788) + offset;
}

static void io_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    check(offset, width, size_of(opaque), widest(opaque));
    fuzz_assert(width == 8 || value >> (8 * width) == 0);
    accessed(1);
}

static uint32_t io_read_run(void *opaque, uint64_t offset, unsigned width, void *buf,
                            uint32_t count)
{
    check(offset, width, size_of(opaque), widest(opaque));
    fuzz_assert(count > 0 && count <= IOREQ_MAX_COUNT);
    memset(buf, 0x5A, (size_t)count * width);
    accessed(count);
    return count;
}

static uint32_t io_write_run(void *opaque, uint64_t offset, unsigned width, const void *buf,
                             uint32_t count)
{
    check(offset, width, size_of(opaque), widest(opaque));
    fuzz_assert(count > 0 && count <= IOREQ_MAX_COUNT);
    for (size_t i = 0; i < (size_t)count * width; i++)
        sum = (uint8_t)(sum + ((const uint8_t *)buf)[i]);
    accessed(count);
    return count;
}

static const struct io_ops plain_ops = {.widths = 7, .read = io_read, .write = io_write};
static const struct io_ops run_ops = {.widths = 7,
                                      .read = io_read,
                                      .write = io_write,
                                      .read_run = io_read_run,
                                      .write_run = io_write_run};
static const struct io_ops slow_ops = {.widths = 15, .read = io_read, .write = io_write};
static const struct io_ops memory_ops = {.widths = 15,
                                         .read = io_read,
                                         .write = io_write,
                                         .read_run = io_read_run,
                                         .write_run = io_write_run};
static const struct io_ops config_ops = {.widths = 7, .read = io_read, .write = io_write};

static void notify(void *opaque, unsigned vcpu)
{
    (void)opaque;
    fuzz_assert(vcpu < MAX_VCPUS);
    notified++;
}

static void time_offset(void *opaque, int64_t seconds)
{
    (void)opaque;
    (void)seconds;
}

static void invalidate(void *opaque)
{
    (void)opaque;
    fuzz_assert(mapped == 0); /* nothing of the guest's is held over it */
}

/* --- the input --- */

enum { PUT, PUT_SERVE, POST, POINTERS, SERVE, DRAIN, RAW, FLIP_NOW, OPS };

/* An address near something, or any at all. */
static uint64_t some_address(struct fuzz_input *in)
{
    static const uint64_t bases[] = {
        0, PORT, LAST_PORT, MMIO, MMIO + MMIO_BYTES, 6 * PAGE, UINT64_C(0x100000000), UINT64_MAX,
    };
    uint8_t v = (uint8_t)fuzz_take(in, 1);
    if (v & 8)
        return fuzz_take(in, 8);
    return bases[v & 7] + (uint64_t)(int64_t)(int16_t)fuzz_take(in, 2);
}

static struct ioreq some_request(struct fuzz_input *in)
{
    static const uint32_t sizes[] = {1, 2, 4, 8};
    struct ioreq r = {.state = STATE_IOREQ_READY};
    uint8_t v = (uint8_t)fuzz_take(in, 1), w = (uint8_t)fuzz_take(in, 1);
    r.type = w & 0x80 ? w & 0x7F : (const uint8_t[]){IOREQ_TYPE_PIO,        IOREQ_TYPE_COPY,
                                                     IOREQ_TYPE_PCI_CONFIG, IOREQ_TYPE_PIO,
                                                     IOREQ_TYPE_COPY,       IOREQ_TYPE_TIMEOFFSET,
                                                     IOREQ_TYPE_INVALIDATE, 99}[w & 7];
    r.dir = v & 1;
    r.df = v >> 1 & 1;
    r.data_is_ptr = v >> 2 & 1;
    r.size = v & 8 ? (uint32_t)fuzz_take(in, 4) : sizes[v >> 4 & 3];
    r.addr = some_address(in);
    r.data = some_address(in);
    if (v & 0x40) /* mostly not the longest ones, which take long */
        r.count = w & 0x20 ? (uint32_t)fuzz_take(in, 4) : fuzz_take(in, 2) & 0xFFF;
    else
        r.count = v & 0x80 ? (uint32_t)fuzz_take(in, 1) : 1;
    if (v & 0x40 && w & 0x40)
        r.state = STATE_IOREQ_INPROCESS; /* not ours to serve */
    return r;
}

static void serve(struct ioreq_rings *rings, unsigned vcpu, bool alone)
{
    struct ioreq *slot = &rings->sync->vcpu_ioreq[vcpu], before = *slot;
    unsigned told = notified;
    units = 0;
    if (before.state == STATE_IOREQ_READY) /* what goes nowhere costs time, too */
        budget -= before.count < IOREQ_MAX_COUNT ? before.count : IOREQ_MAX_COUNT;
    bool served = ioreq_serve(rings, vcpu);
    fuzz_assert(mapped == 0);
    fuzz_assert(notified == told + served);
    fuzz_assert(units <= (IOREQ_MAX_COUNT + IOREQ_BUFFER_SLOT_NUM) * 8); /* split to bytes */
    if (!alone) /* the page may say anything by now */
        return;
    fuzz_assert(served == (before.state == STATE_IOREQ_READY));
    if (!served)
        return;
    fuzz_assert(slot->state == STATE_IORESP_READY);
    if (before.dir == IOREQ_WRITE || before.data_is_ptr)
        fuzz_assert(slot->data == before.data);
    before.data = slot->data;
    before.state = slot->state;
    fuzz_assert(!memcmp(&before, slot, sizeof(before)));
}

static void run(struct ioreq_rings *rings, struct fuzz_input *in, bool alone)
{
    struct buffered_iopage *ring = (void *)(pages + PAGE);
    for (unsigned n = 0; in->left && budget > 0 && n < 256; n++) {
        uint8_t op = (uint8_t)fuzz_take(in, 1);
        unsigned vcpu = (op >> 4) % MAX_VCPUS;
        struct ioreq r;
        uint64_t raw;
        switch ((op & 15) % OPS) {
        case PUT:
        case PUT_SERVE:
            r = some_request(in);
            memcpy(&rings->sync->vcpu_ioreq[vcpu], &r, sizeof(r));
            if ((op & 15) % OPS == PUT_SERVE)
                serve(rings, vcpu, alone);
            break;
        case POST:
            raw = fuzz_take(in, 8);
            memcpy(&ring->buf_ioreq[ring->write_pointer++ % IOREQ_BUFFER_SLOT_NUM], &raw, 8);
            break;
        case POINTERS:
            ring->read_pointer = (uint32_t)fuzz_take(in, 4);
            ring->write_pointer = op & 0x80 ? ring->read_pointer + (uint32_t)fuzz_take(in, 2)
                                            : (uint32_t)fuzz_take(in, 4);
            break;
        case SERVE:
            serve(rings, vcpu, alone);
            break;
        case DRAIN:
            units = 0;
            fuzz_assert(ioreq_drain(rings) <= IOREQ_BUFFER_SLOT_NUM);
            fuzz_assert(units <= IOREQ_BUFFER_SLOT_NUM * 8 && mapped == 0);
            if (alone)
                fuzz_assert(!ioreq_posted(rings));
            break;
        case RAW: { /* any bytes anywhere in the pages */
            size_t at = fuzz_take(in, 2) % (2 * PAGE - 32), len = (op >> 4) * 2u + 1;
            const uint8_t *p = fuzz_take_bytes(in, len, &len);
            memcpy(pages + at, p, len);
            break;
        }
        default:
            if (flip_count)
                make(&flips[next_flip++ % flip_count]);
        }
    }
}

static uint8_t *guarded(unsigned pages_wanted, unsigned guard_every)
{
    size_t step = (guard_every + 1) * (size_t)PAGE;
    size_t bytes = pages_wanted / guard_every * step + PAGE;
    uint8_t *p = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        abort();
    p += PAGE;
    for (unsigned i = 0; i < pages_wanted / guard_every; i++)
        if (mprotect(p + i * step, step - PAGE, PROT_READ | PROT_WRITE))
            abort();
    return p;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct bus *bus;
    static struct io_region near, far, plain, memory, slow;
    if (!bus) { /* has no state of its own */
        struct err err;
        pages = guarded(2, 2);
        ram = guarded(RAM_PAGES, 2);
        bus = bus_new(NULL);
        io_region_init(&near, "near", &run_ops, (void *)(uintptr_t)PORTS);
        io_region_init(&plain, "plain", &plain_ops, (void *)(uintptr_t)PORTS);
        io_region_init(&far, "far", &run_ops, (void *)(uintptr_t)2);
        io_region_init(&memory, "memory", &memory_ops, (void *)(uintptr_t)MMIO_BYTES);
        io_region_init(&slow, "slow", &slow_ops, (void *)(uintptr_t)SLOW_BYTES);
        if (!bus_map(bus, &near, IO_PORT, PORT, PORTS, &err) ||
            !bus_map(bus, &plain, IO_PORT, PORT + PORTS, PORTS, &err) ||
            !bus_map(bus, &far, IO_PORT, LAST_PORT, 2, &err) ||
            !bus_map(bus, &memory, IO_MEMORY, MMIO, MMIO_BYTES, &err) ||
            !bus_map(bus, &slow, IO_MEMORY, MMIO + MMIO_BYTES, SLOW_BYTES, &err))
            abort();
        bus_set_pci_config(bus, &config_ops, (void *)(uintptr_t)0x10000);
    }
    struct fuzz_input in = {.p = data, .left = size};
    uint8_t flags = (uint8_t)fuzz_take(&in, 1);
    bool second_thread = (flags & 7) == 7;
    memset(pages, 0, 2 * PAGE);
    for (unsigned i = 0; i < RAM_PAGES; i++)
        memset(ram + (size_t)i * PAGE + (size_t)(i / 2) * PAGE, (int)i, PAGE);
    mapped = notified = next_flip = 0;
    budget = BUDGET;
    in_turn = flags & 8;
    flip_count = flags & 15 ? (unsigned)fuzz_take(&in, 1) % (MAX_FLIPS + 1) : 0;
    for (unsigned i = 0; i < flip_count; i++) {
        uint8_t how = (uint8_t)fuzz_take(&in, 1);
        flips[i] = (struct flip){.width = how & 3,
                                 .xor = how >> 2 & 1,
                                 .at = (uint16_t)fuzz_take(&in, 1),
                                 .value = (uint32_t)fuzz_take(&in, how & 8 ? 4 : 1)};
        if (how & 0x10) /* else: the first slots; the ring's pointers and first entries */
            flips[i].at = (uint16_t)(flips[i].at | fuzz_take(&in, 1) << 8);
        else if (how & 0x20)
            flips[i].at = (uint16_t)(flips[i].at + PAGE);
    }
    struct ioreq_rings rings = {
        .sync = (void *)pages,
        .buffered = flags & 0x10 ? NULL : (void *)(pages + PAGE),
        .vcpus = MAX_VCPUS,
        .bus = bus,
        .notify = notify,
        .time_offset = time_offset,
        .invalidate = invalidate,
    };
    bool flipping = second_thread && flip_count;
    if (flipping)
        flipper_start();
    run(&rings, &in, !flipping && !in_turn);
    if (flipping)
        flipper_stop();
    return 0;
}
