/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * screen: what a viewer costs. The viewer is libvncclient's; the guest draws a picture, and the
 * time is taken until the viewer has all of it. Marks all over the picture have a colour that is
 * the picture's own, so that a half old one is not taken for complete.
 */
#include <poll.h>
#include <rfb/rfbclient.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "screen.h"

#define PICTURES 20u
#define PACE_US  100000.0 /* a new picture so often */
#define LATE_US  3000000.0

/* --- the viewer --- */

struct marks {
    int columns[2], first, step, end; /* pixels: in two columns, at lines first, first + step, … */
};

rfbClient *screen_view(unsigned port, const char *encodings, int compress, int quality)
{
    rfbEnableClientLogging = FALSE;
    for (unsigned i = 0; i < 200; i++) {
        rfbClient *c = rfbGetClient(8, 3, 4);
        if (!c)
            return NULL;
        c->canHandleNewFBSize = TRUE;
        c->appData.encodingsString = encodings;
        c->appData.enableJPEG = quality >= 0;
        c->appData.qualityLevel = quality;
        c->appData.compressLevel = compress;
        c->serverHost = strdup("127.0.0.1");
        c->serverPort = (int)port;
        if (rfbInitClient(c, NULL, NULL))
            return c; /* else it is gone */
        usleep(10000);
    }
    return NULL;
}

void screen_view_end(rfbClient *c)
{
    if (!c)
        return;
    free(c->frameBuffer);
    rfbClientCleanup(c);
}

int screen_wait(rfbClient *c, unsigned us)
{
    return c->buffered > 0 ? 1 : WaitForMessage(c, us);
}

/* Takes what comes in until `until`. */
static bool view_for(rfbClient *c, double until)
{
    for (double left; (left = until - now_us()) > 0;) {
        int n = screen_wait(c, left < 1 ? 1 : (unsigned)left);
        if (n < 0 || (n > 0 && !HandleRFBServerMessage(c)))
            return false;
    }
    return true;
}

/* The colours of marks: bit 0 red, 1 green, 2 blue. */
static bool has_colour(rfbClient *c, int x, int y, unsigned colour)
{
    if (x >= c->width || y >= c->height)
        return false;
    uint32_t pixel;
    memcpy(&pixel, c->frameBuffer + ((size_t)y * (size_t)c->width + (size_t)x) * 4, 4);
    unsigned got = (pixel >> c->format.redShift & 0x80) >> 7 |
                   (pixel >> c->format.greenShift & 0x80) >> 6 |
                   (pixel >> c->format.blueShift & 0x80) >> 5;
    return got == colour;
}

static bool complete(rfbClient *c, const struct marks *m, unsigned colour)
{
    for (int y = m->first; y < m->end; y += m->step)
        if (!has_colour(c, m->columns[0], y, colour) || !has_colour(c, m->columns[1], y, colour))
            return false;
    return true;
}

static bool view_until(rfbClient *c, const struct marks *m, unsigned colour)
{
    double end = now_us() + LATE_US;
    while (!complete(c, m, colour)) {
        if (now_us() > end)
            return false;
        int n = screen_wait(c, 100000);
        if (n < 0 || (n > 0 && !HandleRFBServerMessage(c)))
            return false;
    }
    return true;
}

/* --- text mode 3: 80 by 25 cells of 9 by 16 pixels, as a VGA BIOS sets it --- */

#define CELLS   (80 * 25)
#define SOLID   SCREEN_SOLID
#define MARK_DX 4
#define MARK_DY 8

static void indexed(struct xenstub *x, uint16_t port, const uint8_t *value, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        vcpu_out(x, 0, port, 2, i | (uint32_t)value[i] << 8);
}

static void load_font(struct xenstub *x)
{
    static const uint16_t font_on[] = {0x0402, 0x0704}, font_off[] = {0x0302, 0x0204};
    for (unsigned i = 0; i < 2; i++)
        vcpu_out(x, 0, 0x3C4, 2, font_on[i]);
    vcpu_out(x, 0, 0x3CE, 2, 0x0005);
    vcpu_out(x, 0, 0x3CE, 2, 0x0406);
    for (unsigned c = 0; c < 256; c++)
        for (unsigned line = 0; line < 16; line += 4) {
            uint32_t dots = c * 0x9E3779B1u ^ line * 0x85EBCA6Bu;
            dots = c == SOLID ? UINT32_MAX : c == ' ' ? 0 : dots & 0x7E3C7E66;
            vcpu_write(x, 0, 0xA0000 + c * 32 + line, 4, dots);
        }
    for (unsigned i = 0; i < 2; i++)
        vcpu_out(x, 0, 0x3C4, 2, font_off[i]);
    vcpu_out(x, 0, 0x3CE, 2, 0x1005);
    vcpu_out(x, 0, 0x3CE, 2, 0x0E06);
}

void screen_text_mode(struct xenstub *x)
{
    static const uint8_t sequencer[] = {0x03, 0x00, 0x03, 0x00, 0x02},
                         crtc[] = {0x5F, 0x4F, 0x50, 0x82, 0x55, 0x81, 0xBF, 0x1F, 0x00,
                                   0x4F, 0x2D, 0x0E, 0x00, 0x00, 0x00, 0x00, 0x9C, 0x0E,
                                   0x8F, 0x28, 0x1F, 0x96, 0xB9, 0xA3, 0xFF},
                         graphics[] = {0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0E, 0x00, 0xFF},
                         mode[] = {0x0C, 0x00, 0x0F, 0x08, 0x00};
    vcpu_out(x, 0, 0x3C2, 1, 0x67);
    indexed(x, 0x3C4, sequencer, sizeof(sequencer));
    vcpu_out(x, 0, 0x3D4, 2, 0x0011);
    indexed(x, 0x3D4, crtc, sizeof(crtc));
    indexed(x, 0x3CE, graphics, sizeof(graphics));
    load_font(x);
    vcpu_in(x, 0, 0x3DA, 1);
    for (unsigned i = 0; i < 21; i++) {
        vcpu_out(x, 0, 0x3C0, 1, i);
        vcpu_out(x, 0, 0x3C0, 1, i < 16 ? i : mode[i - 16]);
    }
    vcpu_out(x, 0, 0x3C0, 1, 0x20);
    vcpu_out(x, 0, 0x3C6, 1, 0xFF);
    vcpu_out(x, 0, 0x3C8, 1, 0);
    for (unsigned i = 0; i < 16; i++) { /* 0..7 as marks want them, the rest half as bright */
        uint8_t full = i < 8 ? 63 : 31;
        for (unsigned bit = 0; bit < 3; bit++)
            vcpu_out(x, 0, 0x3C9, 1, i >> bit & 1 ? full : 0);
    }
}

static void text_picture(struct xenstub *x, unsigned n, unsigned colour)
{
    uint8_t cell[CELLS][2];
    for (unsigned i = 0; i < CELLS; i++) {
        bool mark = i % 80 == 0 || i % 80 == 79;
        unsigned hash = (i + n * 37) * 0x9E3779B1u >> 16;
        cell[i][0] = (uint8_t)(mark ? SOLID : hash % 5 ? 33 + hash % 90 : ' ');
        cell[i][1] = (uint8_t)(mark ? colour : hash % 16 ? 7 : 0x1F);
    }
    guest_write(x, VCPU_BUFFER, cell, sizeof(cell));
    vcpu_movs(x, 0, 0xB8000, 4, sizeof(cell) / 4, VCPU_BUFFER, false, false);
}

/* --- 1024 by 768 pixels of 32 bits: the Bochs display interface --- */

#define WIDTH  SCREEN_WIDTH
#define HEIGHT SCREEN_HEIGHT
#define TILE   16

void screen_big_mode(struct xenstub *x)
{
    static const uint16_t set[][2] = {{4, 0}, {1, WIDTH}, {2, HEIGHT}, {3, 32}, {4, 0x41}};
    for (unsigned i = 0; i < sizeof(set) / sizeof(set[0]); i++) {
        vcpu_out(x, 0, 0x1CE, 2, set[i][0]);
        vcpu_out(x, 0, 0x1CF, 2, set[i][1]);
    }
}

/* Like a desktop: three tiles of four have one colour, the others something like letters. */
static void big_picture(struct xenstub *x, unsigned n, unsigned colour)
{
    static uint32_t pixel[HEIGHT][WIDTH];
    for (unsigned y = 0; y < HEIGHT; y++)
        for (unsigned c = 0; c < WIDTH; c++) {
            unsigned tile = (y / TILE * (WIDTH / TILE) + c / TILE + n) * 0x9E3779B1u >> 8;
            uint32_t ground = 0x202020 * (tile % 7) + n % 2 * 0x101010, ink = 0x101010;
            bool dot = tile % 4 == 0 && ((y * 0x85EBCA6Bu + c / 2 * 0xC2B2AE35u) >> 13 & 3) == 0;
            pixel[y][c] = dot ? ink : ground;
        }
    uint32_t mark =
        (colour & 1 ? 0xFF0000u : 0) | (colour & 2 ? 0xFF00u : 0) | (colour & 4 ? 0xFFu : 0);
    for (unsigned y = 0; y < HEIGHT; y++)
        pixel[y][0] = pixel[y][WIDTH - 1] = mark;
    guest_write(x, PC_VRAM, pixel, sizeof(pixel));
}

/* --- the rows --- */

struct show {
    void (*mode)(struct xenstub *x);
    void (*picture)(struct xenstub *x, unsigned n, unsigned colour);
    struct marks marks;
};

static const struct show text = {
    screen_text_mode, text_picture, {{MARK_DX, 79 * 9 + MARK_DX}, MARK_DY, 16, 25 * 16}};
static const struct show big = {screen_big_mode, big_picture, {{0, WIDTH - 1}, 0, TILE, HEIGHT}};

/* Pictures at an even pace, at changing moments of the device model's own: ms until the viewer has
 * one, and CPU ms of each. */
static bool show(struct xenstub *x, unsigned port, const struct show *what, const char *encodings,
                 double *time, double *cpu)
{
    double took[PICTURES], pace[PICTURES];
    rfbClient *c = screen_view(port, encodings, 1, -1);
    bool ok = c;
    what->picture(x, 0, 7);
    ok = ok && view_until(c, &what->marks, 7) && view_for(c, now_us() + 2 * PACE_US);
    for (unsigned i = 0; ok && i < PICTURES; i++) {
        double before = usage_of(xenstub_pid(x), false).cpu_us, start = now_us();
        unsigned colour = 1 + i % 6;
        what->picture(x, i + 1, colour);
        double drawn = now_us();
        ok = view_until(c, &what->marks, colour);
        took[i] = (now_us() - drawn) / 1e3;
        ok = ok && view_for(c, start + PACE_US + i * 7919 % 33000);
        pace[i] = (usage_of(xenstub_pid(x), false).cpu_us - before) / 1e3;
    }
    screen_view_end(c);
    *time = median(took, PICTURES);
    *cpu = median(pace, PICTURES);
    return ok;
}

bool screen_rows(struct xenstub *x, const struct setup *s, struct figures *f)
{
    static const struct {
        const struct show *what;
        const char *encodings;
        enum row time, cpu;
    } rows[] = {{&text, "raw", TEXT_TIME_RAW, TEXT_CPU_RAW},
                {&text, "tight raw", TEXT_TIME_TIGHT, TEXT_CPU_TIGHT},
                {&big, "raw", PAINT_TIME_RAW, PAINT_CPU_RAW},
                {&big, "tight raw", PAINT_TIME_TIGHT, PAINT_CPU_TIGHT}};
    const struct show *mode = NULL;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].what != mode)
            rows[i].what->mode(x);
        mode = rows[i].what;
        if (!show(x, s->vnc, rows[i].what, rows[i].encodings, &f->at[rows[i].time],
                  &f->at[rows[i].cpu])) {
            fprintf(stderr, "bench: a viewer (%s) did not get a picture\n", rows[i].encodings);
            return false;
        }
    }
    return true;
}

void watch_idly(struct xenstub *x, unsigned port, int fd)
{
    screen_text_mode(
        x); /* as firmware leaves it: without, the attribute controller shows nothing */
    screen_big_mode(x);
    big_picture(x, 0, 7);
    rfbClient *c = screen_view(port, "tight raw", 1, -1);
    if (!c || !view_until(c, &big.marks, 7)) {
        fprintf(stderr, "bench: the idle viewer got no picture\n");
        screen_view_end(c);
        return;
    }
    for (;;) {
        struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.fd = c->sock, .events = POLLIN}};
        if (c->buffered == 0 && poll(p, 2, -1) < 0)
            break;
        if (p[0].revents || ((c->buffered || p[1].revents) && !HandleRFBServerMessage(c)))
            break;
    }
    screen_view_end(c);
}
