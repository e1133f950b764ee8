/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * piix4_pm: see piix4_pm.h. Of the power management block at PMBA, PM1 status and enable and the
 * timer are Xen's own (public/hvm/ioreq.h, ACPI locations V1); PM1 control is ours: sleep and
 * power-off. The general purpose event block stands where Xen's ACPI tables say, not at PMBA + 0Ch.
 */
#include "hw/pc/piix4_pm.h"

#include <stdlib.h>

#include "hw/core/log.h"

#define REG_PMBA      0x40
#define REG_PMREGMISC 0x80
#define PMIOSE        0x01
#define PM1_CONTROL   4      /* offset from PMBA */
#define GPE0_BLOCK    0xAFE0 /* ACPI_GPE0_BLK_ADDRESS_V1: 2 bytes status, 2 bytes enable */
#define CPU_MAP       0xAF00 /* one bit per vCPU that is online, read by the CPU hot-plug methods */
#define CPU_MAP_BYTES 32

/* PM1 control: PMCNTRL of 290562 */
#define SCI_EN     0x0001
#define SLP_EN     0x2000
#define SLP_TYP(v) ((v) >> 10 & 7)
/* The sleep types that Xen's DSDT names (tools/libacpi: \_S3, \_S4, \_S5). */
#define SLP_S5 0
#define SLP_S3 1
#define SLP_S4 6

struct piix4_pm {
    struct pci_device pci;
    struct bus *bus;
    struct irq sci;
    struct piix4_pm_config config;
    struct io_region control_region, gpe_region, cpu_region;
    uint16_t pm1_control;
    uint8_t gpe_status[2], gpe_enable[2];
    uint8_t cpu_map[CPU_MAP_BYTES];
};

static const struct state_field fields[] = {
    STATE_PCI(struct piix4_pm),
    /* No SMI command exists that could turn ACPI mode on (FADT SMI_CMD is 0): it is on from the
       start. */
    STATE_UINT(struct piix4_pm, pm1_control, .reset = SCI_EN),
    STATE_ARRAY(struct piix4_pm, gpe_status),
    STATE_ARRAY(struct piix4_pm, gpe_enable),
    STATE_ARRAY(struct piix4_pm, cpu_map, .keep_on_reset = true),
    STATE_FIELDS_END,
};

static void update_sci(struct piix4_pm *pm)
{
    irq_set(&pm->sci,
            (pm->gpe_status[0] & pm->gpe_enable[0]) || (pm->gpe_status[1] & pm->gpe_enable[1]));
}

static void update_base(struct piix4_pm *pm)
{
    const uint8_t *c = pm->pci.config;
    uint32_t base = pci_get32(c + REG_PMBA) & 0xFFC0;
    bool on = (c[REG_PMREGMISC] & PMIOSE) && base;
    struct io_region *r = &pm->control_region;
    if (on && r->mapped && r->first == base + PM1_CONTROL)
        return;
    bus_unmap(pm->bus, r);
    struct err err;
    if (on && !bus_map(pm->bus, r, IO_PORT, base + PM1_CONTROL, 2, &err))
        guest_error("piix4_pm", "%s", err.text);
}

static void config_written(struct pci_device *d, unsigned reg, unsigned width)
{
    bool pmba = reg < REG_PMBA + 4 && reg + width > REG_PMBA;
    if (pmba || (reg <= REG_PMREGMISC && reg + width > REG_PMREGMISC))
        update_base((struct piix4_pm *)d);
}

static uint64_t control_read(void *opaque, uint64_t offset, unsigned width)
{
    const struct piix4_pm *pm = opaque;
    (void)width;
    return pm->pm1_control >> (8 * offset);
}

static void sleep_now(struct piix4_pm *pm)
{
    switch (SLP_TYP(pm->pm1_control)) {
    case SLP_S5:
    case SLP_S4:
        pm->config.power_off(pm->config.opaque);
        break;
    case SLP_S3:
        pm->config.suspend(pm->config.opaque);
        break;
    default:
        guest_error("piix4_pm", "sleep type %u is none of S3, S4, S5", SLP_TYP(pm->pm1_control));
    }
}

static void control_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct piix4_pm *pm = opaque;
    if (width == 2) {
        pm->pm1_control = (uint16_t)value & ~SLP_EN;
    } else if (offset) {
        pm->pm1_control =
            (uint16_t)((pm->pm1_control & 0x00FF) | (value & 0xFF) << 8) & (uint16_t)~SLP_EN;
    } else {
        pm->pm1_control = (uint16_t)((pm->pm1_control & 0xFF00) | (value & 0xFF));
        return; /* SLP_EN is in the other byte */
    }
    if ((width == 2 ? value : value << 8) & SLP_EN)
        sleep_now(pm);
}

static uint64_t gpe_read(void *opaque, uint64_t offset, unsigned width)
{
    const struct piix4_pm *pm = opaque;
    (void)width;
    return offset < 2 ? pm->gpe_status[offset] : pm->gpe_enable[offset - 2];
}

static void gpe_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct piix4_pm *pm = opaque;
    (void)width;
    if (offset < 2)
        pm->gpe_status[offset] &= (uint8_t)~value; /* ACPI 4.8.4.1.1: written ones clear */
    else
        pm->gpe_enable[offset - 2] = (uint8_t)value;
    update_sci(pm);
}

static uint64_t cpu_read(void *opaque, uint64_t offset, unsigned width)
{
    const struct piix4_pm *pm = opaque;
    (void)width;
    return pm->cpu_map[offset];
}

static const struct io_ops control_ops = {
    .widths = 1 | 2, .read = control_read, .write = control_write};
static const struct io_ops gpe_ops = {.widths = 1, .read = gpe_read, .write = gpe_write};
static const struct io_ops cpu_ops = {.widths = 1, .read = cpu_read};

static void reset(struct device *d)
{
    struct piix4_pm *pm = (struct piix4_pm *)d;
    pci_device_reset(&pm->pci);
    update_base(pm);
    update_sci(pm);
}

static bool post_load(struct device *d, struct err *err)
{
    struct piix4_pm *pm = (struct piix4_pm *)d;
    (void)err;
    pci_device_loaded(&pm->pci);
    update_base(pm);
    update_sci(pm);
    irq_push(&pm->sci);
    return true;
}

static void destroy(struct device *d)
{
    struct piix4_pm *pm = (struct piix4_pm *)d;
    bus_unmap(pm->bus, &pm->control_region);
    bus_unmap(pm->bus, &pm->gpe_region);
    bus_unmap(pm->bus, &pm->cpu_region);
    pci_device_destroy(&pm->pci);
    free(pm);
}

static const struct device_class class = {
    .name = "piix4_pm",
    .version = 1,
    .state = fields,
    .reset = reset,
    .post_load = post_load,
    .destroy = destroy,
};

static void config_space(struct piix4_pm *pm)
{
    uint8_t *c = pm->pci.config, *w = pm->pci.writable;
    pci_set16(c + 0x06, 0x0280); /* PCISTS: fast back-to-back, medium DEVSEL */
    pci_set32(c + REG_PMBA, 0x00000001);
    pci_set32(w + REG_PMBA, 0x0000FFC0);
    for (unsigned reg = 0x44; reg < 0x80;
         reg++) /* timers and device monitors: kept, of no effect */
        w[reg] = 0xFF;
    w[REG_PMREGMISC] = PMIOSE;
    pci_set32(c + 0x90, 0x00000001); /* SMBBA: no SMBus host controller behind it */
    pci_set32(w + 0x90, 0x0000FFF0);
    w[0xD2] = 0x0F;
    /* DEVRESx: which legacy ports are decoded for monitoring; what is fitted reads as enabled. */
    c[0x5F] = pm->config.parallel ? 0x80 | 0x10 : 0x10;
    c[0x63] = 0x60;
    c[0x67] = (uint8_t)((pm->config.serial[0] ? 0x08 : 0) | (pm->config.serial[1] ? 0x90 : 0));
    c[0x5B] = 0x02;
}

struct piix4_pm *piix4_pm_realize(struct pci_bus *pci, struct bus *bus, struct device_list *devices,
                                  const struct piix4_pm_config *config, struct err *err)
{
    static const struct pci_id id = {
        .vendor = 0x8086,
        .device = 0x7113,
        .subsystem_vendor = 0x5853,
        .subsystem = 0x0001,
        .class_code = 0x068000,
        .revision = 0x03,
        .interrupt_pin = 1,
    };
    struct piix4_pm *pm = calloc(1, sizeof(*pm));
    if (!pm) {
        err_set(err, "out of memory");
        return NULL;
    }
    pm->bus = bus;
    pm->config = *config;
    for (unsigned i = 0; i < config->vcpus && i < CPU_MAP_BYTES * 8; i++)
        pm->cpu_map[i / 8] |= (uint8_t)(1u << (i % 8));
    if (!pci_device_init(&pm->pci, pci, PCI_DEVFN(1, 3), &id, err)) {
        free(pm);
        return NULL;
    }
    io_region_init(&pm->control_region, "PM1 control", &control_ops, pm);
    io_region_init(&pm->gpe_region, "GPE0", &gpe_ops, pm);
    io_region_init(&pm->cpu_region, "CPU map", &cpu_ops, pm);
    if (!bus_map(bus, &pm->gpe_region, IO_PORT, GPE0_BLOCK, 4, err) ||
        !bus_map(bus, &pm->cpu_region, IO_PORT, CPU_MAP, CPU_MAP_BYTES, err)) {
        destroy(&pm->pci.device);
        return NULL;
    }
    config_space(pm);
    pm->pci.config_written = config_written;
    pci_device_realized(&pm->pci);
    device_add(devices, &pm->pci.device, &class, "0");
    return pm;
}

struct irq *piix4_pm_sci(struct piix4_pm *pm)
{
    return &pm->sci;
}
