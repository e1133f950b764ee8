/* SPDX-License-Identifier: GPL-2.0-or-later */
/* domain_screen: who sees the guest's screen. */
#include "domain_int.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hw/core/log.h"

bool domain_vnc_info(void *opaque, struct qmp_vnc_info *info)
{
    struct domain *d = opaque;
    const struct vnc_address *a = &d->listen.address;
    if (!d->listen.count)
        return false;
    bool is_unix = !strcmp(a->family, "unix");
    *info = (struct qmp_vnc_info){
        .host = a->host,
        .service = a->service,
        .ipv6 = !strcmp(a->family, "ipv6"),
        .unix_path = is_unix ? a->host : NULL,
        .password = d->config->vnc.password,
        .web = d->web_listen.count ? &d->web_listen.address : NULL,
    };
    if (d->vnc)
        info->clients = (unsigned)d->screen->clients(d->vnc, info->viewers);
    return true;
}

static bool has_screen(const struct domain *d, struct err *err)
{
    return d->vnc || err_set(err, "there is no VNC server");
}

bool domain_set_vnc_password(void *opaque, const char *password, bool view_only, struct err *err)
{
    struct domain *d = opaque;
    return has_screen(d, err) && d->screen->set_password(d->vnc, password, view_only, err);
}

bool domain_expire_vnc_password(void *opaque, time_t when, struct err *err)
{
    struct domain *d = opaque;
    return has_screen(d, err) && d->screen->expire_password(d->vnc, when, err);
}

static void viewer_changed(void *opaque, enum vnc_change change, const struct vnc_address *viewer)
{
    struct domain *d = opaque;
    struct qmp_vnc_info info;
    if (d->qmp && domain_vnc_info(d, &info))
        qmp_event_vnc(d->qmp, change, &info, viewer);
}

/*
 * Starts a viewer as whoever started us (xend's vncviewer=1), with its display and environment. It
 * is nobody's child that we would have to wait for, and has none of our descriptors. What goes
 * wrong is the viewer's: the guest does not need it.
 */
static void start_viewer(const struct vnc_listen *listen)
{
    const struct vnc_address *a = &listen->address;
    bool any = !strcmp(a->host, "0.0.0.0") || !strcmp(a->host, "::");
    struct vnc_address shown = *a;
    char target[160], *argv[] = {"vncviewer", target, NULL};
    pid_t pid;
    if (any)
        snprintf(shown.host, sizeof(shown.host), "%s", a->host[0] == ':' ? "::1" : "127.0.0.1");
    /* Two colons: a port, not a display. */
    if (a->service[0])
        snprintf(target, sizeof(target), strchr(shown.host, ':') ? "[%s]::%s" : "%s::%s",
                 shown.host, shown.service);
    else
        snprintf(target, sizeof(target), "%s", shown.host);
    log_info("VNC: starting %s %s", argv[0], target);
    pid = fork();
    if (pid == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        setsid();
        if (fork())
            _exit(0);
        close_range(3, ~0U, 0);
        execvp(argv[0], argv);
        static const char why[] = "hvm-dm: -vncviewer: there is no vncviewer to be run\n";
        ssize_t n = write(STDERR_FILENO, why, sizeof(why) - 1);
        (void)n;
        _exit(1);
    }
    if (pid < 0)
        log_warn("-vncviewer: no process for it");
    else
        waitpid(pid, NULL, 0);
}

static void viewer_from_web(void *opaque, int sock, const struct vnc_address *peer)
{
    struct domain *d = opaque;
    d->screen->adopt(d->vnc, sock, peer);
}

static bool serve_browsers(struct domain *d, struct err *err)
{
    const struct web_config config = {
        .loop = d->loop,
        .listen = &d->web_listen,
        .tls = d->config->vnc.web_tls,
        .pages = HVM_DM_NOVNC,
        .viewer = viewer_from_web,
        .opaque = d,
    };
    char text[128];
    if (!d->config->vnc.password && !vnc_listen_is_local(&d->web_listen))
        log_warn("VNC: whoever reaches %s has the guest's screen and keyboard: no password is "
                 "asked",
                 vnc_address_text(&d->web_listen.address, text, sizeof(text)));
    d->web_module = web_module_load(err);
    if (d->web_module)
        d->web = d->web_module->open(&config, err);
    return d->web != NULL;
}

bool domain_serve_screen(struct domain *d, struct err *err)
{
    const struct config *c = d->config;
    if (!d->listen.count || d->vnc)
        return true;
    d->screen = vnc_module_load(err);
    if (!d->screen)
        return false;
    d->keymap = d->screen->keymap_load(c->keymap, err);
    if (!d->keymap)
        return false;
    const struct vnc_config config = {
        .loop = d->loop,
        .display = d->display,
        .input = d->input,
        .keymap = d->keymap,
        .listen = &d->listen,
        .options = &c->vnc,
        .name = c->name,
        .event = viewer_changed,
        .opaque = d,
    };
    d->vnc = d->screen->open(&config, err);
    if (!d->vnc || (d->web_listen.count && !serve_browsers(d, err)))
        return false;
    if (c->vnc.viewer)
        start_viewer(&d->listen);
    return true;
}

/* Nobody outside this host gets in without a password, if that was asked for. */
static bool is_guarded(const struct domain *d, struct err *err)
{
    const struct config_vnc *v = &d->config->vnc;
    if (!v->require_auth || v->password ||
        (vnc_listen_is_local(&d->listen) &&
         (!d->web_listen.count || vnc_listen_is_local(&d->web_listen))))
        return true;
    return err_set(err, "-vnc: require-auth=on, and neither password=on nor a local address");
}

bool domain_open_screen(struct domain *d, struct err *err)
{
    const struct config *c = d->config;
    if (!c->vnc.enabled)
        return !c->vnc.viewer || err_set(err, "-vncviewer: there is no -vnc to look at");
    if (!vnc_module_find(err) || !vnc_listen_open(&d->listen, &c->vnc, err))
        return false;
    if (c->vnc.websocket && !vnc_listen_open_web(&d->web_listen, &c->vnc, &d->listen, err))
        return false;
    if (!is_guarded(d, err))
        return false;
    return (!c->keymap && !c->vnc.password && !c->vnc.websocket) || domain_serve_screen(d, err);
}
