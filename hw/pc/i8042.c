/* SPDX-License-Identifier: GPL-2.0-or-later */
/* i8042: the keyboard controller's registers and commands; see i8042.h. */
#include "hw/pc/i8042.h"

#include <stdlib.h>

enum {
    STATUS_OUTPUT_FULL = 0x01,
    STATUS_SYSTEM = 0x04,
    STATUS_COMMAND = 0x08, /* the last write went to port 64h */
    STATUS_UNLOCKED = 0x10,
    STATUS_AUX = 0x20,
};

enum {
    BYTE_KBD_INT = 0x01,
    BYTE_AUX_INT = 0x02,
    BYTE_SYSTEM = 0x04,
    BYTE_KBD_OFF = 0x10,
    BYTE_AUX_OFF = 0x20,
    BYTE_TRANSLATE = 0x40,
};

enum {
    OUT_NOT_RESET = 0x01,
    OUT_A20 = 0x02,
    OUT_KBD_IRQ = 0x10,
    OUT_AUX_IRQ = 0x20,
    OUT_LINES = 0xCC, /* clock and data of both devices, idle: high */
};

enum command {
    CMD_READ_RAM = 0x20, /* ..3F */
    CMD_WRITE_RAM = 0x60 /* ..7F */,
    CMD_PASSWORD_TEST = 0xA4,
    CMD_AUX_OFF = 0xA7,
    CMD_AUX_ON = 0xA8,
    CMD_AUX_TEST = 0xA9,
    CMD_SELF_TEST = 0xAA,
    CMD_KBD_TEST = 0xAB,
    CMD_KBD_OFF = 0xAD,
    CMD_KBD_ON = 0xAE,
    CMD_READ_INPUT_PORT = 0xC0,
    CMD_READ_OUTPUT_PORT = 0xD0,
    CMD_WRITE_OUTPUT_PORT = 0xD1,
    CMD_WRITE_KBD_OUTPUT = 0xD2,
    CMD_WRITE_AUX_OUTPUT = 0xD3,
    CMD_WRITE_AUX = 0xD4,
    CMD_A20_OFF = 0xDD,
    CMD_A20_ON = 0xDF,
    CMD_READ_TEST_INPUTS = 0xE0,
    CMD_PULSE = 0xF0, /* ..FF */
};

enum { PORT92_RESET = 0x01, PORT92_A20 = 0x02 };

/*
 * A keyboard needs about 1 ms for a byte (11 bits at 10 to 16 kHz). Programs chained on interrupt 9
 * each read port 60h and count on finding the same byte for that long, so the next byte of a scan
 * code is not shown sooner. Answers to commands, which nobody reads twice, come at once.
 */
#define SCAN_BYTE_NS NS_PER_MS

static const struct state_field i8042_state[] = {
    STATE_UINT(struct i8042, command_byte, .reset = BYTE_KBD_INT | BYTE_AUX_INT),
    STATE_ARRAY(struct i8042, ram),
    STATE_UINT(struct i8042, phase),
    STATE_UINT(struct i8042, output),
    STATE_BOOL(struct i8042, output_full),
    STATE_BOOL(struct i8042, output_aux),
    STATE_BOOL(struct i8042, output_scan),
    STATE_UINT(struct i8042, answer),
    STATE_BOOL(struct i8042, answer_waits),
    STATE_BOOL(struct i8042, answer_aux),
    STATE_BOOL(struct i8042, self_tested),
    STATE_BOOL(struct i8042, last_was_command, .reset = 1),
    STATE_BOOL(struct i8042, released),
    STATE_BOOL(struct i8042, a20, .reset = 1),
    STATE_LIMIT(struct i8042, port92, PORT92_RESET | PORT92_A20),
    STATE_STRUCT(struct i8042, keyboard, ps2_keyboard_state),
    STATE_STRUCT(struct i8042, mouse, ps2_mouse_state),
    STATE_FIELDS_END,
};

static void update_irqs(struct i8042 *c)
{
    irq_set(&c->kbd_irq, c->output_full && !c->output_aux && (c->command_byte & BYTE_KBD_INT));
    irq_set(&c->mouse_irq, c->output_full && c->output_aux && (c->command_byte & BYTE_AUX_INT));
}

static void show(struct i8042 *c, uint8_t byte, bool aux, bool scan)
{
    c->output = byte;
    c->output_full = true;
    c->output_aux = aux;
    c->output_scan = scan;
}

/* The keyboard's next byte as the host sees it; false if there is none yet. */
static bool keyboard_byte(struct i8042 *c, uint8_t *byte, bool *scan)
{
    while (ps2_keyboard_pending(&c->keyboard)) {
        *scan = !ps2_link_answers(&c->keyboard.link);
        if (*scan && clock_now(c->clock) < c->scan_time) {
            timer_arm(&c->scan_timer, c->scan_time);
            return false;
        }
        *byte = ps2_keyboard_take(&c->keyboard);
        if (!(c->command_byte & BYTE_TRANSLATE)) {
            c->released = false;
            return true;
        }
        if (*byte == 0xF0) {
            c->released = true;
            continue;
        }
        *byte = ps2_translate(*byte) | (c->released ? 0x80 : 0);
        c->released = false;
        return true;
    }
    return false;
}

/* Lets the next byte into the output register if that is free. */
static void fill(struct i8042 *c)
{
    uint8_t byte;
    bool scan;
    if (c->output_full)
        return;
    if (c->answer_waits) {
        c->answer_waits = false;
        show(c, c->answer, c->answer_aux, false);
    } else if (!(c->command_byte & BYTE_KBD_OFF) && keyboard_byte(c, &byte, &scan)) {
        show(c, byte, false, scan);
    } else if (!(c->command_byte & BYTE_AUX_OFF) && ps2_mouse_pending(&c->mouse)) {
        show(c, ps2_mouse_take(&c->mouse), true, false);
    }
}

static void device_ready(void *opaque)
{
    struct i8042 *c = opaque;
    fill(c);
    update_irqs(c);
}

static void give_answer(struct i8042 *c, uint8_t byte, bool aux)
{
    c->answer = byte;
    c->answer_aux = aux;
    c->answer_waits = true;
}

static void set_a20(struct i8042 *c, bool on)
{
    if (c->a20 == on)
        return;
    c->a20 = on;
    if (c->config.a20)
        c->config.a20(c->config.opaque, on);
}

static void pulse_reset(struct i8042 *c)
{
    if (c->config.reset)
        c->config.reset(c->config.opaque);
}

static uint8_t output_port(const struct i8042 *c)
{
    return (uint8_t)(OUT_LINES | OUT_NOT_RESET | (c->a20 ? OUT_A20 : 0) |
                     (c->output_full && !c->output_aux ? OUT_KBD_IRQ : 0) |
                     (c->output_full && c->output_aux ? OUT_AUX_IRQ : 0));
}

static uint8_t status(const struct i8042 *c)
{
    return (uint8_t)(STATUS_UNLOCKED | (c->output_full ? STATUS_OUTPUT_FULL : 0) |
                     (c->self_tested ? STATUS_SYSTEM : 0) |
                     (c->last_was_command ? STATUS_COMMAND : 0) |
                     (c->output_full && c->output_aux ? STATUS_AUX : 0));
}

static void set_command_byte(struct i8042 *c, uint8_t byte)
{
    c->command_byte = byte;
    c->self_tested = byte & BYTE_SYSTEM;
}

static uint64_t data_read(void *opaque, uint64_t offset, unsigned width)
{
    struct i8042 *c = opaque;
    uint8_t byte = c->output;
    (void)offset, (void)width;
    if (c->output_full) {
        if (c->output_scan)
            c->scan_time = clock_now(c->clock) + SCAN_BYTE_NS;
        c->output_full = false;
        update_irqs(c); /* low before the next byte raises it: the lines are edge-triggered */
        fill(c);
        update_irqs(c);
    }
    return byte;
}

static void data_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct i8042 *c = opaque;
    uint8_t byte = (uint8_t)value, command = c->phase;
    bool reset = false, a20 = c->a20;
    (void)offset, (void)width;
    c->last_was_command = false;
    c->phase = 0;
    switch (command) {
    case CMD_WRITE_OUTPUT_PORT:
        a20 = byte & OUT_A20;
        reset = !(byte & OUT_NOT_RESET);
        break;
    case CMD_WRITE_KBD_OUTPUT:
        give_answer(c, byte, false);
        break;
    case CMD_WRITE_AUX_OUTPUT:
        give_answer(c, byte, true);
        break;
    case CMD_WRITE_AUX: /* sending needs the clock line: it enables the interface */
        c->command_byte &= (uint8_t)~BYTE_AUX_OFF;
        ps2_mouse_write(&c->mouse, byte);
        break;
    case CMD_WRITE_RAM:
        set_command_byte(c, byte);
        break;
    default:
        if (command > CMD_WRITE_RAM && command < CMD_WRITE_RAM + 32) {
            c->ram[command - CMD_WRITE_RAM] = byte;
        } else {
            c->command_byte &= (uint8_t)~BYTE_KBD_OFF;
            ps2_keyboard_write(&c->keyboard, byte);
        }
        break;
    }
    fill(c);
    update_irqs(c);
    set_a20(c, a20);
    if (reset)
        pulse_reset(c);
}

static uint64_t status_read(void *opaque, uint64_t offset, unsigned width)
{
    (void)offset, (void)width;
    return status(opaque);
}

static void command_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct i8042 *c = opaque;
    uint8_t command = (uint8_t)value;
    bool reset = false, a20 = c->a20;
    (void)offset, (void)width;
    c->last_was_command = true;
    c->phase = 0;
    switch (command) {
    case CMD_READ_RAM:
        give_answer(c, c->command_byte, false);
        break;
    case CMD_PASSWORD_TEST:
        give_answer(c, 0xF1, false); /* no password is set */
        break;
    case CMD_AUX_OFF:
        c->command_byte |= BYTE_AUX_OFF;
        break;
    case CMD_AUX_ON:
        c->command_byte &= (uint8_t)~BYTE_AUX_OFF;
        break;
    case CMD_SELF_TEST:
        c->self_tested = true;
        c->command_byte |= BYTE_SYSTEM;
        give_answer(c, 0x55, false);
        break;
    case CMD_AUX_TEST:
    case CMD_KBD_TEST:
        give_answer(c, 0x00, false); /* no fault on the lines */
        break;
    case CMD_KBD_OFF:
        c->command_byte |= BYTE_KBD_OFF;
        break;
    case CMD_KBD_ON:
        c->command_byte &= (uint8_t)~BYTE_KBD_OFF;
        break;
    case CMD_READ_INPUT_PORT:
        give_answer(c, 0x80, false); /* keyboard not locked */
        break;
    case CMD_READ_OUTPUT_PORT:
        give_answer(c, output_port(c), false);
        break;
    case CMD_WRITE_OUTPUT_PORT:
    case CMD_WRITE_KBD_OUTPUT:
    case CMD_WRITE_AUX_OUTPUT:
    case CMD_WRITE_AUX:
        c->phase = command;
        break;
    case CMD_A20_OFF:
    case CMD_A20_ON:
        a20 = command == CMD_A20_ON;
        break;
    case CMD_READ_TEST_INPUTS: /* T0, T1: the two clock lines, low while an interface is off */
        give_answer(c,
                    (uint8_t)((c->command_byte & BYTE_KBD_OFF ? 0 : 1) |
                              (c->command_byte & BYTE_AUX_OFF ? 0 : 2)),
                    false);
        break;
    default:
        if (command >= CMD_PULSE)
            reset = !(command & OUT_NOT_RESET); /* a zero bit pulses its line */
        else if (command > CMD_READ_RAM && command < CMD_READ_RAM + 32)
            give_answer(c, c->ram[command - CMD_READ_RAM], false);
        else if (command >= CMD_WRITE_RAM && command < CMD_WRITE_RAM + 32)
            c->phase = command;
        break; /* the rest is reserved */
    }
    fill(c);
    update_irqs(c);
    set_a20(c, a20);
    if (reset)
        pulse_reset(c);
}

static uint64_t control_a_read(void *opaque, uint64_t offset, unsigned width)
{
    const struct i8042 *c = opaque;
    (void)offset, (void)width;
    return (uint8_t)((c->port92 & PORT92_RESET) | (c->a20 ? PORT92_A20 : 0));
}

static void control_a_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct i8042 *c = opaque;
    bool reset = (value & PORT92_RESET) && !(c->port92 & PORT92_RESET);
    (void)offset, (void)width;
    c->port92 = (uint8_t)value & (PORT92_RESET | PORT92_A20);
    set_a20(c, value & PORT92_A20);
    if (reset)
        pulse_reset(c);
}

static const struct io_ops data_ops = {.widths = 1, .read = data_read, .write = data_write};
static const struct io_ops command_ops = {.widths = 1, .read = status_read, .write = command_write};
static const struct io_ops control_a_ops = {
    .widths = 1, .read = control_a_read, .write = control_a_write};

static void input_key_moved(void *opaque, unsigned keycode, bool down)
{
    struct i8042 *c = opaque;
    ps2_keyboard_key(&c->keyboard, keycode, down);
}

static void input_mouse_moved(void *opaque, int x, int y, int wheel, unsigned buttons)
{
    struct i8042 *c = opaque;
    ps2_mouse_move(&c->mouse, x, y, wheel, buttons);
}

static void i8042_reset(struct device *d)
{
    struct i8042 *c = (struct i8042 *)d;
    timer_disarm(&c->scan_timer);
    c->scan_time = 0;
    ps2_keyboard_after_reset(&c->keyboard);
    if (c->config.a20)
        c->config.a20(c->config.opaque, c->a20);
    update_irqs(c);
}

static bool i8042_post_load(struct device *d, struct err *err)
{
    struct i8042 *c = (struct i8042 *)d;
    if (!ps2_keyboard_loaded(&c->keyboard, err) || !ps2_mouse_loaded(&c->mouse, err))
        return false;
    if (c->config.a20)
        c->config.a20(c->config.opaque, c->a20);
    /* What waits for the output register comes a byte's time later: loading changes nothing. */
    c->scan_time = clock_now(c->clock) + SCAN_BYTE_NS;
    timer_arm(&c->scan_timer, c->scan_time);
    update_irqs(c);
    irq_push(&c->kbd_irq);
    irq_push(&c->mouse_irq);
    return true;
}

static void i8042_destroy(struct device *d)
{
    struct i8042 *c = (struct i8042 *)d;
    if (c->input) {
        input_remove_keyboard(c->input, &c->input_keyboard);
        input_remove_pointer(c->input, &c->input_pointer);
    }
    bus_unmap(c->bus, &c->data);
    bus_unmap(c->bus, &c->command);
    bus_unmap(c->bus, &c->control_a);
    timer_destroy(&c->scan_timer);
    free(c);
}

static const struct device_class i8042_class = {
    .name = "i8042",
    .version = 1,
    .state = i8042_state,
    .reset = i8042_reset,
    .post_load = i8042_post_load,
    .destroy = i8042_destroy,
};

struct i8042 *i8042_realize(struct bus *bus, struct clock *clock, struct device_list *devices,
                            struct input *input, const struct i8042_config *config, struct err *err)
{
    struct i8042 *c = calloc(1, sizeof(*c));
    if (!c) {
        err_set(err, "i8042: out of memory");
        return NULL;
    }
    c->bus = bus;
    c->clock = clock;
    c->config = *config;
    timer_init(&c->scan_timer, clock, device_ready, c);
    ps2_keyboard_init(&c->keyboard, input, device_ready, c);
    ps2_mouse_init(&c->mouse, device_ready, c);
    io_region_init(&c->data, "i8042 data", &data_ops, c);
    io_region_init(&c->command, "i8042 command", &command_ops, c);
    io_region_init(&c->control_a, "port 92h", &control_a_ops, c);
    if (!bus_map(bus, &c->data, IO_PORT, 0x60, 1, err) ||
        !bus_map(bus, &c->command, IO_PORT, 0x64, 1, err) ||
        !bus_map(bus, &c->control_a, IO_PORT, 0x92, 1, err)) {
        i8042_destroy(&c->device);
        return NULL;
    }
    if (input) {
        c->input = input;
        c->input_keyboard =
            (struct input_keyboard){.key = input_key_moved, .opaque = c, .name = "PS/2 keyboard"};
        c->input_pointer =
            (struct input_pointer){.move = input_mouse_moved, .opaque = c, .name = "PS/2 mouse"};
        input_set_keyboard(input, &c->input_keyboard);
        input_set_pointer(input, &c->input_pointer);
    }
    device_add(devices, &c->device, &i8042_class, "0");
    return c;
}
