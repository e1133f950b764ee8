/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vnc_input: what a viewer types and points at, made into key positions and pointer moves. RFB says
 * which character was typed (RFC 6143 7.5.4), or, with QEMU's extension, which key was pressed.
 */
#include <string.h>
#include <linux/input-event-codes.h>
#include <xkbcommon/xkbcommon.h>

#include "ui/input.h"
#include "ui/keymap.h"
#include "ui/vnc_internal.h"

/* RFB's button mask (RFC 6143 7.5.5): bits 3 and 4 are the wheel. Bit 7 is the "back" button by
 * common usage. */
#define RFB_LEFT       0x01
#define RFB_MIDDLE     0x02
#define RFB_RIGHT      0x04
#define RFB_WHEEL_UP   0x08
#define RFB_WHEEL_DOWN 0x10
#define RFB_BACK       0x80

/* No movement, where a viewer gives movements (QEMU Pointer Motion Change). */
#define MOTION_ZERO 0x7FFF

/* Bits of input_locks(). */
#define LOCK_NUM  0x02
#define LOCK_CAPS 0x04

static bool holds(const struct vnc_client *client, unsigned code)
{
    for (unsigned i = 0; i < client->held.count; i++) {
        if (client->held.keys[i].code == code)
            return true;
    }
    return false;
}

static void tap(struct vnc *vnc, unsigned code)
{
    input_key(vnc->input, code, true);
    input_key(vnc->input, code, false);
}

/* Whether the viewer holds a key for a combination, in which nothing is guessed. A key that the
 * viewer calls AltGr, or another level's, is none. */
static bool combines(const struct vnc_client *client)
{
    static const uint8_t codes[] = {KEY_LEFTCTRL, KEY_RIGHTCTRL, KEY_LEFTALT,
                                    KEY_RIGHTALT, KEY_LEFTMETA,  KEY_RIGHTMETA};

    for (unsigned i = 0; i < client->held.count; i++) {
        uint32_t keysym = client->held.keys[i].keysym;
        if (keysym != XKB_KEY_ISO_Level3_Shift && keysym != XKB_KEY_ISO_Level5_Shift &&
            keysym != XKB_KEY_Mode_switch && client->held.keys[i].code < KEY_COMPOSE &&
            memchr(codes, client->held.keys[i].code, sizeof(codes)))
            return true;
    }
    return false;
}

static unsigned held_mods(const struct vnc *vnc, const struct vnc_client *client)
{
    unsigned held =
        holds(client, KEY_LEFTSHIFT) || holds(client, KEY_RIGHTSHIFT) ? KEYMAP_SHIFT : 0;

    for (unsigned mod = KEYMAP_ALTGR; vnc->keymap && mod <= KEYMAP_LEVEL5; mod <<= 1) {
        uint16_t code = keymap_modifier(vnc->keymap, mod);
        if (code && holds(client, code))
            held |= mod;
    }
    return held;
}

/* What is to be struck. */
struct stroke {
    struct keymap_key key;
    unsigned held;             /* KEYMAP_* that the viewer holds */
    unsigned missing, surplus; /* … that the key needs pressed, or let go, for the character */
    enum { CAPS_ANY, CAPS_OFF, CAPS_ON } caps; /* how the guest's Caps Lock must be */
};

/*
 * A letter's case says how the viewer's Caps Lock is, given its Shift; the guest's must be the
 * same. Where AltGr chooses the letter, or Shift another one than its capital, systems differ in
 * what Caps Lock does: it must be off.
 */
static void find_caps(const struct vnc *vnc, uint32_t keysym, struct stroke *stroke)
{
    const struct keymap_key *key = &stroke->key;
    int letter = keymap_case(keysym);

    if ((!letter && !key->odd) || !vnc->keymap || !keymap_has_caps_lock(vnc->keymap))
        return;
    if (key->mods & ~KEYMAP_SHIFT || (key->odd && !key->other_case)) {
        stroke->caps = CAPS_OFF;
        return;
    }
    stroke->caps = (letter > 0) != !!(stroke->held & KEYMAP_SHIFT) ? CAPS_ON : CAPS_OFF;
    stroke->missing &= ~(unsigned)KEYMAP_SHIFT;
    stroke->surplus &= ~(unsigned)KEYMAP_SHIFT;
}

/* Brings the guest's Caps Lock and Num Lock to what the viewer's must be, given what it typed. */
static void sync_locks(struct vnc *vnc, uint32_t keysym, const struct stroke *stroke)
{
    bool digit = (keysym >= XKB_KEY_KP_0 && keysym <= XKB_KEY_KP_9) ||
                 keysym == XKB_KEY_KP_Decimal || keysym == XKB_KEY_KP_Separator;
    bool motion = keysym >= XKB_KEY_KP_Home && keysym <= XKB_KEY_KP_Delete;
    unsigned locks = input_locks(vnc->input);

    if (stroke->caps && (stroke->caps == CAPS_ON) != !!(locks & LOCK_CAPS))
        tap(vnc, KEY_CAPSLOCK);
    /* Shift turns the keypad's meaning round on some systems and not on others: no guess then. */
    if ((digit || motion) && !(stroke->held & KEYMAP_SHIFT) && digit != !!(locks & LOCK_NUM))
        tap(vnc, KEY_NUMLOCK);
}

static bool find_key(struct vnc *vnc, const struct vnc_client *client,
                     const struct vnc_event *event, struct stroke *stroke)
{
    struct keymap_key *key = &stroke->key;

    *stroke = (struct stroke){.held = held_mods(vnc, client)};
    if (event->kind == VNC_SCANCODE) {
        key->code = keymap_from_xt(event->scancode);
        if (key->code && vnc->lock_key_sync && !combines(client) &&
            !(stroke->held & ~(unsigned)KEYMAP_SHIFT)) {
            key->other_case = true; /* as it may be on the viewer's layout */
            find_caps(vnc, event->keysym, stroke);
        }
        if (key->code)
            return true;
    }
    if (!vnc->keymap || !keymap_lookup(vnc->keymap, event->keysym, stroke->held, key))
        return false;
    /*
     * A person's Shift is in `held`; a program that types text may leave it out, and a person with
     * another layout than the guest's may hold one that the guest's has no use for. Not guessed
     * with lock-key-sync=off, which is for viewers whose keysyms are wrong, nor in a combination.
     */
    if (!vnc->lock_key_sync || input_to_console(vnc->input) || combines(client)) {
        key->dead = 0;
        return true;
    }
    stroke->missing = key->mods & ~stroke->held;
    stroke->surplus = key->exact ? stroke->held & ~(unsigned)key->mods : 0;
    find_caps(vnc, event->keysym, stroke);
    return true;
}

/* What was pressed and let go for one key, to be undone. */
struct changes {
    uint16_t codes[KEYMAP_MODS + 1]; /* Shift are two */
    bool pressed[KEYMAP_MODS + 1];
    unsigned count;
};

static void change(struct vnc *vnc, struct changes *c, uint16_t code, bool down)
{
    if (!code || input_key_is_down(vnc->input, code) == down)
        return;
    input_key(vnc->input, code, down);
    c->codes[c->count] = code;
    c->pressed[c->count++] = down;
}

static void change_mods(struct vnc *vnc, unsigned missing, unsigned surplus, struct changes *c)
{
    *c = (struct changes){.count = 0};
    if (!vnc->keymap)
        return;
    for (unsigned mod = KEYMAP_LEVEL5; mod; mod >>= 1) {
        uint16_t code = keymap_modifier(vnc->keymap, mod);
        if (missing & mod)
            change(vnc, c, code, true);
        if (surplus & mod)
            change(vnc, c, code, false);
    }
    if (surplus & KEYMAP_SHIFT)
        change(vnc, c, KEY_RIGHTSHIFT, false);
}

static void change_back(struct vnc *vnc, const struct changes *c)
{
    for (unsigned i = c->count; i--;)
        input_key(vnc->input, c->codes[i], !c->pressed[i]);
}

static void strike_dead_key(struct vnc *vnc, const struct stroke *stroke)
{
    const struct keymap_key *key = &stroke->key;
    struct changes c;

    change_mods(vnc, key->dead_mods & ~stroke->held, stroke->held & ~(unsigned)key->dead_mods, &c);
    tap(vnc, key->dead);
    change_back(vnc, &c);
}

static void key_pressed(struct vnc *vnc, struct vnc_client *client, const struct vnc_event *event)
{
    struct vnc_held *held = &client->held;
    struct stroke stroke;
    struct changes changes;

    if (!find_key(vnc, client, event, &stroke))
        return;
    uint16_t code = stroke.key.code;
    if (!holds(client, code)) {
        if (held->count == VNC_MAX_HELD)
            return;
        held->keys[held->count].keysym = event->keysym;
        held->keys[held->count++].code = code;
    }
    if (vnc->lock_key_sync && !input_to_console(vnc->input))
        sync_locks(vnc, event->keysym, &stroke);
    if (stroke.key.dead)
        strike_dead_key(vnc, &stroke);
    change_mods(vnc, stroke.missing, stroke.surplus, &changes);
    input_key(vnc->input, code, true);
    change_back(vnc, &changes);
}

/* Lets go of one held key, unless another viewer holds it as well. */
static void let_go(struct vnc *vnc, struct vnc_client *client, unsigned i)
{
    struct vnc_held *held = &client->held;
    uint16_t code = held->keys[i].code;

    held->keys[i] = held->keys[--held->count];
    for (unsigned c = 0; c < VNC_MAX_CLIENTS; c++) {
        if (vnc->clients[c] && holds(vnc->clients[c], code))
            return;
    }
    input_key(vnc->input, code, false);
}

static void key_released(struct vnc *vnc, struct vnc_client *client, const struct vnc_event *event)
{
    struct vnc_held *held = &client->held;
    struct stroke stroke;

    /* With Shift let go first the keysym is another one than at the press: then by its key. */
    if (event->kind == VNC_KEYSYM) {
        for (unsigned i = 0; i < held->count; i++) {
            if (held->keys[i].keysym == event->keysym) {
                let_go(vnc, client, i);
                return;
            }
        }
    }
    if (!find_key(vnc, client, event, &stroke))
        return;
    for (unsigned i = 0; i < held->count; i++) {
        if (held->keys[i].code == stroke.key.code) {
            let_go(vnc, client, i);
            return;
        }
    }
}

static unsigned buttons_of(uint8_t mask)
{
    return (mask & RFB_LEFT ? INPUT_BUTTON_LEFT : 0) |
           (mask & RFB_MIDDLE ? INPUT_BUTTON_MIDDLE : 0) |
           (mask & RFB_RIGHT ? INPUT_BUTTON_RIGHT : 0) | (mask & RFB_BACK ? INPUT_BUTTON_SIDE : 0);
}

static void pointer(struct vnc *vnc, struct vnc_client *client, const struct vnc_event *event)
{
    uint8_t pressed = event->buttons & ~client->held.buttons;
    int wheel = !!(pressed & RFB_WHEEL_UP) - !!(pressed & RFB_WHEEL_DOWN);

    client->held.buttons = event->buttons;
    client->held.pointer = *event;
    if (event->kind == VNC_MOTION)
        input_pointer_by(vnc->input, event->x - MOTION_ZERO, event->y - MOTION_ZERO, event->width,
                         event->height, wheel, buttons_of(event->buttons));
    else
        input_pointer_at(vnc->input, event->x, event->y, event->width, event->height, wheel,
                         buttons_of(event->buttons));
}

void vnc_input_event(struct vnc *vnc, struct vnc_client *client, const struct vnc_event *event)
{
    if (event->kind == VNC_POINTER || event->kind == VNC_MOTION)
        pointer(vnc, client, event);
    else if (event->down) {
        key_pressed(vnc, client, event);
        input_character(vnc->input, xkb_keysym_to_utf32(event->keysym));
    } else
        key_released(vnc, client, event);
    display_quicken(vnc->display);
}

void vnc_input_release(struct vnc *vnc, struct vnc_client *client)
{
    struct vnc_event event = client->held.pointer;

    while (client->held.count)
        let_go(vnc, client, client->held.count - 1);
    if (buttons_of(client->held.buttons)) {
        event.buttons = 0;
        if (event.kind == VNC_MOTION)
            event.x = event.y = MOTION_ZERO;
        pointer(vnc, client, &event);
    }
}
