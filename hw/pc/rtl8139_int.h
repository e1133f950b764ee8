/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rtl8139: what its files share: registers (data sheet RTL8139D(L), chapter 5, and RTL8139C(L)+,
 * chapter 6) and state. */
#ifndef HW_PC_RTL8139_INT_H
#define HW_PC_RTL8139_INT_H

#include "hw/pc/rtl8139.h"

#define RTL_LONGEST 8191 /* what 13 bits say, in a TSD and in a C+ receive descriptor */

enum { /* CR */
       RTL_RST = 0x10,
       RTL_RE = 0x08,
       RTL_TE = 0x04,
       RTL_BUFE = 0x01,
};

enum { /* ISR and IMR */
       RTL_INT_SERR = 0x8000,
       RTL_INT_TIMEOUT = 0x4000,
       RTL_INT_SW = 0x0100,  /* C+ */
       RTL_INT_TDU = 0x0080, /* C+ */
       RTL_INT_FOVW = 0x0040,
       RTL_INT_LINK = 0x0020,
       RTL_INT_RXOVW = 0x0010, /* C+ mode: no receive descriptor */
       RTL_INT_TER = 0x0008,
       RTL_INT_TOK = 0x0004,
       RTL_INT_RER = 0x0002,
       RTL_INT_ROK = 0x0001,
       RTL_INT_ALL = 0xE1FF,
       RTL_INT_CPLUS = RTL_INT_SW | RTL_INT_TDU,
};

enum { /* RCR */
       RTL_RCR_AAP = 0x01,
       RTL_RCR_APM = 0x02,
       RTL_RCR_AM = 0x04,
       RTL_RCR_AB = 0x08,
       RTL_RCR_WRAP = 0x80,
       RTL_RCR_RBLEN = 0x1800,
       RTL_RCR_RBLEN_SHIFT = 11,
       RTL_RCR_ERTH = 0x0F000000,
       RTL_RCR_KEPT = 0x0F03FFBF, /* bit 6 says what EEPROM there is: a 93C46 */
};

enum { /* ERSR */
       RTL_ERSR_GOOD = 0x08,
       RTL_ERSR_ALL = 0x0F,
};

#define RTL_TSD_TABT  0x40000000u
#define RTL_TSD_TOK   0x00008000u
#define RTL_TSD_TUN   0x00004000u
#define RTL_TSD_OWN   0x00002000u
#define RTL_TSD_SIZE  0x00001FFFu
#define RTL_TSD_KEPT  0x003F3FFFu /* what is written: threshold, OWN, size */
#define RTL_TSD_COUNT 4

#define RTL_TCR_LOOPBACK 0x00060000u

enum { /* CPCR */
       RTL_CPCR_TX = 0x01,
       RTL_CPCR_RX = 0x02,
       RTL_CPCR_RX_CHECKSUM = 0x20,
       RTL_CPCR_RX_VLAN = 0x40,
       RTL_CPCR_KEPT = 0x7B,
};

enum { /* of a received frame, as the receive buffer's header has them */
       RTL_RX_MAR = 0x8000,
       RTL_RX_PAM = 0x4000,
       RTL_RX_BAR = 0x2000,
       RTL_RX_ROK = 0x0001,
};

#define RTL_RING 64 /* descriptors in a C+ ring, at most */

/* The serial EEPROM, a 93C46 of 64 words. */
#define RTL_EEPROM_WORDS 64
enum rtl8139_eeprom_phase {
    RTL_EEPROM_START,   /* waits for the start bit */
    RTL_EEPROM_COMMAND, /* takes operation and address */
    RTL_EEPROM_READ,    /* gives words, one after the other */
    RTL_EEPROM_WRITE,   /* takes a word for its address */
    RTL_EEPROM_WRITE_ALL,
    RTL_EEPROM_DONE, /* until it is deselected */
    RTL_EEPROM_PHASES,
};

struct rtl8139_eeprom {
    uint16_t words[RTL_EEPROM_WORDS];
    uint8_t phase; /* enum rtl8139_eeprom_phase */
    uint8_t bits;  /* shifted in or out in this phase */
    uint8_t address;
    uint16_t shift;
    bool writable; /* EWEN */
    bool out;      /* EEDO */
};

/* DTCCR's dump, in its order */
struct rtl8139_tally {
    uint64_t tx_ok, rx_ok, tx_errors;
    uint32_t rx_errors;
    uint16_t missed, alignment_errors;
    uint32_t tx_one_collision, tx_collisions;
    uint64_t rx_physical, rx_broadcast;
    uint32_t rx_multicast;
    uint16_t tx_aborted, tx_underrun;
};

/* Descriptors of one ring, from index `from` to before `end`, that were read together. */
#define RTL_AHEAD 16
struct rtl8139_ahead {
    uint64_t ring;
    unsigned first, from, end; /* `first` is at bytes[0] */
    uint8_t bytes[RTL_AHEAD * 16];
};

struct rtl8139 {
    struct pci_device pci;
    struct dma *dma;
    struct clock *clock;
    struct net *net;      /* NULL: no cable */
    bool cplus;           /* an RTL8139C+ */
    struct timer timer;   /* TimerInt */
    struct timer starved; /* C+: looks for receive descriptors again */

    uint8_t idr[NET_MAC_LEN], mar[8];
    uint32_t tsd[RTL_TSD_COUNT], tsad[RTL_TSD_COUNT]; /* C+: TNPDS and THPDS are in tsad */
    uint32_t dtccr[2];
    uint32_t rbstart;
    uint16_t erbcr;
    uint8_t ersr, cr;
    uint16_t capr, cbr, imr, isr;
    uint32_t tcr, rcr;
    uint32_t tctr; /* as of tctr_base */
    uint32_t mpc;
    uint8_t eecr, config0, config1, config3, config4, config5, msr;
    uint32_t timer_int;
    uint16_t mulint, bmcr, anar, nwaytr;
    bool link_lost; /* since BMSR was read */
    uint32_t phy1, twister;
    uint8_t phy2;
    uint8_t wake[0xD4 - 0x84]; /* CRC0-7, Wakeup0-7, LSBCRC0-7 */
    uint16_t cpcr;
    uint32_t rdsar[2];
    uint8_t etthr;
    struct rtl8139_tally tally;
    struct rtl8139_eeprom eeprom;

    uint8_t tx_next;         /* C mode: the descriptor whose turn it is */
    uint8_t polled;          /* C+: TPPoll's two rings, bit 0 normal, bit 1 high priority */
    uint8_t cp_tx[2], cp_rx; /* C+: the descriptors whose turn it is: normal, high; receive */

    /* Not saved */
    uint64_t tctr_base;   /* ns */
    uint64_t timer_due;   /* when TCTR is TimerInt's next time; CLOCK_NEVER */
    uint64_t starved_for; /* ns until the next look */
    struct rtl8139_ahead tx_ahead, rx_ahead;
    uint8_t frame[NET_MAX_FRAME];            /* what is being sent */
    uint8_t packet[4 + RTL_LONGEST + 1 + 4]; /* what is being stored */
};

/* Of all interrupts; recomputes the line, whether frames are wanted, timers. At the end of whatever
 * changes something. */
void rtl8139_update(struct rtl8139 *r);

/* Rings are begun anew: nothing that was read of them counts. */
void rtl8139_forget_rings(struct rtl8139 *r);

/* Frames that wait are sent, after the access. */
void rtl8139_kick(struct rtl8139 *r);

/* rtl8139_ring.c: C mode, and what both modes share. */
extern const struct net_nic rtl8139_nic;
bool rtl8139_transmit(struct rtl8139 *r); /* a turn; more to do? */
bool rtl8139_wants_frames(const struct rtl8139 *r);
uint32_t rtl8139_ring_bytes(const struct rtl8139 *r);
bool rtl8139_ring_empty(const struct rtl8139 *r);
/* A buffer is missing for a frame, which is kept: tells a driver that knows of nothing. */
void rtl8139_short_of_buffers(struct rtl8139 *r);
/* A frame was lost for want of a buffer. */
void rtl8139_missed(struct rtl8139 *r);
/* The frame of `len` bytes in r->frame goes out, or comes back. False: no further one now. */
bool rtl8139_send(struct rtl8139 *r, size_t len, const struct net_offload *offload);

/* rtl8139_cplus.c: C+ mode, which only an RTL8139C+ has. Its registers from E0h, of which `reg` is
 * a double word; TPPoll. */
uint32_t rtl8139_cplus_read(const struct rtl8139 *r, unsigned reg);
void rtl8139_cplus_write(struct rtl8139 *r, unsigned reg, uint32_t v);
void rtl8139_cplus_poll(struct rtl8139 *r, uint8_t v);
bool rtl8139_cplus_transmit(struct rtl8139 *r);
enum net_taken rtl8139_cplus_receive(struct rtl8139 *r, const uint8_t *frame, size_t len,
                                     uint16_t status);
void rtl8139_cplus_dump(struct rtl8139 *r); /* DTCCR */

/* rtl8139_eeprom.c */
extern const struct state_field rtl8139_eeprom_state[];
void rtl8139_eeprom_init(struct rtl8139_eeprom *e, const struct pci_id *id,
                         const uint8_t mac[NET_MAC_LEN]);
/* Its lines CS, SK, DI go from `before` to `now` (as in 9346CR); power-on: both 0. */
void rtl8139_eeprom_lines(struct rtl8139_eeprom *e, uint8_t before, uint8_t now);
/* The station address in it. */
void rtl8139_eeprom_mac(const struct rtl8139_eeprom *e, uint8_t mac[NET_MAC_LEN]);

#endif
