/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lab's hand inside dom0: process 1 of the dom0 of tests/lab.
 *
 * It does two things a shell cannot. It listens on a TCP port and runs shell
 * commands for the runner outside (tests/lab/agent.py), with stdin, stdout,
 * stderr and the exit status kept apart; and, as process 1, it inherits every
 * device model when xl lets go of it, so that it can tell with which status
 * each one ended and what CPU time it had used: one line per orphan goes to
 * REAPED_FILE.
 *
 * The protocol, both ways: frames of one type byte, four bytes of length
 * (big endian), and that many bytes. From the runner: 'c' the command (first
 * frame; 't' instead gives it a terminal), 'i' stdin, 'z' end of stdin. From
 * here: 'o' stdout, 'e' stderr, 'x' the exit status as decimal text, and then
 * the connection closes. A runner that goes away takes its command with it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PORT        7000
#define REAPED_FILE "/run/reaped"
#define MAX_FRAME   (1 << 20)

static int write_all(int fd, const void *buf, size_t len)
{
    const char *p = buf;

    while (len) {
        ssize_t n = write(fd, p, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

static int read_all(int fd, void *buf, size_t len)
{
    char *p = buf;

    while (len) {
        ssize_t n = read(fd, p, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

static int send_frame(int fd, char type, const void *data, size_t len)
{
    unsigned char head[5] = {(unsigned char)type, (unsigned char)(len >> 24),
                             (unsigned char)(len >> 16), (unsigned char)(len >> 8),
                             (unsigned char)len};

    return write_all(fd, head, 5) || write_all(fd, data, len) ? -1 : 0;
}

/* Reads one frame; its data is NUL-terminated in a buffer of our own. */
static int recv_frame(int fd, char *type, char **data, size_t *len)
{
    static char buf[MAX_FRAME + 1];
    unsigned char head[5];

    if (read_all(fd, head, 5))
        return -1;
    *type = (char)head[0];
    *len = ((size_t)head[1] << 24) | ((size_t)head[2] << 16) | ((size_t)head[3] << 8) | head[4];
    if (*len > MAX_FRAME || read_all(fd, buf, *len))
        return -1;
    buf[*len] = 0;
    *data = buf;
    return 0;
}

/* A running command as its connection's process sees it. */
struct job {
    pid_t pid;
    int in, out, err; /* -1 when closed; with a terminal in == out */
};

static void exec_shell(const char *command)
{
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    execl("/bin/sh", "sh", *command ? "-c" : "-i", *command ? command : NULL, (char *)NULL);
    _exit(127);
}

static int start_on_terminal(struct job *job, const char *command)
{
    struct winsize size = {.ws_row = 24, .ws_col = 80};

    job->pid = forkpty(&job->out, NULL, NULL, &size);
    if (job->pid < 0)
        return -1;
    if (job->pid == 0)
        exec_shell(command);
    job->in = dup(job->out);
    job->err = -1;
    return 0;
}

static int start_on_pipes(struct job *job, const char *command)
{
    int in[2], out[2], err[2];

    if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
        return -1;
    job->pid = fork();
    if (job->pid < 0)
        return -1;
    if (job->pid == 0) {
        setsid();
        dup2(in[0], 0);
        dup2(out[1], 1);
        dup2(err[1], 2);
        exec_shell(command);
    }
    close(in[0]);
    close(out[1]);
    close(err[1]);
    job->in = in[1];
    job->out = out[0];
    job->err = err[0];
    return 0;
}

/* Passes on what is readable; closes *fd at its end. */
static int forward(int sock, char type, int *fd)
{
    static char buf[65536];
    ssize_t n = read(*fd, buf, sizeof(buf));

    if (n < 0 && errno == EINTR)
        return 0;
    if (n <= 0) {
        close(*fd);
        *fd = -1;
        return 0;
    }
    return send_frame(sock, type, buf, (size_t)n);
}

static int take_input(int sock, struct job *job)
{
    char type, *data;
    size_t len;

    if (recv_frame(sock, &type, &data, &len))
        return -1;
    if (type == 'i' && job->in >= 0 && write_all(job->in, data, len))
        type = 'z'; /* the command does not want its input any more */
    if (type == 'z' && job->in >= 0) {
        close(job->in);
        job->in = -1;
    }
    return 0;
}

/*
 * Serves one command. It is over when the shell has ended, not when the last
 * holder of its stdout has: `xl create` leaves a daemon behind.
 */
static void serve(int sock)
{
    struct job job;
    char type, *data, text[16];
    size_t len;
    int status, fd;

    signal(SIGPIPE, SIG_IGN);
    if (write_all(sock, "LAB1\n", 5) || recv_frame(sock, &type, &data, &len) ||
        (type == 't' ? start_on_terminal(&job, data) : start_on_pipes(&job, data)))
        _exit(1);
    fd = (int)syscall(SYS_pidfd_open, job.pid, 0);
    for (;;) {
        struct pollfd p[4] = {{.fd = sock, .events = POLLIN},
                              {.fd = job.out, .events = POLLIN},
                              {.fd = job.err, .events = POLLIN},
                              {.fd = fd, .events = POLLIN}};

        if (poll(p, 4, -1) < 0)
            continue;
        if (p[0].revents && take_input(sock, &job)) {
            kill(-job.pid, SIGHUP);
            kill(-job.pid, SIGKILL);
            _exit(1);
        }
        if (p[1].revents && forward(sock, 'o', &job.out))
            _exit(1);
        if (p[2].revents && forward(sock, 'e', &job.err))
            _exit(1);
        if (p[3].revents && !p[1].revents && !p[2].revents)
            break;
    }
    waitpid(job.pid, &status, 0);
    snprintf(text, sizeof(text), "%d",
             WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    send_frame(sock, 'x', text, strlen(text));
    _exit(0);
}

/*
 * Writes "pid comm exit|signal N utime stime maxrss-KiB" for an ended child;
 * the two times in milliseconds.
 */
static void note_ended(const siginfo_t *info)
{
    char path[64], comm[64] = "?", line[256];
    struct rusage use;
    int fd, status;
    ssize_t n;

    snprintf(path, sizeof(path), "/proc/%d/comm", info->si_pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        n = read(fd, comm, sizeof(comm) - 1);
        comm[n > 0 ? n - 1 : 0] = 0;
        close(fd);
    }
    if (wait4(info->si_pid, &status, 0, &use) != info->si_pid)
        return;
    n = snprintf(line, sizeof(line), "%d %s %s %d %lld %lld %ld\n", info->si_pid, comm,
                 WIFEXITED(status) ? "exit" : "signal",
                 WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status),
                 use.ru_utime.tv_sec * 1000LL + use.ru_utime.tv_usec / 1000,
                 use.ru_stime.tv_sec * 1000LL + use.ru_stime.tv_usec / 1000, use.ru_maxrss);
    fd = open(REAPED_FILE, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd >= 0) {
        if (write_all(fd, line, (size_t)n))
            perror(REAPED_FILE);
        close(fd);
    }
}

static int listen_on(uint16_t port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
        bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 16))
        return -1;
    return fd;
}

int main(void)
{
    int listener = listen_on(PORT), sig;
    sigset_t chld;

    if (listener < 0) {
        perror("lab agent");
        return 1;
    }
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    sigemptyset(&chld);
    sigaddset(&chld, SIGCHLD);
    sigprocmask(SIG_BLOCK, &chld, NULL);
    sig = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
    puts("LAB dom0 ready");
    fflush(stdout);
    for (;;) {
        struct pollfd p[2] = {{.fd = listener, .events = POLLIN}, {.fd = sig, .events = POLLIN}};
        struct signalfd_siginfo drop;
        siginfo_t info;

        if (poll(p, 2, -1) < 0)
            continue;
        if (p[1].revents) {
            while (read(sig, &drop, sizeof(drop)) > 0)
                ;
            for (;;) {
                info.si_pid = 0;
                if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) || info.si_pid == 0)
                    break;
                note_ended(&info);
            }
        }
        if (p[0].revents) {
            int sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

            if (sock >= 0 && fork() == 0)
                serve(sock);
            if (sock >= 0)
                close(sock);
        }
    }
}
