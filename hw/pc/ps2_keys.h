/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ps2_keys: which scan codes a key position sends. */
#ifndef HW_PC_PS2_KEYS_H
#define HW_PC_PS2_KEYS_H

#include <stdint.h>

/* Scan code set 2 of a Linux key code below 256: 0 none, 0x00xx plain, 0xE0xx after an E0 prefix.
 */
uint16_t ps2_set2_code(unsigned keycode);

/* Scan code set 3: 0 none. */
uint8_t ps2_set3_code(unsigned keycode);

#endif
