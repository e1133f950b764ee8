/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rtl8139: C+ mode: its registers, rings of descriptors, checksums, large send, VLAN tags, the
 * tally counters. RTL8139C(L)+, 8.1 (transmit), 8.2 (receive), 6.2 (DTCCR). */
#include <string.h>

#include "hw/pc/rtl8139_int.h"
#include "net/offload.h"

enum { /* registers (6) */
       CPCR = 0xE0,
       RDSAR = 0xE4,
       ETTHR = 0xEC,
};

#define TPPOLL_HPQ    0x80
#define TPPOLL_NPQ    0x40
#define TPPOLL_FSWINT 0x01

#define DESCRIPTOR 16
#define FCS        4
#define VLAN_TAG   4
#define VLAN_AT    12
#define VLAN_TYPE  0x0081 /* 8100h, as bytes come */

/* First word, both ways */
#define OWN 0x80000000u
#define EOR 0x40000000u
#define FS  0x20000000u
#define LS  0x10000000u
/* Transmit */
#define LGSEN     0x08000000u
#define MSS_SHIFT 16
#define MSS       0x7FFu
#define IPCS      0x00040000u
#define UDPCS     0x00020000u
#define TCPCS     0x00010000u
#define TX_LENGTH 0x0000FFFFu
#define TX_ERROR  0x00800000u
#define TX_KEPT   (EOR | FS | LS | TX_LENGTH)
/* Receive */
#define RX_SIZE          0x00001FFFu
#define RX_ADDRESS_SHIFT 11 /* from a C-mode header's MAR, PAM, BAR */
#define RX_TCP           0x00010000u
#define RX_UDP           0x00020000u
#define RX_IP            0x00030000u
#define RX_IP_FAIL       0x00008000u
#define RX_UDP_FAIL      0x00004000u
#define RX_TCP_FAIL      0x00002000u
/* Second word */
#define TAGC 0x00020000u
#define TAVA 0x00010000u

#define DUMP            0x08u
#define DUMP_BYTES      64
#define BUFFER_WAIT_MIN (1 * NS_PER_MS)
#define BUFFER_WAIT_MAX (128 * NS_PER_MS)

struct descriptor {
    uint32_t command, vlan;
    uint64_t buffer;
};

/* ---- Registers ---- */

uint32_t rtl8139_cplus_read(const struct rtl8139 *r, unsigned reg)
{
    switch (reg) {
    case CPCR:
        return r->cpcr;
    case RDSAR:
    case RDSAR + 4:
        return r->rdsar[(reg - RDSAR) / 4];
    case ETTHR:
        return r->etthr;
    default:
        return 0;
    }
}

void rtl8139_cplus_write(struct rtl8139 *r, unsigned reg, uint32_t v)
{
    switch (reg) {
    case CPCR:
        r->cpcr = v & RTL_CPCR_KEPT;
        break;
    case RDSAR:
    case RDSAR + 4:
        r->rdsar[(reg - RDSAR) / 4] = v;
        r->cp_rx = 0;
        rtl8139_forget_rings(r);
        break;
    case ETTHR:
        r->etthr = (uint8_t)v;
        break;
    }
}

void rtl8139_cplus_poll(struct rtl8139 *r, uint8_t v)
{
    if (v & TPPOLL_FSWINT)
        r->isr |= RTL_INT_SW;
    if (!(r->cpcr & RTL_CPCR_TX))
        return;
    r->polled |= (v & TPPOLL_HPQ ? 2 : 0) | (v & TPPOLL_NPQ ? 1 : 0);
    if (r->polled)
        rtl8139_kick(r);
}

/* ---- Descriptors ---- */

static struct descriptor parse(const uint8_t *d)
{
    return (struct descriptor){
        .command = pci_get32(d),
        .vlan = pci_get32(d + 4),
        .buffer = pci_get32(d + 8) | (uint64_t)pci_get32(d + 12) << 32,
    };
}

static uint64_t at(uint64_t ring, unsigned index)
{
    return ring + (uint64_t)index * DESCRIPTOR;
}

static unsigned next(unsigned index, uint32_t command)
{
    return command & EOR ? 0 : (index + 1) % RTL_RING;
}

/* Descriptor `index` of a ring, out of what was read ahead. False: it is not in memory. */
static bool fetch(struct rtl8139 *r, struct rtl8139_ahead *a, uint64_t ring, unsigned index,
                  struct descriptor *d)
{
    if (index < a->from || index >= a->end || a->ring != ring) {
        const unsigned n = RTL_RING - index < RTL_AHEAD ? RTL_RING - index : RTL_AHEAD;
        a->ring = ring;
        a->first = a->from = index;
        a->end = index + n;
        if (!dma_read(r->dma, at(ring, index), a->bytes, n * DESCRIPTOR)) {
            a->end = index + 1;
            if (!dma_read(r->dma, at(ring, index), a->bytes, DESCRIPTOR)) {
                a->end = 0;
                return false;
            }
        }
    }
    *d = parse(a->bytes + (index - a->first) * DESCRIPTOR);
    if (!(d->command & OWN)) /* it, and what is behind it, may become ours any time */
        a->end = index;
    return true;
}

/* What is before `index` has been given back. */
static void forget(struct rtl8139_ahead *a, unsigned index)
{
    if (index > a->from)
        a->from = index;
    else /* around */
        a->end = 0;
}

/* ---- Transmit ---- */

struct chain {
    struct descriptor d[RTL_RING];
    unsigned count;
    unsigned next; /* the index behind it */
    size_t bytes;
};

enum tx_result { TX_GO_ON, TX_STOP, TX_EMPTY, TX_BROKEN };

static uint64_t tx_ring(const struct rtl8139 *r, unsigned which)
{
    return (r->tsad[2 * which] & ~UINT64_C(0xFF)) | (uint64_t)r->tsad[2 * which + 1] << 32;
}

/* A frame's descriptors, all of which must be ours before the first is begun. */
static enum tx_result gather(struct rtl8139 *r, unsigned which, struct chain *c)
{
    unsigned index = r->cp_tx[which];
    c->count = 0;
    c->bytes = 0;
    do {
        struct descriptor *d = &c->d[c->count];
        if (!fetch(r, &r->tx_ahead, tx_ring(r, which), index, d))
            return TX_BROKEN;
        if (!(d->command & OWN))
            return TX_EMPTY;
        c->bytes += d->command & TX_LENGTH;
        c->count++;
        index = next(index, d->command);
    } while (!(c->d[c->count - 1].command & LS) && c->count < RTL_RING);
    c->next = index;
    return TX_GO_ON;
}

/* Gives the descriptors back. 8.1: what was command becomes status. */
static bool give_back(struct rtl8139 *r, unsigned which, const struct chain *c, uint32_t status)
{
    unsigned index = r->cp_tx[which];
    bool ok = true;
    for (unsigned i = 0; i < c->count; i++) {
        uint8_t word[4];
        pci_set32(word, (c->d[i].command & TX_KEPT) | status);
        ok &= dma_write(r->dma, at(tx_ring(r, which), index), word, sizeof(word));
        index = next(index, c->d[i].command);
    }
    r->cp_tx[which] = (uint8_t)c->next;
    forget(&r->tx_ahead, c->next);
    return ok;
}

/* The frame into r->frame, with its tag. False: it can't be had. */
static bool assemble(struct rtl8139 *r, const struct chain *c, size_t *len)
{
    const bool tag = (c->d[0].vlan & TAGC) && c->bytes >= NET_HEADER_LEN;
    uint8_t *to = r->frame + (tag ? VLAN_TAG : 0);
    if (!(c->d[0].command & FS) || !(c->d[c->count - 1].command & LS) ||
        c->bytes > NET_MAX_FRAME - VLAN_TAG)
        return false;
    for (unsigned i = 0; i < c->count; i++) {
        const size_t n = c->d[i].command & TX_LENGTH;
        if (n && !dma_read(r->dma, c->d[i].buffer, to, n)) {
            r->isr |= RTL_INT_SERR;
            return false;
        }
        to += n;
    }
    *len = c->bytes;
    if (tag) {
        memmove(r->frame, r->frame + VLAN_TAG, VLAN_AT);
        pci_set16(r->frame + VLAN_AT, VLAN_TYPE);
        pci_set16(r->frame + VLAN_AT + 2, (uint16_t)c->d[0].vlan); /* is in the wire's order */
        *len += VLAN_TAG;
    }
    return true;
}

/* What the descriptor asks for and the frame's headers allow; the chip knows IPv4 only. Where
 * they don't fit, the frame goes as it is (CVE-2015-5165). */
static void find_offload(struct rtl8139 *r, uint32_t command, size_t len,
                         struct net_offload *offload)
{
    struct offload_packet p;
    memset(offload, 0, sizeof(*offload));
    if (!(command & (LGSEN | IPCS | UDPCS | TCPCS)) || !offload_parse(r->frame, len, &p) ||
        p.version != 4)
        return;
    if (command & LGSEN) {
        const unsigned mss = command >> MSS_SHIFT & MSS;
        if (p.protocol == OFFLOAD_TCP && mss) {
            offload->mss = (uint16_t)mss;
            offload->ip = p.ip;
            offload->tcp = p.transport;
        }
        return;
    }
    if (command & IPCS)
        offload_fill_ip(r->frame, &p);
    if (((command & TCPCS) && p.protocol == OFFLOAD_TCP) ||
        ((command & UDPCS) && p.protocol == OFFLOAD_UDP))
        offload_ask_transport(r->frame, &p, offload);
}

static enum tx_result send_next(struct rtl8139 *r, unsigned which)
{
    struct chain c;
    struct net_offload offload;
    size_t len;
    const enum tx_result found = gather(r, which, &c);
    if (found != TX_GO_ON)
        return found;
    if (!assemble(r, &c, &len)) {
        r->isr |= RTL_INT_TER;
        r->tally.tx_errors++;
        return give_back(r, which, &c, TX_ERROR) ? TX_GO_ON : TX_BROKEN;
    }
    if (!give_back(r, which, &c, 0)) /* it would be sent over and over */
        return TX_BROKEN;
    r->isr |= RTL_INT_TOK;
    find_offload(r, c.d[0].command, len, &offload);
    return rtl8139_send(r, len, &offload) ? TX_GO_ON : TX_STOP;
}

bool rtl8139_cplus_transmit(struct rtl8139 *r)
{
    r->tx_ahead.end = 0;
    for (unsigned budget = NET_BUDGET; r->polled; budget--) {
        const unsigned which = r->polled >> 1; /* the one of high priority first */
        if (!budget)
            return true;
        switch (send_next(r, which)) {
        case TX_GO_ON:
            break;
        case TX_STOP:
            return false;
        case TX_BROKEN:
            r->isr |= RTL_INT_SERR;
            r->polled &= (uint8_t) ~(1u << which);
            break;
        case TX_EMPTY:
            r->isr |= RTL_INT_TDU;
            r->polled &= (uint8_t) ~(1u << which);
        }
    }
    return false;
}

/* ---- Receive ---- */

static uint64_t rx_ring(const struct rtl8139 *r)
{
    return (r->rdsar[0] & ~UINT64_C(0xFF)) | (uint64_t)r->rdsar[1] << 32;
}

/* 8.2: which protocol, and whether its checksums are wrong. */
static uint32_t checked(const uint8_t *frame, size_t len)
{
    struct offload_packet p;
    if (!offload_parse(frame, len, &p) || p.version != 4)
        return 0;
    const uint32_t ip = offload_ip_valid(frame, &p) ? 0 : RX_IP_FAIL;
    if (p.protocol == OFFLOAD_TCP)
        return ip | RX_TCP | (offload_transport_valid(frame, &p) ? 0 : RX_TCP_FAIL);
    if (p.protocol == OFFLOAD_UDP)
        return ip | RX_UDP | (offload_transport_valid(frame, &p) ? 0 : RX_UDP_FAIL);
    return ip | RX_IP;
}

static enum net_taken wait_for_buffers(struct rtl8139 *r)
{
    rtl8139_short_of_buffers(r);
    if (!timer_armed(&r->starved)) {
        r->starved_for = r->starved_for ? r->starved_for * 2 : BUFFER_WAIT_MIN;
        if (r->starved_for > BUFFER_WAIT_MAX)
            r->starved_for = BUFFER_WAIT_MAX;
        timer_arm_in(&r->starved, r->starved_for);
    }
    return NET_HELD;
}

/* The frame and its FCS as they are stored, in r->packet. */
static void prepare(struct rtl8139 *r, const uint8_t *frame, size_t len, bool untag)
{
    const size_t tag = untag ? VLAN_TAG : 0;
    memcpy(r->packet, frame, VLAN_AT);
    memcpy(r->packet + VLAN_AT, frame + VLAN_AT + tag, len - VLAN_AT - tag);
    pci_set32(r->packet + len - tag, nic_fcs(r->packet, len - tag));
}

/* The buffers for `bytes`, and the index behind them; all are there before the first is touched. */
static enum net_taken find_buffers(struct rtl8139 *r, struct chain *c, size_t bytes)
{
    unsigned index = r->cp_rx;
    c->count = 0;
    for (c->bytes = 0; c->bytes < bytes; c->count++) {
        struct descriptor *d = &c->d[c->count];
        if (c->count == RTL_RING) {
            rtl8139_missed(r);
            return NET_DROPPED;
        }
        if (!fetch(r, &r->rx_ahead, rx_ring(r), index, d)) {
            r->isr |= RTL_INT_SERR;
            r->tally.rx_errors++;
            return NET_DROPPED;
        }
        if (!(d->command & OWN))
            return wait_for_buffers(r);
        c->bytes += d->command & RX_SIZE;
        index = next(index, d->command);
    }
    c->next = index;
    return NET_TAKEN;
}

/* Fills the buffers and gives them back; what was command becomes status. */
static void store(struct rtl8139 *r, const struct chain *c, size_t bytes, uint32_t flags,
                  uint32_t vlan)
{
    unsigned index = r->cp_rx;
    size_t done = 0;
    bool ok = true;
    for (unsigned i = 0; i < c->count; i++) {
        const bool last = i + 1 == c->count;
        const size_t size = c->d[i].command & RX_SIZE, n = last ? bytes - done : size;
        uint8_t words[8];
        uint32_t status = (c->d[i].command & EOR) | (i == 0 ? FS : 0);
        status |= last ? LS | flags | (uint32_t)bytes : (uint32_t)size;
        pci_set32(words, status);
        pci_set32(words + 4, vlan);
        ok &= !n || dma_write(r->dma, c->d[i].buffer, r->packet + done, n);
        ok &= dma_write(r->dma, at(rx_ring(r), index), words, sizeof(words));
        done += n;
        index = next(index, c->d[i].command);
    }
    if (!ok)
        r->isr |= RTL_INT_SERR;
    r->cp_rx = (uint8_t)c->next;
    forget(&r->rx_ahead, c->next);
}

enum net_taken rtl8139_cplus_receive(struct rtl8139 *r, const uint8_t *frame, size_t len,
                                     uint16_t status)
{
    struct chain c;
    const bool untag = (r->cpcr & RTL_CPCR_RX_VLAN) && pci_get16(frame + VLAN_AT) == VLAN_TYPE;
    const size_t bytes = len + FCS - (untag ? VLAN_TAG : 0);
    if (bytes > RTL_LONGEST) {
        r->tally.rx_errors++;
        return NET_DROPPED;
    }
    const enum net_taken found = find_buffers(r, &c, bytes);
    if (found != NET_TAKEN)
        return found;
    r->starved_for = 0;
    uint32_t flags = (uint32_t)(status & (RTL_RX_MAR | RTL_RX_PAM | RTL_RX_BAR))
                     << RX_ADDRESS_SHIFT;
    if (r->cpcr & RTL_CPCR_RX_CHECKSUM)
        flags |= checked(frame, len);
    prepare(r, frame, len, untag);
    store(r, &c, bytes, flags, untag ? TAVA | pci_get16(frame + VLAN_AT + 2) : 0);
    r->isr |= RTL_INT_ROK;
    return NET_TAKEN;
}

/* ---- Tally counters (6.2) ---- */

static uint8_t *put(uint8_t *to, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        *to++ = (uint8_t)(value >> 8 * i);
    return to;
}

void rtl8139_cplus_dump(struct rtl8139 *r)
{
    const struct rtl8139_tally *t = &r->tally;
    uint8_t dump[DUMP_BYTES], *p = dump;
    if (!(r->dtccr[0] & DUMP))
        return;
    p = put(p, t->tx_ok, 8);
    p = put(p, t->rx_ok, 8);
    p = put(p, t->tx_errors, 8);
    p = put(p, t->rx_errors, 4);
    p = put(p, t->missed, 2);
    p = put(p, t->alignment_errors, 2);
    p = put(p, t->tx_one_collision, 4);
    p = put(p, t->tx_collisions, 4);
    p = put(p, t->rx_physical, 8);
    p = put(p, t->rx_broadcast, 8);
    p = put(p, t->rx_multicast, 4);
    p = put(p, t->tx_aborted, 2);
    put(p, t->tx_underrun, 2);
    if (!dma_write(r->dma, (r->dtccr[0] & ~UINT64_C(63)) | (uint64_t)r->dtccr[1] << 32, dump,
                   sizeof(dump)))
        r->isr |= RTL_INT_SERR;
    r->dtccr[0] &= ~DUMP;
}
