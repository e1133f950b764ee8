/* SPDX-License-Identifier: GPL-2.0-or-later */
/* prd: physical region descriptors of disk controllers (see prd.h). */
#include "hw/pc/prd.h"

#include <string.h>

#define ENTRY_MAX      16u
#define BATCH          32u         /* descriptors fetched by one read of guest memory */
#define BUS_MASTER_EOT 0x80000000u /* of the second double word */
#define AHCI_COUNT     0x3FFFFFu   /* of the fourth: bytes - 1, bit 0 is always 1 */
#define AHCI_INTERRUPT 0x80000000u

const struct state_field prd_cursor_state[] = {
    STATE_UINT(struct prd_cursor, next),
    STATE_UINT(struct prd_cursor, addr),
    STATE_LIMIT(struct prd_cursor, left, AHCI_COUNT + 1),
    STATE_LIMIT(struct prd_cursor, more, 0xFFFF),
    STATE_UINT(struct prd_cursor, done),
    STATE_BOOL(struct prd_cursor, last),
    STATE_BOOL(struct prd_cursor, notify),
    STATE_FIELDS_END,
};

struct prd_cursor prd_start(enum prd_format format, uint64_t address, uint32_t entries)
{
    return (struct prd_cursor){
        .next = address,
        .more = format == PRD_AHCI ? entries : 0,
        .last = format == PRD_AHCI && !entries,
    };
}

static uint32_t le32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Descriptors fetched ahead, for the length of one walk only. */
struct prds {
    uint8_t bytes[BATCH * ENTRY_MAX];
    unsigned next, count;
};

/* Addresses of a bus master have 32 bits, and wrap. */
static uint64_t mask(const struct prd_table *t)
{
    return t->format == PRD_BUS_MASTER ? UINT32_MAX : UINT64_MAX;
}

static bool fetch(const struct prd_table *t, const struct prd_cursor *c, struct prds *prds,
                  unsigned size)
{
    uint64_t from = c->next & mask(t);
    /* Not beyond the page: what follows the table's end need not be RAM. */
    unsigned n = (0x1000 - (unsigned)(from & 0xFFF)) / size;

    if (t->format == PRD_AHCI && n > c->more) {
        n = c->more;
    }
    if (n > BATCH) {
        n = BATCH;
    }
    if (!n) {
        n = 1;
    }
    prds->next = 0;
    prds->count = n;
    return dma_read(t->dma, from, prds->bytes, n * size);
}

/* Takes the next region; false: the descriptor is not in RAM. Each is read once in a walk. */
static bool next_region(const struct prd_table *t, struct prd_cursor *c, struct prds *prds)
{
    unsigned size = t->format == PRD_AHCI ? 16 : 8;

    if (prds->next == prds->count && !fetch(t, c, prds, size)) {
        return false;
    }
    const uint8_t *prd = prds->bytes + size * prds->next++;
    if (t->format == PRD_AHCI) {
        uint32_t count = le32(prd + 12);
        c->addr = (le32(prd) & ~1u) | (uint64_t)le32(prd + 4) << 32;
        c->left = ((count & AHCI_COUNT) | 1) + 1;
        c->notify |= (count & AHCI_INTERRUPT) != 0;
        c->more--;
        c->last = !c->more;
    } else {
        uint32_t count = le32(prd + 4);
        c->addr = le32(prd) & ~1u;
        c->left = count & 0xFFFE ? count & 0xFFFE : 0x10000;
        c->last = count & BUS_MASTER_EOT;
    }
    c->next = (c->next + size) & mask(t);
    return true;
}

/* Bytes of the present region that lie in one piece, at most `want`, which is not 0. */
static size_t region_run(const struct prd_table *t, const struct prd_cursor *c, size_t want)
{
    uint64_t n = want < c->left ? want : c->left;
    uint64_t before_end = mask(t) - (c->addr & mask(t));
    return (size_t)(n - 1 < before_end ? n : before_end + 1);
}

static void advance(const struct prd_table *t, struct prd_cursor *c, size_t n)
{
    c->addr = (c->addr + n) & mask(t);
    c->left -= (uint32_t)n;
    c->done += (uint32_t)n;
}

/* There is a byte at the cursor; false: the end, or (*bad) a descriptor that is not in RAM. */
static bool have_region(const struct prd_table *t, struct prd_cursor *c, struct prds *prds,
                        bool *bad)
{
    if (c->left) {
        return true;
    }
    if (c->last || (t->format == PRD_AHCI && !c->more)) {
        return false;
    }
    if (!next_region(t, c, prds)) {
        *bad = true;
        return false;
    }
    return true;
}

size_t prd_gather(const struct prd_table *t, struct prd_cursor *c, struct dma_sg *sg, size_t want,
                  bool *bad)
{
    struct prds prds = {.count = 0};
    size_t done = 0;

    while (done < want && have_region(t, c, &prds, bad)) {
        size_t n = region_run(t, c, want - done);
        size_t fitted = dma_sg_add(sg, c->addr & mask(t), n);
        advance(t, c, fitted);
        done += fitted;
        if (fitted < n) {
            break;
        }
    }
    if (sg->bad) {
        *bad = true;
    }
    return done;
}

size_t prd_copy(const struct prd_table *t, struct prd_cursor *c, void *buf, size_t len,
                bool to_guest, bool *bad)
{
    struct prds prds = {.count = 0};
    uint8_t *p = buf;
    size_t done = 0;

    while (done < len && have_region(t, c, &prds, bad)) {
        size_t n = region_run(t, c, len - done);
        uint64_t addr = c->addr & mask(t);
        if (!(to_guest ? dma_write(t->dma, addr, p + done, n)
                       : dma_read(t->dma, addr, p + done, n))) {
            *bad = true;
            break;
        }
        advance(t, c, n);
        done += n;
    }
    return done;
}

size_t prd_pin(const struct prd_table *t, struct dma_sg *sg, bool to_guest, size_t want,
               struct prd_cursor *after, bool *bad)
{
    for (;;) {
        *after = t->at;
        dma_sg_init(sg, t->dma, to_guest);
        size_t got = prd_gather(t, after, sg, want, bad);
        if (got == want && !*bad) {
            return got;
        }
        dma_sg_finish(sg, 0);
        if (*bad || got < PRD_UNIT) {
            return 0;
        }
        want = got / PRD_UNIT * PRD_UNIT; /* the list is full, or the table at its end */
    }
}
