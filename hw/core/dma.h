/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dma: how a device reaches guest memory. It goes to guest RAM only and never dispatches to our own
 * registers, so a device cannot be made to re-enter itself. What is written is reported while
 * log-dirty is on.
 */
#ifndef HW_CORE_DMA_H
#define HW_CORE_DMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct dma;
struct hypervisor;

struct dma *dma_new(struct hypervisor *hv);
void dma_free(struct dma *dma);

/* Copies len bytes from guest-physical addr. False if any byte is not guest RAM; buf then holds
 * ones there. */
bool dma_read(struct dma *dma, uint64_t addr, void *buf, size_t len);

/* Copies len bytes to guest-physical addr; bytes that are not guest RAM are dropped and make it
 * return false. */
bool dma_write(struct dma *dma, uint64_t addr, const void *buf, size_t len);

#define DMA_SG_MAX 64

/*
 * A pinned list of guest buffers for a transfer that takes time. Fixed size: a longer transfer is
 * done in pieces, which bounds the work of one event. Segments that are not RAM are replaced by a
 * scratch page: read as ones, writes lost; `bad` counts their bytes.
 */
struct dma_sg {
    struct dma *dma;
    bool to_guest; /* the device will write guest memory */
    unsigned count;
    size_t bytes;
    size_t bad;
    struct iovec iov[DMA_SG_MAX];
    uint64_t addr[DMA_SG_MAX]; /* guest-physical address of each segment; UINT64_MAX: scratch */
};

void dma_sg_init(struct dma_sg *sg, struct dma *dma, bool to_guest);

/* Appends up to len bytes at addr; returns how many fitted (less than len: the list is full). */
size_t dma_sg_add(struct dma_sg *sg, uint64_t addr, size_t len);

/* Unpins everything; `done` bytes from the start were transferred (reported as dirty if to_guest).
 */
void dma_sg_finish(struct dma_sg *sg, size_t done);

#endif
