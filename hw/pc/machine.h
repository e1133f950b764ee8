/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * machine: the PC, wired in one function: which chips there are, at which ports, on which interrupt
 * lines and in which PCI slots. What is behind them (images, streams, screen) is opened by the
 * caller and given in.
 */
#ifndef HW_PC_MACHINE_H
#define HW_PC_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "block/block.h"
#include "hw/core/clock.h"
#include "hw/core/device.h"
#include "hw/core/err.h"
#include "hw/pc/pci.h"
#include "toolstack/config.h"
#include "ui/chardev.h"
#include "ui/display.h"
#include "ui/input.h"

struct hypervisor;
struct ahci;
struct fdc;
struct machine;
struct net;
struct piix3_ide;
struct usb_set;

struct machine_config {
    const struct config *config; /* memory, boot order, drives' identities, graphics */
    struct hypervisor *hv;
    struct clock *clock; /* guest time */
    struct display *display;
    struct input *input;
    struct block *blocks[CONFIG_MAX_DRIVES];   /* by index of config->drives; NULL: empty CD
                                                  or floppy drive */
    struct chardev *serial[CONFIG_MAX_SERIAL]; /* NULL: COM port absent, or nothing plugged in */
    struct chardev *parallel;                  /* NULL: no LPT1 */
    const uint8_t *vga_rom;
    uint32_t vga_rom_len;
    /* By index of config->nics: */
    struct net *nets[CONFIG_MAX_NICS];        /* NULL: nothing is plugged in */
    const uint8_t *nic_roms[CONFIG_MAX_NICS]; /* NULL: no option ROM */
    uint32_t nic_rom_lens[CONFIG_MAX_NICS];

    /* What the guest does to the whole domain. Called from within its access, before that is
     * answered. */
    void (*power_off)(void *opaque);
    void (*reset)(void *opaque);
    void (*suspend)(void *opaque);
    /* The guest's PV drivers take over: mask as in platform.h. NULL: there is nothing that could
     * serve them; the guest is not offered it. */
    void (*unplug)(void *opaque, unsigned mask);
    /* The guest opened or closed the tray of config->drives[index]. */
    void (*tray_moved)(void *opaque, size_t index, bool open);
    void *opaque;
};

/* Builds the machine and resets it. NULL and *err on failure; nothing is then left behind. */
struct machine *machine_new(const struct machine_config *config, struct err *err);

/* Destroys the devices in reverse order; the blocks and streams stay the caller's. NULL is fine. */
void machine_free(struct machine *machine);

struct bus *machine_bus(struct machine *machine);
struct pci_bus *machine_pci(struct machine *machine);
struct device_list *machine_devices(struct machine *machine);
struct piix3_ide *machine_ide(struct machine *machine);
struct fdc *machine_fdc(struct machine *machine);
struct ahci *machine_ahci(struct machine *machine); /* NULL: there is none */

struct usb_set *machine_usb(struct machine *machine); /* always there, maybe without a bus */

/* Adds a USB controller in the first free slot, its bus being "ID.0"; only before the guest has
 * configured its PCI bus. */
bool machine_add_usb_host(struct machine *machine, const struct config_usb_controller *what,
                          struct err *err);

/* The CD drive config->drives[index], at whichever controller: as piix3_ide.h says of each. */
struct block *machine_set_medium(struct machine *machine, size_t index, struct block *block);
bool machine_tray_eject(struct machine *machine, size_t index, bool force);
bool machine_tray_locked(struct machine *machine, size_t index);
bool machine_tray_open(struct machine *machine, size_t index);

/* Takes the disks, not the CD drives, off their controllers, for good. Nothing here uses their
 * images afterwards. */
void machine_unplug_disks(struct machine *machine);

/* Takes the PCI network cards off the bus, for good: the guest reads all ones where they were, and
 * nothing reaches their wires from here any more. False: none was there. */
bool machine_unplug_nics(struct machine *machine);

/* Where the card of config->nics[index] is on the PCI bus. False: it is on ISA, or unplugged. */
bool machine_nic_place(const struct machine *machine, size_t index, uint8_t *devfn);

/* CMOS RAM and devices as after power-on. */
void machine_reset(struct machine *machine);

#endif
