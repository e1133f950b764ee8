/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libxl_image: the keys of -drive, -blockdev and -device that say how an image is used: format,
 * cache mode, errors, limits, sector sizes. Names and meanings: qemu(1). */
#include "toolstack/libxl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "block/format.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* The index in names[] of the value of `key`; *out stays as it is if it is not there. */
static bool choice(struct optstr *o, const char *key, const char *const *names, size_t count,
                   unsigned *out, struct err *err)
{
    const char *value = optstr_take(o, key);
    char list[128] = "";
    if (!value)
        return true;
    for (size_t i = 0; i < count; i++) {
        if (names[i] && !strcmp(value, names[i])) {
            *out = (unsigned)i;
            return true;
        }
        if (names[i])
            snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", *list ? ", " : "",
                     names[i]);
    }
    return err_set(err, "%s: %s=%s is not one of %s", o->option, key, value, list);
}

/* Never guessed: a guest could write another format's header. */
static bool format_key(struct optstr *o, struct config_drive *d, struct err *err)
{
    const char *format = optstr_take(o, "format");
    struct err why;
    d->format = BLOCK_FORMAT_RAW;
    if (!format || block_format_find(format, d->file, &d->format, &why))
        return true;
    return err_set(err, "%s: %s", o->option, why.text);
}

static enum block_cache cache_mode(bool direct, bool writeback)
{
    if (direct)
        return writeback ? BLOCK_CACHE_NONE : BLOCK_CACHE_DIRECTSYNC;
    return writeback ? BLOCK_CACHE_WRITEBACK : BLOCK_CACHE_WRITETHROUGH;
}

static bool cache_keys(struct optstr *o, struct config_drive *d, struct err *err)
{
    static const char *const names[] = {
        [BLOCK_CACHE_WRITEBACK] = "writeback", [BLOCK_CACHE_WRITETHROUGH] = "writethrough",
        [BLOCK_CACHE_NONE] = "none",           [BLOCK_CACHE_DIRECTSYNC] = "directsync",
        [BLOCK_CACHE_UNSAFE] = "unsafe",
    };
    unsigned mode = BLOCK_CACHE_WRITEBACK;
    if (!choice(o, "cache", names, COUNT(names), &mode, err))
        return false;
    bool direct = mode == BLOCK_CACHE_NONE || mode == BLOCK_CACHE_DIRECTSYNC;
    bool writeback = mode != BLOCK_CACHE_WRITETHROUGH && mode != BLOCK_CACHE_DIRECTSYNC;
    bool no_flush = mode == BLOCK_CACHE_UNSAFE;
    if (!optstr_bool(o, "cache.direct", &direct, err) ||
        !optstr_bool(o, "cache.writeback", &writeback, err) ||
        !optstr_bool(o, "cache.no-flush", &no_flush, err))
        return false;
    if (no_flush && (direct || !writeback))
        return err_set(err,
                       "%s: cache.no-flush=on goes with cache.direct=off and cache.writeback=on "
                       "here (cache=unsafe)",
                       o->option);
    d->cache = no_flush ? BLOCK_CACHE_UNSAFE : cache_mode(direct, writeback);
    return true;
}

static bool discard_keys(struct optstr *o, struct config_drive *d, struct err *err)
{
    static const char *const discards[] = {"ignore", "off", "unmap", "on"};
    static const char *const detects[] = {[BLOCK_DETECT_ZEROES_OFF] = "off",
                                          [BLOCK_DETECT_ZEROES_ON] = "on",
                                          [BLOCK_DETECT_ZEROES_UNMAP] = "unmap"};
    unsigned discard = 0, detect = BLOCK_DETECT_ZEROES_OFF;
    if (!choice(o, "discard", discards, COUNT(discards), &discard, err) ||
        !choice(o, "detect-zeroes", detects, COUNT(detects), &detect, err))
        return false;
    d->discard = discard >= 2;
    d->detect_zeroes = (enum block_detect_zeroes)detect;
    return d->discard || d->detect_zeroes != BLOCK_DETECT_ZEROES_UNMAP ||
           err_set(err, "%s: detect-zeroes=unmap needs discard=unmap", o->option);
}

bool libxl_error_keys(struct optstr *o, struct libxl_drive *d, bool device, struct err *err)
{
    const char *const names[] = {
        device ? "auto" : NULL, /* as the -drive says */
        [1 + BLOCK_ON_ERROR_REPORT] = "report",
        [1 + BLOCK_ON_ERROR_IGNORE] = "ignore",
        [1 + BLOCK_ON_ERROR_STOP] = "stop",
        [1 + BLOCK_ON_ERROR_ENOSPC] = "enospc",
    };
    unsigned r = 0, w = 0;
    if (!choice(o, "rerror", names, 4, &r, err) || /* a read needs no space */
        !choice(o, "werror", names, 5, &w, err))
        return false;
    d->rerror = (int)r - 1;
    d->werror = (int)w - 1;
    return true;
}

bool libxl_write_cache_key(struct optstr *o, struct libxl_drive *d, struct err *err)
{
    static const char *const names[] = {"auto", "off", "on"};
    unsigned w = 0;
    if (!choice(o, "write-cache", names, COUNT(names), &w, err))
        return false;
    d->write_cache = (int)w - 1;
    return true;
}

static bool throttling_keys(struct optstr *o, struct config_drive *d, struct err *err)
{
    static const char *const names[BLOCK_LIMIT_COUNT] = {
        [BLOCK_LIMIT_BPS] = "bps-total",       [BLOCK_LIMIT_BPS_READ] = "bps-read",
        [BLOCK_LIMIT_BPS_WRITE] = "bps-write", [BLOCK_LIMIT_IOPS] = "iops-total",
        [BLOCK_LIMIT_IOPS_READ] = "iops-read", [BLOCK_LIMIT_IOPS_WRITE] = "iops-write",
    };
    struct block_limits *l = &d->limits;
    struct err why;
    for (unsigned i = 0; i < BLOCK_LIMIT_COUNT; i++) {
        char key[48];
        uint64_t length = 0;
        snprintf(key, sizeof(key), "throttling.%s", names[i]);
        if (!optstr_number(o, key, 0, BLOCK_LIMIT_MAX, &l->of[i].avg, err))
            return false;
        snprintf(key, sizeof(key), "throttling.%s-max", names[i]);
        if (!optstr_number(o, key, 0, BLOCK_LIMIT_MAX, &l->of[i].max, err))
            return false;
        snprintf(key, sizeof(key), "throttling.%s-max-length", names[i]);
        if (!optstr_number(o, key, 1, UINT32_MAX, &length, err))
            return false;
        l->of[i].length = (uint32_t)length;
    }
    if (!optstr_number(o, "throttling.iops-size", 0, BLOCK_LIMIT_MAX, &l->iops_size, err) ||
        !optstr_string(o, "throttling.group", &d->throttle_group, err))
        return false;
    return block_limits_check(l, &why) || err_set(err, "%s: throttling: %s", o->option, why.text);
}

bool libxl_image_keys(struct optstr *o, struct config_drive *d, struct err *err)
{
    return format_key(o, d, err) && cache_keys(o, d, err) && discard_keys(o, d, err) &&
           throttling_keys(o, d, err) &&
           /* How requests are queued is the block layer's choice and changes no result. */
           optstr_only(o, "aio", "threads native io_uring", err);
}

static bool power_of_two(struct optstr *o, const char *key, uint64_t min, uint64_t max,
                         uint64_t *out, struct err *err)
{
    if (!optstr_number(o, key, min, max, out, err))
        return false;
    return !(*out & (*out - 1)) || err_set(err, "%s: %s=%llu is not a power of two", o->option, key,
                                           (unsigned long long)*out);
}

/* What a disk says about its sectors and places. */
bool libxl_topology_keys(struct optstr *o, struct config_drive *d, struct err *err)
{
    static const char *const translations[] = {
        [CONFIG_CHS_AUTO] = "auto",   [CONFIG_CHS_NONE] = "none",   [CONFIG_CHS_LBA] = "lba",
        [CONFIG_CHS_LARGE] = "large", [CONFIG_CHS_RECHS] = "rechs",
    };
    unsigned translation = CONFIG_CHS_AUTO;
    uint64_t logical = 512, physical = 0, granularity = 1;
    uint64_t cyls = 0, heads = 0, secs = 0;
    if (!power_of_two(o, "logical_block_size", 512, 4096, &logical, err) ||
        !power_of_two(o, "physical_block_size", 512, 2 << 20, &physical, err) ||
        !power_of_two(o, "discard_granularity", 0, 1 << 30, &granularity, err))
        return false;
    if (logical != 512 && (logical != 4096 || d->cdrom))
        return err_set(err, "%s: logical_block_size=%u is not 512 or 4096", o->option,
                       (unsigned)logical);
    if (!physical)
        physical = logical;
    if (physical < logical)
        return err_set(err, "%s: physical_block_size=%u is less than logical_block_size=%u",
                       o->option, (unsigned)physical, (unsigned)logical);
    d->no_trim = !granularity;
    if (granularity > 1 && granularity < logical)
        return err_set(err, "%s: discard_granularity=%llu is less than a sector", o->option,
                       (unsigned long long)granularity);
    if (!d->cdrom &&
        (!optstr_number(o, "cyls", 1, 65535, &cyls, err) ||
         !optstr_number(o, "heads", 1, 16, &heads, err) ||
         !optstr_number(o, "secs", 1, 255, &secs, err) ||
         !choice(o, "bios-chs-trans", translations, COUNT(translations), &translation, err)))
        return false;
    if (!!cyls + !!heads + !!secs == 1 || !!cyls + !!heads + !!secs == 2)
        return err_set(err, "%s: cyls=, heads= and secs= go together", o->option);
    d->cyls = (uint32_t)cyls;
    d->heads = (uint32_t)heads;
    d->secs = (uint32_t)secs;
    d->chs_translation = (enum config_chs_translation)translation;
    d->logical_block_size = (uint32_t)logical;
    d->physical_block_size = (uint32_t)physical;
    d->discard_granularity = granularity > 1 ? (uint32_t)granularity : 0;
    return true;
}

bool libxl_join(struct libxl_drive *device, struct libxl_drive *drive, struct err *err)
{
    struct config_drive *d = &device->drive, *from = &drive->drive;
    d->id = xstrdup(from->id);
    d->node_name = from->node_name;
    from->node_name = NULL;
    d->throttle_group = from->throttle_group;
    from->throttle_group = NULL;
    d->file = from->file;
    from->file = NULL;
    d->fd = from->fd;
    d->format = from->format;
    d->cache = from->cache;
    d->read_only = from->read_only;
    d->discard = from->discard;
    d->detect_zeroes = from->detect_zeroes;
    d->limits = from->limits;
    if (!d->serial) {
        d->serial = from->serial;
        from->serial = NULL;
    }
    if (device->rerror == LIBXL_NOT_SAID)
        device->rerror = drive->rerror;
    if (device->werror == LIBXL_NOT_SAID)
        device->werror = drive->werror;
    if (device->write_cache == LIBXL_NOT_SAID)
        return true;
    if (d->cache == BLOCK_CACHE_UNSAFE)
        return device->write_cache ||
               err_set(err, "-device: write-cache=off and cache=unsafe contradict each other");
    d->cache = cache_mode(d->cache == BLOCK_CACHE_NONE || d->cache == BLOCK_CACHE_DIRECTSYNC,
                          device->write_cache);
    return true;
}
