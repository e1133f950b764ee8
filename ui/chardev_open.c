/* SPDX-License-Identifier: GPL-2.0-or-later */
/* chardev_open: the ways to get the descriptors of a chardev. All of this happens before the guest
 * runs and may use names; only accepting a connection comes later. */
#include "ui/chardev_int.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

void chardev_config_free(struct chardev_config *config)
{
    free(config->path);
    free(config->host);
    free(config->port);
    free(config->local_host);
    free(config->local_port);
    free(config->log);
    *config = (struct chardev_config){.fd = -1};
}

bool chardev_set_filename(struct chardev *c, struct err *err, const char *fmt, ...)
{
    va_list ap;
    int n;
    va_start(ap, fmt);
    n = vasprintf(&c->filename, fmt, ap);
    va_end(ap);
    if (n >= 0)
        return true;
    c->filename = NULL;
    return err_set(err, "%s: out of memory", c->label);
}

static bool open_pty(struct chardev *c, struct err *err)
{
    char name[64];
    struct termios t;
    int slave;
    c->in_fd = c->out_fd = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (c->in_fd < 0 || grantpt(c->in_fd) < 0 || unlockpt(c->in_fd) < 0 ||
        ptsname_r(c->in_fd, name, sizeof(name)) != 0)
        return err_set(err, "%s: no pty: %s", c->label, strerror(errno));
    /* Raw mode stays with the pty when nobody has its slave side open. */
    slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0)
        return err_set(err, "%s: %s: %s", c->label, name, strerror(errno));
    if (tcgetattr(slave, &t) == 0) {
        cfmakeraw(&t);
        tcsetattr(slave, TCSANOW, &t);
    }
    close(slave);
    return chardev_set_filename(c, err, "pty:%s", name);
}

uint64_t chardev_file_limit(void)
{
    const char *text = getenv("XEN_QEMU_CONSOLE_LIMIT");
    return text ? strtoull(text, NULL, 10) : 0;
}

/* Output to a regular file ends at logsize= or XEN_QEMU_CONSOLE_LIMIT bytes (XSA-180), and a
 * resource limit on its size must not kill the process. */
static void bound_file(struct chardev *c, uint64_t limit)
{
    uint64_t general = chardev_file_limit();
    struct stat st;
    signal(SIGXFSZ, SIG_IGN);
    if (fstat(c->out_fd, &st) < 0 || !S_ISREG(st.st_mode))
        return;
    bool own = limit && (!general || limit < general);
    c->limit = own ? limit : general;
    c->limited_by =
        own ? "the file has reached logsize=" : "the file has reached XEN_QEMU_CONSOLE_LIMIT";
    c->written = (uint64_t)st.st_size;
}

static bool open_file(struct chardev *c, const struct chardev_config *config, struct err *err)
{
    int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY |
                (config->append ? O_APPEND : O_TRUNC);
    c->out_fd = open(config->path, flags, 0644);
    if (c->out_fd < 0)
        return err_set(err, "%s: %s: %s", c->label, config->path, strerror(errno));
    bound_file(c, config->limit);
    c->connected = true;
    return chardev_set_filename(c, err, "file");
}

/* A FIFO opened both ways neither waits for the other side nor ends when that leaves. */
static int open_fifo(const char *path, const char *suffix)
{
    char name[4096];
    struct stat st;
    int n = snprintf(name, sizeof(name), "%s%s", path, suffix);
    if (n < 0 || (size_t)n >= sizeof(name)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int fd = open(name, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd >= 0 && (fstat(fd, &st) < 0 || S_ISREG(st.st_mode))) {
        close(fd);
        errno = ESPIPE;
        return -1;
    }
    return fd;
}

/* One FIFO for both ways would give us back what we wrote. */
static bool is_fifo(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISFIFO(st.st_mode);
}

static bool open_pipe(struct chardev *c, const struct chardev_config *config, struct err *err)
{
    signal(SIGPIPE, SIG_IGN);
    c->in_fd = open_fifo(config->path, ".in");
    c->out_fd = c->in_fd >= 0 ? open_fifo(config->path, ".out") : -1;
    if (c->in_fd < 0 && errno == ENOENT && !is_fifo(config->path))
        c->in_fd = c->out_fd = open_fifo(config->path, "");
    if (c->out_fd < 0)
        return err_set(err, "%s: %s(.in, .out): %s", c->label, config->path,
                       errno == ESPIPE ? "not a FIFO (mkfifo makes one)" : strerror(errno));
    c->connected = true;
    return chardev_set_filename(c, err, "pipe");
}

/*
 * Our own open file description of descriptor fd, so that O_NONBLOCK does not reach the others who
 * have it (a shell). Sockets cannot be opened anew: there the flag is set on the shared one.
 */
static int reopen(int fd, int flags)
{
    char name[32];
    int copy;
    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    copy = open(name, flags | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (copy >= 0)
        return copy;
    copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (copy >= 0)
        fcntl(copy, F_SETFL, fcntl(copy, F_GETFL) | O_NONBLOCK);
    return copy;
}

static bool open_stdio(struct chardev *c, const struct chardev_config *config, struct err *err)
{
    struct termios t;
    signal(SIGPIPE, SIG_IGN);
    c->out_fd = reopen(STDOUT_FILENO, O_WRONLY | O_APPEND);
    if (c->out_fd < 0)
        return err_set(err, "%s: standard output: %s", c->label, strerror(errno));
    bound_file(c, 0);
    c->in_fd = reopen(STDIN_FILENO, O_RDONLY); /* closed: no input */
    if (c->in_fd >= 0 && tcgetattr(c->in_fd, &t) == 0) {
        c->terminal = malloc(sizeof(*c->terminal));
        if (c->terminal)
            *c->terminal = t;
        t.c_lflag &= (tcflag_t) ~(ECHO | ICANON | IEXTEN);
        if (config->raw) /* else ^C ends the process */
            t.c_lflag &= (tcflag_t)~ISIG;
        t.c_iflag &= (tcflag_t) ~(ICRNL | IXON);
        t.c_cc[VMIN] = 1;
        t.c_cc[VTIME] = 0;
        tcsetattr(c->in_fd, TCSANOW, &t);
    }
    c->connected = true;
    return chardev_set_filename(c, err, "stdio");
}

bool chardev_open_backend(struct chardev *c, const struct chardev_config *config, struct err *err)
{
    switch (config->kind) {
    case CHARDEV_NULL:
        c->connected = true;
        return chardev_set_filename(c, err, "null");
    case CHARDEV_PTY:
        return open_pty(c, err);
    case CHARDEV_FILE:
        return open_file(c, config, err);
    case CHARDEV_STDIO:
        return open_stdio(c, config, err);
    case CHARDEV_PIPE:
        return open_pipe(c, config, err);
    case CHARDEV_UNIX:
    case CHARDEV_TCP:
        return chardev_open_socket(c, config, err);
    case CHARDEV_UDP:
        return chardev_open_udp(c, config, err);
    case CHARDEV_VC:
    case CHARDEV_MUX:
        break;
    }
    return err_set(err, "%s: nothing to open", c->label);
}

void chardev_close_backend(struct chardev *c)
{
    if (c->terminal)
        tcsetattr(c->in_fd, TCSANOW, c->terminal);
    free(c->terminal);
    free(c->datagram);
    if (c->in_fd >= 0)
        close(c->in_fd);
    if (c->out_fd >= 0 && c->out_fd != c->in_fd)
        close(c->out_fd);
    if (c->listen_fd >= 0)
        close(c->listen_fd);
}
