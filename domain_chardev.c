/* SPDX-License-Identifier: GPL-2.0-or-later */
/* domain_chardev: the streams behind the guest's serial and parallel ports and its monitors. */
#include "domain_int.h"

#include <stdio.h>

#include "ui/chardev.h"
#include "ui/chardev_mux.h"
#include "ui/console.h"

static void mux_quit(void *opaque)
{
    struct domain *d = opaque;
    loop_quit(d->loop, 0);
}

/* One that shares with nobody; `monitor`: of one. */
static struct chardev *open_stream(struct domain *d, const char *label,
                                   const struct chardev_config *c, bool monitor, struct err *err)
{
    if (c->kind != CHARDEV_VC)
        return chardev_open(d->loop, label, c, err);
    return console_open(d->consoles, label, monitor, c->cols, c->rows, err);
}

static struct chardev *open_port(struct domain *d, const char *label,
                                 const struct chardev_config *c, bool monitor, struct err *err)
{
    const struct chardev_mux_actions actions = {.quit = mux_quit, .opaque = d};
    if (c->kind != CHARDEV_MUX)
        return open_stream(d, label, c, monitor, err);
    struct chardev_mux **mux = &d->muxes[c->mux];
    const struct config_mux *shared = &d->config->muxes[c->mux];
    if (!*mux) {
        struct chardev *stream = open_stream(d, shared->id, &shared->chardev, monitor, err);
        if (stream)
            *mux = chardev_mux_new(d->loop, stream, d->config->mux_escape, &actions, err);
        if (!*mux)
            return NULL;
    }
    return chardev_mux_branch(*mux, label, err);
}

bool domain_open_streams(struct domain *d, struct err *err)
{
    const struct config *c = d->config;
    char label[32];
    d->consoles = consoles_new(d->loop, d->display, d->input);
    if (!d->consoles)
        return err_set(err, "out of memory");
    for (size_t i = 0; i < c->serial_count; i++) {
        if (c->serial_absent[i])
            continue;
        snprintf(label, sizeof(label), "serial%zu", i);
        d->serial[i] = open_port(d, label, &c->serial[i], false, err);
        if (!d->serial[i])
            return false;
    }
    if (c->have_parallel) {
        d->parallel = open_port(d, "parallel0", &c->parallel, false, err);
        if (!d->parallel)
            return false;
    }
    for (size_t i = 0; i < c->hmp_count; i++) {
        snprintf(label, sizeof(label), "compat_monitor%zu", i);
        d->hmps[i] = open_port(d, label, &c->hmps[i].chardev, true, err);
        if (!d->hmps[i])
            return false;
    }
    return true;
}

void domain_close_streams(struct domain *d)
{
    for (size_t i = 0; i < CONFIG_MAX_SERIAL; i++)
        chardev_close(d->serial[i]);
    chardev_close(d->parallel);
    for (size_t i = 0; i < CONFIG_MAX_HMPS; i++)
        chardev_close(d->hmps[i]);
    for (size_t i = 0; i < CONFIG_MAX_MUXES; i++)
        chardev_mux_free(d->muxes[i]);
    consoles_free(d->consoles);
}

bool domain_chardev_info(void *opaque, size_t index, struct qmp_chardev_info *info)
{
    struct domain *d = opaque;
    for (size_t i = 0; i < CONFIG_MAX_SERIAL + 1 + CONFIG_MAX_HMPS; i++) {
        const struct chardev *c = i < CONFIG_MAX_SERIAL    ? d->serial[i]
                                  : i == CONFIG_MAX_SERIAL ? d->parallel
                                                           : d->hmps[i - CONFIG_MAX_SERIAL - 1];
        if (!c || index--)
            continue;
        *info = (struct qmp_chardev_info){
            .label = chardev_label(c), .filename = chardev_filename(c), .frontend_open = true};
        return true;
    }
    return false;
}
