/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vnc_listen: the VNC server's listening sockets. They are opened before everything else of the
 * server, so that a port that is taken is known while a refusal still is a failed `xl create`.
 */
#ifndef UI_VNC_LISTEN_H
#define UI_VNC_LISTEN_H

#include <stdbool.h>
#include <stddef.h>

#include "hw/core/err.h"
#include "toolstack/config.h"

#define VNC_MAX_LISTENERS 4

/* An address as query-vnc shows it. */
struct vnc_address {
    char host[108];     /* numeric address, or a UNIX socket's path */
    char service[8];    /* port number; "" for a UNIX socket */
    const char *family; /* "ipv4", "ipv6" or "unix" */
    bool websocket;     /* through the web port */
};

struct vnc_listen {
    int fds[VNC_MAX_LISTENERS];
    unsigned count;
    struct vnc_address address; /* of the first */
    unsigned port;              /* TCP; 0 for a UNIX socket */
    char *unix_path;            /* to be removed at the end */
};

/* Listens as `config` says. False and one line in *err that names the address if it can't, for
 * example because the port is taken; nothing is then left to close. */
bool vnc_listen_open(struct vnc_listen *listen, const struct config_vnc *config, struct err *err);

/* The same for the web port, once the other is open, whose display gives a port that is not said.
 */
bool vnc_listen_open_web(struct vnc_listen *listen, const struct config_vnc *config,
                         const struct vnc_listen *vnc, struct err *err);

/* Closes the sockets and removes a UNIX path. One that is all zeroes is fine. */
void vnc_listen_close(struct vnc_listen *listen);

/* Whether only processes of this host can reach it. */
bool vnc_listen_is_local(const struct vnc_listen *listen);

/* Of a struct sockaddr_storage's address. */
void vnc_address_of(const void *sockaddr, struct vnc_address *address);
/* The same as text, "192.0.2.1:5900" or "[::1]:5900". */
const char *vnc_address_text(const struct vnc_address *address, char *buf, size_t size);

#endif
