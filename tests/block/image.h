/* SPDX-License-Identifier: GPL-2.0-or-later */
/* image: qcow2 images in the scratch directory, for tests that compare with QEMU's tools. */
#ifndef TESTS_BLOCK_IMAGE_H
#define TESTS_BLOCK_IMAGE_H

#include "block/block.h"
#include "tests/block/model.h"

struct loop *image_loop(void);
int image_setup(void **state);
int image_teardown(void **state);

/* A file in the scratch directory; good for four calls. */
const char *image_path(const char *name);

/* Opened and activated; the test fails if that does. */
struct block *image_open(const char *path, enum block_cache cache, bool read_only);

/* NULL, and why in *err. */
struct block *image_try(const char *path, bool read_only, struct err *err);

/* The image as QEMU sees it, compared with the model. */
void image_compare_with_qemu(struct model *m, const char *path);

/* qemu-img check finds no error and no leak. */
void image_must_be_sound(const char *what, const char *path);

/* Random writes by qemu-io, which the model follows. The format may be anything it knows. */
void image_qemu_writes(struct model *m, const char *format, const char *path, uint64_t bytes,
                       unsigned count);

#endif
