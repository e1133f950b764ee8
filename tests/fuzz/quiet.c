/* SPDX-License-Identifier: GPL-2.0-or-later */
/* quiet: log lines are made, so that their arguments are looked at, and then dropped: what a fuzzer
 * prints is its own, and the real ration of lines would carry over from run to run. */
#include <stdarg.h>
#include <stdio.h>

void __wrap_guest_error(const char *device, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void __wrap_log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void __wrap_log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void __wrap_log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static volatile int length;

#define MAKE_LINE()                                      \
    do {                                                 \
        char line[512];                                  \
        va_list ap;                                      \
        va_start(ap, fmt);                               \
        length = vsnprintf(line, sizeof(line), fmt, ap); \
        va_end(ap);                                      \
    } while (0)

void __wrap_guest_error(const char *device, const char *fmt, ...)
{
    length = *device;
    MAKE_LINE();
}

void __wrap_log_info(const char *fmt, ...)
{
    MAKE_LINE();
}

void __wrap_log_warn(const char *fmt, ...)
{
    MAKE_LINE();
}

void __wrap_log_error(const char *fmt, ...)
{
    MAKE_LINE();
}
