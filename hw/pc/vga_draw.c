/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vga_draw: see vga_draw.h. The CRT controller's way through a frame: IBM PS/2 Hardware Interface
 * Technical Reference (1990), Video Subsystem: CRT controller 08h-18h; J. Neal, FreeVGA project,
 * "VGA Text Mode Operation" and "VGA Fonts".
 */
#include "hw/pc/vga_draw.h"

#include <stdlib.h>
#include <string.h>

#include "ui/display.h"

#define PAGE_SHIFT   12
#define LONG_BITS    (8 * sizeof(unsigned long))
#define CELLS_A_PAGE 1024
#define MAX_COLUMNS  256 /* that can be panned or doubled */
#define ROW_LINES    128 /* scan lines one text row can have: 64 row counts, doubled */
#define CELL_CURSOR  (1u << 16)
#define CELL_HIDDEN  (1u << 17)
#define CELL_DRAWN   (1u << 31)
#define PLANE_FONT   2
#define FONT_STRIDE  32 /* rows of a glyph in plane 2 */
#define BLINK_ATTR   0x80
#define MONO_UNDER   0x01 /* attribute & 0x77 of underlined text */
#define LINE_CHAR_LO 0xC0
#define LINE_CHAR_HI 0xDF

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "cells are loaded as words");

struct canvas {
    uint32_t *pixels;
    size_t stride; /* in pixels */
    const struct vga_overlay *overlay;
    const struct vga_overlay *moved; /* where it was drawn last; NULL: it has not changed */
};

/* The CRT controller's counters at one scan line. */
struct scan {
    const struct vga_frame *f;
    uint32_t y;
    uint32_t cell; /* address of the row's first cell */
    uint32_t row;  /* row scan counter */
    uint32_t repeats;
    uint32_t pan;
};

bool vga_painter_init(struct vga_painter *painter)
{
    *painter = (struct vga_painter){0};
    painter->shadow = calloc(VGA_SHADOW_CELLS, sizeof(*painter->shadow));
    return painter->shadow;
}

void vga_painter_destroy(struct vga_painter *painter)
{
    free(painter->shadow);
    painter->shadow = NULL;
}

static void scan_start(struct scan *s, const struct vga_frame *f)
{
    *s = (struct scan){.f = f, .cell = f->cell_start, .row = f->first_row, .pan = f->pan};
}

/* To the next scan line; true if it belongs to another text row. */
static bool scan_next(struct scan *s)
{
    const struct vga_frame *f = s->f;
    if (s->y++ == f->split) {
        s->cell = 0;
        s->row = 0;
        s->repeats = 0;
        s->pan = f->split_pan;
        return true;
    }
    if (++s->repeats < f->line_repeat)
        return false;
    s->repeats = 0;
    if (s->row != f->max_row) {
        s->row = (s->row + 1) & 31;
        return false;
    }
    s->row = 0;
    s->cell += f->cell_pitch;
    return true;
}

static uint32_t load_cell(const uint8_t *vram, uint32_t cell)
{
    uint32_t v;
    memcpy(&v, vram + (size_t)cell * 4, sizeof(v));
    return v;
}

/* Text ------------------------------------------------------------------------------------ */

struct text_row {
    uint32_t y, lines;
    uint32_t cell, pan;
    uint8_t rows[ROW_LINES]; /* the row scan counter of each line */
};

/* The dots of a glyph's line, leftmost in bit cell_dots - 1. */
static uint32_t glyph_dots(const struct vga_frame *f, const uint8_t *glyph, uint32_t value,
                           uint32_t row)
{
    uint8_t c = (uint8_t)value, attr = (uint8_t)(value >> 8);
    uint32_t all = (1u << f->cell_dots) - 1;
    if ((value & CELL_CURSOR) && row >= f->cursor_first && row <= f->cursor_last)
        return all;
    if (value & CELL_HIDDEN)
        return 0;
    if (row == f->underline && (attr & 0x77) == MONO_UNDER)
        return all;
    uint32_t bits = glyph[(size_t)row * 4];
    if (f->cell_dots == 8)
        return bits;
    bool repeat = f->line_graphics && c >= LINE_CHAR_LO && c <= LINE_CHAR_HI;
    return bits << 1 | (repeat ? bits & 1 : 0);
}

static void draw_cell(const struct vga_frame *f, const uint8_t *vram, const struct text_row *r,
                      uint32_t column, uint32_t value, const struct canvas *canvas)
{
    uint8_t c = (uint8_t)value, attr = (uint8_t)(value >> 8);
    uint32_t bg_index = f->blink ? attr >> 4 & 7u : attr >> 4;
    uint32_t fg = f->palette[attr & f->plane_mask], bg = f->palette[bg_index & f->plane_mask];
    uint32_t font = f->font[attr >> 3 & 1] + c * FONT_STRIDE;
    const uint8_t *glyph = vram + (size_t)(font & f->cell_mask) * 4 + PLANE_FONT;
    uint32_t dots = f->cell_dots, wide = dots * f->dot_repeat;
    int64_t x = (int64_t)column * wide - (int64_t)r->pan * f->dot_repeat;
    bool whole = x >= 0 && x + wide <= f->width;

    for (uint32_t i = 0; i < r->lines; i++) {
        uint32_t bits = glyph_dots(f, glyph, value, r->rows[i]);
        uint32_t *line = canvas->pixels + (r->y + i) * canvas->stride;
        if (whole && f->dot_repeat == 1) {
            uint32_t *p = line + x;
            for (uint32_t d = dots; d-- > 0;)
                *p++ = bits >> d & 1 ? fg : bg;
            continue;
        }
        for (uint32_t k = 0; k < wide; k++)
            if (x + k >= 0 && x + k < f->width)
                line[x + k] = bits >> (dots - 1 - k / f->dot_repeat) & 1 ? fg : bg;
    }
}

/* Character and attribute of a cell, and what the moment adds to them. */
static uint32_t text_value(const struct vga_frame *f, const uint8_t *vram, uint32_t cell)
{
    uint32_t value = CELL_DRAWN | (load_cell(vram, cell) & 0xFFFF);
    if (cell == f->cursor_cell && f->phase_on)
        value |= CELL_CURSOR;
    if (f->blink && !f->phase_on && (value >> 8 & BLINK_ATTR))
        value |= CELL_HIDDEN;
    return value;
}

static void draw_text_row(struct vga_painter *p, const struct vga_frame *f, const uint8_t *vram,
                          const struct text_row *r, uint32_t index, bool redraw,
                          const struct canvas *canvas, struct display *display)
{
    uint32_t columns = f->columns + (r->pan ? 1 : 0), slots = f->columns + 1;
    uint32_t first = UINT32_MAX, last = 0;
    for (uint32_t c = 0; c < columns; c++) {
        uint32_t value = text_value(f, vram, (r->cell + c) & f->cell_mask);
        uint32_t slot = index * slots + c;
        if (slot < VGA_SHADOW_CELLS) {
            if (!redraw && p->shadow[slot] == value)
                continue;
            p->shadow[slot] = value;
        }
        draw_cell(f, vram, r, c, value, canvas);
        if (first == UINT32_MAX)
            first = c;
        last = c;
    }
    if (first == UINT32_MAX)
        return;
    uint32_t wide = f->cell_dots * f->dot_repeat;
    int x = (int)(first * wide) - (int)(r->pan * f->dot_repeat);
    display_damage(display, x, (int)r->y, (int)((last - first + 1) * wide), (int)r->lines);
}

static void draw_text(struct vga_painter *p, const struct vga_frame *f, const uint8_t *vram,
                      bool redraw, const struct canvas *canvas, struct display *display)
{
    struct scan s;
    scan_start(&s, f);
    for (uint32_t index = 0; s.y < f->height; index++) {
        struct text_row r = {.y = s.y, .cell = s.cell, .pan = s.pan};
        bool next = false;
        while (!next && s.y < f->height && r.lines < ROW_LINES) {
            r.rows[r.lines++] = (uint8_t)s.row;
            next = scan_next(&s);
        }
        draw_text_row(p, f, vram, &r, index, redraw, canvas, display);
    }
}

/* Overlay --------------------------------------------------------------------------------- */

static bool crosses(const struct vga_overlay *o, uint32_t y)
{
    return y >= o->y && y - o->y < o->size;
}

/* Whether a line must be drawn because the overlay on it is another one than before. */
static bool overlay_changed(const struct canvas *canvas, uint32_t y)
{
    return canvas->moved && (crosses(canvas->moved, y) || crosses(canvas->overlay, y));
}

static void draw_overlay_line(const struct vga_frame *f, const struct canvas *canvas, uint32_t y)
{
    const struct vga_overlay *o = canvas->overlay;
    if (!crosses(o, y))
        return;
    const uint8_t *in = o->pixel + (size_t)(y - o->y) * o->size;
    uint32_t *line = canvas->pixels + y * canvas->stride;
    for (uint32_t i = 0; i < o->size && i + o->x < f->width; i++) {
        if (in[i] == OVERLAY_INVERTS)
            line[o->x + i] ^= 0xFFFFFF;
        else if (in[i] != OVERLAY_CLEAR)
            line[o->x + i] = o->colour[in[i] == OVERLAY_COLOUR1];
    }
}

static bool same_overlay(const struct vga_overlay *a, const struct vga_overlay *b)
{
    if (!a->size && !b->size)
        return true;
    return a->size == b->size && a->x == b->x && a->y == b->y && a->colour[0] == b->colour[0] &&
           a->colour[1] == b->colour[1] && !memcmp(a->pixel, b->pixel, (size_t)a->size * a->size);
}

/* Graphics -------------------------------------------------------------------------------- */

static bool pages_dirty(const unsigned long *dirty, uint64_t first, uint64_t last)
{
    for (uint64_t page = first >> PAGE_SHIFT; page <= last >> PAGE_SHIFT; page++)
        if (dirty[page / LONG_BITS] >> (page % LONG_BITS) & 1)
            return true;
    return false;
}

/* Where the cells of a scan line lie: address n is (cell + n, wrapped) with the row's bits put in.
 */
struct line_cells {
    uint32_t first, keep, put, mask;
};

static struct line_cells line_cells(const struct scan *s)
{
    const struct vga_frame *f = s->f;
    struct line_cells l = {.first = s->cell, .keep = UINT32_MAX, .mask = f->cell_mask};
    for (unsigned i = 0; i < 2; i++) {
        l.keep &= ~f->row_bit[i];
        if (s->row >> i & 1)
            l.put |= f->row_bit[i];
    }
    return l;
}

static uint32_t cell_at(const struct line_cells *l, uint32_t n)
{
    return (((l->first + n) & l->keep) | l->put) & l->mask;
}

/* A look at every page of the line and at its end. Where the address wraps or a carry reaches a bit
 * that is put in, the line continues at the start of some page: a step from before to after such a
 * place is shorter than a page, so none is missed. */
static bool line_dirty(const struct line_cells *l, uint32_t columns, const unsigned long *dirty)
{
    for (uint32_t n = 0; n < columns; n += CELLS_A_PAGE) {
        uint64_t at = (uint64_t)cell_at(l, n) * 4;
        if (pages_dirty(dirty, at, at))
            return true;
    }
    uint64_t last = (uint64_t)cell_at(l, columns - 1) * 4;
    return pages_dirty(dirty, last, last);
}

static uint32_t *planar_dots(uint32_t *p, uint32_t v, const uint32_t *palette, uint32_t planes)
{
    for (int i = 0; i < 8; i++, v <<= 1) {
        uint32_t index = (v >> 7 & 1) | (v >> 14 & 2) | (v >> 21 & 4) | (v >> 28 & 8);
        *p++ = palette[index & planes];
    }
    return p;
}

static uint32_t *cga_dots(uint32_t *p, uint32_t v, const uint32_t *palette, uint32_t planes)
{
    for (int half = 0; half < 2; half++, v >>= 8)
        for (int shift = 6; shift >= 0; shift -= 2)
            *p++ = palette[((v >> shift & 3) | (v >> (shift + 16) & 3) << 2) & planes];
    return p;
}

static uint32_t *packed_dots(uint32_t *p, uint32_t v, const uint32_t *palette)
{
    for (int i = 0; i < 4; i++, v >>= 8) {
        uint32_t colour = palette[v & 0xFF];
        *p++ = colour;
        *p++ = colour;
    }
    return p;
}

static void draw_cells(const struct vga_frame *f, const uint8_t *vram, const struct line_cells *l,
                       uint32_t count, uint32_t *out)
{
    for (uint32_t n = 0; n < count; n++) {
        uint32_t v = load_cell(vram, cell_at(l, n));
        if (f->kind == VGA_PLANAR)
            out = planar_dots(out, v, f->palette, f->plane_mask);
        else if (f->kind == VGA_CGA)
            out = cga_dots(out, v, f->palette, f->plane_mask);
        else
            out = packed_dots(out, v, f->palette);
    }
}

static void draw_cell_line(const struct vga_frame *f, const uint8_t *vram,
                           const struct line_cells *l, uint32_t pan, uint32_t *line)
{
    if (!pan && f->dot_repeat == 1) {
        draw_cells(f, vram, l, f->columns, line);
        return;
    }
    uint32_t dots[(MAX_COLUMNS + 1) * 8] = {0};
    draw_cells(f, vram, l, f->columns + 1, dots);
    for (uint32_t x = 0; x < f->width; x++)
        line[x] = dots[pan + x / f->dot_repeat];
}

/* Rectangles of changed lines, whole width, merged while they follow each other. */
struct band {
    uint32_t first, count;
};

static void band_add(struct band *b, uint32_t y, const struct vga_frame *f, struct display *display)
{
    if (b->count && b->first + b->count == y) {
        b->count++;
        return;
    }
    if (b->count)
        display_damage(display, 0, (int)b->first, (int)f->width, (int)b->count);
    *b = (struct band){.first = y, .count = 1};
}

static void band_end(const struct band *b, const struct vga_frame *f, struct display *display)
{
    if (b->count)
        display_damage(display, 0, (int)b->first, (int)f->width, (int)b->count);
}

static void draw_planes(const struct vga_frame *f, const uint8_t *vram, const unsigned long *dirty,
                        const struct canvas *canvas, struct display *display)
{
    struct scan s;
    struct band band = {0};
    struct line_cells before = {0};
    bool before_drawn = false;
    uint32_t before_pan = 0;

    for (scan_start(&s, f); s.y < f->height; scan_next(&s)) {
        struct line_cells l = line_cells(&s);
        uint32_t *line = canvas->pixels + s.y * canvas->stride;
        bool same = s.y && !canvas->overlay->size && !canvas->moved &&
                    !memcmp(&l, &before, sizeof(l)) && s.pan == before_pan;
        bool draw =
            same ? before_drawn
                 : !dirty || line_dirty(&l, f->columns + 1, dirty) || overlay_changed(canvas, s.y);
        if (draw && same)
            memcpy(line, line - canvas->stride, (size_t)f->width * sizeof(*line));
        else if (draw)
            draw_cell_line(f, vram, &l, s.pan, line);
        if (draw) {
            draw_overlay_line(f, canvas, s.y);
            band_add(&band, s.y, f, display);
        }
        before = l;
        before_pan = s.pan;
        before_drawn = draw;
    }
    band_end(&band, f, display);
}

static unsigned linear_bytes(const struct vga_frame *f)
{
    switch (f->kind) {
    case VGA_LINEAR8:
        return 1;
    case VGA_LINEAR15:
    case VGA_LINEAR16:
        return 2;
    case VGA_LINEAR24:
        return 3;
    default:
        return 4;
    }
}

/* A field of 5 or 6 bits becomes 8, the highest ones repeated: full is full. */
static uint32_t widen5(uint32_t v)
{
    return (v & 0x1F) << 3 | (v >> 2 & 7);
}

static uint32_t widen6(uint32_t v)
{
    return (v & 0x3F) << 2 | (v >> 4 & 3);
}

#define GROUP 8 /* pixels: lines have a multiple of it, and a compiler makes vectors of them */

static void draw_line15(const uint8_t *in, uint32_t *line, uint32_t width)
{
    for (uint32_t x = 0; x + GROUP <= width; x += GROUP) {
        uint16_t v[GROUP];
        uint32_t to[GROUP];
        memcpy(v, in + (size_t)x * 2, sizeof(v));
        for (uint32_t i = 0; i < GROUP; i++)
            to[i] = widen5(v[i] >> 10) << 16 | widen5(v[i] >> 5) << 8 | widen5(v[i]);
        memcpy(line + x, to, sizeof(to));
    }
}

static void draw_line16(const uint8_t *in, uint32_t *line, uint32_t width)
{
    for (uint32_t x = 0; x + GROUP <= width; x += GROUP) {
        uint16_t v[GROUP];
        uint32_t to[GROUP];
        memcpy(v, in + (size_t)x * 2, sizeof(v));
        for (uint32_t i = 0; i < GROUP; i++)
            to[i] = widen5(v[i] >> 11) << 16 | widen6(v[i] >> 5) << 8 | widen5(v[i]);
        memcpy(line + x, to, sizeof(to));
    }
}

static void draw_linear_line(const struct vga_frame *f, const uint8_t *in, uint32_t *line)
{
    switch (f->kind) {
    case VGA_LINEAR8:
        for (uint32_t x = 0; x < f->width; x++)
            line[x] = f->palette[in[x]];
        break;
    case VGA_LINEAR15:
        draw_line15(in, line, f->width);
        break;
    case VGA_LINEAR16:
        draw_line16(in, line, f->width);
        break;
    case VGA_LINEAR24:
        for (uint32_t x = 0; x < f->width; x++, in += 3)
            line[x] = (uint32_t)(in[0] | in[1] << 8 | in[2] << 16);
        break;
    default:
        memcpy(line, in, (size_t)f->width * sizeof(*line));
        break;
    }
}

/* Scan lines that show the same line of memory. */
static uint32_t linear_repeat(const struct vga_frame *f)
{
    uint32_t repeat = f->line_repeat * (f->max_row + 1);
    return repeat ? repeat : 1;
}

/* Where a line's first byte is. */
static uint64_t linear_at(const struct vga_frame *f, uint32_t y)
{
    uint32_t repeat = linear_repeat(f);
    if (y > f->split)
        return (uint64_t)((y - f->split - 1) / repeat) * f->pitch & (f->wrap - 1);
    return (f->start + (uint64_t)(y / repeat) * f->pitch) & (f->wrap - 1);
}

static void draw_linear_at(const struct vga_frame *f, const uint8_t *vram, uint64_t at,
                           size_t bytes, uint32_t *line)
{
    uint8_t whole[DISPLAY_MAX_WIDTH * 4];
    size_t left = (size_t)(f->wrap - at);
    if (bytes <= left) {
        draw_linear_line(f, vram + at, line);
        return;
    }
    memcpy(whole, vram + at, left); /* the line goes on at the beginning of memory */
    memcpy(whole + left, vram, bytes - left);
    draw_linear_line(f, whole, line);
}

static bool linear_dirty(const struct vga_frame *f, uint64_t at, size_t bytes,
                         const unsigned long *dirty)
{
    uint64_t end = at + bytes;
    if (end <= f->wrap)
        return pages_dirty(dirty, at, end - 1);
    return pages_dirty(dirty, at, f->wrap - 1) || pages_dirty(dirty, 0, end - f->wrap - 1);
}

static void draw_linear(const struct vga_frame *f, const uint8_t *vram, const unsigned long *dirty,
                        const struct canvas *canvas, struct display *display)
{
    size_t bytes = (size_t)f->width * linear_bytes(f);
    struct band band = {0};
    for (uint32_t y = 0; y < f->height; y++) {
        uint64_t at = linear_at(f, y);
        if (dirty && !linear_dirty(f, at, bytes, dirty) && !overlay_changed(canvas, y))
            continue;
        draw_linear_at(f, vram, at, bytes, canvas->pixels + y * canvas->stride);
        draw_overlay_line(f, canvas, y);
        band_add(&band, y, f, display);
    }
    band_end(&band, f, display);
}

static void draw_blank(const struct vga_frame *f, const struct canvas *canvas,
                       struct display *display)
{
    for (uint32_t y = 0; y < f->height; y++)
        memset(canvas->pixels + y * canvas->stride, 0, (size_t)f->width * 4);
    display_damage(display, 0, 0, (int)f->width, (int)f->height);
}

/* Everything the guest can choose is checked here once more, next to the code that relies on it. */
static bool frame_fits(const struct vga_frame *f, uint64_t vram_bytes)
{
    if (!f->width || !f->height || f->width > DISPLAY_MAX_WIDTH || f->height > DISPLAY_MAX_HEIGHT)
        return false;
    if (f->kind >= VGA_LINEAR8) {
        return !(f->width % GROUP) && f->wrap && !(f->wrap & (f->wrap - 1)) && f->max_row <= 31 &&
               f->line_repeat >= 1 && f->line_repeat <= 2 &&
               (uint64_t)f->width * linear_bytes(f) <= f->wrap && vga_frame_extent(f) <= vram_bytes;
    }
    if (f->kind == VGA_BLANK)
        return true;
    uint32_t dots = f->kind == VGA_TEXT ? f->cell_dots : 8;
    /* A glyph goes on for 31 cells after its first. */
    uint64_t cells = (uint64_t)f->cell_mask + (f->kind == VGA_TEXT ? FONT_STRIDE : 1);
    return f->columns && f->columns <= 4096 && f->width == f->columns * dots * f->dot_repeat &&
           (f->kind == VGA_TEXT || f->columns <= MAX_COLUMNS || (!f->pan && f->dot_repeat == 1)) &&
           f->pan <= 8 && f->split_pan <= 8 && f->dot_repeat >= 1 && f->dot_repeat <= 2 &&
           f->line_repeat >= 1 && f->plane_mask <= 15 && f->max_row <= 31 && f->first_row <= 31 &&
           cells * 4 <= vram_bytes;
}

uint64_t vga_frame_extent(const struct vga_frame *f)
{
    if (f->kind >= VGA_LINEAR8) {
        uint64_t lines = ((uint64_t)f->height - 1) / linear_repeat(f);
        uint64_t end = f->start + lines * f->pitch + (uint64_t)f->width * linear_bytes(f);
        return end < f->wrap ? end : f->wrap;
    }
    if (f->kind == VGA_BLANK || f->kind == VGA_TEXT)
        return 0;
    return ((uint64_t)f->cell_mask + 1) * 4;
}

/* Frames are compared as bytes. */
_Static_assert(sizeof(struct vga_frame) == 2 * 8 + 284 * 4, "struct vga_frame has padding");

/* Is the picture laid out and coloured as the last one? The cursor and the blink phase show in the
 * cells. */
static bool same_frame(const struct vga_frame *a, const struct vga_frame *b)
{
    struct vga_frame x = *a;
    x.cursor_cell = b->cursor_cell;
    x.phase_on = b->phase_on;
    return !memcmp(&x, b, sizeof(x));
}

void vga_draw(struct vga_painter *painter, const struct vga_frame *frame, const uint8_t *vram,
              uint64_t vram_bytes, const unsigned long *dirty, bool redraw, struct display *display)
{
    struct vga_frame f = *frame;
    if ((uint64_t)f.width * f.height > VGA_MAX_PIXELS)
        f.height = VGA_MAX_PIXELS / f.width;
    if (!frame_fits(&f, vram_bytes))
        return;
    if (!painter->valid || !same_frame(&painter->last, &f))
        redraw = true;
    display_resize(display, (int)f.width, (int)f.height);
    const struct surface *surface = display_surface(display);
    if (surface->width != (int)f.width || surface->height != (int)f.height) {
        painter->valid = false;
        return;
    }
    struct canvas canvas = {
        .pixels = surface->pixels,
        .stride = (size_t)surface->width,
        .overlay = &painter->overlay,
    };
    if (painter->overlay.size > VGA_OVERLAY_MAX)
        painter->overlay.size = 0;
    if (!same_overlay(&painter->overlay, &painter->last_overlay))
        canvas.moved = &painter->last_overlay;
    if (redraw)
        dirty = NULL;
    if (f.kind == VGA_BLANK) {
        if (redraw)
            draw_blank(&f, &canvas, display);
    } else if (f.kind == VGA_TEXT) {
        draw_text(painter, &f, vram, redraw, &canvas, display);
    } else if (f.kind < VGA_LINEAR8) {
        draw_planes(&f, vram, dirty, &canvas, display);
    } else {
        draw_linear(&f, vram, dirty, &canvas, display);
    }
    painter->last = f;
    if (canvas.moved)
        painter->last_overlay = painter->overlay;
    painter->valid = true;
}
