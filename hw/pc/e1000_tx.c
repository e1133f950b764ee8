/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * e1000_tx: from transmit descriptors onto the wire (see e1000.h; SDM 3.3 to 3.5). A frame is
 * gathered when all its descriptors are there, so that nothing half done has ever to be kept or
 * saved; what it leaves to be done goes along as struct net_offload.
 */
#include "hw/pc/e1000_int.h"

#include <string.h>

#include "hw/core/log.h"
#include "net/offload.h"

#define VLAN_TAG       4
#define LOOPBACK_PARTS 512 /* of a segment that comes back */

/* Commands, in the upper byte of a descriptor's third word (3.3.3, 3.3.6, 3.3.7) */
enum {
    CMD_EOP = 0x01,
    CMD_IFCS = 0x02,
    CMD_IC = 0x04,  /* of a legacy descriptor … */
    CMD_TSE = 0x04, /* … of others */
    CMD_RS = 0x08,
    CMD_RPS = 0x10,
    CMD_DEXT = 0x20,
    CMD_VLE = 0x40,
    CMD_IDE = 0x80,
};
/* … and of a context descriptor, besides */
enum { TUCMD_TCP = 0x01 };
/* POPTS */
enum { POPTS_IXSM = 0x01, POPTS_TXSM = 0x02 };
enum { TYPE_CONTEXT = 0, TYPE_DATA = 1 };
#define STATUS_AT 12
#define STATUS_DD 0x01

struct descriptor {
    uint64_t addr;
    uint32_t lower, upper;
};

/* A frame that is being gathered. */
struct gather {
    uint8_t *frame; /* where it begins: VLAN_TAG bytes before it are free */
    size_t len;
    bool begun, segment; /* it has descriptors; TSE */
    bool legacy;
    uint8_t popts;         /* of the first descriptor */
    uint8_t css, cso;      /* of a legacy descriptor with IC … */
    bool insert;           /* … if there was one */
    const char *complaint; /* why it is not sent, or NULL */
};

static uint8_t command(const struct descriptor *d)
{
    return (uint8_t)(d->lower >> 24);
}

static bool is_context(const struct descriptor *d)
{
    return (command(d) & CMD_DEXT) && (d->lower >> 20 & 15) == TYPE_CONTEXT;
}

static void set_context(struct e1000 *e, const struct descriptor *d)
{
    const bool segment = command(d) & CMD_TSE;
    e->context[segment] = (struct e1000_context){
        .ipcss = (uint8_t)d->addr,
        .ipcso = (uint8_t)(d->addr >> 8),
        .ipcse = (uint16_t)(d->addr >> 16),
        .tucss = (uint8_t)(d->addr >> 32),
        .tucso = (uint8_t)(d->addr >> 40),
        .tucse = (uint16_t)(d->addr >> 48),
        .command = command(d),
        .hdrlen = (uint8_t)(d->upper >> 8),
        .mss = (uint16_t)(d->upper >> 16),
    };
    if (segment)
        e1000_count(e, STAT_TSCTC, 1);
}

/* ---- Gathering ---- */

static void gather_begin(struct e1000 *e, struct gather *g)
{
    *g = (struct gather){.frame = e->frame + VLAN_TAG};
}

/* The data of a descriptor, behind what is there. */
static void gather(struct e1000 *e, struct gather *g, const struct descriptor *d)
{
    const uint8_t cmd = command(d);
    const bool legacy = !(cmd & CMD_DEXT), segment = !legacy && (cmd & CMD_TSE);
    const size_t len = d->lower & (legacy ? 0xFFFF : 0xFFFFF);
    if (!g->begun) {
        g->begun = true;
        g->legacy = legacy;
        g->segment = segment;
        g->popts = legacy ? 0 : (uint8_t)(d->upper >> 8);
    }
    if (g->complaint)
        return;
    if (legacy != g->legacy || segment != g->segment) {
        g->complaint = "a frame's descriptors differ in kind";
        return;
    }
    if (legacy && (cmd & CMD_IC)) {
        g->insert = true;
        g->css = (uint8_t)(d->upper >> 8);
        g->cso = (uint8_t)(d->lower >> 16);
    }
    if (len > (segment ? NET_MAX_FRAME - VLAN_TAG : (size_t)E1000_MAX_FRAME) - g->len)
        g->complaint = "a frame is too long";
    else if (len && !dma_read(e->dma, d->addr, g->frame + g->len, len))
        g->complaint = "a frame is not in memory";
    else
        g->len += len;
}

/* ---- What is left to be done on it (3.5) ---- */

/* The sum of start..end (included; 0: to the frame's end), to be put at `at`. One that goes to the
 * end is left to the wire. */
static void insert_sum(struct gather *g, struct net_offload *offload, size_t start, size_t end,
                       size_t at)
{
    if (end == 0 || end >= g->len)
        end = g->len - 1;
    if (start > end || at + 2 > g->len)
        return; /* not of this frame */
    if (end == g->len - 1 && at >= start && !offload->csum) {
        offload->csum = true;
        offload->csum_start = (uint16_t)start;
        offload->csum_at = (uint16_t)at;
        return;
    }
    const uint16_t sum = (uint16_t)~offload_sum(g->frame + start, end - start + 1, 0);
    g->frame[at] = (uint8_t)(sum >> 8);
    g->frame[at + 1] = (uint8_t)sum;
}

static void insert_sums(const struct e1000 *e, struct gather *g, struct net_offload *offload)
{
    const struct e1000_context *c = &e->context[0];
    if (g->insert)
        insert_sum(g, offload, g->css, 0, g->cso);
    if (g->popts & POPTS_IXSM)
        insert_sum(g, offload, c->ipcss, c->ipcse, c->ipcso);
    if (g->popts & POPTS_TXSM)
        insert_sum(g, offload, c->tucss, c->tucse, c->tucso);
}

/* A frame to be split: the context must be what the headers are (3.5.2 to 3.5.6). */
static bool segments(struct e1000 *e, struct gather *g, struct net_offload *offload,
                     size_t *headers, size_t *parts)
{
    const struct e1000_context *c = &e->context[1];
    offload->mss = c->mss;
    offload->ip = c->ipcss;
    offload->tcp = c->tucss;
    if ((c->command & TUCMD_TCP) && c->mss && c->hdrlen &&
        offload_prepare(g->frame, g->len, offload, headers, parts) && *headers == c->hdrlen)
        return true;
    e1000_count(e, STAT_TSCTFC, 1);
    g->complaint = "a segment's context is not that of its headers";
    return false;
}

/* 802.1Q, before the type (10.2.4). */
static void insert_tag(const struct e1000 *e, struct gather *g, struct net_offload *offload,
                       uint16_t tag)
{
    g->frame -= VLAN_TAG;
    g->len += VLAN_TAG;
    memmove(g->frame, g->frame + VLAN_TAG, 2 * NET_MAC_LEN);
    uint8_t *p = g->frame + 2 * NET_MAC_LEN;
    p[0] = (uint8_t)(e->reg[E1000_VET] >> 8);
    p[1] = (uint8_t)e->reg[E1000_VET];
    p[2] = (uint8_t)(tag >> 8);
    p[3] = (uint8_t)tag;
    offload->csum_start = (uint16_t)(offload->csum_start + VLAN_TAG);
    offload->csum_at = (uint16_t)(offload->csum_at + VLAN_TAG);
    offload->ip = (uint16_t)(offload->ip + VLAN_TAG);
    offload->tcp = (uint16_t)(offload->tcp + VLAN_TAG);
}

static void count_sent(struct e1000 *e, const struct gather *g, size_t headers, size_t parts)
{
    const uint32_t n = (uint32_t)parts;
    const size_t bytes = g->len + (parts - 1) * headers + parts * E1000_FCS;
    const size_t first = parts > 1 ? headers + e->context[1].mss + E1000_FCS : bytes;
    e1000_count(e, STAT_TPT, n);
    e1000_count(e, STAT_GPTC, n);
    e1000_count64(e, STAT_TOT, bytes);
    e1000_count64(e, STAT_GOTC, bytes);
    if (n > 1)
        e1000_count(e, STAT_PTC64 + e1000_size_class(first), n - 1);
    e1000_count(e, STAT_PTC64 + e1000_size_class(bytes - (n - 1) * first), 1);
    if (g->frame[0] & 1) {
        static const uint8_t broadcast[NET_MAC_LEN] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
        const bool all = !memcmp(g->frame, broadcast, NET_MAC_LEN);
        e1000_count(e, all ? STAT_BPTC : STAT_MPTC, n);
    }
}

/* ---- Out ---- */

/* It comes back once, and nothing follows from that here. */
static void loop_back(struct e1000 *e, struct gather *g, const struct net_offload *offload)
{
    struct offload_split split;
    size_t at = 0, len = g->len;
    if (!offload->mss) {
        if (offload->csum)
            offload_checksum(g->frame, g->len, offload);
        if (e1000_receive(e, g->frame, g->len) == NET_HELD)
            e1000_count(e, STAT_MPC, 1);
        return;
    }
    if (!offload_split_begin(&split, g->frame, g->len, offload))
        return;
    for (unsigned n = 0; n < LOOPBACK_PARTS && offload_split_next(&split, g->frame, &at, &len); n++)
        if (e1000_receive(e, g->frame + at, len) == NET_HELD)
            e1000_count(e, STAT_MPC, 1);
}

/* Sends what has been gathered; `last` is its last descriptor. False: no other may follow now. */
static bool send(struct e1000 *e, struct gather *g, const struct descriptor *last)
{
    const uint8_t cmd = command(last);
    struct net_offload offload = {0};
    size_t headers = 0, parts = 1;
    if (!g->complaint && !(cmd & CMD_IFCS) && !g->segment) /* the guest has put one there */
        g->len = g->len > E1000_FCS ? g->len - E1000_FCS : 0;
    if (!g->complaint && g->len < NET_HEADER_LEN)
        g->complaint = "a frame is too short";
    if (!g->complaint && g->segment)
        segments(e, g, &offload, &headers, &parts);
    if (g->complaint) {
        guest_error("e1000", "%s", g->complaint);
        return true;
    }
    if (!g->segment)
        insert_sums(e, g, &offload);
    if ((cmd & CMD_VLE) && (e->reg[E1000_CTRL] & CTRL_VME)) {
        insert_tag(e, g, &offload, (uint16_t)(last->upper >> 16));
        headers += VLAN_TAG;
    }
    if ((e->reg[E1000_TCTL] & TCTL_PSP) && g->len < NET_MIN_FRAME) {
        memset(g->frame + g->len, 0, NET_MIN_FRAME - g->len);
        g->len = NET_MIN_FRAME;
    }
    count_sent(e, g, headers, parts);
    if (!e1000_loopback(e))
        return !e->net || net_send(e->net, g->frame, g->len, &offload);
    loop_back(e, g, &offload);
    return true;
}

/* ---- The ring ---- */

static bool ring_is_sound(const struct e1000 *e, uint32_t ring)
{
    if (e->reg[E1000_TDH] < ring && e->reg[E1000_TDT] < ring)
        return true;
    guest_error("e1000", "transmit ring of %u: head %u, tail %u", ring, e->reg[E1000_TDH],
                e->reg[E1000_TDT]);
    return false;
}

/* What the guest is to be told of: descriptors with RS, some of them without delay. */
struct done {
    bool reported, at_once;
};

static void report(const struct e1000_window *w, uint32_t i, const struct descriptor *d,
                   struct done *done)
{
    if (!(command(d) & (CMD_RS | CMD_RPS)))
        return;
    __atomic_store_n(e1000_window_at(w, i) + STATUS_AT, (uint8_t)(d->upper | STATUS_DD),
                     __ATOMIC_RELEASE);
    done->reported = true;
    if (!(command(d) & CMD_IDE))
        done->at_once = true;
}

/* Works off a window of descriptors. Says how many are through: only those of whole frames are.
 * `frames` counts down to 0. False: no other frame may follow now. */
static bool work(struct e1000 *e, uint32_t *through, unsigned *frames, struct done *done)
{
    struct descriptor d[E1000_WINDOW];
    struct gather g;
    bool more = true;
    gather_begin(e, &g);
    *through = 0;
    for (uint32_t i = 0; i < e->tx.count && more && *frames; i++) {
        memcpy(&d[i], e1000_window_at(&e->tx, i), sizeof(d[i])); /* once; act on the copy */
        if (is_context(&d[i]))
            set_context(e, &d[i]);
        else if (!e->tx_skip)
            gather(e, &g, &d[i]);
        const bool end = !is_context(&d[i]) && (command(&d[i]) & CMD_EOP);
        if (end && !e->tx_skip) {
            (*frames)--;
            more = send(e, &g, &d[i]);
        }
        if (end) {
            e->tx_skip = false;
            gather_begin(e, &g);
        }
        if (g.begun)
            continue;
        for (; *through <= i; (*through)++)
            report(&e->tx, *through, &d[*through], done);
    }
    return more;
}

static void tell(struct e1000 *e, const struct done *done, uint32_t before, uint32_t left)
{
    const uint32_t low = (e->reg[E1000_TXDCTL] >> 25) * 8;
    if (done->reported)
        e1000_frames_out(e, !done->at_once);
    if (!left)
        e1000_cause(e, ICR_TXQE);
    if (low && before > low && left <= low)
        e1000_cause(e, ICR_TXD_LOW);
}

bool e1000_transmit(void *opaque)
{
    struct e1000 *e = opaque;
    const uint32_t ring = e->reg[E1000_TDLEN] / E1000_DESCRIPTOR;
    const uint64_t base = e->reg[E1000_TDBAL] | (uint64_t)e->reg[E1000_TDBAH] << 32;
    if (!(e->reg[E1000_TCTL] & TCTL_EN) || !e1000_masters(e) ||
        e->reg[E1000_TDH] == e->reg[E1000_TDT] || !ring_is_sound(e, ring))
        return false;
    const uint32_t before = (e->reg[E1000_TDT] + ring - e->reg[E1000_TDH]) % ring;
    uint32_t left = before;
    unsigned frames = NET_BUDGET, windows = 0;
    struct done done = {0};
    bool more = true, whole = true;
    for (; left && more && whole && frames && windows < NET_BUDGET; windows++) {
        uint32_t through = 0;
        const uint32_t seen = left < E1000_WINDOW ? left : E1000_WINDOW;
        if (!e1000_window_open(e, &e->tx, base, ring, e->reg[E1000_TDH], seen)) {
            guest_error("e1000", "the transmit ring is not in memory");
            whole = false;
            break;
        }
        more = work(e, &through, &frames, &done);
        e1000_window_close(&e->tx, through);
        e->reg[E1000_TDH] = (e->reg[E1000_TDH] + through) % ring;
        left -= through;
        if (through)
            continue;
        whole = seen == E1000_WINDOW; /* else the rest of a frame is to come */
        if (whole) {
            guest_error("e1000", "a frame of more than %d descriptors", E1000_WINDOW);
            e->tx_skip = true;
        }
    }
    if (left != before)
        tell(e, &done, before, left);
    e1000_received(e); /* what came back */
    e1000_update_irq(e);
    return left && more && whole;
}
