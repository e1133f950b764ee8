/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * polling: what looking for the next request after a reply, instead of going to sleep, gives the
 * guest that waits and what it takes from everybody else: the production binary beside the same
 * without polling (hvm-dm-nopoll, beside the running program's folder), while the CPUs have nothing
 * else to do, and while something computes on each. It pays if the device model's CPU grows by less
 * than the waiting shrinks; where there is no difference that is a toss.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

enum pattern { BACK_TO_BACK, COMPUTE_10, COMPUTE_50, COMPUTE_500, SECTORS, DMA_4K, PATTERNS };

static const struct {
    const char *name;
    unsigned compute_us; /* by the vCPU, between one access and the next */
    unsigned per;        /* operations in a block */
} pattern[PATTERNS] = {
    [BACK_TO_BACK] = {"port reads, one after the other", 0, 500},
    [COMPUTE_10] = {"port reads, 10 us of work between", 10, 200},
    [COMPUTE_50] = {"port reads, 50 us of work between", 50, 100},
    [COMPUTE_500] = {"port reads, 500 us of work between", 500, 20},
    [SECTORS] = {"PIO reads of 16 sectors", 0, 2},
    [DMA_4K] = {"DMA reads of 4 KiB", 0, 20},
};

/* us of the vCPU's waiting and of the device model's CPU, each for one operation. */
struct cost {
    double waited[PATTERNS], cpu[PATTERNS];
};

static void compute(unsigned us)
{
    for (double end = now_us() + us; us && now_us() < end;)
        ;
}

static bool operate(struct xenstub *x, enum pattern p, unsigned i)
{
    if (p == SECTORS)
        return pc_ide_read_pio(x, 0, i * 16, 16, VCPU_BUFFER);
    if (p == DMA_4K)
        return pc_ide_dma(x, 0, i * 8, 8, VCPU_BUFFER, VCPU_TABLE, false);
    compute(pattern[p].compute_us);
    vcpu_in(x, 0, 0x3F6, 1);
    return true;
}

static bool run_pattern(struct xenstub *x, enum pattern p, struct cost *c)
{
    double waited[MAX_PAIRS], cpu[MAX_PAIRS];
    unsigned per = pattern[p].per;
    bool ok = true;
    for (unsigned b = 0; ok && b <= rounds; b++) { /* the first one warms up */
        double before = usage_of(xenstub_pid(x), false).cpu_us, t = now_us();
        for (unsigned i = 0; ok && i < per; i++)
            ok = operate(x, p, i);
        double took = (now_us() - t) / per - pattern[p].compute_us;
        double used = (usage_of(xenstub_pid(x), false).cpu_us - before) / per;
        if (b) {
            waited[b - 1] = took;
            cpu[b - 1] = used;
        }
    }
    c->waited[p] = median(waited, rounds);
    c->cpu[p] = median(cpu, rounds);
    return ok;
}

/* In a child, so that each has a domain of its own. */
static bool measure(const char *binary, bool busy, struct cost *c)
{
    int from[2];
    struct cost got;
    if (pipe2(from, O_CLOEXEC))
        return false;
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        struct xenstub_config config = {.domid = 90, .ram_bytes = (uint64_t)RAM_MB << 20};
        static struct dm dm;
        setenv("HVM_DM", binary, 1);
        struct xenstub *x = xenstub_new(&config);
        bool ok = x && dm_init(&dm, DM_OURS, x, RAM_MB) && dm_make_image(&dm, 1 << 20) &&
                  dm_start(&dm, x, 30000);
        if (ok) {
            pc_setup(x, 0);
            place_on(xenstub_pid(x), 0, sysconf(_SC_NPROCESSORS_ONLN) > 1 ? 1 : 0);
            if (busy)
                hogs_start();
            for (enum pattern p = 0; ok && p < PATTERNS; p++)
                ok = run_pattern(x, p, &got);
            hogs_end();
        }
        if (ok)
            ok = write(from[1], &got, sizeof(got)) == sizeof(got);
        xenstub_free(x);
        _exit(0);
    }
    close(from[1]);
    bool ok = child > 0 && read(from[0], c, sizeof(*c)) == sizeof(*c);
    close(from[0]);
    if (child > 0)
        waitpid(child, NULL, 0);
    return ok;
}

static void find(char *out, size_t size, const char *name)
{
    ssize_t n = readlink("/proc/self/exe", out, size - 1);
    out[n > 0 ? n : 0] = 0;
    for (unsigned i = 0; i < 2; i++) {
        char *slash = strrchr(out, '/');
        if (slash)
            *slash = 0;
    }
    snprintf(out + strlen(out), size - strlen(out), "/%s", name);
}

bool polling_table(unsigned pairs)
{
    static struct cost with[2][MAX_PAIRS], without[2][MAX_PAIRS];
    char nopoll[512], ours[512];
    find(nopoll, sizeof(nopoll), "hvm-dm-nopoll");
    find(ours, sizeof(ours), "../hvm-dm");
    const char *given = getenv("HVM_DM");
    if (access(nopoll, X_OK)) {
        fprintf(stderr, "bench: no %s: polling is not judged\n", nopoll);
        return true;
    }
    for (unsigned p = 0; p < pairs; p++)
        for (unsigned busy = 0; busy < 2; busy++)
            for (unsigned turn = 0; turn < 2; turn++) {
                bool plain = (turn + p) % 2;
                if (!measure(plain   ? nopoll
                             : given ? given
                                     : ours,
                             busy, plain ? &without[busy][p] : &with[busy][p]))
                    return false;
            }
    printf("\n| polling after a reply, us an operation | waits, with | without | gives | CPU, with "
           "| without | takes | pays in |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n");
    for (unsigned busy = 0; busy < 2; busy++)
        for (enum pattern p = 0; p < PATTERNS; p++) {
            double v[4][MAX_PAIRS];
            unsigned pays = 0;
            for (unsigned i = 0; i < pairs; i++) {
                v[0][i] = with[busy][i].waited[p];
                v[1][i] = without[busy][i].waited[p];
                v[2][i] = with[busy][i].cpu[p];
                v[3][i] = without[busy][i].cpu[p];
                pays += v[2][i] - v[3][i] <= v[1][i] - v[0][i];
            }
            double m[4];
            for (unsigned k = 0; k < 4; k++)
                m[k] = median(v[k], pairs);
            double gives = m[1] - m[0], takes = m[2] - m[3];
            printf("| %s%s | %.1f | %.1f | %.1f | %.1f | %.1f | %.1f | %u of %u%s |\n",
                   pattern[p].name, busy ? ", every CPU busy" : "", m[0], m[1], gives, m[2], m[3],
                   takes, pays, pairs, pays ? "" : " **loses**");
        }
    return true;
}
