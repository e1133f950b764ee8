/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iov: see iov.h. */
#include "block/iov.h"

#include <stdint.h>
#include <string.h>

bool iov_total(const struct iovec *iov, int iovcnt, size_t *total)
{
    size_t sum = 0;
    if (iovcnt < 0)
        return false;
    for (int i = 0; i < iovcnt; i++)
        if (__builtin_add_overflow(sum, iov[i].iov_len, &sum))
            return false;
    *total = sum;
    return true;
}

int iov_slice(const struct iov_cursor *cursor, size_t bytes, struct iovec *slice, size_t *covered)
{
    size_t sum = 0, offset = cursor->offset;
    int n = 0;
    for (int i = 0; i < cursor->left && n < IOV_SLICE && sum < bytes; i++) {
        size_t len = cursor->iov[i].iov_len - offset;
        if (len > bytes - sum)
            len = bytes - sum;
        if (len)
            slice[n++] = (struct iovec){.iov_base = (char *)cursor->iov[i].iov_base + offset,
                                        .iov_len = len};
        sum += len;
        offset = 0;
    }
    *covered = sum;
    return n;
}

enum pass { PASS_OVER, PASS_OUT, PASS_IN, PASS_ZERO };

/* Moves on by `bytes`; copies what is passed to `buf` (OUT), or over it from there (IN), or zeroes
 * it. */
static void pass(struct iov_cursor *cursor, enum pass way, char *buf, size_t bytes)
{
    while (bytes && cursor->left) {
        char *here = (char *)cursor->iov->iov_base + cursor->offset;
        size_t len = cursor->iov->iov_len - cursor->offset;
        if (len > bytes)
            len = bytes;
        switch (way) {
        case PASS_OVER:
            break;
        case PASS_OUT:
            memcpy(buf, here, len);
            buf += len;
            break;
        case PASS_IN:
            memcpy(here, buf, len);
            buf += len;
            break;
        case PASS_ZERO:
            memset(here, 0, len);
            break;
        }
        bytes -= len;
        cursor->offset += len;
        if (cursor->offset == cursor->iov->iov_len) {
            cursor->iov++;
            cursor->left--;
            cursor->offset = 0;
        }
    }
}

void iov_advance(struct iov_cursor *cursor, size_t bytes)
{
    pass(cursor, PASS_OVER, NULL, bytes);
}

void iov_read(struct iov_cursor *cursor, void *buf, size_t bytes)
{
    pass(cursor, PASS_OUT, buf, bytes);
}

void iov_write(struct iov_cursor *cursor, const void *buf, size_t bytes)
{
    pass(cursor, PASS_IN, (char *)(uintptr_t)buf, bytes);
}

void iov_zero(struct iov_cursor *cursor, size_t bytes)
{
    pass(cursor, PASS_ZERO, NULL, bytes);
}

bool iov_is_zero(const struct iovec *iov, int iovcnt)
{
    for (int i = 0; i < iovcnt; i++) {
        const char *p = iov[i].iov_base;
        size_t len = iov[i].iov_len;
        /* Each byte is that of its neighbour, and the first is zero. */
        if (len && (p[0] || memcmp(p, p + 1, len - 1)))
            return false;
    }
    return true;
}
