/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_web: hostile browsers against the web server's side of a connection: HTTP, the WebSocket
 * handshake and frames, and the socket behind them. libwebsockets is run on this thread, step by
 * step; what would be the viewer's session sends back what it gets, so that both directions are
 * busy.
 *
 * u8 flags, u8 bytes of a piece / 4 (0: all at once), then the bytes.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"
#include "ui/web_internal.h"

#define UPGRADED 0x01 /* the handshake is done; the bytes are frames */
#define DEAF     0x02 /* the session takes nothing */
#define HANG_UP  0x04 /* the session ends in the middle */

#define MAX_VIEWERS 4

static const char handshake[] = "GET /websockify HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                                "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/* The server, without a loop: its context lives as long as the process. */
static struct web *server(void)
{
    static struct web *web;
    static char page[] = "/vnc.html", script[] = "/app/ui.js";
    static uint8_t text[70000];
    struct err err;
    if (web)
        return web;
    web = calloc(1, sizeof(*web));
    if (!web || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, web->channel))
        abort();
    memset(text, 'x', sizeof(text));
    web->pages.page[0] = (struct web_page){script, "text/javascript", text, sizeof(text)};
    web->pages.page[1] = (struct web_page){page, "text/html", text, 100};
    web->pages.count = 2;
    signal(SIGPIPE, SIG_IGN);
    if (!web_serve_open(web, NULL, &err))
        abort();
    return web;
}

struct run {
    struct web *web;
    int browser;
    int viewers[MAX_VIEWERS];
    unsigned count;
    unsigned flags;
};

static bool take(int fd)
{
    char buf[65536];
    return recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0;
}

/* Sessions give back what they get. */
static void serve_viewers(struct run *r)
{
    struct web_handover h;
    char buf[4096];
    while (recv(r->web->channel[0], &h, sizeof(h), MSG_DONTWAIT) == sizeof(h)) {
        fuzz_assert(h.peer.websocket && h.fd > 2);
        if (r->count == MAX_VIEWERS)
            close(h.fd);
        else
            r->viewers[r->count++] = h.fd;
    }
    for (unsigned i = 0; i < r->count && !(r->flags & DEAF); i++) {
        ssize_t n = recv(r->viewers[i], buf, sizeof(buf), MSG_DONTWAIT);
        if (n > 0 && send(r->viewers[i], buf, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
            continue;
    }
}

static void settle(struct run *r)
{
    for (unsigned i = 0; i < 6; i++) {
        lws_service(r->web->context, -1); /* does not wait */
        serve_viewers(r);
        while (take(r->browser))
            ;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {.p = data, .left = size};
    struct run r = {.web = server()};
    struct linger reset = {.l_onoff = 1};
    int pair[2];
    if (size < 3 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair))
        return 0;
    r.flags = (unsigned)fuzz_take(&in, 1);
    size_t piece = fuzz_take(&in, 1) * 4;
    r.browser = pair[0];
    if (!lws_adopt_socket_vhost(r.web->vhost, pair[1]))
        abort();
    if (r.flags & UPGRADED) {
        (void)!send(r.browser, handshake, sizeof(handshake) - 1, MSG_NOSIGNAL);
        settle(&r);
    }
    while (in.left) {
        size_t len;
        const uint8_t *p = fuzz_take_bytes(&in, piece ? piece : in.left, &len);
        if (send(r.browser, p, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
            break;
        settle(&r);
        if (r.flags & HANG_UP && r.count) {
            close(r.viewers[--r.count]);
            settle(&r);
        }
    }
    setsockopt(r.browser, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(r.browser);
    for (unsigned i = 0; i < r.count; i++)
        close(r.viewers[i]);
    /* Connections and the sockets behind them go in turns. */
    for (unsigned i = 0; i < 8; i++)
        lws_service(r.web->context, -1);
    return 0;
}
