/* SPDX-License-Identifier: GPL-2.0-or-later */
/* atapi: the packet commands of a CD/DVD-ROM drive. SFF-8020i revision 2.6, MMC-3 (T10/1363-D
 * revision 10g), MMC-6 (T10/1836-D) for GET CONFIGURATION, SPC-3 for sense data and INQUIRY. */
#ifndef HW_PC_ATAPI_H
#define HW_PC_ATAPI_H

#include "hw/pc/ide.h"

#define ATAPI_SECTOR 2048u

/* PACKET command accepted: asks the host for the command packet. */
void atapi_packet(struct ide_channel *ch);

/* IDENTIFY PACKET DEVICE's 512 bytes. */
void atapi_identify(const struct ide_drive *d, bool serial, uint8_t *data);

/* The command packet is in the buffer: executes it. */
void atapi_execute(struct ide_channel *ch);

/* The parameter list is in the buffer. */
void atapi_parameters(struct ide_channel *ch);

/* Registers of the next DRQ block of `bytes`. */
void atapi_drq(struct ide_channel *ch, uint32_t bytes);

/* The command ends well. */
void atapi_finish(struct ide_channel *ch);

/* `bytes` of user data are in the buffer; returns how many are there after building raw sectors. */
uint32_t atapi_build_raw(struct ide_channel *ch, uint32_t bytes);

/* Bytes per sector of a READ CD that asks for these parts (byte 9 of the CDB), at most 2352. */
uint32_t atapi_raw_size(uint8_t parts);

/* The medium failed or is gone. */
void atapi_medium_error(struct ide_channel *ch, int error);

/* Power-on: as after a reset with the medium it has. */
void atapi_power_on(struct ide_drive *d);

/* The image in a CD drive is this one from now on, or none. The host sees nothing of it yet. */
void atapi_set_block(struct ide_drive *d, struct block *block);

/* A medium goes in (true) or out; the host sees the events. */
void atapi_medium_changed(struct ide_drive *d, bool present);

/* The host's eject button: false if the tray is locked (the guest is then asked by an event). */
bool atapi_eject_button(struct ide_drive *d, bool force);

/* Sectors of 512 bytes that one buffered read of this command takes at most; a multiple of 4. */
uint32_t atapi_chunk(const struct ide_channel *ch);

#endif
