/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * web_serve: the web server's thread: libwebsockets does HTTP, WebSocket and TLS; here is what it
 * is told to answer. A WebSocket's frames are passed to and from a socket pair, in bounded pieces:
 * who is slow holds up itself.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hw/core/log.h"
#include "ui/web_internal.h"

#define MAX_SOCKETS 128 /* connections and the sockets behind WebSockets */
#define HANDSHAKE_S 10  /* for a request's headers, or TLS's first messages */
#define KEEPALIVE_S 15  /* an idle connection without WebSocket stays so long */
#define HEADERS_MAX 4096
#define PIECE       16384         /* bytes of a file, or from the viewer's session, at once */
#define UNSENT_MAX  65536         /* bytes from the browser that its session has not taken */
#define SOCKET_PATH "/websockify" /* where noVNC looks by default */
#define PAGE        "/vnc.html?autoconnect=true&reconnect=true&resize=scale&show_dot=true"

/*
 * The page's own scripts and styles, and WebSockets to where it came from; nobody may show it in a
 * frame of theirs (a click on what cannot be seen is a click in the guest).
 */
#define POLICY                                                                                     \
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "                    \
    "img-src 'self' data: blob:; media-src 'self'; font-src 'self'; connect-src 'self' ws: wss:; " \
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

/* A WebSocket and the socket to the session that serves it. Freed when both are gone. */
struct relay {
    struct lws *ws, *raw;
    int fd; /* raw's */
    uint8_t unsent[UNSENT_MAX];
    size_t unsent_at, unsent_end; /* to the session */
    size_t out_size;              /* to the browser */
    uint8_t out[LWS_PRE + PIECE];
};

/* Of each connection. */
struct connection {
    const struct web_page *page;
    size_t sent;
    struct relay *relay;
};

static struct web *web_of(struct lws *wsi)
{
    return lws_context_user(lws_get_context(wsi));
}

/* ---- pages ---- */

static bool add_header(struct lws *wsi, const char *name, const char *value, uint8_t **p,
                       uint8_t *end)
{
    return !lws_add_http_header_by_name(wsi, (const uint8_t *)name, (const uint8_t *)value,
                                        (int)strlen(value), p, end);
}

static bool add_headers(struct lws *wsi, uint8_t **p, uint8_t *end)
{
    return add_header(wsi, "content-security-policy:", POLICY, p, end) &&
           add_header(wsi, "x-content-type-options:", "nosniff", p, end) &&
           add_header(wsi, "x-frame-options:", "DENY", p, end) &&
           add_header(wsi, "referrer-policy:", "no-referrer", p, end) &&
           add_header(wsi, "cache-control:", "no-cache", p, end);
}

/* The answer's first lines. Negative: the connection ends. */
static int begin(struct lws *wsi, unsigned status, const char *type, size_t size,
                 const char *location)
{
    uint8_t buf[LWS_PRE + 2048], *start = buf + LWS_PRE, *p = start, *end = buf + sizeof(buf) - 1;

    if (lws_add_http_common_headers(wsi, status, type, (lws_filepos_t)size, &p, end) ||
        (location && !add_header(wsi, "location:", location, &p, end)) ||
        !add_headers(wsi, &p, end) || lws_finalize_write_http_header(wsi, start, &p, end))
        return -1;
    return 0;
}

static int answer_without_page(struct lws *wsi, unsigned status, const char *location)
{
    if (begin(wsi, status, "text/plain", 0, location) < 0)
        return -1;
    return lws_http_transaction_completed(wsi) ? -1 : 0;
}

static int http_request(struct lws *wsi, struct connection *c, const char *name)
{
    const struct web_pages *pages = &web_of(wsi)->pages;
    bool head = lws_hdr_total_length(wsi, WSI_TOKEN_HEAD_URI) > 0;

    if (!head && lws_hdr_total_length(wsi, WSI_TOKEN_GET_URI) <= 0) {
        lws_return_http_status(wsi, HTTP_STATUS_METHOD_NOT_ALLOWED, NULL);
        return -1;
    }
    if (!strcmp(name, "/") && pages->count)
        return answer_without_page(wsi, HTTP_STATUS_FOUND, PAGE);
    c->page = web_pages_find(pages, name);
    c->sent = 0;
    if (!c->page)
        return answer_without_page(wsi, HTTP_STATUS_NOT_FOUND, NULL);
    if (begin(wsi, HTTP_STATUS_OK, c->page->type, c->page->size, NULL) < 0)
        return -1;
    if (head || !c->page->size)
        return lws_http_transaction_completed(wsi) ? -1 : 0;
    lws_callback_on_writable(wsi);
    return 0;
}

static int http_more(struct lws *wsi, struct connection *c)
{
    uint8_t buf[LWS_PRE + PIECE];
    size_t left, n;

    if (!c->page)
        return 0;
    left = c->page->size - c->sent;
    n = left < PIECE ? left : PIECE;
    memcpy(buf + LWS_PRE, c->page->data + c->sent, n);
    if (lws_write(wsi, buf + LWS_PRE, n, n == left ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP) <
        (int)n)
        return -1;
    c->sent += n;
    if (n < left) {
        lws_callback_on_writable(wsi);
        return 0;
    }
    c->page = NULL;
    return lws_http_transaction_completed(wsi) ? -1 : 0;
}

/* ---- WebSockets ---- */

static bool header(struct lws *wsi, enum lws_token_indexes token, char *value, int size)
{
    return lws_hdr_copy(wsi, value, size, token) > 0;
}

/*
 * A browser says on whose behalf it connects. Scripts of other pages have no business here: the
 * person at the browser may well be let in where they are not. Programs that are no browsers say
 * nothing.
 */
static bool origin_is_ours(struct lws *wsi)
{
    char origin[512], host[512], *name;

    if (lws_hdr_total_length(wsi, WSI_TOKEN_ORIGIN) <= 0)
        return true;
    if (!header(wsi, WSI_TOKEN_ORIGIN, origin, sizeof(origin)) ||
        !header(wsi, WSI_TOKEN_HOST, host, sizeof(host)))
        return false;
    name = strstr(origin, "://");
    return name && !strcasecmp(name + 3, host);
}

static bool upgrade_is_allowed(struct lws *wsi)
{
    char path[64];

    if (!header(wsi, WSI_TOKEN_GET_URI, path, sizeof(path)) ||
        (strcmp(path, SOCKET_PATH) != 0 && strcmp(path, "/") != 0))
        return false;
    return origin_is_ours(wsi);
}

static void free_relay(struct relay *relay)
{
    if (!relay->ws && !relay->raw)
        free(relay);
}

/* Gives the loop a socket on which it finds a viewer, and keeps the other end. */
static int ws_established(struct lws *wsi, struct connection *c)
{
    struct web *web = web_of(wsi);
    struct web_handover h = {.fd = -1};
    struct sockaddr_storage peer = {0};
    socklen_t len = sizeof(peer);
    struct relay *relay = calloc(1, sizeof(*relay));
    int pair[2];

    if (!relay)
        return -1;
    if (getpeername(lws_get_socket_fd(wsi), (struct sockaddr *)&peer, &len) < 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) {
        free(relay);
        return -1;
    }
    relay->fd = pair[1];
    relay->raw =
        lws_adopt_descriptor_vhost(web->vhost, LWS_ADOPT_RAW_FILE_DESC,
                                   (lws_sock_file_fd_type){.filefd = pair[1]}, "relay", NULL);
    if (!relay->raw) { /* it has closed pair[1] */
        close(pair[0]);
        free(relay);
        return -1;
    }
    lws_set_opaque_user_data(relay->raw, relay);
    relay->ws = wsi;
    c->relay = relay;
    vnc_address_of(&peer, &h.peer);
    h.peer.websocket = true;
    h.fd = pair[0];
    if (send(web->channel[1], &h, sizeof(h), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
        close(pair[0]);
        return -1;
    }
    return 0;
}

/* To the session, as far as it takes. False: it is gone. */
static bool flush(struct relay *relay)
{
    while (relay->unsent_at < relay->unsent_end) {
        ssize_t n = send(relay->fd, relay->unsent + relay->unsent_at,
                         relay->unsent_end - relay->unsent_at, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return true;
        if (n <= 0)
            return false;
        relay->unsent_at += (size_t)n;
    }
    relay->unsent_at = relay->unsent_end = 0;
    return true;
}

static int ws_received(struct lws *wsi, struct relay *relay, const void *data, size_t size)
{
    /* RFB is bytes. */
    if (!relay || !relay->raw || !lws_frame_is_binary(wsi))
        return -1;
    if (size > UNSENT_MAX - relay->unsent_end)
        return -1;
    memcpy(relay->unsent + relay->unsent_end, data, size);
    relay->unsent_end += size;
    if (!flush(relay))
        return -1;
    if (relay->unsent_end) { /* no more, until these are taken */
        lws_rx_flow_control(wsi, 0);
        lws_callback_on_writable(relay->raw);
    }
    return 0;
}

static int ws_writable(struct lws *wsi, struct relay *relay)
{
    size_t n = relay ? relay->out_size : 0;

    if (!n)
        return 0;
    relay->out_size = 0;
    if (lws_write(wsi, relay->out + LWS_PRE, n, LWS_WRITE_BINARY) < (int)n)
        return -1;
    if (relay->raw)
        lws_rx_flow_control(relay->raw, 1);
    return 0;
}

static void ws_closed(struct connection *c)
{
    struct relay *relay = c->relay;

    c->relay = NULL;
    if (!relay)
        return;
    relay->ws = NULL;
    if (relay->raw)
        lws_set_timeout(relay->raw, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_ASYNC);
    free_relay(relay);
}

static int serve_browser(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                         size_t len)
{
    struct connection *c = user;

    switch (reason) {
    case LWS_CALLBACK_HTTP:
        return http_request(wsi, c, in);
    case LWS_CALLBACK_HTTP_WRITEABLE:
        return http_more(wsi, c);
    case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION:
        return upgrade_is_allowed(wsi) ? 0 : -1;
    case LWS_CALLBACK_ESTABLISHED:
        return ws_established(wsi, c);
    case LWS_CALLBACK_RECEIVE:
        return ws_received(wsi, c->relay, in, len);
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return ws_writable(wsi, c->relay);
    case LWS_CALLBACK_CLOSED:
        ws_closed(c);
        return 0;
    /* What libwebsockets does by itself otherwise serves nothing of ours. */
    default:
        return 0;
    }
}

/* ---- the sockets behind them ---- */

static int session_sent(struct lws *wsi, struct relay *relay)
{
    ssize_t n;

    if (!relay->ws)
        return -1;
    if (relay->out_size) /* the browser has not taken the last yet */
        return 0;
    n = recv(relay->fd, relay->out + LWS_PRE, PIECE, MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -1;
    if (n == 0)
        return -1;
    relay->out_size = (size_t)n;
    lws_rx_flow_control(wsi, 0);
    lws_callback_on_writable(relay->ws);
    return 0;
}

static int session_takes(struct lws *wsi, struct relay *relay)
{
    if (!flush(relay))
        return -1;
    if (relay->unsent_end)
        lws_callback_on_writable(wsi);
    else if (relay->ws)
        lws_rx_flow_control(relay->ws, 1);
    return 0;
}

static void session_closed(struct relay *relay)
{
    relay->raw = NULL;
    if (relay->ws)
        lws_set_timeout(relay->ws, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_ASYNC);
    free_relay(relay);
}

static int serve_session(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                         size_t len)
{
    struct relay *relay = lws_get_opaque_user_data(wsi);

    (void)user;
    (void)in;
    (void)len;
    if (!relay)
        return 0;
    switch (reason) {
    case LWS_CALLBACK_RAW_RX_FILE:
        return session_sent(wsi, relay);
    case LWS_CALLBACK_RAW_WRITEABLE_FILE:
        return session_takes(wsi, relay);
    case LWS_CALLBACK_RAW_CLOSE_FILE:
        lws_set_opaque_user_data(wsi, NULL);
        session_closed(relay);
        return 0;
    default:
        return 0;
    }
}

/* ---- the thread ---- */

/* Connections that the loop has accepted. */
static void take_connections(struct web *web)
{
    struct web_handover h;

    /* What it does not take, since there are too many, it closes. */
    while (recv(web->channel[1], &h, sizeof(h), MSG_DONTWAIT) == sizeof(h))
        lws_adopt_socket_vhost(web->vhost, h.fd);
}

void *web_serve(void *opaque)
{
    struct web *web = opaque;

    pthread_setname_np(pthread_self(), "web");
    while (!atomic_load(&web->stop)) {
        take_connections(web);
        if (lws_service(web->context, 0) < 0)
            break;
    }
    return NULL;
}

/* While the context is made, on one thread: why it could not be. */
static char complaint[256];

static void note_complaint(int level, const char *line)
{
    (void)level;
    if (!complaint[0])
        snprintf(complaint, sizeof(complaint), "%.*s", (int)strcspn(line, "\n"), line);
}

bool web_serve_open(struct web *web, const char *tls, struct err *err)
{
    static const struct lws_protocols protocols[] = {
        {.name = "http",
         .callback = serve_browser,
         .per_session_data_size = sizeof(struct connection)},
        /* What viewers ask for that were written for older drafts. */
        {.name = "binary",
         .callback = serve_browser,
         .per_session_data_size = sizeof(struct connection)},
        {.name = "relay", .callback = serve_session},
        {0},
    };
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .protocols = protocols,
        .gid = (gid_t)-1,
        .uid = (uid_t)-1,
        .user = web,
        .fd_limit_per_thread = MAX_SOCKETS,
        .max_http_header_data = HEADERS_MAX,
        .timeout_secs = HANDSHAKE_S,
        .keepalive_timeout = KEEPALIVE_S,
        .alpn = "http/1.1",
        .options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS,
    };
    char cert[4096], key[4096];

    complaint[0] = '\0';
    lws_set_log_level(LLL_ERR, note_complaint);
    if (tls) {
        snprintf(cert, sizeof(cert), "%s/server-cert.pem", tls);
        snprintf(key, sizeof(key), "%s/server-key.pem", tls);
        if (access(cert, R_OK) < 0 || access(key, R_OK) < 0)
            return err_set(err, "-vnc websocket-tls=%s: %s: %s", tls,
                           access(cert, R_OK) < 0 ? cert : key, strerror(errno));
        info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
        info.ssl_cert_filepath = cert;
        info.ssl_private_key_filepath = key;
    }
    web->context = lws_create_context(&info);
    if (web->context)
        web->vhost = lws_create_vhost(web->context, &info);
    /* From here on it would only report what strangers do. */
    lws_set_log_level(0, note_complaint);
    if (web->vhost)
        return true;
    return err_set(err, "-vnc websocket%s%s: libwebsockets does not start: %s", tls ? "-tls=" : "=",
                   tls ? tls : "", complaint[0] ? complaint : "no reason given");
}

void web_serve_close(struct web *web)
{
    if (web->context)
        lws_context_destroy(web->context);
    web->context = NULL;
}
