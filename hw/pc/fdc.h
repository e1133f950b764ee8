/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fdc: the floppy disk controller of a PC without floppy drives. Intel 82077AA data sheet (1991),
 * PC-AT mode; section numbers in fdc.c are its.
 */
#ifndef HW_PC_FDC_H
#define HW_PC_FDC_H

#include "hw/core/bus.h"
#include "hw/core/device.h"
#include "hw/core/err.h"
#include "hw/core/irq.h"

#define FDC_FIFO   16 /* the longest command has 9 bytes, the longest result 10 */
#define FDC_DRIVES 4

enum fdc_phase { FDC_COMMAND, FDC_RESULT };

struct fdc {
    struct device device;
    struct irq irq; /* ISA line 6: to be connected by the machine */

    uint8_t dor, tdr, data_rate;
    uint8_t phase;                  /* enum fdc_phase */
    uint8_t fifo[FDC_FIFO];         /* the command as far as it has come, or its result */
    uint8_t fifo_used, fifo_at;     /* bytes in it; in the result phase, the next to read */
    bool result_int;                /* a result phase that raises the interrupt */
    uint8_t reset_senses;           /* SENSE INTERRUPT STATUS due after a reset: one a drive */
    bool reset_int;                 /* the first of them has not been asked for yet */
    uint8_t seek_done, seek_failed; /* one bit a drive, until sensed */
    uint8_t cylinder[FDC_DRIVES];
    uint8_t specify[2], configure, precompensation, perpendicular, last_sector;
    bool locked;

    struct bus *bus;
    struct io_region ports, digital_input;
};

/* Creates it at ports 3F0h..3F5h and 3F7h (3F6h is the IDE channel's). NULL and *err when a port is
 * taken. */
struct fdc *fdc_realize(struct bus *bus, struct device_list *devices, struct err *err);

#endif
