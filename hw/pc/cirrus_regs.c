/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cirrus_regs: the CL-GD5446's registers. Cirrus Logic, CL-GD5446 Technical Reference Manual
 * (1996): chapters "VGA Sequencer / Graphics Controller / CRT Controller Registers" and
 * "Extension Registers" (SR6-SR1F, GR9-GR39, CR19-CR27, HDR).
 */
#include "hw/pc/cirrus_int.h"

#include <string.h>

#define PORT_ATTR_INDEX 0x3C0
#define PORT_SEQ_INDEX  0x3C4
#define PORT_SEQ        0x3C5
#define PORT_DAC_MASK   0x3C6
#define PORT_DAC_READ   0x3C7
#define PORT_DAC_WRITE  0x3C8
#define PORT_DAC        0x3C9
#define PORT_GFX_INDEX  0x3CE
#define PORT_GFX        0x3CF

#define SEQ_VGA    5    /* registers of the sequencer that are the VGA's */
#define UNLOCKED   0x12 /* SR6 */
#define LOCKED     0x0F
#define CHIP_ID    0xB8 /* CR27: CL-GD5446 */
#define DDC_OUT    0x03 /* SR8: clock and data as driven … */
#define DDC_CLOCK  0x04 /* … and as they are */
#define DDC_DATA   0x80
#define HDR_READS  4
#define MMIO_PORTS 0x20 /* BAR 1: ports 3C0h-3DFh */

#define BLT_BUSY  0x01
#define BLT_START 0x02
#define BLT_RESET 0x04
#define BLT_FIFO  0x10
#define BLT_AUTO  0x80 /* GR2A's write starts */

/* BLT ------------------------------------------------------------------------------------- */

void cirrus_blt_status(struct cirrus *c)
{
    if (c->blt.phase == CIRRUS_BLT_IDLE)
        c->gfx[GFX_BLT_STATUS] &= (uint8_t) ~(BLT_BUSY | BLT_START | BLT_FIFO);
}

static void start_blt(struct cirrus *c)
{
    vga_reach_all(&c->core);
    c->gfx[GFX_BLT_STATUS] |= BLT_BUSY;
    cirrus_blt_start(&c->blt, &c->core, c->gfx);
    cirrus_blt_status(c);
}

static void write_blt_status(struct cirrus *c, uint8_t value)
{
    uint8_t old = c->gfx[GFX_BLT_STATUS];
    c->gfx[GFX_BLT_STATUS] = (uint8_t)((value & ~BLT_BUSY) | (old & BLT_BUSY));
    if ((old & BLT_RESET) && !(value & BLT_RESET)) {
        cirrus_blt_reset(&c->blt);
        cirrus_blt_status(c);
    } else if (!(old & BLT_START) && (value & BLT_START)) {
        start_blt(c);
    }
}

/* Indexed registers ----------------------------------------------------------------------- */

void cirrus_registers_changed(struct cirrus *c)
{
    if ((c->seq[SEQ_EXTENDED_MODE] & SEQ7_LINEAR) || (c->crtc[CRTC_EXTENDED_DISPLAY] & CR1B_WRAP))
        vga_reach_all(&c->core);
    /* Not what the manual says of SR1 bit 5; but the VGA BIOS that all guests are given sets it
     * with each of its extended modes, and never clears it. */
    c->core.always_on = c->seq[SEQ_EXTENDED_MODE] & SEQ7_LINEAR;
    bool wide = c->crtc[CRTC_EXTENDED_DISPLAY] & CR1B_WRAP;
    c->core.cell_mask = wide ? c->core.vram_bytes / 4 - 1 : 0xFFFF;
    cirrus_aperture_update(c);
}

static uint8_t read_seq(const struct cirrus *c)
{
    unsigned index = c->seq_index & (CIRRUS_SEQ_COUNT - 1);
    uint8_t v = c->seq[index];
    if (index < SEQ_VGA)
        return c->core.seq[index];
    /* Nothing is on the monitor's wires but the pull-ups: they are as we drive them. */
    if (index == SEQ_DDC)
        return (uint8_t)((v & ~(DDC_CLOCK | DDC_DATA)) | (v & 0x01 ? DDC_CLOCK : 0) |
                         (v & 0x02 ? DDC_DATA : 0));
    return v;
}

static void write_seq(struct cirrus *c, uint8_t value)
{
    unsigned index = c->seq_index & (CIRRUS_SEQ_COUNT - 1);
    switch (index) {
    case 0x05:
        return;
    case SEQ_UNLOCK:
        value = (value & 0x17) == UNLOCKED ? UNLOCKED : LOCKED;
        break;
    case SEQ_CURSOR_X: /* the index's upper bits are the position's lowest */
        c->cursor_x = (uint16_t)(value << 3 | c->seq_index >> 5);
        break;
    case SEQ_CURSOR_Y:
        c->cursor_y = (uint16_t)(value << 3 | c->seq_index >> 5);
        break;
    case SEQ_CONFIGURATION: /* the bus and what is strapped */
        value = (uint8_t)((c->seq[index] & 0x38) | (value & 0xC7));
        break;
    default:
        break;
    }
    if (index < SEQ_VGA)
        vga_port_write(&c->core, PORT_SEQ, value);
    else
        c->seq[index] = value;
    if (index == SEQ_EXTENDED_MODE || index == SEQ_CONFIGURATION)
        cirrus_registers_changed(c);
}

/* Bits that exist: widths, pitches and addresses of the BLT. */
static uint8_t gfx_mask(unsigned index)
{
    switch (index) {
    case 0x05:
        return 0x7F;
    case 0x21:
    case 0x25:
    case 0x27:
        return 0x1F;
    case 0x23:
        return 0x07;
    case 0x2A:
    case 0x2E:
        return 0x3F;
    default:
        return 0xFF;
    }
}

static uint8_t read_gfx(const struct cirrus *c, unsigned index)
{
    if (index < VGA_GFX_COUNT && index > 1 && index != GFX_MODE)
        return c->core.gfx[index];
    return index < CIRRUS_GFX_COUNT ? c->gfx[index] : 0xFF;
}

/* GR0, GR1 and GR5 are wider than the VGA's, which has its part of them. */
static void write_gfx(struct cirrus *c, unsigned index, uint8_t value)
{
    if (index >= CIRRUS_GFX_COUNT)
        return;
    if (index < VGA_GFX_COUNT) {
        uint8_t was = c->core.gfx_index;
        vga_port_write(&c->core, PORT_GFX_INDEX, (uint8_t)index);
        vga_port_write(&c->core, PORT_GFX, value);
        c->core.gfx_index = was;
    }
    if (index == GFX_BLT_STATUS) {
        write_blt_status(c, value);
    } else {
        c->gfx[index] = value & gfx_mask(index);
        if (index == GFX_BLT_DST_2 && (c->gfx[GFX_BLT_STATUS] & BLT_AUTO) &&
            c->blt.phase == CIRRUS_BLT_IDLE)
            start_blt(c);
    }
    if (index == GFX_MODE || index == GFX_EXTENSIONS || index == GFX_BLT_STATUS ||
        index == GFX_BLT_DST_2)
        cirrus_registers_changed(c);
}

static uint8_t read_crtc(const struct cirrus *c)
{
    unsigned index = c->core.crtc_index;
    switch (index) {
    case CRTC_LATCHES:
        return (uint8_t)(c->core.latch >> (8 * (c->core.gfx[GFX_READ_MAP] & 3)));
    case CRTC_ATTR_TOGGLE:
        return c->core.attr_is_data ? 0x80 : 0;
    case CRTC_ATTR_INDEX:
        return c->core.attr_index & 0x3F;
    case CRTC_ID:
        return CHIP_ID;
    default:
        return index < CIRRUS_CRTC_COUNT ? c->crtc[index] : 0;
    }
}

/* DAC ------------------------------------------------------------------------------------- */

/* The register behind the pixel mask: four reads of that, then it is there once. */
static uint8_t read_mask(struct cirrus *c)
{
    if (c->hidden_reads < HDR_READS) {
        c->hidden_reads++;
        return c->core.dac_mask;
    }
    c->hidden_reads = 0;
    return c->hidden_dac;
}

static void write_mask(struct cirrus *c, uint8_t value)
{
    if (c->hidden_reads == HDR_READS)
        c->hidden_dac = value;
    else
        vga_port_write(&c->core, PORT_DAC_MASK, value);
    c->hidden_reads = 0;
}

/* The cursor's colours have the DAC's indexes. */
static uint8_t read_cursor_colour(struct cirrus *c)
{
    struct vga_core *core = &c->core;
    uint8_t v = c->colours[(core->dac_read & 15) * 3 + core->dac_part];
    if (++core->dac_part == 3) {
        core->dac_part = 0;
        core->dac_read++;
    }
    return v;
}

static void write_cursor_colour(struct cirrus *c, uint8_t value)
{
    struct vga_core *core = &c->core;
    if (core->dac_part < 2) {
        core->dac_part_values[core->dac_part++] = value & 0x3F;
        return;
    }
    uint8_t *colour = &c->colours[(core->dac_write & 15) * 3];
    memcpy(colour, core->dac_part_values, 2);
    colour[2] = value & 0x3F;
    core->dac_part = 0;
    core->dac_write++;
}

/* Ports ----------------------------------------------------------------------------------- */

static bool is_crtc(const struct cirrus *c, uint16_t port)
{
    return port == (c->core.misc & 1 ? 0x3D5 : 0x3B5);
}

uint8_t cirrus_port_read(void *opaque, uint16_t port)
{
    struct cirrus *c = opaque;
    if (port >= PORT_DAC_READ && port <= PORT_DAC)
        c->hidden_reads = 0;
    switch (port) {
    case PORT_SEQ_INDEX:
        return c->seq_index;
    case PORT_SEQ:
        return read_seq(c);
    case PORT_DAC_MASK:
        return read_mask(c);
    case PORT_GFX_INDEX:
        return c->gfx_index;
    case PORT_GFX:
        return read_gfx(c, c->gfx_index);
    default:
        break;
    }
    if (port == PORT_DAC && (c->seq[SEQ_CURSOR] & SEQ12_COLOURS))
        return read_cursor_colour(c);
    if (is_crtc(c, port) && c->core.crtc_index >= VGA_CRTC_COUNT)
        return read_crtc(c);
    return vga_port_read(&c->core, port);
}

static void write_port(struct cirrus *c, uint16_t port, uint8_t value)
{
    if (port >= PORT_DAC_READ && port <= PORT_DAC)
        c->hidden_reads = 0;
    switch (port) {
    case PORT_SEQ_INDEX:
        c->seq_index = value;
        vga_port_write(&c->core, port, value & (VGA_SEQ_COUNT - 1));
        return;
    case PORT_SEQ:
        write_seq(c, value);
        return;
    case PORT_DAC_MASK:
        write_mask(c, value);
        return;
    case PORT_GFX_INDEX:
        c->gfx_index = value & (CIRRUS_GFX_COUNT - 1);
        return;
    case PORT_GFX:
        write_gfx(c, c->gfx_index, value);
        return;
    default:
        break;
    }
    if (port == PORT_DAC && (c->seq[SEQ_CURSOR] & SEQ12_COLOURS)) {
        write_cursor_colour(c, value);
    } else if (is_crtc(c, port) && c->core.crtc_index >= VGA_CRTC_COUNT) {
        if (c->core.crtc_index < CIRRUS_CRTC_COUNT)
            c->crtc[c->core.crtc_index] = value;
        cirrus_registers_changed(c);
    } else {
        vga_port_write(&c->core, port, value);
    }
}

void cirrus_port_write(void *opaque, uint16_t port, uint8_t value)
{
    struct cirrus *c = opaque;
    write_port(c, port, value);
    vga_screen_touched(&c->screen);
}

/* Registers in memory --------------------------------------------------------------------- */

/* TRM, "Memory-mapped I/O": the graphics controller's register at each offset, or none. */
static const uint8_t blt_registers[0x22] = {
    0x00, 0x10, 0x12, 0x14, 0x01, 0x11, 0x13, 0x15, 0x20, 0x21, 0x22, 0x23,
    0x24, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2A, 0xFF, 0x2C, 0x2D, 0x2E, 0x2F,
    0x30, 0xFF, 0x32, 0x33, 0x34, 0x35, 0xFF, 0xFF, 0x38, 0x39,
};
#define BLT_STATUS_OFFSET 0x40

static unsigned blt_register(uint32_t offset)
{
    if (offset == BLT_STATUS_OFFSET)
        return GFX_BLT_STATUS;
    return offset < sizeof(blt_registers) ? blt_registers[offset] : 0xFF;
}

uint8_t cirrus_blt_register_read(const struct cirrus *c, uint32_t offset)
{
    return read_gfx(c, blt_register(offset));
}

void cirrus_blt_register_write(struct cirrus *c, uint32_t offset, uint8_t value)
{
    write_gfx(c, blt_register(offset), value);
}

static uint64_t mmio_read(void *opaque, uint64_t offset, unsigned width)
{
    struct cirrus *c = opaque;
    uint64_t v = 0;
    for (unsigned i = 0; i < width; i++) {
        uint64_t at = offset + i;
        uint8_t byte = 0xFF;
        if (at < MMIO_PORTS)
            byte = cirrus_port_read(c, (uint16_t)(0x3C0 + at));
        else if (at >= CIRRUS_MMIO_BLT && at < 2 * CIRRUS_MMIO_BLT)
            byte = cirrus_blt_register_read(c, (uint32_t)(at - CIRRUS_MMIO_BLT));
        v |= (uint64_t)byte << (8 * i);
    }
    return v;
}

static void mmio_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct cirrus *c = opaque;
    for (unsigned i = 0; i < width; i++) {
        uint64_t at = offset + i;
        uint8_t byte = (uint8_t)(value >> (8 * i));
        if (at < MMIO_PORTS)
            write_port(c, (uint16_t)(0x3C0 + at), byte);
        else if (at >= CIRRUS_MMIO_BLT && at < 2 * CIRRUS_MMIO_BLT)
            cirrus_blt_register_write(c, (uint32_t)(at - CIRRUS_MMIO_BLT), byte);
    }
    vga_screen_touched(&c->screen);
}

const struct io_ops cirrus_mmio_ops = {.widths = 1 | 2 | 4, .read = mmio_read, .write = mmio_write};

/* Values that a BIOS and drivers find: 4 MiB in 64-bit DRAM, on PCI. */
void cirrus_power_on(struct cirrus *c)
{
    c->seq[SEQ_UNLOCK] = LOCKED;
    c->seq[SEQ_DRAM] = 0x98;
    c->seq[SEQ_MEMORY_SIZE] = 0x04;
    c->seq[SEQ_CONFIGURATION] = 0x20;
    c->seq[SEQ_MCLK] = 0x2D;
    c->gfx[GFX_DRAM_TIMING] = 0x0F;
    cirrus_registers_changed(c);
}
