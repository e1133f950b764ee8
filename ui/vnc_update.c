/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vnc_update: see vnc_update.h.
 *
 * Tight packs a rectangle of two colours into a bit a pixel, and of more into a byte or three (RFC
 * 6143 has no Tight; "The RFB Protocol", community edition, 7.7.6). A window that is dragged over
 * a desktop is two colours nearly everywhere, with a strip of the ground at its side that makes
 * them four. Cut off that strip, the rest is an eighth, and what is the more: the same bytes as
 * in the last picture, which zlib still has.
 *
 * libvncserver's regions join rectangles that touch, so for Tight they are sent one by one here,
 * with LastRect instead of their number. All else is libvncserver's rfbSendFramebufferUpdate.
 */
#include "ui/vnc_update.h"

#include <string.h>

#include "ui/vnc_session.h"

#include <rfb/rfbregion.h> /* needs rfb.h */

#define STEP     8    /* pixels by which the part of two colours grows */
#define MIN_AREA 2048 /* pixels: below it a header is more than what is gained */

/* Colours of a part of the picture. */
struct colours {
    uint32_t at[2];
    unsigned count;
};

/* Whether the rectangle has at most two colours together with *known, which then has them all. */
static bool has_two(const struct picture *picture, int x1, int y1, int x2, int y2,
                    struct colours *known)
{
    struct colours c = *known;

    for (int y = y1; y < y2; y++) {
        const uint32_t *row = picture->pixels + (size_t)y * (size_t)picture->width;

        for (int x = x1; x < x2; x++) {
            if ((c.count > 0 && row[x] == c.at[0]) || (c.count > 1 && row[x] == c.at[1]))
                continue;
            if (c.count == 2)
                return false;
            c.at[c.count++] = row[x];
        }
    }
    *known = c;
    return true;
}

/* Makes *part, of two colours, as large as it can be within `limit`. A side that cannot grow once
 * never can: no pixel is looked at twice but at the sides. */
static void grow(const struct picture *picture, const struct display_rect *limit,
                 struct display_rect *part, struct colours *c)
{
    bool left = true, right = true, up = true, down = true;

    while (left || right || up || down) {
        int to = part->x2 + STEP < limit->x2 ? part->x2 + STEP : limit->x2;
        right = right && to > part->x2 && has_two(picture, part->x2, part->y1, to, part->y2, c);
        part->x2 = right ? to : part->x2;

        to = part->x1 - STEP > limit->x1 ? part->x1 - STEP : limit->x1;
        left = left && to < part->x1 && has_two(picture, to, part->y1, part->x1, part->y2, c);
        part->x1 = left ? to : part->x1;

        to = part->y2 + STEP < limit->y2 ? part->y2 + STEP : limit->y2;
        down = down && to > part->y2 && has_two(picture, part->x1, part->y2, part->x2, to, c);
        part->y2 = down ? to : part->y2;

        to = part->y1 - STEP > limit->y1 ? part->y1 - STEP : limit->y1;
        up = up && to < part->y1 && has_two(picture, part->x1, to, part->x2, part->y1, c);
        part->y1 = up ? to : part->y1;
    }
}

static int64_t area(const struct display_rect *r)
{
    return (int64_t)(r->x2 - r->x1) * (r->y2 - r->y1);
}

unsigned vnc_cut(const struct picture *picture, const struct display_rect *rect,
                 struct display_rect pieces[VNC_PIECES])
{
    const struct display_rect r = *rect;
    int x = r.x1 + (r.x2 - r.x1) / 2, y = r.y1 + (r.y2 - r.y1) / 2;
    struct display_rect part = {x, y, x + 1, y + 1};
    struct colours c = {.count = 0};
    unsigned n = 0;

    pieces[0] = r;
    if (area(&r) < MIN_AREA)
        return 1;
    (void)has_two(picture, part.x1, part.y1, part.x2, part.y2, &c); /* one pixel has */
    grow(picture, &r, &part, &c);
    if (area(&part) < MIN_AREA || area(&part) < area(&r) / 2)
        return 1;
    const struct display_rect all[VNC_PIECES] = {
        {r.x1, r.y1, r.x2, part.y1},       {r.x1, part.y1, part.x1, part.y2}, part,
        {part.x2, part.y1, r.x2, part.y2}, {r.x1, part.y2, r.x2, r.y2},
    };
    for (unsigned i = 0; i < VNC_PIECES; i++)
        if (area(&all[i]) > 0)
            pieces[n++] = all[i];
    return n;
}

/* FramebufferUpdate (RFC 6143, 7.6.1) with an unknown number of rectangles. False: not sent. */
static bool send_tight(struct session *s)
{
    static const rfbFramebufferUpdateMsg head = {.type = rfbFramebufferUpdate, .nRects = 0xFFFF};
    const struct picture *picture = &s->client->frame.picture;
    rfbClientPtr rfb = s->rfb;
    sraRegion *due = sraRgnCreateRgn(rfb->modifiedRegion);
    sraRectangleIterator *i;
    sraRect r;
    bool ok = true;

    sraRgnAnd(due, rfb->requestedRegion);
    sraRgnSubtract(rfb->modifiedRegion, due);
    sraRgnMakeEmpty(rfb->requestedRegion);
    memcpy(rfb->updateBuf, &head, sz_rfbFramebufferUpdateMsg);
    rfb->ublen = sz_rfbFramebufferUpdateMsg;
    i = sraRgnGetIterator(due);
    while (ok && sraRgnIteratorNext(i, &r)) {
        const struct display_rect rect = {r.x1, r.y1, r.x2, r.y2};
        struct display_rect pieces[VNC_PIECES];
        unsigned n = vnc_cut(picture, &rect, pieces);

        for (unsigned k = 0; ok && k < n; k++)
            ok = rfbSendRectEncodingTight(rfb, pieces[k].x1, pieces[k].y1,
                                          pieces[k].x2 - pieces[k].x1, pieces[k].y2 - pieces[k].y1);
    }
    sraRgnReleaseIterator(i);
    sraRgnDestroy(due);
    return ok && rfbSendLastRectMarker(rfb) && rfbSendUpdateBuf(rfb);
}

bool vnc_update_send(struct session *s)
{
    rfbClientPtr rfb = s->rfb;

    if (rfb->preferredEncoding == rfbEncodingTight && rfb->enableLastRectEncoding &&
        !(rfb->useNewFBSize && rfb->newFBSizePending))
        return send_tight(s);
    rfbUpdateClient(rfb);
    return rfb->sock >= 0;
}
