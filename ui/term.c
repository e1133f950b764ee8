/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * term: see term.h. libvterm keeps the screen; here are the lines that left it, what of all that is
 * looked at, and its drawing. A guest may print anything: ui/term_filter.c sees it first.
 */
#include "ui/term.h"

#include <linux/input-event-codes.h>
#include <stdlib.h>
#include <string.h>
#include <vterm.h>

#include "ui/display.h"
#include "ui/font.h"
#include "ui/term_filter.h"

#define COMBINING_MAX 5 /* marks on one character; libvterm itself would keep any number */

/* One cell as it is drawn, and kept in the history. Colours are 0x00RRGGBB. */
struct cell {
    uint32_t codepoint; /* 0: blank; UINT32_MAX: the right half of the one before */
    uint32_t fg, bg;
    uint8_t bold, underline, strike, wide;
};

/* The columns of a row that have changed since it was drawn. */
struct span {
    int16_t from, to;
};

struct term {
    struct term_events events;
    int cols, rows;
    VTerm *vt;
    VTermScreen *screen;
    struct term_filter filter;
    unsigned still; /* characters in a row that did not move the cursor */
    VTermPos cursor;
    bool cursor_visible;
    struct span *dirty; /* of each row of what is looked at */
    bool touched;       /* some row is dirty that `changed` has not told of */
    struct cell *line;  /* room for one */

    struct cell *history[TERM_HISTORY]; /* a ring of lines of `cols` cells, NULL where unused yet */
    unsigned history_first, history_count;
    unsigned back; /* how many lines above the present the top of the view is */
};

/* ---- What has changed ---- */

static void touch(struct term *t, int row, int from, int to)
{
    if (row < 0 || row >= t->rows)
        return;
    from = from < 0 ? 0 : from;
    to = to > t->cols ? t->cols : to;
    if (from >= to)
        return;
    struct span *s = &t->dirty[row];
    if (s->from >= s->to)
        *s = (struct span){(int16_t)from, (int16_t)to};
    s->from = (int16_t)(from < s->from ? from : s->from);
    s->to = (int16_t)(to > s->to ? to : s->to);
    t->touched = true;
}

static void touch_all(struct term *t)
{
    for (int row = 0; row < t->rows; row++)
        touch(t, row, 0, t->cols);
}

/* A row of the screen, which may have moved down or out of view. */
static void touch_screen_row(struct term *t, int row, int from, int to)
{
    touch(t, row + (int)t->back, from, to);
}

static void tell(struct term *t)
{
    if (!t->touched)
        return;
    t->touched = false;
    t->events.changed(t->events.opaque);
}

/* ---- Cells ---- */

static uint32_t rgb(const struct term *t, VTermColor color)
{
    vterm_screen_convert_color_to_rgb(t->screen, &color);
    return (uint32_t)color.rgb.red << 16 | (uint32_t)color.rgb.green << 8 | color.rgb.blue;
}

static struct cell cell_of(const struct term *t, const VTermScreenCell *from)
{
    uint32_t fg = rgb(t, from->fg), bg = rgb(t, from->bg);
    return (struct cell){
        .codepoint = from->chars[0],
        .fg = from->attrs.reverse ? bg : fg,
        .bg = from->attrs.reverse ? fg : bg,
        .bold = from->attrs.bold,
        .underline = from->attrs.underline != 0,
        .strike = from->attrs.strike,
        .wide = from->width > 1,
    };
}

static struct cell screen_cell(const struct term *t, int row, int col)
{
    VTermScreenCell cell;
    memset(&cell, 0, sizeof(cell));
    vterm_screen_get_cell(t->screen, (VTermPos){.row = row, .col = col}, &cell);
    return cell_of(t, &cell);
}

/* The n-th line of the history, counted back from the screen: 1 is the last one that left it. */
static const struct cell *history_line(const struct term *t, unsigned n)
{
    return t->history[(t->history_first + t->history_count - n) % TERM_HISTORY];
}

/* ---- libvterm's events ---- */

static int on_damage(VTermRect rect, void *opaque)
{
    struct term *t = opaque;
    for (int row = rect.start_row; row < rect.end_row && row < t->rows; row++)
        touch_screen_row(t, row, rect.start_col, rect.end_col);
    return 1;
}

static int on_cursor(VTermPos pos, VTermPos old, int visible, void *opaque)
{
    struct term *t = opaque;
    (void)visible;
    touch_screen_row(t, old.row, old.col, old.col + 1);
    touch_screen_row(t, pos.row, pos.col, pos.col + 1);
    t->cursor = pos;
    return 1;
}

static int on_property(VTermProp property, VTermValue *value, void *opaque)
{
    struct term *t = opaque;
    if (property == VTERM_PROP_CURSORVISIBLE) {
        t->cursor_visible = value->boolean;
        touch_screen_row(t, t->cursor.row, t->cursor.col, t->cursor.col + 1);
    } else if (property == VTERM_PROP_REVERSE || property == VTERM_PROP_ALTSCREEN) {
        touch_all(t);
    }
    return 1;
}

/* A line leaves the screen at its top. */
static int on_push(int cols, const VTermScreenCell *cells, void *opaque)
{
    struct term *t = opaque;
    struct cell **slot = &t->history[(t->history_first + t->history_count) % TERM_HISTORY];
    if (!*slot)
        *slot = calloc((size_t)t->cols, sizeof(**slot));
    if (!*slot) /* out of memory: it is not kept */
        return 0;
    for (int col = 0; col < cols && col < t->cols; col++)
        (*slot)[col] = cell_of(t, &cells[col]);
    if (t->history_count < TERM_HISTORY)
        t->history_count++;
    else
        t->history_first = (t->history_first + 1) % TERM_HISTORY;
    if (t->back) { /* who looks back goes on seeing the same, while it is there */
        t->back += t->back < t->history_count;
        touch_all(t);
    }
    return 1;
}

static const VTermScreenCallbacks screen_events = {
    .damage = on_damage,
    .movecursor = on_cursor,
    .settermprop = on_property,
    .sb_pushline = on_push,
};

static void on_output(const char *bytes, size_t len, void *opaque)
{
    struct term *t = opaque;
    t->events.output(t->events.opaque, bytes, len);
}

/* ---- Printing ---- */

static void print_bytes(void *opaque, const char *bytes, size_t len)
{
    struct term *t = opaque;
    t->still = 0;
    vterm_input_write(t->vt, bytes, len);
}

/* A combining character does not move the cursor, and that is how they are known here. */
static void print_character(void *opaque, uint32_t codepoint)
{
    struct term *t = opaque;
    VTermState *state = vterm_obtain_state(t->vt);
    VTermPos before, after;
    char text[4];
    if (t->still > COMBINING_MAX && codepoint >= 0x300)
        codepoint = 0xFFFD;
    vterm_state_get_cursorpos(state, &before);
    vterm_input_write(t->vt, text, term_utf8(codepoint, text));
    vterm_state_get_cursorpos(state, &after);
    t->still = before.row == after.row && before.col == after.col ? t->still + 1 : 0;
}

void term_write(struct term *t, const uint8_t *buf, size_t len)
{
    static const struct term_filter_events events = {.bytes = print_bytes,
                                                     .character = print_character};
    term_filter_feed(&t->filter, buf, len, &events, t);
    vterm_screen_flush_damage(t->screen);
    tell(t);
}

/* ---- Looking back ---- */

void term_scroll(struct term *t, int lines)
{
    int back = (int)t->back + lines;
    if (back < 0)
        back = 0;
    if (back > (int)t->history_count)
        back = (int)t->history_count;
    if ((unsigned)back == t->back)
        return;
    t->back = (unsigned)back;
    touch_all(t);
    tell(t);
}

static bool scroll_key(struct term *t, unsigned keycode, unsigned modifiers)
{
    if (modifiers != TERM_SHIFT && modifiers != TERM_CTRL)
        return false;
    switch (keycode) {
    case KEY_PAGEUP:
        term_scroll(t, t->rows / 2);
        return true;
    case KEY_PAGEDOWN:
        term_scroll(t, -(t->rows / 2));
        return true;
    case KEY_UP:
    case KEY_DOWN:
        if (modifiers == TERM_CTRL)
            term_scroll(t, keycode == KEY_UP ? 1 : -1);
        return modifiers == TERM_CTRL;
    default:
        return false;
    }
}

/* ---- Keys ---- */

static VTermKey key_of(unsigned keycode)
{
    static const struct {
        uint16_t code, key;
    } keys[] = {
        {KEY_ENTER, VTERM_KEY_ENTER},       {KEY_KPENTER, VTERM_KEY_ENTER},
        {KEY_TAB, VTERM_KEY_TAB},           {KEY_BACKSPACE, VTERM_KEY_BACKSPACE},
        {KEY_ESC, VTERM_KEY_ESCAPE},        {KEY_UP, VTERM_KEY_UP},
        {KEY_DOWN, VTERM_KEY_DOWN},         {KEY_LEFT, VTERM_KEY_LEFT},
        {KEY_RIGHT, VTERM_KEY_RIGHT},       {KEY_INSERT, VTERM_KEY_INS},
        {KEY_DELETE, VTERM_KEY_DEL},        {KEY_HOME, VTERM_KEY_HOME},
        {KEY_END, VTERM_KEY_END},           {KEY_PAGEUP, VTERM_KEY_PAGEUP},
        {KEY_PAGEDOWN, VTERM_KEY_PAGEDOWN},
    };
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (keys[i].code == keycode)
            return keys[i].key;
    if (keycode >= KEY_F1 && keycode <= KEY_F10)
        return VTERM_KEY_FUNCTION(keycode - KEY_F1 + 1);
    if (keycode == KEY_F11 || keycode == KEY_F12)
        return VTERM_KEY_FUNCTION(keycode - KEY_F11 + 11);
    return VTERM_KEY_NONE;
}

bool term_key(struct term *t, unsigned keycode, unsigned modifiers)
{
    /* These in libvterm with a modifier: CSI u, which no getty knows. */
    static const struct {
        uint16_t code;
        char byte;
    } plain[] = {{KEY_ENTER, '\r'}, {KEY_KPENTER, '\r'}, {KEY_BACKSPACE, 0x7F}, {KEY_ESC, 0x1B}};
    VTermModifier mod = (modifiers & TERM_SHIFT ? VTERM_MOD_SHIFT : VTERM_MOD_NONE) |
                        (modifiers & TERM_CTRL ? VTERM_MOD_CTRL : VTERM_MOD_NONE) |
                        (modifiers & TERM_ALT ? VTERM_MOD_ALT : VTERM_MOD_NONE);
    VTermKey key = key_of(keycode);
    if (scroll_key(t, keycode, modifiers))
        return true;
    if (key == VTERM_KEY_NONE)
        return false;
    term_scroll(t, -(int)t->back);
    for (size_t i = 0; modifiers && i < sizeof(plain) / sizeof(plain[0]); i++) {
        if (plain[i].code != keycode)
            continue;
        const char bytes[] = {'\033', plain[i].byte};
        bool alt = modifiers & TERM_ALT;
        t->events.output(t->events.opaque, bytes + !alt, 1 + (size_t)alt);
        return true;
    }
    vterm_keyboard_key(t->vt, key, mod);
    return true;
}

/* What Ctrl makes of a character, as DEC's terminals and all since have it; itself if nothing. */
static uint32_t with_ctrl(uint32_t c)
{
    if ((c >= '@' && c <= '_') || (c >= 'a' && c <= 'z'))
        return c & 0x1F;
    if (c >= '3' && c <= '7')
        return c - '3' + 0x1B;
    return c == ' ' || c == '2' ? 0 : c == '8' || c == '?' ? 0x7F : c == '/' ? 0x1F : c;
}

void term_character(struct term *t, uint32_t codepoint, unsigned modifiers)
{
    char text[5] = {'\033'};
    bool alt = modifiers & TERM_ALT;
    size_t len = term_utf8(modifiers & TERM_CTRL ? with_ctrl(codepoint) : codepoint, text + 1);
    term_scroll(t, -(int)t->back);
    t->events.output(t->events.opaque, text + !alt, len + alt);
}

/* ---- Drawing ---- */

/* What stands for a character without picture: a box as wide as it. */
static bool box(int x, int y, int width)
{
    return y >= 2 && y <= 13 && x >= 1 && x <= width - 2 &&
           (y == 2 || y == 13 || x == 1 || x == width - 2);
}

static void draw_cell(const struct surface *s, int row, int col, const struct cell *c)
{
    const uint8_t *glyph = font_glyph(c->codepoint ? c->codepoint : ' ');
    int width = c->wide ? 2 * FONT_WIDTH : FONT_WIDTH;
    for (int y = 0; y < FONT_HEIGHT; y++) {
        uint32_t *out = s->pixels + (size_t)(row * FONT_HEIGHT + y) * (size_t)s->width +
                        (size_t)col * FONT_WIDTH;
        unsigned bits = glyph ? glyph[y] : 0;
        bool line = (c->underline && y == FONT_HEIGHT - 2) || (c->strike && y == FONT_HEIGHT / 2);
        if (c->bold)
            bits |= bits >> 1;
        for (int x = 0; x < width; x++) {
            bool on = line || (glyph ? x < FONT_WIDTH && bits >> (7 - x) & 1 : box(x, y, width));
            out[x] = on ? c->fg : c->bg;
        }
    }
}

/* Row `row` of what is looked at, into t->line. */
static const struct cell *view_row(struct term *t, int row)
{
    if ((unsigned)row < t->back)
        return history_line(t, t->back - (unsigned)row);
    int y = row - (int)t->back;
    for (int col = 0; col < t->cols; col++)
        t->line[col] = screen_cell(t, y, col);
    if (t->cursor_visible && y == t->cursor.row && t->cursor.col >= 0 && t->cursor.col < t->cols) {
        struct cell *c = &t->line[t->cursor.col];
        uint32_t fg = c->fg;
        c->fg = c->bg;
        c->bg = fg;
    }
    return t->line;
}

static void draw_row(struct term *t, const struct surface *s, int row, int from, int to)
{
    const struct cell *cells = view_row(t, row);
    for (int col = from; col < to; col++) {
        struct cell c = cells[col];
        if (c.codepoint == UINT32_MAX) {
            if (col > from || !col)
                continue; /* drawn with its left half */
            c = cells[--col];
        }
        c.wide = c.wide && col + 1 < t->cols;
        draw_cell(s, row, col, &c);
        col += c.wide;
    }
}

void term_draw(struct term *t, struct display *display, bool full)
{
    int width = t->cols * FONT_WIDTH, height = t->rows * FONT_HEIGHT;
    const struct surface *s = display_surface(display);
    full = full || s->width != width || s->height != height;
    display_resize(display, width, height);
    if (s->width != width || s->height != height) /* out of memory */
        return;
    if (full)
        touch_all(t);
    t->touched = false;
    for (int row = 0; row < t->rows; row++) {
        struct span *d = &t->dirty[row];
        if (d->from >= d->to)
            continue;
        /* With a neighbour on either side: a wide character may have been cut. */
        int from = d->from > 0 ? d->from - 1 : 0, to = d->to < t->cols ? d->to + 1 : t->cols;
        draw_row(t, s, row, from, to);
        display_damage(display, from * FONT_WIDTH, row * FONT_HEIGHT, (to - from + 1) * FONT_WIDTH,
                       FONT_HEIGHT);
        *d = (struct span){0, 0};
    }
}

size_t term_line(const struct term *t, int row, char *text, size_t size)
{
    size_t len = 0, ink = 0;
    for (int col = 0; col < t->cols; col++) {
        struct cell c = screen_cell(t, row, col);
        char utf8[4];
        if (c.codepoint == UINT32_MAX)
            continue;
        size_t n = term_utf8(c.codepoint ? c.codepoint : ' ', utf8);
        if (len + n >= size)
            break;
        memcpy(text + len, utf8, n);
        len += n;
        if (c.codepoint && c.codepoint != ' ')
            ink = len;
    }
    text[ink] = '\0';
    return ink;
}

/* ---- Life ---- */

/* The colours of a PC's text screen. */
static void set_colours(struct term *t)
{
    static const uint32_t palette[16] = {0x000000, 0xAA0000, 0x00AA00, 0xAA5500, 0x0000AA, 0xAA00AA,
                                         0x00AAAA, 0xAAAAAA, 0x555555, 0xFF5555, 0x55FF55, 0xFFFF55,
                                         0x5555FF, 0xFF55FF, 0x55FFFF, 0xFFFFFF};
    VTermState *state = vterm_obtain_state(t->vt);
    VTermColor fg, bg;
    for (int i = 0; i < 16; i++) {
        VTermColor c;
        vterm_color_rgb(&c, (uint8_t)(palette[i] >> 16), (uint8_t)(palette[i] >> 8),
                        (uint8_t)palette[i]);
        vterm_state_set_palette_color(state, i, &c);
    }
    vterm_color_rgb(&fg, 0xAA, 0xAA, 0xAA);
    vterm_color_rgb(&bg, 0, 0, 0);
    vterm_state_set_default_colors(state, &fg, &bg);
    vterm_state_set_bold_highbright(state, 1);
}

struct term *term_new(int cols, int rows, const struct term_events *events)
{
    struct term *t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    t->events = *events;
    t->cols = cols;
    t->rows = rows;
    t->cursor_visible = true;
    t->dirty = calloc((size_t)rows, sizeof(*t->dirty));
    t->line = calloc((size_t)cols, sizeof(*t->line));
    t->vt = t->dirty && t->line ? vterm_new(rows, cols) : NULL;
    if (!t->vt) {
        term_free(t);
        return NULL;
    }
    vterm_set_utf8(t->vt, 1);
    vterm_output_set_callback(t->vt, on_output, t);
    t->screen = vterm_obtain_screen(t->vt);
    set_colours(t);
    vterm_screen_set_callbacks(t->screen, &screen_events, t);
    vterm_screen_set_damage_merge(t->screen, VTERM_DAMAGE_SCROLL);
    vterm_screen_enable_altscreen(t->screen, 1);
    vterm_screen_reset(t->screen, 1);
    return t;
}

void term_free(struct term *t)
{
    if (!t)
        return;
    if (t->vt)
        vterm_free(t->vt);
    for (unsigned i = 0; i < TERM_HISTORY; i++)
        free(t->history[i]);
    free(t->dirty);
    free(t->line);
    free(t);
}
