/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bmdma: bus-master registers of one IDE channel and its descriptor walk (see bmdma.h). */
#include "hw/pc/bmdma.h"

#include <string.h>

#define PRD_BYTES 8u
#define PRD_BATCH 32u         /* descriptors fetched by one read of guest memory */
#define PRD_EOT   0x80000000u /* of the second double word */

static const struct state_field cursor_state[] = {
    STATE_UINT(struct bmdma_cursor, next),
    STATE_UINT(struct bmdma_cursor, addr),
    STATE_LIMIT(struct bmdma_cursor, left, 0x10000),
    STATE_BOOL(struct bmdma_cursor, last),
    STATE_FIELDS_END,
};

const struct state_field bmdma_state[] = {
    STATE_LIMIT(struct bmdma, command, BMDMA_CMD_READ | BMDMA_CMD_START),
    STATE_LIMIT(struct bmdma, status, 0x7F),
    STATE_UINT(struct bmdma, table),
    STATE_STRUCT(struct bmdma, cursor, cursor_state),
    STATE_FIELDS_END,
};

uint8_t bmdma_read(const struct bmdma *bm, unsigned reg)
{
    switch (reg) {
    case 0:
        return bm->command;
    case 2:
        return bm->status;
    case 4:
    case 5:
    case 6:
    case 7:
        return (uint8_t)(bm->table >> 8 * (reg - 4));
    default:
        return 0;
    }
}

static enum bmdma_event command_write(struct bmdma *bm, uint8_t value)
{
    bool start = value & BMDMA_CMD_START;
    bool was = bm->command & BMDMA_CMD_START;

    /* Rev 1.0, 3.1: the direction must not be changed while the engine is active. */
    if (!bmdma_active(bm)) {
        bm->command = value & BMDMA_CMD_READ;
    }
    bm->command = (uint8_t)((bm->command & BMDMA_CMD_READ) | (start ? BMDMA_CMD_START : 0));
    if (start && !was) {
        bm->cursor = (struct bmdma_cursor){.next = bm->table};
        bm->status |= BMDMA_STATUS_ACTIVE;
        return BMDMA_STARTED;
    }
    if (!start && was) {
        bool active = bmdma_active(bm);
        bm->status &= (uint8_t)~BMDMA_STATUS_ACTIVE;
        return active ? BMDMA_STOPPED : BMDMA_NONE;
    }
    return BMDMA_NONE;
}

enum bmdma_event bmdma_write(struct bmdma *bm, unsigned reg, uint8_t value)
{
    switch (reg) {
    case 0:
        return command_write(bm, value);
    case 2: /* error and interrupt: written 1 to clear */
        bm->status &= (uint8_t) ~(value & (BMDMA_STATUS_ERROR | BMDMA_STATUS_INT));
        bm->status = (uint8_t)((bm->status & ~BMDMA_STATUS_DRIVES) | (value & BMDMA_STATUS_DRIVES));
        break;
    case 4:
        value &= 0xFC; /* the table is aligned to a double word */
        /* fall through */
    case 5:
    case 6:
    case 7:
        bm->table &= ~(UINT32_C(0xFF) << 8 * (reg - 4));
        bm->table |= (uint32_t)value << 8 * (reg - 4);
        break;
    default:
        break;
    }
    return BMDMA_NONE;
}

static uint32_t le32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Descriptors fetched ahead, for the length of one walk only. */
struct prds {
    uint8_t bytes[PRD_BATCH * PRD_BYTES];
    unsigned next, count;
};

/* Takes the next region; false: the descriptor is not in RAM. Each 8-byte descriptor is read once.
 */
static bool next_region(const struct bmdma *bm, struct bmdma_cursor *c, struct prds *prds)
{
    if (prds->next == prds->count) {
        /* Not beyond the page: what follows the table's end need not be RAM. */
        unsigned n = (0x1000 - (c->next & 0xFFF)) / PRD_BYTES;
        if (n > PRD_BATCH) {
            n = PRD_BATCH;
        }
        if (!n) {
            n = 1;
        }
        prds->next = 0;
        prds->count = n;
        if (!dma_read(bm->dma, c->next, prds->bytes, n * PRD_BYTES)) {
            return false;
        }
    }
    const uint8_t *prd = prds->bytes + PRD_BYTES * prds->next++;
    uint32_t count = le32(prd + 4);
    c->addr = le32(prd) & ~1u;
    c->left = count & 0xFFFE ? count & 0xFFFE : 0x10000;
    c->last = count & PRD_EOT;
    c->next += PRD_BYTES;
    return true;
}

/* Bytes of the present region that lie in one piece: addresses have 32 bits and wrap. */
static size_t region_run(const struct bmdma_cursor *c, size_t want)
{
    uint64_t n = want < c->left ? want : c->left;
    uint64_t top = (UINT64_C(1) << 32) - c->addr;
    return (size_t)(n < top ? n : top);
}

size_t bmdma_gather(const struct bmdma *bm, struct bmdma_cursor *c, struct dma_sg *sg, size_t want,
                    bool *bad)
{
    struct prds prds = {.count = 0};
    size_t done = 0;

    while (done < want) {
        if (!c->left && (c->last || !next_region(bm, c, &prds))) {
            *bad = !c->last;
            break;
        }
        size_t n = region_run(c, want - done);
        size_t fitted = dma_sg_add(sg, c->addr, n);
        c->addr += (uint32_t)fitted;
        c->left -= (uint32_t)fitted;
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

size_t bmdma_copy(const struct bmdma *bm, struct bmdma_cursor *c, void *buf, size_t len,
                  bool to_guest, bool *bad)
{
    struct prds prds = {.count = 0};
    uint8_t *p = buf;
    size_t done = 0;

    while (done < len) {
        if (!c->left && (c->last || !next_region(bm, c, &prds))) {
            *bad = !c->last;
            break;
        }
        size_t n = region_run(c, len - done);
        if (!(to_guest ? dma_write(bm->dma, c->addr, p + done, n)
                       : dma_read(bm->dma, c->addr, p + done, n))) {
            *bad = true;
            break;
        }
        c->addr += (uint32_t)n;
        c->left -= (uint32_t)n;
        done += n;
    }
    return done;
}

void bmdma_finished(struct bmdma *bm)
{
    if (bmdma_exhausted(&bm->cursor)) {
        bm->status &= (uint8_t)~BMDMA_STATUS_ACTIVE;
    }
}

void bmdma_halt(struct bmdma *bm, bool error)
{
    bm->status &= (uint8_t)~BMDMA_STATUS_ACTIVE;
    if (error) {
        bm->status |= BMDMA_STATUS_ERROR;
    }
}
