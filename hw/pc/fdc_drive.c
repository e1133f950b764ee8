/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fdc_drive: the floppy drives: which diskettes there are, where the heads stand, change lines. */
#include "hw/pc/fdc_int.h"

#include <stddef.h>

/* Bits of fdc_format.rates (2.1.6, DRATE 1 and 0). */
enum { RATE_500K = 1 << 0, RATE_300K = 1 << 1, RATE_250K = 1 << 2, RATE_1M = 1 << 3 };

enum {
    IN_1200K = 1 << FDC_DRIVE_1200K,
    IN_2880K = 1 << FDC_DRIVE_2880K,
    IN_1440K = 1 << FDC_DRIVE_1440K | IN_2880K,
};

/* Cylinders, sides, sectors of the formats of DOS, and of those that put more on a diskette. A 40
 * track diskette turns faster in a 1.2 MB drive: its 250 kbit/s are 300 there. */
static const struct fdc_format formats[] = {
    {160, 40, 1, 8, RATE_300K | RATE_250K, IN_1200K},
    {180, 40, 1, 9, RATE_300K | RATE_250K, IN_1200K},
    {320, 40, 2, 8, RATE_300K | RATE_250K, IN_1200K},
    {360, 40, 2, 9, RATE_300K | RATE_250K, IN_1200K},
    {1200, 80, 2, 15, RATE_500K, IN_1200K},
    {720, 80, 2, 9, RATE_250K, IN_1440K},
    {800, 80, 2, 10, RATE_250K, IN_1440K},
    {820, 82, 2, 10, RATE_250K, IN_1440K},
    {830, 83, 2, 10, RATE_250K, IN_1440K},
    {1440, 80, 2, 18, RATE_500K, IN_1440K},
    {1600, 80, 2, 20, RATE_500K, IN_1440K},
    {1640, 82, 2, 20, RATE_500K, IN_1440K},
    {1660, 83, 2, 20, RATE_500K, IN_1440K},
    {1680, 80, 2, 21, RATE_500K, IN_1440K},
    {1722, 82, 2, 21, RATE_500K, IN_1440K},
    {1743, 83, 2, 21, RATE_500K, IN_1440K},
    {1760, 80, 2, 22, RATE_500K, IN_1440K},
    {1840, 80, 2, 23, RATE_500K, IN_1440K},
    {1920, 80, 2, 24, RATE_500K, IN_1440K},
    {2880, 80, 2, 36, RATE_1M, IN_2880K},
    {3120, 80, 2, 39, RATE_1M, IN_2880K},
    {3200, 80, 2, 40, RATE_1M, IN_2880K},
    {3520, 80, 2, 44, RATE_1M, IN_2880K},
    {FDC_LARGEST_KIB, 80, 2, 48, RATE_1M, IN_2880K},
};

/* What an image of no format's size is taken for: the first of these that holds it. */
static const uint16_t usual[] = {1200, 1440, 2880, FDC_LARGEST_KIB};

/* The format of an image in a drive of this type (FDC_DRIVE_AUTO: in any), or NULL. */
static const struct fdc_format *format_of(uint64_t bytes, enum fdc_drive_type type)
{
    const unsigned count = sizeof(formats) / sizeof(formats[0]);
    const unsigned drives = type == FDC_DRIVE_AUTO ? IN_1200K | IN_1440K : 1u << type;
    for (unsigned i = 0; i < count; i++)
        if (bytes == formats[i].kib * UINT64_C(1024))
            return formats[i].drives & drives ? &formats[i] : NULL;
    for (unsigned n = type == FDC_DRIVE_AUTO; n < sizeof(usual) / sizeof(usual[0]); n++)
        for (unsigned i = 0; i < count; i++)
            if (formats[i].kib == usual[n] && bytes <= usual[n] * UINT64_C(1024) &&
                (formats[i].drives & drives))
                return &formats[i];
    return NULL;
}

static const char *type_name(enum fdc_drive_type type)
{
    return type == FDC_DRIVE_1200K   ? "a 5.25 inch drive for 1.2 MB"
           : type == FDC_DRIVE_1440K ? "a 3.5 inch drive for 1.44 MB"
                                     : "a 3.5 inch drive for 2.88 MB";
}

static bool fits(unsigned unit, uint64_t bytes, enum fdc_drive_type type, struct err *err)
{
    if (format_of(bytes, type))
        return true;
    if (bytes > FDC_LARGEST_KIB * UINT64_C(1024))
        return err_set(err, "floppy drive %c: an image of %llu bytes is larger than any diskette",
                       'A' + (int)unit, (unsigned long long)bytes);
    return err_set(err, "floppy drive %c: an image of %llu bytes is no diskette for %s",
                   'A' + (int)unit, (unsigned long long)bytes, type_name(type));
}

struct fdc_drive *fdc_drive(struct fdc *f, unsigned unit)
{
    return unit < FDC_UNITS && f->drive[unit].type != FDC_DRIVE_NONE ? &f->drive[unit] : NULL;
}

static enum fdc_drive_type type_for(const struct fdc_format *format)
{
    if (!format || !(format->drives & ~IN_2880K))
        return FDC_DRIVE_2880K; /* which reads all of 3.5 inch */
    return format->drives & IN_1200K ? FDC_DRIVE_1200K : FDC_DRIVE_1440K;
}

bool fdc_drive_init(struct fdc *f, unsigned unit, const struct fdc_drive_config *config,
                    struct err *err)
{
    if (!config->present)
        return true;
    if (config->block && !fits(unit, block_bytes(config->block), config->type, err))
        return false;
    struct fdc_drive *d = &f->drive[unit];
    d->block = config->block;
    d->format = d->block ? format_of(block_bytes(d->block), config->type) : NULL;
    d->type = (uint8_t)(config->type == FDC_DRIVE_AUTO ? type_for(d->format) : config->type);
    f->changed |= (uint8_t)(1 << unit);
    return true;
}

enum fdc_drive_type fdc_drive_type(const struct fdc *f, unsigned unit)
{
    return unit < FDC_UNITS ? (enum fdc_drive_type)f->drive[unit].type : FDC_DRIVE_NONE;
}

bool fdc_medium_fits(const struct fdc *f, unsigned unit, uint64_t bytes, struct err *err)
{
    if (fdc_drive_type(f, unit) == FDC_DRIVE_NONE)
        return err_set(err, "there is no floppy drive %c", 'A' + (int)unit);
    return fits(unit, bytes, fdc_drive_type(f, unit), err);
}

struct block *fdc_set_medium(struct fdc *f, unsigned unit, struct block *block)
{
    struct fdc_drive *d = fdc_drive(f, unit);
    if (!d)
        return NULL;
    struct block *old = d->block;
    if (f->in_flight && f->busy == old) {
        bool stopped = f->stopped;
        f->stopped = true; /* no further request for it */
        block_cancel(old, &f->request);
        block_drain(old);
        f->stopped = stopped;
    }
    d->block = block;
    d->format = block ? format_of(block_bytes(block), fdc_drive_type(f, unit)) : NULL;
    f->changed |= (uint8_t)(1 << unit);
    f->sought &= (uint8_t) ~(1 << unit);
    if (fdc_transferring(f) && f->unit == unit)
        fdc_transfer_pulled(f);
    if (!f->stopped && !f->in_flight)
        fdc_transfer_go_on(f); /* the other drive's, which had to wait or was stopped above */
    fdc_update_irq(f);
    return old;
}

bool fdc_step_to(struct fdc *f, unsigned unit, uint8_t cylinder)
{
    const struct fdc_drive *d = fdc_drive(f, unit);
    if (!d || f->cylinder[unit] == cylinder)
        return false;
    f->cylinder[unit] = cylinder;
    if (d->block)
        f->changed &= (uint8_t) ~(1 << unit);
    return true;
}

bool fdc_disk_changed(const struct fdc *f)
{
    return f->changed >> (f->dor & 3) & 1;
}

uint8_t fdc_lookup(struct fdc *f, unsigned unit, const struct fdc_spot *spot)
{
    const struct fdc_drive *d = fdc_drive(f, unit);
    const struct fdc_format *format = d ? d->format : NULL;
    if (!format || !(format->rates >> (f->data_rate & 3) & 1) ||
        f->cylinder[unit] >= format->cylinders || spot->head >= format->heads)
        return ST1_NO_ADDRESS_MARK;
    if (spot->cylinder != f->cylinder[unit] || !spot->sector || spot->sector > format->sectors)
        return ST1_NO_DATA;
    return 0;
}

uint64_t fdc_lba(const struct fdc_drive *d, const struct fdc_spot *spot)
{
    const struct fdc_format *format = d->format;
    return ((uint64_t)spot->cylinder * format->heads + spot->head) * format->sectors +
           spot->sector - 1;
}
