/* SPDX-License-Identifier: GPL-2.0-or-later */
/* chardev_log: what a device writes, in a file beside its stream (logfile=). */
#ifndef UI_CHARDEV_LOG_H
#define UI_CHARDEV_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/core/err.h"

struct chardev_log;
struct loop;

/* Opens the file, which is emptied unless `append`; at most `limit` bytes get into it (0: no
 * limit). NULL and *err, which begins with `label`. */
struct chardev_log *chardev_log_open(struct loop *loop, const char *label, const char *path,
                                     bool append, uint64_t limit, struct err *err);
void chardev_log_write(struct chardev_log *log, const uint8_t *buf, size_t len);
void chardev_log_close(struct chardev_log *log); /* NULL is fine */

#endif
