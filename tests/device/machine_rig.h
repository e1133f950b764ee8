/* SPDX-License-Identifier: GPL-2.0-or-later */
/* machine_rig: the whole PC on the fake hypervisor, with disks in memory: for tests and the fuzzer
 * of the machine. */
#ifndef TESTS_DEVICE_MACHINE_RIG_H
#define TESTS_DEVICE_MACHINE_RIG_H

#include "hw/core/clock.h"
#include "hw/pc/machine.h"
#include "net/net.h"
#include "tests/fake/hypervisor.h"
#include "toolstack/config.h"
#include "ui/display.h"
#include "ui/input.h"

struct machine_rig {
    struct hypervisor *hv;
    struct clock clock;
    uint64_t now;
    struct display *display;
    struct input *input;
    struct config config;
    struct block *disk, *cd, *sata;
    struct net *nets[CONFIG_MAX_NICS]; /* of the cards of machine_rig_new_nics; nobody is there */
    struct machine *machine;
    unsigned power_offs, resets, suspends, tray_moves;
};

/* A disk as unit 0, a CD as unit 2, an empty CD drive as unit 3, VGA, COM1; USB with a
 * tablet, a mouse, a keyboard and a hub. Aborts if it cannot be
 * built. */
struct machine_rig *machine_rig_new(void);
/* The same with something plugged into COM1. */
struct machine_rig *machine_rig_new_serial(struct chardev *com1);
/* And LPT1, which is there only then. */
struct machine_rig *machine_rig_new_lines(struct chardev *com1, struct chardev *lpt1);
/* And another display card. */
struct machine_rig *machine_rig_new_card(struct chardev *com1, struct chardev *lpt1,
                                         enum config_vga card);
/* And with a network card of each model. */
struct machine_rig *machine_rig_new_nics(struct chardev *com1, struct chardev *lpt1,
                                         enum config_vga card);
void machine_rig_free(struct machine_rig *rig);

/* Moves guest time; due timers run. */
void machine_rig_step(struct machine_rig *rig, uint64_t ns);

/* Lets the disks finish what is under way. */
void machine_rig_disks(struct machine_rig *rig);

#endif
