/* SPDX-License-Identifier: GPL-2.0-or-later */
/* domain_target: what the monitors may ask of the domain. */
#include "domain_int.h"

#include <stdio.h>

#include <string.h>

#include "hw/core/bus.h"
#include "hw/core/log.h"
#include "hw/core/loop.h"
#include "hw/pc/machine.h"
#include "hw/pc/pci.h"
#include "hw/pc/usb_set.h"
#include "hw/xen/hypervisor.h"
#include "toolstack/hmp.h"

static enum qmp_run_state target_run_state(void *opaque)
{
    return ((struct domain *)opaque)->state;
}

static bool target_stop(void *opaque, struct err *err)
{
    struct domain *d = opaque;
    bool was_running = d->running, ok = domain_stop(d, err);
    if (was_running)
        qmp_event(d->qmp, "STOP");
    return ok;
}

static bool target_cont(void *opaque, struct err *err)
{
    struct domain *d = opaque;
    if (d->running)
        return true;
    if (!domain_run(d, err))
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

void domain_tell_reset(void *opaque)
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

static bool target_pci(void *opaque, size_t index, struct qmp_pci_info *info)
{
    struct domain *d = opaque;
    for (unsigned devfn = 0; devfn < 256; devfn++) {
        const struct pci_device *p = pci_device_at(machine_pci(d->machine), (uint8_t)devfn);
        if (!p || index--)
            continue;
        *info = (struct qmp_pci_info){
            .qdev_id = domain_pci_id(d, (uint8_t)devfn),
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

static bool target_wakeup(void *opaque, struct err *err)
{
    struct domain *d = opaque;
    return hv_wake_s3(d->hv, err);
}

static bool target_press_power(void *opaque, struct err *err)
{
    struct domain *d = opaque;
    return hv_press_power(d->hv, err);
}

static bool target_read_memory(void *opaque, uint64_t addr, void *buf, size_t len)
{
    struct domain *d = opaque;
    uint8_t *to = buf;
    while (len) {
        size_t n = len;
        uint8_t *from = hv_mem_map(d->hv, addr, &n);
        if (!from)
            return false;
        n = n < len ? n : len;
        memcpy(to, from, n);
        hv_mem_unmap(d->hv, from, n);
        addr += n;
        to += n;
        len -= n;
    }
    return true;
}

static bool target_paging(void *opaque, struct hv_paging *paging, struct err *err)
{
    struct domain *d = opaque;
    return hv_get_paging(d->hv, paging, err);
}

static bool target_io_range(void *opaque, size_t index, struct qmp_io_range *range)
{
    struct domain *d = opaque;
    const struct io_region *r = bus_region(machine_bus(d->machine), index);
    if (!r)
        return false;
    *range = (struct qmp_io_range){.name = r->name,
                                   .memory = r->space == IO_MEMORY,
                                   .first = r->first,
                                   .last = r->first + (r->size - 1)};
    return true;
}

static bool target_memory(void *opaque, struct qmp_memory_info *info)
{
    struct domain *d = opaque;
    const struct config *c = d->config;
    *info = (struct qmp_memory_info){
        .ram_bytes = c->ram_bytes,
        .below_4g_end = c->below_4g_end,
        .vram_bytes = c->vga == CONFIG_VGA_NONE ? 0 : (uint64_t)c->vga_mib << 20,
        .vram_at = hv_vram_where(d->hv),
    };
    return true;
}

static bool target_ioreq_stats(void *opaque, struct hv_ioreq_stats *stats)
{
    struct domain *d = opaque;
    hv_ioreq_stats(d->hv, stats);
    return true;
}

/* Whoever reaches the guest's console types into a monitor of kind vc. */
static bool is_on_screen(const struct config *c, const struct chardev_config *stream)
{
    if (stream->kind == CHARDEV_MUX)
        stream = &c->muxes[stream->mux].chardev;
    return stream->kind == CHARDEV_VC;
}

static bool open_human_monitors(struct domain *d, struct err *err)
{
    const struct config *c = d->config;
    struct err why;
    for (size_t i = 0; i < c->hmp_count; i++) {
        if (c->hmps[i].chardev.kind == CHARDEV_NULL)
            continue;
        if (c->hmps[i].privileged && is_on_screen(c, &c->hmps[i].chardev))
            return err_set(err, "-mon: privileged=on: not for a monitor on the guest's screen, "
                                "whose viewers would have it; use a socket");
        d->hmp_consoles[i] = hmp_console_open(d->qmp, d->hmps[i], c->hmps[i].privileged, &why);
        if (!d->hmp_consoles[i])
            return err_set(err, "-monitor: %s", why.text);
    }
    return true;
}

void domain_close_monitors(struct domain *d)
{
    for (size_t i = 0; i < CONFIG_MAX_HMPS; i++)
        hmp_console_close(d->hmp_consoles[i]);
    qmp_free(d->qmp);
}

static bool target_usb(void *opaque, size_t index, char *text, size_t size)
{
    struct domain *d = opaque;
    struct usb_info info;
    if (!usb_set_info(machine_usb(d->machine), (unsigned)index, &info))
        return false;
    snprintf(text, size, "Device %u.%u, Port %s, Speed %s Mb/s, Product %s%s%s%s", info.bus,
             info.address, info.path, info.low_speed ? "1.5" : "12", info.product,
             info.id ? ", ID: " : "", info.id ? info.id : "",
             info.configured ? "" : " (not set up by the guest)");
    return true;
}

static bool target_usb_plug(void *opaque, const struct config_usb_device *what, struct err *err)
{
    struct domain *d = opaque;
    return usb_set_plug(machine_usb(d->machine), what, err);
}

static bool target_usb_unplug(void *opaque, const char *id, struct err *err)
{
    struct domain *d = opaque;
    return usb_set_unplug(machine_usb(d->machine), id, err);
}

static bool target_usb_add_controller(void *opaque, const struct config_usb_controller *what,
                                      struct err *err)
{
    struct domain *d = opaque;
    return machine_add_usb_host(d->machine, what, err);
}

bool domain_open_monitors(struct domain *d, struct err *err)
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
        .chardev = domain_chardev_info,
        .vnc = domain_vnc_info,
        .set_vnc_password = domain_set_vnc_password,
        .expire_vnc_password = domain_expire_vnc_password,
        .block = domain_block_info,
        .eject = domain_eject,
        .change_medium = domain_change_medium,
        .resize = domain_resize,
        .resize_pv = domain_resize_pv,
        .set_limits = domain_set_limits,
        .pci = target_pci,
        .net = domain_net_info,
        .set_link = domain_set_link,
        .announce = domain_announce_as,
        .capturing = domain_capturing,
        .capture = domain_capture,
        .end_capture = domain_end_capture,
        .input = d->input,
        .display = d->display,
        .wakeup = target_wakeup,
        .press_power = target_press_power,
        .commit = domain_commit,
        .read_memory = target_read_memory,
        .paging = target_paging,
        .io_range = target_io_range,
        .memory = target_memory,
        .ioreq_stats = target_ioreq_stats,
        .usb = target_usb,
        .usb_plug = target_usb_plug,
        .usb_unplug = target_usb_unplug,
        .usb_add_controller = target_usb_add_controller,
    };
    d->qmp = qmp_new(d->loop, &d->target, err);
    if (!d->qmp || !qmp_add_fds(d->qmp, d->config->fds, d->config->fd_count, err))
        return false;
    for (size_t i = 0; i < d->config->monitor_count; i++)
        if (!qmp_listen(d->qmp, &d->config->monitors[i], err))
            return false;
    return open_human_monitors(d, err);
}
