/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xenstore: the few things this process says in and reads from xenstore, behind a narrow door,
 * because after confinement only a companion could still say them. docs/toolstack.md lists the
 * paths.
 */
#ifndef HW_XEN_XENSTORE_H
#define HW_XEN_XENSTORE_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/core/err.h"

struct xenstore;

/* NULL and *err when the daemon cannot be reached. */
struct xenstore *xenstore_open(unsigned domid, struct err *err);
void xenstore_close(struct xenstore *xs);

/* device-model/<domid>/state, relative to our own domain: "running" tells libxl that we are up. */
bool xenstore_set_state(struct xenstore *xs, const char *state, struct err *err);

/* /local/domain/<domid>/serial/<n>/tty (n 0: console/tty of the traditional way is the
 * toolstack's). */
bool xenstore_set_serial_tty(struct xenstore *xs, unsigned n, const char *tty, struct err *err);

/* /local/domain/<domid>/console/vnc-port and vnc-listen. */
bool xenstore_set_vnc(struct xenstore *xs, const char *listen, unsigned port, struct err *err);

/* device-model/<domid>/backends/<type>: this process serves PV devices of the type ("qdisk"). */
bool xenstore_offer_backend(struct xenstore *xs, const char *type, struct err *err);

/* Whether the toolstack has given the domain PV devices that a process of this type is to serve. */
bool xenstore_has_devices(struct xenstore *xs, const char *type);

/* Adds `seconds` to /vm/<uuid>/rtc/timeoffset (TIMEOFFSET ioreq); the path comes from our own
 * /local/domain/<domid>/vm, its format is checked first. */
bool xenstore_add_time_offset(struct xenstore *xs, int64_t seconds, struct err *err);

/* The checks behind it, for tests: is this /vm/<uuid> (or xend's /vm/<uuid>-<n>); old (decimal
 * seconds; NULL or empty: 0) + seconds, false if old is no such number or the sum does not fit. */
bool xenstore_is_vm_path(const char *path);
bool xenstore_add_offset(const char *old, int64_t seconds, int64_t *sum);

#endif
