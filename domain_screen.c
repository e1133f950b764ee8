/* SPDX-License-Identifier: GPL-2.0-or-later */
/* domain_screen: who sees the guest's screen. */
#include "domain_int.h"

#include <string.h>

bool domain_vnc_info(void *opaque, struct qmp_vnc_info *info)
{
    struct domain *d = opaque;
    const struct vnc_address *a = &d->listen.address;
    struct vnc_address viewers[VNC_MAX_CLIENTS];
    if (!d->listen.count)
        return false;
    bool is_unix = !strcmp(a->family, "unix");
    *info = (struct qmp_vnc_info){
        .host = a->host,
        .service = a->service,
        .ipv6 = !strcmp(a->family, "ipv6"),
        .unix_path = is_unix ? a->host : NULL,
        .password = d->config->vnc.password,
        .clients = d->vnc ? (unsigned)d->screen->clients(d->vnc, viewers) : 0,
    };
    return true;
}

bool domain_set_vnc_password(void *opaque, const char *password, struct err *err)
{
    struct domain *d = opaque;
    if (!d->vnc)
        return err_set(err, "there is no VNC server");
    return d->screen->set_password(d->vnc, password, err);
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
    };
    d->vnc = d->screen->open(&config, err);
    return d->vnc != NULL;
}

bool domain_open_screen(struct domain *d, struct err *err)
{
    const struct config *c = d->config;
    if (!c->vnc.enabled)
        return true;
    if (!vnc_module_find(err) || !vnc_listen_open(&d->listen, &c->vnc, err))
        return false;
    return (!c->keymap && !c->vnc.password) || domain_serve_screen(d, err);
}
