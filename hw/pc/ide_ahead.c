/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ide_ahead: read-ahead for hosts that read one stretch after another by PIO (see ide.h). */
#include <string.h>

#include "hw/pc/atapi.h"
#include "hw/pc/ide.h"

#define WINDOW_FIRST 16u
#define WINDOW_MOST  (IDE_BUFFER / IDE_SECTOR)
#define FRESH        (100 * NS_PER_MS) /* somebody else may write the image too */

static bool applies(const struct ide_channel *ch)
{
    const struct ide_drive *d = &ch->drive[ch->selected];
    return !ch->front->serial && !ch->use_dma &&
           (ch->use == IDE_USE_PACKET_READ || (ch->use == IDE_USE_SECTORS && d->read_ahead));
}

void ide_ahead_drop(struct ide_channel *ch)
{
    struct ide_ahead *a = &ch->ahead;

    a->reader = NULL;
    if (a->reading) {
        a->stale = true;
        block_cancel(a->block, &a->request);
    } else {
        a->block = NULL;
    }
}

/* The sector at ch->lba is here, or on its way. */
static bool covers(const struct ide_channel *ch)
{
    const struct ide_ahead *a = &ch->ahead;
    return a->block && !a->stale && a->block == ch->drive[ch->selected].block &&
           ch->lba >= a->lba && ch->lba - a->lba < a->sectors;
}

bool ide_ahead_take(struct ide_channel *ch, uint32_t sectors, uint32_t *got)
{
    struct ide_ahead *a = &ch->ahead;
    uint32_t unit = ide_for_packet(ch) ? ATAPI_SECTOR / IDE_SECTOR : ch->drq_size / IDE_SECTOR;

    *got = 0;
    if (!applies(ch) || !a->block || a->stale) {
        return false;
    }
    if (!covers(ch) || (!a->reading && clock_now(ch->clock) > a->until)) {
        ide_ahead_drop(ch);
        return false;
    }
    uint32_t skip = (uint32_t)(ch->lba - a->lba), n = a->sectors - skip;
    n = n < sectors ? n / unit * unit : sectors;
    if (!n) {
        ide_ahead_drop(ch);
        return false;
    }
    if (!a->reading) {
        memcpy(ch->buffer, a->buffer + (size_t)skip * IDE_SECTOR, (size_t)n * IDE_SECTOR);
        *got = n;
    }
    return true;
}

void ide_ahead_command(struct ide_channel *ch, uint64_t lba, uint32_t sectors)
{
    struct ide_ahead *a = &ch->ahead;
    const struct ide_drive *d = ide_drive(ch);

    if (a->reader != d || a->expect != lba) {
        a->window = 0; /* not before the host has read on once */
    } else if (!a->window) {
        a->window = sectors < WINDOW_FIRST ? WINDOW_FIRST : sectors;
    }
    a->reader = d;
    a->expect = lba + sectors;
}

static void ahead_done(struct block_request *request, int error)
{
    struct ide_channel *ch = request->opaque;
    struct ide_ahead *a = &ch->ahead;

    a->reading = false;
    a->until = clock_now(ch->clock) + FRESH;
    if (error || a->stale) {
        a->block = NULL; /* the host learns of the error when it asks for the sector */
    }
    a->stale = false;
    if (ch->phase == IDE_READ && !ch->in_flight) {
        ide_kick(ch);
        ide_settle(ch);
    }
}

void ide_ahead_next(struct ide_channel *ch)
{
    struct ide_ahead *a = &ch->ahead;
    const struct ide_drive *d = ide_drive(ch);
    uint64_t end = ide_visible(d);
    uint32_t want = ch->left ? ch->left : a->window;

    if (!applies(ch) || ch->parked || a->reading || !want || ch->lba >= end || covers(ch)) {
        return;
    }
    if (want > WINDOW_MOST) {
        want = WINDOW_MOST;
    }
    if (want > end - ch->lba) {
        want = (uint32_t)(end - ch->lba);
    }
    a->window = 2 * a->window < WINDOW_MOST ? 2 * a->window : WINDOW_MOST;
    a->block = d->block;
    a->lba = ch->lba;
    a->sectors = want;
    a->reading = true;
    a->stale = false;
    a->iov = (struct iovec){.iov_base = a->buffer, .iov_len = (size_t)want * IDE_SECTOR};
    a->request = (struct block_request){
        .op = BLOCK_READ,
        .offset = ch->lba * IDE_SECTOR,
        .bytes = (size_t)want * IDE_SECTOR,
        .iov = &a->iov,
        .iovcnt = 1,
        .own_memory = true,
        .done = ahead_done,
        .opaque = ch,
    };
    block_submit(a->block, &a->request);
}
