/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dma8237: the ISA DMA controllers' registers, and transfers for devices that ask; see dma8237.h.
 */
#include "hw/pc/dma8237.h"

#include <stdlib.h>
#include <string.h>

/* Registers above the channels' (8237A, "Software Command Codes and Register Codes"). */
enum {
    REG_COMMAND = 8, /* read: status */
    REG_REQUEST = 9,
    REG_MASK_BIT = 10,
    REG_MODE = 11,
    REG_CLEAR_FLIP_FLOP = 12,
    REG_MASTER_CLEAR = 13, /* read: temporary register */
    REG_CLEAR_MASK = 14,
    REG_ALL_MASKS = 15,
};

enum { COMMAND_DISABLE = 0x04 };

enum {
    MODE_TRANSFER = 0x0C,
    MODE_VERIFY = 0x00,
    MODE_WRITE = 0x04, /* to memory */
    MODE_READ = 0x08,
    MODE_AUTOINIT = 0x10,
    MODE_DECREMENT = 0x20,
    MODE_SELECT = 0xC0,
    MODE_CASCADE = 0xC0,
};

static const struct state_field channel_state[] = {
    STATE_UINT(struct dma8237_channel, base_address),
    STATE_UINT(struct dma8237_channel, base_count),
    STATE_UINT(struct dma8237_channel, address),
    STATE_UINT(struct dma8237_channel, count),
    STATE_UINT(struct dma8237_channel, mode),
    STATE_FIELDS_END,
};

static const struct state_field unit_state[] = {
    STATE_STRUCTS(struct dma8237_unit, channel, channel_state),
    STATE_UINT(struct dma8237_unit, command),
    STATE_LIMIT(struct dma8237_unit, mask, 0x0F, .reset = 0x0F),
    STATE_LIMIT(struct dma8237_unit, request, 0x0F),
    STATE_LIMIT(struct dma8237_unit, reached, 0x0F),
    STATE_BOOL(struct dma8237_unit, high_byte),
    STATE_FIELDS_END,
};

static const struct state_field dma8237_state[] = {
    STATE_STRUCTS(struct dma8237, unit, unit_state),
    STATE_ARRAY(struct dma8237, page),
    STATE_FIELDS_END,
};

static void set_half(uint16_t *reg, bool high, uint8_t byte)
{
    *reg = (uint16_t)(high ? (*reg & 0x00FF) | byte << 8 : (*reg & 0xFF00) | byte);
}

static void master_clear(struct dma8237_unit *u)
{
    u->command = 0;
    u->request = 0;
    u->reached = 0;
    u->high_byte = false;
    u->mask = 0x0F;
}

static uint8_t unit_read(struct dma8237_unit *u, unsigned reg)
{
    uint8_t value = 0;
    if (reg < REG_COMMAND) {
        const struct dma8237_channel *ch = &u->channel[reg / 2];
        uint16_t v = reg & 1 ? ch->count : ch->address;
        value = (uint8_t)(u->high_byte ? v >> 8 : v);
        u->high_byte = !u->high_byte;
        return value;
    }
    switch (reg) {
    case REG_COMMAND:
        value = (uint8_t)(u->reached | u->request << 4);
        u->reached = 0;
        return value;
    case REG_ALL_MASKS: /* PIIX3 4.1.6 */
        return (uint8_t)(0xF0 | u->mask);
    case REG_MASTER_CLEAR: /* the temporary register: no memory-to-memory transfers on a PC */
        return 0;
    default:
        return 0xFF;
    }
}

/* A device that found its channel closed tries again. */
static void tell_users(struct dma8237 *d, unsigned unit)
{
    for (unsigned i = 0; i < 4; i++) {
        const struct dma8237_user *user = &d->user[unit * 4 + i];
        if (user->ready && !(d->unit[unit].mask >> i & 1))
            user->ready(user->opaque);
    }
}

static void unit_write(struct dma8237 *d, unsigned unit, unsigned reg, uint8_t value)
{
    struct dma8237_unit *u = &d->unit[unit];
    uint8_t bit = (uint8_t)(1 << (value & 3));
    if (reg < REG_COMMAND) {
        struct dma8237_channel *ch = &u->channel[reg / 2];
        uint16_t *base = reg & 1 ? &ch->base_count : &ch->base_address;
        set_half(base, u->high_byte, value);
        if (reg & 1)
            set_half(&ch->count, u->high_byte, value);
        else
            set_half(&ch->address, u->high_byte, value);
        u->high_byte = !u->high_byte;
        return;
    }
    switch (reg) {
    case REG_COMMAND:
        u->command = value;
        break;
    case REG_REQUEST:
        u->request = value & 4 ? u->request | bit : u->request & (uint8_t)~bit;
        break;
    case REG_MASK_BIT:
        u->mask = value & 4 ? u->mask | bit : u->mask & (uint8_t)~bit;
        break;
    case REG_MODE:
        u->channel[value & 3].mode = value & 0xFC;
        break;
    case REG_CLEAR_FLIP_FLOP:
        u->high_byte = false;
        break;
    case REG_MASTER_CLEAR:
        master_clear(u);
        break;
    case REG_CLEAR_MASK:
        u->mask = 0;
        break;
    case REG_ALL_MASKS:
        u->mask = value & 0x0F;
        break;
    }
    tell_users(d, unit);
}

static uint64_t low_read(void *opaque, uint64_t offset, unsigned width)
{
    struct dma8237 *d = opaque;
    (void)width;
    return unit_read(&d->unit[0], (unsigned)offset);
}

static void low_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct dma8237 *d = opaque;
    (void)width;
    unit_write(d, 0, (unsigned)offset, (uint8_t)value);
}

/* The word controller hangs on address lines 1 to 4: each register appears twice. */
static uint64_t high_read(void *opaque, uint64_t offset, unsigned width)
{
    struct dma8237 *d = opaque;
    (void)width;
    return unit_read(&d->unit[1], (unsigned)offset / 2);
}

static void high_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct dma8237 *d = opaque;
    (void)width;
    unit_write(d, 1, (unsigned)offset / 2, (uint8_t)value);
}

static uint64_t page_read(void *opaque, uint64_t offset, unsigned width)
{
    const struct dma8237 *d = opaque;
    (void)width;
    return d->page[1 + offset];
}

static void page_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct dma8237 *d = opaque;
    (void)width;
    d->page[1 + offset] = (uint8_t)value;
}

static const struct io_ops low_ops = {.widths = 1, .read = low_read, .write = low_write};
static const struct io_ops high_ops = {.widths = 1, .read = high_read, .write = high_write};
static const struct io_ops page_ops = {.widths = 1, .read = page_read, .write = page_write};

/* Guest-physical address of a channel's present unit. Only the 16-bit counter moves: a transfer
 * wraps within its 64 KiB page (128 KiB for words). */
static uint64_t unit_address(const struct dma8237 *d, unsigned channel)
{
    static const uint8_t page_port[8] = {0x7, 0x3, 0x1, 0x2, 0xF, 0xB, 0x9, 0xA};
    uint64_t page = d->page[page_port[channel]];
    uint16_t address = d->unit[channel / 4].channel[channel % 4].address;
    if (channel < 4)
        return page << 16 | address;
    return (page & 0xFE) << 16 | (uint64_t)address << 1;
}

/* Units that lie in one piece of memory from the present address on (downward with decrement), at
 * most `left`. */
static size_t contiguous(const struct dma8237_channel *ch, size_t left)
{
    const size_t at = ch->address, to_wrap = ch->mode & MODE_DECREMENT ? at + 1 : 0x10000 - at;
    return left < to_wrap ? left : to_wrap;
}

static void reverse(uint8_t *to, const uint8_t *from, size_t units, size_t unit)
{
    for (size_t i = 0; i < units; i++)
        memcpy(to + i * unit, from + (units - 1 - i) * unit, unit);
}

/* Moves n units, which lie in one piece, to or from `at`. */
static void move_up(struct dma8237 *d, unsigned channel, uint8_t *at, size_t bytes, bool to_memory)
{
    if (to_memory)
        dma_write(d->dma, unit_address(d, channel), at, bytes);
    else
        dma_read(d->dma, unit_address(d, channel), at, bytes);
}

/* The same downward in memory, in pieces of a small buffer. Returns how many units were moved. */
static size_t move_down(struct dma8237 *d, unsigned channel, uint8_t *at, size_t n, bool to_memory)
{
    uint8_t piece[512];
    const size_t unit = channel < 4 ? 1 : 2;
    const size_t units = n < sizeof(piece) / unit ? n : sizeof(piece) / unit;
    const uint64_t first = unit_address(d, channel) - (units - 1) * unit;
    if (to_memory) {
        reverse(piece, at, units, unit);
        dma_write(d->dma, first, piece, units * unit);
    } else {
        dma_read(d->dma, first, piece, units * unit);
        reverse(at, piece, units, unit);
    }
    return units;
}

/* The channel's mode if a device may use it now in that direction, else -1. */
static int open_mode(const struct dma8237 *d, unsigned channel, bool to_memory)
{
    if (channel > 7 || channel == 4)
        return -1;
    const struct dma8237_unit *u = &d->unit[channel / 4];
    const struct dma8237_channel *ch = &u->channel[channel % 4];
    const uint8_t kind = ch->mode & MODE_TRANSFER;
    if ((u->command & COMMAND_DISABLE) || (u->mask >> (channel % 4) & 1) ||
        (ch->mode & MODE_SELECT) == MODE_CASCADE)
        return -1;
    return kind == MODE_VERIFY || kind == (to_memory ? MODE_WRITE : MODE_READ) ? ch->mode : -1;
}

void dma8237_connect(struct dma8237 *d, unsigned channel, void (*ready)(void *opaque), void *opaque)
{
    if (channel < 8)
        d->user[channel] = (struct dma8237_user){ready, opaque};
}

size_t dma8237_left(const struct dma8237 *d, unsigned channel, bool to_memory)
{
    if (open_mode(d, channel, to_memory) < 0)
        return 0;
    return ((size_t)d->unit[channel / 4].channel[channel % 4].count + 1) * (channel < 4 ? 1 : 2);
}

struct dma8237_result dma8237_transfer(struct dma8237 *d, unsigned channel, void *buf, size_t len,
                                       bool to_memory)
{
    struct dma8237_result result = {0};
    const int mode = open_mode(d, channel, to_memory);
    if (mode < 0)
        return result;
    struct dma8237_unit *u = &d->unit[channel / 4];
    struct dma8237_channel *ch = &u->channel[channel % 4];
    const uint8_t bit = (uint8_t)(1 << (channel % 4));
    const size_t unit = channel < 4 ? 1 : 2;
    size_t units = len / unit;
    if (units > (size_t)ch->count + 1)
        units = (size_t)ch->count + 1;
    for (size_t done = 0, n; done < units; done += n) {
        uint8_t *at = (uint8_t *)buf + done * unit;
        n = contiguous(ch, units - done);
        if ((mode & MODE_TRANSFER) != MODE_VERIFY) {
            if (mode & MODE_DECREMENT)
                n = move_down(d, channel, at, n, to_memory);
            else
                move_up(d, channel, at, n * unit, to_memory);
        }
        ch->address = (uint16_t)(mode & MODE_DECREMENT ? ch->address - n : ch->address + n);
    }
    result.moved = units * unit;
    result.terminal_count = units == (size_t)ch->count + 1;
    ch->count = (uint16_t)(ch->count - units);
    if (result.terminal_count) {
        u->reached |= bit;
        u->request &= (uint8_t)~bit;
        if (mode & MODE_AUTOINIT) {
            ch->address = ch->base_address;
            ch->count = ch->base_count;
        } else {
            u->mask |= bit;
        }
    }
    return result;
}

static void dma8237_destroy(struct device *device)
{
    struct dma8237 *d = (struct dma8237 *)device;
    bus_unmap(d->bus, &d->low);
    bus_unmap(d->bus, &d->high);
    bus_unmap(d->bus, &d->pages);
    free(d);
}

static const struct device_class dma8237_class = {
    .name = "dma8237",
    .version = 1,
    .state = dma8237_state,
    .destroy = dma8237_destroy,
};

struct dma8237 *dma8237_realize(struct bus *bus, struct dma *dma, struct device_list *devices,
                                struct err *err)
{
    struct dma8237 *d = calloc(1, sizeof(*d));
    if (!d) {
        err_set(err, "dma8237: out of memory");
        return NULL;
    }
    d->bus = bus;
    d->dma = dma;
    io_region_init(&d->low, "DMA 1", &low_ops, d);
    io_region_init(&d->high, "DMA 2", &high_ops, d);
    io_region_init(&d->pages, "DMA pages", &page_ops, d);
    /* Port 80h, the page register nothing uses, shows POST codes: left unclaimed, it costs no
     * exit to us. */
    if (!bus_map(bus, &d->low, IO_PORT, 0x00, 16, err) ||
        !bus_map(bus, &d->high, IO_PORT, 0xC0, 32, err) ||
        !bus_map(bus, &d->pages, IO_PORT, 0x81, 15, err)) {
        dma8237_destroy(&d->device);
        return NULL;
    }
    device_add(devices, &d->device, &dma8237_class, "0");
    return d;
}
