/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * door: the qtest door. The product's own objects, and what Xen and the host's clock would be to
 * them: local RAM, interrupt pins, a clock that moves when told, the real-time clock, configuration
 * mechanism 1. docs/testing.md says what it is for.
 */
#ifndef TESTS_QTEST_DOOR_H
#define TESTS_QTEST_DOOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "domain.h"
#include "hw/core/bus.h"
#include "hw/core/clock.h"
#include "hw/core/loop.h"
#include "tests/qtest/args.h"
#include "tests/qtest/hypervisor.h"
#include "tests/qtest/rtc.h"

struct display;
struct input;
struct machine;
struct monitor;
struct protocol;

struct door {
    struct door_args args;
    struct loop *loop;
    struct clock clock; /* the guest's; `now` is its time */
    uint64_t now;
    struct protocol *protocol;
    struct monitor *monitor;

    /* NULL all, with -machine none. */
    struct domain *domain;
    struct hypervisor *hv;
    struct bus *bus;
    struct machine *machine;
    struct display *display;
    struct input *input;
    struct rtc rtc;

    bool reset_wanted;
    struct deferred reset;

    /* ports.c */
    uint32_t config_address; /* all 32 bits of it, see door_in */
    uint8_t cmos_index;
    uint16_t fw_key;
    uint32_t fw_at;
};

/* The guest's port accesses, width 1, 2 or 4: what Xen would answer is answered here, the rest by
 * the bus. */
uint32_t door_in(struct door *door, uint16_t port, unsigned width);
void door_out(struct door *door, uint16_t port, unsigned width, uint32_t value);

/* Moves the guest's clock to `until`, stopping at each timer's own deadline. False: timers come
 * without end at one moment, and the clock stands there. */
bool door_clock_to(struct door *door, uint64_t until);

/* The machine's reset, if somebody has asked for it since. Not from within a guest's access. */
void door_reset_if_wanted(struct door *door);

/* ---- protocol.c: the line protocol ---- */

/* Serves the lines that come from fd_in (-1: none) and answers on fd_out; log_fd gets a copy of
 * both, or is -1. NULL and *err on failure. */
struct protocol *protocol_new(struct door *door, int fd_in, int fd_out, int log_fd,
                              struct err *err);
void protocol_free(struct protocol *protocol);

/* A pin changed; told at once to a peer that has asked for that kind (struct hv_pins). */
void protocol_pin(struct protocol *protocol, enum hv_pin_kind kind, unsigned n, bool level);

/* ---- monitor.c: QMP ---- */

/* Puts the peer on fd in front of the product's QMP server, which listens on the socket that
 * monitor_listen made, and answers beside it what only a test program is asked. */
int monitor_listen(struct err *err);
struct monitor *monitor_new(struct door *door, int fd, int listen_fd, struct err *err);
void monitor_free(struct monitor *monitor);

#endif
