/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * console: see console.h. What a device writes is queued and printed by the loop a piece at a time:
 * the guest's access costs a copy, and a flood leaves the others their turn. What is typed is
 * queued until the device has room.
 */
#include "ui/console.h"

#include <linux/input-event-codes.h>
#include <stdlib.h>
#include <string.h>

#include "hw/core/loop.h"
#include "ui/chardev_end.h"
#include "ui/display.h"
#include "ui/input.h"
#include "ui/term.h"

#define PRINT_MAX   8192 /* bytes that wait to be printed; then the device waits */
#define PRINT_CHUNK 1024 /* printed at a time */
#define TYPED_MAX   4096 /* bytes that wait for the device; what is typed then is lost */
#define WHEEL_LINES 3

struct console {
    struct consoles *all;
    unsigned number;
    struct chardev *chardev;
    struct term *term;
    struct deferred print_later;
    uint8_t print[PRINT_MAX], typed[TYPED_MAX];
    size_t print_len, typed_len;
    bool waits;      /* the device was told "less than len" */
    bool delivering; /* typed[] is on its way to the device */
};

struct consoles {
    struct loop *loop;
    struct display *display;
    struct input *input;
    struct console *list[CONSOLE_MAX + 1]; /* by number */
    unsigned shown;
};

static struct console *shown(const struct consoles *all)
{
    return all->list[all->shown];
}

/* ---- From the device to the screen ---- */

static void print(void *opaque)
{
    struct console *c = opaque;
    size_t n = c->print_len < PRINT_CHUNK ? c->print_len : PRINT_CHUNK;
    term_write(c->term, c->print, n);
    c->print_len -= n;
    memmove(c->print, c->print + n, c->print_len);
    if (c->print_len)
        loop_defer(c->all->loop, &c->print_later);
    if (c->waits && n) {
        c->waits = false;
        chardev_writable(c->chardev);
    }
}

static size_t device_writes(void *opaque, const uint8_t *buf, size_t len)
{
    struct console *c = opaque;
    size_t room = PRINT_MAX - c->print_len, n = len < room ? len : room;
    memcpy(c->print + c->print_len, buf, n);
    c->print_len += n;
    if (c->print_len)
        loop_defer(c->all->loop, &c->print_later);
    c->waits = n < len;
    return n;
}

static void changed(void *opaque)
{
    struct console *c = opaque;
    if (c == shown(c->all))
        display_shown_changed(c->all->display);
}

static void refresh(void *opaque, struct display *display, bool full)
{
    struct console *c = opaque;
    term_draw(c->term, display, full);
}

static const struct display_source source = {.refresh = refresh};

/* ---- From the keyboard to the device ---- */

static void deliver(void *opaque)
{
    struct console *c = opaque;
    if (c->delivering)
        return;
    c->delivering = true;
    while (c->typed_len) {
        size_t room = chardev_room(c->chardev), n = c->typed_len < room ? c->typed_len : room;
        uint8_t part[64];
        if (!n)
            break;
        if (n > sizeof(part))
            n = sizeof(part);
        memcpy(part, c->typed, n);
        c->typed_len -= n;
        memmove(c->typed, c->typed + n, c->typed_len);
        chardev_deliver(c->chardev, part, n);
    }
    c->delivering = false;
}

/* A key, or the terminal's answer to a question of the device's: whole, or not at all. */
static void output(void *opaque, const char *bytes, size_t len)
{
    struct console *c = opaque;
    if (len > TYPED_MAX - c->typed_len)
        return;
    memcpy(c->typed + c->typed_len, bytes, len);
    c->typed_len += len;
    deliver(c);
}

static unsigned modifiers(const struct input *input)
{
    bool altgr = input_key_is_down(input, KEY_RIGHTALT);
    bool ctrl = input_key_is_down(input, KEY_LEFTCTRL) || input_key_is_down(input, KEY_RIGHTCTRL);
    bool shift =
        input_key_is_down(input, KEY_LEFTSHIFT) || input_key_is_down(input, KEY_RIGHTSHIFT);
    /* AltGr, which some keyboards send as Ctrl+Alt, is part of how a character is typed. */
    return (shift ? TERM_SHIFT : 0) | (ctrl && !altgr ? TERM_CTRL : 0) |
           (input_key_is_down(input, KEY_LEFTALT) && !altgr ? TERM_ALT : 0);
}

static void on_key(void *opaque, unsigned keycode)
{
    struct consoles *all = opaque;
    if (shown(all))
        term_key(shown(all)->term, keycode, modifiers(all->input));
}

static void on_character(void *opaque, uint32_t codepoint)
{
    struct consoles *all = opaque;
    if (shown(all))
        term_character(shown(all)->term, codepoint, modifiers(all->input));
}

static void on_wheel(void *opaque, int notches)
{
    struct consoles *all = opaque;
    int most = TERM_HISTORY / WHEEL_LINES;
    if (shown(all))
        term_scroll(shown(all)->term, WHEEL_LINES * (notches > most    ? most
                                                     : notches < -most ? -most
                                                                       : notches));
}

static bool on_select(void *opaque, unsigned n)
{
    return consoles_show(opaque, n);
}

/* ---- Which one is shown ---- */

bool consoles_show(struct consoles *all, unsigned n)
{
    if (n < CONSOLE_SCREEN || n > CONSOLE_MAX || (n != CONSOLE_SCREEN && !all->list[n]))
        return false;
    /* With nothing but the guest's screen its key is the guest's. */
    bool any = false;
    for (unsigned i = CONSOLE_MONITOR; i <= CONSOLE_MAX; i++)
        any = any || all->list[i];
    if (!any)
        return false;
    if (n == all->shown)
        return true;
    all->shown = n;
    display_show(all->display, shown(all) ? &source : NULL, shown(all));
    input_show_console(all->input, shown(all) != NULL);
    return true;
}

unsigned consoles_shown(const struct consoles *all)
{
    return all->shown;
}

/* ---- Life ---- */

static void console_close(void *opaque)
{
    struct console *c = opaque;
    if (c == shown(c->all))
        consoles_show(c->all, CONSOLE_SCREEN);
    c->all->list[c->number] = NULL;
    loop_undefer(c->all->loop, &c->print_later);
    term_free(c->term);
    free(c);
}

static const struct chardev_end end = {
    .write = device_writes, .accept_input = deliver, .close = console_close};

static unsigned number_for(const struct consoles *all, bool monitor)
{
    if (monitor)
        return all->list[CONSOLE_MONITOR] ? 0 : CONSOLE_MONITOR;
    for (unsigned n = CONSOLE_LINES; n <= CONSOLE_MAX; n++)
        if (!all->list[n])
            return n;
    return 0;
}

static int within(unsigned v, int usual, int min, int max)
{
    return !v ? usual : v < (unsigned)min ? min : v > (unsigned)max ? max : (int)v;
}

struct chardev *console_open(struct consoles *all, const char *label, bool monitor, unsigned cols,
                             unsigned rows, struct err *err)
{
    unsigned number = number_for(all, monitor);
    struct console *c = calloc(1, sizeof(*c));
    if (!number || !c) {
        free(c);
        err_set(err, number ? "%s: out of memory" : "%s: there are no more text consoles", label);
        return NULL;
    }
    const struct term_events events = {.output = output, .changed = changed, .opaque = c};
    c->all = all;
    c->number = number;
    deferred_init(&c->print_later, print, c);
    c->term = term_new(within(cols, CONSOLE_COLS, TERM_MIN_COLS, TERM_MAX_COLS),
                       within(rows, CONSOLE_ROWS, TERM_MIN_ROWS, TERM_MAX_ROWS), &events);
    if (c->term)
        c->chardev = chardev_new(all->loop, label, "vc", &end, c, err);
    else
        err_set(err, "%s: out of memory", label);
    if (!c->chardev) {
        term_free(c->term);
        free(c);
        return NULL;
    }
    all->list[number] = c;
    return c->chardev;
}

struct consoles *consoles_new(struct loop *loop, struct display *display, struct input *input)
{
    struct consoles *all = calloc(1, sizeof(*all));
    if (!all)
        return NULL;
    const struct input_console console = {
        .select = on_select,
        .key = on_key,
        .character = on_character,
        .wheel = on_wheel,
        .opaque = all,
    };
    all->loop = loop;
    all->display = display;
    all->input = input;
    all->shown = CONSOLE_SCREEN;
    input_set_console(input, &console);
    return all;
}

void consoles_free(struct consoles *all)
{
    if (!all)
        return;
    input_set_console(all->input, NULL);
    free(all);
}
