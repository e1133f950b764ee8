/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * device: the life that all chips share. A chip embeds `struct device` as its FIRST member, so that
 * the device's address is the chip's; its realize function (typed, one per chip) allocates, claims
 * ports and ends with device_add.
 */
#ifndef HW_CORE_DEVICE_H
#define HW_CORE_DEVICE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "hw/core/err.h"
#include "hw/core/state.h"

struct device;

struct device_class {
    const char *name;                /* of the records in saved state and in messages: "serial" */
    uint16_t version;                /* of the state table, from 1 */
    const struct state_field *state; /* offsets count from the chip's struct (= struct device) */
    void (*reset)(struct device *d); /* after the table's reset values are in: what follows from
                                        them. May be NULL */
    void (*quiesce)(
        struct device *d); /* park and finish asynchronous work; idempotent. May be NULL */
    void (*resume)(struct device *d); /* undo quiesce; idempotent. May be NULL */
    /* After load: cross-field checks (false refuses the state), then recompute what is derived
     * (lines, maps). */
    bool (*post_load)(struct device *d, struct err *err);
    void (*destroy)(struct device *d); /* unmap, free everything */
};

struct device {
    const struct device_class *class;
    const char
        *instance; /* tells two of a class apart: "com1", "0"; a string that outlives the device */
    struct device *next;
};

/* The devices of one machine, in the order they were added. */
struct device_list {
    struct device *first, *last;
};

/* Enters a realized device; order of reset, save and (reversed) destroy. */
void device_add(struct device_list *list, struct device *d, const struct device_class *class,
                const char *instance);

/* Takes one device out of the list (unplug); does not destroy it. */
void device_remove(struct device_list *list, struct device *d);

void device_reset(struct device *d);
void devices_reset(struct device_list *list);
void devices_quiesce(struct device_list *list);
void devices_resume(struct device_list *list);
void devices_destroy(struct device_list *list); /* in reverse order; the list is then empty */

/*
 * The whole machine's state as a self-describing stream: magic "HVMDMST1", then for each device a
 * record {class name, instance, version, length, CRC-32, fields}, then an end record. devices_save
 * allocates *out (free() it). devices_load refuses, before anything is changed, a stream with a bad
 * magic (QEMU's "QEVM" by name), CRC, unknown device, missing device, newer version or value out of
 * range.
 */
bool devices_save(struct device_list *list, uint8_t **out, size_t *len, struct err *err);
bool devices_load(struct device_list *list, const uint8_t *in, size_t len, struct err *err);

/* The same for one device, without the stream's frame: for tests. */
bool device_load(struct device *d, uint16_t version, const uint8_t *in, size_t len,
                 struct err *err);

void devices_print(struct device_list *list, FILE *out);

#endif
