/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ide: the ATA channel: task file, PIO engine, bus-master transfers, interrupt (see ide.h). */
#include "hw/pc/ide.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "hw/core/log.h"
#include "hw/pc/ata.h"
#include "hw/pc/atapi.h"

#define DMA_PIECE       2048u /* most sectors of one zero-copy request: 1 MiB */
#define BUFFER_SECTORS  (IDE_BUFFER / IDE_SECTOR)
#define ERROR_LINE_GAP  (60 * NS_PER_S)
#define DEVICE_RESET    0x08
#define DEVICE_DIAGNOSE 0x90

static const struct state_field atapi_state[] = {
    STATE_LIMIT(struct atapi, sense_key, 15),
    STATE_UINT(struct atapi, asc),
    STATE_UINT(struct atapi, ascq),
    STATE_LIMIT(struct atapi, attention, 3),
    STATE_LIMIT(struct atapi, event, 3),
    STATE_BOOL(struct atapi, locked),
    STATE_BOOL(struct atapi, tray_open, .keep_on_reset = true),
    STATE_ARRAY(struct atapi, cdb),
    STATE_UINT(struct atapi, byte_limit),
    STATE_UINT(struct atapi, raw_parts),
    STATE_ARRAY(struct atapi, recovery),
    STATE_FIELDS_END,
};

static const struct state_field drive_state[] = {
    STATE_BOOL(struct ide_drive, unplugged, .keep_on_reset = true),
    STATE_ARRAY(struct ide_drive, feature),
    STATE_ARRAY(struct ide_drive, count),
    STATE_ARRAY(struct ide_drive, lba_low),
    STATE_ARRAY(struct ide_drive, lba_mid),
    STATE_ARRAY(struct ide_drive, lba_high),
    STATE_UINT(struct ide_drive, device),
    STATE_UINT(struct ide_drive, error),
    STATE_LIMIT(struct ide_drive, status, 0x7F),
    STATE_BOOL(struct ide_drive, interrupt),
    STATE_LIMIT(struct ide_drive, multiple, 16),
    STATE_LIMIT(struct ide_drive, transfer_mode, 0x47),
    STATE_BOOL(struct ide_drive, write_cache),
    STATE_BOOL(struct ide_drive, read_ahead),
    STATE_BOOL(struct ide_drive, revert),
    STATE_LIMIT(struct ide_drive, cur_heads, 16),
    STATE_UINT(struct ide_drive, cur_sectors),
    STATE_LIMIT(struct ide_drive, power, IDE_POWER_SLEEP),
    STATE_STRUCT(struct ide_drive, atapi, atapi_state),
    STATE_FIELDS_END,
};

const struct state_field ide_channel_state[] = {
    STATE_STRUCTS(struct ide_channel, drive, drive_state),
    STATE_STRUCT(struct ide_channel, bm, bmdma_state),
    STATE_LIMIT(struct ide_channel, selected, 1),
    STATE_UINT(struct ide_channel, control),
    STATE_BOOL(struct ide_channel, line),
    STATE_LIMIT(struct ide_channel, phase, IDE_PHASE_LAST),
    STATE_LIMIT(struct ide_channel, use, IDE_USE_LAST),
    STATE_UINT(struct ide_channel, opcode),
    STATE_BOOL(struct ide_channel, use_dma),
    STATE_BOOL(struct ide_channel, writing),
    STATE_BOOL(struct ide_channel, flush_after),
    STATE_BOOL(struct ide_channel, lost),
    STATE_BOOL(struct ide_channel, odd),
    STATE_BOOL(struct ide_channel, lba48),
    STATE_LIMIT(struct ide_channel, lba, UINT64_C(1) << 48),
    STATE_LIMIT(struct ide_channel, left, 0xFFFFFFFF),
    STATE_LIMIT(struct ide_channel, piece, DMA_PIECE, .reset = DMA_PIECE),
    STATE_LIMIT(struct ide_channel, pos, IDE_BUFFER),
    STATE_LIMIT(struct ide_channel, drq_end, IDE_BUFFER),
    STATE_LIMIT(struct ide_channel, length, IDE_BUFFER),
    STATE_LIMIT(struct ide_channel, drq_size, IDE_BUFFER),
    /* 128 KiB that a reset need not touch: nothing reads it before a command has filled it. */
    STATE_ARRAY(struct ide_channel, buffer, .keep_on_reset = true),
    STATE_FIELDS_END,
};

static bool for_packet(const struct ide_channel *ch)
{
    return ch->use >= IDE_USE_CDB;
}

static uint32_t min32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

void ide_update_irq(struct ide_channel *ch)
{
    const struct ide_drive *d = ide_drive(ch);
    bool level = d->kind != IDE_ABSENT && d->interrupt &&
                 !(ch->control & (IDE_CONTROL_NIEN | IDE_CONTROL_SRST));
    if (level && !ch->line) {
        ch->bm.status |= BMDMA_STATUS_INT; /* rev 1.0, 3.2: set by the rising edge */
    }
    ch->line = level;
    irq_set(&ch->irq, level);
}

/* The command is over without a word to the host: what a bus master that stopped early leaves. */
static void end_silently(struct ide_channel *ch)
{
    ide_drive(ch)->status = IDE_DRDY | IDE_DSC;
    ch->phase = IDE_IDLE;
}

void ide_finish(struct ide_channel *ch)
{
    end_silently(ch);
    ide_drive(ch)->interrupt = true;
    if (ch->use_dma) {
        bmdma_finished(&ch->bm);
    }
}

void ide_fail(struct ide_channel *ch, uint8_t error)
{
    ide_finish(ch);
    ide_drive(ch)->status |= IDE_ERR;
    ide_drive(ch)->error = error;
}

void ide_abandon(struct ide_channel *ch)
{
    ch->phase = IDE_IDLE;
    ch->held = false;
    ch->abandoned = ch->in_flight;
}

/* Opens the next DRQ block; the caller knows that buffer[pos..length) is not empty. */
static void next_drq(struct ide_channel *ch, bool interrupt)
{
    uint32_t n = min32(ch->drq_size, ch->length - ch->pos);
    ch->drq_end = ch->pos + n;
    if (ch->use != IDE_USE_CDB && for_packet(ch)) {
        atapi_drq(ch, n - (ch->odd && ch->drq_end == ch->length));
    }
    ide_drive(ch)->interrupt |= interrupt;
}

void ide_data_in(struct ide_channel *ch, uint32_t length, bool interrupt)
{
    ch->phase = IDE_DATA_IN;
    ch->pos = 0;
    ch->length = length;
    next_drq(ch, interrupt);
}

void ide_data_out(struct ide_channel *ch, uint32_t length, bool interrupt)
{
    ch->phase = IDE_DATA_OUT;
    ch->pos = 0;
    ch->length = length;
    next_drq(ch, interrupt);
}

/* All of the buffer has gone to the host. */
static void buffer_taken(struct ide_channel *ch)
{
    if (ch->left) {
        ide_enter(ch, IDE_READ);
    } else if (for_packet(ch)) {
        atapi_finish(ch);
    } else {
        /* The last DRQ block of a PIO data-in command is not followed by an interrupt (9.5). */
        if (ch->use == IDE_USE_SECTORS) {
            ata_result(ch);
        }
        end_silently(ch);
    }
}

/* All of the buffer has come from the host. */
static void buffer_given(struct ide_channel *ch)
{
    switch (ch->use) {
    case IDE_USE_SECTORS:
        ch->pos = 0;
        ide_enter(ch, IDE_WRITE);
        break;
    case IDE_USE_CDB:
        atapi_execute(ch);
        break;
    case IDE_USE_PACKET_PARAM:
        atapi_parameters(ch);
        break;
    default:
        ata_buffer_done(ch);
        break;
    }
}

/* Moves bytes from the DRQ block to the host; what the device has not got reads as ones. */
static void data_in(struct ide_channel *ch, uint8_t *to, size_t bytes)
{
    while (bytes && ch->phase == IDE_DATA_IN) {
        uint32_t n = ch->drq_end - ch->pos;
        if (n > bytes) {
            n = (uint32_t)bytes;
        }
        memcpy(to, ch->buffer + ch->pos, n);
        to += n;
        bytes -= n;
        ch->pos += n;
        if (ch->pos < ch->drq_end) {
            break;
        }
        if (ch->pos < ch->length) {
            next_drq(ch, true);
        } else {
            buffer_taken(ch);
        }
    }
    memset(to, 0xFF, bytes);
}

/* Moves bytes from the host to the DRQ block; what the device does not want is lost. */
static void data_out(struct ide_channel *ch, const uint8_t *from, size_t bytes)
{
    while (bytes && ch->phase == IDE_DATA_OUT) {
        uint32_t n = ch->drq_end - ch->pos;
        if (n > bytes) {
            n = (uint32_t)bytes;
        }
        memcpy(ch->buffer + ch->pos, from, n);
        from += n;
        bytes -= n;
        ch->pos += n;
        if (ch->pos < ch->drq_end) {
            break;
        }
        if (ch->pos < ch->length) {
            next_drq(ch, true);
        } else {
            buffer_given(ch);
        }
    }
}

static void medium_error(struct ide_channel *ch, int error)
{
    struct ide_drive *d = ide_drive(ch);
    uint64_t now = clock_now(ch->clock);

    if (d->block && now >= d->next_error_line) {
        d->next_error_line = now + ERROR_LINE_GAP;
        log_warn("disk %s: %s at sector %" PRIu64 " failed: %s (further errors of this disk in the "
                 "next minute are not logged)",
                 block_id(d->block),
                 ch->phase == IDE_FLUSH ? "flush"
                 : ch->writing          ? "write"
                                        : "read",
                 ch->lba, strerror(error));
    }
    if (for_packet(ch)) {
        atapi_medium_error(ch, error);
    } else {
        ata_medium_error(ch, error);
    }
}

static void request_done(struct block_request *request, int error);

static void submit(struct ide_channel *ch, enum block_op op, uint64_t lba, uint64_t sectors,
                   const struct iovec *iov, int iovcnt)
{
    ch->request = (struct block_request){
        .op = op,
        .offset = lba * IDE_SECTOR,
        .bytes = sectors * IDE_SECTOR,
        .iov = iov,
        .iovcnt = iovcnt,
        .done = request_done,
        .opaque = ch,
    };
    ch->in_flight = true;
    ch->request_block = ide_drive(ch)->block;
    block_submit(ch->request_block, &ch->request);
}

static void submit_buffer(struct ide_channel *ch, enum block_op op, uint32_t pos, uint32_t sectors)
{
    ch->request_iov =
        (struct iovec){.iov_base = ch->buffer + pos, .iov_len = (size_t)sectors * IDE_SECTOR};
    submit(ch, op, ch->lba, sectors, &ch->request_iov, 1);
}

/* The bus master ran out of descriptors or memory: rev 1.0, 3.2, the table of status bits. */
static void bus_master_failed(struct ide_channel *ch, bool bad)
{
    bmdma_halt(&ch->bm, bad);
    end_silently(ch);
}

/* Without the PCI command register's bus master bit nothing reaches memory: data for it get lost
 * and the drive is content; data from it never come. */
static bool no_master(struct ide_channel *ch)
{
    if (ch->bm.master) {
        return false;
    }
    if (!ch->writing) {
        ch->left = 0;
        if (for_packet(ch)) {
            atapi_finish(ch);
        } else {
            ide_finish(ch);
        }
    }
    return true;
}

/* Less than a sector fits a scatter list, or is left in the table: one sector by the buffer. */
static void dma_bounce(struct ide_channel *ch)
{
    ch->bounce = true;
    ch->after = ch->bm.cursor;
    if (!ch->writing) {
        submit_buffer(ch, BLOCK_READ, 0, 1);
        return;
    }
    bool bad = false;
    if (bmdma_copy(&ch->bm, &ch->after, ch->buffer, IDE_SECTOR, false, &bad) < IDE_SECTOR) {
        bus_master_failed(ch, bad);
        return;
    }
    submit_buffer(ch, BLOCK_WRITE, 0, 1);
}

/* Starts the next piece between medium and guest memory. */
static void dma_next(struct ide_channel *ch)
{
    size_t want = (size_t)min32(ch->left, ch->piece) * IDE_SECTOR;

    if (!bmdma_active(&ch->bm) || no_master(ch)) {
        return;
    }
    if (bmdma_exhausted(&ch->bm.cursor)) {
        bus_master_failed(ch, false);
        return;
    }
    for (;;) {
        bool bad = false;
        ch->after = ch->bm.cursor;
        dma_sg_init(&ch->sg, ch->dma, !ch->writing);
        size_t got = bmdma_gather(&ch->bm, &ch->after, &ch->sg, want, &bad);
        if (got == want && !bad) {
            break;
        }
        dma_sg_finish(&ch->sg, 0);
        if (bad) {
            bus_master_failed(ch, true);
            return;
        }
        if (got < IDE_SECTOR) {
            dma_bounce(ch);
            return;
        }
        want = got / IDE_SECTOR * IDE_SECTOR; /* the list is full, or the table at its end */
    }
    ch->bounce = false;
    ch->pinned = true;
    submit(ch, ch->writing ? BLOCK_WRITE : BLOCK_READ, ch->lba, want / IDE_SECTOR, ch->sg.iov,
           (int)ch->sg.count);
}

/* Moves the buffer between us and guest memory. */
static void dma_buffer(struct ide_channel *ch)
{
    bool bad = false;

    if (!bmdma_active(&ch->bm) || no_master(ch)) {
        return;
    }
    ch->pos += (uint32_t)bmdma_copy(&ch->bm, &ch->bm.cursor, ch->buffer + ch->pos,
                                    ch->length - ch->pos, !ch->writing, &bad);
    if (ch->pos < ch->length) {
        bus_master_failed(ch, bad);
    } else if (ch->writing) {
        buffer_given(ch);
    } else {
        buffer_taken(ch);
    }
}

static void discard_next(struct ide_channel *ch)
{
    uint64_t lba;
    uint32_t count;

    if (ata_next_range(ch, &lba, &count)) {
        submit(ch, BLOCK_DISCARD, lba, count, NULL, 0);
    } else {
        ide_finish(ch);
    }
}

/* Does what the phase asks for, as far as it can be done now. */
static void kick(struct ide_channel *ch)
{
    struct ide_drive *d = ide_drive(ch);
    uint32_t sectors;

    if (ch->parked || ch->in_flight) {
        return;
    }
    if (ch->phase >= IDE_READ && (ch->lost || !d->block) && ch->phase != IDE_DMA_BUFFER) {
        medium_error(ch, ENOMEDIUM);
        return;
    }
    switch ((enum ide_phase)ch->phase) {
    case IDE_IDLE:
    case IDE_DATA_IN:
    case IDE_DATA_OUT:
        break;
    case IDE_READ:
        sectors = min32(ch->left, ch->piece);
        submit_buffer(ch, BLOCK_READ, 0,
                      min32(sectors, for_packet(ch) ? atapi_chunk(ch) : BUFFER_SECTORS));
        break;
    case IDE_WRITE:
        submit_buffer(ch, BLOCK_WRITE, ch->pos,
                      min32((ch->length - ch->pos) / IDE_SECTOR, ch->piece));
        break;
    case IDE_FLUSH:
        submit(ch, BLOCK_FLUSH, 0, 0, NULL, 0);
        break;
    case IDE_DISCARD:
        discard_next(ch);
        break;
    case IDE_DMA:
        dma_next(ch);
        break;
    case IDE_DMA_BUFFER:
        dma_buffer(ch);
        break;
    }
}

void ide_enter(struct ide_channel *ch, enum ide_phase phase)
{
    ch->phase = (uint8_t)phase;
    kick(ch);
}

/*
 * A request of several sectors failed and says not where: asked again in halves until one bad
 * sector is alone. What is good before it has then moved, and the host learns its address.
 */
static bool narrow(struct ide_channel *ch, uint32_t sectors)
{
    uint32_t unit = for_packet(ch) ? ATAPI_SECTOR / IDE_SECTOR : 1;
    if (sectors <= unit) {
        return false;
    }
    ch->piece = sectors / 2 / unit * unit;
    if (!ch->piece) {
        ch->piece = unit;
    }
    return true;
}

static void read_done(struct ide_channel *ch, uint32_t sectors)
{
    uint32_t length = sectors * IDE_SECTOR;

    ch->lba += sectors;
    ch->left -= sectors;
    if (ch->use == IDE_USE_VERIFY) {
        if (ch->left) {
            kick(ch);
        } else {
            ata_sectors_done(ch);
        }
        return;
    }
    if (ch->use == IDE_USE_PACKET_RAW) {
        length = atapi_build_raw(ch, length);
    }
    if (ch->use_dma) {
        ch->pos = 0;
        ch->length = length;
        ide_enter(ch, IDE_DMA_BUFFER);
    } else {
        ide_data_in(ch, length, true);
    }
}

static void write_done(struct ide_channel *ch, uint32_t sectors)
{
    ch->lba += sectors;
    ch->left -= sectors;
    ch->pos += sectors * IDE_SECTOR;
    if (ch->pos < ch->length) {
        kick(ch);
    } else if (ch->left) {
        ide_data_out(ch, min32(ch->left, BUFFER_SECTORS) * IDE_SECTOR, true);
    } else {
        ata_sectors_done(ch);
    }
}

static void dma_done(struct ide_channel *ch, uint32_t sectors)
{
    if (ch->bounce && !ch->writing) {
        bool bad = false;
        size_t n = bmdma_copy(&ch->bm, &ch->after, ch->buffer, IDE_SECTOR, true, &bad);
        ch->bm.cursor = ch->after;
        if (n < IDE_SECTOR) {
            bus_master_failed(ch, bad);
            return;
        }
    }
    ch->bm.cursor = ch->after;
    ch->lba += sectors;
    ch->left -= sectors;
    if (ch->left) {
        kick(ch);
    } else if (for_packet(ch)) {
        atapi_finish(ch);
    } else {
        ata_sectors_done(ch);
    }
}

static void execute(struct ide_channel *ch, uint8_t opcode);

static void request_done(struct block_request *request, int error)
{
    struct ide_channel *ch = request->opaque;
    uint32_t sectors = (uint32_t)(request->bytes / IDE_SECTOR);

    ch->in_flight = false;
    ch->request_block = NULL;
    if (ch->pinned) {
        /* A failed read may have written part of it: count it as dirty whole. */
        ch->pinned = false;
        dma_sg_finish(&ch->sg, ch->sg.to_guest ? ch->sg.bytes : 0);
    }
    if (ch->abandoned) {
        ch->abandoned = false;
        if (ch->held) {
            ch->held = false;
            execute(ch, ch->held_opcode);
        }
        ide_update_irq(ch);
        return;
    }
    switch ((enum ide_phase)ch->phase) {
    case IDE_IDLE:
    case IDE_DATA_IN:
    case IDE_DATA_OUT:
    case IDE_DMA_BUFFER:
        break; /* none of these has a request */
    case IDE_READ:
    case IDE_WRITE:
    case IDE_DMA:
        if (error && narrow(ch, sectors)) {
            kick(ch);
        } else if (error) {
            medium_error(ch, error);
        } else if (ch->phase == IDE_READ) {
            read_done(ch, sectors);
        } else if (ch->phase == IDE_WRITE) {
            write_done(ch, sectors);
        } else {
            dma_done(ch, sectors);
        }
        break;
    case IDE_FLUSH:
        if (error) {
            medium_error(ch, error);
        } else {
            ide_finish(ch);
        }
        break;
    case IDE_DISCARD:
        kick(ch); /* a hint: an image that cannot discard has not failed */
        break;
    }
    ide_update_irq(ch);
}

static bool busy(const struct ide_channel *ch)
{
    return ch->phase != IDE_IDLE || ch->held || (ch->control & IDE_CONTROL_SRST);
}

static void execute(struct ide_channel *ch, uint8_t opcode)
{
    struct ide_drive *d = ide_drive(ch);

    ch->opcode = opcode;
    ch->use = IDE_USE_NONE;
    ch->use_dma = ch->writing = ch->flush_after = ch->lost = ch->odd = ch->lba48 = false;
    ch->left = 0;
    ch->piece = DMA_PIECE;
    ch->drq_size = IDE_SECTOR;
    if (opcode == DEVICE_DIAGNOSE) {
        ata_diagnose(ch);
        return;
    }
    d->status = IDE_DRDY | IDE_DSC;
    d->error = 0;
    ata_execute(ch, opcode);
}

static void command_write(struct ide_channel *ch, uint8_t opcode)
{
    struct ide_drive *d = ide_drive(ch);

    if (opcode == DEVICE_RESET && d->kind == IDE_CDROM && !(ch->control & IDE_CONTROL_SRST)) {
        /* The one command that a busy device takes (8.7). DEV stays as it is. */
        ide_abandon(ch);
        d->power = IDE_POWER_ACTIVE;
        d->interrupt = false;
        ata_signature(d);
        return;
    }
    if (busy(ch) || d->power == IDE_POWER_SLEEP) {
        return;
    }
    if (d->kind == IDE_ABSENT && opcode != DEVICE_DIAGNOSE) {
        return;
    }
    d->interrupt = false;
    if (ch->in_flight) {
        /* What an abandoned command still has under way owns the buffer and the request. */
        ch->held = true;
        ch->held_opcode = opcode;
        return;
    }
    execute(ch, opcode);
}

/* Status as the selected device gives it. BSY and DRQ follow from the phase alone, so that no
 * command can leave one behind. */
static uint8_t status(struct ide_channel *ch)
{
    const struct ide_drive *d = ide_drive(ch);

    if (d->kind == IDE_ABSENT) {
        return 0; /* device 0 answers so for an absent device 1 (9.16.1) */
    }
    if (ch->control & IDE_CONTROL_SRST || ch->held) {
        return IDE_BSY;
    }
    switch ((enum ide_phase)ch->phase) {
    case IDE_IDLE:
        return d->status;
    case IDE_DATA_IN:
    case IDE_DATA_OUT:
        return d->status | IDE_DRQ;
    default:
        return d->status | IDE_BSY;
    }
}

static uint8_t register_read(struct ide_channel *ch, unsigned reg)
{
    struct ide_drive *d = ide_drive(ch);
    unsigned hob = ch->control & IDE_CONTROL_HOB ? 1 : 0;

    if (reg == 7) {
        d->interrupt = false;
        return status(ch);
    }
    if (d->kind == IDE_ABSENT) {
        d = &ch->drive[0]; /* device 0 shows its own registers for an absent device 1 (9.16.1) */
        if (d->kind == IDE_ABSENT) {
            return 0;
        }
    }
    switch (reg) {
    case 1:
        return d->error;
    case 2:
        return d->count[hob];
    case 3:
        return d->lba_low[hob];
    case 4:
        return d->lba_mid[hob];
    case 5:
        return d->lba_high[hob];
    case 6:
        return (uint8_t)((d->device & ~IDE_DEVICE_DEV) | (ch->selected ? IDE_DEVICE_DEV : 0));
    default:
        return 0xFF;
    }
}

static void push(uint8_t fifo[2], uint8_t value)
{
    fifo[1] = fifo[0];
    fifo[0] = value;
}

static void register_write(struct ide_channel *ch, unsigned reg, uint8_t value)
{
    if (reg == 7) {
        ch->control &= (uint8_t)~IDE_CONTROL_HOB;
        command_write(ch, value);
        return;
    }
    if (busy(ch)) {
        return; /* 7.2: only while BSY and DRQ are clear */
    }
    ch->control &= (uint8_t)~IDE_CONTROL_HOB;
    for (unsigned i = 0; i < 2; i++) {
        struct ide_drive *d = &ch->drive[i]; /* both devices latch what the host writes */
        switch (reg) {
        case 1:
            push(d->feature, value);
            break;
        case 2:
            push(d->count, value);
            break;
        case 3:
            push(d->lba_low, value);
            break;
        case 4:
            push(d->lba_mid, value);
            break;
        case 5:
            push(d->lba_high, value);
            break;
        case 6:
            d->device = value | 0xA0;
            ch->selected = value & IDE_DEVICE_DEV ? 1 : 0;
            break;
        default:
            break;
        }
    }
}

static void control_write(struct ide_channel *ch, uint8_t value)
{
    uint8_t was = ch->control;

    ch->control = value & (IDE_CONTROL_NIEN | IDE_CONTROL_SRST | IDE_CONTROL_HOB);
    if (!(was & IDE_CONTROL_SRST) && (value & IDE_CONTROL_SRST)) {
        ide_abandon(ch);
    }
    if ((was & IDE_CONTROL_SRST) && !(value & IDE_CONTROL_SRST)) {
        for (unsigned i = 0; i < 2; i++) {
            struct ide_drive *d = &ch->drive[i];
            d->interrupt = false;
            d->power = IDE_POWER_ACTIVE;
            if (d->revert) {
                ata_defaults(d);
            }
            ata_signature(d);
        }
        ch->selected = 0;
    }
}

static uint64_t command_read(void *opaque, uint64_t offset, unsigned width)
{
    struct ide_channel *ch = opaque;
    uint64_t value = 0;

    if (offset == 0) {
        /* The register has 16 bits: a byte access is one lane of a word, a double word two words.
         */
        uint8_t bytes[4];
        data_in(ch, bytes, width < 2 ? 2 : width);
        for (unsigned i = 0; i < width; i++) {
            value |= (uint64_t)bytes[i] << 8 * i;
        }
    } else {
        for (unsigned i = 0; i < width; i++) {
            value |= (uint64_t)register_read(ch, (unsigned)offset + i) << 8 * i;
        }
    }
    ide_update_irq(ch);
    return value;
}

static void command_region_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct ide_channel *ch = opaque;

    if (offset == 0) {
        uint8_t bytes[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
                            (uint8_t)(value >> 24)};
        data_out(ch, bytes, width < 2 ? 2 : width);
    } else {
        for (unsigned i = 0; i < width; i++) {
            register_write(ch, (unsigned)offset + i, (uint8_t)(value >> 8 * i));
        }
    }
    ide_update_irq(ch);
}

static uint32_t command_read_run(void *opaque, uint64_t offset, unsigned width, void *buf,
                                 uint32_t count)
{
    struct ide_channel *ch = opaque;

    if (offset != 0 || width < 2) {
        return 0;
    }
    data_in(ch, buf, (size_t)count * width);
    ide_update_irq(ch);
    return count;
}

static uint32_t command_write_run(void *opaque, uint64_t offset, unsigned width, const void *buf,
                                  uint32_t count)
{
    struct ide_channel *ch = opaque;

    if (offset != 0 || width < 2) {
        return 0;
    }
    data_out(ch, buf, (size_t)count * width);
    ide_update_irq(ch);
    return count;
}

const struct io_ops ide_command_ops = {
    .widths = 1 | 2 | 4,
    .read = command_read,
    .write = command_region_write,
    .read_run = command_read_run,
    .write_run = command_write_run,
};

static uint64_t control_region_read(void *opaque, uint64_t offset, unsigned width)
{
    (void)offset;
    (void)width;
    return status(opaque); /* alternate status: the interrupt stays pending (7.3) */
}

static void control_region_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    (void)offset;
    (void)width;
    control_write(opaque, (uint8_t)value);
    ide_update_irq(opaque);
}

const struct io_ops ide_control_ops = {
    .widths = 1,
    .read = control_region_read,
    .write = control_region_write,
};

void ide_bus_master_event(struct ide_channel *ch, enum bmdma_event event)
{
    bool dma = ch->use_dma &&
               (ch->phase == IDE_READ || ch->phase == IDE_DMA || ch->phase == IDE_DMA_BUFFER);

    if (event == BMDMA_STARTED) {
        kick(ch);
    } else if (event == BMDMA_STOPPED && dma) {
        /* Rev 1.0, 3.1: a transfer stopped so cannot be taken up again. */
        ide_abandon(ch);
        end_silently(ch);
    }
    ide_update_irq(ch);
}

void ide_channel_reset(struct ide_channel *ch)
{
    ide_abandon(ch);
    for (unsigned i = 0; i < 2; i++) {
        struct ide_drive *d = &ch->drive[i];
        ata_defaults(d);
        d->cur_heads = d->heads;
        d->cur_sectors = d->sectors;
        if (d->kind == IDE_CDROM) {
            atapi_power_on(d);
        }
        ata_signature(d);
    }
    ide_update_irq(ch);
}

/* Lets what is under way on the image end, and nothing more of it begin. */
static void let_go(struct ide_channel *ch, struct block *block)
{
    bool parked = ch->parked;

    ch->parked = true;
    if (block && ch->in_flight && ch->request_block == block) {
        block_drain(block);
    }
    ch->parked = parked;
}

struct block *ide_change_medium(struct ide_channel *ch, unsigned device, struct block *block)
{
    struct ide_drive *d = &ch->drive[device];
    struct block *old = d->block;

    let_go(ch, old);
    d->block = block;
    atapi_medium_changed(d, block != NULL);
    if (ch->selected == device) {
        ch->lost = true;
        kick(ch);
    }
    ide_update_irq(ch);
    return old;
}

void ide_unplug(struct ide_channel *ch, unsigned device)
{
    struct ide_drive *d = &ch->drive[device];

    let_go(ch, d->block);
    if (ch->selected == device) {
        ide_abandon(ch);
    }
    d->kind = IDE_ABSENT;
    d->block = NULL;
    d->unplugged = true;
    ide_update_irq(ch);
}

void ide_channel_quiesce(struct ide_channel *ch)
{
    ch->parked = true;
    if (ch->in_flight) {
        block_drain(ch->request_block);
    }
}

void ide_channel_resume(struct ide_channel *ch)
{
    ch->parked = false;
    kick(ch);
    ide_update_irq(ch);
}

/* Is the command under way, as loaded, one that the code above can have left? */
static bool plausible(const struct ide_channel *ch)
{
    const struct ide_drive *d = &ch->drive[ch->selected];
    bool sectors = ch->use == IDE_USE_SECTORS || ch->use == IDE_USE_VERIFY ||
                   ch->use == IDE_USE_PACKET_READ || ch->use == IDE_USE_PACKET_RAW;
    bool buffered = ch->pos < ch->length && !(ch->pos & 1) && !(ch->length & 1);
    bool drq = buffered && ch->pos < ch->drq_end && ch->drq_end <= ch->length &&
               !(ch->drq_end & 1) && ch->drq_size >= 2 && !(ch->drq_size & 1);

    if (d->kind == IDE_ABSENT) {
        return false;
    }
    if (ch->use == IDE_USE_NONE) {
        return ch->phase == IDE_FLUSH && d->kind == IDE_DISK;
    }
    if ((d->kind == IDE_CDROM) != for_packet(ch) && ch->use != IDE_USE_REPLY) {
        return false;
    }
    if (!ch->piece || (for_packet(ch) && ch->piece % 4) || (ch->left && !sectors)) {
        return false;
    }
    /* A medium may be shorter on this side: requests beyond its end fail as they should. */
    if (ch->lba + ch->left > (UINT64_C(1) << 48) ||
        (for_packet(ch) && ch->left % 4 && ch->phase != IDE_DMA)) {
        return false;
    }
    switch ((enum ide_phase)ch->phase) {
    case IDE_IDLE:
        return true;
    case IDE_DATA_IN:
        return drq && !ch->writing && !ch->use_dma && ch->use != IDE_USE_CDB &&
               ch->use != IDE_USE_PACKET_PARAM && ch->use != IDE_USE_TRIM &&
               ch->use != IDE_USE_VERIFY;
    case IDE_DATA_OUT:
        if (ch->use == IDE_USE_CDB) {
            return drq && ch->length == sizeof(d->atapi.cdb) && ch->drq_end == ch->length;
        }
        return drq && ch->writing && !ch->use_dma &&
               (ch->use == IDE_USE_PACKET_PARAM ||
                (ch->use == IDE_USE_SECTORS && ch->length % IDE_SECTOR == 0 &&
                 ch->length / IDE_SECTOR <= ch->left));
    case IDE_READ:
        return sectors && !ch->writing && ch->left && (ch->use_dma || ch->drq_size >= 2) &&
               (!ch->use_dma || ch->use == IDE_USE_PACKET_RAW) && !(ch->drq_size & 1);
    case IDE_WRITE:
        return ch->use == IDE_USE_SECTORS && ch->writing && buffered && !ch->use_dma &&
               ch->pos % IDE_SECTOR == 0 && ch->length % IDE_SECTOR == 0 && ch->drq_size >= 2 &&
               !(ch->drq_size & 1) && (ch->length - ch->pos) / IDE_SECTOR <= ch->left;
    case IDE_FLUSH:
        return !for_packet(ch);
    case IDE_DISCARD:
        return ch->use == IDE_USE_TRIM && ch->pos % 8 == 0 && ch->length % 8 == 0 && ch->writing;
    case IDE_DMA:
        return ch->use_dma && ch->left &&
               ((ch->use == IDE_USE_PACKET_READ && !ch->writing) || ch->use == IDE_USE_SECTORS);
    case IDE_DMA_BUFFER:
        return ch->use_dma && buffered &&
               (ch->use == IDE_USE_TRIM || ch->use == IDE_USE_PACKET_PARAM
                    ? ch->writing
                    : !ch->writing &&
                          (ch->use == IDE_USE_PACKET_REPLY || ch->use == IDE_USE_PACKET_RAW));
    }
    return false;
}

bool ide_channel_loaded(struct ide_channel *ch, struct err *err)
{
    for (unsigned i = 0; i < 2; i++) {
        struct ide_drive *d = &ch->drive[i];
        if (d->unplugged && d->kind == IDE_DISK) {
            d->kind = IDE_ABSENT;
            d->block = NULL;
        }
        if (d->multiple & (d->multiple - 1)) {
            return err_set(err, "ide: saved sectors per block %u is not a power of two",
                           d->multiple);
        }
        if (d->status & (IDE_DRQ | IDE_BSY)) {
            return err_set(err, "ide: saved status %#x of drive %u", d->status, d->unit);
        }
    }
    if (ch->phase != IDE_IDLE && !plausible(ch)) {
        return err_set(err, "ide: saved command %#x in phase %u does not fit drive %u", ch->opcode,
                       ch->phase, ide_drive(ch)->unit);
    }
    const struct ide_drive *d = ide_drive(ch);
    ch->line = d->kind != IDE_ABSENT && d->interrupt &&
               !(ch->control & (IDE_CONTROL_NIEN | IDE_CONTROL_SRST));
    irq_set(&ch->irq, ch->line);
    irq_push(&ch->irq);
    return true;
}
