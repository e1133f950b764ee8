/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * piix3: see piix3.h. PIRQ routing goes to the hypervisor, which owns the interrupt controllers,
 * ELCR and port 0x61. Register defaults are those of 290550, section 2.2.
 */
#include "hw/pc/piix3.h"

#include <stdlib.h>

#include "hw/xen/hypervisor.h"

#define REG_PIRQ     0x60 /* PIRQRC[A:D] */
#define PIRQ_DISABLE 0x80
#define RC_SYSTEM    0x02 /* reset control register (RC) */
#define RC_CPU       0x04

struct piix3 {
    struct pci_device pci;
    struct hypervisor *hv;
    uint8_t reset_control;
    void (*reset)(void *opaque);
    void *opaque;
};

static const struct state_field fields[] = {
    STATE_PCI(struct piix3),
    STATE_LIMIT(struct piix3, reset_control, RC_SYSTEM),
    STATE_FIELDS_END,
};

static void route(struct piix3 *p)
{
    for (unsigned link = 0; link < 4; link++) {
        uint8_t v = p->pci.config[REG_PIRQ + link];
        hv_pci_link_route(p->hv, (uint8_t)link, v & PIRQ_DISABLE ? 0 : v & 0x0F);
    }
}

static void config_written(struct pci_device *d, unsigned reg, unsigned width)
{
    if (reg < REG_PIRQ + 4 && reg + width > REG_PIRQ)
        route((struct piix3 *)d);
}

static uint64_t reset_read(void *opaque, uint64_t offset, unsigned width)
{
    const struct piix3 *p = opaque;
    (void)offset;
    (void)width;
    return p->reset_control;
}

static void reset_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct piix3 *p = opaque;
    (void)offset;
    (void)width;
    /* The reset happens on the rise of RCPU; the bit reads as zero because the machine that set it
     * is gone. */
    p->reset_control = value & RC_SYSTEM;
    if (value & RC_CPU)
        p->reset(p->opaque);
}

const struct io_ops piix3_reset_control_ops = {
    .widths = 1, .read = reset_read, .write = reset_write};

static void reset(struct device *d)
{
    struct piix3 *p = (struct piix3 *)d;
    pci_device_reset(&p->pci);
    route(p);
}

static bool post_load(struct device *d, struct err *err)
{
    struct piix3 *p = (struct piix3 *)d;
    (void)err;
    pci_device_loaded(&p->pci);
    route(p);
    return true;
}

static void destroy(struct device *d)
{
    struct piix3 *p = (struct piix3 *)d;
    pci_device_destroy(&p->pci);
    free(p);
}

static const struct device_class class = {
    .name = "piix3",
    .version = 1,
    .state = fields,
    .reset = reset,
    .post_load = post_load,
    .destroy = destroy,
};

/* Registers after the header: default and writable bits (290550, section 2.2). */
static const struct {
    uint8_t reg, value, writable;
} registers[] = {
    {0x4C, 0x4D, 0x7F},                     /* IORT: I/O recovery timer */
    {0x4E, 0x03, 0xFF},                     /* XBCS: X-bus chip select */
    {0x4F, 0x00, 0x01}, {0x60, 0x80, 0x8F}, /* PIRQRCA..D */
    {0x61, 0x80, 0x8F}, {0x62, 0x80, 0x8F}, {0x63, 0x80, 0x8F}, {0x69, 0x02, 0xFE}, /* TOM */
    {0x6A, 0x00, 0x84},                                                             /* MSTAT */
    {0x70, 0x80, 0xEF},                                                             /* MBIRQ0 */
    {0x76, 0x0C, 0x8F},                                                             /* MBDMA0, 1 */
    {0x77, 0x0C, 0x8F}, {0x78, 0x02, 0xFF},                                         /* PCSC */
    {0x79, 0x00, 0xFF}, {0x80, 0x00, 0x7F},                                         /* APICBASE */
    {0x82, 0x00, 0x0F},                                                             /* DLC */
    {0xA0, 0x08, 0x1F},                                                             /* SMICNTL */
    {0xA2, 0x00, 0xFF},                                                             /* SMIEN */
    {0xA3, 0x00, 0x01}, {0xA4, 0x00, 0xFF},                                         /* SEE */
    {0xA5, 0x00, 0xFF}, {0xA6, 0x00, 0xFF}, {0xA7, 0x00, 0xE0}, {0xA8, 0x0F, 0xFF}, /* FTMR */
    {0xAA, 0x00, 0xFF},                                                             /* SMIREQ */
    {0xAB, 0x00, 0x01}, {0xAC, 0x00, 0xFF},                                         /* CTLTMR */
    {0xAE, 0x00, 0xFF},                                                             /* CTHTMR */
};

struct piix3 *piix3_realize(struct pci_bus *pci, struct hypervisor *hv, struct device_list *devices,
                            void (*machine_reset)(void *opaque), void *opaque, struct err *err)
{
    static const struct pci_id id = {
        .vendor = 0x8086,
        .device = 0x7000,
        .subsystem_vendor = 0x5853,
        .subsystem = 0x0001,
        .class_code = 0x060100,
        .header_type = 0x80,
    };
    struct piix3 *p = calloc(1, sizeof(*p));
    if (!p) {
        err_set(err, "out of memory");
        return NULL;
    }
    p->hv = hv;
    p->reset = machine_reset;
    p->opaque = opaque;
    if (!pci_device_init(&p->pci, pci, PCI_DEVFN(1, 0), &id, err)) {
        free(p);
        return NULL;
    }
    pci_set16(p->pci.config + 0x04, 0x0007);   /* PCICMD: always decodes and masters */
    pci_set16(p->pci.writable + 0x04, 0x0008); /* special cycles only */
    pci_set16(p->pci.config + 0x06, 0x0200);   /* PCISTS: medium DEVSEL */
    for (size_t i = 0; i < sizeof(registers) / sizeof(registers[0]); i++) {
        p->pci.config[registers[i].reg] = registers[i].value;
        p->pci.writable[registers[i].reg] = registers[i].writable;
    }
    p->pci.config_written = config_written;
    pci_device_realized(&p->pci);
    device_add(devices, &p->pci.device, &class, "0");
    return p;
}
