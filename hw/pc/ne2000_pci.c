/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ne2000_pci: Realtek's RTL8029AS in a PCI slot; see ne2000.h. */
#include <stdlib.h>

#include "hw/pc/ne2000.h"

/* The chip decodes 32; the stock device has 256, and the others are empty. */
#define BAR_BYTES 256

struct ne2000_pci {
    struct pci_device pci;
    struct ne2000 chip;
};

static const struct state_field fields[] = {
    STATE_PCI(struct ne2000_pci),
    STATE_STRUCT(struct ne2000_pci, chip, ne2000_state),
    STATE_FIELDS_END,
};

static void set_line(struct ne2000 *chip, bool level)
{
    struct ne2000_pci *d = (void *)((char *)chip - offsetof(struct ne2000_pci, chip));
    pci_set_intx(&d->pci, level);
}

static void reset(struct device *device)
{
    struct ne2000_pci *d = (struct ne2000_pci *)device;
    pci_device_reset(&d->pci);
    ne2000_reset(&d->chip);
}

static bool loaded(struct device *device, struct err *err)
{
    struct ne2000_pci *d = (struct ne2000_pci *)device;
    if (!ne2000_loaded(&d->chip, err))
        return false;
    pci_device_loaded(&d->pci);
    return true;
}

static void destroy(struct device *device)
{
    struct ne2000_pci *d = (struct ne2000_pci *)device;
    ne2000_destroy(&d->chip);
    pci_device_destroy(&d->pci);
    free(d);
}

static const struct device_class ne2000_pci_class = {
    .name = "ne2k_pci",
    .version = 1,
    .state = fields,
    .reset = reset,
    .post_load = loaded,
    .destroy = destroy,
};

struct ne2000_pci *ne2000_pci_realize(struct pci_bus *pci, struct dma *dma, struct clock *clock,
                                      struct device_list *devices, const struct nic_config *config,
                                      struct net *net, struct err *err)
{
    static const struct pci_id id = {
        .vendor = 0x10EC,
        .device = 0x8029,
        .subsystem_vendor = 0x5853,
        .subsystem = 0x0001,
        .class_code = 0x020000, /* Ethernet */
        .interrupt_pin = 1,
    };
    (void)dma, (void)clock;
    struct ne2000_pci *d = calloc(1, sizeof(*d));
    if (!d) {
        err_set(err, "ne2k_pci: out of memory");
        return NULL;
    }
    if (!pci_device_init(&d->pci, pci, config->devfn, &id, err)) {
        free(d);
        return NULL;
    }
    pci_add_bar(&d->pci, 0, PCI_BAR_PORT, BAR_BYTES, false, "ne2k_pci", &ne2000_ops, &d->chip);
    if (config->rom)
        pci_add_rom(&d->pci, "ne2k_pci-rom", config->rom, config->rom_len);
    pci_device_realized(&d->pci);
    ne2000_init(&d->chip, config->mac, true, net, set_line);
    device_add(devices, &d->pci.device, &ne2000_pci_class, config->instance);
    return d;
}
