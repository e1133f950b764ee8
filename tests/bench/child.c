/* SPDX-License-Identifier: GPL-2.0-or-later */
/* child: a device model and its domain in a process of their own, held or put to work. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define FIRST_DOMID 100u

void figures_clear(struct figures *f)
{
    for (unsigned r = 0; r < ROWS; r++)
        f->at[r] = NAN;
}

/* --- children --- */

struct report {
    bool ok;
    pid_t dm;
    double start_ms;
    char dir[64];
};

static bool start(struct xenstub *x, struct dm *dm, const struct setup *s, struct report *r)
{
    if (!x || !dm_init(dm, s->kind, x, RAM_MB) || !dm_make_image(dm, s->disk))
        return false;
    if (s->vnc)
        dm_set_vnc(dm, s->vnc);
    double t = now_us();
    bool ok = dm_start(dm, x, 30000);
    r->start_ms = (now_us() - t) / 1e3;
    r->dm = xenstub_pid(x);
    snprintf(r->dir, sizeof(r->dir), "%s", xenstub_dir(x));
    if (ok && s->kind != DM_NULL)
        pc_setup(x, PC_DEVFN(DM_VGA_SLOT, 0));
    return ok;
}

/* The child: what is asked for, then the end when the parent writes a byte. */
static void serve(const struct setup *s,
                  bool (*work)(struct xenstub *x, const struct setup *s, struct figures *f), int in,
                  int out)
{
    static struct dm dm;
    struct figures f;
    struct xenstub_config config = {.domid = FIRST_DOMID + s->number,
                                    .ram_bytes = (uint64_t)RAM_MB << 20};
    struct report r = {0};
    char byte;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct xenstub *x = xenstub_new(&config);
    r.ok = start(x, &dm, s, &r);
    bool told = write(out, &r, sizeof(r)) == sizeof(r);
    if (r.ok && told && work) {
        figures_clear(&f);
        r.ok = work(x, s, &f);
        told = write(out, &r, sizeof(r)) == sizeof(r) && write(out, &f, sizeof(f)) == sizeof(f);
    } else if (r.ok && told) {
        if (s->idle_viewer)
            watch_idly(x, s->vnc, in);
        (void)!read(in, &byte, 1);
    }
    if (x)
        xenstub_end(x, s->kind == DM_NULL ? SIGKILL : SIGHUP, 5000);
    xenstub_free(x);
    fflush(stdout);
    _exit(0);
}

static bool begin(struct held *h, const struct setup *s,
                  bool (*work)(struct xenstub *x, const struct setup *s, struct figures *f))
{
    int to[2], from[2];
    struct report r = {0};
    *h = (struct held){.in = -1, .out = -1};
    if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC))
        return false;
    fflush(stdout);
    h->child = fork();
    if (!h->child) {
        close(to[1]);
        close(from[0]);
        serve(s, work, to[0], from[1]);
    }
    close(to[0]);
    close(from[1]);
    h->out = to[1];
    h->in = from[0];
    bool ok = h->child > 0 && read(h->in, &r, sizeof(r)) == sizeof(r) && r.ok;
    h->dm = r.dm;
    h->start_ms = r.start_ms;
    memcpy(h->dir, r.dir, sizeof(h->dir));
    return ok;
}

void held_end(struct held *h)
{
    if (h->out >= 0) {
        (void)!write(h->out, "", 1); /* an end of file would not do: other children hold the pipe */
        close(h->out);
    }
    if (h->child > 0)
        waitpid(h->child, NULL, 0);
    if (h->in >= 0)
        close(h->in);
    *h = (struct held){.in = -1, .out = -1};
}

bool held_start(struct held *h, const struct setup *s)
{
    if (begin(h, s, NULL))
        return true;
    held_end(h);
    return false;
}

bool held_run(const struct setup *s,
              bool (*work)(struct xenstub *x, const struct setup *s, struct figures *f),
              struct figures *f)
{
    struct held h;
    struct report r = {0};
    struct figures got;
    bool ok = begin(&h, s, work) && read(h.in, &r, sizeof(r)) == sizeof(r) && r.ok &&
              read(h.in, &got, sizeof(got)) == sizeof(got);
    held_end(&h);
    for (unsigned i = 0; ok && i < ROWS; i++)
        if (!isnan(got.at[i]))
            f->at[i] = got.at[i];
    return ok;
}
