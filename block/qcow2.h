/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2: the driver of qcow2 images, version 2 and 3 (the public specification is QEMU's
 * docs/interop/qcow2.txt). docs/block.md tells how it works.
 */
#ifndef BLOCK_QCOW2_H
#define BLOCK_QCOW2_H

#include "block/block.h"

/* Opens config->file and what it is backed by. NULL and one line in *err that names the file, what
 * is wrong with it, and what can be done. */
struct block *qcow2_open(struct loop *loop, const struct block_config *config, struct err *err);

/* The same on something that is open already: a container (block_int.h), taken over also when it
 * fails. config->file gives the directory in which backing files are looked for. For tests. */
struct block *qcow2_open_over(struct loop *loop, const struct block_config *config,
                              struct block *file, struct err *err);

#endif
