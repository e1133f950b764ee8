/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libxl_drive: -drive, -blockdev, -device and the display card of the argument line. */
#include "toolstack/libxl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "block/format.h"

#define UNITS    4 /* two channels with two drives each */
#define ANYWHERE (-1)
#define FLOPPIES 2

static void drive_free(struct libxl_drive *d)
{
    free(d->drive.id);
    free(d->drive.qdev);
    free(d->drive.node_name);
    free(d->drive.throttle_group);
    free(d->drive.file);
    free(d->drive.serial);
    free(d->drive.model);
    free(d->drive.version);
    free(d->drive_id);
    *d = (struct libxl_drive){0};
}

void libxl_drives_free(struct libxl *p)
{
    for (size_t i = 0; i < p->drive_count; i++)
        drive_free(&p->drives[i]);
    for (size_t i = 0; i < p->device_count; i++)
        drive_free(&p->devices[i]);
    free(p->ahci_id);
    p->ahci_id = NULL;
}

static struct libxl_drive *drive_new(struct libxl_drive *list, size_t *count, const char *option,
                                     struct err *err)
{
    if (*count == LIBXL_MAX_DRIVES) {
        err_set(err, "%s: more than %d of them", option, LIBXL_MAX_DRIVES);
        return NULL;
    }
    struct libxl_drive *d = &list[(*count)++]; /* libxl_drives_free releases it from here on */
    *d = (struct libxl_drive){
        .channel = ANYWHERE,
        .slave = ANYWHERE,
        .rerror = LIBXL_NOT_SAID,
        .werror = LIBXL_NOT_SAID,
        .write_cache = LIBXL_NOT_SAID,
        .drive = {.fd = -1, .logical_block_size = 512, .physical_block_size = 512}};
    return d;
}

/* /dev/fdset/N and fd:N are inherited descriptors; "rbd:", "nbd:", "json:" name no file; all else
 * is a path. */
static bool drive_file(struct libxl *p, const char *option, struct config_drive *d, struct err *err)
{
    static const char fdset[] = "/dev/fdset/";
    const char *file = d->file;
    if (!strncmp(file, fdset, sizeof(fdset) - 1)) {
        uint64_t set;
        if (parse_number(file + sizeof(fdset) - 1, 0, INT32_MAX, &set))
            for (size_t i = 0; i < p->config->fd_count; i++)
                if (p->config->fds[i].set == set) {
                    /* The set stays with QMP, the disk gets a descriptor of its own. */
                    d->fd = fcntl(p->config->fds[i].fd, F_DUPFD_CLOEXEC, 3);
                    return d->fd >= 0 ||
                           err_set(err, "%s: file=%s: %s", option, file, strerror(errno));
                }
        return err_set(err, "%s: file=%s: no -add-fd has that set", option, file);
    }
    if (!strncmp(file, "fd:", 3))
        return libxl_fd(p, "-drive: file=fd:", file + 3, &d->fd, err);
    size_t scheme = strcspn(file, ":/");
    if (file[scheme] == ':')
        return err_set(err,
                       "%s: file=%s: images behind a protocol (%.*s:) are not part of this "
                       "version; use a local file or block device (./%s if that is its name)",
                       option, file, (int)scheme, file, file);
    return true;
}

/* A string of the drive's IDENTIFY data: printable ASCII (ATA8-ACS 3.4.9), at most max characters.
 */
static bool identify_string(struct optstr *o, const char *key, size_t max, char **out,
                            struct err *err)
{
    const char *value = optstr_take(o, key);
    if (!value || !*value)
        return true;
    if (strlen(value) > max)
        return err_set(err, "%s: %s=%s is longer than %zu characters", o->option, key, value, max);
    for (const char *c = value; *c; c++)
        if (*c < 0x20 || *c > 0x7e)
            return err_set(err, "%s: %s= has a character that is not printable ASCII", o->option,
                           key);
    free(*out);
    *out = xstrdup(value);
    return true;
}

/* bus= and unit= of -drive, or index=, which counts over both. */
static bool drive_place(struct optstr *o, struct libxl_drive *d, struct err *err)
{
    static const uint64_t none = UINT64_MAX;
    uint64_t index = none, bus = none, unit = none;
    const bool floppy = d->drive.floppy;
    if (!optstr_number(o, "index", 0, floppy ? FLOPPIES - 1 : UNITS - 1, &index, err) ||
        !optstr_number(o, "bus", 0, floppy ? 0 : 1, &bus, err) ||
        !optstr_number(o, "unit", 0, 1, &unit, err))
        return false;
    if (index != none) {
        if (bus != none || unit != none)
            return err_set(err, "%s: index= and bus=, unit= are two ways to say the same",
                           o->option);
        bus = index / 2;
        unit = index % 2;
    }
    if (d->none && (bus != none || unit != none))
        return err_set(err, "%s: with if=none the place is said by -device", o->option);
    d->channel = bus == none ? ANYWHERE : (int)bus;
    d->slave = unit == none ? ANYWHERE : (int)unit;
    return true;
}

static bool drive_keys(struct libxl *p, struct optstr *o, struct libxl_drive *d, struct err *err)
{
    const char *interface = optstr_take(o, "if");
    d->none = interface && !strcmp(interface, "none");
    d->drive.floppy = interface && !strcmp(interface, "floppy");
    if (interface && !d->none && !d->drive.floppy && strcmp(interface, "ide"))
        return err_set(err, "%s: if=%s is not part of this version; use if=ide (xl: vdev=hda…hdd)",
                       o->option, interface);
    const char *media = optstr_take(o, "media");
    if (media && strcmp(media, "disk") && (d->drive.floppy || strcmp(media, "cdrom")))
        return err_set(err, "%s: media=%s is not disk%s", o->option, media,
                       d->drive.floppy ? "" : " or cdrom");
    d->drive.cdrom = media && !strcmp(media, "cdrom");

    const char *id = optstr_take(o, "id");
    if (id && !libxl_id_valid(id))
        return err_set(err, "%s: id=%s is not a letter with letters, digits, '-', '.', '_' behind",
                       o->option, id);
    for (size_t i = 0; id && i < p->drive_count; i++)
        if (p->drives[i].drive.id && !strcmp(p->drives[i].drive.id, id))
            return err_set(err, "%s: id=%s is there twice", o->option, id);
    if (d->none && !id)
        return err_set(err, "%s: if=none needs id= for a -device to name", o->option);
    if (id)
        d->drive.id = xstrdup(id);

    return drive_place(o, d, err) && optstr_string(o, "file", &d->drive.file, err) &&
           libxl_image_keys(o, &d->drive, err) && libxl_error_keys(o, d, false, err) &&
           optstr_bool(o, "readonly", &d->drive.read_only, err) &&
           optstr_bool(o, "read-only", &d->drive.read_only, err) &&
           identify_string(o, "serial", 20, &d->drive.serial, err) &&
           optstr_only(o, "snapshot", "off", err) && optstr_only(o, "copy-on-read", "off", err) &&
           optstr_only(o, "auto-read-only", "off", err) && optstr_finish(o, err);
}

bool libxl_drive(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    struct optstr o;
    if (!optstr_parse(&o, option, arg, NULL, err))
        return false;
    struct libxl_drive *d = drive_new(p->drives, &p->drive_count, option, err);
    bool ok = d && drive_keys(p, &o, d, err);
    optstr_free(&o);
    return ok;
}

bool libxl_plain_drive(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    if (!*arg || strlen(arg) > OPTSTR_MAX_LENGTH)
        return err_set(err, "%s: the file's name is missing or too long", option);
    struct libxl_drive *d = drive_new(p->drives, &p->drive_count, option, err);
    if (!d)
        return false;
    d->drive.cdrom = !strcmp(option, "-cdrom");
    d->drive.floppy = !strncmp(option, "-fd", 3);
    int index = d->drive.cdrom ? 2 : option[3] - 'a';
    d->channel = index / 2;
    d->slave = index % 2;
    d->drive.file = xstrdup(arg);
    return true;
}

/* ---- -blockdev ---- */

/* A node is a file (driver=file, host_device), or an image format on one: on another node
 * (file=NODE), or on one said with it (file.filename=). A -device names the upper one. */
static bool node_keys(struct libxl *p, struct optstr *o, struct libxl_drive *d, struct err *err)
{
    enum block_format format;
    struct err why;
    const char *driver = optstr_need(o, "driver", err);
    const char *name = driver ? optstr_need(o, "node-name", err) : NULL;
    if (!name)
        return false;
    bool plain = !strcmp(driver, "file") || !strncmp(driver, "host_", 5);
    if (!libxl_id_valid(name))
        return err_set(
            err, "%s: node-name=%s is not a letter with letters, digits, '-', '.', '_' behind",
            o->option, name);
    for (size_t i = 0; i < p->drive_count; i++)
        if (p->drives[i].drive.id && !strcmp(p->drives[i].drive.id, name))
            return err_set(err, "%s: node-name=%s is there twice", o->option, name);
    d->none = true;
    d->drive.id = xstrdup(name);
    d->drive.node_name = xstrdup(name);
    if (!optstr_string(o, plain ? "filename" : "file.filename", &d->drive.file, err) ||
        (!plain && (!optstr_only(o, "file.driver", "file host_device host_cdrom", err) ||
                    !optstr_only(o, "file.aio", "threads native io_uring", err) ||
                    !optstr_string(o, "file", &d->drive_id, err))))
        return false;
    if (!d->drive.file == !d->drive_id)
        return err_set(err, "%s: %s of the node %s is missing", o->option,
                       plain ? "filename=" : "file=NODE or file.filename=", name);
    if (!block_format_find(driver, d->drive.file, &format, &why))
        return err_set(err, "%s: %s", o->option, why.text);
    if (!libxl_image_keys(o, &d->drive, err) || /* a node has no format= or cache= */
        !optstr_bool(o, "read-only", &d->drive.read_only, err) ||
        !optstr_only(o, "auto-read-only", "off", err) ||
        !optstr_only(o, "locking", "auto on", err) || !optstr_finish(o, err))
        return false;
    d->drive.format = format;
    return true;
}

bool libxl_blockdev(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    struct optstr o;
    if (*arg == '{')
        return err_set(err, "%s: JSON is not part of this version; say driver=…,node-name=…",
                       option);
    if (!optstr_parse(&o, option, arg, "driver", err))
        return false;
    struct libxl_drive *d = drive_new(p->drives, &p->drive_count, option, err);
    bool ok = d && node_keys(p, &o, d, err);
    optstr_free(&o);
    return ok;
}

/* Gives the nodes that stand on others their files. */
static bool join_nodes(struct libxl *p, struct err *err)
{
    for (size_t i = 0; i < p->drive_count; i++) {
        struct libxl_drive *upper = &p->drives[i], *below = NULL;
        if (!upper->drive_id)
            continue;
        for (size_t n = 0; n < p->drive_count; n++)
            if (p->drives[n].drive.node_name &&
                !strcmp(p->drives[n].drive.node_name, upper->drive_id))
                below = &p->drives[n];
        if (!below || below->drive_id || below->drive.format != BLOCK_FORMAT_RAW)
            return err_set(err, "-blockdev: file=%s is not a node with driver=file",
                           upper->drive_id);
        if (below->used || !below->drive.file)
            return err_set(err, "-blockdev: file=%s is used already", upper->drive_id);
        below->used = true;
        upper->drive.file = below->drive.file;
        below->drive.file = NULL;
        upper->drive.read_only |= below->drive.read_only;
    }
    return true;
}

/* ---- -device ---- */

static bool device_id(struct libxl *p, const char *option, const char *id, struct libxl_drive *d,
                      struct err *err)
{
    if (!libxl_id_valid(id))
        return err_set(err, "%s: id=%s is not a letter with letters, digits, '-', '.', '_' behind",
                       option, id);
    for (size_t i = 0; i < p->device_count; i++)
        if (p->devices[i].drive.qdev && !strcmp(p->devices[i].drive.qdev, id))
            return err_set(err, "%s: id=%s is there twice", option, id);
    d->drive.qdev = xstrdup(id);
    return true;
}

/* bus= of ide-hd and ide-cd: an IDE channel, or a port of the AHCI controller ("ahci0.3"). */
static bool disk_bus(struct libxl *p, const char *option, const char *bus, struct libxl_drive *d,
                     struct err *err)
{
    size_t len = p->ahci_id ? strlen(p->ahci_id) : 0;
    if (!bus)
        return true;
    if (!strcmp(bus, "ide.0") || !strcmp(bus, "ide.1")) {
        d->channel = bus[4] - '0';
        return true;
    }
    if (len && !strncmp(bus, p->ahci_id, len) && bus[len] == '.' && bus[len + 1] >= '0' &&
        bus[len + 1] < '0' + CONFIG_AHCI_PORTS && !bus[len + 2]) {
        d->drive.ahci = true;
        d->drive.ahci_port = (unsigned)(bus[len + 1] - '0');
        return true;
    }
    return err_set(
        err,
        "%s: bus=%s is not ide.0 or ide.1, nor, with a -device ahci,id=ID before, one of "
        "ID.0 to ID.%d",
        option, bus, CONFIG_AHCI_PORTS - 1);
}

/* Keys that ide-hd and ide-cd share. */
static bool disk_keys(struct libxl *p, struct optstr *o, struct libxl_drive *d, struct err *err)
{
    const char *id = optstr_take(o, "id");
    if (id && !device_id(p, o->option, id, d, err))
        return false;
    uint64_t unit = UINT64_MAX;
    if (!disk_bus(p, o->option, optstr_take(o, "bus"), d, err) ||
        !optstr_number(o, "unit", 0, d->drive.ahci ? 0 : 1, &unit, err) ||
        !optstr_string(o, "drive", &d->drive_id, err) ||
        !identify_string(o, "serial", 20, &d->drive.serial, err) ||
        !identify_string(o, "model", 40, &d->drive.model, err) ||
        !identify_string(o, "ver", 8, &d->drive.version, err) ||
        !optstr_number(o, "wwn", 0, UINT64_MAX, &d->drive.wwn, err) ||
        !libxl_error_keys(o, d, true, err) || !libxl_write_cache_key(o, d, err) ||
        !libxl_topology_keys(o, &d->drive, err) || !optstr_only(o, "share-rw", "off", err) ||
        !optstr_refuse(o, "bootindex", "use -boot order=", err))
        return false;
    if (!optstr_finish(o, err))
        return false;
    if (!d->drive_id && !d->drive.cdrom)
        return err_set(err, "%s: drive= is missing", o->option);
    d->slave = unit == UINT64_MAX ? ANYWHERE : (int)unit;
    return true;
}

static bool ahci_keys(struct libxl *p, struct optstr *o, struct err *err)
{
    const char *id = optstr_take(o, "id");
    if (p->config->ahci)
        return err_set(err, "%s: there is one AHCI controller at most", o->option);
    if (id && !libxl_id_valid(id))
        return err_set(err, "%s: id=%s is not a letter with letters, digits, '-', '.', '_' behind",
                       o->option, id);
    if (!optstr_only(o, "bus", "pci.0 pci", err) ||
        !optstr_refuse(o, "addr", "the controller has its fixed place", err))
        return false;
    p->config->ahci = true;
    p->ahci_id = id ? xstrdup(id) : NULL;
    return optstr_finish(o, err);
}

static bool floppy_keys(struct libxl *p, struct optstr *o, struct libxl_drive *d, struct err *err)
{
    static const struct {
        const char *name;
        enum config_floppy type;
    } types[] = {{"auto", CONFIG_FLOPPY_AUTO},
                 {"120", CONFIG_FLOPPY_1200K},
                 {"144", CONFIG_FLOPPY_1440K},
                 {"288", CONFIG_FLOPPY_2880K}};
    const char *id = optstr_take(o, "id"), *type = optstr_take(o, "drive-type");
    uint64_t unit = UINT64_MAX;
    d->drive.floppy = true;
    if (id && !device_id(p, o->option, id, d, err))
        return false;
    size_t n = 0;
    while (type && n < sizeof(types) / sizeof(types[0]) && strcmp(type, types[n].name))
        n++;
    if (n == sizeof(types) / sizeof(types[0]))
        return err_set(err, "%s: drive-type=%s is not 120, 144, 288 or auto", o->option, type);
    d->drive.floppy_type = types[n].type;
    if (!optstr_number(o, "unit", 0, FLOPPIES - 1, &unit, err) ||
        !optstr_string(o, "drive", &d->drive_id, err) ||
        !optstr_only(o, "bus", "floppy-bus.0", err) || !libxl_error_keys(o, d, true, err) ||
        !libxl_write_cache_key(o, d, err) || !optstr_only(o, "share-rw", "off", err) ||
        !optstr_refuse(o, "bootindex", "use -boot order=", err))
        return false;
    d->slave = unit == UINT64_MAX ? ANYWHERE : (int)unit;
    return optstr_finish(o, err);
}

/* The controller is always there: -device isa-fdc may say what is in its drives. */
static bool controller_keys(struct libxl *p, struct optstr *o, struct err *err)
{
    static const char *const keys[FLOPPIES] = {"driveA", "driveB"};
    for (int unit = 0; unit < FLOPPIES; unit++) {
        char *id = NULL;
        if (!optstr_string(o, keys[unit], &id, err))
            return false;
        if (!id)
            continue;
        struct libxl_drive *d = drive_new(p->devices, &p->device_count, o->option, err);
        if (!d) {
            free(id);
            return false;
        }
        d->drive.floppy = true;
        d->slave = unit;
        d->drive_id = id;
    }
    optstr_take(o, "id");
    return optstr_finish(o, err);
}

/* VGA, or with `cirrus` the card that has 4 MiB whatever vgamem_mb says: libxl says 8. */
static bool vga_keys(struct libxl *p, struct optstr *o, bool cirrus, struct err *err)
{
    uint64_t mib = cirrus ? 4 : 16, min = cirrus ? 4 : 1, max = cirrus ? 16 : 256;
    uint64_t xres = 1280, yres = 800;
    bool edid = false, or_not = true; /* the same only if it is said */
    if (p->have_vga)
        return err_set(err, "%s: there is one display card at most", o->option);
    if (!optstr_number(o, "vgamem_mb", min, max, &mib, err) ||
        (!cirrus && (!optstr_bool(o, "edid", &edid, err) || !optstr_bool(o, "edid", &or_not, err) ||
                     !optstr_number(o, "xres", 640, 4088, &xres, err) ||
                     !optstr_number(o, "yres", 480, 4080, &yres, err))) ||
        !optstr_only(o, "bus", "pci.0 pci", err) ||
        !optstr_refuse(o, "addr", "the card has its fixed place", err) ||
        !optstr_refuse(o, "romfile", "-L DIR names where VGA BIOSes are", err))
        return false;
    optstr_take(o, "id");
    if (!optstr_finish(o, err))
        return false;
    if (mib & (mib - 1))
        return err_set(err, "%s: vgamem_mb=%u is not a power of two", o->option, (unsigned)mib);
    if (xres % 8)
        return err_set(err, "%s: xres=%u is not a multiple of 8", o->option, (unsigned)xres);
    p->config->vga_edid = edid != or_not ? CONFIG_DEFAULT : edid ? CONFIG_ON : CONFIG_OFF;
    p->config->vga_xres = (unsigned)xres;
    p->config->vga_yres = (unsigned)yres;
    p->have_vga = true;
    p->config->vga = cirrus ? CONFIG_VGA_CIRRUS : CONFIG_VGA_STD;
    p->config->vga_mib = (unsigned)mib;
    return true;
}

/* What later versions bring, and what to say until then. A name ending in '*' is a prefix. */
static const struct {
    const char *names;
    const char *text;
} absent_devices[] = {
    {"isa-cirrus-vga", "the Cirrus card is on PCI: -device cirrus-vga"},
    {"qxl* vmware-svga virtio-vga* virtio-gpu* bochs-display secondary-vga ati-vga ramfb isa-vga",
     "this display card is not part of this version; say vga=\"stdvga\" or \"cirrus\" in the xl "
     "configuration (-device VGA, cirrus-vga)"},
    {"lsi53c* scsi-* megasas* mptsas* virtio-scsi* am53c974 dc390 pvscsi",
     "there is no emulated SCSI; say vdev=hda to hdd instead of sd* in the xl configuration, or "
     "xvda for a guest with PV drivers alone"},
    {LIBXL_ABSENT_NICS, LIBXL_NO_SUCH_NIC},
    {"nvme* virtio-blk* ide-drive",
     "not part of this version; attach the disk as hda to hdd (vdev=)"},
    {"piix4-usb-uhci ich9-usb-* usb-ehci pci-ohci vt82c686b-usb*",
     "this USB controller is not part of this version; say usb=1 and leave usbversion= and "
     "usbctrl= "
     "out (-usb)"},
    {"usb-*", "there is no such USB device here (there are usb-tablet, usb-mouse, usb-kbd and "
              "usb-hub)"},
    {"ac97 AC97 es1370 ES1370 sb16 adlib cs4231a gus intel-hda ich9-intel-hda hda-*",
     "sound cards are not part of this version; leave soundhw= out"},
    {"pci-serial*", "say -serial or -device isa-serial for COM1 to COM4"},
    {"isa-debugcon", "the firmware's debug port is not part of this version; leave it out"},
    {"xen-platform", "say -machine xenfv, which has the Xen platform device in its place"},
    {"xen-pvdevice", "not part of this version; leave vendor_device= out"},
    {"xen-pci-passthrough vfio-pci*",
     "PCI passthrough is not part of this version; leave pci= out"},
    {"virtserialport virtio-serial*", "spice and virtio are not part of this version; leave spice= "
                                      "out"},
    {"virtio-*", "virtio is not part of this version"},
    {"pvpanic* i6300esb ib700 ivshmem* tpm-* edu pci-bridge* ioh3420",
     "not part of this version; leave it out"},
};

const char *libxl_absent_device(const char *name)
{
    for (size_t i = 0; i < sizeof(absent_devices) / sizeof(absent_devices[0]); i++)
        for (const char *p = absent_devices[i].names; *p;) {
            size_t len = strcspn(p, " ");
            bool match = p[len - 1] == '*' ? !strncmp(name, p, len - 1)
                                           : strlen(name) == len && !strncmp(name, p, len);
            if (match)
                return absent_devices[i].text;
            p += len + (p[len] == ' ');
        }
    return NULL;
}

bool libxl_device(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    struct optstr o;
    if (!optstr_parse(&o, option, arg, "driver", err))
        return false;
    const char *driver = optstr_need(&o, "driver", err);
    enum config_nic_model nic;
    bool ok = false;
    if (!driver)
        ;
    else if (!strcmp(driver, "ide-hd") || !strcmp(driver, "ide-cd")) {
        struct libxl_drive *d = drive_new(p->devices, &p->device_count, option, err);
        if (d) {
            d->drive.cdrom = !strcmp(driver, "ide-cd");
            ok = disk_keys(p, &o, d, err);
        }
    } else if (!strcmp(driver, "floppy")) {
        struct libxl_drive *d = drive_new(p->devices, &p->device_count, option, err);
        ok = d && floppy_keys(p, &o, d, err);
    } else if (!strcmp(driver, "isa-fdc"))
        ok = controller_keys(p, &o, err);
    else if (!strcmp(driver, "ahci") || !strcmp(driver, "ich9-ahci"))
        ok = ahci_keys(p, &o, err);
    else if (!strcmp(driver, "VGA") || !strcmp(driver, "cirrus-vga"))
        ok = vga_keys(p, &o, *driver == 'c', err);
    else if (config_nic_model(driver, &nic))
        ok = libxl_nic_keys(p, &o, nic, err);
    else if (libxl_usb_driver(driver))
        ok = libxl_usb_keys(p, &o, driver, err);
    else if (!strcmp(driver, "isa-serial"))
        ok = libxl_isa_serial(p, &o, err);
    else if (!strcmp(driver, "isa-parallel"))
        ok = libxl_isa_parallel(p, &o, err);
    else {
        const char *text = libxl_absent_device(driver);
        err_set(err, "%s %s: %s", option, driver,
                text ? text
                     : "there is no such device here (there are VGA, cirrus-vga, ahci, ide-hd, "
                       "ide-cd, floppy, rtl8139, e1000, see -help)");
    }
    optstr_free(&o);
    return ok;
}

bool libxl_vga(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    if (!strcmp(arg, "none"))
        return true;
    if (!strcmp(arg, "std"))
        return libxl_device(p, "-vga std", "VGA", err);
    if (!strcmp(arg, "cirrus"))
        return libxl_device(p, "-vga cirrus", "cirrus-vga", err);
    return err_set(err, "%s %s: not part of this version; use cirrus, std or none", option, arg);
}

/* ---- places ---- */

/* A -device takes over the image of its -drive. */
static bool join(struct libxl *p, struct libxl_drive *device, struct err *err)
{
    const char *what = device->drive.floppy  ? "-device floppy"
                       : device->drive.cdrom ? "-device ide-cd"
                                             : "-device ide-hd";
    if (!device->drive_id)
        return true;
    for (size_t i = 0; i < p->drive_count; i++) {
        struct libxl_drive *d = &p->drives[i];
        if (!d->none || strcmp(d->drive.id, device->drive_id))
            continue;
        if (d->used)
            return err_set(err, "%s: drive=%s is used already", what, device->drive_id);
        d->used = true;
        return libxl_join(device, d, err);
    }
    return err_set(err, "%s: there is no -drive if=none with id=%s", what, device->drive_id);
}

/* Puts d on a unit: the one it asked for, or the first free one. */
static bool place(struct libxl_drive **units, struct libxl_drive *d, struct err *err)
{
    for (int u = 0; u < UNITS; u++) {
        if ((d->channel != ANYWHERE && d->channel != u / 2) ||
            (d->slave != ANYWHERE && d->slave != u % 2) || units[u])
            continue;
        units[u] = d;
        d->drive.ide_unit = (unsigned)u;
        return true;
    }
    const char *name = d->drive.id ? d->drive.id : d->drive.file ? d->drive.file : "an empty CD";
    if (d->channel != ANYWHERE && d->slave != ANYWHERE)
        return err_set(err, "-drive: IDE channel %d, unit %d has two drives; the second is %s",
                       d->channel, d->slave, name);
    return err_set(err, "-drive: there is no free IDE unit for %s (two channels, two drives each)",
                   name);
}

static bool place_floppy(struct libxl_drive **floppies, struct libxl_drive *d, struct err *err)
{
    for (int u = 0; u < FLOPPIES; u++) {
        if ((d->slave != ANYWHERE && d->slave != u) || floppies[u])
            continue;
        floppies[u] = d;
        d->drive.floppy_unit = (unsigned)u;
        return true;
    }
    if (d->slave != ANYWHERE)
        return err_set(err, "-drive: if=floppy: drive %c is there twice", 'A' + d->slave);
    return err_set(err, "-drive: if=floppy: there are two floppy drives, A and B");
}

static bool place_ahci(struct libxl_drive **ports, struct libxl_drive *d, struct err *err)
{
    if (ports[d->drive.ahci_port])
        return err_set(err, "-device: AHCI port %u has two drives; the second is %s",
                       d->drive.ahci_port, d->drive.id ? d->drive.id : "an empty CD");
    ports[d->drive.ahci_port] = d;
    return true;
}

/* What a drive says is only complete with both its halves. */
static bool check(struct libxl *p, struct config_drive *d, struct err *err)
{
    if (!d->id) {
        char id[32]; /* as qemu names it */
        if (d->floppy)
            snprintf(id, sizeof(id), "floppy%u", d->floppy_unit);
        else if (d->ahci)
            snprintf(id, sizeof(id), "ahci-cd%u", d->ahci_port);
        else
            snprintf(id, sizeof(id), "ide%u-%s%u", d->ide_unit / 2, d->cdrom ? "cd" : "hd",
                     d->ide_unit % 2);
        d->id = xstrdup(id);
    }
    d->empty = !d->file;
    if (d->empty && !d->cdrom && !d->floppy)
        return err_set(err, "-drive: file= of the disk %s is missing", d->id);
    if (d->cdrom)
        d->read_only = true;
    return d->empty || drive_file(p, "-drive", d, err);
}

bool libxl_drives_finish(struct libxl *p, struct err *err)
{
    struct libxl_drive *all[2 * LIBXL_MAX_DRIVES], *units[CONFIG_MAX_DRIVES] = {NULL};
    size_t count = 0;
    if (!join_nodes(p, err))
        return false;
    for (size_t i = 0; i < p->device_count; i++) {
        if (!join(p, &p->devices[i], err))
            return false;
        all[count++] = &p->devices[i];
    }
    for (size_t i = 0; i < p->drive_count; i++) {
        if (!p->drives[i].none)
            all[count++] = &p->drives[i];
        else if (!p->drives[i].used)
            return err_set(err, "%s: no -device has drive=%s",
                           p->drives[i].drive.node_name ? "-blockdev" : "-drive",
                           p->drives[i].drive.id);
    }
    /* Those that ask for a unit first, so that the others cannot sit on it. */
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < count; i++)
            if ((all[i]->drive.ahci || ((all[i]->drive.floppy || all[i]->channel != ANYWHERE) &&
                                        all[i]->slave != ANYWHERE)) == (pass == 0))
                if (!(all[i]->drive.floppy ? place_floppy(units + UNITS, all[i], err)
                      : all[i]->drive.ahci ? place_ahci(units + UNITS + FLOPPIES, all[i], err)
                                           : place(units, all[i], err)))
                    return false;

    struct config *config = p->config;
    for (int u = 0; u < CONFIG_MAX_DRIVES; u++) {
        if (!units[u])
            continue;
        struct config_drive *d = &config->drives[config->drive_count++];
        *d = units[u]->drive; /* with its strings */
        d->rerror = BLOCK_ON_ERROR_REPORT;
        if (units[u]->rerror != LIBXL_NOT_SAID)
            d->rerror = (enum block_on_error)units[u]->rerror;
        d->werror = BLOCK_ON_ERROR_ENOSPC;
        if (units[u]->werror != LIBXL_NOT_SAID)
            d->werror = (enum block_on_error)units[u]->werror;
        units[u]->drive = (struct config_drive){.fd = -1};
        if (!check(p, d, err))
            return false;
        for (size_t i = 0; i + 1 < config->drive_count; i++)
            if (!strcmp(config->drives[i].id, d->id))
                return err_set(err, "-drive: id=%s is there twice", d->id);
        for (size_t i = 0; d->throttle_group && i + 1 < config->drive_count; i++)
            if (config->drives[i].throttle_group &&
                !strcmp(config->drives[i].throttle_group, d->throttle_group))
                return err_set(err,
                               "-drive: throttling.group=%s: %s has it too; each disk has limits "
                               "of its own here, so give each a group of its own",
                               d->throttle_group, config->drives[i].id);
    }
    return true;
}
