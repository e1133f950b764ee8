/* SPDX-License-Identifier: GPL-2.0-or-later */
/* net_rig: a wire with the test as its NIC, for the tests of back-ends; waits for events, never for
 * times. */
#ifndef TESTS_UNIT_NET_RIG_H
#define TESTS_UNIT_NET_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "hw/core/loop.h"
#include "net/net.h"
#include "net/netdev.h"

#define RIG_KEPT 256

struct wire {
    struct net *net;
    bool full;       /* no buffer is free */
    unsigned bursts; /* calls of `received` */
    uint64_t count;
    struct {
        uint8_t bytes[2048];
        size_t len;
    } kept[RIG_KEPT]; /* the last, by number % RIG_KEPT */
    /* What is to be sent: `queued` frames of `len` bytes, the number in the first payload bytes. */
    uint64_t queued, sent;
    size_t len;
};

static struct loop *rig_loop;
static struct err rig_err;

static inline enum net_taken rig_receive(void *opaque, const uint8_t *frame, size_t len)
{
    struct wire *w = opaque;
    if (w->full)
        return NET_HELD;
    size_t part = len < sizeof(w->kept[0].bytes) ? len : sizeof(w->kept[0].bytes);
    memcpy(w->kept[w->count % RIG_KEPT].bytes, frame, part);
    w->kept[w->count++ % RIG_KEPT].len = len;
    return NET_TAKEN;
}

static inline void rig_received(void *opaque)
{
    ((struct wire *)opaque)->bursts++;
}

static inline void rig_frame(uint8_t *frame, size_t len, uint64_t number)
{
    memset(frame, 0x5A, len);
    memset(frame, 0xFF, NET_MAC_LEN);
    memcpy(frame + 12, "\x88\xB5", 2); /* for local experiments (IEEE 802) */
    memcpy(frame + NET_HEADER_LEN, &number, len >= NET_HEADER_LEN + 8 ? 8 : len - NET_HEADER_LEN);
}

static inline bool rig_transmit(void *opaque)
{
    struct wire *w = opaque;
    static uint8_t frame[NET_MAX_FRAME];
    for (unsigned i = 0; w->sent < w->queued; i++) {
        if (i == NET_BUDGET)
            return true;
        rig_frame(frame, w->len, w->sent++);
        if (!net_send(w->net, frame, w->len, NULL))
            return false;
    }
    return false;
}

static const struct net_nic rig_nic = {
    .receive = rig_receive, .received = rig_received, .transmit = rig_transmit};

/* Everything that is on its way has arrived. */
static inline void rig_settle(void)
{
    for (unsigned i = 0; i < 20; i++)
        loop_turn(rig_loop, 0);
}

/* Opens it, with the receiver on. */
static inline bool wire_try(struct wire *w, const char *name, struct netdev_config *config)
{
    memset(w, 0, sizeof(*w));
    w->len = 60;
    w->net = net_new(rig_loop, name);
    assert_non_null(w->net);
    net_attach_nic(w->net, &rig_nic, w);
    net_receiving(w->net, true);
    rig_err.text[0] = '\0';
    return netdev_open(config, rig_loop, w->net, &rig_err);
}

static inline void wire_open(struct wire *w, const char *name, struct netdev_config *config)
{
    if (!wire_try(w, name, config))
        fail_msg("%s", rig_err.text);
    rig_settle(); /* what comes from now on is for the NIC */
}

static inline void wire_close(struct wire *w)
{
    if (w->net)
        net_attach_nic(w->net, NULL, NULL);
    net_free(w->net);
    w->net = NULL;
}

static inline void wire_refused(const char *part, struct netdev_config *config)
{
    struct wire w;
    if (wire_try(&w, "n7", config))
        fail_msg("opened, in spite of %s", part);
    if (!strstr(rig_err.text, "-netdev n7: ") || !strstr(rig_err.text, part))
        fail_msg("'%s' is not in: %s", part, rig_err.text);
    wire_close(&w);
}

static inline void wire_send(struct wire *w, uint64_t count, size_t len)
{
    w->len = len;
    w->queued += count;
    net_kick(w->net);
}

static inline struct net_stats wire_stats(const struct wire *w)
{
    struct net_stats s;
    net_stats(w->net, &s);
    return s;
}

static inline double rig_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Turns the loop until the condition holds; a test that waits for ever fails. */
#define rig_until(condition)                                   \
    do {                                                       \
        double rig_end = rig_now() + 30;                       \
        while (!(condition)) {                                 \
            if (rig_now() > rig_end)                           \
                fail_msg("line %d: %s", __LINE__, #condition); \
            loop_turn(rig_loop, 2000000);                      \
        }                                                      \
    } while (0)

#endif
