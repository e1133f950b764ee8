/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fdc: the floppy controller's registers, its command and result phases, and the commands that end
 * at once. What moves data is in fdc_transfer.c, the drives are in fdc_drive.c.
 */
#include "hw/pc/fdc_int.h"

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

enum { MSR_READY = 0x80, MSR_TO_HOST = 0x40, MSR_NON_DMA = 0x20, MSR_BUSY = 0x10 };
enum { DSR_RESET = 0x80, DSR_POWER_DOWN = 0x40 };
enum { ST3_ALWAYS = 0x28, ST3_TRACK_0 = 0x10, ST3_WRITE_PROTECTED = 0x40 };
enum { CONFIGURE_POLL_OFF = 0x10, CONFIGURE_FIFO_OFF = 0x20 };
enum { DRIVE_SPEC_DONE = 0x80, DRIVE_SPEC_NO_RESULT = 0x40 };

#define VERSION_82077         0x90
#define PART_82078            0x41
#define COMMAND_DRIVE_SPEC    0x8E
#define COMMAND_READ_ID       0x0A
#define DIGITAL_INPUT_NOTHING 0x7F
#define DIGITAL_INPUT_CHANGED 0x80

static const struct state_field spot_state[] = {
    STATE_UINT(struct fdc_spot, cylinder),
    STATE_LIMIT(struct fdc_spot, head, 1),
    STATE_UINT(struct fdc_spot, sector),
    STATE_FIELDS_END,
};

/* After power-on the chip is as a BIOS leaves it: out of reset, drive A at 500 kbit/s. */
static const struct state_field fdc_state[] = {
    STATE_UINT(struct fdc, dor, .reset = DOR_NOT_RESET | DOR_DMA_GATE),
    STATE_LIMIT(struct fdc, tdr, 3),
    STATE_UINT(struct fdc, data_rate),
    STATE_LIMIT(struct fdc, phase, FDC_FROM_HOST),
    STATE_ARRAY(struct fdc, fifo),
    STATE_LIMIT(struct fdc, fifo_used, FDC_FIFO - 1),
    STATE_LIMIT(struct fdc, fifo_at, FDC_FIFO - 1),
    STATE_BOOL(struct fdc, result_int),
    STATE_LIMIT(struct fdc, reset_senses, FDC_DRIVES),
    STATE_BOOL(struct fdc, reset_int),
    STATE_LIMIT(struct fdc, seek_done, 0x0F),
    STATE_LIMIT(struct fdc, seek_failed, 0x0F),
    STATE_ARRAY(struct fdc, cylinder),
    STATE_LIMIT(struct fdc, changed, 0x0F, .keep_on_reset = true),
    STATE_LIMIT(struct fdc, sought, 0x0F),
    STATE_ARRAY(struct fdc, specify),
    STATE_UINT(struct fdc, configure, .reset = CONFIGURE_FIFO_OFF),
    STATE_UINT(struct fdc, precompensation),
    STATE_UINT(struct fdc, perpendicular),
    STATE_UINT(struct fdc, last_sector),
    STATE_UINT(struct fdc, power_mode),
    STATE_UINT(struct fdc, option),
    STATE_ARRAY(struct fdc, drive_spec),
    STATE_BOOL(struct fdc, locked),

    STATE_LIMIT(struct fdc, op, FDC_FORMAT),
    STATE_LIMIT(struct fdc, unit, FDC_DRIVES - 1),
    STATE_LIMIT(struct fdc, head, 1),
    STATE_UINT(struct fdc, eot),
    STATE_LIMIT(struct fdc, step, 2, .min = 1, .reset = 1),
    STATE_BOOL(struct fdc, pio),
    STATE_BOOL(struct fdc, multi_track),
    STATE_BOOL(struct fdc, runs_on),
    STATE_BOOL(struct fdc, moved),
    STATE_BOOL(struct fdc, deleted),
    STATE_BOOL(struct fdc, terminal),
    STATE_BOOL(struct fdc, single),
    STATE_UINT(struct fdc, st1),
    STATE_UINT(struct fdc, st2),
    STATE_STRUCT(struct fdc, disk, spot_state),
    STATE_STRUCT(struct fdc, host, spot_state),
    STATE_LIMIT(struct fdc, disk_left, 1024),
    STATE_LIMIT(struct fdc, host_left, 1024),
    STATE_LIMIT(struct fdc, format_at, 1024),
    STATE_LIMIT(struct fdc, buffer_len, FDC_BUFFER),
    STATE_LIMIT(struct fdc, buffer_at, FDC_BUFFER),
    STATE_ARRAY(struct fdc, buffer),
    STATE_UINT(struct fdc, due),
    STATE_FIELDS_END,
};

static bool in_reset(const struct fdc *f)
{
    return !(f->dor & DOR_NOT_RESET);
}

/* The FIFO wants the host: the data phase of a transfer without DMA. */
static bool pio_request(const struct fdc *f)
{
    return f->pio && (f->phase == FDC_TO_HOST || f->phase == FDC_FROM_HOST);
}

void fdc_update_irq(struct fdc *f)
{
    irq_set(&f->irq, f->reset_int || f->result_int || f->seek_done || pio_request(f));
}

static void to_command_phase(struct fdc *f)
{
    f->phase = FDC_COMMAND;
    f->fifo_used = f->fifo_at = 0;
    f->result_int = false;
}

/* A command's own interrupt takes the place of those of the reset: a BIOS senses only one of the
 * four and goes on, and the next must be an edge again. */
static void forget_reset(struct fdc *f)
{
    f->reset_senses = 0;
    f->reset_int = false;
}

void fdc_give_result(struct fdc *f, const uint8_t *bytes, unsigned len, bool interrupt)
{
    if (interrupt)
        forget_reset(f);
    memcpy(f->fifo, bytes, len);
    f->phase = FDC_RESULT;
    f->fifo_used = (uint8_t)len;
    f->fifo_at = 0;
    f->result_int = interrupt;
}

static void give(struct fdc *f, const uint8_t *bytes, unsigned len)
{
    fdc_give_result(f, bytes, len, false);
}

/* 5.2.3: what a reset by DOR or DSR leaves. */
static void begin_reset(struct fdc *f)
{
    fdc_transfer_abandon(f);
    to_command_phase(f);
    f->seek_done = f->seek_failed = f->sought = 0;
    forget_reset(f);
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

static void specify(struct fdc *f)
{
    memcpy(f->specify, f->fifo + 1, 2);
    to_command_phase(f);
}

static void sense_drive(struct fdc *f)
{
    const unsigned unit = f->fifo[1] & 3;
    const struct fdc_drive *d = fdc_drive(f, unit);
    uint8_t st3 = (uint8_t)(ST3_ALWAYS | (f->fifo[1] & 7));
    if (d && !f->cylinder[unit])
        st3 |= ST3_TRACK_0;
    if (d && d->block && block_read_only(d->block))
        st3 |= ST3_WRITE_PROTECTED;
    give(f, &st3, 1);
}

static void end_seek(struct fdc *f, unsigned unit, bool failed)
{
    uint8_t bit = (uint8_t)(1 << unit);
    f->seek_done |= bit;
    forget_reset(f);
    f->seek_failed = failed ? f->seek_failed | bit : f->seek_failed & (uint8_t)~bit;
    to_command_phase(f);
}

/* Where there is no drive, the pulses go nowhere. */
static void go_to(struct fdc *f, unsigned unit, uint8_t cylinder)
{
    fdc_step_to(f, unit, cylinder);
    f->cylinder[unit] = cylinder;
}

/* Without a drive: 79 step pulses and no track 0 signal. */
static void recalibrate(struct fdc *f)
{
    const unsigned unit = f->fifo[1] & 3;
    go_to(f, unit, 0);
    f->sought &= (uint8_t) ~(1 << unit);
    end_seek(f, unit, !fdc_drive(f, unit));
}

/* A seek only counts pulses: it ends well without a drive. */
static void seek(struct fdc *f)
{
    const unsigned unit = f->fifo[1] & 3;
    go_to(f, unit, f->fifo[2]);
    f->sought |= (uint8_t)(1 << unit);
    end_seek(f, unit, false);
}

/* 5.2.2: outward the head stops at track 0. */
static void relative_seek(struct fdc *f)
{
    const unsigned unit = f->fifo[1] & 3;
    const uint8_t steps = f->fifo[2], from = f->cylinder[unit];
    const bool in = f->fifo[0] & 0x40, stopped = !in && steps > from;
    go_to(f, unit, (uint8_t)(in ? from + steps : stopped ? 0 : from - steps));
    end_seek(f, unit, stopped);
}

static void sense_interrupt(struct fdc *f)
{
    uint8_t result[2] = {ST0_INVALID};
    unsigned unit = 0;
    f->reset_int = false;
    if (f->reset_senses) {
        unit = (unsigned)(FDC_DRIVES - f->reset_senses--);
        result[0] = (uint8_t)(ST0_POLLING | unit);
    } else if (f->seek_done) {
        while (!(f->seek_done >> unit & 1))
            unit++;
        result[0] = (uint8_t)(ST0_SEEK_END | unit);
        if (f->seek_failed >> unit & 1)
            result[0] |= ST0_ABNORMAL | ST0_EQUIPMENT_CHECK;
        f->seek_done &= (uint8_t) ~(1 << unit);
    } else {
        give(f, result, 1);
        return;
    }
    result[1] = f->cylinder[unit];
    give(f, result, 2);
}

/* Registers 6 to 9 of DUMPREG; SAVE and RESTORE have them, too. */
static void pack(const struct fdc *f, uint8_t out[6])
{
    memcpy(out, f->specify, 2);
    out[2] = f->last_sector;
    out[3] = (uint8_t)((f->locked ? 0x80 : 0) | (f->perpendicular & 0x3F));
    out[4] = f->configure;
    out[5] = f->precompensation;
}

static void dump_registers(struct fdc *f)
{
    uint8_t result[10];
    memcpy(result, f->cylinder, 4);
    pack(f, result + 4);
    give(f, result, sizeof(result));
}

/* 82078: what a RESTORE after a power-down needs. */
static void save(struct fdc *f)
{
    uint8_t result[16] = {f->data_rate & 0x1F, f->option};
    memcpy(result + 2, f->cylinder, 4);
    pack(f, result + 6);
    result[12] = f->power_mode;
    give(f, result, sizeof(result));
}

static void restore(struct fdc *f)
{
    const uint8_t *p = f->fifo + 1;
    f->data_rate = p[0] & 0x1F;
    f->option = p[1];
    for (unsigned unit = 0; unit < FDC_DRIVES; unit++)
        go_to(f, unit, p[2 + unit]);
    memcpy(f->specify, p + 6, 2);
    f->last_sector = p[8];
    f->locked = p[9] & 0x80;
    f->perpendicular = p[9] & 0x3F;
    f->configure = p[10] & 0x7F;
    f->precompensation = p[11];
    f->power_mode = p[12];
    to_command_phase(f);
}

static void version(struct fdc *f)
{
    const uint8_t v = VERSION_82077;
    give(f, &v, 1);
}

static void part_id(struct fdc *f)
{
    const uint8_t v = PART_82078;
    give(f, &v, 1);
}

static void power_mode(struct fdc *f)
{
    f->power_mode = f->fifo[1];
    give(f, &f->power_mode, 1);
}

static void option(struct fdc *f)
{
    f->option = f->fifo[1];
    to_command_phase(f);
}

/* Up to five specifications of a drive, then a byte with DONE. */
static void drive_specification(struct fdc *f)
{
    uint8_t last = 0;
    for (unsigned i = 1; i < f->fifo_used; i++) {
        last = f->fifo[i];
        if (!(last & DRIVE_SPEC_DONE))
            f->drive_spec[last >> 5 & 3] = last & 0x1F;
    }
    if (last & DRIVE_SPEC_NO_RESULT && last & DRIVE_SPEC_DONE)
        to_command_phase(f);
    else
        give(f, f->drive_spec, FDC_DRIVES);
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
    give(f, &result, 1);
}

/* Table 5-1. MT, MFM, SK and the like are the bits outside the mask. */
static const struct command {
    uint8_t mask, value, parameters;
    void (*run)(struct fdc *f);
} commands[] = {
    {0x1F, 0x06, 8, fdc_transfer_start}, /* READ DATA */
    {0x1F, 0x0C, 8, fdc_transfer_start}, /* READ DELETED DATA */
    {0x3F, 0x05, 8, fdc_transfer_start}, /* WRITE DATA */
    {0x3F, 0x09, 8, fdc_transfer_start}, /* WRITE DELETED DATA */
    {0xBF, 0x02, 8, fdc_transfer_start}, /* READ TRACK */
    {0x1F, 0x16, 8, fdc_transfer_start}, /* VERIFY */
    {0x1F, 0x11, 8, fdc_transfer_start}, /* SCAN EQUAL */
    {0x1F, 0x19, 8, fdc_transfer_start}, /* SCAN LOW OR EQUAL */
    {0x1F, 0x1D, 8, fdc_transfer_start}, /* SCAN HIGH OR EQUAL */
    {0xBF, 0x0D, 5, fdc_transfer_start}, /* FORMAT TRACK */
    {0xBF, COMMAND_READ_ID, 1, fdc_read_id},
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
    {0xFF, 0x17, 1, power_mode},
    {0xFF, 0x18, 0, part_id},
    {0xFF, 0x2E, 0, save},
    {0xFF, 0x33, 1, option},
    {0xFF, 0x4E, 16, restore},
    {0xFF, COMMAND_DRIVE_SPEC, 6, drive_specification}, /* at most */
};

static const struct command *find_command(uint8_t byte)
{
    for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if ((byte & commands[i].mask) == commands[i].value)
            return &commands[i];
    return NULL;
}

static bool is_complete(const struct fdc *f, const struct command *command)
{
    return f->fifo_used > command->parameters ||
           (f->fifo[0] == COMMAND_DRIVE_SPEC && f->fifo_used > 1 &&
            f->fifo[f->fifo_used - 1] & DRIVE_SPEC_DONE);
}

static void write_fifo(struct fdc *f, uint8_t byte)
{
    const struct command *command;
    if (f->phase == FDC_FROM_HOST && f->pio) {
        fdc_pio_write(f, byte);
        return;
    }
    if (in_reset(f) || f->phase != FDC_COMMAND || f->fifo_used >= FDC_FIFO - 1)
        return; /* the host may not write now (RQM and DIO say so) */
    f->fifo[f->fifo_used++] = byte;
    command = find_command(f->fifo[0]);
    if (!command) {
        const uint8_t invalid = ST0_INVALID;
        give(f, &invalid, 1);
    } else if (is_complete(f, command)) {
        command->run(f);
    }
}

static uint8_t read_fifo(struct fdc *f)
{
    uint8_t byte;
    if (f->phase == FDC_TO_HOST && f->pio)
        return fdc_pio_read(f);
    if (in_reset(f) || f->phase != FDC_RESULT)
        return 0;
    byte = f->fifo[f->fifo_at++];
    if (f->fifo_at >= f->fifo_used)
        to_command_phase(f);
    return byte;
}

static uint8_t main_status(const struct fdc *f)
{
    uint8_t status = f->seek_done;
    if (in_reset(f))
        return 0;
    if (f->phase == FDC_COMMAND)
        return (uint8_t)(status | MSR_READY | (f->fifo_used ? MSR_BUSY : 0));
    status |= MSR_BUSY;
    if (f->phase == FDC_RESULT)
        return status | MSR_READY | MSR_TO_HOST;
    if (f->pio)
        status |= MSR_NON_DMA;
    if (pio_request(f))
        status |= MSR_READY | (f->phase == FDC_TO_HOST ? MSR_TO_HOST : 0);
    return status;
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
    fdc_update_irq(f);
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
    fdc_update_irq(f);
}

/* 2.1.7: the other bits are the hard disk's in a PC-AT. */
static uint64_t digital_input_read(void *opaque, uint64_t offset, unsigned width)
{
    const struct fdc *f = opaque;
    (void)offset, (void)width;
    return DIGITAL_INPUT_NOTHING | (fdc_disk_changed(f) ? DIGITAL_INPUT_CHANGED : 0);
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
    struct fdc *f = (struct fdc *)d;
    fdc_transfer_abandon(f);
    fdc_update_irq(f);
}

static void fdc_quiesce(struct device *d)
{
    struct fdc *f = (struct fdc *)d;
    f->stopped = true;
    if (f->in_flight)
        block_drain(f->busy);
}

static void fdc_resume(struct device *d)
{
    struct fdc *f = (struct fdc *)d;
    f->stopped = false;
    if (!f->in_flight)
        fdc_transfer_go_on(f);
    fdc_update_irq(f);
}

/* The buffer's positions must suit the phase that uses them. */
static bool check_transfer(const struct fdc *f, struct err *err)
{
    const bool data = f->phase == FDC_TO_HOST || f->phase == FDC_FROM_HOST;
    if (data && f->buffer_at >= f->buffer_len)
        return err_set(err, "fdc: a data phase without data");
    if (data && f->op == FDC_SCAN && (f->buffer_at < FDC_SECTOR || f->buffer_len > 2 * FDC_SECTOR))
        return err_set(err, "fdc: a scan of %u bytes at %u", f->buffer_len, f->buffer_at);
    if (f->phase == FDC_DISK_READ && f->buffer_len % FDC_SECTOR)
        return err_set(err, "fdc: %u bytes are no sectors", f->buffer_len);
    if (f->phase == FDC_WAIT_ID && !f->due)
        return err_set(err, "fdc: READ ID waits for nothing");
    return true;
}

static bool check_command(const struct fdc *f, struct err *err)
{
    const struct command *command = find_command(f->fifo[0]);
    if (f->phase == FDC_RESULT)
        return f->fifo_at < f->fifo_used || err_set(err, "fdc: a result phase without a result");
    if (f->phase != FDC_COMMAND)
        return (command && command->run == fdc_transfer_start) || f->phase == FDC_WAIT_ID ||
               err_set(err, "fdc: command %02x transfers nothing", f->fifo[0]);
    if (f->fifo_used && (!command || is_complete(f, command)))
        return err_set(err, "fdc: command %02x waits with %u bytes", f->fifo[0], f->fifo_used);
    return true;
}

static bool fdc_post_load(struct device *d, struct err *err)
{
    struct fdc *f = (struct fdc *)d;
    f->stale = f->in_flight;
    if (!check_command(f, err) || !check_transfer(f, err)) {
        to_command_phase(f);
        return false;
    }
    if (f->due)
        timer_arm(&f->timer, f->due);
    else
        timer_disarm(&f->timer);
    fdc_update_irq(f);
    irq_push(&f->irq);
    return true;
}

static void fdc_destroy(struct device *d)
{
    struct fdc *f = (struct fdc *)d;
    f->stopped = true;
    if (f->in_flight) {
        block_cancel(f->busy, &f->request); /* one that waits for `cont` would outlive us */
        block_drain(f->busy);
    }
    bus_unmap(f->bus, &f->ports);
    bus_unmap(f->bus, &f->digital_input);
    timer_destroy(&f->timer);
    free(f);
}

static const struct device_class fdc_class = {
    .name = "fdc",
    .version = 1,
    .state = fdc_state,
    .reset = fdc_reset,
    .quiesce = fdc_quiesce,
    .resume = fdc_resume,
    .post_load = fdc_post_load,
    .destroy = fdc_destroy,
};

struct fdc *fdc_realize(struct bus *bus, struct dma8237 *dma, struct clock *clock,
                        struct device_list *devices,
                        const struct fdc_drive_config config[FDC_UNITS], struct err *err)
{
    struct fdc *f = calloc(1, sizeof(*f));
    if (!f) {
        err_set(err, "fdc: out of memory");
        return NULL;
    }
    f->bus = bus;
    f->dma = dma;
    timer_init(&f->timer, clock, fdc_timer_fired, f);
    io_region_init(&f->ports, "fdc", &fdc_ops, f);
    io_region_init(&f->digital_input, "fdc digital input", &digital_input_ops, f);
    if (!fdc_drive_init(f, 0, &config[0], err) || !fdc_drive_init(f, 1, &config[1], err) ||
        !bus_map(bus, &f->ports, IO_PORT, 0x3F0, 6, err) ||
        !bus_map(bus, &f->digital_input, IO_PORT, 0x3F7, 1, err)) {
        fdc_destroy(&f->device);
        return NULL;
    }
    dma8237_connect(dma, FDC_DMA_CHANNEL, fdc_dma_ready, f);
    device_add(devices, &f->device, &fdc_class, "0");
    return f;
}
