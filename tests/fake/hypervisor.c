/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fake hypervisor: see tests/fake/hypervisor.h. */
#include "tests/fake/hypervisor.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE 4096u

/* Zeroed memory that ends at a page nobody may touch, with another one before it: an access beyond
 * either end is caught without a sanitizer, and megabytes cost only what is touched of them. */
static uint8_t *guarded_new(size_t bytes)
{
    size_t inside = (bytes + PAGE - 1) / PAGE * PAGE;
    uint8_t *p = mmap(NULL, inside + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED || mprotect(p + PAGE, inside, PROT_READ | PROT_WRITE))
        abort();
    return p + PAGE + (inside - bytes);
}

static void guarded_free(uint8_t *p, size_t bytes)
{
    size_t inside = (bytes + PAGE - 1) / PAGE * PAGE;
    if (p)
        munmap(p - (inside - bytes) - PAGE, inside + 2 * PAGE);
}

struct hypervisor *fake_hypervisor_new(size_t ram_bytes)
{
    struct hypervisor *hv = calloc(1, sizeof(*hv));
    if (!hv)
        abort();
    hv->ram = guarded_new(ram_bytes);
    hv->dirty = calloc(1, ram_bytes / PAGE + 1);
    if (!hv->dirty)
        abort();
    hv->ram_bytes = ram_bytes;
    hv->shutdown = -1;
    hv->vram_where = HV_VRAM_PARKED;
    return hv;
}

void fake_hypervisor_free(struct hypervisor *hv)
{
    if (!hv)
        return;
    guarded_free(hv->ram, hv->ram_bytes);
    free(hv->dirty);
    guarded_free(hv->vram, (size_t)hv->vram_bytes);
    free(hv->vram_bitmap);
    free(hv);
}

bool fake_claimed(const struct hypervisor *hv, char kind, uint64_t first, uint64_t last)
{
    for (size_t i = 0; i < hv->claim_count; i++)
        if (hv->claims[i].kind == kind && hv->claims[i].first == first &&
            hv->claims[i].last == last)
            return true;
    return false;
}

struct hypervisor *hv_open(const struct hv_config *config, struct loop *loop, struct err *err)
{
    (void)loop;
    (void)err;
    return fake_hypervisor_new((size_t)config->ram_bytes);
}

void hv_attach(struct hypervisor *hv, struct bus *bus, void (*time_offset)(void *opaque, int64_t s),
               void *opaque)
{
    (void)hv;
    (void)bus;
    (void)time_offset;
    (void)opaque;
}

bool hv_run(struct hypervisor *hv, bool run, struct err *err)
{
    (void)err;
    hv->running = run;
    return true;
}

void hv_close(struct hypervisor *hv)
{
    fake_hypervisor_free(hv);
}

static bool claim_range(struct hypervisor *hv, char kind, uint64_t first, uint64_t last, bool claim,
                        struct err *err)
{
    if (claim) {
        if (hv->refuse_claims || hv->claim_count == FAKE_MAX_CLAIMS)
            return err_set(err, "the hypervisor refuses the range");
        hv->claims[hv->claim_count++] =
            (struct fake_claim){.kind = kind, .first = first, .last = last};
        return true;
    }
    for (size_t i = 0; i < hv->claim_count; i++) {
        struct fake_claim *c = &hv->claims[i];
        if (c->kind != kind || c->first != first || c->last != last)
            continue;
        *c = hv->claims[--hv->claim_count];
        return true;
    }
    return err_set(err, "no such range is claimed");
}

bool hv_claim_ports(struct hypervisor *hv, uint16_t first, uint16_t last, bool claim,
                    struct err *err)
{
    return claim_range(hv, 'p', first, last, claim, err);
}

bool hv_claim_memory(struct hypervisor *hv, uint64_t first, uint64_t last, bool claim,
                     struct err *err)
{
    return claim_range(hv, 'm', first, last, claim, err);
}

bool hv_claim_pci(struct hypervisor *hv, uint8_t devfn, bool claim, struct err *err)
{
    return claim_range(hv, 'c', devfn, devfn, claim, err);
}

void hv_isa_irq(struct hypervisor *hv, uint8_t irq, bool level)
{
    irq &= 15;
    hv->isa_calls[irq]++;
    if (level && !hv->isa[irq])
        hv->isa_raised[irq]++;
    hv->isa[irq] = level;
}

void hv_pci_intx(struct hypervisor *hv, uint8_t slot, uint8_t intx, bool level)
{
    slot &= 31;
    intx &= 3;
    if (level && !hv->intx[slot][intx])
        hv->intx_raised[slot][intx]++;
    hv->intx[slot][intx] = level;
}

void hv_pci_link_route(struct hypervisor *hv, uint8_t link, uint8_t irq)
{
    hv->link_route[link & 3] = irq;
}

void hv_msi(struct hypervisor *hv, uint64_t addr, uint32_t data)
{
    hv->msi_count++;
    hv->msi_addr = addr;
    hv->msi_data = data;
}

void *hv_mem_map(struct hypervisor *hv, uint64_t addr, size_t *len)
{
    if (addr >= hv->ram_bytes)
        return NULL;
    if (*len > hv->ram_bytes - addr)
        *len = (size_t)(hv->ram_bytes - addr);
    hv->maps++;
    return hv->ram + addr;
}

void hv_mem_unmap(struct hypervisor *hv, void *host, size_t len)
{
    (void)host;
    (void)len;
    hv->maps--;
}

void hv_mem_dirty(struct hypervisor *hv, uint64_t addr, size_t len)
{
    if (!hv->log_dirty || !len)
        return;
    for (uint64_t page = addr / PAGE; page <= (addr + len - 1) / PAGE; page++)
        if (page <= hv->ram_bytes / PAGE)
            hv->dirty[page] = 1;
}

void hv_log_dirty(struct hypervisor *hv, bool on)
{
    hv->log_dirty = on;
}

void *hv_vram_create(struct hypervisor *hv, uint64_t bytes, struct err *err)
{
    hv->vram_bitmap = calloc(1, (size_t)(bytes / PAGE / 8 + 8));
    if (!hv->vram_bitmap) {
        err_set(err, "out of memory");
        return NULL;
    }
    hv->vram = guarded_new((size_t)bytes);
    hv->vram_bytes = bytes;
    return hv->vram;
}

bool hv_vram_whole(struct hypervisor *hv)
{
    hv->vram_whole = !hv->vram_refused;
    return hv->vram_whole;
}

uint64_t hv_vram_where(const struct hypervisor *hv)
{
    return hv->vram_where;
}

bool hv_vram_move(struct hypervisor *hv, uint64_t addr)
{
    hv->vram_where = addr;
    hv->vram_moves++;
    return true;
}

bool hv_vram_dirty(struct hypervisor *hv, uint32_t pages, unsigned long *bitmap)
{
    hv->vram_tracked = true;
    if (!hv->vram_known)
        return false;
    size_t bytes = (pages + 63) / 64 * 8;
    memcpy(bitmap, hv->vram_bitmap, bytes);
    memset(hv->vram_bitmap, 0, bytes);
    return true;
}

void hv_vram_untrack(struct hypervisor *hv)
{
    hv->vram_tracked = false;
}

void hv_shutdown(struct hypervisor *hv, enum hv_shutdown reason)
{
    hv->shutdown = (int)reason;
}

bool hv_sleep_s3(struct hypervisor *hv, struct err *err)
{
    (void)err;
    hv->sleeps++;
    return true;
}

bool hv_wake_s3(struct hypervisor *hv, struct err *err)
{
    (void)hv, (void)err;
    return true;
}

bool hv_press_power(struct hypervisor *hv, struct err *err)
{
    (void)hv, (void)err;
    return true;
}

bool hv_get_paging(struct hypervisor *hv, struct hv_paging *paging, struct err *err)
{
    (void)hv, (void)err;
    *paging = (struct hv_paging){0};
    return true;
}

void hv_ioreq_stats(const struct hypervisor *hv, struct hv_ioreq_stats *stats)
{
    (void)hv;
    *stats = (struct hv_ioreq_stats){.count = {[HV_IOREQ_PORT_READ] = 1}};
}

bool hv_restrict(struct hypervisor *hv, struct err *err)
{
    (void)hv;
    (void)err;
    return true;
}
