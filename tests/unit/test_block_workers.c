/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_block_workers: the thread pool: hand-over and return, relief behind a slow job, its limit,
 * and life without threads. */
#include "tests/unit/block_rig.h"

#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "block/workers.h"

struct job {
    struct worker_job work;
    int gate; /* descriptor to read one byte from, or -1 */
    pthread_t thread;
    bool signals_blocked;
    bool ran;
};

static void run_job(struct worker_job *work)
{
    struct job *job = (struct job *)work;
    sigset_t mask;
    char c;
    job->thread = pthread_self();
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    job->signals_blocked = sigismember(&mask, SIGTERM) && sigismember(&mask, SIGHUP);
    job->ran = job->gate < 0 || read(job->gate, &c, 1) == 1;
}

static struct worker_port port;

static int setup(void **state)
{
    (void)state;
    worker_port_init(&port, eventfd(0, EFD_NONBLOCK));
    return port.event_fd < 0;
}

static int teardown(void **state)
{
    (void)state;
    close(port.event_fd);
    worker_port_destroy(&port);
    return 0;
}

static unsigned take(bool wait, struct job **last)
{
    unsigned n = 0;
    for (struct worker_job *w = workers_take(&port, wait); w; w = w->next, n++)
        *last = (struct job *)w;
    return n;
}

static void test_one_thread_for_quick_jobs(void **state)
{
    struct job job = {.work.run = run_job, .gate = -1}, *got = NULL;
    (void)state;
    assert_int_equal(take(true, &got), 0); /* nothing outstanding: does not wait */
    for (int i = 0; i < 200; i++) {
        job.ran = false;
        workers_submit(&port, &job.work);
        assert_int_equal(port.outstanding, 1);
        assert_int_equal(take(true, &got), 1);
        assert_ptr_equal(got, &job);
        assert_true(job.ran);
        assert_true(job.signals_blocked);
        assert_false(pthread_equal(job.thread, pthread_self()));
        assert_int_equal(port.outstanding, 0);
    }
    assert_int_equal(workers_count(), 1);
    uint64_t count;
    assert_int_equal(read(port.event_fd, &count, sizeof(count)), sizeof(count));
    assert_int_equal(count, 200);
}

/* Ends them all, after what they are at; the next job has a new one. */
static void test_retire(void **state)
{
    struct job job = {.work.run = run_job, .gate = -1}, slow, *got = NULL;
    int gate[2];
    (void)state;

    workers_retire();
    assert_int_equal(workers_count(), 0);
    assert_int_equal(pipe(gate), 0);
    slow = (struct job){.work.run = run_job, .gate = gate[0]};
    workers_submit(&port, &slow.work);
    workers_submit(&port, &job.work);
    assert_int_equal(write(gate[1], "x", 1), 1);
    workers_retire();
    assert_int_equal(workers_count(), 0);
    assert_int_equal(take(false, &got), 2);
    assert_true(slow.ran && job.ran);
    workers_submit(&port, &job.work);
    assert_int_equal(workers_count(), 1);
    assert_int_equal(take(true, &got), 1);
    close(gate[0]);
    close(gate[1]);
}

static void test_relief_and_limit(void **state)
{
    struct job slow[WORKERS_MAX], quick = {.work.run = run_job, .gate = -1}, *got = NULL;
    int gate[2];
    uint64_t ticket;
    (void)state;

    assert_int_equal(pipe(gate), 0);
    slow[0] = (struct job){.work.run = run_job, .gate = gate[0]};
    workers_submit(&port, &slow[0].work);
    /* The one behind it waits, until it is relieved. (A ticket may be given also for a job that is
     * taken the next moment; so ask until the slow one is really in the way.) */
    do {
        ticket = workers_submit(&port, &quick.work);
        if (!ticket)
            take(true, &got);
    } while (!ticket);
    while (workers_relieve(ticket))
        usleep(1000);
    assert_int_equal(take(true, &got), 1);
    assert_ptr_equal(got, &quick);
    assert_false(workers_relieve(ticket));

    /* However many are slow, there are never more than so many threads. */
    for (unsigned i = 1; i < WORKERS_MAX; i++) {
        slow[i] = (struct job){.work.run = run_job, .gate = gate[0]};
        ticket = workers_submit(&port, &slow[i].work);
        while (ticket && workers_relieve(ticket))
            usleep(1000);
    }
    ticket = workers_submit(&port, &quick.work);
    assert_true(ticket);
    for (int i = 0; i < 10; i++)
        assert_true(workers_relieve(ticket));
    assert_int_equal(workers_count(), WORKERS_MAX);
    assert_int_equal(take(false, &got), 0);

    for (unsigned i = 0; i < WORKERS_MAX; i++)
        assert_int_equal(write(gate[1], "x", 1), 1);
    unsigned done = 0;
    while (done < WORKERS_MAX + 1)
        done += take(true, &got);
    assert_int_equal(done, WORKERS_MAX + 1);
    assert_true(quick.ran);
    close(gate[0]);
    close(gate[1]);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

/* No thread to be had (limits): the work is done all the same. First, while there is none. */
static void test_without_threads(void **state)
{
    (void)state;
#ifdef SANITIZED
    print_message("skip: a sanitizer's run-time does not live under a memory limit\n");
    skip();
#else
    struct job job = {.work.run = run_job, .gate = -1}, *got = NULL;
    struct rlimit none = {0, 0};
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        bool ok = setrlimit(RLIMIT_AS, &none) == 0 && workers_submit(&port, &job.work) == 0;
        ok = ok && job.ran && pthread_equal(job.thread, pthread_self()) && workers_count() == 0;
        ok = ok && take(false, &got) == 1 && got == &job;
        _exit(!ok);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_without_threads, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_thread_for_quick_jobs, setup, teardown),
        cmocka_unit_test_setup_teardown(test_retire, setup, teardown),
        cmocka_unit_test_setup_teardown(test_relief_and_limit, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
