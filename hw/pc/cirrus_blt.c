/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cirrus_blt: see cirrus_blt.h. A BLT is done line by line: the source's line is made (copied,
 * expanded from bits, taken from a pattern) together with a mask of what is not to be written, then
 * combined with the destination's.
 */
#include "hw/pc/cirrus_blt.h"

#include <string.h>

#include "hw/pc/vga_core.h"

enum { /* GR30 */
       MODE_BACKWARD = 0x01,
       MODE_TO_CPU = 0x02,
       MODE_FROM_CPU = 0x04,
       MODE_TRANSPARENT = 0x08,
       MODE_PATTERN = 0x40,
       MODE_EXPAND = 0x80,
};

enum {                    /* GR33 */
       EXT_DWORDS = 0x01, /* monochrome lines from the CPU end at 32 bits */
       EXT_INVERT = 0x02, /* transparent expansion: the zeroes are drawn */
       EXT_SOLID = 0x04,
};

#define PATTERN_LINES 8
#define PATTERN_PITCH 32 /* of 24 and 32 bits a pixel */

const struct state_field cirrus_blt_state[] = {
    STATE_UINT(struct cirrus_blt, mode),
    STATE_UINT(struct cirrus_blt, extension),
    STATE_UINT(struct cirrus_blt, rop),
    STATE_UINT(struct cirrus_blt, skip),
    STATE_LIMIT(struct cirrus_blt, pixel_bytes, 4, .min = 1, .reset = 1),
    STATE_LIMIT(struct cirrus_blt, width, CIRRUS_BLT_LINE, .min = 1, .reset = 1),
    STATE_LIMIT(struct cirrus_blt, lines, 2048),
    STATE_UINT(struct cirrus_blt, dst),
    STATE_UINT(struct cirrus_blt, src),
    STATE_UINT(struct cirrus_blt, dst_step),
    STATE_UINT(struct cirrus_blt, src_step),
    STATE_UINT(struct cirrus_blt, foreground),
    STATE_UINT(struct cirrus_blt, background),
    STATE_UINT(struct cirrus_blt, key),
    STATE_LIMIT(struct cirrus_blt, row, PATTERN_LINES - 1),
    STATE_LIMIT(struct cirrus_blt, phase, CIRRUS_BLT_PHASES - 1),
    STATE_LIMIT(struct cirrus_blt, unit, CIRRUS_BLT_LINE, .min = 1, .reset = 1),
    STATE_LIMIT(struct cirrus_blt, at, CIRRUS_BLT_LINE - 1),
    STATE_ARRAY(struct cirrus_blt, line),
    STATE_FIELDS_END,
};

/* Raster operations ------------------------------------------------------------------------ */

/*
 * GR32: a function of source and destination as four bits: its value for source, destination = 0,0
 * (bit 0), 0,1 (bit 1), 1,0 (bit 2), 1,1 (bit 3). What is not in the manual's table does nothing.
 */
static unsigned truth_table(uint8_t rop)
{
    switch (rop) {
    case 0x00:
        return 0x0;
    case 0x90: /* not (source or destination) */
        return 0x1;
    case 0x50:
        return 0x2;
    case 0xD0:
        return 0x3;
    case 0x09:
        return 0x4;
    case 0x0B:
        return 0x5;
    case 0x59:
        return 0x6;
    case 0xDA: /* not (source and destination) */
        return 0x7;
    case 0x05:
        return 0x8;
    case 0x95:
        return 0x9;
    case 0xD6:
        return 0xB;
    case 0x0D:
        return 0xC;
    case 0xAD:
        return 0xD;
    case 0x6D:
        return 0xE;
    case 0x0E:
        return 0xF;
    default: /* 06h: the destination */
        return 0xA;
    }
}

#define ROP_SOURCE 0xCu

/* The same as exclusive or of: one, source, destination, both; each all ones or absent. */
struct rop {
    unsigned table;
    uint8_t one, src, dst, both;
};

static struct rop rop_of(uint8_t code)
{
    unsigned t = truth_table(code);
    struct rop r = {.table = t};
    r.one = (uint8_t) - (t & 1);
    r.dst = (uint8_t) - ((t ^ t >> 1) & 1);
    r.src = (uint8_t) - ((t ^ t >> 2) & 1);
    r.both = (uint8_t) - ((t ^ t >> 1 ^ t >> 2 ^ t >> 3) & 1);
    return r;
}

static inline uint8_t apply(const struct rop *r, uint8_t s, uint8_t d)
{
    return (uint8_t)(r->one ^ (r->src & s) ^ (r->dst & d) ^ (r->both & s & d));
}

#define GROUP 32 /* bytes, of which a compiler makes vectors */

/* For source and destination that do not overlap, or the destination is behind. Returns how many
 * bytes are done: all but the last few. */
static size_t combine_groups(const struct rop *r, const uint8_t *s, uint8_t *d, size_t n)
{
    const struct rop rop = *r;
    size_t at = 0;
    for (; at + GROUP <= n; at += GROUP) {
        uint8_t src[GROUP], dst[GROUP];
        memcpy(src, s + at, GROUP);
        memcpy(dst, d + at, GROUP);
        for (size_t i = 0; i < GROUP; i++)
            dst[i] = apply(&rop, src[i], dst[i]);
        memcpy(d + at, dst, GROUP);
    }
    return at;
}

/* Byte by byte in the BLT's direction: where source and destination overlap it shows. */
static void combine(const struct rop *r, const uint8_t *s, uint8_t *d, size_t n, bool backward)
{
    const struct rop rop = *r;
    bool apart = s >= d + n || s + n <= d;
    if (rop.table == ROP_SOURCE && (apart || (backward ? s <= d : s >= d))) {
        memmove(d, s, n);
    } else if (backward && !apart) {
        for (size_t i = n; i-- > 0;)
            d[i] = apply(&rop, s[i], d[i]);
    } else {
        for (size_t i = apart || s >= d ? combine_groups(&rop, s, d, n) : 0; i < n; i++)
            d[i] = apply(&rop, s[i], d[i]);
    }
}

static void combine_masked(const struct rop *r, const uint8_t *s, const uint8_t *mask, uint8_t *d,
                           size_t n)
{
    const struct rop rop = *r;
    for (size_t i = 0; i < n; i++)
        d[i] = (uint8_t)((apply(&rop, s[i], d[i]) & mask[i]) | (d[i] & ~mask[i]));
}

/* Pixels of one or two bytes whose result is the transparent colour are not written. */
static void combine_keyed(const struct rop *r, const struct cirrus_blt *b, const uint8_t *s,
                          uint8_t *d, size_t n, bool backward)
{
    size_t size = b->pixel_bytes, pixels = n / size;
    for (size_t k = 0; k < pixels; k++) {
        size_t i = (backward ? pixels - 1 - k : k) * size;
        uint8_t low = apply(r, s[i], d[i]);
        uint8_t high = size == 2 ? apply(r, s[i + 1], d[i + 1]) : 0;
        if (low == (b->key & 0xFF) && (size == 1 || high == b->key >> 8))
            continue;
        d[i] = low;
        if (size == 2)
            d[i + 1] = high;
    }
}

/* Video memory, a ring -------------------------------------------------------------------- */

static void load(const struct vga_core *c, uint32_t at, uint8_t *buf, size_t n)
{
    at &= c->vram_bytes - 1;
    size_t first = c->vram_bytes - at < n ? c->vram_bytes - at : n;
    memcpy(buf, c->vram + at, first);
    memcpy(buf + first, c->vram, n - first);
}

static void store(struct vga_core *c, uint32_t at, const uint8_t *buf, size_t n)
{
    at &= c->vram_bytes - 1;
    size_t first = c->vram_bytes - at < n ? c->vram_bytes - at : n;
    memcpy(c->vram + at, buf, first);
    memcpy(c->vram, buf + first, n - first);
}

static bool is_whole(const struct vga_core *c, uint32_t at, size_t n)
{
    return c->vram_bytes - (at & (c->vram_bytes - 1)) >= n;
}

static void mark_written(struct vga_core *c, uint32_t at, size_t n)
{
    at &= c->vram_bytes - 1;
    if (is_whole(c, at, n)) {
        vga_memory_written(c, at, at + n - 1);
    } else {
        vga_memory_written(c, at, c->vram_bytes - 1);
        vga_memory_written(c, 0, at + n - c->vram_bytes - 1);
    }
}

/* A line of the source --------------------------------------------------------------------- */

struct line {
    size_t skip; /* bytes at its left that are left alone */
    size_t n;    /* bytes after these */
    uint8_t src[CIRRUS_BLT_LINE + 8], mask[CIRRUS_BLT_LINE + 8];
};

static bool expands(const struct cirrus_blt *b)
{
    return b->mode & MODE_EXPAND;
}

static bool is_pattern(const struct cirrus_blt *b)
{
    return b->mode & MODE_PATTERN;
}

static bool has_mask(const struct cirrus_blt *b)
{
    return expands(b) && (b->mode & MODE_TRANSPARENT);
}

/* GR2F counts pixels, with 24 bits a pixel bytes. */
static size_t skip_bytes(const struct cirrus_blt *b)
{
    size_t skip = b->pixel_bytes == 3 ? b->skip & 0x1F : (b->skip & 7u) * b->pixel_bytes;
    return skip < b->width ? skip : b->width;
}

/* May write four bytes, whatever the size: the buffers have room for it. */
static inline void put_pixel(uint8_t *to, uint32_t colour)
{
    memcpy(to, &colour, sizeof(colour));
}

static size_t line_pixels(const struct cirrus_blt *b, size_t skip)
{
    return (b->width - skip + b->pixel_bytes - 1) / b->pixel_bytes;
}

/* How many bytes of monochrome data a line uses up. */
static size_t mono_bytes(const struct cirrus_blt *b)
{
    size_t skip = skip_bytes(b), bits = skip / b->pixel_bytes + line_pixels(b, skip);
    return bits ? (bits + 7) / 8 : 1;
}

/* Bits, the leftmost the highest, become pixels of two colours, or of one and a mask. A pattern's
 * eight come round again. */
static void expand_line(const struct cirrus_blt *b, const uint8_t *bits, struct line *l)
{
    bool transparent = b->mode & MODE_TRANSPARENT, invert = b->extension & EXT_INVERT;
    uint32_t ones = transparent && invert ? b->background : b->foreground;
    size_t size = b->pixel_bytes, pixels = line_pixels(b, l->skip), bit = l->skip / size;
    for (size_t i = 0; i < pixels; i++, bit++) {
        size_t from = is_pattern(b) ? bit & 7 : bit;
        bool set = bits[from >> 3] >> (7 - (from & 7)) & 1;
        if (transparent) {
            put_pixel(l->mask + i * size, set != invert ? UINT32_MAX : 0);
            put_pixel(l->src + i * size, ones);
        } else {
            put_pixel(l->src + i * size, set ? b->foreground : b->background);
        }
    }
}

static size_t pattern_pitch(const struct cirrus_blt *b)
{
    return b->pixel_bytes > 2 ? PATTERN_PITCH : b->pixel_bytes * 8u;
}

static void pattern_line(const struct cirrus_blt *b, const uint8_t *pixels, struct line *l)
{
    size_t size = b->pixel_bytes, period = 8 * size, at = l->skip / size * size % period;
    for (size_t i = 0; i < l->n; i++) {
        l->src[i] = pixels[at];
        at = at + 1 == period ? 0 : at + 1;
    }
}

static bool solid(const struct cirrus_blt *b)
{
    const uint8_t kinds = MODE_TO_CPU | MODE_TRANSPARENT | MODE_PATTERN | MODE_EXPAND;
    return (b->extension & EXT_SOLID) && (b->mode & kinds) == (MODE_PATTERN | MODE_EXPAND);
}

/* The pattern's row, from video memory or as the CPU gave it. */
static void pattern_row(const struct cirrus_blt *b, const struct vga_core *c, uint8_t *row)
{
    size_t pitch = expands(b) ? 1 : pattern_pitch(b), offset = b->row * pitch;
    if (b->mode & MODE_FROM_CPU)
        memcpy(row, b->line + offset, pitch);
    else
        load(c, (b->src & ~(uint32_t)(pitch * PATTERN_LINES - 1)) + (uint32_t)offset, row, pitch);
}

/* `given` is the source's line, where the CPU gives it. */
static void make_line(const struct cirrus_blt *b, const struct vga_core *c, const uint8_t *given,
                      struct line *l)
{
    uint8_t bits[CIRRUS_BLT_LINE / 8 + 8], row[PATTERN_PITCH];
    l->skip = expands(b) || is_pattern(b) ? skip_bytes(b) : 0;
    l->n = b->width - l->skip;
    if (is_pattern(b)) {
        pattern_row(b, c, row);
        if (expands(b))
            expand_line(b, row, l);
        else
            pattern_line(b, row, l);
    } else if (expands(b)) {
        if (!given)
            load(c, b->src, bits, mono_bytes(b));
        expand_line(b, given ? given : bits, l);
    } else if (given) {
        memcpy(l->src, given, l->n);
    } else {
        load(c, b->src, l->src, l->n);
    }
}

/* Lines into video memory ------------------------------------------------------------------ */

static bool runs_backward(const struct cirrus_blt *b)
{
    const uint8_t others = MODE_TO_CPU | MODE_FROM_CPU | MODE_PATTERN | MODE_EXPAND;
    return (b->mode & (MODE_BACKWARD | others)) == MODE_BACKWARD;
}

static void write_line(const struct cirrus_blt *b, struct vga_core *c, const struct rop *rop,
                       const struct line *l, const uint8_t *src, uint32_t at)
{
    uint8_t copy[CIRRUS_BLT_LINE];
    bool whole = is_whole(c, at, l->n), backward = runs_backward(b);
    uint8_t *d = whole ? c->vram + (at & (c->vram_bytes - 1)) : copy;
    if (!whole)
        load(c, at, copy, l->n);
    if (has_mask(b))
        combine_masked(rop, src, l->mask, d, l->n);
    else if (b->mode & MODE_TRANSPARENT && !is_pattern(b))
        combine_keyed(rop, b, src, d, l->n, backward);
    else
        combine(rop, src, d, l->n, backward);
    if (!whole)
        store(c, at, copy, l->n);
}

static void next_line(struct cirrus_blt *b)
{
    b->dst += b->dst_step;
    b->row = (b->row + 1) & (PATTERN_LINES - 1);
    if (is_pattern(b))
        return;
    /* Monochrome lines follow each other, whatever the source's pitch. */
    b->src += expands(b) ? (uint32_t)mono_bytes(b) : b->src_step;
}

static void do_line(struct cirrus_blt *b, struct vga_core *c, const struct rop *rop,
                    const uint8_t *given)
{
    struct line l;
    bool backward = runs_backward(b);
    /* A backward one starts with the last byte of the last line. */
    uint32_t back = backward ? b->width - 1u : 0;
    if (!expands(b) && !is_pattern(b) && !given && is_whole(c, b->src - back, b->width)) {
        l.skip = 0;
        l.n = b->width;
        write_line(b, c, rop, &l, c->vram + ((b->src - back) & (c->vram_bytes - 1)), b->dst - back);
    } else {
        b->src -= back;
        make_line(b, c, given, &l);
        b->src += back;
        if (l.n)
            write_line(b, c, rop, &l, l.src, b->dst - back + (uint32_t)l.skip);
    }
    next_line(b);
}

/* The pages that `lines` lines reach, as one run if that is no ring. */
static void mark_lines(struct vga_core *c, uint32_t dst, uint32_t step, uint32_t lines,
                       uint32_t width)
{
    int64_t span = (int64_t)(int32_t)step * (int64_t)(lines - 1);
    int64_t at = dst & (c->vram_bytes - 1), first = span < 0 ? at + span : at;
    int64_t last = (span < 0 ? at : at + span) + width - 1;
    if (first < 0 || last >= c->vram_bytes)
        vga_memory_written(c, 0, c->vram_bytes - 1);
    else
        vga_memory_written(c, (uint64_t)first, (uint64_t)last);
}

static void do_all(struct cirrus_blt *b, struct vga_core *c)
{
    const struct rop rop = rop_of(b->rop);
    uint32_t back = runs_backward(b) ? b->width - 1u : 0;
    if (!b->lines)
        return;
    mark_lines(c, b->dst - back, b->dst_step, b->lines, b->width);
    for (; b->lines; b->lines--)
        do_line(b, c, &rop, NULL);
}

static void fill(struct cirrus_blt *b, struct vga_core *c)
{
    const struct rop rop = rop_of(b->rop);
    struct line l = {.n = b->width};
    for (size_t i = 0; i < b->width; i += b->pixel_bytes)
        put_pixel(l.src + i, b->foreground);
    mark_lines(c, b->dst, b->dst_step, b->lines, b->width);
    b->mode = 0; /* nothing but the colour counts */
    for (; b->lines; b->lines--, b->dst += b->dst_step)
        write_line(b, c, &rop, &l, l.src, b->dst);
}

/* The CPU's side --------------------------------------------------------------------------- */

static uint16_t unit_from_cpu(const struct cirrus_blt *b)
{
    size_t pixels = b->width / b->pixel_bytes;
    pixels = pixels ? pixels : 1;
    if (is_pattern(b))
        return (uint16_t)(PATTERN_LINES * (expands(b) ? 1 : pattern_pitch(b)));
    if (!expands(b))
        return (uint16_t)((b->width + 3u) & ~3u);
    return (uint16_t)(b->extension & EXT_DWORDS ? (pixels + 31) / 32 * 4 : (pixels + 7) / 8);
}

static void make_line_to_cpu(struct cirrus_blt *b, struct vga_core *c)
{
    const struct rop rop = rop_of(b->rop);
    struct line l;
    make_line(b, c, NULL, &l);
    memset(b->line, 0, b->unit);
    combine(&rop, l.src, b->line + l.skip, l.n, false);
    next_line(b);
    b->at = 0;
}

static uint32_t gr_address(const uint8_t *gr)
{
    return (uint32_t)(gr[0] | gr[1] << 8 | (gr[2] & 0x3F) << 16);
}

static uint32_t gr_word(const uint8_t *gr, uint8_t high_mask)
{
    return (uint32_t)(gr[0] | (gr[1] & high_mask) << 8);
}

static void latch(struct cirrus_blt *b, const uint8_t *gr)
{
    b->mode = gr[0x30];
    b->extension = gr[0x33];
    b->rop = gr[0x32];
    b->skip = gr[0x2F];
    b->pixel_bytes = (uint8_t)((b->mode >> 4 & 3) + 1);
    b->width = (uint16_t)(gr_word(gr + 0x20, 0x1F) + 1);
    b->lines = (uint16_t)(gr_word(gr + 0x22, 0x07) + 1);
    b->dst_step = gr_word(gr + 0x24, 0x1F);
    b->src_step = gr_word(gr + 0x26, 0x1F);
    b->dst = gr_address(gr + 0x28);
    b->src = gr_address(gr + 0x2C);
    b->background = (uint32_t)gr[0x00] | (uint32_t)gr[0x10] << 8 | (uint32_t)gr[0x12] << 16 |
                    (uint32_t)gr[0x14] << 24;
    b->foreground = (uint32_t)gr[0x01] | (uint32_t)gr[0x11] << 8 | (uint32_t)gr[0x13] << 16 |
                    (uint32_t)gr[0x15] << 24;
    b->key = (uint16_t)(gr[0x34] | gr[0x35] << 8);
    b->row = b->src & (PATTERN_LINES - 1);
    b->at = 0;
    if (runs_backward(b)) {
        b->dst_step = -b->dst_step;
        b->src_step = -b->src_step;
    }
}

void cirrus_blt_start(struct cirrus_blt *blt, struct vga_core *core, const uint8_t *gr)
{
    cirrus_blt_reset(blt);
    latch(blt, gr);
    /* Colours are compared in pixels of 8 and 16 bits only: GR34, GR35. */
    bool keyed = (blt->mode & (MODE_TRANSPARENT | MODE_EXPAND | MODE_PATTERN)) == MODE_TRANSPARENT;
    if (core->vram_reach < core->vram_bytes || (keyed && blt->pixel_bytes > 2))
        return;
    if (solid(blt)) {
        fill(blt, core);
    } else if (blt->mode & MODE_FROM_CPU) {
        blt->phase = CIRRUS_BLT_FROM_CPU;
        blt->unit = unit_from_cpu(blt);
    } else if (blt->mode & MODE_TO_CPU) {
        blt->phase = CIRRUS_BLT_TO_CPU;
        blt->unit = (uint16_t)((blt->width + 3u) & ~3u);
        make_line_to_cpu(blt, core);
    } else {
        do_all(blt, core);
    }
}

void cirrus_blt_reset(struct cirrus_blt *blt)
{
    blt->phase = CIRRUS_BLT_IDLE;
    blt->at = 0;
    blt->lines = 0;
}

/* A line's bytes, or those of the whole pattern, are there. */
static void unit_is_full(struct cirrus_blt *b, struct vga_core *c)
{
    b->at = 0;
    if (is_pattern(b)) {
        do_all(b, c);
    } else if (b->lines) {
        const struct rop rop = rop_of(b->rop);
        mark_written(c, b->dst, b->width);
        do_line(b, c, &rop, b->line);
        b->lines--;
    }
    if (!b->lines)
        cirrus_blt_reset(b);
}

void cirrus_blt_feed(struct cirrus_blt *blt, struct vga_core *core, const uint8_t *buf, size_t len)
{
    while (len && blt->phase == CIRRUS_BLT_FROM_CPU) {
        size_t n = blt->at < blt->unit ? (size_t)(blt->unit - blt->at) : 0;
        n = n < len ? n : len;
        memcpy(blt->line + blt->at, buf, n);
        blt->at = (uint16_t)(blt->at + n);
        buf += n;
        len -= n;
        if (blt->at >= blt->unit)
            unit_is_full(blt, core);
    }
}

void cirrus_blt_drain(struct cirrus_blt *blt, struct vga_core *core, uint8_t *buf, size_t len)
{
    memset(buf, 0xFF, len);
    while (len && blt->phase == CIRRUS_BLT_TO_CPU) {
        size_t n = blt->at < blt->unit ? (size_t)(blt->unit - blt->at) : 0;
        n = n < len ? n : len;
        memcpy(buf, blt->line + blt->at, n);
        blt->at = (uint16_t)(blt->at + n);
        buf += n;
        len -= n;
        if (blt->at < blt->unit)
            continue;
        if (blt->lines > 1) {
            blt->lines--;
            make_line_to_cpu(blt, core);
        } else {
            cirrus_blt_reset(blt);
        }
    }
}
