/* SPDX-License-Identifier: GPL-2.0-or-later */
/* atapi: packet commands of a CD/DVD-ROM drive (see atapi.h). */
#include "hw/pc/atapi.h"

#include <errno.h>
#include <string.h>

#include "hw/pc/ata.h"
#include "hw/pc/atapi_int.h"
#include "hw/pc/cd_sector.h"

struct packet_command {
    atapi_command *run;
    unsigned flags;
};

/* --- How a packet command ends --- */

void atapi_set_sense(struct ide_drive *d, uint8_t key, uint8_t asc, uint8_t ascq)
{
    d->atapi.sense_key = key;
    d->atapi.asc = asc;
    d->atapi.ascq = ascq;
}

/* CHECK CONDITION: the sense key shows in the error register's upper half (SFF-8020i 5.4). */
void atapi_check(struct ide_channel *ch, uint8_t key, uint8_t asc, uint8_t ascq)
{
    struct ide_drive *d = ide_drive(ch);

    atapi_set_sense(d, key, asc, ascq);
    ch->left = 0;
    ide_fail(ch, (uint8_t)(key << 4 | (key == ILLEGAL_REQUEST ? IDE_ERROR_ABRT : 0)));
    d->count[0] = IDE_REASON_IO | IDE_REASON_CD;
}

void atapi_invalid_field(struct ide_channel *ch)
{
    atapi_check(ch, ILLEGAL_REQUEST, ASC_INVALID_FIELD, 0);
}

static void not_ready(struct ide_channel *ch)
{
    atapi_check(ch, NOT_READY, ASC_NO_MEDIUM,
                ide_drive(ch)->atapi.tray_open ? ASCQ_TRAY_OPEN : ASCQ_TRAY_CLOSED);
}

void atapi_finish(struct ide_channel *ch)
{
    ide_finish(ch);
    ide_drive(ch)->count[0] = IDE_REASON_IO | IDE_REASON_CD;
}

bool atapi_take_attention(struct ide_drive *d)
{
    if (!(d->atapi.attention & ATTENTION_MEDIUM)) {
        return false;
    }
    d->atapi.attention &= (uint8_t)~ATTENTION_MEDIUM;
    atapi_set_sense(d, UNIT_ATTENTION, ASC_MEDIUM_CHANGED, 0);
    return true;
}

void atapi_medium_error(struct ide_channel *ch, int error)
{
    struct ide_drive *d = ide_drive(ch);

    if (error == ENOMEDIUM && atapi_ready(d) && atapi_take_attention(d)) {
        atapi_check(ch, d->atapi.sense_key, d->atapi.asc, d->atapi.ascq); /* another disc is in */
    } else if (error == ENOMEDIUM) {
        not_ready(ch);
    } else if (error == EINVAL) {
        atapi_check(ch, ILLEGAL_REQUEST, ASC_LBA_RANGE, 0);
    } else {
        atapi_check(ch, MEDIUM_ERROR, ASC_READ_ERROR, 0);
    }
}

bool atapi_set_block_size(struct ide_channel *ch, uint64_t bytes)
{
    uint32_t limit = ide_drive(ch)->atapi.byte_limit;

    if (limit == 0xFFFF) {
        limit = 0xFFFE;
    }
    if (limit >= bytes) {
        limit = (uint32_t)(bytes + 1);
    }
    limit &= ~1u;
    if (!limit) {
        atapi_invalid_field(ch);
        return false;
    }
    ch->drq_size = limit;
    return true;
}

void atapi_drq(struct ide_channel *ch, uint32_t bytes)
{
    struct ide_drive *d = ide_drive(ch);

    d->count[0] = ch->writing ? 0 : IDE_REASON_IO;
    d->lba_mid[0] = (uint8_t)bytes;
    d->lba_high[0] = (uint8_t)(bytes >> 8);
}

/* The first min(length, allocation) bytes of the buffer go to the host. */
void atapi_reply(struct ide_channel *ch, uint32_t length, uint32_t allocation)
{
    if (length > allocation) {
        length = allocation;
    }
    if (!length) {
        atapi_finish(ch);
        return;
    }
    ch->use = IDE_USE_PACKET_REPLY;
    ch->odd = length & 1;
    if (ch->use_dma) {
        ch->pos = 0;
        ch->length = length + ch->odd;
        ide_enter(ch, IDE_DMA_BUFFER);
    } else if (atapi_set_block_size(ch, length)) {
        ide_data_in(ch, length + ch->odd, true);
    }
}

/* --- Sectors --- */

uint32_t atapi_raw_size(uint8_t parts)
{
    return (parts & PART_SYNC ? 12 : 0) + (parts & PART_HEADER ? 4 : 0) +
           (parts & PART_USER ? ATAPI_SECTOR : 0) + (parts & PART_ECC ? 288 : 0);
}

static void read_blocks(struct ide_channel *ch, struct ide_drive *d, uint32_t lba, uint32_t count,
                        uint8_t parts)
{
    uint32_t size = atapi_raw_size(parts);

    if (lba >= atapi_blocks(d) || count > atapi_blocks(d) - lba) {
        atapi_check(ch, ILLEGAL_REQUEST, ASC_LBA_RANGE, 0);
        return;
    }
    if (!count || !size) {
        atapi_finish(ch);
        return;
    }
    ch->lba = (uint64_t)lba * SECTORS_PER_BLOCK;
    ch->left = count * SECTORS_PER_BLOCK;
    ch->use = parts == PART_USER ? IDE_USE_PACKET_READ : IDE_USE_PACKET_RAW;
    d->atapi.raw_parts = parts;
    if (ch->use_dma) {
        ide_enter(ch, ch->use == IDE_USE_PACKET_READ ? IDE_DMA : IDE_READ);
    } else if (atapi_set_block_size(ch, (uint64_t)count * size)) {
        ide_ahead_command(ch, ch->lba, ch->left);
        ide_enter(ch, IDE_READ);
    }
}

uint32_t atapi_chunk(const struct ide_channel *ch)
{
    if (ch->use != IDE_USE_PACKET_RAW) {
        return IDE_BUFFER / IDE_SECTOR;
    }
    /* Through the buffer into guest memory in one step: kept short. */
    return ch->use_dma ? 8 * SECTORS_PER_BLOCK : IDE_BUFFER / RAW_SECTOR * SECTORS_PER_BLOCK;
}

uint32_t atapi_build_raw(struct ide_channel *ch, uint32_t bytes)
{
    uint8_t parts = ide_drive(ch)->atapi.raw_parts;
    uint32_t size = atapi_raw_size(parts), n = bytes / ATAPI_SECTOR;
    uint32_t first = (uint32_t)(ch->lba / SECTORS_PER_BLOCK) - n;
    uint8_t sector[CD_SECTOR];

    /* In place: what grows from the last one down, what shrinks from the first one up. */
    for (uint32_t k = 0; k < n; k++) {
        uint32_t i = size > ATAPI_SECTOR ? n - 1 - k : k;
        uint8_t *p = ch->buffer + (size_t)i * size;
        cd_sector_build(sector, first + i, ch->buffer + (size_t)i * ATAPI_SECTOR);
        if (parts & PART_SYNC) {
            memcpy(p, sector, CD_SECTOR_SYNC);
            p += CD_SECTOR_SYNC;
        }
        if (parts & PART_HEADER) {
            memcpy(p, sector + CD_SECTOR_SYNC, 4);
            p += 4;
        }
        if (parts & PART_USER) {
            memcpy(p, sector + CD_SECTOR_USER, ATAPI_SECTOR);
            p += ATAPI_SECTOR;
        }
        if (parts & PART_ECC) {
            memcpy(p, sector + CD_SECTOR_EDC, CD_SECTOR - CD_SECTOR_EDC);
        }
    }
    return n * size;
}

static void read10(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    read_blocks(ch, d, atapi_get32(cdb + 2), atapi_get16(cdb + 7), PART_USER);
}

/* READ HEADER: mode and address of a block, as the sector's own header has them. */
static void read_header(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    uint32_t lba = atapi_get32(cdb + 2);
    uint8_t *b = ch->buffer;

    if (lba >= atapi_blocks(d)) {
        atapi_check(ch, ILLEGAL_REQUEST, ASC_LBA_RANGE, 0);
        return;
    }
    memset(b, 0, 8);
    b[0] = 1;
    if (cdb[1] & 2) {
        atapi_put_msf(b + 5, lba);
    } else {
        atapi_put32(b + 4, lba);
    }
    atapi_reply(ch, 8, atapi_get16(cdb + 7));
}

/* VERIFY(10): what an image holds is what it holds. */
static void verify10(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    uint32_t lba = atapi_get32(cdb + 2), count = atapi_get16(cdb + 7);

    if (cdb[1] & 2) {
        atapi_invalid_field(ch); /* no comparison with the host's bytes */
    } else if (lba > atapi_blocks(d) || count > atapi_blocks(d) - lba) {
        atapi_check(ch, ILLEGAL_REQUEST, ASC_LBA_RANGE, 0);
    } else {
        atapi_finish(ch);
    }
}

/* PLAY AUDIO and its like: there are only data on the disc. */
static void no_audio(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    (void)d;
    (void)cdb;
    atapi_check(ch, ILLEGAL_REQUEST, ASC_TRACK_MODE, 0);
}

/* STOP PLAY/SCAN: nothing plays. */
static void stop_play(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    (void)d;
    (void)cdb;
    atapi_finish(ch);
}

static void read12(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    read_blocks(ch, d, atapi_get32(cdb + 2), atapi_get32(cdb + 6), PART_USER);
}

/* READ CD and READ CD MSF share all but the address. */
static void read_cd_range(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb,
                          uint32_t lba, uint32_t count)
{
    unsigned type = cdb[1] >> 2 & 7;

    if ((cdb[9] & PART_C2) || (cdb[10] & 7)) {
        atapi_invalid_field(ch); /* neither C2 pointers nor sub-channels */
    } else if (type == 1 || type > 2) {
        atapi_check(ch, ILLEGAL_REQUEST, ASC_TRACK_MODE, 0); /* all there is is mode 1 */
    } else {
        read_blocks(ch, d, lba, count, cdb[9] & (PART_SYNC | PART_HEADER | PART_USER | PART_ECC));
    }
}

static void read_cd(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    read_cd_range(ch, d, cdb, atapi_get32(cdb + 2), (uint32_t)cdb[6] << 16 | atapi_get16(cdb + 7));
}

static bool get_msf(const uint8_t *p, uint32_t *lba)
{
    uint32_t frames = ((uint32_t)p[0] * 60 + p[1]) * 75 + p[2];
    *lba = frames - 150;
    return p[1] < 60 && p[2] < 75 && frames >= 150;
}

static void read_cd_msf(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    uint32_t first, end;

    if (!get_msf(cdb + 3, &first) || !get_msf(cdb + 6, &end) || end < first) {
        atapi_invalid_field(ch);
    } else {
        read_cd_range(ch, d, cdb, first, end - first);
    }
}

static void seek(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    if (atapi_get32(cdb + 2) >= atapi_blocks(d)) {
        atapi_check(ch, ILLEGAL_REQUEST, ASC_LBA_RANGE, 0);
    } else {
        atapi_finish(ch);
    }
}

static void test_unit_ready(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    (void)d;
    (void)cdb;
    atapi_finish(ch);
}

/* --- Tray --- */

static void tray_moved(struct ide_channel *ch, const struct ide_drive *d)
{
    if (ch->tray_moved) {
        ch->tray_moved(ch->opaque, d->unit, d->atapi.tray_open);
    }
}

void atapi_medium_changed(struct ide_drive *d, bool present)
{
    d->atapi.tray_open = !present;
    if (present) {
        d->atapi.attention |= ATTENTION_MEDIUM;
        d->atapi.event = EVENT_NEW;
    } else {
        d->atapi.attention &= (uint8_t)~ATTENTION_MEDIUM;
        d->atapi.event = EVENT_REMOVAL;
    }
}

/* The host's drive has another medium, or none. */
static void other_medium(void *opaque)
{
    struct ide_drive *d = opaque;

    if (atapi_blocks(d)) {
        atapi_medium_changed(d, true);
    } else {
        d->atapi.attention &= (uint8_t)~ATTENTION_MEDIUM;
        d->atapi.event = EVENT_REMOVAL;
    }
}

void atapi_set_block(struct ide_drive *d, struct block *block)
{
    if (d->block) {
        block_unwatch(d->block, &d->watch);
    }
    d->block = block;
    d->watch.resized = other_medium;
    d->watch.opaque = d;
    if (block) {
        block_watch(block, &d->watch);
    }
}

bool atapi_eject_button(struct ide_drive *d, bool force)
{
    if (d->atapi.locked && !d->atapi.tray_open && !force) {
        d->atapi.event = EVENT_EJECT;
        return false;
    }
    return true;
}

static void start_stop(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    bool start = cdb[4] & 1, load_eject = cdb[4] & 2;

    if (cdb[4] >> 4) {
        /* A power condition: LoEj and Start do not count (MMC-3 6.1.38); nothing to spin down. */
        atapi_finish(ch);
        return;
    }
    if (load_eject && !start && !d->atapi.tray_open) {
        if (d->atapi.locked) {
            atapi_check(ch, ILLEGAL_REQUEST, ASC_REMOVAL, ASCQ_REMOVAL_LOCKED);
            return;
        }
        d->atapi.tray_open = true;
        d->atapi.attention &= (uint8_t)~ATTENTION_MEDIUM;
        d->atapi.event = EVENT_REMOVAL;
        block_tray(d->block, BLOCK_TRAY_OPEN);
        tray_moved(ch, d);
    } else if (load_eject && start && d->atapi.tray_open) {
        d->atapi.tray_open = false;
        block_tray(d->block, BLOCK_TRAY_CLOSE);
        if (atapi_ready(d)) {
            atapi_medium_changed(d, true);
        }
        tray_moved(ch, d);
    } else if (start && !load_eject && !atapi_ready(d)) {
        not_ready(ch);
        return;
    }
    atapi_finish(ch);
}

/* LOAD/UNLOAD MEDIUM of a drive without a changer: the tray. */
static void load_unload(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    uint8_t as_start_stop[12] = {0x1B, cdb[1], 0, 0, (uint8_t)(0x02 | (cdb[4] & 1))};

    if (cdb[8] || !(cdb[4] & 2)) {
        atapi_invalid_field(ch); /* another slot */
    } else {
        start_stop(ch, d, as_start_stop);
    }
}

static void prevent_allow(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    d->atapi.locked = cdb[4] & 1;
    block_tray(d->block, d->atapi.locked ? BLOCK_TRAY_LOCK : BLOCK_TRAY_UNLOCK);
    atapi_finish(ch);
}

/* --- Dispatch --- */

static const struct packet_command commands[256] = {
    [0x00] = {test_unit_ready, F_MEDIUM},
    [0x03] = {atapi_request_sense, F_ATTENTION},
    [0x12] = {atapi_inquiry, F_ATTENTION},
    [0x15] = {atapi_mode_select6, 0},
    [0x1A] = {atapi_mode_sense6, 0},
    [0x1B] = {start_stop, 0},
    [0x1E] = {prevent_allow, 0},
    [0x23] = {atapi_read_format_capacities, 0},
    [0x25] = {atapi_read_capacity, F_MEDIUM},
    [0x28] = {read10, F_MEDIUM},
    [0x2B] = {seek, F_MEDIUM},
    [0x2F] = {verify10, F_MEDIUM},
    [0x42] = {atapi_read_sub_channel, F_MEDIUM},
    [0x43] = {atapi_read_toc, F_MEDIUM},
    [0x44] = {read_header, F_MEDIUM},
    [0x45] = {no_audio, F_MEDIUM}, /* PLAY AUDIO(10) */
    [0x46] = {atapi_get_configuration, F_ATTENTION},
    [0x47] = {no_audio, F_MEDIUM}, /* PLAY AUDIO MSF */
    [0x4A] = {atapi_get_event_status, F_ATTENTION},
    [0x4B] = {no_audio, F_MEDIUM}, /* PAUSE/RESUME */
    [0x4E] = {stop_play, F_MEDIUM},
    [0x51] = {atapi_read_disc_information, F_MEDIUM},
    [0x52] = {atapi_read_track_information, F_MEDIUM},
    [0x55] = {atapi_mode_select, 0},
    [0x5A] = {atapi_mode_sense, 0},
    [0x5C] = {atapi_read_buffer_capacity, 0},
    [0xA5] = {no_audio, F_MEDIUM}, /* PLAY AUDIO(12) */
    [0xA6] = {load_unload, 0},
    [0xA8] = {read12, F_MEDIUM},
    [0xAC] = {atapi_get_performance, 0},
    [0xAD] = {atapi_read_dvd_structure, F_MEDIUM},
    [0xB9] = {read_cd_msf, F_MEDIUM},
    [0xBB] = {test_unit_ready, 0}, /* SET CD SPEED: any will do */
    [0xBD] = {atapi_mechanism_status, 0},
    [0xBE] = {read_cd, F_MEDIUM},
};

void atapi_execute(struct ide_channel *ch)
{
    struct ide_drive *d = ide_drive(ch);
    uint8_t *cdb = d->atapi.cdb;
    const struct packet_command *c;

    memcpy(cdb, ch->buffer, sizeof(d->atapi.cdb));
    c = &commands[cdb[0]];
    block_tray(d->block, BLOCK_TRAY_LOOK);
    if (!(c->flags & F_ATTENTION) && atapi_take_attention(d)) {
        atapi_check(ch, d->atapi.sense_key, d->atapi.asc, d->atapi.ascq);
        return;
    }
    if (cdb[0] != 0x03) {
        atapi_set_sense(d, 0, 0, 0);
    }
    if (!c->run) {
        atapi_check(ch, ILLEGAL_REQUEST, ASC_INVALID_OPCODE, 0);
    } else if ((c->flags & F_MEDIUM) && !atapi_ready(d)) {
        not_ready(ch);
    } else {
        c->run(ch, d, cdb);
    }
}

void atapi_packet(struct ide_channel *ch)
{
    struct ide_drive *d = ide_drive(ch);

    if (d->feature[0] & 0x02) {
        ide_fail(ch, IDE_ERROR_ABRT); /* no overlapped operation */
        return;
    }
    ch->use_dma = d->feature[0] & 0x01;
    d->atapi.byte_limit = (uint16_t)(d->lba_mid[0] | d->lba_high[0] << 8);
    d->count[0] = IDE_REASON_CD;
    ch->use = IDE_USE_CDB;
    ch->drq_size = sizeof(d->atapi.cdb);
    ide_data_out(ch, sizeof(d->atapi.cdb), false); /* "50 us" DRQ: no interrupt */
}

void atapi_power_on(struct ide_drive *d)
{
    d->atapi.recovery[0] = 0;
    d->atapi.recovery[1] = 5; /* retries */
    if (d->atapi.locked) {
        block_tray(d->block, BLOCK_TRAY_UNLOCK);
    }
    d->atapi.locked = false;
    atapi_set_sense(d, 0, 0, 0);
}

void atapi_identify(const struct ide_drive *d, bool serial, uint8_t *data)
{
    uint16_t features = 0x4218; /* NOP, DEVICE RESET, PACKET, power management */
    uint16_t extended = (uint16_t)(0x4000 | (d->wwn ? 0x0100 : 0));

    ata_identify_word(data, 0, 0x85C0); /* CD-ROM, removable, DRQ within 50 us, 12-byte packets */
    ata_identify_word(data, 71, 30);    /* ns: PACKET to bus release, SERVICE to BSY clear */
    ata_identify_word(data, 72, 30);
    ata_identify_word(data, 82, features);
    ata_identify_word(data, 83, 0x4000);
    ata_identify_word(data, 84, extended);
    ata_identify_word(data, 85, features);
    ata_identify_word(data, 87, extended);
    ata_identify_common(d, serial, data);
}
