/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sdl_input: what the person does in the window: keys by their position, the pointer as the guest's
 * takes it, and what is meant for the window itself (docs/sdl.md).
 */
#include <linux/input-event-codes.h>

#include "ui/hid_keys.h"
#include "ui/input.h"
#include "ui/sdl_window.h"

#define SMALLEST 64 /* pixels of a window's side */
#define LARGEST  16384

/* SDL's own codes, above those of USB keyboards (SDL_scancode.h). */
static unsigned media_key(SDL_Scancode code)
{
    static const struct {
        SDL_Scancode scancode;
        unsigned key;
    } keys[] = {
        {SDL_SCANCODE_AUDIONEXT, KEY_NEXTSONG},
        {SDL_SCANCODE_AUDIOPREV, KEY_PREVIOUSSONG},
        {SDL_SCANCODE_AUDIOSTOP, KEY_STOPCD},
        {SDL_SCANCODE_AUDIOPLAY, KEY_PLAYPAUSE},
        {SDL_SCANCODE_AUDIOMUTE, KEY_MUTE},
        {SDL_SCANCODE_MEDIASELECT, KEY_MEDIA},
        {SDL_SCANCODE_WWW, KEY_WWW},
        {SDL_SCANCODE_MAIL, KEY_MAIL},
        {SDL_SCANCODE_CALCULATOR, KEY_CALC},
        {SDL_SCANCODE_COMPUTER, KEY_COMPUTER},
        {SDL_SCANCODE_AC_SEARCH, KEY_SEARCH},
        {SDL_SCANCODE_AC_HOME, KEY_HOMEPAGE},
        {SDL_SCANCODE_AC_BACK, KEY_BACK},
        {SDL_SCANCODE_AC_FORWARD, KEY_FORWARD},
        {SDL_SCANCODE_AC_STOP, KEY_STOP},
        {SDL_SCANCODE_AC_REFRESH, KEY_REFRESH},
        {SDL_SCANCODE_AC_BOOKMARKS, KEY_BOOKMARKS},
        {SDL_SCANCODE_SLEEP, KEY_SLEEP},
    };

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (keys[i].scancode == code)
            return keys[i].key;
    return KEY_RESERVED;
}

static unsigned key_of(SDL_Scancode code)
{
    unsigned key = hid_key((unsigned)code);

    return key ? key : media_key(code);
}

static void push_key(struct window *w, SDL_Scancode code, bool down)
{
    SDL_Keymod mods = SDL_GetModState();
    struct window_event e = {.kind = WINDOW_KEY,
                             .code = key_of(code),
                             .down = down,
                             .locks = (mods & KMOD_NUM ? 2u : 0) | (mods & KMOD_CAPS ? 4u : 0)};

    if (!e.code)
        return;
    w->down[code] = down;
    sdl_push(w->sdl, &e);
}

static void push_pointer(struct window *w, enum window_event_kind kind, int x, int y, int wheel)
{
    struct window_event e = {.kind = kind,
                             .buttons = w->buttons,
                             .x = x,
                             .y = y,
                             .width = w->width,
                             .height = w->height,
                             .wheel = wheel};

    if (w->width)
        sdl_push(w->sdl, &e);
}

static bool takes_positions(const struct window *w)
{
    return w->guest & (WINDOW_GUEST_ABSOLUTE | WINDOW_GUEST_CONSOLE);
}

void window_release(struct window *w)
{
    for (unsigned i = 0; i < SDL_NUM_SCANCODES; i++) {
        if (w->down[i])
            push_key(w, (SDL_Scancode)i, false);
        w->ours[i] = false;
    }
    w->alone = false;
    if (w->buttons) {
        w->buttons = 0;
        push_pointer(w, WINDOW_BY, 0, 0, 0);
    }
}

/* ---- Grab, full screen, title, cursor ---- */

static const char *grab_words(const struct window *w)
{
    switch (w->options->grab) {
    case CONFIG_GRAB_SHIFT:
        return "Ctrl+Alt+Shift+G";
    case CONFIG_GRAB_RIGHT_CTRL:
        return "right Ctrl+G";
    default:
        return "Ctrl+Alt+G";
    }
}

void window_title(struct window *w)
{
    char text[sizeof(w->sdl->title) + 64];

    if (w->grabbed)
        SDL_snprintf(text, sizeof(text), "%s - %s releases the pointer", w->sdl->title,
                     grab_words(w));
    else
        SDL_snprintf(text, sizeof(text), "%s", w->sdl->title);
    SDL_SetWindowTitle(w->window, text);
}

/* Over a guest that draws its own pointer there is no other. */
static void choose_cursor(struct window *w)
{
    bool hidden = (w->guest & WINDOW_GUEST_ABSOLUTE) && !(w->guest & WINDOW_GUEST_CONSOLE) &&
                  !w->asking && !w->options->show_cursor;

    SDL_SetRelativeMouseMode(w->grabbed && !takes_positions(w));
    SDL_ShowCursor(hidden ? SDL_DISABLE : SDL_ENABLE);
}

void window_grab(struct window *w, bool grab)
{
    w->grabbed = grab;
    SDL_SetWindowKeyboardGrab(w->window, grab);
    SDL_SetWindowMouseGrab(w->window, grab);
    choose_cursor(w);
    window_title(w);
}

void window_follow_guest(struct window *w)
{
    unsigned now = atomic_load(&w->sdl->guest), was = w->guest;

    w->guest = now;
    if (now == was)
        return;
    if ((now ^ was) & WINDOW_GUEST_CONSOLE) {
        /* What somebody types there is text, with the layout of the person's own keyboard. */
        if (now & WINDOW_GUEST_CONSOLE)
            SDL_StartTextInput();
        else
            SDL_StopTextInput();
    }
    choose_cursor(w);
}

void window_set_full_screen(struct window *w, bool full)
{
    w->full_screen = full;
    SDL_SetWindowFullscreen(w->window, full ? SDL_WINDOW_FULLSCREEN_DESKTOP : 0);
    if (full != w->grabbed)
        window_grab(w, full);
    if (!full && !w->scaled && w->width)
        window_fit(w);
    w->redraw = true;
}

/* Ctrl+Alt+plus and minus. */
static void zoom_by(struct window *w, bool larger)
{
    int width, height;
    SDL_Rect v;

    if (w->full_screen)
        return;
    SDL_GetWindowSize(w->window, &width, &height);
    v = window_viewport(w, width, height);
    width = larger ? v.w * 5 / 4 : v.w * 4 / 5;
    height = larger ? v.h * 5 / 4 : v.h * 4 / 5;
    if (width < SMALLEST || height < SMALLEST || width > LARGEST || height > LARGEST)
        return;
    w->scaled = true;
    SDL_SetWindowSize(w->window, width, height);
}

/* ---- Closing ---- */

static void ask(struct window *w, bool asking)
{
    w->asking = asking;
    w->redraw = true;
    if (asking) {
        window_release(w);
        window_grab(w, false);
    } else {
        choose_cursor(w);
    }
}

static void answered(struct window *w, enum window_answer answer)
{
    struct window_event e = {.kind = WINDOW_CLOSED};

    if (answer == WINDOW_ANSWER_NONE)
        return;
    ask(w, false);
    if (answer == WINDOW_ANSWER_YES)
        sdl_push(w->sdl, &e);
}

/* ---- Keys ---- */

static bool held(const struct window *w, SDL_Scancode code)
{
    return w->down[code];
}

/* Whether the keys are down that make the next one ours, and no more modifiers than those. */
static bool modified(const struct window *w)
{
    bool ctrl = held(w, SDL_SCANCODE_LCTRL), alt = held(w, SDL_SCANCODE_LALT);
    bool shift = held(w, SDL_SCANCODE_LSHIFT);

    switch (w->options->grab) {
    case CONFIG_GRAB_SHIFT:
        return ctrl && alt && shift;
    case CONFIG_GRAB_RIGHT_CTRL:
        return held(w, SDL_SCANCODE_RCTRL);
    default:
        return ctrl && alt && !shift;
    }
}

/* A key with the modifiers: is it for the window? */
static bool hot_key(struct window *w, SDL_Scancode code)
{
    switch (code) {
    case SDL_SCANCODE_F:
        window_set_full_screen(w, !w->full_screen);
        return true;
    case SDL_SCANCODE_G:
        window_grab(w, !w->grabbed);
        return true;
    case SDL_SCANCODE_U:
        if (w->width)
            window_fit(w);
        return true;
    case SDL_SCANCODE_EQUALS:
    case SDL_SCANCODE_KP_PLUS:
        zoom_by(w, true);
        return true;
    case SDL_SCANCODE_MINUS:
    case SDL_SCANCODE_KP_MINUS:
        zoom_by(w, false);
        return true;
    default:
        return false;
    }
}

/* Characters with Ctrl make no text event; a console wants the letter. */
static void push_letter(struct window *w, const SDL_KeyboardEvent *key)
{
    struct window_event e = {.kind = WINDOW_CHARACTER, .code = (uint32_t)key->keysym.sym};

    if ((w->guest & WINDOW_GUEST_CONSOLE) && (key->keysym.mod & KMOD_CTRL) &&
        !(key->keysym.mod & KMOD_ALT) && e.code >= ' ' && e.code < 0x7F)
        sdl_push(w->sdl, &e);
}

static void key_down(struct window *w, const SDL_KeyboardEvent *key)
{
    SDL_Scancode code = key->keysym.scancode;
    bool before = modified(w);

    if (w->ours[code])
        return; /* repeats */
    if (before && !key->repeat && hot_key(w, code)) {
        w->ours[code] = true;
        w->alone = false;
        return;
    }
    push_key(w, code, true);
    push_letter(w, key);
    /* The last of the modifiers, or something else beside them. */
    w->alone = modified(w) && (!before || (w->alone && key->repeat));
}

static void key_up(struct window *w, const SDL_KeyboardEvent *key)
{
    SDL_Scancode code = key->keysym.scancode;
    bool release = w->alone && modified(w) && w->grabbed;

    if (w->ours[code]) {
        w->ours[code] = false;
        return;
    }
    if (w->down[code])
        push_key(w, code, false);
    w->alone = false;
    if (release && !w->full_screen)
        window_grab(w, false);
}

/* UTF-8, as SDL made it, one code point at a time. */
static void text(struct window *w, const char *s)
{
    while (*s && (w->guest & WINDOW_GUEST_CONSOLE)) {
        unsigned char lead = (unsigned char)*s++;
        unsigned more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC0 ? 1 : 0;
        struct window_event e = {.kind = WINDOW_CHARACTER,
                                 .code = more ? lead & (0x3Fu >> more) : lead};

        for (; more && ((unsigned char)*s & 0xC0) == 0x80; more--)
            e.code = e.code << 6 | ((unsigned char)*s++ & 0x3F);
        if (!more)
            sdl_push(w->sdl, &e);
    }
}

/* ---- The pointer ---- */

static unsigned button_of(Uint8 button)
{
    switch (button) {
    case SDL_BUTTON_LEFT:
        return INPUT_BUTTON_LEFT;
    case SDL_BUTTON_MIDDLE:
        return INPUT_BUTTON_MIDDLE;
    case SDL_BUTTON_RIGHT:
        return INPUT_BUTTON_RIGHT;
    case SDL_BUTTON_X1:
        return INPUT_BUTTON_SIDE;
    case SDL_BUTTON_X2:
        return INPUT_BUTTON_EXTRA;
    default:
        return 0;
    }
}

/* A position in the window as one of the guest's screen. */
static void push_position(struct window *w, int x, int y, int wheel)
{
    int width, height;
    SDL_Rect v;

    SDL_GetWindowSize(w->window, &width, &height);
    v = window_viewport(w, width, height);
    push_pointer(w, WINDOW_AT, (int)((int64_t)(x - v.x) * w->width / v.w),
                 (int)((int64_t)(y - v.y) * w->height / v.h), wheel);
}

static void motion(struct window *w, const SDL_MouseMotionEvent *m)
{
    if (takes_positions(w))
        push_position(w, m->x, m->y, 0);
    else if (w->grabbed)
        push_pointer(w, WINDOW_BY, m->xrel, m->yrel, 0);
}

static void button(struct window *w, const SDL_MouseButtonEvent *b)
{
    unsigned bit = button_of(b->button), before = w->buttons;
    bool pressed = b->type == SDL_MOUSEBUTTONDOWN;

    if (!takes_positions(w) && !w->grabbed) {
        if (pressed && bit == INPUT_BUTTON_LEFT) /* which the guest does not get */
            window_grab(w, true);
        return;
    }
    w->buttons = pressed ? before | bit : before & ~bit;
    if (w->buttons == before)
        return;
    if (takes_positions(w))
        push_position(w, b->x, b->y, 0);
    else
        push_pointer(w, WINDOW_BY, 0, 0, 0);
}

static void wheel(struct window *w, const SDL_MouseWheelEvent *m)
{
    int notches = m->direction == SDL_MOUSEWHEEL_FLIPPED ? -m->y : m->y;

    if (!notches)
        return;
    if (takes_positions(w))
        push_position(w, m->mouseX, m->mouseY, notches);
    else if (w->grabbed)
        push_pointer(w, WINDOW_BY, 0, 0, notches);
}

/* ---- The window ---- */

static void visible(struct window *w, bool is)
{
    struct window_event e = {.kind = WINDOW_VISIBLE, .down = is};

    sdl_push(w->sdl, &e);
}

static void window_changed(struct window *w, const SDL_WindowEvent *e)
{
    switch (e->event) {
    case SDL_WINDOWEVENT_CLOSE:
        if (!w->options->ignore_close)
            ask(w, true);
        break;
    case SDL_WINDOWEVENT_SIZE_CHANGED:
        if (!w->full_screen)
            w->scaled = w->scaled || e->data1 != w->asked_width || e->data2 != w->asked_height;
        w->redraw = true;
        break;
    case SDL_WINDOWEVENT_EXPOSED:
        w->redraw = true;
        break;
    case SDL_WINDOWEVENT_FOCUS_LOST:
        window_release(w);
        break;
    case SDL_WINDOWEVENT_MINIMIZED:
    case SDL_WINDOWEVENT_HIDDEN:
        visible(w, false);
        break;
    case SDL_WINDOWEVENT_SHOWN:
    case SDL_WINDOWEVENT_RESTORED:
    case SDL_WINDOWEVENT_MAXIMIZED:
        visible(w, true);
        w->redraw = true;
        break;
    default:
        break;
    }
}

void window_event(struct window *w, const SDL_Event *event)
{
    if (event->type == SDL_WINDOWEVENT) {
        window_changed(w, &event->window);
        return;
    }
    if (w->asking) {
        answered(w, window_ask_event(w, event));
        return;
    }
    switch (event->type) {
    case SDL_KEYDOWN:
        key_down(w, &event->key);
        break;
    case SDL_KEYUP:
        key_up(w, &event->key);
        break;
    case SDL_TEXTINPUT:
        text(w, event->text.text);
        break;
    case SDL_MOUSEMOTION:
        motion(w, &event->motion);
        break;
    case SDL_MOUSEBUTTONDOWN:
    case SDL_MOUSEBUTTONUP:
        button(w, &event->button);
        break;
    case SDL_MOUSEWHEEL:
        wheel(w, &event->wheel);
        break;
    default:
        break;
    }
}
