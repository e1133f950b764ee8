/* SPDX-License-Identifier: GPL-2.0-or-later */
/* net_ne2000: RTL8029, data through its port in double words, as Linux' ne2k-pci drives it. */
#include "nets.h"

enum {
    CR = 0x00,
    PSTART = 0x01,
    PSTOP = 0x02,
    BNRY = 0x03,
    TPSR = 0x04,
    TBCR0 = 0x05,
    ISR = 0x07,
    CURR = 0x07,
    RSAR0 = 0x08,
    RBCR0 = 0x0A,
    RCR = 0x0C,
    TCR = 0x0D,
    DCR = 0x0E,
    IMR = 0x0F,
    DATA = 0x10,
};
#define TX_PAGE  0x40u
#define RX_FIRST 0x46u
#define RX_END   0x80u

static void out(struct net_card *c, unsigned reg, uint32_t v)
{
    vcpu_out(c->x, 0, (uint16_t)(NET_IO + reg), 1, v);
}

static uint32_t in(struct net_card *c, unsigned reg)
{
    return vcpu_in(c->x, 0, (uint16_t)(NET_IO + reg), 1);
}

/* Between the card's memory and the guest's. */
static void move(struct net_card *c, unsigned at, unsigned bytes, uint64_t guest, bool to_card)
{
    bytes = (bytes + 3) & ~3u;
    out(c, RBCR0, bytes & 0xFF);
    out(c, RBCR0 + 1, bytes >> 8);
    out(c, RSAR0, at & 0xFF);
    out(c, RSAR0 + 1, at >> 8);
    out(c, CR, to_card ? 0x12 : 0x0A);
    if (to_card)
        vcpu_outs(c->x, 0, NET_IO + DATA, 4, bytes / 4, guest, false);
    else
        vcpu_ins(c->x, 0, NET_IO + DATA, 4, bytes / 4, guest, false);
    out(c, ISR, 0x40);
}

static void start(struct net_card *c)
{
    static const uint8_t mac[6] = {0x00, 0x16, 0x3E, 0x00, 0x00, 0x01};
    vcpu_in(c->x, 0, NET_IO + 0x1F, 1);
    out(c, CR, 0x21);
    out(c, DCR, 0x49);
    out(c, RCR, 0x20);
    out(c, TCR, 0x02);
    out(c, TPSR, TX_PAGE);
    out(c, PSTART, RX_FIRST);
    out(c, BNRY, RX_END - 1);
    out(c, PSTOP, RX_END);
    out(c, ISR, 0xFF);
    out(c, IMR, 0x03);
    out(c, CR, 0x61);
    for (unsigned i = 0; i < 6; i++)
        out(c, 1 + i, mac[i]);
    out(c, CURR, RX_FIRST);
    out(c, CR, 0x22);
    out(c, TCR, 0x00);
    out(c, RCR, 0x04);
    c->rx = RX_FIRST;
}

static void send(struct net_card *c, unsigned n, unsigned len)
{
    (void)n;
    move(c, TX_PAGE << 8, len, NET_TX_DATA, true);
    out(c, TBCR0, len & 0xFF);
    out(c, TBCR0 + 1, len >> 8);
    out(c, CR, 0x26);
}

static bool sent(struct net_card *c)
{
    if (!(in(c, ISR) & 0x02))
        return false;
    out(c, ISR, 0x02);
    return true;
}

static bool received(struct net_card *c, unsigned n)
{
    if (!(in(c, ISR) & 0x01) && c->rx_count < n)
        return false;
    out(c, ISR, 0x01);
    out(c, CR, 0x62);
    unsigned current = in(c, CURR);
    out(c, CR, 0x22);
    while (c->rx != current) {
        move(c, c->rx << 8, 4, NET_RX_RING, false);
        uint32_t header = net_get(c, NET_RX_RING);
        move(c, (c->rx << 8) + 4, (header >> 16) - 4, NET_RX_DATA, false);
        c->rx = header >> 8 & 0xFF;
        out(c, BNRY, c->rx == RX_FIRST ? RX_END - 1 : c->rx - 1);
        c->rx_count++;
    }
    if (c->rx_count < n)
        return false;
    c->rx_count -= n;
    return true;
}

const struct net_driver net_ne2000 = {
    .name = "ne2k_pci",
    .device = "ne2k_pci",
    .id = 0x802910EC,
    .batch = 1,
    .start = start,
    .send = send,
    .sent = sent,
    .received = received,
};
