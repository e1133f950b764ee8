/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fake hypervisor: hypervisor.h in a page of C, with everything it was told laid open to the
 * test. */
#ifndef TESTS_FAKE_HYPERVISOR_H
#define TESTS_FAKE_HYPERVISOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/xen/hypervisor.h"

#define FAKE_MAX_CLAIMS 256

struct fake_claim {
    char kind; /* 'p' ports, 'm' memory, 'c' PCI configuration (first = devfn) */
    uint64_t first, last;
};

struct hypervisor {
    uint8_t *ram; /* guest RAM at guest-physical 0 */
    size_t ram_bytes;
    bool isa[16];
    unsigned isa_raised[16]; /* rising edges */
    unsigned isa_calls[16];
    bool intx[32][4];
    unsigned intx_raised[32][4];
    uint8_t link_route[4];
    unsigned msi_count;
    uint64_t msi_addr;
    uint32_t msi_data;
    struct fake_claim claims[FAKE_MAX_CLAIMS];
    size_t claim_count;
    bool refuse_claims; /* the next claims fail */
    unsigned maps;      /* hv_mem_map less hv_mem_unmap: must be 0 at the end */
    bool log_dirty;
    uint8_t *dirty; /* one byte per RAM page, set by hv_mem_dirty while log_dirty */
    uint8_t *vram;
    uint64_t vram_bytes;
    uint64_t vram_where;
    unsigned vram_moves;
    bool vram_whole;   /* hv_vram_whole has returned true … */
    bool vram_refused; /* … which it does not with this set */
    bool vram_known;   /* hv_vram_dirty answers with vram_bitmap (then clears it), else false */
    unsigned long *vram_bitmap;
    bool vram_tracked;
    bool running;
    unsigned sleeps;
    int shutdown; /* -1, or the enum hv_shutdown last asked for */
};

struct hypervisor *fake_hypervisor_new(size_t ram_bytes);
void fake_hypervisor_free(struct hypervisor *hv);

/* True if [first,last] of that kind is claimed as one range. */
bool fake_claimed(const struct hypervisor *hv, char kind, uint64_t first, uint64_t last);

#endif
