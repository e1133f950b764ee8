/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vnc: viewers that break the rules, stall, flood, or never finish; and strangers that are none. */
#include "tests/unit/vnc_rig.h"

static void test_strangers(void **state)
{
    static const char *const openings[] = {
        "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n",
        "\x16\x03\x01\x02\x01\x01\x01\x01\xFC\x03\x03\x01\x01\x01\x01\x01",
        "RFB 004.000\n",
        "RFB 003.0x8\n",
        "RFB 003.008 ",
        "SSH-2.0-OpenSSH_9.2\r\n",
    };
    struct rig *rig = rig_new();
    static char header[1 << 20];

    (void)state;
    for (size_t i = 0; i < sizeof(openings) / sizeof(openings[0]); i++) {
        int fd = connect_to(rig);

        put(fd, openings[i], strlen(openings[i]));
        expect_close(fd);
    }
    memset(header, 'A', sizeof(header));
    memcpy(header, "GET /", 5);
    int fd = connect_to(rig); /* CVE-2015-1779: a header without end */
    for (int i = 0; i < 10; i++) {
        if (send(fd, header, sizeof(header), MSG_NOSIGNAL) < 0)
            break;
    }
    expect_close(fd);
    close(raw_viewer(rig));
    rig_free(rig);
}

static void test_bad_messages(void **state)
{
    static const struct {
        unsigned size;
        uint8_t bytes[24];
    } messages[] = {
        {1, {1}},                                   /* FixColourMapEntries */
        {4, {7, 0, 0, 0}},                          /* file transfer */
        {4, {8, 0, 0, 0}},                          /* SetScale 0 */
        {4, {15, 0, 0, 0}},                         /* PalmVNC SetScale 0 */
        {4, {10, 0, 0, 0}},                         /* UltraVNC SetSW */
        {8, {11, 0, 0, 0, 0x7F, 0xFF, 0xFF, 0xFF}}, /* text chat */
        {4, {250, 0, 1, 2}},                        /* xvp */
        {8, {251, 0, 0, 1, 0, 1, 255, 0}},          /* SetDesktopSize */
        {4, {2, 0, 0xFF, 0xFF}},                    /* 65,535 encodings */
        {8, {6, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF}},  /* cut text of 4 GiB - 1, or -1 */
        {8, {6, 0, 0, 0, 0x80, 0x00, 0x00, 0x00}},  /* CVE-2022-3165: extended, too short */
        {8, {6, 0, 0, 0, 0x00, 0x10, 0x00, 0x01}},  /* 1 MiB + 1 */
        {20, {0, 0, 0, 0, 24, 24, 0, 1, 0, 255, 0, 255, 0, 255, 0, 8, 16}},
        {20, {0, 0, 0, 0, 0, 0, 0, 1, 0, 255, 0, 255, 0, 255, 0, 8, 16}},
        {20, {0, 0, 0, 0, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 0, 8, 25}},
        {20, {0, 0, 0, 0, 32, 24, 0, 1, 0, 255, 0, 255, 0, 254, 0, 8, 16}},
        {20, {0, 0, 0, 0, 32, 24, 0, 1, 0, 0, 0, 255, 0, 255, 0, 8, 16}},
        {20, {0, 0, 0, 0, 8, 8, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 255, 255, 255}},
        {20, {0, 0, 0, 0, 32, 24, 0, 0, 0, 255, 0, 255, 0, 255, 0, 8, 16}},
    };
    struct rig *rig = rig_new();
    int fd;

    (void)state;
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        fd = raw_viewer(rig);
        put(fd, messages[i].bytes, messages[i].size);
        expect_close(fd);
    }
    /* Requests outside the screen are only of no use. */
    fd = raw_viewer(rig);
    PUT(fd, 3, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF);
    PUT(fd, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    PUT(fd, 3, 1, 0x02, 0x7F, 0x01, 0xDF, 0xFF, 0xFF, 0xFF, 0xFF);
    put_stroke(fd, 'a');
    KEYS(rig, 0, KEY_A, -KEY_A);
    close(fd);
    rig_free(rig);
}

static void test_cut_text_is_skipped(void **state)
{
    struct rig *rig = rig_new();
    int fd = raw_viewer(rig);
    char *text = calloc(1 << 20, 1);
    uint8_t half[] = {4, 1, 0, 0, 0, 0, 0, 'b'};

    (void)state;
    memset(text, 4, 1 << 20); /* looks like key events */
    PUT(fd, 6, 0, 0, 0, 0x00, 0x10, 0x00, 0x00);
    put(fd, text, 1 << 20);
    PUT(fd, 6, 0, 0, 0, 0, 0, 0, 0);
    put_stroke(fd, 'a');
    KEYS(rig, 0, KEY_A, -KEY_A);
    /* A message that comes byte by byte */
    for (size_t i = 0; i < sizeof(half); i++) {
        put(fd, half + i, 1);
        usleep(2000);
    }
    KEYS(rig, 2, KEY_B);
    close(fd);
    free(text);
    rig_free(rig);
}

static void test_leaving_at_any_point(void **state)
{
    static const uint8_t script[] = {
        'R', 'F', 'B', ' ', '0', '0', '3', '.', '0', '0', '8', '\n', 1, 1,
        /* SetPixelFormat */
        0, 0, 0, 0, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0,
        /* SetEncodings, FramebufferUpdateRequest, KeyEvent, ClientCutText */
        2, 0, 0, 2, 0, 0, 0, 7, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 2, 0x80, 1, 0xE0, 4, 1, 0, 0, 0, 0, 0,
        'a', 6, 0, 0, 0, 0, 0, 0, 4, 'x'};
    struct rig *rig = rig_new();
    struct linger reset = {.l_onoff = 1, .l_linger = 0};

    (void)state;
    for (size_t n = 0; n <= sizeof(script); n++) {
        int fd = connect_to(rig);

        put(fd, script, n);
        if (n % 2)
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        close(fd);
        if (n % 24 == 0)
            eventually(connection_count(rig) == 0);
    }
    eventually(connection_count(rig) == 0);
    eventually(!input_key_is_down(rig->input, KEY_A));
    close(raw_viewer(rig));
    rig_free(rig);
}

/* Strangers that never finish hold nobody up, and make room when all places are taken. */
static void test_slow_strangers(void **state)
{
    struct rig *rig = rig_new();
    int fds[VNC_MAX_CLIENTS + 4];
    uint32_t *pixels = calloc(640 * 480, 4);
    unsigned n = 0;
    int fd, good;

    (void)state;
    for (; n < 8; n++) {
        fds[n] = connect_to(rig);
        if (n % 2)
            put(fds[n], "R", 1);
    }
    fd = raw_viewer(rig);
    put(fd, "\x04", 1); /* the beginning of a message */
    good = raw_viewer(rig);
    put_request(good, false, 640, 480);
    assert_int_equal(get_update(good, pixels, 640, 480), 640 * 480);
    for (; n < VNC_MAX_CLIENTS + 4; n++)
        fds[n] = connect_to(rig);
    expect_close(fds[0]); /* the oldest had to go */
    close(raw_viewer(rig));
    put_request(good, false, 640, 480);
    assert_int_equal(get_update(good, pixels, 640, 480), 640 * 480);
    close(good);
    free(pixels);
    for (unsigned i = 1; i < n; i++)
        close(fds[i]);
    close(fd);
    rig_free(rig);
}

static void end_handshakes(void *arg)
{
    struct rig *rig = arg;

    for (unsigned i = 0; i < VNC_MAX_CLIENTS; i++) {
        if (rig->vnc->clients[i])
            rig->vnc->clients[i]->deadline = 0;
    }
}

static void test_handshake_has_a_deadline(void **state)
{
    struct rig *rig = rig_new();
    int stranger = connect_to(rig), viewer = raw_viewer(rig);

    (void)state;
    eventually(connection_count(rig) == 2);
    on_loop(rig, end_handshakes, rig);
    expect_close(stranger);
    put_stroke(viewer, 'a'); /* the one that is in has none */
    KEYS(rig, 0, KEY_A, -KEY_A);
    close(viewer);
    rig_free(rig);
}

/* CVE-2017-15124, -15268: a viewer that asks and never reads, while the screen moves. */
static void test_stalled_viewer(void **state)
{
    struct rig *rig = rig_new();
    uint32_t *pixels = calloc(640 * 480, 4);
    int small = 4096, stalled, good;
    uint64_t before, slowest = 0;
    long rss;

    (void)state;
    stalled = connect_to(rig);
    setsockopt(stalled, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    close(stalled);
    stalled = raw_viewer(rig);
    setsockopt(stalled, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    good = raw_viewer(rig);
    for (int i = 0; i < 500; i++)
        put_request(stalled, false, 640, 480);
    on_loop(rig, do_animate, rig);
    for (int i = 0; i < 3; i++) {
        put_request(good, true, 640, 480);
        get_update(good, pixels, 640, 480);
    }
    rss = rss_kib();
    for (int i = 0; i < 60; i++) { /* two seconds of film: 70 MB for each */
        before = now_ms();
        put_request(good, true, 640, 480);
        assert_true(get_update(good, pixels, 640, 480) > 0);
        if (now_ms() - before > slowest)
            slowest = now_ms() - before;
    }
    print_message("slowest update beside a stalled viewer: %u ms\n", (unsigned)slowest);
    assert_true(slowest < 5000); /* libvncserver alone would wait that long for the stalled one */
    assert_true(rss_kib() - rss < 16 * 1024);
    put_stroke(good, 'a');
    KEYS(rig, 0, KEY_A, -KEY_A);
    close(good);
    free(pixels);
    before = now_ms();
    rig_free(rig); /* does not wait for it either */
    assert_true(now_ms() - before < 5000);
    close(stalled);
}

static void nothing(void *arg)
{
    (void)arg;
}

/* CVE-2017-8379: events without end. The viewer is made to wait, in its own connection. */
static void test_flood(void **state)
{
    struct rig *rig = rig_prepare();
    static uint8_t burst[8 * 4096];
    uint64_t sent = 0, until, slowest = 0;
    long rss;
    int flood, good;

    (void)state;
    snprintf(rig->path, sizeof(rig->path), "/tmp/hvm-dm-test-flood.%d", (int)getpid());
    rig->config.unix_path = rig->path;
    rig_open(rig);
    flood = raw_viewer(rig);
    good = raw_viewer(rig);
    for (size_t i = 0; i < sizeof(burst); i += 8)
        memcpy(burst + i, (const uint8_t[]){4, i / 8 % 2 == 0, 0, 0, 0, 0, 0, 'f'}, 8);
    rss = rss_kib();
    until = now_ms() + 1500;
    for (unsigned i = 0; now_ms() < until; i++) {
        ssize_t n = send(flood, burst, sizeof(burst), MSG_DONTWAIT | MSG_NOSIGNAL);
        uint64_t before = now_ms();

        if (n > 0) {
            sent += (uint64_t)n;
            assert_int_equal(n % 8, 0);
        } else {
            assert_int_equal(errno, EAGAIN);
        }
        on_loop(rig, nothing, NULL); /* the loop has time for others */
        if (now_ms() - before > slowest)
            slowest = now_ms() - before;
        usleep(200);
    }
    put_stroke(good, 'g');
    eventually(({
        bool found = false;
        unsigned count = key_count(rig);
        for (unsigned i = 0; i < count && !found; i++)
            found = rig->keys[i].code == KEY_G && !rig->keys[i].down;
        found || count == MAX_EVENTS;
    }));
    print_message("flood: %u events taken in 1.5 s, slowest turn of the loop %u ms\n",
                  key_total(rig), (unsigned)slowest);
    assert_true(key_total(rig) > 100);
    /* All that was accepted from it arrives in the end, while it is made to wait. */
    eventually(key_total(rig) == sent / 8 + 2);
    assert_true(slowest < 1000);
    assert_true(rss_kib() - rss < 4 * 1024);
    close(flood);
    close(good);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strangers),           cmocka_unit_test(test_bad_messages),
        cmocka_unit_test(test_cut_text_is_skipped), cmocka_unit_test(test_leaving_at_any_point),
        cmocka_unit_test(test_slow_strangers),      cmocka_unit_test(test_handshake_has_a_deadline),
        cmocka_unit_test(test_stalled_viewer),      cmocka_unit_test(test_flood),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
