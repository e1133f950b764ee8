/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ne2000_frames: receiving into the ring, transmitting and loopback; see ne2000_int.h. */
#include <string.h>

#include "hw/core/log.h"
#include "hw/pc/ne2000_int.h"

#define FCS            4u
#define TALLY_FULL     192
#define TALLY_CNT      0x80
#define TALLY_CRC      1
#define TALLY_MISSED   2
#define FRAME_MAX      (1514u + 4) /* without FCS; what is longer than that, jabbers: 802.3 */
#define ATD_OFF_HASH   62
#define ATD_ON_HASH    63
#define PAGES_OF(len_) (((len_) + PAGE - 1) / PAGE)

/* ---- Receiving (7.0) ---- */

static unsigned ring_pages(const struct ne2000_regs *r)
{
    return r->pstop > r->pstart ? (unsigned)(r->pstop - r->pstart) : 0;
}

static bool in_ring(const struct ne2000_regs *r, unsigned page)
{
    return page >= r->pstart && page < r->pstop;
}

/*
 * BNRY, but for the page before the ring: drivers that keep it one behind the next frame (Linux')
 * write that when the next frame is the ring's first, and mean the last. Silicon does not meet it
 * there, and is saved by how slowly frames come; here a whole ring comes at once.
 */
static unsigned boundary(const struct ne2000_regs *r)
{
    return r->bnry + 1 == r->pstart ? r->pstop - 1u : r->bnry;
}

/* Whether frames are left in the ring, BNRY being the page that is read next or the one before. */
static bool has_unread(const struct ne2000_regs *r)
{
    const unsigned bnry = boundary(r), next = bnry + 1 == r->pstop ? r->pstart : bnry + 1;
    return in_ring(r, r->curr) && in_ring(r, bnry) && r->curr != bnry && r->curr != next;
}

enum room { ROOM, ROOM_LATER, ROOM_NEVER };

/* Whether `pages` can be filled from CURR on so that the next page is still not BNRY. A boundary
 * outside of the ring is never met. */
static enum room ring_room(const struct ne2000_regs *r, unsigned pages)
{
    const unsigned ring = ring_pages(r);
    if (pages >= ring || !in_ring(r, r->curr))
        return ROOM_NEVER;
    const unsigned bnry = boundary(r);
    if (!in_ring(r, bnry))
        return ROOM;
    const unsigned ahead = (ring + bnry - r->curr) % ring; /* 0: all of it is free */
    return !ahead || pages < ahead ? ROOM : ROOM_LATER;
}

static void count(struct ne2000_regs *r, unsigned counter)
{
    if (r->tally[counter] < TALLY_FULL)
        r->tally[counter]++;
    if (r->tally[counter] & TALLY_CNT)
        r->isr |= ISR_CNT;
}

static bool is_broadcast(const uint8_t *frame)
{
    static const uint8_t all[NET_MAC_LEN] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
    return !memcmp(frame, all, NET_MAC_LEN);
}

/* 10.3, RCR: the address recognition logic. */
static bool accepts(const struct ne2000_regs *r, const uint8_t *frame)
{
    if (!(frame[0] & 1))
        return (r->rcr & RCR_PRO) || !memcmp(frame, r->par, NET_MAC_LEN);
    if ((r->rcr & RCR_AB) && is_broadcast(frame))
        return true;
    const unsigned hash = nic_hash(frame);
    return (r->rcr & RCR_AM) && (r->mar[hash >> 3] >> (hash & 7) & 1);
}

/* With TCR.ATD another station can switch the transmitter off and on. */
static void remote_control(struct ne2000 *n, const uint8_t *frame)
{
    const unsigned hash = nic_hash(frame);
    if (hash == ATD_OFF_HASH)
        n->regs.silenced = true;
    else if (hash == ATD_ON_HASH)
        n->regs.silenced = false;
    ne2000_start_transmitter(n);
}

static void overflow(struct ne2000_regs *r, uint8_t status)
{
    r->rsr = (uint8_t)(status | RSR_MPA);
    r->isr |= ISR_OVW | ISR_RST;
    count(r, TALLY_MISSED);
}

/* Header, frame, padding and FCS from CURR on; there is room. */
static void store(struct ne2000 *n, const uint8_t *frame, size_t len, unsigned pages)
{
    struct ne2000_regs *r = &n->regs;
    const size_t whole = len < NET_MIN_FRAME ? NET_MIN_FRAME : len;
    uint8_t padded[NET_MIN_FRAME] = {0};
    if (len < NET_MIN_FRAME) {
        memcpy(padded, frame, len);
        frame = padded;
    }
    unsigned next = r->curr + pages;
    if (next >= r->pstop)
        next -= ring_pages(r);
    const uint32_t fcs = nic_fcs(frame, whole);
    const size_t total = whole + FCS;
    const uint8_t header[RING_HEADER] = {r->rsr, (uint8_t)next, (uint8_t)total,
                                         (uint8_t)(total >> 8)};
    const uint8_t trailer[FCS] = {(uint8_t)fcs, (uint8_t)(fcs >> 8), (uint8_t)(fcs >> 16),
                                  (uint8_t)(fcs >> 24)};
    const struct {
        const uint8_t *p;
        size_t len;
    } parts[] = {{header, RING_HEADER}, {frame, whole}, {trailer, FCS}};
    unsigned at = r->curr * PAGE;
    const unsigned end = r->pstop * PAGE;
    for (unsigned i = 0; i < 3; i++) {
        for (size_t done = 0; done < parts[i].len;) {
            size_t part = parts[i].len - done;
            part = part < end - at ? part : end - at;
            ne2000_local_write(n, (uint16_t)at, parts[i].p + done, part);
            done += part;
            at = at + part == end ? r->pstart * PAGE : at + (unsigned)part;
        }
    }
    r->curr = r->next_local = (uint8_t)next;
}

static enum net_taken receive(void *opaque, const uint8_t *frame, size_t len)
{
    struct ne2000 *n = opaque;
    struct ne2000_regs *r = &n->regs;
    n->rx_held = false;
    if (!r->running || (r->tcr & TCR_LB))
        return NET_DROPPED;
    if (len < NET_HEADER_LEN || len > FRAME_MAX)
        return NET_DROPPED;
    if ((r->tcr & TCR_ATD) && (frame[0] & 1))
        remote_control(n, frame);
    if (!accepts(r, frame))
        return NET_DROPPED;
    const uint8_t group = frame[0] & 1 ? RSR_PHY : 0;
    if (r->rcr & RCR_MON) {
        r->rsr = group | RSR_DIS | RSR_MPA;
        count(r, TALLY_MISSED);
        return NET_DROPPED;
    }
    const size_t whole = len < NET_MIN_FRAME ? NET_MIN_FRAME : len;
    const unsigned pages = (unsigned)PAGES_OF(RING_HEADER + whole + FCS);
    const enum room room = ring_room(r, pages);
    if (room == ROOM_LATER) {
        n->rx_held = true;
        ne2000_wants_reading(n);
        ne2000_update_irq(n);
        return NET_HELD;
    }
    if (room == ROOM_NEVER) {
        overflow(r, group);
        return NET_DROPPED;
    }
    r->rsr = group | RSR_PRX;
    store(n, frame, len, pages);
    r->taken = r->taken && (r->isr & ISR_PRX);
    r->isr |= ISR_PRX;
    return NET_TAKEN;
}

static void received(void *opaque)
{
    ne2000_update_irq(opaque);
}

/*
 * A driver that takes frames out, leaves others in the ring and acknowledges PRX after that (Linux'
 * does, after nine) counts on those that follow to tell it again. None can while one waits for room
 * (the chip would say OVW here, and lose it), and the last of a burst has none behind it. One that
 * acknowledges first and then takes out what is there is not called in vain.
 */
void ne2000_wants_reading(struct ne2000 *n)
{
    if (n->rx_held || (n->regs.taken && n->regs.running && has_unread(&n->regs)))
        n->regs.isr |= ISR_PRX;
}

void ne2000_update_receiver(struct ne2000 *n)
{
    if (!n->regs.running || (n->regs.tcr & TCR_LB)) /* what waits is thrown away */
        n->rx_held = false;
    if (n->net)
        net_receiving(n->net, n->regs.running && !(n->regs.tcr & TCR_LB));
}

void ne2000_ring_changed(struct ne2000 *n)
{
    if (n->net)
        net_ready(n->net);
}

/* ---- Transmitting (8.0) ---- */

static void transmitted(struct ne2000 *n, uint8_t status)
{
    struct ne2000_regs *r = &n->regs;
    r->transmitter = NE2000_IDLE;
    r->cr &= (uint8_t)~CR_TXP;
    r->tsr = status;
    r->isr |= ISR_PTX;
    if (!r->running) /* 10.3, CR: it stops when the frame is out */
        r->isr |= ISR_RST;
}

static bool own_fcs_is_right(const uint8_t *frame, size_t len)
{
    const uint32_t fcs = nic_fcs(frame, len);
    const uint8_t *f = frame + len;
    return fcs == (f[0] | (uint32_t)f[1] << 8 | (uint32_t)f[2] << 16 | (uint32_t)f[3] << 24);
}

/* 12.0: what the receiver gets goes round in the FIFO, then come its length and the upper half of
 * that again; reading begins at location 0. */
static void fill_fifo(struct ne2000_regs *r, const uint8_t *frame, size_t len,
                      const uint8_t trailer[FCS], size_t trailer_len)
{
    const size_t total = len + trailer_len;
    const uint8_t counts[3] = {(uint8_t)total, (uint8_t)(total >> 8), (uint8_t)(total >> 8)};
    for (size_t i = total > 8 ? total - 8 : 0; i < total; i++)
        r->fifo[i % 8] = i < len ? frame[i] : trailer[i - len];
    for (size_t i = 0; i < 3; i++)
        r->fifo[(total + i) % 8] = counts[i];
    r->fifo_at = 0;
}

/*
 * The frame comes back, but not into memory. The one CRC unit is the transmitter's when it appends
 * the FCS: then the receiver finds it wrong in a frame for this station, and looks at no other
 * (AN-937, 5 and 6). In word mode only one byte of each word takes part (12.0).
 */
static void loop_back(struct ne2000 *n)
{
    struct ne2000_regs *r = &n->regs;
    uint8_t frame[FRAME_MAX + FCS];
    const unsigned step = r->dcr & DCR_WTS ? 2 : 1;
    const uint16_t from = (uint16_t)(r->tpsr * PAGE + (step == 2 && !(r->dcr & DCR_BOS) ? 1 : 0));
    size_t len = r->tbcr / step;
    len = len < sizeof(frame) ? len : sizeof(frame);
    for (size_t i = 0; i < len; i++)
        ne2000_memory_read(n, (uint16_t)(from + i * step), frame + i, 1);
    const uint32_t fcs = nic_fcs(frame, len);
    const uint8_t trailer[FCS] = {(uint8_t)fcs, (uint8_t)(fcs >> 8), (uint8_t)(fcs >> 16),
                                  (uint8_t)(fcs >> 24)};
    const bool inhibited = r->tcr & TCR_CRC;
    const bool mine = len >= NET_MAC_LEN && accepts(r, frame);
    const bool good = inhibited && len >= FCS && own_fcs_is_right(frame, len - FCS);
    fill_fifo(r, frame, len, trailer, inhibited ? 0 : FCS);
    r->rsr = mine && (frame[0] & 1) ? RSR_PHY : 0;
    if (mine && !good) {
        r->rsr |= RSR_CRC;
        r->isr |= ISR_RXE;
        count(r, TALLY_CRC);
    } else {
        r->rsr |= RSR_PRX;
    }
    const uint8_t mode = r->tcr & TCR_LB;
    transmitted(n, mode == TCR_LB_NIC     ? TSR_PTX | TSR_CDH | TSR_CRS
                   : mode == TCR_LB_ENDEC ? TSR_PTX | TSR_CDH
                                          : TSR_PTX);
}

/* The frame at TPSR; true unless the back-end is full with it. */
static bool send_frame(struct ne2000 *n)
{
    const struct ne2000_regs *r = &n->regs;
    uint8_t frame[FRAME_MAX + FCS];
    const bool inhibited = r->tcr & TCR_CRC; /* then it ends with an FCS of the driver's own */
    size_t len = r->tbcr;
    if (!n->net)
        return true;
    if (len > FRAME_MAX + (inhibited ? FCS : 0) || len < NET_HEADER_LEN + (inhibited ? FCS : 0)) {
        guest_error("ne2000", "a frame of %zu bytes is sent to nobody", len);
        return true;
    }
    ne2000_local_read(n, (uint16_t)(r->tpsr * PAGE), frame, len);
    if (inhibited) {
        len -= FCS;
        if (!own_fcs_is_right(frame, len))
            return true; /* nobody takes it */
    }
    return net_send(n->net, frame, len, NULL);
}

static bool transmit(void *opaque)
{
    struct ne2000 *n = opaque;
    const bool carrier = n->net && net_link_up(n->net);
    const uint8_t status = (uint8_t)(TSR_PTX | (carrier ? 0 : TSR_CRS));
    switch (n->regs.transmitter) {
    case NE2000_ASKED:
        if ((n->regs.tcr & TCR_LB) != 0) {
            loop_back(n);
        } else if (send_frame(n)) {
            transmitted(n, status);
        } else {
            n->regs.transmitter = NE2000_SENT;
        }
        break;
    case NE2000_SENT:
        transmitted(n, status);
        break;
    }
    ne2000_update_irq(n);
    return false;
}

void ne2000_start_transmitter(struct ne2000 *n)
{
    struct ne2000_regs *r = &n->regs;
    if (!(r->cr & CR_TXP) || !r->running || r->transmitter != NE2000_IDLE ||
        (r->silenced && (r->tcr & TCR_ATD)))
        return;
    r->transmitter = NE2000_ASKED;
    if (n->net)
        net_kick(n->net);
    else
        transmit(n);
}

const struct net_nic ne2000_nic = {
    .receive = receive,
    .received = received,
    .transmit = transmit,
};
