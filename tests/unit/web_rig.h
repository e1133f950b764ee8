/* SPDX-License-Identifier: GPL-2.0-or-later */
/* web_rig: the VNC server's rig with a web port, and a browser's side of it made of bare sockets.
 */
#ifndef TESTS_UNIT_WEB_RIG_H
#define TESTS_UNIT_WEB_RIG_H

#include <sys/stat.h>

#include "tests/unit/vnc_rig.h"
#include "ui/web.h"

struct web_rig {
    struct rig *rig;
    struct vnc_listen listen;
    struct web_config config;
    struct web *web;
    char host[32]; /* "127.0.0.1:5799" */
};

static inline void web_viewer(void *opaque, int sock, const struct vnc_address *peer)
{
    struct rig *rig = opaque;

    assert_true(peer->websocket);
    vnc_adopt(rig->vnc, sock, peer);
}

static inline void open_web(void *arg)
{
    struct web_rig *w = arg;
    struct err err = {.text = ""};

    w->web = web_open(&w->config, &err);
    if (!w->web)
        print_error("%s\n", err.text);
}

static inline void close_web(void *arg)
{
    struct web_rig *w = arg;

    web_close(w->web);
}

/* A web port in front of the rig's server, which is open. */
static inline void web_rig_open(struct web_rig *w, struct rig *rig, const char *pages,
                                const char *tls)
{
    struct err err = {.text = ""};
    struct config_vnc config = {.enabled = true, .host = "127.0.0.1", .websocket = true};

    memset(w, 0, sizeof(*w));
    w->rig = rig;
    for (config.web_port = 5900 + rig->port % 97; config.web_port < 6400; config.web_port++) {
        if (vnc_listen_open_web(&w->listen, &config, &rig->listen, &err))
            break;
    }
    assert_int_equal(w->listen.count, 1);
    assert_true(w->listen.address.websocket);
    snprintf(w->host, sizeof(w->host), "127.0.0.1:%u", w->listen.port);
    w->config = (struct web_config){.loop = rig->loop,
                                    .listen = &w->listen,
                                    .tls = tls,
                                    .pages = pages,
                                    .viewer = web_viewer,
                                    .opaque = rig};
    on_loop(rig, open_web, w);
    assert_non_null(w->web);
}

static inline void web_rig_close(struct web_rig *w)
{
    on_loop(w->rig, close_web, w);
    vnc_listen_close(&w->listen);
}

static inline int web_connect(struct web_rig *w)
{
    struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
    struct sockaddr_in sa = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)w->listen.port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    return fd;
}

#endif
