/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_vnc_console: text consoles through a real VNC client: chosen, seen, typed at, seen again by
 * the next one. */
#include "tests/unit/vnc_rig.h"

#include <rfb/rfbclient.h>

#include "ui/chardev.h"
#include "ui/console.h"
#include "ui/font.h"

#define COLS 80
#define ROWS 24

static struct rig *rig;
static struct consoles *consoles;
static struct chardev *serial;
static char got[64];
static atomic_uint got_len;

static size_t user_room(void *opaque)
{
    (void)opaque;
    return sizeof(got) - atomic_load(&got_len);
}

static void user_receive(void *opaque, const uint8_t *buf, size_t len)
{
    (void)opaque;
    memcpy(got + atomic_load(&got_len), buf, len);
    atomic_fetch_add(&got_len, (unsigned)len);
}

static const struct chardev_user user = {.room = user_room, .receive = user_receive};

static rfbBool viewer_resized(rfbClient *client)
{
    free(client->frameBuffer);
    client->frameBuffer = calloc((size_t)client->width * (size_t)client->height, 4);
    return client->frameBuffer != NULL;
}

static rfbClient *viewer_new(void)
{
    rfbClient *client = rfbGetClient(8, 3, 4);
    assert_non_null(client);
    client->MallocFrameBuffer = viewer_resized;
    client->canHandleNewFBSize = TRUE;
    client->appData.encodingsString = "hextile";
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

static bool shows(const rfbClient *client, int row, int col, const char *text)
{
    const uint32_t *p = (const void *)client->frameBuffer;
    if (client->width != COLS * FONT_WIDTH || client->height != ROWS * FONT_HEIGHT)
        return false;
    for (; *text; text++, col++) {
        const uint8_t *glyph = font_glyph((uint8_t)*text);
        for (int y = 0; y < FONT_HEIGHT; y++)
            for (int x = 0; x < FONT_WIDTH; x++) {
                uint32_t c = p[(row * FONT_HEIGHT + y) * client->width + col * FONT_WIDTH + x];
                if (((c & 0xFFFFFF) != 0) != (glyph[y] >> (7 - x) & 1))
                    return false;
            }
    }
    return true;
}

static void take(rfbClient *client)
{
    /* It does not look at what it has read already. */
    int n = client->buffered ? 1 : WaitForMessage(client, 10000);
    assert_true(n >= 0);
    if (n > 0)
        assert_true(HandleRFBServerMessage(client));
}

/* The viewer sees, the device gets. */
#define until(client, condition)                   \
    do {                                           \
        uint64_t end_ = now_ms() + PATIENCE_MS;    \
        while (!(condition)) {                     \
            if (now_ms() > end_)                   \
                fail_msg("never: %s", #condition); \
            take(client);                          \
        }                                          \
    } while (0)

static void press(rfbClient *client, uint32_t keysym)
{
    SendKeyEvent(client, keysym, TRUE);
    SendKeyEvent(client, keysym, FALSE);
}

static void chord(rfbClient *client, uint32_t digit)
{
    SendKeyEvent(client, XK_Control_L, TRUE);
    SendKeyEvent(client, XK_Alt_L, TRUE);
    press(client, digit);
    SendKeyEvent(client, XK_Alt_L, FALSE);
    SendKeyEvent(client, XK_Control_L, FALSE);
}

static void print(void *text)
{
    assert_int_equal(chardev_write(serial, text, strlen(text)), strlen(text));
}

static void close_consoles(void *arg)
{
    (void)arg;
    chardev_close(serial);
    consoles_free(consoles);
}

static void test_console(void **state)
{
    struct err err;
    (void)state;
    rig = rig_prepare();
    consoles = consoles_new(rig->loop, rig->display, rig->input);
    serial = console_open(consoles, "serial0", false, 0, 0, &err);
    assert_non_null(serial);
    chardev_set_user(serial, &user, NULL);
    rig_open(rig);
    on_loop(rig, print, (char[]){"login: "});

    rfbClient *client = viewer_new();
    assert_int_equal(client->width, 640);
    assert_int_equal(client->height, 480);
    until(client, ((const uint32_t *)(const void *)client->frameBuffer)[640 * 300 + 7] & 0xFFFFFF);
    chord(client, '3');
    until(client, shows(client, 0, 0, "login:"));
    press(client, 'r');
    press(client, 0x010020AC); /* a character that has no key on this keyboard */
    press(client, XK_Return);
    SendKeyEvent(client, XK_Control_L, TRUE);
    press(client, 'c');
    SendKeyEvent(client, XK_Control_L, FALSE);
    press(client, XK_Up);
    until(client, atomic_load(&got_len) >= 9);
    assert_int_equal(atomic_load(&got_len), 9);
    assert_memory_equal(got, "r\xE2\x82\xAC\r\003\033[A", 9);
    on_loop(rig, print, (char[]){"root\r\nPassword:"});
    until(client, shows(client, 1, 0, "Password:"));

    /* The guest had Ctrl and Alt, and lost them again; all else it never saw. */
    assert_int_equal(key_count(rig), 4);
    viewer_free(client);
    eventually(viewer_count(rig) == 0);
    client = viewer_new();
    until(client, shows(client, 0, 0, "login: root") && shows(client, 1, 0, "Password:"));
    chord(client, '1');
    until(client, client->width == 640 && client->height == 480);
    press(client, 'x');
    eventually(key_count(rig) == 6);
    viewer_free(client);
    on_loop(rig, close_consoles, NULL);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_console)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
