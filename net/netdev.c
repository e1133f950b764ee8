/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netdev: see netdev.h. */
#include "net/netdev.h"

#include <stdio.h>
#include <stdlib.h>

#include "net/backends.h"
#include "net/net.h"

/* ---- null: a cable into a switch with nobody else ---- */

static enum net_sent null_send(void *opaque, const uint8_t *frame, size_t len,
                               const struct net_offload *offload)
{
    (void)opaque;
    (void)frame;
    (void)len;
    (void)offload;
    return NET_SENT;
}

static void null_read(void *opaque, bool on, bool fresh)
{
    (void)opaque;
    (void)on;
    (void)fresh;
}

static void null_describe(const void *opaque, char *out, size_t size)
{
    (void)opaque;
    snprintf(out, size, "null");
}

static const struct net_backend null_backend = {
    .type = "null",
    .offloads = true, /* nobody looks */
    .send = null_send,
    .read = null_read,
    .describe = null_describe,
};

/* ---- all ---- */

bool netdev_open(const struct netdev_config *config, struct loop *loop, struct net *net,
                 struct err *err)
{
    switch (config->kind) {
    case NETDEV_NULL:
        net_attach_backend(net, &null_backend, NULL);
        return true;
    case NETDEV_TAP:
        return netdev_open_tap(config, loop, net, err);
    case NETDEV_USER:
        return netdev_open_user(config, loop, net, err);
    case NETDEV_SOCKET:
        return netdev_open_socket(config, loop, net, err);
    }
    return err_set(err, "-netdev %s: no such kind", config->id);
}

void netdev_config_free(struct netdev_config *config)
{
    free(config->id);
    free(config->ifname);
    free(config->script);
    free(config->downscript);
    free(config->bridge);
    free(config->hostname);
    free(config->domain);
    free(config->tftp);
    free(config->bootfile);
    free(config->address);
    free(config->local_addr);
    *config = (struct netdev_config){.fd = -1};
}
