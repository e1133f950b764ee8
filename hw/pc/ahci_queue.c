/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ahci_queue: native command queuing: READ and WRITE FPDMA QUEUED, up to 32 at a time, each with a
 * request of its own to the image (see ahci.h). Serial ATA 2.5 13.6; ATA8-ACS 7.24, 7.61.
 */
#include <errno.h>

#include "hw/pc/ahci_int.h"
#include "hw/pc/ata.h"

#define WRITE_QUEUED  0x61
#define FORCE_ACCESS  0x80 /* FUA, in the device register */
#define SDB_FIS       0xA1
#define SDB_FIS_PLACE 0x58
#define SDB_INTERRUPT 0x40
#define SDB_STATUS    0x77 /* the bits of the status register that it carries */
#define NOT_QUEUED    0x80 /* in the error log, instead of a tag */

static struct ide_drive *drive(struct ahci_port *p)
{
    return &p->ch.drive[0];
}

static uint32_t bit(const struct ahci_tag *t)
{
    return 1u << (t - t->port->tag);
}

static struct ahci_flight *flight(struct ahci_tag *t)
{
    return &t->port->flight[t - t->port->tag];
}

/* Set Device Bits: commands that have ended, or none and an error. */
static void send_bits(struct ahci_port *p, uint32_t ended)
{
    const struct ide_drive *d = drive(p);
    uint8_t fis[8] = {
        SDB_FIS,        SDB_INTERRUPT,         d->status & SDB_STATUS, d->error,
        (uint8_t)ended, (uint8_t)(ended >> 8), (uint8_t)(ended >> 16), (uint8_t)(ended >> 24)};

    ahci_store_fis(p, SDB_FIS_PLACE, fis, sizeof(fis));
    p->sact &= ~ended;
    p->is |= AHCI_IS_SDBS;
}

static void release(struct ahci_tag *t)
{
    t->phase = AHCI_TAG_FREE;
    t->port->queued &= ~bit(t);
}

static void finish(struct ahci_tag *t)
{
    struct ahci_port *p = t->port;

    drive(p)->status = IDE_DRDY | IDE_DSC;
    drive(p)->error = 0;
    release(t);
    send_bits(p, bit(t));
}

/* The queue stops: the device remembers why, and takes no command before it has been asked. */
static void fail_queue(struct ahci_port *p, const struct ide_queue_error *e)
{
    struct ide_drive *d = drive(p);

    d->status = e->status;
    d->error = e->error;
    p->ch.queue_error = *e;
    p->queue_failed = true;
    ahci_queue_abandon(p);
}

static void fail(struct ahci_tag *t, uint8_t error)
{
    struct ahci_port *p = t->port;
    struct ide_drive *d = drive(p);
    struct ide_queue_error e = {
        .tag = (uint8_t)(t - p->tag),
        .status = IDE_DRDY | IDE_DSC | IDE_ERR,
        .error = error,
        .device = IDE_DEVICE_LBA,
        .count = (uint16_t)(t->left >> d->shift),
        .lba = t->lba >> d->shift,
    };

    fail_queue(p, &e);
    send_bits(p, 0);
    ahci_port_halt(p, AHCI_IS_TFES);
}

void ahci_queue_mixed(struct ahci_port *p)
{
    struct ide_queue_error e = {
        .tag = NOT_QUEUED, .status = IDE_DRDY | IDE_DSC | IDE_ERR, .error = IDE_ERROR_ABRT};
    fail_queue(p, &e);
}

/* The medium failed. */
static void medium_error(struct ahci_tag *t, int error)
{
    struct ahci_port *p = t->port;
    struct ide_drive *d = drive(p);
    uint64_t now = clock_now(p->ch.clock);
    bool flush = t->phase == AHCI_TAG_FLUSH;

    ide_log_error(d, now, flush ? "flush" : t->writing ? "write" : "read", t->lba, error);
    fail(t, error == EINVAL       ? IDE_ERROR_IDNF /* the image has become shorter */
            : flush || t->writing ? IDE_ERROR_ABRT
                                  : IDE_ERROR_UNC);
    ata_smart_error(d, t->writing ? WRITE_QUEUED : WRITE_QUEUED - 1, t->lba >> d->shift, t->left,
                    now);
}

/* The descriptors end too early, or lead to what is not RAM. */
static void broken(struct ahci_tag *t, bool bad)
{
    if (bad) {
        ahci_port_halt(t->port, AHCI_IS_HBFS);
        ahci_queue_abandon(t->port);
    } else {
        t->port->is |= AHCI_IS_OFS;
        fail(t, IDE_ERROR_ABRT);
    }
}

static void request_done(struct block_request *request, int error);

static void submit(struct ahci_tag *t, enum block_op op, uint32_t sectors, const struct iovec *iov,
                   int iovcnt)
{
    struct ahci_port *p = t->port;
    struct ahci_flight *f = flight(t);

    f->request = (struct block_request){
        .op = op,
        .offset = op == BLOCK_FLUSH ? 0 : t->lba * IDE_SECTOR,
        .bytes = (size_t)sectors * IDE_SECTOR,
        .iov = iov,
        .iovcnt = iovcnt,
        .own_memory = iov == &f->iov,
        .done = request_done,
        .opaque = f,
    };
    f->tag = t;
    f->block = drive(p)->block;
    p->flying |= bit(t);
    block_submit(f->block, &f->request);
}

/* Less than a sector fits a scatter list, or is left in the table: one sector by our own memory. */
static void move_bounced(struct ahci_tag *t)
{
    struct ahci_flight *f = flight(t);
    bool bad = false;

    f->after = t->prd.at;
    if (t->writing &&
        prd_copy(&t->prd, &f->after, f->bounce, IDE_SECTOR, false, &bad) < IDE_SECTOR) {
        broken(t, bad);
        return;
    }
    f->iov = (struct iovec){.iov_base = f->bounce, .iov_len = IDE_SECTOR};
    submit(t, t->writing ? BLOCK_WRITE : BLOCK_READ, 1, &f->iov, 1);
}

static void move(struct ahci_tag *t)
{
    struct ahci_flight *f = flight(t);
    size_t want = (size_t)(t->left < t->piece ? t->left : t->piece) * IDE_SECTOR;
    bool bad = false;

    if (prd_exhausted(&t->prd.at)) {
        broken(t, false);
        return;
    }
    size_t bytes = prd_pin(&t->prd, &f->sg, !t->writing, want, &f->after, &bad);
    if (bad) {
        broken(t, true);
    } else if (!bytes) {
        move_bounced(t);
    } else {
        f->pinned = true;
        submit(t, t->writing ? BLOCK_WRITE : BLOCK_READ, (uint32_t)(bytes / IDE_SECTOR), f->sg.iov,
               (int)f->sg.count);
    }
}

/* Does what the command waits for, if it can be done now. */
static void kick(struct ahci_tag *t)
{
    struct ahci_port *p = t->port;

    if (p->ch.parked || (p->flying & bit(t)) || !ahci_may_master(p->hba)) {
        return;
    }
    if (t->phase == AHCI_TAG_MOVE) {
        move(t);
    } else if (t->phase == AHCI_TAG_FLUSH) {
        submit(t, BLOCK_FLUSH, 0, NULL, 0);
    }
}

void ahci_queue_kick(struct ahci_port *p)
{
    for (unsigned i = 0; i < AHCI_SLOTS && p->queued; i++) {
        if (p->queued & 1u << i) {
            kick(&p->tag[i]);
        }
    }
}

/* `sectors` have moved between medium and memory. */
static void moved(struct ahci_tag *t, uint32_t sectors, bool bounced)
{
    struct ahci_flight *f = flight(t);

    if (!t->writing && bounced) {
        bool bad = false;
        if (prd_copy(&t->prd, &f->after, f->bounce, IDE_SECTOR, true, &bad) < IDE_SECTOR) {
            broken(t, bad);
            return;
        }
    }
    t->prd.at = f->after;
    t->lba += sectors;
    t->left -= sectors;
    if (t->left) {
        kick(t);
    } else if (t->flush_after) {
        t->phase = AHCI_TAG_FLUSH;
        kick(t);
    } else {
        finish(t);
    }
}

static void request_done(struct block_request *request, int error)
{
    struct ahci_flight *f = request->opaque;
    struct ahci_tag *t = f->tag;
    struct ahci_port *p = t->port;
    uint32_t sectors = (uint32_t)(request->bytes / IDE_SECTOR);
    bool bounced = !f->pinned;

    p->flying &= ~bit(t);
    if (f->pinned) {
        /* A failed read may have written part of it: count it as dirty whole. */
        f->pinned = false;
        dma_sg_finish(&f->sg, f->sg.to_guest ? f->sg.bytes : 0);
    }
    if (p->leaving & bit(t)) {
        p->leaving &= ~bit(t);
    } else if (error && sectors > 1) {
        t->piece = sectors / 2; /* until the bad sector is alone, as ide_transfer.c does */
        kick(t);
    } else if (error) {
        medium_error(t, error);
    } else if (t->phase == AHCI_TAG_FLUSH) {
        finish(t);
    } else {
        moved(t, sectors, bounced);
    }
    ahci_port_run(p);
    ahci_update(p->hba);
}

void ahci_queue_abandon(struct ahci_port *p)
{
    for (unsigned i = 0; i < AHCI_SLOTS && p->queued; i++) {
        struct ahci_tag *t = &p->tag[i];
        if (p->queued & 1u << i) {
            release(t);
        }
    }
    for (unsigned i = 0; i < AHCI_SLOTS && p->flying; i++) {
        if (p->flying & ~p->leaving & 1u << i) {
            block_cancel(p->flight[i].block, &p->flight[i].request);
        }
    }
    p->leaving = p->flying;
}

void ahci_queue_drain(struct ahci_port *p)
{
    bool parked = p->ch.parked;

    p->ch.parked = true;
    for (unsigned i = 0; i < AHCI_SLOTS; i++) {
        if (p->flying & 1u << i) {
            block_drain(p->flight[i].block);
        }
    }
    p->ch.parked = parked;
}

void ahci_queue_start(struct ahci_port *p, unsigned slot, const uint8_t *fis,
                      const struct prd_cursor *prd)
{
    struct ide_drive *d = drive(p);
    struct ahci_tag *t = &p->tag[slot];
    uint64_t lba = 0;

    for (unsigned i = 0; i < 3; i++) {
        lba |= (uint64_t)fis[4 + i] << 8 * i | (uint64_t)fis[8 + i] << (24 + 8 * i);
    }
    t->phase = AHCI_TAG_MOVE;
    p->queued |= bit(t);
    p->ci &= ~bit(t); /* the device has it, and clears BSY */
    t->writing = fis[2] == WRITE_QUEUED;
    t->flush_after = t->writing && d->flush_matters && ((fis[7] & FORCE_ACCESS) || !d->write_cache);
    t->lba = lba << d->shift;
    t->left = fis[3] | (uint32_t)fis[11] << 8;
    t->piece = IDE_PIECE;
    t->prd.at = *prd;
    d->status = IDE_DRDY | IDE_DSC;
    d->error = 0;
    d->power = IDE_POWER_ACTIVE;
    d->native_asked = 0;
    if (fis[12] >> 3 != slot || (t->writing && block_read_only(d->block))) {
        fail(t, IDE_ERROR_ABRT);
    } else if (!ata_range(d, t->lba, &t->left, true)) {
        fail(t, IDE_ERROR_IDNF);
    } else {
        kick(t);
    }
}
