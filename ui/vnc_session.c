/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vnc_session: one connection, on its own thread: the viewer's messages, and the pictures that
 * libvncserver encodes for it (RFC 6143, "RFB").
 *
 * The reading of messages is ours: libvncserver's waits for the rest of a message, and knows file
 * transfers, scaling, chat and a clipboard. So it is given, through a socket pair, only messages
 * that have been read whole and checked, and writes to the viewer itself.
 */
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ui/vnc_session.h"
#include "ui/vnc_update.h"

#include <rfb/rfbregion.h> /* needs rfb.h */

/* A viewer that takes nothing of an update for this long is dropped. It holds up only itself. */
#define STALLED_MS 15000

#define CUT_TEXT_LIMIT (1 << 20) /* bytes of clipboard that are skipped rather than refused */

/* Message 255 of the QEMU Extended Key Event extension, submessage 0: u8 type, u8 submessage, u16
 * down, u32 keysym, u32 scan code. */
#define QEMU_MESSAGE   255
#define QEMU_KEY_EVENT 0
#define QEMU_KEY_SIZE  12

/* SetDesktopSize: u8 type, u8, u16 width, u16 height, u8 screens, u8, 16 bytes a screen. */
#define SET_DESKTOP_SIZE      251
#define SET_DESKTOP_SIZE_SIZE 8
#define SCREEN_SIZE           16
#define ANSWER_TO_THIS_VIEWER 1
#define RESIZE_PROHIBITED     1

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

/* Asks the loop, which knows the other viewers. It answers by making the phase VIEWING. */
static bool ask_admission(struct session *s, uint8_t shared)
{
    struct vnc_client *c = s->client;

    c->exclusive = !shared;
    atomic_store_explicit(&c->phase, VNC_ASKING, memory_order_release);
    vnc_signal_loop(s->vnc);
    while (atomic_load_explicit(&c->phase, memory_order_acquire) != VNC_VIEWING) {
        if (!vnc_session_wait(s, false))
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
        return vnc_session_end(s, "out of memory");
    s->rfb->sock = s->feed[0];
    rfbProcessClientMessage(s->rfb);
    if (s->rfb->sock < 0) { /* it has closed feed[0] */
        s->feed[0] = -1;
        s->rfb->sock = s->out;
        return vnc_session_end(s, "refused by libvncserver");
    }
    s->rfb->sock = s->out;
    while ((n = recv(s->feed[1], answer, sizeof(answer), MSG_DONTWAIT)) > 0) {
        if (rfbWriteExact(s->rfb, (char *)answer, (int)n) < 0)
            return vnc_session_end(s, "connection lost");
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
    s->screen.width = s->client->frame.picture.width;
    s->screen.height = s->client->frame.picture.height;
    s->screen.paddedWidthInBytes = s->screen.width * 4;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, s->feed) < 0)
        return vnc_session_end(s, "out of file descriptors");
    s->out = dup(s->client->sock);
    if (s->out < 0 || s->out >= FD_SETSIZE || s->feed[0] >= FD_SETSIZE) /* it uses select() */
        return vnc_session_end(s, "out of file descriptors");
    /* The version that libvncserver looks for is already waiting, so it does not wait for it. */
    if (send(s->feed[1], version, 12, MSG_NOSIGNAL) != 12)
        return vnc_session_end(s, "out of memory");
    s->rfb = rfbNewClient(&s->screen, s->feed[0]);
    if (!s->rfb) {
        s->feed[0] = -1;
        return vnc_session_end(s, "out of memory");
    }
    n = recv(s->feed[0], drain, 12, MSG_DONTWAIT);
    if (n == 12)
        n = recv(s->feed[1], drain, sizeof(drain), MSG_DONTWAIT);
    if (n <= 0)
        return vnc_session_end(s, "libvncserver did not start");
    s->rfb->protocolMajorVersion = 3;
    s->rfb->protocolMinorVersion = 8;
    /* The state after a ClientInit that allows sharing: the next step sends ServerInit. */
    s->rfb->state = RFB_INITIALISATION_SHARED;
    s->rfb->sock = s->out;
    rfbProcessClientMessage(s->rfb);
    if (s->rfb->sock < 0) {
        s->out = -1;
        return vnc_session_end(s, "connection lost");
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
    const unsigned max[3] = {vnc_be16(m + 8), vnc_be16(m + 10), vnc_be16(m + 12)};
    const unsigned shift[3] = {m[14], m[15], m[16]};

    if (bpp != 8 && bpp != 16 && bpp != 32)
        return vnc_session_end(s, "unusable pixel format");
    if (!true_colour && bpp != 8)
        return vnc_session_end(s, "unusable pixel format");
    for (int i = 0; i < 3 && true_colour; i++) {
        unsigned bits = (unsigned)__builtin_popcount(max[i]);

        /* 2^n - 1, and room for it at its place */
        if (max[i] == 0 || (max[i] & (max[i] + 1)) || shift[i] + bits > bpp)
            return vnc_session_end(s, "unusable pixel format");
    }
    return feed(s, m, sz_rfbSetPixelFormatMsg);
}

/* What is passed on to libvncserver: pixels and how to compress them, and the size of the screen
 * for viewers that know no better. What else it would talk about is left out: its cursor,
 * clipboard, and the extensions that only its own viewers know. */
static bool encoding_is_known(uint32_t encoding)
{
    switch (encoding) {
    case rfbEncodingRaw:
    case rfbEncodingCopyRect:
    case rfbEncodingRRE:
    case rfbEncodingCoRRE:
    case rfbEncodingHextile:
    case rfbEncodingZlib:
    case rfbEncodingTight:
    case rfbEncodingUltra:
    case rfbEncodingZRLE:
    case rfbEncodingZYWRLE:
    case rfbEncodingLastRect:
    case rfbEncodingNewFBSize:
        return true;
    default:
        return (encoding >= rfbEncodingCompressLevel0 && encoding <= rfbEncodingCompressLevel9) ||
               (encoding >= rfbEncodingQualityLevel0 && encoding <= rfbEncodingQualityLevel9) ||
               (encoding >= rfbEncodingFineQualityLevel0 &&
                encoding <= rfbEncodingFineQualityLevel100) ||
               (encoding >= rfbEncodingSubsamp1X && encoding <= rfbEncodingSubsamp16X);
    }
}

static bool set_encodings(struct session *s, const uint8_t *m)
{
    uint8_t passed[VNC_IN_SIZE] = {rfbSetEncodings};
    unsigned count = vnc_be16(m + 2), kept = 0;
    struct vnc_pseudo pseudo = {0};

    for (unsigned i = 0; i < count; i++) {
        uint32_t encoding = vnc_be32(m + sz_rfbSetEncodingsMsg + 4 * i);

        if (!vnc_pseudo_note(&pseudo, encoding) && encoding_is_known(encoding))
            vnc_put32(passed + sz_rfbSetEncodingsMsg + 4 * kept++, encoding);
    }
    vnc_put16(passed + 2, kept);
    if (!feed(s, passed, sz_rfbSetEncodingsMsg + 4 * kept))
        return false;
    if (pseudo.desktop_size)
        s->rfb->useNewFBSize = FALSE;
    return vnc_pseudo_offer(s, &pseudo);
}

/* For the loop. Who only may look has nothing to say. */
static void queue(struct session *s, const struct vnc_event *event)
{
    struct vnc_client *c = s->client;
    unsigned head = atomic_load_explicit(&c->head, memory_order_relaxed);

    if (c->view_only)
        return;
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
        .kind = s->pseudo.pointer_moves && s->pointer_told == 0 ? VNC_MOTION : VNC_POINTER,
        .buttons = m[1],
        .x = vnc_be16(m + 2),
        .y = vnc_be16(m + 4),
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
        return vnc_be16(m + 2) <= VNC_MAX_ENCODINGS ? sz_rfbSetEncodingsMsg + 4u * vnc_be16(m + 2)
                                                    : 0;
    case rfbFramebufferUpdateRequest:
        return sz_rfbFramebufferUpdateRequestMsg;
    case rfbKeyEvent:
        return sz_rfbKeyEventMsg;
    case rfbPointerEvent:
        return sz_rfbPointerEventMsg;
    case rfbClientCutText:
        return sz_rfbClientCutTextMsg; /* the text is skipped */
    case SET_DESKTOP_SIZE:
        if (!s->pseudo.desktop_size || s->have < SET_DESKTOP_SIZE_SIZE)
            return s->pseudo.desktop_size ? SET_DESKTOP_SIZE_SIZE : 0;
        return m[6] <= VNC_MAX_SCREENS ? SET_DESKTOP_SIZE_SIZE + (size_t)SCREEN_SIZE * m[6] : 0;
    case QEMU_MESSAGE:
        if (s->have < 2)
            return 2;
        return s->pseudo.scancodes && m[1] == QEMU_KEY_EVENT ? QEMU_KEY_SIZE : 0;
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
        key_event(s, m[1], vnc_be32(m + 4), false, 0);
        return true;
    case rfbPointerEvent:
        pointer_event(s, m);
        return true;
    case rfbClientCutText:
        s->skip = vnc_be32(m + 4);
        /* Also the negative lengths of the extended clipboard, which was not offered. */
        return s->skip <= CUT_TEXT_LIMIT || vnc_session_end(s, "too much clipboard text");
    case SET_DESKTOP_SIZE: /* the size is the guest's to choose */
        return vnc_pseudo_tell_size(s, ANSWER_TO_THIS_VIEWER, RESIZE_PROHIBITED);
    case QEMU_MESSAGE:
        key_event(s, vnc_be16(m + 2), vnc_be32(m + 4), true, vnc_be32(m + 8));
        return true;
    default:
        return vnc_session_end(s, "unknown message");
    }
}

/* Acts on every complete message that has been read. *blocked: the loop has to take events first.
 */
static bool handle_input(struct session *s, bool *blocked)
{
    *blocked = false;
    while (s->have) {
        uint8_t message[VNC_IN_SIZE];
        size_t size;

        if (s->skip) {
            size_t n = s->skip < s->have ? s->skip : s->have;

            s->skip -= (uint32_t)n;
            vnc_session_consume(s, n);
            continue;
        }
        size = message_size(s);
        if (size == 0)
            return vnc_session_end(s, "unknown message");
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
        vnc_session_consume(s, size);
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

    if (s->size_is_new || (s->rfb->useNewFBSize && s->rfb->newFBSizePending))
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
    if (frame->picture.resized) {
        bool other_size =
            s->screen.width != frame->picture.width || s->screen.height != frame->picture.height;

        s->screen.width = frame->picture.width;
        s->screen.height = frame->picture.height;
        s->screen.paddedWidthInBytes = frame->picture.width * 4;
        s->screen.frameBuffer = (char *)frame->picture.pixels;
        sraRgnDestroy(s->rfb->modifiedRegion);
        s->rfb->modifiedRegion =
            sraRgnCreateRect(0, 0, frame->picture.width, frame->picture.height);
        sraRgnMakeEmpty(s->rfb->copyRegion);
        /* RFB 7.8.2; a viewer that does not know it goes on asking for what it knows of. */
        if (other_size && s->pseudo.desktop_size)
            s->size_is_new = true;
        else if (other_size)
            s->rfb->newFBSizePending = s->rfb->useNewFBSize;
        frame->picture.resized = false;
        return;
    }
    for (unsigned i = 0; i < frame->count; i++)
        rfbMarkRectAsModified(&s->screen, frame->rects[i].x1, frame->rects[i].y1,
                              frame->rects[i].x2, frame->rects[i].y2);
}

/* Sends what is due. May block while the viewer is slow, or be cut short by the loop's shutdown. */
static bool send_update(struct session *s)
{
    if (viewer_waits(s) && s->size_is_new && !vnc_pseudo_tell_size(s, 0, 0))
        return false;
    /* The new size is a message of its own; the pixels follow without another request. */
    for (int i = 0; i < 2 && viewer_waits(s) && update_is_due(s); i++) {
        if (!vnc_update_send(s)) {
            if (s->rfb->sock < 0) /* libvncserver has closed it */
                s->out = -1;
            return vnc_session_end(s, "it stopped taking updates");
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
        if ((!blocked || queue_has_room(s)) && !vnc_session_fill(s))
            return false;
        if (!handle_input(s, &blocked))
            return false;
        take_frame(s);
        if (!vnc_pseudo_tell(s))
            return false;
        if (atomic_load_explicit(&c->frame_owner, memory_order_relaxed) == VNC_SESSION_HAS &&
            c->frame.picture.pixels && !send_update(s))
            return false;
        if (viewer_waits(s))
            ask_for_frame(s);
    } while (vnc_session_wait(s, !blocked));
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
        if (vnc_handshake(s, &shared) && ask_admission(s, shared) && start_rfb(s))
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
