/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vkbd: the ring of a PV keyboard and pointer, public/io/kbdif.h: one page of the guest's, in which
 * keys and positions are left for its driver. What counts is the state the driver is to know, not
 * the events: a driver that does not take them misses what happened in between, and no key stays
 * down.
 */
#ifndef HW_XEN_VKBD_H
#define HW_XEN_VKBD_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/core/err.h"

struct vkbd;

#define VKBD_ABS_MAX 0x7FFF /* positions reach from 0 to here, as kbdif.h's raw ones */

/* Serves the page, mapped for writing, whose driver has positions from 0 to width and height.
 * NULL and *err: what stands in the page cannot be. */
struct vkbd *vkbd_open(void *page, uint32_t width, uint32_t height, struct err *err);
void vkbd_close(struct vkbd *v); /* NULL is fine; the page is the caller's */

/* These say whether the guest's side is to be notified. */

/* A key (Linux KEY_*; others are ignored); one that is down may be pressed again. */
bool vkbd_key(struct vkbd *v, uint32_t code, bool down);
/* None is down any more, nor a button. */
bool vkbd_release(struct vkbd *v);
/* Position within VKBD_ABS_MAX, notches of the wheel away from the user, buttons as bits: left,
 * middle, right, side, extra (INPUT_BUTTON_*). */
bool vkbd_point(struct vkbd *v, int32_t x, int32_t y, int32_t wheel, uint32_t buttons);
/* The guest's side may have made room. */
bool vkbd_look(struct vkbd *v);

/* The page said what cannot be: nothing more is put in. */
bool vkbd_broken(const struct vkbd *v);

#endif
