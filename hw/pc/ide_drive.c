/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ide_drive: a drive's identity as the configuration has it (see ide_drive.h). */
#include "hw/pc/ide_drive.h"

#include <stdio.h>
#include <string.h>

#include "hw/pc/atapi.h"
#include "hw/pc/ide.h"

static bool set_string(char *to, size_t size, const char *from, const char *name, const char *what,
                       struct err *err)
{
    size_t len = strlen(from);

    if (len > size) {
        return err_set(err, "%s: %s \"%s\" is longer than %zu characters", name, what, from, size);
    }
    for (size_t i = 0; i < len; i++) {
        if (from[i] < 0x20 || from[i] > 0x7E) {
            return err_set(err, "%s: %s has characters that are not printable ASCII", name, what);
        }
    }
    for (size_t i = 0; i < size; i++)
        to[i] = i < len ? from[i] : ' ';
    return true;
}

static void set_translation(struct ide_drive *d, enum ide_translation t)
{
    if (t == IDE_TRANSLATION_AUTO) {
        t = d->cylinders > 1024 ? IDE_TRANSLATION_LBA : IDE_TRANSLATION_NONE;
    }
    d->translation = (uint8_t)t;
}

/* Default translation: what the configuration says, or the usual 16 heads and 63 sectors. */
static bool set_geometry(struct ide_drive *d, const char *name, const struct ide_drive_config *c,
                         struct err *err)
{
    uint64_t cylinders = (ide_sectors(d) >> d->shift) / (16 * 63);

    d->cylinders = (uint16_t)(cylinders > 16383 ? 16383 : cylinders < 1 ? 1 : cylinders);
    d->heads = 16;
    d->sectors = 63;
    if (c->translation > IDE_TRANSLATION_RECHS) {
        return err_set(err, "%s: there is no such CHS translation", name);
    }
    if (!c->cyls && !c->heads && !c->secs) {
        set_translation(d, c->translation);
        return true;
    }
    if (!c->cyls || c->cyls > 65535 || !c->heads || c->heads > 16 || !c->secs || c->secs > 255) {
        return err_set(err,
                       "%s: geometry %u/%u/%u is out of range (cyls 1-65535, heads 1-16, secs "
                       "1-255)",
                       name, c->cyls, c->heads, c->secs);
    }
    d->cylinders = (uint16_t)c->cyls;
    d->heads = (uint8_t)c->heads;
    d->sectors = (uint8_t)c->secs;
    set_translation(d, c->translation);
    return true;
}

/* Logarithm of a sector size in units of IDE_SECTOR; false: not 512 to 2 MiB, or no power of two.
 */
static bool sector_size(uint32_t bytes, uint8_t *shift)
{
    for (*shift = 0; *shift <= 12; ++*shift) {
        if (bytes == IDE_SECTOR << *shift) {
            return true;
        }
    }
    return false;
}

static bool set_sector_sizes(struct ide_drive *d, const char *name,
                             const struct ide_drive_config *c, struct err *err)
{
    uint32_t logical = c->logical_block ? c->logical_block : IDE_SECTOR;
    uint32_t physical = c->physical_block ? c->physical_block : logical;

    if ((logical != IDE_SECTOR && logical != 4096) || !sector_size(logical, &d->shift)) {
        return err_set(err, "%s: logical sectors of %u bytes; they have 512 or 4096", name,
                       logical);
    }
    if (!sector_size(physical, &d->physical) || d->physical < d->shift) {
        return err_set(err,
                       "%s: physical sectors of %u bytes; they have a power of two from the "
                       "logical sector's size to 2 MiB",
                       name, physical);
    }
    if (!ide_sectors(d) || block_bytes(d->block) % logical) {
        return err_set(err, "%s: the image's size is not a multiple of %u bytes", name, logical);
    }
    return true;
}

bool ide_drive_init(struct ide_drive *d, unsigned unit, const char *name,
                    const struct ide_drive_config *c, struct err *err)
{
    char serial[21];

    d->unit = unit;
    if (!c->present) {
        return true;
    }
    if (!c->cdrom && !c->block) {
        return err_set(err, "%s: a disk needs an image", name);
    }
    d->kind = c->cdrom ? IDE_CDROM : IDE_DISK;
    if (c->cdrom) {
        atapi_set_block(d, c->block);
    } else {
        d->block = c->block;
    }
    d->wwn = c->wwn;
    d->trim = !c->no_trim && !c->cdrom;
    d->discard = c->discard && d->trim;
    d->granularity = c->discard_granularity / IDE_SECTOR ? c->discard_granularity / IDE_SECTOR : 1;
    d->flush_matters = !c->cdrom && block_write_cache(c->block);
    snprintf(serial, sizeof(serial), "QM%05u", unit + 1);
    return set_string(d->serial, sizeof(d->serial), c->serial ? c->serial : serial, name, "serial",
                      err) &&
           set_string(d->model, sizeof(d->model),
                      c->model   ? c->model
                      : c->cdrom ? "QEMU DVD-ROM"
                                 : "QEMU HARDDISK",
                      name, "model", err) &&
           set_string(d->firmware, sizeof(d->firmware), c->firmware ? c->firmware : "2.5+", name,
                      "firmware version", err) &&
           (c->cdrom || (set_sector_sizes(d, name, c, err) && set_geometry(d, name, c, err)));
}
