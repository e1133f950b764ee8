/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lineedit_box: what libtecla gets in the place of the C library's functions that reach outside the
 * process (ui/lineedit.syms renames its references at build time). One instance at a time is inside
 * the library; nothing here makes a system call.
 */
#ifndef UI_LINEEDIT_BOX_H
#define UI_LINEEDIT_BOX_H

#include <dirent.h>
#include <pwd.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>

/* The terminal that the library believes in. */
struct lineedit_box {
    const uint8_t *in; /* what it may read */
    size_t in_len;
    void (*output)(void *opaque, const char *buf, size_t len);
    void *opaque;
};

/* Whose terminal the library's calls mean from now on; NULL: nobody's. */
void lineedit_box_enter(struct lineedit_box *box);

#define LINEEDIT_COLUMNS 80
#define LINEEDIT_LINES   24

/* The library's stdin and stdout, also what it is given as such. */
extern FILE *lineedit_box_stdin, *lineedit_box_stdout;

ssize_t lineedit_box_read(int fd, void *buf, size_t len);
ssize_t lineedit_box_write(int fd, const void *buf, size_t len);
size_t lineedit_box_fwrite(const void *buf, size_t size, size_t count, FILE *file);
int lineedit_box_fputc(int c, FILE *file);
int lineedit_box_fprintf(FILE *file, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int lineedit_box_fileno(FILE *file);
int lineedit_box_isatty(int fd);
int lineedit_box_fcntl(int fd, int cmd, ...);
int lineedit_box_ioctl(int fd, unsigned long request, ...);
int lineedit_box_select(int n, fd_set *r, fd_set *w, fd_set *e, struct timeval *timeout);
int lineedit_box_tcgetattr(int fd, struct termios *t);
int lineedit_box_tcsetattr(int fd, int when, const struct termios *t);
int lineedit_box_tcflow(int fd, int action);

/* No files, no users, no environment, no clock. */
FILE *lineedit_box_fopen(const char *path, const char *mode);
int lineedit_box_fclose(FILE *file);
int lineedit_box_feof(FILE *file);
int lineedit_box_ferror(FILE *file);
int lineedit_box_fflush(FILE *file);
int lineedit_box_fgetc(FILE *file);
char *lineedit_box_fgets(char *buf, int size, FILE *file);
void lineedit_box_clearerr(FILE *file);
int lineedit_box_access(const char *path, int mode);
int lineedit_box_stat(const char *path, struct stat *st);
DIR *lineedit_box_opendir(const char *path);
struct dirent *lineedit_box_readdir(DIR *dir);
int lineedit_box_closedir(DIR *dir);
char *lineedit_box_getcwd(char *buf, size_t size);
char *lineedit_box_getenv(const char *name);
uid_t lineedit_box_geteuid(void);
struct passwd *lineedit_box_getpwnam(const char *name);
struct passwd *lineedit_box_getpwuid(uid_t uid);
struct passwd *lineedit_box_getpwent(void);
void lineedit_box_setpwent(void);
void lineedit_box_endpwent(void);
time_t lineedit_box_time(time_t *t);
struct tm *lineedit_box_localtime(const time_t *t);
time_t lineedit_box_mktime(struct tm *tm);

/* No signals. */
int lineedit_box_sigaction(int signo, const struct sigaction *act, struct sigaction *old);
int lineedit_box_sigprocmask(int how, const sigset_t *set, sigset_t *old);
int lineedit_box_raise(int signo);

/* In the place of the library's own _kt_add_bindings, which fills in all keys of emacs or vi. */
int lineedit_box_add_bindings(void *table, int origin, const void *bindings, unsigned count);

#endif
