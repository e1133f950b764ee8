/* SPDX-License-Identifier: GPL-2.0-or-later */
/* recorder: see recorder.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <libaio.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/block/recorder.h"

#define SECTOR 512u

enum kind { WRITE, HOLE, FLUSH };

struct event {
    enum kind kind;
    uint64_t begin, end; /* moments; end 0: not completed, or failed */
    uint64_t offset;
    size_t bytes;
    uint8_t *data;
    bool durable;       /* at its end, by itself (RWF_DSYNC) */
    const void *handle; /* the iocb under way */
    bool applied;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static bool on;
static dev_t dev;
static ino_t ino;
static struct event *events;
static size_t count, room;
static uint64_t clock_;
static uint8_t *durable; /* contents at the last cut */
static size_t durable_bytes, durable_room;
static uint32_t *newest; /* of each sector in `durable`: the event it is from, counted from 1 */
static size_t newest_room;

static bool ours(int fd)
{
    struct stat st;
    return on && !fstat(fd, &st) && st.st_dev == dev && st.st_ino == ino;
}

/* The lock is held. */
static size_t note(enum kind kind, uint64_t offset, size_t bytes)
{
    if (count == room) {
        room = room ? room * 2 : 1024;
        events = realloc(events, room * sizeof(*events));
        if (!events)
            abort();
    }
    events[count] =
        (struct event){.kind = kind, .begin = ++clock_, .offset = offset, .bytes = bytes};
    return count++;
}

static size_t note_write(const struct iovec *iov, int cnt, uint64_t offset, bool dsync)
{
    size_t bytes = 0;

    for (int i = 0; i < cnt; i++)
        bytes += iov[i].iov_len;
    pthread_mutex_lock(&mutex);
    size_t e = note(WRITE, offset, bytes);
    uint8_t *to = events[e].data = malloc(bytes ? bytes : 1);
    for (int i = 0; i < cnt; i++) {
        memcpy(to, iov[i].iov_base, iov[i].iov_len);
        to += iov[i].iov_len;
    }
    events[e].durable = dsync;
    pthread_mutex_unlock(&mutex);
    return e;
}

static size_t note_other(enum kind kind, uint64_t offset, size_t bytes)
{
    pthread_mutex_lock(&mutex);
    size_t e = note(kind, offset, bytes);
    pthread_mutex_unlock(&mutex);
    return e;
}

/* What was noted has completed with so many bytes, or failed (negative). */
static void note_end(size_t e, long result)
{
    pthread_mutex_lock(&mutex);
    if (result >= 0)
        events[e].end = ++clock_;
    if (events[e].kind == WRITE && result >= 0 && (size_t)result < events[e].bytes)
        events[e].bytes = (size_t)result;
    if (result < 0)
        events[e].bytes = 0;
    events[e].handle = NULL;
    pthread_mutex_unlock(&mutex);
}

/* ---- The system calls -------------------------------------------------------------------------
 */

ssize_t pwritev2(int fd, const struct iovec *iov, int cnt, off_t offset, int flags)
{
    bool mine = ours(fd);
    size_t e = mine ? note_write(iov, cnt, (uint64_t)offset, flags & RWF_DSYNC) : 0;
    /* The position in two halves, as the kernel wants it. */
    ssize_t n = syscall(SYS_pwritev2, fd, iov, (long)cnt, (long)offset, 0L,
                        (long)(mine ? flags & ~RWF_DSYNC : flags));
    int error = errno;
    if (mine)
        note_end(e, n);
    errno = error;
    return n;
}

ssize_t pwritev(int fd, const struct iovec *iov, int cnt, off_t offset)
{
    return pwritev2(fd, iov, cnt, offset, 0);
}

ssize_t pwrite(int fd, const void *buf, size_t bytes, off_t offset)
{
    struct iovec iov = {.iov_base = (void *)(uintptr_t)buf, .iov_len = bytes};
    return pwritev2(fd, &iov, 1, offset, 0);
}

int fdatasync(int fd)
{
    if (!ours(fd))
        return (int)syscall(SYS_fdatasync, fd);
    note_end(note_other(FLUSH, 0, 0), 0);
    return 0;
}

int fsync(int fd)
{
    return fdatasync(fd);
}

int fallocate(int fd, int mode, off_t offset, off_t len)
{
    bool mine = ours(fd);
    size_t e = mine ? note_other(HOLE, (uint64_t)offset, (size_t)len) : 0;
    int r = (int)syscall(SYS_fallocate, fd, mode, offset, len);
    int error = errno;
    if (mine)
        note_end(e, r);
    errno = error;
    return r;
}

static int submit_one(io_context_t context, struct iocb **iocbs)
{
    struct iocb *iocb = iocbs[0];
    bool write = iocb->aio_lio_opcode == IO_CMD_PWRITEV;
    bool mine = ours(iocb->aio_fildes);
    size_t e = 0;

    if (mine && iocb->aio_lio_opcode == IO_CMD_FDSYNC)
        return -EINVAL; /* by fdatasync then */
    if (mine && write) {
        e = note_write(iocb->u.v.vec, iocb->u.v.nr, (uint64_t)iocb->u.v.offset,
                       iocb->aio_rw_flags & RWF_DSYNC);
        iocb->aio_rw_flags &= ~RWF_DSYNC;
        pthread_mutex_lock(&mutex);
        events[e].handle = iocb;
        pthread_mutex_unlock(&mutex);
    }
    int r = (int)syscall(SYS_io_submit, context, 1L, iocbs);
    int error = errno;
    if (mine && write && r != 1)
        note_end(e, -1);
    return r < 0 ? -error : r;
}

int io_submit(io_context_t context, long n, struct iocb **iocbs)
{
    int done = 0, r = 1;

    while (done < n && r == 1) {
        r = submit_one(context, iocbs + done);
        done += r == 1;
    }
    return done ? done : r;
}

int io_getevents(io_context_t context, long min, long max, struct io_event *got,
                 struct timespec *timeout)
{
    int n = (int)syscall(SYS_io_getevents, context, min, max, got, timeout);
    int error = errno;

    for (int i = 0; i < n; i++)
        for (size_t e = 0; e < count; e++)
            if (events[e].handle == got[i].obj)
                note_end(e, (long)got[i].res);
    return n < 0 ? -error : n;
}

/* ---- Control ----------------------------------------------------------------------------------
 */

static void reach(size_t bytes)
{
    if (bytes > durable_room) {
        durable_room = bytes + bytes / 2;
        durable = realloc(durable, durable_room);
        size_t sectors = durable_room / SECTOR + 1;
        newest = realloc(newest, sectors * sizeof(*newest));
        if (!durable || !newest)
            abort();
        memset(newest + newest_room, 0, (sectors - newest_room) * sizeof(*newest));
        newest_room = sectors;
    }
    if (bytes > durable_bytes) {
        memset(durable + durable_bytes, 0, bytes - durable_bytes);
        durable_bytes = bytes;
    }
}

void recorder_start(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY);

    recorder_free();
    assert_true(fd >= 0 && !fstat(fd, &st));
    reach((size_t)st.st_size);
    assert_int_equal(pread(fd, durable, (size_t)st.st_size, 0), st.st_size);
    close(fd);
    dev = st.st_dev;
    ino = st.st_ino;
    on = true;
}

void recorder_stop(void)
{
    on = false;
}

void recorder_free(void)
{
    on = false;
    for (size_t i = 0; i < count; i++)
        free(events[i].data);
    free(events);
    free(durable);
    free(newest);
    newest = NULL;
    newest_room = 0;
    events = NULL;
    durable = NULL;
    count = room = durable_bytes = durable_room = 0;
    clock_ = 0;
}

uint64_t recorder_now(void)
{
    pthread_mutex_lock(&mutex);
    uint64_t t = ++clock_;
    pthread_mutex_unlock(&mutex);
    return t;
}

size_t recorder_count(void)
{
    return 2 * count;
}

uint64_t recorder_moment(size_t i)
{
    /* Begins and ends, in order: all moments at which something happened. Ends of what failed are
     * the begin again. */
    const struct event *e = &events[i / 2];
    return i % 2 && e->end ? e->end : e->begin;
}

static uint64_t random_(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *seed >> 24;
}

/* Sector by sector: what was begun earlier does not come back over something newer that is durable
 * (the page cache and the file system keep the order of two changes of one place). `mark`: it is
 * durable from now on. */
static void apply(uint8_t *to, size_t i, size_t from, size_t len, bool mark)
{
    const struct event *e = &events[i];

    for (size_t at = from; at < from + len;) {
        size_t sector = (e->offset + at) / SECTOR, end = (sector + 1) * SECTOR - e->offset;
        if (end > from + len)
            end = from + len;
        if (sector >= newest_room || newest[sector] <= i + 1) {
            if (e->kind == WRITE)
                memcpy(to + e->offset + at, e->data + at, end - at);
            else
                memset(to + e->offset + at, 0, end - at);
            if (mark)
                newest[sector] = (uint32_t)i + 1;
        }
        at = end;
    }
}

/* Everything that is durable at the moment goes into `durable`, in the order in which it was
 * written.
 */
static void settle(uint64_t moment)
{
    uint64_t covered = 0; /* what ended before this moment */

    for (size_t i = 0; i < count; i++)
        if (events[i].kind == FLUSH && events[i].end && events[i].end <= moment &&
            events[i].begin > covered)
            covered = events[i].begin;
    for (size_t i = 0; i < count; i++) {
        struct event *e = &events[i];
        if (e->kind == FLUSH || e->applied || !e->bytes || !e->end)
            continue;
        if (e->end < covered || (e->durable && e->end <= moment)) {
            e->applied = true;
            size_t end = e->offset + e->bytes;
            if (e->kind == WRITE)
                reach(end);
            else if (end > durable_bytes) /* a hole does not make the file longer */
                end = durable_bytes;
            if (end > e->offset)
                apply(durable, i, 0, end - e->offset, true);
        }
    }
}

static bool chosen(enum recorder_choice choice, uint64_t *seed, size_t i, size_t last)
{
    switch (choice) {
    case RECORDER_NOTHING:
        return false;
    case RECORDER_LAST_FIRST:
        return i + 4 > last;
    case RECORDER_WRITES:
        return random_(seed) & 1;
    default:
        return true;
    }
}

void recorder_cut(uint64_t moment, enum recorder_choice choice, uint64_t seed, const char *path)
{
    size_t last = 0, most;

    settle(moment);
    size_t bytes = most = durable_bytes;
    for (size_t i = 0; i < count; i++) {
        struct event *e = &events[i];
        if (e->kind == FLUSH || e->applied || e->begin > moment || !e->bytes)
            continue;
        last = i;
        if (e->kind == WRITE && e->offset + e->bytes > most)
            most = e->offset + e->bytes;
    }
    uint8_t *cut = calloc(1, most ? most : 1);
    memcpy(cut, durable, durable_bytes);
    for (size_t i = 0; i < count; i++) {
        struct event *e = &events[i];
        if (e->kind == FLUSH || e->applied || e->begin > moment || !e->bytes ||
            !chosen(choice, &seed, i, last))
            continue;
        for (size_t at = 0; at < e->bytes; at += SECTOR) {
            size_t len = e->bytes - at < SECTOR ? e->bytes - at : SECTOR;
            size_t end = e->offset + at + len;
            if (choice == RECORDER_SECTORS && !(random_(&seed) & 1))
                continue;
            if (e->kind == HOLE && end > bytes)
                continue;
            apply(cut, i, at, len, false);
            if (end > bytes)
                bytes = end;
        }
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, cut, bytes), (ssize_t)bytes);
    close(fd);
    free(cut);
}
