/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cd_sector: what stands around the 2,048 bytes of user data in a CD-ROM sector of mode 1: ECMA-130
 * (2nd edition) clause 14 and annex A. */
#ifndef HW_PC_CD_SECTOR_H
#define HW_PC_CD_SECTOR_H

#include <stdint.h>

#define CD_SECTOR      2352u
#define CD_SECTOR_SYNC 12u /* bytes; then 4 of header, 2,048 of user data, 288 of EDC and ECC */
#define CD_SECTOR_USER 16u
#define CD_SECTOR_EDC  2064u

/* The sector at this block address: `user` may be its own place in `sector`. */
void cd_sector_build(uint8_t sector[CD_SECTOR], uint32_t lba, const uint8_t *user);

#endif
