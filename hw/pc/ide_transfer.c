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

static void medium_error(struct ide_channel *ch, int error)
{
    struct ide_drive *d = ide_drive(ch);
    uint64_t now = clock_now(ch->clock);

    if (d->block && error != ENOMEDIUM && now >= d->next_error_line) {
        d->next_error_line = now + ERROR_LINE_GAP;
        log_warn("disk %s: %s at sector %" PRIu64 " failed: %s (further errors of this disk in the "
                 "next minute are not logged)",
                 block_id(d->block),
                 ch->phase == IDE_FLUSH ? "flush"
                 : ch->writing          ? "write"
                                        : "read",
                 ch->lba, strerror(error));
    }
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

/* The bus master ran out of descriptors or memory: rev 1.0, 3.2, the table of status bits. */
static void bus_master_failed(struct ide_channel *ch, bool bad)
{
    ch->stopping = false;
    bmdma_halt(&ch->bm, bad);
    ide_end_silently(ch);
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
        if (ide_for_packet(ch)) {
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
        ide_buffer_given(ch);
    } else {
        ide_buffer_taken(ch);
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
                      min32(sectors, ide_for_packet(ch) ? atapi_chunk(ch) : BUFFER_SECTORS));
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
    if (ide_stopped(ch) && ch->left) {
        ide_end_silently(ch);
    } else if (ch->left) {
        kick(ch);
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
        ch->abandoned = false;
        if (ch->held) {
            ch->held = false;
            ide_execute(ch, ch->held_opcode);
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
        if (error && ide_stopped(ch)) {
            ide_end_silently(ch);
        } else if (error && narrow(ch, sectors)) {
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

    if (event == BMDMA_STOPPED && dma) {
        stop_transfer(ch);
    } else if (event == BMDMA_STARTED && ch->stopping) {
        ch->stopping = false; /* begins anew: what is left of the old transfer is given up */
        ide_abandon(ch);
        ide_end_silently(ch);
    } else if (event == BMDMA_STARTED || event == BMDMA_ENABLED) {
        kick(ch);
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
