/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pcnet: the PCI function, ports, control and status registers, interrupts (see pcnet.h; the rings
 * are in pcnet_ring.c, the bus configuration registers in pcnet_bcr.c). */
#include <stdlib.h>
#include <string.h>

#include "hw/pc/pcnet_int.h"

#define IO_BYTES 32

/* I/O Resources: below are the bytes of the address PROM. */
enum { RDP = 0x10, WIO_RAP = 0x12, WIO_RESET = 0x14, WIO_BDP = 0x16 };
enum { DWIO_RAP = 0x14, DWIO_RESET = 0x18, DWIO_BDP = 0x1C };

enum { PCI_COMMAND = 0x04, PCI_MIN_GNT = 0x3E, PCI_MAX_LAT = 0x3F };

#define CHIP_ID 0x02621003u /* Am79C970A, revision 0 (CSR88, CSR89) */

static const struct state_field fields[] = {
    STATE_PCI(struct pcnet),
    STATE_ARRAY(struct pcnet, csr),
    STATE_ARRAY(struct pcnet, bcr),
    STATE_LIMIT(struct pcnet, rap, 0xFF),
    STATE_ARRAY(struct pcnet, aprom),
    STATE_UINT(struct pcnet, rx_at),
    STATE_UINT(struct pcnet, tx_at),
    STATE_BOOL(struct pcnet, rang),
    STATE_BOOL(struct pcnet, timer_runs),
    STATE_UINT(struct pcnet, timer_start),
    STATE_LIMIT(struct pcnet, eeprom_phase, EEPROM_PHASES - 1),
    STATE_LIMIT(struct pcnet, eeprom_bits, 16),
    STATE_UINT(struct pcnet, eeprom_shift),
    STATE_LIMIT(struct pcnet, eeprom_address, 63),
    STATE_BOOL(struct pcnet, eeprom_out),
    STATE_UINT(struct pcnet, phy_control),
    STATE_UINT(struct pcnet, phy_advertised),
    STATE_BOOL(struct pcnet, phy_link_lost),
    STATE_FIELDS_END,
};

/* ---- Interrupt (CSR0, CSR3, CSR4, CSR5, CSR7) ---- */

static bool interrupts(const struct pcnet *p)
{
    return (p->csr[0] & ~p->csr[3] & CSR0_INTERRUPTS) ||
           (p->csr[4] & CSR4_MASKED & ~(unsigned)(p->csr[4] << 1)) || (p->csr[4] & CSR4_UINT) ||
           (p->csr[5] & CSR5_EVENTS & (unsigned)(p->csr[5] << 1)) ||
           (p->csr[7] & CSR7_EVENTS & (unsigned)(p->csr[7] << 1));
}

/* A system interrupt doesn't ask IENA, which the STOP that goes with it has cleared (CSR5, SINT).
 */
void pcnet_update_irq(struct pcnet *p)
{
    const bool system = (p->csr[5] & CSR5_SINT) && (p->csr[5] & CSR5_SINTE);
    pci_set_intx(&p->pci, system || ((p->csr[0] & CSR0_IENA) && interrupts(p)));
}

static uint16_t status(const struct pcnet *p)
{
    uint16_t v = p->csr[0];
    if (v & (CSR0_BABL | CSR0_CERR | CSR0_MISS | CSR0_MERR))
        v |= CSR0_ERR;
    if (interrupts(p))
        v |= CSR0_INTR;
    return v;
}

void pcnet_settle(struct pcnet *p)
{
    pcnet_update_irq(p);
    if (p->net) {
        net_receiving(p->net, (p->csr[0] & CSR0_RXON) && !(p->csr[5] & CSR5_SPND) &&
                                  !(p->csr[CSR_MODE] & MODE_LOOP) && pcnet_masters_bus(p));
        if (p->rx_held)
            net_ready(p->net);
    }
    pcnet_poll_soon(p);
}

/* ---- Control and status registers ---- */

void pcnet_kick(struct pcnet *p)
{
    if (p->net)
        net_kick(p->net);
    else if (pcnet_nic.transmit(p)) /* nobody gives it a turn; the rest at the next doorbell */
        p->csr[0] |= CSR0_TDMD;
}

void pcnet_stop(struct pcnet *p)
{
    p->csr[0] = CSR0_STOP;
    p->csr[4] &= (uint16_t)~CSR4_EVENTS;
    p->csr[5] &= (uint16_t)~CSR5_SPND;
    p->csr[CSR_MFC] = p->csr[CSR_RCC] = 0;
    p->rang = p->poll_found = false;
    p->rx_held = p->rx_starved = false;
    timer_disarm(&p->poll_timer);
    timer_disarm(&p->rx_timer);
    pcnet_forget(p);
    if (p->net)
        net_unkick(p->net);
}

static void soft_reset(struct pcnet *p)
{
    pcnet_stop(p);
    p->csr[3] = p->csr[5] = p->csr[7] = p->csr[CSR_MODE] = p->csr[82] = p->csr[CSR_TEST] = 0;
    p->csr[4] = CSR4_RESET;
    p->csr[80] = 0x1410;
    p->csr[100] = 0x0200;
    p->rap = 0;
    pcnet_timer_update(p);
}

static void start(struct pcnet *p)
{
    p->csr[0] |= CSR0_STRT;
    if (!(p->csr[CSR_MODE] & MODE_DTX))
        p->csr[0] |= CSR0_TXON;
    if (!(p->csr[CSR_MODE] & MODE_DRX))
        p->csr[0] |= CSR0_RXON;
    p->rang = p->poll_found = false;
    p->poll_wait = 0;
    pcnet_forget(p);
}

static void control_write(struct pcnet *p, uint16_t v)
{
    if (v & CSR0_STOP) {
        pcnet_stop(p);
        return;
    }
    p->csr[0] &= (uint16_t) ~((v & CSR0_EVENTS) | CSR0_IENA);
    p->csr[0] |= v & CSR0_IENA;
    if ((v & CSR0_INIT) && !(p->csr[0] & (CSR0_INIT | CSR0_STRT)) && !pcnet_init(p))
        return;
    if ((v & CSR0_STRT) && !(p->csr[0] & CSR0_STRT))
        start(p);
    if (p->csr[0] & (CSR0_INIT | CSR0_STRT))
        p->csr[0] &= (uint16_t)~CSR0_STOP;
    if ((v & CSR0_TDMD) && (p->csr[0] & CSR0_TXON)) {
        p->csr[0] |= CSR0_TDMD;
        p->rang = true;
        pcnet_kick(p);
    }
}

static void features_write(struct pcnet *p, uint16_t v)
{
    const uint16_t left = p->csr[4] & CSR4_EVENTS & ~v;
    p->csr[4] = (uint16_t)((v & CSR4_KEPT) | left | (v & CSR4_UINTCMD ? CSR4_UINT : 0));
}

static void extended_write(struct pcnet *p, uint16_t v)
{
    const bool was_suspended = p->csr[5] & CSR5_SPND;
    p->csr[5] = (uint16_t)((v & CSR5_KEPT) | (p->csr[5] & CSR5_EVENTS & ~v));
    pcnet_forget(p);
    if (was_suspended && !(v & CSR5_SPND) && (p->csr[0] & CSR0_TXON))
        pcnet_kick(p);
}

static void extended2_write(struct pcnet *p, uint16_t v)
{
    pcnet_timer_update(p);
    p->csr[7] = (uint16_t)((v & CSR7_KEPT) | (p->csr[7] & CSR7_EVENTS & ~v));
    pcnet_timer_update(p);
}

/* The counters count up to the end of the ring; zero stands for its last entry (CSR72, CSR74). */
static void counter_write(uint16_t *at, uint16_t length, uint16_t v)
{
    const uint16_t index = (uint16_t)(v - length);
    const unsigned entries = pcnet_ring_length(length);
    *at = index < entries ? index : (uint16_t)(entries - 1);
}

/* Registers that may be written while it stands still, and do nothing at that moment. */
static bool is_plain(unsigned n)
{
    return (n >= CSR_LADRF && n <= 47) || (n >= 60 && n <= 67) || n == CSR_RCVRL ||
           n == CSR_XMTRL || n == 80 || n == 82 || (n >= 84 && n <= 86) || n == 100 ||
           n == CSR_MFC || n == CSR_RCC || n == 122 || n == CSR_TEST || n == 125;
}

static void csr_write(struct pcnet *p, unsigned n, uint16_t v)
{
    switch (n) {
    case 0:
        control_write(p, v);
        return;
    case 3:
        p->csr[3] = v & CSR3_KEPT;
        return;
    case 4:
        features_write(p, v);
        return;
    case 5:
        extended_write(p, v);
        return;
    case 7:
        extended2_write(p, v);
        return;
    case 58:
        pcnet_bcr_write(p, BCR_SWS, v);
        return;
    }
    if (!pcnet_is_still(p))
        return;
    if (n == CSR_IADR || n == CSR_IADR + 1)
        p->csr[n] = v;
    else if (n == 16 || n == 17) /* the same again */
        p->csr[n - 15] = v;
    else if (n == CSR_RCVRC)
        counter_write(&p->rx_at, p->csr[CSR_RCVRL], v);
    else if (n == CSR_XMTRC)
        counter_write(&p->tx_at, p->csr[CSR_XMTRL], v);
    else if (is_plain(n))
        p->csr[n] = v;
    pcnet_forget(p);
}

/* Address of the entry `ahead` of the current one; the half of it that register n holds. */
static uint16_t address_of(const struct pcnet *p, unsigned base, unsigned ahead, unsigned n)
{
    const bool rx = base == CSR_BADR;
    const unsigned entries = pcnet_ring_length(p->csr[rx ? CSR_RCVRL : CSR_XMTRL]);
    const unsigned at = ((rx ? p->rx_at : p->tx_at) + ahead) % entries;
    return (uint16_t)(pcnet_descriptor(p, base, at) >> (n & 1 ? 16 : 0));
}

static uint16_t csr_read(struct pcnet *p, unsigned n)
{
    switch (n) {
    case 0:
        return status(p);
    case 7:
        pcnet_timer_update(p);
        return p->csr[7];
    case 16:
    case 17:
        return p->csr[n - 15];
    case 26: /* next receive descriptor */
    case 27:
        return address_of(p, CSR_BADR, 1, n);
    case 28:
    case 29:
        return address_of(p, CSR_BADR, 0, n);
    case 32:
    case 33:
        return address_of(p, CSR_BADX, 1, n);
    case 34:
    case 35:
        return address_of(p, CSR_BADX, 0, n);
    case 58:
        return pcnet_bcr_read(p, BCR_SWS);
    case CSR_RCVRC:
        return (uint16_t)(p->csr[CSR_RCVRL] + p->rx_at);
    case CSR_XMTRC:
        return (uint16_t)(p->csr[CSR_XMTRL] + p->tx_at);
    case 88:
        return (uint16_t)CHIP_ID;
    case 89:
        return CHIP_ID >> 16;
    default:
        return n < PCNET_CSRS ? p->csr[n] : 0;
    }
}

/* ---- Ports ---- */

static uint64_t aprom_read(const struct pcnet *p, uint64_t offset, unsigned width)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < width; i++)
        v |= (uint64_t)p->aprom[(offset + i) & 15] << (8 * i);
    return v;
}

static void aprom_write(struct pcnet *p, uint64_t offset, unsigned width, uint64_t v)
{
    if (p->bcr[BCR_MC] & MC_APROMWE)
        for (unsigned i = 0; i < width; i++)
            p->aprom[(offset + i) & 15] = (uint8_t)(v >> (8 * i));
}

enum reg { REG_NONE, REG_RDP, REG_RAP, REG_RESET, REG_BDP };

/* Which register is at an offset depends on the width that the chip is set to; nothing else is
 * answered (I/O Resources, Word I/O Mode and Double Word I/O Mode). */
static enum reg register_at(const struct pcnet *p, uint64_t offset, unsigned width)
{
    const bool wide = p->bcr[BCR_BSBC] & BSBC_DWIO;
    if (width != (wide ? 4 : 2))
        return REG_NONE;
    if (offset == RDP)
        return REG_RDP;
    if (offset == (wide ? DWIO_RAP : WIO_RAP))
        return REG_RAP;
    if (offset == (wide ? DWIO_RESET : WIO_RESET))
        return REG_RESET;
    return offset == (wide ? DWIO_BDP : WIO_BDP) ? REG_BDP : REG_NONE;
}

static uint64_t io_read(void *opaque, uint64_t offset, unsigned width)
{
    struct pcnet *p = opaque;
    if (offset < sizeof(p->aprom))
        return aprom_read(p, offset, width);
    switch (register_at(p, offset, width)) {
    case REG_RDP:
        if (p->rx_held)
            net_ready(p->net);
        const uint16_t v = csr_read(p, p->rap);
        if (p->rap == 7)
            pcnet_update_irq(p);
        return v;
    case REG_RAP:
        return p->rap;
    case REG_RESET:
        soft_reset(p);
        pcnet_settle(p);
        return 0;
    case REG_BDP:
        return pcnet_bcr_read(p, p->rap);
    default:
        return UINT64_MAX;
    }
}

static void io_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct pcnet *p = opaque;
    if (offset < sizeof(p->aprom)) {
        aprom_write(p, offset, width, value);
        return;
    }
    switch (register_at(p, offset, width)) {
    case REG_RAP:
        p->rap = value & 0xFF;
        return;
    case REG_RDP:
        csr_write(p, p->rap, (uint16_t)value);
        break;
    case REG_BDP:
        pcnet_bcr_write(p, p->rap, (uint16_t)value);
        break;
    default:
        /* The first dword to RDP is what sets the width, until the next H_RESET. */
        if (offset == RDP && width == 4)
            p->bcr[BCR_BSBC] |= BSBC_DWIO;
        return;
    }
    pcnet_settle(p);
}

static const struct io_ops io_ops = {.widths = 1 | 2 | 4, .read = io_read, .write = io_write};

static void config_written(struct pci_device *pci, unsigned reg, unsigned width)
{
    struct pcnet *p = (struct pcnet *)pci;
    (void)width;
    if (reg != PCI_COMMAND)
        return;
    if (pcnet_masters_bus(p) && (p->csr[0] & CSR0_TXON))
        pcnet_kick(p);
    pcnet_settle(p);
}

/* ---- Life ---- */

static void reset(struct device *device)
{
    struct pcnet *p = (struct pcnet *)device;
    pci_device_reset(&p->pci);
    pcnet_bcr_reset(p);
    timer_disarm(&p->soft_timer);
    soft_reset(p);
    for (unsigned i = 0; i < 3; i++)
        p->csr[CSR_PADR + i] = pci_get16(p->aprom + 2 * i);
    p->csr[CSR_RCVRL] = p->csr[CSR_XMTRL] = 1;
    p->csr[103] = 0x0105;
    pcnet_settle(p);
}

static void quiesce(struct device *device)
{
    struct pcnet *p = (struct pcnet *)device;
    pcnet_forget(p);
}

static bool loaded(struct device *device, struct err *err)
{
    struct pcnet *p = (struct pcnet *)device;
    if (p->csr[0] & CSR0_COMPUTED)
        return err_set(err, "saved state of pcnet: CSR0 has bits that are not kept");
    if ((p->csr[0] & CSR0_STOP) && (p->csr[0] & (CSR0_TXON | CSR0_RXON | CSR0_STRT | CSR0_INIT)))
        return err_set(err, "saved state of pcnet: it is stopped and runs");
    pci_device_loaded(&p->pci);
    timer_disarm(&p->poll_timer);
    timer_disarm(&p->rx_timer);
    timer_disarm(&p->soft_timer);
    pcnet_forget(p);
    p->rx_held = p->rx_starved = p->poll_found = false;
    p->poll_wait = 0;
    pcnet_timer_arm(p);
    pcnet_settle(p);
    if (p->net && (p->csr[0] & CSR0_TXON))
        net_kick(p->net);
    irq_push(&p->pci.intx);
    return true;
}

static void destroy(struct device *device)
{
    struct pcnet *p = (struct pcnet *)device;
    net_attach_nic(p->net, NULL, NULL);
    timer_destroy(&p->poll_timer);
    timer_destroy(&p->rx_timer);
    timer_destroy(&p->soft_timer);
    pci_device_destroy(&p->pci);
    free(p);
}

static const struct device_class pcnet_class = {
    .name = "pcnet",
    .version = 1,
    .state = fields,
    .reset = reset,
    .quiesce = quiesce,
    .post_load = loaded,
    .destroy = destroy,
};

struct pcnet *pcnet_realize(struct pci_bus *pci, struct dma *dma, struct clock *clock,
                            struct device_list *devices, const struct nic_config *config,
                            struct net *net, struct err *err)
{
    static const struct pci_id id = {
        .vendor = 0x1022,
        .device = 0x2000,
        .subsystem_vendor = 0x5853,
        .subsystem = 0x0001,
        .class_code = 0x020000, /* Ethernet */
        .revision = 0x10,
        .interrupt_pin = 1,
    };
    struct pcnet *p = calloc(1, sizeof(*p));
    if (!p) {
        err_set(err, "pcnet: out of memory");
        return NULL;
    }
    p->dma = dma;
    p->clock = clock;
    p->net = net;
    memcpy(p->mac, config->mac, sizeof(p->mac));
    if (!pci_device_init(&p->pci, pci, config->devfn, &id, err)) {
        free(p);
        return NULL;
    }
    timer_init(&p->poll_timer, clock, pcnet_poll, p);
    timer_init(&p->rx_timer, clock, pcnet_rx_retry, p);
    timer_init(&p->soft_timer, clock, pcnet_timer_over, p);
    pci_set16(p->pci.config + 0x06, 0x0280); /* medium DEVSEL, fast back-to-back */
    p->pci.writable[0x0D] = 0xFF;            /* latency timer */
    p->pci.config[PCI_MIN_GNT] = 0x06;
    p->pci.config[PCI_MAX_LAT] = 0xFF;
    p->pci.volatile_bits[PCI_MIN_GNT] = p->pci.volatile_bits[PCI_MAX_LAT] = 0xFF; /* BCR22 */
    p->pci.config_written = config_written;
    pci_add_bar(&p->pci, 0, PCI_BAR_PORT, IO_BYTES, false, "pcnet", &io_ops, p);
    pci_add_bar(&p->pci, 1, PCI_BAR_MEMORY, IO_BYTES, false, "pcnet", &io_ops, p);
    if (config->rom)
        pci_add_rom(&p->pci, "pcnet-rom", config->rom, config->rom_len);
    pci_device_realized(&p->pci);
    net_attach_nic(net, &pcnet_nic, p);
    device_add(devices, &p->pci.device, &pcnet_class, config->instance);
    return p;
}
