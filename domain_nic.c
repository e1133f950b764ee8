/* SPDX-License-Identifier: GPL-2.0-or-later */
/* domain_nic: what the monitors may ask of the network cards and their wires. */
#include "domain_int.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hw/pc/machine.h"
#include "net/capture.h"
#include "net/net.h"

/* A card's name: its id, or as qemu makes it up, by its place among those of its model. */
static void name_nic(const struct config *c, size_t index, struct qmp_net_info *info)
{
    unsigned n = 0;
    for (size_t i = 0; i < index; i++)
        n += c->nics[i].model == c->nics[index].model;
    info->nic = c->nics[index].id;
    if (info->nic)
        return;
    snprintf(info->name, sizeof(info->name), "%s.%u", config_nic_name(c->nics[index].model), n);
    info->nic = info->name;
}

/* The index-th back-end that no card has; CONFIG_NO_NETDEV: there are not so many. */
static size_t lone_netdev(const struct config *c, size_t index)
{
    for (size_t n = 0; n < c->netdev_count; n++) {
        bool used = false;
        for (size_t i = 0; i < c->nic_count; i++)
            used = used || c->nics[i].netdev == n;
        if (!used && !index--)
            return n;
    }
    return CONFIG_NO_NETDEV;
}

/* Of config->netdevs; CONFIG_NO_NETDEV as well for a card with nothing plugged in. */
static size_t netdev_of(const struct config *c, size_t index)
{
    return index < c->nic_count ? c->nics[index].netdev : lone_netdev(c, index - c->nic_count);
}

bool domain_net_info(void *opaque, size_t index, struct qmp_net_info *info)
{
    const struct domain *d = opaque;
    const struct config *c = d->config;
    size_t n = netdev_of(c, index);
    if (index >= c->nic_count && n == CONFIG_NO_NETDEV)
        return false;
    *info = (struct qmp_net_info){.link = false};
    if (index < c->nic_count) {
        uint8_t devfn;
        name_nic(c, index, info);
        info->model = config_nic_name(c->nics[index].model);
        memcpy(info->mac, c->nics[index].mac, sizeof(info->mac));
        info->unplugged = c->nics[index].model != CONFIG_NE2K_ISA &&
                          !machine_nic_place(d->machine, index, &devfn);
    }
    if (n == CONFIG_NO_NETDEV || !d->nets[n])
        return true;
    info->netdev = c->netdevs[n].id;
    info->link = net_link_up(d->nets[n]);
    net_describe(d->nets[n], info->backend, sizeof(info->backend));
    net_stats(d->nets[n], &info->stats);
    return true;
}

void domain_set_link(void *opaque, size_t index, bool up)
{
    struct domain *d = opaque;
    size_t n = netdev_of(d->config, index);
    if (n != CONFIG_NO_NETDEV)
        net_set_link(d->nets[n], up);
}

static struct net *find_net(const struct domain *d, const char *id)
{
    for (size_t i = 0; i < d->config->netdev_count; i++)
        if (!strcmp(d->config->netdevs[i].id, id))
            return d->nets[i];
    return NULL;
}

static struct capture **find_capture(struct domain *d, const char *id)
{
    for (size_t i = 0; i < CONFIG_MAX_CAPTURES; i++)
        if (d->captures[i] && !strcmp(capture_id(d->captures[i]), id))
            return &d->captures[i];
    return NULL;
}

bool domain_capturing(void *opaque, const char *id)
{
    return find_capture(opaque, id);
}

bool domain_capture(void *opaque, const struct qmp_capture *what, struct err *err)
{
    struct domain *d = opaque;
    struct net *net = find_net(d, what->netdev);
    struct capture **place = NULL;
    for (size_t i = 0; i < CONFIG_MAX_CAPTURES && !place; i++)
        if (!d->captures[i])
            place = &d->captures[i];
    if (net && place) {
        *place = capture_new(d->loop, net, what->id, what->fd, what->file, what->maxlen, err);
        return *place;
    }
    close(what->fd);
    return net ? err_set(err, "there are at most %d captures", CONFIG_MAX_CAPTURES)
               : err_set(err, "there is no -netdev '%s'", what->netdev);
}

bool domain_end_capture(void *opaque, const char *id)
{
    struct capture **c = find_capture(opaque, id);
    if (!c)
        return false;
    capture_free(*c);
    *c = NULL;
    return true;
}

const char *domain_pci_id(const struct domain *d, uint8_t devfn)
{
    uint8_t at;
    for (size_t i = 0; i < d->config->nic_count; i++)
        if (d->config->nics[i].id && machine_nic_place(d->machine, i, &at) && at == devfn)
            return d->config->nics[i].id;
    return "";
}

void domain_tell_unplugged(struct domain *d)
{
    uint8_t devfn;
    for (size_t i = 0; i < d->config->nic_count; i++)
        if (d->config->nics[i].id && d->config->nics[i].model != CONFIG_NE2K_ISA &&
            !machine_nic_place(d->machine, i, &devfn))
            qmp_event_deleted(d->qmp, d->config->nics[i].id);
}
