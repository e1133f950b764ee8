/* SPDX-License-Identifier: GPL-2.0-or-later */
/* input: remembers which keys and buttons are down, so that every release has its press. */
#include "ui/input.h"

#include <stdlib.h>
#include <string.h>
#include <linux/input-event-codes.h>

/* Bits of the LEDs. */
#define LOCK_SCROLL 0x01u
#define LOCK_NUM    0x02u
#define LOCK_CAPS   0x04u

#define ABSOLUTE_MAX 0x7FFF
#define KEY_WORDS    ((KEY_MAX + 64) / 64)

/* A device that is known. The one with the highest rank gets the events; 0: not set up. */
struct known {
    const void *device; /* struct input_keyboard or input_pointer */
    unsigned rank;
};

struct input {
    const struct input_keyboard *keyboard; /* that gets the events, or NULL */
    const struct input_pointer *pointer;
    struct known keyboards[INPUT_MAX_DEVICES], pointers[INPUT_MAX_DEVICES];
    unsigned ranks; /* given so far */
    struct input_console console;
    bool to_console;
    bool selecting;                 /* the last key was Ctrl+Alt+digit: the digit is no character */
    uint64_t down[KEY_WORDS];       /* by the person */
    uint64_t guest_down[KEY_WORDS]; /* as the guest's keyboard has it */
    unsigned buttons;
    unsigned leds, locks;
    struct input_watch *watches;
    /* The last position, in a screen of last_width x last_height pixels (0: none yet); a relative
     * pointer moves by the difference. */
    int last_x, last_y;
    int last_width, last_height;
    int last_abs_x, last_abs_y;
};

struct input *input_new(void)
{
    struct input *input = calloc(1, sizeof(*input));

    if (!input)
        abort();
    return input;
}

void input_free(struct input *input)
{
    free(input);
}

static bool is_set(const uint64_t *keys, unsigned keycode)
{
    return keys[keycode / 64] >> keycode % 64 & 1;
}

static void mark(uint64_t *keys, unsigned keycode, bool down)
{
    uint64_t bit = UINT64_C(1) << keycode % 64;

    if (down)
        keys[keycode / 64] |= bit;
    else
        keys[keycode / 64] &= ~bit;
}

static void guest_key(struct input *input, unsigned keycode, bool down)
{
    if (down && !is_set(input->guest_down, keycode))
        input->locks ^= keycode == KEY_SCROLLLOCK ? LOCK_SCROLL
                        : keycode == KEY_NUMLOCK  ? LOCK_NUM
                        : keycode == KEY_CAPSLOCK ? LOCK_CAPS
                                                  : 0;
    mark(input->guest_down, keycode, down);
    if (input->keyboard)
        input->keyboard->key(input->keyboard->opaque, keycode, down);
}

static void release_guest_keys(struct input *input)
{
    for (unsigned word = 0; word < KEY_WORDS; word++)
        while (input->guest_down[word])
            guest_key(input, word * 64 + (unsigned)__builtin_ctzll(input->guest_down[word]), false);
}

static void release_keys(struct input *input)
{
    memset(input->down, 0, sizeof(input->down));
    release_guest_keys(input);
}

static void release_buttons(struct input *input)
{
    const struct input_pointer *p = input->pointer;

    if (!input->buttons)
        return;
    input->buttons = 0;
    if (!p)
        return;
    if (p->absolute)
        p->move(p->opaque, input->last_abs_x, input->last_abs_y, 0, 0);
    else
        p->move(p->opaque, 0, 0, 0, 0);
}

/* ---- Which devices there are, and which one gets the events ---- */

static struct known *find(struct known *list, const void *device)
{
    for (unsigned i = 0; i < INPUT_MAX_DEVICES; i++)
        if (list[i].device == device)
            return &list[i];
    return NULL;
}

static struct known *add(struct known *list, const void *device)
{
    struct known *k = find(list, device);

    if (!k) {
        k = find(list, NULL);
        if (k)
            k->device = device;
    }
    return k;
}

static const void *highest(const struct known *list)
{
    const struct known *best = NULL;

    for (unsigned i = 0; i < INPUT_MAX_DEVICES; i++)
        if (list[i].rank && (!best || list[i].rank > best->rank))
            best = &list[i];
    return best ? best->device : NULL;
}

static void rank(struct input *input, struct known *k, bool set)
{
    if (k)
        k->rank = set ? ++input->ranks : 0;
}

/* Those behind a removed one close up, so that the order stays that of adding. */
static void forget(struct known *list, const void *device)
{
    struct known *k = find(list, device);

    if (!k)
        return;
    for (; k < list + INPUT_MAX_DEVICES - 1; k++)
        k[0] = k[1];
    *k = (struct known){0};
}

/* The old keyboard must not be left with a key held, nor the new one get a lone release. */
static void choose_keyboard(struct input *input)
{
    const struct input_keyboard *k = highest(input->keyboards);

    if (k == input->keyboard)
        return;
    release_keys(input);
    input->keyboard = k;
}

static void tell_watches(const struct input *input)
{
    for (struct input_watch *w = input->watches; w; w = w->next)
        w->changed(w->opaque);
}

static void choose_pointer(struct input *input)
{
    const struct input_pointer *p = highest(input->pointers);

    if (p == input->pointer)
        return;
    release_buttons(input);
    input->pointer = p;
    input->last_width = 0;
    tell_watches(input);
}

void input_add_keyboard(struct input *input, const struct input_keyboard *keyboard)
{
    add(input->keyboards, keyboard);
}

void input_add_pointer(struct input *input, const struct input_pointer *pointer)
{
    add(input->pointers, pointer);
}

void input_set_keyboard(struct input *input, const struct input_keyboard *keyboard)
{
    if (keyboard) {
        rank(input, add(input->keyboards, keyboard), true);
        choose_keyboard(input);
        return;
    }
    release_keys(input);
    memset(input->keyboards, 0, sizeof(input->keyboards));
    input->keyboard = NULL;
}

void input_set_pointer(struct input *input, const struct input_pointer *pointer)
{
    if (pointer) {
        rank(input, add(input->pointers, pointer), true);
        choose_pointer(input);
        return;
    }
    release_buttons(input);
    memset(input->pointers, 0, sizeof(input->pointers));
    input->pointer = NULL;
    tell_watches(input);
}

void input_unset_keyboard(struct input *input, const struct input_keyboard *keyboard)
{
    rank(input, find(input->keyboards, keyboard), false);
    choose_keyboard(input);
}

void input_unset_pointer(struct input *input, const struct input_pointer *pointer)
{
    rank(input, find(input->pointers, pointer), false);
    choose_pointer(input);
}

void input_remove_keyboard(struct input *input, const struct input_keyboard *keyboard)
{
    input_unset_keyboard(input, keyboard);
    forget(input->keyboards, keyboard);
}

void input_remove_pointer(struct input *input, const struct input_pointer *pointer)
{
    input_unset_pointer(input, pointer);
    forget(input->pointers, pointer);
}

const struct input_pointer *input_pointer_nth(const struct input *input, unsigned index)
{
    return index < INPUT_MAX_DEVICES ? input->pointers[index].device : NULL;
}

const struct input_pointer *input_current_pointer(const struct input *input)
{
    return input->pointer;
}

/* ---- Events ---- */

void input_set_console(struct input *input, const struct input_console *console)
{
    input->console = console ? *console : (struct input_console){0};
}

void input_show_console(struct input *input, bool shown)
{
    if (shown) {
        release_guest_keys(input);
        release_buttons(input);
    }
    input->to_console = shown;
    input->last_width = 0; /* the pointer was on another screen */
}

bool input_to_console(const struct input *input)
{
    return input->to_console;
}

bool input_key_is_down(const struct input *input, unsigned keycode)
{
    return keycode <= KEY_MAX && is_set(input->down, keycode);
}

/* Ctrl+Alt+digit. Not with AltGr: with Ctrl, or as Ctrl+Alt, it types characters. */
static bool selects_console(struct input *input, unsigned keycode)
{
    return keycode >= KEY_1 && keycode <= KEY_9 && input->console.select &&
           (is_set(input->down, KEY_LEFTCTRL) || is_set(input->down, KEY_RIGHTCTRL)) &&
           is_set(input->down, KEY_LEFTALT) && !is_set(input->down, KEY_RIGHTALT) &&
           !is_set(input->guest_down, keycode) &&
           input->console.select(input->console.opaque, keycode - KEY_1 + 1);
}

void input_key(struct input *input, unsigned keycode, bool down)
{
    if (keycode == KEY_RESERVED || keycode > KEY_MAX)
        return;
    if (!down && !is_set(input->down, keycode))
        return;
    mark(input->down, keycode, down);
    input->selecting = down && selects_console(input, keycode);
    if (!down) {
        if (is_set(input->guest_down, keycode))
            guest_key(input, keycode, false);
    } else if (!input->selecting) {
        if (!input->to_console)
            guest_key(input, keycode, true);
        else if (input->console.key)
            input->console.key(input->console.opaque, keycode);
    }
}

/* What no layout types: control characters, halves of surrogate pairs, what is above Unicode. */
static bool is_character(uint32_t c)
{
    return c >= 0x20 && c != 0x7F && !(c >= 0x80 && c < 0xA0) && !(c >= 0xD800 && c < 0xE000) &&
           c <= 0x10FFFF;
}

void input_character(struct input *input, uint32_t codepoint)
{
    if (input->to_console && !input->selecting && input->console.character &&
        is_character(codepoint))
        input->console.character(input->console.opaque, codepoint);
}

static int clamp(int v, int limit)
{
    return v < 0 ? 0 : v >= limit ? limit - 1 : v;
}

/* v + by, where both may be anything. */
static int clamp_to(int v, int by, int limit)
{
    return by < -limit ? 0 : by > limit ? limit - 1 : clamp(v + by, limit);
}

static int to_absolute(int v, int size)
{
    return size > 1 ? (int)((int64_t)v * ABSOLUTE_MAX / (size - 1)) : 0;
}

/* Of the pointer a text console takes the wheel only. False: it is the guest's. */
static bool turned_at_console(struct input *input, int wheel)
{
    if (input->to_console && wheel && input->console.wheel)
        input->console.wheel(input->console.opaque, wheel);
    return input->to_console;
}

void input_pointer_at(struct input *input, int x, int y, int width, int height, int wheel,
                      unsigned buttons)
{
    const struct input_pointer *p = input->pointer;
    int dx, dy;

    if (width <= 0 || height <= 0)
        return;
    if (turned_at_console(input, wheel))
        return;
    x = clamp(x, width);
    y = clamp(y, height);
    /* On another screen size the old position means nothing: the first event there only anchors. */
    if (input->last_width == width && input->last_height == height) {
        dx = x - input->last_x;
        dy = y - input->last_y;
    } else {
        dx = dy = 0;
    }
    input->last_x = x;
    input->last_y = y;
    input->last_width = width;
    input->last_height = height;
    input->last_abs_x = to_absolute(x, width);
    input->last_abs_y = to_absolute(y, height);
    input->buttons = buttons;
    if (!p)
        return;
    if (p->absolute)
        p->move(p->opaque, input->last_abs_x, input->last_abs_y, wheel, buttons);
    else
        p->move(p->opaque, dx, dy, wheel, buttons);
}

bool input_pointer_is_absolute(const struct input *input)
{
    return input->pointer && input->pointer->absolute;
}

void input_pointer_by(struct input *input, int dx, int dy, int width, int height, int wheel,
                      unsigned buttons)
{
    /* From the middle of a screen on which no position is known. */
    bool known = input->last_width == width && input->last_height == height;
    int x = known ? input->last_x : width / 2, y = known ? input->last_y : height / 2;

    if (turned_at_console(input, wheel))
        return;
    if (input_pointer_is_absolute(input)) {
        input_pointer_at(input, clamp_to(x, dx, width), clamp_to(y, dy, height), width, height,
                         wheel, buttons);
        return;
    }
    input->buttons = buttons;
    if (input->pointer)
        input->pointer->move(input->pointer->opaque, dx, dy, wheel, buttons);
}

void input_guest_key(struct input *input, unsigned keycode, bool down)
{
    if (keycode != KEY_RESERVED && keycode <= KEY_MAX &&
        (down || is_set(input->guest_down, keycode)))
        guest_key(input, keycode, down);
}

void input_guest_pointer_at(struct input *input, int x, int y, int width, int height, int wheel,
                            unsigned buttons)
{
    bool shown = input->to_console;
    input->to_console = false;
    input_pointer_at(input, x, y, width, height, wheel, buttons);
    input->to_console = shown;
}

void input_guest_pointer_by(struct input *input, int dx, int dy, int width, int height, int wheel,
                            unsigned buttons)
{
    bool shown = input->to_console;
    input->to_console = false;
    input_pointer_by(input, dx, dy, width, height, wheel, buttons);
    input->to_console = shown;
}

void input_release_all(struct input *input)
{
    release_keys(input);
    release_buttons(input);
}

void input_set_leds(struct input *input, unsigned leds)
{
    leds &= 7;
    if (leds == input->leds)
        return;
    input->leds = input->locks = leds;
    tell_watches(input);
}

void input_watch(struct input *input, struct input_watch *watch)
{
    watch->next = input->watches;
    input->watches = watch;
}

void input_unwatch(struct input *input, struct input_watch *watch)
{
    struct input_watch **at = &input->watches;

    while (*at && *at != watch)
        at = &(*at)->next;
    if (*at)
        *at = watch->next;
}

unsigned input_leds(const struct input *input)
{
    return input->leds;
}

unsigned input_locks(const struct input *input)
{
    return input->locks;
}

static bool is_letter(unsigned keycode)
{
    return (keycode >= KEY_Q && keycode <= KEY_P) || (keycode >= KEY_A && keycode <= KEY_L) ||
           (keycode >= KEY_Z && keycode <= KEY_M);
}

static bool is_keypad_digit(unsigned keycode)
{
    return keycode >= KEY_KP7 && keycode <= KEY_KPDOT && keycode != KEY_KPMINUS &&
           keycode != KEY_KPPLUS;
}

void input_follow_locks(struct input *input, unsigned keycode, unsigned locks)
{
    unsigned differ = locks ^ input->locks;
    unsigned lock = is_letter(keycode) && differ & LOCK_CAPS        ? KEY_CAPSLOCK
                    : is_keypad_digit(keycode) && differ & LOCK_NUM ? KEY_NUMLOCK
                                                                    : KEY_RESERVED;

    if (!lock || input->to_console || is_set(input->down, lock))
        return;
    input_key(input, lock, true);
    input_key(input, lock, false);
}
