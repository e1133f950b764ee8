/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_vnc_layouts: every character of a layout, as a viewer sends it, comes out of the keyboard
 * controller as scan codes which a guest with that layout, here xkb's, reads as the same character.
 */
#include <stdlib.h>
#include <string.h>

#include <linux/input-event-codes.h>
#include <xkbcommon/xkbcommon.h>

#include "hw/pc/i8042.h"
#include "tests/device/rig.h"
#include "ui/display.h"
#include "ui/keymap_table.h"
#include "ui/vnc_internal.h"

#define TYPED 64

static struct {
    struct rig *rig;
    struct input *input;
    struct display *display;
    struct vnc *vnc;
    struct vnc_client *client;
    struct keymap *keymap;
    /* The guest. */
    struct xkb_context *context;
    struct xkb_keymap *xkb;
    struct xkb_state *state;
    bool down[256];
    unsigned down_count, leds;
    xkb_keysym_t typed[TYPED]; /* by keys that are no modifiers */
    unsigned codes[TYPED], typed_count;
} m;

/* --- the guest --- */

/* Scan code set 1 as keyboards send it (Microsoft, "USB HID to PS/2 Scan Code Translation Table"):
 * what is not Linux' own number. */
static const struct {
    uint16_t scan;
    uint8_t key;
} set1[] = {
    {0x54, KEY_SYSRQ},
    {0x59, KEY_KPEQUAL},
    {0x5C, KEY_KPJPCOMMA},
    {0x64, KEY_F13},
    {0x65, KEY_F14},
    {0x66, KEY_F15},
    {0x67, KEY_F16},
    {0x68, KEY_F17},
    {0x69, KEY_F18},
    {0x6A, KEY_F19},
    {0x6B, KEY_F20},
    {0x6C, KEY_F21},
    {0x6D, KEY_F22},
    {0x6E, KEY_F23},
    {0x76, KEY_F24},
    {0x70, KEY_KATAKANAHIRAGANA},
    {0x73, KEY_RO},
    {0x77, KEY_HIRAGANA},
    {0x78, KEY_KATAKANA},
    {0x79, KEY_HENKAN},
    {0x7B, KEY_MUHENKAN},
    {0x7D, KEY_YEN},
    {0x7E, KEY_KPCOMMA},
    {0xE01C, KEY_KPENTER},
    {0xE01D, KEY_RIGHTCTRL},
    {0xE035, KEY_KPSLASH},
    {0xE037, KEY_SYSRQ},
    {0xE038, KEY_RIGHTALT},
    {0xE046, KEY_PAUSE},
    {0xE047, KEY_HOME},
    {0xE048, KEY_UP},
    {0xE049, KEY_PAGEUP},
    {0xE04B, KEY_LEFT},
    {0xE04D, KEY_RIGHT},
    {0xE04F, KEY_END},
    {0xE050, KEY_DOWN},
    {0xE051, KEY_PAGEDOWN},
    {0xE052, KEY_INSERT},
    {0xE053, KEY_DELETE},
    {0xE05B, KEY_LEFTMETA},
    {0xE05C, KEY_RIGHTMETA},
    {0xE05D, KEY_COMPOSE},
    {0xE010, KEY_PREVIOUSSONG},
    {0xE019, KEY_NEXTSONG},
    {0xE020, KEY_MUTE},
    {0xE021, KEY_CALC},
    {0xE022, KEY_PLAYPAUSE},
    {0xE024, KEY_STOPCD},
    {0xE02E, KEY_VOLUMEDOWN},
    {0xE030, KEY_VOLUMEUP},
    {0xE032, KEY_HOMEPAGE},
    {0xE05E, KEY_POWER},
    {0xE05F, KEY_SLEEP},
    {0xE063, KEY_WAKEUP},
    {0xE065, KEY_SEARCH},
    {0xE066, KEY_BOOKMARKS},
    {0xE067, KEY_REFRESH},
    {0xE068, KEY_STOP},
    {0xE069, KEY_FORWARD},
    {0xE06A, KEY_BACK},
    {0xE06B, KEY_COMPUTER},
    {0xE06C, KEY_MAIL},
    {0xE06D, KEY_MEDIA},
};

static unsigned key_of(unsigned scan)
{
    if ((scan >= KEY_ESC && scan <= KEY_KPDOT) || (scan >= KEY_102ND && scan <= KEY_F12))
        return scan;
    for (size_t i = 0; i < sizeof(set1) / sizeof(set1[0]); i++)
        if (set1[i].scan == scan)
            return set1[i].key;
    fail_msg("no keyboard sends scan code %#x", scan);
    return 0;
}

static int next_byte(void)
{
    rig_step(m.rig, 2 * NS_PER_MS);
    return rig_inb(m.rig, 0x64) & 1 ? rig_inb(m.rig, 0x60) : -1;
}

static void moved(unsigned key, bool down)
{
    assert_in_range(key, 1, 255);
    if (down != m.down[key])
        m.down_count += down ? 1u : -1u;
    if (down && !m.down[key]) {
        xkb_keysym_t sym = xkb_state_key_get_one_sym(m.state, key + 8);
        assert_true(m.typed_count < TYPED);
        m.codes[m.typed_count] = key;
        m.typed[m.typed_count++] = sym;
    }
    m.down[key] = down;
    xkb_state_update_key(m.state, key + 8, down ? XKB_KEY_DOWN : XKB_KEY_UP);
}

static void set_leds(void)
{
    unsigned leds = (xkb_state_led_name_is_active(m.state, XKB_LED_NAME_CAPS) > 0 ? 4u : 0) |
                    (xkb_state_led_name_is_active(m.state, XKB_LED_NAME_NUM) > 0 ? 2u : 0);
    if (leds == m.leds)
        return;
    m.leds = leds;
    rig_outb(m.rig, 0x60, 0xED);
    assert_int_equal(next_byte(), 0xFA);
    rig_outb(m.rig, 0x60, (uint8_t)leds);
    assert_int_equal(next_byte(), 0xFA);
}

/* Takes all scan codes there are. */
static void guest_reads(void)
{
    static const uint8_t pause[] = {0x1D, 0x45, 0xE1, 0x9D, 0xC5};
    int byte;
    while ((byte = next_byte()) >= 0) {
        assert_int_not_equal(byte, 0);
        if (byte == 0xE1) {
            for (unsigned i = 0; i < sizeof(pause); i++)
                assert_int_equal(next_byte(), pause[i]);
            moved(KEY_PAUSE, true);
            moved(KEY_PAUSE, false);
        } else if (byte == 0xF1 || byte == 0xF2) { /* Korean: no break codes */
            moved(byte == 0xF1 ? KEY_HANJA : KEY_HANGEUL, true);
            moved(byte == 0xF1 ? KEY_HANJA : KEY_HANGEUL, false);
        } else {
            unsigned prefix = 0;
            if (byte == 0xE0) {
                prefix = 0xE000;
                byte = next_byte();
            }
            assert_in_range(byte, 1, 255);
            if (prefix && (byte & 0x7F) == 0x2A) /* Print's own Shift */
                continue;
            moved(key_of(prefix | (byte & 0x7F)), !(byte & 0x80));
        }
    }
    set_leds();
}

/* --- the viewer --- */

static void send_keysym(uint32_t keysym, bool down)
{
    struct vnc_event event = {.kind = VNC_KEYSYM, .keysym = keysym, .down = down};
    vnc_input_event(m.vnc, m.client, &event);
    guest_reads();
}

static void strike(uint32_t keysym)
{
    m.typed_count = 0;
    send_keysym(keysym, true);
    send_keysym(keysym, false);
}

/* Of what was typed, the last is no Shift that was put back. */
static void expect(const char *layout, const char *how, uint32_t keysym)
{
    char want[64], got[64];
    unsigned n = m.typed_count;
    while (n && (m.codes[n - 1] == KEY_LEFTSHIFT || m.codes[n - 1] == KEY_RIGHTALT ||
                 m.codes[n - 1] == keymap_modifier(m.keymap, KEYMAP_ALTGR) ||
                 m.codes[n - 1] == keymap_modifier(m.keymap, KEYMAP_LEVEL5)))
        n--;
    xkb_keysym_t sym = n ? m.typed[n - 1] : XKB_KEY_NoSymbol;
    if (keymap_canonical(sym) == keymap_canonical(keysym))
        return;
    xkb_keysym_get_name(keysym, want, sizeof(want));
    xkb_keysym_get_name(sym, got, sizeof(got));
    fail_msg("%s, %s: the guest reads %s for %s (%u keys, the last %u; modifiers %#x)", layout, how,
             got, want, m.typed_count, n ? m.codes[n - 1] : 0,
             xkb_state_serialize_mods(m.state, XKB_STATE_MODS_EFFECTIVE));
}

/* --- a machine --- */

static void begin(const char *name, const char *layout, const char *variant)
{
    static const struct i8042_config config;
    struct xkb_rule_names names = {
        .rules = "evdev", .model = "pc105", .layout = layout, .variant = variant, .options = ""};
    struct err err = {.text = ""};
    memset(&m, 0, sizeof(m));
    m.rig = rig_new();
    m.input = input_new();
    m.display = display_new(&m.rig->clock);
    struct i8042 *c =
        i8042_realize(m.rig->bus, &m.rig->clock, &m.rig->devices, m.input, &config, &err);
    assert_non_null(c);
    rig_isa_irq(m.rig, &c->kbd_irq, 1);
    devices_reset(&m.rig->devices);
    rig_outb(m.rig, 0x64, 0x60); /* translated to set 1, as every BIOS leaves it */
    rig_outb(m.rig, 0x60, 0x41);
    m.keymap = keymap_load(name, &err);
    if (!m.keymap)
        fail_msg("%s", err.text);
    m.vnc = calloc(1, sizeof(*m.vnc));
    m.client = calloc(1, sizeof(*m.client));
    m.vnc->input = m.input;
    m.vnc->display = m.display;
    m.vnc->keymap = m.keymap;
    m.vnc->lock_key_sync = true;
    m.vnc->clients[0] = m.client;
    m.context = xkb_context_new(XKB_CONTEXT_NO_ENVIRONMENT_NAMES);
    m.xkb = xkb_keymap_new_from_names(m.context, &names, XKB_KEYMAP_COMPILE_NO_FLAGS);
    assert_non_null(m.xkb);
    m.state = xkb_state_new(m.xkb);
}

static void end(void)
{
    assert_int_equal(m.down_count, 0);
    xkb_state_unref(m.state);
    xkb_keymap_unref(m.xkb);
    xkb_context_unref(m.context);
    keymap_free(m.keymap);
    free(m.client);
    free(m.vnc);
    display_free(m.display);
    rig_free(m.rig);
    input_free(m.input);
}

/* --- every character of a layout --- */

#define MOST 1200

struct symbol {
    uint32_t keysym;
    unsigned mods; /* KEYMAP_* */
};

/* A character that shows, or a dead key; the others' places are the same on every layout. */
static bool is_character(uint32_t keysym)
{
    uint32_t unicode = xkb_keysym_to_utf32(keysym);
    if (keysym >= XKB_KEY_KP_Space && keysym <= XKB_KEY_KP_9)
        return false;
    return (unicode > ' ' && unicode != 0x7F) ||
           (keysym >= XKB_KEY_dead_grave && keysym <= XKB_KEY_dead_greek);
}

/* What the main block gives with Shift, Level3 and Level5. */
static unsigned collect(struct symbol *symbols)
{
    xkb_mod_mask_t bits[3];
    const char *const names[] = {XKB_MOD_NAME_SHIFT, "Mod5", "Mod3"};
    unsigned count = 0;
    for (unsigned i = 0; i < 3; i++)
        bits[i] = 1u << xkb_keymap_mod_get_index(m.xkb, names[i]);
    for (unsigned mods = 0; mods < 8; mods++) {
        struct xkb_state *s = xkb_state_new(m.xkb);
        xkb_mod_mask_t mask = 0;
        for (unsigned i = 0; i < 3; i++)
            mask |= mods & 1u << i ? bits[i] : 0;
        if ((mods & KEYMAP_ALTGR && !keymap_modifier(m.keymap, KEYMAP_ALTGR)) ||
            (mods & KEYMAP_LEVEL5 && !keymap_modifier(m.keymap, KEYMAP_LEVEL5)))
            mask = UINT32_MAX;
        if (mask != UINT32_MAX)
            xkb_state_update_mask(s, mask, 0, 0, 0, 0, 0);
        for (unsigned code = KEY_1; mask != UINT32_MAX && code <= KEY_YEN; code++) {
            bool main_block = (code >= KEY_1 && code <= KEY_SPACE) || code == KEY_102ND ||
                              code == KEY_RO || code == KEY_YEN;
            uint32_t sym = xkb_state_key_get_one_sym(s, code + 8);
            if (!main_block || code == KEY_KPASTERISK || !is_character(sym))
                continue;
            assert_true(count < MOST);
            symbols[count++] = (struct symbol){sym, mods};
        }
        xkb_state_unref(s);
    }
    return count;
}

static const uint32_t mod_keysyms[3] = {XKB_KEY_Shift_L, XKB_KEY_ISO_Level3_Shift,
                                        XKB_KEY_ISO_Level5_Shift};

static void hold(unsigned mods, bool down)
{
    for (unsigned i = 0; i < 3; i++)
        if (mods & 1u << i)
            send_keysym(mod_keysyms[i], down);
}

static void every_character(const char *name, const char *layout, const char *variant)
{
    static struct symbol symbols[MOST];
    begin(name, layout, variant);
    unsigned count = collect(symbols);
    assert_true(count >= 90);
    for (unsigned i = 0; i < count; i++) {
        uint32_t keysym = symbols[i].keysym, unicode = xkb_keysym_to_utf32(keysym);
        /* A program that types: nothing is held. */
        strike(keysym);
        expect(name, "bare", keysym);
        assert_int_equal(m.down_count, 0);
        if (unicode >= 0x100) {
            strike(0x01000000 + unicode);
            expect(name, "as Unicode", keysym);
        }
        /* A person with the same layout. Caps Lock is off for one who holds Shift. */
        hold(symbols[i].mods, true);
        strike(keysym);
        expect(name, "with its modifiers", keysym);
        hold(symbols[i].mods, false);
        assert_int_equal(m.down_count, 0);
        /* … and with another, who holds Shift, or AltGr, for it. Shift says a letter's case. */
        for (unsigned mods = 1; mods < 4; mods++) {
            if (keymap_case(keysym) && mods & KEYMAP_SHIFT)
                continue;
            if (mods & KEYMAP_ALTGR && !keymap_modifier(m.keymap, KEYMAP_ALTGR))
                continue;
            hold(mods, true);
            strike(keysym);
            expect(name, "with other modifiers", keysym);
            hold(mods, false);
            assert_int_equal(m.down_count, 0);
        }
    }
    end();
}

static void layouts(void **state)
{
    static const struct {
        const char *name, *layout, *variant;
    } list[] = {
        {"en-us", "us", ""},        {"en-gb", "gb", ""},
        {"de", "de", "nodeadkeys"}, {"de(neo)", "de", "neo"},
        {"fr", "fr", "nodeadkeys"}, {"bepo", "fr", "bepo"},
        {"ch(fr)", "ch", "fr"},     {"es", "es", ""},
        {"pt-br", "br", ""},        {"ru", "ru", ""},
        {"gr", "gr", ""},           {"tr", "tr", ""},
        {"pl", "pl", ""},           {"cz", "cz", ""},
        {"hu", "hu", ""},           {"sv", "se", ""},
        {"ja", "jp", ""},           {"kr", "kr", ""},
        {"il", "il", ""},           {"us(dvorak)", "us", "dvorak"},
        {"us(intl)", "us", "intl"}, {"ca(multix)", "ca", "multix"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
        every_character(list[i].name, list[i].layout, list[i].variant);
}

/* --- the keys that are the same on every layout --- */

static void special_keys(void **state)
{
    static const struct {
        uint32_t keysym;
        unsigned key;
    } keys[] = {
        {XKB_KEY_Escape, KEY_ESC},
        {XKB_KEY_Return, KEY_ENTER},
        {XKB_KEY_Linefeed, KEY_ENTER},
        {XKB_KEY_BackSpace, KEY_BACKSPACE},
        {XKB_KEY_Tab, KEY_TAB},
        {XKB_KEY_space, KEY_SPACE},
        {XKB_KEY_Caps_Lock, KEY_CAPSLOCK},
        {XKB_KEY_Scroll_Lock, KEY_SCROLLLOCK},
        {XKB_KEY_Num_Lock, KEY_NUMLOCK},
        {XKB_KEY_Pause, KEY_PAUSE},
        {XKB_KEY_Print, KEY_SYSRQ},
        {XKB_KEY_Menu, KEY_COMPOSE},
        {XKB_KEY_Super_L, KEY_LEFTMETA},
        {XKB_KEY_Super_R, KEY_RIGHTMETA},
        {XKB_KEY_Control_R, KEY_RIGHTCTRL},
        {XKB_KEY_Hangul, KEY_HANGEUL},
        {XKB_KEY_Hangul_Hanja, KEY_HANJA},
        {XKB_KEY_Henkan_Mode, KEY_HENKAN},
        {XKB_KEY_Muhenkan, KEY_MUHENKAN},
        {XKB_KEY_Hiragana_Katakana, KEY_KATAKANAHIRAGANA},
        {XKB_KEY_Hiragana, KEY_HIRAGANA},
        {XKB_KEY_Katakana, KEY_KATAKANA},
        {XKB_KEY_Home, KEY_HOME},
        {XKB_KEY_Up, KEY_UP},
        {XKB_KEY_Page_Down, KEY_PAGEDOWN},
        {XKB_KEY_Insert, KEY_INSERT},
        {XKB_KEY_Delete, KEY_DELETE},
        {XKB_KEY_KP_Enter, KEY_KPENTER},
        {XKB_KEY_KP_Divide, KEY_KPSLASH},
        {XKB_KEY_KP_Multiply, KEY_KPASTERISK},
        {XKB_KEY_KP_Subtract, KEY_KPMINUS},
        {XKB_KEY_KP_Add, KEY_KPPLUS},
        {XKB_KEY_KP_Equal, KEY_KPEQUAL},
        {XKB_KEY_XF86AudioMute, KEY_MUTE},
        {XKB_KEY_XF86AudioRaiseVolume, KEY_VOLUMEUP},
        {XKB_KEY_XF86AudioPlay, KEY_PLAYPAUSE},
        {XKB_KEY_XF86HomePage, KEY_HOMEPAGE},
    };
    (void)state;
    begin("de", "de", "nodeadkeys");
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        strike(keys[i].keysym);
        assert_int_equal(m.typed_count, 1);
        assert_int_equal(m.codes[0], keys[i].key);
        assert_int_equal(m.down_count, 0);
    }
    for (unsigned n = 0; n < 24; n++) {
        strike(XKB_KEY_F1 + n);
        assert_int_equal(m.codes[0], n < 10   ? KEY_F1 + n
                                     : n < 12 ? KEY_F11 + (n - 10)
                                              : KEY_F13 + (n - 12));
    }
    /* Magic: one scan code of its own, without Print's Shift; Break is Ctrl's Pause. */
    send_keysym(XKB_KEY_Alt_L, true);
    strike(XKB_KEY_Sys_Req);
    assert_int_equal(m.codes[0], KEY_SYSRQ);
    send_keysym(XKB_KEY_Alt_L, false);
    send_keysym(XKB_KEY_Control_L, true);
    strike(XKB_KEY_Break);
    assert_int_equal(m.codes[0], KEY_PAUSE);
    send_keysym(XKB_KEY_Control_L, false);
    /* In a combination nothing is guessed: Ctrl+Alt+Delete, Ctrl+C with Caps Lock on. */
    strike(XKB_KEY_Caps_Lock);
    send_keysym(XKB_KEY_Control_L, true);
    strike('c');
    assert_int_equal(m.typed_count, 1);
    assert_int_equal(m.codes[0], KEY_C);
    send_keysym(XKB_KEY_Control_L, false);
    end();
    begin("ja", "jp", "");
    strike(XKB_KEY_Zenkaku_Hankaku);
    assert_int_equal(m.codes[0], KEY_GRAVE);
    strike('|'); /* Shift and the key right of ^ */
    assert_int_equal(m.codes[1], KEY_YEN);
    end();
}

/* Digits and motion, whatever Num Lock was. */
static void keypad(void **state)
{
    static const struct {
        const char *name, *layout, *variant;
        uint32_t separator;
    } list[] = {{"us", "us", "", XKB_KEY_KP_Decimal},
                {"de", "de", "nodeadkeys", XKB_KEY_KP_Separator}};
    (void)state;
    for (size_t l = 0; l < 2; l++) {
        begin(list[l].name, list[l].layout, list[l].variant);
        for (unsigned round = 0; round < 3; round++) {
            for (unsigned i = 0; i < 10; i++) {
                strike(XKB_KEY_KP_0 + i);
                expect(list[l].name, "with Num Lock", XKB_KEY_KP_0 + i);
            }
            strike(list[l].separator);
            expect(list[l].name, "with Num Lock", list[l].separator);
            assert_int_equal(m.typed_count, 1);
            for (uint32_t k = XKB_KEY_KP_Home; k <= XKB_KEY_KP_Delete; k++) {
                strike(k);
                expect(list[l].name, "without Num Lock", k);
            }
            strike(XKB_KEY_Num_Lock);
        }
        end();
    }
}

/* Letters that the layout has no key for, but a dead key; and the accents themselves. */
static void dead_keys(void **state)
{
    static const struct {
        const char *name, *layout, *variant;
        uint32_t keysym, dead, base;
    } list[] = {
        {"es", "es", "", XKB_KEY_eacute, XKB_KEY_dead_acute, 'e'},
        {"es", "es", "", XKB_KEY_Udiaeresis, XKB_KEY_dead_diaeresis, 'U'},
        {"es", "es", "", XKB_KEY_asciicircum, XKB_KEY_dead_circumflex, XKB_KEY_space},
        {"de(deadacute)", "de", "deadacute", XKB_KEY_eacute, XKB_KEY_dead_acute, 'e'},
        {"pt-br", "br", "", XKB_KEY_atilde, XKB_KEY_dead_tilde, 'a'},
        {"us(intl)", "us", "intl", XKB_KEY_ograve, XKB_KEY_dead_grave, 'o'},
        {"gr", "gr", "", XKB_KEY_Greek_alphaaccent, XKB_KEY_dead_acute, XKB_KEY_Greek_alpha},
        {"cz(qwerty)", "cz", "qwerty", XKB_KEY_Lacute, XKB_KEY_dead_acute, 'L'},
        {"de(deadacute)", "de", "deadacute", XKB_KEY_acute, XKB_KEY_dead_acute, XKB_KEY_space},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        begin(list[i].name, list[i].layout, list[i].variant);
        for (unsigned caps = 0; caps < 2; caps++) {
            bool dead = false;
            strike(list[i].keysym);
            expect(list[i].name, "after a dead key", list[i].base);
            for (unsigned n = 0; n < m.typed_count; n++)
                dead |= m.typed[n] == list[i].dead;
            assert_true(dead);
            assert_int_equal(m.down_count, 0);
            strike(XKB_KEY_Caps_Lock);
        }
        end();
    }
}

/* A person's Caps Lock is left alone as long as it agrees. */
static void caps_lock(void **state)
{
    (void)state;
    begin("de", "de", "nodeadkeys");
    strike(XKB_KEY_Caps_Lock);
    const uint32_t shouted[] = {'A', XKB_KEY_Adiaeresis, '1', 'B'};
    for (unsigned i = 0; i < 4; i++) {
        strike(shouted[i]);
        expect("de", "with Caps Lock", shouted[i]);
        assert_int_equal(m.typed_count, 1);
    }
    send_keysym(XKB_KEY_Shift_L, true);
    strike('c');
    expect("de", "with Caps Lock and Shift", 'c');
    assert_int_equal(m.typed_count, 1);
    send_keysym(XKB_KEY_Shift_L, false);
    /* It was switched off where we cannot see it: one stroke brings them together. */
    strike('a');
    expect("de", "back", 'a');
    assert_int_equal(m.typed_count, 2);
    assert_int_equal(m.codes[0], KEY_CAPSLOCK);
    strike(XKB_KEY_odiaeresis);
    expect("de", "back", XKB_KEY_odiaeresis);
    assert_int_equal(m.typed_count, 1);
    end();
}

/* QEMU's extended key events: the position, whatever the keysym and the layout. */
static void scan_codes(void **state)
{
    (void)state;
    begin("ru", "ru", "");
    m.vnc->lock_key_sync = false;
    for (unsigned xt = 1; xt < 256; xt++) {
        struct vnc_event event = {.kind = VNC_SCANCODE, .scancode = xt, .down = true};
        unsigned key = keymap_from_xt(xt);
        m.typed_count = 0;
        vnc_input_event(m.vnc, m.client, &event);
        guest_reads();
        event.down = false;
        vnc_input_event(m.vnc, m.client, &event);
        guest_reads();
        assert_int_equal(m.down_count, 0);
        if (!key || key == KEY_KPPLUSMINUS) {
            assert_int_equal(m.typed_count, 0);
            continue;
        }
        assert_int_equal(m.typed_count, 1);
        if (key == KEY_ZENKAKUHANKAKU) /* has F24's code */
            key = KEY_F24;
        assert_int_equal(m.codes[0], key);
    }
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layouts),   cmocka_unit_test(special_keys), cmocka_unit_test(keypad),
        cmocka_unit_test(dead_keys), cmocka_unit_test(caps_lock),    cmocka_unit_test(scan_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
