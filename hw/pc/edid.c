/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * edid: see edid.h. Section numbers are those of the E-EDID Standard, Release A, Revision 2;
 * timings are VESA's Coordinated Video Timings 1.1 with reduced blanking.
 */
#include "hw/pc/edid.h"

#include <string.h>

#define RATE        60
#define H_FRONT     48 /* CVT 1.1, table 3-4: reduced blanking */
#define H_SYNC      32
#define H_BLANK     160
#define V_FRONT     3
#define V_BACK_MIN  6
#define V_BLANK_US  460
#define CLOCK_STEP  250000 /* Hz */
#define DOTS_A_INCH 96

struct timing {
    unsigned x, y, v_sync, v_blank;
    uint32_t clock_10khz;
};

/* CVT 1.1, table 3-2: the width of the vertical sync says what shape the picture has. */
static unsigned v_sync(unsigned x, unsigned y)
{
    if (x * 3 == y * 4)
        return 4;
    if (x * 9 == y * 16)
        return 5;
    if (x * 10 == y * 16)
        return 6;
    if (x * 4 == y * 5 || x * 9 == y * 15)
        return 7;
    return 10;
}

static struct timing timing_of(unsigned x, unsigned y)
{
    struct timing t = {.x = x, .y = y, .v_sync = v_sync(x, y)};
    /* Lines in 460 us, at least as long a blank: a line's time is (1/60 s - 460 us) / y. */
    uint64_t rest_ns = UINT64_C(1000000000) / RATE - V_BLANK_US * 1000;
    t.v_blank = (unsigned)(UINT64_C(1000) * V_BLANK_US * y / rest_ns) + 1;
    if (t.v_blank < V_FRONT + t.v_sync + V_BACK_MIN)
        t.v_blank = V_FRONT + t.v_sync + V_BACK_MIN;
    uint64_t hz = (uint64_t)RATE * (y + t.v_blank) * (x + H_BLANK);
    t.clock_10khz = (uint32_t)(hz / CLOCK_STEP * CLOCK_STEP / 10000);
    return t;
}

/* 3.10.2: detailed timing descriptor. */
static void put_timing(uint8_t *d, const struct timing *t)
{
    unsigned width_mm = t->x * 254 / (DOTS_A_INCH * 10),
             height_mm = t->y * 254 / (DOTS_A_INCH * 10);
    d[0] = (uint8_t)t->clock_10khz;
    d[1] = (uint8_t)(t->clock_10khz >> 8);
    d[2] = (uint8_t)t->x;
    d[3] = H_BLANK;
    d[4] = (uint8_t)(t->x >> 8 << 4);
    d[5] = (uint8_t)t->y;
    d[6] = (uint8_t)t->v_blank;
    d[7] = (uint8_t)(t->y >> 8 << 4 | t->v_blank >> 8);
    d[8] = H_FRONT;
    d[9] = H_SYNC;
    d[10] = (uint8_t)(V_FRONT << 4 | (t->v_sync & 15));
    d[12] = (uint8_t)width_mm;
    d[13] = (uint8_t)height_mm;
    d[14] = (uint8_t)(width_mm >> 8 << 4 | height_mm >> 8);
    d[17] = 0x1A; /* separate syncs, horizontal positive, vertical negative */
}

/* 3.9: standard timings, at 60 Hz. */
static void put_standard_timings(uint8_t *to, unsigned xres, unsigned yres, uint64_t max_pixels)
{
    static const struct {
        uint16_t x, y;
        uint8_t shape; /* bits 7:6 */
    } sizes[] = {
        {1920, 1200, 0x00}, {1920, 1080, 0xC0}, {1680, 1050, 0x00}, {1600, 1200, 0x40},
        {1440, 900, 0x00},  {1280, 1024, 0x80}, {1280, 960, 0x40},  {1280, 720, 0xC0},
    };
    for (unsigned i = 0; i < 8; i++) {
        bool fits = sizes[i].x <= xres && sizes[i].y <= yres &&
                    (uint64_t)sizes[i].x * sizes[i].y <= max_pixels;
        to[2 * i] = fits ? (uint8_t)(sizes[i].x / 8 - 31) : 1;
        to[2 * i + 1] = fits ? sizes[i].shape : 1;
    }
}

/* 3.10.3: display descriptors. */
static void put_descriptor(uint8_t *d, uint8_t tag, const uint8_t *data, unsigned len)
{
    d[3] = tag;
    memcpy(d + 5, data, len);
    if (len < 13)
        d[5 + len] = '\n';
    for (unsigned i = len + 1; i < 13; i++)
        d[5 + i] = ' ';
}

bool edid_make(uint8_t edid[EDID_SIZE], unsigned xres, unsigned yres, uint64_t max_pixels)
{
    /* 3.3 to 3.8: header, "HVM" 1 of 2026, EDID 1.4, a digital input of 8 bits a colour, gamma 2.2,
     * sRGB and its chromaticity, the first timing is the native one. */
    static const uint8_t head[] = {0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x22,
                                   0xCD, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x24,
                                   0x01, 0x04, 0xA0, 0x00, 0x00, 0x78, 0x06, 0xEE, 0x91,
                                   0xA3, 0x54, 0x4C, 0x99, 0x26, 0x0F, 0x50, 0x54};
    static const uint8_t name[] = {'h', 'v', 'm', '-', 'd', 'm'};
    if (xres < EDID_MIN_X || xres > EDID_MAX_X || xres % 8 || yres < EDID_MIN_Y ||
        yres > EDID_MAX_Y)
        return false;
    const struct timing t = timing_of(xres, yres);
    if (t.clock_10khz > UINT16_MAX)
        return false;
    memset(edid, 0, EDID_SIZE);
    memcpy(edid, head, sizeof(head));
    edid[21] = (uint8_t)(xres * 254 / (DOTS_A_INCH * 100));
    edid[22] = (uint8_t)(yres * 254 / (DOTS_A_INCH * 100));
    edid[35] = (uint8_t)(0x20 | (xres >= 800 && yres >= 600 ? 0x01 : 0)); /* 640x480, 800x600 */
    edid[36] = xres >= 1024 && yres >= 768 ? 0x08 : 0;
    put_standard_timings(edid + 38, xres, yres, max_pixels);
    put_timing(edid + 54, &t);
    put_descriptor(edid + 72, 0xFC, name, sizeof(name));
    /* Hz, kHz, tens of MHz; nothing but these limits. */
    const uint8_t range[] = {50, 125, 30, 160, (uint8_t)((t.clock_10khz + 999) / 1000), 0x01};
    put_descriptor(edid + 90, 0xFD, range, sizeof(range));
    edid[108 + 3] = 0x10; /* unused */
    uint8_t sum = 0;
    for (unsigned i = 0; i < EDID_SIZE - 1; i++)
        sum = (uint8_t)(sum + edid[i]);
    edid[EDID_SIZE - 1] = (uint8_t)-sum;
    return true;
}
