/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tap_open: how a tap comes to be ours: by name or as an open descriptor, on a bridge, with the
 * scripts of qemu(1). All before the confinement. For tap.c alone. */
#ifndef NET_TAP_OPEN_H
#define NET_TAP_OPEN_H

#include <net/if.h>
#include <stdbool.h>
#include <sys/types.h>

#include "net/netdev.h"

#define TAP_VNET_HEADER 10 /* bytes of struct virtio_net_hdr before each frame, where there are */

struct tap_end {
    int fd;
    char name[IFNAMSIZ]; /* of the interface; empty: a socket stands in for it */
    bool connected;      /* … and a message of nothing is its end */
    bool vnet_hdr;       /* each frame has a header, and the kernel may leave work in it */
    pid_t down;          /* the process that waits with downscript=; 0: none … */
    int down_fd;         /* … the way to it … */
    unsigned down_ms;    /* … and how long it may take */
};

/* On failure *err names the netdev and what it was about; nothing is left behind, but an inherited
 * descriptor is closed as it would be later. */
bool tap_open(struct tap_end *end, const struct netdev_config *config, struct err *err);

/* Has downscript run, while the interface is still there, and closes all. */
void tap_close(struct tap_end *end);

#endif
