/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lab's VNC viewer: an ordinary client (libvncclient) that a program
 * drives by lines on stdin, one "ok ..." or "error ..." line back for each.
 *
 *   vncdrive HOST PORT [raw|hextile|zlib|tight|zrle [PASSWORD]]
 *
 *   size              ok WIDTH HEIGHT
 *   png FILE          the screen as a picture
 *   ppm FILE          the screen as plain pixels, for comparing
 *   type TEXT         as key events, with \n for Return and \\ for itself
 *   key KEYSYM [HEX]  one key by its X11 number
 *   pointer X Y MASK  one pointer event
 *   wait SECONDS      until something on the screen changes: ok changed | ok same
 *   settle MS SECONDS until nothing has changed for MS: ok settled | ok restless
 */
#include <arpa/inet.h>
#include <errno.h>
#include <png.h>
#include <rfb/rfbclient.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static long changes; /* of a screen's contents, as the server reported them */
static const char *password = "";

static long milliseconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000L + t.tv_nsec / 1000000;
}

static void on_update(rfbClient *client, int x, int y, int w, int h)
{
    (void)client;
    (void)x;
    (void)y;
    (void)w;
    (void)h;
    changes++;
}

static char *on_password(rfbClient *client)
{
    (void)client;
    return strdup(password);
}

/* Lets the connection work until `until` (ms) or the first change if asked. */
static int pump(rfbClient *client, long until, int stop_at_change)
{
    long before = changes;

    do {
        long left = until - milliseconds();
        int ready = WaitForMessage(client, left > 0 ? (unsigned int)left * 1000 : 0);

        if (ready < 0 || (ready > 0 && !HandleRFBServerMessage(client)))
            return -1;
        if (stop_at_change && changes != before)
            return 1;
    } while (milliseconds() < until);
    return changes != before;
}

/* Takes in whatever the server has already sent. */
static int catch_up(rfbClient *client)
{
    int ready;

    while ((ready = WaitForMessage(client, 0)) > 0)
        if (!HandleRFBServerMessage(client))
            return -1;
    return ready;
}

static int save_png(rfbClient *client, const char *name)
{
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (png_uint_32)client->width,
                       .height = (png_uint_32)client->height,
                       .format = PNG_FORMAT_BGRA};
    size_t pixels = (size_t)client->width * (size_t)client->height;

    for (size_t i = 0; i < pixels; i++)
        client->frameBuffer[i * 4 + 3] = 255;
    return png_image_write_to_file(&image, name, 0, client->frameBuffer, 0, NULL) ? 0 : -1;
}

static int save_ppm(rfbClient *client, const char *name)
{
    size_t pixels = (size_t)client->width * (size_t)client->height;
    FILE *f = fopen(name, "wb");

    if (!f)
        return -1;
    fprintf(f, "P6\n%d %d\n255\n", client->width, client->height);
    for (size_t i = 0; i < pixels; i++) {
        const uint8_t *p = client->frameBuffer + i * 4;

        fputc(p[2], f);
        fputc(p[1], f);
        fputc(p[0], f);
    }
    return fclose(f);
}

static int press(rfbClient *client, uint32_t key)
{
    return SendKeyEvent(client, key, TRUE) && SendKeyEvent(client, key, FALSE) ? 0 : -1;
}

/* Characters that a US keyboard has on a shifted key come with Shift, as a person types them. */
static int type_text(rfbClient *client, const char *text)
{
    for (; *text; text++) {
        uint32_t key = (unsigned char)*text;
        int shift =
            strchr("~!@#$%^&*()_+{}|:\"<>?", (int)key) != NULL || (key >= 'A' && key <= 'Z');

        if (key == '\\' && text[1] == 'n') {
            key = XK_Return;
            text++;
        } else if (key == '\\' && text[1] == '\\') {
            text++;
        }
        if (shift && !SendKeyEvent(client, XK_Shift_L, TRUE))
            return -1;
        if (press(client, key))
            return -1;
        if (shift && !SendKeyEvent(client, XK_Shift_L, FALSE))
            return -1;
        /* A PS/2 keyboard's queue holds 16 bytes: give the guest time to take each. */
        if (pump(client, milliseconds() + 60, 0) < 0)
            return -1;
    }
    return 0;
}

static int settle(rfbClient *client, long quiet, double seconds)
{
    long end = milliseconds() + (long)(seconds * 1000);

    for (;;) {
        int changed = pump(client, milliseconds() + quiet, 1);

        if (changed < 0)
            return -1;
        if (!changed)
            return 1;
        if (milliseconds() > end)
            return 0;
    }
}

static int obey(rfbClient *client, char *line)
{
    unsigned int key;
    int x, y, mask, n;
    double seconds;
    long quiet;

    if (catch_up(client) < 0)
        return -1;
    if (!strcmp(line, "size"))
        printf("ok %d %d\n", client->width, client->height);
    else if (!strncmp(line, "png ", 4))
        puts(save_png(client, line + 4) ? "error cannot write" : "ok");
    else if (!strncmp(line, "ppm ", 4))
        puts(save_ppm(client, line + 4) ? "error cannot write" : "ok");
    else if (!strncmp(line, "type ", 5))
        puts(type_text(client, line + 5) ? "error connection" : "ok");
    else if (sscanf(line, "key %x", &key) == 1)
        puts(press(client, key) ? "error connection" : "ok");
    else if (sscanf(line, "pointer %d %d %d", &x, &y, &mask) == 3)
        puts(SendPointerEvent(client, x, y, mask) ? "ok" : "error connection");
    else if (sscanf(line, "wait %lf", &seconds) == 1) {
        n = pump(client, milliseconds() + (long)(seconds * 1000), 1);
        puts(n < 0 ? "error connection" : n ? "ok changed" : "ok same");
    } else if (sscanf(line, "settle %ld %lf", &quiet, &seconds) == 2) {
        n = settle(client, quiet, seconds);
        puts(n < 0 ? "error connection" : n ? "ok settled" : "ok restless");
    } else {
        puts("error unknown command");
    }
    fflush(stdout);
    return 0;
}

/*
 * Offers one encoding and NewFBSize, in place of what the library offers by
 * itself: that includes ExtendedDesktopSize, whose messages it takes for
 * invalid when the screen's id is 0, as it is in QEMU.
 */
static int offer(rfbClient *client, const char *encoding)
{
    static const struct {
        const char *name;
        uint32_t number;
    } known[] = {{"raw", rfbEncodingRaw},
                 {"hextile", rfbEncodingHextile},
                 {"zlib", rfbEncodingZlib},
                 {"tight", rfbEncodingTight},
                 {"zrle", rfbEncodingZRLE}};
    struct {
        rfbSetEncodingsMsg head;
        uint32_t list[2];
    } message = {.head = {.type = rfbSetEncodings, .nEncodings = htons(2)}};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (!strcmp(known[i].name, encoding)) {
            message.list[0] = htonl(known[i].number);
            message.list[1] = htonl(rfbEncodingNewFBSize);
            return WriteToRFBServer(client, (const char *)&message, sizeof(message)) ? 0 : -1;
        }
    return -1;
}

int main(int argc, char **argv)
{
    rfbClient *client = rfbGetClient(8, 3, 4);
    const char *encoding = argc > 3 && *argv[3] ? argv[3] : "raw";
    char line[4096];

    if (argc < 3 || !client)
        return 2;
    if (argc > 4)
        password = argv[4];
    client->canHandleNewFBSize = FALSE;
    client->serverHost = strdup(argv[1]);
    client->serverPort = atoi(argv[2]);
    client->GotFrameBufferUpdate = on_update;
    client->GetPassword = on_password;
    client->appData.encodingsString = encoding;
    client->appData.useRemoteCursor = FALSE;
    client->connectTimeout = 60;
    client->readTimeout = 60;
    /* Pixels as B, G, R, unused in memory, whatever the server's own are. */
    client->format.redShift = 16;
    client->format.greenShift = 8;
    client->format.blueShift = 0;
    if (!rfbInitClient(client, NULL, NULL) || offer(client, encoding)) {
        puts("error no connection");
        return 1;
    }
    printf("ok %d %d\n", client->width, client->height);
    fflush(stdout);
    while (fgets(line, sizeof(line), stdin)) {
        line[strcspn(line, "\n")] = 0;
        if (obey(client, line)) {
            puts("error connection");
            return 1;
        }
    }
    rfbClientCleanup(client);
    return 0;
}
