/* SPDX-License-Identifier: GPL-2.0-or-later */
/* serial: the registers of a 16550A and its two FIFOs; see serial.h. */
#include "hw/pc/serial.h"

#include <stdlib.h>
#include <string.h>

enum { RBR_THR = 0, IER = 1, IIR_FCR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6, SCR = 7 };

enum { IER_RX = 0x01, IER_TX = 0x02, IER_LINE = 0x04, IER_MODEM = 0x08, IER_BITS = 0x0F };

/* Table 5, in order of priority; what IIR bits 0..3 read as. */
enum {
    CAUSE_LINE = 0x06,
    CAUSE_RX = 0x04,
    CAUSE_RX_TIMEOUT = 0x0C,
    CAUSE_TX = 0x02,
    CAUSE_MODEM = 0x00,
    CAUSE_NONE = 0x01,
};

enum { FCR_ON = 0x01, FCR_CLEAR_RX = 0x02, FCR_CLEAR_TX = 0x04, FCR_TRIGGER = 0xC0 };

enum { LCR_DLAB = 0x80 };

enum {
    MCR_DTR = 0x01,
    MCR_RTS = 0x02,
    MCR_OUT1 = 0x04,
    MCR_OUT2 = 0x08,
    MCR_LOOP = 0x10,
    MCR_BITS = 0x1F,
};

enum {
    LSR_READY = 0x01,
    LSR_OVERRUN = 0x02,
    LSR_FRAMING = 0x08,
    LSR_BREAK = 0x10,
    LSR_ERRORS = 0x1E,
    LSR_THR_EMPTY = 0x20,
    LSR_TX_EMPTY = 0x40,
};

enum { MSR_CTS = 0x10, MSR_DSR = 0x20, MSR_RI = 0x40, MSR_DCD = 0x80 };

#define CLOCK_HZ      1843200
#define DIVISOR_RESET 12 /* 9600 baud; undefined in the data sheet */

/*
 * A driver that sends by interrupt fills the FIFO with one write after another. They are held back
 * this long, or until there are 16, or until it asks whether they have gone (LSR): one system call
 * and one interrupt for the burst instead of one for each character.
 */
#define SEND_DELAY_NS (50 * NS_PER_US)

/* More is asked of the chardev before the FIFO runs dry, but not for each character. */
#define RX_LOW 4

static const struct state_field serial_state[] = {
    STATE_UINT(struct serial, divisor, .reset = DIVISOR_RESET),
    STATE_LIMIT(struct serial, ier, IER_BITS),
    STATE_UINT(struct serial, lcr),
    STATE_LIMIT(struct serial, mcr, MCR_BITS),
    STATE_UINT(struct serial, scr, .keep_on_reset = true), /* table 3: not affected by reset */
    STATE_UINT(struct serial, fcr),
    STATE_LIMIT(struct serial, line_errors, LSR_ERRORS),
    STATE_LIMIT(struct serial, break_at, SERIAL_FIFO - 1),
    STATE_LIMIT(struct serial, modem_changes, 0x0F),
    STATE_ARRAY(struct serial, rx),
    STATE_LIMIT(struct serial, rx_first, SERIAL_FIFO - 1),
    STATE_LIMIT(struct serial, rx_count, SERIAL_FIFO),
    STATE_UINT(struct serial, last_rx),
    STATE_ARRAY(struct serial, tx),
    STATE_LIMIT(struct serial, tx_count, SERIAL_FIFO),
    STATE_BOOL(struct serial, tx_empty_int),
    STATE_BOOL(struct serial, rx_timeout),
    STATE_FIELDS_END,
};

static bool fifo_on(const struct serial *s)
{
    return s->fcr & FCR_ON;
}

static unsigned depth(const struct serial *s)
{
    return fifo_on(s) ? SERIAL_FIFO : 1;
}

static unsigned trigger(const struct serial *s)
{
    static const uint8_t level[] = {1, 4, 8, 14};
    return fifo_on(s) ? level[s->fcr >> 6] : 1;
}

static uint64_t character_ns(const struct serial *s)
{
    /* In half bits: 5 data bits have one and a half stop bits in the place of two (8.1, bit 2). */
    unsigned stop = !(s->lcr & 4) ? 2 : s->lcr & 3 ? 4 : 3;
    unsigned halves = 2 + 2 * (5u + (s->lcr & 3)) + (s->lcr & 8 ? 2 : 0) + stop;
    unsigned divisor = s->divisor ? s->divisor : 1;
    return (uint64_t)halves * divisor * 8 * NS_PER_S / CLOCK_HZ;
}

static unsigned cause(const struct serial *s)
{
    if ((s->ier & IER_LINE) && s->line_errors)
        return CAUSE_LINE;
    if ((s->ier & IER_RX) && s->rx_count >= trigger(s))
        return CAUSE_RX;
    if ((s->ier & IER_RX) && s->rx_timeout)
        return CAUSE_RX_TIMEOUT;
    if ((s->ier & IER_TX) && s->tx_empty_int)
        return CAUSE_TX;
    if ((s->ier & IER_MODEM) && s->modem_changes)
        return CAUSE_MODEM;
    return CAUSE_NONE;
}

static void update_irq(struct serial *s)
{
    irq_set(&s->irq, cause(s) != CAUSE_NONE);
}

/* MSR bits 4..7. A line with a chardev always has a ready modem at the other end. */
static uint8_t modem_inputs(const struct serial *s)
{
    if (s->mcr & MCR_LOOP) /* 8.6.6: the four outputs are wired to the four inputs */
        return (uint8_t)((s->mcr & MCR_RTS ? MSR_CTS : 0) | (s->mcr & MCR_DTR ? MSR_DSR : 0) |
                         (s->mcr & MCR_OUT1 ? MSR_RI : 0) | (s->mcr & MCR_OUT2 ? MSR_DCD : 0));
    return s->chardev ? MSR_CTS | MSR_DSR | MSR_DCD : 0;
}

/* The receiver */

/* A character counts as forgotten when nothing came or was read for four character times. */
static void watch_rx(struct serial *s)
{
    if (fifo_on(s) && (s->ier & IER_RX) && s->rx_count && s->rx_count < trigger(s) &&
        !s->rx_timeout)
        timer_arm_in(&s->rx_timer, 4 * character_ns(s));
    else
        timer_disarm(&s->rx_timer);
}

static void rx_timer_fired(void *opaque)
{
    struct serial *s = opaque;
    s->rx_timeout = s->rx_count > 0;
    update_irq(s);
}

static void put_rx(struct serial *s, uint8_t byte)
{
    if (s->rx_count < depth(s)) {
        s->rx[(s->rx_first + s->rx_count) % SERIAL_FIFO] = byte;
        s->rx_count++;
    } else {
        s->line_errors |= LSR_OVERRUN;
        if (!fifo_on(s)) /* 8.4: the holding register is overwritten, the FIFO is not */
            s->rx[s->rx_first] = byte;
    }
    s->rx_timeout = false;
}

static uint8_t get_rx(struct serial *s)
{
    if (s->rx_count) {
        s->last_rx = s->rx[s->rx_first];
        s->rx_first = (s->rx_first + 1) % SERIAL_FIFO;
        s->rx_count--;
        if (s->break_at && !--s->break_at)
            s->line_errors |= LSR_BREAK | LSR_FRAMING;
    }
    s->rx_timeout = false;
    return s->last_rx;
}

static void accept_more(struct serial *s)
{
    if (s->chardev && s->rx_count <= RX_LOW)
        chardev_accept_input(s->chardev);
}

static size_t line_room(void *opaque)
{
    const struct serial *s = opaque;
    if ((s->mcr & MCR_LOOP) || s->rx_count >= depth(s))
        return 0;
    return depth(s) - s->rx_count;
}

static void line_receive(void *opaque, const uint8_t *buf, size_t len)
{
    struct serial *s = opaque;
    for (size_t i = 0; i < len; i++)
        put_rx(s, buf[i]);
    watch_rx(s);
    update_irq(s);
}

/* A break is a zero character without stop bit, and is told when that is the next to be read
 * (8.6.3). */
static void line_break(void *opaque)
{
    struct serial *s = opaque;
    if (!line_room(s))
        return;
    s->break_at = s->rx_count;
    put_rx(s, 0);
    if (!s->break_at)
        s->line_errors |= LSR_BREAK | LSR_FRAMING;
    watch_rx(s);
    update_irq(s);
}

static void clear_rx(struct serial *s)
{
    s->break_at = 0;
    s->rx_first = s->rx_count = 0;
    s->rx_timeout = false;
}

/* The transmitter: as fast as the other end takes it. */

static void send(struct serial *s)
{
    size_t sent = s->tx_count;
    timer_disarm(&s->send_timer);
    if (!s->tx_count)
        return;
    if (s->chardev)
        sent = chardev_write(s->chardev, s->tx, s->tx_count);
    if (sent > s->tx_count)
        sent = s->tx_count;
    memmove(s->tx, s->tx + sent, s->tx_count - sent);
    s->tx_count = (uint8_t)(s->tx_count - sent);
    if (!s->tx_count)
        s->tx_empty_int = true;
}

static void send_held(struct serial *s)
{
    if (timer_armed(&s->send_timer))
        send(s);
}

static void send_timer_fired(void *opaque)
{
    struct serial *s = opaque;
    send(s);
    update_irq(s);
}

static void line_writable(void *opaque)
{
    send_timer_fired(opaque);
}

static void transmit(struct serial *s, uint8_t byte)
{
    s->tx_empty_int = false;
    update_irq(s); /* low before it can rise again: the line is edge-triggered */
    if (s->mcr & MCR_LOOP) {
        put_rx(s, byte);
        watch_rx(s);
        s->tx_empty_int = true;
        return;
    }
    if (s->tx_count < depth(s))
        s->tx[s->tx_count++] = byte;
    if (!fifo_on(s) || !(s->ier & IER_TX) || s->tx_count == SERIAL_FIFO)
        send(s);
    else if (!timer_armed(&s->send_timer))
        timer_arm_in(&s->send_timer, SEND_DELAY_NS);
}

static uint32_t serial_write_run(void *opaque, uint64_t offset, unsigned width, const void *buf,
                                 uint32_t count)
{
    struct serial *s = opaque;
    const uint8_t *bytes = buf;
    size_t sent = count;
    if (offset != RBR_THR || width != 1 || (s->lcr & LCR_DLAB) || (s->mcr & MCR_LOOP))
        return 0;
    s->tx_empty_int = false;
    update_irq(s);
    send(s);
    if (s->tx_count)
        sent = 0; /* the other end is slow */
    else if (s->chardev)
        sent = chardev_write(s->chardev, bytes, count);
    while (sent < count && s->tx_count < depth(s))
        s->tx[s->tx_count++] = bytes[sent++];
    if (!s->tx_count)
        s->tx_empty_int = true;
    update_irq(s);
    return count; /* what found no room is lost, as it would be in the chip */
}

static uint32_t serial_read_run(void *opaque, uint64_t offset, unsigned width, void *buf,
                                uint32_t count)
{
    struct serial *s = opaque;
    uint32_t n = 0;
    if (offset != RBR_THR || width != 1 || (s->lcr & LCR_DLAB))
        return 0;
    while (n < count && s->rx_count)
        ((uint8_t *)buf)[n++] = get_rx(s);
    accept_more(s);
    watch_rx(s);
    update_irq(s);
    return n;
}

/* The registers */

static void write_fcr(struct serial *s, uint8_t value)
{
    bool changed = (value ^ s->fcr) & FCR_ON;
    send_held(s);
    if (changed || ((value & FCR_ON) && (value & FCR_CLEAR_RX)))
        clear_rx(s);
    if (changed || ((value & FCR_ON) && (value & FCR_CLEAR_TX))) {
        s->tx_empty_int |= s->tx_count > 0;
        s->tx_count = 0;
    }
    /* 8.3: the other bits are only programmed while bit 0 is 1 */
    s->fcr = value & FCR_ON ? value & (FCR_ON | FCR_TRIGGER) : 0;
    accept_more(s);
    watch_rx(s);
}

static void write_ier(struct serial *s, uint8_t value)
{
    uint8_t enabled = value & ~s->ier;
    s->ier = value & IER_BITS;
    if (!(s->ier & IER_TX))
        send_held(s);
    if ((enabled & IER_TX) && !s->tx_count)
        s->tx_empty_int = true;
    watch_rx(s);
}

static void write_mcr(struct serial *s, uint8_t value)
{
    uint8_t before = modem_inputs(s), changed;
    send_held(s);
    s->mcr = value & MCR_BITS;
    changed = before ^ modem_inputs(s);
    if (!(before & MSR_RI))
        changed &= (uint8_t)~MSR_RI; /* TERI: only the trailing edge of RI counts */
    s->modem_changes |= changed >> 4;
    accept_more(s);
}

static uint8_t read_iir(struct serial *s)
{
    uint8_t value = (uint8_t)(cause(s) | (fifo_on(s) ? 0xC0 : 0));
    if (cause(s) == CAUSE_TX)
        s->tx_empty_int = false;
    return value;
}

static uint8_t read_lsr(struct serial *s)
{
    uint8_t value;
    send_held(s);
    value = (uint8_t)((s->rx_count ? LSR_READY : 0) | s->line_errors |
                      (s->tx_count ? 0 : LSR_THR_EMPTY | LSR_TX_EMPTY));
    s->line_errors = 0;
    return value;
}

static uint8_t read_msr(struct serial *s)
{
    uint8_t value = modem_inputs(s) | s->modem_changes;
    s->modem_changes = 0;
    return value;
}

static uint64_t serial_read(void *opaque, uint64_t offset, unsigned width)
{
    struct serial *s = opaque;
    uint8_t value = 0xFF;
    (void)width;
    switch (offset) {
    case RBR_THR:
        if (s->lcr & LCR_DLAB)
            return (uint8_t)s->divisor;
        value = get_rx(s);
        accept_more(s);
        watch_rx(s);
        break;
    case IER:
        if (s->lcr & LCR_DLAB)
            return s->divisor >> 8;
        return s->ier;
    case IIR_FCR:
        value = read_iir(s);
        break;
    case LCR:
        return s->lcr;
    case MCR:
        return s->mcr;
    case LSR:
        value = read_lsr(s);
        break;
    case MSR:
        value = read_msr(s);
        break;
    case SCR:
        return s->scr;
    }
    update_irq(s);
    return value;
}

static void serial_write(void *opaque, uint64_t offset, unsigned width, uint64_t v)
{
    struct serial *s = opaque;
    uint8_t value = (uint8_t)v;
    (void)width;
    switch (offset) {
    case RBR_THR:
        if (s->lcr & LCR_DLAB)
            s->divisor = (uint16_t)((s->divisor & 0xFF00) | value);
        else
            transmit(s, value);
        break;
    case IER:
        if (s->lcr & LCR_DLAB)
            s->divisor = (uint16_t)((s->divisor & 0x00FF) | value << 8);
        else
            write_ier(s, value);
        break;
    case IIR_FCR:
        write_fcr(s, value);
        break;
    case LCR:
        s->lcr = value;
        break;
    case MCR:
        write_mcr(s, value);
        break;
    case SCR:
        s->scr = value;
        break;
    default: /* LSR and MSR: for factory testing only */
        break;
    }
    update_irq(s);
}

static const struct io_ops serial_ops = {
    .widths = 1,
    .read = serial_read,
    .write = serial_write,
    .read_run = serial_read_run,
    .write_run = serial_write_run,
};

static const struct chardev_user line_user = {
    .room = line_room,
    .receive = line_receive,
    .writable = line_writable,
    .line_break = line_break,
};

static void serial_reset(struct device *d)
{
    struct serial *s = (struct serial *)d;
    timer_disarm(&s->rx_timer);
    timer_disarm(&s->send_timer);
    update_irq(s);
    accept_more(s);
}

/* What is held back only for speed goes out before the state is taken. */
static void serial_quiesce(struct device *d)
{
    struct serial *s = (struct serial *)d;
    send_held(s);
    update_irq(s);
}

static bool serial_post_load(struct device *d, struct err *err)
{
    struct serial *s = (struct serial *)d;
    if (s->rx_count > depth(s) || s->tx_count > depth(s))
        return err_set(err, "serial: %u characters received and %u to send without FIFOs",
                       s->rx_count, s->tx_count);
    if (s->break_at && s->break_at >= s->rx_count)
        return err_set(err, "serial: a break behind %u characters of %u", s->break_at, s->rx_count);
    if (s->line_errors & ~LSR_ERRORS)
        return err_set(err, "serial: line errors %02x", s->line_errors);
    if (s->rx_timeout && !s->rx_count)
        return err_set(err, "serial: a timeout with nothing received");
    if (s->tx_count)
        timer_arm_in(&s->send_timer, SEND_DELAY_NS);
    else
        timer_disarm(&s->send_timer);
    watch_rx(s);
    update_irq(s);
    irq_push(&s->irq);
    return true;
}

static void serial_destroy(struct device *d)
{
    struct serial *s = (struct serial *)d;
    if (s->chardev)
        chardev_set_user(s->chardev, NULL, NULL);
    bus_unmap(s->bus, &s->ports);
    timer_destroy(&s->rx_timer);
    timer_destroy(&s->send_timer);
    free(s);
}

static const struct device_class serial_class = {
    .name = "serial",
    .version = 2,
    .state = serial_state,
    .reset = serial_reset,
    .quiesce = serial_quiesce,
    .post_load = serial_post_load,
    .destroy = serial_destroy,
};

static const struct {
    uint16_t port;
    uint8_t line;
    const char *name;
} com[] = {{0x3F8, 4, "com1"}, {0x2F8, 3, "com2"}, {0x3E8, 4, "com3"}, {0x2E8, 3, "com4"}};

unsigned serial_isa_line(unsigned index)
{
    return index < sizeof(com) / sizeof(com[0]) ? com[index].line : 0;
}

struct serial *serial_realize(struct bus *bus, struct clock *clock, struct device_list *devices,
                              const struct serial_config *config, struct chardev *chardev,
                              struct err *err)
{
    struct serial *s;
    if (config->index >= sizeof(com) / sizeof(com[0])) {
        err_set(err, "there are no more than four serial ports");
        return NULL;
    }
    s = calloc(1, sizeof(*s));
    if (!s) {
        err_set(err, "serial: out of memory");
        return NULL;
    }
    s->bus = bus;
    s->clock = clock;
    timer_init(&s->rx_timer, clock, rx_timer_fired, s);
    timer_init(&s->send_timer, clock, send_timer_fired, s);
    io_region_init(&s->ports, com[config->index].name, &serial_ops, s);
    if (!bus_map(bus, &s->ports, IO_PORT, com[config->index].port, 8, err)) {
        serial_destroy(&s->device);
        return NULL;
    }
    s->chardev = chardev;
    if (chardev)
        chardev_set_user(chardev, &line_user, s);
    device_add(devices, &s->device, &serial_class, com[config->index].name);
    return s;
}
