/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * front: what a guest's PV drivers need for a front-end: grants of its pages, event channels of its
 * own. Rings are in guest_page; the states are written by xenstub_xs_write. dom0, where the device
 * model is, is the other side of all.
 */
#ifndef TESTS_XENSTUB_FRONT_H
#define TESTS_XENSTUB_FRONT_H

#include "vcpu.h"

/* Lets dom0 map or copy the page of this address; the grant's reference, or 0: the table is full.
 */
uint32_t front_grant(struct xenstub *x, uint64_t gfn, bool read_only);

/* How often it is mapped now. */
unsigned front_mapped(struct xenstub *x, uint32_t ref);

/* Takes it back, as drivers do: false, and nothing is changed, while it is mapped. */
bool front_revoke(struct xenstub *x, uint32_t ref);

/* An event channel for dom0 to bind to: its port (as goes into xenstore), or 0. */
uint32_t front_channel(struct xenstub *x);
void front_close_channel(struct xenstub *x, uint32_t port);
bool front_bound(struct xenstub *x, uint32_t port);

/* Notifies the other side; an event before it has bound is waiting for it. */
void front_notify(struct xenstub *x, uint32_t port);

/* Waits until the other side has notified since the last call. False: too late, or it ended. */
bool front_wait(struct xenstub *x, uint32_t port, unsigned timeout_ms);

#endif
