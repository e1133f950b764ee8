/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xhci: registers, ports, interrupt and life (see xhci.h). Sections are those of xHCI 1.2. */
#include "hw/pc/xhci_int.h"

#include <stdlib.h>

#include "hw/core/log.h"

#define MMIO_SIZE   0x4000
#define CAP_LENGTH  0x40 /* operational registers begin here … */
#define PORTS       0x440
#define RUNTIME     0x1000
#define INTERRUPTER 0x1020
#define DOORBELLS   0x2000
#define CAP_MSI     0x70
#define SBRN        0x60 /* 5.2.3 */

#define WAKE_NS       (NS_PER_MS)
#define MICROFRAME_NS 125000
#define MFINDEX       0x3FFF

/* PORTSC (5.4.8) */
enum {
    PORT_CCS = 0x00000001,
    PORT_PED = 0x00000002,
    PORT_PR = 0x00000010,
    PORT_PLS = 0x000001E0,
    PORT_PP = 0x00000200,
    PORT_SPEED = 0x00003C00,
    PORT_PIC = 0x0000C000,
    PORT_LWS = 0x00010000,
    PORT_CSC = 0x00020000,
    PORT_PEC = 0x00040000,
    PORT_PRC = 0x00200000,
    PORT_PLC = 0x00400000,
    PORT_CHANGES = 0x00FE0000,
    PORT_WAKE = 0x0E000000,
    PORT_SAVED =
        PORT_CCS | PORT_PED | PORT_PLS | PORT_PP | PORT_SPEED | PORT_PIC | PORT_CHANGES | PORT_WAKE,
};
#define PLS(state) ((uint32_t)(state) << 5)
enum { U0 = 0, U3 = 3, RX_DETECT = 5, POLLING = 7, RESUME = 15 };
enum { SPEED_FULL = 1, SPEED_LOW = 2 };

static const struct state_field endpoint_state[] = {
    STATE_LIMIT(struct xhci_endpoint, state, EP_ERROR),
    STATE_BOOL(struct xhci_endpoint, cycle),
    STATE_BOOL(struct xhci_endpoint, rung),
    STATE_BOOL(struct xhci_endpoint, skipping),
    STATE_BOOL(struct xhci_endpoint, in),
    STATE_UINT(struct xhci_endpoint, code),
    STATE_LIMIT(struct xhci_endpoint, at, 0x1FFFF),
    STATE_UINT(struct xhci_endpoint, moved),
    STATE_UINT(struct xhci_endpoint, dequeue),
    STATE_FIELDS_END,
};

static const struct state_field slot_state[] = {
    STATE_LIMIT(struct xhci_slot, state, SLOT_LAST),
    STATE_LIMIT(struct xhci_slot, port, XHCI_MAX_PORTS - 1),
    STATE_LIMIT(struct xhci_slot, address, XHCI_SLOTS),
    STATE_UINT(struct xhci_slot, context),
    STATE_STRUCTS(struct xhci_slot, ep, endpoint_state),
    STATE_FIELDS_END,
};

static const struct state_field fields[] = {
    STATE_PCI(struct xhci),
    STATE_LIMIT(struct xhci, cmd, XHCI_RUN | XHCI_INTE | XHCI_HSEE | XHCI_EWE),
    STATE_LIMIT(struct xhci, sts, XHCI_HALTED | XHCI_HSE | XHCI_EINT | XHCI_PCD,
                .reset = XHCI_HALTED),
    STATE_LIMIT(struct xhci, dnctrl, 0xFFFF),
    STATE_LIMIT(struct xhci, config, XHCI_SLOTS),
    STATE_UINT(struct xhci, dcbaap),
    STATE_UINT(struct xhci, crcr),
    STATE_BOOL(struct xhci, commanding),
    STATE_ARRAY(struct xhci, portsc),
    STATE_ARRAY(struct xhci, port_told),
    STATE_LIMIT(struct xhci, iman, XHCI_IP | XHCI_IE),
    STATE_UINT(struct xhci, imod, .reset = 4000), /* 1 ms (5.5.2.2) */
    STATE_LIMIT(struct xhci, erstsz, 1 << XHCI_ERST_MAX_LOG),
    STATE_UINT(struct xhci, erstba),
    STATE_UINT(struct xhci, erdp),
    STATE_LIMIT(struct xhci, er_segment, 1 << XHCI_ERST_MAX_LOG),
    STATE_LIMIT(struct xhci, er_index, 4096),
    STATE_BOOL(struct xhci, er_cycle, .reset = 1),
    STATE_STRUCTS(struct xhci, slot, slot_state),
    STATE_FIELDS_END,
};

/* ---- Interrupt (4.17) ---- */

void xhci_update_irq(struct xhci *x)
{
    const bool level = (x->iman & XHCI_IP) && (x->iman & XHCI_IE) && (x->cmd & XHCI_INTE);
    if (pci_msi_enabled(&x->pci)) {
        if (level && !x->level)
            pci_msi_send(&x->pci);
        if (level) /* 5.5.2.1: the message takes it along */
            x->iman &= ~(uint32_t)XHCI_IP;
        x->level = false;
        pci_set_intx(&x->pci, false);
        return;
    }
    x->level = level;
    pci_set_intx(&x->pci, level);
}

void xhci_fail(struct xhci *x)
{
    if (!(x->sts & XHCI_HSE))
        guest_error("xhci", "a ring or context is not in memory");
    x->sts |= XHCI_HSE | XHCI_HALTED;
    x->cmd &= ~(uint32_t)XHCI_RUN;
}

/* ---- Work ---- */

void xhci_go_on(struct xhci *x)
{
    if (!timer_armed(&x->timer))
        timer_arm_in(&x->timer, WAKE_NS);
}

/* Whatever may go on does. */
static void work(struct xhci *x)
{
    xhci_port_events(x);
    xhci_commands(x);
    for (unsigned slot = 1; slot <= XHCI_SLOTS && xhci_runs(x); slot++) {
        if (x->slot[slot].state <= SLOT_ENABLED)
            continue;
        for (unsigned dci = 1; dci <= XHCI_ENDPOINTS; dci++)
            if (x->slot[slot].ep[dci].rung)
                xhci_transfers(x, slot, dci);
    }
}

static void time_is_up(void *opaque)
{
    struct xhci *x = opaque;
    work(x);
    xhci_update_irq(x);
}

/* ---- Ports (4.15, 4.19) ---- */

static uint32_t link_state(uint32_t portsc)
{
    return (portsc & PORT_PLS) >> 5;
}

static void set_link(struct xhci *x, unsigned i, uint32_t state)
{
    x->portsc[i] = (x->portsc[i] & ~(uint32_t)PORT_PLS) | PLS(state);
}

/* What is plugged in, as after power-on. */
static void find_device(struct xhci *x, unsigned i)
{
    const struct usb_device *d = i < x->usb2 ? x->port[i].device : NULL;
    x->portsc[i] = PORT_PP | PLS(RX_DETECT) | (x->portsc[i] & (PORT_CHANGES | PORT_WAKE));
    if (d)
        x->portsc[i] = PORT_PP | PLS(POLLING) | PORT_CCS |
                       (x->portsc[i] & (PORT_CHANGES | PORT_WAKE)) |
                       (d->ops->speed == USB_LOW_SPEED ? SPEED_LOW : SPEED_FULL) << 10;
}

bool xhci_port_works(const struct xhci *x, unsigned port)
{
    return port < x->usb2 && (x->portsc[port] & PORT_PED) && link_state(x->portsc[port]) == U0;
}

static void reset_port(struct xhci *x, unsigned i)
{
    if (!(x->portsc[i] & PORT_CCS))
        return;
    usb_bus_reset(&x->port[i]);
    x->portsc[i] |= PORT_PED | PORT_PRC;
    set_link(x, i, U0);
}

/* 4.15.1, 4.15.2: sleep and waking by the guest; anything else is not for software. */
static void write_link(struct xhci *x, unsigned i, uint32_t state)
{
    const uint32_t was = link_state(x->portsc[i]);
    if (!(x->portsc[i] & PORT_PED))
        return;
    if (state == U3 && was == U0)
        set_link(x, i, U3);
    else if (state == RESUME && was == U3)
        set_link(x, i, RESUME);
    else if (state == U0 && (was == U3 || was == RESUME)) {
        set_link(x, i, U0);
        x->portsc[i] |= PORT_PLC;
    }
}

static void write_portsc(struct xhci *x, unsigned i, uint32_t v)
{
    x->portsc[i] &= ~(v & PORT_CHANGES);
    x->portsc[i] =
        (x->portsc[i] & ~(uint32_t)(PORT_WAKE | PORT_PIC)) | (v & (PORT_WAKE | PORT_PIC));
    if (v & PORT_PED) /* written as 1 it goes off */
        x->portsc[i] &= ~(uint32_t)PORT_PED;
    if (v & PORT_LWS)
        write_link(x, i, link_state(v));
    if (v & PORT_PR)
        reset_port(x, i);
}

static void port_attached(void *opaque, unsigned i)
{
    struct xhci *x = opaque;
    find_device(x, i);
    x->portsc[i] |= PORT_CSC;
    xhci_port_events(x);
    xhci_update_irq(x);
}

static void port_detached(void *opaque, unsigned i)
{
    struct xhci *x = opaque;
    find_device(x, i);
    x->portsc[i] |= PORT_CSC;
    xhci_port_events(x);
    xhci_update_irq(x);
    xhci_go_on(x); /* endpoints that wait for it fail now */
}

static void port_ready(void *opaque, unsigned i)
{
    struct xhci *x = opaque;
    if (xhci_runs(x) && xhci_port_works(x, i))
        xhci_go_on(x);
}

static void port_wake(void *opaque, unsigned i)
{
    struct xhci *x = opaque;
    if (link_state(x->portsc[i]) != U3)
        return;
    set_link(x, i, RESUME);
    x->portsc[i] |= PORT_PLC;
    xhci_port_events(x);
    xhci_update_irq(x);
}

static bool port_suspended(void *opaque, unsigned i)
{
    const struct xhci *x = opaque;
    return link_state(x->portsc[i]) == U3;
}

static const struct usb_port_ops port_ops = {
    .attached = port_attached,
    .detached = port_detached,
    .ready = port_ready,
    .wake = port_wake,
    .suspended = port_suspended,
};

struct usb_port *xhci_port(struct xhci *x, unsigned i)
{
    return &x->port[i % x->usb2];
}

/* ---- Registers ---- */

static void reset_registers(struct xhci *x)
{
    timer_disarm(&x->timer);
    state_reset(fields, x);
    x->start = clock_now(x->clock);
    for (unsigned i = 0; i < x->ports; i++) {
        find_device(x, i);
        if (x->portsc[i] & PORT_CCS)
            x->portsc[i] |= PORT_CSC;
    }
}

static void write_command(struct xhci *x, uint32_t v)
{
    if (v & XHCI_HCRST) {
        reset_registers(x);
        return;
    }
    x->cmd = v & (XHCI_RUN | XHCI_INTE | XHCI_HSEE | XHCI_EWE);
    if (x->sts & XHCI_HSE)
        x->cmd &= ~(uint32_t)XHCI_RUN;
    if (x->cmd & XHCI_RUN) {
        x->sts &= ~(uint32_t)XHCI_HALTED;
    } else {
        x->sts |= XHCI_HALTED;
        x->commanding = false; /* 5.4.5: CRR goes */
    }
}

/* 5.4.5. The pointer only while it stands; abort and stop are at once. */
static void write_crcr(struct xhci *x, uint32_t v)
{
    if (x->commanding && (v & (XHCI_CS | XHCI_CA))) {
        x->commanding = false;
        xhci_event(x, TRB_COMMAND_EVENT, x->crcr & ~UINT64_C(0xF), CC_RING_STOPPED << 24, 0);
        return;
    }
    if (!x->commanding)
        x->crcr = (x->crcr & ~UINT64_C(0xFFFFFFFF)) | (v & 0xFFFFFFC1u);
}

static void write_high(uint64_t *reg, uint32_t v)
{
    *reg = (uint32_t)*reg | (uint64_t)v << 32;
}

static uint32_t read_capability(const struct xhci *x, unsigned offset)
{
    const uint32_t words[CAP_LENGTH / 4] = {
        [0x00 / 4] = 0x0100u << 16 | CAP_LENGTH, /* version 1.0 */
        [0x04 / 4] = x->ports << 24 | 1u << 8 | XHCI_SLOTS,
        [0x08 / 4] = XHCI_ERST_MAX_LOG << 4 | 1, /* IST: one microframe */
        [0x10 / 4] = (0x20 / 4) << 16 | 1,       /* extended capabilities; 64-bit addresses */
        [0x14 / 4] = DOORBELLS,
        [0x18 / 4] = RUNTIME,
        /* 7.2: which protocol on which ports */
        [0x20 / 4] = 0x0200u << 16 | (0x10 / 4) << 8 | 2,
        [0x24 / 4] = 0x20425355, /* "USB " */
        [0x28 / 4] = x->usb2 << 8 | 1,
        [0x30 / 4] = 0x0300u << 16 | 2,
        [0x34 / 4] = 0x20425355,
        [0x38 / 4] = (x->ports - x->usb2) << 8 | (1 + x->usb2),
    };
    return words[offset / 4];
}

static uint32_t read_operational(const struct xhci *x, unsigned offset)
{
    switch (offset) {
    case 0x00:
        return x->cmd;
    case 0x04:
        return x->sts;
    case 0x08:
        return 1; /* pages of 4 KiB */
    case 0x14:
        return x->dnctrl;
    case 0x18: /* 5.4.5: all but CRR reads as 0 */
        return x->commanding ? XHCI_CRR : 0;
    case 0x30:
        return (uint32_t)x->dcbaap;
    case 0x34:
        return (uint32_t)(x->dcbaap >> 32);
    case 0x38:
        return x->config;
    default:
        return 0;
    }
}

static void write_operational(struct xhci *x, unsigned offset, uint32_t v)
{
    switch (offset) {
    case 0x00:
        write_command(x, v);
        break;
    case 0x04:
        x->sts &= ~(v & (XHCI_EINT | XHCI_PCD));
        break;
    case 0x14:
        x->dnctrl = v & 0xFFFF;
        break;
    case 0x18:
        write_crcr(x, v);
        break;
    case 0x1C:
        if (!x->commanding)
            write_high(&x->crcr, v);
        break;
    case 0x30:
        x->dcbaap = (x->dcbaap & ~UINT64_C(0xFFFFFFFF)) | (v & ~0x3Fu);
        break;
    case 0x34:
        write_high(&x->dcbaap, v);
        break;
    case 0x38: /* only while halted, by 5.4.7; more slots than there are, there are not */
        x->config = (v & 0xFF) > XHCI_SLOTS ? XHCI_SLOTS : v & 0xFF;
        break;
    }
}

static uint32_t read_interrupter(const struct xhci *x, unsigned offset)
{
    switch (offset) {
    case 0x00:
        return x->iman;
    case 0x04:
        return x->imod;
    case 0x08:
        return x->erstsz;
    case 0x10:
        return (uint32_t)x->erstba;
    case 0x14:
        return (uint32_t)(x->erstba >> 32);
    case 0x18:
        return (uint32_t)x->erdp;
    case 0x1C:
        return (uint32_t)(x->erdp >> 32);
    default:
        return 0;
    }
}

/* 4.17.2: the handler is through; if it left something, another interrupt. */
static void write_erdp(struct xhci *x, uint32_t v)
{
    const uint64_t busy = v & XHCI_EHB ? 0 : x->erdp & XHCI_EHB;
    x->erdp = (x->erdp & ~UINT64_C(0xFFFFFFFF)) | (v & ~0xFu) | (v & 7) | busy;
    if ((v & XHCI_EHB) && xhci_runs(x) && xhci_events_left(x)) {
        x->erdp |= XHCI_EHB;
        x->iman |= XHCI_IP;
        x->sts |= XHCI_EINT;
    }
}

static void write_interrupter(struct xhci *x, unsigned offset, uint32_t v)
{
    switch (offset) {
    case 0x00:
        x->iman = (v & XHCI_IE) | (x->iman & XHCI_IP & ~v);
        break;
    case 0x04:
        x->imod = v;
        break;
    case 0x08:
        v &= 0xFFFF;
        x->erstsz = v > 1 << XHCI_ERST_MAX_LOG ? 1 << XHCI_ERST_MAX_LOG : v;
        break;
    case 0x10:
        x->erstba = (x->erstba & ~UINT64_C(0xFFFFFFFF)) | (v & ~0x3Fu);
        xhci_event_restart(x);
        break;
    case 0x14:
        write_high(&x->erstba, v);
        xhci_event_restart(x);
        break;
    case 0x18:
        write_erdp(x, v);
        break;
    case 0x1C:
        write_high(&x->erdp, v);
        break;
    }
}

/* 5.6: target 0 of doorbell 0 is the command ring. */
static void ring(struct xhci *x, unsigned slot, uint32_t v)
{
    const unsigned dci = v & 0xFF;
    if (!xhci_runs(x))
        return;
    if (slot == 0) {
        if (dci == 0)
            x->commanding = true;
        return;
    }
    if (slot > XHCI_SLOTS || dci < 1 || dci > XHCI_ENDPOINTS || v >> 16)
        return;
    struct xhci_endpoint *e = &x->slot[slot].ep[dci];
    if (e->state == EP_STOPPED) {
        e->state = EP_RUNNING;
        xhci_put_endpoint(x, slot, dci);
    }
    e->rung = e->state == EP_RUNNING;
}

static uint64_t mmio_read(void *opaque, uint64_t offset, unsigned width)
{
    const struct xhci *x = opaque;
    const unsigned at = (unsigned)offset & ~3u;
    uint32_t v = 0;
    if (at < CAP_LENGTH)
        v = read_capability(x, at);
    else if (at >= PORTS && at < PORTS + x->ports * 0x10)
        v = at % 0x10 ? 0 : x->portsc[(at - PORTS) / 0x10];
    else if (at < PORTS)
        v = read_operational(x, at - CAP_LENGTH);
    else if (at == RUNTIME)
        v = xhci_runs(x) ? (clock_now(x->clock) - x->start) / MICROFRAME_NS & MFINDEX : 0;
    else if (at >= INTERRUPTER && at < INTERRUPTER + 0x20)
        v = read_interrupter(x, at - INTERRUPTER);
    return v >> 8 * (offset & 3) & (width == 4 ? UINT32_MAX : (1u << 8 * width) - 1);
}

static void mmio_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct xhci *x = opaque;
    const unsigned at = (unsigned)offset;
    const uint32_t v = (uint32_t)value;
    if (width != 4) /* 5.1: registers are written whole */
        return;
    if (at >= PORTS && at < PORTS + x->ports * 0x10) {
        if (at % 0x10 == 0)
            write_portsc(x, (at - PORTS) / 0x10, v);
    } else if (at >= CAP_LENGTH && at < PORTS)
        write_operational(x, at - CAP_LENGTH, v);
    else if (at >= INTERRUPTER && at < INTERRUPTER + 0x20)
        write_interrupter(x, at - INTERRUPTER, v);
    else if (at >= DOORBELLS && at <= DOORBELLS + XHCI_SLOTS * 4)
        ring(x, (at - DOORBELLS) / 4, v);
    work(x);
    xhci_update_irq(x);
}

static const struct io_ops mmio_ops = {.widths = 1 | 2 | 4, .read = mmio_read, .write = mmio_write};

static void config_written(struct pci_device *pci, unsigned reg, unsigned width)
{
    (void)reg, (void)width;
    xhci_update_irq((struct xhci *)pci); /* MSI may have come or gone */
}

/* ---- Life ---- */

static void reset(struct device *device)
{
    struct xhci *x = (struct xhci *)device;
    pci_device_reset(&x->pci);
    reset_registers(x);
    x->level = false;
    xhci_update_irq(x);
}

static void quiesce(struct device *device)
{
    timer_disarm(&((struct xhci *)device)->timer);
}

static void resume(struct device *device)
{
    struct xhci *x = (struct xhci *)device;
    if (xhci_runs(x))
        xhci_go_on(x);
}

static bool loaded(struct device *device, struct err *err)
{
    struct xhci *x = (struct xhci *)device;
    if (!(x->cmd & XHCI_RUN) != !!(x->sts & XHCI_HALTED))
        return err_set(err, "saved state of xhci: it runs and is halted");
    for (unsigned i = 0; i < XHCI_PORTS; i++) {
        const bool there = i < x->usb2 && x->port[i].device;
        if ((x->portsc[i] & ~(uint32_t)PORT_SAVED) || (i >= x->ports && x->portsc[i]) ||
            !(x->portsc[i] & PORT_CCS) == there || ((x->portsc[i] & PORT_PED) && !there))
            return err_set(err, "saved state of xhci: port %u is impossible", i + 1);
    }
    for (unsigned slot = 0; slot <= XHCI_SLOTS; slot++)
        for (unsigned dci = 0; dci <= XHCI_ENDPOINTS; dci++)
            if (x->slot[slot].ep[dci].state != EP_DISABLED &&
                (!slot || !dci || x->slot[slot].state <= SLOT_ENABLED))
                return err_set(err, "saved state of xhci: an endpoint of slot %u without device",
                               slot);
    pci_device_loaded(&x->pci);
    x->start = clock_now(x->clock);
    timer_disarm(&x->timer);
    if (xhci_runs(x))
        xhci_go_on(x);
    xhci_update_irq(x);
    irq_push(&x->pci.intx);
    return true;
}

static void destroy(struct device *device)
{
    struct xhci *x = (struct xhci *)device;
    timer_destroy(&x->timer);
    pci_device_destroy(&x->pci);
    free(x);
}

static const struct device_class xhci_class = {
    .name = "xhci",
    .version = 1,
    .state = fields,
    .reset = reset,
    .quiesce = quiesce,
    .resume = resume,
    .post_load = loaded,
    .destroy = destroy,
};

struct xhci *xhci_realize(struct pci_bus *pci, struct dma *dma, struct clock *clock,
                          struct device_list *devices, const struct xhci_config *config,
                          struct err *err)
{
    const struct pci_id id = {
        .vendor = config->nec ? 0x1033 : 0x1B36,
        .device = config->nec ? 0x0194 : 0x000D,
        .subsystem_vendor = 0x5853,
        .subsystem = 0x0001,
        .class_code = 0x0C0330, /* USB, xHCI */
        .revision = config->nec ? 0x03 : 0x01,
        .interrupt_pin = 1,
    };
    static const char *const instances[] = {"0", "1", "2", "3", "4", "5", "6", "7"};
    struct xhci *x = calloc(1, sizeof(*x));
    if (!x) {
        err_set(err, "xHCI: out of memory");
        return NULL;
    }
    x->dma = dma;
    x->clock = clock;
    x->usb2 = config->usb2;
    x->ports = config->usb2 + config->usb3;
    for (unsigned i = 0; i < x->usb2; i++)
        usb_port_init(&x->port[i], &port_ops, x, i, config->bus, NULL);
    if (!pci_device_init(&x->pci, pci, config->devfn, &id, err)) {
        free(x);
        return NULL;
    }
    timer_init(&x->timer, clock, time_is_up, x);
    x->pci.config[SBRN] = 0x30;
    x->pci.config[SBRN + 1] = 0x20; /* FLADJ: 60000 clocks a frame */
    x->pci.config_written = config_written;
    pci_add_bar(&x->pci, 0, PCI_BAR_MEMORY, MMIO_SIZE, false, "xhci", &mmio_ops, x);
    pci_bar_64(&x->pci, 0); /* 5.2.1 */
    pci_add_msi(&x->pci, CAP_MSI, 0);
    pci_device_realized(&x->pci);
    device_add(devices, &x->pci.device, &xhci_class, instances[config->bus % 8]);
    return x;
}
