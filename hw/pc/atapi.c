/* SPDX-License-Identifier: GPL-2.0-or-later */
/* atapi: packet commands of a CD/DVD-ROM drive (see atapi.h). */
#include "hw/pc/atapi.h"

#include <errno.h>
#include <string.h>

#include "hw/pc/ata.h"

/* Sense keys (SPC-3 table 27) */
#define NOT_READY       0x02
#define MEDIUM_ERROR    0x03
#define ILLEGAL_REQUEST 0x05
#define UNIT_ATTENTION  0x06

/* Additional sense codes (SPC-3 annex D) */
#define ASC_READ_ERROR      0x11
#define ASC_PARAMETER_LIST  0x1A
#define ASC_INVALID_OPCODE  0x20
#define ASC_LBA_RANGE       0x21
#define ASC_INVALID_FIELD   0x24
#define ASC_INVALID_PARAM   0x26
#define ASC_MEDIUM_CHANGED  0x28
#define ASC_POWER_ON        0x29
#define ASC_FORMAT          0x30
#define ASC_NO_SAVED        0x39
#define ASC_NO_MEDIUM       0x3A
#define ASC_REMOVAL         0x53
#define ASC_TRACK_MODE      0x64
#define ASCQ_TRAY_CLOSED    0x01
#define ASCQ_TRAY_OPEN      0x02
#define ASCQ_REMOVAL_LOCKED 0x02
#define ASCQ_CANNOT_READ    0x02

/* Unit attention conditions pending */
#define ATTENTION_POWER_ON 0x01
#define ATTENTION_MEDIUM   0x02

/* Media events (MMC-3 table 139) */
#define EVENT_NONE    0
#define EVENT_EJECT   1
#define EVENT_NEW     2
#define EVENT_REMOVAL 3

#define SECTORS_PER_BLOCK (ATAPI_SECTOR / IDE_SECTOR)
#define MAX_BLOCKS        0x3FFFFFFFu /* so that 512-byte sectors count in 32 bits */
#define CD_BLOCKS         360000u     /* 80 minutes; a longer image is a DVD */
#define LEAD_OUT          0xAA
#define RAW_SECTOR        2352u
#define DATA_TRACK        0x14 /* ADR 1, control 4: data, uninterrupted */

/* READ CD, byte 9 of the CDB (MMC-3 table 246) */
#define PART_SYNC   0x80
#define PART_HEADER 0x20
#define PART_USER   0x10
#define PART_ECC    0x08
#define PART_C2     0x06

#define F_MEDIUM    0x01 /* needs a medium */
#define F_ATTENTION 0x02 /* executed even with a unit attention pending */

struct packet_command {
    void (*run)(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb);
    unsigned flags;
};

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
    put16(p, v >> 16);
    put16(p + 2, v);
}

static uint32_t blocks(const struct ide_drive *d)
{
    uint64_t n = ide_sectors(d) / SECTORS_PER_BLOCK;
    return n < MAX_BLOCKS ? (uint32_t)n : MAX_BLOCKS;
}

static bool ready(const struct ide_drive *d)
{
    return d->block && !d->atapi.tray_open && blocks(d);
}

static bool is_dvd(const struct ide_drive *d)
{
    return blocks(d) > CD_BLOCKS;
}

/* --- How a packet command ends --- */

static void set_sense(struct ide_drive *d, uint8_t key, uint8_t asc, uint8_t ascq)
{
    d->atapi.sense_key = key;
    d->atapi.asc = asc;
    d->atapi.ascq = ascq;
}

/* CHECK CONDITION: the sense key shows in the error register's upper half (SFF-8020i 5.4). */
static void check(struct ide_channel *ch, uint8_t key, uint8_t asc, uint8_t ascq)
{
    struct ide_drive *d = ide_drive(ch);

    set_sense(d, key, asc, ascq);
    ch->left = 0;
    ide_fail(ch, (uint8_t)(key << 4 | (key == ILLEGAL_REQUEST ? IDE_ERROR_ABRT : 0)));
    d->count[0] = IDE_REASON_IO | IDE_REASON_CD;
}

static void invalid_field(struct ide_channel *ch)
{
    check(ch, ILLEGAL_REQUEST, ASC_INVALID_FIELD, 0);
}

static void not_ready(struct ide_channel *ch)
{
    check(ch, NOT_READY, ASC_NO_MEDIUM,
          ide_drive(ch)->atapi.tray_open ? ASCQ_TRAY_OPEN : ASCQ_TRAY_CLOSED);
}

void atapi_finish(struct ide_channel *ch)
{
    ide_finish(ch);
    ide_drive(ch)->count[0] = IDE_REASON_IO | IDE_REASON_CD;
}

/* Takes the most important unit attention into sense data; false: none is pending. */
static bool take_attention(struct ide_drive *d)
{
    if (d->atapi.attention & ATTENTION_POWER_ON) {
        d->atapi.attention &= (uint8_t)~ATTENTION_POWER_ON;
        set_sense(d, UNIT_ATTENTION, ASC_POWER_ON, 0);
    } else if (d->atapi.attention & ATTENTION_MEDIUM) {
        d->atapi.attention &= (uint8_t)~ATTENTION_MEDIUM;
        set_sense(d, UNIT_ATTENTION, ASC_MEDIUM_CHANGED, 0);
    } else {
        return false;
    }
    return true;
}

void atapi_medium_error(struct ide_channel *ch, int error)
{
    struct ide_drive *d = ide_drive(ch);

    if (error == ENOMEDIUM && ready(d) && take_attention(d)) {
        check(ch, d->atapi.sense_key, d->atapi.asc, d->atapi.ascq); /* another disc is in */
    } else if (error == ENOMEDIUM) {
        not_ready(ch);
    } else if (error == EINVAL) {
        check(ch, ILLEGAL_REQUEST, ASC_LBA_RANGE, 0);
    } else {
        check(ch, MEDIUM_ERROR, ASC_READ_ERROR, 0);
    }
}

/*
 * How much one DRQ block carries when `bytes` in units of `unit` are to move by PIO: the host's
 * byte count limit, even unless it all fits (SFF-8020i 5.5), and whole units if it can be. False: a
 * limit nothing can be moved with; the command is then aborted.
 */
static bool set_block_size(struct ide_channel *ch, uint64_t bytes, uint32_t unit)
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
        invalid_field(ch);
        return false;
    }
    if (limit > unit) {
        limit -= limit % unit;
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
static void reply(struct ide_channel *ch, uint32_t length, uint32_t allocation)
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
    } else if (set_block_size(ch, length, 2)) {
        ide_data_in(ch, length + ch->odd, true);
    }
}

/* --- Sectors --- */

static uint32_t raw_size(uint8_t parts)
{
    return (parts & PART_SYNC ? 12 : 0) + (parts & PART_HEADER ? 4 : 0) +
           (parts & PART_USER ? ATAPI_SECTOR : 0) + (parts & PART_ECC ? 288 : 0);
}

static void read_blocks(struct ide_channel *ch, struct ide_drive *d, uint32_t lba, uint32_t count,
                        uint8_t parts)
{
    uint32_t size = raw_size(parts);

    if (lba >= blocks(d) || count > blocks(d) - lba) {
        check(ch, ILLEGAL_REQUEST, ASC_LBA_RANGE, 0);
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
    } else if (set_block_size(ch, (uint64_t)count * size, size)) {
        ide_enter(ch, IDE_READ);
    }
}

uint32_t atapi_chunk(const struct ide_channel *ch)
{
    if (ch->use != IDE_USE_PACKET_RAW) {
        return IDE_BUFFER / IDE_SECTOR;
    }
    /* Through the buffer into guest memory in one step: kept short. */
    return ch->use_dma ? 16 * SECTORS_PER_BLOCK : IDE_BUFFER / RAW_SECTOR * SECTORS_PER_BLOCK;
}

static uint8_t bcd(uint32_t v)
{
    return (uint8_t)((v / 10 % 10) << 4 | v % 10);
}

/* Minute, second, frame; the first block of a disc is at 00:02:00. */
static void put_msf(uint8_t *p, uint32_t lba)
{
    lba += 150;
    p[0] = (uint8_t)(lba / 75 / 60);
    p[1] = (uint8_t)(lba / 75 % 60);
    p[2] = (uint8_t)(lba % 75);
}

uint32_t atapi_build_raw(struct ide_channel *ch, uint32_t bytes)
{
    uint8_t parts = ide_drive(ch)->atapi.raw_parts;
    uint32_t size = raw_size(parts), n = bytes / ATAPI_SECTOR;
    uint32_t first = (uint32_t)(ch->lba / SECTORS_PER_BLOCK) - n;

    /* From the last one down: user data only move up. Without them there is nothing to keep. */
    for (uint32_t i = n; i-- > 0;) {
        uint8_t *p = ch->buffer + (size_t)i * size, *head = p;
        uint32_t before = (parts & PART_SYNC ? 12 : 0) + (parts & PART_HEADER ? 4 : 0);
        if (parts & PART_USER) {
            memmove(p + before, ch->buffer + (size_t)i * ATAPI_SECTOR, ATAPI_SECTOR);
        }
        if (parts & PART_SYNC) {
            memset(head, 0xFF, 12);
            head[0] = head[11] = 0;
            head += 12;
        }
        if (parts & PART_HEADER) {
            put_msf(head, first + i);
            for (unsigned k = 0; k < 3; k++) {
                head[k] = bcd(head[k]);
            }
            head[3] = 1; /* mode 1 */
        }
        if (parts & PART_ECC) {
            memset(p + size - 288, 0, 288);
        }
    }
    return n * size;
}

static void read10(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    read_blocks(ch, d, get32(cdb + 2), get16(cdb + 7), PART_USER);
}

static void read12(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    read_blocks(ch, d, get32(cdb + 2), get32(cdb + 6), PART_USER);
}

/* READ CD and READ CD MSF share all but the address. */
static void read_cd_range(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb,
                          uint32_t lba, uint32_t count)
{
    unsigned type = cdb[1] >> 2 & 7;

    if ((cdb[9] & PART_C2) || (cdb[10] & 7)) {
        invalid_field(ch); /* neither C2 pointers nor sub-channels */
    } else if (type == 1 || type > 2) {
        check(ch, ILLEGAL_REQUEST, ASC_TRACK_MODE, 0); /* all there is is mode 1 */
    } else {
        read_blocks(ch, d, lba, count, cdb[9] & (PART_SYNC | PART_HEADER | PART_USER | PART_ECC));
    }
}

static void read_cd(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    read_cd_range(ch, d, cdb, get32(cdb + 2), (uint32_t)cdb[6] << 16 | get16(cdb + 7));
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
        invalid_field(ch);
    } else {
        read_cd_range(ch, d, cdb, first, end - first);
    }
}

static void seek(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    if (get32(cdb + 2) >= blocks(d)) {
        check(ch, ILLEGAL_REQUEST, ASC_LBA_RANGE, 0);
    } else {
        atapi_finish(ch);
    }
}

/* --- What the drive is --- */

static void inquiry_page(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    uint8_t *b = ch->buffer;

    b[0] = 0x05;
    b[1] = cdb[2];
    switch (cdb[2]) {
    case 0x00: /* supported pages */
        b[3] = 3;
        b[5] = 0x80;
        b[6] = 0x83;
        break;
    case 0x80: /* unit serial number */
        b[3] = sizeof(d->serial);
        memcpy(b + 4, d->serial, sizeof(d->serial));
        break;
    case 0x83: /* one designator: ASCII, vendor-specific, of the logical unit */
        b[3] = 4 + sizeof(d->serial);
        b[4] = 2;
        b[7] = sizeof(d->serial);
        memcpy(b + 8, d->serial, sizeof(d->serial));
        break;
    default:
        invalid_field(ch);
        return;
    }
    reply(ch, 4u + b[3], get16(cdb + 3));
}

static void put_text(uint8_t *to, size_t room, const char *from, size_t len)
{
    memset(to, ' ', room);
    memcpy(to, from, len < room ? len : room);
}

static void inquiry(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    uint8_t *b = ch->buffer;

    memset(b, 0, 64);
    if (cdb[1] & 1) {
        inquiry_page(ch, d, cdb);
        return;
    }
    if (cdb[2]) {
        invalid_field(ch);
        return;
    }
    b[0] = 0x05; /* CD/DVD */
    b[1] = 0x80; /* removable */
    b[3] = 0x21; /* ATAPI version 2, response format 1 (SFF-8020i 10.8.1) */
    b[4] = 31;
    put_text(b + 8, 8, "QEMU", 4); /* as IDENTIFY's model: see docs/devices/ide.md */
    put_text(b + 16, 16, d->model, 16);
    put_text(b + 32, 4, d->firmware, 4);
    reply(ch, 36, get16(cdb + 3));
}

static void request_sense(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    uint8_t *b = ch->buffer;

    if (!d->atapi.sense_key) {
        take_attention(d);
    }
    memset(b, 0, 18);
    b[0] = 0x70; /* current error, fixed format */
    b[2] = d->atapi.sense_key;
    b[7] = 10;
    b[12] = d->atapi.asc;
    b[13] = d->atapi.ascq;
    set_sense(d, 0, 0, 0);
    reply(ch, 18, cdb[4]);
}

static void test_unit_ready(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    (void)d;
    (void)cdb;
    atapi_finish(ch);
}

/* Features and profiles of MMC-6, 5.2 and 5.3. */
static void get_configuration(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    bool medium = ready(d), dvd = medium && is_dvd(d), cd = medium && !dvd;
    struct feature {
        uint16_t code;
        uint8_t version; /* << 2 | persistent << 1 */
        bool current;
        uint8_t length;
        uint8_t data[8];
    } features[] = {
        {0x0000, 0x02, true, 8, {0x00, 0x10, dvd, 0, 0x00, 0x08, cd, 0}}, /* profiles */
        {0x0001, 0x06, true, 8, {0, 0, 0, 2, 1, 0, 0, 0}},                /* core: ATAPI, DBE */
        {0x0003, 0x02, true, 4, {0x29, 0, 0, 0}},            /* removable: tray, eject, lock */
        {0x0010, 0x00, medium, 8, {0, 0, 8, 0, 0, 1, 0, 0}}, /* random readable, 2048 bytes */
        {0x001E, 0x00, cd, 4, {0}},                          /* CD read */
        {0x001F, 0x00, dvd, 0, {0}},                         /* DVD read */
        {0x0100, 0x02, true, 0, {0}},                        /* power management */
        {0x0105, 0x02, true, 0, {0}},                        /* timeout */
    };
    unsigned rt = cdb[1] & 3, start = get16(cdb + 2);
    uint8_t *b = ch->buffer;
    uint32_t n = 8;

    if (rt == 3) {
        invalid_field(ch);
        return;
    }
    memset(b, 0, n);
    put16(b + 6, dvd ? 0x0010 : cd ? 0x0008 : 0);
    for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
        const struct feature *f = &features[i];
        if (rt == 2 ? f->code != start : f->code < start || (rt == 1 && !f->current)) {
            continue;
        }
        put16(b + n, f->code);
        b[n + 2] = f->version | f->current;
        b[n + 3] = f->length;
        memcpy(b + n + 4, f->data, f->length);
        n += 4u + f->length;
    }
    put32(b, n - 4);
    reply(ch, n, get16(cdb + 7));
}

/* One mode page; returns its length, 0: no such page. */
static uint32_t mode_page(const struct ide_drive *d, uint8_t page, bool changeable, uint8_t *b)
{
    switch (page) {
    case 0x01: /* read error recovery */
        memset(b, 0, 8);
        b[0] = page;
        b[1] = 6;
        b[2] = changeable ? 0xFF : d->atapi.recovery[0];
        b[3] = changeable ? 0xFF : d->atapi.recovery[1];
        return 8;
    case 0x2A: /* capabilities and mechanical status (MMC-3 5.5.10) */
        memset(b, 0, 22);
        b[0] = page;
        b[1] = 20;
        if (changeable) {
            return 22;
        }
        b[2] = 0x3B; /* reads CD-R, CD-RW, DVD-ROM, DVD-R, DVD-RAM */
        b[4] = 0x70; /* mode 2 form 1 and 2, multi-session */
        b[6] = (uint8_t)(0x29 | (d->atapi.locked ? 0x02 : 0)); /* tray; ejects; locks */
        put16(b + 8, 50 * 176);                                /* kB/s, most */
        put16(b + 12, 512);                                    /* KiB of buffer */
        put16(b + 14, 50 * 176);
        return 22;
    default:
        return 0;
    }
}

static void mode_sense(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    static const uint8_t pages[] = {0x01, 0x2A};
    uint8_t page = cdb[2] & 0x3F, control = cdb[2] >> 6;
    uint8_t *b = ch->buffer;
    uint32_t n = 8;

    if (control == 3) {
        check(ch, ILLEGAL_REQUEST, ASC_NO_SAVED, 0);
        return;
    }
    memset(b, 0, n);
    b[2] = d->atapi.tray_open ? 0x71 : ready(d) ? 0x01 : 0x70; /* medium type (SFF-8020i) */
    for (size_t i = 0; i < sizeof(pages); i++) {
        if (page == 0x3F || page == pages[i]) {
            n += mode_page(d, pages[i], control == 1, b + n);
        }
    }
    if (n == 8) {
        invalid_field(ch);
        return;
    }
    put16(b, n - 2);
    reply(ch, n, get16(cdb + 7));
}

static void mode_select(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    uint32_t length = get16(cdb + 7);
    (void)d;

    if (cdb[1] & 1) {
        invalid_field(ch); /* nothing can be saved */
        return;
    }
    if (!length) {
        atapi_finish(ch);
        return;
    }
    ch->use = IDE_USE_PACKET_PARAM;
    ch->writing = true;
    ch->odd = length & 1;
    if (ch->use_dma) {
        ch->pos = 0;
        ch->length = length + ch->odd;
        ide_enter(ch, IDE_DMA_BUFFER);
    } else if (set_block_size(ch, length, 2)) {
        ide_data_out(ch, length + ch->odd, true);
    }
}

void atapi_parameters(struct ide_channel *ch)
{
    struct ide_drive *d = ide_drive(ch);
    const uint8_t *b = ch->buffer;
    uint32_t end = ch->length - ch->odd;
    uint32_t pos = end >= 8 ? 8u + get16(b + 6) : UINT32_MAX;
    uint8_t recovery[2] = {d->atapi.recovery[0], d->atapi.recovery[1]};

    while (pos < end) {
        if (end - pos < 2 || end - pos - 2 < b[pos + 1]) {
            pos = UINT32_MAX;
            break;
        }
        if ((b[pos] & 0x3F) == 0x01 && b[pos + 1] >= 2) {
            recovery[0] = b[pos + 2];
            recovery[1] = b[pos + 3];
        } else if ((b[pos] & 0x3F) != 0x2A) {
            check(ch, ILLEGAL_REQUEST, ASC_INVALID_PARAM, 0);
            return;
        }
        pos += 2u + b[pos + 1];
    }
    if (pos > end) {
        check(ch, ILLEGAL_REQUEST, ASC_PARAMETER_LIST, 0);
        return;
    }
    memcpy(d->atapi.recovery, recovery, sizeof(recovery));
    atapi_finish(ch);
}

/* --- What the disc is --- */

static void read_capacity(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    (void)cdb;
    put32(ch->buffer, blocks(d) - 1);
    put32(ch->buffer + 4, ATAPI_SECTOR);
    reply(ch, 8, 8);
}

static void put_toc_address(uint8_t *p, uint32_t lba, bool msf)
{
    if (msf) {
        p[0] = 0;
        put_msf(p + 1, lba);
    } else {
        put32(p, lba);
    }
}

static uint32_t toc_track(uint8_t *b, uint8_t track, uint32_t lba, bool msf)
{
    memset(b, 0, 8);
    b[1] = DATA_TRACK;
    b[2] = track;
    put_toc_address(b + 4, lba, msf);
    return 8;
}

/* An entry of the full TOC: what the Q sub-channel of the lead-in says (MMC-3 table 239). */
static uint32_t toc_point(uint8_t *b, uint8_t point, uint8_t m, uint8_t s, uint8_t f)
{
    memset(b, 0, 11);
    b[0] = 1; /* session */
    b[1] = DATA_TRACK;
    b[3] = point;
    b[8] = m;
    b[9] = s;
    b[10] = f;
    return 11;
}

static void read_toc(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    uint8_t format = cdb[2] & 0xF, track = cdb[6], *b = ch->buffer, end[3];
    bool msf = cdb[1] & 2;
    uint32_t n = 4;

    if (!format) {
        format = cdb[9] >> 6; /* where SFF-8020i had it */
    }
    b[2] = b[3] = 1; /* first and last track or session */
    switch (format) {
    case 0:
        if (track > 1 && track != LEAD_OUT) {
            invalid_field(ch);
            return;
        }
        if (track <= 1) {
            n += toc_track(b + n, 1, 0, msf);
        }
        n += toc_track(b + n, LEAD_OUT, blocks(d), msf);
        break;
    case 1:
        n += toc_track(b + n, 1, 0, msf);
        break;
    case 2:
        put_msf(end, blocks(d));
        n += toc_point(b + n, 0xA0, 1, 0, 0);
        n += toc_point(b + n, 0xA1, 1, 0, 0);
        n += toc_point(b + n, 0xA2, end[0], end[1], end[2]);
        n += toc_point(b + n, 1, 0, 2, 0);
        break;
    default:
        invalid_field(ch);
        return;
    }
    put16(b, n - 2);
    reply(ch, n, get16(cdb + 7));
}

static void read_sub_channel(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    uint8_t *b = ch->buffer;
    uint32_t n = 4;
    (void)d;

    memset(b, 0, 24);
    b[1] = 0x15; /* no audio status */
    if (cdb[2] & 0x40) {
        switch (cdb[3]) {
        case 1: /* current position */
            n = 16;
            b[5] = DATA_TRACK;
            b[6] = b[7] = 1;
            put_toc_address(b + 8, 0, cdb[1] & 2);
            break;
        case 2: /* catalogue number, ISRC: none */
        case 3:
            n = 24;
            break;
        default:
            invalid_field(ch);
            return;
        }
        b[4] = cdb[3];
    }
    put16(b + 2, n - 4);
    reply(ch, n, get16(cdb + 7));
}

static void read_disc_information(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    uint8_t *b = ch->buffer;
    (void)d;

    if (cdb[1] & 7) {
        invalid_field(ch);
        return;
    }
    memset(b, 0, 34);
    put16(b, 32);
    b[2] = 0x0E;                   /* disc and last session complete, not erasable */
    b[3] = b[4] = b[5] = b[6] = 1; /* first track, sessions, tracks of the last one */
    b[7] = 0x20;                   /* unrestricted use */
    memset(b + 16, 0xFF, 8);       /* no further session: no lead-in, no lead-out */
    reply(ch, 34, get16(cdb + 7));
}

static void read_track_information(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    uint32_t where = get32(cdb + 2);
    uint8_t *b = ch->buffer;

    if ((cdb[1] & 3) == 0 ? where >= blocks(d) : (cdb[1] & 3) == 3 || where != 1) {
        invalid_field(ch);
        return;
    }
    memset(b, 0, 36);
    put16(b, 34);
    b[2] = b[3] = 1; /* track, session */
    b[5] = 0x04;     /* data */
    b[6] = 0x01;     /* mode 1 */
    put32(b + 24, blocks(d));
    reply(ch, 36, get16(cdb + 7));
}

static void read_dvd_structure(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    static const uint8_t formats[] = {0x00, 0x01, 0x04};
    uint8_t *b = ch->buffer;
    uint32_t n;

    if (!is_dvd(d)) {
        check(ch, ILLEGAL_REQUEST, ASC_FORMAT, ASCQ_CANNOT_READ);
        return;
    }
    if (cdb[6]) {
        invalid_field(ch); /* one layer */
        return;
    }
    memset(b, 0, 4 + ATAPI_SECTOR);
    switch (cdb[7]) {
    case 0x00:       /* physical format */
        b[4] = 0x01; /* DVD-ROM */
        b[5] = 0x0F; /* 120 mm, rate not specified */
        b[6] = 0x01; /* one layer, read only */
        put32(b + 8, 0x030000);
        put32(b + 12, 0x030000 + blocks(d) - 1);
        n = 4 + ATAPI_SECTOR;
        break;
    case 0x01: /* copyright: none */
        n = 8;
        break;
    case 0x04: /* manufacturing: empty */
        n = 4 + ATAPI_SECTOR;
        break;
    case 0xFF: /* the formats there are */
        n = 4;
        for (size_t i = 0; i < sizeof(formats); i++) {
            b[n] = formats[i];
            b[n + 1] = 0x40; /* readable */
            put16(b + n + 2, formats[i] == 0x01 ? 8 : 4 + ATAPI_SECTOR);
            n += 4;
        }
        break;
    default:
        invalid_field(ch);
        return;
    }
    put16(b, n - 2);
    reply(ch, n, get16(cdb + 8));
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
            check(ch, ILLEGAL_REQUEST, ASC_REMOVAL, ASCQ_REMOVAL_LOCKED);
            return;
        }
        d->atapi.tray_open = true;
        d->atapi.attention &= (uint8_t)~ATTENTION_MEDIUM;
        d->atapi.event = EVENT_REMOVAL;
        tray_moved(ch, d);
    } else if (load_eject && start && d->atapi.tray_open) {
        d->atapi.tray_open = false;
        if (d->block) {
            atapi_medium_changed(d, true);
        }
        tray_moved(ch, d);
    } else if (start && !load_eject && !ready(d)) {
        not_ready(ch);
        return;
    }
    atapi_finish(ch);
}

static void prevent_allow(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    d->atapi.locked = cdb[4] & 1;
    atapi_finish(ch);
}

static void mechanism_status(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    uint8_t *b = ch->buffer;

    memset(b, 0, 8);
    b[1] = d->atapi.tray_open ? 0x10 : 0;
    b[5] = 1; /* slots; no slot table */
    reply(ch, 8, get16(cdb + 8));
}

static void get_event_status(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    uint8_t *b = ch->buffer;
    uint32_t n = 4;

    if (!(cdb[1] & 1)) {
        invalid_field(ch); /* only polled operation */
        return;
    }
    memset(b, 0, 8);
    b[2] = 0x80; /* no event of a class we have was asked for */
    b[3] = 0x10; /* the class we have: media */
    if (cdb[4] & 0x10) {
        n = 8;
        b[2] = 4;
        b[4] = d->atapi.event;
        b[5] = (uint8_t)((d->atapi.tray_open ? 1 : 0) | (ready(d) ? 2 : 0));
        if (get16(cdb + 7) > 4) {
            d->atapi.event = EVENT_NONE; /* the host has got it */
        }
    }
    put16(b, n - 2);
    reply(ch, n, get16(cdb + 7));
}

/* --- Dispatch --- */

static const struct packet_command commands[256] = {
    [0x00] = {test_unit_ready, F_MEDIUM},
    [0x03] = {request_sense, F_ATTENTION},
    [0x12] = {inquiry, F_ATTENTION},
    [0x1B] = {start_stop, 0},
    [0x1E] = {prevent_allow, 0},
    [0x25] = {read_capacity, F_MEDIUM},
    [0x28] = {read10, F_MEDIUM},
    [0x2B] = {seek, F_MEDIUM},
    [0x42] = {read_sub_channel, F_MEDIUM},
    [0x43] = {read_toc, F_MEDIUM},
    [0x46] = {get_configuration, F_ATTENTION},
    [0x4A] = {get_event_status, F_ATTENTION},
    [0x51] = {read_disc_information, F_MEDIUM},
    [0x52] = {read_track_information, F_MEDIUM},
    [0x55] = {mode_select, 0},
    [0x5A] = {mode_sense, 0},
    [0xA8] = {read12, F_MEDIUM},
    [0xAD] = {read_dvd_structure, F_MEDIUM},
    [0xB9] = {read_cd_msf, F_MEDIUM},
    [0xBB] = {test_unit_ready, 0}, /* SET CD SPEED: any will do */
    [0xBD] = {mechanism_status, 0},
    [0xBE] = {read_cd, F_MEDIUM},
};

void atapi_execute(struct ide_channel *ch)
{
    struct ide_drive *d = ide_drive(ch);
    uint8_t *cdb = d->atapi.cdb;
    const struct packet_command *c;

    memcpy(cdb, ch->buffer, sizeof(d->atapi.cdb));
    c = &commands[cdb[0]];
    if (!(c->flags & F_ATTENTION) && take_attention(d)) {
        check(ch, d->atapi.sense_key, d->atapi.asc, d->atapi.ascq);
        return;
    }
    if (cdb[0] != 0x03) {
        set_sense(d, 0, 0, 0);
    }
    if (!c->run) {
        check(ch, ILLEGAL_REQUEST, ASC_INVALID_OPCODE, 0);
    } else if ((c->flags & F_MEDIUM) && !ready(d)) {
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
    d->atapi.attention = ATTENTION_POWER_ON;
    d->atapi.recovery[1] = 5; /* retries */
}

void atapi_identify(const struct ide_drive *d, uint8_t *data)
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
    ata_identify_common(d, data);
}
