/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bmdma: bus-master registers of one IDE channel (see bmdma.h). */
#include "hw/pc/bmdma.h"

const struct state_field bmdma_state[] = {
    STATE_LIMIT(struct bmdma, command, BMDMA_CMD_READ | BMDMA_CMD_START),
    STATE_LIMIT(struct bmdma, status, 0x7F),
    STATE_UINT(struct bmdma, table),
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

void bmdma_finished(struct bmdma *bm, bool exhausted)
{
    if (exhausted) {
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
