/* SPDX-License-Identifier: GPL-2.0-or-later */
/* workers: see workers.h. */
#include "block/workers.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "hw/core/log.h"
#include "hw/core/thread.h"

#define IDLE_SECONDS 10
#define STACK_BYTES  (256 * 1024)

/* Threads are the process's resource, not a disk's: a guest with four disks must not cost four. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t work, gone;
    struct worker_job *first, *last;
    unsigned queued, idle, threads;
    uint64_t submitted, taken; /* jobs so far: a ticket is the job's number */
    bool refused;              /* no thread to be had: said once */
    bool retiring;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER,
          .work = PTHREAD_COND_INITIALIZER,
          .gone = PTHREAD_COND_INITIALIZER};

void worker_port_init(struct worker_port *port, int event_fd)
{
    memset(port, 0, sizeof(*port));
    port->event_fd = event_fd;
    pthread_mutex_init(&port->lock, NULL);
    pthread_cond_init(&port->arrived, NULL);
}

void worker_port_destroy(struct worker_port *port)
{
    pthread_cond_destroy(&port->arrived);
    pthread_mutex_destroy(&port->lock);
}

static void run(struct worker_job *job)
{
    struct worker_port *port = job->port;

    job->run(job);
    job->next = NULL;
    pthread_mutex_lock(&port->lock);
    bool first = !port->first;
    if (first)
        port->first = job;
    else
        port->last->next = job;
    port->last = job;
    if (first) {
        uint64_t one = 1;
        ssize_t n = write(port->event_fd, &one, sizeof(one));
        (void)n; /* cannot overflow: once for each time the list was emptied */
    }
    pthread_cond_signal(&port->arrived); /* nearly never is there anybody */
    /* The last touch: the owner may destroy the port once it has seen the job. */
    pthread_mutex_unlock(&port->lock);
}

/* Waits for work; false when none came for the idle time. pool.lock is held. */
static bool wait_for_work(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += IDLE_SECONDS;
    pool.idle++;
    int error = 0;
    while (!pool.first && !pool.retiring && error != ETIMEDOUT)
        error = pthread_cond_timedwait(&pool.work, &pool.lock, &until);
    pool.idle--;
    return pool.first != NULL;
}

static void *worker(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&pool.lock);
    while (pool.first || wait_for_work()) {
        struct worker_job *job = pool.first;
        pool.first = job->next;
        if (!pool.first)
            pool.last = NULL;
        pool.queued--;
        pool.taken++;
        pthread_mutex_unlock(&pool.lock);
        run(job);
        pthread_mutex_lock(&pool.lock);
    }
    pool.threads--;
    pthread_cond_signal(&pool.gone); /* nobody but workers_retire waits there */
    pthread_mutex_unlock(&pool.lock);
    return NULL;
}

/* pool.lock is held. The thread takes no signals: they are the loop's. */
static bool start_worker(void)
{
    pthread_t thread;

    if (pool.threads == WORKERS_MAX)
        return false;
    int error = thread_start(&thread, STACK_BYTES, true, worker, NULL);
    if (error) {
        if (!pool.refused)
            log_warn("cannot start a thread for disk access: %s; disks will be slow",
                     strerror(error));
        pool.refused = true;
        return false;
    }
    pool.threads++;
    return true;
}

uint64_t workers_submit(struct worker_port *port, struct worker_job *job)
{
    uint64_t ticket = 0;

    job->port = port;
    job->next = NULL;
    port->outstanding++;
    pthread_mutex_lock(&pool.lock);
    unsigned started = !pool.threads && start_worker();
    if (!pool.threads) {
        pthread_mutex_unlock(&pool.lock);
        run(job);
        return 0;
    }
    if (pool.last)
        pool.last->next = job;
    else
        pool.first = job;
    pool.last = job;
    pool.queued++;
    pool.submitted++;
    bool wake = pool.idle;
    if (pool.queued > pool.idle + started)
        ticket = pool.submitted;
    pthread_mutex_unlock(&pool.lock);
    if (wake) /* not before: it would wake up only to wait for the lock */
        pthread_cond_signal(&pool.work);
    return ticket;
}

bool workers_relieve(uint64_t ticket)
{
    pthread_mutex_lock(&pool.lock);
    bool waits = pool.taken < ticket;
    if (waits)
        start_worker();
    pthread_mutex_unlock(&pool.lock);
    return waits;
}

struct worker_job *workers_take(struct worker_port *port, bool wait)
{
    pthread_mutex_lock(&port->lock);
    while (wait && !port->first && port->outstanding)
        pthread_cond_wait(&port->arrived, &port->lock);
    struct worker_job *jobs = port->first;
    port->first = port->last = NULL;
    pthread_mutex_unlock(&port->lock);
    for (struct worker_job *job = jobs; job; job = job->next)
        port->outstanding--;
    return jobs;
}

void workers_retire(void)
{
    pthread_mutex_lock(&pool.lock);
    pool.retiring = true;
    pthread_cond_broadcast(&pool.work);
    while (pool.threads)
        pthread_cond_wait(&pool.gone, &pool.lock);
    pool.retiring = false;
    pthread_mutex_unlock(&pool.lock);
}

unsigned workers_count(void)
{
    pthread_mutex_lock(&pool.lock);
    unsigned n = pool.threads;
    pthread_mutex_unlock(&pool.lock);
    return n;
}
