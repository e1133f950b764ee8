/* SPDX-License-Identifier: GPL-2.0-or-later */
/* atapi_int: what the two files of the packet device share; for nobody else. */
#ifndef HW_PC_ATAPI_INT_H
#define HW_PC_ATAPI_INT_H

#include "hw/pc/atapi.h"

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
#define ATTENTION_MEDIUM 0x01

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

static inline uint16_t atapi_get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t atapi_get32(const uint8_t *p)
{
    return (uint32_t)atapi_get16(p) << 16 | atapi_get16(p + 2);
}

static inline void atapi_put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static inline void atapi_put32(uint8_t *p, uint32_t v)
{
    atapi_put16(p, v >> 16);
    atapi_put16(p + 2, v);
}

static inline uint32_t atapi_blocks(const struct ide_drive *d)
{
    uint64_t n = ide_sectors(d) / SECTORS_PER_BLOCK;
    return n < MAX_BLOCKS ? (uint32_t)n : MAX_BLOCKS;
}

static inline bool atapi_ready(const struct ide_drive *d)
{
    return d->block && !d->atapi.tray_open && atapi_blocks(d);
}

static inline bool atapi_is_dvd(const struct ide_drive *d)
{
    return atapi_blocks(d) > CD_BLOCKS;
}

/* Minute, second, frame; the first block of a disc is at 00:02:00. */
static inline void atapi_put_msf(uint8_t *p, uint32_t lba)
{
    lba += 150;
    p[0] = (uint8_t)(lba / 75 / 60);
    p[1] = (uint8_t)(lba / 75 % 60);
    p[2] = (uint8_t)(lba % 75);
}

/* How a packet command goes on or ends. */

void atapi_set_sense(struct ide_drive *d, uint8_t key, uint8_t asc, uint8_t ascq);
/* CHECK CONDITION: ends the command with this sense data. */
void atapi_check(struct ide_channel *ch, uint8_t key, uint8_t asc, uint8_t ascq);
/* INVALID FIELD IN CDB. */
void atapi_invalid_field(struct ide_channel *ch);
/* Takes the pending unit attention into sense data; false: there is none. */
bool atapi_take_attention(struct ide_drive *d);
/* Sets how much one DRQ block carries when `bytes` are to move by PIO: the host's byte count limit,
 * made even unless it all fits (SFF-8020i 5.5). False: a limit nothing can be moved with; the
 * command has then been aborted. */
bool atapi_set_block_size(struct ide_channel *ch, uint64_t bytes);
/* The first min(length, allocation) bytes of the buffer go to the host. */
void atapi_reply(struct ide_channel *ch, uint32_t length, uint32_t allocation);

/* The commands of atapi_data.c */
typedef void atapi_command(struct ide_channel *ch, struct ide_drive *d, const uint8_t *cdb);
atapi_command atapi_inquiry;
atapi_command atapi_request_sense;
atapi_command atapi_get_configuration;
atapi_command atapi_mode_sense;
atapi_command atapi_mode_select;
atapi_command atapi_mode_sense6;
atapi_command atapi_mode_select6;
atapi_command atapi_read_format_capacities;
atapi_command atapi_read_buffer_capacity;
atapi_command atapi_get_performance;
atapi_command atapi_read_capacity;
atapi_command atapi_read_toc;
atapi_command atapi_read_sub_channel;
atapi_command atapi_read_disc_information;
atapi_command atapi_read_track_information;
atapi_command atapi_read_dvd_structure;
atapi_command atapi_mechanism_status;
atapi_command atapi_get_event_status;

#endif
