/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * raw: the driver for plain files and block devices. Three ways lead to the medium:
 *  - page cache, on the loop's thread: what the kernel has at hand (RWF_NOWAIT), small pieces, and
 *    small writes as long as they prove to be quick;
 *  - page cache, on a worker: what may block;
 *  - O_DIRECT (cache=none, directsync): kernel AIO, through aligned bounce buffers, since the
 * kernel cannot pin a foreign mapping. What it can't start without blocking goes to a worker. FLUSH
 * is kernel AIO too where that exists, so that a slow disk never holds up a worker.
 */
#include "block/raw.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/vfs.h>
#include <sys/stat.h>
#include <unistd.h>

#include "block/lock.h"
#include "hw/core/log.h"

#define REAP 16

static void run_waiting(struct raw *raw);

/* A job from the free list, or a new one; NULL when memory is exhausted. */
static struct raw_job *take_job(struct raw *raw)
{
    struct raw_job *job = raw->free;

    if (job)
        raw->free = job->next;
    else
        job = malloc(sizeof(*job));
    if (job)
        memset(job, 0, sizeof(*job));
    return job;
}

static void give_job(struct raw *raw, struct raw_job *job)
{
    job->next = raw->free;
    raw->free = job;
}

static bool get_bounce(struct raw *raw, struct raw_job *job, size_t bytes)
{
    uint32_t align = raw->file.align > 4096 ? raw->file.align : 4096;
    struct raw_spare *s = raw->spares ? &raw->spare[raw->spares - 1] : NULL;

    if (bytes >= RAW_SPARE_MIN && s && bytes <= s->bytes) {
        job->bounce = s->memory;
        bytes = s->bytes;
        raw->spare_bytes -= s->bytes;
        raw->spares--;
    } else if (posix_memalign(&job->bounce, align, bytes)) {
        job->bounce = NULL;
        return false;
    }
    job->bounce_bytes = bytes;
    raw->bounce_bytes += bytes;
    return true;
}

static void put_bounce(struct raw *raw, struct raw_job *job)
{
    raw->bounce_bytes -= job->bounce_bytes;
    if (job->bounce_bytes >= RAW_SPARE_MIN && raw->spares < RAW_SPARES &&
        raw->spare_bytes + job->bounce_bytes <= RAW_SPARE_BYTES) {
        raw->spare[raw->spares++] =
            (struct raw_spare){.memory = job->bounce, .bytes = job->bounce_bytes};
        raw->spare_bytes += job->bounce_bytes;
    } else {
        free(job->bounce);
    }
    job->bounce = NULL;
    job->bounce_bytes = 0;
}

/* Ends a job. `now`: done() may be called here and now (not in block_submit). */
static void end_job(struct raw_job *job, int error, bool now)
{
    struct raw *raw = job->raw;
    struct block_request *request = job->request;

    put_bounce(raw, job);
    raw->running--;
    if (job->exclusive)
        raw->exclusive = false;
    give_job(raw, job);
    if (!raw->port.outstanding && timer_armed(&raw->relief))
        timer_disarm(&raw->relief);
    if (now) {
        run_waiting(raw);
        block_finish(request, error);
    } else { /* from start_job: whoever called that looks after the waiting ones */
        block_finish_later(request, error);
    }
}

static void to_worker(struct raw_job *job, enum raw_task task)
{
    struct raw *raw = job->raw;

    job->task = task;
    job->has = raw->has;
    job->watch = raw->watch;
    job->work.run = raw_work;
    uint64_t ticket = workers_submit(&raw->port, &job->work);
    if (ticket) {
        raw->ticket = ticket;
        if (!timer_armed(&raw->relief))
            timer_arm_in(&raw->relief, RAW_RELIEF_NS);
    }
}

/* Some job of ours waited for a busy worker: does it still? */
static void relieve(void *opaque)
{
    struct raw *raw = opaque;

    if (workers_relieve(raw->ticket))
        timer_arm_in(&raw->relief, RAW_RELIEF_NS);
}

/* A write into the page cache has ended. One that blocked in here held up all devices, so that it
 * must not happen often: on a disk too slow for its guest the workers do the writing. */
static void note_write(struct raw *raw, const struct raw_job *job, bool here)
{
    if (raw->watch)
        raw->watch--;
    if (job->slow) {
        raw->quick = 0;
        raw->watch = RAW_WATCHED;
        if (here && job->watch && raw->quick_need < RAW_QUICK_MAX)
            raw->quick_need *= 2;
    } else if (raw->quick < RAW_QUICK_MAX && ++raw->quick == RAW_QUICK_MAX) {
        raw->quick_need = RAW_QUICK_MIN;
    }
}

/* Whole pages: then none has to be read first. */
static bool may_write_here(const struct raw *raw, const struct block_request *r)
{
    return (raw->has & RAW_HAS_LOCAL) && raw->quick >= raw->quick_need && !raw->sync &&
           r->bytes <= RAW_WRITE_INLINE_MAX && !((r->offset | r->bytes) % RAW_WRITE_PAGE);
}

/* Buffered READ or WRITE: what the page cache can do at once, else a worker. */
static void start_buffered(struct raw_job *job)
{
    struct raw *raw = job->raw;
    struct block_request *r = job->request;
    bool read = r->op == BLOCK_READ;
    unsigned way = read ? RAW_HAS_NOWAIT_READ : RAW_HAS_NOWAIT_WRITE;
    struct iovec slice[IOV_SLICE];
    size_t covered;

    while ((raw->has & way) && r->bytes <= RAW_INLINE_MAX && (read || !raw->sync)) {
        int cnt = iov_slice(&job->at, r->bytes - job->done, slice, &covered);
        off_t offset = (off_t)(r->offset + job->done);
        ssize_t n = read ? preadv2(raw->file.fd, slice, cnt, offset, RWF_NOWAIT)
                         : pwritev2(raw->file.fd, slice, cnt, offset, RWF_NOWAIT);
        if (n < 0 && (errno == EOPNOTSUPP || errno == EINVAL || errno == ENOSYS))
            raw->has &= ~way;
        if (n <= 0)
            break; /* also any error: the worker gets the same, or gets it done */
        iov_advance(&job->at, (size_t)n);
        job->done += (size_t)n;
        if (job->done == r->bytes) {
            end_job(job, 0, false);
            return;
        }
        if ((size_t)n < covered)
            break;
    }
    if (!read && !(raw->has & way) && may_write_here(raw, r)) {
        job->watch = raw->watch;
        raw_timed(job);
        note_write(raw, job, true);
        end_job(job, (int)-job->result, false);
        return;
    }
    to_worker(job, RAW_TASK_BUFFERED);
}

/* Are the next `bytes` from the cursor on fit to be used by O_DIRECT as they are? Returns how many,
 * a multiple of the alignment: as far as one slice goes. */
static size_t in_place(const struct raw_job *job, size_t bytes)
{
    uint32_t align = job->raw->file.align;
    struct iovec slice[IOV_SLICE];
    size_t covered, good = 0;

    if (!job->request->own_memory || job->request->offset % align || job->done % align)
        return 0;
    int cnt = iov_slice(&job->at, bytes, slice, &covered);
    for (int i = 0; i < cnt; i++) {
        if ((uintptr_t)slice[i].iov_base % align || slice[i].iov_len % align)
            break;
        good += slice[i].iov_len;
    }
    return good;
}

/* Fills in the job's next transfer. False: no memory. */
static bool plan_transfer(struct raw_job *job)
{
    struct raw *raw = job->raw;
    struct block_request *r = job->request;
    uint32_t align = raw->file.align;
    uint64_t from = r->offset + job->done;
    size_t left = r->bytes - job->done;

    if (left > RAW_CHUNK)
        left = RAW_CHUNK;
    size_t direct = in_place(job, left);
    if (direct) {
        put_bounce(raw, job);
        job->offset = from;
        job->head = 0;
        job->length = job->wanted = direct;
        return true;
    }
    job->head = from % align;
    job->offset = from - job->head;
    job->wanted = left;
    job->length = (job->head + left + align - 1) / align * align;
    if (job->bounce_bytes < job->length) {
        put_bounce(raw, job);
        if (!get_bounce(raw, job, job->length))
            return false;
    }
    if (r->op == BLOCK_WRITE) {
        struct iov_cursor at = job->at;
        iov_read(&at, job->bounce, left);
    }
    return true;
}

/* This one could not be started as it is. */
static void not_submitted(struct raw_job *job, int error)
{
    struct raw *raw = job->raw;

    if (error == -EOPNOTSUPP && (job->iocb.aio_rw_flags & RWF_NOWAIT)) {
        raw->has &= ~RAW_HAS_NOWAIT_DIRECT;
        job->iocb.aio_rw_flags &= ~RWF_NOWAIT;
        error = kaio_submit(&raw->kaio, &job->iocb);
    }
    if (error)
        to_worker(job, RAW_TASK_CHUNK);
}

static void submit_batch(struct raw *raw)
{
    struct iocb *batch[RAW_BATCH];
    unsigned count = raw->batched, done = 0;

    for (unsigned i = 0; i < count; i++)
        batch[i] = raw->batch[i];
    raw->batched = 0;
    while (done < count) {
        int n = kaio_submit_many(&raw->kaio, batch + done, count - done);
        if (n > 0)
            done += (unsigned)n;
        else
            not_submitted(batch[done++]->data, n);
    }
}

static void submit_later(void *opaque)
{
    submit_batch(opaque);
}

/* One alone starts at once; those that come while others are under way start together: a guest that
 * has many at once gives them in one go, and a call each is what they would then wait for. */
static void submit_transfer(struct raw_job *job)
{
    struct raw *raw = job->raw;
    bool alone = !raw->kaio.in_flight && !raw->batched;

    if (job->iocb.u.v.vec != &job->one) { /* the caller's: good for now only */
        int error = kaio_submit(&raw->kaio, &job->iocb);
        if (error)
            not_submitted(job, error);
        return;
    }
    raw->batch[raw->batched++] = &job->iocb;
    if (alone || raw->batched == RAW_BATCH)
        submit_batch(raw);
    else
        loop_defer(raw->block->loop, &raw->submit);
}

static void start_transfer(struct raw_job *job, bool now)
{
    struct raw *raw = job->raw;
    bool write = job->request->op == BLOCK_WRITE;
    struct iovec slice[IOV_SLICE];
    size_t covered;
    int fd = raw->file.fd;

    if (!plan_transfer(job)) {
        end_job(job, ENOMEM, now);
        return;
    }
    if (raw->kaio.in_flight + raw->batched >= raw->kaio.capacity) {
        to_worker(job, RAW_TASK_CHUNK);
        return;
    }
    const struct iovec *v = slice;
    int cnt = 1;
    if (job->bounce)
        slice[0] = (struct iovec){.iov_base = job->bounce, .iov_len = job->length};
    else
        cnt = iov_slice(&job->at, job->length, slice, &covered);
    if (cnt == 1) {
        job->one = slice[0];
        v = &job->one;
    }
    if (write)
        io_prep_pwritev(&job->iocb, fd, v, cnt, (long long)job->offset);
    else
        io_prep_preadv(&job->iocb, fd, v, cnt, (long long)job->offset);
    job->iocb.data = job;
    job->iocb.aio_rw_flags =
        (write && raw->sync ? RWF_DSYNC : 0) | (raw->has & RAW_HAS_NOWAIT_DIRECT ? RWF_NOWAIT : 0);
    submit_transfer(job);
}

/* An O_DIRECT transfer came back with bytes or a negative errno value. `asked_not_to_wait`: kernel
 * AIO was told to give up rather than block. */
static void transfer_done(struct raw_job *job, long result, bool asked_not_to_wait)
{
    struct raw *raw = job->raw;
    struct block_request *r = job->request;

    if (asked_not_to_wait && result == -EAGAIN) {
        to_worker(job, RAW_TASK_CHUNK);
        return;
    }
    if (asked_not_to_wait && result == -EOPNOTSUPP) {
        raw->has &= ~RAW_HAS_NOWAIT_DIRECT;
        start_transfer(job, true);
        return;
    }
    if (result == -EINTR) {
        start_transfer(job, true);
        return;
    }
    if (result < 0) {
        end_job(job, (int)-result, true);
        return;
    }
    size_t got = (size_t)result;
    got = got > job->head ? got - job->head : 0;
    if (got > job->wanted)
        got = job->wanted;
    if (r->op == BLOCK_WRITE)
        got -= got % raw->file.align; /* the rest is written again, aligned */
    if (!got && raw->container && r->op == BLOCK_READ) {
        iov_zero(&job->at, r->bytes - job->done);
        end_job(job, 0, true);
        return;
    }
    if (!got) { /* beyond the end: the image has become shorter */
        end_job(job, EIO, true);
        return;
    }
    if (r->op == BLOCK_READ && job->bounce)
        iov_write(&job->at, (char *)job->bounce + job->head, got);
    else
        iov_advance(&job->at, got);
    job->done += got;
    if (job->done == r->bytes)
        end_job(job, 0, true);
    else
        start_transfer(job, true);
}

static void start_flush(struct raw_job *job)
{
    struct raw *raw = job->raw;

    if ((raw->has & RAW_HAS_KAIO_FSYNC) && kaio_ready(&raw->kaio)) {
        io_prep_fdsync(&job->iocb, raw->file.fd);
        job->iocb.data = job;
        int error = kaio_submit(&raw->kaio, &job->iocb);
        if (!error)
            return;
        if (error != -EAGAIN)
            raw->has &= ~RAW_HAS_KAIO_FSYNC;
    }
    to_worker(job, RAW_TASK_FLUSH);
}

static bool misaligned(const struct raw *raw, const struct block_request *r)
{
    return r->offset % raw->file.align || r->bytes % raw->file.align;
}

/* Room for a job that is to be patched into the device's sectors. */
static bool prepare_patch(struct raw_job *job)
{
    struct raw *raw = job->raw;
    size_t align = raw->file.align, bytes = job->request->bytes;

    if (bytes > RAW_CHUNK)
        bytes = RAW_CHUNK;
    return get_bounce(raw, job, (bytes + 2 * align - 1) / align * align);
}

static void start_job(struct raw_job *job)
{
    struct raw *raw = job->raw;

    raw->running++;
    if (job->exclusive) {
        raw->exclusive = true;
        if (!prepare_patch(job)) {
            end_job(job, ENOMEM, false);
            return;
        }
    }
    switch (job->request->op) {
    case BLOCK_READ:
        if (raw->direct)
            start_transfer(job, false);
        else
            start_buffered(job);
        break;
    case BLOCK_WRITE:
        if (job->exclusive)
            to_worker(job, RAW_TASK_PATCH);
        else if (raw->direct)
            start_transfer(job, false);
        else
            start_buffered(job);
        break;
    case BLOCK_FLUSH:
        start_flush(job);
        break;
    case BLOCK_DISCARD:
        if (raw->has & RAW_HAS_PUNCH)
            to_worker(job, RAW_TASK_DISCARD);
        else
            end_job(job, 0, false);
        break;
    case BLOCK_WRITE_ZEROES:
        to_worker(job, RAW_TASK_ZERO);
        break;
    }
}

static bool may_start(const struct raw *raw, const struct raw_job *job)
{
    if (raw->exclusive || (job->exclusive && raw->running))
        return false;
    return raw->bounce_bytes < RAW_BOUNCE_LIMIT;
}

static void run_waiting(struct raw *raw)
{
    while (raw->waiting && may_start(raw, raw->waiting)) {
        struct raw_job *job = raw->waiting;
        raw->waiting = job->next;
        if (!raw->waiting)
            raw->waiting_last = NULL;
        start_job(job);
    }
}

static void raw_submit(struct block *block, struct block_request *request)
{
    struct raw *raw = block->image;
    struct raw_job *job = take_job(raw);

    if (!job) {
        block_finish_later(request, ENOMEM);
        return;
    }
    job->raw = raw;
    job->request = request;
    job->at = (struct iov_cursor){.iov = request->iov, .left = request->iovcnt};
    job->exclusive = (request->op == BLOCK_WRITE || request->op == BLOCK_WRITE_ZEROES) &&
                     misaligned(raw, request);
    if (!raw->waiting && may_start(raw, job)) {
        start_job(job);
        return;
    }
    job->next = NULL;
    if (raw->waiting_last)
        raw->waiting_last->next = job;
    else
        raw->waiting = job;
    raw->waiting_last = job;
}

static void kaio_done(struct raw_job *job, long result)
{
    if (job->request->op == BLOCK_FLUSH)
        end_job(job, (int)-result, true);
    else
        transfer_done(job, result, job->iocb.aio_rw_flags & RWF_NOWAIT);
}

static void work_done(struct raw_job *job)
{
    struct raw *raw = job->raw;

    if (job->task == RAW_TASK_CHUNK) {
        transfer_done(job, job->result, false);
        return;
    }
    if (job->task == RAW_TASK_BUFFERED && job->request->op == BLOCK_WRITE)
        note_write(raw, job, false);
    /* Only a worker drops these two: what it found missing stays missing. */
    raw->has &= job->has | ~(unsigned)(RAW_HAS_PUNCH | RAW_HAS_ZERO);
    end_job(job, (int)-job->result, true);
}

/* Takes what has completed; with `wait`, waits for something first. */
static void reap(struct raw *raw, bool wait)
{
    struct io_event events[REAP];
    int n;

    bool wait_worker = wait && !raw->kaio.in_flight;
    do {
        n = kaio_reap(&raw->kaio, events, REAP, wait);
        for (int i = 0; i < n; i++)
            kaio_done(events[i].data, (long)events[i].res);
        wait = false;
    } while (n == REAP);

    struct worker_job *work = workers_take(&raw->port, wait_worker);
    while (work) {
        struct worker_job *next = work->next;
        if (!raw_tray_done(raw, work))
            work_done((struct raw_job *)work);
        work = next;
    }
}

/* Edge-triggered: each completion announces itself anew, so that the counter need not be read. */
static void completions(void *opaque, uint32_t events)
{
    (void)events;
    reap(opaque, false);
}

static void raw_wait(struct block *block)
{
    struct raw *raw = block->image;

    if (raw->batched)
        submit_batch(raw);
    reap(raw, true);
}

static bool raw_lock(struct block *block, struct err *err)
{
    struct raw *raw = block->image;
    unsigned used = IMAGE_RIGHT_READ | (block->read_only ? 0 : IMAGE_RIGHT_WRITE);
    struct err why;

    switch (image_lock(raw->file.fd, used, IMAGE_RIGHT_WRITE | IMAGE_RIGHT_RESIZE, &why)) {
    case IMAGE_LOCK_TAKEN:
        return true;
    case IMAGE_LOCK_BUSY:
        return err_set(err, "disk %s: %s: the image is in use: %s; detach it there first%s",
                       block->id, block->file, why.text,
                       block->read_only ? "" : ", or attach it read-only in both places");
    case IMAGE_LOCK_UNAVAILABLE:
        if (!raw->lock_warned)
            log_warn("disk %s: %s: its file system cannot lock it (%s): nothing keeps another "
                     "process from writing it",
                     block->id, block->file, why.text);
        raw->lock_warned = true;
        return true;
    }
    return true;
}

static void raw_unlock(struct block *block)
{
    struct raw *raw = block->image;
    image_unlock(raw->file.fd);
}

static void free_raw(struct raw *raw)
{
    while (raw->free) {
        struct raw_job *job = raw->free;
        raw->free = job->next;
        free(job);
    }
    while (raw->spares)
        free(raw->spare[--raw->spares].memory);
    kaio_destroy(&raw->kaio);
    worker_port_destroy(&raw->port);
    if (raw->event_fd >= 0)
        close(raw->event_fd);
    image_file_close(&raw->file);
    free(raw);
}

static void raw_close(struct block *block)
{
    struct raw *raw = block->image;

    while (raw->port.outstanding) /* a look at the medium */
        reap(raw, true);
    loop_unwatch(block->loop, &raw->source);
    loop_undefer(block->loop, &raw->submit);
    timer_destroy(&raw->relief);
    raw_tray_free(raw);
    free_raw(raw);
}

static uint64_t raw_length(struct block *block, bool *fixed)
{
    struct raw *raw = block->image;
    struct stat st;

    *fixed = raw->file.device;
    if (!raw->file.device && fstat(raw->file.fd, &st) == 0)
        return (uint64_t)st.st_size;
    return raw->file.bytes;
}

static bool raw_resize(struct block *block, uint64_t bytes, struct err *err)
{
    struct raw *raw = block->image;

    if (!image_file_resize(&raw->file, block, bytes, err))
        return false;
    block->bytes = raw->file.bytes;
    return true;
}

static bool raw_stat(const struct block *block, struct stat *file)
{
    const struct raw *raw = block->image;

    return fstat(raw->file.fd, file) == 0;
}

static const struct block_driver raw_driver = {
    .submit = raw_submit,
    .wait = raw_wait,
    .lock = raw_lock,
    .unlock = raw_unlock,
    .length = raw_length,
    .resize = raw_resize,
    .tray = raw_tray,
    .stat = raw_stat,
    .close = raw_close,
};

/* Buffered images do without kernel AIO if there is none; O_DIRECT could not keep its promises. */
static bool open_kaio(struct raw *raw, const struct block_config *config, struct err *err)
{
    struct err why;

    if (!raw->direct && config->read_only)
        return true;
    if (kaio_init(&raw->kaio, raw->event_fd, raw->direct ? RAW_KAIO_MAX : 4, &why)) {
        raw->has |= RAW_HAS_KAIO_FSYNC;
        return true;
    }
    if (!raw->direct)
        return true;
    return err_set(err, "disk %s: %s: no kernel AIO, which cache=%s needs: %s; use cache=%s",
                   config->id, config->file, cache_name(config->cache), why.text,
                   config->cache == BLOCK_CACHE_NONE ? "writeback" : "writethrough");
}

/* Behind NFS, FUSE and the like a write may wait for somebody else for ever. */
static bool is_local(const struct image_file *file)
{
    static const unsigned long types[] = {EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC,
                                          F2FS_SUPER_MAGIC, TMPFS_MAGIC};
    struct statfs fs;

    if (file->device)
        return true;
    if (fstatfs(file->fd, &fs) < 0)
        return false;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if ((unsigned long)fs.f_type == types[i])
            return true;
    return false;
}

static struct block *open_raw(struct loop *loop, const struct block_config *config, bool container,
                              struct err *err)
{
    struct raw *raw = calloc(1, sizeof(*raw));

    if (!raw) {
        if (config->fd >= 0)
            close(config->fd);
        err_set(err, "disk %s: out of memory", config->id);
        return NULL;
    }
    raw->event_fd = -1;
    worker_port_init(&raw->port, -1);
    if (!image_file_open(&raw->file, config, container, err))
        goto fail;
    raw->container = container;
    raw->direct = cache_is_direct(config->cache);
    raw->sync = cache_is_sync(config->cache);
    raw->has = RAW_HAS_NOWAIT_READ | RAW_HAS_NOWAIT_WRITE | RAW_HAS_NOWAIT_DIRECT | RAW_HAS_PUNCH |
               RAW_HAS_ZERO | (is_local(&raw->file) ? RAW_HAS_LOCAL : 0);
    raw->quick_need = RAW_QUICK_MIN;
    raw->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (raw->event_fd < 0) {
        err_set(err, "disk %s: eventfd: %s", config->id, strerror(errno));
        goto fail;
    }
    raw->port.event_fd = raw->event_fd;
    if (!open_kaio(raw, config, err))
        goto fail;
    raw->block = block_new(loop, config, &raw_driver, raw,
                           container ? RAW_CONTAINER_BYTES : raw->file.bytes, err);
    if (!raw->block)
        goto fail;
    raw->block->below = container;
    if (!raw_tray_init(raw)) {
        err_set(err, "disk %s: out of memory", config->id);
        block_close(raw->block);
        return NULL;
    }
    deferred_init(&raw->submit, submit_later, raw);
    timer_init(&raw->relief, loop_clock(loop), relieve, raw);
    if (loop_watch(loop, &raw->source, raw->event_fd, EPOLLIN | EPOLLET, completions, raw, err))
        return raw->block;
    block_close(raw->block);
    return NULL;

fail:
    free_raw(raw);
    return NULL;
}

struct block *raw_open(struct loop *loop, const struct block_config *config, struct err *err)
{
    return open_raw(loop, config, false, err);
}

struct block *raw_open_container(struct loop *loop, const struct block_config *config,
                                 struct err *err)
{
    return open_raw(loop, config, true, err);
}
