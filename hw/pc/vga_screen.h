/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vga_screen: a VGA core's picture on the display: what changed since the last look, drawn by
 * vga_draw. Keeps no account while nobody watches.
 */
#ifndef HW_PC_VGA_SCREEN_H
#define HW_PC_VGA_SCREEN_H

#include <stdbool.h>

#include "hw/pc/vga_core.h"
#include "hw/pc/vga_draw.h"

struct display;

struct vga_screen {
    struct vga_core *core;
    struct display *display;
    struct vga_painter painter;
    unsigned long *dirty;
    bool tracking;
    /* What the chip shows at this moment (vga_core_frame says how `blank` is meant), and what lies
     * over it. */
    void (*frame)(void *opaque, const struct vga_frame *blank, struct vga_frame *frame,
                  struct vga_overlay *overlay);
    void *opaque;
};

/* What a card is before it has a place on a bus: creates `vram_bytes` of video memory, prepares the
 * core on it, and the core's screen. hv, clock and core outlive the screen. False and *err: no
 * memory; vga_screen_destroy and vga_core_destroy may be called all the same. */
bool vga_screen_init(struct vga_screen *screen, struct vga_core *core, struct hypervisor *hv,
                     struct clock *clock, uint32_t vram_bytes,
                     void (*frame)(void *opaque, const struct vga_frame *blank,
                                   struct vga_frame *frame, struct vga_overlay *overlay),
                     void *opaque, struct err *err);
/* Becomes the display's source; NULL: nobody can look. */
void vga_screen_connect(struct vga_screen *screen, struct display *display);
void vga_screen_destroy(struct vga_screen *screen);

/* After a load: nothing drawn so far is true. */
void vga_screen_forget(struct vga_screen *screen);
/* After an access that may show. */
void vga_screen_touched(struct vga_screen *screen);

#endif
