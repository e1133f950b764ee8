/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rom: see rom.h. PCI Firmware Specification 3.0, 5.1.1 (header), 5.1.2 (PCI data structure). */
#include "bios/rom.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef HVM_DM_DATADIR
#define HVM_DM_DATADIR "/usr/local/share/hvm-dm"
#endif

#define BLOCK        512u
#define HEADER_BYTES 0x1Au
#define AT_LENGTH    2 /* in blocks */
#define AT_PCIR      0x18
#define PCIR_BYTES   0x18u
#define PCIR_VENDOR  4
#define PCIR_DEVICE  6
#define PCIR_LENGTH  0x10 /* of the image, in blocks */
#define PCIR_CODE    0x14 /* 0: x86, PC-AT compatible */

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
    if (get16(pcir + PCIR_VENDOR) != vendor || get16(pcir + PCIR_DEVICE) != device)
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

static bool read_all(int fd, uint8_t *buf, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = read(fd, buf + done, len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

static bool read_file(struct rom *rom, int fd, const char *path, struct err *err)
{
    struct stat st;
    if (fstat(fd, &st))
        return err_set(err, "%s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return err_set(err, "%s is not a file", path);
    if (st.st_size < (off_t)HEADER_BYTES || st.st_size > (off_t)ROM_MAX_BYTES)
        return err_set(err, "%s: %lld bytes is no size for an option ROM", path,
                       (long long)st.st_size);
    uint8_t *data = malloc((size_t)st.st_size);
    if (!data)
        return err_set(err, "out of memory");
    if (!read_all(fd, data, (size_t)st.st_size)) {
        free(data);
        return err_set(err, "%s cannot be read: %s", path, errno ? strerror(errno) : "it shrinks");
    }
    rom->data = data;
    rom->len = (uint32_t)st.st_size;
    return true;
}

/* 1: opened and read, 0: not there, -1: there, but *err. */
static int try_path(struct rom *rom, const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return 0;
    if (fd < 0) {
        err_set(err, "%s: %s", path, strerror(errno));
        return -1;
    }
    errno = 0;
    bool ok = read_file(rom, fd, path, err);
    close(fd);
    return ok ? 1 : -1;
}

bool rom_load(struct rom *rom, const char *name, const char *const *dirs, size_t dir_count,
              uint16_t vendor, uint16_t device, struct err *err)
{
    char path[PATH_MAX];
    size_t builtin = sizeof(builtin_dirs) / sizeof(builtin_dirs[0]);
    bool search = !strchr(name, '/');
    size_t places = search ? dir_count + builtin : 1;
    int found = 0;

    *rom = (struct rom){0};
    for (size_t i = 0; i < places && !found; i++) {
        const char *dir = i < dir_count ? dirs[i] : search ? builtin_dirs[i - dir_count] : NULL;
        int n = search ? snprintf(path, sizeof(path), "%s/%s", dir, name)
                       : snprintf(path, sizeof(path), "%s", name);
        if (n > 0 && (size_t)n < sizeof(path))
            found = try_path(rom, path, err);
    }
    if (found < 0)
        return false;
    if (!found)
        return err_set(err,
                       search ? "option ROM %s not found (Debian: apt-get install seabios for VGA, "
                                "ipxe-qemu for network; or name its directory with -L)"
                              : "option ROM %s not found",
                       name);
    if (rom_check(rom->data, rom->len, path, vendor, device, err))
        return true;
    rom_free(rom);
    return false;
}

void rom_free(struct rom *rom)
{
    free(rom->data);
    *rom = (struct rom){0};
}
