/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rig: see rig.h. */
#include "tests/device/rig.h"

#include <stdlib.h>
#include <string.h>

static uint64_t rig_now(const struct clock *clock)
{
    const struct rig *rig = (const void *)((const char *)clock - offsetof(struct rig, clock));
    return rig->now;
}

struct rig *rig_new(void)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    assert_non_null(rig);
    rig->hv = fake_hypervisor_new(RIG_RAM);
    rig->bus = bus_new(rig->hv);
    assert_non_null(rig->bus);
    rig->dma = dma_new(rig->hv);
    assert_non_null(rig->dma);
    rig->pci = pci_bus_new(rig->bus, rig->hv);
    assert_non_null(rig->pci);
    clock_init(&rig->clock, rig_now);
    return rig;
}

void rig_free(struct rig *rig)
{
    devices_destroy(&rig->devices);
    assert_int_equal(rig->hv->maps, 0); /* a device that forgets a mapping leaks guest memory */
    assert_int_equal(rig->hv->claim_count, 0);
    pci_bus_free(rig->pci);
    dma_free(rig->dma);
    bus_free(rig->bus);
    clock_destroy(&rig->clock);
    fake_hypervisor_free(rig->hv);
    free(rig);
}

void rig_step(struct rig *rig, uint64_t ns)
{
    uint64_t until = rig->now + ns;
    unsigned budget = 1000000;
    while (clock_deadline(&rig->clock) <= until && budget--) {
        if (clock_deadline(&rig->clock) > rig->now)
            rig->now = clock_deadline(&rig->clock);
        clock_run(&rig->clock, rig->now);
    }
    assert_true(budget > 0);
    rig->now = until;
}

static void isa_output(void *opaque, unsigned line, bool level)
{
    hv_isa_irq(opaque, (uint8_t)line, level);
}

void rig_isa_irq(struct rig *rig, struct irq *irq, unsigned n)
{
    irq_init(irq, isa_output, rig->hv, n);
}

uint8_t rig_inb(struct rig *rig, uint16_t port)
{
    return (uint8_t)bus_port_read(rig->bus, port, 1);
}

uint16_t rig_inw(struct rig *rig, uint16_t port)
{
    return (uint16_t)bus_port_read(rig->bus, port, 2);
}

uint32_t rig_inl(struct rig *rig, uint16_t port)
{
    return bus_port_read(rig->bus, port, 4);
}

void rig_outb(struct rig *rig, uint16_t port, uint8_t v)
{
    bus_port_write(rig->bus, port, 1, v);
}

void rig_outw(struct rig *rig, uint16_t port, uint16_t v)
{
    bus_port_write(rig->bus, port, 2, v);
}

void rig_outl(struct rig *rig, uint16_t port, uint32_t v)
{
    bus_port_write(rig->bus, port, 4, v);
}

uint32_t rig_pci_read(struct rig *rig, unsigned slot, unsigned fn, unsigned reg, unsigned width)
{
    return bus_pci_read(rig->bus, PCI_DEVFN(slot, fn), reg, width);
}

void rig_pci_write(struct rig *rig, unsigned slot, unsigned fn, unsigned reg, unsigned width,
                   uint32_t v)
{
    bus_pci_write(rig->bus, PCI_DEVFN(slot, fn), reg, width, v);
}

/* What the fake claims is the device's; the rest is RAM, as under Xen. */
static bool is_mmio(const struct rig *rig, uint64_t addr)
{
    for (size_t i = 0; i < rig->hv->claim_count; i++) {
        const struct fake_claim *c = &rig->hv->claims[i];
        if (c->kind == 'm' && addr >= c->first && addr <= c->last)
            return true;
    }
    return false;
}

uint64_t rig_mem_read(struct rig *rig, uint64_t addr, unsigned width)
{
    uint64_t v = 0;
    if (is_mmio(rig, addr) || addr + width > rig->hv->ram_bytes)
        return bus_mem_read(rig->bus, addr, width);
    memcpy(&v, rig->hv->ram + addr, width);
    return v;
}

void rig_mem_write(struct rig *rig, uint64_t addr, unsigned width, uint64_t v)
{
    if (is_mmio(rig, addr) || addr + width > rig->hv->ram_bytes)
        bus_mem_write(rig->bus, addr, width, v);
    else
        memcpy(rig->hv->ram + addr, &v, width);
}

static uint8_t *saved(const struct device *d, size_t *len)
{
    const struct device_class *c = d->class;
    *len = state_size(c->state, c->version);
    uint8_t *buf = malloc(*len + 1);
    assert_non_null(buf);
    state_save(c->state, d, c->version, buf);
    return buf;
}

static void assert_saved(const struct device *d, const uint8_t *want, size_t len)
{
    size_t now_len;
    uint8_t *now = saved(d, &now_len);
    assert_int_equal(now_len, len);
    assert_memory_equal(now, want, len);
    free(now);
}

void rig_standard_tests(struct rig *rig, struct device *d)
{
    const struct device_class *c = d->class;
    struct err err;
    size_t len;
    (void)rig;

    /* As it is now: what was saved loads, and saves as the same. */
    uint8_t *before = saved(d, &len);
    assert_true(device_load(d, c->version, before, len, &err));
    assert_saved(d, before, len);

    /* Reset twice is reset once. */
    device_reset(d);
    uint8_t *reset = saved(d, &len);
    device_reset(d);
    assert_saved(d, reset, len);
    assert_true(device_load(d, c->version, reset, len, &err));
    assert_saved(d, reset, len);

    /* Each byte changed: refused, or taken; the device survives both and can be put back. */
    size_t step = len > 4096 ? len / 1021 : 1, changed = 0, refused = 0;
    for (size_t i = 0; i < len; i += step) {
        uint8_t *hostile = malloc(len);
        assert_non_null(hostile);
        memcpy(hostile, reset, len);
        hostile[i] ^= 0xFF;
        if (device_load(d, c->version, hostile, len, &err)) {
            size_t now_len;
            uint8_t *now = saved(d, &now_len);
            changed += memcmp(now, reset, len) != 0;
            free(now);
        } else {
            refused++;
            assert_true(strlen(err.text) > 0);
        }
        free(hostile);
        assert_true(device_load(d, c->version, reset, len, &err));
    }
    assert_true(len == 0 || changed + refused > 0);

    /* Cut short, too long, from the future, version 0. */
    for (size_t cut = 0; cut < len; cut += step)
        assert_false(device_load(d, c->version, reset, cut, &err));
    uint8_t *longer = calloc(1, len + 1);
    assert_non_null(longer);
    memcpy(longer, reset, len);
    assert_false(device_load(d, c->version, longer, len + 1, &err));
    assert_false(device_load(d, (uint16_t)(c->version + 1), reset, len, &err));
    assert_false(device_load(d, 0, reset, len, &err));
    free(longer);
    assert_saved(d, reset, len);

    for (int i = 0; i < 2; i++)
        if (c->quiesce)
            c->quiesce(d);
    for (int i = 0; i < 2; i++)
        if (c->resume)
            c->resume(d);
    assert_true(device_load(d, c->version, before, len, &err));
    free(before);
    free(reset);
}

size_t rig_not_loaded(struct device *d, void *part, size_t bytes)
{
    size_t len, left = 0;
    struct err err;
    uint8_t *state = saved(d, &len), *first = malloc(bytes), *second = part;
    assert_non_null(first);
    memset(part, 0xA5, bytes);
    assert_true(device_load(d, d->class->version, state, len, &err));
    memcpy(first, part, bytes);
    memset(part, 0x5A, bytes);
    assert_true(device_load(d, d->class->version, state, len, &err));
    for (size_t i = 0; i < bytes; i++)
        left += first[i] != second[i];
    assert_saved(d, state, len);
    free(first);
    free(state);
    return left;
}
