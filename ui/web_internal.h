/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * web_internal: what the two sides of the web server share. web.c is the loop's thread: it accepts,
 * and takes over what has become a viewer. web_serve.c is the server's thread, in libwebsockets'
 * callbacks. They meet in a socket pair that carries descriptors' numbers.
 */
#ifndef UI_WEB_INTERNAL_H
#define UI_WEB_INTERNAL_H

#include <libwebsockets.h>
#include <pthread.h>
#include <stdatomic.h>

#include "hw/core/loop.h"
#include "ui/web.h"
#include "ui/web_pages.h"

/* One message of the channel. To the server's thread: a connection. To the loop: a viewer. */
struct web_handover {
    int fd;
    struct vnc_address peer;
};

struct web {
    struct loop *loop;
    void (*viewer)(void *opaque, int sock, const struct vnc_address *peer);
    void *opaque;

    struct web_listener {
        struct web *web;
        int fd; /* vnc_listen's */
        struct loop_source source;
    } listeners[VNC_MAX_LISTENERS];
    unsigned listener_count;
    unsigned accept_tokens; /* connections that may still come this second */
    uint64_t accept_since;
    struct timer accept_timer;

    int channel[2]; /* the loop's end, the thread's */
    struct loop_source channel_source;
    pthread_t thread; /* from the first connection on */
    bool has_thread;
    atomic_bool stop;

    /* The thread's */
    struct web_pages pages;
    struct lws_context *context;
    struct lws_vhost *vhost;
};

/* web_serve.c */

/* Makes libwebsockets' context, with the certificates of folder `tls` (NULL: none). */
bool web_serve_open(struct web *web, const char *tls, struct err *err);
void web_serve_close(struct web *web);
/* The thread; ends when web->stop is set and lws_cancel_service called. */
void *web_serve(void *web);

#endif
