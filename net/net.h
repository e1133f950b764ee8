/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * net: the wire between one NIC and one back-end (tap, user-mode network, socket …). Frames go both
 * ways as Ethernet has them, without preamble and FCS. Nothing is lost in here without being
 * counted: whoever is full says so, and the other side stops until it is told to go on.
 *
 * The NIC's work is done behind the guest's accesses, not in them: a doorbell asks for a turn
 * (net_kick), which comes when the access has been answered.
 *
 * Checksums and segmentation that a NIC leaves to be done are described (struct net_offload) and
 * done here, or by the back-end when it can (a tap with vnet headers). The same in the other
 * direction: a NIC is given whole frames with right checksums, of a size that fits on a wire.
 */
#ifndef NET_NET_H
#define NET_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/core/err.h"

struct loop;
struct net;

#define NET_MAC_LEN    6
#define NET_HEADER_LEN 14 /* destination, source, type */
#define NET_MIN_FRAME  60 /* without FCS (IEEE 802.3, 3.2.8) */
/* The longest that goes through here: a TCP segment of 64 KiB to be split, with a VLAN tag. */
#define NET_MAX_FRAME (65535 + NET_HEADER_LEN + 4)
/* Frames in one turn of a NIC or a back-end; then others have theirs. */
#define NET_BUDGET 64

/*
 * What is left to be done on a frame. All zero: nothing. Offsets count from the frame's first byte.
 * Untrusted: where it doesn't fit the frame, the frame is sent as it is.
 */
struct net_offload {
    bool csum;           /* Put the ones' complement sum of everything from … */
    uint16_t csum_start; /* … here to the end … */
    uint16_t csum_at;    /* … here, where the pseudo header's sum is now. */
    uint16_t mss;        /* not 0: TCP over IPv4 or IPv6, to be split into segments of so many bytes
                            of payload; all checksums are computed anew, and csum is of no account: */
    uint16_t ip;         /* where the IP header begins */
    uint16_t tcp;        /* where the TCP header begins */
};

/* ---- The NIC's side ---- */

enum net_taken {
    NET_TAKEN,
    NET_DROPPED, /* by a filter, or an error that the chip counts; it is counted here as well */
    NET_HELD,    /* no buffer is free: it is offered again after net_ready */
};

struct net_nic {
    /* A frame from the wire, NET_HEADER_LEN bytes or more, maybe shorter than NET_MIN_FRAME (a chip
     * pads it as its data sheet says) and up to NET_MAX_FRAME. Only called while net_receiving. */
    enum net_taken (*receive)(void *opaque, const uint8_t *frame, size_t len);
    /* No more frames follow for the moment: now is the time for an interrupt. May be NULL. */
    void (*received)(void *opaque);
    /* Its turn, after net_kick or net_send's false: sends NET_BUDGET frames at most. True: there
     * are more, it wants another turn. */
    bool (*transmit)(void *opaque);
    /* The cable was plugged in or pulled out (set_link). May be NULL. */
    void (*link_changed)(void *opaque, bool up);
};

/* Puts the NIC at its end, not receiving; NULL: takes it away. */
void net_attach_nic(struct net *net, const struct net_nic *nic, void *opaque);

/* Whether the receiver is on. While it is off nothing is read from the back-end and costs no
 * wake-up; what has come in the meantime is thrown away when it goes on. Cheap when nothing
 * changes. */
void net_receiving(struct net *net, bool on);

/* Buffers are free again. Cheap when no frame is held. The frame comes later, not in this call. */
void net_ready(struct net *net);

/* Asks for a call of transmit, once the guest's access has been answered; once however often asked.
 * Nothing happens while the wire is stopped (net_quiesce). */
void net_kick(struct net *net);

/* Takes back what net_kick asked for: the transmitter was reset. */
void net_unkick(struct net *net);

/*
 * Sends a frame, or the segments of one; for calls out of transmit. It is copied where it can't go
 * at once, and may be changed (checksums). False: it was taken, but the back-end is full, and no
 * other may follow until transmit is called again, by itself. A frame shorter than NET_HEADER_LEN
 * or longer than NET_MAX_FRAME is dropped and counted. `offload` may be NULL.
 */
bool net_send(struct net *net, uint8_t *frame, size_t len, const struct net_offload *offload);

/* Whether the cable is plugged in. */
bool net_link_up(const struct net *net);

/* ---- The back-end's side ---- */

enum net_sent {
    NET_SENT,
    NET_FULL,   /* net_writable follows */
    NET_FAILED, /* lost; counted */
};

struct net_backend {
    const char *type; /* "tap", "user" …: for info network */
    bool offloads;    /* send does what struct net_offload says (csum and mss) */
    enum net_sent (*send)(void *opaque, const uint8_t *frame, size_t len,
                          const struct net_offload *offload);
    /* Reads frames from now on, or leaves them where they are (and doesn't wake up for them).
     * `fresh`: what has arrived until now is thrown away and counted by net_stale. */
    void (*read)(void *opaque, bool on, bool fresh);
    /* One line for people: "tap,ifname=vif1.0-emu,script=no". */
    void (*describe)(const void *opaque, char *out, size_t size);
    void (*close)(void *opaque);
};

/* Puts the back-end at its end, which is not reading. net_free closes it. Without one, frames are
 * dropped and counted. */
void net_attach_backend(struct net *net, const struct net_backend *backend, void *opaque);

/*
 * Gives a frame to the NIC, with what is left to be done on it (may be NULL). The frame may be
 * changed. False: no more for now (it was taken all the same, or is kept here); `read` is called
 * when more is wanted. A back-end gives at most NET_BUDGET frames in a turn, then calls
 * net_delivered.
 */
bool net_deliver(struct net *net, uint8_t *frame, size_t len, const struct net_offload *offload);
void net_delivered(struct net *net);

/* `count` frames were thrown away unread, since the NIC was not receiving. */
void net_stale(struct net *net, uint64_t count);

/* There is room again after NET_FULL. */
void net_writable(struct net *net);

/* ---- The owner's side ---- */

/* A wire called `name` (-netdev's id), plugged in, with nothing at its ends. The loop may be NULL
 * (tests of chips): a NIC's turn then comes by net_run. NULL: out of memory. */
struct net *net_new(struct loop *loop, const char *name);
void net_free(struct net *net); /* NULL is fine */

/* Without a loop: does what is due, until nothing is (or `turns` are over). */
void net_run(struct net *net, unsigned turns);

const char *net_name(const struct net *net);
void net_set_link(struct net *net, bool up);

/* Stops the wire: no turns, nothing is read; a frame that waits for the back-end gets one try and
 * is then lost and counted, one that waits for the NIC stays for net_resume. Both are idempotent.
 */
void net_quiesce(struct net *net);
void net_resume(struct net *net);

/* Tells switches where `mac` is now, by a reverse ARP request (RFC 903): after a migration. */
void net_announce(struct net *net, const uint8_t mac[NET_MAC_LEN]);

/* Frames and bytes from the guest (tx) and to it (rx), as they are on the wire: a split segment
 * counts by its parts. */
struct net_stats {
    uint64_t tx_frames, tx_bytes, tx_dropped, tx_errors, tx_full; /* full: times it had to wait */
    uint64_t rx_frames, rx_bytes, rx_dropped, rx_errors, rx_held; /* held: times it had to wait */
    uint64_t rx_stale;
    bool tx_waiting, rx_waiting; /* a frame waits now for the back-end, for the NIC */
};
void net_stats(const struct net *net, struct net_stats *stats);

/* The back-end's one line; "none" without one. */
void net_describe(const struct net *net, char *out, size_t size);

/* Sees each frame that went over the wire. In the order they were added; embedded by the owner. */
struct net_watcher {
    void (*frame)(void *opaque, bool to_nic, const uint8_t *frame, size_t len);
    void *opaque;
    struct net_watcher *next;
};
void net_watch(struct net *net, struct net_watcher *watcher);
void net_unwatch(struct net *net, struct net_watcher *watcher);

#endif
