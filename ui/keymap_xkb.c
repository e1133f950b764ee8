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
#define FAKE_LEVEL3    84 /* XKB's */

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
    {XKB_KEY_Linefeed, KEY_ENTER},
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
    {XKB_KEY_Find, KEY_HOME},
    {XKB_KEY_Select, KEY_END},
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
    {XKB_KEY_KP_Add, KEY_KPPLUS},
    {XKB_KEY_KP_Subtract, KEY_KPMINUS},
    {XKB_KEY_KP_Multiply, KEY_KPASTERISK},
    {XKB_KEY_KP_Divide, KEY_KPSLASH},
    {XKB_KEY_KP_Enter, KEY_KPENTER},
    {XKB_KEY_KP_Equal, KEY_KPEQUAL},
    {XKB_KEY_KP_Tab, KEY_TAB},
    {XKB_KEY_KP_Space, KEY_SPACE},
    {XKB_KEY_Hangul, KEY_HANGEUL},
    {XKB_KEY_Eisu_toggle, KEY_CAPSLOCK},
    {XKB_KEY_Hangul_Hanja, KEY_HANJA},
    {XKB_KEY_Henkan_Mode, KEY_HENKAN},
    {XKB_KEY_Muhenkan, KEY_MUHENKAN},
    {XKB_KEY_Hiragana_Katakana, KEY_KATAKANAHIRAGANA},
    {XKB_KEY_Hiragana, KEY_HIRAGANA},
    {XKB_KEY_Katakana, KEY_KATAKANA},
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
    if ((a->rank & RANK_MASK) != (b->rank & RANK_MASK))
        return (a->rank & RANK_MASK) < (b->rank & RANK_MASK) ? -1 : 1;
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

static void add_entry(struct builder *b, const struct keymap_entry *entry)
{
    if (b->count == b->capacity) {
        size_t capacity = b->capacity ? b->capacity * 2 : 1024;
        struct keymap_entry *grown = realloc(b->entries, capacity * sizeof(*grown));

        if (!grown)
            abort();
        b->entries = grown;
        b->capacity = capacity;
    }
    b->entries[b->count++] = *entry;
}

/* Keys below LAST_CHARACTER that have no scan code: no PC keyboard has them. */
static bool on_no_keyboard(unsigned code)
{
    return code == FAKE_LEVEL3 || code == KEY_LINEFEED || code == KEY_MACRO ||
           code == KEY_KPPLUSMINUS || code == KEY_SCALE;
}

static bool is_keypad(uint32_t keysym)
{
    return keysym >= XKB_KEY_KP_Space && keysym <= XKB_KEY_KP_9;
}

/* `flags`: RANK_ODD, RANK_INEXACT. */
static void add(struct builder *b, uint32_t keysym, unsigned code, unsigned mods, enum rank rank,
                unsigned flags)
{
    bool inexact = rank == RANK_FIXED || is_keypad(keysym);

    if (keysym == XKB_KEY_NoSymbol || code == 0 || code > LAST_KEY || on_no_keyboard(code) ||
        (code > LAST_CHARACTER && rank != RANK_FIXED && keysym < FIRST_XF86_SYM))
        return;
    add_entry(b, &(struct keymap_entry){
                     .keysym = keymap_canonical(keysym),
                     .code = (uint8_t)code,
                     /* The keypad's levels are Num Lock's business. */
                     .mods = (uint8_t)(is_keypad(keysym) ? 0 : mods),
                     .rank = (uint8_t)(rank | flags | (inexact ? RANK_INEXACT : 0)),
                 });
}

/* Which of KEYMAP_* choose this level of this key; false if it takes anything else. */
static bool level_mods(struct xkb_keymap *xkb, xkb_keycode_t keycode, xkb_layout_index_t layout,
                       xkb_level_index_t level, unsigned *mods)
{
    /* The real modifiers that XKB's rules give Level3 and Level5. */
    static const char *const names[KEYMAP_MODS] = {XKB_MOD_NAME_SHIFT, "Mod5", "Mod3"};
    xkb_mod_mask_t masks[32], bits[KEYMAP_MODS], all = 0;
    size_t n = xkb_keymap_key_get_mods_for_level(xkb, keycode, layout, level, masks, COUNT(masks));
    bool found = false;

    for (unsigned i = 0; i < KEYMAP_MODS; i++)
        all |= bits[i] = 1u << xkb_keymap_mod_get_index(xkb, names[i]);
    for (size_t i = 0; i < n; i++) {
        unsigned m = 0;

        if (masks[i] & ~all)
            continue;
        for (unsigned k = 0; k < KEYMAP_MODS; k++)
            m |= masks[i] & bits[k] ? 1u << k : 0;
        if (!found || __builtin_popcount(m) < __builtin_popcount(*mods))
            *mods = m;
        found = true;
    }
    return found;
}

/* Whether Caps Lock, with the modifiers that choose this level, chooses another one. */
static bool takes_caps_lock(struct xkb_keymap *xkb, xkb_keycode_t kc, xkb_layout_index_t layout,
                            xkb_level_index_t level)
{
    xkb_mod_mask_t lock = 1u << xkb_keymap_mod_get_index(xkb, XKB_MOD_NAME_CAPS), masks[32];
    xkb_level_index_t levels = xkb_keymap_num_levels_for_key(xkb, kc, layout);
    size_t n = xkb_keymap_key_get_mods_for_level(xkb, kc, layout, level, masks, COUNT(masks));

    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++)
            if (!(masks[i] & lock) && masks[k] == (masks[i] | lock))
                return false;
    for (xkb_level_index_t other = 0; other < levels; other++) {
        n = xkb_keymap_key_get_mods_for_level(xkb, kc, layout, other, masks, COUNT(masks));
        for (size_t i = 0; i < n; i++)
            if (masks[i] & lock)
                return true;
    }
    return false;
}

/* Not a letter and its capital, on the first two levels; where Caps Lock counts all the same. */
static bool is_odd(struct xkb_keymap *xkb, xkb_keycode_t kc, xkb_layout_index_t layout,
                   xkb_level_index_t level, xkb_keysym_t keysym)
{
    xkb_keysym_t lower = xkb_keysym_to_lower(keysym), upper = xkb_keysym_to_upper(keysym);
    const xkb_keysym_t *syms;

    if (level > 1)
        return false;
    if (lower == upper)
        return takes_caps_lock(xkb, kc, layout, level);
    return keysym != (level ? upper : lower) ||
           xkb_keymap_key_get_syms_by_level(xkb, kc, layout, !level, &syms) != 1 ||
           syms[0] != (level ? lower : upper);
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
                add(b, syms[0], code, mods, rank,
                    is_odd(xkb, kc, layout, level, syms[0]) ? RANK_ODD : 0);
        }
    }
}

/* --- modifier keys --- */

static bool gives(struct xkb_keymap *xkb, unsigned code, xkb_keysym_t keysym)
{
    const xkb_keysym_t *syms;

    return xkb_keymap_key_get_syms_by_level(xkb, code + EVDEV_OFFSET, 0, 0, &syms) == 1 &&
           syms[0] == keysym;
}

/* The key that is this modifier; the right Alt key rather than one that is something else too. */
static uint8_t modifier_key(struct xkb_keymap *xkb, xkb_keysym_t keysym)
{
    if (gives(xkb, KEY_RIGHTALT, keysym))
        return KEY_RIGHTALT;
    for (unsigned code = KEY_ESC; code <= LAST_CHARACTER; code++)
        if (!on_no_keyboard(code) && code != KEY_CAPSLOCK && gives(xkb, code, keysym))
            return (uint8_t)code;
    return gives(xkb, KEY_CAPSLOCK, keysym) ? KEY_CAPSLOCK : 0;
}

static void add_modifiers(struct builder *b, struct xkb_keymap *xkb, struct keymap *keymap)
{
    keymap->level3 = modifier_key(xkb, XKB_KEY_ISO_Level3_Shift);
    if (!keymap->level3)
        keymap->level3 = modifier_key(xkb, XKB_KEY_Mode_switch);
    keymap->level5 = modifier_key(xkb, XKB_KEY_ISO_Level5_Shift);
    keymap->caps_lock = gives(xkb, KEY_CAPSLOCK, XKB_KEY_Caps_Lock);
    /* A viewer's AltGr on a layout without one is the key in its place. */
    unsigned level3 = keymap->level3 ? keymap->level3 : KEY_RIGHTALT;
    add(b, XKB_KEY_ISO_Level3_Shift, level3, 0, RANK_FIXED, 0);
    add(b, XKB_KEY_Mode_switch, level3, 0, RANK_FIXED, 0);
    add(b, XKB_KEY_ISO_Level5_Shift, keymap->level5, 0, RANK_FIXED, 0);
    /* What the layout says of these comes before this: the keypad's separator is a key of its own
     * on Brazilian keyboards, and on Japanese ones the key left of 1 is Zenkaku_Hankaku. */
    add(b, XKB_KEY_KP_Separator, KEY_KPDOT, 0, RANK_FALLBACK, 0);
    static const uint16_t zenkaku[] = {XKB_KEY_Zenkaku_Hankaku, XKB_KEY_Zenkaku, XKB_KEY_Hankaku,
                                       XKB_KEY_Kanji};
    for (size_t i = 0; i < COUNT(zenkaku); i++)
        add(b, zenkaku[i], KEY_ZENKAKUHANKAKU, 0, RANK_FALLBACK, RANK_INEXACT);
}

/* --- characters that take a dead key --- */

/* What an accented letter's name ends with ("eacute", "Greek_alphaaccent"), the dead key, and the
 * accent by itself. */
static const struct {
    const char *suffix;
    uint32_t dead, accent;
} accents[] = {
    {"acute", XKB_KEY_dead_acute, XKB_KEY_acute},
    {"grave", XKB_KEY_dead_grave, XKB_KEY_grave},
    {"circumflex", XKB_KEY_dead_circumflex, XKB_KEY_asciicircum},
    {"tilde", XKB_KEY_dead_tilde, XKB_KEY_asciitilde},
    {"diaeresis", XKB_KEY_dead_diaeresis, XKB_KEY_diaeresis},
    {"cedilla", XKB_KEY_dead_cedilla, XKB_KEY_cedilla},
    {"macron", XKB_KEY_dead_macron, XKB_KEY_macron},
    {"breve", XKB_KEY_dead_breve, XKB_KEY_breve},
    {"caron", XKB_KEY_dead_caron, XKB_KEY_caron},
    {"ogonek", XKB_KEY_dead_ogonek, XKB_KEY_ogonek},
    {"abovedot", XKB_KEY_dead_abovedot, XKB_KEY_abovedot},
    {"ring", XKB_KEY_dead_abovering, XKB_KEY_degree},
    {"doubleacute", XKB_KEY_dead_doubleacute, XKB_KEY_doubleacute},
    {"accent", XKB_KEY_dead_acute, XKB_KEY_NoSymbol},
    {"dieresis", XKB_KEY_dead_diaeresis, XKB_KEY_NoSymbol},
};

/* The layout's own entry of a keysym, among the first `count`, sorted; or NULL. */
static const struct keymap_entry *own_entry(const struct builder *b, size_t count, uint32_t keysym)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (b->entries[mid].keysym < keysym)
            low = mid + 1;
        else
            high = mid;
    }
    return low < count && b->entries[low].keysym == keysym &&
                   (b->entries[low].rank & RANK_MASK) < RANK_COMPOSED
               ? &b->entries[low]
               : NULL;
}

static void compose(struct builder *b, size_t count, uint32_t keysym, uint32_t dead, uint32_t base)
{
    const struct keymap_entry *first = own_entry(b, count, dead), *second;

    second = own_entry(b, count, base);
    if (!first || !second || own_entry(b, count, keysym))
        return;
    struct keymap_entry entry = {
        .keysym = keysym,
        .code = second->code,
        .mods = (uint8_t)(second->mods | first->mods << KEYMAP_MODS),
        .dead = first->code,
        .rank = RANK_COMPOSED,
    };
    add_entry(b, &entry);
}

/* Letters with an accent, which XKB's names of them tell, and the accents themselves: what the
 * layout has no key for, but a dead key. */
static void add_composed(struct builder *b)
{
    size_t count = b->count;
    char name[64];

    for (uint32_t keysym = 0xA0; keysym < 0x1400; keysym++) {
        int len = xkb_keysym_get_name(keysym, name, sizeof(name));
        for (size_t i = 0; len > 0 && i < COUNT(accents); i++) {
            size_t n = strlen(accents[i].suffix), at = (size_t)len - n;
            if ((size_t)len <= n || strcmp(name + at, accents[i].suffix) != 0)
                continue;
            name[at] = 0;
            uint32_t base = xkb_keysym_from_name(name, XKB_KEYSYM_NO_FLAGS);
            if (base != XKB_KEY_NoSymbol)
                compose(b, count, keymap_canonical(keysym), accents[i].dead, base);
            name[at] = accents[i].suffix[0];
        }
    }
    for (size_t i = 0; i < COUNT(accents); i++)
        if (accents[i].accent)
            compose(b, count, accents[i].accent, accents[i].dead, XKB_KEY_space);
}

/* --- names --- */

#define NAME_MAX_LENGTH 64

struct names {
    char model[NAME_MAX_LENGTH], layout[NAME_MAX_LENGTH], variant[NAME_MAX_LENGTH];
    char options[3 * NAME_MAX_LENGTH]; /* by commas */
};

/* Takes letters, digits, _, - and what `more` has (they become parts of file names); false if there
 * are none, or too many. */
static bool take(const char **at, const char *more, char *out, size_t room)
{
    char ok[80];

    snprintf(ok, sizeof(ok), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-%s",
             more);
    size_t n = strspn(*at, ok);
    if (!n || n >= room)
        return false;
    memcpy(out, *at, n);
    out[n] = 0;
    *at += n;
    return true;
}

/* [MODEL/]LAYOUT[(VARIANT)][+OPTION]… */
static bool split_name(const char *name, struct names *names)
{
    const char *at = name;

    *names = (struct names){.model = "pc105"};
    if (!take(&at, "", names->layout, sizeof(names->layout)))
        return false;
    if (*at == '/') {
        memcpy(names->model, names->layout, sizeof(names->model));
        at++;
        if (!take(&at, "", names->layout, sizeof(names->layout)))
            return false;
    }
    if (*at == '(') {
        at++;
        if (!take(&at, "", names->variant, sizeof(names->variant)) || *at++ != ')')
            return false;
    }
    while (*at == '+') {
        size_t used = strlen(names->options);

        at++;
        if (used)
            names->options[used++] = ',';
        if (used >= sizeof(names->options) ||
            !take(&at, ":", names->options + used, sizeof(names->options) - used))
            return false;
    }
    return !*at;
}

/* Whether XKB's list of models or options has this one: its rules say nothing of a wrong one. */
static bool listed(struct xkb_context *context, const char *section, const char *word, size_t len)
{
    char path[512], line[512], first[128];
    bool found = false, inside = false;

    for (unsigned i = 0; !found && i < xkb_context_num_include_paths(context); i++) {
        snprintf(path, sizeof(path), "%s/rules/evdev.lst",
                 xkb_context_include_path_get(context, i));
        FILE *f = fopen(path, "re");
        while (f && !found && fgets(line, sizeof(line), f)) {
            if (line[0] == '!')
                inside = strstr(line, section) != NULL;
            found = inside && sscanf(line, "%127s", first) == 1 && strlen(first) == len &&
                    !memcmp(first, word, len);
        }
        if (f)
            fclose(f);
    }
    return found;
}

static bool known_names(struct xkb_context *context, const struct names *names)
{
    if (strcmp(names->model, "pc105") != 0 &&
        !listed(context, "model", names->model, strlen(names->model)))
        return false;
    for (const char *o = names->options; *o; o += *o == ',') {
        size_t n = strcspn(o, ",");
        if (!listed(context, "option", o, n))
            return false;
        o += n;
    }
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

/* The layout, and the US one as a second group, which serves what it lacks: Latin letters on a
 * Cyrillic one, say. NULL: XKB has no such. */
static struct xkb_keymap *compile(struct xkb_context *context, const struct names *names)
{
    char layouts[NAME_MAX_LENGTH + 4], variants[NAME_MAX_LENGTH + 2];
    const struct xkb_rule_names rules = {
        .rules = "evdev",
        .model = names->model,
        .layout = layouts,
        .variant = variants,
        .options = names->options,
    };

    snprintf(layouts, sizeof(layouts), "%s,us", names->layout);
    snprintf(variants, sizeof(variants), "%s,", names->variant);
    return xkb_keymap_new_from_names(context, &rules, XKB_KEYMAP_COMPILE_NO_FLAGS);
}

static struct keymap *build(struct xkb_keymap *xkb)
{
    struct keymap *keymap = calloc(1, sizeof(*keymap));
    struct builder b = {0};

    if (!keymap)
        abort();
    for (size_t i = 0; i < COUNT(fixed_keys); i++)
        add(&b, fixed_keys[i].keysym, fixed_keys[i].code, 0, RANK_FIXED, 0);
    add_modifiers(&b, xkb, keymap);
    add_layout(&b, xkb, 0);
    add_layout(&b, xkb, 1);
    qsort(b.entries, b.count, sizeof(*b.entries), by_order);
    add_composed(&b);
    qsort(b.entries, b.count, sizeof(*b.entries), by_order);
    keymap->count = b.count;
    keymap->entries = keymap->own = b.entries;
    return keymap;
}

static bool qemu_layout(const char *name, struct names *names)
{
    for (size_t i = 0; i < COUNT(qemu_names); i++) {
        if (strcmp(name, qemu_names[i].name) != 0)
            continue;
        *names = (struct names){.model = "pc105"};
        snprintf(names->layout, sizeof(names->layout), "%s", qemu_names[i].layout);
        snprintf(names->variant, sizeof(names->variant), "%s", qemu_names[i].variant);
        return true;
    }
    return false;
}

struct keymap *keymap_from_xkb(const char *name, struct err *err)
{
    struct names names;
    struct xkb_keymap *xkb = NULL;
    struct keymap *keymap = NULL;
    bool qemus = qemu_layout(name, &names);

    if (qemus || split_name(name, &names)) {
        struct xkb_context *context = xkb_context_new(XKB_CONTEXT_NO_ENVIRONMENT_NAMES);
        if (context) {
            xkb_context_set_log_fn(context, silent);
            xkb = known_names(context, &names) ? compile(context, &names) : NULL;
        }
        keymap = xkb ? build(xkb) : NULL;
        xkb_keymap_unref(xkb);
        xkb_context_unref(context);
        /* The compiler's arena is some hundred KiB that nothing uses again. */
        malloc_trim(0);
    }
    if (!keymap && qemus)
        err_set(err, "-k %s: XKB's data is not there or broken (Debian package xkb-data)", name);
    else if (!keymap)
        err_set(err,
                "-k: keymap \"%.64s\" is not known: give one of qemu's names (en-us, en-gb, de, "
                "fr, ...) or [MODEL/]LAYOUT[(VARIANT)][+OPTION], all listed in "
                "/usr/share/X11/xkb/rules/base.lst",
                name);
    return keymap;
}
