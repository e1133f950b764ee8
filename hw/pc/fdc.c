/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fdc: the floppy controller's registers and commands, with no drive to carry them out. Every
 * command ends at once: there is no execution phase, no DMA and no timer.
 */
#include "hw/pc/fdc.h"

#include <stdlib.h>
#include <string.h>

/* Offsets from 3F0h (2.1). */
enum {
    REG_STATUS_A = 0,
    REG_STATUS_B = 1,
    REG_DIGITAL_OUTPUT = 2,
    REG_TAPE = 3,
    REG_MAIN_STATUS = 4, /* write: data rate select */
    REG_FIFO = 5,
};

enum { DOR_NOT_RESET = 0x04, DOR_DMA_GATE = 0x08 };
enum { MSR_READY = 0x80, MSR_TO_HOST = 0x40, MSR_BUSY = 0x10 };
enum { DSR_RESET = 0x80, DSR_POWER_DOWN = 0x40 };
enum { ST0_ABNORMAL = 0x40, ST0_INVALID = 0x80, ST0_POLLING = 0xC0 };
enum { ST0_SEEK_END = 0x20, ST0_EQUIPMENT_CHECK = 0x10 };
enum { ST1_NO_ADDRESS_MARK = 0x01 };
enum { ST3_ALWAYS = 0x28 };
enum { CONFIGURE_POLL_OFF = 0x10, CONFIGURE_FIFO_OFF = 0x20 };

#define VERSION_82077 0x90
#define RATE_RESET    2 /* 250 kbit/s */

static const struct state_field fdc_state[] = {
    STATE_UINT(struct fdc, dor, .reset = 0),
    STATE_LIMIT(struct fdc, tdr, 3),
    STATE_UINT(struct fdc, data_rate, .reset = RATE_RESET),
    STATE_LIMIT(struct fdc, phase, FDC_RESULT),
    STATE_ARRAY(struct fdc, fifo),
    STATE_LIMIT(struct fdc, fifo_used, FDC_FIFO - 1),
    STATE_LIMIT(struct fdc, fifo_at, FDC_FIFO - 1),
    STATE_BOOL(struct fdc, result_int),
    STATE_LIMIT(struct fdc, reset_senses, FDC_DRIVES),
    STATE_BOOL(struct fdc, reset_int),
    STATE_LIMIT(struct fdc, seek_done, 0x0F),
    STATE_LIMIT(struct fdc, seek_failed, 0x0F),
    STATE_ARRAY(struct fdc, cylinder),
    STATE_ARRAY(struct fdc, specify),
    STATE_UINT(struct fdc, configure, .reset = CONFIGURE_FIFO_OFF),
    STATE_UINT(struct fdc, precompensation),
    STATE_UINT(struct fdc, perpendicular),
    STATE_UINT(struct fdc, last_sector),
    STATE_BOOL(struct fdc, locked),
    STATE_FIELDS_END,
};

static bool in_reset(const struct fdc *f)
{
    return !(f->dor & DOR_NOT_RESET);
}

static void update_irq(struct fdc *f)
{
    irq_set(&f->irq, (f->dor & DOR_DMA_GATE) && (f->reset_int || f->result_int || f->seek_done));
}

static void to_command_phase(struct fdc *f)
{
    f->phase = FDC_COMMAND;
    f->fifo_used = f->fifo_at = 0;
    f->result_int = false;
}

static void give_result(struct fdc *f, const uint8_t *bytes, unsigned len)
{
    memcpy(f->fifo, bytes, len);
    f->phase = FDC_RESULT;
    f->fifo_used = (uint8_t)len;
    f->fifo_at = 0;
}

/* 5.2.3: what a reset by DOR or DSR leaves. */
static void begin_reset(struct fdc *f)
{
    to_command_phase(f);
    f->seek_done = f->seek_failed = 0;
    f->reset_senses = 0;
    f->reset_int = false;
    memset(f->cylinder, 0, sizeof(f->cylinder));
    if (!f->locked) {
        f->configure = CONFIGURE_FIFO_OFF;
        f->precompensation = 0;
    }
    f->perpendicular &= 0xFC;
}

static void end_reset(struct fdc *f)
{
    if (f->configure & CONFIGURE_POLL_OFF)
        return;
    f->reset_senses = FDC_DRIVES;
    f->reset_int = true;
}

/* The commands: fifo[0] is the command, fifo[1..] its parameters. */

static void read_or_write(struct fdc *f)
{
    uint8_t result[7] = {(uint8_t)(ST0_ABNORMAL | (f->fifo[1] & 7)), ST1_NO_ADDRESS_MARK, 0};
    memcpy(result + 3, f->fifo + 2, 4); /* C, H, R, N as they were given */
    f->last_sector = f->fifo[6];
    give_result(f, result, sizeof(result));
    f->result_int = true;
}

static void read_id_or_format(struct fdc *f)
{
    const uint8_t result[7] = {(uint8_t)(ST0_ABNORMAL | (f->fifo[1] & 7)), ST1_NO_ADDRESS_MARK};
    give_result(f, result, sizeof(result));
    f->result_int = true;
}

static void specify(struct fdc *f)
{
    memcpy(f->specify, f->fifo + 1, 2);
    to_command_phase(f);
}

static void sense_drive(struct fdc *f)
{
    const uint8_t st3 = (uint8_t)(ST3_ALWAYS | (f->fifo[1] & 7));
    give_result(f, &st3, 1);
}

static void end_seek(struct fdc *f, unsigned drive, uint8_t cylinder, bool failed)
{
    uint8_t bit = (uint8_t)(1 << drive);
    f->cylinder[drive] = cylinder;
    f->seek_done |= bit;
    f->seek_failed = failed ? f->seek_failed | bit : f->seek_failed & (uint8_t)~bit;
    to_command_phase(f);
}

/* 79 step pulses and no track 0 signal. */
static void recalibrate(struct fdc *f)
{
    end_seek(f, f->fifo[1] & 3, 0, true);
}

/* A seek only counts pulses: it ends well without a drive. */
static void seek(struct fdc *f)
{
    end_seek(f, f->fifo[1] & 3, f->fifo[2], false);
}

static void relative_seek(struct fdc *f)
{
    unsigned drive = f->fifo[1] & 3;
    int step = f->fifo[0] & 0x40 ? f->fifo[2] : -f->fifo[2];
    end_seek(f, drive, (uint8_t)(f->cylinder[drive] + step), false);
}

static void sense_interrupt(struct fdc *f)
{
    uint8_t result[2] = {ST0_INVALID};
    unsigned drive = 0;
    f->reset_int = false;
    if (f->reset_senses) {
        drive = (unsigned)(FDC_DRIVES - f->reset_senses--);
        result[0] = (uint8_t)(ST0_POLLING | drive);
    } else if (f->seek_done) {
        while (!(f->seek_done >> drive & 1))
            drive++;
        result[0] = (uint8_t)(ST0_SEEK_END | drive);
        if (f->seek_failed >> drive & 1)
            result[0] |= ST0_ABNORMAL | ST0_EQUIPMENT_CHECK;
        f->seek_done &= (uint8_t) ~(1 << drive);
    } else {
        give_result(f, result, 1);
        return;
    }
    result[1] = f->cylinder[drive];
    give_result(f, result, 2);
}

static void dump_registers(struct fdc *f)
{
    uint8_t result[10];
    memcpy(result, f->cylinder, 4);
    memcpy(result + 4, f->specify, 2);
    result[6] = f->last_sector;
    result[7] = (uint8_t)((f->locked ? 0x80 : 0) | (f->perpendicular & 0x3F));
    result[8] = f->configure;
    result[9] = f->precompensation;
    give_result(f, result, sizeof(result));
}

static void version(struct fdc *f)
{
    const uint8_t v = VERSION_82077;
    give_result(f, &v, 1);
}

static void configure(struct fdc *f)
{
    f->configure = f->fifo[2] & 0x7F;
    f->precompensation = f->fifo[3];
    to_command_phase(f);
}

/* The drive bits change only with OW (bit 7) set. */
static void perpendicular(struct fdc *f)
{
    uint8_t changes = f->fifo[1] & 0x80 ? 0x3F : 0x03;
    f->perpendicular = (uint8_t)((f->perpendicular & ~changes) | (f->fifo[1] & changes));
    to_command_phase(f);
}

static void lock(struct fdc *f)
{
    uint8_t result;
    f->locked = f->fifo[0] & 0x80;
    result = f->locked ? 0x10 : 0;
    give_result(f, &result, 1);
}

/* Table 5-1. MT, MFM, SK and the like are the bits outside the mask. */
static const struct command {
    uint8_t mask, value, parameters;
    void (*run)(struct fdc *f);
} commands[] = {
    {0x1F, 0x06, 8, read_or_write},     /* READ DATA */
    {0x1F, 0x0C, 8, read_or_write},     /* READ DELETED DATA */
    {0x3F, 0x05, 8, read_or_write},     /* WRITE DATA */
    {0x3F, 0x09, 8, read_or_write},     /* WRITE DELETED DATA */
    {0xBF, 0x02, 8, read_or_write},     /* READ TRACK */
    {0x1F, 0x16, 8, read_or_write},     /* VERIFY */
    {0x1F, 0x11, 8, read_or_write},     /* SCAN EQUAL */
    {0x1F, 0x19, 8, read_or_write},     /* SCAN LOW OR EQUAL */
    {0x1F, 0x1D, 8, read_or_write},     /* SCAN HIGH OR EQUAL */
    {0xBF, 0x0D, 5, read_id_or_format}, /* FORMAT TRACK */
    {0xBF, 0x0A, 1, read_id_or_format}, /* READ ID */
    {0xFF, 0x03, 2, specify},
    {0xFF, 0x04, 1, sense_drive},
    {0xFF, 0x07, 1, recalibrate},
    {0xFF, 0x08, 0, sense_interrupt},
    {0xFF, 0x0E, 0, dump_registers},
    {0xFF, 0x0F, 2, seek},
    {0xBF, 0x8F, 2, relative_seek},
    {0xFF, 0x10, 0, version},
    {0xFF, 0x12, 1, perpendicular},
    {0xFF, 0x13, 3, configure},
    {0x7F, 0x14, 0, lock},
};

static const struct command *find_command(uint8_t byte)
{
    for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if ((byte & commands[i].mask) == commands[i].value)
            return &commands[i];
    return NULL;
}

static void write_fifo(struct fdc *f, uint8_t byte)
{
    const struct command *command;
    if (in_reset(f) || f->phase != FDC_COMMAND || f->fifo_used >= FDC_FIFO - 1)
        return; /* the host may not write now (RQM and DIO say so) */
    f->fifo[f->fifo_used++] = byte;
    command = find_command(f->fifo[0]);
    if (!command) {
        const uint8_t invalid = ST0_INVALID;
        give_result(f, &invalid, 1);
    } else if (f->fifo_used > command->parameters) {
        command->run(f);
    }
}

static uint8_t read_fifo(struct fdc *f)
{
    uint8_t byte;
    if (in_reset(f) || f->phase != FDC_RESULT)
        return 0;
    f->result_int = false;
    byte = f->fifo[f->fifo_at++];
    if (f->fifo_at >= f->fifo_used)
        to_command_phase(f);
    return byte;
}

static uint8_t main_status(const struct fdc *f)
{
    if (in_reset(f))
        return 0;
    return (uint8_t)(MSR_READY | f->seek_done | (f->phase == FDC_RESULT ? MSR_TO_HOST : 0) |
                     (f->phase == FDC_RESULT || f->fifo_used ? MSR_BUSY : 0));
}

static uint64_t fdc_read(void *opaque, uint64_t offset, unsigned width)
{
    struct fdc *f = opaque;
    uint8_t value = 0xFF; /* status A and B are not driven in PC-AT mode */
    (void)width;
    switch (offset) {
    case REG_DIGITAL_OUTPUT:
        return f->dor;
    case REG_TAPE:
        return 0xFC | f->tdr;
    case REG_MAIN_STATUS:
        return main_status(f);
    case REG_FIFO:
        value = read_fifo(f);
        break;
    }
    update_irq(f);
    return value;
}

static void fdc_write(void *opaque, uint64_t offset, unsigned width, uint64_t v)
{
    struct fdc *f = opaque;
    uint8_t value = (uint8_t)v;
    bool was_in_reset = in_reset(f);
    (void)width;
    switch (offset) {
    case REG_DIGITAL_OUTPUT:
        f->dor = value;
        if (!was_in_reset && in_reset(f))
            begin_reset(f);
        else if (was_in_reset && !in_reset(f))
            end_reset(f);
        break;
    case REG_TAPE:
        f->tdr = value & 3;
        break;
    case REG_MAIN_STATUS:
        f->data_rate = value & (uint8_t) ~(DSR_RESET | DSR_POWER_DOWN);
        if ((value & DSR_RESET) && !was_in_reset) {
            begin_reset(f);
            end_reset(f);
        }
        break;
    case REG_FIFO:
        write_fifo(f, value);
        break;
    }
    update_irq(f);
}

/* 2.1.7: the disk change line of a drive that is not there is inactive; the other bits are the hard
 * disk's in a PC-AT. */
static uint64_t digital_input_read(void *opaque, uint64_t offset, unsigned width)
{
    (void)opaque, (void)offset, (void)width;
    return 0x7F;
}

static void configuration_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct fdc *f = opaque;
    (void)offset, (void)width;
    f->data_rate = (uint8_t)((f->data_rate & ~3) | (value & 3));
}

static const struct io_ops fdc_ops = {.widths = 1, .read = fdc_read, .write = fdc_write};
static const struct io_ops digital_input_ops = {
    .widths = 1, .read = digital_input_read, .write = configuration_write};

static void fdc_reset(struct device *d)
{
    update_irq((struct fdc *)d);
}

static bool fdc_post_load(struct device *d, struct err *err)
{
    struct fdc *f = (struct fdc *)d;
    if (f->phase == FDC_RESULT && f->fifo_at >= f->fifo_used)
        return err_set(err, "fdc: a result phase without a result");
    if (f->phase == FDC_COMMAND && f->fifo_used) {
        const struct command *command = find_command(f->fifo[0]);
        if (!command || f->fifo_used > command->parameters)
            return err_set(err, "fdc: command %02x waits with %u bytes", f->fifo[0], f->fifo_used);
    }
    update_irq(f);
    irq_push(&f->irq);
    return true;
}

static void fdc_destroy(struct device *d)
{
    struct fdc *f = (struct fdc *)d;
    bus_unmap(f->bus, &f->ports);
    bus_unmap(f->bus, &f->digital_input);
    free(f);
}

static const struct device_class fdc_class = {
    .name = "fdc",
    .version = 1,
    .state = fdc_state,
    .reset = fdc_reset,
    .post_load = fdc_post_load,
    .destroy = fdc_destroy,
};

struct fdc *fdc_realize(struct bus *bus, struct device_list *devices, struct err *err)
{
    struct fdc *f = calloc(1, sizeof(*f));
    if (!f) {
        err_set(err, "fdc: out of memory");
        return NULL;
    }
    f->bus = bus;
    io_region_init(&f->ports, "fdc", &fdc_ops, f);
    io_region_init(&f->digital_input, "fdc digital input", &digital_input_ops, f);
    if (!bus_map(bus, &f->ports, IO_PORT, 0x3F0, 6, err) ||
        !bus_map(bus, &f->digital_input, IO_PORT, 0x3F7, 1, err)) {
        fdc_destroy(&f->device);
        return NULL;
    }
    device_add(devices, &f->device, &fdc_class, "0");
    return f;
}
