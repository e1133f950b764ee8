/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cable: what the targets of network cards do alike beside their registers: the far end of the
 * wire, and what happens to it. */
#ifndef TESTS_FUZZ_CABLE_H
#define TESTS_FUZZ_CABLE_H

#include "net/net.h"
#include "tests/fuzz/device.h"

/* Of struct net_backend: nothing comes from there by itself. */
static inline void fuzz_far_read(void *opaque, bool on, bool fresh)
{
    (void)opaque, (void)on, (void)fresh;
}

/* Bit 0 of `how`: the cable is plugged in (bit 1) or pulled out; else the far end is full (bit 1),
 * or not. */
static inline void fuzz_cable(struct net *net, bool *full, unsigned how)
{
    if (how & 1)
        net_set_link(net, how & 2);
    else
        *full = how & 2;
    if (!*full)
        net_writable(net);
    net_run(net, 4);
}

#endif
