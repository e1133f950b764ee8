/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * chardev_mux: one stream shared by several devices and monitors (mux=on, mon:stdio). All of them
 * write to it; what is typed goes to one at a time, chosen with the escape character (Ctrl+A):
 * qemu(1), "Keys in the character backend multiplexer".
 */
#ifndef UI_CHARDEV_MUX_H
#define UI_CHARDEV_MUX_H

#include "ui/chardev.h"

struct chardev_mux;

#define CHARDEV_MUX_MAX    4    /* branches */
#define CHARDEV_MUX_ESCAPE 0x01 /* Ctrl+A */

/* What the keys ask for that is nothing of a stream's; NULL: the key says that it can't. */
struct chardev_mux_actions {
    void (*quit)(void *opaque);   /* x */
    void (*commit)(void *opaque); /* s: what snapshot= images hold goes to their backing files */
    void *opaque;
};

/* Shares `stream`, which is the multiplexer's from now on, also on failure; it must not be in use.
 * escape: 1 to 31, or 0: none, and only the first branch ever gets input. NULL and *err. */
struct chardev_mux *chardev_mux_new(struct loop *loop, struct chardev *stream, unsigned char escape,
                                    const struct chardev_mux_actions *actions, struct err *err);

/* A new branch; what is typed goes to the first one at first. To be closed by chardev_close. NULL
 * and *err: out of memory, or too many. */
struct chardev *chardev_mux_branch(struct chardev_mux *mux, const char *label, struct err *err);

/* Closes the stream. All branches must be closed. NULL: nothing. */
void chardev_mux_free(struct chardev_mux *mux);

#endif
