/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * serial: a 16550A UART at an ISA address. National Semiconductor PC16550D data sheet (June 1995);
 * section numbers in serial.c are its.
 */
#ifndef HW_PC_SERIAL_H
#define HW_PC_SERIAL_H

#include "hw/core/bus.h"
#include "hw/core/clock.h"
#include "hw/core/device.h"
#include "hw/core/err.h"
#include "hw/core/irq.h"
#include "ui/chardev.h"

#define SERIAL_FIFO 16

struct serial_config {
    unsigned index; /* 0..3: COM1..COM4 at 3F8h, 2F8h, 3E8h, 2E8h */
};

struct serial {
    struct device device;
    struct irq irq; /* ISA line serial_isa_line(index): to be connected by the machine */

    uint16_t divisor;
    uint8_t ier, lcr, mcr, scr;
    uint8_t fcr;           /* as far as it can be told: FIFOs on, trigger level */
    uint8_t line_errors;   /* LSR bits 1..4, cleared by reading it */
    uint8_t modem_changes; /* MSR bits 0..3, cleared by reading it */
    uint8_t rx[SERIAL_FIFO], rx_first, rx_count;
    uint8_t break_at; /* how many characters are before one in rx[] that is a break; 0: none is */
    uint8_t last_rx;  /* what an empty receiver reads as */
    uint8_t tx[SERIAL_FIFO], tx_count;
    bool tx_empty_int; /* the "transmitter empty" interrupt has not been seen yet */
    bool rx_timeout;   /* characters below the trigger level have waited four character times */

    struct bus *bus;
    struct clock *clock;
    struct chardev *chardev;
    struct io_region ports;
    struct timer rx_timer;   /* runs while characters wait below the trigger level */
    struct timer send_timer; /* runs while characters are held back to be sent together */
};

/* The ISA interrupt line of COM(index + 1): 4, 3, 4, 3. COM1 and COM3 share one, as COM2 and COM4:
 * the machine has to or them. */
unsigned serial_isa_line(unsigned index);

/*
 * Creates COM(index + 1). chardev (may be NULL: a port with nothing plugged in) is this device's
 * until it is destroyed. NULL and *err when the index is out of range or the ports are taken.
 */
struct serial *serial_realize(struct bus *bus, struct clock *clock, struct device_list *devices,
                              const struct serial_config *config, struct chardev *chardev,
                              struct err *err);

#endif
