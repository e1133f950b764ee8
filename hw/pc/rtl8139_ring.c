/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rtl8139: sending and receiving: the address filter, loopback, and C mode's four transmit
 * descriptors and ring of bytes. Sections are those of the RTL8139D(L) data sheet. */
#include <string.h>

#include "hw/pc/rtl8139_int.h"
#include "net/offload.h"

#define COMMAND       0x04
#define BUS_MASTER    0x04
#define RCR_ACCEPTING (RTL_RCR_AAP | RTL_RCR_APM | RTL_RCR_AM | RTL_RCR_AB)
#define HEADER        4
#define FCS           4
/* WRAP makes the driver keep 1.5 KiB free behind the buffer (5.7): not a byte goes beyond. */
#define MAX_OVERRUN 1536
#define MAX_PARTS   512 /* of one large send that loops back */

static bool masters(const struct rtl8139 *r)
{
    return r->pci.config[COMMAND] & BUS_MASTER;
}

static bool loops_back(const struct rtl8139 *r)
{
    return (r->tcr & RTL_TCR_LOOPBACK) == RTL_TCR_LOOPBACK;
}

/* ---- Receiving ---- */

/* While nothing can be stored or nothing would be accepted, no frame is asked for. A driver that
 * starts the receiver first and tells the buffer afterwards gets nothing at address 0. */
static bool receives(const struct rtl8139 *r)
{
    const bool placed = r->cpcr & RTL_CPCR_RX ? r->rdsar[0] || r->rdsar[1] : r->rbstart;
    return (r->cr & RTL_RE) && masters(r) && placed && (r->rcr & RCR_ACCEPTING);
}

bool rtl8139_wants_frames(const struct rtl8139 *r)
{
    return receives(r) && !loops_back(r);
}

uint32_t rtl8139_ring_bytes(const struct rtl8139 *r)
{
    return 8192u << ((r->rcr & RTL_RCR_RBLEN) >> RTL_RCR_RBLEN_SHIFT);
}

/* CAPR stays 16 bytes behind what has been read. */
static uint32_t ring_used(const struct rtl8139 *r)
{
    return (r->cbr - (r->capr + 16u)) & (rtl8139_ring_bytes(r) - 1);
}

bool rtl8139_ring_empty(const struct rtl8139 *r)
{
    return !ring_used(r);
}

void rtl8139_missed(struct rtl8139 *r)
{
    r->isr |= RTL_INT_RXOVW;
    r->mpc = (r->mpc + 1) & 0xFFFFFF;
    r->tally.missed++;
}

void rtl8139_short_of_buffers(struct rtl8139 *r)
{
    if ((r->isr & (RTL_INT_ROK | RTL_INT_RER | RTL_INT_RXOVW)) || !(r->imr & RTL_INT_RXOVW))
        return;
    r->isr |= RTL_INT_RXOVW;
    rtl8139_update(r);
}

/* The address filter (5.7). False: not for this station. */
static bool accepts(struct rtl8139 *r, const uint8_t *to, uint16_t *status)
{
    static const uint8_t broadcast[NET_MAC_LEN] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
    bool accepted = r->rcr & RTL_RCR_AAP;
    *status = RTL_RX_ROK;
    if (!memcmp(to, broadcast, NET_MAC_LEN)) {
        *status |= RTL_RX_BAR;
        return accepted || (r->rcr & RTL_RCR_AB);
    }
    if (to[0] & 1) {
        const unsigned bit = nic_hash(to);
        *status |= RTL_RX_MAR;
        return accepted || ((r->rcr & RTL_RCR_AM) && (r->mar[bit / 8] >> bit % 8 & 1));
    }
    if (!memcmp(to, r->idr, NET_MAC_LEN)) {
        *status |= RTL_RX_PAM;
        accepted |= r->rcr & RTL_RCR_APM;
    }
    return accepted;
}

static void count_received(struct rtl8139 *r, uint16_t status)
{
    r->tally.rx_ok++;
    if (status & RTL_RX_BAR)
        r->tally.rx_broadcast++;
    else if (status & RTL_RX_MAR)
        r->tally.rx_multicast++;
    else if (status & RTL_RX_PAM)
        r->tally.rx_physical++;
}

/* Into the ring of bytes: header, frame, FCS, each packet at a multiple of 4. */
static enum net_taken ring_receive(struct rtl8139 *r, const uint8_t *frame, size_t len,
                                   uint16_t status)
{
    const uint32_t ring = rtl8139_ring_bytes(r), used = ring_used(r);
    const size_t whole = HEADER + len + FCS, need = (whole + 3) & ~(size_t)3;
    const bool wraps = !(r->rcr & RTL_RCR_WRAP) || ring == 65536;
    if (need >= ring || len + FCS > RTL_LONGEST || (!wraps && len + FCS > MAX_OVERRUN)) {
        r->tally.rx_errors++; /* longer than any frame of this kind of network */
        return NET_DROPPED;
    }
    if (need >= ring - used) { /* filled to the last byte it would look empty */
        rtl8139_short_of_buffers(r);
        return NET_HELD;
    }
    pci_set16(r->packet, status);
    pci_set16(r->packet + 2, (uint16_t)(len + FCS));
    memcpy(r->packet + HEADER, frame, len);
    pci_set32(r->packet + HEADER + len, nic_fcs(r->packet + HEADER, len));

    const size_t to_end = wraps && whole > ring - r->cbr ? ring - r->cbr : whole;
    bool stored = dma_write(r->dma, r->rbstart + (uint64_t)r->cbr, r->packet, to_end);
    if (to_end < whole)
        stored &= dma_write(r->dma, r->rbstart, r->packet + to_end, whole - to_end);
    if (!stored) {
        r->isr |= RTL_INT_SERR;
        r->tally.rx_errors++;
        return NET_DROPPED;
    }
    r->cbr = (uint16_t)((r->cbr + need) & (ring - 1));
    if (r->rcr & RTL_RCR_ERTH) { /* 5.3: all of it is there, so no early interrupt comes before */
        r->ersr |= RTL_ERSR_GOOD;
        r->erbcr = (uint16_t)(len + FCS);
    }
    r->isr |= RTL_INT_ROK;
    return NET_TAKEN;
}

/* From the wire, or from the transmitter. */
static enum net_taken take(struct rtl8139 *r, const uint8_t *frame, size_t len)
{
    uint8_t padded[NET_MIN_FRAME];
    uint16_t status;
    if (!accepts(r, frame, &status))
        return NET_DROPPED;
    if (len < NET_MIN_FRAME) { /* a runt only by way of a bridge that doesn't pad */
        memcpy(padded, frame, len);
        memset(padded + len, 0, NET_MIN_FRAME - len);
        frame = padded;
        len = NET_MIN_FRAME;
    }
    const enum net_taken taken = r->cpcr & RTL_CPCR_RX
                                     ? rtl8139_cplus_receive(r, frame, len, status)
                                     : ring_receive(r, frame, len, status);
    if (taken == NET_TAKEN)
        count_received(r, status);
    return taken;
}

static enum net_taken receive(void *opaque, const uint8_t *frame, size_t len)
{
    return take(opaque, frame, len);
}

static void received(void *opaque)
{
    rtl8139_update(opaque);
}

/* ---- Sending ---- */

/* Into memory, like any other that is received, and nothing is looked at again before the next
 * frame. What there is no buffer for is lost: false. */
static bool come_back(struct rtl8139 *r, const uint8_t *frame, size_t len)
{
    if (len < NET_HEADER_LEN || take(r, frame, len) != NET_HELD)
        return true;
    rtl8139_missed(r);
    return false;
}

static void loop_back(struct rtl8139 *r, size_t len, const struct net_offload *offload)
{
    struct offload_split split;
    size_t at, part;
    if (!receives(r))
        return;
    if (offload && offload->mss && offload_split_begin(&split, r->frame, len, offload)) {
        for (unsigned parts = 0; parts < MAX_PARTS; parts++)
            if (!offload_split_next(&split, r->frame, &at, &part) ||
                !come_back(r, r->frame + at, part))
                return;
        return;
    }
    if (offload && offload->csum)
        offload_checksum(r->frame, len, offload);
    come_back(r, r->frame, len);
}

bool rtl8139_send(struct rtl8139 *r, size_t len, const struct net_offload *offload)
{
    r->tally.tx_ok++;
    if (!len)
        return true;
    if (!loops_back(r))
        return !r->net || net_send(r->net, r->frame, len, offload);
    loop_back(r, len, offload);
    return true;
}

/* The next descriptor that is to be sent, in turn; one that was left out is not waited for. */
static bool find_pending(const struct rtl8139 *r, unsigned *which)
{
    for (unsigned i = 0; i < RTL_TSD_COUNT; i++) {
        *which = (r->tx_next + i) % RTL_TSD_COUNT;
        if (!(r->tsd[*which] & RTL_TSD_OWN))
            return true;
    }
    return false;
}

/* 5.1, 5.2. No more than four can wait. */
static void ring_transmit(struct rtl8139 *r)
{
    unsigned n;
    for (bool go_on = true; go_on && find_pending(r, &n);) {
        const size_t len = r->tsd[n] & RTL_TSD_SIZE;
        r->tx_next = (uint8_t)((n + 1) % RTL_TSD_COUNT);
        if (!dma_read(r->dma, r->tsad[n], r->frame, len)) {
            r->tsd[n] |= RTL_TSD_OWN | RTL_TSD_TABT;
            r->isr |= RTL_INT_TER | RTL_INT_SERR;
            r->tally.tx_aborted++;
            continue;
        }
        r->tsd[n] |= RTL_TSD_OWN | RTL_TSD_TOK;
        r->isr |= RTL_INT_TOK;
        go_on = rtl8139_send(r, len, NULL);
    }
}

bool rtl8139_transmit(struct rtl8139 *r)
{
    bool more = false;
    if (!(r->cr & RTL_TE) || !masters(r))
        return false;
    if (r->cpcr & RTL_CPCR_TX)
        more = rtl8139_cplus_transmit(r);
    else
        ring_transmit(r);
    rtl8139_update(r);
    return more;
}

static bool transmit(void *opaque)
{
    return rtl8139_transmit(opaque);
}

static void link_changed(void *opaque, bool up)
{
    struct rtl8139 *r = opaque;
    r->link_lost |= !up;
    r->isr |= RTL_INT_LINK;
    rtl8139_update(r);
}

const struct net_nic rtl8139_nic = {
    .receive = receive,
    .received = received,
    .transmit = transmit,
    .link_changed = link_changed,
};
