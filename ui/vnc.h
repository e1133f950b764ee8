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
#include <stdint.h>
#include <time.h>

#include "hw/core/err.h"
#include "ui/vnc_listen.h"

struct vnc;
struct loop;
struct display;
struct input;
struct keymap;

#define VNC_NEVER       INT64_MAX
#define VNC_MAX_CLIENTS 16 /* connections at once, viewers and those still in the handshake */

/* What happens to connections. */
enum vnc_change {
    VNC_CONNECTED,   /* somebody has connected */
    VNC_INITIALIZED, /* and has been let in */
    VNC_DISCONNECTED,
};

/* What the server works with; all of it must outlive it. */
struct vnc_config {
    struct loop *loop;
    struct display *display;
    struct input *input;
    const struct keymap *keymap;      /* NULL: only viewers that send key positions can type */
    const struct vnc_listen *listen;  /* open */
    const struct config_vnc *options; /* password, sharing, lock keys */
    const char *name;                 /* the guest's, for the viewer's title; NULL: none */
    /* Told of every connection, on the loop's thread; may be NULL. */
    void (*event)(void *opaque, enum vnc_change change, const struct vnc_address *viewer);
    void *opaque;
};

/* Serves whoever connects. NULL and one line in *err if it can't. */
struct vnc *vnc_open(const struct vnc_config *config, struct err *err);

/* Disconnects everybody and waits for their threads (which end at once). NULL: nothing. */
void vnc_close(struct vnc *vnc);

/*
 * Sets what the next viewers must know; only the first 8 bytes count (RFC 6143 7.2.2). NULL or "":
 * nobody gets in with it. view_only: the password of those who may look and not touch. Viewers that
 * are in stay. False and *err if the server was opened without password=on: nothing would ask for
 * it.
 */
bool vnc_set_password(struct vnc *vnc, const char *password, bool view_only, struct err *err);

/* From `when` on (seconds since 1970) no password lets anybody in, until another time is set;
 * VNC_NEVER at first. False as above. */
bool vnc_expire_password(struct vnc *vnc, time_t when, struct err *err);

/* Takes over a connected stream socket as a viewer's connection that has just come; closes it if
 * there is no place for one. */
void vnc_adopt(struct vnc *vnc, int sock, const struct vnc_address *peer);

/* Fills `list` with the addresses of the viewers that are in; returns how many. */
size_t vnc_clients(const struct vnc *vnc, struct vnc_address list[VNC_MAX_CLIENTS]);

#endif
