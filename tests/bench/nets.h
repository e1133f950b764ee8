/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nets: a driver for each network card, as little of one as it takes to send and to receive; what
 * measures with them is nets.c. The null device model's figures need none. */
#ifndef TESTS_BENCH_NETS_H
#define TESTS_BENCH_NETS_H

#include "bench.h"

/* Guest memory of all drivers */
#define NET_BLOCK   UINT64_C(0x100000)
#define NET_RX_RING UINT64_C(0x110000)
#define NET_TX_RING UINT64_C(0x120000)
#define NET_RX_DATA UINT64_C(0x200000) /* 2 KiB for each entry */
#define NET_TX_DATA UINT64_C(0x400000) /* the frame that is sent, again and again */
#define NET_IO      0xC100
#define NET_MMIO    UINT64_C(0xF2000000)
#define NET_RING    64u
#define NET_BUFFER  2048u

/* One card under measurement. */
struct net_card {
    struct xenstub *x;
    unsigned tx, rx;   /* where in the rings the driver is */
    unsigned rx_count; /* NE2000: frames that were taken out of its ring and not counted yet */
};

struct net_driver {
    const char *name;   /* "e1000" */
    const char *device; /* what -device calls it */
    uint32_t id;        /* device << 16 | vendor */
    unsigned batch;     /* frames under way at once, each way */
    void (*start)(struct net_card *c);
    /* Sends `n` (up to batch) times the frame of len bytes at NET_TX_DATA, and rings. */
    void (*send)(struct net_card *c, unsigned n, unsigned len);
    /* Whether all of them are done; then it has also acknowledged the interrupt. */
    bool (*sent)(struct net_card *c);
    /* Whether `n` frames are there; then they are given back and the interrupt acknowledged. */
    bool (*received)(struct net_card *c, unsigned n);
    /* One segmented TCP frame: `payload` bytes of it in parts of `mss`. NULL: the card can't. */
    void (*send_large)(struct net_card *c, unsigned headers, unsigned payload, unsigned mss);
};

extern const struct net_driver net_ne2000, net_pcnet, net_rtl8139, net_e1000;

/* 32 bits of guest memory. */
static inline uint32_t *net_at(struct net_card *c, uint64_t addr)
{
    return (uint32_t *)(void *)((uint8_t *)guest_page(c->x, addr >> 12) + (addr & 4095));
}

static inline uint32_t net_get(struct net_card *c, uint64_t addr)
{
    return __atomic_load_n(net_at(c, addr), __ATOMIC_ACQUIRE);
}

static inline void net_put(struct net_card *c, uint64_t addr, uint32_t v)
{
    __atomic_store_n(net_at(c, addr), v, __ATOMIC_RELEASE);
}

#endif
