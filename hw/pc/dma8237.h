/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dma8237: the two DMA controllers of the ISA bus with their page registers. Intel 8237A data sheet
 * (1993); the PC's wiring from Intel 82371SB (PIIX3) data sheet, section 4.1.
 */
#ifndef HW_PC_DMA8237_H
#define HW_PC_DMA8237_H

#include <stddef.h>

#include "hw/core/bus.h"
#include "hw/core/device.h"
#include "hw/core/dma.h"
#include "hw/core/err.h"

struct dma8237_channel {
    uint16_t base_address, base_count;
    uint16_t address, count; /* count: units left less one; FFFF after the last */
    uint8_t mode;            /* bits 2..7 of the mode register */
};

struct dma8237_unit {
    struct dma8237_channel channel[4];
    uint8_t command, mask, request;
    uint8_t reached; /* terminal counts since the status was read, one bit a channel */
    bool high_byte;  /* the flip-flop: the next byte is the high one */
};

/* Who is at a channel's request line. */
struct dma8237_user {
    void (*ready)(void *opaque);
    void *opaque;
};

struct dma8237 {
    struct device device;
    struct dma8237_unit unit[2]; /* channels 0..3 (bytes) and 4..7 (words) */
    uint8_t page[16];            /* ports 80h..8Fh */
    struct dma8237_user user[8];
    struct bus *bus;
    struct dma *dma;
    struct io_region low, high, pages;
};

/* Creates both at 00h..0Fh and C0h..DFh, page registers at 81h..8Fh. NULL and *err when ports are
 * taken. */
struct dma8237 *dma8237_realize(struct bus *bus, struct dma *dma, struct device_list *devices,
                                struct err *err);

/* Connects a device to `channel` (0..3, 5..7): ready(opaque) is called from within the guest's
 * access that may have let the channel go (unmasked, mode set, controller switched on). */
void dma8237_connect(struct dma8237 *d, unsigned channel, void (*ready)(void *opaque),
                     void *opaque);

/* Bytes that the channel would move now in that direction before its terminal count: 0 if masked,
 * switched off or programmed for the other direction. */
size_t dma8237_left(const struct dma8237 *d, unsigned channel, bool to_memory);

/* What a device's transfer came to. */
struct dma8237_result {
    size_t moved;        /* bytes */
    bool terminal_count; /* the count ran out: the device sees the TC signal */
};

/*
 * A device on `channel` (0..3, 5..7) has its request line up for up to len bytes: moves as many as
 * the channel's count, mask, mode and direction allow. to_memory: the device gives bytes (the mode
 * must say "write"), else it takes them ("read"); in mode "verify" the count runs and buf is left
 * alone. At most 128 KiB are moved; memory that is not RAM reads as ones. On 5..7 len counts whole
 * words.
 */
struct dma8237_result dma8237_transfer(struct dma8237 *d, unsigned channel, void *buf, size_t len,
                                       bool to_memory);

#endif
