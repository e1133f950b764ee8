/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cirrus_memory: the CL-GD5446's video memory as the CPU sees it: the window A0000h-BFFFFh and the
 * apertures of BAR 0. CL-GD5446 Technical Reference Manual (1996): GR9-GRB (offsets, write modes),
 * SR7, SR17, PCI10 (linear memory, byte swapping), "System-to-screen BLTs".
 *
 * The first 4 MiB of BAR 0 are guest memory, as the guest's own is: an access to it never comes
 * here. That must not be so while the CPU's accesses mean something else: data of a BLT, write
 * modes 4 and 5, addresses times eight or sixteen, BLT registers in the last 256 bytes. Then the
 * memory is taken away from there and the range is ours (`trapped`). Taking it away costs
 * milliseconds, so it comes back only when it has not been needed for a while.
 */
#include <string.h>

#include "hw/core/log.h"
#include "hw/pc/cirrus_int.h"
#include "hw/xen/hypervisor.h"

#define BANK_SIZE    0x8000u /* the window's halves have an offset each */
#define WINDOW_BANKS 0x10000u
#define WINDOW_BLT   0x18000u /* B8000h */
#define SWAP_16      (4u << 20)
#define SWAPPED_SIZE (8u << 20)
#define BLT_DATA     (16u << 20)
#define BLT_SIZE     (4u << 20)
#define CALM         (10 * NS_PER_MS)

/* One place in video memory --------------------------------------------------------------- */

static bool by_16(const struct cirrus *c)
{
    return (c->gfx[GFX_EXTENSIONS] & (GRB_16 | GRB_MODES)) == (GRB_16 | GRB_MODES);
}

/* Write mode 4 (the ones of a byte become pixels) or 5 (the zeroes too); 0: bytes are bytes. */
static unsigned extended_mode(const struct cirrus *c)
{
    unsigned mode = c->gfx[GFX_MODE] & 7;
    return (c->gfx[GFX_EXTENSIONS] & GRB_MODES) && (mode == 4 || mode == 5) ? mode : 0;
}

static bool is_plain(const struct cirrus *c)
{
    return !by_16(c) && !(c->gfx[GFX_EXTENSIONS] & GRB_BY_8) && !extended_mode(c);
}

/* False: beyond what can be reached now. */
static bool place(const struct cirrus *c, uint64_t at, uint32_t *where)
{
    if (by_16(c))
        at <<= 4;
    else if (c->gfx[GFX_EXTENSIONS] & GRB_BY_8)
        at <<= 3;
    *where = (uint32_t)at & (c->core.vram_bytes - 1);
    return *where < c->core.vram_reach;
}

static uint8_t load_byte(const struct cirrus *c, uint64_t at)
{
    uint32_t where;
    return place(c, at, &where) ? c->core.vram[where] : 0xFF;
}

/* Eight pixels of one or two bytes from the bits of a byte, the highest first: GR0, GR10 are the
 * background, GR1, GR11 the foreground. */
static void store_pixels(struct cirrus *c, uint32_t where, unsigned mode, uint8_t bits)
{
    struct vga_core *core = &c->core;
    uint32_t size = by_16(c) ? 2 : 1, mask = core->vram_reach - 1;
    const uint8_t colour[2][2] = {{c->gfx[0], c->gfx[GFX_BACKGROUND_1]},
                                  {c->gfx[1], c->gfx[GFX_FOREGROUND_1]}};
    if (core->vram_reach != core->vram_bytes)
        return;
    for (uint32_t i = 0; i < 8; i++, bits = (uint8_t)(bits << 1)) {
        if (!(bits & 0x80) && mode == 4)
            continue;
        for (uint32_t k = 0; k < size; k++)
            core->vram[(where + i * size + k) & mask] = colour[bits >> 7][k];
    }
    uint32_t last = where + 8 * size - 1;
    vga_memory_written(core, where, last < core->vram_bytes ? last : core->vram_bytes - 1);
    if (last >= core->vram_bytes)
        vga_memory_written(core, 0, last & mask);
}

static void store_byte(struct cirrus *c, uint64_t at, uint8_t value)
{
    uint32_t where;
    unsigned mode = extended_mode(c);
    if (!place(c, at, &where))
        return;
    if (mode) {
        store_pixels(c, where, mode, value);
    } else {
        c->core.vram[where] = value;
        vga_memory_written(&c->core, where, where);
    }
}

/* Bytes in a row, which do not reach beyond video memory. */
static void load_bytes(const struct cirrus *c, uint64_t at, uint8_t *buf, size_t len)
{
    if (is_plain(c) && at + len <= c->core.vram_reach)
        memcpy(buf, c->core.vram + at, len);
    else
        for (size_t i = 0; i < len; i++)
            buf[i] = load_byte(c, at + i);
}

static void store_bytes(struct cirrus *c, uint64_t at, const uint8_t *buf, size_t len)
{
    if (len && is_plain(c) && at + len <= c->core.vram_reach) {
        memcpy(c->core.vram + at, buf, len);
        vga_memory_written(&c->core, at, at + len - 1);
    } else {
        for (size_t i = 0; i < len; i++)
            store_byte(c, at + i, buf[i]);
    }
}

/* The BLT's data --------------------------------------------------------------------------- */

static bool takes_data(const struct cirrus *c)
{
    return c->blt.phase == CIRRUS_BLT_FROM_CPU;
}

static bool gives_data(const struct cirrus *c)
{
    return c->blt.phase == CIRRUS_BLT_TO_CPU;
}

static void blt_moved_on(struct cirrus *c)
{
    if (c->blt.phase != CIRRUS_BLT_IDLE)
        return;
    cirrus_blt_status(c);
    cirrus_aperture_update(c);
}

static void feed(struct cirrus *c, const uint8_t *buf, size_t len)
{
    cirrus_blt_feed(&c->blt, &c->core, buf, len);
    blt_moved_on(c);
}

static void drain(struct cirrus *c, uint8_t *buf, size_t len)
{
    cirrus_blt_drain(&c->blt, &c->core, buf, len);
    blt_moved_on(c);
}

/* The window A0000h-BFFFFh ------------------------------------------------------------------ */

/* GR9, GRA: what is added to addresses in one half of the first 64 KiB. */
static uint32_t bank_offset(const struct cirrus *c, unsigned half)
{
    uint8_t extensions = c->gfx[GFX_EXTENSIONS];
    bool dual = extensions & GRB_DUAL;
    uint32_t v = c->gfx[dual && half ? GFX_OFFSET_1 : GFX_OFFSET_0];
    v <<= extensions & GRB_16K ? 14 : 12;
    /* The halves of a single bank follow each other; of two, each starts at its own. */
    return v + (half && !dual ? BANK_SIZE : 0);
}

static bool is_linear(const struct cirrus *c)
{
    return c->seq[SEQ_EXTENDED_MODE] & SEQ7_LINEAR;
}

/* BLT registers at B8000h. */
static bool is_register(const struct cirrus *c, uint64_t offset)
{
    return is_linear(c) && (c->seq[SEQ_CONFIGURATION] & SEQ17_MMIO) == 0x04 &&
           offset >= WINDOW_BLT && offset < WINDOW_BLT + CIRRUS_MMIO_BLT;
}

/* What of len bytes at offset lies in the same half, or register, or rest. */
static size_t window_part(const struct cirrus *c, uint64_t offset, size_t len)
{
    size_t left = is_register(c, offset) ? 1 : BANK_SIZE - offset % BANK_SIZE;
    return left < len ? left : len;
}

static void read_bank(struct cirrus *c, uint64_t offset, uint8_t *buf, size_t len)
{
    unsigned half = offset / BANK_SIZE & 1;
    if (is_linear(c)) {
        load_bytes(c, bank_offset(c, half) + offset % BANK_SIZE, buf, len);
        return;
    }
    c->core.bank = bank_offset(c, half) - half * BANK_SIZE;
    vga_window_read(&c->core, (uint32_t)offset, buf, len);
    c->core.bank = 0;
}

static void write_bank(struct cirrus *c, uint64_t offset, const uint8_t *buf, size_t len)
{
    unsigned half = offset / BANK_SIZE & 1;
    if (is_linear(c)) {
        store_bytes(c, bank_offset(c, half) + offset % BANK_SIZE, buf, len);
        return;
    }
    c->core.bank = bank_offset(c, half) - half * BANK_SIZE;
    vga_window_write(&c->core, (uint32_t)offset, buf, len);
    c->core.bank = 0;
}

static void window_get(struct cirrus *c, uint64_t offset, uint8_t *buf, size_t len)
{
    while (len) {
        size_t n = window_part(c, offset, len);
        if (is_register(c, offset))
            *buf = cirrus_blt_register_read(c, (uint32_t)(offset - WINDOW_BLT));
        else if (offset < WINDOW_BANKS && gives_data(c))
            drain(c, buf, n);
        else if (offset < WINDOW_BANKS)
            read_bank(c, offset, buf, n);
        else if (is_linear(c))
            memset(buf, 0xFF, n);
        else
            vga_window_read(&c->core, (uint32_t)offset, buf, n);
        offset += n;
        buf += n;
        len -= n;
    }
}

static void window_put(struct cirrus *c, uint64_t offset, const uint8_t *buf, size_t len)
{
    while (len) {
        size_t n = window_part(c, offset, len);
        if (is_register(c, offset))
            cirrus_blt_register_write(c, (uint32_t)(offset - WINDOW_BLT), *buf);
        else if (offset < WINDOW_BANKS && takes_data(c))
            feed(c, buf, n);
        else if (offset < WINDOW_BANKS)
            write_bank(c, offset, buf, n);
        else if (!is_linear(c))
            vga_window_write(&c->core, (uint32_t)offset, buf, n);
        offset += n;
        buf += n;
        len -= n;
    }
    vga_screen_touched(&c->screen);
}

/* BAR 0 ------------------------------------------------------------------------------------ */

static bool is_linear_register(const struct cirrus *c, uint64_t offset)
{
    return (c->seq[SEQ_CONFIGURATION] & SEQ17_MMIO) == 0x44 &&
           offset >= c->core.vram_bytes - CIRRUS_MMIO_BLT;
}

static void linear_get(struct cirrus *c, uint64_t offset, uint8_t *buf, size_t len)
{
    if (gives_data(c)) {
        drain(c, buf, len);
        return;
    }
    if (!is_linear_register(c, offset + len - 1)) {
        load_bytes(c, offset, buf, len);
        return;
    }
    for (size_t i = 0; i < len; i++, offset++)
        buf[i] = is_linear_register(c, offset)
                     ? cirrus_blt_register_read(c, (uint32_t)offset % CIRRUS_MMIO_BLT)
                     : load_byte(c, offset);
}

static void linear_put(struct cirrus *c, uint64_t offset, const uint8_t *buf, size_t len)
{
    if (takes_data(c))
        feed(c, buf, len);
    else if (!is_linear_register(c, offset + len - 1))
        store_bytes(c, offset, buf, len);
    else
        for (size_t i = 0; i < len; i++, offset++) {
            if (is_linear_register(c, offset))
                cirrus_blt_register_write(c, (uint32_t)offset % CIRRUS_MMIO_BLT, buf[i]);
            else
                store_byte(c, offset, buf[i]);
        }
    vga_screen_touched(&c->screen);
}

/* The second 4 MiB show video memory with the bytes of each word exchanged, the third those of each
 * double word. */
static uint64_t unswapped(uint64_t offset)
{
    return (offset < SWAP_16 ? offset ^ 1 : offset ^ 3) & (SWAP_16 - 1);
}

static void swapped_get(struct cirrus *c, uint64_t offset, uint8_t *buf, size_t len)
{
    for (size_t i = 0; i < len; i++)
        linear_get(c, unswapped(offset + i), buf + i, 1);
}

static void swapped_put(struct cirrus *c, uint64_t offset, const uint8_t *buf, size_t len)
{
    for (size_t i = 0; i < len; i++)
        linear_put(c, unswapped(offset + i), buf + i, 1);
}

static void blt_get(struct cirrus *c, uint64_t offset, uint8_t *buf, size_t len)
{
    (void)offset;
    if (gives_data(c))
        drain(c, buf, len);
    else
        memset(buf, 0xFF, len);
}

static void blt_put(struct cirrus *c, uint64_t offset, const uint8_t *buf, size_t len)
{
    (void)offset;
    if (takes_data(c))
        feed(c, buf, len);
    vga_screen_touched(&c->screen);
}

/* The bus's four forms of an access are two. */
#define MEMORY_OPS(name)                                                                      \
    static uint64_t name##_read(void *opaque, uint64_t offset, unsigned width)                \
    {                                                                                         \
        uint64_t v = 0;                                                                       \
        name##_get(opaque, offset, (uint8_t *)&v, width);                                     \
        return v;                                                                             \
    }                                                                                         \
    static void name##_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)   \
    {                                                                                         \
        name##_put(opaque, offset, (const uint8_t *)&value, width);                           \
    }                                                                                         \
    static uint32_t name##_read_run(void *opaque, uint64_t offset, unsigned width, void *buf, \
                                    uint32_t count)                                           \
    {                                                                                         \
        name##_get(opaque, offset, buf, (size_t)width *count);                                \
        return count;                                                                         \
    }                                                                                         \
    static uint32_t name##_write_run(void *opaque, uint64_t offset, unsigned width,           \
                                     const void *buf, uint32_t count)                         \
    {                                                                                         \
        name##_put(opaque, offset, buf, (size_t)width *count);                                \
        return count;                                                                         \
    }                                                                                         \
    static const struct io_ops name##_ops = {                                                 \
        .widths = 1 | 2 | 4 | 8,                                                              \
        .read = name##_read,                                                                  \
        .write = name##_write,                                                                \
        .read_run = name##_read_run,                                                          \
        .write_run = name##_write_run,                                                        \
    }

MEMORY_OPS(window);
MEMORY_OPS(linear);
MEMORY_OPS(swapped);
MEMORY_OPS(blt);

/* Where BAR 0's memory is ------------------------------------------------------------------ */

static bool must_trap(const struct cirrus *c)
{
    return c->blt.phase != CIRRUS_BLT_IDLE || !is_plain(c) ||
           (c->seq[SEQ_CONFIGURATION] & SEQ17_MMIO) == SEQ17_MMIO;
}

static void map(struct cirrus *c, struct io_region *region, uint64_t offset, uint64_t size)
{
    struct err err;
    if (!bus_map(c->bus, region, IO_MEMORY, c->aperture + offset, size, &err))
        guest_error("cirrus", "%s", err.text);
}

static void show_memory(struct cirrus *c)
{
    bus_unmap(c->bus, &c->linear);
    if (c->trapped || c->aperture == PCI_UNMAPPED)
        hv_vram_move(c->hv, HV_VRAM_PARKED);
    if (c->aperture == PCI_UNMAPPED)
        return;
    if (c->trapped)
        map(c, &c->linear, 0, c->core.vram_bytes);
    else
        hv_vram_move(c->hv, c->aperture);
}

static void calm(void *opaque)
{
    struct cirrus *c = opaque;
    if (!c->trapped || must_trap(c))
        return;
    c->trapped = false;
    show_memory(c);
}

void cirrus_aperture_update(struct cirrus *c)
{
    if (!must_trap(c)) {
        if (c->trapped && !timer_armed(&c->calm))
            timer_arm(&c->calm, clock_now(c->core.clock) + CALM);
        return;
    }
    timer_disarm(&c->calm);
    if (c->trapped)
        return;
    vga_reach_all(&c->core);
    c->trapped = true;
    show_memory(c);
}

void cirrus_aperture_moved(struct pci_device *d, uint64_t where)
{
    struct cirrus *c = (struct cirrus *)d;
    bus_unmap(c->bus, &c->swapped);
    bus_unmap(c->bus, &c->blt_data);
    c->aperture = where;
    show_memory(c);
    if (where == PCI_UNMAPPED)
        return;
    map(c, &c->swapped, SWAP_16, SWAPPED_SIZE);
    map(c, &c->blt_data, BLT_DATA, BLT_SIZE);
}

void cirrus_memory_init(struct cirrus *c)
{
    c->aperture = PCI_UNMAPPED;
    timer_init(&c->calm, c->core.clock, calm, c);
    io_region_init(&c->window, "Cirrus window", &window_ops, c);
    io_region_init(&c->linear, "Cirrus memory", &linear_ops, c);
    io_region_init(&c->swapped, "Cirrus memory, swapped", &swapped_ops, c);
    io_region_init(&c->blt_data, "Cirrus BLT data", &blt_ops, c);
}

void cirrus_memory_reset(struct cirrus *c)
{
    timer_disarm(&c->calm);
    c->trapped = false;
    show_memory(c);
}

void cirrus_memory_destroy(struct cirrus *c)
{
    timer_destroy(&c->calm);
    bus_unmap(c->bus, &c->window);
    bus_unmap(c->bus, &c->linear);
    bus_unmap(c->bus, &c->swapped);
    bus_unmap(c->bus, &c->blt_data);
}
