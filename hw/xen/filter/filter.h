/* SPDX-License-Identifier: GPL-2.0-or-later */
/* filter: the system-call filters that mkfilter makes at build time (seccomp(2)'s programs). */
#ifndef HW_XEN_FILTER_FILTER_H
#define HW_XEN_FILTER_FILTER_H

#include <linux/filter.h>

/* Stands in a program for the id of the process that will have it. */
#define FILTER_OWN_PID 0x7E57F11Du

#define FILTER_MAX 512 /* instructions of a program at most */

struct filter_program {
    unsigned short len;
    const struct sock_filter *code;
};

/* The main process's: [a window's thread is there][raw hypercalls needed][files opened by name for
 * reading]. */
extern const struct filter_program filter_main[2][2][2];
extern const struct filter_program filter_companion;
extern const struct filter_program filter_connector;
/* [images opened by name] */
extern const struct filter_program filter_backend[2];
/* [no sockets but those that are there, and those they accept] */
extern const struct filter_program filter_network[2];
/* Of one thread, beside the main process's. */
extern const struct filter_program filter_window;

#endif
