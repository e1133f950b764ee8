/* SPDX-License-Identifier: GPL-2.0-or-later */
/* net_rtl8139: RTL8139C+ by its descriptor rings, as Linux' 8139cp drives it. */
#include "nets.h"

enum {
    IDR0 = 0x00,
    TNPDS = 0x20,
    CR = 0x37,
    IMR = 0x3C,
    ISR = 0x3E,
    TCR = 0x40,
    RCR = 0x44,
    TPPOLL = 0xD9,
    CPCR = 0xE0,
    RDSAR = 0xE4,
};
#define OWN 0x80000000u
#define EOR 0x40000000u

static void out(struct net_card *c, unsigned reg, unsigned size, uint32_t v)
{
    vcpu_out(c->x, 0, (uint16_t)(NET_IO + reg), size, v);
}

static void put_rx(struct net_card *c, unsigned i)
{
    uint64_t d = NET_RX_RING + i * 16;
    net_put(c, d + 4, 0);
    net_put(c, d + 8, (uint32_t)(NET_RX_DATA + i * NET_BUFFER));
    net_put(c, d + 12, 0);
    net_put(c, d, OWN | (i + 1 == NET_RING ? EOR : 0) | 1600);
}

static void start(struct net_card *c)
{
    out(c, CR, 1, 0x10);
    while (vcpu_in(c->x, 0, NET_IO + CR, 1) & 0x10)
        ;
    for (unsigned i = 0; i < NET_RING; i++)
        put_rx(c, i);
    out(c, CPCR, 2, 0x0003);
    out(c, TNPDS, 4, (uint32_t)NET_TX_RING);
    out(c, TNPDS + 4, 4, 0);
    out(c, RDSAR, 4, (uint32_t)NET_RX_RING);
    out(c, RDSAR + 4, 4, 0);
    out(c, CR, 1, 0x0C);
    out(c, TCR, 4, 0x03000700);
    out(c, RCR, 4, 0x0000E70A);
    out(c, IMR, 2, 0x0005 | 0x00F0);
}

static void send(struct net_card *c, unsigned n, unsigned len)
{
    for (unsigned i = 0; i < n; i++, c->tx = (c->tx + 1) % NET_RING) {
        uint64_t d = NET_TX_RING + c->tx * 16;
        net_put(c, d + 4, 0);
        net_put(c, d + 8, (uint32_t)NET_TX_DATA);
        net_put(c, d + 12, 0);
        net_put(c, d, OWN | 0x30000000u | (c->tx + 1 == NET_RING ? EOR : 0) | len);
    }
    out(c, TPPOLL, 1, 0x40);
}

static void acknowledge(struct net_card *c)
{
    out(c, ISR, 2, vcpu_in(c->x, 0, NET_IO + ISR, 2));
}

static bool sent(struct net_card *c)
{
    unsigned last = (c->tx + NET_RING - 1) % NET_RING;
    if (net_get(c, NET_TX_RING + last * 16) & OWN)
        return false;
    acknowledge(c);
    return true;
}

static bool received(struct net_card *c, unsigned n)
{
    unsigned last = (c->rx + n - 1) % NET_RING;
    if (net_get(c, NET_RX_RING + last * 16) & OWN)
        return false;
    for (unsigned i = 0; i < n; i++, c->rx = (c->rx + 1) % NET_RING)
        put_rx(c, c->rx);
    acknowledge(c);
    return true;
}

const struct net_driver net_rtl8139 = {
    .name = "rtl8139 (C+)",
    .device = "rtl8139",
    .id = 0x813910EC,
    .batch = 32,
    .start = start,
    .send = send,
    .sent = sent,
    .received = received,
};
