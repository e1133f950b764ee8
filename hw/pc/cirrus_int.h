/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cirrus_int: what the files of the CL-GD5446 share: cirrus.c (PCI, life), cirrus_regs.c
 * (registers), cirrus_memory.c (video memory as the CPU sees it), cirrus_screen.c (the picture).
 */
#ifndef HW_PC_CIRRUS_INT_H
#define HW_PC_CIRRUS_INT_H

#include "hw/core/bus.h"
#include "hw/core/clock.h"
#include "hw/pc/cirrus_blt.h"
#include "hw/pc/pci.h"
#include "hw/pc/vga_core.h"
#include "hw/pc/vga_ports.h"
#include "hw/pc/vga_screen.h"

#define CIRRUS_SEQ_COUNT      32
#define CIRRUS_GFX_COUNT      64
#define CIRRUS_CRTC_COUNT     32
#define CIRRUS_CURSOR_COLOURS 16

enum { /* sequencer, beyond the VGA's */
       SEQ_UNLOCK = 0x06,
       SEQ_EXTENDED_MODE = 0x07,
       SEQ_DDC = 0x08,
       SEQ_DRAM = 0x0F,
       SEQ_CURSOR_X = 0x10,
       SEQ_CURSOR_Y = 0x11,
       SEQ_CURSOR = 0x12,
       SEQ_CURSOR_PATTERN = 0x13,
       SEQ_MEMORY_SIZE = 0x15,
       SEQ_CONFIGURATION = 0x17,
       SEQ_MCLK = 0x1F,
};

enum { /* graphics controller */
       GFX_OFFSET_0 = 0x09,
       GFX_OFFSET_1 = 0x0A,
       GFX_EXTENSIONS = 0x0B,
       GFX_BACKGROUND_1 = 0x10,
       GFX_FOREGROUND_1 = 0x11,
       GFX_DRAM_TIMING = 0x18,
       GFX_BLT_DST_2 = 0x2A,
       GFX_BLT_STATUS = 0x31,
};

enum { /* CRT controller, beyond the VGA's */
       CRTC_INTERLACE = 0x1A,
       CRTC_EXTENDED_DISPLAY = 0x1B,
       CRTC_OVERLAY = 0x1D,
       CRTC_LATCHES = 0x22,
       CRTC_ATTR_TOGGLE = 0x24,
       CRTC_ATTR_INDEX = 0x26,
       CRTC_ID = 0x27,
};

#define SEQ7_LINEAR   0x01 /* addresses and pixels are those of the extended modes */
#define SEQ12_CURSOR  0x01
#define SEQ12_COLOURS 0x02 /* the DAC's ports reach the cursor's colours */
#define SEQ12_LARGE   0x04
#define SEQ17_MMIO    0x44 /* 04h: BLT registers at B8000h; 44h: at the end of video memory */
#define GRB_DUAL      0x01
#define GRB_BY_8      0x02
#define GRB_MODES     0x04 /* write modes 4 and 5 */
#define GRB_16        0x10 /* … on pixels of 16 bits */
#define GRB_16K       0x20
#define CR1B_WRAP     0x02 /* addresses beyond 256 KiB */

#define CIRRUS_MMIO_BLT 0x100 /* bytes of the BLT's registers in memory */

struct cirrus {
    struct pci_device pci;
    struct vga_core core;
    struct cirrus_blt blt;
    /* Registers that the core has not got, or not as wide. The others' places are unused. */
    uint8_t seq_index, seq[CIRRUS_SEQ_COUNT];
    uint8_t gfx_index, gfx[CIRRUS_GFX_COUNT];
    uint8_t crtc[CIRRUS_CRTC_COUNT];
    uint8_t hidden_dac, hidden_reads; /* the hidden DAC register and how near one is to it */
    uint8_t colours[CIRRUS_CURSOR_COLOURS * 3];
    uint16_t cursor_x, cursor_y;
    uint64_t vram_where; /* in guest memory, as of the last quiesce: for the saved state */

    struct bus *bus;
    struct hypervisor *hv;
    struct vga_ports ports;
    struct io_region window;
    struct vga_screen screen;

    /* BAR 0. */
    uint64_t aperture; /* where it is, or PCI_UNMAPPED */
    bool trapped;      /* accesses to video memory come to us, instead of being memory */
    struct timer calm;
    struct io_region linear, swapped, blt_data;
};

/* cirrus_regs.c */
uint8_t cirrus_port_read(void *opaque, uint16_t port);
void cirrus_port_write(void *opaque, uint16_t port, uint8_t value);
/* The BLT's registers in memory, offset 0..FFh. */
uint8_t cirrus_blt_register_read(const struct cirrus *c, uint32_t offset);
void cirrus_blt_register_write(struct cirrus *c, uint32_t offset, uint8_t value);
extern const struct io_ops cirrus_mmio_ops; /* BAR 1 */
/* After a BLT may have ended: its status. */
void cirrus_blt_status(struct cirrus *c);
/* What registers hold after a reset, and what follows from them (also after a load). */
void cirrus_power_on(struct cirrus *c);
void cirrus_registers_changed(struct cirrus *c);

/* cirrus_memory.c */
void cirrus_memory_init(struct cirrus *c);
/* BAR 0 appears at `where`, moves, or goes (PCI_UNMAPPED). */
void cirrus_aperture_moved(struct pci_device *d, uint64_t where);
/* Whether video memory in BAR 0 can be plain memory may have changed. */
void cirrus_aperture_update(struct cirrus *c);
void cirrus_memory_reset(struct cirrus *c);
void cirrus_memory_destroy(struct cirrus *c);

/* cirrus_screen.c */
void cirrus_frame(void *opaque, const struct vga_frame *blank, struct vga_frame *frame,
                  struct vga_overlay *overlay);

#endif
