/* SPDX-License-Identifier: GPL-2.0-or-later */
/* domain_pv: the process that serves the guest's PV devices, and the PV keyboard and pointer among
 * the guest's input devices. */
#include "domain_int.h"

#include "hw/xen/backend.h"

bool domain_serves_disks(const struct domain *d)
{
    /* Images are opened by name, as root: nothing for a run that is to be confined. */
    return d->backend && !d->config->restricted;
}

bool domain_open_pv(struct domain *d, struct err *err)
{
    const struct config *c = d->config;
    struct backend_config config = {
        .domid = c->domid,
        .disks = !c->restricted,
        .filter = c->seccomp,
        .run_as = c->restricted && c->run_as,
        .uid = c->uid,
        .gid = c->gid,
    };
    if (!c->platform_pci) /* no PV driver starts without it */
        return true;
    for (size_t i = 0; i < c->drive_count; i++)
        config.emulated |= domain_disk_bit(&c->drives[i]);
    d->backend = backend_open(&config, err);
    return d->backend != NULL;
}

static void key(void *opaque, unsigned keycode, bool down)
{
    struct domain *d = opaque;
    backend_key(d->backend, keycode, down);
}

static void move(void *opaque, int x, int y, int wheel, unsigned buttons)
{
    struct domain *d = opaque;
    backend_point(d->backend, x, y, wheel, buttons);
}

/*
 * Each event goes to one device. The keys stay with PS/2 or USB unless the driver asks for all; a
 * pointer that takes positions is better than a mouse, but a USB tablet is somebody's choice and
 * keeps them (docs/keyboard.md).
 */
static void taken(void *opaque, unsigned what)
{
    struct domain *d = opaque;
    input_unset_pointer(d->input, &d->pv_pointer);
    input_unset_keyboard(d->input, &d->pv_keyboard);
    if (what & BACKEND_POINTER && (what & BACKEND_KEYS || !input_pointer_is_absolute(d->input)))
        input_set_pointer(d->input, &d->pv_pointer);
    if (what & BACKEND_KEYS)
        input_set_keyboard(d->input, &d->pv_keyboard);
}

bool domain_pv_ready(struct domain *d, struct err *err)
{
    if (!d->backend)
        return true;
    d->pv_keyboard = (struct input_keyboard){.key = key, .opaque = d, .name = "PV keyboard"};
    d->pv_pointer =
        (struct input_pointer){.absolute = true, .move = move, .opaque = d, .name = "PV pointer"};
    return backend_ready(d->backend, d->loop, taken, d, err);
}

void domain_close_pv(struct domain *d)
{
    if (d->input) {
        input_remove_keyboard(d->input, &d->pv_keyboard);
        input_remove_pointer(d->input, &d->pv_pointer);
    }
    backend_close(d->backend);
}
