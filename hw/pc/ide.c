/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ide: the ATA channel's registers, device selection, PIO data port and interrupt (see ide.h). */
#include "hw/pc/ide.h"

#include <string.h>

#include "hw/pc/ata.h"
#include "hw/pc/atapi.h"

#define DEVICE_RESET    0x08
#define DEVICE_DIAGNOSE 0x90

static bool intrq(const struct ide_channel *ch)
{
    const struct ide_drive *d = &ch->drive[ch->selected];
    return d->kind != IDE_ABSENT && d->interrupt &&
           !(ch->control & (IDE_CONTROL_NIEN | IDE_CONTROL_SRST));
}

/* Recomputes INTRQ: the one place that drives it. */
static void update_irq(struct ide_channel *ch)
{
    bool level = intrq(ch);
    if (level && !ch->line) {
        ch->bm.status |= BMDMA_STATUS_INT; /* rev 1.0, 3.2: set by the rising edge */
    }
    ch->line = level;
    irq_set(&ch->irq, level);
}

/* The command is over without a word to the host: what a bus master that stopped early leaves. */
void ide_end_silently(struct ide_channel *ch)
{
    ide_drive(ch)->status = IDE_DRDY | IDE_DSC;
    ch->phase = IDE_IDLE;
}

void ide_finish(struct ide_channel *ch)
{
    ide_end_silently(ch);
    ide_drive(ch)->interrupt = true;
    if (ch->use_dma) {
        bmdma_finished(&ch->bm, prd_exhausted(&ch->prd.at));
    }
}

void ide_fail(struct ide_channel *ch, uint8_t error)
{
    ide_finish(ch);
    ide_drive(ch)->status |= IDE_ERR;
    ide_drive(ch)->error = error;
}

void ide_abandon(struct ide_channel *ch)
{
    ch->phase = IDE_IDLE;
    ch->held = IDE_HELD_NOTHING;
    ch->abandoned = ch->in_flight;
    if (ch->in_flight) {
        block_cancel(ch->request_block, &ch->request); /* it need not wait for its turn */
    }
    ide_ahead_drop(ch);
    ide_stopped(ch);
}

/* Opens the next DRQ block; the caller knows that buffer[pos..length) is not empty. */
static void next_drq(struct ide_channel *ch, bool interrupt)
{
    uint32_t n = ch->length - ch->pos;
    if (n > ch->drq_size) {
        n = ch->drq_size;
    }
    ch->drq_end = ch->pos + n;
    if (ch->use != IDE_USE_CDB && ide_for_packet(ch)) {
        atapi_drq(ch, n - (ch->odd && ch->drq_end == ch->length));
    }
    ide_drive(ch)->interrupt |= interrupt;
}

void ide_data_in(struct ide_channel *ch, uint32_t length, bool interrupt)
{
    ch->phase = IDE_DATA_IN;
    ch->pos = 0;
    ch->length = length;
    next_drq(ch, interrupt);
}

void ide_data_out(struct ide_channel *ch, uint32_t length, bool interrupt)
{
    ch->phase = IDE_DATA_OUT;
    ch->pos = 0;
    ch->length = length;
    next_drq(ch, interrupt);
}

void ide_drq_moved(struct ide_channel *ch, uint32_t n)
{
    ch->pos += n;
    if (ch->pos < ch->drq_end) {
        return;
    }
    if (ch->pos < ch->length) {
        next_drq(ch, true);
    } else if (ch->phase == IDE_DATA_IN) {
        ide_buffer_taken(ch);
    } else {
        ide_buffer_given(ch);
    }
}

/* Moves bytes from the DRQ block to the host; what the device has not got reads as ones. */
static void data_in(struct ide_channel *ch, uint8_t *to, size_t bytes)
{
    while (bytes && ch->phase == IDE_DATA_IN) {
        uint32_t n = ch->drq_end - ch->pos;
        if (n > bytes) {
            n = (uint32_t)bytes;
        }
        memcpy(to, ch->buffer + ch->pos, n);
        to += n;
        bytes -= n;
        ide_drq_moved(ch, n);
    }
    memset(to, 0xFF, bytes);
}

/* Moves bytes from the host to the DRQ block; what the device does not want is lost. */
static void data_out(struct ide_channel *ch, const uint8_t *from, size_t bytes)
{
    while (bytes && ch->phase == IDE_DATA_OUT) {
        uint32_t n = ch->drq_end - ch->pos;
        if (n > bytes) {
            n = (uint32_t)bytes;
        }
        memcpy(ch->buffer + ch->pos, from, n);
        from += n;
        bytes -= n;
        ide_drq_moved(ch, n);
    }
}

static bool busy(const struct ide_channel *ch)
{
    return ch->phase != IDE_IDLE || ch->held || (ch->control & IDE_CONTROL_SRST);
}

void ide_execute(struct ide_channel *ch, uint8_t opcode)
{
    struct ide_drive *d = ide_drive(ch);

    ch->opcode = opcode;
    ch->use = IDE_USE_NONE;
    ch->use_dma = ch->writing = ch->flush_after = ch->lost = ch->odd = ch->lba48 = false;
    ch->left = ch->fill = 0;
    ch->piece = IDE_PIECE;
    ch->drq_size = IDE_SECTOR;
    if (opcode == DEVICE_DIAGNOSE) {
        ata_diagnose(ch);
        return;
    }
    d->status = IDE_DRDY | IDE_DSC;
    d->error = 0;
    ata_execute(ch, opcode);
}

/* DEVICE RESET (8.7). DEV stays as it is. */
static void device_reset_done(struct ide_channel *ch)
{
    struct ide_drive *d = ide_drive(ch);

    d->power = IDE_POWER_ACTIVE;
    d->interrupt = false;
    ata_signature(d);
}

/* Software reset (9.3). */
static void software_reset_done(struct ide_channel *ch)
{
    for (unsigned i = 0; i < 2; i++) {
        struct ide_drive *d = &ch->drive[i];
        d->interrupt = false;
        d->power = IDE_POWER_ACTIVE;
        d->native_asked = 0;
        if (d->revert) {
            ata_defaults(d);
        }
        ata_signature(d);
    }
    ch->selected = 0;
}

/* A reset is over, and BSY clear, when what it took back has ended: nothing then still reaches the
 * medium or guest memory. */
static void reset_when_ended(struct ide_channel *ch, enum ide_held reset)
{
    if (ch->in_flight) {
        ch->held = (uint8_t)reset;
    } else if (reset == IDE_HELD_RESET) {
        software_reset_done(ch);
    } else {
        device_reset_done(ch);
    }
}

void ide_abandoned_ended(struct ide_channel *ch)
{
    enum ide_held held = (enum ide_held)ch->held;

    ch->abandoned = false;
    ch->held = IDE_HELD_NOTHING;
    if (held == IDE_HELD_COMMAND) {
        ide_execute(ch, ch->held_opcode);
    } else if (held) {
        reset_when_ended(ch, held);
    }
}

void ide_command(struct ide_channel *ch, uint8_t opcode)
{
    struct ide_drive *d = ide_drive(ch);

    if (opcode == DEVICE_RESET && d->kind == IDE_CDROM && !(ch->control & IDE_CONTROL_SRST) &&
        ch->held != IDE_HELD_RESET) {
        /* The one command that a busy device takes. */
        ide_abandon(ch);
        reset_when_ended(ch, IDE_HELD_DEVICE_RESET);
        return;
    }
    if (busy(ch) || d->power == IDE_POWER_SLEEP) {
        return;
    }
    if (d->kind == IDE_ABSENT && opcode != DEVICE_DIAGNOSE) {
        return;
    }
    d->interrupt = false;
    if (ch->in_flight) {
        /* What an abandoned command still has under way owns the buffer and the request. */
        ch->held = IDE_HELD_COMMAND;
        ch->held_opcode = opcode;
        return;
    }
    ide_execute(ch, opcode);
}

uint8_t ide_status(const struct ide_channel *ch)
{
    const struct ide_drive *d = &ch->drive[ch->selected];

    if (d->kind == IDE_ABSENT) {
        return 0; /* device 0 answers so for an absent device 1 (9.16.1) */
    }
    if (ch->control & IDE_CONTROL_SRST || ch->held) {
        return IDE_BSY;
    }
    switch ((enum ide_phase)ch->phase) {
    case IDE_IDLE:
        return d->status;
    case IDE_DATA_IN:
    case IDE_DATA_OUT:
        return d->status | IDE_DRQ;
    default:
        return d->status | IDE_BSY;
    }
}

static uint8_t register_read(struct ide_channel *ch, unsigned reg)
{
    struct ide_drive *d = ide_drive(ch);
    unsigned hob = ch->control & IDE_CONTROL_HOB ? 1 : 0;

    if (reg == 7) {
        d->interrupt = false;
        return ide_status(ch);
    }
    if (d->kind == IDE_ABSENT) {
        d = &ch->drive[0]; /* device 0 shows its own registers for an absent device 1 (9.16.1) */
        if (d->kind == IDE_ABSENT) {
            return 0;
        }
    }
    switch (reg) {
    case 1:
        return d->error;
    case 2:
        return d->count[hob];
    case 3:
        return d->lba_low[hob];
    case 4:
        return d->lba_mid[hob];
    case 5:
        return d->lba_high[hob];
    case 6:
        return (uint8_t)((d->device & ~IDE_DEVICE_DEV) | (ch->selected ? IDE_DEVICE_DEV : 0));
    default:
        return 0xFF;
    }
}

static void push(uint8_t fifo[2], uint8_t value)
{
    fifo[1] = fifo[0];
    fifo[0] = value;
}

static void register_write(struct ide_channel *ch, unsigned reg, uint8_t value)
{
    if (reg == 7) {
        ch->control &= (uint8_t)~IDE_CONTROL_HOB;
        ide_command(ch, value);
        return;
    }
    if (busy(ch)) {
        return; /* 7.2: only while BSY and DRQ are clear */
    }
    ch->control &= (uint8_t)~IDE_CONTROL_HOB;
    for (unsigned i = 0; i < 2; i++) {
        struct ide_drive *d = &ch->drive[i]; /* both devices latch what the host writes */
        switch (reg) {
        case 1:
            push(d->feature, value);
            break;
        case 2:
            push(d->count, value);
            break;
        case 3:
            push(d->lba_low, value);
            break;
        case 4:
            push(d->lba_mid, value);
            break;
        case 5:
            push(d->lba_high, value);
            break;
        case 6:
            d->device = value | 0xA0;
            ch->selected = value & IDE_DEVICE_DEV ? 1 : 0;
            break;
        default:
            break;
        }
    }
}

void ide_control(struct ide_channel *ch, uint8_t value)
{
    uint8_t was = ch->control;

    ch->control = value & (IDE_CONTROL_NIEN | IDE_CONTROL_SRST | IDE_CONTROL_HOB);
    if (!(was & IDE_CONTROL_SRST) && (value & IDE_CONTROL_SRST)) {
        ide_abandon(ch);
    }
    if ((was & IDE_CONTROL_SRST) && !(value & IDE_CONTROL_SRST)) {
        reset_when_ended(ch, IDE_HELD_RESET);
    }
}

static uint64_t command_read(void *opaque, uint64_t offset, unsigned width)
{
    struct ide_channel *ch = opaque;
    uint64_t value = 0;

    if (offset == 0) {
        /* The register has 16 bits: a byte access is one lane of a word, a double word two words.
         */
        uint8_t bytes[4];
        data_in(ch, bytes, width < 2 ? 2 : width);
        for (unsigned i = 0; i < width; i++) {
            value |= (uint64_t)bytes[i] << 8 * i;
        }
    } else {
        for (unsigned i = 0; i < width; i++) {
            value |= (uint64_t)register_read(ch, (unsigned)offset + i) << 8 * i;
        }
    }
    ide_settle(ch);
    return value;
}

static void command_region_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct ide_channel *ch = opaque;

    if (offset == 0) {
        uint8_t bytes[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
                            (uint8_t)(value >> 24)};
        data_out(ch, bytes, width < 2 ? 2 : width);
    } else {
        for (unsigned i = 0; i < width; i++) {
            register_write(ch, (unsigned)offset + i, (uint8_t)(value >> 8 * i));
        }
    }
    ide_settle(ch);
}

static uint32_t command_read_run(void *opaque, uint64_t offset, unsigned width, void *buf,
                                 uint32_t count)
{
    struct ide_channel *ch = opaque;

    if (offset != 0 || width < 2) {
        return 0;
    }
    data_in(ch, buf, (size_t)count * width);
    ide_settle(ch);
    return count;
}

static uint32_t command_write_run(void *opaque, uint64_t offset, unsigned width, const void *buf,
                                  uint32_t count)
{
    struct ide_channel *ch = opaque;

    if (offset != 0 || width < 2) {
        return 0;
    }
    data_out(ch, buf, (size_t)count * width);
    ide_settle(ch);
    return count;
}

const struct io_ops ide_command_ops = {
    .widths = 1 | 2 | 4,
    .read = command_read,
    .write = command_region_write,
    .read_run = command_read_run,
    .write_run = command_write_run,
};

static uint64_t control_region_read(void *opaque, uint64_t offset, unsigned width)
{
    (void)offset;
    (void)width;
    return ide_status(opaque); /* alternate status: the interrupt stays pending (7.3) */
}

static void control_region_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    (void)offset;
    (void)width;
    ide_control(opaque, (uint8_t)value);
    ide_settle(opaque);
}

const struct io_ops ide_control_ops = {
    .widths = 1,
    .read = control_region_read,
    .write = control_region_write,
};

static enum ide_engine engine(const struct ide_channel *ch)
{
    if (!bmdma_active(&ch->bm)) {
        return IDE_ENGINE_WAITS;
    }
    /* Without the PCI command register's bus master bit nothing reaches memory; data from it never
     * come. */
    return ch->bm.master ? IDE_ENGINE_RUNS : ch->writing ? IDE_ENGINE_WAITS : IDE_ENGINE_LOSES;
}

/* Rev 1.0, 3.2, the table of status bits. */
static void broken(struct ide_channel *ch, bool bad)
{
    ch->stopping = false;
    bmdma_halt(&ch->bm, bad);
    ide_end_silently(ch);
}

const struct ide_front ide_parallel_front = {
    .engine = engine,
    .broken = broken,
    .settle = update_irq,
};

void ide_push_irq(struct ide_channel *ch)
{
    ch->line = intrq(ch);
    irq_set(&ch->irq, ch->line);
    irq_push(&ch->irq);
}

void ide_channel_reset(struct ide_channel *ch)
{
    ide_abandon(ch);
    ide_let_go(ch, NULL);
    ide_power_on(ch);
    ide_settle(ch);
}

void ide_power_on(struct ide_channel *ch)
{
    ch->control = ch->selected = 0;
    for (unsigned i = 0; i < 2; i++) {
        struct ide_drive *d = &ch->drive[i];
        d->interrupt = false;
        d->power = IDE_POWER_ACTIVE;
        d->visible = 0;
        d->native_asked = 0;
        ata_defaults(d);
        d->cur_heads = d->heads;
        d->cur_sectors = d->sectors;
        d->smart.enabled = true;
        if (d->kind == IDE_CDROM) {
            atapi_power_on(d);
        }
        ata_signature(d);
    }
}
