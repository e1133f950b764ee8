/* SPDX-License-Identifier: GPL-2.0-or-later */
/* input: remembers which keys and buttons are down, so that every release has its press. */
#include "ui/input.h"

#include <stdlib.h>
#include <linux/input-event-codes.h>

#define ABSOLUTE_MAX 0x7FFF
#define KEY_WORDS    ((KEY_MAX + 64) / 64)

struct input {
    struct input_keyboard keyboard;
    struct input_pointer pointer;
    uint64_t down[KEY_WORDS];
    unsigned buttons;
    unsigned leds;
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

static void release_keys(struct input *input)
{
    for (unsigned word = 0; word < KEY_WORDS; word++) {
        while (input->down[word]) {
            unsigned code = word * 64 + (unsigned)__builtin_ctzll(input->down[word]);

            input_key(input, code, false);
        }
    }
}

static void release_buttons(struct input *input)
{
    if (!input->buttons)
        return;
    input->buttons = 0;
    if (!input->pointer.move)
        return;
    if (input->pointer.absolute)
        input->pointer.move(input->pointer.opaque, input->last_abs_x, input->last_abs_y, 0, 0);
    else
        input->pointer.move(input->pointer.opaque, 0, 0, 0, 0);
}

void input_set_keyboard(struct input *input, const struct input_keyboard *keyboard)
{
    /* The old keyboard must not be left with a key held, nor the new one get a lone release. */
    release_keys(input);
    input->keyboard = keyboard ? *keyboard : (struct input_keyboard){0};
}

void input_set_pointer(struct input *input, const struct input_pointer *pointer)
{
    release_buttons(input);
    input->pointer = pointer ? *pointer : (struct input_pointer){0};
    input->last_width = 0;
}

bool input_key_is_down(const struct input *input, unsigned keycode)
{
    return keycode <= KEY_MAX && (input->down[keycode / 64] >> keycode % 64 & 1);
}

void input_key(struct input *input, unsigned keycode, bool down)
{
    uint64_t bit = UINT64_C(1) << keycode % 64;

    if (keycode == KEY_RESERVED || keycode > KEY_MAX)
        return;
    if (!down && !input_key_is_down(input, keycode))
        return;
    if (down)
        input->down[keycode / 64] |= bit;
    else
        input->down[keycode / 64] &= ~bit;
    if (input->keyboard.key)
        input->keyboard.key(input->keyboard.opaque, keycode, down);
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

void input_pointer_at(struct input *input, int x, int y, int width, int height, int wheel,
                      unsigned buttons)
{
    int dx, dy;

    if (width <= 0 || height <= 0)
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
    if (!input->pointer.move)
        return;
    if (input->pointer.absolute)
        input->pointer.move(input->pointer.opaque, input->last_abs_x, input->last_abs_y, wheel,
                            buttons);
    else
        input->pointer.move(input->pointer.opaque, dx, dy, wheel, buttons);
}

bool input_pointer_is_absolute(const struct input *input)
{
    return input->pointer.move && input->pointer.absolute;
}

void input_pointer_by(struct input *input, int dx, int dy, int width, int height, int wheel,
                      unsigned buttons)
{
    /* From the middle of a screen on which no position is known. */
    bool known = input->last_width == width && input->last_height == height;
    int x = known ? input->last_x : width / 2, y = known ? input->last_y : height / 2;

    if (input_pointer_is_absolute(input)) {
        input_pointer_at(input, clamp_to(x, dx, width), clamp_to(y, dy, height), width, height,
                         wheel, buttons);
        return;
    }
    input->buttons = buttons;
    if (input->pointer.move)
        input->pointer.move(input->pointer.opaque, dx, dy, wheel, buttons);
}

void input_release_all(struct input *input)
{
    release_keys(input);
    release_buttons(input);
}

void input_set_leds(struct input *input, unsigned leds)
{
    input->leds = leds & 7;
}

unsigned input_leds(const struct input *input)
{
    return input->leds;
}
