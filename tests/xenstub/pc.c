/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pc: see pc.h. ATA/ATAPI-6; Intel 82371SB/AB (PIIX3/4); "Programming Interface for Bus Master IDE
 * Controller" 1.0. */
#include "pc.h"

#define SECTOR 512u

#define ST_ERR 0x01
#define ST_DRQ 0x08
#define ST_DF  0x20
#define ST_BSY 0x80

#define WAIT_MS 10000

static uint16_t command_block(unsigned drive)
{
    return drive < 2 ? 0x1F0 : 0x170;
}

static unsigned irq_of(unsigned drive)
{
    return drive < 2 ? 14 : 15;
}

static void pci_or16(struct xenstub *x, uint8_t devfn, unsigned reg, uint32_t bits)
{
    vcpu_pci_write(x, 0, devfn, reg, 2, vcpu_pci_read(x, 0, devfn, reg, 2) | bits);
}

void pc_setup(struct xenstub *x, uint8_t vga)
{
    const uint8_t ide = PC_DEVFN(1, 1), pm = PC_DEVFN(1, 3);
    vcpu_pci_write(x, 0, ide, 0x40, 2, 0x8000); /* IDETIM: decode */
    vcpu_pci_write(x, 0, ide, 0x42, 2, 0x8000);
    vcpu_pci_write(x, 0, ide, 0x20, 4, PC_BMDMA | 1);
    pci_or16(x, ide, 4, 5);
    vcpu_pci_write(x, 0, pm, 0x40, 4, PC_PM | 1);
    vcpu_pci_write(x, 0, pm, 0x80, 1, 1);
    pci_or16(x, pm, 4, 1);
    for (unsigned link = 0; link < 4; link++)
        vcpu_pci_write(x, 0, PC_DEVFN(1, 0), 0x60 + link, 1, link & 1 ? 10 : 5);
    if (!vga)
        return;
    vcpu_pci_write(x, 0, vga, 0x10, 4, (uint32_t)PC_VRAM);
    pci_or16(x, vga, 4, 3);
}

unsigned pc_scan(struct xenstub *x, struct pc_function *out, unsigned max)
{
    unsigned found = 0;
    for (unsigned devfn = 0; devfn < 256 && found < max; devfn++) {
        vcpu_out(x, 0, 0xCF8, 4, 0x80000000u | devfn << 8);
        uint32_t id = vcpu_in(x, 0, 0xCFC, 4);
        if (id == 0xFFFFFFFF)
            continue;
        vcpu_out(x, 0, 0xCF8, 4, 0x80000000u | devfn << 8 | 8);
        out[found++] = (struct pc_function){.devfn = (uint8_t)devfn,
                                            .vendor = (uint16_t)id,
                                            .device = (uint16_t)(id >> 16),
                                            .class_code = vcpu_in(x, 0, 0xCFC, 4) >> 8};
    }
    return found;
}

static bool not_busy(struct xenstub *x, uint16_t base)
{
    for (unsigned i = 0; i < 1000000 && !xenstub_gone(x); i++)
        if (!(vcpu_in(x, 0, base + 7, 1) & ST_BSY))
            return true;
    return false;
}

/* LBA28, with interrupts. */
static void command(struct xenstub *x, unsigned drive, uint32_t lba, unsigned sectors, uint8_t code)
{
    uint16_t base = command_block(drive);
    vcpu_out(x, 0, base + 0x206, 1, 0);
    vcpu_out(x, 0, base + 6, 1, 0xE0 | (drive & 1) << 4 | (lba >> 24 & 0xF));
    vcpu_out(x, 0, base + 2, 1, sectors);
    vcpu_out(x, 0, base + 3, 1, lba);
    vcpu_out(x, 0, base + 4, 1, lba >> 8);
    vcpu_out(x, 0, base + 5, 1, lba >> 16);
    vcpu_out(x, 0, base + 7, 1, code);
}

/* After the interrupt: reading the status takes it back. */
static bool data_ready(struct xenstub *x, unsigned drive)
{
    if (!xenstub_wait_isa(x, irq_of(drive), true, WAIT_MS))
        return false;
    uint32_t status = vcpu_in(x, 0, command_block(drive) + 7, 1);
    return (status & (ST_BSY | ST_DRQ | ST_ERR | ST_DF)) == ST_DRQ;
}

static bool pio_in(struct xenstub *x, unsigned drive, unsigned sectors, uint64_t buffer)
{
    for (unsigned i = 0; i < sectors; i++, buffer += SECTOR) {
        if (!data_ready(x, drive))
            return false;
        vcpu_ins(x, 0, command_block(drive), 2, SECTOR / 2, buffer, false);
    }
    return true;
}

bool pc_ide_identify(struct xenstub *x, unsigned drive, uint64_t buffer)
{
    command(x, drive, 0, 0, 0xEC);
    return pio_in(x, drive, 1, buffer);
}

bool pc_ide_read_pio(struct xenstub *x, unsigned drive, uint32_t lba, unsigned sectors,
                     uint64_t buffer)
{
    command(x, drive, lba, sectors, 0x20);
    return pio_in(x, drive, sectors, buffer);
}

bool pc_ide_write_pio(struct xenstub *x, unsigned drive, uint32_t lba, unsigned sectors,
                      uint64_t buffer)
{
    uint16_t base = command_block(drive);
    command(x, drive, lba, sectors, 0x30);
    if (!not_busy(x, base)) /* no interrupt before the first sector */
        return false;
    for (unsigned i = 0; i < sectors; i++, buffer += SECTOR) {
        vcpu_outs(x, 0, base, 2, SECTOR / 2, buffer, false);
        if (!xenstub_wait_isa(x, irq_of(drive), true, WAIT_MS) ||
            vcpu_in(x, 0, base + 7, 1) & (ST_ERR | ST_DF))
            return false;
    }
    return true;
}

bool pc_ide_dma(struct xenstub *x, unsigned drive, uint32_t lba, unsigned sectors, uint64_t buffer,
                uint64_t table, bool write)
{
    uint16_t base = command_block(drive), bm = drive < 2 ? PC_BMDMA : PC_BMDMA + 8;
    uint32_t prd[64][2], left = sectors * SECTOR;
    unsigned n = 0;
    for (uint64_t at = buffer; left && n < 64; n++) {
        uint32_t piece = 0x10000 - (uint32_t)(at & 0xFFFF);
        piece = piece < left ? piece : left;
        prd[n][0] = (uint32_t)at;
        prd[n][1] = piece & 0xFFFF; /* 0: 64 KiB */
        at += piece;
        left -= piece;
    }
    prd[n - 1][1] |= 0x80000000u;
    guest_write(x, table, prd, n * sizeof(prd[0]));

    vcpu_out(x, 0, bm + 4, 4, (uint32_t)table);
    vcpu_out(x, 0, bm, 1, write ? 0 : 8);
    vcpu_out(x, 0, bm + 2, 1, 6); /* clears interrupt and error */
    command(x, drive, lba, sectors & 0xFF, write ? 0xCA : 0xC8);
    vcpu_out(x, 0, bm, 1, write ? 1 : 9);
    for (unsigned waited = 0; !xenstub_wait_isa(x, irq_of(drive), true, 100); waited += 100)
        if (waited >= WAIT_MS || vcpu_in(x, 0, bm + 2, 1) & 2) /* memory error: no interrupt */
            break;
    uint32_t status = vcpu_in(x, 0, bm + 2, 1);
    vcpu_out(x, 0, bm, 1, 0);
    vcpu_out(x, 0, bm + 2, 1, 6);
    return (status & 7) == 4 && !(vcpu_in(x, 0, base + 7, 1) & (ST_BSY | ST_ERR | ST_DF));
}

void pc_power_off(struct xenstub *x)
{
    vcpu_out(x, 0, PC_PM + 4, 2, 0x2000); /* SLP_EN, SLP_TYP 0: S5 */
}
