/* SPDX-License-Identifier: GPL-2.0-or-later */
/* net: see net.h. Each direction has one place for a frame that has to wait, made with the wire; a
 * turn is a deferred call of the loop. */
#include "net/net.h"

#include <stdlib.h>
#include <string.h>

#include "hw/core/loop.h"
#include "net/offload.h"

/* Parts of split segments in one turn: between frames, and within one. The longest usual one has 45
 * parts, so that only a hostile one is put aside. */
#define TURN_PARTS 128
#define HARD_PARTS 512
/* Parts smaller than this are made here, where they are counted. */
#define MIN_MSS_OFFLOADED 256

/* A frame, or what is left of one that is split. */
struct held {
    uint8_t *frame; /* NET_MAX_FRAME bytes */
    size_t len;     /* of the part that waits, from `at` on */
    size_t at;
    bool waiting;
    bool split;                 /* `parts` says what follows it */
    struct net_offload offload; /* of a frame that the back-end does the rest of */
    struct offload_split parts;
};

struct net {
    struct loop *loop;
    char *name;
    struct deferred turn;
    bool due; /* without a loop: `turn` is queued */

    const struct net_nic *nic;
    void *nic_opaque;
    const struct net_backend *backend;
    void *backend_opaque;
    struct net_watcher *watchers;

    bool link;
    bool stopped;
    bool receiving;
    bool stale;     /* what has come is not for the NIC */
    bool reading;   /* as the back-end was told */
    bool kicked;    /* transmit is to be called */
    bool writable;  /* the frame that waits may be tried again */
    bool ready;     /* the same for the NIC's */
    unsigned parts; /* sent in this turn */
    struct held tx, rx;
    struct net_stats stats;
};

static void turn(void *opaque);

static void ask_turn(struct net *net)
{
    net->due = true;
    if (net->loop)
        loop_defer(net->loop, &net->turn);
}

struct net *net_new(struct loop *loop, const char *name)
{
    struct net *net = calloc(1, sizeof(*net));
    if (!net)
        return NULL;
    net->loop = loop;
    net->link = true;
    net->stale = true;
    deferred_init(&net->turn, turn, net);
    net->name = strdup(name);
    net->tx.frame = malloc(NET_MAX_FRAME);
    net->rx.frame = malloc(NET_MAX_FRAME);
    if (!net->name || !net->tx.frame || !net->rx.frame) {
        net_free(net);
        return NULL;
    }
    return net;
}

void net_free(struct net *net)
{
    if (!net)
        return;
    if (net->loop)
        loop_undefer(net->loop, &net->turn);
    if (net->backend && net->backend->close)
        net->backend->close(net->backend_opaque);
    free(net->tx.frame);
    free(net->rx.frame);
    free(net->name);
    free(net);
}

const char *net_name(const struct net *net)
{
    return net->name;
}

/* ---- What goes over the wire ---- */

static void watched(struct net *net, bool to_nic, const uint8_t *frame, size_t len)
{
    for (struct net_watcher *w = net->watchers; w; w = w->next)
        w->frame(w->opaque, to_nic, frame, len);
}

/* One frame, or part of one, to the back-end. `wire_frames` and `wire_bytes`: what it is there. */
static enum net_sent put(struct net *net, const uint8_t *frame, size_t len,
                         const struct net_offload *offload, size_t wire_frames, size_t wire_bytes)
{
    enum net_sent sent = net->backend->send(net->backend_opaque, frame, len, offload);
    if (sent == NET_SENT) {
        net->stats.tx_frames += wire_frames;
        net->stats.tx_bytes += wire_bytes;
        if (net->watchers)
            watched(net, false, frame, len);
    } else if (sent == NET_FAILED) {
        net->stats.tx_errors++;
    } else {
        net->stats.tx_full++;
        net->writable = false;
    }
    return sent;
}

static enum net_taken give(struct net *net, const uint8_t *frame, size_t len)
{
    enum net_taken taken = net->nic->receive(net->nic_opaque, frame, len);
    if (taken == NET_HELD) {
        net->stats.rx_held++;
        net->ready = false;
        return taken;
    }
    if (taken == NET_TAKEN) {
        net->stats.rx_frames++;
        net->stats.rx_bytes += len;
    } else {
        net->stats.rx_dropped++;
    }
    if (net->watchers)
        watched(net, true, frame, len);
    return taken;
}

/* Puts a frame aside, from the part that has to wait on. */
static void hold(struct held *held, const uint8_t *frame, size_t at, size_t part, size_t end)
{
    if (frame != held->frame) {
        memcpy(held->frame, frame + at, end - at);
        if (held->split)
            offload_split_moved(&held->parts, at);
        at = 0;
    }
    held->at = at;
    held->len = part;
    held->waiting = true;
}

/* ---- From the guest ---- */

/* The parts from the next one on. False: one waits. */
static bool send_parts(struct net *net, uint8_t *frame)
{
    struct held *held = &net->tx;
    size_t end = held->parts.end, at, len;
    while (offload_split_next(&held->parts, frame, &at, &len)) {
        bool full = net->parts >= HARD_PARTS;
        if (full) {
            net->writable = true; /* the next turn goes on */
        } else {
            net->parts++;
            full = put(net, frame + at, len, NULL, 1, len) == NET_FULL;
        }
        if (full) {
            hold(held, frame, at, len, end);
            return false;
        }
    }
    return true;
}

static bool send_whole(struct net *net, const uint8_t *frame, size_t len,
                       const struct net_offload *offload, size_t headers, size_t parts)
{
    struct held *held = &net->tx;
    held->split = false;
    net->parts++;
    if (put(net, frame, len, offload, parts, len + (parts - 1) * headers) != NET_FULL)
        return true;
    held->offload = offload ? *offload : (struct net_offload){0};
    hold(held, frame, 0, len, len);
    return false;
}

/* Splits, sums or passes on what is left to be done. */
static bool send_offloaded(struct net *net, uint8_t *frame, size_t len,
                           const struct net_offload *offload)
{
    struct net_offload copy = *offload;
    size_t headers = 0, parts = 1;
    bool pass = net->backend->offloads;
    if (copy.mss) {
        if (pass && copy.mss >= MIN_MSS_OFFLOADED &&
            offload_prepare(frame, len, &copy, &headers, &parts))
            return send_whole(net, frame, len, &copy, headers, parts);
        net->tx.split = offload_split_begin(&net->tx.parts, frame, len, &copy);
        return net->tx.split ? send_parts(net, frame) : send_whole(net, frame, len, NULL, 0, 1);
    }
    if (!copy.csum)
        return send_whole(net, frame, len, NULL, 0, 1);
    if (pass && copy.csum_start < len && copy.csum_at >= copy.csum_start &&
        copy.csum_at + (size_t)2 <= len)
        return send_whole(net, frame, len, &copy, 0, 1);
    offload_checksum(frame, len, &copy);
    return send_whole(net, frame, len, NULL, 0, 1);
}

bool net_send(struct net *net, uint8_t *frame, size_t len, const struct net_offload *offload)
{
    if (len < NET_HEADER_LEN || len > NET_MAX_FRAME) {
        net->stats.tx_errors++;
        return true;
    }
    if (!net->backend || !net->link || net->tx.waiting) {
        net->stats.tx_dropped++;
        return !net->tx.waiting;
    }
    bool gone = offload && (offload->csum || offload->mss)
                    ? send_offloaded(net, frame, len, offload)
                    : send_whole(net, frame, len, NULL, 0, 1);
    if (gone && net->parts < TURN_PARTS)
        return true;
    net->kicked = true; /* it is called again by itself */
    if (!net->tx.waiting || net->writable)
        ask_turn(net);
    return false;
}

/* Tries what waits again. False: it still does. */
static bool send_held(struct net *net)
{
    struct held *held = &net->tx;
    if (!held->waiting)
        return true;
    if (!net->writable)
        return false;
    net->parts++;
    const struct net_offload *offload =
        held->offload.csum || held->offload.mss ? &held->offload : NULL;
    size_t headers = 0, parts = 1;
    if (held->split)
        offload = NULL;
    else if (offload && offload->mss) /* it has been through this, and fits */
        offload_prepare(held->frame, held->len, &held->offload, &headers, &parts);
    if (put(net, held->frame + held->at, held->len, offload, parts,
            held->len + (parts - 1) * headers) == NET_FULL)
        return false;
    held->waiting = false;
    return !held->split || send_parts(net, held->frame);
}

void net_writable(struct net *net)
{
    net->writable = true;
    if (net->tx.waiting && !net->stopped)
        ask_turn(net);
}

void net_kick(struct net *net)
{
    if (net->kicked)
        return;
    net->kicked = true;
    if (!net->stopped && !net->tx.waiting)
        ask_turn(net);
}

void net_unkick(struct net *net)
{
    net->kicked = false;
}

/* ---- To the guest ---- */

static bool accepting(const struct net *net)
{
    return net->nic && net->receiving && net->link && !net->stopped;
}

/* Tells the back-end what is wanted of it now. */
static void update_reading(struct net *net)
{
    bool want = accepting(net) && !net->rx.waiting;
    if (!net->backend || (want == net->reading && !(want && net->stale)))
        return;
    bool fresh = want && net->stale;
    if (want)
        net->stale = false;
    net->reading = want;
    net->backend->read(net->backend_opaque, want, fresh);
}

static void drop_held_rx(struct net *net)
{
    if (net->rx.waiting)
        net->stats.rx_stale++;
    net->rx.waiting = false;
}

void net_receiving(struct net *net, bool on)
{
    if (on == net->receiving)
        return;
    net->receiving = on;
    if (!on) {
        net->stale = true;
        drop_held_rx(net);
    }
    ask_turn(net);
}

static bool give_parts(struct net *net, uint8_t *frame)
{
    struct held *held = &net->rx;
    size_t end = held->parts.end, at, len;
    while (offload_split_next(&held->parts, frame, &at, &len))
        if (give(net, frame + at, len) == NET_HELD) {
            hold(held, frame, at, len, end);
            return false;
        }
    return true;
}

bool net_deliver(struct net *net, uint8_t *frame, size_t len, const struct net_offload *offload)
{
    struct held *held = &net->rx;
    if (!accepting(net) || held->waiting) {
        net->stats.rx_dropped++;
        return false;
    }
    if (len < NET_HEADER_LEN || len > NET_MAX_FRAME) {
        net->stats.rx_errors++;
        return true;
    }
    bool given;
    held->split = offload && offload->mss && offload_split_begin(&held->parts, frame, len, offload);
    if (held->split) {
        given = give_parts(net, frame);
    } else {
        if (offload && offload->csum)
            offload_checksum(frame, len, offload);
        given = give(net, frame, len) != NET_HELD;
        if (!given)
            hold(held, frame, 0, len, len);
    }
    if (!given)
        update_reading(net);
    return given && accepting(net);
}

void net_delivered(struct net *net)
{
    if (net->nic && net->nic->received)
        net->nic->received(net->nic_opaque);
}

void net_stale(struct net *net, uint64_t count)
{
    net->stats.rx_stale += count;
}

void net_ready(struct net *net)
{
    if (!net->rx.waiting || net->ready)
        return;
    net->ready = true;
    if (!net->stopped)
        ask_turn(net);
}

/* Offers what waits again. */
static void give_held(struct net *net)
{
    struct held *held = &net->rx;
    if (!held->waiting || !net->ready || !accepting(net))
        return;
    if (give(net, held->frame + held->at, held->len) == NET_HELD)
        return;
    held->waiting = false;
    if (held->split)
        give_parts(net, held->frame);
    net_delivered(net);
}

/* ---- Turns ---- */

static void turn(void *opaque)
{
    struct net *net = opaque;
    net->due = false;
    if (net->stopped)
        return;
    give_held(net);
    update_reading(net);
    net->parts = 0;
    if (!send_held(net)) {
        if (net->writable) /* more parts than fit into a turn */
            ask_turn(net);
        return;
    }
    if (!net->kicked || !net->nic)
        return;
    net->kicked = false;
    if (net->nic->transmit(net->nic_opaque))
        net->kicked = true;
    if (net->kicked && (!net->tx.waiting || net->writable))
        ask_turn(net);
}

void net_run(struct net *net, unsigned turns)
{
    while (turns-- && net->due)
        turn(net);
}

/* ---- The ends ---- */

void net_attach_nic(struct net *net, const struct net_nic *nic, void *opaque)
{
    if (!net)
        return;
    drop_held_rx(net);
    net->nic = nic;
    net->nic_opaque = opaque;
    net->receiving = false;
    net->stale = true;
    net->kicked = false;
    update_reading(net);
}

void net_attach_backend(struct net *net, const struct net_backend *backend, void *opaque)
{
    net->backend = backend;
    net->backend_opaque = opaque;
    net->reading = false;
    ask_turn(net);
}

bool net_link_up(const struct net *net)
{
    return net->link;
}

void net_set_link(struct net *net, bool up)
{
    if (up == net->link)
        return;
    net->link = up;
    if (!up) {
        net->stale = true;
        drop_held_rx(net);
        if (net->tx.waiting) {
            net->tx.waiting = false;
            net->stats.tx_dropped++;
        }
    }
    update_reading(net);
    if (net->kicked)
        ask_turn(net);
    if (net->nic && net->nic->link_changed)
        net->nic->link_changed(net->nic_opaque, up);
}

void net_quiesce(struct net *net)
{
    if (net->stopped)
        return;
    if (net->tx.waiting) {
        net->writable = true;
        net->parts = 0;
        if (!send_held(net)) {
            net->tx.waiting = false;
            net->stats.tx_dropped++;
        }
    }
    net->stopped = true;
    net->due = false;
    if (net->loop)
        loop_undefer(net->loop, &net->turn);
    update_reading(net);
}

void net_resume(struct net *net)
{
    if (!net->stopped)
        return;
    net->stopped = false;
    ask_turn(net);
}

void net_announce(struct net *net, const uint8_t mac[NET_MAC_LEN])
{
    static const uint8_t fixed[] = {
        0x80, 0x35, /* reverse ARP */
        0,    1,    /* Ethernet */
        0x08, 0x00, /* asks for an IPv4 address */
        6,    4,    /* bytes in an address of each */
        0,    3,    /* request */
    };
    uint8_t frame[NET_MIN_FRAME] = {0};
    memset(frame, 0xFF, NET_MAC_LEN);
    memcpy(frame + 6, mac, NET_MAC_LEN);
    memcpy(frame + 12, fixed, sizeof(fixed));
    memcpy(frame + 22, mac, NET_MAC_LEN); /* sender */
    memcpy(frame + 32, mac, NET_MAC_LEN); /* target: itself */
    if (!net->backend || !net->link)
        return;
    if (net->tx.waiting || put(net, frame, sizeof(frame), NULL, 1, sizeof(frame)) == NET_FULL)
        net->stats.tx_dropped++;
}

/* ---- Looking at it ---- */

void net_stats(const struct net *net, struct net_stats *stats)
{
    *stats = net->stats;
    stats->tx_waiting = net->tx.waiting;
    stats->rx_waiting = net->rx.waiting;
}

void net_describe(const struct net *net, char *out, size_t size)
{
    if (!size)
        return;
    out[0] = '\0';
    if (!net->backend)
        strncpy(out, "none", size);
    else if (net->backend->describe)
        net->backend->describe(net->backend_opaque, out, size);
    out[size - 1] = '\0';
}

void net_watch(struct net *net, struct net_watcher *watcher)
{
    struct net_watcher **at = &net->watchers;
    while (*at)
        at = &(*at)->next;
    watcher->next = NULL;
    *at = watcher;
}

void net_unwatch(struct net *net, struct net_watcher *watcher)
{
    for (struct net_watcher **at = &net->watchers; *at; at = &(*at)->next)
        if (*at == watcher) {
            *at = watcher->next;
            return;
        }
}
