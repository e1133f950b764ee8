/* SPDX-License-Identifier: GPL-2.0-or-later */
/* parallel: the printer port; see parallel.h. */
#include "hw/pc/parallel.h"

#include <stdlib.h>
#include <string.h>

/* The EPP data register has four addresses, so that a wide access is as many cycles. */
enum { REG_DATA = 0, REG_STATUS = 1, REG_CONTROL = 2, REG_EPP_ADDRESS = 3, REG_EPP_DATA = 4 };

/* Status bits are the lines' levels, but for busy, which is inverted. */
enum {
    STATUS_NOT_BUSY = 0x80,
    STATUS_NOT_ACK = 0x40,
    STATUS_NO_PAPER = 0x20,
    STATUS_SELECTED = 0x10,
    STATUS_NO_ERROR = 0x08,
    STATUS_NO_IRQ = 0x04, /* PS/2: 0 from an acknowledge until status is read */
    STATUS_UNUSED = 0x02,
    STATUS_TIMEOUT = 0x01, /* EPP: write 1 to clear */
};

enum {
    CONTROL_STROBE = 0x01,
    CONTROL_NO_INIT = 0x04,
    CONTROL_SELECT = 0x08,
    CONTROL_IRQ_ON = 0x10,
    CONTROL_INPUT = 0x20, /* PS/2: the data lines are the other side's */
    CONTROL_BITS = 0x3F,
    CONTROL_UNUSED = 0xC0,
};

static const struct state_field parallel_state[] = {
    STATE_UINT(struct parallel, data),
    STATE_LIMIT(struct parallel, control, CONTROL_BITS, .reset = CONTROL_NO_INIT | CONTROL_SELECT),
    STATE_UINT(struct parallel, address),
    STATE_BOOL(struct parallel, timed_out),
    STATE_ARRAY(struct parallel, in),
    STATE_LIMIT(struct parallel, in_count, PARALLEL_INPUT),
    STATE_UINT(struct parallel, taken),
    STATE_BOOL(struct parallel, busy),
    STATE_BOOL(struct parallel, acked),
    STATE_FIELDS_END,
};

static void update_irq(struct parallel *p)
{
    irq_set(&p->irq, p->acked && (p->control & CONTROL_IRQ_ON));
}

/* The stream gets the byte, and the printer acknowledges it. */
static void print(struct parallel *p)
{
    if (!p->busy || (p->chardev && !chardev_write(p->chardev, &p->taken, 1)))
        return;
    p->busy = false;
    p->acked = true;
}

static void line_writable(void *opaque)
{
    struct parallel *p = opaque;
    print(p);
    update_irq(p);
}

static size_t line_room(void *opaque)
{
    const struct parallel *p = opaque;
    return PARALLEL_INPUT - p->in_count;
}

static void line_receive(void *opaque, const uint8_t *buf, size_t len)
{
    struct parallel *p = opaque;
    memcpy(p->in + p->in_count, buf, len);
    p->in_count = (uint8_t)(p->in_count + len);
}

static const struct chardev_user line_user = {
    .room = line_room,
    .receive = line_receive,
    .writable = line_writable,
};

static uint8_t status(const struct parallel *p)
{
    uint8_t value = STATUS_NOT_ACK | STATUS_UNUSED;
    if (!p->acked)
        value |= STATUS_NO_IRQ;
    if (p->timed_out)
        value |= STATUS_TIMEOUT;
    if (!p->chardev) /* pulled up, each line */
        return value | STATUS_NO_PAPER | STATUS_SELECTED | STATUS_NO_ERROR;
    return value | STATUS_SELECTED | STATUS_NO_ERROR | (p->busy ? 0 : STATUS_NOT_BUSY);
}

/* EPP cycles. One that nobody answers within 10 us ends all the same, and status says so. */

/* What is plugged in is selected, and not held in reset. */
static bool answers(const struct parallel *p)
{
    return p->chardev && (p->control & CONTROL_NO_INIT);
}

static uint8_t epp_read(struct parallel *p)
{
    if (!answers(p) || !p->in_count) {
        p->timed_out = true;
        return 0xFF;
    }
    uint8_t byte = p->in[0];
    memmove(p->in, p->in + 1, --p->in_count);
    chardev_accept_input(p->chardev);
    return byte;
}

static void epp_write(struct parallel *p, uint8_t byte)
{
    if (!answers(p) || p->busy || !chardev_write(p->chardev, &byte, 1))
        p->timed_out = true;
}

static uint8_t epp_read_address(struct parallel *p)
{
    p->timed_out = p->timed_out || !answers(p);
    return answers(p) ? p->address : 0xFF;
}

static void epp_write_address(struct parallel *p, uint8_t address)
{
    if (answers(p))
        p->address = address;
    else
        p->timed_out = true;
}

static uint64_t parallel_read(void *opaque, uint64_t offset, unsigned width)
{
    struct parallel *p = opaque;
    uint8_t value = 0xFF;
    (void)width;
    switch (offset) {
    case REG_DATA:
        return p->control & CONTROL_INPUT ? 0xFF : p->data;
    case REG_STATUS:
        value = status(p);
        p->acked = false;
        break;
    case REG_CONTROL:
        return CONTROL_UNUSED | p->control;
    case REG_EPP_ADDRESS:
        return epp_read_address(p);
    default:
        return epp_read(p);
    }
    update_irq(p);
    return value;
}

/* The edge at which the strobe line falls (the bit rises) hands a byte over. */
static void set_control(struct parallel *p, uint8_t value)
{
    const bool strobe = value & ~p->control & CONTROL_STROBE;
    p->control = value & CONTROL_BITS;
    if (!(p->control & CONTROL_NO_INIT)) {
        p->busy = false; /* the printer starts anew */
    } else if (strobe && p->chardev && !p->busy && !(p->control & CONTROL_INPUT)) {
        p->acked = false;
        update_irq(p); /* low before it can rise again: the line is edge-triggered */
        p->taken = p->data;
        p->busy = true;
        print(p);
    }
}

static void parallel_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct parallel *p = opaque;
    (void)width;
    if (offset == REG_DATA)
        p->data = (uint8_t)value;
    else if (offset == REG_STATUS)
        p->timed_out = p->timed_out && !(value & STATUS_TIMEOUT);
    else if (offset == REG_CONTROL)
        set_control(p, (uint8_t)value);
    else if (offset == REG_EPP_ADDRESS)
        epp_write_address(p, (uint8_t)value);
    else
        epp_write(p, (uint8_t)value);
    update_irq(p);
}

static const struct io_ops parallel_ops = {
    .widths = 1, .read = parallel_read, .write = parallel_write};

static void parallel_reset(struct device *d)
{
    struct parallel *p = (struct parallel *)d;
    update_irq(p);
    if (p->chardev)
        chardev_accept_input(p->chardev);
}

/* A byte that came with saved state: the stream here has not refused it yet. */
static void parallel_resume(struct device *d)
{
    struct parallel *p = (struct parallel *)d;
    line_writable(d);
    if (p->chardev)
        chardev_accept_input(p->chardev);
}

static bool parallel_post_load(struct device *d, struct err *err)
{
    struct parallel *p = (struct parallel *)d;
    (void)err;
    update_irq(p);
    irq_push(&p->irq);
    return true;
}

static void parallel_destroy(struct device *d)
{
    struct parallel *p = (struct parallel *)d;
    if (p->chardev)
        chardev_set_user(p->chardev, NULL, NULL);
    bus_unmap(p->bus, &p->ports);
    free(p);
}

static const struct device_class parallel_class = {
    .name = "parallel",
    .version = 2,
    .state = parallel_state,
    .reset = parallel_reset,
    .resume = parallel_resume,
    .post_load = parallel_post_load,
    .destroy = parallel_destroy,
};

struct parallel *parallel_realize(struct bus *bus, struct device_list *devices,
                                  struct chardev *chardev, struct err *err)
{
    struct parallel *p = calloc(1, sizeof(*p));
    if (!p) {
        err_set(err, "parallel: out of memory");
        return NULL;
    }
    p->bus = bus;
    io_region_init(&p->ports, "lpt1", &parallel_ops, p);
    if (!bus_map(bus, &p->ports, IO_PORT, 0x378, 8, err)) {
        parallel_destroy(&p->device);
        return NULL;
    }
    p->chardev = chardev;
    if (chardev)
        chardev_set_user(chardev, &line_user, p);
    device_add(devices, &p->device, &parallel_class, "lpt1");
    return p;
}
