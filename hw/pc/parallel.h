/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * parallel: the printer port LPT1 as the IBM PC AT Technical Reference has it ("Serial/Parallel
 * Adapter", 1984), with the data direction bit and the interrupt status bit of the PS/2's, and the
 * EPP registers (IEEE 1284-1994, 9; SMSC FDC37C665GT data sheet, "Parallel port", "EPP 1.9"). What
 * is plugged in is a stream of bytes.
 */
#ifndef HW_PC_PARALLEL_H
#define HW_PC_PARALLEL_H

#include "hw/core/bus.h"
#include "hw/core/device.h"
#include "hw/core/err.h"
#include "hw/core/irq.h"
#include "ui/chardev.h"

#define PARALLEL_INPUT 16

struct parallel {
    struct device device;
    struct irq irq; /* ISA line 7: to be connected by the machine */

    uint8_t data, control;
    uint8_t address;                      /* of the last EPP address cycle */
    bool timed_out;                       /* an EPP cycle that the other side did not answer */
    uint8_t in[PARALLEL_INPUT], in_count; /* from the stream, for EPP data reads */
    uint8_t taken;                        /* by the printer */
    bool busy;                            /* which the stream has not got yet */
    bool acked; /* an acknowledge that raises the interrupt, until status is read */

    struct bus *bus;
    struct chardev *chardev;
    struct io_region ports;
};

/* Creates LPT1 at ports 378h to 37Fh. chardev is this device's until it is destroyed; NULL: nothing
 * is plugged in. NULL and *err when the ports are taken. */
struct parallel *parallel_realize(struct bus *bus, struct device_list *devices,
                                  struct chardev *chardev, struct err *err);

#endif
