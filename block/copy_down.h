/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * copy_down: the monitor's `commit`: what an overlay shows is written into the image that it lies
 * on, wherever that shows something else. The overlay stays as it is, and hides all that changes
 * below it: whenever this is cut short, what the guest sees is the same.
 */
#ifndef BLOCK_COPY_DOWN_H
#define BLOCK_COPY_DOWN_H

#include <stdint.h>

#include "block/block.h"
#include "hw/core/err.h"
#include "hw/core/loop.h"

struct copy_down;

/*
 * Begins. top: inactive (the guest stands still), and open for as long; base: active and open for
 * writing, taken over unless it fails. done(opaque, why) is called
 * from the loop when all is on the medium (why NULL), or when an error ended it; it is to call
 * copy_down_free. NULL with *err: base is shorter, or out of memory.
 */
struct copy_down *copy_down_start(struct loop *loop, struct block *top, struct block *base,
                                  void (*done)(void *opaque, const char *why), void *opaque,
                                  struct err *err);

/* Bytes that have been compared, of block_bytes of the overlay when it began. */
uint64_t copy_down_progress(const struct copy_down *copy);

/* Waits for what is under way, and closes base; NULL is fine. */
void copy_down_free(struct copy_down *copy);

#endif
