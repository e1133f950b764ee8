/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hmp_input: keys and the pointer by the human monitor. */
#include "toolstack/hmp_internal.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "toolstack/keynames.h"
#include "toolstack/keysend.h"
#include "ui/display.h"
#include "ui/input.h"

/* QEMU's numbers of the buttons in mouse_button (include/ui/console.h, MOUSE_EVENT_*). */
#define MOUSE_LEFT   1
#define MOUSE_RIGHT  2
#define MOUSE_MIDDLE 4

/* The codes of "ctrl-alt-f1" or "0x1d-0x38-0x3b"; 0: said why not. */
static size_t combination(struct hmp *h, const char *keys, unsigned *codes)
{
    size_t count = 0;
    for (const char *at = keys;; at++) {
        char name[24];
        /* "-" itself may be a key's name nowhere, and stands for minus in QEMU as well. */
        size_t len = *at == '-' ? 1 : strcspn(at, "-");
        if (!len || len >= sizeof(name)) {
            hmp_say(h, "Error: unknown key: '%.64s'", at);
            return 0;
        }
        memcpy(name, at, len);
        name[len] = '\0';
        char *end;
        unsigned long number = strtoul(name, &end, 16);
        bool is_number = !strncmp(name, "0x", 2) && name[2] && !*end;
        unsigned code = is_number            ? keyname_of_scan_code(number)
                        : !strcmp(name, "-") ? keyname_code("minus")
                        : !strcmp(name, "<") ? keyname_code("less")
                                             : keyname_code(name);
        if (!code) {
            hmp_say(h, "Error: unknown key: '%s'", name);
            return 0;
        }
        if (count == KEYSEND_MAX_KEYS) {
            hmp_say(h, "Error: more than %d keys", KEYSEND_MAX_KEYS);
            return 0;
        }
        codes[count++] = code;
        at += len;
        if (!*at)
            return count;
    }
}

static bool has_input(struct hmp *h)
{
    if (!h->target->input)
        hmp_say(h, "Error: there is no keyboard and no pointer here");
    return h->target->input != NULL;
}

void hmp_sendkey(struct hmp *h)
{
    unsigned codes[KEYSEND_MAX_KEYS];
    struct err err;
    long long hold = KEYSEND_HOLD_MS;
    if (!has_input(h) ||
        (hmp_word(h, 1) && !hmp_number(h, hmp_word(h, 1), 1, KEYSEND_MAX_HOLD_MS, &hold)))
        return;
    size_t count = combination(h, h->words[0], codes);
    if (count && !qmp_press_keys(h->qmp, codes, count, (unsigned)hold, &err))
        hmp_say(h, "Error: %s", err.text);
}

void hmp_mouse_move(struct hmp *h)
{
    long long x, y, wheel = 0;
    struct input *input = h->target->input;
    if (!has_input(h) || !hmp_number(h, h->words[0], -32768, 32767, &x) ||
        !hmp_number(h, h->words[1], -32768, 32767, &y) ||
        (hmp_word(h, 2) && !hmp_number(h, h->words[2], -128, 127, &wheel)))
        return;
    /* QEMU's wheel turns as PS/2's: positive towards the user. */
    if (input_pointer_is_absolute(input))
        input_guest_pointer_at(input, x < 0 ? 0 : (int)x, y < 0 ? 0 : (int)y, 32768, 32768,
                               -(int)wheel, h->qmp->mouse_buttons);
    else
        input_guest_pointer_by(input, (int)x, (int)y, 32768, 32768, -(int)wheel,
                               h->qmp->mouse_buttons);
}

void hmp_mouse_button(struct hmp *h)
{
    long long state;
    if (!has_input(h) || !hmp_number(h, h->words[0], 0, 7, &state))
        return;
    h->qmp->mouse_buttons = (state & MOUSE_LEFT ? INPUT_BUTTON_LEFT : 0u) |
                            (state & MOUSE_RIGHT ? INPUT_BUTTON_RIGHT : 0u) |
                            (state & MOUSE_MIDDLE ? INPUT_BUTTON_MIDDLE : 0u);
    input_guest_pointer_by(h->target->input, 0, 0, 32768, 32768, 0, h->qmp->mouse_buttons);
}

void hmp_mouse_set(struct hmp *h)
{
    long long index;
    if (!has_input(h) || !hmp_number(h, h->words[0], 0, INPUT_MAX_DEVICES - 1, &index))
        return;
    const struct input_pointer *p = input_pointer_nth(h->target->input, (unsigned)index);
    if (p)
        input_set_pointer(h->target->input, p);
    else
        hmp_say(h, "Error: there is no pointer %lld (info mice)", index);
}
