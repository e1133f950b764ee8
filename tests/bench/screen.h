/* SPDX-License-Identifier: GPL-2.0-or-later */
/* screen: what the benches of a guest's screen share: modes, and a viewer (libvncclient's). */
#ifndef TESTS_BENCH_SCREEN_H
#define TESTS_BENCH_SCREEN_H

#include <rfb/rfbclient.h>

#include "dm.h"

#define SCREEN_WIDTH  1024
#define SCREEN_HEIGHT 768
#define SCREEN_SOLID  0xDB /* a cell that is all foreground */

/* Text mode 3 with a font; 1024 by 768 pixels of 32 bits at PC_VRAM. */
void screen_text_mode(struct xenstub *x);
void screen_big_mode(struct xenstub *x);

/* compress: zlib's level; quality: JPEG's, 0 to 9, or less than 0: without JPEG. NULL: there is no
 * server. */
rfbClient *screen_view(unsigned port, const char *encodings, int compress, int quality);
void screen_view_end(rfbClient *c);

/* WaitForMessage (1: there is one, 0: not in time, -1), which does not know of messages that have
 * been read already, with the one before. */
int screen_wait(rfbClient *c, unsigned us);

#endif
