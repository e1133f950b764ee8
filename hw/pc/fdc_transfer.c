/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fdc_transfer: the commands with an execution phase. Two cursors walk over the sectors: `disk` is
 * what the block layer reads or writes next, `host` what the host has got so far; the buffer lies
 * between them. Whatever is started here can be started again from the saved state: a block request
 * that was under way at a stop is simply made once more.
 */
#include "hw/pc/fdc_int.h"

#include <string.h>

/* FORMAT TRACK: the IDs are at the buffer's start, the sector to write behind them. */
#define FORMAT_ID      4
#define FORMAT_PATTERN 1024
/* A command whose end of track lies before its first sector goes on until there are no sectors. */
#define ENDLESS 256

/* A diskette turns 300 times a minute, in a 1.2 MB drive 360 times. */
static uint64_t turn_ns(const struct fdc_drive *d)
{
    return d->type == FDC_DRIVE_1200K ? NS_PER_S * 60 / 360 : NS_PER_S * 60 / 300;
}

static void set_timer(struct fdc *f, uint64_t due)
{
    f->due = due;
    if (due)
        timer_arm(&f->timer, due);
    else
        timer_disarm(&f->timer);
}

bool fdc_transferring(const struct fdc *f)
{
    return f->phase >= FDC_WAIT_DISK;
}

static void finish(struct fdc *f, uint8_t interrupt_code, uint8_t st1, uint8_t st2)
{
    const uint8_t seek_end = f->moved ? ST0_SEEK_END : 0;
    const uint8_t result[FDC_RESULT_SIZE] = {
        (uint8_t)(interrupt_code | seek_end | f->head << 2 | f->unit),
        st1,
        st2,
        f->host.cylinder,
        f->host.head,
        f->host.sector,
        FDC_SECTOR_CODE,
    };
    set_timer(f, 0);
    fdc_give_result(f, result, sizeof(result), true);
}

/* At the sector that the host did not get. */
static void fail(struct fdc *f, uint8_t st1)
{
    f->head = f->host.head;
    finish(f, ST0_ABNORMAL, st1, f->st2);
}

/* Every sector that the command names has been dealt with. Through the FIFO there is no terminal
 * count: there this is the end that was wanted (docs/devices/fdc.md). */
static void finish_at_end(struct fdc *f)
{
    const bool wanted = f->terminal || f->pio || f->op == FDC_VERIFY || f->op == FDC_FORMAT;
    const uint8_t st1 = f->st1 | (wanted ? 0 : ST1_END_OF_TRACK);
    finish(f, st1 ? ST0_ABNORMAL : 0, st1, f->st2);
}

/* ---- The walk over the sectors ---- */

static uint8_t sectors_per_track(struct fdc *f)
{
    const struct fdc_drive *d = fdc_drive(f, f->unit);
    return d && d->format ? d->format->sectors : 0;
}

/* Takes a cursor past `n` sectors (5.1.1: what C, H and R are after each). */
static void pass(struct fdc *f, struct fdc_spot *s, uint16_t *left, unsigned n)
{
    while (n-- && *left) {
        const bool at_end = s->sector <= f->eot && s->sector + f->step > f->eot;
        const bool at_brim = f->runs_on && s->sector == sectors_per_track(f);
        --*left;
        f->head = s->head;
        if (!at_end && !at_brim) {
            s->sector = (uint8_t)(s->sector + f->step);
            continue;
        }
        s->sector = 1;
        if (!f->multi_track || s->head)
            s->cylinder++;
        if (f->multi_track)
            s->head ^= 1;
    }
}

/* What is wrong with the next sector of the medium; the head follows the transfer. */
static uint8_t look(struct fdc *f)
{
    if (f->runs_on && fdc_step_to(f, f->unit, f->disk.cylinder))
        f->moved = true;
    return fdc_lookup(f, f->unit, &f->disk);
}

/* How many sectors can be moved in one piece from the disk cursor on, which has been looked at. */
static unsigned run_length(struct fdc *f, unsigned limit)
{
    const struct fdc_spot *s = &f->disk;
    unsigned n = (unsigned)sectors_per_track(f) - s->sector + 1;
    if (s->sector <= f->eot && n > (unsigned)f->eot - s->sector + 1)
        n = (unsigned)f->eot - s->sector + 1;
    if (n > f->disk_left)
        n = f->disk_left;
    if (n > limit)
        n = limit;
    return f->single && n ? 1 : n;
}

/* ---- Block requests ---- */

static void submit(struct fdc *f, enum block_op op, uint64_t lba, void *buf, size_t bytes)
{
    f->phase = op == BLOCK_READ    ? FDC_DISK_READ
               : op == BLOCK_WRITE ? FDC_DISK_WRITE
                                   : FDC_DISK_FLUSH;
    if (f->stopped)
        return; /* fdc_transfer_go_on makes it */
    f->iov = (struct iovec){.iov_base = buf, .iov_len = bytes};
    f->request = (struct block_request){
        .op = op,
        .offset = lba * FDC_SECTOR,
        .bytes = bytes,
        .iov = bytes ? &f->iov : NULL,
        .iovcnt = bytes ? 1 : 0,
        .own_memory = true,
        .done = fdc_request_done,
        .opaque = f,
    };
    f->in_flight = true;
    f->busy = fdc_drive(f, f->unit)->block;
    block_submit(f->busy, &f->request);
}

/* Sectors of the image from lba on, at most n: an image may be shorter than its format. */
static unsigned in_image(const struct fdc_drive *d, uint64_t lba, unsigned n)
{
    const uint64_t sectors = block_bytes(d->block) / FDC_SECTOR;
    return lba >= sectors ? 0 : sectors - lba < n ? (unsigned)(sectors - lba) : n;
}

/* ---- To the host ---- */

static void dma_move(struct fdc *f);
static void consumed(struct fdc *f);

/* The buffer holds all it can, or all there is. */
static void deliver(struct fdc *f)
{
    if (f->op == FDC_VERIFY) {
        f->host = f->disk;
        f->host_left = f->disk_left;
        f->buffer_len = 0;
    }
    if (!f->buffer_len && f->st1) {
        fail(f, f->st1);
    } else if (!f->buffer_len) {
        finish_at_end(f);
    } else {
        f->phase = f->op == FDC_SCAN ? FDC_FROM_HOST : FDC_TO_HOST;
        f->buffer_at = 0;
        if (f->op == FDC_SCAN) { /* the host's sector goes behind the disk's */
            f->buffer_at = FDC_SECTOR;
            f->buffer_len = 2 * FDC_SECTOR;
            memset(f->buffer + FDC_SECTOR, 0, FDC_SECTOR);
        }
        dma_move(f);
    }
}

/* How many sectors the buffer should get before the host gets any. */
static unsigned wanted(const struct fdc *f)
{
    if (f->op == FDC_SCAN)
        return 1;
    if (!f->pio && f->op != FDC_VERIFY) {
        size_t left = dma8237_left(f->dma, FDC_DMA_CHANNEL, true);
        if (left && left < FDC_BUFFER)
            return (unsigned)((left + FDC_SECTOR - 1) / FDC_SECTOR);
    }
    return FDC_BUFFER / FDC_SECTOR;
}

static void took(struct fdc *f, unsigned n)
{
    f->buffer_len = (uint16_t)(f->buffer_len + n * FDC_SECTOR);
    pass(f, &f->disk, &f->disk_left, n);
}

/* Reads on, in runs of sectors that follow each other in the image. */
static void fill(struct fdc *f)
{
    const unsigned want = wanted(f);
    for (;;) {
        const unsigned have = f->buffer_len / FDC_SECTOR;
        if (!f->disk_left || have >= want) {
            if (f->op != FDC_VERIFY || !f->disk_left)
                break;
            f->buffer_len = 0; /* nobody gets it */
            continue;
        }
        const uint8_t st1 = look(f);
        f->st1 |= st1;
        if (st1)
            break;
        const struct fdc_drive *d = fdc_drive(f, f->unit);
        const uint64_t lba = fdc_lba(d, &f->disk);
        uint8_t *at = f->buffer + f->buffer_len;
        const unsigned n = run_length(f, want - have), there = in_image(d, lba, n);
        if (there) {
            submit(f, BLOCK_READ, lba, at, (size_t)there * FDC_SECTOR);
            return;
        }
        memset(at, 0, (size_t)n * FDC_SECTOR);
        took(f, n);
    }
    deliver(f);
}

/* ---- From the host ---- */

/* Asks the host for what the next run of sectors gets. */
static void collect(struct fdc *f)
{
    if (!f->disk_left) {
        finish_at_end(f); /* FORMAT TRACK of no sectors */
        return;
    }
    if (f->op == FDC_FORMAT) {
        f->buffer_len = (uint16_t)(f->disk_left * FORMAT_ID);
    } else {
        uint8_t st1 = look(f);
        if (st1) {
            f->host = f->disk;
            fail(f, st1);
            return;
        }
        f->buffer_len =
            (uint16_t)(run_length(f, f->pio ? 1 : FDC_BUFFER / FDC_SECTOR) * FDC_SECTOR);
    }
    f->buffer_at = 0;
    memset(f->buffer, 0, f->buffer_len);
    f->phase = FDC_FROM_HOST;
    dma_move(f);
}

/* A diskette has no write cache: what the result says is written stays so. */
static void end_write(struct fdc *f)
{
    const struct fdc_drive *d = fdc_drive(f, f->unit);
    if (d && d->block && block_write_cache(d->block))
        submit(f, BLOCK_FLUSH, 0, NULL, 0);
    else
        finish_at_end(f);
}

/* Writes what the host gave; where the terminal count came within a sector, zeroes follow. */
static void store(struct fdc *f)
{
    const uint8_t st1 = look(f);
    const struct fdc_drive *d = fdc_drive(f, f->unit);
    const unsigned have = ((unsigned)f->buffer_at + FDC_SECTOR - 1) / FDC_SECTOR;
    f->host = f->disk;
    if (st1) {
        fail(f, st1);
        return;
    }
    const uint64_t lba = fdc_lba(d, &f->disk);
    const unsigned n = in_image(d, lba, run_length(f, have));
    if (!n || block_read_only(d->block)) {
        f->st2 |= ST2_DATA_ERROR;
        fail(f, ST1_DATA_ERROR);
        return;
    }
    submit(f, BLOCK_WRITE, lba, f->buffer, (size_t)n * FDC_SECTOR);
}

static void stored(struct fdc *f, size_t bytes)
{
    const size_t more = f->buffer_at > bytes ? f->buffer_at - bytes : 0;
    memmove(f->buffer, f->buffer + bytes, more);
    memset(f->buffer + more, 0, bytes);
    f->buffer_at = (uint16_t)more;
    pass(f, &f->disk, &f->disk_left, (unsigned)(bytes / FDC_SECTOR));
    f->host = f->disk;
    if (more && f->disk_left)
        store(f);
    else if (f->terminal || !f->disk_left)
        end_write(f);
    else
        collect(f);
}

/* The sectors of FORMAT TRACK one by one, as their IDs come. An ID that the image's format does not
 * have cannot be written down: such a sector stays what it was. */
static void format_next(struct fdc *f)
{
    struct fdc_drive *d = fdc_drive(f, f->unit);
    for (; f->format_at + FORMAT_ID <= f->buffer_at; f->format_at += FORMAT_ID) {
        const uint8_t *id = f->buffer + f->format_at;
        const struct fdc_spot spot = {id[0], id[1], id[2]};
        if (id[3] != FDC_SECTOR_CODE || spot.head != f->disk.head ||
            fdc_lookup(f, f->unit, &spot) || block_read_only(d->block))
            continue;
        const uint64_t lba = fdc_lba(d, &spot);
        if (!in_image(d, lba, 1))
            continue;
        submit(f, BLOCK_WRITE, lba, f->buffer + FORMAT_PATTERN, FDC_SECTOR);
        return;
    }
    end_write(f);
}

/* SCAN (5.1.9): FFh on either side equals everything, the first difference decides. */
static void compare(struct fdc *f)
{
    enum { EQUAL = 0x00, LOW_OR_EQUAL = 0x08 };
    const uint8_t kind = f->fifo[0] & 0x0C;
    const unsigned len = (unsigned)f->buffer_at - FDC_SECTOR;
    int order = 0; /* of the disk's sector to the host's */
    for (unsigned i = 0; i < len && !order; i++) {
        const uint8_t disk = f->buffer[i], host = f->buffer[FDC_SECTOR + i];
        if (disk != 0xFF && host != 0xFF)
            order = (disk > host) - (disk < host);
    }
    const bool met = !order || (kind != EQUAL && (kind == LOW_OR_EQUAL ? order < 0 : order > 0));
    f->st2 = !order ? ST2_SCAN_HIT : met ? 0 : ST2_SCAN_MISS;
    f->buffer_len = f->buffer_at = 0;
    if (met) {
        finish(f, 0, 0, f->st2);
        return;
    }
    f->host = f->disk;
    f->host_left = f->disk_left;
    if (f->terminal || !f->host_left)
        finish(f, 0, 0, f->st2);
    else
        fill(f);
}

/* ---- Between buffer and host ---- */

/* All of the buffer has gone, or as much as the host wants. */
static void consumed(struct fdc *f)
{
    if (f->phase == FDC_FROM_HOST) {
        if (f->op == FDC_SCAN)
            compare(f);
        else if (f->op == FDC_FORMAT)
            format_next(f);
        else
            store(f);
        return;
    }
    const unsigned sectors = ((unsigned)f->buffer_at + FDC_SECTOR - 1) / FDC_SECTOR;
    f->buffer_len = f->buffer_at = 0;
    if (f->deleted) { /* 5.1.2: the mark was the other one: the sector is read, and the last */
        finish(f, 0, 0, ST2_CONTROL_MARK);
        return;
    }
    pass(f, &f->host, &f->host_left, sectors);
    if (f->terminal && f->op != FDC_READ_TRACK)
        finish(f, 0, 0, 0); /* what is wrong further on does not matter */
    else if (f->terminal || !f->host_left)
        finish_at_end(f);
    else if (f->st1 && f->op != FDC_READ_TRACK)
        fail(f, f->st1);
    else
        fill(f);
}

/* Moves what the DMA controller lets through. A closed channel gets the time of a turn: then the
 * sector has passed by, an overrun (or underrun). */
static void dma_move(struct fdc *f)
{
    if (f->pio)
        return;
    const struct dma8237_result r =
        dma8237_transfer(f->dma, FDC_DMA_CHANNEL, f->buffer + f->buffer_at,
                         (size_t)f->buffer_len - f->buffer_at, f->phase == FDC_TO_HOST);
    if (!r.moved) {
        const struct fdc_drive *d = fdc_drive(f, f->unit);
        if (!f->due && d)
            set_timer(f, clock_now(f->timer.clock) + turn_ns(d));
        return;
    }
    set_timer(f, 0);
    f->buffer_at = (uint16_t)(f->buffer_at + r.moved);
    f->terminal = r.terminal_count;
    consumed(f);
}

void fdc_dma_ready(void *opaque)
{
    struct fdc *f = opaque;
    if (f->stopped || f->pio || (f->phase != FDC_TO_HOST && f->phase != FDC_FROM_HOST))
        return;
    dma_move(f);
    fdc_update_irq(f);
}

uint8_t fdc_pio_read(struct fdc *f)
{
    const uint8_t byte = f->buffer[f->buffer_at++];
    if (f->buffer_at >= f->buffer_len)
        consumed(f);
    return byte;
}

void fdc_pio_write(struct fdc *f, uint8_t byte)
{
    f->buffer[f->buffer_at++] = byte;
    if (f->buffer_at >= f->buffer_len)
        consumed(f);
}

/* ---- Completions ---- */

void fdc_request_done(struct block_request *request, int error)
{
    struct fdc *f = request->opaque;
    const unsigned sectors = (unsigned)(request->bytes / FDC_SECTOR);
    const bool stale = f->stale;
    f->in_flight = f->stale = false;
    if (f->stopped)
        return; /* made again when things go on */
    if (stale) {
        fdc_transfer_go_on(f);
    } else if (error && sectors > 1 && !f->single) {
        f->single = true; /* which one is it? */
        fdc_transfer_go_on(f);
    } else if (error) {
        f->st1 |= ST1_DATA_ERROR;
        f->st2 |= ST2_DATA_ERROR;
        if (request->op == BLOCK_READ)
            deliver(f);
        else
            fail(f, f->st1);
    } else if (request->op == BLOCK_READ) {
        took(f, sectors);
        fill(f);
    } else if (request->op == BLOCK_FLUSH) {
        finish_at_end(f);
    } else if (f->op == FDC_FORMAT) {
        f->format_at += FORMAT_ID;
        format_next(f);
    } else {
        stored(f, request->bytes);
    }
    fdc_update_irq(f);
}

void fdc_transfer_go_on(struct fdc *f)
{
    switch ((enum fdc_phase)f->phase) {
    case FDC_WAIT_DISK:
        fdc_transfer_start(f);
        break;
    case FDC_DISK_READ:
        fill(f);
        break;
    case FDC_DISK_WRITE:
        if (f->op == FDC_FORMAT)
            format_next(f);
        else
            store(f);
        break;
    case FDC_DISK_FLUSH:
        end_write(f);
        break;
    case FDC_TO_HOST:
    case FDC_FROM_HOST:
        dma_move(f);
        break;
    case FDC_COMMAND:
    case FDC_RESULT:
    case FDC_WAIT_ID:
        break;
    }
}

void fdc_transfer_abandon(struct fdc *f)
{
    f->stale = f->in_flight;
    if (f->in_flight)
        block_cancel(f->busy, &f->request);
    set_timer(f, 0);
}

void fdc_transfer_pulled(struct fdc *f)
{
    if (f->phase == FDC_WAIT_ID)
        return; /* the timer will find nothing */
    fdc_transfer_abandon(f);
    fail(f, ST1_NO_ADDRESS_MARK);
}

/* ---- READ ID ---- */

static void read_id_end(struct fdc *f)
{
    const struct fdc_drive *d = fdc_drive(f, f->unit);
    const struct fdc_spot spot = {f->cylinder[f->unit], f->head, 1};
    const uint8_t st1 = fdc_lookup(f, f->unit, &spot);
    const bool motor = f->dor & DOR_MOTOR_0 << f->unit;
    f->host = spot;
    if (!st1) {
        const uint64_t sector_ns = turn_ns(d) / d->format->sectors;
        f->host.sector = (uint8_t)(1 + clock_now(f->timer.clock) / sector_ns % d->format->sectors);
        finish(f, 0, 0, 0);
    } else if (d && !d->block && !motor && (f->sought >> f->unit & 1)) {
        finish(f, 0, 0, 0); /* docs/devices/fdc.md: no driver does this with the motor off */
    } else {
        fail(f, st1);
    }
}

/* 5.1.5: the next ID that passes, or two turns without one. */
void fdc_read_id(struct fdc *f)
{
    f->unit = f->fifo[1] & 3;
    f->head = f->fifo[1] >> 2 & 1;
    f->moved = f->pio = false;
    f->st1 = f->st2 = 0;
    const struct fdc_drive *d = fdc_drive(f, f->unit);
    if (!d) {
        read_id_end(f);
        return;
    }
    const uint64_t now = clock_now(f->timer.clock), turn = turn_ns(d);
    const uint64_t sector = turn / (d->format ? d->format->sectors : 1);
    const struct fdc_spot spot = {f->cylinder[f->unit], f->head, 1};
    f->phase = FDC_WAIT_ID;
    set_timer(f, fdc_lookup(f, f->unit, &spot) ? now + 2 * turn : (now / sector + 1) * sector);
}

void fdc_timer_fired(void *opaque)
{
    struct fdc *f = opaque;
    f->due = 0;
    if (f->phase == FDC_WAIT_ID)
        read_id_end(f);
    else if (f->phase == FDC_TO_HOST || f->phase == FDC_FROM_HOST)
        fail(f, ST1_OVERRUN);
    fdc_update_irq(f);
}

/* ---- The start ---- */

static enum fdc_op op_of(uint8_t command)
{
    switch (command & 0x1F) {
    case 0x02:
        return FDC_READ_TRACK;
    case 0x05:
    case 0x09:
        return FDC_WRITE;
    case 0x0D:
        return FDC_FORMAT;
    case 0x16:
        return FDC_VERIFY;
    case 0x11:
    case 0x19:
    case 0x1D:
        return FDC_SCAN;
    default:
        return FDC_READ;
    }
}

/* How many sectors the command names: from R to the end of track, with MT those of the other side,
 * too. */
static uint16_t sectors_named(const struct fdc *f, uint8_t first)
{
    if (f->eot < first)
        return ENDLESS;
    unsigned n = (unsigned)(f->eot - first) / f->step + 1;
    if (f->multi_track && !f->disk.head)
        n += (unsigned)(f->eot - 1) / f->step + 1;
    return (uint16_t)n;
}

/*
 * Does a transfer of both sides go on where the track ends though its end of track lies behind
 * that? On the chip the next sector is then not found, by which drivers tell formats apart. But
 * BIOSes for virtual machines make the end of track of what they are asked for, R + n - 1, and n
 * their DMA count; and without DMA the field's tests want it so.
 */
static bool runs_on(const struct fdc *f, uint8_t first)
{
    const size_t named = f->eot < first ? 0 : ((size_t)f->eot - first + 1) * FDC_SECTOR;
    return f->multi_track &&
           (f->pio || dma8237_left(f->dma, FDC_DMA_CHANNEL, f->op != FDC_WRITE) == named);
}

static void start_format(struct fdc *f)
{
    f->disk = (struct fdc_spot){f->cylinder[f->unit], f->head, 1};
    f->host = f->disk;
    f->disk_left = f->fifo[3]; /* SC */
    f->last_sector = f->fifo[3];
    f->format_at = 0;
    memset(f->buffer + FORMAT_PATTERN, f->fifo[5], FDC_SECTOR);
}

/* Parameters: HDS and drive, C, H, R, N, EOT, GPL, DTL. */
static void start_sectors(struct fdc *f)
{
    const uint8_t *p = f->fifo + 1;
    f->eot = f->last_sector = p[5];
    f->multi_track = f->op != FDC_READ_TRACK && f->fifo[0] & 0x80;
    f->deleted = (f->fifo[0] & 0x1F) == 0x0C;
    f->step = f->op == FDC_SCAN && p[7] == 2 ? 2 : 1;
    f->disk = (struct fdc_spot){p[1], f->head, p[3]};
    f->runs_on = runs_on(f, p[3]);
    f->disk_left = sectors_named(f, p[3]);
    if (f->op == FDC_READ_TRACK) {
        f->disk_left = p[5] ? p[5] : ENDLESS;
    } else if (f->op == FDC_VERIFY && p[0] & 0x80 && p[7]) { /* EC: SC sectors */
        f->disk_left = p[7];
    }
    if (f->deleted)
        f->disk_left = 1;
    f->host = f->disk;
    f->host_left = f->disk_left;
    f->moved = fdc_step_to(f, f->unit, p[1]);
}

/* What makes the command end before it begins: ST1's bit, or 0. */
static uint8_t obstacle(struct fdc *f)
{
    const struct fdc_drive *d = fdc_drive(f, f->unit);
    const struct fdc_spot first = {f->disk.cylinder, f->head, 1};
    const uint8_t *p = f->fifo + 1;
    const uint8_t st1 = fdc_lookup(f, f->unit, &first);
    if (st1)
        return st1;
    if ((f->op == FDC_WRITE || f->op == FDC_FORMAT) && block_read_only(d->block))
        return ST1_NOT_WRITABLE;
    if (f->op == FDC_FORMAT)
        return p[1] == FDC_SECTOR_CODE ? 0 : ST1_NO_DATA;
    return p[2] != f->head || p[4] != FDC_SECTOR_CODE ? ST1_NO_DATA : 0;
}

void fdc_transfer_start(struct fdc *f)
{
    f->unit = f->fifo[1] & 3;
    if (f->in_flight) {
        f->phase = FDC_WAIT_DISK;
        return;
    }
    f->op = (uint8_t)op_of(f->fifo[0]);
    f->head = f->fifo[1] >> 2 & 1;
    f->pio = (f->specify[1] & 1) || !(f->dor & DOR_DMA_GATE);
    f->terminal = f->single = f->deleted = f->multi_track = f->runs_on = f->moved = false;
    f->st1 = f->st2 = 0;
    f->step = 1;
    f->buffer_len = f->buffer_at = 0;
    if (f->op == FDC_FORMAT)
        start_format(f);
    else
        start_sectors(f);
    const uint8_t st1 = obstacle(f);
    if (!st1 && f->op == FDC_READ_TRACK) { /* 5.1.4: from the index on, whatever the IDs say */
        f->st1 = f->disk.sector == 1 ? 0 : ST1_NO_DATA;
        f->disk.sector = f->host.sector = 1;
    }
    if (st1) {
        f->moved = false; /* the seek does not count if nothing follows it */
        fail(f, st1);
    } else if (f->deleted && f->fifo[0] & 0x20) { /* SK: every sector has the other mark */
        finish(f, ST0_ABNORMAL, ST1_END_OF_TRACK, ST2_CONTROL_MARK);
    } else if (f->op == FDC_WRITE || f->op == FDC_FORMAT) {
        collect(f);
    } else {
        fill(f);
    }
}
