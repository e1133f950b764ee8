/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * companion: a child process that keeps the two powers which serving a guest now and then needs and
 * which confinement takes away: raw hypercalls (suspend to RAM, wake, the power button, a vCPU's
 * control registers) and xenstore (the guest's clock offset). It understands these five requests,
 * for the one domain it was started for, and nothing else; docs/security.md says why.
 */
#ifndef HW_XEN_COMPANION_H
#define HW_XEN_COMPANION_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/core/err.h"
#include "hw/xen/hypervisor.h"

struct companion;
struct loop;

/* What the child does, after it closed all it inherited; companion_xen does it on Xen. */
struct companion_ops {
    /* What the others get as handle; they run confined. NULL and errno if it cannot be had. */
    void *(*open)(unsigned domid);
    /* 0 or an errno value. */
    int (*sleep_s3)(void *handle);
    int (*add_time_offset)(void *handle, int64_t seconds);
    int (*wake_s3)(void *handle);
    int (*press_power)(void *handle);
    int (*get_paging)(void *handle, struct hv_paging *paging);
};
extern const struct companion_ops companion_xen;

/* More than any change of a clock that shows years 0 to 9999 (in seconds). */
#define COMPANION_MAX_OFFSET (INT64_C(1) << 40)

/* At most so many clock offsets are written at once, and then one a second. */
#define COMPANION_BURST 8u

/*
 * Forks the companion of domain domid. As early as possible: it keeps whatever memory there is now.
 * `filter`: it also sets itself a system-call filter. The loop, whose thread makes all calls, must
 * outlive it; the thread that forks must be the process's last one to end. NULL and *err on
 * failure.
 */
struct companion *companion_open(const struct companion_ops *ops, unsigned domid, bool filter,
                                 struct loop *loop, struct err *err);

/* Waits until the companion has what it needs and is confined. To be called once, before our own
 * confinement. False and *err if it fails. */
bool companion_ready(struct companion *c, struct err *err);

/* Suspends the domain to RAM. Waits at most 100 ms for it to be done (the access that asks for it
 * should not be answered before); what goes wrong later is logged. False and *err if it failed. */
bool companion_sleep_s3(struct companion *c, struct err *err);

/* Wakes it. Never waits: what goes wrong is logged. */
bool companion_wake_s3(struct companion *c, struct err *err);

/* Presses its ACPI power button. Never waits: what goes wrong is logged. */
bool companion_press_power(struct companion *c, struct err *err);

/* vCPU 0's, for the monitor's `x`. Waits at most 100 ms. False and *err: it failed, or took longer.
 */
bool companion_get_paging(struct companion *c, struct hv_paging *paging, struct err *err);

/* Adds to the domain's clock offset, never waits. Changes that come quickly are added up. */
void companion_add_time_offset(struct companion *c, int64_t seconds);

/* Has done what was asked, and waits for the companion to end; c may be NULL. */
void companion_close(struct companion *c);

#endif
