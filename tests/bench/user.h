/* SPDX-License-Identifier: GPL-2.0-or-later */
/* user: what measures a user-mode network, whatever device model it is of (user_guest.c), and who
 * gives it one: user.c and user_qemu.c. */
#ifndef TESTS_BENCH_USER_H
#define TESTS_BENCH_USER_H

#include <stdint.h>

#include "nic.h"

enum user_figure {
    TO_HOST,
    TO_HOST_CPU,
    TO_GUEST,
    TO_GUEST_CPU,
    ECHOES,
    ECHO_CPU,
    ROUND_TRIP,
    USER_FIGURES
};

#define USER_NIC PC_DEVFN(5, 0) /* where the e1000 is */

/* The host's sockets, and what -netdev says so that they are reached. */
struct user_host {
    int listener, udp;
    uint16_t port, udp_port, forwarded;
    char netdev[128];
};
bool user_host_open(struct user_host *h);

/* Takes over the card of x and measures; what can't be measured is NAN. dm: the process whose CPU
 * counts, with its children. Puts the caller on CPU 0, and these on CPU 1 if there is one. */
void user_measure(struct xenstub *x, pid_t dm, const struct user_host *host,
                  double f[USER_FIGURES]);

#endif
