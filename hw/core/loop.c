/* SPDX-License-Identifier: GPL-2.0-or-later */
/* loop: see loop.h. */
#include "hw/core/loop.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define BATCH       64
#define MAX_SIGNALS 8

struct signal_handler {
    int signo;
    void (*fn)(void *opaque);
    void *opaque;
};

struct loop {
    int epoll;
    bool quit;
    int code;

    struct epoll_event batch[BATCH];
    int batch_len, batch_at;

    struct deferred *deferred_first, *deferred_last;

    /* Handed over by other threads. */
    pthread_mutex_t post_lock;
    struct deferred *posted_first, *posted_last;
    bool asleep; /* under post_lock: a post must wake us */
    int wake_fd;
    struct loop_source wake_source;

    struct clock host, guest;
    uint64_t guest_offset; /* guest time = host time - offset while running */
    uint64_t guest_stopped_at;
    bool guest_running;

    int signal_fd;
    sigset_t signals;
    struct loop_source signal_source;
    struct signal_handler handlers[MAX_SIGNALS];
    size_t handler_count;

    void (*round)(void *opaque); /* see loop_on_round */
    void *round_opaque;
};

static uint64_t monotonic_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static uint64_t host_now(const struct clock *clock)
{
    (void)clock;
    return monotonic_ns();
}

static uint64_t guest_now(const struct clock *clock)
{
    const struct loop *loop = (const void *)((const char *)clock - offsetof(struct loop, guest));
    return loop->guest_running ? monotonic_ns() - loop->guest_offset : loop->guest_stopped_at;
}

static void woken(void *opaque, uint32_t events)
{
    struct loop *loop = opaque;
    uint64_t count;
    (void)events;
    ssize_t n = read(loop->wake_fd, &count, sizeof(count));
    (void)n; /* EAGAIN: somebody else's wake was already taken */
}

struct loop *loop_new(struct err *err)
{
    struct loop *loop = calloc(1, sizeof(*loop));
    if (!loop) {
        err_set(err, "out of memory");
        return NULL;
    }
    loop->signal_fd = -1;
    loop->wake_fd = -1;
    pthread_mutex_init(&loop->post_lock, NULL);
    sigemptyset(&loop->signals);
    clock_init(&loop->host, host_now);
    clock_init(&loop->guest, guest_now);
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll < 0) {
        err_set(err, "epoll_create1: %s", strerror(errno));
        loop_free(loop);
        return NULL;
    }
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->wake_fd < 0) {
        err_set(err, "eventfd: %s", strerror(errno));
        loop_free(loop);
        return NULL;
    }
    if (!loop_watch(loop, &loop->wake_source, loop->wake_fd, EPOLLIN, woken, loop, err)) {
        loop_free(loop);
        return NULL;
    }
    return loop;
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    if (loop->signal_fd >= 0)
        close(loop->signal_fd);
    if (loop->wake_fd >= 0)
        close(loop->wake_fd);
    if (loop->epoll >= 0)
        close(loop->epoll);
    clock_destroy(&loop->host);
    clock_destroy(&loop->guest);
    pthread_mutex_destroy(&loop->post_lock);
    free(loop);
}

bool loop_watch(struct loop *loop, struct loop_source *source, int fd, uint32_t events,
                void (*fn)(void *opaque, uint32_t events), void *opaque, struct err *err)
{
    *source = (struct loop_source){.fd = fd, .events = events, .fn = fn, .opaque = opaque};
    struct epoll_event e = {.events = events, .data.ptr = source};
    if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &e) < 0)
        return err_set(err, "cannot watch descriptor %d: %s", fd, strerror(errno));
    source->watched = true;
    return true;
}

void loop_watch_events(struct loop *loop, struct loop_source *source, uint32_t events)
{
    if (!source->watched || source->events == events)
        return;
    /* epoll reports EPOLLERR and EPOLLHUP unasked, and level-triggered: a parked source leaves the
     * set. */
    struct epoll_event e = {.events = events, .data.ptr = source};
    if (!events)
        epoll_ctl(loop->epoll, EPOLL_CTL_DEL, source->fd, &e);
    else if (!source->events)
        epoll_ctl(loop->epoll, EPOLL_CTL_ADD, source->fd, &e);
    else
        epoll_ctl(loop->epoll, EPOLL_CTL_MOD, source->fd, &e);
    source->events = events;
}

void loop_unwatch(struct loop *loop, struct loop_source *source)
{
    if (!source->watched)
        return;
    if (source->events) {
        struct epoll_event e = {0};
        epoll_ctl(loop->epoll, EPOLL_CTL_DEL, source->fd, &e);
    }
    source->watched = false;
    for (int i = loop->batch_at; i < loop->batch_len; i++)
        if (loop->batch[i].data.ptr == source)
            loop->batch[i].data.ptr = NULL;
}

void deferred_init(struct deferred *d, void (*fn)(void *opaque), void *opaque)
{
    *d = (struct deferred){.fn = fn, .opaque = opaque};
}

void loop_defer(struct loop *loop, struct deferred *d)
{
    if (d->queued)
        return;
    d->queued = true;
    d->next = NULL;
    if (loop->deferred_last)
        loop->deferred_last->next = d;
    else
        loop->deferred_first = d;
    loop->deferred_last = d;
}

void loop_undefer(struct loop *loop, struct deferred *d)
{
    if (!d->queued)
        return;
    struct deferred *prev = NULL;
    for (struct deferred *i = loop->deferred_first; i; prev = i, i = i->next) {
        if (i != d)
            continue;
        if (prev)
            prev->next = d->next;
        else
            loop->deferred_first = d->next;
        if (loop->deferred_last == d)
            loop->deferred_last = prev;
        d->queued = false;
        return;
    }
}

bool loop_pending(const struct loop *loop)
{
    return loop->deferred_first || __atomic_load_n(&loop->posted_first, __ATOMIC_RELAXED);
}

void loop_post(struct loop *loop, struct deferred *d)
{
    bool wake = false;
    pthread_mutex_lock(&loop->post_lock);
    if (!d->queued) {
        d->queued = true;
        d->next = NULL;
        if (loop->posted_last)
            loop->posted_last->next = d;
        else
            __atomic_store_n(&loop->posted_first, d,
                             __ATOMIC_RELAXED); /* run_posted looks without the lock */
        loop->posted_last = d;
        wake = loop->asleep;
        loop->asleep = false; /* one write wakes it for all that follow */
    }
    pthread_mutex_unlock(&loop->post_lock);
    if (wake) {
        uint64_t one = 1;
        ssize_t n = write(loop->wake_fd, &one, sizeof(one));
        (void)n; /* EAGAIN: it is being woken already */
    }
}

/* Takes what other threads posted; runs it without the lock. */
static void run_posted(struct loop *loop)
{
    if (!__atomic_load_n(&loop->posted_first, __ATOMIC_RELAXED))
        return; /* a post that we miss here has left its wake-up for the next turn */
    pthread_mutex_lock(&loop->post_lock);
    struct deferred *d = loop->posted_first;
    __atomic_store_n(&loop->posted_first, NULL, __ATOMIC_RELAXED);
    loop->posted_last = NULL;
    pthread_mutex_unlock(&loop->post_lock);
    while (d) {
        struct deferred *next = d->next;
        pthread_mutex_lock(&loop->post_lock);
        d->queued = false;
        pthread_mutex_unlock(&loop->post_lock);
        d->fn(d->opaque);
        d = next;
    }
}

/* Runs what is queued now; what that queues anew waits for the next round, so descriptors get their
 * turn. */
static void run_deferred(struct loop *loop)
{
    size_t budget = 0;
    for (struct deferred *d = loop->deferred_first; d; d = d->next)
        budget++;
    while (budget-- && loop->deferred_first) {
        struct deferred *d = loop->deferred_first;
        loop->deferred_first = d->next;
        if (!loop->deferred_first)
            loop->deferred_last = NULL;
        d->queued = false;
        d->fn(d->opaque);
    }
}

struct clock *loop_clock(struct loop *loop)
{
    return &loop->host;
}

struct clock *loop_guest_clock(struct loop *loop)
{
    return &loop->guest;
}

void loop_guest_start(struct loop *loop)
{
    if (loop->guest_running)
        return;
    loop->guest_offset = monotonic_ns() - loop->guest_stopped_at;
    loop->guest_running = true;
}

void loop_guest_stop(struct loop *loop)
{
    if (!loop->guest_running)
        return;
    loop->guest_stopped_at = monotonic_ns() - loop->guest_offset;
    loop->guest_running = false;
}

static void signalled(void *opaque, uint32_t events)
{
    struct loop *loop = opaque;
    struct signalfd_siginfo info;
    (void)events;
    while (read(loop->signal_fd, &info, sizeof(info)) == sizeof(info))
        for (size_t i = 0; i < loop->handler_count; i++)
            if ((uint32_t)loop->handlers[i].signo == info.ssi_signo)
                loop->handlers[i].fn(loop->handlers[i].opaque);
}

bool loop_on_signal(struct loop *loop, int signo, void (*fn)(void *opaque), void *opaque,
                    struct err *err)
{
    if (loop->handler_count == MAX_SIGNALS)
        return err_set(err, "too many signal handlers");
    loop->handlers[loop->handler_count++] =
        (struct signal_handler){.signo = signo, .fn = fn, .opaque = opaque};
    sigaddset(&loop->signals, signo);
    pthread_sigmask(SIG_BLOCK, &loop->signals, NULL);
    int fd = signalfd(loop->signal_fd, &loop->signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return err_set(err, "signalfd: %s", strerror(errno));
    if (loop->signal_fd >= 0)
        return true;
    loop->signal_fd = fd;
    return loop_watch(loop, &loop->signal_source, fd, EPOLLIN, signalled, loop, err);
}

/* Nanoseconds from `now` to the clock's next deadline. */
static uint64_t remaining(const struct clock *clock)
{
    uint64_t deadline = clock_deadline(clock);
    if (deadline == CLOCK_NEVER)
        return CLOCK_NEVER;
    uint64_t now = clock_now(clock);
    return deadline > now ? deadline - now : 0;
}

static uint64_t sleep_time(struct loop *loop, uint64_t timeout)
{
    if (loop->deferred_first || loop->quit)
        return 0;
    uint64_t t = remaining(&loop->host);
    if (t < timeout)
        timeout = t;
    if (loop->guest_running) {
        t = remaining(&loop->guest);
        if (t < timeout)
            timeout = t;
    }
    return timeout;
}

static int to_ms(uint64_t ns)
{
    uint64_t ms = ns / NS_PER_MS + (ns % NS_PER_MS != 0);
    return ms > 60000 ? 60000 : (int)ms;
}

void loop_turn(struct loop *loop, uint64_t timeout_ns)
{
    timeout_ns = sleep_time(loop, timeout_ns);
    if (timeout_ns) {
        pthread_mutex_lock(&loop->post_lock);
        if (loop->posted_first)
            timeout_ns = 0;
        else
            loop->asleep = true;
        pthread_mutex_unlock(&loop->post_lock);
    }

    struct timespec t = {.tv_sec = (time_t)(timeout_ns / NS_PER_S),
                         .tv_nsec = (long)(timeout_ns % NS_PER_S)};
    const struct timespec *until = timeout_ns == CLOCK_NEVER ? NULL : &t;
    int n = epoll_pwait2(loop->epoll, loop->batch, BATCH, until, NULL);
    if (n < 0 && errno == ENOSYS) /* Linux before 5.11: whole milliseconds, rounded up */
        n = epoll_wait(loop->epoll, loop->batch, BATCH, until ? to_ms(timeout_ns) : -1);
    if (timeout_ns) {
        pthread_mutex_lock(&loop->post_lock);
        loop->asleep = false;
        pthread_mutex_unlock(&loop->post_lock);
    }
    loop->batch_len = n < 0 ? 0 : n;
    for (loop->batch_at = 0; loop->batch_at < loop->batch_len;) {
        struct epoll_event *e = &loop->batch[loop->batch_at++];
        struct loop_source *source = e->data.ptr;
        if (source && source->watched)
            source->fn(source->opaque, e->events);
    }
    loop->batch_len = loop->batch_at = 0;

    run_posted(loop);
    if (loop->host.armed)
        clock_run(&loop->host, clock_now(&loop->host));
    if (loop->guest_running && loop->guest.armed)
        clock_run(&loop->guest, clock_now(&loop->guest));
    run_deferred(loop);
    if (loop->round)
        loop->round(loop->round_opaque);
}

void loop_on_round(struct loop *loop, void (*fn)(void *opaque), void *opaque)
{
    loop->round = fn;
    loop->round_opaque = opaque;
}

int loop_run(struct loop *loop)
{
    while (!loop->quit)
        loop_turn(loop, CLOCK_NEVER);
    loop->quit = false;
    return loop->code;
}

void loop_quit(struct loop *loop, int code)
{
    loop->quit = true;
    loop->code = code;
}
