/* SPDX-License-Identifier: GPL-2.0-or-later */
/* piix3: the PCI-to-ISA bridge, Intel 82371SB (290550) function 0, PCI 00:01.0. */
#ifndef HW_PC_PIIX3_H
#define HW_PC_PIIX3_H

#include "hw/core/bus.h"
#include "hw/pc/pci.h"

struct hypervisor;
struct piix3;

/* reset(opaque) is called when the guest resets the machine through port 0xCF9. NULL and *err on
 * failure. */
struct piix3 *piix3_realize(struct pci_bus *pci, struct hypervisor *hv, struct device_list *devices,
                            void (*reset)(void *opaque), void *opaque, struct err *err);

/* The reset control register, port 0xCF9, for the host bridge to pass its byte accesses on to
 * (opaque: the piix3). It is behind the bridge's configuration address register, so it cannot claim
 * the port itself. */
extern const struct io_ops piix3_reset_control_ops;

#endif
