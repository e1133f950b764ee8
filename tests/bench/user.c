/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * user: the user-mode network beside QEMU's. Debian's stock device model has none (it is built
 * without libslirp), so the other column is the same version's qemu-system-x86_64, whose e1000 is
 * driven by its qtest socket (user_qemu.c): accesses cost it about what they cost on the stand-in.
 * CPU is that of all of the device model's processes.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "user.h"

static const struct {
    const char *name;
    bool least; /* more is better */
} figure_of[USER_FIGURES] = {
    [TO_HOST] = {"TCP to the host, MB/s", true},
    [TO_HOST_CPU] = {"… CPU us a MB", false},
    [TO_GUEST] = {"TCP from the host, MB/s", true},
    [TO_GUEST_CPU] = {"… CPU us a MB", false},
    [ECHOES] = {"datagrams there and back, 32 at once, 1000/s", true},
    [ECHO_CPU] = {"… CPU us for one", false},
    [ROUND_TRIP] = {"datagram there and back, us", false},
};

static bool start(struct xenstub *x, struct dm *dm, struct user_host *h)
{
    const char *const args[] = {"-netdev", h->netdev, "-device",
                                "e1000,id=nic0,netdev=net0,mac=00:16:3e:00:00:01,addr=5,rombar=0",
                                NULL};
    if (!user_host_open(h) || !dm_init(dm, DM_OURS, x, RAM_MB) || !dm_make_image(dm, 1 << 20))
        return false;
    dm_drop(dm, "-net");
    dm_add(dm, args);
    return dm_start(dm, x, 30000);
}

static void child(int out)
{
    static struct dm dm;
    static struct user_host host;
    struct xenstub_config config = {.domid = 93, .ram_bytes = (uint64_t)RAM_MB << 20};
    double f[USER_FIGURES];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct xenstub *x = xenstub_new(&config);
    for (unsigned i = 0; i < USER_FIGURES; i++)
        f[i] = NAN;
    if (x && start(x, &dm, &host))
        user_measure(x, xenstub_pid(x), &host, f);
    if (x) {
        xenstub_end(x, SIGHUP, 5000);
        xenstub_free(x);
    }
    (void)!write(out, f, sizeof(f));
    _exit(0);
}

/* The program beside this one, which writes the figures to its output. */
static void qemu(int out)
{
    char path[512], number[16];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 16);
    path[n > 0 ? n : 0] = 0;
    strcpy(strrchr(path, '/') + 1, "bench-user-qemu");
    snprintf(number, sizeof(number), "%u", rounds);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(out, 1);
    execl(path, path, number, (char *)NULL);
    _exit(1);
}

static void in_child(enum dm_kind kind, double f[USER_FIGURES])
{
    int from[2];
    for (unsigned i = 0; i < USER_FIGURES; i++)
        f[i] = NAN;
    if (pipe2(from, O_CLOEXEC))
        return;
    fflush(stdout);
    pid_t pid = fork();
    if (!pid && kind == DM_STOCK)
        qemu(from[1]);
    if (!pid)
        child(from[1]);
    close(from[1]);
    if (read(from[0], f, sizeof(double) * USER_FIGURES) != (ssize_t)sizeof(double) * USER_FIGURES)
        f[0] = NAN;
    close(from[0]);
    waitpid(pid, NULL, 0);
}

static void number(double v, int digits)
{
    if (isnan(v))
        printf(" |");
    else
        printf(" %.*f |", digits, v);
}

bool user_table(unsigned pairs)
{
    static double v[2][USER_FIGURES][MAX_PAIRS];
    bool ok = true;
    for (unsigned p = 0; p < pairs; p++)
        for (unsigned turn = 0; turn < 2; turn++) {
            const unsigned kind = (turn + p) % 2;
            double f[USER_FIGURES];
            in_child(kind ? DM_STOCK : DM_OURS, f);
            for (unsigned i = 0; i < USER_FIGURES; i++)
                v[kind][i][p] = f[i];
        }
    printf("\n| user-mode network | hvm-dm | QEMU | ratio | aim |\n"
           "| --- | --- | --- | --- | --- |\n");
    for (unsigned i = 0; i < USER_FIGURES; i++) {
        const double ours = median(v[0][i], pairs), stock = median(v[1][i], pairs);
        const bool missed = figure_of[i].least ? ours / stock < 1 : ours / stock > 1;
        ok = ok && !isnan(ours);
        printf("| %s |", figure_of[i].name);
        number(ours, 1);
        number(stock, 1);
        number(ours / stock, 2);
        printf(" %s1%s |\n", figure_of[i].least ? "≥ " : "", missed ? " **missed**" : "");
    }
    return ok;
}
