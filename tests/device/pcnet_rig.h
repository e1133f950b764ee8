/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pcnet_rig: the card on the rig with something at the other end of its wire, and a driver's steps
 * in each of its software styles. For the tests of pcnet only. */
#ifndef TESTS_DEVICE_PCNET_RIG_H
#define TESTS_DEVICE_PCNET_RIG_H

#include <stdlib.h>
#include <string.h>

#include "tests/device/rig.h"

#include "hw/pc/pcnet.h"
#include "net/net.h"

#define SLOT 4
#define IO   0xC000
#define MMIO 0xE0000000u

enum { RDP = IO + 0x10, RAP = IO + 0x12, RESET = IO + 0x14, BDP = IO + 0x16 };

/* CSR0 */
enum {
    INIT = 0x0001,
    STRT = 0x0002,
    STOP = 0x0004,
    TDMD = 0x0008,
    TXON = 0x0010,
    RXON = 0x0020,
    IENA = 0x0040,
    INTR = 0x0080,
    IDON = 0x0100,
    TINT = 0x0200,
    RINT = 0x0400,
    MERR = 0x0800,
    MISS = 0x1000,
    CERR = 0x2000,
    BABL = 0x4000,
    ERR = 0x8000,
};
/* Mode */
enum {
    LOOP = 0x0004,
    DXMTFCS = 0x0008,
    INTL = 0x0040,
    DRCVPA = 0x2000,
    DRCVBC = 0x4000,
    PROM = 0x8000
};

/* Flags of descriptors, in the 32-bit form */
#define OWN   0x80000000u
#define ERROR 0x40000000u
#define CRC   0x08000000u
#define BUFF  0x04000000u
#define STP   0x02000000u
#define ENP   0x01000000u
#define PAM   0x00400000u
#define LAFM  0x00200000u
#define BAM   0x00100000u
#define FCS   0x20000000u
#define LTINT 0x10000000u

/* Guest memory */
#define BLOCK   0x10000u
#define RX_RING 0x20000u
#define TX_RING 0x30000u
#define RX_DATA 0x40000u /* a page for each entry */
#define TX_DATA 0x80000u

#define MAX_SENT 256

struct wire {
    struct {
        uint8_t bytes[8192];
        size_t len;
    } sent[MAX_SENT];
    unsigned count;
    bool full, reading;
};

struct pcnet_rig {
    struct rig *rig;
    struct net *net;
    struct pcnet *pcnet;
    struct wire wire;
    unsigned style, rx_bits, tx_bits; /* of the last init */
};

static const uint8_t own_mac[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};

static inline enum net_sent wire_send(void *opaque, const uint8_t *frame, size_t len,
                                      const struct net_offload *offload)
{
    struct wire *w = opaque;
    assert_null(offload);
    if (w->full)
        return NET_FULL;
    if (w->count < MAX_SENT && len <= sizeof(w->sent[0].bytes)) {
        memcpy(w->sent[w->count].bytes, frame, len);
        w->sent[w->count].len = len;
    }
    w->count++;
    return NET_SENT;
}

static inline void wire_read(void *opaque, bool on, bool fresh)
{
    (void)fresh;
    ((struct wire *)opaque)->reading = on;
}

static const struct net_backend wire_backend = {
    .type = "test", .send = wire_send, .read = wire_read};

static inline struct pcnet_rig *pcnet_rig_new(void)
{
    struct err err;
    struct pcnet_rig *t = calloc(1, sizeof(*t));
    struct nic_config config = {.devfn = PCI_DEVFN(SLOT, 0), .instance = "0"};
    assert_non_null(t);
    memcpy(config.mac, own_mac, sizeof(own_mac));
    t->rig = rig_new();
    t->net = net_new(NULL, "net");
    assert_non_null(t->net);
    net_attach_backend(t->net, &wire_backend, &t->wire);
    t->pcnet = pcnet_realize(t->rig->pci, t->rig->dma, &t->rig->clock, &t->rig->devices, &config,
                             t->net, &err);
    assert_non_null(t->pcnet);
    devices_reset(&t->rig->devices);
    rig_pci_write(t->rig, SLOT, 0, 0x10, 4, IO);
    rig_pci_write(t->rig, SLOT, 0, 0x14, 4, MMIO);
    rig_pci_write(t->rig, SLOT, 0, 0x04, 2, 7);
    return t;
}

static inline void pcnet_rig_free(struct pcnet_rig *t)
{
    rig_free(t->rig);
    net_free(t->net);
    free(t);
}

static inline uint16_t csr(struct pcnet_rig *t, unsigned n)
{
    rig_outw(t->rig, RAP, (uint16_t)n);
    return rig_inw(t->rig, RDP);
}

static inline void set_csr(struct pcnet_rig *t, unsigned n, unsigned v)
{
    rig_outw(t->rig, RAP, (uint16_t)n);
    rig_outw(t->rig, RDP, (uint16_t)v);
}

static inline uint16_t bcr(struct pcnet_rig *t, unsigned n)
{
    rig_outw(t->rig, RAP, (uint16_t)n);
    return rig_inw(t->rig, BDP);
}

static inline void set_bcr(struct pcnet_rig *t, unsigned n, unsigned v)
{
    rig_outw(t->rig, RAP, (uint16_t)n);
    rig_outw(t->rig, BDP, (uint16_t)v);
}

static inline bool irq_level(const struct pcnet_rig *t)
{
    return t->rig->hv->intx[SLOT][0];
}

static inline void run(struct pcnet_rig *t)
{
    net_run(t->net, 1000);
}

static inline void put16(struct pcnet_rig *t, uint32_t at, unsigned v)
{
    pci_set16(t->rig->hv->ram + at, (uint16_t)v);
}

static inline void put32(struct pcnet_rig *t, uint32_t at, uint32_t v)
{
    pci_set32(t->rig->hv->ram + at, v);
}

static inline uint16_t get16(const struct pcnet_rig *t, uint32_t at)
{
    return pci_get16(t->rig->hv->ram + at);
}

static inline uint32_t get32(const struct pcnet_rig *t, uint32_t at)
{
    return pci_get32(t->rig->hv->ram + at);
}

static inline uint8_t *ram(const struct pcnet_rig *t, uint32_t at)
{
    return t->rig->hv->ram + at;
}

/* A descriptor of the style under test, as a driver fills it in: a buffer of `len` bytes. */
static inline void put_descriptor(struct pcnet_rig *t, uint32_t ring, unsigned at, uint32_t address,
                                  uint32_t flags, unsigned len)
{
    const uint32_t count = 0xF000u | ((0u - len) & 0xFFF);
    if (t->style == 0) {
        const uint32_t d = ring + 8 * at;
        put16(t, d, address & 0xFFFF);
        put16(t, d + 2, (flags >> 16 & 0xFF00) | (address >> 16 & 0xFF));
        put16(t, d + 4, count);
        put16(t, d + 6, 0);
        return;
    }
    const uint32_t d = ring + 16 * at;
    put32(t, d, t->style == 3 ? 0 : address);
    put32(t, d + 4, flags | count);
    put32(t, d + 8, t->style == 3 ? address : 0);
    put32(t, d + 12, 0x5A5A5A5A);
}

static inline uint32_t flags_of(const struct pcnet_rig *t, uint32_t ring, unsigned at)
{
    return t->style == 0 ? (get16(t, ring + 8 * at + 2) & 0xFF00u) << 16
                         : get32(t, ring + 16 * at + 4) & 0xFFFF0000u;
}

/* MCNT of a receive descriptor; the error bits of a transmit descriptor. */
static inline uint32_t details_of(const struct pcnet_rig *t, uint32_t ring, unsigned at)
{
    return t->style == 0 ? get16(t, ring + 8 * at + 6)
                         : get32(t, ring + 16 * at + (t->style == 3 ? 0 : 8));
}

static inline void put_rx(struct pcnet_rig *t, unsigned at, unsigned len)
{
    put_descriptor(t, RX_RING, at, RX_DATA + at * 0x1000, OWN, len);
}

static inline void put_block(struct pcnet_rig *t, unsigned mode, uint64_t filter)
{
    uint8_t *b = ram(t, BLOCK);
    memset(b, 0, 32);
    pci_set16(b, (uint16_t)mode);
    if (t->style == 0) {
        memcpy(b + 2, own_mac, 6);
        pci_set32(b + 8, (uint32_t)filter);
        pci_set32(b + 12, (uint32_t)(filter >> 32));
        pci_set32(b + 16, RX_RING | t->rx_bits << 29);
        pci_set32(b + 20, TX_RING | t->tx_bits << 29);
        return;
    }
    b[2] = (uint8_t)(t->rx_bits << 4);
    b[3] = (uint8_t)(t->tx_bits << 4);
    memcpy(b + 4, own_mac, 6);
    pci_set32(b + 12, (uint32_t)filter);
    pci_set32(b + 16, (uint32_t)(filter >> 32));
    pci_set32(b + 20, RX_RING);
    pci_set32(b + 24, TX_RING);
}

/* Reset, style, initialisation block, rings: all receive buffers of `buffer` bytes are the chip's,
 * no transmit buffer is. Then it starts, if `control` says so (added to INIT). */
static inline void driver_init(struct pcnet_rig *t, unsigned style, unsigned mode, uint64_t filter,
                               unsigned buffer, unsigned control)
{
    rig_inw(t->rig, RESET);
    t->style = style;
    t->rx_bits = t->rx_bits ? t->rx_bits : 2;
    t->tx_bits = t->tx_bits ? t->tx_bits : 2;
    set_bcr(t, 20, style);
    put_block(t, mode, filter);
    for (unsigned i = 0; i < 1u << t->rx_bits; i++)
        put_rx(t, i, buffer);
    for (unsigned i = 0; i < 1u << t->tx_bits; i++)
        put_descriptor(t, TX_RING, i, 0, 0, 1);
    memset(ram(t, RX_DATA), 0xEE, 0x40000);
    set_csr(t, 1, BLOCK & 0xFFFF);
    set_csr(t, 2, BLOCK >> 16);
    set_csr(t, 0, INIT);
    assert_int_equal(csr(t, 0) & IDON, IDON);
    set_csr(t, 0, IDON | control);
    t->wire.count = 0;
    run(t);
}

static inline void driver_start(struct pcnet_rig *t, unsigned style)
{
    driver_init(t, style, 0, 0, 1544, STRT | IENA);
}

/* A frame for somebody: destination, source, type, then bytes that count up. */
static inline void make_frame(uint8_t *frame, const uint8_t *to, unsigned type, size_t len)
{
    static const uint8_t from[6] = {2, 0, 0, 0, 0, 1};
    for (size_t i = 0; i < len; i++)
        frame[i] = (uint8_t)(i * 7 + i / 256);
    memcpy(frame, to, 6);
    memcpy(frame + 6, from, 6);
    frame[12] = (uint8_t)(type >> 8);
    frame[13] = (uint8_t)type;
}

static inline bool deliver(struct pcnet_rig *t, uint8_t *frame, size_t len)
{
    const bool more = net_deliver(t->net, frame, len, NULL);
    net_delivered(t->net);
    return more;
}

/* A frame to the card; how many bytes of it. */
static inline bool arrives(struct pcnet_rig *t, const uint8_t *to, size_t len)
{
    static uint8_t frame[NET_MAX_FRAME];
    make_frame(frame, to, 0x0800, len);
    return deliver(t, frame, len);
}

static inline struct net_stats stats(const struct pcnet_rig *t)
{
    struct net_stats s;
    net_stats(t->net, &s);
    return s;
}

/* Puts a frame of `len` bytes into entry `at` and rings. */
static inline void driver_send(struct pcnet_rig *t, unsigned at, size_t len, uint32_t flags)
{
    make_frame(ram(t, TX_DATA), (const uint8_t[6]){2, 0, 0, 0, 0, 9}, 0x0800, len);
    put_descriptor(t, TX_RING, at, TX_DATA, OWN | flags, (unsigned)len);
    set_csr(t, 0, TDMD | IENA);
    run(t);
}

/* --- one card for each test --- */

static struct pcnet_rig *t;

static inline int setup(void **state)
{
    (void)state;
    t = pcnet_rig_new();
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    pcnet_rig_free(t);
    return 0;
}

#endif
