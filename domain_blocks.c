/* SPDX-License-Identifier: GPL-2.0-or-later */
/* domain_blocks: the images and media of the domain's drives, and what becomes of their errors. */
#include "domain_int.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "block/copy_down.h"
#include "hw/core/log.h"
#include "hw/core/loop.h"
#include "hw/pc/fdc.h"
#include "hw/pc/machine.h"
#include "hw/pc/platform.h"
#include "hw/xen/backend.h"

uint32_t domain_disk_bit(const struct config_drive *drive)
{
    if (drive->cdrom || drive->floppy)
        return 0;
    return UINT32_C(1) << (drive->ahci ? drive->ahci_port : drive->ide_unit);
}

static void drive_failed(void *opaque, const struct block_failure *failure)
{
    const struct drive_ref *ref = opaque;
    struct domain *d = ref->domain;
    const struct config_drive *drive = &d->config->drives[ref->index];
    if (d->qmp)
        qmp_event_block_error(d->qmp, ref->index, drive->id, drive->node_name, failure);
    if (failure->action == BLOCK_ACTION_STOP)
        loop_defer(d->loop, &d->io_error);
}

bool domain_activate_blocks(struct domain *d, struct err *err)
{
    domain_end_commit(d);
    for (size_t i = 0; i < d->config->drive_count; i++)
        if (d->blocks[i] && !block_activate(d->blocks[i], err))
            return false;
    return true;
}

static struct block_config block_config_of(struct domain *d, size_t index)
{
    const struct config_drive *drive = &d->config->drives[index];
    return (struct block_config){
        .id = drive->id,
        .file = drive->file,
        .fd = drive->fd,
        .format = drive->format,
        .cache = drive->cache,
        .read_only = drive->read_only,
        .cd_drive = drive->cdrom,
        .ignore_discard = !drive->discard,
        .detect_zeroes = drive->detect_zeroes,
        .rerror = drive->rerror,
        .werror = drive->werror,
        .failed = drive_failed,
        .opaque = &d->drive_refs[index],
        .limits = d->limits[index],
    };
}

bool domain_open_blocks(struct domain *d, struct err *err)
{
    for (size_t i = 0; i < d->config->drive_count; i++) {
        const struct config_drive *drive = &d->config->drives[i];
        if (drive->empty)
            continue;
        if (drive->cdrom && drive->fd < 0 && block_no_medium(drive->file)) {
            log_info("disk %s: %s: has no medium: the drive is empty", drive->id, drive->file);
            continue;
        }
        struct block_config config = block_config_of(d, i);
        d->blocks[i] = block_open(d->loop, &config, err);
        if (!d->blocks[i])
            return false;
    }
    /* Now, while a refusal still is a failed `xl create`, and not only when the guest is to run. */
    return d->config->start_paused || domain_activate_blocks(d, err);
}

/* PV drivers take over: each image is closed here, with all that was acknowledged in it, before the
 * back-end may open it. */
void domain_unplug(void *opaque, unsigned mask)
{
    struct domain *d = opaque;
    struct err err;
    uint32_t released = 0;
    if ((mask & PLATFORM_UNPLUG_NICS) && machine_unplug_nics(d->machine)) {
        log_info("the guest's PV drivers take the network over");
        domain_tell_unplugged(d);
    }
    if (!(mask & PLATFORM_UNPLUG_DISKS))
        return;
    machine_unplug_disks(d->machine);
    for (size_t i = 0; i < d->config->drive_count; i++) {
        if (!domain_disk_bit(&d->config->drives[i]) || !d->blocks[i])
            continue;
        block_close(d->blocks[i]);
        d->blocks[i] = NULL;
        released |= domain_disk_bit(&d->config->drives[i]);
    }
    if (!released)
        return;
    log_info("the guest's PV drivers take the disks over");
    if (domain_serves_disks(d) && !backend_release(d->backend, released, &err))
        log_error("%s", err.text);
}

void domain_tray_moved(void *opaque, size_t index, bool open)
{
    struct domain *d = opaque;
    const struct config_drive *drive = &d->config->drives[index];
    if (d->qmp)
        qmp_event_tray(d->qmp, drive->id, drive->qdev, open);
}

bool domain_block_info(void *opaque, size_t index, struct qmp_block_info *info)
{
    struct domain *d = opaque;
    if (index >= d->config->drive_count)
        return false;
    const struct config_drive *drive = &d->config->drives[index];
    const struct block *b = d->blocks[index];
    *info = (struct qmp_block_info){
        .id = drive->id,
        .qdev = drive->qdev,
        .cdrom = drive->cdrom,
        .floppy = drive->floppy,
        .inserted = b != NULL,
    };
    if (b) {
        info->file = block_file(b);
        info->read_only = block_read_only(b);
        info->node_name = drive->node_name;
        info->format = drive->format;
        info->cache = drive->cache;
        info->bytes = block_bytes(b);
        info->io_status = block_io_status(b);
        info->detect_zeroes = drive->detect_zeroes;
        info->limits = block_limits(b);
        info->stats = block_stats(b);
    }
    if (drive->cdrom) {
        info->locked = machine_tray_locked(d->machine, index);
        info->tray_open = machine_tray_open(d->machine, index);
    }
    return true;
}

/* Puts `medium` (NULL: none) into drive `index`, whose old one goes. */
static void set_medium(struct domain *d, size_t index, struct block *medium)
{
    const struct config_drive *drive = &d->config->drives[index];
    struct block *old = drive->floppy
                            ? fdc_set_medium(machine_fdc(d->machine), drive->floppy_unit, medium)
                            : machine_set_medium(d->machine, index, medium);
    if (index == d->commit_index)
        domain_end_commit(d);
    d->blocks[index] = medium;
    block_close(old);
}

/* A floppy drive has a button of its own, which nothing locks. */
static bool open_tray(struct domain *d, size_t index, bool force, struct err *err)
{
    const struct config_drive *drive = &d->config->drives[index];
    if (drive->floppy)
        return true;
    if (!drive->cdrom)
        return err_set(err, "Device '%s' is not removable", drive->id);
    if (!machine_tray_eject(d->machine, index, force))
        return err_set(
            err,
            "Device '%s' is locked by the guest, which has been asked to let go; force takes "
            "the medium anyway",
            drive->id);
    return true;
}

bool domain_eject(void *opaque, size_t index, bool force, struct err *err)
{
    struct domain *d = opaque;
    const struct config_drive *drive = &d->config->drives[index];
    if (!d->blocks[index] && (drive->cdrom || drive->floppy))
        return true;
    if (!open_tray(d, index, force, err))
        return false;
    set_medium(d, index, NULL);
    return true;
}

/* May the opened image go into the drive? It may be the very file that is in it: the old one's
 * locks go first. */
static bool may_insert(struct domain *d, size_t index, struct block *medium, struct err *err)
{
    const struct config_drive *drive = &d->config->drives[index];
    struct block *old = d->blocks[index];
    if (drive->floppy &&
        !fdc_medium_fits(machine_fdc(d->machine), drive->floppy_unit, block_bytes(medium), err))
        return false;
    if (!d->running)
        return true;
    if (drive->floppy && old && !block_inactivate(old, err))
        return false;
    if (block_activate(medium, err))
        return true;
    if (drive->floppy && old && !block_activate(old, NULL))
        log_warn("%s: the image has been taken by another process", drive->id);
    return false;
}

bool domain_change_medium(void *opaque, size_t index, const struct qmp_medium *medium,
                          struct err *err)
{
    struct domain *d = opaque;
    const struct config_drive *drive = &d->config->drives[index];
    if (!open_tray(d, index, false, err)) {
        if (medium->fd >= 0)
            close(medium->fd);
        return false;
    }
    struct block_config config = block_config_of(d, index);
    config.file = medium->file;
    config.fd = medium->fd;
    config.format = medium->format;
    config.read_only = drive->cdrom || (medium->retain ? drive->read_only : medium->read_only);
    struct block *b = block_open(d->loop, &config, err);
    if (!b)
        return false;
    if (!may_insert(d, index, b, err)) {
        block_close(b);
        return false;
    }
    set_medium(d, index, b);
    return true;
}

void domain_end_commit(struct domain *d)
{
    if (!d->commit)
        return;
    copy_down_free(d->commit);
    d->commit = NULL;
    log_warn("%s: commit was cut short; the image itself has all, as before",
             d->config->drives[d->commit_index].id);
}

static void committed(void *opaque, const char *why)
{
    struct domain *d = opaque;
    const char *id = d->config->drives[d->commit_index].id;
    copy_down_free(d->commit);
    d->commit = NULL;
    if (why)
        log_error("%s: commit: %s; the image itself has all, as before", id, why);
    else
        log_info("%s: commit: all is in the image below", id);
}

/* No image is opened for writing that is not the guest's own, what is below an overlay is shared as
 * often as not, and a confined process could not open it again: so the toolstack gives it, and the
 * guest stands still, when its images are locked by nobody. */
bool domain_commit(void *opaque, size_t index, const struct qmp_medium *below, struct err *err)
{
    struct domain *d = opaque;
    const char *id = d->config->drives[index].id;
    struct block *base = NULL;
    bool ok = false;
    if (d->commit)
        err_set(err, "%s: commit is under way: %llu of %llu MiB",
                d->config->drives[d->commit_index].id,
                (unsigned long long)(copy_down_progress(d->commit) >> 20),
                (unsigned long long)(block_bytes(d->blocks[d->commit_index]) >> 20));
    else if (!below)
        err_set(err,
                "%s: the image below is open for reading only: give it, open for reading and "
                "writing: commit %s /dev/fdset/N [FORMAT]",
                id, id);
    else if (d->running || d->state == QMP_IO_ERROR)
        err_set(err, "%s: the guest must stand still meanwhile: stop, commit, cont", id);
    else
        ok = true;
    if (!ok) {
        if (below && below->fd >= 0)
            close(below->fd);
        return false;
    }
    const struct block_config config = {
        .id = id,
        .file = below->file,
        .fd = below->fd >= 0 ? below->fd : open(below->file, O_RDWR | O_CLOEXEC),
        .format = below->format,
        .cache = d->config->drives[index].cache == BLOCK_CACHE_UNSAFE
                     ? BLOCK_CACHE_WRITEBACK
                     : d->config->drives[index].cache,
    };
    if (config.fd < 0)
        return err_set(err, "%s: %s: %s", id, below->file, strerror(errno));
    if (!block_lies_on(d->blocks[index], config.fd, err)) {
        close(config.fd);
        return false;
    }
    base = block_open(d->loop, &config, err);
    if (base && block_activate(base, err))
        d->commit = copy_down_start(d->loop, d->blocks[index], base, committed, d, err);
    if (!d->commit)
        block_close(base);
    d->commit_index = index;
    return d->commit != NULL;
}

bool domain_resize(void *opaque, size_t index, uint64_t bytes, struct err *err)
{
    struct domain *d = opaque;
    return block_resize(d->blocks[index], bytes, err);
}

/* The disk is the back-end's: one that the guest has unplugged (index), or that was never ours. */
bool domain_resize_pv(void *opaque, int index, const char *name, uint64_t bytes, struct err *err)
{
    struct domain *d = opaque;
    uint32_t bit = index >= 0 ? domain_disk_bit(&d->config->drives[index]) : 0;
    if (!domain_serves_disks(d))
        return err_set(err, "drive '%s' is not served here", name);
    return backend_resize(d->backend, bit ? __builtin_ctz(bit) : -1, name, bytes, err);
}

bool domain_set_limits(void *opaque, size_t index, const struct block_limits *limits,
                       struct err *err)
{
    struct domain *d = opaque;
    if (!block_set_limits(d->blocks[index], limits, err))
        return false;
    d->limits[index] = *limits;
    return true;
}
