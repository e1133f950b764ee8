/* SPDX-License-Identifier: GPL-2.0-or-later */
/* e1000_rig: an e1000 with rings, as a driver sets it up, and a back-end that keeps what is sent:
 * for the files of its tests. */
#ifndef TESTS_DEVICE_E1000_RIG_H
#define TESTS_DEVICE_E1000_RIG_H

#include "tests/device/rig.h"

#include <stdlib.h>
#include <string.h>

#include "hw/pc/e1000.h"
#include "net/net.h"

#define SLOT 4
#define MMIO UINT64_C(0xF2000000)
#define PORT 0xC040

#define RX_RING 0x10000u
#define TX_RING 0x14000u
#define RX_DATA 0x100000u
#define TX_DATA 0x200000u
#define RX_SIZE 8u /* descriptors */
#define TX_SIZE 16u
#define BUFFER  2048u

enum {
    CTRL = 0x0000,
    STATUS = 0x0008,
    EECD = 0x0010,
    EERD = 0x0014,
    CTRL_EXT = 0x0018,
    MDIC = 0x0020,
    FCAL = 0x0028,
    FCAH = 0x002C,
    VET = 0x0038,
    ICR = 0x00C0,
    ITR = 0x00C4,
    ICS = 0x00C8,
    IMS = 0x00D0,
    IMC = 0x00D8,
    RCTL = 0x0100,
    TCTL = 0x0400,
    PBA = 0x1000,
    RDBAL = 0x2800,
    RDBAH = 0x2804,
    RDLEN = 0x2808,
    RDH = 0x2810,
    RDT = 0x2818,
    RDTR = 0x2820,
    RADV = 0x282C,
    RSRPD = 0x2C00,
    TDBAL = 0x3800,
    TDBAH = 0x3804,
    TDLEN = 0x3808,
    TDH = 0x3810,
    TDT = 0x3818,
    TIDV = 0x3820,
    TXDCTL = 0x3828,
    TADV = 0x382C,
    RXCSUM = 0x5000,
    MTA = 0x5200,
    RAL = 0x5400,
    RAH = 0x5404,
    VFTA = 0x5600,
};

/* Commands of transmit descriptors; causes of interrupts */
enum { EOP = 1, IFCS = 2, IC = 4, TSE = 4, RS = 8, DEXT = 0x20, VLE = 0x40, IDE = 0x80 };
enum { TXDW = 1, TXQE = 2, LSC = 4, RXDMT0 = 0x10, RXO = 0x40, RXT0 = 0x80, MDAC = 0x200 };

#define KEPT 1024

struct kept {
    uint8_t *frame;
    size_t len;
    struct net_offload offload;
};

static struct test {
    struct rig *rig;
    struct e1000 *e1000;
    struct net *net;
    struct kept sent[KEPT];
    unsigned count;
    unsigned full_after; /* the back-end is full after so many; 0: never */
    bool reading;
    uint32_t tx_at;
} t;

static const uint8_t own_mac[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};

static enum net_sent keep(void *opaque, const uint8_t *frame, size_t len,
                          const struct net_offload *offload)
{
    (void)opaque;
    if (t.full_after && t.count >= t.full_after)
        return NET_FULL;
    assert_true(t.count < KEPT);
    struct kept *k = &t.sent[t.count++];
    k->frame = malloc(len);
    assert_non_null(k->frame);
    memcpy(k->frame, frame, len);
    k->len = len;
    k->offload = offload ? *offload : (struct net_offload){0};
    return NET_SENT;
}

static void set_reading(void *opaque, bool on, bool fresh)
{
    (void)opaque, (void)fresh;
    t.reading = on;
}

static const struct net_backend keeper = {.type = "test", .send = keep, .read = set_reading};
static const struct net_backend keeper_offloads = {
    .type = "test", .offloads = true, .send = keep, .read = set_reading};

static inline void forget(void)
{
    for (unsigned i = 0; i < t.count; i++)
        free(t.sent[i].frame);
    t.count = 0;
}

static inline void out(uint32_t reg, uint32_t v)
{
    rig_mem_write(t.rig, MMIO + reg, 4, v);
}

static inline uint32_t in(uint32_t reg)
{
    return (uint32_t)rig_mem_read(t.rig, MMIO + reg, 4);
}

static inline bool line(void)
{
    return t.rig->hv->intx[SLOT][0];
}

static inline unsigned raised(void)
{
    return t.rig->hv->intx_raised[SLOT][0];
}

static inline void run(void)
{
    net_run(t.net, 100);
}

static inline uint8_t *ram(uint32_t at)
{
    return t.rig->hv->ram + at;
}

static inline uint64_t get64(uint32_t at)
{
    uint64_t v;
    memcpy(&v, ram(at), 8);
    return v;
}

static inline void put64(uint32_t at, uint64_t v)
{
    memcpy(ram(at), &v, 8);
}

static inline int setup_model(bool em82545, const struct net_backend *backend)
{
    struct err err;
    memset(&t, 0, sizeof(t));
    t.rig = rig_new();
    t.net = net_new(NULL, "n");
    assert_non_null(t.net);
    net_attach_backend(t.net, backend, NULL);
    struct nic_config config = {.devfn = PCI_DEVFN(SLOT, 0), .instance = "0"};
    memcpy(config.mac, own_mac, 6);
    t.e1000 = (em82545 ? e1000_82545em_realize : e1000_realize)(
        t.rig->pci, t.rig->dma, &t.rig->clock, &t.rig->devices, &config, t.net, &err);
    assert_non_null(t.e1000);
    devices_reset(&t.rig->devices);
    rig_pci_write(t.rig, SLOT, 0, 0x10, 4, (uint32_t)MMIO);
    rig_pci_write(t.rig, SLOT, 0, 0x14, 4, PORT);
    rig_pci_write(t.rig, SLOT, 0, 0x04, 2, 7);
    return 0;
}

static inline int setup(void **state)
{
    (void)state;
    return setup_model(false, &keeper);
}

static inline int setup_offloads(void **state)
{
    (void)state;
    return setup_model(false, &keeper_offloads);
}

static inline int teardown(void **state)
{
    (void)state;
    rig_free(t.rig);
    net_free(t.net);
    forget();
    return 0;
}

/* Rings as a driver has them: all receive descriptors but one are the card's. */
static inline void start(uint32_t rctl)
{
    out(IMC, 0xFFFFFFFF);
    memset(ram(RX_RING), 0, RX_SIZE * 16);
    memset(ram(TX_RING), 0, TX_SIZE * 16);
    for (uint32_t i = 0; i < RX_SIZE; i++)
        put64(RX_RING + 16 * i, RX_DATA + i * BUFFER);
    out(RDBAL, RX_RING);
    out(RDLEN, RX_SIZE * 16);
    out(RDH, 0);
    out(RDT, RX_SIZE - 1);
    out(TDBAL, TX_RING);
    out(TDLEN, TX_SIZE * 16);
    out(TDH, 0);
    out(TDT, 0);
    t.tx_at = 0;
    out(TCTL, 0x4010A);
    out(RCTL, rctl | 2);
    in(ICR);
    run();
}

/* The next transmit descriptor; the tail is not moved. */
static inline void put_tx(uint64_t addr, uint32_t lower, uint32_t upper)
{
    put64(TX_RING + 16 * t.tx_at, addr);
    put64(TX_RING + 16 * t.tx_at + 8, lower | (uint64_t)upper << 32);
    t.tx_at = (t.tx_at + 1) % TX_SIZE;
}

static inline void go(void)
{
    out(TDT, t.tx_at);
    run();
}

static inline void put_legacy(uint32_t addr, unsigned len, unsigned cmd)
{
    put_tx(addr, len | (uint32_t)cmd << 24, 0);
}

static inline void put_data(uint32_t addr, uint32_t len, unsigned cmd, unsigned popts)
{
    put_tx(addr, len | 1u << 20 | (uint32_t)(cmd | DEXT) << 24, popts << 8);
}

static inline void put_context(unsigned ipcss, unsigned ipcso, unsigned ipcse, unsigned tucss,
                               unsigned tucso, unsigned tucse, unsigned cmd, unsigned hdrlen,
                               unsigned mss)
{
    put_tx(ipcss | ipcso << 8 | (uint64_t)ipcse << 16 | (uint64_t)tucss << 32 |
               (uint64_t)tucso << 40 | (uint64_t)tucse << 48,
           (uint32_t)(cmd | DEXT) << 24, hdrlen << 8 | (uint32_t)mss << 16);
}

/* A frame that counts, from the broadcast address or what `to` says. */
static inline void make_frame(uint8_t *frame, size_t len, const uint8_t *to)
{
    memset(frame, 0xFF, 6);
    if (to)
        memcpy(frame, to, 6);
    memcpy(frame + 6, own_mac, 6);
    frame[12] = 0x88;
    frame[13] = 0xB5;
    for (size_t i = 14; i < len; i++)
        frame[i] = (uint8_t)(i * 7);
}

/* From outside; whether the card is willing to get more. */
static inline bool deliver(const uint8_t *frame, size_t len)
{
    uint8_t *copy = malloc(len);
    assert_non_null(copy);
    memcpy(copy, frame, len);
    const bool more = net_deliver(t.net, copy, len, NULL);
    net_delivered(t.net);
    free(copy);
    return more;
}

/* The second half of a receive descriptor: length, sum, status and errors. */
static inline uint64_t rx_back(uint32_t i)
{
    return get64(RX_RING + 16 * i + 8);
}
#define RX_LENGTH(back)  ((unsigned)((back)&0xFFFF))
#define RX_SUM(back)     ((unsigned)((back) >> 16 & 0xFFFF))
#define RX_STATUS(back)  ((unsigned)((back) >> 32 & 0xFF))
#define RX_ERRORS(back)  ((unsigned)((back) >> 40 & 0xFF))
#define RX_SPECIAL(back) ((unsigned)((back) >> 48))

/* The PHY's registers. */
static inline uint16_t phy_in(unsigned reg)
{
    out(MDIC, 2u << 26 | 1u << 21 | reg << 16);
    assert_int_equal(in(MDIC)&0x50000000, 0x10000000);
    return (uint16_t)in(MDIC);
}

static inline void phy_out(unsigned reg, uint16_t v)
{
    out(MDIC, 1u << 26 | 1u << 21 | reg << 16 | v);
    assert_int_equal(in(MDIC)&0x50000000, 0x10000000);
}

#endif
