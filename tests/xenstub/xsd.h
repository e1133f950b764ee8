/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xsd: a xenstored for one test: the wire protocol of xen/io/xs_wire.h on a UNIX socket, with
 * watches and transactions, served by a thread. Permissions and quotas are not checked. */
#ifndef TESTS_XENSTUB_XSD_H
#define TESTS_XENSTUB_XSD_H

#include <stdbool.h>

struct xsd;

/* Listens at `path`; NULL with errno. */
struct xsd *xsd_new(const char *path);
void xsd_free(struct xsd *xsd);

/* As dom0's tools do: paths are absolute. read: NULL if there is no such node; to be freed. */
char *xsd_read(struct xsd *xsd, const char *path);
void xsd_write(struct xsd *xsd, const char *path, const char *value);
void xsd_remove(struct xsd *xsd, const char *path); /* and what is below */

/* Waits until the node has that value (NULL: any), or until `stop` says so; false: it has not. */
bool xsd_wait(struct xsd *xsd, const char *path, const char *value, unsigned timeout_ms,
              bool (*stop)(void *opaque), void *opaque);

#endif
