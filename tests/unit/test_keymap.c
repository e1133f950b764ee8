/* SPDX-License-Identifier: GPL-2.0-or-later */
/* keymap: keysyms and XT codes find the right key, on more than one layout. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include <linux/input-event-codes.h>
#include <xkbcommon/xkbcommon.h>

#include "ui/keymap_table.h"

static struct keymap *load(const char *name)
{
    struct err err = {.text = ""};
    struct keymap *keymap = keymap_load(name, &err);

    if (!keymap)
        print_error("%s\n", err.text);
    assert_non_null(keymap);
    return keymap;
}

static void assert_found(const struct keymap *keymap, uint32_t keysym, unsigned held, unsigned code,
                         unsigned mods)
{
    struct keymap_key key = {0};

    if (!keymap_lookup(keymap, keysym, held, &key))
        fail_msg("keysym %#x is not found", keysym);
    if (key.code != code || key.mods != mods)
        fail_msg("keysym %#x: key %u mods %u, not %u and %u", keysym, key.code, key.mods, code,
                 mods);
}

static void test_us(void **state)
{
    struct keymap *us = load(NULL);

    (void)state;
    assert_found(us, 'a', 0, KEY_A, 0);
    assert_found(us, 'A', 0, KEY_A, KEYMAP_SHIFT);
    assert_found(us, '1', 0, KEY_1, 0);
    assert_found(us, '!', 0, KEY_1, KEYMAP_SHIFT);
    assert_found(us, '@', 0, KEY_2, KEYMAP_SHIFT);
    assert_found(us, '/', 0, KEY_SLASH, 0);
    assert_found(us, '~', 0, KEY_GRAVE, KEYMAP_SHIFT);
    assert_found(us, '\\', 0, KEY_BACKSLASH, 0);
    /* The key left of Z has < and > too; it must not win, with or without Shift. */
    assert_found(us, '<', 0, KEY_COMMA, KEYMAP_SHIFT);
    assert_found(us, '<', KEYMAP_SHIFT, KEY_COMMA, KEYMAP_SHIFT);
    assert_found(us, '>', 0, KEY_DOT, KEYMAP_SHIFT);
    assert_found(us, XKB_KEY_dead_circumflex, 0, KEY_6, KEYMAP_SHIFT);
    keymap_free(us);
}

static void test_every_us_character(void **state)
{
    struct keymap *us = load("en-us");
    struct keymap_key key;

    (void)state;
    for (uint32_t c = ' '; c <= '~'; c++) {
        assert_true(keymap_lookup(us, c, 0, &key));
        assert_in_range(key.code, KEY_ESC, KEY_SPACE);
        assert_int_equal(key.mods & KEYMAP_ALTGR, 0);
        assert_true(keymap_lookup(us, 0x01000000 + c, 0, &key)); /* the same as Unicode */
    }
    keymap_free(us);
}

static void test_fixed_keys(void **state)
{
    static const struct {
        uint32_t keysym;
        unsigned code;
    } keys[] = {
        {XKB_KEY_Return, KEY_ENTER},
        {XKB_KEY_Escape, KEY_ESC},
        {XKB_KEY_BackSpace, KEY_BACKSPACE},
        {XKB_KEY_Tab, KEY_TAB},
        {XKB_KEY_ISO_Left_Tab, KEY_TAB},
        {XKB_KEY_Print, KEY_SYSRQ},
        {XKB_KEY_Pause, KEY_PAUSE},
        {XKB_KEY_Break, KEY_PAUSE},
        {XKB_KEY_Alt_R, KEY_RIGHTALT},
        {XKB_KEY_ISO_Level3_Shift, KEY_RIGHTALT},
        {XKB_KEY_Super_L, KEY_LEFTMETA},
        {XKB_KEY_F1, KEY_F1},
        {XKB_KEY_F12, KEY_F12},
        {XKB_KEY_F13, KEY_F13},
        {XKB_KEY_F24, KEY_F24},
        {XKB_KEY_KP_0, KEY_KP0},
        {XKB_KEY_KP_Insert, KEY_KP0},
        {XKB_KEY_KP_Enter, KEY_KPENTER},
        {XKB_KEY_KP_Decimal, KEY_KPDOT},
        {XKB_KEY_Hangul, KEY_HANGEUL},
        {XKB_KEY_Hangul_Hanja, KEY_HANJA},
        {XKB_KEY_Henkan_Mode, KEY_HENKAN},
        {XKB_KEY_Delete, KEY_DELETE},
        {XKB_KEY_Page_Up, KEY_PAGEUP},
        {XKB_KEY_Menu, KEY_COMPOSE},
    };
    static const char *const layouts[] = {"en-us", "de", "fr", "ja", "ru", "bepo"};

    (void)state;
    for (size_t l = 0; l < sizeof(layouts) / sizeof(layouts[0]); l++) {
        struct keymap *keymap = load(layouts[l]);

        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
            assert_found(keymap, keys[i].keysym, 0, keys[i].code, 0);
        keymap_free(keymap);
    }
}

static void test_german(void **state)
{
    struct keymap *de = load("de");

    (void)state;
    assert_found(de, 'z', 0, KEY_Y, 0);
    assert_found(de, 'Z', KEYMAP_SHIFT, KEY_Y, KEYMAP_SHIFT);
    assert_found(de, '/', 0, KEY_7, KEYMAP_SHIFT);
    assert_found(de, '@', 0, KEY_Q, KEYMAP_ALTGR);
    assert_found(de, '<', 0, KEY_102ND, 0);
    assert_found(de, '|', 0, KEY_102ND, KEYMAP_ALTGR);
    assert_found(de, 0xFC /* u with diaeresis */, 0, KEY_LEFTBRACE, 0);
    assert_found(de, 0xDC, 0, KEY_LEFTBRACE, KEYMAP_SHIFT);
    assert_found(de, 0x010000FC, 0, KEY_LEFTBRACE, 0);
    assert_found(de, XKB_KEY_EuroSign, 0, KEY_E, KEYMAP_ALTGR);
    assert_found(de, 0x010020AC, 0, KEY_E, KEYMAP_ALTGR);
    assert_found(de, XKB_KEY_dead_circumflex, 0, KEY_GRAVE, 0); /* nodeadkeys: stands in */
    keymap_free(de);
}

static void test_dead_keys_stand_in(void **state)
{
    struct keymap *de = load("de(deadacute)");
    struct keymap *es = load("es");
    struct keymap_key key;

    (void)state;
    assert_found(es, XKB_KEY_dead_acute, 0, KEY_APOSTROPHE, 0);
    /* The accent by itself, and a letter with it. */
    assert_true(keymap_lookup(es, XKB_KEY_acute, 0, &key));
    assert_int_equal(key.dead, KEY_APOSTROPHE);
    assert_int_equal(key.dead_mods, 0);
    assert_int_equal(key.code, KEY_SPACE);
    assert_true(keymap_lookup(es, XKB_KEY_Udiaeresis, 0, &key));
    assert_int_equal(key.dead, KEY_APOSTROPHE);
    assert_int_equal(key.dead_mods, KEYMAP_SHIFT);
    assert_int_equal(key.code, KEY_U);
    assert_int_equal(key.mods, KEYMAP_SHIFT);
    assert_true(keymap_lookup(es, XKB_KEY_ntilde, 0, &key)); /* has a key */
    assert_int_equal(key.dead, 0);
    assert_true(keymap_lookup(de, XKB_KEY_acute, 0, &key));
    assert_int_equal(key.dead, KEY_EQUAL);
    keymap_free(de);
    keymap_free(es);
}

/* On de(neo) AltGr is Level5, and Level3 is on a key right of it; Caps Lock is that too. */
static void test_levels(void **state)
{
    struct keymap *neo = load("de(neo)"), *us = load("us"), *de = load("de");

    (void)state;
    assert_int_equal(keymap_modifier(neo, KEYMAP_SHIFT), KEY_LEFTSHIFT);
    assert_int_equal(keymap_modifier(neo, KEYMAP_ALTGR), KEY_BACKSLASH);
    assert_int_equal(keymap_modifier(neo, KEYMAP_LEVEL5), KEY_RIGHTALT);
    assert_false(keymap_has_caps_lock(neo));
    assert_found(neo, '{', 0, KEY_D, KEYMAP_ALTGR);
    assert_found(neo, XKB_KEY_ISO_Level3_Shift, 0, KEY_BACKSLASH, 0);
    assert_found(neo, XKB_KEY_ISO_Level5_Shift, 0, KEY_RIGHTALT, 0);
    assert_found(neo, XKB_KEY_Greek_alpha, 0, KEY_D, KEYMAP_SHIFT | KEYMAP_ALTGR);
    assert_int_equal(keymap_modifier(us, KEYMAP_ALTGR), 0);
    assert_int_equal(keymap_modifier(de, KEYMAP_ALTGR), KEY_RIGHTALT);
    assert_int_equal(keymap_modifier(de, KEYMAP_LEVEL5), 0);
    assert_true(keymap_has_caps_lock(de));
    keymap_free(neo);
    keymap_free(us);
    keymap_free(de);
}

static void test_keypad_separator(void **state)
{
    struct keymap *de = load("de"), *br = load("pt-br"), *us = load("us");

    (void)state;
    assert_found(de, XKB_KEY_KP_Separator, 0, KEY_KPDOT, 0);
    assert_found(us, XKB_KEY_KP_Decimal, 0, KEY_KPDOT, 0);
    assert_found(br, XKB_KEY_KP_Decimal, 0, KEY_KPDOT, 0);
    keymap_free(de);
    keymap_free(br);
    keymap_free(us);
}

static void test_cyrillic_with_latin(void **state)
{
    struct keymap *ru = load("ru");

    (void)state;
    assert_found(ru, XKB_KEY_Cyrillic_ef, 0, KEY_A, 0);
    assert_found(ru, XKB_KEY_Cyrillic_EF, 0, KEY_A, KEYMAP_SHIFT);
    assert_found(ru, 0x01000444 /* the same letter as Unicode */, 0, KEY_A, 0);
    assert_found(ru, 'a', 0, KEY_A, 0);
    assert_found(ru, '?', 0, KEY_7, KEYMAP_SHIFT); /* the layout's own before the US one */
    keymap_free(ru);
}

static void test_unknown_keysyms(void **state)
{
    struct keymap *us = load("en-us");
    struct keymap_key key;
    const uint32_t none[] = {0,          0xFFFFFFFF, 0x01FFFFFF,         0x0110FFFF,
                             0x01000000, 0x80000000, XKB_KEY_Cyrillic_ef};

    (void)state;
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        assert_false(keymap_lookup(us, none[i], 0, &key));
    keymap_free(us);
}

/* Whatever a viewer sends, the answer is a real key. */
static void test_never_code_zero(void **state)
{
    static const char *const layouts[] = {"en-us", "de", "ja"};
    struct keymap_key key;

    (void)state;
    for (size_t l = 0; l < sizeof(layouts) / sizeof(layouts[0]); l++) {
        struct keymap *keymap = load(layouts[l]);
        unsigned found = 0;

        for (uint32_t keysym = 0; keysym < 0x10000; keysym++) {
            for (unsigned held = 0; held < 4; held++) {
                if (keymap_lookup(keymap, keysym, held, &key)) {
                    found++;
                    assert_in_range(key.code, 1, 255);
                    assert_in_range(key.mods, 0, 7);
                    assert_in_range(key.dead, 0, 127);
                }
            }
        }
        assert_true(found > 600);
        keymap_free(keymap);
    }
}

static void test_all_names(void **state)
{
    static const char *const names[] = {
        "ar",
        "bepo",
        "cz",
        "da",
        "de",
        "de-ch",
        "en-gb",
        "en-us",
        "es",
        "et",
        "fi",
        "fo",
        "fr",
        "fr-be",
        "fr-ca",
        "fr-ch",
        "hr",
        "hu",
        "is",
        "it",
        "ja",
        "lt",
        "lv",
        "mk",
        "nl",
        "no",
        "pl",
        "pt",
        "pt-br",
        "ru",
        "sl",
        "sv",
        "th",
        "tr",
        "us",
        "us(dvorak)",
        "de(neo)",
        "ch(fr)",
        "applealu_iso/de",
        "us+compose:ralt",
        "pc104/us(intl)+ctrl:nocaps+compose:menu",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        keymap_free(load(names[i]));
}

static void test_bad_names(void **state)
{
    static const char *const names[] = {
        "",
        "xx",
        "klingon",
        "../../etc/passwd",
        "us,de",
        "us(",
        "us()",
        "us(dvorak",
        "us)",
        "us dvorak",
        "/us",
        "us/",
        "nosuchmodel/us",
        "pc105/us/de",
        "us+",
        "us+nosuch:option",
        "us++compose:ralt",
        "us+compose:ralt(dvorak)",
        "us(dvorak)x",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct err err = {.text = ""};

        assert_null(keymap_load(names[i], &err));
        assert_non_null(strstr(err.text, "keymap"));
        assert_non_null(strstr(err.text, "base.lst"));
    }
}

static void test_case(void **state)
{
    (void)state;
    assert_int_equal(keymap_case('a'), -1);
    assert_int_equal(keymap_case('A'), 1);
    assert_int_equal(keymap_case('1'), 0);
    assert_int_equal(keymap_case(XKB_KEY_Cyrillic_EF), 1);
    assert_int_equal(keymap_case(0x01000444), -1);
    assert_int_equal(keymap_case(XKB_KEY_F1), 0);
}

static void test_xt(void **state)
{
    static const struct {
        uint32_t xt;
        unsigned code;
    } keys[] = {
        {0x01, KEY_ESC},
        {0x1E, KEY_A},
        {0x53, KEY_KPDOT},
        {0x54, KEY_SYSRQ},
        {0x56, KEY_102ND},
        {0x58, KEY_F12},
        {0x5D, KEY_F13},
        {0x6F, KEY_F24},
        {0x9C, KEY_KPENTER},
        {0xB8, KEY_RIGHTALT},
        {0xB7, KEY_SYSRQ},
        {0xC6, KEY_PAUSE},
        {0x45, KEY_NUMLOCK},
        {0xC8, KEY_UP},
        {0xDB, KEY_LEFTMETA},
        {0x72, KEY_HANGEUL},
        {0xF2, KEY_HANGEUL},
        {0x71, KEY_HANJA},
        {0x73, KEY_RO},
        {0x7D, KEY_YEN},
        {0x00, 0},
        {0x80, 0},
        {0xFF, 0},
        {0x100, 0},
        {0xE01C, 0},
        {0xFFFFFFFF, 0},
        {0x8000001E, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        assert_int_equal(keymap_from_xt(keys[i].xt), keys[i].code);
}

/* What was made at build time is what would be made now. */
static void test_built_in(void **state)
{
    const char *name;
    size_t i;

    (void)state;
    for (i = 0; (name = keymap_qemu_name(i)); i++) {
        struct err err = {.text = ""};
        struct keymap *built = load(name), *made = keymap_from_xkb(name, &err);

        assert_non_null(made);
        assert_null(built->own);
        assert_int_equal(built->count, made->count);
        assert_int_equal(built->level3, made->level3);
        assert_int_equal(built->level5, made->level5);
        assert_int_equal(built->caps_lock, made->caps_lock);
        assert_memory_equal(built->entries, made->entries, made->count * sizeof(*made->entries));
        keymap_free(built);
        keymap_free(made);
    }
    assert_int_equal(i, keymap_builtin_count);
    struct keymap *none = load(NULL), *us = load("en-us");
    assert_ptr_equal(none->entries, us->entries);
    keymap_free(none);
    keymap_free(us);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_us),
        cmocka_unit_test(test_every_us_character),
        cmocka_unit_test(test_fixed_keys),
        cmocka_unit_test(test_german),
        cmocka_unit_test(test_dead_keys_stand_in),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_keypad_separator),
        cmocka_unit_test(test_cyrillic_with_latin),
        cmocka_unit_test(test_unknown_keysyms),
        cmocka_unit_test(test_never_code_zero),
        cmocka_unit_test(test_all_names),
        cmocka_unit_test(test_bad_names),
        cmocka_unit_test(test_case),
        cmocka_unit_test(test_xt),
        cmocka_unit_test(test_built_in),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
