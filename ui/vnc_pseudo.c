/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vnc_pseudo: RFB's pseudo-encodings that say something about the screen rather than show it: its
 * size, the pointer's shape, LEDs, the desktop's name. Each is a FramebufferUpdate with one
 * rectangle (RFC 6143 7.6.1 and 7.8; the rest: the community's rfbproto.rst, "Pseudo-encodings").
 */
#include <string.h>

#include "ui/vnc_session.h"

#define POINTER_MOTION_CHANGE 0xFFFFFEFFu /* QEMU Pointer Motion Change, -257 */
#define LED_STATE             0xFFFFFEFBu /* QEMU LED State, -261 */
#define DESKTOP_NAME          0xFFFFFECDu /* -307 */
#define VMWARE_LED_STATE      0x574D5668u

#define NOT_TOLD 0xFF

bool vnc_pseudo_note(struct vnc_pseudo *p, uint32_t encoding)
{
    switch (encoding) {
    case rfbEncodingQemuExtendedKeyEvent:
        return p->scancodes = true;
    case rfbEncodingExtDesktopSize:
        return p->desktop_size = true;
    case rfbEncodingRichCursor:
        return p->rich_cursor = true;
    case rfbEncodingXCursor:
        return p->x_cursor = true;
    case LED_STATE:
        return p->qemu_leds = true;
    case VMWARE_LED_STATE:
        return p->vmware_leds = true;
    case DESKTOP_NAME:
        return p->desktop_name = true;
    case POINTER_MOTION_CHANGE:
        return p->pointer_moves = true;
    default:
        return false;
    }
}

struct rect {
    unsigned x, y, width, height;
};

/* A FramebufferUpdate of one rectangle with `size` bytes behind its header. */
static bool send_rect(struct session *s, uint32_t encoding, struct rect r, const void *data,
                      size_t size)
{
    uint8_t m[16 + 128] = {[3] = 1};

    vnc_put16(m + 4, r.x);
    vnc_put16(m + 6, r.y);
    vnc_put16(m + 8, r.width);
    vnc_put16(m + 10, r.height);
    vnc_put32(m + 12, encoding);
    if (size)
        memcpy(m + 16, data, size);
    if (rfbWriteExact(s->rfb, (char *)m, (int)(16 + size)) < 0)
        return vnc_session_end(s, "connection lost");
    return true;
}

bool vnc_pseudo_tell_size(struct session *s, unsigned reason, unsigned status)
{
    unsigned width = (unsigned)s->screen.width, height = (unsigned)s->screen.height;
    /* One screen at 0, 0, which is all of it. Its id is 1: libvncclient takes 0 for none. */
    uint8_t screens[20] = {[0] = 1, [7] = 1};

    vnc_put16(screens + 12, width);
    vnc_put16(screens + 14, height);
    if (reason == 0)
        s->size_is_new = false;
    return send_rect(s, rfbEncodingExtDesktopSize, (struct rect){reason, status, width, height},
                     screens, sizeof(screens));
}

/* The length and the name. */
static bool tell_name(struct session *s)
{
    uint8_t name[4 + sizeof(s->vnc->title)];
    size_t length = strlen(s->vnc->title);

    if (length > 124)
        length = 124;
    vnc_put32(name, (uint32_t)length);
    memcpy(name + 4, s->vnc->title, length);
    return send_rect(s, DESKTOP_NAME, (struct rect){0}, name, 4 + length);
}

static bool tell_leds(struct session *s, unsigned leds)
{
    const uint8_t state[4] = {[3] = (uint8_t)leds};

    s->leds_told = leds;
    return s->pseudo.qemu_leds
               ? send_rect(s, LED_STATE, (struct rect){0}, state + 3, 1)
               : send_rect(s, VMWARE_LED_STATE, (struct rect){0}, state, sizeof(state));
}

static bool tell_pointer(struct session *s, unsigned absolute)
{
    const struct rect r = {absolute, 0, (unsigned)s->screen.width, (unsigned)s->screen.height};

    s->pointer_told = absolute;
    return send_rect(s, POINTER_MOTION_CHANGE, r, NULL, 0);
}

bool vnc_pseudo_tell(struct session *s)
{
    unsigned leds = atomic_load_explicit(&s->vnc->leds, memory_order_relaxed);
    unsigned absolute = atomic_load_explicit(&s->vnc->absolute, memory_order_relaxed);

    if ((s->pseudo.qemu_leds || s->pseudo.vmware_leds) && leds != s->leds_told &&
        !tell_leds(s, leds))
        return false;
    return !s->pseudo.pointer_moves || absolute == s->pointer_told || tell_pointer(s, absolute);
}

bool vnc_pseudo_offer(struct session *s, const struct vnc_pseudo *now)
{
    const struct vnc_pseudo before = s->pseudo;

    s->pseudo = *now;
    if (now->scancodes && !before.scancodes &&
        !send_rect(s, rfbEncodingQemuExtendedKeyEvent, (struct rect){0}, NULL, 0))
        return false;
    /* It says too that SetDesktopSize would be answered. */
    if (now->desktop_size && !before.desktop_size && !vnc_pseudo_tell_size(s, 0, 0))
        return false;
    /* The guest's pointer is in the picture. A shape of no pixels: the viewer draws none beside. */
    if (now->rich_cursor && !before.rich_cursor &&
        !send_rect(s, rfbEncodingRichCursor, (struct rect){0}, NULL, 0))
        return false;
    if (now->x_cursor && !now->rich_cursor && !before.x_cursor &&
        !send_rect(s, rfbEncodingXCursor, (struct rect){0}, NULL, 0))
        return false;
    if (now->desktop_name && !before.desktop_name && !tell_name(s))
        return false;
    if (!before.qemu_leds && !before.vmware_leds)
        s->leds_told = NOT_TOLD;
    if (!before.pointer_moves)
        s->pointer_told = NOT_TOLD;
    return vnc_pseudo_tell(s);
}
