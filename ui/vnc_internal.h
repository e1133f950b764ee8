/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vnc_internal: what the parts of the VNC server share. vnc.c runs on the loop's thread and owns
 * everything; vnc_session.c is a connection's thread. They meet in struct vnc_client: a handful of
 * atomics, a ring of events, and a picture that belongs to one of the two at a time. Neither ever
 * waits for the other with something the other needs.
 */
#ifndef UI_VNC_INTERNAL_H
#define UI_VNC_INTERNAL_H

#include <pixman.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>
#include <rfb/rfb.h>

#include "hw/core/loop.h"
#include "ui/display.h"
#include "ui/input.h"
#include "ui/picture.h"
#include "ui/vnc.h"

#define VNC_RING          256 /* events a viewer may be ahead; a power of two */
#define VNC_MAX_RECTS     256 /* more changed rectangles than this become one */
#define VNC_MAX_HELD      32  /* keys one viewer may hold */
#define VNC_PASSWORD_SIZE 8   /* DES key, RFC 6143 7.2.2 */

/* How far a connection is. The session moves it on, except from ASKING to VIEWING. */
enum vnc_phase {
    VNC_HANDSHAKE,
    VNC_ASKING,  /* let in by the password; the loop decides about sharing */
    VNC_VIEWING, /* width and height of vnc_client.frame are what ServerInit shall say */
    VNC_ENDED,   /* the thread is about to exit and touches nothing any more */
};

/* Whose the picture is. Only the owner may touch vnc_client.frame. */
enum vnc_owner {
    VNC_SESSION_HAS,
    VNC_LOOP_HAS,         /* to be given back with the next change */
    VNC_LOOP_HAS_HURRY,   /* to be given back at once: the viewer wants it unchanged too */
    VNC_SESSION_MAY_TAKE, /* up to date: the session's again as soon as it looks */
};

struct vnc_frame {
    struct picture picture;
    unsigned count;
    struct display_rect rects[VNC_MAX_RECTS]; /* what changed */
};

enum vnc_event_kind {
    VNC_KEYSYM,   /* keysym */
    VNC_SCANCODE, /* keysym and XT scan code */
    VNC_POINTER,  /* position in a screen of width x height, and RFB's button mask */
    VNC_MOTION,   /* the same, x and y being the way that the pointer went, plus 0x7FFF */
};

struct vnc_event {
    uint8_t kind;
    bool down;
    uint8_t buttons;
    uint16_t x, y, width, height;
    uint32_t keysym, scancode;
};

/* What a viewer holds down; loop's thread only. */
struct vnc_held {
    struct {
        uint32_t keysym;
        uint16_t code;
    } keys[VNC_MAX_HELD];
    unsigned count;
    uint8_t buttons; /* RFB's mask */
    struct vnc_event pointer;
};

struct vnc_client {
    struct vnc *vnc;
    struct vnc_address address;
    int sock; /* closed by the loop only, so that it can always shut it down */
    int wake; /* eventfd: the loop has something for the session */
    pthread_t thread;

    atomic_int phase;
    atomic_bool closing; /* the loop wants it to end */
    bool exclusive;      /* set before ASKING */
    bool view_only;      /* set before ASKING: what it types is dropped */
    const char *end;     /* why it ended, set before ENDED; NULL: the peer just left */
    atomic_int frame_owner;
    struct vnc_frame frame;

    /* Events from the session (head) to the loop (tail). */
    atomic_uint head, tail;
    atomic_bool starved; /* the session waits for room */
    struct vnc_event ring[VNC_RING];

    /* Loop's thread only */
    uint64_t deadline;    /* of the handshake, on the host clock */
    uint64_t drain_after; /* when its events may be looked at again */
    bool welcomed;
    bool whole; /* all of the screen is new to this viewer */
    pixman_region32_t damage;
    struct vnc_held held;
    const char *dropped; /* why the loop ended it */
};

/* Lines about peers, which could otherwise be made to fill the log. */
struct vnc_ration {
    unsigned allowance;
    uint64_t since;
    unsigned suppressed;
};

/* What lets viewers in. "": nobody. */
struct vnc_secrets {
    char password[VNC_PASSWORD_SIZE + 1];
    char view_password[VNC_PASSWORD_SIZE + 1]; /* for looking only */
    time_t expires;                            /* neither counts from then on */
};

struct vnc {
    struct loop *loop;
    struct display *display;
    struct input *input;
    const struct keymap *keymap;
    void (*event)(void *opaque, enum vnc_change change, const struct vnc_address *viewer);
    void *event_opaque;
    bool password_required;
    bool share_force, share_ignore;
    bool lock_key_sync;
    char title[128];

    struct vnc_listener {
        struct vnc *vnc;
        int fd; /* vnc_listen's */
        struct loop_source source;
    } listeners[VNC_MAX_LISTENERS];
    unsigned listener_count;
    bool parked;            /* accepting is suspended */
    unsigned accept_tokens; /* connections that may still come this second */
    uint64_t accept_since;
    struct vnc_ration ration;

    struct vnc_client *clients[VNC_MAX_CLIENTS];
    struct display_viewer viewer;
    struct input_watch watch;
    const struct surface *surface;
    bool wants;           /* the chip draws for us */
    uint64_t last_wanted; /* when a viewer was last seen waiting for a picture */

    int wake; /* eventfd: a session has something for the loop */
    atomic_bool woken;
    struct loop_source wake_source;
    struct timer drain_timer, tend_timer;

    /* For the sessions to tell their viewers: input_leds(), and whether the pointer that the guest
     * uses is an absolute one. */
    atomic_uint leds, absolute;

    pthread_mutex_t secrets_lock;
    struct vnc_secrets secrets;

    rfbScreenInfo *screen_template;
};

/* vnc_session.c, vnc_handshake.c, vnc_pseudo.c: see vnc_session.h */
void *vnc_session(void *client);
/* Prepares libvncserver, once, before threads exist. */
bool vnc_session_prepare(struct vnc *vnc, struct err *err);
void vnc_session_cleanup(struct vnc *vnc);
/* Writes to an eventfd. */
void vnc_poke(int eventfd);
/* Wakes the loop, at most once until it has looked. */
void vnc_signal_loop(struct vnc *vnc);

/* vnc_input.c: one event of a viewer; loop's thread. */
void vnc_input_event(struct vnc *vnc, struct vnc_client *client, const struct vnc_event *event);
/* Lets go of all that this viewer holds. */
void vnc_input_release(struct vnc *vnc, struct vnc_client *client);

#endif
