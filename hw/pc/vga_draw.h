/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vga_draw: from what a VGA's registers mean and the bytes of its memory to pixels of the display's
 * surface. Knows no register: vga.c (and any chip built on it) fills a struct vga_frame.
 *
 * Video memory is an array of 32-bit cells, one byte of each of the four planes: plane p of cell c
 * is byte 4*c + p. Little-endian.
 */
#ifndef HW_PC_VGA_DRAW_H
#define HW_PC_VGA_DRAW_H

#include <stdbool.h>
#include <stdint.h>

struct display;

enum vga_kind {
    VGA_BLANK,    /* the screen is off */
    VGA_TEXT,     /* character (plane 0), attribute (1), font (2) */
    VGA_PLANAR,   /* 8 pixels of 4 bits a cell, a bit from each plane */
    VGA_CGA,      /* 8 pixels of 4 bits a cell, bit pairs from planes 0,2 then 1,3 */
    VGA_PACKED,   /* 4 pixels of 8 bits a cell, each two dots wide */
    VGA_LINEAR8,  /* a byte a pixel, through the palette */
    VGA_LINEAR15, /* 1:5:5:5 */
    VGA_LINEAR16, /* 5:6:5 */
    VGA_LINEAR24, /* blue, green, red bytes */
    VGA_LINEAR32, /* blue, green, red bytes, one unused */
};

/* The most pixels a guest can make us draw (128 MiB of surface); taller frames are cut. */
#define VGA_MAX_PIXELS (32u << 20)

struct vga_frame {
    /* Linear kinds: bytes. Addresses are taken modulo `wrap`, a power of two. */
    uint64_t start, wrap;
    uint32_t pitch;

    uint32_t kind;
    uint32_t width, height; /* of the surface */
    uint32_t palette[256];  /* x8r8g8b8; the first 16 for text, planar and CGA */

    /* All kinds. */
    uint32_t max_row;     /* last scan line of a character row, 0..31 */
    uint32_t line_repeat; /* 1, or 2 for double scan */
    uint32_t split;       /* line compare: after this scan line the address starts again at 0 */

    /* The kinds that are not linear: cells. Addresses are taken modulo cell_mask + 1. */
    uint32_t cell_start, cell_pitch, cell_mask;
    uint32_t columns;        /* cells a line */
    uint32_t first_row;      /* preset row scan */
    uint32_t dot_repeat;     /* 1, or 2 if the dot clock is halved */
    uint32_t pan, split_pan; /* dots to the left, above and below the split */
    uint32_t row_bit[2];     /* cell address bits replaced by row scan bits 0, 1; 0: none */
    uint32_t plane_mask;     /* colour plane enable, 0..15 */
    uint32_t cell_dots;      /* text: 8 or 9 */
    uint32_t font[2];        /* text: cell of each font (attribute bit 3 = 0, 1) */
    uint32_t line_graphics;  /* text: ninth dot of C0h..DFh repeats the eighth */
    uint32_t underline;      /* text: row of the underline, or 32 */
    uint32_t blink;          /* text: attribute bit 7 blinks instead of background intensity */
    uint32_t cursor_first, cursor_last; /* text: rows; first > last: no cursor */

    /* What changes without a redraw of everything. */
    uint32_t cursor_cell; /* address, or UINT32_MAX */
    uint32_t phase_on;    /* the half of the blink period in which things are visible */
};

/* A small square over a picture in graphics: a chip's hardware cursor. */
#define VGA_OVERLAY_MAX 64
enum vga_overlay_pixel { OVERLAY_CLEAR, OVERLAY_INVERTS, OVERLAY_COLOUR0, OVERLAY_COLOUR1 };
struct vga_overlay {
    uint32_t size; /* 0: there is none; up to VGA_OVERLAY_MAX */
    uint32_t x, y; /* of the upper left corner; what lies outside the picture is not seen */
    uint32_t colour[2];
    uint8_t pixel[VGA_OVERLAY_MAX * VGA_OVERLAY_MAX]; /* size * size of them */
};

struct vga_painter {
    /* What was drawn last. */
    struct vga_frame last;
    struct vga_overlay last_overlay;
    bool valid;
    uint32_t *shadow; /* VGA_SHADOW_CELLS text cells as last drawn */

    struct vga_overlay overlay; /* to be filled by the chip before vga_draw */
};

#define VGA_SHADOW_CELLS 32768

bool vga_painter_init(struct vga_painter *painter);
void vga_painter_destroy(struct vga_painter *painter);

/*
 * Brings the display's surface up to date with `frame` and reports what changed. `dirty` has one
 * bit per 4096 bytes of video memory, set where it may have been written since the last call; NULL:
 * everywhere (text looks at the cells themselves). `redraw`: all of the screen, whatever changed.
 * Never reads outside vram[0..vram_bytes).
 */
void vga_draw(struct vga_painter *painter, const struct vga_frame *frame, const uint8_t *vram,
              uint64_t vram_bytes, const unsigned long *dirty, bool redraw,
              struct display *display);

/* How many bytes from the start of video memory the frame can show (for dirty tracking); 0: text
 * and blank screens need none. */
uint64_t vga_frame_extent(const struct vga_frame *frame);

#endif
