/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pcnet_int: what the registers (pcnet.c), bus configuration registers (pcnet_bcr.c) and rings
 * (pcnet_ring.c) share; nobody else includes this. */
#ifndef HW_PC_PCNET_INT_H
#define HW_PC_PCNET_INT_H

#include "hw/core/clock.h"
#include "hw/pc/pcnet.h"

#define PCNET_CSRS 128
#define PCNET_BCRS 48
/* MCNT and BCNT have twelve bits (Receive and Transmit Descriptors). */
#define PCNET_MAX_BUFFER 4096
#define PCNET_FCS        4
/* Descriptors taken from guest memory in one go. */
#define PCNET_BATCH      16
#define PCNET_DESCRIPTOR 16 /* bytes of the larger kind */

/* CSR0: Controller Status and Control */
enum {
    CSR0_INIT = 0x0001,
    CSR0_STRT = 0x0002,
    CSR0_STOP = 0x0004,
    CSR0_TDMD = 0x0008,
    CSR0_TXON = 0x0010,
    CSR0_RXON = 0x0020,
    CSR0_IENA = 0x0040,
    CSR0_INTR = 0x0080,
    CSR0_IDON = 0x0100,
    CSR0_TINT = 0x0200,
    CSR0_RINT = 0x0400,
    CSR0_MERR = 0x0800,
    CSR0_MISS = 0x1000,
    CSR0_CERR = 0x2000,
    CSR0_BABL = 0x4000,
    CSR0_ERR = 0x8000,
    CSR0_EVENTS = 0x7F00,
    CSR0_INTERRUPTS = 0x5F00, /* CERR is none */
    CSR0_COMPUTED = CSR0_ERR | CSR0_INTR,
};

/* CSR3: Interrupt Masks and Deferral Control */
enum { CSR3_BSWP = 0x0004, CSR3_DXSUFLO = 0x0040, CSR3_KEPT = 0x5F7F };

/* CSR4: Test and Features Control. An event's mask is the bit below it. */
enum {
    CSR4_JAB = 0x0002,
    CSR4_TXSTRT = 0x0008,
    CSR4_RCVCCO = 0x0020,
    CSR4_UINT = 0x0040,
    CSR4_UINTCMD = 0x0080,
    CSR4_MFCO = 0x0200,
    CSR4_ASTRP_RCV = 0x0400,
    CSR4_APAD_XMT = 0x0800,
    CSR4_DPOLL = 0x1000,
    CSR4_MASKED = CSR4_JAB | CSR4_TXSTRT | CSR4_RCVCCO | CSR4_MFCO,
    CSR4_EVENTS = CSR4_MASKED | CSR4_UINT,
    CSR4_KEPT = 0xFD15,
    CSR4_RESET = 0x0115,
};

/* CSR5: Extended Control and Interrupt. An event's enable is the bit below it. */
enum {
    CSR5_SPND = 0x0001,
    CSR5_SINTE = 0x0400,
    CSR5_SINT = 0x0800,
    CSR5_LTINTEN = 0x4000,
    CSR5_TOKINTD = 0x8000,
    CSR5_EVENTS = 0x0A90,
    CSR5_KEPT = 0xC56F,
};

/* CSR7: Extended Control and Interrupt 2. The same. */
enum {
    CSR7_MCCINT = 0x0020,
    CSR7_MAPINT = 0x0080,
    CSR7_STINTE = 0x0400,
    CSR7_STINT = 0x0800,
    CSR7_RDMD = 0x2000,
    CSR7_EVENTS = 0x0AAA,
    CSR7_KEPT = 0xD555,
};

/* CSR15: Mode */
enum {
    MODE_DRX = 0x0001,
    MODE_DTX = 0x0002,
    MODE_LOOP = 0x0004,
    MODE_DXMTFCS = 0x0008,
    MODE_INTL = 0x0040,
    MODE_DRCVPA = 0x2000,
    MODE_DRCVBC = 0x4000,
    MODE_PROM = 0x8000,
};

/* Numbers of registers that are more than a place to store something */
enum {
    CSR_IADR = 1, /* and 2 */
    CSR_LADRF = 8,
    CSR_PADR = 12,
    CSR_MODE = 15,
    CSR_BADR = 24, /* the receive ring's base, and 25 */
    CSR_BADX = 30, /* the transmit ring's, and 31 */
    CSR_RCVRC = 72,
    CSR_XMTRC = 74,
    CSR_RCVRL = 76,
    CSR_XMTRL = 78,
    CSR_MFC = 112,
    CSR_RCC = 114,
    CSR_TEST = 124,
};
enum {
    BCR_MC = 2,
    BCR_LED0 = 4,
    BCR_FDC = 9,
    BCR_BSBC = 18,
    BCR_EECAS = 19,
    BCR_SWS = 20,
    BCR_PCILAT = 22,
    BCR_STVAL = 31,
    BCR_MIICAS = 32,
    BCR_MIIADDR = 33,
    BCR_MIIMDR = 34,
};
#define MC_APROMWE 0x0100
#define BSBC_DWIO  0x0080

/* Software styles (BCR20, SWSTYLE) */
enum { STYLE_LANCE, STYLE_ILACC, STYLE_PCNET, STYLE_PCNET_BURST };

/* TMD1 and RMD1 as a dword; the 16-bit descriptors have the upper byte of it in bits 8 to 15 of
 * their second word. */
enum {
    DESC_BCNT = 0x00000FFF,
    DESC_ENP = 0x01000000,
    DESC_STP = 0x02000000,
};
#define DESC_OWN 0x80000000u
#define DESC_ERR 0x40000000u
#define TMD_FCS  0x20000000u /* ADD_FCS, NO_FCS */
#define TMD_LT   0x10000000u /* LTINT; MORE when it comes back */
#define TMD_ONE  0x08000000u
#define TMD_DEF  0x04000000u
#define RMD_CRC  0x08000000u
#define RMD_BUFF 0x04000000u
#define RMD_PAM  0x00400000u
#define RMD_LAFM 0x00200000u
#define RMD_BAM  0x00100000u
/* TMD2 of the 32-bit kind */
#define TMD_BUFF 0x80000000u
#define TMD_UFLO 0x40000000u
#define TMD_LCAR 0x08000000u

/* Descriptors that have been read and are not used yet, in raw form. */
struct pcnet_batch {
    unsigned first, count; /* ring index of the first one; 0: none */
    unsigned used;         /* so many are in front of it in `raw` */
    uint8_t raw[PCNET_BATCH * PCNET_DESCRIPTOR];
};

/* Phases of the serial EEPROM (Microwire). */
enum pcnet_eeprom_phase { EEPROM_IDLE, EEPROM_COMMAND, EEPROM_READ, EEPROM_DONE, EEPROM_PHASES };

struct pcnet {
    struct pci_device pci;
    struct dma *dma;
    struct clock *clock;
    struct net *net; /* NULL: no cable */
    uint8_t mac[NET_MAC_LEN];

    /* Saved */
    uint16_t csr[PCNET_CSRS];
    uint16_t bcr[PCNET_BCRS];
    uint16_t rap;
    uint8_t aprom[16];
    uint16_t rx_at, tx_at; /* index of the current descriptor */
    bool rang;             /* TDMD was written since the transmitter went on */
    bool timer_runs;       /* the software timer */
    uint64_t timer_start;  /* when its present period began */
    uint8_t eeprom_phase, eeprom_bits;
    uint16_t eeprom_shift;
    uint8_t eeprom_address;
    bool eeprom_out;
    uint16_t phy_control, phy_advertised;
    bool phy_link_lost; /* since ANR1 was last read */

    struct timer poll_timer; /* looks whether a transmit descriptor has become ours */
    uint64_t poll_wait;
    bool poll_found;       /* once it had */
    struct timer rx_timer; /* looks whether a receive descriptor has */
    struct timer soft_timer;
    bool rx_held, rx_starved; /* a frame waits for a buffer; none came in time */
    uint64_t rx_since, rx_wait;
    struct pcnet_batch rx, tx;
    uint8_t frame[PCNET_MAX_BUFFER + PCNET_FCS]; /* as on the wire */
};

static inline bool pcnet_masters_bus(const struct pcnet *p)
{
    return p->pci.config[0x04] & 4;
}

/* Registers may be written that must not change under way. */
static inline bool pcnet_is_still(const struct pcnet *p)
{
    return (p->csr[0] & CSR0_STOP) || (p->csr[5] & CSR5_SPND);
}

static inline bool pcnet_link_up(const struct pcnet *p)
{
    return p->net && net_link_up(p->net);
}

/* ---- pcnet.c ---- */

/* The one place where the interrupt line is computed. */
void pcnet_update_irq(struct pcnet *p);

/* To be called after whatever may have changed what the chip waits for: interrupt line, receiver,
 * poll. */
void pcnet_settle(struct pcnet *p);

/* Asks for a turn of the transmitter. */
void pcnet_kick(struct pcnet *p);

/* STOP was set, by the guest or an error. */
void pcnet_stop(struct pcnet *p);

/* ---- pcnet_ring.c ---- */

/* INIT: reads the initialisation block. False: it could not, and nothing is started. */
bool pcnet_init(struct pcnet *p);

/* Entries of a ring, 1 to 65535; `length` is its CSR. */
unsigned pcnet_ring_length(uint16_t length);

/* Address of entry `at`; base: number of the base address' CSR. */
uint32_t pcnet_descriptor(const struct pcnet *p, unsigned base, unsigned at);

/* What has been read of the rings is forgotten. */
void pcnet_forget(struct pcnet *p);

/* The transmitter has gone on, or a register was touched: should descriptors be looked at? */
void pcnet_poll_soon(struct pcnet *p);

void pcnet_poll(void *opaque);     /* poll_timer */
void pcnet_rx_retry(void *opaque); /* rx_timer */

extern const struct net_nic pcnet_nic;

/* ---- pcnet_bcr.c ---- */

uint16_t pcnet_bcr_read(struct pcnet *p, unsigned n);
void pcnet_bcr_write(struct pcnet *p, unsigned n, uint16_t v);
void pcnet_bcr_reset(struct pcnet *p);    /* H_RESET */
void pcnet_timer_update(struct pcnet *p); /* STINT, if it is over, and the same */
void pcnet_timer_arm(struct pcnet *p);    /* when it is due */
void pcnet_timer_over(void *opaque);
void pcnet_link_changed(void *opaque, bool up);

#endif
