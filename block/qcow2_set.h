/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2_set: which clusters of an image hold metadata. Exact, about two bytes a member: clusters
 * are grouped by 65,536; a group is a sorted list of 16-bit numbers, or a bitmap once that is
 * smaller.
 */
#ifndef BLOCK_QCOW2_SET_H
#define BLOCK_QCOW2_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct qcow2_group;

struct qcow2_set {
    struct qcow2_group *groups; /* hashed by number */
    size_t room, count;
    size_t bytes; /* of memory */
};

#define QCOW2_SET_BYTES (32u * 1024 * 1024) /* no honest image comes near */

void qcow2_set_clear(struct qcow2_set *set);

/* 0; -EEXIST if it was a member already; -ENOMEM. */
int qcow2_set_add(struct qcow2_set *set, uint64_t cluster);
void qcow2_set_remove(struct qcow2_set *set, uint64_t cluster);

/* Is any of first .. first + count - 1 a member? */
bool qcow2_set_has(const struct qcow2_set *set, uint64_t first, uint64_t count);

#endif
