/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tap_rig: a wire with a NIC of the test's, for a tap or what stands in for one; taps are made in a
 * network namespace of the test's own, where the kernel lets us have one. */
#ifndef TESTS_UNIT_TAP_RIG_H
#define TESTS_UNIT_TAP_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "hw/core/loop.h"
#include "net/netdev.h"
#include "net/offload.h"

#define TYPE 0x88B5 /* for local experiments */

static struct loop *loop;
static struct net *net;
static struct netdev_config config;
static struct err err;
static char folder[] = "/tmp/test_tap.XXXXXX";
static const char *no_taps; /* why there are none */

static struct {
    size_t buffers;
    unsigned frames, batches;
    size_t len;
    uint8_t last[NET_MAX_FRAME];
    unsigned bad_sums;
    size_t payload;
} nic;

static inline enum net_taken receive(void *opaque, const uint8_t *frame, size_t len)
{
    struct offload_packet p;
    (void)opaque;
    if (!nic.buffers)
        return NET_HELD;
    if (offload_parse(frame, len, &p)) {
        if (p.protocol != OFFLOAD_TCP)
            return NET_DROPPED; /* the host's own chatter on its new interface */
        nic.bad_sums += !offload_ip_valid(frame, &p) || !offload_transport_valid(frame, &p);
        nic.payload += p.end - p.payload;
    } else if (frame[12] << 8 != (TYPE & 0xFF00)) {
        return NET_DROPPED;
    }
    nic.buffers--;
    nic.frames++;
    nic.len = len;
    memcpy(nic.last, frame, len);
    return NET_TAKEN;
}

static inline void received(void *opaque)
{
    (void)opaque;
    nic.batches++;
}

static inline bool transmit(void *opaque)
{
    (void)opaque;
    return false;
}

static const struct net_nic nic_ops = {receive, received, transmit, NULL};

static inline int setup(void **state)
{
    (void)state;
    memset(&nic, 0, sizeof(nic));
    nic.buffers = 100000;
    config = (struct netdev_config){
        .kind = NETDEV_TAP, .id = (char *)(uintptr_t) "net0", .fd = -1, .vnet_hdr = true};
    loop = loop_new(&err);
    net = loop ? net_new(loop, "net0") : NULL;
    if (!net)
        return -1;
    net_attach_nic(net, &nic_ops, &nic);
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    net_free(net);
    loop_free(loop);
    return 0;
}

static inline bool open_it(void)
{
    return netdev_open(&config, loop, net, &err);
}

static inline void expect_refused(const char *words)
{
    assert_false(open_it());
    if (!strstr(err.text, words) || !strstr(err.text, "-netdev net0"))
        fail_msg("not \"%s\": %s", words, err.text);
}

static inline struct net_stats stats(void)
{
    struct net_stats s;
    net_stats(net, &s);
    return s;
}

static inline void turns(unsigned n)
{
    while (n--)
        loop_turn(loop, 0);
}

static inline void receiver(bool on)
{
    net_receiving(net, on);
    turns(2);
}

/* Waits for it, as the host's network may take its time. */
static inline void until_frames(unsigned count)
{
    for (unsigned i = 0; i < 200 && nic.frames < count; i++)
        loop_turn(loop, 50 * NS_PER_MS);
    assert_int_equal(nic.frames, count);
}

/* Whether the loop has nothing to do: it then sleeps as long as it is let. */
static inline bool is_asleep(void)
{
    struct timespec a, b;
    turns(10);
    clock_gettime(CLOCK_MONOTONIC, &a);
    loop_turn(loop, 20 * NS_PER_MS);
    clock_gettime(CLOCK_MONOTONIC, &b);
    return (b.tv_sec - a.tv_sec) * 1000000000 + b.tv_nsec - a.tv_nsec >= 20000000;
}

static inline size_t fill_frame(uint8_t *f, size_t len, uint8_t mark)
{
    memset(f, 0xFF, 6);
    memset(f + 6, 0x02, 6);
    f[12] = TYPE >> 8;
    f[13] = TYPE & 0xFF;
    memset(f + 14, mark, len - 14);
    return len;
}

/* ---- Real taps ---- */

#define NEED_TAPS()                              \
    do {                                         \
        if (no_taps) {                           \
            printf("skip: taps: %s\n", no_taps); \
            skip();                              \
        }                                        \
    } while (0)

static inline void set_flags(const char *name, short flags)
{
    struct ifreq r = {.ifr_flags = flags};
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
    assert_int_equal(ioctl(s, SIOCSIFFLAGS, &r), 0);
    close(s);
}

/* A packet socket at the host's side; with virtio headers. */
static inline int host_side(const char *name)
{
    const struct sockaddr_ll at = {
        .sll_family = AF_PACKET,
        .sll_protocol = htons(ETH_P_ALL),
        .sll_ifindex = (int)if_nametoindex(name),
    };
    int one = 1, fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)), 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
    return fd;
}

static inline int open_tap(const char *name)
{
    config.ifname = (char *)(uintptr_t)name;
    if (!open_it())
        fail_msg("%s", err.text);
    assert_int_not_equal(if_nametoindex(name), 0);
    set_flags(name, IFF_UP);
    return host_side(name);
}

static inline int make_tap(const char *name, short flags, bool persistent)
{
    struct ifreq r = {.ifr_flags = flags};
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
    assert_int_equal(ioctl(fd, TUNSETIFF, &r), 0);
    assert_int_equal(ioctl(fd, TUNSETPERSIST, persistent), 0);
    return fd;
}

/* A namespace for our interfaces alone. */
static inline int group_setup(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    if (!mkdtemp(folder))
        return -1;
    if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET))
        no_taps = "this user may have no network namespace";
    else if (access("/dev/net/tun", R_OK | W_OK))
        no_taps = "/dev/net/tun is not there, or not for this user";
    return 0;
}

static inline int group_teardown(void **state)
{
    (void)state;
    char command[64];
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

#endif
