/* SPDX-License-Identifier: GPL-2.0-or-later */
/* uhci: registers, ports and time (see uhci.h; the schedule is in uhci_schedule.c). Section numbers
 * are those of the UHCI Design Guide 1.1. */
#include <stdlib.h>

#include "hw/pc/uhci_int.h"

/* I/O registers (2.1) */
enum {
    USBCMD = 0x00,
    USBSTS = 0x02,
    USBINTR = 0x04,
    FRNUM = 0x06,
    FRBASEADD = 0x08,
    SOFMOD = 0x0C,
    PORTSC = 0x10,
    REGISTERS = 0x20,
};
#define SOFMOD_DEFAULT  0x40
#define NO_REGISTER     0xFF7F /* where a third port would be: bit 7 says that there is none */
#define PORT_READ_WRITE (PORT_ENABLED | PORT_RESUME | PORT_RESET | PORT_SUSPEND)
#define PORT_CLEARABLE  (PORT_CONNECT_CHANGE | PORT_ENABLE_CHANGE)
#define PORT_KEPT       (PORT_READ_WRITE | PORT_CLEARABLE)

/* PCI registers (290550, 2.4) */
enum { PCI_COMMAND = 0x04, SBRNUM = 0x60, MSTAT = 0x6A, LEGSUP = 0xC0 };
#define LEGSUP_DEFAULT   0x2000
#define LEGSUP_PIRQ      0x2000 /* the interrupt reaches PIRQD */
#define LEGSUP_IRQ       0x1000 /* it is asserted, gate or no gate */
#define LEGSUP_WRITABLE  0x20BF
#define LEGSUP_CLEARABLE 0x8F00

#define EAGER_TOUCHED 16 /* frames in which a driver at work comes back */

static const struct state_field fields[] = {
    STATE_PCI(struct uhci),
    STATE_LIMIT(struct uhci, cmd, 0xFF),
    STATE_LIMIT(struct uhci, sts, 0x3F, .reset = UHCI_STS_HALTED),
    STATE_LIMIT(struct uhci, intr, 0x0F),
    STATE_LIMIT(struct uhci, frnum, UHCI_FRNUM),
    STATE_UINT(struct uhci, frbase),
    STATE_LIMIT(struct uhci, sofmod, 0x7F, .reset = SOFMOD_DEFAULT),
    STATE_LIMIT(struct uhci, causes, UHCI_CAUSE_IOC | UHCI_CAUSE_SHORT),
    STATE_ARRAY(struct uhci, portsc),
    STATE_FIELDS_END,
};

/* ---- Interrupt (2.1.2, 2.1.3) ---- */

void uhci_update_irq(struct uhci *u)
{
    uint8_t *legsup = u->pci.config + LEGSUP;
    const bool level = ((u->sts & UHCI_STS_INT) &&
                        (((u->causes & UHCI_CAUSE_IOC) && (u->intr & UHCI_INTR_IOC)) ||
                         ((u->causes & UHCI_CAUSE_SHORT) && (u->intr & UHCI_INTR_SHORT)))) ||
                       ((u->sts & UHCI_STS_ERROR) && (u->intr & UHCI_INTR_ERROR)) ||
                       ((u->sts & UHCI_STS_RESUME) && (u->intr & UHCI_INTR_RESUME)) ||
                       (u->sts & (UHCI_STS_SYSTEM | UHCI_STS_PROCESS));
    pci_set16(legsup, (uint16_t)((pci_get16(legsup) & ~LEGSUP_IRQ) | (level ? LEGSUP_IRQ : 0)));
    pci_set_intx(&u->pci, level && (pci_get16(legsup) & LEGSUP_PIRQ));
}

/* ---- Time ---- */

static bool runs(const struct uhci *u)
{
    return (u->cmd & UHCI_RUN) && !(u->sts & UHCI_STS_HALTED);
}

uint64_t uhci_frames(const struct uhci *u)
{
    return (clock_now(u->clock) - u->start) / UHCI_FRAME_NS;
}

static uint16_t frame_number(const struct uhci *u)
{
    return (uint16_t)((u->frnum + (runs(u) ? uhci_frames(u) : 0)) & UHCI_FRNUM);
}

/* The frame number counts from here on. */
static void settle(struct uhci *u)
{
    u->frnum = frame_number(u);
    u->start = clock_now(u->clock);
    u->done = 0;
}

void uhci_hurry(struct uhci *u, unsigned eager)
{
    if (!runs(u))
        return;
    if (eager > u->eager)
        u->eager = eager;
    u->pause = 1;
    const uint64_t end = u->start + (u->done + 1) * UHCI_FRAME_NS;
    const uint64_t now = clock_now(u->clock);
    const uint64_t when = end > now ? end : now;
    if (!timer_armed(&u->timer) || u->timer.deadline > when)
        timer_arm(&u->timer, when);
}

static void start(struct uhci *u)
{
    u->sts &= (uint16_t)~UHCI_STS_HALTED;
    u->start = clock_now(u->clock);
    u->done = 0;
    uhci_hurry(u, EAGER_TOUCHED);
}

void uhci_stop(struct uhci *u)
{
    settle(u);
    u->cmd &= (uint16_t)~UHCI_RUN;
    u->sts |= UHCI_STS_HALTED;
    timer_disarm(&u->timer);
}

static void frames_are_over(void *opaque)
{
    struct uhci *u = opaque;
    uhci_look(u);
    uhci_update_irq(u);
}

/* ---- Ports ---- */

/* As the guest reads it. */
static uint16_t port_status(const struct uhci *u, unsigned i)
{
    const struct usb_device *d = u->port[i].device;
    uint16_t v = u->portsc[i] | PORT_ALWAYS;
    if (!d)
        return v;
    const bool low = d->ops->speed == USB_LOW_SPEED;
    v |= PORT_CONNECTED | (low ? PORT_LOW_SPEED : 0);
    if (!(u->portsc[i] & PORT_RESET)) /* then both lines are low */
        v |= low ? PORT_LINE_LOW : PORT_LINE_FULL;
    return v;
}

static void port_write(struct uhci *u, unsigned i, uint16_t value, uint16_t mask)
{
    const uint16_t was = u->portsc[i];
    uint16_t v = (uint16_t)(was & ~(value & PORT_CLEARABLE));
    v = (uint16_t)((v & ~(mask & PORT_READ_WRITE)) | (value & mask & PORT_READ_WRITE));
    if (v & PORT_RESET)
        v &= (uint16_t) ~(PORT_ENABLED | PORT_SUSPEND | PORT_RESUME);
    if (!u->port[i].device)
        v &= (uint16_t)~PORT_ENABLED;
    u->portsc[i] = v;
    if ((v & PORT_RESET) && !(was & PORT_RESET))
        usb_bus_reset(&u->port[i]);
    uhci_hurry(u, EAGER_TOUCHED);
}

/* 2.1.2: in global suspend, whatever moves on a port is a resume event, and the controller starts
 * to signal resume itself (2.1.1, FGR). */
static void resume_event(struct uhci *u)
{
    if (u->cmd & UHCI_GLOBAL_SUSPEND) {
        u->sts |= UHCI_STS_RESUME;
        u->cmd |= UHCI_FORCE_RESUME;
    }
}

static void port_attached(void *opaque, unsigned i)
{
    struct uhci *u = opaque;
    u->portsc[i] |= PORT_CONNECT_CHANGE;
    resume_event(u);
    uhci_update_irq(u);
}

static void port_detached(void *opaque, unsigned i)
{
    struct uhci *u = opaque;
    if (u->portsc[i] & PORT_ENABLED)
        u->portsc[i] |= PORT_ENABLE_CHANGE;
    u->portsc[i] &= (uint16_t) ~(PORT_ENABLED | PORT_SUSPEND | PORT_RESUME);
    u->portsc[i] |= PORT_CONNECT_CHANGE;
    resume_event(u);
    uhci_update_irq(u);
}

static void port_ready(void *opaque, unsigned i)
{
    struct uhci *u = opaque;
    if (u->portsc[i] & PORT_ENABLED)
        uhci_hurry(u, 32); /* nobody asks more seldom than every 32 ms */
}

static void port_wake(void *opaque, unsigned i)
{
    struct uhci *u = opaque;
    if (u->portsc[i] & PORT_SUSPEND) {
        u->portsc[i] |= PORT_RESUME;
        u->sts |= UHCI_STS_RESUME;
    }
    resume_event(u);
    uhci_update_irq(u);
}

static bool port_suspended(void *opaque, unsigned i)
{
    const struct uhci *u = opaque;
    return (u->portsc[i] & PORT_SUSPEND) || (u->cmd & UHCI_GLOBAL_SUSPEND);
}

static const struct usb_port_ops port_ops = {
    .attached = port_attached,
    .detached = port_detached,
    .ready = port_ready,
    .wake = port_wake,
    .suspended = port_suspended,
};

struct usb_port *uhci_port(struct uhci *u, unsigned i)
{
    return &u->port[i % UHCI_PORTS];
}

uint64_t uhci_looks(const struct uhci *u)
{
    return u->looks;
}

/* ---- Registers ---- */

/* Everything but configuration space as after power-on. */
static void reset_registers(struct uhci *u)
{
    timer_disarm(&u->timer);
    state_reset(fields, u);
    u->start = clock_now(u->clock);
    u->done = u->pause = u->eager = 0;
    for (unsigned i = 0; i < UHCI_PORTS; i++)
        u->portsc[i] = u->port[i].device ? PORT_CONNECT_CHANGE : 0;
}

static void command_write(struct uhci *u, uint16_t v)
{
    v &= 0xFF;
    if ((v & UHCI_GLOBAL_RESET) && !(u->cmd & UHCI_GLOBAL_RESET)) {
        reset_registers(u);
        for (unsigned i = 0; i < UHCI_PORTS; i++)
            usb_bus_reset(&u->port[i]);
        u->cmd = UHCI_GLOBAL_RESET;
        return;
    }
    if (v & UHCI_GLOBAL_RESET) /* it lasts */
        v &= (uint16_t)~UHCI_RUN;
    if (v & UHCI_RESET) { /* ends by itself, at once; no reset on the wires */
        reset_registers(u);
        return;
    }
    const bool ran = runs(u);
    if (v & UHCI_RUN) {
        u->cmd = v;
        if (!ran)
            start(u);
        else
            uhci_hurry(u, EAGER_TOUCHED);
        return;
    }
    if (ran)
        uhci_stop(u);
    u->cmd = v;
}

static void status_write(struct uhci *u, uint16_t v)
{
    u->sts &= (uint16_t) ~(v & ~UHCI_STS_HALTED);
    if (v & UHCI_STS_INT)
        u->causes = 0;
}

static uint16_t register_read(struct uhci *u, unsigned reg)
{
    switch (reg) {
    case USBCMD:
        return u->cmd;
    case USBSTS:
        return u->sts;
    case USBINTR:
        return u->intr;
    case FRNUM:
        uhci_hurry(u, 0); /* it waits for frames to pass: something changes in the schedule */
        return frame_number(u);
    case FRBASEADD:
        return (uint16_t)u->frbase;
    case FRBASEADD + 2:
        return (uint16_t)(u->frbase >> 16);
    case SOFMOD:
        return u->sofmod;
    case PORTSC:
    case PORTSC + 2:
        return port_status(u, (reg - PORTSC) / 2);
    default:
        return reg >= PORTSC ? NO_REGISTER : 0;
    }
}

/* value has zeroes where mask does. */
static void register_write(struct uhci *u, unsigned reg, uint16_t value, uint16_t mask)
{
    switch (reg) {
    case USBCMD:
        command_write(u, (uint16_t)((u->cmd & ~mask) | value));
        break;
    case USBSTS:
        status_write(u, value);
        break;
    case USBINTR:
        u->intr = ((u->intr & ~mask) | value) & 0x0F;
        break;
    case FRNUM: /* 2.1.4: only while stopped */
        if (!runs(u))
            u->frnum = ((u->frnum & ~mask) | value) & UHCI_FRNUM;
        break;
    case FRBASEADD:
        u->frbase = (u->frbase & ~(mask & 0xF000u)) | (value & 0xF000u);
        uhci_hurry(u, EAGER_TOUCHED);
        break;
    case FRBASEADD + 2:
        u->frbase = (u->frbase & ~((uint32_t)mask << 16)) | (uint32_t)value << 16;
        uhci_hurry(u, EAGER_TOUCHED);
        break;
    case SOFMOD:
        if (mask & 0xFF)
            u->sofmod = value & 0x7F;
        break;
    case PORTSC:
    case PORTSC + 2:
        port_write(u, (reg - PORTSC) / 2, value, mask);
        break;
    }
}

static uint64_t io_read(void *opaque, uint64_t offset, unsigned width)
{
    struct uhci *u = opaque;
    const unsigned reg = (unsigned)offset & ~1u;
    uint64_t v = register_read(u, reg) >> 8 * (offset & 1);
    if (width == 4)
        v |= (uint64_t)register_read(u, reg + 2) << 16;
    return v;
}

static void io_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct uhci *u = opaque;
    const unsigned reg = (unsigned)offset & ~1u;
    if (width == 1) {
        const unsigned shift = 8 * (offset & 1);
        register_write(u, reg, (uint16_t)((value & 0xFF) << shift), (uint16_t)(0xFF << shift));
    } else {
        register_write(u, reg, (uint16_t)value, 0xFFFF);
        if (width == 4)
            register_write(u, reg + 2, (uint16_t)(value >> 16), 0xFFFF);
    }
    uhci_update_irq(u);
}

static const struct io_ops io_ops = {.widths = 1 | 2 | 4, .read = io_read, .write = io_write};

static void config_written(struct pci_device *pci, unsigned reg, unsigned width)
{
    struct uhci *u = (struct uhci *)pci;
    if (reg < LEGSUP + 2 && reg + width > LEGSUP)
        uhci_update_irq(u);
    if (reg == PCI_COMMAND)
        uhci_hurry(u, EAGER_TOUCHED);
}

/* ---- Life ---- */

static void reset(struct device *device)
{
    struct uhci *u = (struct uhci *)device;
    pci_device_reset(&u->pci);
    reset_registers(u);
    uhci_update_irq(u);
}

static void quiesce(struct device *device)
{
    struct uhci *u = (struct uhci *)device;
    settle(u);
    timer_disarm(&u->timer);
}

static void resume(struct device *device)
{
    uhci_hurry((struct uhci *)device, EAGER_TOUCHED);
}

static bool loaded(struct device *device, struct err *err)
{
    struct uhci *u = (struct uhci *)device;
    if (!(u->cmd & UHCI_RUN) != !!(u->sts & UHCI_STS_HALTED))
        return err_set(err, "saved state of uhci: it runs and is halted");
    if (!(u->sts & UHCI_STS_INT) && u->causes)
        return err_set(err, "saved state of uhci: an interrupt that has only a cause");
    u->frbase &= 0xFFFFF000;
    for (unsigned i = 0; i < UHCI_PORTS; i++) {
        if ((u->portsc[i] & ~PORT_KEPT) || ((u->portsc[i] & PORT_ENABLED) && !u->port[i].device))
            return err_set(err, "saved state of uhci: port %u is impossible", i + 1);
    }
    pci_device_loaded(&u->pci);
    u->start = clock_now(u->clock);
    u->done = u->eager = 0;
    timer_disarm(&u->timer);
    uhci_hurry(u, EAGER_TOUCHED);
    uhci_update_irq(u);
    irq_push(&u->pci.intx);
    return true;
}

static void destroy(struct device *device)
{
    struct uhci *u = (struct uhci *)device;
    timer_destroy(&u->timer);
    pci_device_destroy(&u->pci);
    free(u);
}

static const struct device_class uhci_class = {
    .name = "piix3-usb-uhci",
    .version = 1,
    .state = fields,
    .reset = reset,
    .quiesce = quiesce,
    .resume = resume,
    .post_load = loaded,
    .destroy = destroy,
};

struct uhci *uhci_realize(struct pci_bus *pci, struct dma *dma, struct clock *clock,
                          struct device_list *devices, uint8_t devfn, unsigned bus, struct err *err)
{
    static const struct pci_id id = {
        .vendor = 0x8086,
        .device = 0x7020,
        .subsystem_vendor = 0x5853,
        .subsystem = 0x0001,
        .class_code = 0x0C0300, /* USB, UHCI */
        .revision = 0x01,
        .interrupt_pin = 4,
    };
    static const char *const instances[] = {"0", "1", "2", "3", "4", "5", "6", "7"};
    struct uhci *u = calloc(1, sizeof(*u));
    if (!u) {
        err_set(err, "UHCI: out of memory");
        return NULL;
    }
    u->dma = dma;
    u->clock = clock;
    for (unsigned i = 0; i < UHCI_PORTS; i++)
        usb_port_init(&u->port[i], &port_ops, u, i, bus, NULL);
    if (!pci_device_init(&u->pci, pci, devfn, &id, err)) {
        free(u);
        return NULL;
    }
    timer_init(&u->timer, clock, frames_are_over, u);
    u->pci.writable[0x0D] = 0xF0; /* latency timer */
    u->pci.config[SBRNUM] = 0x10; /* USB 1.0 */
    u->pci.config[MSTAT] = 0x01;  /* the clock is 48 MHz */
    pci_set16(u->pci.config + LEGSUP, LEGSUP_DEFAULT);
    pci_set16(u->pci.writable + LEGSUP, LEGSUP_WRITABLE);
    pci_set16(u->pci.clearable + LEGSUP, LEGSUP_CLEARABLE);
    pci_set16(u->pci.volatile_bits + LEGSUP, LEGSUP_IRQ);
    u->pci.config_written = config_written;
    pci_add_bar(&u->pci, 4, PCI_BAR_PORT, REGISTERS, false, "uhci", &io_ops, u);
    pci_device_realized(&u->pci);
    device_add(devices, &u->pci.device, &uhci_class, instances[bus % 8]);
    return u;
}
