/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * capture: see capture.h. The file is libpcap's (draft-ietf-opsawg-pcap): a header, then records of
 * 16 bytes and the frame, in the host's byte order. The wire's side fills one buffer while the
 * thread writes the other; neither waits for the other there.
 */
#include "net/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "hw/core/log.h"
#include "hw/core/loop.h"
#include "hw/core/thread.h"
#include "net/net.h"

#define BUFFER    (4u << 20)
#define HAND_OVER (256u << 10)      /* so much is worth a write … */
#define LATEST    (200 * NS_PER_MS) /* … and so long nothing waits for it */
#define STACK     (64u << 10)
#define POLL_MS   1000

struct pcap_file {
    uint32_t magic; /* microseconds */
    uint16_t major, minor;
    int32_t zone;
    uint32_t accuracy, snaplen, linktype;
};

struct pcap_record {
    uint32_t seconds, microseconds, kept, len;
};

struct buffer {
    uint8_t *bytes;
    size_t len;
};

struct capture {
    struct loop *loop;
    struct net *net;
    struct net_watcher watcher;
    char *id, *file;
    uint32_t maxlen;
    int fd;
    struct timer hand_over;
    struct buffer filling; /* the wire's */
    uint64_t missed;
    bool ended; /* nothing more is written */

    pthread_t thread;
    bool have_thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    /* Under the lock: */
    struct buffer writing; /* len 0: the thread has nothing to do */
    bool stop;
    int error;
};

/* ---- The thread ---- */

static bool stopping(struct capture *c)
{
    pthread_mutex_lock(&c->lock);
    bool stop = c->stop;
    pthread_mutex_unlock(&c->lock);
    return stop;
}

/* How much of `len` bytes of records is whole ones, if `done` bytes are there. */
static size_t whole_records(const uint8_t *bytes, size_t len, size_t done)
{
    size_t at = 0;
    while (at + sizeof(struct pcap_record) <= len) {
        struct pcap_record r;
        memcpy(&r, bytes + at, sizeof(r));
        size_t next = at + sizeof(r) + r.kept;
        if (next > done)
            break;
        at = next;
    }
    return at;
}

/* 0, or errno; the file then ends with a whole record, if it is one that can be cut. */
static int write_all(struct capture *c, const uint8_t *bytes, size_t len, bool records)
{
    size_t done = 0;
    while (done < len) {
        ssize_t n = write(c->fd, bytes + done, len - done);
        if (n > 0) {
            done += (size_t)n;
            continue;
        }
        struct pollfd p = {.fd = c->fd, .events = POLLOUT};
        if (n < 0 && errno == EAGAIN && (poll(&p, 1, POLL_MS) > 0 || !stopping(c)))
            continue;
        if (n < 0 && errno == EINTR)
            continue;
        int error = n < 0 ? errno : EIO;
        size_t torn = records ? done - whole_records(bytes, len, done) : done;
        off_t at = torn ? lseek(c->fd, 0, SEEK_CUR) : -1;
        if (at >= (off_t)torn && ftruncate(c->fd, at - (off_t)torn))
            return error; /* as it is, then */
        return error;
    }
    return 0;
}

static void *run(void *arg)
{
    struct capture *c = arg;
    pthread_mutex_lock(&c->lock);
    for (;;) {
        while (!c->writing.len && !c->stop)
            pthread_cond_wait(&c->wake, &c->lock);
        if (!c->writing.len)
            break;
        struct buffer b = c->writing;
        pthread_mutex_unlock(&c->lock);
        int error = write_all(c, b.bytes, b.len, true);
        pthread_mutex_lock(&c->lock);
        c->writing.len = 0;
        if (error && !c->error)
            c->error = error;
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

/* ---- The wire's side ---- */

static void end(struct capture *c, int error)
{
    if (c->ended)
        return;
    c->ended = true;
    net_unwatch(c->net, &c->watcher);
    timer_disarm(&c->hand_over);
    log_warn("capture %s: %s: %s; nothing more is captured", c->id, c->file,
             error == EAGAIN ? "whoever reads it is too slow" : strerror(error));
}

/* Not before there are frames: a thread from before the confinement would keep capabilities. */
static bool have_thread(struct capture *c)
{
    if (c->have_thread)
        return true;
    int error = thread_start(&c->thread, STACK, false, run, c);
    if (error)
        end(c, error);
    else
        c->have_thread = true;
    return c->have_thread;
}

/* Gives what there is to the thread. False: it has not finished with what it got before, or the
 * capture has ended. */
static bool hand_over(struct capture *c)
{
    if (!have_thread(c))
        return false;
    pthread_mutex_lock(&c->lock);
    int error = c->error;
    bool idle = !c->writing.len;
    if (idle && !error && c->filling.len) {
        struct buffer b = c->writing;
        c->writing = c->filling;
        c->filling = b;
        pthread_cond_signal(&c->wake);
    }
    pthread_mutex_unlock(&c->lock);
    if (error)
        end(c, error);
    return idle && !error;
}

static bool is_writing(struct capture *c)
{
    pthread_mutex_lock(&c->lock);
    bool writing = c->writing.len;
    pthread_mutex_unlock(&c->lock);
    return writing;
}

/* Until nothing is left: also to see whether it was written. */
static void due(void *opaque)
{
    struct capture *c = opaque;
    bool waits = c->filling.len;
    hand_over(c);
    if (!c->ended && (waits || is_writing(c)))
        timer_arm_in(&c->hand_over, LATEST);
}

static void saw(void *opaque, bool to_nic, const uint8_t *frame, size_t len)
{
    struct capture *c = opaque;
    size_t kept = len < c->maxlen ? len : c->maxlen, need = sizeof(struct pcap_record) + kept;
    struct timespec now;
    (void)to_nic;
    if (c->filling.len + need > BUFFER && !hand_over(c)) {
        c->missed++;
        return;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    const struct pcap_record r = {
        .seconds = (uint32_t)now.tv_sec,
        .microseconds = (uint32_t)(now.tv_nsec / 1000),
        .kept = (uint32_t)kept,
        .len = (uint32_t)len,
    };
    uint8_t *at = c->filling.bytes + c->filling.len;
    memcpy(at, &r, sizeof(r));
    memcpy(at + sizeof(r), frame, kept);
    c->filling.len += need;
    if (c->filling.len >= HAND_OVER)
        hand_over(c);
    if (c->filling.len && !c->ended && !timer_armed(&c->hand_over))
        timer_arm_in(&c->hand_over, LATEST);
}

/* ---- Life ---- */

int capture_create(const char *id, const char *file, struct err *err)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK, 0600);
    if (fd < 0)
        err_set(err, "capture %s: file=%s: %s", id, file,
                errno == ENXIO ? "nobody reads from there" : strerror(errno));
    return fd;
}

static void release(struct capture *c)
{
    close(c->fd);
    pthread_cond_destroy(&c->wake);
    pthread_mutex_destroy(&c->lock);
    free(c->filling.bytes);
    free(c->writing.bytes);
    free(c->id);
    free(c->file);
    free(c);
}

struct capture *capture_new(struct loop *loop, struct net *net, const char *id, int fd,
                            const char *file, uint32_t maxlen, struct err *err)
{
    struct capture *c = calloc(1, sizeof(*c));
    if (!c) {
        close(fd);
        err_set(err, "out of memory");
        return NULL;
    }
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->wake, NULL);
    c->loop = loop;
    c->net = net;
    c->fd = fd;
    c->maxlen = maxlen < NET_MAX_FRAME ? maxlen : NET_MAX_FRAME;
    c->id = strdup(id);
    c->file = strdup(file);
    c->filling.bytes = malloc(BUFFER);
    c->writing.bytes = malloc(BUFFER);
    if (!c->id || !c->file || !c->filling.bytes || !c->writing.bytes) {
        err_set(err, "out of memory");
        release(c);
        return NULL;
    }
    const struct pcap_file header = {
        .magic = 0xA1B2C3D4, .major = 2, .minor = 4, .snaplen = c->maxlen, .linktype = 1};
    int error = write_all(c, (const uint8_t *)&header, sizeof(header), false);
    if (error) {
        err_set(err, "capture %s: %s: %s", id, file, strerror(error));
        release(c);
        return NULL;
    }
    timer_init(&c->hand_over, loop_clock(loop), due, c);
    c->watcher = (struct net_watcher){.frame = saw, .opaque = c};
    net_watch(net, &c->watcher);
    return c;
}

void capture_free(struct capture *c)
{
    if (!c)
        return;
    if (c->have_thread) {
        pthread_mutex_lock(&c->lock);
        c->stop = true;
        pthread_cond_signal(&c->wake);
        pthread_mutex_unlock(&c->lock);
        pthread_join(c->thread, NULL);
    }
    c->stop = true;
    int error = c->ended   ? 0
                : c->error ? c->error
                           : write_all(c, c->filling.bytes, c->filling.len, true);
    if (error)
        end(c, error);
    if (!c->ended)
        net_unwatch(c->net, &c->watcher);
    if (c->missed)
        log_warn("capture %s: %s was too slow for %" PRIu64 " frames", c->id, c->file, c->missed);
    timer_destroy(&c->hand_over);
    release(c);
}

const char *capture_id(const struct capture *c)
{
    return c->id;
}

uint64_t capture_missed(const struct capture *c)
{
    return c->missed;
}
