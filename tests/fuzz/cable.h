/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cable: what the targets of network cards do alike beside their registers: the wire, its far end,
 * and what happens to them. */
#ifndef TESTS_FUZZ_CABLE_H
#define TESTS_FUZZ_CABLE_H

#include "net/net.h"
#include "tests/fuzz/device.h"

struct fuzz_wire {
    struct net *net;
    size_t longest; /* frame that the card sends */
    bool offloads;  /* the far end's */
    bool full;      /* the far end */
};

/* The far end: nothing comes from there by itself, and all of a frame is there. */
static inline enum net_sent fuzz_far_send(void *opaque, const uint8_t *frame, size_t len,
                                          const struct net_offload *offload)
{
    const struct fuzz_wire *w = opaque;
    volatile uint8_t sum = 0;
    fuzz_assert(len >= NET_HEADER_LEN && len <= w->longest);
    fuzz_assert(!offload || (w->offloads && (!offload->csum || offload->csum_at + 2u <= len)));
    for (size_t i = 0; i < len; i += len - 1 < 64 ? len - 1 : 64)
        sum = (uint8_t)(sum + frame[i]);
    sum = (uint8_t)(sum + frame[len - 1]);
    return w->full ? NET_FULL : NET_SENT;
}

static inline void fuzz_far_read(void *opaque, bool on, bool fresh)
{
    (void)opaque, (void)on, (void)fresh;
}

/* Without a card yet; no frame of more than `longest` bytes leaves it. */
static inline void fuzz_wire_open(struct fuzz_wire *w, size_t longest, bool offloads)
{
    static const struct net_backend far_ends[] = {
        {.type = "fuzz", .send = fuzz_far_send, .read = fuzz_far_read},
        {.type = "fuzz", .offloads = true, .send = fuzz_far_send, .read = fuzz_far_read},
    };
    *w = (struct fuzz_wire){.net = net_new(NULL, "net0"), .longest = longest, .offloads = offloads};
    fuzz_assert(w->net);
    net_attach_backend(w->net, &far_ends[offloads], w);
}

/* Bit 0 of `how`: the cable is plugged in (bit 1) or pulled out; else the far end is full (bit 1),
 * or not. */
static inline void fuzz_cable(struct fuzz_wire *w, unsigned how)
{
    if (how & 1)
        net_set_link(w->net, how & 2);
    else
        w->full = how & 2;
    if (!w->full)
        net_writable(w->net);
    net_run(w->net, 4);
}

/* Bit 0 of `how`: a state from elsewhere; else a stop of card and wire, and bit 1: a move. */
static inline void fuzz_card_life(struct fuzz_device *z, struct fuzz_wire *w, unsigned how)
{
    net_quiesce(w->net);
    if (how & 1)
        fuzz_hostile_state(z, z->devices.first);
    else
        fuzz_stop_and_move(z, how & 2);
    net_resume(w->net);
}

/* Whatever it did: cable in, far end free, and after a reset it is as new and nothing is under way.
 * The caller switches it on again and looks. */
static inline void fuzz_card_reset(struct fuzz_device *z, struct fuzz_wire *w)
{
    w->full = false;
    net_set_link(w->net, true);
    net_writable(w->net);
    devices_reset(&z->devices);
    net_run(w->net, 1000);
    fuzz_assert(clock_deadline(&z->clock) == CLOCK_NEVER);
}

static inline void fuzz_card_close(struct fuzz_device *z, struct fuzz_wire *w)
{
    fuzz_close(z);
    net_free(w->net);
}

#endif
