/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * term_filter: see term_filter.h. The states are those of ECMA-48 (5th edition, 5.4 and 8.3) and
 * DEC's terminals. libvterm 0.1.4, the one that Debian 12 has, must be protected from a guest: it
 * writes behind its table when a sequence has more than 16 parameters, reads behind its input when
 * a string's end is cut in two, lets parameters overflow, and keeps any number of combining
 * characters for one cell. So it gets no strings (OSC, DCS: nothing here needs them), no sequence
 * in parts, no margins left and right, and no double-width lines.
 */
#include "ui/term_filter.h"

#include <string.h>

enum { BEL = 0x07, BS, HT, LF, VT, FF, CR, SO, SI, CAN = 0x18, SUB = 0x1A, ESC, DEL = 0x7F };

enum phase {
    TEXT,
    ESCAPE,       /* ESC, and intermediate bytes */
    CONTROL,      /* ESC [, parameters and intermediate bytes */
    STRING,       /* until ST or BEL: skipped */
    STRING_ESCAPE /* ESC within one */
};

#define REPLACEMENT 0xFFFD

size_t term_utf8(uint32_t c, char out[4])
{
    static const uint8_t mark[] = {0, 0, 0xC0, 0xE0, 0xF0};
    size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = len; i-- > 1; c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3F));
    out[0] = (char)(len == 1 ? c : mark[len] | c);
    return len;
}

struct target {
    const struct term_filter_events *events;
    void *opaque;
};

static void say(const struct target *t, const char *bytes, size_t len)
{
    t->events->bytes(t->opaque, bytes, len);
}

/* ---- Characters outside of ASCII ---- */

/* A byte from 80h up (RFC 3629). */
static void high_byte(struct term_filter *f, const struct target *t, uint8_t c)
{
    if (c < 0xC0) { /* a continuation */
        if (!f->utf8_left) {
            t->events->character(t->opaque, REPLACEMENT);
            return;
        }
        f->utf8 = f->utf8 << 6 | (c & 0x3F);
        if (--f->utf8_left)
            return;
        bool bad = f->utf8 < f->utf8_least || f->utf8 > 0x10FFFF ||
                   (f->utf8 >= 0xD800 && f->utf8 < 0xE000) || f->utf8 < 0xA0;
        t->events->character(t->opaque, bad ? REPLACEMENT : f->utf8);
        return;
    }
    if (f->utf8_left || c >= 0xF8)
        t->events->character(t->opaque, REPLACEMENT);
    f->utf8_left = c >= 0xF8 ? 0 : c >= 0xF0 ? 3 : c >= 0xE0 ? 2 : 1;
    f->utf8 = c & (c >= 0xF0 ? 0x07 : c >= 0xE0 ? 0x0F : 0x1F);
    f->utf8_least = c >= 0xF0 ? 0x10000 : c >= 0xE0 ? 0x800 : 0x80;
}

/* ---- Sequences ---- */

static void collect(struct term_filter *f, uint8_t c)
{
    if (f->len < sizeof(f->sequence))
        f->sequence[f->len++] = (char)c;
    else
        f->drop = true;
}

static void begin(struct term_filter *f, enum phase phase)
{
    f->phase = (uint8_t)phase;
    f->len = f->digits = f->params = 0;
    f->drop = false;
    if (phase == ESCAPE)
        collect(f, ESC);
}

/* ESC, intermediate bytes, final: the ones of one cell's worth that the emulation knows. */
static bool known_escape(const struct term_filter *f, uint8_t final)
{
    if (f->len == 1) /* IND, NEL, HTS, RI; DECSC, DECRC, keypad modes, RIS, locking shifts */
        return strchr("DEHM78=>c", final) != NULL;
    /* Character sets ( ) * +, and the screen alignment pattern. */
    return f->len == 2 &&
           (strchr("()*+", f->sequence[1]) ? strchr("0ABCQRKYEZH=4567<", final) != NULL
                                           : f->sequence[1] == '#' && final == '8');
}

/* Is left and right margin mode (DECLRMM, 69) among the parameters? */
static bool sets_margins(const struct term_filter *f)
{
    for (unsigned i = 3; i + 1 < f->len; i++)
        if (f->sequence[i] == '6' && f->sequence[i + 1] == '9' &&
            !(f->sequence[i - 1] >= '1' && f->sequence[i - 1] <= '9') &&
            (i + 2 == f->len || f->sequence[i + 2] == ';'))
            return true;
    return false;
}

static bool known_control(const struct term_filter *f, uint8_t final)
{
    uint8_t leader = f->len > 2 ? (uint8_t)f->sequence[2] : 0;
    uint8_t last = f->len > 2 ? (uint8_t)f->sequence[f->len - 1] : 0;
    if (last >= 0x20 && last < 0x30)
        return f->len < 8 && ((last == '!' && final == 'p') || (last == ' ' && final == 'q'));
    if (leader == '?')
        return strchr("JKn", final) || (strchr("hl", final) && !sets_margins(f));
    if (leader == '>')
        return final == 'c';
    if (leader >= 0x3C && leader < 0x40)
        return false;
    return strchr("@ABCDEFGHIJKLMPSTXZ`acdefghjklmnr", final) != NULL;
}

static void end_escape(struct term_filter *f, const struct target *t, uint8_t c)
{
    f->phase = TEXT;
    if (f->drop || c == 0x7F || !known_escape(f, c))
        return;
    collect(f, c);
    if (!f->drop)
        say(t, f->sequence, f->len);
}

static void escape(struct term_filter *f, const struct target *t, uint8_t c)
{
    if (c < 0x30)
        collect(f, c);
    else if (f->len == 1 && c == '[') {
        collect(f, c);
        f->phase = CONTROL;
    } else if (f->len == 1 && strchr("P]X^_", c)) /* DCS, OSC, SOS, PM, APC */
        f->phase = STRING;
    else
        end_escape(f, t, c);
}

static void end_control(struct term_filter *f, const struct target *t, uint8_t c)
{
    f->phase = TEXT;
    if (f->drop)
        return;
    if (f->len == 2 && (c == 's' || c == 'u')) { /* the ANSI way to save and restore the cursor */
        say(t, c == 's' ? "\0337" : "\0338", 2);
        return;
    }
    if (!known_control(f, c))
        return;
    collect(f, c);
    if (!f->drop)
        say(t, f->sequence, f->len);
}

static void control(struct term_filter *f, const struct target *t, uint8_t c)
{
    if (c >= 0x40) {
        end_control(f, t, c);
        return;
    }
    if (c == ';' || c == ':') {
        f->digits = 0;
        f->drop = f->drop || ++f->params > TERM_PARAMS_MAX;
    } else if (c >= '0' && c <= '9' && ++f->digits > TERM_DIGITS_MAX) {
        f->digits = TERM_DIGITS_MAX;
        return;
    }
    collect(f, c);
}

/* A control character; within a sequence it acts at once, but for those that end that. */
static void c0(struct term_filter *f, const struct target *t, uint8_t c)
{
    const char byte = (char)c;
    if (c == ESC) {
        if (f->phase == STRING)
            f->phase = STRING_ESCAPE;
        else
            begin(f, ESCAPE);
    } else if (c == CAN || c == SUB)
        f->phase = TEXT;
    else if (f->phase == STRING || f->phase == STRING_ESCAPE)
        f->phase = c == BEL ? TEXT : STRING;
    else if (c >= BEL && c <= SI)
        say(t, &byte, 1);
}

static void other(struct term_filter *f, const struct target *t, uint8_t c)
{
    switch ((enum phase)f->phase) {
    case TEXT:
        break;
    case ESCAPE:
        escape(f, t, c);
        break;
    case CONTROL:
        control(f, t, c);
        break;
    case STRING:
        break;
    case STRING_ESCAPE:
        if (c == '\\') {
            f->phase = TEXT;
        } else { /* the string was cut off by another sequence */
            begin(f, ESCAPE);
            escape(f, t, c);
        }
        break;
    }
}

void term_filter_feed(struct term_filter *f, const uint8_t *buf, size_t len,
                      const struct term_filter_events *events, void *opaque)
{
    const struct target t = {events, opaque};
    for (size_t i = 0; i < len; i++) {
        uint8_t c = buf[i];
        if (f->utf8_left && (c < 0x80 || c >= 0xC0)) {
            f->utf8_left = 0;
            events->character(opaque, REPLACEMENT);
        }
        if (c < 0x20) {
            c0(f, &t, c);
        } else if (f->phase == TEXT && c < DEL) {
            size_t start = i;
            while (i + 1 < len && buf[i + 1] >= 0x20 && buf[i + 1] < DEL)
                i++;
            say(&t, (const char *)buf + start, i + 1 - start);
        } else if (f->phase == TEXT && c > DEL) {
            high_byte(f, &t, c);
        } else if (c > DEL && f->phase != STRING) {
            f->phase = f->phase == STRING_ESCAPE ? STRING : TEXT;
        } else if (c != DEL) {
            other(f, &t, c);
        }
    }
}
