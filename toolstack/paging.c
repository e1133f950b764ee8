/* SPDX-License-Identifier: GPL-2.0-or-later */
/* paging: see paging.h. Sections are those of Intel's SDM, volume 3A. */
#include "toolstack/paging.h"

#define CR0_PG   (UINT64_C(1) << 31)
#define CR4_PSE  (UINT64_C(1) << 4)
#define CR4_PAE  (UINT64_C(1) << 5)
#define CR4_LA57 (UINT64_C(1) << 12)
#define EFER_LMA (UINT64_C(1) << 10)

#define PRESENT    1u
#define LARGE      (1u << 7)                    /* of entries that may map a page, else a table */
#define ADDRESS    UINT64_C(0x000FFFFFFFFFF000) /* bits 51-12 */
#define PAE_CR3    UINT64_C(0xFFFFFFE0)
#define LEGACY_CR3 UINT64_C(0xFFFFF000)

typedef bool read_fn(void *opaque, uint64_t addr, void *buf, size_t len);

/* 4.4, 4.5: tables of 512 entries, from `level` (1: of pages) down. */
static bool walk_long(uint64_t table, unsigned level, read_fn *read, void *opaque, uint64_t addr,
                      uint64_t *physical)
{
    for (;; level--) {
        unsigned shift = 12 + 9 * (level - 1);
        uint64_t entry, offset = (UINT64_C(1) << shift) - 1;
        if (!read(opaque, table + (addr >> shift & 511) * 8, &entry, sizeof(entry)) ||
            !(entry & PRESENT))
            return false;
        if (level == 1 || ((level == 2 || level == 3) && entry & LARGE)) {
            *physical = (entry & ADDRESS & ~offset) | (addr & offset);
            return true;
        }
        table = entry & ADDRESS;
    }
}

/* 4.4.1: four entries of their own kind, none of which maps a page. */
static bool walk_pae(uint64_t cr3, read_fn *read, void *opaque, uint64_t addr, uint64_t *physical)
{
    uint64_t entry;
    return read(opaque, (cr3 & PAE_CR3) + (addr >> 30) * 8, &entry, sizeof(entry)) &&
           entry & PRESENT && walk_long(entry & ADDRESS, 2, read, opaque, addr, physical);
}

/* 4.3; with PSE-36's bits 20-13 of a large page as bits 39-32. */
static bool walk_legacy(const struct hv_paging *regs, read_fn *read, void *opaque, uint64_t addr,
                        uint64_t *physical)
{
    uint32_t entry;
    if (!read(opaque, (regs->cr3 & LEGACY_CR3) + (addr >> 22) * 4, &entry, sizeof(entry)) ||
        !(entry & PRESENT))
        return false;
    if (entry & LARGE && regs->cr4 & CR4_PSE) {
        *physical =
            (entry & 0xFFC00000u) | (uint64_t)(entry >> 13 & 0xFF) << 32 | (addr & 0x3FFFFF);
        return true;
    }
    if (!read(opaque, (entry & 0xFFFFF000u) + (addr >> 12 & 1023) * 4, &entry, sizeof(entry)) ||
        !(entry & PRESENT))
        return false;
    *physical = (entry & 0xFFFFF000u) | (addr & 0xFFF);
    return true;
}

bool paging_walk(const struct hv_paging *regs, read_fn *read, void *opaque, uint64_t virtual_addr,
                 uint64_t *physical)
{
    bool wide = regs->cr0 & CR0_PG && regs->efer & EFER_LMA;
    if (!wide && virtual_addr > UINT32_MAX)
        return false;
    if (!(regs->cr0 & CR0_PG)) {
        *physical = virtual_addr;
        return true;
    }
    if (!wide)
        return regs->cr4 & CR4_PAE ? walk_pae(regs->cr3, read, opaque, virtual_addr, physical)
                                   : walk_legacy(regs, read, opaque, virtual_addr, physical);
    unsigned levels = regs->cr4 & CR4_LA57 ? 5 : 4;
    uint64_t upper = virtual_addr >> (12 + 9 * levels - 1); /* canonical: all the same */
    if (upper && upper != UINT64_MAX >> (12 + 9 * levels - 1))
        return false;
    return walk_long(regs->cr3 & ADDRESS, levels, read, opaque, virtual_addr, physical);
}
