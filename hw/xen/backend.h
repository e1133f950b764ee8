/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * backend: a child process that serves the domain's PV disks (blkback) and its PV keyboard and
 * pointer (vkbd). It has grants, event channels and xenstore, which the main process loses with its
 * confinement; it has no access to the guest's memory but what the guest grants, and no hypercalls.
 * Idle, it waits in one call.
 */
#ifndef HW_XEN_BACKEND_H
#define HW_XEN_BACKEND_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "hw/core/err.h"

struct backend;
struct loop;

struct backend_config {
    unsigned domid;
    bool disks; /* serves them, for which it opens images by name as who starts it; false: it opens
                   nothing, and becomes `uid`, `gid` if run_as says so */
    uint32_t emulated; /* bit n: the machine has disk n too */
    bool filter;       /* it sets itself a system-call filter */
    bool run_as;
    uid_t uid;
    gid_t gid;
};

/* Forks it; as early as possible: it keeps whatever memory there is now. NULL and *err on failure.
 */
struct backend *backend_open(const struct backend_config *config, struct err *err);

/* What the guest's PV driver takes, from when it is connected until it goes. */
#define BACKEND_POINTER 1u /* positions: backend_point */
#define BACKEND_KEYS    2u /* keys: backend_key */

/* Waits until it watches xenstore and is confined. Once. `taken` is called from the loop whenever
 * the guest's driver takes something else than before. False and *err if it fails. */
bool backend_ready(struct backend *b, struct loop *loop, void (*taken)(void *opaque, unsigned what),
                   void *opaque, struct err *err);

/* A key (Linux KEY_*); a position from 0 to 0x7FFF, notches of the wheel away from the user,
 * buttons (INPUT_BUTTON_*). Never wait. If the process is behind, movements are lost, and keys are
 * released when it has caught up. */
void backend_key(struct backend *b, unsigned code, bool down);
void backend_point(struct backend *b, int x, int y, int wheel, unsigned buttons);

/* The machine has closed the images of these disks: they may be connected. Never waits. */
bool backend_release(struct backend *b, uint32_t disks, struct err *err);

/* block_resize for a PV disk: the one whose number is `disk`, or if that is -1 the one that the
 * toolstack calls `name`. Waits for the answer, some seconds at most. */
bool backend_resize(struct backend *b, int disk, const char *name, uint64_t bytes, struct err *err);

/* Ends it: what is under way is written, then the images are closed. NULL is fine. */
void backend_close(struct backend *b);

#endif
