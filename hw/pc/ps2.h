/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ps2: the two devices behind a PS/2 controller: a 105-key keyboard and a wheel mouse. IBM PS/2
 * Hardware Interface Technical Reference (1990), sections "Keyboard" and "Mouse"; Microsoft
 * "Keyboard Scan Code Specification" 1.3a and "USB HID to PS/2 Scan Code Translation Table".
 *
 * A device never sends: it says through `ready` that it has something, and the controller takes
 * bytes when its output register is free. Answers to commands go before keys and movement.
 */
#ifndef HW_PC_PS2_H
#define HW_PC_PS2_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/core/err.h"
#include "hw/core/state.h"

struct input;

#define PS2_REPLY_SIZE  8   /* the longest answer is 5 bytes */
#define PS2_QUEUE_SIZE  256 /* bytes of scan codes; a real keyboard has 16 */
#define PS2_REPEAT_ROOM 16  /* repeats of a held key never fill more than this */
#define PS2_KEYS        256 /* key codes below this are known */
#define PS2_SET3_CODES  144
#define PS2_SAMPLES     16 /* button changes that the mouse remembers */

/* What both devices have: the answer being fetched, and what the host owes them. */
struct ps2_link {
    uint8_t reply[PS2_REPLY_SIZE];
    uint8_t reply_first, reply_count;
    uint8_t last;    /* byte taken last: command FE sends it again */
    uint8_t pending; /* command whose parameter comes next, or 0 */
    void (*ready)(void *opaque);
    void *opaque;
};

struct ps2_keyboard {
    struct ps2_link link;
    uint8_t queue[PS2_QUEUE_SIZE];
    uint16_t first, count;
    uint8_t scan_set; /* 1, 2 or 3 */
    bool scanning;
    uint8_t leds, typematic;
    uint8_t print_form;                  /* enum print_form of the Print key that is down */
    uint64_t down[PS2_KEYS / 64];        /* keys whose make code the guest was given */
    uint64_t owed[PS2_KEYS / 64];        /* releases that found no room yet */
    uint8_t breaks[PS2_SET3_CODES / 8];  /* set 3: keys that send a break code */
    uint8_t repeats[PS2_SET3_CODES / 8]; /* set 3: keys that repeat */
    struct input *input;
};

/* Movement with constant buttons, waiting to be sent. */
struct ps2_sample {
    int32_t dx, dy, dz; /* right, up, wheel towards the user: counts */
    uint8_t buttons;    /* INPUT_BUTTON_* */
};

struct ps2_mouse {
    struct ps2_link link;
    uint8_t packet[4];
    uint8_t packet_first, packet_count;
    struct ps2_sample samples[PS2_SAMPLES];
    uint8_t first, count;
    uint8_t buttons;
    uint8_t rate, resolution;
    uint8_t knock[3]; /* the three sample rates set last, newest last */
    uint8_t id;       /* 0 plain, 3 wheel, 4 wheel and five buttons */
    bool reporting, remote, wrap, scaling;
};

extern const struct state_field ps2_keyboard_state[];
extern const struct state_field ps2_mouse_state[];

/* Connects the device to its controller: ready(opaque) is called when there is a byte to take.
 * `input` gets the LEDs (may be NULL). Registers are set by state_reset. */
void ps2_keyboard_init(struct ps2_keyboard *keyboard, struct input *input,
                       void (*ready)(void *opaque), void *opaque);
void ps2_mouse_init(struct ps2_mouse *mouse, void (*ready)(void *opaque), void *opaque);

/* After a reset through the state table: what follows from it outside (LEDs off). */
void ps2_keyboard_after_reset(struct ps2_keyboard *keyboard);

/* After a load: the cross-field checks; what follows from it outside (LEDs). */
bool ps2_keyboard_loaded(struct ps2_keyboard *keyboard, struct err *err);
bool ps2_mouse_loaded(struct ps2_mouse *mouse, struct err *err);

/* A byte from the host. Answers are ready on return; `ready` is not called for them. */
void ps2_keyboard_write(struct ps2_keyboard *keyboard, uint8_t byte);
void ps2_mouse_write(struct ps2_mouse *mouse, uint8_t byte);

/* An answer to a command waits / anything waits. */
bool ps2_link_answers(const struct ps2_link *link);
bool ps2_keyboard_pending(const struct ps2_keyboard *keyboard);
bool ps2_mouse_pending(const struct ps2_mouse *mouse);

/* The next byte for the host; the last one again if nothing waits. */
uint8_t ps2_keyboard_take(struct ps2_keyboard *keyboard);
uint8_t ps2_mouse_take(struct ps2_mouse *mouse);

/* A key moved: a Linux KEY_* code. A press of a key that is down is a typematic repeat. Any value
 * is safe. */
void ps2_keyboard_key(struct ps2_keyboard *keyboard, unsigned keycode, bool down);

/* The mouse moved by x to the right, y down, wheel up (all relative), with these INPUT_BUTTON_*
 * held. Any value is safe. */
void ps2_mouse_move(struct ps2_mouse *mouse, int x, int y, int wheel, unsigned buttons);

/* One byte of a set 2 code as the controller's translation to set 1 gives it (F0, the break prefix,
 * is the caller's: it becomes bit 7 of the next byte). */
uint8_t ps2_translate(uint8_t byte);

#endif
