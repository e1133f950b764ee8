/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * workers: the process's threads for file operations that may block (buffered I/O, fdatasync,
 * fallocate). Started when there is work, gone after some idle seconds; normally one, more only
 * when a job would have to wait for a slow one.
 */
#ifndef BLOCK_WORKERS_H
#define BLOCK_WORKERS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "hw/core/err.h"

#define WORKERS_MAX 4

struct worker_job {
    void (*run)(struct worker_job *job); /* on a worker; must not allocate or log */
    struct worker_port *port;
    struct worker_job *next;
};

/* Where an owner's finished jobs come back. All its functions belong to the owner's thread. */
struct worker_port {
    int event_fd; /* an eventfd, written when the first finished job is waiting; the owner's */
    unsigned outstanding;
    pthread_mutex_t lock;
    pthread_cond_t arrived;
    struct worker_job *first, *last;
};

void worker_port_init(struct worker_port *port, int event_fd);
void worker_port_destroy(struct worker_port *port); /* nothing may be outstanding */

/*
 * Hands a job over. Returns 0 if a worker is there for it, else a ticket: all are busy, and the
 * caller should ask workers_relieve after a while. If not a single thread can be had, the job is
 * run before the function returns.
 */
uint64_t workers_submit(struct worker_port *port, struct worker_job *job);

/* Does the job of this ticket still wait? If so, one more worker is started (up to WORKERS_MAX). */
bool workers_relieve(uint64_t ticket);

/* The finished jobs, in the order in which they finished, or NULL. With `wait`, and if any job is
 * outstanding, waits for one. */
struct worker_job *workers_take(struct worker_port *port, bool wait);

/* Waits until every worker has ended (work under way is done first). To be called before rights are
 * given up, which a thread that is there already would keep; the next job starts a new one. */
void workers_retire(void);

/* Threads alive now: for tests and info. */
unsigned workers_count(void);

#endif
