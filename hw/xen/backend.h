/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * backend: a child process that serves the domain's PV disks (blkback). It has grants, event
 * channels and xenstore, which the main process loses with its confinement; it has no access to the
 * guest's memory but what the guest grants, and no hypercalls. Idle, it waits in one call.
 */
#ifndef HW_XEN_BACKEND_H
#define HW_XEN_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/core/err.h"

struct backend;

/* Forks it, for domain domid; as early as possible: it keeps whatever memory there is now. Bit n of
 * `emulated`: the machine has disk n too. `filter`: it sets itself a system-call filter. NULL and
 * *err on failure. */
struct backend *backend_open(unsigned domid, uint32_t emulated, bool filter, struct err *err);

/* Waits until it watches xenstore and is confined. Once. False and *err if it fails. */
bool backend_ready(struct backend *b, struct err *err);

/* The machine has closed the images of these disks: they may be connected. Never waits. */
bool backend_release(struct backend *b, uint32_t disks, struct err *err);

/* block_resize for a PV disk: the one whose number is `disk`, or if that is -1 the one that the
 * toolstack calls `name`. Waits for the answer, some seconds at most. */
bool backend_resize(struct backend *b, int disk, const char *name, uint64_t bytes, struct err *err);

/* Ends it: what is under way is written, then the images are closed. NULL is fine. */
void backend_close(struct backend *b);

#endif
