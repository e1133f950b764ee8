/* SPDX-License-Identifier: GPL-2.0-or-later */
/* net_bytes: numbers in network order and the internet checksum (RFC 1071), as an end of a network
 * writes and reads them; on purpose not those of net/offload.c, which they are there to judge. */
#ifndef TESTS_UNIT_NET_BYTES_H
#define TESTS_UNIT_NET_BYTES_H

#include <stddef.h>
#include <stdint.h>

static inline void put16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static inline void put32(uint8_t *p, uint32_t v)
{
    put16(p, v >> 16);
    put16(p + 2, v & 0xFFFF);
}

static inline unsigned get16(const uint8_t *p)
{
    return (unsigned)(p[0] << 8 | p[1]);
}

static inline uint32_t get32(const uint8_t *p)
{
    return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static inline uint32_t sum(const uint8_t *p, size_t len, uint32_t s)
{
    for (size_t i = 0; i < len; i++)
        s += (uint32_t)p[i] << (i & 1 ? 0 : 8);
    return s;
}

static inline unsigned fold(uint32_t s)
{
    while (s >> 16)
        s = (s & 0xFFFF) + (s >> 16);
    return ~s & 0xFFFF;
}

#endif
