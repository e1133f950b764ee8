/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ata: the commands of ATA disks, and those that packet devices share with them. ATA/ATAPI-6
 * (T13/1410D revision 3b) clause 8; DATA SET MANAGEMENT from ATA8-ACS2 (T13/2015-D). */
#ifndef HW_PC_ATA_H
#define HW_PC_ATA_H

#include "hw/pc/ide.h"

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

/* Next DATA SET MANAGEMENT entry at ch->pos with something to discard: true and the range. */
bool ata_next_range(struct ide_channel *ch, uint64_t *lba, uint32_t *count);

/* The medium failed at ch->lba: errno value to error bits, address and remaining count. */
void ata_medium_error(struct ide_channel *ch, int error);

/* Writes a string of space-padded, byte-swapped characters into IDENTIFY words. */
void ata_identify_string(uint8_t *data, unsigned word, const char *s, size_t len);
void ata_identify_word(uint8_t *data, unsigned word, uint16_t value);
/* What disks and packet devices have alike: strings, modes, power management, WWN, checksum. */
void ata_identify_common(const struct ide_drive *d, uint8_t *data);

#endif
