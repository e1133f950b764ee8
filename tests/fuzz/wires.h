/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wires: network cards for fuzzers of the monitors: two with back-ends, one without, and a back-end
 * alone. */
#ifndef TESTS_FUZZ_WIRES_H
#define TESTS_FUZZ_WIRES_H

#include <stdio.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"
#include "toolstack/qmp.h"

#define WIRES 4

static bool wires_net(void *opaque, size_t index, struct qmp_net_info *info)
{
    static const char *const nics[WIRES] = {"nic0", "rtl8139.0", "bare", NULL};
    static const char *const netdevs[WIRES] = {"net0", "net1", NULL, "lone"};
    (void)opaque;
    if (index >= WIRES)
        return false;
    *info = (struct qmp_net_info){.nic = nics[index],
                                  .model = "rtl8139",
                                  .netdev = netdevs[index],
                                  .link = index & 1,
                                  .stats = {.rx_stale = index, .tx_waiting = index & 1}};
    snprintf(info->backend, sizeof(info->backend), index ? "user" : "tap,ifname=tap0");
    return true;
}

static void wires_set_link(void *opaque, size_t index, bool up)
{
    (void)opaque, (void)up;
    fuzz_assert(index < WIRES && index != 2);
}

static void wires_announce(void *opaque, const struct qmp_announce *how)
{
    (void)opaque;
    fuzz_assert(how->rounds && how->initial_ms && how->step_ms && how->max_ms);
}

static bool wires_capture(void *opaque, const struct qmp_capture *what, struct err *err)
{
    (void)opaque;
    fuzz_assert(what->fd >= 0 && what->maxlen && what->id && what->netdev && what->file);
    close(what->fd);
    return what->maxlen > 64 || err_set(err, "too short");
}

static bool wires_end_capture(void *opaque, const char *id)
{
    (void)opaque;
    return *id == 'f';
}

#endif
