/* SPDX-License-Identifier: GPL-2.0-or-later */
/* paging: where a virtual address of the guest lies, by the page tables of a vCPU. */
#ifndef TOOLSTACK_PAGING_H
#define TOOLSTACK_PAGING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/xen/hypervisor.h"

#define PAGING_PAGE 4096u /* what is contiguous for certain, aligned */

/*
 * Walks the tables in guest memory, which read(opaque, address, buf, len) gives (false: no memory
 * there), in all four ways (Intel SDM volume 3, chapter 4): none, 32-bit, PAE, four or five levels.
 * False: nothing is mapped there, or the address is not canonical. At most five reads, whatever is
 * in the tables; who may access a page is not asked.
 */
bool paging_walk(const struct hv_paging *regs,
                 bool (*read)(void *opaque, uint64_t addr, void *buf, size_t len), void *opaque,
                 uint64_t virtual_addr, uint64_t *physical);

#endif
