/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * e1000_rx: from the wire into receive descriptors (see e1000.h; SDM 3.2). The descriptors in use
 * stay mapped from a burst's first frame to its end; then they are written back in order, half a
 * descriptor at a time, since the guest may look at any moment.
 */
#include "hw/pc/e1000_int.h"

#include <string.h>

#include "hw/core/log.h"
#include "net/offload.h"

#define VLAN_TAG       4
#define LONG_FRAME     1522 /* with FCS: more only with RCTL.LPE */
#define TYPE_CONTROL   0x8808
#define OPCODE_PAUSE   1
#define IPV6_OFFLOAD   0x0400u /* RXCSUM */
#define TCPUDP_OFFLOAD 0x0200u
#define IP_OFFLOAD     0x0100u

/* Status and errors of a receive descriptor (3.2.3.1, 3.2.3.2), at their places in its second half
 * as a word of 64 bits. */
#define RX_DD    (UINT64_C(0x01) << 32)
#define RX_EOP   (UINT64_C(0x02) << 32)
#define RX_IXSM  (UINT64_C(0x04) << 32)
#define RX_VP    (UINT64_C(0x08) << 32)
#define RX_TCPCS (UINT64_C(0x20) << 32)
#define RX_IPCS  (UINT64_C(0x40) << 32)
#define RX_PIF   (UINT64_C(0x80) << 32)
#define RX_TCPE  (UINT64_C(0x20) << 40)
#define RX_IPE   (UINT64_C(0x40) << 40)

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

/* ---- Filters (3.2.1, 10.2.5) ---- */

static bool perfect_match(const struct e1000 *e, const uint8_t *frame)
{
    const uint32_t low = frame[0] | frame[1] << 8 | frame[2] << 16 | (uint32_t)frame[3] << 24;
    const uint32_t high = frame[4] | (uint32_t)frame[5] << 8;
    for (unsigned i = 0; i < 32; i += 2) {
        const uint32_t select = e->ra[i + 1] >> 16; /* valid; 0: destination address */
        if (e->ra[i] == low && select == 0x8000 && (e->ra[i + 1] & 0xFFFF) == high)
            return true;
    }
    return false;
}

/* 13.4.22, MO: which 12 bits of the address. */
static bool hash_match(const struct e1000 *e, const uint8_t *frame)
{
    static const uint8_t shift[4] = {4, 3, 2, 0};
    const unsigned hash =
        (frame[4] | (unsigned)frame[5] << 8) >> shift[e->reg[E1000_RCTL] >> 12 & 3] & 0xFFF;
    return e->mta[hash >> 5] >> (hash & 31) & 1;
}

static bool is_broadcast(const uint8_t *frame)
{
    return (frame[0] & frame[1] & frame[2] & frame[3] & frame[4] & frame[5]) == 0xFF;
}

/* Whether it is for us; `inexact`: known by the hash only. */
static bool address_passes(const struct e1000 *e, const uint8_t *frame, bool *inexact)
{
    const uint32_t rctl = e->reg[E1000_RCTL];
    *inexact = false;
    if (perfect_match(e, frame))
        return true;
    if (!(frame[0] & 1))
        return rctl & RCTL_UPE;
    if ((rctl & RCTL_MPE) || ((rctl & RCTL_BAM) && is_broadcast(frame)))
        return true;
    *inexact = true;
    return hash_match(e, frame);
}

static bool vlan_passes(const struct e1000 *e, const uint8_t *frame)
{
    const uint32_t rctl = e->reg[E1000_RCTL];
    const uint16_t tag = get16(frame + 14);
    if (!(rctl & RCTL_VFE))
        return true;
    if ((rctl & RCTL_CFIEN) && !(tag & 0x1000) != !(rctl & RCTL_CFI))
        return false;
    return e->vfta[tag >> 5 & 0x7F] >> (tag & 31) & 1;
}

/* IEEE 802.3 31B: to this station or to the group of control frames (13.4.9 to 13.4.11). */
static bool control_passes(struct e1000 *e, const uint8_t *frame, size_t len)
{
    const uint32_t rctl = e->reg[E1000_RCTL];
    const uint32_t low = frame[0] | frame[1] << 8 | frame[2] << 16 | (uint32_t)frame[3] << 24;
    const bool group =
        low == e->reg[E1000_FCAL] && (frame[4] | (uint32_t)frame[5] << 8) == e->reg[E1000_FCAH];
    if (get16(frame + 12) != TYPE_CONTROL || !(group || perfect_match(e, frame)))
        return true;
    if (len < 18 || get16(frame + 14) != OPCODE_PAUSE)
        e1000_count(e, STAT_FCRUC, 1);
    else
        e1000_count(e, get16(frame + 16) ? STAT_XOFFRXC : STAT_XONRXC, 1);
    return (rctl & RCTL_PMCF) && !(rctl & RCTL_DPF);
}

static bool size_passes(struct e1000 *e, size_t bytes)
{
    const uint32_t rctl = e->reg[E1000_RCTL];
    const size_t longest = rctl & RCTL_LPE ? E1000_MAX_FRAME : LONG_FRAME;
    if (bytes <= longest)
        return true;
    e1000_count(e, STAT_ROC, 1);
    return (rctl & RCTL_SBP) && bytes <= E1000_MAX_FRAME;
}

/* ---- Checksums (3.2.9) ---- */

/* What is known of the checksums, and the sum from RXCSUM.PCSS on. */
static uint64_t check_sums(const struct e1000 *e, const uint8_t *frame, size_t len, size_t stripped)
{
    const uint32_t rxcsum = e->reg[E1000_RXCSUM];
    struct offload_packet packet;
    uint64_t status = RX_IXSM;
    if (!(rxcsum & (IP_OFFLOAD | TCPUDP_OFFLOAD))) {
        const size_t from = (rxcsum & 0xFF) + stripped; /* counted behind the tag */
        if (from < len)
            status |= (uint64_t)__builtin_bswap16(offload_sum(frame + from, len - from, 0)) << 16;
        return status;
    }
    if (!offload_parse(frame, len, &packet))
        return status;
    if (packet.version == 6 && !(rxcsum & IPV6_OFFLOAD))
        return status;
    status = 0;
    if (packet.version == 4 && (rxcsum & IP_OFFLOAD)) {
        status |= RX_IPCS;
        if (!offload_ip_valid(frame, &packet))
            status |= RX_IPE;
    }
    const bool sum = packet.protocol == OFFLOAD_TCP ||
                     (packet.protocol == OFFLOAD_UDP && get16(frame + packet.transport + 6));
    if (sum && (rxcsum & TCPUDP_OFFLOAD)) {
        status |= RX_TCPCS;
        if (!offload_transport_valid(frame, &packet))
            status |= RX_TCPE;
    }
    return status ? status : RX_IXSM;
}

/* ---- Descriptors ---- */

/* BSIZE and BSEX (13.4.22); the reserved combination is as without BSEX. */
static uint32_t buffer_size(const struct e1000 *e)
{
    const uint32_t rctl = e->reg[E1000_RCTL], shift = rctl >> 16 & 3;
    return (rctl & RCTL_BSEX) && shift ? 32768u >> shift : 2048u >> shift;
}

/* What the guest has given, from `head` on. A tail beyond the ring is never reached. */
static uint32_t available(const struct e1000 *e, uint32_t ring, uint32_t head)
{
    const uint32_t tail = e->reg[E1000_RDT] < ring ? e->reg[E1000_RDT] : ring;
    return tail >= head ? tail - head : ring - head + tail;
}

/* Makes more descriptors available. False: there are none. */
static bool refill(struct e1000 *e)
{
    const uint32_t ring = e->reg[E1000_RDLEN] / E1000_DESCRIPTOR, head = e->reg[E1000_RDH];
    const uint64_t base = e->reg[E1000_RDBAL] | (uint64_t)e->reg[E1000_RDBAH] << 32;
    if (head >= ring)
        return false;
    const uint32_t there = available(e, ring, head);
    if (!there)
        return false;
    e->rx_used = 0;
    if (e1000_window_open(e, &e->rx, base, ring, head, there < E1000_WINDOW ? there : E1000_WINDOW))
        return true;
    guest_error("e1000", "the receive ring is not in memory");
    return false;
}

/* RDMTS: when so few are left the guest is told (13.4.22). */
static void check_threshold(struct e1000 *e, uint32_t before, uint32_t after, uint32_t ring)
{
    const uint32_t threshold = ring >> ((e->reg[E1000_RCTL] >> 8 & 3) + 1);
    if (before > threshold && after <= threshold)
        e1000_cause(e, ICR_RXDMT0);
}

/* Writes back what is used; the head moves on. */
static void write_back(struct e1000 *e)
{
    const uint32_t ring = e->rx.ring, head = e->rx.first, used = e->rx_used;
    for (uint32_t i = 0; i < used; i++) {
        uint64_t *half = (void *)(e1000_window_at(&e->rx, i) + 8);
        __atomic_store_n(half, e->rx_back[i], __ATOMIC_RELEASE);
    }
    e1000_window_close(&e->rx, used);
    e->rx_used = 0;
    if (!used)
        return;
    const uint32_t before = available(e, ring, head), next = (head + used) % ring;
    e->reg[E1000_RDH] = next;
    check_threshold(e, before, before - used, ring);
    e1000_frames_in(e);
}

void e1000_received(void *opaque)
{
    struct e1000 *e = opaque;
    if (!e->rx.open)
        return;
    write_back(e);
    e1000_update_irq(e);
}

/* A frame on its way into buffers: without its VLAN tag if that is stripped. */
struct body {
    const uint8_t *frame;
    size_t len;
    bool stripped;
};

/* Bytes from..from+n of it to the guest; those of the FCS are nowhere (see docs/devices/e1000.md).
 */
static void put(struct e1000 *e, uint64_t addr, const struct body *b, size_t from, size_t n)
{
    const size_t tag_at = 2 * NET_MAC_LEN;
    if (from + n > b->len)
        n = from < b->len ? b->len - from : 0;
    if (b->stripped && from < tag_at) {
        const size_t first = n < tag_at - from ? n : tag_at - from;
        dma_write(e->dma, addr, b->frame + from, first);
        addr += first;
        from += first;
        n -= first;
    }
    if (n)
        dma_write(e->dma, addr, b->frame + from + (b->stripped ? VLAN_TAG : 0), n);
}

/* Puts a frame into descriptors from rx_used on. False: they do not suffice, and none is used. */
static bool place(struct e1000 *e, const struct body *b, uint64_t status)
{
    const size_t size = buffer_size(e);
    const size_t total = b->len + (e->reg[E1000_RCTL] & RCTL_SECRC ? 0 : E1000_FCS);
    uint32_t i = e->rx_used;
    for (size_t done = 0; done < total; i++) {
        if (i == e->rx.count)
            return false;
        const uint64_t addr =
            __atomic_load_n((uint64_t *)(void *)e1000_window_at(&e->rx, i), __ATOMIC_ACQUIRE);
        if (!addr) { /* 3.2.7: one without a buffer is passed over */
            e->rx_back[i] = RX_DD;
            continue;
        }
        const size_t n = total - done < size ? total - done : size;
        put(e, addr, b, done, n);
        done += n;
        e->rx_back[i] = n | RX_DD | (done == total ? RX_EOP | status : 0);
    }
    e->rx_used = i;
    return true;
}

/* The same, with as many descriptors as there are. */
static enum net_taken store(struct e1000 *e, const struct body *b, uint64_t status)
{
    bool fresh = !e->rx.open;
    if (!e->rx.open && !refill(e))
        return NET_HELD;
    if (place(e, b, status))
        return NET_TAKEN;
    if (!fresh) { /* write back, then once more from where that ends */
        write_back(e);
        if (!refill(e))
            return NET_HELD;
        if (place(e, b, status))
            return NET_TAKEN;
    }
    /* Even all that can be there at once are too few: it never fits. */
    return e->rx.count == E1000_WINDOW || e->rx.count + 1 >= e->rx.ring ? NET_DROPPED : NET_HELD;
}

static void count_received(struct e1000 *e, const uint8_t *frame, size_t bytes)
{
    e1000_count(e, STAT_TPR, 1);
    e1000_count64(e, STAT_TOR, bytes);
    e1000_count(e, STAT_GPRC, 1);
    e1000_count64(e, STAT_GORC, bytes);
    e1000_count(e, STAT_PRC64 + e1000_size_class(bytes), 1);
    if (frame[0] & 1)
        e1000_count(e, is_broadcast(frame) ? STAT_BPRC : STAT_MPRC, 1);
}

static enum net_taken drop(struct e1000 *e, size_t bytes)
{
    e1000_count(e, STAT_TPR, 1);
    e1000_count64(e, STAT_TOR, bytes);
    return NET_DROPPED;
}

enum net_taken e1000_receive(void *opaque, const uint8_t *frame, size_t len)
{
    struct e1000 *e = opaque;
    uint8_t padded[NET_MIN_FRAME] = {0};
    bool inexact;
    if (len < NET_MIN_FRAME) { /* the wire carries no shorter one */
        memcpy(padded, frame, len);
        frame = padded;
        len = NET_MIN_FRAME;
    }
    const size_t bytes = len + E1000_FCS;
    if (!(e->reg[E1000_RCTL] & RCTL_EN) || !address_passes(e, frame, &inexact) ||
        !size_passes(e, bytes))
        return drop(e, bytes);
    if (!control_passes(e, frame, len))
        return drop(e, bytes);

    struct body body = {.frame = frame, .len = len};
    uint64_t status = inexact ? RX_PIF : 0;
    if (get16(frame + 12) == e->reg[E1000_VET]) {
        if (!vlan_passes(e, frame))
            return drop(e, bytes);
        if (e->reg[E1000_CTRL] & CTRL_VME) {
            status |= RX_VP | (uint64_t)get16(frame + 14) << 48;
            body.stripped = true;
            body.len -= VLAN_TAG;
        }
    }
    status |= check_sums(e, frame, len, body.stripped ? VLAN_TAG : 0);

    const enum net_taken taken = store(e, &body, status);
    if (taken == NET_HELD) { /* as in the packet buffer: 13.7.21 */
        e1000_count(e, STAT_RNBC, 1);
        e1000_cause(e, ICR_RXO);
        e1000_update_irq(e);
        return taken;
    }
    if (taken == NET_DROPPED) {
        e1000_count(e, STAT_MPC, 1);
        return drop(e, bytes);
    }
    if (e->reg[E1000_RSRPD] && bytes <= e->reg[E1000_RSRPD])
        e1000_cause(e, ICR_SRPD);
    count_received(e, frame, bytes);
    return taken;
}
