/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ide_state: what of a channel is saved, and whether a saved one can be believed (see ide.h). */
#include "hw/pc/atapi.h"
#include "hw/pc/ide.h"

#define LBA_END (UINT64_C(1) << 51) /* 48 bits of sectors of 4096 bytes, in units of 512 */

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

static const struct state_field error_state[] = {
    STATE_UINT(struct ide_error, opcode), STATE_UINT(struct ide_error, error),
    STATE_UINT(struct ide_error, status), STATE_UINT(struct ide_error, device),
    STATE_UINT(struct ide_error, count),  STATE_UINT(struct ide_error, hours),
    STATE_UINT(struct ide_error, lba),    STATE_FIELDS_END,
};

/* A reset of the machine is no new disk: what it has written down stays. */
static const struct state_field smart_state[] = {
    STATE_BOOL(struct ide_smart, enabled),
    STATE_BOOL(struct ide_smart, autosave, .keep_on_reset = true),
    STATE_BOOL(struct ide_smart, offline_done, .keep_on_reset = true),
    STATE_LIMIT(struct ide_smart, tests, IDE_SELF_TESTS - 1, .keep_on_reset = true),
    STATE_ARRAY(struct ide_smart, test_type, .keep_on_reset = true),
    STATE_ARRAY(struct ide_smart, test_hours, .keep_on_reset = true),
    STATE_UINT(struct ide_smart, errors, .keep_on_reset = true),
    STATE_STRUCTS(struct ide_smart, error, error_state, .keep_on_reset = true),
    STATE_FIELDS_END,
};

static const struct state_field queue_error_state[] = {
    STATE_UINT(struct ide_queue_error, tag, .reset = 0x80),
    STATE_UINT(struct ide_queue_error, status),
    STATE_UINT(struct ide_queue_error, error),
    STATE_UINT(struct ide_queue_error, device),
    STATE_UINT(struct ide_queue_error, count),
    STATE_UINT(struct ide_queue_error, lba),
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
    STATE_LIMIT(struct ide_drive, visible, UINT64_C(1) << 51),
    STATE_UINT(struct ide_drive, native_asked),
    STATE_STRUCT(struct ide_drive, smart, smart_state),
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
    STATE_STRUCT(struct ide_channel, prd.at, prd_cursor_state),
    STATE_LIMIT(struct ide_channel, lba, LBA_END),
    STATE_LIMIT(struct ide_channel, left, 0xFFFFFFFF),
    STATE_LIMIT(struct ide_channel, piece, IDE_PIECE, .reset = IDE_PIECE),
    STATE_LIMIT(struct ide_channel, pos, IDE_BUFFER),
    STATE_LIMIT(struct ide_channel, drq_end, IDE_BUFFER),
    STATE_LIMIT(struct ide_channel, length, IDE_BUFFER),
    STATE_LIMIT(struct ide_channel, drq_size, IDE_BUFFER),
    STATE_LIMIT(struct ide_channel, fill, IDE_BUFFER / IDE_SECTOR - 1),
    STATE_STRUCT(struct ide_channel, queue_error, queue_error_state),
    /* 128 KiB that a reset need not touch: nothing reads it before a command has filled it. */
    STATE_ARRAY(struct ide_channel, buffer_words, .keep_on_reset = true),
    STATE_FIELDS_END,
};

/* Is the command under way, as loaded, one that the code above can have left? */
static bool plausible(const struct ide_channel *ch)
{
    const struct ide_drive *d = &ch->drive[ch->selected];
    bool sectors = ch->use == IDE_USE_SECTORS || ch->use == IDE_USE_VERIFY ||
                   ch->use == IDE_USE_PACKET_READ || ch->use == IDE_USE_PACKET_RAW;
    bool buffered = ch->pos < ch->length && !(ch->pos & 1) && !(ch->length & 1);
    bool drq = buffered && ch->pos < ch->drq_end && ch->drq_end <= ch->length &&
               !(ch->drq_end & 1) && ch->drq_size >= 2 && !(ch->drq_size & 1);

    if (d->kind == IDE_ABSENT || d->unplugged) {
        return false;
    }
    if (ch->use == IDE_USE_NONE) {
        return ch->phase == IDE_FLUSH && d->kind == IDE_DISK;
    }
    if ((d->kind == IDE_CDROM) != ide_for_packet(ch) && ch->use != IDE_USE_REPLY) {
        return false;
    }
    if (ch->use == IDE_USE_SECTORS && !ch->use_dma &&
        (ch->drq_size < IDE_SECTOR || (ch->drq_size & (ch->drq_size - 1)))) {
        return false; /* so that DRQ blocks fill the buffer, and part of one can be completed */
    }
    if (ch->fill && (ch->use != IDE_USE_SECTORS || ch->phase != IDE_READ)) {
        return false;
    }
    if (ch->use == IDE_USE_PACKET_RAW && !atapi_raw_size(d->atapi.raw_parts)) {
        return false;
    }
    if (!ch->piece || (ide_for_packet(ch) && ch->piece % 4) || (ch->left && !sectors)) {
        return false;
    }
    /* A medium may be shorter on this side: requests beyond its end fail as they should. */
    if (ch->lba + ch->left > LBA_END ||
        (ide_for_packet(ch) && ch->left % 4 && ch->phase != IDE_DMA)) {
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
        return !ide_for_packet(ch);
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
    ch->held = IDE_HELD_NOTHING;
    for (unsigned i = 0; i < 2; i++) {
        const struct ide_drive *d = &ch->drive[i];
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
    for (unsigned i = 0; i < 2; i++) {
        struct ide_drive *d = &ch->drive[i];
        if (d->unplugged && d->kind == IDE_DISK) {
            d->kind = IDE_ABSENT;
            d->block = NULL;
        }
    }
    return true;
}
