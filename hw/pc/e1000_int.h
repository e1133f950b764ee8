/* SPDX-License-Identifier: GPL-2.0-or-later */
/* e1000_int: what registers and interrupts (e1000.c), receiver (e1000_rx.c), transmitter
 * (e1000_tx.c), PHY and EEPROM (e1000_phy.c) share; nobody else includes this. Sections are those
 * of the SDM (see e1000.h). */
#ifndef HW_PC_E1000_INT_H
#define HW_PC_E1000_INT_H

#include "hw/pc/e1000.h"

/* The registers that are kept as they are written. Their addresses, writable bits and values after
 * a reset are in e1000.c's table. */
enum e1000_reg {
    E1000_CTRL,
    E1000_EECD,
    E1000_EERD,
    E1000_CTRL_EXT,
    E1000_FLA,
    E1000_MDIC,
    E1000_FCAL,
    E1000_FCAH,
    E1000_FCT,
    E1000_VET,
    E1000_ICR,
    E1000_ITR,
    E1000_IMS,
    E1000_RCTL,
    E1000_FCTTV,
    E1000_TXCW,
    E1000_TCTL,
    E1000_TIPG,
    E1000_AIFS,
    E1000_LEDCTL,
    E1000_PBA,
    E1000_FCRTL,
    E1000_FCRTH,
    E1000_RDFH,
    E1000_RDFT,
    E1000_RDFHS,
    E1000_RDFTS,
    E1000_RDFPC,
    E1000_RDBAL,
    E1000_RDBAH,
    E1000_RDLEN,
    E1000_RDH,
    E1000_RDT,
    E1000_RDTR,
    E1000_RXDCTL,
    E1000_RADV,
    E1000_RSRPD,
    E1000_TXDMAC,
    E1000_TDFH,
    E1000_TDFT,
    E1000_TDFHS,
    E1000_TDFTS,
    E1000_TDFPC,
    E1000_TDBAL,
    E1000_TDBAH,
    E1000_TDLEN,
    E1000_TDH,
    E1000_TDT,
    E1000_TIDV,
    E1000_TXDCTL,
    E1000_TADV,
    E1000_TSPMT,
    E1000_RXCSUM,
    E1000_WUC,
    E1000_WUFC,
    E1000_WUS,
    E1000_MANC,
    E1000_IPAV,
    E1000_WUPL,
    E1000_REGS,
    /* Those that are not: */
    E1000_STATUS = E1000_REGS,
    E1000_ICS,
    E1000_IMC,
    E1000_NOWHERE
};

/* CTRL (13.4.1) */
enum {
    CTRL_FD = 0x00000001,
    CTRL_SLU = 0x00000040,
    CTRL_SPEED = 0x00000300,
    CTRL_FRCSPD = 0x00000800,
    CTRL_FRCDPLX = 0x00001000,
    CTRL_RST = 0x04000000,
    CTRL_RFCE = 0x08000000,
    CTRL_VME = 0x40000000,
};
#define CTRL_PHY_RST 0x80000000u

/* ICR and its like (13.4.17) */
enum {
    ICR_TXDW = 0x00001,
    ICR_TXQE = 0x00002,
    ICR_LSC = 0x00004,
    ICR_RXDMT0 = 0x00010,
    ICR_RXO = 0x00040,
    ICR_RXT0 = 0x00080,
    ICR_MDAC = 0x00200,
    ICR_TXD_LOW = 0x08000,
    ICR_SRPD = 0x10000,
};
#define ICR_ALL 0x0001FFFFu /* that software can set: reserved ones too, as self tests do */

/* RCTL (13.4.22) */
enum {
    RCTL_EN = 0x00000002,
    RCTL_SBP = 0x00000004,
    RCTL_UPE = 0x00000008,
    RCTL_MPE = 0x00000010,
    RCTL_LPE = 0x00000020,
    RCTL_LBM = 0x000000C0,
    RCTL_BAM = 0x00008000,
    RCTL_VFE = 0x00040000,
    RCTL_CFIEN = 0x00080000,
    RCTL_CFI = 0x00100000,
    RCTL_DPF = 0x00400000,
    RCTL_PMCF = 0x00800000,
    RCTL_BSEX = 0x02000000,
    RCTL_SECRC = 0x04000000,
};

/* TCTL (13.4.33) */
enum { TCTL_EN = 0x02, TCTL_PSP = 0x08 };

/* Statistics (13.7): the registers' places, (address - 0x4000) / 4. */
enum {
    STAT_MPC = 0x10 / 4,
    STAT_XONRXC = 0x48 / 4,
    STAT_XOFFRXC = 0x50 / 4,
    STAT_FCRUC = 0x58 / 4,
    STAT_PRC64 = 0x5C / 4,
    STAT_GPRC = 0x74 / 4,
    STAT_BPRC = 0x78 / 4,
    STAT_MPRC = 0x7C / 4,
    STAT_GPTC = 0x80 / 4,
    STAT_GORC = 0x88 / 4, /* and the upper half */
    STAT_GOTC = 0x90 / 4,
    STAT_RNBC = 0xA0 / 4,
    STAT_ROC = 0xAC / 4,
    STAT_TOR = 0xC0 / 4,
    STAT_TOT = 0xC8 / 4,
    STAT_TPR = 0xD0 / 4,
    STAT_TPT = 0xD4 / 4,
    STAT_PTC64 = 0xD8 / 4,
    STAT_MPTC = 0xF0 / 4,
    STAT_BPTC = 0xF4 / 4,
    STAT_TSCTC = 0xF8 / 4,
    STAT_TSCTFC = 0xFC / 4,
    E1000_STATS = 0x100 / 4
};

#define E1000_FCS        4
#define E1000_MAX_FRAME  16384 /* with FCS (RCTL.LPE) */
#define E1000_DESCRIPTOR 16    /* bytes */
#define E1000_WINDOW     128   /* descriptors that are worked on at once */
#define E1000_EEPROM     64    /* words */
#define E1000_PHY_REGS   32
#define E1000_PACKET     0x2000 /* packet buffer memory: 64 KiB */

/* Descriptors of a ring, mapped from `first` on. */
struct e1000_window {
    bool open;
    uint32_t ring;  /* entries */
    uint32_t first; /* index of the first one */
    uint32_t count;
    struct dma_sg sg;
};

/* A context descriptor (3.3.6): where checksums are and how to split. */
struct e1000_context {
    uint8_t ipcss, ipcso, tucss, tucso, hdrlen;
    uint8_t command; /* TUCMD */
    uint16_t ipcse, tucse, mss;
};

/* Where the EEPROM is in a command (93C46 data sheet). */
enum e1000_eeprom_phase {
    EEPROM_IDLE,    /* waits for the start bit */
    EEPROM_COMMAND, /* operation and address */
    EEPROM_READ,    /* a word goes out, then the next one */
    EEPROM_WRITE,   /* a word comes in; it is stored when chip select falls */
    EEPROM_DONE,    /* until chip select falls */
    EEPROM_LAST = EEPROM_DONE
};

struct e1000_eeprom {
    uint8_t phase; /* enum e1000_eeprom_phase */
    uint8_t bits;  /* shifted so far */
    uint16_t shift;
    uint8_t command; /* operation and address */
    uint8_t enabled; /* writing was enabled */
    uint8_t out;     /* data output */
    uint16_t word[E1000_EEPROM];
};

struct e1000 {
    struct pci_device pci;
    struct dma *dma;
    struct clock *clock;
    struct net *net;
    struct timer timer;
    uint8_t mac[NET_MAC_LEN];
    uint8_t at[0x6000 / 4]; /* which register is there: enum e1000_reg */
    uint8_t *frame;         /* what is sent is gathered here */
    struct e1000_window rx; /* descriptors in use, until they are written back */
    uint32_t rx_used;
    uint64_t rx_back[E1000_WINDOW]; /* what is to be written to their second halves */
    struct e1000_window tx;

    /* Times on the clock; CLOCK_NEVER: none. Not saved: what waits comes at once after a load. */
    uint64_t rx_due, rx_limit, tx_due, tx_limit, irq_due, link_due;
    uint64_t turn_due; /* of the transmitter, where no wire gives it turns */
    uint64_t irq_last; /* when the line was raised last */

    /* Saved */
    uint32_t reg[E1000_REGS];
    uint32_t stat[E1000_STATS];
    uint32_t ra[32]; /* RAL and RAH in turn */
    uint32_t mta[128], vfta[128];
    uint32_t ip4at[8], ip6at[4], wupm[32], fflt[8], ffmt[256], ffvt[256];
    uint64_t packet[E1000_PACKET];
    uint32_t io_address;
    uint8_t rx_waits, tx_waits; /* RXT0, TXDW: postponed */
    uint8_t tx_skip;            /* to the end of a frame that is not sent */
    uint8_t link;               /* as STATUS.LU */
    uint8_t link_lost;          /* since the PHY's status was read */
    uint8_t negotiating;
    struct e1000_context context[2]; /* for checksums, for segmentation */
    uint16_t phy[E1000_PHY_REGS];
    struct e1000_eeprom eeprom;
};

/* ---- e1000.c ---- */

/* Causes interrupts; they go out with e1000_update_irq. */
static inline void e1000_cause(struct e1000 *e, uint32_t causes)
{
    e->reg[E1000_ICR] |= causes;
}
/* The one place where the interrupt is computed. */
void e1000_update_irq(struct e1000 *e);
/* (Re-)arms the timer for whatever comes first. */
void e1000_update_timer(struct e1000 *e);
/* Tells the wire whether frames are wanted. */
void e1000_update_receiving(struct e1000 *e);
/* Link, speed, loopback: after a change in the PHY or of the cable. */
void e1000_update_link(struct e1000 *e);

/* Frames are in, or out: RXT0 or TXDW follows, maybe later. */
void e1000_frames_in(struct e1000 *e);
void e1000_frames_out(struct e1000 *e, bool delayed);

/* Statistics: they stick at their maximum (13.7). */
static inline void e1000_count(struct e1000 *e, unsigned stat, uint32_t n)
{
    e->stat[stat] = e->stat[stat] + n < n ? UINT32_MAX : e->stat[stat] + n;
}
static inline void e1000_count64(struct e1000 *e, unsigned stat, uint64_t n)
{
    uint64_t sum = (e->stat[stat] | (uint64_t)e->stat[stat + 1] << 32) + n;
    if (sum < n)
        sum = UINT64_MAX;
    e->stat[stat] = (uint32_t)sum;
    e->stat[stat + 1] = (uint32_t)(sum >> 32);
}
/* Which of the six counters by size, from `first` on, has frames of `bytes` with FCS. */
static inline unsigned e1000_size_class(size_t bytes)
{
    return bytes <= 64    ? 0
           : bytes < 128  ? 1
           : bytes < 256  ? 2
           : bytes < 512  ? 3
           : bytes < 1024 ? 4
                          : 5;
}

/* What is sent comes back instead of going out (RCTL.LBM, the PHY's loopback). */
bool e1000_loopback(const struct e1000 *e);
static inline bool e1000_masters(const struct e1000 *e)
{
    return e->pci.config[4] & 4;
}

/* Maps `count` descriptors (1 to E1000_WINDOW, at most `ring`) from `first` on, round the end.
 * False: they are not in memory. */
bool e1000_window_open(struct e1000 *e, struct e1000_window *w, uint64_t base, uint32_t ring,
                       uint32_t first, uint32_t count);
/* The i-th of them: 16 bytes, aligned. */
uint8_t *e1000_window_at(const struct e1000_window *w, uint32_t i);
/* Unmaps; the first `used` were written to. */
void e1000_window_close(struct e1000_window *w, uint32_t used);

/* ---- e1000_rx.c ---- */

enum net_taken e1000_receive(void *opaque, const uint8_t *frame, size_t len);
/* Writes descriptors back and causes what is due. */
void e1000_received(void *opaque);

/* ---- e1000_tx.c ---- */

bool e1000_transmit(void *opaque);

/* ---- e1000_phy.c ---- */

extern const struct state_field e1000_eeprom_state[];
void e1000_eeprom_init(struct e1000 *e, uint16_t device);
/* EECD was written; what is read from it. */
void e1000_eeprom_clock(struct e1000 *e, uint32_t was);
uint32_t e1000_eeprom_pins(const struct e1000 *e);

void e1000_phy_reset(struct e1000 *e);
void e1000_mdic(struct e1000 *e, uint32_t v);
/* The PHY has a link. */
bool e1000_phy_link(const struct e1000 *e);
bool e1000_phy_loopback(const struct e1000 *e);
/* Speed as in STATUS (0: 10, 1: 100, 2: 1000 Mb/s) and whether it is full duplex. */
unsigned e1000_phy_speed(const struct e1000 *e, bool *full);
/* Starts negotiating if it is to, and the link is down meanwhile. */
void e1000_phy_negotiate(struct e1000 *e);
/* Negotiation is over. */
void e1000_phy_negotiated(struct e1000 *e);
/* The cable was plugged in or out. */
void e1000_phy_cable(void *opaque, bool up);

#endif
