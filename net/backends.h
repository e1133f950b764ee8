/* SPDX-License-Identifier: GPL-2.0-or-later */
/* backends: how each kind of back-end is opened; for netdev.c alone. As netdev_open. */
#ifndef NET_BACKENDS_H
#define NET_BACKENDS_H

#include "net/netdev.h"

bool netdev_open_tap(const struct netdev_config *config, struct loop *loop, struct net *net,
                     struct err *err);
bool netdev_open_user(const struct netdev_config *config, struct loop *loop, struct net *net,
                      struct err *err);
bool netdev_open_socket(const struct netdev_config *config, struct loop *loop, struct net *net,
                        struct err *err);

#endif
