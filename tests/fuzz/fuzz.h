/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz: what the fuzzers share: libFuzzer's entry points, and reading the input byte by byte. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* One run. Nothing is left over for the next one, and nothing depends on the host's clock. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Where a target has its own mutations; both return the new size, at most max_size. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size); /* libFuzzer's own */

/* The input, taken from its front; at its end everything is zero. */
struct fuzz_input {
    const uint8_t *p;
    size_t left;
};

/* The next 0 to 8 bytes, little-endian. */
static inline uint64_t fuzz_take(struct fuzz_input *in, unsigned bytes)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < bytes && in->left; i++, in->p++, in->left--)
        v |= (uint64_t)*in->p << (8 * i);
    return v;
}

/* The next len bytes, in place; *got is how many there are. */
static inline const uint8_t *fuzz_take_bytes(struct fuzz_input *in, size_t len, size_t *got)
{
    const uint8_t *p = in->p;
    *got = len < in->left ? len : in->left;
    in->p += *got;
    in->left -= *got;
    return p;
}

/* A broken promise of the product's: abort() is what a fuzzer takes note of. */
#define fuzz_assert(condition) ((condition) ? (void)0 : abort())

#endif
