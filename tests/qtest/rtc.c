/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rtc: see rtc.h. Nothing happens second by second: what has passed is worked out when somebody
 * looks, and a timer is armed only for the next edge that would interrupt.
 */
#include "tests/qtest/rtc.h"

#include <string.h>
#include <time.h>

enum {
    SECONDS = 0,
    SECONDS_ALARM = 1,
    MINUTES = 2,
    MINUTES_ALARM = 3,
    HOURS = 4,
    HOURS_ALARM = 5,
    WEEKDAY = 6,
    DAY = 7,
    MONTH = 8,
    YEAR = 9,
    REG_A = 10,
    REG_B = 11,
    REG_C = 12,
    REG_D = 13,
};

#define A_UIP     0x80
#define A_DIVIDER 0x70
#define A_RUN     0x20 /* a 32,768 Hz crystal */
#define A_RATE    0x0F
#define B_SET     0x80
#define B_BINARY  0x04
#define B_24_HOUR 0x02
#define C_IRQ     0x80
#define C_PERIOD  0x40
#define C_ALARM   0x20
#define C_UPDATE  0x10
#define C_FLAGS   (C_PERIOD | C_ALARM | C_UPDATE) /* as the enables in register B */
#define D_VALID   0x80
#define ANY       0xC0 /* alarm: these bits say "whatever it is" */
#define PM        0x80
#define DAY_S     86400
#define CRYSTAL   32768
#define UPDATE_NS (8 * NS_PER_S / CRYSTAL) /* UIP goes up 244 us before the edge */

static bool divider_runs(const struct rtc *r)
{
    return (r->reg[REG_A] & A_DIVIDER) <= A_RUN;
}

/* Do the time registers follow? */
static bool updates(const struct rtc *r)
{
    return divider_runs(r) && !(r->reg[REG_B] & B_SET);
}

/* ---- Registers and seconds ---- */

static uint8_t encode(const struct rtc *r, int v)
{
    return (uint8_t)(r->reg[REG_B] & B_BINARY ? v : v / 10 << 4 | v % 10);
}

static int decode(const struct rtc *r, uint8_t v)
{
    return r->reg[REG_B] & B_BINARY ? v : (v >> 4) * 10 + (v & 15);
}

static uint8_t encode_hour(const struct rtc *r, int hour)
{
    if (r->reg[REG_B] & B_24_HOUR)
        return encode(r, hour);
    return (uint8_t)(encode(r, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? PM : 0));
}

static int decode_hour(const struct rtc *r, uint8_t v)
{
    if (r->reg[REG_B] & B_24_HOUR)
        return decode(r, v);
    return decode(r, v & (uint8_t)~PM) % 12 + (v & PM ? 12 : 0);
}

static void to_registers(struct rtc *r)
{
    struct tm tm;
    time_t t = (time_t)r->seconds;
    if (!gmtime_r(&t, &tm))
        return;
    r->reg[SECONDS] = encode(r, tm.tm_sec);
    r->reg[MINUTES] = encode(r, tm.tm_min);
    r->reg[HOURS] = encode_hour(r, tm.tm_hour);
    r->reg[WEEKDAY] = encode(r, tm.tm_wday + 1);
    r->reg[DAY] = encode(r, tm.tm_mday);
    r->reg[MONTH] = encode(r, tm.tm_mon + 1);
    r->reg[YEAR] = encode(r, tm.tm_year % 100);
}

static void from_registers(struct rtc *r)
{
    struct tm tm = {
        .tm_sec = decode(r, r->reg[SECONDS]),
        .tm_min = decode(r, r->reg[MINUTES]),
        .tm_hour = decode_hour(r, r->reg[HOURS]),
        .tm_mday = decode(r, r->reg[DAY]),
        .tm_mon = decode(r, r->reg[MONTH]) - 1,
        .tm_year = 100 + decode(r, r->reg[YEAR]),
    };
    r->seconds = timegm(&tm);
}

static bool alarm_at(const struct rtc *r, int64_t seconds)
{
    int s = (int)(seconds % DAY_S);
    const uint8_t *a = r->reg;
    return (a[SECONDS_ALARM] >= ANY || a[SECONDS_ALARM] == encode(r, s % 60)) &&
           (a[MINUTES_ALARM] >= ANY || a[MINUTES_ALARM] == encode(r, s / 60 % 60)) &&
           ((a[HOURS_ALARM] & ANY) == ANY || a[HOURS_ALARM] == encode_hour(r, s / 3600));
}

/* ---- What has passed ---- */

/* log2 of the periodic rate's divider of 32,768 Hz, or -1: off. */
static int rate_shift(const struct rtc *r)
{
    int rate = r->reg[REG_A] & A_RATE;
    return rate == 0 ? -1 : rate <= 2 ? rate + 6 : rate - 1;
}

/* Of the crystal, since the periods are counted. */
static uint64_t cycles(const struct rtc *r, uint64_t now)
{
    return (uint64_t)((unsigned __int128)(now - r->origin) * CRYSTAL / NS_PER_S) - r->period_origin;
}

static void pass_time(struct rtc *r)
{
    if (!divider_runs(r))
        return;
    uint64_t now = clock_now(r->clock);
    uint64_t edges = (now - r->origin) / NS_PER_S;
    int shift = rate_shift(r);
    if (shift >= 0 && cycles(r, now) >> shift > r->periods) {
        r->periods = cycles(r, now) >> shift;
        r->reg[REG_C] |= C_PERIOD;
    }
    if (edges > r->edges && updates(r)) {
        uint64_t n = edges - r->edges;
        for (uint64_t i = 1; i <= n && i <= DAY_S && !(r->reg[REG_C] & C_ALARM); i++)
            if (alarm_at(r, r->seconds + (int64_t)i))
                r->reg[REG_C] |= C_ALARM;
        r->seconds += (int64_t)n;
        r->reg[REG_C] |= C_UPDATE;
        to_registers(r);
    }
    r->edges = edges;
}

/* The interrupt line and the next edge that may raise it. The only place that does either. */
static void update(struct rtc *r)
{
    uint8_t enabled = r->reg[REG_B] & C_FLAGS, wanted = enabled & (uint8_t)~r->reg[REG_C];
    bool level = r->reg[REG_C] & enabled;
    if (level)
        r->reg[REG_C] |= C_IRQ;
    else
        r->reg[REG_C] &= (uint8_t)~C_IRQ;
    uint64_t next = CLOCK_NEVER;
    if (updates(r) && (wanted & (C_UPDATE | C_ALARM)))
        next = r->origin + (r->edges + 1) * NS_PER_S;
    int shift = rate_shift(r);
    if (divider_runs(r) && shift >= 0 && (wanted & C_PERIOD)) {
        unsigned __int128 cycle = ((unsigned __int128)(r->periods + 1) << shift) + r->period_origin;
        uint64_t at = r->origin + (uint64_t)((cycle * NS_PER_S + CRYSTAL - 1) / CRYSTAL);
        next = at < next ? at : next;
    }
    if (next == CLOCK_NEVER)
        timer_disarm(&r->timer);
    else
        timer_arm(&r->timer, next);
    if (level != r->level) {
        r->level = level;
        r->irq(r->opaque, level);
    }
}

static void edge(void *opaque)
{
    struct rtc *r = opaque;
    pass_time(r);
    update(r);
}

/* ---- Accesses ---- */

uint8_t rtc_read(struct rtc *r, unsigned index)
{
    pass_time(r);
    uint8_t v = r->reg[index];
    if (index == REG_A && updates(r) &&
        (clock_now(r->clock) - r->origin) % NS_PER_S >= NS_PER_S - UPDATE_NS)
        v |= A_UIP;
    if (index == REG_C)
        r->reg[REG_C] = 0;
    update(r);
    return index == REG_C && (v & C_FLAGS & r->reg[REG_B]) ? v | C_IRQ : v;
}

static void write_a(struct rtc *r, uint8_t value)
{
    bool ran = divider_runs(r);
    int old_shift = rate_shift(r);
    uint8_t before = r->reg[REG_A];
    r->reg[REG_A] = value & (uint8_t)~A_UIP;
    if (!ran && divider_runs(r)) {
        /* Out of divider reset: the first update cycle begins half a second later. */
        r->origin = clock_now(r->clock) - NS_PER_S / 2;
        r->edges = r->periods = r->period_origin = 0;
        if (!(r->reg[REG_B] & B_SET))
            from_registers(r);
    }
    if (!((before ^ value) & A_RATE) && ran)
        return;
    /* The new period begins at the last edge of the old one: so the field's tests want it, though
     * the chip's rates are taps of one divider chain. */
    if (ran && old_shift >= 0)
        r->period_origin += r->periods << old_shift;
    r->periods = rate_shift(r) < 0 ? 0 : cycles(r, clock_now(r->clock)) >> rate_shift(r);
}

static void write_b(struct rtc *r, uint8_t value)
{
    if (value & B_SET)
        value &= (uint8_t)~C_UPDATE; /* SET clears UIE */
    bool updated = updates(r);
    if (!updated && !(value & B_SET) && divider_runs(r))
        from_registers(r); /* as the guest wrote them, in the format it wrote them in */
    r->reg[REG_B] = value;
    if (updated || updates(r))
        to_registers(r);
}

void rtc_write(struct rtc *r, unsigned index, uint8_t value)
{
    pass_time(r);
    switch (index) {
    case REG_A:
        write_a(r, value);
        break;
    case REG_B:
        write_b(r, value);
        break;
    case REG_C:
    case REG_D:
        break; /* read-only */
    default:
        r->reg[index] = value;
        if (updates(r) && index != SECONDS_ALARM && index != MINUTES_ALARM &&
            index != HOURS_ALARM && index != WEEKDAY)
            from_registers(r);
    }
    update(r);
}

void rtc_reset(struct rtc *r)
{
    pass_time(r);
    r->reg[REG_B] &= (uint8_t)~C_FLAGS;
    r->reg[REG_C] = 0;
    update(r);
}

void rtc_init(struct rtc *r, struct clock *clock, int64_t seconds,
              void (*irq)(void *opaque, bool level), void *opaque)
{
    *r = (struct rtc){.clock = clock, .irq = irq, .opaque = opaque, .seconds = seconds};
    r->reg[REG_A] = A_RUN | 6; /* 1024 Hz, as a PC's firmware leaves it */
    r->reg[REG_B] = B_24_HOUR;
    r->reg[REG_D] = D_VALID;
    r->origin = clock_now(clock);
    timer_init(&r->timer, clock, edge, r);
    to_registers(r);
}

void rtc_destroy(struct rtc *r)
{
    if (r->clock)
        timer_destroy(&r->timer);
}
