/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vpc_header: a VHD image's footer, header and block allocation table. An image is an enemy's until
 * everything in it that we act upon has been checked. */
#include "block/vpc_int.h"

#include <stdlib.h>
#include <string.h>

#include "block/vpc_format.h"
#include "hw/core/log.h"

/* CHS says no more than this; then the size is "current size". */
#define MAX_GEOMETRY (UINT64_C(65535) * 16 * 255)
/* What Microsoft's programs allow; a table of 32-bit sectors cannot reach much further. */
#define MAX_BYTES (UINT64_C(2040) << 30)

struct sync {
    bool done;
    int error;
};

static void sync_done(struct block_request *request, int error)
{
    *(struct sync *)request->opaque = (struct sync){true, error};
}

int vpc_now(struct vpc *v, enum block_op op, uint64_t offset, void *buf, size_t len)
{
    struct iovec iov = {buf, len};
    struct sync sync = {false, 0};
    struct block_request r = {.op = op,
                              .offset = offset,
                              .bytes = len,
                              .iov = &iov,
                              .iovcnt = 1,
                              .own_memory = true,
                              .done = sync_done,
                              .opaque = &sync};
    block_submit(v->file, &r);
    while (!sync.done)
        block_step(v->file);
    return sync.error;
}

static int read_now(struct vpc *v, uint64_t offset, void *buf, size_t len)
{
    return vpc_now(v, BLOCK_READ, offset, buf, len);
}

static bool refuse(const struct block_config *config, struct err *err, const char *what)
{
    return err_set(err, "disk %s: %s: %s", config->id, config->file, what);
}

static bool damaged(const struct block_config *config, struct err *err, const char *what)
{
    return err_set(
        err, "disk %s: %s: damaged VHD image: %s; mend it (vhd-util repair), or take a backup",
        config->id, config->file, what);
}

static bool cannot_read(const struct block_config *config, struct err *err, int error)
{
    return err_set(err, "disk %s: %s: reading its VHD headers: %s", config->id, config->file,
                   strerror(error));
}

static bool footer_good(const uint8_t *f)
{
    return !memcmp(f + VHD_COOKIE, "conectix", 8) &&
           vhd_get32(f + VHD_CHECKSUM) == vhd_checksum(f, VPC_FOOTER, VHD_CHECKSUM);
}

/* At the end of the file; a dynamic disk has a copy in front, for when that one got lost. (In front
 * of a fixed disk are the guest's data, which may look like anything.) */
static bool read_footer(struct vpc *v, const struct block_config *config, uint64_t length,
                        struct err *err)
{
    uint8_t *f = v->buffer;
    uint64_t at[2] = {(length - 1) / VPC_SECTOR * VPC_SECTOR, 0};
    bool cookie = false;

    for (int i = 0; i < 2; i++) {
        /* Virtual PC before 2004 wrote 511 bytes: the last one reads as zero. */
        int error = read_now(v, at[i], f, VPC_FOOTER);
        if (error)
            return cannot_read(config, err, error);
        cookie = cookie || !memcmp(f, "conectix", 8);
        if (!footer_good(f) || (i == 1 && vhd_get32(f + VHD_TYPE) == VHD_TYPE_FIXED))
            continue;
        memcpy(v->footer, f, VPC_FOOTER);
        v->footer_lost = i == 1;
        return true;
    }
    if (cookie)
        return damaged(config, err, "the checksum of its footer is wrong");
    return refuse(config, err,
                  "is not a VHD image (no footer 'conectix'); say format= as it is (raw?)");
}

/*
 * The size of the disk. Programs disagree: Virtual PC and old QEMU go by the geometry, the others
 * by "current size". As QEMU decides it, which toolstacks rely on: by who made the image, and the
 * largest geometry never counts. (XenServer's tapdisk always takes "current size"; its own images
 * say "tap".)
 */
static uint64_t disk_bytes(const uint8_t *f)
{
    static const char by_size[][4] = {"win ",          "qem2", "d2v ", "CTXS", {'t', 'a', 'p', 0},
                                      {'w', 'a', 0, 0}};
    uint64_t current = vhd_get64(f + VHD_CURRENT_SIZE);
    uint64_t chs = (uint64_t)vhd_get16(f + VHD_CYLINDERS) * f[VHD_HEADS] * f[VHD_SECTORS];

    for (size_t i = 0; i < sizeof(by_size) / sizeof(by_size[0]); i++)
        if (!memcmp(f + VHD_CREATOR, by_size[i], 4))
            return current;
    /* An image whose creator left the geometry out has only the one. */
    return chs == MAX_GEOMETRY || chs == 0 ? current : chs * VPC_SECTOR;
}

static bool check_type(struct vpc *v, const struct block_config *config, struct err *err)
{
    uint32_t version = vhd_get32(v->footer + VHD_VERSION);

    switch (vhd_get32(v->footer + VHD_TYPE)) {
    case VHD_TYPE_FIXED:
        v->fixed = true;
        break;
    case VHD_TYPE_DYNAMIC:
        v->fixed = false;
        break;
    case VHD_TYPE_DIFFERENCING:
        return refuse(config, err,
                      "is a differencing VHD image, which is not supported; merge it with its "
                      "parent (vhd-util coalesce), or, while that is attached nowhere, make a disk "
                      "of its own: qemu-img convert -f vpc -O qcow2");
    default:
        return damaged(config, err, "its type is not fixed, dynamic or differencing");
    }
    if (version >> 16 != 1)
        return err_set(err, "disk %s: %s: VHD version %u.%u is not part of this version (1.0 is)",
                       config->id, config->file, version >> 16, version & 0xFFFF);
    v->bytes = disk_bytes(v->footer);
    if (v->bytes < VPC_SECTOR || v->bytes % VPC_SECTOR || v->bytes > MAX_BYTES)
        return damaged(config, err, "its size is 0, odd, or more than 2040 GiB");
    return true;
}

static bool check_header(struct vpc *v, const struct block_config *config, uint64_t length,
                         const uint8_t *h, struct err *err)
{
    uint64_t at = vhd_get64(v->footer + VHD_DATA_OFFSET);

    if (memcmp(h, "cxsparse", 8))
        return damaged(config, err, "there is no dynamic header ('cxsparse')");
    if (vhd_get32(h + VHD_H_CHECKSUM) != vhd_checksum(h, VPC_HEADER, VHD_H_CHECKSUM))
        return damaged(config, err, "the checksum of its dynamic header is wrong");
    if (vhd_get32(h + VHD_H_VERSION) >> 16 != 1)
        return refuse(config, err,
                      "the version of its dynamic header is not part of this version (1.0 is)");
    v->table_offset = vhd_get64(h + VHD_H_TABLE);
    v->entries = vhd_get32(h + VHD_H_ENTRIES);
    v->block_bytes = vhd_get32(h + VHD_H_BLOCK);
    if (v->block_bytes < VPC_BLOCK_MIN || v->block_bytes > VPC_BLOCK_MAX ||
        (v->block_bytes & (v->block_bytes - 1)))
        return err_set(err,
                       "disk %s: %s: VHD blocks of %u bytes are not part of this version (a power "
                       "of two from 4096 to 32M); qemu-img convert makes an image with blocks of "
                       "2M",
                       config->id, config->file, v->block_bytes);
    uint32_t sectors = v->block_bytes / VPC_SECTOR;
    v->bitmap_bytes = (sectors / 8 + VPC_SECTOR - 1) / VPC_SECTOR * VPC_SECTOR;
    if (v->bytes > (uint64_t)v->entries * v->block_bytes)
        return damaged(config, err, "its block allocation table is too small for the disk");
    uint64_t table_bytes = ((uint64_t)v->entries * 4 + VPC_SECTOR - 1) / VPC_SECTOR * VPC_SECTOR;
    if (v->table_offset % VPC_SECTOR || v->table_offset < VPC_FOOTER || v->table_offset > length ||
        table_bytes > length - v->table_offset ||
        (v->table_offset < at + VPC_HEADER && at < v->table_offset + table_bytes))
        return damaged(config, err, "its block allocation table lies where it can't");
    /* Entries behind the disk's end are left as they are. */
    v->entries = (uint32_t)((v->bytes + v->block_bytes - 1) / v->block_bytes);
    if (v->entries > VPC_ENTRIES)
        return err_set(err,
                       "disk %s: %s: its block allocation table has more than %u entries; qemu-img "
                       "convert makes an image with larger blocks",
                       config->id, config->file, VPC_ENTRIES);
    v->end = v->table_offset + table_bytes;
    if (v->end < at + VPC_HEADER)
        v->end = at + VPC_HEADER;
    return true;
}

static int by_place(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* No two blocks share a sector: one's bitmap could be another's data. */
static bool check_overlap(struct vpc *v, const struct block_config *config, uint32_t used,
                          struct err *err)
{
    uint32_t size = (v->bitmap_bytes + v->block_bytes) / VPC_SECTOR, n = 0;
    uint32_t *places = malloc(used ? used * sizeof(*places) : 1);
    bool good = true;

    if (!places)
        return refuse(config, err, "out of memory");
    for (uint32_t i = 0; i < v->entries; i++)
        if (v->table[i] != VPC_UNUSED)
            places[n++] = v->table[i];
    qsort(places, n, sizeof(*places), by_place);
    for (uint32_t i = 1; i < n && good; i++)
        good = places[i] - places[i - 1] >= size;
    free(places);
    return good || damaged(config, err, "two blocks lie over each other");
}

/* Where blocks may lie: behind the table, whole in the file. (Before the table would be allowed
 * too; nobody does it, and so nothing of ours can be overwritten through a block.) */
static bool check_table(struct vpc *v, const struct block_config *config, uint64_t length,
                        struct err *err)
{
    uint64_t first = v->end, size = (uint64_t)v->bitmap_bytes + v->block_bytes;
    uint32_t used = 0;

    for (uint32_t i = 0; i < v->entries; i++) {
        uint32_t entry = v->table[i] = vhd_get32((const uint8_t *)&v->table[i]);
        uint64_t at = (uint64_t)entry * VPC_SECTOR;
        if (entry == VPC_UNUSED)
            continue;
        if (at < first || at > length || size > length - at)
            return damaged(config, err,
                           "a block lies outside the file, or over its header (was it cut short?)");
        if (at + size > v->end)
            v->end = at + size;
        used++;
    }
    return check_overlap(v, config, used, err);
}

static bool load_dynamic(struct vpc *v, const struct block_config *config, uint64_t length,
                         struct err *err)
{
    uint64_t at = vhd_get64(v->footer + VHD_DATA_OFFSET);

    if (at % VPC_SECTOR || at < VPC_FOOTER || at > length || VPC_HEADER > length - at)
        return damaged(config, err, "its dynamic header lies outside the file");
    int error = read_now(v, at, v->buffer, VPC_HEADER);
    if (error)
        return cannot_read(config, err, error);
    if (!check_header(v, config, length, v->buffer, err))
        return false;

    size_t table_bytes = (size_t)v->entries * 4;
    size_t pages = (table_bytes + VPC_BAT_PAGE - 1) / VPC_BAT_PAGE;
    v->table = calloc(pages, VPC_BAT_PAGE);
    v->full = calloc(1, v->entries / 8 + 1);
    v->dirty = calloc(1, pages / 8 + 1);
    if (!v->table || !v->full || !v->dirty)
        return refuse(config, err, "out of memory for its block allocation table");
    for (size_t done = 0; done < table_bytes; done += VPC_CHUNK) {
        /* To the sector's end: what is behind the last entry is written back as it was. */
        size_t len = (table_bytes - done + VPC_SECTOR - 1) / VPC_SECTOR * VPC_SECTOR;
        if (len > VPC_CHUNK)
            len = VPC_CHUNK;
        error = read_now(v, v->table_offset + done, v->buffer, len);
        if (error)
            return cannot_read(config, err, error);
        memcpy((char *)v->table + done, v->buffer, len);
    }
    return check_table(v, config, length, err);
}

bool vpc_load(struct vpc *v, const struct block_config *config, struct err *err)
{
    bool device;
    uint64_t length = v->file->driver->length(v->file, &device);
    uint64_t bytes = v->bytes;

    vpc_unload(v);
    v->end = 0;
    v->broken = true;
    if (device)
        return refuse(
            config, err,
            "a VHD image on a block device is not part of this version; put it in a file, "
            "or the disk's contents on the device (qemu-img convert -O raw)");
    if (length < VPC_FOOTER)
        return refuse(config, err, "is smaller than a VHD footer; check the image");
    if (!read_footer(v, config, length, err) || !check_type(v, config, err))
        return false;
    v->file_end = (length + VPC_SECTOR - 1) / VPC_SECTOR * VPC_SECTOR;
    if (v->fixed && v->bytes > v->file_end - VPC_FOOTER)
        return damaged(config, err, "the file is shorter than its disk");
    if (!v->fixed && !load_dynamic(v, config, length, err))
        return false;
    if (bytes && bytes != v->bytes)
        return refuse(config, err, "its size was changed behind our back");
    v->broken = false;
    return true;
}

void vpc_unload(struct vpc *v)
{
    free(v->table);
    free(v->full);
    free(v->dirty);
    v->table = NULL;
    v->full = v->dirty = NULL;
    v->dirty_pages = 0;
    for (unsigned i = 0; i < VPC_BITMAPS; i++) {
        free(v->bitmaps[i].bits);
        v->bitmaps[i] = (struct vpc_bitmap){.block = VPC_UNUSED};
    }
    free(v->bits);
    v->bits = NULL;
}
