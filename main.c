/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main: parse → open → confine → loop → tear down in reverse. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "domain.h"
#include "hw/core/err.h"
#include "hw/core/log.h"
#include "hw/core/loop.h"
#include "toolstack/config.h"
#include "toolstack/qmp.h"

static struct err err; /* too large for a stack */

static void terminate(void *opaque)
{
    loop_quit(opaque, 0);
}

/* SIGHUP is how libxl ends a device model, SIGTERM how everybody else does. */
static bool handle_signals(struct loop *loop)
{
    signal(SIGPIPE, SIG_IGN);
    return loop_on_signal(loop, SIGHUP, terminate, loop, &err) &&
           loop_on_signal(loop, SIGTERM, terminate, loop, &err) &&
           loop_on_signal(loop, SIGINT, terminate, loop, &err);
}

static bool write_pidfile(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_set(&err, "-pidfile %s: %s", path, strerror(errno));
    bool ok = dprintf(fd, "%ld\n", (long)getpid()) > 0;
    if (close(fd) < 0 || !ok)
        return err_set(&err, "-pidfile %s: cannot be written", path);
    return true;
}

static bool serve_domain(const struct config *config, struct loop *loop, int *code)
{
    struct domain *domain = domain_open(config, loop, &err);
    bool ok = domain != NULL;
    if (ok && config->pidfile)
        ok = write_pidfile(config->pidfile);
    if (ok)
        ok = domain_start(domain, &err);
    if (ok)
        *code = loop_run(loop);
    domain_close(domain);
    return ok;
}

static void probe_quit(void *opaque)
{
    loop_quit(opaque, 0);
}

/* libxl of Xen 4.20 and later runs the device model once before the domain's own run, only to ask
 * what options it knows. */
static bool serve_probe(const struct config *config, struct loop *loop, int *code)
{
    const struct qmp_target target = {.opaque = loop, .quit = probe_quit};
    struct qmp *qmp = qmp_new(loop, &target, &err);
    bool ok = qmp != NULL;
    for (size_t i = 0; ok && i < config->monitor_count; i++)
        ok = qmp_listen(qmp, &config->monitors[i], &err);
    if (ok && !config->monitor_count)
        ok = err_set(&err, "-machine none: without a -mon nobody can ask anything");
    if (ok)
        *code = loop_run(loop);
    qmp_free(qmp);
    return ok;
}

static bool run(const struct config *config, int *code)
{
    struct loop *loop = loop_new(&err);
    if (!loop)
        return false;
    bool ok = handle_signals(loop);
    if (ok)
        ok = config->action == CONFIG_PROBE ? serve_probe(config, loop, code)
                                            : serve_domain(config, loop, code);
    loop_free(loop);
    return ok;
}

int main(int argc, char **argv)
{
    struct config config;
    int code = 0;
    /* libxl says in the environment too which domain it is, so that a bad argument line has its
     * prefix as well. */
    const char *domid = getenv("XEN_DOMAIN_ID");
    log_init(domid && *domid >= '0' && *domid <= '9' ? (int)strtol(domid, NULL, 10) : -1);
    bool ok = config_from_libxl(&config, argc, argv, &err);
    if (ok) {
        switch (config.action) {
        case CONFIG_VERSION:
            fputs(config_version_line, stdout);
            break;
        case CONFIG_HELP:
            fputs(config_usage, stdout);
            break;
        case CONFIG_PROBE:
            ok = run(&config, &code);
            break;
        case CONFIG_RUN:
            log_init((int)config.domid);
            ok = run(&config, &code);
            break;
        }
    }
    if (!ok)
        log_error("%s", err.text);
    config_free(&config);
    if (fflush(stdout) == EOF)
        ok = false;
    return ok ? code : 1;
}
