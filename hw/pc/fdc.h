/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fdc: the floppy disk controller of a PC and its two drives. Intel 82078 (44 pin) data sheet,
 * order number 290468, PC-AT mode; section numbers in fdc*.c are its and those of its predecessor's
 * (82077AA, 290166), whose commands it has kept.
 */
#ifndef HW_PC_FDC_H
#define HW_PC_FDC_H

#include <stdbool.h>
#include <stdint.h>

#include "block/block.h"
#include "hw/core/bus.h"
#include "hw/core/clock.h"
#include "hw/core/device.h"
#include "hw/core/err.h"
#include "hw/core/irq.h"
#include "hw/pc/dma8237.h"

#define FDC_FIFO        20 /* the longest command (RESTORE) has 17 bytes, the longest result 16 */
#define FDC_DRIVES      4  /* that the chip can select; a PC has the first two */
#define FDC_UNITS       2
#define FDC_SECTOR      512
#define FDC_BUFFER      (72 * FDC_SECTOR) /* both sides of a cylinder of 2.88 MB */
#define FDC_DMA_CHANNEL 2

/* The numbers are those of CMOS RAM, byte 10h. */
enum fdc_drive_type {
    FDC_DRIVE_AUTO = 0, /* in a configuration: what the medium needs, 2.88 MB if there is none */
    FDC_DRIVE_NONE = 0, /* elsewhere */
    FDC_DRIVE_1200K = 2,
    FDC_DRIVE_1440K = 4,
    FDC_DRIVE_2880K = 5,
};

struct fdc_drive_config {
    bool present;
    enum fdc_drive_type type;
    struct block *block; /* NULL: empty */
};

enum fdc_phase {
    FDC_COMMAND,
    FDC_RESULT,
    FDC_WAIT_DISK, /* a transfer that cannot begin: an abandoned one's block request is under way */
    FDC_WAIT_ID,   /* READ ID: until a sector passes under the head */
    FDC_DISK_READ, /* a block request fills the buffer */
    FDC_DISK_WRITE, /* a block request empties it */
    FDC_DISK_FLUSH, /* what was written gets to the medium */
    FDC_TO_HOST,    /* the buffer's bytes go to the host, by DMA or through the FIFO */
    FDC_FROM_HOST,  /* and the other way */
};

/* What a transfer command does. */
enum fdc_op {
    FDC_READ,
    FDC_READ_TRACK,
    FDC_VERIFY,
    FDC_SCAN,
    FDC_WRITE,
    FDC_FORMAT,
};

/* A sector's place as its ID field has it. */
struct fdc_spot {
    uint8_t cylinder, head, sector;
};

struct fdc_format;

struct fdc_drive {
    uint8_t type; /* enum fdc_drive_type */
    struct block *block;
    const struct fdc_format *format; /* of the medium; NULL: empty */
};

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
    uint8_t cylinder[FDC_DRIVES];   /* where the heads are */
    uint8_t changed;                /* the disk change lines, one bit a drive */
    uint8_t sought;                 /* drives that were sent somewhere by SEEK, one bit each */
    uint8_t specify[2], configure, precompensation, perpendicular, last_sector;
    uint8_t power_mode, option, drive_spec[FDC_DRIVES];
    bool locked;

    /* The transfer command under way. */
    uint8_t op;                    /* enum fdc_op */
    uint8_t unit, head;            /* the drive, and the head used last */
    uint8_t eot, step;             /* last sector of a track; to the next sector (SCAN: 1 or 2) */
    bool pio, multi_track;         /* bytes go through the FIFO; both sides */
    bool runs_on;                  /* past the track's last sector, on to the next side */
    bool moved;                    /* the heads moved: ST0's seek end */
    bool deleted;                  /* READ DELETED DATA */
    bool terminal;                 /* the DMA controller's terminal count has come */
    bool single;                   /* a block request failed: sectors one by one from here on */
    uint8_t st1, st2;              /* why the transfer ends when the buffer has been delivered */
    struct fdc_spot disk;          /* the next sector of the medium */
    struct fdc_spot host;          /* the next sector to deliver */
    uint16_t disk_left, host_left; /* sectors */
    uint16_t format_at;            /* FORMAT TRACK: the ID being written, an offset in the buffer */
    uint16_t buffer_len, buffer_at;
    uint8_t buffer[FDC_BUFFER];
    uint64_t due; /* the timer's deadline, 0: not armed */

    struct timer timer;
    struct fdc_drive drive[FDC_UNITS];
    struct block_request request;
    struct iovec iov;
    struct block *busy; /* whose it is, while */
    bool in_flight;     /* the request is the block layer's */
    bool stale;         /* and its command was abandoned */
    bool stopped;       /* between quiesce and resume */
    struct dma8237 *dma;
    struct bus *bus;
    struct io_region ports, digital_input;
};

/* Creates it at ports 3F0h..3F5h and 3F7h (3F6h is the IDE channel's), on DMA channel 2, with up to
 * two drives. NULL and *err when a port is taken or a medium does not fit its drive. */
struct fdc *fdc_realize(struct bus *bus, struct dma8237 *dma, struct clock *clock,
                        struct device_list *devices,
                        const struct fdc_drive_config config[FDC_UNITS], struct err *err);

/* Of drive 0 or 1. */
enum fdc_drive_type fdc_drive_type(const struct fdc *f, unsigned unit);

/* False and *err if a medium of so many bytes is none for drive `unit`: larger than any diskette,
 * of the other width, or for a drive of higher density. */
bool fdc_medium_fits(const struct fdc *f, unsigned unit, uint64_t bytes, struct err *err);

/* Puts a medium that fits into drive `unit` (NULL: takes it out) and returns the one that was in
 * it, which nothing uses any more. A command under way in that drive ends as if the diskette had
 * been pulled out; the disk change line goes up. NULL and no effect if there is no such drive. */
struct block *fdc_set_medium(struct fdc *f, unsigned unit, struct block *block);

#endif
