/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ne2000: the DP8390 and what is around it on an NE2000; see ne2000.h. Section numbers are those of
 * the DP8390D's data sheet. */
#include <string.h>

#include "hw/pc/ne2000_int.h"

/* The ports of the card: the chip's registers, the remote DMA's data port, the reset port. */
enum { PORT_DATA = 0x10, PORT_RESET = 0x18 };

/* Registers of page 0 (read; write), 1, 2 and the RTL8029AS's 3 */
enum {
    P0_CLDA0_PSTART = 0x01,
    P0_CLDA1_PSTOP,
    P0_BNRY,
    P0_TSR_TPSR,
    P0_NCR_TBCR0,
    P0_FIFO_TBCR1,
    P0_ISR,
    P0_CRDA0_RSAR0,
    P0_CRDA1_RSAR1,
    P0_ID0_RBCR0,
    P0_ID1_RBCR1,
    P0_RSR_RCR,
    P0_CNTR0_TCR,
    P0_CNTR1_DCR,
    P0_CNTR2_IMR,
};
enum { P1_PAR0 = 0x01, P1_CURR = 0x07, P1_MAR0 = 0x08 };
enum {
    P2_PSTART_CLDA0 = 0x01,
    P2_PSTOP_CLDA1,
    P2_NEXT_REMOTE,
    P2_TPSR,
    P2_NEXT_LOCAL,
    P2_COUNTER_HIGH,
    P2_COUNTER_LOW,
    P2_RCR = 0x0C,
    P2_TCR,
    P2_DCR,
    P2_IMR,
};
enum {
    P3_9346CR = 0x01,
    P3_CONFIG0 = 0x03,
    P3_CONFIG2 = 0x05,
    P3_CONFIG3,
    P3_HLTCLK = 0x09,
    P3_ASID0 = 0x0E,
    P3_ASID1 = 0x0F,
};
enum {
    EECR_EEM = 0xC0,       /* mode: normal, auto-load, programming, … */
    EECR_EEM_WRITE = 0xC0, /* … CONFIG2 and 3 can be written */
    EECR_EEM_LOAD = 0x40,
    EECR_BITS = 0xCE,
    CONFIG2_PL = 0xC0, /* the medium */
    CONFIG2_PL_10BASE_T = 0x40,
    CONFIG2_BITS = 0xE0, /* with flow control */
    CONFIG3_FUDUP = 0x40,
    CONFIG3_BITS = 0x76,
};

static const struct state_field regs_state[] = {
    STATE_LIMIT(struct ne2000_regs, cr, 0xFF, .reset = CR_RESET),
    STATE_BOOL(struct ne2000_regs, running),
    STATE_UINT(struct ne2000_regs, isr, .reset = ISR_RST),
    STATE_LIMIT(struct ne2000_regs, imr, IMR_BITS),
    STATE_LIMIT(struct ne2000_regs, dcr, DCR_BITS, .reset = DCR_LAS),
    STATE_LIMIT(struct ne2000_regs, tcr, TCR_BITS),
    STATE_LIMIT(struct ne2000_regs, rcr, RCR_BITS),
    STATE_UINT(struct ne2000_regs, tsr),
    STATE_UINT(struct ne2000_regs, rsr),
    STATE_UINT(struct ne2000_regs, pstart),
    STATE_UINT(struct ne2000_regs, pstop),
    STATE_UINT(struct ne2000_regs, bnry),
    STATE_UINT(struct ne2000_regs, curr),
    STATE_BOOL(struct ne2000_regs, taken),
    STATE_UINT(struct ne2000_regs, tpsr),
    STATE_UINT(struct ne2000_regs, tbcr),
    STATE_UINT(struct ne2000_regs, rsar),
    STATE_UINT(struct ne2000_regs, rbcr),
    STATE_UINT(struct ne2000_regs, next_remote),
    STATE_UINT(struct ne2000_regs, next_local),
    STATE_UINT(struct ne2000_regs, clda),
    STATE_UINT(struct ne2000_regs, address_counter),
    STATE_ARRAY(struct ne2000_regs, par),
    STATE_ARRAY(struct ne2000_regs, mar),
    STATE_ARRAY(struct ne2000_regs, tally),
    STATE_ARRAY(struct ne2000_regs, fifo),
    STATE_LIMIT(struct ne2000_regs, fifo_at, 7),
    STATE_BOOL(struct ne2000_regs, silenced),
    STATE_LIMIT(struct ne2000_regs, transmitter, NE2000_SENT),
    STATE_LIMIT(struct ne2000_regs, eecr, EECR_BITS),
    STATE_LIMIT(struct ne2000_regs, config2, CONFIG2_BITS),
    STATE_LIMIT(struct ne2000_regs, config3, CONFIG3_BITS),
    STATE_UINT(struct ne2000_regs, hltclk),
    STATE_FIELDS_END,
};

const struct state_field ne2000_state[] = {
    STATE_STRUCT(struct ne2000, regs, regs_state),
    STATE_ARRAY(struct ne2000, ram),
    STATE_FIELDS_END,
};

void ne2000_update_irq(struct ne2000 *n)
{
    n->set_line(n, (n->regs.isr & n->regs.imr & IMR_BITS) != 0);
}

/* ---- Registers (10.0) ---- */

static void command_write(struct ne2000 *n, uint8_t v)
{
    struct ne2000_regs *r = &n->regs;
    r->cr = v | (r->cr & CR_TXP); /* only the chip clears it */
    if (v & CR_STP) {
        r->running = false;
        if (r->transmitter == NE2000_IDLE)
            r->isr |= ISR_RST;
    } else if (v & CR_STA) {
        r->running = true;
        r->isr &= (uint8_t)~ISR_RST;
    }
    ne2000_remote_command(n);
    ne2000_start_transmitter(n);
    ne2000_update_receiver(n);
}

static uint8_t read_and_clear(uint8_t *counter)
{
    const uint8_t v = *counter;
    *counter = 0;
    return v;
}

static uint8_t page0_read(struct ne2000 *n, unsigned reg)
{
    struct ne2000_regs *r = &n->regs;
    switch (reg) {
    case P0_CLDA0_PSTART:
        return (uint8_t)r->clda;
    case P0_CLDA1_PSTOP:
        return (uint8_t)(r->clda >> 8);
    case P0_BNRY:
        return r->bnry;
    case P0_TSR_TPSR:
        return r->tsr;
    case P0_FIFO_TBCR1:
        if (!(r->tcr & TCR_LB))
            return 0xFF;
        r->fifo_at = (r->fifo_at + 1) & 7;
        return r->fifo[(r->fifo_at + 7) & 7];
    case P0_ISR:
        return r->isr;
    case P0_CRDA0_RSAR0:
        return (uint8_t)r->rsar;
    case P0_CRDA1_RSAR1:
        return (uint8_t)(r->rsar >> 8);
    case P0_ID0_RBCR0:
        return n->rtl8029 ? 0x50 : 0xFF;
    case P0_ID1_RBCR1:
        return n->rtl8029 ? 0x43 : 0xFF;
    case P0_RSR_RCR:
        return r->rsr;
    case P0_CNTR0_TCR:
    case P0_CNTR1_DCR:
    case P0_CNTR2_IMR:
        return read_and_clear(&r->tally[reg - P0_CNTR0_TCR]);
    default: /* NCR: nobody collides */
        return 0;
    }
}

static void page0_write(struct ne2000 *n, unsigned reg, uint8_t v)
{
    struct ne2000_regs *r = &n->regs;
    switch (reg) {
    case P0_CLDA0_PSTART:
        r->pstart = v;
        ne2000_ring_changed(n);
        break;
    case P0_CLDA1_PSTOP:
        r->pstop = v;
        ne2000_ring_changed(n);
        break;
    case P0_BNRY:
        r->bnry = v;
        r->taken = true;
        if (r->running) /* packets have been taken out: 10.3, ISR */
            r->isr &= (uint8_t)~ISR_RST;
        ne2000_ring_changed(n);
        break;
    case P0_TSR_TPSR:
        r->tpsr = v;
        break;
    case P0_NCR_TBCR0:
        r->tbcr = (uint16_t)((r->tbcr & 0xFF00) | v);
        break;
    case P0_FIFO_TBCR1:
        r->tbcr = (uint16_t)((r->tbcr & 0x00FF) | v << 8);
        break;
    case P0_ISR:
        r->isr &= (uint8_t)(~v | ISR_RST);
        if (v & ISR_PRX)
            ne2000_wants_reading(n);
        break;
    case P0_CRDA0_RSAR0:
        r->rsar = (uint16_t)((r->rsar & 0xFF00) | v);
        break;
    case P0_CRDA1_RSAR1:
        r->rsar = (uint16_t)((r->rsar & 0x00FF) | v << 8);
        break;
    case P0_ID0_RBCR0:
        r->rbcr = (uint16_t)((r->rbcr & 0xFF00) | v);
        break;
    case P0_ID1_RBCR1:
        r->rbcr = (uint16_t)((r->rbcr & 0x00FF) | v << 8);
        break;
    case P0_RSR_RCR:
        r->rcr = v & RCR_BITS;
        break;
    case P0_CNTR0_TCR:
        r->tcr = v & TCR_BITS;
        if (!(r->tcr & TCR_ATD))
            r->silenced = false;
        ne2000_start_transmitter(n);
        ne2000_update_receiver(n);
        break;
    case P0_CNTR1_DCR:
        r->dcr = v & DCR_BITS;
        break;
    case P0_CNTR2_IMR:
        r->imr = v & IMR_BITS;
        break;
    }
}

static uint8_t page1_read(const struct ne2000_regs *r, unsigned reg)
{
    if (reg == P1_CURR)
        return r->curr;
    return reg >= P1_MAR0 ? r->mar[reg - P1_MAR0] : r->par[reg - P1_PAR0];
}

static void page1_write(struct ne2000 *n, unsigned reg, uint8_t v)
{
    struct ne2000_regs *r = &n->regs;
    if (reg == P1_CURR) {
        r->curr = r->next_local = v;
        ne2000_ring_changed(n);
    } else if (reg >= P1_MAR0) {
        r->mar[reg - P1_MAR0] = v;
    } else {
        r->par[reg - P1_PAR0] = v;
    }
}

/* For diagnosis. Unused bits read as ones. */
static uint8_t page2_read(const struct ne2000_regs *r, unsigned reg)
{
    switch (reg) {
    case P2_PSTART_CLDA0:
        return r->pstart;
    case P2_PSTOP_CLDA1:
        return r->pstop;
    case P2_NEXT_REMOTE:
        return r->next_remote;
    case P2_TPSR:
        return r->tpsr;
    case P2_NEXT_LOCAL:
        return r->next_local;
    case P2_COUNTER_HIGH:
        return (uint8_t)(r->address_counter >> 8);
    case P2_COUNTER_LOW:
        return (uint8_t)r->address_counter;
    case P2_RCR:
        return (uint8_t)(r->rcr | ~RCR_BITS);
    case P2_TCR:
        return (uint8_t)(r->tcr | ~TCR_BITS);
    case P2_DCR:
        return (uint8_t)(r->dcr | ~DCR_BITS);
    case P2_IMR:
        return (uint8_t)(r->imr | ~IMR_BITS);
    default:
        return 0xFF;
    }
}

static void page2_write(struct ne2000_regs *r, unsigned reg, uint8_t v)
{
    switch (reg) {
    case P2_PSTART_CLDA0:
        r->clda = (uint16_t)((r->clda & 0xFF00) | v);
        break;
    case P2_PSTOP_CLDA1:
        r->clda = (uint16_t)((r->clda & 0x00FF) | v << 8);
        break;
    case P2_NEXT_REMOTE:
        r->next_remote = v;
        break;
    case P2_NEXT_LOCAL:
        r->next_local = v;
        break;
    case P2_COUNTER_HIGH:
        r->address_counter = (uint16_t)((r->address_counter & 0x00FF) | v << 8);
        break;
    case P2_COUNTER_LOW:
        r->address_counter = (uint16_t)((r->address_counter & 0xFF00) | v);
        break;
    }
}

static uint8_t page3_read(const struct ne2000_regs *r, unsigned reg)
{
    switch (reg) {
    case P3_9346CR:
        return r->eecr;
    case P3_CONFIG0: /* neither AUI nor BNC: 10BASE-T */
        return 0x00;
    case P3_CONFIG2:
        return r->config2;
    case P3_CONFIG3:
        return r->config3;
    case P3_HLTCLK:
        return r->hltclk;
    case P3_ASID0:
        return 0x29;
    case P3_ASID1:
        return 0x80;
    default:
        return 0xFF;
    }
}

static void load_rtl8029(struct ne2000 *n)
{
    if (!n->rtl8029)
        return;
    n->regs.config2 = CONFIG2_PL_10BASE_T;
    n->regs.config3 = 0;
}

static void page3_write(struct ne2000 *n, unsigned reg, uint8_t v)
{
    struct ne2000_regs *r = &n->regs;
    const bool writable = (r->eecr & EECR_EEM) == EECR_EEM_WRITE;
    switch (reg) {
    case P3_9346CR:
        r->eecr = v & EECR_BITS;
        if ((r->eecr & EECR_EEM) == EECR_EEM_LOAD) { /* takes 2 ms, then mode 0 again */
            load_rtl8029(n);
            r->eecr = 0;
        }
        break;
    case P3_CONFIG2:
        if (writable)
            r->config2 = v & CONFIG2_BITS;
        break;
    case P3_CONFIG3:
        if (writable)
            r->config3 = v & CONFIG3_BITS;
        break;
    case P3_HLTCLK:
        r->hltclk = v;
        break;
    }
}

static uint8_t register_read(struct ne2000 *n, unsigned reg)
{
    if (!reg)
        return n->regs.cr;
    switch (n->regs.cr & CR_PAGE) {
    case 0x00:
        return page0_read(n, reg);
    case 0x40:
        return page1_read(&n->regs, reg);
    case 0x80:
        return page2_read(&n->regs, reg);
    default:
        return n->rtl8029 ? page3_read(&n->regs, reg) : 0xFF;
    }
}

static void register_write(struct ne2000 *n, unsigned reg, uint8_t v)
{
    if (!reg) {
        command_write(n, v);
        return;
    }
    switch (n->regs.cr & CR_PAGE) {
    case 0x00:
        page0_write(n, reg, v);
        break;
    case 0x40:
        page1_write(n, reg, v);
        break;
    case 0x80:
        page2_write(&n->regs, reg, v);
        break;
    default:
        if (n->rtl8029)
            page3_write(n, reg, v);
    }
}

/* What the reset line does; memory stays. */
static void hard_reset(struct ne2000 *n)
{
    state_reset(regs_state, &n->regs);
    ne2000_reset(n);
}

static uint64_t io_read(void *opaque, uint64_t offset, unsigned width)
{
    struct ne2000 *n = opaque;
    uint64_t v = 0;
    if (offset >= PORT_DATA && offset < PORT_RESET) {
        v = ne2000_data_read(n, width);
    } else {
        for (unsigned i = 0; i < width; i++) {
            uint64_t byte = 0xFF;
            if (offset + i < PORT_DATA)
                byte = register_read(n, (unsigned)offset + i);
            else if (offset + i < PORT_RESET)
                byte = ne2000_data_read(n, 1) & 0xFF;
            else if (offset + i < NE2000_PORTS)
                hard_reset(n);
            v |= byte << 8 * i;
        }
    }
    ne2000_update_irq(n);
    return v;
}

static void io_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct ne2000 *n = opaque;
    if (offset >= PORT_DATA && offset < PORT_RESET) {
        ne2000_data_write(n, width, value);
    } else { /* a write ends the reset that the read began */
        for (unsigned i = 0; i < width; i++) {
            if (offset + i < PORT_DATA)
                register_write(n, (unsigned)offset + i, (uint8_t)(value >> 8 * i));
            else if (offset + i < PORT_RESET)
                ne2000_data_write(n, 1, value >> 8 * i);
        }
    }
    ne2000_update_irq(n);
}

static bool is_bulk(const struct ne2000 *n, uint64_t offset, unsigned width)
{
    return offset >= PORT_DATA && offset < PORT_RESET && width >= ne2000_remote_unit(n);
}

static uint32_t io_read_run(void *opaque, uint64_t offset, unsigned width, void *buf,
                            uint32_t count)
{
    struct ne2000 *n = opaque;
    const size_t len = (size_t)width * count;
    if (!is_bulk(n, offset, width))
        return 0;
    const size_t done = ne2000_remote_move(n, buf, NULL, len);
    memset((uint8_t *)buf + done, 0xFF, len - done);
    ne2000_update_irq(n);
    return count;
}

static uint32_t io_write_run(void *opaque, uint64_t offset, unsigned width, const void *buf,
                             uint32_t count)
{
    struct ne2000 *n = opaque;
    if (!is_bulk(n, offset, width))
        return 0;
    ne2000_remote_move(n, NULL, buf, (size_t)width * count);
    ne2000_update_irq(n);
    return count;
}

const struct io_ops ne2000_ops = {
    .widths = 1 | 2 | 4,
    .read = io_read,
    .write = io_write,
    .read_run = io_read_run,
    .write_run = io_write_run,
};

/* ---- Life ---- */

void ne2000_reset(struct ne2000 *n)
{
    load_rtl8029(n);
    if (n->net)
        net_unkick(n->net);
    ne2000_update_receiver(n);
    ne2000_update_irq(n);
}

bool ne2000_loaded(struct ne2000 *n, struct err *err)
{
    const struct ne2000_regs *r = &n->regs;
    if (r->transmitter != NE2000_IDLE && !(r->cr & CR_TXP))
        return err_set(err, "saved state of ne2000: it transmits without a command");
    if (r->running && (r->cr & CR_STP))
        return err_set(err, "saved state of ne2000: it runs and is stopped");
    if (n->net && r->transmitter != NE2000_IDLE)
        net_kick(n->net);
    else if (n->net)
        net_unkick(n->net);
    ne2000_update_receiver(n);
    ne2000_update_irq(n);
    return true;
}

void ne2000_destroy(struct ne2000 *n)
{
    if (n->net)
        net_attach_nic(n->net, NULL, NULL);
    n->net = NULL;
}

void ne2000_init(struct ne2000 *n, const uint8_t mac[NET_MAC_LEN], bool rtl8029, struct net *net,
                 void (*set_line)(struct ne2000 *n, bool level))
{
    n->rtl8029 = rtl8029;
    n->set_line = set_line;
    n->net = net;
    /* AN-729: the address, then from byte 14 on "WW" of a 16-bit card; each byte twice, since the
     * memory is 16 bits wide and the PROM 8. */
    memset(n->prom, 0, sizeof(n->prom));
    for (unsigned i = 0; i < NET_MAC_LEN; i++)
        n->prom[2 * i] = n->prom[2 * i + 1] = mac[i];
    memset(n->prom + 28, 'W', 4);
    if (net)
        net_attach_nic(net, &ne2000_nic, n);
}
