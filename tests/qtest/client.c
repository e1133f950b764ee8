/* SPDX-License-Identifier: GPL-2.0-or-later */
/* client: see client.h. */
#include "tests/qtest/client.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define SILENCE_MS 30000
#define MAX_WORDS  128

static void fatal(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    abort();
}

static int listener(const char *dir, const char *name, char *path, size_t len)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (snprintf(path, len, "%s/%s", dir, name) >= (int)sizeof(a.sun_path))
        fatal("path");
    memcpy(a.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 1) < 0)
        fatal(path);
    return fd;
}

static void run(const char *program, const char *words, const char *qtest, const char *qmp)
{
    char *argv[MAX_WORDS], *copy = strdup(words), *save = NULL, address[160], chardev[192];
    unsigned n = 0;
    argv[n++] = (char *)program;
    snprintf(address, sizeof(address), "unix:%s", qtest);
    argv[n++] = (char *)"-qtest";
    argv[n++] = address;
    argv[n++] = (char *)"-qtest-log";
    argv[n++] = (char *)"/dev/null";
    if (qmp) {
        snprintf(chardev, sizeof(chardev), "socket,path=%s,id=char0", qmp);
        argv[n++] = (char *)"-chardev";
        argv[n++] = chardev;
        argv[n++] = (char *)"-mon";
        argv[n++] = (char *)"chardev=char0,mode=control";
    }
    argv[n++] = (char *)"-display";
    argv[n++] = (char *)"none";
    for (char *w = strtok_r(copy, " ", &save); w && n < MAX_WORDS - 3;
         w = strtok_r(NULL, " ", &save))
        argv[n++] = w;
    argv[n++] = (char *)"-accel";
    argv[n++] = (char *)"qtest";
    argv[n] = NULL;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execv(program, argv);
    fprintf(stderr, "%s: %s\n", program, strerror(errno));
    _exit(127);
}

/* Accepts the program's connection, or notices that it has ended. */
static int take(struct client *c, int fd, int *status)
{
    for (int waited = 0; waited < SILENCE_MS; waited += 20) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, 20) > 0)
            return accept4(fd, NULL, NULL, SOCK_CLOEXEC);
        if (waitpid(c->pid, status, WNOHANG) == c->pid) {
            c->pid = 0;
            return -1;
        }
    }
    return -1;
}

bool client_start(struct client *c, const char *program, const char *words, bool with_qmp,
                  int *status)
{
    char qtest[96], qmp[96];
    *c = (struct client){.fd = -1, .qmp = -1};
    snprintf(c->dir, sizeof(c->dir), "/tmp/qtest-door-XXXXXX");
    if (!mkdtemp(c->dir))
        fatal(c->dir);
    int qtest_fd = listener(c->dir, "qtest", qtest, sizeof(qtest));
    int qmp_fd = with_qmp ? listener(c->dir, "qmp", qmp, sizeof(qmp)) : -1;
    c->pid = fork();
    if (c->pid < 0)
        fatal("fork");
    if (c->pid == 0)
        run(program, words, qtest, with_qmp ? qmp : NULL);
    c->fd = take(c, qtest_fd, status);
    if (c->fd >= 0 && with_qmp)
        c->qmp = take(c, qmp_fd, status);
    close(qtest_fd);
    unlink(qtest);
    if (with_qmp) {
        close(qmp_fd);
        unlink(qmp);
    }
    rmdir(c->dir);
    /* A program that refuses its arguments connects and then ends: the first reply tells. */
    const char *reply = c->fd < 0 ? NULL : client_ask(c, "endianness");
    if (reply && !strcmp(reply, "OK little"))
        return true;
    bool reaped = c->pid == 0; /* *status is known then */
    int end = client_stop(c, 0);
    if (!reaped)
        *status = end;
    return false;
}

int client_stop(struct client *c, int signo)
{
    int status = -1;
    if (signo && c->pid)
        kill(c->pid, signo);
    if (!signo && c->fd >= 0)
        close(c->fd);
    if (c->pid)
        waitpid(c->pid, &status, 0);
    if (signo && c->fd >= 0)
        close(c->fd);
    if (c->qmp >= 0)
        close(c->qmp);
    free(c->in);
    free(c->reply);
    *c = (struct client){.fd = -1, .qmp = -1};
    return status;
}

static void send_all(int fd, const char *s, size_t len)
{
    while (len) {
        ssize_t n = send(fd, s, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; /* the reply that does not come tells */
        s += n;
        len -= (size_t)n;
    }
}

void client_send(struct client *c, const char *line)
{
    size_t len = strlen(line);
    char *copy = malloc(len + 1);
    if (!copy)
        abort();
    memcpy(copy, line, len);
    copy[len] = '\n';
    send_all(c->fd, copy, len + 1);
    free(copy);
}

static void note_irq(struct client *c, const char *line)
{
    char word[8];
    unsigned n;
    if (sscanf(line, "IRQ %7s %u", word, &n) != 2 || n >= CLIENT_PINS)
        return;
    bool level = !strcmp(word, "raise");
    c->raised[n] += level && !c->level[n];
    c->level[n] = level;
    size_t used = strlen(c->irq_log);
    snprintf(c->irq_log + used, sizeof(c->irq_log) - used, "%s;", line + strlen("IRQ "));
}

/* One line from the program, its newline cut off. */
static char *read_line(struct client *c)
{
    for (;;) {
        char *from = c->in + c->in_at;
        char *end = c->in_len > c->in_at ? memchr(from, '\n', c->in_len - c->in_at) : NULL;
        if (end) {
            *end = '\0';
            c->in_at = (size_t)(end - c->in) + 1;
            return from;
        }
        memmove(c->in, from, c->in_len - c->in_at);
        c->in_len -= c->in_at;
        c->in_at = 0;
        if (c->in_size - c->in_len < 4096) {
            c->in_size = c->in_size ? c->in_size * 2 : 16384;
            c->in = realloc(c->in, c->in_size);
            if (!c->in)
                abort();
        }
        struct pollfd p = {.fd = c->fd, .events = POLLIN};
        if (poll(&p, 1, SILENCE_MS) <= 0)
            return NULL;
        ssize_t n = recv(c->fd, c->in + c->in_len, c->in_size - c->in_len, 0);
        if (n <= 0)
            return NULL;
        c->in_len += (size_t)n;
    }
}

const char *client_reply(struct client *c)
{
    if (!c->in && !(c->in = malloc(c->in_size = 16384)))
        abort();
    for (;;) {
        char *line = read_line(c);
        if (!line || strncmp(line, "IRQ ", 4)) {
            free(c->reply);
            c->reply = line ? strdup(line) : NULL;
            return c->reply;
        }
        note_irq(c, line);
    }
}

static const char *ask(struct client *c, const char *fmt, va_list ap)
{
    char *line = NULL;
    if (vasprintf(&line, fmt, ap) < 0)
        abort();
    client_send(c, line);
    free(line);
    return client_reply(c);
}

const char *client_ask(struct client *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    const char *reply = ask(c, fmt, ap);
    va_end(ap);
    return reply;
}

uint64_t client_value(struct client *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    const char *reply = ask(c, fmt, ap);
    va_end(ap);
    if (!reply || strncmp(reply, "OK", 2)) {
        fprintf(stderr, "%s: %s\n", fmt, reply ? reply : "no reply");
        abort();
    }
    return reply[2] ? strtoull(reply + 3, NULL, 0) : 0;
}

void client_clear_irqs(struct client *c)
{
    c->irq_log[0] = '\0';
    memset(c->raised, 0, sizeof(c->raised));
}

const char *client_qmp(struct client *c, const char *text)
{
    static char line[65536];
    size_t len = 0;
    send_all(c->qmp, text, strlen(text));
    while (len + 1 < sizeof(line)) {
        struct pollfd p = {.fd = c->qmp, .events = POLLIN};
        if (poll(&p, 1, SILENCE_MS) <= 0 || recv(c->qmp, line + len, 1, 0) != 1)
            return NULL;
        if (line[len++] == '\n')
            break;
    }
    line[len] = '\0';
    return line;
}
