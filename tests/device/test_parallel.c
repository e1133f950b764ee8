/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_parallel: LPT1 as printer drivers see it, with a printer that the test holds in its hand. */
#include <stdlib.h>
#include <string.h>

#include "hw/pc/parallel.h"
#include "tests/device/rig.h"

enum { DATA = 0x378, STATUS = 0x379, CONTROL = 0x37A, EPP_ADDRESS = 0x37B, EPP_DATA = 0x37C };

/* The printer: what ui/chardev.c is in the product. */
struct chardev {
    const struct chardev_user *user;
    void *opaque;
    uint8_t out[64];
    size_t out_len, space;
    const char *typed; /* what the other side has to say */
};

static struct chardev printer;
static struct rig *rig;
static struct parallel *p;

void chardev_set_user(struct chardev *c, const struct chardev_user *user, void *opaque)
{
    c->user = user;
    c->opaque = opaque;
}

size_t chardev_write(struct chardev *c, const uint8_t *buf, size_t len)
{
    size_t n = len < c->space ? len : c->space;
    assert_true(c->out_len + n <= sizeof(c->out));
    memcpy(c->out + c->out_len, buf, n);
    c->out_len += n;
    c->space -= n;
    return n;
}

void chardev_accept_input(struct chardev *c)
{
    size_t room = c->user->room(c->opaque), len = c->typed ? strlen(c->typed) : 0;
    size_t n = len < room ? len : room;
    if (n)
        c->user->receive(c->opaque, (const uint8_t *)c->typed, n);
    c->typed += n;
}

static void new_machine(struct chardev *chardev)
{
    struct err err;
    rig = rig_new();
    p = parallel_realize(rig->bus, &rig->devices, chardev, &err);
    assert_non_null(p);
    rig_isa_irq(rig, &p->irq, 7);
    devices_reset(&rig->devices);
}

static int setup(void **state)
{
    (void)state;
    printer = (struct chardev){.space = sizeof(printer.out)};
    new_machine(&printer);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rig_free(rig);
    assert_null(printer.user); /* let go */
    return 0;
}

/* As a polling driver does it. */
static void print_byte(uint8_t byte, uint8_t control)
{
    assert_int_equal(rig_inb(rig, STATUS) & 0xF8, 0xD8);
    rig_outb(rig, DATA, byte);
    rig_outb(rig, CONTROL, control | 0x0D);
    rig_outb(rig, CONTROL, control | 0x0C);
}

static void registers(void **state)
{
    (void)state;
    assert_true(fake_claimed(rig->hv, 'p', 0x378, 0x37F));
    assert_int_equal(rig_inb(rig, CONTROL), 0xCC);
    rig_outb(rig, DATA, 0x5A); /* how a BIOS finds the port */
    assert_int_equal(rig_inb(rig, DATA), 0x5A);
    rig_outb(rig, CONTROL, 0x2C); /* the lines are the printer's, which drives none */
    assert_int_equal(rig_inb(rig, DATA), 0xFF);
    rig_outb(rig, CONTROL, 0x0C);
    assert_int_equal(rig_inb(rig, DATA), 0x5A);
    rig_outb(rig, CONTROL, 0xFE);
    assert_int_equal(rig_inb(rig, CONTROL), 0xFE);
    assert_int_equal(rig_inb(rig, STATUS), 0xDE);
    rig_outb(rig, STATUS, 0x00);
    assert_int_equal(rig_inb(rig, STATUS), 0xDE);
    assert_int_equal(printer.out_len, 0);
}

static void printing(void **state)
{
    (void)state;
    for (const char *c = "Hello"; *c; c++)
        print_byte((uint8_t)*c, 0);
    assert_int_equal(printer.out_len, 5);
    assert_memory_equal(printer.out, "Hello", 5);
    rig_outb(rig, CONTROL, 0x0D); /* one edge, one byte */
    rig_outb(rig, CONTROL, 0x0D);
    assert_int_equal(printer.out_len, 6);
    rig_outb(rig, CONTROL, 0x08); /* held in reset */
    rig_outb(rig, CONTROL, 0x09);
    rig_outb(rig, CONTROL, 0x2C);
    rig_outb(rig, CONTROL, 0x2D); /* nor with the lines turned round */
    assert_int_equal(printer.out_len, 6);
    assert_int_equal(rig->hv->isa_raised[7], 0);
}

static void interrupts(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) { /* also when nobody reads status in between */
        rig_outb(rig, DATA, (uint8_t)i);
        rig_outb(rig, CONTROL, 0x1D);
        assert_true(rig->hv->isa[7]);
        rig_outb(rig, CONTROL, 0x1C);
        assert_int_equal(rig->hv->isa_raised[7], i + 1);
    }
    assert_int_equal(rig_inb(rig, STATUS), 0xDA);
    assert_false(rig->hv->isa[7]);
    assert_int_equal(rig_inb(rig, STATUS), 0xDE);
    print_byte('x', 0x10);
    rig_outb(rig, CONTROL, 0x0C); /* turned off */
    assert_false(rig->hv->isa[7]);
}

static void slow_printer(void **state)
{
    (void)state;
    printer.space = 0;
    print_byte('a', 0x10);
    assert_int_equal(rig_inb(rig, STATUS), 0x5E); /* busy */
    assert_false(rig->hv->isa[7]);
    rig_outb(rig, DATA, 'b');
    rig_outb(rig, CONTROL, 0x1D); /* a driver that does not care: lost, as on paper */
    rig_outb(rig, CONTROL, 0x1C);
    printer.user->writable(printer.opaque);
    assert_int_equal(rig_inb(rig, STATUS) & 0x80, 0);
    printer.space = 8;
    printer.user->writable(printer.opaque);
    assert_true(rig->hv->isa[7]);
    assert_int_equal(rig_inb(rig, STATUS), 0xDA);
    assert_memory_equal(printer.out, "a", 1);
    assert_int_equal(printer.out_len, 1);
    printer.user->writable(printer.opaque);
    assert_int_equal(printer.out_len, 1);
    printer.space = 0;
    print_byte('c', 0);
    rig_outb(rig, CONTROL, 0x08); /* reset: forgotten */
    rig_outb(rig, CONTROL, 0x0C);
    assert_int_equal(rig_inb(rig, STATUS) & 0x80, 0x80);
}

static void nothing_plugged_in(void **state)
{
    (void)state;
    rig_free(rig);
    new_machine(NULL);
    assert_int_equal(rig_inb(rig, STATUS), 0x7E);
    rig_outb(rig, CONTROL, 0x1D);
    assert_int_equal(rig_inb(rig, STATUS), 0x7E);
    assert_int_equal(rig->hv->isa_raised[7], 0);
    assert_int_equal(rig_inb(rig, EPP_DATA), 0xFF); /* EPP is there, and nobody answers */
    assert_int_equal(rig_inb(rig, STATUS), 0x7F);
    rig_outb(rig, STATUS, 1);
    rig_outb(rig, EPP_DATA, 'x');
    assert_int_equal(rig_inb(rig, STATUS), 0x7F);
    rig_standard_tests(rig, &p->device);
}

/* As a driver finds EPP: the time-out bit is there, and goes when it is written. */
static void epp_detection(void **state)
{
    (void)state;
    assert_int_equal(rig_inb(rig, STATUS) & 1, 0);
    assert_int_equal(rig_inb(rig, EPP_DATA), 0xFF); /* nothing to read: a time-out */
    assert_int_equal(rig_inb(rig, STATUS) & 1, 1);
    assert_int_equal(rig_inb(rig, STATUS) & 1, 1);
    rig_outb(rig, STATUS, 0);
    assert_int_equal(rig_inb(rig, STATUS) & 1, 1);
    rig_outb(rig, STATUS, 1);
    assert_int_equal(rig_inb(rig, STATUS) & 1, 0);
}

static void epp_cycles(void **state)
{
    (void)state;
    rig_outb(rig, EPP_ADDRESS, 0x42);
    assert_int_equal(rig_inb(rig, EPP_ADDRESS), 0x42);
    assert_int_equal(printer.out_len, 0);
    for (unsigned i = 0; i < 4; i++)
        rig_outb(rig, (uint16_t)(EPP_DATA + i), (uint8_t)('a' + i));
    rig_outl(rig, EPP_DATA, 0x68676665); /* a wide access is as many cycles */
    rig_outw(rig, EPP_DATA, 0x6A69);
    assert_int_equal(printer.out_len, 10);
    assert_memory_equal(printer.out, "abcdefghij", 10);
    assert_int_equal(rig_inb(rig, STATUS) & 1, 0);
    printer.typed = "0123456789abcdefghijklmnop"; /* more than the port keeps */
    chardev_accept_input(&printer);
    assert_string_equal(printer.typed, "ghijklmnop");
    assert_int_equal(rig_inb(rig, EPP_DATA), '0');
    assert_string_equal(printer.typed, "hijklmnop");
    assert_int_equal(rig_inl(rig, EPP_DATA), 0x34333231);
    for (const char *c = "56789abcdefghijklmnop"; *c; c++)
        assert_int_equal(rig_inb(rig, EPP_DATA), *c);
    assert_int_equal(rig_inb(rig, STATUS) & 1, 0);
    rig_inb(rig, EPP_DATA);
    assert_int_equal(rig_inb(rig, STATUS) & 1, 1);
    rig_outb(rig, STATUS, 1);
    /* A stream that takes no more, a byte by strobe that it has not taken, INIT. */
    printer.space = 0;
    rig_outb(rig, EPP_DATA, 'x');
    assert_int_equal(rig_inb(rig, STATUS) & 1, 1);
    rig_outb(rig, STATUS, 1);
    print_byte('y', 0);
    printer.space = 8;
    rig_outb(rig, EPP_DATA, 'z');
    assert_int_equal(rig_inb(rig, STATUS) & 1, 1);
    assert_int_equal(printer.out_len, 10);
    rig_outb(rig, STATUS, 1);
    rig_outb(rig, CONTROL, 0x08);
    rig_outb(rig, EPP_DATA, 'z');
    rig_outb(rig, EPP_ADDRESS, 1);
    assert_int_equal(rig_inb(rig, EPP_ADDRESS), 0xFF);
    assert_int_equal(rig_inb(rig, STATUS) & 1, 1);
    rig_outb(rig, STATUS, 1);
    rig_outb(rig, CONTROL, 0x0C);
    assert_int_equal(rig_inb(rig, EPP_ADDRESS), 0x42);
    assert_int_equal(printer.out_len, 10);
    printer.typed = "left";
    chardev_accept_input(&printer);
    rig_standard_tests(rig, &p->device);
    devices_reset(&rig->devices);
    assert_int_equal(rig_inb(rig, EPP_ADDRESS), 0);
    rig_inb(rig, EPP_DATA);
    assert_int_equal(rig_inb(rig, STATUS) & 1, 1); /* what had come is gone */
}

static void moved_with_a_byte(void **state)
{
    struct err err;
    uint8_t *stream;
    size_t len;
    (void)state;
    printer.space = 0;
    print_byte('z', 0x10);
    rig_standard_tests(rig, &p->device);
    devices_quiesce(&rig->devices);
    assert_true(devices_save(&rig->devices, &stream, &len, &err));
    rig_free(rig);
    printer.space = 8;
    new_machine(&printer);
    assert_true(devices_load(&rig->devices, stream, len, &err));
    assert_int_equal(printer.out_len, 0);
    devices_resume(&rig->devices);
    devices_resume(&rig->devices);
    assert_int_equal(printer.out_len, 1);
    assert_int_equal(printer.out[0], 'z');
    assert_true(rig->hv->isa[7]);
    free(stream);
}

static void random_accesses(void **state)
{
    (void)state;
    srandom(6);
    for (unsigned i = 0; i < 20000; i++) {
        printer.out_len = 0;
        printer.space = (size_t)random() % 2;
        rig_outb(rig, (uint16_t)(DATA + random() % 8), (uint8_t)random());
        rig_inb(rig, (uint16_t)(DATA + random() % 8));
        if (random() % 4 == 0)
            printer.user->writable(printer.opaque);
    }
    devices_reset(&rig->devices);
    printer = (struct chardev){.user = printer.user, .opaque = printer.opaque, .space = 8};
    print_byte('!', 0);
    assert_int_equal(printer.out_len, 1);
}

static void taken_ports(void **state)
{
    struct err err;
    (void)state;
    assert_null(parallel_realize(rig->bus, &rig->devices, NULL, &err));
    assert_true(strlen(err.text) > 0);
    assert_int_equal(rig->hv->claim_count, 1);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(epp_detection),   T(epp_cycles),   T(registers),          T(printing),
        T(interrupts),      T(slow_printer), T(nothing_plugged_in), T(moved_with_a_byte),
        T(random_accesses), T(taken_ports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
