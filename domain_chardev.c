/* SPDX-License-Identifier: GPL-2.0-or-later */
/* domain_chardev: the streams behind the guest's serial and parallel ports and its monitors. */
#include "domain_int.h"

#include <stdio.h>
#include <stdlib.h>

#include "hw/core/child.h"
#include "hw/xen/confine.h"
#include "ui/chardev.h"
#include "ui/chardev_connect.h"
#include "ui/chardev_mux.h"
#include "ui/console.h"

static void mux_quit(void *opaque)
{
    struct domain *d = opaque;
    loop_quit(d->loop, 0);
}

/* ---- The process that makes connections ---- */

/* The streams with reconnect=, in one order for both processes. */
struct stream_targets {
    struct chardev_target list[CHARDEV_TARGETS_MAX];
    const struct chardev_config *of[CHARDEV_TARGETS_MAX];
    unsigned count;
    bool filter;
};

static int connector(const void *arg)
{
    const struct stream_targets *t = arg;
    struct err err;
    if (!confine_connector(t->filter, &err))
        return 1;
    chardev_connect_serve(CHILD_SOCKET, t->list, t->count);
    return 0;
}

static bool add_target(struct stream_targets *t, const char *label, const struct chardev_config *c,
                       struct err *err)
{
    if (!c->reconnect)
        return true;
    t->of[t->count] = c;
    return chardev_resolve(label, c, &t->list[t->count++], err);
}

static bool find_targets(const struct config *c, struct stream_targets *t, struct err *err)
{
    bool ok = !c->have_parallel || add_target(t, "-parallel", &c->parallel, err);
    for (size_t i = 0; ok && i < c->serial_count; i++)
        ok = add_target(t, "-serial", &c->serial[i], err);
    for (size_t i = 0; ok && i < c->mux_count; i++)
        ok = add_target(t, c->muxes[i].id, &c->muxes[i].chardev, err);
    for (size_t i = 0; ok && i < c->hmp_count; i++)
        ok = add_target(t, "-monitor", &c->hmps[i].chardev, err);
    return ok;
}

/* Before the confinement, under which no connection can be made, and while there is little memory
 * that the process would keep. It ends when its socket is closed, or with us. */
static bool open_connector(struct domain *d, struct err *err)
{
    int socket;
    d->targets = calloc(1, sizeof(*d->targets));
    if (!d->targets)
        return err_set(err, "out of memory");
    if (!find_targets(d->config, d->targets, err))
        return false;
    if (!d->targets->count)
        return true;
    d->targets->filter = d->config->seccomp;
    const struct child_spec spec = {.name = "hvm-dm-connect",
                                    .what = "the connections' process",
                                    .run = connector,
                                    .arg = d->targets};
    if (child_start(&spec, &socket, err) < 0)
        return false;
    d->connector = chardev_connector_new(d->loop, socket, err);
    return d->connector != NULL;
}

/* ---- The streams ---- */

/* One that shares with nobody; `monitor`: of one. */
static struct chardev *open_stream(struct domain *d, const char *label,
                                   const struct chardev_config *c, bool monitor, struct err *err)
{
    struct chardev_config config = *c;
    config.connector = d->connector;
    while (c->reconnect && d->targets->of[config.target] != c)
        config.target++;
    struct chardev *stream = c->kind != CHARDEV_VC
                                 ? chardev_open(d->loop, label, &config, err)
                                 : console_open(d->consoles, label, monitor, c->cols, c->rows, err);
    if (stream && c->log && !chardev_set_log(stream, c->log, c->log_append, err)) {
        chardev_close(stream);
        return NULL;
    }
    return stream;
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
    if (!open_connector(d, err))
        return false;
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
        snprintf(label, sizeof(label), "compat_monitor%u", (unsigned)i);
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
    chardev_connector_free(d->connector);
    free(d->targets);
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
