/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench: the production binary and the stock device model side by side on the stand-in for Xen: one
 * table. Each pair of runs is made in alternating order; a figure is the median over the pairs.
 *   bench [--pairs N] [--busy] [--quick]
 * --busy keeps every CPU busy meanwhile. What is timed is timed twice: with the vCPU and the device
 * model each on a CPU of its own, as on a host with CPUs to spare, where each wakes the other out
 * of an idle CPU; and on one CPU, where each must leave it to the other.
 */
#include <ctype.h>
#include <dirent.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "dm.h"
#include "pc.h"

#define RAM_MB    64u
#define IMAGE     (16u << 20)
#define BUFFER    UINT64_C(0x200000)
#define TABLE     UINT64_C(0x90000)
#define KINDS     3
#define MAX_PAIRS 64

enum row {
    START,
    RSS_ANON,
    VM_RSS,
    PSS,
    PROCESSES,
    THREADS,
    FILES,
    WAKEUPS,
    IDLE_CPU,
    TIMED_FIRST,
    PORT_READ = TIMED_FIRST,
    PORT_WRITE,
    MEM_READ,
    MEM_WRITE,
    CONFIG_READ,
    PORT_PAUSE,
    INSW,
    MOVS,
    PIO,
    DMA_4K,
    DMA_64K,
    DMA_128K,
    DMA_W4K,
    DMA_W128K,
    TIMED_END,
    ROWS = TIMED_END + TIMED_END - TIMED_FIRST /* again, on one CPU */
};

static const struct {
    const char *name, *unit;
    double aim; /* ours/stock at most; 0: none */
} row[TIMED_END] = {
    [START] = {"exec to running", "ms", 0.10},
    [RSS_ANON] = {"RssAnon, main process", "KiB", 0.15},
    [VM_RSS] = {"VmRSS, main process, without guest memory", "KiB", 0.35},
    [PSS] = {"PSS, all processes, without guest memory", "KiB", 0.20},
    [PROCESSES] = {"processes", "", 0},
    [THREADS] = {"threads, all processes", "", 0},
    [FILES] = {"open files, all processes", "", 0},
    [WAKEUPS] = {"idle: voluntary switches", "1/s", 0},
    [IDLE_CPU] = {"idle: CPU time", "us/s", 0},
    [PORT_READ] = {"port read, round trip", "us", 0.5},
    [PORT_WRITE] = {"port write, round trip", "us", 0.5},
    [MEM_READ] = {"memory read, round trip", "us", 0.5},
    [MEM_WRITE] = {"memory write, round trip", "us", 0.5},
    [CONFIG_READ] = {"PCI config read, round trip", "us", 0.5},
    [PORT_PAUSE] = {"port read after a pause of 300 us", "us", 0},
    [INSW] = {"rep insw of one sector, less a port read", "us", 0.1},
    [MOVS] = {"4 KiB movs to the VGA window, less a write", "us", 0.1},
    [PIO] = {"IDE PIO, per sector", "us", 0.3},
    [DMA_4K] = {"IDE DMA read, 4 KiB", "us", 0.6},
    [DMA_64K] = {"IDE DMA read, 64 KiB", "us", 0.6},
    [DMA_128K] = {"IDE DMA read, 128 KiB", "us", 0.6},
    [DMA_W4K] = {"IDE DMA write, 4 KiB", "us", 0.6},
    [DMA_W128K] = {"IDE DMA write, 128 KiB", "us", 0.6},
};

static double value[KINDS][ROWS][MAX_PAIRS];
static unsigned rounds = 10; /* blocks of each timing */

static double now_us(void)
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

static double median(const double *v, unsigned n)
{
    double s[MAX_PAIRS];
    memcpy(s, v, n * sizeof(*s));
    qsort(s, n, sizeof(*s), compare);
    return n % 2 ? s[n / 2] : (s[n / 2 - 1] + s[n / 2]) / 2;
}

/* --- what the kernel knows of the processes --- */

struct usage {
    double rss_anon, vm_rss, pss, processes, threads, files, switches, cpu_us;
};

static double field(const char *path, const char *name)
{
    char line[512];
    double sum = 0;
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof(line), f))
        if (!strncmp(line, name, strlen(name)))
            sum += atof(line + strlen(name));
    if (f)
        fclose(f);
    return sum;
}

/* Sums of Rss and Pss of what is not the guest's memory. */
static void mappings(pid_t pid, double *rss, double *pss)
{
    char path[64], line[512];
    bool guest = false;
    snprintf(path, sizeof(path), "/proc/%d/smaps", (int)pid);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof(line), f)) {
        if (isxdigit((unsigned char)line[0]) && !isupper((unsigned char)line[0]))
            guest = strstr(line, "memfd:xenstub");
        else if (!guest && !strncmp(line, "Rss:", 4))
            *rss += atof(line + 4);
        else if (!guest && !strncmp(line, "Pss:", 4))
            *pss += atof(line + 4);
    }
    if (f)
        fclose(f);
}

static void add_files(pid_t pid, struct usage *u)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));)
        if (isdigit((unsigned char)e->d_name[0]) && atoi(e->d_name) < STUB_FD)
            u->files++;
    if (d)
        closedir(d);
}

static void add_threads(pid_t pid, struct usage *u)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (!isdigit((unsigned char)e->d_name[0]))
            continue;
        char file[400];
        snprintf(file, sizeof(file), "%s/%s/status", path, e->d_name);
        u->threads++;
        u->switches += field(file, "voluntary_ctxt_switches:");
        snprintf(file, sizeof(file), "%s/%s/schedstat", path, e->d_name);
        u->cpu_us += field(file, "") / 1e3;
    }
    if (d)
        closedir(d);
}

static void add_process(pid_t pid, bool main_process, struct usage *u)
{
    char path[64];
    double rss = 0;
    mappings(pid, &rss, &u->pss);
    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    if (main_process) {
        u->rss_anon = field(path, "RssAnon:");
        u->vm_rss = rss;
    }
    u->processes++;
    add_threads(pid, u);
    add_files(pid, u);
}

static pid_t parent_of(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    return (pid_t)field(path, "PPid:");
}

static struct usage usage_of(pid_t pid)
{
    struct usage u = {0};
    add_process(pid, true, &u);
    DIR *d = opendir("/proc");
    for (struct dirent *e; d && (e = readdir(d));)
        if (isdigit((unsigned char)e->d_name[0]) && parent_of(atoi(e->d_name)) == pid)
            add_process(atoi(e->d_name), false, &u);
    if (d)
        closedir(d);
    return u;
}

/* --- timings --- */

/* The median of blocks of `per` calls: us per call. */
#define TIMED(per, expression)                      \
    __extension__({                                 \
        double block_[MAX_PAIRS];                   \
        for (unsigned b_ = 0; b_ < rounds; b_++) {  \
            double t_ = now_us();                   \
            for (unsigned i_ = 0; i_ < (per); i_++) \
                expression;                         \
            block_[b_] = (now_us() - t_) / (per);   \
        }                                           \
        median(block_, rounds);                     \
    })

static void accesses(struct xenstub *x, double *out)
{
    const uint8_t vga = PC_DEVFN(DM_VGA_SLOT, 0);
    static const uint16_t sequencer[] = {0x0300, 0x0F02, 0x0E04},
                          graphics[] = {0x0005, 0x0506, 0xFF08};
    vcpu_out(x, 0, 0x3C2, 1, 0x63);
    for (unsigned i = 0; i < 3; i++) {
        vcpu_out(x, 0, 0x3C4, 2, sequencer[i]);
        vcpu_out(x, 0, 0x3CE, 2, graphics[i]);
    }
    for (unsigned i = 0; i < 1000; i++) /* warm */
        vcpu_in(x, 0, 0x3F6, 1);
    out[PORT_READ] = TIMED(1000, vcpu_in(x, 0, 0x3F6, 1));
    out[PORT_WRITE] = TIMED(1000, vcpu_out(x, 0, 0x1F2, 1, i_));
    out[MEM_READ] = TIMED(1000, vcpu_read(x, 0, 0xA0000, 4));
    out[MEM_WRITE] = TIMED(1000, vcpu_write(x, 0, 0xA0000, 4, i_));
    out[CONFIG_READ] = TIMED(1000, vcpu_pci_read(x, 0, vga, 0, 4));
    double pause = TIMED(20, usleep(300));
    out[PORT_PAUSE] = TIMED(20, (usleep(300), vcpu_in(x, 0, 0x3F6, 1))) - pause;
    vcpu_movs(x, 0, 0xA0000, 4, 1024, BUFFER, false, false);
    out[MOVS] = TIMED(50, vcpu_movs(x, 0, 0xA0000, 4, 1024, BUFFER, false, false)) - out[MEM_WRITE];
}

/* The string instructions alone, out of reads of many sectors. */
static double insw(struct xenstub *x)
{
    double block[MAX_PAIRS];
    for (unsigned b = 0; b < rounds; b++) {
        double sum = 0;
        for (unsigned i = 0; i < 50; i++) {
            vcpu_out(x, 0, 0x1F6, 1, 0xE0);
            vcpu_out(x, 0, 0x1F2, 1, 1);
            vcpu_out(x, 0, 0x1F7, 1, 0xEC);
            xenstub_wait_isa(x, 14, true, 1000);
            vcpu_in(x, 0, 0x1F7, 1);
            double t = now_us();
            vcpu_ins(x, 0, 0x1F0, 2, 256, BUFFER, false);
            sum += now_us() - t;
        }
        block[b] = sum / 50;
    }
    return median(block, rounds);
}

static bool disk(struct xenstub *x, double *out)
{
    bool ok =
        pc_ide_read_pio(x, 0, 0, 128, BUFFER) && pc_ide_dma(x, 0, 0, 256, BUFFER, TABLE, false);
    if (!ok)
        return false;
    out[INSW] = insw(x) - out[PORT_READ];
    out[PIO] = TIMED(2, ok &= pc_ide_read_pio(x, 0, i_ * 128, 128, BUFFER)) / 128;
    out[DMA_4K] = TIMED(50, ok &= pc_ide_dma(x, 0, i_ * 8, 8, BUFFER, TABLE, false));
    out[DMA_64K] = TIMED(20, ok &= pc_ide_dma(x, 0, i_ * 128, 128, BUFFER, TABLE, false));
    out[DMA_128K] = TIMED(20, ok &= pc_ide_dma(x, 0, i_ * 256, 256, BUFFER, TABLE, false));
    out[DMA_W4K] = TIMED(50, ok &= pc_ide_dma(x, 0, i_ * 8, 8, BUFFER, TABLE, true));
    out[DMA_W128K] = TIMED(20, ok &= pc_ide_dma(x, 0, i_ * 256, 256, BUFFER, TABLE, true));
    return ok;
}

/* Which CPUs they may use. */
static void place(pid_t dm, int vcpu_cpu, int dm_cpu)
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

static bool timings(struct xenstub *x, enum dm_kind kind, double *out)
{
    accesses(x, out);
    if (kind != DM_NULL)
        return disk(x, out);
    out[INSW] = out[PIO] = out[MOVS] = NAN;
    for (unsigned r = DMA_4K; r <= DMA_W128K; r++)
        out[r] = NAN;
    return true;
}

/* One run of one device model. */
static bool measure(enum dm_kind kind, double *out, unsigned idle_s)
{
    struct xenstub_config config = {.domid = 7, .ram_bytes = (uint64_t)RAM_MB << 20};
    struct xenstub *x = xenstub_new(&config);
    static struct dm dm;
    bool ok = x && dm_init(&dm, kind, x, RAM_MB) && dm_make_image(&dm, IMAGE);
    double t = now_us();
    ok = ok && dm_start(&dm, x, 30000);
    out[START] = (now_us() - t) / 1e3;
    if (ok) {
        if (kind != DM_NULL)
            pc_setup(x, PC_DEVFN(DM_VGA_SLOT, 0));
        sleep(1);
        struct usage before = usage_of(xenstub_pid(x));
        sleep(idle_s);
        struct usage u = usage_of(xenstub_pid(x));
        out[RSS_ANON] = u.rss_anon;
        out[VM_RSS] = u.vm_rss;
        out[PSS] = u.pss;
        out[PROCESSES] = u.processes;
        out[THREADS] = u.threads;
        out[FILES] = u.files;
        out[WAKEUPS] = (u.switches - before.switches) / idle_s;
        out[IDLE_CPU] = (u.cpu_us - before.cpu_us) / idle_s;
        double together[TIMED_END];
        cpu_set_t all;
        sched_getaffinity(0, sizeof(all), &all);
        place(xenstub_pid(x), 0, sysconf(_SC_NPROCESSORS_ONLN) > 1 ? 1 : 0);
        ok = timings(x, kind, out);
        place(xenstub_pid(x), 0, 0);
        ok = ok && timings(x, kind, together);
        sched_setaffinity(0, sizeof(all), &all);
        memcpy(out + TIMED_END, together + TIMED_FIRST,
               (TIMED_END - TIMED_FIRST) * sizeof(*together));
        xenstub_end(x, kind == DM_NULL ? SIGKILL : SIGHUP, 5000);
    }
    xenstub_free(x);
    return ok;
}

/* --- the table --- */

static void name_machine(unsigned pairs, bool busy)
{
    struct utsname u;
    char line[256], cpu[256] = "?";
    FILE *f = fopen("/proc/cpuinfo", "r");
    while (f && fgets(line, sizeof(line), f))
        if (!strncmp(line, "model name", 10) && strchr(line, ':')) {
            snprintf(cpu, sizeof(cpu), "%s", strchr(line, ':') + 2);
            cpu[strcspn(cpu, "\n")] = 0;
        }
    if (f)
        fclose(f);
    uname(&u);
    double load = 0;
    getloadavg(&load, 1);
    printf("%s, %ld CPUs, Linux %s; %u pairs in alternation, medians%s; load at the start %.1f\n",
           cpu, sysconf(_SC_NPROCESSORS_ONLN), u.release, pairs, busy ? ", every CPU busy" : "",
           load);
}

static void print_row(unsigned r, unsigned pairs)
{
    unsigned about = r < TIMED_END ? r : r - TIMED_END + TIMED_FIRST;
    double ours = median(value[DM_OURS][r], pairs), stock = median(value[DM_STOCK][r], pairs),
           null = median(value[DM_NULL][r], pairs), low = INFINITY, high = 0;
    printf("%-44s %9.1f %9.1f", row[about].name, ours, stock);
    if (isnan(null) || r < PORT_READ)
        printf("         -");
    else
        printf(" %9.1f", null);
    if (stock > 0)
        printf("  %6.3f", ours / stock);
    else
        printf("       -");
    for (unsigned i = 0; i < pairs; i++) { /* the spread is that of the pairs' ratios */
        double q = value[DM_OURS][r][i] / value[DM_STOCK][r][i];
        low = q < low ? q : low;
        high = q > high ? q : high;
    }
    if (isfinite(low) && isfinite(high))
        printf("  %6.3f-%-6.3f", low, high);
    else
        printf("  %13s", "");
    if (row[about].aim > 0)
        printf(" %6.2f %s", row[about].aim,
               stock > 0 && ours / stock <= row[about].aim ? "" : "MISSED");
    printf("  %s\n", row[about].unit);
}

static pid_t hog[64];

static void make_busy(void)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    for (long i = 0; i < cpus && i < 64; i++) {
        hog[i] = fork();
        if (!hog[i]) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            cpu_set_t set;
            CPU_ZERO(&set);
            CPU_SET((int)i, &set);
            sched_setaffinity(0, sizeof(set), &set);
            for (;;)
                ;
        }
    }
}

int main(int argc, char **argv)
{
    unsigned pairs = 5, idle_s = 5;
    bool busy = false;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--pairs") && i + 1 < argc)
            pairs = (unsigned)atoi(argv[++i]);
        else if (!strcmp(argv[i], "--busy"))
            busy = true;
        else if (!strcmp(argv[i], "--quick")) {
            pairs = 2;
            rounds = 4;
            idle_s = 1;
        } else {
            fprintf(stderr, "usage: %s [--pairs N] [--busy] [--quick]\n", argv[0]);
            return 2;
        }
    }
    if (!pairs || pairs > MAX_PAIRS)
        pairs = 5;
    name_machine(pairs, busy);
    if (busy)
        make_busy();
    bool ok = true;
    double warm[ROWS];
    ok = measure(DM_OURS, warm, 1) && measure(DM_STOCK, warm, 1); /* page cache of both */
    for (unsigned p = 0; ok && p < pairs; p++) {
        static const enum dm_kind order[2][KINDS] = {{DM_OURS, DM_STOCK, DM_NULL},
                                                     {DM_NULL, DM_STOCK, DM_OURS}};
        for (unsigned k = 0; ok && k < KINDS; k++) {
            double out[ROWS];
            enum dm_kind kind = order[p % 2][k];
            ok = measure(kind, out, idle_s);
            for (unsigned r = 0; r < ROWS; r++)
                value[kind][r][p] = out[r];
        }
    }
    for (unsigned i = 0; i < 64; i++)
        if (hog[i] > 0)
            kill(hog[i], SIGKILL);
    if (!ok) {
        fprintf(stderr, "a device model did not do its work (is the stock one installed?)\n");
        return 1;
    }
    printf("%-44s %9s %9s %9s  %6s  %13s %6s\n", "", "ours", "stock", "null", "ratio",
           "ratio, spread", "aim");
    for (unsigned r = 0; r < ROWS; r++) {
        if (r == TIMED_FIRST)
            puts("-- vCPU and device model on a CPU each");
        if (r == TIMED_END)
            puts("-- both on one CPU");
        print_row(r, pairs);
    }
    return 0;
}
