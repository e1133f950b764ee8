/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stands in for the device model where the lab measures how long one lives:
 * starts PROGRAM (a path fixed at build time), passes the toolstack's signals
 * on to it, and adds "milliseconds exit|signal N cpu-milliseconds probe|run" to
 * /run/lifetime when it has ended (libxl's probe asks for -machine none).
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pid_t child;

static void pass_on(int sig)
{
    kill(child, sig);
}

static long milliseconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000L + t.tv_nsec / 1000000;
}

int main(int argc, char **argv)
{
    long start = milliseconds();
    struct rusage use;
    const char *kind = "run";
    int status;
    FILE *f;

    for (int i = 1; i < argc; i++)
        if (!strncmp(argv[i], "none,", 5))
            kind = "probe";
    child = fork();
    if (child == 0) {
        execv(PROGRAM, argv);
        perror(PROGRAM);
        _exit(127);
    }
    signal(SIGHUP, pass_on);
    signal(SIGTERM, pass_on);
    signal(SIGINT, pass_on);
    while (wait4(child, &status, 0, &use) != child)
        ;
    f = fopen("/run/lifetime", "a");
    if (f) {
        fprintf(f, "%ld %s %d %ld %s\n", milliseconds() - start,
                WIFEXITED(status) ? "exit" : "signal",
                WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status),
                (use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000L +
                    (use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1000,
                kind);
        fclose(f);
    }
    if (WIFSIGNALED(status)) {
        signal(WTERMSIG(status), SIG_DFL);
        raise(WTERMSIG(status));
    }
    return WEXITSTATUS(status);
}
