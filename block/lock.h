/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lock: image locks that QEMU's tools respect and that respect theirs. Each right is one byte of
 * the file under a shared open-file-description lock: byte 100+n says "I use right n", byte 200+n
 * "nobody else may use right n". Whoever sets its own bytes and then finds a contrary one backs off
 * (both may, if they come at the same time; never do both go on).
 */
#ifndef BLOCK_LOCK_H
#define BLOCK_LOCK_H

#include <stdbool.h>

#include "hw/core/err.h"

/* The rights, in the order of their bytes. */
enum {
    IMAGE_RIGHT_READ = 1 << 0, /* expects consistent contents */
    IMAGE_RIGHT_WRITE = 1 << 1,
    IMAGE_RIGHT_WRITE_SAME = 1 << 2, /* rewrites that change nothing visible */
    IMAGE_RIGHT_RESIZE = 1 << 3,
};

enum image_lock {
    IMAGE_LOCK_TAKEN,
    IMAGE_LOCK_BUSY,        /* *err: who stands in the way, as a clause: "another process …" */
    IMAGE_LOCK_UNAVAILABLE, /* the file system has no such locks; *err: why */
};

/* Takes the rights `used` on an open image and denies the rights `denied` to others. */
enum image_lock image_lock(int fd, unsigned used, unsigned denied, struct err *err);

/* Drops all of them. */
void image_unlock(int fd);

#endif
