/* SPDX-License-Identifier: GPL-2.0-or-later */
/* web: pages from memory, WebSockets that are viewers, and peers that break HTTP's rules or
 * WebSocket's. */
#include "tests/unit/web_rig.h"

#include "ui/web_pages.h"

static char folder[64];

static void write_file(const char *name, const char *text, size_t size)
{
    char path[160];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, size, f), size);
    fclose(f);
}

static int make_pages(void **state)
{
    char path[160], outside[160];

    (void)state;
    strcpy(folder, "/tmp/hvm-dm-test-web.XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/pages", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/pages/app", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    write_file("secret.js", "secret", 6);
    write_file("pages/vnc.html", "<p>the page", 11);
    write_file("pages/empty.css", "", 0);
    write_file("pages/.hidden.js", "x", 1);
    write_file("pages/program.sh", "x", 1);
    static char big[300000];
    memset(big, 'b', sizeof(big));
    write_file("pages/app/big.js", big, sizeof(big));
    snprintf(path, sizeof(path), "%s/pages/out", folder);
    snprintf(outside, sizeof(outside), "%s", folder);
    assert_int_equal(symlink(outside, path), 0); /* to a folder above: not followed */
    snprintf(path, sizeof(path), "%s/pages/fifo.js", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    snprintf(path, sizeof(path), "%s/pages", folder);
    strcpy(folder, path);
    return 0;
}

static int remove_pages(void **state)
{
    char command[160];

    (void)state;
    snprintf(command, sizeof(command), "rm -r '%s/..'", folder);
    folder[strlen(folder) - strlen("/pages")] = '\0';
    snprintf(command, sizeof(command), "rm -r '%s'", folder);
    return system(command);
}

/* ---- HTTP ---- */

/* Sends a request and takes all that comes until the server closes. */
static size_t ask(struct web_rig *w, const char *request, char *answer, size_t size)
{
    int fd = web_connect(w);
    size_t have = 0;
    ssize_t n;

    put(fd, request, strlen(request));
    while (have < size - 1 && (n = recv(fd, answer + have, size - 1 - have, 0)) > 0)
        have += (size_t)n;
    answer[have] = '\0';
    close(fd);
    return have;
}

static void get_page(struct web_rig *w, const char *method, const char *name, char *answer,
                     size_t size)
{
    char request[8192];

    snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
             method, name, w->host);
    ask(w, request, answer, size);
}

static void test_pages(void **state)
{
    static const char *const absent[] = {
        "/secret.js",        "/../secret.js",  "/app/../../secret.js",
        "/%2e%2e/secret.js", "/out/secret.js", "/..%2fsecret.js",
        "//secret.js",       "/.hidden.js",    "/program.sh",
        "/fifo.js",          "/app",           "/app/",
        "/etc/passwd",       "//etc/passwd",   "/vnc.html%00.js",
        "/VNC.html",         "/websockify",    "/....//secret.js",
        "/\\..\\secret.js",  "/pages/vnc.html"};
    static char answer[400000];
    struct rig *rig = rig_new();
    unsigned threads;
    struct web_rig w;
    char *body;

    (void)state;
    threads = thread_count();
    web_rig_open(&w, rig, folder, NULL);
    assert_int_equal(thread_count(), threads); /* nobody has asked for anything */
    get_page(&w, "GET", "/vnc.html", answer, sizeof(answer));
    assert_memory_equal(answer, "HTTP/1.1 200", 12);
    assert_non_null(strcasestr(answer, "content-type: text/html"));
    assert_non_null(strcasestr(answer, "content-length: 11\r\n"));
    assert_non_null(strcasestr(answer, "content-security-policy: default-src 'none'"));
    assert_non_null(strcasestr(answer, "frame-ancestors 'none'"));
    assert_non_null(strcasestr(answer, "x-content-type-options: nosniff"));
    assert_non_null(strstr(answer, "\r\n\r\n<p>the page"));
    get_page(&w, "GET", "/vnc.html?autoconnect=true", answer, sizeof(answer));
    assert_non_null(strstr(answer, "\r\n\r\n<p>the page"));
    get_page(&w, "GET", "/app/big.js", answer, sizeof(answer));
    body = strstr(answer, "\r\n\r\n");
    assert_non_null(body);
    assert_int_equal(strlen(body + 4), 300000);
    get_page(&w, "GET", "/empty.css", answer, sizeof(answer));
    assert_memory_equal(answer, "HTTP/1.1 200", 12);
    get_page(&w, "HEAD", "/vnc.html", answer, sizeof(answer));
    assert_memory_equal(answer, "HTTP/1.1 200", 12);
    assert_null(strstr(answer, "<p>"));
    get_page(&w, "GET", "/", answer, sizeof(answer));
    assert_memory_equal(answer, "HTTP/1.1 302", 12);
    assert_non_null(strcasestr(answer, "location: /vnc.html?autoconnect=true"));
    for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
        get_page(&w, "GET", absent[i], answer, sizeof(answer));
        if (strncmp(answer, "HTTP/1.1 4", 10) != 0 && answer[0])
            fail_msg("%s: %.40s", absent[i], answer);
        assert_null(strstr(answer, "\r\n\r\nsecret"));
    }
    get_page(&w, "POST", "/vnc.html", answer, sizeof(answer));
    assert_null(strstr(answer, "<p>"));
    get_page(&w, "DELETE", "/vnc.html", answer, sizeof(answer));
    assert_null(strstr(answer, "<p>"));
    web_rig_close(&w);
    assert_int_equal(thread_count(), threads);
    rig_free(rig);
}

static void test_table(void **state)
{
    struct web_pages *pages = calloc(1, sizeof(*pages));

    (void)state;
    web_pages_load(pages, "/nonexistent");
    assert_int_equal(pages->count, 0);
    assert_null(web_pages_find(pages, "/"));
    web_pages_load(pages, folder);
    assert_int_equal(pages->count, 3);
    assert_int_equal(pages->bytes, 300011);
    assert_non_null(web_pages_find(pages, "/app/big.js"));
    assert_null(web_pages_find(pages, "app/big.js"));
    assert_null(web_pages_find(pages, ""));
    web_pages_free(pages);
    free(pages);
}

/* ---- WebSocket ---- */

static const char handshake[] = "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\n"
                                "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n%s"
                                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/* The status line's number. 101: the connection is a WebSocket. */
static int upgrade(struct web_rig *w, const char *path, const char *more, int *fd)
{
    char request[2048], answer[2048] = "";
    size_t have = 0;

    *fd = web_connect(w);
    snprintf(request, sizeof(request), handshake, path, w->host, more);
    put(*fd, request, strlen(request));
    while (have < sizeof(answer) - 1 && !strstr(answer, "\r\n\r\n")) {
        ssize_t n = recv(*fd, answer + have, 1, 0); /* not what comes behind */

        if (n <= 0)
            return 0;
        have += (size_t)n;
        answer[have] = '\0';
    }
    if (!strncmp(answer, "HTTP/1.1 101", 12)) /* RFC 6455 1.3's example */
        assert_non_null(strstr(answer, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    return atoi(answer + strlen("HTTP/1.1 "));
}

static void put_frame(int fd, unsigned opcode, const void *data, size_t size)
{
    uint8_t frame[14 + 4096] = {(uint8_t)(0x80 | opcode)};
    static const uint8_t mask[4] = {0x12, 0x34, 0x56, 0x78};
    size_t at = 2;

    assert_true(size <= 4096);
    if (size < 126) {
        frame[1] = (uint8_t)(0x80 | size);
    } else {
        frame[1] = 0x80 | 126;
        frame[2] = (uint8_t)(size >> 8);
        frame[3] = (uint8_t)size;
        at = 4;
    }
    memcpy(frame + at, mask, 4);
    for (size_t i = 0; i < size; i++)
        frame[at + 4 + i] = (uint8_t)(((const uint8_t *)data)[i] ^ mask[i % 4]);
    put(fd, frame, at + 4 + size);
}

#define FRAME(fd, ...)                            \
    do {                                          \
        const uint8_t bytes_[] = {__VA_ARGS__};   \
        put_frame(fd, 2, bytes_, sizeof(bytes_)); \
    } while (0)

/* What frames carry, in pieces of any size. */
struct stream {
    int fd;
    uint64_t left; /* of the frame */
};

static void get_stream(struct stream *s, void *to, size_t size)
{
    uint8_t *p = to;

    while (size) {
        while (!s->left) {
            unsigned first = get_u8(s->fd), length = get_u8(s->fd);

            assert_int_equal(first & 0x7D, 0x00); /* binary or continued, no extension */
            assert_true(length < 128);            /* a server masks nothing */
            s->left = length == 126   ? get_be16(s->fd)
                      : length == 127 ? (uint64_t)get_be32(s->fd) << 32 | get_be32(s->fd)
                                      : length;
        }
        size_t n = size < s->left ? size : (size_t)s->left;
        get(s->fd, p, n);
        p += n;
        size -= n;
        s->left -= n;
    }
}

static void web_viewer_open(struct web_rig *w, const char *more, struct stream *s)
{
    uint8_t in[64];

    *s = (struct stream){0};
    assert_int_equal(upgrade(w, "/websockify", more, &s->fd), 101);
    get_stream(s, in, 12);
    assert_memory_equal(in, "RFB 003.008\n", 12);
    put_frame(s->fd, 2, "RFB 003.008\n", 12);
    get_stream(s, in, 2);
    FRAME(s->fd, 1);
    get_stream(s, in, 4);
    FRAME(s->fd, 1);
    get_stream(s, in, 24 + 14); /* ServerInit and "hvm-dm (guest)" */
    assert_int_equal(in[0] << 8 | in[1], 640);
}

static void get_web_update(struct stream *s, unsigned seed)
{
    uint32_t *pixels = calloc(640 * 480, 4);
    uint8_t head[16];
    size_t total = 0;

    FRAME(s->fd, 3, 0, 0, 0, 0, 0, 2, 0x80, 1, 0xE0);
    get_stream(s, head, 4);
    for (unsigned rects = head[2] << 8 | head[3]; rects; rects--) {
        get_stream(s, head, 12);
        unsigned x = head[0] << 8 | head[1], y = head[2] << 8 | head[3];
        unsigned width = head[4] << 8 | head[5], height = head[6] << 8 | head[7];
        assert_true(x + width <= 640 && y + height <= 480);
        for (unsigned row = 0; row < height; row++)
            get_stream(s, pixels + (y + row) * 640 + x, width * 4);
        total += (size_t)width * height;
    }
    assert_int_equal(total, 640 * 480);
    assert_picture(pixels, seed, 640, 480);
    free(pixels);
}

static void test_viewer(void **state)
{
    struct rig *rig = rig_new();
    struct web_rig w;
    struct stream s, second;
    char origin[128];
    uint8_t many[600][8];
    struct viewers viewers;

    (void)state;
    web_rig_open(&w, rig, folder, NULL);
    snprintf(origin, sizeof(origin), "Origin: http://%s\r\n", w.host);
    web_viewer_open(&w, origin, &s);
    assert_int_equal(viewer_count(rig), 1);
    on_loop(rig, list_viewers, (void *[]){rig, &viewers});
    assert_true(viewers.list[0].websocket);
    assert_string_equal(viewers.list[0].host, "127.0.0.1");
    get_web_update(&s, 1);
    FRAME(s.fd, 4, 1, 0, 0, 0, 0, 0, 'a', 4, 0, 0, 0, 0, 0, 0, 'a');
    KEYS(rig, 0, KEY_A, -KEY_A);
    /* A message cut anywhere into frames, with a ping between. */
    FRAME(s.fd, 4, 1, 0);
    put_frame(s.fd, 9, "ping", 4);
    FRAME(s.fd, 0, 0, 0, 0, 'b');
    KEYS(rig, 2, KEY_B);
    uint8_t pong[6];
    get(s.fd, pong, 6);
    assert_memory_equal(pong, "\x8A\x04ping", 6);
    /* More than the session takes at once: all of it arrives. */
    for (unsigned i = 0; i < 600; i++)
        memcpy(many[i], (const uint8_t[]){4, i % 2 == 0, 0, 0, 0, 0, 0, 'c'}, 8);
    put_frame(s.fd, 2, many, 4096);
    put_frame(s.fd, 2, (uint8_t *)many + 4096, sizeof(many) - 4096);
    eventually(key_count(rig) == 603);
    web_viewer_open(&w, "Sec-WebSocket-Protocol: binary\r\n", &second);
    get_web_update(&second, 1);
    get_web_update(&s, 1);
    close(second.fd);
    eventually(viewer_count(rig) == 1);
    put_frame(s.fd, 8, "\x03\xE8", 2);
    eventually(viewer_count(rig) == 0);
    close(s.fd);
    web_rig_close(&w);
    rig_free(rig);
}

static void test_refused(void **state)
{
    struct rig *rig = rig_new();
    struct web_rig w;
    int fd;

    (void)state;
    web_rig_open(&w, rig, folder, NULL);
    /* Scripts of other pages */
    assert_int_not_equal(upgrade(&w, "/websockify", "Origin: http://evil.example\r\n", &fd), 101);
    close(fd);
    assert_int_not_equal(upgrade(&w, "/websockify", "Origin: null\r\n", &fd), 101);
    close(fd);
    assert_int_not_equal(upgrade(&w, "/websockify", "Origin: http://127.0.0.1:1\r\n", &fd), 101);
    close(fd);
    assert_int_not_equal(upgrade(&w, "/elsewhere", "", &fd), 101);
    close(fd);
    assert_int_not_equal(upgrade(&w, "/websockify", "Sec-WebSocket-Protocol: chat\r\n", &fd), 101);
    close(fd);
    assert_int_equal(connection_count(rig), 0);
    /* Text is not RFB. */
    assert_int_equal(upgrade(&w, "/", "", &fd), 101);
    put_frame(fd, 1, "RFB 003.008\n", 12);
    expect_close(fd);
    /* Neither is a reserved kind of frame WebSocket's (RFC 6455 5.2). */
    assert_int_equal(upgrade(&w, "/", "", &fd), 101);
    put_frame(fd, 3, "x", 1);
    expect_close(fd);
    /* What the RFB side refuses ends the WebSocket. */
    assert_int_equal(upgrade(&w, "/", "", &fd), 101);
    put_frame(fd, 2, "GET / HTTP/1", 12);
    expect_close(fd);
    eventually(connection_count(rig) == 0);
    web_rig_close(&w);
    rig_free(rig);
}

/* A peer that goes away after every byte of handshake, frames and RFB in them. */
static void test_leaving_at_any_point(void **state)
{
    struct rig *rig = rig_new();
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    uint8_t script[1024];
    struct web_rig w;
    struct stream s;
    size_t size, headers;
    unsigned count = 0;

    (void)state;
    web_rig_open(&w, rig, folder, NULL);
    size = headers = (size_t)snprintf((char *)script, sizeof(script), handshake, "/", w.host, "");
    for (const char *p = "RFB 003.008\n\1\1\3"; *p; p++) /* a frame for each byte, no mask's bits */
        memcpy(script + size, (const uint8_t[]){0x82, 0x81, 0, 0, 0, 0, (uint8_t)*p}, 7), size += 7;
    for (size_t n = 0; n <= size; n += n < headers - 4 ? 5 : 1) {
        int fd = web_connect(&w);

        put(fd, script, n);
        if (n % 2)
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        close(fd);
        if (++count % 60 == 0)
            usleep(1100000); /* 64 a second are accepted */
    }
    eventually(connection_count(rig) == 0);
    web_viewer_open(&w, "", &s);
    get_web_update(&s, 1);
    close(s.fd);
    eventually(connection_count(rig) == 0);
    web_rig_close(&w);
    rig_free(rig);
}

/* Headers without end, rubbish, and connections that say nothing: others are served. */
static void test_hostile_http(void **state)
{
    static const char *const rubbish[] = {
        "\x16\x03\x01\x02\x01\x01\x01\x01\xFC\x03\x03",
        "RFB 003.008\n",
        "\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\n",
        "GET http://elsewhere/vnc.html HTTP/1.1\r\nHost: x\r\n\r\n",
        "CONNECT elsewhere:80 HTTP/1.1\r\nHost: x\r\n\r\n"};
    static char flood[1 << 20];
    static char answer[65536];
    struct rig *rig = rig_new();
    struct web_rig w;
    struct stream s;
    int silent[100], fd;
    long rss;

    (void)state;
    web_rig_open(&w, rig, folder, NULL);
    get_page(&w, "GET", "/vnc.html", answer, sizeof(answer));
    rss = rss_kib();
    for (size_t i = 0; i < sizeof(rubbish) / sizeof(rubbish[0]); i++) {
        fd = web_connect(&w);
        put(fd, rubbish[i], strlen(rubbish[i]));
        close(fd);
    }
    memset(flood, 'A', sizeof(flood));
    memcpy(flood, "GET /", 5);
    fd = web_connect(&w);
    for (int i = 0; i < 10; i++) {
        if (send(fd, flood, sizeof(flood), MSG_NOSIGNAL) < 0)
            break;
    }
    expect_close(fd);
    usleep(1100000);
    for (int i = 0; i < 40; i++)
        silent[i] = web_connect(&w);
    web_viewer_open(&w, "", &s);
    get_web_update(&s, 1);
    for (int i = 0; i < 40; i++)
        close(silent[i]);
    close(s.fd);
    assert_true(rss_kib() - rss < 16 * 1024);
    web_rig_close(&w);
    rig_free(rig);
}

/* A browser that asks and does not read, while the screen moves. */
static void test_stalled(void **state)
{
    struct rig *rig = rig_new();
    struct web_rig w;
    struct stream stalled;
    uint32_t *pixels = calloc(640 * 480, 4);
    uint64_t before, slowest = 0;
    int good;
    long rss;

    (void)state;
    web_rig_open(&w, rig, folder, NULL);
    web_viewer_open(&w, "", &stalled);
    for (int i = 0; i < 200; i++)
        FRAME(stalled.fd, 3, 0, 0, 0, 0, 0, 2, 0x80, 1, 0xE0);
    on_loop(rig, do_animate, rig);
    good = raw_viewer(rig);
    put_request(good, true, 640, 480);
    get_update(good, pixels, 640, 480);
    rss = rss_kib();
    for (int i = 0; i < 40; i++) {
        before = now_ms();
        put_request(good, true, 640, 480);
        assert_true(get_update(good, pixels, 640, 480) > 0);
        if (now_ms() - before > slowest)
            slowest = now_ms() - before;
    }
    print_message("slowest update beside a stalled browser: %u ms\n", (unsigned)slowest);
    assert_true(slowest < 5000);
    assert_true(rss_kib() - rss < 16 * 1024);
    close(good);
    free(pixels);
    before = now_ms();
    web_rig_close(&w); /* waits for nobody */
    rig_free(rig);
    assert_true(now_ms() - before < 5000);
    close(stalled.fd);
}

static void test_certificates(void **state)
{
    struct rig *rig = rig_new();
    struct web_config config = {.loop = rig->loop, .pages = folder, .tls = "/nonexistent"};
    struct vnc_listen none = {0};
    struct err err = {.text = ""};

    (void)state;
    config.listen = &none;
    assert_null(web_open(&config, &err));
    assert_non_null(strstr(err.text, "/nonexistent/server-cert.pem"));
    write_file("server-cert.pem", "no certificate", 14);
    write_file("server-key.pem", "no key", 6);
    config.tls = folder;
    assert_null(web_open(&config, &err));
    assert_non_null(strstr(err.text, "websocket-tls="));
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_viewer),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_leaving_at_any_point),
        cmocka_unit_test(test_hostile_http),
        cmocka_unit_test(test_stalled),
        cmocka_unit_test(test_certificates),
    };

    return cmocka_run_group_tests(tests, make_pages, remove_pages);
}
