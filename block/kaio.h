/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kaio: Linux asynchronous I/O (io_submit(2)) with completions announced on an eventfd. */
#ifndef BLOCK_KAIO_H
#define BLOCK_KAIO_H

#include <libaio.h>
#include <stdbool.h>

#include "hw/core/err.h"

struct kaio {
    io_context_t context;
    int event_fd; /* written by the kernel at each completion; the owner's */
    unsigned capacity, in_flight;
};

/* A context for `capacity` requests at once. False: the kernel has none left (or no AIO at all). */
bool kaio_init(struct kaio *kaio, int event_fd, unsigned capacity, struct err *err);
void kaio_destroy(struct kaio *kaio); /* nothing may be in flight; fine when never initialised */

/* Is there a context with room? */
bool kaio_ready(const struct kaio *kaio);

/* Starts one prepared iocb (its `data` is the caller's). 0 or a negative errno value. */
int kaio_submit(struct kaio *kaio, struct iocb *iocb);

/* Starts several, in one system call (and, of a disk that is told of requests, with one word to
 * it). How many of the first ones were started, or a negative errno value: of the first one. */
int kaio_submit_many(struct kaio *kaio, struct iocb **iocbs, unsigned count);

/* Takes up to `max` completions; with `wait`, and if any is in flight, at least one. */
int kaio_reap(struct kaio *kaio, struct io_event *events, int max, bool wait);

#endif
