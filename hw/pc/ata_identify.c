/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ata_identify: what a device says of itself: IDENTIFY DEVICE (ATA/ATAPI-6 8.15, ATA8-ACS 7.16),
 * and the words that IDENTIFY PACKET DEVICE has alike (see ata.h). */
#include "hw/pc/ata.h"

void ata_identify_word(uint8_t *data, unsigned word, uint16_t value)
{
    data[2 * word] = (uint8_t)value;
    data[2 * word + 1] = (uint8_t)(value >> 8);
}

static void identify_long(uint8_t *data, unsigned word, uint32_t value)
{
    ata_identify_word(data, word, (uint16_t)value);
    ata_identify_word(data, word + 1, (uint16_t)(value >> 16));
}

void ata_identify_string(uint8_t *data, unsigned word, const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        data[2 * word + (i ^ 1)] = (uint8_t)s[i];
    }
}

static uint16_t mode_word(const struct ide_drive *d, uint8_t group, uint16_t supported)
{
    return (uint16_t)(supported |
                      ((d->transfer_mode & 0xF8) == group ? 0x100u << (d->transfer_mode & 7) : 0));
}

void ata_identify_common(const struct ide_drive *d, bool serial, uint8_t *data)
{
    ata_identify_string(data, 10, d->serial, sizeof(d->serial));
    ata_identify_word(data, 20, 3);   /* dual-ported buffer with read cache */
    ata_identify_word(data, 21, 512); /* of 512 sectors */
    ata_identify_string(data, 23, d->firmware, sizeof(d->firmware));
    ata_identify_string(data, 27, d->model, sizeof(d->model));
    ata_identify_word(data, 48, 1);      /* 32-bit data port accesses (ATA-1) */
    ata_identify_word(data, 49, 0x0F00); /* DMA, LBA, IORDY that can be disabled */
    ata_identify_word(data, 51, 0x0200); /* PIO mode 2 at least */
    ata_identify_word(data, 52, 0x0200);
    ata_identify_word(data, 53, 7); /* words 54-58, 64-70, 88 are valid */
    ata_identify_word(data, 62, mode_word(d, 0x10, 7));
    ata_identify_word(data, 63, mode_word(d, 0x20, 7));
    ata_identify_word(data, 64, 3); /* PIO modes 3 and 4 */
    for (unsigned word = 65; word <= 68; word++) {
        ata_identify_word(data, word, 120); /* cycle times, ns */
    }
    ata_identify_word(data, 80, serial ? 0x01F0 : 0x00F0); /* ATA/ATAPI-4 to -7, ATA8-ACS */
    if (serial) {
        bool disk = d->kind == IDE_DISK;
        ata_identify_word(data, 75, disk ? ATA_QUEUE_DEPTH - 1 : 0);
        ata_identify_word(data, 76, disk ? 0x0106 : 0x0006); /* 1.5 and 3.0 Gb/s; native queuing */
        ata_identify_word(data, 222, 0x100E);                /* SATA 1.0a, II extensions, 2.5 */
    }
    ata_identify_word(data, 88, mode_word(d, 0x40, 0x3F));
    if (d->wwn) {
        for (unsigned i = 0; i < 4; i++) {
            ata_identify_word(data, 108 + i, (uint16_t)(d->wwn >> (48 - 16 * i)));
        }
    }

    uint8_t sum = data[510] = 0xA5; /* integrity word: all 512 bytes add up to 0 */
    for (unsigned i = 0; i < 510; i++) {
        sum = (uint8_t)(sum + data[i]);
    }
    data[511] = (uint8_t)-sum;
}

/* Words 106, 117, 209: a sector that is not 512 bytes, or several in a physical one. */
static void identify_sector_size(const struct ide_drive *d, uint8_t *data)
{
    unsigned per_physical = d->physical > d->shift ? d->physical - d->shift : 0;

    ata_identify_word(
        data, 106,
        (uint16_t)(0x4000 | (per_physical ? 0x2000 | per_physical : 0) | (d->shift ? 0x1000 : 0)));
    if (d->shift) {
        identify_long(data, 117, (IDE_SECTOR << d->shift) / 2);
    }
    ata_identify_word(data, 209, 0x4000); /* logical sector 0 starts a physical one */
}

void ata_identify(const struct ide_channel *ch, const struct ide_drive *d, uint8_t *data)
{
    uint64_t total = ide_visible(d) >> d->shift;
    uint32_t cylinders = ata_cylinders(d);
    uint16_t features = 0x4408; /* NOP, host protected area, power management */
    uint16_t cache = d->flush_matters ? 0x0020 : 0;
    bool slave = d == &ch->drive[1], serial = ch->front->serial;
    /* WRITE … FUA EXT, SMART self-test and error logging; general purpose logging */
    uint16_t extended = (uint16_t)(0x4043 | (serial ? 0x0020 : 0) | (d->wwn ? 0x0100 : 0));

    ata_identify_word(data, 0, 0x0040); /* fixed device */
    ata_identify_word(data, 1, d->cylinders);
    ata_identify_word(data, 2, 0xC837); /* complete without a spin-up command */
    ata_identify_word(data, 3, d->heads);
    ata_identify_word(data, 4, (uint16_t)(IDE_SECTOR * d->sectors));
    ata_identify_word(data, 5, IDE_SECTOR);
    ata_identify_word(data, 6, d->sectors);
    ata_identify_word(data, 22, 4);
    ata_identify_word(data, 47, 0x8000 | ATA_MULTIPLE_MAX);
    ata_identify_word(data, 50, 0x4000);
    ata_identify_word(data, 54, (uint16_t)cylinders);
    ata_identify_word(data, 55, d->cur_heads);
    ata_identify_word(data, 56, d->cur_sectors);
    identify_long(data, 57, cylinders * d->cur_heads * d->cur_sectors);
    ata_identify_word(data, 59, d->multiple ? 0x0100 | d->multiple : 0);
    identify_long(data, 60, (uint32_t)(total < ATA_LBA28_SECTORS ? total : ATA_LBA28_SECTORS));
    ata_identify_word(data, 82, features | 0x0041 | cache); /* SMART, look-ahead, write cache */
    ata_identify_word(data, 83, 0x7400);                    /* FLUSH CACHE (EXT), 48 bits */
    ata_identify_word(data, 84, extended);
    ata_identify_word(data, 85,
                      (uint16_t)(features | (d->smart.enabled ? 0x0001 : 0) |
                                 (d->read_ahead ? 0x0040 : 0) | (d->write_cache ? cache : 0)));
    ata_identify_word(data, 86, 0x3400);
    ata_identify_word(data, 87, extended);
    if (!serial) {
        /* Hardware reset result: 80-conductor cable, diagnostics passed, who is there. */
        ata_identify_word(data, 93,
                          slave ? 0x6B00
                                : (uint16_t)(ch->drive[1].kind != IDE_ABSENT ? 0x603B : 0x604B));
    }
    identify_long(data, 100, (uint32_t)total);
    identify_long(data, 102, (uint32_t)(total >> 32));
    if (d->trim) {
        ata_identify_word(data, 105, ATA_TRIM_BLOCKS);
        ata_identify_word(data, 169, 1);
    }
    identify_sector_size(d, data);
    ata_identify_common(d, serial, data);
}
