/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ata: the commands of ATA disks, and those that packet devices share with them. ATA/ATAPI-6
 * (T13/1410D revision 3b) clause 8; DATA SET MANAGEMENT from ATA8-ACS2 (T13/2015-D). */
#ifndef HW_PC_ATA_H
#define HW_PC_ATA_H

#include "hw/pc/ide.h"

#define ATA_MULTIPLE_MAX  16
#define ATA_TRIM_BLOCKS   8u /* most 512-byte blocks of ranges in one DATA SET MANAGEMENT */
#define ATA_LBA28_SECTORS UINT64_C(0x0FFFFFFF)
#define ATA_QUEUE_DEPTH   32 /* of Serial ATA disks */

/* Executes the opcode on the selected, present device. Every opcode has an answer. */
void ata_execute(struct ide_channel *ch, uint8_t opcode);

/* EXECUTE DEVICE DIAGNOSTIC: the one command that both devices execute. */
void ata_diagnose(struct ide_channel *ch);

/* Puts the reset signature into the task file (9.12): error 01h, and who it is. */
void ata_signature(struct ide_drive *d);

/* Settings to their power-on values. */
void ata_defaults(struct ide_drive *d);

/* The command's last sector is on or from the medium: flush if it must, else finish. */
void ata_sectors_done(struct ide_channel *ch);

/* The task file at the end of a command that moved sectors: the last one's address, count 0. */
void ata_result(struct ide_channel *ch);

/* The host has given all of a data-out command's buffer: DATA SET MANAGEMENT. */
void ata_buffer_done(struct ide_channel *ch);

/* The next range to discard from the DATA SET MANAGEMENT entries at ch->pos, in units of
 * IDE_SECTOR; false: there is none left. */
bool ata_next_range(struct ide_channel *ch, uint64_t *lba, uint64_t *count);

/* The command ends with ABRT. */
void ata_abort(struct ide_channel *ch);

/* One sector-sized data block, in the buffer, goes to the host. */
void ata_reply(struct ide_channel *ch);

/*
 * Checks a range from `lba` on (units of IDE_SECTOR) whose *count is as in the task file (0: the
 * most there can be, which `ext` says) and converts that to units of IDE_SECTOR. False: not all of
 * it is there; if its start is, the task file has the first address that is not.
 */
bool ata_range(struct ide_drive *d, uint64_t lba, uint32_t *count, bool ext);

/* Cylinders of the present translation. */
uint32_t ata_cylinders(const struct ide_drive *d);

/* The medium failed at ch->lba: errno value to error bits, address and remaining count. */
void ata_medium_error(struct ide_channel *ch, int error);

/* --- SMART and logs (ata_smart.c) --- */

/* SMART, as the task file says. */
void ata_smart(struct ide_channel *ch, struct ide_drive *d);

/* READ LOG EXT. */
void ata_read_log(struct ide_channel *ch, struct ide_drive *d);

/* An error that is to be remembered; lba in logical sectors, `left` in units of IDE_SECTOR. */
void ata_smart_error(struct ide_drive *d, uint8_t opcode, uint64_t lba, uint32_t left,
                     uint64_t now);

/* --- IDENTIFY (ata_identify.c) --- */

/* IDENTIFY DEVICE's 512 bytes, into zeroes. */
void ata_identify(const struct ide_channel *ch, const struct ide_drive *d, uint8_t *data);

/* Writes a string of space-padded, byte-swapped characters into IDENTIFY words. */
void ata_identify_string(uint8_t *data, unsigned word, const char *s, size_t len);
void ata_identify_word(uint8_t *data, unsigned word, uint16_t value);
/* What disks and packet devices have alike: strings, modes, power management, WWN, checksum. */
void ata_identify_common(const struct ide_drive *d, bool serial, uint8_t *data);

#endif
