/* SPDX-License-Identifier: GPL-2.0-or-later */
/* user_slirp: libslirp between a message socket with the guest's frames and the host's sockets: the
 * user-mode network's process' work. See user_module.h for what the functions do. */
#ifndef NET_USER_SLIRP_H
#define NET_USER_SLIRP_H

#include "net/user_module.h"

struct user_slirp *user_slirp_open(const struct netdev_config *config, struct err *err);
int user_slirp_serve(struct user_slirp *slirp, int socket);

#endif
