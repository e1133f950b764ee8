/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench: the production binary, the stock device model and one that does nothing, side by side on
 * the stand-in for Xen: one table.
 *   bench [--pairs N] [--quick] [--only GROUP,…] [--values] [--disks IDE|AHCI|PV]
 *   bench --loop ours|stock|null read|write|pio|dma|dmaw SECONDS [apart]     (to look at with perf)
 * Groups: start (and memory, size), access (and disk commands), disks (images), polling, screen,
 * viewers, idle, many, nets (network cards), user (the user-mode network). Each pair of runs is
 * made in alternating order; a figure is the median over the pairs, the spread that of the pairs'
 * ratios. --values prints what each run gave.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bench.h"

#define DISK       (16u << 20)
#define SMALL_DISK (1u << 20)
#define FLEET      50u

enum group {
    G_START,
    G_ACCESS,
    G_DISKS,
    G_POLLING,
    G_SCREEN,
    G_VIEWERS,
    G_IDLE,
    G_MANY,
    G_NETS,
    G_USER,
    GROUPS
};

static const char *const group_name[GROUPS] = {"start",   "access", "disks", "polling", "screen",
                                               "viewers", "idle",   "many",  "nets",    "user"};

#define NO_AIM NAN
static const struct {
    enum group group;
    const char *name, *unit;
    double aim;      /* ours/stock at most */
    double most;     /* ours at most */
    double of_limit; /* ours/null at most */
    bool least;      /* `aim` is the ratio that there is to be at least */
} row[TIMED_END] = {
#define SCENE(n, what)                                                                           \
    [VIEW_FIRST +                                                                                \
        6 * (n)] = {G_VIEWERS, what ", 1 viewer: pictures", "1/s", 1, NO_AIM, NO_AIM, true},     \
            [VIEW_FIRST + 6 * (n) + 1] = {G_VIEWERS, "… CPU for one", "ms", 1,                   \
                                          NO_AIM,    NO_AIM,          false},                    \
            [VIEW_FIRST + 6 * (n) + 2] = {G_VIEWERS, "… sent for one", "KiB", 1,                 \
                                          NO_AIM,    NO_AIM,           false},                   \
            [VIEW_FIRST + 6 * (n) +                                                              \
                3] = {G_VIEWERS, what ", 8 viewers: pictures to each", "1/s", 1, NO_AIM, NO_AIM, \
                      true},                                                                     \
            [VIEW_FIRST + 6 * (n) + 4] = {G_VIEWERS, "… CPU for one", "ms", 1,                   \
                                          NO_AIM,    NO_AIM,          false},                    \
            [VIEW_FIRST + 6 * (n) + 5] = {G_VIEWERS, "… sent for one", "KiB", 1,                 \
                                          NO_AIM,    NO_AIM,           false}
    SCENE(0, "scrolling text"),
    SCENE(1, "a window moves"),
    SCENE(2, "a film"),
    [ANSWER_1] = {G_VIEWERS, "a key's effect on the screen, 1 viewer", "ms", 1, NO_AIM, NO_AIM,
                  false},
    [ANSWER_8] = {G_VIEWERS, "a key's effect on the screen, the last of 8", "ms", 1, NO_AIM, NO_AIM,
                  false},
    [STALL_NONE] = {G_VIEWERS, "port read beside a film, 95 of 100", "us", NO_AIM, NO_AIM, NO_AIM,
                    false},
    [STALL_ONE] = {G_VIEWERS, "… while its viewer takes nothing", "us", NO_AIM, NO_AIM, NO_AIM,
                   false},
    [STALL_RATIO] = {G_VIEWERS, "… of the one before", "", NO_AIM, 1, NO_AIM, false},
    [START] = {G_START, "exec to `running`", "ms", 0.10, NO_AIM, NO_AIM, false},
    [RSS_ANON] = {G_START, "RssAnon", "KiB", 0.15, NO_AIM, NO_AIM, false},
    [VM_RSS] = {G_START, "VmRSS", "KiB", 0.35, NO_AIM, NO_AIM, false},
    [PSS] = {G_START, "PSS", "KiB", 0.20, NO_AIM, NO_AIM, false},
    [RSS_ANON_50] = {G_MANY, "RssAnon of 50", "KiB", 0.15, NO_AIM, NO_AIM, false},
    [VM_RSS_50] = {G_MANY, "VmRSS of 50", "KiB", 0.35, NO_AIM, NO_AIM, false},
    [PSS_50] = {G_MANY, "PSS of 50", "KiB", 0.20, NO_AIM, NO_AIM, false},
    [PROCESSES] = {G_START, "processes", "", NO_AIM, NO_AIM, NO_AIM, false},
    [THREADS] = {G_START, "threads when idle", "", NO_AIM, 3, NO_AIM, false},
    [FILES] = {G_START, "open files", "", 0.99, NO_AIM, NO_AIM, false},
    [BINARY] = {G_START, "size of the binary", "KiB", 0.10, NO_AIM, NO_AIM, false},
    [LIBRARIES] = {G_START, "… with all its libraries", "KiB", 0.40, NO_AIM, NO_AIM, false},
    [LOADED] = {G_START, "… with all it loads for a screen", "KiB", 0.40, NO_AIM, NO_AIM, false},
    [IDLE_WAKEUPS] = {G_IDLE, "idle: wake-ups", "1/s", NO_AIM, 0, NO_AIM, false},
    [IDLE_CPU] = {G_IDLE, "idle: CPU", "us/s", NO_AIM, 0, NO_AIM, false},
    [VIEWED_WAKEUPS] = {G_IDLE, "idle, one idle viewer: wake-ups", "1/s", 0.10, NO_AIM, NO_AIM,
                        false},
    [VIEWED_CPU] = {G_IDLE, "idle, one idle viewer: CPU", "us/s", 0.10, NO_AIM, NO_AIM, false},
    [TEXT_TIME_RAW] = {G_SCREEN, "text screen to a viewer, raw", "ms", 0.7, NO_AIM, NO_AIM, false},
    [TEXT_CPU_RAW] = {G_SCREEN, "… CPU", "ms", 0.7, NO_AIM, NO_AIM, false},
    [TEXT_TIME_TIGHT] = {G_SCREEN, "text screen to a viewer, tight", "ms", 0.7, NO_AIM, NO_AIM,
                         false},
    [TEXT_CPU_TIGHT] = {G_SCREEN, "… CPU", "ms", 0.7, NO_AIM, NO_AIM, false},
    [PAINT_TIME_RAW] = {G_SCREEN, "1024x768 to a viewer, raw", "ms", 0.7, NO_AIM, NO_AIM, false},
    [PAINT_CPU_RAW] = {G_SCREEN, "… CPU", "ms", 0.7, NO_AIM, NO_AIM, false},
    [PAINT_TIME_TIGHT] = {G_SCREEN, "1024x768 to a viewer, tight", "ms", 0.7, NO_AIM, NO_AIM,
                          false},
    [PAINT_CPU_TIGHT] = {G_SCREEN, "… CPU", "ms", 0.7, NO_AIM, NO_AIM, false},
    [NEXT_1] = {G_MANY, "start of the next, beside 1", "ms", NO_AIM, NO_AIM, NO_AIM, false},
    [NEXT_10] = {G_MANY, "start of the next, beside 10", "ms", NO_AIM, NO_AIM, NO_AIM, false},
    [NEXT_50] = {G_MANY, "start of the next, beside 50", "ms", NO_AIM, NO_AIM, NO_AIM, false},
    [TOTAL_1] = {G_MANY, "memory of 1, PSS", "MiB", NO_AIM, NO_AIM, NO_AIM, false},
    [TOTAL_10] = {G_MANY, "memory of 10, PSS", "MiB", NO_AIM, NO_AIM, NO_AIM, false},
    [TOTAL_50] = {G_MANY, "memory of 50, PSS", "MiB", NO_AIM, NO_AIM, NO_AIM, false},
    [FLEET_WAKEUPS] = {G_MANY, "50, idle: wake-ups", "1/s", NO_AIM, 0, NO_AIM, false},
    [FLEET_CPU] = {G_MANY, "50, idle: CPU", "us/s", NO_AIM, 0, NO_AIM, false},
    [PORT_READ] = {G_ACCESS, "port read", "us", 0.5, NO_AIM, 1.3, false},
    [PORT_WRITE] = {G_ACCESS, "port write", "us", 0.5, NO_AIM, 1.3, false},
    [MEM_READ] = {G_ACCESS, "memory read", "us", NO_AIM, NO_AIM, NO_AIM, false},
    [MEM_WRITE] = {G_ACCESS, "memory write", "us", 0.5, NO_AIM, 1.3, false},
    [CONFIG_READ] = {G_ACCESS, "PCI config read", "us", 0.5, NO_AIM, 1.3, false},
    [PORT_PAUSE] = {G_ACCESS, "port read after 300 us", "us", NO_AIM, NO_AIM, NO_AIM, false},
    [INSW] = {G_ACCESS, "`rep insw` of a sector, less a read", "us", 0.1, NO_AIM, NO_AIM, false},
    [MOVS] = {G_ACCESS, "4 KiB `movs` to VGA, less a write", "us", 0.1, NO_AIM, NO_AIM, false},
    [PIO_READ] = {G_ACCESS, "PIO read, a sector", "us", 0.3, NO_AIM, NO_AIM, false},
    [PIO_WRITE] = {G_ACCESS, "PIO write, a sector", "us", NO_AIM, NO_AIM, NO_AIM, false},
    [DMA_R4K] = {G_ACCESS, "DMA read, 4 KiB", "us", 0.6, NO_AIM, NO_AIM, false},
    [DMA_R64K] = {G_ACCESS, "DMA read, 64 KiB", "us", 0.6, NO_AIM, NO_AIM, false},
    [DMA_R128K] = {G_ACCESS, "DMA read, 128 KiB", "us", 0.6, NO_AIM, NO_AIM, false},
    [DMA_W4K] = {G_ACCESS, "DMA write, 4 KiB", "us", 0.6, NO_AIM, NO_AIM, false},
    [DMA_W64K] = {G_ACCESS, "DMA write, 64 KiB", "us", 0.6, NO_AIM, NO_AIM, false},
    [DMA_W128K] = {G_ACCESS, "DMA write, 128 KiB", "us", 0.6, NO_AIM, NO_AIM, false},
};

static double value[KINDS][ROWS][MAX_PAIRS];
static unsigned pairs = 5, idle_s = 30, settle_s = 180;
static const unsigned fleet = FLEET;
static bool wanted[GROUPS];
unsigned rounds = 10;

static void keep(enum dm_kind kind, unsigned pair, const struct figures *f)
{
    for (unsigned r = 0; r < ROWS; r++)
        if (!isnan(f->at[r]))
            value[kind][r][pair] = f->at[r];
}

static enum dm_kind in_turn(unsigned pair, unsigned turn, unsigned kinds)
{
    return (enum dm_kind)(pair % 2 ? kinds - 1 - turn : turn);
}

static unsigned vnc_port(unsigned number)
{
    return 15900 + number;
}

/* --- start, memory, size --- */

static void size_rows(enum dm_kind kind, const struct held *h, struct figures *f)
{
    char path[512];
    (void)kind;
    snprintf(path, sizeof(path), "/proc/%d/exe", (int)h->dm);
    char binary[512];
    ssize_t n = readlink(path, binary, sizeof(binary) - 1);
    binary[n > 0 ? n : 0] = 0;
    f->at[BINARY] = size_of_binary(binary);
    f->at[LIBRARIES] = size_with_libraries(binary);
}

static bool start_rows(enum dm_kind kind, struct figures *f)
{
    struct setup s = {.kind = kind, .disk = SMALL_DISK};
    struct held h;
    if (!held_start(&h, &s))
        return false;
    usleep(500000);
    struct usage u = usage_of(h.dm, true);
    f->at[START] = h.start_ms;
    f->at[RSS_ANON] = u.rss_anon;
    f->at[VM_RSS] = u.vm_rss;
    f->at[PSS] = u.pss;
    f->at[PROCESSES] = u.processes;
    f->at[THREADS] = u.threads;
    f->at[FILES] = u.files;
    size_rows(kind, &h, f);
    held_end(&h);
    s.vnc = vnc_port(0);
    s.idle_viewer = true;
    if (!held_start(&h, &s))
        return false;
    usleep(500000);
    f->at[LOADED] = size_loaded(h.dm);
    held_end(&h);
    return true;
}

/* --- one at a time, in alternation --- */

static bool run_one(enum group group, enum dm_kind kind, struct figures *f)
{
    struct setup s = {.kind = kind, .disk = DISK};
    figures_clear(f);
    if (group == G_START)
        return start_rows(kind, f);
    if (group == G_ACCESS)
        return held_run(&s, timed_rows, f);
    s.vnc = vnc_port(0);
    return held_run(&s, group == G_VIEWERS ? viewer_rows : screen_rows, f);
}

static bool alternate(enum group group)
{
    unsigned kinds = group == G_ACCESS ? KINDS : KINDS - 1;
    struct figures f;
    /* What takes seconds at a time needs no warming. */
    bool ok = group == G_VIEWERS || (run_one(group, DM_OURS, &f) && run_one(group, DM_STOCK, &f));
    for (unsigned p = 0; ok && p < pairs; p++)
        for (unsigned turn = 0; ok && turn < kinds; turn++) {
            enum dm_kind kind = in_turn(p, turn, kinds);
            ok = run_one(group, kind, &f);
            keep(kind, p, &f);
        }
    return ok;
}

/* --- idle, all at once --- */

/* `pairs` of each, without and with a viewer, sampled over the same seconds, after a time in which
 * both have come to look at a still screen as rarely as they ever do (stock: 90 s, ours: 160 s). */
static bool idle(void)
{
    static struct held h[KINDS - 1][2][MAX_PAIRS];
    static struct usage before[KINDS - 1][2][MAX_PAIRS];
    unsigned n = pairs < MAX_FLEET / 4 ? pairs : MAX_FLEET / 4, number = 0;
    bool ok = true;
    for (unsigned p = 0; p < n; p++)
        for (unsigned turn = 0; turn < KINDS - 1; turn++)
            for (unsigned viewer = 0; viewer < 2; viewer++) {
                enum dm_kind kind = in_turn(p, turn, KINDS - 1);
                struct setup s = {.kind = kind,
                                  .number = number,
                                  .vnc = vnc_port(number),
                                  .disk = SMALL_DISK,
                                  .idle_viewer = viewer};
                number++;
                ok = ok && held_start(&h[kind][viewer][p], &s);
            }
    for (unsigned after = 0; ok && after < 2; after++) {
        sleep(after ? idle_s : settle_s);
        for (unsigned p = 0; p < n; p++)
            for (unsigned kind = 0; kind < KINDS - 1; kind++)
                for (unsigned viewer = 0; viewer < 2; viewer++) {
                    struct usage u = usage_of(h[kind][viewer][p].dm, false),
                                 *b = &before[kind][viewer][p];
                    enum row wakeups = viewer ? VIEWED_WAKEUPS : IDLE_WAKEUPS,
                             cpu = viewer ? VIEWED_CPU : IDLE_CPU;
                    value[kind][wakeups][p] = (u.switches - b->switches) / idle_s;
                    value[kind][cpu][p] = (u.cpu_us - b->cpu_us) / idle_s;
                    *b = u;
                }
    }
    for (unsigned p = 0; p < n; p++)
        for (unsigned kind = 0; kind < KINDS - 1; kind++)
            for (unsigned viewer = 0; viewer < 2; viewer++)
                if (h[kind][viewer][p].child)
                    held_end(&h[kind][viewer][p]);
    return ok;
}

/* --- many --- */

/* What the next one needs to start, and all of them in memory. */
static bool beside(enum dm_kind kind, const struct held *h, unsigned n, enum row next,
                   enum row total)
{
    for (unsigned i = 0; i < pairs; i++) {
        struct setup s = {.kind = kind, .number = fleet + 1, .disk = SMALL_DISK};
        struct held one;
        if (!held_start(&one, &s))
            return false;
        value[kind][next][i] = one.start_ms;
        held_end(&one);
    }
    struct usage sum = {0};
    for (unsigned i = 0; i < n; i++) {
        struct usage u = usage_of(h[i].dm, true);
        sum.rss_anon += u.rss_anon;
        sum.vm_rss += u.vm_rss;
        sum.pss += u.pss;
    }
    for (unsigned i = 0; i < pairs; i++) {
        value[kind][total][i] = sum.pss / 1024;
        if (total != TOTAL_50)
            continue;
        value[kind][RSS_ANON_50][i] = sum.rss_anon;
        value[kind][VM_RSS_50][i] = sum.vm_rss;
        value[kind][PSS_50][i] = sum.pss;
    }
    return true;
}

static bool many_of(enum dm_kind kind)
{
    static struct held h[FLEET];
    struct usage before = {0}, after = {0};
    bool ok = true;
    memset(h, 0, sizeof(h));
    for (unsigned i = 0; ok && i < fleet; i++) {
        struct setup s = {.kind = kind, .number = i, .disk = SMALL_DISK};
        ok = held_start(&h[i], &s);
        if (ok && i + 1 == 1)
            ok = beside(kind, h, 1, NEXT_1, TOTAL_1);
        else if (ok && i + 1 == 10)
            ok = beside(kind, h, 10, NEXT_10, TOTAL_10);
        else if (ok && i + 1 == fleet)
            ok = beside(kind, h, fleet, NEXT_50, TOTAL_50);
    }
    unsigned seconds = idle_s / 3 ? idle_s / 3 : 1;
    for (unsigned turn = 0; ok && turn < 2; turn++) {
        sleep(turn ? seconds : 2);
        for (unsigned i = 0; i < fleet; i++) {
            struct usage u = usage_of(h[i].dm, false), *sum = turn ? &after : &before;
            sum->switches += u.switches;
            sum->cpu_us += u.cpu_us;
        }
    }
    for (unsigned i = 0; i < pairs; i++) {
        value[kind][FLEET_WAKEUPS][i] = (after.switches - before.switches) / seconds;
        value[kind][FLEET_CPU][i] = (after.cpu_us - before.cpu_us) / seconds;
    }
    for (unsigned i = 0; i < fleet; i++)
        if (h[i].child)
            held_end(&h[i]);
    return ok;
}

/* --- the table --- */

static void name_machine(void)
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
    printf("%s, %ld CPUs, %.0f GB, Linux %s; %u pairs in alternation, medians; load at the start "
           "%.1f\n",
           cpu, sysconf(_SC_NPROCESSORS_ONLN),
           (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE) / 1e9, u.release, pairs,
           load);
}

static void number(double v)
{
    if (isnan(v) || isinf(v))
        printf(" |");
    else
        printf(" %.*f |", fabs(v) >= 1000 ? 0 : fabs(v) >= 100 || v == floor(v) ? 0 : 1, v);
}

static void ratio(double v)
{
    if (isfinite(v))
        printf(" %.2f |", v);
    else
        printf(" |");
}

static void print_row(unsigned r, bool with_limit)
{
    unsigned about = r < TIMED_END ? r : TIMED_FIRST + (r - TIMED_FIRST) % TIMED;
    double ours = median(value[DM_OURS][r], pairs), stock = median(value[DM_STOCK][r], pairs),
           null = median(value[DM_NULL][r], pairs), low = INFINITY, high = -INFINITY;
    if (isnan(ours) && isnan(stock))
        return;
    printf("| %s%s%s |", row[about].name, row[about].unit[0] ? ", " : "", row[about].unit);
    number(ours);
    number(stock);
    ratio(ours / stock);
    for (unsigned i = 0; i < pairs; i++) {
        double q = value[DM_OURS][r][i] / value[DM_STOCK][r][i];
        low = q < low ? q : low;
        high = q > high ? q : high;
    }
    if (isfinite(low) && isfinite(high))
        printf(" %.2f-%.2f |", low, high);
    else
        printf(" |");
    if (!isnan(row[about].aim))
        printf(" %s%.2f%s |", row[about].least ? "≥ " : "", row[about].aim,
               (row[about].least ? ours / stock >= row[about].aim : ours / stock <= row[about].aim)
                   ? ""
                   : " **missed**");
    else if (!isnan(row[about].most))
        printf(" %.0f in all%s |", row[about].most, ours <= row[about].most ? "" : " **missed**");
    else
        printf(" |");
    if (with_limit) {
        number(null);
        if (!(null >= 1)) /* the difference of two equal ones */
            printf(" |");
        else if (isfinite(ours / null) && isnan(row[about].of_limit))
            printf(" %.2f |", ours / null);
        else if (isfinite(ours / null))
            printf(" %.2f%s |", ours / null,
                   ours / null <= row[about].of_limit ? "" : " **missed 1.3**");
        else
            printf(" |");
    }
    printf("\n");
}

static void print_values(void)
{
    static const char *const kind_name[KINDS] = {"ours", "stock", "null"};
    printf("\n");
    for (unsigned r = 0; r < ROWS; r++)
        for (unsigned kind = 0; kind < KINDS; kind++) {
            if (isnan(median(value[kind][r], pairs)))
                continue;
            unsigned about = r < TIMED_END ? r : TIMED_FIRST + (r - TIMED_FIRST) % TIMED;
            printf("%-36s %u %-5s", row[about].name,
                   r < TIMED_FIRST ? 0 : (r - TIMED_FIRST) / TIMED, kind_name[kind]);
            for (unsigned p = 0; p < pairs; p++)
                printf(" %8.2f", value[kind][r][p]);
            printf("\n");
        }
}

/* Flat and linear are the aims of many at once. */
static void print_growth(void)
{
    double start[2], memory[2];
    for (unsigned kind = 0; kind < KINDS - 1; kind++) {
        start[kind] = median(value[kind][NEXT_50], pairs) / median(value[kind][NEXT_1], pairs);
        memory[kind] =
            median(value[kind][TOTAL_50], pairs) / median(value[kind][TOTAL_1], pairs) / FLEET;
    }
    printf(
        "\nBeside 50 a start takes %.1f times what it takes beside 1 (stock: %.1f; aim: flat); 50 "
        "take %.2f of 50 times the memory of 1 (stock: %.2f; aim: linear).\n",
        start[DM_OURS], start[DM_STOCK], memory[DM_OURS], memory[DM_STOCK]);
}

static void print_tables(void)
{
    static const char *const place[PLACES] = {
        "a CPU each", "both on one CPU", "both on one CPU, and something computes on every CPU"};
    if (wanted[G_START] || wanted[G_IDLE] || wanted[G_MANY] || wanted[G_SCREEN] ||
        wanted[G_VIEWERS]) {
        printf("\n| work | hvm-dm | stock | ratio | spread | aim |\n"
               "| --- | --- | --- | --- | --- | --- |\n");
        for (unsigned r = 0; r < TIMED_FIRST; r++)
            print_row(r, false);
    }
    if (wanted[G_MANY])
        print_growth();
    for (unsigned p = 0; wanted[G_ACCESS] && p < PLACES; p++) {
        printf("\n| %s | hvm-dm | stock | ratio | spread | aim | limit | ours/limit |\n"
               "| --- | --- | --- | --- | --- | --- | --- | --- |\n",
               place[p]);
        for (unsigned r = TIMED_FIRST; r < TIMED_END; r++)
            print_row(r + p * TIMED, true);
    }
}

static bool choose(char *list)
{
    memset(wanted, 0, sizeof(wanted));
    for (char *save = NULL, *w = strtok_r(list, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
        unsigned g = 0;
        while (g < GROUPS && strcmp(w, group_name[g]) != 0)
            g++;
        if (g == GROUPS)
            return false;
        wanted[g] = true;
    }
    return true;
}

int main(int argc, char **argv)
{
    bool values = false, understood = true;
    const char *disks = NULL;
    if (argc >= 5 && !strcmp(argv[1], "--loop"))
        return !loop_for_profile(argv[2][0] == 'o'   ? DM_OURS
                                 : argv[2][0] == 's' ? DM_STOCK
                                                     : DM_NULL,
                                 argv[3], (unsigned)atoi(argv[4]), argc > 5);
    for (unsigned g = 0; g < GROUPS; g++)
        wanted[g] = true;
    for (int i = 1; i < argc && understood; i++) {
        if (!strcmp(argv[i], "--pairs") && i + 1 < argc) {
            pairs = (unsigned)atoi(argv[++i]);
        } else if (!strcmp(argv[i], "--only") && i + 1 < argc) {
            understood = choose(argv[++i]);
        } else if (!strcmp(argv[i], "--disks") && i + 1 < argc) {
            disks = argv[++i];
        } else if (!strcmp(argv[i], "--values")) {
            values = true;
        } else if (!strcmp(argv[i], "--quick")) {
            pairs = 2;
            rounds = 4;
            idle_s = 6;
            settle_s = 8;
        } else {
            understood = false;
        }
    }
    if (!understood || !pairs || pairs > MAX_PAIRS) {
        fprintf(stderr,
                "usage: %s [--pairs N] [--quick] [--values] [--only start,access,disks,"
                "polling,screen,viewers,idle,many,nets,user] [--disks IDE|AHCI|PV]\n",
                argv[0]);
        return 2;
    }
    for (unsigned k = 0; k < KINDS; k++)
        for (unsigned r = 0; r < ROWS; r++)
            for (unsigned p = 0; p < MAX_PAIRS; p++)
                value[k][r][p] = NAN;
    name_machine();
    bool ok = true;
    static const enum group one_by_one[] = {G_START, G_ACCESS, G_SCREEN, G_VIEWERS};
    for (unsigned g = 0; g < 4; g++)
        if (wanted[one_by_one[g]])
            ok = ok && alternate(one_by_one[g]);
    if (wanted[G_IDLE])
        ok = ok && idle();
    if (wanted[G_MANY])
        ok = ok && many_of(DM_OURS) && many_of(DM_STOCK);
    if (!ok) {
        fprintf(stderr,
                "bench: a device model did not do its work (is the stock one installed?)\n");
        return 1;
    }
    print_tables();
    if (wanted[G_DISKS] && !disks_table(pairs, disks))
        return 1;
    if (wanted[G_NETS] && !nets_table(pairs))
        return 1;
    if (wanted[G_USER] && !user_table(pairs))
        return 1;
    if (wanted[G_POLLING] && !polling_table(pairs))
        return 1;
    if (values)
        print_values();
    return 0;
}
