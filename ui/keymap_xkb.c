/* SPDX-License-Identifier: GPL-2.0-or-later */
/* keymap_xkb: a sorted table from X keysyms to keys, made of an XKB layout. */
#include "ui/keymap_table.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/input-event-codes.h>
#include <xkbcommon/xkbcommon.h>

#define EVDEV_OFFSET 8 /* XKB's evdev key codes are Linux's plus 8, X11's lowest code */

/* XKB knows keys that no PC keyboard has: those above 255 cannot be sent at all, those above 127
 * are taken for multimedia keysyms only, not for characters. */
#define LAST_KEY       255
#define LAST_CHARACTER 127
#define FIRST_XF86_SYM 0x10080000u

/* The names of qemu's -k option, and the XKB layout that is meant. */
static const struct {
    const char *name, *layout, *variant;
} qemu_names[] = {
    {"ar", "ara", ""},          {"bepo", "fr", "bepo"}, {"cz", "cz", ""},    {"da", "dk", ""},
    {"de", "de", "nodeadkeys"}, {"de-ch", "ch", ""},    {"en-gb", "gb", ""}, {"en-us", "us", ""},
    {"es", "es", ""},           {"et", "ee", ""},       {"fi", "fi", ""},    {"fo", "fo", ""},
    {"fr", "fr", "nodeadkeys"}, {"fr-be", "be", ""},    {"fr-ca", "ca", ""}, {"fr-ch", "ch", "fr"},
    {"hr", "hr", ""},           {"hu", "hu", ""},       {"is", "is", ""},    {"it", "it", ""},
    {"ja", "jp", ""},           {"lt", "lt", ""},       {"lv", "lv", ""},    {"mk", "mk", ""},
    {"nl", "nl", ""},           {"nl-be", "be", ""},    {"no", "no", ""},    {"pl", "pl", ""},
    {"pt", "pt", ""},           {"pt-br", "br", ""},    {"ru", "ru", ""},    {"sl", "si", ""},
    {"sv", "se", ""},           {"th", "th", ""},       {"tr", "tr", ""},
};

/* Keys whose place does not depend on the layout. Listed here rather than taken from XKB, whose
 * options and compatibility rules move them about. */
static const struct {
    uint32_t keysym;
    uint16_t code;
} fixed_keys[] = {
    {XKB_KEY_BackSpace, KEY_BACKSPACE},
    {XKB_KEY_Tab, KEY_TAB},
    {XKB_KEY_ISO_Left_Tab, KEY_TAB},
    {XKB_KEY_Linefeed, KEY_LINEFEED},
    {XKB_KEY_Return, KEY_ENTER},
    {XKB_KEY_Pause, KEY_PAUSE},
    {XKB_KEY_Break, KEY_PAUSE},
    {XKB_KEY_Scroll_Lock, KEY_SCROLLLOCK},
    {XKB_KEY_Sys_Req, KEY_SYSRQ},
    {XKB_KEY_Print, KEY_SYSRQ},
    {XKB_KEY_Escape, KEY_ESC},
    {XKB_KEY_space, KEY_SPACE},
    {XKB_KEY_Delete, KEY_DELETE},
    {XKB_KEY_Insert, KEY_INSERT},
    {XKB_KEY_Home, KEY_HOME},
    {XKB_KEY_End, KEY_END},
    {XKB_KEY_Page_Up, KEY_PAGEUP},
    {XKB_KEY_Page_Down, KEY_PAGEDOWN},
    {XKB_KEY_Left, KEY_LEFT},
    {XKB_KEY_Up, KEY_UP},
    {XKB_KEY_Right, KEY_RIGHT},
    {XKB_KEY_Down, KEY_DOWN},
    {XKB_KEY_Menu, KEY_COMPOSE},
    {XKB_KEY_Multi_key, KEY_COMPOSE},
    {XKB_KEY_Shift_L, KEY_LEFTSHIFT},
    {XKB_KEY_Shift_R, KEY_RIGHTSHIFT},
    {XKB_KEY_Control_L, KEY_LEFTCTRL},
    {XKB_KEY_Control_R, KEY_RIGHTCTRL},
    {XKB_KEY_Alt_L, KEY_LEFTALT},
    {XKB_KEY_Alt_R, KEY_RIGHTALT},
    {XKB_KEY_Meta_L, KEY_LEFTMETA},
    {XKB_KEY_Meta_R, KEY_RIGHTMETA},
    {XKB_KEY_Super_L, KEY_LEFTMETA},
    {XKB_KEY_Super_R, KEY_RIGHTMETA},
    {XKB_KEY_Hyper_L, KEY_LEFTMETA},
    {XKB_KEY_Hyper_R, KEY_RIGHTMETA},
    {XKB_KEY_ISO_Level3_Shift, KEY_RIGHTALT},
    {XKB_KEY_Mode_switch, KEY_RIGHTALT},
    {XKB_KEY_Caps_Lock, KEY_CAPSLOCK},
    {XKB_KEY_Shift_Lock, KEY_CAPSLOCK},
    {XKB_KEY_Num_Lock, KEY_NUMLOCK},
    {XKB_KEY_F1, KEY_F1},
    {XKB_KEY_F2, KEY_F2},
    {XKB_KEY_F3, KEY_F3},
    {XKB_KEY_F4, KEY_F4},
    {XKB_KEY_F5, KEY_F5},
    {XKB_KEY_F6, KEY_F6},
    {XKB_KEY_F7, KEY_F7},
    {XKB_KEY_F8, KEY_F8},
    {XKB_KEY_F9, KEY_F9},
    {XKB_KEY_F10, KEY_F10},
    {XKB_KEY_F11, KEY_F11},
    {XKB_KEY_F12, KEY_F12},
    {XKB_KEY_F13, KEY_F13},
    {XKB_KEY_F14, KEY_F14},
    {XKB_KEY_F15, KEY_F15},
    {XKB_KEY_F16, KEY_F16},
    {XKB_KEY_F17, KEY_F17},
    {XKB_KEY_F18, KEY_F18},
    {XKB_KEY_F19, KEY_F19},
    {XKB_KEY_F20, KEY_F20},
    {XKB_KEY_F21, KEY_F21},
    {XKB_KEY_F22, KEY_F22},
    {XKB_KEY_F23, KEY_F23},
    {XKB_KEY_F24, KEY_F24},
    {XKB_KEY_KP_0, KEY_KP0},
    {XKB_KEY_KP_1, KEY_KP1},
    {XKB_KEY_KP_2, KEY_KP2},
    {XKB_KEY_KP_3, KEY_KP3},
    {XKB_KEY_KP_4, KEY_KP4},
    {XKB_KEY_KP_5, KEY_KP5},
    {XKB_KEY_KP_6, KEY_KP6},
    {XKB_KEY_KP_7, KEY_KP7},
    {XKB_KEY_KP_8, KEY_KP8},
    {XKB_KEY_KP_9, KEY_KP9},
    {XKB_KEY_KP_Insert, KEY_KP0},
    {XKB_KEY_KP_End, KEY_KP1},
    {XKB_KEY_KP_Down, KEY_KP2},
    {XKB_KEY_KP_Page_Down, KEY_KP3},
    {XKB_KEY_KP_Left, KEY_KP4},
    {XKB_KEY_KP_Begin, KEY_KP5},
    {XKB_KEY_KP_Right, KEY_KP6},
    {XKB_KEY_KP_Home, KEY_KP7},
    {XKB_KEY_KP_Up, KEY_KP8},
    {XKB_KEY_KP_Page_Up, KEY_KP9},
    {XKB_KEY_KP_Delete, KEY_KPDOT},
    {XKB_KEY_KP_Decimal, KEY_KPDOT},
    {XKB_KEY_KP_Separator, KEY_KPCOMMA},
    {XKB_KEY_KP_Add, KEY_KPPLUS},
    {XKB_KEY_KP_Subtract, KEY_KPMINUS},
    {XKB_KEY_KP_Multiply, KEY_KPASTERISK},
    {XKB_KEY_KP_Divide, KEY_KPSLASH},
    {XKB_KEY_KP_Enter, KEY_KPENTER},
    {XKB_KEY_KP_Equal, KEY_KPEQUAL},
    {XKB_KEY_Hangul, KEY_HANGEUL},
    {XKB_KEY_Hangul_Hanja, KEY_HANJA},
    {XKB_KEY_Henkan_Mode, KEY_HENKAN},
    {XKB_KEY_Muhenkan, KEY_MUHENKAN},
    {XKB_KEY_Hiragana_Katakana, KEY_KATAKANAHIRAGANA},
    {XKB_KEY_Hiragana, KEY_HIRAGANA},
    {XKB_KEY_Katakana, KEY_KATAKANA},
    {XKB_KEY_Zenkaku_Hankaku, KEY_ZENKAKUHANKAKU},
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

uint32_t keymap_canonical(uint32_t keysym)
{
    if (keysym >= 0x01000000 && keysym <= 0x0110FFFF) {
        uint32_t legacy = xkb_utf32_to_keysym(keysym - 0x01000000);

        if (legacy)
            return legacy;
    }
    return keysym;
}

const char *keymap_qemu_name(size_t i)
{
    return i < COUNT(qemu_names) ? qemu_names[i].name : NULL;
}

static int by_order(const void *pa, const void *pb)
{
    const struct keymap_entry *a = pa, *b = pb;
    int bits = __builtin_popcount(a->mods) - __builtin_popcount(b->mods);

    if (a->keysym != b->keysym)
        return a->keysym < b->keysym ? -1 : 1;
    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    if (bits)
        return bits;
    if (a->code != b->code)
        return a->code < b->code ? -1 : 1;
    return (int)a->mods - (int)b->mods;
}

struct builder {
    struct keymap_entry *entries;
    size_t count, capacity;
};

static void add(struct builder *b, uint32_t keysym, unsigned code, unsigned mods, enum rank rank)
{
    if (keysym == XKB_KEY_NoSymbol || code == 0 || code > LAST_KEY ||
        (code > LAST_CHARACTER && rank != RANK_FIXED && keysym < FIRST_XF86_SYM))
        return;
    if (b->count == b->capacity) {
        size_t capacity = b->capacity ? b->capacity * 2 : 1024;
        struct keymap_entry *grown = realloc(b->entries, capacity * sizeof(*grown));

        if (!grown)
            abort();
        b->entries = grown;
        b->capacity = capacity;
    }
    b->entries[b->count++] = (struct keymap_entry){
        .keysym = keymap_canonical(keysym),
        .code = (uint16_t)code,
        .mods = (uint8_t)mods,
        .rank = (uint8_t)rank,
    };
}

/* Which of Shift and AltGr choose this level of this key; false if it takes anything else. */
static bool level_mods(struct xkb_keymap *xkb, xkb_keycode_t keycode, xkb_layout_index_t layout,
                       xkb_level_index_t level, unsigned *mods)
{
    xkb_mod_mask_t masks[32];
    xkb_mod_mask_t shift = 1u << xkb_keymap_mod_get_index(xkb, XKB_MOD_NAME_SHIFT);
    xkb_mod_mask_t altgr = 1u << xkb_keymap_mod_get_index(xkb, "Mod5");
    size_t n = xkb_keymap_key_get_mods_for_level(xkb, keycode, layout, level, masks, COUNT(masks));
    bool found = false;

    for (size_t i = 0; i < n; i++) {
        unsigned m = (masks[i] & shift ? KEYMAP_SHIFT : 0) | (masks[i] & altgr ? KEYMAP_ALTGR : 0);

        if (masks[i] & ~(shift | altgr))
            continue;
        if (!found || __builtin_popcount(m) < __builtin_popcount(*mods))
            *mods = m;
        found = true;
    }
    return found;
}

static void add_layout(struct builder *b, struct xkb_keymap *xkb, xkb_layout_index_t layout)
{
    xkb_keycode_t last = xkb_keymap_max_keycode(xkb);

    for (xkb_keycode_t kc = xkb_keymap_min_keycode(xkb); kc <= last; kc++) {
        xkb_level_index_t levels;

        if (kc <= EVDEV_OFFSET || layout >= xkb_keymap_num_layouts_for_key(xkb, kc))
            continue;
        levels = xkb_keymap_num_levels_for_key(xkb, kc, layout);
        for (xkb_level_index_t level = 0; level < levels; level++) {
            const xkb_keysym_t *syms;
            unsigned code = kc - EVDEV_OFFSET, mods = 0;
            enum rank rank = layout ? RANK_FALLBACK : code == KEY_102ND ? RANK_102ND : RANK_LAYOUT;

            if (xkb_keymap_key_get_syms_by_level(xkb, kc, layout, level, &syms) == 1 &&
                level_mods(xkb, kc, layout, level, &mods))
                add(b, syms[0], code, mods, rank);
        }
    }
}

/* "layout" or "layout(variant)" in XKB's own names, letters, digits, _ and - only: they become
 * parts of file names. */
static bool split_name(const char *name, char *layout, char *variant, size_t size)
{
    static const char ok[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    size_t n = strspn(name, ok), v = 0;

    if (n == 0 || n >= size)
        return false;
    memcpy(layout, name, n);
    layout[n] = '\0';
    if (name[n] == '(') {
        v = strspn(name + n + 1, ok);
        if (v == 0 || v >= size || strcmp(name + n + 1 + v, ")") != 0)
            return false;
        memcpy(variant, name + n + 1, v);
    } else if (name[n]) {
        return false;
    }
    variant[v] = '\0';
    return true;
}

static void silent(struct xkb_context *context, enum xkb_log_level level, const char *format,
                   va_list args)
{
    (void)context;
    (void)level;
    (void)format;
    (void)args;
}

struct keymap *keymap_from_xkb(const char *name, struct err *err)
{
    char first[64], variant[64], layouts[80], variants[80];
    struct xkb_rule_names names = {.rules = "evdev", .model = "pc105", .options = ""};
    struct xkb_context *context;
    struct xkb_keymap *xkb = NULL;
    struct builder b = {0};
    struct keymap *keymap;
    bool known = false;

    for (size_t i = 0; i < COUNT(qemu_names) && !known; i++) {
        if (strcmp(name, qemu_names[i].name) == 0) {
            snprintf(first, sizeof(first), "%s", qemu_names[i].layout);
            snprintf(variant, sizeof(variant), "%s", qemu_names[i].variant);
            known = true;
        }
    }
    if (!known && !split_name(name, first, variant, sizeof(first)))
        goto unknown;

    /* The second group serves what the layout lacks: Latin letters on a Cyrillic one, say. */
    snprintf(layouts, sizeof(layouts), "%s,us", first);
    snprintf(variants, sizeof(variants), "%s,", variant);
    names.layout = layouts;
    names.variant = variants;
    context = xkb_context_new(XKB_CONTEXT_NO_ENVIRONMENT_NAMES);
    if (context) {
        xkb_context_set_log_fn(context, silent);
        xkb = xkb_keymap_new_from_names(context, &names, XKB_KEYMAP_COMPILE_NO_FLAGS);
    }
    if (!xkb) {
        xkb_context_unref(context);
        if (known) {
            err_set(err, "keymap %s: XKB's data is not there or broken (Debian package xkb-data)",
                    name);
            return NULL;
        }
        goto unknown;
    }

    for (size_t i = 0; i < COUNT(fixed_keys); i++)
        add(&b, fixed_keys[i].keysym, fixed_keys[i].code, 0, RANK_FIXED);
    add_layout(&b, xkb, 0);
    add_layout(&b, xkb, 1);
    xkb_keymap_unref(xkb);
    xkb_context_unref(context);

    qsort(b.entries, b.count, sizeof(*b.entries), by_order);
    keymap = malloc(sizeof(*keymap));
    if (!keymap)
        abort();
    *keymap = (struct keymap){.count = b.count, .entries = b.entries, .own = b.entries};
    /* The compiler's arena is some hundred KiB that nothing uses again. */
    malloc_trim(0);
    return keymap;

unknown:
    err_set(err,
            "keymap \"%.64s\" is not known: give one of qemu's names (en-us, en-gb, de, fr, ...) "
            "or an XKB layout, listed in /usr/share/X11/xkb/rules/base.lst",
            name);
    return NULL;
}
