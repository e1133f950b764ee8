/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ata: the ATA command set of disks, and what packet devices share of it (see ata.h). */
#include "hw/pc/ata.h"

#include <errno.h>
#include <string.h>

#include "hw/pc/atapi.h"

#define CHUNK_SECTORS   (IDE_BUFFER / IDE_SECTOR)
#define CHS_SECTORS     UINT64_C(16514064) /* 6.2.1: 16383 cylinders, 16 heads, 63 sectors */
#define DEFAULT_MODE    0x45               /* Ultra DMA 5: see docs/devices/ide.md */
#define SIGNATURE_DISK  0x0000
#define SIGNATURE_ATAPI 0xEB14

/* What a command needs and how it moves data. */
enum {
    F_DISK = 1 << 0,     /* disks have it */
    F_PACKET = 1 << 1,   /* packet devices have it */
    F_EXT = 1 << 2,      /* 48-bit address, 16-bit count */
    F_WRITE = 1 << 3,    /* from the host */
    F_MULTIPLE = 1 << 4, /* DRQ blocks of the SET MULTIPLE MODE size */
    F_FUA = 1 << 5,      /* on the medium before it ends */
};

struct ata_command {
    void (*run)(struct ide_channel *ch, struct ide_drive *d, unsigned flags);
    unsigned flags;
};

void ata_abort(struct ide_channel *ch)
{
    ide_fail(ch, IDE_ERROR_ABRT);
}

void ata_signature(struct ide_drive *d)
{
    uint16_t who = d->kind == IDE_CDROM ? SIGNATURE_ATAPI : SIGNATURE_DISK;

    d->count[0] = d->count[1] = 1;
    d->lba_low[0] = d->lba_low[1] = 1;
    d->lba_mid[0] = d->lba_mid[1] = (uint8_t)who;
    d->lba_high[0] = d->lba_high[1] = (uint8_t)(who >> 8);
    d->device = 0xA0;
    d->error = 1; /* diagnostic code: no error, device 1 passed or absent */
    /* A packet device shows DRDY only after its first command (9.12). */
    d->status = d->kind == IDE_DISK ? IDE_DRDY | IDE_DSC : 0;
}

void ata_defaults(struct ide_drive *d)
{
    d->multiple = d->kind == IDE_DISK ? ATA_MULTIPLE_MAX : 0;
    d->transfer_mode = DEFAULT_MODE;
    d->write_cache = true;
    d->read_ahead = true;
    d->revert = false;
}

void ata_diagnose(struct ide_channel *ch)
{
    for (unsigned i = 0; i < 2; i++) {
        ata_signature(&ch->drive[i]);
    }
    ch->selected = 0;
    ch->drive[0].interrupt = true;
}

/* --- Addresses --- */

uint32_t ata_cylinders(const struct ide_drive *d)
{
    uint32_t per_cylinder = (uint32_t)d->cur_heads * d->cur_sectors;
    uint64_t total = ide_visible(d) >> d->shift;

    if (!per_cylinder) {
        return 0;
    }
    if (d->cur_heads == d->heads && d->cur_sectors == d->sectors) {
        return d->cylinders;
    }
    total = (total < CHS_SECTORS ? total : CHS_SECTORS) / per_cylinder;
    return (uint32_t)(total < 0xFFFF ? total : 0xFFFF);
}

/* The address in the task file, in logical sectors; false: a CHS address that the present
 * translation has not got. */
static bool get_logical(const struct ide_drive *d, bool ext, uint64_t *lba)
{
    uint32_t low = d->lba_low[0] | (uint32_t)d->lba_mid[0] << 8 | (uint32_t)d->lba_high[0] << 16;

    if (ext) {
        uint32_t high =
            d->lba_low[1] | (uint32_t)d->lba_mid[1] << 8 | (uint32_t)d->lba_high[1] << 16;
        *lba = low | (uint64_t)high << 24;
        return true;
    }
    if (d->device & IDE_DEVICE_LBA) {
        *lba = low | (uint32_t)(d->device & 0xF) << 24;
        return true;
    }
    uint32_t cylinder = low >> 8, head = d->device & 0xF, sector = low & 0xFF;
    if (!sector || sector > d->cur_sectors || head >= d->cur_heads ||
        cylinder >= ata_cylinders(d)) {
        return false;
    }
    *lba = ((uint64_t)cylinder * d->cur_heads + head) * d->cur_sectors + sector - 1;
    return true;
}

/* The same in units of IDE_SECTOR. */
static bool get_address(const struct ide_drive *d, bool ext, uint64_t *lba)
{
    if (!get_logical(d, ext, lba)) {
        return false;
    }
    *lba <<= d->shift;
    return true;
}

/* `lba` in units of IDE_SECTOR */
static void put_address(struct ide_drive *d, bool ext, uint64_t lba)
{
    lba >>= d->shift;
    if (!ext && !(d->device & IDE_DEVICE_LBA)) {
        uint32_t per_cylinder = (uint32_t)d->cur_heads * d->cur_sectors;
        if (!per_cylinder) {
            return;
        }
        uint32_t rest = (uint32_t)(lba % per_cylinder);
        uint32_t cylinder = (uint32_t)(lba / per_cylinder);
        d->lba_low[0] = (uint8_t)(rest % d->cur_sectors + 1);
        d->lba_mid[0] = (uint8_t)cylinder;
        d->lba_high[0] = (uint8_t)(cylinder >> 8);
        d->device = (uint8_t)((d->device & 0xF0) | (rest / d->cur_sectors & 0xF));
        return;
    }
    d->lba_low[0] = (uint8_t)lba;
    d->lba_mid[0] = (uint8_t)(lba >> 8);
    d->lba_high[0] = (uint8_t)(lba >> 16);
    if (ext) {
        d->lba_low[1] = (uint8_t)(lba >> 24);
        d->lba_mid[1] = (uint8_t)(lba >> 32);
        d->lba_high[1] = (uint8_t)(lba >> 40);
    } else {
        d->device = (uint8_t)((d->device & 0xF0) | (lba >> 24 & 0xF));
    }
}

static void put_count(struct ide_drive *d, uint32_t count)
{
    count = (count + (1u << d->shift) - 1) >> d->shift;
    d->count[0] = (uint8_t)count;
    d->count[1] = (uint8_t)(count >> 8);
}

void ata_result(struct ide_channel *ch)
{
    put_address(ide_drive(ch), ch->lba48, ch->lba - 1);
    put_count(ide_drive(ch), 0);
}

void ata_medium_error(struct ide_channel *ch, int error)
{
    struct ide_drive *d = ide_drive(ch);
    uint8_t bits = IDE_ERROR_ABRT;

    if (ch->use == IDE_USE_SECTORS || ch->use == IDE_USE_VERIFY) {
        put_address(d, ch->lba48, ch->lba);
        put_count(d, ch->left);
    }
    if (error == EINVAL) {
        bits = IDE_ERROR_IDNF; /* the image has become shorter */
    } else if (!ch->writing && ch->phase != IDE_FLUSH) {
        bits = IDE_ERROR_UNC;
    }
    ide_fail(ch, bits);
    ata_smart_error(d, ch->opcode, ch->lba >> d->shift, ch->left, clock_now(ch->clock));
}

bool ata_range(struct ide_drive *d, uint64_t lba, uint32_t *count, bool ext)
{
    uint64_t total = ide_visible(d);

    if (!*count) {
        *count = ext ? 65536 : 256;
    }
    *count <<= d->shift;
    if (lba >= total) {
        return false;
    }
    if (*count > total - lba) {
        put_address(d, ext, total);
        return false;
    }
    return true;
}

/*
 * Takes address and count of a sector command into the channel. All of the range is checked before
 * any of it moves; past the end: IDNF with the first address that the disk has not got.
 */
static bool take_range(struct ide_channel *ch, struct ide_drive *d, unsigned flags)
{
    bool ext = flags & F_EXT;
    uint32_t count = d->count[0] | (ext ? (uint32_t)d->count[1] << 8 : 0);
    uint64_t lba;

    if (!get_address(d, ext, &lba) || !ata_range(d, lba, &count, ext)) {
        ide_fail(ch, IDE_ERROR_IDNF);
        return false;
    }
    ch->lba = lba;
    ch->left = count;
    ch->lba48 = ext;
    d->power = IDE_POWER_ACTIVE;
    return true;
}

/* --- Sectors --- */

static bool take_write(struct ide_channel *ch, struct ide_drive *d, unsigned flags)
{
    if (block_read_only(d->block)) {
        ata_abort(ch);
        return false;
    }
    ide_ahead_drop(ch);
    ch->writing = true;
    ch->flush_after = d->flush_matters && ((flags & F_FUA) || !d->write_cache);
    return true;
}

static void pio_sectors(struct ide_channel *ch, struct ide_drive *d, unsigned flags)
{
    if ((flags & F_MULTIPLE) && !d->multiple) {
        ata_abort(ch);
        return;
    }
    if (((flags & F_WRITE) && !take_write(ch, d, flags)) || !take_range(ch, d, flags)) {
        return;
    }
    ch->use = IDE_USE_SECTORS;
    ch->drq_size = (IDE_SECTOR << d->shift) * (flags & F_MULTIPLE ? d->multiple : 1u);
    if (flags & F_WRITE) {
        /* The first DRQ block is asked for without an interrupt (9.6). */
        uint32_t sectors = ch->left < CHUNK_SECTORS ? ch->left : CHUNK_SECTORS;
        ide_data_out(ch, sectors * IDE_SECTOR, false);
    } else {
        ide_ahead_command(ch, ch->lba, ch->left);
        ide_enter(ch, IDE_READ);
    }
}

static void dma_sectors(struct ide_channel *ch, struct ide_drive *d, unsigned flags)
{
    if (((flags & F_WRITE) && !take_write(ch, d, flags)) || !take_range(ch, d, flags)) {
        return;
    }
    ch->use = IDE_USE_SECTORS;
    ch->use_dma = true;
    ide_enter(ch, IDE_DMA);
}

static void verify(struct ide_channel *ch, struct ide_drive *d, unsigned flags)
{
    if (take_range(ch, d, flags)) {
        ch->use = IDE_USE_VERIFY;
        ide_enter(ch, IDE_READ);
    }
}

void ata_sectors_done(struct ide_channel *ch)
{
    ata_result(ch);
    if (ch->flush_after) {
        ide_enter(ch, IDE_FLUSH);
    } else {
        ide_finish(ch);
    }
}

static void seek(struct ide_channel *ch, struct ide_drive *d, unsigned flags)
{
    uint64_t lba;
    (void)flags;
    if (get_address(d, false, &lba) && lba < ide_visible(d)) {
        ide_finish(ch);
    } else {
        ide_fail(ch, IDE_ERROR_IDNF);
    }
}

/* --- Host protected area (6.21): volatile, gone with the next hardware reset --- */

static void native_max(struct ide_channel *ch, struct ide_drive *d, unsigned flags)
{
    uint64_t sectors = ide_sectors(d) >> d->shift;

    if (!(flags & F_EXT) && sectors > ATA_LBA28_SECTORS) {
        sectors = ATA_LBA28_SECTORS;
    }
    put_address(d, flags & F_EXT, (sectors - 1) << d->shift);
    d->native_asked = ch->opcode;
    ide_finish(ch);
}

/* SET MAX ADDRESS (EXT), only straight after READ NATIVE MAX ADDRESS (EXT); the password commands
 * that share F9h are not here. What is asked to outlive a power cycle (count bit 0) cannot. */
static void set_max(struct ide_channel *ch, struct ide_drive *d, unsigned flags)
{
    bool ext = flags & F_EXT;
    uint8_t asked = ch->native_before;
    uint64_t last;

    if (asked != (ext ? 0x27 : 0xF8) || (d->count[0] & 1) || !(d->device & IDE_DEVICE_LBA)) {
        ata_abort(ch);
        return;
    }
    if (!get_address(d, ext, &last) || last >= ide_sectors(d)) {
        ide_fail(ch, IDE_ERROR_IDNF);
        return;
    }
    ide_ahead_drop(ch);
    d->visible = last + (UINT64_C(1) << d->shift);
    ide_finish(ch);
}

/* --- DATA SET MANAGEMENT (ATA8-ACS2 7.5): TRIM --- */

static void trim(struct ide_channel *ch, struct ide_drive *d, unsigned flags)
{
    uint32_t blocks = d->count[0] | (uint32_t)d->count[1] << 8;
    (void)flags;

    /* More than word 105 allows comes of a driver that wrote the count once, as for a 28-bit
     * command: the upper half is left from before. */
    if (blocks > ATA_TRIM_BLOCKS) {
        blocks = d->count[0];
    }
    if (!d->trim || d->feature[0] != 1 || !blocks || blocks > ATA_TRIM_BLOCKS ||
        block_read_only(d->block)) {
        ata_abort(ch);
        return;
    }
    ide_ahead_drop(ch);
    ch->use = IDE_USE_TRIM;
    ch->use_dma = ch->writing = true;
    ch->pos = 0;
    ch->length = blocks * IDE_SECTOR;
    ide_enter(ch, IDE_DMA_BUFFER);
}

static uint64_t trim_entry(const struct ide_channel *ch, uint32_t pos)
{
    uint64_t entry = 0;
    for (unsigned i = 0; i < 8; i++) {
        entry |= (uint64_t)ch->buffer[pos + i] << 8 * i;
    }
    return entry;
}

#define ENTRY_LBA(e)   ((e) & ((UINT64_C(1) << 48) - 1))
#define ENTRY_COUNT(e) ((uint32_t)((e) >> 48))

void ata_buffer_done(struct ide_channel *ch)
{
    const struct ide_drive *d = ide_drive(ch);
    uint64_t total = ide_visible(d) >> d->shift;

    for (uint32_t pos = 0; pos < ch->length; pos += 8) {
        uint64_t e = trim_entry(ch, pos);
        if (ENTRY_COUNT(e) && (ENTRY_LBA(e) >= total || ENTRY_COUNT(e) > total - ENTRY_LBA(e))) {
            ide_fail(ch, IDE_ERROR_ABRT | IDE_ERROR_IDNF);
            return;
        }
    }
    if (!d->discard) {
        ide_finish(ch); /* advice that need not be taken */
        return;
    }
    ch->pos = 0;
    ide_enter(ch, IDE_DISCARD);
}

/* Entries that touch, taken as one range. */
static bool joined_range(struct ide_channel *ch, uint64_t *lba, uint64_t *count)
{
    uint8_t shift = ide_drive(ch)->shift;

    *count = 0;
    for (; ch->pos < ch->length; ch->pos += 8) {
        uint64_t e = trim_entry(ch, ch->pos);
        if (*count && ENTRY_COUNT(e) && ENTRY_LBA(e) << shift != *lba + *count) {
            break;
        }
        if (!*count) {
            *lba = ENTRY_LBA(e) << shift;
        }
        *count += (uint64_t)ENTRY_COUNT(e) << shift;
    }
    return *count != 0;
}

bool ata_next_range(struct ide_channel *ch, uint64_t *lba, uint64_t *count)
{
    uint64_t below = ide_drive(ch)->granularity - 1;

    while (joined_range(ch, lba, count)) {
        uint64_t first = (*lba + below) & ~below, end = (*lba + *count) & ~below;
        if (first < end) {
            *lba = first;
            *count = end - first;
            return true;
        }
    }
    return false;
}

/* --- Settings, power, cache --- */

static void set_parameters(struct ide_channel *ch, struct ide_drive *d, unsigned flags)
{
    (void)flags;
    if (!d->count[0]) {
        ata_abort(ch);
        return;
    }
    d->cur_heads = (uint8_t)((d->device & 0xF) + 1);
    d->cur_sectors = d->count[0];
    ide_finish(ch);
}

static void set_multiple(struct ide_channel *ch, struct ide_drive *d, unsigned flags)
{
    uint8_t n = d->count[0];
    (void)flags;

    if (n > ATA_MULTIPLE_MAX || (n & (n - 1))) {
        ata_abort(ch);
        return;
    }
    d->multiple = n;
    ide_finish(ch);
}

static bool set_transfer_mode(struct ide_drive *d, uint8_t mode)
{
    unsigned n = mode & 7;

    switch (mode >> 3) {
    case 0: /* PIO default, with or without IORDY */
        return n < 2;
    case 1: /* PIO flow control: modes 0-4 */
        return n < 5;
    case 2: /* single word DMA 0-2 */
    case 4: /* multiword DMA 0-2 */
        if (n > 2) {
            return false;
        }
        break;
    case 8: /* Ultra DMA 0-5 */
        if (n > 5) {
            return false;
        }
        break;
    default:
        return false;
    }
    d->transfer_mode = mode;
    return true;
}

static void set_features(struct ide_channel *ch, struct ide_drive *d, unsigned flags)
{
    bool disk = d->kind == IDE_DISK;
    bool ok = true;
    (void)flags;

    switch (d->feature[0]) {
    case 0x02: /* write cache on: there must be one */
        ok = disk && d->flush_matters;
        d->write_cache |= ok;
        break;
    case 0x82: /* write cache off: what is in it goes to the medium first */
        ok = disk;
        if (ok && d->write_cache) {
            d->write_cache = false;
            ide_enter(ch, IDE_FLUSH);
            return;
        }
        break;
    case 0x03:
        ok = set_transfer_mode(d, d->count[0]);
        break;
    case 0x55: /* read look-ahead off, on */
        d->read_ahead = false;
        ide_ahead_drop(ch);
        break;
    case 0xAA:
        d->read_ahead = true;
        break;
    case 0x66: /* software reset: keeps the settings, restores the defaults */
        d->revert = false;
        break;
    case 0xCC:
        d->revert = true;
        break;
    default:
        ok = false;
        break;
    }
    if (ok) {
        ide_finish(ch);
    } else {
        ata_abort(ch);
    }
}

static void flush(struct ide_channel *ch, struct ide_drive *d, unsigned flags)
{
    (void)d;
    (void)flags;
    ide_enter(ch, IDE_FLUSH);
}

static void succeed(struct ide_channel *ch, struct ide_drive *d, unsigned flags)
{
    (void)d;
    (void)flags;
    ide_finish(ch);
}

static void idle(struct ide_channel *ch, struct ide_drive *d, unsigned flags)
{
    (void)flags;
    d->power = IDE_POWER_ACTIVE;
    ide_finish(ch);
}

static void spin_down(struct ide_channel *ch, struct ide_drive *d, enum ide_power power)
{
    d->power = (uint8_t)power;
    if (d->kind == IDE_DISK) {
        ide_enter(ch, IDE_FLUSH);
    } else {
        ide_finish(ch);
    }
}

static void standby(struct ide_channel *ch, struct ide_drive *d, unsigned flags)
{
    (void)flags;
    spin_down(ch, d, IDE_POWER_STANDBY);
}

/* STANDBY with a timer enters it at once too (8.48); the timer itself never runs out. */
static void sleep_mode(struct ide_channel *ch, struct ide_drive *d, unsigned flags)
{
    (void)flags;
    spin_down(ch, d, IDE_POWER_SLEEP);
}

static void check_power(struct ide_channel *ch, struct ide_drive *d, unsigned flags)
{
    (void)flags;
    d->count[0] = d->power == IDE_POWER_ACTIVE ? 0xFF : 0x00;
    ide_finish(ch);
}

/* --- Data blocks --- */

void ata_reply(struct ide_channel *ch)
{
    ch->use = IDE_USE_REPLY;
    ide_data_in(ch, IDE_SECTOR, true);
}

static void identify(struct ide_channel *ch, struct ide_drive *d, unsigned flags)
{
    (void)flags;
    memset(ch->buffer, 0, IDE_SECTOR);
    ata_identify(ch, d, ch->buffer);
    ata_reply(ch);
}

static void identify_packet(struct ide_channel *ch, struct ide_drive *d, unsigned flags)
{
    (void)flags;
    memset(ch->buffer, 0, IDE_SECTOR);
    atapi_identify(d, ch->front->serial, ch->buffer);
    ata_reply(ch);
}

static void smart(struct ide_channel *ch, struct ide_drive *d, unsigned flags)
{
    (void)flags;
    ata_smart(ch, d);
}

static void read_log(struct ide_channel *ch, struct ide_drive *d, unsigned flags)
{
    (void)flags;
    ata_read_log(ch, d);
}

static void packet(struct ide_channel *ch, struct ide_drive *d, unsigned flags)
{
    (void)d;
    (void)flags;
    atapi_packet(ch);
}

#define ALL (F_DISK | F_PACKET)

/* What is not here is aborted. Obsolete opcodes of ATA-1 to ATA-3 that old drivers send are. */
static const struct ata_command commands[256] = {
    [0x06] = {trim, F_DISK | F_EXT},
    [0x10 ... 0x1F] = {succeed, F_DISK}, /* RECALIBRATE */
    [0x20] = {pio_sectors, F_DISK},
    [0x21] = {pio_sectors, F_DISK},
    [0x24] = {pio_sectors, F_DISK | F_EXT},
    [0x25] = {dma_sectors, F_DISK | F_EXT},
    [0x27] = {native_max, F_DISK | F_EXT},
    [0x29] = {pio_sectors, F_DISK | F_EXT | F_MULTIPLE},
    [0x2F] = {read_log, F_DISK | F_EXT},
    [0x30] = {pio_sectors, F_DISK | F_WRITE},
    [0x31] = {pio_sectors, F_DISK | F_WRITE},
    [0x34] = {pio_sectors, F_DISK | F_WRITE | F_EXT},
    [0x35] = {dma_sectors, F_DISK | F_WRITE | F_EXT},
    [0x37] = {set_max, F_DISK | F_EXT},
    [0x39] = {pio_sectors, F_DISK | F_WRITE | F_EXT | F_MULTIPLE},
    [0x3C] = {pio_sectors, F_DISK | F_WRITE}, /* WRITE VERIFY */
    [0x3D] = {dma_sectors, F_DISK | F_WRITE | F_EXT | F_FUA},
    [0x40] = {verify, F_DISK},
    [0x41] = {verify, F_DISK},
    [0x42] = {verify, F_DISK | F_EXT},
    [0x70 ... 0x7F] = {seek, F_DISK},
    [0x91] = {set_parameters, F_DISK},
    [0x94] = {standby, ALL}, /* 94-99: the power commands of ATA-1 */
    [0x95] = {idle, ALL},
    [0x96] = {standby, ALL},
    [0x97] = {idle, ALL},
    [0x98] = {check_power, ALL},
    [0x99] = {sleep_mode, ALL},
    [0xA0] = {packet, F_PACKET},
    [0xA1] = {identify_packet, F_PACKET},
    [0xB0] = {smart, F_DISK},
    [0xC4] = {pio_sectors, F_DISK | F_MULTIPLE},
    [0xC5] = {pio_sectors, F_DISK | F_WRITE | F_MULTIPLE},
    [0xC6] = {set_multiple, F_DISK},
    [0xC8] = {dma_sectors, F_DISK},
    [0xC9] = {dma_sectors, F_DISK},
    [0xCA] = {dma_sectors, F_DISK | F_WRITE},
    [0xCB] = {dma_sectors, F_DISK | F_WRITE},
    [0xCE] = {pio_sectors, F_DISK | F_WRITE | F_EXT | F_MULTIPLE | F_FUA},
    [0xE0] = {standby, ALL},
    [0xE1] = {idle, ALL},
    [0xE2] = {standby, ALL},
    [0xE3] = {idle, ALL},
    [0xE5] = {check_power, ALL},
    [0xE6] = {sleep_mode, ALL},
    [0xE7] = {flush, F_DISK},
    [0xEA] = {flush, F_DISK},
    [0xEC] = {identify, F_DISK},
    [0xEF] = {set_features, ALL},
    [0xF8] = {native_max, F_DISK},
    [0xF9] = {set_max, F_DISK},
};

void ata_execute(struct ide_channel *ch, uint8_t opcode)
{
    struct ide_drive *d = ide_drive(ch);
    const struct ata_command *c = &commands[opcode];

    ch->native_before = d->native_asked;
    d->native_asked = 0;
    if (c->flags & (d->kind == IDE_DISK ? F_DISK : F_PACKET)) {
        c->run(ch, d, c->flags);
        return;
    }
    if (d->kind == IDE_CDROM && (opcode == 0xEC || opcode == 0x20)) {
        /* 8.15.5, 8.34.5: a packet device says by its signature what it is. */
        ata_signature(d);
    }
    ata_abort(ch);
}
