/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_qcow2: a qcow2 image that somebody hostile made, and what a guest does to it. What is
 * accepted must bear every request; a sound one must be accepted again, with the same contents,
 * when it is opened anew.
 *
 * u8 flags (1: version 2; 2: extended L2 entries; 4: 4 KiB clusters; 8: each write waits for the
 * medium; 16: read-only; 32: zstd; 64: marked dirty); u8 number of patches; patches: u8 cluster,
 * u16 offset in it, u8 length - 1 (of 16), bytes; requests (disk.h).
 */
#include "block/qcow2.h"
#include "block/qcow2_int.h"
#include "tests/block/qcow2_build.h"
#include "tests/fuzz/disk.h"

#define PATCHES  24u
#define REQUESTS 64u
#define SPAN     (96u * 1024) /* of the disk that requests go to */

/* The number of patches. */
static unsigned make_image(struct fuzz_input *in, unsigned flags)
{
    static uint8_t image[BUILD_CLUSTERS * 16384];
    size_t c = (size_t)1 << build_bits(flags);

    disk_new_file();
    size_t bytes = build_qcow2(image, flags);
    unsigned patches = fuzz_take(in, 1) % (PATCHES + 1);
    for (unsigned n = patches; n; n--) {
        size_t at = fuzz_take(in, 1) % 13 * c;
        at += fuzz_take(in, 2) % c;
        size_t len = (fuzz_take(in, 1) & 15) + 1;
        const uint8_t *patch = fuzz_take_bytes(in, len, &len);
        memcpy(image + at, patch, at + len <= sizeof(image) ? len : sizeof(image) - at);
    }
    disk_rw(0, image, bytes, true);
    return patches;
}

static struct block *open_image(unsigned flags)
{
    return disk_open(qcow2_open_over, flags & 8 ? BLOCK_CACHE_WRITETHROUGH : BLOCK_CACHE_WRITEBACK,
                     flags & 16);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {.p = data, .left = size};
    struct err err;

    unsigned flags = (unsigned)fuzz_take(&in, 1);
    unsigned patches = make_image(&in, flags);
    struct block *block = open_image(flags);
    fuzz_assert(block || patches);
    if (!block)
        return 0;
    bool failures = disk_requests(block, &in, REQUESTS, SPAN);
    uint64_t before = disk_contents(block, SPAN);
    bool corrupt = ((struct qcow2 *)block->image)->corrupt;
    fuzz_assert(!corrupt || patches);
    bool closed = block_inactivate(block, &err);
    block_close(block);
    if (!closed || patches || failures)
        return 0;
    block = open_image(flags);
    fuzz_assert(block);
    fuzz_assert(disk_contents(block, SPAN) == before);
    block_close(block);
    return 0;
}
