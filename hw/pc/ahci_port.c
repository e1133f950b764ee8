/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ahci_port: a port: registers, link, command slots, FISes, and what is not queued: that runs on
 * the port's ATA channel (ide.h). AHCI 1.3.1 3.3 (registers), 4.2 (memory structures), 5 (port
 * operation), 6 (errors), 10.4 (resets); FISes: Serial ATA 2.5, 10.3.
 */
#include <string.h>

#include "hw/pc/ahci_int.h"
#include "hw/pc/ata.h"
#include "hw/pc/atapi.h"

/* Offsets of port registers */
enum {
    PX_CLB = 0x00,
    PX_CLBU = 0x04,
    PX_FB = 0x08,
    PX_FBU = 0x0C,
    PX_IS = 0x10,
    PX_IE = 0x14,
    PX_CMD = 0x18,
    PX_TFD = 0x20,
    PX_SIG = 0x24,
    PX_SSTS = 0x28,
    PX_SCTL = 0x2C,
    PX_SERR = 0x30,
    PX_SACT = 0x34,
    PX_CI = 0x38,
};

#define IE_BITS      0xFDC000FFu
#define IS_LATCHED   (IE_BITS & ~(AHCI_IS_PCS | AHCI_IS_PRCS))
#define CMD_WRITABLE (AHCI_CMD_ST | AHCI_CMD_FRE | AHCI_CMD_ATAPI | AHCI_CMD_DLAE)
#define SCTL_BITS    0xFFFu
#define SCTL_DET     0x00Fu
#define SCTL_SPD     0x0F0u
#define NO_SIGNATURE 0xFFFFFFFFu
#define TFD_NOTHING  0x7Fu /* no device, or not yet */

/* Command header and table (4.2.2, 4.2.3) */
#define HEADER_SIZE  32u
#define HEADER_CFL   0x001Fu /* double words of the command FIS */
#define HEADER_ATAPI 0x0020u
#define TABLE_ACMD   0x40u
#define TABLE_PRDT   0x80u

/* FISes, and their places in the receive area (4.2.1) */
enum { FIS_H2D = 0x27, FIS_D2H = 0x34, FIS_PIO_SETUP = 0x5F };
enum { PLACE_PIO_SETUP = 0x20, PLACE_D2H = 0x40 };
#define FIS_COMMAND   0x80 /* host to device: the command register, not the control register */
#define FIS_INTERRUPT 0x40
#define FIS_TO_HOST   0x20

#define DEVICE_RESET       0x08
#define READ_LOG           0x2F
#define READ_LOG_QUEUE     0x10
#define READ_FPDMA_QUEUED  0x60
#define WRITE_FPDMA_QUEUED 0x61

static const struct state_field tag_state[] = {
    STATE_LIMIT(struct ahci_tag, phase, AHCI_TAG_LAST),
    STATE_BOOL(struct ahci_tag, writing),
    STATE_BOOL(struct ahci_tag, flush_after),
    STATE_UINT(struct ahci_tag, lba),
    STATE_UINT(struct ahci_tag, left),
    STATE_LIMIT(struct ahci_tag, piece, IDE_PIECE, .reset = IDE_PIECE),
    STATE_STRUCT(struct ahci_tag, prd.at, prd_cursor_state),
    STATE_FIELDS_END,
};

const struct state_field ahci_port_state[] = {
    STATE_STRUCT(struct ahci_port, ch, ide_channel_state),
    STATE_UINT(struct ahci_port, clb),
    STATE_UINT(struct ahci_port, fb),
    STATE_UINT(struct ahci_port, is),
    STATE_UINT(struct ahci_port, ie),
    STATE_UINT(struct ahci_port, cmd),
    STATE_LIMIT(struct ahci_port, sctl, SCTL_BITS),
    STATE_UINT(struct ahci_port, serr),
    STATE_UINT(struct ahci_port, sact),
    STATE_UINT(struct ahci_port, ci),
    STATE_UINT(struct ahci_port, sig, .reset = NO_SIGNATURE),
    STATE_LIMIT(struct ahci_port, link, AHCI_LINK_LAST),
    STATE_BOOL(struct ahci_port, signature),
    STATE_BOOL(struct ahci_port, halted),
    STATE_BOOL(struct ahci_port, queue_failed),
    STATE_BOOL(struct ahci_port, deaf),
    STATE_UINT(struct ahci_port, slot, .reset = AHCI_NO_SLOT),
    STATE_UINT(struct ahci_port, opcode),
    STATE_LIMIT(struct ahci_port, last_slot, AHCI_SLOTS - 1, .reset = AHCI_SLOTS - 1),
    STATE_LIMIT(struct ahci_port, ccs, AHCI_SLOTS - 1),
    STATE_UINT(struct ahci_port, flags),
    STATE_UINT(struct ahci_port, header),
    STATE_ARRAY(struct ahci_port, packet),
    STATE_STRUCTS(struct ahci_port, tag, tag_state),
    STATE_FIELDS_END,
};

static struct ide_drive *drive(struct ahci_port *p)
{
    return &p->ch.drive[0];
}

static uint32_t slot_bit(unsigned slot)
{
    return 1u << (slot & (AHCI_SLOTS - 1));
}

static uint64_t le(const uint8_t *from, unsigned bytes)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < bytes; i++) {
        v |= (uint64_t)from[i] << 8 * i;
    }
    return v;
}

bool ahci_port_winding(const struct ahci_port *p)
{
    return p->leaving || (p->ch.in_flight && p->ch.abandoned);
}

void ahci_port_abandon(struct ahci_port *p)
{
    ide_abandon(&p->ch);
    drive(p)->interrupt = false;
    ahci_queue_abandon(p);
    p->slot = AHCI_NO_SLOT;
    p->deaf = false;
}

void ahci_port_halt(struct ahci_port *p, uint32_t is)
{
    p->halted = true;
    p->is |= is;
}

/* --- FISes to the host --- */

void ahci_store_fis(struct ahci_port *p, unsigned offset, const void *fis, size_t len)
{
    if (p->cmd & AHCI_CMD_FRE) {
        dma_write(p->ch.dma, p->fb + offset, fis, len);
    }
}

/* What a register FIS and a PIO setup FIS have alike: the task file. */
static void fill_fis(struct ahci_port *p, uint8_t fis[20], uint8_t type, uint8_t flags)
{
    const struct ide_drive *d = drive(p);

    memset(fis, 0, 20);
    fis[0] = type;
    fis[1] = flags;
    fis[2] = ide_status(&p->ch);
    fis[3] = d->error;
    fis[4] = d->lba_low[0];
    fis[5] = d->lba_mid[0];
    fis[6] = d->lba_high[0];
    fis[7] = d->device;
    fis[8] = d->lba_low[1];
    fis[9] = d->lba_mid[1];
    fis[10] = d->lba_high[1];
    fis[12] = d->count[0];
    fis[13] = d->count[1];
}

static void send_registers(struct ahci_port *p, bool interrupt)
{
    uint8_t fis[20];

    fill_fis(p, fis, FIS_D2H, interrupt ? FIS_INTERRUPT : 0);
    ahci_store_fis(p, PLACE_D2H, fis, sizeof(fis));
    if (interrupt) {
        p->is |= AHCI_IS_DHRS;
    }
}

/* The first FIS of a device after a reset tells the host what it is (10.1.1). */
static void send_signature(struct ahci_port *p)
{
    const struct ide_drive *d = drive(p);

    if (!p->signature || !(p->cmd & AHCI_CMD_FRE)) {
        return;
    }
    p->signature = false;
    p->sig = d->count[0] | (uint32_t)d->lba_low[0] << 8 | (uint32_t)d->lba_mid[0] << 16 |
             (uint32_t)d->lba_high[0] << 24;
    send_registers(p, false);
}

/* --- Data of PIO commands, and command packets: the controller moves them by itself --- */

/* Moves the open DRQ block; false: it cannot. */
static bool move_block(struct ahci_port *p)
{
    struct ide_channel *ch = &p->ch;
    bool in = ch->phase == IDE_DATA_IN, bad = false;
    uint32_t n = ch->drq_end - ch->pos, moved;
    uint8_t *at = ch->buffer + ch->pos;

    if (ch->use == IDE_USE_CDB && (p->flags & HEADER_ATAPI)) {
        memcpy(at, p->packet + ch->pos, n); /* 12 of the 16 bytes */
        return true;
    }
    moved = (uint32_t)prd_copy(&ch->prd, &ch->prd.at, at, n, in, &bad);
    if (bad) {
        ahci_port_abandon(p);
        ahci_port_halt(p, AHCI_IS_HBFS);
        return false;
    }
    if (moved < n) {
        p->is |= AHCI_IS_OFS; /* what the device sends too much is lost (3.3.5) */
        if (!in) {
            ata_abort(ch);
            return false;
        }
    }
    return true;
}

static void move_blocks(struct ahci_port *p)
{
    struct ide_channel *ch = &p->ch;
    struct ide_drive *d = drive(p);

    while ((ch->phase == IDE_DATA_IN || ch->phase == IDE_DATA_OUT) && ahci_may_master(p->hba)) {
        bool interrupt = d->interrupt;
        uint32_t n = ch->drq_end - ch->pos;
        uint8_t fis[20], flags = interrupt ? FIS_INTERRUPT : 0;

        fill_fis(p, fis, FIS_PIO_SETUP,
                 (uint8_t)(flags | (ch->phase == IDE_DATA_IN ? FIS_TO_HOST : 0)));
        d->interrupt = false;
        if (!move_block(p)) {
            return;
        }
        ide_drq_moved(ch, n);
        fis[15] = ide_status(ch); /* E_Status */
        fis[16] = (uint8_t)n;
        fis[17] = (uint8_t)(n >> 8);
        ahci_store_fis(p, PLACE_PIO_SETUP, fis, sizeof(fis));
        if (interrupt) {
            p->is |= AHCI_IS_PSS;
        }
    }
}

/* --- Commands --- */

/* The command in p->slot has come to its end. */
static void complete(struct ahci_port *p)
{
    struct ide_drive *d = drive(p);
    uint32_t bytes = p->ch.prd.at.done;
    uint8_t count[4] = {(uint8_t)bytes, (uint8_t)(bytes >> 8), (uint8_t)(bytes >> 16),
                        (uint8_t)(bytes >> 24)};

    if (bytes) {
        dma_write(p->ch.dma, p->header + 4, count, sizeof(count)); /* PRDBC */
    }
    /* A PIO read ends with its last setup FIS. */
    if (d->interrupt || p->opcode == DEVICE_RESET) {
        send_registers(p, d->interrupt);
        d->interrupt = false;
    }
    if (p->ch.prd.at.notify) {
        p->is |= AHCI_IS_DPS;
    }
    if (d->status & IDE_ERR) {
        ahci_port_halt(p, AHCI_IS_TFES); /* its bit in PxCI stays (6.2.2.1) */
    } else {
        p->ci &= ~slot_bit(p->slot);
        if (p->opcode == READ_LOG) {
            p->queue_failed = false;
        }
    }
    p->slot = AHCI_NO_SLOT;
}

static bool working(const struct ahci_port *p)
{
    return p->ch.phase != IDE_IDLE || p->ch.held || p->deaf;
}

static void take_registers(struct ahci_port *p, const uint8_t *fis)
{
    struct ide_drive *d = drive(p);

    d->feature[0] = fis[3];
    d->feature[1] = fis[11];
    d->lba_low[0] = fis[4];
    d->lba_mid[0] = fis[5];
    d->lba_high[0] = fis[6];
    d->device = fis[7] | 0xA0;
    d->lba_low[1] = fis[8];
    d->lba_mid[1] = fis[9];
    d->lba_high[1] = fis[10];
    d->count[0] = fis[12];
    d->count[1] = fis[13];
}

/* Device control: software reset, in two FISes (10.4.1). */
static void control(struct ahci_port *p, unsigned slot, const uint8_t *fis)
{
    bool was = p->ch.control & IDE_CONTROL_SRST;

    ide_control(&p->ch, fis[15] & IDE_CONTROL_SRST);
    drive(p)->interrupt = false;
    if (p->ch.control & IDE_CONTROL_SRST) {
        ahci_queue_abandon(p);
        p->queue_failed = false;
    } else if (was) {
        p->signature = true;
    }
    p->ci &= ~slot_bit(slot);
}

/* A command that is not queued. */
static void command(struct ahci_port *p, unsigned slot, const uint8_t *fis)
{
    struct ide_drive *d = drive(p);
    uint8_t opcode = fis[2];
    bool asks_log = opcode == READ_LOG && fis[4] == READ_LOG_QUEUE;

    p->slot = (uint8_t)slot;
    p->opcode = opcode;
    if (d->power == IDE_POWER_SLEEP && opcode != DEVICE_RESET) {
        p->deaf = true; /* until a reset */
        return;
    }
    take_registers(p, fis);
    if (p->queued || (p->queue_failed && !asks_log)) {
        if (p->queued) {
            ahci_queue_mixed(p);
        }
        ata_abort(&p->ch);
        return;
    }
    ide_command(&p->ch, opcode);
}

/* Takes the command in `slot` from guest memory: once, and acts on the copy. */
static void start(struct ahci_port *p, unsigned slot)
{
    uint8_t header[16], table[TABLE_ACMD + sizeof(p->packet)];
    uint64_t where = p->clb + HEADER_SIZE * slot;

    p->last_slot = p->ccs = (uint8_t)slot;
    if (!dma_read(p->ch.dma, where, header, sizeof(header))) {
        ahci_port_halt(p, AHCI_IS_HBFS);
        return;
    }
    uint16_t flags = (uint16_t)le(header, 2);
    uint64_t at = le(header + 8, 8) & ~UINT64_C(0x7F);
    struct prd_cursor prd = prd_start(PRD_AHCI, at + TABLE_PRDT, (uint32_t)le(header + 2, 2));
    if (!dma_read(p->ch.dma, at, table, sizeof(table))) {
        ahci_port_halt(p, AHCI_IS_HBFS);
        return;
    }
    if ((flags & HEADER_CFL) < 2 || (flags & HEADER_CFL) > 16 || table[0] != FIS_H2D) {
        ahci_port_halt(p, AHCI_IS_IFS); /* no FIS that a device would take */
        return;
    }
    if (!(table[1] & FIS_COMMAND)) {
        control(p, slot, table);
        return;
    }
    if (p->ch.control & IDE_CONTROL_SRST) {
        ahci_port_halt(p, AHCI_IS_IFS);
        return;
    }
    if (!p->queue_failed && p->ch.drive[0].kind == IDE_DISK &&
        (table[2] == READ_FPDMA_QUEUED || table[2] == WRITE_FPDMA_QUEUED)) {
        ahci_queue_start(p, slot, table, &prd);
        return;
    }
    p->flags = flags;
    p->header = where;
    memcpy(p->packet, table + TABLE_ACMD, sizeof(p->packet));
    p->ch.prd.at = prd;
    command(p, slot, table);
}

/* Fetches the next command; false: there is none, or it has to wait. */
static bool fetch(struct ahci_port *p)
{
    if (!p->ci || p->halted || p->slot != AHCI_NO_SLOT || !(p->cmd & AHCI_CMD_ST) ||
        !ahci_present(p) || p->link != AHCI_LINK_UP || p->signature || ahci_port_winding(p) ||
        !ahci_may_master(p->hba) || p->hba->resetting) {
        return false;
    }
    unsigned slot = p->last_slot;
    do {
        slot = (slot + 1) % AHCI_SLOTS; /* in turn (5.3.2.4) */
    } while (!(p->ci & slot_bit(slot)));
    start(p, slot);
    return true;
}

/* COMRESET is over, and nothing of before is left. */
static void start_device(struct ahci_port *p)
{
    p->link = AHCI_LINK_UP;
    p->sig = NO_SIGNATURE;
    p->queue_failed = false;
    p->ch.queue_error = (struct ide_queue_error){.tag = 0x80};
    ide_power_on(&p->ch);
    if (ahci_present(p)) {
        p->signature = true;
        p->serr |= AHCI_SERR_X;
    }
}

void ahci_port_run(struct ahci_port *p)
{
    if (p->ch.parked) {
        return;
    }
    if (p->link == AHCI_LINK_STARTING && !ahci_port_winding(p)) {
        start_device(p);
    }
    do {
        send_signature(p);
        move_blocks(p);
        if (p->slot != AHCI_NO_SLOT && !working(p)) {
            complete(p);
        }
    } while (fetch(p));
}

/* --- The port in front of its ATA channel --- */

static enum ide_engine engine(const struct ide_channel *ch)
{
    const struct ahci_port *p = (const struct ahci_port *)ch;
    return ahci_may_master(p->hba) ? IDE_ENGINE_RUNS : IDE_ENGINE_WAITS;
}

/* 6.1: memory that is not there is fatal to the port; a table that is too short to the command. */
static void broken(struct ide_channel *ch, bool bad)
{
    struct ahci_port *p = (struct ahci_port *)ch;

    if (bad) {
        ahci_port_abandon(p);
        ahci_port_halt(p, AHCI_IS_HBFS);
    } else {
        p->is |= AHCI_IS_OFS;
        ata_abort(ch);
    }
}

static void settle(struct ide_channel *ch)
{
    struct ahci_port *p = (struct ahci_port *)ch;

    ahci_port_run(p);
    ahci_update(p->hba);
}

const struct ide_front ahci_front = {
    .serial = true,
    .engine = engine,
    .broken = broken,
    .settle = settle,
};

/* --- Registers --- */

static uint32_t task_file(const struct ahci_port *p)
{
    if (!ahci_present(p) || p->link == AHCI_LINK_RESET || p->link == AHCI_LINK_OFF) {
        return TFD_NOTHING;
    }
    if (p->link == AHCI_LINK_STARTING || p->signature) {
        return IDE_BSY;
    }
    uint8_t status = ide_status(&p->ch);
    if (p->slot != AHCI_NO_SLOT || ahci_port_winding(p)) {
        status |= status & IDE_DRQ ? 0 : IDE_BSY;
    }
    return status | (uint32_t)p->ch.drive[0].error << 8;
}

static uint32_t sata_status(const struct ahci_port *p)
{
    if (p->link == AHCI_LINK_OFF) {
        return 4;
    }
    if (!ahci_present(p) || p->link == AHCI_LINK_RESET) {
        return 0;
    }
    /* Active, at 3 Gb/s or what it is limited to, device there */
    return (p->sctl & SCTL_SPD) == 0x10 ? 0x113 : 0x123;
}

static uint32_t command_status(const struct ahci_port *p)
{
    uint32_t v = p->cmd | AHCI_CMD_SUD | AHCI_CMD_POD;

    if (p->cmd & AHCI_CMD_FRE) {
        v |= AHCI_CMD_FR;
    }
    if (p->cmd & AHCI_CMD_ST) {
        v |= AHCI_CMD_CR | (uint32_t)p->ccs << 8;
    } else if (ahci_port_winding(p)) {
        v |= AHCI_CMD_CR; /* not off before nothing reaches memory any more (3.3.7) */
    }
    return v;
}

static uint32_t interrupt_status(const struct ahci_port *p)
{
    return p->is | (p->serr & AHCI_SERR_X ? AHCI_IS_PCS : 0) |
           (p->serr & AHCI_SERR_N ? AHCI_IS_PRCS : 0);
}

uint32_t ahci_port_interrupts(const struct ahci_port *p)
{
    return interrupt_status(p) & p->ie;
}

uint32_t ahci_port_read(const struct ahci_port *p, unsigned reg)
{
    switch (reg) {
    case PX_CLB:
        return (uint32_t)p->clb;
    case PX_CLBU:
        return (uint32_t)(p->clb >> 32);
    case PX_FB:
        return (uint32_t)p->fb;
    case PX_FBU:
        return (uint32_t)(p->fb >> 32);
    case PX_IS:
        return interrupt_status(p);
    case PX_IE:
        return p->ie;
    case PX_CMD:
        return command_status(p);
    case PX_TFD:
        return task_file(p);
    case PX_SIG:
        return p->sig;
    case PX_SSTS:
        return sata_status(p);
    case PX_SCTL:
        return p->sctl;
    case PX_SERR:
        return p->serr;
    case PX_SACT:
        return p->sact;
    case PX_CI:
        return p->ci;
    default:
        return 0; /* no notifications, no FIS-based switching, no sleep */
    }
}

static void set_low(uint64_t *v, uint32_t low)
{
    *v = (*v & ~UINT64_C(0xFFFFFFFF)) | low;
}

static void set_high(uint64_t *v, uint32_t high)
{
    *v = (*v & 0xFFFFFFFF) | (uint64_t)high << 32;
}

static void command_write(struct ahci_port *p, uint32_t value)
{
    bool was = p->cmd & AHCI_CMD_ST;

    p->cmd = value & CMD_WRITABLE;
    if (was && !(p->cmd & AHCI_CMD_ST)) {
        p->ci = p->sact = 0;
        p->halted = false;
        p->last_slot = AHCI_SLOTS - 1; /* the first to be looked at is slot 0 */
        p->ccs = 0;
        ahci_port_abandon(p);
    }
}

static void sata_control_write(struct ahci_port *p, uint32_t value)
{
    unsigned det = value & SCTL_DET, was = p->sctl & SCTL_DET;

    p->sctl = value & SCTL_BITS;
    if (det == was) {
        return;
    }
    /* 3.3.11: only to be changed while the engine is off; what it then had to do it must not start
     * again. */
    ahci_port_abandon(p);
    p->halted = (p->cmd & AHCI_CMD_ST) != 0;
    if (det == 1) {
        p->link = AHCI_LINK_RESET;
    } else if (det == 4) {
        p->link = AHCI_LINK_OFF;
    } else if (p->link != AHCI_LINK_UP) {
        p->link = AHCI_LINK_STARTING;
    }
    if (p->link != AHCI_LINK_UP) {
        p->signature = false;
        p->sig = NO_SIGNATURE;
    }
}

void ahci_port_write(struct ahci_port *p, unsigned reg, uint32_t value)
{
    bool running = p->cmd & AHCI_CMD_ST;

    switch (reg) {
    case PX_CLB:
        set_low(&p->clb, value & ~0x3FFu);
        break;
    case PX_CLBU:
        set_high(&p->clb, value);
        break;
    case PX_FB:
        set_low(&p->fb, value & ~0xFFu);
        break;
    case PX_FBU:
        set_high(&p->fb, value);
        break;
    case PX_IS:
        p->is &= ~value;
        break;
    case PX_IE:
        p->ie = value & IE_BITS;
        break;
    case PX_CMD:
        command_write(p, value);
        break;
    case PX_SCTL:
        sata_control_write(p, value);
        break;
    case PX_SERR:
        p->serr &= ~value;
        break;
    case PX_SACT:
        p->sact |= running ? value : 0; /* 3.3.13, 3.3.14: set by software, cleared by hardware */
        break;
    case PX_CI:
        p->ci |= running ? value : 0;
        break;
    default:
        break;
    }
    ahci_port_run(p);
}

void ahci_port_reset(struct ahci_port *p)
{
    p->is = p->ie = p->cmd = p->sctl = p->serr = p->sact = p->ci = 0;
    p->halted = p->signature = false;
    p->last_slot = AHCI_SLOTS - 1;
    p->ccs = 0;
    p->link = AHCI_LINK_STARTING; /* no staggered spin-up: the devices start by themselves */
}

bool ahci_port_loaded(struct ahci_port *p, struct err *err)
{
    if (!ide_channel_loaded(&p->ch, err)) {
        return false;
    }
    p->cmd &= CMD_WRITABLE;
    p->ie &= IE_BITS;
    p->is &= IS_LATCHED;
    p->queued = p->leaving = 0;
    p->ch.abandoned = false;
    if (p->ch.selected || (p->slot >= AHCI_SLOTS && p->slot != AHCI_NO_SLOT) ||
        (p->slot == AHCI_NO_SLOT && p->ch.phase != IDE_IDLE)) {
        return err_set(err, "ahci: saved command of port %u does not fit slot %u", p->number,
                       p->slot);
    }
    for (unsigned i = 0; i < AHCI_SLOTS; i++) {
        struct ahci_tag *t = &p->tag[i];
        if (t->phase == AHCI_TAG_FREE) {
            continue;
        }
        if (p->ch.drive[0].kind != IDE_DISK || !t->piece || t->lba > UINT64_C(1) << 51 ||
            t->left > 65536u << p->ch.drive[0].shift || (t->phase == AHCI_TAG_MOVE) == !t->left) {
            return err_set(err, "ahci: saved queued command %u of port %u is out of range", i,
                           p->number);
        }
        p->queued |= slot_bit(i);
    }
    return true;
}
