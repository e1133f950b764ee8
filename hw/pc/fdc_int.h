/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fdc_int: what the files of the floppy controller share; nobody else includes this. */
#ifndef HW_PC_FDC_INT_H
#define HW_PC_FDC_INT_H

#include "hw/pc/fdc.h"

/* 6.1: status register 0. */
enum { ST0_ABNORMAL = 0x40, ST0_INVALID = 0x80, ST0_POLLING = 0xC0 };
enum { ST0_SEEK_END = 0x20, ST0_EQUIPMENT_CHECK = 0x10 };

/* 6.2, 6.3. A status of FDC_ST1_* is also what a lookup returns. */
enum {
    ST1_END_OF_TRACK = 0x80,
    ST1_DATA_ERROR = 0x20,
    ST1_OVERRUN = 0x10,
    ST1_NO_DATA = 0x04,
    ST1_NOT_WRITABLE = 0x02,
    ST1_NO_ADDRESS_MARK = 0x01,
};
enum {
    ST2_CONTROL_MARK = 0x40,
    ST2_DATA_ERROR = 0x20,
    ST2_SCAN_HIT = 0x08,
    ST2_SCAN_MISS = 0x04,
};

enum { DOR_NOT_RESET = 0x04, DOR_DMA_GATE = 0x08, DOR_MOTOR_0 = 0x10 };

#define FDC_RESULT_SIZE 7 /* of the transfer commands */
#define FDC_SECTOR_CODE 2 /* N: 128 << 2 bytes, the only size there is */
#define FDC_LARGEST_KIB 3840

/* ---- fdc.c ---- */

/* The interrupt output, from the state. */
void fdc_update_irq(struct fdc *f);

/* Enters the result phase with len bytes; `interrupt`: and says so. */
void fdc_give_result(struct fdc *f, const uint8_t *bytes, unsigned len, bool interrupt);

/* ---- fdc_drive.c ---- */

struct fdc_format {
    uint16_t kib;
    uint8_t cylinders, heads, sectors;
    uint8_t rates;  /* one bit for each data rate at which it can be read */
    uint8_t drives; /* one bit for each enum fdc_drive_type that takes it */
};

/* The drive, or NULL if there is none. */
struct fdc_drive *fdc_drive(struct fdc *f, unsigned unit);

/* Sets up drive `unit` when the controller is made. */
bool fdc_drive_init(struct fdc *f, unsigned unit, const struct fdc_drive_config *config,
                    struct err *err);

/* Moves the head to a cylinder; step pulses acknowledge a medium change. True if it moved. */
bool fdc_step_to(struct fdc *f, unsigned unit, uint8_t cylinder);

/* The disk change line of the drive that DOR selects. */
bool fdc_disk_changed(const struct fdc *f);

/* 0 if drive `unit` can read the sector (which must be on the head's cylinder), else ST1's bit that
 * says why not. */
uint8_t fdc_lookup(struct fdc *f, unsigned unit, const struct fdc_spot *spot);

/* The sector's number in the image; only for what fdc_lookup has found. */
uint64_t fdc_lba(const struct fdc_drive *d, const struct fdc_spot *spot);

/* ---- fdc_transfer.c ---- */

/* The commands with an execution phase; fifo[] holds command and parameters. */
void fdc_transfer_start(struct fdc *f);
void fdc_read_id(struct fdc *f);

/* Is a transfer under way? */
bool fdc_transferring(const struct fdc *f);

/* Goes on where a stop, a load or an abandoned request left it; nothing happens in other phases. */
void fdc_transfer_go_on(struct fdc *f);

/* Ends what is under way without a result: a reset. */
void fdc_transfer_abandon(struct fdc *f);

/* Ends it as if the diskette had been pulled out. */
void fdc_transfer_pulled(struct fdc *f);

/* The FIFO's port in the data phase of a transfer without DMA. */
uint8_t fdc_pio_read(struct fdc *f);
void fdc_pio_write(struct fdc *f, uint8_t byte);

/* The DMA channel has been opened; the timer has fired; the block request is done. */
void fdc_dma_ready(void *opaque);
void fdc_timer_fired(void *opaque);
void fdc_request_done(struct block_request *request, int error);

#endif
