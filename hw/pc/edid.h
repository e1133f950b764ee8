/* SPDX-License-Identifier: GPL-2.0-or-later */
/* edid: the description of the monitor that a display card's registers show to drivers. */
#ifndef HW_PC_EDID_H
#define HW_PC_EDID_H

#include <stdbool.h>
#include <stdint.h>

#define EDID_SIZE  128
#define EDID_MIN_X 640
#define EDID_MIN_Y 480
#define EDID_MAX_X 4088
#define EDID_MAX_Y 4080

/*
 * VESA Enhanced EDID Standard, Release A, Revision 2 (EDID 1.4): a monitor whose native size is
 * xres x yres (a multiple of 8 each way across, EDID_MIN_*..EDID_MAX_*), with the usual smaller
 * sizes that have at most max_pixels. False: the size is out of range, or its pixel clock is.
 */
bool edid_make(uint8_t edid[EDID_SIZE], unsigned xres, unsigned yres, uint64_t max_pixels);

#endif
