/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_i8042: the keyboard controller as a driver speaks to it, with its devices behind. */
#include <stdlib.h>
#include <string.h>

#include <linux/input-event-codes.h>

#include "hw/pc/i8042.h"
#include "tests/device/rig.h"
#include "ui/input.h"

#define MS NS_PER_MS

enum { OBF = 0x01, SYS = 0x04, CMD = 0x08, UNLOCKED = 0x10, AUX = 0x20 };

struct machine {
    struct rig *rig;
    struct input *input;
    struct i8042 *c;
    unsigned resets, a20_calls;
    bool a20;
};

static struct machine m;

static void on_reset(void *opaque)
{
    struct machine *machine = opaque;
    machine->resets++;
}

static void on_a20(void *opaque, bool on)
{
    struct machine *machine = opaque;
    machine->a20_calls++;
    machine->a20 = on;
}

static int setup(void **state)
{
    const struct i8042_config config = {.reset = on_reset, .a20 = on_a20, .opaque = &m};
    struct err err;
    (void)state;
    memset(&m, 0, sizeof(m));
    m.rig = rig_new();
    m.input = input_new();
    m.c = i8042_realize(m.rig->bus, &m.rig->clock, &m.rig->devices, m.input, &config, &err);
    assert_non_null(m.c);
    rig_isa_irq(m.rig, &m.c->kbd_irq, 1);
    rig_isa_irq(m.rig, &m.c->mouse_irq, 12);
    devices_reset(&m.rig->devices);
    m.a20_calls = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rig_free(m.rig);
    input_free(m.input);
    return 0;
}

static uint8_t status(void)
{
    return rig_inb(m.rig, 0x64);
}

static uint8_t data(void)
{
    return rig_inb(m.rig, 0x60);
}

static void ctl(uint8_t command)
{
    rig_outb(m.rig, 0x64, command);
}

static void put(uint8_t byte)
{
    rig_outb(m.rig, 0x60, byte);
}

/* The next byte is there, of this kind, with this value. */
static void expect(uint8_t byte, bool aux)
{
    assert_int_equal(status() & (OBF | AUX), aux ? OBF | AUX : OBF);
    assert_int_equal(data(), byte);
}

/* A scan code byte comes when the keyboard has had time to send it. */
static void expect_scan(uint8_t byte)
{
    rig_step(m.rig, MS);
    expect(byte, false);
}

static void expect_nothing(void)
{
    rig_step(m.rig, 2 * MS);
    assert_int_equal(status() & OBF, 0);
}

static void command_byte(uint8_t byte)
{
    ctl(0x60);
    put(byte);
}

static void ports_are_claimed(void **state)
{
    (void)state;
    assert_true(fake_claimed(m.rig->hv, 'p', 0x60, 0x60));
    assert_true(fake_claimed(m.rig->hv, 'p', 0x64, 0x64));
    assert_true(fake_claimed(m.rig->hv, 'p', 0x92, 0x92));
}

static void power_on(void **state)
{
    (void)state;
    assert_int_equal(status(), UNLOCKED | CMD);
    ctl(0x20);
    expect(0x03, false);
    ctl(0xAA);
    expect(0x55, false);
    assert_int_equal(status(), UNLOCKED | CMD | SYS);
    put(0xEE);
    assert_int_equal(status(), UNLOCKED | SYS | OBF);
    expect(0xEE, false);
    assert_int_equal(data(), 0xEE); /* an empty register keeps its value */
    assert_int_equal(clock_deadline(&m.rig->clock), CLOCK_NEVER);
}

static void controller_commands(void **state)
{
    (void)state;
    ctl(0xA4);
    expect(0xF1, false);
    ctl(0xA9);
    expect(0x00, false);
    ctl(0xAB);
    expect(0x00, false);
    ctl(0xC0);
    expect(0x80, false);
    ctl(0xA7);
    ctl(0x20);
    expect(0x23, false);
    ctl(0xAD);
    ctl(0x20);
    expect(0x33, false);
    ctl(0xE0);
    expect(0x00, false);
    ctl(0xA8);
    ctl(0xAE);
    ctl(0x20);
    expect(0x03, false);
    ctl(0xE0);
    expect(0x03, false);
    command_byte(0x47);
    ctl(0x20);
    expect(0x47, false);
    assert_int_equal(status() & SYS, SYS);
    command_byte(0x43);
    assert_int_equal(status() & SYS, 0);
    for (unsigned i = 1; i < 32; i++) {
        ctl((uint8_t)(0x60 + i));
        put((uint8_t)(0xA0 + i));
    }
    for (unsigned i = 1; i < 32; i++) {
        ctl((uint8_t)(0x20 + i));
        expect((uint8_t)(0xA0 + i), false);
    }
    ctl(0x20);
    expect(0x43, false);
    ctl(0xD2);
    put(0x5A);
    expect(0x5A, false);
    ctl(0xD3);
    put(0xA5);
    expect(0xA5, true);
    ctl(0xD4); /* abandoned by the next command: the byte is the keyboard's */
    ctl(0xAE);
    put(0xEE);
    expect(0xEE, false);
}

static void interrupts(void **state)
{
    (void)state;
    struct hypervisor *hv = m.rig->hv;
    ctl(0xD2);
    put(1);
    assert_true(hv->isa[1]);
    assert_false(hv->isa[12]);
    ctl(0xD0);
    assert_int_equal(data(), 1);
    assert_true(hv->isa[1]); /* the next byte is there already: a new edge */
    assert_int_equal(hv->isa_raised[1], 2);
    assert_int_equal(data() & 0xFF, 0xDF); /* output port: IRQ 1, A20, not reset, lines idle */
    assert_false(hv->isa[1]);
    ctl(0xD3);
    put(2);
    assert_true(hv->isa[12]);
    assert_false(hv->isa[1]);
    command_byte(0x00);
    assert_false(hv->isa[12]); /* masked */
    assert_int_equal(status() & (OBF | AUX), OBF | AUX);
    command_byte(0x02);
    assert_true(hv->isa[12]);
    data();
    assert_false(hv->isa[12]);
    ctl(0xD2);
    put(1);
    assert_false(hv->isa[1]);
}

static void keys_translated(void **state)
{
    (void)state;
    command_byte(0x41);
    input_key(m.input, KEY_A, true);
    assert_true(m.rig->hv->isa[1]);
    input_key(m.input, KEY_A, false);
    expect(0x1E, false);
    /* Whoever is chained to the interrupt reads it again: the next byte needs its time. */
    assert_int_equal(data(), 0x1E);
    assert_int_equal(status() & OBF, 0);
    rig_step(m.rig, MS - 1);
    assert_int_equal(status() & OBF, 0);
    rig_step(m.rig, 1);
    assert_true(m.rig->hv->isa[1]);
    expect(0x9E, false);
    assert_int_equal(m.rig->hv->isa_raised[1], 2);
    input_key(m.input, KEY_RIGHTALT, true);
    input_key(m.input, KEY_RIGHTALT, false);
    expect_scan(0xE0);
    expect_scan(0x38);
    expect_scan(0xE0);
    expect_scan(0xB8);
    input_key(m.input, KEY_F7, true); /* 83h has a translation of its own */
    expect_scan(0x41);
    input_key(m.input, KEY_HANGEUL, true); /* F2h none */
    expect_scan(0xF2);
    put(0xF2);
    expect(0xFA, false);
    expect(0xAB, false);
    expect(0x41, false);
    put(0xF0);
    expect(0xFA, false);
    put(0x00);
    expect(0xFA, false);
    expect(0x41, false); /* set 2 */
    assert_int_equal(clock_deadline(&m.rig->clock), CLOCK_NEVER);
}

static void keys_native(void **state)
{
    (void)state;
    input_key(m.input, KEY_A, true);
    input_key(m.input, KEY_A, false);
    expect_scan(0x1C);
    expect_scan(0xF0);
    expect_scan(0x1C);
    put(0xF2);
    expect(0xFA, false);
    expect(0xAB, false);
    expect(0x83, false);
    put(0xED);
    expect(0xFA, false);
    put(0x04);
    expect(0xFA, false);
    assert_int_equal(input_leds(m.input), 4);
}

static void disabled_interfaces(void **state)
{
    (void)state;
    ctl(0xAD);
    input_key(m.input, KEY_A, true);
    expect_nothing();
    ctl(0xAE);
    expect(0x1C, false);
    ctl(0xAD);
    put(0xEE); /* sending enables it */
    expect(0xEE, false);
    ctl(0x20);
    expect(0x03, false);
    ctl(0xD4);
    put(0xF4);
    expect(0xFA, true);
    ctl(0xA7);
    input_pointer_at(m.input, 10, 10, 100, 100, 0, 0);
    input_pointer_at(m.input, 15, 10, 100, 100, 0, 0);
    expect_nothing();
    ctl(0xA8);
    expect(0x08, true);
    expect(0x05, true);
    expect(0x00, true);
}

static void mouse(void **state)
{
    (void)state;
    ctl(0xD4);
    put(0xFF);
    assert_true(m.rig->hv->isa[12]);
    expect(0xFA, true);
    expect(0xAA, true);
    expect(0x00, true);
    ctl(0xD4);
    put(0xF4);
    expect(0xFA, true);
    input_pointer_at(m.input, 50, 50, 100, 100, 0, 0);
    input_pointer_at(m.input, 51, 52, 100, 100, 0, INPUT_BUTTON_LEFT);
    assert_true(m.rig->hv->isa[12]);
    expect(0x29, true);
    /* the keyboard goes first, but one byte at a time */
    input_key(m.input, KEY_A, true);
    expect(0x01, true);
    expect(0x1C, false);
    expect(0xFE, true);
    assert_int_equal(status() & OBF, 0);
}

/* i8042 rows of the list: D1, D2, D3 in a loop, FE through the reset path. */
static void command_loops(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 10000; i++) {
        ctl(0xD2);
        put((uint8_t)i);
        ctl(0xD3);
        put((uint8_t)i);
        ctl(0xD1);
        put((uint8_t)(i | 1));
        ctl(0xAA);
        ctl((uint8_t)(0x20 + i % 32));
    }
    unsigned left = 0;
    while (status() & OBF) {
        data();
        assert_true(left++ < 4);
    }
    for (unsigned i = 0; i < 65536; i++) {
        ctl((uint8_t)(i >> 8));
        put((uint8_t)i);
        data();
    }
    ctl(0xAA);
    while (status() & OBF)
        assert_true(data() == 0x55 || left++ < 300);
    put(0xEE);
    expect(0xEE, false);
}

static void reset_and_a20(void **state)
{
    (void)state;
    assert_true(m.a20);
    assert_int_equal(rig_inb(m.rig, 0x92), 0x02);
    ctl(0xFE);
    assert_int_equal(m.resets, 1);
    ctl(0xFF); /* pulses nothing */
    assert_int_equal(m.resets, 1);
    ctl(0xF0);
    assert_int_equal(m.resets, 2);
    ctl(0xD1);
    put(0xDE);
    assert_int_equal(m.resets, 3);
    assert_int_equal(m.a20_calls, 0);
    ctl(0xDD);
    assert_false(m.a20);
    ctl(0xD0);
    expect(0xCD, false);
    ctl(0xDF);
    assert_true(m.a20);
    ctl(0xD1);
    put(0xDD);
    assert_false(m.a20);
    assert_int_equal(rig_inb(m.rig, 0x92), 0x00);
    rig_outb(m.rig, 0x92, 0x02);
    assert_true(m.a20);
    assert_int_equal(m.a20_calls, 4);
    assert_int_equal(m.resets, 3);
    rig_outb(m.rig, 0x92, 0x03);
    assert_int_equal(m.resets, 4);
    rig_outb(m.rig, 0x92, 0x03); /* only the edge counts */
    assert_int_equal(m.resets, 4);
    assert_int_equal(rig_inb(m.rig, 0x92), 0x03);
    rig_outb(m.rig, 0x92, 0x02);
    rig_outb(m.rig, 0x92, 0xFF);
    assert_int_equal(m.resets, 5);
    assert_int_equal(rig_inb(m.rig, 0x92), 0x03);
}

static void typing_without_a_reader(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 1000000; i++)
        input_key(m.input, KEY_A + i / 2 % 8, i % 2 == 0);
    unsigned bytes = 0;
    for (rig_step(m.rig, MS); status() & OBF; rig_step(m.rig, MS), bytes++)
        data();
    assert_in_range(bytes, 100, PS2_QUEUE_SIZE + 32); /* and the releases owed */
    put(0xEE);
    expect(0xEE, false);
    assert_int_equal(clock_deadline(&m.rig->clock), CLOCK_NEVER);
}

static void string_and_wide_accesses(void **state)
{
    (void)state;
    uint8_t buf[256];
    put(0xEE);
    bus_port_read_run(m.rig->bus, 0x60, 1, buf, sizeof(buf));
    assert_int_equal(buf[0], 0xEE);
    assert_int_equal(rig_inw(m.rig, 0x60), 0xFFEE);
    assert_int_equal(rig_inl(m.rig, 0x64) & 0xFF, status());
    rig_outw(m.rig, 0x60, 0xEEEE); /* port 61h is not ours */
    expect(0xEE, false);
}

static void save_and_load(void **state)
{
    (void)state;
    struct err err;
    uint8_t *saved;
    size_t len;
    command_byte(0x43);
    ctl(0xD4);
    put(0xF4);
    expect(0xFA, true);
    input_key(m.input, KEY_A, true);
    input_key(m.input, KEY_A, false);
    expect(0x1E, false);
    input_pointer_at(m.input, 10, 10, 100, 100, 0, 0);
    input_pointer_at(m.input, 9, 10, 100, 100, 0, 0);
    assert_true(devices_save(&m.rig->devices, &saved, &len, &err));
    devices_reset(&m.rig->devices);
    assert_false(m.rig->hv->isa[12]);
    unsigned pushes = m.rig->hv->isa_calls[1];
    assert_true(devices_load(&m.rig->devices, saved, len, &err));
    free(saved);
    assert_true(m.rig->hv->isa[12]);
    assert_true(m.rig->hv->isa_calls[1] > pushes); /* also a low line is told */
    expect(0x18, true);
    expect(0xFF, true);
    expect(0x00, true);
    expect_scan(0x9E);
}

static void reset_forgets(void **state)
{
    (void)state;
    input_key(m.input, KEY_A, true);
    input_key(m.input, KEY_B, true);
    put(0xED);
    put(0x07);
    data();
    ctl(0xDD);
    ctl(0xD4);
    device_reset(&m.c->device);
    assert_true(m.a20);
    assert_int_equal(status(), UNLOCKED | CMD);
    assert_int_equal(input_leds(m.input), 0);
    expect_nothing();
    assert_false(m.rig->hv->isa[1]);
    assert_int_equal(clock_deadline(&m.rig->clock), CLOCK_NEVER);
}

static void standard(void **state)
{
    (void)state;
    rig_standard_tests(m.rig, &m.c->device);
    input_key(m.input, KEY_A, true);
    input_key(m.input, KEY_PAUSE, true);
    ctl(0xD4);
    rig_standard_tests(m.rig, &m.c->device);
}

/* A loaded state may be anything that passes: no sequence of accesses breaks it. */
static void hostile_states(void **state)
{
    (void)state;
    const struct device_class *class = m.c->device.class;
    size_t len = state_size(class->state, class->version);
    uint8_t *bytes = malloc(len), *good = malloc(len);
    struct err err;
    unsigned taken = 0;
    assert_non_null(bytes);
    assert_non_null(good);
    state_save(class->state, m.c, class->version, good);
    srandom(1);
    for (unsigned round = 0; round < 3000; round++) {
        memcpy(bytes, good, len);
        for (unsigned i = 0; i < 1 + round % 6; i++)
            bytes[(size_t)random() % len] = (uint8_t)(random() % (i % 2 ? 4 : 256));
        if (!device_load(&m.c->device, class->version, bytes, len, &err))
            continue;
        taken++;
        for (unsigned i = 0; i < 60; i++) {
            if (random() % 4 == 0)
                rig_outb(m.rig, random() % 2 ? 0x60 : 0x64, (uint8_t)random());
            input_key(m.input, (unsigned)random() % 256, random() % 2);
            input_pointer_at(m.input, (int)random() % 100, 3, 100, 100, 0, (unsigned)random());
            data();
            rig_step(m.rig, MS);
        }
    }
    assert_true(taken > 20);
    free(bytes);
    free(good);
}

static void taken_port(void **state)
{
    (void)state;
    const struct i8042_config config = {.reset = on_reset, .opaque = &m};
    struct err err;
    size_t claims = m.rig->hv->claim_count;
    assert_null(i8042_realize(m.rig->bus, &m.rig->clock, &m.rig->devices, NULL, &config, &err));
    assert_true(strlen(err.text) > 0);
    assert_int_equal(m.rig->hv->claim_count, claims);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(ports_are_claimed),
        T(power_on),
        T(controller_commands),
        T(interrupts),
        T(keys_translated),
        T(keys_native),
        T(disabled_interfaces),
        T(mouse),
        T(command_loops),
        T(reset_and_a20),
        T(typing_without_a_reader),
        T(string_and_wide_accesses),
        T(save_and_load),
        T(reset_forgets),
        T(standard),
        T(hostile_states),
        T(taken_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
