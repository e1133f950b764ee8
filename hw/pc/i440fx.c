/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * i440fx: see i440fx.h. Under Xen the memory controller is the hypervisor: DRAM rows, PAM and SMRAM
 * registers keep what firmware writes and steer nothing.
 */
#include "hw/pc/i440fx.h"

#include <stdlib.h>

#define REG_STATUS 0x06
#define REG_PAM0   0x59
#define REG_SMRAM  0x72

static const struct state_field fields[] = {
    {.kind = STATE_KIND_STRUCT,
     .name = "pci",
     .width = sizeof(struct pci_device),
     .count = 1,
     .sub = pci_state,
     .keep_on_reset = true},
    STATE_FIELDS_END,
};

static void reset(struct device *d)
{
    pci_device_reset((struct pci_device *)d);
}

static bool post_load(struct device *d, struct err *err)
{
    (void)err;
    pci_device_loaded((struct pci_device *)d);
    return true;
}

static void destroy(struct device *d)
{
    pci_device_destroy((struct pci_device *)d);
    free(d);
}

static const struct device_class class = {
    .name = "i440fx",
    .version = 1,
    .state = fields,
    .reset = reset,
    .post_load = post_load,
    .destroy = destroy,
};

struct pci_device *i440fx_realize(struct pci_bus *pci, struct device_list *devices, struct err *err)
{
    static const struct pci_id id = {
        .vendor = 0x8086,
        .device = 0x1237,
        .subsystem_vendor = 0x5853,
        .subsystem = 0x0001,
        .class_code = 0x060000,
        .revision = 0x02,
    };
    struct pci_device *d = calloc(1, sizeof(*d));
    if (!d) {
        err_set(err, "out of memory");
        return NULL;
    }
    if (!pci_device_init(d, pci, PCI_DEVFN(0, 0), &id, err)) {
        free(d);
        return NULL;
    }
    for (unsigned reg = REG_PAM0; reg < REG_PAM0 + 7; reg++) /* 3.2.18 */
        d->writable[reg] = 0x77;
    d->writable[REG_PAM0] = 0x70;
    d->config[REG_SMRAM] = 0x02; /* 3.2.21: the SMRAM base segment, hardwired to A0000 */
    d->writable[REG_SMRAM] = 0x78;
    pci_device_realized(d);
    device_add(devices, &d->device, &class, "0");
    return d;
}
