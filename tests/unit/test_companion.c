/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of the companion process: it is really forked and really confined, only what it does with
 * Xen is played here. What it did is seen in memory that is shared with it.
 */
#include "hw/xen/companion.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "hw/core/loop.h"
#include "hw/xen/companion.c"

#define DOMID 7

static struct err err;

/* Shared with the child. */
struct world {
    int open_error, sleep_error, offset_error, power_error;
    int hang_ms; /* what a request takes */
    pid_t child; /* as it sees itself */
    unsigned domid, sleeps, wakes, presses, offsets, descriptors;
    int64_t offset;
    char links[8][64]; /* what its descriptors are */
};
static struct world *world;

static void look_at_descriptors(void)
{
    for (int fd = 0; fd < 1024; fd++) {
        char path[32];
        if (fcntl(fd, F_GETFD) < 0)
            continue;
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        if (world->descriptors < 8 &&
            readlink(path, world->links[world->descriptors], sizeof(world->links[0]) - 1) < 0)
            strcpy(world->links[world->descriptors], "?");
        world->descriptors++;
    }
}

static void *play_open(unsigned domid)
{
    world->domid = domid;
    world->child = getpid();
    look_at_descriptors();
    errno = world->open_error;
    return world->open_error ? NULL : world;
}

static void take_time(void)
{
    poll(NULL, 0, world->hang_ms);
}

static int play_sleep(void *handle)
{
    struct world *w = handle;
    take_time();
    w->sleeps++;
    return w->sleep_error;
}

static int play_wake(void *handle)
{
    struct world *w = handle;
    w->wakes++;
    return 0;
}

static int play_power(void *handle)
{
    struct world *w = handle;
    __atomic_fetch_add(&w->presses, 1, __ATOMIC_SEQ_CST);
    return w->power_error;
}

static int play_paging(void *handle, struct hv_paging *paging)
{
    struct world *w = handle;
    take_time();
    *paging = (struct hv_paging){.cr0 = 1, .cr3 = 2, .cr4 = 3, .efer = 4};
    return w->power_error;
}

static int play_offset(void *handle, int64_t seconds)
{
    struct world *w = handle;
    take_time();
    w->offset += seconds;
    __atomic_fetch_add(&w->offsets, 1, __ATOMIC_SEQ_CST);
    return w->offset_error;
}

static const struct companion_ops ops = {.open = play_open,
                                         .sleep_s3 = play_sleep,
                                         .add_time_offset = play_offset,
                                         .wake_s3 = play_wake,
                                         .press_power = play_power,
                                         .get_paging = play_paging};

struct fixture {
    struct loop *loop;
    struct companion *c;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    memset(world, 0, sizeof(*world));
    f->loop = loop_new(&err);
    *state = f;
    return f->loop ? 0 : -1;
}

static int setup_ready(void **state)
{
    if (setup(state))
        return -1;
    struct fixture *f = *state;
    f->c = companion_open(&ops, DOMID, true, f->loop, &err);
    return f->c && companion_ready(f->c, &err) ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    companion_close(f->c);
    loop_free(f->loop);
    free(f);
    return 0;
}

static bool gone(pid_t pid)
{
    return kill(pid, 0) < 0 && errno == ESRCH;
}

/* The companion is nobody's business but ours: closing means it is no more. */
static void test_open_and_close(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(world->domid, DOMID);
    assert_int_equal(world->child, f->c->pid);
    companion_close(f->c);
    f->c = NULL;
    assert_true(gone(world->child));
    companion_close(NULL);
}

static void test_nothing_inherited(void **state)
{
    struct fixture *f = *state;
    int extra[2];
    assert_int_equal(pipe(extra), 0);
    f->c = companion_open(&ops, DOMID, true, f->loop, &err);
    assert_non_null(f->c);
    close(extra[1]);
    assert_true(companion_ready(f->c, &err));
    assert_int_equal(world->descriptors, 4);
    for (int i = 0; i < 3; i++)
        assert_string_equal(world->links[i], "/dev/null");
    assert_non_null(strstr(world->links[3], "socket:"));
    char byte;
    assert_int_equal(read(extra[0], &byte, 1), 0); /* nobody else holds the other end */
    close(extra[0]);
}

/* A process that was started without standard descriptors: the socket may be number 0. */
static void test_without_standard_descriptors(void **state)
{
    (void)state;
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (!pid) {
        close(0);
        close(2);
        struct loop *loop = loop_new(&err);
        struct companion *c = companion_open(&ops, DOMID, true, loop, &err);
        bool ok = c && companion_ready(c, &err) && companion_sleep_s3(c, &err);
        companion_close(c);
        _exit(ok && world->descriptors == 4 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void test_cannot_open(void **state)
{
    struct fixture *f = *state;
    world->open_error = ECONNREFUSED;
    f->c = companion_open(&ops, DOMID, true, f->loop, &err);
    assert_non_null(f->c);
    assert_false(companion_ready(f->c, &err));
    assert_non_null(strstr(err.text, strerror(ECONNREFUSED)));
}

/* Given up before it was ready: nothing stays behind. */
static void test_closed_early(void **state)
{
    struct fixture *f = *state;
    f->c = companion_open(&ops, DOMID, true, f->loop, &err);
    pid_t pid = f->c->pid;
    companion_close(f->c);
    f->c = NULL;
    assert_true(gone(pid));
}

static void test_sleep(void **state)
{
    struct fixture *f = *state;
    assert_true(companion_sleep_s3(f->c, &err));
    assert_int_equal(world->sleeps, 1); /* done, not only asked for */
    world->sleep_error = EINVAL;
    assert_false(companion_sleep_s3(f->c, &err));
    assert_non_null(strstr(err.text, strerror(EINVAL)));
    world->sleep_error = 0;
    assert_true(companion_wake_s3(f->c, &err));
    assert_true(companion_sleep_s3(f->c, &err)); /* its answer comes behind that of the waking */
    assert_int_equal(world->wakes, 1);
    assert_int_equal(world->sleeps, 3);
}

/* Runs the loop until *what is at least n. */
static void until(struct fixture *f, const unsigned *what, unsigned n)
{
    while (__atomic_load_n(what, __ATOMIC_SEQ_CST) < n)
        loop_turn(f->loop, NS_PER_MS);
}

static void test_power_button(void **state)
{
    struct fixture *f = *state;
    assert_true(companion_press_power(f->c, &err));
    until(f, &world->presses, 1);
    world->power_error = EACCES; /* said in the log */
    assert_true(companion_press_power(f->c, &err));
    until(f, &world->presses, 2);
    assert_true(companion_sleep_s3(f->c, &err)); /* it is still there */
    assert_int_equal(world->presses, 2);
}

static void test_paging(void **state)
{
    struct fixture *f = *state;
    struct hv_paging p = {0};
    assert_true(companion_get_paging(f->c, &p, &err));
    assert_true(p.cr0 == 1 && p.cr3 == 2 && p.cr4 == 3 && p.efer == 4);
    world->power_error = EACCES;
    assert_false(companion_get_paging(f->c, &p, &err));
    assert_non_null(strstr(err.text, "another version"));
    world->power_error = 0;
    world->hang_ms = 600; /* nobody waits for it */
    uint64_t start = monotonic_ns();
    assert_false(companion_get_paging(f->c, &p, &err));
    assert_true(monotonic_ns() - start >= PAGING_MS * NS_PER_MS);
    assert_true(companion_press_power(f->c, &err)); /* it is still there */
    until(f, &world->presses, 1);
    world->hang_ms = 0;
    assert_true(companion_get_paging(f->c, &p, &err));
}

/* We go on while it is still at it; who asks again meanwhile asks for the same. */
static void test_slow_sleep(void **state)
{
    struct fixture *f = *state;
    world->hang_ms = 600;
    uint64_t start = monotonic_ns();
    assert_true(companion_sleep_s3(f->c, &err));
    assert_true(f->c->asleep);
    assert_true(monotonic_ns() - start >= SLEEP_MS * NS_PER_MS);
    assert_true(companion_sleep_s3(f->c, &err));
    while (f->c->asleep)
        loop_turn(f->loop, CLOCK_NEVER); /* its answer wakes us */
    assert_int_equal(world->sleeps, 1);
}

static void test_time_offset(void **state)
{
    struct fixture *f = *state;
    companion_add_time_offset(f->c, 3600);
    until(f, &world->offsets, 1);
    assert_int_equal(world->offset, 3600);
    /* More within the second is added up … */
    f->c->told = clock_now(loop_clock(f->loop));
    companion_add_time_offset(f->c, -60);
    companion_add_time_offset(f->c, -40);
    assert_int_equal(f->c->pending, -100);
    assert_true(timer_armed(&f->c->tell));
    /* … and written when it is over; */
    until(f, &world->offsets, 2);
    assert_int_equal(world->offset, 3500);
    assert_false(timer_armed(&f->c->tell));
    /* what comes to nothing is not; */
    companion_add_time_offset(f->c, 5);
    companion_add_time_offset(f->c, -5);
    assert_int_equal(f->c->pending, 0);
    /* what is left when we end is written then. */
    companion_add_time_offset(f->c, 1);
    companion_close(f->c);
    f->c = NULL;
    assert_int_equal(world->offset, 3501);
    assert_int_equal(world->offsets, 3);
}

/* A guest that sets its clock without end. */
static void test_offset_flood(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 100000; i++)
        companion_add_time_offset(f->c, 1);
    assert_int_equal(f->c->pending, 99999);
    companion_add_time_offset(f->c, INT64_MAX);
    companion_add_time_offset(f->c, INT64_MIN);
    companion_add_time_offset(f->c, COMPANION_MAX_OFFSET);
    assert_int_equal(f->c->pending, 99999);
    companion_close(f->c);
    f->c = NULL;
    assert_int_equal(world->offset, 100000);
    assert_int_equal(world->offsets, 2);
}

static void test_offset_refused(void **state)
{
    struct fixture *f = *state;
    world->offset_error = EACCES;
    companion_add_time_offset(f->c, 1);
    until(f, &world->offsets, 1);
    assert_true(companion_sleep_s3(f->c, &err)); /* after that answer, which is only logged */
    assert_false(timer_armed(&f->c->tell));
}

/* It is killed, by whomever: said once; the rest goes on. */
static void test_companion_dies(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(kill(world->child, SIGKILL), 0);
    while (f->c->fd >= 0)
        loop_turn(f->loop, CLOCK_NEVER);
    assert_false(companion_sleep_s3(f->c, &err));
    companion_add_time_offset(f->c, 1);
    assert_int_equal(f->c->pending, 0);
}

static void test_companion_dies_while_asked(void **state)
{
    struct fixture *f = *state;
    world->hang_ms = 60000;
    assert_true(companion_sleep_s3(f->c, &err));
    assert_int_equal(kill(world->child, SIGKILL), 0);
    while (f->c->fd >= 0)
        loop_turn(f->loop, CLOCK_NEVER);
}

/* xenstored hangs: we end all the same, and it too. */
static void test_close_while_it_hangs(void **state)
{
    struct fixture *f = *state;
    world->hang_ms = 60000;
    companion_add_time_offset(f->c, 1);
    companion_close(f->c);
    f->c = NULL;
    assert_true(gone(world->child));
}

/* A child that plays the parent: starts a companion, then `fn`; the companion must be gone after
 * it.
 */
static void parent_ends(void (*fn)(struct companion *c), int signal_expected)
{
    int alive[2]; /* nobody but the two has the far end of it; the companion must not */
    assert_int_equal(pipe(alive), 0);
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (!pid) {
        struct loop *loop = loop_new(&err);
        struct companion *c = companion_open(&ops, DOMID, true, loop, &err);
        if (!c || !companion_ready(c, &err))
            _exit(9);
        fn(c);
        _exit(0);
    }
    close(alive[1]);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (signal_expected)
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == signal_expected);
    else
        assert_int_equal(status, 0);
    char byte;
    assert_int_equal(read(alive[0], &byte, 1), 0);
    close(alive[0]);
    if (!gone(world->child)) /* an orphan is ours: it must end by itself */
        assert_int_equal(waitpid(world->child, NULL, 0), world->child);
}

static void is_killed(struct companion *c)
{
    (void)c;
    raise(SIGKILL);
}

static void just_exits(struct companion *c)
{
    (void)c;
}

static void becomes_nobody_and_is_killed(struct companion *c)
{
    (void)c;
    if (geteuid() == 0 && (setgid(65534) || setuid(65534)))
        _exit(8);
    raise(SIGKILL);
}

/* The far end closes, the process does not: PR_SET_PDEATHSIG is not what is tested here. */
static void closes(struct companion *c)
{
    close(c->fd);
    if (waitpid(c->pid, NULL, 0) != c->pid)
        _exit(7);
}

static void asks_and_is_killed(struct companion *c)
{
    struct request r = {.op = OP_ADD_TIME_OFFSET, .seconds = 1};
    world->hang_ms = 60000; /* longer than the whole test may take */
    ask(c, &r);
    poll(NULL, 0, 20);
    raise(SIGKILL);
}

static void floods_and_is_killed(struct companion *c)
{
    struct request r = {.op = OP_ADD_TIME_OFFSET, .seconds = 1};
    while (ask(c, &r))
        ;
    raise(SIGKILL);
}

static void test_parent_ends(void **state)
{
    (void)state;
    parent_ends(is_killed, SIGKILL);
    parent_ends(just_exits, 0);
    parent_ends(becomes_nobody_and_is_killed, SIGKILL);
    parent_ends(closes, 0);
    parent_ends(asks_and_is_killed, SIGKILL);
    parent_ends(floods_and_is_killed, SIGKILL);
}

/* --- a parent that is no longer us --- */

static void assert_ends_with(struct fixture *f, int code)
{
    int status;
    assert_int_equal(waitpid(world->child, &status, 0), world->child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), code);
    f->c->pid = -1;
    lost(f->c);
}

static void garbage(struct fixture *f, const void *data, size_t len)
{
    f->c = companion_open(&ops, DOMID, true, f->loop, &err);
    assert_true(companion_ready(f->c, &err));
    assert_int_equal(send(f->c->fd, data, len, 0), (ssize_t)len);
    /* What follows is not looked at any more. */
    struct request r = {.op = OP_SLEEP_S3};
    send(f->c->fd, &r, sizeof(r), MSG_NOSIGNAL);
    assert_ends_with(f, 1);
    assert_int_equal(world->sleeps, 0);
    assert_int_equal(world->offsets, 0);
    companion_close(f->c);
    f->c = NULL;
}

static void test_garbage(void **state)
{
    struct fixture *f = *state;
    static const struct request bad[] = {
        {.op = OP_READY},
        {.op = OP_PAGING + 1},
        {.op = OP_PAGING, .seconds = 1},
        {.op = OP_PRESS_POWER, .seconds = 1},
        {.op = OP_WAKE_S3, .seconds = 1},
        {.op = OP_WAKE_S3, .zero = 1},
        {.op = UINT32_MAX},
        {.op = OP_SLEEP_S3, .zero = 1},
        {.op = OP_SLEEP_S3, .seconds = 1},
        {.op = OP_ADD_TIME_OFFSET, .zero = 1, .seconds = 1},
        {.op = OP_ADD_TIME_OFFSET, .seconds = COMPANION_MAX_OFFSET + 1},
        {.op = OP_ADD_TIME_OFFSET, .seconds = -COMPANION_MAX_OFFSET - 1},
        {.op = OP_ADD_TIME_OFFSET, .seconds = INT64_MIN},
    };
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        garbage(f, &bad[i], sizeof(bad[i]));
    static uint8_t long_one[60000];
    const struct request good = {.op = OP_SLEEP_S3};
    memcpy(long_one, &good, sizeof(good));
    garbage(f, long_one, sizeof(good) + 1);
    garbage(f, long_one, sizeof(long_one));
    garbage(f, &good, sizeof(good) - 1);
    garbage(f, &good, 1);
}

/* An empty message reads like the end. */
static void test_empty_message(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(send(f->c->fd, "", 0, 0), 0);
    assert_ends_with(f, 0);
}

/* Descriptors that it is sent are not kept. */
static void test_descriptors_are_dropped(void **state)
{
    struct fixture *f = *state;
    int extra[2];
    assert_int_equal(pipe(extra), 0);
    struct request r = {.op = OP_ADD_TIME_OFFSET, .seconds = 2};
    struct iovec iov = {.iov_base = &r, .iov_len = sizeof(r)};
    union {
        char space[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {{0}};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control.space,
                       .msg_controllen = sizeof(control.space)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &extra[1], sizeof(int));
    assert_int_equal(sendmsg(f->c->fd, &m, 0), sizeof(r));
    close(extra[1]);
    until(f, &world->offsets, 1);
    char byte;
    assert_int_equal(read(extra[0], &byte, 1), 0);
    close(extra[0]);
}

/* Past its allowance it refuses, and still suspends at once. */
static void test_flood(void **state)
{
    struct fixture *f = *state;
    struct request r = {.op = OP_ADD_TIME_OFFSET, .seconds = 1};
    uint64_t start = monotonic_ns();
    unsigned asked = 0;
    while (asked < 10000) {
        struct reply reply;
        if (ask(f->c, &r))
            asked++;
        else
            assert_int_equal(errno, EAGAIN); /* a full socket stops us, it does not grow */
        while (recv(f->c->fd, &reply, sizeof(reply), MSG_DONTWAIT) > 0)
            ;
    }
    while (!companion_sleep_s3(f->c, &err))
        poll(NULL, 0, 1);
    while (f->c->asleep)
        loop_turn(f->loop, CLOCK_NEVER);
    uint64_t seconds = (monotonic_ns() - start) / NS_PER_S;
    assert_in_range(world->offsets, COMPANION_BURST, COMPANION_BURST + seconds + 1);
    assert_int_equal(world->sleeps, 1);
}

static void test_allowance(void **state)
{
    (void)state;
    struct allowance a = {.left = 2, .since = monotonic_ns()};
    assert_true(take_one(&a) && take_one(&a));
    a.since = monotonic_ns() + NS_PER_S / 2 - NS_PER_S; /* half a second ago */
    assert_false(take_one(&a));
    a.since -= NS_PER_S;
    assert_true(take_one(&a));
    assert_false(take_one(&a));
    a.since -= 1000 * NS_PER_S; /* not more than the burst */
    for (unsigned i = 0; i < COMPANION_BURST; i++)
        assert_true(take_one(&a));
    assert_false(take_one(&a));
}

/* With -sandbox off there is no filter, and all else is the same. */
static void test_without_filter(void **state)
{
    struct fixture *f = *state;
    f->c = companion_open(&ops, DOMID, false, f->loop, &err);
    assert_true(companion_ready(f->c, &err));
    assert_true(companion_sleep_s3(f->c, &err));
}

/* What the kernel says of the child: its state, threads, and how often it ran. */
static void read_status(char *text, size_t size)
{
    char path[64], line[256];
    snprintf(path, sizeof(path), "/proc/%d/status", (int)world->child);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    text[0] = '\0';
    while (fgets(line, sizeof(line), file))
        if (strstr(line, "ctxt_switches") || !strncmp(line, "Threads", 7) ||
            !strncmp(line, "State", 5))
            strncat(text, line, size - strlen(text) - 1);
    fclose(file);
}

/* With no request it does not run at all. */
static void test_idle(void **state)
{
    (void)state;
    char first[1024] = "", second[1024];
    while (!strstr(first, "State:\tS")) /* it may still be on its way */
        read_status(first, sizeof(first));
    assert_non_null(strstr(first, "Threads:\t1\n"));
    poll(NULL, 0, 100);
    read_status(second, sizeof(second));
    assert_string_equal(first, second);
}

#define T(test, before) cmocka_unit_test_setup_teardown(test, before, teardown)
int main(void)
{
    world = mmap(NULL, sizeof(*world), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (world == MAP_FAILED)
        return 1;
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    const struct CMUnitTest tests[] = {
        T(test_open_and_close, setup_ready),
        T(test_nothing_inherited, setup),
        T(test_without_standard_descriptors, setup),
        T(test_cannot_open, setup),
        T(test_closed_early, setup),
        T(test_sleep, setup_ready),
        T(test_power_button, setup_ready),
        T(test_paging, setup_ready),
        T(test_slow_sleep, setup_ready),
        T(test_time_offset, setup_ready),
        T(test_offset_flood, setup_ready),
        T(test_offset_refused, setup_ready),
        T(test_companion_dies, setup_ready),
        T(test_companion_dies_while_asked, setup_ready),
        T(test_close_while_it_hangs, setup_ready),
        T(test_parent_ends, setup),
        T(test_garbage, setup),
        T(test_empty_message, setup_ready),
        T(test_descriptors_are_dropped, setup_ready),
        T(test_flood, setup_ready),
        cmocka_unit_test(test_allowance),
        T(test_without_filter, setup),
        T(test_idle, setup_ready),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
