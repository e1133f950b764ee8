/* SPDX-License-Identifier: GPL-2.0-or-later */
/* uhci_int: what the registers (uhci.c) and the schedule (uhci_schedule.c) share; nobody else
 * includes this. */
#ifndef HW_PC_UHCI_INT_H
#define HW_PC_UHCI_INT_H

#include "hw/pc/uhci.h"

#define UHCI_FRAME_NS  NS_PER_MS
#define UHCI_LIST_SIZE 1024
#define UHCI_FRNUM     0x7FF

/* USBCMD, USBSTS, USBINTR (2.1.1 to 2.1.3) */
enum {
    UHCI_RUN = 0x01,
    UHCI_RESET = 0x02,
    UHCI_GLOBAL_RESET = 0x04,
    UHCI_GLOBAL_SUSPEND = 0x08,
    UHCI_FORCE_RESUME = 0x10,
    UHCI_DEBUG = 0x20,
};
enum {
    UHCI_STS_INT = 0x01,
    UHCI_STS_ERROR = 0x02,
    UHCI_STS_RESUME = 0x04,
    UHCI_STS_SYSTEM = 0x08,
    UHCI_STS_PROCESS = 0x10,
    UHCI_STS_HALTED = 0x20,
};
enum {
    UHCI_INTR_ERROR = 0x01,
    UHCI_INTR_RESUME = 0x02,
    UHCI_INTR_IOC = 0x04,
    UHCI_INTR_SHORT = 0x08,
};
/* Why UHCI_STS_INT is set */
enum { UHCI_CAUSE_IOC = 1, UHCI_CAUSE_SHORT = 2 };

/* PORTSC (2.1.7) */
enum {
    PORT_CONNECTED = 0x0001,
    PORT_CONNECT_CHANGE = 0x0002,
    PORT_ENABLED = 0x0004,
    PORT_ENABLE_CHANGE = 0x0008,
    PORT_LINE_FULL = 0x0010, /* D+ high: a full-speed device idles */
    PORT_LINE_LOW = 0x0020,
    PORT_RESUME = 0x0040,
    PORT_ALWAYS = 0x0080,
    PORT_LOW_SPEED = 0x0100,
    PORT_RESET = 0x0200,
    PORT_SUSPEND = 0x1000,
};

struct uhci {
    struct pci_device pci;
    struct dma *dma;
    struct clock *clock;
    struct timer timer;
    struct usb_port port[UHCI_PORTS];

    /* Saved */
    uint16_t cmd, sts, intr;
    uint16_t frnum; /* at `start` */
    uint32_t frbase;
    uint8_t sofmod;
    uint8_t causes;
    uint16_t portsc[UHCI_PORTS]; /* without the bits that follow from the device */

    /* Since when it runs, and how many frames of that time are worked off. */
    uint64_t start, done;
    /* How long the schedule may be left alone: `pause` frames, after `eager` looks frame by frame.
     */
    unsigned pause, eager;
    uint64_t looks;
};

/* The schedule: works off the frames that are over. */
void uhci_look(struct uhci *u);

/* Frames that are over since `start`. */
uint64_t uhci_frames(const struct uhci *u);

/* Something happened that makes the schedule interesting: look at the end of this frame, and of the
 * `eager` next ones. */
void uhci_hurry(struct uhci *u, unsigned eager);

/* The one place where the interrupt line is computed. */
void uhci_update_irq(struct uhci *u);

/* RS goes to 0, by the guest, an error or a debug step. */
void uhci_stop(struct uhci *u);

#endif
