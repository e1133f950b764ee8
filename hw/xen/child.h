/* SPDX-License-Identifier: GPL-2.0-or-later */
/* child: what the processes beside the main one have alike: how they begin. */
#ifndef HW_XEN_CHILD_H
#define HW_XEN_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#define CHILD_SOCKET 3 /* to the parent */

/*
 * The first steps after fork, in the child: it dies with `parent`, is called `name`, lets a
 * terminal's signals be, and has no descriptor but CHILD_SOCKET (which `socket` becomes) and the
 * null device; with `log`, standard error as well. False: the process must end.
 */
bool child_begin(int socket, pid_t parent, const char *name, bool log);

#endif
