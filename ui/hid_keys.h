/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hid_keys: the keys of a USB keyboard (HID Usage Tables 1.12, page 0x07, section 10) as KEY_*
 * (linux/input-event-codes.h). SDL's scan codes are the same numbers.
 */
#ifndef UI_HID_KEYS_H
#define UI_HID_KEYS_H

#define HID_KEY_COUNT 0xE8 /* usages are below */

/* The key at this position; 0 (KEY_RESERVED): none. Usage 0x32, the key beside Enter of keyboards
 * with a tall one, is the same position as 0x31. */
unsigned hid_key(unsigned usage);

/* The other way: the usage of a KEY_*; 0: none. */
unsigned hid_usage(unsigned keycode);

#endif
