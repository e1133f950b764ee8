/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pcnet: bus configuration registers, and what is behind them: the EEPROM, the PHY, the software
 * timer, LEDs (see pcnet.h). */
#include <string.h>

#include "hw/pc/pcnet_int.h"

/* BCR19: EEPROM Control and Status */
enum {
    EECAS_EDI = 0x0001,
    EECAS_ESK = 0x0002,
    EECAS_ECS = 0x0004,
    EECAS_EEN = 0x0010,
    EECAS_EEDET = 0x2000,
    EECAS_PREAD = 0x4000,
    EECAS_PVALID = 0x8000,
    EECAS_KEPT = EECAS_EDI | EECAS_ESK | EECAS_ECS | EECAS_EEN,
};
#define EEPROM_OPCODE_READ  2 /* of a 93C46: start bit, two bits, six bits of address */
#define EEPROM_COMMAND_BITS 8

/* BCR4 to 7: LED status */
enum {
    LED_FULL_DUPLEX = 0x0100,
    LED_LINK = 0x0040,
    LED_100 = 0x1000,
    LED_OUT = 0x8000,
};

/* BCR32 */
enum {
    MIICAS_MIIPD = 0x4000, /* a PHY was detected */
    MIICAS_APEP = 0x0800,  /* Auto-Poll */
};

/* BCR33: the PHY's address and its register's; the internal PHY is at 30. */
#define PHY_ADDRESS 30
/* ANR0, ANR1 */
enum {
    ANR0_RESET = 0x8000,
    ANR0_LOOPBACK = 0x4000,
    ANR0_100 = 0x2000,
    ANR0_NEGOTIATE = 0x1000,
    ANR0_RESTART = 0x0200,
    ANR0_FULL_DUPLEX = 0x0100,
    ANR0_KEPT = 0x7D80,
    ANR0_AFTER_RESET = ANR0_100 | ANR0_NEGOTIATE | ANR0_FULL_DUPLEX,
    ANR1_ABILITIES = 0x7809, /* 10 and 100 Mb/s, half and full duplex, negotiation, these pages */
    ANR1_NEGOTIATED = 0x0020,
    ANR1_LINK = 0x0004,
    ANR4_AFTER_RESET = 0x01E1,
    ANR5_PARTNER = 0x45E1, /* it can all of it, and has acknowledged */
};
#define PHY_ID_HIGH 0x0000
#define PHY_ID_LOW  0x6B60 /* AMD, the one in an Am79C973 */

#define TIMER_TICK_NS UINT64_C(10240) /* BCR31 */

/* ---- EEPROM ---- */

/* Address PROM Space: the address, what AMD's drivers look for, and a sum over the rest. */
static void make_aprom(const struct pcnet *p, uint8_t aprom[16])
{
    uint16_t sum = 0;
    memset(aprom, 0, 16);
    memcpy(aprom, p->mac, sizeof(p->mac));
    aprom[9] = 0x11;
    aprom[14] = aprom[15] = 0x57;
    for (unsigned i = 0; i < 16; i++)
        sum = (uint16_t)(sum + aprom[i]);
    pci_set16(aprom + 12, sum);
}

/* Its words: the address PROM as it is after a reset, then ones. */
static uint16_t eeprom_word(const struct pcnet *p, unsigned address)
{
    uint8_t aprom[16];
    if (address >= sizeof(aprom) / 2)
        return 0xFFFF;
    make_aprom(p, aprom);
    return pci_get16(aprom + 2 * address);
}

/* ESK rises while ECS is high. */
static void eeprom_clock(struct pcnet *p, bool in)
{
    switch (p->eeprom_phase) {
    case EEPROM_IDLE:
        if (in) { /* the start bit */
            p->eeprom_phase = EEPROM_COMMAND;
            p->eeprom_bits = 0;
            p->eeprom_shift = 0;
        }
        break;
    case EEPROM_COMMAND:
        p->eeprom_shift = (uint16_t)(p->eeprom_shift << 1 | in);
        if (++p->eeprom_bits < EEPROM_COMMAND_BITS)
            break;
        /* Writes and erasures are taken and forgotten: it is protected. */
        p->eeprom_phase = p->eeprom_shift >> 6 == EEPROM_OPCODE_READ ? EEPROM_READ : EEPROM_DONE;
        p->eeprom_address = p->eeprom_shift & 63;
        p->eeprom_shift = eeprom_word(p, p->eeprom_address);
        p->eeprom_bits = 0;
        p->eeprom_out = p->eeprom_phase == EEPROM_DONE; /* a zero comes before the word; ready */
        break;
    case EEPROM_READ:
        if (p->eeprom_bits == 16) {
            p->eeprom_address = (p->eeprom_address + 1) & 63;
            p->eeprom_shift = eeprom_word(p, p->eeprom_address);
            p->eeprom_bits = 0;
        }
        p->eeprom_out = p->eeprom_shift >> (15 - p->eeprom_bits++) & 1;
        break;
    default:
        break;
    }
}

static void eecas_write(struct pcnet *p, uint16_t v)
{
    const uint16_t was = p->bcr[BCR_EECAS];
    if (v & EECAS_PREAD) {
        make_aprom(p, p->aprom);
        return;
    }
    p->bcr[BCR_EECAS] = v & EECAS_KEPT;
    if (!(v & EECAS_EEN))
        return;
    if (!(v & EECAS_ECS)) {
        p->eeprom_phase = EEPROM_IDLE;
        p->eeprom_out = true;
    } else if ((v & EECAS_ESK) && !(was & EECAS_ESK)) {
        eeprom_clock(p, v & EECAS_EDI);
    }
}

static uint16_t eecas_read(const struct pcnet *p)
{
    uint16_t v = p->bcr[BCR_EECAS] & EECAS_KEPT;
    if (v & EECAS_EEN)
        v = (uint16_t)((v & ~EECAS_EDI) | (p->eeprom_out ? EECAS_EDI : 0));
    return v | EECAS_PVALID | EECAS_EEDET;
}

/* ---- PHY ---- */

static void phy_reset(struct pcnet *p)
{
    p->phy_control = ANR0_AFTER_RESET;
    p->phy_advertised = ANR4_AFTER_RESET;
    p->phy_link_lost = false;
}

static uint16_t phy_status(struct pcnet *p)
{
    /* A loss is seen once (IEEE 802.3, 22.2.4.2.13). */
    const bool up = pcnet_link_up(p) && !p->phy_link_lost;
    p->phy_link_lost = false;
    return (uint16_t)(ANR1_ABILITIES | (up ? ANR1_LINK : 0) |
                      (up && (p->phy_control & ANR0_NEGOTIATE) ? ANR1_NEGOTIATED : 0));
}

static uint16_t phy_read(struct pcnet *p)
{
    if (p->bcr[BCR_MIIADDR] >> 5 != PHY_ADDRESS)
        return 0xFFFF;
    const bool negotiated = pcnet_link_up(p) && (p->phy_control & ANR0_NEGOTIATE);
    switch (p->bcr[BCR_MIIADDR] & 31) {
    case 0:
        return p->phy_control;
    case 1:
        return phy_status(p);
    case 2:
        return PHY_ID_HIGH;
    case 3:
        return PHY_ID_LOW;
    case 4:
        return p->phy_advertised;
    case 5:
        return negotiated ? ANR5_PARTNER : 0;
    case 6:
        return negotiated ? 0x0001 : 0x0000; /* the partner can negotiate */
    default:
        return 0;
    }
}

static void phy_write(struct pcnet *p, uint16_t v)
{
    p->csr[7] |= CSR7_MCCINT;
    if (p->bcr[BCR_MIIADDR] >> 5 != PHY_ADDRESS)
        return;
    switch (p->bcr[BCR_MIIADDR] & 31) {
    case 0:
        if (v & ANR0_RESET)
            phy_reset(p);
        else
            p->phy_control = v & ANR0_KEPT; /* negotiation takes no time */
        break;
    case 4:
        p->phy_advertised = v;
        break;
    }
}

void pcnet_link_changed(void *opaque, bool up)
{
    struct pcnet *p = opaque;
    if (!up)
        p->phy_link_lost = true;
    if (p->bcr[BCR_MIICAS] & MIICAS_APEP)
        p->csr[7] |= CSR7_MAPINT;
    pcnet_update_irq(p);
}

/* ---- Software timer (BCR31, CSR7) ---- */

static uint64_t timer_period(const struct pcnet *p)
{
    return p->timer_runs ? p->bcr[BCR_STVAL] * TIMER_TICK_NS : 0;
}

void pcnet_timer_arm(struct pcnet *p)
{
    const uint64_t period = timer_period(p), now = clock_now(p->clock);
    timer_disarm(&p->soft_timer);
    if (period && (p->csr[7] & CSR7_STINTE) && !(p->csr[7] & CSR7_STINT))
        timer_arm(&p->soft_timer, (p->timer_start < now ? p->timer_start : now) + period);
}

/* It runs on by itself from the first write on; nobody wakes up for it unless its interrupt is
 * wanted and not yet there. */
void pcnet_timer_update(struct pcnet *p)
{
    const uint64_t period = timer_period(p), now = clock_now(p->clock);
    if (p->timer_start > now)
        p->timer_start = now;
    if (period && now - p->timer_start >= period) {
        p->csr[7] |= CSR7_STINT;
        p->timer_start = now - (now - p->timer_start) % period;
    }
    pcnet_timer_arm(p);
}

void pcnet_timer_over(void *opaque)
{
    struct pcnet *p = opaque;
    pcnet_timer_update(p);
    pcnet_update_irq(p);
}

/* ---- Registers ---- */

static bool full_duplex(const struct pcnet *p)
{
    return p->bcr[BCR_FDC] & 1;
}

/* LEDOUT: something of what is enabled is so. Single frames are not shown. */
static uint16_t led(const struct pcnet *p, unsigned n)
{
    const uint16_t enabled = p->bcr[n];
    const bool up = pcnet_link_up(p);
    const bool on = up && ((enabled & LED_LINK) || (enabled & LED_100) ||
                           ((enabled & LED_FULL_DUPLEX) && full_duplex(p)));
    return (uint16_t)(enabled | (on ? LED_OUT : 0));
}

/* BCR20: which structures in memory are meant, and what follows from it. */
static uint16_t style_register(uint16_t v)
{
    const unsigned style = (v & 0xFF) <= STYLE_PCNET_BURST ? v & 0xFF : STYLE_LANCE;
    const uint16_t size32 = style == STYLE_LANCE ? 0 : 0x0100;
    const uint16_t csr_pcnet = style == STYLE_ILACC ? 0 : 0x0200;
    return (uint16_t)((v & 0x0400) | size32 | csr_pcnet | style);
}

uint16_t pcnet_bcr_read(struct pcnet *p, unsigned n)
{
    switch (n) {
    case BCR_LED0:
    case BCR_LED0 + 1:
    case BCR_LED0 + 2:
    case BCR_LED0 + 3:
        return led(p, n);
    case BCR_EECAS:
        return eecas_read(p);
    case 23: /* subsystem */
        return 0x5853;
    case 24:
        return 0x0001;
    case BCR_MIICAS:
        return p->bcr[n] | MIICAS_MIIPD;
    case BCR_MIIMDR:
        return phy_read(p);
    case 35:
        return 0x1022;
    default:
        return n < PCNET_BCRS ? p->bcr[n] : 0;
    }
}

/* Bits that are kept of what is written, where nothing else happens. */
static uint16_t kept_bits(unsigned n)
{
    switch (n) {
    case BCR_MC:
    case 25: /* SRAM */
    case 26:
    case 27:
    case 28: /* expansion bus address */
    case 29:
    case 45: /* OnNow patterns */
    case 46:
    case 47:
        return 0xFFFF;
    case BCR_LED0:
    case BCR_LED0 + 1:
    case BCR_LED0 + 2:
    case BCR_LED0 + 3:
        return (uint16_t)~LED_OUT;
    case BCR_FDC:
        return 0x0007;
    case 16:
        return 0xFFE0;
    case 17:
        return 0xFFFF;
    case BCR_MIICAS:
        return 0xBFFF;
    case BCR_MIIADDR:
        return 0x03FF;
    default:
        return 0;
    }
}

void pcnet_bcr_write(struct pcnet *p, unsigned n, uint16_t v)
{
    switch (n) {
    case BCR_BSBC:
        p->bcr[n] = (uint16_t)((v & ~BSBC_DWIO) | (p->bcr[n] & BSBC_DWIO));
        return;
    case BCR_EECAS:
        eecas_write(p, v);
        return;
    case BCR_SWS:
        if (pcnet_is_still(p)) {
            p->bcr[n] = style_register(v);
            pcnet_forget(p);
        }
        return;
    case BCR_PCILAT:
        if (pcnet_is_still(p)) {
            p->bcr[n] = v;
            pci_set16(p->pci.config + 0x3E, v);
        }
        return;
    case BCR_STVAL:
        p->bcr[n] = v;
        p->timer_runs = true;
        p->timer_start = clock_now(p->clock);
        pcnet_timer_update(p);
        return;
    case BCR_MIIMDR:
        phy_write(p, v);
        return;
    }
    const uint16_t kept = kept_bits(n);
    if (kept)
        p->bcr[n] = v & kept;
}

void pcnet_bcr_reset(struct pcnet *p)
{
    static const struct {
        uint8_t n;
        uint16_t v;
    } values[] = {
        {0, 0x0005},
        {1, 0x0005},
        {BCR_MC, 0x0002},
        {BCR_LED0, 0x00C0},
        {BCR_LED0 + 1, 0x0084},
        {BCR_LED0 + 2, 0x0088},
        {BCR_LED0 + 3, 0x0090},
        {BCR_BSBC, 0x9001},
        {BCR_EECAS, EECAS_ESK},
        {BCR_SWS, 0x0200},
        {BCR_PCILAT, 0xFF06},
        {BCR_STVAL, 0xFFFF},
        {BCR_MIICAS, 0x0400},
        {BCR_MIIADDR, PHY_ADDRESS << 5},
    };
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        p->bcr[values[i].n] = values[i].v;
    make_aprom(p, p->aprom);
    p->eeprom_out = true;
    phy_reset(p);
}
