/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2_build: a small qcow2 image with something of everything, made without anybody's tools.
 *
 * Clusters: 0 header, 1 table of refcounts, 2 refcounts, 3 L1 table, 4 an L2 table, 5 one that a
 * snapshot shares, 6 snapshot table, 7 the snapshot's L1 table, 8 to 10 data, 11 and 12 compressed
 * data. The disk has three L2 tables' reach, less a sector. Its clusters: 0 data (with extended
 * entries: subclusters 0 to 7 zero, 8 to 15 of it), 2 and 3 zero (3 allocated), 4 compressed, 5
 * rubbish; of the second table 1 data that the snapshot has too.
 */
#ifndef TESTS_BLOCK_QCOW2_BUILD_H
#define TESTS_BLOCK_QCOW2_BUILD_H

#include <stdlib.h>
#include <zlib.h>

#include "block/qcow2_int.h"

#define BUILD_VERSION_2 1u
#define BUILD_EXTENDED  2u
#define BUILD_4K        4u /* clusters; else 512 bytes */
#define BUILD_ZSTD      32u
#define BUILD_DIRTY     64u

#define BUILD_CLUSTERS 13u

static inline void build_put16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

/* Raw deflate as qcow2 wants it. */
static inline size_t build_deflate(uint8_t *out, size_t room, size_t cluster)
{
    static uint8_t in[16384];
    z_stream z = {.next_in = in, .next_out = out};

    for (size_t i = 0; i < cluster; i++)
        in[i] = (uint8_t)(i / 16);
    z.avail_in = (uInt)cluster;
    z.avail_out = (uInt)room;
    if (deflateInit2(&z, 6, Z_DEFLATED, -12, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        abort();
    deflate(&z, Z_FINISH);
    deflateEnd(&z);
    return room - z.avail_out;
}

/* A frame of one block that repeats a byte (RFC 8878, 3.1.1). */
static inline size_t build_zstd(uint8_t *out, size_t cluster)
{
    static const uint8_t magic[] = {0x28, 0xb5, 0x2f, 0xfd, 0xa0};
    uint32_t header = (uint32_t)cluster << 3 | 1u << 1 | 1;

    memcpy(out, magic, 5);
    for (unsigned i = 0; i < 4; i++)
        out[5 + i] = (uint8_t)(cluster >> 8 * i);
    for (unsigned i = 0; i < 3; i++)
        out[9 + i] = (uint8_t)(header >> 8 * i);
    out[12] = 0x5a;
    return 13;
}

static inline void build_entry(uint8_t *table, unsigned i, bool extended, uint64_t entry,
                               uint64_t bitmap)
{
    if (extended) {
        qcow2_put64(table + i * 16, entry);
        qcow2_put64(table + i * 16 + 8, bitmap);
    } else {
        qcow2_put64(table + i * 8, entry);
    }
}

/* Log2 of the cluster size. */
static inline unsigned build_bits(unsigned flags)
{
    return flags & BUILD_EXTENDED && !(flags & BUILD_VERSION_2) ? 14 : flags & BUILD_4K ? 12 : 9;
}

/* Builds it at f, which has 16 clusters; its length. */
static inline size_t build_qcow2(uint8_t *f, unsigned flags)
{
    bool old = flags & BUILD_VERSION_2, extended = (flags & BUILD_EXTENDED) && !old;
    bool zstd = (flags & BUILD_ZSTD) && !old;
    unsigned bits = build_bits(flags);
    size_t c = (size_t)1 << bits;
    uint8_t *h = f;
    uint64_t reach = (uint64_t)c << (bits - (extended ? 4 : 3));
    static const unsigned counts[] = {1, 1, 1, 1, 1, 2, 1, 1, 1, 2, 1, 1, 1};

    memset(f, 0, BUILD_CLUSTERS * c);
    memcpy(h, "QFI\xfb", 4);
    qcow2_put32(h + 4, old ? 2 : 3);
    qcow2_put32(h + 20, bits);
    qcow2_put64(h + 24, 3 * reach - 512);
    qcow2_put32(h + 36, 3);
    qcow2_put64(h + 40, 3 * c);
    qcow2_put64(h + 48, c);
    qcow2_put32(h + 56, 1);
    qcow2_put32(h + 60, 1);
    qcow2_put64(h + 64, 6 * c);
    if (!old) {
        qcow2_put64(h + 72,
                    (extended ? 16u : 0) | (zstd ? 8u : 0) | (flags & BUILD_DIRTY ? 1u : 0));
        qcow2_put64(h + 88, 1);
        qcow2_put32(h + 96, 4);
        qcow2_put32(h + 100, 112);
        h[104] = zstd;
    }
    qcow2_put64(f + c, 2 * c);
    for (unsigned i = 0; i < 13; i++)
        build_put16(f + 2 * c + 2 * i, counts[i]);
    qcow2_put64(f + 3 * c, 4 * c | QCOW2_COPIED);
    qcow2_put64(f + 3 * c + 8, 5 * c);
    qcow2_put64(f + 6 * c, 7 * c); /* the snapshot: its L1 table, entries, lengths */
    qcow2_put32(f + 6 * c + 8, 3);
    build_put16(f + 6 * c + 12, 1);
    build_put16(f + 6 * c + 14, 1);
    qcow2_put32(f + 6 * c + 36, 16);
    memcpy(f + 6 * c + 56, "1s", 2);
    qcow2_put64(f + 7 * c + 8, 5 * c);

    uint8_t *table = f + 4 * c;
    uint64_t all = UINT64_C(0xffffffff);
    build_entry(table, 0, extended, 8 * c | QCOW2_COPIED,
                extended ? 0xff00 | UINT64_C(0xff) << 32 : 0);
    build_entry(table, 2, extended, old || extended ? 0 : QCOW2_ZERO, extended ? all << 32 : 0);
    build_entry(table, 3, extended, 10 * c | QCOW2_COPIED | (old || extended ? 0 : QCOW2_ZERO),
                extended ? all << 32 : 0);
    size_t bytes = zstd ? build_zstd(f + 11 * c + 40, c) : build_deflate(f + 11 * c + 40, c, c);
    uint64_t sectors = (40 + bytes - 1) / 512;
    build_entry(table, 4, extended, QCOW2_COMPRESSED | sectors << (62 - (bits - 8)) | (11 * c + 40),
                0);
    build_entry(table, 5, extended, QCOW2_COMPRESSED | 12 * c, 0); /* rubbish: all zeroes */
    build_entry(f + 5 * c, 1, extended, 9 * c, extended ? all : 0);
    memset(f + 8 * c, 8, c);
    memset(f + 9 * c, 9, c);
    memset(f + 10 * c, 10, c);
    return BUILD_CLUSTERS * c;
}

#endif
