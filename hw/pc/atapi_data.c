/* SPDX-License-Identifier: GPL-2.0-or-later */
/* atapi_data: the packet commands that say what the drive and the disc in it are (see atapi.h). */
#include <string.h>

#include "hw/pc/atapi_int.h"

#define MODE_LIST_MAX 4096u /* bounds the work of one MODE SELECT; all pages take 38 */

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
        atapi_invalid_field(ch);
        return;
    }
    atapi_reply(ch, 4u + b[3], atapi_get16(cdb + 3));
}

static void put_text(uint8_t *to, size_t room, const char *from, size_t len)
{
    memset(to, ' ', room);
    memcpy(to, from, len < room ? len : room);
}

void atapi_inquiry(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    uint8_t *b = ch->buffer;

    memset(b, 0, 64);
    if (cdb[1] & 1) {
        inquiry_page(ch, d, cdb);
        return;
    }
    if (cdb[2]) {
        atapi_invalid_field(ch);
        return;
    }
    b[0] = 0x05; /* CD/DVD */
    b[1] = 0x80; /* removable */
    b[3] = 0x21; /* ATAPI version 2, response format 1 (SFF-8020i 10.8.1) */
    b[4] = 31;
    put_text(b + 8, 8, "QEMU", 4); /* as IDENTIFY's model: see docs/devices/ide.md */
    put_text(b + 16, 16, d->model, 16);
    put_text(b + 32, 4, d->firmware, 4);
    atapi_reply(ch, 36, atapi_get16(cdb + 3));
}

void atapi_request_sense(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    uint8_t *b = ch->buffer;

    if (!d->atapi.sense_key) {
        atapi_take_attention(d);
    }
    memset(b, 0, 18);
    b[0] = 0x70; /* current error, fixed format */
    b[2] = d->atapi.sense_key;
    b[7] = 10;
    b[12] = d->atapi.asc;
    b[13] = d->atapi.ascq;
    atapi_set_sense(d, 0, 0, 0);
    atapi_reply(ch, 18, cdb[4]);
}

/* Features and profiles of MMC-6, 5.2 and 5.3. */
void atapi_get_configuration(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    bool medium = atapi_ready(d), dvd = medium && atapi_is_dvd(d), cd = medium && !dvd;
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
    unsigned rt = cdb[1] & 3, start = atapi_get16(cdb + 2);
    uint8_t *b = ch->buffer;
    uint32_t n = 8;

    if (rt == 3) {
        atapi_invalid_field(ch);
        return;
    }
    memset(b, 0, n);
    atapi_put16(b + 6, dvd ? 0x0010 : cd ? 0x0008 : 0);
    for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
        const struct feature *f = &features[i];
        if (rt == 2 ? f->code != start : f->code < start || (rt == 1 && !f->current)) {
            continue;
        }
        atapi_put16(b + n, f->code);
        b[n + 2] = f->version | f->current;
        b[n + 3] = f->length;
        memcpy(b + n + 4, f->data, f->length);
        n += 4u + f->length;
    }
    atapi_put32(b, n - 4);
    atapi_reply(ch, n, atapi_get16(cdb + 7));
}

#define SPEED      (50 * 176u) /* kB/s: 50 times a CD's */
#define BUFFER_KIB 512u

#define MODE_PAGE_MAX 22u

/* One mode page; returns its length, 0: no such page. MMC-3 5.5; SPC-3 7.4 for 1Ah. */
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
    case 0x0D: /* CD device parameters */
        memset(b, 0, 8);
        b[0] = page;
        b[1] = 6;
        if (!changeable) {
            b[5] = 60; /* seconds in a minute, frames in a second */
            b[7] = 75;
        }
        return 8;
    case 0x0E: /* CD audio control: no output port is connected */
        memset(b, 0, 16);
        b[0] = page;
        b[1] = 14;
        if (!changeable) {
            b[2] = 0x04; /* immediate: always 1 */
        }
        return 16;
    case 0x1A: /* power condition: no timers */
        memset(b, 0, 12);
        b[0] = page;
        b[1] = 10;
        return 12;
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
        atapi_put16(b + 8, SPEED);
        atapi_put16(b + 12, BUFFER_KIB);
        atapi_put16(b + 14, SPEED);
        return 22;
    default:
        return 0;
    }
}

/* The pages after a header of `header` bytes; the length of all, or 0: refused. */
static uint32_t mode_pages(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb,
                           uint32_t header)
{
    static const uint8_t pages[] = {0x01, 0x0D, 0x0E, 0x1A, 0x2A};
    uint8_t page = cdb[2] & 0x3F, control = cdb[2] >> 6;
    uint32_t n = header;

    if (control == 3) {
        atapi_check(ch, ILLEGAL_REQUEST, ASC_NO_SAVED, 0);
        return 0;
    }
    memset(ch->buffer, 0, n);
    for (size_t i = 0; i < sizeof(pages); i++) {
        if (page == 0x3F || page == pages[i]) {
            n += mode_page(d, pages[i], control == 1, ch->buffer + n);
        }
    }
    if (n > header) {
        return n;
    }
    atapi_invalid_field(ch);
    return 0;
}

/* SFF-8020i table 70 */
static uint8_t medium_type(const struct ide_drive *d)
{
    return d->atapi.tray_open ? 0x71 : atapi_ready(d) ? 0x01 : 0x70;
}

void atapi_mode_sense(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    uint32_t n = mode_pages(ch, d, cdb, 8);

    if (n) {
        atapi_put16(ch->buffer, n - 2);
        ch->buffer[2] = medium_type(d);
        atapi_reply(ch, n, atapi_get16(cdb + 7));
    }
}

/* The short forms, which came with SCSI drives and which some old drivers still send. */
void atapi_mode_sense6(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    uint32_t n = mode_pages(ch, d, cdb, 4);

    if (n) {
        ch->buffer[0] = (uint8_t)(n - 1);
        ch->buffer[1] = medium_type(d);
        atapi_reply(ch, n, cdb[4]);
    }
}

static void mode_select(struct ide_channel *ch, const uint8_t *cdb, uint32_t length)
{
    if (cdb[1] & 1) {
        atapi_invalid_field(ch); /* nothing can be saved */
        return;
    }
    if (length > MODE_LIST_MAX) {
        atapi_check(ch, ILLEGAL_REQUEST, ASC_PARAMETER_LIST, 0);
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
    } else if (atapi_set_block_size(ch, length)) {
        ide_data_out(ch, length + ch->odd, true);
    }
}

void atapi_mode_select(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    (void)d;
    mode_select(ch, cdb, atapi_get16(cdb + 7));
}

void atapi_mode_select6(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    (void)d;
    mode_select(ch, cdb, cdb[4]);
}

/* MMC-3 6.1.24: one descriptor, the medium's capacity: formatted, or none. */
void atapi_read_format_capacities(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    uint8_t *b = ch->buffer;

    memset(b, 0, 12);
    b[3] = 8;
    atapi_put32(b + 4, atapi_ready(d) ? atapi_blocks(d) : 0);
    atapi_put32(b + 8, ATAPI_SECTOR);
    b[8] = atapi_ready(d) ? 2 : 3;
    atapi_reply(ch, 12, atapi_get16(cdb + 7));
}

/* MMC-3 6.1.17: all of the buffer is free. */
void atapi_read_buffer_capacity(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    uint8_t *b = ch->buffer;
    (void)d;

    if (cdb[1] & 1) {
        atapi_invalid_field(ch); /* in blocks: of drives that write */
        return;
    }
    memset(b, 0, 12);
    atapi_put16(b, 10);
    atapi_put32(b + 4, BUFFER_KIB << 10);
    atapi_put32(b + 8, BUFFER_KIB << 10);
    atapi_reply(ch, 12, atapi_get16(cdb + 7));
}

/* MMC-3 6.1.9: nominal performance, the same from the first block to the last. */
void atapi_get_performance(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    uint32_t count = atapi_get16(cdb + 8), n = 8;
    uint8_t *b = ch->buffer;

    if (cdb[10] || (cdb[1] & 0x1F) != 0x10) {
        /* Type 0 (performance), tolerance 10b, reading, nominal: what there is. */
        atapi_invalid_field(ch);
        return;
    }
    memset(b, 0, 24);
    if (count && atapi_ready(d)) {
        atapi_put32(b + 8, 0);
        atapi_put32(b + 12, SPEED);
        atapi_put32(b + 16, atapi_blocks(d) - 1);
        atapi_put32(b + 20, SPEED);
        n = 24;
    }
    atapi_put32(b, n - 4);
    atapi_reply(ch, n, n);
}

void atapi_parameters(struct ide_channel *ch)
{
    struct ide_drive *d = ide_drive(ch);
    const uint8_t *b = ch->buffer;
    uint32_t end = ch->length - ch->odd;
    bool shorter = d->atapi.cdb[0] == 0x15; /* MODE SELECT(6) */
    uint32_t header = shorter ? 4 : 8;
    uint32_t pos = end < header ? UINT32_MAX : header + (shorter ? b[3] : atapi_get16(b + 6));
    uint8_t recovery[2] = {d->atapi.recovery[0], d->atapi.recovery[1]}, page[MODE_PAGE_MAX];

    /* Of the other pages nothing can be changed; drivers send back what they read. */
    while (pos < end) {
        if (end - pos < 2 || end - pos - 2 < b[pos + 1]) {
            pos = UINT32_MAX;
            break;
        }
        if ((b[pos] & 0x3F) == 0x01 && b[pos + 1] >= 2) {
            recovery[0] = b[pos + 2];
            recovery[1] = b[pos + 3];
        } else if ((b[pos] & 0x3F) == 0x01 || !mode_page(d, b[pos] & 0x3F, true, page)) {
            atapi_check(ch, ILLEGAL_REQUEST, ASC_INVALID_PARAM, 0);
            return;
        }
        pos += 2u + b[pos + 1];
    }
    if (pos > end) {
        atapi_check(ch, ILLEGAL_REQUEST, ASC_PARAMETER_LIST, 0);
        return;
    }
    memcpy(d->atapi.recovery, recovery, sizeof(recovery));
    atapi_finish(ch);
}

void atapi_read_capacity(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    (void)cdb;
    atapi_put32(ch->buffer, atapi_blocks(d) - 1);
    atapi_put32(ch->buffer + 4, ATAPI_SECTOR);
    atapi_reply(ch, 8, 8);
}

static void put_toc_address(uint8_t *p, uint32_t lba, bool msf)
{
    if (msf) {
        p[0] = 0;
        atapi_put_msf(p + 1, lba);
    } else {
        atapi_put32(p, lba);
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

void atapi_read_toc(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
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
            atapi_invalid_field(ch);
            return;
        }
        if (track <= 1) {
            n += toc_track(b + n, 1, 0, msf);
        }
        n += toc_track(b + n, LEAD_OUT, atapi_blocks(d), msf);
        break;
    case 1:
        n += toc_track(b + n, 1, 0, msf);
        break;
    case 2:
        atapi_put_msf(end, atapi_blocks(d));
        n += toc_point(b + n, 0xA0, 1, 0, 0);
        n += toc_point(b + n, 0xA1, 1, 0, 0);
        n += toc_point(b + n, 0xA2, end[0], end[1], end[2]);
        n += toc_point(b + n, 1, 0, 2, 0);
        break;
    default:
        atapi_invalid_field(ch);
        return;
    }
    atapi_put16(b, n - 2);
    atapi_reply(ch, n, atapi_get16(cdb + 7));
}

void atapi_read_sub_channel(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
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
            atapi_invalid_field(ch);
            return;
        }
        b[4] = cdb[3];
    }
    atapi_put16(b + 2, n - 4);
    atapi_reply(ch, n, atapi_get16(cdb + 7));
}

void atapi_read_disc_information(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    uint8_t *b = ch->buffer;
    (void)d;

    if (cdb[1] & 7) {
        atapi_invalid_field(ch);
        return;
    }
    memset(b, 0, 34);
    atapi_put16(b, 32);
    b[2] = 0x0E;                   /* disc and last session complete, not erasable */
    b[3] = b[4] = b[5] = b[6] = 1; /* first track, sessions, tracks of the last one */
    b[7] = 0x20;                   /* unrestricted use */
    memset(b + 16, 0xFF, 8);       /* no further session: no lead-in, no lead-out */
    atapi_reply(ch, 34, atapi_get16(cdb + 7));
}

void atapi_read_track_information(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    uint32_t where = atapi_get32(cdb + 2);
    uint8_t *b = ch->buffer;

    if ((cdb[1] & 3) == 0 ? where >= atapi_blocks(d) : (cdb[1] & 3) == 3 || where != 1) {
        atapi_invalid_field(ch);
        return;
    }
    memset(b, 0, 36);
    atapi_put16(b, 34);
    b[2] = b[3] = 1; /* track, session */
    b[5] = 0x04;     /* data */
    b[6] = 0x01;     /* mode 1 */
    atapi_put32(b + 24, atapi_blocks(d));
    atapi_reply(ch, 36, atapi_get16(cdb + 7));
}

void atapi_read_dvd_structure(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    static const uint8_t formats[] = {0x00, 0x01, 0x04};
    uint8_t *b = ch->buffer;
    uint32_t n;

    if (!atapi_is_dvd(d)) {
        atapi_check(ch, ILLEGAL_REQUEST, ASC_FORMAT, ASCQ_CANNOT_READ);
        return;
    }
    if (cdb[6]) {
        atapi_invalid_field(ch); /* one layer */
        return;
    }
    memset(b, 0, 4 + ATAPI_SECTOR);
    switch (cdb[7]) {
    case 0x00:       /* physical format */
        b[4] = 0x01; /* DVD-ROM */
        b[5] = 0x0F; /* 120 mm, rate not specified */
        b[6] = 0x01; /* one layer, read only */
        atapi_put32(b + 8, 0x030000);
        atapi_put32(b + 12, 0x030000 + atapi_blocks(d) - 1);
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
            atapi_put16(b + n + 2, formats[i] == 0x01 ? 8 : 4 + ATAPI_SECTOR);
            n += 4;
        }
        break;
    default:
        atapi_invalid_field(ch);
        return;
    }
    atapi_put16(b, n - 2);
    atapi_reply(ch, n, atapi_get16(cdb + 8));
}

void atapi_mechanism_status(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    uint8_t *b = ch->buffer;

    memset(b, 0, 8);
    b[1] = d->atapi.tray_open ? 0x10 : 0;
    b[5] = 1; /* slots; no slot table */
    atapi_reply(ch, 8, atapi_get16(cdb + 8));
}

void atapi_get_event_status(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb)
{
    uint8_t *b = ch->buffer;
    uint32_t n = 4;

    if (!(cdb[1] & 1)) {
        atapi_invalid_field(ch); /* only polled operation */
        return;
    }
    memset(b, 0, 8);
    b[2] = 0x80; /* no event of a class we have was asked for */
    b[3] = 0x10; /* the class we have: media */
    if (cdb[4] & 0x10) {
        n = 8;
        b[2] = 4;
        b[4] = d->atapi.event;
        b[5] = (uint8_t)((d->atapi.tray_open ? 1 : 0) | (atapi_ready(d) ? 2 : 0));
        if (atapi_get16(cdb + 7) > 4) {
            d->atapi.event = EVENT_NONE; /* the host has got it */
        }
    }
    atapi_put16(b, n - 2);
    atapi_reply(ch, n, atapi_get16(cdb + 7));
}
