/* SPDX-License-Identifier: GPL-2.0-or-later */
/* blkif: see blkif.h. Offsets as the structures of public/io/blkif.h have them where 64-bit numbers
 * are aligned to 8 bytes (x86_64-abi, and native here) and to 4 (x86_32-abi). */
#include "hw/xen/blkif.h"

#include <stdatomic.h>
#include <string.h>

/* public/io/ring.h, DEFINE_RING_TYPES: four indexes, padding, entries. */
#define REQ_PROD      0
#define REQ_EVENT     4
#define RSP_PROD      8
#define RSP_EVENT     12
#define RING_HEADER   64
#define ENTRY_MAX     112
#define DIRECT_MAX    11
#define SEGMENT_BYTES 8

struct layout {
    uint32_t entry;
    uint8_t id, sector, segments; /* blkif_request; discard counts sectors at `segments` */
    uint8_t indirect_refs;        /* blkif_request_indirect */
};

static const struct layout layouts[] = {
    [BLKIF_ABI_X86_64] = {.entry = 112, .id = 8, .sector = 16, .segments = 24, .indirect_refs = 28},
    [BLKIF_ABI_X86_32] = {.entry = 108, .id = 4, .sector = 12, .segments = 20, .indirect_refs = 24},
};

static uint16_t get16(const uint8_t *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static uint32_t get32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static uint64_t get64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

/* One of the indexes, which the other side reads and writes at the same time. */
static _Atomic uint32_t *word(const struct blkif_ring *ring, unsigned offset)
{
    return (_Atomic uint32_t *)(void *)(ring->shared + offset);
}

static uint32_t load(const struct blkif_ring *ring, unsigned offset)
{
    return atomic_load_explicit(word(ring, offset), memory_order_acquire);
}

static void store(const struct blkif_ring *ring, unsigned offset, uint32_t value)
{
    atomic_store_explicit(word(ring, offset), value, memory_order_release);
}

static uint8_t *slot(const struct blkif_ring *ring, uint32_t index)
{
    return ring->shared + RING_HEADER + (size_t)(index & (ring->entries - 1)) * ring->entry_bytes;
}

void blkif_ring_init(struct blkif_ring *ring, void *shared, size_t bytes, enum blkif_abi abi)
{
    uint32_t entry = layouts[abi].entry, fit = (uint32_t)((bytes - RING_HEADER) / entry);
    uint32_t entries = 1;

    while (entries * 2 <= fit)
        entries *= 2;
    *ring =
        (struct blkif_ring){.shared = shared, .entries = entries, .entry_bytes = entry, .abi = abi};
    ring->taken = ring->answered = ring->pushed = load(ring, RSP_PROD);
}

static void decode(struct blkif_copy *r, const uint8_t *e, const struct layout *at)
{
    *r = (struct blkif_copy){.op = e[0], .id = get64(e + at->id), .sector = get64(e + at->sector)};
    switch (r->op) {
    case BLKIF_INDIRECT:
        r->indirect = true;
        r->op = e[1];
        r->segments = get16(e + 2);
        for (unsigned i = 0; i < BLKIF_INDIRECT_REFS; i++)
            r->refs[i] = get32(e + at->indirect_refs + i * 4);
        break;
    case BLKIF_DISCARD:
        r->sectors = get64(e + at->segments);
        break;
    default:
        r->segments = e[1];
        blkif_decode_segments(e + at->segments, DIRECT_MAX, r->segment);
        break;
    }
}

enum blkif_take blkif_ring_take(struct blkif_ring *ring, struct blkif_copy *request)
{
    uint32_t produced = load(ring, REQ_PROD);
    uint8_t copy[ENTRY_MAX];

    /* Not more than there are slots whose response has not been shown (ring.h: an ill-behaved
     * front-end), which also bounds what is taken in one go; and none taken back. */
    if (produced - ring->pushed > ring->entries ||
        produced - ring->pushed < ring->taken - ring->pushed)
        return BLKIF_TAKE_BROKEN;
    if (produced == ring->taken)
        return BLKIF_TAKE_NONE;
    memcpy(copy, slot(ring, ring->taken), ring->entry_bytes);
    atomic_signal_fence(memory_order_seq_cst); /* the copy is made here, and only once */
    ring->taken++;
    decode(request, copy, &layouts[ring->abi]);
    return BLKIF_TAKE_ONE;
}

bool blkif_ring_more(struct blkif_ring *ring)
{
    if (load(ring, REQ_PROD) != ring->taken)
        return true;
    store(ring, REQ_EVENT, ring->taken + 1);
    atomic_thread_fence(memory_order_seq_cst);
    return load(ring, REQ_PROD) != ring->taken;
}

void blkif_ring_answer(struct blkif_ring *ring, uint64_t id, uint8_t op, int16_t status)
{
    uint8_t *e = slot(ring, ring->answered++);

    memcpy(e, &id, sizeof(id));
    e[8] = op;
    memcpy(e + 10, &status, sizeof(status));
}

bool blkif_ring_push(struct blkif_ring *ring)
{
    uint32_t before = ring->pushed;

    ring->pushed = ring->answered;
    store(ring, RSP_PROD, ring->pushed);
    atomic_thread_fence(memory_order_seq_cst);
    return ring->pushed - load(ring, RSP_EVENT) < ring->pushed - before;
}

void blkif_decode_segments(const uint8_t *page, unsigned count, struct blkif_segment *segments)
{
    for (unsigned i = 0; i < count; i++, page += SEGMENT_BYTES)
        segments[i] = (struct blkif_segment){.ref = get32(page), .first = page[4], .last = page[5]};
}

bool blkif_known(const struct blkif_copy *r)
{
    if (r->indirect)
        return (r->op == BLKIF_READ || r->op == BLKIF_WRITE) && r->segments &&
               r->segments <= BLKIF_MAX_SEGMENTS;
    switch (r->op) {
    case BLKIF_READ:
    case BLKIF_WRITE:
        return r->segments && r->segments <= DIRECT_MAX;
    case BLKIF_FLUSH:
        return r->segments <= DIRECT_MAX;
    default:
        return r->op == BLKIF_DISCARD;
    }
}

bool blkif_check(const struct blkif_copy *r, const struct blkif_segment *segments, uint64_t sectors,
                 size_t *bytes)
{
    uint64_t count = 0;

    *bytes = 0;
    if (r->op == BLKIF_DISCARD) {
        count = r->sectors;
    } else {
        for (unsigned i = 0; i < r->segments; i++) {
            const struct blkif_segment *s = &segments[i];
            if (s->first > s->last || s->last >= BLKIF_PAGE / BLKIF_SECTOR)
                return false;
            count += (uint64_t)s->last - s->first + 1;
        }
        *bytes = (size_t)(count * BLKIF_SECTOR);
        if (r->op == BLKIF_FLUSH && !count)
            return true;
    }
    return count && r->sector < sectors && count <= sectors - r->sector;
}
