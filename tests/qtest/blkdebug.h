/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * blkdebug: errors and delays of an image on demand, in the words that the field's device tests use
 * for it: `-drive file=blkdebug:[CONFIG]:IMAGE`, and by the monitor `qemu-io DRIVE "break
 * flush_to_os A"`, `"resume A"`. Of all events there are those of a flush, which here are one:
 * fdatasync(2), taken aside by the linker. All images of the program share it.
 */
#ifndef TESTS_QTEST_BLKDEBUG_H
#define TESTS_QTEST_BLKDEBUG_H

#include <stdbool.h>

#include "hw/core/err.h"

/* The image's name behind "blkdebug:…:"; reads CONFIG, of which [inject-error] event=, errno= and
 * once= count. Any other name is returned as it is. NULL and one line in *err. */
const char *blkdebug_file(const char *name, struct err *err);

/* A line for qemu-io, as human-monitor-command has it. False: it is none that is known. */
bool blkdebug_command(const char *line);

#endif
