/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * web: the guest's screen for browsers. HTTP and WebSocket (RFC 6455) by libwebsockets, on a thread
 * of its own that sees bytes and no device: pages from memory, and for each WebSocket a socket pair
 * whose other end is a viewer's connection like any other. Limits and what is checked: docs/vnc.md.
 */
#ifndef UI_WEB_H
#define UI_WEB_H

#include "hw/core/err.h"
#include "ui/vnc_listen.h"

struct web;
struct loop;

/* What the server works with; all of it must outlive it. */
struct web_config {
    struct loop *loop;
    const struct vnc_listen *listen; /* open */
    const char *tls;   /* folder of server-cert.pem and server-key.pem; NULL: no TLS */
    const char *pages; /* folder of the console page's files */
    /* A browser's viewer has connected; takes the socket. On the loop's thread. */
    void (*viewer)(void *opaque, int sock, const struct vnc_address *peer);
    void *opaque;
};

/*
 * Reads pages and certificates, and serves whoever connects. To be called before confinement. NULL
 * and one line in *err if it can't; without the page's files WebSockets are served all the same,
 * and a line in the log says so.
 */
struct web *web_open(const struct web_config *config, struct err *err);

/* Disconnects everybody and ends the thread. NULL: nothing. */
void web_close(struct web *web);

#endif
