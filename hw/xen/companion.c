/* SPDX-License-Identifier: GPL-2.0-or-later */
/* companion: see companion.h. The child never logs: it holds nobody's log file open. */
#include "hw/xen/companion.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hw/core/child.h"
#include "hw/core/clock.h"
#include "hw/core/log.h"
#include "hw/core/loop.h"
#include "hw/xen/confine.h"

enum op { OP_READY, OP_SLEEP_S3, OP_ADD_TIME_OFFSET, OP_WAKE_S3, OP_PRESS_POWER, OP_PAGING };

struct request {
    uint32_t op; /* but OP_READY */
    uint32_t zero;
    int64_t seconds; /* OP_ADD_TIME_OFFSET; else 0 */
};

struct reply {
    uint32_t op;
    int32_t error;           /* 0 or errno */
    struct hv_paging paging; /* OP_PAGING; else 0 */
};

#define READY_MS  10000 /* the host may be busy: it is only about not waiting for ever */
#define SLEEP_MS  100
#define PAGING_MS 100
#define CLOSE_MS  500

/* --- the child --- */

static uint64_t monotonic_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

/* How often xenstore may be written to, whatever our parent has become. */
struct allowance {
    unsigned left;
    uint64_t since; /* when one was last added */
};

static bool take_one(struct allowance *a)
{
    uint64_t now = monotonic_ns(), seconds = (now - a->since) / NS_PER_S;
    if (seconds) {
        a->left =
            seconds < COMPANION_BURST - a->left ? a->left + (unsigned)seconds : COMPANION_BURST;
        a->since += seconds * NS_PER_S;
    }
    if (!a->left)
        return false;
    a->left--;
    return true;
}

static bool valid(const struct request *r)
{
    if (r->zero)
        return false;
    if (r->op == OP_SLEEP_S3 || r->op == OP_WAKE_S3 || r->op == OP_PRESS_POWER ||
        r->op == OP_PAGING)
        return !r->seconds;
    return r->op == OP_ADD_TIME_OFFSET && r->seconds >= -COMPANION_MAX_OFFSET &&
           r->seconds <= COMPANION_MAX_OFFSET;
}

/* An answer that our parent has no room for is lost: nothing here waits for it. */
static void answer(uint32_t op, int error, const struct hv_paging *paging)
{
    struct reply reply = {.op = op, .error = error, .paging = *paging};
    send(CHILD_SOCKET, &reply, sizeof(reply), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Until the parent closes its end. Whoever sends anything else is not the program we know. */
static int serve(const struct companion_ops *ops, void *handle)
{
    struct allowance allowance = {.left = COMPANION_BURST, .since = monotonic_ns()};
    for (;;) {
        struct request r;
        ssize_t n = recv(CHILD_SOCKET, &r, sizeof(r), MSG_TRUNC); /* no room for descriptors */
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return 0;
        if (n != sizeof(r) || !valid(&r))
            return 1;
        struct hv_paging paging = {0};
        int error = r.op == OP_SLEEP_S3      ? ops->sleep_s3(handle)
                    : r.op == OP_WAKE_S3     ? ops->wake_s3(handle)
                    : r.op == OP_PRESS_POWER ? ops->press_power(handle)
                    : r.op == OP_PAGING      ? ops->get_paging(handle, &paging)
                    : take_one(&allowance)   ? ops->add_time_offset(handle, r.seconds)
                                             : EBUSY;
        answer(r.op, error, &paging);
    }
}

struct start {
    const struct companion_ops *ops;
    unsigned domid;
    bool filter;
};

static int child(const void *arg)
{
    const struct start *start = arg;
    struct err err;
    void *handle = start->ops->open(start->domid);
    int error = handle ? 0 : errno ? errno : EIO;
    /* They were the null device, so that nothing was opened in their place; now nothing more is. */
    for (int i = 0; i < CHILD_SOCKET; i++)
        close(i);
    if (!error && !confine_companion(start->filter, &err))
        error = errno ? errno : EPERM;
    answer(OP_READY, error, &(const struct hv_paging){0});
    return error ? 1 : serve(start->ops, handle);
}

/* --- the parent --- */

struct companion {
    int fd; /* -1: it is gone */
    pid_t pid;
    struct loop *loop;
    struct loop_source source;
    bool asleep; /* a suspend was asked for and not answered yet */
    int sleep_error;
    bool paging_wanted;
    struct reply paging;
    int64_t pending;   /* seconds not yet told */
    struct timer tell; /* … because others were, less than a second ago */
    uint64_t told;
    bool ever_told;
};

static void lost(struct companion *c)
{
    loop_unwatch(c->loop, &c->source);
    close(c->fd);
    c->fd = -1;
    timer_disarm(&c->tell);
}

/* Waits for the next answer, at most until `deadline`. False: none came (errno ETIMEDOUT), or none
 * will. */
static bool wait_reply(struct companion *c, uint64_t deadline, struct reply *reply)
{
    for (;;) {
        ssize_t n = recv(c->fd, reply, sizeof(*reply), MSG_DONTWAIT | MSG_TRUNC);
        if (n == sizeof(*reply))
            return true;
        if (n >= 0 || (errno != EAGAIN && errno != EINTR)) {
            errno = n >= 0 ? EPIPE : errno;
            return false;
        }
        uint64_t now = monotonic_ns();
        if (now >= deadline) {
            errno = ETIMEDOUT;
            return false;
        }
        struct pollfd p = {.fd = c->fd, .events = POLLIN};
        poll(&p, 1, (int)((deadline - now) / NS_PER_MS) + 1);
    }
}

static void replied(struct companion *c, const struct reply *reply)
{
    if (reply->op == OP_SLEEP_S3) {
        c->asleep = false;
        c->sleep_error = reply->error;
    } else if (reply->op == OP_PAGING) {
        c->paging_wanted = false;
        c->paging = *reply;
    } else if (reply->op == OP_WAKE_S3 && reply->error) {
        log_warn("S3: the guest cannot be woken: Xen refuses: %s", strerror(reply->error));
    } else if (reply->op == OP_PRESS_POWER && reply->error) {
        log_warn(
            "the guest's power button cannot be pressed: Xen refuses: %s%s", strerror(reply->error),
            reply->error == EACCES ? " (it is of another version than this was built for)" : "");
    } else if (reply->op == OP_ADD_TIME_OFFSET && reply->error) {
        guest_error("rtc", "the clock offset is not in xenstore: %s", strerror(reply->error));
    }
}

static void answered(void *opaque, uint32_t events)
{
    struct companion *c = opaque;
    struct reply reply;
    (void)events;
    while (wait_reply(c, 0, &reply)) {
        replied(c, &reply);
        if (reply.op == OP_SLEEP_S3 && reply.error)
            guest_error("piix4_pm", "S3: Xen refuses: %s", strerror(reply.error));
    }
    if (errno == ETIMEDOUT)
        return;
    log_warn("the companion process has ended: suspend to RAM and the guest's clock offset won't "
             "work");
    lost(c);
}

static bool ask(struct companion *c, const struct request *r)
{
    if (c->fd < 0) {
        errno = EPIPE;
        return false;
    }
    return send(c->fd, r, sizeof(*r), MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof(*r);
}

static bool tell_offset(struct companion *c)
{
    struct request r = {.op = OP_ADD_TIME_OFFSET, .seconds = c->pending};
    if (!ask(c, &r))
        return false;
    c->pending = 0;
    c->told = clock_now(loop_clock(c->loop));
    c->ever_told = true;
    return true;
}

static void tell_later(void *opaque)
{
    struct companion *c = opaque;
    if (c->pending && !tell_offset(c) && c->fd >= 0)
        timer_arm_in(&c->tell, NS_PER_S);
}

struct companion *companion_open(const struct companion_ops *ops, unsigned domid, bool filter,
                                 struct loop *loop, struct err *err)
{
    struct start start = {.ops = ops, .domid = domid, .filter = filter};
    struct child_spec spec = {
        .name = "hvm-dm-xen", .what = "the companion process", .run = child, .arg = &start};
    struct companion *c = calloc(1, sizeof(*c));
    if (!c) {
        err_set(err, "out of memory");
        return NULL;
    }
    c->pid = child_start(&spec, &c->fd, err);
    if (c->pid < 0) {
        free(c);
        return NULL;
    }
    c->loop = loop;
    timer_init(&c->tell, loop_clock(loop), tell_later, c);
    return c;
}

bool companion_ready(struct companion *c, struct err *err)
{
    struct reply reply = {0};
    bool ok = wait_reply(c, monotonic_ns() + READY_MS * NS_PER_MS, &reply);
    if (!ok || reply.error)
        return err_set(err, "the companion process cannot reach Xen or xenstored: %s",
                       strerror(ok ? reply.error : errno));
    return loop_watch(c->loop, &c->source, c->fd, EPOLLIN, answered, c, err);
}

/* Sends a request without arguments. */
static bool order(struct companion *c, enum op op, struct err *err)
{
    const struct request r = {.op = op};
    return ask(c, &r) || err_set(err, "cannot ask the companion process: %s", strerror(errno));
}

/* Takes replies until replied() has cleared *waiting. False with errno: wait_reply's. */
static bool wait_until_replied(struct companion *c, const bool *waiting, unsigned ms)
{
    const uint64_t deadline = monotonic_ns() + ms * NS_PER_MS;
    struct reply reply;
    while (*waiting) {
        if (!wait_reply(c, deadline, &reply))
            return false;
        replied(c, &reply);
    }
    return true;
}

bool companion_sleep_s3(struct companion *c, struct err *err)
{
    if (c->asleep) /* it is slow; another vCPU asks as well */
        return true;
    if (!order(c, OP_SLEEP_S3, err))
        return false;
    c->asleep = true;
    if (!wait_until_replied(c, &c->asleep, SLEEP_MS))
        return errno == ETIMEDOUT ||
               err_set(err, "the companion process has ended"); /* the loop hears it too */
    return !c->sleep_error || err_set(err, "Xen refuses: %s", strerror(c->sleep_error));
}

bool companion_wake_s3(struct companion *c, struct err *err)
{
    return order(c, OP_WAKE_S3, err);
}

bool companion_press_power(struct companion *c, struct err *err)
{
    return order(c, OP_PRESS_POWER, err);
}

/* An answer that comes too late is the next one's, if it is asked again: older by a moment. */
bool companion_get_paging(struct companion *c, struct hv_paging *paging, struct err *err)
{
    if (!order(c, OP_PAGING, err))
        return false;
    c->paging_wanted = true;
    if (!wait_until_replied(c, &c->paging_wanted, PAGING_MS))
        return err_set(err, "the companion process does not answer: %s", strerror(errno));
    *paging = c->paging.paging;
    return !c->paging.error ||
           err_set(err, "the vCPU's registers: Xen refuses: %s%s", strerror(c->paging.error),
                   c->paging.error == EACCES ? " (it is of another version than this was built for)"
                                             : "");
}

void companion_add_time_offset(struct companion *c, int64_t seconds)
{
    int64_t sum;
    if (c->fd < 0)
        return;
    if (__builtin_add_overflow(c->pending, seconds, &sum) || sum > COMPANION_MAX_OFFSET ||
        sum < -COMPANION_MAX_OFFSET) {
        guest_error("rtc", "clock set by %" PRId64 " s: not kept", seconds);
        return;
    }
    c->pending = sum;
    if (!sum || timer_armed(&c->tell))
        return;
    if (!c->ever_told || clock_now(loop_clock(c->loop)) - c->told >= NS_PER_S)
        tell_later(c);
    else
        timer_arm(&c->tell, c->told + NS_PER_S);
}

void companion_close(struct companion *c)
{
    if (!c)
        return;
    bool ended = true;
    if (c->fd >= 0) {
        if (c->pending)
            tell_offset(c);
        loop_unwatch(c->loop, &c->source);
        /* It serves what it was sent, sees the end, and its end closes as it exits. */
        shutdown(c->fd, SHUT_WR);
        struct reply reply;
        uint64_t deadline = monotonic_ns() + CLOSE_MS * NS_PER_MS;
        while (wait_reply(c, deadline, &reply))
            replied(c, &reply);
        ended = errno != ETIMEDOUT;
        close(c->fd);
    }
    if (!ended) /* xenstored does not answer. Forbidden if we are confined: it goes with us then. */
        ended = !kill(c->pid, SIGKILL);
    waitpid(c->pid, NULL, ended ? 0 : WNOHANG);
    timer_destroy(&c->tell);
    free(c);
}
