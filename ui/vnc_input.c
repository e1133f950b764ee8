/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vnc_input: what a viewer types and points at, made into key positions and pointer moves. RFB says
 * which character was typed (RFC 6143 7.5.4), or, with QEMU's extension, which key was pressed.
 */
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

/* Bits of input_leds() and of vnc.locks. */
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

static void press(struct vnc *vnc, unsigned code)
{
    if (code == KEY_CAPSLOCK && !input_key_is_down(vnc->input, code))
        vnc->locks ^= LOCK_CAPS;
    if (code == KEY_NUMLOCK && !input_key_is_down(vnc->input, code))
        vnc->locks ^= LOCK_NUM;
    input_key(vnc->input, code, true);
}

static void tap(struct vnc *vnc, unsigned code)
{
    press(vnc, code);
    input_key(vnc->input, code, false);
}

/*
 * The guest's lock keys. Its LEDs tell, but late: until the guest has answered a Caps Lock that was
 * pressed, what was pressed counts; a change of the LEDs is then the truth again.
 */
static unsigned guest_locks(struct vnc *vnc)
{
    unsigned leds = input_leds(vnc->input);

    if (leds != vnc->leds_seen) {
        vnc->leds_seen = leds;
        vnc->locks = leds & (LOCK_NUM | LOCK_CAPS);
    }
    return vnc->locks;
}

/* Brings the guest's Caps Lock and Num Lock to what the viewer's must be, given what it typed. */
static void sync_locks(struct vnc *vnc, uint32_t keysym, bool shift)
{
    bool upper = keysym >= 'A' && keysym <= 'Z';
    bool lower = keysym >= 'a' && keysym <= 'z';
    bool digit = (keysym >= XKB_KEY_KP_0 && keysym <= XKB_KEY_KP_9) || keysym == XKB_KEY_KP_Decimal;
    bool motion = keysym >= XKB_KEY_KP_Home && keysym <= XKB_KEY_KP_Delete;
    unsigned locks = guest_locks(vnc);

    if ((upper || lower) && (upper != shift) != !!(locks & LOCK_CAPS))
        tap(vnc, KEY_CAPSLOCK);
    /* Shift turns the keypad's meaning round on some systems and not on others: no guess then. */
    if ((digit || motion) && !shift && digit != !!(locks & LOCK_NUM))
        tap(vnc, KEY_NUMLOCK);
}

/* The key, and what of Shift and AltGr must go with it because the viewer does not hold it. */
static bool find_key(struct vnc *vnc, const struct vnc_client *client,
                     const struct vnc_event *event, uint16_t *code, unsigned *missing)
{
    bool shift = holds(client, KEY_LEFTSHIFT) || holds(client, KEY_RIGHTSHIFT);
    unsigned held = (shift ? KEYMAP_SHIFT : 0) | (holds(client, KEY_RIGHTALT) ? KEYMAP_ALTGR : 0);
    struct keymap_key key;

    *missing = 0;
    if (event->kind == VNC_SCANCODE) {
        *code = keymap_from_xt(event->scancode);
        if (*code)
            return true;
    }
    if (!vnc->keymap || !keymap_lookup(vnc->keymap, event->keysym, held, &key))
        return false;
    *code = key.code;
    /*
     * A person's Shift is in `held`; a program that types text may leave it out. Not guessed with
     * lock-key-sync=off, which is for viewers whose keysyms are wrong, nor in a key combination.
     */
    if (!vnc->lock_key_sync || input_to_console(vnc->input) || holds(client, KEY_LEFTCTRL) ||
        holds(client, KEY_RIGHTCTRL) || holds(client, KEY_LEFTALT) || holds(client, KEY_LEFTMETA) ||
        holds(client, KEY_RIGHTMETA))
        return true;
    *missing = key.mods & ~held;
    /* Caps Lock serves letters: sync_locks sees to the Latin ones, the others may have it already.
     */
    if (keymap_case(event->keysym) && (event->keysym < 0x80 || (guest_locks(vnc) & LOCK_CAPS)))
        *missing &= ~(unsigned)KEYMAP_SHIFT;
    return true;
}

static void key_pressed(struct vnc *vnc, struct vnc_client *client, const struct vnc_event *event)
{
    struct vnc_held *held = &client->held;
    bool shift = holds(client, KEY_LEFTSHIFT) || holds(client, KEY_RIGHTSHIFT);
    bool altgr;
    unsigned missing;
    uint16_t code;

    if (!find_key(vnc, client, event, &code, &missing))
        return;
    if (!holds(client, code)) {
        if (held->count == VNC_MAX_HELD)
            return;
        held->keys[held->count].keysym = event->keysym;
        held->keys[held->count++].code = code;
    }
    if (vnc->lock_key_sync && !input_to_console(vnc->input))
        sync_locks(vnc, event->keysym, shift);
    shift = missing & KEYMAP_SHIFT && !input_key_is_down(vnc->input, KEY_LEFTSHIFT);
    altgr = missing & KEYMAP_ALTGR && !input_key_is_down(vnc->input, KEY_RIGHTALT);
    if (altgr)
        input_key(vnc->input, KEY_RIGHTALT, true);
    if (shift)
        input_key(vnc->input, KEY_LEFTSHIFT, true);
    press(vnc, code);
    if (shift)
        input_key(vnc->input, KEY_LEFTSHIFT, false);
    if (altgr)
        input_key(vnc->input, KEY_RIGHTALT, false);
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
    unsigned missing;
    uint16_t code;

    /* With Shift let go first the keysym is another one than at the press: then by its key. */
    if (event->kind == VNC_KEYSYM) {
        for (unsigned i = 0; i < held->count; i++) {
            if (held->keys[i].keysym == event->keysym) {
                let_go(vnc, client, i);
                return;
            }
        }
    }
    if (!find_key(vnc, client, event, &code, &missing))
        return;
    for (unsigned i = 0; i < held->count; i++) {
        if (held->keys[i].code == code) {
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
