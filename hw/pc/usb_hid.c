/* SPDX-License-Identifier: GPL-2.0-or-later */
/* usb_hid: tablet, mouse and keyboard (see usb_hid.h). Section numbers are those of HID 1.11. */
#include "hw/pc/usb_hid.h"

#include <stdlib.h>
#include <string.h>

#include "ui/hid_keys.h"
#include "ui/input.h"

/* Class requests (7.2) and descriptors (7.1) */
enum {
    GET_REPORT = 1,
    GET_IDLE = 2,
    GET_PROTOCOL = 3,
    SET_REPORT = 9,
    SET_IDLE = 10,
    SET_PROTOCOL = 11
};
enum { DESCRIPTOR_HID = 0x21, DESCRIPTOR_REPORT = 0x22 };
enum { REPORT_INPUT = 1, REPORT_OUTPUT = 2 };
enum { PROTOCOL_BOOT, PROTOCOL_REPORT };

#define IDLE_UNIT            (4 * NS_PER_MS)
#define KEYBOARD_IDLE        125 /* 7.2.4: 500 ms; a pointer's is infinite */
#define QUEUE_SIZE           64  /* key transitions not yet reported */
#define SAMPLES              16  /* button changes not yet reported */
#define USAGES               256
#define MODIFIERS            0xE0 /* ..E7 */
#define ROLL_OVER            0x01 /* in each place: more keys than places (appendix C) */
#define KEY_PLACES           6
#define TABLET_MAX           0x7FFF
#define LEDS_NUM_CAPS_SCROLL 0x07

/* Movement with constant buttons, waiting to be reported. */
struct sample {
    int32_t x, y;    /* mouse: to the right and down so far; tablet: where it is */
    int32_t wheel;   /* notches away from the user */
    uint8_t buttons; /* INPUT_BUTTON_* are in the reports' order but for the middle */
};

struct usb_hid {
    struct usb_device usb;
    enum usb_hid_kind kind;
    struct clock *clock;
    struct input *input;
    struct timer idle_timer; /* an unchanged report is due (7.2.4) */
    uint64_t reported_at;
    struct input_keyboard keyboard;
    struct input_pointer pointer;

    /* Saved */
    uint8_t protocol, idle;
    /* pointers */
    struct sample samples[SAMPLES];
    uint8_t first, count;
    int32_t x, y;    /* reported last, of a tablet */
    uint8_t buttons; /* reported last */
    /* keyboard: what the host holds, what the guest was told, and the way from one to the other.
     * Transitions that found no room in the queue are made up for when it is empty. */
    uint8_t held[USAGES / 8], told[USAGES / 8];
    uint8_t queue[QUEUE_SIZE]; /* usages that change, in order */
    uint8_t queue_first, queue_count;
    uint8_t leds; /* bits as in the report: Num, Caps, Scroll Lock, Compose, Kana */
};

static const struct state_field sample_state[] = {
    STATE_UINT(struct sample, x),
    STATE_UINT(struct sample, y),
    STATE_UINT(struct sample, wheel),
    STATE_LIMIT(struct sample, buttons, 0x1F),
    STATE_FIELDS_END,
};

static const struct state_field hid_state[] = {
    STATE_USB(struct usb_hid),
    STATE_LIMIT(struct usb_hid, protocol, PROTOCOL_REPORT, .reset = PROTOCOL_REPORT),
    STATE_UINT(struct usb_hid, idle),
    STATE_STRUCTS(struct usb_hid, samples, sample_state),
    STATE_LIMIT(struct usb_hid, first, SAMPLES - 1),
    STATE_LIMIT(struct usb_hid, count, SAMPLES),
    STATE_UINT(struct usb_hid, x),
    STATE_UINT(struct usb_hid, y),
    STATE_LIMIT(struct usb_hid, buttons, 0x1F),
    STATE_ARRAY(struct usb_hid, held),
    STATE_ARRAY(struct usb_hid, told),
    STATE_ARRAY(struct usb_hid, queue),
    STATE_LIMIT(struct usb_hid, queue_first, QUEUE_SIZE - 1),
    STATE_LIMIT(struct usb_hid, queue_count, QUEUE_SIZE),
    STATE_LIMIT(struct usb_hid, leds, 0x1F),
    STATE_FIELDS_END,
};

/* ---- Descriptors -------------------------------------------------------------------------------
 * Fixed for good: a guest knows a device by them, also after it was moved to a later version.
 */

#define DEVICE_DESCRIPTOR(vendor, product)                                             \
    {                                                                                  \
        18, USB_DESCRIPTOR_DEVICE, 0x10, 0x01, 0, 0, 0, USB_MAX_PACKET, (vendor)&0xFF, \
            (vendor) >> 8, (product)&0xFF, (product) >> 8, 0x00, 0x00, 1, 2, 0, 1      \
    }

/* Vendor and product as the stock model's: see docs/devices/usb.md. */
static const uint8_t device_descriptor[] = DEVICE_DESCRIPTOR(0x0627, 0x0001);

/* Bus powered, 100 mA, wakes; one HID interface; one interrupt endpoint, asked every 8 ms. The HID
 * descriptor is 9 bytes from CONFIGURATION_HID. */
#define CONFIGURATION_HID 18
#define CONFIGURATION(subclass, protocol, report_length)                                       \
    {                                                                                          \
        9, USB_DESCRIPTOR_CONFIGURATION, 34, 0, 1, 1, 0, 0xA0, 50, 9, 4, 0, 0, 1, 3, subclass, \
            protocol, 0, 9, DESCRIPTOR_HID, 0x11, 0x01, 0, 1, DESCRIPTOR_REPORT,               \
            (report_length)&0xFF, (report_length) >> 8, 7, 5, 0x81, 3, USB_MAX_PACKET, 0, 8    \
    }

/* clang-format off */
/* Items as in 6.2.2. Five buttons; two absolute axes 0..7FFFh; the wheel is relative. */
static const uint8_t tablet_report[] = {
    0x05, 0x01,             /* usage page: generic desktop */
    0x09, 0x02,             /* usage: mouse */
    0xA1, 0x01,             /* collection: application */
    0x09, 0x01,             /*   usage: pointer */
    0xA1, 0x00,             /*   collection: physical */
    0x05, 0x09,             /*     usage page: buttons */
    0x19, 0x01, 0x29, 0x05, /*     usages 1..5 */
    0x15, 0x00, 0x25, 0x01, /*     0..1 */
    0x95, 0x05, 0x75, 0x01, /*     5 fields of 1 bit */
    0x81, 0x02,             /*     input: variable, absolute */
    0x95, 0x01, 0x75, 0x03, /*     3 bits */
    0x81, 0x01,             /*     input: constant */
    0x05, 0x01,             /*     usage page: generic desktop */
    0x09, 0x30, 0x09, 0x31, /*     usages: X, Y */
    0x15, 0x00, 0x26, 0xFF, 0x7F, /* 0..7FFFh, logical */
    0x35, 0x00, 0x46, 0xFF, 0x7F, /* and physical */
    0x75, 0x10, 0x95, 0x02, /*     2 fields of 16 bits */
    0x81, 0x02,             /*     input: variable, absolute */
    0x09, 0x38,             /*     usage: wheel */
    0x15, 0x81, 0x25, 0x7F, /*     -127..127 */
    0x35, 0x00, 0x45, 0x00, /*     physical as logical */
    0x75, 0x08, 0x95, 0x01, /*     a byte */
    0x81, 0x06,             /*     input: variable, relative */
    0xC0, 0xC0,
};

/* Its first three bytes are the boot protocol's (appendix B.2). */
static const uint8_t mouse_report[] = {
    0x05, 0x01,             /* usage page: generic desktop */
    0x09, 0x02,             /* usage: mouse */
    0xA1, 0x01,             /* collection: application */
    0x09, 0x01,             /*   usage: pointer */
    0xA1, 0x00,             /*   collection: physical */
    0x05, 0x09,             /*     usage page: buttons */
    0x19, 0x01, 0x29, 0x05, /*     usages 1..5 */
    0x15, 0x00, 0x25, 0x01, /*     0..1 */
    0x95, 0x05, 0x75, 0x01, /*     5 fields of 1 bit */
    0x81, 0x02,             /*     input: variable, absolute */
    0x95, 0x01, 0x75, 0x03, /*     3 bits */
    0x81, 0x01,             /*     input: constant */
    0x05, 0x01,             /*     usage page: generic desktop */
    0x09, 0x30, 0x09, 0x31, 0x09, 0x38, /* usages: X, Y, wheel */
    0x15, 0x81, 0x25, 0x7F, /*     -127..127 */
    0x75, 0x08, 0x95, 0x03, /*     3 bytes */
    0x81, 0x06,             /*     input: variable, relative */
    0xC0, 0xC0,
};

/* The boot protocol's (appendix B.1). */
static const uint8_t keyboard_report[] = {
    0x05, 0x01,             /* usage page: generic desktop */
    0x09, 0x06,             /* usage: keyboard */
    0xA1, 0x01,             /* collection: application */
    0x05, 0x07,             /*   usage page: keyboard */
    0x19, 0xE0, 0x29, 0xE7, /*   the modifiers */
    0x15, 0x00, 0x25, 0x01, /*   0..1 */
    0x75, 0x01, 0x95, 0x08, /*   8 fields of 1 bit */
    0x81, 0x02,             /*   input: variable, absolute */
    0x95, 0x01, 0x75, 0x08, /*   a byte */
    0x81, 0x01,             /*   input: constant */
    0x95, 0x05, 0x75, 0x01, /*   5 fields of 1 bit */
    0x05, 0x08,             /*   usage page: LEDs */
    0x19, 0x01, 0x29, 0x05, /*   Num Lock to Kana */
    0x91, 0x02,             /*   output: variable, absolute */
    0x95, 0x01, 0x75, 0x03, /*   3 bits */
    0x91, 0x01,             /*   output: constant */
    0x95, 0x06, 0x75, 0x08, /*   6 bytes */
    0x15, 0x00, 0x26, 0xFF, 0x00, /* 0..255 */
    0x05, 0x07,             /*   usage page: keyboard */
    0x19, 0x00, 0x29, 0xFF, /*   usages 0..255 */
    0x81, 0x00,             /*   input: array */
    0xC0,
};

static const uint8_t tablet_configuration[] = CONFIGURATION(0, 0, sizeof(tablet_report));
static const uint8_t mouse_configuration[] = CONFIGURATION(1, 2, sizeof(mouse_report));
static const uint8_t keyboard_configuration[] = CONFIGURATION(1, 1, sizeof(keyboard_report));
/* clang-format on */

static const struct {
    const uint8_t *report;
    uint16_t len;
    uint8_t idle;
    bool boot;
} kinds[] = {
    [USB_TABLET] = {tablet_report, sizeof(tablet_report), 0, false},
    [USB_MOUSE] = {mouse_report, sizeof(mouse_report), 0, true},
    [USB_KEYBOARD] = {keyboard_report, sizeof(keyboard_report), KEYBOARD_IDLE, true},
};

/* ---- Reports: each makes one and says how long it is ---- */

static bool bit(const uint8_t *set, unsigned n)
{
    return set[n / 8] >> n % 8 & 1;
}

static void flip(uint8_t *set, unsigned n)
{
    set[n / 8] = (uint8_t)(set[n / 8] ^ 1u << n % 8);
}

/* INPUT_BUTTON_* has the middle one second, HID the right one. */
static uint8_t button_byte(uint8_t buttons)
{
    return (uint8_t)((buttons & ~(INPUT_BUTTON_MIDDLE | INPUT_BUTTON_RIGHT)) |
                     (buttons & INPUT_BUTTON_RIGHT ? 2 : 0) |
                     (buttons & INPUT_BUTTON_MIDDLE ? 4 : 0));
}

static int put_keys(const struct usb_hid *h, uint8_t *buf)
{
    unsigned n = 0;
    memset(buf, 0, 8);
    buf[0] = h->told[MODIFIERS / 8];
    for (unsigned usage = 1; usage < MODIFIERS; usage++) {
        if (!bit(h->told, usage))
            continue;
        if (n == KEY_PLACES) {
            memset(buf + 2, ROLL_OVER, KEY_PLACES);
            break;
        }
        buf[2 + n++] = (uint8_t)usage;
    }
    return 8;
}

static int put_pointer(const struct usb_hid *h, uint8_t *buf, int dx, int dy, int wheel)
{
    buf[0] = button_byte(h->buttons);
    if (h->kind == USB_TABLET) {
        buf[1] = (uint8_t)h->x;
        buf[2] = (uint8_t)(h->x >> 8);
        buf[3] = (uint8_t)h->y;
        buf[4] = (uint8_t)(h->y >> 8);
        buf[5] = (uint8_t)wheel;
        return 6;
    }
    buf[1] = (uint8_t)dx;
    buf[2] = (uint8_t)dy;
    buf[3] = (uint8_t)wheel;
    return h->protocol == PROTOCOL_BOOT ? 3 : 4;
}

/* The state of things, as GET_REPORT and an idle repetition tell it. */
static int present_report(const struct usb_hid *h, uint8_t *buf)
{
    return h->kind == USB_KEYBOARD ? put_keys(h, buf) : put_pointer(h, buf, 0, 0, 0);
}

/* What fits of *v into a report; the rest stays. */
static int part(int32_t *v)
{
    int32_t n = *v < -127 ? -127 : *v > 127 ? 127 : *v;
    *v -= n;
    return n;
}

static int next_pointer_report(struct usb_hid *h, uint8_t *buf)
{
    struct sample *s = &h->samples[h->first];
    int dx = 0, dy = 0, wheel;
    h->buttons = s->buttons;
    if (h->kind == USB_TABLET) {
        h->x = s->x;
        h->y = s->y;
    } else {
        dx = part(&s->x);
        dy = part(&s->y);
    }
    wheel = part(&s->wheel);
    if (!s->wheel && (h->kind == USB_TABLET || (!s->x && !s->y))) {
        h->first = (uint8_t)((h->first + 1) % SAMPLES);
        h->count--;
    }
    return put_pointer(h, buf, dx, dy, wheel);
}

static int next_key_report(struct usb_hid *h, uint8_t *buf)
{
    if (h->queue_count) {
        flip(h->told, h->queue[h->queue_first]);
        h->queue_first = (uint8_t)((h->queue_first + 1) % QUEUE_SIZE);
        h->queue_count--;
    } else {
        memcpy(h->told, h->held, sizeof(h->told));
    }
    return put_keys(h, buf);
}

static bool report_waits(const struct usb_hid *h)
{
    if (h->kind != USB_KEYBOARD)
        return h->count > 0;
    return h->queue_count > 0 || memcmp(h->told, h->held, sizeof(h->told)) != 0;
}

static int hid_in(struct usb_device *d, uint8_t *buf)
{
    struct usb_hid *h = (struct usb_hid *)d;
    uint64_t now = clock_now(h->clock);
    int n;
    if (report_waits(h)) {
        n = h->kind == USB_KEYBOARD ? next_key_report(h, buf) : next_pointer_report(h, buf);
        if (report_waits(h))
            usb_ready(d);
    } else if (h->idle && now - h->reported_at >= h->idle * IDLE_UNIT) {
        n = present_report(h, buf);
    } else {
        if (h->idle) /* somebody asks: tell him when it is due */
            timer_arm(&h->idle_timer, h->reported_at + h->idle * IDLE_UNIT);
        return USB_NAK;
    }
    h->reported_at = now;
    return n;
}

static void idle_is_over(void *opaque)
{
    struct usb_hid *h = opaque;
    if (h->usb.configuration && !usb_suspended(&h->usb)) /* nothing new: nobody is woken */
        usb_ready(&h->usb);
}

/* ---- Events from the host ---- */

static void key_moved(void *opaque, unsigned keycode, bool down)
{
    struct usb_hid *h = opaque;
    const uint8_t usage = (uint8_t)hid_usage(keycode);
    if (!usage || bit(h->held, usage) == down)
        return; /* the guest repeats a held key itself */
    flip(h->held, usage);
    /* After one was left out the order is lost: the state as a whole follows. */
    uint8_t after = bit(h->told, usage);
    for (unsigned i = 0; i < h->queue_count; i++)
        if (h->queue[(h->queue_first + i) % QUEUE_SIZE] == usage)
            after = !after;
    if (h->queue_count < QUEUE_SIZE && after != down)
        h->queue[(h->queue_first + h->queue_count++) % QUEUE_SIZE] = usage;
    usb_ready(&h->usb);
}

/* Sums that no viewer reaches, and no hostile one gets past. */
static int32_t add(int32_t a, int b)
{
    const int32_t limit = 1 << 20;
    int64_t sum = (int64_t)a + b;
    return (int32_t)(sum < -limit ? -limit : sum > limit ? limit : sum);
}

static void pointer_moved(void *opaque, int x, int y, int wheel, unsigned buttons)
{
    struct usb_hid *h = opaque;
    uint8_t now = (uint8_t)(buttons & 0x1F);
    struct sample *s = &h->samples[(h->first + h->count + SAMPLES - 1) % SAMPLES];
    bool empty = h->count == 0;
    if (empty && h->kind == USB_TABLET && x == h->x && y == h->y && !wheel && now == h->buttons)
        return;
    if (empty && h->kind == USB_MOUSE && !x && !y && !wheel && now == h->buttons)
        return;
    if (empty || (s->buttons != now && h->count < SAMPLES)) {
        s = &h->samples[(h->first + h->count) % SAMPLES];
        *s = (struct sample){0};
        h->count++;
    }
    s->buttons = now; /* no room: the newest buttons are the right ones */
    s->wheel = add(s->wheel, wheel);
    if (h->kind == USB_TABLET) {
        s->x = x < 0 ? 0 : x > TABLET_MAX ? TABLET_MAX : x;
        s->y = y < 0 ? 0 : y > TABLET_MAX ? TABLET_MAX : y;
    } else {
        s->x = add(s->x, x);
        s->y = add(s->y, y);
    }
    usb_ready(&h->usb);
}

/* ---- Requests ---- */

static void set_leds(struct usb_hid *h, uint8_t leds)
{
    h->leds = leds & 0x1F;
    /* input.h: Scroll, Num, Caps */
    input_set_leds(h->input,
                   (h->leds & 4 ? 1u : 0) | (h->leds & 1 ? 2u : 0) | (h->leds & 2 ? 4u : 0));
}

static int get_hid_descriptor(const struct usb_hid *h, const struct usb_setup *s, uint8_t *data)
{
    switch (s->value) {
    case DESCRIPTOR_HID << 8:
        memcpy(data, h->usb.ops->configuration_descriptor + CONFIGURATION_HID, 9);
        return 9;
    case DESCRIPTOR_REPORT << 8:
        memcpy(data, kinds[h->kind].report, kinds[h->kind].len);
        return kinds[h->kind].len;
    default:
        return USB_STALL;
    }
}

static int get_report(const struct usb_hid *h, const struct usb_setup *s, uint8_t *data)
{
    if (s->value == REPORT_INPUT << 8)
        return present_report(h, data);
    if (s->value != REPORT_OUTPUT << 8 || h->kind != USB_KEYBOARD)
        return USB_STALL;
    data[0] = h->leds;
    return 1;
}

static int hid_control(struct usb_device *d, const struct usb_setup *s, uint8_t *data)
{
    struct usb_hid *h = (struct usb_hid *)d;
    const uint8_t class = USB_TYPE_CLASS | USB_TYPE_INTERFACE;
    if (s->index != 0)
        return USB_STALL; /* there is one interface */
    if (s->type == (USB_TYPE_IN | USB_TYPE_INTERFACE) && s->request == USB_GET_DESCRIPTOR)
        return get_hid_descriptor(h, s, data);
    if (s->type == (USB_TYPE_IN | class)) {
        switch (s->request) {
        case GET_REPORT:
            return get_report(h, s, data);
        case GET_IDLE:
            data[0] = h->idle;
            return s->value & 0xFF ? USB_STALL : 1; /* reports have no numbers */
        case GET_PROTOCOL:
            data[0] = h->protocol;
            return kinds[h->kind].boot ? 1 : USB_STALL;
        }
    } else if (s->type == class) {
        switch (s->request) {
        case SET_REPORT:
            if (s->value != REPORT_OUTPUT << 8 || h->kind != USB_KEYBOARD || s->length != 1)
                return USB_STALL;
            set_leds(h, data[0]);
            return 0;
        case SET_IDLE:
            if (s->value & 0xFF)
                return USB_STALL;
            h->idle = (uint8_t)(s->value >> 8);
            timer_disarm(&h->idle_timer);
            return 0;
        case SET_PROTOCOL:
            if (!kinds[h->kind].boot || s->value > PROTOCOL_REPORT)
                return USB_STALL;
            h->protocol = (uint8_t)s->value;
            return 0;
        }
    }
    return USB_STALL;
}

/* ---- Life ---- */

static void forget_events(struct usb_hid *h)
{
    h->first = h->count = h->buttons = 0;
    h->queue_first = h->queue_count = 0;
    memset(h->held, 0, sizeof(h->held));
    memset(h->told, 0, sizeof(h->told));
    timer_disarm(&h->idle_timer);
}

/* Events are for the device that the guest set up last. */
static void take_events(struct usb_hid *h)
{
    if (!h->usb.configuration) {
        input_unset_keyboard(h->input, &h->keyboard);
        input_unset_pointer(h->input, &h->pointer);
    } else if (h->kind == USB_KEYBOARD) {
        input_set_keyboard(h->input, &h->keyboard);
    } else {
        input_set_pointer(h->input, &h->pointer);
    }
}

static void hid_configured(struct usb_device *d)
{
    struct usb_hid *h = (struct usb_hid *)d;
    take_events(h);
    if (!d->configuration)
        forget_events(h);
}

static void hid_bus_reset(struct usb_device *d)
{
    struct usb_hid *h = (struct usb_hid *)d;
    forget_events(h);
    h->x = h->y = 0;
    h->protocol = PROTOCOL_REPORT;
    h->idle = kinds[h->kind].idle;
    h->reported_at = clock_now(h->clock);
    if (h->kind == USB_KEYBOARD)
        set_leds(h, 0);
}

static void hid_reset(struct device *device)
{
    struct usb_hid *h = (struct usb_hid *)device;
    usb_device_reset(&h->usb);
    hid_bus_reset(&h->usb);
}

static bool hid_loaded(struct device *device, struct err *err)
{
    struct usb_hid *h = (struct usb_hid *)device;
    for (unsigned i = 0; i < SAMPLES; i++) {
        struct sample *s = &h->samples[i];
        s->x = add(s->x, 0);
        s->y = add(s->y, 0);
        s->wheel = add(s->wheel, 0);
    }
    if (h->x < 0 || h->x > TABLET_MAX || h->y < 0 || h->y > TABLET_MAX)
        return err_set(err, "saved state of %s %s: it points off the screen", h->usb.ops->product,
                       h->usb.path);
    if (!usb_device_loaded(&h->usb, err))
        return false;
    take_events(h);
    timer_disarm(&h->idle_timer);
    h->reported_at = clock_now(h->clock);
    if (h->kind == USB_KEYBOARD && h->usb.configuration)
        set_leds(h, h->leds);
    return true;
}

static void hid_destroy(struct device *device)
{
    struct usb_hid *h = (struct usb_hid *)device;
    usb_device_destroy(&h->usb);
    input_remove_keyboard(h->input, &h->keyboard);
    input_remove_pointer(h->input, &h->pointer);
    timer_destroy(&h->idle_timer);
    free(h);
}

static const struct device_class tablet_class = {
    .name = "usb-tablet",
    .version = 1,
    .state = hid_state,
    .reset = hid_reset,
    .post_load = hid_loaded,
    .destroy = hid_destroy,
};

static const struct device_class mouse_class = {
    .name = "usb-mouse",
    .version = 1,
    .state = hid_state,
    .reset = hid_reset,
    .post_load = hid_loaded,
    .destroy = hid_destroy,
};

static const struct device_class keyboard_class = {
    .name = "usb-kbd",
    .version = 1,
    .state = hid_state,
    .reset = hid_reset,
    .post_load = hid_loaded,
    .destroy = hid_destroy,
};

static const struct device_class *const classes[] = {
    [USB_TABLET] = &tablet_class, [USB_MOUSE] = &mouse_class, [USB_KEYBOARD] = &keyboard_class};

#define HID_OPS(name, configuration)                                                           \
    {                                                                                          \
        .product = (name), .speed = USB_FULL_SPEED, .device_descriptor = device_descriptor,    \
        .configuration_descriptor = (configuration), .can_wake = true, .control = hid_control, \
        .in = hid_in, .reset = hid_bus_reset, .configured = hid_configured                     \
    }

static const struct usb_ops ops[] = {
    [USB_TABLET] = HID_OPS("QEMU USB Tablet", tablet_configuration),
    [USB_MOUSE] = HID_OPS("QEMU USB Mouse", mouse_configuration),
    [USB_KEYBOARD] = HID_OPS("QEMU USB Keyboard", keyboard_configuration),
};

struct usb_device *usb_hid_realize(struct usb_port *port, enum usb_hid_kind kind, const char *id,
                                   struct clock *clock, struct input *input,
                                   struct device_list *devices, struct err *err)
{
    struct usb_hid *h = calloc(1, sizeof(*h));
    if (!h) {
        err_set(err, "%s: out of memory", classes[kind]->name);
        return NULL;
    }
    h->usb.ops = &ops[kind];
    h->kind = kind;
    h->clock = clock;
    h->input = input;
    h->protocol = PROTOCOL_REPORT;
    h->idle = kinds[kind].idle;
    timer_init(&h->idle_timer, clock, idle_is_over, h);
    h->keyboard = (struct input_keyboard){.key = key_moved, .opaque = h, .name = ops[kind].product};
    h->pointer = (struct input_pointer){.absolute = kind == USB_TABLET,
                                        .move = pointer_moved,
                                        .opaque = h,
                                        .name = ops[kind].product};
    if (!usb_device_init(&h->usb, port, id, err)) {
        timer_destroy(&h->idle_timer);
        free(h);
        return NULL;
    }
    if (kind == USB_KEYBOARD)
        input_add_keyboard(input, &h->keyboard);
    else
        input_add_pointer(input, &h->pointer);
    device_add(devices, &h->usb.device, classes[kind], h->usb.instance);
    return &h->usb;
}
