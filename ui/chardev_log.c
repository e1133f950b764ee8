/* SPDX-License-Identifier: GPL-2.0-or-later */
/* chardev_log: see chardev_log.h. A guest prints one character per exit: bytes are collected for a
 * millisecond, as those of the stream are. */
#include "ui/chardev_log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hw/core/log.h"
#include "hw/core/loop.h"

#define GATHER_NS (1 * NS_PER_MS)

struct chardev_log {
    char *label;
    int fd;
    struct timer flush_timer; /* runs while there is something in buf */
    uint64_t limit, written;
    bool complained; /* bytes are being lost */
    size_t len;
    uint8_t buf[4096];
};

static void complain(struct chardev_log *log, const char *why)
{
    if (!log->complained)
        log_warn("%s: logfile: output is being lost: %s", log->label, why);
    log->complained = true;
}

/* A file takes everything at once, unless its disk is full; nothing is tried again. */
static void flush(void *opaque)
{
    struct chardev_log *log = opaque;
    size_t len = log->len;
    timer_disarm(&log->flush_timer);
    log->len = 0;
    if (log->limit && len > log->limit - log->written) {
        complain(log, "the file has reached XEN_QEMU_CONSOLE_LIMIT");
        len = log->limit - log->written;
    }
    for (size_t done = 0; done < len;) {
        ssize_t n = write(log->fd, log->buf + done, len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            complain(log, n ? strerror(errno) : "nothing is taken");
            return;
        }
        done += (size_t)n;
        log->written += (uint64_t)n;
    }
}

struct chardev_log *chardev_log_open(struct loop *loop, const char *label, const char *path,
                                     bool append, uint64_t limit, struct err *err)
{
    struct stat st;
    struct chardev_log *log = calloc(1, sizeof(*log));
    char *copy = log ? strdup(label) : NULL;
    if (!copy) {
        free(log);
        err_set(err, "%s: out of memory", label);
        return NULL;
    }
    log->label = copy;
    timer_init(&log->flush_timer, loop_clock(loop), flush, log);
    signal(SIGXFSZ, SIG_IGN); /* a limit on the file's size must not end the process */
    log->fd =
        open(path,
             O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (append ? O_APPEND : O_TRUNC),
             0644);
    if (log->fd < 0 || fstat(log->fd, &st) < 0) {
        err_set(err, "%s: logfile=%s: %s", label, path, strerror(errno));
        chardev_log_close(log);
        return NULL;
    }
    log->limit = S_ISREG(st.st_mode) ? limit : 0;
    log->written = (uint64_t)st.st_size < limit ? (uint64_t)st.st_size : limit;
    return log;
}

void chardev_log_write(struct chardev_log *log, const uint8_t *buf, size_t len)
{
    while (len) {
        size_t room = sizeof(log->buf) - log->len, n = len < room ? len : room;
        memcpy(log->buf + log->len, buf, n);
        log->len += n;
        buf += n;
        len -= n;
        if (log->len == sizeof(log->buf))
            flush(log);
    }
    if (log->len && !timer_armed(&log->flush_timer))
        timer_arm_in(&log->flush_timer, GATHER_NS);
}

void chardev_log_close(struct chardev_log *log)
{
    if (!log)
        return;
    if (log->fd >= 0) {
        flush(log);
        close(log->fd);
    }
    timer_destroy(&log->flush_timer);
    free(log->label);
    free(log);
}
