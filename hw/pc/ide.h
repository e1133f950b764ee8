/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ide: one ATA channel with its devices: task file, transfers, resets. ATA/ATAPI-6 (T13/1410D
 * revision 3b); what the commands mean is in ata.c and atapi.c. In front of it are the registers of
 * a parallel channel with its bus master (ide.c; two devices) or an AHCI port (ahci_port.c; one).
 *
 * One command at a time runs on a channel. Its phase says what happens next, and all it needs for
 * that is in the saved state: a command goes on from there after quiesce, and after a restore.
 */
#ifndef HW_PC_IDE_H
#define HW_PC_IDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "block/block.h"
#include "hw/core/bus.h"
#include "hw/core/clock.h"
#include "hw/core/dma.h"
#include "hw/core/irq.h"
#include "hw/core/state.h"
#include "hw/pc/bmdma.h"
#include "hw/pc/prd.h"

#define IDE_SECTOR       512u
#define IDE_BUFFER       (128u << 10) /* a whole LBA28 command's data */
#define IDE_BUFFER_ALIGN 4096         /* O_DIRECT may use it in place */
#define IDE_PIECE        2048u        /* most sectors of one request to the image: 1 MiB */
#define IDE_SELF_TESTS   21           /* entries of the SMART self-test log */
#define IDE_ERROR_LOG    5            /* entries of the SMART summary error log */

/* Status register (ATA/ATAPI-6, 7.15) */
#define IDE_ERR  0x01
#define IDE_DRQ  0x08
#define IDE_DSC  0x10
#define IDE_DRDY 0x40
#define IDE_BSY  0x80

/* Error register (7.9) */
#define IDE_ERROR_ABRT 0x04
#define IDE_ERROR_IDNF 0x10
#define IDE_ERROR_UNC  0x40
#define IDE_ERROR_ICRC 0x80

/* Device register (7.7) */
#define IDE_DEVICE_DEV 0x10
#define IDE_DEVICE_LBA 0x40

/* Device control register (7.8) */
#define IDE_CONTROL_NIEN 0x02
#define IDE_CONTROL_SRST 0x04
#define IDE_CONTROL_HOB  0x80

/* Interrupt reason of packet commands, in the sector count register (SFF-8020i, 5.4) */
#define IDE_REASON_CD 0x01
#define IDE_REASON_IO 0x02

enum ide_kind { IDE_ABSENT, IDE_DISK, IDE_CDROM };

/* What the channel is about to do for the command under way. */
enum ide_phase {
    IDE_IDLE,       /* no command */
    IDE_DATA_IN,    /* DRQ: the host reads buffer[pos..drq_end) */
    IDE_DATA_OUT,   /* DRQ: the host writes buffer[pos..drq_end) */
    IDE_READ,       /* BSY: from the medium into the buffer */
    IDE_WRITE,      /* BSY: buffer[pos..length) to the medium */
    IDE_FLUSH,      /* BSY: the image's cache to the medium, then the command ends */
    IDE_DISCARD,    /* BSY: the DATA SET MANAGEMENT entry at buffer[pos] */
    IDE_DMA,        /* BSY: between medium and guest memory */
    IDE_DMA_BUFFER, /* BSY: between buffer[pos..length) and guest memory */
    IDE_PHASE_LAST = IDE_DMA_BUFFER,
};

/* What the data of the command under way are. */
enum ide_use {
    IDE_USE_NONE,
    IDE_USE_REPLY,        /* a data block of an ATA command */
    IDE_USE_SECTORS,      /* sectors of a disk */
    IDE_USE_VERIFY,       /* sectors read and thrown away */
    IDE_USE_TRIM,         /* DATA SET MANAGEMENT ranges */
    IDE_USE_CDB,          /* the command packet */
    IDE_USE_PACKET_REPLY, /* data a packet command returns */
    IDE_USE_PACKET_PARAM, /* data a packet command takes */
    IDE_USE_PACKET_READ,  /* sectors of a CD, 2048 bytes each */
    IDE_USE_PACKET_RAW,   /* sectors of a CD with parts around the user data */
    IDE_USE_LAST = IDE_USE_PACKET_RAW,
};

enum ide_power { IDE_POWER_ACTIVE, IDE_POWER_STANDBY, IDE_POWER_SLEEP };

/* What waits, BSY, until the request of a command that was taken back has ended. */
enum ide_held { IDE_HELD_NOTHING, IDE_HELD_COMMAND, IDE_HELD_RESET, IDE_HELD_DEVICE_RESET };

/* SMART: what a disk remembers of itself (ATA8-ACS 7.52; ata_smart.c). */
struct ide_smart {
    bool enabled;
    bool autosave;
    bool offline_done; /* an off-line data collection has been run */
    uint8_t tests;     /* self-tests run, modulo IDE_SELF_TESTS; entry of the next one */
    uint8_t test_type[IDE_SELF_TESTS]; /* as EXECUTE OFF-LINE IMMEDIATE had it; 0: no entry */
    uint16_t test_hours[IDE_SELF_TESTS];
    uint16_t errors; /* reported so far */
    struct ide_error {
        uint8_t opcode, error, status, device;
        uint16_t count, hours;
        uint64_t lba;
    } error[IDE_ERROR_LOG]; /* the latest is number (errors - 1) % IDE_ERROR_LOG */
};

/* The packet device's part of a CD drive. */
struct atapi {
    uint8_t sense_key, asc, ascq;
    uint8_t attention; /* unit attention conditions pending: enum in atapi.c */
    uint8_t event;     /* media event to report */
    bool locked;       /* PREVENT ALLOW MEDIUM REMOVAL */
    bool tray_open;
    uint8_t cdb[12];
    uint16_t byte_limit; /* of the PACKET command under way */
    uint8_t raw_parts;   /* of the READ CD under way: byte 9 of the CDB */
    uint8_t recovery[2]; /* mode page 1: parameter and retry count */
};

struct ide_drive {
    /* What it is. Only a medium and a disk's unplugging change it. */
    enum ide_kind kind;
    struct block *block;      /* a disk always has one, a CD drive when it has a medium */
    struct block_watch watch; /* CD drive: the medium in the host's drive is another one */
    unsigned unit;            /* 0..3 in the machine */
    char serial[20], model[40], firmware[8];
    uint64_t wwn;
    uint16_t cylinders; /* default translation */
    uint8_t heads, sectors;
    uint8_t translation;      /* enum ide_translation: for the BIOS */
    uint8_t shift;            /* a logical sector has IDE_SECTOR << shift bytes */
    uint8_t physical;         /* a physical one has IDE_SECTOR << physical */
    bool trim;                /* DATA SET MANAGEMENT is there */
    bool discard;             /* and reaches the image, in pieces of */
    uint32_t granularity;     /* so many sectors, a power of two */
    bool flush_matters;       /* the image has a write cache */
    uint64_t next_error_line; /* when the next I/O error of this drive may be logged */

    bool unplugged; /* taken out by the guest's PV drivers: stays so */

    /* Registers; [0] is what was written last, [1] what was there before (48-bit commands) */
    uint8_t feature[2], count[2], lba_low[2], lba_mid[2], lba_high[2];
    uint8_t device;
    uint8_t error;
    uint8_t status; /* without BSY and DRQ, which follow from the channel's phase */
    bool interrupt; /* interrupt pending */

    /* Settings */
    uint8_t multiple;      /* sectors per DRQ block of READ/WRITE MULTIPLE, 0: off */
    uint8_t transfer_mode; /* as SET FEATURES has it: 0x10.., 0x20.., 0x40.. */
    bool write_cache;
    bool read_ahead;
    bool revert;                    /* a software reset restores the defaults */
    uint8_t cur_heads, cur_sectors; /* present translation */
    uint8_t power;                  /* enum ide_power */
    uint64_t visible; /* sectors of IDE_SECTOR below the host protected area; 0: all there are */
    uint8_t native_asked; /* the last command was this READ NATIVE MAX ADDRESS (EXT) */

    struct ide_smart smart;
    struct atapi atapi;
};

/* Read-ahead for the host that reads sector after sector by PIO, as boot loaders do: the next ones
 * are on their way, or here, when it asks. Not saved: they can be read again (ide_ahead.c). */
struct ide_ahead {
    struct block_request request;
    struct iovec iov;
    struct block *block; /* whose sectors these are; NULL: there are none */
    uint64_t lba;
    uint32_t sectors;
    bool reading;    /* the request is under way */
    bool stale;      /* and nobody wants what it brings */
    uint32_t window; /* sectors to ask for next time */
    uint64_t expect; /* where the last read of `reader` ended */
    const struct ide_drive *reader;
    uint64_t until; /* guest time after which the data count as old */
    uint8_t buffer[IDE_BUFFER] __attribute__((aligned(IDE_BUFFER_ALIGN)));
};

/* What READ LOG EXT tells about the queue's last error. */
struct ide_queue_error {
    uint8_t tag; /* bit 7: not a queued command */
    uint8_t status, error, device;
    uint16_t count;
    uint64_t lba;
};

struct ide_channel;

enum ide_engine { IDE_ENGINE_WAITS, IDE_ENGINE_RUNS, IDE_ENGINE_LOSES };

/* What is between the host and the devices of a channel. */
struct ide_front {
    bool serial; /* a port of a Serial ATA controller */
    /* May data of the DMA command under way move? LOSES: they go nowhere, and the device is
     * content. */
    enum ide_engine (*engine)(const struct ide_channel *ch);
    /* The descriptors end before the transfer does, or (`bad`) lead to what is not RAM: ends the
     * command. */
    void (*broken)(struct ide_channel *ch, bool bad);
    /* After each access and each event: does what the new state asks for, interrupts last. */
    void (*settle)(struct ide_channel *ch);
};

struct ide_channel {
    struct ide_drive drive[2];
    const struct ide_front *front;
    struct prd_table prd; /* descriptors of the command under way */
    struct dma *dma;
    struct clock *clock;

    /* Of the parallel channel's registers */
    struct bmdma bm;
    struct irq irq;
    struct io_region command_region, control_region;
    void (*tray_moved)(void *opaque, unsigned unit, bool open);
    void *opaque;

    uint8_t selected;
    uint8_t control;
    bool line; /* level of INTRQ */

    /* The command under way */
    uint8_t phase; /* enum ide_phase */
    uint8_t use;   /* enum ide_use */
    uint8_t opcode;
    uint8_t native_before;         /* native_asked of its drive when it came; not saved */
    bool use_dma;                  /* its data go through the bus master */
    bool writing;                  /* its data go to the device */
    bool flush_after;              /* it ends with a flush */
    bool lost;                     /* its medium has been taken away */
    bool odd;                      /* the last byte of buffer[..length) is padding */
    bool lba48;                    /* its addresses have 48 bits */
    uint64_t lba;                  /* next sector on the medium, in units of 512 bytes */
    uint32_t left;                 /* sectors still to move to or from the medium */
    uint32_t piece;                /* most sectors in one request: halved to find a bad one */
    uint32_t pos, drq_end, length; /* in the buffer */
    uint32_t drq_size;             /* bytes per DRQ block */
    uint32_t fill;                 /* sectors of a DRQ block that are in the buffer already */
    union {
        uint8_t buffer[IDE_BUFFER];
        uint64_t buffer_words[IDE_BUFFER / 8]; /* how it is saved: an eighth of the elements */
    } __attribute__((aligned(IDE_BUFFER_ALIGN)));

    struct ide_queue_error queue_error; /* Serial ATA */

    /* The request under way. Not saved: quiesce waits for it. */
    struct block_request request;
    struct block *request_block;
    struct iovec request_iov;
    bool in_flight;
    bool abandoned; /* its command is gone (reset, abort): only to be let go */
    bool stopping;  /* the bus master was told to stop: when the piece under way has ended */
    uint8_t held;   /* enum ide_held: what waits for that; BSY meanwhile */
    uint8_t held_opcode;
    bool parked; /* quiesced: nothing new is submitted */
    bool pinned; /* sg holds guest memory */
    bool bounce; /* the piece goes through the buffer */
    struct dma_sg sg;
    struct prd_cursor after; /* where the descriptors go on after the piece */

    struct ide_ahead ahead;
};

extern const struct state_field ide_channel_state[];

extern const struct ide_front ide_parallel_front;
extern const struct io_ops ide_command_ops; /* 8 ports; opaque: struct ide_channel */
extern const struct io_ops ide_control_ops; /* 1 port: alternate status, device control */

static inline struct ide_drive *ide_drive(struct ide_channel *ch)
{
    return &ch->drive[ch->selected];
}

/* Power-on or hardware reset, after the state table's reset values are in. What is under way on an
 * image is waited for: nothing of it is left afterwards. */
void ide_channel_reset(struct ide_channel *ch);

/* The devices as a hardware reset leaves them; nothing is under way. */
void ide_power_on(struct ide_channel *ch);

/* After load: cross-checks (false refuses). */
bool ide_channel_loaded(struct ide_channel *ch, struct err *err);

/* After load of a parallel channel: INTRQ's level goes out, whatever it was. */
void ide_push_irq(struct ide_channel *ch);

/* Waits for the request under way and submits no further one until ide_channel_resume. */
void ide_channel_quiesce(struct ide_channel *ch);
void ide_channel_resume(struct ide_channel *ch);

/* Gives a CD drive another medium (NULL: none) and returns the old one, on which nothing is then
 * under way. A command that still wanted data of it fails. */
struct block *ide_change_medium(struct ide_channel *ch, unsigned device, struct block *block);

/* Takes a disk off the channel, for good: nothing is then under way on its image. */
void ide_unplug(struct ide_channel *ch, unsigned device);

/* Takes the command back: nothing more of it is submitted; a request under way ends by itself. */
void ide_abandon(struct ide_channel *ch);

/* After a change of the bus master's registers. */
void ide_bus_master_event(struct ide_channel *ch, enum bmdma_event event);

/* Every entry from outside ends with this. */
static inline void ide_settle(struct ide_channel *ch)
{
    ch->front->settle(ch);
}

/* Status as the selected device gives it. BSY and DRQ follow from the phase alone, so that no
 * command can leave one behind. */
uint8_t ide_status(const struct ide_channel *ch);

/* The request of a command that was taken back has ended. */
void ide_abandoned_ended(struct ide_channel *ch);

/* Lets what is under way on `block` (NULL: on any) end, and nothing more of it begin. */
void ide_let_go(struct ide_channel *ch, struct block *block);

/* The command register is written. A device that is busy, asleep or absent does not take it. */
void ide_command(struct ide_channel *ch, uint8_t opcode);

/* The device control register is written: the software reset is here. */
void ide_control(struct ide_channel *ch, uint8_t value);

/* The host has moved `n` bytes of the open DRQ block, at most what is left of it. */
void ide_drq_moved(struct ide_channel *ch, uint32_t n);

/* The bus master was told to stop and now has: false if it was not told. */
bool ide_stopped(struct ide_channel *ch);

/* One line a minute and disk about what failed at a sector. */
void ide_log_error(struct ide_drive *d, uint64_t now, const char *what, uint64_t lba, int error);

/* A command's steps: between the files of this device. */

/* A packet command is under way. */
static inline bool ide_for_packet(const struct ide_channel *ch)
{
    return ch->use >= IDE_USE_CDB;
}

/* Starts a command on the selected device, which is present, or EXECUTE DEVICE DIAGNOSTIC. */
void ide_execute(struct ide_channel *ch, uint8_t opcode);

/* The command is over without a word to the host: what a bus master that stopped early leaves. */
void ide_end_silently(struct ide_channel *ch);

/* Ends the command: DRDY, interrupt. */
void ide_finish(struct ide_channel *ch);
/* Ends it with ERR and these bits in the error register. */
void ide_fail(struct ide_channel *ch, uint8_t error);
/* buffer[0..length) goes to the host in DRQ blocks of drq_size; `interrupt` before the first. */
void ide_data_in(struct ide_channel *ch, uint32_t length, bool interrupt);
/* The same from the host. */
void ide_data_out(struct ide_channel *ch, uint32_t length, bool interrupt);
/* All of the buffer has gone to the host, or come from it. */
void ide_buffer_taken(struct ide_channel *ch);
void ide_buffer_given(struct ide_channel *ch);
/* Enters a BSY phase and starts what it asks for. */
void ide_enter(struct ide_channel *ch, enum ide_phase phase);

/* --- Read-ahead (ide_ahead.c) --- */

/* The PIO command under way wants `sectors` from ch->lba on. False: read them. True: they are in
 * the buffer and *got says how many; or (*got 0) they will be read, and the channel is kicked. */
bool ide_ahead_take(struct ide_channel *ch, uint32_t sectors, uint32_t *got);

/* A PIO read of the selected drive starts at `lba` for `sectors`, or has got as far as ch->lba. */
void ide_ahead_command(struct ide_channel *ch, uint64_t lba, uint32_t sectors);
void ide_ahead_next(struct ide_channel *ch);

/* What is there is no longer what is on the medium, or nobody wants it. */
void ide_ahead_drop(struct ide_channel *ch);

/* Does what the phase asks for, as far as it can be done now. */
void ide_kick(struct ide_channel *ch);

/* Sectors of IDE_SECTOR bytes on the medium, whole logical ones only. */
static inline uint64_t ide_sectors(const struct ide_drive *d)
{
    return d->block ? block_bytes(d->block) / IDE_SECTOR >> d->shift << d->shift : 0;
}

/* Those the host can reach. */
static inline uint64_t ide_visible(const struct ide_drive *d)
{
    uint64_t all = ide_sectors(d);
    return d->visible && d->visible < all ? d->visible : all;
}

#endif
