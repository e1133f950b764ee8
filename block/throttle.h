/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * throttle: keeps a disk's requests below its limits (block.h, struct block_limits) with leaky
 * buckets: what is started pours into them, time empties them at the limit's rate, and as long as
 * one is too full requests of its kind wait, in their order, reads apart from writes. The meaning
 * of the numbers is that of QEMU's docs/throttle.txt. Only block.c includes this.
 */
#ifndef BLOCK_THROTTLE_H
#define BLOCK_THROTTLE_H

#include "block/block.h"
#include "hw/core/clock.h"

struct throttle;

/* `start` gets a request when its turn has come. NULL when memory is out. */
struct throttle *throttle_new(struct clock *clock, const struct block_limits *limits,
                              void (*start)(struct block_request *request));

/* Nothing may be waiting. NULL is fine. */
void throttle_free(struct throttle *t);

/* Other limits from now on; the buckets keep what is in them. */
void throttle_set(struct throttle *t, const struct block_limits *limits);
const struct block_limits *throttle_limits(const struct throttle *t);

/* True: the request may start now (and has been counted). False: it waits. */
bool throttle_admit(struct throttle *t, struct block_request *request);

/* Starts all that wait, now. */
void throttle_flush(struct throttle *t);

/* Takes a waiting request back. False: it is not here. */
bool throttle_remove(struct throttle *t, struct block_request *request);

#endif
