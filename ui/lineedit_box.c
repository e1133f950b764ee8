/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lineedit_box: see lineedit_box.h. */
#include "ui/lineedit_box.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>

/* Most of these look at nothing that they get. */
#pragma GCC diagnostic ignored "-Wunused-parameter"

#define THE_FD 0 /* of the library's input and output */

static struct lineedit_box *current;

/* Never looked into: only compared, and given back to us. */
static char the_stream;
FILE *lineedit_box_stdin = (FILE *)(void *)&the_stream;
FILE *lineedit_box_stdout = (FILE *)(void *)&the_stream;

void lineedit_box_enter(struct lineedit_box *box)
{
    current = box;
}

/* ---- the terminal ---- */

ssize_t lineedit_box_read(int fd, void *buf, size_t len)
{
    if (!current || !current->in_len)
        return 0; /* as a terminal with VMIN 0; the library takes only this for "not now" */
    size_t n = len < current->in_len ? len : current->in_len;
    memcpy(buf, current->in, n);
    current->in += n;
    current->in_len -= n;
    return (ssize_t)n;
}

ssize_t lineedit_box_write(int fd, const void *buf, size_t len)
{
    if (current)
        current->output(current->opaque, buf, len);
    return (ssize_t)len;
}

size_t lineedit_box_fwrite(const void *buf, size_t size, size_t count, FILE *file)
{
    lineedit_box_write(THE_FD, buf, size * count);
    return count;
}

int lineedit_box_fputc(int c, FILE *file)
{
    char byte = (char)c;
    lineedit_box_write(THE_FD, &byte, 1);
    return (unsigned char)byte;
}

/* Only the library's lists of keys and history have it, which no key calls up. */
int lineedit_box_fprintf(FILE *file, const char *fmt, ...)
{
    return -1;
}

int lineedit_box_fileno(FILE *file)
{
    return THE_FD;
}

int lineedit_box_isatty(int fd)
{
    return 1;
}

int lineedit_box_fcntl(int fd, int cmd, ...)
{
    return cmd == F_GETFL ? O_RDWR | O_NONBLOCK : 0;
}

int lineedit_box_ioctl(int fd, unsigned long request, ...)
{
    if (request != TIOCGWINSZ) {
        errno = ENOTTY;
        return -1;
    }
    va_list ap;
    va_start(ap, request);
    struct winsize *size = va_arg(ap, struct winsize *);
    va_end(ap);
    *size = (struct winsize){.ws_row = LINEEDIT_LINES, .ws_col = LINEEDIT_COLUMNS};
    return 0;
}

int lineedit_box_select(int n, fd_set *r, fd_set *w, fd_set *e, struct timeval *timeout)
{
    return 0;
}

int lineedit_box_tcgetattr(int fd, struct termios *t)
{
    *t = (struct termios){0};
    return 0;
}

int lineedit_box_tcsetattr(int fd, int when, const struct termios *t)
{
    return 0;
}

int lineedit_box_tcflow(int fd, int action)
{
    return 0;
}

/* ---- what there is none of ---- */

#define REFUSE(type, name, parameters, value) \
    type lineedit_box_##name parameters       \
    {                                         \
        errno = EPERM;                        \
        return value;                         \
    }

REFUSE(FILE *, fopen, (const char *path, const char *mode), NULL)
REFUSE(int, fclose, (FILE * file), 0)
REFUSE(int, feof, (FILE * file), 0)
REFUSE(int, ferror, (FILE * file), 0)
REFUSE(int, fflush, (FILE * file), 0)
REFUSE(int, fgetc, (FILE * file), EOF)
REFUSE(char *, fgets, (char *buf, int size, FILE *file), NULL)
REFUSE(int, access, (const char *path, int mode), -1)
REFUSE(int, stat, (const char *path, struct stat *st), -1)
REFUSE(DIR *, opendir, (const char *path), NULL)
REFUSE(struct dirent *, readdir, (DIR * dir), NULL)
REFUSE(int, closedir, (DIR * dir), -1)
REFUSE(char *, getcwd, (char *buf, size_t size), NULL)
REFUSE(char *, getenv, (const char *name), NULL)
REFUSE(uid_t, geteuid, (void), 0)
REFUSE(struct passwd *, getpwnam, (const char *name), NULL)
REFUSE(struct passwd *, getpwuid, (uid_t uid), NULL)
REFUSE(struct passwd *, getpwent, (void), NULL)
REFUSE(struct tm *, localtime, (const time_t *t), NULL)
REFUSE(time_t, mktime, (struct tm * tm), -1)

void lineedit_box_clearerr(FILE *file)
{
}

void lineedit_box_setpwent(void)
{
}

void lineedit_box_endpwent(void)
{
}

/* The history notes it, and nobody asks. */
time_t lineedit_box_time(time_t *t)
{
    if (t)
        *t = 0;
    return 0;
}

int lineedit_box_sigaction(int signo, const struct sigaction *act, struct sigaction *old)
{
    if (old)
        *old = (struct sigaction){.sa_handler = SIG_DFL};
    return 0;
}

int lineedit_box_sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
    (void)how, (void)set;
    if (old)
        sigemptyset(old);
    return 0;
}

int lineedit_box_raise(int signo)
{
    return 0;
}

int lineedit_box_add_bindings(void *table, int origin, const void *bindings, unsigned count)
{
    return 0;
}
