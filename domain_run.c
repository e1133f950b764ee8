/* SPDX-License-Identifier: GPL-2.0-or-later */
/* domain_run: the guest runs, stops, and does things to its domain. */
#include "domain_int.h"

#include "hw/core/log.h"
#include "hw/core/loop.h"
#include "hw/pc/machine.h"
#include "hw/xen/companion.h"
#include "hw/xen/hypervisor.h"

/* Xen stops the vCPUs at once, but not before those that were on their way here have said it too.
 */
static void say_once(struct domain *d, const char *what)
{
    if (!d->ending)
        log_info("%s", what);
    d->ending = true;
}

/* `reason`: one of QAPI's ShutdownCause. */
static void power_off(struct domain *d, bool guest, const char *reason)
{
    d->state = QMP_SHUTDOWN;
    hv_shutdown(d->hv, HV_SHUTDOWN_POWEROFF);
    if (d->qmp)
        qmp_event_shutdown(d->qmp, guest, reason);
    if (!d->config->no_shutdown)
        loop_quit(d->loop, 0);
}

void domain_power_off(void *opaque)
{
    struct domain *d = opaque;
    say_once(d, "the guest powered off");
    power_off(d, true, "guest-shutdown");
}

void domain_window_closed(void *opaque)
{
    struct domain *d = opaque;
    say_once(d, "the window was closed: the guest is powered off");
    power_off(d, false, "host-ui");
}

void domain_guest_reset(void *opaque)
{
    struct domain *d = opaque;
    say_once(d, "the guest reset the machine");
    hv_shutdown(d->hv, HV_SHUTDOWN_REBOOT);
    if (d->qmp)
        qmp_event_reset(d->qmp, true, "guest-reset");
}

void domain_suspend(void *opaque)
{
    struct domain *d = opaque;
    struct err err;
    if (!hv_sleep_s3(d->hv, &err))
        guest_error("piix4_pm", "S3: %s", err.text);
}

void domain_time_offset(void *opaque, int64_t seconds)
{
    struct domain *d = opaque;
    companion_add_time_offset(d->companion, seconds);
}

bool domain_run(struct domain *d, struct err *err)
{
    if (d->running)
        return true;
    if (!domain_activate_blocks(d, err))
        return false;
    devices_resume(machine_devices(d->machine));
    if (!hv_run(d->hv, true, err))
        return false;
    loop_guest_start(d->loop);
    domain_resume_nets(d);
    d->running = true;
    d->ending = false;
    if (d->state != QMP_SHUTDOWN)
        d->state = QMP_RUNNING;
    return true;
}

/* The guest stands still and its devices have nothing under way, but what an image has failed and
 * `cont` is to try again. */
static bool halt(struct domain *d, struct err *err)
{
    d->running = false;
    loop_guest_stop(d->loop);
    bool ok = hv_run(d->hv, false, err);
    for (size_t i = 0; i < d->config->drive_count; i++)
        if (d->blocks[i])
            block_keep_failed(d->blocks[i], true);
    domain_quiesce_nets(d);
    devices_quiesce(machine_devices(d->machine));
    for (size_t i = 0; i < d->config->drive_count; i++)
        if (d->blocks[i])
            block_keep_failed(d->blocks[i], false);
    return ok;
}

bool domain_stop(struct domain *d, struct err *err)
{
    bool was_running = d->running, ok = !was_running || halt(d, err);
    for (size_t i = 0; i < d->config->drive_count; i++)
        if (d->blocks[i] && !block_inactivate(d->blocks[i], ok ? err : NULL))
            ok = false;
    if (was_running && d->state != QMP_SHUTDOWN)
        d->state = QMP_PAUSED;
    return ok;
}

/* werror=stop and the like. The images stay ours: what failed is not on them yet. */
void domain_stop_for_error(void *opaque)
{
    struct domain *d = opaque;
    struct err err;
    if (!d->running)
        return;
    if (!halt(d, &err))
        log_error("%s", err.text);
    if (d->state != QMP_SHUTDOWN)
        d->state = QMP_IO_ERROR;
    log_warn("the guest is paused after an I/O error; QMP's cont tries again");
    if (d->qmp)
        qmp_event(d->qmp, "STOP");
}
