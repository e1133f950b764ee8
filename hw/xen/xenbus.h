/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xenbus: a connection to xenstored with watches, in one descriptor and no thread. libxenstore
 * starts a thread with the first watch, which would double what the idle back-end process costs.
 * docs/misc/xenstore.txt of Xen, public/io/xs_wire.h. Calls wait for xenstored's answer.
 */
#ifndef HW_XEN_XENBUS_H
#define HW_XEN_XENBUS_H

#include <stdbool.h>
#include <stddef.h>

#include "hw/core/err.h"

#define XENBUS_PATH_MAX 256 /* of ours: far below xenstored's own limit */

struct xenbus;

/* Where libxenstore looks too: XENSTORED_PATH, the daemon's socket, the kernel's device. NULL and
 * *err if there is no daemon. */
struct xenbus *xenbus_open(struct err *err);
void xenbus_close(struct xenbus *x);

/* Readable when xenbus_next has something to say. */
int xenbus_fd(const struct xenbus *x);

/* A value, zero-terminated, to be freed; NULL and errno (ENOENT). */
char *xenbus_read(struct xenbus *x, const char *path);

/* The names in a directory, each zero-terminated, *bytes in all, to be freed; NULL and errno. */
char *xenbus_list(struct xenbus *x, const char *path, size_t *bytes);

/* False and errno. A node is made if it is not there. */
bool xenbus_write(struct xenbus *x, const char *path, const char *value);

/* Events for the path and all below it, the first one at once. */
bool xenbus_watch(struct xenbus *x, const char *path, const char *token);
bool xenbus_unwatch(struct xenbus *x, const char *path, const char *token);

/* The next event that has come: path (XENBUS_PATH_MAX) and token (64 bytes), longer ones skipped.
 * XENBUS_GONE: the daemon is, and this connection of no more use. Never waits. */
enum xenbus_next { XENBUS_NOTHING, XENBUS_EVENT, XENBUS_GONE };
enum xenbus_next xenbus_next(struct xenbus *x, char *path, char *token);

/* Events have come while an answer was waited for: the descriptor no longer tells of them. */
bool xenbus_pending(const struct xenbus *x);

#endif
