/* SPDX-License-Identifier: GPL-2.0-or-later */
/* keymap_table: what lookups search (keymap.c), and who makes it: XKB (keymap_xkb.c), when the
 * program is built for the layouts of qemu's names, else at start-up. */
#ifndef UI_KEYMAP_TABLE_H
#define UI_KEYMAP_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "ui/keymap.h"

/* Where an entry comes from: the lower, the better. */
enum rank {
    RANK_FIXED,    /* the same on every layout */
    RANK_LAYOUT,   /* the layout asked for */
    RANK_102ND,    /* its key left of Z, which many keyboards lack */
    RANK_COMPOSED, /* … by a dead key and another */
    RANK_FALLBACK, /* the US layout, for what the other one cannot type */
};

struct keymap_entry {
    uint32_t keysym;
    uint8_t code;
    uint8_t mods; /* KEYMAP_*; and those of `dead`, from bit KEYMAP_MODS on */
    uint8_t dead;
    uint8_t rank; /* enum rank; and these */
};

#define RANK_INEXACT 0x80 /* of a key that gives the same whatever is held */
#define RANK_ODD     0x40 /* no letter and its capital are on this key, but Caps Lock counts */
#define RANK_MASK    0x0F

/* Sorted by keysym, the best first. */
struct keymap {
    size_t count;
    const struct keymap_entry *entries;
    struct keymap_entry *own; /* … if they are not built in */
    uint8_t level3, level5;   /* modifier keys, or 0 */
    bool caps_lock;
};

/* Made at build time (ui/keymaps/mkkeymaps.c). */
struct keymap_builtin {
    const char *name; /* qemu's */
    struct keymap keymap;
};
extern const struct keymap_builtin keymap_builtins[];
extern const size_t keymap_builtin_count;

/* The i-th of qemu's names; NULL behind the last. */
const char *keymap_qemu_name(size_t i);

/* Makes the table of layout `name` out of XKB's data; see keymap_load. */
struct keymap *keymap_from_xkb(const char *name, struct err *err);

/* A character has one keysym here, whether it was said as Unicode or as one of the older codes. */
uint32_t keymap_canonical(uint32_t keysym);

#endif
