/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_vpc: a VHD image that somebody hostile made, and what a guest does to it. What is accepted
 * must bear every request, and be accepted again, with the same contents, when it is opened anew.
 *
 * u8 flags (1: checksums are not made right; 2: fixed; 4: each write waits for the medium); u8
 * number of patches; patches: u16 offset in the first 4 KiB, u8 length - 1 (of 16), bytes; u16
 * length of the file in sectors (0: as it should be); requests (disk.h).
 */
#include "block/vpc.h"
#include "block/vpc_format.h"
#include "tests/fuzz/disk.h"

#define BLOCK    8192u
#define BLOCKS   40u
#define PATCHES  16u
#define REQUESTS 64u
#define SPAN     (512u * 1024) /* of the disk, of a usual size, that is compared */

static void put64(uint8_t *p, uint64_t v)
{
    vhd_put32(p, (uint32_t)(v >> 32));
    vhd_put32(p + 4, (uint32_t)v);
}

static void make_image(struct fuzz_input *in, unsigned flags)
{
    uint8_t head[DISK_PAGE];
    bool fixed = flags & 2;
    uint8_t *header = head + 512;

    memset(head, 0, sizeof(head));
    memcpy(head, "conectix", 8);
    vhd_put32(head + VHD_VERSION, 0x10000);
    put64(head + VHD_DATA_OFFSET, 512);
    memcpy(head + VHD_CREATOR, "qem2", 4);
    put64(head + VHD_CURRENT_SIZE, (uint64_t)BLOCKS * BLOCK - 1024);
    vhd_put32(head + VHD_TYPE, fixed ? VHD_TYPE_FIXED : VHD_TYPE_DYNAMIC);
    memcpy(header, "cxsparse", 8);
    put64(header + VHD_H_TABLE, 1536);
    vhd_put32(header + VHD_H_VERSION, 0x10000);
    vhd_put32(header + VHD_H_ENTRIES, BLOCKS);
    vhd_put32(header + VHD_H_BLOCK, BLOCK);
    memset(head + 1536, 0xFF, 512);
    disk_new_file();
    file.length = fixed ? (uint64_t)BLOCKS * BLOCK : 2560 + 2 * (512 + BLOCK);

    for (unsigned n = fuzz_take(in, 1) % (PATCHES + 1); n; n--) {
        size_t at = fuzz_take(in, 2) % DISK_PAGE, len = (fuzz_take(in, 1) & 15) + 1;
        const uint8_t *bytes = fuzz_take_bytes(in, len, &len);
        memcpy(head + at, bytes, len < DISK_PAGE - at ? len : DISK_PAGE - at);
    }
    if (!(flags & 1)) {
        vhd_put32(head + VHD_CHECKSUM, vhd_checksum(head, 512, VHD_CHECKSUM));
        vhd_put32(header + VHD_H_CHECKSUM, vhd_checksum(header, 1024, VHD_H_CHECKSUM));
    }
    uint64_t sectors = fuzz_take(in, 2);
    if (sectors)
        file.length = sectors * 512;
    uint64_t end = file.length;
    disk_rw(0, head, DISK_PAGE, true);
    file.length = end;
    disk_rw(end - 512, head, 512, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {.p = data, .left = size};
    struct err err;

    unsigned flags = (unsigned)fuzz_take(&in, 1);
    make_image(&in, flags);
    struct block *block = disk_open(
        vpc_open_over, flags & 4 ? BLOCK_CACHE_WRITETHROUGH : BLOCK_CACHE_WRITEBACK, false);
    if (!block)
        return 0;
    bool failures = disk_requests(block, &in, REQUESTS, UINT64_MAX);
    uint64_t before = disk_contents(block, SPAN);
    bool closed = block_inactivate(block, &err);
    block_close(block);
    if (!closed)
        return 0;
    /* Some page may have found no room: then a block may be missing, but the image is whole. */
    block = disk_open(vpc_open_over, BLOCK_CACHE_WRITEBACK, false);
    fuzz_assert(block);
    fuzz_assert(disk_contents(block, SPAN) == before || file.count == DISK_PAGES || failures);
    block_close(block);
    return 0;
}
