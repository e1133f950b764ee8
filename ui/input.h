/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * input: keys and pointer from the front-ends to the device that takes them. Key codes are Linux
 * input event codes (KEY_*, linux/input-event-codes.h), the positions of a PC keyboard whatever its
 * layout.
 */
#ifndef UI_INPUT_H
#define UI_INPUT_H

#include <stdbool.h>
#include <stdint.h>

struct input;

#define INPUT_BUTTON_LEFT   0x01
#define INPUT_BUTTON_MIDDLE 0x02
#define INPUT_BUTTON_RIGHT  0x04
#define INPUT_BUTTON_SIDE   0x08
#define INPUT_BUTTON_EXTRA  0x10

/* A keyboard: takes one transition. */
struct input_keyboard {
    void (*key)(void *opaque, unsigned keycode, bool down);
    void *opaque;
};

/* A pointer: relative movement with wheel, or (absolute true) a position 0..0x7FFF on both axes. */
struct input_pointer {
    bool absolute;
    void (*move)(void *opaque, int x, int y, int wheel, unsigned buttons);
    void *opaque;
};

struct input *input_new(void);
void input_free(struct input *input);

/* The device that gets events from now on; the last one set wins (NULL: none). */
void input_set_keyboard(struct input *input, const struct input_keyboard *keyboard);
void input_set_pointer(struct input *input, const struct input_pointer *pointer);

/* From front-ends, on the loop's thread. Codes out of range are dropped; a release of a key that is
 * not down is dropped. */
void input_key(struct input *input, unsigned keycode, bool down);
/* Position in a screen of width x height pixels; made relative for a relative pointer. */
void input_pointer_at(struct input *input, int x, int y, int width, int height, int wheel,
                      unsigned buttons);
/* Releases every key and button that is down (a viewer left). */
void input_release_all(struct input *input);

/* LED state as the guest set it (bit 0 Scroll Lock, 1 Num Lock, 2 Caps Lock), and who wants to
 * know. */
void input_set_leds(struct input *input, unsigned leds);
unsigned input_leds(const struct input *input);

#endif
