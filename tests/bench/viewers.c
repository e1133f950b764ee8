/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * viewers: moving pictures to one viewer and to eight, as viewers come out of their package (Tight,
 * JPEG where it is offered): text that scrolls, a window that is dragged, a film in a part of the
 * screen; how soon a key's effect is seen; and what a vCPU notices of a viewer that takes nothing.
 * Every picture has a mark in its corner; those that a viewer has seen are counted.
 */
#include <linux/tcp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"
#include "screen.h"

#define MANY      8u
#define SCENE_US  2000000.0
#define FRAME_US  (1e6 / 30)
#define ANSWERS   12u
#define ANSWER_US 2000000.0 /* later is not at all */
#define MARK      16
#define COMPRESS  2 /* TigerVNC's defaults */
#define QUALITY   8

/* --- a viewer, on a thread of its own --- */

struct watcher {
    rfbClient *c;
    pthread_t thread;
    atomic_bool stop, stalled;
    atomic_uint pictures, colour;
};

/* Bit 0 red, 1 green, 2 blue; a corner of the mark is what JPEG leaves alone best: its middle. */
static unsigned mark_of(const rfbClient *c)
{
    uint32_t pixel;
    if (c->width <= MARK || c->height <= MARK)
        return 0;
    memcpy(&pixel, c->frameBuffer + ((size_t)(MARK / 2) * (size_t)c->width + 4) * 4, 4);
    return (pixel >> c->format.redShift & 0x80) >> 7 | (pixel >> c->format.greenShift & 0x80) >> 6 |
           (pixel >> c->format.blueShift & 0x80) >> 5;
}

static void *watch(void *opaque)
{
    struct watcher *w = opaque;
    while (!atomic_load(&w->stop)) {
        if (atomic_load(&w->stalled)) {
            usleep(10000);
            continue;
        }
        int n = screen_wait(w->c, 20000);
        if (n < 0 || (n > 0 && !HandleRFBServerMessage(w->c)))
            break;
        unsigned colour = mark_of(w->c);
        if (colour != atomic_load(&w->colour)) {
            atomic_store(&w->colour, colour);
            atomic_fetch_add(&w->pictures, 1);
        }
    }
    return NULL;
}

static double received(const rfbClient *c)
{
    struct tcp_info info;
    socklen_t len = sizeof(info);
    memset(&info, 0, sizeof(info));
    getsockopt(c->sock, IPPROTO_TCP, TCP_INFO, &info, &len);
    return (double)info.tcpi_bytes_received;
}

static bool watchers_start(struct watcher *w, unsigned count, unsigned port)
{
    bool ok = true;
    memset(w, 0, count * sizeof(*w));
    for (unsigned i = 0; ok && i < count; i++) {
        w[i].c = screen_view(port, "copyrect tight zrle hextile raw", COMPRESS, QUALITY);
        ok = w[i].c && !pthread_create(&w[i].thread, NULL, watch, &w[i]);
        if (!ok && w[i].c) {
            screen_view_end(w[i].c);
            w[i].c = NULL;
        }
    }
    return ok;
}

static void watchers_end(struct watcher *w, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        atomic_store(&w[i].stop, true);
    for (unsigned i = 0; i < count && w[i].c; i++) {
        pthread_join(w[i].thread, NULL);
        screen_view_end(w[i].c);
    }
}

/* --- what the guest shows --- */

static uint32_t rgb(unsigned mark)
{
    return (mark & 1 ? 0xFF0000u : 0) | (mark & 2 ? 0xFF00u : 0) | (mark & 4 ? 0xFFu : 0);
}

static void fill(struct xenstub *x, unsigned left, unsigned top, unsigned width, unsigned height,
                 uint32_t (*pixel)(unsigned x, unsigned y, unsigned n), unsigned n)
{
    uint32_t line[SCREEN_WIDTH];
    for (unsigned y = top; y < top + height; y++) {
        for (unsigned c = 0; c < width; c++)
            line[c] = pixel(left + c, y, n);
        guest_write(x, PC_VRAM + ((uint64_t)y * SCREEN_WIDTH + left) * 4, line, width * 4);
    }
}

static uint32_t mark_pixel(unsigned x, unsigned y, unsigned n)
{
    (void)x;
    (void)y;
    return rgb(n);
}

static void put_mark(struct xenstub *x, unsigned mark)
{
    fill(x, 0, 0, MARK, MARK, mark_pixel, mark);
}

/* A desktop with something on it. */
static uint32_t ground(unsigned x, unsigned y, unsigned n)
{
    (void)n;
    unsigned tile = (y / 16 * 64 + x / 16) * 0x9E3779B1u >> 8;
    bool ink = tile % 4 == 0 && ((y * 0x85EBCA6Bu + x / 2 * 0xC2B2AE35u) >> 13 & 3) == 0;
    return ink ? 0x101010 : 0x305070;
}

#define WINDOW_WIDTH  300u
#define WINDOW_HEIGHT 200u
#define WINDOW_STEP   8u

static unsigned window_left(unsigned n)
{
    return 100 + n * WINDOW_STEP % 500;
}

/* A frame, a title, lines of text that move along. */
static uint32_t window(unsigned x, unsigned y, unsigned n)
{
    unsigned dx = x - window_left(n), dy = y - 300;
    if (dy < 20)
        return 0x2040A0;
    bool ink = dy % 14 < 9 && ((dy / 14 * 0x9E3779B1u + dx / 7 * 0x85EBCA6Bu) >> 11 & 1) &&
               (dx * 3 + dy * 5) % 4 == 0;
    return ink ? 0x000000 : 0xF0F0F0;
}

static uint32_t film(unsigned x, unsigned y, unsigned n)
{
    unsigned r = x + n * 3, g = y + n * 5, b = (x * 2 + y + n * 7) / 2;
    unsigned grain = (x * 0x9E3779B1u ^ y * 0x85EBCA6Bu ^ n * 0xC2B2AE35u) >> 28;
    return ((r + grain) & 0xFF) << 16 | ((g + grain) & 0xFF) << 8 | ((b + grain) & 0xFF);
}

static uint8_t cells[25][80][2];

static void scroll(struct xenstub *x, unsigned n)
{
    memmove(cells[0], cells[1], sizeof(cells) - sizeof(cells[0]));
    for (unsigned i = 0; i < 80; i++) {
        unsigned hash = (i + n * 80) * 0x9E3779B1u >> 16;
        cells[24][i][0] = (uint8_t)(i < 20 + n % 60 && hash % 5 ? 33 + hash % 90 : ' ');
        cells[24][i][1] = 7;
    }
    uint8_t old[4] = {cells[0][0][0], cells[0][0][1], cells[0][1][0], cells[0][1][1]};
    for (unsigned i = 0; i < 2; i++) {
        cells[0][i][0] = SCREEN_SOLID;
        cells[0][i][1] = (uint8_t)(1 + n % 7);
    }
    guest_write(x, VCPU_BUFFER, cells, sizeof(cells));
    vcpu_movs(x, 0, 0xB8000, 4, sizeof(cells) / 4, VCPU_BUFFER, false, false);
    memcpy(cells[0], old, sizeof(old));
}

static void move_window(struct xenstub *x, unsigned n)
{
    if (n == 0)
        fill(x, 0, 0, SCREEN_WIDTH, SCREEN_HEIGHT, ground, 0);
    else
        fill(x, window_left(n - 1), 300, WINDOW_WIDTH, WINDOW_HEIGHT, ground, 0);
    fill(x, window_left(n), 300, WINDOW_WIDTH, WINDOW_HEIGHT, window, n);
    put_mark(x, 1 + n % 7);
}

static void show_film(struct xenstub *x, unsigned n)
{
    if (n == 0)
        fill(x, 0, 0, SCREEN_WIDTH, SCREEN_HEIGHT, ground, 0);
    fill(x, 200, 200, 320, 240, film, n);
    put_mark(x, 1 + n % 7);
}

/* --- the rows --- */

static const struct scene {
    void (*mode)(struct xenstub *x);
    void (*draw)(struct xenstub *x, unsigned n);
} scenes[] = {
    {screen_text_mode, scroll}, {screen_big_mode, move_window}, {screen_big_mode, show_film}};

/* Draws at an even pace for that long; returns the seconds that it took. */
static double play(struct xenstub *x, const struct scene *s, unsigned *n, double us)
{
    double start = now_us(), next = start;
    while (now_us() - start < us) {
        s->draw(x, ++*n);
        next += FRAME_US;
        double left = next - now_us();
        if (left > 0)
            usleep((unsigned)left);
        else
            next = now_us();
    }
    return (now_us() - start) / 1e6;
}

static bool film_rows(struct xenstub *x, unsigned port, const struct scene *s, unsigned count,
                      double *rows)
{
    static struct watcher w[MANY];
    unsigned n = 0;
    s->draw(x, n);
    bool ok = watchers_start(w, count, port);
    play(x, s, &n, SCENE_US / 6); /* until all have the first picture */
    double cpu = usage_of(xenstub_pid(x), false).cpu_us, bytes = 0, pictures = 0;
    for (unsigned i = 0; ok && i < count; i++) {
        bytes -= received(w[i].c);
        pictures -= atomic_load(&w[i].pictures);
    }
    double seconds = play(x, s, &n, SCENE_US);
    cpu = usage_of(xenstub_pid(x), false).cpu_us - cpu;
    for (unsigned i = 0; ok && i < count; i++) {
        bytes += received(w[i].c);
        pictures += atomic_load(&w[i].pictures);
    }
    watchers_end(w, count);
    if (!ok || pictures < 1)
        return false;
    rows[0] = pictures / count / seconds;
    rows[1] = cpu / 1e3 / pictures;
    rows[2] = bytes / 1024 / pictures;
    return true;
}

static bool all_see(struct watcher *w, unsigned count, unsigned mark, double until)
{
    for (unsigned i = 0; i < count; i++)
        while (atomic_load(&w[i].colour) != mark) {
            if (now_us() > until)
                return false;
            usleep(50);
        }
    return true;
}

/* A key is typed at a viewer, the guest reads it and draws something; until all have seen that. */
static double answer_row(struct xenstub *x, unsigned port, unsigned count)
{
    static struct watcher w[MANY];
    double took[ANSWERS];
    bool ok = watchers_start(w, count, port);
    put_mark(x, 7);
    ok = ok && all_see(w, count, 7, now_us() + 5 * ANSWER_US);
    vcpu_out(x, 0, 0x64, 1, 0x60); /* i8042: translated, no interrupts */
    vcpu_out(x, 0, 0x60, 1, 0x40);
    vcpu_out(x, 0, 0x60, 1, 0x40);
    for (unsigned i = 0; ok && i < ANSWERS; i++) {
        usleep(150000 + i * 7919 % 50000);
        double start = now_us();
        SendKeyEvent(w[0].c, 'a', TRUE);
        while (!(vcpu_in(x, 0, 0x64, 1) & 1) && now_us() - start < ANSWER_US)
            usleep(100);
        put_mark(x, 1 + i % 6);
        ok = all_see(w, count, 1 + i % 6, start + ANSWER_US);
        took[i] = (now_us() - start) / 1e3;
        SendKeyEvent(w[0].c, 'a', FALSE);
        for (unsigned k = 0; k < 200; k++) {
            if (vcpu_in(x, 0, 0x64, 1) & 1)
                vcpu_in(x, 0, 0x60, 1);
            usleep(100);
        }
    }
    watchers_end(w, count);
    return ok ? median(took, ANSWERS) : NAN;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Port reads while a film runs: what 95 of 100 stay below. */
static double reads_beside_film(struct xenstub *x, unsigned port, bool stalled)
{
    static struct watcher w[1];
    static double took[8192];
    unsigned n = 0, count = 0;
    show_film(x, n);
    if (!watchers_start(w, 1, port))
        return NAN;
    play(x, &scenes[2], &n, SCENE_US / 6);
    if (stalled) { /* with what it has asked for on the way */
        int small = 4096;
        setsockopt(w[0].c->sock, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
        atomic_store(&w[0].stalled, true);
        for (unsigned i = 0; i < 50; i++)
            SendFramebufferUpdateRequest(w[0].c, 0, 0, SCREEN_WIDTH, SCREEN_HEIGHT, FALSE);
    }
    play(x, &scenes[2], &n, SCENE_US / 6);
    double start = now_us(), next = start;
    while (now_us() - start < SCENE_US && count < 8192) {
        if (now_us() > next) {
            show_film(x, ++n);
            next += FRAME_US;
        }
        usleep(500);
        double t = now_us();
        vcpu_in(x, 0, 0x3C4, 1);
        took[count++] = now_us() - t;
    }
    watchers_end(w, 1);
    qsort(took, count, sizeof(took[0]), by_value);
    return count ? took[count * 95 / 100] : NAN;
}

bool viewer_rows(struct xenstub *x, const struct setup *s, struct figures *f)
{
    void (*mode)(struct xenstub * x) = screen_text_mode;
    mode(x); /* as firmware leaves it: without, the attribute controller shows nothing */
    for (unsigned i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++) {
        if (scenes[i].mode != mode)
            scenes[i].mode(x);
        mode = scenes[i].mode;
        for (unsigned many = 0; many < 2; many++)
            if (!film_rows(x, s->vnc, &scenes[i], many ? MANY : 1,
                           &f->at[VIEW_FIRST + 6 * i + 3 * many])) {
                fprintf(stderr, "bench: viewers got no pictures\n");
                return false;
            }
    }
    f->at[ANSWER_1] = answer_row(x, s->vnc, 1);
    f->at[ANSWER_8] = answer_row(x, s->vnc, MANY);
    f->at[STALL_NONE] = reads_beside_film(x, s->vnc, false);
    f->at[STALL_ONE] = reads_beside_film(x, s->vnc, true);
    f->at[STALL_RATIO] = f->at[STALL_ONE] / f->at[STALL_NONE];
    return true;
}
