/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libxl: the argument line of xl/libxl's qemu-xen dialect (libxl__build_device_model_args_new), as
 * one table of every option that is acted on, rightly ignored, or refused with what to use instead.
 */
#include "toolstack/libxl.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB              (UINT64_C(1) << 20)
#define GIB              (UINT64_C(1) << 30)
#define DOMID_MAX        0x7fef               /* Xen's DOMID_FIRST_RESERVED - 1 */
#define BELOW_4G_END_MAX UINT64_C(0xf0000000) /* libxl's HVM_BELOW_4G_MMIO_START */

bool libxl_fd(struct libxl *p, const char *what, const char *value, int *out, struct err *err)
{
    uint64_t fd;
    if (!parse_number(value, 3, INT_MAX, &fd) || p->fd_count == LIBXL_MAX_FDS)
        return err_set(err, "%s%s: not the number of an inherited descriptor", what, value);
    for (size_t i = 0; i < p->fd_count; i++)
        if ((uint64_t)p->fds[i] == fd)
            return err_set(err, "%s%s: this descriptor is given twice", what, value);
    if (fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0)
        return err_set(err, "%s%s: %s", what, value, strerror(errno));
    p->fds[p->fd_count++] = *out = (int)fd;
    return true;
}

bool libxl_id_valid(const char *id)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    size_t len = strlen(id);
    return len > 0 && len < 128 && strchr(letters, id[0]) && id[0] &&
           strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") == len;
}

bool libxl_take_id(struct optstr *o, char **out, struct err *err)
{
    if (!optstr_string(o, "id", out, err))
        return false;
    if (*out && !libxl_id_valid(*out))
        return err_set(err, "%s: id=%s is not a letter with letters, digits, '-', '.', '_' behind",
                       o->option, *out);
    return true;
}

/* Slots 0 and 1 are the chip set's, 2 and 3 the first cards'. */
bool libxl_pci_place(struct optstr *o, bool *placed, uint8_t *devfn, struct err *err)
{
    unsigned slot = 0, function = 0;
    char rest;
    const char *addr = optstr_take(o, "addr");
    if (!addr)
        return true;
    int n = sscanf(addr, "%4x.%1x%c", &slot, &function, &rest);
    if (n < 1 || n > 2 || strspn(addr, "0123456789abcdefABCDEFx.") != strlen(addr) || slot < 4 ||
        slot > 31 || function != 0)
        return err_set(err, "%s: addr=%s is not a slot from 4 to 1f (hexadecimal)", o->option,
                       addr);
    *placed = true;
    *devfn = (uint8_t)(slot << 3);
    return true;
}

static void set_string(char **out, const char *value)
{
    free(*out);
    *out = xstrdup(value);
}

/* An absolute directory or file that must be there in the text. */
static bool set_path(const char *option, const char *value, char **out, struct err *err)
{
    if (value[0] != '/' || strlen(value) >= PATH_MAX)
        return err_set(err, "%s: '%s' is not an absolute path", option, value);
    set_string(out, value);
    return true;
}

/* ---- domain and machine ---- */

static bool opt_domid(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    uint64_t domid;
    if (!parse_number(arg, 1, DOMID_MAX, &domid))
        return err_set(err, "%s: '%s' is not the number of a domain (1 to %d)", option, arg,
                       DOMID_MAX);
    p->config->domid = (unsigned)domid;
    p->have_domid = true;
    return true;
}

static bool machine_type(struct libxl *p, const char *option, const char *type, struct err *err)
{
    p->have_machine = true;
    p->config->action = CONFIG_RUN;
    p->config->platform_pci = false;
    if (!strcmp(type, "xenfv") || !strcmp(type, "xenfv-3.1")) {
        p->config->platform_pci = true;
        p->accel_xen = true;
    } else if (!strcmp(type, "none"))
        p->config->action = CONFIG_PROBE;
    else if (!strcmp(type, "xenpv") || !strcmp(type, "xenpvh"))
        return err_set(err,
                       "%s %s: back-ends of PV and PVH domains are not served; keep qemu for them "
                       "(xl.conf's and libxl's QEMU_XEN_PATH)",
                       option, type);
    else if (strcmp(type, "pc"))
        return err_set(err, "%s %s: not part of this version; use xenfv, or pc with accel=xen",
                       option, type);
    return true;
}

static bool machine_keys(struct libxl *p, struct optstr *o, struct err *err)
{
    const char *type = optstr_take(o, "type");
    if (type && !machine_type(p, o->option, type, err))
        return false;
    const char *accel = optstr_take(o, "accel");
    if (accel && strcmp(accel, "xen"))
        return err_set(err, "%s: accel=%s: this is a device model for Xen; use accel=xen",
                       o->option, accel);
    if (accel)
        p->accel_xen = true;
    const char *end = optstr_take(o, "max-ram-below-4g");
    if (end) {
        uint64_t bytes;
        if (!parse_size(end, 1, MIB, 4 * GIB, &bytes) || bytes % 4096)
            return err_set(err,
                           "%s: max-ram-below-4g=%s is not a size from 1M to 4G in whole pages",
                           o->option, end);
        p->config->below_4g_end = bytes < BELOW_4G_END_MAX ? bytes : BELOW_4G_END_MAX;
    }
    /* Our saved state never carries a description of itself; the rest says what is so anyway. */
    return optstr_only(o, "suppress-vmdesc", "on true yes", err) &&
           optstr_only(o, "igd-passthru", "off", err) &&
           optstr_bool(o, "usb", &p->config->usb, err) && optstr_only(o, "vmport", "off", err) &&
           optstr_only(o, "acpi", "on", err) && optstr_only(o, "i8042", "on", err) &&
           optstr_finish(o, err);
}

static bool opt_machine(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    struct optstr o;
    if (!optstr_parse(&o, option, arg, "type", err))
        return false;
    bool ok = machine_keys(p, &o, err);
    optstr_free(&o);
    return ok;
}

static bool opt_accel(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    if (strcmp(arg, "xen"))
        return err_set(err, "%s %s: this is a device model for Xen; use %s xen", option, arg,
                       option);
    p->accel_xen = true;
    return true;
}

static bool opt_memory(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    static const char instead[] = "the toolstack gives and takes memory; leave it out";
    struct optstr o;
    if (!optstr_parse(&o, option, arg, "size", err))
        return false;
    const char *size = optstr_need(&o, "size", err);
    bool ok = size && optstr_refuse(&o, "slots", instead, err) &&
              optstr_refuse(&o, "maxmem", instead, err) && optstr_finish(&o, err);
    if (ok) {
        ok = parse_size(size, MIB, MIB, 16384 * GIB, &p->config->ram_bytes) &&
             p->config->ram_bytes % 4096 == 0;
        if (!ok)
            err_set(err, "%s: '%s' is not a size from 1M to 16384G in whole pages", option, size);
    }
    p->have_memory = ok;
    optstr_free(&o);
    return ok;
}

static bool opt_smp(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    /* Xen shows the guest its CPUs' topology; here it is only checked. */
    static const char *const topology[] = {"sockets", "dies", "clusters", "cores", "threads"};
    struct optstr o;
    if (!optstr_parse(&o, option, arg, "cpus", err))
        return false;
    uint64_t cpus = 0, max = 0, ignored;
    bool ok = optstr_need(&o, "cpus", err) &&
              optstr_number(&o, "cpus", 1, CONFIG_MAX_VCPUS, &cpus, err) &&
              optstr_number(&o, "maxcpus", 1, CONFIG_MAX_VCPUS, &max, err);
    for (size_t i = 0; ok && i < sizeof(topology) / sizeof(topology[0]); i++)
        ok = optstr_number(&o, topology[i], 1, CONFIG_MAX_VCPUS, &ignored, err);
    ok = ok && optstr_finish(&o, err);
    if (ok && max && max < cpus)
        ok = err_set(err, "%s: maxcpus=%u is less than the %u CPUs there are", option,
                     (unsigned)max, (unsigned)cpus);
    if (ok) {
        p->config->vcpus = (unsigned)cpus;
        p->config->max_vcpus = (unsigned)(max ? max : cpus);
    }
    optstr_free(&o);
    return ok;
}

static bool opt_name(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    struct optstr o;
    if (!optstr_parse(&o, option, arg, "guest", err))
        return false;
    bool ignored; /* our threads always have names */
    bool ok = optstr_string(&o, "guest", &p->config->name, err) &&
              optstr_bool(&o, "debug-threads", &ignored, err) &&
              optstr_refuse(&o, "process", "leave it out", err) && optstr_finish(&o, err);
    optstr_free(&o);
    return ok;
}

static bool boot_keys(struct libxl *p, struct optstr *o, struct err *err)
{
    const char *order = optstr_take(o, "order");
    if (order) {
        size_t n = strlen(order);
        if (n == 0 || n > 4 || strspn(order, "acdn") != n)
            return err_set(err,
                           "%s: order=%s is not made of c (disk), d (CD), a (floppy), n "
                           "(network), each once",
                           o->option, order);
        for (size_t i = 0; i < n; i++)
            if (strchr(order + i + 1, order[i]))
                return err_set(err, "%s: order=%s has %c twice", o->option, order, order[i]);
        memcpy(p->config->boot_order, order, n + 1);
        p->have_boot = true;
    }
    return optstr_refuse(o, "once", "use order=", err) && optstr_only(o, "menu", "off", err) &&
           optstr_only(o, "strict", "off", err) && optstr_finish(o, err);
}

static bool opt_boot(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    struct optstr o;
    if (!optstr_parse(&o, option, arg, "order", err))
        return false;
    bool ok = boot_keys(p, &o, err);
    optstr_free(&o);
    return ok;
}

/* The guest's clock is Xen's: there is nothing here to set. */
static bool opt_rtc(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    (void)p;
    struct optstr o;
    if (!optstr_parse(&o, option, arg, NULL, err))
        return false;
    const char *base = optstr_take(&o, "base");
    bool ok = optstr_only(&o, "clock", "host", err) && optstr_only(&o, "driftfix", "none", err) &&
              optstr_finish(&o, err);
    if (ok && base && strcmp(base, "utc"))
        ok = err_set(err,
                     "%s: base=%s: the guest's clock is Xen's; use xl's localtime= and "
                     "rtc_timeoffset=",
                     option, base);
    optstr_free(&o);
    return ok;
}

static bool opt_paused(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    (void)option, (void)arg, (void)err;
    p->config->start_paused = true;
    return true;
}

static bool opt_no_shutdown(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    (void)option, (void)arg, (void)err;
    p->config->no_shutdown = true;
    return true;
}

static bool opt_incoming(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    if (strncmp(arg, "fd:", 3))
        return err_set(err, "%s %s: not part of this version; use fd:N", option, arg);
    if (p->config->incoming_fd >= 0)
        return err_set(err, "%s: is there twice", option);
    return libxl_fd(p, "-incoming fd:", arg + 3, &p->config->incoming_fd, err);
}

/* ---- screen and keyboard ---- */

static bool opt_keymap(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    size_t n = strlen(arg);
    /* Its parts become parts of file names; ui/keymap.h has the grammar. */
    if (n == 0 || n > 200 ||
        strspn(arg, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_()/+:") != n)
        return err_set(err, "%s: '%s' is not the name of a keymap (as de, en-us, us(dvorak))",
                       option, arg);
    set_string(&p->config->keymap, arg);
    return true;
}

static bool opt_rom_dir(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    if (!*arg || strlen(arg) >= PATH_MAX)
        return err_set(err, "%s: the directory is missing or too long", option);
    if (p->config->rom_dir_count == CONFIG_MAX_ROM_DIRS)
        return err_set(err, "%s: more than %d of them", option, CONFIG_MAX_ROM_DIRS);
    p->config->rom_dirs[p->config->rom_dir_count++] = xstrdup(arg);
    return true;
}

/* ---- control and confinement ---- */

static bool opt_add_fd(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    struct config *config = p->config;
    struct optstr o;
    if (config->fd_count == CONFIG_MAX_FDS)
        return err_set(err, "%s: more than %d of them", option, CONFIG_MAX_FDS);
    if (!optstr_parse(&o, option, arg, NULL, err))
        return false;
    struct config_fd entry = {.fd = -1};
    uint64_t set = 0;
    const char *fd = optstr_need(&o, "fd", err);
    bool ok = fd && optstr_need(&o, "set", err) &&
              optstr_number(&o, "set", 0, INT_MAX, &set, err) &&
              optstr_string(&o, "opaque", &entry.opaque, err) && optstr_finish(&o, err) &&
              libxl_fd(p, "-add-fd: fd=", fd, &entry.fd, err);
    entry.set = (unsigned)set;
    if (ok)
        config->fds[config->fd_count++] = entry;
    else
        free(entry.opaque);
    optstr_free(&o);
    return ok;
}

static bool opt_restrict(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    (void)option, (void)arg, (void)err;
    p->config->restricted = true;
    return true;
}

static bool opt_chroot(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    return set_path(option, arg, &p->config->chroot_dir, err);
}

static bool opt_runas(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    struct config *config = p->config;
    const char *colon = strchr(arg, ':');
    char digits[16];
    uint64_t uid, gid;
    config->run_as = true;
    if (colon && (size_t)(colon - arg) < sizeof(digits)) {
        memcpy(digits, arg, (size_t)(colon - arg));
        digits[colon - arg] = '\0';
        /* All ones is "leave it" to setresuid(2). */
        if (parse_number(digits, 0, UINT32_MAX - 1, &uid) &&
            parse_number(colon + 1, 0, UINT32_MAX - 1, &gid)) {
            config->uid = (uid_t)uid;
            config->gid = (gid_t)gid;
            return true;
        }
    }
    const struct passwd *user = colon ? NULL : getpwnam(arg);
    if (!user)
        return err_set(err, "%s: '%s' is neither a user here nor UID:GID", option, arg);
    config->uid = user->pw_uid;
    config->gid = user->pw_gid;
    return true;
}

static bool opt_run_with(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    struct optstr o;
    if (!optstr_parse(&o, option, arg, NULL, err))
        return false;
    const char *dir = optstr_take(&o, "chroot"), *user = optstr_take(&o, "user");
    bool ok = optstr_only(&o, "async-teardown", "off", err) && optstr_finish(&o, err) &&
              (!dir || set_path("-run-with: chroot=", dir, &p->config->chroot_dir, err)) &&
              (!user || opt_runas(p, "-run-with: user=", user, err));
    optstr_free(&o);
    return ok;
}

static bool opt_sandbox(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    struct optstr o;
    if (!optstr_parse(&o, option, arg, "enable", err))
        return false;
    /* The filter is a list of what is allowed, so it is narrower than each of these. */
    bool ok = optstr_bool(&o, "enable", &p->config->seccomp, err) &&
              optstr_only(&o, "obsolete", "allow deny", err) &&
              optstr_only(&o, "elevateprivileges", "allow deny children", err) &&
              optstr_only(&o, "spawn", "allow deny", err) &&
              optstr_only(&o, "resourcecontrol", "allow deny", err) && optstr_finish(&o, err);
    optstr_free(&o);
    return ok;
}

static bool opt_pidfile(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    if (!*arg || strlen(arg) >= PATH_MAX)
        return err_set(err, "%s: the file's name is missing or too long", option);
    set_string(&p->config->pidfile, arg);
    return true;
}

static bool opt_version(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    (void)option, (void)arg, (void)err;
    p->config->action = CONFIG_VERSION;
    return true;
}

static bool opt_help(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    (void)option, (void)arg, (void)err;
    p->config->action = CONFIG_HELP;
    return true;
}

/* ---- the table ---- */

#define NO_BOOT                                                                               \
    "direct kernel boot is not part of this version; boot from a disk or CD (leave kernel=, " \
    "ramdisk= and cmdline= out)"
#define TRADITIONAL                                                                          \
    "the arguments of device_model_version=\"qemu-xen-traditional\" are not served by this " \
    "version; say device_model_version=\"qemu-xen\""
#define XEN_CPU "the guest's CPUs are Xen's and the toolstack's; leave it out"
#define LEAVE   "not part of this version; leave it out"

enum option_kind {
    ACT,    /* handle */
    IGNORE, /* has no effect here, and that is right: the text says why (docs/toolstack.md) */
    REFUSE, /* the text says what to use instead */
};

static const struct option {
    const char *name;
    bool argument;
    enum option_kind kind;
    const char *text;
    bool (*handle)(struct libxl *p, const char *option, const char *arg, struct err *err);
} options[] = {
    {"xen-domid", true, ACT, NULL, opt_domid},
    {"machine", true, ACT, NULL, opt_machine},
    {"M", true, ACT, NULL, opt_machine},
    {"accel", true, ACT, NULL, opt_accel},
    {"m", true, ACT, NULL, opt_memory},
    {"smp", true, ACT, NULL, opt_smp},
    {"name", true, ACT, NULL, opt_name},
    {"boot", true, ACT, NULL, opt_boot},
    {"rtc", true, ACT, NULL, opt_rtc},
    {"S", false, ACT, NULL, opt_paused},
    {"no-shutdown", false, ACT, NULL, opt_no_shutdown},
    {"incoming", true, ACT, NULL, opt_incoming},
    {"drive", true, ACT, NULL, libxl_drive},
    {"blockdev", true, ACT, NULL, libxl_blockdev},
    {"fda", true, ACT, NULL, libxl_plain_drive},
    {"fdb", true, ACT, NULL, libxl_plain_drive},
    {"hda", true, ACT, NULL, libxl_plain_drive},
    {"hdb", true, ACT, NULL, libxl_plain_drive},
    {"hdc", true, ACT, NULL, libxl_plain_drive},
    {"hdd", true, ACT, NULL, libxl_plain_drive},
    {"cdrom", true, ACT, NULL, libxl_plain_drive},
    {"device", true, ACT, NULL, libxl_device},
    {"usb", false, ACT, NULL, libxl_usb},
    {"usbdevice", true, ACT, NULL, libxl_usbdevice},
    {"vga", true, ACT, NULL, libxl_vga},
    {"display", true, ACT, NULL, libxl_display},
    {"sdl", false, ACT, NULL, libxl_sdl},
    {"full-screen", false, ACT, NULL, libxl_full_screen},
    {"vnc", true, ACT, NULL, libxl_vnc},
    {"vncviewer", false, ACT, NULL, libxl_vncviewer},
    {"k", true, ACT, NULL, opt_keymap},
    {"L", true, ACT, NULL, opt_rom_dir},
    {"chardev", true, ACT, NULL, libxl_chardev},
    {"serial", true, ACT, NULL, libxl_serial},
    {"echr", true, ACT, NULL, libxl_echr},
    {"nographic", false, ACT, NULL, libxl_nographic},
    {"nodefaults", false, ACT, NULL, libxl_nodefaults},
    {"parallel", true, ACT, NULL, libxl_parallel},
    {"monitor", true, ACT, NULL, libxl_monitor},
    {"mon", true, ACT, NULL, libxl_mon},
    {"qmp", true, ACT, NULL, libxl_qmp},
    {"netdev", true, ACT, NULL, libxl_netdev},
    {"net", true, ACT, NULL, libxl_net},
    {"nic", true, ACT, NULL, libxl_nic_both},
    {"nic-ne2000", false, ACT, NULL, libxl_nic_ne2000},
    {"global", true, ACT, NULL, libxl_global},
    {"object", true, ACT, NULL, libxl_object},
    {"add-fd", true, ACT, NULL, opt_add_fd},
    {"xen-domid-restrict", false, ACT, NULL, opt_restrict},
    {"chroot", true, ACT, NULL, opt_chroot},
    {"runas", true, ACT, NULL, opt_runas},
    {"run-with", true, ACT, NULL, opt_run_with},
    {"sandbox", true, ACT, NULL, opt_sandbox},
    {"pidfile", true, ACT, NULL, opt_pidfile},
    {"version", false, ACT, NULL, opt_version},
    {"help", false, ACT, NULL, opt_help},
    {"h", false, ACT, NULL, opt_help},

    {"no-user-config", false, IGNORE, "there are no configuration files", NULL},
    {"nodefconfig", false, IGNORE, "there are no configuration files", NULL},
    {"no-hpet", false, IGNORE, "the HPET is Xen's", NULL},
    {"disable-opengl", false, IGNORE, "the window is drawn without OpenGL", NULL},
    {"trace", true, IGNORE, "there are no trace points; the guest sees no difference", NULL},

    {"kernel", true, REFUSE, NO_BOOT, NULL},
    {"initrd", true, REFUSE, NO_BOOT, NULL},
    {"append", true, REFUSE, NO_BOOT, NULL},
    {"dtb", true, REFUSE, NO_BOOT, NULL},
    {"bios", true, REFUSE, "the firmware is the toolstack's; use xl's bios=", NULL},
    {"pflash", true, REFUSE, "the firmware is the toolstack's; use xl's bios=", NULL},
    {"soundhw", true, REFUSE, "sound cards are not part of this version; leave soundhw= out", NULL},
    {"audiodev", true, REFUSE, "sound is not part of this version; leave it out", NULL},
    {"audio", true, REFUSE, "sound is not part of this version; leave it out", NULL},
    {"spice", true, REFUSE, "spice is not part of this version; use vnc=1 and spice=0", NULL},
    {"fsdev", true, REFUSE, LEAVE, NULL},
    {"virtfs", true, REFUSE, LEAVE, NULL},
    {"tpmdev", true, REFUSE, LEAVE, NULL},
    {"watchdog", true, REFUSE, LEAVE, NULL},
    {"gdb", true, REFUSE, "use Xen's gdbsx", NULL},
    {"s", false, REFUSE, "use Xen's gdbsx", NULL},
    {"loadvm", true, REFUSE, "restoring a saved guest is not part of this version", NULL},
    {"snapshot", false, REFUSE, "not part of this version; copy the image", NULL},
    {"daemonize", false, REFUSE, "it stays in the foreground; let the shell put it behind", NULL},
    {"no-reboot", false, REFUSE, "use xl's on_reboot=", NULL},
    {"no-acpi", false, REFUSE, "the machine always has its power management; leave xl's acpi=0 out",
     NULL},
    {"cpu", true, REFUSE, XEN_CPU, NULL},
    {"numa", true, REFUSE, XEN_CPU, NULL},
    {"enable-kvm", false, REFUSE, "this is a device model for Xen; leave it out", NULL},
    {"smbios", true, REFUSE, "SMBIOS tables are the toolstack's; use xl's smbios=", NULL},
    {"acpitable", true, REFUSE, "ACPI tables are the toolstack's; use xl's acpi_firmware=", NULL},
    {"uuid", true, REFUSE, "the toolstack gives the domain its UUID; leave it out", NULL},
    {"fw_cfg", true, REFUSE, LEAVE, NULL},
    {"option-rom", true, REFUSE, LEAVE, NULL},
    {"set", true, REFUSE, "name the property at its -device", NULL},
    {"readconfig", true, REFUSE, "say the options on the command line", NULL},
    {"qmp-pretty", true, REFUSE, "use -qmp", NULL},
    {"D", true, REFUSE, "messages go to standard error; redirect it", NULL},
    {"xen-attach", false, REFUSE,
     "back-ends of PV domains are not served; keep qemu for them (libxl's QEMU_XEN_PATH)", NULL},
    {"vnc-clipboard-socket-fd", true, REFUSE, LEAVE, NULL},

    {"d", true, REFUSE, TRADITIONAL, NULL},
    {"domain-name", true, REFUSE, TRADITIONAL, NULL},
    {"vncunused", false, REFUSE, TRADITIONAL, NULL},
    {"vnclisten", true, REFUSE, TRADITIONAL, NULL},
    {"videoram", true, REFUSE, TRADITIONAL, NULL},
    {"std-vga", false, REFUSE, TRADITIONAL, NULL},
    {"acpi", false, REFUSE, TRADITIONAL, NULL},
    {"vcpus", true, REFUSE, TRADITIONAL, NULL},
    {"vcpu_avail", true, REFUSE, TRADITIONAL, NULL},
    {"localtime", false, REFUSE, TRADITIONAL, NULL},
    {"isa", false, REFUSE, TRADITIONAL, NULL},
    {"gfx_passthru", true, REFUSE, TRADITIONAL, NULL},
    {"bridge", true, REFUSE, TRADITIONAL, NULL},
    {"macaddr", true, REFUSE, TRADITIONAL, NULL},
};

static const struct option *find_option(const char *arg)
{
    if (arg[0] != '-')
        return NULL;
    arg += arg[1] == '-' ? 2 : 1;
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        if (!strcmp(options[i].name, arg))
            return &options[i];
    return NULL;
}

static bool parse_all(struct libxl *p, int argc, char **argv, struct err *err)
{
    for (int i = 1; i < argc; i++) {
        const struct option *option = find_option(argv[i]);
        if (!option)
            return err_set(err, "%.128s: not an option of this device model (-help lists them)",
                           *argv[i] ? argv[i] : "''");
        char said[32];
        snprintf(said, sizeof(said), "-%s", option->name);
        if (option->kind == REFUSE)
            return err_set(err, "%s: %s", said, option->text);
        const char *arg = NULL;
        if (option->argument) {
            if (++i == argc)
                return err_set(err, "%s: its value is missing", said);
            arg = argv[i];
        }
        if (option->kind == IGNORE)
            continue;
        if (!option->handle(p, said, arg, err))
            return false;
        if (p->config->action == CONFIG_VERSION || p->config->action == CONFIG_HELP)
            return true;
    }
    return true;
}

/* What can only be judged when the whole line is known. */
static bool finish(struct libxl *p, struct err *err)
{
    const struct config *config = p->config;
    if (!libxl_chardevs_finish(p, err) || !libxl_drives_finish(p, err) ||
        !libxl_usb_finish(p, err) || !libxl_nets_finish(p, err))
        return false;
    if (!p->have_machine)
        return err_set(err, "-machine is missing: use -machine xenfv, or pc with accel=xen (-help "
                            "lists the options)");
    if (config->action == CONFIG_PROBE)
        return config->monitor_count > 0 ||
               err_set(err, "-machine none: there is nothing to do without -mon or -qmp");
    if (!p->accel_xen)
        return err_set(err, "-machine pc: accel=xen is missing");
    if (!p->have_domid)
        return err_set(err, "-xen-domid is missing");
    if (!p->have_memory)
        return err_set(err, "-m is missing");
    return true;
}

bool config_from_libxl(struct config *config, int argc, char **argv, struct err *err)
{
    struct libxl p = {.config = config};
    *config = (struct config){
        .action = CONFIG_RUN,
        .below_4g_end = BELOW_4G_END_MAX,
        .vcpus = 1,
        .max_vcpus = 1,
        .boot_order = "cad", /* qemu's own default */
        .seccomp = true,
        .incoming_fd = -1,
        .mux_escape = 1,
        .vnc.lock_key_sync = true,
    };
    bool ok = parse_all(&p, argc, argv, err);
    if (ok && (config->action == CONFIG_RUN || config->action == CONFIG_PROBE))
        ok = finish(&p, err);
    libxl_chardevs_free(&p);
    libxl_drives_free(&p);
    libxl_nets_free(&p);
    return ok;
}
