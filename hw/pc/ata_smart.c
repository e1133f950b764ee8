/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ata_smart: self-monitoring and the logs of a disk that cannot wear out (see ata.h). ATA8-ACS
 * (T13/1699-D revision 6a) 7.52 SMART, 7.28 READ LOG EXT, annex A; attribute tables as ATA-3
 * (T13/2008D revision 7b) 7.27 had them last and all drives still do.
 */
#include <string.h>

#include "hw/pc/ata.h"

/* SMART subcommands, in the features register */
enum {
    READ_DATA = 0xD0,
    READ_THRESHOLDS = 0xD1,
    AUTOSAVE = 0xD2,
    SAVE = 0xD3,
    OFFLINE = 0xD4,
    READ_LOG = 0xD5,
    ENABLE = 0xD8,
    DISABLE = 0xD9,
    RETURN_STATUS = 0xDA,
};

/* Logs */
enum {
    LOG_DIRECTORY = 0x00,
    LOG_ERRORS = 0x01,
    LOG_SELF_TESTS = 0x06,
    LOG_QUEUE_ERROR = 0x10,
};

#define KEY_MID  0x4F /* in the cylinder registers, or SMART is not meant */
#define KEY_HIGH 0xC2

#define PRE_FAILURE   0x01 /* attribute flags: below its threshold, failure is near */
#define ONLINE        0x02 /* updated all the time */
#define EVENT_COUNT   0x10
#define SELF_KEEPING  0x20
#define CAPTIVE       0x80 /* of a self-test's number */
#define ABORT_TEST    0x7F
#define CELSIUS       30
#define ATTRIBUTE_LEN 12

static const struct attribute {
    uint8_t id;
    uint8_t flags;
    uint8_t threshold;
} attributes[] = {
    {0x05, PRE_FAILURE | ONLINE | EVENT_COUNT | SELF_KEEPING, 36}, /* reallocated sectors */
    {0x09, ONLINE | EVENT_COUNT | SELF_KEEPING, 0},                /* power-on hours */
    {0x0C, ONLINE | EVENT_COUNT | SELF_KEEPING, 0},                /* power cycles */
    {0xBB, ONLINE | EVENT_COUNT | SELF_KEEPING, 0},                /* reported errors */
    {0xC2, ONLINE | SELF_KEEPING, 0},                              /* temperature */
    {0xC5, ONLINE | EVENT_COUNT, 0},                               /* sectors to be looked at */
    {0xC6, EVENT_COUNT, 0},                                        /* … that stay unreadable */
};
#define ATTRIBUTES (sizeof(attributes) / sizeof(attributes[0]))

static void put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static uint16_t hours(uint64_t now)
{
    uint64_t h = now / NS_PER_S / 3600;
    return (uint16_t)(h < 0xFFFF ? h : 0xFFFF);
}

/* The last byte makes the sum of all 512 zero. */
static void checksum(uint8_t *data)
{
    uint8_t sum = 0;
    for (unsigned i = 0; i < 511; i++) {
        sum = (uint8_t)(sum + data[i]);
    }
    data[511] = (uint8_t)-sum;
}

static uint32_t raw_value(const struct ide_channel *ch, const struct ide_drive *d, uint8_t id)
{
    switch (id) {
    case 0x09:
        return hours(clock_now(ch->clock));
    case 0x0C:
        return 1;
    case 0xBB:
        return d->smart.errors;
    case 0xC2:
        return CELSIUS;
    default:
        return 0;
    }
}

static void build_data(const struct ide_channel *ch, const struct ide_drive *d, uint8_t *data)
{
    put16(data, 1); /* structure revision */
    for (unsigned i = 0; i < ATTRIBUTES; i++) {
        uint8_t *p = data + 2 + ATTRIBUTE_LEN * i;
        uint32_t raw = raw_value(ch, d, attributes[i].id);
        p[0] = attributes[i].id;
        put16(p + 1, attributes[i].flags);
        p[3] = p[4] = attributes[i].id == 0xC2 ? 100 - CELSIUS : 100; /* value, worst */
        put16(p + 5, raw);
        put16(p + 7, raw >> 16);
    }
    data[362] = d->smart.offline_done ? 0x02 : 0x00; /* off-line data collection: completed */
    data[363] = 0;                                   /* the last self-test found nothing */
    put16(data + 364, 1);                            /* seconds for off-line collection */
    data[367] = 0x15;     /* EXECUTE OFF-LINE IMMEDIATE: collection, which commands abort; tests */
    put16(data + 368, 3); /* saves before power saving; autosave */
    data[370] = 0x01;     /* error log */
    data[372] = 1;        /* minutes of a short self-test, */
    data[373] = 1;        /* of an extended one */
    checksum(data);
}

static void build_thresholds(uint8_t *data)
{
    put16(data, 1);
    for (unsigned i = 0; i < ATTRIBUTES; i++) {
        data[2 + ATTRIBUTE_LEN * i] = attributes[i].id;
        data[3 + ATTRIBUTE_LEN * i] = attributes[i].threshold;
    }
    checksum(data);
}

/* Summary error log (annex A.14): five entries of five commands each, of which we know the last. */
static void build_errors(const struct ide_drive *d, uint8_t *data)
{
    const struct ide_smart *m = &d->smart;
    unsigned entries = m->errors < IDE_ERROR_LOG ? m->errors : IDE_ERROR_LOG;

    data[0] = 1;
    data[1] = m->errors ? (uint8_t)((m->errors - 1u) % IDE_ERROR_LOG + 1) : 0;
    for (unsigned i = 0; i < entries; i++) {
        const struct ide_error *e = &m->error[i];
        uint8_t *command = data + 2 + 90 * i + 4 * 12, *error = data + 2 + 90 * i + 5 * 12;
        for (unsigned k = 0; k < 2; k++) {
            /* Where the registers are: a command has control and feature before them, an error
             * one byte and the error register. */
            uint8_t *p = k ? error : command;
            p[1] = k ? e->error : 0;
            p[2] = (uint8_t)e->count;
            p[3] = (uint8_t)e->lba;
            p[4] = (uint8_t)(e->lba >> 8);
            p[5] = (uint8_t)(e->lba >> 16);
            p[6] = (uint8_t)(e->device & 0xF0) | (uint8_t)(e->lba >> 24 & 0x0F);
            p[7] = k ? e->status : e->opcode;
        }
        error[27] = 0x03; /* active or idle */
        put16(error + 28, e->hours);
    }
    put16(data + 452, m->errors);
    checksum(data);
}

/* Self-test log (annex A.15): 21 entries of 24 bytes. */
static void build_self_tests(const struct ide_drive *d, uint8_t *data)
{
    const struct ide_smart *m = &d->smart;
    bool any = false;

    put16(data, 1);
    for (unsigned i = 0; i < IDE_SELF_TESTS; i++) {
        uint8_t *p = data + 2 + 24 * i;
        p[0] = m->test_type[i];
        put16(p + 2, m->test_hours[i]);
        any |= m->test_type[i] != 0;
    }
    data[508] = any ? (uint8_t)(m->tests ? m->tests : IDE_SELF_TESTS) : 0; /* latest, from 1 */
    checksum(data);
}

static void build_directory(uint8_t *data)
{
    put16(data, 1);
    put16(data + 2 * LOG_ERRORS, 1);
    put16(data + 2 * LOG_SELF_TESTS, 1);
}

static void start_reply(struct ide_channel *ch)
{
    memset(ch->buffer, 0, IDE_SECTOR);
}

static void read_log(struct ide_channel *ch, const struct ide_drive *d, uint8_t log)
{
    start_reply(ch);
    switch (log) {
    case LOG_DIRECTORY:
        build_directory(ch->buffer);
        break;
    case LOG_ERRORS:
        build_errors(d, ch->buffer);
        break;
    case LOG_SELF_TESTS:
        build_self_tests(d, ch->buffer);
        break;
    default:
        ata_abort(ch);
        return;
    }
    ata_reply(ch);
}

/* EXECUTE OFF-LINE IMMEDIATE: whatever is asked for is over at once, and well. */
static void offline(struct ide_channel *ch, struct ide_drive *d)
{
    struct ide_smart *m = &d->smart;
    uint8_t what = d->lba_low[0];

    switch (what) {
    case 0:
        m->offline_done = true;
        break;
    case 1:
    case 2:
    case CAPTIVE | 1:
    case CAPTIVE | 2:
        m->test_type[m->tests] = what;
        m->test_hours[m->tests] = hours(clock_now(ch->clock));
        m->tests = (uint8_t)((m->tests + 1) % IDE_SELF_TESTS);
        break;
    case ABORT_TEST:
        break;
    default: /* conveyance, selective: data[367] says no */
        ata_abort(ch);
        return;
    }
    ide_finish(ch);
}

/* Attribute autosave: F1h on, 00h off. There is nothing that a power cycle would lose. */
static void set_autosave(struct ide_channel *ch, struct ide_drive *d)
{
    if (d->count[0] && d->count[0] != 0xF1) {
        ata_abort(ch);
        return;
    }
    d->smart.autosave = d->count[0] != 0;
    ide_finish(ch);
}

void ata_smart(struct ide_channel *ch, struct ide_drive *d)
{
    if (d->lba_mid[0] != KEY_MID || d->lba_high[0] != KEY_HIGH ||
        (!d->smart.enabled && d->feature[0] != ENABLE)) {
        ata_abort(ch);
        return;
    }
    switch (d->feature[0]) {
    case READ_DATA:
        start_reply(ch);
        build_data(ch, d, ch->buffer);
        ata_reply(ch);
        break;
    case READ_THRESHOLDS:
        start_reply(ch);
        build_thresholds(ch->buffer);
        ata_reply(ch);
        break;
    case AUTOSAVE:
        set_autosave(ch, d);
        break;
    case SAVE:
        ide_finish(ch);
        break;
    case OFFLINE:
        offline(ch, d);
        break;
    case READ_LOG:
        if (d->count[0] == 1) {
            read_log(ch, d, d->lba_low[0]);
        } else {
            ata_abort(ch);
        }
        break;
    case ENABLE:
    case DISABLE:
        d->smart.enabled = d->feature[0] == ENABLE;
        ide_finish(ch);
        break;
    case RETURN_STATUS: /* the key unchanged: no attribute is below its threshold */
        ide_finish(ch);
        break;
    default:
        ata_abort(ch);
        break;
    }
}

/* The NCQ command error log (ACS-2 A.12): which tag failed, and the task file it would have. */
static void build_queue_error(struct ide_channel *ch, uint8_t *data)
{
    const struct ide_queue_error *e = &ch->queue_error;

    data[0] = e->tag; /* or bit 7: it was no queued command */
    data[2] = e->status;
    data[3] = e->error;
    for (unsigned i = 0; i < 3; i++) {
        data[4 + i] = (uint8_t)(e->lba >> 8 * i);
        data[8 + i] = (uint8_t)(e->lba >> (24 + 8 * i));
    }
    data[7] = e->device;
    put16(data + 12, e->count);
    checksum(data);
}

/* General purpose logging, of Serial ATA disks alone: for the sake of the queue's error log. The
 * logs of SMART are not read this way (annex A, table A.2). */
void ata_read_log(struct ide_channel *ch, struct ide_drive *d)
{
    uint32_t count = d->count[0] | (uint32_t)d->count[1] << 8;
    uint32_t page = d->lba_mid[0] | (uint32_t)d->lba_mid[1] << 8;
    uint8_t log = d->lba_low[0];

    if (!ch->front->serial || count != 1 || page || (log && log != LOG_QUEUE_ERROR)) {
        ata_abort(ch);
        return;
    }
    start_reply(ch);
    if (log == LOG_QUEUE_ERROR) {
        build_queue_error(ch, ch->buffer);
    } else {
        put16(ch->buffer, 1);
        put16(ch->buffer + 2 * LOG_QUEUE_ERROR, 1);
    }
    ata_reply(ch);
}

void ata_smart_error(struct ide_drive *d, uint8_t opcode, uint64_t lba, uint32_t left, uint64_t now)
{
    struct ide_smart *m = &d->smart;

    if (!m->enabled) {
        return;
    }
    m->error[m->errors % IDE_ERROR_LOG] = (struct ide_error){
        .opcode = opcode,
        .error = d->error,
        .status = d->status,
        .device = d->device,
        .count = (uint16_t)(left >> d->shift),
        .hours = hours(now),
        .lba = lba,
    };
    /* It counts on when it is full, and never back to "none". */
    m->errors = m->errors == 0xFFFF ? (uint16_t)(0xFFFF - IDE_ERROR_LOG + 1) : m->errors + 1;
}
