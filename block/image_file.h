/* SPDX-License-Identifier: GPL-2.0-or-later */
/* image_file: opens the file or block device behind a disk, and says in one line what is wrong with
 * it. */
#ifndef BLOCK_IMAGE_FILE_H
#define BLOCK_IMAGE_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "block/block.h"
#include "hw/core/err.h"

struct image_file {
    int fd;
    bool drive;     /* a CD drive of the host's: may be empty */
    bool device;    /* a block device, else a regular file */
    bool sparse;    /* a regular file that had holes when it was opened */
    uint64_t bytes; /* whole 512-byte sectors; of a container exactly */
    uint32_t align; /* offsets and lengths of transfers: 1, or with O_DIRECT the sector size of what
                       is below. Memory is aligned to this too */
};

/* Bypasses this cache mode the page cache? Does each write wait for the medium? */
bool cache_is_direct(enum block_cache cache);
bool cache_is_sync(enum block_cache cache);
const char *cache_name(enum block_cache cache);

/* Opens and checks config->file (or takes over config->fd, also when it fails). The line in *err
 * names disk, file, reason and remedy. container: the file holds an image format, so its length is
 * that format's business and need not be a multiple of anything. */
bool image_file_open(struct image_file *file, const struct block_config *config, bool container,
                     struct err *err);
/* Gives the file a new size (block_resize); sets bytes. */
bool image_file_resize(struct image_file *file, const struct block *block, uint64_t bytes,
                       struct err *err);
void image_file_close(struct image_file *file);

#endif
