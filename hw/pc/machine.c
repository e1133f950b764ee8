/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * machine: see machine.h. Read machine_new from top to bottom to learn the PC. What a PC has and is
 * not here is Xen's: interrupt controllers, timers (PIT, HPET, PM timer), the RTC, the
 * configuration address latch, port 0x61.
 */
#include "hw/pc/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/core/bus.h"
#include "hw/core/dma.h"
#include "hw/core/log.h"
#include "hw/pc/ahci.h"
#include "hw/pc/cirrus.h"
#include "hw/pc/cmos.h"
#include "hw/pc/dma8237.h"
#include "hw/pc/e1000.h"
#include "hw/pc/fdc.h"
#include "hw/pc/i440fx.h"
#include "hw/pc/i8042.h"
#include "hw/pc/ne2000.h"
#include "hw/pc/nic.h"
#include "hw/pc/pcnet.h"
#include "hw/pc/parallel.h"
#include "hw/pc/piix3.h"
#include "hw/pc/piix3_ide.h"
#include "hw/pc/piix4_pm.h"
#include "hw/pc/platform.h"
#include "hw/pc/rtl8139.h"
#include "hw/pc/serial.h"
#include "hw/pc/uhci.h"
#include "hw/pc/usb_set.h"
#include "hw/pc/xhci.h"
#include "hw/pc/vga.h"
#include "hw/xen/hypervisor.h"

/* The outputs that drive ISA lines; two on one line are or-ed. */
enum isa_source {
    SOURCE_KEYBOARD,
    SOURCE_COM1,
    SOURCE_COM2,
    SOURCE_COM3,
    SOURCE_COM4,
    SOURCE_FLOPPY,
    SOURCE_PARALLEL,
    SOURCE_SCI,
    SOURCE_MOUSE,
    SOURCE_IDE0,
    SOURCE_IDE1,
    SOURCE_NIC, /* of the first ISA network card, and those that follow it */
    SOURCE_COUNT = SOURCE_NIC + CONFIG_MAX_NICS,
};
_Static_assert(SOURCE_COUNT <= 32, "each has a bit of machine.asserted");

static const uint8_t isa_line_of[SOURCE_NIC] = {
    [SOURCE_KEYBOARD] = 1, [SOURCE_COM1] = 4,   [SOURCE_COM2] = 3,     [SOURCE_COM3] = 4,
    [SOURCE_COM4] = 3,     [SOURCE_FLOPPY] = 6, [SOURCE_PARALLEL] = 7, [SOURCE_SCI] = 9,
    [SOURCE_MOUSE] = 12,   [SOURCE_IDE0] = 14,  [SOURCE_IDE1] = 15,
};

struct machine {
    struct machine_config config;
    struct bus *bus;
    struct dma *dma;
    struct pci_bus *pci;
    struct device_list devices;
    struct piix3_ide *ide;
    struct ahci *ahci;
    struct fdc *fdc;
    struct usb_set *usb;
    struct device *nics[CONFIG_MAX_NICS]; /* by index of config->nics */
    uint32_t asserted[16];                /* by ISA line: one bit per source */
};

static uint8_t isa_line(const struct machine *m, unsigned source)
{
    if (source < SOURCE_NIC)
        return isa_line_of[source];
    return (uint8_t)(m->config.config->nics[source - SOURCE_NIC].irq & 15);
}

static void isa_output(void *opaque, unsigned source, bool level)
{
    struct machine *m = opaque;
    uint8_t line = isa_line(m, source);
    uint32_t bit = 1u << source, before = m->asserted[line];
    if (level)
        m->asserted[line] |= bit;
    else
        m->asserted[line] &= ~bit;
    /* The same again is a push after a restore: it goes out whatever Xen thinks the level is. */
    if (!before != !m->asserted[line] || before == m->asserted[line])
        hv_isa_irq(m->config.hv, line, m->asserted[line] != 0);
}

static void connect_line(struct machine *m, struct irq *irq, enum isa_source source)
{
    irq_init(irq, isa_output, m, source);
}

static void power_off(void *opaque)
{
    struct machine *m = opaque;
    m->config.power_off(m->config.opaque);
}

static void reset_line(void *opaque)
{
    struct machine *m = opaque;
    m->config.reset(m->config.opaque);
}

static void suspend(void *opaque)
{
    struct machine *m = opaque;
    m->config.suspend(m->config.opaque);
}

static void tray_moved(struct machine *m, bool ahci, unsigned place, bool open)
{
    const struct config *config = m->config.config;
    for (size_t i = 0; i < config->drive_count; i++) {
        const struct config_drive *d = &config->drives[i];
        if (!d->floppy && d->ahci == ahci && (ahci ? d->ahci_port : d->ide_unit) == place)
            m->config.tray_moved(m->config.opaque, i, open);
    }
}

static void ide_tray_moved(void *opaque, unsigned unit, bool open)
{
    tray_moved(opaque, false, unit, open);
}

static void ahci_tray_moved(void *opaque, unsigned port, bool open)
{
    tray_moved(opaque, true, port, open);
}

static struct ide_drive_config drive_config(const struct machine *m, size_t index)
{
    static const enum ide_translation translations[] = {
        [CONFIG_CHS_AUTO] = IDE_TRANSLATION_AUTO,   [CONFIG_CHS_NONE] = IDE_TRANSLATION_NONE,
        [CONFIG_CHS_LBA] = IDE_TRANSLATION_LBA,     [CONFIG_CHS_LARGE] = IDE_TRANSLATION_LARGE,
        [CONFIG_CHS_RECHS] = IDE_TRANSLATION_RECHS,
    };
    const struct config_drive *d = &m->config.config->drives[index];
    return (struct ide_drive_config){
        .present = true,
        .cdrom = d->cdrom,
        .block = m->config.blocks[index],
        .serial = d->serial,
        .model = d->model,
        .firmware = d->version,
        .wwn = d->wwn,
        .cyls = d->cyls,
        .heads = d->heads,
        .secs = d->secs,
        .translation = translations[d->chs_translation],
        .logical_block = d->logical_block_size,
        .physical_block = d->physical_block_size,
        .no_trim = d->no_trim,
        .discard_granularity = d->discard_granularity,
        .discard = d->discard,
    };
}

static bool add_ide(struct machine *m, struct err *err)
{
    const struct config *config = m->config.config;
    struct piix3_ide_config ide = {.tray_moved = ide_tray_moved, .opaque = m};
    for (size_t i = 0; i < config->drive_count; i++)
        if (!config->drives[i].floppy && !config->drives[i].ahci)
            ide.drive[config->drives[i].ide_unit] = drive_config(m, i);
    m->ide = piix3_ide_realize(m->pci, m->bus, m->dma, m->config.clock, &m->devices, &ide, err);
    if (!m->ide)
        return false;
    connect_line(m, piix3_ide_irq(m->ide, 0), SOURCE_IDE0);
    connect_line(m, piix3_ide_irq(m->ide, 1), SOURCE_IDE1);
    return true;
}

static bool add_ahci(struct machine *m, unsigned slot, struct err *err)
{
    const struct config *config = m->config.config;
    struct ahci_config ahci = {
        .devfn = PCI_DEVFN(slot, 0), .tray_moved = ahci_tray_moved, .opaque = m};
    for (size_t i = 0; i < config->drive_count; i++)
        if (config->drives[i].ahci)
            ahci.drive[config->drives[i].ahci_port] = drive_config(m, i);
    m->ahci = ahci_realize(m->pci, m->dma, m->config.clock, &m->devices, &ahci, err);
    return m->ahci != NULL;
}

static bool add_power_management(struct machine *m, struct err *err)
{
    const struct config *config = m->config.config;
    struct piix4_pm_config pm = {
        .vcpus = config->vcpus,
        .serial = {m->config.serial[0] != NULL, m->config.serial[1] != NULL},
        .power_off = power_off,
        .suspend = suspend,
        .opaque = m,
    };
    struct piix4_pm *d = piix4_pm_realize(m->pci, m->bus, &m->devices, &pm, err);
    if (!d)
        return false;
    connect_line(m, piix4_pm_sci(d), SOURCE_SCI);
    return true;
}

/* The ports of a new controller; 0: *err. */
static unsigned new_usb_host(struct machine *m, const struct config_usb_controller *what,
                             uint8_t devfn, struct usb_port *ports[USB_MAX_ROOT_PORTS],
                             struct err *err)
{
    unsigned bus = usb_set_buses(m->usb), count = 0;
    if (what->host == CONFIG_UHCI) {
        struct uhci *u =
            uhci_realize(m->pci, m->dma, m->config.clock, &m->devices, devfn, bus, err);
        for (; u && count < UHCI_PORTS; count++)
            ports[count] = uhci_port(u, count);
        return count;
    }
    const struct xhci_config config = {
        .devfn = devfn,
        .nec = what->host == CONFIG_XHCI_NEC,
        .usb2 = what->usb2 ? what->usb2 : XHCI_DEFAULT_PORTS,
        .usb3 = what->usb3 ? what->usb3 : XHCI_DEFAULT_PORTS,
        .bus = bus,
    };
    struct xhci *x = xhci_realize(m->pci, m->dma, m->config.clock, &m->devices, &config, err);
    for (; x && count < config.usb2; count++)
        ports[count] = xhci_port(x, count);
    return count;
}

/* A controller, whose bus is called id.0, or, without one, by the next free number. */
static bool add_usb_host(struct machine *m, const struct config_usb_controller *what, uint8_t devfn,
                         unsigned *unnamed, struct err *err)
{
    char name[64];
    struct usb_port *ports[USB_MAX_ROOT_PORTS];
    unsigned count = new_usb_host(m, what, devfn, ports, err);
    if (!count)
        return false;
    if (what->id)
        snprintf(name, sizeof(name), "%.56s.0", what->id);
    else
        snprintf(name, sizeof(name), "usb-bus.%u", (*unnamed)++);
    return usb_set_add_bus(m->usb, name, ports, count, err);
}

/* The lowest free slot, as the stock machine chooses. 32: there is none. */
static unsigned free_slot(struct machine *m)
{
    unsigned slot = 2;
    while (slot < 32 && pci_device_at(m->pci, PCI_DEVFN(slot, 0)))
        slot++;
    return slot;
}

/* Where a card of the argument line is. */
static bool place_card(struct machine *m, bool placed, uint8_t said, uint8_t *devfn,
                       struct err *err)
{
    unsigned slot = free_slot(m);
    if (!placed && slot == 32)
        return err_set(err, "there are more cards than PCI slots");
    *devfn = placed ? said : PCI_DEVFN(slot, 0);
    return true;
}

static struct device *new_ne2k_isa(struct machine *m, size_t index, const struct nic_config *nic,
                                   struct net *net, struct err *err)
{
    struct ne2000_isa_config config = {
        .iobase = (uint16_t)m->config.config->nics[index].iobase,
        .instance = nic->instance,
    };
    memcpy(config.mac, nic->mac, sizeof(config.mac));
    struct ne2000_isa *d = ne2000_isa_realize(m->bus, &m->devices, &config, net, err);
    if (!d)
        return NULL;
    connect_line(m, &d->irq, SOURCE_NIC + (unsigned)index);
    return &d->device;
}

/* A network card: each model's realize function, and its line if it is an ISA card (SOURCE_NIC +
 * index). NULL: *err. */
static struct device *new_nic(struct machine *m, size_t index, const struct nic_config *nic,
                              struct net *net, struct err *err)
{
    const struct config_nic *c = &m->config.config->nics[index];
    switch (c->model) {
    case CONFIG_NE2K_ISA:
        return new_ne2k_isa(m, index, nic, net, err);
    case CONFIG_NE2K_PCI:
        return (struct device *)ne2000_pci_realize(m->pci, m->dma, m->config.clock, &m->devices,
                                                   nic, net, err);
    case CONFIG_PCNET:
        return (struct device *)pcnet_realize(m->pci, m->dma, m->config.clock, &m->devices, nic,
                                              net, err);
    case CONFIG_RTL8139:
        return (struct device *)(c->no_cplus ? rtl8139c_realize : rtl8139_realize)(
            m->pci, m->dma, m->config.clock, &m->devices, nic, net, err);
    case CONFIG_E1000:
        return (struct device *)e1000_realize(m->pci, m->dma, m->config.clock, &m->devices, nic,
                                              net, err);
    case CONFIG_E1000_82545EM:
        return (struct device *)e1000_82545em_realize(m->pci, m->dma, m->config.clock, &m->devices,
                                                      nic, net, err);
    }
    err_set(err, "network card %s: this model is not part of this version",
            c->id ? c->id : nic->instance);
    return NULL;
}

static bool add_nic(struct machine *m, size_t index, struct err *err)
{
    static const char *const instances[CONFIG_MAX_NICS] = {"0", "1", "2", "3", "4", "5", "6", "7"};
    const struct config_nic *c = &m->config.config->nics[index];
    struct nic_config nic = {
        .instance = instances[index],
        .rom = m->config.nic_roms[index],
        .rom_len = m->config.nic_rom_lens[index],
    };
    memcpy(nic.mac, c->mac, sizeof(nic.mac));
    if (c->model != CONFIG_NE2K_ISA && !place_card(m, c->placed, c->devfn, &nic.devfn, err))
        return false;
    m->nics[index] = new_nic(m, index, &nic, m->config.nets[index], err);
    return m->nics[index] != NULL;
}

/* The cards that the argument line names, in its order: USB controllers and network cards. */
static bool add_cards(struct machine *m, unsigned *unnamed, struct err *err)
{
    const struct config *config = m->config.config;
    for (size_t usb = 0, nic = 0; usb < config->usb_controller_count || nic < config->nic_count;) {
        const struct config_usb_controller *u =
            usb < config->usb_controller_count ? &config->usb_controllers[usb] : NULL;
        if (u && (nic == config->nic_count || u->order <= config->nics[nic].order)) {
            uint8_t devfn = 0;
            if (!place_card(m, u->placed, u->devfn, &devfn, err) ||
                !add_usb_host(m, u, devfn, unnamed, err))
                return false;
            usb++;
        } else if (!add_nic(m, nic++, err)) {
            return false;
        }
    }
    return true;
}

/* The PIIX3's controller, the cards, then what is plugged into USB. */
static bool add_usb_and_cards(struct machine *m, struct err *err)
{
    const struct config *config = m->config.config;
    unsigned unnamed = 0;
    const struct config_usb_controller piix3 = {.host = CONFIG_UHCI};
    if (config->usb && !add_usb_host(m, &piix3, PCI_DEVFN(1, 2), &unnamed, err))
        return false;
    if (!add_cards(m, &unnamed, err))
        return false;
    for (size_t i = 0; i < config->usb_device_count; i++)
        if (!usb_set_plug(m->usb, &config->usb_devices[i], err))
            return false;
    return true;
}

static bool add_platform(struct machine *m, struct err *err)
{
    struct platform_config platform = {
        .devfn = PCI_DEVFN(2, 0),
        .unplug = m->config.unplug,
        .opaque = m->config.opaque,
    };
    return platform_realize(m->pci, m->bus, &m->devices, &platform, err) != NULL;
}

static bool add_vga(struct machine *m, unsigned slot, struct err *err)
{
    const struct machine_config *c = &m->config;
    enum config_switch said = c->config->vga_edid;
    bool edid = said == CONFIG_DEFAULT ? !c->config->platform_pci : said == CONFIG_ON;
    struct vga_config vga = {
        .devfn = PCI_DEVFN(slot, 0),
        .memory = (uint32_t)c->config->vga_mib << 20,
        .xres = edid ? c->config->vga_xres : 0,
        .yres = edid ? c->config->vga_yres : 0,
        .rom = c->vga_rom,
        .rom_len = c->vga_rom_len,
    };
    return vga_realize(m->pci, m->bus, c->hv, c->clock, c->display, &m->devices, &vga, err) != NULL;
}

static bool add_cirrus(struct machine *m, unsigned slot, struct err *err)
{
    const struct machine_config *c = &m->config;
    struct cirrus_config cirrus = {
        .devfn = PCI_DEVFN(slot, 0), .rom = c->vga_rom, .rom_len = c->vga_rom_len};
    return cirrus_realize(m->pci, m->bus, c->hv, c->clock, c->display, &m->devices, &cirrus, err) !=
           NULL;
}

static bool add_keyboard(struct machine *m, struct err *err)
{
    struct i8042_config config = {.reset = reset_line, .opaque = m};
    struct i8042 *d =
        i8042_realize(m->bus, m->config.clock, &m->devices, m->config.input, &config, err);
    if (!d)
        return false;
    connect_line(m, &d->kbd_irq, SOURCE_KEYBOARD);
    connect_line(m, &d->mouse_irq, SOURCE_MOUSE);
    return true;
}

static bool add_serial(struct machine *m, struct err *err)
{
    for (unsigned i = 0; i < CONFIG_MAX_SERIAL; i++) {
        const struct config *config = m->config.config;
        if (i >= config->serial_count || config->serial_absent[i])
            continue;
        struct serial_config serial = {.index = i};
        struct serial *d =
            serial_realize(m->bus, m->config.clock, &m->devices, &serial, m->config.serial[i], err);
        if (!d)
            return false;
        connect_line(m, &d->irq, SOURCE_COM1 + i);
    }
    return true;
}

static bool add_parallel(struct machine *m, struct err *err)
{
    if (!m->config.parallel)
        return true;
    struct parallel *d = parallel_realize(m->bus, &m->devices, m->config.parallel, err);
    if (!d)
        return false;
    connect_line(m, &d->irq, SOURCE_PARALLEL);
    return true;
}

static bool add_floppy(struct machine *m, struct err *err)
{
    const struct config *config = m->config.config;
    struct fdc_drive_config drives[FDC_UNITS] = {{0}};
    struct dma8237 *dma = dma8237_realize(m->bus, m->dma, &m->devices, err);
    if (!dma)
        return false;
    for (size_t i = 0; i < config->drive_count; i++)
        if (config->drives[i].floppy)
            drives[config->drives[i].floppy_unit] = (struct fdc_drive_config){
                .present = true,
                .type = (enum fdc_drive_type)config->drives[i].floppy_type,
                .block = m->config.blocks[i],
            };
    m->fdc = fdc_realize(m->bus, dma, m->config.clock, &m->devices, drives, err);
    if (!m->fdc)
        return false;
    connect_line(m, &m->fdc->irq, SOURCE_FLOPPY);
    return true;
}

static bool add_cmos(struct machine *m, struct err *err)
{
    const struct config *config = m->config.config;
    uint64_t below =
        config->ram_bytes < config->below_4g_end ? config->ram_bytes : config->below_4g_end;
    struct cmos_config cmos = {
        .ram_below_4g = below,
        .ram_above_4g = config->ram_bytes - below,
        .vcpus = config->vcpus,
        .boot_order = config->boot_order,
        .floppy = {(enum cmos_floppy)fdc_drive_type(m->fdc, 0),
                   (enum cmos_floppy)fdc_drive_type(m->fdc, 1)},
    };
    for (unsigned unit = 0; unit < CMOS_DISKS; unit++) {
        struct ide_geometry g;
        ide_drive_geometry(m->ide, unit, &g);
        cmos.disk[unit] = (struct cmos_disk){
            .cylinders = g.cylinders,
            .heads = g.heads,
            .sectors = g.sectors,
            .translation = (uint8_t)(g.translation ? g.translation - IDE_TRANSLATION_NONE : 0),
        };
    }
    return cmos_realize(m->bus, &m->devices, &cmos, err) != NULL;
}

static bool build(struct machine *m, struct err *err)
{
    const struct config *config = m->config.config;

    /* PCI: 00:00.0 host bridge, 00:01.x PIIX, then the cards in the order that guests know. */
    struct i440fx *bridge = i440fx_realize(m->pci, m->bus, &m->devices, err);
    struct piix3 *piix3 =
        bridge ? piix3_realize(m->pci, m->config.hv, &m->devices, reset_line, m, err) : NULL;
    if (!piix3)
        return false;
    i440fx_pass_on(bridge, 1, &piix3_reset_control_ops, piix3);
    if (!add_ide(m, err) || !add_power_management(m, err))
        return false;
    if (config->platform_pci && !add_platform(m, err))
        return false;
    if (config->vga == CONFIG_VGA_STD && !add_vga(m, free_slot(m), err))
        return false;
    if (config->vga == CONFIG_VGA_CIRRUS && !add_cirrus(m, free_slot(m), err))
        return false;
    if (!add_usb_and_cards(m, err))
        return false;
    if (config->ahci && !add_ahci(m, free_slot(m), err)) /* the last card of libxl's line */
        return false;

    /* ISA */
    return add_keyboard(m, err) && add_serial(m, err) && add_parallel(m, err) &&
           add_floppy(m, err) && add_cmos(m, err);
}

struct machine *machine_new(const struct machine_config *config, struct err *err)
{
    struct machine *m = calloc(1, sizeof(*m));
    if (!m) {
        err_set(err, "out of memory");
        return NULL;
    }
    m->config = *config;
    m->bus = bus_new(config->hv);
    m->dma = m->bus ? dma_new(config->hv) : NULL;
    m->pci = m->dma ? pci_bus_new(m->bus, config->hv) : NULL;
    m->usb = m->pci ? usb_set_new(config->clock, config->input, &m->devices) : NULL;
    if (!m->usb) {
        err_set(err, "out of memory");
        machine_free(m);
        return NULL;
    }
    if (!build(m, err)) {
        machine_free(m);
        return NULL;
    }
    machine_reset(m);
    return m;
}

void machine_free(struct machine *m)
{
    if (!m)
        return;
    devices_destroy(&m->devices);
    usb_set_free(m->usb);
    pci_bus_free(m->pci);
    dma_free(m->dma);
    bus_free(m->bus);
    free(m);
}

struct bus *machine_bus(struct machine *m)
{
    return m->bus;
}

struct pci_bus *machine_pci(struct machine *m)
{
    return m->pci;
}

struct device_list *machine_devices(struct machine *m)
{
    return &m->devices;
}

struct piix3_ide *machine_ide(struct machine *m)
{
    return m->ide;
}

struct fdc *machine_fdc(struct machine *m)
{
    return m->fdc;
}

struct usb_set *machine_usb(struct machine *m)
{
    return m->usb;
}

bool machine_add_usb_host(struct machine *m, const struct config_usb_controller *what,
                          struct err *err)
{
    unsigned slot = free_slot(m), unnamed = 0;
    if (pci_bus_in_use(m->pci))
        return err_set(err, "a USB controller can only be added before the guest starts");
    if (slot == 32 || usb_set_buses(m->usb) == USB_MAX_BUSES)
        return err_set(err, "there is no room for another USB controller");
    struct device *last = m->devices.last;
    if (!add_usb_host(m, what, PCI_DEVFN(slot, 0), &unnamed, err)) {
        if (m->devices.last != last) { /* it is there, but its name is taken */
            struct device *d = m->devices.last;
            device_remove(&m->devices, d);
            d->class->destroy(d);
        }
        return false;
    }
    device_reset(m->devices.last);
    return true;
}

struct ahci *machine_ahci(struct machine *m)
{
    return m->ahci;
}

struct block *machine_set_medium(struct machine *m, size_t index, struct block *block)
{
    const struct config_drive *d = &m->config.config->drives[index];
    return d->ahci ? ahci_drive_set_medium(m->ahci, d->ahci_port, block)
                   : ide_drive_set_medium(m->ide, d->ide_unit, block);
}

bool machine_tray_eject(struct machine *m, size_t index, bool force)
{
    const struct config_drive *d = &m->config.config->drives[index];
    return d->ahci ? ahci_tray_eject(m->ahci, d->ahci_port, force)
                   : ide_tray_eject(m->ide, d->ide_unit, force);
}

bool machine_tray_locked(struct machine *m, size_t index)
{
    const struct config_drive *d = &m->config.config->drives[index];
    return d->ahci ? ahci_tray_locked(m->ahci, d->ahci_port) : ide_tray_locked(m->ide, d->ide_unit);
}

bool machine_tray_open(struct machine *m, size_t index)
{
    const struct config_drive *d = &m->config.config->drives[index];
    return d->ahci ? ahci_tray_open(m->ahci, d->ahci_port) : ide_tray_open(m->ide, d->ide_unit);
}

void machine_unplug_disks(struct machine *m)
{
    ide_unplug_disks(m->ide);
    if (m->ahci)
        ahci_unplug_disks(m->ahci);
}

bool machine_unplug_nics(struct machine *m)
{
    const struct config *config = m->config.config;
    bool any = false;
    for (size_t i = 0; i < config->nic_count; i++) {
        struct pci_device *d = (struct pci_device *)m->nics[i];
        if (!d || config->nics[i].model == CONFIG_NE2K_ISA || d->hidden)
            continue;
        device_reset(&d->device); /* its timers, too */
        pci_device_hide(d);
        net_attach_nic(m->config.nets[i], NULL, NULL);
        any = true;
    }
    return any;
}

bool machine_nic_place(const struct machine *m, size_t index, uint8_t *devfn)
{
    const struct pci_device *d = (const struct pci_device *)m->nics[index];
    if (!d || m->config.config->nics[index].model == CONFIG_NE2K_ISA || d->hidden)
        return false;
    *devfn = d->devfn;
    return true;
}

void machine_reset(struct machine *m)
{
    devices_reset(&m->devices);
}
