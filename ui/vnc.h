/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vnc: the guest's screen and keyboard for RFB viewers (RFC 6143), encoded by libvncserver. The
 * loop's thread listens; every connection has a thread of its own, which sees no device. How the
 * work is divided, and what is refused: docs/vnc.md.
 */
#ifndef UI_VNC_H
#define UI_VNC_H

#include <stdbool.h>
#include <stddef.h>

#include "hw/core/err.h"
#include "toolstack/config.h"

struct vnc;
struct loop;
struct display;
struct input;
struct keymap;

#define VNC_MAX_CLIENTS 16 /* connections at once, viewers and those still in the handshake */

/* An address as query-vnc shows it. */
struct vnc_address {
    char host[108];     /* numeric address, or a UNIX socket's path */
    char service[8];    /* port number; "" for a UNIX socket */
    const char *family; /* "ipv4", "ipv6" or "unix" */
};

struct vnc_info {
    struct vnc_address address;
    const char *auth; /* "none" or "vnc" */
    size_t client_count;
    struct vnc_address clients[VNC_MAX_CLIENTS];
};

/*
 * Listens as `config` says. `name` is the guest's, for the viewer's title (NULL: none). keymap
 * NULL: only viewers that send key positions can type. Returns NULL and *err (one line that names
 * the address) if it can't, for example because the port is taken. The objects passed in must
 * outlive the server.
 */
struct vnc *vnc_open(struct loop *loop, struct display *display, struct input *input,
                     const struct keymap *keymap, const struct config_vnc *config, const char *name,
                     struct err *err);

/* Disconnects everybody and waits for their threads (which end at once). NULL: nothing. */
void vnc_close(struct vnc *vnc);

/*
 * Sets what the next viewers must know; only the first 8 bytes count (RFC 6143 7.2.2). NULL or "":
 * nobody gets in. Viewers that are in stay. False and *err if the server was opened without
 * password=on: nothing would ask for it.
 */
bool vnc_set_password(struct vnc *vnc, const char *password, struct err *err);

/* The TCP port it listens on; 0 for a UNIX socket. */
unsigned vnc_port(const struct vnc *vnc);

void vnc_get_info(const struct vnc *vnc, struct vnc_info *info);

#endif
