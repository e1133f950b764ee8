/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vpc_format: where what is in a VHD image's footer and dynamic header (specification, "Hard Disk
 * Footer Format", "Dynamic Disk Header Format"). All numbers are big-endian. */
#ifndef BLOCK_VPC_FORMAT_H
#define BLOCK_VPC_FORMAT_H

#include <stddef.h>
#include <stdint.h>

enum { /* offsets in the footer */
       VHD_COOKIE = 0,
       VHD_FEATURES = 8,
       VHD_VERSION = 12,
       VHD_DATA_OFFSET = 16,
       VHD_CREATOR = 28,
       VHD_ORIGINAL_SIZE = 40,
       VHD_CURRENT_SIZE = 48,
       VHD_CYLINDERS = 56,
       VHD_HEADS = 58,
       VHD_SECTORS = 59,
       VHD_TYPE = 60,
       VHD_CHECKSUM = 64,
};

enum { /* offsets in the dynamic header */
       VHD_H_TABLE = 16,
       VHD_H_VERSION = 24,
       VHD_H_ENTRIES = 28,
       VHD_H_BLOCK = 32,
       VHD_H_CHECKSUM = 36,
};

enum { VHD_TYPE_FIXED = 2, VHD_TYPE_DYNAMIC = 3, VHD_TYPE_DIFFERENCING = 4 };

static inline uint16_t vhd_get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t vhd_get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t vhd_get64(const uint8_t *p)
{
    return (uint64_t)vhd_get32(p) << 32 | vhd_get32(p + 4);
}

static inline void vhd_put32(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)(value >> 24);
    p[1] = (uint8_t)(value >> 16);
    p[2] = (uint8_t)(value >> 8);
    p[3] = (uint8_t)value;
}

/* The one's complement of the sum of all bytes but the checksum's own four. */
static inline uint32_t vhd_checksum(const uint8_t *p, size_t len, size_t own)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < len; i++)
        if (i < own || i >= own + 4)
            sum += p[i];
    return ~sum;
}

#endif
