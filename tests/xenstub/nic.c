/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nic: see nic.h. */
#include "nic.h"

#include <string.h>
#include <unistd.h>

#define WAIT_TRIES 20000 /* of half a millisecond */

/* --- e1000 --- */

#define REGS    UINT64_C(0xF2000000)
#define RX_RING NIC_MEMORY
#define TX_RING (NIC_MEMORY + 0x1000)
#define RAL     0x5400
#define BUFFERS UINT64_C(0x200000) /* 2048 bytes each; those to send from 256 on */

uint32_t e1000_reg(struct nic *n, unsigned offset)
{
    return (uint32_t)vcpu_read(n->x, 0, REGS + offset, 4);
}

void e1000_set_reg(struct nic *n, unsigned offset, uint32_t value)
{
    vcpu_write(n->x, 0, REGS + offset, 4, value);
}

void e1000_drive(struct nic *n, unsigned buffers)
{
    guest_fill(n->x, RX_RING, 0, 2 * 4096);
    for (unsigned i = 0; i < E1000_RING; i++) {
        uint64_t at = BUFFERS + i * 2048;
        guest_write(n->x, RX_RING + i * 16, &at, 8);
    }
    vcpu_pci_write(n->x, 0, n->devfn, 0x10, 4, (uint32_t)REGS);
    vcpu_pci_write(n->x, 0, n->devfn, 4, 2, 6);
    e1000_set_reg(n, E1000_CTRL, e1000_reg(n, E1000_CTRL) | 0x40); /* SLU */
    e1000_set_reg(n, E1000_RDBAL, (uint32_t)RX_RING);
    e1000_set_reg(n, E1000_RDBAL + 4, 0);
    e1000_set_reg(n, E1000_RDLEN, E1000_RING * 16);
    e1000_set_reg(n, E1000_RDH, 0);
    e1000_set_reg(n, E1000_RDT, buffers);
    e1000_set_reg(n, E1000_TDBAL, (uint32_t)TX_RING);
    e1000_set_reg(n, E1000_TDBAL + 4, 0);
    e1000_set_reg(n, E1000_TDLEN, E1000_RING * 16);
    e1000_set_reg(n, E1000_TDH, 0);
    e1000_set_reg(n, E1000_TDT, 0);
    e1000_reg(n, E1000_ICR);
    e1000_set_reg(n, E1000_IMS, 0x80 | 0x10 | 0x01);               /* RXT0, RXDMT0, TXDW */
    e1000_set_reg(n, E1000_TCTL, 0x02 | 0x08);                     /* EN, PSP */
    e1000_set_reg(n, E1000_RCTL, 0x02 | 0x08 | 0x8000 | 1u << 26); /* EN, UPE, BAM, SECRC */
    n->rx_next = n->tx_next = 0;
    n->rx_tail = buffers;
}

static bool done(struct xenstub *x, uint64_t descriptor)
{
    uint8_t d[16];
    guest_read(x, descriptor, d, sizeof(d));
    return d[12] & 1;
}

bool e1000_rx_done(struct xenstub *x, uint64_t index)
{
    return done(x, RX_RING + index * 16);
}

bool e1000_tx_done(struct xenstub *x, uint64_t index)
{
    return done(x, TX_RING + index * 16);
}

unsigned e1000_take(struct nic *n, uint8_t *frame)
{
    uint8_t d[16];
    guest_read(n->x, RX_RING + n->rx_next * 16, d, sizeof(d));
    unsigned len = d[8] | (unsigned)d[9] << 8;
    len = len < NIC_MAX_FRAME ? len : NIC_MAX_FRAME;
    guest_read(n->x, BUFFERS + n->rx_next * 2048, frame, len);
    n->rx_next = (n->rx_next + 1) % E1000_RING;
    return len;
}

void e1000_give_back(struct nic *n, unsigned buffers)
{
    while (buffers--) {
        guest_fill(n->x, RX_RING + n->rx_tail * 16 + 8, 0, 8);
        n->rx_tail = (n->rx_tail + 1) % E1000_RING;
    }
    e1000_set_reg(n, E1000_RDT, n->rx_tail);
}

void e1000_queue(struct nic *n, const uint8_t *frame, unsigned len)
{
    uint64_t at = BUFFERS + (256 + n->tx_next) * 2048;
    uint8_t d[16] = {0};
    guest_write(n->x, at, frame, len);
    memcpy(d, &at, 8);
    d[8] = (uint8_t)len;
    d[9] = (uint8_t)(len >> 8);
    d[11] = 0x01 | 0x02 | 0x08; /* EOP, IFCS, RS */
    guest_write(n->x, TX_RING + n->tx_next * 16, d, sizeof(d));
    n->tx_next = (n->tx_next + 1) % E1000_RING;
}

void e1000_ring_bell(struct nic *n)
{
    e1000_set_reg(n, E1000_TDT, n->tx_next);
}

void e1000_transmit(struct nic *n, const uint8_t *frame, unsigned len)
{
    e1000_queue(n, frame, len);
    e1000_ring_bell(n);
}

static bool e1000_start(struct nic *n)
{
    if (vcpu_pci_read(n->x, 0, n->devfn, 0, 4) != 0x100E8086)
        return false;
    vcpu_pci_write(n->x, 0, n->devfn, 0x10, 4, (uint32_t)REGS);
    vcpu_pci_write(n->x, 0, n->devfn, 4, 2, 6);
    e1000_set_reg(n, E1000_CTRL, 1u << 26); /* RST */
    const uint32_t mac[2] = {e1000_reg(n, RAL), e1000_reg(n, RAL + 4)};
    memcpy(n->mac, mac, sizeof(n->mac));
    e1000_drive(n, E1000_RING - 1);
    return true;
}

static bool e1000_send(struct nic *n, const uint8_t *frame, size_t len)
{
    const unsigned index = n->tx_next;
    e1000_transmit(n, frame, (unsigned)len);
    for (unsigned tries = 0; !e1000_tx_done(n->x, index); tries++) {
        if (tries == WAIT_TRIES)
            return false;
        usleep(500);
    }
    return true;
}

static size_t e1000_receive(struct nic *n, uint8_t *frame)
{
    if (!e1000_rx_done(n->x, n->rx_next))
        return 0;
    size_t len = e1000_take(n, frame);
    e1000_give_back(n, 1);
    return len;
}

const struct nic_model nic_e1000 = {
    .device = "e1000",
    .start = e1000_start,
    .send = e1000_send,
    .receive = e1000_receive,
};

/* --- RTL8139 --- */

#define IO       0xC100 /* BAR 0 */
#define TSD0     0x10
#define TSAD0    0x20
#define RBSTRT   0x30
#define CR       0x37
#define CAPR     0x38
#define RCR      0x44
#define BUFE     0x01
#define TE       0x04
#define RE       0x08
#define RST      0x10
#define TOK      0x8000
#define RING     UINT64_C(0x200000) /* 8 KiB */
#define TX_FRAME UINT64_C(0x300000)

static void out(struct nic *n, unsigned reg, unsigned size, uint32_t value)
{
    vcpu_out(n->x, 0, (uint16_t)(IO + reg), size, value);
}

static uint32_t in(struct nic *n, unsigned reg, unsigned size)
{
    return vcpu_in(n->x, 0, (uint16_t)(IO + reg), size);
}

static bool rtl8139_start(struct nic *n)
{
    if (vcpu_pci_read(n->x, 0, n->devfn, 0, 4) != 0x813910EC)
        return false;
    vcpu_pci_write(n->x, 0, n->devfn, 0x10, 4, IO);
    vcpu_pci_write(n->x, 0, n->devfn, 4, 2, 5);
    out(n, CR, 1, RST);
    for (unsigned i = 0; in(n, CR, 1) & RST; i++)
        if (i == 1000)
            return false;
    for (unsigned i = 0; i < 6; i++)
        n->mac[i] = (uint8_t)in(n, i, 1);
    out(n, RBSTRT, 4, (uint32_t)RING);
    out(n, CR, 1, RE | TE);
    out(n, RCR, 4, 0x0A); /* our address and broadcasts; a ring of 8 KiB */
    n->rx_next = n->tx_next = 0;
    return true;
}

static bool rtl8139_send(struct nic *n, const uint8_t *frame, size_t len)
{
    const unsigned i = n->tx_next++ % 4;
    guest_write(n->x, TX_FRAME, frame, len);
    out(n, TSAD0 + 4 * i, 4, (uint32_t)TX_FRAME);
    out(n, TSD0 + 4 * i, 4, (uint32_t)len);
    for (unsigned tries = 0; !(in(n, TSD0 + 4 * i, 4) & TOK); tries++) {
        if (tries == WAIT_TRIES)
            return false;
        usleep(500);
    }
    return true;
}

static size_t rtl8139_receive(struct nic *n, uint8_t *frame)
{
    uint8_t ring[8192], header[4];
    if (in(n, CR, 1) & BUFE)
        return 0;
    guest_read(n->x, RING, ring, sizeof(ring));
    for (unsigned i = 0; i < 4; i++)
        header[i] = ring[(n->rx_next + i) % 8192];
    size_t len = (size_t)header[2] | (size_t)header[3] << 8;
    if (!(header[0] & 1) || len < 64 || len > 1518)
        return NIC_MAX_FRAME; /* no frame is that long */
    for (size_t i = 0; i < len - 4; i++)
        frame[i] = ring[(n->rx_next + 4 + i) % 8192];
    n->rx_next = (unsigned)((n->rx_next + 4 + len + 3) & ~3u) % 8192;
    out(n, CAPR, 2, (n->rx_next - 16) & 0xFFFF);
    return len - 4;
}

const struct nic_model nic_rtl8139 = {
    .device = "rtl8139",
    .start = rtl8139_start,
    .send = rtl8139_send,
    .receive = rtl8139_receive,
};
