/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rtl8139: registers, interrupts, time, life (see rtl8139.h). Sections are those of the RTL8139D(L)
 * data sheet. */
#include "hw/pc/rtl8139_int.h"

#include <stdlib.h>
#include <string.h>

#define BAR_SIZE 256
#define TICKS_HZ 33 /* TCTR's, in MHz: PCI's clock (5.14) */

/* Double words of the register file; what is narrower is named by its place in one. */
enum {
    IDR0 = 0x00,
    IDR4 = 0x04,
    MAR0 = 0x08,
    MAR4 = 0x0C,
    TSD0 = 0x10, /* C+: DTCCR */
    TSAD0 = 0x20,
    RBSTART = 0x30,
    ERBCR_ERSR_CR = 0x34,
    CAPR_CBR = 0x38,
    IMR_ISR = 0x3C,
    TCR = 0x40,
    RCR = 0x44,
    TCTR = 0x48,
    MPC = 0x4C,
    EECR_CONFIG = 0x50, /* 9346CR, CONFIG0, CONFIG1 */
    TIMER_INT = 0x54,
    MSR_CONFIG = 0x58, /* MSR, CONFIG3, CONFIG4 */
    MULINT_RERID = 0x5C,
    TSADS_BMCR = 0x60,
    BMSR_ANAR = 0x64,
    ANLPAR_ANER = 0x68,
    NWAYTR_REC = 0x70,
    CSCR = 0x74,
    PHY1_PARM = 0x78,
    TW_PARM = 0x7C,
    PHY2_PARM = 0x80,
    WAKE = 0x84,
    WAKE_END = 0xD4,
    CONFIG5_TPPOLL = 0xD8,
    CPLUS = 0xE0,
};

#define CAPR_EMPTY    0xFFF0 /* 16 before the buffer's beginning */
#define REVISION      0x20
#define REVISION_C    0x10        /* RTL8139C(L), configuration space's RID */
#define TCR_VERSION   0x74800000u /* HWVERID (5.6), in RTL8139C(L)+ and RTL8139C(L) */
#define TCR_VERSION_C 0x74000000u
#define TCR_KEPT      0x030F07F0u
#define EECR_MODE     0xC0
#define EECR_AUTOLOAD 0x40
#define EECR_PROGRAM  0x80
#define EECR_CONFIG_  0xC0 /* CONFIG0-4 may be written */
#define EECR_LINES    0x0E
#define CONFIG0_KEPT  0x07
#define CONFIG1_KEPT  0xF3
#define CONFIG1_FIXED 0x0C /* memory and I/O space are there */
#define CONFIG3_KEPT  0x71
#define CONFIG4_KEPT  0xF5
#define CONFIG5_KEPT  0x7F
#define MSR_KEPT      0xC0
#define MSR_AUX       0x10
#define MSR_10_MBPS   0x08
#define MSR_NO_LINK   0x04
#define BMCR_RESET    0x8000
#define BMCR_100      0x2000
#define BMCR_ANE      0x1000
#define BMCR_FULL     0x0100
#define BMCR_KEPT     (BMCR_100 | BMCR_ANE | BMCR_FULL)
#define BMSR_CAN      0x7809
#define BMSR_LINK     0x0004
#define BMSR_ANE_DONE 0x0020
#define ANAR_DEFAULT  0x05E1
#define ANER_ABLE     0x0001
#define CSCR_VALUE    0x0340

static const struct state_field tally_state[] = {
    STATE_UINT(struct rtl8139_tally, tx_ok),
    STATE_UINT(struct rtl8139_tally, rx_ok),
    STATE_UINT(struct rtl8139_tally, tx_errors),
    STATE_UINT(struct rtl8139_tally, rx_errors),
    STATE_UINT(struct rtl8139_tally, missed),
    STATE_UINT(struct rtl8139_tally, alignment_errors),
    STATE_UINT(struct rtl8139_tally, tx_one_collision),
    STATE_UINT(struct rtl8139_tally, tx_collisions),
    STATE_UINT(struct rtl8139_tally, rx_physical),
    STATE_UINT(struct rtl8139_tally, rx_broadcast),
    STATE_UINT(struct rtl8139_tally, rx_multicast),
    STATE_UINT(struct rtl8139_tally, tx_aborted),
    STATE_UINT(struct rtl8139_tally, tx_underrun),
    STATE_FIELDS_END,
};

/* A software reset (CR.RST) walks this table too: what it leaves alone is put back there. */
static const struct state_field fields[] = {
    STATE_PCI(struct rtl8139),
    STATE_ARRAY(struct rtl8139, idr, .keep_on_reset = true),
    STATE_ARRAY(struct rtl8139, mar),
    STATE_ARRAY(struct rtl8139, tsd, .reset = RTL_TSD_OWN),
    STATE_ARRAY(struct rtl8139, tsad),
    STATE_ARRAY(struct rtl8139, dtccr),
    STATE_UINT(struct rtl8139, rbstart),
    STATE_UINT(struct rtl8139, erbcr),
    STATE_LIMIT(struct rtl8139, ersr, RTL_ERSR_ALL),
    STATE_LIMIT(struct rtl8139, cr, RTL_RE | RTL_TE),
    STATE_UINT(struct rtl8139, capr, .reset = CAPR_EMPTY),
    STATE_UINT(struct rtl8139, cbr),
    STATE_UINT(struct rtl8139, imr),
    STATE_UINT(struct rtl8139, isr),
    STATE_UINT(struct rtl8139, tcr),
    STATE_UINT(struct rtl8139, rcr),
    STATE_UINT(struct rtl8139, tctr),
    STATE_LIMIT(struct rtl8139, mpc, 0xFFFFFF),
    STATE_UINT(struct rtl8139, eecr),
    STATE_LIMIT(struct rtl8139, config0, CONFIG0_KEPT),
    STATE_UINT(struct rtl8139, config1, .reset = CONFIG1_FIXED),
    STATE_LIMIT(struct rtl8139, config3, CONFIG3_KEPT, .reset = 0x01),
    STATE_LIMIT(struct rtl8139, config4, CONFIG4_KEPT),
    STATE_LIMIT(struct rtl8139, config5, CONFIG5_KEPT),
    STATE_LIMIT(struct rtl8139, msr, MSR_KEPT, .reset = MSR_KEPT),
    STATE_UINT(struct rtl8139, timer_int),
    STATE_LIMIT(struct rtl8139, mulint, 0x0FFF),
    STATE_LIMIT(struct rtl8139, bmcr, BMCR_KEPT, .reset = BMCR_KEPT),
    STATE_UINT(struct rtl8139, anar, .reset = ANAR_DEFAULT),
    STATE_UINT(struct rtl8139, nwaytr),
    STATE_BOOL(struct rtl8139, link_lost),
    STATE_UINT(struct rtl8139, phy1),
    STATE_UINT(struct rtl8139, twister),
    STATE_UINT(struct rtl8139, phy2),
    STATE_ARRAY(struct rtl8139, wake),
    STATE_LIMIT(struct rtl8139, cpcr, RTL_CPCR_KEPT),
    STATE_ARRAY(struct rtl8139, rdsar),
    STATE_UINT(struct rtl8139, etthr),
    STATE_STRUCT(struct rtl8139, tally, tally_state),
    STATE_STRUCT(struct rtl8139, eeprom, rtl8139_eeprom_state),
    STATE_LIMIT(struct rtl8139, tx_next, RTL_TSD_COUNT - 1),
    STATE_LIMIT(struct rtl8139, polled, 3),
    STATE_LIMIT(struct rtl8139, cp_tx[0], RTL_RING - 1),
    STATE_LIMIT(struct rtl8139, cp_tx[1], RTL_RING - 1),
    STATE_LIMIT(struct rtl8139, cp_rx, RTL_RING - 1),
    STATE_FIELDS_END,
};

/* ---- Time (5.14, 5.17) ---- */

static uint32_t tctr_now(const struct rtl8139 *r)
{
    return (uint32_t)(r->tctr + (clock_now(r->clock) - r->tctr_base) * TICKS_HZ / 1000);
}

/* TCTR counts from its present value on. */
static void settle(struct rtl8139 *r)
{
    r->tctr = tctr_now(r);
    r->tctr_base = clock_now(r->clock);
}

/* When TCTR gets to TimerInt next; a whole round from now if it is there. */
static void plan_timer(struct rtl8139 *r)
{
    r->timer_due = CLOCK_NEVER;
    if (!r->timer_int)
        return;
    uint64_t ticks = (uint32_t)(r->timer_int - tctr_now(r));
    if (!ticks)
        ticks = UINT64_C(1) << 32;
    r->timer_due = clock_now(r->clock) + (ticks * 1000 + TICKS_HZ - 1) / TICKS_HZ;
}

/* It has happened, whether or not there was a timer to tell. */
static void look_at_timer(struct rtl8139 *r)
{
    if (r->timer_due > clock_now(r->clock))
        return;
    r->isr |= RTL_INT_TIMEOUT;
    plan_timer(r);
}

/* ---- What follows from the registers ---- */

static void update_irq(struct rtl8139 *r)
{
    pci_set_intx(&r->pci, r->isr & r->imr);
}

void rtl8139_update(struct rtl8139 *r)
{
    look_at_timer(r);
    if (r->timer_due != CLOCK_NEVER && (r->imr & RTL_INT_TIMEOUT) && !(r->isr & RTL_INT_TIMEOUT)) {
        if (!timer_armed(&r->timer) || r->timer.deadline != r->timer_due)
            timer_arm(&r->timer, r->timer_due);
    } else if (timer_armed(&r->timer)) {
        timer_disarm(&r->timer);
    }
    const bool wanted = rtl8139_wants_frames(r);
    if (r->net)
        net_receiving(r->net, wanted);
    if (!wanted && timer_armed(&r->starved))
        timer_disarm(&r->starved);
    update_irq(r);
}

static void timer_over(void *opaque)
{
    rtl8139_update(opaque);
}

/* Something has changed that may have brought buffers. Without a wire there are no turns either:
 * what didn't fit into one goes on here. */
static void buffers_free(struct rtl8139 *r)
{
    if (r->net)
        net_ready(r->net);
    else if (r->polled)
        rtl8139_transmit(r);
}

static void starved_over(void *opaque)
{
    buffers_free(opaque);
}

void rtl8139_forget_rings(struct rtl8139 *r)
{
    r->rx_ahead.end = r->tx_ahead.end = 0;
    r->starved_for = 0;
    timer_disarm(&r->starved);
}

void rtl8139_kick(struct rtl8139 *r)
{
    if (r->net)
        net_kick(r->net);
    else
        rtl8139_transmit(r);
}

static bool link_up(const struct rtl8139 *r)
{
    return r->net && net_link_up(r->net);
}

/* ---- Reset ---- */

/* All registers as after power-on, the address out of the EEPROM. */
static void reset_registers(struct rtl8139 *r)
{
    state_reset(fields, r);
    rtl8139_eeprom_mac(&r->eeprom, r->idr);
    r->tctr_base = clock_now(r->clock);
    plan_timer(r);
    rtl8139_forget_rings(r);
    if (r->net)
        net_unkick(r->net);
}

/* CR.RST (5.4): addresses, and what comes out of the EEPROM, stay; so do the PHY and the counters.
 */
static void software_reset(struct rtl8139 *r)
{
    struct {
        uint8_t idr[NET_MAC_LEN], mar[8], eecr, config[5], wake[sizeof(r->wake)];
        uint16_t bmcr, anar;
        bool link_lost;
        struct rtl8139_tally tally;
        struct rtl8139_eeprom eeprom;
    } kept;
    memcpy(kept.idr, r->idr, sizeof(kept.idr));
    memcpy(kept.mar, r->mar, sizeof(kept.mar));
    memcpy(kept.wake, r->wake, sizeof(kept.wake));
    memcpy(kept.config, (uint8_t[]){r->config0, r->config1, r->config3, r->config4, r->config5},
           sizeof(kept.config));
    kept.eecr = r->eecr;
    kept.bmcr = r->bmcr;
    kept.anar = r->anar;
    kept.link_lost = r->link_lost;
    kept.tally = r->tally;
    kept.eeprom = r->eeprom;
    reset_registers(r);
    memcpy(r->idr, kept.idr, sizeof(kept.idr));
    memcpy(r->mar, kept.mar, sizeof(kept.mar));
    memcpy(r->wake, kept.wake, sizeof(kept.wake));
    r->config0 = kept.config[0];
    r->config1 = kept.config[1];
    r->config3 = kept.config[2];
    r->config4 = kept.config[3];
    r->config5 = kept.config[4];
    r->eecr = kept.eecr;
    r->bmcr = kept.bmcr;
    r->anar = kept.anar;
    r->link_lost = kept.link_lost;
    r->tally = kept.tally;
    r->eeprom = kept.eeprom;
}

/* ---- Registers ---- */

/* One bit for each descriptor out of each TSD (5.23). */
static uint32_t tsad_summary(const struct rtl8139 *r)
{
    uint32_t v = 0;
    for (unsigned i = 0; i < RTL_TSD_COUNT; i++) {
        v |= (r->tsd[i] & RTL_TSD_OWN ? 0x0001u : 0) << i;
        v |= (r->tsd[i] & RTL_TSD_TABT ? 0x0010u : 0) << i;
        v |= (r->tsd[i] & RTL_TSD_TUN ? 0x0100u : 0) << i;
        v |= (r->tsd[i] & RTL_TSD_TOK ? 0x1000u : 0) << i;
    }
    return v;
}

/* While it negotiates, the speed is what came of it (5.24). */
static uint32_t media_status(const struct rtl8139 *r)
{
    const bool ten = !(r->bmcr & (BMCR_100 | BMCR_ANE));
    return r->msr | MSR_AUX | (ten ? MSR_10_MBPS : 0u) | (link_up(r) ? 0u : MSR_NO_LINK);
}

static uint32_t basic_mode_status(const struct rtl8139 *r)
{
    uint32_t v = BMSR_CAN;
    if (link_up(r)) {
        v |= r->link_lost ? 0 : BMSR_LINK;
        v |= r->bmcr & BMCR_ANE ? BMSR_ANE_DONE : 0;
    }
    return v;
}

static uint32_t eeprom_command(const struct rtl8139 *r)
{
    const bool selected = (r->eecr & EECR_MODE) == EECR_PROGRAM;
    return (uint32_t)(r->eecr | (selected && r->eeprom.out));
}

static uint32_t read_register(struct rtl8139 *r, unsigned reg)
{
    switch (reg) {
    case IDR0:
        return pci_get32(r->idr);
    case IDR4:
        return pci_get16(r->idr + 4);
    case MAR0:
    case MAR4:
        return pci_get32(r->mar + (reg - MAR0));
    case TSD0:
    case TSD0 + 4:
        if (r->cpcr & RTL_CPCR_TX)
            return r->dtccr[(reg - TSD0) / 4];
        return r->tsd[(reg - TSD0) / 4];
    case TSD0 + 8:
    case TSD0 + 12:
        return r->tsd[(reg - TSD0) / 4];
    case TSAD0:
    case TSAD0 + 4:
    case TSAD0 + 8:
    case TSAD0 + 12:
        return r->tsad[(reg - TSAD0) / 4];
    case RBSTART:
        return r->rbstart;
    case ERBCR_ERSR_CR:
        return r->erbcr | (uint32_t)r->ersr << 16 |
               (uint32_t)(r->cr | (rtl8139_ring_empty(r) ? RTL_BUFE : 0)) << 24;
    case CAPR_CBR:
        return r->capr | (uint32_t)r->cbr << 16;
    case IMR_ISR:
        look_at_timer(r);
        return r->imr | (uint32_t)r->isr << 16;
    case TCR:
        return r->tcr | (r->cplus ? TCR_VERSION : TCR_VERSION_C);
    case RCR:
        return r->rcr;
    case TCTR:
        return tctr_now(r);
    case MPC:
        return r->mpc;
    case EECR_CONFIG:
        return eeprom_command(r) | (uint32_t)r->config0 << 8 | (uint32_t)r->config1 << 16;
    case TIMER_INT:
        return r->timer_int;
    case MSR_CONFIG:
        return media_status(r) | (uint32_t)r->config3 << 8 | (uint32_t)r->config4 << 16 | 1u << 24;
    case MULINT_RERID:
        return r->mulint | (r->cplus ? REVISION : REVISION_C) << 16;
    case TSADS_BMCR:
        return tsad_summary(r) | (uint32_t)r->bmcr << 16;
    case BMSR_ANAR:
        return basic_mode_status(r) | (uint32_t)r->anar << 16;
    case ANLPAR_ANER:
        return link_up(r) ? ANAR_DEFAULT | (uint32_t)ANER_ABLE << 16 : 0;
    case NWAYTR_REC:
        return r->nwaytr;
    case CSCR:
        return CSCR_VALUE;
    case PHY1_PARM:
        return r->phy1;
    case TW_PARM:
        return r->twister;
    case PHY2_PARM:
        return r->phy2;
    case CONFIG5_TPPOLL:
        return r->config5;
    default:
        if (reg >= CPLUS)
            return r->cplus ? rtl8139_cplus_read(r, reg) : 0;
        return reg >= WAKE && reg < WAKE_END ? pci_get32(r->wake + (reg - WAKE)) : 0;
    }
}

static void command_write(struct rtl8139 *r, uint8_t v)
{
    const uint8_t was = r->cr;
    if (v & RTL_RST) {
        software_reset(r);
        return;
    }
    r->cr = v & (RTL_RE | RTL_TE);
    if ((r->cr & RTL_RE) && !(was & RTL_RE)) { /* its buffer is empty */
        r->cbr = 0;
        r->capr = CAPR_EMPTY;
        r->cp_rx = 0;
        rtl8139_forget_rings(r);
    }
    if ((r->cr & RTL_TE) && !(was & RTL_TE)) {
        r->cp_tx[0] = r->cp_tx[1] = 0;
        rtl8139_kick(r);
    }
}

static void tsd_write(struct rtl8139 *r, unsigned n, uint32_t v)
{
    if (r->cpcr & RTL_CPCR_TX) {
        if (n < 2)
            r->dtccr[n] = v;
        if (n == 0)
            rtl8139_cplus_dump(r);
        return;
    }
    r->tsd[n] = v & RTL_TSD_KEPT; /* what became of the last one is gone (5.2) */
    if (!(v & RTL_TSD_OWN))
        rtl8139_kick(r);
}

/* TNPDS and THPDS begin their ring anew. */
static void tsad_write(struct rtl8139 *r, unsigned n, uint32_t v)
{
    r->tsad[n] = v;
    if (r->cpcr & RTL_CPCR_TX)
        r->cp_tx[n / 2] = 0;
}

static void eeprom_write(struct rtl8139 *r, uint8_t v)
{
    const uint8_t before = (r->eecr & EECR_MODE) == EECR_PROGRAM ? r->eecr & EECR_LINES : 0;
    const uint8_t now = (v & EECR_MODE) == EECR_PROGRAM ? v & EECR_LINES : 0;
    r->eecr = v & (EECR_MODE | EECR_LINES);
    rtl8139_eeprom_lines(&r->eeprom, before, now);
    if ((v & EECR_MODE) == EECR_AUTOLOAD) { /* over at once */
        rtl8139_eeprom_mac(&r->eeprom, r->idr);
        r->eecr &= (uint8_t)~EECR_MODE;
    }
}

static bool unlocked(const struct rtl8139 *r)
{
    return (r->eecr & EECR_MODE) == EECR_CONFIG_;
}

/* 9346CR, CONFIG0, CONFIG1: v has old bytes where mask has none. */
static void config_write(struct rtl8139 *r, uint32_t v, uint32_t mask)
{
    const bool may = unlocked(r);
    if (mask & 0xFF)
        eeprom_write(r, (uint8_t)v);
    if (!may)
        return;
    r->config0 = v >> 8 & CONFIG0_KEPT;
    r->config1 = (v >> 16 & CONFIG1_KEPT) | CONFIG1_FIXED;
}

static void media_write(struct rtl8139 *r, uint32_t v)
{
    r->msr = v & MSR_KEPT;
    if (!unlocked(r))
        return;
    r->config3 = v >> 8 & CONFIG3_KEPT;
    r->config4 = v >> 16 & CONFIG4_KEPT;
}

/* Restarting negotiation is over at once, and comes to the same. */
static void basic_mode_write(struct rtl8139 *r, uint16_t v)
{
    if (v & BMCR_RESET)
        r->bmcr = BMCR_KEPT, r->anar = ANAR_DEFAULT;
    else
        r->bmcr = v & BMCR_ANE ? BMCR_KEPT : v & BMCR_KEPT;
}

/* Those it has. */
static uint16_t interrupts(const struct rtl8139 *r)
{
    return r->cplus ? RTL_INT_ALL : RTL_INT_ALL & ~RTL_INT_CPLUS;
}

static void interrupt_write(struct rtl8139 *r, uint32_t v, uint32_t mask)
{
    look_at_timer(r);
    r->imr = (uint16_t)v & interrupts(r);
    r->isr &= (uint16_t) ~((v & mask) >> 16); /* 5.6: a one clears */
}

/* `value` has zeroes where `mask`, of whole bytes, does. */
static void write_register(struct rtl8139 *r, unsigned reg, uint32_t value, uint32_t mask)
{
    const uint32_t v = (read_register(r, reg) & ~mask) | value; /* no read has an effect */
    switch (reg) {
    case IDR0:
        pci_set32(r->idr, v);
        break;
    case IDR4:
        pci_set16(r->idr + 4, (uint16_t)v);
        break;
    case MAR0:
    case MAR4:
        pci_set32(r->mar + (reg - MAR0), v);
        break;
    case TSD0:
    case TSD0 + 4:
    case TSD0 + 8:
    case TSD0 + 12:
        tsd_write(r, (reg - TSD0) / 4, v);
        break;
    case TSAD0:
    case TSAD0 + 4:
    case TSAD0 + 8:
    case TSAD0 + 12:
        tsad_write(r, (reg - TSAD0) / 4, v);
        break;
    case RBSTART:
        r->rbstart = v;
        break;
    case ERBCR_ERSR_CR:
        r->ersr &= (uint8_t) ~(value >> 16);
        if (mask >> 24)
            command_write(r, (uint8_t)(v >> 24));
        break;
    case CAPR_CBR:
        r->capr = (uint16_t)v;
        break;
    case IMR_ISR:
        interrupt_write(r, v, mask);
        break;
    case TCR:
        r->tcr = v & TCR_KEPT;
        break;
    case RCR:
        r->rcr = v & RTL_RCR_KEPT;
        r->cbr &= (uint16_t)(rtl8139_ring_bytes(r) - 1);
        break;
    case TCTR: /* 5.14: any value starts it from 0 */
        look_at_timer(r);
        r->tctr = 0;
        r->tctr_base = clock_now(r->clock);
        plan_timer(r);
        break;
    case MPC:
        r->mpc = 0;
        break;
    case EECR_CONFIG:
        config_write(r, v, mask);
        break;
    case TIMER_INT:
        look_at_timer(r);
        r->timer_int = v;
        plan_timer(r);
        break;
    case MSR_CONFIG:
        media_write(r, v);
        break;
    case MULINT_RERID:
        r->mulint = v & 0x0FFF;
        break;
    case TSADS_BMCR:
        if (mask >> 16)
            basic_mode_write(r, (uint16_t)(v >> 16));
        break;
    case BMSR_ANAR:
        r->anar = (uint16_t)(v >> 16);
        break;
    case NWAYTR_REC:
        r->nwaytr = (uint16_t)v;
        break;
    case PHY1_PARM:
        r->phy1 = v;
        break;
    case TW_PARM:
        r->twister = v;
        break;
    case PHY2_PARM:
        r->phy2 = (uint8_t)v;
        break;
    case CONFIG5_TPPOLL:
        r->config5 = v & CONFIG5_KEPT;
        if (r->cplus)
            rtl8139_cplus_poll(r, (uint8_t)(value >> 8));
        break;
    default:
        if (reg >= CPLUS && r->cplus)
            rtl8139_cplus_write(r, reg, v);
        else if (reg >= WAKE && reg < WAKE_END)
            pci_set32(r->wake + (reg - WAKE), v);
    }
}

/* Any width at any offset, as on the chip's bus; the dispatcher keeps it within the region. */
static uint64_t io_read(void *opaque, uint64_t offset, unsigned width)
{
    struct rtl8139 *r = opaque;
    const unsigned reg = (unsigned)offset & ~3u, shift = 8 * ((unsigned)offset & 3);
    uint64_t v = read_register(r, reg);
    if (shift + 8 * width > 32)
        v |= (uint64_t)read_register(r, reg + 4) << 32;
    if (reg == BMSR_ANAR && shift < 16) /* IEEE 802.3, 22.2.4.2.13: a lost link is told once */
        r->link_lost = false;
    if (reg == IMR_ISR && (r->cpcr & RTL_CPCR_RX))
        buffers_free(r);
    return v >> shift;
}

static void io_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct rtl8139 *r = opaque;
    const unsigned reg = (unsigned)offset & ~3u, shift = 8 * ((unsigned)offset & 3);
    const uint64_t mask = ((UINT64_C(1) << 8 * width) - 1) << shift;
    value = value << shift & mask;
    write_register(r, reg, (uint32_t)value, (uint32_t)mask);
    if (mask >> 32)
        write_register(r, reg + 4, (uint32_t)(value >> 32), (uint32_t)(mask >> 32));
    rtl8139_update(r);
    buffers_free(r);
}

static const struct io_ops io_ops = {.widths = 1 | 2 | 4, .read = io_read, .write = io_write};

static void config_written(struct pci_device *pci, unsigned reg, unsigned width)
{
    struct rtl8139 *r = (struct rtl8139 *)pci;
    (void)width;
    if (reg == 0x04) { /* it may be a bus master now */
        rtl8139_kick(r);
        rtl8139_update(r);
    }
}

/* ---- Life ---- */

static void reset(struct device *device)
{
    struct rtl8139 *r = (struct rtl8139 *)device;
    pci_device_reset(&r->pci);
    reset_registers(r);
    rtl8139_update(r);
}

static void quiesce(struct device *device)
{
    struct rtl8139 *r = (struct rtl8139 *)device;
    look_at_timer(r);
    settle(r);
    timer_disarm(&r->timer);
    timer_disarm(&r->starved);
}

static void resume(struct device *device)
{
    struct rtl8139 *r = (struct rtl8139 *)device;
    rtl8139_kick(r);
    rtl8139_update(r);
    buffers_free(r); /* a frame that is held is looked at again */
}

static bool loaded(struct device *device, struct err *err)
{
    struct rtl8139 *r = (struct rtl8139 *)device;
    const bool any = r->cpcr || r->rdsar[0] || r->rdsar[1] || r->etthr || r->dtccr[0] ||
                     r->dtccr[1] || r->polled || r->cp_tx[0] || r->cp_tx[1] || r->cp_rx;
    if (any && !r->cplus)
        return err_set(err, "saved state of rtl8139c: it is of a card with a C+ mode");
    /* Bits that no guest could have set. */
    for (unsigned i = 0; i < RTL_TSD_COUNT; i++)
        r->tsd[i] &= RTL_TSD_KEPT | RTL_TSD_TOK | RTL_TSD_TABT;
    r->imr &= interrupts(r);
    r->isr &= interrupts(r);
    r->tcr &= TCR_KEPT;
    r->rcr &= RTL_RCR_KEPT;
    r->cbr &= (uint16_t)(rtl8139_ring_bytes(r) - 1) & 0xFFFC;
    r->eecr &= EECR_MODE | EECR_LINES;
    r->config1 |= CONFIG1_FIXED;
    pci_device_loaded(&r->pci);
    r->tctr_base = clock_now(r->clock);
    plan_timer(r);
    rtl8139_forget_rings(r);
    if (r->net)
        net_kick(r->net);
    rtl8139_update(r);
    irq_push(&r->pci.intx);
    return true;
}

static void destroy(struct device *device)
{
    struct rtl8139 *r = (struct rtl8139 *)device;
    if (r->net)
        net_attach_nic(r->net, NULL, NULL);
    timer_destroy(&r->timer);
    timer_destroy(&r->starved);
    pci_device_destroy(&r->pci);
    free(r);
}

static const struct device_class rtl8139_class = {
    .name = "rtl8139",
    .version = 1,
    .state = fields,
    .reset = reset,
    .quiesce = quiesce,
    .resume = resume,
    .post_load = loaded,
    .destroy = destroy,
};

static const struct device_class rtl8139c_class = {
    .name = "rtl8139c",
    .version = 1,
    .state = fields,
    .reset = reset,
    .quiesce = quiesce,
    .resume = resume,
    .post_load = loaded,
    .destroy = destroy,
};

static struct rtl8139 *realize(bool cplus, struct pci_bus *pci, struct dma *dma,
                               struct clock *clock, struct device_list *devices,
                               const struct nic_config *config, struct net *net, struct err *err)
{
    const struct pci_id id = {
        .vendor = 0x10EC,
        .device = 0x8139,
        .subsystem_vendor = 0x5853,
        .subsystem = 0x0001,
        .class_code = 0x020000, /* Ethernet controller */
        .revision = cplus ? REVISION : REVISION_C,
        .interrupt_pin = 1,
    };
    struct rtl8139 *r = calloc(1, sizeof(*r));
    if (!r) {
        err_set(err, "RTL8139: out of memory");
        return NULL;
    }
    r->dma = dma;
    r->clock = clock;
    r->net = net;
    r->cplus = cplus;
    if (!pci_device_init(&r->pci, pci, config->devfn, &id, err)) {
        free(r);
        return NULL;
    }
    timer_init(&r->timer, clock, timer_over, r);
    timer_init(&r->starved, clock, starved_over, r);
    r->pci.config[0x34] = 0xDC; /* no capability is there; the stock model has it */
    r->pci.config_written = config_written;
    pci_add_bar(&r->pci, 0, PCI_BAR_PORT, BAR_SIZE, false, "rtl8139", &io_ops, r);
    pci_add_bar(&r->pci, 1, PCI_BAR_MEMORY, BAR_SIZE, false, "rtl8139", &io_ops, r);
    if (config->rom)
        pci_add_rom(&r->pci, "rtl8139-rom", config->rom, config->rom_len);
    pci_device_realized(&r->pci);
    rtl8139_eeprom_init(&r->eeprom, &id, config->mac);
    reset_registers(r);
    net_attach_nic(net, &rtl8139_nic, r);
    device_add(devices, &r->pci.device, cplus ? &rtl8139_class : &rtl8139c_class, config->instance);
    return r;
}

struct rtl8139 *rtl8139_realize(struct pci_bus *pci, struct dma *dma, struct clock *clock,
                                struct device_list *devices, const struct nic_config *config,
                                struct net *net, struct err *err)
{
    return realize(true, pci, dma, clock, devices, config, net, err);
}

struct rtl8139 *rtl8139c_realize(struct pci_bus *pci, struct dma *dma, struct clock *clock,
                                 struct device_list *devices, const struct nic_config *config,
                                 struct net *net, struct err *err)
{
    return realize(false, pci, dma, clock, devices, config, net, err);
}
