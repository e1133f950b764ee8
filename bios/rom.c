/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rom: see rom.h. PCI Firmware Specification 3.0, 5.1.1 (header), 5.1.2 (PCI data structure). */
#include "bios/rom.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef HVM_DM_DATADIR
#define HVM_DM_DATADIR "/usr/local/share/hvm-dm"
#endif

#define BLOCK        512u
#define HEADER_BYTES 0x1Au
#define AT_LENGTH    2 /* in blocks */
#define AT_CHECKSUM  6 /* behind the entry point's jump; where tools put what makes the sum 0 */
#define AT_PCIR      0x18
#define PCIR_BYTES   0x18u
#define PCIR_VENDOR  4
#define PCIR_DEVICE  6
#define PCIR_LENGTH  0x10 /* of the image, in blocks */
#define PCIR_CODE    0x14 /* 0: x86, PC-AT compatible */
#define PCIR_LAST    0x15 /* bit 7: no image follows */

static const char *const builtin_dirs[] = {
    HVM_DM_DATADIR,
    "/usr/share/seabios",
    "/usr/lib/ipxe/qemu",
    "/usr/share/qemu",
};

static unsigned get16(const uint8_t *p)
{
    return p[0] | (unsigned)p[1] << 8;
}

bool rom_check(const uint8_t *data, size_t len, const char *name, uint16_t vendor, uint16_t device,
               struct err *err)
{
    if (len < HEADER_BYTES || data[0] != 0x55 || data[1] != 0xAA)
        return err_set(err, "%s is not an option ROM: it does not begin with 55 AA", name);
    size_t image = data[AT_LENGTH] * BLOCK;
    if (!image || image > len)
        return err_set(err, "%s: the image says it has %zu bytes, the file has %zu", name, image,
                       len);
    size_t at = get16(data + AT_PCIR);
    if (at + PCIR_BYTES > len || memcmp(data + at, "PCIR", 4))
        return err_set(err, "%s has no PCI data structure", name);
    const uint8_t *pcir = data + at;
    const bool any = !vendor && !device;
    if (!any && (get16(pcir + PCIR_VENDOR) != vendor || get16(pcir + PCIR_DEVICE) != device))
        return err_set(err, "%s is for the device %04x:%04x, not %04x:%04x", name,
                       get16(pcir + PCIR_VENDOR), get16(pcir + PCIR_DEVICE), vendor, device);
    if (pcir[PCIR_CODE] != 0)
        return err_set(err, "%s is not x86 code (type %u)", name, pcir[PCIR_CODE]);
    if (get16(pcir + PCIR_LENGTH) * BLOCK > len)
        return err_set(err, "%s is cut short: it has %zu bytes of %u", name, len,
                       get16(pcir + PCIR_LENGTH) * BLOCK);
    uint8_t sum = 0;
    for (size_t i = 0; i < image; i++)
        sum = (uint8_t)(sum + data[i]);
    if (sum)
        return err_set(err, "%s is damaged: its checksum is %02x, not 0", name, sum);
    return true;
}

static bool map_file(struct rom *rom, int fd, const char *path, struct err *err)
{
    struct stat st;
    if (fstat(fd, &st))
        return err_set(err, "%s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return err_set(err, "%s is not a file", path);
    if (st.st_size < (off_t)HEADER_BYTES || st.st_size > (off_t)ROM_MAX_BYTES)
        return err_set(err, "%s: %lld bytes is no size for an option ROM", path,
                       (long long)st.st_size);
    void *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED)
        return err_set(err, "%s cannot be read: %s", path, strerror(errno));
    rom->data = data;
    rom->len = (uint32_t)st.st_size;
    return true;
}

/* 1: opened and mapped, 0: not there, -1: there, but *err. */
static int try_path(struct rom *rom, const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return 0;
    if (fd < 0) {
        err_set(err, "%s: %s", path, strerror(errno));
        return -1;
    }
    bool ok = map_file(rom, fd, path, err);
    close(fd);
    return ok ? 1 : -1;
}

/* names[0] or, in the same place, names[1] (may be NULL); path is then where it was found. As
 * try_path says. */
static int find(struct rom *rom, const char *const names[2], const char *const *dirs,
                size_t dir_count, char path[PATH_MAX], struct err *err)
{
    const size_t builtin = sizeof(builtin_dirs) / sizeof(builtin_dirs[0]);
    int found = 0;
    for (size_t i = 0; i < 2 * (dir_count + builtin) && !found; i++) {
        const char *name = names[i % 2];
        const size_t place = i / 2;
        if (!name)
            continue;
        int n = snprintf(path, PATH_MAX, "%s/%s",
                         place < dir_count ? dirs[place] : builtin_dirs[place - dir_count], name);
        if (n > 0 && n < PATH_MAX)
            found = try_path(rom, path, err);
    }
    return found;
}

static bool not_found(const char *name, struct err *err)
{
    return err_set(err,
                   strchr(name, '/')
                       ? "option ROM %s not found"
                       : "option ROM %s not found (Debian: apt-get install seabios for VGA, "
                         "ipxe-qemu for network; or name its directory with -L)",
                   name);
}

/* Each image's ids; of the BIOS's also the checksum. The rest of the file has been checked as far
 * as the first image goes. */
static void put_ids(uint8_t *data, size_t len, uint16_t vendor, uint16_t device)
{
    for (size_t at = 0; at + HEADER_BYTES <= len;) {
        uint8_t *image = data + at;
        const size_t pcir = get16(image + AT_PCIR);
        if (image[0] != 0x55 || image[1] != 0xAA || pcir + PCIR_BYTES > len - at ||
            memcmp(image + pcir, "PCIR", 4))
            return;
        uint8_t *p = image + pcir + PCIR_VENDOR;
        const uint8_t ids[4] = {(uint8_t)vendor, (uint8_t)(vendor >> 8), (uint8_t)device,
                                (uint8_t)(device >> 8)};
        for (unsigned i = 0; i < 4; i++) {
            if (image[pcir + PCIR_CODE] == 0)
                image[AT_CHECKSUM] = (uint8_t)(image[AT_CHECKSUM] + p[i] - ids[i]);
            p[i] = ids[i];
        }
        const size_t image_len = get16(image + pcir + PCIR_LENGTH) * BLOCK;
        if ((image[pcir + PCIR_LAST] & 0x80) || !image_len)
            return;
        at += image_len;
    }
}

/* `foreign`: whatever card it names; else only one that names none. */
static bool fits(struct rom *rom, const char *path, bool foreign, uint16_t vendor, uint16_t device,
                 struct err *err)
{
    if (!rom_check(rom->data, rom->len, path, 0, 0, err))
        return false;
    if (rom_check(rom->data, rom->len, path, vendor, device, err))
        return true;
    const uint8_t *pcir = rom->data + get16(rom->data + AT_PCIR);
    if (!foreign && (get16(pcir + PCIR_VENDOR) || get16(pcir + PCIR_DEVICE)))
        return false;
    if (mprotect(rom->data, rom->len, PROT_READ | PROT_WRITE))
        return err_set(err, "%s: %s", path, strerror(errno));
    put_ids(rom->data, rom->len, vendor, device);
    if (mprotect(rom->data, rom->len, PROT_READ))
        return err_set(err, "%s: %s", path, strerror(errno));
    return rom_check(rom->data, rom->len, path, vendor, device, err);
}

bool rom_load(struct rom *rom, const char *name, const char *const *dirs, size_t dir_count,
              uint16_t vendor, uint16_t device, struct err *err)
{
    const char *const names[2] = {name};
    char path[PATH_MAX];
    int found;

    *rom = (struct rom){0};
    if (strchr(name, '/')) {
        snprintf(path, sizeof(path), "%s", name);
        found = try_path(rom, path, err);
    } else {
        found = find(rom, names, dirs, dir_count, path, err);
    }
    if (found < 0)
        return false;
    if (!found)
        return not_found(name, err);
    if (fits(rom, path, false, vendor, device, err))
        return true;
    rom_free(rom);
    return false;
}

bool rom_load_ipxe(struct rom *rom, const char *card, const char *const *dirs, size_t dir_count,
                   uint16_t vendor, uint16_t device, struct err *err)
{
    char efi[64], pxe[64], path[PATH_MAX];
    const char *const names[2] = {efi, pxe};

    *rom = (struct rom){0};
    snprintf(efi, sizeof(efi), "efi-%s.rom", card);
    snprintf(pxe, sizeof(pxe), "pxe-%s.rom", card);
    int found = find(rom, names, dirs, dir_count, path, err);
    if (found < 0)
        return false;
    if (!found)
        return not_found(efi, err);
    if (fits(rom, path, true, vendor, device, err))
        return true;
    rom_free(rom);
    return false;
}

void rom_free(struct rom *rom)
{
    if (rom->data)
        munmap(rom->data, rom->len);
    *rom = (struct rom){0};
}
