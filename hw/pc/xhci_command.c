/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xhci_command: the command ring, slots and contexts (xHCI 1.2, 4.6, 6.2, 6.4.3). */
#include <string.h>

#include "hw/pc/xhci_int.h"

#define LINKS_MAX 8

/* Slot context, fourth word: state (6.2.2) */
enum { CONTEXT_DEFAULT = 1, CONTEXT_ADDRESSED = 2, CONTEXT_CONFIGURED = 3 };

enum { SET_ADDRESS = 5 };

bool xhci_read_trb(struct xhci *x, uint64_t at, struct xhci_trb *trb)
{
    uint8_t raw[XHCI_TRB_BYTES];
    if (!dma_read(x->dma, at, raw, sizeof(raw)))
        return false;
    trb->parameter = pci_get32(raw) | (uint64_t)pci_get32(raw + 4) << 32;
    trb->status = pci_get32(raw + 8);
    trb->control = pci_get32(raw + 12);
    return true;
}

static uint32_t get32(struct xhci *x, uint64_t at)
{
    uint8_t raw[4] = {0};
    if (!dma_read(x->dma, at, raw, sizeof(raw)))
        xhci_fail(x);
    return pci_get32(raw);
}

static void put32(struct xhci *x, uint64_t at, uint32_t v)
{
    uint8_t raw[4];
    pci_set32(raw, v);
    if (!dma_write(x->dma, at, raw, sizeof(raw)))
        xhci_fail(x);
}

/* Context `dci` of a device context; of an input context, one further. */
static uint64_t context(const struct xhci_slot *s, unsigned dci)
{
    return s->context + (uint64_t)dci * XHCI_CONTEXT;
}

static uint64_t input(uint64_t base, unsigned dci)
{
    return base + (uint64_t)(dci + 1) * XHCI_CONTEXT;
}

static void copy_context(struct xhci *x, uint64_t to, uint64_t from)
{
    uint8_t raw[XHCI_CONTEXT];
    if (!dma_read(x->dma, from, raw, sizeof(raw)) || !dma_write(x->dma, to, raw, sizeof(raw)))
        xhci_fail(x);
}

/* Address and state of the slot's context. */
static void put_slot(struct xhci *x, const struct xhci_slot *s)
{
    const uint32_t state = s->state == SLOT_CONFIGURED  ? CONTEXT_CONFIGURED
                           : s->state == SLOT_ADDRESSED ? CONTEXT_ADDRESSED
                           : s->state == SLOT_DEFAULT   ? CONTEXT_DEFAULT
                                                        : 0;
    put32(x, context(s, 0) + 12, state << 27 | s->address);
}

void xhci_put_endpoint(struct xhci *x, unsigned slot, unsigned dci)
{
    const struct xhci_slot *s = &x->slot[slot];
    const struct xhci_endpoint *e = &s->ep[dci];
    const uint64_t at = context(s, dci);
    put32(x, at, (get32(x, at) & ~7u) | e->state);
    put32(x, at + 8, (uint32_t)e->dequeue | e->cycle);
    put32(x, at + 12, (uint32_t)(e->dequeue >> 32));
}

/* From its context. */
static void start_endpoint(struct xhci *x, unsigned slot, unsigned dci)
{
    struct xhci_slot *s = &x->slot[slot];
    struct xhci_endpoint *e = &s->ep[dci];
    const uint64_t at = context(s, dci);
    *e = (struct xhci_endpoint){.state = EP_RUNNING};
    xhci_rewind(e, get32(x, at + 8) | (uint64_t)get32(x, at + 12) << 32);
    xhci_put_endpoint(x, slot, dci);
}

static void forget_endpoints(struct xhci *x, unsigned slot, unsigned from)
{
    for (unsigned dci = from; dci <= XHCI_ENDPOINTS; dci++) {
        if (x->slot[slot].ep[dci].state != EP_DISABLED)
            put32(x, context(&x->slot[slot], dci), 0);
        x->slot[slot].ep[dci] = (struct xhci_endpoint){0};
    }
}

/* ---- Commands: each returns its completion code ---- */

static unsigned enable_slot(struct xhci *x, unsigned *slot)
{
    for (unsigned i = 1; i <= (x->config & 0xFF) && i <= XHCI_SLOTS; i++) {
        if (x->slot[i].state != SLOT_DISABLED)
            continue;
        x->slot[i] = (struct xhci_slot){.state = SLOT_ENABLED};
        *slot = i;
        return CC_SUCCESS;
    }
    return CC_NO_SLOTS;
}

static unsigned disable_slot(struct xhci *x, unsigned slot)
{
    struct xhci_slot *s = &x->slot[slot];
    if (s->state > SLOT_ENABLED) {
        forget_endpoints(x, slot, 1);
        put32(x, context(s, 0) + 12, 0);
    }
    *s = (struct xhci_slot){0};
    return CC_SUCCESS;
}

/* The device that was reset last, and answers at address 0, gets the slot's number for one (4.6.5).
 */
static unsigned set_address(struct xhci *x, unsigned slot)
{
    struct xhci_slot *s = &x->slot[slot];
    uint8_t setup[8] = {0, SET_ADDRESS, (uint8_t)slot}, none[1];
    struct usb_device *d = xhci_device(x, s);
    if (!d || usb_transaction(d, USB_SETUP, 0, setup, sizeof(setup)) < 0 ||
        usb_transaction(d, USB_IN, 0, none, 0) < 0)
        return CC_TRANSACTION;
    s->address = (uint8_t)slot;
    return CC_SUCCESS;
}

static unsigned address_device(struct xhci *x, unsigned slot, const struct xhci_trb *trb)
{
    struct xhci_slot *s = &x->slot[slot];
    const uint64_t in = trb->parameter & ~UINT64_C(0xF);
    const bool block = trb->control & TRB_BSR;
    if ((get32(x, in + 4) & 3) != 3)
        return CC_PARAMETER;
    if (s->state > SLOT_DEFAULT || (block && s->state != SLOT_ENABLED))
        return CC_CONTEXT_STATE;
    const unsigned port = get32(x, input(in, 0) + 4) >> 16 & 0xFF;
    if (port < 1 || port > x->usb2)
        return CC_PARAMETER;
    for (unsigned i = 1; i <= XHCI_SLOTS; i++) /* two would answer */
        if (i != slot && x->slot[i].state == SLOT_DEFAULT && x->slot[i].port == port - 1)
            return CC_CONTEXT_STATE;
    uint8_t place[8];
    if (!dma_read(x->dma, x->dcbaap + slot * sizeof(place), place, sizeof(place))) {
        xhci_fail(x);
        return CC_PARAMETER;
    }
    s->context = (pci_get32(place) | (uint64_t)pci_get32(place + 4) << 32) & ~UINT64_C(0x3F);
    s->port = (uint8_t)(port - 1);
    s->address = 0;
    if (!xhci_device(x, s))
        return CC_TRANSACTION;
    if (!block && set_address(x, slot) != CC_SUCCESS)
        return CC_TRANSACTION;
    copy_context(x, context(s, 0), input(in, 0));
    copy_context(x, context(s, 1), input(in, 1));
    s->state = block ? SLOT_DEFAULT : SLOT_ADDRESSED;
    put_slot(x, s);
    start_endpoint(x, slot, 1);
    return CC_SUCCESS;
}

/* 4.6.6. Bandwidth there is enough of. */
static unsigned configure(struct xhci *x, unsigned slot, const struct xhci_trb *trb)
{
    struct xhci_slot *s = &x->slot[slot];
    const uint64_t in = trb->parameter & ~UINT64_C(0xF);
    if (s->state < SLOT_ADDRESSED)
        return CC_CONTEXT_STATE;
    if (trb->control & TRB_BSR) {
        forget_endpoints(x, slot, 2);
        s->state = SLOT_ADDRESSED;
        put_slot(x, s);
        return CC_SUCCESS;
    }
    const uint32_t drop = get32(x, in), add = get32(x, in + 4);
    if ((drop & 3) || (add & 3) != 1)
        return CC_PARAMETER;
    bool any = false;
    for (unsigned dci = 2; dci <= XHCI_ENDPOINTS; dci++) {
        if (drop >> dci & 1 && s->ep[dci].state != EP_DISABLED) {
            s->ep[dci] = (struct xhci_endpoint){0};
            put32(x, context(s, dci), 0);
        }
        if (add >> dci & 1) {
            if (s->ep[dci].state != EP_DISABLED)
                return CC_CONTEXT_STATE;
            copy_context(x, context(s, dci), input(in, dci));
            start_endpoint(x, slot, dci);
        }
        any = any || s->ep[dci].state != EP_DISABLED;
    }
    /* Context Entries, and what a hub says of itself. */
    copy_context(x, context(s, 0), input(in, 0));
    s->state = any ? SLOT_CONFIGURED : SLOT_ADDRESSED;
    put_slot(x, s);
    return CC_SUCCESS;
}

/* 4.6.7: the largest packet and the latency, which the wire here does not ask for. */
static unsigned evaluate(struct xhci *x, unsigned slot, const struct xhci_trb *trb)
{
    struct xhci_slot *s = &x->slot[slot];
    const uint64_t in = trb->parameter & ~UINT64_C(0xF);
    if (s->state < SLOT_DEFAULT)
        return CC_CONTEXT_STATE;
    const uint32_t add = get32(x, in + 4);
    if (get32(x, in) || (add & ~3u))
        return CC_PARAMETER;
    if (add & 1)
        put32(x, context(s, 0) + 4,
              (get32(x, context(s, 0) + 4) & 0xFFFF0000) | (get32(x, input(in, 0) + 4) & 0xFFFF));
    if (add & 2)
        put32(x, context(s, 1) + 4,
              (get32(x, context(s, 1) + 4) & 0xFFFF) | (get32(x, input(in, 1) + 4) & 0xFFFF0000));
    return CC_SUCCESS;
}

static unsigned endpoint_command(struct xhci *x, unsigned slot, const struct xhci_trb *trb)
{
    const unsigned dci = trb->control >> 16 & 0x1F;
    struct xhci_endpoint *e = &x->slot[slot].ep[dci];
    if (!dci)
        return CC_TRB;
    if (e->state == EP_DISABLED)
        return x->slot[slot].state > SLOT_ENABLED ? CC_ENDPOINT_DISABLED : CC_CONTEXT_STATE;
    switch (xhci_trb_type(trb)) {
    case TRB_RESET_ENDPOINT: /* 4.6.8 */
        if (e->state != EP_HALTED)
            return CC_CONTEXT_STATE;
        e->at = e->moved = 0;
        e->skipping = false;
        break;
    case TRB_STOP_ENDPOINT: /* 4.6.9 */
        if (e->state != EP_RUNNING)
            return CC_CONTEXT_STATE;
        xhci_stopped_event(x, slot, dci);
        break;
    default: /* 4.6.10 */
        if (e->state != EP_STOPPED && e->state != EP_ERROR)
            return CC_CONTEXT_STATE;
        xhci_rewind(e, trb->parameter);
        break;
    }
    e->state = EP_STOPPED;
    e->rung = false;
    xhci_put_endpoint(x, slot, dci);
    return CC_SUCCESS;
}

/* 4.6.11: the device itself is reset through its port. */
static unsigned reset_device(struct xhci *x, unsigned slot)
{
    struct xhci_slot *s = &x->slot[slot];
    if (s->state < SLOT_ADDRESSED)
        return CC_CONTEXT_STATE;
    forget_endpoints(x, slot, 2);
    s->state = SLOT_DEFAULT;
    s->address = 0;
    put_slot(x, s);
    return CC_SUCCESS;
}

static unsigned carry_out(struct xhci *x, const struct xhci_trb *trb, unsigned *slot)
{
    const unsigned type = xhci_trb_type(trb);
    if (type == TRB_COMMAND_NOOP)
        return CC_SUCCESS;
    if (type == TRB_ENABLE_SLOT)
        return enable_slot(x, slot);
    if (type < TRB_DISABLE_SLOT || type > TRB_RESET_DEVICE)
        return CC_TRB;
    *slot = trb->control >> 24;
    if (*slot < 1 || *slot > XHCI_SLOTS || x->slot[*slot].state == SLOT_DISABLED)
        return CC_SLOT_DISABLED;
    switch (type) {
    case TRB_DISABLE_SLOT:
        return disable_slot(x, *slot);
    case TRB_ADDRESS_DEVICE:
        return address_device(x, *slot, trb);
    case TRB_CONFIGURE:
        return configure(x, *slot, trb);
    case TRB_EVALUATE:
        return evaluate(x, *slot, trb);
    case TRB_RESET_DEVICE:
        return reset_device(x, *slot);
    default:
        return endpoint_command(x, *slot, trb);
    }
}

/* ---- The ring (4.6.1, 4.9.3) ---- */

void xhci_commands(struct xhci *x)
{
    struct xhci_trb trb;
    unsigned links = 0;
    for (unsigned n = 0; n < XHCI_BUDGET; n++) {
        if (!xhci_runs(x) || !x->commanding)
            return;
        if (!xhci_event_room(x, 3)) /* one of the endpoint that a command stops, too */
            return;
        const uint64_t at = x->crcr & ~UINT64_C(0xF);
        if (!xhci_read_trb(x, at, &trb)) {
            xhci_fail(x);
            return;
        }
        if ((trb.control & TRB_CYCLE) != (x->crcr & XHCI_RCS))
            return;
        if (xhci_trb_type(&trb) == TRB_LINK) {
            const uint64_t cycle = (x->crcr & XHCI_RCS) ^ (trb.control & TRB_TOGGLE ? 1 : 0);
            x->crcr = (trb.parameter & ~UINT64_C(0xF)) | cycle;
            if (++links == LINKS_MAX) /* a circle: until the next doorbell */
                return;
            continue;
        }
        links = 0;
        unsigned slot = 0;
        const unsigned code = carry_out(x, &trb, &slot);
        x->crcr += XHCI_TRB_BYTES;
        xhci_event(x, TRB_COMMAND_EVENT, at, code << 24, slot << 24);
    }
    xhci_go_on(x);
}
