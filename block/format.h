/* SPDX-License-Identifier: GPL-2.0-or-later */
/* format: the names of image formats as toolstacks say them: which are served, and what to do with
 * an image in another one. */
#ifndef BLOCK_FORMAT_H
#define BLOCK_FORMAT_H

#include <stdbool.h>

#include "block/block.h"
#include "hw/core/err.h"

/* QEMU's name of a format ("raw", "vpc"), for query-block. */
const char *block_format_name(enum block_format format);

/* The format that `name` means. False, and in *err "format=NAME …" with the qemu-img command that
 * converts `file`, if it is not served. */
bool block_format_find(const char *name, const char *file, enum block_format *format,
                       struct err *err);

#endif
