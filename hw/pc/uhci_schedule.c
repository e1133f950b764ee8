/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * uhci_schedule: what the controller does with the frame list, queue heads and transfer descriptors
 * in guest memory (UHCI Design Guide 1.1, chapter 3), and when it looks at them.
 *
 * The guest owns that memory and changes it at any time: every structure is copied once and judged
 * on the copy. Lists may lead anywhere and in circles: each frame has an allowance of structures to
 * fetch and, as on the wire, of bytes to move.
 */
#include <string.h>

#include "hw/core/log.h"
#include "hw/pc/uhci_int.h"

/* Links (3.1 to 3.3) */
#define LINK_END     0x1
#define LINK_QUEUE   0x2
#define LINK_DEPTH   0x4
#define LINK_ADDRESS 0xFFFFFFF0u

/* Control and status of a transfer descriptor (3.2.2) */
#define TD_ACTUAL    0x000007FFu
#define TD_TIMEOUT   (1u << 18)
#define TD_NAK       (1u << 19)
#define TD_BABBLE    (1u << 20)
#define TD_STALLED   (1u << 22)
#define TD_ACTIVE    (1u << 23)
#define TD_IOC       (1u << 24)
#define TD_ERRORS    (3u << 27)
#define TD_ONE_ERROR (1u << 27)
#define TD_SHORT     (1u << 29) /* SPD: a short packet is to be told, and stops the queue */
#define TD_RESULTS   (0x7Eu << 16)
#define LENGTH_MAX   1280 /* 3.2.3: longer ones are not legal, but for 7FFh: no bytes */
#define LENGTH_NONE  0x7FF

#define FRAME_FETCHES 256  /* structures in a frame; one with full bandwidth has less than 100 */
#define LOOK_FETCHES  4096 /* in all frames of one look */
#define FRAME_BYTES   1500 /* 12 Mbit/s for 1 ms */
#define PACKET_BYTES  13   /* what a transaction costs beside its data (USB 1.1, 5.7.3) */
#define QUEUES        64   /* in one circle of them */
#define IDLE_SLOTS    256
#define CHUNK         64  /* entries of the frame list read at once */
#define PAUSE_MAX     128 /* frames */
#define PAUSE_TOLD    8   /* after an interrupt endpoint was heard */
#define EAGER_BUSY    16

enum td_result {
    TD_IDLE,  /* inactive, or the device had nothing */
    TD_DONE,  /* go on behind it */
    TD_STAYS, /* it ended, and its queue with it; or failed once */
    TD_FATAL, /* the controller has stopped */
};

struct td {
    uint32_t at;
    uint32_t link, status, token, buffer;
};

/* One look at the schedule. */
struct look {
    struct uhci *u;
    unsigned fetches; /* left in this frame */
    unsigned total;   /* left in all */
    int bytes;        /* left in this frame */
    unsigned moves;   /* transactions that changed something */
    unsigned signals; /* interrupts that the guest asked for, of transfers or of frames */
    bool busy;        /* a control transfer, or an error, is under way: the guest goes on soon */
    uint32_t idle[IDLE_SLOTS]; /* frame list entries behind which nothing moved; 0: none */
};

/* ---- Guest memory ---- */

static uint32_t get32(const uint8_t *p)
{
    return pci_get32(p);
}

/* 2.1.2, bit 3: the bus failed. */
static void system_error(struct uhci *u, uint32_t address)
{
    guest_error("uhci", "no memory at %08x", address);
    uhci_stop(u);
    u->sts |= UHCI_STS_SYSTEM;
}

static bool fetch(struct look *l, uint32_t address, uint8_t *buf, size_t len)
{
    if (!l->fetches || !l->total)
        return false;
    l->fetches--;
    l->total--;
    if (dma_read(l->u->dma, address, buf, len))
        return true;
    system_error(l->u, address);
    return false;
}

static bool store32(struct look *l, uint32_t address, uint32_t value)
{
    uint8_t buf[4];
    pci_set32(buf, value);
    if (dma_write(l->u->dma, address, buf, sizeof(buf)))
        return true;
    system_error(l->u, address);
    return false;
}

/* ---- One transfer descriptor ---- */

static struct usb_device *find(struct uhci *u, uint8_t address)
{
    const uint16_t on = PORT_ENABLED | PORT_SUSPEND | PORT_RESET;
    if (u->cmd & UHCI_GLOBAL_SUSPEND)
        return NULL;
    for (unsigned i = 0; i < UHCI_PORTS; i++) {
        struct usb_device *d =
            (u->portsc[i] & on) == PORT_ENABLED ? usb_find(&u->port[i], address) : NULL;
        if (d)
            return d;
    }
    return NULL;
}

static void interrupt(struct look *l, uint8_t cause)
{
    l->u->sts |= UHCI_STS_INT;
    l->u->causes |= cause;
    l->signals++;
}

/* It failed: `bits` say how. `fatal`: there is no second try (3.2.2, C_ERR does not count). */
static enum td_result td_failed(struct look *l, struct td *td, uint32_t bits, bool fatal)
{
    const uint32_t before = td->status;
    td->status |= bits;
    if (!fatal && (td->status & TD_ERRORS)) {
        td->status -= TD_ONE_ERROR;
        fatal = !(td->status & TD_ERRORS);
    }
    if (fatal) {
        td->status = (td->status | TD_STALLED) & ~TD_ACTIVE;
        l->u->sts |= UHCI_STS_ERROR;
        if (td->status & TD_IOC)
            interrupt(l, UHCI_CAUSE_IOC);
    }
    if (td->status == before) /* C_ERR 0: tried for ever; like NAK */
        return TD_IDLE;
    l->moves++;
    l->busy = true;
    return store32(l, td->at + 4, td->status) ? TD_STAYS : TD_FATAL;
}

static enum td_result td_ended(struct look *l, struct td *td, size_t wanted, size_t bytes,
                               bool queued)
{
    const bool in = (td->token & 0xFF) == USB_IN;
    const bool is_short = in && queued && (td->status & TD_SHORT) && bytes < wanted;
    td->status &= ~(TD_ACTIVE | TD_RESULTS | TD_ACTUAL);
    td->status |= (uint32_t)(bytes - 1) & TD_ACTUAL;
    l->moves++;
    if (!in || !(td->token >> 15 & 0xF))
        l->busy = true;
    if (td->status & TD_IOC)
        interrupt(l, UHCI_CAUSE_IOC);
    if (is_short)
        interrupt(l, UHCI_CAUSE_SHORT);
    if (!store32(l, td->at + 4, td->status))
        return TD_FATAL;
    return is_short ? TD_STAYS : TD_DONE;
}

/* 2.1.2, bit 4: what the guest wrote makes no sense. */
static enum td_result process_error(struct look *l, const struct td *td)
{
    guest_error("uhci", "transfer descriptor with token %08x", td->token);
    uhci_stop(l->u);
    l->u->sts |= UHCI_STS_PROCESS;
    return TD_FATAL;
}

static enum td_result run_td(struct look *l, struct td *td, bool queued)
{
    uint8_t buf[LENGTH_MAX];
    const uint8_t pid = (uint8_t)td->token;
    size_t len = td->token >> 21;
    int n;
    if (!(td->status & TD_ACTIVE)) {
        if (td->status & TD_IOC) /* 3.2.2: asked for all the same, at the end of the frame */
            interrupt(l, UHCI_CAUSE_IOC);
        return TD_IDLE;
    }
    len = len == LENGTH_NONE ? 0 : len + 1;
    if (len > LENGTH_MAX || (pid != USB_IN && pid != USB_OUT && pid != USB_SETUP))
        return process_error(l, td);
    l->bytes -= PACKET_BYTES + (int)len;
    struct usb_device *d = find(l->u, td->token >> 8 & 0x7F);
    if (!d)
        return td_failed(l, td, TD_TIMEOUT, false);
    if (pid != USB_IN && len && !dma_read(l->u->dma, td->buffer, buf, len)) {
        system_error(l->u, td->buffer);
        return TD_FATAL;
    }
    n = usb_transaction(d, (enum usb_pid)pid, td->token >> 15 & 0xF, buf, len);
    switch (n) {
    case USB_NAK:
        if (td->status & TD_NAK)
            return TD_IDLE;
        td->status |= TD_NAK;
        return store32(l, td->at + 4, td->status) ? TD_IDLE : TD_FATAL;
    case USB_STALL:
        return td_failed(l, td, 0, true);
    case USB_BABBLE:
        return td_failed(l, td, TD_BABBLE, true);
    case USB_GONE:
        return td_failed(l, td, TD_TIMEOUT, false);
    default:
        if (pid == USB_IN && n > 0 && !dma_write(l->u->dma, td->buffer, buf, (size_t)n)) {
            system_error(l->u, td->buffer);
            return TD_FATAL;
        }
        return td_ended(l, td, len, (size_t)n, queued);
    }
}

static bool fetch_td(struct look *l, uint32_t link, struct td *td)
{
    uint8_t buf[16];
    td->at = link & LINK_ADDRESS;
    if (!fetch(l, td->at, buf, sizeof(buf)))
        return false;
    td->link = get32(buf);
    td->status = get32(buf + 4);
    td->token = get32(buf + 8);
    td->buffer = get32(buf + 12);
    return true;
}

/* ---- Queues and frames ---- */

static bool frame_goes_on(const struct look *l)
{
    return l->bytes > 0 && !(l->u->sts & UHCI_STS_HALTED);
}

/* 2.1.1, SWDBG: one transaction, then RS is 0. */
static void debug_step(struct look *l, enum td_result r)
{
    if ((l->u->cmd & UHCI_DEBUG) && r != TD_IDLE && r != TD_FATAL)
        uhci_stop(l->u);
}

/* The transfer descriptors of one queue head, from `element` on; the head's copy in memory follows
 * (3.4.1). Returns the queue that an element leads to (3.3.2), or the end of a list. */
static uint32_t run_queue(struct look *l, uint32_t head, uint32_t element)
{
    while (!(element & LINK_END) && frame_goes_on(l)) {
        struct td td;
        if (element & LINK_QUEUE)
            return element;
        if (!fetch_td(l, element, &td))
            break;
        enum td_result r = run_td(l, &td, true);
        if (r == TD_DONE) {
            element = td.link;
            if (!store32(l, head + 4, element))
                break;
        }
        debug_step(l, r);
        if (r != TD_DONE || !(element & LINK_DEPTH))
            break;
    }
    return LINK_END;
}

/* Everything behind one entry of the frame list. */
static void run_frame(struct look *l, uint32_t link)
{
    uint32_t seen[QUEUES];
    unsigned count = 0;
    unsigned mark = l->moves; /* when the circle began */
    while (!(link & LINK_END) && frame_goes_on(l)) {
        if (!(link & LINK_QUEUE)) {
            struct td td;
            if (!fetch_td(l, link, &td))
                return;
            debug_step(l, run_td(l, &td, false));
            link = td.link;
            continue;
        }
        const uint32_t head = link & LINK_ADDRESS;
        for (unsigned i = 0; i < count; i++) {
            if (seen[i] != head)
                continue;
            /* Bandwidth reclamation goes round, as long as there is any use (3.4.2). */
            if (l->moves == mark)
                return;
            mark = l->moves;
            count = 0;
        }
        if (count == QUEUES)
            return;
        seen[count++] = head;
        uint8_t buf[8];
        if (!fetch(l, head, buf, sizeof(buf)))
            return;
        link = run_queue(l, head, get32(buf + 4));
        if (link & LINK_END)
            link = get32(buf);
    }
}

/* One frame, whose entry of the frame list this is. */
static void look_at_frame(struct look *l, uint32_t entry)
{
    uint32_t *idle = &l->idle[entry >> 4 & (IDLE_SLOTS - 1)];
    const unsigned moves = l->moves, signals = l->signals;
    if ((entry & LINK_END) || *idle == entry)
        return;
    l->fetches = FRAME_FETCHES;
    l->bytes = FRAME_BYTES;
    run_frame(l, entry);
    if (l->moves != moves)
        memset(l->idle, 0, sizeof(l->idle));
    else if (l->signals == signals)
        *idle = entry;
}

static void look_at_frames(struct look *l, uint64_t first, uint64_t end)
{
    struct uhci *u = l->u;
    uint8_t chunk[CHUNK * 4];
    while (first < end && l->total && !(u->sts & UHCI_STS_HALTED)) {
        const unsigned index = (unsigned)(u->frnum + first) % UHCI_LIST_SIZE;
        uint64_t n = end - first;
        if (n > CHUNK)
            n = CHUNK;
        if (n > UHCI_LIST_SIZE - index)
            n = UHCI_LIST_SIZE - index;
        if (!dma_read(u->dma, u->frbase + index * 4, chunk, (size_t)n * 4)) {
            system_error(u, u->frbase + index * 4);
            return;
        }
        for (unsigned i = 0; i < n && l->total && !(u->sts & UHCI_STS_HALTED); i++)
            look_at_frame(l, get32(chunk + (size_t)i * 4));
        first += n;
    }
}

void uhci_look(struct uhci *u)
{
    struct look l = {.u = u, .total = LOOK_FETCHES};
    const uint64_t end = uhci_frames(u);
    if (u->sts & UHCI_STS_HALTED)
        return;
    u->looks++;
    /* A frame list has 1024 entries: older frames are the same ones again. */
    if (pci_get16(u->pci.config + 4) & 0x0004)
        look_at_frames(&l, end - u->done > UHCI_LIST_SIZE ? end - UHCI_LIST_SIZE : u->done, end);
    if (u->sts & UHCI_STS_HALTED)
        return;
    u->done = end;
    if (l.busy) {
        u->pause = 1;
        if (u->eager < EAGER_BUSY)
            u->eager = EAGER_BUSY;
    } else if (l.moves) {
        u->pause = PAUSE_TOLD;
        u->eager = 0;
    } else if (u->eager) {
        u->eager--;
        u->pause = 1;
    } else if (l.signals) {
        u->pause = PAUSE_TOLD; /* it counts frames by interrupts */
    } else {
        u->pause = u->pause * 2 < PAUSE_MAX ? u->pause * 2 : PAUSE_MAX;
    }
    timer_arm(&u->timer, u->start + (u->done + u->pause) * UHCI_FRAME_NS);
}
