/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * chardev_end: chardevs whose other end is in this process: a text console, a branch of a
 * multiplexer. Who makes one has the functions below for what a peer does.
 */
#ifndef UI_CHARDEV_END_H
#define UI_CHARDEV_END_H

#include "ui/chardev.h"

struct chardev_end {
    /* The device writes: as chardev_write. */
    size_t (*write)(void *opaque, const uint8_t *buf, size_t len);
    /* The device may have room again: deliver what waits. Never called from within
     * chardev_deliver. */
    void (*accept_input)(void *opaque);
    /* The chardev is being closed. */
    void (*close)(void *opaque);
};

/* NULL and *err when memory is short. Connected from the start. */
struct chardev *chardev_new(struct loop *loop, const char *label, const char *filename,
                            const struct chardev_end *end, void *opaque, struct err *err);

/* How many bytes the device takes now; 0 without a device. */
size_t chardev_room(struct chardev *chardev);
/* Gives the device bytes, no more than chardev_room said. */
void chardev_deliver(struct chardev *chardev, const uint8_t *buf, size_t len);
/* After a short write: there is space again. */
void chardev_writable(struct chardev *chardev);
void chardev_line_break(struct chardev *chardev);
void chardev_focus(struct chardev *chardev, bool focus);

#endif
