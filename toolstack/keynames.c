/* SPDX-License-Identifier: GPL-2.0-or-later */
/* keynames: see keynames.h. */
#include "toolstack/keynames.h"

#include <linux/input-event-codes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct key {
    const char *name;
    uint16_t code;
};

/* Sorted by name. */
static const struct key keys[] = {{"0", KEY_0},
                                  {"1", KEY_1},
                                  {"2", KEY_2},
                                  {"3", KEY_3},
                                  {"4", KEY_4},
                                  {"5", KEY_5},
                                  {"6", KEY_6},
                                  {"7", KEY_7},
                                  {"8", KEY_8},
                                  {"9", KEY_9},
                                  {"a", KEY_A},
                                  {"ac_back", KEY_BACK},
                                  {"ac_bookmarks", KEY_BOOKMARKS},
                                  {"ac_forward", KEY_FORWARD},
                                  {"ac_home", KEY_HOMEPAGE},
                                  {"ac_refresh", KEY_REFRESH},
                                  {"again", KEY_AGAIN},
                                  {"alt", KEY_LEFTALT},
                                  {"alt_r", KEY_RIGHTALT},
                                  {"apostrophe", KEY_APOSTROPHE},
                                  {"asterisk", KEY_KPASTERISK},
                                  {"audiomute", KEY_MUTE},
                                  {"audionext", KEY_NEXTSONG},
                                  {"audioplay", KEY_PLAYPAUSE},
                                  {"audioprev", KEY_PREVIOUSSONG},
                                  {"audiostop", KEY_STOPCD},
                                  {"b", KEY_B},
                                  {"backslash", KEY_BACKSLASH},
                                  {"backspace", KEY_BACKSPACE},
                                  {"bracket_left", KEY_LEFTBRACE},
                                  {"bracket_right", KEY_RIGHTBRACE},
                                  {"c", KEY_C},
                                  {"calculator", KEY_CALC},
                                  {"caps_lock", KEY_CAPSLOCK},
                                  {"comma", KEY_COMMA},
                                  {"compose", KEY_COMPOSE},
                                  {"computer", KEY_COMPUTER},
                                  {"copy", KEY_COPY},
                                  {"ctrl", KEY_LEFTCTRL},
                                  {"ctrl_r", KEY_RIGHTCTRL},
                                  {"cut", KEY_CUT},
                                  {"d", KEY_D},
                                  {"delete", KEY_DELETE},
                                  {"dot", KEY_DOT},
                                  {"down", KEY_DOWN},
                                  {"e", KEY_E},
                                  {"end", KEY_END},
                                  {"equal", KEY_EQUAL},
                                  {"esc", KEY_ESC},
                                  {"f", KEY_F},
                                  {"f1", KEY_F1},
                                  {"f10", KEY_F10},
                                  {"f11", KEY_F11},
                                  {"f12", KEY_F12},
                                  {"f13", KEY_F13},
                                  {"f14", KEY_F14},
                                  {"f15", KEY_F15},
                                  {"f16", KEY_F16},
                                  {"f17", KEY_F17},
                                  {"f18", KEY_F18},
                                  {"f19", KEY_F19},
                                  {"f2", KEY_F2},
                                  {"f20", KEY_F20},
                                  {"f21", KEY_F21},
                                  {"f22", KEY_F22},
                                  {"f23", KEY_F23},
                                  {"f24", KEY_F24},
                                  {"f3", KEY_F3},
                                  {"f4", KEY_F4},
                                  {"f5", KEY_F5},
                                  {"f6", KEY_F6},
                                  {"f7", KEY_F7},
                                  {"f8", KEY_F8},
                                  {"f9", KEY_F9},
                                  {"find", KEY_FIND},
                                  {"front", KEY_FRONT},
                                  {"g", KEY_G},
                                  {"grave_accent", KEY_GRAVE},
                                  {"h", KEY_H},
                                  {"help", KEY_HELP},
                                  {"henkan", KEY_HENKAN},
                                  {"hiragana", KEY_HIRAGANA},
                                  {"home", KEY_HOME},
                                  {"i", KEY_I},
                                  {"insert", KEY_INSERT},
                                  {"j", KEY_J},
                                  {"k", KEY_K},
                                  {"katakanahiragana", KEY_KATAKANAHIRAGANA},
                                  {"kp_0", KEY_KP0},
                                  {"kp_1", KEY_KP1},
                                  {"kp_2", KEY_KP2},
                                  {"kp_3", KEY_KP3},
                                  {"kp_4", KEY_KP4},
                                  {"kp_5", KEY_KP5},
                                  {"kp_6", KEY_KP6},
                                  {"kp_7", KEY_KP7},
                                  {"kp_8", KEY_KP8},
                                  {"kp_9", KEY_KP9},
                                  {"kp_add", KEY_KPPLUS},
                                  {"kp_comma", KEY_KPCOMMA},
                                  {"kp_decimal", KEY_KPDOT},
                                  {"kp_divide", KEY_KPSLASH},
                                  {"kp_enter", KEY_KPENTER},
                                  {"kp_equals", KEY_KPEQUAL},
                                  {"kp_multiply", KEY_KPASTERISK},
                                  {"kp_subtract", KEY_KPMINUS},
                                  {"l", KEY_L},
                                  {"lang1", KEY_HANGEUL},
                                  {"lang2", KEY_HANJA},
                                  {"left", KEY_LEFT},
                                  {"less", KEY_102ND},
                                  {"lf", KEY_LINEFEED},
                                  {"m", KEY_M},
                                  {"mail", KEY_MAIL},
                                  {"mediaselect", KEY_MEDIA},
                                  {"menu", KEY_MENU},
                                  {"meta_l", KEY_LEFTMETA},
                                  {"meta_r", KEY_RIGHTMETA},
                                  {"minus", KEY_MINUS},
                                  {"muhenkan", KEY_MUHENKAN},
                                  {"n", KEY_N},
                                  {"num_lock", KEY_NUMLOCK},
                                  {"o", KEY_O},
                                  {"open", KEY_OPEN},
                                  {"p", KEY_P},
                                  {"paste", KEY_PASTE},
                                  {"pause", KEY_PAUSE},
                                  {"pgdn", KEY_PAGEDOWN},
                                  {"pgup", KEY_PAGEUP},
                                  {"power", KEY_POWER},
                                  {"print", KEY_SYSRQ},
                                  {"props", KEY_PROPS},
                                  {"q", KEY_Q},
                                  {"r", KEY_R},
                                  {"ret", KEY_ENTER},
                                  {"right", KEY_RIGHT},
                                  {"ro", KEY_RO},
                                  {"s", KEY_S},
                                  {"scroll_lock", KEY_SCROLLLOCK},
                                  {"semicolon", KEY_SEMICOLON},
                                  {"shift", KEY_LEFTSHIFT},
                                  {"shift_r", KEY_RIGHTSHIFT},
                                  {"slash", KEY_SLASH},
                                  {"sleep", KEY_SLEEP},
                                  {"spc", KEY_SPACE},
                                  {"stop", KEY_STOP},
                                  {"sysrq", KEY_SYSRQ},
                                  {"t", KEY_T},
                                  {"tab", KEY_TAB},
                                  {"u", KEY_U},
                                  {"undo", KEY_UNDO},
                                  {"up", KEY_UP},
                                  {"v", KEY_V},
                                  {"volumedown", KEY_VOLUMEDOWN},
                                  {"volumeup", KEY_VOLUMEUP},
                                  {"w", KEY_W},
                                  {"wake", KEY_WAKEUP},
                                  {"x", KEY_X},
                                  {"y", KEY_Y},
                                  {"yen", KEY_YEN},
                                  {"z", KEY_Z}};

#define KEY_COUNT (sizeof(keys) / sizeof(keys[0]))

/* Codes of set 1 behind E0, with bit 7 for it. Those without E0 are Linux's own numbers. */
static const struct {
    uint8_t scan;
    uint16_t code;
} extended[] = {
    {0x9C, KEY_KPENTER},  {0x9D, KEY_RIGHTCTRL}, {0xB5, KEY_KPSLASH}, {0xB7, KEY_SYSRQ},
    {0xB8, KEY_RIGHTALT}, {0xC6, KEY_PAUSE},     {0xC7, KEY_HOME},    {0xC8, KEY_UP},
    {0xC9, KEY_PAGEUP},   {0xCB, KEY_LEFT},      {0xCD, KEY_RIGHT},   {0xCF, KEY_END},
    {0xD0, KEY_DOWN},     {0xD1, KEY_PAGEDOWN},  {0xD2, KEY_INSERT},  {0xD3, KEY_DELETE},
    {0xDB, KEY_LEFTMETA}, {0xDC, KEY_RIGHTMETA}, {0xDD, KEY_COMPOSE},
};

static int compare(const void *name, const void *key)
{
    return strcmp(name, ((const struct key *)key)->name);
}

unsigned keyname_code(const char *name)
{
    const struct key *key = bsearch(name, keys, KEY_COUNT, sizeof(keys[0]), compare);
    return key ? key->code : 0;
}

const char *keyname_nth(unsigned n)
{
    return n < KEY_COUNT ? keys[n].name : NULL;
}

unsigned keyname_of_scan_code(uint64_t scan)
{
    for (size_t i = 0; i < sizeof(extended) / sizeof(extended[0]); i++)
        if (extended[i].scan == scan)
            return extended[i].code;
    return scan >= 1 && scan <= KEY_F12 ? (unsigned)scan : 0;
}
