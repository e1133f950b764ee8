/* SPDX-License-Identifier: GPL-2.0-or-later */
/* web: the loop's side of the web server: it accepts, and passes viewers on. */
#include "ui/web.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hw/core/log.h"
#include "hw/core/thread.h"
#include "ui/web_internal.h"

#define ACCEPT_BURST 64 /* connections a second */
#define THREAD_STACK (256 * 1024)
#define KEEPALIVE_S  60    /* silence after which the kernel asks whether the peer still is */
#define DEAD_PEER_MS 30000 /* no acknowledgement for that long: it is not */

static void listen_to_all(struct web *web, uint32_t events)
{
    for (unsigned i = 0; i < web->listener_count; i++)
        loop_watch_events(web->loop, &web->listeners[i].source, events);
}

/* Those that come meanwhile wait in the kernel's queue. */
static void pause_accepting(struct web *web)
{
    listen_to_all(web, 0);
    timer_arm_in(&web->accept_timer, NS_PER_S);
}

static void accept_again(void *opaque)
{
    listen_to_all(opaque, EPOLLIN);
}

static bool may_accept(struct web *web)
{
    uint64_t now = clock_now(loop_clock(web->loop));

    if (now - web->accept_since >= NS_PER_S || web->accept_since == 0) {
        web->accept_since = now;
        web->accept_tokens = ACCEPT_BURST;
    }
    if (web->accept_tokens == 0)
        return false;
    web->accept_tokens--;
    return true;
}

/* Nobody has it before it is needed: a guest whose page nobody opens has no such thread. */
static bool start_thread(struct web *web)
{
    if (!web->has_thread)
        web->has_thread = thread_start(&web->thread, THREAD_STACK, false, web_serve, web) == 0;
    return web->has_thread;
}

static void incoming(void *opaque, uint32_t events)
{
    struct web_listener *listener = opaque;
    struct web *web = listener->web;
    struct web_handover h = {.fd = -1};
    int on = 1, timeout = DEAD_PEER_MS, idle = KEEPALIVE_S;

    (void)events;
    if (!may_accept(web)) {
        pause_accepting(web);
        return;
    }
    h.fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (h.fd < 0) {
        if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
            pause_accepting(web); /* the connection stays, and would wake us for ever */
        return;
    }
    setsockopt(h.fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    setsockopt(h.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(h.fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
    setsockopt(h.fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof(timeout));
    if (!start_thread(web) || send(web->channel[0], &h, sizeof(h), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        close(h.fd);
    else
        lws_cancel_service(web->context);
}

static void viewer_came(void *opaque, uint32_t events)
{
    struct web *web = opaque;
    struct web_handover h;

    (void)events;
    while (recv(web->channel[0], &h, sizeof(h), MSG_DONTWAIT) == sizeof(h))
        web->viewer(web->opaque, h.fd, &h.peer);
}

static void close_handed_over(int fd)
{
    struct web_handover h;

    while (recv(fd, &h, sizeof(h), MSG_DONTWAIT) == sizeof(h))
        close(h.fd);
    close(fd);
}

struct web *web_open(const struct web_config *config, struct err *err)
{
    struct web *web = calloc(1, sizeof(*web));
    char text[128];

    if (!web) {
        err_set(err, "-vnc websocket=: out of memory");
        return NULL;
    }
    web->loop = config->loop;
    web->viewer = config->viewer;
    web->opaque = config->opaque;
    web->channel[0] = web->channel[1] = -1;
    timer_init(&web->accept_timer, loop_clock(web->loop), accept_again, web);
    web_pages_load(&web->pages, config->pages);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, web->channel) < 0) {
        err_set(err, "-vnc websocket=: socketpair: %s", strerror(errno));
        goto failed;
    }
    if (!web_serve_open(web, config->tls, err) ||
        !loop_watch(web->loop, &web->channel_source, web->channel[0], EPOLLIN, viewer_came, web,
                    err))
        goto failed;
    for (unsigned i = 0; i < config->listen->count; i++) {
        struct web_listener *listener = &web->listeners[web->listener_count++];

        listener->web = web;
        listener->fd = config->listen->fds[i];
        if (!loop_watch(web->loop, &listener->source, listener->fd, EPOLLIN, incoming, listener,
                        err))
            goto failed;
    }
    vnc_address_text(&config->listen->address, text, sizeof(text));
    log_info("VNC: browsers are served at %s://%s/", config->tls ? "https" : "http", text);
    if (!web->pages.count)
        log_warn("VNC: there is no page for browsers in %s (package novnc); WebSocket viewers of "
                 "other pages are served",
                 config->pages);
    return web;

failed:
    web_close(web);
    return NULL;
}

void web_close(struct web *web)
{
    if (!web)
        return;
    for (unsigned i = 0; i < web->listener_count; i++)
        loop_unwatch(web->loop, &web->listeners[i].source);
    loop_unwatch(web->loop, &web->channel_source);
    timer_destroy(&web->accept_timer);
    if (web->has_thread) {
        atomic_store(&web->stop, true);
        lws_cancel_service(web->context);
        pthread_join(web->thread, NULL);
    }
    web_serve_close(web);
    for (int i = 0; i < 2; i++) {
        if (web->channel[i] >= 0)
            close_handed_over(web->channel[i]);
    }
    web_pages_free(&web->pages);
    free(web);
}
