/* SPDX-License-Identifier: GPL-2.0-or-later */
/* log: see log.h. */
#include "hw/core/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define GUEST_BURST      32 /* lines at once */
#define GUEST_INTERVAL_S 10 /* then one line each so many seconds */

static char prefix[32] = "hvm-dm";
static enum log_level wanted = LOG_LEVEL_GUEST;

void log_set_level(enum log_level level)
{
    wanted = level;
}

void log_init(int domid)
{
    if (domid >= 0)
        snprintf(prefix, sizeof(prefix), "hvm-dm[%d]", domid);
    else
        snprintf(prefix, sizeof(prefix), "hvm-dm");
}

/* One write call a line, so that lines of several threads do not mix. */
static void __attribute__((format(printf, 2, 0)))
emit(const char *kind, const char *fmt, va_list ap)
{
    char line[4096 + 1024];
    int n = snprintf(line, sizeof(line), "%s: %s", prefix, kind);
    int m = vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap);
    if (m < 0)
        return;
    size_t len = strlen(line);
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = '?';
    line[len++] = '\n';
    ssize_t done = write(STDERR_FILENO, line, len);
    (void)done; /* nobody is left to be told */
}

#define EMIT(level, kind)     \
    do {                      \
        va_list ap;           \
        if (wanted < (level)) \
            break;            \
        va_start(ap, fmt);    \
        emit(kind, fmt, ap);  \
        va_end(ap);           \
    } while (0)

void log_info(const char *fmt, ...)
{
    EMIT(LOG_LEVEL_INFO, "");
}

void log_warn(const char *fmt, ...)
{
    EMIT(LOG_LEVEL_WARNING, "warning: ");
}

void log_error(const char *fmt, ...)
{
    EMIT(LOG_LEVEL_ERROR, "error: ");
}

void guest_error(const char *device, const char *fmt, ...)
{
    static unsigned allowance = GUEST_BURST;
    static unsigned long left_out;
    static time_t refilled;

    if (wanted < LOG_LEVEL_GUEST)
        return;
    if (!allowance) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
        if (now.tv_sec - refilled < GUEST_INTERVAL_S) {
            left_out++;
            return;
        }
        refilled = now.tv_sec;
        allowance = 1;
    }
    if (!--allowance) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
        refilled = now.tv_sec;
    }

    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (left_out)
        log_info("guest: %s: %s (%lu more left out)", device, text, left_out);
    else
        log_info("guest: %s: %s", device, text);
    left_out = 0;
}
