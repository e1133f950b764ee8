/* SPDX-License-Identifier: GPL-2.0-or-later */
/* domain_net: the wires of the network cards, what is behind them, and the cards' option ROMs. */
#include "domain_int.h"

#include "hw/core/log.h"
#include "hw/core/loop.h"
#include "net/net.h"

/* Switches learn from the first frame they see; the rest is for those that were being changed
 * themselves. */
#define ANNOUNCE_ROUNDS 5
#define ANNOUNCE_FIRST  (50 * NS_PER_MS)
#define ANNOUNCE_STEP   (100 * NS_PER_MS) /* each wait is so much longer than the one before */

struct net *domain_nic_net(const struct domain *d, size_t index)
{
    size_t netdev = d->config->nics[index].netdev;
    return netdev == CONFIG_NO_NETDEV ? NULL : d->nets[netdev];
}

static void announce(void *opaque)
{
    struct domain *d = opaque;
    for (size_t i = 0; i < d->config->nic_count; i++) {
        struct net *net = domain_nic_net(d, i);
        if (net)
            net_announce(net, d->config->nics[i].mac);
    }
    if (!--d->announce_rounds)
        return;
    unsigned done = ANNOUNCE_ROUNDS - 1 - d->announce_rounds;
    timer_arm_in(&d->announce, ANNOUNCE_FIRST + done * ANNOUNCE_STEP);
}

void domain_announce(struct domain *d)
{
    if (!d->config->nic_count)
        return;
    d->announce_rounds = ANNOUNCE_ROUNDS;
    announce(d);
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
        if (!netdev_open(&c->netdevs[i], d->loop, d->nets[i], err))
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
