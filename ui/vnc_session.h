/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vnc_session: what the parts of a connection's thread share: its input and output and the
 * handshake (vnc_handshake.c), pseudo-encodings (vnc_pseudo.c), messages and pictures
 * (vnc_session.c). Functions that return bool: false means that the session is over.
 */
#ifndef UI_VNC_SESSION_H
#define UI_VNC_SESSION_H

#include "ui/vnc_internal.h"

#define VNC_MAX_ENCODINGS 256 /* in one SetEncodings */
#define VNC_MAX_SCREENS   16  /* in one SetDesktopSize */
#define VNC_IN_SIZE       (sz_rfbSetEncodingsMsg + 4 * VNC_MAX_ENCODINGS)

/* Pseudo-encodings that are ours and not libvncserver's: what the viewer understands. */
struct vnc_pseudo {
    bool scancodes;     /* QEMU Extended Key Event */
    bool desktop_size;  /* ExtendedDesktopSize */
    bool rich_cursor;   /* Cursor */
    bool x_cursor;      /* XCursor */
    bool qemu_leds;     /* QEMU LED State */
    bool vmware_leds;   /* VMware LED State */
    bool desktop_name;  /* DesktopName */
    bool pointer_moves; /* QEMU Pointer Motion Change */
};

struct session {
    struct vnc_client *client;
    struct vnc *vnc;
    uint8_t in[VNC_IN_SIZE];
    size_t have;
    uint32_t skip; /* bytes of a message that nobody wants */
    const char *end;

    rfbScreenInfo screen; /* its own, so that no list of libvncserver's is shared */
    rfbClientPtr rfb;
    int out;     /* libvncserver's descriptor of the connection */
    int feed[2]; /* feed[0] is where libvncserver reads, feed[1] our end */

    struct vnc_pseudo pseudo;
    bool size_is_new;      /* the viewer is to be told of the screen's size */
    unsigned leds_told;    /* the LEDs it knows; > 7: none yet */
    unsigned pointer_told; /* 0 relative, 1 absolute; > 1: not told yet */
};

static inline uint16_t vnc_be16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t vnc_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void vnc_put16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static inline void vnc_put32(uint8_t *p, uint32_t v)
{
    vnc_put16(p, v >> 16);
    vnc_put16(p + 2, v & 0xFFFF);
}

/* ---- vnc_handshake.c ---- */

/* Ends the session (false); the first reason counts, NULL: the peer just left. */
bool vnc_session_end(struct session *s, const char *reason);

/* Sleeps until the peer has sent something (if `input`) or the loop calls. */
bool vnc_session_wait(struct session *s, bool input);

/* Reads what has come, without waiting. */
bool vnc_session_fill(struct session *s);

/* Forgets the first n bytes of what was read. */
void vnc_session_consume(struct session *s, size_t n);

/* RFB 7.1 and 7.2, and ClientInit's shared-flag. */
bool vnc_handshake(struct session *s, uint8_t *shared);

/* ---- vnc_pseudo.c ---- */

/* Notes a pseudo-encoding of SetEncodings in *p. False: it is none of ours. */
bool vnc_pseudo_note(struct vnc_pseudo *p, uint32_t encoding);

/* The viewer has said what it understands: it hears what follows from that. */
bool vnc_pseudo_offer(struct session *s, const struct vnc_pseudo *now);

/* Tells LEDs and pointer mode, if they are others than it knows. */
bool vnc_pseudo_tell(struct session *s);

/* Tells the screen's size (ExtendedDesktopSize). reason: 0 the server's, 1 an answer to this
 * viewer's SetDesktopSize; status: 0, or why it was not done. */
bool vnc_pseudo_tell_size(struct session *s, unsigned reason, unsigned status);

#endif
