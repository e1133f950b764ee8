/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pc: what a driver does: PCI configuration, IDE by PIO and by bus master. The same for any device
 * model. Everything is vCPU 0's. */
#ifndef TESTS_XENSTUB_PC_H
#define TESTS_XENSTUB_PC_H

#include "vcpu.h"

#define PC_DEVFN(slot, function) ((uint8_t)((slot) << 3 | (function)))

/* What the firmware leaves behind, as far as drivers need it. */
#define PC_BMDMA 0xC000 /* BAR 4 of 00:01.1 */
#define PC_PM    0xB000 /* the PM block of 00:01.3: control is 4 bytes up */
#define PC_VRAM  UINT64_C(0xF0000000)

/* Maps the devices above (of the PIIX and, if vga is not 0, the memory BAR of that devfn's VGA). */
void pc_setup(struct xenstub *x, uint8_t vga);

struct pc_function {
    uint8_t devfn;
    uint16_t vendor, device;
    uint32_t class_code;
};

/* All functions of bus 0, by 0xCF8/0xCFC as firmware looks for them: how many (up to max). */
unsigned pc_scan(struct xenstub *x, struct pc_function *out, unsigned max);

/* IDE. drive: 0..3 (primary master, primary slave, secondary master …). Each waits for the
 * interrupt; false: error status, or none came. Buffers are guest memory. */
bool pc_ide_identify(struct xenstub *x, unsigned drive, uint64_t buffer);
bool pc_ide_read_pio(struct xenstub *x, unsigned drive, uint32_t lba, unsigned sectors,
                     uint64_t buffer);
bool pc_ide_write_pio(struct xenstub *x, unsigned drive, uint32_t lba, unsigned sectors,
                      uint64_t buffer);

/* By bus master, READ DMA EXT; the descriptor table is put at `table`. sectors: 1..256. */
bool pc_ide_dma(struct xenstub *x, unsigned drive, uint32_t lba, unsigned sectors, uint64_t buffer,
                uint64_t table, bool write);

/* Writes S5 into PM1 control. */
void pc_power_off(struct xenstub *x);

#endif
