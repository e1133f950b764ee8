/* SPDX-License-Identifier: GPL-2.0-or-later */
/* e1000: registers, interrupt, time and life (see e1000.h). Sections are those of the SDM. */
#include "hw/pc/e1000_int.h"

#include <stdlib.h>
#include <string.h>

#include "hw/core/log.h"

#define MMIO_SIZE       0x20000
#define IO_SIZE         64
#define STATS_AT        0x4000
#define PACKET_AT       0x10000
#define MAP_SIZE        (sizeof(((struct e1000 *)0)->at) * 4)
#define ITR_NS          256
#define DELAY_NS        1024        /* of RDTR, RADV, TIDV, TADV */
#define FLUSH           0x80000000u /* RDTR.FPD, TIDV.FPD */
#define CTRL_EXT_EE_RST 0x00002000u
#define PACKET_KIB      64
#define WUC_PME_STATUS  0x00000004u

#define ALL  0xFFFFFFFFu
#define HALF 0x0000FFFFu

/* Where a register is (twice: the second address is the 82542's, 13.3), what of it can be written,
 * what it is after a reset, which other bits the chip sets. */
static const struct definition {
    uint16_t at, alias;
    uint32_t writable, reset, own;
} definitions[E1000_NOWHERE] = {
    [E1000_CTRL] = {0x0000, 0x0004, 0x7BFFFFFF, 0x00140240, 0},
    [E1000_STATUS] = {0x0008, 0, 0, 0, 0},
    [E1000_EECD] = {0x0010, 0, 0x77, 0x10, 0},
    [E1000_EERD] = {0x0014, 0, 0xFF00, 0, 0xFFFF0010},
    [E1000_CTRL_EXT] = {0x0018, 0, 0x00C29FF0, 0, 0},
    [E1000_FLA] = {0x001C, 0, 0, 0, 0},
    [E1000_MDIC] = {0x0020, 0, 0x2FFFFFFF, 0x10000000, 0x50000000},
    [E1000_FCAL] = {0x0028, 0, ALL, 0, 0},
    [E1000_FCAH] = {0x002C, 0, HALF, 0, 0},
    [E1000_FCT] = {0x0030, 0, HALF, 0, 0},
    [E1000_VET] = {0x0038, 0, HALF, 0x8100, 0},
    [E1000_ICR] = {0x00C0, 0, 0, 0, ICR_ALL},
    [E1000_ITR] = {0x00C4, 0, HALF, 0, 0},
    [E1000_ICS] = {0x00C8, 0, 0, 0, 0},
    [E1000_IMS] = {0x00D0, 0, 0, 0, ICR_ALL},
    [E1000_IMC] = {0x00D8, 0, 0, 0, 0},
    [E1000_RCTL] = {0x0100, 0, 0x06DFB3FE, 0, 0},
    [E1000_FCTTV] = {0x0170, 0, HALF, 0, 0},
    [E1000_TXCW] = {0x0178, 0, 0xC000FFFF, 0, 0},
    [E1000_TCTL] = {0x0400, 0, 0x037FFFFA, 0, 0},
    [E1000_TIPG] = {0x0410, 0, 0x3FFFFFFF, 0, 0},
    [E1000_AIFS] = {0x0458, 0, HALF, 0, 0},
    [E1000_LEDCTL] = {0x0E00, 0, 0xCFCFCFCF, 0x07068302, 0},
    [E1000_PBA] = {0x1000, 0, 0x0000003F, 0x00100030, 0x003F0000},
    [E1000_FCRTL] = {0x2160, 0x0168, 0x8000FFF8, 0, 0},
    [E1000_FCRTH] = {0x2168, 0x0160, 0x8000FFF8, 0, 0},
    [E1000_RDFH] = {0x2410, 0, 0x1FFF, 0, 0},
    [E1000_RDFT] = {0x2418, 0, 0x1FFF, 0, 0},
    [E1000_RDFHS] = {0x2420, 0, 0x1FFF, 0, 0},
    [E1000_RDFTS] = {0x2428, 0, 0x1FFF, 0, 0},
    [E1000_RDFPC] = {0x2430, 0, 0x1FFF, 0, 0},
    [E1000_RDBAL] = {0x2800, 0x0110, 0xFFFFFFF0, 0, 0},
    [E1000_RDBAH] = {0x2804, 0x0114, ALL, 0, 0},
    [E1000_RDLEN] = {0x2808, 0x0118, 0x000FFF80, 0, 0},
    [E1000_RDH] = {0x2810, 0x0120, HALF, 0, 0},
    [E1000_RDT] = {0x2818, 0x0128, HALF, 0, 0},
    [E1000_RDTR] = {0x2820, 0x0108, HALF, 0, 0},
    [E1000_RXDCTL] = {0x2828, 0, 0x013F3F3F, 0x00010000, 0},
    [E1000_RADV] = {0x282C, 0, HALF, 0, 0},
    [E1000_RSRPD] = {0x2C00, 0, 0x0FFF, 0, 0},
    [E1000_TXDMAC] = {0x3000, 0, 1, 1, 0},
    [E1000_TDFH] = {0x3410, 0, 0x1FFF, 0, 0},
    [E1000_TDFT] = {0x3418, 0, 0x1FFF, 0, 0},
    [E1000_TDFHS] = {0x3420, 0, 0x1FFF, 0, 0},
    [E1000_TDFTS] = {0x3428, 0, 0x1FFF, 0, 0},
    [E1000_TDFPC] = {0x3430, 0, 0x1FFF, 0, 0},
    [E1000_TDBAL] = {0x3800, 0x0420, 0xFFFFFFF0, 0, 0},
    [E1000_TDBAH] = {0x3804, 0x0424, ALL, 0, 0},
    [E1000_TDLEN] = {0x3808, 0x0428, 0x000FFF80, 0, 0},
    [E1000_TDH] = {0x3810, 0x0430, HALF, 0, 0},
    [E1000_TDT] = {0x3818, 0x0438, HALF, 0, 0},
    [E1000_TIDV] = {0x3820, 0x0440, HALF, 0, 0},
    [E1000_TXDCTL] = {0x3828, 0, 0xFF3F3F3F, 0, 0},
    [E1000_TADV] = {0x382C, 0, HALF, 0, 0},
    [E1000_TSPMT] = {0x3830, 0, ALL, 0x01000400, 0},
    [E1000_RXCSUM] = {0x5000, 0, 0x07FF, 0, 0},
    [E1000_WUC] = {0x5800, 0, 0x0F, 0, 0},
    [E1000_WUFC] = {0x5808, 0, 0x000F80FF, 0, 0},
    [E1000_WUS] = {0x5810, 0, 0x000F00FF, 0, 0},
    [E1000_MANC] = {0x5820, 0, ALL, 0, 0},
    [E1000_IPAV] = {0x5838, 0, 0x0001000F, 0, 0},
    [E1000_WUPL] = {0x5900, 0, 0x0FFF, 0, 0},
};

/* Tables of registers: which bits of words at even and odd places are there. */
#define AREA(at_, member_, even_, odd_)                                            \
    {                                                                              \
        .at = (at_), .bytes = sizeof(((struct e1000 *)0)->member_),                \
        .offset = offsetof(struct e1000, member_), .even = (even_), .odd = (odd_), \
    }
static const struct area {
    uint32_t at, bytes;
    size_t offset;
    uint32_t even, odd;
} areas[] = {
    AREA(0x5200, mta, ALL, ALL),       AREA(0x0200, mta, ALL, ALL),
    AREA(0x5400, ra, ALL, 0x8003FFFF), AREA(0x0040, ra, ALL, 0x8003FFFF),
    AREA(0x5600, vfta, ALL, ALL),      AREA(0x0600, vfta, ALL, ALL),
    AREA(0x5840, ip4at, ALL, 0),       AREA(0x5880, ip6at, ALL, ALL),
    AREA(0x5A00, wupm, ALL, ALL),      AREA(0x5F00, fflt, 0x07FF, 0),
    AREA(0x9000, ffmt, 0x000F, 0),     AREA(0x9800, ffvt, ALL, 0),
    AREA(PACKET_AT, packet, ALL, ALL),
};
#define AREAS (sizeof(areas) / sizeof(areas[0]))

static const struct state_field context_state[] = {
    STATE_UINT(struct e1000_context, ipcss),  STATE_UINT(struct e1000_context, ipcso),
    STATE_UINT(struct e1000_context, tucss),  STATE_UINT(struct e1000_context, tucso),
    STATE_UINT(struct e1000_context, hdrlen), STATE_UINT(struct e1000_context, command),
    STATE_UINT(struct e1000_context, ipcse),  STATE_UINT(struct e1000_context, tucse),
    STATE_UINT(struct e1000_context, mss),    STATE_FIELDS_END,
};

static const struct state_field fields[] = {
    STATE_PCI(struct e1000),
    STATE_ARRAY(struct e1000, reg),
    STATE_ARRAY(struct e1000, stat),
    STATE_ARRAY(struct e1000, ra),
    STATE_ARRAY(struct e1000, mta),
    STATE_ARRAY(struct e1000, vfta),
    STATE_ARRAY(struct e1000, ip4at),
    STATE_ARRAY(struct e1000, ip6at),
    STATE_ARRAY(struct e1000, wupm),
    STATE_ARRAY(struct e1000, fflt),
    STATE_ARRAY(struct e1000, ffmt),
    STATE_ARRAY(struct e1000, ffvt),
    STATE_ARRAY(struct e1000, packet),
    STATE_UINT(struct e1000, io_address),
    STATE_BOOL(struct e1000, rx_waits),
    STATE_BOOL(struct e1000, tx_waits),
    STATE_BOOL(struct e1000, tx_skip),
    STATE_BOOL(struct e1000, link),
    STATE_BOOL(struct e1000, link_lost),
    STATE_BOOL(struct e1000, negotiating),
    STATE_STRUCTS(struct e1000, context, context_state),
    STATE_ARRAY(struct e1000, phy),
    STATE_STRUCT(struct e1000, eeprom, e1000_eeprom_state),
    STATE_FIELDS_END,
};

/* ---- Time ---- */

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* One that is armed too early, though something is due, stays: it then arms itself anew. */
void e1000_update_timer(struct e1000 *e)
{
    uint64_t due = earlier(earlier(e->rx_due, e->rx_limit), earlier(e->tx_due, e->tx_limit));
    due = earlier(earlier(due, e->turn_due), earlier(e->irq_due, e->link_due));
    if (due == CLOCK_NEVER)
        timer_disarm(&e->timer);
    else if (!timer_armed(&e->timer) || e->timer.deadline > due)
        timer_arm(&e->timer, due);
}

/* What was due at these times is not any more. */
static void forget(struct e1000 *e, uint64_t *due, uint64_t *last)
{
    if (*due == CLOCK_NEVER && *last == CLOCK_NEVER)
        return;
    *due = *last = CLOCK_NEVER;
    e1000_update_timer(e);
}

/* ---- Interrupt (13.4.17 to 13.4.21) ---- */

void e1000_update_irq(struct e1000 *e)
{
    if (!(e->reg[E1000_ICR] & e->reg[E1000_IMS])) {
        forget(e, &e->irq_due, &e->irq_due);
        pci_set_intx(&e->pci, false);
        return;
    }
    if (e->pci.intx.level)
        return;
    if (e->reg[E1000_ITR]) {
        const uint64_t next = e->irq_last + (uint64_t)e->reg[E1000_ITR] * ITR_NS;
        const uint64_t now = clock_now(e->clock);
        if (now < next) {
            e->irq_due = next;
            e1000_update_timer(e);
            return;
        }
        e->irq_last = now;
    }
    forget(e, &e->irq_due, &e->irq_due);
    pci_set_intx(&e->pci, true);
}

/* ---- Delays (13.4.30, 13.4.31, 13.4.43, 13.4.46) ---- */

static void end_rx_delay(struct e1000 *e)
{
    if (e->rx_waits)
        e1000_cause(e, ICR_RXT0);
    e->rx_waits = false;
    forget(e, &e->rx_due, &e->rx_limit);
}

static void end_tx_delay(struct e1000 *e)
{
    if (e->tx_waits)
        e1000_cause(e, ICR_TXDW);
    e->tx_waits = false;
    forget(e, &e->tx_due, &e->tx_limit);
}

/* The delay starts anew with each event, the limit with the first (13.4.30, 13.4.44). */
static void delay(struct e1000 *e, uint32_t ticks, uint32_t limit, uint64_t *due, uint64_t *last)
{
    const uint64_t now = clock_now(e->clock);
    *due = now + (uint64_t)ticks * DELAY_NS;
    if (limit && *last == CLOCK_NEVER)
        *last = now + (uint64_t)limit * DELAY_NS;
    e1000_update_timer(e);
}

void e1000_frames_in(struct e1000 *e)
{
    e->rx_waits = true;
    if (e->reg[E1000_RDTR])
        delay(e, e->reg[E1000_RDTR], e->reg[E1000_RADV], &e->rx_due, &e->rx_limit);
    else
        end_rx_delay(e);
}

void e1000_frames_out(struct e1000 *e, bool delayed)
{
    e->tx_waits = true;
    if (delayed && e->reg[E1000_TIDV])
        delay(e, e->reg[E1000_TIDV], e->reg[E1000_TADV], &e->tx_due, &e->tx_limit);
    else
        end_tx_delay(e);
}

static void time_is_up(void *opaque)
{
    struct e1000 *e = opaque;
    const uint64_t now = clock_now(e->clock);
    if (e->link_due <= now)
        e1000_phy_negotiated(e);
    if (e->turn_due <= now)
        e->turn_due = e1000_transmit(e) ? now : CLOCK_NEVER;
    if (e->rx_due <= now || e->rx_limit <= now)
        end_rx_delay(e);
    if (e->tx_due <= now || e->tx_limit <= now)
        end_tx_delay(e);
    e1000_update_irq(e);
    e1000_update_timer(e);
}

/* ---- Rings (3.2.6, 3.4) ---- */

bool e1000_window_open(struct e1000 *e, struct e1000_window *w, uint64_t base, uint32_t ring,
                       uint32_t first, uint32_t count)
{
    const uint32_t before = ring - first < count ? ring - first : count;
    w->ring = ring;
    w->first = first;
    w->count = count;
    w->open = true;
    dma_sg_init(&w->sg, e->dma, true);
    dma_sg_add(&w->sg, base + (uint64_t)first * E1000_DESCRIPTOR,
               (size_t)before * E1000_DESCRIPTOR);
    if (count > before)
        dma_sg_add(&w->sg, base, (size_t)(count - before) * E1000_DESCRIPTOR);
    if (!w->sg.bad && w->sg.bytes == (size_t)count * E1000_DESCRIPTOR)
        return true;
    e1000_window_close(w, 0);
    return false;
}

uint8_t *e1000_window_at(const struct e1000_window *w, uint32_t i)
{
    size_t at = (size_t)i * E1000_DESCRIPTOR;
    const struct iovec *v = w->sg.iov;
    while (at >= v->iov_len)
        at -= v++->iov_len;
    return (uint8_t *)v->iov_base + at;
}

void e1000_window_close(struct e1000_window *w, uint32_t used)
{
    dma_sg_finish(&w->sg, (size_t)used * E1000_DESCRIPTOR);
    w->open = false;
}

/* ---- Link ---- */

bool e1000_loopback(const struct e1000 *e)
{
    return (e->reg[E1000_RCTL] & RCTL_LBM) || e1000_phy_loopback(e);
}

void e1000_update_receiving(struct e1000 *e)
{
    if (e->net)
        net_receiving(e->net, (e->reg[E1000_RCTL] & RCTL_EN) && e->link && e1000_masters(e) &&
                                  !e1000_loopback(e));
}

void e1000_update_link(struct e1000 *e)
{
    const bool link = (e->reg[E1000_CTRL] & CTRL_SLU) && e1000_phy_link(e);
    if (link != e->link)
        e1000_cause(e, ICR_LSC);
    e->link = link;
    e1000_update_receiving(e);
}

/* 13.4.2 */
static uint32_t status(const struct e1000 *e)
{
    const uint32_t ctrl = e->reg[E1000_CTRL];
    bool full;
    const uint32_t sensed = e1000_phy_speed(e, &full);
    const uint32_t speed = ctrl & CTRL_FRCSPD ? (ctrl & CTRL_SPEED) >> 8 : sensed;
    if (ctrl & CTRL_FRCDPLX)
        full = ctrl & CTRL_FD;
    return (full ? 1u : 0) | (e->link ? 2u : 0) | speed << 6 | sensed << 8;
}

/* The transmitter gets a turn, behind the guest's access; or gets none any more. */
static void kick(struct e1000 *e)
{
    if (!e1000_masters(e) || !(e->reg[E1000_TCTL] & TCTL_EN) ||
        e->reg[E1000_TDH] == e->reg[E1000_TDT])
        return;
    if (e->net) {
        net_kick(e->net);
        return;
    }
    e->turn_due = clock_now(e->clock);
    e1000_update_timer(e);
}

static void unkick(struct e1000 *e)
{
    e->turn_due = CLOCK_NEVER;
    if (e->net)
        net_unkick(e->net);
}

/* ---- Reset ---- */

/* What is read from the EEPROM by itself (5.6.1). */
static void load_address(struct e1000 *e)
{
    const uint16_t *mac = e->eeprom.word;
    e->ra[0] = mac[0] | (uint32_t)mac[1] << 16;
    e->ra[1] = mac[2] | 0x80000000u; /* valid */
}

/* CTRL.RST: all but PCI configuration, PHY and EEPROM. */
static void reset_registers(struct e1000 *e)
{
    if (e->rx.open)
        e1000_window_close(&e->rx, 0);
    e->rx_used = 0;
    for (unsigned i = 0; i < E1000_REGS; i++)
        e->reg[i] = definitions[i].reset;
    memset(e->stat, 0, sizeof(e->stat));
    for (size_t i = 0; i < AREAS; i++)
        if (areas[i].at != PACKET_AT)
            memset((uint8_t *)e + areas[i].offset, 0, areas[i].bytes);
    memset(e->context, 0, sizeof(e->context));
    load_address(e);
    e->rx_waits = e->tx_waits = e->tx_skip = false;
    e->rx_due = e->rx_limit = e->tx_due = e->tx_limit = e->irq_due = CLOCK_NEVER;
    e->irq_last = 0;
    unkick(e);
    e1000_update_timer(e);
}

/* ---- Registers ---- */

/* The word of a table at this address; its bits that exist. NULL: there is none. */
static uint32_t *area_word(struct e1000 *e, uint32_t at, uint32_t *bits)
{
    for (size_t i = 0; i < AREAS; i++) {
        const struct area *a = &areas[i];
        if (at - a->at >= a->bytes)
            continue;
        *bits = at & 4 ? a->odd : a->even;
        return (uint32_t *)(void *)((uint8_t *)e + a->offset) + (at - a->at) / 4;
    }
    return NULL;
}

/* 13.7: a read clears; of pairs, the read of the upper half clears both. */
static uint32_t read_statistic(struct e1000 *e, unsigned i)
{
    const uint32_t v = e->stat[i];
    switch (i) {
    case STAT_GORC:
    case STAT_GOTC:
    case STAT_TOR:
    case STAT_TOT:
        break;
    case STAT_GORC + 1:
    case STAT_GOTC + 1:
    case STAT_TOR + 1:
    case STAT_TOT + 1:
        e->stat[i - 1] = 0;
        /* fall through */
    default:
        e->stat[i] = 0;
    }
    return v;
}

static uint32_t read_register(struct e1000 *e, uint32_t at)
{
    const unsigned which = at < MAP_SIZE ? e->at[at / 4] : E1000_NOWHERE;
    uint32_t v, bits;
    switch (which) {
    case E1000_STATUS:
        return status(e);
    case E1000_EECD:
        return e1000_eeprom_pins(e);
    case E1000_ICR: /* 13.4.17: a read acknowledges all */
        v = e->reg[E1000_ICR];
        e->reg[E1000_ICR] = 0;
        e1000_update_irq(e);
        return v;
    case E1000_ICS:
    case E1000_IMC:
        return 0;
    case E1000_NOWHERE:
        if (at - STATS_AT < sizeof(e->stat))
            return read_statistic(e, (at - STATS_AT) / 4);
        uint32_t *word = area_word(e, at, &bits);
        return word ? *word : 0;
    default:
        return e->reg[which];
    }
}

static void write_control(struct e1000 *e, uint32_t v)
{
    if (v & CTRL_PHY_RST)
        e1000_phy_reset(e);
    if (v & CTRL_RST) {
        reset_registers(e);
        e->link = false; /* and comes back at once, without a cause */
        e1000_update_link(e);
        e->reg[E1000_ICR] = 0;
        return;
    }
    e1000_update_link(e);
}

/* The register has been stored: what follows from it. */
static void written(struct e1000 *e, enum e1000_reg which, uint32_t v, uint32_t was)
{
    switch (which) {
    case E1000_TDT:
        kick(e);
        break;
    case E1000_RDT:
        if (e->net)
            net_ready(e->net);
        break;
    case E1000_CTRL:
        write_control(e, v);
        break;
    case E1000_CTRL_EXT:
        if (v & CTRL_EXT_EE_RST)
            load_address(e);
        break;
    case E1000_EECD:
        e1000_eeprom_clock(e, was);
        break;
    case E1000_EERD: /* 13.4.4: START, then DONE with the data */
        if (v & 1)
            e->reg[E1000_EERD] =
                (v & 0xFF00) | 0x10 | (uint32_t)e->eeprom.word[v >> 8 & (E1000_EEPROM - 1)] << 16;
        break;
    case E1000_MDIC:
        e1000_mdic(e, v);
        break;
    case E1000_ICR:
        e->reg[E1000_ICR] &= ~v;
        break;
    case E1000_ICS:
        e1000_cause(e, v & ICR_ALL);
        break;
    case E1000_IMS:
        e->reg[E1000_IMS] |= v & ICR_ALL;
        break;
    case E1000_IMC:
        e->reg[E1000_IMS] &= ~v;
        break;
    case E1000_RCTL:
        e1000_update_receiving(e);
        if (e->net)
            net_ready(e->net);
        break;
    case E1000_TCTL:
        if (!(v & TCTL_EN))
            unkick(e);
        kick(e);
        break;
    case E1000_PBA: { /* 13.4.15: what the receiver leaves is the transmitter's */
        const uint32_t rx = v & 0x3F;
        e->reg[E1000_PBA] = rx | (PACKET_KIB - (rx ? rx : 1)) << 16;
        break;
    }
    case E1000_WUC: /* 13.6.1, 13.6.3: what happened is cleared by writing it, and nothing happens
                     */
        e->reg[E1000_WUC] &= ~WUC_PME_STATUS;
        break;
    case E1000_WUS:
        e->reg[E1000_WUS] = 0;
        break;
    case E1000_RDTR:
        if (v & FLUSH)
            end_rx_delay(e);
        break;
    case E1000_TIDV:
        if (v & FLUSH)
            end_tx_delay(e);
        break;
    default:
        break;
    }
}

static void write_register(struct e1000 *e, uint32_t at, uint32_t v)
{
    const unsigned which = at < MAP_SIZE ? e->at[at / 4] : E1000_NOWHERE;
    if (which == E1000_NOWHERE) {
        uint32_t bits, *word = area_word(e, at, &bits);
        if (word)
            *word = v & bits;
        return;
    }
    uint32_t was = 0;
    if (which < E1000_REGS && definitions[which].writable) {
        was = e->reg[which];
        e->reg[which] = v & definitions[which].writable;
    }
    written(e, which, v, was);
}

static uint64_t mmio_read(void *opaque, uint64_t offset, unsigned width)
{
    struct e1000 *e = opaque;
    (void)width;
    e1000_received(e);
    return read_register(e, (uint32_t)offset);
}

static void mmio_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct e1000 *e = opaque;
    (void)width;
    e1000_received(e);
    write_register(e, (uint32_t)offset, (uint32_t)value);
    e1000_update_irq(e);
}

static const struct io_ops mmio_ops = {.widths = 4, .read = mmio_read, .write = mmio_write};

/* 13.3.2: the address, then the data. */
static uint64_t io_read(void *opaque, uint64_t offset, unsigned width)
{
    struct e1000 *e = opaque;
    if (offset == 0)
        return e->io_address;
    if (offset == 4 && e->io_address < MMIO_SIZE)
        return mmio_read(e, e->io_address & ~3u, width);
    return 0;
}

static void io_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct e1000 *e = opaque;
    if (offset == 0)
        e->io_address = (uint32_t)value;
    else if (offset == 4 && e->io_address < MMIO_SIZE)
        mmio_write(e, e->io_address & ~3u, width, value);
}

static const struct io_ops io_ops = {.widths = 4, .read = io_read, .write = io_write};

static void config_written(struct pci_device *pci, unsigned reg, unsigned width)
{
    struct e1000 *e = (struct e1000 *)pci;
    if (reg > 4 || reg + width <= 4)
        return;
    e1000_received(e);
    e1000_update_receiving(e);
    kick(e);
}

/* ---- Life ---- */

static void reset(struct device *device)
{
    struct e1000 *e = (struct e1000 *)device;
    pci_device_reset(&e->pci);
    reset_registers(e);
    memset(e->packet, 0, sizeof(e->packet));
    e1000_phy_reset(e);
    e1000_phy_negotiated(e); /* while the machine was starting */
    e->link_lost = false;
    e1000_update_link(e);
    e->reg[E1000_ICR] = 0;
    e1000_update_timer(e);
    e1000_update_irq(e);
}

static void quiesce(struct device *device)
{
    struct e1000 *e = (struct e1000 *)device;
    e1000_received(e);
    timer_disarm(&e->timer);
}

static void resume(struct device *device)
{
    e1000_update_timer((struct e1000 *)device);
}

static bool possible(const struct e1000 *e, struct err *err)
{
    for (unsigned i = 0; i < E1000_REGS; i++) {
        const struct definition *d = &definitions[i];
        if (e->reg[i] & ~(d->writable | d->reset | d->own))
            return err_set(err, "saved state of e1000: register %04x is %08x", d->at, e->reg[i]);
    }
    for (size_t i = 0; i < AREAS; i++) {
        const uint32_t *word = (const void *)((const uint8_t *)e + areas[i].offset);
        if (areas[i].even == ALL && areas[i].odd == ALL)
            continue;
        for (size_t n = 0; n < areas[i].bytes / 4; n++)
            if (word[n] & ~(n & 1 ? areas[i].odd : areas[i].even))
                return err_set(err, "saved state of e1000: register %05zx is %08x",
                               areas[i].at + n * 4, word[n]);
    }
    return true;
}

static bool loaded(struct device *device, struct err *err)
{
    struct e1000 *e = (struct e1000 *)device;
    const uint64_t now = clock_now(e->clock);
    if (e->rx.open)
        e1000_window_close(&e->rx, 0);
    e->rx_used = 0;
    if (!possible(e, err))
        return false;
    pci_device_loaded(&e->pci);
    e->rx_due = e->rx_waits ? now : CLOCK_NEVER;
    e->tx_due = e->tx_waits ? now : CLOCK_NEVER;
    e->rx_limit = e->tx_limit = e->irq_due = e->link_due = e->turn_due = CLOCK_NEVER;
    if (e->negotiating)
        e1000_phy_negotiate(e);
    e->irq_last = now;
    timer_disarm(&e->timer);
    e1000_update_link(e);
    kick(e);
    e1000_update_irq(e);
    e1000_update_timer(e);
    irq_push(&e->pci.intx);
    return true;
}

static void destroy(struct device *device)
{
    struct e1000 *e = (struct e1000 *)device;
    if (e->rx.open)
        e1000_window_close(&e->rx, 0);
    if (e->net)
        net_attach_nic(e->net, NULL, NULL);
    timer_destroy(&e->timer);
    pci_device_destroy(&e->pci);
    free(e->frame);
    free(e);
}

static const struct device_class e1000_class = {
    .name = "e1000",
    .version = 1,
    .state = fields,
    .reset = reset,
    .quiesce = quiesce,
    .resume = resume,
    .post_load = loaded,
    .destroy = destroy,
};

static const struct net_nic nic = {
    .receive = e1000_receive,
    .received = e1000_received,
    .transmit = e1000_transmit,
    .link_changed = e1000_phy_cable,
};

static struct e1000 *realize(uint16_t model, struct pci_bus *pci, struct dma *dma,
                             struct clock *clock, struct device_list *devices,
                             const struct nic_config *config, struct net *net, struct err *err)
{
    const struct pci_id id = {
        .vendor = 0x8086,
        .device = model,
        .subsystem_vendor = 0x5853,
        .subsystem = 0x0001,
        .class_code = 0x020000, /* Ethernet */
        .revision = 3,
        .interrupt_pin = 1,
    };
    struct e1000 *e = calloc(1, sizeof(*e));
    if (e)
        e->frame = malloc(NET_MAX_FRAME);
    if (!e || !e->frame) {
        free(e);
        err_set(err, "e1000: out of memory");
        return NULL;
    }
    e->dma = dma;
    e->clock = clock;
    e->net = net;
    memcpy(e->mac, config->mac, sizeof(e->mac));
    memset(e->at, E1000_NOWHERE, sizeof(e->at));
    for (unsigned i = 0; i < E1000_NOWHERE; i++) {
        e->at[definitions[i].at / 4] = (uint8_t)i;
        if (definitions[i].alias)
            e->at[definitions[i].alias / 4] = (uint8_t)i;
    }
    e1000_eeprom_init(e, model);
    if (!pci_device_init(&e->pci, pci, config->devfn, &id, err)) {
        free(e->frame);
        free(e);
        return NULL;
    }
    timer_init(&e->timer, clock, time_is_up, e);
    e->rx_due = e->rx_limit = e->tx_due = e->tx_limit = CLOCK_NEVER;
    e->irq_due = e->link_due = e->turn_due = CLOCK_NEVER;
    e->pci.config_written = config_written;
    pci_add_bar(&e->pci, 0, PCI_BAR_MEMORY, MMIO_SIZE, false, "e1000", &mmio_ops, e);
    pci_add_bar(&e->pci, 1, PCI_BAR_PORT, IO_SIZE, false, "e1000-io", &io_ops, e);
    if (config->rom)
        pci_add_rom(&e->pci, "e1000-rom", config->rom, config->rom_len);
    pci_device_realized(&e->pci);
    if (net)
        net_attach_nic(net, &nic, e);
    device_add(devices, &e->pci.device, &e1000_class, config->instance);
    return e;
}

struct e1000 *e1000_realize(struct pci_bus *pci, struct dma *dma, struct clock *clock,
                            struct device_list *devices, const struct nic_config *config,
                            struct net *net, struct err *err)
{
    return realize(0x100E, pci, dma, clock, devices, config, net, err);
}

struct e1000 *e1000_82545em_realize(struct pci_bus *pci, struct dma *dma, struct clock *clock,
                                    struct device_list *devices, const struct nic_config *config,
                                    struct net *net, struct err *err)
{
    return realize(0x100F, pci, dma, clock, devices, config, net, err);
}
