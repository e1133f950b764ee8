/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vga_core: the VGA itself, apart from the bus it sits on: its registers as ports (vga_core.c), its
 * memory as the CPU sees it through the window (vga_window.c) and its VBE extensions (vbe.c). vga.c
 * puts it on PCI.
 *
 * IBM PS/2 Hardware Interface Technical Reference (1990), Video Subsystem; J. Neal, FreeVGA
 * project; Bochs VBE display extensions (vbe_display_api.txt, ID B0C5h).
 */
#ifndef HW_PC_VGA_CORE_H
#define HW_PC_VGA_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/core/state.h"
#include "hw/pc/vga_draw.h"

struct clock;
struct hypervisor;

#define VGA_WINDOW      UINT64_C(0xA0000)
#define VGA_WINDOW_SIZE 0x20000u

#define VGA_SEQ_COUNT  8
#define VGA_GFX_COUNT  9
#define VGA_CRTC_COUNT 25
#define VGA_ATTR_COUNT 21

enum { /* sequencer */
       SEQ_RESET,
       SEQ_CLOCKING_MODE,
       SEQ_MAP_MASK,
       SEQ_FONT_SELECT,
       SEQ_MEMORY_MODE,
};

enum { /* graphics controller */
       GFX_SET_RESET,
       GFX_ENABLE_SET_RESET,
       GFX_COLOUR_COMPARE,
       GFX_FUNCTION,
       GFX_READ_MAP,
       GFX_MODE,
       GFX_MISC,
       GFX_COLOUR_CARE,
       GFX_BIT_MASK,
};

enum { /* Bochs VBE */
       VBE_ID,
       VBE_XRES,
       VBE_YRES,
       VBE_BPP,
       VBE_ENABLE,
       VBE_BANK,
       VBE_VIRT_WIDTH,
       VBE_VIRT_HEIGHT,
       VBE_X_OFFSET,
       VBE_Y_OFFSET,
       VBE_MEMORY_64K, /* read only, not stored */
       VBE_COUNT = VBE_MEMORY_64K,
};

#define VBE_ID_FIRST 0xB0C0
#define VBE_ID_LAST  0xB0C5
#define VBE_ENABLED  0x0001
#define VBE_GETCAPS  0x0002
#define VBE_8BIT_DAC 0x0020
#define VBE_NO_CLEAR 0x0080
#define VBE_MAX_XRES 16000
#define VBE_MAX_YRES 12000
#define VBE_MAX_BPP  32

struct vga_core {
    struct hypervisor *hv;
    struct clock *clock;
    uint8_t *vram;
    uint32_t vram_bytes;
    uint32_t vram_reach; /* of these, what may be touched (hv_vram_whole) */

    uint8_t misc, feature; /* miscellaneous output, feature control */
    uint8_t seq_index, seq[VGA_SEQ_COUNT];
    uint8_t gfx_index, gfx[VGA_GFX_COUNT];
    uint8_t crtc_index, crtc[VGA_CRTC_COUNT];
    uint8_t attr_index; /* bit 5: palette address source, 0 blanks the screen */
    bool attr_is_data;  /* what the next write to 3C0h is */
    uint8_t attr[VGA_ATTR_COUNT];
    uint8_t dac_mask, dac_state; /* state: 3 after a read index was set, 0 after a write index */
    uint8_t dac_read, dac_write, dac_part, dac_part_values[2];
    uint8_t dac[256 * 3]; /* as written; the upper two bits count only with VBE_8BIT_DAC */
    uint32_t latch;
    bool display_enable; /* toggles with each read of input status 1 */
    uint32_t retrace;    /* number of the vertical retrace the guest saw last */
    uint16_t vbe_index, vbe[VBE_COUNT];

    /* What a chip built on this one adds. Not saved here. */
    uint32_t bank;      /* added to addresses in the window */
    uint32_t cell_mask; /* where unchained addresses wrap: 0xFFFF or more */
    bool always_on;     /* the sequencer does not turn the screen off */

    /* What the screen needs to know about writes; kept while somebody watches. */
    bool watched;
    bool fonts_changed;
    unsigned long *written; /* one bit per page of video memory */
};

/* The table of the registers above, for the chip that embeds the core. */
extern const struct state_field vga_core_state[];

/* Prepares the core; clock and hv outlive it. False when out of memory. */
bool vga_core_init(struct vga_core *core, struct hypervisor *hv, struct clock *clock, uint8_t *vram,
                   uint32_t vram_bytes);
void vga_core_destroy(struct vga_core *core);

/* Byte accesses to ports 3B0h-3DFh. */
uint8_t vga_port_read(struct vga_core *core, uint16_t port);
void vga_port_write(struct vga_core *core, uint16_t port, uint8_t value);

/* The CPU's view of video memory: len bytes at offset from A0000h, ascending. */
void vga_window_read(struct vga_core *core, uint32_t offset, uint8_t *buf, size_t len);
void vga_window_write(struct vga_core *core, uint32_t offset, const uint8_t *buf, size_t len);

/* To be told of every write to video memory that the chip makes: bytes first..last. */
void vga_memory_written(struct vga_core *core, uint64_t first, uint64_t last);
/* Makes all of video memory reachable, as a VBE mode needs it. Nothing happens the second time. */
void vga_reach_all(struct vga_core *core);

/* VBE registers by index, whatever the index register holds. */
uint16_t vbe_read(const struct vga_core *core, uint16_t index);
void vbe_write(struct vga_core *core, uint16_t index, uint16_t value);
/* Brings the mode's registers into what the hardware allows (after a write, after a load). */
void vbe_fix_mode(struct vga_core *core);
bool vbe_enabled(const struct vga_core *core);
/* Bytes a line, in the modes 4 (four planes) to 32 bits a pixel. */
uint32_t vbe_pitch(const struct vga_core *core);

/* What the screen shows at this moment; a blank one has the size `blank` had. */
void vga_core_frame(const struct vga_core *core, const struct vga_frame *blank,
                    struct vga_frame *frame);

/* The colours of all 256 DAC entries, under the pixel mask. */
void vga_core_palette256(const struct vga_core *core, struct vga_frame *frame);

/* Six bits of a DAC become eight with the lowest repeated: exact at both ends, and what the stock
 * model shows. */
static inline uint32_t vga_expand6(uint8_t v)
{
    uint32_t x = v & 0x3F;
    return x << 2 | (x & 1) * 3;
}

/* 0, 0x55, 0xAA, 0xFF ...: bit n of a nibble as the whole byte n: one value for each plane. */
static inline uint32_t vga_planes(uint32_t nibble)
{
    return (nibble * 0x00204081 & 0x01010101) * 0xFF;
}

#endif
