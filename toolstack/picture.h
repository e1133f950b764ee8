/* SPDX-License-Identifier: GPL-2.0-or-later */
/* picture: the guest's screen as a file (PNG: W3C's specification, second edition; PPM: netpbm's
 * P6). */
#ifndef TOOLSTACK_PICTURE_H
#define TOOLSTACK_PICTURE_H

#include <stdbool.h>

#include "hw/core/err.h"

struct surface;

/* Write `picture` to fd (a regular file at its start, which stays the caller's). False and *err if
 * it does not take it. */
bool picture_png(int fd, const struct surface *picture, struct err *err); /* RGB, 8 bits */
bool picture_ppm(int fd, const struct surface *picture, struct err *err); /* "P6" */

#endif
