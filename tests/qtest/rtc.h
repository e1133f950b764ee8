/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rtc: the clock part (registers 0 to 13) of the real-time clock, which under Xen is the
 * hypervisor's: Motorola MC146818A data sheet. Time, alarm, periodic, alarm and update-ended
 * interrupts, divider reset, SET. Not there: square wave, daylight saving.
 */
#ifndef TESTS_QTEST_RTC_H
#define TESTS_QTEST_RTC_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/core/clock.h"

#define RTC_REGISTERS 14

struct rtc {
    struct clock *clock;
    void (*irq)(void *opaque, bool level);
    void *opaque;
    uint8_t reg[RTC_REGISTERS]; /* time registers: what the guest wrote while they stand still */
    int64_t seconds;            /* since 1970, at the last second's edge that was dealt with */
    uint64_t origin;        /* clock time from which whole seconds are counted: the divider chain */
    uint64_t edges;         /* seconds since origin that were dealt with */
    uint64_t periods;       /* periodic edges since period_origin that were dealt with */
    uint64_t period_origin; /* cycles since origin: the last edge before the rate was changed */
    bool level;
    struct timer timer;
};

/* A clock that shows `seconds` since 1970 (UTC) now. irq gets IRQ 8's level when it changes. */
void rtc_init(struct rtc *rtc, struct clock *clock, int64_t seconds,
              void (*irq)(void *opaque, bool level), void *opaque);
void rtc_destroy(struct rtc *rtc);

/* The RESET pin: interrupt enables and flags. */
void rtc_reset(struct rtc *rtc);

/* index 0..13 */
uint8_t rtc_read(struct rtc *rtc, unsigned index);
void rtc_write(struct rtc *rtc, unsigned index, uint8_t value);

#endif
