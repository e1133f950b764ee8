/* SPDX-License-Identifier: GPL-2.0-or-later */
/* domain: see domain.h. */
#include "domain_int.h"

#include <stdlib.h>
#include <string.h>

#include "block/workers.h"
#include "hw/core/log.h"
#include "hw/core/loop.h"
#include "hw/pc/machine.h"
#include "hw/xen/companion.h"
#include "hw/xen/confine.h"
#include "hw/xen/hypervisor.h"
#include "hw/xen/xenstore.h"
#include "ui/chardev.h"
#include "ui/display.h"
#include "ui/input.h"

static bool open_hypervisor(struct domain *d, struct err *err)
{
    const struct config *c = d->config;
    struct hv_config config = {
        .domid = c->domid,
        .vcpus = c->max_vcpus,
        .ram_bytes = c->ram_bytes,
        .below_4g_end = c->below_4g_end,
        .companion = d->companion,
    };
    d->hv = hv_open(&config, d->loop, err);
    if (!d->hv)
        return false;
    d->xenstore = xenstore_open(c->domid, err);
    return d->xenstore != NULL;
}

/* A guest that gives its emulated disks away must find them again: at our back-end, or at
 * another's.
 */
static bool can_hand_over(struct domain *d)
{
    return domain_serves_disks(d) || !xenstore_has_devices(d->xenstore, "qdisk");
}

static bool open_machine(struct domain *d, struct err *err)
{
    struct machine_config config = {
        .config = d->config,
        .hv = d->hv,
        .clock = loop_guest_clock(d->loop),
        .display = d->display,
        .input = d->input,
        .vga_rom = d->vga_rom.data,
        .vga_rom_len = d->vga_rom.len,
        .power_off = domain_power_off,
        .reset = domain_guest_reset,
        .suspend = domain_suspend,
        .unplug = can_hand_over(d) ? domain_unplug : NULL,
        .tray_moved = domain_tray_moved,
        .opaque = d,
    };
    memcpy(config.blocks, d->blocks, sizeof(config.blocks));
    for (size_t i = 0; i < d->config->nic_count; i++) {
        config.nets[i] = domain_nic_net(d, i);
        config.nic_roms[i] = d->nic_roms[i].data;
        config.nic_rom_lens[i] = d->nic_roms[i].len;
    }
    config.parallel = d->parallel;
    memcpy(config.serial, d->serial, sizeof(config.serial));
    d->machine = machine_new(&config, err);
    if (!d->machine)
        return false;
    hv_attach(d->hv, machine_bus(d->machine), domain_time_offset, d);
    return true;
}

static bool load_vga_rom(struct domain *d, const struct config *c, struct err *err)
{
    bool cirrus = c->vga == CONFIG_VGA_CIRRUS;
    return c->vga == CONFIG_VGA_NONE ||
           rom_load(&d->vga_rom, cirrus ? ROM_VGA_CIRRUS : ROM_VGA_STD,
                    (const char *const *)c->rom_dirs, c->rom_dir_count, cirrus ? 0x1013 : 0x1234,
                    cirrus ? 0x00B8 : 0x1111, err);
}

static void look_if_awake(void *display)
{
    display_awake(display);
}

static bool open_all(struct domain *d, struct err *err)
{
    const struct config *c = d->config;
    if (c->incoming_fd >= 0)
        return err_set(err, "-incoming: restoring a saved guest is not part of this version");
    /* First, while there is little memory that it would keep. */
    d->companion = companion_open(&companion_xen, c->domid, c->seccomp, d->loop, err);
    if (!d->companion || !domain_open_pv(d, err))
        return false;
    d->display = display_new(loop_clock(d->loop));
    d->input = input_new();
    if (!d->display || !d->input)
        return err_set(err, "out of memory");
    loop_on_round(d->loop, look_if_awake, d->display);
    if (!domain_open_blocks(d, err) || !domain_open_streams(d, err))
        return false;
    if (!load_vga_rom(d, c, err) || !domain_load_nic_roms(d, err) || !domain_open_nets(d, err))
        return false;
    return domain_open_screen(d, err) && domain_open_window(d, err) && open_hypervisor(d, err) &&
           open_machine(d, err) && domain_open_monitors(d, err);
}

struct domain *domain_open(const struct config *config, struct loop *loop, struct err *err)
{
    struct domain *d = calloc(1, sizeof(*d));
    if (!d) {
        err_set(err, "out of memory");
        return NULL;
    }
    d->config = config;
    d->loop = loop;
    d->state = QMP_PRELAUNCH;
    deferred_init(&d->reset, domain_tell_reset, d);
    deferred_init(&d->io_error, domain_stop_for_error, d);
    for (size_t i = 0; i < config->drive_count; i++) {
        d->drive_refs[i] = (struct drive_ref){d, i};
        d->limits[i] = config->drives[i].limits;
    }
    if (!open_all(d, err)) {
        domain_close(d);
        return NULL;
    }
    return d;
}

/* What other programs find in xenstore; libxl reads it over QMP too. */
static bool publish(struct domain *d, struct err *err)
{
    static const char pty[] = "pty:";
    for (unsigned i = 0; i < CONFIG_MAX_SERIAL; i++) {
        const char *name = d->serial[i] ? chardev_filename(d->serial[i]) : "";
        if (!strncmp(name, pty, strlen(pty)) &&
            !xenstore_set_serial_tty(d->xenstore, i, name + strlen(pty), err))
            return false;
    }
    struct qmp_vnc_info vnc;
    if (domain_vnc_info(d, &vnc) && !vnc.unix_path &&
        !xenstore_set_vnc(d->xenstore, vnc.host, (unsigned)strtoul(vnc.service, NULL, 10), err))
        return false;
    if (domain_serves_disks(d) && !xenstore_offer_backend(d->xenstore, "qdisk", err))
        return false;
    return xenstore_set_state(d->xenstore, d->config->start_paused ? "paused" : "running", err);
}

bool domain_start(struct domain *d, struct err *err)
{
    const struct config *c = d->config;
    struct confine_config confinement = {
        .restricted = c->restricted,
        .chroot_dir = c->chroot_dir,
        .run_as = c->run_as,
        .uid = c->uid,
        .gid = c->gid,
        .seccomp = c->seccomp,
        .window = d->window != NULL,
    };
    /* First the ioreq server is enabled, so that no access is lost whoever lets the vCPUs go at
     * "running"; requests wait for the loop. What we say in xenstore is the last: libxl asks over
     * QMP too, and not before we answer. */
    if (!c->start_paused && !domain_run(d, err))
        return false;
    if (!companion_ready(d->companion, err) || !domain_pv_ready(d, err) || !publish(d, err))
        return false;
    xenstore_close(d->xenstore);
    d->xenstore = NULL;
    if (!domain_serve_screen(d, err))
        return false;
    workers_retire(); /* capabilities are a thread's own */
    if (!confine(&confinement, d->hv, err))
        return false;
    domain_confine_window(d);
    if (c->chroot_dir || c->run_as || c->seccomp)
        qmp_forget_paths(d->qmp);
    return true;
}

void domain_close(struct domain *d)
{
    if (!d)
        return;
    struct err err;
    if (d->running && !domain_stop(d, &err))
        log_warn("%s", err.text);
    loop_undefer(d->loop, &d->io_error);
    loop_undefer(d->loop, &d->reset);
    domain_close_monitors(d);
    d->qmp = NULL; /* what is closed from here on tells nobody */
    domain_close_window(d);
    if (d->web)
        d->web_module->close(d->web);
    if (d->vnc)
        d->screen->close(d->vnc);
    vnc_listen_close(&d->listen);
    vnc_listen_close(&d->web_listen);
    machine_free(d->machine);
    hv_close(d->hv);
    domain_close_nets(d);
    domain_close_pv(d);
    companion_close(d->companion);
    xenstore_close(d->xenstore);
    domain_close_streams(d);
    loop_on_round(d->loop, NULL, NULL);
    display_free(d->display);
    input_free(d->input);
    if (d->keymap)
        d->screen->keymap_free(d->keymap);
    rom_free(&d->vga_rom);
    domain_end_commit(d);
    for (size_t i = 0; i < d->config->drive_count; i++)
        block_close(d->blocks[i]);
    free(d);
}
