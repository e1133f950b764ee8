/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * i8042: the PS/2 keyboard and mouse controller with its two devices, and system control port A
 * (A20 and fast reset). IBM PS/2 Hardware Interface Technical Reference (1990), "Keyboard and
 * Auxiliary Device Controller"; Intel UPI-41AH/42AH data sheet for the register interface.
 */
#ifndef HW_PC_I8042_H
#define HW_PC_I8042_H

#include "hw/core/bus.h"
#include "hw/core/clock.h"
#include "hw/core/device.h"
#include "hw/core/err.h"
#include "hw/core/irq.h"
#include "hw/pc/ps2.h"
#include "ui/input.h"

/* What is behind the output port: the machine. Both are called from within a guest's access, as its
 * last step. */
struct i8042_config {
    void (*reset)(void *opaque);        /* the CPU's reset line was pulsed */
    void (*a20)(void *opaque, bool on); /* A20 was switched; may be NULL */
    void *opaque;
};

struct i8042 {
    struct device device;
    struct irq kbd_irq, mouse_irq; /* ISA lines 1 and 12: to be connected by the machine */

    uint8_t command_byte;
    uint8_t ram[32]; /* the 8042's RAM; byte 0 is command_byte's place and unused here */
    uint8_t phase;   /* controller command whose data byte comes next, or 0 */
    uint8_t output;  /* the one output register */
    bool output_full, output_aux;
    bool output_scan; /* the byte is part of a scan code */
    uint8_t answer;   /* of the controller itself, waiting for the output register */
    bool answer_waits, answer_aux;
    bool self_tested; /* status bit 2 */
    bool last_was_command;
    bool released; /* translation met F0: the next byte is a break code */
    bool a20;
    uint8_t port92;
    struct ps2_keyboard keyboard;
    struct ps2_mouse mouse;

    struct bus *bus;
    struct clock *clock;
    struct input *input;
    struct i8042_config config;
    struct io_region data, command, control_a;
    struct timer scan_timer;
    uint64_t scan_time; /* not before this comes the next byte of a scan code */
    struct input_keyboard input_keyboard;
    struct input_pointer input_pointer;
};

/*
 * Creates the controller at ports 60h, 64h and 92h and registers its keyboard and mouse with
 * `input`. The two irqs of the result are mute until irq_init. NULL and *err when a port is taken.
 */
struct i8042 *i8042_realize(struct bus *bus, struct clock *clock, struct device_list *devices,
                            struct input *input, const struct i8042_config *config,
                            struct err *err);

#endif
