/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vkbd_bus: the PV keyboards and pointers of one domain, as xenstore has them
 * (backend/vkbd/<domid>): the states of front- and back-end, public/io/kbdif.h and xenbus.h. libxl
 * gives each HVM guest one. A PV screen (vfb), which it gives none, is closed at once: an HVM guest
 * has an emulated one.
 */
#ifndef HW_XEN_VKBD_BUS_H
#define HW_XEN_VKBD_BUS_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/core/err.h"

struct loop;
struct vkbd_bus;

/* What the guest's driver takes, of the keyboard and pointer that were connected first. */
#define VKBD_POINTER 1u /* positions */
#define VKBD_KEYS    2u /* keys too */

struct vkbd_doors {
    void *(*map)(void *opaque, const uint32_t *refs, unsigned count, bool writable);
    void (*unmap)(void *opaque, void *where, unsigned count);
    int (*bind)(void *opaque, uint32_t remote); /* a local port, or -1 and errno */
    void (*unbind)(void *opaque, uint32_t local);
    void (*notify)(void *opaque, uint32_t local);
    void (*taken)(void *opaque, unsigned what); /* VKBD_*: is other than before */
    void *opaque;
};

struct xenbus;

/* The connection to xenstored is its own: nobody else reads events from it. NULL and *err. */
struct vkbd_bus *vkbd_bus_open(struct loop *loop, struct xenbus *xenbus, unsigned domid,
                               const struct vkbd_doors *doors, struct err *err);
void vkbd_bus_close(struct vkbd_bus *b);

/* Looks at what xenstored has told; false when the daemon is gone. */
bool vkbd_bus_look(struct vkbd_bus *b);

/* The event channel bound as `local` was notified; harmless if that is not one of ours. */
void vkbd_bus_notified(struct vkbd_bus *b, uint32_t local);

/* For the driver that takes them, if one does: vkbd_key, vkbd_release, vkbd_point. */
void vkbd_bus_key(struct vkbd_bus *b, uint32_t code, bool down);
void vkbd_bus_release(struct vkbd_bus *b); /* all keys and buttons */
void vkbd_bus_point(struct vkbd_bus *b, int32_t x, int32_t y, int32_t wheel, uint32_t buttons);

#endif
