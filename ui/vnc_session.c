/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vnc_session: one connection, on its own thread: the RFB handshake, the viewer's messages, and the
 * pictures that libvncserver encodes for it (RFC 6143, "RFB").
 *
 * The handshake and the reading of messages are ours, since what a stranger sends should meet
 * little code. libvncserver's own handshake draws its challenge from random() seeded with the time,
 * waits 100 ms for a WebSocket, and keeps the security types in a list that all threads share; its
 * message reader waits for the rest of a message, and knows file transfers, scaling, chat and a
 * clipboard. So it is given, through a socket pair, only messages that have been read whole and
 * checked, and writes to the viewer itself.
 */
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>
#include <rfb/rfb.h>
#include <rfb/rfbregion.h>

#include "ui/vnc_internal.h"

/* A viewer that takes nothing of an update for this long is dropped. It holds up only itself. */
#define STALLED_MS 15000

#define ENCODINGS_LIMIT 256       /* in one SetEncodings */
#define CUT_TEXT_LIMIT  (1 << 20) /* bytes of clipboard that are skipped rather than refused */
#define IN_SIZE         (sz_rfbSetEncodingsMsg + 4 * ENCODINGS_LIMIT)

/* Message 255 of the QEMU Extended Key Event extension, submessage 0: u8 type, u8 submessage, u16
 * down, u32 keysym, u32 scan code. */
#define QEMU_MESSAGE   255
#define QEMU_KEY_EVENT 0
#define QEMU_KEY_SIZE  12

#define SECURITY_NONE 1
#define SECURITY_VNC  2

struct session {
    struct vnc_client *client;
    struct vnc *vnc;
    uint8_t in[IN_SIZE];
    size_t have;
    uint32_t skip; /* bytes of a message that nobody wants */
    const char *end;

    rfbScreenInfo screen; /* its own, so that no list of libvncserver's is shared */
    rfbClientPtr rfb;
    int out;     /* libvncserver's descriptor of the connection */
    int feed[2]; /* feed[0] is where libvncserver reads, feed[1] our end */
    bool scancodes;
};

void vnc_poke(int eventfd)
{
    uint64_t one = 1;
    ssize_t n = write(eventfd, &one, sizeof(one));

    (void)n; /* it cannot be full; if it were, the reader is awake anyway */
}

void vnc_signal_loop(struct vnc *vnc)
{
    if (!atomic_exchange(&vnc->woken, true))
        vnc_poke(vnc->wake);
}

/* Ends the session; the first reason counts. */
static bool end(struct session *s, const char *reason)
{
    if (!s->end)
        s->end = reason;
    return false;
}

static uint16_t be16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

/* Sleeps until the peer has sent something (if `input`) or the loop calls. False: it is over. */
static bool wait_event(struct session *s, bool input)
{
    struct pollfd fds[2] = {
        {.fd = s->client->wake, .events = POLLIN},
        {.fd = input ? s->client->sock : -1, .events = POLLIN},
    };
    uint64_t count;

    if (poll(fds, 2, -1) < 0 && errno != EINTR)
        return end(s, "poll failed");
    if (fds[0].revents) {
        ssize_t n = read(s->client->wake, &count, sizeof(count));
        (void)n;
    }
    return !atomic_load_explicit(&s->client->closing, memory_order_acquire);
}

/* Reads what has come, without waiting. False: the peer is gone. */
static bool fill(struct session *s)
{
    while (s->have < sizeof(s->in)) {
        ssize_t n = recv(s->client->sock, s->in + s->have, sizeof(s->in) - s->have, MSG_DONTWAIT);

        if (n > 0) {
            s->have += (size_t)n;
        } else if (n == 0) {
            return end(s, NULL);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return true;
        } else if (errno != EINTR) {
            return end(s, "connection lost");
        }
    }
    return true;
}

static void consume(struct session *s, size_t n)
{
    s->have -= n;
    memmove(s->in, s->in + n, s->have);
}

/* Waits for `size` bytes of the handshake; the loop watches its deadline. */
static bool expect(struct session *s, uint8_t *to, size_t size)
{
    while (s->have < size) {
        if (!wait_event(s, true) || !fill(s))
            return false;
    }
    memcpy(to, s->in, size);
    consume(s, size);
    return true;
}

/* The handshake's few bytes fit any socket buffer; a peer that has filled its own is not served. */
static bool say(struct session *s, const void *data, size_t size)
{
    if (send(s->client->sock, data, size, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)size)
        return end(s, "connection lost");
    return true;
}

/* RFB 7.2.2: the response is the challenge encrypted with the password. */
static bool response_is_right(struct session *s, const uint8_t *challenge, const uint8_t *response)
{
    uint8_t expected[CHALLENGESIZE];
    char password[VNC_PASSWORD_SIZE + 1];
    unsigned difference = 0;
    bool usable;

    pthread_mutex_lock(&s->vnc->password_lock);
    memcpy(password, s->vnc->password, sizeof(password));
    pthread_mutex_unlock(&s->vnc->password_lock);

    memcpy(expected, challenge, sizeof(expected));
    rfbEncryptBytes(expected, password);
    /* libgcrypt refuses DES's weak keys, and then the challenge is returned as it was: an answer
     * that anybody could give. */
    usable = password[0] && memcmp(expected, challenge, sizeof(expected)) != 0;
    for (unsigned i = 0; i < sizeof(expected); i++)
        difference |= expected[i] ^ response[i];
    explicit_bzero(password, sizeof(password));
    explicit_bzero(expected, sizeof(expected));
    return usable && difference == 0;
}

static bool authenticate(struct session *s, int minor)
{
    static const char why[] = "password check failed";
    uint8_t challenge[CHALLENGESIZE], response[CHALLENGESIZE], result[8 + sizeof(why)];

    if (getrandom(challenge, sizeof(challenge), 0) != (ssize_t)sizeof(challenge))
        return end(s, "no random numbers");
    if (!say(s, challenge, sizeof(challenge)) || !expect(s, response, sizeof(response)))
        return false;
    if (response_is_right(s, challenge, response)) {
        put32(result, 0);
        return say(s, result, 4);
    }
    put32(result, 1);
    put32(result + 4, sizeof(why) - 1);
    memcpy(result + 8, why, sizeof(why) - 1);
    say(s, result, minor >= 8 ? 8 + sizeof(why) - 1 : 4); /* RFB 7.1.3 and appendix A.2 */
    return end(s, "wrong password");
}

/* RFB 7.1 and 7.2, and appendix A for the older versions. False: it is over. */
static bool handshake(struct session *s, uint8_t *shared)
{
    static const char version[] = "RFB 003.008\n";
    uint8_t offer = s->vnc->password_required ? SECURITY_VNC : SECURITY_NONE;
    uint8_t said[12], chosen, word[4];
    int minor;

    if (!say(s, version, 12) || !expect(s, said, sizeof(said)))
        return false;
    if (memcmp(said, "RFB 003.", 8) != 0 || said[11] != '\n')
        return end(s, memcmp(said, "GET ", 4) == 0 ? "a web browser or WebSocket, not RFB"
                                                   : "not an RFB viewer");
    for (int i = 8; i < 11; i++) {
        if (said[i] < '0' || said[i] > '9')
            return end(s, "not an RFB viewer");
    }
    minor = (said[8] - '0') * 100 + (said[9] - '0') * 10 + said[10] - '0';

    if (minor < 7) { /* 3.3 and what must be treated like it: the server decides */
        put32(word, offer);
        if (!say(s, word, 4))
            return false;
    } else {
        const uint8_t list[2] = {1, offer};

        if (!say(s, list, 2) || !expect(s, &chosen, 1))
            return false;
        if (chosen != offer)
            return end(s, "unknown security type");
    }
    if (offer == SECURITY_VNC) {
        if (!authenticate(s, minor))
            return false;
    } else if (minor == 8) {
        put32(word, 0);
        if (!say(s, word, 4))
            return false;
    } else if (minor == 889) { /* Apple's viewer, which then sends no ClientInit either */
        *shared = 1;
        return true;
    }
    return expect(s, shared, 1);
}

/* Asks the loop, which knows the other viewers. It answers by making the phase VIEWING. */
static bool ask_admission(struct session *s, uint8_t shared)
{
    struct vnc_client *c = s->client;

    c->exclusive = !shared;
    atomic_store_explicit(&c->phase, VNC_ASKING, memory_order_release);
    vnc_signal_loop(s->vnc);
    while (atomic_load_explicit(&c->phase, memory_order_acquire) != VNC_VIEWING) {
        if (!wait_event(s, false))
            return false;
    }
    return true;
}

/* libvncserver */

static void quiet(const char *format, ...)
{
    (void)format;
}

bool vnc_session_prepare(struct vnc *vnc, struct err *err)
{
    uint8_t probe[CHALLENGESIZE] = "hvm-dm's probe";
    uint8_t before[CHALLENGESIZE];
    char key[VNC_PASSWORD_SIZE + 1] = "a secret";

    rfbLog = rfbErr = quiet;
    vnc->screen_template = rfbGetScreen(NULL, NULL, 640, 480, 8, 3, 4);
    if (!vnc->screen_template)
        return err_set(err, "VNC: out of memory");
    vnc->screen_template->desktopName = vnc->title;
    vnc->screen_template->alwaysShared = TRUE; /* the loop has seen to sharing */
    vnc->screen_template->cursor = NULL;       /* or it would draw one into the picture */
    vnc->screen_template->deferUpdateTime = 0; /* pictures already come when the viewer is ready */
    vnc->screen_template->maxClientWait = STALLED_MS;
    vnc->screen_template->depth = 24;
    vnc->screen_template->serverFormat.depth = 24;
    vnc->screen_template->serverFormat.redShift = 16; /* x8r8g8b8 */
    vnc->screen_template->serverFormat.greenShift = 8;
    vnc->screen_template->serverFormat.blueShift = 0;

    /* Also makes libgcrypt initialise itself while there is one thread, and files can be opened. */
    if (vnc->password_required) {
        memcpy(before, probe, sizeof(before));
        rfbEncryptBytes(probe, key);
        if (memcmp(before, probe, sizeof(before)) == 0)
            return err_set(err,
                           "VNC: passwords need DES, which libgcrypt refuses here (FIPS mode?)");
    }
    return true;
}

void vnc_session_cleanup(struct vnc *vnc)
{
    if (vnc->screen_template)
        rfbScreenCleanup(vnc->screen_template);
    vnc->screen_template = NULL;
}

/* Gives libvncserver one checked message to read, and passes on what it answered (a colour map). */
static bool feed(struct session *s, const uint8_t *message, size_t size)
{
    uint8_t answer[4096];
    ssize_t n;

    if (send(s->feed[1], message, size, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)size)
        return end(s, "out of memory");
    s->rfb->sock = s->feed[0];
    rfbProcessClientMessage(s->rfb);
    if (s->rfb->sock < 0) { /* it has closed feed[0] */
        s->feed[0] = -1;
        s->rfb->sock = s->out;
        return end(s, "refused by libvncserver");
    }
    s->rfb->sock = s->out;
    while ((n = recv(s->feed[1], answer, sizeof(answer), MSG_DONTWAIT)) > 0) {
        if (rfbWriteExact(s->rfb, (char *)answer, (int)n) < 0)
            return end(s, "connection lost");
    }
    return true;
}

/* Makes libvncserver's client and lets it send ServerInit (RFB 7.3.2). */
static bool start_rfb(struct session *s)
{
    static const char version[] = "RFB 003.008\n";
    char drain[32];
    ssize_t n;

    s->screen = *s->vnc->screen_template;
    pthread_mutex_init(&s->screen.cursorMutex, NULL);
    s->screen.width = s->client->frame.width;
    s->screen.height = s->client->frame.height;
    s->screen.paddedWidthInBytes = s->screen.width * 4;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, s->feed) < 0)
        return end(s, "out of file descriptors");
    s->out = dup(s->client->sock);
    if (s->out < 0 || s->out >= FD_SETSIZE || s->feed[0] >= FD_SETSIZE) /* it uses select() */
        return end(s, "out of file descriptors");
    /* The version that libvncserver looks for is already waiting, so it does not wait for it. */
    if (send(s->feed[1], version, 12, MSG_NOSIGNAL) != 12)
        return end(s, "out of memory");
    s->rfb = rfbNewClient(&s->screen, s->feed[0]);
    if (!s->rfb) {
        s->feed[0] = -1;
        return end(s, "out of memory");
    }
    n = recv(s->feed[0], drain, 12, MSG_DONTWAIT);
    if (n == 12)
        n = recv(s->feed[1], drain, sizeof(drain), MSG_DONTWAIT);
    if (n <= 0)
        return end(s, "libvncserver did not start");
    s->rfb->protocolMajorVersion = 3;
    s->rfb->protocolMinorVersion = 8;
    /* The state after a ClientInit that allows sharing: the next step sends ServerInit. */
    s->rfb->state = RFB_INITIALISATION_SHARED;
    s->rfb->sock = s->out;
    rfbProcessClientMessage(s->rfb);
    if (s->rfb->sock < 0) {
        s->out = -1;
        return end(s, "connection lost");
    }
    return true;
}

static void stop_rfb(struct session *s)
{
    if (s->rfb) {
        if (s->rfb->sock < 0)
            s->out = -1;
        else
            s->rfb->sock = s->out;
        rfbClientConnectionGone(s->rfb); /* closes it */
        s->out = -1;
        pthread_mutex_destroy(&s->screen.cursorMutex);
    }
    if (s->out >= 0)
        close(s->out);
    for (int i = 0; i < 2; i++) {
        if (s->feed[i] >= 0)
            close(s->feed[i]);
    }
}

/* Messages from the viewer, RFB 7.5. Each function gets a complete one. */

static bool set_pixel_format(struct session *s, const uint8_t *m)
{
    uint8_t bpp = m[4], true_colour = m[7];
    const unsigned max[3] = {be16(m + 8), be16(m + 10), be16(m + 12)};
    const unsigned shift[3] = {m[14], m[15], m[16]};

    if (bpp != 8 && bpp != 16 && bpp != 32)
        return end(s, "unusable pixel format");
    if (!true_colour && bpp != 8)
        return end(s, "unusable pixel format");
    for (int i = 0; i < 3 && true_colour; i++) {
        unsigned bits = (unsigned)__builtin_popcount(max[i]);

        /* 2^n - 1, and room for it at its place */
        if (max[i] == 0 || (max[i] & (max[i] + 1)) || shift[i] + bits > bpp)
            return end(s, "unusable pixel format");
    }
    return feed(s, m, sz_rfbSetPixelFormatMsg);
}

/* What is passed on to libvncserver: pixels, compression, and the new size of a screen. Not the
 * cursor (the guest draws its own), nor anything that would make it talk about the clipboard. */
static bool encoding_is_known(uint32_t encoding)
{
    switch (encoding) {
    case rfbEncodingRaw:
    case rfbEncodingCopyRect:
    case rfbEncodingHextile:
    case rfbEncodingZlib:
    case rfbEncodingTight:
    case rfbEncodingZRLE:
    case rfbEncodingLastRect:
    case rfbEncodingNewFBSize:
        return true;
    default:
        return (encoding >= rfbEncodingCompressLevel0 && encoding <= rfbEncodingCompressLevel9) ||
               (encoding >= rfbEncodingQualityLevel0 && encoding <= rfbEncodingQualityLevel9);
    }
}

/* Says that scan codes are welcome: an update with one rectangle of that pseudo-encoding. */
static bool offer_scancodes(struct session *s)
{
    uint8_t m[16] = {[3] = 1}; /* FramebufferUpdate, one rectangle, 0 x 0 at 0, 0 */

    put32(m + 12, rfbEncodingQemuExtendedKeyEvent);
    if (rfbWriteExact(s->rfb, (char *)m, sizeof(m)) < 0)
        return end(s, "connection lost");
    return true;
}

static bool set_encodings(struct session *s, const uint8_t *m)
{
    uint8_t passed[IN_SIZE] = {rfbSetEncodings};
    unsigned count = be16(m + 2), kept = 0;
    bool scancodes = false;

    for (unsigned i = 0; i < count; i++) {
        uint32_t encoding = be32(m + sz_rfbSetEncodingsMsg + 4 * i);

        if (encoding == rfbEncodingQemuExtendedKeyEvent)
            scancodes = true;
        else if (encoding_is_known(encoding))
            put32(passed + sz_rfbSetEncodingsMsg + 4 * kept++, encoding);
    }
    passed[2] = (uint8_t)(kept >> 8);
    passed[3] = (uint8_t)kept;
    if (!feed(s, passed, sz_rfbSetEncodingsMsg + 4 * kept))
        return false;
    if (scancodes && !s->scancodes && !offer_scancodes(s))
        return false;
    s->scancodes = scancodes;
    return true;
}

static void queue(struct session *s, const struct vnc_event *event)
{
    struct vnc_client *c = s->client;
    unsigned head = atomic_load_explicit(&c->head, memory_order_relaxed);

    c->ring[head % VNC_RING] = *event;
    atomic_store_explicit(&c->head, head + 1, memory_order_release);
    vnc_signal_loop(s->vnc);
}

static bool queue_has_room(struct session *s)
{
    struct vnc_client *c = s->client;

    return atomic_load(&c->head) - atomic_load(&c->tail) < VNC_RING;
}

static void pointer_event(struct session *s, const uint8_t *m)
{
    struct vnc_event event = {
        .kind = VNC_POINTER,
        .buttons = m[1],
        .x = be16(m + 2),
        .y = be16(m + 4),
        .width = (uint16_t)s->screen.width,
        .height = (uint16_t)s->screen.height,
    };

    queue(s, &event);
}

static void key_event(struct session *s, bool down, uint32_t keysym, bool has_code, uint32_t code)
{
    struct vnc_event event = {
        .kind = has_code ? VNC_SCANCODE : VNC_KEYSYM,
        .down = down,
        .keysym = keysym,
        .scancode = code,
    };

    queue(s, &event);
}

/* How long the message is that begins here, as far as it can be told yet; 0: it is not allowed. */
static size_t message_size(const struct session *s)
{
    const uint8_t *m = s->in;

    switch (m[0]) {
    case rfbSetPixelFormat:
        return sz_rfbSetPixelFormatMsg;
    case rfbSetEncodings:
        if (s->have < sz_rfbSetEncodingsMsg)
            return sz_rfbSetEncodingsMsg;
        return be16(m + 2) <= ENCODINGS_LIMIT ? sz_rfbSetEncodingsMsg + 4u * be16(m + 2) : 0;
    case rfbFramebufferUpdateRequest:
        return sz_rfbFramebufferUpdateRequestMsg;
    case rfbKeyEvent:
        return sz_rfbKeyEventMsg;
    case rfbPointerEvent:
        return sz_rfbPointerEventMsg;
    case rfbClientCutText:
        return sz_rfbClientCutTextMsg; /* the text is skipped */
    case QEMU_MESSAGE:
        if (s->have < 2)
            return 2;
        return s->scancodes && m[1] == QEMU_KEY_EVENT ? QEMU_KEY_SIZE : 0;
    default:
        return 0;
    }
}

static bool act_on(struct session *s, const uint8_t *m, size_t size)
{
    switch (m[0]) {
    case rfbSetPixelFormat:
        return set_pixel_format(s, m);
    case rfbSetEncodings:
        return set_encodings(s, m);
    case rfbFramebufferUpdateRequest:
        return feed(s, m, size);
    case rfbKeyEvent:
        key_event(s, m[1], be32(m + 4), false, 0);
        return true;
    case rfbPointerEvent:
        pointer_event(s, m);
        return true;
    case rfbClientCutText:
        s->skip = be32(m + 4);
        /* Also the negative lengths of the extended clipboard, which was not offered. */
        return s->skip <= CUT_TEXT_LIMIT || end(s, "too much clipboard text");
    case QEMU_MESSAGE:
        key_event(s, be16(m + 2), be32(m + 4), true, be32(m + 8));
        return true;
    default:
        return end(s, "unknown message");
    }
}

/* Acts on every complete message that has been read. *blocked: the loop has to take events first.
 */
static bool handle_input(struct session *s, bool *blocked)
{
    *blocked = false;
    while (s->have) {
        uint8_t message[IN_SIZE];
        size_t size;

        if (s->skip) {
            size_t n = s->skip < s->have ? s->skip : s->have;

            s->skip -= (uint32_t)n;
            consume(s, n);
            continue;
        }
        size = message_size(s);
        if (size == 0)
            return end(s, "unknown message");
        if (s->have < size)
            return true;
        if (!queue_has_room(s)) {
            /* Say so first, then look again: the loop does it in the other order. */
            atomic_store(&s->client->starved, true);
            if (!queue_has_room(s)) {
                *blocked = true;
                return true;
            }
        }
        memcpy(message, s->in, size);
        consume(s, size);
        if (!act_on(s, message, size))
            return false;
    }
    return true;
}

/* Pictures */

static bool viewer_waits(const struct session *s)
{
    return !sraRgnEmpty(s->rfb->requestedRegion);
}

/* Whether something the viewer waits for is already there. */
static bool update_is_due(const struct session *s)
{
    sraRegion *due;
    bool result;

    if (s->rfb->useNewFBSize && s->rfb->newFBSizePending)
        return true;
    due = sraRgnCreateRgn(s->rfb->modifiedRegion);
    result = sraRgnAnd(due, s->rfb->requestedRegion);
    sraRgnDestroy(due);
    return result;
}

/* Takes the picture back from the loop, if it is ready. */
static void take_frame(struct session *s)
{
    struct vnc_frame *frame = &s->client->frame;

    if (atomic_load_explicit(&s->client->frame_owner, memory_order_acquire) != VNC_SESSION_MAY_TAKE)
        return;
    atomic_store_explicit(&s->client->frame_owner, VNC_SESSION_HAS, memory_order_relaxed);
    if (frame->resized) {
        bool other_size = s->screen.width != frame->width || s->screen.height != frame->height;

        s->screen.width = frame->width;
        s->screen.height = frame->height;
        s->screen.paddedWidthInBytes = frame->width * 4;
        s->screen.frameBuffer = (char *)frame->pixels;
        sraRgnDestroy(s->rfb->modifiedRegion);
        s->rfb->modifiedRegion = sraRgnCreateRect(0, 0, frame->width, frame->height);
        sraRgnMakeEmpty(s->rfb->copyRegion);
        /* RFB 7.8.2; a viewer that does not know it goes on asking for what it knows of. */
        if (other_size)
            s->rfb->newFBSizePending = s->rfb->useNewFBSize;
        frame->resized = false;
        return;
    }
    for (unsigned i = 0; i < frame->count; i++)
        rfbMarkRectAsModified(&s->screen, frame->rects[i].x, frame->rects[i].y,
                              frame->rects[i].x + frame->rects[i].width,
                              frame->rects[i].y + frame->rects[i].height);
}

/* Sends what is due. May block while the viewer is slow, or be cut short by the loop's shutdown. */
static bool send_update(struct session *s)
{
    /* The new size is a message of its own; the pixels follow without another request. */
    for (int i = 0; i < 2 && viewer_waits(s) && update_is_due(s); i++) {
        rfbUpdateClient(s->rfb);
        if (s->rfb->sock < 0) {
            s->out = -1;
            return end(s, "it stopped taking updates");
        }
    }
    return true;
}

/* Leaves the picture to the loop until there is something to show. */
static void ask_for_frame(struct session *s)
{
    struct vnc_client *c = s->client;
    int owner = atomic_load_explicit(&c->frame_owner, memory_order_relaxed);

    if (owner == VNC_SESSION_HAS) {
        atomic_store_explicit(&c->frame_owner, VNC_LOOP_HAS, memory_order_release);
        vnc_signal_loop(s->vnc);
    } else if (owner == VNC_LOOP_HAS && update_is_due(s) &&
               atomic_compare_exchange_strong(&c->frame_owner, &owner, VNC_LOOP_HAS_HURRY)) {
        vnc_signal_loop(s->vnc);
    }
}

static bool serve(struct session *s)
{
    struct vnc_client *c = s->client;
    bool blocked = false;

    do {
        if ((!blocked || queue_has_room(s)) && !fill(s))
            return false;
        if (!handle_input(s, &blocked))
            return false;
        take_frame(s);
        if (atomic_load_explicit(&c->frame_owner, memory_order_relaxed) == VNC_SESSION_HAS &&
            c->frame.pixels && !send_update(s))
            return false;
        if (viewer_waits(s))
            ask_for_frame(s);
    } while (wait_event(s, !blocked));
    return false;
}

void *vnc_session(void *opaque)
{
    struct session *s = calloc(1, sizeof(*s));
    struct vnc_client *client = opaque;
    uint8_t shared;

    pthread_setname_np(pthread_self(), "vnc");
    if (!s) {
        client->end = "out of memory";
    } else {
        s->client = client;
        s->vnc = client->vnc;
        s->out = s->feed[0] = s->feed[1] = -1;
        if (handshake(s, &shared) && ask_admission(s, shared) && start_rfb(s))
            serve(s);
        stop_rfb(s);
        /* The encoders had some MiB, which nobody needs until the next viewer comes. */
        if (s->rfb)
            malloc_trim(0);
        client->end = s->end;
        free(s);
    }
    atomic_store_explicit(&client->phase, VNC_ENDED, memory_order_release);
    vnc_signal_loop(client->vnc);
    return NULL;
}
