/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xhci_int: what registers (xhci.c), events (xhci_event.c), commands (xhci_command.c) and transfers
 * (xhci_transfer.c) share; nobody else includes this. Sections are those of xHCI 1.2. */
#ifndef HW_PC_XHCI_INT_H
#define HW_PC_XHCI_INT_H

#include "hw/pc/xhci.h"

#define XHCI_PORTS        (2 * XHCI_MAX_PORTS)
#define XHCI_SLOTS        16
#define XHCI_ENDPOINTS    31 /* device context index 1 to 31 */
#define XHCI_ERST_MAX_LOG 4  /* segments of the event ring: 16 */
#define XHCI_TRB_BYTES    16
#define XHCI_CONTEXT      32 /* bytes (CSZ is 0) */
#define XHCI_BUDGET       64 /* TRBs of one ring at a time; then the others, and the next turn */

/* USBCMD, USBSTS (5.4.1, 5.4.2) */
enum { XHCI_RUN = 1, XHCI_HCRST = 2, XHCI_INTE = 4, XHCI_HSEE = 8, XHCI_EWE = 0x400 };
enum {
    XHCI_HALTED = 0x0001,
    XHCI_HSE = 0x0004,
    XHCI_EINT = 0x0008,
    XHCI_PCD = 0x0010,
};
/* CRCR (5.4.5) */
enum { XHCI_RCS = 1, XHCI_CS = 2, XHCI_CA = 4, XHCI_CRR = 8 };
/* IMAN (5.5.2.1), ERDP (5.5.2.3.3) */
enum { XHCI_IP = 1, XHCI_IE = 2, XHCI_EHB = 8 };

/* TRB types (table 6-91) */
enum {
    TRB_NORMAL = 1,
    TRB_SETUP = 2,
    TRB_DATA = 3,
    TRB_STATUS = 4,
    TRB_LINK = 6,
    TRB_EVENT_DATA = 7,
    TRB_NOOP = 8,
    TRB_ENABLE_SLOT = 9,
    TRB_DISABLE_SLOT = 10,
    TRB_ADDRESS_DEVICE = 11,
    TRB_CONFIGURE = 12,
    TRB_EVALUATE = 13,
    TRB_RESET_ENDPOINT = 14,
    TRB_STOP_ENDPOINT = 15,
    TRB_SET_DEQUEUE = 16,
    TRB_RESET_DEVICE = 17,
    TRB_COMMAND_NOOP = 23,
    TRB_TRANSFER_EVENT = 32,
    TRB_COMMAND_EVENT = 33,
    TRB_PORT_EVENT = 34,
};

/* Bits of a TRB's fourth word (6.4) */
enum {
    TRB_CYCLE = 0x01,
    TRB_TOGGLE = 0x02, /* of a link */
    TRB_ISP = 0x04,
    TRB_CHAIN = 0x10,
    TRB_IOC = 0x20,
    TRB_IDT = 0x40,
    TRB_BSR = 0x200, /* of Address Device; of Configure Endpoint: deconfigure */
    TRB_IN = 0x10000,
};

/* Completion codes (table 6-90) */
enum {
    CC_SUCCESS = 1,
    CC_BABBLE = 3,
    CC_TRANSACTION = 4,
    CC_TRB = 5,
    CC_STALL = 6,
    CC_NO_SLOTS = 9,
    CC_SLOT_DISABLED = 11,
    CC_ENDPOINT_DISABLED = 12,
    CC_SHORT = 13,
    CC_PARAMETER = 17,
    CC_CONTEXT_STATE = 19,
    CC_RING_STOPPED = 24,
    CC_STOPPED = 26,
};

enum xhci_slot_state {
    SLOT_DISABLED,
    SLOT_ENABLED, /* no device context yet */
    SLOT_DEFAULT,
    SLOT_ADDRESSED,
    SLOT_CONFIGURED,
    SLOT_LAST = SLOT_CONFIGURED
};

enum xhci_endpoint_state { EP_DISABLED, EP_RUNNING, EP_HALTED, EP_STOPPED, EP_ERROR };

struct xhci_trb {
    uint64_t parameter;
    uint32_t status, control;
};

struct xhci_endpoint {
    uint8_t state;    /* enum xhci_endpoint_state */
    uint8_t cycle;    /* the TRBs that are ours have this cycle bit */
    uint8_t rung;     /* there is something on the ring, as far as is known */
    uint8_t skipping; /* after a short packet: to the end of the TD */
    uint8_t in;       /* which way the data stage goes, for its further TRBs */
    uint8_t code;     /* how the TD has gone so far, for Event Data */
    uint32_t at;      /* bytes moved of the TRB at `dequeue` */
    uint32_t moved;   /* of the TD (EDTLA, 4.11.5.2) */
    uint64_t dequeue;
};

struct xhci_slot {
    uint8_t state; /* enum xhci_slot_state */
    uint8_t port;  /* root port, from 0 */
    uint8_t address;
    uint64_t context;                            /* device context's address */
    struct xhci_endpoint ep[XHCI_ENDPOINTS + 1]; /* by device context index; 0 is not used */
};

struct xhci {
    struct pci_device pci;
    struct dma *dma;
    struct clock *clock;
    struct timer timer; /* endpoints and commands that are to go on */
    struct usb_port port[XHCI_MAX_PORTS];
    unsigned usb2, ports; /* how many of USB 2, and in all */
    bool level;           /* the interrupt's, for the edge that MSI wants */

    /* Saved */
    uint32_t cmd, sts, dnctrl, config;
    uint64_t dcbaap;
    uint64_t crcr;      /* where the command ring goes on, and (bit 0) its cycle bit */
    uint8_t commanding; /* CRR, and there may be commands */
    uint32_t portsc[XHCI_PORTS];
    uint8_t port_told[XHCI_PORTS]; /* the change bits are in an event already */
    uint32_t iman, imod, erstsz;
    uint64_t erstba, erdp;
    uint32_t er_segment, er_index; /* where the next event goes */
    uint8_t er_cycle;
    struct xhci_slot slot[XHCI_SLOTS + 1]; /* by slot id; 0 is not used */
    uint64_t start;                        /* of MFINDEX, on the clock */
};

/* ---- xhci.c ---- */

static inline bool xhci_runs(const struct xhci *x)
{
    return (x->cmd & XHCI_RUN) && !(x->sts & XHCI_HALTED);
}

/* The one place where the interrupt is computed. */
void xhci_update_irq(struct xhci *x);
/* A host system error (4.10.2.6): what the guest gave as memory is none. It stops. */
void xhci_fail(struct xhci *x);
/* What is left is gone on with, soon. */
void xhci_go_on(struct xhci *x);
/* Whether packets reach what is plugged in there. */
bool xhci_port_works(const struct xhci *x, unsigned port);

/* ---- xhci_event.c ---- */

/* Whether `count` events have room: what makes events waits until they have. */
bool xhci_event_room(struct xhci *x, unsigned count);
/* Puts one into the event ring (type without the shift). */
void xhci_event(struct xhci *x, unsigned type, uint64_t parameter, uint32_t status,
                uint32_t control);
/* Changes of ports that no event has told yet. */
void xhci_port_events(struct xhci *x);
/* The guest wrote ERSTBA: the ring starts anew. */
void xhci_event_restart(struct xhci *x);
/* Whether the guest has not taken all events yet. */
bool xhci_events_left(struct xhci *x);

/* ---- xhci_command.c ---- */

bool xhci_read_trb(struct xhci *x, uint64_t at, struct xhci_trb *trb);
static inline unsigned xhci_trb_type(const struct xhci_trb *trb)
{
    return trb->control >> 10 & 0x3F;
}
/* Works off the command ring. */
void xhci_commands(struct xhci *x);
/* Writes an endpoint's state and place into its context. */
void xhci_put_endpoint(struct xhci *x, unsigned slot, unsigned dci);

/* ---- xhci_transfer.c ---- */

/* Works off an endpoint's ring, as far as the device and the event ring let it. */
void xhci_transfers(struct xhci *x, unsigned slot, unsigned dci);
/* The device of a slot, if packets reach it; else NULL. */
struct usb_device *xhci_device(struct xhci *x, const struct xhci_slot *s);
/* Tells what a stopped endpoint was at. */
void xhci_stopped_event(struct xhci *x, unsigned slot, unsigned dci);
/* The endpoint starts at another place. */
void xhci_rewind(struct xhci_endpoint *e, uint64_t dequeue);

#endif
