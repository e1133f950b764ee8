/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cirrus_blt: the CL-GD5446's BitBLT engine: rectangles of video memory (or of bytes from the CPU)
 * combined with others by one of sixteen raster operations. Every address is taken modulo the size
 * of video memory, so nothing a guest programs reaches beyond it, and a BLT has 8,192 bytes by
 * 2,048 lines at most.
 *
 * Cirrus Logic, CL-GD5446 Technical Reference Manual (1996), "BitBLT Engine" and the graphics
 * controller extension registers GR0-GR39.
 */
#ifndef HW_PC_CIRRUS_BLT_H
#define HW_PC_CIRRUS_BLT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/core/state.h"

struct vga_core;

#define CIRRUS_BLT_LINE 8192 /* the widest BLT, bytes */

enum cirrus_blt_phase {
    CIRRUS_BLT_IDLE,
    CIRRUS_BLT_FROM_CPU, /* waits for the source's bytes */
    CIRRUS_BLT_TO_CPU,   /* the CPU takes what would have gone to video memory */
    CIRRUS_BLT_PHASES,
};

struct cirrus_blt {
    /* The registers as they were when it was started: what is written meanwhile is for the next. */
    uint8_t mode, extension, rop;
    uint8_t skip;                /* GR2F */
    uint8_t pixel_bytes;         /* 1..4 */
    uint16_t width;              /* bytes, 1..CIRRUS_BLT_LINE */
    uint16_t lines;              /* still to be done */
    uint32_t dst, src;           /* addresses of the next line */
    uint32_t dst_step, src_step; /* from a line to the next, modulo 2^32 */
    uint32_t foreground, background;
    uint16_t key; /* transparent colour */
    uint8_t row;  /* of the pattern, 0..7 */

    uint8_t phase; /* enum cirrus_blt_phase */
    uint16_t unit; /* bytes that the CPU gives or takes for a line (for a pattern: in all) */
    uint16_t at;   /* of these, how many are done */
    uint8_t line[CIRRUS_BLT_LINE];
};

extern const struct state_field cirrus_blt_state[];

/*
 * Starts the BLT that the graphics controller's registers gr[0..0x39] describe. One within video
 * memory is done on return, one that involves the CPU is in a phase other than CIRRUS_BLT_IDLE.
 */
void cirrus_blt_start(struct cirrus_blt *blt, struct vga_core *core, const uint8_t *gr);

/* Forgets what is under way (GR31 bit 2). */
void cirrus_blt_reset(struct cirrus_blt *blt);

/* In CIRRUS_BLT_FROM_CPU: the next bytes of the source. What comes after the end of the BLT is
 * dropped. */
void cirrus_blt_feed(struct cirrus_blt *blt, struct vga_core *core, const uint8_t *buf, size_t len);

/* In CIRRUS_BLT_TO_CPU: the next bytes of the result; all ones after its end. */
void cirrus_blt_drain(struct cirrus_blt *blt, struct vga_core *core, uint8_t *buf, size_t len);

#endif
