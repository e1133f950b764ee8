/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rtl8139_rig: the card on the rig, a back-end that records and gives frames, a driver's steps in
 * both modes. For the RTL8139's tests only. */
#ifndef TESTS_DEVICE_RTL8139_RIG_H
#define TESTS_DEVICE_RTL8139_RIG_H

#include <stdlib.h>
#include <string.h>

#include "tests/device/rig.h"

#include "hw/pc/rtl8139.h"
#include "net/net.h"

#define SLOT 3
#define IO   0xC000
#define MMIO 0xF0000000u

enum {
    IDR = IO,
    MAR = IO + 0x08,
    TSD = IO + 0x10,
    DTCCR = IO + 0x10,
    TSAD = IO + 0x20,
    TNPDS = IO + 0x20,
    THPDS = IO + 0x28,
    RBSTART = IO + 0x30,
    ERBCR = IO + 0x34,
    ERSR = IO + 0x36,
    CR = IO + 0x37,
    CAPR = IO + 0x38,
    CBR = IO + 0x3A,
    IMR = IO + 0x3C,
    ISR = IO + 0x3E,
    TCR = IO + 0x40,
    RCR = IO + 0x44,
    TCTR = IO + 0x48,
    MPC = IO + 0x4C,
    EECR = IO + 0x50,
    CONFIG0 = IO + 0x51,
    CONFIG1 = IO + 0x52,
    TIMER_INT = IO + 0x54,
    MSR = IO + 0x58,
    CONFIG3 = IO + 0x59,
    CONFIG4 = IO + 0x5A,
    MULINT = IO + 0x5C,
    RERID = IO + 0x5E,
    TSADS = IO + 0x60,
    BMCR = IO + 0x62,
    BMSR = IO + 0x64,
    ANAR = IO + 0x66,
    ANLPAR = IO + 0x68,
    ANER = IO + 0x6A,
    CONFIG5 = IO + 0xD8,
    TPPOLL = IO + 0xD9,
    CPCR = IO + 0xE0,
    RDSAR = IO + 0xE4,
    ETTHR = IO + 0xEC,
};

#define RST      0x10
#define RE       0x08
#define TE       0x04
#define BUFE     0x01
#define SERR     0x8000
#define TIMEOUT  0x4000
#define SWINT    0x0100
#define TDU      0x0080
#define LINK     0x0020
#define RXOVW    0x0010
#define TER      0x0008
#define TOK      0x0004
#define ROK      0x0001
#define AAP      1u
#define APM      2u
#define AM       4u
#define AB       8u
#define WRAP     0x80u
#define TSD_OWN  0x2000u
#define TSD_TOK  0x8000u
#define TSD_TABT 0x40000000u
#define LOOPBACK 0x60000u

/* Guest memory */
#define TX_RING 0x10000u /* C+ */
#define HI_RING 0x10800u
#define RX_RING 0x11000u
#define TX_DATA 0x20000u
#define RX_DATA 0x40000u /* C mode: the ring; C+: buffers of 2 KiB */

#define KEPT_FRAMES 128
#define KEPT_BYTES  2048

struct rtl8139_rig {
    struct rig *rig;
    struct net *net;
    struct device *device;
    unsigned sent;           /* frames from the card */
    size_t len[KEPT_FRAMES]; /* of the first ones */
    uint8_t frame[KEPT_FRAMES][KEPT_BYTES];
    bool full; /* the back-end takes nothing */
    bool reading;
    uint32_t read; /* C mode: where the driver is in the ring */
    bool cplus;
};

static const uint8_t own_mac[NET_MAC_LEN] = {0x00, 0x16, 0x3E, 0x12, 0x34, 0x56};
static const uint8_t broadcast_mac[NET_MAC_LEN] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
static const uint8_t group_mac[NET_MAC_LEN] = {0x01, 0x00, 0x5E, 0x00, 0x00, 0x01};
static const uint8_t other_mac[NET_MAC_LEN] = {0x02, 0, 0, 0, 0, 0x99};

static enum net_sent backend_send(void *opaque, const uint8_t *frame, size_t len,
                                  const struct net_offload *offload)
{
    struct rtl8139_rig *t = opaque;
    assert_null(offload);
    if (t->full)
        return NET_FULL;
    if (t->sent < KEPT_FRAMES) {
        t->len[t->sent] = len;
        memcpy(t->frame[t->sent], frame, len < KEPT_BYTES ? len : KEPT_BYTES);
    }
    t->sent++;
    return NET_SENT;
}

static void backend_read(void *opaque, bool on, bool fresh)
{
    struct rtl8139_rig *t = opaque;
    (void)fresh;
    t->reading = on;
}

static const struct net_backend backend = {
    .type = "test", .send = backend_send, .read = backend_read};

static inline void settle(struct rtl8139_rig *t)
{
    net_run(t->net, 100);
}

/* The card placed, on, a bus master, with a cable; an RTL8139C+ or an RTL8139C. */
static inline struct rtl8139_rig *rtl8139_rig_new_chip(bool cplus, bool cable)
{
    struct rtl8139_rig *t = calloc(1, sizeof(*t));
    struct nic_config config = {.devfn = PCI_DEVFN(SLOT, 0), .instance = "0"};
    struct err err;
    assert_non_null(t);
    memcpy(config.mac, own_mac, sizeof(config.mac));
    t->cplus = cplus;
    t->rig = rig_new();
    t->net = net_new(NULL, "n");
    assert_non_null(t->net);
    net_attach_backend(t->net, &backend, t);
    t->device = (struct device *)(cplus ? rtl8139_realize : rtl8139c_realize)(
        t->rig->pci, t->rig->dma, &t->rig->clock, &t->rig->devices, &config, cable ? t->net : NULL,
        &err);
    assert_non_null(t->device);
    devices_reset(&t->rig->devices);
    rig_pci_write(t->rig, SLOT, 0, 0x10, 4, IO);
    rig_pci_write(t->rig, SLOT, 0, 0x14, 4, MMIO);
    rig_pci_write(t->rig, SLOT, 0, 0x04, 2, 0x0007);
    settle(t);
    return t;
}

static inline struct rtl8139_rig *rtl8139_rig_new(bool cable)
{
    return rtl8139_rig_new_chip(true, cable);
}

static inline void rtl8139_rig_free(struct rtl8139_rig *t)
{
    rig_free(t->rig);
    net_free(t->net);
    free(t);
}

/* Stopped, saved and gone on with; `to_another`: by another machine with the same memory. */
static inline struct rtl8139_rig *rtl8139_rig_move(struct rtl8139_rig *t, bool to_another)
{
    struct err err;
    uint8_t *stream;
    size_t len;
    net_quiesce(t->net);
    devices_quiesce(&t->rig->devices);
    assert_true(devices_save(&t->rig->devices, &stream, &len, &err));
    if (to_another) {
        struct rtl8139_rig *old = t;
        t = rtl8139_rig_new_chip(old->cplus, true);
        memcpy(t->rig->hv->ram, old->rig->hv->ram, RIG_RAM);
        t->read = old->read;
        rtl8139_rig_free(old);
        net_quiesce(t->net);
        devices_quiesce(&t->rig->devices);
        assert_true(devices_load(&t->rig->devices, stream, len, &err));
    }
    free(stream);
    devices_resume(&t->rig->devices);
    net_resume(t->net);
    settle(t);
    return t;
}

static inline uint8_t *ram(struct rtl8139_rig *t, uint32_t at)
{
    return t->rig->hv->ram + at;
}

static inline uint32_t get32(struct rtl8139_rig *t, uint32_t at)
{
    return pci_get32(ram(t, at));
}

static inline void put32(struct rtl8139_rig *t, uint32_t at, uint32_t v)
{
    pci_set32(ram(t, at), v);
}

static inline bool irq_level(struct rtl8139_rig *t)
{
    return t->rig->hv->intx[SLOT][0];
}

static inline uint16_t isr(struct rtl8139_rig *t)
{
    return rig_inw(t->rig, ISR);
}

/* A frame of `len` bytes whose contents follow from `seed`. */
static inline void make_frame(uint8_t *frame, const uint8_t *to, size_t len, unsigned seed)
{
    for (size_t i = 0; i < len; i++)
        frame[i] = (uint8_t)(i * 7 + seed);
    memcpy(frame, to, 6);
    if (len >= 14) {
        memcpy(frame + 6, other_mac, 6);
        frame[12] = 0x88;
        frame[13] = 0xB5;
    }
}

/* This frame comes over the wire. False: no more for now. */
static inline bool deliver_frame(struct rtl8139_rig *t, const uint8_t *frame, size_t len)
{
    static uint8_t copy[NET_MAX_FRAME];
    memcpy(copy, frame, len);
    const bool more = net_deliver(t->net, copy, len, NULL);
    net_delivered(t->net);
    return more;
}

/* One of make_frame's. */
static inline bool deliver(struct rtl8139_rig *t, const uint8_t *to, size_t len, unsigned seed)
{
    static uint8_t frame[NET_MAX_FRAME];
    make_frame(frame, to, len, seed);
    return deliver_frame(t, frame, len);
}

/* ---- C mode ---- */

static inline void start(struct rtl8139_rig *t, uint32_t rcr)
{
    rig_outb(t->rig, CR, RST);
    rig_outb(t->rig, CR, RE | TE);
    rig_outl(t->rig, RCR, rcr);
    rig_outl(t->rig, TCR, 0x0600);
    rig_outl(t->rig, RBSTART, RX_DATA);
    rig_outw(t->rig, IMR, 0xFFFF);
    t->read = 0;
    settle(t);
}

static inline void write_tsd(struct rtl8139_rig *t, unsigned n, size_t len, unsigned seed)
{
    const uint32_t at = TX_DATA + n * 0x2000;
    make_frame(ram(t, at), other_mac, len, seed);
    rig_outl(t->rig, (uint16_t)(TSAD + 4 * n), at);
    rig_outl(t->rig, (uint16_t)(TSD + 4 * n), (uint32_t)len);
}

static inline uint32_t tsd(struct rtl8139_rig *t, unsigned n)
{
    return rig_inl(t->rig, (uint16_t)(TSD + 4 * n));
}

/* As 8139too polls: the packet at its place, checked, and past it. Returns its length. */
static inline size_t take_packet(struct rtl8139_rig *t, const uint8_t *to, size_t len,
                                 unsigned seed, uint16_t status)
{
    static uint8_t want[NET_MAX_FRAME];
    const uint32_t ring = 8192u << (rig_inl(t->rig, RCR) >> 11 & 3);
    const bool wraps = !(rig_inl(t->rig, RCR) & WRAP) || ring == 65536;
    static uint8_t got[NET_MAX_FRAME];
    assert_int_equal(rig_inb(t->rig, CR) & BUFE, 0);
    const uint32_t header = get32(t, RX_DATA + t->read % ring);
    const size_t size = header >> 16;
    assert_int_equal(header & 0xFFFF, status);
    assert_int_equal(size, (len < 60 ? 60 : len) + 4);
    for (size_t i = 0; i < size; i++) {
        const uint32_t at = t->read % ring + 4 + (uint32_t)i;
        got[i] = *ram(t, RX_DATA + (wraps ? at % ring : at));
    }
    memset(want, 0, sizeof(want));
    make_frame(want, to, len, seed);
    assert_memory_equal(got, want, size - 4);
    assert_int_equal(pci_get32(got + size - 4), nic_fcs(want, size - 4));
    t->read = (t->read + (uint32_t)size + 4 + 3) & ~3u;
    rig_outw(t->rig, CAPR, (uint16_t)(t->read - 16));
    settle(t);
    return size;
}

/* ---- One card for each test ---- */

static struct rtl8139_rig *t;

static inline int setup(void **state)
{
    (void)state;
    t = rtl8139_rig_new(true);
    return 0;
}

static inline int setup_rtl8139c(void **state)
{
    (void)state;
    t = rtl8139_rig_new_chip(false, true);
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    rtl8139_rig_free(t);
    return 0;
}

#endif
