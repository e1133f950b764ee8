/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inet: sockets by host and port, as they are opened before the confinement. */
#ifndef HW_CORE_INET_H
#define HW_CORE_INET_H

#include <stdbool.h>

#include "hw/core/err.h"

/*
 * A non-blocking TCP socket that is connected to host and port (within 10 s for each address that
 * the name has), or as a server listens there with a queue of one; an empty host is the loopback's
 * or, of a server, all of this machine's. -1 and *err, which begins with `label`.
 */
int inet_stream(const char *label, const char *host, const char *port, bool server,
                struct err *err);

/* A non-blocking UDP socket that is bound to the one place, and with `host` only talks to the
 * other. -1 and *err. */
int inet_datagrams(const char *label, const char *local_host, const char *local_port,
                   const char *host, const char *port, struct err *err);

/* HOST:PORT or [HOST]:PORT, of which HOST may be empty, cut in two in place. False and *err. */
bool inet_split(const char *label, char *address, char **host, char **port, struct err *err);

#endif
