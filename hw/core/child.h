/* SPDX-License-Identifier: GPL-2.0-or-later */
/* child: what the processes beside the main one have alike: how they begin. */
#ifndef HW_CORE_CHILD_H
#define HW_CORE_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "hw/core/err.h"

#define CHILD_SOCKET 3 /* to the parent */

struct child_spec {
    const char *name; /* of the process, and … */
    const char *what; /* … in messages: "the companion process" */
    bool log;         /* keeps standard error */
    bool stream;      /* the socket is one of bytes, not of messages */
    int (*run)(const void *arg);
    const void *arg;
};

/*
 * Forks a process that runs `run` and exits with what that returns. It dies with its parent, lets a
 * terminal's signals be, and has no descriptor but CHILD_SOCKET, a socket of messages (or bytes)
 * whose other end is *socket, and the null device; with `log`, standard error as well. Returns its
 * id; -1 and *err: there is none.
 */
pid_t child_start(const struct child_spec *spec, int *socket, struct err *err);

#endif
