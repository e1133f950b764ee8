/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vpc: the driver of VHD images, fixed and dynamic: Microsoft, "Virtual Hard Disk Image Format
 * Specification", version 1.0 (October 11, 2006). docs/block.md tells how it works.
 */
#ifndef BLOCK_VPC_H
#define BLOCK_VPC_H

#include "block/block.h"

/* Opens config->file. NULL and one line in *err that names the file, what is wrong with it, and
 * what can be done. */
struct block *vpc_open(struct loop *loop, const struct block_config *config, struct err *err);

/* The same on something that is open already: a container (block_int.h), taken over also when it
 * fails. For tests. */
struct block *vpc_open_over(struct loop *loop, const struct block_config *config,
                            struct block *file, struct err *err);

#endif
