/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of the ioreq rings: pages filled as Xen fills them, a real bus, a fake guest memory. */
#include "hw/xen/ioreq.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hw/core/bus.h"
#include "hw/core/clock.h"
#include "tests/fake/hypervisor.h"

#define PAGE      4096u
#define RAM_BYTES (4u << 20)
#define PORT      0x1F0
#define MMIO      UINT64_C(0xF0000000)
#define MAX_LOG   20000

enum { EV_READ, EV_WRITE, EV_RUN_READ, EV_RUN_WRITE };

struct event {
    int kind;
    char space; /* 'p', 'm', 'c' */
    uint64_t offset;
    unsigned width;
    uint64_t value; /* written, or units of a run */
};

struct fixture {
    struct ioreq_rings rings;
    uint8_t *sync_page, *buffered_page;
    struct hypervisor *hv;
    struct bus *bus;
    struct io_region ports, memory;
    uint8_t regs[8192]; /* of the memory region */
    uint8_t next;       /* what the data port gives next */
    uint8_t taken[65536];
    size_t taken_len;
    bool runs; /* the port has run handlers that work */
    struct event *log;
    unsigned events;
    unsigned notified[IOREQ_MAX_VCPUS];
    int64_t offset;
    unsigned offsets, invalidates;
    void (*hook)(struct fixture *f); /* in the middle of an access */
};

static void record(struct fixture *f, int kind, char space, uint64_t offset, unsigned width,
                   uint64_t value)
{
    if (f->hook)
        f->hook(f);
    if (f->events < MAX_LOG)
        f->log[f->events] = (struct event){kind, space, offset, width, value};
    f->events++;
}

static uint64_t port_read(void *opaque, uint64_t offset, unsigned width)
{
    struct fixture *f = opaque;
    uint64_t v = 0;
    record(f, EV_READ, 'p', offset, width, 0);
    for (unsigned i = 0; i < width; i++)
        v |= (uint64_t)f->next++ << (8 * i);
    return v;
}

static void take(struct fixture *f, const void *p, size_t n)
{
    for (size_t i = 0; i < n && f->taken_len < sizeof(f->taken); i++)
        f->taken[f->taken_len++] = ((const uint8_t *)p)[i];
}

static void port_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct fixture *f = opaque;
    record(f, EV_WRITE, 'p', offset, width, value);
    take(f, &value, width);
}

static uint32_t port_read_run(void *opaque, uint64_t offset, unsigned width, void *buf,
                              uint32_t count)
{
    struct fixture *f = opaque;
    if (!f->runs)
        return 0;
    record(f, EV_RUN_READ, 'p', offset, width, count);
    for (size_t i = 0; i < (size_t)width * count; i++)
        ((uint8_t *)buf)[i] = f->next++;
    return count;
}

static uint32_t port_write_run(void *opaque, uint64_t offset, unsigned width, const void *buf,
                               uint32_t count)
{
    struct fixture *f = opaque;
    if (!f->runs)
        return 0;
    record(f, EV_RUN_WRITE, 'p', offset, width, count);
    take(f, buf, (size_t)width * count);
    return count;
}

static uint64_t mem_read(void *opaque, uint64_t offset, unsigned width)
{
    struct fixture *f = opaque;
    uint64_t v = 0;
    record(f, EV_READ, 'm', offset, width, 0);
    memcpy(&v, f->regs + offset, width);
    return v;
}

static void mem_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct fixture *f = opaque;
    record(f, EV_WRITE, 'm', offset, width, value);
    memcpy(f->regs + offset, &value, width);
}

static uint64_t cfg_read(void *opaque, uint64_t offset, unsigned width)
{
    struct fixture *f = opaque;
    record(f, EV_READ, 'c', offset, width, 0);
    return 0x12378086 >> (8 * (offset & 3));
}

static void cfg_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    record(opaque, EV_WRITE, 'c', offset, width, value);
}

static const struct io_ops port_ops = {.widths = 7,
                                       .read = port_read,
                                       .write = port_write,
                                       .read_run = port_read_run,
                                       .write_run = port_write_run};
static const struct io_ops mem_ops = {.widths = 15, .read = mem_read, .write = mem_write};
static const struct io_ops cfg_ops = {.widths = 7, .read = cfg_read, .write = cfg_write};

static void notify(void *opaque, unsigned vcpu)
{
    struct fixture *f = opaque;
    f->notified[vcpu]++;
}

static void time_offset(void *opaque, int64_t seconds)
{
    struct fixture *f = opaque;
    f->offset += seconds;
    f->offsets++;
}

static void invalidate(void *opaque)
{
    struct fixture *f = opaque;
    f->invalidates++;
}

static void *page(void)
{
    void *p = aligned_alloc(PAGE, PAGE);
    assert_non_null(p);
    memset(p, 0, PAGE);
    return p;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->log = calloc(MAX_LOG, sizeof(*f->log));
    assert_non_null(f->log);
    f->sync_page = page();
    f->buffered_page = page();
    f->hv = fake_hypervisor_new(RAM_BYTES);
    f->bus = bus_new(NULL);
    io_region_init(&f->ports, "port", &port_ops, f);
    io_region_init(&f->memory, "memory", &mem_ops, f);
    struct err err;
    assert_true(bus_map(f->bus, &f->ports, IO_PORT, PORT, 8, &err));
    assert_true(bus_map(f->bus, &f->memory, IO_MEMORY, MMIO, sizeof(f->regs), &err));
    bus_set_pci_config(f->bus, &cfg_ops, f);
    f->rings = (struct ioreq_rings){
        .sync = (void *)f->sync_page,
        .buffered = (void *)f->buffered_page,
        .vcpus = IOREQ_MAX_VCPUS,
        .bus = f->bus,
        .hv = f->hv,
        .notify = notify,
        .time_offset = time_offset,
        .invalidate = invalidate,
        .opaque = f,
    };
    for (unsigned i = 0; i < sizeof(f->regs); i++)
        f->regs[i] = (uint8_t)(i * 7 + 1);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(f->hv->maps, 0);
    bus_free(f->bus);
    fake_hypervisor_free(f->hv);
    free(f->sync_page);
    free(f->buffered_page);
    free(f->log);
    free(f);
    return 0;
}

/* Puts a request where Xen does and serves it; returns the request as Xen sees it afterwards. */
static struct ioreq ask_vcpu(struct fixture *f, unsigned vcpu, struct ioreq req)
{
    struct ioreq *p = &f->rings.sync->vcpu_ioreq[vcpu];
    unsigned before = f->notified[vcpu];
    req.state = STATE_IOREQ_READY;
    req.vp_eport = 7;
    *p = req;
    assert_true(ioreq_ready(&f->rings, vcpu));
    assert_true(ioreq_serve(&f->rings, vcpu));
    assert_int_equal(p->state, STATE_IORESP_READY);
    assert_int_equal(f->notified[vcpu], before + 1);
    /* Nothing but data and state is written back. */
    assert_int_equal(p->addr, req.addr);
    assert_int_equal(p->count, req.count);
    assert_int_equal(p->size, req.size);
    assert_int_equal(p->vp_eport, 7);
    assert_int_equal(p->type, req.type);
    assert_int_equal(p->dir, req.dir);
    assert_int_equal(p->df, req.df);
    assert_int_equal(p->data_is_ptr, req.data_is_ptr);
    if (req.data_is_ptr || req.dir == IOREQ_WRITE)
        assert_int_equal(p->data, req.data);
    /* A late event for the same request does nothing. */
    assert_false(ioreq_serve(&f->rings, vcpu));
    assert_int_equal(f->notified[vcpu], before + 1);
    return *p;
}

static uint64_t ask(struct fixture *f, struct ioreq req)
{
    return ask_vcpu(f, 0, req).data;
}

#define REP(type_, n, ...) ((struct ioreq){.type = (type_), .count = (n), __VA_ARGS__})
#define PIO(...)           REP(IOREQ_TYPE_PIO, 1, __VA_ARGS__)
#define PIO_REP(n, ...)    REP(IOREQ_TYPE_PIO, n, __VA_ARGS__)
#define COPY(...)          REP(IOREQ_TYPE_COPY, 1, __VA_ARGS__)
#define COPY_REP(n, ...)   REP(IOREQ_TYPE_COPY, n, __VA_ARGS__)

static void assert_event(struct fixture *f, unsigned i, int kind, char space, uint64_t offset,
                         unsigned width, uint64_t value)
{
    assert_true(i < f->events);
    assert_int_equal(f->log[i].kind, kind);
    assert_int_equal(f->log[i].space, space);
    assert_int_equal(f->log[i].offset, offset);
    assert_int_equal(f->log[i].width, width);
    if (kind != EV_READ)
        assert_int_equal(f->log[i].value, value);
}

static void test_single_accesses(void **state)
{
    struct fixture *f = *state;
    f->next = 0xA1;
    assert_int_equal(ask(f, PIO(.addr = PORT + 2, .size = 1, .dir = IOREQ_READ, .data = ~0ull)),
                     0xA1);
    assert_int_equal(ask(f, PIO(.addr = PORT, .size = 4, .dir = IOREQ_READ)), 0xA5A4A3A2);
    ask(f, PIO(.addr = PORT + 1, .size = 2, .data = 0xFFFFBEEF));
    assert_event(f, 2, EV_WRITE, 'p', 1, 2, 0xBEEF);
    assert_int_equal(ask(f, COPY(.addr = MMIO + 8, .size = 8, .dir = IOREQ_READ)),
                     *(uint64_t *)(void *)(f->regs + 8));
    ask(f, COPY(.addr = MMIO + 16, .size = 8, .data = 0x1122334455667788));
    assert_event(f, 4, EV_WRITE, 'm', 16, 8, 0x1122334455667788);
    /* Nobody there. */
    assert_int_equal(ask(f, PIO(.addr = 0x80, .size = 2, .dir = IOREQ_READ)), 0xFFFF);
    assert_int_equal(ask(f, COPY(.addr = 0x1000, .size = 4, .dir = IOREQ_READ)), 0xFFFFFFFF);
    ask(f, PIO(.addr = 0x80, .size = 2));
    assert_int_equal(f->events, 5);
}

static void test_every_vcpu(void **state)
{
    struct fixture *f = *state;
    for (unsigned v = 0; v < IOREQ_MAX_VCPUS; v++) {
        f->next = (uint8_t)v;
        assert_int_equal(ask_vcpu(f, v, PIO(.addr = PORT, .size = 1, .dir = IOREQ_READ)).data, v);
    }
    assert_false(ioreq_serve(&f->rings, IOREQ_MAX_VCPUS));
    f->rings.vcpus = 2;
    f->rings.sync->vcpu_ioreq[2].state = STATE_IOREQ_READY;
    assert_false(ioreq_serve(&f->rings, 2));
}

static void test_only_ready_is_served(void **state)
{
    struct fixture *f = *state;
    for (unsigned s = 0; s < 16; s++) {
        if (s == STATE_IOREQ_READY)
            continue;
        f->rings.sync->vcpu_ioreq[0] = PIO(.addr = PORT, .size = 1, .state = s & 15);
        assert_false(ioreq_ready(&f->rings, 0));
        assert_false(ioreq_serve(&f->rings, 0));
        assert_int_equal(f->rings.sync->vcpu_ioreq[0].state, s);
    }
    assert_int_equal(f->events, 0);
    assert_int_equal(f->notified[0], 0);
}

static void scribble(struct fixture *f)
{
    struct ioreq *p = &f->rings.sync->vcpu_ioreq[0];
    assert_int_equal(p->state, STATE_IOREQ_INPROCESS);
    *p = (struct ioreq){.addr = MMIO,
                        .size = 255,
                        .count = ~0u,
                        .data = 0x5555,
                        .type = 99,
                        .data_is_ptr = 1,
                        .state = STATE_IOREQ_INPROCESS};
}

/* XSA-155, XSA-197: what changes in the page after it was taken has no effect. */
static void test_single_fetch(void **state)
{
    struct fixture *f = *state;
    f->hook = scribble;
    f->rings.sync->vcpu_ioreq[0] =
        PIO(.addr = PORT, .size = 2, .dir = IOREQ_READ, .state = STATE_IOREQ_READY);
    f->next = 0x10;
    assert_true(ioreq_serve(&f->rings, 0));
    assert_int_equal(f->rings.sync->vcpu_ioreq[0].data, 0x1110);
    assert_int_equal(f->rings.sync->vcpu_ioreq[0].state, STATE_IORESP_READY);
    assert_int_equal(f->events, 1);
    assert_event(f, 0, EV_READ, 'p', 0, 2, 0);
}

/* XSA-197: sizes. */
static void test_bad_sizes(void **state)
{
    struct fixture *f = *state;
    static const uint32_t sizes[] = {0, 3, 5, 6, 7, 9, 16, 255, 256, 0x10001, 0x80000000, ~0u};
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
        for (unsigned ptr = 0; ptr < 2; ptr++)
            for (unsigned df = 0; df < 2; df++)
                for (unsigned dir = 0; dir < 2; dir++) {
                    struct ioreq q = {.size = sizes[i],
                                      .count = 3,
                                      .data_is_ptr = ptr & 1,
                                      .df = df & 1,
                                      .dir = dir & 1,
                                      .data = 0x2000};
                    q.type = IOREQ_TYPE_PIO, q.addr = PORT;
                    uint64_t got = ask(f, q);
                    if (dir == IOREQ_READ && !ptr)
                        assert_int_equal(got, UINT64_MAX);
                    q.type = IOREQ_TYPE_COPY, q.addr = MMIO;
                    ask(f, q);
                    q.type = IOREQ_TYPE_PCI_CONFIG, q.addr = 0;
                    ask(f, q);
                }
    ask(f, PIO(.addr = PORT, .size = 8, .dir = IOREQ_READ));
    ask(f, PIO(.addr = PORT, .size = 8, .dir = IOREQ_READ, .data_is_ptr = 1, .data = 0x2000));
    ask(f, (struct ioreq){.type = IOREQ_TYPE_PCI_CONFIG, .size = 8, .count = 1});
    assert_int_equal(f->events, 0);
    for (unsigned i = 0; i < RAM_BYTES; i++)
        assert_int_equal(f->hv->ram[i], 0);
}

/* XSA-199: ports past 0xFFFF do not exist; the upper bits are not dropped. */
static void test_ports_past_the_end(void **state)
{
    struct fixture *f = *state;
    static const uint64_t addrs[] = {0x10000 + PORT, 0x100000000 + PORT, UINT64_MAX,
                                     0xFFFFFFFF00000000 + PORT};
    for (unsigned i = 0; i < sizeof(addrs) / sizeof(*addrs); i++) {
        assert_int_equal(ask(f, PIO(.addr = addrs[i], .size = 4, .dir = IOREQ_READ)), 0xFFFFFFFF);
        ask(f, PIO(.addr = addrs[i], .size = 4));
        memset(f->hv->ram + 0x3000, 0, 64);
        ask(f, PIO_REP(16, .addr = addrs[i], .size = 2, .dir = IOREQ_READ, .data_is_ptr = 1,
                       .data = 0x3000));
        assert_int_equal(f->hv->ram[0x3000], 0xFF);
        assert_int_equal(f->hv->ram[0x301F], 0xFF);
        assert_int_equal(f->hv->ram[0x3020], 0);
        ask(f, PIO_REP(16, .addr = addrs[i], .size = 2, .data_is_ptr = 1, .data = 0x3000));
        ask(f, PIO_REP(16, .addr = addrs[i], .size = 2, .data_is_ptr = 1, .df = 1, .data = 0x3040));
    }
    assert_int_equal(ask(f, PIO(.addr = 0xFFFF, .size = 4, .dir = IOREQ_READ)), 0xFFFFFFFF);
    ask(f, PIO(.addr = 0xFFFE, .size = 4));
    assert_int_equal(f->events, 0);
}

static void test_pci_config(void **state)
{
    struct fixture *f = *state;
    struct ioreq q = {.type = IOREQ_TYPE_PCI_CONFIG, .count = 1, .dir = IOREQ_READ};
    q.addr = (uint64_t)(3 << 3 | 1) << 32 | 0x40;
    q.size = 4;
    assert_int_equal(ask(f, q), 0x12378086);
    assert_event(f, 0, EV_READ, 'c', 0x1940, 4, 0);
    q.size = 1, q.addr += 3;
    assert_int_equal(ask(f, q), 0x12);
    q.dir = IOREQ_WRITE, q.data = 0xABCD99;
    ask(f, q);
    assert_event(f, 2, EV_WRITE, 'c', 0x1943, 1, 0x99);

    /* Another bus or segment, registers past the end: nothing there. */
    static const uint64_t nowhere[] = {
        UINT64_C(1) << 40, UINT64_C(1) << 48,     UINT64_C(1) << 63, 0x100, 0xFD,
        0xFFFFFFFF,        (1ull << 32) | 0xFFFF, 0x80000000,
    };
    for (unsigned i = 0; i < sizeof(nowhere) / sizeof(*nowhere); i++) {
        q = (struct ioreq){.type = IOREQ_TYPE_PCI_CONFIG,
                           .count = 1,
                           .dir = IOREQ_READ,
                           .size = 4,
                           .addr = nowhere[i]};
        assert_int_equal(ask(f, q), 0xFFFFFFFF);
        q.dir = IOREQ_WRITE;
        ask(f, q);
    }
    assert_int_equal(f->events, 3);

    /* rep ins from 0xCFC: the same register again and again. */
    q = (struct ioreq){.type = IOREQ_TYPE_PCI_CONFIG,
                       .count = 3,
                       .dir = IOREQ_READ,
                       .size = 4,
                       .addr = 8,
                       .data_is_ptr = 1,
                       .data = 0x5000};
    ask(f, q);
    assert_int_equal(f->events, 6);
    assert_event(f, 5, EV_READ, 'c', 8, 4, 0);
    assert_memory_equal(f->hv->ram + 0x5008, "\x86\x80\x37\x12", 4);
}

/* rep insw of a sector: one call of the device, straight into guest memory. */
static void test_rep_ins_bulk(void **state)
{
    struct fixture *f = *state;
    f->runs = true;
    hv_log_dirty(f->hv, true);
    ask(f,
        PIO_REP(256, .addr = PORT, .size = 2, .dir = IOREQ_READ, .data_is_ptr = 1, .data = 0x4F00));
    assert_int_equal(f->events, 1);
    assert_event(f, 0, EV_RUN_READ, 'p', 0, 2, 256);
    for (unsigned i = 0; i < 512; i++)
        assert_int_equal(f->hv->ram[0x4F00 + i], (uint8_t)i);
    assert_int_equal(f->hv->ram[0x4EFF], 0);
    assert_int_equal(f->hv->ram[0x5100], 0);
    assert_true(f->hv->dirty[4] && f->hv->dirty[5]);
    assert_false(f->hv->dirty[3] || f->hv->dirty[6]);
}

static void test_rep_outs_bulk(void **state)
{
    struct fixture *f = *state;
    f->runs = true;
    hv_log_dirty(f->hv, true);
    for (unsigned i = 0; i < 0x3000; i++)
        f->hv->ram[0x10000 + i] = (uint8_t)(i * 5 + (i >> 8));
    ask(f, PIO_REP(0x3000 / 4, .addr = PORT, .size = 4, .data_is_ptr = 1, .data = 0x10000));
    assert_int_equal(f->taken_len, 0x3000);
    assert_memory_equal(f->taken, f->hv->ram + 0x10000, 0x3000);
    assert_true(f->events <= 4);
    assert_false(f->hv->dirty[16]);
}

/* A device without run handlers gets the same data one unit a time, all sizes, both directions. */
static void test_rep_unit_by_unit(void **state)
{
    struct fixture *f = *state;
    for (unsigned size = 1; size <= 4; size *= 2) {
        f->events = 0, f->taken_len = 0, f->next = 0;
        ask(f, PIO_REP(24, .addr = PORT, .size = size, .dir = IOREQ_READ, .data_is_ptr = 1,
                       .data = 0x1FF1));
        assert_int_equal(f->events, 24);
        for (unsigned i = 0; i < 24 * size; i++)
            assert_int_equal(f->hv->ram[0x1FF1 + i], i);
        ask(f, PIO_REP(24, .addr = PORT, .size = size, .data_is_ptr = 1, .data = 0x1FF1));
        assert_memory_equal(f->taken, f->hv->ram + 0x1FF1, 24 * size);
    }
}

static void test_rep_downward(void **state)
{
    struct fixture *f = *state;
    hv_log_dirty(f->hv, true);
    for (unsigned size = 1; size <= 4; size *= 2) {
        uint64_t top = 0x7008 - size; /* units on both sides of a page's edge, and one across it */
        f->next = 0, f->taken_len = 0;
        if (size > 1)
            top -= 1;
        memset(f->hv->dirty, 0, 64);
        ask(f, PIO_REP(16, .addr = PORT, .size = size, .df = 1, .dir = IOREQ_READ, .data_is_ptr = 1,
                       .data = top));
        for (unsigned u = 0; u < 16; u++)
            for (unsigned b = 0; b < size; b++)
                assert_int_equal(f->hv->ram[top - u * size + b], (uint8_t)(u * size + b));
        assert_true(f->hv->dirty[6] && f->hv->dirty[7]);
        ask(f, PIO_REP(16, .addr = PORT, .size = size, .df = 1, .data_is_ptr = 1, .data = top));
        for (unsigned i = 0; i < 16 * size; i++)
            assert_int_equal(f->taken[i], (uint8_t)i);
    }
}

/* movs between MMIO and RAM: both addresses go on. */
static void test_mmio_rep(void **state)
{
    struct fixture *f = *state;
    for (unsigned size = 1; size <= 8; size *= 2) {
        unsigned n = 40;
        ask(f, COPY_REP(n, .addr = MMIO + 0x100, .size = size, .dir = IOREQ_READ, .data_is_ptr = 1,
                        .data = 0x8FF9));
        assert_memory_equal(f->hv->ram + 0x8FF9, f->regs + 0x100, n * size);
        ask(f, COPY_REP(n, .addr = MMIO + 0x800, .size = size, .data_is_ptr = 1, .data = 0x8FF9));
        assert_memory_equal(f->regs + 0x800, f->regs + 0x100, n * size);
        /* downward */
        memset(f->hv->ram + 0x9000, 0, 0x1000);
        memset(f->regs + 0x800, 0, 0x200);
        ask(f, COPY_REP(n, .addr = MMIO + 0x100 + (n - 1) * size, .size = size, .df = 1,
                        .dir = IOREQ_READ, .data_is_ptr = 1, .data = 0x9801 + (n - 1) * size));
        assert_memory_equal(f->hv->ram + 0x9801, f->regs + 0x100, n * size);
        assert_int_equal(f->hv->ram[0x9800], 0);
        assert_int_equal(f->hv->ram[0x9801 + n * size], 0);
        ask(f, COPY_REP(n, .addr = MMIO + 0x800 + (n - 1) * size, .size = size, .df = 1,
                        .data_is_ptr = 1, .data = 0x9801 + (n - 1) * size));
        assert_memory_equal(f->regs + 0x800, f->regs + 0x100, n * size);
    }
}

/* rep stos to memory: one value, no pointer. */
static void test_mmio_fill(void **state)
{
    struct fixture *f = *state;
    memset(f->regs, 0, sizeof(f->regs));
    ask(f, COPY_REP(1500, .addr = MMIO + 4, .size = 2, .data = 0xBEEF0720));
    for (unsigned i = 0; i < 1500; i++) {
        assert_int_equal(f->regs[4 + 2 * i], 0x20);
        assert_int_equal(f->regs[5 + 2 * i], 0x07);
    }
    assert_int_equal(f->regs[3], 0);
    assert_int_equal(f->regs[4 + 3000], 0);
    memset(f->regs, 0, sizeof(f->regs));
    ask(f, COPY_REP(5, .addr = MMIO + 40, .size = 4, .df = 1, .data = 0x01020304));
    assert_int_equal(f->regs[23], 0);
    assert_memory_equal(f->regs + 24, "\x04\x03\x02\x01\x04\x03\x02\x01", 8);
    assert_int_equal(f->regs[43], 1);
    assert_int_equal(f->regs[44], 0);
}

static void test_repeated_value(void **state)
{
    struct fixture *f = *state;
    f->next = 1;
    assert_int_equal(ask(f, PIO_REP(5, .addr = PORT, .size = 1, .dir = IOREQ_READ)), 5);
    ask(f, PIO_REP(3, .addr = PORT, .size = 1, .data = 0x77));
    assert_int_equal(f->taken_len, 3);
    assert_int_equal(f->taken[2], 0x77);
    unsigned events = f->events;
    ask(f, PIO_REP(0, .addr = PORT, .size = 1, .data = 0x77));
    ask(f, COPY_REP(0, .addr = MMIO, .size = 1, .data_is_ptr = 1, .data = 0));
    assert_int_equal(f->events, events);
}

/* Buffers that are no RAM: the device still runs; reads give ones, writes vanish. */
static void test_buffer_not_ram(void **state)
{
    struct fixture *f = *state;
    static const uint64_t where[] = {RAM_BYTES, UINT64_C(1) << 51, UINT64_MAX - 63, RAM_BYTES - 3};
    f->runs = true;
    for (unsigned i = 0; i < sizeof(where) / sizeof(*where); i++)
        for (unsigned df = 0; df < 2; df++) {
            f->taken_len = 0;
            f->next = 0;
            memset(f->hv->ram + RAM_BYTES - 64, 0, 64);
            ask(f, PIO_REP(8, .addr = PORT, .size = 4, .dir = IOREQ_READ, .data_is_ptr = 1,
                           .df = df & 1, .data = where[i]));
            assert_int_equal(f->next, 32);
            ask(f, PIO_REP(8, .addr = PORT, .size = 4, .data_is_ptr = 1, .df = df & 1,
                           .data = where[i]));
            assert_int_equal(f->taken_len, 32);
            if (where[i] != RAM_BYTES - 3 && !(df && where[i] == RAM_BYTES))
                assert_int_equal(f->taken[20], 0xFF);
            if (where[i] == RAM_BYTES - 3) /* a unit half in RAM */
                assert_memory_equal(f->hv->ram + RAM_BYTES - 3, "\x00\x01\x02", 3);
        }
}

/* The vulnerability table's count/df row: bounded work, however large the count. */
static void test_huge_counts(void **state)
{
    struct fixture *f = *state;
    static const uint64_t data[] = {0, 0x10, RAM_BYTES - 1, UINT64_MAX};
    for (unsigned i = 0; i < sizeof(data) / sizeof(*data); i++)
        for (unsigned bits = 0; bits < 8; bits++) {
            struct ioreq q = {.count = ~0u,
                              .size = 4,
                              .df = bits & 1,
                              .dir = bits >> 1 & 1,
                              .data_is_ptr = bits >> 2 & 1,
                              .data = data[i]};
            f->events = 0;
            q.type = IOREQ_TYPE_PIO, q.addr = PORT;
            ask(f, q);
            assert_true(f->events <= IOREQ_MAX_COUNT);
            assert_true(f->events > 0);
            f->events = 0;
            q.type = IOREQ_TYPE_COPY, q.addr = MMIO, q.size = 8;
            ask(f, q);
            assert_true(f->events <= IOREQ_MAX_COUNT);
        }
}

static void test_other_types(void **state)
{
    struct fixture *f = *state;
    ask(f, (struct ioreq){
               .type = IOREQ_TYPE_TIMEOFFSET, .size = 8, .count = 1, .data = (uint64_t)-3600});
    assert_int_equal(f->offset, -3600);
    ask(f, (struct ioreq){.type = IOREQ_TYPE_INVALIDATE, .size = 4, .data = ~0ull});
    assert_int_equal(f->invalidates, 1);
    for (unsigned t = 0; t < 256; t++) {
        if (t <= 2 || t == IOREQ_TYPE_TIMEOFFSET || t == IOREQ_TYPE_INVALIDATE)
            continue;
        assert_int_equal(
            ask(f,
                (struct ioreq){
                    .type = (uint8_t)t, .size = 4, .count = 1, .dir = IOREQ_READ, .data = 5}),
            UINT64_MAX);
        ask(f, (struct ioreq){.type = (uint8_t)t, .size = 4, .count = 1});
    }
    f->rings.time_offset = NULL;
    f->rings.invalidate = NULL;
    ask(f, (struct ioreq){.type = IOREQ_TYPE_TIMEOFFSET, .size = 8, .count = 1});
    ask(f, (struct ioreq){.type = IOREQ_TYPE_INVALIDATE, .size = 4});
    assert_int_equal(f->offsets, 1);
    assert_int_equal(f->invalidates, 1);
    assert_int_equal(f->events, 0);
}

/* --- the buffered ring --- */

static struct buffered_iopage *ring(struct fixture *f)
{
    return f->rings.buffered;
}

/* As Xen's ioreq_send_buffered does it; false: full. */
static bool post(struct fixture *f, uint8_t type, uint32_t addr, unsigned log2size, uint64_t data)
{
    struct buffered_iopage *p = ring(f);
    uint32_t slots = log2size == 3 ? 2 : 1;
    uint64_t both = __atomic_load_n((uint64_t *)(void *)p, __ATOMIC_ACQUIRE);
    uint32_t r = (uint32_t)both, w = (uint32_t)(both >> 32);
    if (w - r > IOREQ_BUFFER_SLOT_NUM - slots)
        return false;
    struct buf_ioreq b = {.type = type,
                          .dir = IOREQ_WRITE,
                          .size = log2size & 3,
                          .addr = addr & 0xFFFFF,
                          .data = (uint32_t)data};
    p->buf_ioreq[w % IOREQ_BUFFER_SLOT_NUM] = b;
    if (slots == 2) {
        b.data = (uint32_t)(data >> 32);
        p->buf_ioreq[(w + 1) % IOREQ_BUFFER_SLOT_NUM] = b;
    }
    __atomic_fetch_add(&p->write_pointer, slots, __ATOMIC_RELEASE);
    for (;;) {
        both = __atomic_load_n((uint64_t *)(void *)p, __ATOMIC_ACQUIRE);
        r = (uint32_t)both, w = (uint32_t)(both >> 32);
        uint32_t rounds = r / IOREQ_BUFFER_SLOT_NUM * IOREQ_BUFFER_SLOT_NUM;
        if (!rounds)
            return true;
        uint64_t less = (uint64_t)(w - rounds) << 32 | (r - rounds);
        __atomic_compare_exchange_n((uint64_t *)(void *)p, &both, less, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_RELAXED);
    }
}

static void test_posted_writes(void **state)
{
    struct fixture *f = *state;
    assert_false(ioreq_posted(&f->rings));
    assert_int_equal(ioreq_drain(&f->rings), 0);
    assert_true(post(f, IOREQ_TYPE_PIO, PORT + 1, 0, 0x11));
    assert_true(post(f, IOREQ_TYPE_PIO, PORT, 1, 0x2222));
    assert_true(post(f, IOREQ_TYPE_PIO, PORT, 2, 0x33333333));
    assert_true(post(f, IOREQ_TYPE_TIMEOFFSET, 0, 3, (uint64_t)-7));
    assert_true(ioreq_posted(&f->rings));
    assert_int_equal(ioreq_drain(&f->rings), 5);
    assert_false(ioreq_posted(&f->rings));
    assert_int_equal(f->events, 3);
    assert_event(f, 0, EV_WRITE, 'p', 1, 1, 0x11);
    assert_event(f, 1, EV_WRITE, 'p', 0, 2, 0x2222);
    assert_event(f, 2, EV_WRITE, 'p', 0, 4, 0x33333333);
    assert_int_equal(f->offset, -7);
    assert_int_equal(f->notified[0], 0); /* nobody waits for them */
    f->rings.buffered = NULL;
    assert_int_equal(ioreq_drain(&f->rings), 0);
    assert_false(ioreq_posted(&f->rings));
}

/* 20 bits of address: the VGA window. Quadwords take two slots, also across the ring's end. */
static void test_posted_quadwords_wrap(void **state)
{
    struct fixture *f = *state;
    struct io_region window;
    struct err err;
    io_region_init(&window, "window", &mem_ops, f);
    assert_true(bus_map(f->bus, &window, IO_MEMORY, 0xA0000, sizeof(f->regs), &err));
    assert_true(post(f, IOREQ_TYPE_PIO, PORT, 0, 0)); /* odd: quadwords straddle slot 510 and 0 */
    assert_int_equal(ioreq_drain(&f->rings), 1);
    f->events = 0;
    uint64_t n = 0;
    for (unsigned round = 0; round < 10; round++) {
        while (post(f, IOREQ_TYPE_COPY, 0xA0000 + n % 64 * 8, 3, n << 33 | n))
            n++;
        ioreq_drain(&f->rings);
    }
    assert_int_equal(f->events, n);
    for (unsigned i = 0; i < n; i++)
        assert_event(f, i, EV_WRITE, 'm', i % 64 * 8, 8, (uint64_t)i << 33 | i);
    bus_unmap(f->bus, &window);
}

/* What was posted before a request is seen by the device before it. */
static void test_posted_before_request(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < IOREQ_BUFFER_SLOT_NUM; i++)
        assert_true(post(f, IOREQ_TYPE_PIO, PORT, 1, i));
    assert_false(post(f, IOREQ_TYPE_PIO, PORT, 1, 0));
    ask(f, PIO(.addr = PORT + 4, .size = 1, .dir = IOREQ_READ));
    assert_int_equal(f->events, IOREQ_BUFFER_SLOT_NUM + 1);
    assert_event(f, 0, EV_WRITE, 'p', 0, 2, 0);
    assert_event(f, IOREQ_BUFFER_SLOT_NUM - 1, EV_WRITE, 'p', 0, 2, IOREQ_BUFFER_SLOT_NUM - 1);
    assert_event(f, IOREQ_BUFFER_SLOT_NUM, EV_READ, 'p', 4, 1, 0);
}

static void post_one_more(struct fixture *f)
{
    post(f, IOREQ_TYPE_PIO, PORT, 0, 0xEE);
}

/* A guest that posts as fast as we consume: at most one page a turn, then others have theirs. */
static void test_flood_is_bounded(void **state)
{
    struct fixture *f = *state;
    while (post(f, IOREQ_TYPE_PIO, PORT, 0, 1))
        ;
    f->hook = post_one_more;
    assert_int_equal(ioreq_drain(&f->rings), IOREQ_BUFFER_SLOT_NUM);
    assert_int_equal(f->events, IOREQ_BUFFER_SLOT_NUM);
    assert_true(ioreq_posted(&f->rings));
    /* A request is not held up by it either. */
    f->events = 0;
    ask(f, PIO(.addr = PORT, .size = 1, .dir = IOREQ_READ));
    assert_true(f->events <= IOREQ_BUFFER_SLOT_NUM + 1);
    assert_int_equal(f->log[f->events - 1].kind, EV_READ);
}

static void test_broken_ring(void **state)
{
    struct fixture *f = *state;
    struct buffered_iopage *p = ring(f);
    /* More than a ring full: emptied, and never again. */
    static const uint32_t pointers[][2] = {
        {0, 512}, {5, 0}, {0, 0xFFFFFFFF}, {0xFFFFFFFF, 0x7FFFFFFF}};
    for (unsigned i = 0; i < 4; i++) {
        p->read_pointer = pointers[i][0];
        p->write_pointer = pointers[i][1];
        assert_int_equal(ioreq_drain(&f->rings), 0);
        assert_false(ioreq_posted(&f->rings));
        assert_int_equal(p->write_pointer, pointers[i][1]);
    }
    assert_int_equal(f->events, 0);
    /* Half a quadword, and a read that nobody waits for. */
    p->read_pointer = p->write_pointer = 0;
    p->buf_ioreq[0] = (struct buf_ioreq){.type = IOREQ_TYPE_COPY, .size = 3, .addr = 0xA0000};
    p->write_pointer = 1;
    assert_int_equal(ioreq_drain(&f->rings), 1);
    p->buf_ioreq[1] = (struct buf_ioreq){.type = IOREQ_TYPE_PIO, .dir = IOREQ_READ, .addr = PORT};
    p->write_pointer = 2;
    assert_int_equal(ioreq_drain(&f->rings), 1);
    p->buf_ioreq[2] = (struct buf_ioreq){.type = 77, .addr = PORT};
    p->buf_ioreq[3] = (struct buf_ioreq){.type = IOREQ_TYPE_PIO, .size = 3, .addr = PORT};
    p->buf_ioreq[4] = (struct buf_ioreq){.type = IOREQ_TYPE_PIO, .size = 3, .addr = PORT};
    p->write_pointer = 5;
    assert_int_equal(ioreq_drain(&f->rings), 3);
    assert_int_equal(f->events, 0);
    assert_false(ioreq_posted(&f->rings));
}

/* Read pointers near 2^32 (a legacy ring after long use): numbers wrap, counts hold. */
static void test_pointer_overflow(void **state)
{
    struct fixture *f = *state;
    struct buffered_iopage *p = ring(f);
    p->read_pointer = 0xFFFFFFFE;
    p->write_pointer = 1;
    assert_int_equal(ioreq_drain(&f->rings), 3);
    assert_int_equal(p->read_pointer, 1);
}

#define STREAM 200000u

struct producer {
    struct fixture *f;
    bool stop;
};

static void *produce(void *opaque)
{
    struct producer *p = opaque;
    for (uint32_t i = 0; i < STREAM;)
        if (post(p->f, IOREQ_TYPE_PIO, PORT, i % 3 == 0 ? 3 : 2, i))
            i++;
    return NULL;
}

/* Xen on another CPU, taking rounds off both pointers while we add to one of them. */
static void test_concurrent_canonicalisation(void **state)
{
    struct fixture *f = *state;
    struct producer p = {.f = f};
    pthread_t thread;
    uint64_t slots = 0;
    uint32_t expect = 0;
    assert_int_equal(pthread_create(&thread, NULL, produce, &p), 0);
    while (expect < STREAM) {
        f->events = 0;
        slots += ioreq_drain(&f->rings);
        for (unsigned i = 0; i < f->events; i++, expect++) {
            /* a quadword to a port is refused: one number out of three is only counted */
            while (expect % 3 == 0)
                expect++;
            assert_event(f, i, EV_WRITE, 'p', 0, 4, expect);
        }
        if (slots == STREAM + (STREAM + 2) / 3)
            break;
    }
    pthread_join(thread, NULL);
    assert_int_equal(slots, STREAM + (STREAM + 2) / 3);
    assert_false(ioreq_posted(&f->rings));
}

/* --- when to spin --- */

/* n requests by event, the last of which turns it on. */
static void arrive(struct spin *s, unsigned n)
{
    for (; n; n--) {
        assert_false(spin_on(s));
        spin_arrived(s);
    }
    assert_true(spin_on(s));
}

static void test_spin_turns_on_and_off(void **state)
{
    (void)state;
    struct spin s;
    spin_init(&s);
    arrive(&s, SPIN_MIN_RUN);
    /* The first try must succeed; then it takes twice as many, and so on up to a bound. */
    for (unsigned need = SPIN_MIN_RUN * 2; need <= SPIN_MAX_RUN; need *= 2) {
        spin_missed(&s);
        assert_int_equal(s.need, need);
        arrive(&s, need);
    }
    spin_missed(&s);
    assert_int_equal(s.need, SPIN_MAX_RUN);
    arrive(&s, SPIN_MAX_RUN);
    /* Success is rewarded. */
    for (unsigned i = SPIN_PRICE; i < SPIN_GOOD; i++)
        spin_hit(&s);
    assert_int_equal(s.need, SPIN_MIN_RUN);
    /* Requests by event change nothing while it is on. */
    for (unsigned i = 0; i < 100; i++)
        spin_arrived(&s);
    assert_int_equal(s.credit, SPIN_GOOD);
    /* What can be saved up is bounded. */
    for (unsigned i = 0; i < 1000; i++)
        spin_hit(&s);
    assert_int_equal(s.credit, SPIN_CREDIT_MAX);
    for (unsigned i = 0; i * SPIN_PRICE < SPIN_CREDIT_MAX; i++) {
        assert_true(spin_on(&s));
        spin_missed(&s);
    }
    assert_false(spin_on(&s));
    assert_int_equal(s.need, SPIN_MIN_RUN * 2);
}

/* One spin in vain to so many that succeed: where it stays on, and where it does not. */
static void test_spin_stays_on_where_it_pays(void **state)
{
    (void)state;
    struct spin s;
    spin_init(&s);
    arrive(&s, SPIN_MIN_RUN);
    spin_hit(&s);
    for (unsigned i = 0; i < 1000; i++) {
        for (unsigned n = 0; n < SPIN_PRICE; n++)
            spin_hit(&s);
        spin_missed(&s);
        assert_true(spin_on(&s));
    }
    unsigned left = 0;
    for (; spin_on(&s); left++) {
        for (unsigned n = 1; n < SPIN_PRICE; n++)
            spin_hit(&s);
        spin_missed(&s);
    }
    assert_in_range(left, 1, SPIN_CREDIT_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_single_accesses, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_vcpu, setup, teardown),
        cmocka_unit_test_setup_teardown(test_only_ready_is_served, setup, teardown),
        cmocka_unit_test_setup_teardown(test_single_fetch, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_sizes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ports_past_the_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pci_config, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rep_ins_bulk, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rep_outs_bulk, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rep_unit_by_unit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rep_downward, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mmio_rep, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mmio_fill, setup, teardown),
        cmocka_unit_test_setup_teardown(test_repeated_value, setup, teardown),
        cmocka_unit_test_setup_teardown(test_buffer_not_ram, setup, teardown),
        cmocka_unit_test_setup_teardown(test_huge_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_types, setup, teardown),
        cmocka_unit_test_setup_teardown(test_posted_writes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_posted_quadwords_wrap, setup, teardown),
        cmocka_unit_test_setup_teardown(test_posted_before_request, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flood_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_broken_ring, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pointer_overflow, setup, teardown),
        cmocka_unit_test_setup_teardown(test_concurrent_canonicalisation, setup, teardown),
        cmocka_unit_test(test_spin_turns_on_and_off),
        cmocka_unit_test(test_spin_stays_on_where_it_pays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
