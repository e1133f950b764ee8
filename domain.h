/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * domain: the one domain that this process serves: everything opened for it, its machine, whether
 * it runs, and what the toolstack may do to it over QMP.
 */
#ifndef DOMAIN_H
#define DOMAIN_H

#include <stdbool.h>

#include "hw/core/err.h"
#include "toolstack/config.h"

struct domain;
struct loop;

/* Opens images, streams, hypervisor, screen and control sockets, in an order in which what is most
 * likely wrong in a configuration is found first, and builds the machine. NULL and one line in
 * *err; nothing is then left behind. `config` must outlive the domain. */
struct domain *domain_open(const struct config *config, struct loop *loop, struct err *err);

/* Gives up all rights that serving the guest does not need (hw/xen/confine.h), starts the guest
 * unless -S said not to, and tells the toolstack that the device model is up. */
bool domain_start(struct domain *domain, struct err *err);

/* Finishes what is under way, flushes the disks, and closes everything in reverse order. NULL is
 * fine. */
void domain_close(struct domain *domain);

#endif
