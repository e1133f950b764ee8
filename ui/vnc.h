/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vnc: the guest's screen and keyboard for RFB viewers (RFC 6143), encoded by libvncserver. The
 * loop's thread accepts; every connection has a thread of its own, which sees no device. How the
 * work is divided, and what is refused: docs/vnc.md.
 */
#ifndef UI_VNC_H
#define UI_VNC_H

#include <stdbool.h>
#include <stddef.h>

#include "hw/core/err.h"
#include "ui/vnc_listen.h"

struct vnc;
struct loop;
struct display;
struct input;
struct keymap;

#define VNC_MAX_CLIENTS 16 /* connections at once, viewers and those still in the handshake */

/* What the server works with; all of it must outlive it. */
struct vnc_config {
    struct loop *loop;
    struct display *display;
    struct input *input;
    const struct keymap *keymap;      /* NULL: only viewers that send key positions can type */
    const struct vnc_listen *listen;  /* open */
    const struct config_vnc *options; /* password, sharing, lock keys */
    const char *name;                 /* the guest's, for the viewer's title; NULL: none */
};

/* Serves whoever connects. NULL and one line in *err if it can't. */
struct vnc *vnc_open(const struct vnc_config *config, struct err *err);

/* Disconnects everybody and waits for their threads (which end at once). NULL: nothing. */
void vnc_close(struct vnc *vnc);

/*
 * Sets what the next viewers must know; only the first 8 bytes count (RFC 6143 7.2.2). NULL or "":
 * nobody gets in. Viewers that are in stay. False and *err if the server was opened without
 * password=on: nothing would ask for it.
 */
bool vnc_set_password(struct vnc *vnc, const char *password, struct err *err);

/* Fills `list` with the addresses of the viewers that are in; returns how many. */
size_t vnc_clients(const struct vnc *vnc, struct vnc_address list[VNC_MAX_CLIENTS]);

#endif
