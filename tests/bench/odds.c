/* SPDX-License-Identifier: GPL-2.0-or-later */
/* odds: time, medians, who runs on which CPU. */
#include <ctype.h>
#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define MAX_CPUS 256

double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double median(const double *v, unsigned n)
{
    double s[MAX_PAIRS];
    unsigned m = 0;
    for (unsigned i = 0; i < n; i++)
        if (!isnan(v[i]))
            s[m++] = v[i];
    if (!m)
        return NAN;
    qsort(s, m, sizeof(*s), compare);
    return m % 2 ? s[m / 2] : (s[m / 2 - 1] + s[m / 2]) / 2;
}

/* --- CPUs --- */

void place_on(pid_t dm, int vcpu_cpu, int dm_cpu)
{
    char path[64];
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(vcpu_cpu, &set);
    sched_setaffinity(0, sizeof(set), &set);
    CPU_ZERO(&set);
    CPU_SET(dm_cpu, &set);
    snprintf(path, sizeof(path), "/proc/%d/task", (int)dm);
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));)
        if (isdigit((unsigned char)e->d_name[0]))
            sched_setaffinity(atoi(e->d_name), sizeof(set), &set);
    if (d)
        closedir(d);
}

static pid_t hog[MAX_CPUS];

void hogs_start(void)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    for (long i = 0; i < cpus && i < MAX_CPUS; i++) {
        hog[i] = fork();
        if (hog[i])
            continue;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET((int)i, &set);
        sched_setaffinity(0, sizeof(set), &set);
        for (;;)
            ;
    }
}

void hogs_end(void)
{
    for (unsigned i = 0; i < MAX_CPUS; i++) {
        if (hog[i] <= 0)
            continue;
        kill(hog[i], SIGKILL);
        waitpid(hog[i], NULL, 0);
        hog[i] = 0;
    }
}
