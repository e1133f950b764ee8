/* SPDX-License-Identifier: GPL-2.0-or-later */
/* domain: see domain.h. */
#include "domain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bios/rom.h"
#include "block/block.h"
#include "hw/core/log.h"
#include "hw/core/loop.h"
#include "hw/pc/fdc.h"
#include "hw/pc/machine.h"
#include "hw/pc/pci.h"
#include "hw/pc/platform.h"
#include "hw/xen/backend.h"
#include "hw/xen/companion.h"
#include "hw/xen/confine.h"
#include "hw/xen/hypervisor.h"
#include "hw/xen/xenstore.h"
#include "toolstack/qmp.h"
#include "ui/chardev.h"
#include "ui/display.h"
#include "ui/input.h"
#include "ui/vnc_module.h"

/* What an image's errors come back with. */
struct drive_ref {
    struct domain *domain;
    size_t index; /* of config->drives */
};

struct domain {
    const struct config *config;
    struct loop *loop;
    struct block *blocks[CONFIG_MAX_DRIVES]; /* by index of config->drives */
    struct drive_ref drive_refs[CONFIG_MAX_DRIVES];
    struct block_limits limits[CONFIG_MAX_DRIVES]; /* of the drive, whatever medium is in it */
    struct deferred io_error;                      /* an image failed and the guest is to stop */
    struct chardev *serial[CONFIG_MAX_SERIAL], *parallel;
    struct rom vga_rom;
    struct companion *companion;
    struct backend *backend; /* serves PV disks; NULL: none in a restricted run */
    struct hypervisor *hv;
    struct display *display;
    struct input *input;
    struct machine *machine;
    struct vnc_listen listen; /* count 0: no VNC */
    const struct vnc_module *screen;
    struct keymap *keymap;
    struct vnc *vnc;
    struct xenstore *xenstore; /* until the confinement */
    struct qmp_target target;
    struct qmp *qmp;
    struct deferred reset; /* RESET is to be told, behind the answer to system_reset */
    bool running;
    bool ending; /* the guest asked for power-off or reset */
    enum qmp_run_state state;
};

/* ---- What the guest does to its domain --------------------------------------------------------
 */

/* Xen stops the vCPUs at once, but not before those that were on their way here have said it too.
 */
static void say_once(struct domain *d, const char *what)
{
    if (!d->ending)
        log_info("%s", what);
    d->ending = true;
}

static void guest_power_off(void *opaque)
{
    struct domain *d = opaque;
    say_once(d, "the guest powered off");
    d->state = QMP_SHUTDOWN;
    hv_shutdown(d->hv, HV_SHUTDOWN_POWEROFF);
    if (d->qmp)
        qmp_event_shutdown(d->qmp, true, "guest-shutdown");
    if (!d->config->no_shutdown)
        loop_quit(d->loop, 0);
}

static void guest_reset(void *opaque)
{
    struct domain *d = opaque;
    say_once(d, "the guest reset the machine");
    hv_shutdown(d->hv, HV_SHUTDOWN_REBOOT);
    if (d->qmp)
        qmp_event_reset(d->qmp, true, "guest-reset");
}

static void guest_suspend(void *opaque)
{
    struct domain *d = opaque;
    struct err err;
    if (!hv_sleep_s3(d->hv, &err))
        guest_error("piix4_pm", "S3: %s", err.text);
}

static void guest_time_offset(void *opaque, int64_t seconds)
{
    struct domain *d = opaque;
    companion_add_time_offset(d->companion, seconds);
}

/* The number by which a PV disk and this emulated one are the same to the toolstack; 0: it is no
 * disk, and the guest's PV drivers do not take it over. */
static uint32_t disk_bit(const struct config_drive *drive)
{
    if (drive->cdrom || drive->floppy)
        return 0;
    return UINT32_C(1) << (drive->ahci ? drive->ahci_port : drive->ide_unit);
}

/* PV drivers take over: each image is closed here, with all that was acknowledged in it, before the
 * back-end may open it. */
static void guest_unplug(void *opaque, unsigned mask)
{
    struct domain *d = opaque;
    struct err err;
    uint32_t released = 0;
    if (!(mask & PLATFORM_UNPLUG_DISKS))
        return;
    machine_unplug_disks(d->machine);
    for (size_t i = 0; i < d->config->drive_count; i++) {
        if (!disk_bit(&d->config->drives[i]) || !d->blocks[i])
            continue;
        block_close(d->blocks[i]);
        d->blocks[i] = NULL;
        released |= disk_bit(&d->config->drives[i]);
    }
    if (!released)
        return;
    log_info("the guest's PV drivers take the disks over");
    if (d->backend && !backend_release(d->backend, released, &err))
        log_error("%s", err.text);
}

static void guest_moved_tray(void *opaque, size_t index, bool open)
{
    struct domain *d = opaque;
    const struct config_drive *drive = &d->config->drives[index];
    if (d->qmp)
        qmp_event_tray(d->qmp, drive->id, drive->qdev, open);
}

/* ---- Running and stopping ----------------------------------------------------------------------
 */

static bool activate_blocks(struct domain *d, struct err *err)
{
    for (size_t i = 0; i < d->config->drive_count; i++)
        if (d->blocks[i] && !block_activate(d->blocks[i], err))
            return false;
    return true;
}

static bool start(struct domain *d, struct err *err)
{
    if (d->running)
        return true;
    if (!activate_blocks(d, err))
        return false;
    devices_resume(machine_devices(d->machine));
    if (!hv_run(d->hv, true, err))
        return false;
    loop_guest_start(d->loop);
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
    devices_quiesce(machine_devices(d->machine));
    for (size_t i = 0; i < d->config->drive_count; i++)
        if (d->blocks[i])
            block_keep_failed(d->blocks[i], false);
    return ok;
}

/* Nothing of the guest is under way any more when this returns; the images may be somebody else's.
 */
static bool stop(struct domain *d, struct err *err)
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
static void stop_for_error(void *opaque)
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

static void drive_failed(void *opaque, const struct block_failure *failure)
{
    const struct drive_ref *ref = opaque;
    struct domain *d = ref->domain;
    const struct config_drive *drive = &d->config->drives[ref->index];
    if (d->qmp)
        qmp_event_block_error(d->qmp, ref->index, drive->id, drive->node_name, failure);
    if (failure->action == BLOCK_ACTION_STOP)
        loop_defer(d->loop, &d->io_error);
}

/* ---- QMP's target ------------------------------------------------------------------------------
 */

static enum qmp_run_state target_run_state(void *opaque)
{
    return ((struct domain *)opaque)->state;
}

static bool target_stop(void *opaque, struct err *err)
{
    struct domain *d = opaque;
    bool was_running = d->running, ok = stop(d, err);
    if (was_running)
        qmp_event(d->qmp, "STOP");
    return ok;
}

static bool target_cont(void *opaque, struct err *err)
{
    struct domain *d = opaque;
    if (d->running)
        return true;
    if (!start(d, err))
        return false;
    qmp_event(d->qmp, "RESUME");
    for (size_t i = 0; i < d->config->drive_count; i++)
        if (d->blocks[i])
            block_retry(d->blocks[i]);
    return true;
}

static void target_quit(void *opaque)
{
    struct domain *d = opaque;
    loop_quit(d->loop, 0);
}

static bool target_reset(void *opaque, struct err *err)
{
    struct domain *d = opaque;
    (void)err;
    log_info("reset by the toolstack");
    hv_shutdown(d->hv, HV_SHUTDOWN_REBOOT);
    loop_defer(d->loop, &d->reset);
    return true;
}

static void tell_reset(void *opaque)
{
    struct domain *d = opaque;
    qmp_event_reset(d->qmp, false, "host-qmp-system-reset");
}

static bool target_set_dirty_log(void *opaque, bool enable, struct err *err)
{
    struct domain *d = opaque;
    (void)err;
    hv_log_dirty(d->hv, enable);
    return true;
}

static bool target_chardev(void *opaque, size_t index, struct qmp_chardev_info *info)
{
    struct domain *d = opaque;
    for (size_t i = 0; i <= CONFIG_MAX_SERIAL; i++) {
        const struct chardev *c = i < CONFIG_MAX_SERIAL ? d->serial[i] : d->parallel;
        if (!c || index--)
            continue;
        *info = (struct qmp_chardev_info){
            .label = chardev_label(c), .filename = chardev_filename(c), .frontend_open = true};
        return true;
    }
    return false;
}

static bool target_block(void *opaque, size_t index, struct qmp_block_info *info)
{
    struct domain *d = opaque;
    if (index >= d->config->drive_count)
        return false;
    const struct config_drive *drive = &d->config->drives[index];
    const struct block *b = d->blocks[index];
    *info = (struct qmp_block_info){
        .id = drive->id,
        .qdev = drive->qdev,
        .cdrom = drive->cdrom,
        .floppy = drive->floppy,
        .inserted = b != NULL,
    };
    if (b) {
        info->file = block_file(b);
        info->read_only = block_read_only(b);
        info->node_name = drive->node_name;
        info->format = drive->format;
        info->cache = drive->cache;
        info->bytes = block_bytes(b);
        info->io_status = block_io_status(b);
        info->detect_zeroes = drive->detect_zeroes;
        info->limits = block_limits(b);
        info->stats = block_stats(b);
    }
    if (drive->cdrom) {
        info->locked = machine_tray_locked(d->machine, index);
        info->tray_open = machine_tray_open(d->machine, index);
    }
    return true;
}

static struct block_config block_config_of(struct domain *d, size_t index)
{
    const struct config_drive *drive = &d->config->drives[index];
    return (struct block_config){
        .id = drive->id,
        .file = drive->file,
        .fd = drive->fd,
        .format = drive->format,
        .cache = drive->cache,
        .read_only = drive->read_only,
        .ignore_discard = !drive->discard,
        .detect_zeroes = drive->detect_zeroes,
        .rerror = drive->rerror,
        .werror = drive->werror,
        .failed = drive_failed,
        .opaque = &d->drive_refs[index],
        .limits = d->limits[index],
    };
}

/* Puts `medium` (NULL: none) into drive `index`, whose old one goes. */
static void set_medium(struct domain *d, size_t index, struct block *medium)
{
    const struct config_drive *drive = &d->config->drives[index];
    struct block *old = drive->floppy
                            ? fdc_set_medium(machine_fdc(d->machine), drive->floppy_unit, medium)
                            : machine_set_medium(d->machine, index, medium);
    d->blocks[index] = medium;
    block_close(old);
}

/* A floppy drive has a button of its own, which nothing locks. */
static bool open_tray(struct domain *d, size_t index, bool force, struct err *err)
{
    const struct config_drive *drive = &d->config->drives[index];
    if (drive->floppy)
        return true;
    if (!drive->cdrom)
        return err_set(err, "Device '%s' is not removable", drive->id);
    if (!machine_tray_eject(d->machine, index, force))
        return err_set(
            err,
            "Device '%s' is locked by the guest, which has been asked to let go; force takes "
            "the medium anyway",
            drive->id);
    return true;
}

static bool target_eject(void *opaque, size_t index, bool force, struct err *err)
{
    struct domain *d = opaque;
    const struct config_drive *drive = &d->config->drives[index];
    if (!d->blocks[index] && (drive->cdrom || drive->floppy))
        return true;
    if (!open_tray(d, index, force, err))
        return false;
    set_medium(d, index, NULL);
    return true;
}

/* May the opened image go into the drive? It may be the very file that is in it: the old one's
 * locks go first. */
static bool may_insert(struct domain *d, size_t index, struct block *medium, struct err *err)
{
    const struct config_drive *drive = &d->config->drives[index];
    struct block *old = d->blocks[index];
    if (drive->floppy &&
        !fdc_medium_fits(machine_fdc(d->machine), drive->floppy_unit, block_bytes(medium), err))
        return false;
    if (!d->running)
        return true;
    if (drive->floppy && old && !block_inactivate(old, err))
        return false;
    if (block_activate(medium, err))
        return true;
    if (drive->floppy && old && !block_activate(old, NULL))
        log_warn("%s: the image has been taken by another process", drive->id);
    return false;
}

static bool target_change_medium(void *opaque, size_t index, const struct qmp_medium *medium,
                                 struct err *err)
{
    struct domain *d = opaque;
    const struct config_drive *drive = &d->config->drives[index];
    if (!open_tray(d, index, false, err)) {
        if (medium->fd >= 0)
            close(medium->fd);
        return false;
    }
    struct block_config config = block_config_of(d, index);
    config.file = medium->file;
    config.fd = medium->fd;
    config.format = medium->format;
    config.read_only = drive->cdrom || (medium->retain ? drive->read_only : medium->read_only);
    struct block *b = block_open(d->loop, &config, err);
    if (!b)
        return false;
    if (!may_insert(d, index, b, err)) {
        block_close(b);
        return false;
    }
    set_medium(d, index, b);
    return true;
}

static bool target_resize(void *opaque, size_t index, uint64_t bytes, struct err *err)
{
    struct domain *d = opaque;
    return block_resize(d->blocks[index], bytes, err);
}

static bool target_set_limits(void *opaque, size_t index, const struct block_limits *limits,
                              struct err *err)
{
    struct domain *d = opaque;
    if (!block_set_limits(d->blocks[index], limits, err))
        return false;
    d->limits[index] = *limits;
    return true;
}

static bool target_pci(void *opaque, size_t index, struct qmp_pci_info *info)
{
    struct domain *d = opaque;
    for (unsigned devfn = 0; devfn < 256; devfn++) {
        const struct pci_device *p = pci_device_at(machine_pci(d->machine), (uint8_t)devfn);
        if (!p || index--)
            continue;
        *info = (struct qmp_pci_info){
            .qdev_id = "",
            .slot = devfn >> 3,
            .function = devfn & 7,
            .class_code = pci_get32(p->config + 8) >> 8,
            .vendor = pci_get16(p->config),
            .device = pci_get16(p->config + 2),
            .subsystem_vendor = pci_get16(p->config + 0x2C),
            .subsystem = pci_get16(p->config + 0x2E),
            .irq_pin = p->config[0x3D],
            .irq = p->config[0x3C],
        };
        for (unsigned n = 0; n < PCI_BAR_COUNT; n++) {
            const struct pci_bar *bar = &p->bars[n];
            if (bar->kind == PCI_BAR_NONE)
                continue;
            info->regions[info->region_count++] = (struct qmp_pci_region){
                .bar = n,
                .io = bar->kind == PCI_BAR_PORT,
                .prefetch =
                    n != PCI_BAR_ROM && (p->config[0x10 + 4 * n] & 8) && bar->kind != PCI_BAR_PORT,
                .address = bar->where,
                .size = bar->size,
            };
        }
        return true;
    }
    return false;
}

static bool target_vnc(void *opaque, struct qmp_vnc_info *info)
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

static bool target_set_vnc_password(void *opaque, const char *password, struct err *err)
{
    struct domain *d = opaque;
    if (!d->vnc)
        return err_set(err, "there is no VNC server");
    return d->screen->set_password(d->vnc, password, err);
}

/* ---- Opening and closing -----------------------------------------------------------------------
 */

static bool open_blocks(struct domain *d, struct err *err)
{
    for (size_t i = 0; i < d->config->drive_count; i++) {
        const struct config_drive *drive = &d->config->drives[i];
        if (drive->empty)
            continue;
        struct block_config config = block_config_of(d, i);
        d->blocks[i] = block_open(d->loop, &config, err);
        if (!d->blocks[i])
            return false;
    }
    /* Now, while a refusal still is a failed `xl create`, and not only when the guest is to run. */
    return d->config->start_paused || activate_blocks(d, err);
}

static bool open_serial(struct domain *d, struct err *err)
{
    for (size_t i = 0; i < d->config->serial_count; i++) {
        char label[32];
        if (d->config->serial_absent[i])
            continue;
        snprintf(label, sizeof(label), "serial%zu", i);
        d->serial[i] = chardev_open(d->loop, label, &d->config->serial[i], err);
        if (!d->serial[i])
            return false;
    }
    if (d->config->have_parallel)
        d->parallel = chardev_open(d->loop, "parallel0", &d->config->parallel, err);
    if (d->config->have_parallel && !d->parallel)
        return false;
    return true;
}

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

/* A guest that gives its emulated disks away must find them again. In our own back-end a real
 * guest's reads have been seen to hang (docs/pv-disks.md): until that is mended, only where none is
 * meant for us. */
static bool can_hand_over(struct domain *d)
{
    return !xenstore_has_devices(d->xenstore, "qdisk");
}

static bool open_backend(struct domain *d, struct err *err)
{
    const struct config *c = d->config;
    uint32_t emulated = 0;
    /* It opens images by name, as root: nothing for a run that is to be confined to its domain. */
    if (c->restricted || !c->platform_pci)
        return true;
    for (size_t i = 0; i < c->drive_count; i++)
        emulated |= disk_bit(&c->drives[i]);
    d->backend = backend_open(c->domid, emulated, c->seccomp, err);
    return d->backend != NULL;
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
        .power_off = guest_power_off,
        .reset = guest_reset,
        .suspend = guest_suspend,
        .unplug = can_hand_over(d) ? guest_unplug : NULL,
        .tray_moved = guest_moved_tray,
        .opaque = d,
    };
    memcpy(config.blocks, d->blocks, sizeof(config.blocks));
    config.parallel = d->parallel;
    memcpy(config.serial, d->serial, sizeof(config.serial));
    d->machine = machine_new(&config, err);
    if (!d->machine)
        return false;
    hv_attach(d->hv, machine_bus(d->machine), guest_time_offset, d);
    return true;
}

static bool serve_screen(struct domain *d, struct err *err)
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

/* Only what can be refused for what the configuration says. The rest, mostly the dynamic loader's
 * work, is done when the toolstack has been told that we are up, and has its own work to do. */
static bool open_screen(struct domain *d, struct err *err)
{
    const struct config *c = d->config;
    if (!c->vnc.enabled)
        return true;
    if (!vnc_module_find(err) || !vnc_listen_open(&d->listen, &c->vnc, err))
        return false;
    return (!c->keymap && !c->vnc.password) || serve_screen(d, err);
}

static bool open_monitors(struct domain *d, struct err *err)
{
    d->target = (struct qmp_target){
        .opaque = d,
        .name = d->config->name,
        .vcpus = d->config->max_vcpus,
        .run_state = target_run_state,
        .stop = target_stop,
        .cont = target_cont,
        .quit = target_quit,
        .reset = target_reset,
        .set_dirty_log = target_set_dirty_log,
        .chardev = target_chardev,
        .vnc = target_vnc,
        .set_vnc_password = target_set_vnc_password,
        .block = target_block,
        .eject = target_eject,
        .change_medium = target_change_medium,
        .resize = target_resize,
        .set_limits = target_set_limits,
        .pci = target_pci,
    };
    d->qmp = qmp_new(d->loop, &d->target, err);
    if (!d->qmp || !qmp_add_fds(d->qmp, d->config->fds, d->config->fd_count, err))
        return false;
    for (size_t i = 0; i < d->config->monitor_count; i++)
        if (!qmp_listen(d->qmp, &d->config->monitors[i], err))
            return false;
    return true;
}

static bool open_all(struct domain *d, struct err *err)
{
    const struct config *c = d->config;
    if (c->incoming_fd >= 0)
        return err_set(err, "-incoming: restoring a saved guest is not part of this version");
    /* First, while there is little memory that it would keep. */
    d->companion = companion_open(&companion_xen, c->domid, c->seccomp, d->loop, err);
    if (!d->companion || !open_backend(d, err))
        return false;
    if (!open_blocks(d, err) || !open_serial(d, err))
        return false;
    if (c->vga == CONFIG_VGA_STD &&
        !rom_load(&d->vga_rom, ROM_VGA_STD, (const char *const *)c->rom_dirs, c->rom_dir_count,
                  0x1234, 0x1111, err))
        return false;
    d->display = display_new(loop_clock(d->loop));
    d->input = input_new();
    if (!d->display || !d->input)
        return err_set(err, "out of memory");
    return open_screen(d, err) && open_hypervisor(d, err) && open_machine(d, err) &&
           open_monitors(d, err);
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
    deferred_init(&d->reset, tell_reset, d);
    deferred_init(&d->io_error, stop_for_error, d);
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
    if (target_vnc(d, &vnc) && !vnc.unix_path &&
        !xenstore_set_vnc(d->xenstore, vnc.host, (unsigned)strtoul(vnc.service, NULL, 10), err))
        return false;
    if (d->backend && !xenstore_offer_backend(d->xenstore, "qdisk", err))
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
    };
    /* First the ioreq server is enabled, so that no access is lost whoever lets the vCPUs go at
     * "running"; requests wait for the loop. What we say in xenstore is the last: libxl asks over
     * QMP too, and not before we answer. */
    if (!c->start_paused && !start(d, err))
        return false;
    if (!companion_ready(d->companion, err) || (d->backend && !backend_ready(d->backend, err)) ||
        !publish(d, err))
        return false;
    xenstore_close(d->xenstore);
    d->xenstore = NULL;
    if (!serve_screen(d, err) || !confine(&confinement, d->hv, err))
        return false;
    if (c->chroot_dir || c->run_as || c->seccomp)
        qmp_forget_paths(d->qmp);
    return true;
}

void domain_close(struct domain *d)
{
    if (!d)
        return;
    struct err err;
    if (d->running && !stop(d, &err))
        log_warn("%s", err.text);
    loop_undefer(d->loop, &d->io_error);
    loop_undefer(d->loop, &d->reset);
    qmp_free(d->qmp);
    if (d->vnc)
        d->screen->close(d->vnc);
    vnc_listen_close(&d->listen);
    machine_free(d->machine);
    hv_close(d->hv);
    backend_close(d->backend);
    companion_close(d->companion);
    xenstore_close(d->xenstore);
    display_free(d->display);
    input_free(d->input);
    if (d->keymap)
        d->screen->keymap_free(d->keymap);
    rom_free(&d->vga_rom);
    for (size_t i = 0; i < CONFIG_MAX_SERIAL; i++)
        chardev_close(d->serial[i]);
    chardev_close(d->parallel);
    for (size_t i = 0; i < d->config->drive_count; i++)
        block_close(d->blocks[i]);
    free(d);
}
