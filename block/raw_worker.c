/* SPDX-License-Identifier: GPL-2.0-or-later */
/* raw_worker: what the raw driver has its workers do: system calls that may block. Works on a job
 * and on what never changes in struct raw; does not allocate. */
#include "block/raw.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define ZEROES 65536u

/* Never written; aligned for O_DIRECT. */
static char zeroes[ZEROES] __attribute__((aligned(4096)));

static bool unsupported(int error)
{
    return error == EOPNOTSUPP || error == ENOSYS || error == ENOTTY || error == EINVAL;
}

/* All of `len` at `offset`, or a negative errno value. A READ that meets the end of the file
 * returns what there is. */
static long transfer_all(int fd, bool write, void *buf, size_t len, uint64_t offset, bool sync)
{
    size_t done = 0;
    while (done < len) {
        struct iovec v = {.iov_base = (char *)buf + done, .iov_len = len - done};
        ssize_t n = write ? pwritev2(fd, &v, 1, (off_t)(offset + done), sync ? RWF_DSYNC : 0)
                          : preadv(fd, &v, 1, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return write ? -EIO : (long)done;
        done += (size_t)n;
    }
    return (long)done;
}

long raw_buffered(struct raw_job *job)
{
    struct raw *raw = job->raw;
    struct block_request *r = job->request;
    struct iovec slice[IOV_SLICE];
    size_t covered;

    while (job->done < r->bytes) {
        int cnt = iov_slice(&job->at, r->bytes - job->done, slice, &covered);
        off_t offset = (off_t)(r->offset + job->done);
        ssize_t n = r->op == BLOCK_READ
                        ? preadv(raw->file.fd, slice, cnt, offset)
                        : pwritev2(raw->file.fd, slice, cnt, offset, raw->sync ? RWF_DSYNC : 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0 && raw->container && r->op == BLOCK_READ) {
            iov_zero(&job->at, r->bytes - job->done);
            return 0;
        }
        if (n == 0) /* the image has become shorter */
            return -EIO;
        iov_advance(&job->at, (size_t)n);
        job->done += (size_t)n;
    }
    return 0;
}

static long chunk(struct raw_job *job)
{
    struct raw *raw = job->raw;
    bool write = job->request->op == BLOCK_WRITE;

    if (job->bounce)
        return transfer_all(raw->file.fd, write, job->bounce, job->length, job->offset, raw->sync);
    struct iovec slice[IOV_SLICE];
    size_t covered;
    int cnt = iov_slice(&job->at, job->length, slice, &covered);
    ssize_t n;
    do {
        n = write
                ? pwritev2(raw->file.fd, slice, cnt, (off_t)job->offset, raw->sync ? RWF_DSYNC : 0)
                : preadv(raw->file.fd, slice, cnt, (off_t)job->offset);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

/* Reads one block of the device's size into buf; beyond the end of the file it is zeroes. */
static long read_block(struct raw *raw, char *buf, uint64_t offset)
{
    long n = transfer_all(raw->file.fd, false, buf, raw->file.align, offset, false);
    if (n >= 0)
        memset(buf + n, 0, raw->file.align - (size_t)n);
    return n;
}

/* Writes what the device's sectors cover only in part: read, patch, write back. Runs alone on its
 * disk. */
static long patch(struct raw_job *job)
{
    struct raw *raw = job->raw;
    struct block_request *r = job->request;
    uint32_t align = raw->file.align;
    char *buf = job->bounce;

    while (job->done < r->bytes) {
        uint64_t from = r->offset + job->done;
        uint64_t start = from - from % align;
        size_t head = (size_t)(from - start);
        size_t len = r->bytes - job->done;
        if (len > job->bounce_bytes - head)
            len = job->bounce_bytes - head;
        size_t tail = (head + len) % align;
        size_t whole = head + len - tail + (tail ? align : 0);
        long n = 0;
        if (head)
            n = read_block(raw, buf, start);
        if (n >= 0 && tail && (!head || whole > align))
            n = read_block(raw, buf + whole - align, start + whole - align);
        if (n < 0)
            return n;
        if (r->op == BLOCK_WRITE)
            iov_read(&job->at, buf + head, len);
        else
            memset(buf + head, 0, len);
        n = transfer_all(raw->file.fd, true, buf, whole, start, raw->sync);
        if (n < 0)
            return n;
        job->done += len;
    }
    return 0;
}

static long flush(int fd)
{
    int r;
    do {
        r = fdatasync(fd);
    } while (r < 0 && errno == EINTR);
    return r < 0 ? -errno : 0;
}

static int try_fallocate(int fd, int mode, const struct block_request *r)
{
    int n;
    do {
        n = fallocate(fd, mode, (off_t)r->offset, (off_t)r->bytes);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? errno : 0;
}

static int try_ioctl(int fd, unsigned long command, uint64_t start, uint64_t len)
{
    uint64_t range[2] = {start, len};
    int n;
    do {
        n = ioctl(fd, command, range);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? errno : 0;
}

/* Advice: what cannot be forgotten stays. */
static long discard(struct raw_job *job)
{
    struct raw *raw = job->raw;
    struct block_request *r = job->request;
    int error;

    if (raw->file.device) {
        /* Whole sectors of the device, inside the range. */
        int sector = 512;
        if (ioctl(raw->file.fd, BLKSSZGET, &sector) < 0 || sector < 512)
            sector = 512;
        uint64_t mask = (uint64_t)sector - 1;
        uint64_t start = (r->offset + mask) & ~mask, end = (r->offset + r->bytes) & ~mask;
        error = start < end ? try_ioctl(raw->file.fd, BLKDISCARD, start, end - start) : 0;
    } else {
        error = try_fallocate(raw->file.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, r);
    }
    if (!unsupported(error))
        return -error;
    job->has &= ~RAW_HAS_PUNCH;
    return 0;
}

static long write_zeroes(struct raw_job *job)
{
    struct raw *raw = job->raw;
    struct block_request *r = job->request;

    while (job->done < r->bytes) {
        size_t len = r->bytes - job->done;
        if (len > sizeof(zeroes))
            len = sizeof(zeroes);
        long n = transfer_all(raw->file.fd, true, zeroes, len, r->offset + job->done, raw->sync);
        if (n < 0)
            return n;
        job->done += len;
    }
    return 0;
}

/* Without writing if that can be had. A file that had holes gets holes, one that had all its space
 * keeps it. */
static long zero(struct raw_job *job)
{
    struct raw *raw = job->raw;
    struct block_request *r = job->request;
    int hole = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    int keep = FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE;
    int error = EOPNOTSUPP;

    if (raw->file.device && (job->has & RAW_HAS_ZERO)) {
        error = try_ioctl(raw->file.fd, BLKZEROOUT, r->offset, r->bytes);
    } else if (job->has & RAW_HAS_ZERO) {
        bool holes = raw->file.sparse || r->may_unmap;
        error = try_fallocate(raw->file.fd, holes ? hole : keep, r);
        if (unsupported(error))
            error = try_fallocate(raw->file.fd, holes ? keep : hole, r);
    }
    if (unsupported(error)) {
        /* EINVAL from a device: the range is not a multiple of its sectors. */
        if (error != EINVAL)
            job->has &= ~RAW_HAS_ZERO;
        return job->bounce ? patch(job) : write_zeroes(job);
    }
    if (!error && raw->sync)
        return flush(raw->file.fd);
    return -error;
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

/* How often the thread has waited for something. */
static long sleeps(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nvcsw;
}

void raw_timed(struct raw_job *job)
{
    long before = job->watch ? sleeps() : -1;
    uint64_t start = now_ns();

    job->result = raw_buffered(job);
    job->slow = now_ns() - start > RAW_SLOW_NS && (before < 0 || sleeps() != before);
}

void raw_work(struct worker_job *work)
{
    struct raw_job *job = (struct raw_job *)work;
    switch (job->task) {
    case RAW_TASK_BUFFERED:
        raw_timed(job);
        break;
    case RAW_TASK_CHUNK:
        job->result = chunk(job);
        break;
    case RAW_TASK_PATCH:
        job->result = patch(job);
        break;
    case RAW_TASK_FLUSH:
        job->result = flush(job->raw->file.fd);
        break;
    case RAW_TASK_DISCARD:
        job->result = discard(job);
        break;
    case RAW_TASK_ZERO:
        job->result = zero(job);
        break;
    }
}
