/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pcnet: initialisation block, descriptor rings, frames (see pcnet.h). Everything in guest memory
 * is read once and acted on as it was read. */
#include <string.h>

#include "hw/core/log.h"
#include "hw/pc/pcnet_int.h"

/* Work of a turn beside its frames: descriptors that lead to none. */
#define TURN_DESCRIPTORS 256

/* How long a frame waits for a receive buffer, and how often it is looked for meanwhile unless the
 * guest touches a register. */
#define RX_PATIENCE   (100 * NS_PER_MS)
#define RX_FIRST_LOOK NS_PER_MS

/* The transmit poll (CSR4, DPOLL), which a driver that rings does not need: from the first interval
 * it gets longer, up to the last one; then it is given up unless it has found something before. */
#define POLL_FIRST (2 * NS_PER_MS)
#define POLL_LAST  (512 * NS_PER_MS)
#define POLL_FOUND (64 * NS_PER_MS)

enum { BLOCK_BYTES_16 = 24, BLOCK_BYTES_32 = 28 };
#define RING_BITS_MAX 9

/* A descriptor of any kind. */
struct descriptor {
    uint32_t address, flags; /* flags: as TMD1 and RMD1 have them */
};

static unsigned style(const struct pcnet *p)
{
    const unsigned s = p->bcr[BCR_SWS] & 0xFF;
    return s <= STYLE_PCNET_BURST ? s : STYLE_LANCE;
}

static unsigned descriptor_bytes(const struct pcnet *p)
{
    return style(p) == STYLE_LANCE ? 8 : PCNET_DESCRIPTOR;
}

unsigned pcnet_ring_length(uint16_t length)
{
    const uint16_t entries = (uint16_t)-length;
    return entries ? entries : 1;
}

uint32_t pcnet_descriptor(const struct pcnet *p, unsigned base, unsigned at)
{
    const unsigned bytes = descriptor_bytes(p);
    const uint32_t first = (p->csr[base] | (uint32_t)p->csr[base + 1] << 16) & ~(bytes - 1);
    return first + at * bytes;
}

void pcnet_forget(struct pcnet *p)
{
    p->rx.count = p->tx.count = 0;
}

static void put32(uint8_t *to, uint32_t v)
{
    pci_set32(to, v);
}

/* Nobody answers at an address that the bus master puts on the bus: that is the end of its work
 * (PCI status, Master Abort; CSR5, SINT). */
static void bus_error(struct pcnet *p, const char *what, uint32_t address)
{
    guest_error("pcnet", "%s at %#x is not memory; the chip stops", what, address);
    p->pci.config[0x07] |= 0x20; /* RMABORT */
    pcnet_stop(p);
    p->csr[5] |= CSR5_SINT;
}

/* ---- Initialisation block ---- */

static uint16_t ring_length_of(unsigned bits)
{
    return (uint16_t) - (1 << (bits <= RING_BITS_MAX ? bits : RING_BITS_MAX));
}

static void set_ring(struct pcnet *p, unsigned base, uint32_t address)
{
    p->csr[base] = (uint16_t)address;
    p->csr[base + 1] = (uint16_t)(address >> 16);
}

bool pcnet_init(struct pcnet *p)
{
    const bool wide = style(p) != STYLE_LANCE;
    uint8_t block[BLOCK_BYTES_32];
    const uint32_t at =
        (p->csr[CSR_IADR] | (uint32_t)p->csr[CSR_IADR + 1] << 16) & ~(wide ? 3u : 1u);
    const uint8_t *address = block + (wide ? 4 : 2), *filter = block + (wide ? 12 : 8);
    unsigned rx_bits, tx_bits;
    if (!pcnet_masters_bus(p)) { /* it does not get the bus */
        p->csr[0] |= CSR0_MERR;
        return false;
    }
    if (!dma_read(p->dma, at, block, wide ? BLOCK_BYTES_32 : BLOCK_BYTES_16)) {
        bus_error(p, "initialisation block", at);
        return false;
    }
    p->csr[CSR_MODE] = pci_get16(block);
    for (unsigned i = 0; i < 3; i++)
        p->csr[CSR_PADR + i] = pci_get16(address + 2 * i);
    for (unsigned i = 0; i < 4; i++)
        p->csr[CSR_LADRF + i] = pci_get16(filter + 2 * i);
    if (wide) {
        rx_bits = block[2] >> 4;
        tx_bits = block[3] >> 4;
        set_ring(p, CSR_BADR, pci_get32(block + 20));
        set_ring(p, CSR_BADX, pci_get32(block + 24));
    } else { /* addresses of 24 bits, completed by the block's own */
        const uint32_t upper = (at & 0xFF000000u);
        rx_bits = block[19] >> 5;
        tx_bits = block[23] >> 5;
        set_ring(p, CSR_BADR, upper | (pci_get32(block + 16) & 0xFFFFFF));
        set_ring(p, CSR_BADX, upper | (pci_get32(block + 20) & 0xFFFFFF));
    }
    p->csr[6] = (uint16_t)(tx_bits << 12 | rx_bits << 8);
    p->csr[CSR_RCVRL] = ring_length_of(rx_bits);
    p->csr[CSR_XMTRL] = ring_length_of(tx_bits);
    p->rx_at = p->tx_at = 0;
    p->csr[0] |= CSR0_INIT | CSR0_IDON;
    return true;
}

/* ---- Descriptors ---- */

/* Entry `at` of a ring, from the batch or, together with those behind it, from guest memory. NULL:
 * it is not memory. */
static const uint8_t *raw_descriptor(struct pcnet *p, struct pcnet_batch *batch, unsigned base,
                                     unsigned at, unsigned entries)
{
    const unsigned bytes = descriptor_bytes(p);
    if (at - batch->first < batch->count)
        return batch->raw + (batch->used + at - batch->first) * bytes;
    unsigned n = entries - at < PCNET_BATCH ? entries - at : PCNET_BATCH;
    const uint32_t address = pcnet_descriptor(p, base, at);
    batch->count = 0;
    if (!dma_read(p->dma, address, batch->raw, n * bytes)) {
        n = 1;
        if (!dma_read(p->dma, address, batch->raw, bytes)) {
            bus_error(p, base == CSR_BADR ? "receive descriptor" : "transmit descriptor", address);
            return NULL;
        }
    }
    batch->first = at;
    batch->count = n;
    batch->used = 0;
    return batch->raw;
}

static struct descriptor decode(const struct pcnet *p, const uint8_t *raw)
{
    switch (style(p)) {
    case STYLE_LANCE:
        return (struct descriptor){
            .address = (pci_get32(raw) & 0xFFFFFF) | (p->csr[CSR_IADR + 1] & 0xFF00u) << 16,
            .flags = (pci_get32(raw) & 0xFF000000u) | pci_get16(raw + 4),
        };
    case STYLE_PCNET_BURST:
        return (struct descriptor){.address = pci_get32(raw + 8), .flags = pci_get32(raw + 4)};
    default:
        return (struct descriptor){.address = pci_get32(raw), .flags = pci_get32(raw + 4)};
    }
}

/* Entry `at`; if it was not ours when it was read, it is read again. False: it is not ours, or not
 * memory, and the chip has stopped. */
static bool own_descriptor(struct pcnet *p, struct pcnet_batch *batch, unsigned base, unsigned at,
                           unsigned entries, struct descriptor *d)
{
    for (unsigned fresh = 0; fresh < 2; fresh++) {
        const bool cached = at - batch->first < batch->count;
        const uint8_t *raw = raw_descriptor(p, batch, base, at, entries);
        if (!raw)
            return false;
        *d = decode(p, raw);
        if (d->flags & DESC_OWN)
            return true;
        batch->count = 0;
        if (!cached)
            return false;
    }
    return false;
}

/* Gives entry `at` back to the guest: its flags, and the word with the details (TMD2, RMD2; their
 * lower halves are all that 16-bit receive descriptors have, their upper ones all that transmit
 * descriptors have: `details` is then already the 16 bits). In one piece: OWN must not be seen to
 * go before the rest is there. */
static void give_back(struct pcnet *p, unsigned base, unsigned at, const struct descriptor *d,
                      uint32_t flags, uint32_t details)
{
    const uint32_t address = pcnet_descriptor(p, base, at);
    uint8_t raw[8];
    switch (style(p)) {
    case STYLE_LANCE:
        put32(raw, (d->address & 0xFFFFFF) | (flags & 0xFF000000u));
        put32(raw + 4, (flags & 0xFFFF) | details << 16);
        dma_write(p->dma, address, raw, sizeof(raw));
        break;
    case STYLE_PCNET_BURST:
        put32(raw, details);
        put32(raw + 4, flags);
        dma_write(p->dma, address, raw, sizeof(raw));
        break;
    default:
        put32(raw, flags);
        put32(raw + 4, details);
        dma_write(p->dma, address + 4, raw, sizeof(raw));
    }
}

/* The current entry has been given back: what was read of it does not hold any more. */
static void advance(uint16_t *current, struct pcnet_batch *batch, unsigned entries)
{
    if (batch->count && batch->first == *current % entries) {
        batch->first++;
        batch->used++;
        batch->count--;
    } else {
        batch->count = 0;
    }
    *current = (uint16_t)((*current + 1u) % entries);
}

/* BCNT is the two's complement of the length; zero is the longest. */
static unsigned buffer_bytes(const struct descriptor *d)
{
    return PCNET_MAX_BUFFER - (d->flags & DESC_BCNT);
}

/* ---- Receive ---- */

static bool is_broadcast(const uint8_t *mac)
{
    static const uint8_t all[NET_MAC_LEN] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
    return !memcmp(mac, all, sizeof(all));
}

/* Address Matching: false, or which of RMD1's bits tell why it is taken. */
static bool matches(const struct pcnet *p, const uint8_t *mac, uint32_t *why)
{
    const uint16_t mode = p->csr[CSR_MODE];
    *why = 0;
    if (is_broadcast(mac) && !(mode & MODE_DRCVBC)) {
        *why = RMD_BAM;
    } else if (mac[0] & 1) {
        const unsigned hash = nic_hash_lance(mac);
        if (p->csr[CSR_LADRF + hash / 16] >> (hash % 16) & 1)
            *why = RMD_LAFM;
    } else if (!(mode & MODE_DRCVPA)) {
        uint8_t own[NET_MAC_LEN];
        for (unsigned i = 0; i < 3; i++)
            pci_set16(own + 2 * i, p->csr[CSR_PADR + i]);
        if (!memcmp(mac, own, sizeof(own)))
            *why = RMD_PAM;
    }
    return *why || (mode & MODE_PROM);
}

/* A frame as it comes from the wire. */
struct arrival {
    const uint8_t *bytes;
    size_t len;             /* without FCS */
    uint8_t fcs[PCNET_FCS]; /* what was behind them */
    bool damaged;           /* and it was wrong */
    uint32_t why;
};

static bool rx_descriptor(struct pcnet *p, unsigned ahead, struct descriptor *d)
{
    const unsigned entries = pcnet_ring_length(p->csr[CSR_RCVRL]);
    const unsigned at = (p->rx_at + ahead) % entries;
    return own_descriptor(p, &p->rx, CSR_BADR, at, entries, d);
}

/* Whether there are buffers for so many bytes, or as good as: the whole ring is ours. */
static bool has_room(struct pcnet *p, size_t bytes)
{
    const unsigned entries = pcnet_ring_length(p->csr[CSR_RCVRL]);
    struct descriptor d;
    for (unsigned i = 0; i < entries; i++) {
        if (!rx_descriptor(p, i, &d))
            return false;
        if (buffer_bytes(&d) >= bytes)
            return true;
        bytes -= buffer_bytes(&d);
    }
    return true;
}

/* Bytes off..off+n-1 of the frame and its FCS to guest memory. */
static bool store(struct pcnet *p, const struct arrival *a, uint32_t address, size_t off, size_t n)
{
    if (off < a->len) {
        const size_t part = n < a->len - off ? n : a->len - off;
        if (!dma_write(p->dma, address, a->bytes + off, part))
            return false;
        address += (uint32_t)part;
        off += part;
        n -= part;
    }
    return !n || dma_write(p->dma, address, a->fcs + (off - a->len), n);
}

/* Receive Descriptor Table Entry: one frame into as many buffers as it takes. */
static bool fill(struct pcnet *p, const struct arrival *a, size_t total)
{
    const unsigned entries = pcnet_ring_length(p->csr[CSR_RCVRL]);
    const bool wide = style(p) != STYLE_LANCE;
    uint32_t flags = DESC_STP;
    size_t off = 0;
    struct descriptor d, next;
    if (!rx_descriptor(p, 0, &d))
        return false;
    for (unsigned used = 1;; used++) {
        const size_t room = buffer_bytes(&d);
        const size_t n = total - off < room ? total - off : room;
        if (!store(p, a, d.address, off, n)) {
            bus_error(p, "receive buffer", d.address);
            return false;
        }
        off += n;
        flags |= d.flags & 0xFFFF;
        const bool last = off == total;
        bool failed = false;
        if (last)
            flags |= DESC_ENP | (wide ? a->why : 0) | (a->damaged ? DESC_ERR | RMD_CRC : 0);
        else if (used == entries || !rx_descriptor(p, 1, &next))
            failed = true;
        if (!(p->csr[0] & CSR0_RXON)) /* there was no next descriptor at all */
            return false;
        if (failed)
            flags |= DESC_ERR | RMD_BUFF;
        give_back(p, CSR_BADR, p->rx_at % entries, &d, flags, last ? (uint32_t)total : 0);
        advance(&p->rx_at, &p->rx, entries);
        if (last || failed) {
            p->csr[0] |= CSR0_RINT;
            return last;
        }
        d = next;
        flags = 0;
    }
}

/* No buffer is free: whether there is still patience. */
static bool wait_for_room(struct pcnet *p)
{
    const uint64_t now = clock_now(p->clock);
    if (p->rx_starved)
        return false;
    if (!p->rx_held) {
        p->rx_held = true;
        p->rx_since = now;
        p->rx_wait = RX_FIRST_LOOK;
    }
    if (now - p->rx_since >= RX_PATIENCE) {
        p->rx_starved = true;
        return false;
    }
    if (!timer_armed(&p->rx_timer)) {
        timer_arm_in(&p->rx_timer, p->rx_wait);
        p->rx_wait *= 2;
    }
    return true;
}

void pcnet_rx_retry(void *opaque)
{
    struct pcnet *p = opaque;
    struct descriptor d;
    if (!p->rx_held)
        return;
    if (clock_now(p->clock) - p->rx_since >= RX_PATIENCE || rx_descriptor(p, 0, &d)) {
        net_ready(p->net);
    } else if (p->rx_held) {
        timer_arm_in(&p->rx_timer, p->rx_wait);
        p->rx_wait *= 2;
    } else { /* the ring is not memory */
        pcnet_settle(p);
    }
}

static enum net_taken missed(struct pcnet *p)
{
    p->csr[0] |= CSR0_MISS;
    if (!++p->csr[CSR_MFC])
        p->csr[4] |= CSR4_MFCO;
    return NET_DROPPED;
}

/* `back`: our own frame, in loopback; it cannot wait. */
static enum net_taken arrive(struct pcnet *p, struct arrival *a, bool back)
{
    size_t total = a->len + PCNET_FCS;
    struct descriptor d;
    if (p->csr[4] & CSR4_ASTRP_RCV) { /* Automatic Pad Stripping: with the pad goes the FCS */
        const unsigned length = (unsigned)a->bytes[12] << 8 | a->bytes[13];
        if (length < NET_MIN_FRAME - NET_HEADER_LEN)
            total = a->len = length + (size_t)NET_HEADER_LEN;
    }
    if (total > DESC_BCNT) /* MCNT could not tell */
        return NET_DROPPED;
    if (!has_room(p, total)) {
        if (!(p->csr[0] & CSR0_RXON))
            return NET_DROPPED;
        if (!back && wait_for_room(p))
            return NET_HELD;
        p->rx_held = false;
        timer_disarm(&p->rx_timer);
        if (!rx_descriptor(p, 0, &d))
            return p->csr[0] & CSR0_RXON ? missed(p) : NET_DROPPED;
    } else {
        p->rx_starved = false;
    }
    if (p->rx_held) {
        p->rx_held = false;
        timer_disarm(&p->rx_timer);
    }
    return fill(p, a, total) ? NET_TAKEN : NET_DROPPED;
}

static enum net_taken receive(void *opaque, const uint8_t *frame, size_t len)
{
    struct pcnet *p = opaque;
    uint8_t padded[NET_MIN_FRAME] = {0};
    struct arrival a = {.bytes = frame, .len = len};
    if (!(p->csr[0] & CSR0_RXON) || (p->csr[5] & CSR5_SPND) || (p->csr[CSR_MODE] & MODE_LOOP) ||
        !pcnet_masters_bus(p) || len > PCNET_MAX_BUFFER || !matches(p, frame, &a.why))
        return NET_DROPPED;
    if (len < sizeof(padded)) { /* no wire carries shorter ones */
        memcpy(padded, frame, len);
        a.bytes = padded;
        a.len = sizeof(padded);
    }
    put32(a.fcs, nic_fcs(a.bytes, a.len));
    return arrive(p, &a, false);
}

static void received(void *opaque)
{
    struct pcnet *p = opaque;
    pcnet_settle(p);
}

/* ---- Transmit ---- */

static bool tx_descriptor(struct pcnet *p, unsigned at, struct descriptor *d)
{
    const unsigned entries = pcnet_ring_length(p->csr[CSR_XMTRL]);
    return own_descriptor(p, &p->tx, CSR_BADX, at % entries, entries, d);
}

static unsigned tx_next(const struct pcnet *p)
{
    return (p->tx_at + 1u) % pcnet_ring_length(p->csr[CSR_XMTRL]);
}

/* The current entry is done with, TMD2 being `details`. */
static void tx_done(struct pcnet *p, const struct descriptor *d, uint32_t details)
{
    const unsigned entries = pcnet_ring_length(p->csr[CSR_XMTRL]);
    uint32_t flags = d->flags & ~(DESC_OWN | DESC_ERR | TMD_LT | TMD_ONE | TMD_DEF);
    if (details)
        flags |= DESC_ERR;
    give_back(p, CSR_BADX, p->tx_at % entries, d, flags,
              style(p) == STYLE_LANCE ? details >> 16 : details);
    advance(&p->tx_at, &p->tx, entries);
}

/* Whether the end of a frame is told by TINT (CSR5, TOKINTD and LTINTEN). */
static void tx_interrupt(struct pcnet *p, const struct descriptor *d, uint32_t details)
{
    const bool asked = !(p->csr[5] & CSR5_LTINTEN) || (d->flags & TMD_LT);
    if (details || (asked && !(p->csr[5] & CSR5_TOKINTD)))
        p->csr[0] |= CSR0_TINT;
}

/* Transmit FCS Generation, by the flags of the frame's first descriptor. */
static bool appends_fcs(const struct pcnet *p, uint32_t flags)
{
    const bool dxmtfcs = p->csr[CSR_MODE] & MODE_DXMTFCS;
    if (p->csr[4] & CSR4_APAD_XMT)
        return true;
    if (style(p) == STYLE_ILACC) /* the bit is NO_FCS */
        return !dxmtfcs && !(flags & TMD_FCS);
    return !dxmtfcs || (flags & TMD_FCS);
}

/* Loopback Operation: what was sent comes back, with its FCS. */
static void loop_back(struct pcnet *p, size_t len, bool appended)
{
    struct arrival a = {.bytes = p->frame, .len = len};
    if (!(p->csr[0] & CSR0_RXON) || !matches(p, p->frame, &a.why))
        return;
    const uint32_t fcs = nic_fcs(p->frame, len);
    if (appended)
        put32(a.fcs, fcs);
    else
        memcpy(a.fcs, p->frame + len, PCNET_FCS);
    a.damaged = pci_get32(a.fcs) != fcs;
    arrive(p, &a, true);
}

/* A whole frame of len bytes is in p->frame. Returns what TMD2 says of it; *full: no other may
 * follow. */
static uint32_t put_on_wire(struct pcnet *p, size_t len, uint32_t flags, bool *full)
{
    const uint16_t mode = p->csr[CSR_MODE];
    const bool appended = appends_fcs(p, flags);
    if ((p->csr[4] & CSR4_APAD_XMT) && len < NET_MIN_FRAME) {
        memset(p->frame + len, 0, NET_MIN_FRAME - len);
        len = NET_MIN_FRAME;
    }
    if (!appended) { /* the guest made it: the last bytes */
        if (len < NET_HEADER_LEN + PCNET_FCS)
            return 0;
        len -= PCNET_FCS;
    }
    p->csr[4] |= CSR4_TXSTRT;
    if (len < NET_HEADER_LEN) /* a runt that nobody takes */
        return 0;
    if (mode & MODE_LOOP)
        loop_back(p, len, appended);
    if ((mode & MODE_LOOP) && (mode & MODE_INTL))
        return 0;
    if (!pcnet_link_up(p)) {
        p->csr[0] |= CSR0_CERR;
        return TMD_LCAR;
    }
    /* A damaged frame is thrown away wherever it arrives. */
    if (appended || nic_fcs(p->frame, len) == pci_get32(p->frame + len))
        *full = !net_send(p->net, p->frame, len, NULL);
    return 0;
}

enum sent { SENT_NOTHING, SENT_SKIPPED, SENT_FRAME, SENT_FULL };

/* Look-Ahead Packet Processing is not done: descriptors are looked at one frame at a time
 * (Transmit Descriptor Table Entry). */
static enum sent send_frame(struct pcnet *p, unsigned *looked_at)
{
    struct descriptor d, next;
    size_t len = 0;
    bool full = false;
    if (!tx_descriptor(p, p->tx_at, &d))
        return SENT_NOTHING;
    ++*looked_at;
    if (!(d.flags & DESC_STP)) { /* the rest of a frame that failed */
        tx_done(p, &d, 0);
        return SENT_SKIPPED;
    }
    const uint32_t first = d.flags;
    for (;;) {
        const size_t n = buffer_bytes(&d);
        if (n > PCNET_MAX_BUFFER - len) { /* no Ethernet frame: it is dropped, babbling */
            p->csr[0] |= CSR0_BABL;
            tx_done(p, &d, 0);
            p->csr[0] |= CSR0_TINT;
            return SENT_FRAME;
        }
        if (!dma_read(p->dma, d.address, p->frame + len, n)) {
            bus_error(p, "transmit buffer", d.address);
            return SENT_NOTHING;
        }
        len += n;
        if (d.flags & DESC_ENP)
            break;
        if (!tx_descriptor(p, tx_next(p), &next)) {
            if (!(p->csr[0] & CSR0_TXON))
                return SENT_NOTHING;
            tx_done(p, &d, TMD_BUFF | TMD_UFLO);
            p->csr[0] |= CSR0_TINT;
            if (!(p->csr[3] & CSR3_DXSUFLO))
                p->csr[0] &= (uint16_t)~CSR0_TXON;
            return SENT_NOTHING;
        }
        tx_done(p, &d, 0);
        d = next;
        ++*looked_at;
    }
    const uint32_t details = put_on_wire(p, len, first, &full);
    if (!(p->csr[0] & CSR0_TXON)) /* what came back has stopped it */
        return SENT_NOTHING;
    tx_done(p, &d, details);
    tx_interrupt(p, &d, details);
    return full ? SENT_FULL : SENT_FRAME;
}

static bool transmits(const struct pcnet *p)
{
    return (p->csr[0] & CSR0_TXON) && !(p->csr[5] & CSR5_SPND) && pcnet_masters_bus(p);
}

static bool transmit(void *opaque)
{
    struct pcnet *p = opaque;
    unsigned frames = 0, looked_at = 0;
    enum sent sent = SENT_FRAME;
    if (!transmits(p))
        return false;
    p->csr[0] &= (uint16_t)~CSR0_TDMD;
    p->tx.count = 0;
    while (frames < NET_BUDGET && looked_at < TURN_DESCRIPTORS) {
        sent = send_frame(p, &looked_at);
        if (sent == SENT_NOTHING || sent == SENT_FULL)
            break;
        frames += sent == SENT_FRAME;
    }
    pcnet_settle(p);
    return sent == SENT_FRAME || sent == SENT_SKIPPED;
}

const struct net_nic pcnet_nic = {
    .receive = receive,
    .received = received,
    .transmit = transmit,
    .link_changed = pcnet_link_changed,
};

/* ---- The transmit poll ---- */

static bool polls(const struct pcnet *p)
{
    return !p->rang && !(p->csr[4] & CSR4_DPOLL) && transmits(p);
}

void pcnet_poll_soon(struct pcnet *p)
{
    if (!polls(p))
        timer_disarm(&p->poll_timer);
    else if (!timer_armed(&p->poll_timer) || p->poll_wait > POLL_FIRST) {
        p->poll_wait = POLL_FIRST;
        timer_arm_in(&p->poll_timer, p->poll_wait);
    }
}

void pcnet_poll(void *opaque)
{
    struct pcnet *p = opaque;
    struct descriptor d;
    if (!polls(p))
        return;
    p->tx.count = 0;
    if (tx_descriptor(p, p->tx_at, &d)) {
        p->poll_found = true;
        p->poll_wait = POLL_FIRST;
        pcnet_kick(p);
    } else if (p->poll_found) {
        p->poll_wait = p->poll_wait * 2 < POLL_FOUND ? p->poll_wait * 2 : POLL_FOUND;
    } else {
        p->poll_wait *= 2;
    }
    if (!polls(p))
        pcnet_settle(p); /* the ring was not memory */
    else if (p->poll_wait <= POLL_LAST)
        timer_arm_in(&p->poll_timer, p->poll_wait);
}
