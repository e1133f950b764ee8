/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ide_transfer: data between the medium, the channel's buffer and guest memory: the requests to the
 * image, the bus master's pieces, and what follows when one has ended (see ide.h). */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "hw/core/log.h"
#include "hw/pc/ata.h"
#include "hw/pc/atapi.h"
#include "hw/pc/ide.h"

#define BUFFER_SECTORS (IDE_BUFFER / IDE_SECTOR)
#define ERROR_LINE_GAP (60 * NS_PER_S)

static uint32_t min32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* All of the buffer has gone to the host. */
void ide_buffer_taken(struct ide_channel *ch)
{
    if (ch->left) {
        ide_enter(ch, IDE_READ);
    } else if (ide_for_packet(ch)) {
        atapi_finish(ch);
    } else {
        /* The last DRQ block of a PIO data-in command is not followed by an interrupt (9.5). */
        if (ch->use == IDE_USE_SECTORS) {
            ata_result(ch);
        }
        ide_end_silently(ch);
    }
}

/* All of the buffer has come from the host. */
void ide_buffer_given(struct ide_channel *ch)
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

void ide_log_error(struct ide_drive *d, uint64_t now, const char *what, uint64_t lba, int error)
{
    if (d->block && error != ENOMEDIUM && now >= d->next_error_line) {
        d->next_error_line = now + ERROR_LINE_GAP;
        log_warn("disk %s: %s at sector %" PRIu64 " failed: %s (further errors of this disk in the "
                 "next minute are not logged)",
                 block_id(d->block), what, lba, strerror(error));
    }
}

static void medium_error(struct ide_channel *ch, int error)
{
    ide_log_error(ide_drive(ch), clock_now(ch->clock),
                  ch->phase == IDE_FLUSH ? "flush"
                  : ch->writing          ? "write"
                                         : "read",
                  ch->lba, error);
    if (ide_for_packet(ch)) {
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
        .own_memory = iov == &ch->request_iov,
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

/* May data of a DMA command move now? */
static bool engine_runs(struct ide_channel *ch)
{
    switch (ch->front->engine(ch)) {
    case IDE_ENGINE_RUNS:
        return true;
    case IDE_ENGINE_LOSES:
        ch->left = 0;
        if (ide_for_packet(ch)) {
            atapi_finish(ch);
        } else {
            ide_finish(ch);
        }
        break;
    case IDE_ENGINE_WAITS:
        break;
    }
    return false;
}

/* Less than a sector fits a scatter list, or is left in the table: one sector by the buffer. */
static void dma_bounce(struct ide_channel *ch)
{
    ch->bounce = true;
    ch->after = ch->prd.at;
    if (!ch->writing) {
        submit_buffer(ch, BLOCK_READ, 0, 1);
        return;
    }
    bool bad = false;
    if (prd_copy(&ch->prd, &ch->after, ch->buffer, IDE_SECTOR, false, &bad) < IDE_SECTOR) {
        ch->front->broken(ch, bad);
        return;
    }
    submit_buffer(ch, BLOCK_WRITE, 0, 1);
}

/* Starts the next piece between medium and guest memory. */
static void dma_next(struct ide_channel *ch)
{
    size_t want = (size_t)min32(ch->left, ch->piece) * IDE_SECTOR;

    if (!engine_runs(ch)) {
        return;
    }
    if (prd_exhausted(&ch->prd.at)) {
        ch->front->broken(ch, false);
        return;
    }
    bool bad = false;
    size_t bytes = prd_pin(&ch->prd, &ch->sg, !ch->writing, want, &ch->after, &bad);
    if (bad) {
        ch->front->broken(ch, true);
        return;
    }
    if (!bytes) {
        dma_bounce(ch);
        return;
    }
    ch->bounce = false;
    ch->pinned = true;
    submit(ch, ch->writing ? BLOCK_WRITE : BLOCK_READ, ch->lba, bytes / IDE_SECTOR, ch->sg.iov,
           (int)ch->sg.count);
}

/* Moves the buffer between us and guest memory. */
static void dma_buffer(struct ide_channel *ch)
{
    bool bad = false;

    if (!engine_runs(ch)) {
        return;
    }
    ch->pos += (uint32_t)prd_copy(&ch->prd, &ch->prd.at, ch->buffer + ch->pos, ch->length - ch->pos,
                                  !ch->writing, &bad);
    if (ch->pos < ch->length) {
        ch->front->broken(ch, bad);
    } else if (ch->writing) {
        ide_buffer_given(ch);
    } else {
        ide_buffer_taken(ch);
    }
}

static void discard_next(struct ide_channel *ch)
{
    uint64_t lba, count;

    if (ata_next_range(ch, &lba, &count)) {
        submit(ch, BLOCK_DISCARD, lba, count, NULL, 0);
    } else {
        ide_finish(ch);
    }
}

/* Sectors per DRQ block of a PIO read: the host takes them in one go, so they are there together.
 */
static uint32_t block_sectors(const struct ide_channel *ch)
{
    bool whole = ch->use == IDE_USE_SECTORS && !ch->use_dma;
    return whole ? ch->drq_size / IDE_SECTOR : 1;
}

static void read_done(struct ide_channel *ch, uint32_t sectors)
{
    ch->lba += sectors;
    ch->left -= sectors;
    if (ch->use == IDE_USE_VERIFY) {
        if (ch->left) {
            ide_kick(ch);
        } else {
            ata_sectors_done(ch);
        }
        return;
    }
    ch->fill += sectors;
    if (ch->left && ch->fill % block_sectors(ch)) {
        ide_kick(ch);
        return;
    }
    uint32_t length = ch->fill * IDE_SECTOR;
    ch->fill = 0;
    if (ch->use == IDE_USE_PACKET_RAW) {
        length = atapi_build_raw(ch, length);
    }
    if (ch->use_dma) {
        ch->pos = 0;
        ch->length = length;
        ide_enter(ch, IDE_DMA_BUFFER);
        return;
    }
    ide_ahead_next(ch);
    ide_data_in(ch, length, true);
}

/* Reads on, from the medium or from what was read ahead. */
static void read_next(struct ide_channel *ch)
{
    uint32_t sectors = min32(ch->left, ch->piece), got;

    if (ch->use == IDE_USE_VERIFY) {
        submit_buffer(ch, BLOCK_READ, 0, min32(sectors, BUFFER_SECTORS));
        return;
    }
    if (ide_for_packet(ch)) {
        sectors = min32(sectors, atapi_chunk(ch));
    } else {
        /* The buffer ends with a DRQ block; a part of one that is here already is completed. */
        uint32_t per = block_sectors(ch);
        sectors = min32(sectors, ch->fill ? per - ch->fill % per : BUFFER_SECTORS / per * per);
    }
    if (ch->use_dma || ch->fill || !ide_ahead_take(ch, sectors, &got)) {
        submit_buffer(ch, BLOCK_READ, ch->fill * IDE_SECTOR, sectors);
    } else if (got) {
        read_done(ch, got);
    }
}

void ide_kick(struct ide_channel *ch)
{
    struct ide_drive *d = ide_drive(ch);

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
        read_next(ch);
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
    ide_kick(ch);
}

/*
 * A request of several sectors failed and says not where: asked again in halves until one bad
 * sector is alone. What is good before it has then moved, and the host learns its address.
 */
static bool narrow(struct ide_channel *ch, uint32_t sectors)
{
    uint32_t unit = ide_for_packet(ch) ? ATAPI_SECTOR / IDE_SECTOR : 1;
    if (sectors <= unit) {
        return false;
    }
    ch->piece = sectors / 2 / unit * unit;
    if (!ch->piece) {
        ch->piece = unit;
    }
    return true;
}

static void write_done(struct ide_channel *ch, uint32_t sectors)
{
    ch->lba += sectors;
    ch->left -= sectors;
    ch->pos += sectors * IDE_SECTOR;
    if (ch->pos < ch->length) {
        ide_kick(ch);
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
        size_t n = prd_copy(&ch->prd, &ch->after, ch->buffer, IDE_SECTOR, true, &bad);
        ch->prd.at = ch->after;
        if (n < IDE_SECTOR) {
            ch->front->broken(ch, bad);
            return;
        }
    }
    ch->prd.at = ch->after;
    ch->lba += sectors;
    ch->left -= sectors;
    if (ide_stopped(ch) && ch->left) {
        ide_end_silently(ch);
    } else if (ch->left) {
        ide_kick(ch);
    } else if (ide_for_packet(ch)) {
        atapi_finish(ch);
    } else {
        ata_sectors_done(ch);
    }
}

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
        ide_abandoned_ended(ch);
        ide_settle(ch);
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
        if (error && ide_stopped(ch)) {
            ide_end_silently(ch);
        } else if (error && narrow(ch, sectors)) {
            ide_kick(ch);
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
        ide_kick(ch); /* a hint: an image that cannot discard has not failed */
        break;
    }
    ide_settle(ch);
}

bool ide_stopped(struct ide_channel *ch)
{
    if (!ch->stopping) {
        return false;
    }
    ch->stopping = false;
    bmdma_halt(&ch->bm, false);
    return true;
}

/*
 * Rev 1.0, 3.1: a transfer that is stopped cannot be taken up again. The piece under way ends
 * first, and the engine shows itself active until then: if it is the command's last, the command
 * has ended well, as if the stop had come a moment later.
 */
static void stop_transfer(struct ide_channel *ch)
{
    if (ch->phase == IDE_DMA && ch->in_flight) {
        ch->stopping = true;
        ch->bm.status |= BMDMA_STATUS_ACTIVE;
    } else {
        ide_abandon(ch);
        ide_end_silently(ch);
    }
}

void ide_bus_master_event(struct ide_channel *ch, enum bmdma_event event)
{
    bool dma = ch->use_dma &&
               (ch->phase == IDE_READ || ch->phase == IDE_DMA || ch->phase == IDE_DMA_BUFFER);

    if (event == BMDMA_STARTED) {
        ch->prd.at = prd_start(PRD_BUS_MASTER, ch->bm.table, 0);
    }
    if (event == BMDMA_STOPPED && dma) {
        stop_transfer(ch);
    } else if (event == BMDMA_STARTED && ch->stopping) {
        ch->stopping = false; /* begins anew: what is left of the old transfer is given up */
        ide_abandon(ch);
        ide_end_silently(ch);
    } else if (event == BMDMA_STARTED || event == BMDMA_ENABLED) {
        ide_kick(ch);
    }
    ide_settle(ch);
}

void ide_let_go(struct ide_channel *ch, struct block *block)
{
    bool parked = ch->parked;

    ch->parked = true;
    ide_ahead_drop(ch);
    if (ch->in_flight && (!block || ch->request_block == block)) {
        block_drain(ch->request_block);
    }
    if (ch->ahead.reading && (!block || ch->ahead.block == block)) {
        block_drain(ch->ahead.block);
    }
    ch->parked = parked;
}

struct block *ide_change_medium(struct ide_channel *ch, unsigned device, struct block *block)
{
    struct ide_drive *d = &ch->drive[device];
    struct block *old = d->block;

    if (old) {
        ide_let_go(ch, old);
    }
    atapi_set_block(d, block);
    atapi_medium_changed(d, block != NULL && ide_sectors(d));
    if (ch->selected == device) {
        ch->lost = true;
        ide_kick(ch);
    }
    ide_settle(ch);
    return old;
}

void ide_unplug(struct ide_channel *ch, unsigned device)
{
    struct ide_drive *d = &ch->drive[device];

    if (d->block) {
        ide_let_go(ch, d->block);
    }
    if (ch->selected == device) {
        ide_abandon(ch);
    }
    d->kind = IDE_ABSENT;
    d->block = NULL;
    d->unplugged = true;
    ide_settle(ch);
}

void ide_channel_quiesce(struct ide_channel *ch)
{
    ide_let_go(ch, NULL);
    ch->parked = true;
}

void ide_channel_resume(struct ide_channel *ch)
{
    ch->parked = false;
    ide_kick(ch);
    ide_settle(ch);
}
