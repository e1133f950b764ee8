/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ne2000_memory: the card's memory and its remote DMA; see ne2000_int.h. */
#include <string.h>

#include "hw/pc/ne2000_int.h"

/* ---- The card's memory, as both DMA channels see it ---- */

void ne2000_memory_read(const struct ne2000 *n, uint16_t at, uint8_t *buf, size_t len)
{
    while (len) {
        size_t part = 1;
        if (at < NE2000_RAM_FIRST) {
            *buf = n->prom[at % NE2000_PROM];
        } else if (at < NE2000_RAM_END) {
            part = len < NE2000_RAM_END - at ? len : NE2000_RAM_END - at;
            memcpy(buf, n->ram + (at - NE2000_RAM_FIRST), part);
        } else {
            part = len < 0x10000u - at ? len : 0x10000u - at;
            memset(buf, 0xFF, part);
        }
        at = (uint16_t)(at + part);
        buf += part;
        len -= part;
    }
}

void ne2000_memory_write(struct ne2000 *n, uint16_t at, const uint8_t *buf, size_t len)
{
    while (len) {
        size_t part;
        if (at < NE2000_RAM_FIRST) {
            part = len < NE2000_RAM_FIRST - at ? len : NE2000_RAM_FIRST - at;
        } else if (at < NE2000_RAM_END) {
            part = len < NE2000_RAM_END - at ? len : NE2000_RAM_END - at;
            memcpy(n->ram + (at - NE2000_RAM_FIRST), buf, part);
        } else {
            part = len < 0x10000u - at ? len : 0x10000u - at;
        }
        at = (uint16_t)(at + part);
        buf += part;
        len -= part;
    }
}

/* With BOS the local DMA has the first byte of a word in its upper half (10.3, DCR). */
static bool swapped(const struct ne2000 *n)
{
    return (n->regs.dcr & (DCR_WTS | DCR_BOS)) == (DCR_WTS | DCR_BOS);
}

void ne2000_local_read(struct ne2000 *n, uint16_t at, uint8_t *buf, size_t len)
{
    n->regs.clda = (uint16_t)(at + len);
    if (!swapped(n)) {
        ne2000_memory_read(n, at, buf, len);
        return;
    }
    for (size_t i = 0; i < len; i++)
        ne2000_memory_read(n, (uint16_t)(at + i) ^ 1, buf + i, 1);
}

void ne2000_local_write(struct ne2000 *n, uint16_t at, const uint8_t *buf, size_t len)
{
    n->regs.clda = (uint16_t)(at + len);
    if (!swapped(n)) {
        ne2000_memory_write(n, at, buf, len);
        return;
    }
    for (size_t i = 0; i < len; i++)
        ne2000_memory_write(n, (uint16_t)(at + i) ^ 1, buf + i, 1);
}

/* ---- Remote DMA (9.0) ---- */

unsigned ne2000_remote_unit(const struct ne2000 *n)
{
    return n->regs.dcr & DCR_WTS ? 2 : 1;
}

static void remote_done(struct ne2000 *n)
{
    struct ne2000_regs *r = &n->regs;
    r->isr |= ISR_RDC;
    if ((r->cr & CR_RD) != CR_RD_SEND)
        return;
    r->bnry = r->next_remote; /* the packet has left the ring */
    ne2000_ring_changed(n);
}

void ne2000_remote_command(struct ne2000 *n)
{
    struct ne2000_regs *r = &n->regs;
    const uint8_t command = r->cr & CR_RD;
    if (command == CR_RD_SEND) {
        uint8_t header[RING_HEADER];
        if (!(r->dcr & DCR_AR)) /* 10.3, DCR: then it is not executed */
            return;
        r->rsar = (uint16_t)(r->bnry * PAGE);
        for (unsigned i = 0; i < RING_HEADER; i++)
            ne2000_memory_read(n, (uint16_t)(r->rsar + (swapped(n) ? i ^ 1 : i)), header + i, 1);
        r->next_remote = header[1];
        r->rbcr = (uint16_t)(header[2] | header[3] << 8);
    } else if (command != CR_RD_READ && command != CR_RD_WRITE) {
        return;
    }
    if (!r->rbcr)
        remote_done(n);
}

/* The bytes up to where the address jumps: back to PSTART, or to 0. */
static unsigned remote_straight(const struct ne2000_regs *r)
{
    const unsigned stop = r->pstop * PAGE;
    return r->rsar < stop ? stop - r->rsar : 0x10000u - r->rsar;
}

static void remote_advance(struct ne2000_regs *r, unsigned bytes)
{
    r->rsar = (uint16_t)(r->rsar + bytes);
    if (r->rsar == r->pstop * PAGE)
        r->rsar = (uint16_t)(r->pstart * PAGE);
    r->rbcr = (uint16_t)(r->rbcr > bytes ? r->rbcr - bytes : 0);
}

size_t ne2000_remote_move(struct ne2000 *n, uint8_t *in, const uint8_t *out, size_t len)
{
    struct ne2000_regs *r = &n->regs;
    const unsigned unit = ne2000_remote_unit(n);
    const uint8_t command = r->cr & CR_RD;
    size_t done = 0;
    if (in ? command != CR_RD_READ && (command != CR_RD_SEND || !(r->dcr & DCR_AR))
           : command != CR_RD_WRITE)
        return 0;
    if (unit == 2)
        r->rsar &= 0xFFFE;
    while (r->rbcr && done + unit <= len) {
        size_t part = (r->rbcr + unit - 1u) & ~(unit - 1u);
        const size_t want = (len - done) & ~(size_t)(unit - 1);
        const size_t straight = remote_straight(r);
        part = part < want ? part : want;
        part = part < straight ? part : straight;
        if (in)
            ne2000_memory_read(n, r->rsar, in + done, part);
        else
            ne2000_memory_write(n, r->rsar, out + done, part);
        remote_advance(r, (unsigned)part);
        done += part;
    }
    if (done && !r->rbcr)
        remote_done(n);
    return done;
}

uint64_t ne2000_data_read(struct ne2000 *n, unsigned width)
{
    uint8_t buf[4] = {0xFF, 0xFF, 0xFF, 0xFF};
    ne2000_remote_move(n, buf, NULL, width < ne2000_remote_unit(n) ? ne2000_remote_unit(n) : width);
    return buf[0] | (uint64_t)buf[1] << 8 | (uint64_t)buf[2] << 16 | (uint64_t)buf[3] << 24;
}

void ne2000_data_write(struct ne2000 *n, unsigned width, uint64_t v)
{
    const uint8_t mask = width == 1 ? 0 : 0xFF;
    const uint8_t buf[4] = {(uint8_t)v, (uint8_t)(v >> 8) & mask, (uint8_t)(v >> 16),
                            (uint8_t)(v >> 24)};
    ne2000_remote_move(n, NULL, buf, width < ne2000_remote_unit(n) ? ne2000_remote_unit(n) : width);
}
