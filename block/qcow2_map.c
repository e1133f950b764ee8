/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qcow2_map: from the guest's clusters to the file's, through L1 and L2 tables. */
#include "block/qcow2_int.h"

#include <errno.h>

#include "hw/core/log.h"

bool qcow2_no_backing(const struct qcow2 *q, uint64_t pos)
{
    return !q->backing || pos >= block_bytes(q->backing);
}

int qcow2_l2(struct qcow2 *q, uint64_t cluster, struct qcow2_l2 *l2)
{
    uint64_t index = cluster & ((UINT64_C(1) << q->l2_bits) - 1);
    uint64_t at = q->l1_offset + (cluster >> q->l2_bits) * 8;

    int r = qcow2_page(q, QCOW2_L1, at, &l2->page);
    if (r)
        return r;
    uint64_t entry = qcow2_be64(qcow2_at(q, l2->page, at));
    uint64_t table = entry & QCOW2_OFFSET_MASK;
    l2->ours = entry & QCOW2_COPIED;
    if (!table) {
        l2->page = NULL;
        l2->at = NULL;
        l2->left = (UINT64_C(1) << q->l2_bits) - index;
        return 0;
    }
    if (table & (q->cluster_bytes - 1))
        return qcow2_corrupt(q, "its L1 table points to %#llx", (unsigned long long)table);
    at = table + (index << q->entry_bits);
    r = qcow2_page(q, QCOW2_L2, at, &l2->page);
    if (r)
        return r;
    l2->at = qcow2_at(q, l2->page, at);
    uint64_t page = UINT64_C(1) << q->cache.page_bits;
    l2->left = (page - (at & (page - 1))) >> q->entry_bits;
    return 0;
}

int qcow2_l2_to_change(struct qcow2 *q, uint64_t cluster, struct qcow2_l2 *l2)
{
    int r = qcow2_l2(q, cluster, l2);

    if (!r && (!l2->page || !l2->ours))
        return qcow2_make_l2(q, cluster >> q->l2_bits);
    return r ? r : qcow2_edit(q, l2->page) ? QCOW2_WAIT : qcow2_l2(q, cluster, l2);
}

int qcow2_type(struct qcow2 *q, uint64_t entry, uint64_t bitmap, unsigned sub)
{
    uint64_t host = entry & QCOW2_OFFSET_MASK;

    if (entry & QCOW2_COMPRESSED)
        return QCOW2_IS_COMPRESSED;
    if (host & (q->cluster_bytes - 1))
        return qcow2_corrupt(q, "an L2 table points to %#llx", (unsigned long long)host);
    if (q->extended) {
        bool data = bitmap >> sub & 1, zero = bitmap >> (sub + QCOW2_SUBCLUSTERS) & 1;
        if ((data && zero) || (data && !host))
            return qcow2_corrupt(q, "an L2 entry contradicts itself (%#llx %#llx)",
                                 (unsigned long long)entry, (unsigned long long)bitmap);
        return data ? QCOW2_IS_DATA : zero ? QCOW2_IS_ZERO : QCOW2_IS_UNALLOCATED;
    }
    if (entry & QCOW2_ZERO) {
        if (q->version < 3)
            return qcow2_corrupt(q, "it has a zero cluster, which version 2 does not know");
        return QCOW2_IS_ZERO;
    }
    return host ? QCOW2_IS_DATA : QCOW2_IS_UNALLOCATED;
}

/* One entry's contribution: how many of the bytes from pos on (in its cluster) are as extent says.
 */
static int extend(struct qcow2 *q, const struct qcow2_l2 *l2, const uint8_t *at, uint64_t pos,
                  struct qcow2_extent *extent, bool *go_on)
{
    uint64_t entry = qcow2_be64(at), bitmap = qcow2_bitmap(q, at);
    uint64_t in_cluster = pos & (q->cluster_bytes - 1);
    unsigned sub = q->extended ? (unsigned)(in_cluster >> q->unit_bits) : 0;
    unsigned subs = q->extended ? QCOW2_SUBCLUSTERS : 1;
    bool first = !extent->bytes;

    *go_on = false;
    for (; sub < subs; sub++) {
        int type = qcow2_type(q, entry, bitmap, sub);
        if (type < 0)
            return first ? type : 0; /* what comes before it is sound */
        uint64_t host = (entry & QCOW2_OFFSET_MASK) + in_cluster;
        bool ours = l2->ours && (entry & QCOW2_COPIED);
        if (first) {
            extent->type = (enum qcow2_type)type;
            extent->host = host;
            extent->ours = ours;
            extent->entry = entry;
            first = false;
        } else if (type != (int)extent->type || type == QCOW2_IS_COMPRESSED ||
                   (type == QCOW2_IS_DATA &&
                    (host != extent->host + extent->bytes || ours != extent->ours))) {
            return 0;
        }
        if (type == QCOW2_IS_COMPRESSED) {
            extent->bytes = q->cluster_bytes - in_cluster;
            return 0;
        }
        uint64_t end = (uint64_t)(sub + 1) << q->unit_bits;
        extent->bytes += end - in_cluster;
        in_cluster = end;
    }
    *go_on = true;
    return 0;
}

int qcow2_map(struct qcow2 *q, uint64_t pos, uint64_t max, struct qcow2_extent *extent)
{
    struct qcow2_l2 l2;

    int r = qcow2_l2(q, pos >> q->cluster_bits, &l2);
    if (r)
        return r;
    *extent = (struct qcow2_extent){.type = QCOW2_IS_UNALLOCATED};
    if (!l2.page) {
        extent->bytes = (((pos >> q->cluster_bits) + l2.left) << q->cluster_bits) - pos;
    } else {
        bool go_on = true;
        uint8_t *at = l2.at;
        for (uint64_t i = 0; go_on && i < l2.left && extent->bytes < max; i++) {
            r = extend(q, &l2, at, pos + extent->bytes, extent, &go_on);
            if (r)
                return r;
            at += (size_t)1 << q->entry_bits;
        }
    }
    if (extent->bytes > max)
        extent->bytes = max;
    return 0;
}

void qcow2_compressed(const struct qcow2 *q, uint64_t entry, uint64_t *offset, size_t *bytes)
{
    unsigned x = 62 - (q->cluster_bits - 8);
    uint64_t more = (entry & (QCOW2_COMPRESSED - 1)) >> x;

    /* Where the offset field is wider than 56 bits, the rest is 0 or beyond any file. */
    *offset = entry & ((UINT64_C(1) << x) - 1);
    *bytes = (size_t)((more + 1) * QCOW2_SECTOR - (*offset & (QCOW2_SECTOR - 1)));
}

void qcow2_unlink(struct qcow2 *q, uint64_t entry, bool discard)
{
    if (entry & QCOW2_COMPRESSED) {
        uint64_t offset;
        size_t bytes;
        qcow2_compressed(q, entry, &offset, &bytes);
        uint64_t first = offset >> q->cluster_bits;
        uint64_t last = (offset + bytes - 1) >> q->cluster_bits;
        qcow2_runs_add(&q->unlinked, first, last - first + 1, false, false);
        qcow2_inflate_forget(q);
    } else if (entry & QCOW2_OFFSET_MASK & (q->cluster_bytes - 1)) {
        qcow2_corrupt(q, "an L2 table points to %#llx",
                      (unsigned long long)(entry & QCOW2_OFFSET_MASK));
    } else if (entry & QCOW2_OFFSET_MASK) {
        qcow2_runs_add(&q->unlinked, (entry & QCOW2_OFFSET_MASK) >> q->cluster_bits, 1, discard,
                       false);
    }
}
