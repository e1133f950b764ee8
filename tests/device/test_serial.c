/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_serial: a 16550A as its driver sees it, on a line that the test holds in its hand. */
#include <stdlib.h>
#include <string.h>

#include "hw/pc/serial.h"
#include "tests/device/rig.h"

/* The line: what ui/chardev.c is in the product. */
struct chardev {
    const struct chardev_user *user;
    void *opaque;
    uint8_t out[8192];
    size_t out_len, space; /* taken so far; bytes still taken */
    unsigned writes;
    uint8_t in[256];
    size_t in_len, in_at;
};

static struct chardev line;

void chardev_set_user(struct chardev *c, const struct chardev_user *user, void *opaque)
{
    c->user = user;
    c->opaque = opaque;
}

size_t chardev_write(struct chardev *c, const uint8_t *buf, size_t len)
{
    size_t n = len < c->space ? len : c->space;
    c->writes++;
    assert_true(c->out_len + n <= sizeof(c->out));
    memcpy(c->out + c->out_len, buf, n);
    c->out_len += n;
    c->space -= n;
    return n;
}

void chardev_accept_input(struct chardev *c)
{
    size_t n = c->in_len - c->in_at, room = c->user->room(c->opaque);
    if (n > room)
        n = room;
    c->in_at += n;
    if (n)
        c->user->receive(c->opaque, c->in + c->in_at - n, n);
}

static struct rig *rig;
static struct serial *s;

#define CHARACTER (UINT64_C(10) * 16 * NS_PER_S / 1843200) /* 115200 baud, 8N1: 86.8 us */

enum { BASE = 0x3F8 };

static struct serial *com(unsigned index, struct chardev *chardev)
{
    const struct serial_config config = {.index = index};
    struct err err;
    struct serial *port =
        serial_realize(rig->bus, &rig->clock, &rig->devices, &config, chardev, &err);
    assert_non_null(port);
    return port;
}

static int setup(void **state)
{
    (void)state;
    memset(&line, 0, sizeof(line));
    line.space = SIZE_MAX;
    rig = rig_new();
    s = com(0, &line);
    rig_isa_irq(rig, &s->irq, 4);
    devices_reset(&rig->devices);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rig_free(rig);
    assert_null(line.user);
    return 0;
}

static uint8_t in(unsigned reg)
{
    return rig_inb(rig, (uint16_t)(BASE + reg));
}

static void out(unsigned reg, uint8_t v)
{
    rig_outb(rig, (uint16_t)(BASE + reg), v);
}

/* 115200 8N1, FIFOs on with trigger level 8, outputs on. */
static void start(uint8_t ier)
{
    out(3, 0x83);
    out(0, 1);
    out(1, 0);
    out(3, 0x03);
    out(2, 0x87);
    out(4, 0x0B);
    out(1, ier);
}

static void type(const char *bytes)
{
    size_t len = strlen(bytes);
    memmove(line.in, line.in + line.in_at, line.in_len - line.in_at);
    line.in_len -= line.in_at;
    line.in_at = 0;
    memcpy(line.in + line.in_len, bytes, len);
    line.in_len += len;
    chardev_accept_input(&line);
}

static void sent(const char *bytes)
{
    assert_int_equal(line.out_len, strlen(bytes));
    assert_memory_equal(line.out, bytes, line.out_len);
    line.out_len = 0;
}

static void registers(void **state)
{
    (void)state;
    static const uint8_t power_on[] = {0x00, 0x00, 0x01, 0x00, 0x00, 0x60, 0xB0, 0x00};
    assert_true(fake_claimed(rig->hv, 'p', 0x3F8, 0x3FF));
    for (unsigned reg = 0; reg < 8; reg++)
        assert_int_equal(in(reg), power_on[reg]);
    out(7, 0xA5);
    assert_int_equal(in(7), 0xA5);
    out(1, 0xFF);
    assert_int_equal(in(1), 0x0F);
    out(4, 0xFF);
    assert_int_equal(in(4), 0x1F);
    out(4, 0);
    out(3, 0xFF);
    assert_int_equal(in(3), 0xFF);
    out(0, 0x34);
    out(1, 0x12);
    assert_int_equal(in(0), 0x34);
    assert_int_equal(in(1), 0x12);
    out(3, 0x03);
    assert_int_equal(in(1), 0x0F);
    assert_int_equal(line.out_len, 0);
    out(5, 0); /* read-only */
    out(6, 0);
    assert_int_equal(in(5), 0x60);
    assert_int_equal(in(6) & 0xF0, 0xB0);
    devices_reset(&rig->devices);
    assert_int_equal(in(7), 0xA5); /* scratch survives the reset pin */
    assert_int_equal(in(1), 0);
    out(3, 0x80);
    assert_int_equal(in(0), 12);
}

static void fifo_detection(void **state)
{
    (void)state;
    assert_int_equal(in(2), 0x01);
    out(2, 0x01);
    assert_int_equal(in(2), 0xC1);
    out(2, 0xC6); /* bit 0 clear: off, and the other bits are not programmed */
    assert_int_equal(in(2), 0x01);
}

static void polled_output(void **state)
{
    (void)state;
    for (const char *p = "hello"; *p; p++) {
        assert_int_equal(in(5) & 0x60, 0x60);
        out(0, (uint8_t)*p);
    }
    sent("hello"); /* at once, character by character */
    start(0);
    out(0, 'x');
    sent("x");
    assert_int_equal(clock_deadline(&rig->clock), CLOCK_NEVER);
}

static void thre_interrupt(void **state)
{
    (void)state;
    start(0x00);
    assert_false(rig->hv->isa[4]);
    out(1, 0x02); /* enabling it with an empty transmitter raises it */
    assert_true(rig->hv->isa[4]);
    assert_int_equal(in(2), 0xC2); /* seen: gone */
    assert_false(rig->hv->isa[4]);
    assert_int_equal(in(2), 0xC1);
    out(1, 0x02); /* no change of the enable: nothing */
    assert_false(rig->hv->isa[4]);
    out(1, 0x00);
    out(1, 0x02);
    unsigned edges = rig->hv->isa_raised[4];
    out(2, 0x00); /* without FIFOs each character raises it anew, read or not */
    out(0, 'a');
    assert_true(rig->hv->isa[4]);
    assert_int_equal(rig->hv->isa_raised[4], edges + 1);
    out(0, 'b');
    assert_int_equal(rig->hv->isa_raised[4], edges + 2);
    assert_int_equal(in(2), 0x02);
    sent("ab");
}

static void interrupt_driven_bursts(void **state)
{
    (void)state;
    start(0x02);
    in(2);
    unsigned edges = rig->hv->isa_raised[4];
    for (unsigned i = 0; i < 16; i++) {
        assert_int_equal(line.out_len, 0);
        out(0, (uint8_t)('a' + i));
    }
    sent("abcdefghijklmnop"); /* one write, one interrupt */
    assert_int_equal(line.writes, 1);
    assert_int_equal(rig->hv->isa_raised[4], edges + 1);
    assert_int_equal(in(2), 0xC2);

    out(0, 'q'); /* a short burst goes when the driver asks */
    out(0, 'r');
    assert_int_equal(line.out_len, 0);
    assert_int_equal(in(5), 0x60);
    sent("qr");
    assert_int_equal(in(2), 0xC2);

    out(0, 's'); /* or when it has no more */
    out(1, 0x00);
    sent("s");

    out(1, 0x02);
    in(2);
    out(0, 't'); /* or after a moment */
    assert_false(rig->hv->isa[4]);
    rig_step(rig, 50 * NS_PER_US);
    sent("t");
    assert_true(rig->hv->isa[4]);
    assert_int_equal(clock_deadline(&rig->clock), CLOCK_NEVER);
    out(0, 'u');
    devices_quiesce(&rig->devices);
    sent("u");
    out(0, 'v');
    out(2, 0x85); /* clearing the FIFO does not catch what the chip would have sent by now */
    sent("v");
    out(0, 'w');
    out(4, 0x1B);
    sent("w");
}

static void slow_line(void **state)
{
    (void)state;
    start(0x02);
    in(2);
    line.space = 4;
    for (unsigned i = 0; i < 16; i++)
        out(0, (uint8_t)('a' + i));
    sent("abcd");
    assert_int_equal(in(5) & 0x60, 0);
    assert_int_equal(in(2), 0xC1);
    for (unsigned i = 0; i < 6; i++) /* room for four; what is too much is lost */
        out(0, (uint8_t)('A' + i));
    rig_step(rig, NS_PER_S);
    assert_int_equal(in(5) & 0x60, 0);
    line.space = 3;
    line.user->writable(line.opaque);
    sent("efg");
    assert_false(rig->hv->isa[4]);
    line.space = SIZE_MAX;
    line.user->writable(line.opaque);
    sent("hijklmnopABCD");
    assert_true(rig->hv->isa[4]);
    assert_int_equal(in(5) & 0x60, 0x60);
    assert_int_equal(in(2), 0xC2);

    line.space = 0;
    out(2, 0x00);
    out(0, 'x');
    out(0, 'y');
    assert_int_equal(in(5) & 0x60, 0);
    line.space = SIZE_MAX;
    line.user->writable(line.opaque);
    sent("x");
    line.user->writable(line.opaque);
    sent("");

    line.space = 0;
    out(2, 0x07);
    out(0, 'z');
    assert_int_equal(in(5) & 0x60, 0);
    out(2, 0x05); /* cleared by the driver: gone */
    assert_int_equal(in(5) & 0x60, 0x60);
}

static void receive_triggers(void **state)
{
    (void)state;
    static const struct {
        uint8_t fcr, level;
    } cases[] = {{0x07, 1}, {0x47, 4}, {0x87, 8}, {0xC7, 14}};
    start(0x01);
    for (unsigned c = 0; c < 4; c++) {
        out(2, cases[c].fcr);
        for (unsigned i = 1; i < cases[c].level; i++) {
            type("x");
            assert_false(rig->hv->isa[4]);
        }
        type("x");
        assert_true(rig->hv->isa[4]);
        assert_int_equal(in(2), 0xC4);
        assert_int_equal(in(0), 'x');
        assert_int_equal(rig->hv->isa[4], false);
        assert_int_equal(in(5) & 1, cases[c].level > 1);
        out(2, cases[c].fcr);
        assert_int_equal(in(5) & 1, 0);
    }
    assert_int_equal(clock_deadline(&rig->clock), CLOCK_NEVER);
}

static void receive_timeout(void **state)
{
    (void)state;
    start(0x01);
    type("ab");
    rig_step(rig, 4 * CHARACTER - 10);
    assert_false(rig->hv->isa[4]);
    type("c"); /* each character starts the wait anew */
    rig_step(rig, 4 * CHARACTER - 10);
    assert_false(rig->hv->isa[4]);
    rig_step(rig, 20);
    assert_true(rig->hv->isa[4]);
    assert_int_equal(in(2), 0xCC);
    assert_int_equal(in(2), 0xCC); /* not cleared by looking */
    assert_int_equal(in(0), 'a');
    assert_false(rig->hv->isa[4]); /* and so does each read */
    rig_step(rig, 4 * CHARACTER + 10);
    assert_true(rig->hv->isa[4]);
    assert_int_equal(in(0), 'b');
    assert_int_equal(in(0), 'c');
    assert_int_equal(clock_deadline(&rig->clock), CLOCK_NEVER);
    rig_step(rig, NS_PER_S);
    assert_false(rig->hv->isa[4]);
    assert_int_equal(in(0), 'c'); /* nothing new: the old one */
    type("d");
    out(1, 0x00);
    assert_int_equal(clock_deadline(&rig->clock), CLOCK_NEVER); /* nobody asked */
    out(1, 0x01);
    rig_step(rig, 4 * CHARACTER + 10);
    assert_int_equal(in(2), 0xCC);
    out(2, 0x83);
    assert_int_equal(in(2), 0xC1);

    out(3, 0x80); /* slowest line: divisor FFFF, 8 bits, parity, two stop bits */
    out(0, 0xFF);
    out(1, 0xFF);
    out(3, 0x0F);
    type("e");
    rig_step(rig, NS_PER_S);
    assert_false(rig->hv->isa[4]);
    rig_step(rig, 30 * NS_PER_S);
    assert_true(rig->hv->isa[4]);
    out(2, 0x83);
    out(3, 0x80); /* divisor 0 */
    out(0, 0);
    out(1, 0);
    out(3, 0x00);
    type("f");
    rig_step(rig, NS_PER_MS);
    assert_true(rig->hv->isa[4]);
}

static void receive_back_pressure(void **state)
{
    (void)state;
    type("0123456789");
    assert_int_equal(line.in_at, 1); /* one holding register, no overrun */
    assert_int_equal(in(0), '0');
    assert_int_equal(in(0), '1');
    start(0x01);
    out(2, 0x81);
    type("abcdefghijklmnopqrstuvwxyz");
    assert_int_equal(line.user->room(line.opaque), 0);
    for (const char *p = "3456789abcdefghijklmnopqrstuvwxyz"; *p; p++) {
        assert_int_equal(in(5) & 0x03, 0x01);
        assert_int_equal(in(0), *p);
    }
    assert_int_equal(in(5) & 1, 0);
}

static void interrupt_priority(void **state)
{
    (void)state;
    start(0x0F);
    assert_int_equal(in(2), 0xC2); /* transmitter empty */
    out(4, 0x10);                  /* loopback: the four inputs fall */
    assert_int_equal(in(2), 0xC0);
    for (unsigned i = 0; i < 17; i++)
        out(0, (uint8_t)i);
    assert_int_equal(in(2), 0xC6); /* overrun */
    assert_int_equal(in(5), 0x63);
    assert_int_equal(in(5), 0x61);
    assert_int_equal(in(2), 0xC4); /* received */
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(in(0), i); /* the FIFO kept its own */
    assert_int_equal(in(2), 0xC2);
    assert_int_equal(in(2), 0xC0);
    assert_int_equal(in(6), 0x0B);
    assert_int_equal(in(2), 0xC1);
    assert_false(rig->hv->isa[4]);
}

static void loopback(void **state)
{
    (void)state;
    out(4, 0x10);
    in(6);
    assert_int_equal(in(6), 0x00);
    out(4, 0x1F);
    assert_int_equal(in(6), 0xFB); /* RI's leading edge does not count */
    out(4, 0x1A);                  /* as PC BIOSes and Linux probe it */
    assert_int_equal(in(6), 0x96);
    out(0, 0x5A);
    assert_int_equal(in(5), 0x61);
    assert_int_equal(in(0), 0x5A);
    out(0, 0x11);
    out(0, 0x22);
    assert_int_equal(in(5) & 0x02, 0x02); /* without FIFOs the newer one stays */
    assert_int_equal(in(0), 0x22);
    sent(""); /* nothing leaves the chip */
    type("x");
    assert_int_equal(in(5) & 1, 0); /* and nothing enters; it is not lost either */
    out(4, 0x0B);
    assert_int_equal(in(5) & 1, 1);
    assert_int_equal(in(0), 'x');
    assert_int_equal(in(6) & 0xF0, 0xB0);
}

/* Every output in loop-back comes back as its input, and every change is told once; of RI only the
 * trailing edge (PC16550D, 8.6 and 8.7). */
static void modem_lines(void **state)
{
    (void)state;
    start(0x08);
    in(6);
    for (unsigned from = 0; from < 16; from++)
        for (unsigned to = 0; to < 16; to++) {
            /* MCR: DTR RTS OUT1 OUT2; MSR: CTS DSR RI DCD. */
            const unsigned mcr[4] = {2, 1, 4, 8};
            unsigned level = 0, change = 0;
            for (unsigned i = 0; i < 4; i++) {
                bool was = from & mcr[i], is = to & mcr[i];
                level |= (unsigned)is << i;
                change |= (unsigned)(i == 2 ? was && !is : was != is) << i;
            }
            out(4, (uint8_t)(0x10 | from));
            in(6);
            assert_false(rig->hv->isa[4]);
            out(4, (uint8_t)(0x10 | to));
            assert_int_equal(rig->hv->isa[4], change != 0);
            assert_int_equal(in(2) & 0x0F, change ? 0x00 : 0x01);
            assert_int_equal(in(6), level << 4 | change);
            assert_false(rig->hv->isa[4]); /* reading it takes it back */
            assert_int_equal(in(6), level << 4);
        }
}

/* The receiver's time-out is four characters, whatever they are made of and how slow they are. */
static void time_outs_follow_divisor_and_format(void **state)
{
    (void)state;
    for (uint32_t divisor = 0; divisor < 0x10000; divisor += 1 + divisor / 23)
        for (uint8_t format = 0; format < 0x20; format++) {
            /* Start, 5 to 8 bits, parity, and 1, 1.5 or 2 stop bits, in halves. */
            unsigned halves = 2 + 2 * (5u + (format & 3)) + (format & 8 ? 2 : 0) +
                              (!(format & 4) ? 2
                               : format & 3  ? 4
                                             : 3);
            uint64_t bit = UINT64_C(16) * (divisor ? divisor : 1) * NS_PER_S;
            uint64_t ns = 4 * halves * bit / 2 / 1843200;
            start(0x01);
            out(3, 0x80 | format);
            out(0, (uint8_t)divisor);
            out(1, (uint8_t)(divisor >> 8));
            assert_int_equal(in(0) | in(1) << 8, divisor);
            out(3, format);
            type("x");
            rig_step(rig, ns - ns / 64 - 10);
            assert_false(rig->hv->isa[4]);
            rig_step(rig, ns / 32 + 20);
            assert_true(rig->hv->isa[4]);
            assert_int_equal(in(2) & 0x0F, 0x0C);
            assert_int_equal(in(0), 'x');
            assert_false(rig->hv->isa[4]);
        }
}

static void string_output(void **state)
{
    (void)state;
    char text[1000];
    memset(text, 'x', sizeof(text));
    start(0x02);
    in(2);
    unsigned edges = rig->hv->isa_raised[4];
    bus_port_write_run(rig->bus, BASE, 1, text, sizeof(text));
    assert_int_equal(line.out_len, sizeof(text));
    assert_int_equal(line.writes, 1);
    assert_int_equal(rig->hv->isa_raised[4], edges + 1);
    line.out_len = 0;
    line.space = 5;
    bus_port_write_run(rig->bus, BASE, 1, text, sizeof(text));
    assert_int_equal(line.out_len, 5);
    assert_int_equal(s->tx_count, 16); /* the chip has room for no more */
    bus_port_write_run(rig->bus, BASE, 1, text, sizeof(text));
    assert_int_equal(s->tx_count, 16);
    line.space = SIZE_MAX;
    line.user->writable(line.opaque);
    assert_int_equal(line.out_len, 21);
    line.out_len = 0;
    out(3, 0x83); /* not to the divisor latch */
    bus_port_write_run(rig->bus, BASE, 1, text, 4);
    assert_int_equal(line.out_len, 0);
    assert_int_equal(in(0), 'x');
    out(3, 0x03);
    out(4, 0x10);
    bus_port_write_run(rig->bus, BASE, 1, text, 4);
    assert_int_equal(s->rx_count, 4);
    bus_port_write_run(rig->bus, BASE, 2, text, 4); /* words: data and IER in turn */
    assert_int_equal(in(1), 'x' & 0x0F);
}

static void string_input(void **state)
{
    (void)state;
    uint8_t buf[40];
    start(0x01);
    type("The quick brown fox jumps");
    bus_port_read_run(rig->bus, BASE, 1, buf, 10);
    assert_memory_equal(buf, "The quick ", 10);
    bus_port_read_run(rig->bus, BASE, 1, buf, sizeof(buf));
    assert_memory_equal(buf, "brown fox jumps", 15);
    for (unsigned i = 15; i < sizeof(buf); i++)
        assert_int_equal(buf[i], 's');
    assert_false(rig->hv->isa[4]);
    assert_int_equal(in(5) & 1, 0);
}

static void four_ports(void **state)
{
    (void)state;
    static const uint16_t port[] = {0x3F8, 0x2F8, 0x3E8, 0x2E8};
    static const unsigned irq[] = {4, 3, 4, 3};
    struct err err;
    const struct serial_config fifth = {.index = 4}, again = {.index = 0};
    for (unsigned i = 1; i < 4; i++)
        com(i, NULL);
    devices_reset(&rig->devices);
    for (unsigned i = 0; i < 4; i++) {
        assert_true(fake_claimed(rig->hv, 'p', port[i], port[i] + 7u));
        rig_outb(rig, (uint16_t)(port[i] + 7), (uint8_t)(i + 1));
        assert_int_equal(serial_isa_line(i), irq[i]);
    }
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(rig_inb(rig, (uint16_t)(port[i] + 7)), i + 1);
    assert_int_equal(serial_isa_line(4), 0);
    assert_null(serial_realize(rig->bus, &rig->clock, &rig->devices, &fifth, NULL, &err));
    assert_non_null(strstr(err.text, "four"));
    assert_null(serial_realize(rig->bus, &rig->clock, &rig->devices, &again, NULL, &err));
    assert_int_equal(rig->hv->claim_count, 4);
    /* Nothing plugged in: no modem, and characters go nowhere. */
    assert_int_equal(rig_inb(rig, 0x2FE), 0x00);
    rig_outb(rig, 0x2F8, 'x');
    assert_int_equal(rig_inb(rig, 0x2FD), 0x60);
}

static void save_and_load(void **state)
{
    (void)state;
    struct err err;
    uint8_t *saved;
    size_t len;
    start(0x03);
    in(2);
    line.space = 2;
    for (unsigned i = 0; i < 16; i++)
        out(0, (uint8_t)('a' + i));
    type("xyz");
    line.out_len = 0;
    devices_quiesce(&rig->devices);
    assert_true(devices_save(&rig->devices, &saved, &len, &err));
    devices_reset(&rig->devices);
    assert_int_equal(in(5), 0x60);
    line.space = SIZE_MAX;
    unsigned calls = rig->hv->isa_calls[4];
    assert_true(devices_load(&rig->devices, saved, len, &err));
    assert_true(rig->hv->isa_calls[4] > calls);
    free(saved);
    sent("");
    rig_step(rig, 50 * NS_PER_US);
    sent("cdefghijklmnop");
    assert_int_equal(in(2), 0xC2);
    rig_step(rig, 4 * CHARACTER);
    assert_int_equal(in(2), 0xCC);
    assert_int_equal(in(0), 'x');
}

static void standard(void **state)
{
    (void)state;
    rig_standard_tests(rig, &s->device);
    start(0x0F);
    type("abc");
    line.space = 0;
    for (unsigned i = 0; i < 16; i++)
        out(0, 'x');
    rig_standard_tests(rig, &s->device);
    assert_int_equal(in(0), 'a');
}

static void hostile_states(void **state)
{
    struct err err;
    const struct device_class *class = s->device.class;
    size_t len = state_size(class->state, class->version);
    uint8_t *bytes = malloc(len);
    struct serial copy;
    (void)state;
    assert_non_null(bytes);
#define REFUSED(statement)                                                       \
    do {                                                                         \
        copy = *s;                                                               \
        statement;                                                               \
        state_save(class->state, &copy, class->version, bytes);                  \
        assert_false(device_load(&s->device, class->version, bytes, len, &err)); \
        device_reset(&s->device);                                                \
    } while (0)
    REFUSED(copy.rx_count = 17);
    REFUSED(copy.rx_first = 16);
    REFUSED(copy.tx_count = 17);
    REFUSED(copy.tx_count = 2); /* FIFOs are off */
    REFUSED(copy.rx_count = 2);
    REFUSED(copy.line_errors = 0x01);
    REFUSED(copy.rx_timeout = true);
    REFUSED(copy.ier = 0x10);
#undef REFUSED
    free(bytes);
    out(0, 'x');
    sent("x");
}

static void random_accesses(void **state)
{
    (void)state;
    uint8_t buf[64] = {0};
    srandom(4);
    for (unsigned i = 0; i < 200000; i++) {
        unsigned reg = (unsigned)random() % 8;
        line.out_len = 0;
        line.space = (size_t)random() % 40;
        switch (random() % 8) {
        case 0:
            bus_port_write_run(rig->bus, BASE, 1, buf, (uint32_t)random() % 64);
            break;
        case 1:
            bus_port_read_run(rig->bus, BASE, 1, buf, (uint32_t)random() % 64);
            break;
        case 2:
            type("ab");
            if (line.in_len > 200)
                line.in_len = line.in_at = 0;
            break;
        case 3:
            rig_step(rig, (uint64_t)random() % NS_PER_MS);
            line.user->writable(line.opaque);
            break;
        case 4:
            in(reg);
            break;
        default:
            out(reg, (uint8_t)random());
        }
        assert_true(s->rx_count <= 16 && s->tx_count <= 16);
    }
    devices_reset(&rig->devices);
    line.space = SIZE_MAX;
    line.out_len = 0;
    out(0, 'x');
    sent("x");
}

/* A break comes as a zero character, and the line status says so when that is next. */
static void breaks(void **state)
{
    (void)state;
    start(0x05);
    line.user->line_break(line.opaque);
    assert_int_equal(in(2), 0xC6); /* receiver line status */
    assert_int_equal(in(5), 0x79); /* break, framing error, data ready */
    assert_int_equal(in(5), 0x61);
    assert_int_equal(in(0), 0);
    type("ab");
    line.user->line_break(line.opaque);
    type("c");
    for (const char *p = "ab"; *p; p++) {
        assert_int_equal(in(5), 0x61);
        assert_int_equal(in(0), *p);
    }
    assert_int_equal(in(5), 0x79);
    assert_int_equal(in(0), 0);
    assert_int_equal(in(5), 0x61);
    assert_int_equal(in(0), 'c');
    type("a");
    line.user->line_break(line.opaque);
    out(2, 0x83); /* the receiver is emptied */
    type("b");
    assert_int_equal(in(0), 'b');
    assert_int_equal(in(5), 0x60);
    for (unsigned i = 0; i < 100; i++) /* more than there is room for */
        line.user->line_break(line.opaque);
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(in(0), 0);
    assert_int_equal(in(5) & 1, 0);
    out(4, 0x1B); /* loopback */
    line.user->line_break(line.opaque);
    assert_int_equal(in(5), 0x60);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(registers),
        T(fifo_detection),
        T(polled_output),
        T(thre_interrupt),
        T(interrupt_driven_bursts),
        T(slow_line),
        T(breaks),
        T(receive_triggers),
        T(receive_timeout),
        T(receive_back_pressure),
        T(interrupt_priority),
        T(loopback),
        T(modem_lines),
        T(time_outs_follow_divisor_and_format),
        T(string_output),
        T(string_input),
        T(four_ports),
        T(save_and_load),
        T(standard),
        T(hostile_states),
        T(random_accesses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
