/* SPDX-License-Identifier: GPL-2.0-or-later */
/* format: see format.h. */
#include "block/format.h"

#include <stddef.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* The first name of a format is its own. */
static const struct {
    const char *name;
    enum block_format format;
} served[] = {
    {"raw", BLOCK_FORMAT_RAW},
    {"host_device", BLOCK_FORMAT_RAW}, /* what QEMU calls a raw block device, */
    {"host_cdrom", BLOCK_FORMAT_RAW},  /* a CD drive */
    {"file", BLOCK_FORMAT_RAW},        /* and a plain file below a format */
    {"qcow2", BLOCK_FORMAT_QCOW2},
    {"vpc", BLOCK_FORMAT_VPC},
};

/* Formats that qemu-img reads. */
static const char *const others[] = {"qcow",      "qed", "vmdk",  "vdi",   "vhdx",
                                     "parallels", "dmg", "cloop", "bochs", "luks"};

const char *block_format_name(enum block_format format)
{
    for (size_t i = 0; i < COUNT(served); i++)
        if (served[i].format == format)
            return served[i].name;
    return "raw";
}

bool block_format_find(const char *name, const char *file, enum block_format *format,
                       struct err *err)
{
    for (size_t i = 0; i < COUNT(served); i++)
        if (!strcmp(served[i].name, name)) {
            *format = served[i].format;
            return true;
        }
    if (!file)
        file = "IMAGE";
    for (size_t i = 0; i < COUNT(others); i++)
        if (!strcmp(others[i], name))
            return err_set(err,
                           "format=%s is not part of this version; make a format=raw image of it: "
                           "qemu-img convert -f %s -O raw %s %s.raw",
                           name, name, file, file);
    return err_set(err, "format=%s is not known here; there are raw, qcow2 and vpc", name);
}
