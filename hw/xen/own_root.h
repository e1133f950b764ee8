/* SPDX-License-Identifier: GPL-2.0-or-later */
/* own_root: a root directory that is a process' own, with next to nothing in it. */
#ifndef HW_XEN_OWN_ROOT_H
#define HW_XEN_OWN_ROOT_H

#include <stdbool.h>

#include "hw/core/err.h"

/*
 * Gives this process, which has one thread, a root directory in memory that can't be written to and
 * has a copy of /etc/resolv.conf and, if `folder` (an absolute path without links) is not NULL,
 * that folder under its name; nothing else can be reached by name any more. Everything goes with
 * the process. As root it needs CAP_SYS_ADMIN; others, that they may have user namespaces. False
 * and *err if not; the process is then somewhere between and must end.
 */
bool own_root(const char *folder, struct err *err);

#endif
