/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vnc_update: how a changed part of the picture is cut up for Tight, and sent. */
#ifndef UI_VNC_UPDATE_H
#define UI_VNC_UPDATE_H

#include <stdbool.h>

#include "ui/display.h"
#include "ui/picture.h"

struct session;

#define VNC_PIECES 5

/*
 * Cuts a rectangle of the picture (not empty, within it) where most of it has two colours and the
 * rest, above, below or at its sides, has more. Returns how many pieces there are, from the top
 * down; they don't overlap and together are the rectangle.
 */
unsigned vnc_cut(const struct picture *picture, const struct display_rect *rect,
                 struct display_rect pieces[VNC_PIECES]);

/* Sends what has changed of what the viewer waits for, in the encoding that it prefers; may block
 * while the viewer is slow. False: the connection is lost. */
bool vnc_update_send(struct session *s);

#endif
