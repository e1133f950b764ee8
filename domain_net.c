/* SPDX-License-Identifier: GPL-2.0-or-later */
/* domain_net: the wires of the network cards, what is behind them, and the cards' option ROMs. */
#include "domain_int.h"

#include "hw/core/log.h"
#include "hw/core/loop.h"
#include "hw/xen/confine.h"
#include "net/net.h"

/* Switches learn from the first frame they see; the rest is for those that were being changed
 * themselves. */
static const struct qmp_announce usual = {
    .rounds = 5, .initial_ms = 50, .step_ms = 100, .max_ms = 550, .nics = UINT32_MAX};

struct net *domain_nic_net(const struct domain *d, size_t index)
{
    size_t netdev = d->config->nics[index].netdev;
    return netdev == CONFIG_NO_NETDEV ? NULL : d->nets[netdev];
}

static void announce(void *opaque)
{
    struct domain *d = opaque;
    struct qmp_announce *how = &d->announcing;
    for (size_t i = 0; i < d->config->nic_count; i++) {
        struct net *net = how->nics >> i & 1 ? domain_nic_net(d, i) : NULL;
        if (net)
            net_announce(net, d->config->nics[i].mac);
    }
    if (!--how->rounds)
        return;
    unsigned wait = how->initial_ms < how->max_ms ? how->initial_ms : how->max_ms;
    timer_arm_in(&d->announce, wait * NS_PER_MS);
    how->initial_ms = wait + how->step_ms;
}

void domain_announce_as(void *opaque, const struct qmp_announce *how)
{
    struct domain *d = opaque;
    if (!d->config->nic_count)
        return;
    d->announcing = *how;
    announce(d);
}

void domain_announce(struct domain *d)
{
    domain_announce_as(d, &usual);
}

/* Of the user-mode network's process. */
static bool confine_user(const struct netdev_config *netdev, struct err *err)
{
    const struct config *c = netdev->confine_opaque;
    const struct confine_network_config confinement = {
        .run_as = c->run_as,
        .uid = c->uid,
        .gid = c->gid,
        .seccomp = c->seccomp,
        .restricted = netdev->restricted,
        .folder = netdev->tftp,
    };
    return confine_network(&confinement, err);
}

bool domain_open_nets(struct domain *d, struct err *err)
{
    const struct config *c = d->config;
    timer_init(&d->announce, loop_clock(d->loop), announce, d);
    for (size_t i = 0; i < c->netdev_count; i++) {
        d->nets[i] = net_new(d->loop, c->netdevs[i].id);
        if (!d->nets[i])
            return err_set(err, "out of memory");
        net_quiesce(d->nets[i]);
        struct netdev_config netdev = c->netdevs[i];
        netdev.confine = confine_user;
        netdev.confine_opaque = c;
        if (!netdev_open(&netdev, d->loop, d->nets[i], err))
            return false;
    }
    return true;
}

bool domain_load_nic_roms(struct domain *d, struct err *err)
{
    (void)d;
    (void)err;
    return true;
}

void domain_close_nets(struct domain *d)
{
    if (d->announce.clock)
        timer_destroy(&d->announce);
    for (size_t i = 0; i < d->config->netdev_count; i++)
        net_free(d->nets[i]);
    for (size_t i = 0; i < d->config->nic_count; i++)
        rom_free(&d->nic_roms[i]);
}

void domain_quiesce_nets(struct domain *d)
{
    for (size_t i = 0; i < d->config->netdev_count; i++)
        net_quiesce(d->nets[i]);
}

void domain_resume_nets(struct domain *d)
{
    for (size_t i = 0; i < d->config->netdev_count; i++)
        net_resume(d->nets[i]);
}
