/* SPDX-License-Identifier: GPL-2.0-or-later */
/* thread: how every thread beside the loop's begins. In the header, for program and modules alike.
 */
#ifndef HW_CORE_THREAD_H
#define HW_CORE_THREAD_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

/* Starts `run(arg)` with `stack` bytes of stack (PTHREAD_STACK_MIN at least); nobody joins it if
 * `detached`. It takes no signals: they are the loop's, and SIGPIPE, blocked, leaves writes to fail
 * with EPIPE. Returns 0 or an errno value. */
static inline int thread_start(pthread_t *thread, size_t stack, bool detached, void *(*run)(void *),
                               void *arg)
{
    sigset_t all, before;
    pthread_attr_t attr;

    sigfillset(&all);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, stack);
    if (detached)
        pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(thread, &attr, run, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return error;
}

#endif
