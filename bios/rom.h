/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rom: the option ROM images that our PCI functions show: found, read and checked before the guest
 * runs. */
#ifndef BIOS_ROM_H
#define BIOS_ROM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/core/err.h"

#define ROM_VGA_STD    "vgabios-stdvga.bin"
#define ROM_VGA_CIRRUS "vgabios-cirrus.bin"
#define ROM_MAX_BYTES  (1u << 20)

struct rom {
    uint8_t *data; /* the file, mapped and not to be written; NULL: none */
    uint32_t len;
};

/*
 * Maps `name` from the first of dirs[0..dir_count) that has it (the toolstack's -L, in order), then
 * from the built-in places: the data directory given to configure, Debian's seabios and ipxe-qemu,
 * QEMU's. A name with a slash is a path and is not searched for. Checks it with rom_check; an image
 * for 0000:0000, as iPXE's for all cards is, gets this card's ids. On failure *err says what is
 * missing or wrong, and with what package to get it; *rom is empty.
 *
 * The pages are the file's, shared with all who map it: it must not be cut short meanwhile (a
 * package manager puts a new file in its place).
 */
bool rom_load(struct rom *rom, const char *name, const char *const *dirs, size_t dir_count,
              uint16_t vendor, uint16_t device, struct err *err);

/*
 * The same for iPXE's ROM of network card vendor:device: efi-CARD.rom, which has images for both
 * kinds of firmware, or pxe-CARD.rom. iPXE's driver serves the whole family of a chip and its
 * image names one or none of them: this card's ids are put in, and the checksum made right, in a
 * private copy of the pages concerned.
 */
bool rom_load_ipxe(struct rom *rom, const char *card, const char *const *dirs, size_t dir_count,
                   uint16_t vendor, uint16_t device, struct err *err);

/*
 * Is this an image that a BIOS will run for PCI function vendor:device? PCI Firmware Specification
 * 3.0, 5.1: signature, lengths within the file, PCI data structure with these ids (0000:0000: they
 * don't count), x86 code, zero checksum over the image. `name` is for messages.
 */
bool rom_check(const uint8_t *data, size_t len, const char *name, uint16_t vendor, uint16_t device,
               struct err *err);

void rom_free(struct rom *rom);

#endif
