/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * blkback_bus: the PV disks of one domain that xenstore names as ours (backend/qdisk/<domid>): the
 * states of front- and back-end as public/io/blkif.h and xenbus.h draw them, from hot add to hot
 * remove. A disk that the guest also sees as an emulated one is connected only after the emulated
 * one has let go of the image (Xen's unplug protocol): there is never more than one writer.
 */
#ifndef HW_XEN_BLKBACK_BUS_H
#define HW_XEN_BLKBACK_BUS_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/core/err.h"
#include "hw/xen/blkback.h"

struct blkback_bus;
struct loop;
struct xenbus;

struct blkback_bus_doors {
    struct blkback_doors disk; /* notify takes what bind returned */
    /* Binds an event channel of the guest: a local port, or -1 and errno. */
    int (*bind)(void *opaque, uint32_t remote);
    void (*unbind)(void *opaque, uint32_t local);
};

/* A disk's number (0: hda, xvda, …) for what xenstore calls it (docs/man/xen-vbd-interface), or -1:
 * a partition, a SCSI name, none of these. */
int blkback_disk_number(uint32_t devid);

/* `emulated`: bit n says that disk n is an emulated disk of the machine too, and not yet released.
 * The connection to xenstored must outlive it. NULL and *err. */
struct blkback_bus *blkback_bus_open(struct loop *loop, struct xenbus *xenbus, unsigned domid,
                                     uint32_t emulated, const struct blkback_bus_doors *doors,
                                     struct err *err);

/* Looks at what xenstored has told; false when the daemon is gone. */
bool blkback_bus_look(struct blkback_bus *b);

/* The event channel bound as `local` was notified. */
void blkback_bus_notified(struct blkback_bus *b, uint32_t local);

/* The machine has closed the images of these disks. */
void blkback_bus_released(struct blkback_bus *b, uint32_t disks);

/* block_resize for a disk whose image is open here: disk `number` (blkback_disk_number), or if that
 * is -1 the one that the toolstack calls `name` ("xvdb"). A connected front-end is told. */
bool blkback_bus_resize(struct blkback_bus *b, int number, const char *name, uint64_t bytes,
                        struct err *err);

void blkback_bus_close(struct blkback_bus *b);

#endif
