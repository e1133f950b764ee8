/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vpc_check: is a VHD image whole? What qemu-img check is for other formats; written from the
 * specification, apart from the driver. */
#ifndef TESTS_BLOCK_VPC_CHECK_H
#define TESTS_BLOCK_VPC_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vpc_report {
    bool footer_lost; /* there is none at the end; the copy in front is good */
    uint64_t leaked;  /* bytes behind the headers that no block uses */
    uint32_t blocks;  /* in use */
    char what[160];   /* is wrong */
};

/* True if it is whole. */
bool vpc_check_fd(int fd, struct vpc_report *report);
bool vpc_check(const char *path, struct vpc_report *report);

#endif
