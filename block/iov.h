/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iov: a place in a scatter list, for requests that are carried out piece by piece. */
#ifndef BLOCK_IOV_H
#define BLOCK_IOV_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

/* Elements handed to one system call at most: as many as a Linux driver puts in one PRD table. */
#define IOV_SLICE 128

struct iov_cursor {
    const struct iovec *iov;
    int left;      /* elements, the current one included */
    size_t offset; /* into the current one */
};

/* The total length of the elements; false if the count or a sum is out of range. */
bool iov_total(const struct iovec *iov, int iovcnt, size_t *total);

/* The next `bytes` at most as up to IOV_SLICE elements in slice[]; their number. *covered: their
 * length, which is less than `bytes` if the elements ran out. Does not move the cursor. */
int iov_slice(const struct iov_cursor *cursor, size_t bytes, struct iovec *slice, size_t *covered);

/* Moves on by `bytes`, not beyond the end. */
void iov_advance(struct iov_cursor *cursor, size_t bytes);

/* Copies `bytes` between the memory from the cursor on and a buffer; moves the cursor. */
void iov_read(struct iov_cursor *cursor, void *buf, size_t bytes);
void iov_write(struct iov_cursor *cursor, const void *buf, size_t bytes);

/* Zeroes the next `bytes` of the memory; moves the cursor. */
void iov_zero(struct iov_cursor *cursor, size_t bytes);

/* Are all bytes of the elements zero? Looks at no more than it takes to find another one. */
bool iov_is_zero(const struct iovec *iov, int iovcnt);

#endif
