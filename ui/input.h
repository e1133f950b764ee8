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

/* A keyboard: takes one transition. A press of a key that is down is a viewer's repetition of it.
 * Embedded by its device. */
struct input_keyboard {
    void (*key)(void *opaque, unsigned keycode, bool down);
    void *opaque;
    const char *name; /* for people: "PS/2 keyboard"; may be NULL */
};

/* A pointer: relative movement (x right, y down, in screen pixels), or (absolute true) a position
 * 0..0x7FFF on both axes. wheel counts notches since the last call, positive away from the user (as
 * Linux's REL_WHEEL; a PS/2 mouse's Z has the other sign). buttons: INPUT_BUTTON_* that are down.
 */
struct input_pointer {
    bool absolute;
    void (*move)(void *opaque, int x, int y, int wheel, unsigned buttons);
    void *opaque;
    const char *name; /* for people: "PS/2 mouse"; may be NULL */
};

/*
 * The text consoles (ui/console.h), which may be shown instead of the guest's screen: what is typed
 * then is theirs, and the guest sees none of it.
 */
struct input_console {
    /* Ctrl+Alt+n was pressed, n from 1 to 9. True if there is such a console: the digit was meant
     * for us, and the guest gets neither its press nor its release. */
    bool (*select)(void *opaque, unsigned n);
    /* Only while a text console is shown: a key went down, or repeats. What characters it types
     * comes by `character`. */
    void (*key)(void *opaque, unsigned keycode);
    void (*character)(void *opaque, uint32_t codepoint);
    /* As input_pointer's wheel. */
    void (*wheel)(void *opaque, int notches);
    void *opaque;
};

struct input *input_new(void);
void input_free(struct input *input);

#define INPUT_MAX_DEVICES 16 /* keyboards, and pointers; more are ignored */

/* A device that exists and that the guest has not set up yet: it is listed and gets no events. The
 * struct is kept by reference until input_remove_…. */
void input_add_keyboard(struct input *input, const struct input_keyboard *keyboard);
void input_add_pointer(struct input *input, const struct input_pointer *pointer);

/* The device that gets events from now on (added if it is not known yet); the last one set wins.
 * NULL: all are removed. */
void input_set_keyboard(struct input *input, const struct input_keyboard *keyboard);
void input_set_pointer(struct input *input, const struct input_pointer *pointer);

/* The guest does not use it any more (reset, another configuration): the one set before it gets the
 * events. Harmless for one that is not set. */
void input_unset_keyboard(struct input *input, const struct input_keyboard *keyboard);
void input_unset_pointer(struct input *input, const struct input_pointer *pointer);

/* It goes away; harmless for one that is not known. */
void input_remove_keyboard(struct input *input, const struct input_keyboard *keyboard);
void input_remove_pointer(struct input *input, const struct input_pointer *pointer);

/* The index-th pointer in the order of their adding, counted from 0, or NULL behind the last; and
 * the one that gets events, or NULL. */
const struct input_pointer *input_pointer_nth(const struct input *input, unsigned index);
const struct input_pointer *input_current_pointer(const struct input *input);

/* Who has the text consoles (NULL: nobody, as at first). */
void input_set_console(struct input *input, const struct input_console *console);
/* Whether a text console is shown. What the guest has down is released when one comes, and what is
 * still held when it goes is not pressed in the guest. Told by who has the consoles. */
void input_show_console(struct input *input, bool shown);
/* Whether what is typed goes to a text console. A front-end that guesses the guest's lock keys, or
 * presses Shift for it, does neither then. */
bool input_to_console(const struct input *input);

/* From front-ends, on the loop's thread. Codes out of range (0, or above KEY_MAX) are dropped, and
 * so is a release of a key that is not down. */
void input_key(struct input *input, unsigned keycode, bool down);
/*
 * A character was typed, as the layout, the modifiers and the input method of the person at the
 * front-end have it: a Unicode code point. Beside input_key for the key itself (press, then
 * character; once for each repetition); only text consoles look at it. Return, Backspace, Tab, Esc,
 * Delete, the arrows, the function keys are keys (control characters given here are dropped), but
 * with Ctrl held the letter is given ('c', and not U+0003, for Ctrl+C). With Num Lock on, the
 * keypad's digits are characters.
 */
void input_character(struct input *input, uint32_t codepoint);
/* Position in a screen of width x height pixels; made relative for a relative pointer. */
void input_pointer_at(struct input *input, int x, int y, int width, int height, int wheel,
                      unsigned buttons);
/* Whether the pointer takes positions (a tablet); false also if there is none. A front-end gives
 * those by input_pointer_at, movements by input_pointer_by; either is made into the other for a
 * pointer of the other kind. */
bool input_pointer_is_absolute(const struct input *input);
/* Movement in pixels of a screen of width x height, x right, y down. */
void input_pointer_by(struct input *input, int dx, int dy, int width, int height, int wheel,
                      unsigned buttons);
/* The same from a monitor: for the guest, whatever screen is shown, and no choice of a console. */
void input_guest_key(struct input *input, unsigned keycode, bool down);
void input_guest_pointer_at(struct input *input, int x, int y, int width, int height, int wheel,
                            unsigned buttons);
void input_guest_pointer_by(struct input *input, int dx, int dy, int width, int height, int wheel,
                            unsigned buttons);
/* Whether that key is down. */
bool input_key_is_down(const struct input *input, unsigned keycode);
/* Releases every key and button that is down (a viewer left, a new keyboard or pointer). */
void input_release_all(struct input *input);

/* LED state as the guest set it (bit 0 Scroll Lock, 1 Num Lock, 2 Caps Lock). */
void input_set_leds(struct input *input, unsigned leds);
unsigned input_leds(const struct input *input);
/*
 * The guest's lock keys (same bits) as they must be after all that was pressed: the LEDs tell, but
 * late, and some guests have none. A press turns one over; a change of the LEDs is the truth again.
 */
unsigned input_locks(const struct input *input);
/* Before a key is pressed, by a front-end that knows the person's own lock keys (same bits): the
 * guest's are made the same if the key's meaning hangs on them: Caps Lock for letters, Num Lock for
 * the keypad. */
void input_follow_locks(struct input *input, unsigned keycode, unsigned locks);

/* Who wants to know when input_leds or input_pointer_is_absolute says something else. Called
 * wherever that happens: it may look, and touch no device. */
struct input_watch {
    void (*changed)(void *opaque);
    void *opaque;
    struct input_watch *next;
};
void input_watch(struct input *input, struct input_watch *watch);
void input_unwatch(struct input *input, struct input_watch *watch);

#endif
