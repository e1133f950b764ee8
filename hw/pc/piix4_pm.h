/* SPDX-License-Identifier: GPL-2.0-or-later */
/* piix4_pm: power management, Intel 82371AB (290562) function 3, PCI 00:01.3. */
#ifndef HW_PC_PIIX4_PM_H
#define HW_PC_PIIX4_PM_H

#include "hw/core/irq.h"
#include "hw/pc/pci.h"

struct piix4_pm_config {
    unsigned vcpus; /* online at start: bits of the CPU presence map */
    bool serial[2]; /* COM1, COM2 are there (DEVRESB/F) */
    bool parallel;
    void (*power_off)(void *opaque); /* the guest enters S4 or S5 */
    void (*suspend)(void *opaque);   /* the guest enters S3 */
    void *opaque;
};

struct piix4_pm;

/* NULL and *err on failure. */
struct piix4_pm *piix4_pm_realize(struct pci_bus *pci, struct bus *bus, struct device_list *devices,
                                  const struct piix4_pm_config *config, struct err *err);

/* The SCI output (ISA line 9), to be connected by the machine. */
struct irq *piix4_pm_sci(struct piix4_pm *pm);

#endif
