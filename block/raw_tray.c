/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * raw_tray: a CD drive of the host's as an image: what the guest does to the tray is done to it,
 * and its medium is looked at, on a worker (a drive that spins up takes seconds), while the guest
 * asks. Linux: Documentation/userspace-api/ioctl/cdrom.rst.
 */
#include "block/raw.h"

#include <limits.h>
#include <linux/cdrom.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "hw/core/log.h"

#define LOOK_NS NS_PER_S /* between two looks */

/* On a worker. */
static void work(struct worker_job *w)
{
    struct raw_tray *t = (struct raw_tray *)(void *)w;

    for (unsigned what = 0; what < BLOCK_TRAY_COUNT; what++) {
        if (!(t->doing >> what & 1))
            continue;
        /* A drive that cannot has said so to the guest, by what it then still is. */
        if (what == BLOCK_TRAY_LOCK || what == BLOCK_TRAY_UNLOCK)
            ioctl(t->fd, CDROM_LOCKDOOR, what == BLOCK_TRAY_LOCK);
        else
            ioctl(t->fd, what == BLOCK_TRAY_OPEN ? CDROMEJECT : CDROMCLOSETRAY);
    }
    uint64_t bytes = 0;
    t->bytes = 0;
    if (ioctl(t->fd, CDROM_DRIVE_STATUS, CDSL_CURRENT) == CDS_DISC_OK &&
        ioctl(t->fd, BLKGETSIZE64, &bytes) == 0 && bytes <= INT64_MAX)
        t->bytes = bytes / 512 * 512;
    t->changed = ioctl(t->fd, CDROM_MEDIA_CHANGED, CDSL_CURRENT) == 1;
}

static void start(struct raw *raw)
{
    struct raw_tray *t = raw->tray;

    if (t->busy)
        return;
    t->busy = true;
    t->doing = t->wanted;
    t->wanted = 0;
    t->looked = clock_now(loop_clock(raw->block->loop));
    t->job.run = work;
    workers_submit(&raw->port, &t->job);
}

bool raw_tray_done(struct raw *raw, struct worker_job *job)
{
    struct raw_tray *t = raw->tray;
    struct block *block = raw->block;

    if (!t || job != &t->job)
        return false;
    t->busy = false;
    if (t->wanted)
        start(raw);
    if (t->bytes == block->bytes && !(t->changed && t->bytes))
        return true;
    block->bytes = raw->file.bytes = t->bytes;
    if (t->bytes)
        log_info("disk %s: %s: a medium of %llu bytes is in the drive", block->id, block->file,
                 (unsigned long long)t->bytes);
    else
        log_info("disk %s: %s: the drive is empty", block->id, block->file);
    block_tell_watchers(block);
    return true;
}

bool raw_tray_init(struct raw *raw)
{
    if (!raw->file.drive)
        return true;
    raw->tray = calloc(1, sizeof(*raw->tray));
    if (raw->tray)
        raw->tray->fd = raw->file.fd;
    return raw->tray;
}

void raw_tray_free(struct raw *raw)
{
    if (raw->tray && raw->tray->locked)
        ioctl(raw->tray->fd, CDROM_LOCKDOOR, 0);
    free(raw->tray);
}

void raw_tray(struct block *block, enum block_tray what)
{
    struct raw *raw = block->image;
    struct raw_tray *t = raw->tray;

    if (!t)
        return;
    if (what == BLOCK_TRAY_LOOK) {
        uint64_t now = clock_now(loop_clock(block->loop));
        if (t->looked && now - t->looked < LOOK_NS)
            return;
    } else {
        /* What it is told last counts. */
        bool door = what == BLOCK_TRAY_LOCK || what == BLOCK_TRAY_UNLOCK;
        t->wanted &= ~(door ? 1u << BLOCK_TRAY_LOCK | 1u << BLOCK_TRAY_UNLOCK
                            : 1u << BLOCK_TRAY_OPEN | 1u << BLOCK_TRAY_CLOSE);
        t->wanted |= 1u << what;
        if (door)
            t->locked = what == BLOCK_TRAY_LOCK;
    }
    start(raw);
}
