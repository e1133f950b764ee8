/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xhci_event: the event ring of the one interrupter (xHCI 1.2, 4.9.4, 4.17, 5.5.2). */
#include "hw/pc/xhci_int.h"

#define SEGMENT_MIN 16 /* TRBs (6.5) */
#define SEGMENT_MAX 4096
#define CHANGES     0x00FE0000u /* CSC to CEC of PORTSC */
#define PORT_ID(i)  ((uint64_t)((i) + 1) << 24)

/* Segment i of the ring; false: the guest says nonsense. */
static bool segment(struct xhci *x, uint32_t i, uint64_t *base, uint32_t *size)
{
    uint8_t entry[XHCI_TRB_BYTES];
    if (i >= x->erstsz ||
        !dma_read(x->dma, x->erstba + (uint64_t)i * sizeof(entry), entry, sizeof(entry)))
        return false;
    *base = (pci_get32(entry) & ~UINT32_C(0x3F)) | (uint64_t)pci_get32(entry + 4) << 32;
    *size = pci_get16(entry + 8);
    return *size >= SEGMENT_MIN && *size <= SEGMENT_MAX;
}

/* The place after this one. */
static bool next_place(struct xhci *x, uint32_t *seg, uint32_t *index)
{
    uint64_t base;
    uint32_t size;
    if (!segment(x, *seg, &base, &size))
        return false;
    if (++*index >= size) {
        *index = 0;
        *seg = *seg + 1 < x->erstsz ? *seg + 1 : 0;
    }
    return true;
}

static uint64_t address(struct xhci *x, uint32_t seg, uint32_t index)
{
    uint64_t base;
    uint32_t size;
    if (!segment(x, seg, &base, &size) || index >= size)
        return UINT64_MAX;
    return base + (uint64_t)index * XHCI_TRB_BYTES;
}

/* The ring is full when the next place is the one that the guest looks at (4.9.4). */
bool xhci_event_room(struct xhci *x, unsigned count)
{
    uint32_t seg = x->er_segment, index = x->er_index;
    const uint64_t dequeue = x->erdp & ~UINT64_C(0xF);
    while (count--) {
        if (!next_place(x, &seg, &index))
            return true; /* there is no ring: events are lost */
        if (address(x, seg, index) == dequeue)
            return false;
    }
    return true;
}

void xhci_event(struct xhci *x, unsigned type, uint64_t parameter, uint32_t status,
                uint32_t control)
{
    uint8_t trb[XHCI_TRB_BYTES];
    const uint64_t at = address(x, x->er_segment, x->er_index);
    if (!xhci_runs(x) || !x->erstsz)
        return;
    if (at == UINT64_MAX) {
        xhci_fail(x);
        return;
    }
    pci_set32(trb, (uint32_t)parameter);
    pci_set32(trb + 4, (uint32_t)(parameter >> 32));
    pci_set32(trb + 8, status);
    pci_set32(trb + 12, control | type << 10 | x->er_cycle);
    if (!dma_write(x->dma, at, trb, sizeof(trb))) {
        xhci_fail(x);
        return;
    }
    if (!next_place(x, &x->er_segment, &x->er_index)) {
        xhci_fail(x);
        return;
    }
    if (!x->er_segment && !x->er_index)
        x->er_cycle ^= 1;
    if (!(x->erdp & XHCI_EHB)) { /* 4.17.2: the handler is not at it already */
        x->erdp |= XHCI_EHB;
        x->iman |= XHCI_IP;
        x->sts |= XHCI_EINT;
    }
}

void xhci_port_events(struct xhci *x)
{
    for (unsigned i = 0; i < x->ports; i++) {
        if (!(x->portsc[i] & CHANGES)) {
            x->port_told[i] = false;
            continue;
        }
        x->sts |= XHCI_PCD;
        if (x->port_told[i] || !xhci_runs(x) || !xhci_event_room(x, 1))
            continue;
        x->port_told[i] = true;
        xhci_event(x, TRB_PORT_EVENT, PORT_ID(i), CC_SUCCESS << 24, 0);
    }
}

void xhci_event_restart(struct xhci *x)
{
    x->er_segment = x->er_index = 0;
    x->er_cycle = 1;
}

bool xhci_events_left(struct xhci *x)
{
    return x->erstsz && address(x, x->er_segment, x->er_index) != (x->erdp & ~UINT64_C(0xF));
}
