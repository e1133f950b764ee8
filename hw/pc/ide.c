/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ide: the ATA channel's registers, device selection, PIO data port and interrupt (see ide.h). */
#include "hw/pc/ide.h"

#include <string.h>

#include "hw/pc/ata.h"
#include "hw/pc/atapi.h"

#define DEVICE_RESET    0x08
#define DEVICE_DIAGNOSE 0x90

void ide_update_irq(struct ide_channel *ch)
{
    const struct ide_drive *d = ide_drive(ch);
    bool level = d->kind != IDE_ABSENT && d->interrupt &&
                 !(ch->control & (IDE_CONTROL_NIEN | IDE_CONTROL_SRST));
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
        bmdma_finished(&ch->bm);
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
    ch->held = false;
    ch->abandoned = ch->in_flight;
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
        ch->pos += n;
        if (ch->pos < ch->drq_end) {
            break;
        }
        if (ch->pos < ch->length) {
            next_drq(ch, true);
        } else {
            ide_buffer_taken(ch);
        }
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
        ch->pos += n;
        if (ch->pos < ch->drq_end) {
            break;
        }
        if (ch->pos < ch->length) {
            next_drq(ch, true);
        } else {
            ide_buffer_given(ch);
        }
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
    ch->left = 0;
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

static void command_write(struct ide_channel *ch, uint8_t opcode)
{
    struct ide_drive *d = ide_drive(ch);

    if (opcode == DEVICE_RESET && d->kind == IDE_CDROM && !(ch->control & IDE_CONTROL_SRST)) {
        /* The one command that a busy device takes (8.7). DEV stays as it is. */
        ide_abandon(ch);
        d->power = IDE_POWER_ACTIVE;
        d->interrupt = false;
        ata_signature(d);
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
        ch->held = true;
        ch->held_opcode = opcode;
        return;
    }
    ide_execute(ch, opcode);
}

/* Status as the selected device gives it. BSY and DRQ follow from the phase alone, so that no
 * command can leave one behind. */
static uint8_t status(struct ide_channel *ch)
{
    const struct ide_drive *d = ide_drive(ch);

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
        return status(ch);
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
        command_write(ch, value);
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

static void control_write(struct ide_channel *ch, uint8_t value)
{
    uint8_t was = ch->control;

    ch->control = value & (IDE_CONTROL_NIEN | IDE_CONTROL_SRST | IDE_CONTROL_HOB);
    if (!(was & IDE_CONTROL_SRST) && (value & IDE_CONTROL_SRST)) {
        ide_abandon(ch);
    }
    if ((was & IDE_CONTROL_SRST) && !(value & IDE_CONTROL_SRST)) {
        for (unsigned i = 0; i < 2; i++) {
            struct ide_drive *d = &ch->drive[i];
            d->interrupt = false;
            d->power = IDE_POWER_ACTIVE;
            if (d->revert) {
                ata_defaults(d);
            }
            ata_signature(d);
        }
        ch->selected = 0;
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
    ide_update_irq(ch);
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
    ide_update_irq(ch);
}

static uint32_t command_read_run(void *opaque, uint64_t offset, unsigned width, void *buf,
                                 uint32_t count)
{
    struct ide_channel *ch = opaque;

    if (offset != 0 || width < 2) {
        return 0;
    }
    data_in(ch, buf, (size_t)count * width);
    ide_update_irq(ch);
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
    ide_update_irq(ch);
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
    return status(opaque); /* alternate status: the interrupt stays pending (7.3) */
}

static void control_region_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    (void)offset;
    (void)width;
    control_write(opaque, (uint8_t)value);
    ide_update_irq(opaque);
}

const struct io_ops ide_control_ops = {
    .widths = 1,
    .read = control_region_read,
    .write = control_region_write,
};

void ide_channel_reset(struct ide_channel *ch)
{
    ide_abandon(ch);
    for (unsigned i = 0; i < 2; i++) {
        struct ide_drive *d = &ch->drive[i];
        ata_defaults(d);
        d->cur_heads = d->heads;
        d->cur_sectors = d->sectors;
        if (d->kind == IDE_CDROM) {
            atapi_power_on(d);
        }
        ata_signature(d);
    }
    ide_update_irq(ch);
}
