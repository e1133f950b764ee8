/* SPDX-License-Identifier: GPL-2.0-or-later */
/* net_e1000: 82540EM; segmented frames by a context and a data descriptor. */
#include "nets.h"

enum {
    CTRL = 0x0000,
    ICR = 0x00C0,
    IMS = 0x00D0,
    RCTL = 0x0100,
    TCTL = 0x0400,
    RDBAL = 0x2800,
    RDLEN = 0x2808,
    RDH = 0x2810,
    RDT = 0x2818,
    TDBAL = 0x3800,
    TDLEN = 0x3808,
    TDH = 0x3810,
    TDT = 0x3818,
    RAL = 0x5400,
};
#define DD 1u

static void out(struct net_card *c, unsigned reg, uint32_t v)
{
    vcpu_write(c->x, 0, NET_MMIO + reg, 4, v);
}

static void put_rx(struct net_card *c, unsigned i)
{
    uint64_t d = NET_RX_RING + i * 16;
    net_put(c, d, (uint32_t)(NET_RX_DATA + i * NET_BUFFER));
    net_put(c, d + 4, 0);
    net_put(c, d + 8, 0);
    net_put(c, d + 12, 0);
}

static void start(struct net_card *c)
{
    for (unsigned i = 0; i < NET_RING; i++)
        put_rx(c, i);
    out(c, CTRL, 0x04000000);
    out(c, CTRL, 0x00000040); /* SLU */
    out(c, RAL, 0x003E1600);
    out(c, RAL + 4, 0x80000100);
    out(c, RDBAL, (uint32_t)NET_RX_RING);
    out(c, RDBAL + 4, 0);
    out(c, RDLEN, NET_RING * 16);
    out(c, RDH, 0);
    out(c, RDT, NET_RING - 1);
    out(c, TDBAL, (uint32_t)NET_TX_RING);
    out(c, TDBAL + 4, 0);
    out(c, TDLEN, NET_RING * 16);
    out(c, TDH, 0);
    out(c, TDT, 0);
    out(c, TCTL, 0x000400FA);
    out(c, RCTL, 0x04008002); /* EN, BAM, SECRC */
    out(c, IMS, 0x0000009D & ~2u);
}

/* The four words of a descriptor. */
static void put(struct net_card *c, uint32_t d0, uint32_t d1, uint32_t d2, uint32_t d3)
{
    uint64_t d = NET_TX_RING + c->tx * 16;
    net_put(c, d, d0);
    net_put(c, d + 4, d1);
    net_put(c, d + 8, d2);
    net_put(c, d + 12, d3);
    c->tx = (c->tx + 1) % NET_RING;
}

static void send(struct net_card *c, unsigned n, unsigned len)
{
    for (unsigned i = 0; i < n; i++)
        put(c, (uint32_t)NET_TX_DATA, 0, len | 0x0B000000u, 0); /* EOP, IFCS, RS */
    out(c, TDT, c->tx);
}

static void send_large(struct net_card *c, unsigned headers, unsigned payload, unsigned mss)
{
    /* IP's sum from 14 to 33 at 24, TCP's from 34 on at 50; IPv4, TCP, TSE, RS. */
    put(c, 14u | 24u << 8 | 33u << 16, 34u | 50u << 8, payload | 0x2F000000u,
        headers << 8 | mss << 16);
    put(c, (uint32_t)NET_TX_DATA, 0, (headers + payload) | 0x2F100000u, 0x0300);
    out(c, TDT, c->tx);
}

static bool sent(struct net_card *c)
{
    unsigned last = (c->tx + NET_RING - 1) % NET_RING;
    if (!(net_get(c, NET_TX_RING + last * 16 + 12) & DD))
        return false;
    vcpu_read(c->x, 0, NET_MMIO + ICR, 4);
    return true;
}

static bool received(struct net_card *c, unsigned n)
{
    unsigned last = (c->rx + n - 1) % NET_RING;
    if (!(net_get(c, NET_RX_RING + last * 16 + 12) & DD))
        return false;
    for (unsigned i = 0; i < n; i++, c->rx = (c->rx + 1) % NET_RING)
        put_rx(c, c->rx);
    vcpu_read(c->x, 0, NET_MMIO + ICR, 4);
    out(c, RDT, (c->rx + NET_RING - 1) % NET_RING);
    return true;
}

const struct net_driver net_e1000 = {
    .name = "e1000",
    .device = "e1000",
    .id = 0x100E8086,
    .batch = 32,
    .start = start,
    .send = send,
    .sent = sent,
    .received = received,
    .send_large = send_large,
};
