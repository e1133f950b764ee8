/* SPDX-License-Identifier: GPL-2.0-or-later */
/* keymap: finds keys in a sorted table from X keysyms to keys, or by their XT codes. */
#include "ui/keymap_table.h"

#include <stdlib.h>
#include <string.h>
#include <linux/input-event-codes.h>
#include <xkbcommon/xkbcommon.h>

/* A viewer sends a dead key where the layout has only the accent itself. The reverse, the accent
 * where it has only the dead key, is in the table: the dead key, then space. */
static const struct {
    uint32_t dead, accent;
} dead_keys[] = {
    {XKB_KEY_dead_grave, XKB_KEY_grave},
    {XKB_KEY_dead_acute, XKB_KEY_acute},
    {XKB_KEY_dead_acute, XKB_KEY_apostrophe},
    {XKB_KEY_dead_circumflex, XKB_KEY_asciicircum},
    {XKB_KEY_dead_tilde, XKB_KEY_asciitilde},
    {XKB_KEY_dead_diaeresis, XKB_KEY_diaeresis},
    {XKB_KEY_dead_diaeresis, XKB_KEY_quotedbl},
    {XKB_KEY_dead_cedilla, XKB_KEY_cedilla},
    {XKB_KEY_dead_macron, XKB_KEY_macron},
    {XKB_KEY_dead_breve, XKB_KEY_breve},
    {XKB_KEY_dead_caron, XKB_KEY_caron},
    {XKB_KEY_dead_ogonek, XKB_KEY_ogonek},
    {XKB_KEY_dead_abovedot, XKB_KEY_abovedot},
    {XKB_KEY_dead_abovering, XKB_KEY_degree},
    {XKB_KEY_dead_doubleacute, XKB_KEY_doubleacute},
};

/* XT codes above those that equal Linux's (0x01..0x53, 0x56..0x58). RFB's registry of the QEMU
 * Extended Key Event: codes behind 0xE0 have bit 7 set, Pause is the 0xE0 0x46 of Ctrl-Break. */
static const struct {
    uint8_t xt;
    uint16_t code;
} xt_keys[] = {
    {0x54, KEY_SYSRQ},
    {0x55, KEY_F16},
    {0x59, KEY_KPEQUAL},
    {0x5A, KEY_F20},
    {0x5C, KEY_KPJPCOMMA},
    {0x5D, KEY_F13},
    {0x5E, KEY_F14},
    {0x5F, KEY_F15},
    {0x6D, KEY_F23},
    {0x6F, KEY_F24},
    {0x70, KEY_KATAKANAHIRAGANA},
    {0x71, KEY_HANJA},
    {0x72, KEY_HANGEUL},
    {0x73, KEY_RO},
    {0x74, KEY_F21},
    {0x76, KEY_ZENKAKUHANKAKU},
    {0x77, KEY_HIRAGANA},
    {0x78, KEY_KATAKANA},
    {0x79, KEY_HENKAN},
    {0x7B, KEY_MUHENKAN},
    {0x7D, KEY_YEN},
    {0x7E, KEY_KPCOMMA},
    {0x83, KEY_F17},
    {0x84, KEY_F19},
    {0x90, KEY_PREVIOUSSONG},
    {0x99, KEY_NEXTSONG},
    {0x9C, KEY_KPENTER},
    {0x9D, KEY_RIGHTCTRL},
    {0xA0, KEY_MUTE},
    {0xA1, KEY_CALC},
    {0xA2, KEY_PLAYPAUSE},
    {0xA4, KEY_STOPCD},
    {0xAE, KEY_VOLUMEDOWN},
    {0xB0, KEY_VOLUMEUP},
    {0xB2, KEY_HOMEPAGE},
    {0xB5, KEY_KPSLASH},
    {0xB7, KEY_SYSRQ},
    {0xB8, KEY_RIGHTALT},
    {0xC6, KEY_PAUSE},
    {0xC7, KEY_HOME},
    {0xC8, KEY_UP},
    {0xC9, KEY_PAGEUP},
    {0xCB, KEY_LEFT},
    {0xCD, KEY_RIGHT},
    {0xCE, KEY_KPPLUSMINUS},
    {0xCF, KEY_END},
    {0xD0, KEY_DOWN},
    {0xD1, KEY_PAGEDOWN},
    {0xD2, KEY_INSERT},
    {0xD3, KEY_DELETE},
    {0xDB, KEY_LEFTMETA},
    {0xDC, KEY_RIGHTMETA},
    {0xDD, KEY_COMPOSE},
    {0xDE, KEY_POWER},
    {0xDF, KEY_SLEEP},
    {0xE3, KEY_WAKEUP},
    {0xE5, KEY_SEARCH},
    {0xE6, KEY_BOOKMARKS},
    {0xE7, KEY_REFRESH},
    {0xE8, KEY_STOP},
    {0xE9, KEY_FORWARD},
    {0xEA, KEY_BACK},
    {0xEB, KEY_COMPUTER},
    {0xEC, KEY_MAIL},
    {0xED, KEY_MEDIA},
    {0xF1, KEY_HANJA},
    {0xF2, KEY_HANGEUL},
    {0xF7, KEY_F18},
    {0xF9, KEY_F22},
};

#define MODS     ((1u << KEYMAP_MODS) - 1)
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

uint16_t keymap_from_xt(uint32_t scancode)
{
    if ((scancode >= KEY_ESC && scancode <= KEY_KPDOT) ||
        (scancode >= KEY_102ND && scancode <= KEY_F12))
        return (uint16_t)scancode;
    for (size_t i = 0; i < COUNT(xt_keys); i++) {
        if (xt_keys[i].xt == scancode)
            return xt_keys[i].code;
    }
    return 0;
}

int keymap_case(uint32_t keysym)
{
    keysym = keymap_canonical(keysym);
    if (xkb_keysym_to_lower(keysym) != keysym)
        return 1;
    return xkb_keysym_to_upper(keysym) != keysym ? -1 : 0;
}

/* The first entry with that keysym, or NULL. */
static const struct keymap_entry *find(const struct keymap *keymap, uint32_t keysym)
{
    size_t low = 0, high = keymap->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (keymap->entries[mid].keysym < keysym)
            low = mid + 1;
        else
            high = mid;
    }
    return low < keymap->count && keymap->entries[low].keysym == keysym ? &keymap->entries[low]
                                                                        : NULL;
}

static bool lookup(const struct keymap *keymap, uint32_t keysym, unsigned held,
                   struct keymap_key *key)
{
    const struct keymap_entry *first = find(keymap, keysym), *best = first;
    const struct keymap_entry *end = keymap->entries + keymap->count;

    if (!first)
        return false;
    for (const struct keymap_entry *e = first;
         e < end && e->keysym == keysym && (e->rank & RANK_MASK) == (first->rank & RANK_MASK);
         e++) {
        if ((e->mods & MODS) == held) {
            best = e;
            break;
        }
    }
    *key = (struct keymap_key){
        .code = best->code,
        .mods = best->mods & MODS,
        .exact = !(best->rank & RANK_INEXACT),
        .odd = best->rank & RANK_ODD,
        .dead = best->dead,
        .dead_mods = best->mods >> KEYMAP_MODS,
    };
    return true;
}

bool keymap_lookup(const struct keymap *keymap, uint32_t keysym, unsigned held,
                   struct keymap_key *key)
{
    uint32_t other;

    keysym = keymap_canonical(keysym);
    if (lookup(keymap, keysym, held, key))
        return true;
    for (size_t i = 0; i < COUNT(dead_keys); i++) {
        if (keysym == dead_keys[i].dead && lookup(keymap, dead_keys[i].accent, held, key))
            return true;
    }
    other = xkb_keysym_to_lower(keysym);
    if (other == keysym)
        other = xkb_keysym_to_upper(keysym);
    if (other == keysym || !lookup(keymap, other, held, key))
        return false;
    key->other_case = true;
    return true;
}

uint16_t keymap_modifier(const struct keymap *keymap, unsigned mod)
{
    return mod == KEYMAP_SHIFT    ? KEY_LEFTSHIFT
           : mod == KEYMAP_ALTGR  ? keymap->level3
           : mod == KEYMAP_LEVEL5 ? keymap->level5
                                  : 0;
}

bool keymap_has_caps_lock(const struct keymap *keymap)
{
    return keymap->caps_lock;
}

struct keymap *keymap_load(const char *name, struct err *err)
{
    if (!name)
        name = "en-us";
    for (size_t i = 0; i < keymap_builtin_count; i++) {
        if (strcmp(name, keymap_builtins[i].name) == 0) {
            struct keymap *keymap = malloc(sizeof(*keymap));

            if (!keymap)
                abort();
            *keymap = keymap_builtins[i].keymap;
            return keymap;
        }
    }
    return keymap_from_xkb(name, err);
}

void keymap_free(struct keymap *keymap)
{
    if (keymap)
        free(keymap->own);
    free(keymap);
}
