/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xhci_transfer: transfer rings, TRB by TRB, packet by packet (xHCI 1.2, 4.10, 4.11, 6.4.1). */
#include "hw/pc/xhci_int.h"

#define LINKS_MAX   8 /* links without a TRB between them: a circle */
#define EDTLA       0xFFFFFFu
#define CONTROL_DCI 1

struct usb_device *xhci_device(struct xhci *x, const struct xhci_slot *s)
{
    return xhci_port_works(x, s->port) ? usb_find(&x->port[s->port], s->address) : NULL;
}

void xhci_rewind(struct xhci_endpoint *e, uint64_t dequeue)
{
    e->dequeue = dequeue & ~UINT64_C(0xF);
    e->cycle = dequeue & 1;
    e->at = e->moved = 0;
    e->skipping = false;
    e->code = CC_SUCCESS;
}

static void tell(struct xhci *x, unsigned slot, unsigned dci, uint64_t parameter, unsigned code,
                 uint32_t length, bool event_data)
{
    xhci_event(x, TRB_TRANSFER_EVENT, parameter, code << 24 | (length & EDTLA),
               (event_data ? 4u : 0) | dci << 16 | slot << 24);
}

void xhci_stopped_event(struct xhci *x, unsigned slot, unsigned dci)
{
    const struct xhci_endpoint *e = &x->slot[slot].ep[dci];
    struct xhci_trb trb;
    if (xhci_read_trb(x, e->dequeue, &trb) && (trb.control & TRB_CYCLE) == e->cycle) {
        const uint32_t length = trb.status & 0x1FFFF;
        tell(x, slot, dci, e->dequeue, CC_STOPPED, length - (e->at < length ? e->at : length),
             false);
    }
}

static void halt(struct xhci *x, unsigned slot, unsigned dci, unsigned code, uint32_t left)
{
    struct xhci_endpoint *e = &x->slot[slot].ep[dci];
    tell(x, slot, dci, e->dequeue, code, left, false);
    e->state = EP_HALTED;
    e->rung = false;
    xhci_put_endpoint(x, slot, dci);
}

/* What moves of a TRB: Normal and Data Stage by packets, Setup and Status at once. */
struct job {
    enum usb_pid pid;
    uint32_t length;
    bool in, immediate;
};

static bool job_of(struct xhci_endpoint *e, const struct xhci_trb *trb, unsigned dci,
                   struct job *job)
{
    const unsigned type = xhci_trb_type(trb);
    *job = (struct job){.length = trb->status & 0x1FFFF, .immediate = trb->control & TRB_IDT};
    if (dci == CONTROL_DCI) {
        job->in = trb->control & TRB_IN;
        if (type == TRB_SETUP && (!job->immediate || job->length != 8))
            return false;
        if (type == TRB_DATA)
            e->in = job->in;
        else if (type == TRB_NORMAL) /* the next piece of a data stage */
            job->in = e->in;
        else if (type == TRB_STATUS)
            job->length = 0;
        else if (type != TRB_SETUP)
            return false;
    } else {
        job->in = dci & 1;
        if (type != TRB_NORMAL)
            return false;
    }
    job->pid = type == TRB_SETUP ? USB_SETUP : job->in ? USB_IN : USB_OUT;
    return !job->immediate || (job->length <= 8 && !job->in) || type == TRB_SETUP;
}

enum outcome { DONE, SHORT, WAITS, FAILED };

/* One packet after the other, from where it was left. */
static enum outcome move(struct xhci *x, unsigned slot, unsigned dci, const struct xhci_trb *trb,
                         const struct job *job)
{
    struct xhci_endpoint *e = &x->slot[slot].ep[dci];
    struct usb_device *d = xhci_device(x, &x->slot[slot]);
    uint8_t packet[USB_MAX_PACKET];
    if (!d) {
        halt(x, slot, dci, CC_TRANSACTION, job->length - e->at);
        return FAILED;
    }
    do {
        const uint32_t left = job->length - e->at;
        const size_t len = left < sizeof(packet) ? left : sizeof(packet);
        if (!job->in && job->immediate) {
            pci_set32(packet, (uint32_t)trb->parameter);
            pci_set32(packet + 4, (uint32_t)(trb->parameter >> 32));
        } else if (!job->in && len && !dma_read(x->dma, trb->parameter + e->at, packet, len)) {
            xhci_fail(x);
            return FAILED;
        }
        const int n = usb_transaction(d, job->pid, (uint8_t)(dci / 2), packet, len);
        if (n == USB_NAK)
            return WAITS;
        if (n < 0) {
            halt(x, slot, dci,
                 n == USB_STALL    ? CC_STALL
                 : n == USB_BABBLE ? CC_BABBLE
                                   : CC_TRANSACTION,
                 left);
            return FAILED;
        }
        const uint32_t got = (uint32_t)n < len ? (uint32_t)n : (uint32_t)len;
        if (job->in && got && !dma_write(x->dma, trb->parameter + e->at, packet, got)) {
            xhci_fail(x);
            return FAILED;
        }
        e->at += got;
        e->moved += got;
        if (job->in && got < len)
            return SHORT;
    } while (e->at < job->length);
    return DONE;
}

static void next_trb(struct xhci_endpoint *e, const struct xhci_trb *trb)
{
    e->dequeue += XHCI_TRB_BYTES;
    e->at = 0;
    if (!(trb->control & TRB_CHAIN)) { /* the end of the TD */
        e->skipping = false;
        e->code = CC_SUCCESS;
        e->moved = 0;
    }
}

/* False: it is not finished, or the endpoint has stopped. */
static bool transfer(struct xhci *x, unsigned slot, unsigned dci, const struct xhci_trb *trb)
{
    struct xhci_endpoint *e = &x->slot[slot].ep[dci];
    struct job job;
    if (!job_of(e, trb, dci, &job)) {
        halt(x, slot, dci, CC_TRB, trb->status & 0x1FFFF);
        e->state = EP_ERROR;
        xhci_put_endpoint(x, slot, dci);
        return false;
    }
    if (e->at > job.length) /* the guest changed it under us */
        e->at = job.length;
    if (e->skipping) {
        if (trb->control & TRB_IOC)
            tell(x, slot, dci, e->dequeue, CC_SHORT, job.length, false);
        return true;
    }
    switch (move(x, slot, dci, trb, &job)) {
    case DONE:
        if (trb->control & TRB_IOC)
            tell(x, slot, dci, e->dequeue, CC_SUCCESS, 0, false);
        return true;
    case SHORT: /* 4.10.1.1 */
        e->code = CC_SHORT;
        e->skipping = trb->control & TRB_CHAIN;
        if (trb->control & (TRB_IOC | TRB_ISP))
            tell(x, slot, dci, e->dequeue, CC_SHORT, job.length - e->at, false);
        return true;
    default:
        return false;
    }
}

/* The TRB at the place, links followed. False: none is there. */
static bool fetch(struct xhci *x, struct xhci_endpoint *e, struct xhci_trb *trb)
{
    for (unsigned links = 0; links < LINKS_MAX; links++) {
        if (!xhci_read_trb(x, e->dequeue, trb)) {
            xhci_fail(x);
            return false;
        }
        if ((trb->control & TRB_CYCLE) != e->cycle)
            return false;
        if (xhci_trb_type(trb) != TRB_LINK)
            return true;
        e->dequeue = trb->parameter & ~UINT64_C(0xF);
        e->cycle ^= trb->control & TRB_TOGGLE ? 1 : 0;
    }
    return false; /* a circle: until the next doorbell */
}

void xhci_transfers(struct xhci *x, unsigned slot, unsigned dci)
{
    struct xhci_endpoint *e = &x->slot[slot].ep[dci];
    struct xhci_trb trb;
    for (unsigned n = 0; n < XHCI_BUDGET; n++) {
        if (!xhci_runs(x) || e->state != EP_RUNNING || !e->rung)
            return;
        if (!xhci_event_room(x, 2))
            return; /* ERDP will say */
        if (!fetch(x, e, &trb)) {
            e->rung = false;
            return;
        }
        switch (xhci_trb_type(&trb)) {
        case TRB_EVENT_DATA:
            if (trb.control & TRB_IOC)
                tell(x, slot, dci, trb.parameter, e->code, e->moved, true);
            e->moved = 0;
            break;
        case TRB_NOOP:
            if (trb.control & TRB_IOC)
                tell(x, slot, dci, e->dequeue, CC_SUCCESS, 0, false);
            break;
        default:
            if (!transfer(x, slot, dci, &trb))
                return; /* port_ready will say, or the guest */
        }
        next_trb(e, &trb);
    }
    xhci_go_on(x);
}
