/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The wire between a NIC and a back-end: order, back-pressure both ways, what is lost and counted,
 * stopping and going on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "hw/core/loop.h"
#include "net/net.h"
#include "net/offload.h"
#include "tests/unit/net_bytes.h"

#define MAX_SEEN 2048

/* What went somewhere: length and first payload byte of each frame. */
struct seen {
    size_t len[MAX_SEEN];
    uint8_t mark[MAX_SEEN];
    size_t count;
    uint8_t last[NET_MAX_FRAME];
};

static struct net *net;
static struct seen sent, received, watched;
static struct {
    size_t room; /* frames that it takes before it is full */
    bool fail;
    bool reading;
    unsigned reads, fresh, closes;
    struct net_offload offload; /* of the last */
    bool offloaded;
} backend;
static struct {
    size_t buffers; /* frames that it takes before it holds */
    bool filter;
    bool off_after; /* the receiver goes off in receive */
    size_t queue;   /* frames to send */
    size_t size;
    struct net_offload offload;
    unsigned transmits, batches, links;
    bool refused; /* net_send said false in this call */
    size_t after_refusal;
    bool more;
} nic;

static void note(struct seen *s, const uint8_t *frame, size_t len)
{
    assert_true(s->count < MAX_SEEN);
    s->len[s->count] = len;
    s->mark[s->count++] = len > NET_HEADER_LEN ? frame[NET_HEADER_LEN] : 0;
    memcpy(s->last, frame, len);
}

static enum net_sent backend_send(void *opaque, const uint8_t *frame, size_t len,
                                  const struct net_offload *offload)
{
    assert_ptr_equal(opaque, &backend);
    if (backend.fail)
        return NET_FAILED;
    if (!backend.room)
        return NET_FULL;
    backend.room--;
    backend.offloaded = offload != NULL;
    backend.offload = offload ? *offload : (struct net_offload){0};
    note(&sent, frame, len);
    return NET_SENT;
}

static void backend_read(void *opaque, bool on, bool fresh)
{
    assert_ptr_equal(opaque, &backend);
    backend.reading = on;
    backend.reads++;
    backend.fresh += fresh;
    if (fresh)
        net_stale(net, 3);
}

static void backend_describe(const void *opaque, char *out, size_t size)
{
    assert_ptr_equal(opaque, &backend);
    strncpy(out, "test,x=1", size);
}

static void backend_close(void *opaque)
{
    assert_ptr_equal(opaque, &backend);
    backend.closes++;
}

static struct net_backend ops = {
    .type = "test",
    .send = backend_send,
    .read = backend_read,
    .describe = backend_describe,
    .close = backend_close,
};

static enum net_taken nic_receive(void *opaque, const uint8_t *frame, size_t len)
{
    assert_ptr_equal(opaque, &nic);
    if (nic.filter)
        return NET_DROPPED;
    if (!nic.buffers)
        return NET_HELD;
    nic.buffers--;
    note(&received, frame, len);
    if (nic.off_after)
        net_receiving(net, false);
    return NET_TAKEN;
}

static void nic_received(void *opaque)
{
    assert_ptr_equal(opaque, &nic);
    nic.batches++;
}

static bool nic_transmit(void *opaque)
{
    static uint8_t frame[NET_MAX_FRAME];
    assert_ptr_equal(opaque, &nic);
    nic.transmits++;
    nic.refused = false;
    for (unsigned n = 0; n < NET_BUDGET && nic.queue; n++) {
        memset(frame, 0, nic.size);
        frame[NET_HEADER_LEN] = (uint8_t)nic.queue--;
        if (!net_send(net, frame, nic.size, &nic.offload)) {
            nic.refused = true;
            return false;
        }
    }
    return nic.queue || nic.more;
}

static void nic_link(void *opaque, bool up)
{
    assert_ptr_equal(opaque, &nic);
    assert_int_equal(net_link_up(net), up);
    nic.links++;
}

static const struct net_nic nic_ops = {nic_receive, nic_received, nic_transmit, nic_link};

static void see(void *opaque, bool to_nic, const uint8_t *frame, size_t len)
{
    (void)to_nic;
    note(opaque, frame, len);
}

static struct net_watcher watcher = {see, &watched, NULL};

static int setup(void **state)
{
    (void)state;
    memset(&sent, 0, sizeof(sent));
    memset(&received, 0, sizeof(received));
    memset(&watched, 0, sizeof(watched));
    memset(&backend, 0, sizeof(backend));
    memset(&nic, 0, sizeof(nic));
    backend.room = nic.buffers = MAX_SEEN;
    nic.size = 100;
    ops.offloads = false;
    net = net_new(NULL, "net0");
    if (!net)
        return -1;
    net_attach_backend(net, &ops, &backend);
    net_attach_nic(net, &nic_ops, &nic);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    net_free(net);
    return backend.closes == 1 ? 0 : -1;
}

static struct net_stats stats(void)
{
    struct net_stats s;
    net_stats(net, &s);
    return s;
}

static void settle(void)
{
    net_run(net, 100000);
}

static void receiver_on(void)
{
    net_receiving(net, true);
    settle();
    assert_true(backend.reading);
}

static bool deliver(uint8_t mark)
{
    uint8_t frame[80] = {0};
    frame[NET_HEADER_LEN] = mark;
    return net_deliver(net, frame, sizeof(frame), NULL);
}

/* ---- From the guest ---- */

static void a_kick_is_a_turn_later(void **state)
{
    (void)state;
    nic.queue = 3;
    net_kick(net);
    net_kick(net);
    assert_int_equal(nic.transmits, 0);
    settle();
    assert_int_equal(nic.transmits, 1);
    assert_int_equal(sent.count, 3);
    assert_int_equal(sent.mark[0], 3);
    assert_int_equal(sent.mark[2], 1);
    assert_int_equal(stats().tx_frames, 3);
    assert_int_equal(stats().tx_bytes, 300);
    settle();
    assert_int_equal(nic.transmits, 1);
}

static void more_than_a_budget_takes_more_turns(void **state)
{
    (void)state;
    nic.queue = 3 * NET_BUDGET;
    net_kick(net);
    net_run(net, 1);
    assert_int_equal(sent.count, NET_BUDGET);
    settle();
    assert_int_equal(sent.count, 3 * NET_BUDGET);
}

static void a_kick_can_be_taken_back(void **state)
{
    (void)state;
    nic.queue = 3;
    net_kick(net);
    net_unkick(net);
    settle();
    assert_int_equal(nic.transmits, 0);
    net_kick(net);
    settle();
    assert_int_equal(sent.count, 3);
}

static void a_full_backend_stops_the_ring_and_loses_nothing(void **state)
{
    (void)state;
    nic.queue = 10;
    backend.room = 4;
    net_kick(net);
    settle();
    assert_int_equal(sent.count, 4);
    assert_true(nic.refused);
    assert_int_equal(nic.queue, 5); /* one waits in the wire */
    assert_true(stats().tx_waiting);
    assert_int_equal(stats().tx_full, 1);
    net_kick(net); /* more doorbells change nothing */
    settle();
    assert_int_equal(nic.transmits, 1);

    net_writable(net); /* and it was not true */
    settle();
    assert_int_equal(stats().tx_full, 2);
    assert_int_equal(nic.transmits, 1);

    backend.room = MAX_SEEN;
    net_writable(net);
    settle();
    assert_int_equal(sent.count, 10);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(sent.mark[i], 10 - i);
    assert_false(stats().tx_waiting);
    assert_int_equal(stats().tx_dropped + stats().tx_errors, 0);
}

static void what_is_no_frame_is_counted(void **state)
{
    (void)state;
    nic.queue = 2;
    nic.size = NET_HEADER_LEN - 1;
    net_kick(net);
    settle();
    assert_int_equal(sent.count, 0);
    assert_int_equal(stats().tx_errors, 2);
    backend.fail = true;
    nic.size = 60;
    nic.queue = 1;
    net_kick(net);
    settle();
    assert_int_equal(stats().tx_errors, 3);
    assert_int_equal(stats().tx_frames, 0);
}

static void without_a_backend_frames_are_dropped(void **state)
{
    (void)state;
    char text[32];
    net_attach_backend(net, NULL, NULL);
    nic.queue = 2;
    net_kick(net);
    settle();
    assert_int_equal(stats().tx_dropped, 2);
    net_describe(net, text, sizeof(text));
    assert_string_equal(text, "none");
    net_attach_backend(net, &ops, &backend);
    net_describe(net, text, sizeof(text));
    assert_string_equal(text, "test,x=1");
    net_describe(net, text, 5);
    assert_string_equal(text, "test");
}

/* ---- To the guest ---- */

static void nothing_is_read_until_the_receiver_is_on(void **state)
{
    (void)state;
    settle();
    assert_int_equal(backend.reads, 0);
    net_receiving(net, true);
    net_receiving(net, true);
    settle();
    assert_int_equal(backend.reads, 1);
    assert_int_equal(backend.fresh, 1);
    assert_int_equal(stats().rx_stale, 3);
    assert_true(deliver(7));
    assert_int_equal(nic.batches, 0);
    net_delivered(net);
    assert_int_equal(nic.batches, 1);
    assert_int_equal(stats().rx_frames, 1);
    assert_int_equal(stats().rx_bytes, 80);

    net_receiving(net, false);
    settle();
    assert_false(backend.reading);
    assert_false(deliver(8));
    assert_int_equal(stats().rx_dropped, 1);
    assert_int_equal(received.count, 1);
}

static void off_and_on_at_once_throws_away(void **state)
{
    (void)state;
    receiver_on();
    net_receiving(net, false);
    net_receiving(net, true);
    settle();
    assert_true(backend.reading);
    assert_int_equal(backend.fresh, 2);
}

static void a_slow_guest_stops_the_backend(void **state)
{
    (void)state;
    receiver_on();
    nic.buffers = 1;
    assert_true(deliver(1));
    assert_false(deliver(2));
    assert_false(backend.reading);
    assert_true(stats().rx_waiting);
    assert_false(deliver(3)); /* a back-end that doesn't listen */
    assert_int_equal(stats().rx_dropped, 1);

    net_ready(net); /* and it was not true */
    settle();
    assert_int_equal(stats().rx_held, 2);
    assert_false(backend.reading);

    nic.buffers = MAX_SEEN;
    net_ready(net);
    assert_int_equal(received.count, 1); /* not in the call */
    settle();
    assert_int_equal(received.count, 2);
    assert_int_equal(received.mark[1], 2);
    assert_int_equal(nic.batches, 1);
    assert_true(backend.reading);
    assert_int_equal(backend.fresh, 1); /* nothing of this was stale */
    net_ready(net);
    settle();
    assert_int_equal(received.count, 2);
}

static void a_held_frame_goes_with_the_receiver(void **state)
{
    (void)state;
    receiver_on();
    nic.buffers = 0;
    assert_false(deliver(1));
    net_receiving(net, false);
    assert_false(stats().rx_waiting);
    assert_int_equal(stats().rx_stale, 4);
    nic.buffers = MAX_SEEN;
    net_receiving(net, true);
    settle();
    assert_int_equal(received.count, 0);
    assert_true(deliver(2));
    assert_int_equal(received.mark[0], 2);
}

static void the_receiver_can_go_off_in_receive(void **state)
{
    (void)state;
    receiver_on();
    nic.off_after = true;
    assert_false(deliver(1));
    assert_int_equal(received.count, 1);
    settle();
    assert_false(backend.reading);
}

static void frames_of_no_size_are_errors(void **state)
{
    (void)state;
    static uint8_t frame[NET_MAX_FRAME + 1];
    receiver_on();
    assert_true(net_deliver(net, frame, NET_HEADER_LEN - 1, NULL));
    assert_true(net_deliver(net, frame, NET_MAX_FRAME + 1, NULL));
    assert_int_equal(stats().rx_errors, 2);
    assert_true(net_deliver(net, frame, NET_MAX_FRAME, NULL));
    assert_true(net_deliver(net, frame, NET_HEADER_LEN, NULL));
    nic.filter = true;
    assert_true(deliver(1));
    assert_int_equal(stats().rx_dropped, 1);
    assert_int_equal(stats().rx_frames, 2);
}

/* CVE-2018-17963 (and the cards' own CVE-2018-10839, -17958, -17962): lengths that no int can tell.
 */
static void cve_2018_17963_lengths_of_no_int(void **state)
{
    (void)state;
    static const size_t lens[] = {(size_t)INT_MAX + 1,     (size_t)INT_MAX + 60, UINT32_MAX,
                                  (size_t)UINT32_MAX + 61, SIZE_MAX - 59,        SIZE_MAX};
    static uint8_t frame[NET_MIN_FRAME];
    const size_t count = sizeof(lens) / sizeof(lens[0]);
    receiver_on();
    for (size_t i = 0; i < count; i++) {
        assert_true(net_deliver(net, frame, lens[i], NULL));
        assert_true(net_send(net, frame, lens[i], NULL));
    }
    assert_int_equal(stats().rx_errors, count);
    assert_int_equal(stats().tx_errors, count);
    assert_int_equal(stats().rx_frames, 0);
    assert_int_equal(sent.count, 0);
}

static void two_cards_gone_and_come(void **state)
{
    (void)state;
    receiver_on();
    nic.buffers = 0;
    nic.queue = 1;
    net_kick(net);
    assert_false(deliver(1));
    net_attach_nic(net, NULL, NULL);
    assert_false(backend.reading);
    settle();
    assert_int_equal(nic.transmits, 0);
    assert_false(deliver(2));
    net_attach_nic(net, &nic_ops, &nic);
    settle();
    assert_false(backend.reading);
}

/* ---- The cable ---- */

static void a_pulled_cable(void **state)
{
    (void)state;
    receiver_on();
    backend.room = 0;
    nic.queue = 3;
    net_kick(net);
    settle();
    nic.buffers = 0;
    assert_false(deliver(1));
    net_set_link(net, false);
    net_set_link(net, false);
    assert_int_equal(nic.links, 1);
    assert_false(backend.reading);
    assert_false(deliver(2));
    settle();
    assert_int_equal(nic.queue, 0); /* sent into the void */
    assert_int_equal(stats().tx_dropped, 3);
    nic.buffers = backend.room = MAX_SEEN;
    net_set_link(net, true);
    assert_int_equal(nic.links, 2);
    assert_true(backend.reading);
    assert_int_equal(backend.fresh, 2);
    assert_int_equal(received.count, 0);
}

/* ---- Stopping ---- */

static void quiesce_stops_everything_and_keeps_what_waits_for_the_guest(void **state)
{
    (void)state;
    receiver_on();
    nic.buffers = 0;
    assert_false(deliver(1));
    net_ready(net);
    nic.queue = 1;
    net_kick(net);
    net_quiesce(net);
    net_quiesce(net);
    assert_false(backend.reading);
    nic.buffers = MAX_SEEN;
    net_kick(net);
    net_ready(net);
    settle();
    assert_int_equal(nic.transmits, 0);
    assert_int_equal(received.count, 0);
    assert_false(deliver(2));

    net_resume(net);
    net_resume(net);
    settle();
    assert_int_equal(received.mark[0], 1);
    assert_int_equal(sent.count, 1);
    assert_true(backend.reading);
    assert_int_equal(backend.fresh, 1); /* what came in the meantime is the guest's */
}

static void a_frame_for_the_backend_gets_one_try(void **state)
{
    (void)state;
    backend.room = 0;
    nic.queue = 2;
    net_kick(net);
    settle();
    backend.room = 1; /* there is room, nobody said so yet */
    net_quiesce(net);
    assert_int_equal(sent.count, 1);
    assert_int_equal(stats().tx_dropped, 0);
    net_resume(net);
    settle();
    assert_int_equal(nic.queue, 0);
    assert_true(stats().tx_waiting);
    net_quiesce(net);
    assert_false(stats().tx_waiting);
    assert_int_equal(stats().tx_dropped, 1);
}

static void a_guest_that_was_elsewhere_is_announced(void **state)
{
    (void)state;
    static const uint8_t mac[NET_MAC_LEN] = {0x00, 0x16, 0x3E, 1, 2, 3};
    static const uint8_t expect[42] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x16, 0x3E, 1,
                                       2,    3,    0x80, 0x35, 0,    1,    8,    0,    6,    4,
                                       0,    3,    0x00, 0x16, 0x3E, 1,    2,    3,    0,    0,
                                       0,    0,    0x00, 0x16, 0x3E, 1,    2,    3};
    net_announce(net, mac);
    assert_int_equal(sent.count, 1);
    assert_int_equal(sent.len[0], NET_MIN_FRAME);
    assert_memory_equal(sent.last, expect, sizeof(expect));
    backend.room = 0;
    net_announce(net, mac);
    assert_int_equal(stats().tx_dropped, 1);
    backend.room = 1000;
    net_set_link(net, false); /* nobody is there who could learn it */
    net_announce(net, mac);
    assert_int_equal(sent.count, 1);
    assert_int_equal(stats().tx_dropped, 1);
}

static void watchers_see_what_went_over_the_wire(void **state)
{
    (void)state;
    net_watch(net, &watcher);
    receiver_on();
    nic.queue = 2;
    backend.room = 1;
    net_kick(net);
    settle();
    assert_int_equal(watched.count, 1); /* not the one that waits */
    backend.room = 1;
    net_writable(net);
    settle();
    assert_int_equal(watched.count, 2);
    nic.buffers = 0;
    deliver(9);
    assert_int_equal(watched.count, 2);
    nic.buffers = 1;
    net_ready(net);
    settle();
    assert_int_equal(watched.mark[2], 9);
    net_unwatch(net, &watcher);
    nic.buffers = 1;
    deliver(9);
    assert_int_equal(watched.count, 3);
}

/* ---- Offloads ---- */

#define IP  14
#define TCP 34
#define HDR 54

/* A TCP segment with `payload` bytes that count up. */
static size_t segment(uint8_t *f, size_t payload)
{
    memset(f, 0, HDR);
    put16(f + 12, 0x0800);
    f[IP] = 0x45;
    put16(f + IP + 2, (unsigned)(40 + payload));
    f[IP + 8] = 64;
    f[IP + 9] = OFFLOAD_TCP;
    memcpy(f + IP + 12, "\x0A\0\0\1\x0A\0\0\2", 8);
    f[TCP + 12] = 0x50;
    f[TCP + 13] = 0x18;
    for (size_t i = 0; i < payload; i++)
        f[HDR + i] = (uint8_t)i;
    return HDR + payload;
}

static void expect_whole(const struct seen *s, size_t mss, size_t payload)
{
    size_t full = payload / mss, rest = payload % mss;
    assert_int_equal(s->count, full + (rest != 0));
    for (size_t i = 0; i < full; i++)
        assert_int_equal(s->len[i], HDR + mss);
    struct offload_packet p;
    assert_true(offload_parse(s->last, s->len[s->count - 1], &p));
    assert_true(offload_ip_valid(s->last, &p));
    assert_true(offload_transport_valid(s->last, &p));
    assert_int_equal(p.protocol, OFFLOAD_TCP);
}

static const struct net_offload tso = {.mss = 1000, .ip = IP, .tcp = TCP};

static void a_segment_is_split_and_goes_on_in_the_middle(void **state)
{
    (void)state;
    static uint8_t frame[NET_MAX_FRAME];
    size_t len = segment(frame, 9500);
    backend.room = 3;
    assert_false(net_send(net, frame, len, &tso));
    memset(frame, 0xEE, sizeof(frame)); /* it was copied */
    assert_int_equal(sent.count, 3);
    assert_true(stats().tx_waiting);
    for (unsigned i = 0; i < 4; i++) { /* and stops there again */
        backend.room = 1;
        net_writable(net);
        settle();
    }
    assert_int_equal(sent.count, 7);
    backend.room = MAX_SEEN;
    net_writable(net);
    settle();
    expect_whole(&sent, 1000, 9500);
    for (unsigned i = 0; i < 500; i++)
        assert_int_equal(sent.last[HDR + i], (uint8_t)(9000 + i));
    assert_int_equal(stats().tx_frames, 10);
    assert_int_equal(stats().tx_bytes, 9500 + 10 * HDR);
}

static void the_same_towards_the_guest(void **state)
{
    (void)state;
    static uint8_t frame[NET_MAX_FRAME];
    size_t len = segment(frame, 9500);
    receiver_on();
    nic.buffers = 3;
    assert_false(net_deliver(net, frame, len, &tso));
    memset(frame, 0xEE, sizeof(frame));
    nic.buffers = 2;
    net_ready(net);
    settle();
    assert_int_equal(received.count, 5);
    assert_false(backend.reading);
    nic.buffers = MAX_SEEN;
    net_ready(net);
    settle();
    expect_whole(&received, 1000, 9500);
    for (unsigned i = 0; i < 500; i++)
        assert_int_equal(received.last[HDR + i], (uint8_t)(9000 + i));
    assert_int_equal(stats().rx_frames, 10);
    assert_true(backend.reading);
}

/* Bytes as payload: work in proportion to the frame is bounded in a turn. */
static void tiny_parts_take_many_turns(void **state)
{
    (void)state;
    static uint8_t frame[NET_MAX_FRAME];
    struct net_offload offload = tso;
    size_t len = segment(frame, 1700);
    offload.mss = 1;
    ops.offloads = true; /* it is not passed on either */
    assert_false(net_send(net, frame, len, &offload));
    size_t first = sent.count;
    assert_in_range(first, 1, 1024);
    net_run(net, 1);
    assert_in_range(sent.count, first + 1, first + 1024);
    settle();
    expect_whole(&sent, 1, 1700);
}

static void a_backend_that_can_gets_it_whole(void **state)
{
    (void)state;
    static uint8_t frame[NET_MAX_FRAME];
    size_t len = segment(frame, 9500);
    ops.offloads = true;
    assert_true(net_send(net, frame, len, &tso));
    assert_int_equal(sent.count, 1);
    assert_true(backend.offloaded);
    assert_int_equal(backend.offload.mss, 1000);
    assert_true(backend.offload.csum);
    assert_int_equal(backend.offload.csum_start, TCP);
    assert_int_equal(backend.offload.csum_at, TCP + 16);
    assert_int_equal(stats().tx_frames, 10);
    assert_int_equal(stats().tx_bytes, 9500 + 10 * HDR);
    /* What is left to be done on it makes it right. */
    assert_true(offload_checksum(sent.last, sent.len[0], &backend.offload));
    struct offload_packet p;
    assert_true(offload_parse(sent.last, sent.len[0], &p));
    assert_true(offload_ip_valid(sent.last, &p) && offload_transport_valid(sent.last, &p));

    backend.room = 0;
    len = segment(frame, 9500);
    assert_false(net_send(net, frame, len, &tso));
    backend.room = 1;
    net_writable(net);
    settle();
    assert_int_equal(backend.offload.mss, 1000);
    assert_int_equal(stats().tx_frames, 20);
}

static void a_checksum_is_put_in_or_passed_on(void **state)
{
    (void)state;
    uint8_t frame[HDR + 100];
    struct offload_packet p;
    struct net_offload offload = {0};
    for (unsigned pass = 0; pass < 2; pass++) {
        ops.offloads = pass;
        size_t len = segment(frame, 100);
        assert_true(offload_parse(frame, len, &p));
        offload_fill_ip(frame, &p);
        offload_ask_transport(frame, &p, &offload);
        assert_false(offload_transport_valid(frame, &p));
        assert_true(net_send(net, frame, len, &offload));
        assert_int_equal(backend.offloaded, pass);
        assert_int_equal(offload_transport_valid(sent.last, &p), !pass);
    }
    receiver_on();
    size_t len = segment(frame, 100);
    offload_ask_transport(frame, &p, &offload);
    assert_true(net_deliver(net, frame, len, &offload));
    assert_true(offload_transport_valid(received.last, &p));
}

static void offloads_that_do_not_fit_are_left(void **state)
{
    (void)state;
    static const struct net_offload wrong[] = {
        {.csum = true, .csum_start = 200, .csum_at = 20},
        {.csum = true, .csum_start = 20, .csum_at = 99},
        {.csum = true, .csum_start = 65535, .csum_at = 65535},
        {.mss = 10, .ip = 14, .tcp = 90},
        {.mss = 10, .ip = 65535, .tcp = 65535},
        {.mss = 65535, .ip = 0, .tcp = 0},
        {.mss = 65535, .ip = 14, .tcp = 34},
    };
    uint8_t frame[100] = {0}, before[100];
    receiver_on();
    for (unsigned pass = 0; pass < 2; pass++) {
        ops.offloads = pass;
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
            memset(frame, (int)i + 1, sizeof(frame));
            memcpy(before, frame, sizeof(frame));
            assert_true(net_send(net, frame, sizeof(frame), &wrong[i]));
            assert_false(backend.offloaded);
            assert_memory_equal(sent.last, before, sizeof(frame));
            assert_true(net_deliver(net, frame, sizeof(frame), &wrong[i]));
            assert_memory_equal(received.last, before, sizeof(frame));
        }
    }
}

/* ---- On a loop ---- */

static void a_turn_is_a_deferred_call(void **state)
{
    (void)state;
    struct err err;
    struct loop *loop = loop_new(&err);
    assert_non_null(loop);
    net_free(net);
    net = net_new(loop, "net1");
    assert_string_equal(net_name(net), "net1");
    net_attach_backend(net, &ops, &backend);
    net_attach_nic(net, &nic_ops, &nic);
    loop_turn(loop, 0);
    assert_false(loop_pending(loop));
    nic.queue = NET_BUDGET + 1;
    net_kick(net);
    assert_true(loop_pending(loop));
    loop_turn(loop, 0);
    assert_int_equal(sent.count, NET_BUDGET);
    loop_turn(loop, 0);
    assert_int_equal(sent.count, NET_BUDGET + 1);
    assert_false(loop_pending(loop));
    net_kick(net);
    net_quiesce(net);
    assert_false(loop_pending(loop));
    net_resume(net);
    net_free(net); /* with a turn waiting */
    assert_false(loop_pending(loop));
    net = net_new(NULL, "net0");
    loop_free(loop);
    backend.closes = 0;
    net_attach_backend(net, &ops, &backend);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_kick_is_a_turn_later),
        T(more_than_a_budget_takes_more_turns),
        T(a_kick_can_be_taken_back),
        T(a_full_backend_stops_the_ring_and_loses_nothing),
        T(what_is_no_frame_is_counted),
        T(without_a_backend_frames_are_dropped),
        T(nothing_is_read_until_the_receiver_is_on),
        T(off_and_on_at_once_throws_away),
        T(a_slow_guest_stops_the_backend),
        T(a_held_frame_goes_with_the_receiver),
        T(the_receiver_can_go_off_in_receive),
        T(frames_of_no_size_are_errors),
        T(cve_2018_17963_lengths_of_no_int),
        T(two_cards_gone_and_come),
        T(a_pulled_cable),
        T(quiesce_stops_everything_and_keeps_what_waits_for_the_guest),
        T(a_frame_for_the_backend_gets_one_try),
        T(a_guest_that_was_elsewhere_is_announced),
        T(watchers_see_what_went_over_the_wire),
        T(a_segment_is_split_and_goes_on_in_the_middle),
        T(the_same_towards_the_guest),
        T(tiny_parts_take_many_turns),
        T(a_backend_that_can_gets_it_whole),
        T(a_checksum_is_put_in_or_passed_on),
        T(offloads_that_do_not_fit_are_left),
        T(a_turn_is_a_deferred_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
