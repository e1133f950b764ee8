/* SPDX-License-Identifier: GPL-2.0-or-later */
/* image_file: see image_file.h. */
#include "block/image_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/cdrom.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hw/core/log.h"

#define SECTOR    512u
#define ALIGN_MAX 65536u

bool cache_is_direct(enum block_cache cache)
{
    return cache == BLOCK_CACHE_NONE || cache == BLOCK_CACHE_DIRECTSYNC;
}

bool cache_is_sync(enum block_cache cache)
{
    return cache == BLOCK_CACHE_WRITETHROUGH || cache == BLOCK_CACHE_DIRECTSYNC;
}

const char *cache_name(enum block_cache cache)
{
    switch (cache) {
    case BLOCK_CACHE_WRITEBACK:
        return "writeback";
    case BLOCK_CACHE_WRITETHROUGH:
        return "writethrough";
    case BLOCK_CACHE_NONE:
        return "none";
    case BLOCK_CACHE_DIRECTSYNC:
        return "directsync";
    case BLOCK_CACHE_UNSAFE:
        return "unsafe";
    }
    return "?";
}

/* Says "disk ID: FILE: WHAT"; returns false. */
static bool refuse(const struct block_config *config, struct err *err, const char *what)
{
    return err_set(err, "disk %s: %s: %s", config->id, config->file, what);
}

static bool refuse_errno(const struct block_config *config, struct err *err, int error)
{
    const char *hint;
    switch (error) {
    case ENOENT:
        return refuse(config, err, "no such file or device; check the path of this disk");
    case ENOTDIR:
        return refuse(config, err,
                      "a part of the path is not a directory; check the path of this disk");
    case EISDIR:
        return refuse(config, err, "is a directory; a disk needs a file or a block device");
    case EACCES:
    case EPERM:
        if (config->read_only)
            return refuse(config, err, "no permission to read it; check its owner and mode");
        return refuse(config, err,
                      "no permission to read and write it; check its owner and mode, or attach it "
                      "read-only");
    case EROFS:
        return refuse(config, err, "is read-only; attach it read-only, or make it writable");
    case EBUSY:
        hint = "it is in use (mounted?); detach it there first";
        break;
    case ENXIO:
    case ENODEV:
        hint = "there is no device behind it; check the path of this disk";
        break;
    case ENOMEDIUM:
        hint = "insert a medium, or attach the drive empty";
        break;
    default:
        hint = "check the path of this disk";
    }
    return err_set(err, "disk %s: %s: %s; %s", config->id, config->file, strerror(error), hint);
}

static bool check_type(const struct block_config *config, const struct stat *st, struct err *err)
{
    if (S_ISREG(st->st_mode) || S_ISBLK(st->st_mode))
        return true;
    if (S_ISDIR(st->st_mode))
        return refuse_errno(config, err, EISDIR);
    if (S_ISCHR(st->st_mode))
        return refuse(config, err, "is a character device; a disk needs a file or a block device");
    return refuse(config, err, "is neither a file nor a block device");
}

/*
 * Root may open anything; but a file whose mode lets nobody write is one that somebody protected,
 * and the mode decides again once the process has given up root.
 */
static bool check_mode(const struct block_config *config, const struct stat *st, struct err *err)
{
    if (!S_ISREG(st->st_mode))
        return true;
    if (!(st->st_mode & 0444))
        return err_set(err,
                       "disk %s: %s: no permission to read it: its mode is %04o; allow it with "
                       "chmod u+r",
                       config->id, config->file, (unsigned)st->st_mode & 07777);
    if (!config->read_only && !(st->st_mode & 0222))
        return err_set(err,
                       "disk %s: %s: the file is read-only (mode %04o); attach it read-only, or "
                       "allow writing with chmod u+w",
                       config->id, config->file, (unsigned)st->st_mode & 07777);
    return true;
}

static bool open_path(struct image_file *file, const struct block_config *config, struct err *err)
{
    struct stat st;

    /* Looked at first: opening a FIFO would wait for its other end, some devices act on it. */
    if (stat(config->file, &st) < 0)
        return refuse_errno(config, err, errno);
    if (!check_type(config, &st, err) || !check_mode(config, &st, err))
        return false;

    int flags = (config->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    file->fd = open(config->file, flags);
    if (file->fd < 0 && !config->read_only && S_ISBLK(st.st_mode) &&
        (errno == EACCES || errno == EPERM))
        return refuse(config, err,
                      "no permission to write it, or the device is set read-only; attach it "
                      "read-only, or see blockdev --setrw");
    if (file->fd < 0)
        return refuse_errno(config, err, errno);
    return true;
}

static bool take_descriptor(struct image_file *file, const struct block_config *config,
                            struct err *err)
{
    file->fd = config->fd;
    int flags = fcntl(file->fd, F_GETFL);
    if (flags < 0)
        return refuse(config, err, "the descriptor given for it is not open");
    int access = flags & O_ACCMODE;
    if (flags & O_PATH || access == O_WRONLY)
        return refuse(config, err, "the descriptor given for it is not open for reading");
    if (!config->read_only && access != O_RDWR)
        return refuse(config, err,
                      "the descriptor given for it is open for reading only; attach it read-only");
    if (flags & O_APPEND)
        return refuse(config, err, "the descriptor given for it is open for appending");
    fcntl(file->fd, F_SETFD, FD_CLOEXEC);
    return true;
}

/* The smallest transfer that O_DIRECT allows here, found by trying: the kernel refuses a
 * misaligned one with EINVAL before it does anything. */
static uint32_t probe_alignment(int fd)
{
    void *buf = NULL;
    uint32_t align = SECTOR;

    if (posix_memalign(&buf, ALIGN_MAX, ALIGN_MAX))
        return 0;
    while (align <= ALIGN_MAX && pread(fd, buf, align, 0) < 0 && errno == EINVAL)
        align *= 2;
    free(buf);
    return align <= ALIGN_MAX ? align : 0;
}

static bool set_direct(struct image_file *file, const struct block_config *config, struct err *err)
{
    bool direct = cache_is_direct(config->cache);
    int flags = fcntl(file->fd, F_GETFL);

    flags &= ~(O_NONBLOCK | O_DIRECT);
    file->align = 1;
    if (direct)
        flags |= O_DIRECT;
    int r = fcntl(file->fd, F_SETFL, flags);
    if (!direct)
        return r == 0 || refuse_errno(config, err, errno);

    uint32_t align = r == 0 ? probe_alignment(file->fd) : 0;
    if (!align) {
        err_set(err,
                "disk %s: %s: its file system has no O_DIRECT, which cache=%s needs; use cache=%s",
                config->id, config->file, cache_name(config->cache),
                config->cache == BLOCK_CACHE_NONE ? "writeback" : "writethrough");
        return false;
    }
    file->align = align;
    int sector = 0;
    if (file->device && ioctl(file->fd, BLKSSZGET, &sector) == 0 && sector > (int)file->align)
        file->align = (uint32_t)sector;
    return true;
}

static bool find_size(struct image_file *file, const struct block_config *config,
                      const struct stat *st, bool container, struct err *err)
{
    uint64_t bytes = (uint64_t)st->st_size;

    if (file->device && ioctl(file->fd, BLKGETSIZE64, &bytes) < 0)
        return refuse_errno(config, err, errno);
    if (config->cd_drive && file->device) {
        int status = ioctl(file->fd, CDROM_DRIVE_STATUS, CDSL_CURRENT);
        file->drive = status >= 0;
        if (file->drive && status != CDS_DISC_OK)
            bytes = 0;
        if (file->drive && !bytes) {
            file->bytes = 0;
            return true;
        }
    }
    if (!bytes)
        return refuse(config, err,
                      file->device ? "the device is empty: no medium, or no size"
                      : container  ? "the file is empty; check the path of this disk"
                                   : "the file is empty; give it the size of the disk, for "
                                     "example with truncate -s");
    if (bytes < SECTOR)
        return refuse(config, err, "is smaller than one sector of 512 bytes; check the image");
    if (bytes > INT64_MAX)
        return refuse(config, err, "is too large");
    if (container) {
        file->bytes = bytes;
        return true;
    }
    file->bytes = bytes / SECTOR * SECTOR;
    if (bytes % SECTOR)
        log_info("disk %s: %s: size is not a multiple of 512; the guest does not see the last %u "
                 "bytes",
                 config->id, config->file, (unsigned)(bytes % SECTOR));
    /* O_DIRECT could only write its last sectors by making the file longer. */
    if (!config->read_only && file->bytes % file->align)
        return err_set(err,
                       "disk %s: %s: cache=%s needs a size that is a multiple of %u bytes here; "
                       "use cache=writeback, or enlarge the image",
                       config->id, config->file, cache_name(config->cache), file->align);
    return true;
}

static void warn_of_file_limit(const struct image_file *file, const struct block_config *config)
{
    struct rlimit limit;

    if (config->read_only || file->device || getrlimit(RLIMIT_FSIZE, &limit) < 0)
        return;
    if (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < file->bytes)
        log_warn("disk %s: %s: writes beyond %llu bytes will fail: this process's limit on file "
                 "sizes (RLIMIT_FSIZE)",
                 config->id, config->file, (unsigned long long)limit.rlim_cur);
}

bool image_file_open(struct image_file *file, const struct block_config *config, bool container,
                     struct err *err)
{
    struct stat st;

    memset(file, 0, sizeof(*file));
    file->fd = -1;
    if (!(config->fd >= 0 ? take_descriptor(file, config, err) : open_path(file, config, err)))
        goto fail;
    if (fstat(file->fd, &st) < 0) {
        refuse_errno(config, err, errno);
        goto fail;
    }
    if (!check_type(config, &st, err))
        goto fail;
    file->device = S_ISBLK(st.st_mode);
    file->sparse = !file->device && (uint64_t)st.st_blocks * SECTOR < (uint64_t)st.st_size;
    int is_ro = 0;
    if (file->device && !config->read_only && ioctl(file->fd, BLKROGET, &is_ro) == 0 && is_ro) {
        refuse_errno(config, err, EROFS);
        goto fail;
    }
    if (!set_direct(file, config, err) || !find_size(file, config, &st, container, err))
        goto fail;
    warn_of_file_limit(file, config);
    return true;

fail:
    image_file_close(file);
    return false;
}

bool block_no_medium(const char *file)
{
    struct stat st;
    uint64_t bytes = 1;

    if (stat(file, &st) < 0 || !S_ISBLK(st.st_mode))
        return false;
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOMEDIUM || errno == ENXIO;
    bool empty = ioctl(fd, CDROM_DRIVE_STATUS, CDSL_CURRENT) < 0 &&
                 ioctl(fd, BLKGETSIZE64, &bytes) == 0 && !bytes;
    close(fd);
    return empty;
}

static bool resize_device(struct image_file *file, const struct block *block, uint64_t bytes,
                          struct err *err)
{
    uint64_t real = 0;

    if (ioctl(file->fd, BLKGETSIZE64, &real) < 0)
        return err_set(err, "disk %s: %s: %s", block_id(block), block_file(block), strerror(errno));
    real = real / SECTOR * SECTOR;
    if (!real || real > INT64_MAX)
        return err_set(err, "disk %s: %s: the device has no size any more", block_id(block),
                       block_file(block));
    if (bytes > real)
        return err_set(err,
                       "disk %s: %s: the device has only %llu bytes; enlarge it first (lvextend)",
                       block_id(block), block_file(block), (unsigned long long)real);
    file->bytes = real;
    return true;
}

bool image_file_resize(struct image_file *file, const struct block *block, uint64_t bytes,
                       struct err *err)
{
    struct stat st;

    if (file->device)
        return resize_device(file, block, bytes, err);
    if (bytes < file->bytes)
        return err_set(
            err,
            "disk %s: %s: would get shorter (it has %llu bytes), and lose what is there; "
            "that is for qemu-img resize --shrink, when nobody uses it",
            block_id(block), block_file(block), (unsigned long long)file->bytes);
    if (bytes % file->align)
        return err_set(err, "disk %s: %s: its cache mode needs a multiple of %u bytes here",
                       block_id(block), block_file(block), file->align);
    /* Somebody may have made the file longer already. */
    if (fstat(file->fd, &st) < 0 ||
        ((uint64_t)st.st_size < bytes &&
         (ftruncate(file->fd, (off_t)bytes) < 0 || fdatasync(file->fd) < 0)))
        return err_set(err, "disk %s: %s: %s", block_id(block), block_file(block), strerror(errno));
    file->bytes = bytes;
    return true;
}

void image_file_close(struct image_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
}
