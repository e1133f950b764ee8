/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bus: claims, widths, splitting, overlap, unclaimed accesses, runs. And DMA, which goes to RAM
 * only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "hw/core/bus.h"
#include "hw/core/dma.h"
#include "tests/fake/hypervisor.h"

static struct hypervisor *hv;
static struct bus *bus;

static int setup(void **state)
{
    (void)state;
    hv = fake_hypervisor_new(64 << 10);
    bus = bus_new(hv);
    return bus ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    bus_free(bus);
    fake_hypervisor_free(hv);
    return 0;
}

/* A device of plain bytes that remembers its last access. */
struct bytes {
    uint8_t b[64];
    uint64_t offset;
    unsigned width, accesses, runs;
    uint32_t run_limit;
};

static uint64_t bytes_read(void *opaque, uint64_t offset, unsigned width)
{
    struct bytes *d = opaque;
    uint64_t v = 0;
    assert_true(offset + width <= sizeof(d->b));
    memcpy(&v, d->b + offset, width);
    d->offset = offset;
    d->width = width;
    d->accesses++;
    return v | (width < 8 ? UINT64_MAX << (8 * width) : 0); /* rubbish above must not get through */
}

static void bytes_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct bytes *d = opaque;
    assert_true(offset + width <= sizeof(d->b));
    assert_true(width == 8 || value >> (8 * width) == 0);
    memcpy(d->b + offset, &value, width);
    d->offset = offset;
    d->width = width;
    d->accesses++;
}

static uint32_t bytes_read_run(void *opaque, uint64_t offset, unsigned width, void *buf,
                               uint32_t count)
{
    struct bytes *d = opaque;
    uint32_t n = count < d->run_limit ? count : d->run_limit;
    memcpy(buf, d->b + offset, (size_t)n * width);
    d->runs++;
    return n;
}

static uint32_t bytes_write_run(void *opaque, uint64_t offset, unsigned width, const void *buf,
                                uint32_t count)
{
    struct bytes *d = opaque;
    uint32_t n = count < d->run_limit ? count : d->run_limit;
    memcpy(d->b + offset, buf, (size_t)n * width);
    d->runs++;
    return n;
}

static const struct io_ops byte_ops = {.widths = 1, .read = bytes_read, .write = bytes_write};
static const struct io_ops wide_ops = {.widths = 4, .read = bytes_read, .write = bytes_write};
static const struct io_ops any_ops = {.widths = 1 | 2 | 4 | 8,
                                      .read = bytes_read,
                                      .write = bytes_write,
                                      .read_run = bytes_read_run,
                                      .write_run = bytes_write_run};
static const struct io_ops mute_ops = {.widths = 1 | 2 | 4};

static void map(struct io_region *r, const struct io_ops *ops, struct bytes *d, enum io_space space,
                uint64_t first, uint64_t size)
{
    struct err err;
    io_region_init(r, "test", ops, d);
    assert_true(bus_map(bus, r, space, first, size, &err));
}

static void claims_follow_mappings(void **state)
{
    (void)state;
    struct io_region a, b;
    struct bytes d = {0};
    struct err err;
    map(&a, &byte_ops, &d, IO_PORT, 0x3F8, 8);
    assert_true(fake_claimed(hv, 'p', 0x3F8, 0x3FF));
    io_region_init(&b, "other", &byte_ops, &d);
    assert_false(bus_map(bus, &b, IO_PORT, 0x3FF, 2, &err));
    assert_non_null(strstr(err.text, "test"));
    assert_false(bus_map(bus, &b, IO_PORT, 0xFFFF, 2, &err));
    assert_false(bus_map(bus, &b, IO_PORT, 0x100, 0, &err));
    assert_false(bus_map(bus, &b, IO_MEMORY, UINT64_MAX - 1, 16, &err));
    hv->refuse_claims = true;
    assert_false(bus_map(bus, &b, IO_PORT, 0x100, 1, &err));
    assert_false(bus_map(bus, &b, IO_MEMORY, 0xF0000000, 4096, &err));
    hv->refuse_claims = false;
    assert_int_equal(bus_port_read(bus, 0x100, 1), 0xFF);
    assert_int_equal(hv->claim_count, 1);
    assert_true(bus_map(bus, &b, IO_PORT, 0xFFFF, 1, &err));
    assert_true(bus_map(bus, &a, IO_PORT, 0x2F8, 8, &err)); /* moves */
    assert_false(fake_claimed(hv, 'p', 0x3F8, 0x3FF));
    assert_true(fake_claimed(hv, 'p', 0x2F8, 0x2FF));
    bus_unmap(bus, &a);
    bus_unmap(bus, &a);
    bus_unmap(bus, &b);
    assert_int_equal(hv->claim_count, 0);
}

static void widths_and_splitting(void **state)
{
    (void)state;
    struct io_region a, b, w;
    struct bytes d = {.b = {1, 2, 3, 4}}, e = {.b = {5, 6, 7, 8}}, f = {.b = {9, 10, 11, 12}};
    map(&a, &byte_ops, &d, IO_PORT, 0x100, 4);
    map(&b, &byte_ops, &e, IO_PORT, 0x104, 4);
    assert_int_equal(bus_port_read(bus, 0x100, 1), 1);
    assert_int_equal(bus_port_read(bus, 0x100, 2), 0x0201);
    assert_int_equal(bus_port_read(bus, 0x100, 4), 0x04030201);
    assert_int_equal(d.width, 1);
    assert_int_equal(bus_port_read(bus, 0x102, 4), 0x06050403); /* across two devices */
    assert_int_equal(bus_port_read(bus, 0x106, 4), 0xFFFF0807); /* into nobody's */
    bus_port_write(bus, 0x103, 2, 0xBBAA);
    assert_int_equal(d.b[3], 0xAA);
    assert_int_equal(e.b[0], 0xBB);
    map(&w, &wide_ops, &f, IO_PORT, 0x200, 8);
    assert_int_equal(bus_port_read(bus, 0x202, 1), 11); /* a byte of the unit */
    assert_int_equal(bus_port_read(bus, 0x202, 2), 0x0C0B);
    assert_int_equal(f.width, 4);
    bus_port_write(bus, 0x200, 1, 0x55); /* narrower than the chip takes: dropped */
    assert_int_equal(f.b[0], 9);
    bus_port_write(bus, 0x200, 4, 0x44332211);
    assert_int_equal(f.b[3], 0x44);
    bus_unmap(bus, &a);
    bus_unmap(bus, &b);
    bus_unmap(bus, &w);
}

static void hostile_arguments(void **state)
{
    (void)state;
    struct io_region a, m;
    struct bytes d = {0};
    map(&a, &byte_ops, &d, IO_PORT, 0xFFFE, 2);
    map(&m, &any_ops, &d, IO_MEMORY, UINT64_MAX - 63, 63);
    const unsigned widths[] = {0, 3, 5, 8, 16, 255, UINT32_MAX};
    for (unsigned i = 0; i < 7; i++) {
        assert_int_equal(bus_port_read(bus, 0xFFFE, widths[i]), UINT32_MAX);
        bus_port_write(bus, 0xFFFE, widths[i], 0xFFFFFFFF);
        assert_int_equal(bus_pci_read(bus, 0, 0, widths[i]), UINT32_MAX);
        if (widths[i] != 8)
            assert_true(bus_mem_read(bus, UINT64_MAX - 63, widths[i]) == UINT64_MAX);
    }
    assert_int_equal(bus_port_read(bus, 0x10000, 1), 0xFF);
    assert_int_equal(bus_port_read(bus, UINT32_MAX, 4), UINT32_MAX);
    assert_int_equal(bus_port_read(bus, 0xFFFF, 4), 0xFFFFFF00);
    bus_port_write(bus, 0xFFFF, 4, 0x01020304);
    bus_port_write(bus, UINT32_MAX, 4, 0);
    assert_int_equal(d.b[1], 4);
    (void)bus_mem_read(bus, UINT64_MAX - 3, 8); /* wraps: the bytes past the end are nobody's */
    bus_mem_write(bus, UINT64_MAX - 3, 8, 0);
    bus_pci_write(bus, 0, 0, 4, 0); /* nobody answers configuration cycles */
    bus_unmap(bus, &a);
    bus_unmap(bus, &m);
}

static void memory_is_found(void **state)
{
    (void)state;
    enum { N = 20 };
    struct io_region r[N], extra;
    struct bytes d[N];
    struct err err;
    memset(d, 0, sizeof(d));
    for (unsigned i = 0; i < N; i++) {
        unsigned k = (i * 7) % N; /* not in order */
        d[k].b[0] = (uint8_t)(k + 1);
        map(&r[k], &any_ops, &d[k], IO_MEMORY, 0xE0000000u + k * 0x1000u, 64);
    }
    for (unsigned k = 0; k < N; k++) {
        assert_int_equal(bus_mem_read(bus, 0xE0000000u + k * 0x1000u, 1), k + 1);
        assert_int_equal(bus_mem_read(bus, 0xE0000040u + k * 0x1000u, 4), 0xFFFFFFFF);
    }
    io_region_init(&extra, "extra", &any_ops, &d[0]);
    assert_false(bus_map(bus, &extra, IO_MEMORY, 0xDFFFFFFF, 2, &err));
    assert_false(bus_map(bus, &extra, IO_MEMORY, 0xE0000000, 0x100000, &err));
    bus_unmap(bus, &r[3]);
    assert_int_equal(bus_mem_read(bus, 0xE0003000, 1),
                     0xFF); /* not from the last-hit memory either */
    bus_mem_write(bus, 0xE0004000, 8, 0x1122334455667788);
    assert_int_equal(d[4].width, 8);
    for (unsigned k = 0; k < N; k++)
        bus_unmap(bus, &r[k]);
}

static void runs(void **state)
{
    (void)state;
    struct io_region p, m;
    struct bytes d = {.run_limit = 1000};
    uint8_t buf[256];
    for (unsigned i = 0; i < 64; i++)
        d.b[i] = (uint8_t)i;
    map(&m, &any_ops, &d, IO_MEMORY, 0xA0000, 64);
    memset(buf, 0, sizeof(buf));
    bus_mem_read_run(bus, 0xA0000, 4, buf, 16);
    assert_memory_equal(buf, d.b, 64);
    assert_int_equal(d.runs, 1);
    assert_int_equal(d.accesses, 0);
    bus_mem_read_run(bus, 0xA0038, 4, buf, 4); /* two units inside, two beyond */
    assert_int_equal(buf[7], 63);
    assert_int_equal(buf[8], 0xFF);
    d.run_limit = 3; /* the device does part of it: the bus goes on */
    bus_mem_write_run(bus, 0xA0000, 2, "abcdefghijklmnop", 8);
    assert_memory_equal(d.b, "abcdefghijklmnop", 16);
    d.run_limit = 0;
    d.accesses = 0;
    bus_mem_write_run(bus, 0xA0000, 2, "ABCDEFGH", 4);
    assert_memory_equal(d.b, "ABCDEFGH", 8);
    assert_int_equal(d.accesses, 4);
    bus_unmap(bus, &m);

    map(&p, &byte_ops, &d, IO_PORT, 0x1F0, 1);
    bus_port_read_run(bus, 0x1F0, 1, buf, 5);
    assert_memory_equal(buf, "AAAAA", 5); /* always the same port */
    bus_port_write_run(bus, 0x1F0, 1, "xyz", 3);
    assert_int_equal(d.b[0], 'z');
    bus_port_read_run(bus, 0x300, 2, buf, 2);
    assert_int_equal(buf[3], 0xFF);
    bus_unmap(bus, &p);

    map(&p, &mute_ops, NULL, IO_PORT, 0x1F0, 4);
    assert_int_equal(bus_port_read(bus, 0x1F0, 2), 0xFFFF);
    bus_port_write(bus, 0x1F0, 2, 0);
    bus_unmap(bus, &p);
}

static void dma_reaches_ram_only(void **state)
{
    (void)state;
    struct io_region m;
    struct bytes d = {0};
    struct dma *dma = dma_new(hv);
    uint8_t buf[64];
    assert_non_null(dma);
    map(&m, &any_ops, &d, IO_MEMORY, 0xA0000, 64);
    memset(buf, 0x5A, sizeof(buf));
    assert_false(dma_write(dma, 0xA0000, buf, 16)); /* never into our own registers */
    assert_int_equal(d.accesses + d.runs, 0);
    assert_true(dma_write(dma, 0x1000, buf, 64));
    assert_int_equal(hv->ram[0x103F], 0x5A);
    memset(buf, 0, sizeof(buf));
    assert_false(dma_read(dma, hv->ram_bytes - 8, buf, 16)); /* half of it is RAM */
    assert_int_equal(buf[7], 0);
    assert_int_equal(buf[8], 0xFF);
    assert_false(dma_read(dma, UINT64_MAX - 4, buf, 16));
    assert_false(dma_write(dma, UINT64_MAX - 4, buf, 16));
    hv->log_dirty = true;
    assert_true(dma_write(dma, 0x2FFC, buf, 8));
    assert_int_equal(hv->dirty[2] + hv->dirty[3], 2);
    assert_int_equal(hv->dirty[1], 0);
    assert_int_equal(hv->maps, 0);
    dma_free(dma);
    bus_unmap(bus, &m);
}

static void scatter_lists(void **state)
{
    (void)state;
    struct dma *dma = dma_new(hv);
    struct dma_sg sg;
    assert_non_null(dma);
    dma_sg_init(&sg, dma, true);
    assert_int_equal(dma_sg_add(&sg, 0x1000, 512), 512);
    assert_int_equal(dma_sg_add(&sg, 0x4000, 512), 512);
    assert_int_equal(dma_sg_add(&sg, 0x80000000, 512), 512); /* not RAM */
    assert_int_equal(sg.count, 3);
    assert_int_equal(sg.bytes, 1536);
    assert_int_equal(sg.bad, 512);
    hv->log_dirty = true;
    for (unsigned i = 0; i < sg.count; i++)
        memset(sg.iov[i].iov_base, 0x77, sg.iov[i].iov_len);
    dma_sg_finish(&sg, 600); /* the second segment only in part */
    assert_int_equal(hv->dirty[1] + hv->dirty[4], 2);
    assert_int_equal(hv->ram[0x1000], 0x77);
    assert_int_equal(hv->maps, 0);

    /* What a device stored to nowhere is not what another reads from nowhere. */
    dma_sg_init(&sg, dma, false);
    dma_sg_add(&sg, 0x80000000, 16);
    assert_int_equal(*(uint8_t *)sg.iov[0].iov_base, 0xFF);
    dma_sg_finish(&sg, 16);

    dma_sg_init(&sg, dma, false);
    for (unsigned i = 0; i < DMA_SG_MAX; i++)
        assert_int_equal(dma_sg_add(&sg, i * 256, 128), 128);
    assert_int_equal(dma_sg_add(&sg, 0, 128), 0);
    dma_sg_finish(&sg, sg.bytes);
    assert_int_equal(hv->maps, 0);
    dma_free(dma);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(claims_follow_mappings, setup, teardown),
        cmocka_unit_test_setup_teardown(widths_and_splitting, setup, teardown),
        cmocka_unit_test_setup_teardown(hostile_arguments, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(runs, setup, teardown),
        cmocka_unit_test_setup_teardown(dma_reaches_ram_only, setup, teardown),
        cmocka_unit_test_setup_teardown(scatter_lists, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
