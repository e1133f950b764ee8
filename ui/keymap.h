/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * keymap: from what a viewer says was typed (an X keysym, or an XT scan code) to the key's position
 * on a PC keyboard, as a Linux key code. Lookups touch no file and allocate nothing.
 */
#ifndef UI_KEYMAP_H
#define UI_KEYMAP_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/core/err.h"

struct keymap;

/* Modifiers that choose a key's level: XKB's Shift, Level3 (AltGr) and Level5. */
#define KEYMAP_SHIFT  0x01
#define KEYMAP_ALTGR  0x02
#define KEYMAP_LEVEL5 0x04
#define KEYMAP_MODS   3 /* so many there are */

struct keymap_key {
    uint16_t code;   /* KEY_* of linux/input-event-codes.h, never 0 */
    uint8_t mods;    /* KEYMAP_* under which that key gives the keysym */
    bool exact;      /* under others it would give another one (not: Return, F1, the keypad …) */
    bool odd;        /* no letter and its capital are on this key, but Caps Lock counts */
    bool other_case; /* it gives the letter in its other case: Caps Lock is to make it this one */
    uint16_t dead;   /* 0, or a dead key that is to be struck before, under dead_mods */
    uint8_t dead_mods;
};

/*
 * Loads a layout: one of the names qemu's -k takes ("en-us", "de-ch", "pt-br" …), or whatever XKB
 * knows: [MODEL/]LAYOUT[(VARIANT)][+OPTION]…, as setxkbmap(1) calls them: "us(dvorak)",
 * "ch(fr)", "applealu_iso/de", "us+compose:ralt". NULL: en-us. qemu's are built in; for another one
 * XKB's data files are read, so it belongs before confinement. NULL and *err if there is none such.
 */
struct keymap *keymap_load(const char *name, struct err *err);
void keymap_free(struct keymap *keymap);

/*
 * The key that gives `keysym` (X11 keysym encoding, Unicode ones included). Where more than one
 * does, one whose level is chosen by exactly the modifiers in `held` is preferred. A letter the
 * layout has in the other case only is found there. False: the layout has no such key.
 */
bool keymap_lookup(const struct keymap *keymap, uint32_t keysym, unsigned held,
                   struct keymap_key *key);

/* The key that, held, is the modifier (one KEYMAP_*); 0: the layout has none. */
uint16_t keymap_modifier(const struct keymap *keymap, unsigned mod);

/* Whether the Caps Lock key is that: on some layouts it is another one. */
bool keymap_has_caps_lock(const struct keymap *keymap);

/* The Latin, Greek, Cyrillic … case of a keysym: 1 upper, -1 lower, 0 it has none. */
int keymap_case(uint32_t keysym);

/*
 * The Linux key code of an XT scan code as the QEMU Extended Key Event message of RFB carries it:
 * 0x01..0x7F, or 0x80 | code for those behind an 0xE0 prefix. 0 if there is no such key.
 */
uint16_t keymap_from_xt(uint32_t scancode);

#endif
