/* SPDX-License-Identifier: GPL-2.0-or-later */
/* domain_window: the guest's screen in a window on the host's desktop. */
#include "domain_int.h"

#include "hw/xen/confine.h"

static bool window_opened(void *opaque, struct err *err)
{
    const struct domain *d = opaque;
    return !d->config->seccomp || d->config->run_as || confine_window_open(err);
}

static bool confine_thread(void *opaque, struct err *err)
{
    const struct domain *d = opaque;
    return !d->config->seccomp || confine_window(err);
}

bool domain_open_window(struct domain *d, struct err *err)
{
    const struct sdl_config config = {
        .loop = d->loop,
        .display = d->display,
        .input = d->input,
        .options = &d->config->sdl,
        .name = d->config->name,
        .closed = domain_window_closed,
        .opened = window_opened,
        .confine = confine_thread,
        .opaque = d,
    };
    if (!d->config->sdl.enabled)
        return true;
    d->window_module = sdl_module_load(err);
    if (!d->window_module)
        return false;
    d->window = d->window_module->open(&config, err);
    return d->window != NULL;
}

void domain_confine_window(struct domain *d)
{
    if (d->window)
        d->window_module->confine(d->window);
}

void domain_close_window(struct domain *d)
{
    if (d->window)
        d->window_module->close(d->window);
    d->window = NULL;
}
