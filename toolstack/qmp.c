/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qmp: the sockets, one client on each, and the way from bytes to commands and back. A client is
 * hostile until proven otherwise: messages, their depth, the descriptors that come with them and
 * the replies it has not read are all bounded, and a round of the loop does bounded work for it.
 * Wire format: QEMU's docs/interop/qmp-spec.txt; line ends and timing as libxl needs them.
 */
#include "toolstack/qmp_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "hw/core/log.h"
#include "toolstack/keysend.h"

#define MESSAGES_PER_TURN 16
#define READ_SIZE         4096
#define BACKLOG           8
#define ACCEPT_RETRY      NS_PER_S

static void pump(struct qmp_monitor *m);

json_t *qmp_text(const char *s)
{
    if (!s)
        s = "";
    json_t *text = json_string(s);
    if (text)
        return text;
    char *copy = strdup(s);
    if (!copy)
        return NULL;
    for (char *c = copy; *c; c++)
        if (*c & 0x80)
            *c = '?';
    text = json_string(copy);
    free(copy);
    return text;
}

/* ---- output ---- */

/* Queues one line. Too much unread output, or no memory for it, is the end of the client. */
static void put_line(struct qmp_monitor *m, const json_t *message)
{
    char *line = m->broken ? NULL : json_dumps(message, JSON_COMPACT);
    if (!line) {
        m->broken = true;
        return;
    }
    size_t len = strlen(line), total = m->out_len + len + strlen(QMP_LINE);
    if (total > m->out_size) {
        char *bigger = total <= QMP_OUTPUT_MAX ? realloc(m->out, total + 1024) : NULL;
        if (!bigger) {
            guest_error("qmp", "%s: the client does not read what it asked for; disconnected",
                        m->id);
            m->broken = true;
            free(line);
            return;
        }
        m->out = bigger;
        m->out_size = total + 1024;
    }
    memcpy(m->out + m->out_len, line, len);
    memcpy(m->out + m->out_len + len, QMP_LINE, strlen(QMP_LINE));
    m->out_len = total;
    free(line);
}

static void flush(struct qmp_monitor *m)
{
    while (!m->broken && m->out_sent < m->out_len) {
        ssize_t n = send(m->fd, m->out + m->out_sent, m->out_len - m->out_sent,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0)
            m->out_sent += (size_t)n;
        else if (n < 0 && errno == EINTR)
            continue;
        else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        else
            m->broken = true;
    }
    if (!m->out_sent)
        return;
    /* What is left moves to the front, so that the buffer's end bounds what is unread. */
    memmove(m->out, m->out + m->out_sent, m->out_len - m->out_sent);
    m->out_len -= m->out_sent;
    m->out_sent = 0;
}

static void put_error(struct qmp_monitor *m, const char *error_class, const char *text, json_t *id)
{
    json_t *message =
        json_pack("{s:{s:s,s:o}}", "error", "class", error_class, "desc", qmp_text(text));
    if (id)
        json_object_set(message, "id", id);
    put_line(m, message);
    json_decref(message);
}

void qmp_fail(struct qmp_call *call, const char *error_class, const char *fmt, ...)
{
    char text[sizeof(call->err.text)];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    err_set(&call->err, "%s", text);
    call->error_class = error_class;
}

/* ---- input ---- */

/* Takes a request apart; what it may contain is "execute", "arguments" and "id". */
static void request(struct qmp_monitor *m, json_t *message)
{
    json_t *id = json_object_get(message, "id");
    const char *command = json_string_value(json_object_get(message, "execute"));
    json_t *args = json_object_get(message, "arguments");
    if (!json_is_object(message)) {
        put_error(m, QMP_GENERIC, "a request is a JSON object", NULL);
        return;
    }
    const char *key;
    json_t *value;
    json_object_foreach(message, key, value)
    {
        if (strcmp(key, "execute") && strcmp(key, "arguments") && strcmp(key, "id")) {
            char text[128];
            snprintf(text, sizeof(text), "'%.64s' is not a part of a request", key);
            put_error(m, QMP_GENERIC, text, id);
            return;
        }
    }
    if (!command || (args && !json_is_object(args))) {
        put_error(m, QMP_GENERIC,
                  command ? "'arguments' is a JSON object" : "'execute' is missing or not a string",
                  id);
        return;
    }
    struct qmp_call call = {.qmp = m->qmp, .monitor = m};
    bool capabilities = !strcmp(command, "qmp_capabilities");
    if (!m->negotiated && !capabilities)
        qmp_fail(&call, QMP_NOT_FOUND, "the first command is qmp_capabilities");
    else if (m->negotiated && capabilities)
        qmp_fail(&call, QMP_NOT_FOUND, "qmp_capabilities was done already");
    else
        qmp_dispatch(&call, command, args);

    if (!call.error_class && !call.result)
        qmp_fail(&call, QMP_GENERIC, "out of memory");
    if (call.error_class) {
        put_error(m, call.error_class, call.err.text, id);
        json_decref(call.result);
        return;
    }
    json_t *reply = json_pack("{s:o}", "return", call.result);
    if (id)
        json_object_set(reply, "id", id);
    put_line(m, reply);
    json_decref(reply);
}

static void message(struct qmp_monitor *m, const char *text, size_t len)
{
    json_error_t error;
    json_t *parsed = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
    if (parsed)
        request(m, parsed);
    else
        put_error(m, QMP_GENERIC, "this is not JSON", NULL);
    json_decref(parsed);
}

/* An error from which the next line is the way out; the newline itself may be the culprit. */
static void resync(struct qmp_monitor *m, const char *why, char culprit)
{
    m->scan = (struct qmp_scan){.at = m->scan.at, .skip = culprit != '\n'};
    put_error(m, QMP_GENERIC, why, NULL);
}

enum scan_result { SCAN_MORE, SCAN_MESSAGE, SCAN_ERROR };

/* Goes on to the end of the next message (then scan.start..scan.at is it) or of the input. Clients
 * need not end a message with a newline, so it is the closing bracket that counts. */
static enum scan_result scan(struct qmp_monitor *m)
{
    struct qmp_scan *s = &m->scan;
    while (s->at < m->in_len) {
        char c = m->in[s->at++];
        if (s->skip) {
            s->skip = c != '\n';
        } else if (s->string) {
            if (c == '\n') { /* never inside a JSON string: the quote was lost */
                resync(m, "there is a newline in a string", c);
                return SCAN_ERROR;
            }
            if (s->escape)
                s->escape = false;
            else if (c == '\\')
                s->escape = true;
            else if (c == '"')
                s->string = false;
        } else if (c == '{' || c == '[') {
            if (s->depth++ == 0)
                s->start = s->at - 1;
            if (s->depth > QMP_MAX_DEPTH) {
                resync(m, "the request is nested too deep", c);
                return SCAN_ERROR;
            }
        } else if (s->depth == 0) {
            if (!strchr(" \t\r\n", c) || !c) {
                resync(m, "a request is a JSON object", c);
                return SCAN_ERROR;
            }
        } else if (c == '}' || c == ']') {
            if (--s->depth == 0)
                return SCAN_MESSAGE;
        } else if (c == '"')
            s->string = true;
    }
    return SCAN_MORE;
}

/* Forgets the input that has been dealt with. */
static void consume(struct qmp_monitor *m)
{
    size_t done = m->scan.depth ? m->scan.start : m->scan.at;
    if (done) {
        memmove(m->in, m->in + done, m->in_len - done);
        m->in_len -= done;
        m->scan.at -= done;
        m->scan.start = 0;
    }
    if (m->in_len == QMP_MAX_MESSAGE && m->scan.at == m->in_len) {
        m->in_len = m->scan.at = 0;
        resync(m, "the request is too long", 0);
    }
}

/* Carries out what is complete, a bounded number at a time. True: there is more to look at. */
static bool process(struct qmp_monitor *m)
{
    for (int n = 0; n < MESSAGES_PER_TURN; n++) {
        if (m->broken || m->quit || m->out_len > QMP_OUTPUT_HIGH)
            break;
        enum scan_result result = scan(m);
        if (result == SCAN_MESSAGE)
            message(m, m->in + m->scan.start, m->scan.at - m->scan.start);
        if (result == SCAN_MORE)
            break;
    }
    bool more = m->scan.at < m->in_len;
    consume(m);
    /* Descriptors belong to the bytes they came with. */
    if (m->in_len == 0)
        while (m->fd_count)
            close(m->fds[--m->fd_count]);
    return more && !m->quit;
}

/* Keeps the first descriptors that came along, closes those beyond our bound. */
static void take_fds(struct qmp_monitor *m, struct msghdr *msg)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
            if (m->fd_count < QMP_MAX_SCM_FDS)
                m->fds[m->fd_count++] = fd;
            else
                close(fd);
        }
    }
}

static void receive(struct qmp_monitor *m)
{
    if (m->in_size - m->in_len < READ_SIZE && m->in_size < QMP_MAX_MESSAGE) {
        size_t size = m->in_size ? m->in_size * 2 : 2 * READ_SIZE;
        char *bigger = realloc(m->in, size);
        if (!bigger) {
            m->broken = true;
            return;
        }
        m->in = bigger;
        m->in_size = size;
    }
    union {
        char bytes[CMSG_SPACE(QMP_MAX_SCM_FDS * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec iov = {.iov_base = m->in + m->in_len, .iov_len = m->in_size - m->in_len};
    if (iov.iov_len > READ_SIZE)
        iov.iov_len = READ_SIZE;
    if (!iov.iov_len)
        return; /* what is there must be dealt with first */
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof(control)};
    ssize_t n = recvmsg(m->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0) {
        if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
            m->broken = true;
        return;
    }
    take_fds(m, &msg);
    if (n == 0)
        m->eof = true;
    m->in_len += (size_t)n;
}

/* ---- a client's life ---- */

static bool connected(const struct qmp_monitor *m)
{
    return m->fd >= 0;
}

static void disconnect(struct qmp_monitor *m)
{
    struct qmp *qmp = m->qmp;
    bool quit = m->quit;
    loop_undefer(qmp->loop, &m->more);
    loop_unwatch(qmp->loop, &m->source);
    close(m->fd);
    m->fd = -1;
    while (m->fd_count)
        close(m->fds[--m->fd_count]);
    free(m->in);
    free(m->out);
    m->in = m->out = NULL;
    m->in_len = m->in_size = m->out_len = m->out_size = m->out_sent = 0;
    m->scan = (struct qmp_scan){0};
    m->negotiated = m->eof = m->broken = m->quit = false;
    if (m->listen_fd >= 0)
        loop_watch_events(qmp->loop, &m->listen_source, EPOLLIN);

    bool last = true;
    for (const struct qmp_monitor *i = qmp->monitors; i; i = i->next)
        last = last && !connected(i);
    if (last) /* nobody is left who knows their numbers */
        qmp_fd_clear(qmp, false);
    if (quit && qmp->target->quit)
        qmp->target->quit(qmp->target->opaque);
}

/* Everything that can be done for a client now, and what to wait for next. */
static void pump(struct qmp_monitor *m)
{
    m->busy = true;
    bool more = process(m);
    flush(m);
    m->busy = false;
    bool pending = m->out_len > 0;
    if (m->broken || (m->quit && !pending) || (m->eof && !pending && !more)) {
        disconnect(m);
        return;
    }
    bool full = m->out_len > QMP_OUTPUT_HIGH;
    if (more && !full)
        loop_defer(m->qmp->loop, &m->more);
    loop_watch_events(m->qmp->loop, &m->source,
                      (m->eof || full || more || m->quit ? 0u : (uint32_t)EPOLLIN) |
                          (pending ? (uint32_t)EPOLLOUT : 0u));
}

static void continue_pump(void *opaque)
{
    pump(opaque);
}

static void client_event(void *opaque, uint32_t events)
{
    struct qmp_monitor *m = opaque;
    if (!connected(m))
        return;
    /* With EPOLLIN off, a hang-up shows when the output is sent. */
    if ((events & EPOLLIN) || ((events & (EPOLLHUP | EPOLLERR)) && (m->source.events & EPOLLIN)))
        receive(m);
    pump(m);
}

static void attach(struct qmp_monitor *m, int fd)
{
    struct err err;
    m->fd = fd;
    if (!loop_watch(m->qmp->loop, &m->source, fd, EPOLLIN, client_event, m, &err)) {
        close(fd);
        m->fd = -1;
        return;
    }
    loop_watch_events(m->qmp->loop, &m->listen_source, 0); /* the next one waits in the backlog */
    json_t *greeting = json_pack("{s:{s:o,s:[]}}", "QMP", "version", qmp_version(), "capabilities");
    put_line(m, greeting);
    json_decref(greeting);
    pump(m);
}

static void accept_event(void *opaque, uint32_t events)
{
    struct qmp_monitor *m = opaque;
    (void)events;
    if (connected(m))
        return;
    int fd = accept4(m->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        attach(m, fd);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
        /* It would be reported again at once, for ever. */
        loop_watch_events(m->qmp->loop, &m->listen_source, 0);
        timer_arm_in(&m->accept_timer, ACCEPT_RETRY);
    }
}

static void accept_again(void *opaque)
{
    struct qmp_monitor *m = opaque;
    if (!connected(m))
        loop_watch_events(m->qmp->loop, &m->listen_source, EPOLLIN);
}

/* ---- events ---- */

void qmp_send_event(struct qmp *qmp, const char *name, json_t *data)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    json_t *event =
        json_pack("{s:s,s:{s:I,s:I}}", "event", name, "timestamp", "seconds",
                  (json_int_t)now.tv_sec, "microseconds", (json_int_t)(now.tv_nsec / 1000));
    if (data)
        json_object_set_new(event, "data", data);
    for (struct qmp_monitor *m = qmp->monitors; m; m = m->next) {
        if (!connected(m) || !m->negotiated)
            continue;
        put_line(m, event);
        /* Sent later, from the loop: whoever reports an event may be anywhere. */
        if (!m->busy)
            loop_defer(qmp->loop, &m->more);
    }
    json_decref(event);
}

void qmp_event(struct qmp *qmp, const char *name)
{
    qmp_send_event(qmp, name, NULL);
}

void qmp_event_shutdown(struct qmp *qmp, bool by_guest, const char *reason)
{
    qmp_send_event(qmp, "SHUTDOWN", json_pack("{s:b,s:s}", "guest", by_guest, "reason", reason));
}

void qmp_event_reset(struct qmp *qmp, bool by_guest, const char *reason)
{
    qmp_send_event(qmp, "RESET", json_pack("{s:b,s:s}", "guest", by_guest, "reason", reason));
}

void qmp_event_deleted(struct qmp *qmp, const char *id)
{
    qmp_send_event(qmp, "DEVICE_DELETED",
                   json_pack("{s:o,s:o}", "device", qmp_text(id), "path",
                             json_sprintf("/machine/peripheral/%s", id)));
}

void qmp_event_tray(struct qmp *qmp, const char *id, const char *qdev, bool open)
{
    qmp_send_event(qmp, "DEVICE_TRAY_MOVED",
                   json_pack("{s:o,s:o,s:b}", "device", qmp_text(id), "id", qmp_text(qdev),
                             "tray-open", open));
}

void qmp_event_block_error(struct qmp *qmp, size_t index, const char *id, const char *node_name,
                           const struct block_failure *failure)
{
    static const char *const actions[] = {[BLOCK_ACTION_REPORT] = "report",
                                          [BLOCK_ACTION_IGNORE] = "ignore",
                                          [BLOCK_ACTION_STOP] = "stop"};
    qmp_send_event(qmp, "BLOCK_IO_ERROR",
                   json_pack("{s:o,s:o,s:s,s:s,s:b,s:s}", "device", qmp_text(id), "node-name",
                             qmp_node_name(node_name, index), "operation",
                             failure->op == BLOCK_READ ? "read" : "write", "action",
                             actions[failure->action], "nospace",
                             block_error_is_space(failure->error), "reason",
                             strerror(failure->error)));
}

/* ---- sockets ---- */

struct qmp *qmp_new(struct loop *loop, const struct qmp_target *target, struct err *err)
{
    struct qmp *qmp = calloc(1, sizeof(*qmp));
    if (!qmp) {
        err_set(err, "qmp: out of memory");
        return NULL;
    }
    /* The hash seed comes from /dev/urandom, which a confined process cannot open. */
    json_object_seed(0);
    qmp->loop = loop;
    qmp->target = target;
    qmp->pid = getpid();
    return qmp;
}

/* A new socket file in place of a dead one. */
static int listen_at(const char *path, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path)) {
        err_set(err, "%s: the path of a UNIX socket is too long", path);
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    struct stat st;
    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
        unlink(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    /* The file is made with the socket's own mode, less the umask: nobody else can ever open it. */
    if (fd >= 0 && fchmod(fd, 0600) == 0 &&
        bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
        listen(fd, BACKLOG) == 0)
        return fd;
    err_set(err, "%s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Is it what it must be? Then it becomes ours. */
static bool inherit(int fd, struct err *err)
{
    int listening = 0, domain = 0;
    socklen_t len = sizeof(listening);
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0)
        return err_set(err, "fd %d: %s", fd, strerror(errno));
    if (!listening || domain != AF_UNIX)
        return err_set(err, "fd %d is not a listening UNIX socket", fd);
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return err_set(err, "fd %d: %s", fd, strerror(errno));
    return true;
}

bool qmp_listen(struct qmp *qmp, const struct config_monitor *monitor, struct err *err)
{
    struct qmp_monitor *m = calloc(1, sizeof(*m));
    if (!m || !(m->id = strdup(monitor->chardev_id)) ||
        (monitor->path && !(m->path = strdup(monitor->path)))) {
        if (m)
            free(m->id);
        free(m);
        return err_set(err, "qmp: out of memory");
    }
    m->qmp = qmp;
    m->fd = -1;
    struct err why;
    if (m->path)
        m->listen_fd = listen_at(m->path, &why);
    else
        m->listen_fd = inherit(monitor->fd, &why) ? monitor->fd : -1;
    if (m->listen_fd < 0 ||
        !loop_watch(qmp->loop, &m->listen_source, m->listen_fd, EPOLLIN, accept_event, m, &why)) {
        err_set(err, "QMP socket %s: %s", m->id, why.text);
        if (m->listen_fd >= 0)
            close(m->listen_fd);
        free(m->path);
        free(m->id);
        free(m);
        return false;
    }
    struct stat st;
    if (m->path && lstat(m->path, &st) == 0) {
        m->dev = st.st_dev;
        m->ino = st.st_ino;
    }
    deferred_init(&m->more, continue_pump, m);
    timer_init(&m->accept_timer, loop_clock(qmp->loop), accept_again, m);
    struct qmp_monitor **last = &qmp->monitors;
    while (*last)
        last = &(*last)->next;
    *last = m;
    return true;
}

bool qmp_add_fds(struct qmp *qmp, const struct config_fd *fds, size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++)
        if (qmp_fd_add(qmp, fds[i].set, fds[i].fd, fds[i].opaque, true, err) < 0)
            return false;
    return true;
}

void qmp_forget_paths(struct qmp *qmp)
{
    qmp->forget_paths = true;
}

void qmp_free(struct qmp *qmp)
{
    if (!qmp)
        return;
    keysend_free(qmp->keysend);
    while (qmp->monitors) {
        struct qmp_monitor *m = qmp->monitors;
        if (connected(m)) {
            flush(m);
            m->quit = false; /* it is happening */
            disconnect(m);
        }
        qmp->monitors = m->next;
        loop_unwatch(qmp->loop, &m->listen_source);
        timer_destroy(&m->accept_timer);
        close(m->listen_fd);
        struct stat st;
        if (m->path && !qmp->forget_paths && lstat(m->path, &st) == 0 && st.st_dev == m->dev &&
            st.st_ino == m->ino)
            unlink(m->path);
        free(m->path);
        free(m->id);
        free(m);
    }
    qmp_fd_clear(qmp, true);
    free(qmp);
}
