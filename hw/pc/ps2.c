/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ps2: the PS/2 keyboard and mouse as their host sees them; see ps2.h. */
#include "hw/pc/ps2.h"

#include <string.h>

#include <linux/input-event-codes.h>

#include "hw/pc/ps2_keys.h"
#include "ui/input.h"

#define ACK    0xFA
#define RESEND 0xFE

/* The link: answers */

static const struct state_field link_state[] = {
    STATE_ARRAY(struct ps2_link, reply),
    STATE_LIMIT(struct ps2_link, reply_first, PS2_REPLY_SIZE - 1),
    STATE_LIMIT(struct ps2_link, reply_count, PS2_REPLY_SIZE),
    STATE_UINT(struct ps2_link, last),
    STATE_UINT(struct ps2_link, pending),
    STATE_FIELDS_END,
};

bool ps2_link_answers(const struct ps2_link *link)
{
    return link->reply_count > 0;
}

static void link_clear(struct ps2_link *link)
{
    link->reply_first = 0;
    link->reply_count = 0;
}

static void answer(struct ps2_link *link, uint8_t byte)
{
    if (link->reply_count < PS2_REPLY_SIZE) {
        link->reply[(link->reply_first + link->reply_count) % PS2_REPLY_SIZE] = byte;
        link->reply_count++;
    }
}

static uint8_t link_take(struct ps2_link *link)
{
    link->last = link->reply[link->reply_first];
    link->reply_first = (link->reply_first + 1) % PS2_REPLY_SIZE;
    link->reply_count--;
    return link->last;
}

static void link_ready(struct ps2_link *link)
{
    if (link->ready)
        link->ready(link->opaque);
}

/* The keyboard */

enum keyboard_command {
    KBD_SET_LEDS = 0xED,
    KBD_ECHO = 0xEE,
    KBD_SCAN_SET = 0xF0,
    KBD_READ_ID = 0xF2,
    KBD_TYPEMATIC = 0xF3,
    KBD_ENABLE = 0xF4,
    KBD_DISABLE = 0xF5,
    KBD_DEFAULTS = 0xF6,
    KBD_ALL_TYPEMATIC = 0xF7,
    KBD_ALL_MAKE_BREAK = 0xF8,
    KBD_ALL_MAKE = 0xF9,
    KBD_ALL_BOTH = 0xFA,
    KBD_KEY_TYPEMATIC = 0xFB,
    KBD_KEY_MAKE_BREAK = 0xFC,
    KBD_KEY_MAKE = 0xFD,
    KBD_RESEND = 0xFE,
    KBD_RESET = 0xFF,
};

#define TYPEMATIC_DEFAULT 0x2B /* 500 ms, 10.9 characters a second */

/* How a Print key that went down was reported: its release has to match. */
enum print_form { PRINT_SHIFTED, PRINT_BARE, PRINT_SYSRQ };

const struct state_field ps2_keyboard_state[] = {
    STATE_STRUCT(struct ps2_keyboard, link, link_state),
    STATE_ARRAY(struct ps2_keyboard, queue),
    STATE_LIMIT(struct ps2_keyboard, first, PS2_QUEUE_SIZE - 1),
    STATE_LIMIT(struct ps2_keyboard, count, PS2_QUEUE_SIZE),
    STATE_LIMIT(struct ps2_keyboard, scan_set, 3, .min = 1, .reset = 2),
    STATE_BOOL(struct ps2_keyboard, scanning, .reset = 1),
    STATE_LIMIT(struct ps2_keyboard, leds, 7),
    STATE_LIMIT(struct ps2_keyboard, typematic, 0x7F, .reset = TYPEMATIC_DEFAULT),
    STATE_LIMIT(struct ps2_keyboard, print_form, PRINT_SYSRQ),
    STATE_ARRAY(struct ps2_keyboard, down),
    STATE_ARRAY(struct ps2_keyboard, owed),
    STATE_ARRAY(struct ps2_keyboard, breaks),
    STATE_ARRAY(struct ps2_keyboard, repeats),
    STATE_FIELDS_END,
};

static bool key_in(const uint64_t *set, unsigned key)
{
    return set[key / 64] >> (key % 64) & 1;
}

static void key_put(uint64_t *set, unsigned key, bool on)
{
    uint64_t bit = UINT64_C(1) << (key % 64);
    set[key / 64] = on ? set[key / 64] | bit : set[key / 64] & ~bit;
}

static bool code_in(const uint8_t *set, uint8_t code)
{
    return code < PS2_SET3_CODES && (set[code / 8] >> (code % 8) & 1);
}

static void code_put(uint8_t *set, uint8_t code, bool on)
{
    uint8_t bit = (uint8_t)(1 << (code % 8));
    if (code < PS2_SET3_CODES)
        set[code / 8] = (uint8_t)(on ? set[code / 8] | bit : set[code / 8] & ~bit);
}

static void set_all_types(struct ps2_keyboard *k, bool breaks, bool repeats)
{
    memset(k->breaks, breaks ? 0xFF : 0, sizeof(k->breaks));
    memset(k->repeats, repeats ? 0xFF : 0, sizeof(k->repeats));
}

static void set_leds(struct ps2_keyboard *k, uint8_t leds)
{
    k->leds = leds;
    if (k->input)
        input_set_leds(k->input, leds);
}

/* In set 3 only the modifiers of the main block send break codes until told otherwise. */
static void default_types(struct ps2_keyboard *k)
{
    static const uint8_t make_break[] = {0x11, 0x12, 0x14, 0x19, 0x59};
    set_all_types(k, false, true);
    for (unsigned i = 0; i < sizeof(make_break); i++) {
        code_put(k->breaks, make_break[i], true);
        code_put(k->repeats, make_break[i], false);
    }
}

static void queue_clear(struct ps2_keyboard *k)
{
    k->first = 0;
    k->count = 0;
}

static void keyboard_defaults(struct ps2_keyboard *k)
{
    queue_clear(k);
    k->scan_set = 2;
    k->typematic = TYPEMATIC_DEFAULT;
    default_types(k);
}

/* All or nothing: a code cut in half would be another key. */
static bool enqueue(struct ps2_keyboard *k, const uint8_t *bytes, unsigned len)
{
    if (len > (unsigned)PS2_QUEUE_SIZE - k->count)
        return false;
    for (unsigned i = 0; i < len; i++)
        k->queue[(k->first + k->count + i) % PS2_QUEUE_SIZE] = bytes[i];
    k->count = (uint16_t)(k->count + len);
    return true;
}

/* A set 2 code of one key, make or break, at out; returns its length. */
static unsigned put_code(uint8_t *out, uint16_t code, bool make)
{
    unsigned n = 0;
    if (code >> 8)
        out[n++] = (uint8_t)(code >> 8);
    if (!make)
        out[n++] = 0xF0;
    out[n++] = (uint8_t)code;
    return n;
}

static bool either(const struct ps2_keyboard *k, unsigned a, unsigned b)
{
    return key_in(k->down, a) || key_in(k->down, b);
}

/* Print sends a shift of its own unless Shift or Ctrl is held, and is another key with Alt. */
static unsigned print_sequence(struct ps2_keyboard *k, uint8_t *out, bool make, bool repeat)
{
    unsigned n = 0;
    if (make && !repeat) {
        if (either(k, KEY_LEFTALT, KEY_RIGHTALT))
            k->print_form = PRINT_SYSRQ;
        else if (either(k, KEY_LEFTCTRL, KEY_RIGHTCTRL) || either(k, KEY_LEFTSHIFT, KEY_RIGHTSHIFT))
            k->print_form = PRINT_BARE;
        else
            k->print_form = PRINT_SHIFTED;
    }
    if (k->print_form == PRINT_SYSRQ)
        return put_code(out, 0x84, make);
    if (k->print_form == PRINT_SHIFTED && make && !repeat)
        n += put_code(out, 0xE012, true);
    n += put_code(out + n, 0xE07C, make);
    if (k->print_form == PRINT_SHIFTED && !make)
        n += put_code(out + n, 0xE012, false);
    return n;
}

/* Pause sends its make and break at once, and nothing when it is released. */
static unsigned pause_sequence(const struct ps2_keyboard *k, uint8_t *out, bool make, bool repeat)
{
    static const uint8_t alone[] = {0xE1, 0x14, 0x77, 0xE1, 0xF0, 0x14, 0xF0, 0x77};
    if (!make || repeat)
        return 0;
    if (either(k, KEY_LEFTCTRL, KEY_RIGHTCTRL)) {
        unsigned n = put_code(out, 0xE07E, true);
        return n + put_code(out + n, 0xE07E, false);
    }
    memcpy(out, alone, sizeof(alone));
    return sizeof(alone);
}

static unsigned set1_from_set2(uint8_t *bytes, unsigned len)
{
    unsigned n = 0;
    uint8_t released = 0;
    for (unsigned i = 0; i < len; i++) {
        if (bytes[i] == 0xF0) {
            released = 0x80;
        } else {
            bytes[n++] = ps2_translate(bytes[i]) | released;
            released = 0;
        }
    }
    return n;
}

#define SEQUENCE_MAX 10

static unsigned sequence(struct ps2_keyboard *k, unsigned key, bool make, bool repeat,
                         uint8_t out[SEQUENCE_MAX])
{
    unsigned n;
    if (k->scan_set == 3) {
        uint8_t code = ps2_set3_code(key);
        bool wanted = make ? !repeat || code_in(k->repeats, code) : code_in(k->breaks, code);
        return code && wanted ? put_code(out, code, make) : 0;
    }
    if (key == KEY_PAUSE)
        n = pause_sequence(k, out, make, repeat);
    else if (key == KEY_SYSRQ)
        n = print_sequence(k, out, make, repeat);
    else if ((key == KEY_HANGEUL || key == KEY_HANJA) && !make)
        n = 0; /* these two have no break code */
    else
        n = put_code(out, ps2_set2_code(key), make);
    return k->scan_set == 1 ? set1_from_set2(out, n) : n;
}

static bool send_key(struct ps2_keyboard *k, unsigned key, bool make, bool repeat)
{
    uint8_t bytes[SEQUENCE_MAX];
    return enqueue(k, bytes, sequence(k, key, make, repeat, bytes));
}

/* Sends the releases that had found no room, as far as there is some now. */
static void pay_owed(struct ps2_keyboard *k)
{
    if (!k->scanning)
        return;
    for (unsigned w = 0; w < PS2_KEYS / 64; w++) {
        while (k->owed[w]) {
            unsigned key = w * 64 + (unsigned)__builtin_ctzll(k->owed[w]);
            if (!send_key(k, key, false, false))
                return;
            key_put(k->owed, key, false);
        }
    }
}

void ps2_keyboard_key(struct ps2_keyboard *k, unsigned key, bool down)
{
    bool repeat, was_empty = k->count == 0;
    if (!ps2_set2_code(key))
        return;
    repeat = down && key_in(k->down, key);
    if (!down) {
        /* A key whose press the guest never got needs no release. */
        if (!key_in(k->down, key))
            return;
        key_put(k->down, key, false);
        if (!k->scanning || !send_key(k, key, false, false))
            key_put(k->owed, key, true);
    } else {
        if (!k->scanning || (repeat && k->count >= PS2_REPEAT_ROOM))
            return;
        pay_owed(k);
        if (key_in(k->owed, key) || !send_key(k, key, true, repeat))
            return;
        key_put(k->down, key, true);
    }
    if (was_empty && k->count)
        link_ready(&k->link);
}

static void keyboard_parameter(struct ps2_keyboard *k, uint8_t command, uint8_t byte)
{
    struct ps2_link *link = &k->link;
    bool valid = true;
    switch (command) {
    case KBD_SET_LEDS:
        set_leds(k, byte & 7);
        break;
    case KBD_TYPEMATIC:
        k->typematic = byte & 0x7F;
        break;
    case KBD_SCAN_SET:
        if (byte > 3) {
            valid = false;
            break;
        }
        answer(link, ACK);
        if (byte == 0)
            answer(link, k->scan_set);
        else
            k->scan_set = byte;
        if (byte)
            queue_clear(k);
        return;
    case KBD_KEY_TYPEMATIC:
    case KBD_KEY_MAKE_BREAK:
    case KBD_KEY_MAKE:
        code_put(k->repeats, byte, command == KBD_KEY_TYPEMATIC);
        code_put(k->breaks, byte, command == KBD_KEY_MAKE_BREAK);
        link->pending = command; /* a list, ended by the next command */
        break;
    default: /* loaded state may say anything */
        valid = false;
        break;
    }
    answer(link, valid ? ACK : RESEND);
}

void ps2_keyboard_write(struct ps2_keyboard *k, uint8_t byte)
{
    struct ps2_link *link = &k->link;
    uint8_t command = link->pending;
    link->pending = 0;
    link_clear(link);
    /* "If a command is received in place of the option byte, it is executed." */
    if (command && byte < KBD_SET_LEDS) {
        keyboard_parameter(k, command, byte);
        return;
    }
    switch (byte) {
    case KBD_ECHO:
        answer(link, KBD_ECHO);
        return;
    case KBD_RESEND:
        answer(link, link->last);
        return;
    case KBD_SET_LEDS:
    case KBD_SCAN_SET:
    case KBD_TYPEMATIC:
    case KBD_KEY_TYPEMATIC:
    case KBD_KEY_MAKE_BREAK:
    case KBD_KEY_MAKE:
        link->pending = byte;
        answer(link, ACK);
        return;
    case KBD_READ_ID:
        answer(link, ACK);
        answer(link, 0xAB);
        answer(link, 0x83);
        return;
    case KBD_ENABLE:
        queue_clear(k);
        k->scanning = true;
        pay_owed(k);
        break;
    case KBD_DISABLE:
        keyboard_defaults(k);
        k->scanning = false;
        break;
    case KBD_DEFAULTS:
        keyboard_defaults(k);
        break;
    case KBD_ALL_TYPEMATIC:
        set_all_types(k, false, true);
        break;
    case KBD_ALL_MAKE_BREAK:
        set_all_types(k, true, false);
        break;
    case KBD_ALL_MAKE:
        set_all_types(k, false, false);
        break;
    case KBD_ALL_BOTH:
        set_all_types(k, true, true);
        break;
    case KBD_RESET:
        keyboard_defaults(k);
        memset(k->down, 0, sizeof(k->down));
        memset(k->owed, 0, sizeof(k->owed));
        k->scanning = true;
        set_leds(k, 0);
        answer(link, ACK);
        answer(link, 0xAA); /* basic assurance test passed */
        return;
    default:
        answer(link, RESEND);
        return;
    }
    answer(link, ACK);
}

bool ps2_keyboard_pending(const struct ps2_keyboard *k)
{
    return k->link.reply_count || k->count;
}

uint8_t ps2_keyboard_take(struct ps2_keyboard *k)
{
    if (k->link.reply_count)
        return link_take(&k->link);
    if (k->count) {
        k->link.last = k->queue[k->first];
        k->first = (k->first + 1) % PS2_QUEUE_SIZE;
        k->count--;
        pay_owed(k);
    }
    return k->link.last;
}

void ps2_keyboard_init(struct ps2_keyboard *k, struct input *input, void (*ready)(void *opaque),
                       void *opaque)
{
    k->input = input;
    k->link.ready = ready;
    k->link.opaque = opaque;
}

void ps2_keyboard_after_reset(struct ps2_keyboard *k)
{
    default_types(k);
    set_leds(k, 0);
}

bool ps2_keyboard_loaded(struct ps2_keyboard *k, struct err *err)
{
    for (unsigned key = 0; key < PS2_KEYS; key++)
        if ((key_in(k->down, key) || key_in(k->owed, key)) && !ps2_set2_code(key))
            return err_set(err, "keyboard: key %u is down, but there is no such key", key);
    set_leds(k, k->leds);
    return true;
}

/* The mouse */

enum mouse_command {
    MOUSE_SCALE_1_1 = 0xE6,
    MOUSE_SCALE_2_1 = 0xE7,
    MOUSE_RESOLUTION = 0xE8,
    MOUSE_STATUS = 0xE9,
    MOUSE_STREAM = 0xEA,
    MOUSE_READ_DATA = 0xEB,
    MOUSE_RESET_WRAP = 0xEC,
    MOUSE_SET_WRAP = 0xEE,
    MOUSE_REMOTE = 0xF0,
    MOUSE_READ_ID = 0xF2,
    MOUSE_RATE = 0xF3,
    MOUSE_ENABLE = 0xF4,
    MOUSE_DISABLE = 0xF5,
    MOUSE_DEFAULTS = 0xF6,
    MOUSE_RESEND = 0xFE,
    MOUSE_RESET = 0xFF,
};

enum { MOUSE_PLAIN = 0, MOUSE_WHEEL = 3, MOUSE_FIVE_BUTTONS = 4 };

#define SAMPLE_MAX         0x7FFF /* counts of movement that wait at most */
#define RATE_DEFAULT       100
#define RESOLUTION_DEFAULT 2

static const struct state_field sample_state[] = {
    STATE_UINT(struct ps2_sample, dx),
    STATE_UINT(struct ps2_sample, dy),
    STATE_UINT(struct ps2_sample, dz),
    STATE_LIMIT(struct ps2_sample, buttons, 0x1F),
    STATE_FIELDS_END,
};

const struct state_field ps2_mouse_state[] = {
    STATE_STRUCT(struct ps2_mouse, link, link_state),
    STATE_ARRAY(struct ps2_mouse, packet),
    STATE_LIMIT(struct ps2_mouse, packet_first, 4),
    STATE_LIMIT(struct ps2_mouse, packet_count, 4),
    STATE_STRUCTS(struct ps2_mouse, samples, sample_state),
    STATE_LIMIT(struct ps2_mouse, first, PS2_SAMPLES - 1),
    STATE_LIMIT(struct ps2_mouse, count, PS2_SAMPLES),
    STATE_LIMIT(struct ps2_mouse, buttons, 0x1F),
    STATE_UINT(struct ps2_mouse, rate, .reset = RATE_DEFAULT),
    STATE_LIMIT(struct ps2_mouse, resolution, 3, .reset = RESOLUTION_DEFAULT),
    STATE_ARRAY(struct ps2_mouse, knock),
    STATE_LIMIT(struct ps2_mouse, id, MOUSE_FIVE_BUTTONS),
    STATE_BOOL(struct ps2_mouse, reporting),
    STATE_BOOL(struct ps2_mouse, remote),
    STATE_BOOL(struct ps2_mouse, wrap),
    STATE_BOOL(struct ps2_mouse, scaling),
    STATE_FIELDS_END,
};

static int32_t clamp(int32_t v, int32_t low, int32_t high)
{
    return v < low ? low : v > high ? high : v;
}

static bool streaming(const struct ps2_mouse *m)
{
    return m->reporting && !m->remote && !m->wrap;
}

static void forget_movement(struct ps2_mouse *m)
{
    m->packet_first = m->packet_count = 0;
    m->first = m->count = 0;
}

static void mouse_defaults(struct ps2_mouse *m)
{
    m->rate = RATE_DEFAULT;
    m->resolution = RESOLUTION_DEFAULT;
    m->reporting = m->remote = m->scaling = false;
}

void ps2_mouse_move(struct ps2_mouse *m, int x, int y, int wheel, unsigned buttons)
{
    bool was_pending = ps2_mouse_pending(m);
    struct ps2_sample *s;
    buttons &= 0x1F;
    if (!m->remote && !streaming(m)) {
        m->buttons = (uint8_t)buttons;
        return;
    }
    x = clamp(x, -SAMPLE_MAX, SAMPLE_MAX);
    y = clamp(y, -SAMPLE_MAX, SAMPLE_MAX);
    wheel = clamp(wheel, -SAMPLE_MAX, SAMPLE_MAX);
    if (!x && !y && !wheel && m->buttons == buttons)
        return;
    m->buttons = (uint8_t)buttons;

    /* Movement joins what waits with the same buttons; when there is no room for another change of
     * buttons, the last one takes the new state, so that the guest ends with the right one. */
    s = &m->samples[(m->first + m->count + PS2_SAMPLES - 1) % PS2_SAMPLES];
    if (!m->count || (s->buttons != buttons && m->count < PS2_SAMPLES && !m->remote)) {
        s = &m->samples[(m->first + m->count++) % PS2_SAMPLES];
        memset(s, 0, sizeof(*s));
    }
    s->dx = clamp(s->dx + x, -SAMPLE_MAX, SAMPLE_MAX);
    s->dy = clamp(s->dy - y, -SAMPLE_MAX, SAMPLE_MAX);
    s->dz = clamp(s->dz - wheel, -SAMPLE_MAX, SAMPLE_MAX);
    s->buttons = (uint8_t)buttons;
    if (!was_pending && ps2_mouse_pending(m))
        link_ready(&m->link);
}

/* 2:1 scaling of stream mode: 1 1 3 6 9, then doubled (section "Mouse", Set Scaling 2:1). */
static int32_t scaled(int32_t v)
{
    static const uint8_t small[] = {0, 1, 1, 3, 6, 9};
    int32_t size = v < 0 ? -v : v;
    size = size < 6 ? small[size] : 2 * size;
    return v < 0 ? -size : size;
}

/* Takes from *counts what one packet can carry. */
static int32_t portion(int32_t *counts, int32_t most)
{
    int32_t part = clamp(*counts, -most, most);
    *counts -= part;
    return part;
}

/* Puts the next packet of a sample at out and leaves in it what did not fit; returns the length. */
static unsigned make_packet(const struct ps2_mouse *m, struct ps2_sample *s, bool stream,
                            uint8_t out[4])
{
    bool scale = stream && m->scaling;
    int32_t dx = portion(&s->dx, scale ? 127 : 255);
    int32_t dy = portion(&s->dy, scale ? 127 : 255);
    if (scale) {
        dx = scaled(dx);
        dy = scaled(dy);
    }
    out[0] = (uint8_t)((s->buttons & INPUT_BUTTON_LEFT ? 0x01 : 0) |
                       (s->buttons & INPUT_BUTTON_RIGHT ? 0x02 : 0) |
                       (s->buttons & INPUT_BUTTON_MIDDLE ? 0x04 : 0) | 0x08 | (dx < 0 ? 0x10 : 0) |
                       (dy < 0 ? 0x20 : 0));
    out[1] = (uint8_t)dx;
    out[2] = (uint8_t)dy;
    if (m->id == MOUSE_PLAIN) {
        s->dz = 0;
        return 3;
    }
    out[3] = (uint8_t)portion(&s->dz, 7);
    if (m->id == MOUSE_FIVE_BUTTONS)
        out[3] = (uint8_t)((out[3] & 0x0F) | (s->buttons & INPUT_BUTTON_SIDE ? 0x10 : 0) |
                           (s->buttons & INPUT_BUTTON_EXTRA ? 0x20 : 0));
    return 4;
}

bool ps2_mouse_pending(const struct ps2_mouse *m)
{
    return m->link.reply_count || m->packet_count || (m->count && streaming(m));
}

uint8_t ps2_mouse_take(struct ps2_mouse *m)
{
    if (m->link.reply_count)
        return link_take(&m->link);
    if (!m->packet_count && m->count && streaming(m)) {
        struct ps2_sample *s = &m->samples[m->first];
        m->packet_first = 0;
        m->packet_count = (uint8_t)make_packet(m, s, true, m->packet);
        if (!s->dx && !s->dy && !s->dz) {
            m->first = (m->first + 1) % PS2_SAMPLES;
            m->count--;
        }
    }
    if (m->packet_count) {
        m->link.last = m->packet[m->packet_first++];
        m->packet_count--;
    }
    return m->link.last;
}

/* Read Data: everything since the last packet in one, with overflow bits if it doesn't fit. */
static void answer_data(struct ps2_mouse *m, struct ps2_sample *s)
{
    uint8_t packet[4];
    unsigned len;
    bool too_far = s->dx < -255 || s->dx > 255, too_high = s->dy < -255 || s->dy > 255;
    len = make_packet(m, s, false, packet);
    packet[0] |= (uint8_t)((too_far ? 0x40 : 0) | (too_high ? 0x80 : 0));
    for (unsigned i = 0; i < len; i++)
        answer(&m->link, packet[i]);
}

/* The two knocks of Microsoft's wheel mice are sequences of sample rates. */
static void set_rate(struct ps2_mouse *m, uint8_t rate)
{
    m->rate = rate;
    m->knock[0] = m->knock[1];
    m->knock[1] = m->knock[2];
    m->knock[2] = rate;
    if (m->knock[0] == 200 && m->knock[1] == 100 && m->knock[2] == 80)
        m->id = MOUSE_WHEEL;
    else if (m->knock[0] == 200 && m->knock[1] == 200 && m->knock[2] == 80)
        m->id = MOUSE_FIVE_BUTTONS;
}

static void answer_status(struct ps2_mouse *m)
{
    answer(&m->link,
           (uint8_t)((m->remote ? 0x40 : 0) | (m->reporting ? 0x20 : 0) | (m->scaling ? 0x10 : 0) |
                     (m->buttons & INPUT_BUTTON_LEFT ? 0x04 : 0) |
                     (m->buttons & INPUT_BUTTON_MIDDLE ? 0x02 : 0) |
                     (m->buttons & INPUT_BUTTON_RIGHT ? 0x01 : 0)));
    answer(&m->link, m->resolution);
    answer(&m->link, m->rate);
}

void ps2_mouse_write(struct ps2_mouse *m, uint8_t byte)
{
    struct ps2_link *link = &m->link;
    struct ps2_sample data = m->count ? m->samples[m->first] : (struct ps2_sample){0};
    uint8_t command = link->pending;
    link->pending = 0;
    link_clear(link);
    if (byte == MOUSE_RESEND) {
        answer(link, link->last);
        return;
    }
    /* Any command ends the packet under way and resets the counters. */
    forget_movement(m);
    if (m->wrap && byte != MOUSE_RESET_WRAP && byte != MOUSE_RESET) {
        answer(link, byte);
        return;
    }
    if (command && byte < MOUSE_SCALE_1_1) {
        if (command == MOUSE_RATE)
            set_rate(m, byte);
        else if (command == MOUSE_RESOLUTION)
            m->resolution = byte & 3;
        answer(link, ACK);
        return;
    }
    switch (byte) {
    case MOUSE_SCALE_1_1:
        m->scaling = false;
        break;
    case MOUSE_SCALE_2_1:
        m->scaling = true;
        break;
    case MOUSE_RESOLUTION:
    case MOUSE_RATE:
        link->pending = byte;
        break;
    case MOUSE_STATUS:
        answer(link, ACK);
        answer_status(m);
        return;
    case MOUSE_STREAM:
        m->remote = false;
        break;
    case MOUSE_READ_DATA:
        answer(link, ACK);
        data.buttons = m->buttons;
        answer_data(m, &data);
        return;
    case MOUSE_RESET_WRAP:
        m->wrap = false;
        break;
    case MOUSE_SET_WRAP:
        m->wrap = true;
        break;
    case MOUSE_REMOTE:
        m->remote = true;
        break;
    case MOUSE_READ_ID:
        answer(link, ACK);
        answer(link, m->id);
        return;
    case MOUSE_ENABLE:
        m->reporting = true;
        break;
    case MOUSE_DISABLE:
        m->reporting = false;
        break;
    case MOUSE_DEFAULTS:
        mouse_defaults(m);
        break;
    case MOUSE_RESET:
        mouse_defaults(m);
        memset(m->knock, 0, sizeof(m->knock));
        m->wrap = false;
        m->id = MOUSE_PLAIN;
        answer(link, ACK);
        answer(link, 0xAA);
        answer(link, m->id);
        return;
    default:
        answer(link, RESEND);
        return;
    }
    answer(link, ACK);
}

void ps2_mouse_init(struct ps2_mouse *m, void (*ready)(void *opaque), void *opaque)
{
    m->link.ready = ready;
    m->link.opaque = opaque;
}

static bool beyond(int32_t counts)
{
    return counts < -SAMPLE_MAX || counts > SAMPLE_MAX;
}

bool ps2_mouse_loaded(struct ps2_mouse *m, struct err *err)
{
    if (m->packet_first + m->packet_count > 4)
        return err_set(err, "mouse: a packet of %u bytes", m->packet_first + m->packet_count);
    for (unsigned i = 0; i < PS2_SAMPLES; i++) {
        const struct ps2_sample *s = &m->samples[i];
        if (beyond(s->dx) || beyond(s->dy) || beyond(s->dz))
            return err_set(err, "mouse: movement out of range");
    }
    return true;
}
