/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vnc: what viewers are given: addresses, passwords, pictures, keys, sharing. */
#include "tests/unit/vnc_rig.h"

#include <rfb/rfbclient.h>
#include <xkbcommon/xkbcommon-keysyms.h>

/* Opening */

static void expect_refused(const struct config_vnc *config, const char *why)
{
    struct vnc_listen listen;
    struct err err = {.text = ""};

    assert_false(vnc_listen_open(&listen, config, &err));
    assert_non_null(strstr(err.text, why));
    vnc_listen_close(&listen); /* nothing is left to close */
}

static void test_listening(void **state)
{
    struct rig *rig = rig_new();
    struct config_vnc config = rig->config;
    struct vnc_listen second;
    struct err err = {.text = ""};
    char expected[64];

    (void)state;
    assert_string_equal(rig->listen.address.host, "127.0.0.1");
    assert_string_equal(rig->listen.address.family, "ipv4");
    assert_int_equal(atoi(rig->listen.address.service), rig->port);
    assert_true(vnc_listen_is_local(&rig->listen));
    assert_int_equal(viewer_count(rig), 0);
    assert_in_range(rig->port, 6000, 6300);

    /* The same display again: taken; with to=, the next free one. */
    config.display = config.to = rig->port - 5900;
    snprintf(expected, sizeof(expected), "127.0.0.1:%u is taken", rig->port);
    expect_refused(&config, expected);
    config.to = config.display + 50;
    assert_true(vnc_listen_open(&second, &config, &err));
    assert_true(second.port > rig->port);
    vnc_listen_close(&second);

    /* A label longer than DNS has them: refused without asking anybody. */
    config.host = "no-such-host-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    expect_refused(&config, "no-such-host");
    config.host = "192.0.2.1"; /* not ours */
    expect_refused(&config, "192.0.2.1");
    config.host = "127.0.0.1";
    config.display = 70000;
    expect_refused(&config, "out of range");
    rig_free(rig);
}

static void test_all_addresses_and_names(void **state)
{
    static const char *const hosts[] = {"", "localhost", "0.0.0.0"};

    (void)state;
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        struct rig *rig = rig_prepare();

        rig->config.host = (char *)hosts[i];
        rig_open(rig);
        close(raw_viewer(rig));
        rig_free(rig);
    }
}

static void test_unix_socket(void **state)
{
    struct rig *rig = rig_prepare();
    struct config_vnc config = rig->config;
    char path[200];
    int fd;

    (void)state;
    snprintf(rig->path, sizeof(rig->path), "/tmp/hvm-dm-test-vnc.%d", (int)getpid());
    rig->config.unix_path = rig->path;
    /* What a dead server left behind is no obstacle. */
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    strcpy(sa.sun_path, rig->path);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    close(fd);
    rig_open(rig);
    assert_int_equal(rig->port, 0);
    assert_string_equal(rig->listen.address.host, rig->path);
    assert_string_equal(rig->listen.address.family, "unix");
    assert_true(vnc_listen_is_local(&rig->listen));
    close(raw_viewer(rig));
    expect_refused(&rig->config, "is taken");
    strcpy(path, rig->path);
    rig_free(rig);
    assert_int_equal(access(path, F_OK), -1);

    memset(path, 'x', sizeof(path) - 1);
    path[0] = '/';
    path[sizeof(path) - 1] = '\0';
    config.unix_path = path;
    expect_refused(&config, "longer");
}

/* Handshake and password */

static void test_versions(void **state)
{
    struct rig *rig = rig_new();
    int fd;

    (void)state;
    fd = connect_to(rig); /* 3.3: the server decides */
    skip_version(fd);
    put(fd, "RFB 003.003\n", 12);
    assert_int_equal(get_be32(fd), 1);
    PUT(fd, 1);
    get_server_init(fd, 640, 480);
    close(fd);

    fd = connect_to(rig); /* 3.7: no result for None */
    skip_version(fd);
    put(fd, "RFB 003.007\n", 12);
    assert_int_equal(get_be16(fd), 0x0101);
    PUT(fd, 1, 1);
    get_server_init(fd, 640, 480);
    close(fd);

    fd = connect_to(rig); /* a type that was not offered */
    skip_version(fd);
    put(fd, "RFB 003.008\n", 12);
    assert_int_equal(get_be16(fd), 0x0101);
    PUT(fd, 2);
    expect_close(fd);
    rig_free(rig);
}

static void test_password(void **state)
{
    struct rig *rig = rig_prepare();
    uint32_t length;
    char reason[64];
    int fd;

    (void)state;
    rig->config.password = true;
    rig_open(rig);
    /* None set: nobody gets in, least of all with the empty one, or with the challenge sent back
     * (what DES makes of it when libgcrypt refuses the all-zero key). */
    assert_int_equal(try_password(rig, "", "RFB 003.008\n", &fd), 1);
    expect_close(fd);
    assert_int_equal(try_password(rig, NULL, "RFB 003.008\n", &fd), 1);
    expect_close(fd);
    assert_int_equal(try_password(rig, "secret", "RFB 003.003\n", &fd), 1);
    expect_close(fd);

    on_loop(rig, set_password, (void *[]){rig, "sekret12 and more"});
    assert_int_equal(try_password(rig, "wrong", "RFB 003.008\n", &fd), 1);
    length = get_be32(fd);
    assert_in_range(length, 1, 63);
    get(fd, reason, length);
    assert_memory_equal(reason, "password", 8);
    expect_close(fd);
    assert_int_equal(try_password(rig, NULL, "RFB 003.008\n", &fd), 1);
    expect_close(fd);
    assert_int_equal(try_password(rig, "sekret1", "RFB 003.007\n", &fd), 1);
    expect_close(fd);
    assert_int_equal(viewer_count(rig), 0);

    assert_int_equal(try_password(rig, "sekret12", "RFB 003.008\n", &fd), 0);
    PUT(fd, 1);
    get_server_init(fd, 640, 480);
    assert_int_equal(viewer_count(rig), 1);
    close(fd);
    assert_int_equal(try_password(rig, "sekret12", "RFB 003.003\n", &fd), 0);
    PUT(fd, 1);
    get_server_init(fd, 640, 480);

    /* Those that are in stay; the next one needs the new one. */
    on_loop(rig, set_password, (void *[]){rig, "other"});
    put_key(fd, true, 'q');
    eventually(key_count(rig) == 1);
    close(fd);
    assert_int_equal(try_password(rig, "sekret12", "RFB 003.008\n", &fd), 1);
    expect_close(fd);
    assert_int_equal(try_password(rig, "other", "RFB 003.008\n", &fd), 0);
    close(fd);

    on_loop(rig, set_password, (void *[]){rig, ""});
    assert_int_equal(try_password(rig, "", "RFB 003.008\n", &fd), 1);
    expect_close(fd);
    assert_int_equal(try_password(rig, NULL, "RFB 003.008\n", &fd), 1);
    expect_close(fd);
    on_loop(rig, set_password, (void *[]){rig, NULL});
    assert_int_equal(try_password(rig, "other", "RFB 003.008\n", &fd), 1);
    expect_close(fd);

    fd = connect_to(rig); /* asking for "no security" */
    skip_version(fd);
    put(fd, "RFB 003.008\n", 12);
    assert_int_equal(get_be16(fd), 0x0102);
    PUT(fd, 1, 1);
    expect_close(fd);
    rig_free(rig);
}

static void test_password_not_asked_for(void **state)
{
    struct rig *rig = rig_new();
    struct err err = {.text = ""};

    (void)state;
    assert_false(vnc_set_password(rig->vnc, "x", false, &err));
    assert_non_null(strstr(err.text, "password"));
    rig_free(rig);
}

/* Pictures */

static rfbBool viewer_resized(rfbClient *client)
{
    free(client->frameBuffer);
    client->frameBuffer = calloc((size_t)client->width * (size_t)client->height, 4);
    return client->frameBuffer != NULL;
}

static bool viewer_shows(rfbClient *client, unsigned seed, int width, int height)
{
    const uint32_t *p = (const void *)client->frameBuffer;

    if (client->width != width || client->height != height)
        return false;
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            if ((p[y * width + x] & 0xFFFFFF) != pixel_at(seed, x, y))
                return false;
        }
    }
    return true;
}

static void viewer_await(rfbClient *client, unsigned seed, int width, int height)
{
    uint64_t until = now_ms() + PATIENCE_MS;

    while (!viewer_shows(client, seed, width, height)) {
        if (now_ms() > until)
            fail_msg("the viewer (%d x %d) never showed picture %u of %d x %d", client->width,
                     client->height, seed, width, height);
        /* WaitForMessage does not know of messages that came with the last one. */
        int n = client->buffered > 0 ? 1 : WaitForMessage(client, 10000);
        assert_true(n >= 0);
        if (n > 0)
            assert_true(HandleRFBServerMessage(client));
    }
}

static rfbClient *viewer_new(struct rig *rig, const char *encodings)
{
    rfbClient *client = rfbGetClient(8, 3, 4);

    assert_non_null(client);
    client->MallocFrameBuffer = viewer_resized;
    client->canHandleNewFBSize = TRUE;
    client->appData.encodingsString = encodings;
    client->appData.enableJPEG = FALSE;
    client->format.redShift = 16;
    client->format.greenShift = 8;
    client->format.blueShift = 0;
    free(client->serverHost);
    client->serverHost = strdup("127.0.0.1");
    client->serverPort = (int)rig->port;
    assert_true(rfbInitClient(client, NULL, NULL));
    return client;
}

static void viewer_free(rfbClient *client)
{
    free(client->frameBuffer);
    client->frameBuffer = NULL;
    rfbClientCleanup(client);
}

static void change_scene(void *arg)
{
    struct rig *rig = ((void **)arg)[0];
    const struct scene *to = ((void **)arg)[1];

    rig->scene.width = to->width;
    rig->scene.height = to->height;
    rig->scene.seed = to->seed;
}

static void show(struct rig *rig, unsigned seed, int width, int height)
{
    struct scene to = {.width = width, .height = height, .seed = seed};

    on_loop(rig, change_scene, (void *[]){rig, &to});
}

static void test_pictures(void **state)
{
    static const char *const encodings[] = {"raw", "hextile", "zlib", "tight", "zrle", "rre raw"};
    struct rig *rig = rig_new();
    unsigned seed = 1;

    (void)state;
    rfbEnableClientLogging = FALSE;
    for (size_t i = 0; i < sizeof(encodings) / sizeof(encodings[0]); i++) {
        rfbClient *client = viewer_new(rig, encodings[i]);

        viewer_await(client, seed, 640, 480);
        show(rig, ++seed, 640, 480);
        viewer_await(client, seed, 640, 480);
        show(rig, ++seed, 1024, 768);
        viewer_await(client, seed, 1024, 768);
        show(rig, ++seed, 721, 401); /* not a multiple of anything: CVE-2015-5225 */
        viewer_await(client, seed, 721, 401);
        show(rig, ++seed, 640, 480);
        viewer_await(client, seed, 640, 480);
        viewer_free(client);
    }
    rig_free(rig);
}

static void test_two_viewers(void **state)
{
    struct rig *rig = rig_new();
    rfbClient *a = viewer_new(rig, "tight"), *b = viewer_new(rig, "hextile");
    struct viewers viewers;

    (void)state;
    viewer_await(a, 1, 640, 480);
    viewer_await(b, 1, 640, 480);
    for (unsigned seed = 2; seed < 6; seed++) {
        show(rig, seed, 640, 480);
        viewer_await(a, seed, 640, 480);
        viewer_await(b, seed, 640, 480);
    }
    on_loop(rig, list_viewers, (void *[]){rig, &viewers});
    assert_int_equal(viewers.count, 2);
    assert_string_equal(viewers.list[0].host, "127.0.0.1");
    assert_string_equal(viewers.list[1].family, "ipv4");
    viewer_free(a);
    show(rig, 6, 640, 480);
    viewer_await(b, 6, 640, 480);
    viewer_free(b);
    rig_free(rig);
}

static void dot(void *arg)
{
    struct rig *rig = arg;
    const struct surface *surface = display_surface(rig->display);

    surface->pixels[10 * surface->width + 20] = 0xABCDEF;
    display_damage(rig->display, 20, 10, 1, 1);
}

/* An unchanged screen is sent again when asked for in full, and a change sends no more than itself.
 */
static void test_requests(void **state)
{
    struct rig *rig = rig_new();
    uint32_t *pixels = calloc(640 * 480, 4);
    int fd = raw_viewer(rig);
    size_t n;

    (void)state;
    for (int i = 0; i < 3; i++) {
        memset(pixels, 0, 640 * 480 * 4);
        put_request(fd, false, 640, 480);
        assert_int_equal(get_update(fd, pixels, 640, 480), 640 * 480);
        assert_picture(pixels, 1, 640, 480);
    }
    put_request(fd, true, 640, 480); /* nothing has changed: no answer, until … */
    put_request(fd, false, 16, 8);   /* … a part is wanted anyway */
    n = get_update(fd, pixels, 640, 480);
    assert_true(n >= 16 * 8 && n < 640 * 480);
    put_request(fd, true, 640, 480);
    eventually(is_watched(rig));
    on_loop(rig, dot, rig);
    n = get_update(fd, pixels, 640, 480);
    assert_int_equal(pixels[10 * 640 + 20] & 0xFFFFFF, 0xABCDEF);
    assert_true(n < 640 * 480 / 4);
    close(fd);
    free(pixels);
    rig_free(rig);
}

static void test_pixel_formats(void **state)
{
    struct rig *rig = rig_new();
    int fd = raw_viewer(rig);
    uint8_t low_high[2];
    uint32_t p;

    (void)state;
    /* 16 bpp 5-6-5, little endian */
    PUT(fd, 0, 0, 0, 0, 16, 16, 0, 1, 0, 31, 0, 63, 0, 31, 11, 5, 0, 0, 0, 0);
    put_request(fd, false, 1, 1);
    assert_int_equal(get_be32(fd), 0x00000001); /* an update of one rectangle … */
    assert_int_equal(get_be32(fd), 0);
    assert_int_equal(get_be32(fd), 0x00010001); /* … of one pixel … */
    assert_int_equal(get_be32(fd), 0);          /* … in raw encoding */
    p = pixel_at(1, 0, 0);
    get(fd, low_high, 2);
    assert_int_equal(low_high[0] | low_high[1] << 8, ((p >> 16 & 0xFF) * 31 + 127) / 255 << 11 |
                                                         ((p >> 8 & 0xFF) * 63 + 127) / 255 << 5 |
                                                         ((p & 0xFF) * 31 + 127) / 255);
    /* 8 bpp with a colour map: the map comes, then pixels */
    PUT(fd, 0, 0, 0, 0, 8, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    put_request(fd, false, 1, 1);
    assert_int_equal(get_u8(fd), 1);
    get_u8(fd);
    assert_int_equal(get_be16(fd), 0);
    assert_int_equal(get_be16(fd), 256);
    for (int i = 0; i < 256 * 3; i++)
        get_be16(fd);
    assert_int_equal(get_be32(fd), 0x00000001);
    close(fd);
    rig_free(rig);
}

/* Keys and pointer */

static void test_keys(void **state)
{
    struct rig *rig = rig_new();
    int fd = raw_viewer(rig);
    unsigned n;

    (void)state;
    put_stroke(fd, 'a');
    KEYS(rig, 0, KEY_A, -KEY_A);
    /* A person's Shift: let go before the key, whose keysym is then another one. */
    put_key(fd, true, XKB_KEY_Shift_L);
    put_key(fd, true, '!');
    put_key(fd, false, XKB_KEY_Shift_L);
    put_key(fd, false, '1');
    KEYS(rig, 2, KEY_LEFTSHIFT, KEY_1, -KEY_LEFTSHIFT, -KEY_1);
    /* A program that leaves Shift out. */
    put_stroke(fd, '!');
    KEYS(rig, 6, KEY_LEFTSHIFT, KEY_1, -KEY_LEFTSHIFT, -KEY_1);
    put_key(fd, true, XKB_KEY_Shift_R);
    put_stroke(fd, 'Q');
    put_key(fd, false, XKB_KEY_Shift_R);
    KEYS(rig, 10, KEY_RIGHTSHIFT, KEY_Q, -KEY_Q, -KEY_RIGHTSHIFT);
    put_stroke(fd, XKB_KEY_Return);
    put_stroke(fd, XKB_KEY_Pause);
    put_stroke(fd, XKB_KEY_Print);
    put_stroke(fd, XKB_KEY_F13);
    put_stroke(fd, XKB_KEY_Hangul);
    KEYS(rig, 14, KEY_ENTER, -KEY_ENTER, KEY_PAUSE, -KEY_PAUSE, KEY_SYSRQ, -KEY_SYSRQ, KEY_F13,
         -KEY_F13, KEY_HANGEUL, -KEY_HANGEUL);
    /* Repetition, and a release without a press. */
    put_key(fd, true, 'x');
    put_key(fd, true, 'x');
    put_key(fd, false, 'x');
    put_key(fd, false, 'x');
    put_key(fd, false, 'y');
    KEYS(rig, 24, KEY_X, KEY_X, -KEY_X);
    /* Nonsense, which must not become scan code 0. */
    put_stroke(fd, 0);
    put_stroke(fd, 0xFFFFFFFF);
    put_stroke(fd, 0x01FFFFFF);
    put_stroke(fd, 'b');
    KEYS(rig, 27, KEY_B, -KEY_B);
    /* The monitor's old key combination is only keys (XSA-19). */
    put_key(fd, true, XKB_KEY_Control_L);
    put_key(fd, true, XKB_KEY_Alt_L);
    put_stroke(fd, '2');
    n = 29;
    KEYS(rig, n, KEY_LEFTCTRL, KEY_LEFTALT, KEY_2, -KEY_2);
    /* A viewer that leaves, holding two keys. */
    close(fd);
    eventually(key_count(rig) >= n + 6);
    assert_false(input_key_is_down(rig->input, KEY_LEFTCTRL));
    assert_false(input_key_is_down(rig->input, KEY_LEFTALT));
    for (unsigned i = 0; i < key_count(rig); i++)
        assert_int_not_equal(rig->keys[i].code, 0);
    rig_free(rig);
}

static void set_leds(void *arg)
{
    struct rig *rig = ((void **)arg)[0];

    input_set_leds(rig->input, *(unsigned *)((void **)arg)[1]);
}

static void test_lock_keys(void **state)
{
    struct rig *rig = rig_new();
    int fd = raw_viewer(rig);
    unsigned leds = 0x04;

    (void)state;
    /* The viewer's Caps Lock is on and the guest's is not: it is pressed once, though the guest's
     * LED comes later. */
    put_stroke(fd, 'H');
    put_stroke(fd, 'I');
    KEYS(rig, 0, KEY_CAPSLOCK, -KEY_CAPSLOCK, KEY_H, -KEY_H, KEY_I, -KEY_I);
    on_loop(rig, set_leds, (void *[]){rig, &leds});
    put_stroke(fd, 'J');
    KEYS(rig, 6, KEY_J, -KEY_J);
    put_stroke(fd, 'k');
    KEYS(rig, 8, KEY_CAPSLOCK, -KEY_CAPSLOCK, KEY_K, -KEY_K);
    leds = 0;
    on_loop(rig, set_leds, (void *[]){rig, &leds});
    put_stroke(fd, 'l');
    KEYS(rig, 12, KEY_L, -KEY_L);
    leds = 0x06; /* the guest turns them on by itself */
    on_loop(rig, set_leds, (void *[]){rig, &leds});
    put_stroke(fd, XKB_KEY_KP_7);
    KEYS(rig, 14, KEY_KP7, -KEY_KP7);
    put_stroke(fd, XKB_KEY_KP_Home);
    KEYS(rig, 16, KEY_NUMLOCK, -KEY_NUMLOCK, KEY_KP7, -KEY_KP7);
    put_stroke(fd, XKB_KEY_KP_8);
    KEYS(rig, 20, KEY_NUMLOCK, -KEY_NUMLOCK, KEY_KP8, -KEY_KP8);
    put_stroke(fd, XKB_KEY_Up); /* the other arrow keys don't care */
    KEYS(rig, 24, KEY_UP, -KEY_UP);
    close(fd);
    rig_free(rig);

    /* lock-key-sync=off: keysyms are positions and nothing else. */
    rig = rig_prepare();
    rig->config.lock_key_sync = false;
    rig_open(rig);
    fd = raw_viewer(rig);
    put_stroke(fd, 'H');
    put_stroke(fd, '!');
    put_stroke(fd, XKB_KEY_KP_7);
    KEYS(rig, 0, KEY_H, -KEY_H, KEY_1, -KEY_1, KEY_KP7, -KEY_KP7);
    close(fd);
    rig_free(rig);
}

static void put_scancode(int fd, bool down, uint32_t keysym, uint32_t code)
{
    PUT(fd, 255, 0, 0, down, (uint8_t)(keysym >> 24), (uint8_t)(keysym >> 16),
        (uint8_t)(keysym >> 8), (uint8_t)keysym, (uint8_t)(code >> 24), (uint8_t)(code >> 16),
        (uint8_t)(code >> 8), (uint8_t)code);
}

static void test_scancodes(void **state)
{
    struct rig *rig = rig_new();
    int fd = raw_viewer(rig);

    (void)state;
    /* SetEncodings: raw, and the extension, which is answered by an empty rectangle of it. */
    PUT(fd, 2, 0, 0, 2, 0, 0, 0, 0, 0xFF, 0xFF, 0xFE, 0xFE);
    assert_int_equal(get_be32(fd), 0x00000001);
    assert_int_equal(get_be32(fd), 0);
    assert_int_equal(get_be32(fd), 0);
    assert_int_equal((int32_t)get_be32(fd), -258);
    /* On a German keyboard the key right of T says z; a US layout's z is elsewhere. */
    put_scancode(fd, true, 'z', 0x15);
    put_scancode(fd, false, 'z', 0x15);
    put_scancode(fd, true, XKB_KEY_ISO_Level3_Shift, 0xB8);
    put_scancode(fd, true, '@', 0x10);
    put_scancode(fd, false, 'q', 0x10);
    put_scancode(fd, false, XKB_KEY_ISO_Level3_Shift, 0xB8);
    KEYS(rig, 0, KEY_Y, -KEY_Y, KEY_RIGHTALT, KEY_Q, -KEY_Q, -KEY_RIGHTALT);
    /* A scan code nobody knows: the keysym helps. Neither: nothing happens. */
    put_scancode(fd, true, 'a', 0xFFFF);
    put_scancode(fd, false, 'a', 0xFFFF);
    put_scancode(fd, true, 0, 0);
    put_scancode(fd, false, 0, 0);
    put_scancode(fd, true, 0, 0xC6);
    put_scancode(fd, false, 0, 0xC6);
    KEYS(rig, 6, KEY_A, -KEY_A, KEY_PAUSE, -KEY_PAUSE);
    /* Another submessage was not agreed on. */
    PUT(fd, 255, 1, 0, 0);
    expect_close(fd);

    fd = raw_viewer(rig); /* nor was this one, without SetEncodings */
    put_scancode(fd, true, 'a', 0x1E);
    expect_close(fd);
    rig_free(rig);
}

static void test_pointer(void **state)
{
    struct rig *rig = rig_new();
    int fd = raw_viewer(rig);

    (void)state;
    PUT(fd, 5, 1, 0, 0, 0, 0);
    PUT(fd, 5, 4, 0x02, 0x7F, 0x01, 0xDF); /* 639, 479 */
    PUT(fd, 5, 0, 0xFF, 0xFF, 0xFF, 0xFF);
    eventually(move_count(rig) >= 3);
    assert_int_equal(rig->moves[0].x, 0);
    assert_int_equal(rig->moves[0].buttons, INPUT_BUTTON_LEFT);
    assert_int_equal(rig->moves[1].x, 0x7FFF);
    assert_int_equal(rig->moves[1].y, 0x7FFF);
    assert_int_equal(rig->moves[1].buttons, INPUT_BUTTON_RIGHT);
    assert_int_equal(rig->moves[2].x, 0x7FFF);
    assert_int_equal(rig->moves[2].buttons, 0);
    /* Two notches up, one down */
    PUT(fd, 5, 8, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 5, 8, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0);
    PUT(fd, 5, 16, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0);
    eventually(move_count(rig) >= 9);
    int wheel[6];
    for (int i = 0; i < 6; i++)
        wheel[i] = rig->moves[3 + i].wheel;
    assert_memory_equal(wheel, ((int[]){1, 0, 1, 0, -1, 0}), sizeof(wheel));
    /* A viewer that leaves with a button down */
    PUT(fd, 5, 1, 0, 5, 0, 5);
    eventually(move_count(rig) >= 10);
    close(fd);
    eventually(move_count(rig) >= 11);
    assert_int_equal(rig->moves[10].buttons, 0);
    rig_free(rig);
}

/* Sharing, RFB 7.3.1 */

static void test_sharing(void **state)
{
    struct rig *rig = rig_new();
    int a, b;

    (void)state;
    a = raw_viewer(rig);
    b = raw_viewer_shared(rig, 0); /* wants it alone: the other one has to go */
    get_server_init(b, 640, 480);
    expect_close(a);
    a = raw_viewer_shared(rig, 1); /* not while one has it alone */
    expect_close(a);
    close(b);
    eventually(connection_count(rig) == 0);
    close(raw_viewer(rig));
    rig_free(rig);

    rig = rig_prepare();
    rig->config.share_force = true;
    rig_open(rig);
    a = raw_viewer(rig);
    b = raw_viewer_shared(rig, 0);
    expect_close(b);
    put_stroke(a, 'a');
    KEYS(rig, 0, KEY_A, -KEY_A);
    close(a);
    rig_free(rig);

    rig = rig_prepare();
    rig->config.share_ignore = true;
    rig_open(rig);
    a = raw_viewer_shared(rig, 0);
    get_server_init(a, 640, 480);
    b = raw_viewer_shared(rig, 0);
    get_server_init(b, 640, 480);
    put_stroke(a, 'a');
    KEYS(rig, 0, KEY_A, -KEY_A);
    close(a);
    close(b);
    rig_free(rig);
}

static void get_refreshes(void *arg)
{
    struct rig *rig = ((void **)arg)[0];

    *(unsigned *)((void **)arg)[1] = rig->scene.refreshes;
}

/* Without a viewer there is no thread, no timer and no drawing. */
static void test_idle(void **state)
{
    unsigned before = thread_count(), first, second;
    struct rig *rig = rig_new();
    int fd;

    (void)state;
    assert_int_equal(thread_count(), before + 1); /* the test's own loop */
    assert_false(is_watched(rig));
    fd = connect_to(rig); /* a stranger is no reason to draw */
    skip_version(fd);
    assert_false(is_watched(rig));
    close(fd);
    eventually(connection_count(rig) == 0);
    fd = raw_viewer(rig);
    eventually(thread_count() == before + 2);
    eventually(is_watched(rig));
    eventually(!is_watched(rig)); /* it never asks for a picture */
    put_request(fd, true, 640, 480);
    eventually(is_watched(rig));
    close(fd);
    eventually(!is_watched(rig));
    eventually(connection_count(rig) == 0);
    eventually(thread_count() == before + 1);
    on_loop(rig, get_refreshes, (void *[]){rig, &first});
    usleep(200000);
    on_loop(rig, get_refreshes, (void *[]){rig, &second});
    assert_int_equal(first, second);
    assert_false(timer_armed(&rig->vnc->drain_timer));
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_listening),   cmocka_unit_test(test_all_addresses_and_names),
        cmocka_unit_test(test_unix_socket), cmocka_unit_test(test_versions),
        cmocka_unit_test(test_password),    cmocka_unit_test(test_password_not_asked_for),
        cmocka_unit_test(test_pictures),    cmocka_unit_test(test_two_viewers),
        cmocka_unit_test(test_requests),    cmocka_unit_test(test_pixel_formats),
        cmocka_unit_test(test_keys),        cmocka_unit_test(test_lock_keys),
        cmocka_unit_test(test_scancodes),   cmocka_unit_test(test_pointer),
        cmocka_unit_test(test_sharing),     cmocka_unit_test(test_idle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
