/* SPDX-License-Identifier: GPL-2.0-or-later */
/* domain_net: the wires of the network cards, what is behind them, and the cards' option ROMs. */
#include "domain_int.h"

#include <string.h>

#include "hw/core/log.h"
#include "hw/core/loop.h"
#include "hw/xen/confine.h"
#include "net/capture.h"
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

static bool open_capture(struct domain *d, size_t index, struct err *err)
{
    const struct config_capture *c = &d->config->captures[index];
    int fd = capture_create(c->id, c->file, err);
    if (fd < 0)
        return false;
    d->captures[index] =
        capture_new(d->loop, d->nets[c->netdev], c->id, fd, c->file, c->maxlen, err);
    return d->captures[index];
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
    for (size_t i = 0; i < c->capture_count; i++)
        if (!open_capture(d, i, err))
            return false;
    return true;
}

static bool same_rom(const struct config_nic *a, const struct config_nic *b)
{
    return a->model == b->model && !b->no_rom &&
           (a->romfile && b->romfile ? !strcmp(a->romfile, b->romfile) : a->romfile == b->romfile);
}

static bool load_nic_rom(struct rom *rom, const struct config *c, const struct config_nic *nic,
                         struct err *err)
{
    static const struct {
        const char *card;
        uint16_t vendor, device;
    } models[] = {
        [CONFIG_NE2K_PCI] = {"ne2k_pci", 0x10EC, 0x8029},
        [CONFIG_PCNET] = {"pcnet", 0x1022, 0x2000},
        [CONFIG_RTL8139] = {"rtl8139", 0x10EC, 0x8139},
        [CONFIG_E1000] = {"e1000", 0x8086, 0x100E},
        [CONFIG_E1000_82545EM] = {"e1000", 0x8086, 0x100F},
    };
    const char *const *dirs = (const char *const *)c->rom_dirs;
    const uint16_t vendor = models[nic->model].vendor, device = models[nic->model].device;
    struct err why;
    if (nic->romfile)
        return rom_load(rom, nic->romfile, dirs, c->rom_dir_count, vendor, device, &why) ||
               err_set(err, "-device %s: romfile=: %s", config_nic_name(nic->model), why.text);
    if (!rom_load_ipxe(rom, models[nic->model].card, dirs, c->rom_dir_count, vendor, device, &why))
        log_warn("-device %s: the guest cannot start from it: %s", config_nic_name(nic->model),
                 why.text);
    return true;
}

bool domain_load_nic_roms(struct domain *d, struct err *err)
{
    const struct config_nic *nics = d->config->nics;
    for (size_t i = 0; i < d->config->nic_count; i++) {
        size_t first = 0;
        if (nics[i].no_rom || nics[i].model == CONFIG_NE2K_ISA)
            continue;
        while (first < i && !same_rom(&nics[i], &nics[first]))
            first++;
        if (first < i)
            d->nic_roms[i] = d->nic_roms[first];
        else if (!load_nic_rom(&d->nic_roms[i], d->config, &nics[i], err))
            return false;
    }
    return true;
}

/* Two cards of one model show the same. */
static void free_nic_roms(struct domain *d)
{
    for (size_t i = 0; i < d->config->nic_count; i++) {
        for (size_t other = i + 1; other < d->config->nic_count; other++)
            if (d->nic_roms[other].data == d->nic_roms[i].data)
                d->nic_roms[other] = (struct rom){0};
        rom_free(&d->nic_roms[i]);
    }
}

void domain_close_nets(struct domain *d)
{
    if (d->announce.clock)
        timer_destroy(&d->announce);
    for (size_t i = 0; i < CONFIG_MAX_CAPTURES; i++)
        capture_free(d->captures[i]);
    for (size_t i = 0; i < d->config->netdev_count; i++)
        net_free(d->nets[i]);
    free_nic_roms(d);
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
