/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netdev: see netdev.h. */
#include "net/netdev.h"

#include <stdlib.h>

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
