/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dma: see dma.h. */
#include "hw/core/dma.h"

#include <stdlib.h>
#include <string.h>

#include "hw/xen/hypervisor.h"

#define SCRATCH_BYTES 4096

struct dma {
    struct hypervisor *hv;
    /* Stands in for addresses that are not RAM. Split in two so that what a device stores is never
     * read back. */
    uint8_t ones[SCRATCH_BYTES];
    uint8_t sink[SCRATCH_BYTES];
};

struct dma *dma_new(struct hypervisor *hv)
{
    struct dma *dma = malloc(sizeof(*dma));
    if (!dma)
        return NULL;
    dma->hv = hv;
    memset(dma->ones, 0xFF, sizeof(dma->ones));
    return dma;
}

void dma_free(struct dma *dma)
{
    free(dma);
}

/* Bytes from addr to the end of its page: what is skipped when the page is not RAM. */
static size_t to_page_end(uint64_t addr, size_t len)
{
    size_t n = SCRATCH_BYTES - (size_t)(addr % SCRATCH_BYTES);
    return n < len ? n : len;
}

static bool copy(struct dma *dma, uint64_t addr, uint8_t *buf, size_t len, bool to_guest)
{
    bool ok = true;
    while (len) {
        size_t n = len;
        uint8_t *host = addr + len < addr ? NULL : hv_mem_map(dma->hv, addr, &n);
        if (!host) {
            n = to_page_end(addr, len);
            if (!to_guest)
                memset(buf, 0xFF, n);
            ok = false;
        } else {
            if (n > len)
                n = len;
            if (to_guest) {
                memcpy(host, buf, n);
                hv_mem_dirty(dma->hv, addr, n);
            } else {
                memcpy(buf, host, n);
            }
            hv_mem_unmap(dma->hv, host, n);
        }
        addr += n;
        buf += n;
        len -= n;
    }
    return ok;
}

bool dma_read(struct dma *dma, uint64_t addr, void *buf, size_t len)
{
    return copy(dma, addr, buf, len, false);
}

bool dma_write(struct dma *dma, uint64_t addr, const void *buf, size_t len)
{
    return copy(dma, addr, (uint8_t *)buf, len, true); /* only read there */
}

void dma_sg_init(struct dma_sg *sg, struct dma *dma, bool to_guest)
{
    sg->dma = dma;
    sg->to_guest = to_guest;
    sg->count = 0;
    sg->bytes = 0;
    sg->bad = 0;
}

size_t dma_sg_add(struct dma_sg *sg, uint64_t addr, size_t len)
{
    size_t added = 0;
    while (added < len && sg->count < DMA_SG_MAX) {
        size_t n = len - added;
        void *host = addr + n < addr ? NULL : hv_mem_map(sg->dma->hv, addr, &n);
        if (!host) {
            n = to_page_end(addr, len - added);
            host = sg->to_guest ? sg->dma->sink : sg->dma->ones;
            sg->bad += n;
            sg->addr[sg->count] = UINT64_MAX;
        } else {
            if (n > len - added)
                n = len - added;
            sg->addr[sg->count] = addr;
        }
        sg->iov[sg->count++] = (struct iovec){.iov_base = host, .iov_len = n};
        addr += n;
        added += n;
    }
    sg->bytes += added;
    return added;
}

void dma_sg_finish(struct dma_sg *sg, size_t done)
{
    for (unsigned i = 0; i < sg->count; i++) {
        size_t len = sg->iov[i].iov_len;
        size_t dirty = done < len ? done : len;
        done -= dirty;
        if (sg->addr[i] == UINT64_MAX)
            continue;
        if (sg->to_guest && dirty)
            hv_mem_dirty(sg->dma->hv, sg->addr[i], dirty);
        hv_mem_unmap(sg->dma->hv, sg->iov[i].iov_base, len);
    }
    sg->count = 0;
    sg->bytes = 0;
}
