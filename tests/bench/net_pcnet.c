/* SPDX-License-Identifier: GPL-2.0-or-later */
/* net_pcnet: Am79C970A in 32-bit style, as Linux' pcnet32 drives it. */
#include "nets.h"

enum { RDP = NET_IO + 0x10, RAP = NET_IO + 0x12, RESET = NET_IO + 0x14, BDP = NET_IO + 0x16 };
#define OWN 0x80000000u

static void set_csr(struct net_card *c, unsigned n, unsigned v)
{
    vcpu_out(c->x, 0, RAP, 2, n);
    vcpu_out(c->x, 0, RDP, 2, v);
}

static void put_rx(struct net_card *c, unsigned i)
{
    uint64_t d = NET_RX_RING + i * 16;
    net_put(c, d, (uint32_t)(NET_RX_DATA + i * NET_BUFFER));
    net_put(c, d + 8, 0);
    net_put(c, d + 4, OWN | 0xF000u | ((0u - NET_BUFFER) & 0xFFF));
}

static void start(struct net_card *c)
{
    vcpu_in(c->x, 0, RESET, 2);
    vcpu_out(c->x, 0, RAP, 2, 20);
    vcpu_out(c->x, 0, BDP, 2, 2);
    net_put(c, NET_BLOCK, 0x60600000); /* 64 entries each */
    net_put(c, NET_BLOCK + 4, 0x003E1600);
    net_put(c, NET_BLOCK + 8, 0x00000100);
    net_put(c, NET_BLOCK + 12, 0);
    net_put(c, NET_BLOCK + 16, 0);
    net_put(c, NET_BLOCK + 20, (uint32_t)NET_RX_RING);
    net_put(c, NET_BLOCK + 24, (uint32_t)NET_TX_RING);
    for (unsigned i = 0; i < NET_RING; i++)
        put_rx(c, i);
    set_csr(c, 1, NET_BLOCK & 0xFFFF);
    set_csr(c, 2, NET_BLOCK >> 16);
    set_csr(c, 4, 0x0915);
    set_csr(c, 0, 0x0001);
    set_csr(c, 0, 0x0142);
}

static void send(struct net_card *c, unsigned n, unsigned len)
{
    for (unsigned i = 0; i < n; i++, c->tx = (c->tx + 1) % NET_RING) {
        uint64_t d = NET_TX_RING + c->tx * 16;
        net_put(c, d, (uint32_t)NET_TX_DATA);
        net_put(c, d + 8, 0);
        net_put(c, d + 4, OWN | 0x0300F000u | ((0u - len) & 0xFFF));
    }
    vcpu_out(c->x, 0, RDP, 2, 0x0048); /* RAP is at CSR0 */
}

static void acknowledge(struct net_card *c)
{
    vcpu_in(c->x, 0, RDP, 2);
    vcpu_out(c->x, 0, RDP, 2, 0x0640);
}

static bool sent(struct net_card *c)
{
    unsigned last = (c->tx + NET_RING - 1) % NET_RING;
    if (net_get(c, NET_TX_RING + last * 16 + 4) & OWN)
        return false;
    acknowledge(c);
    return true;
}

static bool received(struct net_card *c, unsigned n)
{
    unsigned last = (c->rx + n - 1) % NET_RING;
    if (net_get(c, NET_RX_RING + last * 16 + 4) & OWN)
        return false;
    for (unsigned i = 0; i < n; i++, c->rx = (c->rx + 1) % NET_RING)
        put_rx(c, c->rx);
    acknowledge(c);
    return true;
}

const struct net_driver net_pcnet = {
    .name = "pcnet",
    .device = "pcnet",
    .id = 0x20001022,
    .batch = 32,
    .start = start,
    .send = send,
    .sent = sent,
    .received = received,
};
