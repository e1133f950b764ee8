/* SPDX-License-Identifier: GPL-2.0-or-later */
/* disk_pattern: what the fake disks of IDE and AHCI tests contain. */
#ifndef TESTS_DEVICE_DISK_PATTERN_H
#define TESTS_DEVICE_DISK_PATTERN_H

#include "tests/device/rig.h"
#include "tests/fake/block.h"

/* Contents of a test disk: every sector tells where it is, every byte differs from its neighbours.
 */
static inline uint8_t pattern(uint64_t offset)
{
    uint64_t sector = offset / 512;
    return (uint8_t)(sector * 7 + (sector >> 8) * 13 + offset * 3 + 1);
}

static inline void fill_pattern(struct block *b, uint64_t offset, uint64_t bytes)
{
    uint8_t buf[4096];
    for (uint64_t at = 0; at < bytes; at += sizeof(buf)) {
        for (size_t i = 0; i < sizeof(buf); i++)
            buf[i] = pattern(offset + at + i);
        fake_block_put(b, offset + at, buf, sizeof(buf));
    }
}

static inline void assert_pattern(const uint8_t *buf, uint64_t offset, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (buf[i] != pattern(offset + i))
            fail_msg("byte %zu is %#x, not %#x", i, buf[i], pattern(offset + i));
}

#endif
